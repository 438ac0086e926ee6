/*
 * The plan's memory, the choice of the back end and the sentence of a refusal.
 *
 * Runs in the launcher before the fork. Deterministic: the same policy, abilities and tree on disk
 * give the same plan. Must not open anything for writing, nor change the process.
 */
#include "plan/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const gap_names[] = {LP_GAP_PROTECTED, LP_GAP_READ, LP_GAP_METADATA,
	LP_GAP_TERMINALS, LP_GAP_SIGNALS, LP_GAP_TRUNCATE, LP_GAP_REFER, LP_GAP_LATE, LP_GAP_FOLDED,
	LP_GAP_LANDLOCK, LP_GAP_BWRAP, LP_GAP_SECCOMP, LP_GAP_GATE, NULL};

const char *const *lp_plan_gap_names(void)
{
	return gap_names;
}

/* Without these there is no pen at all: nobody can accept that. */
static bool is_fatal(const char *name)
{
	return !strcmp(name, LP_GAP_LANDLOCK) || !strcmp(name, LP_GAP_BWRAP) ||
	       !strcmp(name, LP_GAP_SECCOMP) || !strcmp(name, LP_GAP_GATE);
}

int lp_gap_add(struct lp_plan *plan, const struct lp_policy *policy, const char *name,
	const char *format, ...)
{
	struct lp_gap *grown = realloc(plan->gaps, (plan->gap_count + 1) * sizeof(*grown));
	char sentence[1024];
	va_list args;

	if (!grown)
		return -ENOMEM;
	plan->gaps = grown;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	grown += plan->gap_count;
	*grown = (struct lp_gap){name, strdup(sentence),
		!is_fatal(name) && (lp_strv_has(&policy->accepted, name) ||
					   lp_strv_has(&policy->accepted, "all"))};
	if (!grown->sentence)
		return -ENOMEM;
	plan->gap_count++;
	return 0;
}

static void clear_orders(struct lp_plan *plan)
{
	for (size_t i = 0; i < plan->gap_count; i++)
		free(plan->gaps[i].sentence);
	for (size_t i = 0; i < plan->floor_count; i++)
		free(plan->floor[i].path);
	for (size_t i = 0; i < plan->mount_count; i++) {
		free(plan->mounts[i].source);
		free(plan->mounts[i].target);
	}
	free(plan->gaps);
	free(plan->floor);
	free(plan->mounts);
	free(plan->bwrap);
	free(plan->exclude);
	free(plan->spares);
	lp_strv_clear(&plan->notices);
	lp_strv_clear(&plan->stubs);
	lp_strv_clear(&plan->file_stubs);
	lp_strv_clear(&plan->carved);
}

void lp_plan_free(struct lp_plan *plan)
{
	if (!plan)
		return;
	clear_orders(plan);
	lp_strv_clear(&plan->environment);
	free(plan->cwd);
	free(plan->tmpdir);
	free(plan->project);
	free(plan);
}

void lp_plan_freep(struct lp_plan **plan)
{
	lp_plan_free(*plan);
	*plan = NULL;
}

static bool holds(const struct lp_plan *plan)
{
	for (size_t i = 0; i < plan->gap_count; i++)
		if (!plan->gaps[i].accepted)
			return false;
	return true;
}

static unsigned filter_bits(const struct lp_policy *policy, const struct lp_abilities *abilities)
{
	unsigned bits = 0;

	if (policy->network == LP_NETWORK_OPEN)
		bits |= LP_FILTER_INET;
	if (policy->network == LP_NETWORK_NAMES)
		bits |= abilities->pidfd_getfd ? LP_FILTER_GATE
					       : LP_FILTER_GATE | LP_FILTER_SOCKETS;
	if (policy->unix_sockets)
		bits |= LP_FILTER_UNIX;
	if (policy->ptrace)
		bits |= LP_FILTER_PTRACE;
	if (policy->namespaces)
		bits |= LP_FILTER_NAMESPACES;
	return bits;
}

bool lp_plan_has_writable(const struct lp_policy *policy)
{
	if (policy->files_disabled)
		return true;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->kind == LP_RULE_ALLOW_WRITE && (rule->is_dir || rule->is_pattern) &&
			!lp_path_is_under(rule->path, "/dev") &&
			lp_policy_may(policy, rule->path, LP_ACCESS_WRITE).allowed)
			return true;
	}
	return false;
}

static int check_accepted(const struct lp_policy *policy, struct lp_err *err)
{
	lp_strv_foreach (name, &policy->accepted) {
		const char *near;
		size_t count = LP_ARRAY_SIZE(gap_names) - 1, i;

		for (i = 0; i < count && strcmp(gap_names[i], name); i++)
			;
		if ((i < count && !is_fatal(name)) || !strcmp(name, "all"))
			continue;
		if (i < count)
			return lp_fail(err, EINVAL,
				"the gap '%s' cannot be accepted: without it there is no pen",
				name);
		near = lp_nearest(name, gap_names, count);
		return lp_fail(err, EINVAL,
			"no gap is called '%s'%s%s%s; `landpen run --help` lists them", name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
	}
	return 0;
}

/* Where the command starts: where landpen was called, if that can be seen inside. */
static const char *first_visible(const struct lp_policy *policy)
{
	if (lp_policy_may(policy, policy->cwd, LP_ACCESS_READ).allowed)
		return policy->cwd;
	if (policy->project && lp_policy_may(policy, policy->project, LP_ACCESS_READ).allowed)
		return policy->project;
	return "/";
}

static int add_base(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;

	plan->filter = filter_bits(policy, input->abilities);
	plan->limits = policy->limits;
	plan->drop_capabilities = true;
	plan->cwd = strdup(first_visible(policy));
	plan->project = strdup(policy->project ? policy->project : policy->cwd);
	plan->tmpdir = strdup(input->tmpdir);
	if (!plan->cwd || !plan->project || !plan->tmpdir)
		return -ENOMEM;
	return lp_plan_environment(input, plan);
}

/*
 * bubblewrap's user namespace belongs to the caller, who may read what is in it whatever Yama says
 * below 3; as root, or setuid, bubblewrap makes none.
 */
static bool may_read_memory(const struct lp_abilities *abilities, enum lp_backend backend)
{
	return abilities->memory || (backend == LP_BACKEND_BWRAP && abilities->yama_scope == 2 &&
					    !abilities->root && !abilities->bwrap_setuid);
}

bool lp_plan_has_edge(const struct lp_plan_input *input)
{
	return input->abilities->seccomp_notify &&
	       may_read_memory(input->abilities, LP_BACKEND_LANDLOCK);
}

/* What the gate needs: notifications, and to read the memory of the command's processes. */
static int add_gate_gaps(
	const struct lp_plan_input *input, enum lp_backend backend, struct lp_plan *plan)
{
	const struct lp_abilities *abilities = input->abilities;

	if (input->policy->network != LP_NETWORK_NAMES)
		return 0;
	if (abilities->listener_above)
		return lp_gap_add(plan, input->policy, LP_GAP_GATE,
			"another program above landpen listens to system calls already, and the "
			"kernel allows one only, so host names cannot be held: start landpen "
			"outside of it, or use --network none or open");
	if (!abilities->seccomp_notify)
		return lp_gap_add(plan, input->policy, LP_GAP_GATE,
			"host names cannot be held: there are no seccomp notifications that give "
			"descriptors (Linux 5.9), or a container refuses them or openat2(2); use "
			"--network none or open");
	if (may_read_memory(abilities, backend))
		return 0;
	if (abilities->yama_scope > 1)
		return lp_gap_add(plan, input->policy, LP_GAP_GATE,
			"kernel.yama.ptrace_scope is %d: the gate may not read the addresses that "
			"programs connect to; set it to 1, or use --network none or open",
			abilities->yama_scope);
	return lp_gap_add(plan, input->policy, LP_GAP_GATE,
		"landpen may not read the memory of its own children here, so the gate cannot see "
		"what programs connect to: allow process_vm_readv(2) (in a container's seccomp "
		"profile), or use --network none or open");
}

static int plan_for(
	const struct lp_plan_input *input, enum lp_backend backend, struct lp_plan *plan)
{
	int r = 0;

	plan->backend = backend;
	if (!input->abilities->seccomp_filter)
		r = lp_gap_add(plan, input->policy, LP_GAP_SECCOMP,
			"this kernel has no seccomp filters, or a container refuses seccomp(2); "
			"landpen needs CONFIG_SECCOMP_FILTER");
	if (r == 0)
		r = add_gate_gaps(input, backend, plan);
	if (r == 0 && !input->policy->files_disabled)
		r = lp_plan_folding(input, plan);
	if (r < 0)
		return r;
	return backend == LP_BACKEND_LANDLOCK ? lp_plan_floor(input, plan)
					      : lp_plan_mounts(input, plan);
}

/* What the native back end's floor asks of the filter. */
#define FILE_BITS \
	((unsigned)(LP_FILTER_METADATA | LP_FILTER_EDGE | LP_FILTER_READS | LP_FILTER_LISTS))

static void forget_orders(struct lp_plan *plan)
{
	struct lp_plan kept = *plan;

	clear_orders(plan);
	*plan = (struct lp_plan){.filter = kept.filter & ~FILE_BITS,
		.limits = kept.limits,
		.environment = kept.environment,
		.cwd = kept.cwd,
		.tmpdir = kept.tmpdir,
		.project = kept.project,
		.drop_capabilities = kept.drop_capabilities};
}

int lp_plan_make(const struct lp_plan_input *input, struct lp_plan **ret_plan, struct lp_err *err)
{
	LP_CLEANUP(lp_plan_freep) struct lp_plan *plan = calloc(1, sizeof(*plan));
	int r = plan ? 0 : -ENOMEM;

	if (r == 0)
		r = check_accepted(input->policy, err);
	if (r == -EINVAL)
		return r;
	if (r == 0)
		r = add_base(input, plan);
	if (r == 0 && input->wish != LP_BACKEND_WISH_BWRAP)
		r = plan_for(input, LP_BACKEND_LANDLOCK, plan);
	if (r == 0 && (input->wish == LP_BACKEND_WISH_BWRAP ||
			      (input->wish == LP_BACKEND_WISH_AUTO && plan->gap_count))) {
		forget_orders(plan);
		r = plan_for(input, LP_BACKEND_BWRAP, plan);
	}
	if (r < 0)
		return lp_fail(err, -r, "making the plan: %m");
	if (!holds(plan))
		plan->backend = LP_BACKEND_REFUSE;
	*ret_plan = LP_TAKE(plan);
	return 0;
}

void lp_plan_refusal(const struct lp_plan *plan, struct lp_err *err)
{
	struct lp_str names LP_CLEANUP(lp_str_clear) = {0};
	const struct lp_gap *first = NULL;

	for (size_t i = 0; i < plan->gap_count; i++) {
		const struct lp_gap *gap = &plan->gaps[i];

		if (gap->accepted)
			continue;
		if (!first || (is_fatal(gap->name) && !is_fatal(first->name)))
			first = gap;
		lp_str_addf(&names, "%s%s", names.len ? ", " : "", gap->name);
	}
	lp_fail(err, EPERM, "%s (not held: %s)", first ? first->sentence : "nothing to refuse",
		names.text ? names.text : "");
}
