/*
 * What the command may do natively: which objects the rules of the floor were put on, and which
 * directories were found to lie below one.
 *
 * Runs in the supervisor. A wrong answer here costs time or an EACCES, never protection: it only
 * decides whether the kernel's own answer is enough.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/parts.h"

int lp_natives_add(struct natives *natives, const char *path, uint64_t access, bool is_spare)
{
	struct native *grown = natives->items;
	size_t at = 0;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return -ENOENT;
	while (at < natives->count && grown[at].path)
		at++;
	if (at == natives->count && (natives->count & (natives->count - 1)) == 0)
		grown = realloc(grown, (natives->count ? 2 * natives->count : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	natives->items = grown;
	grown[at] = (struct native){strdup(path), st.st_dev, st.st_ino, access, is_spare};
	natives->count += at == natives->count;
	return grown[at].path ? 0 : -ENOMEM;
}

int lp_natives_fill(struct natives *natives, const struct lp_plan *plan)
{
	for (size_t i = 0; i < plan->floor_count; i++) {
		int r;

		if (!(plan->floor[i].access & LP_FS_READ_DIR))
			continue; /* no directory */
		r = lp_natives_add(natives, plan->floor[i].path, plan->floor[i].access, false);

		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

bool lp_natives_grant(const struct natives *natives, const char *directory, uint64_t right)
{
	for (size_t i = 0; i < natives->count; i++) {
		const struct native *native = &natives->items[i];
		struct stat st;

		if ((native->access & right) == right && native->path &&
			lp_path_is_under(directory, native->path) && stat(native->path, &st) == 0 &&
			st.st_ino == native->inode && st.st_dev == native->device)
			return true;
	}
	return false;
}

bool lp_natives_is_spare(const struct natives *natives, const char *path)
{
	for (size_t i = 0; i < natives->count; i++)
		if (natives->items[i].is_spare && natives->items[i].path &&
			!strcmp(natives->items[i].path, path))
			return true;
	return false;
}

void lp_natives_moved(struct natives *natives, const char *path, const char *to)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < natives->count; i++) {
		struct native *native = &natives->items[i];
		struct lp_str moved = {0};

		if (!native->path || !lp_path_is_under(native->path, path))
			continue;
		if (to &&
			(lp_str_add(&moved, to) < 0 || lp_str_add(&moved, native->path + len) < 0))
			lp_str_clear(&moved);
		free(native->path);
		native->path = moved.text;
	}
	lp_natives_forget(natives);
}

static size_t slot_of(const struct stat *st)
{
	return (size_t)(st->st_ino * 0x9e3779b97f4a7c15ULL >> 32 ^ st->st_dev) % KNOWN_SLOTS;
}

bool lp_natives_knows(const struct natives *natives, const struct stat *directory, bool write)
{
	const struct known *known = &natives->known[slot_of(directory)];

	return known->inode == directory->st_ino && known->device == directory->st_dev &&
	       (write ? known->for_writing : known->for_reading);
}

void lp_natives_know(struct natives *natives, const struct stat *directory, bool write)
{
	struct known *known = &natives->known[slot_of(directory)];

	if (known->inode != directory->st_ino || known->device != directory->st_dev)
		*known = (struct known){directory->st_dev, directory->st_ino, false, false};
	known->for_writing |= write;
	known->for_reading |= !write;
}

void lp_natives_forget(struct natives *natives)
{
	memset(natives->known, 0, sizeof(natives->known));
}

void lp_natives_clear(struct natives *natives)
{
	for (size_t i = 0; i < natives->count; i++)
		free(natives->items[i].path);
	free(natives->items);
}
