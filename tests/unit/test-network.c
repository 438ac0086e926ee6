/* policy: the spelling of hosts, and who may be connected to. Numbers are those of the srt
 * contract.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

/* ---- spelling -------------------------------------------------------------------------------- */

static const struct {
	const char *text, *canonical; /* NULL: -EINVAL */
} spellings[] = {
	{"example.com", "example.com"},
	{"EXAMPLE.Com", "example.com"},
	{"example.com.", "example.com"},
	{"localhost", "localhost"},
	{"LOCALHOST.", "localhost"},
	{"a_b-c.example", "a_b-c.example"},
	{"-", "-"},
	{"x1", "x1"},
	{"0x", "0.0.0.0"},
	{"a.0x", NULL},
	/* inet_aton's forms */
	{"127.0.0.1", "127.0.0.1"},
	{"127.0.0.1.", "127.0.0.1"},
	{"127.1", "127.0.0.1"},
	{"127.0.1", "127.0.0.1"},
	{"2130706433", "127.0.0.1"},
	{"0x7f000001", "127.0.0.1"},
	{"0X7F.0.0.1", "127.0.0.1"},
	{"0177.0.0.01", "127.0.0.1"},
	{"0", "0.0.0.0"},
	{"1.2", "1.0.0.2"},
	{"1.65535", "1.0.255.255"},
	{"1.2.65535", "1.2.255.255"},
	{"4294967295", "255.255.255.255"},
	{"4294967296", NULL},
	{"99999999999999999999999999999999", NULL},
	{"1.16777216", NULL},
	{"1.2.3.256", NULL},
	{"256.1.1.1", NULL},
	{"1.2.3.4.5", NULL},
	{"1..2", NULL},
	{"1.2.3.08", NULL},
	{"a.b.1", NULL},
	{"a.b.0x1", NULL},
	{"1.2.3.0xg", "1.2.3.0xg"},
	{"1.2.3.4a", "1.2.3.4a"},
	/* IPv6 */
	{"::1", "::1"},
	{"[::1]", "::1"},
	{"0:0:0:0:0:0:0:1", "::1"},
	{"[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"},
	{"::ffff:127.0.0.1", "127.0.0.1"},
	{"[::FFFF:7f00:1]", "127.0.0.1"},
	{"[1.2.3.4]", "1.2.3.4"},
	{"[127.1]", NULL},
	{"fe80::1%eth0", NULL},
	{"[fe80::1%25eth0]", NULL},
	{"[::1", NULL},
	{"::1]", NULL},
	{"[]", NULL},
	{"[[::1]]", NULL},
	{"::g", NULL},
	{"1:2:3:4:5:6:7:8:9", NULL},
	/* hostile */
	{"", NULL},
	{".", NULL},
	{"..", NULL},
	{"example.com..", NULL},
	{".example.com", NULL},
	{"a..com", NULL},
	{"a b.com", NULL},
	{"a.com ", NULL},
	{"user@a.com", NULL},
	{"a.com:443", NULL},
	{"a.com/", NULL},
	{"a.com%00", NULL},
	{"*.a.com", NULL},
	{"m\303\274nchen.de", NULL},
	{"a\r\nb.com", NULL},
	{"\357\274\221.com", NULL},
};

static void test_spelling(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(spellings); i++) {
		const char *text = spellings[i].text, *expected = spellings[i].canonical;
		char host[LP_HOST_SIZE] = "untouched";
		int r = lp_host_canonical(text, strlen(text), host);

		if (r != (expected ? 0 : -EINVAL) ||
			strcmp(host, expected ? expected : "untouched"))
			fail_msg("'%s' became '%s' (%d)", text, host, r);
	}
}

static void test_spelling_bounds(void **state)
{
	char text[300], host[LP_HOST_SIZE];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(lp_host_canonical(text, 255, host), 0);
	assert_int_equal(strlen(host), 255);
	assert_int_equal(lp_host_canonical(text, 256, host), -EINVAL);
	assert_int_equal(lp_host_canonical("a\0b.com", 7, host), -EINVAL);
	assert_int_equal(lp_host_canonical("::1\0", 4, host), -EINVAL);
	/* no NUL is needed behind it */
	assert_int_equal(lp_host_canonical("127.1.example", 5, host), 0);
	assert_string_equal(host, "127.0.0.1");
}

static void test_ports(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
	} rows[] = {
		{"a.com", "a.com", 0},
		{"A.com:443", "a.com", 443},
		{"[::1]:8080", "::1", 8080},
		{"[::1]", "::1", 0},
		{"::1", "::1", 0},
		{"2001:db8::1:443", "2001:db8::1:443", 0},
		{"a.com:65535", "a.com", 65535},
		{"a.com:65536", NULL, 0},
		{"a.com:0", NULL, 0},
		{"a.com:0443", NULL, 0},
		{"a.com:", NULL, 0},
		{"a.com:+1", NULL, 0},
		{"a.com: 1", NULL, 0},
		{":443", NULL, 0},
		{"[::1]443", NULL, 0},
		{"[::1", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		char host[LP_HOST_SIZE];
		unsigned port;
		int r = lp_host_port(rows[i].text, host, &port);

		if (r != (rows[i].host ? 0 : -EINVAL))
			fail_msg("'%s': %d", rows[i].text, r);
		if (r == 0) {
			assert_string_equal(host, rows[i].host);
			assert_int_equal(port, rows[i].port);
		}
	}
}

static void test_patterns(void **state)
{
	static const struct {
		const char *text, *pattern;
	} rows[] = {
		{"*", "*"},
		{"*:22", "*"},
		{"*.Example.COM:443", "*.example.com"},
		{"127.1", "127.0.0.1"},
		{"*.1.2.3", NULL},
		{"*.*.com", NULL},
		{"*.a.b*", NULL},
		{"*.", NULL},
		{"**", NULL},
		{"a.*.com", NULL},
		{"[fe80::1%eth0]", NULL},
		{"256.1.1.1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		char pattern[LP_HOST_SIZE];
		unsigned port;
		int r = lp_host_pattern(rows[i].text, pattern, &port);

		if (r != (rows[i].pattern ? 0 : -EINVAL))
			fail_msg("'%s': %d", rows[i].text, r);
		if (r == 0)
			assert_string_equal(pattern, rows[i].pattern);
	}
}

/* ---- deciders -------------------------------------------------------------------------------- */

/* rules: "+PATTERN" and "-PATTERN", separated by spaces. */
static struct lp_policy *make_policy(const char *rules)
{
	struct lp_policy *policy = calloc(1, sizeof(*policy));
	lp_autofree char *copy = strdup(rules);
	char *rest = NULL;

	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		struct lp_host_rule rule = {.allow = word[0] == '+', .origin = {NULL, strdup("k")}};
		char pattern[LP_HOST_SIZE];

		assert_int_equal(lp_host_pattern(word + 1, pattern, &rule.port), 0);
		rule.host = strdup(pattern);
		assert_int_equal(lp_policy_add_host(policy, &rule), 0);
		assert_null(rule.host);
	}
	return policy;
}

/* asked: "+HOST:PORT" for what is allowed, "-HOST:PORT" for what is not. */
static const struct {
	const char *name, *rules, *asked;
} cases[] = {
	{"nothing", "", "-a.com:443 -localhost:80 -127.0.0.1:80 -[::1]:80"},
	{"an exact name", "+ok.test",
		"+ok.test:1 +ok.test:8080 +OK.test.:443 -a.ok.test:1 "
		"-badok.test:1 -ok.test.evil:1 -test:1"},
	{"every depth below, not itself (4.3)", "+*.ok.test:443",
		"+api.ok.test:443 +a.b.ok.test:443 -ok.test:443 -api.ok.test:80 -badok.test:443"},
	{"denies first", "+*.a.com -x.a.com", "+y.a.com:1 -x.a.com:1 +z.x.a.com:1"},
	{"a deny for all below", "+a.b.c.d -*.b.c.d", "-a.b.c.d:1"},
	{"a deny for a port", "+ok.test -ok.test:2222 -*:22",
		"+ok.test:443 -ok.test:2222 -ok.test:22"},
	{"a deny for everything", "+a.com +1.2.3.4 -*", "-a.com:1 -1.2.3.4:1"},
	{"literals match literals only (4.3)", "+127.0.0.1:80",
		"+127.0.0.1:80 +127.1:80 +2130706433:80 +0x7f.0.0.1:80 +[::ffff:127.0.0.1]:80 "
		"-127.0.0.1:81 -localhost:80 -127.0.0.2:80"},
	{"IPv6 literals", "+[2001:db8::1]:443", "+[2001:DB8:0::1]:443 -[2001:db8::2]:443"},
	{"a denied literal in another spelling", "+1.2.3.4 -0x1020304", "-1.2.3.4:1 -16909060:1"},
};

static void test_may_connect(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		struct lp_policy *policy = make_policy(cases[i].rules);
		lp_autofree char *copy = strdup(cases[i].asked);
		char *rest = NULL;

		for (char *word = strtok_r(copy, " ", &rest); word;
			word = strtok_r(NULL, " ", &rest)) {
			struct lp_host_decision decision;
			char host[LP_HOST_SIZE];
			unsigned port;

			assert_int_equal(lp_host_port(word + 1, host, &port), 0);
			decision = lp_policy_may_connect(policy, host, port);
			if (decision.allowed != (word[0] == '+'))
				fail_msg("%s: %s", cases[i].name, word);
			if (decision.allowed)
				assert_non_null(decision.rule);
			/* what may be connected to may be looked up */
			if (decision.allowed)
				assert_true(lp_policy_may_resolve(policy, host).allowed);
		}
		lp_policy_free(policy);
	}
}

static void test_may_resolve(void **state)
{
	struct lp_policy *policy = make_policy("+a.com:443 -b.com +*.b.com +c.com:22 -*:22 "
					       "+d.com -d.com:80 +e.com:22 +e.com:23");

	(void)state;
	assert_true(lp_policy_may_resolve(policy, "a.com").allowed);
	assert_false(lp_policy_may_resolve(policy, "b.com").allowed);
	assert_ptr_equal(lp_policy_may_resolve(policy, "b.com").rule, &policy->hosts[1]);
	assert_true(lp_policy_may_resolve(policy, "x.b.com").allowed);
	/* its only port is denied */
	assert_false(lp_policy_may_resolve(policy, "c.com").allowed);
	assert_ptr_equal(lp_policy_may_resolve(policy, "c.com").rule, &policy->hosts[4]);
	assert_true(lp_policy_may_resolve(policy, "d.com").allowed);
	assert_true(lp_policy_may_resolve(policy, "e.com").allowed);
	assert_false(lp_policy_may_resolve(policy, "f.com").allowed);
	assert_null(lp_policy_may_resolve(policy, "f.com").rule);
	lp_policy_free(policy);
}

/* ---- addresses that names lead to ------------------------------------------------------------ */

static struct lp_address address_of(const char *text)
{
	struct lp_address address;

	if (!lp_host_is_address(text, &address))
		fail_msg("%s is no address", text);
	return address;
}

static void add_range(struct lp_policy *policy, const char *text)
{
	struct lp_range range;

	assert_int_equal(lp_range_parse(text, strlen(text), &range), 0);
	range.origin.key = strdup("k");
	assert_int_equal(lp_policy_add_range(policy, &range), 0);
}

static void test_refused_addresses(void **state)
{
	static const struct {
		const char *host, *address, *what; /* NULL: dialled */
	} rows[] = {
		{"a.com", "93.184.216.34", NULL},
		{"a.com", "10.1.2.3", NULL},
		{"a.com", "192.168.1.1", NULL},
		{"a.com", "100.64.0.1", NULL},
		{"a.com", "fd12::1", NULL},
		{"a.com", "2606:2800::1", NULL},
		{"a.com", "127.0.0.1", "a loopback address"},
		{"a.com", "127.9.9.9", "a loopback address"},
		{"a.com", "::1", "a loopback address"},
		{"a.com", "0.0.0.0", "an unspecified address"},
		{"a.com", "0.1.2.3", "an unspecified address"},
		{"a.com", "::", "an unspecified address"},
		{"a.com", "169.254.169.254", "a link-local address"},
		{"a.com", "fe80::1", "a link-local address"},
		{"a.com", "febf::1", "a link-local address"},
		{"a.com", "224.0.0.1", "a multicast address"},
		{"a.com", "239.255.255.255", "a multicast address"},
		{"a.com", "ff02::1", "a multicast address"},
		{"a.com", "255.255.255.255", "the broadcast address"},
		{"a.com", "100.100.100.200", "a cloud metadata address"},
		{"a.com", "168.63.129.16", "a cloud metadata address"},
		{"a.com", "192.0.0.192", "a cloud metadata address"},
		{"a.com", "fd00:ec2::254", "a cloud metadata address"},
		{"a.com", "fd20:ce::254", "a cloud metadata address"},
		{"a.com", "fd00:c1::a9fe:a9fe", "a cloud metadata address"},
		{"a.com", "fd00:42::42", "a cloud metadata address"},
		{"a.com", "fd00:a9fe:a9fe::1", "a cloud metadata address"},
		{"a.com", "fd00:100::100:200", "a cloud metadata address"},
		/* IPv4 inside IPv6 */
		{"a.com", "::ffff:127.0.0.1", "a loopback address"},
		{"a.com", "::127.0.0.1", "a loopback address"},
		{"a.com", "::ffff:0:127.0.0.1", "a loopback address"},
		{"a.com", "64:ff9b::127.0.0.1", "a loopback address"},
		{"a.com", "64:ff9b::a9fe:a9fe", "a link-local address"},
		{"a.com", "64:ff9b::5db8:d822", NULL},
		{"a.com", "2002:7f00:1::", "a loopback address"},
		{"a.com", "2002:5db8:d822::1", NULL},
		{"a.com", "2002:cb00:7105::1", "one of this host's addresses"},
		{"a.com", "203.0.113.5", "one of this host's addresses"},
		{"a.com", "2001:db8::5", "one of this host's addresses"},
		/* rules */
		{"a.com", "198.51.100.7", "a listed address"},
		{"a.com", "64:ff9b::c633:6407", "a listed address"},
		{"a.com", "198.51.101.7", NULL},
		{"a.com", "2001:db8:bad::1", "a listed address"},
		{"a.com", "9.9.9.9", "a deny-listed address"},
		{"a.com", "64:ff9b::909:909", "a deny-listed address"},
		{"a.com", "127.0.0.53", NULL},
		{"a.com", "127.0.0.54", "a deny-listed address"},
		{"a.com", "198.51.100.99", NULL},
		{"127.0.0.53", "127.0.0.53", NULL},
		{"localhost", "127.0.0.1", NULL},
		{"localhost", "::1", NULL},
		{"x.localhost", "127.0.0.1", NULL},
		{"localhost", "127.0.0.54", "a deny-listed address"},
		{"localhost", "93.184.216.34", "not a loopback address"},
		{"localhost", "198.51.100.99", NULL},
		{"xlocalhost", "127.0.0.1", "a loopback address"},
	};
	struct lp_policy *policy = make_policy("+a.com +localhost +127.0.0.53 +127.0.0.54 "
					       "-127.0.0.54 -9.9.9.9 -8.8.8.8:53 "
					       "+198.51.100.99:443");
	struct lp_address own[2], address;

	(void)state;
	add_range(policy, "198.51.100.0/24");
	add_range(policy, "2001:db8:bad::/48");
	own[0] = address_of("203.0.113.5");
	own[1] = address_of("2001:db8::5");
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		const char *what;

		address = address_of(rows[i].address);
		what = lp_policy_refuses_address(policy, rows[i].host, 443, &address, own, 2);
		if ((what == NULL) != (rows[i].what == NULL) ||
			(what && strcmp(what, rows[i].what) != 0))
			fail_msg("%s -> %s: %s", rows[i].host, rows[i].address,
				what ? what : "dialled");
	}
	/* lists heed the port */
	address = address_of("8.8.8.8");
	assert_null(lp_policy_refuses_address(policy, "a.com", 443, &address, own, 2));
	assert_non_null(lp_policy_refuses_address(policy, "a.com", 53, &address, own, 2));
	address = address_of("198.51.100.99");
	assert_non_null(lp_policy_refuses_address(policy, "a.com", 80, &address, own, 2));
	lp_policy_free(policy);
}

static void test_ranges(void **state)
{
	static const struct {
		const char *range;
		bool right;
		const char *inside, *outside;
	} rows[] = {
		{"10.0.0.0/8", true, "10.255.0.1", "11.0.0.0"},
		{"10.1.2.3", true, "10.1.2.3", "10.1.2.4"},
		{"10.0.0.0/31", true, "10.0.0.1", "10.0.0.2"},
		{"0.0.0.0/0", true, "255.1.1.1", "::1"},
		{"::/0", true, "2001::1", "1.2.3.4"},
		{"fe80::/10", true, "febf::", "fec0::"},
		{"::ffff:10.0.0.0/104", true, "10.9.9.9", "11.0.0.0"},
		{"fe80::1%eth0/64", true, "fe80::9", "fe81::"},
		{"10.0.0.0/33", false, NULL, NULL},
		{"::1/129", false, NULL, NULL},
		{"::ffff:10.0.0.0/95", false, NULL, NULL},
		{"10.0.0.0/", false, NULL, NULL},
		{"10.0.0.0/+8", false, NULL, NULL},
		{"10.0.0.0/8/8", false, NULL, NULL},
		{"10.0.0.0/00008", false, NULL, NULL},
		{"10.1/8", false, NULL, NULL},
		{"[::1]", false, NULL, NULL},
		{"a.com", false, NULL, NULL},
		{"", false, NULL, NULL},
		{"/8", false, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct lp_address address;
		struct lp_range range;
		int r = lp_range_parse(rows[i].range, strlen(rows[i].range), &range);

		if (r != (rows[i].right ? 0 : -EINVAL))
			fail_msg("%s: %d", rows[i].range, r);
		if (r < 0)
			continue;
		address = address_of(rows[i].inside);
		if (!lp_range_covers(&range, &address))
			fail_msg("%s leaves out %s", rows[i].range, rows[i].inside);
		address = address_of(rows[i].outside);
		if (lp_range_covers(&range, &address))
			fail_msg("%s holds %s", rows[i].range, rows[i].outside);
	}
}

/* ---- the proxy beyond, and this machine ------------------------------------------------------ */

static void test_upstream(void **state)
{
	static const struct {
		const char *none, *direct, *through;
	} rows[] = {
		{"", "localhost x.localhost 127.0.0.1 127.8.8.8 ::1", "a.com 10.0.0.1 xlocalhost"},
		{"*", "a.com 10.0.0.1", ""},
		{"a.com", "a.com b.a.com c.b.a.com", "ba.com a.com.b com"},
		{".a.com", "b.a.com", "a.com ba.com"},
		{"*.a.com", "b.a.com", "a.com"},
		{"A.Com.", "a.com b.a.com", ""},
		{"a.com:8080, b.com ,c.com d.com", "a.com b.com c.com d.com", "e.com"},
		{"10.0.0.0/8,fd00::/8", "10.1.2.3 fd00::1", "11.0.0.1 a.com fe00::1"},
		{"10.0.0.1", "10.0.0.1", "10.0.0.2 x.10.0.0.1a"},
		{"10.0.0.1:80 [fd00::1]:80", "10.0.0.1 fd00::1", "fd00::2"},
		{"0.1", "", "10.0.0.1"},
		{",,  ,", "", "a.com"},
		{"m\303\274nchen.de,..,*.,/8,:80,a b", "", "a.com com"},
	};
	struct lp_policy *policy = make_policy("");

	(void)state;
	assert_null(lp_policy_upstream(policy, "a.com", LP_ASKED_PLAIN));
	policy->upstream_http = (struct lp_upstream){.host = strdup("proxy"), .port = 3128};
	assert_null(lp_policy_upstream(policy, "a.com", LP_ASKED_OTHERWISE));
	assert_ptr_equal(
		lp_policy_upstream(policy, "a.com", LP_ASKED_PLAIN), &policy->upstream_http);
	policy->upstream_https = (struct lp_upstream){
		.host = strdup("proxy"), .port = 3129, .authorization = strdup("Basic x")};
	assert_ptr_equal(
		lp_policy_upstream(policy, "a.com", LP_ASKED_OTHERWISE), &policy->upstream_https);
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		const char *lists[] = {rows[i].direct, rows[i].through};

		free(policy->no_upstream);
		policy->no_upstream = strdup(rows[i].none);
		for (size_t list = 0; list < 2; list++) {
			lp_autofree char *copy = strdup(lists[list]);
			char *rest = NULL;

			for (char *host = strtok_r(copy, " ", &rest); host;
				host = strtok_r(NULL, " ", &rest))
				if ((lp_policy_upstream(policy, host, LP_ASKED_OTHERWISE) ==
					    NULL) != (list == 0))
					fail_msg("'%s': %s", rows[i].none, host);
		}
	}
	lp_policy_free(policy);
}

/* What a rule says about loopback holds for each way to say it. */
static void test_local_ports(void **state)
{
	static const struct {
		const char *rules, *asked;
	} rows[] = {
		{"", "+localhost:8080 +a.localhost:8080 +127.0.0.1:8080 +127.1.2.3:8080 "
		     "+[::1]:8080 "
		     "-localhost:80 -127.0.0.1:80 -0.0.0.0:8080 -10.0.0.1:8080 -a.com:8080"},
		{"-localhost", "-localhost:8080 -127.0.0.1:8080 -[::1]:8080"},
		{"-127.0.0.1", "-127.0.0.1:8080 +[::1]:8080"},
		{"-*", "-localhost:8080 -127.0.0.1:8080"},
		{"+localhost:80", "+localhost:80 +127.0.0.1:80 +[::1]:80 -a.localhost:80 "
				  "+127.0.0.1:8080 -127.0.0.1:81"},
		{"+localhost -127.0.0.1", "-127.0.0.1:80 +[::1]:80"},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct lp_policy *policy = make_policy(rows[i].rules);
		struct lp_port_rule rule = {8080, {NULL, strdup("k")}};
		lp_autofree char *copy = strdup(rows[i].asked);
		char *rest = NULL;

		assert_int_equal(lp_policy_add_port(policy, &rule), 0);
		for (char *word = strtok_r(copy, " ", &rest); word;
			word = strtok_r(NULL, " ", &rest)) {
			struct lp_host_decision decision;
			struct lp_address address;
			char host[LP_HOST_SIZE];
			unsigned port;

			assert_int_equal(lp_host_port(word + 1, host, &port), 0);
			decision = lp_policy_may_connect(policy, host, port);
			if (decision.allowed != (word[0] == '+'))
				fail_msg("%s: %s", rows[i].rules, word);
			/* and then it is dialled */
			if (decision.allowed && lp_host_is_address(host, &address))
				assert_null(lp_policy_refuses_address(
					policy, host, port, &address, NULL, 0));
		}
		lp_policy_free(policy);
	}
}

static void test_sockets(void **state)
{
	static const char *const paths[] = {"/run/a.sock", "/tmp/.X11-unix", "/run/user/*/way*"};
	struct lp_policy *policy = make_policy("");

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(paths); i++) {
		struct lp_socket_rule rule = {
			strdup(paths[i]), lp_has_glob(paths[i]), {NULL, strdup("k")}};

		assert_int_equal(lp_policy_add_socket(policy, &rule), 0);
	}
	assert_non_null(lp_policy_socket_rule(policy, "/run/a.sock"));
	assert_non_null(lp_policy_socket_rule(policy, "/tmp/.X11-unix/X0"));
	assert_non_null(lp_policy_socket_rule(policy, "/run/user/7/wayland-0"));
	assert_null(lp_policy_socket_rule(policy, "/run/a.sock2"));
	assert_null(lp_policy_socket_rule(policy, "/run/user/7/x/wayland-0"));
	assert_null(lp_policy_socket_rule(policy, "/run/user/7/bus"));
	assert_null(lp_policy_socket_rule(policy, ""));
	lp_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_spelling_bounds),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_may_connect),
		cmocka_unit_test(test_may_resolve),
		cmocka_unit_test(test_refused_addresses),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_upstream),
		cmocka_unit_test(test_local_ports),
		cmocka_unit_test(test_sockets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
