/*
 * Writes the seccomp filters as C tables, one for each combination of the LP_FILTER_ bits, so that
 * the launcher neither links libseccomp nor spends its start-up on generating them.
 *
 * Runs at build time on the build host: filter-gen ARCH OUT.c. The tables below are the whole list
 * of what is closed. Everything else is allowed: the file rules are Landlock's or the mounts'.
 *
 * Arguments that the kernel reads as 32 bits are compared as 32 bits: comparing 64 would let a
 * caller pass by setting high bits (CVE-2019-10063).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine/filters.h"

#define LOW32 0xffffffffULL

/* A call that is closed unless one of the bits in `opened_by` is set. */
struct closed_call {
	const char *name;
	int number; /* for names newer than libseccomp; from 424 on the same everywhere */
	int error;
	unsigned opened_by;
};

static const struct closed_call closed_calls[] = {
	/* mounts and roots */
	{"mount", 0, EPERM, LP_FILTER_NAMESPACES},
	{"umount", 0, EPERM, LP_FILTER_NAMESPACES},
	{"umount2", 0, EPERM, LP_FILTER_NAMESPACES},
	{"pivot_root", 0, EPERM, LP_FILTER_NAMESPACES},
	{"chroot", 0, EPERM, LP_FILTER_NAMESPACES},
	{"open_tree", 428, EPERM, LP_FILTER_NAMESPACES},
	{"move_mount", 429, EPERM, LP_FILTER_NAMESPACES},
	{"fsopen", 430, EPERM, LP_FILTER_NAMESPACES},
	{"fsconfig", 431, EPERM, LP_FILTER_NAMESPACES},
	{"fsmount", 432, EPERM, LP_FILTER_NAMESPACES},
	{"fspick", 433, EPERM, LP_FILTER_NAMESPACES},
	{"mount_setattr", 442, EPERM, LP_FILTER_NAMESPACES},
	{"open_tree_attr", 467, EPERM, LP_FILTER_NAMESPACES},
	{"setns", 0, EPERM, LP_FILTER_NAMESPACES},
	/* its flags are in memory: callers fall back to clone */
	{"clone3", 435, ENOSYS, LP_FILTER_NAMESPACES},
	/* other processes */
	{"ptrace", 0, EPERM, LP_FILTER_PTRACE},
	{"process_vm_readv", 0, EPERM, LP_FILTER_PTRACE},
	{"process_vm_writev", 0, EPERM, LP_FILTER_PTRACE},
	{"pidfd_getfd", 438, EPERM, LP_FILTER_PTRACE},
	{"kcmp", 0, EPERM, LP_FILTER_PTRACE},
	/* keys of the session that started landpen */
	{"keyctl", 0, ENOSYS, 0},
	{"add_key", 0, ENOSYS, 0},
	{"request_key", 0, ENOSYS, 0},
	/* kernel surface that a build never needs */
	{"bpf", 0, EPERM, 0},
	{"perf_event_open", 0, EPERM, 0},
	{"userfaultfd", 0, EPERM, 0},
	{"io_uring_setup", 425, ENOSYS, 0},
	{"io_uring_enter", 426, ENOSYS, 0},
	{"io_uring_register", 427, ENOSYS, 0},
	{"kexec_load", 0, EPERM, 0},
	{"kexec_file_load", 0, EPERM, 0},
	{"init_module", 0, EPERM, 0},
	{"finit_module", 0, EPERM, 0},
	{"delete_module", 0, EPERM, 0},
	{"reboot", 0, EPERM, 0},
	{"swapon", 0, EPERM, 0},
	{"swapoff", 0, EPERM, 0},
	{"quotactl", 0, EPERM, 0},
	{"quotactl_fd", 443, EPERM, 0},
	{"acct", 0, EPERM, 0},
	{"syslog", 0, EPERM, 0},
	/* these name files past the path rules */
	{"open_by_handle_at", 0, EPERM, 0},
	{"fanotify_init", 0, EPERM, 0},
	/* metadata: not covered by Landlock, not even on descriptors opened for reading */
	{"chmod", 0, EPERM, LP_FILTER_METADATA},
	{"fchmod", 0, EPERM, LP_FILTER_METADATA},
	{"fchmodat", 0, EPERM, LP_FILTER_METADATA},
	{"fchmodat2", 452, EPERM, LP_FILTER_METADATA},
	{"chown", 0, EPERM, LP_FILTER_METADATA},
	{"lchown", 0, EPERM, LP_FILTER_METADATA},
	{"fchown", 0, EPERM, LP_FILTER_METADATA},
	{"fchownat", 0, EPERM, LP_FILTER_METADATA},
	{"utime", 0, EPERM, LP_FILTER_METADATA},
	{"utimes", 0, EPERM, LP_FILTER_METADATA},
	{"futimesat", 0, EPERM, LP_FILTER_METADATA},
	{"utimensat", 0, EPERM, LP_FILTER_METADATA},
	{"setxattr", 0, EPERM, LP_FILTER_METADATA},
	{"lsetxattr", 0, EPERM, LP_FILTER_METADATA},
	{"fsetxattr", 0, EPERM, LP_FILTER_METADATA},
	{"setxattrat", 463, EPERM, LP_FILTER_METADATA},
	{"removexattr", 0, EPERM, LP_FILTER_METADATA},
	{"lremovexattr", 0, EPERM, LP_FILTER_METADATA},
	{"fremovexattr", 0, EPERM, LP_FILTER_METADATA},
	{"removexattrat", 466, EPERM, LP_FILTER_METADATA},
	{"file_setattr", 469, EPERM, LP_FILTER_METADATA},
	/* no socket that could be connected is given out: inherited ones stay as they are */
	{"connect", 0, EACCES, LP_FILTER_INET | LP_FILTER_UNIX | LP_FILTER_GATE},
};

/* ioctl requests (32 bits) that are closed. */
static const struct {
	uint32_t request;
	unsigned opened_by;
} closed_ioctls[] = {
	{0x5412, 0},                      /* TIOCSTI: types into the terminal */
	{0x541c, 0},                      /* TIOCLINUX: pastes into the console */
	{0x541d, 0},                      /* TIOCCONS */
	{0x5423, 0},                      /* TIOCSETD */
	{0x4b3a, 0},                      /* KDSETMODE */
	{0x4b45, 0},                      /* KDSKBMODE */
	{0x4b47, 0},                      /* KDSKBENT */
	{0x4b49, 0},                      /* KDSKBSENT */
	{0x4b4b, 0},                      /* KDSKBDIACR */
	{0x4b4d, 0},                      /* KDSETKEYCODE */
	{0x4bfb, 0},                      /* KDSKBDIACRUC */
	{0x4b61, 0},                      /* PIO_FONT */
	{0x4b6c, 0},                      /* PIO_FONTX */
	{0x4b72, 0},                      /* KDFONTOP */
	{0x40086602, LP_FILTER_METADATA}, /* FS_IOC_SETFLAGS */
	{0x40047602, LP_FILTER_METADATA}, /* FS_IOC_SETVERSION */
	{0x401c5820, LP_FILTER_METADATA}, /* FS_IOC_FSSETXATTR */
};

/* clone and unshare flags that make a namespace; CLONE_NEWTIME is one for unshare only. */
static const uint64_t namespace_flags[] = {
	0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000};
#define CLONE_NEWTIME_ 0x00000080ULL

static void die(const char *what, int error)
{
	fprintf(stderr, "filter-gen: %s: %s\n", what, strerror(error));
	exit(1);
}

static void add(
	scmp_filter_ctx ctx, int error, int number, unsigned count, const struct scmp_arg_cmp *args)
{
	int r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint32_t)error), number, count, args);

	/* EDOM: the call does not exist on this architecture */
	if (r < 0 && r != -EDOM)
		die(seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number), -r);
}

/* Whether this build's libseccomp has no name for a call that is to be closed. */
static bool is_unnamed(const struct closed_call *call, unsigned bits)
{
	return !(call->opened_by & bits) &&
	       seccomp_syscall_resolve_name(call->name) == __NR_SCMP_ERROR;
}

static void add_calls(scmp_filter_ctx ctx, unsigned bits)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(closed_calls); i++) {
		const struct closed_call *call = &closed_calls[i];
		int number = seccomp_syscall_resolve_name(call->name);

		if (call->opened_by & bits || is_unnamed(call, bits))
			continue;
		add(ctx, call->error, number, 0, NULL);
	}
}

static void add_namespaces(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(namespace_flags); i++) {
		uint64_t flag = namespace_flags[i];
		const struct scmp_arg_cmp arg = SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag);

		add(ctx, EPERM, SCMP_SYS(clone), 1, &arg);
		add(ctx, EPERM, SCMP_SYS(unshare), 1, &arg);
	}
	add(ctx, EPERM, SCMP_SYS(unshare), 1,
		&SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWTIME_, CLONE_NEWTIME_));
}

static void add_ioctls(scmp_filter_ctx ctx, unsigned bits)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(closed_ioctls); i++) {
		const struct scmp_arg_cmp arg =
			SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, closed_ioctls[i].request);

		if (!(closed_ioctls[i].opened_by & bits))
			add(ctx, EPERM, SCMP_SYS(ioctl), 1, &arg);
	}
}

enum { UNIX_ = 1, INET_ = 2, INET6_ = 10, NETLINK_ = 16 };
/* A call whose argument 0 (32 bits) must have one of a few values. */
struct value_list {
	const char *call;
	uint32_t error;
	bool final; /* nothing else is asked of the call */
	size_t count;
	uint32_t values[8];
};

static const struct value_list value_lists[] = {
	/* harmless bits: PER_LINUX32, UNAME26, ADDR_NO_RANDOMIZE; the last one only asks */
	{"personality", EPERM, true, 7, {0, 8, 0x20000, 0x20008, 0x40000, 0x40008, 0xffffffff}},
	{"socket", EAFNOSUPPORT, false, 4, {UNIX_, INET_, INET6_, NETLINK_}},
};

/* Calls with no name in libseccomp are all newer than this: from here on numbers are the same on
 * every architecture. */
#define FIRST_UNNAMED 424

enum { STREAM_ = 1, DGRAM_ = 2, RAW_ = 3, SEQPACKET_ = 5, TYPE_MASK_ = 15 };

static void notify(scmp_filter_ctx ctx, int number, unsigned count, const struct scmp_arg_cmp *args)
{
	int r = seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, number, count, args);

	if (r < 0)
		die("notification", -r);
}

/*
 * The gate decides where sockets go. UDP sockets are not given out: what the gate answers with is
 * no such socket, and is told for one option that glibc's resolver insists on that it has it.
 */
static void add_gate(scmp_filter_ctx ctx, unsigned bits)
{
	/* protocols above the highest are refused elsewhere */
	static const struct {
		uint64_t family, type, highest;
	} made[] = {{INET_, STREAM_, 6}, {INET6_, STREAM_, 6}, {UNIX_, STREAM_, LOW32},
		{UNIX_, SEQPACKET_, LOW32}, {NETLINK_, RAW_, 0}, {NETLINK_, DGRAM_, 0}};
	const int level_ip = 0, level_ipv6 = 41, recverr = 11, recverr_ipv6 = 25;

	notify(ctx, SCMP_SYS(connect), 0, NULL);
	notify(ctx, SCMP_SYS(bind), 0, NULL);
	notify(ctx, SCMP_SYS(listen), 0, NULL);
	for (uint64_t family = INET_; family <= INET6_; family += INET6_ - INET_)
		notify(ctx, SCMP_SYS(socket), 2,
			(struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, family),
				SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK_, DGRAM_)});
	for (size_t i = 0; bits & LP_FILTER_SOCKETS && i < LP_ARRAY_SIZE(made); i++)
		notify(ctx, SCMP_SYS(socket), 3,
			(struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, made[i].family),
				SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK_, made[i].type),
				SCMP_A2(SCMP_CMP_LE, made[i].highest)});
	add(ctx, 0, SCMP_SYS(setsockopt), 2,
		(struct scmp_arg_cmp[]){SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, level_ip),
			SCMP_A2(SCMP_CMP_MASKED_EQ, LOW32, recverr)});
	add(ctx, 0, SCMP_SYS(setsockopt), 2,
		(struct scmp_arg_cmp[]){SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, level_ipv6),
			SCMP_A2(SCMP_CMP_MASKED_EQ, LOW32, recverr_ipv6)});
}

static void add_inet(scmp_filter_ctx ctx, uint64_t family, unsigned bits)
{
	const struct scmp_arg_cmp is_family = SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, family);

	if (!(bits & (LP_FILTER_INET | LP_FILTER_GATE))) {
		add(ctx, EACCES, SCMP_SYS(socket), 1, &is_family);
		return;
	}
	/* above TCP: MPTCP, SCTP, SMC; below: the kernel knows no other stream */
	add(ctx, EPROTONOSUPPORT, SCMP_SYS(socket), 3,
		(struct scmp_arg_cmp[]){is_family, SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK_, STREAM_),
			SCMP_A2(SCMP_CMP_GT, 6)});
	if (!(bits & LP_FILTER_GATE))
		add(ctx, EPROTONOSUPPORT, SCMP_SYS(socket), 3,
			(struct scmp_arg_cmp[]){is_family,
				SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK_, DGRAM_),
				SCMP_A2(SCMP_CMP_GT, 17)});
	for (uint64_t type = RAW_; type <= TYPE_MASK_; type++)
		add(ctx, type == RAW_ ? EPERM : ESOCKTNOSUPPORT, SCMP_SYS(socket), 2,
			(struct scmp_arg_cmp[]){
				is_family, SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK_, type)});
}

static void add_sockets(scmp_filter_ctx ctx, unsigned bits)
{
	const uint64_t fastopen = 0x20000000;

	/* families that are not in sockets[] never get here, see write_preamble() */
	add_inet(ctx, INET_, bits);
	add_inet(ctx, INET6_, bits);
	add(ctx, EPROTONOSUPPORT, SCMP_SYS(socket), 2,
		(struct scmp_arg_cmp[]){
			SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, NETLINK_), SCMP_A2(SCMP_CMP_NE, 0)});
	if (!(bits & (LP_FILTER_UNIX | LP_FILTER_GATE)))
		add(ctx, EPERM, SCMP_SYS(socket), 1, &SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, UNIX_));
	/* a datagram socket can name a peer in every send, which no filter sees (RAW: the same) */
	else if (!(bits & LP_FILTER_UNIX))
		for (uint64_t type = DGRAM_; type <= RAW_; type++)
			add(ctx, EPERM, SCMP_SYS(socket), 2,
				(struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, UNIX_),
					SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK_, type)});
	add(ctx, EAFNOSUPPORT, SCMP_SYS(socketpair), 1, &SCMP_A0(SCMP_CMP_NE, UNIX_));
	/* a datagram pair can be re-aimed at any socket file by sendto(2); a stream pair cannot */
	if (!(bits & LP_FILTER_UNIX))
		for (uint64_t type = DGRAM_; type <= RAW_; type++)
			add(ctx, EPERM, SCMP_SYS(socketpair), 1,
				&SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK_, type));
	if (bits & LP_FILTER_INET)
		return;
	add(ctx, EACCES, SCMP_SYS(sendto), 1, &SCMP_A3(SCMP_CMP_MASKED_EQ, fastopen, fastopen));
	add(ctx, EACCES, SCMP_SYS(sendmsg), 1, &SCMP_A2(SCMP_CMP_MASKED_EQ, fastopen, fastopen));
	add(ctx, EACCES, SCMP_SYS(sendmmsg), 1, &SCMP_A3(SCMP_CMP_MASKED_EQ, fastopen, fastopen));
}

/* Limits and priorities only of oneself. */
static void add_foreign(scmp_filter_ctx ctx)
{
	add(ctx, EPERM, SCMP_SYS(prlimit64), 2,
		(struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_NE, 0), SCMP_A2(SCMP_CMP_NE, 0)});
	add(ctx, EPERM, SCMP_SYS(setpriority), 1, &SCMP_A0(SCMP_CMP_NE, 0));
	add(ctx, EPERM, SCMP_SYS(setpriority), 1, &SCMP_A1(SCMP_CMP_NE, 0));
	add(ctx, EPERM, SCMP_SYS(sched_setscheduler), 1, &SCMP_A0(SCMP_CMP_NE, 0));
	add(ctx, EPERM, SCMP_SYS(sched_setparam), 1, &SCMP_A0(SCMP_CMP_NE, 0));
	add(ctx, EPERM, SCMP_SYS(sched_setattr), 1, &SCMP_A0(SCMP_CMP_NE, 0));
	/* also refuses pthread_setaffinity_np(3), which names threads by their id: programs go on
	 */
	add(ctx, EPERM, SCMP_SYS(sched_setaffinity), 1, &SCMP_A0(SCMP_CMP_NE, 0));
	add(ctx, EPERM, SCMP_SYS(ioprio_set), 1, &SCMP_A1(SCMP_CMP_NE, 0));
}

static void write_instruction(FILE *out, const struct sock_filter *at)
{
	fprintf(out, "\t{0x%02x, %u, %u, 0x%08x},\n", at->code, at->jt, at->jf, at->k);
}

static void write_return(FILE *out, uint32_t action)
{
	write_instruction(out, &(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* If the accumulator is value, go on with the next instruction, else skip `skip` of them. */
static void write_if(FILE *out, uint32_t value, size_t skip)
{
	if (skip > UINT8_MAX)
		die("jump", ERANGE);
	write_instruction(out,
		&(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, (uint8_t)skip));
}

static void write_load(FILE *out, size_t offset)
{
	write_instruction(
		out, &(struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/*
 * "Is it this call? Then its argument 0 has one of these values, or it fails with error." An
 * allowed value falls through to what follows if it is only one of several conditions, else it is
 * final.
 */
static void write_list(FILE *out, const struct value_list *list, uint32_t arch)
{
	size_t rest = list->final ? 2 * list->count + 2 : list->count + 3;

	write_if(out, (uint32_t)seccomp_syscall_resolve_name_arch(arch, list->call), rest);
	/* the low half: both architectures are little-endian */
	write_load(out, offsetof(struct seccomp_data, args[0]));
	for (size_t i = 0; i < list->count; i++) {
		if (list->final) {
			write_if(out, list->values[i], 1);
			write_return(out, SECCOMP_RET_ALLOW);
		} else {
			/* over the remaining values and the return */
			write_instruction(
				out, &(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
					     list->values[i], (uint8_t)(list->count - i), 0));
		}
	}
	write_return(out, SECCOMP_RET_ERRNO | list->error);
	if (!list->final)
		write_load(out, offsetof(struct seccomp_data, nr));
}

static size_t list_length(const struct value_list *list)
{
	return list->final ? 2 * list->count + 3 : list->count + 4;
}

/*
 * What libseccomp cannot say, or only at length, stands before its program, which every other call
 * falls through to: one argument out of a list, and calls that it has no name for. All of the
 * latter have high numbers, so that most calls pass this by in a few steps.
 */
static void write_preamble(FILE *out, uint32_t arch, uint32_t audit_arch, unsigned bits)
{
	size_t unnamed = 0, length = 0;

	for (size_t i = 0; i < LP_ARRAY_SIZE(closed_calls); i++)
		unnamed += is_unnamed(&closed_calls[i], bits);
	for (size_t i = 0; i < LP_ARRAY_SIZE(value_lists); i++)
		length += list_length(&value_lists[i]);
	write_load(out, offsetof(struct seccomp_data, arch));
	write_if(out, audit_arch, 1 + 1 + 2 * unnamed + 5 + length);
	write_load(out, offsetof(struct seccomp_data, nr));
	write_instruction(out, &(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
				       FIRST_UNNAMED, 0, (uint8_t)(2 * unnamed)));
	for (size_t i = 0; i < LP_ARRAY_SIZE(closed_calls); i++) {
		if (!is_unnamed(&closed_calls[i], bits))
			continue;
		write_if(out, (uint32_t)closed_calls[i].number, 1);
		write_return(out, SECCOMP_RET_ERRNO | (uint32_t)closed_calls[i].error);
	}
	/* the answer by which lp_confine_is_inside() knows this filter */
	write_if(out, (uint32_t)seccomp_syscall_resolve_name_arch(arch, "acct"), 4);
	write_load(out, offsetof(struct seccomp_data, args[0]));
	write_if(out, LP_FILTER_QUESTION, 1);
	write_return(out, SECCOMP_RET_ERRNO | LP_FILTER_ANSWER);
	write_load(out, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < LP_ARRAY_SIZE(value_lists); i++)
		write_list(out, &value_lists[i], arch);
}

static void write_filter(FILE *out, uint32_t arch, uint32_t audit_arch, unsigned bits)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct sock_filter at;
	FILE *bpf = tmpfile();
	int r;

	if (!ctx || !bpf)
		die("memory", ENOMEM);
	if (arch != seccomp_arch_native() &&
		((r = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE)) < 0 ||
			(r = seccomp_arch_add(ctx, arch)) < 0))
		die("architecture", -r);
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	add_calls(ctx, bits);
	if (!(bits & LP_FILTER_NAMESPACES))
		add_namespaces(ctx);
	add_ioctls(ctx, bits);
	add_sockets(ctx, bits);
	add_foreign(ctx);
	if (bits & LP_FILTER_GATE)
		add_gate(ctx, bits);
	r = seccomp_export_bpf(ctx, fileno(bpf));
	if (r < 0)
		die("export", -r);
	fprintf(out, "static const struct sock_filter filter_%u[] = {\n", bits);
	write_preamble(out, arch, audit_arch, bits);
	rewind(bpf);
	while (fread(&at, sizeof(at), 1, bpf) == 1)
		write_instruction(out, &at);
	fprintf(out, "};\n");
	fclose(bpf);
	seccomp_release(ctx);
}

/* A network that is open needs no gate: the kernel refuses the empty filter that stands there. */
static bool is_senseless(unsigned bits)
{
	return (bits & LP_FILTER_INET && bits & LP_FILTER_GATE) ||
	       (bits & LP_FILTER_SOCKETS && !(bits & LP_FILTER_GATE));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint32_t audit_arch;
	} known[] = {{"x86_64", AUDIT_ARCH_X86_64}, {"aarch64", AUDIT_ARCH_AARCH64}};
	uint32_t arch, audit_arch = 0;
	FILE *out;

	if (argc != 3) {
		fprintf(stderr, "usage: filter-gen ARCH OUT.c\n");
		return 2;
	}
	arch = seccomp_arch_resolve_name(argv[1]);
	out = fopen(argv[2], "w");
	for (size_t i = 0; i < LP_ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].name, argv[1]))
			audit_arch = known[i].audit_arch;
	if (!arch || !audit_arch || !out)
		die(out ? argv[1] : argv[2], out ? EINVAL : errno);
	fprintf(out, "/* Written by filter-gen for %s. */\n#include \"confine/filters.h\"\n",
		argv[1]);
	seccomp_api_set(5); /* notifications, whatever the build host's kernel can do */
	for (unsigned bits = 0; bits < LP_FILTER_COUNT; bits++)
		if (!is_senseless(bits))
			write_filter(out, arch, audit_arch, bits);
	fprintf(out, "const struct sock_fprog lp_filters[LP_FILTER_COUNT] = {\n");
	for (unsigned bits = 0; bits < LP_FILTER_COUNT; bits++)
		if (is_senseless(bits))
			fprintf(out, "\t{0, NULL},\n");
		else
			fprintf(out,
				"\t{sizeof(filter_%u) / sizeof(filter_%u[0]), (struct sock_filter "
				"*)filter_%u},\n",
				bits, bits, bits);
	fprintf(out, "};\n");
	return fclose(out) ? 1 : 0;
}
