/*
 * What was refused, each once: for the list at the end, for people who watch (live), and as lines
 * of JSON for programs.
 *
 * Runs in the supervisor. Targets and program names are the agent's words: escaped when printed,
 * and as many as are kept is bounded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate/parts.h"

#define REPORT_MAX 256

static const char *const kind_names[] = {
	[REFUSAL_HOST] = "host",
	[REFUSAL_LOCAL] = "local",
	[REFUSAL_SOCKET] = "socket",
	[REFUSAL_SERVE] = "serve",
};

static void read_program(pid_t tid, char ret_program[16])
{
	char path[64];
	lp_autoclose int fd = -1;
	ssize_t n;

	ret_program[0] = '\0';
	if (!tid)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, ret_program, 15);
	ret_program[n > 0 ? n : 0] = '\0';
	ret_program[strcspn(ret_program, "\n")] = '\0';
}

/* The setting that would allow it. */
static int add_cure(struct lp_str *str, const struct refusal *refusal)
{
	switch (refusal->kind) {
	case REFUSAL_HOST:
		if (refusal->reason)
			return 0;
		return lp_str_addf(str, "; --allow-host %s%s",
			       strchr(refusal->target, ':') ? "[" : "", refusal->target) < 0
			       ? -ENOMEM
			       : lp_str_addf(str, "%s or network.allowedDomains would allow it",
					 strchr(refusal->target, ':') ? "]" : "");
	case REFUSAL_LOCAL:
		return lp_str_addf(
			str, "; network.allowLocalPorts: [%u] would allow it", refusal->port);
	case REFUSAL_SOCKET:
		return lp_str_add(str, "; network.allowUnixSockets would allow it");
	default:
		return lp_str_add(
			str, "; servers are for this machine only (network.allowLocalBinding)");
	}
}

static int print_one(const struct refusal *refusal, struct lp_str *str)
{
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
	return r < 0 ? r : add_cure(str, refusal);
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

static void write_json(int fd, const struct refusal *refusal)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};

	lp_str_addf(&str, "{\"refused\": \"%s\", \"target\": ", kind_names[refusal->kind]);
	add_json(&str, refusal->target);
	lp_str_addf(&str, ", \"port\": %u, \"program\": ", refusal->port);
	add_json(&str, refusal->program);
	lp_str_add(&str, ", \"reason\": ");
	add_json(&str, refusal->reason ? refusal->reason : "not on the allow list");
	if (lp_str_add(&str, "}\n") == 0 && str.text)
		lp_write_all(fd, str.text, str.len);
}

static bool is_known(
	const struct report *report, enum refusal_kind kind, const char *target, unsigned port)
{
	for (const struct refusal *at = report->first; at; at = at->next)
		if (at->kind == kind && at->port == port && !strcmp(at->target, target))
			return true;
	return false;
}

static void announce(const struct report *report, const struct refusal *refusal)
{
	struct lp_str line LP_CLEANUP(lp_str_clear) = {0};

	if (report->fd >= 0)
		write_json(report->fd, refusal);
	if (report->live && print_one(refusal, &line) == 0)
		dprintf(STDERR_FILENO, "landpen: %s\n", line.text);
}

void lp_report_add(struct report *report, enum refusal_kind kind, const char *target, unsigned port,
	pid_t tid, const char *reason)
{
	struct refusal *refusal;

	if (is_known(report, kind, target, port))
		return;
	refusal = report->count < REPORT_MAX ? calloc(1, sizeof(*refusal)) : NULL;
	if (!refusal) {
		report->more++;
		return;
	}
	*refusal = (struct refusal){.kind = kind,
		.port = port,
		.target = strdup(target),
		.reason = reason && *reason ? strdup(reason) : NULL};
	if (!refusal->target) {
		free(refusal);
		return;
	}
	read_program(tid, refusal->program);
	*(report->first ? report->last : &report->first) = refusal;
	report->last = &refusal->next;
	report->count++;
	announce(report, refusal);
}

int lp_report_print(const struct report *report, struct lp_str *str)
{
	int r = 0;

	for (const struct refusal *at = report->first; r == 0 && at; at = at->next) {
		r = print_one(at, str);
		if (r == 0)
			r = lp_str_add(str, "\n");
	}
	if (r == 0 && report->more)
		r = lp_str_addf(str, "and %zu more refusals\n", report->more);
	return r;
}

void lp_report_clear(struct report *report)
{
	for (struct refusal *at = report->first, *next; at; at = next) {
		next = at->next;
		free(at->target);
		free(at->reason);
		free(at);
	}
}
