/*
 * What the acts are tried on: servers that run outside the pen. Each prints one line when it is
 * ready (a port, a name) and stays until it is killed, at most two minutes.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int stay(void)
{
	fflush(stdout);
	alarm(120);
	while (pause() < 0)
		;
	return -EINTR;
}

static int serve_inet(int type, int protocol)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *any = (struct sockaddr *)&address;
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, type, protocol);
	if (fd < 0 || bind(fd, any, len) < 0 || getsockname(fd, any, &len) < 0)
		return -errno;
	if (type == SOCK_STREAM && listen(fd, 16) < 0)
		return -errno;
	printf("%d\n", ntohs(address.sin_port));
	return stay();
}

static int serve_tcp(char **argv)
{
	(void)argv;
	return serve_inet(SOCK_STREAM, 0);
}

static int serve_mptcp(char **argv)
{
	(void)argv;
	return serve_inet(SOCK_STREAM, IPPROTO_MPTCP);
}

static int serve_udp(char **argv)
{
	(void)argv;
	return serve_inet(SOCK_DGRAM, 0);
}

/* NAME: a path, or "@name" in the abstract space. */
static int serve_unix_type(const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	size_t size = strnlen(name, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, name, size);
	if (name[0] == '@') {
		address.sun_path[0] = '\0';
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	}
	int fd = socket(AF_UNIX, type, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0)
		return -errno;
	if (type == SOCK_STREAM && listen(fd, 16) < 0)
		return -errno;
	puts(name);
	return stay();
}

static int serve_unix(char **argv)
{
	return serve_unix_type(argv[0], SOCK_STREAM);
}

static int serve_unix_dgram(char **argv)
{
	return serve_unix_type(argv[0], SOCK_DGRAM);
}

/* A terminal of somebody else; prints its name. */
static int serve_pty(char **argv)
{
	(void)argv;
	char name[64];
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
		ptsname_r(master, name, sizeof(name)) != 0)
		return -errno;
	int slave = open(name, O_RDWR | O_NOCTTY);
	if (slave < 0)
		return -errno;
	puts(name);
	return stay();
}

/* A process to be signalled and looked at; prints its number. */
static int serve_victim(char **argv)
{
	(void)argv;
	printf("%d\n", (int)getpid());
	return stay();
}

const struct act serve_acts[] = {
	{"serve-tcp", 0, serve_tcp},
	{"serve-mptcp", 0, serve_mptcp},
	{"serve-udp", 0, serve_udp},
	{"serve-unix", 1, serve_unix},
	{"serve-unix-dgram", 1, serve_unix_dgram},
	{"serve-pty", 0, serve_pty},
	{"serve-victim", 0, serve_victim},
	{0},
};
