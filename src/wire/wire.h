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
	/* proxy -> gate, and the answer with the same id and, without an error, a socket */
	LP_PACKET_UNIX,   /* the proxy beyond that is on a unix socket, to be connected to */
	LP_PACKET_SOCKET, /* error (0, or a positive errno) */
	/* proxy -> resolver, and the answer with the same id */
	LP_PACKET_LOOKUP,    /* host */
	LP_PACKET_ADDRESSES, /* error (0, or a positive errno), count, addresses */
};

/* The reason of a denial that no rule spoke about: a rule can allow it. */
#define LP_REASON_UNLISTED "host is not on the allow list"
/* What the reason of one starts with whose name is allowed, and leads where it must not. */
#define LP_REASON_RESOLVED "resolved to "

#define LP_PROGRAM_SIZE 16 /* the kernel's names of threads */

#define LP_PACKET_ADDRESSES_MAX 16

/* One SOCK_SEQPACKET packet. Every end is landpen; what is in host may still be hostile text. */
struct lp_packet {
	uint32_t kind;
	uint32_t id; /* LOOKUP: the asker's own */
	uint32_t port, error, count;
	char host[LP_HOST_SIZE]; /* NUL-terminated, canonical */
	/* of a socket: the program that it is of; of DENIED: the same again. Its own choice. */
	char program[LP_PROGRAM_SIZE];
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

/* ---- DNS (RFC 1035, 6891): what the agent asks --------------------------------------------- */

#define LP_DNS_QUERY_MAX  1024 /* longer queries are not read */
#define LP_DNS_ANSWER_MAX 640
#define LP_DNS_NAME_MAX   255 /* on the wire, with the root's length byte */

enum {
	LP_DNS_A = 1,
	LP_DNS_PTR = 12,
	LP_DNS_AAAA = 28,
	LP_DNS_OPT = 41,
	LP_DNS_IN = 1,
};

enum lp_dns_code {
	LP_DNS_NOERROR = 0,
	LP_DNS_FORMERR = 1,
	LP_DNS_SERVFAIL = 2,
	LP_DNS_NXDOMAIN = 3,
	LP_DNS_NOTIMP = 4,
	LP_DNS_REFUSED = 5,
	LP_DNS_BADVERS = 16,
};

/* A query of one question. Zero question_len: the question could not be read. */
struct lp_dns_query {
	uint16_t id, flags, type, class;
	bool edns;
	bool is_host; /* name has only letters, digits, '-', '_' in labels that start without '-' */
	char name[LP_HOST_SIZE]; /* dotted, as it was sent; "" if not is_host, and for the root */
	uint8_t question[LP_DNS_NAME_MAX + 4];
	size_t question_len;
};

/*
 * Parses a query. 0; the enum lp_dns_code to answer with, ret_query then holding what could be
 * read; -EBADMSG for what deserves no answer (no header, or itself an answer).
 */
int lp_dns_parse(const uint8_t *buf, size_t len, struct lp_dns_query *ret_query);

/*
 * The length of the message that a DNS-over-TCP stream starts with. 1 if all of it is there (behind
 * 2 bytes of length), 0 for need more, -EMSGSIZE for one longer than LP_DNS_QUERY_MAX.
 */
int lp_dns_frame(const uint8_t *buf, size_t len, size_t *ret_len);

/*
 * At most one record: an A record if address (host order), an AAAA record if there is a prefix for
 * it too, else a PTR record if host.
 */
struct lp_dns_answer {
	enum lp_dns_code code;
	uint32_t address, ttl;
	const uint8_t *prefix; /* 12 bytes, which the address goes behind */
	const char *host;
};

/* Writes the answer to query; its length, 0 if host is no name. */
size_t lp_dns_write(const struct lp_dns_query *query, const struct lp_dns_answer *answer,
	uint8_t buf[LP_DNS_ANSWER_MAX]);

/* Whether name is below a reverse zone; if it is a whole IPv4 address, that one, else 0. */
bool lp_dns_is_reverse(const char *name, uint32_t *ret_address);

/* ---- getent's output ------------------------------------------------------------------------ */

/*
 * The distinct addresses that the whole lines of `getent ahosts` start with, at most
 * LP_PACKET_ADDRESSES_MAX; lines that start with none (scoped ones too) are passed over.
 */
size_t lp_ahosts_parse(
	const uint8_t *buf, size_t len, struct lp_address ret_addresses[LP_PACKET_ADDRESSES_MAX]);

/* ---- parsers ------------------------------------------------------------------------------- */

enum lp_parse {
	LP_PARSE_BAD = 0,
	LP_PARSE_MORE, /* no fault so far, but the end is missing */
	LP_PARSE_OK,
};

/* A part of the parsed buffer. */
struct lp_span {
	const uint8_t *bytes;
	size_t len;
};

/* ASCII letters of either case are the same. */
bool lp_span_is(struct lp_span span, const char *text);

/* ---- HTTP/1 (RFC 9112) ---------------------------------------------------------------------- */

#define LP_HTTP_HEAD_MAX   65536
#define LP_HTTP_FIELDS_MAX 500

enum lp_http_framing {
	LP_HTTP_NONE = 0,
	LP_HTTP_LENGTH,
	LP_HTTP_CHUNKED,
	LP_HTTP_UNTIL_CLOSE, /* responses only */
};

/* The start line and the fields, up to and with the empty line. Spans point into the buffer. */
struct lp_http_head {
	size_t size;
	unsigned minor;                /* HTTP/1.minor: 0 or 1 */
	struct lp_span method, target; /* of a request */
	unsigned status;               /* of a response */
	struct lp_span reason;
	struct lp_span fields; /* for lp_http_next_field */
	struct lp_span host;   /* bytes NULL: no Host */
	struct lp_span upgrade;
	bool has_length, chunked;
	uint64_t length;
	bool close, keep_alive, asks_upgrade; /* what Connection says */
};

struct lp_http_field {
	struct lp_span name, value;
};

/*
 * Bad is all that two readers could take differently: a line end other than CRLF, control bytes,
 * folded lines, space before a colon, more than one Content-Length or Host, Content-Length beside
 * Transfer-Encoding, any Transfer-Encoding but "chunked"; also more than LP_HTTP_FIELDS_MAX fields,
 * since each is compared with what Connection names. More than LP_HTTP_HEAD_MAX bytes are
 * never OK; telling the client why is the caller's.
 */
enum lp_parse lp_http_request(const uint8_t *buf, size_t len, struct lp_http_head *ret_head);
enum lp_parse lp_http_response(const uint8_t *buf, size_t len, struct lp_http_head *ret_head);

/* Takes the first field off fields; false when none is left. Only for fields of an OK head. */
bool lp_http_next_field(struct lp_span *fields, struct lp_http_field *ret_field);

/* Whether a comma-separated list has the token. */
bool lp_http_list_has(struct lp_span list, struct lp_span token);

/* A body on its way. Zero: there is none. */
struct lp_http_body {
	enum lp_http_framing framing;
	int state;
	bool done;
	uint64_t left;
	uint32_t line, trailers;
};

struct lp_http_body lp_http_request_body(const struct lp_http_head *head);
/* to_head: the request's method was HEAD. */
struct lp_http_body lp_http_response_body(const struct lp_http_head *head, bool to_head);

/*
 * How many of len bytes belong to the body, framing included. MORE: all of them; OK: the body ends
 * behind ret_len bytes; BAD: the framing is broken.
 */
enum lp_parse lp_http_body_scan(
	struct lp_http_body *body, const uint8_t *buf, size_t len, size_t *ret_len);

/* An absolute URI of http or https, or what CONNECT takes. port 0: none was said. */
struct lp_http_target {
	bool https;
	struct lp_span host; /* of an IPv6 address without the brackets; not canonical */
	unsigned port;
	struct lp_span path; /* with the query; may be empty */
};

/* 0, or -EINVAL for what is none, has a user's name in it, or a port that is no port. */
int lp_http_absolute(struct lp_span text, struct lp_http_target *ret_target);
int lp_http_authority(struct lp_span text, struct lp_http_target *ret_target);

/* ---- SOCKS5 (RFC 1928, 1929) ----------------------------------------------------------------- */

enum {
	LP_SOCKS_NO_AUTH = 0,
	LP_SOCKS_PASSWORD = 2,
	LP_SOCKS_NO_METHOD = 0xff,
};

/* ret_method: the weakest acceptable method that the client offers. */
enum lp_parse lp_socks_greeting(
	const uint8_t *buf, size_t len, size_t *ret_size, uint8_t *ret_method);
/* A name and a password, whatever they are. */
enum lp_parse lp_socks_password(const uint8_t *buf, size_t len, size_t *ret_size);

/* kind says what address is: LP_SOCKS_IPV4, _IPV6 (binary) or _NAME (text, hostile). */
struct lp_socks_request {
	size_t size;
	uint8_t command, kind;
	struct lp_span address;
	unsigned port;
};

enum {
	LP_SOCKS_CONNECT = 1,
	LP_SOCKS_IPV4 = 1,
	LP_SOCKS_NAME = 3,
	LP_SOCKS_IPV6 = 4,
	LP_SOCKS_SUCCEEDED = 0,
};

/* A kind that is not known is OK, of size 4, without an address: the answer says so. */
enum lp_parse lp_socks_request(
	const uint8_t *buf, size_t len, struct lp_socks_request *ret_request);

/*
 * What a proxy says to a greeting that offers no password only, and to the request that was sent
 * with it: OK if it is connected. The address in the reply is passed over. BAD: it refuses.
 */
enum lp_parse lp_socks_answers(const uint8_t *buf, size_t len, size_t *ret_size);

/* ---- TLS (RFC 8446, 6066) -------------------------------------------------------------------- */

#define LP_TLS_HELLO_MAX 16384

/*
 * The server name in a ClientHello, canonical; "" if it has none. The message may be split over
 * records. BAD: no ClientHello, longer than LP_TLS_HELLO_MAX, or a name that is no host name.
 */
enum lp_parse lp_tls_server_name(const uint8_t *buf, size_t len, char ret_name[LP_HOST_SIZE]);
