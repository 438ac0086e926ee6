/*
 * The broker's table of calls, and its life.
 *
 * Runs in the supervisor, with the user's rights. From the command it reads paths and a few
 * fixed-size structs. It never waits for the command: what would block is tried again later.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "broker/parts.h"
#include "task/task.h"

#define NR_LANDLOCK_RESTRICT 446
#define NR_FCHMODAT2         452
#define NR_SETXATTRAT        463
#define NR_REMOVEXATTRAT     466

#define NONE (-1)

/*
 * A umask is remembered for this long (ms), in which no thread's number is given to another one,
 * and not yet for a moment after somebody was let go on to change his.
 */
#define MASK_LIFE  500
#define MASK_PAUSE 100

static int act_umask(struct act *act);

/* Most frequent first: the table is searched from its start. */
static const struct form forms[] = {
	{SYS_openat, "openat", lp_act_open, 0, 1, NONE, NONE, 2, 3, true},
#ifdef SYS_open
	{SYS_open, "open", lp_act_open, NONE, 0, NONE, NONE, 1, 2, true},
	{SYS_unlink, "unlink", lp_act_unlink, NONE, 0, NONE, NONE, NONE, NONE, true},
	{SYS_rename, "rename", lp_act_rename, NONE, 0, NONE, 1, NONE, NONE, true},
	{SYS_mkdir, "mkdir", lp_act_mkdir, NONE, 0, NONE, NONE, NONE, 1, true},
	{SYS_rmdir, "rmdir", lp_act_unlink, NONE, 0, NONE, NONE, NONE, NONE, true},
	{SYS_chmod, "chmod", lp_act_chmod, NONE, 0, NONE, NONE, NONE, 1},
	{SYS_link, "link", lp_act_link, NONE, 0, NONE, 1, NONE, NONE, true},
	{SYS_symlink, "symlink", lp_act_symlink, NONE, 1, NONE, 0, NONE, NONE, true},
	{SYS_mknod, "mknod", lp_act_mknod, NONE, 0, NONE, NONE, NONE, 1, true},
	{SYS_creat, "creat", lp_act_open, NONE, 0, NONE, NONE, NONE, 1, true},
	{SYS_chown, "chown", lp_act_chown, NONE, 0, NONE, NONE, NONE, 1},
	{SYS_lchown, "lchown", lp_act_chown, NONE, 0, NONE, NONE, NONE, 1},
	{SYS_utime, "utime", lp_act_times, NONE, 0, NONE, NONE, NONE, 1},
	{SYS_utimes, "utimes", lp_act_times, NONE, 0, NONE, NONE, NONE, 1},
	{SYS_futimesat, "futimesat", lp_act_times, 0, 1, NONE, NONE, NONE, 2},
#endif
	{SYS_openat2, "openat2", lp_act_openat2, 0, 1, NONE, NONE, NONE, NONE, true},
	{SYS_unlinkat, "unlinkat", lp_act_unlink, 0, 1, NONE, NONE, 2, NONE, true},
#ifdef SYS_renameat
	{SYS_renameat, "renameat", lp_act_rename, 0, 1, 2, 3, NONE, NONE, true},
#endif
	{SYS_renameat2, "renameat2", lp_act_rename, 0, 1, 2, 3, 4, NONE, true},
	{SYS_mkdirat, "mkdirat", lp_act_mkdir, 0, 1, NONE, NONE, NONE, 2, true},
	{SYS_linkat, "linkat", lp_act_link, 0, 1, 2, 3, 4, NONE, true},
	{SYS_symlinkat, "symlinkat", lp_act_symlink, 1, 2, NONE, 0, NONE, NONE, true},
	{SYS_mknodat, "mknodat", lp_act_mknod, 0, 1, NONE, NONE, NONE, 2, true},
	{SYS_truncate, "truncate", lp_act_truncate, NONE, 0, NONE, NONE, NONE, 1, true},
	{SYS_fchmod, "fchmod", lp_act_chmod, 0, NONE, NONE, NONE, NONE, 1},
	{SYS_fchmodat, "fchmodat", lp_act_chmod, 0, 1, NONE, NONE, NONE, 2},
	{NR_FCHMODAT2, "fchmodat2", lp_act_chmod, 0, 1, NONE, NONE, 3, 2},
	{SYS_fchown, "fchown", lp_act_chown, 0, NONE, NONE, NONE, NONE, 1},
	{SYS_fchownat, "fchownat", lp_act_chown, 0, 1, NONE, NONE, 4, 2},
	{SYS_utimensat, "utimensat", lp_act_times, 0, 1, NONE, NONE, 3, 2},
	{SYS_setxattr, "setxattr", lp_act_setxattr, NONE, 0, NONE, NONE, NONE, NONE},
	{SYS_lsetxattr, "lsetxattr", lp_act_setxattr, NONE, 0, NONE, NONE, NONE, NONE},
	{SYS_fsetxattr, "fsetxattr", lp_act_setxattr, 0, NONE, NONE, NONE, NONE, NONE},
	{NR_SETXATTRAT, "setxattrat", lp_act_setxattr, 0, 1, NONE, NONE, 2, NONE},
	{SYS_removexattr, "removexattr", lp_act_removexattr, NONE, 0, NONE, NONE, NONE, NONE},
	{SYS_lremovexattr, "lremovexattr", lp_act_removexattr, NONE, 0, NONE, NONE, NONE, NONE},
	{SYS_fremovexattr, "fremovexattr", lp_act_removexattr, 0, NONE, NONE, NONE, NONE, NONE},
	{NR_REMOVEXATTRAT, "removexattrat", lp_act_removexattr, 0, 1, NONE, NONE, 2, NONE},
	{SYS_umask, "umask", act_umask, NONE, NONE, NONE, NONE, NONE, NONE, true},
	{SYS_bind, "bind", lp_act_bind, NONE, NONE, NONE, NONE, NONE, NONE, true},
	{NR_LANDLOCK_RESTRICT, "landlock_restrict_self", lp_act_restrict, NONE, NONE, NONE, NONE,
		NONE, NONE, true},
	{SYS_ioctl, "ioctl", lp_act_ioctl, 0, NONE, NONE, NONE, NONE, NONE},
};

static const struct form *find_form(int call)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(forms); i++)
		if (forms[i].call == call)
			return &forms[i];
	return NULL;
}

bool lp_broker_serves(const struct lp_notification *call)
{
	return find_form(call->call) != NULL;
}

int lp_act_number(const struct act *act, int argument)
{
	return argument < 0 ? 0 : (int)act->call->args[argument];
}

int lp_act_text(const struct act *act, int argument, char ret_text[PATH_MAX])
{
	ret_text[0] = '\0';
	if (!act->call->args[argument])
		return 0; /* some calls mean the descriptor itself by that */
	return lp_read_text(act->call->tid, act->call->args[argument], ret_text, PATH_MAX);
}

bool lp_act_is_valid(const struct act *act)
{
	return lp_notify_is_valid(act->listener, act->call->id);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int act_umask(struct act *act)
{
	memset(act->broker->masks, 0, sizeof(act->broker->masks));
	act->broker->masks_from = now_ms() + MASK_PAUSE;
	return LET_GO_ON;
}

void lp_act_take_umask(const struct act *act)
{
	struct lp_broker *broker = act->broker;
	pid_t tid = act->call->tid;
	struct mask *kept = &broker->masks[(size_t)tid % LP_ARRAY_SIZE(broker->masks)];
	int64_t now = now_ms();

	if (kept->tid != tid || now >= kept->until) {
		*kept = (struct mask){tid, lp_task_umask(tid), now + MASK_LIFE};
		if (now < broker->masks_from)
			kept->until = 0;
	}
	umask(kept->mask);
}

/* Whether the caller has another root, so that its paths are not ours. */
static bool is_elsewhere(const struct act *act)
{
	char link[64];
	struct stat theirs, ours;

	if (!(act->broker->plan->filter & LP_FILTER_NAMESPACES))
		return false; /* nobody in the pen can change it */
	snprintf(link, sizeof(link), "/proc/%d/root", act->call->tid);
	return stat(link, &theirs) < 0 || stat("/", &ours) < 0 || theirs.st_ino != ours.st_ino ||
	       theirs.st_dev != ours.st_dev;
}

/* Whether the user could do it, so that it is the pen that refuses. */
static bool user_may(const char *path)
{
	lp_autofree char *parent = NULL;

	if (access(path, W_OK) == 0)
		return true;
	parent = errno == ENOENT ? lp_path_parent(path) : NULL;
	return parent && access(parent, W_OK) == 0;
}

void lp_act_refused(const struct act *act, const char *path)
{
	struct lp_report *report = act->broker->report;
	char program[LP_PROGRAM_SIZE];

	if (lp_path_is_under(path, "/proc") || lp_path_is_under(path, "/sys") ||
		lp_path_is_under(path, "/dev") ||
		lp_report_has(report, LP_REFUSAL_WRITE, path, 0) || !user_may(path))
		return;
	lp_task_name(act->call->tid, program, sizeof(program));
	lp_report_add(report,
		&(struct lp_refusal){LP_REFUSAL_WRITE, path, 0, program, NULL, act->form->name});
}

void lp_broker_call(struct lp_broker *broker, int listener, const struct lp_notification *call)
{
	struct act act = {.broker = broker,
		.form = find_form(call->call),
		.call = call,
		.listener = listener};
	int r = act.form->path < 0 ? 0 : lp_act_text(&act, act.form->path, act.text);

	if (r == 0 && act.form->path2 >= 0)
		r = lp_act_text(&act, act.form->path2, act.text2);
	if (r == 0 && is_elsewhere(&act))
		r = act.form->floor_decides ? LET_GO_ON : -EPERM;
	else if (r == 0 && act.form->floor_decides && lp_is_nested(&act))
		r = LET_GO_ON;
	else if (r == 0)
		r = act.form->serve(&act);
	if (r == LET_GO_ON)
		lp_notify_continue(listener, call->id);
	else if (r != ANSWERED)
		lp_notify_answer(listener, call->id, r);
}

int lp_broker_start(const struct lp_policy *policy, const struct lp_plan *plan,
	struct lp_report *report, struct lp_broker **ret_broker, struct lp_err *err)
{
	LP_CLEANUP(lp_broker_freep) struct lp_broker *broker = calloc(1, sizeof(*broker));
	int r;

	if (!broker)
		return lp_fail(err, ENOMEM, "%m");
	broker->policy = policy;
	broker->plan = plan;
	broker->report = report;
	broker->spares.dir = -1;
	broker->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (broker->timer < 0)
		return lp_fail(err, errno, "timerfd: %m");
	r = lp_spares_make(&broker->spares, plan, err);
	if (r < 0)
		return r;
	*ret_broker = LP_TAKE(broker);
	return 0;
}

void lp_broker_started(struct lp_broker *broker, pid_t command)
{
	broker->command = command;
	/* what cannot be remembered is done by the broker: slower, not wrong */
	lp_natives_fill(&broker->natives, broker->plan);
}

int lp_broker_timer(const struct lp_broker *broker)
{
	return broker->timer;
}

void lp_broker_tick(struct lp_broker *broker)
{
	uint64_t ticks;

	if (read(broker->timer, &ticks, sizeof(ticks)) > 0)
		lp_open_tick(broker);
}

void lp_broker_freep(struct lp_broker **at)
{
	struct lp_broker *broker = *at;

	if (!broker)
		return;
	lp_open_clear(broker);
	lp_natives_clear(&broker->natives);
	lp_spares_clear(&broker->spares);
	lp_closep(&broker->timer);
	free(broker);
	*at = NULL;
}
