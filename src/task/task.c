/*
 * The views of /proc that the broker and the gate take of a caller.
 *
 * Runs in the supervisor. "/proc/self" there would be the supervisor itself: paths that lead
 * through it are recognized by their text and never handed to the kernel.
 */
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void lp_task_status(pid_t tid, char ret_status[LP_STATUS_SIZE])
{
	char path[64];
	ssize_t n;
	lp_autoclose int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret_status, LP_STATUS_SIZE - 1);
	ret_status[n > 0 ? n : 0] = '\0';
}

uint64_t lp_status_number(const char *status, const char *name, int base, uint64_t otherwise)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, base) : otherwise;
}

pid_t lp_task_process(pid_t tid)
{
	char status[LP_STATUS_SIZE];

	lp_task_status(tid, status);
	return (pid_t)lp_status_number(status, "\nTgid:", 10, (uint64_t)-1);
}

mode_t lp_task_umask(pid_t tid)
{
	char status[LP_STATUS_SIZE];

	lp_task_status(tid, status);
	return (mode_t)lp_status_number(status, "\nUmask:", 8, 0777) & 0777;
}

bool lp_task_file_too_large(pid_t tid, off_t size)
{
	struct rlimit limit;

	if (prlimit(tid, RLIMIT_FSIZE, NULL, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
		(uint64_t)size <= limit.rlim_cur)
		return false;
	syscall(SYS_tgkill, lp_task_process(tid), tid, SIGXFSZ);
	return true;
}

void lp_task_name(pid_t tid, char *ret_name, size_t size)
{
	char path[64];
	ssize_t n;
	lp_autoclose int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, ret_name, size - 1);
	ret_name[n > 0 ? n : 0] = '\0';
	ret_name[strcspn(ret_name, "\n")] = '\0';
}

/* Of a line of /proc/TID/net/unix, whose last field is there for bound sockets only. */
static int parse_unix(const char *line, unsigned long wanted, int *ret_type)
{
	unsigned long flags, inode;
	unsigned type, state;
	char path;
	int fields =
		sscanf(line, "%*s %*s %*s %lx %x %x %lu %c", &flags, &type, &state, &inode, &path);

	if (fields < 4 || inode != wanted)
		return -ENOTSOCK;
	if (fields > 4 || flags || state != 1 /* SS_UNCONNECTED */)
		return -EINVAL;
	*ret_type = (int)type;
	return 0;
}

static int find_unix(pid_t tid, unsigned long inode, int *ret_type)
{
	char path[64], line[4096];
	int r = -ENOTSOCK;
	FILE *table;

	snprintf(path, sizeof(path), "/proc/%d/net/unix", tid);
	table = fopen(path, "re");
	if (!table)
		return -errno;
	while (r == -ENOTSOCK && fgets(line, sizeof(line), table))
		r = parse_unix(line, inode, ret_type);
	fclose(table);
	return r;
}

/* The flags that the thread's descriptor has, as for open(2); or -EBADF. */
static int descriptor_flags(pid_t tid, int fd)
{
	char path[64], line[128];
	int flags = -EBADF;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "flags:", 6))
			flags = (int)strtol(line + 6, NULL, 8);
	if (file)
		fclose(file);
	return flags;
}

int lp_task_unix_type(pid_t tid, int fd, int *ret_type)
{
	int flags = descriptor_flags(tid, fd), type, r;
	char link[64];
	struct stat st;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", tid, fd);
	if (flags < 0 || stat(link, &st) < 0)
		return -EBADF;
	r = S_ISSOCK(st.st_mode) ? find_unix(tid, st.st_ino, &type) : -ENOTSOCK;
	if (r == 0)
		*ret_type = type | (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0) |
			    (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0);
	return r;
}

static int open_link(const char *link)
{
	int fd = openat(AT_FDCWD, link, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int lp_task_open_descriptor(pid_t tid, int fd)
{
	char link[64];
	int r;

	if (fd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", tid);
	else if (fd >= 0)
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", tid, fd);
	else
		return -EBADF;
	r = open_link(link);
	return r == -ENOENT ? -EBADF : r;
}

/* The part of path behind prefix, or NULL. */
static const char *behind(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(path, prefix, len) ? NULL : path + len;
}

/* The number of a descriptor at *rest, which is moved behind it; -1 if there is none. */
static int take_number(const char **rest)
{
	char *end;
	long number;

	if (**rest < '0' || **rest > '9')
		return -1;
	number = strtol(*rest, &end, 10);
	if ((*end && *end != '/') || number > INT_MAX)
		return -1;
	*rest = end;
	return (int)number;
}

/* "/proc/self/" and its like; NULL if path is no such thing. */
static const char *behind_self(pid_t tid, const char *path)
{
	const char *rest = behind(path, "/proc/self/");
	char own[32];

	snprintf(own, sizeof(own), "/proc/%d/", tid);
	if (!rest)
		rest = behind(path, "/proc/thread-self/");
	return rest ? rest : behind(path, own);
}

/* Whether path leads through a magic link, and where that one leads (O_PATH, or -errno). */
static bool open_magic(pid_t tid, const char *path, int *ret_fd, const char **ret_rest)
{
	static const char *const standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
	const char *self = behind_self(tid, path), *rest = behind(path, "/dev/fd/");
	char link[64];
	int number = -1;

	for (int i = 0; i < 3; i++)
		if (!strcmp(path, standard[i])) {
			number = i;
			rest = path + strlen(path);
		}
	if (number < 0 && !rest && self)
		rest = behind(self, "fd/");
	if (number < 0 && rest)
		number = take_number(&rest);
	if (number >= 0) {
		*ret_fd = lp_task_open_descriptor(tid, number);
		*ret_rest = rest + strspn(rest, "/");
		return true;
	}
	rest = self ? behind(self, "cwd") : NULL;
	if (!rest && self)
		rest = behind(self, "root");
	if (!rest || (*rest && *rest != '/'))
		return false;
	snprintf(link, sizeof(link), "/proc/%d/%s", tid, self[0] == 'c' ? "cwd" : "root");
	*ret_fd = open_link(link);
	*ret_rest = rest + strspn(rest, "/");
	return true;
}

int lp_task_base(pid_t tid, int dirfd, const char *path, int *ret_base, const char **ret_rest)
{
	const char *rest = path;
	int base = AT_FDCWD;

	if (path[0] != '/')
		base = lp_task_open_descriptor(tid, dirfd);
	else if (!open_magic(tid, path, &base, &rest))
		base = AT_FDCWD;
	if (base < 0 && base != AT_FDCWD)
		return base;
	*ret_base = base;
	*ret_rest = rest;
	return 0;
}
