/*
 * Processes that have confined themselves further, by a Landlock ruleset of their own, and theirs:
 * the broker must not do for them what their own rules deny, and cannot know what these say. So
 * their calls go on, and the kernel holds the floor and their rules.
 *
 * Runs in the supervisor. Nobody tells of a fork: who is whose child is asked when it matters, and
 * a process whose parent is gone counts as confined once anybody is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/parts.h"
#include "task/task.h"

#define MAX_DEPTH 512

/* Fields of /proc/PID/stat behind the name, which may hold anything. */
static bool read_stat(pid_t pid, pid_t *ret_parent, unsigned long long *ret_start)
{
	lp_autofree char *text = NULL;
	char path[64], *rest;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (lp_read_file(AT_FDCWD, path, 4096, &text, &len) < 0)
		return false;
	rest = strrchr(text, ')');
	return rest && sscanf(rest + 1,
			       " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
			       "%*d %*d %*d %llu",
			       ret_parent, ret_start) == 2;
}

int lp_act_restrict(struct act *act)
{
	struct nested *nested = &act->broker->nested;
	struct confined process = {.pid = lp_task_process(act->call->tid)};
	pid_t parent;

	if (nested->count == LP_ARRAY_SIZE(nested->items) ||
		!read_stat(process.pid, &parent, &process.start))
		nested->is_full = true; /* then everybody counts as one */
	else
		nested->items[nested->count++] = process;
	return LET_GO_ON;
}

static bool is_listed(const struct nested *nested, pid_t pid, unsigned long long start)
{
	for (size_t i = 0; i < nested->count; i++)
		if (nested->items[i].pid == pid && nested->items[i].start == start)
			return true;
	return false;
}

bool lp_is_nested(const struct act *act)
{
	const struct nested *nested = &act->broker->nested;
	pid_t pid, parent, supervisor;
	unsigned long long start;

	if (nested->is_full || !nested->count)
		return nested->is_full;
	supervisor = getpid();
	pid = lp_task_process(act->call->tid);
	for (int depth = 0; depth < MAX_DEPTH; depth++, pid = parent) {
		if (!read_stat(pid, &parent, &start) || is_listed(nested, pid, start))
			return true;
		if (parent == supervisor)
			return pid != act->broker->command;
	}
	return true;
}
