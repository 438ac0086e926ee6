/*
 * tools: the command line, and the verbs that tell instead of running. They read the same policy
 * and plan that a run would obey and have no opinion of their own about what is allowed.
 */
#pragma once

#include "base/base.h"
#include "plan/plan.h"
#include "settings/settings.h"

enum lp_verb {
	LP_VERB_RUN = 0,
	LP_VERB_DOCTOR,
	LP_VERB_EXPLAIN,
	LP_VERB_POLICY,
	LP_VERB_TRUST,
};

/* The parsed command line. Strings are argv's own. */
struct lp_cmdline {
	enum lp_verb verb;
	bool help, version, quiet, verbose, json, plan, remove, host;
	bool srt;                  /* landpen was called by srt's name */
	bool violations;           /* srt --violations */
	int control_fd;            /* 0: none */
	const char *shell_string;  /* -c */
	const char *settings_file; /* -s */
	const char *project_dir;
	const char *single_file;
	const char *abilities_file; /* policy --abilities */
	const char *report_file;
	bool no_project_file;
	enum lp_backend_wish backend;
	enum lp_network_wish network;
	struct lp_strv rulesets, env, accept;
	struct lp_wish *wishes;
	size_t wish_count;
	char **operands; /* argv's tail, NULL-terminated: the command, or a verb's operands */
};

/* -EINVAL with the sentence. ret_cmdline is to be cleared in any case. */
int lp_cmdline_parse(int argc, char **argv, struct lp_cmdline *ret_cmdline, struct lp_err *err);
void lp_cmdline_clear(struct lp_cmdline *cmdline);
/* The value of --control-fd. 0, or -EINVAL with the sentence, which is srt's. */
int lp_cmdline_control(const char *value, struct lp_cmdline *cmdline, struct lp_err *err);

/*
 * An option on stdout, its help from column `width` on; letter may be 0, name and argument NULL.
 */
void lp_option_print(
	int width, char letter, const char *name, const char *argument, const char *help);
/* The help of one verb, on stdout. */
void lp_cmdline_help(enum lp_verb verb);

/* What doctor found out about this machine. */
struct lp_check {
	const char *name;
	bool works;
	char detail[600];
};

#define LP_CHECKS 5

/* Tries everything in children that are thrown away; a plan by these abilities is what a run gets.
 */
void lp_tool_examine(struct lp_abilities *ret_abilities, struct lp_check ret_checks[LP_CHECKS]);

/*
 * srt.c: whether landpen was called by srt's name; and then its command line, as that of a run.
 * Sets TMPDIR and SRT_DEBUG of this process, as srt's variables and options ask for.
 */
bool lp_srt_is(const char *argv0);
int lp_srt_parse(int argc, char **argv, struct lp_cmdline *ret_cmdline, struct lp_err *err);
void lp_srt_help(void);
void lp_srt_version(void);

/* Each prints on stdout and returns the exit status, or -errno with the sentence. */
/* plan: NULL if there is none, for the reason in why. */
int lp_tool_doctor(const struct lp_cmdline *cmdline, const struct lp_abilities *abilities,
	const struct lp_check checks[LP_CHECKS], const struct lp_plan *plan,
	const struct lp_err *why);
int lp_tool_explain(
	const struct lp_cmdline *cmdline, const struct lp_policy *policy, struct lp_err *err);
int lp_tool_policy(const struct lp_cmdline *cmdline, const struct lp_policy *policy,
	const struct lp_plan *plan, struct lp_err *err);
int lp_tool_trust(
	const struct lp_cmdline *cmdline, const char *home, const char *cwd, struct lp_err *err);

/* "project /x writable, home hidden, network 14 hosts (landlock)": what the pen allows. */
int lp_tool_summary(const struct lp_policy *policy, const struct lp_plan *plan, struct lp_str *str);
