/*
 * pid 1 inside bwrap: confines itself, starts the command, reaps orphans, passes signals on and
 * tells landpen what became of the command. When landpen dies without having said that the pen
 * may go on, everything in it is killed.
 *
 * Runs inside the mounts and the pid namespace, under the same filter as the command. The command
 * cannot signal it (pid 1 has no handlers) and never sees its socket.
 */
#include "supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine/confine.h"
#include "supervise/parts.h"

struct init {
	int signals;
	struct watch watch;
};

static void complain(const struct lp_err *err)
{
	dprintf(STDERR_FILENO, "landpen: %s\n", err->text);
}

static int receive_plan(
	int socket, struct lp_plan *plan, uint32_t *ret_ignored, uint32_t *ret_blocked)
{
	struct lp_inside inside;

	if (recv(socket, &inside, sizeof(inside), 0) != sizeof(inside) ||
		inside.filter >= LP_FILTER_COUNT)
		return -EPROTO;
	*plan = (struct lp_plan){.filter = inside.filter,
		.drop_capabilities = inside.drop_capabilities,
		.handled = {.handled_net = inside.handled_net, .scoped = inside.scoped},
		.limits = {inside.limits[0], inside.limits[1], inside.limits[2], inside.limits[3],
			inside.limits[4]}};
	*ret_ignored = inside.ignored_signals;
	*ret_blocked = inside.blocked_signals;
	return 0;
}

/* The environment's words, an empty one, the command's: one after the other, each with its NUL. */
static int receive_command(int fd, struct lp_strv *environment, struct lp_strv *argv)
{
	struct lp_strv *words = environment;
	struct stat st;
	char *text;
	int r = 0;

	if (fstat(fd, &st) < 0 || st.st_size < 1)
		return -EPROTO;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (text == MAP_FAILED)
		return -errno;
	for (off_t at = 0; r == 0 && at < st.st_size; at += (off_t)strlen(text + at) + 1)
		if (words == environment && !text[at])
			words = argv;
		else
			r = lp_strv_add(words, text + at);
	munmap(text, (size_t)st.st_size);
	return r;
}

/* The caller's standard descriptors arrive as 4, 5 and 6; see run.c for why. */
static int take_descriptors(int socket)
{
	for (int fd = 0; fd < 3; fd++)
		if (dup2(4 + fd, fd) < 0 && errno != EBADF)
			return -errno;
	if (socket != 3)
		return -EINVAL;
	for (int fd = 4; fd < 9; fd++)
		close(fd);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	/* the locks of the stubs and the TMPDIR: held for as long as the mounts are */
	fcntl(9, F_SETFD, FD_CLOEXEC);
	fcntl(11, F_SETFD, FD_CLOEXEC);
	fcntl(12, F_SETFD, FD_CLOEXEC);
	close(10); /* bwrap has read it */
	/* GATE_SOCKET, if there is a gate */
	fcntl(GATE_SOCKET, F_SETFD, FD_CLOEXEC);
	return lp_close_from(GATE_SOCKET + 1);
}

static void become_command(
	char *const *argv, char *const *environment, uint32_t ignored, uint32_t blocked)
{
	struct lp_err err;
	int code;

	lp_restore_signals(ignored, blocked);
	code = lp_confine_exec(argv, environment, &err);
	complain(&err);
	_exit(code);
}

static void loop(struct init *init)
{
	for (;;) {
		struct pollfd polled[] = {{.fd = init->signals, .events = POLLIN},
			{.fd = init->watch.socket, .events = POLLIN}};
		struct signalfd_siginfo info;

		if (lp_watch_reap(&init->watch))
			return;
		/* left-behind daemons must not find their pipes held open by their init */
		if (init->watch.command_ended)
			for (int fd = 0; fd < 3; fd++)
				close(fd);
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return;
		if (polled[0].revents && read(init->signals, &info, sizeof(info)) < 0 &&
			errno != EAGAIN)
			return;
		if (polled[1].revents && !lp_watch_obey(&init->watch))
			_exit(1); /* landpen is gone: the kernel ends the whole namespace */
	}
}

static int refuse(const struct init *init, const struct lp_err *err)
{
	complain(err);
	lp_watch_tell(&init->watch, LP_MESSAGE_REFUSED, 125, 0);
	return 125;
}

int lp_init_main(int argc)
{
	struct init init = {.signals = -1, .watch = {.socket = 3}};
	struct lp_strv environment = {0}, command = {0};
	struct lp_plan plan;
	struct lp_err err;
	sigset_t chld;
	uint32_t ignored, blocked;

	if (argc != 1 || getpid() != 1 || take_descriptors(3) < 0 ||
		receive_plan(3, &plan, &ignored, &blocked) < 0 ||
		receive_command(12, &environment, &command) < 0 || !environment.count ||
		!command.count)
		return 125;
	/* what a sharing process could ptrace or read: nothing; the socket is in here */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_SETMASK, &chld, NULL);
	if (lp_confine_inside(&plan, GATE_SOCKET, &err) < 0)
		return refuse(&init, &err);
	init.signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (init.signals < 0) {
		lp_fail(&err, errno, "signalfd: %m");
		return refuse(&init, &err);
	}
	lp_watch_tell(&init.watch, LP_MESSAGE_STARTED, 0, 0);
	init.watch.command = fork();
	if (init.watch.command == 0)
		become_command(command.items, environment.items, ignored, blocked);
	if (init.watch.command < 0) {
		lp_fail(&err, errno, "fork: %m");
		return refuse(&init, &err);
	}
	loop(&init);
	return 0;
}
