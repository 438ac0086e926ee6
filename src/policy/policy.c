/*
 * The policy's memory and its deciders. Pure: runs in the launcher, in tests and in fuzzers alike.
 * Paths come from settings files and from the agent; they are compared, never opened.
 */
#include "policy/policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* base's list of what passes fits in one. */
#define ENV_STEP 96

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
		for (size_t j = 0; j < policy->sources[i]->alias_count; j++) {
			free(policy->sources[i]->aliases[j].key);
			free(policy->sources[i]->aliases[j].said);
		}
		free(policy->sources[i]->aliases);
		free(policy->sources[i]);
	}
	lp_policy_clear_network(policy);
	free(policy->rules);
	free(policy->env);
	free(policy->sources);
	free(policy->home);
	free(policy->cwd);
	free(policy->project);
	lp_strv_clear(&policy->rulesets);
	lp_strv_clear(&policy->accepted);
	lp_strv_clear(&policy->ignored);
	lp_live_freep(&policy->live);
	free(policy->files_text);
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
	*source = (struct lp_source){.layer = layer,
		.name = name,
		.text = text,
		.len = len,
		.trusted = layer != LP_LAYER_PROJECT};
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
	rule->path_length = strlen(rule->path);
	grown[policy->rule_count++] = *rule;
	*rule = (struct lp_rule){0};
	return 0;
}

int lp_policy_add_env(struct lp_policy *policy, struct lp_env_rule *rule)
{
	struct lp_env_rule *grown = policy->env;
	size_t count = policy->env_count;

	if (count % ENV_STEP == 0)
		grown = realloc(grown, (count + ENV_STEP) * sizeof(*grown));
	if (grown)
		policy->env = grown;
	if (!grown || !rule->name || !rule->origin.key ||
		(rule->action == LP_ENV_SET && !rule->value)) {
		env_clear(rule);
		*rule = (struct lp_env_rule){0};
		return -ENOMEM;
	}
	rule->literal = strcspn(rule->name, "*?[\\");
	grown[policy->env_count++] = *rule;
	*rule = (struct lp_env_rule){0};
	return 0;
}

/* The length of the part of path (len long) that the rule names, or 0 if it does not speak of it.
 */
static size_t covered_length(const struct lp_rule *rule, const char *path, size_t len)
{
	size_t length = rule->path_length;

	if (!rule->is_pattern) {
		/* the end is looked at first: most rules differ there, and this is asked often */
		if (length == 1)
			return 1;
		return length <= len && (path[length] == '/' || path[length] == '\0') &&
				       path[length - 1] == rule->path[length - 1] &&
				       !memcmp(path, rule->path, length)
			       ? length
			       : 0;
	}
	for (; len > 0; len--) {
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
	return covered_length(rule, path, strlen(path)) > 0;
}

/* Of each kind, the rule that covers most of a path, and how much; NULL and 0 for none. */
struct longest {
	const struct lp_rule *rule[LP_RULE_ALLOW_WRITE + 1];
	size_t length[LP_RULE_ALLOW_WRITE + 1];
};

static struct longest find_longest(const struct lp_policy *policy, const char *path)
{
	struct longest longest = {0};
	size_t len = strlen(path);

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		size_t length = covered_length(rule, path, len);

		if (length && length >= longest.length[rule->kind]) {
			longest.rule[rule->kind] = rule;
			longest.length[rule->kind] = length;
		}
	}
	return longest;
}

static struct lp_decision may_read(const struct longest *longest)
{
	enum lp_rule_kind allow =
		longest->length[LP_RULE_ALLOW_READ] < longest->length[LP_RULE_ALLOW_WRITE]
			? LP_RULE_ALLOW_WRITE
			: LP_RULE_ALLOW_READ;

	if (longest->length[LP_RULE_DENY_READ] > longest->length[allow])
		return (struct lp_decision){false, longest->rule[LP_RULE_DENY_READ]};
	return (struct lp_decision){true, longest->rule[allow]};
}

static struct lp_decision may_write(const struct longest *longest)
{
	if (longest->rule[LP_RULE_DENY_WRITE] || !longest->rule[LP_RULE_ALLOW_WRITE])
		return (struct lp_decision){false, longest->rule[LP_RULE_DENY_WRITE]};
	if (longest->length[LP_RULE_DENY_READ] > longest->length[LP_RULE_ALLOW_WRITE])
		return (struct lp_decision){false, longest->rule[LP_RULE_DENY_READ]};
	return (struct lp_decision){true, longest->rule[LP_RULE_ALLOW_WRITE]};
}

struct lp_decision lp_policy_may(
	const struct lp_policy *policy, const char *path, enum lp_access access)
{
	struct longest longest;

	if (policy->files_disabled)
		return (struct lp_decision){true, NULL};
	longest = find_longest(policy, path);
	return access == LP_ACCESS_WRITE ? may_write(&longest) : may_read(&longest);
}

/* "head", then "**" and a last part without '/': it matches wherever below head that part stands.
 */
static bool is_placeless(const char *pattern, size_t head)
{
	const char *rest = pattern + head;

	return !strncmp(rest, "**/", 3) && !strchr(rest + 3, '/');
}

static bool pattern_denies_below(const char *pattern, const char *path, bool placeless)
{
	size_t head = strcspn(pattern, "*?["), length = strlen(path);

	while (head > 0 && pattern[head - 1] != '/')
		head--;
	/* the folder that every match lies in, with its '/' */
	if (length + 1 < head || (length + 1 == head && length > 1))
		return !strncmp(pattern, path, length) && (length == 1 || pattern[length] == '/');
	if (strncmp(path, pattern, head) != 0)
		return false;
	return placeless || !is_placeless(pattern, head);
}

static bool denies_below(const struct lp_policy *policy, const char *path, bool placeless)
{
	size_t length = strcmp(path, "/") ? strlen(path) : 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->kind > LP_RULE_DENY_READ)
			continue;
		if (rule->is_pattern ? pattern_denies_below(rule->path, path, placeless)
				     : rule->path_length > length + 1 &&
					       !strncmp(rule->path, path, length) &&
					       rule->path[length] == '/')
			return true;
	}
	return false;
}

bool lp_policy_denies_below(const struct lp_policy *policy, const char *path)
{
	return denies_below(policy, path, false);
}

bool lp_policy_may_deny_below(const struct lp_policy *policy, const char *path)
{
	return denies_below(policy, path, true);
}

/* Every variable is held against every rule, so what is quick to see is asked first. */
static bool names_variable(const struct lp_env_rule *rule, const char *name)
{
	if (rule->literal && (rule->name[0] != name[0] || strncmp(rule->name, name, rule->literal)))
		return false;
	if (!rule->name[rule->literal])
		return !name[rule->literal];
	return fnmatch(rule->name, name, 0) == 0 || !strcmp(rule->name, name);
}

struct lp_decision lp_policy_env(const struct lp_policy *policy, const char *name)
{
	/* NAME is matched by fnmatch(3): there is no '/' to respect in a variable's name. */
	for (size_t i = policy->env_count; i-- > 0;) {
		const struct lp_env_rule *rule = &policy->env[i];

		if (rule->action != LP_ENV_SET && names_variable(rule, name))
			return (struct lp_decision){rule->action == LP_ENV_PASS, NULL};
	}
	return (struct lp_decision){false, NULL};
}
