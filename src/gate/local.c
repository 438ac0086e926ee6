/*
 * Servers of the command's own: which addresses they may have, and which sockets are theirs.
 *
 * Runs in the supervisor, which binds and listens on the caller's own socket: a TCP server gets a
 * loopback address or none at all. What was made here is remembered by its inode, held open where
 * the number could be given to another file, so that nobody else's socket passes for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/parts.h"

#define SERVED_MAX           4096
#define SWEEP_MIN            64
#define FILES_MAX            512 /* of sockets that are gone */
#define FIRST_FREE_PORT_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"

/* Who listens on a port: the command at this address, others at it, others at any. */
struct audience {
	const struct local *local;
	struct lp_address address;
	unsigned port;
	bool own, others, others_anywhere;
};

static int add_listener(const struct lp_address *address, ino_t socket, void *context)
{
	struct audience *audience = context;
	bool here = !memcmp(address, &audience->address, sizeof(*address));

	for (const struct served *at = audience->local->first; at; at = at->next)
		if (at->port == audience->port && at->socket == socket) {
			audience->own |= here;
			return 0;
		}
	/* at all addresses is at this one too */
	audience->others |= here || lp_address_is_any(address);
	audience->others_anywhere = true;
	return 0;
}

static struct audience find_audience(
	const struct local *local, const struct lp_address *address, unsigned port)
{
	struct audience audience = {.local = local, .address = *address, .port = port};

	lp_table_listeners(port, add_listener, &audience);
	return audience;
}

bool lp_local_is_free(const struct local *local, unsigned port)
{
	return !find_audience(local, &(struct lp_address){{0}}, port).others_anywhere;
}

static void forget(struct served *served)
{
	lp_closep(&served->file);
	free(served);
}

static int mark_listener(const struct lp_address *address, ino_t socket, void *context)
{
	struct local *local = context;

	(void)address;
	for (struct served *at = local->first; at; at = at->next)
		if (at->port && at->socket == socket)
			at->is_seen = true;
	return 0;
}

static void mark_unix(ino_t socket, void *context)
{
	struct local *local = context;

	for (struct served *at = local->first; at; at = at->next)
		if (!at->port && at->socket == socket)
			at->is_seen = true;
}

/* A file whose socket is gone is kept as long as there is room: who connects to it is told so. */
static bool is_gone(const struct served *served, bool files_too)
{
	struct stat st;

	if (served->file < 0)
		return !served->is_seen;
	return fstat(served->file, &st) < 0 || st.st_nlink == 0 || (files_too && !served->is_seen);
}

static void forget_gone(struct local *local, bool files_too)
{
	for (struct served *at = local->first; at; at = at->next)
		at->is_seen = false;
	lp_table_listeners(0, mark_listener, local);
	lp_table_unix(mark_unix, local);
	for (struct served **at = &local->first; *at;) {
		struct served *served = *at;

		if (!is_gone(served, files_too)) {
			at = &served->next;
			continue;
		}
		*at = served->next;
		local->count--;
		forget(served);
	}
}

/* Looking costs as much as what is remembered: only when that has doubled. */
static void make_room(struct local *local)
{
	if (local->count < local->sweep_at || local->count < SWEEP_MIN)
		return;
	forget_gone(local, false);
	if (local->count >= FILES_MAX)
		forget_gone(local, true);
	local->sweep_at = local->count * 2 < SERVED_MAX ? local->count * 2 : SERVED_MAX;
}

static int remember(struct local *local, struct served served)
{
	struct served *kept;

	make_room(local);
	kept = local->count < SERVED_MAX ? malloc(sizeof(*kept)) : NULL;
	if (!kept) {
		lp_closep(&served.file);
		return -ENOBUFS;
	}
	*kept = served;
	kept->next = local->first;
	local->first = kept;
	local->count++;
	return 0;
}

/* Where a connection to "any address" goes. */
struct lp_address lp_local_address(const struct lp_address *address)
{
	static const struct lp_address ipv4 = {{[10] = 0xff, 0xff, 127, 0, 0, 1}},
				       ipv6 = {{[15] = 1}};

	if (!lp_address_is_any(address))
		return *address;
	return lp_address_is_ipv4(address) ? ipv4 : ipv6;
}

void lp_local_mean(struct caller *caller, const struct lp_address *address)
{
	if (caller->domain == AF_INET)
		memcpy(&caller->address.in.sin_addr, address->bytes + 12, 4);
	else
		memcpy(&caller->address.in6.sin6_addr, address->bytes, sizeof(address->bytes));
}

bool lp_local_serves_port(struct local *local, const struct lp_address *address, unsigned port)
{
	/* the address too: somebody else may serve the same port on another loopback address */
	const struct audience audience = find_audience(local, address, port);

	/* with SO_REUSEPORT another server can share it, and the kernel chooses between them */
	return audience.own && !audience.others;
}

bool lp_local_serves_file(struct local *local, int file)
{
	struct stat st, own;

	if (fstat(file, &st) < 0)
		return false;
	for (const struct served *at = local->first; at; at = at->next)
		if (at->file >= 0 && fstat(at->file, &own) == 0 && own.st_ino == st.st_ino &&
			own.st_dev == st.st_dev)
			return true;
	return false;
}

bool lp_local_serves_name(struct local *local, const char *name, size_t length)
{
	for (const struct served *at = local->first; at; at = at->next)
		if (at->name_length == length && length && !memcmp(at->name, name, length) &&
			lp_table_abstract(name, length) == at->socket)
			return true;
	return false;
}

void lp_local_clear(struct local *local)
{
	for (struct served *at = local->first, *next; at; at = next) {
		next = at->next;
		forget(at);
	}
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* ---- TCP ---- */

static unsigned first_free_port(void)
{
	lp_autofree char *text = NULL;
	size_t len;

	return lp_read_file(AT_FDCWD, FIRST_FREE_PORT_FILE, 16, &text, &len) == 0
		       ? (unsigned)strtoul(text, NULL, 10)
		       : 1024;
}

static int refuse_server(
	const struct caller *caller, const struct lp_address *address, unsigned port)
{
	char host[LP_HOST_SIZE], program[LP_PROGRAM_SIZE];

	lp_address_print(address, host);
	lp_caller_program(caller, program);
	lp_report_add(
		caller->gate->report, &(struct lp_refusal){LP_REFUSAL_SERVE, host, port, program});
	return -EACCES;
}

/*
 * "All addresses" becomes loopback. An IPv6 socket that would have taken IPv4 too takes that: it is
 * what programs try when one of the two does not answer.
 */
static socklen_t write_loopback(
	const struct caller *caller, unsigned port, union address *ret_address)
{
	int only_ipv6 = 0;
	socklen_t len = sizeof(only_ipv6);

	memset(ret_address, 0, sizeof(*ret_address));
	if (caller->domain == AF_INET) {
		ret_address->in = (struct sockaddr_in){.sin_family = AF_INET,
			.sin_port = htons((uint16_t)port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		return sizeof(ret_address->in);
	}
	getsockopt(caller->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, &len);
	ret_address->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	if (!only_ipv6)
		ret_address->in6.sin6_addr =
			(struct in6_addr){.s6_addr = {[10] = 0xff, 0xff, 127, 0, 0, 1}};
	return sizeof(ret_address->in6);
}

static int bind_tcp(struct caller *caller)
{
	struct lp_address address;
	unsigned port;

	if (!lp_caller_ip(caller, &address, &port))
		return caller->address.any.sa_family == AF_UNSPEC ? -EAFNOSUPPORT : -EINVAL;
	if (!caller->gate->policy->local_binding)
		return refuse_server(caller, &address, port);
	if (port && port < first_free_port())
		return -EACCES;
	if (lp_address_is_any(&address))
		caller->length = write_loopback(caller, port, &caller->address);
	else if (!lp_address_is_loopback(&address))
		return refuse_server(caller, &address, port);
	return lp_copies_bind(caller, &caller->address.any, caller->length);
}

/*
 * A socket that is being connected has a loopback address until it is shut down, which the command
 * can do at any moment; then it has none, and listening takes all addresses. In these states it
 * keeps the address that we bound it to.
 */
static bool may_listen(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       (info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_LISTEN);
}

static int listen_tcp(struct caller *caller)
{
	struct lp_address address;
	struct caller bound = *caller;
	socklen_t length = sizeof(bound.address.storage);
	unsigned port;

	if (!caller->gate->policy->local_binding)
		return refuse_server(caller, &(struct lp_address){{0}}, 0);
	if (!may_listen(caller->fd))
		return -EINVAL;
	if (getsockname(caller->fd, &bound.address.any, &length) < 0)
		return -errno;
	bound.length = length;
	if (!lp_caller_ip(&bound, &address, &port))
		return -EINVAL;
	if (!port) { /* not bound: the kernel would choose all addresses */
		length = write_loopback(caller, 0, &bound.address);
		if (bind(caller->fd, &bound.address.any, length) < 0)
			return -errno;
		if (getsockname(caller->fd, &bound.address.any, &length) < 0 ||
			!lp_caller_ip(&bound, &address, &port))
			return -EINVAL;
	}
	if (!lp_address_is_loopback(&address))
		return refuse_server(caller, &address, port);
	/* SO_REUSEPORT would share a server's port, and its clients; and who is there when the
	 * proxy beyond is not would be sent its password */
	if (find_audience(&caller->gate->local, &address, port).others ||
		lp_policy_is_upstream_port(caller->gate->policy, port))
		return -EADDRINUSE;
	if (listen(caller->fd, (int)caller->call.args[1]) < 0)
		return -errno;
	return remember(&caller->gate->local, (struct served){.address = address,
						      .port = port,
						      .socket = inode_of(caller->fd),
						      .file = -1});
}

/* ---- unix ---- */

static int bind_abstract(struct caller *caller)
{
	struct served served = {.file = -1, .socket = inode_of(caller->fd)};
	union address bound;
	socklen_t length = sizeof(bound.storage);

	if (bind(caller->fd, &caller->address.any, caller->length) < 0 ||
		getsockname(caller->fd, &bound.any, &length) < 0)
		return -errno;
	served.name_length = length - offsetof(struct sockaddr_un, sun_path) - 1;
	if (served.name_length > sizeof(served.name) - 1)
		return -EINVAL;
	memcpy(served.name, bound.un.sun_path + 1, served.name_length);
	return remember(&caller->gate->local, served);
}

static bool may_create(const struct lp_gate *gate, int dir, const char *name)
{
	lp_autofree char *folder = lp_descriptor_path(dir);
	lp_autofree char *path = folder ? lp_path_join(folder, name) : NULL;

	if (!path)
		return false;
	return lp_path_is_under(path, gate->plan->tmpdir) ||
	       lp_policy_may(gate->policy, path, LP_ACCESS_WRITE).allowed;
}

static int bind_file(struct caller *caller)
{
	struct served served = {.socket = inode_of(caller->fd)};
	lp_autoclose int dir = -1;
	char name[109];
	int r = lp_caller_parent(caller, &dir, name);

	if (r == 0 && !may_create(caller->gate, dir, name))
		r = -EACCES;
	if (r == 0)
		r = lp_bind_file(caller, dir, name);
	if (r < 0)
		return r;
	served.file = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (served.file < 0)
		return -errno;
	if (lp_bound_to(caller->fd, served.file) < 0) { /* put there since: none of ours */
		close(served.file);
		return 0;
	}
	return remember(&caller->gate->local, served);
}

static int bind_unix(struct caller *caller)
{
	size_t named = offsetof(struct sockaddr_un, sun_path);

	if (caller->address.any.sa_family != AF_UNIX)
		return caller->type == SOCK_SEQPACKET ? lp_datagram_bind(caller) : -EINVAL;
	if (caller->length > sizeof(caller->address.un))
		return -EINVAL;
	/* the kernel's table of sockets is text: a name must not write lines of its own there */
	if (memchr(caller->address.un.sun_path, '\n', caller->length - named))
		return -EACCES;
	if (caller->length <= named || !caller->address.un.sun_path[0])
		return bind_abstract(caller);
	return bind_file(caller);
}

/* ---- the calls ---- */

int lp_local_bind(struct caller *caller)
{
	switch (caller->domain) {
	case AF_INET:
	case AF_INET6:
		return bind_tcp(caller);
	case AF_UNIX:
		return bind_unix(caller);
	case AF_NETLINK:
		return bind(caller->fd, &caller->address.any, caller->length) < 0 ? -errno : 0;
	default:
		return -EACCES;
	}
}

int lp_local_listen(struct caller *caller)
{
	switch (caller->domain) {
	case AF_INET:
	case AF_INET6:
		return listen_tcp(caller);
	case AF_UNIX:
		return listen(caller->fd, (int)caller->call.args[1]) < 0 ? -errno : 0;
	default:
		return -EOPNOTSUPP;
	}
}
