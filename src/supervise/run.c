/*
 * The front: landpen stays as the parent of bwrap, or of the supervisor, so that signals, stops and
 * the exit status are as they would be without it.
 *
 * Runs unconfined with the user's rights; reads only fixed-size messages from its own processes.
 * Ctrl-C and Ctrl-Z reach the command from the terminal directly (same process group): what the
 * kernel sent is not sent twice, what another process sent to landpen alone is passed on. landpen
 * stops itself only when the command has stopped.
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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bwrap/bwrap.h"
#include "kernel/kernel.h"
#include "supervise/parts.h"

/* Passed on when another process sends them; the others act on landpen as on any program. */
static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
	SIGWINCH, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGIO, SIGPIPE};

#define MAX_EXCLUDE ((size_t)16 * 1024 * 1024)

static uint32_t ignored_signals(void)
{
	uint32_t ignored = 0;
	struct sigaction action;

	for (int number = 1; number < 32; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			ignored |= 1U << number;
	return ignored;
}

/* git's exclude file as it is, and the stubs in it. */
static int fill_exclude(struct run *run, struct lp_err *err)
{
	const struct lp_plan *plan = run->plan;
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};
	lp_autofree char *old = NULL;
	size_t len, top = strlen(plan->project);
	int r = lp_read_file(AT_FDCWD, plan->exclude, MAX_EXCLUDE, &old, &len);

	if (r == 0)
		r = lp_str_add_bytes(&text, old, len);
	for (size_t i = 0; r == 0 && i < plan->stubs.count; i++)
		if (lp_path_is_under(plan->stubs.items[i], plan->project))
			r = lp_str_addf(&text, "\n%s", plan->stubs.items[i] + top);
	if (r == 0)
		r = lp_str_add(&text, "\n");
	run->exclude_fd = memfd_create("landpen-exclude", MFD_CLOEXEC);
	if (r == 0 && run->exclude_fd >= 0)
		r = lp_write_all(run->exclude_fd, text.text, text.len);
	if (r < 0 || run->exclude_fd < 0 || lseek(run->exclude_fd, 0, SEEK_SET) < 0)
		return lp_fail(err, r < 0 ? -r : errno, "%s: %m", plan->exclude);
	return 0;
}

static uint32_t blocked_signals(void)
{
	uint32_t blocked = 0;
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int number = 1; number < 32; number++)
		if (sigismember(&mask, number) == 1)
			blocked |= 1U << number;
	return blocked;
}

static int add_words(struct lp_str *str, char *const *words)
{
	int r = 0;

	for (; r == 0 && *words; words++)
		r = lp_str_add_bytes(str, *words, strlen(*words) + 1);
	return r;
}

/*
 * What goes past bwrap, NUL-terminated: the environment, an empty word, the command. bwrap takes
 * 9,000 arguments at most; and in its environment LD_PRELOAD would load a library that a command
 * could write, outside of the pen.
 */
static int fill_command(struct run *run, struct lp_err *err)
{
	struct lp_str words LP_CLEANUP(lp_str_clear) = {0};
	int r = add_words(&words, run->plan->environment.items);

	if (r == 0)
		r = lp_str_add_bytes(&words, "", 1);
	if (r == 0)
		r = add_words(&words, run->order->argv);
	run->command_fd = memfd_create("landpen-command", MFD_CLOEXEC);
	if (r == 0 && run->command_fd >= 0)
		r = lp_write_all(run->command_fd, words.text, words.len);
	if (r < 0 || run->command_fd < 0 || lseek(run->command_fd, 0, SEEK_SET) < 0)
		return lp_fail(err, r < 0 ? -r : errno, "preparing bubblewrap: %m");
	return 0;
}

static int open_pair(int *ret_outer, int *ret_inner, struct lp_err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return lp_fail(err, errno, "socketpair: %m");
	*ret_outer = pair[0];
	*ret_inner = pair[1];
	return 0;
}

static int send_plan(const struct run *run)
{
	const struct lp_limits *limits = &run->plan->limits;
	const struct lp_inside inside = {.filter = run->plan->filter,
		.drop_capabilities = run->plan->drop_capabilities,
		.scoped = run->plan->handled.scoped,
		.handled_net = run->plan->handled.handled_net,
		.limits = {limits->address_space, limits->processes, limits->open_files,
			limits->file_size, limits->core},
		.ignored_signals = run->ignored,
		.blocked_signals = run->blocked};

	return send(run->socket, &inside, sizeof(inside), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* What bwrap and its pid 1 are told, and where they complain. */
static int prepare_bwrap(struct run *run, struct lp_err *err)
{
	int errors[2], r;

	if (pipe2(errors, O_CLOEXEC) < 0)
		return lp_fail(err, errno, "pipe: %m");
	run->errors = errors[0];
	run->error_pipe = errors[1];
	run->args_fd = memfd_create("landpen-args", MFD_CLOEXEC);
	/* bwrap execs this very binary as pid 1, even where its path is hidden inside */
	run->self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (run->args_fd < 0 || run->self_fd < 0)
		return lp_fail(err, errno, "preparing bubblewrap: %m");
	if (fill_command(run, err) < 0)
		return -EIO;
	r = run->plan->exclude ? fill_exclude(run, err) : 0;
	if (r < 0)
		return r;
	r = lp_bwrap_arguments(run->plan, run->args_fd, 7, 10, &run->arguments);
	if (r == 0)
		r = lp_strv_add(&run->arguments, LP_INIT_NAME);
	if (r == 0)
		r = send_plan(run);
	return r < 0 ? lp_fail(err, -r, "preparing bubblewrap: %m") : 0;
}

/* Moves a descriptor to its number for the child; *fd is CLOEXEC, the copy is not. */
static void place(int fd, int number)
{
	if (fd < 0 || dup2(fd, number) < 0)
		close(number);
}

/*
 * In the child. bwrap keeps its standard descriptors open until the pen is empty, so it gets none
 * of the caller's: those travel as 4, 5 and 6 to init, which puts them in their places. 3: init's
 * socket, 7: bwrap's arguments, 8: this binary, 9: the lock that keeps the stubs,
 * 10: the content of git's exclude file, 11: the lock of the TMPDIR, 12: the
 * environment and words of the command, 13: the socket to the gate.
 */
void lp_exec_bwrap(const struct run *run)
{
	const int sources[] = {run->inner_socket, 0, 1, 2, run->args_fd, run->self_fd,
		run->stubs_lock, run->exclude_fd, run->tmpdir_lock, run->command_fd,
		run->gate_socket};
	int copies[LP_ARRAY_SIZE(sources)], null_fd, errors;

	for (size_t i = 0; i < LP_ARRAY_SIZE(sources); i++)
		copies[i] = fcntl(sources[i], F_DUPFD, 20);
	errors = fcntl(run->error_pipe, F_DUPFD, 20);
	null_fd = open("/dev/null", O_RDWR);
	dup2(null_fd, 0);
	dup2(null_fd, 1);
	dup2(errors, 2);
	for (size_t i = 0; i < LP_ARRAY_SIZE(sources); i++)
		place(copies[i], 3 + (int)i);
	lp_close_from(GATE_SOCKET + 1);
	for (size_t i = 0; i < LP_ARRAY_SIZE(passed_on); i++)
		signal(passed_on[i], SIG_IGN); /* bwrap must outlive Ctrl-C */
	sigprocmask(SIG_SETMASK, &run->caller_mask, NULL);
	execve(run->plan->bwrap, run->arguments.items, (char *[]){NULL});
	dprintf(2, "%s: %s", run->plan->bwrap, strerror(errno));
	_exit(125);
}

static int catch_signals(struct run *run, struct lp_err *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	for (size_t i = 0; i < LP_ARRAY_SIZE(passed_on); i++)
		sigaddset(&mask, passed_on[i]);
	sigprocmask(SIG_BLOCK, &mask, &run->caller_mask);
	run->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signals < 0 ? lp_fail(err, errno, "signalfd: %m") : 0;
}

static void close_inner(struct run *run)
{
	int *const inner[] = {&run->inner_socket, &run->inner_control, &run->error_pipe};

	for (size_t i = 0; i < LP_ARRAY_SIZE(inner); i++) {
		lp_closep(inner[i]);
		*inner[i] = -1;
	}
}

static int start(struct run *run, struct lp_err *err)
{
	const struct timeval patience = {.tv_sec = 5};
	bool supervised = run->plan->filter & LP_FILTER_NOTIFY;
	int r = open_pair(&run->socket, &run->inner_socket, err);

	if (r == 0 && supervised)
		r = open_pair(&run->control, &run->inner_control, err);
	if (r == 0 && supervised) /* a stopped supervisor must not keep the command's status */
		setsockopt(run->control, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (r == 0 && run->plan->backend == LP_BACKEND_BWRAP)
		r = prepare_bwrap(run, err);
	if (r == 0)
		r = catch_signals(run, err);
	if (r < 0)
		return r;
	run->child = fork();
	if (run->child == 0 && supervised)
		_exit(lp_supervisor_run(run));
	if (run->child == 0)
		lp_exec_bwrap(run);
	if (run->child < 0)
		return lp_fail(err, errno, "fork: %m");
	close_inner(run);
	return 0;
}

static void pass_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == sizeof(info)) {
		const struct lp_message message = {
			LP_MESSAGE_SIGNAL, (int)info.ssi_signo, run->stops};

		/*
		 * SI_KERNEL: the terminal sent it to the whole group, the command included; but a
		 * hang-up goes to the leader of the session alone, which landpen may be.
		 */
		if (info.ssi_signo == SIGCHLD ||
			(info.ssi_code == SI_KERNEL && info.ssi_signo != SIGHUP))
			continue;
		send(run->socket, &message, sizeof(message), MSG_NOSIGNAL);
	}
}

/*
 * The command has stopped: so does landpen, and the shell sees its job stopped. By SIGSTOP,
 * whatever stopped the command: landpen's own terminal signals stay blocked, so that it stops once
 * for each report and never by itself. The SIGCONT that ends this is passed on by pass_signals():
 * `kill -CONT` of landpen alone must reach the command.
 */
static void stop_too(void)
{
	kill(getpid(), SIGSTOP);
}

/* What bwrap said when it could not start: its own words, one line. */
static int explain_failure(struct run *run, struct lp_err *err)
{
	char text[1024];
	ssize_t n = read(run->errors, text, sizeof(text) - 1);
	struct lp_str said LP_CLEANUP(lp_str_clear) = {0};

	text[n > 0 ? n : 0] = '\0';
	lp_str_add_escaped(&said, text, strcspn(text, "\n"));
	return lp_fail(err, EPERM,
		"bubblewrap could not make the pen: %s; %s; `landpen doctor` tells what this "
		"machine allows",
		said.len ? said.text : "it said nothing", lp_bwrap_cure(text));
}

/* Whether the supervisor could not start and has said why; asked, since it waits for us else. */
static bool was_refused(const struct run *run)
{
	struct lp_message message = {LP_MESSAGE_REPORT, 0, 0};

	if (run->control < 0)
		return false;
	send(run->control, &message, sizeof(message), MSG_NOSIGNAL);
	return recv(run->control, &message, sizeof(message), 0) == sizeof(message) &&
	       message.kind == LP_MESSAGE_REFUSED;
}

/* Lets the supervisor say what was refused, before the caller has its prompt again. */
static void ask_report(const struct run *run)
{
	struct lp_message message = {LP_MESSAGE_REPORT, 0, 0};

	if (run->control >= 0 &&
		send(run->control, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message))
		while (recv(run->control, &message, sizeof(message), 0) < 0 && errno == EINTR)
			;
}

/* 1: the command has ended and *ret_outcome is set; 0: go on. */
static int hear(struct run *run, bool *started, struct lp_outcome *ret_outcome, bool *ret_left,
	struct lp_err *err)
{
	struct lp_message message = {0};
	ssize_t n = recv(run->socket, &message, sizeof(message), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != sizeof(message)) {
		if (!*started && was_refused(run)) {
			*ret_outcome = (struct lp_outcome){.code = 125};
			return 1;
		}
		if (!*started)
			return explain_failure(run, err);
		*ret_outcome = (struct lp_outcome){.signal = SIGKILL}; /* init was killed */
		return 1;
	}
	*ret_left = message.more;
	switch (message.kind) {
	case LP_MESSAGE_STARTED:
		*started = true;
		return 0;
	case LP_MESSAGE_STOPPED:
		run->stops = message.more;
		stop_too();
		return 0;
	case LP_MESSAGE_REFUSED:
	case LP_MESSAGE_EXITED:
		*ret_outcome = (struct lp_outcome){.code = message.value};
		return 1;
	case LP_MESSAGE_KILLED:
		*ret_outcome = (struct lp_outcome){.signal = message.value};
		return 1;
	default:
		return lp_fail(err, EPROTO, "init inside bubblewrap: %m");
	}
}

static int wait_for_command(struct run *run, struct lp_outcome *ret_outcome, struct lp_err *err)
{
	const struct lp_message release = {LP_MESSAGE_RELEASE, 0, 0};
	bool started = false, left = false;
	int r = 0;

	while (r == 0) {
		struct pollfd polled[] = {{.fd = run->signals, .events = POLLIN},
			{.fd = run->socket, .events = POLLIN}};

		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return lp_fail(err, errno, "poll: %m");
		if (polled[0].revents)
			pass_signals(run);
		if (polled[1].revents)
			r = hear(run, &started, ret_outcome, &left, err);
	}
	if (r < 0)
		return r;
	ask_report(run);
	if (left) {
		send(run->socket, &release, sizeof(release), MSG_NOSIGNAL);
		return 1;
	}
	/* nobody is left: the mounts are gone when bwrap is, and the folders under them are free */
	while (waitpid(run->child, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

int lp_supervise(const struct lp_order *order, struct lp_outcome *ret_outcome, struct lp_err *err)
{
	const struct lp_plan *plan = order->plan;
	struct run run = {.order = order,
		.plan = plan,
		.socket = -1,
		.inner_socket = -1,
		.control = -1,
		.inner_control = -1,
		.errors = -1,
		.error_pipe = -1,
		.args_fd = -1,
		.self_fd = -1,
		.signals = -1,
		.stubs_lock = -1,
		.tmpdir_lock = order->tmpdir_lock,
		.exclude_fd = -1,
		.command_fd = -1,
		.gate_socket = -1,
		.ignored = ignored_signals(),
		.blocked = blocked_signals()};
	int r = lp_stubs_make(plan, &run.stubs_lock, err);

	if (r == 0)
		r = start(&run, err);
	if (r == 0)
		r = wait_for_command(&run, ret_outcome, err);
	lp_strv_clear(&run.arguments);
	lp_closep(&run.stubs_lock);
	lp_closep(&run.socket);
	lp_closep(&run.control);
	lp_closep(&run.errors);
	lp_closep(&run.signals);
	if (r <= 0)
		lp_leftovers_remove(plan);
	return r < 0 ? r : 0;
}
