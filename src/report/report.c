/*
 * What was refused, each once: for the list at the end, for people who watch (live), as lines of
 * JSON for programs, and in srt's words (srt contract 5).
 *
 * Runs in the supervisor. Targets and program names are the agent's words: escaped when printed,
 * and as many as are kept is bounded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/report.h"

#define REPORT_MAX 256

struct refusal {
	enum lp_refusal_kind kind;
	char *target; /* escaped where it is printed */
	unsigned port;
	char program[LP_PROGRAM_SIZE];
	char *reason;    /* NULL: not on the allow list */
	char *violation; /* srt's words for it */
	struct refusal *next;
};

struct lp_report {
	const struct lp_policy *policy;
	struct refusal *first, **last;
	size_t count, more; /* more: how many different ones were not kept */
	int fd;
	bool live;
};

struct lp_report *lp_report_new(const struct lp_policy *policy, int fd, bool live)
{
	struct lp_report *report = calloc(1, sizeof(*report));

	if (report)
		*report = (struct lp_report){.policy = policy, .fd = fd, .live = live};
	return report;
}

static const char *const kind_names[] = {
	[LP_REFUSAL_HOST] = "host",
	[LP_REFUSAL_LOCAL] = "local",
	[LP_REFUSAL_SOCKET] = "socket",
	[LP_REFUSAL_SERVE] = "serve",
	[LP_REFUSAL_WRITE] = "write",
};

static int add_allow_host(const struct refusal *refusal, struct lp_str *str)
{
	bool brackets = strchr(refusal->target, ':') != NULL;

	return lp_str_addf(str, "--allow-host %s%s%s or network.allowedDomains would allow it",
		brackets ? "[" : "", refusal->target, brackets ? "]" : "");
}

/* Nothing where no rule is missing. */
static int add_host_cure(
	const struct lp_report *report, const struct refusal *refusal, struct lp_str *str)
{
	struct lp_host_decision decision;
	char host[LP_HOST_SIZE];
	int r;

	if (lp_host_canonical(refusal->target, strlen(refusal->target), host) < 0)
		return 0;
	decision = refusal->port ? lp_policy_may_connect(report->policy, host, refusal->port)
				 : lp_policy_may_resolve(report->policy, host);
	if (decision.allowed) /* the name: it is where it led to */
		return refusal->reason && !strncmp(refusal->reason, LP_REASON_RESOLVED,
						  strlen(LP_REASON_RESOLVED))
			       ? lp_str_add(str, "only a rule for that address allows it")
			       : 0;
	if (decision.rule) {
		r = lp_str_add(str, "denied by ");
		return r < 0 ? r : lp_origin_print(&decision.rule->origin, str);
	}
	return refusal->kind == LP_REFUSAL_LOCAL
		       ? lp_str_addf(
				 str, "network.allowLocalPorts: [%u] would allow it", refusal->port)
		       : add_allow_host(refusal, str);
}

static int add_write_cure(
	const struct lp_report *report, const struct refusal *refusal, struct lp_str *str)
{
	struct lp_decision decision =
		lp_policy_may(report->policy, refusal->target, LP_ACCESS_WRITE);
	int r;

	if (decision.rule && decision.rule->mandatory)
		return lp_str_add(str, "protected: other programs would obey it later");
	if (!decision.allowed && decision.rule) {
		r = lp_str_add(str, "denied by ");
		return r < 0 ? r : lp_origin_print(&decision.rule->origin, str);
	}
	return lp_str_add(str, decision.allowed ? "its folder, or what is below it, is protected"
						: "--rw or filesystem.allowWrite would allow it");
}

/* The setting that would allow it, or that denies it. */
static int add_cure(
	const struct lp_report *report, const struct refusal *refusal, struct lp_str *str)
{
	switch (refusal->kind) {
	case LP_REFUSAL_HOST:
	case LP_REFUSAL_LOCAL:
		return add_host_cure(report, refusal, str);
	case LP_REFUSAL_WRITE:
		return add_write_cure(report, refusal, str);
	case LP_REFUSAL_SOCKET:
		return lp_str_add(str, "network.allowUnixSockets would allow it");
	default:
		return lp_str_add(
			str, "servers are for this machine only (network.allowLocalBinding)");
	}
}

static int print_one(
	const struct lp_report *report, const struct refusal *refusal, struct lp_str *str)
{
	struct lp_str cure LP_CLEANUP(lp_str_clear) = {0};
	int r = lp_str_add(str, "refused: ");

	if (r == 0)
		r = lp_str_add_escaped(str, refusal->target, strlen(refusal->target));
	if (r == 0 && refusal->port)
		r = lp_str_addf(str, ":%u", refusal->port);
	if (r == 0 && refusal->program[0]) {
		r = lp_str_add(str, " (");
		if (r == 0)
			r = lp_str_add_escaped(str, refusal->program, strlen(refusal->program));
		if (r == 0)
			r = lp_str_add(str, ")");
	}
	if (r == 0 && refusal->reason) {
		r = lp_str_add(str, ": ");
		if (r == 0)
			r = lp_str_add_escaped(str, refusal->reason, strlen(refusal->reason));
	}
	if (r == 0)
		r = add_cure(report, refusal, &cure);
	if (r == 0 && cure.len)
		r = lp_str_add(str, "; ");
	return r < 0 || !cure.len ? r : lp_str_add(str, cure.text);
}

/* A JSON string: bytes that are not plain ASCII as \u00NN, so that any bytes make valid text. */
static void add_json(struct lp_str *str, const char *text)
{
	lp_str_add(str, "\"");
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
			lp_str_addf(str, "\\u%04x", byte);
		else
			lp_str_add_bytes(str, text, 1);
	}
	lp_str_add(str, "\"");
}

static void write_json(const struct lp_report *report, const struct refusal *refusal)
{
	struct lp_str cure LP_CLEANUP(lp_str_clear) = {0};
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};

	lp_str_addf(&str, "{\"refused\": \"%s\", \"target\": ", kind_names[refusal->kind]);
	add_json(&str, refusal->target);
	lp_str_addf(&str, ", \"port\": %u, \"program\": ", refusal->port);
	add_json(&str, refusal->program);
	lp_str_add(&str, ", \"reason\": ");
	add_json(&str, refusal->reason ? refusal->reason : "not on the allow list");
	lp_str_add(&str, ", \"cure\": ");
	add_json(&str, add_cure(report, refusal, &cure) == 0 && cure.len ? cure.text : "");
	lp_str_add(&str, ", \"violation\": ");
	add_json(&str, refusal->violation);
	if (lp_str_add(&str, "}\n") == 0 && str.text)
		lp_write_all(report->fd, str.text, str.len);
}

bool lp_report_has(const struct lp_report *report, enum lp_refusal_kind kind, const char *target,
	unsigned port)
{
	for (const struct refusal *at = report->first; at; at = at->next)
		if (at->kind == kind && at->port == port && !strcmp(at->target, target))
			return true;
	return false;
}

static void announce(const struct lp_report *report, const struct refusal *refusal)
{
	struct lp_str line LP_CLEANUP(lp_str_clear) = {0};

	if (report->fd >= 0)
		write_json(report, refusal);
	if (report->live && print_one(report, refusal, &line) == 0)
		dprintf(STDERR_FILENO, "landpen: %s\n", line.text);
}

/* ---- srt's words ------------------------------------------------------------------------------
 */

/* On one line, and without the brackets that would end the block. */
static int add_plain(struct lp_str *str, const char *text)
{
	int r = 0;

	for (; r == 0 && *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte != '<' && byte != '>')
			r = lp_str_add_bytes(str, byte < 0x20 || byte > 0x7e ? " " : text, 1);
	}
	return r;
}

static int add_violation(const struct lp_refusal *refusal, struct lp_str *str)
{
	static const char *const acts[] = {
		[LP_REFUSAL_HOST] = "network-outbound",
		[LP_REFUSAL_LOCAL] = "network-outbound",
		[LP_REFUSAL_SOCKET] = "network-outbound",
		[LP_REFUSAL_SERVE] = "network-bind",
		[LP_REFUSAL_WRITE] = NULL,
	};
	const char *act = acts[refusal->kind] ? acts[refusal->kind] : refusal->call;
	bool is_host = refusal->kind == LP_REFUSAL_HOST || refusal->kind == LP_REFUSAL_LOCAL;
	int r = lp_str_addf(str, "deny %s ", act ? act : "syscall");

	if (r == 0)
		r = add_plain(str, refusal->target);
	if (r == 0 && refusal->port)
		r = lp_str_addf(str, ":%u", refusal->port);
	if (r < 0 || !is_host)
		return r;
	r = lp_str_add(str, " (");
	if (r == 0)
		r = add_plain(str, refusal->reason ? refusal->reason : LP_REASON_UNLISTED);
	return r < 0 ? r : lp_str_add(str, ")");
}

int lp_report_violations(const struct lp_report *report, struct lp_str *str)
{
	int r = report->first ? lp_str_add(str, "<sandbox_violations>\n") : 0;

	for (const struct refusal *at = report->first; r == 0 && at; at = at->next)
		r = lp_str_addf(str, "%s\n", at->violation);
	return r < 0 || !report->first ? r : lp_str_add(str, "</sandbox_violations>\n");
}

static bool is_ignored(const struct lp_report *report, const char *violation)
{
	lp_strv_foreach (part, &report->policy->ignored)
		if (strstr(violation, part))
			return true;
	return false;
}

/* ---- adding -----------------------------------------------------------------------------------
 */

static void refusal_free(struct refusal *refusal)
{
	free(refusal->target);
	free(refusal->reason);
	free(refusal->violation);
	free(refusal);
}

static struct refusal *copy_of(const struct lp_refusal *from)
{
	struct lp_str violation = {0};
	struct refusal *refusal = calloc(1, sizeof(*refusal));

	if (!refusal)
		return NULL;
	*refusal = (struct refusal){.kind = from->kind,
		.port = from->port,
		.target = strdup(from->target),
		.reason = from->reason && *from->reason ? strdup(from->reason) : NULL};
	snprintf(refusal->program, sizeof(refusal->program), "%s", from->program);
	if (add_violation(from, &violation) == 0)
		refusal->violation = violation.text;
	if (refusal->target && refusal->violation)
		return refusal;
	refusal_free(refusal);
	return NULL;
}

void lp_report_add(struct lp_report *report, const struct lp_refusal *from)
{
	struct refusal *refusal;

	if (lp_report_has(report, from->kind, from->target, from->port))
		return;
	refusal = report->count < REPORT_MAX ? copy_of(from) : NULL;
	if (!refusal) {
		report->more++;
		return;
	}
	if (is_ignored(report, refusal->violation)) {
		refusal_free(refusal);
		return;
	}
	*(report->first ? report->last : &report->first) = refusal;
	report->last = &refusal->next;
	report->count++;
	announce(report, refusal);
}

int lp_report_print(const struct lp_report *report, struct lp_str *str)
{
	int r = 0;

	for (const struct refusal *at = report->first; r == 0 && at; at = at->next) {
		r = print_one(report, at, str);
		if (r == 0)
			r = lp_str_add(str, "\n");
	}
	if (r == 0 && report->more)
		r = lp_str_addf(str, "and %zu more refusals\n", report->more);
	return r;
}

void lp_report_freep(struct lp_report **at)
{
	struct lp_report *report = *at;

	if (!report)
		return;
	for (struct refusal *refusal = report->first, *next; refusal; refusal = next) {
		next = refusal->next;
		refusal_free(refusal);
	}
	free(report);
	*at = NULL;
}
