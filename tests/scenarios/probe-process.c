/*
 * The probe's acts on other processes. Where an act takes a PID it is that of a process outside
 * the pen which the caller started for this; "parent" stands for the probe's own parent.
 */
#include "probe.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_PIDFD_SEND_SIGNAL 424
#define NR_PIDFD_OPEN        434
#define NR_PIDFD_GETFD       438
#define NR_PROCESS_MADVISE   440

static pid_t pid_of(const char *text)
{
	return strcmp(text, "parent") == 0 ? getppid() : (pid_t)number(text);
}

static int sleeping_child(pid_t *ret_child)
{
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		pause();
		_exit(0);
	}
	*ret_child = child;
	return 0;
}

static int end_child(pid_t child, int ret)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return ret;
}

static int attach(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int act_ptrace(char **argv)
{
	return attach(pid_of(argv[0]));
}

static int act_ptrace_child(char **argv)
{
	(void)argv;
	pid_t child;
	int ret = sleeping_child(&child);
	return ret < 0 ? ret : end_child(child, attach(child));
}

static int traceme(char **argv)
{
	(void)argv;
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int act_ptrace_traceme(char **argv)
{
	return in_child(traceme, argv);
}

/* The address is the probe's own; only a child has something there. */
static int read_memory(pid_t pid)
{
	static char from, to;
	struct iovec local = {&to, 1}, remote = {&from, 1};
	return result(process_vm_readv(pid, &local, 1, &remote, 1, 0));
}

static int act_vm_read(char **argv)
{
	return read_memory(pid_of(argv[0]));
}

static int act_vm_read_child(char **argv)
{
	(void)argv;
	pid_t child;
	int ret = sleeping_child(&child);
	return ret < 0 ? ret : end_child(child, read_memory(child));
}

static int act_vm_write_child(char **argv)
{
	(void)argv;
	static char data;
	struct iovec local = {&data, 1}, remote = {&data, 1};
	pid_t child;
	int ret = sleeping_child(&child);
	if (ret < 0)
		return ret;
	return end_child(child, result(process_vm_writev(child, &local, 1, &remote, 1, 0)));
}

/* PID SIGNAL; signal 0 only asks. */
static int act_kill(char **argv)
{
	return result(kill(pid_of(argv[0]), (int)number(argv[1])));
}

static int act_tgkill(char **argv)
{
	pid_t pid = pid_of(argv[0]);
	return result(syscall(SYS_tgkill, pid, pid, (int)number(argv[1])));
}

static int act_sigqueue(char **argv)
{
	return result(sigqueue(pid_of(argv[0]), (int)number(argv[1]), (union sigval){0}));
}

static int with_pidfd(pid_t pid, int (*use)(int fd, char **argv), char **argv)
{
	int fd = (int)syscall(NR_PIDFD_OPEN, pid, 0);
	if (fd < 0)
		return -errno;
	int ret = use(fd, argv);
	close(fd);
	return ret;
}

static int pidfd_kill(int fd, char **argv)
{
	return result(syscall(NR_PIDFD_SEND_SIGNAL, fd, (int)number(argv[1]), NULL, 0));
}

static int act_pidfd_kill(char **argv)
{
	return with_pidfd(pid_of(argv[0]), pidfd_kill, argv);
}

static int pidfd_getfd_0(int fd, char **argv)
{
	(void)argv;
	return result(syscall(NR_PIDFD_GETFD, fd, 0, 0));
}

static int act_pidfd_getfd(char **argv)
{
	return with_pidfd(pid_of(argv[0]), pidfd_getfd_0, argv);
}

static int pidfd_madvise(int fd, char **argv)
{
	(void)argv;
	static char page[8192];
	struct iovec range = {(void *)(((uintptr_t)page + 4095) & ~(uintptr_t)4095), 4096};
	return result(syscall(NR_PROCESS_MADVISE, fd, &range, 1, 20 /* MADV_COLD */, 0));
}

static int act_process_madvise(char **argv)
{
	return with_pidfd(pid_of(argv[0]), pidfd_madvise, argv);
}

static int open_proc(const char *pid, const char *name, int flags)
{
	char path[128], byte;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid_of(pid), name);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int ret = (flags & O_ACCMODE) == O_RDONLY && strcmp(name, "mem") != 0
			  ? result(read(fd, &byte, 1))
			  : 0;
	close(fd);
	return ret;
}

/* PID NAME: reads /proc/PID/NAME. */
static int act_proc_read(char **argv)
{
	return open_proc(argv[0], argv[1], O_RDONLY);
}

/* PID NAME: opens /proc/PID/NAME for writing; writes nothing. */
static int act_proc_write(char **argv)
{
	return open_proc(argv[0], argv[1], O_WRONLY);
}

/* PID NAME: the link /proc/PID/NAME. */
static int act_proc_link(char **argv)
{
	char path[128], target[4096];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid_of(argv[0]), argv[1]);
	return result(readlink(path, target, sizeof(target)));
}

/* PID: sets a limit of the process to the value it has. */
static int act_prlimit(char **argv)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return -errno;
	limit.rlim_cur = 0;
	return result(prlimit(pid_of(argv[0]), RLIMIT_CORE, &limit, NULL));
}

static int act_prlimit_get(char **argv)
{
	struct rlimit limit;
	return result(prlimit(pid_of(argv[0]), RLIMIT_CORE, NULL, &limit));
}

static int act_setpriority(char **argv)
{
	return result(setpriority(PRIO_PROCESS, (id_t)pid_of(argv[0]), 1));
}

/* All processes of the user, to the priority that one of them has. */
static int act_setpriority_user(char **argv)
{
	(void)argv;
	errno = 0;
	int highest = getpriority(PRIO_USER, 0);
	return errno ? -errno : result(setpriority(PRIO_USER, 0, highest));
}

static int act_setaffinity(char **argv)
{
	cpu_set_t cpus;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return -errno;
	return result(sched_setaffinity(pid_of(argv[0]), sizeof(cpus), &cpus));
}

static int act_setscheduler(char **argv)
{
	int pid = pid_of(argv[0]);
	int param = 0; /* struct sched_param; musl's wrapper always fails */
	return result(syscall(SYS_sched_setscheduler, pid, 0 /* SCHED_OTHER */, &param));
}

static int act_sched_setattr(char **argv)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof(attr), .nice = 1};
	return result(syscall(SYS_sched_setattr, pid_of(argv[0]), &attr, 0));
}

static int act_ioprio(char **argv)
{
	return result(syscall(SYS_ioprio_set, 1, pid_of(argv[0]), 2 << 13 | 7));
}

static int act_kcmp(char **argv)
{
	return result(syscall(SYS_kcmp, getpid(), pid_of(argv[0]), 0, 0, 0));
}

static int act_migrate_pages(char **argv)
{
	unsigned long node = 1;
	return result(syscall(SYS_migrate_pages, pid_of(argv[0]), 64, &node, &node));
}

/* PID: has the kernel signal PID when something happens to a pipe. */
static int act_sigio(char **argv)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(fds[0], F_SETOWN, pid_of(argv[0])) < 0 || fcntl(fds[0], F_SETSIG, SIGTERM) < 0 ||
		fcntl(fds[0], F_SETFL, O_ASYNC) < 0)
		return -errno;
	return result(write(fds[1], "x", 1));
}

/* Prints the variable NAME, or "unset". */
static int act_env(char **argv)
{
	const char *value = getenv(argv[0]);
	puts(value ? value : "unset");
	return ACT_PRINTED;
}

/* Prints the names of all variables in order, in one line. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int act_env_names(char **argv)
{
	(void)argv;
	size_t count = 0;
	while (environ[count])
		count++;
	qsort(environ, count, sizeof(environ[0]), compare_names);
	for (size_t i = 0; i < count; i++)
		printf("%s%.*s", i ? " " : "", (int)strcspn(environ[i], "="), environ[i]);
	putchar('\n');
	return ACT_PRINTED;
}

/* Prints how many processes /proc shows. */
static int act_process_count(char **argv)
{
	(void)argv;
	int count = 0;
	DIR *proc = opendir("/proc");
	if (!proc)
		return -errno;
	for (struct dirent *entry; (entry = readdir(proc));)
		count += isdigit((unsigned char)entry->d_name[0]) != 0;
	closedir(proc);
	printf("%d\n", count);
	return ACT_PRINTED;
}

const struct act process_acts[] = {
	{"ptrace", 1, act_ptrace},
	{"ptrace-child", 0, act_ptrace_child},
	{"ptrace-traceme", 0, act_ptrace_traceme},
	{"vm-read", 1, act_vm_read},
	{"vm-read-child", 0, act_vm_read_child},
	{"vm-write-child", 0, act_vm_write_child},
	{"kill", 2, act_kill},
	{"tgkill", 2, act_tgkill},
	{"sigqueue", 2, act_sigqueue},
	{"pidfd-kill", 2, act_pidfd_kill},
	{"pidfd-getfd", 1, act_pidfd_getfd},
	{"process-madvise", 1, act_process_madvise},
	{"proc-read", 2, act_proc_read},
	{"proc-write", 2, act_proc_write},
	{"proc-link", 2, act_proc_link},
	{"prlimit", 1, act_prlimit},
	{"prlimit-get", 1, act_prlimit_get},
	{"setpriority", 1, act_setpriority},
	{"setpriority-user", 0, act_setpriority_user},
	{"setaffinity", 1, act_setaffinity},
	{"setscheduler", 1, act_setscheduler},
	{"sched-setattr", 1, act_sched_setattr},
	{"ioprio", 1, act_ioprio},
	{"kcmp", 1, act_kcmp},
	{"migrate-pages", 1, act_migrate_pages},
	{"sigio", 1, act_sigio},
	{"env", 1, act_env},
	{"env-names", 0, act_env_names},
	{"process-count", 0, act_process_count},
	{0},
};
