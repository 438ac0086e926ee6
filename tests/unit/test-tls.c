/* tls.c: ClientHellos that are whole, cut, and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/wire.h"

static const char *const names[] = {"bad", "more", "ok"};

static void put(uint8_t *bytes, size_t *len, const void *from, size_t count)
{
	if (count)
		memcpy(bytes + *len, from, count);
	*len += count;
}

static void put16(uint8_t *bytes, size_t *len, size_t number)
{
	put(bytes, len, (const uint8_t[]){(uint8_t)(number >> 8), (uint8_t)number}, 2);
}

/* A hello with these extensions, in records of at most `record` bytes. */
static size_t make_hello(
	const uint8_t *extensions, size_t extensions_len, size_t record, uint8_t *ret_bytes)
{
	static uint8_t hello[40000];
	size_t len = 0, out = 0;

	put(hello, &len, "\1\0\0\0\3\3", 6);
	memset(hello + len, 'r', 32);
	len += 32;
	put(hello, &len, "\0\0\4\x0a\x0a\x13\1\1\0", 9);
	put16(hello, &len, extensions_len);
	put(hello, &len, extensions, extensions_len);
	hello[1] = (uint8_t)((len - 4) >> 16);
	hello[2] = (uint8_t)((len - 4) >> 8);
	hello[3] = (uint8_t)(len - 4);
	for (size_t at = 0; at < len; at += record) {
		size_t part = len - at < record ? len - at : record;

		put(ret_bytes, &out, "\x16\3\1", 3);
		put16(ret_bytes, &out, part);
		put(ret_bytes, &out, hello + at, part);
	}
	return out;
}

static size_t make_name(const char *name, size_t name_len, uint8_t *ret_bytes)
{
	size_t len = 0;

	put16(ret_bytes, &len, 0);
	put16(ret_bytes, &len, name_len + 5);
	put16(ret_bytes, &len, name_len + 3);
	put(ret_bytes, &len, "", 1);
	put16(ret_bytes, &len, name_len);
	put(ret_bytes, &len, name, name_len);
	return len;
}

static void test_names(void **state)
{
	static char longest[400];
	const struct {
		const char *name;
		size_t len;
		enum lp_parse result;
		const char *canonical;
	} cases[] = {
		{"ok.test", 7, LP_PARSE_OK, "ok.test"},
		{"OK.Test.", 8, LP_PARSE_OK, "ok.test"},
		{"ok.test\0.x", 10, LP_PARSE_BAD, NULL},
		{"", 0, LP_PARSE_BAD, NULL},
		{"127.0.0.1", 9, LP_PARSE_BAD, NULL},
		{"::1", 3, LP_PARSE_BAD, NULL},
		{"a b", 3, LP_PARSE_BAD, NULL},
		{"*.ok.test", 9, LP_PARSE_BAD, NULL},
		{longest, 300, LP_PARSE_BAD, NULL},
	};
	uint8_t extension[512], bytes[8192];
	char name[LP_HOST_SIZE];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		for (size_t record = 1; record < 500; record = 3 * record + 1) {
			size_t len = make_hello(extension,
				make_name(cases[i].name, cases[i].len, extension), record, bytes);
			enum lp_parse r = lp_tls_server_name(bytes, len, name);

			if (r != cases[i].result)
				fail_msg("%s, %zu: %s", cases[i].name, record, names[r]);
			if (r != LP_PARSE_OK)
				continue;
			assert_string_equal(name, cases[i].canonical);
			for (size_t cut = 0; cut < len; cut++)
				assert_int_equal(
					lp_tls_server_name(bytes, cut, name), LP_PARSE_MORE);
		}
	}
}

static void test_extensions(void **state)
{
	static uint8_t extensions[30000], bytes[60000];
	char name[LP_HOST_SIZE];
	size_t len = 0;

	(void)state;
	/* none; GREASE around the name; the name twice; one that ends too late; a hello too long */
	assert_int_equal(
		lp_tls_server_name(bytes, make_hello(extensions, 0, 99, bytes), name), LP_PARSE_OK);
	assert_string_equal(name, "");
	put(extensions, &len, "\x0a\x0a\0\0", 4);
	len += make_name("ok.test", 7, extensions + len);
	put(extensions, &len, "\x1a\x1a\0\1x", 5);
	assert_int_equal(lp_tls_server_name(bytes, make_hello(extensions, len, 99, bytes), name),
		LP_PARSE_OK);
	assert_string_equal(name, "ok.test");
	len += make_name("b.test", 6, extensions + len);
	assert_int_equal(lp_tls_server_name(bytes, make_hello(extensions, len, 99, bytes), name),
		LP_PARSE_BAD);
	assert_int_equal(lp_tls_server_name(bytes,
				 make_hello((const uint8_t *)"\0\x0a\0\x9x", 5, 99, bytes), name),
		LP_PARSE_BAD);
	assert_int_equal(
		lp_tls_server_name(bytes, make_hello(extensions, 20000, 16384, bytes), name),
		LP_PARSE_BAD);
}

static void test_others(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum lp_parse result;
	} cases[] = {
		{"", 0, LP_PARSE_MORE},
		{"\x16", 1, LP_PARSE_MORE},
		{"\x15\3\1\0\2\2\x28", 7, LP_PARSE_BAD},
		{"\x16\2\1\0\1\1", 6, LP_PARSE_BAD},
		{"\x16\3\1\0\0", 5, LP_PARSE_BAD},
		{"\x16\3\1\x40\1\1", 6, LP_PARSE_BAD},
		{"\x16\3\1\0\1\2", 6, LP_PARSE_BAD},
		{"\x16\3\1\0\4\1\xff\xff\xff", 9, LP_PARSE_BAD},
		{"\x16\3\1\0\4\1\0\0\0", 9, LP_PARSE_BAD},
		{"\x80\x2e\1\0\2", 5, LP_PARSE_BAD},
		{"GET / HTTP", 10, LP_PARSE_BAD},
	};
	char name[LP_HOST_SIZE];

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		enum lp_parse r =
			lp_tls_server_name((const uint8_t *)cases[i].bytes, cases[i].len, name);

		if (r != cases[i].result)
			fail_msg("case %zu: %s", i, names[r]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_others),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
