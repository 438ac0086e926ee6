/*
 * Updates of a pen that runs (--control-fd): each line is a whole settings file, of which the lists
 * of hosts and addresses hold from then on. What it says of files cannot: Landlock takes no right
 * back and gives none, so that is told and left. An ordinary file is followed as it grows.
 *
 * Runs in the supervisor. The lines are the caller's words, as the settings file is; the command
 * has no descriptor of that channel.
 */
#include "supervise/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings/settings.h"

#define LINE_MAX_SIZE ((size_t)1 << 20)

static void tell(const struct updates *updates, const char *sentence)
{
	dprintf(STDERR_FILENO, "landpen: control fd %d: %s\n", updates->number, sentence);
}

static bool is_blank(const struct lp_str *line)
{
	return !line->len || strspn(line->text, " \t\r") == line->len;
}

/* Without a file at the start everything is empty. */
static bool files_differ(const char *was, const char *is)
{
	if (was)
		return strcmp(was, is) != 0;
	return strcmp(is, "{\"allowWrite\":[],\"denyRead\":[],\"denyWrite\":[]}") != 0 &&
	       strcmp(is,
		       "{\"allowRead\":[],\"allowWrite\":[],\"denyRead\":[],\"denyWrite\":[]}") !=
		       0;
}

static void apply(struct updates *updates)
{
	struct lp_policy *policy = updates->policy, *lists = NULL;
	struct lp_err err = {0};
	char name[32];
	int r;

	snprintf(name, sizeof(name), "control fd %d", updates->number);
	r = updates->line.len > LINE_MAX_SIZE
		    ? lp_fail(&err, E2BIG, "%s: the line is longer than 1 MiB", name)
		    : lp_settings_update(
			      updates->line.text, updates->line.len, name, policy, &lists, &err);
	if (r == 0 && files_differ(policy->files_text, lists->files_text))
		tell(updates, "filesystem is not as at the start: a pen that runs keeps its rules "
			      "for files; start a new one for others");
	if (r == 0)
		r = lp_live_publish(policy, lists);
	if (r == 0)
		return;
	lp_policy_free(lists);
	dprintf(STDERR_FILENO,
		"Invalid config on control fd %d: ignored, previous config still in force\n",
		updates->number);
	dprintf(STDERR_FILENO, "landpen: %s\n", err.text[0] ? err.text : strerror(-r));
}

static void end_line(struct updates *updates)
{
	if (!is_blank(&updates->line))
		apply(updates);
	lp_str_clear(&updates->line);
	updates->line = (struct lp_str){0};
}

static void take(struct updates *updates, const char *bytes, size_t len)
{
	while (len) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;

		/* of what is too long only so much is kept that it is seen to be */
		if (updates->line.len <= LINE_MAX_SIZE)
			lp_str_add_bytes(&updates->line, bytes, part);
		if (!end)
			return;
		end_line(updates);
		bytes += part + 1;
		len -= part + 1;
	}
}

int lp_updates_watch(struct updates *updates)
{
	char path[32];
	struct stat st;

	updates->growth = -1;
	if (fstat(updates->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return updates->fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", updates->fd);
	updates->growth = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (updates->growth < 0 || inotify_add_watch(updates->growth, path, IN_MODIFY) < 0)
		return -errno;
	return updates->growth;
}

/* Another write may come after the last read: what tells of it is emptied before. */
static void forget_growth(const struct updates *updates)
{
	char events[4096];

	while (read(updates->growth, events, sizeof(events)) > 0)
		;
}

bool lp_updates_read(struct updates *updates)
{
	bool grows = updates->growth >= 0;
	char bytes[16384];
	ssize_t n;

	if (grows)
		forget_growth(updates);
	do {
		n = read(updates->fd, bytes, sizeof(bytes));
		if (n > 0)
			take(updates, bytes, (size_t)n);
	} while (grows && n > 0);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)) || (grows && n == 0))
		return true;
	if (n < 0)
		tell(updates, "cannot be read any more; no further updates will be applied");
	else
		end_line(updates);
	return false;
}
