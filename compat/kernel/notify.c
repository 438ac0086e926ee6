/*
 * Seccomp user notification: the filter with a listener, and what is done with a notification.
 *
 * The structures are those of linux/seccomp.h since 5.14; flags newer than the build host's headers
 * are defined here. The kernel may make its structures longer: SECCOMP_GET_NOTIF_SIZES is asked,
 * and a kernel that wants more than we have room for is refused.
 */
#include "kernel/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NR_PIDFD_OPEN  434
#define NR_PIDFD_GETFD 438

#define FLAG_NEW_LISTENER       (1UL << 3)
#define FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* 5.19 */

#define IOCTL_SET_FLAGS  _IOW('!', 4, uint64_t) /* 6.6 */
#define SYNC_WAKE_UP     1UL
#define ADDFD_FLAG_SETFD (1UL << 0)
#define ADDFD_FLAG_SEND  (1UL << 1) /* 5.14 */
#define PIDFD_THREAD_    ((unsigned)O_EXCL)

static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

bool lp_notify_is_there(void)
{
	struct seccomp_notif_sizes sizes;

	return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
	       sizes.seccomp_notif <= sizeof(struct seccomp_notif) &&
	       sizes.seccomp_notif_resp <= sizeof(struct seccomp_notif_resp) &&
	       sizes.seccomp_data == sizeof(struct seccomp_data);
}

int lp_seccomp_install(const struct sock_fprog *program)
{
	return result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program));
}

int lp_seccomp_install_listener(const struct sock_fprog *program)
{
	int fd = result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV, program));

	/* the filter is the same without the flag; only signals interrupt a waiting call then */
	if (fd == -EINVAL)
		fd = result(
			syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, FLAG_NEW_LISTENER, program));
	return fd;
}

void lp_notify_prepare(int listener)
{
	/* the caller is woken on this processor at once; on older kernels it works without */
	ioctl(listener, IOCTL_SET_FLAGS, SYNC_WAKE_UP);
}

int lp_notify_receive(int listener, struct lp_notification *ret_notification)
{
	struct seccomp_notif got;

	memset(&got, 0, sizeof(got)); /* or the kernel answers EINVAL */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &got) < 0)
		return -errno;
	*ret_notification =
		(struct lp_notification){.id = got.id, .tid = (pid_t)got.pid, .call = got.data.nr};
	for (size_t i = 0; i < LP_ARRAY_SIZE(ret_notification->args); i++)
		ret_notification->args[i] = got.data.args[i];
	return 0;
}

bool lp_notify_is_valid(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int lp_notify_answer(int listener, uint64_t id, int value)
{
	struct seccomp_notif_resp answer = {
		.id = id, .val = value < 0 ? 0 : value, .error = value < 0 ? value : 0};

	return result(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
}

int lp_notify_continue(int listener, uint64_t id)
{
	struct seccomp_notif_resp answer = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return result(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
}

int lp_notify_give(int listener, uint64_t id, int fd, bool close_on_exec)
{
	struct seccomp_notif_addfd gift = {.id = id,
		.flags = ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0};
	int r = result(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &gift));

	if (r != -EINVAL)
		return r;
	/* before 5.14: two steps; a caller that dies in between takes the descriptor with it */
	gift.flags = 0;
	r = result(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &gift));
	return r < 0 ? r : lp_notify_answer(listener, id, r);
}

int lp_notify_replace(int listener, uint64_t id, int fd, int target, bool close_on_exec)
{
	struct seccomp_notif_addfd gift = {.id = id,
		.flags = ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)fd,
		.newfd = (uint32_t)target,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0};

	return result(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &gift));
}

static ssize_t read_proc_mem(pid_t tid, uint64_t address, void *ret_bytes, size_t len)
{
	char path[64];
	ssize_t n;
	lp_autoclose int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, ret_bytes, len, (off_t)address);
	return n < 0 ? -EFAULT : n;
}

/* As many bytes as are there; -errno where the first one is not. */
static ssize_t read_some(pid_t tid, uint64_t address, void *ret_bytes, size_t len)
{
	const size_t page = 4096, head = page - address % page;
	struct iovec here = {ret_bytes, len};
	/* what cannot be read is left out in pieces of these */
	struct iovec there[] = {{(void *)(uintptr_t)address, len < head ? len : head},
		{(void *)(uintptr_t)(address + head), len < head ? 0 : len - head}};
	ssize_t n = process_vm_readv(tid, &here, 1, there, LP_ARRAY_SIZE(there), 0);

	if (n < 0 && (errno == EPERM || errno == ENOSYS))
		return read_proc_mem(tid, address, ret_bytes, len);
	return n < 0 ? -errno : n;
}

int lp_read_memory(pid_t tid, uint64_t address, void *ret_bytes, size_t len)
{
	return read_some(tid, address, ret_bytes, len) == (ssize_t)len ? 0 : -EFAULT;
}

int lp_write_memory(pid_t tid, uint64_t address, const void *bytes, size_t len)
{
	struct iovec here = {(void *)(uintptr_t)bytes, len},
		     there = {(void *)(uintptr_t)address, len};
	ssize_t n = process_vm_writev(tid, &here, 1, &there, 1, 0);

	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -EFAULT;
}

int lp_read_text(pid_t tid, uint64_t address, char *ret_text, size_t size)
{
	size_t done = 0;

	while (done < size) {
		/* most paths are short */
		size_t wanted = done == 0 && size > 256 ? 256 : size - done;
		ssize_t n = read_some(tid, address + done, ret_text + done, wanted);

		if (n <= 0)
			return n < 0 && n != -EFAULT && done == 0 ? (int)n : -EFAULT;
		if (memchr(ret_text + done, '\0', (size_t)n))
			return 0;
		done += (size_t)n;
	}
	return -ENAMETOOLONG;
}

int lp_pidfd_open_thread(pid_t tid)
{
	return result(syscall(NR_PIDFD_OPEN, tid, PIDFD_THREAD_));
}

int lp_pidfd_getfd(int pidfd, int fd)
{
	return result(syscall(NR_PIDFD_GETFD, pidfd, fd, 0));
}
