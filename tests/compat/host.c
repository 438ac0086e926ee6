/*
 * Runs a command as on another host: what that host refuses fails here with the same error.
 *
 *     host [--log FILE] TRAIT... -- COMMAND [ARG...]
 *
 *     CALL=ERRNO         a system call of the list below fails: pidfd_getfd=EPERM
 *     notify=none        no seccomp notifications (before 5.0)
 *     notify=above       another listener is there: EBUSY
 *     notify=first       5.0 to 5.8: no descriptors can be given
 *     notify=early       5.9 to 5.13: they can, in two steps; no WAIT_KILLABLE_RECV
 *     userns=none        user namespaces and mount namespaces are refused
 *     landlock=ABI       Landlock of this ABI; 0: switched off at boot
 *     landlock=lying     the version is there, a ruleset is not made
 *     yama=SCOPE         kernel.yama.ptrace_scope 2 or 3, for callers without privileges
 *     casefold=DIR       this directory of ext4 takes upper and lower case for the same
 *     vfat=DIR           it is on this file system
 *     missing=NAME       no file of this name is there, wherever
 *     instead=NAME=FILE  who executes a program of this name gets FILE
 *
 * Rights and flags of Landlock that are newer than the ABI are refused as such a kernel does. What
 * the running kernel does not know is taken out of the arguments, so that it looks as if it were
 * handled. With --log each ruleset and restriction is told: what landpen asked for.
 *
 * Refusals are a seccomp filter's. What depends on memory, or returns a number, is a tracer's. A
 * listener would take the place of landpen's.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array)    (sizeof(array) / sizeof((array)[0]))
#define NR_LANDLOCK     444 /* create_ruleset, add_rule, restrict_self */
#define NEW_LISTENER    8U
#define KILLABLE        32U
#define ADDFD           0x40182103U
#define SET_FLAGS       0x40082104U
#define GET_FLAGS       0x80086601U
#define GET_NOTIF_SIZES 3U
#define PATH_LIMIT      4096
#define YAMA            "/proc/sys/kernel/yama/ptrace_scope"

static const struct {
	const char *name;
	int number;
} calls[] = {{"pidfd_open", 434}, {"pidfd_getfd", 438}, {"process_vm_readv", SYS_process_vm_readv},
	{"process_vm_writev", SYS_process_vm_writev}, {"clone3", 435}, {"close_range", 436},
	{"openat2", 437}, {"faccessat2", 439}, {"landlock_create_ruleset", 444},
	{"landlock_add_rule", 445}, {"landlock_restrict_self", 446}, {"seccomp", SYS_seccomp},
	{"statx", SYS_statx}, {"memfd_create", SYS_memfd_create}, {"fchmodat2", 452}};

static const struct {
	const char *name;
	int number;
} errors[] = {{"EPERM", EPERM}, {"ENOSYS", ENOSYS}, {"EINVAL", EINVAL}, {"EACCES", EACCES},
	{"EOPNOTSUPP", EOPNOTSUPP}, {"EBUSY", EBUSY}};

/* What each ABI handles: fs, net, scoped. */
static const uint64_t known[][3] = {{0, 0, 0}, {0x1fff, 0, 0}, {0x3fff, 0, 0}, {0x7fff, 0, 0},
	{0x7fff, 3, 0}, {0xffff, 3, 0}, {0xffff, 3, 3}, {0xffff, 3, 3}, {0xffff, 3, 3},
	{0x1ffff, 3, 3}, {0x1ffff, 15, 3}, {0x1ffff, 15, 3}};
static const uint64_t known_flags[] = {0, 0, 0, 0, 0, 0, 0, 7, 15, 15, 15, 31};

/* The host. */
static struct {
	int landlock;
	int real_landlock;
	bool lies, gives_late;
	int yama;
	const char *missing, *replaced, *alias;
	const char *casefold, *vfat;
	char yama_alias[64];
	FILE *log;
} host;

static struct sock_filter code[512];
static unsigned short code_count;
static bool is_traced;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "host: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	exit(99);
}

/* ---- the filter ---- */

static void emit(struct sock_filter op)
{
	if (code_count == COUNT(code))
		die("too many traits");
	code[code_count++] = op;
}

/* The answer to a call whose argument has one of these bits (or, without bits, is this value). */
static void refuse_if(int number, unsigned arg, uint32_t bits, uint32_t value, uint32_t answer)
{
	const uint32_t offset =
		(uint32_t)offsetof(struct seccomp_data, args) + arg * (uint32_t)sizeof(uint64_t);

	emit((struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	emit((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3));
	emit((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
	if (bits)
		emit((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
	else
		emit((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	emit((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

static void answer_all(int number, uint32_t answer)
{
	emit((struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	emit((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1));
	emit((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

static uint32_t failing(int error)
{
	return SECCOMP_RET_ERRNO | (uint32_t)error;
}

static void trace(int number)
{
	is_traced = true;
	answer_all(number, SECCOMP_RET_TRACE);
}

static void trace_paths(void)
{
	static const int with_paths[] = {
		SYS_openat,
		SYS_newfstatat,
		SYS_statx,
		SYS_execve,
		SYS_faccessat,
		439,
#ifdef SYS_open
		SYS_open,
		SYS_stat,
		SYS_access,
#endif
	};

	for (size_t i = 0; i < COUNT(with_paths); i++)
		trace(with_paths[i]);
}

static void install_filter(void)
{
	const struct sock_fprog program = {code_count, code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		die("seccomp: %s", strerror(errno));
}

/* ---- traits ---- */

static bool is(const char *trait, const char *name, const char **ret_value)
{
	size_t len = strlen(name);

	*ret_value = trait + len + 1;
	return !strncmp(trait, name, len) && trait[len] == '=';
}

static void set_notify(const char *value)
{
	bool is_none = !strcmp(value, "none"), is_first = !strcmp(value, "first");

	if (is_none)
		refuse_if(SYS_seccomp, 0, 0, GET_NOTIF_SIZES, failing(EINVAL));
	if (is_none)
		refuse_if(SYS_seccomp, 1, NEW_LISTENER, 0, failing(EINVAL));
	if (!strcmp(value, "above"))
		refuse_if(SYS_seccomp, 1, NEW_LISTENER, 0, failing(EBUSY));
	if (is_first)
		refuse_if(SYS_ioctl, 1, 0, ADDFD, failing(EINVAL));
	if (is_first || !strcmp(value, "early")) {
		refuse_if(SYS_seccomp, 1, KILLABLE, 0, failing(EINVAL));
		refuse_if(SYS_ioctl, 1, 0, SET_FLAGS, failing(EINVAL));
	}
	if (strcmp(value, "early") != 0)
		return;
	host.gives_late = true;
	refuse_if(SYS_ioctl, 1, 0, ADDFD, SECCOMP_RET_TRACE);
	is_traced = true;
}

static void set_landlock(const char *value)
{
	host.lies = !strcmp(value, "lying");
	host.landlock = host.lies ? host.real_landlock : atoi(value);
	if (host.landlock < 0 || (size_t)host.landlock >= COUNT(known))
		die("landlock=%s: no such ABI", value);
	for (int i = 0; i < 3; i++)
		trace(NR_LANDLOCK + i);
}

static void set_yama(const char *value)
{
	int fd = memfd_create("yama", 0);

	host.yama = atoi(value);
	if (fd < 0 || dprintf(fd, "%s\n", value) < 0)
		die("memfd: %s", strerror(errno));
	snprintf(host.yama_alias, sizeof(host.yama_alias), "/proc/%d/fd/%d", getpid(), fd);
	trace_paths();
	trace(SYS_process_vm_readv);
	trace(SYS_process_vm_writev);
	trace(438);
}

static void set_call(const char *trait)
{
	const char *value;
	int error = 0;

	for (size_t i = 0; i < COUNT(calls); i++) {
		if (!is(trait, calls[i].name, &value))
			continue;
		for (size_t j = 0; j < COUNT(errors); j++)
			if (!strcmp(errors[j].name, value))
				error = errors[j].number;
		if (!error)
			die("%s: no such error", trait);
		answer_all(calls[i].number, failing(error));
		return;
	}
	die("%s: no such trait", trait);
}

static void set_trait(const char *trait)
{
	const char *value;

	if (is(trait, "notify", &value)) {
		set_notify(value);
	} else if (is(trait, "landlock", &value)) {
		set_landlock(value);
	} else if (is(trait, "yama", &value)) {
		set_yama(value);
	} else if (is(trait, "casefold", &value)) {
		host.casefold = value;
		refuse_if(SYS_ioctl, 1, 0, GET_FLAGS, SECCOMP_RET_TRACE);
		is_traced = true;
	} else if (is(trait, "vfat", &value)) {
		host.vfat = value;
		trace(SYS_fstatfs);
	} else if (is(trait, "missing", &value)) {
		host.missing = value;
		trace_paths();
	} else if (is(trait, "instead", &value) && strchr(value, '=')) {
		host.alias = strchr(value, '=') + 1;
		host.replaced = strndup(value, (size_t)(host.alias - value) - 1);
		trace_paths();
	} else if (is(trait, "userns", &value)) {
		refuse_if(SYS_unshare, 0, CLONE_NEWUSER | CLONE_NEWNS, 0, failing(EPERM));
		refuse_if(SYS_clone, 0, CLONE_NEWUSER | CLONE_NEWNS, 0, failing(EPERM));
		answer_all(435, failing(ENOSYS));
	} else {
		set_call(trait);
	}
}

/* ---- the tracer ---- */

/* A call that is about to be made. */
struct call {
	pid_t tid;
	int number;
	uint64_t args[6];
};

static bool get_memory(const struct call *call, uint64_t address, void *bytes, size_t len)
{
	struct iovec here = {bytes, len}, there = {(void *)(uintptr_t)address, len};

	return process_vm_readv(call->tid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

static void put_memory(const struct call *call, uint64_t address, const void *bytes, size_t len)
{
	char path[64];
	int fd;

	/* also where the caller may not write: a literal */
	snprintf(path, sizeof(path), "/proc/%d/mem", call->tid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, bytes, len, (off_t)address) != (ssize_t)len)
		die("writing a caller's memory: %s", strerror(errno));
	close(fd);
}

static bool get_path(const struct call *call, uint64_t address, char path[PATH_LIMIT])
{
	size_t done = 0;

	while (done < PATH_LIMIT) {
		size_t len = 256 - (address + done) % 256;

		if (!get_memory(call, address + done, path + done, len))
			return false;
		if (memchr(path + done, '\0', len))
			return true;
		done += len;
		if (done + 256 > PATH_LIMIT)
			return false;
	}
	return false;
}

#ifdef __x86_64__
#define STACK(regs)      (regs).rsp
#define ARGUMENT_1(regs) (regs).rdi
#define ARGUMENT_2(regs) (regs).rsi
#else
#define STACK(regs)      (regs).sp
#define ARGUMENT_1(regs) (regs).regs[0]
#define ARGUMENT_2(regs) (regs).regs[1]
#endif

static void get_registers(const struct call *call, struct user_regs_struct *regs)
{
	struct iovec all = {regs, sizeof(*regs)};

	ptrace(PTRACE_GETREGSET, call->tid, NT_PRSTATUS, &all);
}

static void set_registers(const struct call *call, struct user_regs_struct *regs)
{
	struct iovec all = {regs, sizeof(*regs)};

	ptrace(PTRACE_SETREGSET, call->tid, NT_PRSTATUS, &all);
}

/* Lets the caller go on as if the call had returned this. */
static void skip(const struct call *call, long result)
{
	struct user_regs_struct regs;

	get_registers(call, &regs);
#ifdef __x86_64__
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)result;
#else
	int none = -1;
	struct iovec number = {&none, sizeof(none)};

	regs.regs[0] = (unsigned long long)result;
	ptrace(PTRACE_SETREGSET, call->tid, 0x404 /* NT_ARM_SYSTEM_CALL */, &number);
#endif
	set_registers(call, &regs);
}

/* Another path for the call, put below the caller's stack. */
static void replace_path(const struct call *call, bool is_first, const char *path)
{
	struct user_regs_struct regs;
	uint64_t place;

	get_registers(call, &regs);
	place = (STACK(regs) - 256 - strlen(path)) & ~15ULL;
	put_memory(call, place, path, strlen(path) + 1);
	*(is_first ? &ARGUMENT_1(regs) : &ARGUMENT_2(regs)) = place;
	set_registers(call, &regs);
}

static void tell(const char *format, ...)
{
	va_list args;

	if (!host.log)
		return;
	va_start(args, format);
	vfprintf(host.log, format, args);
	va_end(args);
	fflush(host.log);
}

static void create_ruleset(const struct call *call)
{
	uint64_t attr[3] = {0, 0, 0}, size = call->args[1];
	const uint64_t *has = known[host.landlock], *real = known[host.real_landlock];

	if (!host.landlock) {
		skip(call, -EOPNOTSUPP);
	} else if (call->args[2] == 1) {
		skip(call, host.landlock);
	} else if (call->args[2] == 2 && host.landlock < 7) {
		skip(call, -EINVAL);
	} else if (call->args[2] == 0 && host.lies) {
		skip(call, -EINVAL);
	} else if (call->args[2] == 0) {
		if (size > sizeof(attr) || !get_memory(call, call->args[0], attr, size))
			die("a ruleset of %lu bytes cannot be read", (unsigned long)size);
		tell("create fs=%lx net=%lx scoped=%lx\n", (long)attr[0], (long)attr[1],
			(long)attr[2]);
		for (int i = 0; i < 3; i++)
			if (attr[i] & ~has[i]) {
				/* a longer struct than it knows, or a right */
				skip(call, i && !has[i] ? -E2BIG : -EINVAL);
				return;
			}
		for (int i = 0; i < 3; i++)
			attr[i] &= real[i];
		put_memory(call, call->args[0], attr, size);
	}
}

static void add_rule(const struct call *call)
{
	uint64_t access;

	if (!host.landlock) {
		skip(call, -EOPNOTSUPP);
	} else if (host.landlock > host.real_landlock) {
		if (!get_memory(call, call->args[2], &access, sizeof(access)))
			return;
		access &= known[host.real_landlock][0];
		put_memory(call, call->args[2], &access, sizeof(access));
	}
}

static void restrict_self(const struct call *call)
{
	tell("restrict flags=%lx\n", (long)call->args[1]);
	if (!host.landlock)
		skip(call, -EOPNOTSUPP);
	else if (call->args[1] & ~known_flags[host.landlock])
		skip(call, -EINVAL);
}

/* Yama: attaching is for privileged callers (2) or nobody (3); also in a namespace of one's own. */
static bool may_attach(const struct call *call, pid_t target)
{
	char path[64];
	struct stat caller, other;

	if (host.yama > 2)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", call->tid);
	if (stat(path, &caller) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", target);
	return stat(path, &other) == 0 && caller.st_ino != other.st_ino;
}

static void attach(const struct call *call)
{
	pid_t target = (pid_t)call->args[0];

	if (call->number == 438) {
		char path[64], line[128];
		FILE *file;

		/* the pidfd leads to the process */
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", call->tid, (int)call->args[0]);
		file = fopen(path, "re");
		target = -1;
		while (file && fgets(line, sizeof(line), file))
			sscanf(line, "Pid: %d", &target);
		if (file)
			fclose(file);
	}
	if (target != call->tid && !may_attach(call, target))
		skip(call, -EPERM);
}

static bool is_named(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return name && slash && !strcmp(slash + 1, name);
}

static void use_path(const struct call *call)
{
	bool is_first = call->number == SYS_execve;
	char path[PATH_LIMIT], rest[8];
	int target;

#ifdef SYS_open
	is_first |=
		call->number == SYS_open || call->number == SYS_stat || call->number == SYS_access;
#endif
	if (!get_path(call, call->args[is_first ? 0 : 1], path))
		return;
	if (is_named(path, host.missing))
		skip(call, -ENOENT);
	else if (call->number == SYS_execve && is_named(path, host.replaced))
		replace_path(call, is_first, host.alias);
	else if (host.yama && !strcmp(path, YAMA))
		replace_path(call, is_first, host.yama_alias);
	else if (host.yama && sscanf(path, "/proc/%d/%7s", &target, rest) == 2 &&
		 !strcmp(rest, "mem") && target != call->tid && !may_attach(call, target))
		skip(call, -EACCES);
}

static bool is_open_on(const struct call *call, const char *dir)
{
	char link[64], path[PATH_LIMIT];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", call->tid, (int)call->args[0]);
	len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	return dir && !strcmp(path, dir);
}

static void tell_flags(const struct call *call)
{
	const uint32_t flags = 0x40000000;

	if (!is_open_on(call, host.casefold))
		return;
	put_memory(call, call->args[2], &flags, sizeof(flags));
	skip(call, 0);
}

static void tell_type(const struct call *call)
{
	const uint64_t type = 0x4d44;

	if (!is_open_on(call, host.vfat))
		return;
	put_memory(call, call->args[1], &type, sizeof(type));
	skip(call, 0);
}

static void give(const struct call *call)
{
	uint32_t flags;

	/* struct seccomp_notif_addfd: id, flags; SEND is the second */
	if (get_memory(call, call->args[2] + 8, &flags, sizeof(flags)) && flags & 2)
		skip(call, -EINVAL);
}

static void serve(pid_t tid)
{
	struct __ptrace_syscall_info info;
	struct call call = {.tid = tid};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0)
		return; /* killed meanwhile */
	call.number = (int)info.seccomp.nr;
	memcpy(call.args, info.seccomp.args, sizeof(call.args));
	switch (call.number) {
	case NR_LANDLOCK:
		create_ruleset(&call);
		break;
	case NR_LANDLOCK + 1:
		add_rule(&call);
		break;
	case NR_LANDLOCK + 2:
		restrict_self(&call);
		break;
	case SYS_ioctl:
		if ((uint32_t)call.args[1] == GET_FLAGS)
			tell_flags(&call);
		else
			give(&call);
		break;
	case SYS_fstatfs:
		tell_type(&call);
		break;
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
	case 438:
		attach(&call);
		break;
	default:
		use_path(&call);
	}
}

/* Stops that are a tracer's own go on; a group's stop stays one. */
static void go_on(pid_t tid, int status)
{
	int number = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_SECCOMP)
		serve(tid);
	if (event == PTRACE_EVENT_STOP &&
		(number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU))
		ptrace(PTRACE_LISTEN, tid, 0, 0);
	else
		ptrace(PTRACE_CONT, tid, 0, event ? 0 : number);
}

/* Until nobody is left: without a tracer the calls would fail in another way. */
static int trace_all(pid_t command)
{
	int status, result = 1;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (tid > 0 && WIFSTOPPED(status))
			go_on(tid, status);
		else if (tid == command && WIFEXITED(status))
			result = WEXITSTATUS(status);
		else if (tid == command && WIFSIGNALED(status))
			result = 128 + WTERMSIG(status);
	}
	return result;
}

static int run_traced(char **argv)
{
	const unsigned long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
				      PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
				      PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int go[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		char byte;

		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(99);
		install_filter();
		execvp(argv[0], argv);
		die("%s: %s", argv[0], strerror(errno));
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0 || write(go[1], "", 1) != 1)
		die("ptrace: %s", strerror(errno));
	return trace_all(pid);
}

int main(int argc, char **argv)
{
	int at = 1;

	setvbuf(stdout, NULL, _IONBF, 0);
	host.real_landlock = (int)syscall(NR_LANDLOCK, NULL, 0, 1);
	if (host.real_landlock < 0)
		host.real_landlock = 0;
	if ((size_t)host.real_landlock >= COUNT(known))
		host.real_landlock = COUNT(known) - 1;
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		if (!strcmp(argv[at], "--log") && at + 1 < argc)
			host.log = fopen(argv[++at], "ae");
		else
			set_trait(argv[at]);
	}
	if (at + 1 >= argc)
		die("host [--log FILE] TRAIT... -- COMMAND");
	/* whoever makes himself unreadable is to be read all the same, by the tracer */
	if (is_traced)
		refuse_if(SYS_prctl, 0, 0, PR_SET_DUMPABLE, failing(0));
	emit((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	if (is_traced)
		return run_traced(argv + at + 1);
	install_filter();
	execvp(argv[at + 1], argv + at + 1);
	die("%s: %s", argv[at + 1], strerror(errno));
}
