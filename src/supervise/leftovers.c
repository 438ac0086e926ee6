/*
 * What a run puts on the user's disk, and its removal: the private TMPDIR and, around bwrap, stubs:
 * empty folders in the place of absent protected names, since a mount needs something to stand on.
 * git does not see empty folders.
 *
 * Runs in the launcher and in the janitor, unconfined. The agent has written in the same folders:
 * only empty folders of the stubs' own mode are removed, and nothing is followed.
 */
#include "supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int lp_stubs_make(const struct lp_plan *plan, int *ret_lock, struct lp_err *err)
{
	lp_autoclose int lock = -1;

	if (plan->stubs.count) {
		lock = open(plan->project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (lock < 0 || flock(lock, LOCK_SH) < 0)
			return lp_fail(err, errno, "%s: %m", plan->project);
	}
	for (size_t i = 0; i < plan->stubs.count; i++) {
		const char *path = plan->stubs.items[i];
		/* the folders above a protected name come before it in the list */
		bool above = i + 1 < plan->stubs.count &&
			lp_path_is_under(plan->stubs.items[i + 1], path);

		if (mkdir(path, 0755) == 0) {
			if (!above && chmod(path, LP_STUB_MODE) < 0)
				return lp_fail(err, errno, "%s: %m", path);
		} else if (errno != EEXIST) {
			return lp_fail(err, errno,
				"%s: %m; a name that is to be protected needs a folder to mount on",
				path);
		}
	}
	*ret_lock = LP_TAKE_FD(lock);
	return 0;
}

static void remove_stubs(const struct lp_plan *plan)
{
	for (size_t i = plan->stubs.count; i-- > 0;) {
		lp_autofree char *parent = lp_path_parent(plan->stubs.items[i]);
		struct stat st;

		if (lstat(plan->stubs.items[i], &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		rmdir(plan->stubs.items[i]);
		/* the folder of `.claude/commands`, made by a run that was killed */
		if (parent && lp_path_name(parent)[0] == '.')
			rmdir(parent);
	}
}

static void remove_watched(struct lp_plan *plan)
{
	lp_strv_foreach (path, &plan->watch) {
		struct stat st;

		if (lstat(path, &st) < 0)
			continue;
		if (lp_remove_tree(AT_FDCWD, path) == 0)
			lp_strv_addf(&plan->notices, "%s: made by the command, removed: a protected name",
				path);
	}
}

void lp_leftovers_remove(struct lp_plan *plan)
{
	if (plan->stubs.count || plan->watch.count) {
		lp_autoclose int lock = open(plan->project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* another pen in this project still stands on them */
		if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
			remove_stubs(plan);
		remove_watched(plan);
	}
	lp_tmpdir_remove(plan->tmpdir);
}
