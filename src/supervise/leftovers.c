/*
 * What a run puts on the user's disk, and its removal: the private TMPDIR and, around bwrap, stubs
 * in the place of absent protected names, since a mount needs something to stand on.
 *
 * Runs in the launcher and in the janitor, unconfined. The agent has written in the same folders:
 * only empty folders and files that are still as they were made are removed, nothing is followed.
 */
#include "supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Whether the folder was only made for a protected name in it. */
static bool holds_stubs(const struct lp_plan *plan, const char *folder)
{
	lp_strv_foreach (path, &plan->stubs)
		if (strcmp(path, folder) && lp_path_is_under(path, folder))
			return true;
	lp_strv_foreach (path, &plan->file_stubs)
		if (lp_path_is_under(path, folder))
			return true;
	return false;
}

/* The mode comes with the name: another pen that looks now must know it for a stub. */
static int make_folder(const char *path, bool above)
{
	return mkdir(path, above ? LP_STUB_ABOVE_MODE : LP_STUB_MODE) == 0 || errno == EEXIST
		       ? 0
		       : -errno;
}

static int make_file(const char *path)
{
	lp_autoclose int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LP_FILE_STUB_MODE);
	const char *content = lp_stub_content(path);

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	return lp_write_all(fd, content, strlen(content));
}

static int make_all(const struct lp_plan *plan, struct lp_err *err)
{
	for (size_t i = 0; i < plan->stubs.count + plan->file_stubs.count; i++) {
		bool is_file = i >= plan->stubs.count;
		const char *path = is_file ? plan->file_stubs.items[i - plan->stubs.count]
					   : plan->stubs.items[i];
		int r = is_file ? make_file(path) : make_folder(path, holds_stubs(plan, path));

		if (r < 0)
			return lp_fail(err, -r,
				"%s: %m; this name is to be protected, and a mount needs something "
				"to stand on",
				path);
	}
	return 0;
}

int lp_stubs_make(const struct lp_plan *plan, int *ret_lock, struct lp_err *err)
{
	lp_autoclose int lock = -1;
	mode_t callers;
	int r;

	if (plan->stubs.count || plan->file_stubs.count) {
		lock = open(plan->project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (lock < 0 || flock(lock, LOCK_SH) < 0)
			return lp_fail(err, errno, "%s: %m", plan->project);
	}
	callers = umask(0);
	r = make_all(plan, err);
	umask(callers);
	if (r == 0)
		*ret_lock = LP_TAKE_FD(lock);
	return r;
}

/* Where a stub is to be looked for: in the very folder that is locked, which may have been removed,
 * and another one made in its place, in which another pen has its own stubs. */
static const char *locate(const struct lp_plan *plan, const char *path, int project, int *ret_base)
{
	size_t len = strlen(plan->project);

	*ret_base = AT_FDCWD;
	if (len < 2 || !lp_path_is_under(path, plan->project) || path[len] != '/')
		return path;
	*ret_base = project;
	return path + len + 1;
}

static void remove_stubs(const struct lp_plan *plan, int project)
{
	for (size_t i = plan->stubs.count; i-- > 0;) {
		int base;
		const char *path = locate(plan, plan->stubs.items[i], project, &base);
		struct stat st;

		if (fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
			((st.st_mode & 07777) == LP_STUB_MODE ||
				(st.st_mode & 07777) == LP_STUB_ABOVE_MODE))
			unlinkat(base, path, AT_REMOVEDIR);
	}
}

static void remove_file_stubs(const struct lp_plan *plan, int project)
{
	lp_strv_foreach (item, &plan->file_stubs) {
		int base;
		const char *path = locate(plan, item, project, &base);
		struct stat st;

		if (fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
			(st.st_mode & 07777) == LP_FILE_STUB_MODE &&
			(size_t)st.st_size == strlen(lp_stub_content(item)))
			unlinkat(base, path, 0);
	}
}

/* Two pens that end together may look at each other's lock, and on a busy machine the last process
 * that holds one ends late: more tries settle it. */
static bool lock_alone(int lock)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	for (int tries = 0; tries < 100; tries++) {
		if (flock(lock, LOCK_EX | LOCK_NB) == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void lp_leftovers_remove(const struct lp_plan *plan)
{
	if (plan->stubs.count || plan->file_stubs.count) {
		lp_autoclose int lock = open(plan->project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* else another pen in this project still stands on them */
		if (lock >= 0 && lock_alone(lock)) {
			remove_file_stubs(plan, lock);
			remove_stubs(plan, lock);
		}
	}
	lp_remove_tree(AT_FDCWD, plan->tmpdir);
	if (plan->spares)
		lp_remove_tree(AT_FDCWD, plan->spares);
}
