/*
 * The private TMPDIR: <tmp>/landpen-<uid>/<pid>-<random>, mode 0700, with a lock that says that its
 * run is alive. What a killed run left is removed by the next one.
 *
 * Runs in the launcher, unconfined. <tmp> is writable for everybody: names in it are hostile, so
 * nothing is used that is not ours alone.
 */
#include "supervise/supervise.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *tmp_root(void)
{
	const char *tmp = getenv("TMPDIR");
	struct stat st;

	/* canonical, since the rule for it is made without following symlinks */
	if (tmp && tmp[0] == '/' && stat(tmp, &st) == 0 && S_ISDIR(st.st_mode) &&
		access(tmp, W_OK) == 0)
		return tmp;
	return "/tmp";
}

char *lp_tmpdir_name(void)
{
	lp_autofree char *root = NULL;
	struct lp_str name = {0};
	uint32_t random = 0;
	bool exists;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)getppid();
	if (lp_path_resolve(tmp_root(), &root, &exists, NULL) < 0)
		return NULL;
	if (lp_str_addf(&name, "%s/landpen-%u/%d-%08x", strcmp(root, "/") ? root : "",
		    (unsigned)getuid(), (int)getpid(), random) < 0)
		return NULL;
	return name.text;
}

/* Removes the folders beside ours whose run is over: those whose lock is free. */
static void sweep(int parent, const char *own)
{
	int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		lp_autoclose int fd = -1;

		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, own))
			continue;
		fd = openat(parent, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			lp_remove_tree(parent, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static int make_parent(const char *parent, struct lp_err *err)
{
	lp_autoclose int fd = -1;
	struct stat st;

	if (mkdir(parent, 0700) < 0 && errno != EEXIST)
		return lp_fail(err, errno, "%s: %m; set TMPDIR to a folder you can write to", parent);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return lp_fail(err, errno, "%s: %m; remove it, or set TMPDIR", parent);
	if (st.st_uid != getuid() || (st.st_mode & 077))
		return lp_fail(err, EPERM,
			"%s is not a folder of yours alone (mode 0700); remove it, or set TMPDIR", parent);
	return LP_TAKE_FD(fd);
}

/* 1: another run's clean-up took a folder from under us, and a further try makes sense. */
static int try_make(const char *parent, const char *name, int *ret_fd, struct lp_err *err)
{
	lp_autoclose int parent_fd = make_parent(parent, err);
	lp_autoclose int fd = -1;

	if (parent_fd < 0)
		return parent_fd == -ENOENT ? 1 : parent_fd;
	/* swept before ours exists, so that only other runs' sweeps are to be feared */
	sweep(parent_fd, name);
	if (mkdirat(parent_fd, name, 0700) < 0)
		return errno == EEXIST || errno == ENOENT
			? 1
			: lp_fail(err, errno, "%s/%s: %m", parent, name);
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 || faccessat(parent_fd, name, F_OK, 0) < 0)
		return 1;
	*ret_fd = LP_TAKE_FD(fd);
	return 0;
}

int lp_tmpdir_make(const char *path, int *ret_fd, struct lp_err *err)
{
	lp_autofree char *parent = lp_path_parent(path);
	int r = parent ? 1 : lp_fail(err, ENOMEM, "%m");

	for (int tries = 0; r == 1 && tries < 100; tries++)
		r = try_make(parent, lp_path_name(path), ret_fd, err);
	return r == 1 ? lp_fail(err, EAGAIN, "%s: %m", path) : r;
}

void lp_tmpdir_remove(const char *path)
{
	lp_autofree char *parent = lp_path_parent(path);

	lp_remove_tree(AT_FDCWD, path);
	if (parent)
		rmdir(parent); /* the last run takes the folder with it; ENOTEMPTY else */
}
