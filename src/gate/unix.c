/*
 * connect() on AF_UNIX sockets, and on what the command believes to be UDP sockets.
 *
 * Runs in the supervisor. The path is looked up once, as the caller would; what it led to is
 * decided and connected to by its descriptor, so that nothing can be swapped in between.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gate/parts.h"

#define DNS_PORT 53

/* Programs ask these in passing and go on without: not worth a word. */
static const char *const asked_in_passing[] = {
	"/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve", "/run/systemd/userdb/"};

static int refuse(struct caller *caller, const char *target)
{
	char program[LP_PROGRAM_SIZE];

	for (size_t i = 0; i < LP_ARRAY_SIZE(asked_in_passing); i++)
		if (!strncmp(target, asked_in_passing[i], strlen(asked_in_passing[i])))
			return -ENOENT;
	lp_caller_program(caller, program);
	lp_report_add(
		caller->gate->report, &(struct lp_refusal){LP_REFUSAL_SOCKET, target, 0, program});
	return -EACCES;
}

static int connect_file(struct caller *caller)
{
	struct lp_gate *gate = caller->gate;
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	lp_autofree char *path = NULL;
	struct stat st;
	int r = lp_caller_object(caller, &caller->file);

	if (r < 0)
		return r;
	if (fstat(caller->file, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -ECONNREFUSED;
	path = lp_descriptor_path(caller->file);
	if (!path)
		return -ENOENT;
	if (!gate->policy->unix_sockets && !lp_policy_socket_rule(gate->policy, path) &&
		!lp_local_serves_file(&gate->local, caller->file))
		return refuse(caller, path);
	snprintf(place.sun_path, sizeof(place.sun_path), "/proc/self/fd/%d", caller->file);
	return lp_connect_as(caller, (struct sockaddr *)&place, sizeof(place));
}

static int connect_abstract(struct caller *caller)
{
	struct lp_gate *gate = caller->gate;
	const char *name = caller->address.un.sun_path + 1;
	size_t length = caller->length - offsetof(struct sockaddr_un, sun_path) - 1;
	char shown[112] = "@";

	if (!gate->policy->unix_sockets && !lp_local_serves_name(&gate->local, name, length)) {
		memcpy(shown + 1, name, length);
		return refuse(caller, shown);
	}
	return lp_connect_as(caller, &caller->address.any, caller->length);
}

/*
 * The resolver is at the other end already, whichever nameserver is meant. Everything else that UDP
 * could reach is unreachable, which is also what makes getaddrinfo sort addresses without it.
 */
static int connect_datagram(const struct caller *caller)
{
	struct lp_address address;
	const char *host;
	unsigned port;

	if (caller->address.any.sa_family == AF_UNSPEC)
		return 0;
	if (!lp_caller_ip(caller, &address, &port))
		return -EINVAL;
	/* with an answer for an address of a name, getaddrinfo(3) would look at the socket's own */
	return port == DNS_PORT && !lp_names_find(&caller->gate->names, &address, &host)
		       ? 0
		       : -ENETUNREACH;
}

int lp_connect_unix(struct caller *caller)
{
	size_t named = offsetof(struct sockaddr_un, sun_path);

	if (caller->address.any.sa_family != AF_UNIX)
		return caller->type == SOCK_SEQPACKET ? connect_datagram(caller) : -EINVAL;
	if (caller->length <= named || caller->length > sizeof(caller->address.un))
		return -EINVAL;
	return caller->address.un.sun_path[0] ? connect_file(caller) : connect_abstract(caller);
}
