/*
 * What is not done when a call has been decided: connections between connect() and the proxy, and
 * blocking callers whose connection is not there yet.
 *
 * Runs in the supervisor. A TCP connection of the command is made to a port of the gate's own,
 * which tells strangers from announced connections by their source, and hands the accepted end to
 * the proxy together with what the command meant. So nobody else on the machine can use the proxy.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "gate/parts.h"

#define ARRIVAL_TIMEOUT_MS 10000
#define WAITERS_MAX        1024
#define RETRY_MS           20
#define TICK_MS            5  /* spent on those who wait, before others have their turn */
#define ROUNDS             64 /* accepted at once, before others have their turn */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- connections on their way to the proxy ---- */

static bool read_place(const union address *address, socklen_t length,
	struct lp_address *ret_address, unsigned *ret_port)
{
	struct caller caller = {.address = *address, .length = length};

	return lp_caller_ip(&caller, ret_address, ret_port);
}

static struct arrival *take_arrival(
	struct lp_gate *gate, const struct lp_address *from, unsigned port)
{
	for (struct arrival **at = &gate->arrivals; *at; at = &(*at)->next) {
		struct arrival *arrival = *at;

		if (arrival->port != port || memcmp(&arrival->from, from, sizeof(*from)))
			continue;
		*at = arrival->next;
		return arrival;
	}
	return NULL;
}

/* Accepts what is there; strangers are closed at once. */
void lp_pending_accept(struct lp_gate *gate)
{
	/* without an arrival there can only be strangers: the next event is soon enough for more */
	for (int i = 0; i < ROUNDS && (!i || gate->arrivals); i++) {
		union address address;
		socklen_t length = sizeof(address.storage);
		lp_autoclose int fd = accept4(
			gate->place.tcp, &address.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct lp_address from;
		unsigned port;
		lp_autofree struct arrival *arrival = NULL;

		if (fd < 0)
			return;
		if (!read_place(&address, length, &from, &port))
			continue;
		arrival = take_arrival(gate, &from, port);
		if (!arrival)
			continue;
		lp_gate_send(gate, arrival->to_resolver ? SOURCE_RESOLVER : SOURCE_PROXY,
			&arrival->packet, fd);
	}
}

/* Both from now on; zero: never. */
static bool comes_sooner(const struct timespec *a, const struct timespec *b)
{
	if (!a->tv_sec && !a->tv_nsec)
		return false;
	return a->tv_sec == b->tv_sec ? a->tv_nsec <= b->tv_nsec : a->tv_sec < b->tv_sec;
}

void lp_pending_set_timer(const struct lp_gate *gate)
{
	long ms = gate->arrivals ? ARRIVAL_TIMEOUT_MS : 0;
	struct itimerspec spec = {0}, now;

	if (gate->waiters || (gate->proxy.first && gate->proxy.is_held_up) ||
		(gate->resolver.first && gate->resolver.is_held_up))
		ms = RETRY_MS;
	spec.it_value = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	/* never later than it is set already: who comes new must not delay those who wait */
	if (ms && timerfd_gettime(gate->timer, &now) == 0 &&
		comes_sooner(&now.it_value, &spec.it_value))
		return;
	timerfd_settime(gate->timer, 0, &spec, NULL);
}

int lp_pending_announce(struct caller *caller, const struct lp_packet *packet, bool to_resolver)
{
	struct lp_gate *gate = caller->gate;
	union address address;
	socklen_t length = sizeof(address.storage);
	struct arrival *arrival = malloc(sizeof(*arrival));

	if (!arrival)
		return -ENOMEM;
	*arrival = (struct arrival){.packet = *packet,
		.to_resolver = to_resolver,
		.deadline = now_ms() + ARRIVAL_TIMEOUT_MS,
		.next = gate->arrivals};
	if (getsockname(caller->fd, &address.any, &length) < 0 ||
		!read_place(&address, length, &arrival->from, &arrival->port)) {
		free(arrival);
		return -ECONNABORTED;
	}
	gate->arrivals = arrival;
	lp_pending_accept(gate);
	if (gate->arrivals) /* seldom: the kernel was slower than we are */
		lp_pending_set_timer(gate);
	return 0;
}

static void forget_late_arrivals(struct lp_gate *gate)
{
	int64_t now = now_ms();

	for (struct arrival **at = &gate->arrivals; *at;) {
		struct arrival *arrival = *at;

		if (arrival->deadline > now) {
			at = &arrival->next;
			continue;
		}
		*at = arrival->next;
		free(arrival);
	}
}

/* ---- blocking callers that wait ---- */

/* When SO_SNDTIMEO ends the wait; 0: never. */
static int64_t find_deadline(int fd)
{
	struct timeval limit = {0};
	socklen_t size = sizeof(limit);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &size) < 0 ||
		(!limit.tv_sec && !limit.tv_usec))
		return 0;
	return now_ms() + (int64_t)limit.tv_sec * 1000 + limit.tv_usec / 1000;
}

int lp_pending_later(
	struct caller *caller, bool again, const struct sockaddr *address, socklen_t length)
{
	struct lp_gate *gate = caller->gate;
	struct waiter *waiter = gate->waiter_count < WAITERS_MAX ? malloc(sizeof(*waiter)) : NULL;

	if (!waiter)
		return -EAGAIN;
	*waiter = (struct waiter){.caller = *caller,
		.again = again,
		.deadline = find_deadline(caller->fd),
		.length = length,
		.next = gate->waiters};
	memcpy(&waiter->address, address, length);
	waiter->caller.fd = fcntl(caller->fd, F_DUPFD_CLOEXEC, 0);
	if (waiter->caller.fd < 0) {
		free(waiter);
		return -EAGAIN;
	}
	caller->file = -1;
	gate->waiters = waiter;
	gate->waiter_count++;
	lp_pending_set_timer(gate);
	return LP_ANSWER_LATER;
}

/* 1: still waiting; else what the call is answered with. */
static int look_again(struct waiter *waiter)
{
	struct caller *caller = &waiter->caller;
	struct pollfd polled = {.fd = caller->fd, .events = POLLOUT};
	int error = 0, flags;
	socklen_t size = sizeof(error);

	if (waiter->again) {
		flags = fcntl(caller->fd, F_GETFL);
		fcntl(caller->fd, F_SETFL, flags | O_NONBLOCK);
		error = lp_connect_briefly(caller->gate, caller->fd,
			(struct sockaddr *)&waiter->address, waiter->length);
		fcntl(caller->fd, F_SETFL, flags);
		return error == EAGAIN ? 1 : -error;
	}
	if (poll(&polled, 1, 0) != 1)
		return 1;
	return getsockopt(caller->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : -error;
}

/* As look_again; what a wait in the kernel would heed is heeded here. */
static int look_at(struct waiter *waiter)
{
	int r = look_again(waiter);

	if (r <= 0)
		return r;
	if (waiter->deadline && now_ms() >= waiter->deadline)
		return waiter->again ? -EAGAIN : -EINPROGRESS;
	r = lp_caller_signalled(&waiter->caller, !waiter->deadline);
	return r < 0 ? r : 1;
}

static void end_wait(struct lp_gate *gate, struct waiter **at, int r)
{
	struct waiter *waiter = *at;

	if (r == 0 || r == -EINPROGRESS)
		lp_copies_let_go(&gate->copies, waiter->caller.fd);
	lp_notify_answer(gate->listener, waiter->caller.call.id, r);
	*at = waiter->next;
	gate->waiter_count--;
	close(waiter->caller.fd);
	lp_closep(&waiter->caller.file);
	free(waiter);
}

/* Those from rest on are the first to be looked at next. */
static void turn(struct lp_gate *gate, struct waiter **at)
{
	struct waiter *rest = *at;

	if (!rest || rest == gate->waiters)
		return;
	*at = NULL;
	for (at = &rest->next; *at; at = &(*at)->next)
		;
	*at = gate->waiters;
	gate->waiters = rest;
}

static void serve_waiters(struct lp_gate *gate)
{
	const int64_t end = now_ms() + TICK_MS;
	struct waiter **at = &gate->waiters;

	while (*at && now_ms() <= end) {
		int r = lp_notify_is_valid(gate->listener, (*at)->caller.call.id) ? look_at(*at)
										  : -EINTR;

		if (r > 0)
			at = &(*at)->next;
		else
			end_wait(gate, at, r);
	}
	turn(gate, at);
}

void lp_pending_tick(struct lp_gate *gate)
{
	serve_waiters(gate);
	forget_late_arrivals(gate);
	lp_pending_set_timer(gate);
}

void lp_pending_clear(struct lp_gate *gate)
{
	while (gate->arrivals) {
		struct arrival *next = gate->arrivals->next;

		free(gate->arrivals);
		gate->arrivals = next;
	}
	while (gate->waiters) {
		struct waiter *next = gate->waiters->next;

		lp_closep(&gate->waiters->caller.fd);
		lp_closep(&gate->waiters->caller.file);
		free(gate->waiters);
		gate->waiters = next;
	}
}
