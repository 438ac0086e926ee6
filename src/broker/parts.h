/* The parts of the broker among themselves; not for other layers. */
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "broker/broker.h"

/* ---- native.c: what the floor grants, by path and by inode ------------------------------------
 */

/* An object that a rule of the floor was put on. A rule stays with its object wherever it moves. */
struct native {
	char *path;
	dev_t device;
	ino_t inode; /* 0: not there */
	uint64_t access;
	bool is_spare;
};

#define KNOWN_SLOTS 4096

struct natives {
	struct native *items;
	size_t count;
	struct known { /* directories that were found below such an object */
		dev_t device;
		ino_t inode;
		bool for_reading, for_writing;
	} known[KNOWN_SLOTS];
};

int lp_natives_fill(struct natives *natives, const struct lp_plan *plan);
/* Takes what stands at path now. -ENOENT, -ENOMEM. */
int lp_natives_add(struct natives *natives, const char *path, uint64_t access, bool is_spare);
/* Whether a rule that is still in force at directory (or above) carries right. */
bool lp_natives_grant(const struct natives *natives, const char *directory, uint64_t right);
bool lp_natives_is_spare(const struct natives *natives, const char *path);
/* The object at path has gone to another one, or (to NULL) is gone. */
void lp_natives_moved(struct natives *natives, const char *path, const char *to);
/* Whether the directory is one that lp_natives_know was told of, for this kind of access. */
bool lp_natives_knows(const struct natives *natives, const struct stat *directory, bool write);
void lp_natives_know(struct natives *natives, const struct stat *directory, bool write);
/* What was known about directories may not be so any more. */
void lp_natives_forget(struct natives *natives);
void lp_natives_clear(struct natives *natives);

/* ---- spares.c: directories that were granted before the command started -----------------------
 */

struct spares {
	char *pool; /* NULL: none */
	int dir, lock;
	bool used[LP_SPARE_COUNT];
};

int lp_spares_make(struct spares *spares, const struct lp_plan *plan, struct lp_err *err);
/* Whether path is the pool, or in it: nobody's business but the broker's. */
bool lp_spares_hold(const struct spares *spares, const char *path);
/*
 * Moves an empty directory with this mode to dir/name, which must not be there. 0; -EAGAIN: there
 * is none to give, or none that fits; -errno of the move.
 */
int lp_spares_give(struct spares *spares, int dir, const char *name, mode_t mode);
/* Takes the empty directory dir/name back. 0; -EAGAIN: remove it; -ENOTEMPTY. */
int lp_spares_take(struct spares *spares, int dir, const char *name);
void lp_spares_clear(struct spares *spares);

struct act;

/* ---- broker.c ---------------------------------------------------------------------------------
 */

/* Where the arguments of a call are; -1: the call has none such. */
struct form {
	int call;
	const char *name;
	int (*serve)(struct act *act);
	signed char dir, path, dir2, path2, flags, mode;
	bool floor_decides; /* may be let go on */
};

/* A blocking open of a FIFO whose other end is not open yet. */
struct sleeper {
	struct sleeper *next;
	struct lp_notification call;
	int listener, object, flags;
	int fd; /* the reading end, until somebody writes; or -1 */
};

struct lp_broker {
	const struct lp_policy *policy;
	const struct lp_plan *plan;
	struct lp_report *report;
	struct natives natives;
	struct spares spares;
	struct sleeper *sleepers;
	size_t sleeper_count;
	int timer;
	struct nested {
		struct confined {
			pid_t pid;
			unsigned long long start;
		} items[256];
		size_t count;
		bool is_full;
	} nested;
	pid_t command;
	struct mask { /* what umask a thread had a moment ago */
		pid_t tid;
		mode_t mask;
		int64_t until; /* ms; 0: unknown */
	} masks[64];
	int64_t masks_from; /* ms: before, they may be changing */
};

/* One notified call. */
struct act {
	struct lp_broker *broker;
	const struct form *form;
	const struct lp_notification *call;
	int listener;
	char text[PATH_MAX], text2[PATH_MAX]; /* the paths, as the caller wrote them */
	uint64_t resolve;                     /* what openat2(2) was asked for */
};

/* What a handler returns beside 0 and -errno. */
#define LET_GO_ON 1
#define ANSWERED  2

/* An argument of the call as a 32-bit number. */
int lp_act_number(const struct act *act, int argument);
/* Copies the path in an argument. */
int lp_act_text(const struct act *act, int argument, char ret_text[PATH_MAX]);
/* Tells the user that the policy does not let the command change path, if he could himself. */
void lp_act_refused(const struct act *act, const char *path);
/* Makes the caller's umask this process's own, for what is made next. */
void lp_act_take_umask(const struct act *act);
/* Whether the caller still waits, so that what was fetched was the caller's. */
bool lp_act_is_valid(const struct act *act);

/* ---- place.c: where a path leads, as the caller means it ---------------------------------------
 */

/* A name in a directory. Begins as {.dir = -1}. */
struct place {
	int dir; /* O_PATH, or -1 */
	char name[NAME_MAX + 1];
	bool slash;     /* the caller wrote '/' behind it: it must be a directory */
	bool is_absent; /* seen when its symlinks were followed */
	bool is_native; /* the floor decides about names in that directory */
	char path[PATH_MAX + NAME_MAX + 2]; /* the name's absolute path; "": not asked for yet */
	size_t parent_length;               /* of path: the directory */
};

#define LP_CLOSE_PLACE LP_CLEANUP(lp_place_close)
void lp_place_close(const struct place *place);

enum {
	PLACE_FOLLOW = 1, /* also through symlinks at its end */
	PLACE_READ = 2, /* whether the floor decides about reading there, and not about changing */
};

/*
 * Walks along text. 0: found, and whether it is native; only then path may be missing. LET_GO_ON
 * where no act of the broker's could help (".", "..", a directory that is not there, a magic
 * link); -errno.
 */
int lp_place_find(
	const struct act *act, int dirfd, const char *text, unsigned how, struct place *place);
/* Fills in what is missing of path. 0 or LET_GO_ON. */
int lp_place_describe(struct place *place);
/* What the name is now, symlinks not followed. False if it is not there. */
bool lp_place_stat(const struct place *place, struct stat *ret_st);
/*
 * The absolute path of what fd is open on. False if it has none: ret_path (PATH_MAX) is what the
 * kernel calls it then ("pipe:[1]"), or "" where that cannot be told.
 */
bool lp_descriptor_text(int fd, char *ret_path);
/* Whether the kernel's text says that the name is gone. */
bool lp_text_is_deleted(const char *text);
/* Whether fd is open on something of /proc: what "self" is there is another thing for each process.
 */
bool lp_is_view(int fd);
/* "/proc/self/fd/N", by which the object behind an O_PATH descriptor is reached. */
void lp_descriptor_link(int fd, char ret_link[32]);

/* Whether the policy allows to make, remove or replace the name. */
bool lp_place_may_change(const struct act *act, const struct place *place);
/* Whether the policy says something of its own about what is below the name. */
bool lp_place_holds_rules(const struct act *act, const char *path);

/* ---- open.c, names.c, metadata.c: the calls ----------------------------------------------------
 */

int lp_act_open(struct act *act);
int lp_act_openat2(struct act *act);
void lp_open_tick(struct lp_broker *broker);
void lp_open_clear(struct lp_broker *broker);

int lp_act_mkdir(struct act *act);
int lp_act_mknod(struct act *act);
int lp_act_symlink(struct act *act);
int lp_act_link(struct act *act);
int lp_act_unlink(struct act *act);
int lp_act_rename(struct act *act);
int lp_act_truncate(struct act *act);

/*
 * What a path leads to (O_PATH), through magic links of the caller's own too; or -errno.
 * may_be_empty: "" is the descriptor itself.
 */
int lp_object_open(
	const struct act *act, int dirfd, const char *text, bool may_be_empty, bool follow);
/* Whether the policy lets the command write there; its TMPDIR is its own. */
bool lp_is_writable(const struct lp_broker *broker, const char *path);
int lp_act_chmod(struct act *act);
int lp_act_chown(struct act *act);
int lp_act_times(struct act *act);
int lp_act_setxattr(struct act *act);
int lp_act_removexattr(struct act *act);
int lp_act_ioctl(struct act *act);

int lp_act_bind(struct act *act);

/* ---- nested.c: processes with a ruleset of their own --------------------------------------------
 */

int lp_act_restrict(struct act *act);
/* Whether rules that the broker does not know may hold for the caller. */
bool lp_is_nested(const struct act *act);
