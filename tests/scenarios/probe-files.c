/* The probe's acts on files: opening, making, removing, moving, executing, and ways around. */
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

/* struct open_how of <linux/openat2.h>, which older headers lack. */
struct how {
	uint64_t flags, mode, resolve;
};
#define BENEATH 0x08 /* RESOLVE_BENEATH */

static int then_close(int fd, int ret)
{
	close(fd);
	return ret;
}

static int read_fd(int fd)
{
	char c;
	return result(read(fd, &c, 1));
}

static int write_fd(int fd)
{
	return result(write(fd, "x", 1));
}

static int open_and(const char *path, int flags, int (*use)(int fd))
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	if (fd < 0)
		return -errno;
	return then_close(fd, use ? use(fd) : 0);
}

static int act_read(char **argv)
{
	return open_and(argv[0], O_RDONLY, read_fd);
}

static int act_open_read(char **argv)
{
	return open_and(argv[0], O_RDONLY, NULL);
}

static int act_list(char **argv)
{
	DIR *dir = opendir(argv[0]);
	if (!dir)
		return -errno;
	errno = 0;
	while (readdir(dir))
		;
	int ret = -errno;
	closedir(dir);
	return ret;
}

/* Prints "yes" if DIR's listing holds NAME, else "no". */
static int act_lists(char **argv)
{
	bool found = false;
	DIR *dir = opendir(argv[0]);
	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));)
		found = found || strcmp(entry->d_name, argv[1]) == 0;
	closedir(dir);
	puts(found ? "yes" : "no");
	return ACT_PRINTED;
}

static int act_write(char **argv)
{
	return open_and(argv[0], O_WRONLY, write_fd);
}

/* Opens for writing and writes nothing: for files that must stay as they are. */
static int act_open_write(char **argv)
{
	return open_and(argv[0], O_WRONLY, NULL);
}

static int act_read_write(char **argv)
{
	return open_and(argv[0], O_RDWR, write_fd);
}

static int act_append(char **argv)
{
	return open_and(argv[0], O_WRONLY | O_APPEND, write_fd);
}

static int act_open_trunc(char **argv)
{
	return open_and(argv[0], O_RDONLY | O_TRUNC, NULL);
}

static int act_create(char **argv)
{
	return open_and(argv[0], O_WRONLY | O_CREAT | O_EXCL, write_fd);
}

static int act_create_open(char **argv)
{
	return open_and(argv[0], O_WRONLY | O_CREAT, write_fd);
}

static int act_tmpfile(char **argv)
{
	return open_and(argv[0], O_TMPFILE | O_WRONLY, write_fd);
}

/* Makes a file without a name in DIR and links it as PATH. */
static int act_tmpfile_link(char **argv)
{
	char proc[64];
	int fd = open(argv[0], O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return then_close(fd, result(linkat(AT_FDCWD, proc, AT_FDCWD, argv[1], AT_SYMLINK_FOLLOW)));
}

static int act_truncate(char **argv)
{
	return result(truncate(argv[0], 0));
}

static int empty_fd(int fd)
{
	return result(ftruncate(fd, 0));
}

static int act_ftruncate(char **argv)
{
	return open_and(argv[0], O_WRONLY, empty_fd);
}

static int act_mkdir(char **argv)
{
	return result(mkdir(argv[0], 0777));
}

static int act_rmdir(char **argv)
{
	return result(rmdir(argv[0]));
}

static int act_unlink(char **argv)
{
	return result(unlink(argv[0]));
}

static int act_rename(char **argv)
{
	return result(rename(argv[0], argv[1]));
}

static int act_exchange(char **argv)
{
	return result(syscall(
		SYS_renameat2, AT_FDCWD, argv[0], AT_FDCWD, argv[1], (unsigned)RENAME_EXCHANGE));
}

static int act_link(char **argv)
{
	return result(link(argv[0], argv[1]));
}

static int act_symlink(char **argv)
{
	return result(symlink(argv[0], argv[1]));
}

static int act_readlink(char **argv)
{
	char target[4096];
	return result(readlink(argv[0], target, sizeof(target)));
}

static int act_mknod_fifo(char **argv)
{
	return result(mknod(argv[0], S_IFIFO | 0600, 0));
}

static int act_mknod_sock(char **argv)
{
	return result(mknod(argv[0], S_IFSOCK | 0600, 0));
}

/* A second /dev/null. */
static int act_mknod_char(char **argv)
{
	return result(mknod(argv[0], S_IFCHR | 0600, makedev(1, 3)));
}

/* Waits for a program started by run_program; the errno of exec, or its exit status. */
static int finish_program(pid_t child, int report)
{
	int error = 0, status;
	if (read(report, &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(report);
	if (waitpid(child, &status, 0) < 0)
		return -errno;
	if (error)
		return -error;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		printf("status %d\n", WEXITSTATUS(status));
	else
		puts(signal_name(WTERMSIG(status)));
	return ACT_PRINTED;
}

/* Executes argv[0], or the descriptor fd if it is not negative, with its output thrown away. */
static int run_program(int fd, char **argv)
{
	int report[2];
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	fflush(stdout);
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		int null = open("/dev/null", O_RDWR);
		if (null >= 0)
			dup2(null, STDOUT_FILENO);
		if (fd >= 0)
			fexecve(fd, argv, environ);
		else
			execv(argv[0], argv);
		int error = errno;
		_exit(write(report[1], &error, sizeof(error)) < 0 ? 2 : 1);
	}
	close(report[1]);
	return finish_program(child, report[0]);
}

static int act_exec(char **argv)
{
	return run_program(-1, argv);
}

/* Executes FILE through a descriptor that was opened with O_PATH only. */
static int act_exec_opath(char **argv)
{
	int fd = open(argv[0], O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return then_close(fd, run_program(fd, argv));
}

/* Copies FILE to a memory file and executes that; needs only the right to read. */
static int act_exec_memfd(char **argv)
{
	char buffer[65536];
	ssize_t len = -1;
	int from = open(argv[0], O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return -errno;
	int memory = memfd_create("probe", MFD_CLOEXEC);
	if (memory < 0)
		return then_close(from, -errno);
	while ((len = read(from, buffer, sizeof(buffer))) > 0)
		if (write(memory, buffer, (size_t)len) != len)
			break;
	close(from);
	return then_close(memory, len == 0 ? run_program(memory, argv) : -EIO);
}

static int act_stat(char **argv)
{
	struct stat st;
	return result(stat(argv[0], &st));
}

/* Prints the mode bits: "0700". */
static int act_mode(char **argv)
{
	struct stat st;
	if (stat(argv[0], &st) < 0)
		return -errno;
	printf("%04o\n", st.st_mode & 07777);
	return ACT_PRINTED;
}

static int act_access_r(char **argv)
{
	return result(access(argv[0], R_OK));
}

static int act_access_w(char **argv)
{
	return result(access(argv[0], W_OK));
}

static int act_chdir(char **argv)
{
	return result(chdir(argv[0]));
}

static int act_opath(char **argv)
{
	return open_and(argv[0], O_PATH, NULL);
}

static int reopen_fd(int fd, int flags)
{
	char proc[64];
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return open_and(proc, flags, NULL);
}

static int reopen_read(int fd)
{
	return reopen_fd(fd, O_RDONLY);
}

static int reopen_write(int fd)
{
	return reopen_fd(fd, O_WRONLY);
}

static int act_opath_reopen(char **argv)
{
	return open_and(argv[0], O_PATH, reopen_read);
}

static int act_opath_reopen_write(char **argv)
{
	return open_and(argv[0], O_PATH, reopen_write);
}

/* Opens a file for reading and the same descriptor, through /proc, for writing. */
static int act_read_reopen_write(char **argv)
{
	return open_and(argv[0], O_RDONLY, reopen_write);
}

/* Opens NAME below DIR, which is opened with O_PATH. */
static int act_opath_at(char **argv)
{
	int dir = open(argv[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	int fd = openat(dir, argv[1], O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return then_close(dir, result(fd));
}

static int act_openat2_beneath(char **argv)
{
	struct how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = BENEATH};
	int dir = open(argv[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	long fd = syscall(SYS_openat2, dir, argv[1], &how, sizeof(how));
	if (fd >= 0)
		close((int)fd);
	return then_close(dir, result(fd));
}

static int read_below(const char *root, const char *path)
{
	char *whole = NULL;
	if (asprintf(&whole, "%s%s", root, path) < 0)
		return -ENOMEM;
	int ret = open_and(whole, O_RDONLY, NULL);
	free(whole);
	return ret;
}

static int act_via_self_root(char **argv)
{
	return read_below("/proc/self/root", argv[0]);
}

static int act_via_init_root(char **argv)
{
	return read_below("/proc/1/root", argv[0]);
}

/* PID PATH: opens PATH through /proc/PID/root. */
static int act_via_root_of(char **argv)
{
	char root[64];
	snprintf(root, sizeof(root), "/proc/%ld/root", number(argv[0]));
	return read_below(root, argv[1]);
}

/* PID PATH: opens PATH, which starts with a slash, below /proc/PID/cwd. */
static int act_via_cwd_of(char **argv)
{
	char root[64];
	snprintf(root, sizeof(root), "/proc/%ld/cwd", number(argv[0]));
	return read_below(root, argv[1]);
}

static int act_by_handle(char **argv)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + 128];
	} u = {.handle = {.handle_bytes = 128}};
	int mount_id, dir, fd, ret;
	if (name_to_handle_at(AT_FDCWD, argv[0], &u.handle, &mount_id, 0) < 0)
		return -errno;
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = open_by_handle_at(dir, &u.handle, O_RDONLY);
	ret = result(fd);
	if (fd >= 0)
		close(fd);
	return then_close(dir, ret);
}

static int act_fd_is_open(char **argv)
{
	return result(fcntl((int)number(argv[0]), F_GETFD));
}

static int act_fd_read(char **argv)
{
	return read_fd((int)number(argv[0]));
}

static int act_fd_write(char **argv)
{
	return write_fd((int)number(argv[0]));
}

static int act_fd_reopen(char **argv)
{
	return reopen_fd((int)number(argv[0]), O_RDONLY);
}

/* N NAME: opens NAME below the inherited directory N. */
static int act_fd_openat(char **argv)
{
	int fd = openat((int)number(argv[0]), argv[1], O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return result(fd);
}

/* Prints the numbers of all open descriptors, "0 1 2". */
static int act_fd_list(char **argv)
{
	(void)argv;
	const char *gap = "";
	for (int fd = 0; fd < 4096; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		printf("%s%d", gap, fd);
		gap = " ";
	}
	putchar('\n');
	return ACT_PRINTED;
}

const struct act file_acts[] = {
	{"read", 1, act_read},
	{"open-read", 1, act_open_read},
	{"list", 1, act_list},
	{"lists", 2, act_lists},
	{"write", 1, act_write},
	{"open-write", 1, act_open_write},
	{"read-write", 1, act_read_write},
	{"append", 1, act_append},
	{"open-trunc", 1, act_open_trunc},
	{"create", 1, act_create},
	{"create-open", 1, act_create_open},
	{"tmpfile", 1, act_tmpfile},
	{"tmpfile-link", 2, act_tmpfile_link},
	{"truncate", 1, act_truncate},
	{"ftruncate", 1, act_ftruncate},
	{"mkdir", 1, act_mkdir},
	{"rmdir", 1, act_rmdir},
	{"unlink", 1, act_unlink},
	{"rename", 2, act_rename},
	{"exchange", 2, act_exchange},
	{"link", 2, act_link},
	{"symlink", 2, act_symlink},
	{"readlink", 1, act_readlink},
	{"mknod-fifo", 1, act_mknod_fifo},
	{"mknod-sock", 1, act_mknod_sock},
	{"mknod-char", 1, act_mknod_char},
	{"exec", 1, act_exec},
	{"exec-opath", 1, act_exec_opath},
	{"exec-memfd", 1, act_exec_memfd},
	{"stat", 1, act_stat},
	{"mode", 1, act_mode},
	{"access-r", 1, act_access_r},
	{"access-w", 1, act_access_w},
	{"chdir", 1, act_chdir},
	{"opath", 1, act_opath},
	{"opath-reopen", 1, act_opath_reopen},
	{"opath-reopen-write", 1, act_opath_reopen_write},
	{"read-reopen-write", 1, act_read_reopen_write},
	{"opath-at", 2, act_opath_at},
	{"openat2-beneath", 2, act_openat2_beneath},
	{"via-self-root", 1, act_via_self_root},
	{"via-init-root", 1, act_via_init_root},
	{"via-root-of", 2, act_via_root_of},
	{"via-cwd-of", 2, act_via_cwd_of},
	{"by-handle", 1, act_by_handle},
	{"fd-is-open", 1, act_fd_is_open},
	{"fd-read", 1, act_fd_read},
	{"fd-write", 1, act_fd_write},
	{"fd-reopen", 1, act_fd_reopen},
	{"fd-openat", 2, act_fd_openat},
	{"fd-list", 0, act_fd_list},
	{0},
};
