/*
 * The command's environment: what the pass-list lets through of the caller's, then what is set.
 *
 * Runs in the launcher before the fork. Values are the user's secrets: they are copied, never
 * printed.
 */
#include "plan/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replaces or adds NAME=VALUE. */
static int put(struct lp_strv *list, const char *name, const char *value)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < list->count; i++) {
		struct lp_str text = {0};

		if (strncmp(list->items[i], name, len) || list->items[i][len] != '=')
			continue;
		if (lp_str_addf(&text, "%s=%s", name, value) < 0)
			return -ENOMEM;
		free(list->items[i]);
		list->items[i] = text.text;
		return 0;
	}
	return lp_strv_addf(list, "%s=%s", name, value);
}

static int pass_callers(const struct lp_policy *policy, char *const *environ, struct lp_strv *list)
{
	for (; environ && *environ; environ++) {
		const char *equals = strchr(*environ, '=');
		lp_autofree char *name = NULL;

		if (!equals || equals == *environ)
			continue;
		name = strndup(*environ, (size_t)(equals - *environ));
		if (!name)
			return -ENOMEM;
		if (lp_policy_env(policy, name).allowed && put(list, name, equals + 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

static const char *find(const struct lp_strv *list, const char *name)
{
	size_t len = strlen(name);

	lp_strv_foreach (item, list)
		if (!strncmp(item, name, len) && item[len] == '=')
			return item + len + 1;
	return NULL;
}

/* A later unset takes back what an earlier layer set. */
static bool unset_later(const struct lp_policy *policy, size_t from, const char *name)
{
	for (size_t i = from; i < policy->env_count; i++)
		if (policy->env[i].action == LP_ENV_UNSET && !strcmp(policy->env[i].name, name))
			return true;
	return false;
}

int lp_plan_environment(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	struct lp_strv *list = &plan->environment;
	int r = pass_callers(policy, input->environ, list);

	if (r == 0)
		r = put(list, "TMPDIR", input->tmpdir);
	if (r == 0)
		r = put(list, "LANDPEN", "1");
	if (r == 0)
		r = put(list, "ISOLATE_ENV", "landpen");
	if (r == 0)
		r = put(list, "PROMPT_ENV_INDICATOR", "landpen");
	for (size_t i = 0; r == 0 && i < policy->env_count; i++) {
		const struct lp_env_rule *rule = &policy->env[i];

		if (rule->action == LP_ENV_SET && !unset_later(policy, i + 1, rule->name))
			r = put(list, rule->name, rule->value);
	}
	if (r == 0 && !find(list, "PATH"))
		r = put(list, "PATH", "/usr/local/bin:/usr/bin:/bin");
	if (r == 0 && !find(list, "HOME"))
		r = put(list, "HOME", policy->home);
	return r;
}
