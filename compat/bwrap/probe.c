/* Whether bubblewrap works here: the answer is what happens when it is run. */
#include "bwrap/bwrap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_true(const char *program, int out)
{
	const char *const argv[] = {"bwrap", "--unshare-pid", "--unshare-ipc", "--as-pid-1",
		"--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev",
		"--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--perms", "0555", "--tmpfs", "/tmp",
		"--remount-ro", "/tmp", "--", "/bin/sh", "-c", ":", NULL};
	char *const environment[] = {NULL};

	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execve(program, (char *const *)argv, environment);
	_exit(127);
}

static void read_first_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len + 1 < size) {
		ssize_t n = read(fd, line + len, size - len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

void lp_bwrap_probe(struct lp_abilities *abilities)
{
	int out[2], status = -1;
	pid_t pid;

	if (!abilities->bwrap_path[0] || pipe2(out, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		run_true(abilities->bwrap_path, out[1]);
	close(out[1]);
	read_first_line(out[0], abilities->bwrap_why, sizeof(abilities->bwrap_why));
	close(out[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	abilities->bwrap = pid > 0 && status == 0 ? LP_PROBE_YES : LP_PROBE_NO;
}
