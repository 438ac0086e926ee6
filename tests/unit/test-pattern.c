/* Every example of the srt contract 1.4, and the edges between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "settings/parts.h"

struct example {
	const char *text;
	bool right;
};

static const char *domain(const char *text)
{
	return lp_pattern_host_port(text, false);
}

static const char *denied_domain(const char *text)
{
	return lp_pattern_host_port(text, true);
}

static void check(
	const struct example *examples, size_t count, const char *(*problem_with)(const char *))
{
	for (size_t i = 0; i < count; i++) {
		const char *problem = problem_with(examples[i].text);

		if (examples[i].right && problem)
			fail_msg("'%s' should pass, but %s", examples[i].text, problem);
		if (!examples[i].right && !problem)
			fail_msg("'%s' should not pass", examples[i].text);
	}
}

static void test_hosts(void **state)
{
	static const struct example examples[] = {
		{"example.com", true},
		{"localhost", true},
		{"::1", true},
		{"fe80::1%eth0", true},
		{"1.2.3.4", true},
		{"*.example.com", true},
		{"*.co.uk", true},
		{"*.*.com", true},
		{"*.a.b*", true},
		{"*.1.2.3", true},
		{"a b.com", true},
		{"user@a.com", true},
		{"a..com", true},
		{"m\xc3\xbcnchen.de", true},
		{"a.com ", true},
		{"1.2", true},
		{"256.1.1.1", true},
		{"0x7f.0.0.1", true},
		{"", false},
		{"foo", false},
		{"Localhost", false},
		{"*", false},
		{"*.", false},
		{"*.com", false},
		{"*.localhost", false},
		{"*..com", false},
		{"*.a.", false},
		{"a.*.com", false},
		{"example.com.", false},
		{".example.com", false},
		{"example.com:443", false},
		{"http://example.com", false},
		{"example.com/x", false},
		{"10.0.0.0/8", false},
		{"[::1]", false},
		{"::1%", false},
	};

	(void)state;
	check(examples, LP_ARRAY_SIZE(examples), lp_pattern_host);
}

static void test_domains(void **state)
{
	static const struct example examples[] = {
		{"example.com", true},
		{"example.com:443", true},
		{"example.com:1", true},
		{"example.com:65535", true},
		{"*.example.com:8080", true},
		{"localhost:3000", true},
		{"[::1]", true},
		{"[::1]:443", true},
		{"[fe80::1%eth0]", true},
		{"[1.2.3.4]:80", true},
		{"1.2.3.4:80", true},
		{"::1", false},
		{"2001:db8::1:443", false},
		{"[::1]:0", false},
		{"[::1", false},
		{"[::1]443", false},
		{"[example.com]", false},
		{"[]", false},
		{"example.com:0", false},
		{"example.com:0443", false},
		{"example.com:65536", false},
		{"example.com:", false},
		{"example.com:*", false},
		{"example.com:443x", false},
		{"https://example.com", false},
		{"*", false},
		{"*:443", false},
		{"", false},
		{":443", false},
	};

	(void)state;
	check(examples, LP_ARRAY_SIZE(examples), domain);
}

static void test_denied_domains(void **state)
{
	static const struct example examples[] = {
		{"*", true},
		{"*:22", true},
		{"example.com:2222", true},
		{"*.example.com", true},
		{"*:0", false},
		{"*:", false},
		{"**", false},
		{"*.com", false},
	};

	(void)state;
	check(examples, LP_ARRAY_SIZE(examples), denied_domain);
}

static void test_address_ranges(void **state)
{
	static const struct example examples[] = {
		{"10.0.0.0/8", true},
		{"10.0.0.1", true},
		{"0.0.0.0/0", true},
		{"1.2.3.4/32", true},
		{"::1", true},
		{"fd00::/8", true},
		{"fe80::1%eth0", true},
		{"::/0", true},
		{"::1/128", true},
		{"::ffff:1.2.3.4", true},
		{"::ffff:1.2.3.0/120", true},
		{"::ffff:0.0.0.0/96", true},
		{"::ffff:1.2.3.4/95", false},
		{"10.0.0.0/33", false},
		{"10.0.0.0/", false},
		{"10.0.0.0/08", false},
		{"::1/129", false},
		{"[::1]", false},
		{"example.com", false},
		{"10.0.0/8", false},
		{"", false},
	};

	(void)state;
	check(examples, LP_ARRAY_SIZE(examples), lp_pattern_address_range);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t size; /* 0: refused */
	} examples[] = {
		{"1", 1},
		{"4096", 4096},
		{"1K", 1024},
		{"2m", 2U << 20},
		{"4G", 4ULL << 30},
		{"1T", 1ULL << 40},
		{"", 0},
		{"G", 0},
		{"4GB", 0},
		{"-1", 0},
		{"1.5G", 0},
		{"99999999999T", 0},
		{"99999999999999999999", 0},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(examples); i++) {
		uint64_t size = 0;
		int r = lp_parse_size(examples[i].text, &size);

		assert_int_equal(r == 0, examples[i].size != 0);
		assert_int_equal(size, examples[i].size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_denied_domains),
		cmocka_unit_test(test_address_ranges),
		cmocka_unit_test(test_sizes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
