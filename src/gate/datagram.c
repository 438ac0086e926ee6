/*
 * Where answers come from, for programs that look: those with a resolver of their own.
 *
 * Runs in the supervisor. What stands for a UDP socket is one end of a pair without addresses, so
 * the kernel tells no source of what is received. recvfrom(2) is notified if it asks for the source
 * (c-ares, Rust), and of an answer that is there the gate writes both. musl receives with
 * recvmsg(2), where a filter cannot see what is asked for; but it binds the socket to any address
 * first, with the variable that it uses for the source later, and which the kernel then leaves as
 * it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/parts.h"

#define DNS_PORT             53
#define NAMESERVERS_FILE     "/etc/resolv.conf"
#define NAMESERVERS_FILE_MAX 65536

static bool read_nameserver(char *line, struct lp_address *ret_address)
{
	char host[LP_HOST_SIZE], *rest;
	const char *word = strtok_r(line, " \t\r", &rest);

	if (!word || strcmp(word, "nameserver") != 0)
		return false;
	word = strtok_r(NULL, " \t\r", &rest);
	return word && lp_host_canonical(word, strlen(word), host) == 0 &&
	       lp_host_is_address(host, ret_address);
}

/* The first in resolv.conf, of which musl asks all; without any it asks 127.0.0.1. */
static struct lp_address first_nameserver(void)
{
	struct lp_address address = {{[10] = 0xff, 0xff, 127, 0, 0, 1}};
	lp_autofree char *text = NULL;
	size_t len;

	if (lp_read_file(AT_FDCWD, NAMESERVERS_FILE, NAMESERVERS_FILE_MAX, &text, &len) < 0)
		return address;
	for (char *line = text, *end; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (read_nameserver(line, &address))
			break;
	}
	return address;
}

/* The nameserver as one of this family, or (0) of its own; the length. */
static socklen_t make_source(sa_family_t family, union address *ret_source)
{
	const struct lp_address address = first_nameserver();
	union address source = {0};

	if (!family)
		family = lp_address_is_ipv4(&address) ? AF_INET : AF_INET6;
	source.any.sa_family = family;
	if (family == AF_INET) {
		source.in.sin_port = htons(DNS_PORT);
		memcpy(&source.in.sin_addr, address.bytes + 12, sizeof(source.in.sin_addr));
	} else {
		source.in6.sin6_port = htons(DNS_PORT);
		memcpy(&source.in6.sin6_addr, address.bytes, sizeof(address.bytes));
	}
	*ret_source = source;
	return family == AF_INET ? sizeof(source.in) : sizeof(source.in6);
}

static int write_memory(const struct caller *caller, int argument, const void *bytes, size_t length)
{
	return lp_write_memory(caller->call.tid, caller->call.args[argument], bytes, length);
}

int lp_datagram_bind(const struct caller *caller)
{
	union address source;
	struct lp_address address;
	socklen_t length;
	unsigned port;

	if (!lp_caller_ip(caller, &address, &port) || !lp_address_is_any(&address) || port)
		return 0;
	length = make_source(caller->address.any.sa_family, &source);
	/* others have it in memory that is read-only, or do not look at it again */
	write_memory(caller, 1, &source, length < caller->length ? length : caller->length);
	return 0;
}

/* ---- recvfrom ---- */

static bool has_name(int fd, int (*ask)(int, struct sockaddr *, socklen_t *))
{
	union address address;
	socklen_t length = sizeof(address.storage);

	return ask(fd, &address.any, &length) < 0 || length > sizeof(sa_family_t);
}

/* Whether it is one end of a pair that the gate made, and not one of the command's own. */
static bool stands_in(const struct caller *caller)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return caller->domain == AF_UNIX && caller->type == SOCK_SEQPACKET &&
	       getsockopt(caller->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       peer.pid == getpid() && !has_name(caller->fd, getsockname) &&
	       !has_name(caller->fd, getpeername);
}

/* The bytes of one answer, their source, and how long that is. */
static int write_answer(const struct caller *caller, const void *bytes, size_t length)
{
	union address source;
	socklen_t size = make_source(0, &source), room;
	int r = lp_read_memory(caller->call.tid, caller->call.args[5], &room, sizeof(room));

	if (r == 0)
		r = write_memory(caller, 1, bytes, length);
	if (r == 0)
		r = write_memory(caller, 4, &source, room < size ? room : size);
	return r < 0 ? r : write_memory(caller, 5, &size, sizeof(size));
}

int lp_datagram_receive(struct caller *caller)
{
	const uint64_t room = caller->call.args[2];
	const int flags = (int)caller->call.args[3];
	char bytes[LP_DNS_ANSWER_MAX];
	ssize_t n;

	/* where sockets cannot be fetched, ours is another one */
	if (caller->gate->plan->filter & LP_FILTER_SOCKETS || lp_caller_socket(caller) < 0 ||
		!stands_in(caller) || !lp_notify_is_valid(caller->gate->listener, caller->call.id))
		return LP_GO_ON;
	n = recv(caller->fd, bytes, room < sizeof(bytes) ? (size_t)room : sizeof(bytes),
		MSG_PEEK | MSG_DONTWAIT);
	if (n < 0) {
		bool waits = !(flags & MSG_DONTWAIT || fcntl(caller->fd, F_GETFL) & O_NONBLOCK);

		return errno == EAGAIN && waits ? LP_GO_ON : -errno;
	}
	if (write_answer(caller, bytes, (size_t)n) < 0)
		return LP_GO_ON;
	if (!(flags & MSG_PEEK))
		recv(caller->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	return (int)n;
}
