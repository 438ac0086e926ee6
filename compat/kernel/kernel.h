/*
 * kernel: what differs between kernels and build hosts: UAPI constants newer than the headers,
 * system calls without a wrapper, and the abilities of the running kernel, found by trying.
 *
 * No logic of what is allowed. Sources: include/uapi/linux/landlock.h up to Linux 7.2 (ABI 10),
 * landlock(7), seccomp(2), capabilities(7).
 */
#pragma once

#include "base/base.h"

/* ---- Landlock UAPI (our own names: build hosts know only some of them) ---------------------- */

#define LP_LL_CREATE_VERSION (1U << 0)
#define LP_LL_CREATE_ERRATA  (1U << 1)

#define LP_LL_RESTRICT_LOG_SAME_EXEC_OFF  (1U << 0) /* ABI 7 */
#define LP_LL_RESTRICT_LOG_SUBDOMAINS_OFF (1U << 2) /* ABI 7 */

#define LP_LL_RULE_PATH_BENEATH 1

#define LP_FS_EXECUTE      (1ULL << 0)
#define LP_FS_WRITE_FILE   (1ULL << 1)
#define LP_FS_READ_FILE    (1ULL << 2)
#define LP_FS_READ_DIR     (1ULL << 3)
#define LP_FS_REMOVE_DIR   (1ULL << 4)
#define LP_FS_REMOVE_FILE  (1ULL << 5)
#define LP_FS_MAKE_CHAR    (1ULL << 6)
#define LP_FS_MAKE_DIR     (1ULL << 7)
#define LP_FS_MAKE_REG     (1ULL << 8)
#define LP_FS_MAKE_SOCK    (1ULL << 9)
#define LP_FS_MAKE_FIFO    (1ULL << 10)
#define LP_FS_MAKE_BLOCK   (1ULL << 11)
#define LP_FS_MAKE_SYM     (1ULL << 12)
#define LP_FS_REFER        (1ULL << 13) /* ABI 2 */
#define LP_FS_TRUNCATE     (1ULL << 14) /* ABI 3 */
#define LP_FS_IOCTL_DEV    (1ULL << 15) /* ABI 5 */
#define LP_FS_RESOLVE_UNIX (1ULL << 16) /* ABI 9 */

#define LP_NET_BIND_TCP         (1ULL << 0) /* ABI 4 */
#define LP_NET_CONNECT_TCP      (1ULL << 1) /* ABI 4 */
#define LP_NET_BIND_UDP         (1ULL << 2) /* ABI 10 */
#define LP_NET_CONNECT_SEND_UDP (1ULL << 3) /* ABI 10 */

#define LP_SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define LP_SCOPE_SIGNAL        (1ULL << 1) /* ABI 6 */

/* The rights a rule may give for something that is not a directory (else EINVAL). */
#define LP_FS_FILE_RIGHTS                                                                        \
	(LP_FS_EXECUTE | LP_FS_WRITE_FILE | LP_FS_READ_FILE | LP_FS_TRUNCATE | LP_FS_IOCTL_DEV | \
		LP_FS_RESOLVE_UNIX)

/* struct landlock_ruleset_attr as of ABI 6; the kernel takes the leading part it knows. */
struct lp_landlock_attr {
	uint64_t handled_fs, handled_net, scoped;
};

/* The ABI version of the running kernel; 0: none, or switched off. */
int lp_landlock_abi(void);

/* All: a descriptor or 0, or -errno. */
int lp_landlock_create(const struct lp_landlock_attr *attr);
int lp_landlock_add_path(int ruleset, int path_fd, uint64_t access);
/*
 * Nothing that the process and its children are refused goes to the system log, also not what they
 * forbid themselves later (from ABI 7 on; before, nothing is logged): landpen reports, and a
 * command must not be able to flood the log. The flags of later ABIs are not for landpen: TSYNC
 * (8), since a process that confines itself has one thread; NO_NEW_PRIVS (11), which the filter
 * needs before.
 */
int lp_landlock_restrict(int ruleset);

/* What Landlock of this ABI can handle; zero for ABI 0. */
struct lp_landlock_attr lp_landlock_known(int abi);

/* The name of one access right ("READ_FILE"), or NULL. */
const char *lp_landlock_right_name(uint64_t right);

/* ---- other system calls ------------------------------------------------------------------- */

/*
 * openat2(2) with RESOLVE_NO_SYMLINKS; before Linux 5.6, or where a container refuses it, an open
 * that is checked afterwards.
 */
int lp_open_no_symlinks(const char *path, int flags);

/* close_range(2), by /proc/self/fd where the call is missing; from first on. 0 or -errno. */
int lp_close_range(unsigned first, unsigned last);
int lp_close_from(int first);

int lp_pidfd_open(pid_t pid);

/* Empties every capability set for good, the bounding set too where that is allowed. 0, -errno. */
int lp_drop_capabilities(void);

/* ---- seccomp notification (5.9 on: with ADDFD) --------------------------------------------- */

struct sock_fprog;

/* Whether the kernel has notifications, in the size that we know. */
bool lp_notify_is_there(void);

/* Put the filter on the calling process. 0, or the listener (close-on-exec); -errno. */
int lp_seccomp_install(const struct sock_fprog *program);
int lp_seccomp_install_listener(const struct sock_fprog *program);

/* A system call that waits for its answer. tid: the thread, in the listener's pid namespace. */
struct lp_notification {
	uint64_t id;
	pid_t tid;
	int call;
	uint64_t args[6];
};

/* Makes answers fast where the kernel can (6.6). */
void lp_notify_prepare(int listener);
/* Blocks until there is one: poll first. 0; -ENOENT: its caller is gone; -errno. */
int lp_notify_receive(int listener, struct lp_notification *ret_notification);
/* Whether the caller still waits: to be asked after its memory or descriptors were looked at. */
bool lp_notify_is_valid(int listener, uint64_t id);
/* The call returns value, or fails with -value. */
int lp_notify_answer(int listener, uint64_t id, int value);
/*
 * The kernel does the call as if nobody had asked, and reads its arguments anew: only where it
 * holds by itself (Landlock) whatever another thread may have put there meanwhile.
 */
int lp_notify_continue(int listener, uint64_t id);
/* The call returns a new descriptor for fd. The descriptor's number, or -errno. */
int lp_notify_give(int listener, uint64_t id, int fd, bool close_on_exec);
/* Puts fd in place of the caller's descriptor target; the call still waits. */
int lp_notify_replace(int listener, uint64_t id, int fd, int target, bool close_on_exec);

/*
 * Copies len bytes of another process's memory: by process_vm_readv(2), or by /proc/TID/mem where a
 * container refuses that (Docker 20.10's default profile does). 0 or -errno.
 */
int lp_read_memory(pid_t tid, uint64_t address, void *ret_bytes, size_t len);
/* Writes where that process itself may write, and nowhere where a container refuses it. */
int lp_write_memory(pid_t tid, uint64_t address, const void *bytes, size_t len);

/*
 * Copies a NUL-terminated text of another process's memory, likewise. 0; -ENAMETOOLONG: no NUL
 * within size; -EFAULT or another -errno.
 */
int lp_read_text(pid_t tid, uint64_t address, char *ret_text, size_t size);

/* A pidfd of one thread (6.9), or -EINVAL. */
int lp_pidfd_open_thread(pid_t tid);
/* A copy of another process's descriptor, close-on-exec; -EPERM in a stock container. */
int lp_pidfd_getfd(int pidfd, int fd);

/* ---- abilities ---------------------------------------------------------------------------- */

enum lp_probe {
	LP_PROBE_UNKNOWN = 0, /* not tried yet */
	LP_PROBE_NO,
	LP_PROBE_YES,
};

struct lp_abilities {
	int landlock_abi; /* 0: none */
	unsigned landlock_errata;
	bool seccomp_filter;
	bool seccomp_notify; /* a listener can give descriptors (5.9); and there is openat2 */
	bool listener_above; /* there is one already, and so no other can be */
	bool memory;         /* of its children, landpen may read it without privileges */
	bool pidfd_getfd;    /* a stock container refuses it */
	int yama_scope;      /* kernel.yama.ptrace_scope; 0 where there is no Yama */
	bool root;           /* effective uid 0 */
	bool bwrap_setuid;   /* it makes no user namespace of the caller's own */
	enum lp_probe bwrap; /* by running it */
	char bwrap_path[256];
	char bwrap_why[512]; /* the first line it printed when it failed */
};

/*
 * Asks the running kernel for everything that is cheap to ask (not bwrap; for that, _bwrap).
 * Never fails: what cannot be found out counts as absent.
 */
void lp_abilities_probe(struct lp_abilities *ret_abilities);
/*
 * Asks for the rest of what only a supervisor needs. Where nothing speaks against it (a kernel with
 * Landlock, no filter and no Yama around landpen), that is taken to work unless it is to be tried.
 */
void lp_abilities_probe_gate(struct lp_abilities *abilities, bool try);
/* Tries it: fills seccomp_notify, listener_above and memory. */
void lp_notify_probe(struct lp_abilities *abilities);

/*
 * Reads abilities from "key value" lines as _print writes them, to plan for another machine.
 * -EINVAL with the line in err.
 */
int lp_abilities_read(const char *text, struct lp_abilities *ret_abilities, struct lp_err *err);
int lp_abilities_print(const struct lp_abilities *abilities, struct lp_str *str);

/* What helps against a failure of bubblewrap's, by what it printed. */
const char *lp_bwrap_cure(const char *said);
