/*
 * The probe's acts on system calls. `call NAME ARG...` makes any call by name or number with plain
 * numbers, str:TEXT (a pointer to TEXT) and zero:N (a pointer to N zero bytes); the other acts are
 * those that need more than that.
 */
#include "probe.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(name)                \
	{                         \
#name, SYS_##name \
	}

static const struct {
	const char *name;
	long number;
} calls[] = {
	CALL(getpid),
	CALL(socket),
	CALL(mount),
	CALL(umount2),
	CALL(pivot_root),
	CALL(chroot),
	CALL(setns),
	CALL(unshare),
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(keyctl),
	CALL(add_key),
	CALL(request_key),
	CALL(bpf),
	CALL(perf_event_open),
	CALL(userfaultfd),
	CALL(kexec_load),
	CALL(kexec_file_load),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(reboot),
	CALL(swapon),
	CALL(swapoff),
	CALL(quotactl),
	CALL(acct),
	CALL(fanotify_init),
	CALL(fanotify_mark),
	CALL(personality),
	CALL(open_by_handle_at),
	CALL(name_to_handle_at),
	CALL(kcmp),
	CALL(syslog),
	CALL(settimeofday),
	CALL(clock_settime),
	CALL(adjtimex),
	CALL(clock_adjtime),
	CALL(sethostname),
	CALL(setdomainname),
	CALL(vhangup),
	CALL(lookup_dcookie),
	CALL(mbind),
	CALL(migrate_pages),
	CALL(move_pages),
	CALL(set_mempolicy),
	CALL(ioprio_set),
	CALL(sched_setscheduler),
	CALL(sched_setaffinity),
	CALL(setpriority),
	CALL(seccomp),
	CALL(shmget),
	CALL(msgget),
	CALL(semget),
	CALL(memfd_create),
	CALL(getrandom),
#ifdef __x86_64__
	CALL(iopl),
	CALL(ioperm),
	CALL(modify_ldt),
	CALL(uselib),
	CALL(ustat),
#endif
	/* newer than some headers; the same on all architectures */
	{"pidfd_send_signal", 424},
	{"io_uring_setup", 425},
	{"io_uring_enter", 426},
	{"io_uring_register", 427},
	{"open_tree", 428},
	{"move_mount", 429},
	{"fsopen", 430},
	{"fsconfig", 431},
	{"fsmount", 432},
	{"fspick", 433},
	{"pidfd_open", 434},
	{"clone3", 435},
	{"pidfd_getfd", 438},
	{"process_madvise", 440},
	{"mount_setattr", 442},
	{"quotactl_fd", 443},
	{"landlock_create_ruleset", 444},
	{"memfd_secret", 447},
	{"process_mrelease", 448},
	{"statmount", 457},
	{"listmount", 458},
	{"lsm_set_self_attr", 460},
	{"open_tree_attr", 467},
};

static long call_number(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	return number(name);
}

static long argument(const char *text)
{
	if (strncmp(text, "str:", 4) == 0)
		return (long)(intptr_t)(text + 4);
	if (strncmp(text, "zero:", 5) == 0)
		return (long)(intptr_t)calloc(1, (size_t)number(text + 5));
	return number(text);
}

static int call_in_child(char **argv)
{
	long args[6] = {0};
	for (size_t i = 0; i < 6 && argv[i + 1]; i++)
		args[i] = argument(argv[i + 1]);
	return result(syscall(
		call_number(argv[0]), args[0], args[1], args[2], args[3], args[4], args[5]));
}

static int act_call(char **argv)
{
	return in_child(call_in_child, argv);
}

/* Binds DIR over itself and takes the mount away again. */
static int act_mount(char **argv)
{
	if (mount(argv[0], argv[0], NULL, MS_BIND, NULL) < 0)
		return -errno;
	return result(umount2(argv[0], MNT_DETACH));
}

/* Changes the root to the current root, as only root may. */
static int act_chroot(char **argv)
{
	(void)argv;
	return result(chroot("/"));
}

/* Enters the network namespace it is in already, as only root may. */
static int act_setns(char **argv)
{
	(void)argv;
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : result(setns(fd, CLONE_NEWNET));
}

/* The flags that unshare and clone know. */
static const struct {
	const char *name;
	unsigned long flag;
} flags[] = {{"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"net", CLONE_NEWNET},
	{"pid", CLONE_NEWPID}, {"uts", CLONE_NEWUTS}, {"ipc", CLONE_NEWIPC},
	{"cgroup", CLONE_NEWCGROUP}, {"time", 0x80}, {"fs", CLONE_FS}, {"files", CLONE_FILES}};

static unsigned long flag_bits(char **argv)
{
	unsigned long bits = 0;
	for (; *argv; argv++) {
		size_t i = 0;
		while (i < sizeof(flags) / sizeof(flags[0]) && strcmp(flags[i].name, *argv) != 0)
			i++;
		bits |= i < sizeof(flags) / sizeof(flags[0]) ? flags[i].flag
							     : (unsigned long)number(*argv);
	}
	return bits;
}

/* FLAG... */
static int act_unshare(char **argv)
{
	return result(syscall(SYS_unshare, flag_bits(argv)));
}

static int reap(long child)
{
	if (child == 0)
		_exit(0);
	if (child < 0)
		return -errno;
	return result(waitpid((pid_t)child, NULL, __WALL));
}

/* [FLAG...]: a child by clone(). */
static int act_clone(char **argv)
{
	return reap(syscall(SYS_clone, flag_bits(argv) | SIGCHLD, 0, 0, 0, 0));
}

/* [FLAG...]: a child by clone3(). */
static int act_clone3(char **argv)
{
	uint64_t args[8] = {0}; /* struct clone_args, first version */
	args[0] = flag_bits(argv);
	args[4] = SIGCHLD;
	return reap(syscall(435, args, sizeof(args)));
}

static int userns_mount(char **argv)
{
	(void)argv;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	return result(mount("none", "/proc", "tmpfs", 0, NULL));
}

/* A mount in namespaces of its own. */
static int act_userns_mount(char **argv)
{
	return in_child(userns_mount, argv);
}

/* One call by the x32 numbers of x86_64. */
static int x32(char **argv)
{
	(void)argv;
#ifdef __x86_64__
	return result(syscall(SYS_getpid | 0x40000000));
#else
	return -EOPNOTSUPP;
#endif
}

static int act_x32(char **argv)
{
	return in_child(x32, argv);
}

/* getpid by the 32-bit door. */
static int int80(char **argv)
{
	(void)argv;
#ifdef __x86_64__
	long value = 20;
	__asm__ volatile("int $0x80" : "+a"(value) : : "memory", "r8", "r9", "r10", "r11");
	errno = value < 0 ? (int)-value : 0;
	return value < 0 ? -errno : 0;
#else
	return -EOPNOTSUPP;
#endif
}

static int act_int80(char **argv)
{
	return in_child(int80, argv);
}

/* Prints the value of /proc/self/status's line NAME. */
static int act_status(char **argv)
{
	char line[512];
	size_t len = strlen(argv[0]);
	FILE *status = fopen("/proc/self/status", "re");
	if (!status)
		return -errno;
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, argv[0], len) != 0 || line[len] != ':')
			continue;
		fputs(line + len + 1 + strspn(line + len + 1, " \t"), stdout);
		fclose(status);
		return ACT_PRINTED;
	}
	fclose(status);
	return -ENOENT;
}

static int act_no_new_privs(char **argv)
{
	(void)argv;
	printf("%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return ACT_PRINTED;
}

/* Prints the capability sets: permitted, effective, inheritable, bounding and ambient. */
static int act_caps(char **argv)
{
	(void)argv;
	static const char *const names[] = {"CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		act_status((char *[]){(char *)names[i], NULL});
	return ACT_PRINTED;
}

static int drop_user(char **argv)
{
	(void)argv;
	return setuid(0) < 0 ? -errno : 0;
}

/* Whether it can become root. */
static int act_setuid_root(char **argv)
{
	return in_child(drop_user, argv);
}

/* Prints the soft limit NAME. */
static int act_limit(char **argv)
{
	static const struct {
		const char *name;
		int resource;
	} limits[] = {{"as", RLIMIT_AS}, {"nproc", RLIMIT_NPROC}, {"nofile", RLIMIT_NOFILE},
		{"fsize", RLIMIT_FSIZE}, {"core", RLIMIT_CORE}};
	struct rlimit limit;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strcmp(limits[i].name, argv[0]) != 0)
			continue;
		if (getrlimit((__typeof__(RLIMIT_AS))limits[i].resource, &limit) < 0)
			return -errno;
		if (limit.rlim_cur == RLIM_INFINITY)
			puts("unlimited");
		else
			printf("%llu\n", (unsigned long long)limit.rlim_cur);
		return ACT_PRINTED;
	}
	return -EINVAL;
}

/* Installs a Landlock domain of its own that handles making directories and allows none. */
static int act_landlock(char **argv)
{
	(void)argv;
	uint64_t attr[1] = {1 << 7}; /* LANDLOCK_ACCESS_FS_MAKE_DIR */
	long ruleset = syscall(444, attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(446, ruleset, 0) < 0)
		return -errno;
	return mkdir("landlock-probe", 0777) < 0 && errno == EACCES ? 0 : -EIO;
}

/* Installs a seccomp filter with a notification descriptor; it notifies nothing. */
static int act_seccomp_listener(char **argv)
{
	(void)argv;
	/* struct sock_filter and sock_fprog of <linux/filter.h>: return SECCOMP_RET_ALLOW */
	static struct {
		uint16_t code;
		uint8_t jt, jf;
		uint32_t k;
	} filter[] = {{0x06, 0, 0, 0x7fff0000}};
	struct {
		unsigned short len;
		void *filter;
	} program = {1, filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return result(
		syscall(SYS_seccomp, 1 /* SET_MODE_FILTER */, 8 /* NEW_LISTENER */, &program));
}

const struct act call_acts[] = {
	{"call", 1, act_call},
	{"mount", 1, act_mount},
	{"chroot", 0, act_chroot},
	{"setns", 0, act_setns},
	{"unshare", 1, act_unshare},
	{"clone", 0, act_clone},
	{"clone3", 0, act_clone3},
	{"userns-mount", 0, act_userns_mount},
	{"x32", 0, act_x32},
	{"int80", 0, act_int80},
	{"status", 1, act_status},
	{"no-new-privs", 0, act_no_new_privs},
	{"caps", 0, act_caps},
	{"setuid-root", 0, act_setuid_root},
	{"limit", 1, act_limit},
	{"landlock", 0, act_landlock},
	{"seccomp-listener", 0, act_seccomp_listener},
	{0},
};
