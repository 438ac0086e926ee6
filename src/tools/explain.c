/* `landpen explain`, `landpen policy` and the line at the start: the policy in words. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void print_escaped(const char *text)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};

	if (lp_str_add_escaped(&str, text, strlen(text)) == 0 && str.text)
		fputs(str.text, stdout);
}

static const char *const kinds[] = {"denyWrite", "denyRead", "allowRead", "allowWrite"};

static void print_rule(const struct lp_rule *rule)
{
	struct lp_str origin LP_CLEANUP(lp_str_clear) = {0};

	printf("%s ", kinds[rule->kind]);
	print_escaped(rule->path);
	if (lp_origin_print(&rule->origin, &origin) == 0 && origin.text)
		printf("  # %s%s", origin.text, rule->exists || rule->is_pattern ? "" : ", absent");
}

static void explain_access(
	const struct lp_policy *policy, const char *path, enum lp_access access, const char *name)
{
	struct lp_decision decision = lp_policy_may(policy, path, access);

	printf("  %-8s %-4s ", name, decision.allowed ? "yes" : "no");
	if (decision.rule)
		print_rule(decision.rule);
	else if (policy->files_disabled)
		printf("filesystem.disabled");
	else
		printf("no rule names it: %s",
			access == LP_ACCESS_WRITE ? "writing is closed" : "reading is open");
	putchar('\n');
}

static void print_origin(const struct lp_origin *origin)
{
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

	if (lp_origin_print(origin, &text) == 0 && text.text)
		printf("  # %s", text.text);
}

static void print_host(const char *host, unsigned port)
{
	bool brackets = port && strchr(host, ':');

	printf("%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "");
	if (port)
		printf(":%u", port);
}

static void print_host_rule(const struct lp_host_rule *rule)
{
	printf("%s ", rule->allow ? "allowHost" : "denyHost");
	print_host(rule->host, rule->port);
	if (rule->reason) {
		printf(" (");
		print_escaped(rule->reason);
		putchar(')');
	}
	print_origin(&rule->origin);
}

static void print_local_port(const struct lp_port_rule *rule)
{
	printf("allowLocalPort %u", rule->port);
	print_origin(&rule->origin);
}

static void print_proxy(const struct lp_upstream *upstream)
{
	if (upstream->socket)
		print_escaped(upstream->socket);
	else
		print_host(upstream->host, upstream->port);
	printf("%s%s", upstream->socks ? " by SOCKS" : "",
		upstream->authorization ? ", with credentials" : "");
}

static void explain_host(const struct lp_policy *policy, const char *host, unsigned port)
{
	struct lp_host_decision decision = port ? lp_policy_may_connect(policy, host, port)
						: lp_policy_may_resolve(policy, host);
	const struct lp_upstream *upstream =
		lp_policy_upstream(policy, host, port == 80 ? LP_ASKED_PLAIN : LP_ASKED_OTHERWISE);
	bool named = policy->network == LP_NETWORK_NAMES;
	bool allowed = policy->network == LP_NETWORK_OPEN || (named && decision.allowed);

	printf("host ");
	print_host(host, port);
	printf("\n  %-8s ", "connect");
	printf("%-4s ", allowed ? "yes" : "no");
	if (!named)
		printf("the network is %s", allowed ? "open" : "closed");
	else if (decision.rule)
		print_host_rule(decision.rule);
	else if (decision.local)
		print_local_port(decision.local);
	else if (lp_host_is_loopback(host) && policy->local_binding)
		printf("but to servers that run in the pen");
	else
		printf("no rule names it: hosts are closed");
	putchar('\n');
	if (!named || !allowed || !upstream)
		return;
	printf("  %-8s ", "through");
	print_proxy(upstream);
	putchar('\n');
}

/* Whether a word means a host: it can be one, and no file is meant. */
static bool is_host(const struct lp_cmdline *cmdline, const char *word)
{
	char host[LP_HOST_SIZE];
	struct stat st;
	unsigned port;

	if (cmdline->host)
		return true;
	if (strchr(word, '/') || lstat(word, &st) == 0)
		return false;
	return lp_host_port(word, host, &port) == 0 &&
	       (strpbrk(host, ".:") || lp_host_is_local(host));
}

/* Of a unix socket, there or only ruled about, whether it may be connected to. */
static void explain_socket(const struct lp_policy *policy, const char *path)
{
	const struct lp_socket_rule *rule = lp_policy_socket_rule(policy, path);
	struct stat st;

	if (!rule && (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode)))
		return;
	printf("  %-8s %-4s ", "connect", rule || policy->unix_sockets ? "yes" : "no");
	if (rule) {
		printf("allowSocket ");
		print_escaped(rule->path);
		print_origin(&rule->origin);
	} else {
		printf("%s", policy->unix_sockets ? "allowAllUnixSockets"
						  : "but for sockets that are made in the pen");
	}
	putchar('\n');
}

int lp_tool_explain(
	const struct lp_cmdline *cmdline, const struct lp_policy *policy, struct lp_err *err)
{
	if (!cmdline->operands[0])
		return lp_fail(
			err, EINVAL, "explain: name a path or a host; `landpen explain --help`");
	for (char **operand = cmdline->operands; *operand; operand++) {
		lp_autofree char *absolute = NULL;
		lp_autofree char *path = NULL;
		char host[LP_HOST_SIZE];
		unsigned port;
		bool exists;
		int r;

		if (is_host(cmdline, *operand)) {
			if (lp_host_port(*operand, host, &port) < 0)
				return lp_fail(
					err, EINVAL, "%s: is no HOST or HOST:PORT", *operand);
			explain_host(policy, host, port);
			continue;
		}
		r = lp_path_absolute(*operand, policy->cwd, policy->home, &absolute);
		if (r == 0)
			r = lp_path_resolve(absolute, &path, &exists, NULL);
		if (r < 0)
			return lp_fail(err, -r, "%s: %m", *operand);
		print_escaped(path);
		printf("%s%s\n", strcmp(path, absolute) ? " (behind a symlink)" : "",
			exists ? "" : " (does not exist)");
		explain_access(policy, path, LP_ACCESS_READ, "read");
		explain_access(policy, path, LP_ACCESS_WRITE, "write");
		explain_access(policy, path, LP_ACCESS_EXECUTE, "execute");
		explain_socket(policy, path);
	}
	return 0;
}

static void print_environment(const struct lp_policy *policy)
{
	static const char *const actions[] = {"unset", "pass", "set"};

	for (size_t i = 0; i < policy->env_count; i++) {
		printf("%-10s ", actions[policy->env[i].action]);
		print_escaped(policy->env[i].name);
		print_origin(&policy->env[i].origin);
		putchar('\n');
	}
}

/* Credentials are only said to be there. */
static void print_upstream(const char *what, const struct lp_upstream *upstream)
{
	if (!upstream->host && !upstream->socket)
		return;
	printf("upstream   %s through ", what);
	print_proxy(upstream);
	putchar('\n');
}

static void print_network(const struct lp_policy *policy)
{
	for (size_t i = 0; i < policy->host_count; i++) {
		print_host_rule(&policy->hosts[i]);
		putchar('\n');
	}
	for (size_t i = 0; i < policy->range_count; i++) {
		const struct lp_range *range = &policy->ranges[i];
		bool ipv4 = range->prefix >= 96 && lp_address_is_ipv4(&range->address);
		char host[LP_HOST_SIZE];

		lp_address_print(&range->address, host);
		printf("denyAddress %s/%u", host, ipv4 ? range->prefix - 96 : range->prefix);
		print_origin(&range->origin);
		putchar('\n');
	}
	for (size_t i = 0; i < policy->local_port_count; i++) {
		print_local_port(&policy->local_ports[i]);
		putchar('\n');
	}
	for (size_t i = 0; i < policy->socket_count; i++) {
		printf("allowSocket ");
		print_escaped(policy->sockets[i].path);
		print_origin(&policy->sockets[i].origin);
		putchar('\n');
	}
	print_upstream("http", &policy->upstream_http);
	print_upstream("others", &policy->upstream_https);
	print_upstream("SOCKS", &policy->upstream_socks);
	lp_strv_foreach (pattern, &policy->mitm_hosts)
		print_upstream(pattern, &policy->upstream_mitm);
	if (policy->no_upstream) {
		printf("direct     ");
		print_escaped(policy->no_upstream);
		putchar('\n');
	}
}

static const char *const networks[] = {"none", "names", "open"};

static const char *describe_sockets(const struct lp_policy *policy)
{
	if (policy->unix_sockets)
		return "every unix socket";
	return policy->socket_count ? "listed unix sockets" : "no unix sockets";
}

int lp_tool_policy(const struct lp_cmdline *cmdline, const struct lp_policy *policy,
	const struct lp_plan *plan, struct lp_err *err)
{
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

	if (cmdline->plan || cmdline->abilities_file) {
		if (lp_plan_print(plan, &text) < 0)
			return lp_fail(err, ENOMEM, "%m");
		fputs(text.text, stdout);
		return 0;
	}
	printf("project    ");
	print_escaped(policy->project);
	printf("\nrulesets  ");
	lp_strv_foreach (name, &policy->rulesets)
		printf(" %s", name);
	printf("\nnetwork    %s\nservers    %s\nsockets    %s\nptrace     %s\nnamespaces %s\n",
		networks[policy->network], policy->local_binding ? "on loopback" : "none",
		describe_sockets(policy), policy->ptrace ? "allowed" : "closed",
		policy->namespaces ? "allowed" : "closed");
	for (size_t i = 0; i < policy->rule_count; i++) {
		print_rule(&policy->rules[i]);
		putchar('\n');
	}
	print_network(policy);
	print_environment(policy);
	return 0;
}

/* How many different hosts are allowed, on whatever ports. */
static size_t count_hosts(const struct lp_policy *policy)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->host_count; i++) {
		size_t j = 0;

		if (!policy->hosts[i].allow)
			continue;
		while (j < i && (!policy->hosts[j].allow ||
					strcmp(policy->hosts[j].host, policy->hosts[i].host) != 0))
			j++;
		count += j == i;
	}
	return count;
}

int lp_tool_summary(const struct lp_policy *policy, const struct lp_plan *plan, struct lp_str *str)
{
	bool writable = lp_policy_may(policy, policy->project, LP_ACCESS_WRITE).allowed;
	bool home = lp_policy_may(policy, policy->home, LP_ACCESS_READ).allowed;

	size_t hosts = count_hosts(policy);

	lp_str_add(str, "project ");
	lp_str_add_escaped(str, policy->project, strlen(policy->project));
	lp_str_addf(str, " %s, home %s, network ", writable ? "writable" : "read-only",
		home ? "readable" : "hidden");
	if (policy->network == LP_NETWORK_NAMES)
		lp_str_addf(str, "%zu host%s", hosts, hosts == 1 ? "" : "s");
	else
		lp_str_add(str, networks[policy->network]);
	return lp_str_addf(str, " (%s)", plan->backend == LP_BACKEND_BWRAP ? "bwrap" : "landlock");
}
