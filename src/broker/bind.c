/*
 * bind(2) of unix sockets, where no gate answers it: with an open network, or all unix sockets
 * allowed. In a carved directory the name is made on the caller's own socket; where a container's
 * seccomp profile refuses pidfd_getfd(2), on a like one that takes its place.
 *
 * Runs in the supervisor.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "broker/parts.h"
#include "task/task.h"

/* The caller's socket: a copy of its descriptor, or -errno. */
static int fetch(const struct act *act)
{
	lp_autoclose int pidfd = lp_pidfd_open(lp_task_process(act->call->tid));

	return pidfd < 0 ? pidfd : lp_pidfd_getfd(pidfd, lp_act_number(act, 0));
}

/* A fresh socket of the kind that the caller's is. ret_cloexec: whether its descriptor is. */
static int make_stand_in(const struct act *act, bool *ret_cloexec)
{
	int type, r = lp_task_unix_type(act->call->tid, lp_act_number(act, 0), &type), fd;

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	*ret_cloexec = type & SOCK_CLOEXEC;
	return fd;
}

/* Binds fd to the name at place, which the caller's umask holds for. */
static int bind_there(const struct act *act, int fd, const struct place *place)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", place->dir,
		    place->name) >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	lp_act_take_umask(act);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int lp_act_bind(struct act *act)
{
	LP_CLOSE_PLACE struct place place = {.dir = -1};
	struct sockaddr_un address = {0};
	size_t length = (uint32_t)act->call->args[2], path = offsetof(struct sockaddr_un, sun_path);
	lp_autoclose int fd = -1;
	bool stands_in = false, cloexec = false;
	struct stat st;
	int r;

	if (length <= path || length > sizeof(address) ||
		lp_read_memory(act->call->tid, act->call->args[1], &address, length) < 0 ||
		address.sun_family != AF_UNIX || !address.sun_path[0])
		return LET_GO_ON;
	memcpy(act->text, address.sun_path, length - path);
	act->text[length - path] = '\0';
	r = lp_place_find(act, AT_FDCWD, act->text, 0, &place);
	if (r || place.is_native || place.slash || lp_place_stat(&place, &st) ||
		!lp_place_may_change(act, &place) || lp_place_holds_rules(act, place.path))
		return r < 0 ? r : LET_GO_ON;
	fd = fetch(act);
	if (fd == -EPERM || fd == -ENOSYS) {
		stands_in = true;
		fd = make_stand_in(act, &cloexec);
	}
	if (fd < 0)
		return stands_in ? fd : LET_GO_ON;
	if (!lp_act_is_valid(act))
		return -EINTR;
	r = bind_there(act, fd, &place);
	if (r < 0 || !stands_in)
		return r;
	r = lp_notify_replace(act->listener, act->call->id, fd, lp_act_number(act, 0), cloexec);
	return r < 0 ? r : 0;
}
