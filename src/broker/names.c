/*
 * The calls that make, remove and move names, and truncate.
 *
 * Runs in the supervisor. An act is done on directories that are held open, with names that no
 * symlink hides behind: none of these calls follows one at its end.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/parts.h"
#include "task/task.h"

#define NOREPLACE 1U
#define EXCHANGE  2U

static int result(long r)
{
	return r < 0 ? -errno : 0;
}

/* The directory argument of a path. */
static int directory_of(const struct act *act, int argument)
{
	return argument < 0 ? AT_FDCWD : lp_act_number(act, argument);
}

/*
 * The place of a new name. 0: the broker's to make; LET_GO_ON where the kernel decides, also where
 * the policy says no.
 */
static int find_new(const struct act *act, struct place *place, bool directory)
{
	int dirfd = directory_of(act, act->form->dir), r;
	struct stat st;

	r = lp_place_find(act, dirfd, act->text, 0, place);
	if (r)
		return r;
	if (place->is_native || (place->slash && !directory) || lp_place_stat(place, &st) ||
		!lp_place_may_change(act, place))
		return LET_GO_ON;
	/* a directory there is carved itself; anything else would put its own content there */
	if (!directory && lp_place_holds_rules(act, place->path))
		return LET_GO_ON;
	return lp_act_is_valid(act) ? 0 : -EINTR;
}

int lp_act_mkdir(struct act *act)
{
	LP_CLOSE_PLACE struct place place = {.dir = -1};
	struct lp_broker *broker = act->broker;
	mode_t mode = (mode_t)lp_act_number(act, act->form->mode) & 07777, mask;
	int r = find_new(act, &place, true);

	if (r)
		return r;
	lp_act_take_umask(act);
	if (!lp_policy_may_deny_below(broker->policy, place.path)) {
		mask = umask(0);
		umask(mask);
		r = lp_spares_give(&broker->spares, place.dir, place.name, mode & ~mask);
		if (r == 0)
			lp_natives_add(&broker->natives, place.path, UINT64_MAX, true);
		if (r != -EAGAIN)
			return r;
	}
	/* it may have the number of a directory that was known and is gone */
	lp_natives_forget(&broker->natives);
	return result(mkdirat(place.dir, place.name, mode));
}

int lp_act_mknod(struct act *act)
{
	LP_CLOSE_PLACE struct place place = {.dir = -1};
	mode_t mode = (mode_t)lp_act_number(act, act->form->mode), type = mode & S_IFMT;
	int r;

	if (type == S_IFDIR || type == S_IFLNK)
		return LET_GO_ON;
	r = find_new(act, &place, false);
	if (r)
		return r;
	if (type == S_IFCHR || type == S_IFBLK)
		return -EPERM;
	lp_act_take_umask(act);
	return result(mknodat(place.dir, place.name, mode, 0));
}

int lp_act_symlink(struct act *act)
{
	LP_CLOSE_PLACE struct place place = {.dir = -1};
	int r = find_new(act, &place, false);

	return r ? r : result(symlinkat(act->text2, place.dir, place.name));
}

static int remove_directory(const struct act *act, const struct place *place)
{
	struct lp_broker *broker = act->broker;
	int r = -EAGAIN;

	if (lp_natives_is_spare(&broker->natives, place->path))
		r = lp_spares_take(&broker->spares, place->dir, place->name);
	if (r == -EAGAIN)
		r = result(unlinkat(place->dir, place->name, AT_REMOVEDIR));
	if (r == 0)
		lp_natives_moved(&broker->natives, place->path, NULL);
	return r;
}

int lp_act_unlink(struct act *act)
{
	int dirfd = directory_of(act, act->form->dir), r;
	LP_CLOSE_PLACE struct place place = {.dir = -1};
	int flags = lp_act_number(act, act->form->flags);
	bool directory = flags & AT_REMOVEDIR;

#ifdef SYS_rmdir
	directory |= act->call->call == SYS_rmdir;
#endif
	if (flags & ~AT_REMOVEDIR)
		return LET_GO_ON;
	r = lp_place_find(act, dirfd, act->text, 0, &place);
	if (r)
		return r;
	if (place.is_native || (place.slash && !directory) || !lp_place_may_change(act, &place))
		return LET_GO_ON;
	if (!lp_act_is_valid(act))
		return -EINTR;
	return directory ? remove_directory(act, &place)
			 : result(unlinkat(place.dir, place.name, 0));
}

/* Whether a pattern may deny something below to, and none below from: that may be granted. */
static bool comes_under(const struct act *act, const struct place *from, const struct place *to)
{
	const struct lp_policy *policy = act->broker->policy;

	return lp_policy_may_deny_below(policy, to->path) &&
	       !lp_policy_may_deny_below(policy, from->path);
}

/* Whether from may go to to, as far as what is below them is concerned. */
static bool may_move(
	const struct act *act, const struct place *from, const struct place *to, unsigned flags)
{
	const char *moved = NULL;
	struct stat st, there;
	bool directory;

	if (!lp_place_stat(from, &st))
		return false; /* ENOENT, from the kernel */
	directory = S_ISDIR(st.st_mode);
	if (((from->slash || to->slash) && !directory) || !lp_place_may_change(act, from) ||
		!lp_place_may_change(act, to))
		return false;
	if (flags & EXCHANGE)
		directory |= lp_place_stat(to, &there) && S_ISDIR(there.st_mode);
	/*
	 * The source takes what is protected below it along, or brings something in its place, or a
	 * right to what a pattern denies there.
	 */
	if (lp_place_holds_rules(act, to->path) || (directory && comes_under(act, from, to)) ||
		(flags & EXCHANGE && directory && comes_under(act, to, from)))
		moved = to->path;
	else if ((directory || flags & EXCHANGE) && lp_place_holds_rules(act, from->path))
		moved = from->path;
	if (moved)
		lp_act_refused(act, moved);
	return !moved;
}

int lp_act_rename(struct act *act)
{
	const struct form *form = act->form;
	int from_fd = directory_of(act, form->dir), to_fd = directory_of(act, form->dir2), r;
	LP_CLOSE_PLACE struct place from = {.dir = -1}, to = {.dir = -1};
	struct natives *natives = &act->broker->natives;
	unsigned flags = (unsigned)lp_act_number(act, form->flags);
	bool directory;
	struct stat st;

	if (flags & ~(NOREPLACE | EXCHANGE))
		return LET_GO_ON;
	r = lp_place_find(act, from_fd, act->text, 0, &from);
	if (r == 0)
		r = lp_place_find(act, to_fd, act->text2, 0, &to);
	if (r || (from.is_native && to.is_native))
		return r ? r : LET_GO_ON;
	if (lp_place_describe(&from) || lp_place_describe(&to))
		return LET_GO_ON;
	if (!may_move(act, &from, &to, flags))
		return LET_GO_ON;
	if (!lp_act_is_valid(act))
		return -EINTR;
	r = result(syscall(SYS_renameat2, from.dir, from.name, to.dir, to.name, flags));
	/* both may be names of one file, which rename(2) leaves alone */
	directory = r == 0 && lp_place_stat(&to, &st) && S_ISDIR(st.st_mode);
	if (directory || (r == 0 && flags & EXCHANGE)) {
		lp_natives_moved(natives, to.path, NULL);
		lp_natives_moved(natives, from.path, flags & EXCHANGE ? NULL : to.path);
	}
	return r;
}

/* What a new hard link leads to (O_PATH), or -errno. A link is a way to write to it. */
static int find_old(const struct act *act)
{
	int flags = lp_act_number(act, act->form->flags);
	lp_autoclose int object = lp_object_open(act, directory_of(act, act->form->dir), act->text,
		flags & AT_EMPTY_PATH, flags & AT_SYMLINK_FOLLOW);
	char path[PATH_MAX];
	struct stat st;

	if (object < 0)
		return LET_GO_ON;
	if (fstat(object, &st) < 0 || !lp_descriptor_text(object, path))
		return LET_GO_ON;
	/* without a name: made with O_TMPFILE */
	if (st.st_nlink > 0 &&
		(lp_spares_hold(&act->broker->spares, path) || !lp_is_writable(act->broker, path)))
		return LET_GO_ON;
	if (S_ISDIR(st.st_mode))
		return -EPERM;
	return LP_TAKE_FD(object);
}

int lp_act_link(struct act *act)
{
	const struct form *form = act->form;
	int to_fd = directory_of(act, form->dir2), r;
	LP_CLOSE_PLACE struct place to = {.dir = -1};
	lp_autoclose int object = -1;
	char link[32];
	struct stat st;

	if (lp_act_number(act, form->flags) & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return LET_GO_ON;
	r = lp_place_find(act, to_fd, act->text2, 0, &to);
	if (r)
		return r;
	if (lp_place_describe(&to))
		return LET_GO_ON;
	if (to.slash || lp_place_stat(&to, &st) || !lp_place_may_change(act, &to) ||
		lp_place_holds_rules(act, to.path))
		return LET_GO_ON;
	r = find_old(act);
	if (r < 0 || r == LET_GO_ON)
		return r;
	object = r;
	if (!lp_act_is_valid(act))
		return -EINTR;
	lp_descriptor_link(object, link);
	return result(linkat(AT_FDCWD, link, to.dir, to.name, AT_SYMLINK_FOLLOW));
}

int lp_act_truncate(struct act *act)
{
	lp_autoclose int object = -1, fd = -1;
	char path[PATH_MAX], link[32];
	off_t size = (off_t)act->call->args[1];
	struct stat st;

	object = lp_object_open(act, AT_FDCWD, act->text, false, true);
	if (object < 0)
		return LET_GO_ON;
	if (fstat(object, &st) < 0 || !S_ISREG(st.st_mode) || !lp_descriptor_text(object, path) ||
		lp_spares_hold(&act->broker->spares, path) || !lp_is_writable(act->broker, path))
		return LET_GO_ON;
	if (!lp_act_is_valid(act))
		return -EINTR;
	if (size > st.st_size && lp_task_file_too_large(act->call->tid, size))
		return -EFBIG;
	lp_descriptor_link(object, link);
	/* truncate(2) would wait here until a lease is given back */
	fd = open(link, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : result(ftruncate(fd, size));
}
