/*
 * What srt adds to a policy by itself (srt contract 2.2, 3.5, 4.2): the caller's environment
 * passes, and a few folders may be written.
 *
 * Runs in the launcher before confinement, for runs under srt's name only; the updates (2.5) in the
 * supervisor. They are the caller's words, as the settings file is.
 */
#include "settings/schema-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* git's numbered variables of the caller's stay, and landpen's go on after them. */
static unsigned inherited_git_count(void)
{
	const char *text = getenv("GIT_CONFIG_COUNT");
	size_t len = text ? strspn(text, "0123456789") : 0;

	return len && len < 5 && !text[len] ? (unsigned)strtoul(text, NULL, 10) : 0;
}

int lp_srt_pass_environment(struct lp_load *load)
{
	struct lp_env_rule rule = {.action = LP_ENV_PASS,
		.name = strdup("*"),
		.origin = {load->builtin, strdup("environment of srt")}};

	load->merge.git_count = inherited_git_count();
	return lp_policy_add_env(load->policy, &rule);
}

int lp_srt_grant_defaults(struct lp_load *load, struct lp_err *err)
{
	static const char *const paths[] = {
		"/tmp/claude", "/private/tmp/claude", "~/.npm/_logs", "~/.claude/debug"};
	struct lp_policy *policy = load->policy;

	for (size_t i = 0; i < LP_ARRAY_SIZE(paths); i++) {
		lp_autofree char *path = NULL;
		int r = lp_path_absolute(paths[i], policy->cwd, policy->home, &path);

		if (r < 0)
			return r;
		if (access(path, F_OK) < 0 || !lp_policy_may(policy, path, LP_ACCESS_READ).allowed)
			continue;
		r = lp_rules_add_literal(policy, LP_RULE_ALLOW_WRITE, path, policy->cwd,
			load->builtin, "default write paths of srt", err);
		if (r < 0)
			return r;
	}
	return 0;
}

int lp_srt_keep_files(struct lp_policy *policy, const json_t *json)
{
	const json_t *files = json_object_get(json, "filesystem");

	free(policy->files_text);
	policy->files_text = json_dumps(files, JSON_COMPACT | JSON_SORT_KEYS);
	return policy->files_text ? 0 : -ENOMEM;
}

int lp_settings_update(const char *line, size_t len, const char *name,
	const struct lp_policy *policy, struct lp_policy **ret_lists, struct lp_err *err)
{
	LP_CLEANUP(lp_policy_freep) struct lp_policy *lists = calloc(1, sizeof(*lists));
	json_t *json LP_CLEANUP(json_decrefp) = NULL;
	LP_CLEANUP(lp_policy_freep) struct lp_policy *sockets = calloc(1, sizeof(*sockets));
	struct lp_merge merge = {
		.policy = lists, .sockets = sockets, .is_srt = true, .base = policy->cwd};
	struct lp_source *source;
	int r;

	if (!lists || !sockets)
		return -ENOMEM;
	lists->home = strdup(policy->home);
	sockets->home = strdup(policy->home);
	source = lp_policy_add_source(lists, LP_LAYER_USER, strdup(name), strndup(line, len), len);
	if (!source || !source->text || !lists->home || !sockets->home)
		return -ENOMEM;
	r = lp_schema_read(lists, source, LP_DIALECT_SRT, &json, err);
	if (r == 0)
		r = lp_merge_keys(&merge, source, json, err);
	if (r == 0)
		r = lp_merge_network(&merge, source, json, err);
	if (r == 0)
		r = lp_srt_keep_files(lists, json);
	if (r == 0)
		*ret_lists = LP_TAKE(lists);
	return r;
}
