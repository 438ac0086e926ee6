/* Projects that nobody trusts yet, places that are refused, and the command line. */
#include "settings-fixture.h"

/* ---- the project ------------------------------------------------------------------------------
 */

static const char widening[] = "{\n"
			       "\"extends\": [\"piece\"],\n"
			       "\"filesystem\": {\n"
			       "\"allowRead\": [\"~/.ssh\"],\n"
			       "\"allowWrite\": [\"~\", \"~/.ssh\"],\n"
			       "\"denyRead\": [\".env\"],\n"
			       "\"denyWrite\": [\"locked\"],\n"
			       "\"createDirs\": [\"~/made\"],\n"
			       "\"allowGitConfig\": true,\n"
			       "\"disabled\": true},\n"
			       "\"environment\": {\"pass\": [\"TOKEN\"],\n"
			       "\"set\": {\"LD_PRELOAD\": \"x\"},\n"
			       "\"unset\": [\"PATH\"]},\n"
			       "\"limits\": {\"openFiles\": 50,\n"
			       "\"core\": 4096},\n"
			       "\"process\": {\"allowPtrace\": true, \"allowNamespaces\": false},\n"
			       "\"network\": {\"allowAllUnixSockets\": true,\n"
			       "\"allowedDomains\": [\"a.com\"], \"httpProxyPort\": 1},\n"
			       "\"unixSockets\": [\"/run/x\"],\n"
			       "\"acceptGaps\": [\"tcp\"],\n"
			       "\"git\": {\"safeDirectories\": [\"/x\"]},\n"
			       "\"mandatoryDenySearchDepth\": 1}\n";

static void test_untrusted_project_only_tightens(void **state)
{
	static const char *const expected[] = {
		":2: extends: not trusted yet, ignored; read the file and run 'landpen trust'$",
		":4: filesystem\\.allowRead: not trusted",
		":5: filesystem\\.allowWrite: not trusted",
		":8: filesystem\\.createDirs: not trusted",
		":9: filesystem\\.allowGitConfig: not trusted",
		":10: filesystem\\.disabled: not trusted",
		":11: environment\\.pass: not trusted",
		":12: environment\\.set: not trusted",
		":15: limits\\.core: not trusted",
		":16: process\\.allowPtrace: not trusted",
		":17: network\\.allowAllUnixSockets: not trusted",
		":18: network\\.allowedDomains: not trusted",
		":18: network\\.httpProxyPort: not trusted",
		":19: unixSockets: not trusted",
		":20: acceptGaps: not trusted",
		":21: git\\.safeDirectories: not trusted",
		":22: mandatoryDenySearchDepth: not trusted",
	};
	struct fixture *fixture = *state;
	lp_autofree char *made = at_home("made");

	put("p/.landpen.json", widening);
	load(fixture);
	for (size_t i = 0; i < LP_ARRAY_SIZE(expected); i++)
		if (!has_notice(fixture, expected[i]))
			fail_msg("no notice %s", expected[i]);
	assert_int_equal(fixture->policy->notices.count, LP_ARRAY_SIZE(expected));
	assert_may(fixture, ".ssh/id", false, false);
	assert_may(fixture, "x", false, false);
	assert_may(fixture, "p/x", true, true);
	assert_may(fixture, "p/.env", false, false);
	assert_may(fixture, "p/locked/x", true, false);
	assert_int_equal(access(made, F_OK), -1);
	assert_false(fixture->policy->files_disabled);
	assert_false(fixture->policy->ptrace);
	assert_false(fixture->policy->unix_sockets);
	assert_false(lp_policy_env(fixture->policy, "TOKEN").allowed);
	assert_false(lp_policy_env(fixture->policy, "PATH").allowed);
	assert_false(lp_policy_env(fixture->policy, "DISPLAY").allowed);
	assert_null(set_value(fixture, "LD_PRELOAD"));
	assert_null(set_value(fixture, "GIT_CONFIG_COUNT"));
	assert_true(fixture->policy->limits.open_files == 50);
	assert_true(fixture->policy->limits.core == 0);
	assert_int_equal(fixture->policy->accepted.count, 0);
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_DENY_READ, "p/.env")), 6);
}

/* Of the network it takes away only. */
static void test_untrusted_project_network(void **state)
{
	struct fixture *fixture = *state;

	put(".config/landpen/settings.json",
		"{\"network\":{\"allowedDomains\":[\"a.com\",\"b.com\"],"
		"\"allowLocalBinding\":true,\"allowUnixSockets\":[\"/run/x\"],"
		"\"parentProxy\":{\"http\":\"http://p:1\"}}}");
	put("p/.landpen.json",
		"{\"network\":{\"allowedDomains\":[\"c.com\"],\n\"deniedDomains\":[\"b.com\"],"
		"\"deniedResolvedAddresses\":[\"10.0.0.0/8\"],\"allowLocalBinding\":false,"
		"\"allowLocalPorts\":[80],\"allowUnixSockets\":[\"/run/docker.sock\"],"
		"\"httpProxyPort\":1,\"socksProxyPort\":2,"
		"\"parentProxy\":{\"http\":\"http://evil:1\"}}}");
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_NAMES);
	assert_true(lp_policy_may_connect(fixture->policy, "a.com", 1).allowed);
	assert_false(lp_policy_may_connect(fixture->policy, "b.com", 1).allowed);
	assert_false(lp_policy_may_connect(fixture->policy, "c.com", 1).allowed);
	assert_int_equal(fixture->policy->range_count, 1);
	assert_false(fixture->policy->local_binding);
	assert_false(lp_policy_may_connect(fixture->policy, "127.0.0.1", 80).allowed);
	assert_null(lp_policy_socket_rule(fixture->policy, "/run/docker.sock"));
	assert_non_null(lp_policy_socket_rule(fixture->policy, "/run/x"));
	assert_string_equal(fixture->policy->upstream_http.host, "p");
	assert_int_equal(fixture->policy->notices.count, 6);
}

static void test_trusted_project_widens(void **state)
{
	static const char text[] = "{\"filesystem\":{\"allowRead\":[\"~/.ssh\"],"
				   "\"createDirs\":[\"~/made\"],\"allowWrite\":[\"~/made\"]},"
				   "\"extends\":[\"piece\"]}";
	struct fixture *fixture = *state;
	lp_autofree char *file = at_home("p/.landpen.json");

	put("p/.landpen.json", text);
	assert_int_equal(lp_trust_add(home, file, text, strlen(text), &fixture->err), 0);
	load(fixture);
	assert_may(fixture, ".ssh/id", true, false);
	assert_may(fixture, "made/x", true, true);
	assert_true(lp_strv_has(&fixture->policy->rulesets, "piece"));
	/* Any other text is nobody's word again. */
	put("p/.landpen.json", "{ \"filesystem\":{\"allowRead\":[\"~/.ssh\"]}}");
	load(fixture);
	assert_may(fixture, ".ssh/id", false, false);
}

static void test_project_file_place(void **state)
{
	struct fixture *fixture = *state;
	lp_autofree char *sub = at_home("p/sub");

	/* Found from below; its relative paths start at its own directory. */
	put("p/.landpen.json", "{\"filesystem\":{\"denyRead\":[\"secret\"]}}");
	fixture->request.cwd = sub;
	load(fixture);
	assert_may(fixture, "p/secret", false, false);
	assert_may(fixture, "p/sub/secret", true, true);
	assert_string_equal(fixture->policy->project, top);
	fixture->request.no_project_file = true;
	load(fixture);
	assert_may(fixture, "p/secret", true, true);
}

static void test_project_file_trouble(void **state)
{
	struct fixture *fixture = *state;
	lp_autofree char *file = at_home("p/.landpen.json");

	put("p/.landpen.json", "{\n\"filesystems\": {}}");
	load_fails(fixture, "/p/\\.landpen\\.json:2: filesystems: unknown key; did you mean "
			    "'filesystem'\\?$");
	put("p/.landpen.json", "");
	load_fails(fixture, "is empty; ");
	assert_int_equal(unlink(file), 0);
	make_link("../s.json", "p/.landpen.json");
	put("s.json", "{}");
	load_fails(fixture, "is not a regular file; replace it, or run with --no-project-file$");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	load_fails(fixture, "is not a regular file; ");
	fixture->request.no_project_file = true;
	load(fixture);
}

static void test_refused_places(void **state)
{
	struct fixture *fixture = *state;

	fixture->request.cwd = home;
	assert_int_equal(lp_settings_load(&fixture->request, &fixture->policy, &fixture->err), -13);
	fixture->request.project_dir = "../home";
	load(fixture);
	assert_may(fixture, "x", true, true);
	fixture->request.project_dir = "nowhere";
	load_fails(fixture, "^--project 'nowhere': does not exist; ");
	put("file", "");
	fixture->request.project_dir = "file";
	load_fails(fixture, "^--project 'file': is not a directory; ");
}

static void test_own_files_are_protected(void **state)
{
	struct fixture *fixture = *state;

	put("p/.landpen.json", "{}");
	put("p/s.json", "{\"extends\":[\"base\"],\"filesystem\":{\"allowWrite\":[\"~\"]}}");
	fixture->request.settings_file = "s.json";
	load(fixture);
	assert_may(fixture, "p/x", true, true);
	assert_may(fixture, "p/s.json", true, false);
	assert_may(fixture, "p/.landpen.json", true, false);
	assert_may(fixture, ".config/landpen/settings.json", true, false);
	assert_may(fixture, ".local/state/landpen/trust/x", true, false);
	assert_true(
		rule_of(fixture, LP_RULE_DENY_WRITE, ".config/landpen/settings.json")->mandatory);
	assert_true(rule_of(fixture, LP_RULE_DENY_WRITE, "p/s.json")->mandatory);
}

/* ---- options ----------------------------------------------------------------------------------
 */

static void test_ro(void **state)
{
	struct fixture *fixture = *state;

	make_dir("p/vendor");
	make_dir("lib");
	wish(fixture, LP_WISH_RO, "vendor");
	wish(fixture, LP_WISH_RO, "~/lib");
	load(fixture);
	assert_may(fixture, "p/vendor/x", true, false);
	assert_may(fixture, "p/x", true, true);
	assert_may(fixture, "lib/x", true, false);
	/* The whole project read-only, one part of it not. */
	fixture->request.wish_count = 0;
	wish(fixture, LP_WISH_RO, ".");
	wish(fixture, LP_WISH_RW, "sub");
	load(fixture);
	assert_may(fixture, "p/x", true, false);
	assert_may(fixture, "p/sub/x", true, true);
}

static void test_rw_and_deny(void **state)
{
	struct fixture *fixture = *state;

	make_dir("out/locked");
	make_dir(".tool/deep");
	put(".config/landpen/settings.json", "{\"filesystem\":{\"denyWrite\":[\"~/out/locked\"]}}");
	wish(fixture, LP_WISH_RW, "~/out");
	wish(fixture, LP_WISH_RW, "../out/locked");
	wish(fixture, LP_WISH_DENY, "~/.tool");
	wish(fixture, LP_WISH_DENY, "sub");
	load(fixture);
	assert_may(fixture, "out/x", true, true);
	assert_may(fixture, "out/locked", true, false);
	assert_true(has_notice(fixture, "^--rw '.*/out/locked': stays read-only, says .*"
					"settings\\.json:1 \\(filesystem\\.denyWrite\\[0\\]\\)$"));
	assert_may(fixture, ".tool/deep", false, false);
	assert_may(fixture, "p/sub/x", false, false);
	assert_may(fixture, "p/x", true, true);
}

static void test_deny_names_that_are_not_there(void **state)
{
	struct fixture *fixture = *state;

	wish(fixture, LP_WISH_DENY, "later");
	wish(fixture, LP_WISH_DENY, "*.pem");
	load(fixture);
	assert_may(fixture, "p/later/x", false, false);
	assert_may(fixture, "p/a.pem", false, false);
}

static void test_bad_options(void **state)
{
	struct fixture *fixture = *state;

	wish(fixture, LP_WISH_RO, "nowhere");
	load_fails(fixture, "^--ro 'nowhere': does not exist; create it first");
	fixture->request.wish_count = 0;
	wish(fixture, LP_WISH_RW, "");
	load_fails(fixture, "^--rw '': is empty; ");
	fixture->request.wish_count = 0;
	lp_strv_add(&fixture->env, "A-B=1");
	load_fails(fixture, "^--env 'A-B': is no variable name; ");
	lp_strv_clear(&fixture->env);
	lp_strv_add(&fixture->env, "=1");
	load_fails(fixture, "^--env '': is no variable name; ");
}

static void test_single_file(void **state)
{
	struct fixture *fixture = *state;

	make_dir(".chain");
	put("p/notes.txt", "");
	put("p/.landpen.json", "{\"filesystem\":{\"denyRead\":[\"sub\"]}}");
	put(".config/landpen/settings.json", "{\"filesystem\":{\"allowWrite\":[\"~/user\"]}}");
	make_link("p/notes.txt", "notes");
	fixture->request.command = "agent";
	fixture->request.single_file = "~/notes";
	load(fixture);
	assert_may(fixture, "p/notes.txt", true, true);
	assert_may(fixture, "p/x", true, false);
	assert_may(fixture, "user/x", true, false);
	assert_may(fixture, ".chain/cache/x", true, false);
	assert_may(fixture, ".agent/x", true, true);
	fixture->request.single_file = "sub";
	load_fails(fixture, "^--file 'sub': is a directory; ");
	fixture->request.single_file = "none";
	load_fails(fixture, "^--file 'none': does not exist; ");
	fixture->request.single_file = "/dev/null";
	load_fails(fixture, "^--file '/dev/null': is not a regular file; ");
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"denyWrite\":[\"~/p/notes.txt\"]}}");
	fixture->request.single_file = "notes.txt";
	load_fails(
		fixture, "^--file '.*/notes\\.txt': may not be written, says .*settings\\.json:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_untrusted_project_only_tightens),
		TEST(test_untrusted_project_network),
		TEST(test_trusted_project_widens),
		TEST(test_project_file_place),
		TEST(test_project_file_trouble),
		TEST(test_refused_places),
		TEST(test_own_files_are_protected),
		TEST(test_ro),
		TEST(test_rw_and_deny),
		TEST(test_deny_names_that_are_not_there),
		TEST(test_bad_options),
		TEST(test_single_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
