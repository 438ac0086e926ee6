/*
 * What the acts are tried on and judged by: servers that run outside the pen, and a listing. Each
 * prints one line when it is ready (a port, a name) and stays until it is killed, at most two
 * minutes.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static void print_entry(const char *path, const struct stat *st)
{
	char target[4096] = "";
	if (S_ISLNK(st->st_mode) && readlink(path, target, sizeof(target) - 1) < 0)
		target[0] = '\0';
	printf("%s %o %u %s", path, st->st_mode, st->st_uid, target);
	if (S_ISREG(st->st_mode))
		printf("%u %lld %lld.%09ld", (unsigned)st->st_nlink, (long long)st->st_size,
			(long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	putchar('\n');
}

static void print_tree(const char *path, char **left_out)
{
	struct dirent **entries;
	struct stat st;
	char inner[4096];
	for (char **name = left_out; *name; name++)
		if (strcmp(path, *name) == 0)
			return;
	if (lstat(path, &st) < 0)
		return;
	print_entry(path, &st);
	int count = S_ISDIR(st.st_mode) ? scandir(path, &entries, NULL, alphasort) : 0;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
			snprintf(inner, sizeof(inner), "%s/%s", path, name) < (int)sizeof(inner))
			print_tree(strncmp(inner, "./", 2) == 0 ? inner + 2 : inner, left_out);
		free(entries[i]);
	}
	if (count > 0)
		free(entries);
}

/* DIR [NAME...]: all that is below DIR but for NAMEs: mode, owner, and of files links, size, time.
 */
static int act_tree(char **argv)
{
	if (chdir(argv[0]) < 0)
		return -errno;
	print_tree(".", argv + 1);
	return ACT_PRINTED;
}

const struct act serve_acts[] = {
	{"tree", 1, act_tree},
	{"serve-tcp", 0, serve_tcp},
	{"serve-mptcp", 0, serve_mptcp},
	{"serve-udp", 0, serve_udp},
	{"serve-unix", 1, serve_unix},
	{"serve-unix-dgram", 1, serve_unix_dgram},
	{"serve-pty", 0, serve_pty},
	{"serve-victim", 0, serve_victim},
	{0},
};
