/*
 * The janitor: one small process that outlives the command and removes the private TMPDIR.
 *
 * Natively the launcher becomes the command, so nobody of landpen's is left to clean up. The
 * janitor is a child of the command's then, but one without an exit signal, which wait(2) neither
 * reports nor counts (only __WALL does); it outlives the command and is reaped by init. If the
 * launcher is about to exec, it shares its memory (CLONE_VM) until then, which saves the copy of
 * the page tables; it makes only system calls that cannot fail meanwhile and no library state.
 */
#include "supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/kernel.h"

/* Room for lp_remove_tree's recursion; pages that are not touched cost nothing. */
#define JANITOR_STACK ((size_t)1024 * 1024)

static char janitor_stack[JANITOR_STACK] __attribute__((aligned(64)));

struct duty {
	const struct lp_plan *plan;
	int pidfd, lock_fd;
};

static int keep_house(void *argument)
{
	struct duty *duty = argument;
	/* out of the way first: either may have the number of the other's place */
	int pidfd = fcntl(duty->pidfd, F_DUPFD, 5), lock_fd = fcntl(duty->lock_fd, F_DUPFD, 5);
	struct pollfd launcher = {.fd = 3, .events = POLLIN};
	int tmpdir;

	setsid();
	if (chdir("/") < 0 || dup2(pidfd, 3) < 0 || dup2(lock_fd, 4) < 0)
		_exit(1);
	lp_close_from(5);
	close(0);
	close(1);
	close(2);
	while (poll(&launcher, 1, -1) < 0 && errno == EINTR)
		;
	/* The launcher has exec'ed or exited: this memory is the janitor's own from here on. */
	tmpdir = open(duty->plan->tmpdir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(4);
	while (tmpdir >= 0 && flock(tmpdir, LOCK_EX) < 0 && errno == EINTR)
		;
	lp_leftovers_remove(duty->plan);
	lp_tmpdir_sweep(duty->plan->tmpdir);
	_exit(0);
}

int lp_janitor_start(const struct lp_plan *plan, int lock_fd, bool shared, struct lp_err *err)
{
	static struct duty duty; /* outlives this frame: the janitor reads it */
	sigset_t all, callers;
	pid_t pid;

	duty = (struct duty){plan, lp_pidfd_open(getpid()), lock_fd};
	if (duty.pidfd < 0)
		return lp_fail(err, -duty.pidfd, "starting the janitor: %m (Linux 5.3 is needed)");
	/* inherited: until it has its own session, the terminal's signals are for it as well */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &callers);
	pid = clone(keep_house, janitor_stack + JANITOR_STACK, shared ? CLONE_VM : 0, &duty);
	sigprocmask(SIG_SETMASK, &callers, NULL);
	if (pid < 0)
		return lp_fail(err, errno, "starting the janitor: %m");
	/* The janitor has a copy of the descriptors already. */
	close(duty.pidfd);
	return 0;
}
