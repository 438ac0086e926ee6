/* The settings language: what is taken, what is refused with which sentence, and on which line. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "settings/parts.h"

#define SRT_FILESYSTEM "\"filesystem\":{\"denyRead\":[],\"allowWrite\":[],\"denyWrite\":[]}"
#define SRT_NETWORK    "\"network\":{\"allowedDomains\":[],\"deniedDomains\":[]}"
#define SRT(more)      "{" SRT_NETWORK "," SRT_FILESYSTEM more "}"

/* expected: an extended regular expression for the sentence, or NULL for a text that is right. */
struct example {
	const char *text, *expected;
	enum lp_dialect dialect;
	enum lp_layer layer;
	const char *notice;
};

static bool matches(const char *expression, const char *text)
{
	regex_t regex;
	bool found;

	assert_int_equal(regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB), 0);
	found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static void check_one(const struct example *example)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
	struct lp_source *source;
	struct lp_err err = {"(no sentence)"};
	json_t *json = NULL;
	int r;

	assert_non_null(policy);
	source = lp_policy_add_source(policy, example->layer ? example->layer : LP_LAYER_USER,
		strdup("f.json"), strdup(example->text), strlen(example->text));
	assert_non_null(source);
	r = lp_schema_read(policy, source, example->dialect, &json, &err);
	json_decref(json);
	if (!example->expected && r != 0)
		fail_msg("%s\nshould pass, but: %s", example->text, err.text);
	if (example->expected && r != -22)
		fail_msg("%s\nshould not pass", example->text);
	if (example->expected && !matches(example->expected, err.text))
		fail_msg("%s\nsays: %s\nwanted: %s", example->text, err.text, example->expected);
	if (!example->notice && policy->notices.count)
		fail_msg("%s\nhas the notice %s", example->text, policy->notices.items[0]);
	if (example->notice && !policy->notices.count)
		fail_msg("%s\nhas no notice", example->text);
	if (example->notice && !matches(example->notice, policy->notices.items[0]))
		fail_msg("%s\nhas the notice %s", example->text, policy->notices.items[0]);
}

static void check(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_one(&examples[i]);
}

#define CHECK(examples) check(examples, LP_ARRAY_SIZE(examples))

static void test_syntax(void **state)
{
	static const struct example examples[] = {
		{"{}", NULL},
		{"  \n{}\n", NULL},
		{"", "^f\\.json: is empty; "},
		{" \t\n ", "^f\\.json: is empty; "},
		{"[]", "^f\\.json:1: must hold an object, not a list; "},
		{"\"x\"", "^f\\.json:1: must hold an object, not a string; "},
		{"{", "^f\\.json:1: not valid JSON: the text ends too early; "},
		{"{\n  \"network\": }", "^f\\.json:2: not valid JSON: "},
		{"\xef\xbb\xbf{}", "^f\\.json:1: starts with a byte order mark; "},
		{"{\n  // no\n}", "^f\\.json:2: .* is a comment, "},
		{"{\n\n  /* no */\n}", "^f\\.json:3: .* is a comment, "},
		{"# no\n{}", "^f\\.json:1: .* is a comment, "},
		{"{\"unixSockets\": [\"/a\",\n]}", "^f\\.json:1: .* is a trailing comma, "},
		{"{\n\"network\": {},\n\n}", "^f\\.json:2: .* is a trailing comma, "},
		{"{'network': {}}", "^f\\.json:1: .* single quotes; "},
		{"{\"a\": \"// no comment\n\"}", "^f\\.json:1: not valid JSON: .*newline"},
		{"{\"bwrapPath\": \"/\xff\"}", "^f\\.json:1: is not UTF-8; "},
		{"{\"bwrapPath\": \"/\\u0000\"}", "^f\\.json:1: not valid JSON: "},
		{"{} x", "^f\\.json:1: not valid JSON: "},
		{"{\n\"network\": {},\n\"network\": {}}",
			"^f\\.json:3: .*duplicate.*keep only one"},
		{SRT(",\"git\":{},\"git\":{\"safeDirectories\":[\"/a\"]}"), NULL, LP_DIALECT_SRT},
	};

	(void)state;
	CHECK(examples);
}

static void test_types(void **state)
{
	static const struct example examples[] = {
		{"{\"network\": []}", "^f\\.json:1: network: must be an object, not a list; "},
		{"{\n\"filesystem\": {\n\"denyRead\": \"~\"}}",
			"^f\\.json:3: filesystem\\.denyRead: must be a list of strings, not a "
			"string; "
			"put it in \\[ \\]"},
		{"{\"filesystem\": {\"allowRead\": null}}", "not null; remove the key"},
		{"{\"filesystem\": {\"disabled\": \"true\"}}", "without the quotes"},
		{"{\"filesystem\": {\"denyRead\": [\n\"/a\",\n7]}}",
			"^f\\.json:3: filesystem\\.denyRead\\[1\\]: must be a string; "},
		{"{\"filesystem\": {\"denyRead\": [\"\"]}}",
			"denyRead\\[0\\]: '' is an empty path; "},
		{"{\"bwrapPath\": \"bwrap\"}", "bwrapPath: 'bwrap' must be an absolute path; "},
		{"{\"mandatoryDenySearchDepth\": 0}", "from 1 to 10$"},
		{"{\"mandatoryDenySearchDepth\": 11}", "from 1 to 10$"},
		{"{\"mandatoryDenySearchDepth\": 2.5}", "from 1 to 10$"},
		{"{\"mandatoryDenySearchDepth\": 3.0}", NULL},
		{"{\"mandatoryDenySearchDepth\": \"3\"}", "a whole number, not a string; "},
		{"{\"network\": {\"httpProxyPort\": 0}}", "httpProxyPort: is out of range; "},
		{"{\"network\": {\"httpProxyPort\": 65536}}", "httpProxyPort: is out of range; "},
		{"{\"network\": {\"httpProxyPort\": 1e400}}", "not valid JSON"},
		{"{\"network\": {\"filterRequest\": {}}}", "function of srt's library"},
		{"{\"network\": {\"allowedDomains\": [\"a.b\", \"*\"]}}",
			"network\\.allowedDomains\\[1\\]: '\\*' would allow every host; "},
		{"{\"network\": {\"deniedDomains\": [\"*\"]}}", NULL},
		{"{\"network\": {\"deniedDomainReasons\": {\"a.b\": \"\"}}}", "is empty; "},
		{"{\"network\": {\"deniedResolvedAddresses\": [\"10/8\"]}}", "no IP address"},
		{"{\"network\": {\"allowMachLookup\": [\"a*b\"]}}", "not at its end; "},
		{"{\"network\": {\"allowLocalPorts\": [0]}}",
			"allowLocalPorts\\[0\\]: must be a port"},
		{"{\"network\": {\"mitmProxy\": {\"domains\": [\"a.b\"]}}}",
			"network\\.mitmProxy\\.socketPath: is required; add it$"},
		{"{\"network\": {\"mitmProxy\": {\"socketPath\": \"/s\", \"domains\": []}}}",
			"mitmProxy\\.domains: is empty; "},
		{"{\"network\": {\"parentProxy\": {\"http\": \"proxy:8080\"}}}", NULL},
		{"{\"network\": {\"parentProxy\": {\"http\": \"socks5://x\"}}}", NULL},
		{"{\"network\": {\"parentProxy\": {\"http\": \"http://\"}}}", "without a host"},
		{"{\"network\": {\"parentProxy\": {\"http\": \"proxy\"}}}", "is no URL"},
		{"{\"ripgrep\": {}}", "ripgrep\\.command: is required"},
		{"{\"seccomp\": {\"argv0\": \"x\"}}", "seccomp\\.argv0: needs applyPath"},
		{"{\"windows\": {\"sandboxUser\": \"\"}}", "1 to 20 characters"},
		{"{\"windows\": {\"sublayerGuid\": \"x\"}}", "is no UUID"},
		{"{\"windows\": {\"sublayerGuid\": \"01234567-89ab-cdef-0123-456789abcdef\"}}",
			NULL},
		{"{\"windows\": {\"proxyPortRange\": [2, 1]}}", "LOW, HIGH"},
		{"{\"windows\": {\"proxyPortRange\": [1, 65]}}", "LOW, HIGH"},
		{"{\"windows\": {\"proxyPortRange\": [1, 64]}}", NULL},
		{"{\"windows\": {\"srtWin\": {}}}", "windows\\.srtWin\\.path: is required"},
		{"{\"ignoreViolations\": {\"*\": [1]}}", "ignoreViolations\\.\\*\\[0\\]: must be"},
	};

	(void)state;
	CHECK(examples);
}

static void test_types_of_own_keys(void **state)
{
	static const struct example examples[] = {
		{"{\"limits\": {\"addressSpace\": \"4G\", \"core\": 0, \"openFiles\": 64}}", NULL},
		{"{\"limits\": {\"fileSize\": \"4 GB\"}}", "limits\\.fileSize: is no size; "},
		{"{\"limits\": {\"fileSize\": -1}}", "write 0 or more"},
		{"{\"limits\": {\"processes\": \"4K\"}}", "a whole number, not a string"},
		{"{\"environment\": {\"set\": {\"A B\": \"x\"}}}",
			"environment\\.set: 'A B' is no"},
		{"{\"environment\": {\"set\": {\"A\": 1}}}",
			"environment\\.set\\.A: must be a string"},
		{"{\"environment\": {\"pass\": [\"LC_*\", \"A=b\"]}}", "pass\\[1\\]: 'A=b' is no"},
		{"{\"process\": {\"allowPtrace\": 1}}", "must be true or false, not a number"},
	};

	(void)state;
	CHECK(examples);
}

static void test_unknown_keys(void **state)
{
	static const struct example examples[] = {
		{"{\n\"filesystem\": {\n\n\"denyReads\": []}}",
			"^f\\.json:4: filesystem\\.denyReads: unknown key; did you mean "
			"'denyRead'\\?$"},
		{"{\"denyRead\": []}",
			"denyRead: unknown key; 'denyRead' belongs into 'filesystem'$"},
		{"{\"zzzzzzzzz\": []}", "zzzzzzzzz: unknown key; remove it$"},
		{"{\"network\": {\"tlsTerminate\": {\"caCert\": \"/x\"}}}",
			"network\\.tlsTerminate\\.caCert: unknown key; did you mean"},
		{"{\"a\\u001b[31m\\n\": 1}", "f\\.json:1: a\\\\x1b\\[31m\\\\x0a: unknown key"},
		{"{\"when\": [\"~/x\"]}", "when: is for shipped rulesets only; "},
		{"{\"when\": [\"~/x\"]}", NULL, LP_DIALECT_LANDPEN, LP_LAYER_RULESET},
		{"{\"when\": []}", "shipped rulesets", LP_DIALECT_LANDPEN, LP_LAYER_PROJECT},
		{SRT(""), NULL, LP_DIALECT_SRT},
		{SRT(",\n\"ripgrap\": 1"), NULL, LP_DIALECT_SRT, 0,
			"^f\\.json:2: ripgrap: unknown key, ignored; did you mean 'ripgrep'\\?$"},
		{SRT(",\"credentials\":{\"filez\":[]}"),
			"credentials\\.filez: unknown key; did you mean 'files'\\?$",
			LP_DIALECT_SRT},
		{SRT(",\"credentials\":{\"sigv4\":{\"x\":1}}"), "sigv4\\.x: unknown key; ",
			LP_DIALECT_SRT},
		{SRT(",\"credentials\":{\"awsPairs\":[{\"x\":1}]}"),
			"awsPairs\\[0\\]\\.x: unknown key; ", LP_DIALECT_SRT},
		{SRT(",\"credentials\":{\"files\":[{\"path\":\"/x\",\"mode\":\"deny\",\"x\":1}]}"),
			NULL, LP_DIALECT_SRT, 0, "files\\[0\\]\\.x: unknown key, ignored; "},
		{SRT(",\"limits\":{\"core\":0},\"unixSockets\":[]"), NULL, LP_DIALECT_SRT},
		{SRT(",\"extends\":[\"base\"],\"ripgrap\":1"), "ripgrap: unknown key; ",
			LP_DIALECT_SRT},
		{"{\"extends\":[\"base\"]}", NULL, LP_DIALECT_SRT},
	};

	(void)state;
	CHECK(examples);
}

static void test_required(void **state)
{
	static const struct example examples[] = {
		{"{\n" SRT_FILESYSTEM "}", "^f\\.json:1: network: is required; ", LP_DIALECT_SRT},
		{"{" SRT_NETWORK "}", "filesystem: is required; ", LP_DIALECT_SRT},
		{"{" SRT_FILESYSTEM ",\n\"network\":{\"allowedDomains\":[]}}",
			"^f\\.json:2: network\\.deniedDomains: is required; add it, \\[ \\]",
			LP_DIALECT_SRT},
		{"{" SRT_NETWORK ",\"filesystem\":{\"denyRead\":[],\"denyWrite\":[]}}",
			"filesystem\\.allowWrite: is required; ", LP_DIALECT_SRT},
		{"{\"network\":{},\"filesystem\":{}}", NULL},
	};

	(void)state;
	CHECK(examples);
}

#define FILES(entry, more)                                                                   \
	"{\"network\":{\"allowedDomains\":[\"api.a.com\",\"*.b.com:443\",\"[::1]:80\"]" more \
	"},\"credentials\":{\"allowPlaintextInject\":true,\"files\":[{" entry "}]}}"
#define VARS(entry) "{\"credentials\":{\"allowPlaintextInject\":true,\"envVars\":[" entry "]}}"
#define MASK        "\"path\":\"/x\",\"mode\":\"mask\""

static void test_cross_rules(void **state)
{
	static const struct example examples[] = {
		{"{\"filesystem\":{\"denyRead\":[\"~/x/*/\"]}}",
			"filesystem\\.denyRead\\[0\\]: '~/x/\\*/' would match nothing"},
		{"{\"filesystem\":{\"denyWrite\":[\"/x[a]/\"]}}",
			"denyWrite\\[0\\]: .*match nothing"},
		{"{\"filesystem\":{\"denyWrite\":[\"build/*/\"]}}", NULL},
		{"{\"filesystem\":{\"allowWrite\":[\"/x/*/\"]}}", NULL},
		{"{\"filesystem\":{\"disabled\":true,\"denyRead\":[\"/x/*/\"]}}", NULL},
		{"{\"network\":{\"tlsTerminate\":{\"caCertPath\":\"/c\"}}}", "belong together"},
		{"{\"network\":{\"tlsTerminate\":{},\"mitmProxy\":{\"socketPath\":\"/s\","
		 "\"domains\":[\"a.b\"]}}}",
			"mitmProxy: cannot stand beside tlsTerminate; "},
		{FILES("\"path\":\"/x\"", ""), "files\\[0\\]\\.mode: is required"},
		{FILES("\"path\":\"/x\",\"mode\":\"hide\"", ""), "write 'deny' or 'mask'$"},
		{FILES("\"path\":\"/x/*/\",\"mode\":\"deny\"", ""), "match nothing"},
		{FILES("\"path\":\"/x/\",\"mode\":\"mask\"", ""), "only a file can be masked"},
		{FILES(MASK, ""), NULL},
		{"{\"credentials\":{\"files\":[{" MASK "}]}}", "mode mask needs network"},
		{"{\"network\":{\"tlsTerminate\":{}},\"credentials\":{\"files\":[{" MASK "}]}}",
			NULL},
		{FILES(MASK ",\"extract\":\"x\"", ""), "no capture group"},
		{FILES(MASK ",\"extract\":\"(?:x)\"", ""), "no capture group"},
		{FILES(MASK ",\"extract\":\"(?<=x)\"", ""), "no capture group"},
		{FILES(MASK ",\"extract\":\"[(]x\"", ""), "no capture group"},
		{FILES(MASK ",\"extract\":\"(x\"", ""), "a '\\(' is not closed"},
		{FILES(MASK ",\"extract\":\"x)(y)\"", ""), "a '\\)' has no '\\('"},
		{FILES(MASK ",\"extract\":\"([x\"", ""), "a '\\[' is not closed"},
		{FILES(MASK ",\"extract\":\"(?<key>\\\\w+)\"", ""), NULL},
		{FILES(MASK ",\"maskClaims\":[\"sub\"]", ""), "needs \"decode\""},
		{FILES(MASK ",\"decode\":\"jwt\",\"maskClaims\":[]", ""), "maskClaims: is empty"},
		{FILES(MASK ",\"decode\":\"jwt\",\"maskClaims\":[\"sub\"]", ""), NULL},
		{FILES(MASK ",\"decode\":\"xml\"", ""), "write 'jwt'$"},
		{FILES(MASK ",\"injectHosts\":[]", ""), "could never be used"},
		{FILES(MASK ",\"injectHosts\":[\"api.a.com\",\"c.b.com\",\"*.d.b.com\",\"::1\"]",
			 ""),
			NULL},
		{FILES(MASK ",\"injectHosts\":[\"b.com\"]", ""),
			"injectHosts\\[0\\]: 'b\\.com' is not covered"},
		{FILES(MASK ",\"injectHosts\":[\"*.a.com\"]", ""), "is not covered"},
		{FILES(MASK ",\"injectHosts\":[\"x.b.com\"]",
			 ",\"tlsTerminate\":{\"excludeDomains\":[\"*.b.com\"]}"),
			"is covered by tlsTerminate"},
		{VARS("{\"name\":\"1A\",\"mode\":\"deny\"}"), "name: '1A' is no variable name"},
		{VARS("{\"name\":\"A\",\"mode\":\"deny\"}"), NULL},
		{"{\"credentials\":{\"awsPairs\":[{\"accessKeyIdVar\":\"A\","
		 "\"secretAccessKeyVar\":\"B\"}]}}",
			"awsPairs\\[0\\]\\.accessKeyIdVar: 'A' must be masked as a whole"},
		{"{\"credentials\":{\"allowPlaintextInject\":true,\"envVars\":[{\"name\":\"A\","
		 "\"mode\":\"mask\"}],\"awsPairs\":[{\"accessKeyIdVar\":\"A\","
		 "\"secretAccessKeyVar\":\"A\"}]}}",
			"secretAccessKeyVar: 'A' is named twice"},
		{"{\"credentials\":{\"sigv4\":{\"streaming\":\"allow\"}}}",
			"write 'deny' or 'passthrough'$"},
	};

	(void)state;
	CHECK(examples);
}

/* count times unit, between head and tail. */
static char *repeated(const char *head, const char *unit, size_t count, const char *tail)
{
	struct lp_str str = {0};

	assert_int_equal(lp_str_add(&str, head), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(lp_str_add(&str, unit), 0);
	assert_int_equal(lp_str_add(&str, tail), 0);
	return str.text;
}

static void test_caps(void **state)
{
	lp_autofree char *deep = repeated("{\"x\": ", "[", 100, "");
	lp_autofree char *deeper = repeated("{\"x\": ", "[", 100000, "");
	lp_autofree char *closed = repeated(deep, "]", 100, "," SRT_NETWORK "," SRT_FILESYSTEM "}");
	lp_autofree char *many =
		repeated("{\"filesystem\":{\"denyRead\":[\"/a\"", ",\"/a\"", 4096, "]}}");
	lp_autofree char *large = repeated("{", " ", 1 << 20, "}");
	lp_autofree char *unknown =
		repeated("{", "\"a\":1,", 50000, SRT_NETWORK "," SRT_FILESYSTEM "}");
	const struct example examples[] = {
		{deeper, "nested too deep|not valid JSON"},
		{closed, "nested more than 64 levels", LP_DIALECT_SRT},
		{many, "denyRead: has 4097 entries; at most 4096"},
		{large, "^f\\.json: is larger than 1 MiB; "},
		{unknown, NULL, LP_DIALECT_SRT, 0, "a: unknown key, ignored"},
	};

	(void)state;
	CHECK(examples);
}

static void test_nul_byte(void **state)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
	struct lp_source *source;
	struct lp_err err = {0};
	json_t *json = NULL;
	char *text = strdup("{ }");

	(void)state;
	assert_non_null(policy);
	text[1] = '\0';
	source = lp_policy_add_source(policy, LP_LAYER_USER, strdup("f.json"), text, 3);
	assert_int_equal(lp_schema_read(policy, source, LP_DIALECT_LANDPEN, &json, &err), -22);
	assert_true(matches("holds a NUL byte", err.text));
}

/* Many unknown keys with lines to find are noted up to a bound, not one by one. */
static void test_notices_are_bounded(void **state)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
	struct lp_str str = {0};
	struct lp_source *source;
	struct lp_err err = {0};
	json_t *json = NULL;

	(void)state;
	assert_non_null(policy);
	assert_int_equal(lp_str_add(&str, "{"), 0);
	for (unsigned i = 0; i < 50000; i++)
		assert_int_equal(lp_str_addf(&str, "\"key%u\":1,\n", i), 0);
	assert_int_equal(lp_str_add(&str, SRT_NETWORK "," SRT_FILESYSTEM "}"), 0);
	source = lp_policy_add_source(policy, LP_LAYER_USER, strdup("f.json"), str.text, str.len);
	assert_int_equal(lp_schema_read(policy, source, LP_DIALECT_SRT, &json, &err), 0);
	json_decref(json);
	assert_true(policy->notices.count <= 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_types_of_own_keys),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_cross_rules),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_notices_are_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
