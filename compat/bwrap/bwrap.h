/*
 * bwrap: the second back end, for kernels and policies that Landlock alone cannot hold: turns the
 * mounts of a plan into bubblewrap's arguments. bubblewrap makes mounts and namespaces only;
 * the filter, limits and signals are landpen's own, inside it.
 */
#pragma once

#include "base/base.h"
#include "plan/plan.h"

/*
 * The arguments for execv, from the program's name up to and including "--". Mount arguments are
 * long: they go through args_fd (a memfd that is filled here), not through the command line;
 * bubblewrap will find it as the descriptor args_number, and plan->exclude's new content as
 * exclude_number. 0 or -errno.
 */
int lp_bwrap_arguments(const struct lp_plan *plan, int args_fd, int args_number, int exclude_number,
	struct lp_strv *ret_arguments);

/*
 * Whether bubblewrap works here, by running /bin/true in it with the namespaces and mounts that
 * every plan uses. Fills abilities->bwrap and bwrap_why.
 */
void lp_bwrap_probe(struct lp_abilities *abilities);
