/*
 * What a client that knows it speaks to a proxy asks for: HTTP CONNECT, plain HTTP, SOCKS5.
 *
 * Runs in the proxy; the bytes are the agent's. Credentials are accepted whatever they are: only
 * connections that the gate announced get here at all.
 */
#include <errno.h>
#include <string.h>

#include "proxy/parts.h"

#define HEAD_MS 30000

/* The host of a CONNECT or SOCKS request into hand->host; false: it was answered. */
static bool take_host(
	struct lp_proxy *proxy, struct lp_conn *conn, struct lp_span host, unsigned port)
{
	conn->hand->port = port;
	if (lp_host_canonical((const char *)host.bytes, host.len, conn->hand->host) == 0)
		return true;
	lp_answer_no_host(proxy, conn, host);
	return false;
}

static void decide_and_dial(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_host_decision decision =
		lp_policy_may_connect(proxy->policy, hand->host, hand->port);

	if (decision.allowed)
		lp_dial_start(proxy, conn);
	else
		lp_answer_denied(proxy, conn, decision.rule);
}

/* ---- HTTP -------------------------------------------------------------------------------------
 */

static void start_connect(
	struct lp_proxy *proxy, struct lp_conn *conn, const struct lp_http_head *head)
{
	struct lp_hand *hand = conn->hand;
	struct lp_http_target target;

	hand->style = LP_STYLE_CONNECT;
	if (head->has_length || head->chunked) {
		lp_answer_status(proxy, conn, "400 Bad Request", "CONNECT takes no body\n");
		return;
	}
	if (lp_http_authority(head->target, &target) < 0 || !target.port) {
		lp_answer_status(proxy, conn, "400 Bad Request",
			"CONNECT takes a host and a port: HOST:PORT\n");
		return;
	}
	if (!take_host(proxy, conn, target.host, target.port))
		return;
	lp_buffer_drop(&hand->in, head->size);
	decide_and_dial(proxy, conn);
}

static void http_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_http_head head;

	hand->style = LP_STYLE_PLAIN;
	switch (lp_http_request(lp_buffer_bytes(&hand->in), hand->in.len, &head)) {
	case LP_PARSE_OK:
		if (head.method.len == 7 && !memcmp(head.method.bytes, "CONNECT", 7))
			start_connect(proxy, conn, &head);
		else
			conn->state = LP_STATE_EXCHANGE;
		break;
	case LP_PARSE_MORE:
		if (hand->in.len >= LP_HTTP_HEAD_MAX)
			lp_answer_status(proxy, conn, "431 Request Header Fields Too Large",
				"The head of the request is too long\n");
		break;
	default:
		lp_answer_status(
			proxy, conn, "400 Bad Request", "This is no well-formed HTTP/1 request\n");
	}
}

/* ---- SOCKS5 -----------------------------------------------------------------------------------
 */

static enum lp_parse socks_greeting(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	uint8_t answer[2] = {5};
	enum lp_parse r;
	size_t size;

	r = lp_socks_greeting(lp_buffer_bytes(&hand->in), hand->in.len, &size, &answer[1]);
	if (r != LP_PARSE_OK)
		return r;
	lp_buffer_drop(&hand->in, size);
	if (lp_buffer_add(&hand->out, answer, sizeof(answer)) < 0)
		return LP_PARSE_BAD;
	if (answer[1] == LP_SOCKS_NO_METHOD)
		lp_conn_finish(proxy, conn);
	hand->socks = answer[1] == LP_SOCKS_PASSWORD ? LP_SOCKS_AUTH : LP_SOCKS_REQUEST;
	return LP_PARSE_OK;
}

static enum lp_parse socks_password(struct lp_conn *conn)
{
	static const uint8_t welcome[2] = {1, 0};
	struct lp_hand *hand = conn->hand;
	size_t size;
	enum lp_parse r = lp_socks_password(lp_buffer_bytes(&hand->in), hand->in.len, &size);

	if (r != LP_PARSE_OK)
		return r;
	lp_buffer_drop(&hand->in, size);
	hand->socks = LP_SOCKS_REQUEST;
	return lp_buffer_add(&hand->out, welcome, sizeof(welcome)) < 0 ? LP_PARSE_BAD : LP_PARSE_OK;
}

static void socks_connect(
	struct lp_proxy *proxy, struct lp_conn *conn, const struct lp_socks_request *request)
{
	struct lp_hand *hand = conn->hand;
	struct lp_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (request->kind == LP_SOCKS_NAME) {
		if (!take_host(proxy, conn, request->address, request->port))
			return;
	} else {
		memcpy(address.bytes + 16 - request->address.len, request->address.bytes,
			request->address.len);
		lp_address_print(&address, hand->host);
		hand->port = request->port;
	}
	lp_buffer_drop(&hand->in, request->size);
	decide_and_dial(proxy, conn);
}

static enum lp_parse socks_request(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	struct lp_socks_request request;
	enum lp_parse r = lp_socks_request(lp_buffer_bytes(&hand->in), hand->in.len, &request);

	if (r != LP_PARSE_OK)
		return r;
	if (request.command != LP_SOCKS_CONNECT)
		lp_answer_socks(proxy, conn, 7);
	else if (!request.address.bytes)
		lp_answer_socks(proxy, conn, 8);
	else
		socks_connect(proxy, conn, &request);
	return LP_PARSE_OK;
}

static void socks_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	enum lp_parse r = LP_PARSE_OK;
	int sent;

	hand->style = LP_STYLE_SOCKS;
	while (r == LP_PARSE_OK && conn->state == LP_STATE_FIRST) {
		switch (hand->socks) {
		case LP_SOCKS_GREETING:
			r = socks_greeting(proxy, conn);
			break;
		case LP_SOCKS_AUTH:
			r = socks_password(conn);
			break;
		default:
			r = socks_request(proxy, conn);
		}
	}
	if (conn->state != LP_STATE_FIRST)
		return;
	sent = lp_side_flush(&conn->side[LP_CLIENT], &hand->out);
	if (r == LP_PARSE_BAD || (sent < 0 && sent != -EAGAIN))
		lp_conn_end(proxy, conn, false);
}

/* ---- both -------------------------------------------------------------------------------------
 */

void lp_client_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_hand *hand = conn->hand;
	ssize_t n;

	do {
		n = lp_side_fill(&conn->side[LP_CLIENT], &hand->in, LP_HTTP_HEAD_MAX);
	} while (n > 0);
	if (!hand->in.len || (n < 0 && n != -EAGAIN)) {
		if (n != -EAGAIN)
			lp_conn_end(proxy, conn, false);
		return;
	}
	if (!hand->has_begun) {
		hand->has_begun = true;
		lp_conn_set_deadline(proxy, conn, HEAD_MS);
	}
	if (hand->style == LP_STYLE_SOCKS || *lp_buffer_bytes(&hand->in) == 5)
		socks_step(proxy, conn);
	else if (*lp_buffer_bytes(&hand->in) == 4)
		lp_conn_end(proxy, conn, false);
	else
		http_step(proxy, conn);
	/* the client hung up in the middle */
	if (conn->state == LP_STATE_FIRST && n == 0)
		lp_conn_end(proxy, conn, false);
}

void lp_client_connected(struct lp_proxy *proxy, struct lp_conn *conn)
{
	switch (conn->hand->style) {
	case LP_STYLE_PLAIN:
		lp_conn_set_deadline(proxy, conn, 0);
		conn->state = LP_STATE_EXCHANGE;
		return;
	case LP_STYLE_CONNECT:
		if (lp_buffer_add_text(
			    &conn->hand->out, "HTTP/1.1 200 Connection Established\r\n\r\n") < 0) {
			lp_conn_end(proxy, conn, true);
			return;
		}
		break;
	case LP_STYLE_SOCKS:
		lp_answer_socks(proxy, conn, 0);
		break;
	case LP_STYLE_TRANSPARENT:
		break;
	}
	if (conn->state != LP_STATE_DEAD)
		lp_relay_start(proxy, conn);
}
