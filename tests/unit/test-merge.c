/* Layers and precedence, the network, and what this version cannot hold. */
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

/* ---- network ----------------------------------------------------------------------------------
 */

static const char user_file[] = ".config/landpen/settings.json";

static bool may_connect(const struct fixture *fixture, const char *host, unsigned port)
{
	return lp_policy_may_connect(fixture->policy, host, port).allowed;
}

static void test_hosts(void **state)
{
	struct fixture *fixture = *state;
	const struct lp_host_rule *rule;

	put(user_file, "{\"network\":{\n\"allowedDomains\":[\"A.com\",\n\"*.b.com:443\"],\n"
		       "\"deniedDomains\":[\"x.b.com\",\n\"*:22\"],\n"
		       "\"deniedDomainReasons\":{\"x.b.com\":\"not yours\",\"c\":\"y\"},\n"
		       "\"deniedResolvedAddresses\":[\"10.0.0.0/8\"]}}");
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_NAMES);
	assert_int_equal(fixture->policy->notices.count, 0);
	assert_true(may_connect(fixture, "a.com", 80));
	assert_false(may_connect(fixture, "a.com", 22));
	assert_true(may_connect(fixture, "y.b.com", 443));
	assert_false(may_connect(fixture, "x.b.com", 443));
	rule = lp_policy_may_connect(fixture->policy, "y.b.com", 443).rule;
	assert_int_equal(lp_origin_line(&rule->origin), 3);
	rule = lp_policy_may_connect(fixture->policy, "x.b.com", 443).rule;
	assert_int_equal(lp_origin_line(&rule->origin), 4);
	assert_string_equal(rule->reason, "not yours");
	assert_int_equal(fixture->policy->range_count, 1);
	assert_int_equal(fixture->policy->ranges[0].prefix, 104);
	assert_false(fixture->policy->local_binding);

	fixture->request.network = LP_NETWORK_WISH_NONE;
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_NONE);
	fixture->request.network = LP_NETWORK_WISH_OPEN;
	load_fails(fixture, "settings\\.json:4: network\\.deniedDomains\\[0\\]: cannot be held "
			    "with --network open, .*--network names");
	put(user_file, "{\"network\":{\"deniedResolvedAddresses\":[\"10.0.0.0/8\"]}}");
	load_fails(fixture, "network\\.deniedResolvedAddresses\\[0\\]: cannot be held");
	put(user_file, "{\"network\":{\"allowedDomains\":[\"a.com\"],\"deniedDomains\":[]}}");
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_OPEN);
	assert_int_equal(fixture->policy->notices.count, 0);
}

static void test_which_network(void **state)
{
	static const struct {
		const char *network;
		enum lp_network expected;
	} rows[] = {
		{"", LP_NETWORK_NONE},
		{"\"allowedDomains\":[],\"deniedDomains\":[\"*\"]", LP_NETWORK_NONE},
		{"\"allowedDomains\":[\"a.com\"]", LP_NETWORK_NAMES},
		{"\"allowLocalBinding\":true", LP_NETWORK_NAMES},
		{"\"allowLocalBinding\":false", LP_NETWORK_NONE},
		{"\"allowLocalPorts\":[8080]", LP_NETWORK_NAMES},
		{"\"httpProxyPort\":3128", LP_NETWORK_NONE},
		{"\"allowUnixSockets\":[\"/x\"]", LP_NETWORK_NAMES},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

		lp_str_addf(&text, "{\"network\":{%s}}", rows[i].network);
		put(user_file, text.text);
		load(fixture);
		if (fixture->policy->network != rows[i].expected)
			fail_msg("%s: %d", rows[i].network, fixture->policy->network);
		fixture->request.network = LP_NETWORK_WISH_NAMES;
		load(fixture);
		assert_int_equal(fixture->policy->network, LP_NETWORK_NAMES);
		fixture->request.network = LP_NETWORK_WISH_UNSAID;
	}
}

/* What srt's own network namespace gives: servers on loopback, but only where there is a network.
 */
static void test_bare_file_binds(void **state)
{
#define BARE(network)                                      \
	"{\"network\":{" network ",\"deniedDomains\":[]}," \
	"\"filesystem\":{\"denyRead\":[],\"allowWrite\":[],\"denyWrite\":[]}}"
	struct fixture *fixture = *state;

	fixture->request.settings_file = "../s.json";
	put("s.json", BARE("\"allowedDomains\":[]"));
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_NONE);
	assert_false(fixture->policy->local_binding);
	put("s.json", BARE("\"allowedDomains\":[\"a.com\"]"));
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_NAMES);
	assert_true(fixture->policy->local_binding);
	put("s.json", BARE("\"allowedDomains\":[\"a.com\"],\"allowLocalBinding\":false"));
	load(fixture);
	assert_false(fixture->policy->local_binding);
	/* A piece on top changes nothing, nor does what nobody trusts. */
	put("s.json", BARE("\"allowedDomains\":[\"a.com\"]"));
	put("p/.landpen.json", "{\"network\":{\"allowLocalBinding\":true}}");
	lp_strv_add(&fixture->rulesets, "piece");
	load(fixture);
	assert_true(fixture->policy->local_binding);
	lp_strv_clear(&fixture->rulesets);
	put("p/.landpen.json", "{\"network\":{\"allowLocalBinding\":false}}");
	load(fixture);
	assert_false(fixture->policy->local_binding);
	put("p/.landpen.json", "{}");
	put("s.json", BARE("\"allowedDomains\":[],\"allowLocalBinding\":true"));
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_NAMES);
	assert_true(fixture->policy->local_binding);
}

/* srt takes such patterns, and they match nothing. */
static void test_impossible_hosts(void **state)
{
	static const char *const hosts[] = {
		"a b.com", "m\303\274nchen.de", "256.1.1.1", "*.*.com", "[fe80::1%eth0]", "a..com"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < LP_ARRAY_SIZE(hosts); i++) {
		struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

		lp_str_addf(&text, "{\"network\":{\"allowedDomains\":[\"%s\"]}}", hosts[i]);
		put(user_file, text.text);
		load(fixture);
		assert_true(has_notice(fixture, "can be no host's name or address, left out$"));
		assert_int_equal(fixture->policy->host_count, 0);
		lp_str_clear(&text);
		lp_str_addf(&text, "{\"network\":{\"deniedDomains\":[\"%s\"]}}", hosts[i]);
		put(user_file, text.text);
		load_fails(fixture, "network\\.deniedDomains\\[0\\]: .* would deny nothing; ");
	}
}

static void test_host_options(void **state)
{
	struct fixture *fixture = *state;

	wish(fixture, LP_WISH_ALLOW_HOST, "A.com:443");
	wish(fixture, LP_WISH_DENY_HOST, "*:22");
	load(fixture);
	assert_int_equal(fixture->policy->network, LP_NETWORK_NAMES);
	assert_true(may_connect(fixture, "a.com", 443));
	assert_false(may_connect(fixture, "a.com", 80));
	/* A deny of any layer wins, and that is said. */
	put(user_file, "{\"network\":{\"deniedDomains\":[\"a.com\"]}}");
	load(fixture);
	assert_true(has_notice(fixture,
		"^--allow-host 'a\\.com': stays closed, says .*settings\\.json:1 "
		"\\(network\\.deniedDomains\\[0\\]\\)$"));
	fixture->request.network = LP_NETWORK_WISH_NONE;
	load(fixture);
	assert_true(has_notice(fixture, "stays closed, says --network none$"));
	fixture->request.network = LP_NETWORK_WISH_UNSAID;
	wish(fixture, LP_WISH_ALLOW_HOST, "*");
	load_fails(fixture, "^--allow-host '\\*': would allow every host; ");
	fixture->wishes[2].path = "a.com:0";
	load_fails(fixture, "^--allow-host 'a\\.com:0': has a bad port; ");
	fixture->wishes[2] = (struct lp_wish){LP_WISH_DENY_HOST, "http://a.com"};
	load_fails(fixture, "^--deny-host 'http://a\\.com': holds a '://'; ");
}

static void test_sockets_and_ports(void **state)
{
	struct fixture *fixture = *state;
	const struct lp_policy *policy;
	lp_autofree char *path = at_home("p/build/s");

	make_dir("p/build");
	make_link("/run", ".run");
	make_link("/run/docker.sock", "p/build/planted");
	put(user_file, "{\"network\":{\"allowLocalPorts\":[8080,\n9090],\"allowUnixSockets\":["
		       "\"build/s\",\"build/planted\",\"\"]},\"unixSockets\":["
		       "\"~/.run/x\",\"/run/user/*/bus\"]}");
	load(fixture);
	policy = fixture->policy;
	assert_int_equal(
		lp_origin_line(&lp_policy_may_connect(policy, "127.0.0.1", 9090).local->origin), 2);
	assert_false(lp_policy_may_connect(policy, "127.0.0.1", 80).allowed);
	assert_non_null(lp_policy_socket_rule(policy, path));
	assert_non_null(lp_policy_socket_rule(policy, "/run/x"));
	assert_non_null(lp_policy_socket_rule(policy, "/run/user/0/bus"));
	/* The agent may have made that link in an earlier run. */
	assert_null(lp_policy_socket_rule(policy, "/run/docker.sock"));
	assert_true(has_notice(fixture, "allowUnixSockets\\[1\\]: crosses the symbolic link"));
	assert_true(has_notice(fixture, "allowUnixSockets\\[2\\]: is an empty path, left out$"));
	assert_int_equal(policy->notices.count, 2);
	/* They grant no reading. */
	assert_may(fixture, ".run/x", false, false);
}

static void test_upstream_keys(void **state)
{
#define PARENT(members) "{\"network\":{\"parentProxy\":{" members "}}}"
	struct fixture *fixture = *state;
	const struct lp_policy *policy;

	put(user_file, PARENT("\"http\":\"http://us%3Aer:pa%40s@Proxy.corp:3128/x\","
			      "\"https\":\"HTTP://[::1]\",\"noProxy\":\".a.com\""));
	load(fixture);
	policy = fixture->policy;
	assert_string_equal(policy->upstream_http.host, "proxy.corp");
	assert_int_equal(policy->upstream_http.port, 3128);
	/* "us:er:pa@s" */
	assert_string_equal(policy->upstream_http.authorization, "Basic dXM6ZXI6cGFAcw==");
	assert_string_equal(policy->upstream_https.host, "::1");
	assert_int_equal(policy->upstream_https.port, 80);
	assert_null(policy->upstream_https.authorization);
	assert_string_equal(policy->no_upstream, ".a.com");

	put(user_file, "{\"network\":{\"httpProxyPort\":8080,\"socksProxyPort\":1080,"
		       "\"parentProxy\":{\"http\":\"http://p\",\"noProxy\":\"*\"}}}");
	load(fixture);
	policy = fixture->policy;
	assert_string_equal(policy->upstream_http.host, "127.0.0.1");
	assert_int_equal(policy->upstream_https.port, 8080);
	assert_null(policy->no_upstream);
	assert_int_equal(policy->upstream_socks.port, 1080);
	assert_true(policy->upstream_socks.socks);
	assert_true(has_notice(fixture, "parentProxy: not used: "));

	put(user_file, "{\"network\":{\"socksProxyPort\":1080,\"mitmProxy\":"
		       "{\"socketPath\":\"~/s\",\"domains\":[\"*.b.com\",\"a b.com\"]}}}");
	load(fixture);
	policy = fixture->policy;
	assert_true(has_notice(fixture, "mitmProxy: 'a b.com' can be no host's name"));
	assert_ptr_equal(
		lp_policy_upstream(policy, "a.b.com", LP_ASKED_SOCKS), &policy->upstream_mitm);
	assert_string_equal(strrchr(policy->upstream_mitm.socket, '/'), "/s");
	assert_ptr_equal(
		lp_policy_upstream(policy, "b.com", LP_ASKED_SOCKS), &policy->upstream_socks);
	assert_null(lp_policy_upstream(policy, "b.com", LP_ASKED_OTHERWISE));

	put(user_file, PARENT("\"http\":\"socks5://u:secret@p\",\"https\":\"proxy:8080\""));
	load(fixture);
	assert_null(fixture->policy->upstream_http.host);
	assert_null(fixture->policy->upstream_https.host);
	assert_int_equal(fixture->policy->notices.count, 2);
	assert_false(has_notice(fixture, "secret"));
	put(user_file, PARENT("\"http\":\"https://p:3128\""));
	load_fails(fixture, "parentProxy\\.http: is an https URL, .*; write an http URL");
	put(user_file, PARENT("\"http\":\"http://u:secret@p:99999\""));
	load_fails(fixture, "parentProxy\\.http: has a host or port that cannot be; write http");
	assert_null(strstr(fixture->err.text, "secret"));
}

static void test_upstream_variables(void **state)
{
	struct fixture *fixture = *state;

	setenv("http_proxy", "proxy.corp:3128", 1);
	setenv("HTTPS_PROXY", "http://u@10.1:8080", 1);
	setenv("NO_PROXY", "b.com", 1);
	load(fixture);
	assert_null(fixture->policy->upstream_http.host);
	put(user_file, "{\"network\":{\"allowedDomains\":[\"a.com\"]}}");
	load(fixture);
	assert_string_equal(fixture->policy->upstream_http.host, "proxy.corp");
	assert_int_equal(fixture->policy->upstream_http.port, 3128);
	assert_string_equal(fixture->policy->upstream_https.host, "10.0.0.1");
	assert_string_equal(fixture->policy->upstream_https.authorization, "Basic dTo=");
	assert_null(lp_policy_upstream(fixture->policy, "b.com", true));
	/* What the settings say stands in their place. */
	put(user_file, "{\"network\":{\"allowedDomains\":[\"a.com\"],\"parentProxy\":{}}}");
	load(fixture);
	assert_null(fixture->policy->upstream_http.host);
	assert_null(fixture->policy->no_upstream);
	put(user_file, "{\"network\":{\"allowedDomains\":[\"a.com\"]}}");
	setenv("HTTP_PROXY", "socks5://u:secret@p:1", 1);
	load(fixture);
	assert_null(fixture->policy->upstream_http.host);
	assert_true(has_notice(fixture, "^HTTP_PROXY: not used, "));
	assert_false(has_notice(fixture, "secret"));
	unsetenv("HTTP_PROXY");
	unsetenv("http_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("NO_PROXY");
}

/* ---- what this version cannot hold ------------------------------------------------------------
 */

static void test_refused_and_inert_keys(void **state)
{
	static const char user[] = ".config/landpen/settings.json";
	static const char *const refused[] = {
		"{\"network\":{\"tlsTerminate\":{}}}",
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
		"{\"network\":{\"allowMachLookup\":[\"com.x.*\"]}}",
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
		TEST(test_hosts),
		TEST(test_which_network),
		TEST(test_bare_file_binds),
		TEST(test_impossible_hosts),
		TEST(test_host_options),
		TEST(test_sockets_and_ports),
		TEST(test_upstream_keys),
		TEST(test_upstream_variables),
		TEST(test_refused_and_inert_keys),
		TEST(test_credentials),
		TEST(test_safe_directories),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
