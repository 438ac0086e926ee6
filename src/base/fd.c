/*
 * Descriptors and whole files. Runs in every process; contents are hostile and only copied.
 */
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void lp_closep(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

int lp_write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int lp_read_file(int dirfd, const char *path, size_t limit, char **ret_text, size_t *ret_len)
{
	/* O_NONBLOCK: a FIFO in the place of a settings file must not hang the launcher. */
	lp_autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	lp_autofree char *text = NULL;
	size_t size = 0, len = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > limit)
		return -EFBIG;
	for (;;) {
		ssize_t n;

		if (len + 1 >= size) {
			char *grown =
				realloc(text, size = size ? 2 * size : (size_t)st.st_size + 512);

			if (!grown)
				return -ENOMEM;
			text = grown;
		}
		n = read(fd, text + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > limit)
			return -EFBIG;
	}
	text[len] = '\0';
	*ret_text = LP_TAKE(text);
	*ret_len = len;
	return 0;
}

int lp_write_file(const char *path, const void *bytes, size_t len, mode_t mode)
{
	struct lp_str temporary LP_CLEANUP(lp_str_clear) = {0};
	lp_autoclose int fd = -1;
	int r;

	r = lp_str_addf(&temporary, "%s.%d.tmp", path, (int)getpid());
	if (r < 0)
		return r;
	fd = open(temporary.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = lp_write_all(fd, bytes, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(temporary.text, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary.text);
	return r;
}

/* One level at a time with an explicit bound, so that a hostile depth cannot end the stack. */
static void remove_contents(int dirfd, dev_t device, unsigned depth)
{
	DIR *dir = fdopendir(dirfd);
	const struct dirent *entry;

	if (!dir) {
		close(dirfd);
		return;
	}
	fchmod(dirfd, 0700);
	while ((entry = readdir(dir))) {
		struct stat st;
		int fd;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd, entry->d_name, 0) == 0 || depth == 0)
			continue;
		fchmodat(dirfd, entry->d_name, 0700, AT_SYMLINK_NOFOLLOW);
		fd = openat(dirfd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && st.st_dev == device)
			remove_contents(fd, device, depth - 1);
		else
			close(fd);
		unlinkat(dirfd, entry->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

int lp_remove_tree(int dirfd, const char *name)
{
	struct stat st;
	int fd;

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) == 0)
		remove_contents(fd, st.st_dev, 512);
	else
		close(fd);
	return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}
