/*
 * Plain HTTP: request by request to the server that each names, answers framed as they came.
 *
 * Runs in the proxy; requests and answers are hostile. One request is under way at a time; what a
 * client sends ahead waits. The server's connection is kept for the next request to the same place.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy/parts.h"

#define HEAD_MS    30000
#define ROUNDS_MAX 32 /* before others have their turn */

/* ---- the server's connection ------------------------------------------------------------------
 */

/* An idle server's connection on which something happens has ended, or is out of step. */
static void check_idle_server(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_side *server = &conn->side[LP_SERVER];
	char byte;

	if (server->fd < 0 || !server->readable)
		return;
	if (recv(server->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
		server->readable = false;
	else
		lp_conn_close_server(proxy, conn);
}

static bool leads_there(const struct lp_hand *hand, const struct lp_side *server,
	const struct lp_upstream *upstream)
{
	if (server->fd < 0 || hand->server_upstream != upstream)
		return false;
	return upstream ||
	       (hand->server_port == hand->port && !strcmp(hand->server_host, hand->host));
}

static void connect_server(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	const struct lp_upstream *upstream =
		lp_policy_upstream(proxy->policy, hand->host, LP_ASKED_PLAIN);

	conn->side[LP_SERVER].readable = true;
	check_idle_server(proxy, conn);
	if (leads_there(hand, &conn->side[LP_SERVER], upstream)) {
		hand->exchange.phase = LP_PHASE_ANSWER;
		return;
	}
	lp_conn_close_server(proxy, conn);
	hand->exchange.may_repeat = false;
	hand->exchange.phase = LP_PHASE_DIAL;
	hand->server_upstream = upstream;
	hand->server_port = hand->port;
	memcpy(hand->server_host, hand->host, sizeof(hand->host));
	lp_dial_start(proxy, conn);
}

/* The server did not answer as it should. */
static void server_failed(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_exchange *exchange = &hand->exchange;

	if (exchange->phase != LP_PHASE_ANSWER) {
		lp_conn_end(proxy, conn, true);
	} else if (exchange->may_repeat && !hand->server_in.len) {
		hand->server_out.start = 0;
		hand->server_out.len = exchange->head_size;
		lp_conn_close_server(proxy, conn);
		connect_server(proxy, conn);
	} else {
		lp_answer_unreachable(proxy, conn, ECONNREFUSED);
	}
}

/* ---- bodies -----------------------------------------------------------------------------------
 */

struct pump {
	struct lp_side *from, *to;
	struct lp_buffer *buffer;
	struct lp_http_body *body;
	size_t *ready;
};

/* 1: there are bytes to send; 0: none now, or none any more; -ENODATA, -EBADMSG, -errno of from. */
static int pump_in(const struct pump *pump)
{
	if (!pump->buffer->len) {
		ssize_t n = lp_side_fill(pump->from, pump->buffer, LP_CHUNK);

		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		if (n == 0 && pump->body->framing == LP_HTTP_UNTIL_CLOSE) {
			pump->body->done = true;
			return 0;
		}
		if (n == 0)
			return -ENODATA;
	}
	if (lp_http_body_scan(pump->body, lp_buffer_bytes(pump->buffer), pump->buffer->len,
		    pump->ready) == LP_PARSE_BAD)
		return -EBADMSG;
	return *pump->ready > 0;
}

enum { WAITS, ALL_SENT, HAD_ITS_SHARE, FROM_FAILED, TO_FAILED };

static int pump_run(const struct pump *pump)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		ssize_t n;
		int r;

		if (!*pump->ready) {
			r = pump->body->done ? 0 : pump_in(pump);
			if (r < 0)
				return FROM_FAILED;
			if (r == 0)
				return pump->body->done ? ALL_SENT : WAITS;
		}
		n = lp_side_send(pump->to, pump->buffer, *pump->ready);
		if (n < 0)
			return n == -EAGAIN ? WAITS : TO_FAILED;
		*pump->ready -= (size_t)n;
	}
	return HAD_ITS_SHARE;
}

/* ---- the request ------------------------------------------------------------------------------
 */

static void bad_request(struct lp_proxy *proxy, struct lp_conn *conn, const char *sentence)
{
	lp_answer_status(proxy, conn, "400 Bad Request", sentence);
}

/* The host that the request names, into hand. false: it was answered. */
static bool take_target(struct lp_proxy *proxy, struct lp_conn *conn,
	const struct lp_http_head *head, struct lp_http_target *ret_target)
{
	struct lp_hand *hand = conn->hand;

	if (lp_span_is(head->method, "CONNECT")) {
		bad_request(proxy, conn, "CONNECT comes first on a connection\n");
		return false;
	}
	if (head->target.bytes[0] == '/') {
		bad_request(proxy, conn,
			"landpen's proxy takes requests to a proxy: GET http://HOST/PATH\n");
		return false;
	}
	if (lp_http_absolute(head->target, ret_target) < 0) {
		bad_request(proxy, conn, "The URL of this request is not understood\n");
		return false;
	}
	if (ret_target->https) {
		lp_answer_status(proxy, conn, "501 Not Implemented",
			"landpen does not speak TLS on behalf of its clients: use CONNECT for "
			"https:// URLs, as most programs do by themselves\n");
		return false;
	}
	hand->port = ret_target->port ? ret_target->port : 80;
	if (lp_host_canonical(
		    (const char *)ret_target->host.bytes, ret_target->host.len, hand->host) == 0)
		return true;
	lp_answer_no_host(proxy, conn, ret_target->host);
	return false;
}

static bool is_safe(const struct lp_http_head *head)
{
	return lp_span_is(head->method, "GET") || lp_span_is(head->method, "HEAD") ||
	       lp_span_is(head->method, "OPTIONS");
}

static void begin(struct lp_proxy *proxy, struct lp_conn *conn, const struct lp_http_head *head)
{
	struct lp_hand *hand = conn->hand;
	struct lp_exchange *exchange = &hand->exchange;
	struct lp_host_decision decision;
	struct lp_http_target target;
	struct lp_forward forward = {.head = head, .host = hand->host};

	*exchange = (struct lp_exchange){.minor = head->minor,
		.to_head = lp_span_is(head->method, "HEAD"),
		.request = lp_http_request_body(head),
		.keep = head->minor ? !head->close : head->keep_alive && !head->close};
	exchange->may_repeat = is_safe(head) && exchange->request.done;
	exchange->asks_upgrade =
		head->minor && head->asks_upgrade && head->upgrade.len && exchange->request.done;
	if (!take_target(proxy, conn, head, &target))
		return;
	decision = lp_policy_may_connect(proxy->policy, hand->host, hand->port);
	if (!decision.allowed) {
		lp_answer_denied(proxy, conn, decision.rule);
		return;
	}
	forward.port = hand->port;
	forward.path = target.path;
	forward.upstream = lp_policy_upstream(proxy->policy, hand->host, LP_ASKED_PLAIN);
	forward.upgrade = exchange->asks_upgrade;
	forward.close = !head->minor;
	lp_buffer_clear(&hand->server_out);
	if (lp_forward_request(&forward, &hand->server_out) < 0) {
		lp_conn_end(proxy, conn, true);
		return;
	}
	exchange->head_size = hand->server_out.len;
	lp_buffer_drop(&hand->in, head->size);
	lp_conn_set_deadline(proxy, conn, 0);
	connect_server(proxy, conn);
}

/* Between requests. True: something changed. */
static bool take_request(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_http_head head;
	ssize_t n;

	check_idle_server(proxy, conn);
	do {
		n = lp_side_fill(&conn->side[LP_CLIENT], &hand->in, LP_HTTP_HEAD_MAX);
	} while (n > 0);
	switch (lp_http_request(lp_buffer_bytes(&hand->in), hand->in.len, &head)) {
	case LP_PARSE_OK:
		begin(proxy, conn, &head);
		return true;
	case LP_PARSE_BAD:
		bad_request(proxy, conn, "This is no well-formed HTTP/1 request\n");
		return false;
	case LP_PARSE_MORE:
		break;
	}
	if (hand->in.len >= LP_HTTP_HEAD_MAX)
		lp_answer_status(proxy, conn, "431 Request Header Fields Too Large",
			"The head of the request is too long\n");
	else if (n != -EAGAIN)
		lp_conn_end(proxy, conn, false);
	else if (!hand->in.len)
		lp_buffer_clear(&hand->in);
	else if (!conn->deadline)
		lp_conn_set_deadline(proxy, conn, HEAD_MS);
	return false;
}

/* Sends what there is of the request. false: the connection has ended. */
static bool send_request(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_exchange *exchange = &hand->exchange;
	const struct pump pump = {&conn->side[LP_CLIENT], &conn->side[LP_SERVER], &hand->in,
		&exchange->request, &exchange->request_ready};
	int r;

	if (exchange->is_stuck)
		return true;
	r = lp_side_flush(&conn->side[LP_SERVER], &hand->server_out);
	if (r < 0) {
		exchange->is_stuck = r != -EAGAIN;
		return true;
	}
	r = pump_run(&pump);
	if (r == HAD_ITS_SHARE)
		lp_conn_again(proxy, conn);
	else if (r == TO_FAILED)
		exchange->is_stuck = true; /* it may have said why */
	else if (r == FROM_FAILED)
		lp_conn_end(proxy, conn, true);
	return r != FROM_FAILED;
}

/* ---- the answer -------------------------------------------------------------------------------
 */

static bool request_is_sent(const struct lp_hand *hand)
{
	return hand->exchange.request.done && !hand->exchange.request_ready &&
	       !hand->server_out.len;
}

/* The head of an answer is there. 0; -EPROTO: it makes no sense; -ENOMEM. */
static int take_head(struct lp_conn *conn, const struct lp_http_head *head)
{
	struct lp_hand *hand = conn->hand;
	struct lp_exchange *exchange = &hand->exchange;
	struct lp_forward forward = {.head = head};
	bool is_last = head->status >= 200 || head->status == 101;
	int r = 0;

	if (head->status == 101 &&
		!(exchange->asks_upgrade && head->upgrade.len && request_is_sent(hand)))
		return -EPROTO;
	exchange->response = lp_http_response_body(head, exchange->to_head);
	if (exchange->response.framing == LP_HTTP_CHUNKED && !exchange->minor)
		return -EPROTO;
	if (is_last) {
		bool is_framed = exchange->response.framing != LP_HTTP_UNTIL_CLOSE;

		exchange->keep &= is_framed;
		exchange->keep_server = exchange->minor && head->minor && !head->close && is_framed;
		forward.close = !exchange->keep;
		forward.keep_alive = !exchange->minor;
	}
	forward.upgrade = head->status == 101;
	forward.bodyless = exchange->response.framing != LP_HTTP_CHUNKED;
	if (is_last || exchange->minor)
		r = lp_forward_response(&forward, &hand->out);
	if (r == 0 && is_last)
		exchange->phase = head->status == 101 ? LP_PHASE_DONE : LP_PHASE_BODY;
	return r;
}

/* True: something changed. */
static bool receive_head(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_side *server = &conn->side[LP_SERVER];
	struct lp_http_head head;
	enum lp_parse r;
	ssize_t n;

	do {
		n = lp_side_fill(server, &hand->server_in, LP_HTTP_HEAD_MAX);
	} while (n > 0);
	r = lp_http_response(lp_buffer_bytes(&hand->server_in), hand->server_in.len, &head);
	if (r == LP_PARSE_MORE && n == -EAGAIN && hand->server_in.len < LP_HTTP_HEAD_MAX)
		return false;
	if (r != LP_PARSE_OK || take_head(conn, &head) < 0) {
		server_failed(proxy, conn);
		return true;
	}
	hand->exchange.may_repeat = false;
	lp_buffer_drop(&hand->server_in, head.size);
	if (head.status == 101)
		lp_relay_start(proxy, conn);
	return true;
}

static void end_exchange(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_exchange *exchange = &hand->exchange;
	bool is_sent = request_is_sent(hand);

	if (!exchange->keep || !is_sent) {
		lp_conn_finish(proxy, conn);
		return;
	}
	if (!exchange->keep_server || hand->server_in.len)
		lp_conn_close_server(proxy, conn);
	lp_buffer_clear(&hand->server_in);
	lp_buffer_clear(&hand->server_out);
	lp_buffer_clear(&hand->out);
	*exchange = (struct lp_exchange){0};
}

/* True: something changed. */
static bool receive_body(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_exchange *exchange = &hand->exchange;
	const struct pump pump = {&conn->side[LP_SERVER], &conn->side[LP_CLIENT], &hand->server_in,
		&exchange->response, &exchange->response_ready};

	switch (pump_run(&pump)) {
	case ALL_SENT:
		end_exchange(proxy, conn);
		return true;
	case HAD_ITS_SHARE:
		lp_conn_again(proxy, conn);
		return false;
	case FROM_FAILED:
	case TO_FAILED:
		lp_conn_end(proxy, conn, true);
		return true;
	default:
		return false;
	}
}

/* True: something changed. */
static bool advance(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	int r;

	if (hand->exchange.phase == LP_PHASE_HEAD)
		return take_request(proxy, conn);
	if (hand->exchange.phase == LP_PHASE_DIAL)
		hand->exchange.phase = LP_PHASE_ANSWER;
	if (!send_request(proxy, conn))
		return true;
	r = lp_side_flush(&conn->side[LP_CLIENT], &hand->out);
	if (r < 0) {
		if (r != -EAGAIN)
			lp_conn_end(proxy, conn, true);
		return r != -EAGAIN;
	}
	return hand->exchange.phase == LP_PHASE_ANSWER ? receive_head(proxy, conn)
						       : receive_body(proxy, conn);
}

void lp_exchange_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	while (conn->state == LP_STATE_EXCHANGE && advance(proxy, conn))
		;
}
