/*
 * Heads of HTTP/1 requests and responses, and the targets in them.
 *
 * Runs in the proxy. Requests come from the agent, responses from any server: both are hostile,
 * and what one reader could understand otherwise than the next is refused (request smuggling).
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "wire/wire.h"

#define METHOD_MAX 32

bool lp_span_is(struct lp_span span, const char *text)
{
	return span.len == strlen(text) && !strncasecmp((const char *)span.bytes, text, span.len);
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_token(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct lp_span trimmed(struct lp_span span)
{
	while (span.len && is_space(span.bytes[0])) {
		span.bytes++;
		span.len--;
	}
	while (span.len && is_space(span.bytes[span.len - 1]))
		span.len--;
	return span;
}

/* Splits at the first `at`; false, with nothing changed, if there is none. */
static bool split(struct lp_span *rest, uint8_t at, struct lp_span *ret_first)
{
	const uint8_t *end = rest->len ? memchr(rest->bytes, at, rest->len) : NULL;

	if (!end)
		return false;
	*ret_first = (struct lp_span){rest->bytes, (size_t)(end - rest->bytes)};
	rest->len -= ret_first->len + 1;
	rest->bytes = end + 1;
	return true;
}

/* The next line without its CRLF. */
static enum lp_parse next_line(struct lp_span *rest, struct lp_span *ret_line)
{
	if (!split(rest, '\n', ret_line))
		return rest->len && memchr(rest->bytes, '\0', rest->len) ? LP_PARSE_BAD
									 : LP_PARSE_MORE;
	if (!ret_line->len || ret_line->bytes[ret_line->len - 1] != '\r')
		return LP_PARSE_BAD;
	ret_line->len--;
	for (size_t i = 0; i < ret_line->len; i++) {
		uint8_t c = ret_line->bytes[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return LP_PARSE_BAD;
	}
	return LP_PARSE_OK;
}

/* ---- fields -----------------------------------------------------------------------------------
 */

bool lp_http_list_has(struct lp_span list, struct lp_span token)
{
	for (;;) {
		struct lp_span item;
		bool last = !split(&list, ',', &item);

		item = trimmed(last ? list : item);
		if (item.len == token.len && token.len &&
			!strncasecmp(
				(const char *)item.bytes, (const char *)token.bytes, token.len))
			return true;
		if (last)
			return false;
	}
}

static bool list_has(struct lp_span list, const char *token)
{
	return lp_http_list_has(list, (struct lp_span){(const uint8_t *)token, strlen(token)});
}

static bool parse_field(struct lp_span line, struct lp_http_field *ret_field)
{
	if (!split(&line, ':', &ret_field->name) || !ret_field->name.len)
		return false;
	for (size_t i = 0; i < ret_field->name.len; i++)
		if (!is_token(ret_field->name.bytes[i]))
			return false;
	ret_field->value = trimmed(line);
	return true;
}

bool lp_http_next_field(struct lp_span *fields, struct lp_http_field *ret_field)
{
	struct lp_span line;

	return next_line(fields, &line) == LP_PARSE_OK && parse_field(line, ret_field);
}

static bool parse_length(struct lp_span text, uint64_t *ret_length)
{
	uint64_t length = 0;

	if (!text.len || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.bytes[i]))
			return false;
		length = 10 * length + (text.bytes[i] - '0');
	}
	*ret_length = length;
	return true;
}

/* What a field means for the framing and the connection; false if it must not be there. */
static bool note_field(struct lp_http_head *head, const struct lp_http_field *field)
{
	if (lp_span_is(field->name, "content-length")) {
		if (head->has_length || !parse_length(field->value, &head->length))
			return false;
		head->has_length = true;
	} else if (lp_span_is(field->name, "transfer-encoding")) {
		if (head->chunked || !head->minor || !lp_span_is(field->value, "chunked"))
			return false;
		head->chunked = true;
	} else if (lp_span_is(field->name, "host")) {
		if (head->host.bytes)
			return false;
		head->host = field->value;
	} else if (lp_span_is(field->name, "upgrade")) {
		if (head->upgrade.bytes)
			return false;
		head->upgrade = field->value;
	} else if (lp_span_is(field->name, "connection") ||
		   lp_span_is(field->name, "proxy-connection")) {
		head->close |= list_has(field->value, "close");
		head->keep_alive |= list_has(field->value, "keep-alive");
		head->asks_upgrade |= list_has(field->value, "upgrade");
	}
	return true;
}

static enum lp_parse parse_fields(struct lp_span *rest, struct lp_http_head *head)
{
	const uint8_t *first = rest->bytes;

	for (size_t count = 0; count <= LP_HTTP_FIELDS_MAX; count++) {
		struct lp_http_field field;
		struct lp_span line;
		enum lp_parse r = next_line(rest, &line);

		if (r != LP_PARSE_OK)
			return r;
		if (!line.len) {
			head->fields = (struct lp_span){first, (size_t)(line.bytes - first)};
			return head->chunked && head->has_length ? LP_PARSE_BAD : LP_PARSE_OK;
		}
		/* a folded line starts with a space, which is in no name */
		if (!parse_field(line, &field) || !note_field(head, &field))
			return LP_PARSE_BAD;
	}
	return LP_PARSE_BAD;
}

/* ---- start lines ------------------------------------------------------------------------------
 */

static bool parse_version(struct lp_span text, struct lp_http_head *head)
{
	if (text.len != 8 || memcmp(text.bytes, "HTTP/1.", 7) != 0 ||
		(text.bytes[7] != '0' && text.bytes[7] != '1'))
		return false;
	head->minor = text.bytes[7] - '0';
	return true;
}

static bool parse_request_line(struct lp_span line, struct lp_http_head *head)
{
	if (!split(&line, ' ', &head->method) || !split(&line, ' ', &head->target))
		return false;
	if (!head->method.len || head->method.len > METHOD_MAX || !head->target.len)
		return false;
	for (size_t i = 0; i < head->method.len; i++)
		if (!is_token(head->method.bytes[i]))
			return false;
	for (size_t i = 0; i < head->target.len; i++)
		if (head->target.bytes[i] <= ' ' || head->target.bytes[i] > '~')
			return false;
	return parse_version(line, head);
}

static bool parse_status_line(struct lp_span line, struct lp_http_head *head)
{
	struct lp_span version;

	if (!split(&line, ' ', &version) || !parse_version(version, head))
		return false;
	if (line.len < 3 || line.bytes[0] < '1' || line.bytes[0] > '5' ||
		!is_digit(line.bytes[1]) || !is_digit(line.bytes[2]))
		return false;
	if (line.len > 3 && line.bytes[3] != ' ')
		return false;
	head->status =
		(line.bytes[0] - '0') * 100U + (line.bytes[1] - '0') * 10U + (line.bytes[2] - '0');
	head->reason = line.len > 4 ? (struct lp_span){line.bytes + 4, line.len - 4}
				    : (struct lp_span){line.bytes, 0};
	return true;
}

/* Whether an unfinished first line may become a request: other protocols are known at once. */
static bool may_be_request(struct lp_span text)
{
	for (size_t i = 0; i < text.len && text.bytes[i] != ' '; i++)
		if (i >= METHOD_MAX || !is_token(text.bytes[i]))
			return false;
	return true;
}

static enum lp_parse parse_head(const uint8_t *buf, size_t len,
	bool (*parse_start)(struct lp_span, struct lp_http_head *), struct lp_http_head *ret_head)
{
	struct lp_span rest = {buf, len < LP_HTTP_HEAD_MAX ? len : LP_HTTP_HEAD_MAX};
	struct lp_http_head head = {0};
	struct lp_span line;
	enum lp_parse r = next_line(&rest, &line);

	if (r == LP_PARSE_OK && !parse_start(line, &head))
		return LP_PARSE_BAD;
	if (r == LP_PARSE_OK)
		r = parse_fields(&rest, &head);
	if (r == LP_PARSE_OK) {
		head.size = (size_t)(rest.bytes - buf);
		*ret_head = head;
	}
	return r;
}

enum lp_parse lp_http_request(const uint8_t *buf, size_t len, struct lp_http_head *ret_head)
{
	if (!may_be_request((struct lp_span){buf, len}))
		return LP_PARSE_BAD;
	return parse_head(buf, len, parse_request_line, ret_head);
}

enum lp_parse lp_http_response(const uint8_t *buf, size_t len, struct lp_http_head *ret_head)
{
	return parse_head(buf, len, parse_status_line, ret_head);
}

/* ---- targets ----------------------------------------------------------------------------------
 */

static int parse_port(struct lp_span text, unsigned *ret_port)
{
	uint64_t port;

	if (text.len > 5 || !parse_length(text, &port) || port == 0 || port > 65535)
		return -EINVAL;
	*ret_port = (unsigned)port;
	return 0;
}

int lp_http_authority(struct lp_span text, struct lp_http_target *ret_target)
{
	struct lp_http_target target = {0};
	int r = 0;

	if (text.len && text.bytes[0] == '[') {
		text.bytes++;
		text.len--;
		if (!split(&text, ']', &target.host))
			return -EINVAL;
		/* only an address stands in brackets */
		if (!memchr(target.host.bytes, ':', target.host.len))
			return -EINVAL;
		if (text.len && text.bytes[0] != ':')
			return -EINVAL;
		if (text.len)
			r = parse_port(
				(struct lp_span){text.bytes + 1, text.len - 1}, &target.port);
	} else if (split(&text, ':', &target.host)) {
		r = parse_port(text, &target.port);
	} else {
		target.host = text;
	}
	if (r < 0 || !target.host.len || memchr(target.host.bytes, '@', target.host.len))
		return -EINVAL;
	*ret_target = target;
	return 0;
}

int lp_http_absolute(struct lp_span text, struct lp_http_target *ret_target)
{
	struct lp_http_target target;
	struct lp_span authority, path;
	size_t skip, len = 0;
	int r;

	if (text.len > 7 && !strncasecmp((const char *)text.bytes, "http://", 7))
		skip = 7;
	else if (text.len > 8 && !strncasecmp((const char *)text.bytes, "https://", 8))
		skip = 8;
	else
		return -EINVAL;
	authority = (struct lp_span){text.bytes + skip, text.len - skip};
	while (len < authority.len && !memchr("/?#\\", authority.bytes[len], 4))
		len++;
	path = (struct lp_span){authority.bytes + len, authority.len - len};
	/* a fragment is never sent, and a backslash is a slash for browsers only */
	if (memchr(path.bytes, '#', path.len) || (path.len && path.bytes[0] == '\\'))
		return -EINVAL;
	r = lp_http_authority((struct lp_span){authority.bytes, len}, &target);
	if (r < 0)
		return r;
	target.https = skip == 8;
	target.path = path;
	*ret_target = target;
	return 0;
}
