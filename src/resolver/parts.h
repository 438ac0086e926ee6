/*
 * What the files of the resolver share; not for other layers. One single-threaded process:
 *
 *   gate ----> clients.c   the agent's sockets: framing, back pressure, bounded buffers
 *                |
 *              answers.c   one query -> one answer, or a wait
 *               /    \
 *         names.c    lookup.c <---- proxy.c   the proxy's questions
 *   names and the      cache and queue
 *   addresses that        |
 *   stand for them     child.c   runs getent, reads what it prints
 *
 * Nothing is freed or started while an event is being handled: clients go to a list, look-ups to a
 * queue, and the loop in resolver.c takes care of both.
 */
#pragma once

#include "resolver/resolver.h"
#include "wire/wire.h"

#define LP_CLIENTS_MAX        8192
#define LP_CLIENT_WAITING_MAX 64
#define LP_REQUESTS_MAX       8192
#define LP_LOOKUPS_MAX        256 /* not answered yet; the proxy may go over it by as many */
#define LP_CHILDREN_MAX       32
#define LP_CACHE_MAX          4096
#define LP_NAMES_MAX          65536
#define LP_REPORTS_MAX        4096
#define LP_LOOKUP_SECONDS     10
#define LP_FOUND_SECONDS      30
#define LP_NOT_FOUND_SECONDS  5
#define LP_ANSWER_TTL         60
#define LP_CHILD_OUTPUT_MAX   8192
#define LP_PROXY_WAITING_MAX  1024

struct lp_resolver;

/* A descriptor in the epoll set. fd -1: none. */
struct lp_watch {
	int fd;
	uint32_t events;
	void (*ready)(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events);
};

/* Somebody who waits for a look-up, or for its name to be told to the gate. */
struct lp_request {
	struct lp_request *next;
	struct lp_client *client; /* NULL: the proxy */
	uint32_t id;              /* the proxy's */
	struct lp_dns_query query;
};

/* first come, first served; last counts only if there is a first */
struct lp_requests {
	struct lp_request *first, *last;
};

/* A socket of the agent's. */
struct lp_client {
	struct lp_watch watch;
	struct lp_client *older, *newer; /* by last use */
	struct lp_client *next_woken;
	bool is_stream, is_ended, is_closed, is_woken;
	char program[LP_PROGRAM_SIZE];
	unsigned waiting; /* requests that hold this client */
	uint8_t *in, *out;
	size_t in_len, out_len;
};

enum lp_lookup_state {
	LP_LOOKUP_NONE = 0,
	LP_LOOKUP_QUEUED,
	LP_LOOKUP_RUNNING,
	LP_LOOKUP_DONE,
};

/* A name's real addresses, or the wait for them. */
struct lp_lookup {
	struct lp_lookup *chain;       /* of the hash table */
	struct lp_lookup *prev, *next; /* of the queue, or of the done ones, oldest first */
	enum lp_lookup_state state;
	uint64_t expires;
	uint32_t error, count; /* error: 0, or a positive errno */
	struct lp_address addresses[LP_PACKET_ADDRESSES_MAX];
	struct lp_requests requests;
	char host[];
};

struct lp_lookup_list {
	struct lp_lookup *first, *last;
};

/* A running getent. pid 0: a free slot. lookup NULL: nobody waits for it any more. */
struct lp_child {
	struct lp_watch watch;
	pid_t pid;
	struct lp_lookup *lookup;
	uint64_t deadline;
	size_t len;
	uint8_t output[LP_CHILD_OUTPUT_MAX];
};

/* Interned host names. items[i] keeps its place; told of them the gate knows already. */
struct lp_names {
	struct lp_name {
		char *host;
		char *program;  /* of a report: who asked, or NULL */
		uint32_t chain; /* index + 1 of the next with the same hash */
		struct lp_requests requests;
	} * items;
	uint32_t *buckets;
	size_t count, size, max, told;
};

struct lp_resolver {
	const struct lp_policy *policy;
	const char *getent; /* NULL: getaddrinfo */
	int epoll;
	bool is_over;
	uint64_t now, seed; /* milliseconds; of the hash tables */
	struct lp_watch gate, proxy, signals;

	struct lp_names names, reports;

	struct lp_client *oldest, *newest, *woken, *closed;
	size_t client_count, client_max, request_count;

	struct lp_lookup **lookups;
	struct lp_lookup_list queue, done;
	size_t waiting_count, done_count;
	struct lp_child children[LP_CHILDREN_MAX];

	struct lp_proxy_answer *answers, *answers_last;
	size_t proxy_waiting;
};

/* ---- resolver.c ------------------------------------------------------------------------------ */

/* Adds, changes or (0) keeps only errors of a watch in the epoll set. 0 or -errno. */
int lp_watch_set(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events);
/* Takes it out of the set and closes it. */
void lp_watch_close(struct lp_resolver *resolver, struct lp_watch *watch);
uint32_t lp_resolver_hash(const struct lp_resolver *resolver, const char *host);

void lp_requests_add(struct lp_requests *list, struct lp_request *request);
struct lp_request *lp_requests_take(struct lp_requests *list);

/* ---- names.c --------------------------------------------------------------------------------- */

/* 0 with the name's index, which it keeps; -ENOSPC, -ENOMEM. */
int lp_names_intern(
	struct lp_resolver *resolver, struct lp_names *names, const char *host, size_t *ret_index);
uint32_t lp_names_address(size_t index);
/* The name that an address (host order) stands for, or NULL. */
const char *lp_names_of_address(const struct lp_names *names, uint32_t address);

/* Tells the gate what it has not been told; what does not fit waits until it reads. */
void lp_names_tell(struct lp_resolver *resolver);
void lp_names_report(struct lp_resolver *resolver, const char *host, const char *program);

/* ---- clients.c ------------------------------------------------------------------------------- */

/* Takes the socket. */
void lp_client_add(struct lp_resolver *resolver, int socket, const char *program, bool is_stream);
/* Sends an answer, or drops it. */
void lp_client_send(
	struct lp_resolver *resolver, struct lp_client *client, const uint8_t *buf, size_t len);
/* A request of the client's is done. */
void lp_client_release(struct lp_resolver *resolver, struct lp_client *client);
/* Goes on with the clients that were held up, and frees the closed ones. */
void lp_clients_resume(struct lp_resolver *resolver);

/* ---- answers.c ------------------------------------------------------------------------------- */

/* Answers one query of the client's, at once or later. */
void lp_answer_query(
	struct lp_resolver *resolver, struct lp_client *client, const uint8_t *buf, size_t len);
/* Answers a request that waited for a look-up of host; takes the request. */
void lp_answer_lookup(
	struct lp_resolver *resolver, struct lp_request *request, const char *host, uint32_t error);
/* Answers a request that waited for the gate to know its name; takes the request. */
void lp_answer_told(struct lp_resolver *resolver, struct lp_request *request, size_t index);

/* ---- proxy.c --------------------------------------------------------------------------------- */

void lp_proxy_ready(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events);
/* Answers the proxy's request; takes it. */
void lp_proxy_answer(
	struct lp_resolver *resolver, struct lp_request *request, const struct lp_lookup *lookup);

/* ---- lookup.c -------------------------------------------------------------------------------- */

/*
 * Asks for the addresses of a canonical host. 0 with a result that is known and stays valid until
 * the next call; 1 if request was put on the list of those who wait; -EAGAIN: too many are waited
 * for, -ENOMEM; the request is then still the caller's.
 */
int lp_lookup_want(struct lp_resolver *resolver, const char *host, struct lp_request *request,
	const struct lp_lookup **ret_lookup);
/* Takes the result of a look-up that runs, and answers all who wait. */
void lp_lookup_finish(struct lp_resolver *resolver, struct lp_lookup *lookup, uint32_t error);
/* Starts what is queued, as far as there are free children. */
void lp_lookups_start(struct lp_resolver *resolver);

/* ---- child.c --------------------------------------------------------------------------------- */

/* Starts the look-up in a child. 0, -EBUSY if all are in use, -errno. */
int lp_child_start(struct lp_resolver *resolver, struct lp_lookup *lookup);
/* Reaps; the signalfd's. */
void lp_children_ready(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events);
/* Ends those past their time. Milliseconds until the next is, or -1. */
int lp_children_expire(struct lp_resolver *resolver);
/* Ends all of them. */
void lp_children_kill(struct lp_resolver *resolver);
