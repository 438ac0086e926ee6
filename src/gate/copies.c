/*
 * Where a container's seccomp profile refuses pidfd_getfd(2), the gate makes the command's sockets
 * itself and keeps a copy of each, so that options that the program set are on it already.
 *
 * Runs in the supervisor. A copy is let go as soon as its socket is connected or listens: else a
 * close() of the command's would not end the connection. Sockets that the command closes unused
 * wait here until there is no room for more.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/parts.h"

#define COPIES_MAX  4096
#define SWEEP_PAUSE 256 /* sockets made between two looks at all processes */

static bool is_free(const struct copy *copy)
{
	return copy->fd < 0 && !copy->stands_in;
}

static struct copy *find(struct copies *copies, ino_t inode)
{
	for (size_t i = 0; i < copies->count; i++)
		if (!is_free(&copies->items[i]) && copies->items[i].inode == inode)
			return &copies->items[i];
	return NULL;
}

int lp_copies_fetch(const struct caller *caller)
{
	const struct copy *copy;
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", caller->call.tid, (int)caller->call.args[0]);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? -EBADF : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	copy = find(&caller->gate->copies, st.st_ino);
	if (!copy) /* let go, because it was connected; or it came from outside, connected */
		return -EISCONN;
	if (copy->stands_in)
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	else
		fd = fcntl(copy->fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* The sockets that one process has. */
static void mark_process(struct copies *copies, const char *pid)
{
	char path[64], link[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct copy *copy;
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		copy = strncmp(link, "socket:[", 8) ? NULL
						    : find(copies, strtoul(link + 8, NULL, 10));
		if (copy)
			copy->is_held = true;
	}
	if (dir)
		closedir(dir);
}

static void let_go(struct copy *copy)
{
	lp_closep(&copy->fd);
	copy->fd = -1;
	copy->stands_in = false;
}

/* Lets go of sockets that no process has any more. One on its way to another goes too, and is then
 * one that came from outside. */
static void sweep(struct copies *copies)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			atol(entry->d_name) != getpid())
			mark_process(copies, entry->d_name);
	closedir(dir);
	for (size_t i = 0; i < copies->count; i++) {
		struct copy *copy = &copies->items[i];

		if (!copy->is_held)
			let_go(copy);
		copy->is_held = false;
	}
}

/* ---- making and keeping ---- */

static struct copy *find_free(struct copies *copies)
{
	for (size_t i = 0; i < copies->count; i++)
		if (is_free(&copies->items[i]))
			return &copies->items[i];
	return copies->count < copies->size ? &copies->items[copies->count++] : NULL;
}

/* Those that are open still go only where all are, in turns. */
static struct copy *make_room(struct copies *copies)
{
	struct copy *copy = find_free(copies);

	if (!copy && copies->made >= SWEEP_PAUSE) {
		sweep(copies);
		copies->made = 0;
		copy = find_free(copies);
	}
	if (!copy) {
		copy = &copies->items[copies->next];
		copies->next = (copies->next + 1) % copies->size;
		let_go(copy);
	}
	copies->made++;
	return copy;
}

static int start(struct copies *copies)
{
	struct rlimit files;

	/* the rest of the descriptors is for others */
	copies->size = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 2 < COPIES_MAX
			       ? files.rlim_cur / 2
			       : COPIES_MAX;
	if (!copies->size)
		return -EMFILE;
	copies->items = calloc(copies->size, sizeof(*copies->items));
	copies->made = SWEEP_PAUSE;
	return copies->items ? 0 : -ENOMEM;
}

static int keep(struct copies *copies, int fd, bool stands_in)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!copies->items && start(copies) < 0)
		return -ENOMEM;
	*make_room(copies) = (struct copy){
		.fd = stands_in ? -1 : fd, .inode = st.st_ino, .stands_in = stands_in};
	return 0;
}

int lp_copies_make(struct caller *caller)
{
	int type = (int)caller->call.args[1], r;
	lp_autoclose int fd =
		socket((int)caller->call.args[0], type | SOCK_CLOEXEC, (int)caller->call.args[2]);

	if (fd < 0)
		return -errno;
	r = lp_notify_give(caller->gate->listener, caller->call.id, fd, type & SOCK_CLOEXEC);
	if (r < 0)
		return r;
	r = keep(&caller->gate->copies, fd, false);
	if (r == 0)
		fd = -1; /* kept */
	return LP_ANSWER_LATER;
}

void lp_copies_note(struct copies *copies, int fd)
{
	keep(copies, fd, true);
}

int lp_copies_bind(const struct caller *caller, const struct sockaddr *address, socklen_t length)
{
	if (bind(caller->fd, address, length) == 0)
		return 0;
	if (errno != EADDRINUSE || !(caller->gate->plan->filter & LP_FILTER_SOCKETS))
		return -errno;
	sweep(&caller->gate->copies);
	return bind(caller->fd, address, length) < 0 ? -errno : 0;
}

void lp_copies_let_go(struct copies *copies, int fd)
{
	struct stat st;
	struct copy *copy = fstat(fd, &st) < 0 ? NULL : find(copies, st.st_ino);

	if (copy && !copy->stands_in)
		let_go(copy);
}

void lp_copies_clear(struct copies *copies)
{
	for (size_t i = 0; i < copies->count; i++)
		lp_closep(&copies->items[i].fd);
	free(copies->items);
}
