/*
 * bubblewrap's part of the plan: the same policy as a list of mounts, parents before children.
 *
 * Every path that a rule names is a point with a state (hidden, read-only, writable), asked from
 * the policy's decider. A point whose state differs from that of the mount it lies in becomes a
 * mount of its own. A protected name cannot be replaced because it is a mount point, and neither
 * can the folders above it, which are pinned by a mount of themselves.
 *
 * Runs in the launcher before the fork; looks at the tree, changes nothing. An absent protected
 * name in a writable folder needs a folder to mount on (a stub): the plan only lists it.
 */
#include "plan/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum state {
	STATE_HIDDEN = 0,
	STATE_READ,
	STATE_WRITE,
};

struct point {
	char *path;
	const struct lp_rule *rule; /* NULL: a pin, or landpen's own */
	bool exists, is_dir, pinned;
	bool own; /* landpen's: writable whatever the policy says */
};

struct points {
	const struct lp_policy *policy;
	struct point *items;
	size_t count;
};

static void points_clear(struct points *points)
{
	for (size_t i = 0; i < points->count; i++)
		free(points->items[i].path);
	free(points->items);
}

static int points_add(struct points *points, const struct point *point)
{
	struct point *grown = points->items;

	if ((points->count & (points->count - 1)) == 0)
		grown = realloc(grown, (points->count ? 2 * points->count : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	points->items = grown;
	grown[points->count] = *point;
	grown[points->count].path = strdup(point->path);
	return grown[points->count++].path ? 0 : -ENOMEM;
}

static enum state state_of(const struct lp_policy *policy, const char *path)
{
	if (lp_policy_may(policy, path, LP_ACCESS_WRITE).allowed)
		return STATE_WRITE;
	return lp_policy_may(policy, path, LP_ACCESS_READ).allowed ? STATE_READ : STATE_HIDDEN;
}

static int points_from_pattern(struct points *points, const struct lp_rule *rule)
{
	struct lp_strv paths LP_CLEANUP(lp_strv_clear) = {0};
	int r = lp_pattern_expand(rule->path, &paths);

	for (size_t i = 0; r == 0 && i < paths.count; i++) {
		struct point point = {.path = paths.items[i], .rule = rule};
		struct stat st;

		if (lstat(point.path, &st) < 0 || S_ISLNK(st.st_mode))
			continue;
		point.exists = true;
		point.is_dir = S_ISDIR(st.st_mode);
		r = points_add(points, &point);
	}
	return r;
}

static int points_from_rules(struct points *points)
{
	const struct lp_policy *policy = points->policy;
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->is_pattern) {
			r = points_from_pattern(points, rule);
		} else {
			struct point point = {.path = rule->path,
				.rule = rule,
				.exists = rule->exists,
				.is_dir = rule->is_dir};

			r = points_add(points, &point);
		}
	}
	return r;
}

/* The folders between the writable tree and a protected name in it: each becomes a mount point. */
static int add_pins(struct points *points, const char *path)
{
	lp_autofree char *dir = lp_path_parent(path);
	int r = dir ? 0 : -ENOMEM;

	while (r == 0 && strcmp(dir, "/")) {
		struct point pin = {.path = dir, .exists = true, .is_dir = true, .pinned = true};
		char *above = lp_path_parent(dir);
		struct stat st;

		if (!above)
			return -ENOMEM;
		if (state_of(points->policy, above) != STATE_WRITE) {
			free(above);
			break;
		}
		if (lstat(dir, &st) == 0)
			r = points_add(points, &pin);
		free(dir);
		dir = above;
	}
	return r;
}

static int pin_protected(struct points *points)
{
	size_t count = points->count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		lp_autofree char *path = strdup(points->items[i].path);
		lp_autofree char *dir = path ? lp_path_parent(path) : NULL;

		if (!dir)
			return -ENOMEM;
		if (state_of(points->policy, path) != STATE_WRITE &&
			state_of(points->policy, dir) == STATE_WRITE)
			r = add_pins(points, path);
	}
	return r;
}

static int by_path(const void *a, const void *b)
{
	const struct point *one = a, *two = b;
	int order = strcmp(one->path, two->path);

	/* Of equal paths, one that exists and is not a mere pin comes first. */
	if (order == 0)
		order = (int)two->exists - (int)one->exists;
	return order ? order : (int)one->pinned - (int)two->pinned;
}

static int add_mount(
	struct lp_plan *plan, enum lp_mount_kind kind, const char *source, const char *target)
{
	struct lp_mount *grown = plan->mounts;

	if ((plan->mount_count & (plan->mount_count - 1)) == 0)
		grown = realloc(
			grown, (plan->mount_count ? 2 * plan->mount_count : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->mounts = grown;
	grown += plan->mount_count;
	*grown = (struct lp_mount){kind, source ? strdup(source) : NULL, strdup(target)};
	plan->mount_count++;
	return grown->target && (!source || grown->source) ? 0 : -ENOMEM;
}

/* The mounts emitted so far that hold the present point, outermost first. */
struct stack {
	const char *path[256];
	enum state state[256];
	size_t depth;
};

static enum state enclosing(struct stack *stack, const char *path)
{
	while (stack->depth > 1 && !lp_path_is_under(path, stack->path[stack->depth - 1]))
		stack->depth--;
	return stack->state[stack->depth - 1];
}

/* A mount that is not remembered would let what lies in it pass for its outer state. */
static int push(struct stack *stack, const char *path, enum state state)
{
	if (stack->depth == LP_ARRAY_SIZE(stack->path))
		return -E2BIG;
	stack->path[stack->depth] = path;
	stack->state[stack->depth++] = state;
	return 0;
}

const char *lp_stub_content(const char *path)
{
	const char *name = lp_path_name(path), *dot = strrchr(name, '.');

	if (!strcmp(name, "commondir"))
		return ".\n"; /* git: the common directory is this one */
	return dot && !strcmp(dot, ".json") ? "{}\n" : "";
}

static bool is_file_name(const char *path, const char *project)
{
	const char *name = lp_path_name(path);

	if (!strcmp(name, "commondir") || !strcmp(name, "config.worktree"))
		return true;
	return !lp_path_is_under(path, project) && (strchr(name + 1, '.') || !strcmp(name, ".env"));
}

/* The folders above a stub that were only made for it, the first of them first. */
static int adopt_above(struct lp_plan *plan, const char *stub)
{
	lp_autofree char *above = lp_path_parent(stub);
	struct stat st;
	int r;

	if (!above)
		return -ENOMEM;
	if (!strcmp(above, plan->project) || lstat(above, &st) < 0 || !S_ISDIR(st.st_mode) ||
		(st.st_mode & 07777) != LP_STUB_ABOVE_MODE || lp_strv_has(&plan->stubs, above))
		return 0;
	r = adopt_above(plan, above);
	return r < 0 ? r : lp_strv_add(&plan->stubs, above);
}

/* What another run made for this purpose: the last pen that stands on it removes it. */
static int adopt_stub(
	struct lp_plan *plan, const struct point *point, mode_t type, enum state outer)
{
	struct lp_strv *list = NULL;
	mode_t mode = type & 07777;
	int r;

	if (outer != STATE_WRITE || (point->rule && point->rule->kind >= LP_RULE_ALLOW_READ))
		return 0;
	if (S_ISDIR(type) && (mode == LP_STUB_MODE || mode == LP_STUB_ABOVE_MODE))
		list = &plan->stubs;
	if (S_ISREG(type) && mode == LP_FILE_STUB_MODE && is_file_name(point->path, plan->project))
		list = &plan->file_stubs;
	if (!list || lp_strv_has(list, point->path))
		return 0;
	r = adopt_above(plan, point->path);
	return r < 0 ? r : lp_strv_add(list, point->path);
}

static bool has_gap(const struct lp_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->gap_count; i++)
		if (!strcmp(plan->gaps[i].name, name))
			return true;
	return false;
}

/*
 * Where the user cannot write there is no stub. On a file system that is read-only, and in another
 * one's directory, nobody can make the name either; in his own he can, after a chmod(2).
 */
static int add_unstubbed(
	struct lp_plan *plan, const struct lp_policy *policy, const char *dir, const char *path)
{
	struct stat st;

	if (errno != EACCES || lstat(dir, &st) < 0 || st.st_uid != geteuid() ||
		has_gap(plan, LP_GAP_PROTECTED))
		return 0;
	return lp_gap_add(plan, policy, LP_GAP_PROTECTED,
		"%s is not writable, so bubblewrap cannot keep %s from being made there after a "
		"chmod; make it writable, or use --backend landlock",
		dir, path);
}

/* An absent name: nothing to do where nobody can create it, else a stub for each missing folder. */
static int add_absent(struct lp_plan *plan, const struct lp_policy *policy,
	const struct point *point, enum state outer)
{
	struct lp_strv missing LP_CLEANUP(lp_strv_clear) = {0};
	lp_autofree char *path = strdup(point->path);
	struct stat st;
	int r = path ? 0 : -ENOMEM;

	if (r < 0 || outer != STATE_WRITE || !point->rule ||
		point->rule->kind >= LP_RULE_ALLOW_READ)
		return r;
	/*
	 * The name itself may have been made since the settings were read, and so may folders above
	 * it, by another pen in this project: they are held all the same.
	 */
	while (r == 0 && strcmp(path, "/") &&
		(!missing.count || lstat(path, &st) < 0 ||
			(st.st_mode & 07777) == LP_STUB_ABOVE_MODE)) {
		char *above = lp_path_parent(path);

		r = above ? lp_strv_add(&missing, path) : -ENOMEM;
		free(path);
		path = above;
	}
	if (r == 0 && missing.count && access(path, W_OK) < 0)
		return add_unstubbed(plan, policy, path, point->path);
	for (size_t i = missing.count; r == 0 && i-- > 0;) {
		bool is_file = !i && is_file_name(missing.items[i], plan->project);
		struct lp_strv *list = is_file ? &plan->file_stubs : &plan->stubs;

		if (lp_strv_has(list, missing.items[i]))
			continue;
		r = lp_strv_add(list, missing.items[i]);
		/* the folders above the protected one are only pinned */
		if (r == 0)
			r = add_mount(plan, i ? LP_MOUNT_RW : LP_MOUNT_RO, NULL, missing.items[i]);
	}
	return r;
}

static int add_point(
	struct lp_plan *plan, struct points *points, const struct point *point, struct stack *stack)
{
	enum state outer = enclosing(stack, point->path);
	enum state state = point->own ? STATE_WRITE : state_of(points->policy, point->path);
	enum lp_mount_kind kind = state == STATE_WRITE ? LP_MOUNT_RW : LP_MOUNT_RO;
	struct stat st = {0};
	bool gone;
	int r;

	if (!strcmp(point->path, "/"))
		return 0;
	/* once: a stub of a run that ends now is made again, or is not there any more */
	gone = lstat(point->path, &st) < 0 && errno == ENOENT;
	if (!point->exists || (gone && !point->own))
		return add_absent(plan, points->policy, point, outer);
	if (!point->is_dir && S_ISLNK(st.st_mode))
		return outer == STATE_WRITE ? lp_gap_add(plan, points->policy, LP_GAP_PROTECTED,
						      "bubblewrap cannot keep the symlink %s from "
						      "being replaced; put what it names in its "
						      "place",
						      point->path)
					    : 0;
	if (adopt_stub(plan, point, st.st_mode, outer) < 0)
		return -ENOMEM;
	if (state == outer && !point->pinned)
		return 0;
	if (state == STATE_HIDDEN)
		kind = point->is_dir ? LP_MOUNT_HIDE : LP_MOUNT_MASK;
	r = push(stack, point->path, state);
	return r < 0 ? r : add_mount(plan, kind, NULL, point->path);
}

/* /proc is new and /dev is minimal, whatever rules say; of /dev only named devices are added. */
static bool is_special(const char *path)
{
	return lp_path_is_under(path, "/proc") || lp_path_is_under(path, "/dev");
}

static int add_devices(struct lp_plan *plan, const struct points *points, const char *terminal)
{
	static const char *const own[] = {"/dev", "/dev/null", "/dev/zero", "/dev/full",
		"/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/shm", "/dev/pts",
		"/dev/console"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < points->count; i++) {
		const char *path = points->items[i].path;
		size_t j = 0;

		while (j < LP_ARRAY_SIZE(own) && strcmp(own[j], path))
			j++;
		if (j < LP_ARRAY_SIZE(own) || !lp_path_is_under(path, "/dev") ||
			lp_path_is_under(path, "/dev/pts") || !points->items[i].exists)
			continue;
		if (state_of(points->policy, path) == STATE_WRITE)
			r = add_mount(plan, LP_MOUNT_DEVICE, NULL, path);
	}
	/* ttyname(3) finds the caller's terminal there; its own name is not in the new /dev/pts */
	if (r == 0 && terminal)
		r = add_mount(plan, LP_MOUNT_DEVICE, terminal, "/dev/console");
	return r;
}

/* Symlinks on the way to what is allowed, where the folder they stand in was not carried over. */
static int add_links(struct lp_plan *plan, const struct lp_policy *policy)
{
	struct lp_strv done LP_CLEANUP(lp_strv_clear) = {0};
	int r = 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->kind < LP_RULE_ALLOW_READ)
			continue;
		for (size_t j = 0; r == 0 && j < rule->links.count; j++) {
			const struct lp_link *link = &rule->links.items[j];
			lp_autofree char *dir = lp_path_parent(link->place);

			if (!dir)
				return -ENOMEM;
			if (is_special(link->place) || lp_strv_has(&done, link->place) ||
				state_of(policy, dir) != STATE_HIDDEN)
				continue;
			r = lp_strv_add(&done, link->place);
			if (r == 0)
				r = add_mount(plan, LP_MOUNT_SYMLINK, link->target, link->place);
		}
	}
	return r;
}

static int add_bwrap_gaps(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_abilities *abilities = input->abilities;
	const struct lp_policy *policy = input->policy;

	if (abilities->bwrap == LP_PROBE_NO)
		return lp_gap_add(plan, policy, LP_GAP_BWRAP,
			"this policy needs bubblewrap, and it does not work here: %s; %s, or see "
			"`landpen policy --plan --backend landlock` for what would be open without "
			"it",
			abilities->bwrap_why, lp_bwrap_cure(abilities->bwrap_why));
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->is_pattern && rule->kind < LP_RULE_ALLOW_READ)
			return lp_gap_add(plan, policy, LP_GAP_LATE,
				"the pattern %s is expanded once: names created later are not "
				"covered; "
				"name the files, or accept that",
				rule->path);
	}
	return 0;
}

static int add_own_points(const struct lp_plan_input *input, struct points *points)
{
	const struct point tmp = {
		.path = (char *)input->tmpdir, .exists = true, .is_dir = true, .own = true};
	/* pinned: a folder of its own even where all around it is hidden, see LP_MOUNT_HIDE */
	struct point home = {.is_dir = true, .pinned = true};
	struct lp_links links LP_CLEANUP(lp_links_clear) = {0};
	int r = lp_path_resolve(input->policy->home, &home.path, &home.exists, &links);

	home.exists = true;
	if (r == 0)
		r = points_add(points, &tmp);
	if (r == 0 && state_of(input->policy, home.path) == STATE_HIDDEN)
		r = points_add(points, &home);
	free(home.path);
	return r;
}

/* root owns the kernel's switches, and needs no capability to write to them */
static int cover_proc(struct lp_plan *plan)
{
	static const char *const switches[] = {"/proc/acpi", "/proc/bus", "/proc/fs", "/proc/irq",
		"/proc/mtrr", "/proc/scsi", "/proc/sys", "/proc/sysrq-trigger"};
	struct stat st;
	int r = 0;

	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(switches); i++)
		if (lstat(switches[i], &st) == 0)
			r = add_mount(plan, LP_MOUNT_RO, NULL, switches[i]);
	return r;
}

/* Inside, git is told not to look at the stubs: `git stash -u` would try to remove them. */
static int add_exclude(struct lp_plan *plan)
{
	struct lp_str path LP_CLEANUP(lp_str_clear) = {0};
	struct stat st;

	if (!plan->stubs.count)
		return 0;
	if (lp_str_addf(&path, "%s/.git/info/exclude", plan->project) < 0)
		return -ENOMEM;
	if (lstat(path.text, &st) == 0 && S_ISREG(st.st_mode))
		plan->exclude = LP_TAKE(path.text);
	return 0;
}

int lp_plan_mounts(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	struct points points LP_CLEANUP(points_clear) = {.policy = policy};
	struct stack stack = {.path = {"/"}, .depth = 1};
	int r = add_bwrap_gaps(input, plan);

	plan->filter |= LP_FILTER_METADATA;
	plan->handled.scoped = lp_landlock_known(input->abilities->landlock_abi).scoped;
	if (policy->network == LP_NETWORK_NAMES) /* the gate connects and binds: nobody else does */
		plan->handled.handled_net =
			lp_landlock_known(input->abilities->landlock_abi).handled_net;
	if (policy->unix_sockets)
		plan->handled.scoped &= ~LP_SCOPE_ABSTRACT_UNIX;
	plan->bwrap = strdup(input->abilities->bwrap_path);
	if (!plan->bwrap)
		return -ENOMEM;
	stack.state[0] = policy->files_disabled ? STATE_WRITE : state_of(policy, "/");
	if (r == 0 && stack.state[0] != STATE_HIDDEN)
		r = add_mount(
			plan, stack.state[0] == STATE_WRITE ? LP_MOUNT_RW : LP_MOUNT_RO, NULL, "/");
	if (r == 0)
		r = add_mount(plan, LP_MOUNT_PROC, NULL, "/proc");
	if (r == 0 && input->abilities->root)
		r = cover_proc(plan);
	if (r == 0)
		r = add_mount(plan, LP_MOUNT_DEV, NULL, "/dev");
	if (r == 0 && !policy->files_disabled)
		r = points_from_rules(&points);
	if (r == 0)
		r = pin_protected(&points);
	if (r == 0)
		r = add_own_points(input, &points);
	if (r < 0)
		return r;
	qsort(points.items, points.count, sizeof(*points.items), by_path);
	for (size_t i = 0; r == 0 && i < points.count; i++) {
		if (is_special(points.items[i].path) ||
			(i && !strcmp(points.items[i].path, points.items[i - 1].path)))
			continue;
		r = add_point(plan, &points, &points.items[i], &stack);
	}
	if (r == 0)
		r = add_devices(plan, &points, input->terminal);
	if (r == 0)
		r = add_links(plan, policy);
	if (r == 0)
		r = add_exclude(plan);
	return r;
}
