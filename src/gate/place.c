/*
 * Binds a unix socket by the very text that the program gave, because getsockname(2) shows that:
 * Go's listeners unlink it when they are closed.
 *
 * Runs in the supervisor; the text is the caller's. The kernel looks it up anew, when the command
 * may have put symlinks in its way, so that is done in a process with a working directory of its
 * own, which shares all else and ends with it: for a name without a folder in the folder that was
 * decided on; for others where Landlock lets that process make sockets in that folder, and below
 * it, only. The command may make them there by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/parts.h"
#include "task/task.h"

struct order {
	const struct caller *caller;
	mode_t umask;
	int directory; /* to work in */
	int ruleset;   /* -1: none */
	int result;
};

/* In the other process. */
static int bind_there(void *context)
{
	struct order *order = context;
	const struct caller *caller = order->caller;

	umask(order->umask);
	if (fchdir(order->directory) == 0 &&
		(order->ruleset < 0 || (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
					       lp_landlock_restrict(order->ruleset) == 0)))
		order->result =
			bind(caller->fd, &caller->address.any, caller->length) < 0 ? -errno : 0;
	return 0;
}

static int bind_elsewhere(struct order *order)
{
	static _Alignas(64) char stack[32768];
	pid_t pid = clone(
		bind_there, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FILES, order);

	if (pid < 0)
		return -errno;
	while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	return order->result;
}

static int make_ruleset(int folder)
{
	const struct lp_landlock_attr handled = {.handled_fs = LP_FS_MAKE_SOCK};
	lp_autoclose int ruleset = lp_landlock_create(&handled);
	int r = ruleset < 0 ? ruleset : lp_landlock_add_path(ruleset, folder, LP_FS_MAKE_SOCK);

	return r < 0 ? r : LP_TAKE_FD(ruleset);
}

static bool may_serve_below(const struct lp_gate *gate, int folder)
{
	lp_autofree char *path = lp_descriptor_path(folder);

	return path && (lp_path_is_under(path, gate->plan->tmpdir) ||
			       lp_plan_grants(gate->plan, path, LP_FS_MAKE_SOCK));
}

static int bind_by_text(struct order *order, int folder)
{
	char link[64];
	lp_autoclose int cwd = -1, ruleset = -1;

	if (!memchr(order->caller->address.un.sun_path, '/',
		    sizeof(order->caller->address.un.sun_path)))
		return bind_elsewhere(order);
	if (!may_serve_below(order->caller->gate, folder))
		return -EACCES;
	snprintf(link, sizeof(link), "/proc/%d/cwd", order->caller->call.tid);
	cwd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ruleset = make_ruleset(folder);
	if (cwd < 0 || ruleset < 0)
		return -EACCES;
	order->directory = cwd;
	order->ruleset = ruleset;
	return bind_elsewhere(order);
}

int lp_bind_file(const struct caller *caller, int folder, const char *name)
{
	struct order order = {.caller = caller,
		.umask = lp_task_umask(caller->call.tid),
		.directory = folder,
		.ruleset = -1,
		.result = -EACCES};
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	struct caller plain = *caller;
	int r = bind_by_text(&order, folder);

	if (r == 0 || r == -EADDRINUSE)
		return r;
	/* by the folder's descriptor: no text of the caller's, but getsockname(2) will show it */
	if (snprintf(place.sun_path, sizeof(place.sun_path), "/proc/self/fd/%d/%s", folder, name) >=
		(int)sizeof(place.sun_path))
		return -ENAMETOOLONG;
	plain.address.un = place;
	plain.length = sizeof(place);
	order = (struct order){.caller = &plain,
		.umask = order.umask,
		.directory = folder,
		.ruleset = -1,
		.result = -EACCES};
	return bind_elsewhere(&order);
}
