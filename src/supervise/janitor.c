/*
 * The janitor: one small process that outlives the command and removes the private TMPDIR.
 *
 * Natively the launcher becomes the command, so nobody of landpen's is left to clean up. The
 * janitor is a child of the command's then, but one without an exit signal, which wait(2) neither
 * reports nor counts (only __WALL does); it outlives the command and is reaped by init. If the
 * launcher is about to exec, it shares its memory (CLONE_VM) until then, which saves the copy of
 * the page tables; it makes only system calls that cannot fail meanwhile and no library state.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "supervise/parts.h"

/* Room for lp_remove_tree's recursion; pages that are not touched cost nothing. */
#define JANITOR_STACK ((size_t)1024 * 1024)

struct duty {
	const struct lp_plan *plan;
	pid_t parent;
	int launcher; /* its pidfd, or an error */
	int lock_fd;
};

/* The duty lies above the stack's start, on the same page. */
static struct {
	char stack[JANITOR_STACK - 2048];
	struct duty duty;
} janitor __attribute__((aligned(4096)));

void lp_leftovers_remove(const struct lp_plan *plan)
{
	lp_stubs_remove(plan);
	lp_remove_tree(AT_FDCWD, plan->tmpdir);
	if (plan->spares)
		lp_remove_tree(AT_FDCWD, plan->spares);
}

/* Pipes that the command closes must not stay open here. */
static void keep_only(int one, int two)
{
	int low = one < two ? one : two, high = one < two ? two : one;

	if (low > 0)
		lp_close_range(0, (unsigned)low - 1);
	if (high > low + 1)
		lp_close_range((unsigned)low + 1, (unsigned)high - 1);
	lp_close_from(high + 1);
}

/*
 * By its pidfd. Before Linux 5.3, and where a container refuses that, by looking now and then: a
 * pen may not send the signal of its end to whoever is outside.
 */
static void wait_for_launcher(const struct duty *duty)
{
	struct pollfd launcher = {.fd = duty->launcher, .events = POLLIN};

	if (duty->launcher >= 0)
		while (poll(&launcher, 1, -1) < 0 && errno == EINTR)
			;
	else
		while (getppid() == duty->parent)
			poll(NULL, 0, 200);
}

static int keep_house(void *argument)
{
	const struct duty *duty = argument;
	int lock_fd = duty->lock_fd, tmpdir;

	/* whoever waits for the command wakes up with this one and must not wait for it as well */
	setpriority(PRIO_PROCESS, 0, 19);
	/* out of reach of what is sent to the command's group; a session would be its own for the
	 * scheduler too (autogroup), where being nice counts for nothing */
	setpgid(0, 0);
	if (chdir("/") < 0)
		_exit(1);
	keep_only(duty->launcher < 0 ? lock_fd : duty->launcher, lock_fd);
	wait_for_launcher(duty);
	/* The launcher has exec'ed or exited: this memory is the janitor's own from here on. */
	tmpdir = open(duty->plan->tmpdir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(lock_fd);
	while (tmpdir >= 0 && flock(tmpdir, LOCK_EX) < 0 && errno == EINTR)
		;
	lp_leftovers_remove(duty->plan);
	lp_tmpdir_sweep(duty->plan->tmpdir);
	if (duty->plan->spares)
		lp_tmpdir_sweep(duty->plan->spares);
	_exit(0);
}

int lp_janitor_start(const struct lp_plan *plan, int lock_fd, bool shared, struct lp_err *err)
{
	int launcher = lp_pidfd_open(getpid());
	sigset_t all, callers;
	pid_t pid;

	/* inherited: until it has its own group, the terminal's signals are for it as well */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &callers);
	/* outlives this frame: the janitor reads it */
	janitor.duty = (struct duty){plan, getpid(), launcher, lock_fd};
	pid = clone(keep_house, janitor.stack + sizeof(janitor.stack), shared ? CLONE_VM : 0,
		&janitor.duty);
	sigprocmask(SIG_SETMASK, &callers, NULL);
	if (pid < 0)
		return lp_fail(err, errno, "starting the janitor: %m");
	/* The janitor has a copy of the descriptors already. */
	lp_closep(&launcher);
	return 0;
}
