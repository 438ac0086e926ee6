/*
 * probe: does one act and says how it ended.
 *
 *     probe ACT [ARG...]
 *
 * prints "ok" or the name of the errno ("EACCES") and exits 0 or 1. Acts that ask for a value
 * print the value. Exit 2: the probe was called wrongly. No act leaves more behind than its name
 * says, and none can do harm where nothing stops it (reboot() is called with a bad magic number).
 *
 * It is run bare and inside the pen; a static build needs nothing of the file system but itself.
 */
#include "probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

long number(const char *text)
{
	char *end;
	errno = 0;
	/* The upper half is for flags such as 0xffffffffffffffff. */
	long value = text[0] == '-' ? strtol(text, &end, 0) : (long)strtoul(text, &end, 0);
	if (errno || end == text || *end) {
		fprintf(stderr, "probe: %s is not a number\n", text);
		exit(2);
	}
	return value;
}

int in_child(int (*act)(char **argv), char **argv)
{
	int pipe_fds[2], ret = -EIO, status;
	if (pipe(pipe_fds) < 0)
		return -errno;
	fflush(stdout);
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		ret = act(argv);
		fflush(stdout);
		_exit(write(pipe_fds[1], &ret, sizeof(ret)) == sizeof(ret) ? 0 : 2);
	}
	close(pipe_fds[1]);
	if (read(pipe_fds[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = -EIO;
	close(pipe_fds[0]);
	if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
		puts(signal_name(WTERMSIG(status)));
		return ACT_PRINTED;
	}
	return ret;
}

static const struct act *const tables[] = {file_acts, name_acts, metadata_acts, socket_acts,
	call_acts, process_acts, terminal_acts, serve_acts, run_acts};

static const struct act *find_act(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct act *act = tables[i]; act->name; act++)
			if (strcmp(act->name, name) == 0)
				return act;
	return NULL;
}

static int usage(void)
{
	fputs("usage: probe ACT [ARG...]\nacts:", stderr);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct act *act = tables[i]; act->name; act++)
			fprintf(stderr, " %s", act->name);
	fputc('\n', stderr);
	return 2;
}

int run_act(char **argv)
{
	const struct act *act = argv[0] ? find_act(argv[0]) : NULL;
	for (int i = 0; act && i < act->args; i++)
		if (!argv[i + 1])
			act = NULL;
	if (!act)
		exit(usage());
	return act->run(argv + 1);
}

int main(int argc, char **argv)
{
	(void)argc;
	int ret = run_act(argv + 1);
	if (ret == 0)
		puts("ok");
	else if (ret < 0)
		printf("%s\n", errno_name(-ret));
	return ret < 0 ? 1 : 0;
}
