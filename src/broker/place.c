/*
 * Where a path leads: the walk that the kernel would make for the caller, made once.
 *
 * Runs in the supervisor. The directory that the walk ends in is held open; its path, which the
 * policy is asked about, is the kernel's own. What other threads rename meanwhile changes nothing
 * about what is held, and a directory that holds protected names cannot be renamed.
 */
#include <errno.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "broker/parts.h"
#include "task/task.h"

#define MAX_LINKS 40

void lp_place_close(const struct place *place)
{
	lp_closep(&place->dir);
}

void lp_descriptor_link(int fd, char ret_link[32])
{
	snprintf(ret_link, 32, "/proc/self/fd/%d", fd);
}

static const char deleted[] = " (deleted)";

bool lp_text_is_deleted(const char *text)
{
	size_t len = strlen(text), end = sizeof(deleted) - 1;

	return len > end && !strcmp(text + len - end, deleted);
}

/* Whether text is no name any more of what fd is open on, which has others. */
static bool is_stale(int fd, const char *text)
{
	struct stat st, there;

	return lp_text_is_deleted(text) &&
	       (fstat(fd, &st) < 0 ||
		       (st.st_nlink > 0 && (lstat(text, &there) < 0 || there.st_ino != st.st_ino ||
						   there.st_dev != st.st_dev)));
}

bool lp_descriptor_text(int fd, char *ret_path)
{
	char link[32];
	ssize_t n;

	lp_descriptor_link(fd, link);
	n = readlink(link, ret_path, PATH_MAX - 1);
	ret_path[n > 0 ? n : 0] = '\0';
	if (is_stale(fd, ret_path))
		ret_path[0] = '\0';
	return ret_path[0] == '/';
}

bool lp_is_view(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

static int open_directory(const struct act *act, int base, const char *path)
{
	const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | act->resolve};
	int fd = (int)syscall(SYS_openat2, base, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The last name of path and what stands before it, which path is cut to. */
static int split(char *path, struct place *place, const char **ret_parent)
{
	char *name = place->name;
	size_t len = strlen(path), end = len, start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/';)
		start--;
	if (end == start)
		return LET_GO_ON;
	if (end - start > NAME_MAX)
		return LET_GO_ON;
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	place->slash |= end < len;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return LET_GO_ON;
	path[start] = '\0';
	*ret_parent = path;
	return 0;
}

/* One step: the directory that path leads to, and the name in it. Takes base. */
static int step(const struct act *act, int base, char *path, struct place *place)
{
	const char *parent = "";
	int r = split(path, place, &parent);

	if (r == 0 && !*parent && base >= 0) {
		place->dir = base; /* the caller's own directory */
		return 0;
	}
	place->dir = r ? -1 : open_directory(act, base, parent);
	lp_closep(&base);
	if (r)
		return r;
	/* the kernel says best why not */
	return place->dir < 0 ? LET_GO_ON : 0;
}

int lp_place_describe(struct place *place)
{
	size_t len;

	if (place->path[0])
		return 0;
	if (!lp_descriptor_text(place->dir, place->path))
		return LET_GO_ON;
	/* what is there is each process's own view */
	if (lp_path_is_under(place->path, "/proc"))
		return LET_GO_ON;
	len = strlen(place->path);
	place->parent_length = len;
	snprintf(place->path + len, sizeof(place->path) - len, "%s%s", len > 1 ? "/" : "",
		place->name);
	return 0;
}

/* Whether a symlink's target may be out of the bounds that openat2(2) was given. */
static bool may_leave(const struct act *act, const char *target)
{
	if (act->resolve & (RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT))
		return true;
	return act->resolve & ~(uint64_t)RESOLVE_NO_MAGICLINKS &&
	       (target[0] == '/' || strstr(target, ".."));
}

/* Follows what is at the name while it is a symlink; path is used up. */
static int walk(
	const struct act *act, int base, char path[PATH_MAX], bool follow, struct place *place)
{
	char target[PATH_MAX];
	const char *rest;

	for (int links = 0; links <= MAX_LINKS; links++) {
		int r = step(act, base, path, place);
		ssize_t n;

		if (r || !follow)
			return r;
		n = readlinkat(place->dir, place->name, target, sizeof(target) - 1);
		if (n <= 0) {
			place->is_absent = n < 0 && errno == ENOENT;
			return 0;
		}
		target[n] = '\0';
		if (may_leave(act, target))
			return LET_GO_ON;
		rest = target;
		base = place->dir;
		if (target[0] == '/') {
			lp_place_close(place);
			place->dir = -1;
			r = lp_task_base(act->call->tid, AT_FDCWD, target, &base, &rest);
			if (r < 0)
				return LET_GO_ON;
		}
		memmove(path, rest, strlen(rest) + 1);
	}
	return LET_GO_ON;
}

/* Whether the floor decides about the names in the directory. */
static int find_floor(const struct act *act, struct place *place, bool write)
{
	struct natives *natives = &act->broker->natives;
	char parent[PATH_MAX + NAME_MAX + 2];
	struct stat st;
	int r;

	if (fstat(place->dir, &st) < 0 || st.st_nlink == 0)
		return LET_GO_ON;
	place->is_native = lp_natives_knows(natives, &st, write);
	if (place->is_native)
		return 0;
	r = lp_place_describe(place);
	if (r)
		return r;
	memcpy(parent, place->path, place->parent_length);
	parent[place->parent_length] = '\0';
	place->is_native =
		lp_natives_grant(natives, parent, write ? LP_FS_MAKE_REG : LP_FS_READ_FILE);
	if (place->is_native)
		lp_natives_know(natives, &st, write);
	return 0;
}

/* Where the walk along text starts. */
static int start(
	const struct act *act, int dirfd, const char *text, int *ret_base, const char **ret_rest)
{
	if (act->resolve & RESOLVE_IN_ROOT)
		text += strspn(text, "/");
	else if (act->resolve && text[0] == '/') {
		*ret_base = AT_FDCWD; /* through no magic link, then */
		*ret_rest = text;
		return 0;
	}
	return lp_task_base(act->call->tid, dirfd, text, ret_base, ret_rest);
}

int lp_place_find(
	const struct act *act, int dirfd, const char *text, unsigned how, struct place *place)
{
	char path[PATH_MAX];
	const char *rest;
	int base, r;

	place->dir = -1;
	place->slash = place->is_absent = place->is_native = false;
	place->path[0] = '\0';
	if (start(act, dirfd, text, &base, &rest) < 0)
		return LET_GO_ON;
	memcpy(path, rest, strlen(rest) + 1);
	r = walk(act, base, path, how & PLACE_FOLLOW, place);
	return r ? r : find_floor(act, place, !(how & PLACE_READ));
}

bool lp_place_stat(const struct place *place, struct stat *ret_st)
{
	return fstatat(place->dir, place->name, ret_st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool lp_place_may_change(const struct act *act, const struct place *place)
{
	const struct lp_policy *policy = act->broker->policy;
	char parent[PATH_MAX + NAME_MAX + 2];

	memcpy(parent, place->path, place->parent_length);
	parent[place->parent_length] = '\0';
	if (!lp_spares_hold(&act->broker->spares, place->path) &&
		lp_policy_may(policy, parent, LP_ACCESS_WRITE).allowed &&
		lp_policy_may(policy, place->path, LP_ACCESS_WRITE).allowed)
		return true;
	lp_act_refused(act, place->path);
	return false;
}

bool lp_place_holds_rules(const struct act *act, const char *path)
{
	return lp_policy_denies_below(act->broker->policy, path);
}
