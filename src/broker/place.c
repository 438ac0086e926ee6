/*
 * Where a path leads: the walk that the kernel would make for the caller, made once.
 *
 * Runs in the supervisor. The directory that the walk ends in is held open; its path, which the
 * policy is asked about, is the kernel's own. What other threads rename meanwhile changes nothing
 * about what is held, and a directory that holds protected names cannot be renamed.
 */
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

bool lp_descriptor_text(int fd, char *ret_path)
{
	char link[32];
	ssize_t n;

	lp_descriptor_link(fd, link);
	n = readlink(link, ret_path, PATH_MAX - 1);
	ret_path[n > 0 ? n : 0] = '\0';
	return n > 0 && ret_path[0] == '/';
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
		return -ENAMETOOLONG;
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

	place->dir = r ? -1 : open_directory(act, base, parent);
	lp_closep(&base);
	if (r)
		return r;
	/* the kernel says best why not */
	return place->dir < 0 ? LET_GO_ON : 0;
}

static int describe(struct place *place)
{
	size_t len;

	if (fstat(place->dir, &place->parent) < 0)
		return -errno;
	if (place->parent.st_nlink == 0 || !lp_descriptor_text(place->dir, place->path))
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

int lp_place_find(
	const struct act *act, int dirfd, const char *text, bool follow, struct place *ret_place)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *rest;
	int base, r = lp_task_base(act->call->tid, dirfd, text, &base, &rest);

	if (r < 0)
		return LET_GO_ON;
	if (text[0] == '/' && act->resolve) {
		lp_closep(&base);
		return LET_GO_ON;
	}
	snprintf(path, sizeof(path), "%s", rest);
	ret_place->slash = false;
	for (int links = 0; r == 0; links++) {
		ssize_t n;

		r = step(act, base, path, ret_place);
		if (r || !follow)
			break;
		n = readlinkat(ret_place->dir, ret_place->name, target, sizeof(target) - 1);
		if (n <= 0)
			break;
		if (act->resolve & ~(uint64_t)RESOLVE_NO_MAGICLINKS) {
			r = LET_GO_ON; /* a link that leads on may lead out of bounds */
			break;
		}
		target[n] = '\0';
		base = target[0] == '/' ? AT_FDCWD : ret_place->dir;
		if (target[0] == '/') {
			lp_place_close(ret_place);
			ret_place->dir = -1;
			r = lp_task_base(act->call->tid, AT_FDCWD, target, &base, &rest);
			memmove(target, rest, strlen(rest) + 1);
		}
		if (r == 0 && links == MAX_LINKS) {
			lp_closep(&base);
			r = LET_GO_ON;
		}
		memcpy(path, target, sizeof(path));
	}
	if (r == 0)
		r = describe(ret_place);
	if (r && ret_place->dir >= 0) {
		lp_place_close(ret_place);
		ret_place->dir = -1;
	}
	return r;
}

bool lp_place_stat(const struct place *place, struct stat *ret_st)
{
	return fstatat(place->dir, place->name, ret_st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool lp_view(const struct act *act, int dirfd, const char *text, char ret_path[PATH_MAX + 64])
{
	int len = 0;

	if (text[0] != '/' && dirfd == AT_FDCWD)
		len = snprintf(ret_path, 64, "/proc/%d/cwd/", act->call->tid);
	else if (text[0] != '/')
		len = snprintf(ret_path, 64, "/proc/%d/fd/%d/", act->call->tid, dirfd);
	snprintf(ret_path + len, PATH_MAX, "%s", text);
	/* a '/' at the end is for the long way */
	return ret_path[0] && ret_path[strlen(ret_path) - 1] != '/';
}

bool lp_place_is_known(const struct act *act, int dirfd, const char *text, bool write)
{
	char path[PATH_MAX + 64], *slash;
	struct stat st;

	if (!lp_view(act, dirfd, text, path))
		return false;
	slash = strrchr(path, '/');
	slash[slash == path] = '\0';
	return stat(path, &st) == 0 && lp_natives_knows(&act->broker->natives, &st, write);
}

bool lp_place_is_native(const struct act *act, const struct place *place, bool write)
{
	struct natives *natives = &act->broker->natives;
	char parent[PATH_MAX + NAME_MAX + 2];

	memcpy(parent, place->path, place->parent_length);
	parent[place->parent_length] = '\0';
	if (!lp_natives_grant(natives, parent, write ? LP_FS_MAKE_REG : LP_FS_READ_FILE))
		return false;
	lp_natives_know(natives, &place->parent, write);
	return true;
}

bool lp_place_may_change(const struct act *act, const struct place *place)
{
	const struct lp_policy *policy = act->broker->policy;
	char parent[PATH_MAX + NAME_MAX + 2];

	memcpy(parent, place->path, place->parent_length);
	parent[place->parent_length] = '\0';
	return !lp_spares_hold(&act->broker->spares, place->path) &&
	       lp_policy_may(policy, parent, LP_ACCESS_WRITE).allowed &&
	       lp_policy_may(policy, place->path, LP_ACCESS_WRITE).allowed;
}

bool lp_place_holds_rules(const struct act *act, const char *path)
{
	return lp_policy_denies_below(act->broker->policy, path);
}
