/*
 * `landpen doctor`: what this machine can enforce, found by doing it in children that are thrown
 * away, and which back end a policy gets by that, or why none.
 */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bwrap/bwrap.h"
#include "confine/confine.h"

enum { LANDLOCK, SECCOMP, BWRAP, GATE, OUTSIDE };

/* In a child: with every right handled and no rule, a file that was readable must not be. */
static int try_landlock(int abi)
{
	struct lp_floor floor = {.path = (char *)"/dev/null", .access = LP_FS_READ_FILE};
	struct lp_plan plan = {.floor = &floor,
		.floor_count = 1,
		.filter = LP_FILTER_INET | LP_FILTER_UNIX | LP_FILTER_PTRACE |
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

static void set_check(struct lp_check *check, const char *name, bool works, const char *detail)
{
	*check = (struct lp_check){.name = name, .works = works};
	snprintf(check->detail, sizeof(check->detail), "%s", detail);
}

/* What stands in the way of asking the supervisor, or how it is asked. */
static const char *tell_gate(const struct lp_abilities *abilities)
{
	if (abilities->listener_above)
		return "another program above listens to system calls already";
	if (!abilities->seccomp_notify)
		return "no seccomp notifications that give descriptors";
	if (!abilities->memory)
		return "landpen may not read its children's memory: kernel.yama.ptrace_scope above "
		       "1, or a container's filter";
	return abilities->pidfd_getfd ? "host names and protected names can be held"
				      : "host names and protected names can be held; pidfd_getfd "
					"is refused here, so sockets are made by the gate";
}

void lp_tool_examine(struct lp_abilities *ret_abilities, struct lp_check ret_checks[LP_CHECKS])
{
	struct lp_abilities found;
	char text[160];
	bool works;

	lp_abilities_probe(&found);
	lp_abilities_probe_gate(&found, true);
	lp_bwrap_probe(&found);
	snprintf(text, sizeof(text), "ABI %d, errata 0x%x", found.landlock_abi,
		found.landlock_errata);
	works = in_child(try_landlock, found.landlock_abi);
	if (!works && found.landlock_abi)
		snprintf(text, sizeof(text),
			"ABI %d, but it does not hold: allow the landlock_ calls in the "
			"container's seccomp profile, or use --backend bwrap",
			found.landlock_abi);
	set_check(&ret_checks[LANDLOCK], "landlock", works, text);
	works = in_child(try_filter, 0);
	set_check(&ret_checks[SECCOMP], "seccomp", works,
		works ? "filters hold" : "no filters, or another filter forbids them");
	works = found.bwrap == LP_PROBE_YES;
	set_check(&ret_checks[BWRAP], "bwrap", works, works ? found.bwrap_path : found.bwrap_why);
	set_check(
		&ret_checks[GATE], "gate", found.seccomp_notify && found.memory, tell_gate(&found));
	works = !lp_confine_is_inside();
	set_check(&ret_checks[OUTSIDE], "outside", works,
		works ? "not inside a pen" : "inside a pen: a further landpen only execs");
	*ret_abilities = found;
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

static void print_json(const struct lp_check *checks, const struct lp_abilities *abilities,
	const struct lp_plan *plan, const char *backend, const char *why)
{
	printf("{");
	for (size_t i = 0; i < LP_CHECKS; i++) {
		printf("\"%s\": {\"works\": %s, \"detail\": ", checks[i].name,
			checks[i].works ? "true" : "false");
		print_json_text(checks[i].detail);
		printf("}, ");
	}
	printf("\"landlockAbi\": %d, \"policy\": {\"backend\": \"%s\", \"why\": ",
		abilities->landlock_abi, backend);
	print_json_text(why);
	printf(", \"gaps\": [");
	for (size_t i = 0; plan && i < plan->gap_count; i++)
		printf("%s\"%s\"", i ? ", " : "", plan->gaps[i].name);
	printf("]}}\n");
}

/* Whether the plan's back end is one that was seen to work; the reason if it is none. */
static bool can_hold(const struct lp_check checks[LP_CHECKS], const struct lp_plan *plan,
	const struct lp_err *why, struct lp_err *ret_reason)
{
	const struct lp_check *needed = &checks[SECCOMP];

	if (!plan) {
		*ret_reason = *why;
		return false;
	}
	if (plan->backend == LP_BACKEND_REFUSE) {
		lp_plan_refusal(plan, ret_reason);
		return false;
	}
	if (needed->works)
		needed = &checks[plan->backend == LP_BACKEND_LANDLOCK ? LANDLOCK : BWRAP];
	if (!needed->works)
		lp_fail(ret_reason, EPERM, "%s does not work here: %s", needed->name,
			needed->detail);
	return needed->works;
}

int lp_tool_doctor(const struct lp_cmdline *cmdline, const struct lp_abilities *abilities,
	const struct lp_check checks[LP_CHECKS], const struct lp_plan *plan,
	const struct lp_err *why)
{
	struct lp_err refusal = {0};
	bool holds = can_hold(checks, plan, why, &refusal);
	const char *backend = !holds                                 ? "refused"
			      : plan->backend == LP_BACKEND_LANDLOCK ? "landlock"
								     : "bwrap";

	if (cmdline->plan) {
		struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

		lp_abilities_print(abilities, &text);
		fputs(text.text, stdout);
	} else if (cmdline->json) {
		print_json(checks, abilities, plan, backend, refusal.text);
	} else {
		for (size_t i = 0; i < LP_CHECKS; i++)
			printf("%-10s %-4s %s\n", checks[i].name, checks[i].works ? "yes" : "no",
				checks[i].detail);
		printf("%-10s %s%s%s\n", "policy", backend, holds ? "" : ": ", refusal.text);
	}
	return holds ? 0 : 1;
}
