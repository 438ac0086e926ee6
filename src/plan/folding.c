/*
 * Whether what is denied could be reached by another spelling: file systems, and directories of
 * some, that take upper and lower case for the same. Neither rules nor the broker would know such a
 * name.
 *
 * Runs in the launcher before the fork, with the user's rights; the tree may be hostile, so no
 * symlink is followed.
 */
#include "plan/parts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#ifndef FS_CASEFOLD_FL
#define FS_CASEFOLD_FL 0x40000000
#endif

/* File systems on which every directory does so; of others the directory's flag tells, or a try. */
static bool is_folding_type(uint32_t type)
{
	static const uint32_t types[] = {
		0x4d44,     /* vfat, msdos */
		0x2011bab0, /* exfat */
		0x5346544e, /* ntfs */
		0x7366746e, /* ntfs3 */
		0x4244,     /* hfs */
		0x482b,     /* hfsplus */
		0x517b,     /* smb */
		0xff534d42, /* cifs */
		0xfe534d42, /* smb2 */
	};

	for (size_t i = 0; i < LP_ARRAY_SIZE(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

static bool is_folding(const char *dir)
{
	lp_autoclose int fd =
		lp_open_no_symlinks(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	struct statfs st;
	int flags = 0;

	/* one that cannot be read has no flags for us, but a type */
	if (fd < 0)
		fd = lp_open_no_symlinks(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstatfs(fd, &st) == 0 && is_folding_type((uint32_t)st.f_type))
		return true;
	return fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_CASEFOLD_FL;
}

/* Whether the name at the end of path leads to the same file in the other case. */
static bool has_other_spelling(const char *path)
{
	lp_autofree char *other = strdup(path);
	struct stat one, two;
	char *name = other ? strrchr(other, '/') : NULL;

	for (; name && *name; name++)
		*name = (char)(isupper((unsigned char)*name) ? tolower((unsigned char)*name)
							     : toupper((unsigned char)*name));
	return other && strcmp(path, other) != 0 && lstat(path, &one) == 0 &&
	       lstat(other, &two) == 0 && one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

/* 1: told. What is above a directory that was seen already was looked at then. */
static int look_above(const struct lp_plan_input *input, struct lp_plan *plan, const char *denied,
	enum lp_access access, struct lp_strv *seen)
{
	lp_autofree char *path = strdup(denied);
	int r = path ? 0 : -ENOMEM;

	while (r == 0 && strcmp(path, "/") != 0) {
		char *dir = lp_path_parent(path);
		bool counts = dir && lp_policy_may(input->policy, dir, access).allowed;
		bool folds = counts && has_other_spelling(path);

		free(path);
		path = dir;
		if (!dir)
			return -ENOMEM;
		if (!counts || (!folds && lp_strv_has(seen, dir)))
			return 0;
		if (folds || is_folding(dir)) {
			r = lp_gap_add(plan, input->policy, LP_GAP_FOLDED,
				"%s takes upper and lower case for the same, so that %s could be "
				"reached by another spelling; move it to a directory that does "
				"not",
				dir, denied);
			return r < 0 ? r : 1;
		}
		r = lp_strv_add(seen, dir);
	}
	return r;
}

int lp_plan_folding(const struct lp_plan_input *input, struct lp_plan *plan)
{
	const struct lp_policy *policy = input->policy;
	struct lp_strv written LP_CLEANUP(lp_strv_clear) = {0};
	struct lp_strv read LP_CLEANUP(lp_strv_clear) = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		bool hides = rule->kind == LP_RULE_DENY_READ;
		enum lp_access access = hides ? LP_ACCESS_READ : LP_ACCESS_WRITE;
		lp_autofree char *head = NULL;

		if (rule->is_pattern ? rule->kind >= LP_RULE_ALLOW_READ
				     : lp_policy_may(policy, rule->path, access).allowed)
			continue;
		/* a name in a pattern's first directory stands for all that it matches */
		head = rule->is_pattern ? lp_pattern_head(rule->path) : strdup(rule->path);
		if (head && rule->is_pattern) {
			char *name = lp_path_join(head, "?");

			free(head);
			head = name;
		}
		r = head ? look_above(input, plan, head, access, hides ? &read : &written)
			 : -ENOMEM;
	}
	return r < 0 ? r : 0;
}
