/*
 * The native back end's part of the plan: which Landlock rules say the policy, and what they cannot
 * say. Landlock rights flow down a tree and are never taken back, so a denied name inside an
 * allowed tree is a gap here.
 *
 * Runs in the launcher before the fork; reads the policy only.
 */
#include "plan/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_RIGHTS (LP_FS_EXECUTE | LP_FS_READ_FILE | LP_FS_READ_DIR)
#define WRITE_RIGHTS                                                                              \
	(READ_RIGHTS | LP_FS_WRITE_FILE | LP_FS_REMOVE_DIR | LP_FS_REMOVE_FILE | LP_FS_MAKE_DIR | \
		LP_FS_MAKE_REG | LP_FS_MAKE_SOCK | LP_FS_MAKE_FIFO | LP_FS_MAKE_SYM |             \
		LP_FS_REFER | LP_FS_TRUNCATE | LP_FS_RESOLVE_UNIX)
#define DEVICE_RIGHTS (LP_FS_READ_FILE | LP_FS_WRITE_FILE | LP_FS_TRUNCATE | LP_FS_IOCTL_DEV)

static int add_floor(
	struct lp_plan *plan, const char *path, uint64_t access, const struct lp_rule *rule)
{
	struct lp_floor *grown = plan->floor;

	/* A rule above with the same rights says it already. */
	for (size_t i = 0; i < plan->floor_count; i++)
		if (!(access & ~plan->floor[i].access) &&
			lp_path_is_under(path, plan->floor[i].path))
			return 0;
	if ((plan->floor_count & (plan->floor_count - 1)) == 0)
		grown = realloc(
			grown, (plan->floor_count ? 2 * plan->floor_count : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->floor = grown;
	grown += plan->floor_count;
	*grown = (struct lp_floor){strdup(path), access & plan->handled.handled_fs, rule};
	if (!grown->path)
		return -ENOMEM;
	plan->floor_count++;
	return 0;
}

static bool is_device(const char *path)
{
	return lp_path_is_under(path, "/dev") && !lp_path_is_under(path, "/dev/shm");
}

/* Grants what an allowing rule asks for at path, as far as the policy's decider agrees. */
int lp_floor_grant_path(const struct lp_policy *policy, struct lp_plan *plan, const char *path,
	const struct lp_rule *rule)
{
	if (rule->kind == LP_RULE_ALLOW_WRITE &&
		lp_policy_may(policy, path, LP_ACCESS_WRITE).allowed)
		return add_floor(plan, path, is_device(path) ? DEVICE_RIGHTS : WRITE_RIGHTS, rule);
	if (lp_policy_may(policy, path, LP_ACCESS_READ).allowed)
		return add_floor(plan, path, READ_RIGHTS, rule);
	return 0;
}

/* What every program needs of /dev, as bwrap's minimal one has it. */
static const char *const devices[] = {
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};

static bool names(const struct lp_policy *policy, enum lp_rule_kind kind, const char *path)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].kind == kind && !strcmp(policy->rules[i].path, path))
			return true;
	return false;
}

static int add_grants(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	int r = 0;

	if (lp_policy_may(policy, "/", LP_ACCESS_READ).allowed)
		r = add_floor(plan, "/", READ_RIGHTS, NULL);
	for (size_t i = 0; r == 0 && i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->kind < LP_RULE_ALLOW_READ || rule->is_pattern)
			continue;
		if (rule->exists)
			r = lp_floor_grant_path(policy, plan, rule->path, rule);
		else
			r = lp_strv_addf(&plan->notices, "%s: not there, left out", rule->path);
	}
	if (r == 0)
		r = add_floor(plan, input->tmpdir, WRITE_RIGHTS, NULL);
	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(devices); i++)
		if (lp_policy_may(policy, devices[i], LP_ACCESS_READ).allowed ||
			!names(policy, LP_RULE_DENY_READ, devices[i]))
			r = add_floor(plan, devices[i], DEVICE_RIGHTS, NULL);
	if (r == 0 && input->terminal)
		r = add_floor(plan, input->terminal, DEVICE_RIGHTS, NULL);
	return r;
}

/* The granted tree that would carry right down to path, or NULL. */
static const struct lp_floor *granted_above(
	const struct lp_plan *plan, const char *path, uint64_t right)
{
	for (size_t i = 0; i < plan->floor_count; i++)
		if ((plan->floor[i].access & right) && lp_path_is_under(path, plan->floor[i].path))
			return &plan->floor[i];
	return NULL;
}

/* The granted tree that a deny pattern can match in, or NULL. */
static const struct lp_floor *granted_near(
	const struct lp_plan *plan, const char *pattern, uint64_t right)
{
	lp_autofree char *head = strndup(pattern, strcspn(pattern, "*?["));
	char *slash = head ? strrchr(head, '/') : NULL;

	if (!slash)
		return NULL;
	slash[slash == head] = '\0';
	for (size_t i = 0; i < plan->floor_count; i++)
		if ((plan->floor[i].access & right) &&
			(lp_path_is_under(head, plan->floor[i].path) ||
				lp_path_is_under(plan->floor[i].path, head)))
			return &plan->floor[i];
	return NULL;
}

/*
 * A deny that stands inside a granted tree is what rules alone cannot say. The first of each kind
 * is told; the others are the same gap.
 */
static int add_carving_gaps(const struct lp_policy *policy, struct lp_plan *plan)
{
	bool told_read = false, told_write = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		bool read = rule->kind == LP_RULE_DENY_READ;
		uint64_t right = read ? LP_FS_READ_FILE : LP_FS_WRITE_FILE;
		const struct lp_floor *tree;

		/* what is re-opened for reading only must not be writable by a tree above either */
		if ((rule->kind >= LP_RULE_ALLOW_READ && (rule->is_pattern || !rule->exists)) ||
			(read ? told_read : told_write))
			continue;
		if (!rule->is_pattern &&
			lp_policy_may(policy, rule->path, read ? LP_ACCESS_READ : LP_ACCESS_WRITE)
				.allowed)
			continue;
		tree = rule->is_pattern ? granted_near(plan, rule->path, right)
					: granted_above(plan, rule->path, right);
		if (!tree)
			continue;
		*(read ? &told_read : &told_write) = true;
		r = lp_gap_add(plan, policy, read ? LP_GAP_READ : LP_GAP_PROTECTED,
			"Landlock alone cannot keep %s %s inside %s %s; use --backend bwrap or "
			"auto",
			rule->path, read ? "hidden" : "read-only",
			read ? "the readable" : "the writable", tree->path);
	}
	return r;
}

static int add_kernel_gaps(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	int abi = input->abilities->landlock_abi, r = 0;

	if (abi < 2)
		r = lp_gap_add(plan, policy, LP_GAP_REFER,
			"Landlock of this kernel (ABI %d) forbids every rename between "
			"directories; "
			"Linux 5.19 or bubblewrap is needed",
			abi);
	if (r == 0 && abi < 3)
		r = lp_gap_add(plan, policy, LP_GAP_TRUNCATE,
			"Landlock of this kernel (ABI %d) does not see truncate(2), so files "
			"outside "
			"the project could be emptied; Linux 6.2 or bubblewrap is needed",
			abi);
	if (r == 0 && abi < 6)
		r = lp_gap_add(plan, policy, LP_GAP_SIGNALS,
			"Landlock of this kernel (ABI %d) does not hold back signals to your other "
			"programs; Linux 6.12 or bubblewrap is needed",
			abi);
	return r;
}

/* New terminals are granted whole or not at all: /dev/pts holds the user's other ones too. */
static int add_terminals(const struct lp_policy *policy, struct lp_plan *plan)
{
	int r;

	if (!policy->ptys)
		return 0;
	if (!lp_strv_has(&policy->accepted, LP_GAP_TERMINALS) &&
		!lp_strv_has(&policy->accepted, "all"))
		return lp_strv_add(&plan->notices,
			"new terminals (script, tmux) are not available natively: --backend bwrap, "
			"or "
			"--accept-gap " LP_GAP_TERMINALS " which also opens your other terminals");
	r = lp_gap_add(plan, policy, LP_GAP_TERMINALS,
		"your other terminals below /dev/pts can be opened");
	if (r == 0)
		r = add_floor(plan, "/dev/pts", DEVICE_RIGHTS | LP_FS_READ_DIR, NULL);
	if (r == 0)
		r = add_floor(plan, "/dev/ptmx", DEVICE_RIGHTS, NULL);
	return r;
}

/*
 * chmod, chown, utimes and xattrs pass Landlock. Where nothing needs them (no writable tree) the
 * filter refuses them; elsewhere that would break git, tar and npm, and the gap is listed.
 */
static int add_metadata(const struct lp_policy *policy, struct lp_plan *plan)
{
	if (!lp_plan_has_writable(policy))
		return 0;
	plan->filter |= LP_FILTER_METADATA;
	if (policy->files_disabled)
		return 0;
	return lp_gap_add(plan, policy, LP_GAP_METADATA,
		"Landlock does not cover chmod, chown, utimes and extended attributes: they would "
		"work on all your files; use --backend bwrap or auto");
}

int lp_plan_floor(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	int r;

	if (input->abilities->landlock_abi < 1)
		return lp_gap_add(plan, policy, LP_GAP_LANDLOCK,
			"this kernel has no Landlock; Linux 5.13 with CONFIG_SECURITY_LANDLOCK and "
			"'landlock' in lsm=, or bubblewrap, is needed");
	plan->handled = lp_landlock_known(input->abilities->landlock_abi);
	if (policy->network == LP_NETWORK_OPEN)
		plan->handled.handled_net = 0;
	if (policy->unix_sockets) {
		plan->handled.handled_fs &= ~LP_FS_RESOLVE_UNIX;
		plan->handled.scoped &= ~LP_SCOPE_ABSTRACT_UNIX;
	}
	if (policy->files_disabled) {
		plan->handled.handled_fs = 0;
		return add_metadata(policy, plan);
	}
	r = add_kernel_gaps(input, plan);
	if (r == 0)
		r = add_grants(input, plan);
	if (r == 0)
		r = lp_plan_add_matches(input, plan);
	if (r == 0)
		r = add_terminals(policy, plan);
	if (r == 0)
		r = add_carving_gaps(policy, plan);
	if (r == 0)
		r = add_metadata(policy, plan);
	return r;
}
