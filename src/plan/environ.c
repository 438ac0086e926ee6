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
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

	if (lp_str_add_bytes(&text, name, len) < 0 || lp_str_add(&text, "=") < 0 ||
		lp_str_add(&text, value) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i], text.text, len + 1))
			continue;
		free(list->items[i]);
		list->items[i] = LP_TAKE(text.text);
		return 0;
	}
	return lp_strv_own(list, LP_TAKE(text.text));
}

/* Where the network goes by names these speak of landpen's proxy, and the caller's never pass. */
static const struct {
	const char *name, *value; /* NULL: only kept out */
	bool port;                /* the proxy's port follows the value */
} proxy_variables[] = {
	{"HTTP_PROXY", "http://localhost:", true},
	{"HTTPS_PROXY", "http://localhost:", true},
	{"http_proxy", "http://localhost:", true},
	{"https_proxy", "http://localhost:", true},
	{"ALL_PROXY", "http://localhost:", true},
	{"all_proxy", "http://localhost:", true},
	{"GRPC_PROXY", "http://localhost:", true},
	{"grpc_proxy", "http://localhost:", true},
	{"DOCKER_HTTP_PROXY", "http://localhost:", true},
	{"DOCKER_HTTPS_PROXY", "http://localhost:", true},
	{"FTP_PROXY", "socks5h://localhost:", true},
	{"ftp_proxy", "socks5h://localhost:", true},
	{"RSYNC_PROXY", "localhost:", true},
	{"NO_PROXY", "localhost,127.0.0.1,::1", false},
	{"no_proxy", "localhost,127.0.0.1,::1", false},
	{"CLOUDSDK_PROXY_TYPE", "http", false},
	{"CLOUDSDK_PROXY_ADDRESS", "localhost", false},
	{"CLOUDSDK_PROXY_PORT", "", true},
	{"CLOUDSDK_PROXY_USERNAME", NULL, false},
	{"CLOUDSDK_PROXY_PASSWORD", NULL, false},
	{"NODE_USE_ENV_PROXY", "1", false},
	/* look-ups by TCP: c-ares does not take what stands for a UDP socket */
	{"RES_OPTIONS", "use-vc", false},
	{"SANDBOX_RUNTIME", "1", false},
};

static bool is_proxy_variable(const char *name)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(proxy_variables); i++)
		if (!strcmp(proxy_variables[i].name, name))
			return true;
	return false;
}

static int set_proxy(struct lp_strv *list, unsigned port)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(proxy_variables); i++) {
		struct lp_str value LP_CLEANUP(lp_str_clear) = {0};

		if (!proxy_variables[i].value)
			continue;
		r = lp_str_add(&value, proxy_variables[i].value);
		if (r == 0 && proxy_variables[i].port)
			r = lp_str_addf(&value, "%u", port);
		if (r == 0)
			r = put(list, proxy_variables[i].name, value.text);
	}
	return r;
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
		if (policy->network == LP_NETWORK_NAMES && is_proxy_variable(name))
			continue;
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

	/* without rules for files every folder of the caller's can be used */
	if (r == 0 && !(policy->files_disabled && find(list, "TMPDIR")))
		r = put(list, "TMPDIR", input->tmpdir);
	if (r == 0)
		r = put(list, "LANDPEN", "1");
	if (r == 0)
		r = put(list, "ISOLATE_ENV", "landpen");
	if (r == 0)
		r = put(list, "PROMPT_ENV_INDICATOR", "landpen");
	if (r == 0 && policy->network == LP_NETWORK_NAMES)
		r = set_proxy(list, input->proxy_port);
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
