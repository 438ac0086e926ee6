/*
 * What a hostile program in the pen tries against the gate: `attacks ACT [ARGUMENT...]`.
 *
 * Runs in the pen, bare, or (the servers) outside. Each act prints one line: a word of its own
 * ("ok", "reached", "held"), or the name of the errno that stopped it; attacks.sh has the table of
 * what is expected where. Static, so that it runs in any mount.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int fail(void)
{
	printf("%s\n", errno_name(errno));
	return 1;
}

static int say(const char *word)
{
	printf("%s\n", word);
	return strcmp(word, "ok") != 0 && strcmp(word, "held") != 0;
}

static int broken(const char *what)
{
	printf("broken: %s: %s\n", what, errno_name(errno));
	return 2;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- addresses and sockets ---- */

struct place {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t length;
};

/* An address and port, a path, or an abstract name ("@name"). */
static struct place place(const char *text, const char *port)
{
	struct place at = {0};

	if (port && inet_pton(AF_INET, text, &at.in.sin_addr) == 1) {
		at.in.sin_family = AF_INET;
		at.in.sin_port = htons((uint16_t)atoi(port));
		at.length = sizeof(at.in);
	} else if (port && inet_pton(AF_INET6, text, &at.in6.sin6_addr) == 1) {
		at.in6.sin6_family = AF_INET6;
		at.in6.sin6_port = htons((uint16_t)atoi(port));
		at.length = sizeof(at.in6);
	} else {
		at.un.sun_family = AF_UNIX;
		snprintf(at.un.sun_path, sizeof(at.un.sun_path), "%s", text);
		at.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
		if (text[0] == '@')
			at.un.sun_path[0] = '\0';
		else
			at.length++;
	}
	return at;
}

static int open_stream(const struct place *at)
{
	return socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* A listening socket, or -1. */
static int serve_at(const struct place *at, int option)
{
	const int one = 1;
	int fd = open_stream(at);

	if (option)
		setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one));
	if (bind(fd, &at->any, at->length) < 0 || listen(fd, 64) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void *greet(void *context)
{
	int listener = (int)(intptr_t)context;

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED && errno != EMFILE)
			return NULL;
		if (fd >= 0 && send(fd, "own", 3, MSG_NOSIGNAL) < 0)
			close(fd);
		else if (fd >= 0)
			close(fd);
	}
}

/* A server in this process that says "own". */
static int serve_own(const struct place *at, int option)
{
	int fd = serve_at(at, option);
	pthread_t thread;

	if (fd >= 0)
		pthread_create(&thread, NULL, greet, (void *)(intptr_t)fd);
	return fd;
}

/* What a connected socket's server says: "own", "outside", or "". */
static const char *listen_to(int fd)
{
	static _Thread_local char text[16];
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	ssize_t n = poll(&polled, 1, 2000) == 1 ? recv(fd, text, sizeof(text) - 1, 0) : -1;

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int reach(int fd, const struct place *at)
{
	if (connect(fd, &at->any, at->length) < 0)
		return fail();
	return say(!strcmp(listen_to(fd), "outside") ? "reached" : "held");
}

/* ---- servers outside: a line in LOG for each connection ---- */

/* outside LOG ADDRESS PORT|- [reuseport] */
static int act_outside(char **arguments)
{
	bool is_unix = !strcmp(arguments[2], "-");
	struct place at = place(arguments[1], is_unix ? NULL : arguments[2]);
	socklen_t length = sizeof(at.in6);
	int fd = serve_at(&at, is_unix ? 0 : arguments[3] ? SO_REUSEPORT : SO_REUSEADDR);
	int log = open(arguments[0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || log < 0)
		return broken("outside");
	if (!is_unix && getsockname(fd, &at.any, &length) == 0)
		printf("%u\n", ntohs(at.in.sin_port));
	else
		printf("ok\n");
	fflush(stdout);
	close(0);
	close(1);
	for (;;) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0)
			continue;
		if (write(log, "hit\n", 4) < 0 || send(peer, "outside", 7, MSG_NOSIGNAL) < 0)
			errno = 0;
		close(peer);
	}
}

/* ---- which server an address means ---- */

/* reach ADDRESS PORT | PATH: the plain connection. */
static int act_reach(char **arguments)
{
	struct place at = place(arguments[0], arguments[1]);

	return reach(open_stream(&at), &at);
}

/*
 * any OWN FROM TO PORT: an own server on OWN; the socket, bound to FROM, is connected to TO, one of
 * the addresses that mean "this host": the kernel goes where FROM says.
 */
static int act_any(char **arguments)
{
	struct place own = place(arguments[0], arguments[3]), from = place(arguments[1], "0"),
		     to = place(arguments[2], arguments[3]);
	int fd = open_stream(&to);

	if (serve_own(&own, SO_REUSEADDR) < 0)
		return broken("own server");
	if (bind(fd, &from.any, from.length) < 0)
		return broken("bind");
	return reach(fd, &to);
}

/* share ADDRESS PORT: a server of one's own joins the outside one's port; who answers? */
static int act_share(char **arguments)
{
	struct place at = place(arguments[0], arguments[1]);

	if (serve_own(&at, SO_REUSEPORT) < 0)
		return fail();
	for (int i = 0; i < 50; i++) {
		int fd = open_stream(&at);

		if (connect(fd, &at.any, at.length) < 0)
			return fail();
		if (!strcmp(listen_to(fd), "outside"))
			return say("reached");
		close(fd);
	}
	return say("held");
}

/* share-own: several servers of one's own on one port. */
static int act_share_own(char **arguments)
{
	struct place at = place("127.0.0.1", arguments[0]);

	for (int i = 0; i < 3; i++)
		if (serve_own(&at, SO_REUSEPORT) < 0)
			return fail();
	for (int i = 0; i < 20; i++) {
		int fd = open_stream(&at);

		if (connect(fd, &at.any, at.length) < 0 || strcmp(listen_to(fd), "own") != 0)
			return fail();
		close(fd);
	}
	return say("ok");
}

/* device: an option that sends packets elsewhere than the address says. */
static int act_device(char **arguments)
{
	const int index = 1;
	int fd = socket(AF_INET6, SOCK_STREAM, 0), r;

	if (!strcmp(arguments[0], "name"))
		r = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	else
		r = setsockopt(fd, SOL_SOCKET, 62, &index, sizeof(index));
	return r < 0 ? fail() : say("ok");
}

/* ---- races ---- */

struct race {
	atomic_bool over;
	struct place *shown, a, b;
	int fd, first, second;
	const char *one, *two;
};

static void *swap_address(void *context)
{
	struct race *race = context;

	while (!race->over) {
		*race->shown = race->a;
		*race->shown = race->b;
	}
	return NULL;
}

/* swap COUNT OUTSIDE PORT | OUTSIDE -: another thread changes the address during connect(). */
static int act_swap(char **arguments)
{
	static struct place shown;
	bool is_unix = !strcmp(arguments[2], "-");
	struct race race = {.shown = &shown};
	char own[64];
	pthread_t thread;
	int reached = 0, connected = 0;

	race.b = place(arguments[1], is_unix ? NULL : arguments[2]);
	snprintf(own, sizeof(own), "own-%d", getpid());
	race.a = is_unix ? place(own, NULL) : place("127.0.0.1", "0");
	int server = serve_own(&race.a, 0);
	socklen_t length = sizeof(race.a.in6);

	if (server < 0 || (!is_unix && getsockname(server, &race.a.any, &length) < 0))
		return broken("own server");
	shown = race.a;
	pthread_create(&thread, NULL, swap_address, &race);
	for (int i = 0; i < atoi(arguments[0]); i++) {
		int fd = open_stream(&race.a);

		if (connect(fd, &shown.any,
			    race.a.length > race.b.length ? race.a.length : race.b.length) == 0) {
			connected++;
			reached += !strcmp(listen_to(fd), "outside");
		}
		close(fd);
	}
	race.over = true;
	pthread_join(thread, NULL);
	unlink(own);
	return connected ? say(reached ? "reached" : "held") : say("never");
}

static void *swap_descriptor(void *context)
{
	struct race *race = context;

	while (!race->over) {
		dup2(race->first, race->fd);
		dup2(race->second, race->fd);
	}
	return NULL;
}

/* dup COUNT ADDRESS PORT CALL: another thread puts other sockets in the descriptor's place. */
static int act_dup(char **arguments)
{
	struct place at = place(arguments[1], arguments[2]), any = place("0.0.0.0", "0");
	struct race race = {.fd = 50};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int pair[2], reached = 0, bad = 0;
	pthread_t thread;

	for (int i = 0; i < atoi(arguments[0]); i++) {
		int tcp = socket(AF_INET, SOCK_STREAM, 0), other;
		struct sockaddr_in bound;
		socklen_t length = sizeof(bound);

		if (i % 3 == 0)
			other = socket(AF_NETLINK, SOCK_RAW, 0);
		else if (i % 3 == 1)
			other = socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ? -1 : pair[0];
		else
			other = socket(AF_INET, SOCK_DGRAM, 0);
		race.over = false;
		race.first = tcp;
		race.second = other;
		dup2(tcp, race.fd);
		pthread_create(&thread, NULL, swap_descriptor, &race);
		if (!strcmp(arguments[3], "connect")) {
			for (int j = 0; j < 5; j++)
				connect(race.fd, &at.any, at.length);
			connect(race.fd, (struct sockaddr *)&kernel, sizeof(kernel));
		} else {
			for (int j = 0; j < 5; j++) {
				bind(race.fd, &any.any, any.length);
				listen(race.fd, 1);
			}
		}
		race.over = true;
		pthread_join(thread, NULL);
		if (getpeername(tcp, (struct sockaddr *)&bound, &length) == 0)
			reached += !strcmp(listen_to(tcp), "outside");
		length = sizeof(bound);
		if (getsockname(tcp, (struct sockaddr *)&bound, &length) == 0 && bound.sin_port)
			bad += bound.sin_addr.s_addr == htonl(INADDR_ANY);
		close(tcp);
		close(other);
		if (i % 3 == 1)
			close(pair[1]);
	}
	return say(reached ? "reached" : bad ? "open to all" : "held");
}

static void *rename_over(void *context)
{
	struct race *race = context;

	while (!race->over)
		if (rename(race->one, race->two) == 0)
			race->first = 1;
	return NULL;
}

/*
 * rename-bind COUNT OUTSIDE: the outside socket, which lies where the pen may write, is renamed
 * over an own one while that is being made.
 */
static int act_rename_bind(char **arguments)
{
	char mine[64];
	struct race race = {.one = arguments[1], .two = mine};
	struct place at;
	pthread_t thread;

	for (int i = 0; i < atoi(arguments[0]); i++) {
		snprintf(mine, sizeof(mine), "mine-%d", i);
		at = place(mine, NULL);
		int fd = open_stream(&at), to = open_stream(&at);
		int keep;

		race.over = false;
		race.first = 0;
		pthread_create(&thread, NULL, rename_over, &race);
		bind(fd, &at.any, at.length);
		race.over = true;
		pthread_join(thread, NULL);
		keep = connect(to, &at.any, at.length) == 0 && !strcmp(listen_to(to), "outside");
		if (race.first)
			rename(mine, arguments[1]);
		unlink(mine);
		close(fd);
		close(to);
		if (keep)
			return say("reached");
	}
	return say("held");
}

static void *exchange(void *context)
{
	struct race *race = context;

	while (!race->over)
		syscall(SYS_renameat2, AT_FDCWD, race->one, AT_FDCWD, race->two, 2);
	return NULL;
}

/* exchange COUNT OUTSIDE: an own socket and an outside one change places all the time. */
static int act_exchange(char **arguments)
{
	struct place at = place("own-exchange", NULL);
	struct race race = {.one = "own-exchange", .two = arguments[1]};
	int reached = 0, connected = 0;
	pthread_t thread;

	struct stat before, after;

	if (stat(race.two, &before) < 0 || serve_own(&at, 0) < 0)
		return broken("own server");
	pthread_create(&thread, NULL, exchange, &race);
	for (int i = 0; i < atoi(arguments[0]); i++) {
		int fd = open_stream(&at);

		if (connect(fd, &at.any, at.length) == 0) {
			connected++;
			reached += !strcmp(listen_to(fd), "outside");
		}
		close(fd);
	}
	race.over = true;
	pthread_join(thread, NULL);
	if (stat(race.two, &after) == 0 && after.st_ino != before.st_ino)
		syscall(SYS_renameat2, AT_FDCWD, race.one, AT_FDCWD, race.two, 2);
	return connected ? say(reached ? "reached" : "held") : say("never");
}

/* link OUTSIDE: a hard link to the outside socket, in the place of an own one. */
static int act_link(char **arguments)
{
	struct place at = place("own-link", NULL);

	if (serve_own(&at, 0) < 0)
		return broken("own server");
	unlink("own-link");
	if (link(arguments[0], "own-link") < 0)
		return fail();
	return reach(open_stream(&at), &at);
}

/*
 * abstract NAME: the name was the pen's own once and is an outside server's now; a line of the
 * kernel's table that an own name forges says otherwise.
 */
static int act_abstract(char **arguments)
{
	struct place at = place(arguments[0], NULL), forged;
	int first = open_stream(&at);
	char line[108], byte;
	struct stat st;

	if (bind(first, &at.any, at.length) < 0 || listen(first, 1) < 0 || fstat(first, &st) < 0)
		return broken("own server");
	close(first);
	printf("free\n");
	fflush(stdout);
	if (read(0, &byte, 1) < 0)
		return broken("stdin");
	for (int i = 0; i < 4096; i++) {
		snprintf(line, sizeof(line), "@%x\n0: 1 0 0 1 1 %lu %s", i,
			(unsigned long)st.st_ino, arguments[0]);
		forged = place(line, NULL);
		if (bind(open_stream(&forged), &forged.any, forged.length) < 0 && errno != EMFILE)
			break;
	}
	return reach(open_stream(&at), &at);
}

/* ---- the supervisor ---- */

/* A filter of one's own that asks a listener of one's own would be asked before the pen's. */
static int act_listener(char **arguments)
{
	struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {COUNT(code), code};
	struct place at;
	int listener, fd;

	if (arguments[0]) { /* wait until the supervisor is gone */
		pid_t parent = getppid();

		prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
		printf("%d\n", parent);
		fflush(stdout);
		while (getppid() == parent)
			usleep(10000);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0)
		return fail();
	if (!arguments[0])
		return say("reached");
	at = place(arguments[0], NULL);
	if (fork() == 0) {
		fd = open_stream(&at);
		reach(fd, &at);
		fflush(stdout);
		_exit(1);
	}
	struct seccomp_notif call = {0};

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return broken("notification");
	struct seccomp_notif_resp answer = {
		.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	wait(NULL);
	return 1;
}

static void *toggle(void *context)
{
	struct race *race = context;

	while (!race->over) {
		fcntl(race->fd, F_SETFL, 0);
		fcntl(race->fd, F_SETFL, 0);
	}
	return NULL;
}

static void *keep_connecting(void *context)
{
	struct race *race = context;

	while (!race->over) {
		if (connect(race->fd, &race->a.any, race->a.length) == 0)
			break;
	}
	return NULL;
}

/*
 * stall: an own server with a full queue; O_NONBLOCK is taken from the socket again and again
 * while the gate connects it. Others must be served all the same.
 */
static int act_stall(char **arguments)
{
	(void)arguments;
	struct place at = place("own-stall", NULL);
	static struct race race;
	int listener = open_stream(&at);
	pthread_t threads[2];
	int64_t start, worst = 0;

	if (bind(listener, &at.any, at.length) < 0 || listen(listener, 0) < 0)
		return broken("own server");
	race.a = at;
	race.fd = open_stream(&at);
	connect(race.fd, &at.any, at.length); /* fills the queue */
	race.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pthread_create(&threads[0], NULL, toggle, &race);
	pthread_create(&threads[1], NULL, keep_connecting, &race);
	start = now_ms();
	alarm(20);
	while (now_ms() - start < 700) {
		int64_t one = now_ms();
		struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
		int fd = socket(AF_NETLINK, SOCK_RAW, 0);

		bind(fd, (struct sockaddr *)&kernel, sizeof(kernel));
		close(fd);
		if (now_ms() - one > worst)
			worst = now_ms() - one;
	}
	unlink("own-stall");
	say(worst < 500 ? "ok" : "stalled");
	fflush(stdout);
	_exit(worst >= 500);
}

/* ---- what well-behaved programs expect ---- */

static int server, signals;

/* A server whose queue is full: who connects has to wait. */
static int serve_full(const struct place *at)
{
	server = open_stream(at);
	if (bind(server, &at->any, at->length) < 0 || listen(server, 0) < 0)
		return -1;
	for (int i = 0; i < 8; i++) {
		struct place bound = *at;
		socklen_t length = sizeof(bound.un);
		int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (at->any.sa_family != AF_UNIX)
			getsockname(server, &bound.any, &length);
		if (connect(fd, &bound.any, at->length) < 0 && errno == EAGAIN)
			break;
	}
	return server;
}

static void on_signal(int number)
{
	if (!signals++ && number == SIGALRM)
		accept(server, NULL, NULL);
}

/* interrupt|restart: a signal ends a connect() that waits, or its handler makes the room for it. */
static int interrupted(const char *path, int flags)
{
	struct place at = place(path, NULL);
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	const struct itimerval soon = {.it_value.tv_usec = 200000};
	int fd = open_stream(&at), r;

	if (serve_full(&at) < 0)
		return broken("own server");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	r = connect(fd, &at.any, at.length);
	return r < 0 ? fail() : say(signals ? "ok" : "never");
}

static int act_interrupt(char **arguments)
{
	(void)arguments;
	return interrupted("own-interrupt", 0);
}

static int act_restart(char **arguments)
{
	(void)arguments;
	return interrupted("own-restart", SA_RESTART);
}

static void *prod(void *context)
{
	struct race *race = context;

	for (int i = 0; i < 400; i++) {
		syscall(SYS_tgkill, getpid(), race->first, SIGURG);
		usleep(500);
	}
	accept(server, NULL, NULL);
	return NULL;
}

/* preempt: signals for one thread again and again, as Go's runtime sends them, while it waits. */
static int act_preempt(char **arguments)
{
	struct place at = place("own-preempt", NULL);
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct race race = {.first = getpid()};
	int fd = open_stream(&at);
	pthread_t thread;

	(void)arguments;
	if (serve_full(&at) < 0)
		return broken("own server");
	sigaction(SIGURG, &action, NULL);
	pthread_create(&thread, NULL, prod, &race);
	if (connect(fd, &at.any, at.length) < 0)
		return fail();
	pthread_join(thread, NULL);
	return say(signals > 4 ? "ok" : "never");
}

/* timeout ADDRESS PORT | PATH: SO_SNDTIMEO bounds a connect() that waits. */
static int act_timeout(char **arguments)
{
	struct place at = place(arguments[0], arguments[1]);
	const struct timeval limit = {.tv_usec = 300000};
	int fd = open_stream(&at);
	int64_t start;

	if (serve_full(&at) < 0)
		return broken("own server");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	start = now_ms();
	if (connect(fd, &at.any, at.length) == 0)
		return say("never");
	return now_ms() - start < 290 ? say("early") : fail();
}

/* A child that waits in connect(). */
static pid_t start_waiter(const struct place *at)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(15);
		_exit(connect(open_stream(at), &at->any, at->length) < 0 ? 1 : 0);
	}
	return pid;
}

static bool ends_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* stop: who waits in connect() can be stopped, and goes on with it. */
static int act_stop(char **arguments)
{
	struct place at = place("own-stop", NULL);
	int64_t start;
	pid_t pid;
	int status;

	(void)arguments;
	if (serve_full(&at) < 0)
		return broken("own server");
	pid = start_waiter(&at);
	usleep(100000);
	kill(pid, SIGSTOP);
	start = now_ms();
	while (waitpid(pid, &status, WUNTRACED | WNOHANG) == 0) {
		if (now_ms() - start > 3000) {
			kill(pid, SIGKILL);
			return say("never stops");
		}
		usleep(1000);
	}
	kill(pid, SIGCONT);
	accept(server, NULL, NULL);
	return say(ends_well(pid) ? "ok" : "failed");
}

/* killed: those who were killed while they waited leave their place to others. */
static int act_killed(char **arguments)
{
	struct place at = place("own-killed", NULL);
	pid_t pids[64], last;

	(void)arguments;
	if (serve_full(&at) < 0)
		return broken("own server");
	for (int round = 0; round < 18; round++) {
		for (size_t i = 0; i < COUNT(pids); i++)
			pids[i] = start_waiter(&at);
		usleep(5000); /* less than the supervisor leaves them alone */
		for (size_t i = 0; i < COUNT(pids); i++)
			kill(pids[i], SIGKILL);
		for (size_t i = 0; i < COUNT(pids); i++)
			waitpid(pids[i], NULL, 0);
	}
	last = start_waiter(&at);
	usleep(100000);
	accept(server, NULL, NULL);
	return say(ends_well(last) ? "ok" : "failed");
}

static void *connect_once(void *context)
{
	const struct place *at = context;

	connect(open_stream(at), &at->any, at->length);
	return NULL;
}

/* exec: the process is another program's while one of its threads waits in connect(). */
static int act_exec(char **arguments)
{
	static struct place at;
	struct pollfd polled = {.events = POLLIN};
	int tie[2];
	pid_t pid;

	at = place("own-exec", NULL);
	if (serve_full(&at) < 0 || pipe2(tie, O_CLOEXEC) < 0)
		return broken("own server");
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, connect_once, &at);
		usleep(100000);
		execl(arguments[0], arguments[0], "knock", "own-exec", NULL);
		_exit(2);
	}
	close(tie[1]);
	polled.fd = tie[0];
	if (poll(&polled, 1, 5000) != 1)
		return say("never");
	fcntl(server, F_SETFL, O_NONBLOCK);
	while (waitpid(pid, &(int){0}, WNOHANG) == 0) {
		accept(server, NULL, NULL);
		usleep(1000);
	}
	return say("ok");
}

static int act_knock(char **arguments)
{
	struct place at = place(arguments[0], NULL);

	return connect(open_stream(&at), &at.any, at.length) < 0;
}

/* vfork COUNT: a child that borrows its parent's memory connects. */
static int act_vfork(char **arguments)
{
	struct place at = place("own-vfork", NULL);

	if (serve_own(&at, 0) < 0)
		return broken("own server");
	for (int i = 0; i < atoi(arguments[0]); i++) {
		pid_t pid = vfork();

		if (pid == 0)
			_exit(connect(open_stream(&at), &at.any, at.length) < 0 ? 1 : 0);
		if (!ends_well(pid))
			return say("failed");
	}
	return say("ok");
}

static void hammer(const struct place *at, bool waits)
{
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | (waits ? 0 : SOCK_NONBLOCK), 0);

		connect(fd, &at->any, at->length);
		close(fd);
	}
}

/* flood COUNT: processes that connect all the time, half of them to wait; others have their turn.
 */
static int act_flood(char **arguments)
{
	struct place full = place("own-full", NULL), at = place("own-flood", NULL);
	pid_t pids[128];
	int count = atoi(arguments[0]), failed = 0;
	int64_t worst = 0;

	if (serve_full(&full) < 0 || serve_own(&at, 0) < 0)
		return broken("own server");
	for (int i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			hammer(&full, i % 2);
	}
	for (int i = 0; i < 50; i++) {
		int64_t start = now_ms();
		int fd = open_stream(&at);

		failed += connect(fd, &at.any, at.length) < 0;
		close(fd);
		if (now_ms() - start > worst)
			worst = now_ms() - start;
	}
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	fprintf(stderr, "worst %d ms\n", (int)worst);
	return say(failed ? "failed" : worst < 1000 ? "ok" : "stalled");
}

/* many file|left|abstract|tcp COUNT: servers that come and go, and one that stays. */
static int act_many(char **arguments)
{
	bool is_tcp = !strcmp(arguments[0], "tcp");
	struct place stays = is_tcp ? place("127.0.0.1", "0") : place("own-stays", NULL);
	int fd = serve_own(&stays, 0);
	socklen_t length = sizeof(stays.in);
	char name[32];

	if (fd < 0 || (is_tcp && getsockname(fd, &stays.any, &length) < 0))
		return broken("own server");
	for (int i = 0; i < atoi(arguments[1]); i++) {
		struct place at = {.un.sun_family = AF_UNIX, .length = sizeof(sa_family_t)};

		snprintf(name, sizeof(name), "own-%d", i);
		if (is_tcp)
			at = place("127.0.0.1", "0");
		else if (strcmp(arguments[0], "abstract") != 0)
			at = place(name, NULL);
		fd = open_stream(&at);
		if (bind(fd, &at.any, at.length) < 0 || listen(fd, 1) < 0)
			return fail();
		close(fd);
		if (!strcmp(arguments[0], "file"))
			unlink(name);
	}
	fd = open_stream(&stays);
	if (connect(fd, &stays.any, stays.length) < 0)
		return fail();
	return say(!strcmp(listen_to(fd), "own") ? "ok" : "failed");
}

/* unused COUNT: a socket that waits for its use outlives that many which are closed without any. */
static int act_unused(char **arguments)
{
	struct place at = place("127.0.0.1", "0");
	socklen_t length = sizeof(at.in);
	int server_fd = serve_own(&at, 0), fd = open_stream(&at);

	if (server_fd < 0 || getsockname(server_fd, &at.any, &length) < 0)
		return broken("own server");
	for (int i = 0; i < atoi(arguments[0]); i++) {
		int unused = i % 2 ? open_stream(&at) : socket(AF_INET, SOCK_DGRAM, 0);

		if (unused < 0)
			return fail();
		close(unused);
	}
	if (connect(fd, &at.any, at.length) < 0)
		return fail();
	return say(!strcmp(listen_to(fd), "own") ? "ok" : "failed");
}

static int64_t ticks_of(pid_t pid)
{
	char path[64], text[512];
	long user = 0, system = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (strrchr(text, ')'))
		sscanf(strrchr(text, ')') + 2,
			"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system);
	return user + system;
}

/* Puts as many descriptors on their way as the user may have there; the ends to be closed. */
static int fill_flight(int ends[64][2])
{
	char control[CMSG_SPACE(200 * sizeof(int))] = {0};
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(200 * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS};
	for (int count = 0; count < 64; count++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[count]) < 0)
			return count;
		for (int i = 0; i < 200; i++)
			memcpy(CMSG_DATA(header) + i * sizeof(int), &ends[count][0], sizeof(int));
		if (sendmsg(ends[count][0], &message, 0) < 0)
			return count + 1;
	}
	return 64;
}

/*
 * flight: look-ups while no more descriptors can be passed: the supervisor waits without spinning,
 * and they are answered when there is room.
 */
static int act_flight(char **arguments)
{
	static const char query[] = "\0\7\1\0\0\1\0\0\0\0\0\0\7refused\7invalid\0\0\1\0\1";
	struct place at = place("192.0.2.53", "53");
	static int ends[64][2];
	int count = fill_flight(ends), fd = socket(AF_INET, SOCK_DGRAM, 0);
	int64_t before = ticks_of(getppid()), spent;
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	(void)arguments;
	if (count == 64)
		return say("never full");
	if (fd < 0 || connect(fd, &at.any, at.length) < 0 ||
		send(fd, query, sizeof(query) - 1, 0) < 0)
		return fail();
	if (poll(&polled, 1, 1000) != 0)
		return say("never full");
	spent = (ticks_of(getppid()) - before) * 100 / sysconf(_SC_CLK_TCK);
	for (int i = 0; i < count; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	if (poll(&polled, 1, 3000) != 1)
		return say("no answer");
	return say(spent < 25 ? "ok" : "spins");
}

/* free-port: the port of a socket that was bound and closed can be had. */
static int act_free_port(char **arguments)
{
	struct place at = place("127.0.0.1", "0");
	socklen_t length = sizeof(at.in);
	int fd = open_stream(&at);

	(void)arguments;
	if (bind(fd, &at.any, at.length) < 0 || getsockname(fd, &at.any, &length) < 0)
		return fail();
	close(fd);
	return serve_at(&at, 0) < 0 ? fail() : say("ok");
}

/* serve PATH: a socket there. */
static int act_serve(char **arguments)
{
	struct place at = place(arguments[0], NULL);

	if (serve_at(&at, 0) < 0)
		return fail();
	unlink(arguments[0]);
	return say("ok");
}

/* A name in the pen's folder for passing things, which is another one in each pen. */
static const char *in_tmpdir(const char *name)
{
	static char path[108];
	const char *folder = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/own-%d-%s", folder ? folder : "/tmp", getpid(), name);
	return path;
}

/* name PATH|-: getsockname() tells the path that was given to bind(). */
static int act_name(char **arguments)
{
	const char *path = strcmp(arguments[0], "-") != 0 ? arguments[0] : in_tmpdir("name");
	struct place at = place(path, NULL), told = {0};
	socklen_t length = sizeof(told.un);
	int fd = serve_at(&at, 0);

	if (fd < 0 || getsockname(fd, &told.any, &length) < 0)
		return fail();
	unlink(path);
	return say(
		!strcmp(told.un.sun_path, path) && length == at.length ? "ok" : told.un.sun_path);
}

/*
 * swap-folder COUNT FOLDER: the folder of a socket's path and a symlink to FOLDER change places
 * while the socket is bound.
 */
static int act_swap_folder(char **arguments)
{
	struct race race = {0};
	char path[120], there[256];
	int made = 0, reached = 0;
	pthread_t thread;

	race.one = strdup(in_tmpdir("folder"));
	race.two = strdup(in_tmpdir("link"));
	if (mkdir(race.one, 0755) < 0 || symlink(arguments[1], race.two) < 0)
		return broken("folder");
	pthread_create(&thread, NULL, exchange, &race);
	for (int i = 0; i < atoi(arguments[0]); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		struct place at;

		snprintf(path, sizeof(path), "%s/%d", race.one, i);
		snprintf(there, sizeof(there), "%s/%d", arguments[1], i);
		at = place(path, NULL);
		made += bind(fd, &at.any, at.length) == 0;
		reached += access(there, F_OK) == 0;
		unlink(there);
		close(fd);
	}
	race.over = true;
	pthread_join(thread, NULL);
	return made ? say(reached ? "reached" : "held") : say("never");
}

/* undumpable: what ssh-agent does before it binds. */
static int act_undumpable(char **arguments)
{
	struct place at = place("own-undumpable", NULL);
	int fd = open_stream(&at);

	(void)arguments;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (bind(fd, &at.any, at.length) < 0 || listen(fd, 1) < 0)
		return fail();
	unlink("own-undumpable");
	return say("ok");
}

/* descriptors: with no room left, socket() fails and does not wait for ever. */
static int act_descriptors(char **arguments)
{
	const struct rlimit limit = {64, 64};

	(void)arguments;
	alarm(5);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 100; i++)
		if (socket(AF_INET, SOCK_DGRAM, 0) < 0)
			return fail();
	return say("ok");
}

/* datagrams COUNT: sockets for look-ups that come and go, with odd messages. */
static int act_datagrams(char **arguments)
{
	struct place at = place("192.0.2.53", "53");
	static char message[65000];

	for (int i = 0; i < atoi(arguments[0]); i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		if (fd < 0 || connect(fd, &at.any, at.length) < 0)
			return fail();
		memset(message, i, sizeof(message));
		send(fd, message, i % 50 ? (size_t)i % 600 : sizeof(message), MSG_DONTWAIT);
		close(fd);
	}
	return say("ok");
}

/* Runs a command where pidfd_getfd(2) is refused, as in a container. */
static int act_without_getfd(char **arguments)
{
	struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 438, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {COUNT(code), code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return fail();
	execvp(arguments[0], arguments);
	return fail();
}

/* ---- the table ---- */

static const struct act {
	const char *name;
	int (*run)(char **arguments);
} acts[] = {
	{"abstract", act_abstract},
	{"any", act_any},
	{"datagrams", act_datagrams},
	{"descriptors", act_descriptors},
	{"device", act_device},
	{"dup", act_dup},
	{"exchange", act_exchange},
	{"exec", act_exec},
	{"flight", act_flight},
	{"flood", act_flood},
	{"free-port", act_free_port},
	{"interrupt", act_interrupt},
	{"killed", act_killed},
	{"knock", act_knock},
	{"link", act_link},
	{"listener", act_listener},
	{"many", act_many},
	{"name", act_name},
	{"outside", act_outside},
	{"preempt", act_preempt},
	{"reach", act_reach},
	{"rename-bind", act_rename_bind},
	{"restart", act_restart},
	{"serve", act_serve},
	{"share", act_share},
	{"share-own", act_share_own},
	{"stall", act_stall},
	{"stop", act_stop},
	{"swap", act_swap},
	{"swap-folder", act_swap_folder},
	{"timeout", act_timeout},
	{"undumpable", act_undumpable},
	{"unused", act_unused},
	{"vfork", act_vfork},
	{"without-getfd", act_without_getfd},
};

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < COUNT(acts); i++)
		if (!strcmp(argv[1], acts[i].name))
			return acts[i].run(argv + 2);
	fprintf(stderr, "attacks: no such act\n");
	return 2;
}
