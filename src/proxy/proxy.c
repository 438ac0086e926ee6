/*
 * The proxy's process: it closes what it does not need, confines itself, and then turns events into
 * steps of connections (parts.h).
 *
 * Hostile: all bytes of all connections. The gate and the resolver are landpen's own, but parse
 * hostile bytes too. Must not: read a byte before it is confined, wait for any one peer, open
 * files.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "confine/confine.h"
#include "kernel/kernel.h"
#include "proxy/parts.h"

#define CONNECTIONS_MAX        16384
#define PIPES_SHARE            100 /* one in so many descriptors, or more, is for pipes */
#define PIPES_MIN              32
#define DESCRIPTORS_OF_ITS_OWN 32
#define FIRST_BYTE_MS          10000
#define SNIFF_MS               3000
#define TICK_MS                250
#define PACKETS_MAX            64 /* of the gate before connections have their turn */
#define EVENTS_MAX             256
#define FAILED                 70 /* sysexits: an internal error */

enum { GATE = 3, RESOLVER, NEXT };

/* What an event is about, where it is not a connection's address. */
enum { ABOUT_GATE, ABOUT_RESOLVER, ABOUT_LAST };

/* ---- set-up -----------------------------------------------------------------------------------
 */

/* 0 to 2 lead nowhere, gate and resolver to their places, the rest is closed. 0 or -errno. */
static int arrange_descriptors(int gate, int resolver)
{
	/* out of the way of the places first */
	int gate_copy = fcntl(gate, F_DUPFD_CLOEXEC, 16);
	int resolver_copy = fcntl(resolver, F_DUPFD_CLOEXEC, 16);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (gate_copy < 0 || resolver_copy < 0 || null < 0)
		return -errno;
	for (int fd = 0; fd < GATE; fd++)
		if (fd != null && dup2(null, fd) < 0)
			return -errno;
	if (dup3(gate_copy, GATE, O_CLOEXEC) < 0 || dup3(resolver_copy, RESOLVER, O_CLOEXEC) < 0)
		return -errno;
	return lp_close_from(NEXT);
}

static void ignore_terminal(void)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP, SIGPIPE};
	sigset_t none;

	setsid();
	sigemptyset(&none);
	for (size_t i = 0; i < LP_ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * How many connections there are descriptors for: two sockets each. Pipes, which are needed only
 * while bytes are under way, have what is left; without one, bytes are copied.
 */
static void raise_limit(struct lp_proxy *proxy)
{
	struct rlimit limit;
	size_t room = 0, pipes;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_cur > DESCRIPTORS_OF_ITS_OWN)
			room = (size_t)((limit.rlim_cur - DESCRIPTORS_OF_ITS_OWN) / 2);
	}
	pipes = room / PIPES_SHARE;
	if (pipes < PIPES_MIN)
		pipes = room / 4 < PIPES_MIN ? room / 4 : PIPES_MIN;
	proxy->limit = room - pipes;
	if (proxy->limit > CONNECTIONS_MAX)
		proxy->limit = CONNECTIONS_MAX;
	proxy->pipe_limit = room - proxy->limit;
}

static int watch(const struct lp_proxy *proxy, int fd, uint32_t events, uint64_t about)
{
	struct epoll_event event = {.events = events, .data.u64 = about};

	return epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int set_up(struct lp_proxy *proxy, int gate, int resolver)
{
	static const char *const nothing[] = {NULL};
	struct lp_err err;
	int r = arrange_descriptors(gate, resolver);

	if (r < 0)
		return r;
	proxy->gate = GATE;
	proxy->resolver = RESOLVER;
	raise_limit(proxy);
	ignore_terminal();
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	r = lp_confine_helper(nothing, LP_FILTER_INET, &err);
	if (r < 0)
		return r;
	proxy->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (proxy->epoll < 0)
		return -errno;
	r = watch(proxy, proxy->gate, EPOLLIN, ABOUT_GATE);
	if (r < 0)
		return r;
	return watch(proxy, proxy->resolver, EPOLLIN | EPOLLOUT | EPOLLET, ABOUT_RESOLVER);
}

/* ---- the gate ---------------------------------------------------------------------------------
 */

/* Takes fd. */
static void welcome(struct lp_proxy *proxy, const struct lp_packet *packet, int fd)
{
	struct lp_conn *conn;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	conn = lp_conn_new(proxy, fd);
	if (!conn)
		return;
	memcpy(conn->hand->program, packet->program, sizeof(packet->program));
	conn->hand->port = packet->port;
	memcpy(conn->hand->host, packet->host, sizeof(packet->host));
	conn->state = LP_STATE_CLOSING;
	if (proxy->count > proxy->limit) {
		lp_report(proxy, conn->hand,
			"too many connections: a higher limit of open files allows more");
		lp_conn_end(proxy, conn, true);
		return;
	}
	if (lp_conn_register(proxy, conn, LP_CLIENT) < 0) {
		lp_conn_end(proxy, conn, true);
		return;
	}
	switch (packet->kind) {
	case LP_PACKET_NAMED:
		/* not the guard's: it is about where names lead */
		conn->hand->is_trusted = lp_host_is_address(packet->host, NULL);
		conn->state = LP_STATE_LOOKUP;
		lp_dial_start(proxy, conn);
		break;
	case LP_PACKET_SNIFF:
		conn->state = LP_STATE_SNIFF;
		lp_conn_set_deadline(proxy, conn, SNIFF_MS);
		break;
	default:
		conn->state = LP_STATE_FIRST;
		lp_conn_set_deadline(proxy, conn, FIRST_BYTE_MS);
	}
	lp_conn_again(proxy, conn);
}

/* False: the gate has ended. */
static bool serve_gate(struct lp_proxy *proxy)
{
	for (int i = 0; i < PACKETS_MAX; i++) {
		struct lp_packet packet;
		int fd = -1;
		int r = lp_packet_receive(proxy->gate, &packet, &fd);

		if (r == -EAGAIN)
			return true;
		if (r == -EPROTO)
			continue;
		if (r <= 0)
			return false;
		if (packet.kind == LP_PACKET_SOCKET) {
			lp_dial_socket(proxy, &packet, fd);
			continue;
		}
		if (fd < 0)
			continue;
		if (packet.kind == LP_PACKET_EXPLICIT || packet.kind == LP_PACKET_NAMED ||
			packet.kind == LP_PACKET_SNIFF)
			welcome(proxy, &packet, fd);
		else
			close(fd);
	}
	return true;
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static void note_event(struct lp_proxy *proxy, const struct epoll_event *event)
{
	struct lp_conn *conn = (struct lp_conn *)(uintptr_t)(event->data.u64 & ~(uint64_t)1);
	struct lp_side *side = &conn->side[event->data.u64 & 1];

	if (conn->state == LP_STATE_DEAD)
		return;
	if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		side->readable = true;
	if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		side->writable = true;
	if (event->events & EPOLLERR)
		side->failed = true;
	lp_conn_again(proxy, conn);
}

static void run_ready(struct lp_proxy *proxy)
{
	struct lp_conn *conn = proxy->ready, *next;

	proxy->ready = NULL;
	proxy->ready_end = &proxy->ready;
	for (; conn; conn = next) {
		next = conn->next_ready;
		conn->is_ready = false;
		lp_conn_step(proxy, conn);
	}
	lp_conn_free_dead(proxy);
}

static void run_timeouts(struct lp_proxy *proxy)
{
	for (struct lp_conn *conn = proxy->timed, *next; conn; conn = next) {
		next = conn->next_timed;
		if (conn->deadline <= proxy->now)
			lp_conn_timeout(proxy, conn);
	}
}

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int serve(struct lp_proxy *proxy)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t tick = 0;

	for (;;) {
		int wait = proxy->ready ? 0 : proxy->timed ? TICK_MS : -1;
		int n = epoll_wait(proxy->epoll, events, EVENTS_MAX, wait);

		if (n < 0 && errno != EINTR)
			return -errno;
		proxy->now = milliseconds();
		lp_live_refresh(proxy->policy);
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 >= ABOUT_LAST)
				note_event(proxy, &events[i]);
			else if (events[i].data.u64 == ABOUT_RESOLVER)
				lp_dial_answers(proxy);
			else if (!serve_gate(proxy))
				return 0;
		}
		if (proxy->now >= tick) {
			lp_dial_resend(proxy);
			run_timeouts(proxy);
			tick = proxy->now + TICK_MS;
		}
		run_ready(proxy);
	}
}

int lp_proxy_run(const struct lp_policy *policy, int gate, int resolver)
{
	/* too large for a stack, and there is only one */
	static struct lp_proxy proxy;

	proxy.policy = policy;
	proxy.ready_end = &proxy.ready;
	proxy.now = milliseconds();
	if (set_up(&proxy, gate, resolver) < 0)
		return FAILED;
	return serve(&proxy) < 0 ? FAILED : 0;
}
