/*
 * landpen under srt's name: srt's command line (srt contract 2), translated into that of
 * `landpen run`. How the pen is made and kept is the same; what differs in the settings follows
 * from lp_request.srt.
 *
 * Runs in the launcher; argv is the user's. Unlike in srt, options end at the first operand.
 */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Which srt's behaviour this is; what programs read from --version. */
#define SPOKEN "0.0.78"

enum option_id {
	OPT_SETTINGS,
	OPT_STRING,
	OPT_CONTROL,
	OPT_REPORT,
	OPT_VIOLATIONS,
	OPT_DEBUG,
	OPT_HELP,
	OPT_VERSION,
};

struct option {
	enum option_id id;
	char letter;
	const char *name, *argument, *help;
};

static const struct option options[] = {
	{OPT_SETTINGS, 's', "settings", "<path>",
		"path to config file (default: ~/.srt-settings.json)"},
	{OPT_STRING, 'c', NULL, "<command>", "run command string directly (like sh -c)"},
	{OPT_CONTROL, 0, "control-fd", "<fd>",
		"read config updates, a line of JSON each, from a descriptor >= 3"},
	{OPT_DEBUG, 'd', "debug", NULL, "say what is decided, and set SRT_DEBUG"},
	{OPT_VIOLATIONS, 0, "violations", NULL,
		"at the end, say what was refused in a <sandbox_violations> block (not in srt)"},
	{OPT_REPORT, 0, "report", "<file>",
		"append each refusal to file, a line of JSON each (not in srt)"},
	{OPT_VERSION, 'V', "version", NULL, "output the version number"},
	{OPT_HELP, 'h', "help", NULL, "display help for command"},
};

bool lp_srt_is(const char *argv0)
{
	return argv0 && !strcmp(lp_path_name(argv0), "srt");
}

void lp_srt_version(void)
{
	printf("%s (landpen %s)\n", SPOKEN, LP_VERSION);
}

void lp_srt_help(void)
{
	printf("Usage: srt [options] [--] [command...]\n\n"
	       "Run commands in a sandbox with network and filesystem restrictions (landpen).\n"
	       "Options end at the first word of the command; see landpen-srt(7).\n\nOptions:\n");
	for (size_t i = 0; i < LP_ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];

		lp_option_print(25, option->letter, option->name, option->argument, option->help);
	}
}

/* ---- the command ------------------------------------------------------------------------------
 */

static bool needs_quotes(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_./:=@+,-";

	return !*word || *word == '=' || word[strspn(word, plain)];
}

/* As srt quotes it: the word stays one for bash, whatever is in it. */
static int add_word(struct lp_str *str, const char *word)
{
	bool quoted = needs_quotes(word);
	int r = str->len ? lp_str_add(str, " ") : 0;

	if (r == 0 && quoted)
		r = lp_str_add(str, "'");
	for (; r == 0 && *word; word++)
		r = quoted && *word == '\'' ? lp_str_add(str, "'\\''")
					    : lp_str_add_bytes(str, word, 1);
	return r == 0 && quoted ? lp_str_add(str, "'") : r;
}

/* bash runs operands, so that its own words (cd, NAME=value) work as under srt. */
static int join_operands(char **operands, struct lp_cmdline *cmdline)
{
	struct lp_str str = {0};

	for (; *operands; operands++)
		if (add_word(&str, *operands) < 0)
			return -ENOMEM;
	cmdline->shell_string = str.text;
	return 0;
}

static int choose_command(char **operands, struct lp_cmdline *cmdline, struct lp_err *err)
{
	static char *none[] = {NULL};
	bool windows = *operands && (!strcmp(*operands, "windows-install") ||
					    !strcmp(*operands, "windows-uninstall"));

	if (windows)
		return lp_fail(err, EINVAL, "%s: is for Windows only", *operands);
	if (!cmdline->shell_string && *operands && join_operands(operands, cmdline) < 0)
		return -ENOMEM;
	if (!cmdline->shell_string)
		return lp_fail(err, EINVAL,
			"No command specified. Use -c <command> or provide command arguments.");
	cmdline->operands = none;
	return 0;
}

/* ---- options ----------------------------------------------------------------------------------
 */

static int set_option(const struct option *option, const char *value, struct lp_cmdline *cmdline,
	struct lp_err *err)
{
	switch (option->id) {
	case OPT_SETTINGS:
		cmdline->settings_file = *value ? value : NULL;
		return 0;
	case OPT_STRING:
		cmdline->shell_string = *value ? value : NULL;
		return 0;
	case OPT_CONTROL:
		return lp_cmdline_control(value, cmdline, err);
	case OPT_REPORT:
		cmdline->report_file = value;
		return 0;
	case OPT_VIOLATIONS:
		cmdline->violations = true;
		return 0;
	case OPT_DEBUG:
		return setenv("SRT_DEBUG", "true", 1) < 0 ? -ENOMEM : 0;
	case OPT_HELP:
		cmdline->help = true;
		return 0;
	case OPT_VERSION:
		cmdline->version = true;
	}
	return 0;
}

static const struct option *find_long(const char *name, size_t len)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(options); i++)
		if (options[i].name && strlen(options[i].name) == len &&
			!memcmp(options[i].name, name, len))
			return &options[i];
	return NULL;
}

static const struct option *find_letter(char letter)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(options); i++)
		if (options[i].letter && options[i].letter == letter)
			return &options[i];
	return NULL;
}

static int unknown(const char *word, struct lp_err *err)
{
	return lp_fail(err, EINVAL,
		"unknown option '%s'; write -- before a command that starts with '-'", word);
}

/* One option of argv[*at]; *letter: where in a cluster, 0 for a long one. */
static int parse_word(char **argv, int *at, struct lp_cmdline *cmdline, struct lp_err *err)
{
	const char *word = argv[*at], *value = NULL;
	size_t len = strcspn(word, "=");
	bool is_long = word[1] == '-';
	const struct option *option = is_long ? find_long(word + 2, len - 2) : NULL;

	if (is_long && option && word[len])
		value = word + len + 1;
	for (word++; !is_long && *word && !value; word++) {
		option = find_letter(*word);
		if (!option)
			break;
		if (!option->argument && word[1]) {
			int r = set_option(option, NULL, cmdline, err);

			if (r < 0)
				return r;
		} else if (option->argument && word[1]) {
			value = word + 1;
		}
	}
	if (!option)
		return unknown(argv[*at], err);
	if (!option->argument)
		return value ? unknown(argv[*at], err) : set_option(option, NULL, cmdline, err);
	if (!value && !argv[*at + 1])
		return lp_fail(err, EINVAL, "option '%s' argument missing: %s", argv[*at],
			option->argument);
	return set_option(option, value ? value : argv[++*at], cmdline, err);
}

/* srt's own variables: where TMPDIR is to be, and whether it is to talk. */
static int read_environment(struct lp_cmdline *cmdline)
{
	static const char *const names[] = {"CLAUDE_TMPDIR", "CLAUDE_CODE_TMPDIR"};
	const char *debug = getenv("SRT_DEBUG");

	cmdline->verbose = debug && *debug;
	cmdline->quiet = !cmdline->verbose;
	for (size_t i = 0; i < LP_ARRAY_SIZE(names); i++) {
		const char *dir = getenv(names[i]);

		if (dir && *dir && setenv("TMPDIR", dir, 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

int lp_srt_parse(int argc, char **argv, struct lp_cmdline *ret_cmdline, struct lp_err *err)
{
	int at = 1, r = 0;

	*ret_cmdline = (struct lp_cmdline){.verb = LP_VERB_RUN,
		.srt = true,
		.no_project_file = true,
		.network = LP_NETWORK_WISH_NAMES};
	for (; r == 0 && at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		if (!strcmp(argv[at], "--")) {
			at++;
			break;
		}
		r = parse_word(argv, &at, ret_cmdline, err);
	}
	if (r == 0)
		r = read_environment(ret_cmdline);
	if (r < 0 || ret_cmdline->help || ret_cmdline->version)
		return r;
	return choose_command(argv + (at < argc ? at : argc), ret_cmdline, err);
}
