/* `landpen explain`, `landpen policy` and the line at the start: the policy in words. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

int lp_tool_explain(
	const struct lp_cmdline *cmdline, const struct lp_policy *policy, struct lp_err *err)
{
	if (!cmdline->operands[0])
		return lp_fail(err, EINVAL, "explain: name a path; `landpen explain --help`");
	for (char **operand = cmdline->operands; *operand; operand++) {
		lp_autofree char *absolute = NULL;
		lp_autofree char *path = NULL;
		bool exists;
		int r = lp_path_absolute(*operand, policy->cwd, policy->home, &absolute);

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
	}
	return 0;
}

static void print_environment(const struct lp_policy *policy)
{
	static const char *const actions[] = {"unset", "pass", "set"};

	for (size_t i = 0; i < policy->env_count; i++) {
		struct lp_str origin LP_CLEANUP(lp_str_clear) = {0};

		printf("%-10s ", actions[policy->env[i].action]);
		print_escaped(policy->env[i].name);
		if (lp_origin_print(&policy->env[i].origin, &origin) == 0 && origin.text)
			printf("  # %s", origin.text);
		putchar('\n');
	}
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
	printf("\nnetwork    %s\nsockets    %s\nptrace     %s\nnamespaces %s\n",
		policy->network == LP_NETWORK_OPEN ? "open" : "none",
		policy->unix_sockets ? "every unix socket" : "no unix sockets",
		policy->ptrace ? "allowed" : "closed", policy->namespaces ? "allowed" : "closed");
	for (size_t i = 0; i < policy->rule_count; i++) {
		print_rule(&policy->rules[i]);
		putchar('\n');
	}
	print_environment(policy);
	return 0;
}

int lp_tool_summary(const struct lp_policy *policy, const struct lp_plan *plan, struct lp_str *str)
{
	bool writable = lp_policy_may(policy, policy->project, LP_ACCESS_WRITE).allowed;
	bool home = lp_policy_may(policy, policy->home, LP_ACCESS_READ).allowed;

	lp_str_add(str, "project ");
	lp_str_add_escaped(str, policy->project, strlen(policy->project));
	return lp_str_addf(str, " %s, home %s, network %s (%s)",
		writable ? "writable" : "read-only", home ? "readable" : "hidden",
		policy->network == LP_NETWORK_OPEN ? "open" : "none",
		plan->backend == LP_BACKEND_BWRAP ? "bwrap" : "landlock");
}
