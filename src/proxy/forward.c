/*
 * Heads as they are passed on: without what concerns one connection only, with a Host made from the
 * canonical name, and with the framing that was understood (RFC 9110 7.6, RFC 9112 3.2).
 *
 * Runs in the proxy. The fields are hostile, and well-formed by the time they get here.
 */
#include <string.h>

#include "proxy/parts.h"

/* Fields for the next hop only, and those that are written anew. */
static const char *const dropped[] = {"connection", "content-length", "host", "keep-alive",
	"proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
	"proxy-connection", "te", "transfer-encoding", "upgrade"};

static bool is_dropped(struct lp_span name)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(dropped); i++)
		if (lp_span_is(name, dropped[i]))
			return true;
	return false;
}

/* Whether a Connection field names the field. */
static bool is_named(struct lp_span fields, struct lp_span name)
{
	struct lp_http_field field;

	while (lp_http_next_field(&fields, &field))
		if ((lp_span_is(field.name, "connection") ||
			    lp_span_is(field.name, "proxy-connection")) &&
			lp_http_list_has(field.value, name))
			return true;
	return false;
}

static int add_span(struct lp_buffer *buffer, struct lp_span span)
{
	return lp_buffer_add(buffer, span.bytes, span.len);
}

static int add_field(struct lp_buffer *buffer, struct lp_span name, struct lp_span value)
{
	int r = add_span(buffer, name);

	if (r == 0)
		r = lp_buffer_add_text(buffer, ": ");
	if (r == 0)
		r = add_span(buffer, value);
	return r < 0 ? r : lp_buffer_add_text(buffer, "\r\n");
}

static int add_fields(struct lp_buffer *buffer, const struct lp_http_head *head)
{
	struct lp_span rest = head->fields;
	struct lp_http_field field;
	int r = 0;

	while (r == 0 && lp_http_next_field(&rest, &field))
		if (!is_dropped(field.name) && !is_named(head->fields, field.name))
			r = add_field(buffer, field.name, field.value);
	return r;
}

/* The framing, the fate of the connection, and the empty line. */
static int add_end(struct lp_buffer *buffer, const struct lp_forward *forward)
{
	static const uint8_t upgrade[] = "Upgrade";
	const struct lp_http_head *head = forward->head;
	int r = 0;

	if (head->chunked && !forward->bodyless)
		r = lp_buffer_add_text(buffer, "Transfer-Encoding: chunked\r\n");
	else if (head->has_length)
		r = lp_buffer_addf(
			buffer, "Content-Length: %llu\r\n", (unsigned long long)head->length);
	if (r == 0 && forward->upgrade)
		r = lp_buffer_add_text(buffer, "Connection: Upgrade\r\n");
	else if (r == 0 && forward->close)
		r = lp_buffer_add_text(buffer, "Connection: close\r\n");
	else if (r == 0 && forward->keep_alive)
		r = lp_buffer_add_text(buffer, "Connection: keep-alive\r\n");
	if (r == 0 && forward->upgrade)
		r = add_field(buffer, (struct lp_span){upgrade, 7}, head->upgrade);
	return r < 0 ? r : lp_buffer_add_text(buffer, "\r\n");
}

int lp_forward_authority(struct lp_buffer *buffer, const char *host, unsigned port, bool is_http)
{
	const char *format = strchr(host, ':') ? "[%s]" : "%s";
	int r = lp_buffer_addf(buffer, format, host);

	if (r == 0 && !(is_http && port == 80))
		r = lp_buffer_addf(buffer, ":%u", port);
	return r;
}

static int add_target(struct lp_buffer *buffer, const struct lp_forward *forward)
{
	struct lp_span path = forward->path;
	int r = 0;

	if (forward->upstream) {
		r = lp_buffer_add_text(buffer, "http://");
		if (r == 0)
			r = lp_forward_authority(buffer, forward->host, forward->port, true);
	} else if (!path.len && lp_span_is(forward->head->method, "OPTIONS")) {
		return lp_buffer_add_text(buffer, "*");
	}
	if (r == 0 && (!path.len || path.bytes[0] != '/'))
		r = lp_buffer_add_text(buffer, "/");
	return r < 0 ? r : add_span(buffer, path);
}

int lp_forward_request(const struct lp_forward *forward, struct lp_buffer *buffer)
{
	const struct lp_http_head *head = forward->head;
	int r = add_span(buffer, head->method);

	if (r == 0)
		r = lp_buffer_add_text(buffer, " ");
	if (r == 0)
		r = add_target(buffer, forward);
	if (r == 0)
		r = lp_buffer_addf(buffer, " HTTP/1.%u\r\nHost: ", head->minor);
	if (r == 0)
		r = lp_forward_authority(buffer, forward->host, forward->port, true);
	if (r == 0)
		r = lp_buffer_add_text(buffer, "\r\n");
	if (r == 0)
		r = add_fields(buffer, head);
	if (r == 0 && forward->upstream && forward->upstream->authorization)
		r = lp_buffer_addf(
			buffer, "Proxy-Authorization: %s\r\n", forward->upstream->authorization);
	return r < 0 ? r : add_end(buffer, forward);
}

int lp_forward_response(const struct lp_forward *forward, struct lp_buffer *buffer)
{
	int r = lp_buffer_addf(buffer, "HTTP/1.1 %u ", forward->head->status);

	if (r == 0)
		r = add_span(buffer, forward->head->reason);
	if (r == 0)
		r = lp_buffer_add_text(buffer, "\r\n");
	if (r == 0)
		r = add_fields(buffer, forward->head);
	return r < 0 ? r : add_end(buffer, forward);
}
