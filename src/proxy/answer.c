/*
 * What clients are told when their wish is not granted (srt contract 4.5), and what the gate is
 * told for the report. Runs in the proxy. Only canonical hosts, or escaped text, are repeated.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/parts.h"

#define FORBIDDEN "403 Forbidden"
#define SHOWN_MAX 63 /* of what is no host */

void lp_report(struct lp_proxy *proxy, const struct lp_hand *hand, const char *reason)
{
	struct lp_packet packet = {.kind = LP_PACKET_DENIED, .port = hand->port};

	memcpy(packet.host, hand->host, sizeof(packet.host));
	memcpy(packet.program, hand->program, sizeof(packet.program));
	snprintf(packet.reason, sizeof(packet.reason), "%s", reason);
	/* the gate may be behind: a line in a report is not worth waiting for */
	lp_packet_send(proxy->gate, &packet, -1);
}

/* marker: the value of X-Proxy-Error, or NULL. */
static void answer_http(struct lp_proxy *proxy, struct lp_conn *conn, const char *status,
	const char *marker, const char *body)
{
	struct lp_buffer *out = &conn->hand->out;
	size_t len = strlen(body);
	int r = lp_buffer_addf(out, "HTTP/1.1 %s\r\n", status);

	if (r == 0 && len)
		r = lp_buffer_add_text(out, "Content-Type: text/plain\r\n");
	if (r == 0 && marker)
		r = lp_buffer_addf(out, "X-Proxy-Error: %s\r\n", marker);
	if (r == 0 && conn->hand->style != LP_STYLE_CONNECT)
		r = lp_buffer_addf(out, "Content-Length: %zu\r\nConnection: close\r\n", len);
	if (r == 0)
		r = lp_buffer_add_text(out, "\r\n");
	if (r == 0 && !conn->hand->exchange.to_head)
		r = lp_buffer_add_text(out, body);
	if (r < 0)
		lp_conn_end(proxy, conn, true);
	else
		lp_conn_finish(proxy, conn);
}

void lp_answer_socks(struct lp_proxy *proxy, struct lp_conn *conn, uint8_t reply)
{
	const uint8_t answer[10] = {5, reply, 0, LP_SOCKS_IPV4};

	if (lp_buffer_add(&conn->hand->out, answer, sizeof(answer)) < 0)
		lp_conn_end(proxy, conn, true);
	else if (reply)
		lp_conn_finish(proxy, conn);
}

void lp_answer_status(
	struct lp_proxy *proxy, struct lp_conn *conn, const char *status, const char *sentence)
{
	answer_http(proxy, conn, status, NULL, sentence);
}

/* A refusal in the client's own language; body is for HTTP. */
static void refuse(
	struct lp_proxy *proxy, struct lp_conn *conn, const char *marker, const char *body)
{
	switch (conn->hand->style) {
	case LP_STYLE_TRANSPARENT:
		lp_conn_end(proxy, conn, true);
		break;
	case LP_STYLE_SOCKS:
		lp_answer_socks(proxy, conn, 2);
		break;
	default:
		answer_http(proxy, conn, FORBIDDEN, marker, body);
	}
}

#define BLOCKED "Connection blocked by network allowlist\n"

void lp_answer_denied(struct lp_proxy *proxy, struct lp_conn *conn, const struct lp_host_rule *rule)
{
	const struct lp_hand *hand = conn->hand;
	const char *reason = rule && rule->reason ? rule->reason : "";
	lp_autofree char *body = NULL;
	int n;

	lp_report(proxy, hand,
		!rule     ? LP_REASON_UNLISTED
		: *reason ? reason
			  : "host is on the deny list");
	if (rule)
		n = asprintf(&body,
			BLOCKED "landpen: %s:%u is denied by network.deniedDomains%s%s\n",
			hand->host, hand->port, *reason ? ": " : "", reason);
	else if (lp_host_is_loopback(hand->host))
		n = asprintf(&body,
			BLOCKED "landpen: %s:%u is on this machine: servers of the pen are reached "
				"without a proxy, others by network.allowLocalPorts: [%u]\n",
			hand->host, hand->port, hand->port);
	else
		n = asprintf(&body,
			BLOCKED "landpen: %s:%u is not on the allow list; "
				"network.allowedDomains: [\"%s\"] would allow it\n",
			hand->host, hand->port, hand->host);
	if (n < 0)
		body = NULL;
	refuse(proxy, conn, "blocked-by-allowlist", body ? body : BLOCKED);
}

void lp_answer_no_host(struct lp_proxy *proxy, struct lp_conn *conn, struct lp_span text)
{
	char *host = conn->hand->host;
	size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

	for (size_t i = 0; i < len; i++)
		host[i] = text.bytes[i] > ' ' && text.bytes[i] < 0x7f ? (char)text.bytes[i] : '?';
	host[len] = '\0';
	lp_report(proxy, conn->hand, "not a host name");
	refuse(proxy, conn, "blocked-by-allowlist",
		BLOCKED "landpen: this is neither a host name nor an address\n");
}

void lp_answer_refused(struct lp_proxy *proxy, struct lp_conn *conn,
	const struct lp_address *address, const char *what)
{
	const struct lp_hand *hand = conn->hand;
	char where[LP_HOST_SIZE], reason[128], body[LP_HOST_SIZE + 128];

	lp_address_print(address, where);
	snprintf(reason, sizeof(reason), LP_REASON_RESOLVED "%.45s, %s", where, what);
	snprintf(body, sizeof(body), "Connection to %s blocked: " LP_REASON_RESOLVED "%s",
		hand->host, what);
	lp_report(proxy, hand, reason);
	refuse(proxy, conn, "blocked-by-sandbox-runtime", body);
}

void lp_answer_unreachable(struct lp_proxy *proxy, struct lp_conn *conn, int error)
{
	static const struct {
		int error;
		uint8_t reply;
	} replies[] = {{ENOENT, 4}, {ECONNREFUSED, 5}, {ENETUNREACH, 3}, {EHOSTUNREACH, 4},
		{ETIMEDOUT, 4}};
	uint8_t reply = 1;

	switch (conn->hand->style) {
	case LP_STYLE_TRANSPARENT:
		lp_conn_end(proxy, conn, true);
		return;
	case LP_STYLE_SOCKS:
		for (size_t i = 0; i < LP_ARRAY_SIZE(replies); i++)
			if (replies[i].error == error)
				reply = replies[i].reply;
		lp_answer_socks(proxy, conn, reply);
		return;
	case LP_STYLE_CONNECT:
		answer_http(proxy, conn, "502 Bad Gateway", NULL, "");
		return;
	default:
		answer_http(proxy, conn, "502 Bad Gateway", NULL, "Bad Gateway");
	}
}
