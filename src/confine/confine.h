/*
 * confine: what a process does to itself before it execs the command, and nothing a parent does.
 *
 * Every step is irreversible; after the first one any failure is fatal to the process.
 */
#pragma once

#include "base/base.h"
#include "plan/plan.h"

/*
 * Natively: limits, descriptors above 2 closed, no_new_privs, the Landlock ruleset, capabilities
 * dropped, and last the seccomp filter. gate: where the filter has a listener (LP_FILTER_NOTIFY),
 * the socket that it is sent over, which is closed then; else -1. A planned path that is gone by
 * now is left out and its notice added to plan->notices; every other failure is -errno with the
 * sentence.
 */
int lp_confine_landlock(struct lp_plan *plan, int gate, struct lp_err *err);

/*
 * The same for the inside of bwrap's mounts: limits, no_new_privs, Landlock's scopes where the
 * kernel has them, capabilities and the filter. gate as above; other descriptors are the caller's
 * business.
 */
int lp_confine_inside(const struct lp_plan *plan, int gate, struct lp_err *err);

/* Whether this process runs in a pen already: the kernel's answer, not a variable's. */
bool lp_confine_is_inside(void);

/*
 * Execs argv[0], looked up in environment's PATH. Returns only on failure: 127 if it was not found,
 * 126 if it could not be run, as shells do; the sentence in err.
 */
int lp_confine_exec(char *const *argv, char *const *environment, struct lp_err *err);

/*
 * For landpen's own processes, which have no plan: no capabilities, no_new_privs, Landlock with
 * everything handled but connecting, reading and executing only below the folders of readable
 * (at most 16, NULL-terminated; missing ones are left out), and the filter of these LP_FILTER_
 * bits. Where the kernel has no Landlock the filter has to do. Descriptors are the caller's
 * business. 0 or -errno with the sentence.
 */
int lp_confine_helper(const char *const *readable, unsigned filter, struct lp_err *err);
