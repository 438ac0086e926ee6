/*
 * Carving: which trees Landlock may grant whole, and what of the others.
 *
 * A right that is granted flows down and is never taken back. So a folder that is allowed but holds
 * something denied is carved: its children that exist get what they may have, and the folder itself
 * nothing, so that new names in it and the denied ones stay closed natively. What is allowed there
 * all the same, the broker does. Too little granted is slow; too much would be a hole.
 *
 * Runs in the launcher before the fork, with the user's rights; the tree may be hostile, so no
 * symlink is followed and the work is bounded.
 */
#include "plan/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRIES_OF_ONE 4096
#define MAX_ENTRIES        16384

static bool is_device(const char *path)
{
	return lp_path_is_under(path, "/dev") && !lp_path_is_under(path, "/dev/shm");
}

bool lp_carve_is_special(const char *path)
{
	return is_device(path) || lp_path_is_under(path, "/proc") || lp_path_is_under(path, "/sys");
}

bool lp_carve_is_open(const char *path)
{
	/* /dev itself holds /dev/shm, which is as good as any other folder */
	return (is_device(path) && strcmp(path, "/dev") != 0) || lp_path_is_under(path, "/proc");
}

char *lp_pattern_head(const char *pattern)
{
	char *head = strndup(pattern, strcspn(pattern, "*?["));
	char *slash = head ? strrchr(head, '/') : NULL;

	if (slash)
		slash[slash == head] = '\0';
	return head;
}

bool lp_carve_takes(const struct lp_rule *rule, enum lp_access access)
{
	lp_autofree char *head = NULL;

	if (!rule->is_pattern)
		return !lp_carve_is_special(rule->path) || !strcmp(rule->path, "/proc") ||
		       !strcmp(rule->path, "/sys") || !strcmp(rule->path, "/dev");
	head = lp_pattern_head(rule->path);
	/* no program would start if opening its libraries had to be asked for */
	return head && !lp_carve_is_special(head) &&
	       (access == LP_ACCESS_WRITE || !lp_glob_reaches(rule->path, "/usr"));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether a pattern of this kind can take the access away from what it matches. */
static bool can_deny(enum lp_rule_kind kind, enum lp_access access)
{
	return kind == LP_RULE_DENY_READ ||
	       (kind == LP_RULE_DENY_WRITE && access == LP_ACCESS_WRITE);
}

static int fill_side(const struct lp_policy *policy, struct lp_carve_side *side)
{
	side->denied = calloc(policy->rule_count + 1, sizeof(*side->denied));
	side->patterns = calloc(policy->rule_count + 1, sizeof(*side->patterns));
	if (!side->denied || !side->patterns)
		return -ENOMEM;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (!lp_carve_takes(rule, side->access))
			continue;
		if (rule->is_pattern && can_deny(rule->kind, side->access))
			side->patterns[side->pattern_count++] = rule->path;
		else if (!rule->is_pattern &&
			 !lp_policy_may(policy, rule->path, side->access).allowed)
			side->denied[side->denied_count++] = rule->path;
	}
	qsort(side->denied, side->denied_count, sizeof(*side->denied), by_text);
	return 0;
}

int lp_carving_init(
	struct lp_carving *carving, const struct lp_policy *policy, struct lp_plan *plan, bool edge)
{
	int r = 0;

	*carving = (struct lp_carving){.policy = policy,
		.plan = plan,
		.read = {.access = LP_ACCESS_READ},
		.write = {.access = LP_ACCESS_WRITE}};
	if (edge)
		r = fill_side(policy, &carving->read);
	return r == 0 && edge ? fill_side(policy, &carving->write) : r;
}

static void side_clear(struct lp_carve_side *side)
{
	free(side->denied);
	free(side->patterns);
	lp_strv_clear(&side->carved);
}

void lp_carving_clear(struct lp_carving *carving)
{
	side_clear(&carving->read);
	side_clear(&carving->write);
}

/* Whether a denied name stands strictly below dir. */
static bool holds_name(const struct lp_carve_side *side, const char *dir)
{
	size_t len = strcmp(dir, "/") ? strlen(dir) : 0, low = 0, high = side->denied_count;

	/* the first name that is not before dir + "/" */
	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *name = side->denied[middle];
		int order = strncmp(name, dir, len);

		if (order < 0 || (order == 0 && (unsigned char)name[len] < '/'))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < side->denied_count; low++) {
		const char *name = side->denied[low];

		if (strncmp(name, dir, len) != 0 || name[len] != '/')
			return false;
		if (name[len + 1])
			return true; /* and not "/" itself */
	}
	return false;
}

/* Whether something below dir can match a denying pattern. */
static bool holds_match(const struct lp_carve_side *side, const char *dir)
{
	if (side->access == LP_ACCESS_READ && lp_carve_is_open(dir))
		return false;
	for (size_t i = 0; i < side->pattern_count; i++)
		if (lp_glob_reaches(side->patterns[i], dir))
			return true;
	return false;
}

/*
 * Whether the children can be granted what the folder cannot: below its head a pattern may match at
 * any depth, and only programs are looked for there.
 */
static bool is_worth_listing(const struct lp_carve_side *side, const char *dir)
{
	if (holds_name(side, dir))
		return true;
	for (size_t i = 0; i < side->pattern_count; i++) {
		lp_autofree char *head = lp_pattern_head(side->patterns[i]);

		if (head && lp_path_is_under(head, dir))
			return true;
	}
	return false;
}

static int grant(struct lp_carving *carving, const struct lp_carve_side *side, const char *path,
	unsigned char type, const struct lp_rule *rule)
{
	uint64_t rights = side->access == LP_ACCESS_READ ? LP_READ_RIGHTS
			  : is_device(path)              ? LP_DEVICE_RIGHTS
							 : LP_WRITE_RIGHTS;

	if (type != DT_DIR && type != DT_UNKNOWN)
		rights &= LP_FS_FILE_RIGHTS;
	return lp_floor_add(carving->plan, path, rights, rule);
}

static int leave_out(struct lp_carving *carving, const struct lp_carve_side *side, const char *dir)
{
	carving->reads |= side->access == LP_ACCESS_READ;
	return lp_strv_addf(&carving->plan->notices,
		"%s: here and maybe elsewhere there are more names than are looked at at the "
		"start; what was not works, but slower, and programs in hidden folders do not",
		dir);
}

static unsigned char type_of(int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_LNK;
	return IFTODT(st.st_mode);
}

static int carve(struct lp_carving *carving, struct lp_carve_side *side, const char *path,
	unsigned char type, const struct lp_rule *rule);

/* A folder that is being listed. */
struct folder {
	const char *path;
	int fd;
	const struct lp_rule *rule;
	bool for_programs; /* of single files, only what can be executed is granted */
};

static bool is_program(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mode & 0111;
}

/*
 * Whether a file is worth a rule of its own: for reading, as nobody can execute a file on the
 * command's behalf. Opening it for writing is notified anyway, and a rule on it would open its
 * other names as well, and not the file that an editor puts in its place.
 */
static bool is_worth_rule(
	const struct lp_carve_side *side, const struct folder *folder, const char *name)
{
	return side->access == LP_ACCESS_READ &&
	       (!folder->for_programs || is_program(folder->fd, name));
}

static int carve_child(struct lp_carving *carving, struct lp_carve_side *side,
	const struct folder *folder, const struct dirent *entry)
{
	unsigned char type = type_of(folder->fd, entry);
	lp_autofree char *path = NULL;

	if (type == DT_LNK || (type == DT_REG && !is_worth_rule(side, folder, entry->d_name)))
		return 0;
	path = lp_path_join(folder->path, entry->d_name);
	return path ? carve(carving, side, path, type, folder->rule) : -ENOMEM;
}

static int carve_children(
	struct lp_carving *carving, struct lp_carve_side *side, struct folder *folder)
{
	unsigned *total = folder->for_programs ? &carving->program_entries : &carving->entries;
	const struct dirent *entry;
	unsigned entries = 0;
	DIR *stream;
	int r = 0;

	folder->fd =
		lp_open_no_symlinks(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	stream = folder->fd < 0 ? NULL : fdopendir(folder->fd);
	if (!stream && folder->fd >= 0)
		close(folder->fd);
	while (stream && r >= 0 && (entry = readdir(stream))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (++entries > MAX_ENTRIES_OF_ONE || ++*total > MAX_ENTRIES) {
			r = leave_out(carving, side, folder->path);
			break;
		}
		r = carve_child(carving, side, folder, entry);
	}
	if (stream)
		closedir(stream);
	return r < 0 ? r : 0;
}

/* Grants path as far as it can be. 1 if all of it was; 0; -errno. */
static int carve(struct lp_carving *carving, struct lp_carve_side *side, const char *path,
	unsigned char type, const struct lp_rule *rule)
{
	struct folder folder = {.path = path, .rule = rule};
	bool matches = holds_match(side, path);
	int r;

	if (!lp_policy_may(carving->policy, path, side->access).allowed)
		return 0;
	if ((type != DT_DIR && type != DT_UNKNOWN) || (!matches && !holds_name(side, path))) {
		r = grant(carving, side, path, type, rule);
		return r < 0 ? r : 1;
	}
	carving->edge = true;
	if (side->access == LP_ACCESS_READ) {
		/* names that are to come here are opened by the broker, and those left out below */
		carving->lists = true;
		carving->reads |=
			matches || lp_policy_may(carving->policy, path, LP_ACCESS_WRITE).allowed;
	}
	if (!is_worth_listing(side, path)) {
		folder.for_programs = true;
		return side->access == LP_ACCESS_READ ? carve_children(carving, side, &folder) : 0;
	}
	if (lp_strv_has(&side->carved, path))
		return 0;
	r = lp_strv_add(&side->carved, path);
	return r == 0 ? carve_children(carving, side, &folder) : r;
}

int lp_carving_grant(struct lp_carving *carving, const char *path, const struct lp_rule *rule)
{
	/* a single file has nothing below it that could be denied */
	unsigned char type = !rule || rule->is_dir || rule->is_pattern ? DT_UNKNOWN : DT_REG;
	int r = 0;

	if (rule && rule->kind == LP_RULE_ALLOW_WRITE)
		r = carve(carving, &carving->write, path, type, rule);
	if (r == 0)
		r = carve(carving, &carving->read, path, type, rule);
	return r < 0 ? r : 0;
}

int lp_carving_finish(struct lp_carving *carving)
{
	struct lp_plan *plan = carving->plan;
	int r = 0;

	lp_strv_foreach (path, &carving->read.carved)
		if (r == 0)
			r = lp_strv_add(&plan->carved, path);
	lp_strv_foreach (path, &carving->write.carved)
		if (r == 0 && !lp_strv_has(&plan->carved, path))
			r = lp_strv_add(&plan->carved, path);
	if (plan->carved.count)
		qsort(plan->carved.items, plan->carved.count, sizeof(*plan->carved.items), by_text);
	return r;
}
