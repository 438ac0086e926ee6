/*
 * Stubs: what bwrap's mounts on absent protected names stand on, made before a run and removed by
 * the last pen that stands on them.
 *
 * Runs in the launcher and in the janitor, unconfined. Every pen holds a shared lock on each folder
 * that stubs were put in, whichever project it is of: pens of a folder and of one above it see the
 * same stubs. The agent has written in the same folders: only empty folders and files that are
 * still as they were made are removed, nothing is followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "supervise/parts.h"
#include "wire/wire.h"

#define MAX_HOLDERS 64

/* ---- the folders that hold them ---- */

/* The folder that the stub was put in, itself or with folders that were only made for it. Newly
 * allocated; NULL: -ENOMEM. */
static char *find_holder(const struct lp_plan *plan, const char *stub)
{
	char *holder = lp_path_parent(stub);

	while (holder && lp_strv_has(&plan->stubs, holder)) {
		char *above = lp_path_parent(holder);

		free(holder);
		holder = above;
	}
	return holder;
}

static int add_holders(
	const struct lp_plan *plan, const struct lp_strv *stubs, struct lp_strv *holders)
{
	lp_strv_foreach (stub, stubs) {
		lp_autofree char *holder = find_holder(plan, stub);
		int r = holder ? 0 : -ENOMEM;

		if (r == 0 && !lp_strv_has(holders, holder))
			r = lp_strv_own(holders, LP_TAKE(holder));
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_holders(const struct lp_plan *plan, struct lp_strv *holders)
{
	int r = add_holders(plan, &plan->stubs, holders);

	return r < 0 ? r : add_holders(plan, &plan->file_stubs, holders);
}

/* A shared lock on the folder that is there now; waits for who removes stubs of its. */
static int lock_holder(const char *holder)
{
	for (;;) {
		lp_autoclose int fd = open(holder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct stat locked, there;

		if (fd < 0 || flock(fd, LOCK_SH) < 0 || fstat(fd, &locked) < 0 ||
			stat(holder, &there) < 0)
			return -errno;
		if (locked.st_ino == there.st_ino && locked.st_dev == there.st_dev)
			return LP_TAKE_FD(fd);
	}
}

/* One descriptor that keeps all of them open: they stay on their way to it. */
static int put_together(const int *fds, size_t count)
{
	const struct lp_packet packet = {.kind = LP_PACKET_SOCKET};
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = lp_packet_send(pair[1], &packet, fds[i]);
	close(pair[1]);
	if (r == 0)
		return pair[0];
	close(pair[0]);
	return r;
}

static int lock_each(const struct lp_strv *holders, int fds[], struct lp_err *err)
{
	for (size_t i = 0; i < holders->count; i++) {
		fds[i] = lock_holder(holders->items[i]);
		if (fds[i] < 0)
			return lp_fail(err, -fds[i], "%s: %m", holders->items[i]);
	}
	return 0;
}

/* What is to be kept open for as long as the stubs are needed; -1: nothing. */
static int lock_all(const struct lp_strv *holders, int *ret_lock, struct lp_err *err)
{
	int fds[MAX_HOLDERS], r;

	*ret_lock = -1;
	if (holders->count > LP_ARRAY_SIZE(fds))
		return lp_fail(err, E2BIG,
			"more than %d folders hold protected names that are not there; use "
			"--backend landlock",
			MAX_HOLDERS);
	for (size_t i = 0; i < LP_ARRAY_SIZE(fds); i++)
		fds[i] = -1;
	r = lock_each(holders, fds, err);
	if (r == 0 && holders->count == 1) {
		*ret_lock = fds[0];
		return 0;
	}
	if (r == 0 && holders->count > 1) {
		*ret_lock = put_together(fds, holders->count);
		if (*ret_lock < 0)
			r = lp_fail(err, -*ret_lock, "locks for protected names: %m");
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(fds); i++)
		lp_closep(&fds[i]);
	return r;
}

/* ---- making ---- */

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
	struct lp_strv holders LP_CLEANUP(lp_strv_clear) = {0};
	lp_autoclose int lock = -1;
	mode_t callers;
	int r;

	if (find_holders(plan, &holders) < 0)
		return lp_fail(err, ENOMEM, "%m");
	r = lock_all(&holders, &lock, err);
	if (r < 0)
		return r;
	callers = umask(0);
	r = make_all(plan, err);
	umask(callers);
	if (r == 0)
		*ret_lock = LP_TAKE_FD(lock);
	return r;
}

/* ---- removing ---- */

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

/* The stub's path from its holder on, if it is this one's. */
static const char *locate(const struct lp_plan *plan, const char *stub, const char *holder)
{
	lp_autofree char *found = find_holder(plan, stub);

	if (!found || strcmp(found, holder) != 0)
		return NULL;
	return stub + strlen(holder) + (strcmp(holder, "/") != 0);
}

static bool is_folder_stub(mode_t type)
{
	mode_t mode = type & 07777;

	return S_ISDIR(type) && (mode == LP_STUB_MODE || mode == LP_STUB_ABOVE_MODE);
}

/* In the very folder that is locked: another one may have come to its place, and another pen may
 * have its own stubs there. */
static void remove_held(const struct lp_plan *plan, const char *holder, int base)
{
	struct stat st;

	lp_strv_foreach (stub, &plan->file_stubs) {
		const char *path = locate(plan, stub, holder);

		if (path && fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode) && (st.st_mode & 07777) == LP_FILE_STUB_MODE &&
			(size_t)st.st_size == strlen(lp_stub_content(stub)))
			unlinkat(base, path, 0);
	}
	for (size_t i = plan->stubs.count; i-- > 0;) {
		const char *path = locate(plan, plan->stubs.items[i], holder);

		if (path && fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			is_folder_stub(st.st_mode))
			unlinkat(base, path, AT_REMOVEDIR);
	}
}

void lp_stubs_remove(const struct lp_plan *plan)
{
	struct lp_strv holders LP_CLEANUP(lp_strv_clear) = {0};

	if (find_holders(plan, &holders) < 0)
		return;
	lp_strv_foreach (holder, &holders) {
		lp_autoclose int lock = open(holder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* else another pen still stands on them */
		if (lock >= 0 && lock_alone(lock))
			remove_held(plan, holder, lock);
	}
}
