/*
 * Many connections at once, as well-behaved programs make them:
 *
 *     storm PROCESSES THREADS TRIES [ADDRESS PORT]
 *     storm echo PORT                    the server at ADDRESS
 *
 * Each thread connects to ADDRESS, or to a server of the program's own on 127.0.0.1, blocking and
 * not in turns, with signals that arrive all the time (as Go's runtime sends them), looks names up,
 * and makes sockets that it never uses. Every connection must carry a byte each way. Prints how
 * many; exits 1 at the first that does not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in server_place;
static long tries;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static void ignore(int number)
{
	(void)number;
}

static void echo_all(int server)
{
	for (;;) {
		int fd = accept(server, NULL, NULL);
		char byte;

		if (fd < 0)
			continue;
		if (recv(fd, &byte, 1, 0) == 1)
			send(fd, &byte, 1, MSG_NOSIGNAL);
		close(fd);
	}
}

/* A connect() that a signal cut short has been done, or goes on: as with every kernel. */
static void connect_one(int fd, int blocking)
{
	const struct sockaddr *to = (const struct sockaddr *)&server_place;
	struct pollfd polled = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	if (!blocking)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	while (connect(fd, to, sizeof(server_place)) < 0) {
		if (errno == EISCONN)
			break;
		if (errno == EINPROGRESS || errno == EALREADY) {
			while (poll(&polled, 1, 10000) < 0 && errno == EINTR)
				;
			if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
				errno = error;
				fail("connection");
			}
			break;
		}
		if (errno != EINTR)
			fail("connect");
	}
	if (!blocking)
		fcntl(fd, F_SETFL, 0);
}

static void *work(void *unused)
{
	for (long i = 0; i < tries; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int unused_fd = socket(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
		char byte = (char)i, back;
		ssize_t n;

		if (fd < 0 || unused_fd < 0)
			fail("socket");
		connect_one(fd, i % 3 != 0);
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			fail("send");
		while ((n = recv(fd, &back, 1, 0)) < 0 && errno == EINTR)
			;
		if (n != 1 || back != byte)
			fail("recv");
		close(fd);
		close(unused_fd);
	}
	return unused;
}

static void one_process(int threads)
{
	const struct itimerval often = {{0, 700}, {0, 700}};
	const struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
	pthread_t ids[64];

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, work, NULL))
			fail("thread");
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	_exit(0);
}

/* port 0: any; where it is stands in server_place then */
static int listen_at(unsigned address, unsigned port)
{
	socklen_t len = sizeof(server_place);
	int server = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	server_place = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address),
		.sin_port = htons((uint16_t)port)};
	if (bind(server, (struct sockaddr *)&server_place, len) < 0 || listen(server, 4096) < 0 ||
		getsockname(server, (struct sockaddr *)&server_place, &len) < 0)
		fail("server");
	return server;
}

static pid_t start_server(void)
{
	int server = listen_at(INADDR_LOOPBACK, 0);
	pid_t pid = fork();

	if (pid == 0)
		echo_all(server);
	close(server);
	return pid;
}

int main(int argc, char **argv)
{
	int processes = argc >= 4 ? (int)strtol(argv[1], NULL, 10) : 0,
	    threads = argc >= 4 ? (int)strtol(argv[2], NULL, 10) : 0;
	int status, bad = 0;
	pid_t echo = 0;

	if (argc == 3 && !strcmp(argv[1], "echo"))
		echo_all(listen_at(INADDR_ANY, (unsigned)strtoul(argv[2], NULL, 10)));
	if (processes < 1 || threads < 1 || threads > 64)
		return 2;
	tries = strtol(argv[3], NULL, 10);
	if (argc == 6) {
		server_place = (struct sockaddr_in){.sin_family = AF_INET,
			.sin_addr.s_addr = inet_addr(argv[4]),
			.sin_port = htons((uint16_t)strtoul(argv[5], NULL, 10))};
	} else {
		echo = start_server();
	}
	for (int i = 0; i < processes; i++)
		if (fork() == 0)
			one_process(threads);
	for (int i = 0; i < processes; i++)
		if (wait(&status) < 0 || status)
			bad = 1;
	if (echo)
		kill(echo, SIGKILL);
	if (!bad)
		printf("%ld connections\n", processes * threads * tries);
	return bad;
}
