/*
 * Modes, owners, times, attributes: what Landlock does not cover. These calls are never let go on:
 * the object is opened once, and the act is done on that descriptor or refused.
 *
 * Runs in the supervisor.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "broker/parts.h"
#include "task/task.h"

#define NR_SETXATTRAT    463
#define NR_REMOVEXATTRAT 466
#define MAX_NAME         256
#define MAX_VALUE        65536

static int result(long r)
{
	return r < 0 ? -errno : 0;
}

int lp_object_open(
	const struct act *act, int dirfd, const char *text, bool may_be_empty, bool follow)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (follow ? 0U : (unsigned)O_NOFOLLOW),
		.resolve = RESOLVE_NO_MAGICLINKS | act->resolve};
	lp_autoclose int base = -1;
	const char *rest;
	int fd, r;

	if (!*text)
		return may_be_empty ? lp_task_open_descriptor(act->call->tid, dirfd) : -ENOENT;
	r = lp_task_base(act->call->tid, dirfd, text, &base, &rest);
	if (r < 0)
		return r;
	if (act->resolve && text[0] == '/') {
		lp_closep(&base);
		base = -1;
		return -EXDEV;
	}
	if (!*rest)
		return LP_TAKE_FD(base);
	fd = (int)syscall(SYS_openat2, base, rest, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

bool lp_is_writable(const struct lp_broker *broker, const char *path)
{
	return lp_path_is_under(path, broker->plan->tmpdir) ||
	       lp_policy_may(broker->policy, path, LP_ACCESS_WRITE).allowed;
}

static bool is_own(const struct act *act, int object, const struct stat *st)
{
	char path[PATH_MAX];
	bool has_path = lp_descriptor_text(object, path);

	/* what has no name any more, or never had one, is nobody else's */
	if (st->st_nlink == 0 && lp_text_is_deleted(path))
		return true;
	if (!has_path)
		return path[0];
	if (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode) &&
		!lp_spares_hold(&act->broker->spares, path) && lp_is_writable(act->broker, path))
		return true;
	lp_act_refused(act, path);
	return false;
}

/* The object of the call, if its metadata are the command's to change: a descriptor, or -errno. */
static int open_own(const struct act *act, int at_flags, bool follow)
{
	const struct form *form = act->form;
	int dirfd = form->dir < 0 ? AT_FDCWD : lp_act_number(act, form->dir);
	bool by_descriptor = form->path < 0 || act->call->args[form->path] == 0;
	lp_autoclose int object = -1;
	struct stat st;

	if (at_flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	object = lp_object_open(act, dirfd, act->text, by_descriptor || at_flags & AT_EMPTY_PATH,
		follow && !(at_flags & AT_SYMLINK_NOFOLLOW));
	if (object < 0)
		return object == -ELOOP ? -EPERM : object;
	if (fstat(object, &st) < 0)
		return -errno;
	if (lp_is_view(object) || !is_own(act, object, &st))
		return -EPERM;
	if (!lp_act_is_valid(act))
		return -EINTR;
	return LP_TAKE_FD(object);
}

int lp_act_chmod(struct act *act)
{
	int flags = lp_act_number(act, act->form->flags);
	lp_autoclose int object = open_own(act, flags, true);
	char link[32];
	struct stat st;

	if (object < 0)
		return object;
	if (fstat(object, &st) == 0 && S_ISLNK(st.st_mode))
		return -EOPNOTSUPP;
	lp_descriptor_link(object, link);
	return result(chmod(link, (mode_t)lp_act_number(act, act->form->mode)));
}

int lp_act_chown(struct act *act)
{
	int flags = lp_act_number(act, act->form->flags), first = act->form->mode;
	bool follow = true;
	lp_autoclose int object = -1;

#ifdef SYS_lchown
	follow = act->call->call != SYS_lchown;
#endif
	object = open_own(act, flags, follow);
	if (object < 0)
		return object;
	return result(fchownat(object, "", (uid_t)lp_act_number(act, first),
		(gid_t)lp_act_number(act, first + 1), AT_EMPTY_PATH));
}

/* The times that the call tells, in whichever of their three forms. 0 or -errno. */
static int read_times(const struct act *act, struct timespec ret_times[2])
{
	uint64_t address = act->call->args[act->form->mode];
	pid_t tid = act->call->tid;
	struct timeval values[2];
	int r;

#ifdef SYS_utime
	if (act->call->call == SYS_utime) {
		struct utimbuf old;

		r = lp_read_memory(tid, address, &old, sizeof(old));
		if (r < 0)
			return r;
		ret_times[0] = (struct timespec){old.actime, 0};
		ret_times[1] = (struct timespec){old.modtime, 0};
		return 0;
	}
#endif
	if (act->call->call == SYS_utimensat)
		return lp_read_memory(tid, address, ret_times, 2 * sizeof(*ret_times));
	r = lp_read_memory(tid, address, values, sizeof(values));
	for (int i = 0; r == 0 && i < 2; i++) {
		if (values[i].tv_usec < 0 || values[i].tv_usec >= 1000000)
			return -EINVAL;
		ret_times[i] = (struct timespec){values[i].tv_sec, values[i].tv_usec * 1000};
	}
	return r;
}

int lp_act_times(struct act *act)
{
	bool now = act->call->args[act->form->mode] == 0;
	struct timespec times[2];
	lp_autoclose int object = -1;
	char link[32];
	int r = now ? 0 : read_times(act, times);

	if (r < 0)
		return r;
	object = open_own(act, lp_act_number(act, act->form->flags), true);
	if (object < 0)
		return object;
	r = result(utimensat(object, "", now ? NULL : times, AT_EMPTY_PATH));
	if (r != -EINVAL && r != -ENOENT)
		return r;
	lp_descriptor_link(object, link); /* before 5.8 */
	return result(utimensat(AT_FDCWD, link, now ? NULL : times, 0));
}

/* ---- extended attributes ---- */

static bool follows(const struct act *act)
{
	return act->call->call != SYS_lsetxattr && act->call->call != SYS_lremovexattr;
}

int lp_act_setxattr(struct act *act)
{
	bool at = act->call->call == NR_SETXATTRAT;
	const uint64_t *args = act->call->args;
	struct {
		uint64_t value;
		uint32_t size, flags;
	} what = {args[2], (uint32_t)args[3], (uint32_t)args[4]};
	lp_autofree char *value = NULL;
	lp_autoclose int object = -1;
	char name[MAX_NAME], link[32];
	pid_t tid = act->call->tid;
	int r = lp_read_text(tid, args[at ? 3 : 1], name, sizeof(name));

	if (r == 0 && at)
		r = args[5] < sizeof(what) ? -EINVAL
					   : lp_read_memory(tid, args[4], &what, sizeof(what));
	if (r == 0 && (what.size > MAX_VALUE || (!at && args[3] > MAX_VALUE)))
		r = -E2BIG;
	if (r < 0)
		return r == -ENAMETOOLONG ? -ERANGE : r;
	value = malloc(what.size + 1);
	if (!value)
		return -ENOMEM;
	if (what.size && lp_read_memory(tid, what.value, value, what.size) < 0)
		return -EFAULT;
	object = open_own(act, lp_act_number(act, act->form->flags), follows(act));
	if (object < 0)
		return object;
	lp_descriptor_link(object, link);
	return result(setxattr(link, name, value, what.size, (int)what.flags));
}

int lp_act_removexattr(struct act *act)
{
	bool at = act->call->call == NR_REMOVEXATTRAT;
	lp_autoclose int object = -1;
	char name[MAX_NAME], link[32];
	int r = lp_read_text(act->call->tid, act->call->args[at ? 3 : 1], name, sizeof(name));

	if (r < 0)
		return r == -ENAMETOOLONG ? -ERANGE : r;
	object = open_own(act, lp_act_number(act, act->form->flags), follows(act));
	if (object < 0)
		return object;
	lp_descriptor_link(object, link);
	return result(removexattr(link, name));
}

/* ---- file attributes ---- */

int lp_act_ioctl(struct act *act)
{
	union {
		int flags;
		struct fsxattr attributes;
	} what;
	unsigned request = (unsigned)act->call->args[1];
	size_t size = request == FS_IOC_FSSETXATTR ? sizeof(what.attributes) : sizeof(what.flags);
	lp_autoclose int object = -1, fd = -1;
	char link[32];
	int r = lp_read_memory(act->call->tid, act->call->args[2], &what, size);

	if (r < 0)
		return r;
	/* names in there would have other spellings, which no rule knows */
	if (request == FS_IOC_SETFLAGS && what.flags & FS_CASEFOLD_FL)
		return -EPERM;
	object = open_own(act, 0, true);
	if (object < 0)
		return object;
	lp_descriptor_link(object, link);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : result(ioctl(fd, request, &what));
}
