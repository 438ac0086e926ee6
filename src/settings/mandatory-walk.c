/*
 * The bounded walk that finds existing names which must stay read-only below the project's top.
 *
 * Runs in the launcher before confinement, on every start, so a small project may cost a few
 * dozen system calls only. The tree is hostile: breadth first with a budget, no symlink is
 * followed, no entry is opened but as a directory. Another process may change the tree meanwhile;
 * then a deny names something that is gone, which harms nobody.
 */
#include "settings/mandatory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ENTRIES_LIMIT   20000
#define STRING_(number) #number
#define STRING(number)  STRING_(number)
#define MODULES_DEPTH   8 /* a submodule's name may hold slashes */

int lp_mandatory_queue(struct lp_mandatory *work, const char *dir, const char *name,
	enum lp_walk_kind kind, unsigned level)
{
	struct lp_walk_item *grown = work->queue;
	size_t count = work->queue_count;

	if ((count & (count - 1)) == 0)
		grown = realloc(grown, (count ? 2 * count : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	work->queue = grown;
	grown[count] =
		(struct lp_walk_item){*name ? lp_path_join(dir, name) : strdup(dir), kind, level};
	if (!grown[count].path)
		return -ENOMEM;
	work->queue_count++;
	return 0;
}

void lp_mandatory_clear(struct lp_mandatory *work)
{
	for (size_t i = 0; i < work->queue_count; i++)
		free(work->queue[i].path);
	free(work->queue);
	work->queue = NULL;
	work->queue_count = work->queue_next = 0;
}

/* The directory being listed, and whether it looks like a bare repository. */
struct listing {
	struct lp_walk_item item;
	bool head, objects, refs;
};

static int plain_directory(struct lp_mandatory *work, struct listing *listing, const char *name)
{
	const char *dir = listing->item.path;
	unsigned level = listing->item.level + 1;

	if (!strcasecmp(name, ".git")) {
		lp_autofree char *path = lp_path_join(dir, name);

		if (!strcmp(dir, work->top) && !strcmp(name, ".git"))
			return 0; /* held already */
		return path ? lp_mandatory_git_dir(work, path, false) : -ENOMEM;
	}
	if (!strcasecmp(name, ".claude"))
		return lp_mandatory_queue(work, dir, name, LP_WALK_CLAUDE, level);
	if (!strcmp(name, "objects"))
		listing->objects = true;
	if (!strcmp(name, "refs"))
		listing->refs = true;
	if (level >= work->depth || !strcmp(name, "node_modules"))
		return 0;
	return lp_mandatory_queue(work, dir, name, LP_WALK_PLAIN, level);
}

static int plain_entry(
	struct lp_mandatory *work, struct listing *listing, const char *name, mode_t type)
{
	const char *dir = listing->item.path;

	if (name[0] == '.') {
		if (lp_mandatory_is_name(name) || (type != S_IFDIR && !strcasecmp(name, ".git")))
			return lp_mandatory_found(work, dir, name, type);
		if (type == S_IFLNK && !strcasecmp(name, ".claude"))
			return lp_mandatory_claude(work, dir, name);
	}
	if (type == S_IFDIR)
		return plain_directory(work, listing, name);
	if (!strcmp(name, "HEAD"))
		listing->head = true;
	return 0;
}

static int modules_entry(
	struct lp_mandatory *work, const struct lp_walk_item *item, const char *name)
{
	lp_autofree char *path = lp_path_join(item->path, name);
	lp_autofree char *head = path ? lp_path_join(path, "HEAD") : NULL;
	struct stat st;

	if (!head)
		return -ENOMEM;
	if (lstat(head, &st) == 0)
		return lp_mandatory_git_dir(work, path, false);
	if (item->level + 1 >= MODULES_DEPTH)
		return 0;
	return lp_mandatory_queue(work, item->path, name, LP_WALK_MODULES, item->level + 1);
}

static int take_entry(
	struct lp_mandatory *work, struct listing *listing, const char *name, mode_t type)
{
	const struct lp_walk_item *item = &listing->item;

	switch (item->kind) {
	case LP_WALK_PLAIN:
		return plain_entry(work, listing, name, type);
	case LP_WALK_CLAUDE:
		if (!strcasecmp(name, "commands") || !strcasecmp(name, "agents"))
			return lp_mandatory_found(work, item->path, name, type);
		return 0;
	case LP_WALK_MODULES:
		return type == S_IFDIR ? modules_entry(work, item, name) : 0;
	case LP_WALK_WORKTREES:
		if (type == S_IFDIR) {
			lp_autofree char *path = lp_path_join(item->path, name);

			return path ? lp_mandatory_git_dir(work, path, true) : -ENOMEM;
		}
		return 0;
	}
	return 0;
}

static mode_t entry_type(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	switch (entry->d_type) {
	case DT_DIR:
		return S_IFDIR;
	case DT_LNK:
		return S_IFLNK;
	case DT_UNKNOWN:
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return S_IFREG;
		return st.st_mode & S_IFMT;
	default:
		return S_IFREG; /* or a FIFO, socket, device: a name that is not a directory */
	}
}

static int list(struct lp_mandatory *work, struct lp_walk_item item)
{
	struct listing listing = {.item = item};
	size_t queued = work->queue_count;
	const struct dirent *entry;
	int fd = open(item.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (work->entries_left == 0) {
			work->cut = true;
			break;
		}
		work->entries_left--;
		r = take_entry(work, &listing, entry->d_name, entry_type(dir, entry));
	}
	closedir(dir);
	if (r < 0 || !listing.head || !listing.objects || !listing.refs)
		return r;
	while (work->queue_count > queued)
		free(work->queue[--work->queue_count].path);
	if (work->git_dir && !strcmp(item.path, work->git_dir))
		return 0; /* held already */
	return lp_mandatory_git_dir(work, item.path, false);
}

int lp_mandatory_walk(struct lp_mandatory *work)
{
	const char *cwd = work->policy->cwd;
	int r = 0;

	work->entries_left = ENTRIES_LIMIT;
	if (work->depth > 0)
		r = lp_mandatory_queue(work, work->top, "", LP_WALK_PLAIN, 0);
	if (r == 0 && work->depth > 0 && cwd && strcmp(cwd, work->top) != 0 &&
		lp_path_is_under(cwd, work->top))
		r = lp_mandatory_queue(work, cwd, "", LP_WALK_PLAIN, 0);
	while (r == 0 && work->queue_next < work->queue_count && work->entries_left)
		r = list(work, work->queue[work->queue_next++]);
	if (r == 0 && (work->cut || work->queue_next < work->queue_count))
		r = lp_mandatory_note(work,
			"%s: the search for files that must stay read-only (.git/hooks, .mcp.json "
			"and "
			"the like) ended after " STRING(
				ENTRIES_LIMIT) " names; what lies deeper is "
					       "not held",
			work->top);
	return r;
}
