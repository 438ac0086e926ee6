/*
 * Paths as text, and symlink resolution that also answers for names that do not exist yet.
 *
 * Runs in the launcher before confinement. The file system is hostile: a name may change between
 * two look-ups, so what is decided here is checked again by whoever opens the result (O_PATH with
 * RESOLVE_NO_SYMLINKS).
 */
#include "base.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40 /* as the kernel: path_resolution(7) */

bool lp_path_is_under(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1 && dir[0] == '/')
		return path[0] == '/';
	/* the end first: siblings share their beginning, and this is asked often */
	return strnlen(path, len) == len && (path[len] == '/' || path[len] == '\0') &&
	       path[len - 1] == dir[len - 1] && !memcmp(path, dir, len);
}

char *lp_path_join(const char *dir, const char *name)
{
	struct lp_str str = {0};

	if (lp_str_add(&str, dir) < 0 ||
		(dir[strlen(dir) - 1] != '/' && lp_str_add(&str, "/") < 0) ||
		lp_str_add(&str, name) < 0)
		lp_str_clear(&str);
	return str.text;
}

char *lp_path_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

const char *lp_path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Appends the components of path, without "." and empty ones. */
static int add_components(struct lp_str *str, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len && !(len == 1 && path[0] == '.')) {
			if (lp_str_add(str, "/") < 0 || lp_str_add_bytes(str, path, len) < 0)
				return -ENOMEM;
		}
		path += len;
		path += strspn(path, "/");
	}
	return 0;
}

int lp_path_absolute(const char *path, const char *cwd, const char *home, char **ret_path)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};
	int r = 0;

	if (!*path)
		return -EINVAL;
	if (path[0] == '~' && (path[1] == '\0' || path[1] == '/')) {
		r = add_components(&str, home);
		path++;
	} else if (path[0] != '/') {
		r = add_components(&str, cwd);
	}
	if (r == 0)
		r = add_components(&str, path);
	if (r == 0 && str.len == 0)
		r = lp_str_add(&str, "/");
	if (r < 0)
		return r;
	*ret_path = LP_TAKE(str.text);
	return 0;
}

void lp_links_clear(struct lp_links *links)
{
	for (size_t i = 0; i < links->count; i++) {
		free(links->items[i].place);
		free(links->items[i].target);
	}
	free(links->items);
	*links = (struct lp_links){0};
}

static int links_add(struct lp_links *links, const char *place, const char *target)
{
	struct lp_link *grown = realloc(links->items, (links->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	links->items = grown;
	grown += links->count;
	*grown = (struct lp_link){strdup(place), strdup(target)};
	if (!grown->place || !grown->target) {
		free(grown->place);
		free(grown->target);
		return -ENOMEM;
	}
	links->count++;
	return 0;
}

static void drop_last(struct lp_str *done)
{
	while (done->len && done->text[done->len - 1] != '/')
		done->len--;
	if (done->len)
		done->len--;
	if (done->text)
		done->text[done->len] = '\0';
}

/* One resolution: done is resolved, rest is still to do. */
struct walk {
	struct lp_str done;
	char *rest;
	unsigned links_left;
	bool exists;
};

/* done now names a symlink: puts its target before the rest. 0, or -errno. */
static int follow_link(struct walk *walk, size_t before, struct lp_links *links)
{
	char target[PATH_MAX];
	struct lp_str rest = {0};
	ssize_t len = readlink(walk->done.text, target, sizeof(target) - 1);
	int r = 0;

	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (walk->links_left-- == 0)
		return -ELOOP;
	if (links)
		r = links_add(links, walk->done.text, target);
	walk->done.len = target[0] == '/' ? 0 : before;
	walk->done.text[walk->done.len] = '\0';
	if (r < 0 || lp_str_add(&rest, target) < 0 || lp_str_add(&rest, "/") < 0 ||
		lp_str_add(&rest, walk->rest) < 0) {
		lp_str_clear(&rest);
		return -ENOMEM;
	}
	free(walk->rest);
	walk->rest = rest.text;
	return 0;
}

static int walk_step(struct walk *walk, struct lp_links *links)
{
	char *name = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(name, "/"), before = walk->done.len;
	lp_autofree char *component = strndup(name, len);
	struct stat st;
	int r;

	if (!component)
		return -ENOMEM;
	memmove(walk->rest, name + len, strlen(name + len) + 1);
	if (!len || !strcmp(component, "."))
		return 0;
	if (!strcmp(component, "..")) {
		drop_last(&walk->done);
		return 0;
	}
	r = lp_str_add(&walk->done, "/");
	if (r == 0)
		r = lp_str_add(&walk->done, component);
	if (r < 0)
		return r;
	if (walk->done.len >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!walk->exists)
		return 0;
	if (lstat(walk->done.text, &st) < 0) {
		walk->exists = false;
		return 0;
	}
	if (S_ISLNK(st.st_mode))
		return follow_link(walk, before, links);
	if (!S_ISDIR(st.st_mode) && walk->rest[strspn(walk->rest, "/")])
		walk->exists = false;
	return 0;
}

int lp_path_resolve(const char *path, char **ret_path, bool *ret_exists, struct lp_links *links)
{
	struct walk walk = {.rest = strdup(path), .links_left = MAX_LINKS, .exists = true};
	int r = walk.rest ? 0 : -ENOMEM;

	while (r == 0 && walk.rest[strspn(walk.rest, "/")])
		r = walk_step(&walk, links);
	if (r == 0 && walk.done.len == 0)
		r = lp_str_add(&walk.done, "/");
	free(walk.rest);
	if (r < 0) {
		lp_str_clear(&walk.done);
		return r;
	}
	*ret_path = walk.done.text;
	*ret_exists = walk.exists;
	return 0;
}

int lp_mkdir_all(const char *path, mode_t mode)
{
	lp_autofree char *parent = NULL;
	int r;

	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT || !strcmp(path, "/"))
		return -errno;
	parent = lp_path_parent(path);
	if (!parent)
		return -ENOMEM;
	r = lp_mkdir_all(parent, mode);
	if (r < 0)
		return r;
	return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -errno;
}
