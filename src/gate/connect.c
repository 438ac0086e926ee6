/*
 * connect() on TCP sockets: to the proxy with a note of what was meant, to a server of the pen's
 * own, or not at all.
 *
 * Runs in the supervisor. The address is the caller's, copied once. Landlock's TCP rules do not
 * bind the supervisor, so what is connected here is connected because the policy says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "gate/parts.h"

#define DNS_PORT   53
#define BRIEFLY_NS 20000000

int lp_connect_briefly(
	const struct lp_gate *gate, int fd, const struct sockaddr *address, socklen_t length)
{
	const struct itimerspec limit = {{0, BRIEFLY_NS}, {0, BRIEFLY_NS}}, off = {{0}};
	int error;

	timer_settime(gate->watchdog, 0, &limit, NULL);
	error = connect(fd, address, length) < 0 ? errno : 0;
	timer_settime(gate->watchdog, 0, &off, NULL);
	if (error != EINTR)
		return error;
	return address->sa_family == AF_UNIX ? EAGAIN : EINPROGRESS;
}

int lp_connect_as(struct caller *caller, const struct sockaddr *address, socklen_t length)
{
	int flags = fcntl(caller->fd, F_GETFL), error;
	bool blocking = !(flags & O_NONBLOCK);
	socklen_t size = sizeof(error);
	struct pollfd polled = {.fd = caller->fd, .events = POLLOUT};

	/* the mode is the socket's, so the caller's: for a moment only */
	if (blocking)
		fcntl(caller->fd, F_SETFL, flags | O_NONBLOCK);
	error = lp_connect_briefly(caller->gate, caller->fd, address, length);
	if (blocking)
		fcntl(caller->fd, F_SETFL, flags);
	if (!blocking || !error)
		return -error;
	if (error == EAGAIN)
		return lp_pending_later(caller, true, address, length);
	if (error != EINPROGRESS && error != EALREADY)
		return -error;
	if (poll(&polled, 1, 0) == 1 &&
		getsockopt(caller->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
		return -error;
	return lp_pending_later(caller, false, address, length);
}

static int refuse(struct caller *caller, enum lp_refusal_kind kind, const char *host, unsigned port,
	const struct lp_host_rule *rule)
{
	char program[LP_PROGRAM_SIZE];

	lp_caller_program(caller, program);
	lp_report_add(caller->gate->report, &(struct lp_refusal){kind, host, port, program,
						    !rule          ? NULL
						    : rule->reason ? rule->reason
								   : "host is on the deny list"});
	return -EACCES;
}

static int connect_to_gate(struct caller *caller, struct lp_packet *packet, bool to_resolver)
{
	const int off = 0;
	union address address = {0};
	socklen_t length;
	int r;

	/* deferring the connection until data is sent would hide it from the proxy */
	setsockopt(caller->fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &off, sizeof(off));
	if (caller->domain == AF_INET) {
		address.in = (struct sockaddr_in){.sin_family = AF_INET,
			.sin_port = htons((uint16_t)caller->gate->place.port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		length = sizeof(address.in);
	} else {
		setsockopt(caller->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		address.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
			.sin6_port = htons((uint16_t)caller->gate->place.port),
			.sin6_addr = {.s6_addr = {[10] = 0xff, 0xff, 127, 0, 0, 1}}};
		length = sizeof(address.in6);
	}
	lp_caller_program(caller, packet->program);
	/* each connection is accepted before the next one is made */
	r = -lp_connect_briefly(caller->gate, caller->fd, &address.any, length);
	if (r == 0 || r == -EINPROGRESS) {
		int announced = lp_pending_announce(caller, packet, to_resolver);

		if (announced < 0)
			return announced;
	}
	/* seldom: strangers have filled the port's queue */
	if (r == -EINPROGRESS && !(fcntl(caller->fd, F_GETFL) & O_NONBLOCK))
		return lp_pending_later(caller, false, &address.any, length);
	return r;
}

static int connect_to_name(struct caller *caller, const char *host, unsigned port)
{
	struct lp_packet packet = {.kind = LP_PACKET_NAMED, .port = port};

	snprintf(packet.host, sizeof(packet.host), "%s", host);
	return connect_to_gate(caller, &packet, false);
}

static int connect_to_resolver(struct caller *caller)
{
	struct lp_packet packet = {.kind = LP_PACKET_STREAM, .port = DNS_PORT};

	return connect_to_gate(caller, &packet, true);
}

/*
 * Programs ask the machine's nameserver over TCP (RES_OPTIONS), and that may be a host which is
 * allowed: our resolver answers all the same, lest names leave and real addresses come. A DNS
 * server that is meant itself has a rule with its port.
 */
static bool may_connect(const struct lp_gate *gate, const char *host, unsigned port)
{
	struct lp_host_decision decision = lp_policy_may_connect(gate->policy, host, port);

	return decision.allowed &&
	       (port != DNS_PORT || decision.local || decision.rule->port == DNS_PORT);
}

static int connect_loopback(struct caller *caller, const struct lp_address *address, unsigned port)
{
	struct lp_gate *gate = caller->gate;
	const struct lp_address meant = lp_local_address(address);
	struct lp_packet packet = {.kind = LP_PACKET_EXPLICIT, .port = port};
	char host[LP_HOST_SIZE];

	if (port == gate->place.port)
		return connect_to_gate(caller, &packet, false);
	lp_address_print(&meant, host);
	if (lp_local_serves_port(&gate->local, &meant, port) || may_connect(gate, host, port)) {
		/* "any" would be where the socket is bound to: not what was decided on */
		lp_local_mean(caller, &meant);
		return lp_connect_as(caller, &caller->address.any, caller->length);
	}
	if (port == DNS_PORT) /* systemd-resolved and its like: ours answers for them */
		return connect_to_resolver(caller);
	/* as it would be without us: nothing was kept from it */
	if (lp_local_is_free(&gate->local, port))
		return -ECONNREFUSED;
	return refuse(caller, LP_REFUSAL_LOCAL, host, port,
		lp_policy_may_connect(gate->policy, host, port).rule);
}

static bool allows_some_name(const struct lp_policy *policy)
{
	for (size_t i = 0; i < policy->host_count; i++)
		if (policy->hosts[i].allow && !lp_host_is_address(policy->hosts[i].host, NULL))
			return true;
	return false;
}

/* An address that no look-up of ours gave out. */
static int connect_address(struct caller *caller, const struct lp_address *address, unsigned port)
{
	struct lp_gate *gate = caller->gate;
	struct lp_packet packet = {.kind = LP_PACKET_SNIFF, .port = port};
	struct lp_host_decision decision;
	const char *name;

	lp_address_print(address, packet.host);
	if (may_connect(gate, packet.host, port))
		return connect_to_name(caller, packet.host, port);
	decision = lp_policy_may_connect(gate->policy, packet.host, port);
	if (!decision.allowed && decision.rule)
		return refuse(caller, LP_REFUSAL_HOST, packet.host, port, decision.rule);
	name = lp_names_from_file(&gate->names, gate->policy, address, port);
	if (name && may_connect(gate, name, port))
		return connect_to_name(caller, name, port);
	if (port == DNS_PORT)
		return connect_to_resolver(caller);
	if (name)
		return refuse(caller, LP_REFUSAL_HOST, name, port,
			lp_policy_may_connect(gate->policy, name, port).rule);
	/* what the program says first may name a host: the proxy will see */
	if (allows_some_name(gate->policy))
		return connect_to_gate(caller, &packet, false);
	return refuse(caller, LP_REFUSAL_HOST, packet.host, port, NULL);
}

static int connect_stand_in(struct caller *caller, unsigned port)
{
	struct lp_gate *gate = caller->gate;
	struct lp_host_decision decision;
	struct lp_address address;
	const char *host;

	lp_caller_ip(caller, &address, &port);
	lp_gate_hear_names(gate);
	if (!lp_names_find(&gate->names, &address, &host) || !host)
		return -ECONNREFUSED;
	decision = lp_policy_may_connect(gate->policy, host, port);
	if (decision.allowed)
		return connect_to_name(caller, host, port);
	return refuse(caller, LP_REFUSAL_HOST, host, port, decision.rule);
}

int lp_connect_ip(struct caller *caller)
{
	struct lp_address address;
	const char *host;
	unsigned port;

	if (caller->address.any.sa_family == AF_UNSPEC) /* undoes a connection */
		return connect(caller->fd, &caller->address.any, caller->length) < 0 ? -errno : 0;
	if (!lp_caller_ip(caller, &address, &port))
		return -EINVAL;
	if (caller->address.any.sa_family != caller->domain)
		return -EAFNOSUPPORT;
	if (lp_address_is_loopback(&address) || lp_address_is_any(&address))
		return connect_loopback(caller, &address, port);
	if (lp_names_find(&caller->gate->names, &address, &host))
		return connect_stand_in(caller, port);
	return connect_address(caller, &address, port);
}
