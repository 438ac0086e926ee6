/*
 * The process that made a notified call: its memory, its descriptors, its view of the files.
 *
 * Runs in the supervisor. All of it is hostile and may change at any moment: each thing is fetched
 * once, and what was fetched is what is decided on and acted upon.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate/parts.h"
#include "task/task.h"

static int open_pidfd(pid_t tid)
{
	int fd = lp_pidfd_open_thread(tid);

	if (fd == -EINVAL)
		fd = lp_pidfd_open(tid);
	if (fd == -EINVAL || fd == -ENOENT)
		fd = lp_pidfd_open(lp_task_process(tid));
	return fd;
}

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static int open_comm(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void forget(struct lp_gate *gate, size_t place)
{
	if (!gate->callers[place].tid)
		return;
	close(gate->callers[place].pidfd);
	lp_closep(&gate->callers[place].comm);
	gate->callers[place].tid = 0;
}

static int fetch(const struct caller *caller)
{
	struct lp_gate *gate = caller->gate;
	pid_t tid = caller->call.tid;
	size_t place = (size_t)tid % LP_ARRAY_SIZE(gate->callers);
	int fd;

	if (gate->plan->filter & LP_FILTER_SOCKETS)
		return lp_copies_fetch(caller);
	if (gate->callers[place].tid == tid) {
		fd = lp_pidfd_getfd(gate->callers[place].pidfd, (int)caller->call.args[0]);
		if (fd != -ESRCH)
			return fd; /* else it has ended, and this is another one */
	}
	forget(gate, place);
	fd = open_pidfd(tid);
	if (fd < 0)
		return fd;
	gate->callers[place].tid = tid;
	gate->callers[place].pidfd = fd;
	gate->callers[place].comm = open_comm(tid);
	return lp_pidfd_getfd(fd, (int)caller->call.args[0]);
}

void lp_callers_forget(struct lp_gate *gate)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(gate->callers); i++)
		forget(gate, i);
}

int lp_caller_socket(struct caller *caller)
{
	lp_autoclose int fd = fetch(caller);

	if (fd < 0)
		return fd;
	caller->domain = option(fd, SO_DOMAIN);
	if (caller->domain < 0)
		return -ENOTSOCK;
	if (caller->domain == AF_UNIX)
		caller->type = option(fd, SO_TYPE);
	caller->fd = LP_TAKE_FD(fd);
	return 0;
}

int lp_caller_address(struct caller *caller)
{
	int length = (int)caller->call.args[2]; /* the kernel takes it as an int */

	if (length < (int)sizeof(sa_family_t) || length > (int)sizeof(struct sockaddr_storage))
		return -EINVAL;
	memset(&caller->address, 0, sizeof(caller->address));
	if (lp_read_memory(
		    caller->call.tid, caller->call.args[1], &caller->address, (size_t)length) < 0)
		return -EFAULT;
	caller->length = (socklen_t)length;
	return 0;
}

bool lp_caller_ip(const struct caller *caller, struct lp_address *ret_address, unsigned *ret_port)
{
	const union address *address = &caller->address;

	if (address->any.sa_family == AF_INET && caller->length >= sizeof(address->in)) {
		*ret_address = (struct lp_address){{[10] = 0xff, [11] = 0xff}};
		memcpy(ret_address->bytes + 12, &address->in.sin_addr, 4);
		*ret_port = ntohs(address->in.sin_port);
		return true;
	}
	/* the scope at the end may be left out (RFC 2133) */
	if (address->any.sa_family == AF_INET6 && caller->length >= sizeof(address->in6) - 4) {
		memcpy(ret_address->bytes, &address->in6.sin6_addr, 16);
		*ret_port = ntohs(address->in6.sin6_port);
		return true;
	}
	return false;
}

bool lp_address_is_any(const struct lp_address *address)
{
	static const struct lp_address any = {{0}}, any_ipv4 = {{[10] = 0xff, [11] = 0xff}};

	return !memcmp(address, &any, sizeof(any)) || !memcmp(address, &any_ipv4, sizeof(any_ipv4));
}

void lp_caller_program(const struct caller *caller, char ret_program[LP_PROGRAM_SIZE])
{
	const struct lp_gate *gate = caller->gate;
	pid_t tid = caller->call.tid;
	size_t place = (size_t)tid % LP_ARRAY_SIZE(gate->callers);
	ssize_t n = -1;

	if (gate->callers[place].tid == tid)
		n = pread(gate->callers[place].comm, ret_program, LP_PROGRAM_SIZE - 1, 0);
	if (n < 0) {
		lp_autoclose int fd = open_comm(tid);

		n = fd < 0 ? 0 : read(fd, ret_program, LP_PROGRAM_SIZE - 1);
	}
	ret_program[n > 0 ? n : 0] = '\0';
	ret_program[strcspn(ret_program, "\n")] = '\0';
}

/* The kernel's own: the call is made again, or fails with EINTR, as the signal's handler asks. */
#define ERESTARTSYS 512

int lp_caller_signalled(const struct caller *caller, bool restarts)
{
	char status[LP_STATUS_SIZE];
	uint64_t pending, own;

	lp_task_status(caller->call.tid, status);
	pending = ~lp_status_number(status, "\nSigBlk:", 16, ~0ULL) &
		  ~lp_status_number(status, "\nSigIgn:", 16, ~0ULL);
	own = pending & lp_status_number(status, "\nSigPnd:", 16, 0);
	pending &= lp_status_number(status, "\nShdPnd:", 16, 0);
	if (lp_status_number(status, "\nThreads:", 10, 0) == 1)
		own |= pending;
	if (own)
		return restarts ? -ERESTARTSYS : -EINTR;
	/* another thread may take it, and then nobody would translate the kernel's own number */
	return pending & lp_status_number(status, "\nSigCgt:", 16, 0) ? -EINTR : 0;
}

/* The path as text: what the address holds up to its end or a NUL. */
static void copy_path(const struct caller *caller, char ret_path[109])
{
	size_t length = caller->length - offsetof(struct sockaddr_un, sun_path);

	if (length > 108)
		length = 108;
	memcpy(ret_path, caller->address.un.sun_path, length);
	ret_path[length] = '\0';
}

static int open_in_root(const struct caller *caller, const char *path, int flags)
{
	const struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char root_path[64];
	lp_autoclose int root = -1;
	int fd;

	snprintf(root_path, sizeof(root_path), "/proc/%d/root", caller->call.tid);
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/*
 * Opens path as the caller would, without granting it anything: O_PATH. "/proc/self" is the
 * caller's, and leads on through one of its descriptors only.
 */
static int open_as_caller(const struct caller *caller, const char *path, int flags)
{
	char cwd[PATH_MAX], link[64], full[PATH_MAX + 128];
	ssize_t n;
	int fd;

	if (!strncmp(path, "/proc/self/", 11)) {
		snprintf(full, sizeof(full), "/proc/%d/%s", caller->call.tid, path + 11);
		fd = open(full, flags | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	if (path[0] == '/')
		return open_in_root(caller, path, flags);
	snprintf(link, sizeof(link), "/proc/%d/cwd", caller->call.tid);
	n = readlink(link, cwd, sizeof(cwd) - 1);
	if (n <= 0 || cwd[0] != '/')
		return n < 0 ? -errno : -ENOENT;
	cwd[n] = '\0';
	snprintf(full, sizeof(full), "%s/%s", cwd, path);
	return open_in_root(caller, full, flags);
}

int lp_caller_parent(const struct caller *caller, int *ret_dir, char ret_name[109])
{
	char path[109], *slash;
	int fd;

	copy_path(caller, path);
	slash = strrchr(path, '/');
	snprintf(ret_name, 109, "%s", slash ? slash + 1 : path);
	if (!*ret_name || !strcmp(ret_name, ".") || !strcmp(ret_name, ".."))
		return -EADDRINUSE;
	if (!slash)
		snprintf(path, sizeof(path), ".");
	else if (slash == path)
		path[1] = '\0';
	else
		*slash = '\0';
	fd = open_as_caller(caller, path, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	*ret_dir = fd;
	return 0;
}

int lp_caller_object(const struct caller *caller, int *ret_fd)
{
	char path[109];
	int fd;

	copy_path(caller, path);
	fd = open_as_caller(caller, path, O_PATH);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

char *lp_descriptor_path(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return NULL;
	path[n] = '\0';
	return strdup(path);
}
