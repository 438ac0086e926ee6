/*
 * The relay: bytes from one socket to the other, by splice(2), unseen.
 *
 * Runs in the proxy. A pipe is taken from a small pool only while bytes are in it, so idle
 * connections cost nothing but their struct and two sockets; when all pipes are in use, bytes are
 * copied. A peer that does not read holds one pipe's worth of bytes and blocks nobody else. Ends go
 * through one way at a time; a reset resets both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/parts.h"

#define POOL_MAX     32
#define PIPE_LARGE   (1U << 20)
#define LARGE_MAX    16 /* what a user may lock in pipes is shared with other programs */
#define LARGE_STREAM (1U << 20)
#define ROUNDS_MAX   8 /* before others have their turn */
#define COPY_SIZE    16384U

static void pipe_free(struct lp_proxy *proxy, struct lp_pipe *at)
{
	if (at->size >= PIPE_LARGE)
		proxy->large_count--;
	proxy->pipe_count--;
	close(at->read);
	close(at->write);
	free(at);
}

static struct lp_pipe *pipe_take(struct lp_proxy *proxy)
{
	struct lp_pipe *at = proxy->pipes;
	int fds[2];

	if (at) {
		proxy->pipes = at->next;
		proxy->idle_pipe_count--;
		return at;
	}
	if (proxy->pipe_count >= proxy->pipe_limit)
		return NULL;
	at = malloc(sizeof(*at));
	if (!at || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(at);
		return NULL;
	}
	proxy->pipe_count++;
	*at = (struct lp_pipe){.read = fds[0], .write = fds[1], .size = LP_CHUNK};
	return at;
}

/* The pipe is empty. */
static void pipe_give(struct lp_proxy *proxy, struct lp_pipe *at)
{
	if (proxy->idle_pipe_count >= POOL_MAX) {
		pipe_free(proxy, at);
		return;
	}
	at->next = proxy->pipes;
	proxy->pipes = at;
	proxy->idle_pipe_count++;
}

static void pipe_enlarge(struct lp_proxy *proxy, struct lp_pipe *at)
{
	if (at->size >= PIPE_LARGE || proxy->large_count >= LARGE_MAX)
		return;
	/* a user's limit may stand against it; then it stays as it is */
	if (fcntl(at->write, F_SETPIPE_SZ, PIPE_LARGE) < 0)
		return;
	at->size = PIPE_LARGE;
	proxy->large_count++;
}

void lp_relay_release(struct lp_proxy *proxy, struct lp_conn *conn)
{
	for (int i = 0; i < 2; i++) {
		if (conn->flow[i].pipe)
			pipe_free(proxy, conn->flow[i].pipe);
		conn->flow[i].pipe = NULL;
		lp_buffer_clear(&conn->flow[i].early);
	}
}

/* Without a pipe, as it was found. 1: some came; 0: none now; -errno. */
static int pull_copied(struct lp_side *from, struct lp_flow *flow)
{
	ssize_t n = lp_side_fill(from, &flow->early, COPY_SIZE);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	return n < 0 ? (int)n : n > 0;
}

/* Brings bytes into the pipe. 1: some came; 0: none now; -errno. */
static int pull(struct lp_proxy *proxy, struct lp_side *from, struct lp_flow *flow)
{
	ssize_t n;

	if (from->ended || !from->readable)
		return 0;
	if (!flow->pipe) {
		flow->pipe = pipe_take(proxy);
		if (!flow->pipe)
			return pull_copied(from, flow);
	}
	if (flow->moved > LARGE_STREAM)
		pipe_enlarge(proxy, flow->pipe);
	n = splice(from->fd, NULL, flow->pipe->write, NULL, flow->pipe->size,
		SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n < 0 && errno != EAGAIN)
		return errno == EINTR ? 0 : -errno;
	if (n < 0)
		from->readable = false;
	if (n == 0)
		from->ended = true;
	if (n <= 0)
		return 0;
	flow->pending = (uint32_t)n;
	if (flow->moved <= LARGE_STREAM)
		flow->moved += (uint32_t)n;
	return 1;
}

/* Brings what waits to its goal. 1: all of it; 0: it does not take more now; -errno. */
static int push(struct lp_side *to, struct lp_flow *flow)
{
	int r = lp_side_flush(to, &flow->early);

	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	lp_buffer_clear(&flow->early);
	while (flow->pending) {
		ssize_t n;

		if (!to->writable)
			return 0;
		n = splice(flow->pipe->read, NULL, to->fd, NULL, flow->pending,
			SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (n < 0 && errno == EAGAIN)
			to->writable = false;
		else if (n < 0 && errno != EINTR)
			return -errno;
		else if (n > 0)
			flow->pending -= (uint32_t)n;
	}
	return 1;
}

/* 1: it has had its share and wants more; 0: nothing to do now; -errno. */
static int move(struct lp_proxy *proxy, struct lp_conn *conn, int which)
{
	struct lp_side *from = &conn->side[which], *to = &conn->side[!which];
	struct lp_flow *flow = &conn->flow[which];
	int rounds = 0, r;

	do {
		r = push(to, flow);
		if (r <= 0)
			break;
		if (from->ended && !to->shut) {
			to->shut = true;
			if (shutdown(to->fd, SHUT_WR) < 0)
				r = -errno;
			break;
		}
		r = pull(proxy, from, flow);
		if (r == 0 && from->ended && !to->shut)
			r = 1;
	} while (r > 0 && ++rounds < ROUNDS_MAX);
	if (flow->pipe && !flow->pending) {
		pipe_give(proxy, flow->pipe);
		flow->pipe = NULL;
	}
	return r < 0 ? r : r > 0 && rounds == ROUNDS_MAX;
}

void lp_relay_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	for (int i = 0; i < 2; i++) {
		int r = conn->side[i].failed ? -ECONNRESET : move(proxy, conn, i);

		if (r < 0) {
			lp_conn_end(proxy, conn, true);
			return;
		} else if (r > 0) {
			lp_conn_again(proxy, conn);
		}
	}
	if (conn->side[LP_CLIENT].shut && conn->side[LP_SERVER].shut)
		lp_conn_end(proxy, conn, false);
}

void lp_relay_start(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;

	conn->flow[LP_CLIENT].early = hand->in;
	conn->flow[LP_SERVER].early = hand->out;
	hand->in = hand->out = (struct lp_buffer){0};
	if (lp_buffer_add(&conn->flow[LP_SERVER].early, lp_buffer_bytes(&hand->server_in),
		    hand->server_in.len) < 0) {
		lp_conn_end(proxy, conn, true);
		return;
	}
	lp_buffer_clear(&hand->server_in);
	lp_buffer_clear(&hand->server_out);
	free(LP_TAKE(conn->hand));
	lp_conn_set_deadline(proxy, conn, 0);
	conn->state = LP_STATE_RELAY;
}
