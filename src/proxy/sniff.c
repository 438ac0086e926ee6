/*
 * Connections to an address nobody asked a name for: the name is in the first bytes, as TLS's SNI
 * or HTTP's Host. The name is resolved and dialled, never the address that the agent chose, so a
 * false name leads nowhere else than where it points.
 *
 * Runs in the proxy; the bytes are the agent's. They are only peeked at, and relayed as they are.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy/parts.h"

#define TLS_FIRST_BYTE 22

static void refuse(struct lp_proxy *proxy, struct lp_conn *conn, const char *reason)
{
	lp_report(proxy, conn->hand, reason);
	lp_conn_end(proxy, conn, true);
}

static enum lp_parse http_name(
	const uint8_t *bytes, size_t len, unsigned port, char ret_name[LP_HOST_SIZE])
{
	struct lp_http_head head;
	struct lp_http_target target;
	enum lp_parse r = lp_http_request(bytes, len, &head);

	if (r != LP_PARSE_OK)
		return r;
	ret_name[0] = '\0';
	if (!head.host.len)
		return LP_PARSE_OK;
	/* a request to a proxy would mean another host than its Host says */
	if (head.target.bytes[0] != '/' && !lp_span_is(head.target, "*"))
		return LP_PARSE_BAD;
	if (lp_http_authority(head.host, &target) < 0 || (target.port && target.port != port))
		return LP_PARSE_BAD;
	return lp_host_canonical((const char *)target.host.bytes, target.host.len, ret_name) == 0
		       ? LP_PARSE_OK
		       : LP_PARSE_BAD;
}

static void found(struct lp_proxy *proxy, struct lp_conn *conn, const char *name)
{
	struct lp_hand *hand = conn->hand;
	struct lp_host_decision decision;

	if (!*name) {
		refuse(proxy, conn, "an address, and no name in the first bytes: connect by name");
		return;
	}
	memcpy(hand->host, name, strlen(name) + 1);
	decision = lp_policy_may_connect(proxy->policy, name, hand->port);
	if (decision.allowed)
		lp_dial_start(proxy, conn);
	else
		lp_answer_denied(proxy, conn, decision.rule);
}

void lp_sniff_step(struct lp_proxy *proxy, struct lp_conn *conn)
{
	struct lp_side *client = &conn->side[LP_CLIENT];
	char name[LP_HOST_SIZE];
	enum lp_parse r;
	ssize_t n;

	if (!client->readable)
		return;
	n = recv(client->fd, proxy->scratch, sizeof(proxy->scratch), MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0) {
		client->readable = false;
		if (n == 0 || errno != EAGAIN)
			lp_conn_end(proxy, conn, true);
		return;
	}
	if (proxy->scratch[0] == TLS_FIRST_BYTE)
		r = lp_tls_server_name(proxy->scratch, (size_t)n, name);
	else
		r = http_name(proxy->scratch, (size_t)n, conn->hand->port, name);
	if (r == LP_PARSE_OK)
		found(proxy, conn, name);
	else if (r == LP_PARSE_BAD || (size_t)n == sizeof(proxy->scratch))
		refuse(proxy, conn, "an address, and no name in the first bytes: connect by name");
	else
		client->readable = false; /* more bytes are another event */
}

void lp_sniff_timeout(struct lp_proxy *proxy, struct lp_conn *conn)
{
	refuse(proxy, conn, "an address, and no name within 3 s: connect by name");
}
