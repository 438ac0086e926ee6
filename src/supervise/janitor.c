/*
 * The janitor: one small process that outlives the command and removes the private TMPDIR.
 *
 * Natively the launcher becomes the command, so nobody of landpen's is left to clean up; a child of
 * the command's would be reaped by it. The janitor is therefore a grandchild, adopted by init. If
 * the launcher is about to exec, it shares its memory (CLONE_VM) until then, which saves the copy of
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
#define STARTER_STACK ((size_t)16 * 1024)

static char janitor_stack[JANITOR_STACK] __attribute__((aligned(64)));
static char starter_stack[STARTER_STACK] __attribute__((aligned(64)));

struct duty {
	const struct lp_plan *plan;
	bool shared;
	int pidfd, lock_fd;
	pid_t started;
};

static int keep_house(void *argument)
{
	struct duty *duty = argument;
	struct pollfd launcher = {.fd = 3, .events = POLLIN};
	int tmpdir;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	if (chdir("/") < 0 || (duty->lock_fd != 4 && dup3(duty->lock_fd, 4, 0) < 0))
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

static int start_janitor(void *argument)
{
	struct duty *duty = argument;

	/* 3 and 4 are its descriptors whatever numbers they had; this table is a copy */
	if (duty->lock_fd == 3) {
		duty->lock_fd = dup(duty->lock_fd);
		if (duty->lock_fd < 0)
			_exit(1);
	}
	if (duty->pidfd != 3 && dup3(duty->pidfd, 3, 0) < 0)
		_exit(1);
	duty->started = clone(keep_house, janitor_stack + JANITOR_STACK,
		duty->shared ? CLONE_VM : 0, duty);
	_exit(duty->started < 0);
}

int lp_janitor_start(const struct lp_plan *plan, int lock_fd, bool shared, struct lp_err *err)
{
	static struct duty duty; /* outlives this frame: the janitor reads it */
	int status = 0;
	pid_t pid;

	duty = (struct duty){plan, shared, lp_pidfd_open(getpid()), lock_fd, 0};
	if (duty.pidfd < 0)
		return lp_fail(err, -duty.pidfd,
			"starting the janitor: %m (Linux 5.3 is needed)");
	pid = clone(start_janitor, starter_stack + STARTER_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD,
		&duty);
	if (pid < 0)
		return lp_fail(err, errno, "starting the janitor: %m");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(duty.pidfd);
	return status ? lp_fail(err, EAGAIN, "starting the janitor: %m") : 0;
}
