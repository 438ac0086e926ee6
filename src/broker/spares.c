/*
 * Spare directories: made and granted before the command starts, kept where it cannot reach, and
 * moved into place when it makes a directory in a carved one. What happens below is native then.
 *
 * Runs in the supervisor. What comes back was the command's, and may have been entered: it is
 * moved again only when it is empty, and it is never looked into.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "broker/parts.h"

#define RENAME_NOREPLACE_ 1U

static void number(size_t i, char ret_name[16])
{
	snprintf(ret_name, 16, "%zu", i);
}

int lp_spares_make(struct spares *spares, const struct lp_plan *plan, struct lp_err *err)
{
	*spares = (struct spares){.dir = -1, .lock = -1};
	if (!plan->spares)
		return 0;
	if (mkdir(plan->spares, 0700) < 0)
		return lp_fail(err, errno, "the spare directories %s: %m", plan->spares);
	spares->pool = strdup(plan->spares);
	spares->dir = open(plan->spares, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!spares->pool || spares->dir < 0 || flock(spares->dir, LOCK_SH | LOCK_NB) < 0)
		return lp_fail(err, errno, "the spare directories %s: %m", plan->spares);
	for (size_t i = 0; i < LP_SPARE_COUNT; i++) {
		char name[16];

		number(i, name);
		if (mkdirat(spares->dir, name, 0700) < 0)
			return lp_fail(err, errno, "%s/%s: %m", plan->spares, name);
	}
	return 0;
}

bool lp_spares_hold(const struct spares *spares, const char *path)
{
	return spares->pool && lp_path_is_under(path, spares->pool);
}

/* A directory whose children inherit something gets a new one. */
static bool is_special(int dir)
{
	char link[32];
	struct stat st;

	lp_descriptor_link(dir, link);
	return fstat(dir, &st) < 0 || st.st_mode & S_ISGID ||
	       getxattr(link, "system.posix_acl_default", NULL, 0) > 0;
}

static int move(int from, const char *name, int to, const char *new_name)
{
	return syscall(SYS_renameat2, from, name, to, new_name, RENAME_NOREPLACE_) < 0 ? -errno : 0;
}

static bool is_empty(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int count = 0;

	if (!stream) {
		lp_closep(&fd);
		return false;
	}
	while (count < 3 && (entry = readdir(stream)))
		count++;
	closedir(stream);
	return count == 2;
}

int lp_spares_give(struct spares *spares, int dir, const char *name, mode_t mode)
{
	char own[16];
	size_t i;
	int r;

	/* who may not write to a directory cannot move it */
	if (!spares->pool || is_special(dir) || !(mode & S_IWUSR))
		return -EAGAIN;
	/* who still sits in one that came back may have filled it, and those beside it */
	for (i = 0; i < LP_SPARE_COUNT; i++) {
		number(i, own);
		if (!spares->used[i] && is_empty(spares->dir, own))
			break;
	}
	if (i == LP_SPARE_COUNT)
		return -EAGAIN;
	if (fchmodat(spares->dir, own, mode & 01777, 0) < 0 ||
		utimensat(spares->dir, own, NULL, 0) < 0)
		return -EAGAIN;
	r = move(spares->dir, own, dir, name);
	if (r == 0)
		spares->used[i] = true;
	return r == -EXDEV || r == -EINVAL ? -EAGAIN : r;
}

int lp_spares_take(struct spares *spares, int dir, const char *name)
{
	char own[16];
	size_t i = 0;
	int r;

	while (i < LP_SPARE_COUNT && !spares->used[i])
		i++;
	/* if not, removing it says why */
	if (i == LP_SPARE_COUNT || !is_empty(dir, name))
		return -EAGAIN;
	number(i, own);
	r = move(dir, name, spares->dir, own);
	if (r < 0)
		return -EAGAIN;
	if (!is_empty(spares->dir, own)) { /* somebody was quicker */
		move(spares->dir, own, dir, name);
		return -ENOTEMPTY;
	}
	spares->used[i] = false;
	return 0;
}

void lp_spares_clear(struct spares *spares)
{
	char name[16];

	for (size_t i = 0; spares->pool && i < LP_SPARE_COUNT; i++) {
		number(i, name);
		unlinkat(spares->dir, name, AT_REMOVEDIR);
	}
	/* the long way only if the command has left something in one */
	if (spares->pool && rmdir(spares->pool) < 0)
		lp_remove_tree(AT_FDCWD, spares->pool);
	free(spares->pool);
	lp_closep(&spares->dir);
}
