/*
 * `landpen doctor`: what this machine can enforce, found by doing it in children that are thrown
 * away, and which back end the usual policies would get.
 */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bwrap/bwrap.h"
#include "confine/confine.h"
#include "wire/wire.h"

struct check {
	const char *name;
	bool works;
	char detail[600];
};

/* In a child: with every right handled and no rule, a file that was readable must not be. */
static int try_landlock(int abi)
{
	struct lp_plan plan = {.filter = LP_FILTER_INET | LP_FILTER_UNIX | LP_FILTER_PTRACE |
					 LP_FILTER_NAMESPACES | LP_FILTER_METADATA,
		.handled = lp_landlock_known(abi),
		.limits = {LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED}};
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || abi < 1 || lp_confine_landlock(&plan, -1, NULL) < 0)
		return 1;
	return open("/proc/self/stat", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 1;
}

/* In a child: the tightest filter must refuse a unix socket and leave a socket pair alone. */
static int try_filter(int unused)
{
	struct lp_plan plan = {
		.limits = {LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED}};
	int pair[2], fd;

	(void)unused;
	if (lp_confine_landlock(&plan, -1, NULL) < 0)
		return 1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 || errno != EPERM)
		return 1;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 ? 0 : 1;
}

/* In a child's child: connects under a filter that is listened to. */
static void connect_under_gate(int socket)
{
	struct lp_plan plan = {.filter = LP_FILTER_GATE,
		.limits = {LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED}};

	if (lp_confine_landlock(&plan, socket, NULL) == 0)
		connect(-1, (const struct sockaddr *)"gate", 4);
}

/* In a child: a notified call's memory can be read, as the gate has to. */
static int try_gate(int unused)
{
	struct lp_notification call;
	struct lp_packet packet;
	char text[4] = "";
	int pair[2], listener = -1, r;
	struct pollfd polled = {.events = POLLIN};

	(void)unused;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 1;
	if (fork() == 0) {
		connect_under_gate(pair[1]);
		_exit(1);
	}
	close(pair[1]);
	polled.fd = pair[0];
	if (poll(&polled, 1, 1000) != 1 || lp_packet_receive(pair[0], &packet, &listener) != 1)
		return 1;
	polled.fd = listener;
	if (poll(&polled, 1, 1000) != 1 || lp_notify_receive(listener, &call) < 0)
		return 1;
	r = lp_read_memory(call.tid, call.args[1], text, sizeof(text)) == 0 ? 0 : 1;
	lp_notify_answer(listener, call.id, -EACCES);
	return r;
}

static bool in_child(int (*function)(int), int argument)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(function(argument));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

#define CHECKS 5

static void examine(struct lp_abilities *abilities, struct check checks[CHECKS])
{
	lp_abilities_probe(abilities);
	lp_abilities_probe_gate(abilities);
	lp_bwrap_probe(abilities);
	checks[0] = (struct check){
		.name = "landlock", .works = in_child(try_landlock, abilities->landlock_abi)};
	snprintf(checks[0].detail, sizeof(checks[0].detail), "ABI %d, errata 0x%x",
		abilities->landlock_abi, abilities->landlock_errata);
	checks[1] = (struct check){.name = "seccomp", .works = in_child(try_filter, 0)};
	snprintf(checks[1].detail, sizeof(checks[1].detail), "%s",
		checks[1].works ? "filters hold" : "no filters, or another filter forbids them");
	checks[2] = (struct check){.name = "bwrap", .works = abilities->bwrap == LP_PROBE_YES};
	snprintf(checks[2].detail, sizeof(checks[2].detail), "%s",
		checks[2].works ? abilities->bwrap_path : abilities->bwrap_why);
	checks[3] = (struct check){.name = "gate", .works = in_child(try_gate, 0)};
	snprintf(checks[3].detail, sizeof(checks[3].detail), "%s",
		!checks[3].works ? "host names and protected names cannot be held natively: no "
				   "seccomp notifications, a listener above, or "
				   "kernel.yama.ptrace_scope above 1"
		: abilities->pidfd_getfd
			? "host names and protected names can be held"
			: "host names and protected names can be held; pidfd_getfd is refused "
			  "here, so sockets are made by the gate");
	checks[4] = (struct check){.name = "outside", .works = !lp_confine_is_inside()};
	snprintf(checks[4].detail, sizeof(checks[4].detail), "%s",
		checks[4].works ? "not inside a pen"
				: "inside a pen: a further landpen only execs");
	if (!checks[0].works)
		abilities->landlock_abi = 0;
	abilities->seccomp_filter = checks[1].works;
	abilities->seccomp_notify = checks[3].works;
}

/* Which back end a policy that may write to its project gets, and one that may not. */
static const char *backend_for(const struct lp_abilities *abilities, bool writing)
{
	if (!abilities->seccomp_filter)
		return "refused";
	if (abilities->landlock_abi >= 6 && (!writing || abilities->seccomp_notify))
		return "landlock";
	return abilities->bwrap == LP_PROBE_YES ? "bwrap" : "refused";
}

static void print_json_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20)
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

static void print_json(
	const struct check *checks, size_t count, const struct lp_abilities *abilities)
{
	printf("{");
	for (size_t i = 0; i < count; i++) {
		printf("\"%s\": {\"works\": %s, \"detail\": ", checks[i].name,
			checks[i].works ? "true" : "false");
		print_json_text(checks[i].detail);
		printf("}, ");
	}
	printf("\"landlockAbi\": %d, \"backend\": {\"writableProject\": \"%s\", "
	       "\"readOnlyProject\": \"%s\"}}\n",
		abilities->landlock_abi, backend_for(abilities, true),
		backend_for(abilities, false));
}

int lp_tool_doctor(const struct lp_cmdline *cmdline, struct lp_err *err)
{
	struct lp_abilities abilities;
	struct check checks[CHECKS];

	(void)err;
	examine(&abilities, checks);
	if (cmdline->plan) {
		struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

		lp_abilities_print(&abilities, &text);
		fputs(text.text, stdout);
	} else if (cmdline->json) {
		print_json(checks, LP_ARRAY_SIZE(checks), &abilities);
	} else {
		for (size_t i = 0; i < LP_ARRAY_SIZE(checks); i++)
			printf("%-10s %-4s %s\n", checks[i].name, checks[i].works ? "yes" : "no",
				checks[i].detail);
		printf("%-10s %s\n%-10s %s\n", "writing", backend_for(&abilities, true), "reading",
			backend_for(&abilities, false));
	}
	return strcmp(backend_for(&abilities, true), "refused") ? 0 : 1;
}
