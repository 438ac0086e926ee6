/*
 * Fuzzes the parsers of HTTP: heads, targets, bodies. A head that is OK must be so in every split,
 * its fields must not hold what could end a line, and a body ends at the same place however it is
 * cut.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(struct lp_span span, const uint8_t *data, size_t size)
{
	if (!span.bytes)
		return;
	MUST(span.bytes >= data && span.bytes + span.len <= data + size);
	for (size_t i = 0; i < span.len; i++)
		MUST(span.bytes[i] != '\r' && span.bytes[i] != '\n' && span.bytes[i] != '\0');
}

static void check_body(struct lp_http_body body, const uint8_t *data, size_t size)
{
	struct lp_http_body whole = body;
	size_t len = 0, sum = 0, part;
	enum lp_parse r = lp_http_body_scan(&whole, data, size, &len), s = LP_PARSE_MORE;

	MUST(r == LP_PARSE_BAD || len <= size);
	for (size_t i = 0; i < size && s == LP_PARSE_MORE; i++) {
		s = lp_http_body_scan(&body, data + i, 1, &part);
		if (s != LP_PARSE_BAD)
			sum += part;
	}
	if (size)
		MUST(r == s && (r == LP_PARSE_BAD || sum == len));
}

static void check_head(const uint8_t *data, size_t size, bool response)
{
	enum lp_parse (*parse)(const uint8_t *, size_t, struct lp_http_head *) =
		response ? lp_http_response : lp_http_request;
	struct lp_http_head head, again;
	struct lp_http_target target;
	struct lp_http_field field;
	struct lp_span rest;

	if (parse(data, size, &head) != LP_PARSE_OK)
		return;
	MUST(head.size <= size && head.size <= LP_HTTP_HEAD_MAX);
	MUST(!(head.chunked && head.has_length));
	MUST(parse(data, head.size, &again) == LP_PARSE_OK && again.size == head.size);
	for (size_t i = 0; i < head.size; i += head.size / 16 + 1)
		MUST(parse(data, i, &again) == LP_PARSE_MORE);
	check_span(head.method, data, size);
	check_span(head.target, data, size);
	check_span(head.reason, data, size);
	rest = head.fields;
	while (lp_http_next_field(&rest, &field)) {
		check_span(field.name, data, size);
		check_span(field.value, data, size);
		lp_http_list_has(field.value, field.name);
	}
	MUST(rest.len == 0);
	if (head.target.bytes) {
		if (lp_http_absolute(head.target, &target) == 0)
			check_span(target.host, data, size);
		if (lp_http_authority(head.target, &target) == 0)
			check_span(target.host, data, size);
	}
	check_body(response ? lp_http_response_body(&head, false) : lp_http_request_body(&head),
		data + head.size, size - head.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* of exact size, so that a read behind the end is seen */
	uint8_t *copy = calloc(1, size ? size : 1);

	MUST(copy);
	if (size)
		memcpy(copy, data, size);
	check_head(copy, size, false);
	check_head(copy, size, true);
	check_body((struct lp_http_body){.framing = LP_HTTP_CHUNKED}, copy, size);
	free(copy);
	return 0;
}
