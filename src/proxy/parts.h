/*
 * Between the parts of the proxy: one process, one thread, and for each connection of the pen a
 * small struct that walks through the states below. Parsers of all hostile bytes are in wire.
 *
 *   FIRST -> LOOKUP -> DIAL -> (UPSTREAM) -> RELAY     CONNECT, SOCKS5
 *   SNIFF -> LOOKUP -> ...                             transparent, the name is in the bytes
 *   FIRST -> EXCHANGE <-> LOOKUP, DIAL                 plain HTTP, request by request
 *   any   -> CLOSING                                   the last answer goes out, then the end
 *
 * Sockets are registered once, edge-triggered; what the kernel said is kept in struct lp_side until
 * a call says EAGAIN. Whatever a connection needs before it relays is in struct lp_hand, so that an
 * idle relay costs no more than struct lp_conn.
 */
#pragma once

#include "proxy/proxy.h"
#include "wire/wire.h"

#define LP_CHUNK 65536 /* of bytes that are read at once */

/* ---- bytes that wait (buffer.c) ----------------------------------------------------------------
 */

/* len bytes from start. Zero is empty. */
struct lp_buffer {
	uint8_t *bytes;
	uint32_t start, len, size;
};

void lp_buffer_clear(struct lp_buffer *buffer);
int lp_buffer_add(struct lp_buffer *buffer, const void *bytes, size_t len);
int lp_buffer_add_text(struct lp_buffer *buffer, const char *text);
int lp_buffer_addf(struct lp_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void lp_buffer_drop(struct lp_buffer *buffer, size_t len);
static inline const uint8_t *lp_buffer_bytes(const struct lp_buffer *buffer)
{
	return buffer->bytes + buffer->start;
}

/* One of the two sockets of a connection. */
struct lp_side {
	int fd;
	bool readable, writable; /* as far as is known */
	bool ended;              /* nothing comes any more */
	bool shut;               /* nothing is sent any more */
	bool failed;             /* EPOLLERR */
};

/*
 * Reads what fits below limit. The number of bytes; 0 for the end; -EAGAIN for none yet, or no
 * room; -ENOMEM; -errno of the socket.
 */
ssize_t lp_side_fill(struct lp_side *side, struct lp_buffer *buffer, size_t limit);
/* Sends at most len bytes off the buffer. The number of bytes, -EAGAIN, -errno. */
ssize_t lp_side_send(struct lp_side *side, struct lp_buffer *buffer, size_t len);
/* 0 when the buffer is empty; -EAGAIN; -errno. */
int lp_side_flush(struct lp_side *side, struct lp_buffer *buffer);

/* ---- connections -------------------------------------------------------------------------------
 */

enum lp_state {
	LP_STATE_DEAD = 0,
	LP_STATE_FIRST,    /* EXPLICIT: until it is known what is asked for */
	LP_STATE_SNIFF,    /* SNIFF: until the name is known */
	LP_STATE_LOOKUP,   /* waits for the resolver */
	LP_STATE_DIAL,     /* waits for connect() */
	LP_STATE_UPSTREAM, /* waits for the proxy beyond to open its tunnel */
	LP_STATE_EXCHANGE, /* HTTP requests and answers */
	LP_STATE_RELAY,
	LP_STATE_CLOSING,
};

/* How the client is told what became of its wish. */
enum lp_style {
	LP_STYLE_TRANSPARENT = 0, /* by a reset */
	LP_STYLE_CONNECT,
	LP_STYLE_PLAIN,
	LP_STYLE_SOCKS,
};

struct lp_pipe {
	struct lp_pipe *next;
	int read, write;
	uint32_t size;
};

/* Bytes on their way from one side to the other. A pipe is held only while some are in it. */
struct lp_flow {
	struct lp_pipe *pipe;
	/* what goes before the pipe: what the handshake left over, or came when there was no pipe
	 */
	struct lp_buffer early;
	uint32_t pending;
	uint32_t moved; /* up to a point: whether the stream is a large one */
};

enum { LP_CLIENT, LP_SERVER };

struct lp_conn {
	struct lp_conn *next_ready, *next_timed, **timed_at;
	struct lp_hand *hand; /* NULL while relaying */
	int64_t deadline;     /* ms; 0: none */
	struct lp_side side[2];
	struct lp_flow flow[2]; /* flow[i] comes from side[i] */
	uint8_t state;
	bool is_ready;
};

enum lp_phase {
	LP_PHASE_HEAD = 0, /* waits for a request */
	LP_PHASE_DIAL,     /* the server is being dialled */
	LP_PHASE_ANSWER,   /* waits for the head of the answer */
	LP_PHASE_BODY,     /* the answer's body */
	LP_PHASE_DONE,
};

/* One request and its answer. */
struct lp_exchange {
	enum lp_phase phase;
	struct lp_http_body request, response;
	size_t request_ready, response_ready; /* bytes that were scanned and may be sent */
	unsigned minor;
	bool to_head, asks_upgrade;
	bool is_stuck;          /* the server takes no more of the request */
	bool keep, keep_server; /* the connections live on afterwards */
	bool may_repeat;        /* on another connection, if the server hung up on this one */
	uint32_t head_size;     /* of the head in server_out */
};

struct lp_hand {
	struct lp_hand *next_lookup;
	struct lp_conn *conn;
	struct lp_buffer in, out;               /* from and to the client */
	struct lp_buffer server_in, server_out; /* from and to the server */
	enum lp_style style;
	enum { LP_SOCKS_GREETING, LP_SOCKS_AUTH, LP_SOCKS_REQUEST } socks;
	bool has_begun;  /* the client sent something */
	bool is_trusted; /* the gate itself decided about this address */
	char host[LP_HOST_SIZE];
	unsigned port;
	char program[LP_PROGRAM_SIZE]; /* whose connection it is, for the report */

	const struct lp_upstream *upstream; /* that the host is reached through, or NULL */
	uint32_t lookup;                    /* 0: none is under way */
	bool is_unsent;                     /* the resolver was behind */
	struct lp_address addresses[LP_PACKET_ADDRESSES_MAX];
	size_t count, next;
	int error; /* of the last attempt */
	int64_t dial_deadline;
	const struct lp_upstream *server_upstream; /* whom the server's socket leads to */
	char server_host[LP_HOST_SIZE];
	unsigned server_port;
	struct lp_exchange exchange;
	size_t drained;
};

#define LP_LOOKUP_BUCKETS 256
#define LP_OWN_MAX        64

struct lp_proxy {
	const struct lp_policy *policy;
	int gate, resolver, epoll; /* resolver -1: it is gone */
	int64_t now;               /* ms, monotonic */
	struct lp_conn *ready, **ready_end, *timed, *dead;
	size_t count, limit;
	struct lp_pipe *pipes;
	size_t pipe_count, idle_pipe_count, large_count, pipe_limit;
	struct lp_hand *lookups[LP_LOOKUP_BUCKETS];
	uint32_t last_lookup;
	struct lp_address own[LP_OWN_MAX];
	size_t own_count;
	int64_t own_read;
	uint8_t scratch[LP_CHUNK];
};

/* ---- conn.c ------------------------------------------------------------------------------------
 */

/* Takes fd. NULL without memory. */
struct lp_conn *lp_conn_new(struct lp_proxy *proxy, int fd);
int lp_conn_register(struct lp_proxy *proxy, struct lp_conn *conn, int which);
void lp_conn_close_server(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_conn_again(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_conn_set_deadline(struct lp_proxy *proxy, struct lp_conn *conn, int64_t milliseconds);
/* The end. reset: both peers are to see an error rather than an end. */
void lp_conn_end(struct lp_proxy *proxy, struct lp_conn *conn, bool reset);
void lp_conn_free_dead(struct lp_proxy *proxy);
void lp_conn_step(struct lp_proxy *proxy, struct lp_conn *conn);
/* Its deadline has passed. */
void lp_conn_timeout(struct lp_proxy *proxy, struct lp_conn *conn);
/* Sends what is in hand->out, and ends. */
void lp_conn_finish(struct lp_proxy *proxy, struct lp_conn *conn);

/* ---- what clients say (client.c, sniff.c) ------------------------------------------------------
 */

void lp_client_step(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_client_connected(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_sniff_step(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_sniff_timeout(struct lp_proxy *proxy, struct lp_conn *conn);

/* ---- what they are told (answer.c) -------------------------------------------------------------
 */

/* An HTTP answer of the proxy's own, with a sentence. */
void lp_answer_status(
	struct lp_proxy *proxy, struct lp_conn *conn, const char *status, const char *sentence);
/* The policy does not allow hand->host and port; rule as in struct lp_host_decision. */
void lp_answer_denied(
	struct lp_proxy *proxy, struct lp_conn *conn, const struct lp_host_rule *rule);
/* The host in the request is no host; text is hostile. */
void lp_answer_no_host(struct lp_proxy *proxy, struct lp_conn *conn, struct lp_span text);
/* The name leads only where it must not: to this address, of this class. */
void lp_answer_refused(struct lp_proxy *proxy, struct lp_conn *conn,
	const struct lp_address *address, const char *what);
/* error: a positive errno; ENOENT: the name is not known. */
void lp_answer_unreachable(struct lp_proxy *proxy, struct lp_conn *conn, int error);
void lp_answer_socks(struct lp_proxy *proxy, struct lp_conn *conn, uint8_t reply);
void lp_report(struct lp_proxy *proxy, const struct lp_hand *hand, const char *reason);

/* ---- dial.c ------------------------------------------------------------------------------------
 */

/* Towards hand->host and hand->port; lp_client_connected() or an answer follows. */
void lp_dial_start(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_dial_step(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_dial_timeout(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_dial_forget(struct lp_proxy *proxy, struct lp_hand *hand);
void lp_upstream_step(struct lp_proxy *proxy, struct lp_conn *conn);
/* The resolver's socket: answers came, there is room again, it is gone. */
void lp_dial_answers(struct lp_proxy *proxy);
void lp_dial_resend(struct lp_proxy *proxy);
/* The gate has connected to the proxy beyond (LP_PACKET_SOCKET), or failed to: fd -1. Takes fd. */
void lp_dial_socket(struct lp_proxy *proxy, const struct lp_packet *packet, int fd);

/* ---- exchange.c, forward.c ---------------------------------------------------------------------
 */

void lp_exchange_step(struct lp_proxy *proxy, struct lp_conn *conn);

/* Heads as the other side is to see them. 0 or -ENOMEM. */
struct lp_forward {
	const struct lp_http_head *head;
	const char *host;
	unsigned port;
	struct lp_span path;
	const struct lp_upstream *upstream; /* or NULL */
	bool upgrade, close, keep_alive, bodyless;
};

int lp_forward_request(const struct lp_forward *forward, struct lp_buffer *buffer);
int lp_forward_response(const struct lp_forward *forward, struct lp_buffer *buffer);
/* "host:port", brackets where they belong; without ":80" if is_http. */
int lp_forward_authority(struct lp_buffer *buffer, const char *host, unsigned port, bool is_http);

/* ---- relay.c -----------------------------------------------------------------------------------
 */

/* Takes the buffers of hand, and frees it. */
void lp_relay_start(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_relay_step(struct lp_proxy *proxy, struct lp_conn *conn);
void lp_relay_release(struct lp_proxy *proxy, struct lp_conn *conn);
