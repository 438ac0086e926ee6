/* http.c and http-body.c: what is taken for a head, a target, a body, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/wire.h"

static const char *const names[] = {"bad", "more", "ok"};

static const struct {
	const char *text;
	enum lp_parse request, response;
} heads[] = {
	{"GET / HTTP/1.1\r\n\r\n", LP_PARSE_OK, LP_PARSE_BAD},
	{"GET / HTTP/1.0\r\nA:b\r\nC: \t d \r\n\r\nrest", LP_PARSE_OK, LP_PARSE_BAD},
	{"", LP_PARSE_MORE, LP_PARSE_MORE},
	{"GET / HTTP/1.1\r\n", LP_PARSE_MORE, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nA: b\r\n", LP_PARSE_MORE, LP_PARSE_BAD},
	{"GET / HTTP/1.2\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET  / HTTP/1.1\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1 \r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{" GET / HTTP/1.1\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"\r\nGET / HTTP/1.1\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"G(T", LP_PARSE_BAD, LP_PARSE_MORE},
	{"GET /\x80 HTTP/1.1\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nA: b\x80\r\n\r\n", LP_PARSE_OK, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nA\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\n: b\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nA : b\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\n A: b\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\nA: b\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", LP_PARSE_BAD,
		LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n", LP_PARSE_BAD,
		LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"GET / HTTP/1.1\r\nTransfer-Encoding: \x0b"
	 "chunked\r\n\r\n",
		LP_PARSE_BAD, LP_PARSE_BAD},
	{"HTTP/1.1 200 OK\r\n\r\n", LP_PARSE_BAD, LP_PARSE_OK},
	{"HTTP/1.1 200\r\n\r\n", LP_PARSE_BAD, LP_PARSE_OK},
	{"HTTP/1.1 200 \r\n\r\n", LP_PARSE_BAD, LP_PARSE_OK},
	{"HTTP/1.1 2000 OK\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"HTTP/1.1 20 OK\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"HTTP/1.1 600 OK\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"HTTP/2 200 OK\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
	{"ICY 200 OK\r\n\r\n", LP_PARSE_BAD, LP_PARSE_BAD},
};

static void test_heads(void **state)
{
	struct lp_http_head head;

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(heads); i++) {
		const uint8_t *text = (const uint8_t *)heads[i].text;
		enum lp_parse request = lp_http_request(text, strlen(heads[i].text), &head);
		enum lp_parse response = lp_http_response(text, strlen(heads[i].text), &head);

		if (request != heads[i].request || response != heads[i].response)
			fail_msg("%s: %s, %s", heads[i].text, names[request], names[response]);
	}
}

static void test_fields(void **state)
{
	static const char text[] =
		"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive, Upgrade\r\n"
		"CONNECTION: close\r\nUpgrade: h2c\r\nContent-Length: 12\r\n\r\n";
	struct lp_http_field field;
	struct lp_http_head head;
	size_t count = 0;

	(void)state;
	assert_int_equal(
		lp_http_request((const uint8_t *)text, sizeof(text) - 1, &head), LP_PARSE_OK);
	assert_int_equal(head.size, sizeof(text) - 1);
	assert_true(head.close && head.keep_alive && head.asks_upgrade && head.has_length);
	assert_int_equal(head.length, 12);
	assert_true(lp_span_is(head.host, "a") && lp_span_is(head.upgrade, "H2C"));
	while (lp_http_next_field(&head.fields, &field))
		count++;
	assert_int_equal(count, 5);
}

static void test_longest(void **state)
{
	size_t size = LP_HTTP_HEAD_MAX + 100, len;
	uint8_t *text = malloc(size);
	struct lp_http_head head;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', size);
	memcpy(text, "GET / HTTP/1.1\r\nA: ", 19);
	memcpy(text + LP_HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(lp_http_request(text, size, &head), LP_PARSE_OK);
	memcpy(text + LP_HTTP_HEAD_MAX - 4, "a\r\n\r\n", 5);
	assert_int_equal(lp_http_request(text, size, &head), LP_PARSE_MORE);
	len = 16;
	for (size_t i = 0; i <= LP_HTTP_FIELDS_MAX; i++, len += 4) {
		memcpy(text + len, "a:\r\n\r\n", 6);
		assert_int_equal(lp_http_request(text, len + 6, &head),
			i < LP_HTTP_FIELDS_MAX ? LP_PARSE_OK : LP_PARSE_BAD);
	}
	free(text);
}

static const struct {
	const char *text, *host, *path;
	unsigned port;
	bool authority, https;
} targets[] = {
	{"http://h/", "h", "/", 0, false, false},
	{"HTTP://h:80", "h", "", 80, false, false},
	{"https://h?q", "h", "?q", 0, false, true},
	{"http://[::1]:8080/x", "::1", "/x", 8080, false, false},
	{"h:443", "h", "", 443, true, false},
	{"[fe80::1]:1", "fe80::1", "", 1, true, false},
	{"h", "h", "", 0, true, false},
	{"h:", NULL, "", 0, true, false},
	{"h:0", NULL, "", 0, true, false},
	{"h:65536", NULL, "", 0, true, false},
	{"h:+1", NULL, "", 0, true, false},
	{"h:1:2", NULL, "", 0, true, false},
	{":1", NULL, "", 0, true, false},
	{"", NULL, "", 0, true, false},
	{"[h]:1", NULL, "", 0, true, false},
	{"[::1", NULL, "", 0, true, false},
	{"[::1]x", NULL, "", 0, true, false},
	{"[::1]:", NULL, "", 0, true, false},
	{"a@h:1", NULL, "", 0, true, false},
	{"http://", NULL, "", 0, false, false},
	{"http:///x", NULL, "", 0, false, false},
	{"http:h", NULL, "", 0, false, false},
	{"ftp://h/", NULL, "", 0, false, false},
	{"http://a@h/", NULL, "", 0, false, false},
	{"http://h/x#y", NULL, "", 0, false, false},
	{"http://h\\x", NULL, "", 0, false, false},
	{"/x", NULL, "", 0, false, false},
};

static void test_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(targets); i++) {
		struct lp_span text = {(const uint8_t *)targets[i].text, strlen(targets[i].text)};
		struct lp_http_target target = {0};
		int r = targets[i].authority ? lp_http_authority(text, &target)
					     : lp_http_absolute(text, &target);

		if (r != (targets[i].host ? 0 : -EINVAL))
			fail_msg("%s: %d", targets[i].text, r);
		if (targets[i].host && (!lp_span_is(target.host, targets[i].host) ||
					       target.port != targets[i].port ||
					       target.https != targets[i].https ||
					       !lp_span_is(target.path, targets[i].path)))
			fail_msg("%s is read wrongly", targets[i].text);
	}
}

static const struct {
	const char *text;
	enum lp_parse result;
	size_t len;
} chunks[] = {
	{"5\r\nhello\r\n0\r\n\r\nGET", LP_PARSE_OK, 15},
	{"0\r\n\r\n", LP_PARSE_OK, 5},
	{"000\r\nA: b\r\n\r\nx", LP_PARSE_OK, 13},
	{"A;x=\"y\" ;z\r\n0123456789\r\n0\r\n\r\n", LP_PARSE_OK, 29},
	{"5\r\nhel", LP_PARSE_MORE, 6},
	{"", LP_PARSE_MORE, 0},
	{"5\nhello\n0\n\n", LP_PARSE_BAD, 0},
	{"5\r\nhello0\r\n\r\n", LP_PARSE_BAD, 0},
	{"5\r\nhelloo\r\n", LP_PARSE_BAD, 0},
	{"\r\n", LP_PARSE_BAD, 0},
	{";x\r\n", LP_PARSE_BAD, 0},
	{"0x5\r\n", LP_PARSE_BAD, 0},
	{" 5\r\n", LP_PARSE_BAD, 0},
	{"5 \r\n", LP_PARSE_BAD, 0},
	{"-1\r\n", LP_PARSE_BAD, 0},
	{"5;a\nb\r\n", LP_PARSE_BAD, 0},
	{"5\rx", LP_PARSE_BAD, 0},
	{"10000000000000005\r\n", LP_PARSE_BAD, 0},
	{"0\r\nno colon\r\n\r\n", LP_PARSE_BAD, 0},
	{"0\r\nA: b\r\n c\r\n\r\n", LP_PARSE_BAD, 0},
	{"0\r\n\rx", LP_PARSE_BAD, 0},
};

static void test_chunks(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(chunks); i++) {
		struct lp_http_body body = {.framing = LP_HTTP_CHUNKED};
		size_t len = 0;
		enum lp_parse r = lp_http_body_scan(
			&body, (const uint8_t *)chunks[i].text, strlen(chunks[i].text), &len);

		if (r != chunks[i].result || len != chunks[i].len)
			fail_msg("%s: %s, %zu", chunks[i].text, names[r], len);
		assert_int_equal(body.done, r == LP_PARSE_OK);
	}
}

static void test_framing(void **state)
{
	static const struct {
		const char *text;
		bool to_head;
		enum lp_http_framing framing;
	} cases[] = {
		{"HTTP/1.1 200 \r\n\r\n", false, LP_HTTP_UNTIL_CLOSE},
		{"HTTP/1.1 200 \r\n\r\n", true, LP_HTTP_NONE},
		{"HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", false, LP_HTTP_NONE},
		{"HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", false, LP_HTTP_NONE},
		{"HTTP/1.1 100 \r\n\r\n", false, LP_HTTP_NONE},
		{"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", true, LP_HTTP_NONE},
		{"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", false, LP_HTTP_LENGTH},
		{"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, LP_HTTP_NONE},
		{"HTTP/1.1 500 \r\nTransfer-Encoding: Chunked\r\n\r\n", false, LP_HTTP_CHUNKED},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		struct lp_http_head head;
		struct lp_http_body body;

		assert_int_equal(lp_http_response((const uint8_t *)cases[i].text,
					 strlen(cases[i].text), &head),
			LP_PARSE_OK);
		body = lp_http_response_body(&head, cases[i].to_head);
		if (body.framing != cases[i].framing || body.done != (body.framing == LP_HTTP_NONE))
			fail_msg("%s: %d", cases[i].text, body.framing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_framing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
