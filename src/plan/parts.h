/* The parts of the plan layer among themselves; not for other layers. */
#pragma once

#include "plan/plan.h"

/* The gaps that exist. */
#define LP_GAP_PROTECTED "protected-names"
#define LP_GAP_READ      "hidden-names"
#define LP_GAP_METADATA  "metadata"
#define LP_GAP_TERMINALS "terminals"
#define LP_GAP_SIGNALS   "signals"
#define LP_GAP_TRUNCATE  "truncate"
#define LP_GAP_REFER     "refer"
#define LP_GAP_LANDLOCK  "no-landlock"
#define LP_GAP_LATE      "late-names"
#define LP_GAP_FOLDED    "folded-names"
#define LP_GAP_BWRAP     "no-bwrap"
#define LP_GAP_SECCOMP   "no-seccomp"
#define LP_GAP_GATE      "no-gate"

/* Adds a gap; its sentence is formatted. 0 or -ENOMEM. */
int lp_gap_add(struct lp_plan *plan, const struct lp_policy *policy, const char *name,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* floor.c, mounts.c: each fills its part of the plan and adds its gaps. 0 or -errno. */
int lp_plan_floor(const struct lp_plan_input *input, struct lp_plan *plan);
int lp_plan_mounts(const struct lp_plan_input *input, struct lp_plan *plan);

/* spares.c: where the spare directories go, if something is carved that may be written. 0 or
 * -ENOMEM. */
int lp_plan_spares(const struct lp_plan_input *input, struct lp_plan *plan);

/* folding.c: a gap where a denied name has other spellings. 0 or -ENOMEM. */
int lp_plan_folding(const struct lp_plan_input *input, struct lp_plan *plan);

/* environ.c: the environment of the command, from the caller's and the policy. 0 or -ENOMEM. */
int lp_plan_environment(const struct lp_plan_input *input, struct lp_plan *plan);

/* Whether some file may be written at all, /dev and the private TMPDIR aside. */
bool lp_plan_has_writable(const struct lp_policy *policy);

/* floor.c: adds a rule; what it says twice is taken out at the end. 0 or -ENOMEM. */
int lp_floor_add(
	struct lp_plan *plan, const char *path, uint64_t access, const struct lp_rule *rule);

#define LP_READ_RIGHTS (LP_FS_EXECUTE | LP_FS_READ_FILE | LP_FS_READ_DIR)
#define LP_WRITE_RIGHTS                                                               \
	(LP_READ_RIGHTS | LP_FS_WRITE_FILE | LP_FS_REMOVE_DIR | LP_FS_REMOVE_FILE |   \
		LP_FS_MAKE_DIR | LP_FS_MAKE_REG | LP_FS_MAKE_SOCK | LP_FS_MAKE_FIFO | \
		LP_FS_MAKE_SYM | LP_FS_REFER | LP_FS_TRUNCATE | LP_FS_RESOLVE_UNIX)
#define LP_DEVICE_RIGHTS (LP_FS_READ_FILE | LP_FS_WRITE_FILE | LP_FS_TRUNCATE | LP_FS_IOCTL_DEV)

/* carve.c: what is denied of one access, by name (sorted) and by pattern; both are the policy's. */
struct lp_carve_side {
	enum lp_access access;
	const char **denied, **patterns;
	size_t denied_count, pattern_count;
	struct lp_strv carved;
};

struct lp_carving {
	const struct lp_policy *policy;
	struct lp_plan *plan;
	struct lp_carve_side read, write;
	unsigned entries, program_entries; /* looked at */
	bool told;                         /* that there were too many */
	bool edge;                         /* something allowed was not granted */
	bool lists, reads; /* opens of folders, and of files, have to be asked for */
};

/* edge: false to grant everything whole, whatever is denied in it. 0 or -ENOMEM. */
int lp_carving_init(struct lp_carving *carving, const struct lp_policy *policy,
	struct lp_plan *plan, bool edge);
void lp_carving_clear(struct lp_carving *carving);
/*
 * Grants what path may have by its rule, NULL for reading: whole where nothing denied lies below,
 * else by its children. 0 or -errno.
 */
int lp_carving_grant(struct lp_carving *carving, const char *path, const struct lp_rule *rule);
/* Fills the plan's list of carved folders. */
int lp_carving_finish(struct lp_carving *carving);
/* Whether carving heeds a deny. Not in /proc, /sys and /dev, whose files come and go. */
bool lp_carve_takes(const struct lp_rule *rule, enum lp_access access);
bool lp_carve_is_special(const char *path);
/* Whether denyRead has no effect below path: in /proc and /dev, as in srt (bwrap makes new ones) */
bool lp_carve_is_open(const char *path);

/* The folder that everything a pattern matches is in, newly allocated. NULL without memory. */
char *lp_pattern_head(const char *pattern);

/* Whether calls that change files can be decided by the supervisor on this machine. */
bool lp_plan_has_edge(const struct lp_plan_input *input);

/* expand.c: grants what exists of the allowing patterns, bounded. 0 or -errno. */
int lp_plan_add_matches(const struct lp_policy *policy, struct lp_carving *carving);

/* expand.c: what of a pattern exists now. -E2BIG past the bound of entries looked at. */
int lp_pattern_expand(const char *pattern, struct lp_strv *ret_paths);
