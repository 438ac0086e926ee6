/*
 * The private TMPDIR: <tmp>/landpen-<uid>-<pid>-<random>, mode 0700, with a lock that says that its
 * run is alive. What a killed run left is removed by the next janitor.
 *
 * Runs in the launcher and the janitor, unconfined. <tmp> is writable for everybody: names in it
 * are hostile, so nothing is used that is not ours alone.
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
#include <time.h>
#include <unistd.h>

static const char *tmp_root(void)
{
	const char *tmp = getenv("TMPDIR");
	struct stat st;

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
	/* canonical, since the rule for it is made without following symlinks */
	if (lp_path_resolve(tmp_root(), &root, &exists, NULL) < 0)
		return NULL;
	if (lp_str_addf(&name, "%s/landpen-%u-%d-%08x", strcmp(root, "/") ? root : "",
		    (unsigned)getuid(), (int)getpid(), random) < 0)
		return NULL;
	return name.text;
}

int lp_tmpdir_make(const char *path, int *ret_fd, struct lp_err *err)
{
	lp_autoclose int fd = -1;

	if (mkdir(path, 0700) < 0)
		return lp_fail(err, errno,
			"the private TMPDIR %s: %m; set TMPDIR to a folder you can write to", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* a sweep that got in between has removed it: this run does not start */
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 || access(path, F_OK) < 0)
		return lp_fail(err, errno, "the private TMPDIR %s: %m; try again", path);
	*ret_fd = LP_TAKE_FD(fd);
	return 0;
}

/* A young folder may be one whose run has not come to its lock yet. */
static bool is_stale(int fd)
{
	struct stat st;
	struct timespec now;

	return fstat(fd, &st) == 0 && st.st_uid == getuid() &&
	       clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec - st.st_ctime > 10 &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void lp_tmpdir_sweep(const char *own)
{
	lp_autofree char *root = lp_path_parent(own);
	DIR *dir = root ? opendir(root) : NULL;
	const struct dirent *entry;
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "landpen-%u-", (unsigned)getuid());
	while (dir && (entry = readdir(dir))) {
		lp_autoclose int fd = -1;

		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		fd = openat(
			dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && is_stale(fd))
			lp_remove_tree(dirfd(dir), entry->d_name);
	}
	if (dir)
		closedir(dir);
}
