/*
 * From a host and a port to a connected socket: the look-up, the address guard (srt contract 4.4),
 * one attempt after the other, and the tunnel through the proxy beyond where there is one: by
 * CONNECT, or by SOCKS5 (RFC 1928). One on a unix socket is connected to by the gate, since this
 * process knows no paths.
 *
 * Runs in the proxy. Hostile: the host, the addresses it leads to, and what the proxy beyond says.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/parts.h"

#define DIAL_MS    30000
#define ATTEMPT_MS 3000
#define OWN_MS     3000

/* ---- addresses --------------------------------------------------------------------------------
 */

static bool from_sockaddr(const struct sockaddr *from, struct lp_address *ret_address)
{
	struct lp_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (!from)
		return false;
	if (from->sa_family == AF_INET)
		memcpy(address.bytes + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	else if (from->sa_family == AF_INET6)
		memcpy(address.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	else
		return false;
	*ret_address = address;
	return true;
}

/* -errno if they cannot be read, and then nothing is dialled. */
static int read_own(struct lp_proxy *proxy)
{
	struct ifaddrs *list;

	if (proxy->own_read && proxy->now - proxy->own_read < OWN_MS)
		return 0;
	if (getifaddrs(&list) < 0)
		return -errno;
	proxy->own_count = 0;
	for (struct ifaddrs *at = list; at && proxy->own_count < LP_OWN_MAX; at = at->ifa_next)
		if (from_sockaddr(at->ifa_addr, &proxy->own[proxy->own_count]))
			proxy->own_count++;
	freeifaddrs(list);
	proxy->own_read = proxy->now;
	return 0;
}

/* Keeps the addresses that may be dialled. NULL, or why there are none left, and the first. */
static const char *guard(
	struct lp_proxy *proxy, struct lp_hand *hand, struct lp_address *ret_refused)
{
	const char *what = NULL;
	size_t kept = 0;

	*ret_refused = hand->addresses[0];
	for (size_t i = 0; i < hand->count; i++) {
		const char *refused = lp_policy_refuses_address(proxy->policy, hand->host,
			hand->port, &hand->addresses[i], proxy->own, proxy->own_count);

		if (!refused)
			hand->addresses[kept++] = hand->addresses[i];
		else if (!what)
			what = refused;
	}
	hand->count = kept;
	return kept ? NULL : what;
}

/* ---- attempts ---------------------------------------------------------------------------------
 */

/* Starts connect(). 0, or -errno. */
static int attempt(struct lp_proxy *proxy, struct lp_conn *conn, const struct lp_address *address,
	unsigned port)
{
	bool ipv4 = lp_address_is_ipv4(address);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct lp_side *server = &conn->side[LP_SERVER];
	int r;

	memcpy(&in.sin_addr, address->bytes + 12, 4);
	memcpy(&in6.sin6_addr, address->bytes, 16);
	server->fd =
		socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->fd < 0)
		return -errno;
	r = ipv4 ? connect(server->fd, (const struct sockaddr *)&in, sizeof(in))
		 : connect(server->fd, (const struct sockaddr *)&in6, sizeof(in6));
	if (r < 0 && errno != EINPROGRESS)
		return -errno;
	return lp_conn_register(proxy, conn, LP_SERVER);
}

static void try_next(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	unsigned port = hand->upstream ? hand->upstream->port : hand->port;

	lp_conn_close_server(proxy, conn);
	while (hand->next < hand->count && proxy->now < hand->dial_deadline) {
		int r = attempt(proxy, conn, &hand->addresses[hand->next++], port);
		int64_t left = hand->dial_deadline - proxy->now;

		if (r == 0) {
			bool last = hand->next == hand->count;

			conn->state = LP_STATE_DIAL;
			lp_conn_set_deadline(
				proxy, conn, last || left < ATTEMPT_MS ? left : ATTEMPT_MS);
			return;
		}
		hand->error = -r;
		lp_conn_close_server(proxy, conn);
	}
	lp_answer_unreachable(proxy, conn, hand->error ? hand->error : ETIMEDOUT);
}

static int ask_by_socks(const struct lp_hand *hand, struct lp_buffer *out)
{
	static const uint8_t greeting[] = {5, 1, LP_SOCKS_NO_AUTH};
	const uint8_t head[] = {5, LP_SOCKS_CONNECT, 0, LP_SOCKS_NAME, (uint8_t)strlen(hand->host)};
	const uint8_t port[] = {(uint8_t)(hand->port >> 8), (uint8_t)hand->port};
	int r = lp_buffer_add(out, greeting, sizeof(greeting));

	if (r == 0)
		r = lp_buffer_add(out, head, sizeof(head));
	if (r == 0)
		r = lp_buffer_add_text(out, hand->host);
	return r < 0 ? r : lp_buffer_add(out, port, sizeof(port));
}

static int ask_by_connect(const struct lp_hand *hand, struct lp_buffer *out)
{
	int r = lp_buffer_add_text(out, "CONNECT ");

	for (int i = 0; r == 0 && i < 2; i++) {
		r = lp_forward_authority(out, hand->host, hand->port, false);
		if (r == 0)
			r = lp_buffer_add_text(out, i ? "\r\n" : " HTTP/1.1\r\nHost: ");
	}
	if (r == 0 && hand->upstream->authorization)
		r = lp_buffer_addf(
			out, "Proxy-Authorization: %s\r\n", hand->upstream->authorization);
	return r < 0 ? r : lp_buffer_add_text(out, "\r\n");
}

static void open_tunnel(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	int r = hand->upstream->socks ? ask_by_socks(hand, &hand->server_out)
				      : ask_by_connect(hand, &hand->server_out);

	if (r < 0) {
		lp_conn_end(proxy, conn, true);
		return;
	}
	lp_conn_set_deadline(proxy, conn, DIAL_MS);
	conn->state = LP_STATE_UPSTREAM;
}

void lp_dial_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_side *server = &conn->side[LP_SERVER];
	struct lp_hand *hand = conn->hand;
	socklen_t len = sizeof(hand->error);
	int error = 0;

	if (!server->writable && !server->failed)
		return;
	if (getsockopt(server->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error || server->failed) {
		hand->error = error ? error : ECONNREFUSED;
		try_next(proxy, conn);
		return;
	}
	if (hand->upstream && hand->style != LP_STYLE_PLAIN)
		open_tunnel(proxy, conn);
	else
		lp_client_connected(proxy, conn);
}

/* OK: the tunnel is open, behind so many bytes. */
static enum lp_parse connect_answer(const struct lp_buffer *in, size_t *ret_size)
{
	struct lp_http_head head;
	enum lp_parse r = lp_http_response(lp_buffer_bytes(in), in->len, &head);

	if (r == LP_PARSE_OK && head.status / 100 != 2)
		return LP_PARSE_BAD;
	*ret_size = r == LP_PARSE_OK ? head.size : 0;
	return r;
}

void lp_upstream_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_side *server = &conn->side[LP_SERVER];
	struct lp_hand *hand = conn->hand;
	enum lp_parse r = LP_PARSE_MORE;
	size_t size = 0;
	ssize_t n = lp_side_flush(server, &hand->server_out);

	if (n == 0) {
		do {
			n = lp_side_fill(server, &hand->server_in, LP_HTTP_HEAD_MAX);
		} while (n > 0);
		r = hand->upstream->socks ? lp_socks_answers(lp_buffer_bytes(&hand->server_in),
						    hand->server_in.len, &size)
					  : connect_answer(&hand->server_in, &size);
	}
	if (r == LP_PARSE_MORE && n == -EAGAIN && hand->server_in.len < LP_HTTP_HEAD_MAX)
		return;
	if (r == LP_PARSE_OK) {
		lp_buffer_drop(&hand->server_in, size);
		lp_client_connected(proxy, conn);
		return;
	}
	lp_answer_unreachable(proxy, conn, ECONNREFUSED);
}

void lp_dial_timeout(struct lp_proxy *proxy, struct lp_conn *conn)
{
	conn->hand->error = ETIMEDOUT;
	if (conn->state == LP_STATE_DIAL)
		try_next(proxy, conn);
	else
		lp_answer_unreachable(proxy, conn, ETIMEDOUT);
}

/* ---- names ------------------------------------------------------------------------------------
 */

static const char *dialled_host(const struct lp_hand *hand)
{
	return hand->upstream ? hand->upstream->host : hand->host;
}

/* hand->addresses are what there is. */
static void resolved(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_address refused;
	const char *what;

	hand->next = 0;
	if (!hand->upstream && !hand->is_trusted) {
		if (read_own(proxy) < 0) {
			lp_answer_unreachable(proxy, conn, ENETUNREACH);
			return;
		}
		what = guard(proxy, hand, &refused);
		if (what) {
			lp_answer_refused(proxy, conn, &refused, what);
			return;
		}
	}
	hand->error = ENOENT;
	try_next(proxy, conn);
}

static void ask(struct lp_proxy *proxy, struct lp_hand *hand)
{
	bool is_path = hand->upstream && hand->upstream->socket;
	struct lp_packet packet = {
		.kind = is_path ? LP_PACKET_UNIX : LP_PACKET_LOOKUP, .id = hand->lookup};
	const char *host = is_path ? "" : dialled_host(hand);
	int socket = is_path ? proxy->gate : proxy->resolver;
	int r;

	memcpy(packet.host, host, strlen(host) + 1);
	r = socket < 0 ? -EPIPE : lp_packet_send(socket, &packet, -1);
	hand->is_unsent = r == -EAGAIN;
	if (r < 0 && r != -EAGAIN)
		lp_answer_unreachable(proxy, hand->conn, ENOENT);
}

void lp_dial_start(struct lp_proxy *proxy, struct lp_conn *conn)
{
	static const enum lp_wish_style styles[] = {
		[LP_STYLE_PLAIN] = LP_ASKED_PLAIN, [LP_STYLE_SOCKS] = LP_ASKED_SOCKS};
	struct lp_hand *hand = conn->hand;
	struct lp_hand **bucket;

	hand->upstream = lp_policy_upstream(proxy->policy, hand->host, styles[hand->style]);
	hand->dial_deadline = proxy->now + DIAL_MS;
	hand->error = 0;
	hand->count = hand->next = 0;
	if ((!hand->upstream || hand->upstream->host) &&
		lp_host_is_address(dialled_host(hand), &hand->addresses[0])) {
		hand->count = 1;
		resolved(proxy, conn);
		return;
	}
	if (++proxy->last_lookup == 0)
		proxy->last_lookup = 1;
	hand->lookup = proxy->last_lookup;
	bucket = &proxy->lookups[hand->lookup % LP_LOOKUP_BUCKETS];
	hand->next_lookup = *bucket;
	*bucket = hand;
	conn->state = LP_STATE_LOOKUP;
	lp_conn_set_deadline(proxy, conn, DIAL_MS);
	ask(proxy, hand);
}

void lp_dial_forget(struct lp_proxy *proxy, struct lp_hand *hand)
{
	struct lp_hand **at = &proxy->lookups[hand->lookup % LP_LOOKUP_BUCKETS];

	if (!hand->lookup)
		return;
	while (*at != hand)
		at = &(*at)->next_lookup;
	*at = hand->next_lookup;
	hand->lookup = 0;
}

/* Whoever asked may have gone: NULL. */
static struct lp_hand *find_asker(const struct lp_proxy *proxy, uint32_t id)
{
	struct lp_hand *hand = proxy->lookups[id % LP_LOOKUP_BUCKETS];

	while (hand && hand->lookup != id)
		hand = hand->next_lookup;
	return hand;
}

void lp_dial_socket(struct lp_proxy *proxy, const struct lp_packet *packet, int fd)
{
	struct lp_hand *hand = find_asker(proxy, packet->id);
	struct lp_conn *conn = hand ? hand->conn : NULL;

	if (!conn || !hand->upstream || !hand->upstream->socket) {
		lp_closep(&fd);
		return;
	}
	lp_dial_forget(proxy, hand);
	lp_conn_close_server(proxy, conn);
	conn->side[LP_SERVER].fd = fd;
	conn->state = LP_STATE_DIAL;
	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
		lp_conn_register(proxy, conn, LP_SERVER) < 0)
		lp_answer_unreachable(proxy, conn, ECONNREFUSED);
	lp_conn_again(proxy, conn);
}

static void take_answer(struct lp_proxy *proxy, const struct lp_packet *packet)
{
	struct lp_hand *hand = find_asker(proxy, packet->id);
	struct lp_conn *conn;

	if (!hand || packet->kind != LP_PACKET_ADDRESSES)
		return;
	conn = hand->conn;
	lp_dial_forget(proxy, hand);
	memcpy(hand->addresses, packet->addresses, packet->count * sizeof(*packet->addresses));
	hand->count = packet->count;
	if (packet->error || !packet->count)
		lp_answer_unreachable(proxy, conn, ENOENT);
	else
		resolved(proxy, conn);
	lp_conn_again(proxy, conn);
}

static void for_all_lookups(
	struct lp_proxy *proxy, void (*act)(struct lp_proxy *, struct lp_hand *))
{
	for (size_t i = 0; i < LP_LOOKUP_BUCKETS; i++)
		for (struct lp_hand *hand = proxy->lookups[i], *next; hand; hand = next) {
			next = hand->next_lookup;
			act(proxy, hand);
		}
}

static void resend(struct lp_proxy *proxy, struct lp_hand *hand)
{
	struct lp_conn *conn = hand->conn;

	if (!hand->is_unsent)
		return;
	ask(proxy, hand);
	lp_conn_again(proxy, conn);
}

static void give_up(struct lp_proxy *proxy, struct lp_hand *hand)
{
	struct lp_conn *conn = hand->conn;

	lp_answer_unreachable(proxy, conn, ENOENT);
	lp_conn_again(proxy, conn);
}

void lp_dial_resend(struct lp_proxy *proxy)
{
	for_all_lookups(proxy, resend);
}

void lp_dial_answers(struct lp_proxy *proxy)
{
	struct lp_packet packet;
	int r, fd = -1;

	while ((r = lp_packet_receive(proxy->resolver, &packet, &fd)) > 0 || r == -EPROTO) {
		lp_closep(&fd);
		fd = -1;
		if (r > 0)
			take_answer(proxy, &packet);
	}
	if (r == -EAGAIN)
		return;
	close(proxy->resolver);
	proxy->resolver = -1;
	for_all_lookups(proxy, give_up);
}
