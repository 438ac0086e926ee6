/*
 * The framing of HTTP/1 bodies: where a body ends, and whether its chunks are sound.
 *
 * Runs in the proxy, on bytes of the agent and of any server, both hostile. Chunks are passed on as
 * they came, so what a laxer reader could take for another chunk or end is refused here.
 */
#include <string.h>

#include "wire/wire.h"

#define CHUNK_LINE_MAX 4096
#define TRAILERS_MAX   16384

enum {
	SIZE = 0,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* at the start of a line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	ENDED,
	BROKEN,
};

static struct lp_http_body make_body(const struct lp_http_head *head)
{
	struct lp_http_body body = {0};

	if (head->chunked) {
		body.framing = LP_HTTP_CHUNKED;
	} else if (head->has_length && head->length) {
		body.framing = LP_HTTP_LENGTH;
		body.left = head->length;
	}
	body.done = body.framing == LP_HTTP_NONE;
	return body;
}

struct lp_http_body lp_http_request_body(const struct lp_http_head *head)
{
	return make_body(head);
}

struct lp_http_body lp_http_response_body(const struct lp_http_head *head, bool to_head)
{
	struct lp_http_body none = {.done = true};

	if (to_head || head->status < 200 || head->status == 204 || head->status == 304)
		return none;
	if (!head->chunked && !head->has_length)
		return (struct lp_http_body){.framing = LP_HTTP_UNTIL_CLOSE};
	return make_body(head);
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_text(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* In the line that says a chunk's size. */
static int step_size(struct lp_http_body *body, uint8_t c)
{
	int digit = hex(c);

	if (++body->line > CHUNK_LINE_MAX)
		return BROKEN;
	if (body->state == EXTENSION)
		return c == '\r' ? SIZE_LF : is_text(c) ? EXTENSION : BROKEN;
	if (digit < 0)
		return body->line == 1 ? BROKEN
		       : c == '\r'     ? SIZE_LF
		       : c == ';'      ? EXTENSION
				       : BROKEN;
	if (body->line > 15)
		return BROKEN;
	body->left = body->left << 4 | (unsigned)digit;
	return SIZE;
}

static int step_trailer(struct lp_http_body *body, uint8_t c)
{
	static const char tokens[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (++body->trailers > TRAILERS_MAX)
		return BROKEN;
	switch (body->state) {
	case TRAILER:
		if (c == '\r')
			return LAST_LF;
		return memchr(tokens, c, sizeof(tokens) - 1) ? TRAILER_NAME : BROKEN;
	case TRAILER_NAME:
		if (c == ':')
			return TRAILER_VALUE;
		return memchr(tokens, c, sizeof(tokens) - 1) ? TRAILER_NAME : BROKEN;
	case TRAILER_VALUE:
		return c == '\r' ? TRAILER_LF : is_text(c) ? TRAILER_VALUE : BROKEN;
	case TRAILER_LF:
		return c == '\n' ? TRAILER : BROKEN;
	default:
		return c == '\n' ? ENDED : BROKEN;
	}
}

/* One byte that is not data. */
static int step(struct lp_http_body *body, uint8_t c)
{
	switch (body->state) {
	case SIZE:
	case EXTENSION:
		return step_size(body, c);
	case SIZE_LF:
		body->line = 0;
		return c != '\n' ? BROKEN : body->left ? DATA : TRAILER;
	case DATA_CR:
		return c == '\r' ? DATA_LF : BROKEN;
	case DATA_LF:
		return c == '\n' ? SIZE : BROKEN;
	case ENDED:
	case BROKEN:
		return BROKEN;
	default:
		return step_trailer(body, c);
	}
}

static size_t take_data(struct lp_http_body *body, size_t len)
{
	size_t n = body->left < len ? (size_t)body->left : len;

	body->left -= n;
	return n;
}

static enum lp_parse scan_chunks(
	struct lp_http_body *body, const uint8_t *buf, size_t len, size_t *ret_len)
{
	size_t at = 0;

	while (at < len && body->state != ENDED) {
		if (body->state == DATA) {
			at += take_data(body, len - at);
			if (body->left == 0)
				body->state = DATA_CR;
			continue;
		}
		body->state = step(body, buf[at++]);
		if (body->state == BROKEN)
			return LP_PARSE_BAD;
	}
	*ret_len = at;
	body->done = body->state == ENDED;
	return body->done ? LP_PARSE_OK : LP_PARSE_MORE;
}

enum lp_parse lp_http_body_scan(
	struct lp_http_body *body, const uint8_t *buf, size_t len, size_t *ret_len)
{
	switch (body->done ? LP_HTTP_NONE : body->framing) {
	case LP_HTTP_CHUNKED:
		return scan_chunks(body, buf, len, ret_len);
	case LP_HTTP_LENGTH:
		*ret_len = take_data(body, len);
		body->done = body->left == 0;
		return body->done ? LP_PARSE_OK : LP_PARSE_MORE;
	case LP_HTTP_UNTIL_CLOSE:
		*ret_len = len;
		return LP_PARSE_MORE;
	default:
		*ret_len = 0;
		return LP_PARSE_OK;
	}
}
