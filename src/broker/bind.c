/*
 * bind(2) of unix sockets, where no gate answers it: with an open network, or all unix sockets
 * allowed. In a carved directory the name is made on the caller's own socket.
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

int lp_act_bind(struct act *act)
{
	LP_CLOSE_PLACE struct place place = {.dir = -1};
	struct sockaddr_un address = {0};
	size_t length = (uint32_t)act->call->args[2], path = offsetof(struct sockaddr_un, sun_path);
	lp_autoclose int fd = -1;
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
	if (fd < 0)
		return LET_GO_ON;
	if (!lp_act_is_valid(act))
		return -EINTR;
	if (snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", place.dir,
		    place.name) >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	lp_act_take_umask(act);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}
