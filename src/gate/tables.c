/*
 * Who listens on this machine, as the kernel tells it: TCP listeners by sock_diag(7), or where that
 * is missing by /proc/net/tcp, which costs a walk over all buckets; abstract names by
 * /proc/net/unix.
 *
 * Runs in the supervisor, in the network namespace that the command has too. The names in
 * /proc/net/unix are anybody's bytes; the command's own hold no line ends (local.c).
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/parts.h"

#define STATE_LISTEN 10

/* ---- sock_diag ---- */

static int ask(int fd, int family, unsigned port)
{
	const struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {{.nlmsg_len = sizeof(message),
			     .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		{.sdiag_family = (uint8_t)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1U << STATE_LISTEN,
			.id.idiag_sport = htons((uint16_t)port)}};

	return send(fd, &message, sizeof(message), 0) == sizeof(message) ? 0 : -errno;
}

static int show(const struct inet_diag_msg *found, lp_listener_reader *reader, void *context)
{
	struct lp_address address = {{[10] = 0xff, [11] = 0xff}};

	if (found->idiag_family == AF_INET)
		memcpy(address.bytes + 12, found->id.idiag_src, 4);
	else
		memcpy(address.bytes, found->id.idiag_src, 16);
	return reader(&address, found->idiag_inode, context);
}

/* 1: there is more to receive; 0: all has been shown; else -errno. *ret_said: the reader's. */
static int read_answers(
	int fd, unsigned port, lp_listener_reader *reader, void *context, int *ret_said)
{
	static _Alignas(struct nlmsghdr) char buffer[16384];
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	const struct nlmsghdr *at = (const void *)buffer;

	if (n <= 0)
		return n < 0 ? -errno : -EPROTO;
	for (size_t left = (size_t)n; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
		const struct inet_diag_msg *found = NLMSG_DATA(at);

		if (at->nlmsg_type == NLMSG_DONE)
			return 0;
		if (at->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
			at->nlmsg_len < NLMSG_LENGTH(sizeof(*found)))
			return -EPROTO;
		if (!*ret_said && (!port || ntohs(found->id.idiag_sport) == port))
			*ret_said = show(found, reader, context);
	}
	return 1;
}

static int ask_kernel(unsigned port, lp_listener_reader *reader, void *context, int *ret_said)
{
	static const int families[] = {AF_INET, AF_INET6};
	lp_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int r = fd < 0 ? -errno : 0;

	*ret_said = 0;
	for (size_t i = 0; r == 0 && !*ret_said && i < LP_ARRAY_SIZE(families); i++) {
		r = ask(fd, families[i], port);
		do
			r = r < 0 ? r : read_answers(fd, port, reader, context, ret_said);
		while (r > 0);
	}
	return r;
}

/* ---- /proc/net/tcp ---- */

/* As the kernel shows it: words of 32 bits in its own byte order. */
static bool parse_address(const char *text, struct lp_address *ret_address)
{
	size_t words = strlen(text) / 8;

	if (words != 1 && words != 4)
		return false;
	*ret_address = (struct lp_address){{[10] = 0xff, [11] = 0xff}};
	for (size_t i = 0; i < words; i++) {
		char digits[9] = "";
		uint32_t word;

		memcpy(digits, text + 8 * i, 8);
		word = (uint32_t)strtoul(digits, NULL, 16);
		memcpy(ret_address->bytes + 16 - 4 * (words - i), &word, sizeof(word));
	}
	return true;
}

static int read_table(const char *table, unsigned wanted, lp_listener_reader *reader, void *context)
{
	FILE *file = fopen(table, "re");
	char line[512], text[33];
	int r = 0;

	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	while (!r && fgets(line, sizeof(line), file)) {
		struct lp_address address;
		unsigned port, state;
		unsigned long socket;

		if (sscanf(line,
			    " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*d "
			    "%lu",
			    text, &port, &state, &socket) != 4)
			continue;
		if (state != STATE_LISTEN) /* listeners come first */
			break;
		if ((!wanted || port == wanted) && parse_address(text, &address))
			r = reader(&address, socket, context);
	}
	fclose(file);
	return r;
}

int lp_table_listeners(unsigned port, lp_listener_reader *reader, void *context)
{
	int said;

	if (ask_kernel(port, reader, context, &said) == 0)
		return said;
	said = read_table("/proc/net/tcp", port, reader, context);
	return said ? said : read_table("/proc/net/tcp6", port, reader, context);
}

/* ---- /proc/net/unix ---- */

void lp_table_unix(lp_unix_reader *reader, void *context)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long inode;

		if (sscanf(line, "%*x: %*x %*x %*x %*x %*x %lu", &inode) == 1)
			reader(inode, context);
	}
	if (file)
		fclose(file);
}

ino_t lp_table_abstract(const char *name, size_t length)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char line[512], shown[110];
	ino_t found = 0;

	if (!file)
		return 0;
	for (size_t i = 0; i < length; i++)
		shown[i] = name[i] ? name[i] : '@'; /* as the kernel shows it */
	shown[length] = '\0';
	while (!found && fgets(line, sizeof(line), file)) {
		unsigned long inode;
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*x: %*x %*x %*x %*x %*x %lu %n", &inode, &at) == 1 && at &&
			line[at] == '@' && !strcmp(line + at + 1, shown))
			found = inode;
	}
	fclose(file);
	return found;
}
