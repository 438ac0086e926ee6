/*
 * broker: the edge of the native file policy. It answers the file calls that the seccomp filter
 * notifies (LP_FILTER_EDGE): where the policy allows what the Landlock floor cannot grant, in a
 * carved directory, the broker does the act itself; everywhere else it lets the call go on, and
 * the floor decides. Metadata, which Landlock does not cover, is never let go on.
 *
 * Letting go on is no permission: the kernel reads the arguments anew, and the floor holds whatever
 * they say by then. What the broker does itself it does on what it has opened, looked at and
 * decided on, once.
 */
#pragma once

#include "base/base.h"
#include "kernel/kernel.h"
#include "plan/plan.h"
#include "policy/policy.h"
#include "report/report.h"

struct lp_broker;

/*
 * Makes the spare directories that the plan orders, which the command's Landlock rules are put on:
 * before the command confines itself. All three are borrowed. 0 or -errno with the sentence.
 */
int lp_broker_start(const struct lp_policy *policy, const struct lp_plan *plan,
	struct lp_report *report, struct lp_broker **ret_broker, struct lp_err *err);

/* Takes down which directories the floor's rules were put on: once the command has its rules. */
void lp_broker_started(struct lp_broker *broker, pid_t command);

/* Whether a call is the broker's to answer. */
bool lp_broker_serves(const struct lp_notification *call);
/* Answers it, at once or, where the call would block, from lp_broker_tick. */
void lp_broker_call(struct lp_broker *broker, int listener, const struct lp_notification *call);

/* A descriptor that is readable when lp_broker_tick is to be called. */
int lp_broker_timer(const struct lp_broker *broker);
void lp_broker_tick(struct lp_broker *broker);

/* Removes what is left of the spares and frees. NULL is allowed. */
void lp_broker_freep(struct lp_broker **broker);
