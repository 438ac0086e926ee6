/* The parts of the gate among themselves; not for other layers. */
#pragma once

#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "gate/gate.h"
#include "kernel/kernel.h"
#include "wire/wire.h"

/* ---- queue.c: packets to a helper, which may be behind ------------------------------------- */

struct queue {
	int socket;
	struct queued *first, **last;
	size_t count;
	bool is_held_up; /* by other things than its socket: EPOLLOUT does not tell when to go on */
};

/* Sends, or keeps packet and fd (a copy) until _flush. -ENOBUFS when too much waits. 0 or -errno.
 */
int lp_queue_send(struct queue *queue, const struct lp_packet *packet, int fd);
/* Sends what can be sent now. */
void lp_queue_flush(struct queue *queue);
void lp_queue_clear(struct queue *queue);

/* ---- names.c: addresses that stand for names ------------------------------------------------ */

struct names {
	char **hosts; /* by address - LP_RESOLVER_FIRST */
	struct hosts_entry *file;
	size_t file_count;
	bool file_read;
};

int lp_names_add(struct names *names, const struct lp_address *address, const char *host);
/* Whether address is one of those that stand for names; ret_host: which name, or NULL. */
bool lp_names_find(
	const struct names *names, const struct lp_address *address, const char **ret_host);
/* A name that the hosts file gives address, if one is there one that may be connected to; or NULL.
 */
const char *lp_names_from_file(struct names *names, const struct lp_policy *policy,
	const struct lp_address *address, unsigned port);
void lp_names_clear(struct names *names);

/* ---- caller.c: the process that made the call, whose memory and descriptors are hostile ------ */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
	char bytes[sizeof(struct sockaddr_storage) + 1];
};

struct caller {
	struct lp_gate *gate;
	struct lp_notification call;
	int fd;           /* a copy of the call's descriptor, or -1 */
	int file;         /* what a unix socket is connected to (O_PATH), or -1 */
	int domain, type; /* of the socket */
	union address address;
	socklen_t length;
};

/*
 * Copies the descriptor in argument 0 and looks at what it is; copies the address that arguments 1
 * and 2 tell, once. 0 or the error of the call. What was copied is the caller's only if the
 * notification is valid afterwards.
 */
int lp_caller_socket(struct caller *caller);
int lp_caller_address(struct caller *caller);
void lp_callers_forget(struct lp_gate *gate);
/* The address as 16 bytes, and its port; false if it is no IP address or too short. */
bool lp_caller_ip(const struct caller *caller, struct lp_address *ret_address, unsigned *ret_port);
/* 0.0.0.0 or :: */
bool lp_address_is_any(const struct lp_address *address);
/*
 * 0, or what a call that waits is answered with because a signal has come for its caller; restarts:
 * it is one that SA_RESTART applies to.
 */
int lp_caller_signalled(const struct caller *caller, bool restarts);
/* The name of the caller's program, which the caller can choose; "" if it is gone. */
void lp_caller_program(const struct caller *caller, char ret_program[LP_PROGRAM_SIZE]);
/*
 * The folder that holds the path in the address, opened as the caller sees it, and the last name.
 * 0 or the error of the call.
 */
int lp_caller_parent(const struct caller *caller, int *ret_dir, char ret_name[109]);
/* The object that the path in the address leads to, symlinks followed (O_PATH). */
int lp_caller_object(const struct caller *caller, int *ret_fd);
/* Which file a descriptor is, as text, in the caller's mounts. Newly allocated, or NULL. */
char *lp_descriptor_path(int fd);

/* ---- copies.c: sockets that the gate made, where it cannot fetch them -------------------------
 */

/* Copies of the command's sockets until they are connected or listen. */
struct copies {
	struct copy {
		int fd; /* -1: let go */
		ino_t inode;
		bool is_held;   /* in a sweep */
		bool stands_in; /* for a UDP socket: its end is the resolver's business, not kept */
	} * items;
	size_t size, count; /* room for, and used so far */
	size_t next;        /* the one to go when there is no room */
	unsigned made;      /* since the last sweep */
};

/* Answers a socket call with a socket of the gate's making. 0 or the error of the call. */
int lp_copies_make(struct caller *caller);
/* Remembers a socket that stands for a UDP socket, without keeping it. */
void lp_copies_note(struct copies *copies, int fd);
/* The socket behind the caller's descriptor (of one that stands in, one like it): a new descriptor,
 * or the error of the call. */
int lp_copies_fetch(const struct caller *caller);
/* The caller's socket has its place now: only its owner keeps it. */
void lp_copies_let_go(struct copies *copies, int fd);
void lp_copies_clear(struct copies *copies);
/* Binds; a socket that the command has closed does not keep its address. 0 or the error. */
int lp_copies_bind(const struct caller *caller, const struct sockaddr *address, socklen_t length);

/* ---- bound.c: the file of a unix socket -------------------------------------------------------
 */

/* 0 if fd, a unix socket, is bound to file (O_PATH); -ESTALE if to another one. -errno: not known.
 */
int lp_bound_to(int fd, int file);

/* ---- place.c: where a unix socket is bound ----------------------------------------------------
 */

/*
 * Binds the caller's socket to name in folder (O_PATH), which is what its address leads to, as
 * itself would: its own text is what getsockname(2) shows wherever that is safe. 0 or -errno. What
 * stands at the name afterwards may be another file (lp_bound_to).
 */
int lp_bind_file(const struct caller *caller, int folder, const char *name);

/* ---- tables.c: who listens ------------------------------------------------------------------- */

/* What each listener on a port (0: any) is shown to; the first answer but 0 ends it. */
typedef int lp_listener_reader(const struct lp_address *address, ino_t socket, void *context);

/* The reader's answer, or 0. After trouble it may be shown some listeners twice. */
int lp_table_listeners(unsigned port, lp_listener_reader *reader, void *context);
/* What the inode of each unix socket is shown to. */
typedef void lp_unix_reader(ino_t socket, void *context);
void lp_table_unix(lp_unix_reader *reader, void *context);
/* The inode of the socket that has an abstract name now, or 0. */
ino_t lp_table_abstract(const char *name, size_t length);

/* ---- local.c: servers of the command's own, TCP and unix ------------------------------------- */

struct served {
	struct served *next;
	struct lp_address address; /* TCP */
	unsigned port;
	ino_t socket;   /* its inode */
	int file;       /* unix: O_PATH of the socket file, or -1 */
	char name[109]; /* abstract: without the NUL */
	size_t name_length;
	bool is_seen; /* in a sweep */
};

/* What the command serves, each remembered for as long as it is there. */
struct local {
	struct served *first;
	size_t count, sweep_at; /* sweep_at: how many there are when those that are gone go */
};

int lp_local_bind(struct caller *caller);
int lp_local_listen(struct caller *caller);
/* The address; of "any address" the loopback address that connecting to it means. */
struct lp_address lp_local_address(const struct lp_address *address);
/* Puts this loopback address into the caller's own. */
void lp_local_mean(struct caller *caller, const struct lp_address *address);
/* Whether a process of the pen listens on this loopback address and port. */
bool lp_local_serves_port(struct local *local, const struct lp_address *address, unsigned port);
/* Whether nobody but the pen listens on this port, on whichever address. */
bool lp_local_is_free(const struct local *local, unsigned port);
/* Whether the socket file, or the abstract name, was made in the pen. */
bool lp_local_serves_file(struct local *local, int file);
bool lp_local_serves_name(struct local *local, const char *name, size_t length);
void lp_local_clear(struct local *local);

/* ---- datagram.c: what stands for UDP sockets -------------------------------------------------
 */

/* There is no address to choose; 0. musl's resolver finds whom the answers will be from. */
int lp_datagram_bind(const struct caller *caller);
/*
 * A recvfrom(2) that asks for the source: a nameserver, of an answer that is there. The length, the
 * error of the call, or LP_GO_ON: it is nothing of ours, or the caller waits.
 */
int lp_datagram_receive(struct caller *caller);
#define LP_GO_ON INT_MIN

/* ---- connect.c, unix.c ----------------------------------------------------------------------- */

#define LP_ANSWER_LATER 1 /* the call is answered by lp_pending_later */

/* Each returns 0, -errno for the call, or LP_ANSWER_LATER. */
int lp_connect_ip(struct caller *caller);
int lp_connect_unix(struct caller *caller);
/*
 * connect(2) that ends soon: another thread of the caller may have made the socket a blocking one
 * again. 0 or a positive errno; EAGAIN or EINPROGRESS if it did not come to an end.
 */
int lp_connect_briefly(
	const struct lp_gate *gate, int fd, const struct sockaddr *address, socklen_t length);
/*
 * Connects the caller's socket without blocking the gate, whatever the socket's mode: for a
 * blocking caller that has to wait, the answer comes later.
 */
int lp_connect_as(struct caller *caller, const struct sockaddr *address, socklen_t length);

/* ---- gate.c -----------------------------------------------------------------------------------
 */

/* A connection of the command to the gate's port that was made but not accepted yet. */
struct arrival {
	struct arrival *next;
	struct lp_address from;
	unsigned port;
	bool to_resolver;
	struct lp_packet packet;
	int64_t deadline;
};

/* A blocking caller whose connection is not there yet. */
struct waiter {
	struct waiter *next;
	struct caller caller;
	bool again;       /* the peer's queue was full: to be tried anew */
	int64_t deadline; /* of the socket's SO_SNDTIMEO; 0: none */
	struct sockaddr_storage address;
	socklen_t length;
};

struct lp_gate {
	const struct lp_policy *policy;
	const struct lp_plan *plan;
	struct lp_gate_place place;
	int epoll, listener, timer;
	struct queue proxy, resolver;
	struct arrival *arrivals;
	struct waiter *waiters;
	size_t waiter_count;
	struct names names;
	struct local local;
	struct copies copies;
	struct lp_report *report; /* the supervisor's */
	timer_t watchdog;         /* over calls that might block */
	bool has_watchdog;
	struct {
		pid_t tid;
		int pidfd, comm; /* comm: its name's file, or -1 */
	} callers[4];            /* who called last: neither ever leads to another thread */
};

/* Takes what the resolver has told about names. */
void lp_gate_hear_names(struct lp_gate *gate);
enum source {
	SOURCE_TCP = 0,
	SOURCE_PROXY,
	SOURCE_RESOLVER,
	SOURCE_TIMER,
};

/* Sends to SOURCE_PROXY or SOURCE_RESOLVER, as lp_queue_send, and waits for what holds it up. */
int lp_gate_send(struct lp_gate *gate, enum source helper, const struct lp_packet *packet, int fd);

/* ---- pending.c --------------------------------------------------------------------------------
 */

/* Announces that the caller's socket, now connected to the gate's port, means packet. */
int lp_pending_announce(struct caller *caller, const struct lp_packet *packet, bool to_resolver);
/* The call is answered when the connection is there; takes the caller's file. */
int lp_pending_later(
	struct caller *caller, bool again, const struct sockaddr *address, socklen_t length);
/* Accepts what is there; strangers are closed at once. */
void lp_pending_accept(struct lp_gate *gate);
/* Looks at those who wait: to be called when the timer has run out. */
void lp_pending_tick(struct lp_gate *gate);
/* Sets the timer for all that waits for it. */
void lp_pending_set_timer(const struct lp_gate *gate);
void lp_pending_clear(struct lp_gate *gate);
