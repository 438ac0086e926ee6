/*
 * Plans for machines that are not this one: abilities come from a text, the policy is made by hand.
 * Each promise that a kernel cannot keep must be a gap there, and only there.
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

#include "plan/plan.h"

static struct lp_policy *make_policy(void)
{
	struct lp_policy *policy = calloc(1, sizeof(*policy));

	policy->home = strdup("/home/u");
	policy->cwd = strdup("/srv/project");
	policy->project = strdup("/srv/project");
	policy->ptys = true;
	policy->limits = (struct lp_limits){
		LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED};
	return policy;
}

static void add(struct lp_policy *policy, enum lp_rule_kind kind, const char *path, bool exists)
{
	struct lp_rule rule = {.kind = kind,
		.exists = exists,
		.is_dir = true,
		.is_pattern = lp_has_glob(path),
		.path = strdup(path),
		.spelled = strdup(path),
		.origin = {NULL, strdup("test")}};

	assert_int_equal(lp_policy_add_rule(policy, &rule), 0);
}

static struct lp_plan *plan_with(
	const struct lp_policy *policy, int abi, const char *bwrap, enum lp_backend_wish wish)
{
	static char *const environ_[] = {(char *)"PATH=/bin", (char *)"TOKEN=x", NULL};
	struct lp_plan_input input = {
		.policy = policy, .wish = wish, .tmpdir = "/tmp/private", .environ = environ_};
	struct lp_abilities abilities;
	struct lp_plan *plan = NULL;
	char text[256];

	snprintf(text, sizeof(text),
		"landlock_abi %d\nseccomp_filter 1\nbwrap %s\nbwrap_path /usr/bin/bwrap\n"
		"bwrap_why not here\n",
		abi, bwrap);
	assert_int_equal(lp_abilities_read(text, &abilities, NULL), 0);
	input.abilities = &abilities;
	assert_int_equal(lp_plan_make(&input, &plan, NULL), 0);
	return plan;
}

static bool has_gap(const struct lp_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->gap_count; i++)
		if (!strcmp(plan->gaps[i].name, name))
			return true;
	return false;
}

static void test_read_only_by_abi(void **state)
{
	struct lp_policy *policy = make_policy();

	(void)state;
	add(policy, LP_RULE_DENY_READ, "/", true);
	add(policy, LP_RULE_ALLOW_READ, "/usr", true);
	add(policy, LP_RULE_ALLOW_READ, "/srv", true);
	for (int abi = 0; abi <= 11; abi++) {
		struct lp_plan *plan = plan_with(policy, abi, "yes", LP_BACKEND_WISH_LANDLOCK);

		assert_int_equal(has_gap(plan, "no-landlock"), abi < 1);
		assert_int_equal(has_gap(plan, "refer"), abi == 1);
		assert_int_equal(has_gap(plan, "truncate"), abi >= 1 && abi < 3);
		assert_int_equal(has_gap(plan, "signals"), abi >= 1 && abi < 6);
		assert_false(has_gap(plan, "metadata"));
		assert_int_equal(plan->backend, abi < 6 ? LP_BACKEND_REFUSE : LP_BACKEND_LANDLOCK);
		if (abi >= 1)
			assert_true(plan->handled.handled_fs == lp_landlock_known(abi).handled_fs);
		lp_plan_free(plan);
		plan = plan_with(policy, abi, "yes", LP_BACKEND_WISH_AUTO);
		assert_int_equal(plan->backend, abi < 6 ? LP_BACKEND_BWRAP : LP_BACKEND_LANDLOCK);
		lp_plan_free(plan);
		plan = plan_with(policy, abi, "no", LP_BACKEND_WISH_AUTO);
		assert_int_equal(plan->backend, abi < 6 ? LP_BACKEND_REFUSE : LP_BACKEND_LANDLOCK);
		assert_int_equal(has_gap(plan, "no-bwrap"), abi < 6);
		lp_plan_free(plan);
	}
	lp_policy_free(policy);
}

/* Without any rule for files the other promises are the same. */
static void test_no_file_rules_by_abi(void **state)
{
	struct lp_policy *policy = make_policy();

	(void)state;
	policy->files_disabled = true;
	for (int abi = 0; abi <= 11; abi++) {
		struct lp_plan *plan = plan_with(policy, abi, "yes", LP_BACKEND_WISH_LANDLOCK);

		assert_int_equal(has_gap(plan, "no-landlock"), abi < 1);
		assert_int_equal(has_gap(plan, "signals"), abi >= 1 && abi < 6);
		assert_false(has_gap(plan, "truncate"));
		assert_int_equal(plan->backend, abi < 6 ? LP_BACKEND_REFUSE : LP_BACKEND_LANDLOCK);
		lp_plan_free(plan);
	}
	lp_policy_free(policy);
}

static void test_writable_project(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_plan *plan;
	struct lp_err err;

	(void)state;
	add(policy, LP_RULE_ALLOW_WRITE, "/srv/project", true);
	add(policy, LP_RULE_DENY_WRITE, "/srv/project/.git/hooks", true);
	add(policy, LP_RULE_DENY_READ, "/home/u", true);
	plan = plan_with(policy, 7, "yes", LP_BACKEND_WISH_LANDLOCK);
	assert_true(has_gap(plan, "protected-names"));
	assert_true(has_gap(plan, "hidden-names"));
	assert_true(has_gap(plan, "metadata"));
	assert_int_equal(plan->backend, LP_BACKEND_REFUSE);
	lp_plan_refusal(plan, &err);
	assert_non_null(strstr(err.text, "hidden-names"));
	lp_plan_free(plan);
	lp_strv_add(&policy->accepted, "metadata");
	plan = plan_with(policy, 7, "yes", LP_BACKEND_WISH_LANDLOCK);
	assert_int_equal(plan->backend, LP_BACKEND_REFUSE);
	lp_plan_free(plan);
	lp_strv_add(&policy->accepted, "all");
	plan = plan_with(policy, 7, "yes", LP_BACKEND_WISH_LANDLOCK);
	assert_int_equal(plan->backend, LP_BACKEND_LANDLOCK);
	lp_plan_free(plan);
	lp_policy_free(policy);
}

/* Nobody can accept that there is no pen at all. */
static void test_fatal_gaps(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_plan *plan;

	(void)state;
	lp_strv_add(&policy->accepted, "all");
	add(policy, LP_RULE_ALLOW_READ, "/usr", true);
	plan = plan_with(policy, 0, "no", LP_BACKEND_WISH_LANDLOCK);
	assert_int_equal(plan->backend, LP_BACKEND_REFUSE);
	lp_plan_free(plan);
	plan = plan_with(policy, 0, "no", LP_BACKEND_WISH_AUTO);
	assert_int_equal(plan->backend, LP_BACKEND_REFUSE);
	lp_plan_free(plan);
	lp_policy_free(policy);
}

static struct lp_plan *plan_edge(const struct lp_policy *policy, const char *more)
{
	static char *const none[] = {NULL};
	struct lp_plan_input input = {.policy = policy, .tmpdir = "/t", .environ = none};
	struct lp_abilities abilities;
	struct lp_plan *plan = NULL;
	char text[256];

	snprintf(text, sizeof(text),
		"landlock_abi 7\nseccomp_filter 1\nseccomp_notify 1\nmemory 1\nbwrap yes\n"
		"bwrap_path /usr/bin/bwrap\n%s",
		more);
	assert_int_equal(lp_abilities_read(text, &abilities, NULL), 0);
	input.abilities = &abilities;
	assert_int_equal(lp_plan_make(&input, &plan, NULL), 0);
	return plan;
}

/* Whatever can be asked about is no gap. */
static void test_edge(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_plan *plan;

	(void)state;
	add(policy, LP_RULE_ALLOW_WRITE, "/usr/share", true);
	add(policy, LP_RULE_DENY_WRITE, "/usr/share/absent", false);
	plan = plan_edge(policy, "");
	assert_int_equal(plan->backend, LP_BACKEND_LANDLOCK);
	assert_int_equal(plan->gap_count, 0);
	assert_int_equal(plan->filter, LP_FILTER_EDGE);
	assert_int_equal(plan->carved.count, 1);
	assert_string_equal(plan->carved.items[0], "/usr/share");
	assert_true(lp_plan_grants(plan, "/usr/share", LP_FS_READ_FILE | LP_FS_READ_DIR));
	assert_false(lp_plan_grants(plan, "/usr/share", LP_FS_MAKE_REG));
	assert_false(lp_plan_grants(plan, "/usr/share/absent/x", LP_FS_WRITE_FILE));
	assert_true(lp_plan_grants(plan, "/usr/share/doc", LP_FS_MAKE_REG | LP_FS_READ_FILE));
	assert_true(lp_plan_grants(plan, "/usr/share/doc/x/y", LP_FS_MAKE_REG));
	assert_false(lp_plan_grants(plan, "/usr/share/docs", LP_FS_MAKE_REG));
	assert_false(lp_plan_grants(plan, "/usr/share/do", LP_FS_MAKE_REG));
	assert_true(lp_plan_grants(plan, "/t/x", LP_FS_MAKE_REG));
	lp_plan_free(plan);
	/* who may not read the caller's memory cannot be asked */
	plan = plan_edge(policy, "yama_scope 2\nmemory 0\n");
	assert_int_equal(plan->backend, LP_BACKEND_BWRAP);
	assert_int_equal(plan->filter, LP_FILTER_METADATA);
	assert_int_equal(plan->carved.count, 0);
	lp_plan_free(plan);
	lp_policy_free(policy);
}

/* Where folders alone are asked about, and where every file. */
static void test_carved_reads(void **state)
{
	static const struct {
		enum lp_rule_kind kind;
		const char *path;
		unsigned filter;
		enum lp_backend backend;
	} rows[] = {
		{LP_RULE_DENY_READ, "/usr/share/absent", LP_FILTER_EDGE | LP_FILTER_LISTS,
			LP_BACKEND_LANDLOCK},
		{LP_RULE_DENY_READ, "/usr/share/**/x", LP_FILTER_METADATA, LP_BACKEND_REFUSE},
		{LP_RULE_DENY_READ, "/etc/**/x", LP_FILTER_EDGE | LP_FILTER_READS,
			LP_BACKEND_LANDLOCK},
		{LP_RULE_DENY_READ, "/proc/self", 0, LP_BACKEND_LANDLOCK},
		{LP_RULE_DENY_READ, "/dev/vda", 0, LP_BACKEND_LANDLOCK},
		{LP_RULE_DENY_READ, "/sys/kernel", LP_FILTER_METADATA, LP_BACKEND_BWRAP},
		{LP_RULE_DENY_WRITE, "/usr/share/x", 0, LP_BACKEND_LANDLOCK},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct lp_policy *policy = make_policy();
		struct lp_plan *plan;

		add(policy, rows[i].kind, rows[i].path, false);
		plan = plan_edge(policy, "");
		assert_int_equal(plan->backend, rows[i].backend);
		assert_int_equal(plan->filter, rows[i].filter);
		lp_plan_free(plan);
		lp_policy_free(policy);
	}
}

/* What is new in a folder that the pen writes to has to be asked about, and so has every file. */
static void test_carved_for_both(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_plan *plan;

	(void)state;
	add(policy, LP_RULE_ALLOW_WRITE, "/usr/share", true);
	add(policy, LP_RULE_DENY_READ, "/usr/share/absent", false);
	plan = plan_edge(policy, "");
	assert_int_equal(plan->filter, LP_FILTER_EDGE | LP_FILTER_READS);
	assert_false(lp_plan_grants(plan, "/usr/share", LP_FS_READ_DIR));
	assert_false(lp_plan_grants(plan, "/usr", LP_FS_READ_DIR));
	assert_true(lp_plan_grants(plan, "/usr/lib", LP_FS_READ_DIR));
	assert_true(lp_plan_grants(plan, "/usr/share/doc", LP_FS_READ_DIR | LP_FS_MAKE_REG));
	lp_plan_free(plan);
	lp_policy_free(policy);
}

/* Where writing is denied in what cannot be carved. */
static void test_uncarvable(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_plan *plan;

	(void)state;
	add(policy, LP_RULE_ALLOW_WRITE, "/dev", true);
	add(policy, LP_RULE_DENY_WRITE, "/dev/vda", true);
	plan = plan_edge(policy, "");
	assert_int_equal(plan->backend, LP_BACKEND_BWRAP);
	lp_plan_free(plan);
	lp_policy_free(policy);
}

static void test_patterns_are_late(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_plan *plan;

	(void)state;
	add(policy, LP_RULE_DENY_READ, "/srv/project/**/*.pem", false);
	plan = plan_with(policy, 7, "yes", LP_BACKEND_WISH_AUTO);
	assert_true(has_gap(plan, "late-names"));
	assert_int_equal(plan->backend, LP_BACKEND_REFUSE);
	lp_plan_free(plan);
	lp_policy_free(policy);
}

static void test_environment(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_env_rule pass = {
		.action = LP_ENV_PASS, .name = strdup("PA*"), .origin = {NULL, strdup("test")}};
	struct lp_plan *plan;

	(void)state;
	assert_int_equal(lp_policy_add_env(policy, &pass), 0);
	plan = plan_with(policy, 7, "yes", LP_BACKEND_WISH_AUTO);
	assert_true(lp_strv_has(&plan->environment, "PATH=/bin"));
	assert_false(lp_strv_has(&plan->environment, "TOKEN=x"));
	assert_true(lp_strv_has(&plan->environment, "TMPDIR=/tmp/private"));
	assert_true(lp_strv_has(&plan->environment, "LANDPEN=1"));
	lp_plan_free(plan);
	lp_policy_free(policy);
}

/* Where names decide, the proxy's variables are landpen's, whatever the caller has. */
static void test_proxy_environment(void **state)
{
	static char *const environ_[] = {(char *)"HTTP_PROXY=http://u:p@proxy:1",
		(char *)"no_proxy=*", (char *)"CLOUDSDK_PROXY_PASSWORD=p", NULL};
	struct lp_policy *policy = make_policy();
	struct lp_env_rule pass = {
		.action = LP_ENV_PASS, .name = strdup("*"), .origin = {NULL, strdup("test")}};
	struct lp_abilities abilities = {.seccomp_filter = true};
	struct lp_plan_input input = {.policy = policy,
		.abilities = &abilities,
		.tmpdir = "/t",
		.environ = environ_,
		.proxy_port = 4711};
	struct lp_plan *plan = NULL;

	(void)state;
	assert_int_equal(lp_policy_add_env(policy, &pass), 0);
	assert_int_equal(lp_plan_make(&input, &plan, NULL), 0);
	assert_true(lp_strv_has(&plan->environment, "HTTP_PROXY=http://u:p@proxy:1"));
	assert_false(lp_strv_has(&plan->environment, "SANDBOX_RUNTIME=1"));
	lp_plan_freep(&plan);

	policy->network = LP_NETWORK_NAMES;
	assert_int_equal(lp_plan_make(&input, &plan, NULL), 0);
	assert_true(lp_strv_has(&plan->environment, "HTTP_PROXY=http://localhost:4711"));
	assert_true(lp_strv_has(&plan->environment, "https_proxy=http://localhost:4711"));
	assert_true(lp_strv_has(&plan->environment, "ALL_PROXY=http://localhost:4711"));
	assert_true(lp_strv_has(&plan->environment, "ftp_proxy=socks5h://localhost:4711"));
	assert_true(lp_strv_has(&plan->environment, "RSYNC_PROXY=localhost:4711"));
	assert_true(lp_strv_has(&plan->environment, "no_proxy=localhost,127.0.0.1,::1"));
	assert_true(lp_strv_has(&plan->environment, "CLOUDSDK_PROXY_PORT=4711"));
	assert_true(lp_strv_has(&plan->environment, "NODE_USE_ENV_PROXY=1"));
	assert_true(lp_strv_has(&plan->environment, "RES_OPTIONS=use-vc"));
	assert_true(lp_strv_has(&plan->environment, "SANDBOX_RUNTIME=1"));
	lp_strv_foreach (item, &plan->environment) {
		assert_null(strstr(item, "proxy:1"));
		assert_null(strstr(item, "PASSWORD"));
	}
	lp_plan_free(plan);
	lp_policy_free(policy);
}

static void test_gate(void **state)
{
	static char *const none[] = {NULL};
	static const struct {
		const char *notify, *getfd, *yama, *more, *bwrap;
		enum lp_backend backend;
		unsigned filter;
		bool gap;
	} rows[] = {
		{"1", "1", "0", "memory 1", "no", LP_BACKEND_LANDLOCK, LP_FILTER_GATE, false},
		{"1", "0", "1", "memory 1", "no", LP_BACKEND_LANDLOCK,
			LP_FILTER_GATE | LP_FILTER_SOCKETS, false},
		{"0", "1", "0", "memory 1", "yes", LP_BACKEND_REFUSE, LP_FILTER_GATE, true},
		{"0", "1", "0", "memory 1\nlistener_above 1", "yes", LP_BACKEND_REFUSE,
			LP_FILTER_GATE, true},
		/* what is missing in the end is bubblewrap */
		{"1", "1", "2", "memory 0", "no", LP_BACKEND_REFUSE, LP_FILTER_GATE, false},
		{"1", "1", "2", "memory 1", "no", LP_BACKEND_LANDLOCK, LP_FILTER_GATE, false},
		/* what is in a user namespace of one's own may be read in spite of Yama */
		{"1", "1", "2", "memory 0", "yes", LP_BACKEND_BWRAP, LP_FILTER_GATE, false},
		{"1", "1", "2", "root 1", "yes", LP_BACKEND_REFUSE, LP_FILTER_GATE, true},
		{"1", "1", "2", "bwrap_setuid 1", "yes", LP_BACKEND_REFUSE, LP_FILTER_GATE, true},
		{"1", "1", "3", "memory 0", "yes", LP_BACKEND_REFUSE, LP_FILTER_GATE, true},
		/* a container's filter, which bubblewrap does not lift */
		{"1", "1", "0", "memory 0", "yes", LP_BACKEND_REFUSE, LP_FILTER_GATE, true},
	};
	struct lp_policy *policy = make_policy();

	(void)state;
	policy->network = LP_NETWORK_NAMES;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct lp_plan_input input = {.policy = policy, .tmpdir = "/t", .environ = none};
		struct lp_abilities abilities;
		struct lp_plan *plan = NULL;
		char text[512];

		snprintf(text, sizeof(text),
			"landlock_abi 7\nseccomp_filter 1\nseccomp_notify %s\npidfd_getfd %s\n"
			"yama_scope %s\n%s\nbwrap %s\nbwrap_path /usr/bin/bwrap\n",
			rows[i].notify, rows[i].getfd, rows[i].yama, rows[i].more, rows[i].bwrap);
		assert_int_equal(lp_abilities_read(text, &abilities, NULL), 0);
		input.abilities = &abilities;
		assert_int_equal(lp_plan_make(&input, &plan, NULL), 0);
		assert_int_equal(plan->backend, rows[i].backend);
		assert_int_equal(has_gap(plan, "no-gate"), rows[i].gap);
		assert_int_equal(
			plan->filter & (LP_FILTER_GATE | LP_FILTER_SOCKETS), rows[i].filter);
		/* no process of the pen connects or binds by itself */
		if (plan->backend != LP_BACKEND_REFUSE)
			assert_int_equal(
				plan->handled.handled_net, LP_NET_BIND_TCP | LP_NET_CONNECT_TCP);
		lp_plan_free(plan);
	}
	lp_policy_free(policy);
}

static void test_deterministic(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_str one = {0}, two = {0};

	(void)state;
	add(policy, LP_RULE_ALLOW_WRITE, "/srv/project", true);
	add(policy, LP_RULE_DENY_WRITE, "/srv/project/x", false);
	add(policy, LP_RULE_DENY_READ, "/home/u", true);
	add(policy, LP_RULE_ALLOW_READ, "/home/u/a", true);
	for (int i = 0; i < 2; i++) {
		struct lp_plan *plan = plan_with(policy, 7, "yes", LP_BACKEND_WISH_BWRAP);

		assert_int_equal(lp_plan_print(plan, i ? &two : &one), 0);
		lp_plan_free(plan);
	}
	assert_string_equal(one.text, two.text);
	lp_str_clear(&one);
	lp_str_clear(&two);
	lp_policy_free(policy);
}

static void test_bad_input(void **state)
{
	struct lp_policy *policy = make_policy();
	struct lp_abilities abilities = {0};
	struct lp_plan_input input = {.policy = policy, .abilities = &abilities, .tmpdir = "/t"};
	struct lp_plan *plan = NULL;
	struct lp_err err;

	(void)state;
	lp_strv_add(&policy->accepted, "metadat");
	assert_int_equal(lp_plan_make(&input, &plan, &err), -EINVAL);
	assert_null(plan);
	assert_non_null(strstr(err.text, "did you mean 'metadata'"));
	assert_int_equal(
		lp_abilities_read("landlock_abi 7\nnonsense 1\n", &abilities, &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 2"));
	lp_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_only_by_abi),
		cmocka_unit_test(test_no_file_rules_by_abi),
		cmocka_unit_test(test_writable_project),
		cmocka_unit_test(test_fatal_gaps),
		cmocka_unit_test(test_edge),
		cmocka_unit_test(test_carved_reads),
		cmocka_unit_test(test_carved_for_both),
		cmocka_unit_test(test_uncarvable),
		cmocka_unit_test(test_patterns_are_late),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_proxy_environment),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
