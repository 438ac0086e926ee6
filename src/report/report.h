/*
 * report: what was refused, each once: for the list at the end, for people who watch (live), and as
 * lines of JSON for programs.
 *
 * Targets and program names are the command's words: escaped when printed, and as many as are kept
 * is bounded.
 */
#pragma once

#include "base/base.h"
#include "policy/policy.h"
#include "wire/wire.h"

enum lp_refusal_kind {
	LP_REFUSAL_HOST = 0, /* host:port; port 0: a look-up */
	LP_REFUSAL_LOCAL,    /* a port on this machine */
	LP_REFUSAL_SOCKET,   /* a unix socket */
	LP_REFUSAL_SERVE,    /* binding or listening */
	LP_REFUSAL_WRITE,    /* changing a file, or what a folder holds */
};

struct lp_report;

/*
 * fd: where each refusal goes as a line of JSON, or -1; it stays the caller's. live: tell each on
 * stderr when it happens. NULL without memory.
 */
struct lp_report *lp_report_new(const struct lp_policy *policy, int fd, bool live);
void lp_report_freep(struct lp_report **report);

/* Whether it is in the report already. */
bool lp_report_has(const struct lp_report *report, enum lp_refusal_kind kind, const char *target,
	unsigned port);
/* Nothing in it is owned. */
struct lp_refusal {
	enum lp_refusal_kind kind;
	const char *target;
	unsigned port;
	const char *program; /* "" if it is not known */
	const char *reason;  /* NULL: not on the allow list */
	const char *call;    /* LP_REFUSAL_WRITE: the system call's name */
};

/* What the policy's ignored violations name is left out. Errors are passed over. */
void lp_report_add(struct lp_report *report, const struct lp_refusal *refusal);

/* A line for each, with what would allow it. 0 or -ENOMEM. */
int lp_report_print(const struct lp_report *report, struct lp_str *str);
/* The lines that srt would have of them, in its <sandbox_violations> block; nothing for none. */
int lp_report_violations(const struct lp_report *report, struct lp_str *str);
