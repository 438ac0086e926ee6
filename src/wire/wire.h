/*
 * wire: bytes and packets, and nothing that acts: parsers of what the network and the agent send,
 * and the messages that landpen's own processes exchange.
 *
 * Parsers take (const uint8_t *buf, size_t len), do no I/O, keep no state, cap every count, and
 * each has a fuzz target. The bytes are hostile.
 */
#pragma once

#include "base/base.h"
#include "policy/policy.h"

/* ---- messages between landpen's processes -------------------------------------------------- */

enum lp_packet_kind {
	LP_PACKET_NONE = 0,
	/* gate -> proxy, each with a connected TCP socket */
	LP_PACKET_EXPLICIT, /* the agent speaks HTTP proxy or SOCKS */
	LP_PACKET_NAMED,    /* the agent means host and port: allowed by the gate already */
	LP_PACKET_SNIFF,    /* the agent means the address in host and port: SNI or Host decides */
	/* gate -> resolver, each with a socket */
	LP_PACKET_QUERIES, /* SOCK_SEQPACKET: one DNS message a packet */
	LP_PACKET_STREAM,  /* SOCK_STREAM: DNS over TCP */
	/* resolver -> gate, before the answer goes to the agent */
	LP_PACKET_NAME, /* address stands for host from now on */
	/* proxy, resolver -> gate */
	LP_PACKET_DENIED, /* host, port (0: a look-up) and reason, for the report */
	/* proxy -> resolver, and the answer with the same id */
	LP_PACKET_LOOKUP,    /* host */
	LP_PACKET_ADDRESSES, /* error (0, or a positive errno), count, addresses */
};

#define LP_PACKET_ADDRESSES_MAX 16

/* One SOCK_SEQPACKET packet. Every end is landpen; what is in host may still be hostile text. */
struct lp_packet {
	uint32_t kind;
	uint32_t id; /* LOOKUP: the asker's own; else the process (pid) that the agent acted in */
	uint32_t port, error, count;
	char host[LP_HOST_SIZE]; /* NUL-terminated, canonical */
	char reason[128];
	struct lp_address addresses[LP_PACKET_ADDRESSES_MAX]; /* NAME: the first */
};

/*
 * Sends a packet, with a descriptor if fd >= 0 (a copy: the caller keeps its own), cut behind the
 * last address in use. Never blocks. 0, or -errno (-EAGAIN: the other side is behind).
 */
int lp_packet_send(int socket, const struct lp_packet *packet, int fd);

/*
 * Receives one. ret_fd: the descriptor that came with it (close-on-exec, the caller's), or -1. 1
 * for a packet, 0 for the end, -EAGAIN for none yet, -EPROTO for one that is malformed (host or
 * reason not terminated, too short, count too large).
 */
int lp_packet_receive(int socket, struct lp_packet *ret_packet, int *ret_fd);
