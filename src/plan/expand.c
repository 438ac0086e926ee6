/*
 * Patterns in path lists, expanded to what exists at the start. For bwrap, later names are a listed
 * gap of denying patterns; of allowing ones they simply stay closed.
 *
 * Runs in the launcher before the fork, with the user's rights; the tree may be hostile, so
 * symlinks are not followed and the work is bounded.
 */
#include "plan/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_ENTRIES 100000
#define MAX_DEPTH   64

struct expansion {
	const char *pattern;
	struct lp_strv *paths;
	unsigned entries;
	size_t max_slashes; /* deeper names cannot match; SIZE_MAX with "**" */
};

static size_t slashes(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '/';
	return count;
}

static int expand_below(struct expansion *expansion, const char *dir, unsigned depth)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry;
	int r = 0;

	while (stream && r == 0 && (entry = readdir(stream))) {
		lp_autofree char *path = NULL;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (++expansion->entries > MAX_ENTRIES) {
			r = -E2BIG;
			break;
		}
		path = lp_path_join(dir, entry->d_name);
		if (!path)
			r = -ENOMEM;
		else if (lp_glob_match(expansion->pattern, path))
			r = lp_strv_add(expansion->paths, path);
		else if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
			 depth < MAX_DEPTH && slashes(path) < expansion->max_slashes)
			r = expand_below(expansion, path, depth + 1);
	}
	if (stream)
		closedir(stream);
	return r;
}

int lp_pattern_expand(const char *pattern, struct lp_strv *ret_paths)
{
	struct expansion expansion = {
		pattern, ret_paths, 0, strstr(pattern, "**") ? SIZE_MAX : slashes(pattern)};
	lp_autofree char *head = lp_pattern_head(pattern);

	return head ? expand_below(&expansion, head, 0) : -ENOMEM;
}

int lp_plan_add_matches(const struct lp_policy *policy, struct lp_carving *carving)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		struct lp_strv paths LP_CLEANUP(lp_strv_clear) = {0};
		struct stat st;

		if (!rule->is_pattern || rule->kind < LP_RULE_ALLOW_READ)
			continue;
		r = lp_pattern_expand(rule->path, &paths);
		for (size_t j = 0; r == 0 && j < paths.count; j++)
			if (lstat(paths.items[j], &st) == 0 && !S_ISLNK(st.st_mode))
				r = lp_carving_grant(carving, paths.items[j], rule);
	}
	return r;
}
