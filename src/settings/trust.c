/*
 * The trust store: which project files the user has accepted, as exact copies.
 *
 * Runs in the launcher before confinement. The store mirrors the path of the project file, so that
 * a file that moved is not trusted any more and `ls` shows what is. The content compared is
 * hostile; it is compared byte by byte and never parsed here. Nothing below the store's top is
 * followed through a symlink, and a store that others can write to says nothing.
 */
#include "settings/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

char *lp_trust_dir(const char *home)
{
	const char *state = getenv("XDG_STATE_HOME");

	if (state && state[0] == '/')
		return lp_path_join(state, "landpen/trust");
	return lp_path_join(home, ".local/state/landpen/trust");
}

/* The place of path with its directory's symlinks resolved; its last name may be a symlink. */
static int canonical(const char *path, char **ret_path)
{
	lp_autofree char *parent = NULL, *resolved = NULL, *joined = NULL;
	const char *name = lp_path_name(path);
	bool exists;
	int r;

	if (path[0] != '/' || !*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	parent = lp_path_parent(path);
	r = parent ? lp_path_resolve(parent, &resolved, &exists, NULL) : -ENOMEM;
	if (r < 0)
		return r;
	joined = lp_path_join(resolved, name);
	if (!joined)
		return -ENOMEM;
	*ret_path = LP_TAKE(joined);
	return 0;
}

static int open_store(const char *home, bool create, int *ret_fd)
{
	lp_autofree char *dir = lp_trust_dir(home);
	lp_autoclose int fd = -1;
	struct stat st;
	int r;

	if (!dir)
		return -ENOMEM;
	if (create) {
		r = lp_mkdir_all(dir, 0700);
		if (r < 0)
			return r;
	}
	fd = open(dir, DIR_FLAGS | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	*ret_fd = LP_TAKE_FD(fd);
	return 0;
}

/* Opens the directory that holds place (absolute, canonical) inside the store. */
static int open_parent(int store, const char *place, bool create, int *ret_fd)
{
	lp_autoclose int at = fcntl(store, F_DUPFD_CLOEXEC, 0);
	const char *slash;

	if (at < 0)
		return -errno;
	for (place++; (slash = strchr(place, '/')); place = slash + 1) {
		lp_autofree char *name = strndup(place, (size_t)(slash - place));
		int next;

		if (!name)
			return -ENOMEM;
		if (create && mkdirat(at, name, 0700) < 0 && errno != EEXIST)
			return -errno;
		next = openat(at, name, DIR_FLAGS | O_NOFOLLOW);
		if (next < 0)
			return -errno;
		close(at);
		at = next;
	}
	*ret_fd = LP_TAKE_FD(at);
	return 0;
}

static bool holds_exactly(int fd, const char *text, size_t len)
{
	char buffer[4096];

	for (;;) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && len == 0;
		if ((size_t)n > len || memcmp(buffer, text, (size_t)n) != 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
}

bool lp_trust_is(const char *home, const char *path, const char *text, size_t len)
{
	lp_autofree char *place = NULL;
	lp_autoclose int store = -1, dir = -1, fd = -1;
	struct stat st;

	if (open_store(home, false, &store) < 0 || canonical(path, &place) < 0 ||
		open_parent(store, place, false, &dir) < 0)
		return false;
	fd = openat(dir, lp_path_name(place), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	return (uint64_t)st.st_size == len && holds_exactly(fd, text, len);
}

static int write_copy(int dir, const char *name, const char *text, size_t len)
{
	char temporary[64];
	lp_autoclose int fd = -1;
	int r;

	snprintf(temporary, sizeof(temporary), ".trust.%d.tmp", (int)getpid());
	unlinkat(dir, temporary, 0);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = lp_write_all(fd, text, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, temporary, 0);
	return r;
}

/* The sentence for a store that cannot be used; path is the project file. */
static int fail_store(struct lp_err *err, int r, const char *home, const char *path)
{
	struct lp_str shown LP_CLEANUP(lp_str_clear) = {0};
	lp_autofree char *dir = lp_trust_dir(home);

	if (!dir || lp_str_add_escaped(&shown, path, strlen(path)) < 0)
		return lp_fail(err, ENOMEM, "out of memory");
	switch (-r) {
	case EINVAL:
		return lp_fail(err, -r, "%s: not the absolute path of a project file", shown.text);
	case EPERM:
		return lp_fail(err, -r,
			"%s: the trust store must be yours and writable by nobody else; "
			"chown and chmod 700 it, or remove it",
			dir);
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
		return lp_fail(err, -r,
			"%s%s: something else is in the way of the stored copy; look at it and "
			"remove it",
			dir, shown.text);
	case ENOENT:
		return lp_fail(err, -r, "%s: was not trusted", shown.text);
	default:
		return lp_fail(err, -r, "%s: cannot use the trust store %s: %m", shown.text, dir);
	}
}

int lp_trust_add(
	const char *home, const char *path, const char *text, size_t len, struct lp_err *err)
{
	lp_autofree char *place = NULL;
	lp_autoclose int store = -1, dir = -1;
	int r;

	r = canonical(path, &place);
	if (r == 0)
		r = open_store(home, true, &store);
	if (r == 0)
		r = open_parent(store, place, true, &dir);
	if (r == 0)
		r = write_copy(dir, lp_path_name(place), text, len);
	return r < 0 ? fail_store(err, r, home, path) : 0;
}

/* Takes away the directories above place that hold nothing any more. */
static void prune(int store, char *place)
{
	char *slash;

	while ((slash = strrchr(place, '/')) && slash != place) {
		lp_autoclose int dir = -1;

		*slash = '\0';
		if (open_parent(store, place, false, &dir) < 0 ||
			unlinkat(dir, lp_path_name(place), AT_REMOVEDIR) < 0)
			break;
	}
}

int lp_trust_remove(const char *home, const char *path, struct lp_err *err)
{
	lp_autofree char *place = NULL;
	lp_autoclose int store = -1, dir = -1;
	int r;

	r = canonical(path, &place);
	if (r == 0)
		r = open_store(home, false, &store);
	if (r == 0)
		r = open_parent(store, place, false, &dir);
	if (r == 0 && unlinkat(dir, lp_path_name(place), 0) < 0)
		r = -errno;
	if (r < 0)
		return fail_store(err, r, home, path);
	prune(store, place);
	return 0;
}
