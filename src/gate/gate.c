/*
 * The gate's life: its helpers, its loop, and the connections between connect() and the proxy.
 *
 * Runs in the supervisor, with the user's rights. From the command it reads socket addresses and
 * nothing else; from its helpers fixed-size packets. It never blocks: what is not ready waits in a
 * bounded list.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <sys/un.h>
#include <unistd.h>

#include "gate/parts.h"
#include "proxy/proxy.h"
#include "resolver/resolver.h"

#define SOCK_TYPE_MASK 15

int lp_gate_reserve(struct lp_gate_place *ret_place, struct lp_err *err)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	lp_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
		listen(fd, SOMAXCONN) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return lp_fail(err, errno, "a port on 127.0.0.1 for the gate: %m");
	*ret_place = (struct lp_gate_place){LP_TAKE_FD(fd), ntohs(address.sin_port)};
	return 0;
}

static int watch(const struct lp_gate *gate, int fd, uint32_t events, enum source source)
{
	struct epoll_event event = {.events = events, .data.u64 = source};

	return epoll_ctl(gate->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static struct queue *queue_of(struct lp_gate *gate, enum source helper)
{
	return helper == SOURCE_PROXY ? &gate->proxy : &gate->resolver;
}

/* After the queue has changed. */
static void watch_queue(struct lp_gate *gate, enum source helper)
{
	const struct queue *queue = queue_of(gate, helper);
	struct epoll_event event = {
		.events = queue->first && !queue->is_held_up ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.u64 = helper};

	epoll_ctl(gate->epoll, EPOLL_CTL_MOD, queue->socket, &event);
	if (queue->first && queue->is_held_up)
		lp_pending_set_timer(gate);
}

int lp_gate_send(struct lp_gate *gate, enum source helper, const struct lp_packet *packet, int fd)
{
	struct queue *queue = queue_of(gate, helper);
	bool waits = queue->first;
	int r = lp_queue_send(queue, packet, fd);

	if (queue->first && !waits)
		watch_queue(gate, helper);
	return r;
}

static void flush(struct lp_gate *gate, enum source helper)
{
	if (!queue_of(gate, helper)->first)
		return;
	lp_queue_flush(queue_of(gate, helper));
	watch_queue(gate, helper);
}

/* ---- starting ---- */

static void on_watchdog(int number)
{
	(void)number;
}

/* Its signal ends a call of ours with EINTR, again and again until it is told to stop. */
static int start_watchdog(struct lp_gate *gate)
{
	const struct sigaction action = {.sa_handler = on_watchdog};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMAX};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMAX);
	if (sigaction(SIGRTMAX, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) < 0 ||
		timer_create(CLOCK_MONOTONIC, &event, &gate->watchdog) < 0)
		return -errno;
	gate->has_watchdog = true;
	return 0;
}

/* A child that wait(2) does not see, and that the end of this process ends. */
static pid_t fork_helper(const char *name)
{
	pid_t parent = getpid(), pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);

	if (pid == 0) {
		prctl(PR_SET_NAME, name, 0, 0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

static int start_helpers(struct lp_gate *gate, int between[2])
{
	int proxy[2], resolver[2], flags = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
	pid_t pid;

	if (socketpair(AF_UNIX, flags, 0, between) < 0 ||
		socketpair(AF_UNIX, flags, 0, proxy) < 0 ||
		socketpair(AF_UNIX, flags, 0, resolver) < 0)
		return -errno;
	gate->proxy.socket = proxy[0];
	gate->resolver.socket = resolver[0];
	pid = fork_helper("landpen-resolve");
	if (pid == 0)
		_exit(lp_resolver_run(gate->policy, resolver[1], between[1]));
	close(resolver[1]);
	close(between[1]);
	if (pid > 0)
		pid = fork_helper("landpen-proxy");
	if (pid == 0)
		_exit(lp_proxy_run(gate->policy, proxy[1], between[0]));
	close(proxy[1]);
	close(between[0]);
	return pid < 0 ? -errno : 0;
}

static int open_gate(struct lp_gate *gate)
{
	int between[2], r;

	gate->epoll = epoll_create1(EPOLL_CLOEXEC);
	gate->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (gate->epoll < 0 || gate->timer < 0)
		return -errno;
	r = start_helpers(gate, between);
	if (r == 0)
		r = start_watchdog(gate);
	if (r == 0)
		r = watch(gate, gate->place.tcp, EPOLLIN, SOURCE_TCP);
	if (r == 0)
		r = watch(gate, gate->proxy.socket, EPOLLIN, SOURCE_PROXY);
	if (r == 0)
		r = watch(gate, gate->resolver.socket, EPOLLIN, SOURCE_RESOLVER);
	if (r == 0)
		r = watch(gate, gate->timer, EPOLLIN, SOURCE_TIMER);
	return r;
}

int lp_gate_start(const struct lp_gate_order *order, struct lp_gate **ret_gate, struct lp_err *err)
{
	LP_CLEANUP(lp_gate_freep) struct lp_gate *gate = calloc(1, sizeof(*gate));
	int r;

	if (!gate)
		return lp_fail(err, ENOMEM, "%m");
	*gate = (struct lp_gate){.policy = order->policy,
		.plan = order->plan,
		.place = order->place,
		.epoll = -1,
		.timer = -1,
		.listener = -1,
		.proxy.socket = -1,
		.resolver.socket = -1,
		.report = order->report};
	r = open_gate(gate);
	if (r < 0)
		return lp_fail(err, -r, "starting the gate: %m");
	*ret_gate = LP_TAKE(gate);
	return 0;
}

void lp_gate_listen(struct lp_gate *gate, int listener)
{
	gate->listener = listener;
}

int lp_gate_events(const struct lp_gate *gate)
{
	return gate->epoll;
}

void lp_gate_freep(struct lp_gate **at)
{
	struct lp_gate *gate = *at;

	if (!gate)
		return;
	lp_queue_clear(&gate->proxy);
	lp_queue_clear(&gate->resolver);
	lp_pending_clear(gate);
	if (gate->has_watchdog)
		timer_delete(gate->watchdog);
	lp_names_clear(&gate->names);
	lp_local_clear(&gate->local);
	lp_copies_clear(&gate->copies);
	lp_callers_forget(gate);
	lp_closep(&gate->epoll);
	lp_closep(&gate->timer);
	lp_closep(&gate->proxy.socket);
	lp_closep(&gate->resolver.socket);
	lp_closep(&gate->place.tcp);
	free(gate);
	*at = NULL;
}

/* ---- what the helpers tell ---- */

void lp_gate_hear_names(struct lp_gate *gate)
{
	struct lp_packet packet;

	for (;;) {
		lp_autoclose int fd = -1;
		int r = lp_packet_receive(gate->resolver.socket, &packet, &fd);

		if (r == 0 || (r < 0 && r != -EAGAIN && r != -EPROTO))
			epoll_ctl(gate->epoll, EPOLL_CTL_DEL, gate->resolver.socket, NULL);
		if (r <= 0)
			return;
		if (packet.kind == LP_PACKET_NAME)
			lp_names_add(&gate->names, &packet.addresses[0], packet.host);
		else if (packet.kind == LP_PACKET_DENIED)
			lp_report_add(gate->report, &(struct lp_refusal){LP_REFUSAL_HOST,
							    packet.host, 0, packet.program});
	}
}

/* A socket that is connected to path, which has no symlinks; or -errno. */
static int connect_path(const char *path)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	lp_autoclose int place = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	lp_autoclose int fd = -1;

	if (place < 0)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return LP_TAKE_FD(fd);
}

/* To the proxy beyond that the settings name: the path is theirs, the proxy says only when. */
static void connect_beyond(struct lp_gate *gate, uint32_t id)
{
	const char *path = gate->policy->upstream_mitm.socket;
	struct lp_packet packet = {.kind = LP_PACKET_SOCKET, .id = id};
	int fd;

	if (!path)
		return;
	fd = connect_path(path);
	if (fd < 0)
		packet.error = (uint32_t)-fd;
	lp_gate_send(gate, SOURCE_PROXY, &packet, fd < 0 ? -1 : fd);
	if (fd >= 0)
		close(fd);
}

static void hear_proxy(struct lp_gate *gate)
{
	struct lp_packet packet;

	for (;;) {
		lp_autoclose int fd = -1;
		int r = lp_packet_receive(gate->proxy.socket, &packet, &fd);

		if (r == 0 || (r < 0 && r != -EAGAIN && r != -EPROTO))
			epoll_ctl(gate->epoll, EPOLL_CTL_DEL, gate->proxy.socket, NULL);
		if (r <= 0)
			return;
		if (packet.kind == LP_PACKET_UNIX)
			connect_beyond(gate, packet.id);
		else if (packet.kind == LP_PACKET_DENIED)
			lp_report_add(gate->report,
				&(struct lp_refusal){lp_host_is_loopback(packet.host)
							     ? LP_REFUSAL_LOCAL
							     : LP_REFUSAL_HOST,
					packet.host, packet.port, packet.program,
					strcmp(packet.reason, LP_REASON_UNLISTED) ? packet.reason
										  : NULL});
	}
}

/* ---- the calls ---- */

/*
 * A UDP socket: one end of a pair whose other end is the resolver's. SOCK_SEQPACKET, because a
 * datagram socket could be sent elsewhere by sendto(2); this one ignores the address.
 */
static int give_resolver(struct caller *caller)
{
	struct lp_gate *gate = caller->gate;
	struct lp_packet packet = {.kind = LP_PACKET_QUERIES};
	int type = (int)caller->call.args[1], protocol = (int)caller->call.args[2], pair[2], r;

	if (protocol && protocol != IPPROTO_UDP)
		return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? -EACCES
									      : -EPROTONOSUPPORT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (type & SOCK_NONBLOCK)
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	lp_caller_program(caller, packet.program);
	r = lp_gate_send(gate, SOURCE_RESOLVER, &packet, pair[1]);
	if (r == 0) {
		if (gate->plan->filter & LP_FILTER_SOCKETS)
			lp_copies_note(&gate->copies, pair[0]);
		r = lp_notify_give(gate->listener, caller->call.id, pair[0], type & SOCK_CLOEXEC);
		if (r >= 0) /* else the caller has no room, or is gone */
			r = LP_ANSWER_LATER;
	}
	close(pair[0]);
	close(pair[1]);
	return r;
}

/* A UDP socket is the resolver's end of a pair; others come here only to be copied. */
static int make_socket(struct caller *caller)
{
	int family = (int)caller->call.args[0], type = (int)caller->call.args[1] & SOCK_TYPE_MASK;

	if ((family == AF_INET || family == AF_INET6) && type == SOCK_DGRAM)
		return give_resolver(caller);
	return lp_copies_make(caller);
}

static int decide(struct caller *caller)
{
	int r = lp_caller_socket(caller);

	if (r == 0 && caller->call.call != SYS_listen)
		r = lp_caller_address(caller);
	/* else what was fetched may be another process's, that has the same number now */
	if (r == 0 && !lp_notify_is_valid(caller->gate->listener, caller->call.id))
		r = -EINTR;
	if (r < 0)
		return r;
	if (caller->call.call == SYS_listen)
		return lp_local_listen(caller);
	if (caller->call.call == SYS_bind)
		return lp_local_bind(caller);
	switch (caller->domain) {
	case AF_INET:
	case AF_INET6:
		return lp_connect_ip(caller);
	case AF_UNIX:
		return lp_connect_unix(caller);
	case AF_NETLINK: /* to the kernel: other addresses are other processes */
		if (((struct sockaddr_nl *)&caller->address)->nl_pid)
			return -EPERM;
		return connect(caller->fd, &caller->address.any, caller->length) < 0 ? -errno : 0;
	default:
		return -EACCES;
	}
}

/* Nothing is decided about it, so it may go on. */
static void receive(struct caller *caller)
{
	int listener = caller->gate->listener, r = lp_datagram_receive(caller);

	lp_closep(&caller->fd);
	if (r == LP_GO_ON)
		lp_notify_continue(listener, caller->call.id);
	else
		lp_notify_answer(listener, caller->call.id, r);
}

bool lp_gate_serves(const struct lp_notification *call)
{
	static const int calls[] = {SYS_connect, SYS_socket, SYS_bind, SYS_listen, SYS_recvfrom};

	for (size_t i = 0; i < LP_ARRAY_SIZE(calls); i++)
		if (calls[i] == call->call)
			return true;
	return false;
}

void lp_gate_call(struct lp_gate *gate, const struct lp_notification *call)
{
	struct caller caller = {.gate = gate, .call = *call, .fd = -1, .file = -1};
	int r;

	if (caller.call.call == SYS_recvfrom) {
		receive(&caller);
		return;
	}
	r = caller.call.call == SYS_socket ? make_socket(&caller) : decide(&caller);
	if (caller.fd >= 0 && caller.call.call != SYS_bind && (r == 0 || r == -EINPROGRESS))
		lp_copies_let_go(&gate->copies, caller.fd);
	lp_closep(&caller.fd);
	lp_closep(&caller.file);
	if (r != LP_ANSWER_LATER)
		lp_notify_answer(gate->listener, caller.call.id, r);
}

static void serve_one(struct lp_gate *gate, const struct epoll_event *event)
{
	uint64_t ticks;

	switch ((enum source)event->data.u64) {
	case SOURCE_TCP:
		lp_pending_accept(gate);
		break;
	case SOURCE_PROXY:
		hear_proxy(gate);
		flush(gate, SOURCE_PROXY);
		break;
	case SOURCE_RESOLVER:
		lp_gate_hear_names(gate);
		flush(gate, SOURCE_RESOLVER);
		break;
	case SOURCE_TIMER:
		if (read(gate->timer, &ticks, sizeof(ticks)) < 0)
			break;
		flush(gate, SOURCE_PROXY);
		flush(gate, SOURCE_RESOLVER);
		lp_pending_tick(gate);
		break;
	default:
		break;
	}
}

void lp_gate_serve(struct lp_gate *gate)
{
	struct epoll_event events[16];
	int count = epoll_wait(gate->epoll, events, LP_ARRAY_SIZE(events), 0);

	for (int i = 0; i < count; i++)
		serve_one(gate, &events[i]);
}
