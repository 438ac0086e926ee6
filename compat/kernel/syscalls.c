/*
 * System calls that the C library does not wrap, and Landlock's tables by ABI.
 * Runs in every process; takes no hostile input.
 */
#include "kernel/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_LANDLOCK_CREATE   444
#define NR_LANDLOCK_ADD_RULE 445
#define NR_LANDLOCK_RESTRICT 446
#define NR_PIDFD_OPEN        434
#define NR_CLOSE_RANGE       436
#define NR_OPENAT2           437

#define RESOLVE_NO_SYMLINKS_ 0x04

static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

int lp_landlock_create(const struct lp_landlock_attr *attr)
{
	size_t size = attr->scoped ? 24 : attr->handled_net ? 16 : 8;

	return result(syscall(NR_LANDLOCK_CREATE, attr, size, 0));
}

int lp_landlock_add_path(int ruleset, int path_fd, uint64_t access)
{
	struct {
		uint64_t allowed_access;
		int32_t parent_fd;
	} __attribute__((packed)) beneath = {access, path_fd};

	return result(syscall(NR_LANDLOCK_ADD_RULE, ruleset, LP_LL_RULE_PATH_BENEATH, &beneath, 0));
}

int lp_landlock_restrict(int ruleset)
{
	uint32_t flags = lp_landlock_abi() < 7 ? 0
					       : LP_LL_RESTRICT_LOG_SAME_EXEC_OFF |
							 LP_LL_RESTRICT_LOG_SUBDOMAINS_OFF;

	return result(syscall(NR_LANDLOCK_RESTRICT, ruleset, flags));
}

struct lp_landlock_attr lp_landlock_known(int abi)
{
	static const struct {
		int abi;
		struct lp_landlock_attr adds;
	} steps[] = {
		{1, {(1ULL << 13) - 1, 0, 0}},
		{2, {LP_FS_REFER, 0, 0}},
		{3, {LP_FS_TRUNCATE, 0, 0}},
		{4, {0, LP_NET_BIND_TCP | LP_NET_CONNECT_TCP, 0}},
		{5, {LP_FS_IOCTL_DEV, 0, 0}},
		{6, {0, 0, LP_SCOPE_ABSTRACT_UNIX | LP_SCOPE_SIGNAL}},
		{9, {LP_FS_RESOLVE_UNIX, 0, 0}},
		{10, {0, LP_NET_BIND_UDP | LP_NET_CONNECT_SEND_UDP, 0}},
	};
	struct lp_landlock_attr known = {0};

	for (size_t i = 0; i < LP_ARRAY_SIZE(steps) && steps[i].abi <= abi; i++) {
		known.handled_fs |= steps[i].adds.handled_fs;
		known.handled_net |= steps[i].adds.handled_net;
		known.scoped |= steps[i].adds.scoped;
	}
	return known;
}

const char *lp_landlock_right_name(uint64_t right)
{
	static const char *const names[] = {"EXECUTE", "WRITE_FILE", "READ_FILE", "READ_DIR",
		"REMOVE_DIR", "REMOVE_FILE", "MAKE_CHAR", "MAKE_DIR", "MAKE_REG", "MAKE_SOCK",
		"MAKE_FIFO", "MAKE_BLOCK", "MAKE_SYM", "REFER", "TRUNCATE", "IOCTL_DEV",
		"RESOLVE_UNIX"};

	for (size_t i = 0; i < LP_ARRAY_SIZE(names); i++)
		if (right == 1ULL << i)
			return names[i];
	return NULL;
}

/* Whether fd was reached by exactly this path, so that no symlink was followed on the way. */
static bool opened_as(int fd, const char *path)
{
	char link[64], place[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, place, sizeof(place) - 1);
	if (len < 0)
		return false;
	place[len] = '\0';
	return !strcmp(place, path);
}

int lp_open_no_symlinks(const char *path, int flags)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {(uint64_t)(unsigned)flags, 0, RESOLVE_NO_SYMLINKS_};
	int fd = result(syscall(NR_OPENAT2, AT_FDCWD, path, &how, sizeof(how)));

	/* EPERM: a container's filter that does not know it */
	if (fd != -ENOSYS && fd != -EPERM)
		return fd;
	fd = open(path, flags | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (opened_as(fd, path))
		return fd;
	close(fd);
	return -ELOOP;
}

int lp_close_range(unsigned first, unsigned last)
{
	const struct dirent *entry;
	DIR *dir;

	if (syscall(NR_CLOSE_RANGE, first, last, 0) == 0)
		return 0;
	dir = opendir("/proc/self/fd");
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		/* "." and ".." are no numbers */
		if (entry->d_name[0] != '.' && (unsigned)fd >= first && (unsigned)fd <= last &&
			fd != dirfd(dir))
			close(fd);
	}
	closedir(dir);
	return 0;
}

int lp_close_from(int first)
{
	return lp_close_range((unsigned)first, UINT_MAX);
}

int lp_pidfd_open(pid_t pid)
{
	return result(syscall(NR_PIDFD_OPEN, pid, 0));
}

int lp_drop_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}}, held[2] = {{0}};

	/* who has none has no ambient ones either, and may not drop from the bounding set */
	if (syscall(SYS_capget, &header, held) == 0 && !memcmp(held, none, sizeof(held)))
		return 0;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* EPERM without CAP_SETPCAP: then no_new_privs alone keeps the set from being used. */
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}
