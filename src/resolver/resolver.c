/*
 * The resolver process: start, confinement and the loop.
 *
 * Runs in a process of its own, from its first line confined: it reads a few folders, opens sockets
 * and starts getent; it writes nothing and never sees the agent's files. Hostile are the agent's
 * packets (clients.c), and the name servers' answers (child.c).
 */
#include "resolver/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "confine/confine.h"
#include "kernel/kernel.h"
#include "resolver/parts.h"

#define EVENTS_A_TURN  64
#define PACKETS_A_TURN 64
#define BUCKETS        4096U
#define FILES_MAX      16384U
#define FILES_RESERVED 128U

enum { GATE_FD = 3, PROXY_FD = 4 };

/* What the system's resolver reads, wherever the distribution keeps it. */
static const char *const readable[] = {"/usr", "/bin", "/lib", "/lib64", "/etc", "/nix/store",
	"/run/systemd/resolve", "/run/nscd", "/run/resolvconf", "/run/NetworkManager",
	"/run/resolv", "/run/connman", "/mnt/wsl", "/var/lib/extrausers", "/dev/null", NULL};

static const char *const getents[] = {
	"/usr/bin/getent", "/bin/getent", "/run/current-system/sw/bin/getent"};

/* ---- shared small things --------------------------------------------------------------------- */

int lp_watch_set(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events)
{
	struct epoll_event event = {.data.ptr = watch};
	bool is_new = !(watch->events & EPOLLERR);

	/* EPOLLERR is always waited for; here it marks what is in the set */
	event.events = events | EPOLLERR | (events & EPOLLIN ? EPOLLRDHUP : 0);
	if (watch->fd < 0 || event.events == watch->events)
		return 0;
	if (epoll_ctl(resolver->epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch->fd, &event) <
		0)
		return -errno;
	watch->events = event.events;
	return 0;
}

void lp_watch_close(struct lp_resolver *resolver, struct lp_watch *watch)
{
	if (watch->fd < 0)
		return;
	/* a child may still have a copy, which would keep it in the set */
	if (watch->events)
		epoll_ctl(resolver->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	close(watch->fd);
	watch->fd = -1;
	watch->events = 0;
}

/* FNV-1a; the seed only keeps tables of different runs apart. */
uint32_t lp_resolver_hash(const struct lp_resolver *resolver, const char *host)
{
	uint64_t hash = 0xcbf29ce484222325U ^ resolver->seed;

	for (; *host; host++)
		hash = (hash ^ (uint8_t)*host) * 0x100000001b3U;
	return (uint32_t)(hash ^ hash >> 32);
}

void lp_requests_add(struct lp_requests *list, struct lp_request *request)
{
	request->next = NULL;
	*(list->first ? &list->last->next : &list->first) = request;
	list->last = request;
}

struct lp_request *lp_requests_take(struct lp_requests *list)
{
	struct lp_request *request = list->first;

	if (request)
		list->first = request->next;
	return request;
}

/* ---- start ----------------------------------------------------------------------------------- */

static int arrange_descriptors(int gate, int proxy, struct lp_err *err)
{
	int safe_gate, safe_proxy, null;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	safe_gate = fcntl(gate, F_DUPFD_CLOEXEC, PROXY_FD + 1);
	safe_proxy = fcntl(proxy, F_DUPFD_CLOEXEC, PROXY_FD + 1);
	if (null < 0 || safe_gate < 0 || safe_proxy < 0 || dup2(null, STDIN_FILENO) < 0 ||
		dup2(null, STDOUT_FILENO) < 0 || dup3(safe_gate, GATE_FD, O_CLOEXEC) < 0 ||
		dup3(safe_proxy, PROXY_FD, O_CLOEXEC) < 0 || lp_close_from(PROXY_FD + 1) < 0)
		return lp_fail(err, errno, "descriptors: %m");
	return 0;
}

static size_t raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return FILES_RESERVED;
	limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

/* The terminal's signals are for the command; the gate says when it is over. */
static int arrange_signals(struct lp_resolver *resolver, struct lp_err *err)
{
	static const int ignored[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGWINCH};
	sigset_t set;
	int fd;

	for (size_t i = 0; i < LP_ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return lp_fail(err, errno, "signalfd: %m");
	resolver->signals = (struct lp_watch){.fd = fd, .ready = lp_children_ready};
	return 0;
}

static int confine(struct lp_err *err)
{
	int r;

	setsid();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return lp_fail(err, errno, "PR_SET_DUMPABLE: %m");
	/* so that no file system is kept busy */
	if (chdir("/") < 0)
		return lp_fail(err, errno, "/: %m");
	r = lp_confine_helper(readable, LP_FILTER_INET | LP_FILTER_UNIX, err);
	if (r == 0 && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		return lp_fail(err, errno, "descriptors: %m");
	return r;
}

/* The new socket of a packet. */
static void gate_packet(struct lp_resolver *resolver, const struct lp_packet *packet, int *fd)
{
	if (*fd >= 0 && (packet->kind == LP_PACKET_QUERIES || packet->kind == LP_PACKET_STREAM))
		lp_client_add(resolver, LP_TAKE_FD(*fd), packet->program,
			packet->kind == LP_PACKET_STREAM);
}

static void gate_ready(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events)
{
	if (events & EPOLLOUT)
		lp_names_tell(resolver);
	for (unsigned i = 0; i < PACKETS_A_TURN; i++) {
		struct lp_packet packet;
		lp_autoclose int fd = -1;
		int r = lp_packet_receive(watch->fd, &packet, &fd);

		if (r == -EAGAIN)
			return;
		if (r == 1)
			gate_packet(resolver, &packet, &fd);
		else if (r != -EPROTO)
			resolver->is_over = true;
		if (r <= 0)
			return;
	}
}

static int start(struct lp_resolver *resolver, size_t files, struct lp_err *err)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(getents) && !resolver->getent; i++)
		if (access(getents[i], X_OK) == 0)
			resolver->getent = getents[i];
	resolver->client_max = files > LP_CLIENTS_MAX + FILES_RESERVED ? LP_CLIENTS_MAX
			       : files > 2 * FILES_RESERVED            ? files - FILES_RESERVED
								       : files / 2;
	resolver->names.max = LP_NAMES_MAX;
	resolver->reports.max = LP_REPORTS_MAX;
	resolver->lookups = calloc(BUCKETS, sizeof(*resolver->lookups));
	resolver->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!resolver->lookups || resolver->epoll < 0 ||
		getrandom(&resolver->seed, sizeof(resolver->seed), GRND_NONBLOCK) < 0)
		return lp_fail(err, resolver->lookups ? errno : ENOMEM, "start: %m");
	resolver->gate = (struct lp_watch){.fd = GATE_FD, .ready = gate_ready};
	resolver->proxy = (struct lp_watch){.fd = PROXY_FD, .ready = lp_proxy_ready};
	if (lp_watch_set(resolver, &resolver->gate, EPOLLIN) < 0 ||
		lp_watch_set(resolver, &resolver->proxy, EPOLLIN) < 0 ||
		lp_watch_set(resolver, &resolver->signals, EPOLLIN) < 0)
		return lp_fail(err, errno, "epoll: %m");
	return 0;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void read_clock(struct lp_resolver *resolver)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	resolver->now = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int loop(struct lp_resolver *resolver)
{
	while (!resolver->is_over) {
		struct epoll_event events[EVENTS_A_TURN];
		int timeout, count;

		read_clock(resolver);
		timeout = lp_children_expire(resolver);
		lp_clients_resume(resolver);
		lp_lookups_start(resolver);
		if (resolver->woken)
			timeout = 0;
		count = epoll_wait(resolver->epoll, events, EVENTS_A_TURN, timeout);
		if (count < 0 && errno != EINTR)
			return 1;
		read_clock(resolver);
		lp_live_refresh(resolver->policy);
		for (int i = 0; i < count; i++) {
			struct lp_watch *watch = events[i].data.ptr;

			/* closed by an earlier event of this turn: not freed yet */
			if (watch->fd >= 0)
				watch->ready(resolver, watch, events[i].events);
		}
	}
	return 0;
}

int lp_resolver_run(const struct lp_policy *policy, int gate, int proxy)
{
	struct lp_resolver *resolver = calloc(1, sizeof(*resolver));
	size_t files = raise_files();
	struct lp_err err = {0};
	int r;

	if (!resolver)
		return 1;
	resolver->policy = policy;
	r = arrange_descriptors(gate, proxy, &err);
	if (r == 0)
		r = arrange_signals(resolver, &err);
	if (r == 0)
		r = start(resolver, files, &err);
	if (r == 0)
		r = confine(&err);
	if (r < 0) {
		dprintf(STDERR_FILENO, "landpen: resolver: %s\n", err.text);
		return 1;
	}
	r = loop(resolver);
	lp_children_kill(resolver);
	return r;
}
