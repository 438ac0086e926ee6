/*
 * Which file a unix socket is bound to, as the kernel knows it: what has its name now may have been
 * put there by the command, in the moment after bind().
 *
 * Runs in the supervisor. Asks by sock_diag(7), which needs no privilege.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/parts.h"

struct question {
	struct nlmsghdr head;
	struct unix_diag_req body;
};

static int ask(ino_t socket_inode, void *ret_answer, size_t size, size_t *ret_length)
{
	const struct question question = {.head = {.nlmsg_len = sizeof(question),
						  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
						  .nlmsg_flags = NLM_F_REQUEST},
		.body = {.sdiag_family = AF_UNIX,
			.udiag_ino = (uint32_t)socket_inode,
			.udiag_show = UDIAG_SHOW_VFS,
			.udiag_cookie = {~0U, ~0U}}};
	lp_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* the kernel answers before send() returns */
	if (send(fd, &question, sizeof(question), 0) < 0)
		return -errno;
	n = recv(fd, ret_answer, size, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	*ret_length = (size_t)n;
	return 0;
}

/* The inode number in an answer, of which the kernel tells 32 bits. */
static int find_inode(const struct nlmsghdr *head, size_t length, uint32_t *ret_inode)
{
	const struct rtattr *attribute;
	int left;

	if (!NLMSG_OK(head, (unsigned)length) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -ENOENT;
	left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(struct unix_diag_msg)));
	attribute = (const struct rtattr *)((const char *)NLMSG_DATA(head) +
					    NLMSG_ALIGN(sizeof(struct unix_diag_msg)));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == UNIX_DIAG_VFS &&
			RTA_PAYLOAD(attribute) >= sizeof(struct unix_diag_vfs)) {
			struct unix_diag_vfs vfs;

			memcpy(&vfs, RTA_DATA(attribute), sizeof(vfs));
			*ret_inode = vfs.udiag_vfs_ino;
			return 0;
		}
	return -ENOENT;
}

int lp_bound_to(int fd, int file)
{
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} answer;
	struct stat socket, st;
	size_t length = 0;
	uint32_t inode = 0;
	int r;

	if (fstat(fd, &socket) < 0 || fstat(file, &st) < 0)
		return -errno;
	r = ask(socket.st_ino, &answer, sizeof(answer), &length);
	if (r == 0)
		r = find_inode(&answer.head, length, &inode);
	if (r < 0)
		return r;
	/* in one folder the number is enough: its device is not always what stat(2) tells (btrfs)
	 */
	return S_ISSOCK(st.st_mode) && inode == (uint32_t)st.st_ino ? 0 : -ESTALE;
}
