/*
 * The seccomp filters by simulation: a table of calls with what each combination of openings must
 * answer. The programs are classic BPF, run here by a small interpreter; the running kernel runs
 * the same tables in the scenarios.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#include "confine/filters.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define ALLOW            SECCOMP_RET_ALLOW
#define FAIL_WITH(error) (SECCOMP_RET_ERRNO | (error))
#define NOTIFY           SECCOMP_RET_USER_NOTIF

static uint32_t run(const struct sock_fprog *program, const struct seccomp_data *data)
{
	uint32_t accumulator = 0;

	for (size_t at = 0; at < program->len; at++) {
		const struct sock_filter *op = &program->filter[at];
		bool taken;

		switch (op->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(op->k + 4 <= sizeof(*data));
			memcpy(&accumulator, (const char *)data + op->k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= op->k;
			continue;
		case BPF_JMP | BPF_JA:
			at += op->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = accumulator == op->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = accumulator >= op->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = accumulator > op->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			taken = accumulator & op->k;
			break;
		case BPF_RET | BPF_K:
			return op->k;
		default:
			fail_msg("unknown instruction 0x%x", op->code);
			return 0;
		}
		at += taken ? op->jt : op->jf;
	}
	fail_msg("ran off the end");
	return 0;
}

/* opened_by: the bits of which one is enough to open it; 0: never. */
struct row {
	const char *what;
	int call;
	uint64_t args[6];
	uint32_t closed;
	unsigned opened_by;
};

#define HIGH 0x100000000ULL

static const struct row rows[] = {
	{"read", SYS_read, {0}, ALLOW, 0},
	{"execve", SYS_execve, {0}, ALLOW, 0},
	{"landlock_create_ruleset", 444, {0}, ALLOW, 0},
	{"seccomp", SYS_seccomp, {0}, ALLOW, 0},
	{"mount", SYS_mount, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"umount2", SYS_umount2, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"pivot_root", SYS_pivot_root, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"chroot", SYS_chroot, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"open_tree", 428, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"open_tree_attr", 467, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"mount_setattr", 442, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"setns", SYS_setns, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"unshare files", SYS_unshare, {0x400}, ALLOW, 0},
	{"unshare user", SYS_unshare, {0x10000000}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"unshare time", SYS_unshare, {0x80}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"clone thread", SYS_clone, {0x3d0f00}, ALLOW, 0},
	{"clone pid", SYS_clone, {0x20000011}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"clone3", 435, {0}, FAIL_WITH(ENOSYS), LP_FILTER_NAMESPACES},
	{"ptrace", SYS_ptrace, {0}, FAIL_WITH(EPERM), LP_FILTER_PTRACE},
	{"process_vm_readv", SYS_process_vm_readv, {0}, FAIL_WITH(EPERM), LP_FILTER_PTRACE},
	{"pidfd_getfd", 438, {0}, FAIL_WITH(EPERM), LP_FILTER_PTRACE},
	{"keyctl", SYS_keyctl, {0}, FAIL_WITH(ENOSYS), 0},
	{"bpf", SYS_bpf, {0}, FAIL_WITH(EPERM), 0},
	{"io_uring_setup", 425, {0}, FAIL_WITH(ENOSYS), 0},
	{"userfaultfd", SYS_userfaultfd, {0}, FAIL_WITH(EPERM), 0},
	{"open_by_handle_at", SYS_open_by_handle_at, {0}, FAIL_WITH(EPERM), 0},
	{"acct", SYS_acct, {0}, FAIL_WITH(EPERM), 0},
	{"acct, asked", SYS_acct, {LP_FILTER_QUESTION}, FAIL_WITH(LP_FILTER_ANSWER), 0},
	{"personality ask", SYS_personality, {0xffffffff}, ALLOW, 0},
	{"personality no random", SYS_personality, {0x40000}, ALLOW, 0},
	{"personality read exec", SYS_personality, {0x400000}, FAIL_WITH(EPERM), 0},
	{"personality high bits", SYS_personality, {HIGH | 0x400000}, FAIL_WITH(EPERM), 0},
	{"tiocsti", SYS_ioctl, {0, 0x5412}, FAIL_WITH(EPERM), 0},
	{"tiocsti high bits", SYS_ioctl, {0, HIGH | 0x5412}, FAIL_WITH(EPERM), 0},
	{"make subvolume", SYS_ioctl, {0, 0x5000940e}, FAIL_WITH(EPERM), 0},
	{"make snapshot", SYS_ioctl, {0, 0x50009417}, FAIL_WITH(EPERM), 0},
	{"remove subvolume", SYS_ioctl, {0, HIGH | 0x5000943f}, FAIL_WITH(EPERM), 0},
	{"enable verity", SYS_ioctl, {0, 0x40806685}, FAIL_WITH(EPERM), 0},
	{"tioclinux", SYS_ioctl, {0, 0x541c}, FAIL_WITH(EPERM), 0},
	{"tcgets", SYS_ioctl, {0, 0x5401}, ALLOW, 0},
	{"unix stream", SYS_socket, {1, 1}, FAIL_WITH(EPERM), LP_FILTER_UNIX},
	{"unix high bits", SYS_socket, {HIGH | 1, 1}, FAIL_WITH(EPERM), LP_FILTER_UNIX},
	{"tcp", SYS_socket, {2, 1}, FAIL_WITH(EACCES), LP_FILTER_INET},
	{"tcp6 flags", SYS_socket, {10, 1 | 02000000, 6}, FAIL_WITH(EACCES), LP_FILTER_INET},
	{"udp", SYS_socket, {2, 2, 17}, FAIL_WITH(EACCES), LP_FILTER_INET},
	{"route", SYS_socket, {16, 3, 0}, ALLOW, 0},
	{"netfilter", SYS_socket, {16, 3, 12}, FAIL_WITH(EPROTONOSUPPORT), 0},
	{"packet", SYS_socket, {17, 3}, FAIL_WITH(EAFNOSUPPORT), 0},
	{"vsock", SYS_socket, {40, 1}, FAIL_WITH(EAFNOSUPPORT), 0},
	{"alg", SYS_socket, {38, 5}, FAIL_WITH(EAFNOSUPPORT), 0},
	{"family 255", SYS_socket, {255, 1}, FAIL_WITH(EAFNOSUPPORT), 0},
	{"socketpair", SYS_socketpair, {1, 1}, ALLOW, 0},
	{"socketpair datagram", SYS_socketpair, {1, 2}, FAIL_WITH(EPERM), LP_FILTER_UNIX},
	{"socketpair tipc", SYS_socketpair, {30, 1}, FAIL_WITH(EAFNOSUPPORT), 0},
	{"fast open", SYS_sendto, {3, 0, 0, 0x20000000}, FAIL_WITH(EACCES), LP_FILTER_INET},
	{"connect", SYS_connect, {3}, FAIL_WITH(EACCES), LP_FILTER_INET | LP_FILTER_UNIX},
	{"own limit", SYS_prlimit64, {0, 0, 1}, ALLOW, 0},
	{"foreign limit", SYS_prlimit64, {77, 0, 1}, FAIL_WITH(EPERM), 0},
	{"foreign limit read", SYS_prlimit64, {77, 0, 0}, ALLOW, 0},
	{"foreign priority", SYS_setpriority, {0, 77}, FAIL_WITH(EPERM), 0},
	{"foreign priority, kind", SYS_setpriority, {1, 0}, FAIL_WITH(EPERM), 0},
	{"own priority", SYS_setpriority, {0, 0, 5}, ALLOW, 0},
	{"foreign scheduler", SYS_sched_setscheduler, {77}, FAIL_WITH(EPERM), 0},
	{"foreign parameters", SYS_sched_setparam, {77}, FAIL_WITH(EPERM), 0},
	{"foreign attributes", SYS_sched_setattr, {77}, FAIL_WITH(EPERM), 0},
	{"foreign affinity", SYS_sched_setaffinity, {77}, FAIL_WITH(EPERM), 0},
	{"foreign affinity high bits", SYS_sched_setaffinity, {HIGH}, FAIL_WITH(EPERM), 0},
	{"own affinity", SYS_sched_setaffinity, {0}, ALLOW, 0},
	{"foreign io priority", SYS_ioprio_set, {1, 77}, FAIL_WITH(EPERM), 0},
	{"fast open message", SYS_sendmsg, {3, 0, 0x20000000}, FAIL_WITH(EACCES), LP_FILTER_INET},
	{"fast open messages", SYS_sendmmsg, {3, 0, 0, 0x20000000}, FAIL_WITH(EACCES),
		LP_FILTER_INET},
	{"move_mount", 429, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"fsopen", 430, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"fsconfig", 431, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"fsmount", 432, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"fspick", 433, {0}, FAIL_WITH(EPERM), LP_FILTER_NAMESPACES},
	{"pidfd_open", 434, {0}, ALLOW, 0},
	{"file_setattr", 469, {0}, FAIL_WITH(ENOSYS), LP_FILTER_METADATA},
	{"process_vm_writev", SYS_process_vm_writev, {0}, FAIL_WITH(EPERM), LP_FILTER_PTRACE},
	{"kcmp", SYS_kcmp, {0}, FAIL_WITH(EPERM), LP_FILTER_PTRACE},
	{"add_key", SYS_add_key, {0}, FAIL_WITH(ENOSYS), 0},
	{"request_key", SYS_request_key, {0}, FAIL_WITH(ENOSYS), 0},
	{"perf_event_open", SYS_perf_event_open, {0}, FAIL_WITH(EPERM), 0},
	{"io_uring_enter", 426, {0}, FAIL_WITH(ENOSYS), 0},
	{"io_uring_register", 427, {0}, FAIL_WITH(ENOSYS), 0},
	{"kexec_load", SYS_kexec_load, {0}, FAIL_WITH(EPERM), 0},
	{"kexec_file_load", SYS_kexec_file_load, {0}, FAIL_WITH(EPERM), 0},
	{"init_module", SYS_init_module, {0}, FAIL_WITH(EPERM), 0},
	{"finit_module", SYS_finit_module, {0}, FAIL_WITH(EPERM), 0},
	{"delete_module", SYS_delete_module, {0}, FAIL_WITH(EPERM), 0},
	{"reboot", SYS_reboot, {0}, FAIL_WITH(EPERM), 0},
	{"swapon", SYS_swapon, {0}, FAIL_WITH(EPERM), 0},
	{"swapoff", SYS_swapoff, {0}, FAIL_WITH(EPERM), 0},
	{"quotactl", SYS_quotactl, {0}, FAIL_WITH(EPERM), 0},
	{"quotactl_fd", 443, {0}, FAIL_WITH(EPERM), 0},
	{"syslog", SYS_syslog, {0}, FAIL_WITH(EPERM), 0},
	{"fanotify_init", SYS_fanotify_init, {0}, FAIL_WITH(EPERM), 0},
};

/* With inet sockets open, the other protocols and types of these families stay closed. */
static const struct row open_rows[] = {
	{"mptcp", SYS_socket, {2, 1, 262}, FAIL_WITH(EPROTONOSUPPORT), 0},
	{"sctp", SYS_socket, {2, 1, 132}, FAIL_WITH(EPROTONOSUPPORT), 0},
	{"udplite", SYS_socket, {2, 2, 136}, FAIL_WITH(EPROTONOSUPPORT), 0},
	{"raw", SYS_socket, {2, 3, 1}, FAIL_WITH(EPERM), 0},
	{"seqpacket", SYS_socket, {10, 5, 132}, FAIL_WITH(ESOCKTNOSUPPORT), 0},
	{"tcp by number", SYS_socket, {2, 1, 6}, ALLOW, 0},
};

/* With a gate; opened_by: with which bit the call passes, if it does not without. */
static const struct row gate_rows[] = {
	{"connect", SYS_connect, {3}, NOTIFY, 0},
	{"bind", SYS_bind, {3}, NOTIFY, 0},
	{"listen", SYS_listen, {3}, NOTIFY, 0},
	{"receiving", SYS_recvfrom, {3, 1, 1, 0, 0, 0}, ALLOW, 0},
	{"receiving with the source", SYS_recvfrom, {3, 1, 1, 0, 1, 1}, NOTIFY, 0},
	{"receiving with the source, high half", SYS_recvfrom, {3, 1, 1, 0, HIGH, 1}, NOTIFY, 0},
	{"accept", SYS_accept4, {3}, ALLOW, 0},
	{"udp", SYS_socket, {2, 2, 17}, NOTIFY, 0},
	{"udp high bits", SYS_socket, {HIGH | 2, HIGH | 2, 17}, NOTIFY, 0},
	{"udp6 flags", SYS_socket, {10, 2 | 02000000 | 04000, 0}, NOTIFY, 0},
	{"udplite", SYS_socket, {2, 2, 136}, NOTIFY, 0},
	{"mptcp", SYS_socket, {2, 1, 262}, FAIL_WITH(EPROTONOSUPPORT), 0},
	{"tcp protocol high bits", SYS_socket, {2, 1, HIGH | 6}, FAIL_WITH(EPROTONOSUPPORT), 0},
	{"raw", SYS_socket, {2, 3, 1}, FAIL_WITH(EPERM), 0},
	{"seqpacket", SYS_socket, {10, 5, 132}, FAIL_WITH(ESOCKTNOSUPPORT), 0},
	{"unix datagram", SYS_socket, {1, 2}, FAIL_WITH(EPERM), LP_FILTER_UNIX},
	{"unix raw", SYS_socket, {1, 3}, FAIL_WITH(EPERM), LP_FILTER_UNIX},
	{"unix datagram high bits", SYS_socket, {HIGH | 1, HIGH | 2}, FAIL_WITH(EPERM),
		LP_FILTER_UNIX},
	{"socketpair datagram", SYS_socketpair, {1, 2}, FAIL_WITH(EPERM), LP_FILTER_UNIX},
	{"fast open", SYS_sendto, {3, 0, 0, 0x20000000}, FAIL_WITH(EACCES), 0},
	{"fast open message", SYS_sendmsg, {3, 0, 0x20000000}, FAIL_WITH(EACCES), 0},
	{"fast open messages", SYS_sendmmsg, {3, 0, 0, 0x20000000}, FAIL_WITH(EACCES), 0},
	{"recverr", SYS_setsockopt, {3, 0, 11}, FAIL_WITH(0), 0},
	{"recverr6", SYS_setsockopt, {3, 41, 25}, FAIL_WITH(0), 0},
	{"nodelay", SYS_setsockopt, {3, 6, 1}, ALLOW, 0},
	{"bind to device", SYS_setsockopt, {3, 1, 25}, FAIL_WITH(EPERM), 0},
	{"bind to interface", SYS_setsockopt, {3, HIGH | 1, HIGH | 62}, FAIL_WITH(EPERM), 0},
	{"source route", SYS_setsockopt, {3, 41, 57}, FAIL_WITH(EPERM), 0},
	{"source route of IPv4", SYS_setsockopt, {3, 0, 4}, FAIL_WITH(EPERM), 0},
};

/* Wherever there is a listener. */
static const struct row listener_rows[] = {
	{"own listener", SYS_seccomp, {1, 8}, FAIL_WITH(EBUSY), 0},
	{"own listener, more flags", SYS_seccomp, {1, 0x29}, FAIL_WITH(EBUSY), 0},
	{"own filter", SYS_seccomp, {1, 1}, ALLOW, 0},
	{"not dumpable", SYS_prctl, {4, 0}, FAIL_WITH(0), 0},
	{"dumpable", SYS_prctl, {4, 1}, ALLOW, 0},
	{"delegation", SYS_fcntl, {0, HIGH | 1040}, FAIL_WITH(EINVAL), 0},
	{"lease", SYS_fcntl, {0, 1024}, ALLOW, 0},
	{"no new privileges", SYS_prctl, {38, 1}, ALLOW, 0},
};

/* Sockets that the gate makes only where it has to. */
static const struct row made_rows[] = {
	{"unix stream", SYS_socket, {1, 1}, NOTIFY, 0},
	{"unix seqpacket", SYS_socket, {1, 5 | 04000}, NOTIFY, 0},
	{"tcp", SYS_socket, {2, 1}, NOTIFY, 0},
	{"tcp6 flags", SYS_socket, {10, 1 | 02000000, 6}, NOTIFY, 0},
	{"route", SYS_socket, {16, 3, 0}, NOTIFY, 0},
	{"unix protocol high bits", SYS_socket, {1, 1, HIGH}, NOTIFY, 0},
};

/* Refused, or notified at the edge. */
static const struct row metadata_rows[] = {
	{"chattr", SYS_ioctl, {0, 0x40086602}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"fchmod", SYS_fchmod, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"fchmodat2", 452, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"setxattrat", 463, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"fchmodat", SYS_fchmodat, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"fchown", SYS_fchown, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"fchownat", SYS_fchownat, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"utimensat", SYS_utimensat, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"setxattr", SYS_setxattr, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"lsetxattr", SYS_lsetxattr, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"fsetxattr", SYS_fsetxattr, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"removexattr", SYS_removexattr, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"lremovexattr", SYS_lremovexattr, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"fremovexattr", SYS_fremovexattr, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"removexattrat", 466, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"chattr high bits", SYS_ioctl, {0, HIGH | 0x40086602}, FAIL_WITH(EPERM),
		LP_FILTER_METADATA},
	{"set generation", SYS_ioctl, {0, 0x40087602}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"set fat attributes", SYS_ioctl, {0, 0x40047211}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"set attributes", SYS_ioctl, {0, 0x401c5820}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
#ifdef SYS_chmod
	{"chmod", SYS_chmod, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"chown", SYS_chown, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"lchown", SYS_lchown, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"utime", SYS_utime, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"utimes", SYS_utimes, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
	{"futimesat", SYS_futimesat, {0}, FAIL_WITH(EPERM), LP_FILTER_METADATA},
#endif
};

/* Notified at the edge; opened_by: the bits of which one must be set for it; 0: it always is. */
static const struct row edge_rows[] = {
	{"openat writing", SYS_openat, {0, 0, O_WRONLY}, NOTIFY, 0},
	{"openat both", SYS_openat, {0, 0, O_RDWR | O_CLOEXEC}, NOTIFY, 0},
	{"openat neither", SYS_openat, {0, 0, 3}, NOTIFY, 0},
	{"openat creating", SYS_openat, {0, 0, O_CREAT}, NOTIFY, 0},
	{"openat truncating", SYS_openat, {0, 0, O_TRUNC}, NOTIFY, 0},
	{"openat truncating, high bits", SYS_openat, {0, 0, HIGH | O_TRUNC}, NOTIFY, 0},
	{"openat temporary", SYS_openat, {0, 0, O_TMPFILE}, NOTIFY, 0},
	{"openat O_PATH", SYS_openat, {0, 0, O_PATH | O_NOFOLLOW}, ALLOW, 0},
	{"openat reading", SYS_openat, {0, 0, O_NONBLOCK | O_CLOEXEC}, NOTIFY, LP_FILTER_READS},
	{"openat listing", SYS_openat, {0, 0, O_DIRECTORY}, NOTIFY,
		LP_FILTER_READS | LP_FILTER_LISTS},
	{"openat reading, high bits", SYS_openat, {0, 0, HIGH}, NOTIFY, LP_FILTER_READS},
	{"openat O_PATH of a folder", SYS_openat, {0, 0, O_PATH | O_DIRECTORY}, ALLOW, 0},
	{"openat2", SYS_openat2, {0}, NOTIFY, 0},
	{"mkdirat", SYS_mkdirat, {0}, NOTIFY, 0},
	{"mknodat", SYS_mknodat, {0}, NOTIFY, 0},
	{"unlinkat", SYS_unlinkat, {0}, NOTIFY, 0},
	{"renameat", SYS_renameat, {0}, NOTIFY, 0},
	{"renameat2", SYS_renameat2, {0}, NOTIFY, 0},
	{"linkat", SYS_linkat, {0}, NOTIFY, 0},
	{"symlinkat", SYS_symlinkat, {0}, NOTIFY, 0},
	{"truncate", SYS_truncate, {0}, NOTIFY, 0},
	{"umask", SYS_umask, {0}, NOTIFY, 0},
	{"restricting itself", 446, {0}, NOTIFY, 0},
	{"ftruncate", SYS_ftruncate, {0}, ALLOW, 0},
	{"readlinkat", SYS_readlinkat, {0}, ALLOW, 0},
#ifdef SYS_open
	{"open writing", SYS_open, {0, O_WRONLY}, NOTIFY, 0},
	{"open truncating, high bits", SYS_open, {0, HIGH | O_TRUNC}, NOTIFY, 0},
	{"open reading", SYS_open, {0, O_CLOEXEC}, NOTIFY, LP_FILTER_READS},
	{"open O_PATH", SYS_open, {0, O_PATH}, ALLOW, 0},
	{"creat", SYS_creat, {0}, NOTIFY, 0},
	{"mkdir", SYS_mkdir, {0}, NOTIFY, 0},
	{"mknod", SYS_mknod, {0}, NOTIFY, 0},
	{"unlink", SYS_unlink, {0}, NOTIFY, 0},
	{"rmdir", SYS_rmdir, {0}, NOTIFY, 0},
	{"rename", SYS_rename, {0}, NOTIFY, 0},
	{"link", SYS_link, {0}, NOTIFY, 0},
	{"symlink", SYS_symlink, {0}, NOTIFY, 0},
#endif
};

static bool is_senseless(unsigned bits)
{
	return lp_filters[bits].len == 0;
}

static void check(const struct row *row, unsigned bits)
{
	struct seccomp_data data = {.nr = row->call, .arch = NATIVE};
	uint32_t expected = row->opened_by & bits ? ALLOW : row->closed;
	uint32_t got;

	memcpy(data.args, row->args, sizeof(row->args));
	got = run(&lp_filters[bits], &data);
	if (got != expected)
		fail_msg("%s with 0x%x: 0x%x instead of 0x%x", row->what, bits, got, expected);
}

static void check_made(const struct row *row, unsigned bits)
{
	struct row passes = *row;

	if (!(bits & LP_FILTER_SOCKETS))
		passes.closed = ALLOW;
	check(&passes, bits);
}

/* The answer as in the table, but notified instead of refused at the edge. */
static void check_metadata(const struct row *row, unsigned bits)
{
	struct row asked = *row;

	if (bits & LP_FILTER_EDGE)
		asked.closed = NOTIFY;
	check(&asked, bits);
}

/* A row that needs another bit passes without it; without an edge all of them pass. */
static void check_edge(const struct row *row, unsigned bits)
{
	struct row asked = {row->what, row->call, {0}, row->closed, 0};

	memcpy(asked.args, row->args, sizeof(asked.args));
	if ((row->opened_by && !(row->opened_by & bits)) || !(bits & LP_FILTER_EDGE))
		asked.closed = ALLOW;
	check(&asked, bits);
}

static bool is_about_sockets(const struct row *row)
{
	return row->opened_by & (LP_FILTER_INET | LP_FILTER_UNIX) ||
	       (row->call == SYS_socket && row->closed == ALLOW);
}

/* Without a gate, the broker is asked where unix sockets can be bound. */
static void check_bind(unsigned bits)
{
	bool asked = bits & LP_FILTER_GATE || (bits & LP_FILTER_EDGE && bits & LP_FILTER_UNIX);
	const struct row bind = {"bind", SYS_bind, {0}, asked ? NOTIFY : ALLOW, 0};

	check(&bind, bits);
}

static void test_table(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < LP_FILTER_COUNT; bits++) {
		if (is_senseless(bits))
			continue;
		check_bind(bits);
		for (size_t i = 0; i < LP_ARRAY_SIZE(metadata_rows); i++)
			check_metadata(&metadata_rows[i], bits);
		for (size_t i = 0; i < LP_ARRAY_SIZE(edge_rows); i++)
			check_edge(&edge_rows[i], bits);
		for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++)
			if (!(bits & LP_FILTER_GATE) || !is_about_sockets(&rows[i]))
				check(&rows[i], bits);
		for (size_t i = 0; bits & LP_FILTER_NOTIFY && i < LP_ARRAY_SIZE(listener_rows); i++)
			check(&listener_rows[i], bits);
		for (size_t i = 0; bits & LP_FILTER_GATE && i < LP_ARRAY_SIZE(gate_rows); i++)
			check(&gate_rows[i], bits);
		for (size_t i = 0; bits & LP_FILTER_GATE && i < LP_ARRAY_SIZE(made_rows); i++)
			check_made(&made_rows[i], bits);
		for (size_t i = 0; bits & LP_FILTER_INET && i < LP_ARRAY_SIZE(open_rows); i++)
			check(&open_rows[i], bits);
	}
}

static bool names_call(const struct row *table, size_t count, int call)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].call == call)
			return true;
	return false;
}

/* What no row names is allowed, whatever is open. */
static void test_others(void **state)
{
	(void)state;
	for (int call = -1; call <= 600; call++) {
		const struct row other = {"another call", call, {1, 1, 1, 1}, ALLOW, 0};

		if (names_call(rows, LP_ARRAY_SIZE(rows), call) ||
			names_call(gate_rows, LP_ARRAY_SIZE(gate_rows), call) ||
			names_call(listener_rows, LP_ARRAY_SIZE(listener_rows), call) ||
			names_call(edge_rows, LP_ARRAY_SIZE(edge_rows), call) ||
			names_call(metadata_rows, LP_ARRAY_SIZE(metadata_rows), call))
			continue;
		for (unsigned bits = 0; bits < LP_FILTER_COUNT; bits++)
			if (!is_senseless(bits))
				check(&other, bits);
	}
}

static void test_architectures(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < LP_FILTER_COUNT; bits++) {
		struct seccomp_data foreign = {.nr = 3, .arch = AUDIT_ARCH_I386};
		struct seccomp_data x32 = {.nr = 0x40000000 | 39, .arch = NATIVE};

		if (is_senseless(bits))
			continue;
		assert_int_equal(run(&lp_filters[bits], &foreign), SECCOMP_RET_KILL_PROCESS);
		if (NATIVE == AUDIT_ARCH_X86_64)
			assert_int_equal(run(&lp_filters[bits], &x32), SECCOMP_RET_KILL_PROCESS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_architectures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
