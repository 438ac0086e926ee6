/*
 * The nearest ancestor of the command: reaps, and tells landpen what became of the command.
 *
 * Runs in pid 1 inside bubblewrap, and natively in the supervisor.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervise/parts.h"

void lp_watch_tell(const struct watch *watch, int kind, int value, int more)
{
	const struct lp_message message = {kind, value, more};

	if (watch->socket < 0 || send(watch->socket, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		return; /* landpen is gone: the end of the socket is seen by the loop */
}

static bool has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool lp_watch_reap(struct watch *watch)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		if (pid != watch->command)
			continue;
		if (WIFCONTINUED(status)) {
			watch->stopped = false;
			continue;
		}
		if (WIFSTOPPED(status)) {
			watch->stopped = true;
			lp_watch_tell(watch, LP_MESSAGE_STOPPED, WSTOPSIG(status), ++watch->stops);
			continue;
		}
		watch->command_ended = true;
		if (WIFSIGNALED(status))
			lp_watch_tell(watch, LP_MESSAGE_KILLED, WTERMSIG(status), has_children());
		else
			lp_watch_tell(
				watch, LP_MESSAGE_EXITED, WEXITSTATUS(status), has_children());
	}
	return pid < 0 && errno == ECHILD;
}

bool lp_watch_obey(struct watch *watch)
{
	struct lp_message message;
	ssize_t n = recv(watch->socket, &message, sizeof(message), MSG_DONTWAIT);
	int error = errno;

	/* a stop that came before the message is to be counted before it */
	lp_watch_reap(watch);
	errno = error;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n != sizeof(message)) {
		if (!watch->released)
			return false;
		close(watch->socket);
		watch->socket = -1;
	} else if (message.kind == LP_MESSAGE_RELEASE) {
		watch->released = true;
	} else if (message.kind == LP_MESSAGE_SIGNAL && !watch->command_ended &&
		   (message.value != SIGCONT || (watch->stopped && message.more == watch->stops))) {
		/* a SIGCONT that comes late must not undo a stop, not even one still on its way */
		kill(watch->command, message.value);
	}
	return true;
}

void lp_restore_signals(uint32_t ignored, uint32_t blocked)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (int number = 1; number < 32; number++)
		if (blocked & (1U << number))
			sigaddset(&mask, number);
	for (int number = 1; number < 32; number++)
		if (number != SIGKILL && number != SIGSTOP)
			signal(number, ignored & (1U << number) ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}
