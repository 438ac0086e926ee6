/*
 * The proxy's questions. It has asked the policy itself and wants the real addresses.
 *
 * Runs in the resolver. The host names may be the agent's text. A proxy that is behind has its
 * answers kept, and is not read from while there are many.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "resolver/parts.h"

#define PACKETS_A_TURN 64

struct lp_proxy_answer {
	struct lp_proxy_answer *next;
	struct lp_packet packet;
};

/* Sends what is kept; says whether the proxy's socket is good for more. */
static void flush(struct lp_resolver *resolver)
{
	struct lp_proxy_answer *answer;
	uint32_t events;

	while ((answer = resolver->answers)) {
		int r = lp_packet_send(resolver->proxy.fd, &answer->packet, -1);

		if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM)
			break;
		/* a proxy that is gone is not waited for: the gate ends the run */
		resolver->answers = answer->next;
		resolver->proxy_waiting--;
		free(answer);
	}
	if (resolver->proxy.fd < 0)
		return;
	events = resolver->proxy_waiting < LP_PROXY_WAITING_MAX ? EPOLLIN : 0;
	lp_watch_set(resolver, &resolver->proxy, resolver->answers ? events | EPOLLOUT : events);
}

static void send_answer(struct lp_resolver *resolver, uint32_t id, const char *host,
	const struct lp_lookup *lookup, uint32_t error)
{
	struct lp_proxy_answer *answer = calloc(1, sizeof(*answer));

	/* without memory the proxy's own time limit has to do */
	if (!answer) {
		resolver->proxy_waiting--;
		return;
	}
	answer->packet.kind = LP_PACKET_ADDRESSES;
	answer->packet.id = id;
	answer->packet.error = error;
	memcpy(answer->packet.host, host, strlen(host) + 1);
	if (lookup && !error) {
		answer->packet.count = lookup->count;
		memcpy(answer->packet.addresses, lookup->addresses,
			lookup->count * sizeof(*lookup->addresses));
	}
	*(resolver->answers ? &resolver->answers_last->next : &resolver->answers) = answer;
	resolver->answers_last = answer;
}

void lp_proxy_answer(
	struct lp_resolver *resolver, struct lp_request *request, const struct lp_lookup *lookup)
{
	send_answer(resolver, request->id, lookup->host, lookup, lookup->error);
	free(request);
	flush(resolver);
}

static int look_up(struct lp_resolver *resolver, const struct lp_packet *packet, const char *host)
{
	struct lp_request *request = calloc(1, sizeof(*request));
	const struct lp_lookup *lookup;
	int r;

	if (!request)
		return -ENOMEM;
	request->id = packet->id;
	r = lp_lookup_want(resolver, host, request, &lookup);
	if (r == 0)
		send_answer(resolver, packet->id, packet->host, lookup, lookup->error);
	if (r <= 0)
		free(request);
	return r < 0 ? r : 0;
}

static void answer_packet(struct lp_resolver *resolver, const struct lp_packet *packet)
{
	char host[LP_HOST_SIZE];
	int r = -EINVAL;

	resolver->proxy_waiting++;
	/* canonical already; one that is not cannot have come from the proxy's own checks */
	if (!lp_host_canonical(packet->host, strlen(packet->host), host) &&
		!strcmp(host, packet->host) && host[0] != '-')
		r = look_up(resolver, packet, host);
	if (r < 0)
		send_answer(
			resolver, packet->id, packet->host, NULL, r == -EINVAL ? ENOENT : EAGAIN);
}

void lp_proxy_ready(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events)
{
	struct lp_packet packet;

	(void)events;
	for (unsigned i = 0; i < PACKETS_A_TURN && resolver->proxy_waiting < LP_PROXY_WAITING_MAX;
		i++) {
		int fd = -1, r = lp_packet_receive(watch->fd, &packet, &fd);

		lp_closep(&fd);
		if (r == 1 && packet.kind == LP_PACKET_LOOKUP)
			answer_packet(resolver, &packet);
		if (r == 0 || (r < 0 && r != -EAGAIN && r != -EPROTO)) {
			lp_watch_close(resolver, watch);
			break;
		}
		if (r == -EAGAIN)
			break;
	}
	flush(resolver);
}
