/* policy: the deciders as a table, environment rules, origins and their lines. */
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

/* ---- who may do what ------------------------------------------------------------------------- */

static void add_rule(struct lp_policy *policy, enum lp_rule_kind kind, const char *path)
{
	struct lp_rule rule = {.kind = kind, .is_pattern = lp_has_glob(path)};

	rule.path = strdup(path);
	rule.spelled = strdup(path);
	rule.origin.key = strdup("k");
	assert_int_equal(lp_policy_add_rule(policy, &rule), 0);
	assert_null(rule.path);
}

/*
 * rules: "KIND PATH" separated by spaces; KIND is R, W (allow) or r, w (deny). asked: paths with
 * what is expected of them: '-' nothing, 'r' reading only, 'w' reading and writing, '!' writing
 * only. The numbers in the comments are those of the srt contract.
 */
static const struct {
	const char *name, *rules, *asked;
} cases[] = {
	{"no rules: readable, not writable (3.2)", "", "r/ r/a r/a/b"},
	{"allowWrite", "W/p", "w/p w/p/x r/pq r/ r/q"},
	{"allowWrite /", "W/", "w/ w/a w/a/b"},
	{"denyWrite beats a more specific allowWrite (3.2)", "W/p W/p/n/a/b w/p/n",
		"w/p/x r/p/n r/p/n/a/b r/p/n/a/b/c"},
	{"denyWrite on the same path", "W/p w/p", "r/p r/p/x"},
	{"denyWrite above", "w/p W/p/x", "r/p/x"},
	{"alternating reads (3.2)", "r/n R/n/a r/n/a/b R/n/a/b/c",
		"-/n -/n/x r/n/a r/n/a/x -/n/a/b -/n/a/b/x r/n/a/b/c r/n/a/b/c/x"},
	{"a tie goes to allowRead (3.2)", "r/n R/n", "r/n r/n/x"},
	{"a tie, the other order", "R/n r/n", "r/n r/n/x"},
	{"a denied file is lifted by its own name only (3.2)", "r/p/.env R/p", "-/p/.env r/p/x"},
	{"a denied file named again (3.2)", "r/p/.env R/p R/p/.env", "r/p/.env"},
	{"a denied file under allowWrite", "r/p/.env W/p", "-/p/.env w/p/x"},
	{"allowWrite implies read in a denied tree (3.2)", "r/h W/h/p", "-/h -/h/x w/h/p w/h/p/x"},
	{"re-opened by allowRead is read-only under a higher allowWrite (3.2)", "W/p r/p/n R/p/n/a",
		"w/p/x -/p/n -/p/n/x r/p/n/a r/p/n/a/f1"},
	{"writable where an allowWrite lies below the denied directory (3.2)", "W/p r/p/n W/p/n/a",
		"w/p/x -/p/n/x w/p/n/a w/p/n/a/f"},
	{"writable where an allowWrite lies at the denied directory (3.2)",
		"W/p r/p/n W/p/n R/p/n/a", "w/p/n w/p/n/x w/p/n/a"},
	{"a denyRead deeper than the allowWrite hides and keeps (3.2)", "W/p r/p/s",
		"-/p/s -/p/s/x"},
	{"allowWrite of a file", "W/p/main.c", "w/p/main.c r/p r/p/other"},
	{"denyRead /", "r/ R/usr", "-/ -/etc r/usr r/usr/bin -/usr2"},
	{"denyRead of the home with a project in it",
		"r/home/me R/home/me/.rustup W/home/me/src/p w/home/me/src/p/.git/hooks",
		"-/home/me -/home/me/.ssh/id -/home/me/src r/home/me/.rustup/x w/home/me/src/p/a "
		"r/home/me/src/p/.git/hooks/pre-commit w/home/me/src/p/.git/index r/home "
		"r/home/you"},
	{"denyWrite hides nothing", "w/p", "r/p"},
	{"writing allowed, reading denied below, allowed again for writing",
		"W/a r/a/b W/a/b/c w/a/b/c/d", "w/a -/a/b w/a/b/c r/a/b/c/d"},
	{"names that begin alike", "W/p/a r/p/b", "r/p/ab r/p/bc w/p/a"},
	{"pattern: denied files", "W/p r/p/**/*.pem", "w/p/x -/p/k.pem -/p/a/k.pem -/p/k.pem/x"},
	{"pattern: denyWrite", "W/p w/p/*.c", "r/p/x.c w/p/x.h w/p/a/x.c"},
	{"pattern: a denied directory holds what is below", "r/h/.*", "-/h/.ssh -/h/.ssh/id r/h/x"},
	{"pattern: allowRead in a denied tree", "r/h R/h/*/pub", "-/h/a r/h/a/pub r/h/a/pub/x"},
	{"pattern against a longer literal", "r/h/* R/h/a/b", "-/h/a -/h/a/x r/h/a/b r/h/a/b/c"},
};

static void check_case(size_t i)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
	lp_autofree char *rules = strdup(cases[i].rules), *asked = strdup(cases[i].asked);
	char *rest = NULL;

	for (char *word = strtok_r(rules, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		add_rule(policy,
			*word == 'R'   ? LP_RULE_ALLOW_READ
			: *word == 'W' ? LP_RULE_ALLOW_WRITE
			: *word == 'r' ? LP_RULE_DENY_READ
				       : LP_RULE_DENY_WRITE,
			word + 1);
	for (char *word = strtok_r(asked, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		const char *path = word + 1;
		bool reads = lp_policy_may(policy, path, LP_ACCESS_READ).allowed;
		bool writes = lp_policy_may(policy, path, LP_ACCESS_WRITE).allowed;
		bool executes = lp_policy_may(policy, path, LP_ACCESS_EXECUTE).allowed;
		char is = reads ? writes ? 'w' : 'r' : writes ? '!' : '-';

		if (is != *word || executes != reads)
			fail_msg("%s: %s is '%c', not '%c'", cases[i].name, path, is, *word);
	}
}

static void test_deciders(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++)
		check_case(i);
}

static void test_who_decided(void **state)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
	struct lp_decision decision;

	(void)state;
	add_rule(policy, LP_RULE_ALLOW_WRITE, "/p");
	add_rule(policy, LP_RULE_DENY_WRITE, "/p/a");
	add_rule(policy, LP_RULE_DENY_READ, "/p/s");
	add_rule(policy, LP_RULE_ALLOW_READ, "/p/s/o");
	assert_null(lp_policy_may(policy, "/x", LP_ACCESS_READ).rule);
	assert_null(lp_policy_may(policy, "/x", LP_ACCESS_WRITE).rule);
	decision = lp_policy_may(policy, "/p/x", LP_ACCESS_WRITE);
	assert_ptr_equal(decision.rule, &policy->rules[0]);
	decision = lp_policy_may(policy, "/p/a/b", LP_ACCESS_WRITE);
	assert_ptr_equal(decision.rule, &policy->rules[1]);
	decision = lp_policy_may(policy, "/p/s/b", LP_ACCESS_WRITE);
	assert_ptr_equal(decision.rule, &policy->rules[2]);
	decision = lp_policy_may(policy, "/p/s/b", LP_ACCESS_EXECUTE);
	assert_ptr_equal(decision.rule, &policy->rules[2]);
	decision = lp_policy_may(policy, "/p/s/o", LP_ACCESS_READ);
	assert_ptr_equal(decision.rule, &policy->rules[3]);
	policy->files_disabled = true;
	decision = lp_policy_may(policy, "/p/s", LP_ACCESS_WRITE);
	assert_true(decision.allowed);
	assert_null(decision.rule);
}

static void test_zero_is_deny(void **state)
{
	static const struct lp_policy zero;
	static const struct lp_decision decision;

	(void)state;
	assert_false(decision.allowed);
	assert_int_equal(LP_RULE_DENY_WRITE, 0);
	assert_int_equal(LP_ENV_UNSET, 0);
	assert_int_equal(LP_NETWORK_NONE, 0);
	assert_false(lp_policy_may(&zero, "/", LP_ACCESS_WRITE).allowed);
	assert_false(lp_policy_env(&zero, "HOME").allowed);
}

static void test_covers(void **state)
{
	static const struct {
		const char *rule, *path;
		bool covers;
	} rows[] = {
		{"/", "/", true},
		{"/", "/a", true},
		{"/a", "/a", true},
		{"/a", "/a/b", true},
		{"/a", "/ab", false},
		{"/a/b", "/a", false},
		{"/a/*", "/a", false},
		{"/a/*", "/a/b", true},
		{"/a/*", "/a/b/c", true},
		{"/a/*.c", "/a/b.c/d", true},
		{"/**/x", "/x", true},
		{"/**/x", "/a/x/y", true},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));

		add_rule(policy, LP_RULE_DENY_READ, rows[i].rule);
		if (lp_rule_covers(&policy->rules[0], rows[i].path) != rows[i].covers)
			fail_msg("%s over %s", rows[i].rule, rows[i].path);
	}
}

/* ---- environment ----------------------------------------------------------------------------- */

static void add_env(struct lp_policy *policy, enum lp_env_action action, const char *name)
{
	struct lp_env_rule rule = {.action = action};

	rule.name = strdup(name);
	rule.value = action == LP_ENV_SET ? strdup("v") : NULL;
	rule.origin.key = strdup("k");
	assert_int_equal(lp_policy_add_env(policy, &rule), 0);
}

static void test_environment(void **state)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));

	(void)state;
	add_env(policy, LP_ENV_PASS, "LC_*");
	add_env(policy, LP_ENV_PASS, "HOME");
	add_env(policy, LP_ENV_UNSET, "LC_SECRET*");
	add_env(policy, LP_ENV_PASS, "LC_SECRET_NOT");
	add_env(policy, LP_ENV_SET, "LC_SET");
	add_env(policy, LP_ENV_UNSET, "GONE");
	assert_true(lp_policy_env(policy, "LC_ALL").allowed);
	assert_true(lp_policy_env(policy, "HOME").allowed);
	assert_false(lp_policy_env(policy, "HOMES").allowed);
	assert_false(lp_policy_env(policy, "LC_SECRET").allowed);
	assert_false(lp_policy_env(policy, "LC_SECRET_X").allowed);
	assert_true(lp_policy_env(policy, "LC_SECRET_NOT").allowed);
	assert_false(lp_policy_env(policy, "GONE").allowed);
	assert_false(lp_policy_env(policy, "ELSE").allowed);
	assert_false(lp_policy_env(policy, "lc_all").allowed);
}

/* ---- origins --------------------------------------------------------------------------------- */

static const char origin_text[] = "{\n"
				  "  \"filesystem\": {\n"
				  "    \"denyRead\": [\"a\",\n"
				  "      \"b}]\\\"\", {\"x\": [1,\n"
				  "2]},\n"
				  "      \"c\"],\n"
				  "    \"allowRead\": [],\n"
				  "    \"disabled\": false,\n"
				  "    \"disabled\":\n"
				  "      true\n"
				  "  },\n"
				  "  \"network\": null\n"
				  "}\n";

static const struct {
	const char *key;
	unsigned line;
} lines[] = {
	{"filesystem", 2},
	{"filesystem.denyRead", 3},
	{"filesystem.denyRead[0]", 3},
	{"filesystem.denyRead[1]", 4},
	{"filesystem.denyRead[2]", 4},
	{"filesystem.denyRead[2].x[1]", 5},
	{"filesystem.denyRead[3]", 6},
	{"filesystem.allowRead", 7},
	{"filesystem.disabled", 10}, /* the last of two wins, as in the parser */
	{"network", 12},
	{"", 1},
	{"none", 0},
	{"filesystem.none", 0},
	{"filesystem.denyRead[9]", 0},
	{"filesystem.denyRead[x]", 0},
	{"filesystem[0]", 0},
	{"network.x", 0},
};

static void test_origin_lines(void **state)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};
	struct lp_source *source = lp_policy_add_source(policy, LP_LAYER_USER, strdup("/a\nb"),
		strdup(origin_text), sizeof(origin_text) - 1);
	char key[] = "filesystem.denyRead[3]";
	struct lp_origin nothing = {0};

	(void)state;
	assert_true(source->trusted);
	for (size_t i = 0; i < LP_ARRAY_SIZE(lines); i++) {
		lp_autofree char *copy = strdup(lines[i].key);
		struct lp_origin origin = {source, copy};

		if (lp_origin_line(&origin) != lines[i].line)
			fail_msg("%s: line %u", lines[i].key, lp_origin_line(&origin));
	}
	assert_int_equal(lp_origin_print(&(struct lp_origin){source, key}, &str), 0);
	assert_string_equal(str.text, "/a\\x0ab:6 (filesystem.denyRead[3])");
	str.len = 0;
	assert_int_equal(lp_origin_print(&nothing, &str), 0);
	assert_string_equal(str.text, "built in");
	assert_int_equal(lp_origin_line(&nothing), 0);
	assert_false(lp_policy_add_source(policy, LP_LAYER_PROJECT, strdup("p"), NULL, 0)->trusted);
}

/* Cut anywhere, the text has no line that is not in it, and nothing behind it is read. */
static void test_origin_in_broken_text(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(origin_text); len++) {
		struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
		char *text = malloc(len ? len : 1);
		struct lp_source *source;

		memcpy(text, origin_text, len);
		source = lp_policy_add_source(policy, LP_LAYER_USER, strdup("f"), text, len);
		for (size_t i = 0; i < LP_ARRAY_SIZE(lines); i++) {
			lp_autofree char *copy = strdup(lines[i].key);
			struct lp_origin origin = {source, copy};

			assert_true(lp_origin_line(&origin) <= 14);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deciders),
		cmocka_unit_test(test_who_decided),
		cmocka_unit_test(test_zero_is_deny),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_origin_lines),
		cmocka_unit_test(test_origin_in_broken_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
