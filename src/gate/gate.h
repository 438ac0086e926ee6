/*
 * gate: decides where the command's sockets may go. It answers the system calls that the seccomp
 * filter notifies (LP_FILTER_GATE): connect, bind, listen, socket for UDP, and recvfrom. Names and
 * bytes are the business of two processes that it starts: the resolver and the proxy.
 *
 * No call is let go on but recvfrom, about which nothing is decided: the address is copied once,
 * decided, and the gate acts on a copy of the caller's descriptor. What another thread changes
 * meanwhile changes nothing. Landlock refuses the command to connect and bind TCP by itself, where
 * it can.
 */
#pragma once

#include "base/base.h"
#include "kernel/kernel.h"
#include "plan/plan.h"
#include "policy/policy.h"
#include "report/report.h"

/* The TCP port on 127.0.0.1 that stands for the proxy; the plan writes it into the environment. */
struct lp_gate_place {
	int tcp; /* listening, close-on-exec */
	unsigned port;
};

/* 0, or -errno with the sentence. */
int lp_gate_reserve(struct lp_gate_place *ret_place, struct lp_err *err);

struct lp_gate_order {
	const struct lp_policy *policy;
	const struct lp_plan *plan;
	struct lp_gate_place place; /* the gate takes the socket */
	struct lp_report *report;   /* borrowed */
};

struct lp_gate;

/*
 * Starts the resolver and the proxy, which are children without an exit signal: wait(2) does not
 * see them. To be called in the process that serves, which must be able to read the memory of the
 * command's processes: their ancestor, or the owner of their user namespace. 0 or -errno with the
 * sentence.
 */
int lp_gate_start(const struct lp_gate_order *order, struct lp_gate **ret_gate, struct lp_err *err);

/* The listener that the filter's notifications come from; it stays the caller's. */
void lp_gate_listen(struct lp_gate *gate, int listener);
/* Whether a call is the gate's to answer. */
bool lp_gate_serves(const struct lp_notification *call);
/* Answers one call of LP_FILTER_GATE, now or later. */
void lp_gate_call(struct lp_gate *gate, const struct lp_notification *call);

/* A descriptor that is readable when lp_gate_serve has something to do. */
int lp_gate_events(const struct lp_gate *gate);
/* Does what there is to do without waiting. */
void lp_gate_serve(struct lp_gate *gate);

/* Ends resolver and proxy and frees. NULL is allowed. */
void lp_gate_freep(struct lp_gate **gate);
