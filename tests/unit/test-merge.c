/* Layers and precedence, and what this version cannot hold. */
#include "settings-fixture.h"

/* ---- rulesets ---------------------------------------------------------------------------------
 */

static void test_picks_by_command(void **state)
{
	struct fixture *fixture = *state;

	load(fixture);
	assert_int_equal(fixture->policy->rulesets.count, 1);
	assert_string_equal(fixture->policy->rulesets.items[0], "base");
	assert_may(fixture, "p/x", true, true);
	assert_may(fixture, ".ssh/id", false, false);
	assert_may(fixture, ".tool/x", true, false);

	fixture->request.command = "/usr/bin/agent";
	load(fixture);
	assert_int_equal(fixture->policy->rulesets.count, 2);
	assert_string_equal(fixture->policy->rulesets.items[1], "agent");
	assert_may(fixture, ".agent/x", true, true);
	assert_true(rule_of(fixture, LP_RULE_ALLOW_WRITE, ".agent")->is_dir);
	assert_string_equal(set_value(fixture, "WHO"), "agent");

	/* A command with the name of a piece is no agent. */
	fixture->request.command = "piece";
	load(fixture);
	assert_int_equal(fixture->policy->rulesets.count, 1);
}

static void test_named_rulesets(void **state)
{
	struct fixture *fixture = *state;

	lp_strv_add(&fixture->rulesets, "piece");
	load(fixture);
	assert_string_equal(fixture->policy->rulesets.items[0], "base");
	assert_string_equal(fixture->policy->rulesets.items[1], "piece");
	assert_may(fixture, ".ssh/id", false, false);

	lp_strv_add(&fixture->rulesets, "loop-a");
	load_fails(fixture, "ruleset loop-b:1: extends\\[0\\]: 'loop-a' extends itself");
	lp_strv_clear(&fixture->rulesets);
	lp_strv_add(&fixture->rulesets, "agnet");
	load_fails(fixture, "^command line: --ruleset: there is no ruleset 'agnet'; did you mean "
			    "'agent'\\?$");
}

static void test_toolchains(void **state)
{
	struct fixture *fixture = *state;

	make_dir(".chain");
	load(fixture);
	assert_true(lp_strv_has(&fixture->policy->rulesets, "chain"));
	assert_may(fixture, ".chain/cache/x", true, true);
	assert_may(fixture, ".chain/x", false, false);
}

static void test_extends(void **state)
{
	struct fixture *fixture = *state;

	put(".config/landpen/settings.json", "{\"extends\": [\"piece\"]}");
	load(fixture);
	assert_true(lp_strv_has(&fixture->policy->rulesets, "piece"));
	assert_true(lp_policy_env(fixture->policy, "DISPLAY").allowed);
	put(".config/landpen/settings.json", "{\n\"extends\": [\n\"nothing\"]}");
	load_fails(fixture, "settings\\.json:3: extends\\[0\\]: there is no ruleset 'nothing'; "
			    "choose one of agent, base");
}

/* ---- layers -----------------------------------------------------------------------------------
 */

static void test_later_layers_win(void **state)
{
	struct fixture *fixture = *state;

	fixture->request.command = "agent";
	put(".config/landpen/settings.json",
		"{\"environment\":{\"set\":{\"WHO\":\"user\"},\"unset\":[\"LC_ALL\"]},\n"
		"\"limits\":{\"openFiles\":200,\"addressSpace\":\"4G\"},\n"
		"\"process\":{\"allowPtrace\":true},\"allowPty\":false,\n"
		"\"network\":{\"allowAllUnixSockets\":true},\"acceptGaps\":[\"x\"]}");
	lp_strv_add(&fixture->env, "WHO=option");
	lp_strv_add(&fixture->env, "TOKEN");
	load(fixture);
	assert_string_equal(set_value(fixture, "WHO"), "option");
	assert_true(lp_policy_env(fixture->policy, "PATH").allowed);
	assert_true(lp_policy_env(fixture->policy, "LC_TIME").allowed);
	assert_false(lp_policy_env(fixture->policy, "LC_ALL").allowed);
	assert_true(lp_policy_env(fixture->policy, "TOKEN").allowed);
	assert_false(lp_policy_env(fixture->policy, "OTHER").allowed);
	assert_true(fixture->policy->limits.open_files == 200);
	assert_true(fixture->policy->limits.address_space == 4ULL << 30);
	assert_true(fixture->policy->limits.core == 0);
	assert_true(fixture->policy->limits.processes == LP_UNLIMITED);
	assert_true(fixture->policy->ptrace);
	assert_false(fixture->policy->namespaces);
	assert_false(fixture->policy->ptys);
	assert_true(fixture->policy->unix_sockets);
	assert_true(lp_strv_has(&fixture->policy->accepted, "x"));
	assert_int_equal(fixture->policy->network, LP_NETWORK_NONE);
}

static void test_unset_beats_pass_in_one_text(void **state)
{
	struct fixture *fixture = *state;

	put(".config/landpen/settings.json",
		"{\"environment\":{\"unset\":[\"A_SECRET\"],\"pass\":[\"A_*\"]},"
		"\"credentials\":{\"envVars\":[{\"name\":\"A_KEY\",\"mode\":\"deny\"}]}}");
	load(fixture);
	assert_true(lp_policy_env(fixture->policy, "A_NAME").allowed);
	assert_false(lp_policy_env(fixture->policy, "A_SECRET").allowed);
	assert_false(lp_policy_env(fixture->policy, "A_KEY").allowed);
}

static void test_ties(void **state)
{
	struct fixture *fixture = *state;

	/* Of two texts the later one wins a tie; deeper grants of the earlier one stay. */
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"denyRead\":[\"~/.tool\", \"~\"]}}");
	load(fixture);
	assert_may(fixture, ".tool/x", false, false);
	assert_may(fixture, ".conf", true, false);
	/* In one text a tie goes to the grant. */
	put(".config/landpen/settings.json",
		"{\"filesystem\":{\"denyRead\":[\"~/.tool\"],\"allowRead\":[\"~/.tool\"]}}");
	load(fixture);
	assert_may(fixture, ".tool/x", true, false);
}

static void test_precedence(void **state)
{
	struct fixture *fixture = *state;

	put("p/n/a/b/c/file", "");
	put("s.json",
		"{\"network\":{\"allowedDomains\":[],\"deniedDomains\":[]},\"filesystem\":{"
		"\"denyRead\":[\"n\",\"n/a/b\",\".env\"],\"allowRead\":[\"n/a\",\"n/a/b/c\",\".\"],"
		"\"allowWrite\":[\"out\",\"n/a/b/c\"],\"denyWrite\":[\"out/no\",\"n/a/b/c/d\"]}}");
	fixture->request.settings_file = "../s.json";
	load(fixture);
	assert_may(fixture, "p/n/x", false, false);
	assert_may(fixture, "p/n/a/x", true, false);
	assert_may(fixture, "p/n/a/b/x", false, false);
	assert_may(fixture, "p/n/a/b/c/x", true, true);
	assert_may(fixture, "p/n/a/b/c/d/x", true, false);
	assert_may(fixture, "p/.env", false, false);
	assert_may(fixture, "p/out/x", true, true);
	assert_may(fixture, "p/out/no/x", true, false);
	assert_may(fixture, "p/x", true, false);
	assert_may(fixture, ".ssh/id", true, false);
}

static void test_settings_file_stands_alone(void **state)
{
	struct fixture *fixture = *state;

	put(".config/landpen/settings.json", "{\"environment\":{\"set\":{\"WHO\":\"user\"}}}");
	put("s.json", "{\"network\":{\"allowedDomains\":[],\"deniedDomains\":[]},"
		      "\"filesystem\":{\"denyRead\":[],\"allowWrite\":[],\"denyWrite\":[]}}");
	put("e.json", "{\"extends\":[\"base\"]}");
	fixture->request.settings_file = "../s.json";
	load(fixture);
	assert_int_equal(fixture->policy->rulesets.count, 0);
	assert_null(set_value(fixture, "WHO"));
	assert_may(fixture, "p/x", true, false);
	assert_may(fixture, ".ssh/id", true, false);
	assert_true(lp_policy_env(fixture->policy, "PATH").allowed);
	assert_false(lp_policy_env(fixture->policy, "ANYTHING").allowed);
	/* It may be used where nothing would be made writable by itself. */
	fixture->request.cwd = home;
	fixture->request.settings_file = "s.json";
	load(fixture);
	/* With rulesets it is a pen around the project again. */
	fixture->request.cwd = top;
	fixture->request.settings_file = "../e.json";
	load(fixture);
	assert_may(fixture, "p/x", true, true);
	assert_may(fixture, ".ssh/id", false, false);
	assert_false(lp_policy_env(fixture->policy, "ANYTHING").allowed);
}

static void test_settings_file_trouble(void **state)
{
	struct fixture *fixture = *state;

	fixture->request.settings_file = "none.json";
	load_fails(fixture, "/p/none\\.json: does not exist; ");
	fixture->request.settings_file = "sub";
	load_fails(fixture, "/p/sub: is a directory; ");
	fixture->request.settings_file = ".git/HEAD/x";
	load_fails(fixture, "/p/\\.git/HEAD/x: could not be read \\(Not a directory\\); ");
	fixture->request.settings_file = "/dev/null";
	load_fails(fixture, "^/dev/null: is not a regular file; ");
	fixture->request.settings_file = "";
	load_fails(fixture, "^--settings: is empty; ");
	put("p/empty.json", "\n");
	fixture->request.settings_file = "empty.json";
	load_fails(fixture, "/p/empty\\.json: is empty; ");
	make_link("nowhere", "p/dangling.json");
	fixture->request.settings_file = "dangling.json";
	load_fails(fixture, "does not exist; ");
}

/* ---- what this version cannot hold ------------------------------------------------------------
 */

static void test_network_lists(void **state)
{
	static const char user[] = ".config/landpen/settings.json";
	struct fixture *fixture = *state;

	put(user, "{\"network\":{\n\"allowedDomains\":[\"a.com\"]}}");
	load_fails(fixture, ":2: network\\.allowedDomains: this version has no filtering by host "
			    "name, .*--network open or --network none$");
	put(user, "{\"network\":{\"deniedDomains\":[\"a.com\"],"
		  "\"deniedResolvedAddresses\":[\"10.0.0.0/8\"]}}");
	load(fixture);
	assert_true(has_notice(fixture, "network\\.deniedDomains: not needed"));
	assert_true(has_notice(fixture, "network\\.deniedResolvedAddresses: not needed"));
	fixture->request.network = LP_NETWORK_WISH_OPEN;
	load_fails(fixture, "network\\.deniedDomains: .*run with --network none$");
	put(user, "{\"network\":{\"allowedDomains\":[],\"deniedDomains\":[]}}");
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_OPEN);
	assert_int_equal(fixture->policy->notices.count, 0);
}

static void test_refused_and_inert_keys(void **state)
{
	static const char user[] = ".config/landpen/settings.json";
	static const char *const refused[] = {
		"{\"network\":{\"tlsTerminate\":{}}}",
		"{\"network\":{\"httpProxyPort\":8080}}",
		"{\"network\":{\"socksProxyPort\":8080}}",
		"{\"network\":{\"parentProxy\":{\"http\":\"http://p\"}}}",
		"{\"network\":{\"mitmProxy\":{\"socketPath\":\"/s\",\"domains\":[\"a.b\"]}}}",
		"{\"credentials\":{\"allowPlaintextInject\":true,"
		"\"files\":[{\"path\":\"/x\",\"mode\":\"mask\"}]}}",
		"{\"credentials\":{\"allowPlaintextInject\":true,"
		"\"envVars\":[{\"name\":\"X\",\"mode\":\"mask\"}]}}",
	};
	static const char *const noted[] = {
		"{\"ripgrep\":{\"command\":\"rg\"}}",
		"{\"seccomp\":{\"applyPath\":\"/x\"}}",
		"{\"bwrapPath\":\"/usr/bin/bwrap\"}",
		"{\"socatPath\":\"/usr/bin/socat\"}",
		"{\"javaAgentJarPath\":\"/x.jar\"}",
		"{\"windows\":{\"sandboxUser\":\"u\"}}",
		"{\"enableWeakerNestedSandbox\":true}",
		"{\"enableWeakerNetworkIsolation\":true}",
		"{\"allowAppleEvents\":true}",
		"{\"ignoreViolations\":{\"*\":[\"x\"]}}",
		"{\"network\":{\"allowMachLookup\":[\"com.x.*\"]}}",
		"{\"network\":{\"allowLocalBinding\":true}}",
		"{\"network\":{\"allowLocalPorts\":[8080]}}",
		"{\"network\":{\"allowUnixSockets\":[\"/x\"]}}",
		"{\"unixSockets\":[\"/x\"]}",
	};
	static const char *const silent[] = {
		"{\"enableWeakerNestedSandbox\":false,\"allowAppleEvents\":false}",
		"{\"network\":{\"allowUnixSockets\":[],\"strictAllowlist\":true}}",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < LP_ARRAY_SIZE(refused); i++) {
		put(user, refused[i]);
		load_fails(fixture, "settings\\.json:1: .*; .*remove");
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(noted); i++) {
		put(user, noted[i]);
		load(fixture);
		if (fixture->policy->notices.count != 1)
			fail_msg("%s has %zu notices", noted[i], fixture->policy->notices.count);
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(silent); i++) {
		put(user, silent[i]);
		load(fixture);
		assert_int_equal(fixture->policy->notices.count, 0);
	}
}

static void test_credentials(void **state)
{
	struct fixture *fixture = *state;

	put(".config/landpen/settings.json",
		"{\"credentials\":{\"files\":[{\"path\":\"~/.tool/key\",\n\"mode\":\"deny\"}]}}");
	load(fixture);
	assert_may(fixture, ".tool/key", false, false);
	assert_may(fixture, ".tool/other", true, false);
	assert_int_equal(line_of(rule_of(fixture, LP_RULE_DENY_READ, ".tool/key")), 1);
}

static void test_safe_directories(void **state)
{
	struct fixture *fixture = *state;

	put(".config/landpen/settings.json", "{\"git\":{\"safeDirectories\":[\"/a\",\"/b\"]}}");
	load(fixture);
	assert_string_equal(set_value(fixture, "GIT_CONFIG_COUNT"), "4");
	assert_string_equal(set_value(fixture, "GIT_CONFIG_KEY_0"), "safe.directory");
	assert_string_equal(set_value(fixture, "GIT_CONFIG_VALUE_0"), "/a");
	assert_string_equal(set_value(fixture, "GIT_CONFIG_VALUE_1"), "/a/*");
	assert_string_equal(set_value(fixture, "GIT_CONFIG_VALUE_3"), "/b/*");
	put(".config/landpen/settings.json", "{\"git\":{\"safeDirectories\":[\"/1\",\"/2\",\"/3\","
					     "\"/4\",\"/5\",\"/6\",\"/7\",\"/8\",\"/9\"]}}");
	load(fixture);
	assert_string_equal(set_value(fixture, "GIT_CONFIG_COUNT"), "1");
	assert_string_equal(set_value(fixture, "GIT_CONFIG_VALUE_0"), "*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_picks_by_command),
		TEST(test_named_rulesets),
		TEST(test_toolchains),
		TEST(test_extends),
		TEST(test_later_layers_win),
		TEST(test_unset_beats_pass_in_one_text),
		TEST(test_ties),
		TEST(test_precedence),
		TEST(test_settings_file_stands_alone),
		TEST(test_settings_file_trouble),
		TEST(test_network_lists),
		TEST(test_refused_and_inert_keys),
		TEST(test_credentials),
		TEST(test_safe_directories),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
