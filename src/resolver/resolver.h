/*
 * resolver: the process that answers the agent's DNS queries with addresses that stand for names,
 * and looks names up for the proxy through the system's own resolver.
 */
#pragma once

#include "policy/policy.h"

/*
 * Confines the calling process and serves until gate ends. gate: SOCK_SEQPACKET to the gate, which
 * hands over the agent's sockets (LP_PACKET_QUERIES, _STREAM) and is told LP_PACKET_NAME before a
 * name's address is first given out; proxy: SOCK_SEQPACKET that asks LP_PACKET_LOOKUP. Both are
 * used as they are; every other descriptor is closed. Returns the exit code.
 */
int lp_resolver_run(const struct lp_policy *policy, int gate, int proxy);

/* 198.18.0.0/15 as ::ffff:198.18.0.0: addresses that stand for names (RFC 2544, never routed). */
#define LP_RESOLVER_FIRST 0xc6120000U
#define LP_RESOLVER_COUNT 0x20000U

/* For AAAA, where that is asked for: the same behind fd6c:616e:6470:656e::/96 (RFC 4193). */
#define LP_RESOLVER_PREFIX                                          \
	{                                                           \
		0xfd, 'l', 'a', 'n', 'd', 'p', 'e', 'n', 0, 0, 0, 0 \
	}
