/*
 * What can only be said about the network when all texts and options are in: whether there is one,
 * which sockets may be reached, and which proxy it goes through.
 *
 * Runs in the launcher before confinement. The caller's environment is the user's own; a proxy's
 * URL there may hold a password and is not printed.
 */
#include "settings/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Hosts to reach, servers of one's own, or single unix sockets: each needs the gate. */
static bool needs_gate(const struct lp_load *load)
{
	const struct lp_policy *policy = load->policy;

	for (size_t i = 0; i < policy->host_count; i++)
		if (policy->hosts[i].allow)
			return true;
	return policy->local_binding || policy->local_port_count > 0 ||
	       load->merge.sockets->rule_count > 0;
}

static void choose_network(struct lp_load *load)
{
	struct lp_policy *policy = load->policy;

	switch (load->request->network) {
	case LP_NETWORK_WISH_NONE:
		policy->network = LP_NETWORK_NONE;
		break;
	case LP_NETWORK_WISH_OPEN:
		policy->network = LP_NETWORK_OPEN;
		break;
	case LP_NETWORK_WISH_NAMES:
		policy->network = LP_NETWORK_NAMES;
		break;
	default:
		policy->network = needs_gate(load) ? LP_NETWORK_NAMES : LP_NETWORK_NONE;
	}
	/* in srt's own network namespace listening works whatever the key says */
	if (policy->network == LP_NETWORK_NAMES && !load->merge.says_binding &&
		!lp_strv_has(&policy->rulesets, "base"))
		policy->local_binding = true;
}

/* An open network has no filter, so a list that closes hosts would be a broken promise. */
static int check_open(const struct lp_policy *policy, struct lp_err *err)
{
	const struct lp_origin *origin = NULL;

	for (size_t i = 0; !origin && i < policy->host_count; i++)
		if (!policy->hosts[i].allow)
			origin = &policy->hosts[i].origin;
	if (!origin && policy->range_count)
		origin = &policy->ranges[0].origin;
	if (!origin)
		return 0;
	return lp_schema_fail(err, origin->source, origin->key,
		"cannot be held with --network open, which has no filter; run with --network "
		"names, or remove it");
}

/* A wish that does nothing is not to be passed over in silence. */
static int check_wishes(const struct lp_load *load)
{
	struct lp_policy *policy = load->policy;

	for (size_t i = 0; i < policy->host_count; i++) {
		const struct lp_host_rule *rule = &policy->hosts[i];
		struct lp_str why LP_CLEANUP(lp_str_clear) = {0};
		struct lp_host_decision decision;
		int r = 0;

		if (!rule->allow || rule->origin.source != load->options)
			continue;
		decision = rule->port ? lp_policy_may_connect(policy, rule->host, rule->port)
				      : lp_policy_may_resolve(policy, rule->host);
		if (policy->network == LP_NETWORK_NONE)
			r = lp_strv_addf(&policy->notices,
				"--allow-host '%s': stays closed, says --network none", rule->host);
		else if (rule->host[0] != '*' && !decision.allowed && decision.rule &&
			 lp_origin_print(&decision.rule->origin, &why) == 0)
			r = lp_strv_addf(&policy->notices,
				"--allow-host '%s': stays closed, says %s", rule->host, why.text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- sockets ----------------------------------------------------------------------------------
 */

static int take_socket(struct lp_policy *policy, const struct lp_rule *rule)
{
	const struct lp_link *link = lp_rules_planted_link(policy, rule);
	char place[LP_SHOWN], target[LP_SHOWN];
	struct lp_socket_rule socket;

	if (link)
		return lp_schema_note(policy, rule->origin.source, rule->origin.key,
			"crosses the symbolic link '%s', which the command can replace: not "
			"followed; name '%s' itself",
			lp_shown(place, link->place), lp_shown(target, rule->path));
	socket = (struct lp_socket_rule){strdup(rule->path), rule->is_pattern,
		{rule->origin.source, strdup(rule->origin.key)}};
	return lp_policy_add_socket(policy, &socket);
}

static int take_sockets(struct lp_load *load)
{
	const struct lp_policy *sockets = load->merge.sockets;
	int r = 0;

	lp_strv_foreach (notice, &sockets->notices)
		if (lp_strv_add(&load->policy->notices, notice) < 0)
			return -ENOMEM;
	for (size_t i = 0; r == 0 && i < sockets->rule_count; i++)
		r = take_socket(load->policy, &sockets->rules[i]);
	return r;
}

/* ---- the proxy beyond -------------------------------------------------------------------------
 */

/* The caller's variable in capitals or not, and its name; NULL where it says nothing. */
static const char *find_variable(const char *const names[2], const char **ret_name)
{
	for (size_t i = 0; i < 2; i++) {
		const char *value = getenv(names[i]);

		if (!value || !*value)
			continue;
		*ret_name = names[i];
		return value;
	}
	return NULL;
}

static int take_variable(
	struct lp_policy *policy, const char *const names[2], struct lp_upstream *upstream)
{
	const char *name, *url = find_variable(names, &name);
	int r = url ? lp_upstream_parse(url, true, upstream) : 0;

	if (r == 0 || r == -ENOMEM)
		return r;
	return lp_strv_addf(&policy->notices,
		"%s: not used, landpen goes through http proxies only; write http://HOST:PORT",
		name);
}

static int take_environment(struct lp_policy *policy)
{
	static const char *const http[] = {"HTTP_PROXY", "http_proxy"};
	static const char *const https[] = {"HTTPS_PROXY", "https_proxy"};
	static const char *const none[] = {"NO_PROXY", "no_proxy"};
	const char *name, *list = find_variable(none, &name);
	int r = take_variable(policy, http, &policy->upstream_http);

	if (r == 0)
		r = take_variable(policy, https, &policy->upstream_https);
	if (r < 0 || !list)
		return r;
	policy->no_upstream = strdup(list);
	return policy->no_upstream ? 0 : -ENOMEM;
}

/*
 * landpen itself connects to the socket of mitmProxy, with the user's rights: what leads there is
 * settled before the command runs, which must not put another socket in its place.
 */
static int settle_mitm(struct lp_load *load, struct lp_err *err)
{
	static const char key[] = "network.mitmProxy";
	struct lp_policy *policy = load->policy;
	struct lp_upstream *upstream = &policy->upstream_mitm;
	struct lp_rule rule = {.kind = LP_RULE_ALLOW_READ};
	const struct lp_link *link = NULL;
	char place[LP_SHOWN], target[LP_SHOWN];
	int r;

	if (!upstream->socket)
		return 0;
	r = lp_path_resolve(upstream->socket, &rule.path, &rule.exists, &rule.links);
	if (r < 0)
		return lp_fail(err, -r, "%s: %s: %m", key, upstream->socket);
	if (!policy->files_disabled)
		link = lp_rules_planted_link(policy, &rule);
	if (link)
		r = lp_fail(err, EINVAL,
			"%s: crosses the symbolic link '%s', which the command can replace; name "
			"'%s' itself",
			key, lp_shown(place, link->place), lp_shown(target, rule.path));
	lp_links_clear(&rule.links);
	free(upstream->socket);
	upstream->socket = rule.path;
	if (r < 0 || policy->files_disabled ||
		!lp_policy_may(policy, rule.path, LP_ACCESS_WRITE).allowed)
		return r;
	return lp_rules_add_literal(
		policy, LP_RULE_DENY_WRITE, rule.path, policy->cwd, load->builtin, key, err);
}

int lp_load_network(struct lp_load *load, struct lp_err *err)
{
	struct lp_policy *policy = load->policy;
	int r = take_sockets(load);

	if (r == 0)
		r = settle_mitm(load, err);
	if (r < 0)
		return r;
	choose_network(load);
	if (policy->network == LP_NETWORK_OPEN)
		return check_open(policy, err);
	if (policy->network == LP_NETWORK_NAMES && !load->merge.has_upstream)
		r = take_environment(policy);
	return r < 0 ? r : check_wishes(load);
}
