/*
 * The probe's acts with every argument of the calls that open, make and move names. DIR is what
 * the path is relative to, "-" the working directory; FLAGS are words joined by commas, or "-".
 */
#include "probe.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct word {
	const char *name;
	uint64_t bits;
};

/* O_TMPFILE holds O_DIRECTORY: it comes first, so that what is told is told by its own name. */
static const struct word open_words[] = {{"tmpfile", O_TMPFILE}, {"rdonly", O_RDONLY},
	{"wronly", O_WRONLY}, {"rdwr", O_RDWR}, {"accmode", O_ACCMODE}, {"creat", O_CREAT},
	{"excl", O_EXCL}, {"trunc", O_TRUNC}, {"append", O_APPEND}, {"nonblock", O_NONBLOCK},
	{"nofollow", O_NOFOLLOW}, {"directory", O_DIRECTORY}, {"path", O_PATH}, {"sync", O_SYNC},
	{"dsync", O_DSYNC}, {"noatime", O_NOATIME}, {"noctty", O_NOCTTY}, {"cloexec", O_CLOEXEC},
	{"unknown", 1ULL << 62}, {0}};

/* RESOLVE_* of <linux/openat2.h>, which older headers lack. */
static const struct word resolve_words[] = {{"no_xdev", 1}, {"no_magiclinks", 2},
	{"no_symlinks", 4}, {"beneath", 8}, {"in_root", 16}, {"cached", 32},
	{"unknown", 1ULL << 62}, {0}};

static const struct word rename_words[] = {
	{"noreplace", 1}, {"exchange", 2}, {"whiteout", 4}, {"unknown", 8}, {0}};

static const struct word at_words[] = {{"follow", AT_SYMLINK_FOLLOW}, {"empty", AT_EMPTY_PATH},
	{"removedir", AT_REMOVEDIR}, {"unknown", 1U << 30}, {0}};

static const struct word types[] = {{"none", 0}, {"reg", S_IFREG}, {"fifo", S_IFIFO},
	{"sock", S_IFSOCK}, {"char", S_IFCHR}, {"block", S_IFBLK}, {"dir", S_IFDIR},
	{"link", S_IFLNK}, {0}};

static uint64_t bits_of(const struct word *words, const char *text)
{
	char copy[256], *rest = copy, *one;
	uint64_t bits = 0;
	const struct word *word;

	snprintf(copy, sizeof(copy), "%s", strcmp(text, "-") == 0 ? "" : text);
	while ((one = strsep(&rest, ","))) {
		for (word = words; *one && word->name && strcmp(word->name, one) != 0;)
			word++;
		if (*one && !word->name) {
			fprintf(stderr, "probe: what is %s?\n", one);
			exit(2);
		}
		bits |= *one ? word->bits : 0;
	}
	return bits;
}

static int open_dir(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? AT_FDCWD : open(path, O_PATH | O_CLOEXEC);

	if (fd == -1) {
		fprintf(stderr, "probe: %s: %s\n", path, errno_name(errno));
		exit(2);
	}
	return fd;
}

/* "ok", how it is open, and whether a byte could be written. */
static int tell_open(long fd)
{
	static const int kept[] = {
		O_APPEND, O_NONBLOCK, O_PATH, O_SYNC, O_DSYNC, O_NOATIME, O_DIRECTORY, O_TMPFILE};
	int flags, told = 0;

	if (fd < 0)
		return -errno;
	flags = fcntl((int)fd, F_GETFL);
	printf("ok %s", (flags & O_ACCMODE) == O_RDWR     ? "rdwr"
			: (flags & O_ACCMODE) == O_WRONLY ? "wronly"
							  : "rdonly");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		for (const struct word *word = open_words; word->name; word++)
			if (word->bits == (uint64_t)kept[i] && (flags & kept[i]) == kept[i] &&
				(kept[i] & ~told)) {
				printf(",%s", word->name);
				told |= kept[i];
			}
	if (fcntl((int)fd, F_GETFD) & FD_CLOEXEC)
		printf(",cloexec");
	if (flags & O_ACCMODE && !(flags & O_PATH) && write((int)fd, "x", 1) != 1)
		printf(" %s", errno_name(errno));
	putchar('\n');
	return ACT_PRINTED;
}

/* DIR PATH FLAGS [MODE] */
static int act_openat(char **argv)
{
	mode_t mode = argv[3] ? (mode_t)number(argv[3]) : 0666;
	int flags = (int)bits_of(open_words, argv[2]);

	return tell_open(openat(open_dir(argv[0]), argv[1], flags, mode));
}

/* DIR PATH FLAGS RESOLVE [MODE [SIZE [MORE]]]: what follows struct open_how is MORE, or zero. */
static int act_openat2(char **argv)
{
	struct {
		uint64_t flags, mode, resolve, more[5];
	} how = {.flags = bits_of(open_words, argv[2]), .resolve = bits_of(resolve_words, argv[3])};
	long size = argv[4] && argv[5] ? number(argv[5]) : 24;

	how.more[0] = argv[4] && argv[5] && argv[6] ? (uint64_t)number(argv[6]) : 0;
	how.mode = argv[4] ? (uint64_t)number(argv[4]) : how.flags & O_CREAT ? 0666 : 0;
	return tell_open(syscall(SYS_openat2, open_dir(argv[0]), argv[1], &how, size));
}

/* PATH MODE */
static int act_creat(char **argv)
{
	return tell_open(creat(argv[0], (mode_t)number(argv[1])));
}

/* DIR PATH MODE */
static int act_mkdirat(char **argv)
{
	return result(mkdirat(open_dir(argv[0]), argv[1], (mode_t)number(argv[2])));
}

/* DIR PATH TYPE MODE */
static int act_mknodat(char **argv)
{
	mode_t mode = (mode_t)(bits_of(types, argv[2]) | (uint64_t)number(argv[3]));

	return result(mknodat(open_dir(argv[0]), argv[1], mode, 0x103));
}

/* TARGET DIR PATH */
static int act_symlinkat(char **argv)
{
	return result(symlinkat(argv[0], open_dir(argv[1]), argv[2]));
}

/* DIR PATH DIR PATH FLAGS */
static int act_linkat(char **argv)
{
	return result(linkat(open_dir(argv[0]), argv[1], open_dir(argv[2]), argv[3],
		(int)bits_of(at_words, argv[4])));
}

/* DIR PATH DIR PATH FLAGS */
static int act_renameat2(char **argv)
{
	return result(syscall(SYS_renameat2, open_dir(argv[0]), argv[1], open_dir(argv[2]), argv[3],
		(unsigned)bits_of(rename_words, argv[4])));
}

/* DIR PATH FLAGS */
static int act_unlinkat(char **argv)
{
	return result(unlinkat(open_dir(argv[0]), argv[1], (int)bits_of(at_words, argv[2])));
}

/* PATH LENGTH */
static int act_truncate_to(char **argv)
{
	return result(truncate(argv[0], number(argv[1])));
}

/* LENGTH ACT ARG...: the act, with the argument "@NAME" as a path of that many bytes: "././NAME".
 */
static int act_long_path(char **argv)
{
	size_t length = (size_t)number(argv[0]), before;
	char *path = malloc(length + 1);
	int at = 2;

	while (argv[at] && argv[at][0] != '@')
		at++;
	if (!path || !argv[at] || length <= strlen(argv[at]))
		return -EINVAL;
	before = length - strlen(argv[at] + 1);
	for (size_t i = 0; i < before; i++)
		path[i] = i % 2 || i + 1 == before ? '/' : '.';
	strcpy(path + before, argv[at] + 1);
	argv[at] = path;
	return run_act(argv + 1);
}

/* MASK ACT [ARG...]: the act with this umask. */
static int act_umask(char **argv)
{
	umask((mode_t)number(argv[0]));
	return run_act(argv + 1);
}

const struct act name_acts[] = {
	{"openat", 3, act_openat},
	{"openat2", 4, act_openat2},
	{"creat", 2, act_creat},
	{"mkdirat", 3, act_mkdirat},
	{"mknodat", 4, act_mknodat},
	{"symlinkat", 3, act_symlinkat},
	{"linkat", 5, act_linkat},
	{"renameat2", 5, act_renameat2},
	{"unlinkat", 3, act_unlinkat},
	{"truncate-to", 2, act_truncate_to},
	{"long-path", 3, act_long_path},
	{"umask", 2, act_umask},
	{0},
};
