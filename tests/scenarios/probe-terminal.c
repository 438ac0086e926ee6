/* The probe's acts on terminals. */
#include "probe.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of <linux/kd.h> and <linux/tiocl.h>, which not every C library can see. */
static const struct {
	const char *name;
	unsigned long request;
} requests[] = {{"TIOCSTI", 0x5412}, {"TIOCLINUX", 0x541c}, {"TIOCSETD", 0x5423},
	{"TIOCCONS", 0x541d}, {"TIOCGWINSZ", 0x5413}, {"KDSETMODE", 0x4b3a}, {"KDSKBMODE", 0x4b45},
	{"KDSKBENT", 0x4b47}, {"KDSKBSENT", 0x4b49}, {"KDSETKEYCODE", 0x4b4d},
	{"KDSKBDIACR", 0x4b4b}, {"PIO_FONT", 0x4b61}, {"KDFONTOP", 0x4b72},
	{"VT_ACTIVATE", 0x5606}};

static unsigned long request_number(const char *name)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(requests[i].name, name) == 0)
			return requests[i].request;
	return (unsigned long)number(name);
}

/* A fresh terminal; *ret_fd is its slave end, which outlives the call like the master. */
static int new_terminal(int *ret_fd)
{
	char name[64];
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0)
		return -errno;
	if (grantpt(master) < 0 || unlockpt(master) < 0 ||
		ptsname_r(master, name, sizeof(name)) != 0)
		return -errno;
	int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	*ret_fd = slave;
	return 0;
}

static int act_openpty(char **argv)
{
	(void)argv;
	int fd;
	return new_terminal(&fd);
}

/* The raw call: a C library may cut the request to 32 bits. */
static int raw_ioctl(int fd, unsigned long request, void *arg)
{
	return result(syscall(SYS_ioctl, fd, request, arg));
}

static int on_new_terminal(char **argv)
{
	int64_t zero = 0;
	int fd;
	int ret = new_terminal(&fd);
	if (ret < 0)
		return ret;
	if (setsid() < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
		return -errno;
	return raw_ioctl(fd, request_number(argv[0]) | request_number(argv[1]) << 32, &zero);
}

/* REQUEST HIGH: an ioctl on a new controlling terminal; HIGH goes to the upper 32 bits. */
static int act_ioctl_new(char **argv)
{
	return in_child(on_new_terminal, argv);
}

/* REQUEST: an ioctl on standard input. */
static int act_ioctl_stdin(char **argv)
{
	int64_t zero = 0;
	return raw_ioctl(STDIN_FILENO, request_number(argv[0]), &zero);
}

static int act_open_tty(char **argv)
{
	(void)argv;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* PATH: writes a byte to another terminal. */
static int act_write_terminal(char **argv)
{
	int fd = open(argv[0], O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int ret = result(write(fd, "x", 1));
	close(fd);
	return ret;
}

static int act_read_terminal(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

const struct act terminal_acts[] = {
	{"openpty", 0, act_openpty},
	{"ioctl-new", 2, act_ioctl_new},
	{"ioctl-stdin", 1, act_ioctl_stdin},
	{"open-tty", 0, act_open_tty},
	{"write-terminal", 1, act_write_terminal},
	{"read-terminal", 1, act_read_terminal},
	{0},
};
