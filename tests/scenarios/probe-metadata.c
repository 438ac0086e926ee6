/* The probe's acts on a file's metadata, by path and by a descriptor opened for reading. */
#include "probe.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* System calls that are newer than the oldest headers; the same numbers on all architectures. */
#define NR_FCHMODAT2     452
#define NR_SETXATTRAT    463
#define NR_REMOVEXATTRAT 466
#define NR_FILE_SETATTR  469

/* Of <linux/fs.h>, which not every C library can see. */
#define GET_FLAGS    _IOR('f', 1, long)
#define SET_FLAGS    _IOW('f', 2, long)
#define FLAG_NODUMP  0x40
#define XFLAG_NODUMP 0x80

#define ATTRIBUTE "user.probe"

static int on_fd(const char *path, int (*use)(int fd))
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int ret = use(fd);
	close(fd);
	return ret;
}

static int act_chmod(char **argv)
{
	return result(chmod(argv[0], 0640));
}

static int chmod_fd(int fd)
{
	return result(fchmod(fd, 0640));
}

static int act_fchmod(char **argv)
{
	return on_fd(argv[0], chmod_fd);
}

static int act_fchmodat2(char **argv)
{
	return result(syscall(NR_FCHMODAT2, AT_FDCWD, argv[0], 0640, AT_SYMLINK_NOFOLLOW));
}

/* Gives the file to those who own it already. */
static int act_chown(char **argv)
{
	return result(chown(argv[0], getuid(), getgid()));
}

static int act_lchown(char **argv)
{
	return result(lchown(argv[0], getuid(), getgid()));
}

static int chown_fd(int fd)
{
	return result(fchown(fd, getuid(), getgid()));
}

static int act_fchown(char **argv)
{
	return on_fd(argv[0], chown_fd);
}

static const struct timespec y2k[2] = {{.tv_sec = 946684800}, {.tv_sec = 946684800}};

static int act_utimes(char **argv)
{
	return result(utimensat(AT_FDCWD, argv[0], y2k, 0));
}

static int touch_fd(int fd)
{
	return result(futimens(fd, y2k));
}

static int act_futimes(char **argv)
{
	return on_fd(argv[0], touch_fd);
}

static int act_setxattr(char **argv)
{
	return result(setxattr(argv[0], ATTRIBUTE, "x", 1, 0));
}

static int setxattr_fd(int fd)
{
	return result(fsetxattr(fd, ATTRIBUTE, "x", 1, 0));
}

static int act_fsetxattr(char **argv)
{
	return on_fd(argv[0], setxattr_fd);
}

static int act_removexattr(char **argv)
{
	return result(removexattr(argv[0], ATTRIBUTE));
}

static int act_setxattrat(char **argv)
{
	/* struct xattr_args of <linux/xattr.h> */
	struct {
		uint64_t value;
		uint32_t size, flags;
	} args = {.value = (uint64_t)(uintptr_t) "x", .size = 1};
	return result(syscall(NR_SETXATTRAT, AT_FDCWD, argv[0], 0, ATTRIBUTE, &args, sizeof(args)));
}

static int act_removexattrat(char **argv)
{
	return result(syscall(NR_REMOVEXATTRAT, AT_FDCWD, argv[0], 0, ATTRIBUTE));
}

static int act_file_setattr(char **argv)
{
	/* struct file_attr */
	struct {
		uint64_t xflags;
		uint32_t extsize, nextents, projid, cowextsize;
	} attr = {.xflags = XFLAG_NODUMP};
	return result(syscall(NR_FILE_SETATTR, AT_FDCWD, argv[0], &attr, sizeof(attr), 0));
}

static int flags_fd(int fd)
{
	int flags = 0;
	if (ioctl(fd, GET_FLAGS, &flags) < 0)
		return -errno;
	flags |= FLAG_NODUMP;
	return result(ioctl(fd, SET_FLAGS, &flags));
}

/* chattr +d, which needs no more than a descriptor for reading. */
static int act_setflags(char **argv)
{
	return on_fd(argv[0], flags_fd);
}

const struct act metadata_acts[] = {
	{"chmod", 1, act_chmod},
	{"fchmod", 1, act_fchmod},
	{"fchmodat2", 1, act_fchmodat2},
	{"chown", 1, act_chown},
	{"lchown", 1, act_lchown},
	{"fchown", 1, act_fchown},
	{"utimes", 1, act_utimes},
	{"futimes", 1, act_futimes},
	{"setxattr", 1, act_setxattr},
	{"fsetxattr", 1, act_fsetxattr},
	{"removexattr", 1, act_removexattr},
	{"setxattrat", 1, act_setxattrat},
	{"removexattrat", 1, act_removexattrat},
	{"file_setattr", 1, act_file_setattr},
	{"setflags", 1, act_setflags},
	{0},
};
