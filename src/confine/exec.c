/*
 * The last step: from landpen to the command.
 *
 * Runs confined, in the process that becomes the command. The look-up uses the command's own PATH,
 * so what is found is what the command's children will find.
 */
#include "confine/confine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *find_variable(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; *environment; environment++)
		if (!strncmp(*environment, name, len) && (*environment)[len] == '=')
			return *environment + len + 1;
	return NULL;
}

/* A file without "#!" is a script for sh, as execvp(3) and shells have it. */
static void exec_script(const char *path, char *const *argv, char *const *environment)
{
	size_t count = 0;
	char **with_shell;

	while (argv[count])
		count++;
	with_shell = calloc(count + 2, sizeof(*with_shell));
	if (!with_shell)
		return;
	with_shell[0] = (char *)"/bin/sh";
	with_shell[1] = (char *)path;
	memcpy(with_shell + 2, argv + 1, count * sizeof(*argv));
	execve("/bin/sh", with_shell, environment);
	free(with_shell);
}

static int exec_path(const char *path, char *const *argv, char *const *environment)
{
	execve(path, argv, environment);
	if (errno == ENOEXEC)
		exec_script(path, argv, environment);
	return errno;
}

/* The errno that tells most: EACCES somewhere beats ENOENT everywhere. */
static int exec_search(const char *search, char *const *argv, char *const *environment)
{
	int worst = ENOENT;

	for (;;) {
		size_t len = strcspn(search, ":");
		struct lp_str path LP_CLEANUP(lp_str_clear) = {0};
		int error;

		if (lp_str_add_bytes(&path, len ? search : ".", len ? len : 1) < 0 ||
			lp_str_addf(&path, "/%s", argv[0]) < 0)
			return ENOMEM;
		error = exec_path(path.text, argv, environment);
		if (error == EACCES)
			worst = EACCES;
		else if (error != ENOENT && error != ENOTDIR)
			return error;
		search += len;
		if (!*search)
			return worst;
		search++;
	}
}

int lp_confine_exec(char *const *argv, char *const *environment, struct lp_err *err)
{
	const char *path = find_variable(environment, "PATH");
	struct lp_str name LP_CLEANUP(lp_str_clear) = {0};
	int error;

	if (strchr(argv[0], '/'))
		error = exec_path(argv[0], argv, environment);
	else if (!*argv[0])
		error = ENOENT;
	else
		error = exec_search(path ? path : "/usr/bin:/bin", argv, environment);
	lp_str_add_escaped(&name, argv[0], strlen(argv[0]));
	if (error == ENOENT || error == ENOTDIR) {
		lp_fail(err, error, "%s: command not found", name.text ? name.text : "");
		return 127;
	}
	lp_fail(err, error, "%s: cannot be run: %m%s", name.text ? name.text : "",
		error == EACCES ? "; if the pen hides it, --ro PATH opens its folder" : "");
	return 126;
}
