/*
 * What an attacker would try against the edge: the acts of attacks.py.
 *
 *     attacks STYLE OP FREE PROTECTED TRIES
 *     attacks ACT ARGUMENT...
 *
 * A style is a way to make an op (one call that changes something) mean another file than the one
 * that was looked at: the text of the path, the descriptor or the directory is changed by a second
 * thread meanwhile. An act tells nothing about its success: attacks.py looks at what was protected.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

/* A file and a directory of the attacker's own, where it may do all. */
#define MINE     "own/mine"
#define MINE_DIR "own/mine-dir"

static char **arguments;

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static int make_mine(void)
{
	int fd = open(MINE, O_CREAT | O_WRONLY, 0644);

	if (fd < 0)
		fail(MINE);
	if (write(fd, "mine\n", 5) != 5)
		fail(MINE);
	return close(fd);
}

/* ---- ops: path is relative to dir, a descriptor or AT_FDCWD ---- */

static int write_to(int fd)
{
	if (fd < 0)
		return -1;
	if (write(fd, "mine\n", 5) != 5)
		perror("write");
	return close(fd);
}

static int op_create(int dir, const char *path)
{
	return write_to(openat(dir, path, O_CREAT | O_WRONLY | O_NONBLOCK, 0666));
}

static int op_exclusive(int dir, const char *path)
{
	return write_to(openat(dir, path, O_CREAT | O_EXCL | O_WRONLY, 0666));
}

static int op_truncate_open(int dir, const char *path)
{
	return write_to(openat(dir, path, O_WRONLY | O_TRUNC | O_NONBLOCK));
}

static int op_append(int dir, const char *path)
{
	return write_to(openat(dir, path, O_RDWR | O_APPEND | O_NONBLOCK));
}

static int op_openat2(int dir, const char *path)
{
	struct open_how how = {.flags = O_CREAT | O_WRONLY | O_NONBLOCK, .mode = 0666};

	return write_to((int)syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

static int read_by(int dir, const char *path, int flags)
{
	char text[64];
	int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | flags, 0666);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n > 0 && fwrite(text, 1, (size_t)n, stdout) == 0)
		perror("stdout");
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

/* Only looks, but so that it must be asked for; what it sees it tells. */
static int op_read(int dir, const char *path)
{
	return read_by(dir, path, O_CREAT);
}

static int op_read_only(int dir, const char *path)
{
	return read_by(dir, path, 0);
}

/* By a descriptor that opens nothing. */
static int op_reopen(int dir, const char *path)
{
	char link[64];
	int r, fd = openat(dir, path, O_PATH);

	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	r = write_to(open(link, O_WRONLY | O_TRUNC | O_NONBLOCK));
	close(fd);
	return r;
}

static int op_truncate(int dir, const char *path)
{
	return dir == AT_FDCWD ? truncate(path, 3) : op_truncate_open(dir, path);
}

static int op_mkdir(int dir, const char *path)
{
	return mkdirat(dir, path, 0777);
}

static int op_rmdir(int dir, const char *path)
{
	return unlinkat(dir, path, AT_REMOVEDIR);
}

static int op_unlink(int dir, const char *path)
{
	return unlinkat(dir, path, 0);
}

static int op_symlink(int dir, const char *path)
{
	return symlinkat(MINE, dir, path);
}

static int op_mknod(int dir, const char *path)
{
	return mknodat(dir, path, S_IFIFO | 0666, 0);
}

static int op_bind(int dir, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r, fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (dir == AT_FDCWD)
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	else
		snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir,
			path);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return r;
}

static int op_link_to(int dir, const char *path)
{
	make_mine();
	return linkat(AT_FDCWD, MINE, dir, path, 0);
}

/* A name of one's own for it; then all that can be done by that name. */
static int use_alias(const char *alias)
{
	int fd = open(alias, O_WRONLY | O_TRUNC | O_NONBLOCK);

	write_to(fd);
	chmod(alias, 0700);
	return unlink(alias);
}

static int op_link_from(int dir, const char *path)
{
	unlink(MINE "-alias");
	return linkat(dir, path, AT_FDCWD, MINE "-alias", 0) < 0 ? -1 : use_alias(MINE "-alias");
}

static int op_link_object(int dir, const char *path)
{
	int r, fd = openat(dir, path, O_PATH);
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	unlink(MINE "-alias");
	r = linkat(fd, "", AT_FDCWD, MINE "-alias", AT_EMPTY_PATH);
	if (r < 0)
		r = linkat(AT_FDCWD, link, AT_FDCWD, MINE "-alias", AT_SYMLINK_FOLLOW);
	close(fd);
	return r < 0 ? -1 : use_alias(MINE "-alias");
}

/* A file without a name gets this one. */
static int op_tmpfile(int dir, const char *path)
{
	int r, fd = open(".", O_TMPFILE | O_WRONLY, 0644);
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	r = linkat(AT_FDCWD, link, dir, path, AT_SYMLINK_FOLLOW);
	close(fd);
	return r;
}

static int op_rename_to(int dir, const char *path)
{
	make_mine();
	return renameat(AT_FDCWD, MINE, dir, path);
}

static int op_rename_dir_to(int dir, const char *path)
{
	mkdir(MINE_DIR, 0755);
	mkdir(MINE_DIR "/commands", 0755);
	return renameat(AT_FDCWD, MINE_DIR, dir, path);
}

static int op_rename_from(int dir, const char *path)
{
	return renameat(dir, path, AT_FDCWD, "moved");
}

static int op_exchange(int dir, const char *path)
{
	make_mine();
	return (int)syscall(SYS_renameat2, AT_FDCWD, MINE, dir, path, RENAME_EXCHANGE);
}

static int op_exchange_dir(int dir, const char *path)
{
	mkdir(MINE_DIR, 0755);
	return (int)syscall(SYS_renameat2, dir, path, AT_FDCWD, MINE_DIR, RENAME_EXCHANGE);
}

static int op_whiteout(int dir, const char *path)
{
	return (int)syscall(SYS_renameat2, dir, path, AT_FDCWD, "moved", RENAME_WHITEOUT);
}

static int op_chmod(int dir, const char *path)
{
	return fchmodat(dir, path, 0707, 0);
}

static int op_chmod2(int dir, const char *path)
{
	return (int)syscall(452, dir, path, 0706, 0);
}

static int op_chmod_empty(int dir, const char *path)
{
	int r, fd = openat(dir, path, O_PATH);

	r = (int)syscall(452, fd, "", 0706, AT_EMPTY_PATH);
	close(fd);
	return r;
}

static int op_chmod_link(int dir, const char *path)
{
	char link[64];
	int r, fd = openat(dir, path, O_PATH);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	r = chmod(link, 0705);
	close(fd);
	return r;
}

/* The calls on an open descriptor: path is opened for reading, dir's path is not walked again. */
static int open_for_reading(int dir, const char *path)
{
	return *path ? openat(dir, path, O_RDONLY | O_NONBLOCK) : dup(dir);
}

static int op_fchmod(int dir, const char *path)
{
	int fd = open_for_reading(dir, path), r = fchmod(fd, 0703);

	close(fd);
	return r;
}

static int op_chown(int dir, const char *path)
{
	return fchownat(dir, path, (uid_t)-1, getuid() ? getgid() : 7, 0);
}

static int op_fchown(int dir, const char *path)
{
	int fd = open_for_reading(dir, path), r = fchown(fd, (uid_t)-1, getuid() ? getgid() : 7);

	close(fd);
	return r;
}

static int op_times(int dir, const char *path)
{
	const struct timespec times[2] = {{1, 1}, {1, 1}};

	return utimensat(dir, path, times, 0);
}

static int op_futimens(int dir, const char *path)
{
	const struct timespec times[2] = {{1, 1}, {2, 2}};
	int fd = open_for_reading(dir, path), r = futimens(fd, times);

	close(fd);
	return r;
}

static int op_utimes(int dir, const char *path)
{
	const struct timeval times[2] = {{1, 1}, {3, 3}};

#ifdef SYS_futimesat
	return (int)syscall(SYS_futimesat, dir, path, times);
#else
	(void)times;
	return utimensat(dir, path, NULL, 0);
#endif
}

static int op_touch(int dir, const char *path)
{
	return utimensat(dir, path, NULL, 0);
}

static int op_fsetxattr(int dir, const char *path)
{
	int fd = open_for_reading(dir, path), r = fsetxattr(fd, "user.mine", "1", 1, 0);

	close(fd);
	return r;
}

/* The calls below have no directory of their own: by the descriptor's link. */
static const char *joined(int dir, const char *path, char ret_text[512])
{
	if (dir == AT_FDCWD)
		return path;
	snprintf(ret_text, 512, "/proc/self/fd/%d/%s", dir, path);
	return ret_text;
}

static int op_setxattr(int dir, const char *path)
{
	char text[512];

	return setxattr(joined(dir, path, text), "user.mine", "1", 1, 0);
}

static int op_setxattrat(int dir, const char *path)
{
	struct {
		uint64_t value;
		uint32_t size, flags;
	} what = {(uintptr_t) "1", 1, 0};

	return (int)syscall(463, dir, path, 0, "user.mine", &what, sizeof(what));
}

static int op_removexattr(int dir, const char *path)
{
	char text[512];

	return removexattr(joined(dir, path, text), "user.there");
}

static int op_acl(int dir, const char *path)
{
	/* version 2; user, user 1, group, mask, other */
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entries[5];
	} acl = {2, {{1, 6, ~0U}, {2, 7, 1}, {4, 4, ~0U}, {16, 7, ~0U}, {32, 4, ~0U}}};
	char text[512];

	return setxattr(joined(dir, path, text), "system.posix_acl_access", &acl, sizeof(acl), 0);
}

static int op_setflags(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_NONBLOCK), r, flags = FS_NODUMP_FL;

	r = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	return r;
}

static const struct op {
	const char *name;
	int (*act)(int dir, const char *path);
} ops[] = {
	{"create", op_create},
	{"exclusive", op_exclusive},
	{"truncate-open", op_truncate_open},
	{"append", op_append},
	{"openat2", op_openat2},
	{"read", op_read},
	{"read-only", op_read_only},
	{"reopen", op_reopen},
	{"truncate", op_truncate},
	{"mkdir", op_mkdir},
	{"rmdir", op_rmdir},
	{"unlink", op_unlink},
	{"symlink", op_symlink},
	{"mknod", op_mknod},
	{"bind", op_bind},
	{"link-to", op_link_to},
	{"link-from", op_link_from},
	{"link-object", op_link_object},
	{"tmpfile", op_tmpfile},
	{"rename-to", op_rename_to},
	{"rename-dir-to", op_rename_dir_to},
	{"rename-from", op_rename_from},
	{"exchange", op_exchange},
	{"exchange-dir", op_exchange_dir},
	{"whiteout", op_whiteout},
	{"chmod", op_chmod},
	{"chmod2", op_chmod2},
	{"chmod-empty", op_chmod_empty},
	{"chmod-link", op_chmod_link},
	{"fchmod", op_fchmod},
	{"chown", op_chown},
	{"fchown", op_fchown},
	{"times", op_times},
	{"futimens", op_futimens},
	{"utimes", op_utimes},
	{"touch", op_touch},
	{"setxattr", op_setxattr},
	{"setxattrat", op_setxattrat},
	{"fsetxattr", op_fsetxattr},
	{"removexattr", op_removexattr},
	{"acl", op_acl},
	{"setflags", op_setflags},
};

static const struct op *find_op(const char *name)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	errno = EINVAL;
	fail(name);
	return NULL;
}

/* ---- races ---- */

static atomic_bool is_over, is_under_way;

/* A moment of up to about 50 us, never the same twice. */
static void linger(unsigned *seed)
{
	for (int i = rand_r(seed) % 20000; i > 0 && !is_over; i--)
		atomic_signal_fence(memory_order_seq_cst);
	is_under_way = true;
}

static pthread_t start_thread(void *(*swapper)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, swapper, argument))
		fail("pthread_create");
	while (!is_under_way)
		sched_yield();
	return thread;
}

static void *swap_texts(void *text)
{
	const char *free_text = arguments[1], *protected_text = arguments[2];
	size_t at = 0;
	unsigned seed = 1;

	while (free_text[at] == protected_text[at])
		at++;
	while (!is_over) { /* one byte, so that each text is whole */
		((volatile char *)text)[at] = protected_text[at];
		linger(&seed);
		((volatile char *)text)[at] = free_text[at];
		linger(&seed);
	}
	return NULL;
}

static void *swap_descriptors(void *numbers)
{
	const int *fds = numbers;
	unsigned seed = 1;

	while (!is_over) {
		dup2(fds[1], fds[2]);
		linger(&seed);
		dup2(fds[0], fds[2]);
		linger(&seed);
	}
	return NULL;
}

/* Two names trade their places. */
static void *swap_names(void *unused)
{
	unsigned seed = 1;

	(void)unused;
	while (!is_over) {
		syscall(SYS_renameat2, AT_FDCWD, arguments[1], AT_FDCWD, arguments[2],
			RENAME_EXCHANGE);
		linger(&seed);
	}
	return NULL;
}

/* Renews what the op may have used up. FREE is a file, or a directory with that file in it. */
static void renew(const char *path, const char *op)
{
	bool makes = strstr("exclusive mkdir symlink mknod bind link-to tmpfile rename-dir-to", op);
	int fd;

	if (makes) {
		if (unlink(path) < 0)
			rmdir(path);
	} else if (!strcmp(op, "rmdir") || !strcmp(op, "exchange-dir")) {
		mkdir(path, 0777);
	} else {
		fd = open(path, O_CREAT | O_WRONLY, 0666);
		if (fd >= 0)
			close(fd);
	}
}

static void race(
	void *(*swapper)(void *), void *argument, int dir, const char *text, const char *free_text)
{
	const struct op *op = find_op(arguments[0]);
	int tries = atoi(arguments[3]), done = 0;
	pthread_t thread;

	thread = start_thread(swapper, argument);
	for (int i = 0; i < tries; i++) {
		if (free_text)
			renew(free_text, op->name);
		done += op->act(dir, text) == 0;
	}
	is_over = true;
	pthread_join(thread, NULL);
	printf("did %d of %d\n", done, tries);
}

/* text OP FREE PROTECTED TRIES: the paths differ in one byte. */
static int style_text(void)
{
	char *text = strdup(arguments[1]);

	race(swap_texts, text, AT_FDCWD, text, arguments[1]);
	return 0;
}

/* dir OP FREE PROTECTED TRIES NAME: a number that is now the one, now the other directory. */
static int style_dir(void)
{
	int fds[3] = {open(arguments[1], O_RDONLY | O_DIRECTORY),
		open(arguments[2], O_RDONLY | O_DIRECTORY), 100};
	char *free_text = NULL;

	if (fds[0] < 0 || fds[1] < 0 || dup2(fds[0], 100) < 0 ||
		asprintf(&free_text, "%s/%s", arguments[1], arguments[4]) < 0)
		fail("dir");
	race(swap_descriptors, fds, 100, arguments[4], free_text);
	return 0;
}

static void use_number(void)
{
	const struct timespec times[2] = {{1, 1}, {2, 2}};
	int flags = FS_NODUMP_FL;

	fchmod(100, 0701);
	futimens(100, times);
	fsetxattr(100, "user.mine", "1", 1, 0);
	fremovexattr(100, "user.there");
	fchown(100, (uid_t)-1, getgid());
	ioctl(100, FS_IOC_SETFLAGS, &flags);
	syscall(452, 100, "", 0704, AT_EMPTY_PATH);
	unlink(MINE "-alias");
	if (linkat(100, "", AT_FDCWD, MINE "-alias", AT_EMPTY_PATH) == 0)
		use_alias(MINE "-alias");
	if (linkat(AT_FDCWD, "/proc/self/fd/100", AT_FDCWD, MINE "-alias", AT_SYMLINK_FOLLOW) == 0)
		use_alias(MINE "-alias");
	write_to(open("/proc/self/fd/100", O_WRONLY | O_TRUNC | O_NONBLOCK));
	truncate("/dev/fd/100", 2);
}

/* fd - FREE PROTECTED TRIES: all that can be done by a number, which is now one file, now another.
 */
static int style_fd(void)
{
	int fds[3] = {open(arguments[1], O_RDONLY), open(arguments[2], O_RDONLY), 100};
	int tries = atoi(arguments[3]);
	pthread_t thread;

	if (fds[0] < 0 || fds[1] < 0 || dup2(fds[0], 100) < 0)
		fail("fd");
	thread = start_thread(swap_descriptors, fds);
	for (int i = 0; i < tries; i++)
		use_number();
	is_over = true;
	pthread_join(thread, NULL);
	return 0;
}

/* kept PATH: the same with a file that is open already when its name goes. */
static int act_kept(void)
{
	int fd = open(arguments[0], O_RDONLY);

	if (fd < 0 || dup2(fd, 100) < 0)
		fail(arguments[0]);
	puts("kept");
	fflush(stdout);
	while (access(arguments[0], F_OK) == 0)
		poll(NULL, 0, 5);
	use_number();
	return 0;
}

/* deep DIR FILE: the ops from chmod on, on a file whose path is longer than any that the kernel
 * tells. */
static int act_deep(void)
{
	char name[201];

	memset(name, 'd', 200);
	name[200] = '\0';
	if (chdir(arguments[0]) < 0)
		fail(arguments[0]);
	while (chdir(name) == 0)
		;
	for (const struct op *op = find_op("chmod"); op < ops + sizeof(ops) / sizeof(ops[0]); op++)
		op->act(AT_FDCWD, arguments[1]);
	return 0;
}

/* parent OP A B TRIES PATH: A and B trade places; PATH leads through A. */
static int style_parent(void)
{
	race(swap_names, NULL, AT_FDCWD, arguments[4], arguments[4]);
	return 0;
}

/* walk OP A B TRIES PATH CWD: as parent, relative to a directory that is moved meanwhile. */
static int style_walk(void)
{
	int there = open(arguments[5], O_PATH);
	pthread_t thread;
	const struct op *op = find_op(arguments[0]);

	if (there < 0)
		fail(arguments[5]);
	thread = start_thread(swap_names, NULL);
	for (int i = atoi(arguments[3]); i > 0; i--)
		op->act(there, arguments[4]);
	is_over = true;
	pthread_join(thread, NULL);
	return 0;
}

/* ---- open_how ---- */

static struct open_how how_shared;

static void *swap_how(void *unused)
{
	unsigned seed = 1;

	(void)unused;
	while (!is_over) {
		how_shared.flags = O_WRONLY | O_CREAT | O_TRUNC;
		how_shared.mode = 0666;
		linger(&seed);
		how_shared.flags = O_PATH;
		how_shared.mode = 0;
		linger(&seed);
		how_shared.flags = O_RDONLY;
		how_shared.resolve = RESOLVE_BENEATH;
		linger(&seed);
		how_shared.resolve = 0;
	}
	return NULL;
}

static int style_how(void)
{
	pthread_t thread;

	thread = start_thread(swap_how, NULL);
	for (int i = atoi(arguments[3]); i > 0; i--)
		write_to((int)syscall(
			SYS_openat2, AT_FDCWD, arguments[2], &how_shared, sizeof(how_shared)));
	is_over = true;
	pthread_join(thread, NULL);
	return 0;
}

/* ---- each way to name a file, with each op ---- */

static void try_text(const struct op *op, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void try_text(const struct op *op, const char *format, ...)
{
	static bool is_exchanged; /* once more would undo it */
	char text[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (!is_exchanged)
		is_exchanged = op->act(AT_FDCWD, text) == 0 && strstr(op->name, "exchange");
}

/* direct OP PATH: by all the ways to say PATH (relative to the project), until one works. */
static int style_direct(void)
{
	const struct op *op = find_op(arguments[0]);
	const char *path = arguments[1], *name = strrchr(path, '/');
	char cwd[512], parent[512] = ".";
	int dir, here = open(".", O_PATH);

	if (!getcwd(cwd, sizeof(cwd)))
		fail("getcwd");
	if (name)
		snprintf(parent, sizeof(parent), "%.*s", (int)(name - path), path);
	name = name ? name + 1 : path;
	try_text(op, "%s", path);
	try_text(op, "%s/%s", cwd, path);
	try_text(op, "./%s", path);
	try_text(op, "own/../%s", path);
	if (parent[0] != '.' || parent[1])
		try_text(op, "%s/../%s", parent, path);
	try_text(op, "%s//./%s", parent, name);
	try_text(op, "//%s/.//%s", cwd, path);
	try_text(op, "%s/", path);
	try_text(op, "%s/.", path);
	try_text(op, "/proc/self/cwd/%s", path);
	try_text(op, "/proc/%d/cwd/%s", getpid(), path);
	try_text(op, "/proc/thread-self/cwd/%s", path);
	try_text(op, "/proc/self/task/%d/cwd/%s", getpid(), path);
	try_text(op, "/proc/self/root/%s/%s", cwd, path);
	try_text(op, "/proc/%d/cwd/%s", getppid(), path);
	try_text(op, "/proc/%d/root/%s/%s", getppid(), cwd, path);
	try_text(op, "/dev/fd/%d/%s", here, path);
	try_text(op, "/proc/self/fd/%d/%s", here, path);
	try_text(op, "/proc//self/./fd/%d/%s", here, path);
	symlink(cwd, "own/to-project");
	symlink("/proc/self", "own/to-self");
	symlink("/proc/self/fd", "own/to-fd");
	symlink("/proc/self/cwd", "own/to-cwd");
	try_text(op, "own/to-project/%s", path);
	try_text(op, "own/to-self/cwd/%s", path);
	try_text(op, "own/to-self/fd/%d/%s", here, path);
	try_text(op, "own/to-fd/%d/%s", here, path);
	try_text(op, "own/to-cwd/%s", path);
	/* a link to the very name, there or not */
	try_text(op, "%s", symlinkat(path, here, "to-it") < 0 ? path : "to-it");
	unlinkat(here, "to-it", 0);
	if (strstr(op->name, "exchange"))
		return 0;
	dir = open(parent, O_PATH | O_DIRECTORY);
	if (dir >= 0) {
		op->act(dir, name);
		try_text(op, "/proc/self/fd/%d/%s", dir, name);
		close(dir);
	}
	dir = open(parent, O_RDONLY | O_DIRECTORY);
	if (dir >= 0) {
		op->act(dir, name);
		close(dir);
	}
	if (chdir(parent) == 0) {
		op->act(AT_FDCWD, name);
		fchdir(here);
	}
	return 0;
}

/* ---- what belongs to the supervisor ---- */

static void tell_file(const char *path, int flags)
{
	char text[4096];
	int fd = open(path, flags, 0600);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	for (ssize_t i = 0; i < n; i++)
		putchar(text[i] ? text[i] : '\n');
	if (fd >= 0)
		close(fd);
}

/* views: tells all that it is shown of "itself", asked in ways that the supervisor may answer. */
static int act_views(void)
{
	static const char *const names[] = {"environ", "cmdline", "comm", "status", "mounts"};
	static const char *const ways[] = {"/proc/self", "/proc/thread-self", "own/to-self",
		"own/to-thread", "/proc//self", "/proc/./self", "/../proc/self",
		"/proc/self/../self"};
	static const int flags[] = {O_RDONLY, O_RDONLY | O_CREAT, O_RDWR, O_RDWR | O_CREAT,
		O_RDONLY | O_NOFOLLOW, O_RDONLY | O_CREAT | O_NOFOLLOW};

	symlink("/proc/self", "own/to-self");
	symlink("/proc/thread-self", "own/to-thread");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t j = 0; j < sizeof(ways) / sizeof(ways[0]); j++)
			for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
				char path[128];

				snprintf(path, sizeof(path), "%s/%s", ways[j], names[i]);
				tell_file(path, flags[k]);
			}
	return 0;
}

/*
 * foreign PATH...: through another process's links. Bare and as root all of them work: they must
 * lead to nothing but what is the test's.
 */
static int act_foreign(void)
{
	static const char *const tried[] = {"create", "append", "truncate", "chmod", "times",
		"unlink", "rename-to", "link-to", "mkdir", "read"};

	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
		for (char **path = arguments; *path; path++)
			find_op(tried[i])->act(AT_FDCWD, *path);
	return 0;
}

/* ---- other numbers for the same calls ---- */

#ifdef __x86_64__
static long int80(long number, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return r;
}
#endif

/* numbers WAY PATH: chmod, open for writing, unlink by 32-bit or x32 numbers. */
static int act_numbers(void)
{
#ifdef __x86_64__
	const long x32 = 0x40000000;
	char *low = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	snprintf(low, 4096, "%s", arguments[1]);
	if (!strcmp(arguments[0], "int80")) {
		int80(15, (long)low, 0707, 0);
		int80(5, (long)low, O_WRONLY | O_TRUNC, 0);
		int80(10, (long)low, 0, 0);
	} else {
		syscall(x32 | SYS_chmod, low, 0707);
		syscall(x32 | SYS_open, low, O_WRONLY | O_TRUNC);
		syscall(x32 | SYS_unlink, low);
	}
#endif
	return 0;
}

/* subvolume DIR NAME: makes one, by a descriptor that is open for reading. */
static int act_subvolume(void)
{
	struct btrfs_ioctl_vol_args what = {0};
	int fd = open(arguments[0], O_RDONLY | O_DIRECTORY);

	snprintf(what.name, sizeof(what.name), "%s", arguments[1]);
	return ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &what) < 0;
}

/* ---- time ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* bystander COUNT: makes and removes COUNT files; median and longest time for one, in us. */
static int act_bystander(void)
{
	int count = atoi(arguments[0]);
	double *times = calloc((size_t)count, sizeof(*times));

	for (int i = 0; i < count; i++) {
		char name[32];
		double start = seconds();
		int fd;

		snprintf(name, sizeof(name), "bystander-%d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0)
			fail(name);
		times[i] = (seconds() - start) * 1e6;
		close(fd);
		unlink(name);
		poll(NULL, 0, 1);
	}
	qsort(times, (size_t)count, sizeof(*times), compare);
	printf("median %.0f longest %.0f\n", times[count / 2], times[count - 1]);
	return 0;
}

static void wait_for_all(void)
{
	while (wait(NULL) > 0)
		;
}

/* flood OP PROCESSES SECONDS: each makes and removes a name of its own, as fast as it can. */
static int act_flood(void)
{
	const struct op *op = find_op(arguments[0]);
	double end = seconds() + atof(arguments[2]);

	for (int i = atoi(arguments[1]); i > 0; i--)
		if (fork() == 0) {
			char name[32];

			snprintf(name, sizeof(name), "flood-%d", getpid());
			while (seconds() < end) {
				op->act(AT_FDCWD, name);
				unlinkat(AT_FDCWD, name,
					strcmp(op->name, "mkdir") ? 0 : AT_REMOVEDIR);
			}
			_exit(0);
		}
	wait_for_all();
	return 0;
}

/* fifos COUNT SECONDS: that many threads wait in open(2) for the other end of a FIFO. */
static void *open_fifo(void *name)
{
	int fd = open(name, O_RDONLY);

	if (fd >= 0)
		close(fd);
	return NULL;
}

static int act_fifos(void)
{
	int count = atoi(arguments[0]), started = 0;
	pthread_attr_t small;

	mkfifo("pipe", 0666);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 32768);
	for (; started < count; started++) {
		pthread_t thread;

		if (pthread_create(&thread, &small, open_fifo, (void *)"pipe"))
			break;
	}
	printf("started %d\n", started);
	fflush(stdout);
	poll(NULL, 0, (int)(atof(arguments[1]) * 1000));
	return 0;
}

/* lease OP SECONDS: op on a file that the attacker holds a lease on, and does not give back. */
static int act_lease(void)
{
	int fd;

	unlink("leased");
	fd = open("leased", O_CREAT | O_RDWR, 0644);
	if (fd < 0 || write(fd, "leased", 6) != 6)
		fail("leased");
	close(fd);
	fd = open("leased", O_RDONLY);
	signal(SIGIO, SIG_IGN);
	while (fcntl(fd, F_SETLEASE, F_RDLCK) <
		0) /* who opened it for us may not have closed it yet */
		if (errno != EAGAIN)
			fail("F_SETLEASE");
	if (fork() == 0) {
		puts("leased");
		fflush(stdout);
		find_op(arguments[0])->act(AT_FDCWD, "leased");
		_exit(0);
	}
	poll(NULL, 0, (int)(atof(arguments[1]) * 1000));
	return 0;
}

/* stop SIGNAL OP TRIES: a process that is hit by a signal in the middle of its call. */
static int act_stop(void)
{
	int signal_number = atoi(arguments[0]);
	const struct op *op = find_op(arguments[1]);
	unsigned seed = 3;

	for (int i = atoi(arguments[2]); i > 0; i--) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;) {
				op->act(AT_FDCWD, "stopped");
				unlink("stopped");
			}
		for (int j = rand_r(&seed) % 200; j > 0; j--)
			sched_yield();
		kill(pid, signal_number);
		if (i % 50)
			kill(pid, SIGKILL);
		else
			usleep(2000), kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

/* exec PROTECTED TRIES: threads that write to it while the process becomes another program. */
static void *write_always(void *path)
{
	for (;;) {
		op_create(AT_FDCWD, path);
		op_chmod(AT_FDCWD, path);
	}
	return NULL;
}

static int act_exec(void)
{
	for (int i = atoi(arguments[1]); i > 0; i--) {
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t thread;

			for (int j = 0; j < 4; j++)
				pthread_create(&thread, NULL, write_always, arguments[0]);
			usleep(300);
			execl("/proc/self/exe", "attacks", "nothing", NULL);
			_exit(3);
		}
		waitpid(pid, NULL, 0);
	}
	return 0;
}

/* tids PROTECTED TRIES: numbers of threads are used again while calls of theirs are decided. */
static void *write_once(void *path)
{
	op_create(AT_FDCWD, path);
	return NULL;
}

static int act_tids(void)
{
	for (int i = atoi(arguments[1]) / 8; i > 0; i--) {
		pid_t pid = fork();
		pthread_t threads[8];

		if (pid == 0) {
			for (int j = 0; j < 8; j++)
				if (pthread_create(&threads[j], NULL, write_once,
					    j % 2 ? arguments[0] : (void *)"harmless"))
					_exit(1);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	return 0;
}

/* ---- spare directories ---- */

/* recycle TRIES: sits in a directory that is removed; tells if it sees or changes another's. */
static int act_recycle(void)
{
	int seen = 0, filled = 0;

	for (int i = atoi(arguments[0]); i > 0; i--) {
		int old, fd;

		mkdir("first", 0755);
		old = open("first", O_RDONLY | O_DIRECTORY);
		rmdir("first");
		fd = openat(old, "left", O_CREAT | O_WRONLY, 0644);
		filled += fd >= 0;
		close(fd);
		mkdirat(old, "sub", 0755);
		fchmod(old, 0);
		renameat(old, "../1", AT_FDCWD, "stolen");
		unlinkat(old, "../1", AT_REMOVEDIR);
		unlinkat(old, "../2", AT_REMOVEDIR);
		mkdirat(old, "../mine", 0777);
		if (mkdir("second", 0755) == 0) {
			struct stat st;

			seen += fstatat(AT_FDCWD, "second/left", &st, 0) == 0;
			seen += stat("second", &st) == 0 && (st.st_mode & 0777) != 0755;
		}
		unlink("second/left");
		rmdir("second/sub");
		rmdir("second");
		close(old);
	}
	printf("filled %d, seen %d\n", filled, seen);
	return 0;
}

/* ladder PROTECTED-PARENT NAME: makes NAME ready in d, then has d become PROTECTED-PARENT. */
static int act_ladder(void)
{
	char text[256];

	for (int way = 0; way < 6; way++) {
		const char *base = way % 2 ? "own/d" : "d";

		mkdir(base, 0755);
		snprintf(text, sizeof(text), "%s/%s", base, arguments[1]);
		mkdir(text, 0755);
		switch (way / 2) {
		case 0:
			rename(base, arguments[0]);
			break;
		case 1:
			mkdir(arguments[0], 0755);
			syscall(SYS_renameat2, AT_FDCWD, base, AT_FDCWD, arguments[0],
				RENAME_EXCHANGE);
			break;
		default:
			rmdir(arguments[0]);
			symlink(base, arguments[0]);
		}
		/* and with a descriptor from before */
		snprintf(text, sizeof(text), "%s/%s", arguments[0], arguments[1]);
		mkdir(text, 0755);
	}
	return 0;
}

/* through FD PATH OP: a descriptor from outside is the directory. */
static int act_through(void)
{
	find_op(arguments[2])->act(atoi(arguments[0]), arguments[1]);
	return 0;
}

/* received SOCKET PATH OP: one that was sent by SCM_RIGHTS. */
static int act_received(void)
{
	char data, control[CMSG_SPACE(sizeof(int))];
	struct iovec io = {&data, 1};
	struct msghdr message = {.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	int fd;

	if (recvmsg(atoi(arguments[0]), &message, 0) <= 0 || !CMSG_FIRSTHDR(&message))
		fail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	find_op(arguments[2])->act(fd, arguments[1]);
	return 0;
}

/* restless PROTECTED: until it is killed, and one second after its parent is. */
static int act_restless(void)
{
	pid_t parent = getppid();
	double end = 0;

	while (!end || seconds() < end) {
		if (!end && getppid() != parent)
			end = seconds() + 1;
		op_create(AT_FDCWD, "restless");
		op_create(AT_FDCWD, arguments[0]);
		op_chmod(AT_FDCWD, arguments[0]);
		unlink("restless");
	}
	return 0;
}

static int act_nothing(void)
{
	return 0;
}

static const struct act {
	const char *name;
	int (*act)(void);
	int argument_count;
} acts[] = {
	{"direct", style_direct, 2},
	{"text", style_text, 4},
	{"dir", style_dir, 5},
	{"fd", style_fd, 4},
	{"parent", style_parent, 5},
	{"walk", style_walk, 6},
	{"how", style_how, 4},
	{"views", act_views, 0},
	{"foreign", act_foreign, 1},
	{"subvolume", act_subvolume, 2},
	{"kept", act_kept, 1},
	{"deep", act_deep, 2},
	{"numbers", act_numbers, 2},
	{"bystander", act_bystander, 1},
	{"flood", act_flood, 3},
	{"fifos", act_fifos, 2},
	{"lease", act_lease, 2},
	{"stop", act_stop, 3},
	{"exec", act_exec, 2},
	{"tids", act_tids, 2},
	{"recycle", act_recycle, 1},
	{"ladder", act_ladder, 2},
	{"through", act_through, 3},
	{"received", act_received, 3},
	{"restless", act_restless, 1},
	{"nothing", act_nothing, 0},
};

int main(int argc, char **argv)
{
	arguments = argv + 2;
	umask(022);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (argc > 1 && !strcmp(argv[1], acts[i].name) &&
			argc - 2 >= acts[i].argument_count)
			return acts[i].act();
	fprintf(stderr, "attacks: no such act, or too few arguments\n");
	return 2;
}
