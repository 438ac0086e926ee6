/*
 * landpen: settings -> policy -> plan -> confine or supervise.
 *
 * Runs with the user's rights until the plan is complete. Natively this process confines itself and
 * becomes the command; around bwrap it stays as the parent. Every failure before that exits 125
 * with one sentence, and nothing has been started.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "bwrap/bwrap.h"
#include "confine/confine.h"
#include "kernel/kernel.h"
#include "plan/plan.h"
#include "policy/policy.h"
#include "settings/settings.h"
#include "supervise/supervise.h"
#include "tools/tools.h"

#define EXIT_REFUSED  125
#define EXIT_SRT      1 /* srt's, for the same */
#define MAX_ABILITIES ((size_t)64 * 1024)

extern char **environ;

/* What one invocation holds; freed by the kernel, since the process execs or ends. */
struct session {
	struct lp_cmdline cmdline;
	struct lp_policy *policy;
	struct lp_plan *plan;
	struct lp_abilities abilities;
	char *home, *cwd, *tmpdir;
	struct lp_gate_place place;
	int report;
	bool policy_failed; /* the settings are what is wrong */
	char **command;
	struct lp_str command_line; /* its words, for what speaks of it */
	struct lp_err err;
};

/* Who says so: landpen, or srt. */
static const char *speaker = "landpen";

/* One line on stderr. Paths in it may be hostile; where they were escaped before, once is enough.
 */
static void print_line(const char *line)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};

	while (*line) {
		size_t len = strcspn(line, "\\");

		lp_str_add_escaped(&str, line, len);
		line += len;
		len = strspn(line, "\\");
		lp_str_add_bytes(&str, line, len);
		line += len;
	}
	fprintf(stderr, "%s: %s\n", speaker, str.text ? str.text : "");
}

static void print_notices(const struct lp_strv *notices)
{
	lp_strv_foreach (line, notices)
		print_line(line);
}

static int refuse(const struct session *session)
{
	const struct lp_cmdline *cmdline = &session->cmdline;

	if (cmdline->srt)
		speaker = "Error";
	print_line(session->err.text);
	if (cmdline->srt && session->policy_failed)
		fprintf(stderr,
			"Refusing to run with the built-in defaults, which would drop %s.\n",
			cmdline->settings_file ? "the rules --settings asked for"
					       : "this file's rules");
	return cmdline->srt ? EXIT_SRT : EXIT_REFUSED;
}

static int find_place(struct session *session)
{
	session->home = lp_settings_home();
	if (!session->home)
		return lp_fail(
			&session->err, ENOENT, "no home directory: set HOME to an absolute path");
	session->cwd = getcwd(NULL, 0);
	if (!session->cwd || session->cwd[0] != '/')
		return lp_fail(&session->err, session->cwd ? ENOENT : errno,
			"the working directory cannot be found: %m");
	session->tmpdir = lp_tmpdir_name();
	return session->tmpdir ? 0 : lp_fail(&session->err, ENOMEM, "%m");
}

static void join_words(char *const *words, struct lp_str *str)
{
	for (; *words; words++)
		if (lp_str_addf(str, "%s%s", str->len ? " " : "", *words) < 0)
			return;
}

static void choose_command(struct session *session)
{
	static const char *shell[] = {"bash", "-c", NULL};
	char **operands = session->cmdline.operands;
	size_t count = 0;

	session->command = operands;
	if (session->cmdline.shell_string)
		lp_str_add(&session->command_line, session->cmdline.shell_string);
	else
		join_words(operands, &session->command_line);
	if (!session->cmdline.shell_string)
		return;
	while (operands[count])
		count++;
	session->command = calloc(count + 4, sizeof(*session->command));
	if (!session->command)
		return;
	session->command[0] = (char *)shell[0];
	session->command[1] = (char *)shell[1];
	session->command[2] = (char *)session->cmdline.shell_string;
	memcpy(session->command + 3, operands, count * sizeof(*operands));
}

static int load_policy(struct session *session)
{
	const struct lp_cmdline *cmdline = &session->cmdline;
	bool names_command = cmdline->verb == LP_VERB_RUN || cmdline->verb == LP_VERB_POLICY ||
			     cmdline->verb == LP_VERB_DOCTOR;
	const struct lp_request request = {
		.command = names_command && session->command ? session->command[0] : NULL,
		.command_line = session->command_line.text,
		.srt = cmdline->srt,
		.settings_file = cmdline->settings_file,
		.project_dir = cmdline->project_dir,
		.single_file = cmdline->single_file,
		.no_project_file = cmdline->no_project_file,
		.control_fd = cmdline->control_fd,
		.looks_only = cmdline->verb != LP_VERB_RUN,
		.network = cmdline->network,
		.rulesets = &cmdline->rulesets,
		.wishes = cmdline->wishes,
		.wish_count = cmdline->wish_count,
		.env = &cmdline->env,
		.accept = &cmdline->accept,
		.home = session->home,
		.cwd = session->cwd,
	};

	int r = lp_settings_load(&request, &session->policy, &session->err);

	session->policy_failed = r < 0;
	return r;
}

/* The device of the caller's terminal: the first standard descriptor that is one. */
static const char *find_terminal(void)
{
	static char name[128];

	for (int fd = 0; fd < 3; fd++)
		if (ttyname_r(fd, name, sizeof(name)) == 0)
			return name;
	return NULL;
}

/* Whether calls may have to be notified: rules alone hold what is closed altogether. */
static bool may_need_supervisor(const struct lp_policy *policy)
{
	if (policy->network == LP_NETWORK_NAMES)
		return true;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].kind == LP_RULE_ALLOW_WRITE ||
			policy->rules[i].kind == LP_RULE_DENY_READ)
			return true;
	return false;
}

static int read_abilities(struct session *session)
{
	const char *file = session->cmdline.abilities_file;
	lp_autofree char *text = NULL;
	size_t len;
	int r;

	if (!file) {
		lp_abilities_probe(&session->abilities);
		if (may_need_supervisor(session->policy))
			lp_abilities_probe_gate(&session->abilities, false);
		return 0;
	}
	r = lp_read_file(-100 /* AT_FDCWD */, file, MAX_ABILITIES, &text, &len);
	if (r < 0)
		return lp_fail(&session->err, -r, "%s: %m", file);
	return lp_abilities_read(text, &session->abilities, &session->err);
}

static int make_plan(struct session *session)
{
	const struct lp_plan_input input = {
		.policy = session->policy,
		.abilities = &session->abilities,
		.wish = session->cmdline.backend,
		.tmpdir = session->tmpdir,
		.proxy_port = session->place.port,
		.terminal = find_terminal(),
		.environ = environ,
	};
	int r = session->cmdline.verb == LP_VERB_DOCTOR ? 0 : read_abilities(session);

	return r < 0 ? r : lp_plan_make(&input, &session->plan, &session->err);
}

static void tell_start(const struct session *session)
{
	struct lp_str summary LP_CLEANUP(lp_str_clear) = {0};

	if (!session->cmdline.quiet || session->cmdline.srt)
		print_notices(&session->policy->notices);
	if (!session->cmdline.quiet) {
		for (size_t i = 0; i < session->plan->gap_count; i++) {
			struct lp_str line LP_CLEANUP(lp_str_clear) = {0};

			if (lp_str_addf(&line, "accepted gap %s: %s", session->plan->gaps[i].name,
				    session->plan->gaps[i].sentence) == 0)
				print_line(line.text);
		}
		if (lp_tool_summary(session->policy, session->plan, &summary) == 0)
			fprintf(stderr, "%s: %s\n", speaker, summary.text);
	}
	if (session->cmdline.verbose)
		print_notices(&session->plan->notices);
	if (strcmp(session->plan->cwd, session->policy->cwd) && !session->cmdline.quiet) {
		struct lp_str line LP_CLEANUP(lp_str_clear) = {0};

		if (lp_str_addf(&line, "%s is hidden in the pen: the command starts in %s",
			    session->policy->cwd, session->plan->cwd) == 0)
			print_line(line.text);
	}
}

/* Ends as the command did: by its signal where that is possible. */
static int end_as(const struct session *session, const struct lp_outcome *outcome)
{
	const struct rlimit no_core = {0, 0};
	sigset_t all;

	if (!outcome->signal)
		return outcome->code;
	if (session->cmdline.srt) /* whose callers know it as a status */
		return 128 + outcome->signal;
	setrlimit(RLIMIT_CORE, &no_core); /* the command's core is enough */
	signal(outcome->signal, SIG_DFL);
	raise(outcome->signal);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	return 128 + outcome->signal;
}

/* Natively the command starts where this process is; bwrap goes there itself. */
static int enter_start(struct session *session)
{
	const char *cwd = session->plan->cwd;

	if (session->plan->backend == LP_BACKEND_BWRAP || !strcmp(cwd, session->policy->cwd))
		return 0;
	return chdir(cwd) < 0 ? lp_fail(&session->err, errno, "%s: %m", cwd) : 0;
}

static int run_native(struct session *session, int lock)
{
	int code;

	if (enter_start(session) < 0 ||
		lp_janitor_start(session->plan, lock, true, &session->err) < 0 ||
		lp_confine_landlock(session->plan, -1, &session->err) < 0)
		return refuse(session);
	code = lp_confine_exec(session->command, session->plan->environment.items, &session->err);
	refuse(session);
	return code;
}

static int run_supervised(struct session *session, int lock)
{
	const struct lp_order order = {.policy = session->policy,
		.plan = session->plan,
		.argv = session->command,
		.tmpdir_lock = lock,
		.place = session->place,
		.report = session->report,
		.quiet = session->cmdline.quiet,
		.control = session->cmdline.control_fd,
		.violations = session->cmdline.violations,
		.verbose = session->cmdline.verbose};
	struct lp_outcome outcome = {.code = EXIT_REFUSED};

	if (enter_start(session) < 0 ||
		lp_janitor_start(session->plan, lock, false, &session->err) < 0 ||
		lp_supervise(&order, &outcome, &session->err) < 0)
		return refuse(session);
	return end_as(session, &outcome);
}

static int run_inside(struct session *session)
{
	int code;

	if (!session->cmdline.quiet)
		fprintf(stderr, "%s: already inside a pen, which keeps holding\n", speaker);
	code = lp_confine_exec(session->command, environ, &session->err);
	refuse(session);
	return code;
}

/* Before anything else: a run that is to be updated does not start without that. */
static int check_control(struct session *session)
{
	int fd = session->cmdline.control_fd;
	char nothing;

	if (!fd || read(fd, &nothing, 0) == 0)
		return 0;
	return lp_fail(&session->err, errno,
		"--control-fd %d is not usable: %m. Refusing to run the command without the "
		"control channel it asks for.",
		fd);
}

/* Where refusals go; and the gate's port, which is a part of the command's environment. */
static int open_gate(struct session *session)
{
	const char *file = session->cmdline.report_file;

	session->report = -1;
	if (file)
		session->report =
			open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (file && session->report < 0)
		return lp_fail(&session->err, errno, "--report %s: %m", file);
	return session->policy->network == LP_NETWORK_NAMES
		       ? lp_gate_reserve(&session->place, &session->err)
		       : 0;
}

static int run(struct session *session)
{
	int lock;

	if (!session->command || !session->command[0]) {
		lp_fail(&session->err, EINVAL, "name a command; `landpen --help`");
		return refuse(session);
	}
	if (lp_confine_is_inside())
		return run_inside(session);
	if (check_control(session) < 0 || find_place(session) < 0 || load_policy(session) < 0 ||
		open_gate(session) < 0 || make_plan(session) < 0)
		return refuse(session);
	if (session->plan->backend == LP_BACKEND_REFUSE) {
		lp_plan_refusal(session->plan, &session->err);
		return refuse(session);
	}
	if (lp_tmpdir_make(session->plan->tmpdir, &lock, &session->err) < 0)
		return refuse(session);
	tell_start(session);
	fflush(NULL);
	return session->plan->backend == LP_BACKEND_BWRAP ||
			       session->plan->filter & LP_FILTER_NOTIFY
		       ? run_supervised(session, lock)
		       : run_native(session, lock);
}

/* Of a policy that cannot be loaded the reason is told, like that of a plan that refuses. */
static int diagnose(struct session *session)
{
	struct lp_check checks[LP_CHECKS];

	lp_tool_examine(&session->abilities, checks);
	if (find_place(session) == 0 && load_policy(session) == 0)
		make_plan(session);
	return lp_tool_doctor(
		&session->cmdline, &session->abilities, checks, session->plan, &session->err);
}

static int tell(struct session *session)
{
	struct lp_cmdline *cmdline = &session->cmdline;
	int r;

	if (cmdline->verb == LP_VERB_DOCTOR)
		return diagnose(session);
	r = find_place(session);
	if (r == 0 && cmdline->verb == LP_VERB_TRUST)
		return lp_tool_trust(cmdline, session->home, session->cwd, &session->err);
	if (r == 0)
		r = load_policy(session);
	if (r == 0 && !cmdline->quiet)
		print_notices(&session->policy->notices);
	if (r == 0 && cmdline->verb == LP_VERB_EXPLAIN)
		return lp_tool_explain(cmdline, session->policy, &session->err);
	if (r == 0)
		r = make_plan(session);
	return r < 0 ? r : lp_tool_policy(cmdline, session->policy, session->plan, &session->err);
}

/* Called by srt's name. */
static int srt(struct session *session, int argc, char **argv)
{
	int r = lp_srt_parse(argc, argv, &session->cmdline, &session->err);

	speaker = "srt";
	if (r < 0)
		return refuse(session);
	if (session->cmdline.help)
		lp_srt_help();
	else if (session->cmdline.version)
		lp_srt_version();
	else {
		choose_command(session);
		return run(session);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct session session;
	int r;

	if (argc > 0 && !strcmp(argv[0], LP_INIT_NAME) && getpid() == 1)
		return lp_init_main(argc);
	if (argc > 0 && lp_srt_is(argv[0]))
		return srt(&session, argc, argv);
	if (lp_cmdline_parse(argc, argv, &session.cmdline, &session.err) < 0)
		return refuse(&session);
	if (session.cmdline.help) {
		lp_cmdline_help(session.cmdline.verb);
		return 0;
	}
	if (session.cmdline.version) {
		printf("landpen %s\n", LP_VERSION);
		return 0;
	}
	choose_command(&session);
	if (session.cmdline.verb == LP_VERB_RUN)
		return run(&session);
	r = tell(&session);
	return r < 0 ? refuse(&session) : r;
}
