/* dns.c and ahosts.c on bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/wire.h"

#define HEADER(flags, questions, additional) "\x12\x34" flags "\0" questions "\0\0\0\0\0" additional
#define OPT(version)                         "\0\0\x29\x04\xd0\0" version "\0\0\0\0"
#define A_IN                                 "\0\1\0\1"
#define NAME_63 \
	"\x3f"  \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct parse_row {
	const char *label, *bytes;
	size_t len;
	int outcome;
	const char *name;
	bool edns;
} parse_rows[] = {
#define ROW(label, bytes, outcome, ...)                               \
	{                                                             \
		label, bytes, sizeof(bytes) - 1, outcome, __VA_ARGS__ \
	}
	ROW("plain", HEADER("\1\0", "\1", "\0") "\3www\7EXAMPLE\0" A_IN, 0, "www.EXAMPLE"),
	ROW("edns", HEADER("\1\0", "\1", "\1") "\1a\0" A_IN OPT("\0"), 0, "a", true),
	ROW("edns version", HEADER("\1\0", "\1", "\1") "\1a\0" A_IN OPT("\1"), LP_DNS_BADVERS, "a",
		true),
	ROW("two opts", HEADER("\1\0", "\1", "\2") "\1a\0" A_IN OPT("\0") OPT("\0"), LP_DNS_FORMERR,
		"a", true),
	ROW("a cut opt", HEADER("\1\0", "\1", "\1") "\1a\0" A_IN "\0\0\x29", LP_DNS_FORMERR, "a"),
	ROW("too many additional", HEADER("\1\0", "\1", "\x09") "\1a\0" A_IN, LP_DNS_FORMERR, "a"),
	ROW("another additional",
		HEADER("\1\0", "\1", "\1") "\1a\0" A_IN "\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd", 0, "a"),
	ROW("root", HEADER("\1\0", "\1", "\0") "\0" A_IN, 0, ""),
	ROW("a dot in a label", HEADER("\1\0", "\1", "\0") "\3a.b\0" A_IN, 0, ""),
	ROW("a NUL in a label", HEADER("\1\0", "\1", "\0") "\3a\0b\0" A_IN, 0, ""),
	ROW("a dash first", HEADER("\1\0", "\1", "\0") "\2-h\1b\0" A_IN, 0, ""),
	ROW("a dash first later", HEADER("\1\0", "\1", "\0") "\1b\2-h\0" A_IN, 0, ""),
	ROW("a dash inside", HEADER("\1\0", "\1", "\0") "\3a-b\0" A_IN, 0, "a-b"),
	ROW("no question", HEADER("\1\0", "\0", "\0"), LP_DNS_FORMERR, ""),
	ROW("two questions", HEADER("\1\0", "\2", "\0") "\1a\0" A_IN "\1b\0" A_IN, LP_DNS_FORMERR,
		""),
	ROW("a pointer", HEADER("\1\0", "\1", "\0") "\xc0\x0c" A_IN, LP_DNS_FORMERR, ""),
	ROW("a reserved label",
		HEADER("\1\0", "\1", "\0") "\x40"
					   "a\0" A_IN,
		LP_DNS_FORMERR, ""),
	ROW("a label behind the end",
		HEADER("\1\0", "\1", "\0") "\x3f"
					   "a\0" A_IN,
		LP_DNS_FORMERR, ""),
	ROW("too long", HEADER("\1\0", "\1", "\0") NAME_63 NAME_63 NAME_63 NAME_63 "\0" A_IN,
		LP_DNS_FORMERR, ""),
	ROW("no type", HEADER("\1\0", "\1", "\0") "\1a\0\0\1\0", LP_DNS_FORMERR, ""),
	ROW("an update", HEADER("\x28\0", "\1", "\0") "\1a\0" A_IN, LP_DNS_NOTIMP, ""),
	ROW("an answer", HEADER("\x81\x80", "\1", "\0") "\1a\0" A_IN, -EBADMSG, NULL),
	ROW("no header", "\x12\x34\1\0\0\1\0\0\0\0\0", -EBADMSG, NULL),
	ROW("nothing", "", -EBADMSG, NULL),
#undef ROW
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(parse_rows); i++) {
		const struct parse_row *row = &parse_rows[i];
		struct lp_dns_query query = {.id = 0xffff};
		int r = lp_dns_parse((const uint8_t *)row->bytes, row->len, &query);

		if (r != row->outcome)
			fail_msg("%s: %d instead of %d", row->label, r, row->outcome);
		if (!row->name) {
			assert_int_equal(query.id, 0xffff);
			continue;
		}
		if (strcmp(query.name, row->name) != 0 || query.edns != row->edns)
			fail_msg("%s: name %s, edns %d", row->label, query.name, query.edns);
		assert_int_equal(query.id, 0x1234);
		assert_int_equal(query.is_host, *row->name != '\0');
	}
}

static void test_longest_name(void **state)
{
	static const char bytes[] = HEADER("\1\0", "\1", "\0") NAME_63 NAME_63 NAME_63
		"\x3d"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"\0" A_IN;
	struct lp_dns_query query;
	uint8_t buf[LP_DNS_ANSWER_MAX];

	(void)state;
	assert_int_equal(lp_dns_parse((const uint8_t *)bytes, sizeof(bytes) - 1, &query), 0);
	assert_int_equal(strlen(query.name), 253);
	assert_int_equal(query.question_len, 259);
	query.edns = true;
	assert_int_equal(lp_dns_write(&query, &(struct lp_dns_answer){.host = query.name}, buf),
		12 + 259 + 12 + 255 + 11);
}

static void test_write(void **state)
{
	static const char ask[] = HEADER("\1\x10", "\1", "\1") "\2aB\0" A_IN OPT("\0");
	static const char found[] = "\x12\x34\x81\x90\0\1\0\1\0\0\0\1\2aB\0" A_IN "\xc0\x0c" A_IN
				    "\0\0\0\x3c\0\4\xc6\x12\0\7"
				    "\0\0\x29\4\xd0\0\0\0\0\0\0";
	static const char found6[] =
		"\x12\x34\x81\x90\0\1\0\1\0\0\0\1\2aB\0" A_IN "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10"
		"landpen12345\xc6\x12\0\7"
		"\0\0\x29\4\xd0\0\0\0\0\0\0";
	static const char version[] =
		"\x12\x34\x81\x90\0\1\0\0\0\0\0\1\2aB\0" A_IN "\0\0\x29\4\xd0\1\0\0\0\0\0";
	static const char pointer[] = "\x12\x34\x81\x90\0\1\0\1\0\0\0\1\2aB\0" A_IN
				      "\xc0\x0c\0\x0c\0\1\0\0\0\0\0\7\1x\3org\0"
				      "\0\0\x29\4\xd0\0\0\0\0\0\0";
	struct lp_dns_query query;
	uint8_t buf[LP_DNS_ANSWER_MAX];

	(void)state;
	assert_int_equal(lp_dns_parse((const uint8_t *)ask, sizeof(ask) - 1, &query), 0);
	assert_int_equal(lp_dns_write(&query,
				 &(struct lp_dns_answer){.address = 0xc6120007, .ttl = 60}, buf),
		sizeof(found) - 1);
	assert_memory_equal(buf, found, sizeof(found) - 1);
	assert_int_equal(lp_dns_write(&query,
				 &(struct lp_dns_answer){.address = 0xc6120007,
					 .ttl = 60,
					 .prefix = (const uint8_t *)"landpen12345"},
				 buf),
		sizeof(found6) - 1);
	assert_memory_equal(buf, found6, sizeof(found6) - 1);
	assert_int_equal(lp_dns_write(&query, &(struct lp_dns_answer){.code = LP_DNS_BADVERS}, buf),
		sizeof(version) - 1);
	assert_memory_equal(buf, version, sizeof(version) - 1);
	assert_int_equal(lp_dns_write(&query, &(struct lp_dns_answer){.host = "x.org"}, buf),
		sizeof(pointer) - 1);
	assert_memory_equal(buf, pointer, sizeof(pointer) - 1);
	assert_int_equal(lp_dns_write(&query, &(struct lp_dns_answer){.host = "x..org"}, buf), 0);
	/* without a question there is nothing that a record could belong to */
	query = (struct lp_dns_query){.id = 1};
	assert_int_equal(lp_dns_write(&query, &(struct lp_dns_answer){.address = 1}, buf), 12);
}

static void test_frame(void **state)
{
	static const uint8_t bytes[] = {0, 3, 'a', 'b', 'c', 4, 1};
	size_t len = 99;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(lp_dns_frame(bytes, i, &len), 0);
	assert_int_equal(len, 99);
	assert_int_equal(lp_dns_frame(bytes, 5, &len), 1);
	assert_int_equal(len, 3);
	assert_int_equal(lp_dns_frame(bytes + 5, 2, &len), -EMSGSIZE);
}

static void test_reverse(void **state)
{
	static const struct {
		const char *name;
		bool is_reverse;
		uint32_t address;
	} rows[] = {
		{"7.0.18.198.in-addr.arpa", true, 0xc6120007},
		{"7.0.18.198.IN-ADDR.ARPA", true, 0xc6120007},
		{"0.18.198.in-addr.arpa", true, 0},
		{"1.7.0.18.198.in-addr.arpa", true, 0},
		{"256.0.18.198.in-addr.arpa", true, 0},
		{"x.0.18.198.in-addr.arpa", true, 0},
		{"in-addr.arpa", true, 0},
		{"1.ip6.arpa", true, 0},
		{"xin-addr.arpa", false, 0},
		{"example.com", false, 0},
		{"", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		uint32_t address = 0;

		if (lp_dns_is_reverse(rows[i].name, &address) != rows[i].is_reverse ||
			address != rows[i].address)
			fail_msg("%s", rows[i].name);
	}
}

static void test_ahosts(void **state)
{
	static const char text[] = "127.0.0.1       STREAM localhost\n"
				   "127.0.0.1       DGRAM  \n"
				   "2001:db8::1\tSTREAM\n"
				   "::ffff:127.0.0.1 RAW\n"
				   "fe80::1%eth0    STREAM\n"
				   "999.1.1.1       STREAM\n"
				   "1.2.3           STREAM\n"
				   "\n 8.8.8.8\n"
				   "10.0.0.9 STR\0EAM\n"
				   "10.0.0.1";
	struct lp_address addresses[LP_PACKET_ADDRESSES_MAX];
	char many[4096];
	size_t at = 0;

	(void)state;
	assert_int_equal(lp_ahosts_parse((const uint8_t *)text, sizeof(text) - 1, addresses), 3);
	assert_true(lp_address_is_loopback(&addresses[0]) && lp_address_is_ipv4(&addresses[0]));
	assert_int_equal(addresses[1].bytes[0], 0x20);
	assert_int_equal(addresses[2].bytes[15], 9);
	for (int i = 0; i < 40; i++)
		at += (size_t)snprintf(many + at, sizeof(many) - at, "10.0.0.%d STREAM\n", i);
	assert_int_equal(
		lp_ahosts_parse((const uint8_t *)many, at, addresses), LP_PACKET_ADDRESSES_MAX);
	assert_int_equal(lp_ahosts_parse(NULL, 0, addresses), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_ahosts),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
