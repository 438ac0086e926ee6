/*
 * Self-application of a plan: Landlock, limits, capabilities, seccomp.
 *
 * Runs in the process that becomes the command. Input is the plan, which is trusted, and the file
 * system, which is not: a planned path may have been swapped since, so rules are put on what opens
 * without following any symlink. Must not go on after a failure.
 */
#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/filters.h"
#include "wire/wire.h"

static int set_limits(const struct lp_limits *limits, struct lp_err *err)
{
	const struct {
		const char *name;
		int resource;
		uint64_t value;
	} rows[] = {
		{"addressSpace", RLIMIT_AS, limits->address_space},
		{"processes", RLIMIT_NPROC, limits->processes},
		{"openFiles", RLIMIT_NOFILE, limits->open_files},
		{"fileSize", RLIMIT_FSIZE, limits->file_size},
		{"core", RLIMIT_CORE, limits->core},
	};

	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct rlimit now, wanted = {rows[i].value, rows[i].value};

		if (rows[i].value == LP_UNLIMITED)
			continue;
		if (getrlimit(rows[i].resource, &now) == 0 && wanted.rlim_cur > now.rlim_max)
			wanted.rlim_cur = wanted.rlim_max = now.rlim_max; /* never raised */
		if (setrlimit(rows[i].resource, &wanted) < 0)
			return lp_fail(err, errno, "limits.%s: %m", rows[i].name);
	}
	return 0;
}

/* The kernel has told its version by now. */
static int fail_landlock(struct lp_err *err, int error, const char *what)
{
	return lp_fail(err, -error,
		"%s: Landlock: %m; if a container's seccomp profile refuses it, allow the "
		"landlock_ "
		"calls there, or use --backend bwrap",
		what);
}

/* A positive outcome of add_floor(). */
#define GONE 1

static int add_floor(int ruleset, const struct lp_floor *floor, struct lp_err *err)
{
	uint64_t access = floor->access;
	lp_autoclose int fd = lp_open_no_symlinks(floor->path, O_PATH | O_CLOEXEC);
	int r;

	/* gone, or not reachable for this user: then it cannot be reached inside either */
	if (fd == -ENOENT || fd == -ELOOP || fd == -EACCES || fd == -ENOTDIR)
		return GONE;
	if (fd < 0)
		return lp_fail(err, -fd, "%s: %m", floor->path);
	if (!access)
		return 0;
	r = lp_landlock_add_path(ruleset, fd, access);
	/* what only folders can have is refused on anything else */
	if (r == -EINVAL && access & ~LP_FS_FILE_RIGHTS) {
		access &= LP_FS_FILE_RIGHTS;
		r = access ? lp_landlock_add_path(ruleset, fd, access) : 0;
	}
	return r < 0 ? fail_landlock(err, r, floor->path) : 0;
}

static int restrict_landlock(struct lp_plan *plan, struct lp_err *err)
{
	lp_autoclose int ruleset = -1;
	int r;

	if (!plan->handled.handled_fs && !plan->handled.handled_net && !plan->handled.scoped)
		return 0;
	ruleset = lp_landlock_create(&plan->handled);
	if (ruleset < 0)
		return lp_fail(err, -ruleset, "Landlock ruleset: %m");
	for (size_t i = 0; i < plan->floor_count; i++) {
		r = add_floor(ruleset, &plan->floor[i], err);
		if (r == GONE)
			r = lp_strv_addf(&plan->notices, "%s: not there any more, left out",
				plan->floor[i].path);
		if (r < 0)
			return r;
	}
	r = lp_landlock_restrict(ruleset);
	return r < 0 ? fail_landlock(err, r, "the pen") : 0;
}

static int forbid_privileges(struct lp_err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return lp_fail(err, errno, "no_new_privs: %m");
	return 0;
}

/* From here on each notified call waits for the gate. Neither end stays with the command. */
static int hand_over(int gate, int listener, struct lp_err *err)
{
	const struct lp_packet packet = {0};
	int r = lp_packet_send(gate, &packet, listener);

	close(listener);
	close(gate);
	return r < 0 ? lp_fail(err, -r, "handing the listener to the gate: %m") : 0;
}

/* The capabilities go first: the filter is the last thing that landpen itself runs under. */
static int drop_and_filter(const struct lp_plan *plan, int gate, struct lp_err *err)
{
	const struct sock_fprog *filter = &lp_filters[plan->filter];
	int r = plan->drop_capabilities ? lp_drop_capabilities() : 0;

	if (r < 0)
		return lp_fail(err, -r, "dropping capabilities: %m");
	r = plan->filter & LP_FILTER_NOTIFY ? lp_seccomp_install_listener(filter)
					    : lp_seccomp_install(filter);
	if (r == -EBUSY)
		return lp_fail(err, EBUSY,
			"another program above landpen listens to system calls already, and the "
			"kernel "
			"allows one only: start landpen outside of it");
	if (r < 0)
		return lp_fail(err, -r, "seccomp filter: %m");
	return plan->filter & LP_FILTER_NOTIFY ? hand_over(gate, r, err) : 0;
}

int lp_confine_landlock(struct lp_plan *plan, int gate, struct lp_err *err)
{
	int r = set_limits(&plan->limits, err);

	if (r == 0)
		r = forbid_privileges(err);
	if (r == 0 && gate >= 0 && gate != 3 && dup3(gate, 3, O_CLOEXEC) < 0)
		r = lp_fail(err, errno, "the gate's socket: %m");
	if (r == 0)
		r = lp_close_from(gate >= 0 ? 4 : 3);
	if (r == 0)
		r = restrict_landlock(plan, err);
	if (r == 0)
		r = drop_and_filter(plan, 3, err);
	return r;
}

int lp_confine_inside(const struct lp_plan *plan, int gate, struct lp_err *err)
{
	int r = set_limits(&plan->limits, err);

	if (r == 0)
		r = forbid_privileges(err);
	if (r == 0 && (plan->handled.scoped || plan->handled.handled_net)) {
		lp_autoclose int ruleset = lp_landlock_create(&plan->handled);

		r = ruleset < 0 ? ruleset : lp_landlock_restrict(ruleset);
		if (r < 0)
			return lp_fail(err, -r, "Landlock inside bubblewrap: %m");
	}
	if (r == 0)
		r = drop_and_filter(plan, gate, err);
	return r;
}

bool lp_confine_is_inside(void)
{
	return syscall(SYS_acct, (uintptr_t)LP_FILTER_QUESTION) < 0 && errno == LP_FILTER_ANSWER;
}

/* Only what a program needs to be run: never writing, and no devices. */
#define HELPER_RIGHTS (LP_FS_EXECUTE | LP_FS_READ_FILE | LP_FS_READ_DIR)

int lp_confine_helper(const char *const *readable, unsigned filter, struct lp_err *err)
{
	struct lp_floor floor[16] = {0};
	struct lp_plan plan = {.filter = filter,
		.drop_capabilities = true,
		.handled = lp_landlock_known(lp_landlock_abi()),
		.floor = floor};
	int r;

	/* its network is its job, and so are the sockets of the system's resolver */
	plan.handled.handled_net &= LP_NET_BIND_TCP;
	plan.handled.handled_fs &= ~LP_FS_RESOLVE_UNIX;
	for (; *readable && plan.floor_count < LP_ARRAY_SIZE(floor); readable++)
		floor[plan.floor_count++] =
			(struct lp_floor){.path = (char *)*readable, .access = HELPER_RIGHTS};
	r = forbid_privileges(err);
	if (r == 0)
		r = restrict_landlock(&plan, err);
	lp_strv_clear(&plan.notices);
	return r < 0 ? r : drop_and_filter(&plan, -1, err);
}
