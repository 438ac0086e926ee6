/*
 * `landpen trust`: shows a project file and keeps a copy of it as accepted.
 * The content is somebody else's: it is shown escaped, so that it cannot hide lines from the
 * reader.
 */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROJECT_FILE ((size_t)1024 * 1024)

static int find_file(const struct lp_cmdline *cmdline, const char *home, const char *cwd,
	char **ret_path, struct lp_err *err)
{
	lp_autofree char *absolute = NULL;
	bool exists;
	int r = 0;

	if (!cmdline->operands[0]) {
		*ret_path = lp_settings_project_file(cwd, "/");
		return *ret_path ? 0
				 : lp_fail(err, ENOENT,
					   "no .landpen.json here or above; name the file");
	}
	r = lp_path_absolute(cmdline->operands[0], cwd, home, &absolute);
	if (r == 0)
		r = lp_path_resolve(absolute, ret_path, &exists, NULL);
	return r < 0 ? lp_fail(err, -r, "%s: %m", cmdline->operands[0]) : 0;
}

static void show(const char *path, const char *text, size_t len)
{
	printf("%s:\n", path);
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;
		struct lp_str str LP_CLEANUP(lp_str_clear) = {0};

		if (lp_str_add_escaped(&str, text, line) == 0)
			printf("  %s\n", str.text ? str.text : "");
		line += end != NULL;
		text += line;
		len -= line;
	}
}

int lp_tool_trust(
	const struct lp_cmdline *cmdline, const char *home, const char *cwd, struct lp_err *err)
{
	lp_autofree char *path = NULL;
	lp_autofree char *text = NULL;
	size_t len;
	int r = find_file(cmdline, home, cwd, &path, err);

	if (r < 0)
		return r;
	if (cmdline->remove) {
		r = lp_trust_remove(home, path, err);
		if (r == 0 && !cmdline->quiet)
			printf("%s: no longer trusted\n", path);
		return r;
	}
	r = lp_read_file(AT_FDCWD, path, MAX_PROJECT_FILE, &text, &len);
	if (r < 0)
		return lp_fail(err, -r, "%s: %m", path);
	if (!cmdline->quiet)
		show(path, text, len);
	r = lp_trust_add(home, path, text, len, err);
	if (r == 0 && !cmdline->quiet)
		printf("trusted, until a byte of it changes\n");
	return r;
}
