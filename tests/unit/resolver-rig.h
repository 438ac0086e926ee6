/*
 * lp_resolver_run in a child, and the gate, the proxy and the agent played by the test.
 *
 * Names below "test" never reach a real getent: this program's own execve(2) answers for it, by the
 * name's first label ("none", "trouble", "slow", "wait", "flood", "closed", anything else is
 * found).
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/resolver.h"
#include "wire/wire.h"

struct rig {
	int gate, proxy;
	pid_t pid;
};

/* What the children of the resolver saw; shared with them. */
extern struct seen {
	unsigned execs;    /* how many were started */
	unsigned troubles; /* of the confinement: something was possible that must not be */
} * seen;
extern bool hide_getent;

/* files: the limit of open files, or 0. */
void rig_start(struct rig *rig, unsigned files);
/* Ends it by closing the gate; its exit code. */
int rig_stop(struct rig *rig);

/* A new socket of the agent's. */
int rig_socket(struct rig *rig, bool is_stream);

enum { ASK_EDNS = 1, ASK_CHAOS = 2 };
size_t make_query(uint8_t *buf, unsigned id, const char *name, unsigned type, unsigned flags);
void ask(int fd, unsigned id, const char *name, unsigned type);

/* An answer, cut to what the tests look at. code -1: none came in time; -2: the end. */
struct reply {
	int code;
	unsigned id, flags, records, edns;
	uint32_t address;
};
struct reply parse_reply(const uint8_t *buf, size_t len);
struct reply receive(int fd, int milliseconds);
/* Asks on a socket and waits. */
struct reply asked(int fd, const char *name, unsigned type);

/* The next packet, or kind LP_PACKET_NONE. */
struct lp_packet rig_packet(int fd, int milliseconds);
void rig_lookup(struct rig *rig, uint32_t id, const char *host);
