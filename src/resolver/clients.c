/*
 * The agent's sockets: what it believes to be UDP (a packet is a message), and DNS over TCP.
 *
 * Runs in the resolver. The other end is the agent: it may send anything, at any speed, and never
 * read. Nothing blocks; a client with too many questions is not read from until they are answered,
 * one that does not read loses its answers or, on a stream, its connection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/parts.h"

#define PACKETS_A_TURN 16
#define FRAME_MAX      (2 + LP_DNS_QUERY_MAX)
#define OUT_MAX        8192

/* ---- the list, oldest use first -------------------------------------------------------------- */

static void unlink_client(struct lp_resolver *resolver, struct lp_client *client)
{
	*(client->older ? &client->older->newer : &resolver->oldest) = client->newer;
	*(client->newer ? &client->newer->older : &resolver->newest) = client->older;
}

static void link_newest(struct lp_resolver *resolver, struct lp_client *client)
{
	client->older = resolver->newest;
	client->newer = NULL;
	*(client->older ? &client->older->newer : &resolver->oldest) = client;
	resolver->newest = client;
}

/* It is freed by lp_clients_resume, when nobody holds it. */
static void close_client(struct lp_resolver *resolver, struct lp_client *client)
{
	if (client->is_closed)
		return;
	lp_watch_close(resolver, &client->watch);
	unlink_client(resolver, client);
	resolver->client_count--;
	client->is_closed = true;
	client->older = NULL;
	client->newer = resolver->closed;
	resolver->closed = client;
}

static void close_oldest(struct lp_resolver *resolver)
{
	struct lp_client *client = resolver->oldest;

	while (client && client->waiting)
		client = client->newer;
	close_client(resolver, client ? client : resolver->oldest);
}

static void wake(struct lp_resolver *resolver, struct lp_client *client)
{
	if (client->is_woken || client->is_closed)
		return;
	client->is_woken = true;
	client->next_woken = resolver->woken;
	resolver->woken = client;
}

static bool is_full(const struct lp_client *client)
{
	return client->waiting >= LP_CLIENT_WAITING_MAX;
}

static void watch_client(struct lp_resolver *resolver, struct lp_client *client)
{
	uint32_t events = client->out_len ? EPOLLOUT : 0;

	if (client->is_closed)
		return;
	if (client->is_ended && !client->waiting && !client->out_len) {
		close_client(resolver, client);
		return;
	}
	if (!client->is_ended && !is_full(client))
		events |= EPOLLIN;
	if (lp_watch_set(resolver, &client->watch, events) < 0)
		close_client(resolver, client);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void keep(
	struct lp_resolver *resolver, struct lp_client *client, const uint8_t *buf, size_t len)
{
	if (!client->out)
		client->out = malloc(OUT_MAX);
	if (!client->out || len > OUT_MAX - client->out_len) {
		close_client(resolver, client);
		return;
	}
	memcpy(client->out + client->out_len, buf, len);
	client->out_len += len;
}

/* Idle clients have none. */
static void free_buffer(uint8_t **buffer)
{
	free(*buffer);
	*buffer = NULL;
}

static ssize_t send_some(int fd, const uint8_t *buf, size_t len)
{
	ssize_t n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return 0;
	return n;
}

static void send_frame(
	struct lp_resolver *resolver, struct lp_client *client, const uint8_t *buf, size_t len)
{
	uint8_t frame[2 + LP_DNS_ANSWER_MAX] = {(uint8_t)(len >> 8), (uint8_t)len};
	ssize_t n = 0;

	memcpy(frame + 2, buf, len);
	len += 2;
	if (!client->out_len)
		n = send_some(client->watch.fd, frame, len);
	if (n < 0)
		close_client(resolver, client);
	else if ((size_t)n < len)
		keep(resolver, client, frame + n, len - (size_t)n);
}

void lp_client_send(
	struct lp_resolver *resolver, struct lp_client *client, const uint8_t *buf, size_t len)
{
	if (client->is_closed)
		return;
	if (client->is_stream)
		send_frame(resolver, client, buf, len);
	else if (send_some(client->watch.fd, buf, len) < 0)
		close_client(resolver, client);
	wake(resolver, client);
}

static void send_kept(struct lp_resolver *resolver, struct lp_client *client)
{
	ssize_t n = send_some(client->watch.fd, client->out, client->out_len);

	if (n < 0) {
		close_client(resolver, client);
		return;
	}
	client->out_len -= (size_t)n;
	memmove(client->out, client->out + n, client->out_len);
	if (!client->out_len)
		free_buffer(&client->out);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* An empty packet and the end look alike: the end also shows in events. */
static void read_packets(struct lp_resolver *resolver, struct lp_client *client, uint32_t events)
{
	uint8_t buf[LP_DNS_QUERY_MAX];

	for (unsigned i = 0; i < PACKETS_A_TURN && !client->is_closed && !is_full(client); i++) {
		ssize_t n = recv(client->watch.fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			close_client(resolver, client);
			return;
		}
		if (n == 0 && events & (EPOLLHUP | EPOLLRDHUP)) {
			client->is_ended = true;
			return;
		}
		lp_answer_query(
			resolver, client, buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf));
	}
}

/* Answers the whole messages that the buffer holds. */
static void take_frames(struct lp_resolver *resolver, struct lp_client *client)
{
	size_t at = 0, len = 0;
	int r = 0;

	while (!client->is_closed && !is_full(client)) {
		r = lp_dns_frame(client->in + at, client->in_len - at, &len);
		if (r <= 0)
			break;
		lp_answer_query(resolver, client, client->in + at + 2, len);
		at += 2 + len;
	}
	client->in_len -= at;
	memmove(client->in, client->in + at, client->in_len);
	if (!client->in_len)
		free_buffer(&client->in);
	if (r < 0)
		close_client(resolver, client);
}

static void read_stream(struct lp_resolver *resolver, struct lp_client *client)
{
	ssize_t n;

	if (client->in_len)
		take_frames(resolver, client);
	if (client->is_closed || client->in_len == FRAME_MAX)
		return;
	if (!client->in)
		client->in = malloc(FRAME_MAX);
	if (!client->in) {
		close_client(resolver, client);
		return;
	}
	n = recv(client->watch.fd, client->in + client->in_len, FRAME_MAX - client->in_len,
		MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		close_client(resolver, client);
	else if (n == 0)
		client->is_ended = true;
	else
		client->in_len += (size_t)n;
	if (!client->is_closed)
		take_frames(resolver, client);
}

static void client_ready(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events)
{
	struct lp_client *client = (struct lp_client *)watch;

	if (client->is_closed)
		return;
	unlink_client(resolver, client);
	link_newest(resolver, client);
	if (events & EPOLLOUT && client->out_len)
		send_kept(resolver, client);
	if (events & EPOLLIN && !client->is_ended && !client->is_closed && !is_full(client)) {
		if (client->is_stream)
			read_stream(resolver, client);
		else
			read_packets(resolver, client, events);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		/* nobody is left to answer to */
		close_client(resolver, client);
	}
	watch_client(resolver, client);
}

/* ---- what the rest calls --------------------------------------------------------------------- */

void lp_client_add(struct lp_resolver *resolver, int socket, const char *program, bool is_stream)
{
	struct lp_client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(socket);
		return;
	}
	client->watch = (struct lp_watch){.fd = socket, .ready = client_ready};
	client->is_stream = is_stream;
	snprintf(client->program, sizeof(client->program), "%s", program);
	link_newest(resolver, client);
	if (++resolver->client_count > resolver->client_max)
		close_oldest(resolver);
	watch_client(resolver, client);
}

void lp_client_release(struct lp_resolver *resolver, struct lp_client *client)
{
	client->waiting--;
	wake(resolver, client);
}

static void free_closed(struct lp_resolver *resolver)
{
	struct lp_client **at = &resolver->closed;

	while (*at) {
		struct lp_client *client = *at;

		if (client->waiting) {
			at = &client->newer;
			continue;
		}
		*at = client->newer;
		free(client->in);
		free(client->out);
		free(client);
	}
}

void lp_clients_resume(struct lp_resolver *resolver)
{
	struct lp_client *client, *woken = resolver->woken;

	resolver->woken = NULL;
	while ((client = woken)) {
		woken = client->next_woken;
		client->is_woken = false;
		if (client->is_closed)
			continue;
		if (client->in_len)
			take_frames(resolver, client);
		watch_client(resolver, client);
	}
	/* those that were woken again may be closed by now, and are skipped next time */
	if (!resolver->woken)
		free_closed(resolver);
}
