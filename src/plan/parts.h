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
#define LP_GAP_BWRAP     "no-bwrap"
#define LP_GAP_SECCOMP   "no-seccomp"
#define LP_GAP_GATE      "no-gate"

/* Adds a gap; its sentence is formatted. 0 or -ENOMEM. */
int lp_gap_add(struct lp_plan *plan, const struct lp_policy *policy, const char *name,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* floor.c, mounts.c: each fills its part of the plan and adds its gaps. 0 or -errno. */
int lp_plan_floor(const struct lp_plan_input *input, struct lp_plan *plan);
int lp_plan_mounts(const struct lp_plan_input *input, struct lp_plan *plan);

/* environ.c: the environment of the command, from the caller's and the policy. 0 or -ENOMEM. */
int lp_plan_environment(const struct lp_plan_input *input, struct lp_plan *plan);

/* Whether some file may be written at all, /dev and the private TMPDIR aside. */
bool lp_plan_has_writable(const struct lp_policy *policy);

/* expand.c: grants what exists of the allowing patterns (floor), bounded. 0 or -errno. */
int lp_plan_add_matches(const struct lp_plan_input *input, struct lp_plan *plan);

/* expand.c: what of a pattern exists now. -E2BIG past the bound of entries looked at. */
int lp_pattern_expand(const char *pattern, struct lp_strv *ret_paths);

int lp_floor_grant_path(const struct lp_policy *policy, struct lp_plan *plan, const char *path,
	const struct lp_rule *rule);
