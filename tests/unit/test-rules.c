/* From paths as written to rules: spelling, symlinks, patterns, directories to be made. */
#include "settings-fixture.h"

/* ---- files ------------------------------------------------------------------------------------
 */

static void test_spelling(void **state)
{
	struct fixture *fixture = *state;

	make_dir("p/dir");
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\n"
		"\"allowWrite\":[\"~/a//b/./c/\", \"dir/**\", \"./sub/../up\", \"~user\"],\n"
		"\"denyRead\":[\"/absent/x\",\n\"/absent/**\"]}}");
	load(fixture);
	assert_non_null(rule_of(fixture, LP_RULE_ALLOW_WRITE, "a/b/c"));
	assert_non_null(rule_of(fixture, LP_RULE_ALLOW_WRITE, "p/dir"));
	assert_true(rule_of(fixture, LP_RULE_ALLOW_WRITE, "p/dir")->is_dir);
	assert_non_null(rule_of(fixture, LP_RULE_ALLOW_WRITE, "p/up"));
	assert_non_null(rule_of(fixture, LP_RULE_ALLOW_WRITE, "p/~user"));
	assert_false(rule_of(fixture, LP_RULE_DENY_READ, "/absent/x")->exists);
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_DENY_READ, "/absent/x")), 3);
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_DENY_READ, "/absent")), 4);
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_ALLOW_READ, ".conf")), 4);
}

/* Neighbours are resolved from each other: every order must come to the same result. */
static void test_neighbours(void **state)
{
	static const struct {
		const char *path, *resolved;
		bool exists, is_dir;
	} expected[] = {
		{"d/real/x", "d/real/x", true, false},
		{"d/real", "d/real", true, true},
		{"d/real/x/below", "d/real/x/below", false, false},
		{"d/link/x", "d/real/x", true, false},
		{"d/link", "d/real", true, true},
		{"d/link/absent", "d/real/absent", false, false},
		{"d/gone", "d/nowhere", false, false},
		{"d/gone/x", "d/nowhere/x", false, false},
		{"d/real/../link/x", "d/real/x", true, false},
		{"d/rea", "d/rea", false, false},
		{"d", "d", true, true},
		{"d/link/../y", "d/y", false, false},
	};
	struct fixture *fixture = *state;

	put("d/real/x", "");
	make_link("real", "d/link");
	make_link("nowhere", "d/gone");
	load(fixture);
	for (size_t i = 0; i < LP_ARRAY_SIZE(expected); i++)
		for (size_t j = 0; j < LP_ARRAY_SIZE(expected); j++) {
			lp_autofree char *first = at_home(expected[j].path);
			lp_autofree char *second = at_home(expected[i].path);
			lp_autofree char *resolved = at_home(expected[i].resolved);
			const struct lp_rule *rule;

			assert_int_equal(
				lp_rules_add_path(fixture->policy, LP_RULE_DENY_WRITE, first, "/",
					fixture->policy->sources[0], "k", NULL),
				0);
			assert_int_equal(
				lp_rules_add_path(fixture->policy, LP_RULE_ALLOW_READ, second, "/",
					fixture->policy->sources[0], "k", NULL),
				0);
			rule = &fixture->policy->rules[fixture->policy->rule_count - 1];
			assert_string_equal(rule->path, resolved);
			assert_string_equal(rule->spelled, second);
			assert_int_equal(rule->exists, expected[i].exists);
			assert_int_equal(rule->is_dir, expected[i].is_dir);
		}
}

static void test_symlinks(void **state)
{
	struct fixture *fixture = *state;

	make_dir("data/cache");
	put("data/rc", "");
	make_link("../data/cache", "own/cache");
	make_link("data/rc", ".rc");
	make_link("rc2", ".rc2");
	make_link(".rc", "rc2");
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"allowWrite\":[\"~/own/cache\"],"
		"\"denyWrite\":[\"~/.rc2\"],\"denyRead\":[\"~/.rc\"]}}");
	load(fixture);
	/* A grant holds where it leads to. */
	assert_non_null(rule_of(fixture, LP_RULE_ALLOW_WRITE, "data/cache"));
	assert_int_equal(rule_of(fixture, LP_RULE_ALLOW_WRITE, "data/cache")->links.count, 1);
	/* denyWrite holds for the target and for every link on the way that ends the name. */
	assert_non_null(rule_of(fixture, LP_RULE_DENY_WRITE, "data/rc"));
	assert_non_null(rule_of(fixture, LP_RULE_DENY_WRITE, ".rc2"));
	assert_non_null(rule_of(fixture, LP_RULE_DENY_WRITE, "rc2"));
	assert_non_null(rule_of(fixture, LP_RULE_DENY_WRITE, ".rc"));
	assert_non_null(rule_of(fixture, LP_RULE_DENY_READ, "data/rc"));
	assert_null(rule_of(fixture, LP_RULE_DENY_READ, ".rc"));
}

/* What an agent may have linked in an earlier run must not widen this one. */
static void test_planted_links(void **state)
{
	struct fixture *fixture = *state;

	make_dir(".ssh");
	make_dir("p/inside");
	make_link("../.ssh", "p/out");
	make_link("../.ssh", "p/read");
	make_link("/", "p/any");
	put(".config/landpen/settings.json", "{\"filesystem\":{\n\"allowWrite\":[\"./out\"],\n"
					     "\"allowRead\":[\"./read\", \"any/*/x\"]}}");
	load(fixture);
	assert_may(fixture, ".ssh/id", false, false);
	assert_true(has_notice(fixture,
		"settings\\.json:2: filesystem\\.allowWrite\\[0\\]: crosses the symbolic link "
		"'.*/p/out', which the command can replace: not followed; name '.*/\\.ssh' "
		"itself$"));
	assert_true(has_notice(fixture, ":3: filesystem\\.allowRead\\[0\\]: crosses"));
	assert_true(has_notice(fixture, ":3: filesystem\\.allowRead\\[1\\]: crosses"));
	/* Where the command cannot write, links are the user's own. */
	make_link(".ssh", "keys");
	put(".config/landpen/settings.json", "{\"filesystem\":{\"allowRead\":[\"~/keys\"]}}");
	load(fixture);
	assert_may(fixture, ".ssh/id", true, false);
}

static void test_link_loops(void **state)
{
	struct fixture *fixture = *state;

	make_link("loop", "loop");
	put(".config/landpen/settings.json", "{\"filesystem\":{\"allowWrite\":[\"~/loop\"]}}");
	load(fixture);
	assert_true(has_notice(fixture, "allowWrite\\[0\\]: '.*/loop' cannot be resolved"));
	put(".config/landpen/settings.json", "{\"filesystem\":{\"denyRead\":[\"~/loop\"]}}");
	load_fails(fixture, "denyRead\\[0\\]: '.*/loop' cannot be resolved");
}

static void test_patterns(void **state)
{
	struct fixture *fixture = *state;
	const struct lp_rule *rule;

	make_dir("p/app/[id]");
	make_dir("p/real");
	make_link("real", "p/link");
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"denyRead\":[\"**/.env\", \"link/*.key\", \"/x/**/y/**\","
		"\"app/[id]\", \"./sub//./k?y\"]}}");
	load(fixture);
	rule = rule_of(fixture, LP_RULE_DENY_READ, "p/**/.env");
	assert_non_null(rule);
	assert_true(rule->is_pattern);
	assert_non_null(rule_of(fixture, LP_RULE_DENY_READ, "p/real/*.key"));
	assert_non_null(rule_of(fixture, LP_RULE_DENY_READ, "/x/**/y"));
	assert_non_null(rule_of(fixture, LP_RULE_DENY_READ, "p/sub/k?y"));
	assert_may(fixture, "p/.env", false, false);
	assert_may(fixture, "p/a/b/.env", false, false);
	assert_may(fixture, "p/real/a.key", false, false);
	/* Both what the pattern says and the directory of that very name. */
	assert_may(fixture, "p/app/i", false, false);
	assert_may(fixture, "p/app/[id]/x", false, false);
	put(".config/landpen/settings.json", "{\"filesystem\":{\"denyRead\":[\"a/*/../b\"]}}");
	load_fails(fixture, "'\\*/\\.\\./b' has a '\\.\\.' behind a glob character");
}

static void test_pattern_below_odd_directory(void **state)
{
	struct fixture *fixture = *state;
	lp_autofree char *odd = at_home("q[1]");

	make_dir("q[1]");
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"denyRead\":[\"*.key\",\"plain\"]}}");
	fixture->request.cwd = odd;
	load(fixture);
	assert_may(fixture, "q[1]/a.key", false, false);
	assert_may(fixture, "q[1]/a.txt", true, true);
	assert_may(fixture, "q[1]/plain", false, false);
	assert_may(fixture, "q1/a.key", false, false); /* home is hidden */
	assert_null(rule_of(fixture, LP_RULE_DENY_READ, "q[1]/*.key"));
}

static void test_create_dirs(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	lp_autofree char *made = at_home("x/y");

	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"createDirs\":[\"~/x/y\"],\"allowWrite\":[\"~/x/y\"]}}");
	load(fixture);
	assert_int_equal(stat(made, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_true(rule_of(fixture, LP_RULE_ALLOW_WRITE, "x/y")->exists);
	put(".config/landpen/settings.json", "{\"filesystem\":{\"createDirs\":[\"/tmp/x\"]}}");
	load_fails(fixture, "createDirs\\[0\\]: '/tmp/x' is not below the home directory; ");
	put(".config/landpen/settings.json", "{\"filesystem\":{\"createDirs\":[\"~/../x\"]}}");
	load_fails(fixture, "is not below the home directory; ");
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"createDirs\":[\"p/.git/HEAD/x\"]}}");
	load(fixture);
}

static void test_files_disabled(void **state)
{
	struct fixture *fixture = *state;

	put(".config/landpen/settings.json", "{\"filesystem\":{\"disabled\":true}}");
	load(fixture);
	assert_true(fixture->policy->files_disabled);
	assert_may(fixture, ".config/landpen/settings.json", true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_spelling),
		TEST(test_neighbours),
		TEST(test_symlinks),
		TEST(test_planted_links),
		TEST(test_link_loops),
		TEST(test_patterns),
		TEST(test_pattern_below_odd_directory),
		TEST(test_create_dirs),
		TEST(test_files_disabled),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
