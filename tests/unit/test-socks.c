/* socks.c: each message in every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/wire.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void test_greeting(void **state)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		enum lp_parse result;
		uint8_t method;
	} cases[] = {
		{BYTES(""), LP_PARSE_MORE, 0},
		{BYTES("\5"), LP_PARSE_MORE, 0},
		{BYTES("\5\2\0"), LP_PARSE_MORE, 0},
		{BYTES("\5\2\0\2"), LP_PARSE_OK, LP_SOCKS_NO_AUTH},
		{BYTES("\5\2\2\0"), LP_PARSE_OK, LP_SOCKS_NO_AUTH},
		{BYTES("\5\1\2rest"), LP_PARSE_OK, LP_SOCKS_PASSWORD},
		{BYTES("\5\1\1"), LP_PARSE_OK, LP_SOCKS_NO_METHOD},
		{BYTES("\5\0"), LP_PARSE_BAD, 0},
		{BYTES("\4\1"), LP_PARSE_BAD, 0},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		uint8_t method = 0;
		size_t size = 0;

		assert_int_equal(lp_socks_greeting(cases[i].bytes, cases[i].len, &size, &method),
			cases[i].result);
		if (cases[i].result == LP_PARSE_OK) {
			assert_int_equal(method, cases[i].method);
			assert_int_equal(size, 2U + cases[i].bytes[1]);
		}
	}
}

static void test_password(void **state)
{
	static const uint8_t bytes[] = "\1\3abc\4defg";
	size_t size = 0;

	(void)state;
	for (size_t len = 0; len < sizeof(bytes) - 1; len++)
		assert_int_equal(lp_socks_password(bytes, len, &size), LP_PARSE_MORE);
	assert_int_equal(lp_socks_password(bytes, sizeof(bytes), &size), LP_PARSE_OK);
	assert_int_equal(size, sizeof(bytes) - 1);
	assert_int_equal(lp_socks_password(BYTES("\1\0\0"), &size), LP_PARSE_OK);
	assert_int_equal(lp_socks_password(BYTES("\5"), &size), LP_PARSE_BAD);
}

static void test_request(void **state)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		unsigned port;
		size_t address_len;
	} cases[] = {
		{BYTES("\5\1\0\1\x7f\0\0\1\x1\xbb"), 443, 4},
		{BYTES("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50"), 80, 16},
		{BYTES("\5\1\0\3\7ok.test\xff\xff"), 65535, 7},
	};
	struct lp_socks_request request;

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		for (size_t len = 0; len < cases[i].len; len++)
			assert_int_equal(
				lp_socks_request(cases[i].bytes, len, &request), LP_PARSE_MORE);
		assert_int_equal(
			lp_socks_request(cases[i].bytes, cases[i].len, &request), LP_PARSE_OK);
		assert_int_equal(request.port, cases[i].port);
		assert_int_equal(request.size, cases[i].len);
		assert_int_equal(request.address.len, cases[i].address_len);
	}
	assert_int_equal(lp_socks_request(BYTES("\5\1\0\3\0\0\x50"), &request), LP_PARSE_BAD);
	assert_int_equal(lp_socks_request(BYTES("\5\1\1"), &request), LP_PARSE_BAD);
	assert_int_equal(lp_socks_request(BYTES("\4\1"), &request), LP_PARSE_BAD);
	assert_int_equal(lp_socks_request(BYTES("\5\1\0\2x"), &request), LP_PARSE_OK);
	assert_null(request.address.bytes);
}

static void test_answers(void **state)
{
	static const struct {
		const uint8_t *bytes;
		size_t len, size;
	} cases[] = {
		{BYTES("\5\0\5\0\0\1\0\0\0\0\0\0rest"), 12},
		{BYTES("\5\0\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50"), 24},
		{BYTES("\5\0\5\0\0\3\4host\0\x50"), 13},
		{BYTES("\5\0\5\0\0\3\0\0\x50"), 9},
	};
	static const struct {
		const uint8_t *bytes;
		size_t len;
	} bad[] = {
		{BYTES("\4")},                           /* another version */
		{BYTES("HTTP/1.1 400")},                 /* another protocol */
		{BYTES("\5\2")},                         /* wants a password */
		{BYTES("\5\xff")},                       /* takes no method */
		{BYTES("\5\0\4")},                       /* another version */
		{BYTES("\5\0\5\2")},                     /* refuses */
		{BYTES("\5\0\5\0\0\2\0\0\0\0\0\0\0\0")}, /* an address of no kind */
	};
	size_t size = 0;

	(void)state;
	assert_int_equal(lp_socks_answers(NULL, 0, &size), LP_PARSE_MORE);
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		for (size_t len = 0; len < cases[i].size; len++)
			assert_int_equal(
				lp_socks_answers(cases[i].bytes, len, &size), LP_PARSE_MORE);
		assert_int_equal(
			lp_socks_answers(cases[i].bytes, cases[i].len, &size), LP_PARSE_OK);
		assert_int_equal(size, cases[i].size);
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(bad); i++)
		assert_int_equal(lp_socks_answers(bad[i].bytes, bad[i].len, &size), LP_PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("socks", tests, NULL, NULL);
}
