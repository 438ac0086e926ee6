/*
 * Connections: their birth, their turns, their end. Runs in the proxy.
 *
 * A connection that has ended stays in memory until the round of events is over, since one of the
 * later events may be its own.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/parts.h"

#define LINGER_MS 2000
#define DRAIN_MAX (8U << 20)

struct lp_conn *lp_conn_new(struct lp_proxy *proxy, int fd)
{
	struct lp_conn *conn = calloc(1, sizeof(*conn));

	if (conn)
		conn->hand = calloc(1, sizeof(*conn->hand));
	if (!conn || !conn->hand) {
		free(conn);
		close(fd);
		return NULL;
	}
	conn->hand->conn = conn;
	conn->side[LP_CLIENT].fd = fd;
	conn->side[LP_SERVER].fd = -1;
	proxy->count++;
	return conn;
}

int lp_conn_register(struct lp_proxy *proxy, struct lp_conn *conn, int which)
{
	const int one = 1;
	struct lp_side *side = &conn->side[which];
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = (uintptr_t)conn | (unsigned)which};

	setsockopt(side->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*side = (struct lp_side){.fd = side->fd};
	return epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, side->fd, &event) < 0 ? -errno : 0;
}

/* Who handed the socket over may have it open still, and its events would come on. */
static void close_socket(const struct lp_proxy *proxy, int fd)
{
	epoll_ctl(proxy->epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

void lp_conn_close_server(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_side *side = &conn->side[LP_SERVER];

	if (side->fd >= 0)
		close_socket(proxy, side->fd);
	*side = (struct lp_side){.fd = -1};
}

void lp_conn_again(struct lp_proxy *proxy, struct lp_conn *conn)
{
	if (conn->is_ready)
		return;
	conn->is_ready = true;
	conn->next_ready = NULL;
	*proxy->ready_end = conn;
	proxy->ready_end = &conn->next_ready;
}

void lp_conn_set_deadline(struct lp_proxy *proxy, struct lp_conn *conn, int64_t milliseconds)
{
	bool was_set = conn->deadline != 0;

	conn->deadline = milliseconds ? proxy->now + milliseconds : 0;
	if (conn->deadline && !was_set) {
		conn->next_timed = proxy->timed;
		conn->timed_at = &proxy->timed;
		if (proxy->timed)
			proxy->timed->timed_at = &conn->next_timed;
		proxy->timed = conn;
	} else if (!conn->deadline && was_set) {
		*conn->timed_at = conn->next_timed;
		if (conn->next_timed)
			conn->next_timed->timed_at = conn->timed_at;
	}
}

static void close_side(const struct lp_proxy *proxy, struct lp_side *side, bool reset)
{
	const struct linger linger = {.l_onoff = 1};

	if (side->fd < 0)
		return;
	if (reset)
		setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close_socket(proxy, side->fd);
	side->fd = -1;
}

static void hand_free(struct lp_proxy *proxy, struct lp_hand *hand)
{
	lp_dial_forget(proxy, hand);
	lp_buffer_clear(&hand->in);
	lp_buffer_clear(&hand->out);
	lp_buffer_clear(&hand->server_in);
	lp_buffer_clear(&hand->server_out);
	free(hand);
}

void lp_conn_end(struct lp_proxy *proxy, struct lp_conn *conn, bool reset)
{
	if (conn->state == LP_STATE_DEAD)
		return;
	conn->state = LP_STATE_DEAD;
	lp_conn_set_deadline(proxy, conn, 0);
	close_side(proxy, &conn->side[LP_CLIENT], reset);
	close_side(proxy, &conn->side[LP_SERVER], reset);
	lp_relay_release(proxy, conn);
	if (conn->hand)
		hand_free(proxy, LP_TAKE(conn->hand));
	proxy->count--;
	conn->next_timed = proxy->dead;
	proxy->dead = conn;
}

void lp_conn_free_dead(struct lp_proxy *proxy)
{
	/* those that are queued have one more turn, in which nothing happens */
	struct lp_conn **at = &proxy->dead;

	while (*at) {
		struct lp_conn *conn = *at;

		if (conn->is_ready) {
			at = &conn->next_timed;
			continue;
		}
		*at = conn->next_timed;
		free(conn);
	}
}

void lp_conn_finish(struct lp_proxy *proxy, struct lp_conn *conn)
{
	lp_conn_close_server(proxy, conn);
	lp_dial_forget(proxy, conn->hand);
	lp_buffer_clear(&conn->hand->in);
	lp_conn_set_deadline(proxy, conn, LINGER_MS);
	conn->state = LP_STATE_CLOSING;
}

/* Closing with unread bytes would reset the connection, and the client would miss the answer. */
static void closing_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_side *client = &conn->side[LP_CLIENT];
	struct lp_hand *hand = conn->hand;
	int r = lp_side_flush(client, &hand->out);

	if (r < 0 && r != -EAGAIN) {
		lp_conn_end(proxy, conn, true);
		return;
	}
	if (r == 0 && !client->shut) {
		client->shut = true;
		shutdown(client->fd, SHUT_WR);
	}
	while (client->readable && !client->ended && hand->drained < DRAIN_MAX) {
		ssize_t n = recv(client->fd, proxy->scratch, sizeof(proxy->scratch), MSG_DONTWAIT);

		if (n > 0)
			hand->drained += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			client->readable = false;
		else
			client->ended = true;
	}
	if ((client->ended && client->shut) || hand->drained >= DRAIN_MAX)
		lp_conn_end(proxy, conn, false);
}

static void step_once(struct lp_proxy *proxy, struct lp_conn *conn)
{
	switch ((enum lp_state)conn->state) {
	case LP_STATE_FIRST:
		lp_client_step(proxy, conn);
		break;
	case LP_STATE_SNIFF:
		lp_sniff_step(proxy, conn);
		break;
	case LP_STATE_DIAL:
		lp_dial_step(proxy, conn);
		break;
	case LP_STATE_UPSTREAM:
		lp_upstream_step(proxy, conn);
		break;
	case LP_STATE_EXCHANGE:
		lp_exchange_step(proxy, conn);
		break;
	case LP_STATE_RELAY:
		lp_relay_step(proxy, conn);
		break;
	case LP_STATE_CLOSING:
		closing_step(proxy, conn);
		break;
	case LP_STATE_LOOKUP:
	case LP_STATE_DEAD:
		break;
	}
}

void lp_conn_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	uint8_t before;

	do {
		before = conn->state;
		if (conn->side[LP_CLIENT].failed && before != LP_STATE_DEAD)
			lp_conn_end(proxy, conn, true);
		step_once(proxy, conn);
	} while (conn->state != before && conn->state != LP_STATE_DEAD);
}

void lp_conn_timeout(struct lp_proxy *proxy, struct lp_conn *conn)
{
	lp_conn_set_deadline(proxy, conn, 0);
	switch ((enum lp_state)conn->state) {
	case LP_STATE_SNIFF:
		lp_sniff_timeout(proxy, conn);
		break;
	case LP_STATE_LOOKUP:
	case LP_STATE_DIAL:
	case LP_STATE_UPSTREAM:
		lp_dial_timeout(proxy, conn);
		break;
	default:
		lp_conn_end(proxy, conn, false);
	}
	lp_conn_again(proxy, conn);
}
