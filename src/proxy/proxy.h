/*
 * proxy: the process through which every TCP connection of the pen goes: HTTP CONNECT, plain HTTP,
 * SOCKS5, and transparent connections. Parses bytes from the agent and from the world; may do
 * nothing but network.
 */
#pragma once

#include "policy/policy.h"

/*
 * Confines the calling process and serves until gate ends. gate: SOCK_SEQPACKET to the gate, which
 * hands over connections (LP_PACKET_EXPLICIT, _NAMED, _SNIFF); resolver: SOCK_SEQPACKET to the
 * resolver. Both are used as they are; every other descriptor is closed. Returns the exit code.
 */
int lp_proxy_run(const struct lp_policy *policy, int gate, int resolver);
