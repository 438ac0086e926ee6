/*
 * The command line: one table of options, and the help made from it. Options stop at the first
 * operand, so the command keeps its own. Runs in the launcher; argv is the user's.
 */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERB(verb) (1U << (verb))
#define WITH_POLICY \
	(VERB(LP_VERB_RUN) | VERB(LP_VERB_DOCTOR) | VERB(LP_VERB_EXPLAIN) | VERB(LP_VERB_POLICY))
#define EVERY (~0U)

enum option_id {
	OPT_HELP,
	OPT_VERSION,
	OPT_SETTINGS,
	OPT_SHELL,
	OPT_RO,
	OPT_RW,
	OPT_DENY,
	OPT_ALLOW_HOST,
	OPT_DENY_HOST,
	OPT_ENV,
	OPT_FILE,
	OPT_RULESET,
	OPT_BACKEND,
	OPT_NETWORK,
	OPT_PROJECT,
	OPT_NO_PROJECT_FILE,
	OPT_ACCEPT,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_REPORT,
	OPT_CONTROL,
	OPT_JSON,
	OPT_PLAN,
	OPT_ABILITIES,
	OPT_HOST,
	OPT_REMOVE,
};

struct option {
	enum option_id id;
	char letter;
	const char *name, *argument;
	unsigned verbs;
	const char *help;
};

static const struct option options[] = {
	{OPT_SETTINGS, 's', "settings", "FILE", WITH_POLICY,
		"a settings file of srt's or landpen's; it stands alone, in place of the\n"
		"rulesets and your own settings"},
	{OPT_SHELL, 'c', NULL, "STRING", VERB(LP_VERB_RUN), "run STRING with bash"},
	{OPT_RULESET, 0, "ruleset", "NAME", WITH_POLICY,
		"apply this shipped ruleset (repeatable); default: by the command's name, or base"},
	{OPT_RO, 0, "ro", "PATH", WITH_POLICY, "PATH may be read and executed, not written"},
	{OPT_RW, 0, "rw", "PATH", WITH_POLICY, "PATH may be written too"},
	{OPT_DENY, 0, "deny", "PATH", WITH_POLICY, "PATH may not be read or written"},
	{OPT_FILE, 0, "file", "FILE", WITH_POLICY,
		"single-file mode: FILE is the only file that may be written"},
	{OPT_ENV, 0, "env", "NAME[=VALUE]", WITH_POLICY, "pass, or set, a variable"},
	{OPT_NETWORK, 0, "network", "none|names|open", WITH_POLICY,
		"default names where a rule allows a host, servers or local ports, else none"},
	{OPT_ALLOW_HOST, 0, "allow-host", "PATTERN[:PORT]", WITH_POLICY,
		"a host may be connected to: a name, *.name for all below it, an address"},
	{OPT_DENY_HOST, 0, "deny-host", "PATTERN[:PORT]", WITH_POLICY,
		"a host may not be connected to, whatever else allows it; * for all"},
	{OPT_PROJECT, 0, "project", "DIR", WITH_POLICY,
		"the project, even $HOME; default: the git top level, or the working directory"},
	{OPT_NO_PROJECT_FILE, 0, "no-project-file", NULL, WITH_POLICY, "do not read .landpen.json"},
	{OPT_BACKEND, 0, "backend", "auto|landlock|bwrap", WITH_POLICY,
		"default auto: Landlock where it holds the whole policy, else bubblewrap"},
	{OPT_ACCEPT, 0, "accept-gap", "NAME", WITH_POLICY,
		"live with a promise that cannot be kept here (see GAPS in landpen(1)); or all"},
	{OPT_PLAN, 0, "plan", NULL, VERB(LP_VERB_POLICY),
		"the exact Landlock rules or mounts, and the gaps"},
	{OPT_ABILITIES, 0, "abilities", "FILE", VERB(LP_VERB_POLICY),
		"plan for the machine that FILE describes (doctor --abilities writes one)"},
	{OPT_ABILITIES, 0, "abilities", NULL, VERB(LP_VERB_DOCTOR),
		"only the lines that policy --abilities reads"},
	{OPT_HOST, 0, "host", NULL, VERB(LP_VERB_EXPLAIN), "the operands are hosts, not paths"},
	{OPT_JSON, 0, "json", NULL, VERB(LP_VERB_DOCTOR), "for machines"},
	{OPT_REMOVE, 0, "remove", NULL, VERB(LP_VERB_TRUST), "forget that the file was trusted"},
	{OPT_QUIET, 'q', "quiet", NULL, EVERY, "only errors"},
	{OPT_REPORT, 0, "report", "FILE", VERB(LP_VERB_RUN),
		"append each refusal of the gate to FILE, a line of JSON each"},
	{OPT_CONTROL, 0, "control-fd", "N", VERB(LP_VERB_RUN),
		"read other lists of hosts from descriptor N (3 or more) while COMMAND runs, a\n"
		"settings file a line"},
	{OPT_VERBOSE, 'v', "verbose", NULL, EVERY, "also what was skipped, and why"},
	{OPT_HELP, 'h', "help", NULL, EVERY, "this help"},
	{OPT_VERSION, 'V', "version", NULL, VERB(LP_VERB_RUN), "the version"},
};

static const struct {
	const char *name, *usage, *about;
} verbs[] = {
	[LP_VERB_RUN] = {"run", "landpen [run] [options] [--] COMMAND [ARG...]",
		"Runs COMMAND so that it can read the system and its tools, write only the "
		"project, and\n"
		"cannot widen its own pen. Other verbs: doctor, explain, policy, trust; a command "
		"of such a\n"
		"name is run by `landpen run NAME`."},
	[LP_VERB_DOCTOR] = {"doctor", "landpen doctor [options] [COMMAND]",
		"Tries out what this machine can enforce and says which back end COMMAND would get "
		"with these\noptions. The exit status is 0 if the whole policy can be held, else "
		"1."},
	[LP_VERB_EXPLAIN] = {"explain", "landpen explain [options] PATH|HOST[:PORT]...",
		"Says whether PATH may be read, written and executed, or HOST connected to, and "
		"which line\nof which file decided. A word without '/' that names no file is a "
		"host if it can be one."},
	[LP_VERB_POLICY] = {"policy", "landpen policy [options] [COMMAND]",
		"Prints the merged policy that COMMAND would run under."},
	[LP_VERB_TRUST] = {"trust", "landpen trust [--remove] [FILE]",
		"Accepts the exact content of a project's .landpen.json, so that it may widen the "
		"pen."},
};

void lp_option_print(
	int width, char letter, const char *name, const char *argument, const char *help)
{
	char left[64] = "  ";

	if (letter)
		snprintf(left, sizeof(left), "  -%c%s", letter, name ? ", " : "");
	if (name)
		snprintf(left + strlen(left), sizeof(left) - strlen(left), "--%s", name);
	if (argument)
		snprintf(left + strlen(left), sizeof(left) - strlen(left), " %s", argument);
	printf("%-*s", width, left);
	for (const char *at = help; *at; at++) {
		putchar(*at);
		if (*at == '\n')
			printf("%-*s", width, "");
	}
	putchar('\n');
}

void lp_cmdline_help(enum lp_verb verb)
{
	printf("usage: %s\n\n%s\n\n", verbs[verb].usage, verbs[verb].about);
	for (size_t i = 0; i < LP_ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];

		if (option->verbs & VERB(verb))
			lp_option_print(
				32, option->letter, option->name, option->argument, option->help);
	}
	if (verb != LP_VERB_RUN && verb != LP_VERB_POLICY)
		return;
	printf("\nrulesets:");
	for (const char *const *name = lp_settings_rulesets(); *name; name++)
		printf(" %s", *name);
	printf("\ngaps:");
	for (const char *const *name = lp_plan_gap_names(); *name; name++)
		printf(" %s", *name);
	putchar('\n');
}

static const struct option *find_long(const char *name, size_t len, enum lp_verb verb)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(options); i++)
		if (options[i].name && (options[i].verbs & VERB(verb)) &&
			strlen(options[i].name) == len && !memcmp(options[i].name, name, len))
			return &options[i];
	return NULL;
}

static const struct option *find_letter(char letter, enum lp_verb verb)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(options); i++)
		if (options[i].letter == letter && (options[i].verbs & VERB(verb)))
			return &options[i];
	return NULL;
}

static int unknown(const char *word, enum lp_verb verb, struct lp_err *err)
{
	const char *names[LP_ARRAY_SIZE(options)], *near = NULL;
	struct lp_str escaped LP_CLEANUP(lp_str_clear) = {0};
	lp_autofree char *name = NULL;
	size_t count = 0;

	for (size_t i = 0; i < LP_ARRAY_SIZE(options); i++)
		if (options[i].name && (options[i].verbs & VERB(verb)))
			names[count++] = options[i].name;
	if (!strncmp(word, "--", 2)) {
		name = strndup(word + 2, strcspn(word + 2, "="));
		near = name ? lp_nearest(name, names, count) : NULL;
	}
	lp_str_add_escaped(&escaped, word, strlen(word));
	return lp_fail(err, EINVAL, "%s: no such option%s%s%s; `landpen %s --help` lists them",
		escaped.text ? escaped.text : "", near ? "; did you mean --" : "", near ? near : "",
		near ? "?" : "", verbs[verb].name);
}

static int add_wish(struct lp_cmdline *cmdline, enum lp_wish_kind kind, const char *path)
{
	struct lp_wish *grown =
		realloc(cmdline->wishes, (cmdline->wish_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	cmdline->wishes = grown;
	grown[cmdline->wish_count++] = (struct lp_wish){kind, path};
	return 0;
}

int lp_cmdline_control(const char *value, struct lp_cmdline *cmdline, struct lp_err *err)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || number < 3 || number > 1 << 30)
		return lp_fail(err, EINVAL,
			"option '--control-fd <fd>' argument '%s' is invalid. must be an integer "
			"file descriptor >= 3 (0-2 are stdin, stdout and stderr).",
			value);
	cmdline->control_fd = (int)number;
	return 0;
}

/* The index of value in a list of words, or -EINVAL with the sentence. */
static int choose(const struct option *option, const char *value, const char *const *words,
	struct lp_err *err)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], value))
			return i;
	return lp_fail(err, EINVAL, "--%s %s: takes %s", option->name, value, option->argument);
}

static int set_flag(const struct option *option, struct lp_cmdline *cmdline)
{
	bool *const flags[] = {
		[OPT_HELP] = &cmdline->help,
		[OPT_VERSION] = &cmdline->version,
		[OPT_QUIET] = &cmdline->quiet,
		[OPT_VERBOSE] = &cmdline->verbose,
		[OPT_HOST] = &cmdline->host,
		[OPT_JSON] = &cmdline->json,
		[OPT_PLAN] = &cmdline->plan,
		[OPT_ABILITIES] = &cmdline->plan,
		[OPT_REMOVE] = &cmdline->remove,
		[OPT_NO_PROJECT_FILE] = &cmdline->no_project_file,
	};

	*flags[option->id] = true;
	return 0;
}

static int set_value(const struct option *option, const char *value, struct lp_cmdline *cmdline,
	struct lp_err *err)
{
	static const char *const backends[] = {"auto", "landlock", "bwrap", NULL};
	static const char *const networks[] = {"none", "names", "open", NULL};
	const char **const strings[OPT_REMOVE + 1] = {
		[OPT_SETTINGS] = &cmdline->settings_file,
		[OPT_SHELL] = &cmdline->shell_string,
		[OPT_FILE] = &cmdline->single_file,
		[OPT_PROJECT] = &cmdline->project_dir,
		[OPT_ABILITIES] = &cmdline->abilities_file,
		[OPT_REPORT] = &cmdline->report_file,
	};
	int r;

	if (!*value)
		return lp_fail(err, EINVAL, "%s%s: takes %s, not an empty word",
			option->name ? "--" : "-c", option->name ? option->name : "",
			option->argument);
	switch (option->id) {
	case OPT_RO:
		return add_wish(cmdline, LP_WISH_RO, value);
	case OPT_RW:
		return add_wish(cmdline, LP_WISH_RW, value);
	case OPT_DENY:
		return add_wish(cmdline, LP_WISH_DENY, value);
	case OPT_ALLOW_HOST:
		return add_wish(cmdline, LP_WISH_ALLOW_HOST, value);
	case OPT_DENY_HOST:
		return add_wish(cmdline, LP_WISH_DENY_HOST, value);
	case OPT_ENV:
		return lp_strv_add(&cmdline->env, value);
	case OPT_RULESET:
		return lp_strv_add(&cmdline->rulesets, value);
	case OPT_ACCEPT:
		return lp_strv_add(&cmdline->accept, value);
	case OPT_BACKEND:
		r = choose(option, value, backends, err);
		if (r >= 0)
			cmdline->backend = (enum lp_backend_wish)r;
		return r < 0 ? r : 0;
	case OPT_CONTROL:
		return lp_cmdline_control(value, cmdline, err);
	case OPT_NETWORK:
		r = choose(option, value, networks, err);
		if (r >= 0)
			cmdline->network = (enum lp_network_wish)(r + 1);
		return r < 0 ? r : 0;
	default:
		*strings[option->id] = value;
		return 0;
	}
}

/* One "--name", "--name=value" or "--name value"; *at is moved over what was used. */
static int parse_long(char **argv, int *at, struct lp_cmdline *cmdline, struct lp_err *err)
{
	const char *word = argv[*at] + 2;
	size_t len = strcspn(word, "=");
	const struct option *option = find_long(word, len, cmdline->verb);

	if (!option)
		return unknown(argv[*at], cmdline->verb, err);
	if (!option->argument && word[len])
		return lp_fail(err, EINVAL, "--%s: takes no value", option->name);
	if (!option->argument)
		return set_flag(option, cmdline);
	if (word[len])
		return set_value(option, word + len + 1, cmdline, err);
	if (!argv[*at + 1])
		return lp_fail(err, EINVAL, "--%s: takes %s", option->name, option->argument);
	return set_value(option, argv[++*at], cmdline, err);
}

/* A cluster of letters; the last may take a value, joined or as the next word. */
static int parse_letters(char **argv, int *at, struct lp_cmdline *cmdline, struct lp_err *err)
{
	for (const char *letter = argv[*at] + 1; *letter; letter++) {
		const struct option *option = find_letter(*letter, cmdline->verb);

		if (!option)
			return unknown(argv[*at], cmdline->verb, err);
		if (!option->argument) {
			set_flag(option, cmdline);
			continue;
		}
		if (letter[1])
			return set_value(option, letter + 1, cmdline, err);
		if (!argv[*at + 1])
			return lp_fail(
				err, EINVAL, "-%c: takes %s", option->letter, option->argument);
		return set_value(option, argv[++*at], cmdline, err);
	}
	return 0;
}

/* Hosts that come later need the gate from the start. */
static int settle_network(struct lp_cmdline *cmdline, struct lp_err *err)
{
	if (!cmdline->control_fd || cmdline->network == LP_NETWORK_WISH_NAMES)
		return 0;
	if (cmdline->network != LP_NETWORK_WISH_UNSAID)
		return lp_fail(err, EINVAL,
			"--control-fd: changes lists of hosts, which only --network names has");
	cmdline->network = LP_NETWORK_WISH_NAMES;
	return 0;
}

int lp_cmdline_parse(int argc, char **argv, struct lp_cmdline *ret_cmdline, struct lp_err *err)
{
	int at = 1, r = 0;

	*ret_cmdline = (struct lp_cmdline){0};
	for (size_t i = 0; argc > 1 && i < LP_ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name))
			continue;
		ret_cmdline->verb = (enum lp_verb)i;
		at = 2;
		break;
	}
	for (; r == 0 && at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		if (!strcmp(argv[at], "--")) {
			at++;
			break;
		}
		if (argv[at][1] == '-')
			r = parse_long(argv, &at, ret_cmdline, err);
		else
			r = parse_letters(argv, &at, ret_cmdline, err);
	}
	ret_cmdline->operands = argv + (at < argc ? at : argc);
	return r < 0 ? r : settle_network(ret_cmdline, err);
}

void lp_cmdline_clear(struct lp_cmdline *cmdline)
{
	lp_strv_clear(&cmdline->rulesets);
	lp_strv_clear(&cmdline->env);
	lp_strv_clear(&cmdline->accept);
	free(cmdline->wishes);
}
