/* Claude Code's settings.json given by --settings: what it becomes, and what is said about it. */
#include "settings-fixture.h"

/* The file as it lies in a project (p), or as the user's own (in the home). */
static void use(struct fixture *fixture, const char *file, const char *text)
{
	static char path[160];

	put(file, text);
	snprintf(path, sizeof(path), "%s/%s", home, file);
	fixture->request.settings_file = path;
}

static void use_project(struct fixture *fixture, const char *text)
{
	use(fixture, "p/.claude/settings.json", text);
}

/* ---- paths ------------------------------------------------------------------------------------
 */

struct spelling {
	const char *text, *path, *without; /* without: what stays open */
};

static void check_denied(struct fixture *fixture, const char *format, const struct spelling *row)
{
	char text[512];

	snprintf(text, sizeof(text), format, row->text);
	use_project(fixture, text);
	load(fixture);
	if (lp_policy_may(fixture->policy, row->path, LP_ACCESS_READ).allowed)
		fail_msg("%s leaves %s readable", text, row->path);
	if (!lp_policy_may(fixture->policy, row->without, LP_ACCESS_READ).allowed)
		fail_msg("%s closes %s", text, row->without);
}

/* Path arguments that start with '%' stand below the home. */
static void check_spellings(
	struct fixture *fixture, const char *format, const struct spelling *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char path[256], without[256];
		struct spelling row = {rows[i].text, path, without};

		snprintf(path, sizeof(path), "%s%s", rows[i].path[0] == '/' ? "" : home,
			rows[i].path + (rows[i].path[0] != '/'));
		snprintf(without, sizeof(without), "%s%s", rows[i].without[0] == '/' ? "" : home,
			rows[i].without + (rows[i].without[0] != '/'));
		check_denied(fixture, format, &row);
	}
}

static void test_read_rules(void **state)
{
	static const struct spelling rows[] = {
		{"//etc/shadow", "/etc/shadow", "/etc/passwd"},
		{"//etc/ssh/**", "/etc/ssh/x/y", "/etc/passwd"},
		{"//etc/*.key", "/etc/a.key", "/etc/d/a.key"},
		{"~/.ssh", "%/.ssh/id", "%/.sshx"},
		{"~/.ssh/**", "%/.ssh/d/id", "%/x"},
		{"~/.ssh/", "%/.ssh/id", "%/x"},
		{"/secrets/**", "%/p/secrets/x", "%/p/sub/secrets/x"},
		{"/.env", "%/p/.env", "%/p/sub/.env"},
		{"secrets/one", "%/p/sub/secrets/one/x", "%/p/secrets/one"},
		{"./secrets/one", "%/p/sub/secrets/one/x", "%/p/secrets/one"},
		{".env", "%/p/sub/deep/.env", "%/p/sub/env"},
		{"./.env", "%/p/sub/deep/.env", "%/x/.env"},
		{"*.pem", "%/p/sub/deep/a.pem", "%/x/a.pem"},
		{"build/", "%/p/sub/deep/build/x", "%/p/builds"},
		{"build/**", "%/p/sub/deep/build/x", "%/p/builds"},
		{"**/a/b", "%/p/sub/x/y/a/b", "%/p/sub/a/c"},
		{"../q", "%/p/q/x", "%/q/x"},
	};
	struct fixture *fixture = *state;
	lp_autofree char *sub = at_home("p/sub");

	fixture->request.cwd = sub;
	check_spellings(
		fixture, "{\"permissions\":{\"deny\":[\"Read(%s)\"]}}", rows, LP_ARRAY_SIZE(rows));
}

static void test_sandbox_paths(void **state)
{
	static const struct spelling rows[] = {
		{"/etc/shadow", "/etc/shadow", "/etc/passwd"},
		{"//etc/shadow", "/etc/shadow", "/etc/passwd"},
		{"~/.ssh", "%/.ssh/id", "%/x"},
		{"secret", "%/p/secret/x", "%/p/sub/secret"},
		{"./secret", "%/p/secret/x", "%/p/sub/secret"},
	};
	struct fixture *fixture = *state;
	lp_autofree char *sub = at_home("p/sub");

	fixture->request.cwd = sub;
	check_spellings(fixture, "{\"sandbox\":{\"filesystem\":{\"denyRead\":[\"%s\"]}}}", rows,
		LP_ARRAY_SIZE(rows));
	check_spellings(fixture,
		"{\"sandbox\":{\"credentials\":{\"files\":[{\"path\":\"%s\",\"mode\":\"deny\"}]}}}",
		rows, LP_ARRAY_SIZE(rows));
}

/* /x starts where the file's .claude stands, or the file itself; but not at the home. */
static void test_root(void **state)
{
	static const char text[] = "{\"permissions\":{\"deny\":[\"Read(/x)\"]}}";
	struct fixture *fixture = *state;

	use(fixture, "p/.claude/settings.local.json", text);
	load(fixture);
	assert_may(fixture, "p/x", false, false);
	use(fixture, ".claude/settings.json", text);
	load(fixture);
	assert_may(fixture, ".claude/x", false, false);
	assert_may(fixture, "x", true, false);
	use(fixture, "conf/managed.json", text);
	load(fixture);
	assert_may(fixture, "conf/x", false, false);
	use(fixture, "a[b*/.claude/settings.json", text);
	load(fixture);
	assert_may(fixture, "a[b*/x", false, false);
	assert_may(fixture, "ab/x", true, false);
}

/* ---- which access -----------------------------------------------------------------------------
 */

static void test_access(void **state)
{
	struct fixture *fixture = *state;

	make_dir("more");
	make_dir("given/in");
	use_project(fixture, "{\"permissions\": {\n"
			     "\"deny\": [\"Edit(/locked/**)\",\n"
			     "\"Write(one)\", \"Grep(/closed)\"],\n"
			     "\"ask\": [\"Edit(/asked)\"],\n"
			     "\"allow\": [\"Edit(~/given/**)\", \"Read(~/x)\", \"Bash(make)\"],\n"
			     "\"additionalDirectories\": [\"../more\"]}}");
	load(fixture);
	assert_may(fixture, "p/x", true, true);
	assert_may(fixture, "x", true, false);
	assert_may(fixture, "p/locked/x", true, false);
	assert_may(fixture, "p/sub/one", true, false);
	assert_may(fixture, "p/closed/x", false, false);
	assert_may(fixture, "p/asked", true, false);
	assert_may(fixture, "given/in/x", true, true);
	assert_may(fixture, "more/x", true, true);
	assert_int_equal(fixture->policy->notices.count, 1);
	assert_true(has_notice(fixture, ":4: permissions\\.ask\\[0\\]: landpen asks nobody"));
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_DENY_WRITE, "p/locked")), 2);
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_ALLOW_WRITE, "given")), 5);
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_ALLOW_WRITE, "more")), 6);
}

/* Deny wins, however much more exact an allow is; and without srt's tie for the directory. */
static void test_deny_wins(void **state)
{
	struct fixture *fixture = *state;

	make_dir(".ssh/in");
	make_dir(".away/in");
	use_project(fixture, "{\"permissions\": {\n"
			     "\"allow\": [\"Edit(~/.ssh/in)\",\n"
			     "\"Edit(~/.away/in/**)\"],\n"
			     "\"deny\": [\"Read(~/.ssh/**)\", \"Read(~/.aw*)\"]}}");
	load(fixture);
	assert_may(fixture, ".ssh/in/x", false, false);
	assert_may(fixture, ".away/in/x", false, false);
	assert_true(has_notice(fixture, ":2: permissions\\.allow\\[0\\]: .* stays closed"));
	assert_true(has_notice(fixture, ":3: permissions\\.allow\\[1\\]: .* stays closed"));
	use_project(fixture, "{\"permissions\": {\"deny\": [\"Read(**)\"]}}");
	load(fixture);
	assert_may(fixture, "p/x", false, false);
	assert_true(has_notice(fixture, "permissions: '\\.' stays closed"));
	/* the sandbox block says its own exceptions, as in srt */
	use_project(fixture, "{\"sandbox\": {\"filesystem\": {\"allowRead\": [\"~/.ssh/in\"]}},\n"
			     "\"permissions\": {\"deny\": [\"Read(~/.ssh/**)\"]}}");
	load(fixture);
	assert_may(fixture, ".ssh/in/x", true, false);
}

/* What Claude Code alone can hold is named, and the rest holds. */
static void test_unheld(void **state)
{
	struct fixture *fixture = *state;

	use_project(fixture, "{\"permissions\": {\"deny\": [\"Read(/closed)\",\n"
			     "\"Bash(rm:*)\", \"mcp__x__*\", \"WebSearch\", \"Edit(/locked)\"]}}");
	load(fixture);
	assert_may(fixture, "p/closed", false, false);
	assert_may(fixture, "p/locked", true, false);
	assert_int_equal(fixture->policy->notices.count, 1);
	assert_true(has_notice(fixture, ":2: permissions\\.deny\\[1\\]: 'Bash\\(rm:\\*\\)', "
					"'mcp__x__\\*', 'WebSearch': not "
					"held by landpen"));
}

static void test_files_disabled(void **state)
{
	struct fixture *fixture = *state;

	use_project(fixture, "{\"permissions\": {\"deny\": [\"Read(/closed)\"]},\n"
			     "\"sandbox\": {\"filesystem\": {\"disabled\": true}}}");
	load(fixture);
	assert_true(fixture->policy->files_disabled);
	assert_int_equal(fixture->policy->notices.count, 1);
	assert_true(has_notice(fixture, ":2: sandbox\\.filesystem\\.disabled: the paths of "
					"permissions\\.deny and ask are not held either"));
	use_project(fixture, "{\"permissions\": {\"deny\": [\"WebFetch(domain:a.com)\"]},\n"
			     "\"sandbox\": {\"filesystem\": {\"disabled\": true}}}");
	load(fixture);
	assert_int_equal(fixture->policy->notices.count, 0);
}

static void test_home_is_not_given(void **state)
{
	struct fixture *fixture = *state;

	fixture->request.cwd = home;
	use(fixture, ".claude/settings.json", "{\"sandbox\":{\"enabled\":true}}");
	load(fixture);
	assert_may(fixture, "x", true, false);
	assert_true(has_notice(fixture, "sandbox: the home directory does not become writable"));
}

static void test_hosts(void **state)
{
	struct fixture *fixture = *state;

	use_project(fixture,
		"{\"sandbox\": {\"network\": {\"allowedDomains\": [\"a.com\", \"*.b.com\"]}},\n"
		"\"permissions\": {\"allow\": [\"WebFetch(domain:c.com)\",\n"
		"\"WebFetch(domain:*)\", \"WebFetch\"],\n"
		"\"deny\": [\"WebFetch(domain:x.b.com)\"]}}");
	load(fixture);
	assert_true(lp_policy_may_connect(fixture->policy, "a.com", 443).allowed);
	assert_true(lp_policy_may_connect(fixture->policy, "y.b.com", 443).allowed);
	assert_true(lp_policy_may_connect(fixture->policy, "c.com", 443).allowed);
	assert_false(lp_policy_may_connect(fixture->policy, "x.b.com", 443).allowed);
	assert_false(lp_policy_may_connect(fixture->policy, "d.com", 443).allowed);
	assert_true(has_notice(fixture, ":3: permissions\\.allow\\[1\\]: '\\*' is not allowed"));
	assert_true(
		has_notice(fixture, ":3: permissions\\.allow\\[2\\]: 'WebFetch' gives nothing"));
}

static void test_the_rest(void **state)
{
	struct fixture *fixture = *state;

	use_project(fixture,
		"{\"env\": {\"A\": \"x\", \"B\": 1, \"C\": true},\n"
		"\"model\": \"opus\", \"hooks\": {\"x\": []},\n"
		"\"sandbox\": {\n"
		"\"enabled\": false,\n"
		"\"excludedCommands\": [\"docker\"],\n"
		"\"allowUnsandboxedCommands\": true,\n"
		"\"odd\": 1,\n"
		"\"allowNestedUserNamespaces\": true,\n"
		"\"filesystem\": {\"disabled\": true, \"denyReads\": []},\n"
		"\"credentials\": {\"envVars\": [{\"name\": \"T\", \"mode\": \"deny\"}]}}}");
	load(fixture);
	assert_string_equal(set_value(fixture, "A"), "x");
	assert_string_equal(set_value(fixture, "B"), "1");
	assert_string_equal(set_value(fixture, "C"), "true");
	assert_true(fixture->policy->namespaces);
	assert_true(fixture->policy->files_disabled);
	assert_false(lp_policy_env(fixture->policy, "T").allowed);
	assert_int_equal(fixture->policy->notices.count, 5);
	assert_true(has_notice(fixture, ":4: sandbox\\.enabled: changes nothing"));
	assert_true(has_notice(fixture, ":5: sandbox\\.excludedCommands: no command leaves"));
	assert_true(
		has_notice(fixture, ":6: sandbox\\.allowUnsandboxedCommands: no command leaves"));
	assert_true(has_notice(fixture, ":7: sandbox\\.odd: unknown key"));
	assert_true(has_notice(fixture, ":9: sandbox\\.filesystem\\.denyReads: .*'denyRead'"));
}

/* Neither a key of landpen's own nor one of srt's gets in by the sandbox block. */
static void test_foreign_keys(void **state)
{
	struct fixture *fixture = *state;

	use_project(fixture,
		"{\"sandbox\": {\"unixSockets\": [\"/run/x\"], \"extends\": [\"base\"],\n"
		"\"process\": {\"allowPtrace\": true}, \"acceptGaps\": [\"tcp\"]}}");
	load(fixture);
	assert_false(fixture->policy->ptrace);
	assert_int_equal(fixture->policy->socket_count, 0);
	assert_int_equal(fixture->policy->accepted.count, 0);
	assert_int_equal(fixture->policy->rulesets.count, 0);
	assert_int_equal(fixture->policy->notices.count, 4);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"{\"permissions\":{\"deny\":[\"Read(x)\",\n\"Edit\"]}}",
			":2: permissions\\.deny\\[1\\]: 'Edit' cannot be held"},
		{"{\"permissions\":{\"deny\":[\"Read(x\"]}}", "deny\\[0\\]: 'Read\\(x' cannot"},
		{"{\"permissions\":{\"deny\":[\"Read()\"]}}", "deny\\[0\\]: 'Read\\(\\)' cannot"},
		{"{\"permissions\":{\"deny\":[\"Read(!x)\"]}}", "deny\\[0\\]: .* cannot be held"},
		{"{\"permissions\":{\"deny\":[\"Read(a\\\\b)\"]}}",
			"deny\\[0\\]: .* cannot be held"},
		{"{\"permissions\":{\"deny\":[\"WebFetch\"]}}", "deny\\[0\\]: .* cannot be held"},
		{"{\"permissions\":{\"deny\":[\"WebFetch(a.com)\"]}}", "deny\\[0\\]: .* cannot be"},
		{"{\"permissions\":{\"deny\":[\"WebFetch(domain:http://a.com)\"]}}",
			"deny\\[0\\]: 'http://a\\.com' "},
		{"{\"permissions\":{\"ask\":[\"WebFetch(domain:a)\"]}}", "ask\\[0\\]: 'a' "},
		{"{\"permissions\":{\"deny\":[\"Read(a*/../b)\"]}}",
			"deny\\[0\\]: .*'\\.\\.' behind"},
		{"{\"permissions\":{\"deny\":\"Read(x)\"}}", "permissions\\.deny: must be a list"},
		{"{\"permissions\":{\"deny\":[1]}}", "deny\\[0\\]: must be a string"},
		{"{\"permissions\":[],\"sandbox\":{}}", "permissions: must be an object"},
		{"{\"sandbox\":[],\"permissions\":{}}", "sandbox: must be an object"},
		{"{\"permissions\":{\n\"blockReadsOutsideWorkingDirectories\":true}}",
			":2: permissions\\.blockReads.*: is a limit of Claude Code's"},
		{"{\"sandbox\":{\"enabled\":\"yes\"}}", "sandbox\\.enabled: must be true or false"},
		{"{\"sandbox\":{\"filesystem\":{\n\"denyRead\":\"x\"}}}",
			":2: sandbox\\.filesystem\\.denyRead: must be a list of strings"},
		{"{\"sandbox\":{\"network\":[]}}", "sandbox\\.network: must be an object"},
		{"{\"sandbox\":{\"network\":{\n\"tlsTerminate\":{}}}}",
			":2: sandbox\\.network\\.tlsTerminate: asks for TLS interception"},
		{"{\"sandbox\":{\"allowNestedUserNamespaces\":1}}",
			"sandbox\\.allowNestedUserNamespaces: must be true or false"},
		{"{\"sandbox\":{},\"env\":{\"A B\":\"\"}}", "env: 'A B' "},
		{"{\"sandbox\":{},\"env\":[]}", "env: must be an object"},
		{"{\"sandbox\":{},\"network\":{}}", "mixes the keys of srt's settings with those"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		use_project(fixture, rows[i].text);
		load_fails(fixture, rows[i].expected);
	}
}

/* What is none of Claude Code's is read as before, and a project's file never is one. */
static void test_other_files(void **state)
{
	struct fixture *fixture = *state;

	use_project(fixture, "{\"permissions\": 1, \"env\": {}}");
	load_fails(fixture, "network: is required");
	fixture->request.settings_file = NULL;
	put("p/.landpen.json", "{\"permissions\": {}}");
	load_fails(fixture, "permissions: unknown key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read_rules),
		TEST(test_sandbox_paths),
		TEST(test_root),
		TEST(test_access),
		TEST(test_deny_wins),
		TEST(test_unheld),
		TEST(test_files_disabled),
		TEST(test_home_is_not_given),
		TEST(test_hosts),
		TEST(test_the_rest),
		TEST(test_foreign_keys),
		TEST(test_refused),
		TEST(test_other_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
