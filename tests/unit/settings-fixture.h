/*
 * For tests of the settings layer: a home of its own for each test, small rulesets instead of the
 * shipped ones, and words for what a policy should say.
 */
#pragma once

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "settings/parts.h"

#define RULESET(name, text, ...)                          \
	{                                                 \
		name, text, sizeof(text) - 1, __VA_ARGS__ \
	}

static const char *const base_pass[] = {"PATH", "LC_*", NULL};
static const char *const chain_when[] = {"/does/not/exist", "~/.chain", NULL};

/* These stand in for the shipped ones, so that the tests do not change with them. */
const struct lp_ruleset lp_ruleset_data[] = {
	RULESET("agent",
		"{\"extends\":[\"base\"],\n"
		"\"filesystem\":{\"createDirs\":[\"~/.agent\"],\"allowWrite\":[\"~/.agent\"]},\n"
		"\"environment\":{\"set\":{\"WHO\":\"agent\"}}}",
		NULL),
	RULESET("base",
		"{\"filesystem\":{\n\"denyRead\":[\"~\"],\n"
		"\"allowRead\":[\"~/.tool\",\n\"~/.conf\"]},\n"
		"\"environment\":{\"pass\":[\"PATH\",\"LC_*\"]},\n"
		"\"limits\":{\"openFiles\":100,\"core\":0}}",
		NULL, base_pass),
	RULESET("chain",
		"{\"when\":[\"/does/not/exist\",\"~/.chain\"],"
		"\"filesystem\":{\"allowWrite\":[\"~/.chain/cache\"]}}",
		chain_when),
	RULESET("loop-a", "{\"extends\":[\"loop-b\"]}", NULL),
	RULESET("loop-b", "{\"extends\":[\"loop-a\"]}", NULL),
	RULESET("piece", "{\"environment\":{\"pass\":[\"DISPLAY\"]}}", NULL),
	{NULL, NULL, 0, NULL, NULL},
};

const char *const lp_ruleset_names[] = {
	"agent", "base", "chain", "loop-a", "loop-b", "piece", NULL};

static char root[64], home[80], top[96];

struct fixture {
	struct lp_request request;
	struct lp_policy *policy;
	struct lp_err err;
	struct lp_strv rulesets, env;
	struct lp_wish wishes[4];
};

static inline char *at_home(const char *name)
{
	char *path = lp_path_join(home, name);

	assert_non_null(path);
	return path;
}

static inline void put(const char *name, const char *text)
{
	lp_autofree char *path = at_home(name), *parent = lp_path_parent(path);

	assert_int_equal(lp_mkdir_all(parent, 0700), 0);
	assert_int_equal(lp_write_file(path, text, strlen(text), 0600), 0);
}

static inline void make_dir(const char *name)
{
	lp_autofree char *path = at_home(name);

	assert_int_equal(lp_mkdir_all(path, 0700), 0);
}

static inline void make_link(const char *target, const char *name)
{
	lp_autofree char *path = at_home(name), *parent = lp_path_parent(path);

	assert_int_equal(lp_mkdir_all(parent, 0700), 0);
	assert_int_equal(symlink(target, path), 0);
}

static inline int set_up(void **state)
{
	static const char *const unset[] = {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "HTTP_PROXY",
		"http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"};
	lp_autofree char *real = NULL;
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	for (size_t i = 0; i < LP_ARRAY_SIZE(unset); i++)
		unsetenv(unset[i]);
	snprintf(root, sizeof(root), "/tmp/landpen-test-XXXXXX");
	if (!fixture || !mkdtemp(root))
		return -1;
	real = realpath(root, NULL);
	snprintf(home, sizeof(home), "%.50s/home", real);
	snprintf(top, sizeof(top), "%s/p", home);
	make_dir("p/.git/objects");
	make_dir("p/.git/refs");
	put("p/.git/HEAD", "ref: refs/heads/main\n");
	make_dir("p/sub");
	fixture->request = (struct lp_request){.command = "tool",
		.home = home,
		.cwd = top,
		.rulesets = &fixture->rulesets,
		.env = &fixture->env,
		.wishes = fixture->wishes};
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;

	lp_policy_free(fixture->policy);
	lp_strv_clear(&fixture->rulesets);
	lp_strv_clear(&fixture->env);
	free(fixture);
	lp_remove_tree(-1, root);
	return 0;
}

static inline bool matches(const char *expression, const char *text)
{
	regex_t regex;
	bool found;

	assert_int_equal(regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB), 0);
	found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static inline void load(struct fixture *fixture)
{
	int r;

	lp_policy_free(fixture->policy);
	fixture->policy = NULL;
	r = lp_settings_load(&fixture->request, &fixture->policy, &fixture->err);
	if (r != 0)
		fail_msg("%s", fixture->err.text);
}

static inline void load_fails(struct fixture *fixture, const char *expression)
{
	int r;

	lp_policy_free(fixture->policy);
	fixture->policy = NULL;
	r = lp_settings_load(&fixture->request, &fixture->policy, &fixture->err);
	assert_int_equal(r, -22);
	assert_null(fixture->policy);
	if (!matches(expression, fixture->err.text))
		fail_msg("says: %s\nwanted: %s", fixture->err.text, expression);
}

static inline void wish(struct fixture *fixture, enum lp_wish_kind kind, const char *path)
{
	fixture->wishes[fixture->request.wish_count++] = (struct lp_wish){kind, path};
}

/* path: absolute, or below home. */
static inline char *full(const char *path)
{
	return path[0] == '/' ? strdup(path) : at_home(path);
}

static inline const struct lp_rule *rule_of(
	const struct fixture *fixture, enum lp_rule_kind kind, const char *path)
{
	lp_autofree char *absolute = full(path);

	for (size_t i = 0; i < fixture->policy->rule_count; i++) {
		const struct lp_rule *rule = &fixture->policy->rules[i];

		if (rule->kind == kind && !strcmp(rule->path, absolute))
			return rule;
	}
	return NULL;
}

static inline void assert_may(
	const struct fixture *fixture, const char *path, bool read, bool write)
{
	lp_autofree char *absolute = full(path);

	if (lp_policy_may(fixture->policy, absolute, LP_ACCESS_READ).allowed != read)
		fail_msg("%s should%s be readable", path, read ? "" : " not");
	if (lp_policy_may(fixture->policy, absolute, LP_ACCESS_WRITE).allowed != write)
		fail_msg("%s should%s be writable", path, write ? "" : " not");
}

static inline bool has_notice(const struct fixture *fixture, const char *expression)
{
	lp_strv_foreach (notice, &fixture->policy->notices)
		if (matches(expression, notice))
			return true;
	return false;
}

static inline const char *set_value(const struct fixture *fixture, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < fixture->policy->env_count; i++)
		if (fixture->policy->env[i].action == LP_ENV_SET &&
			!strcmp(fixture->policy->env[i].name, name))
			value = fixture->policy->env[i].value;
	return value;
}

static inline unsigned line_of(const struct lp_rule *rule)
{
	return rule ? lp_origin_line(&rule->origin) : 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
