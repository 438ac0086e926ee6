/*
 * Packets between landpen's processes.
 *
 * Runs in all of them. The other end is landpen too, but parses hostile bytes: lengths, counts and
 * terminators are checked on receipt.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/wire.h"

#define PACKET_SHORTEST offsetof(struct lp_packet, addresses)

int lp_packet_send(int socket, const struct lp_packet *packet, int fd)
{
	size_t count = packet->kind == LP_PACKET_NAME ? 1 : packet->count;
	struct iovec part = {(void *)packet, PACKET_SHORTEST + count * sizeof(*packet->addresses)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count > LP_PACKET_ADDRESSES_MAX)
		return -EINVAL;
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	while (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int check(const struct lp_packet *packet, size_t len)
{
	size_t count = packet->kind == LP_PACKET_NAME ? 1 : packet->count;

	if (len < PACKET_SHORTEST || count > LP_PACKET_ADDRESSES_MAX ||
		len != PACKET_SHORTEST + count * sizeof(*packet->addresses))
		return -EPROTO;
	if (!memchr(packet->host, '\0', sizeof(packet->host)) ||
		!memchr(packet->program, '\0', sizeof(packet->program)) ||
		!memchr(packet->reason, '\0', sizeof(packet->reason)))
		return -EPROTO;
	return 1;
}

int lp_packet_receive(int socket, struct lp_packet *ret_packet, int *ret_fd)
{
	struct iovec part = {ret_packet, sizeof(*ret_packet)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	lp_autoclose int fd = -1;
	ssize_t n;
	int r;

	do
		n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	r = message.msg_flags & MSG_TRUNC ? -EPROTO : check(ret_packet, (size_t)n);
	if (r > 0)
		*ret_fd = LP_TAKE_FD(fd);
	return r;
}
