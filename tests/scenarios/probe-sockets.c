/* The probe's acts on sockets. Every address is given by the caller; nothing leaves the machine. */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct word {
	const char *name;
	int value;
};

static const struct word families[] = {{"unix", AF_UNIX}, {"inet", AF_INET}, {"inet6", AF_INET6},
	{"netlink", AF_NETLINK}, {"packet", AF_PACKET}, {"vsock", 40}, {"alg", 38},
	{"bluetooth", 31}, {"can", 29}, {"tipc", 30}, {"xdp", 44}, {"kcm", 41}, {"rds", 21},
	{"key", 15}, {0}};
static const struct word types[] = {{"stream", SOCK_STREAM}, {"dgram", SOCK_DGRAM},
	{"raw", SOCK_RAW}, {"seqpacket", SOCK_SEQPACKET}, {0}};
static const struct word protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP},
	{"icmp", IPPROTO_ICMP}, {"sctp", IPPROTO_SCTP}, {"dccp", 33}, {"udplite", 136},
	{"smc", 256}, {"mptcp", IPPROTO_MPTCP}, {"route", 0}, {"diag", 4}, {"audit", 9},
	{"uevent", 15}, {"generic", 16}, {"netfilter", 12}, {0}};

static int word(const struct word *table, const char *text)
{
	for (; table->name; table++)
		if (strcmp(table->name, text) == 0)
			return table->value;
	return (int)number(text);
}

/* Returns -errno or a descriptor. */
static int new_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	return fd < 0 ? -errno : fd;
}

static int then_close(int fd, int ret)
{
	close(fd);
	return ret;
}

/* FAMILY TYPE PROTOCOL, by name or number. */
static int act_socket(char **argv)
{
	int fd =
		new_socket(word(families, argv[0]), word(types, argv[1]), word(protocols, argv[2]));
	return fd < 0 ? fd : then_close(fd, 0);
}

/* FAMILY TYPE: makes a pair and sends a byte through it. */
static int act_socketpair(char **argv)
{
	int fds[2];
	char c = 'x';
	if (socketpair(word(families, argv[0]), word(types, argv[1]) | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	int ret = result(write(fds[0], &c, 1));
	if (ret == 0)
		ret = result(read(fds[1], &c, 1));
	close(fds[0]);
	return then_close(fds[1], ret);
}

/* Fills ret_address from a path, or from a name in the abstract space if it starts with "@". */
static socklen_t unix_address(const char *name, struct sockaddr_un *ret_address)
{
	size_t len = strlen(name);
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len >= sizeof(ret_address->sun_path))
		len = sizeof(ret_address->sun_path) - 1;
	memcpy(ret_address->sun_path, name, len);
	if (name[0] == '@') {
		ret_address->sun_path[0] = '\0';
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	return sizeof(*ret_address);
}

static int act_connect_unix(char **argv)
{
	struct sockaddr_un address;
	socklen_t len = unix_address(argv[0], &address);
	int fd = new_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	return then_close(fd, result(connect(fd, (struct sockaddr *)&address, len)));
}

static int act_send_unix(char **argv)
{
	struct sockaddr_un address;
	socklen_t len = unix_address(argv[0], &address);
	int fd = new_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return fd;
	return then_close(fd, result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, len)));
}

/* Sends to a path from one end of a pair, which no call to socket() has made. */
static int act_send_unix_pair(char **argv)
{
	struct sockaddr_un address;
	int fds[2];
	socklen_t len = unix_address(argv[0], &address);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		return -errno;
	int ret = result(sendto(fds[0], "x", 1, 0, (struct sockaddr *)&address, len));
	close(fds[1]);
	return then_close(fds[0], ret);
}

/* Connects one end of a pair to a path. */
static int act_connect_unix_pair(char **argv)
{
	struct sockaddr_un address;
	int fds[2];
	socklen_t len = unix_address(argv[0], &address);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		return -errno;
	int ret = result(connect(fds[0], (struct sockaddr *)&address, len));
	close(fds[1]);
	return then_close(fds[0], ret);
}

static int act_bind_unix(char **argv)
{
	struct sockaddr_un address;
	socklen_t len = unix_address(argv[0], &address);
	int fd = new_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	return then_close(fd, result(bind(fd, (struct sockaddr *)&address, len)));
}

/* Fills ret_address from an IPv4 or IPv6 literal; the family, or -EINVAL. */
static int inet_address(
	const char *ip, const char *port, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)number(port));
		*ret_len = sizeof(*v4);
		return AF_INET;
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)number(port));
		*ret_len = sizeof(*v6);
		return AF_INET6;
	}
	return -EINVAL;
}

enum use { USE_CONNECT, USE_BIND, USE_SEND, USE_FAST_OPEN };

static int use_inet(char **argv, int type, int protocol, enum use use)
{
	struct sockaddr_storage storage;
	struct sockaddr *address = (struct sockaddr *)&storage;
	socklen_t len;
	int family = inet_address(argv[0], argv[1], &storage, &len);
	int fd = family < 0 ? family : new_socket(family, type, protocol);
	if (fd < 0)
		return fd;
	switch (use) {
	case USE_CONNECT:
		return then_close(fd, result(connect(fd, address, len)));
	case USE_BIND:
		return then_close(fd, result(bind(fd, address, len)));
	case USE_SEND:
		return then_close(fd, result(sendto(fd, "x", 1, 0, address, len)));
	case USE_FAST_OPEN:
		return then_close(fd, result(sendto(fd, "x", 1, MSG_FASTOPEN, address, len)));
	}
	return then_close(fd, -EINVAL);
}

static int act_connect_tcp(char **argv)
{
	return use_inet(argv, SOCK_STREAM, 0, USE_CONNECT);
}

static int act_connect_mptcp(char **argv)
{
	return use_inet(argv, SOCK_STREAM, IPPROTO_MPTCP, USE_CONNECT);
}

static int act_fast_open(char **argv)
{
	return use_inet(argv, SOCK_STREAM, 0, USE_FAST_OPEN);
}

static int act_bind_tcp(char **argv)
{
	return use_inet(argv, SOCK_STREAM, 0, USE_BIND);
}

static int act_send_udp(char **argv)
{
	return use_inet(argv, SOCK_DGRAM, 0, USE_SEND);
}

/* listen() on a socket without an address, which binds it to a free port of all addresses. */
static int act_listen_unbound(char **argv)
{
	(void)argv;
	int fd = new_socket(AF_INET, SOCK_STREAM, 0);
	return fd < 0 ? fd : then_close(fd, result(listen(fd, 1)));
}

/* Listens on loopback and connects to itself. */
static int act_talk_to_self(char **argv)
{
	(void)argv;
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *any = (struct sockaddr *)&address;
	socklen_t len = sizeof(address);
	int server = new_socket(AF_INET, SOCK_STREAM, 0);
	if (server < 0)
		return server;
	if (bind(server, any, len) < 0 || listen(server, 1) < 0 ||
		getsockname(server, any, &len) < 0)
		return then_close(server, -errno);
	int fd = new_socket(AF_INET, SOCK_STREAM, 0);
	int ret = fd < 0 ? fd : result(connect(fd, any, len));
	if (fd >= 0)
		close(fd);
	return then_close(server, ret);
}

const struct act socket_acts[] = {
	{"socket", 3, act_socket},
	{"socketpair", 2, act_socketpair},
	{"connect-unix", 1, act_connect_unix},
	{"send-unix", 1, act_send_unix},
	{"send-unix-pair", 1, act_send_unix_pair},
	{"connect-unix-pair", 1, act_connect_unix_pair},
	{"bind-unix", 1, act_bind_unix},
	{"connect-tcp", 2, act_connect_tcp},
	{"connect-mptcp", 2, act_connect_mptcp},
	{"fast-open", 2, act_fast_open},
	{"bind-tcp", 2, act_bind_tcp},
	{"send-udp", 2, act_send_udp},
	{"listen-unbound", 0, act_listen_unbound},
	{"talk-to-self", 0, act_talk_to_self},
	{0},
};
