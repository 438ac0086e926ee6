/*
 * The native back end's part of the plan: which Landlock rules say the policy, what the supervisor
 * is asked for beside them, and what nobody can hold here. Landlock rights flow down a tree and are
 * never taken back: a denied name inside an allowed tree is carved out (carve.c), or a gap where
 * there is no supervisor to serve the rest.
 *
 * Runs in the launcher before the fork; reads the policy and the tree.
 */
#include "plan/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lp_floor_add(
	struct lp_plan *plan, const char *path, uint64_t access, const struct lp_rule *rule)
{
	struct lp_floor *grown = plan->floor;

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

/* By path; of equal ones, landpen's own last and else in the policy's order. */
static int by_path(const void *a, const void *b)
{
	const struct lp_floor *one = a, *two = b;
	int order = strcmp(one->path, two->path);

	if (order || one->rule == two->rule)
		return order;
	return !two->rule || (one->rule && one->rule < two->rule) ? -1 : 1;
}

static int compare_start(const char *start, size_t len, const char *path)
{
	int order = strncmp(start, path, len);

	return order ? order : -(path[len] != '\0');
}

/* The rule at the first len bytes of path, of the first count rules; or NULL. */
static const struct lp_floor *find_at(
	const struct lp_floor *floor, size_t count, const char *path, size_t len)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_start(path, len, floor[middle].path);

		if (order == 0)
			return &floor[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Those of the wanted rights that the first count rules, which are sorted, give at path. */
static uint64_t rights_above(
	const struct lp_floor *floor, size_t count, const char *path, uint64_t wanted)
{
	uint64_t rights = 0;

	for (size_t len = strlen(path); len > 0; len--) {
		const struct lp_floor *rule;

		if (len > 1 && path[len] != '/' && path[len] != '\0')
			continue;
		rule = find_at(floor, count, path, len);
		if (rule)
			rights |= rule->access & wanted;
	}
	return rights;
}

bool lp_plan_grants(const struct lp_plan *plan, const char *path, uint64_t right)
{
	return rights_above(plan->floor, plan->floor_count, path, right) == right;
}

/* Sorts the rules, joins those of one path, and drops what others above it say already. */
static void tidy(struct lp_plan *plan)
{
	struct lp_floor *floor = plan->floor;
	size_t kept = 0;

	if (plan->floor_count)
		qsort(floor, plan->floor_count, sizeof(*floor), by_path);
	for (size_t i = 0; i < plan->floor_count; i++) {
		if (kept && !strcmp(floor[kept - 1].path, floor[i].path)) {
			floor[kept - 1].access |= floor[i].access;
			free(floor[i].path);
		} else if (rights_above(floor, kept, floor[i].path, floor[i].access) ==
			   floor[i].access) {
			free(floor[i].path);
		} else {
			floor[kept++] = floor[i];
		}
	}
	plan->floor_count = kept;
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

static int add_rules(
	const struct lp_policy *policy, struct lp_plan *plan, struct lp_carving *carving)
{
	int r = 0;

	if (lp_policy_may(policy, "/", LP_ACCESS_READ).allowed)
		r = lp_carving_grant(carving, "/", NULL);
	for (size_t i = 0; r == 0 && i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->kind < LP_RULE_ALLOW_READ || rule->is_pattern)
			continue;
		if (rule->exists)
			r = lp_carving_grant(carving, rule->path, rule);
		else
			r = lp_strv_addf(&plan->notices, "%s: not there, left out", rule->path);
	}
	return r == 0 ? lp_plan_add_matches(policy, carving) : r;
}

/* What is landpen's own to give, whatever the policy says. */
static int add_own(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	int r = lp_floor_add(plan, input->tmpdir, LP_WRITE_RIGHTS, NULL);

	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(devices); i++)
		if (lp_policy_may(policy, devices[i], LP_ACCESS_READ).allowed ||
			!names(policy, LP_RULE_DENY_READ, devices[i]))
			r = lp_floor_add(plan, devices[i], LP_DEVICE_RIGHTS, NULL);
	if (r == 0 && input->terminal)
		r = lp_floor_add(plan, input->terminal, LP_DEVICE_RIGHTS, NULL);
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
		r = lp_floor_add(plan, "/dev/pts", LP_DEVICE_RIGHTS | LP_FS_READ_DIR, NULL);
	if (r == 0)
		r = lp_floor_add(plan, "/dev/ptmx", LP_DEVICE_RIGHTS, NULL);
	return r;
}

static int add_grants(const struct lp_plan_input *input, struct lp_plan *plan)
{
	struct lp_carving carving LP_CLEANUP(lp_carving_clear) = {0};
	int r = lp_carving_init(&carving, input->policy, plan, lp_plan_has_edge(input));

	if (r == 0)
		r = add_rules(input->policy, plan, &carving);
	if (r == 0)
		r = add_own(input, plan);
	if (r == 0)
		r = add_terminals(input->policy, plan);
	if (r == 0)
		r = lp_carving_finish(&carving);
	if (carving.edge)
		plan->filter |= LP_FILTER_EDGE;
	if (carving.reads)
		plan->filter |= LP_FILTER_READS;
	else if (carving.lists)
		plan->filter |= LP_FILTER_LISTS;
	tidy(plan);
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
	lp_autofree char *head = lp_pattern_head(pattern);

	for (size_t i = 0; head && i < plan->floor_count; i++)
		if ((plan->floor[i].access & right) &&
			(lp_path_is_under(head, plan->floor[i].path) ||
				lp_path_is_under(plan->floor[i].path, head)))
			return &plan->floor[i];
	return NULL;
}

/* Whether rules alone have to hold a deny, since neither carving nor anything else does. */
static bool is_for_rules(const struct lp_policy *policy, const struct lp_rule *rule, bool edge)
{
	enum lp_access access = rule->kind == LP_RULE_DENY_READ ? LP_ACCESS_READ : LP_ACCESS_WRITE;

	if (rule->kind >= LP_RULE_ALLOW_READ && (rule->is_pattern || !rule->exists))
		return false;
	if (edge && (lp_carve_takes(rule, access) ||
			    (access == LP_ACCESS_READ && lp_carve_is_open(rule->path))))
		return false;
	return rule->is_pattern || !lp_policy_may(policy, rule->path, access).allowed;
}

/*
 * A deny that stands inside a granted tree is what rules alone cannot say. The first of each kind
 * is told; the others are the same gap.
 */
static int add_carving_gaps(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	bool told_read = false, told_write = false, edge = lp_plan_has_edge(input);
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		bool read = rule->kind == LP_RULE_DENY_READ;
		uint64_t right = read ? LP_FS_READ_FILE : LP_FS_WRITE_FILE;
		const struct lp_floor *tree;

		/* what is re-opened for reading only must not be writable by a tree above either */
		if ((read ? told_read : told_write) || !is_for_rules(policy, rule, edge))
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

/* What Landlock of this age lacks for files. */
static int add_file_gaps(const struct lp_plan_input *input, struct lp_plan *plan)
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
	return r;
}

/* A scope, whatever is said of files. */
static int add_signals_gap(const struct lp_plan_input *input, struct lp_plan *plan)
{
	int abi = input->abilities->landlock_abi;

	if (abi >= 6)
		return 0;
	return lp_gap_add(plan, input->policy, LP_GAP_SIGNALS,
		"Landlock of this kernel (ABI %d) does not hold back signals to your other "
		"programs; Linux 6.12 or bubblewrap is needed",
		abi);
}

/*
 * chmod, chown, utimes and xattrs pass Landlock. Where nothing needs them (no writable tree) the
 * filter refuses them; elsewhere that would break git, tar and npm, so that the supervisor decides,
 * or else the gap is listed.
 */
static int add_metadata(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;

	if (!lp_plan_has_writable(policy))
		return 0;
	if (!policy->files_disabled && lp_plan_has_edge(input)) {
		plan->filter |= LP_FILTER_EDGE;
		return 0;
	}
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
			"this kernel has no Landlock that works; Linux 5.13 with "
			"CONFIG_SECURITY_LANDLOCK and "
			"'landlock' in lsm=, or bubblewrap, is needed");
	plan->handled = lp_landlock_known(input->abilities->landlock_abi);
	if (policy->network == LP_NETWORK_OPEN)
		plan->handled.handled_net = 0;
	if (policy->unix_sockets) {
		plan->handled.handled_fs &= ~LP_FS_RESOLVE_UNIX;
		plan->handled.scoped &= ~LP_SCOPE_ABSTRACT_UNIX;
	}
	r = add_signals_gap(input, plan);
	if (policy->files_disabled) {
		plan->handled.handled_fs = 0;
		return r < 0 ? r : add_metadata(input, plan);
	}
	if (r == 0)
		r = add_file_gaps(input, plan);
	if (r == 0)
		r = add_grants(input, plan);
	if (r == 0)
		r = add_carving_gaps(input, plan);
	if (r == 0)
		r = add_metadata(input, plan);
	if (r == 0 && plan->filter & LP_FILTER_EDGE)
		r = lp_plan_spares(input, plan);
	tidy(plan);
	return r;
}
