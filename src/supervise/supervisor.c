/*
 * The supervisor: takes the notified calls to the gate and the broker for as long as a process of
 * the pen lives, also when landpen's front has ended with the command.
 *
 * Runs between the front and the command (natively) or bwrap, with the user's rights: an ancestor
 * of all, so that it may read their memory. From the command it reads what gate and broker read.
 * When the front is killed, it ends the pen; when it is killed itself, the kernel ends the command,
 * and whatever else is left has what Landlock grants and nothing more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "confine/confine.h"
#include "kernel/kernel.h"
#include "supervise/parts.h"
#include "wire/wire.h"

struct supervisor {
	struct run *run;
	struct lp_gate *gate;     /* NULL: no names are to be held */
	struct lp_broker *broker; /* NULL: the mounts hold the files, or nothing may change */
	struct lp_report *report;
	struct watch watch;
	struct updates updates;
	struct rlimit files; /* the caller's */
	int events, signals;
	bool has_callers;
	int handover[2]; /* the confined process sends the listener over it */
	int listener;
};

enum source {
	SOURCE_HANDOVER = 0,
	SOURCE_GATE,
	SOURCE_BROKER,
	SOURCE_SIGNALS,
	SOURCE_COMMAND, /* messages of the front for the command */
	SOURCE_CONTROL,
	SOURCE_UPDATES,
};

/* Keeps what is needed and nothing of the caller's but the standard descriptors. */
static int keep_descriptors(struct run *run, int *tcp, int *report, int *updates)
{
	int *const kept[] = {&run->inner_socket, &run->inner_control, &run->error_pipe,
		&run->args_fd, &run->self_fd, &run->stubs_lock, &run->tmpdir_lock, &run->exclude_fd,
		&run->command_fd, tcp, report, updates};
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

static int watch(const struct supervisor *supervisor, int fd, enum source source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};

	if (fd < 0)
		return 0;
	return epoll_ctl(supervisor->events, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* What a file has already is to hold before the command begins. */
static int watch_updates(struct supervisor *supervisor, struct lp_err *err)
{
	struct updates *updates = &supervisor->updates;
	int fd, r;

	if (updates->fd < 0)
		return 0;
	fd = lp_updates_watch(updates);
	r = fd < 0 ? fd : watch(supervisor, fd, SOURCE_UPDATES);
	if (r == -EMFILE)
		return lp_fail(err, EMFILE,
			"--control-fd %d: this user watches too many files; raise "
			"fs.inotify.max_user_instances",
			updates->number);
	if (r < 0 && r != -EPERM)
		return lp_fail(err, -r, "--control-fd %d: %m", updates->number);
	if (updates->growth >= 0)
		lp_updates_read(updates);
	while (r == -EPERM && lp_updates_read(updates)) /* a device, always ready */
		;
	return 0;
}

static int start_servers(
	struct supervisor *supervisor, struct lp_gate_order *order, struct lp_err *err)
{
	int r = 0;

	if (order->plan->filter & LP_FILTER_GATE) {
		r = lp_gate_start(order, &supervisor->gate, err);
		if (r == 0)
			r = watch(supervisor, lp_gate_events(supervisor->gate), SOURCE_GATE);
	}
	if (r == 0 && order->plan->filter & LP_FILTER_EDGE) {
		r = lp_broker_start(
			order->policy, order->plan, order->report, &supervisor->broker, err);
		if (r == 0)
			r = watch(supervisor, lp_broker_timer(supervisor->broker), SOURCE_BROKER);
	}
	return r;
}

static int open_supervisor(struct supervisor *supervisor, struct lp_err *err)
{
	struct run *run = supervisor->run;
	struct lp_gate_order order = {
		.policy = run->order->policy, .plan = run->plan, .place = run->order->place};
	int report_fd = run->order->report, r;
	sigset_t chld;

	supervisor->updates = (struct updates){.fd = run->order->control ? run->order->control : -1,
		.number = run->order->control,
		.policy = run->order->policy};
	if (keep_descriptors(run, &order.place.tcp, &report_fd, &supervisor->updates.fd) < 0)
		return lp_fail(err, errno, "descriptors: %m");
	if (supervisor->updates.fd >= 0 && lp_live_open(run->order->policy) < 0)
		return lp_fail(err, errno, "a place for updates: %m");
	supervisor->report = lp_report_new(order.policy, report_fd, run->order->verbose);
	order.report = supervisor->report;
	prctl(PR_SET_NAME, "landpen-gate", 0, 0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* the names in /proc/PID/fd are the user's to see, and so the command's */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	supervisor->signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	supervisor->events = epoll_create1(EPOLL_CLOEXEC);
	if (!supervisor->report || supervisor->signals < 0 || supervisor->events < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, supervisor->handover) < 0)
		return lp_fail(err, errno, "the supervisor: %m");
	raise_open_files(supervisor);
	r = start_servers(supervisor, &order, err);
	return r < 0 ? r : watch_updates(supervisor, err);
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
	if (lp_confine_landlock((struct lp_plan *)run->plan, supervisor->handover[1], &err) == 0) {
		lp_restore_signals(run->ignored, run->blocked);
		code = lp_confine_exec(run->order->argv, run->plan->environment.items, &err);
	}
	complain(&err);
	return code;
}

/* What is changed for the command is held to its own limit, and must not kill this process. */
static void lift_file_size(void)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_FSIZE, &limit);
	}
}

static int start_command(struct supervisor *supervisor, struct lp_err *err)
{
	struct run *run = supervisor->run;
	bool native = run->plan->backend == LP_BACKEND_LANDLOCK;
	pid_t parent = getpid();

	run->gate_socket = supervisor->handover[1];
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
	lp_closep(&supervisor->handover[1]);
	supervisor->handover[1] = -1;
	if (watch(supervisor, supervisor->handover[0], SOURCE_HANDOVER) < 0 ||
		watch(supervisor, supervisor->signals, SOURCE_SIGNALS) < 0 ||
		watch(supervisor, run->inner_control, SOURCE_CONTROL) < 0 ||
		watch(supervisor, supervisor->watch.socket, SOURCE_COMMAND) < 0)
		return lp_fail(err, errno, "epoll: %m");
	lift_file_size();
	/* what is done for the command must not succeed by root's privileges: those are not its */
	if (lp_drop_capabilities() < 0)
		return lp_fail(err, errno, "dropping capabilities: %m");
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
	struct lp_str violations LP_CLEANUP(lp_str_clear) = {0};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!supervisor->run->order->quiet && !supervisor->run->order->verbose &&
		lp_report_print(supervisor->report, &text) == 0)
		for (char *line = text.text, *end; line && *line; line = end + 1) {
			end = line + strcspn(line, "\n");
			dprintf(STDERR_FILENO, "landpen: %.*s\n", (int)(end - line), line);
		}
	if (supervisor->run->order->violations &&
		lp_report_violations(supervisor->report, &violations) == 0)
		lp_write_all(STDERR_FILENO, violations.text, violations.len);
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

static void take_listener(struct supervisor *supervisor)
{
	struct lp_packet packet;
	int fd = -1;

	if (lp_packet_receive(supervisor->handover[0], &packet, &fd) == 1 && fd >= 0) {
		supervisor->listener = fd;
		supervisor->has_callers = true;
		lp_notify_prepare(fd);
		if (supervisor->gate)
			lp_gate_listen(supervisor->gate, fd);
		if (supervisor->broker)
			lp_broker_started(supervisor->broker, supervisor->watch.command);
	}
	lp_closep(&supervisor->handover[0]);
	supervisor->handover[0] = -1;
}

static void serve_call(const struct supervisor *supervisor)
{
	struct lp_notification call;

	if (lp_notify_receive(supervisor->listener, &call) < 0)
		return; /* its caller is gone */
	if (supervisor->gate && lp_gate_serves(&call))
		lp_gate_call(supervisor->gate, &call);
	else if (supervisor->broker && lp_broker_serves(&call))
		lp_broker_call(supervisor->broker, supervisor->listener, &call);
	else
		lp_notify_answer(supervisor->listener, call.id, -EPERM);
}

/* The front has the descriptor open still. */
static void stop_updates(const struct supervisor *supervisor)
{
	const struct updates *updates = &supervisor->updates;

	epoll_ctl(supervisor->events, EPOLL_CTL_DEL,
		updates->growth >= 0 ? updates->growth : updates->fd, NULL);
}

/* False: the pen has come to its end. */
static bool serve(struct supervisor *supervisor, const struct epoll_event *event)
{
	struct signalfd_siginfo info;

	switch ((enum source)event->data.u64) {
	case SOURCE_HANDOVER:
		take_listener(supervisor);
		return true;
	case SOURCE_GATE:
		lp_gate_serve(supervisor->gate);
		return true;
	case SOURCE_BROKER:
		lp_broker_tick(supervisor->broker);
		return true;
	case SOURCE_SIGNALS:
		return read(supervisor->signals, &info, sizeof(info)) <= 0 ||
		       !lp_watch_reap(&supervisor->watch);
	case SOURCE_COMMAND:
		if (lp_watch_obey(&supervisor->watch))
			return true;
		kill_everybody();
		return false;
	case SOURCE_CONTROL:
		hear_front(supervisor);
		return true;
	case SOURCE_UPDATES:
		if (!lp_updates_read(&supervisor->updates))
			stop_updates(supervisor);
		return true;
	}
	return true;
}

/* False: the pen has come to its end. */
static bool serve_events(struct supervisor *supervisor)
{
	struct epoll_event events[8];
	int count = epoll_wait(supervisor->events, events, LP_ARRAY_SIZE(events), 0);

	for (int i = 0; i < count; i++)
		if (!serve(supervisor, &events[i]))
			return false;
	return true;
}

/*
 * The listener is not among the events: epoll(7) would have the kernel wake this process on a
 * processor that is idle, and the caller then follows it there and back, at each call.
 */
static void loop(struct supervisor *supervisor)
{
	bool goes_on = true;

	while (goes_on) {
		struct pollfd polled[] = {{.fd = supervisor->events, .events = POLLIN},
			{.fd = supervisor->has_callers ? supervisor->listener : -1,
				.events = POLLIN}};

		if (poll(polled, LP_ARRAY_SIZE(polled), -1) < 0)
			continue;
		if (polled[1].revents & POLLIN)
			serve_call(supervisor);
		else if (polled[1].revents) /* nobody is left under the filter */
			supervisor->has_callers = false;
		if (polled[0].revents)
			goes_on = serve_events(supervisor);
	}
}

int lp_supervisor_run(struct run *run)
{
	struct supervisor supervisor = {.run = run,
		.events = -1,
		.signals = -1,
		.listener = -1,
		.handover = {-1, -1},
		.watch = {.socket = -1}};
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
	lp_broker_freep(&supervisor.broker);
	lp_report_freep(&supervisor.report);
	return 0;
}
