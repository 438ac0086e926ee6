/*
 * The supervisor: serves the gate for as long as a process of the pen lives, also when landpen's
 * front has ended with the command.
 *
 * Runs between the front and the command (natively) or bwrap, with the user's rights: an ancestor
 * of all, so that it may read their memory. From the command it reads what the gate reads. When the
 * front is killed, it ends the pen; when it is killed itself, the kernel ends the command, and
 * whatever else is left has no network any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/confine.h"
#include "kernel/kernel.h"
#include "supervise/parts.h"

struct supervisor {
	struct run *run;
	struct lp_gate *gate;
	struct watch watch;
	struct rlimit files; /* the caller's */
	int signals;
};

/* Keeps what is needed and nothing of the caller's but the standard descriptors. */
static int keep_descriptors(struct run *run, int *tcp, int *report)
{
	int *const kept[] = {&run->inner_socket, &run->inner_control, &run->error_pipe,
		&run->args_fd, &run->self_fd, &run->project_lock, &run->tmpdir_lock,
		&run->exclude_fd, &run->command_fd, tcp, report};
	int next = 3;

	for (size_t i = 0; i < LP_ARRAY_SIZE(kept); i++) {
		if (*kept[i] < 0)
			continue;
		*kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, 40);
		if (*kept[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(kept); i++) {
		if (*kept[i] < 0)
			continue;
		if (dup3(*kept[i], next, O_CLOEXEC) < 0)
			return -errno;
		*kept[i] = next++;
	}
	return lp_close_from(next);
}

static void raise_open_files(struct supervisor *supervisor)
{
	struct rlimit raised;

	getrlimit(RLIMIT_NOFILE, &supervisor->files);
	raised = supervisor->files;
	raised.rlim_cur = raised.rlim_max;
	setrlimit(RLIMIT_NOFILE, &raised);
}

static void complain(const struct lp_err *err)
{
	dprintf(STDERR_FILENO, "landpen: %s\n", err->text);
}

static int open_supervisor(struct supervisor *supervisor, struct lp_err *err)
{
	struct run *run = supervisor->run;
	struct lp_gate_order order = {.policy = run->order->policy,
		.plan = run->plan,
		.place = run->order->place,
		.report = run->order->report,
		.live = run->order->verbose};
	sigset_t chld;

	if (keep_descriptors(run, &order.place.tcp, &order.report) < 0)
		return lp_fail(err, errno, "descriptors: %m");
	prctl(PR_SET_NAME, "landpen-gate", 0, 0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* the names in /proc/PID/fd are the user's to see, and so the command's */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	supervisor->signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signals < 0)
		return lp_fail(err, errno, "signalfd: %m");
	raise_open_files(supervisor);
	return lp_gate_start(&order, &supervisor->gate, err);
}

/* In the child: from here to the command. */
static int become_command(struct supervisor *supervisor, pid_t parent)
{
	struct run *run = supervisor->run;
	struct lp_err err;
	int code = 125;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		return code;
	if (lp_confine_landlock(
		    (struct lp_plan *)run->plan, lp_gate_socket(supervisor->gate), &err) == 0) {
		lp_restore_signals(run->ignored, run->blocked);
		code = lp_confine_exec(run->order->argv, run->plan->environment.items, &err);
	}
	complain(&err);
	return code;
}

static int start_command(struct supervisor *supervisor, struct lp_err *err)
{
	struct run *run = supervisor->run;
	bool native = run->plan->backend == LP_BACKEND_LANDLOCK;
	pid_t parent = getpid();

	run->gate_socket = lp_gate_socket(supervisor->gate);
	supervisor->watch.socket = native ? run->inner_socket : -1;
	if (native)
		lp_watch_tell(&supervisor->watch, LP_MESSAGE_STARTED, 0, 0);
	supervisor->watch.command = fork();
	if (supervisor->watch.command == 0) {
		setrlimit(RLIMIT_NOFILE, &supervisor->files);
		if (native)
			_exit(become_command(supervisor, parent));
		lp_exec_bwrap(run);
	}
	if (supervisor->watch.command < 0)
		return lp_fail(err, errno, "fork: %m");
	lp_gate_started(supervisor->gate);
	if (lp_gate_watch(supervisor->gate, supervisor->signals) < 0 ||
		lp_gate_watch(supervisor->gate, run->inner_control) < 0 ||
		(native && lp_gate_watch(supervisor->gate, run->inner_socket) < 0))
		return lp_fail(err, errno, "epoll: %m");
	lp_closep(&run->error_pipe);
	if (!native)
		lp_closep(&run->inner_socket);
	return 0;
}

/* Everybody below, and those whom they leave to us while we are at it. */
static void kill_everybody(void)
{
	char path[64];
	lp_autofree char *children = NULL;
	size_t len;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	do {
		lp_freep(&children);
		children = NULL;
		if (lp_read_file(AT_FDCWD, path, (size_t)1024 * 1024, &children, &len) < 0)
			return;
		for (char *at = children; *at;) {
			pid_t pid = (pid_t)strtol(at, &at, 10);

			if (pid > 0)
				kill(pid, SIGKILL);
			while (*at == ' ')
				at++;
		}
	} while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}

/* The list for the user; then the terminal and the caller's pipes are let go. */
static void report(const struct supervisor *supervisor)
{
	const struct lp_message done = {LP_MESSAGE_REPORTED, 0, 0};
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!supervisor->run->order->quiet && !supervisor->run->order->verbose &&
		lp_gate_tell(supervisor->gate, &text) == 0)
		for (char *line = text.text, *end; line && *line; line = end + 1) {
			end = line + strcspn(line, "\n");
			dprintf(STDERR_FILENO, "landpen: %.*s\n", (int)(end - line), line);
		}
	for (int fd = 0; fd < 3; fd++)
		dup2(null_fd, fd);
	lp_closep(&null_fd);
	send(supervisor->run->inner_control, &done, sizeof(done), MSG_NOSIGNAL);
}

static void hear_front(struct supervisor *supervisor)
{
	struct run *run = supervisor->run;
	struct lp_message message;
	ssize_t n = recv(run->inner_control, &message, sizeof(message), MSG_DONTWAIT);

	if (n == sizeof(message) && message.kind == LP_MESSAGE_REPORT)
		report(supervisor);
	if (n >= 0) { /* it asks once; or it is gone */
		close(run->inner_control);
		run->inner_control = -1;
	}
}

static void loop(struct supervisor *supervisor)
{
	struct run *run = supervisor->run;

	for (;;) {
		struct pollfd polled[] = {{.fd = supervisor->signals, .events = POLLIN},
			{.fd = supervisor->watch.socket, .events = POLLIN},
			{.fd = run->inner_control, .events = POLLIN}};
		struct signalfd_siginfo info;

		if (!lp_gate_serve(supervisor->gate))
			continue;
		if (poll(polled, LP_ARRAY_SIZE(polled), 0) < 0 && errno != EINTR)
			return;
		if (polled[0].revents && read(supervisor->signals, &info, sizeof(info)) > 0 &&
			lp_watch_reap(&supervisor->watch))
			return;
		if (polled[1].revents && !lp_watch_obey(&supervisor->watch)) {
			kill_everybody();
			return;
		}
		if (polled[2].revents)
			hear_front(supervisor);
	}
}

int lp_supervisor_run(struct run *run)
{
	struct supervisor supervisor = {.run = run, .signals = -1, .watch = {.socket = -1}};
	const struct lp_message refused = {LP_MESSAGE_REFUSED, 125, 0};
	struct lp_err err;
	int r = open_supervisor(&supervisor, &err);

	if (r == 0)
		r = start_command(&supervisor, &err);
	if (r < 0) {
		complain(&err);
		send(run->inner_control, &refused, sizeof(refused), MSG_NOSIGNAL);
		return 125;
	}
	loop(&supervisor);
	/* the front may still ask: nobody is left whose calls could wait meanwhile */
	while (run->inner_control >= 0) {
		struct pollfd polled = {.fd = run->inner_control, .events = POLLIN};

		if (poll(&polled, 1, -1) < 0 && errno != EINTR)
			break;
		if (polled.revents)
			hear_front(&supervisor);
	}
	lp_gate_freep(&supervisor.gate);
	return 0;
}
