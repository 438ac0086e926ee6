/* The mandatory denies and the walk that finds them. Within the settings layer only. */
#pragma once

#include <sys/stat.h>

#include "settings/parts.h"

enum lp_walk_kind {
	LP_WALK_PLAIN = 0,
	LP_WALK_CLAUDE,    /* a .claude directory */
	LP_WALK_MODULES,   /* .git/modules: git directories at any level */
	LP_WALK_WORKTREES, /* .git/worktrees: git directories, one level */
};

/* A directory still to be listed. Its entries stand at level + 1. */
struct lp_walk_item {
	char *path;
	enum lp_walk_kind kind;
	unsigned level;
};

struct lp_mandatory {
	struct lp_policy *policy;
	const struct lp_source *source;
	unsigned depth;
	bool git_config;             /* leave config and config.worktree out */
	const char *top, *git_dir;   /* of the project */
	size_t known_from, known_to; /* rules not to be doubled; known_to 0: still growing */
	struct lp_walk_item *queue;  /* in the order of listing */
	size_t queue_count, queue_next;
	unsigned entries_left;
	bool cut; /* not everything was looked at */
};

/* All functions: 0 or -ENOMEM. What cannot be looked at is passed over. */

/* A deny for dir/name, which exists and is of this type (S_IFMT bits). */
int lp_mandatory_found(struct lp_mandatory *work, const char *dir, const char *name, mode_t type);

/* The denies inside a git directory, there or not; queues its modules and worktrees. */
int lp_mandatory_git_dir(struct lp_mandatory *work, const char *path, bool worktree);

/* The denies below dir/name, a .claude that is a symlink. */
int lp_mandatory_claude(struct lp_mandatory *work, const char *dir, const char *name);

/* A notice; format has one %s for a path, which is escaped. */
int lp_mandatory_note(struct lp_mandatory *work, const char *format, const char *path);

/* Whether a name, in any case, must be held wherever it is found. */
bool lp_mandatory_is_name(const char *name);

/* mandatory-walk.c: finds what exists below top, below the working directory and in the queue. */
int lp_mandatory_walk(struct lp_mandatory *work);
/* name may be empty. */
int lp_mandatory_queue(struct lp_mandatory *work, const char *dir, const char *name,
	enum lp_walk_kind kind, unsigned level);
void lp_mandatory_clear(struct lp_mandatory *work);
