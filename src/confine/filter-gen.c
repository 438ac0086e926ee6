/*
 * Writes the seccomp filters as C tables, one for each combination of the LP_FILTER_ bits, so that
 * the launcher does not spend its start-up on generating them.
 *
 * Runs at build time on the build host: filter-gen ARCH OUT.c. The tables below are the whole list
 * of what is closed. Everything else is allowed: the file rules are Landlock's or the mounts'.
 * libseccomp knows the numbers of the calls; filter-build.c makes the programs.
 *
 * Arguments that the kernel reads as 32 bits are compared as 32 bits: comparing 64 would let a
 * caller pass by setting high bits (CVE-2019-10063).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "confine/filter-build.h"
#include "confine/filters.h"

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
	/* no socket that could be connected is given out: inherited ones stay as they are */
	{"connect", 0, EACCES, LP_FILTER_INET | LP_FILTER_UNIX | LP_FILTER_GATE},
};

/* A call by its name, and by its number as above. */
struct known_call {
	const char *name;
	int number;
};

/* Not covered by Landlock, not even on descriptors opened for reading. */
static const struct known_call metadata_calls[] = {
	{"chmod", 0},
	{"fchmod", 0},
	{"fchmodat", 0},
	{"fchmodat2", 452},
	{"chown", 0},
	{"lchown", 0},
	{"fchown", 0},
	{"fchownat", 0},
	{"utime", 0},
	{"utimes", 0},
	{"futimesat", 0},
	{"utimensat", 0},
	{"setxattr", 0},
	{"lsetxattr", 0},
	{"fsetxattr", 0},
	{"setxattrat", 463},
	{"removexattr", 0},
	{"lremovexattr", 0},
	{"fremovexattr", 0},
	{"removexattrat", 466},
};

/* What changes the tree by a path. Of open and openat it depends on the flags. */
static const struct known_call changing_calls[] = {
	{"creat", 0},
	{"openat2", 437},
	{"mkdir", 0},
	{"mkdirat", 0},
	{"mknod", 0},
	{"mknodat", 0},
	{"unlink", 0},
	{"unlinkat", 0},
	{"rmdir", 0},
	{"rename", 0},
	{"renameat", 0},
	{"renameat2", 0},
	{"link", 0},
	{"linkat", 0},
	{"symlink", 0},
	{"symlinkat", 0},
	{"truncate", 0},
};

/* ioctl requests (32 bits) that are closed. */
static const uint32_t closed_ioctls[] = {
	0x5412, /* TIOCSTI: types into the terminal */
	0x541c, /* TIOCLINUX: pastes into the console */
	0x541d, /* TIOCCONS */
	0x5423, /* TIOCSETD */
	0x4b3a, /* KDSETMODE */
	0x4b45, /* KDSKBMODE */
	0x4b47, /* KDSKBENT */
	0x4b49, /* KDSKBSENT */
	0x4b4b, /* KDSKBDIACR */
	0x4b4d, /* KDSETKEYCODE */
	0x4bfb, /* KDSKBDIACRUC */
	0x4b61, /* PIO_FONT */
	0x4b6c, /* PIO_FONTX */
	0x4b72, /* KDFONTOP */
	/* these make and remove names past the path rules */
	0x50009401, /* BTRFS_IOC_SNAP_CREATE */
	0x50009417, /* BTRFS_IOC_SNAP_CREATE_V2 */
	0x5000940e, /* BTRFS_IOC_SUBVOL_CREATE */
	0x50009418, /* BTRFS_IOC_SUBVOL_CREATE_V2 */
	0x5000940f, /* BTRFS_IOC_SNAP_DESTROY */
	0x5000943f, /* BTRFS_IOC_SNAP_DESTROY_V2 */
	0x4020bc10, /* BCH_IOCTL_SUBVOLUME_CREATE */
	0x4020bc11, /* BCH_IOCTL_SUBVOLUME_DESTROY */
	/* these change what a descriptor opened for reading leads to, for good */
	0x4008941a, /* BTRFS_IOC_SUBVOL_SETFLAGS */
	0xc0c89425, /* BTRFS_IOC_SET_RECEIVED_SUBVOL */
	0x40806685, /* FS_IOC_ENABLE_VERITY */
	0x800c6613, /* FS_IOC_SET_ENCRYPTION_POLICY */
};

static const uint32_t metadata_ioctls[] = {
	0x40086602, /* FS_IOC_SETFLAGS */
	0x40087602, /* FS_IOC_SETVERSION */
	0x40086604, /* EXT4_IOC_SETVERSION */
	0x40047211, /* FAT_IOCTL_SET_ATTRIBUTES */
	0x401c5820, /* FS_IOC_FSSETXATTR */
};

/* Flags of open(2), alike on both architectures. */
#define OPEN_CHANGES 0x00400243 /* O_ACCMODE, O_CREAT, O_TRUNC, __O_TMPFILE */
#define OPEN_PATH    0x00200000 /* O_PATH: opens nothing, whatever else is asked */

/* clone and unshare flags that make a namespace; CLONE_NEWTIME is one for unshare only. */
#define NAMESPACE_FLAGS 0x7e020000
#define CLONE_NEWTIME_  0x00000080

enum { UNIX_ = 1, INET_ = 2, INET6_ = 10, NETLINK_ = 16 };
enum { STREAM_ = 1, DGRAM_ = 2, RAW_ = 3, SEQPACKET_ = 5, TYPE_MASK_ = 15 };

/* harmless bits: PER_LINUX32, UNAME26, ADDR_NO_RANDOMIZE; the last one only asks */
static const uint32_t personalities[] = {0, 8, 0x20000, 0x20008, 0x40000, 0x40008, 0xffffffff};

static const uint32_t families[] = {UNIX_, INET_, INET6_, NETLINK_};

#define FAIL(error) (SECCOMP_RET_ERRNO | (error))
#define ALLOW       SECCOMP_RET_ALLOW
#define NOTIFY      SECCOMP_RET_USER_NOTIF

#define IS(arg, value)                 \
	{                              \
		TEST_IS, arg, value, 0 \
	}
#define TYPE_IS(type)                        \
	{                                    \
		TEST_IS, 1, type, TYPE_MASK_ \
	}
#define HAS(arg, bits)                 \
	{                              \
		TEST_HAS, arg, bits, 0 \
	}
#define WIDE_ABOVE(arg, value)                 \
	{                                      \
		TEST_WIDE_ABOVE, arg, value, 0 \
	}

void die(const char *what, int error)
{
	fprintf(stderr, "filter-gen: %s: %s\n", what, strerror(error));
	exit(1);
}

/* One filter in the making. */
struct filter {
	uint32_t arch;
	unsigned bits;
	struct rules rules;
};

/* If all tests hold, the call gets this answer, unless something said before holds too. */
#define add(filter, call, answer, ...) \
	add_rule(filter, call, 0, &(struct rule){.action = (answer), .tests = {__VA_ARGS__}})

static void add_rule(struct filter *filter, const char *call, int known, struct rule *rule)
{
	int number = seccomp_syscall_resolve_name_arch(filter->arch, call);

	if (number == __NR_SCMP_ERROR)
		number = known;
	if (number == 0 || (known && number != known))
		die(call, ENOSYS);
	if (number < 0)
		return; /* not on this architecture */
	rule->number = rule->last = (uint32_t)number;
	rules_add(&filter->rules, rule);
}

static void add_known(struct filter *filter, const struct known_call *call, uint32_t action)
{
	add_rule(filter, call->name, call->number, &(struct rule){.action = action});
}

static void add_calls(struct filter *filter)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(closed_calls); i++) {
		const struct closed_call *call = &closed_calls[i];
		struct rule rule = {.action = FAIL((uint32_t)call->error)};

		if (!(call->opened_by & filter->bits))
			add_rule(filter, call->name, call->number, &rule);
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(closed_ioctls); i++)
		add(filter, "ioctl", FAIL(EPERM), IS(1, closed_ioctls[i]));
	for (size_t i = 0; i < LP_ARRAY_SIZE(personalities); i++)
		add(filter, "personality", ALLOW, IS(0, personalities[i]));
	add(filter, "personality", FAIL(EPERM), {0});
	if (filter->bits & LP_FILTER_NAMESPACES)
		return;
	add(filter, "clone", FAIL(EPERM), HAS(0, NAMESPACE_FLAGS));
	add(filter, "unshare", FAIL(EPERM), HAS(0, NAMESPACE_FLAGS | CLONE_NEWTIME_));
}

/* Refused, notified or open; what cannot be notified well (its attributes are in memory) never. */
static void add_metadata(struct filter *filter)
{
	uint32_t action = filter->bits & LP_FILTER_EDGE ? NOTIFY : FAIL(EPERM);

	if (filter->bits & LP_FILTER_METADATA)
		return;
	for (size_t i = 0; i < LP_ARRAY_SIZE(metadata_calls); i++)
		add_known(filter, &metadata_calls[i], action);
	for (size_t i = 0; i < LP_ARRAY_SIZE(metadata_ioctls); i++)
		add(filter, "ioctl", action, IS(1, metadata_ioctls[i]));
	/* programs fall back to the ioctl */
	add_known(filter, &(struct known_call){"file_setattr", 469}, FAIL(ENOSYS));
}

/* One of the arguments is the flags: arg. Most opens only read, and go on after one test. */
static void add_open(struct filter *filter, const char *call, unsigned arg)
{
	const uint32_t open_folder = filter->arch == SCMP_ARCH_AARCH64 ? 0x4000 : 0x10000;

	if (filter->bits & (LP_FILTER_READS | LP_FILTER_LISTS))
		add(filter, call, ALLOW, HAS(arg, OPEN_PATH));
	if (filter->bits & LP_FILTER_READS)
		add(filter, call, NOTIFY, {0});
	else if (filter->bits & LP_FILTER_LISTS)
		add(filter, call, NOTIFY, HAS(arg, OPEN_CHANGES | open_folder));
	else
		add(filter, call, NOTIFY, HAS(arg, OPEN_CHANGES));
}

/* The broker decides about what changes files. */
static void add_edge(struct filter *filter)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(changing_calls); i++)
		add_known(filter, &changing_calls[i], NOTIFY);
	add_open(filter, "open", 1);
	add_open(filter, "openat", 2);
	/* the broker makes files by the caller's umask, which it need not ask for each time then */
	add(filter, "umask", NOTIFY, {0});
	/* nor may it do what a program has forbidden itself */
	add_known(filter, &(struct known_call){"landlock_restrict_self", 446}, NOTIFY);
	if (filter->bits & LP_FILTER_UNIX)
		add(filter, "bind", NOTIFY, {0});
	filter->rules.hottest = (uint32_t)seccomp_syscall_resolve_name_arch(filter->arch, "openat");
}

/* What keeps calls waiting for the supervisor, and its reading of their arguments, from failing. */
static void add_listener(struct filter *filter)
{
	const uint32_t new_listener = 8, set_dumpable = 4, set_delegation = 1024 + 16;

	/*
	 * A listener of the command's own would be asked once the supervisor is gone, and could let
	 * its calls go on. The kernel allows one listener, so this is what it says, too.
	 */
	add(filter, "seccomp", FAIL(EBUSY), HAS(1, new_listener));
	/*
	 * The supervisor must be able to read the memory also of programs that forbid to be traced
	 * (ssh-agent): they are told that it is so. Tracing is closed in here by other means.
	 */
	add(filter, "prctl", FAIL(0), IS(0, set_dumpable), IS(1, 0));
	/*
	 * Who holds a delegation (6.19) is waited for by whoever changes the directory or the
	 * file's names: the supervisor would. It looks as on kernels before.
	 */
	add(filter, "fcntl", FAIL(EINVAL), IS(1, set_delegation));
}

/*
 * The gate decides where sockets go. UDP sockets are not given out: what the gate answers with is
 * no such socket, and is told for one option that glibc's resolver insists on that it has it.
 */
static void add_gate(struct filter *filter)
{
	/* options that lead a connection elsewhere than its address says, without any privilege */
	static const struct {
		uint32_t level, option;
	} detours[] = {
		{1, 25},  /* SO_BINDTODEVICE */
		{1, 62},  /* SO_BINDTOIFINDEX */
		{0, 4},   /* IP_OPTIONS: source routes; new kernels want CAP_NET_RAW */
		{41, 57}, /* IPV6_RTHDR */
		{41, 5},  /* IPV6_2292RTHDR */
		{41, 6},  /* IPV6_2292PKTOPTIONS */
	};
	const int level_ip = 0, level_ipv6 = 41, recverr = 11, recverr_ipv6 = 25;

	add(filter, "connect", NOTIFY, {0});
	add(filter, "bind", NOTIFY, {0});
	add(filter, "listen", NOTIFY, {0});
	/* where the source is asked for: what stands for a UDP socket has none */
	add(filter, "recvfrom", NOTIFY, WIDE_ABOVE(4, 0));
	for (size_t i = 0; i < LP_ARRAY_SIZE(detours); i++)
		add(filter, "setsockopt", FAIL(EPERM), IS(1, detours[i].level),
			IS(2, detours[i].option));
	add(filter, "setsockopt", FAIL(0), IS(1, level_ip), IS(2, recverr));
	add(filter, "setsockopt", FAIL(0), IS(1, level_ipv6), IS(2, recverr_ipv6));
}

/* Sockets that the gate makes. What must not be made at all was refused before this. */
static void add_made(struct filter *filter)
{
	static const struct {
		uint32_t family, type;
	} made[] = {{INET_, STREAM_}, {INET6_, STREAM_}, {UNIX_, STREAM_}, {UNIX_, SEQPACKET_},
		{NETLINK_, RAW_}, {NETLINK_, DGRAM_}};

	add(filter, "socket", NOTIFY, IS(0, INET_), TYPE_IS(DGRAM_));
	add(filter, "socket", NOTIFY, IS(0, INET6_), TYPE_IS(DGRAM_));
	for (size_t i = 0; filter->bits & LP_FILTER_SOCKETS && i < LP_ARRAY_SIZE(made); i++)
		add(filter, "socket", NOTIFY, IS(0, made[i].family), TYPE_IS(made[i].type));
}

static void add_inet(struct filter *filter, uint32_t family)
{
	if (!(filter->bits & (LP_FILTER_INET | LP_FILTER_GATE))) {
		add(filter, "socket", FAIL(EACCES), IS(0, family));
		return;
	}
	/* above TCP: MPTCP, SCTP, SMC; below: the kernel knows no other stream */
	add(filter, "socket", FAIL(EPROTONOSUPPORT), IS(0, family), TYPE_IS(STREAM_),
		WIDE_ABOVE(2, 6));
	if (!(filter->bits & LP_FILTER_GATE))
		add(filter, "socket", FAIL(EPROTONOSUPPORT), IS(0, family), TYPE_IS(DGRAM_),
			WIDE_ABOVE(2, 17));
	add(filter, "socket", FAIL(EPERM), IS(0, family), TYPE_IS(RAW_));
	add(filter, "socket", FAIL(ESOCKTNOSUPPORT), IS(0, family),
		{TEST_ABOVE, 1, RAW_, TYPE_MASK_});
}

static void add_unix(struct filter *filter)
{
	if (filter->bits & LP_FILTER_UNIX)
		return;
	if (!(filter->bits & LP_FILTER_GATE)) {
		add(filter, "socket", FAIL(EPERM), IS(0, UNIX_));
		return;
	}
	/* a datagram socket can name a peer in every send, which no filter sees (RAW: the same) */
	add(filter, "socket", FAIL(EPERM), IS(0, UNIX_), TYPE_IS(DGRAM_));
	add(filter, "socket", FAIL(EPERM), IS(0, UNIX_), TYPE_IS(RAW_));
}

static void add_sockets(struct filter *filter)
{
	const uint32_t fastopen = 0x20000000;

	add_inet(filter, INET_);
	add_inet(filter, INET6_);
	add(filter, "socket", FAIL(EPROTONOSUPPORT), IS(0, NETLINK_), WIDE_ABOVE(2, 0));
	add_unix(filter);
	if (filter->bits & LP_FILTER_GATE)
		add_made(filter);
	for (size_t i = 0; i < LP_ARRAY_SIZE(families); i++)
		add(filter, "socket", ALLOW, IS(0, families[i]));
	add(filter, "socket", FAIL(EAFNOSUPPORT), {0});
	/* a datagram pair can be re-aimed at any socket file by sendto(2); a stream pair cannot */
	if (!(filter->bits & LP_FILTER_UNIX)) {
		add(filter, "socketpair", FAIL(EPERM), TYPE_IS(DGRAM_));
		add(filter, "socketpair", FAIL(EPERM), TYPE_IS(RAW_));
	}
	add(filter, "socketpair", FAIL(EAFNOSUPPORT), WIDE_ABOVE(0, UNIX_));
	add(filter, "socketpair", FAIL(EAFNOSUPPORT), IS(0, 0));
	if (filter->bits & LP_FILTER_INET)
		return;
	add(filter, "sendto", FAIL(EACCES), HAS(3, fastopen));
	add(filter, "sendmsg", FAIL(EACCES), HAS(2, fastopen));
	add(filter, "sendmmsg", FAIL(EACCES), HAS(3, fastopen));
}

/* Limits and priorities only of oneself. */
static void add_foreign(struct filter *filter)
{
	add(filter, "prlimit64", FAIL(EPERM), WIDE_ABOVE(0, 0), WIDE_ABOVE(2, 0));
	add(filter, "setpriority", FAIL(EPERM), WIDE_ABOVE(0, 0));
	add(filter, "setpriority", FAIL(EPERM), WIDE_ABOVE(1, 0));
	add(filter, "sched_setscheduler", FAIL(EPERM), WIDE_ABOVE(0, 0));
	add(filter, "sched_setparam", FAIL(EPERM), WIDE_ABOVE(0, 0));
	add(filter, "sched_setattr", FAIL(EPERM), WIDE_ABOVE(0, 0));
	/* also refuses pthread_setaffinity_np(3), which names threads by their id: programs go on
	 */
	add(filter, "sched_setaffinity", FAIL(EPERM), WIDE_ABOVE(0, 0));
	add(filter, "ioprio_set", FAIL(EPERM), WIDE_ABOVE(1, 0));
}

static void write_filter(FILE *out, uint32_t arch, uint32_t audit_arch, unsigned bits)
{
	struct filter filter = {.arch = arch,
		.bits = bits,
		.rules = {.audit_arch = audit_arch, .hottest = NO_CALL}};
	/* x32 calls; -1 is what a tracer skips a call with */
	const struct rule x32 = {0x40000000, 0xfffffffe, SECCOMP_RET_KILL_PROCESS, {{0}}};
	struct sock_fprog program;

	if (audit_arch == AUDIT_ARCH_X86_64)
		rules_add(&filter.rules, &x32);
	/* the answer by which lp_confine_is_inside() knows this filter */
	add(&filter, "acct", FAIL(LP_FILTER_ANSWER), IS(0, LP_FILTER_QUESTION));
	if (bits & LP_FILTER_NOTIFY)
		add_listener(&filter);
	if (bits & LP_FILTER_GATE)
		add_gate(&filter);
	if (bits & LP_FILTER_EDGE)
		add_edge(&filter);
	add_calls(&filter);
	add_metadata(&filter);
	add_sockets(&filter);
	add_foreign(&filter);
	program_build(&filter.rules, &program);
	fprintf(out, "static const struct sock_filter filter_%u[] = {\n", bits);
	for (unsigned i = 0; i < program.len; i++) {
		const struct sock_filter *at = &program.filter[i];

		fprintf(out, "\t{0x%02x, %u, %u, 0x%08x},\n", at->code, at->jt, at->jf, at->k);
	}
	fprintf(out, "};\n");
	free(program.filter);
	free(filter.rules.items);
}

/*
 * A network that is open needs no gate, and metadata that is open no edge: the kernel refuses the
 * empty filter that stands there.
 */
static bool is_senseless(unsigned bits)
{
	return (bits & LP_FILTER_INET && bits & LP_FILTER_GATE) ||
	       (bits & LP_FILTER_SOCKETS && !(bits & LP_FILTER_GATE)) ||
	       (bits & LP_FILTER_METADATA && bits & LP_FILTER_EDGE) ||
	       (bits & (LP_FILTER_READS | LP_FILTER_LISTS) && !(bits & LP_FILTER_EDGE)) ||
	       (bits & LP_FILTER_READS && bits & LP_FILTER_LISTS);
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
