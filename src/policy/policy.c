/*
 * The policy's memory and its deciders. Pure: runs in the launcher, in tests and in fuzzers alike.
 * Paths come from settings files and from the agent; they are compared, never opened.
 */
#include "policy/policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static void rule_clear(struct lp_rule *rule)
{
	free(rule->path);
	free(rule->spelled);
	free(rule->origin.key);
	lp_links_clear(&rule->links);
}

static void env_clear(struct lp_env_rule *rule)
{
	free(rule->name);
	free(rule->value);
	free(rule->origin.key);
}

void lp_policy_free(struct lp_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->rule_count; i++)
		rule_clear(&policy->rules[i]);
	for (size_t i = 0; i < policy->env_count; i++)
		env_clear(&policy->env[i]);
	for (size_t i = 0; i < policy->source_count; i++) {
		free(policy->sources[i]->name);
		free(policy->sources[i]->text);
		free(policy->sources[i]);
	}
	free(policy->rules);
	free(policy->env);
	free(policy->sources);
	free(policy->home);
	free(policy->cwd);
	free(policy->project);
	lp_strv_clear(&policy->rulesets);
	lp_strv_clear(&policy->accepted);
	lp_strv_clear(&policy->notices);
	free(policy);
}

void lp_policy_freep(struct lp_policy **policy)
{
	lp_policy_free(*policy);
	*policy = NULL;
}

struct lp_source *lp_policy_add_source(
	struct lp_policy *policy, enum lp_layer layer, char *name, char *text, size_t len)
{
	struct lp_source *source = calloc(1, sizeof(*source));
	struct lp_source **grown =
		realloc(policy->sources, (policy->source_count + 1) * sizeof(struct lp_source *));

	if (grown)
		policy->sources = grown;
	if (!source || !grown || !name) {
		free(source);
		free(name);
		free(text);
		return NULL;
	}
	*source = (struct lp_source){layer, name, text, len, layer != LP_LAYER_PROJECT};
	grown[policy->source_count++] = source;
	return source;
}

int lp_policy_add_rule(struct lp_policy *policy, struct lp_rule *rule)
{
	struct lp_rule *grown = policy->rules;
	size_t count = policy->rule_count;

	if ((count & (count - 1)) == 0)
		grown = realloc(grown, (count ? 2 * count : 1) * sizeof(*grown));
	if (grown)
		policy->rules = grown;
	if (!grown || !rule->path || !rule->spelled || !rule->origin.key) {
		rule_clear(rule);
		*rule = (struct lp_rule){0};
		return -ENOMEM;
	}
	grown[policy->rule_count++] = *rule;
	*rule = (struct lp_rule){0};
	return 0;
}

int lp_policy_add_env(struct lp_policy *policy, struct lp_env_rule *rule)
{
	struct lp_env_rule *grown =
		realloc(policy->env, (policy->env_count + 1) * sizeof(*grown));

	if (grown)
		policy->env = grown;
	if (!grown || !rule->name || !rule->origin.key ||
		(rule->action == LP_ENV_SET && !rule->value)) {
		env_clear(rule);
		*rule = (struct lp_env_rule){0};
		return -ENOMEM;
	}
	grown[policy->env_count++] = *rule;
	*rule = (struct lp_env_rule){0};
	return 0;
}

/* The length of the part of path that the rule names, or 0 if it does not speak about path. */
static size_t covered_length(const struct lp_rule *rule, const char *path)
{
	if (!rule->is_pattern)
		return lp_path_is_under(path, rule->path) ? strlen(rule->path) : 0;
	for (size_t len = strlen(path); len > 0; len--) {
		lp_autofree char *head = NULL;

		if (path[len] != '\0' && path[len] != '/')
			continue;
		head = strndup(path, len);
		if (head && lp_glob_match(rule->path, head))
			return len;
	}
	return 0;
}

bool lp_rule_covers(const struct lp_rule *rule, const char *path)
{
	return covered_length(rule, path) > 0;
}

/* The rule of one kind that covers most of path; its length in ret_length (0: none). */
static const struct lp_rule *longest(const struct lp_policy *policy, enum lp_rule_kind kind,
	const char *path, size_t *ret_length)
{
	const struct lp_rule *best = NULL;
	size_t best_length = 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		size_t length = rule->kind == kind ? covered_length(rule, path) : 0;

		if (length && length >= best_length) {
			best = rule;
			best_length = length;
		}
	}
	*ret_length = best_length;
	return best;
}

static struct lp_decision may_read(const struct lp_policy *policy, const char *path)
{
	size_t deny_length, read_length, write_length;
	const struct lp_rule *deny = longest(policy, LP_RULE_DENY_READ, path, &deny_length);
	const struct lp_rule *read = longest(policy, LP_RULE_ALLOW_READ, path, &read_length);
	const struct lp_rule *write = longest(policy, LP_RULE_ALLOW_WRITE, path, &write_length);

	if (read_length < write_length) {
		read = write;
		read_length = write_length;
	}
	if (deny && deny_length > read_length)
		return (struct lp_decision){false, deny};
	return (struct lp_decision){true, read};
}

static struct lp_decision may_write(const struct lp_policy *policy, const char *path)
{
	size_t deny_length, read_length, write_length;
	const struct lp_rule *deny = longest(policy, LP_RULE_DENY_WRITE, path, &deny_length);
	const struct lp_rule *hide = longest(policy, LP_RULE_DENY_READ, path, &read_length);
	const struct lp_rule *write = longest(policy, LP_RULE_ALLOW_WRITE, path, &write_length);

	if (deny || !write)
		return (struct lp_decision){false, deny};
	if (hide && read_length > write_length)
		return (struct lp_decision){false, hide};
	return (struct lp_decision){true, write};
}

struct lp_decision lp_policy_may(
	const struct lp_policy *policy, const char *path, enum lp_access access)
{
	if (policy->files_disabled)
		return (struct lp_decision){true, NULL};
	return access == LP_ACCESS_WRITE ? may_write(policy, path) : may_read(policy, path);
}

struct lp_decision lp_policy_env(const struct lp_policy *policy, const char *name)
{
	/* NAME is matched by fnmatch(3): there is no '/' to respect in a variable's name. */
	for (size_t i = policy->env_count; i-- > 0;) {
		const struct lp_env_rule *rule = &policy->env[i];

		if (rule->action != LP_ENV_SET && fnmatch(rule->name, name, 0) == 0)
			return (struct lp_decision){rule->action == LP_ENV_PASS, NULL};
	}
	return (struct lp_decision){false, NULL};
}
