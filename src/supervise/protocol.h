/*
 * What landpen and its pid 1 inside bwrap tell each other over one SOCK_SEQPACKET pair. Both ends
 * are landpen; the command never holds one. Not for other layers.
 */
#pragma once

#include <stdint.h>

enum lp_message_kind {
	LP_MESSAGE_NONE = 0,
	/* init -> landpen */
	LP_MESSAGE_STARTED, /* the mounts hold and the command is about to be exec'ed */
	LP_MESSAGE_REFUSED, /* value: exit code; the sentence went to stderr */
	LP_MESSAGE_STOPPED, /* value: signal that stopped the command; more: how often so far */
	LP_MESSAGE_EXITED,  /* value: exit code; more: whether processes are left behind */
	LP_MESSAGE_KILLED,  /* value: signal; more: as above */
	/* landpen -> init */
	LP_MESSAGE_SIGNAL,  /* value: signal for the command; SIGCONT: more as in STOPPED */
	LP_MESSAGE_RELEASE, /* go on without me; else the end of the socket ends the pen */
	/* landpen -> supervisor, and its answer */
	LP_MESSAGE_REPORT,   /* say what was refused, and let go of the terminal */
	LP_MESSAGE_REPORTED, /* done */
};

struct lp_message {
	int32_t kind, value, more;
};

/* The part of a plan that is applied inside; sent as the first packet. */
struct lp_inside {
	uint32_t filter;
	uint32_t drop_capabilities;
	uint64_t scoped, handled_net;
	uint64_t limits[5];
	uint32_t ignored_signals, blocked_signals; /* bit n: signal n, by the caller */
};
