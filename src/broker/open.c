/*
 * open, openat, openat2 and creat.
 *
 * Runs in the supervisor. An object is opened once by O_PATH, looked at, and opened for the caller
 * through that descriptor; a new file is made with O_EXCL in the directory that was decided on.
 */
#include <errno.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "broker/parts.h"

#define TMPFILE_BIT  020000000 /* O_TMPFILE without its O_DIRECTORY */
#define MAX_TRIES    8
#define MAX_SLEEPERS 1024
#define MAX_HOW      64
/* what this process adds to every open of the command's, and takes away again */
#define QUIET (O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* What is asked for. */
struct wish {
	int dirfd, flags;
	mode_t mode;
};

static bool wants_writing(const struct wish *wish)
{
	return wish->flags & (O_ACCMODE | O_TRUNC | TMPFILE_BIT);
}

static int give(const struct act *act, const struct wish *wish, int fd)
{
	int r;

	if (!(wish->flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, wish->flags & (O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME));
	r = lp_notify_give(act->listener, act->call->id, fd, wish->flags & O_CLOEXEC);
	return r < 0 ? r : ANSWERED;
}

/* ---- FIFOs ---- */

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Looks again after a while, however long it took the last time: others are to be served, too. */
static void set_timer(const struct lp_broker *broker, int64_t spent)
{
	const int64_t pause = broker->sleepers ? 5000000 + 8 * spent : 0;
	const struct itimerspec spec = {
		.it_value = {pause / 1000000000, (long)(pause % 1000000000)}};

	timerfd_settime(broker->timer, 0, &spec, NULL);
}

/* Whether the other end is there now; its error ends the wait as well. -EAGAIN: not yet. */
static int try_fifo(struct sleeper *sleeper)
{
	char link[32];

	if (sleeper->fd < 0) {
		lp_descriptor_link(sleeper->object, link);
		sleeper->fd = open(link, sleeper->flags | QUIET);
		if (sleeper->fd < 0)
			return errno == ENXIO ? -EAGAIN : -errno;
	}
	if ((sleeper->flags & O_ACCMODE) == O_RDONLY) {
		struct pollfd polled = {.fd = sleeper->fd, .events = POLLIN};

		if (poll(&polled, 1, 0) == 0)
			return -EAGAIN;
	}
	return 0;
}

static void wake(struct sleeper *sleeper, int r)
{
	struct act act = {.listener = sleeper->listener, .call = &sleeper->call};
	const struct wish wish = {.flags = sleeper->flags};

	if (r == 0)
		r = give(&act, &wish, sleeper->fd);
	if (r < 0)
		lp_notify_answer(sleeper->listener, sleeper->call.id, r);
	lp_closep(&sleeper->object);
	lp_closep(&sleeper->fd);
	free(sleeper);
}

void lp_open_tick(struct lp_broker *broker)
{
	int64_t start = now_ns();

	for (struct sleeper **at = &broker->sleepers; *at;) {
		struct sleeper *sleeper = *at;
		int r = lp_notify_is_valid(sleeper->listener, sleeper->call.id) ? try_fifo(sleeper)
										: -EINTR;

		if (r == -EAGAIN) {
			at = &sleeper->next;
			continue;
		}
		*at = sleeper->next;
		broker->sleeper_count--;
		wake(sleeper, r);
	}
	set_timer(broker, now_ns() - start);
}

void lp_open_clear(struct lp_broker *broker)
{
	while (broker->sleepers) {
		struct sleeper *next = broker->sleepers->next;

		wake(broker->sleepers, -EINTR);
		broker->sleepers = next;
	}
}

/* Opening a FIFO waits for its other end: not here. Takes object. */
static int open_fifo(const struct act *act, const struct wish *wish, int object)
{
	struct lp_broker *broker = act->broker;
	struct sleeper *sleeper =
		broker->sleeper_count < MAX_SLEEPERS ? malloc(sizeof(*sleeper)) : NULL;
	int r;

	if (!sleeper) {
		lp_closep(&object);
		return -EAGAIN;
	}
	*sleeper = (struct sleeper){.call = *act->call,
		.listener = act->listener,
		.object = object,
		.flags = wish->flags & ~(O_CREAT | O_TRUNC | O_NOFOLLOW),
		.fd = -1};
	r = try_fifo(sleeper);
	if (r == -EAGAIN && wish->flags & O_NONBLOCK)
		r = sleeper->fd >= 0 ? 0 : -ENXIO;
	if (r != -EAGAIN) {
		wake(sleeper, r);
		return ANSWERED;
	}
	sleeper->next = broker->sleepers;
	broker->sleepers = sleeper;
	if (broker->sleeper_count++ == 0)
		set_timer(broker, 0);
	return ANSWERED;
}

/* ---- files ---- */

/* What is there, opened for the caller. Takes object. */
static int open_object(const struct act *act, const struct wish *wish, int object)
{
	lp_autoclose int held = object, fd = -1;
	char link[32], path[PATH_MAX];
	struct stat st;
	bool write = wants_writing(wish);

	if (fstat(held, &st) < 0 || !lp_descriptor_text(held, path))
		return LET_GO_ON;
	if (S_ISDIR(st.st_mode) ? (write && !(wish->flags & TMPFILE_BIT)) || wish->flags & O_CREAT
				: !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return LET_GO_ON; /* directories for writing, devices, sockets, symlinks */
	if (lp_spares_hold(&act->broker->spares, path) ||
		!lp_policy_may(act->broker->policy, path, write ? LP_ACCESS_WRITE : LP_ACCESS_READ)
			 .allowed) {
		if (write)
			lp_act_refused(act, path);
		return LET_GO_ON;
	}
	if (lp_is_view(held))
		return LET_GO_ON;
	if (!lp_act_is_valid(act))
		return -EINTR;
	if (S_ISFIFO(st.st_mode))
		return open_fifo(act, wish, LP_TAKE_FD(held));
	if (wish->flags & TMPFILE_BIT)
		lp_act_take_umask(act);
	lp_descriptor_link(held, link);
	fd = open(link,
		(wish->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | QUIET |
			(wish->flags & TMPFILE_BIT ? wish->flags & O_EXCL : 0),
		wish->mode);
	return fd < 0 ? -errno : give(act, wish, fd);
}

/* A new file. -EEXIST: there is something by now. */
static int create(const struct act *act, const struct wish *wish, const struct place *place)
{
	lp_autoclose int fd = -1;

	if (place->slash || !lp_place_may_change(act, place) ||
		lp_place_holds_rules(act, place->path))
		return LET_GO_ON;
	lp_act_take_umask(act);
	if (!lp_act_is_valid(act))
		return -EINTR;
	fd = openat(place->dir, place->name, wish->flags | O_EXCL | QUIET, wish->mode);
	return fd < 0 ? -errno : give(act, wish, fd);
}

/* Once: what is there may change. -EAGAIN: try again. */
static int open_once(const struct act *act, const struct wish *wish)
{
	bool exclusive = (wish->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL),
	     follow = !exclusive && !(wish->flags & O_NOFOLLOW);
	LP_CLOSE_PLACE struct place place = {.dir = -1};
	bool write = wants_writing(wish) || wish->flags & O_CREAT;
	struct stat st;
	int object = -1, r;

	r = lp_place_find(act, wish->dirfd, act->text,
		(follow ? PLACE_FOLLOW : 0) | (write ? 0 : PLACE_READ), &place);
	if (r == LET_GO_ON && !exclusive) {
		/* no name in a directory: "." and its like, or a descriptor of the caller's */
		object = lp_object_open(act, wish->dirfd, act->text, false, follow);
		return object < 0 ? LET_GO_ON : open_object(act, wish, object);
	}
	if (r || place.is_native)
		return r ? r : LET_GO_ON;
	if (!place.is_absent) {
		object = openat(place.dir, place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		place.is_absent = object < 0 && errno == ENOENT;
	}
	if (object >= 0) {
		if (exclusive ||
			(place.slash && (fstat(object, &st) < 0 || !S_ISDIR(st.st_mode)))) {
			close(object);
			return exclusive ? -EEXIST : LET_GO_ON;
		}
		return open_object(act, wish, object);
	}
	if (!place.is_absent || !(wish->flags & O_CREAT) || wish->flags & TMPFILE_BIT)
		return LET_GO_ON;
	r = create(act, wish, &place);
	return r == -EEXIST && !exclusive ? -EAGAIN : r;
}

static int open_as_wished(const struct act *act, const struct wish *wish)
{
	int r = -EAGAIN;

	if (wish->flags & O_PATH)
		return LET_GO_ON;
	for (int tries = 0; r == -EAGAIN && tries < MAX_TRIES; tries++)
		r = open_once(act, wish);
	return r;
}

/* Devices are granted one by one; "/dev/null" is the most written to of all. */
static bool is_device(const char *path)
{
	return !strcmp(path, "/dev/null") || !strcmp(path, "/dev/tty") ||
	       !strncmp(path, "/dev/pts/", 9);
}

int lp_act_open(struct act *act)
{
	const struct form *form = act->form;
	const struct wish wish = {.dirfd = form->dir < 0 ? AT_FDCWD : lp_act_number(act, form->dir),
		.flags = form->flags < 0 ? O_CREAT | O_WRONLY | O_TRUNC
					 : lp_act_number(act, form->flags),
		.mode = (mode_t)lp_act_number(act, form->mode) & 07777};

	return is_device(act->text) ? LET_GO_ON : open_as_wished(act, &wish);
}

/* What openat2(2) is asked for. LET_GO_ON where the kernel has an error for it. */
static int read_how(const struct act *act, struct open_how *ret_how)
{
	struct {
		struct open_how how;
		char more[MAX_HOW - sizeof(struct open_how)]; /* of a later kernel's: zeros */
	} given = {0};
	uint64_t size = act->call->args[3];

	if (size < sizeof(given.how) || size > sizeof(given) ||
		lp_read_memory(act->call->tid, act->call->args[2], &given, size) < 0)
		return LET_GO_ON;
	for (size_t i = 0; i < sizeof(given.more); i++)
		if (given.more[i])
			return LET_GO_ON;
	/* it looks at the rest before it looks for the directory */
	if (syscall(SYS_openat2, -1, "x", &given.how, sizeof(given.how)) >= 0 || errno != EBADF)
		return LET_GO_ON;
	*ret_how = given.how;
	return 0;
}

int lp_act_openat2(struct act *act)
{
	struct open_how how;
	struct wish wish;

	if (read_how(act, &how) == LET_GO_ON)
		return LET_GO_ON;
	wish = (struct wish){.dirfd = lp_act_number(act, 0),
		.flags = (int)how.flags,
		.mode = (mode_t)how.mode & 07777};
	act->resolve = how.resolve & ~(uint64_t)RESOLVE_CACHED;
	return open_as_wished(act, &wish);
}
