/* A proxy in a process of its own, with the test as its gate and its resolver. */
#pragma once

#include <pthread.h>

#include "proxy/proxy.h"
#include "wire/wire.h"

struct pen {
	pid_t proxy;
	int gate, resolver, listener;
	pthread_t resolver_thread;
};

/* Rules that the tests share; upstream_port 0: no proxy beyond. */
struct lp_policy *pen_policy(unsigned upstream_port);
void pen_start(struct pen *pen, const struct lp_policy *policy);
/* With a proxy that may have no more than so many descriptors. */
void pen_start_small(struct pen *pen, const struct lp_policy *policy, unsigned files);
/* Ends the gate; the proxy's exit code. */
int pen_stop(struct pen *pen);

/* A connection of the agent's, handed over as this kind of packet: the agent's end. */
int pen_client(struct pen *pen, uint32_t kind, const char *host, unsigned port);
/* The proxy's end stays open here too, as it is for a moment in the gate. */
int pen_client_kept(
	struct pen *pen, uint32_t kind, const char *host, unsigned port, int *ret_accepted);
/* The next LP_PACKET_DENIED within two seconds. */
bool pen_denied(struct pen *pen, struct lp_packet *ret_packet);

/* A listening socket on 127.0.0.1. */
int tcp_listen(unsigned *ret_port);
int tcp_listen_at(unsigned port);
int tcp_accept(int listener);
int tcp_connect(unsigned port);

void say(int fd, const char *text);
/* Reads until text was seen (NULL: until the end), at most three seconds. Of static memory. */
const char *hear(int fd, const char *until);
/* 0 for an orderly end, ECONNRESET for a reset, EAGAIN for neither within ms. */
int hear_end(int fd, int ms);
/* A value in kB from /proc/PID/status, or 0. */
unsigned long memory_of(pid_t pid, const char *name);
