/*
 * supervise: the parent's side. Natively there is none but a janitor, unless a gate is needed; else
 * landpen stays in front, passes signals and job control through, and hands on the command's exit
 * status. Between it and the command the supervisor serves the gate until the last process is gone.
 */
#pragma once

#include "base/base.h"
#include "gate/gate.h"
#include "plan/plan.h"

/* Where the private TMPDIR will be: a name that no other run has. Newly allocated; NULL: -ENOMEM.
 */
char *lp_tmpdir_name(void);

/*
 * Makes the private TMPDIR (0700). ret_fd holds a lock on it for as long as it is in use. 0 or
 * -errno with the sentence.
 */
int lp_tmpdir_make(const char *path, int *ret_fd, struct lp_err *err);
/* Removes the TMPDIRs and spare directories beside own that killed runs left behind. */
void lp_tmpdir_sweep(const char *own);

/*
 * Removes the TMPDIR, the spare directories and, unless another pen still needs them, the stubs.
 * Errors are passed over.
 */
void lp_leftovers_remove(const struct lp_plan *plan);

/*
 * Starts a process that waits for this one to end, whatever program it is by then, and for the last
 * holder of lock_fd (the TMPDIR's), and calls lp_leftovers_remove. It is a child without an exit
 * signal, which wait(2) does not see, and holds none of the caller's descriptors but lock_fd.
 * shared: it may use this process's memory, which is about to exec.
 */
int lp_janitor_start(const struct lp_plan *plan, int lock_fd, bool shared, struct lp_err *err);

/* What became of the command. */
struct lp_outcome {
	int code;   /* exit code, if signal is 0 */
	int signal; /* the signal that killed it */
};

/* What is to be run. */
struct lp_order {
	struct lp_policy *policy;
	const struct lp_plan *plan;
	char *const *argv;
	int tmpdir_lock;
	struct lp_gate_place place; /* with LP_FILTER_GATE */
	int report;                 /* where refusals go as lines of JSON, or -1 */
	int control;                /* where updates come from, a line of settings each; or 0 */
	bool quiet, verbose;        /* no list of refusals at the end; each at once */
	bool violations;            /* srt's block of them at the end */
};

/*
 * Runs the command as the plan says, by a child, and waits for it: in bwrap, or natively where the
 * plan needs a gate. Processes that the command leaves behind go on, and what they need stays until
 * the janitor sees them gone. 0 and the outcome, or -errno with the sentence when the command was
 * not started.
 */
int lp_supervise(const struct lp_order *order, struct lp_outcome *ret_outcome, struct lp_err *err);

/*
 * The entry of pid 1 inside bwrap: main calls it when argv[0] is LP_INIT_NAME and it is pid 1.
 * Confines, starts the command, reaps, passes signals on. Returns the exit status of the process.
 */
#define LP_INIT_NAME "/proc/self/fd/8"
int lp_init_main(int argc);
