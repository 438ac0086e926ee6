/*
 * plan: policy x abilities -> orders and listed gaps. Deterministic and printable; nothing is
 * confined, opened for writing or started here, so a plan for another kernel can be made anywhere.
 *
 * What a back end cannot hold is a gap with a name. A gap that the user did not accept by that name
 * turns the plan into a refusal. Nothing is ever retried with weaker orders.
 */
#pragma once

#include "base/base.h"
#include "kernel/kernel.h"
#include "policy/policy.h"

enum lp_backend {
	LP_BACKEND_REFUSE = 0,
	LP_BACKEND_LANDLOCK,
	LP_BACKEND_BWRAP,
};

enum lp_backend_wish {
	LP_BACKEND_WISH_AUTO = 0,
	LP_BACKEND_WISH_LANDLOCK,
	LP_BACKEND_WISH_BWRAP,
};

/* A promise of the policy that a back end cannot keep on this machine. */
struct lp_gap {
	const char *name; /* what --accept-gap takes */
	char *sentence;   /* what is not held, and how it could be */
	bool accepted;
};

/* One Landlock rule. access is masked by what the object really is when it is opened. */
struct lp_floor {
	char *path;
	uint64_t access;
	const struct lp_rule *rule; /* whose wish it is; NULL: landpen's own */
};

/* One step of the mount plan, in order. */
enum lp_mount_kind {
	LP_MOUNT_HIDE = 0, /* an empty folder over target, not writable by its mode */
	LP_MOUNT_MASK,     /* nothing readable over the file target */
	LP_MOUNT_RO,
	LP_MOUNT_RW,
	LP_MOUNT_DEVICE,  /* read-write, devices usable */
	LP_MOUNT_SYMLINK, /* a symlink at target that holds source */
	LP_MOUNT_PROC,
	LP_MOUNT_DEV, /* a minimal /dev with its own terminals */
};

struct lp_mount {
	enum lp_mount_kind kind;
	char *source, *target; /* source: NULL where it is target */
};

/* Bits that choose one of the prepared seccomp filters; zero is the tightest. */
enum {
	LP_FILTER_INET = 1U << 0,       /* TCP and UDP sockets */
	LP_FILTER_UNIX = 1U << 1,       /* AF_UNIX sockets */
	LP_FILTER_PTRACE = 1U << 2,     /* ptrace and its like among the pen's own processes */
	LP_FILTER_NAMESPACES = 1U << 3, /* unshare, setns, clone flags; mounts in there */
	LP_FILTER_METADATA = 1U << 4,   /* chmod, chown, utimes, xattrs */
	LP_FILTER_GATE = 1U << 5,       /* sockets as the gate, which is notified, decides */
	LP_FILTER_SOCKETS = 1U << 6, /* the gate makes every socket, since it cannot fetch them */
	LP_FILTER_EDGE = 1U << 7,  /* calls that change files or metadata, as the broker decides */
	LP_FILTER_READS = 1U << 8, /* with EDGE: plain opens as well */
	LP_FILTER_LISTS = 1U << 9, /* with EDGE: opens of folders, by O_DIRECTORY */
	LP_FILTER_COUNT = 1U << 10,
};

/* These need a listener: calls wait for its answer. */
#define LP_FILTER_NOTIFY (LP_FILTER_GATE | LP_FILTER_EDGE)

#define LP_SPARE_COUNT 8

struct lp_plan {
	enum lp_backend backend;
	struct lp_gap *gaps;
	size_t gap_count;
	struct lp_strv notices; /* for -v: skipped paths, and what an accepted gap means */

	struct lp_landlock_attr handled; /* for bwrap: what is applied inside it */
	struct lp_floor *floor; /* by path, each once; none that those above it say already */
	size_t floor_count;
	/* allowed folders of which Landlock grants less than is allowed: the broker does the rest
	 */
	struct lp_strv carved;

	struct lp_mount *mounts;
	size_t mount_count;
	/* absent protected names, to be made for the time of the run: see LP_STUB_MODE */
	struct lp_strv stubs, file_stubs;
	char *exclude; /* git's info/exclude of the project, to be extended by the stubs; or NULL */

	unsigned filter;
	struct lp_limits limits;
	struct lp_strv environment; /* NAME=VALUE */
	/* where LP_SPARE_COUNT empty directories, granted whole, wait to be moved into carved ones;
	 * NULL: none */
	char *spares;
	char *cwd; /* where the command starts; not the caller's where that is hidden */
	char *tmpdir, *project;
	char *bwrap; /* the program */
	bool drop_capabilities;
};

/*
 * What bwrap mounts an absent protected name on. In a work tree it is an empty folder, since git
 * does not see those. Where a program would stumble over a folder it is a file that says nothing:
 * inside .git and outside the project. The modes tell them from the user's own.
 */
#define LP_STUB_MODE       01555
#define LP_STUB_ABOVE_MODE 01755 /* a folder that was made only to hold stubs */
#define LP_FILE_STUB_MODE  0444
/* What a file stub of this path holds: as little as its readers accept. */
const char *lp_stub_content(const char *path);

struct lp_plan_input {
	const struct lp_policy *policy;
	const struct lp_abilities *abilities;
	enum lp_backend_wish wish;
	const char *tmpdir;   /* where the private TMPDIR is, or will be */
	const char *terminal; /* the device of the caller's terminal, or NULL */
	char *const *environ;
	unsigned proxy_port; /* of landpen's proxy, for its variables; 0: not known yet */
};

/*
 * Makes the plan. A refusal is a plan too (backend LP_BACKEND_REFUSE), with its gaps;
 * lp_plan_refusal writes its sentence. Errors: -EINVAL for an accepted gap whose name does not
 * exist; -ENOMEM.
 */
int lp_plan_make(const struct lp_plan_input *input, struct lp_plan **ret_plan, struct lp_err *err);

/*
 * Whether Landlock lets the command have right (LP_FS_ bits, all of them) at path, which is
 * absolute and resolved: whether rules at or above it carry it.
 */
bool lp_plan_grants(const struct lp_plan *plan, const char *path, uint64_t right);

/* The one sentence that says why nothing is started and what would help. */
void lp_plan_refusal(const struct lp_plan *plan, struct lp_err *err);

/* Everything the plan orders, for people; the values of variables are left out. 0 or -ENOMEM. */
int lp_plan_print(const struct lp_plan *plan, struct lp_str *str);

void lp_plan_free(struct lp_plan *plan);
void lp_plan_freep(struct lp_plan **plan);

/* Names of all gaps, NULL-terminated: for help, completion and checking. */
const char *const *lp_plan_gap_names(void);
