/* The parts of the supervise layer among themselves; not for other layers. */
#pragma once

#include <signal.h>

#include "gate/gate.h"
#include "supervise/protocol.h"
#include "supervise/supervise.h"

/* Where bwrap's pid 1 finds the socket to the gate, if there is one. */
#define GATE_SOCKET 13

/* ---- watch.c -------------------------------------------------------------------------------- */

/* What the command's nearest ancestor knows. */
struct watch {
	int socket; /* to landpen's front, or -1 */
	pid_t command;
	int stops;
	bool stopped, command_ended, released;
};

void lp_watch_tell(const struct watch *watch, int kind, int value, int more);
/* Reaps what has ended, and tells of the command. Whether no child is left. */
bool lp_watch_reap(struct watch *watch);
/* Obeys one message of the front's. False: the front is gone and has not released the pen. */
bool lp_watch_obey(struct watch *watch);
/* bit n: signal n. */
void lp_restore_signals(uint32_t ignored, uint32_t blocked);

/* ---- run.c ---------------------------------------------------------------------------------- */

struct run {
	const struct lp_order *order;
	const struct lp_plan *plan;
	int socket, inner_socket;   /* front <-> the command's nearest ancestor */
	int control, inner_control; /* front <-> supervisor, if there is one */
	int errors, error_pipe, args_fd, self_fd, signals, stubs_lock, tmpdir_lock, exclude_fd,
		command_fd, gate_socket;
	uint32_t ignored, blocked;
	int stops;
	pid_t child; /* bwrap, or the supervisor */
	sigset_t caller_mask;
	struct lp_strv arguments; /* bwrap's */
};

/* Becomes bwrap; the caller is the child that was forked for it. */
void lp_exec_bwrap(const struct run *run);

/* ---- stubs.c -------------------------------------------------------------------------------- */

/*
 * Makes the folders and files that bwrap mounts absent protected names on. ret_lock: what all
 * processes that need them keep open; -1 where there are none. 0 or -errno with the sentence.
 */
int lp_stubs_make(const struct lp_plan *plan, int *ret_lock, struct lp_err *err);
/* Removes those that no other pen stands on. Errors are passed over. */
void lp_stubs_remove(const struct lp_plan *plan);

/* ---- updates.c ------------------------------------------------------------------------------ */

struct updates {
	int fd;     /* or -1 */
	int growth; /* tells that the file behind fd has grown; or -1 */
	int number; /* as the caller knows it */
	struct lp_policy *policy;
	struct lp_str line; /* as far as it has come */
};

/*
 * What is to be waited for: fd, or, where that is an ordinary file, what tells that it grows. Or
 * -errno.
 */
int lp_updates_watch(struct updates *updates);
/* Reads what is there, and applies each line that is whole. False: nothing more will come. */
bool lp_updates_read(struct updates *updates);

/* ---- supervisor.c --------------------------------------------------------------------------- */

/* What the process that was forked to be the supervisor does. Returns its exit code. */
int lp_supervisor_run(struct run *run);
