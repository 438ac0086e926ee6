/*
 * What the command line adds to the policy, after all texts: --file, --ro, --rw, --deny,
 * --allow-host, --deny-host, --env.
 *
 * Runs in the launcher before confinement. The words are the user's own, the closest to their
 * hand: they undo grants of lower layers, but never a denyWrite or what is mandatory.
 */
#include "settings/parts.h"
#include "settings/schema-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const wish_names[] = {[LP_WISH_RO] = "--ro",
	[LP_WISH_RW] = "--rw",
	[LP_WISH_DENY] = "--deny",
	[LP_WISH_ALLOW_HOST] = "--allow-host",
	[LP_WISH_DENY_HOST] = "--deny-host"};

/* What a wish takes away: grants of lower layers at or below its path. */
struct taken {
	const char *path;
	bool reading; /* also grants to read */
};

static bool is_taken(const struct lp_rule *rule, const void *data)
{
	const struct taken *taken = data;

	if (rule->origin.source->layer == LP_LAYER_OPTION)
		return false;
	if (rule->kind != LP_RULE_ALLOW_WRITE &&
		!(taken->reading && rule->kind == LP_RULE_ALLOW_READ))
		return false;
	/* A pattern starts with the directories that it names in full. */
	return lp_path_is_under(rule->path, taken->path);
}

static int add_literal(struct lp_load *load, enum lp_rule_kind kind, const char *path,
	const char *key, struct lp_err *err)
{
	return lp_rules_add_literal(
		load->policy, kind, path, load->request->cwd, load->options, key, err);
}

/* Where the rule leads that was added last, after first others; a copy, since rules move. */
static int added_path(const struct lp_policy *policy, size_t first, char **ret_path)
{
	if (policy->rule_count <= first)
		return -ELOOP;
	*ret_path = strdup(policy->rules[policy->rule_count - 1].path);
	return *ret_path ? 0 : -ENOMEM;
}

static int wish_ro(struct lp_load *load, const struct lp_wish *wish, struct lp_err *err)
{
	size_t first = load->policy->rule_count;
	lp_autofree char *path = NULL;
	int r = add_literal(load, LP_RULE_ALLOW_READ, wish->path, "--ro", err);

	if (r == 0)
		r = added_path(load->policy, first, &path);
	if (r < 0)
		return r;
	lp_rules_remove(load->policy, is_taken, &(struct taken){path, false});
	/* A grant above it, such as the project's, is left; here it ends. */
	if (lp_policy_may(load->policy, path, LP_ACCESS_WRITE).allowed)
		r = add_literal(load, LP_RULE_DENY_WRITE, wish->path, "--ro", err);
	return r;
}

static int wish_deny(struct lp_load *load, const struct lp_wish *wish, struct lp_err *err)
{
	size_t first = load->policy->rule_count;
	lp_autofree char *path = NULL;
	int r = add_literal(load, LP_RULE_DENY_WRITE, wish->path, "--deny", err);

	if (r == 0)
		r = add_literal(load, LP_RULE_DENY_READ, wish->path, "--deny", err);
	if (r == 0)
		r = added_path(load->policy, first, &path);
	if (r == 0)
		lp_rules_remove(load->policy, is_taken, &(struct taken){path, true});
	return r;
}

static int wish_pattern(struct lp_load *load, const struct lp_wish *wish, struct lp_err *err)
{
	int r = lp_rules_add_path(load->policy, LP_RULE_DENY_WRITE, wish->path, load->request->cwd,
		load->options, "--deny", err);

	if (r < 0)
		return r;
	return lp_rules_add_path(load->policy, LP_RULE_DENY_READ, wish->path, load->request->cwd,
		load->options, "--deny", err);
}

static int fail_path(struct lp_err *err, const char *option, const char *path, const char *what)
{
	char shown[LP_SHOWN];

	return lp_fail(err, EINVAL, "%s '%s': %s", option, lp_shown(shown, path), what);
}

/* Where a path of the command line is, and whether anything is there. */
static int find_path(struct lp_load *load, const char *path, struct stat *ret_st)
{
	lp_autofree char *absolute = NULL;
	int r = lp_path_absolute(path, load->request->cwd, load->policy->home, &absolute);

	if (r < 0)
		return r;
	return stat(absolute, ret_st) == 0 ? 0 : -errno;
}

static int wish_host(struct lp_load *load, const struct lp_wish *wish, struct lp_err *err)
{
	const char *option = wish_names[wish->kind];
	bool allow = wish->kind == LP_WISH_ALLOW_HOST;
	const char *problem = lp_pattern_host_port(wish->path, !allow);
	int r;

	if (problem)
		return fail_path(err, option, wish->path, problem);
	r = lp_merge_host(load->policy, load->options, option, allow, wish->path, NULL);
	if (r > 0)
		return fail_path(err, option, wish->path,
			"can be no host's name or address; write letters, digits, '-' and '.'");
	return r;
}

static int apply_wish(struct lp_load *load, const struct lp_wish *wish, struct lp_err *err)
{
	const char *option = wish_names[wish->kind];
	char shown[LP_SHOWN];
	struct stat st;
	int r;

	if (!*wish->path)
		return fail_path(err, option, wish->path, "is empty; name a path or a host");
	if (wish->kind == LP_WISH_ALLOW_HOST || wish->kind == LP_WISH_DENY_HOST)
		return wish_host(load, wish, err);
	r = find_path(load, wish->path, &st);
	if (r == -ENOMEM)
		return r;
	if (wish->kind == LP_WISH_DENY)
		return r < 0 && lp_has_glob(wish->path) ? wish_pattern(load, wish, err)
							: wish_deny(load, wish, err);
	if (r < 0)
		return lp_fail(err, EINVAL, "%s '%s': %s; create it first or leave the option out",
			option, lp_shown(shown, wish->path),
			r == -ENOENT ? "does not exist" : strerror(-r));
	if (wish->kind == LP_WISH_RO)
		return wish_ro(load, wish, err);
	return add_literal(load, LP_RULE_ALLOW_WRITE, wish->path, option, err);
}

static int apply_env(struct lp_load *load, const char *text, struct lp_err *err)
{
	const char *equals = strchr(text, '=');
	struct lp_env_rule rule = {.action = equals ? LP_ENV_SET : LP_ENV_PASS,
		.name = equals ? strndup(text, (size_t)(equals - text)) : strdup(text),
		.value = equals ? strdup(equals + 1) : NULL,
		.origin = {load->options, strdup("--env")}};
	const char *problem = rule.name ? lp_check_env_name(rule.name) : NULL;

	if (problem) {
		int r = fail_path(err, "--env", rule.name, problem);

		free(rule.name);
		free(rule.value);
		free(rule.origin.key);
		return r;
	}
	return lp_policy_add_env(load->policy, &rule);
}

int lp_load_options(struct lp_load *load, struct lp_err *err)
{
	const struct lp_request *request = load->request;
	int r = 0;

	if (load->single_file)
		r = add_literal(load, LP_RULE_ALLOW_WRITE, load->single_file, "--file", err);
	for (size_t i = 0; r == 0 && i < request->wish_count; i++)
		r = apply_wish(load, &request->wishes[i], err);
	if (r == 0 && request->env)
		lp_strv_foreach (text, request->env) {
			r = apply_env(load, text, err);
			if (r < 0)
				return r;
		}
	if (r == 0 && request->accept)
		lp_strv_foreach (name, request->accept)
			if (lp_strv_add(&load->policy->accepted, name) < 0)
				return -ENOMEM;
	return r;
}

int lp_load_single_file(struct lp_load *load, struct lp_err *err)
{
	const char *file = load->request->single_file;
	lp_autofree char *absolute = NULL;
	char shown[LP_SHOWN];
	struct stat st;
	bool exists;
	int r;

	if (!*file)
		return fail_path(err, "--file", file, "is empty; name a file");
	r = find_path(load, file, &st);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return lp_fail(err, EINVAL, "--file '%s': %s; create it first",
			lp_shown(shown, file), r == -ENOENT ? "does not exist" : strerror(-r));
	if (S_ISDIR(st.st_mode))
		return fail_path(err, "--file", file, "is a directory; use --rw for a directory");
	if (!S_ISREG(st.st_mode))
		return fail_path(err, "--file", file, "is not a regular file; name one");
	r = lp_path_absolute(file, load->request->cwd, load->policy->home, &absolute);
	return r < 0 ? r : lp_path_resolve(absolute, &load->single_file, &exists, NULL);
}
