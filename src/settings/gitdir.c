/*
 * What a git directory outside the project's top is worth: which of it a commit needs.
 *
 * Runs in the launcher before confinement. The names come from a `.git` file or symlink, which is
 * hostile. A place outside the top is granted only if it points back at the top from a file that
 * only its owner could have written: worktrees/NAME/gitdir (gitrepository-layout(5)), or
 * core.worktree. Who could forge that file could write to the place already.
 */
#include "settings/gitfile.h"
#include "settings/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GITFILE_LIMIT  4096
#define CONFIG_LIMIT   262144
#define SIBLINGS_LIMIT 1000

/* ---- looking at the file system -------------------------------------------------------------- */

static bool has_kind(int dir, const char *name, mode_t kind)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == kind;
}

/* What git itself takes for a git directory, but for the HEAD's content. */
bool lp_gitdir_looks_right(const char *path)
{
	lp_autoclose int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || fstatat(dir, "HEAD", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return has_kind(dir, "commondir", S_IFREG) ||
	       (faccessat(dir, "objects/", F_OK, 0) == 0 && faccessat(dir, "refs/", F_OK, 0) == 0);
}

/* Reads dir/name, a regular file and no symlink, and parses it. */
static int read_parsed(const char *dir, const char *name, size_t limit,
	int (*parse)(const uint8_t *, size_t, char **), char **ret_text)
{
	lp_autoclose int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	lp_autofree char *bytes = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return -errno;
	if (!has_kind(fd, name, S_IFREG))
		return -ENOENT;
	r = lp_read_file(fd, name, limit, &bytes, &len);
	return r < 0 ? r : parse((const uint8_t *)bytes, len, ret_text);
}

/* path, which a file in dir gives, resolved. -ENOENT if it is not there. */
static int resolve_from(const char *dir, const char *path, char **ret_path)
{
	lp_autofree char *joined = path[0] == '/' ? strdup(path) : lp_path_join(dir, path);
	lp_autofree char *resolved = NULL;
	bool exists;
	int r;

	if (!joined)
		return -ENOMEM;
	r = lp_path_resolve(joined, &resolved, &exists, NULL);
	if (r < 0)
		return r;
	if (!exists)
		return -ENOENT;
	*ret_path = LP_TAKE(resolved);
	return 0;
}

/* Whether the file dir/name holds a path that leads to target. 1 yes, 0 no, or -ENOMEM. */
static int points_at(const char *dir, const char *name, size_t limit,
	int (*parse)(const uint8_t *, size_t, char **), const char *target)
{
	lp_autofree char *text = NULL, *resolved = NULL;
	int r;

	r = read_parsed(dir, name, limit, parse, &text);
	if (r == 0)
		r = resolve_from(dir, text, &resolved);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return !strcmp(resolved, target);
}

/* ---- what a git directory outside the top is worth ------------------------------------------- */

/* A notice about two paths, both hostile text. format has two %s. */
int lp_gitdir_note(
	struct lp_gitdir_finder *finder, const char *format, const char *first, const char *second)
{
	struct lp_str a LP_CLEANUP(lp_str_clear) = {0}, b LP_CLEANUP(lp_str_clear) = {0};

	if (lp_str_add_escaped(&a, first, strlen(first)) < 0 ||
		lp_str_add_escaped(&b, second, strlen(second)) < 0)
		return -ENOMEM;
	return lp_strv_addf(&finder->policy->notices, format, a.text, b.text);
}

static int protect(
	struct lp_gitdir_finder *finder, const char *dir, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (lp_strv_own(&finder->project->protected, lp_path_join(dir, names[i])) < 0)
			return -ENOMEM;
	return 0;
}

/* A worktree's own state, which this project has no business with. Where a file is absent it
 * stays so: a back end that holds absent names by empty stand-ins would break that worktree. */
static int protect_state(struct lp_gitdir_finder *finder, const char *dir)
{
	static const char *const names[] = {"HEAD", "index"};
	lp_autoclose int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	for (size_t i = 0; fd >= 0 && r == 0 && i < LP_ARRAY_SIZE(names); i++)
		if (has_kind(fd, names[i], S_IFREG))
			r = protect(finder, dir, &names[i], 1);
	return r;
}

bool lp_gitdir_is_too_wide(const struct lp_gitdir_finder *finder, const char *dir)
{
	return lp_path_is_under(finder->home, dir) || !strcmp(dir, "/");
}

struct siblings {
	const char *worktrees, *common, *own; /* own: the name of this one */
	bool inside; /* one of them, or more than can be looked at, lies in the common directory */
};

static int look_at_sibling(
	struct lp_gitdir_finder *finder, struct siblings *siblings, const char *name)
{
	lp_autofree char *dir = lp_path_join(siblings->worktrees, name);
	lp_autofree char *text = NULL, *folder = NULL, *top = NULL;
	int r;

	if (!dir || protect_state(finder, dir) < 0)
		return -ENOMEM;
	r = read_parsed(dir, "gitdir", GITFILE_LIMIT, lp_gitfile_line, &text);
	if (r == 0) {
		folder = lp_path_parent(text);
		r = folder ? resolve_from(dir, folder, &top) : -ENOMEM;
	}
	if (r == 0 && lp_path_is_under(top, siblings->common))
		siblings->inside = true;
	return r == -ENOMEM ? r : 0;
}

static int look_at_siblings(struct lp_gitdir_finder *finder, struct siblings *siblings)
{
	DIR *dir = opendir(siblings->worktrees);
	const struct dirent *entry;
	unsigned left = SIBLINGS_LIMIT;
	int r = 0;

	if (!dir) {
		siblings->inside = true;
		return 0;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, siblings->own))
			continue;
		if (left-- == 0) {
			siblings->inside = true;
			break;
		}
		r = look_at_sibling(finder, siblings, entry->d_name);
	}
	closedir(dir);
	return r;
}

/*
 * Where the common directory holds worktrees (those of a bare repository often lie inside it),
 * granting all of it would grant them too: only the parts that a commit needs. packed-refs.lock
 * cannot be created then, so branches cannot be removed and a rebase ends with errors.
 */
static int grant_parts(struct lp_gitdir_finder *finder, const char *common)
{
	static const char *const parts[] = {
		"objects", "refs", "logs", "reftable", "rr-cache", "lfs"};
	lp_autoclose int dir = open(common, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct lp_strv *writable = &finder->project->writable;

	for (size_t i = 0; i < LP_ARRAY_SIZE(parts); i++)
		if (has_kind(dir, parts[i], S_IFDIR) &&
			lp_strv_own(writable, lp_path_join(common, parts[i])) < 0)
			return -ENOMEM;
	if (lp_strv_add(writable, finder->project->git_dir) < 0)
		return -ENOMEM;
	return lp_gitdir_note(finder,
		"%s: its repository %s holds worktrees, so only objects and refs are writable: git "
		"can commit, but not rebase or remove branches",
		finder->project->top, common);
}

/*
 * A linked worktree. Not objects, refs and logs alone: git takes packed-refs.lock in the common
 * directory whenever it removes any ref, CHERRY_PICK_HEAD included, and a rebase or cherry-pick
 * that cannot leaves the worktree in a state in which the next merge fails [tried, git 2.39].
 */
static int grant_worktree(
	struct lp_gitdir_finder *finder, const char *worktrees, const char *common)
{
	static const char *const own[] = {"commondir", "gitdir", "config.worktree"};
	static const char *const shared[] = {"config", "hooks", "config.worktree", "commondir"};
	struct lp_project *project = finder->project;
	struct siblings siblings = {worktrees, common, lp_path_name(project->git_dir),
		lp_path_is_under(project->top, common)};
	int r;

	r = protect(finder, project->git_dir, own, LP_ARRAY_SIZE(own));
	if (r == 0)
		r = look_at_siblings(finder, &siblings);
	if (r == 0 && siblings.inside)
		return grant_parts(finder, common);
	if (r == 0)
		r = protect(finder, common, shared, LP_ARRAY_SIZE(shared));
	if (r == 0)
		r = protect_state(finder, common);
	if (r == 0)
		r = lp_strv_add(&project->writable, common);
	return r;
}

static int grant_module(struct lp_gitdir_finder *finder)
{
	static const char *const names[] = {"config", "hooks", "config.worktree", "commondir"};
	struct lp_project *project = finder->project;
	int r = protect(finder, project->git_dir, names, LP_ARRAY_SIZE(names));

	return r < 0 ? r : lp_strv_add(&project->writable, project->git_dir);
}

/* <common>/worktrees/NAME whose files agree with its place and with the top. 1, 0, -ENOMEM. */
static int is_worktree_of(
	const char *git_dir, const char *top, const char *worktrees, const char *common)
{
	lp_autofree char *text = NULL, *folder = NULL, *resolved = NULL;
	int r;

	if (strcmp(lp_path_name(worktrees), "worktrees") != 0 || !lp_gitdir_looks_right(common))
		return 0;
	r = points_at(git_dir, "commondir", GITFILE_LIMIT, lp_gitfile_line, common);
	if (r <= 0)
		return r;
	/* By its folder: the last name is the `.git` under question, which may be a symlink. */
	r = read_parsed(git_dir, "gitdir", GITFILE_LIMIT, lp_gitfile_line, &text);
	if (r < 0 || strcmp(lp_path_name(text), ".git") != 0)
		return r == -ENOMEM ? r : 0;
	folder = lp_path_parent(text);
	r = folder ? resolve_from(git_dir, folder, &resolved) : -ENOMEM;
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return !strcmp(resolved, top);
}

/* Grants what a commit needs of project->git_dir, which lies outside the top, if it agrees. */
static int grant_outside(struct lp_gitdir_finder *finder)
{
	struct lp_project *project = finder->project;
	const char *git_dir = project->git_dir, *top = project->top;
	lp_autofree char *worktrees = lp_path_parent(git_dir);
	lp_autofree char *common = worktrees ? lp_path_parent(worktrees) : NULL;
	lp_autofree char *marker = lp_path_join(git_dir, "commondir");
	struct stat st;
	bool linked;
	int r;

	if (!common || !marker)
		return -ENOMEM;
	linked = lstat(marker, &st) == 0;
	if (linked) {
		r = is_worktree_of(git_dir, top, worktrees, common);
	} else {
		r = points_at(git_dir, "config", CONFIG_LIMIT, lp_gitfile_core_worktree, top);
		if (r == 0)
			r = points_at(git_dir, "config.worktree", CONFIG_LIMIT,
				lp_gitfile_core_worktree, top);
	}
	if (r < 0)
		return r;
	if (r == 0)
		return lp_gitdir_note(finder,
			"%s/.git names the git directory %s, which does not point back: it stays "
			"read-only and git cannot commit; if it is yours, pass it with --rw",
			top, git_dir);
	if (lp_gitdir_is_too_wide(finder, linked ? common : git_dir) ||
		(!linked && lp_path_is_under(top, git_dir)))
		return lp_gitdir_note(finder,
			"%s/.git names %s, which is too wide to be made writable", top, git_dir);
	return linked ? grant_worktree(finder, worktrees, common) : grant_module(finder);
}

/* named: what the top's .git leads to, relative to the top. */
int lp_gitdir_use(struct lp_gitdir_finder *finder, const char *named)
{
	struct lp_project *project = finder->project;
	int r = resolve_from(project->top, named, &project->git_dir);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || !lp_gitdir_looks_right(project->git_dir)) {
		free(LP_TAKE(project->git_dir));
		return lp_gitdir_note(finder, "%s/.git names %s, which is not a git directory",
			project->top, named);
	}
	return lp_path_is_under(project->git_dir, project->top) ? 0 : grant_outside(finder);
}

int lp_gitdir_use_file(struct lp_gitdir_finder *finder)
{
	const char *top = finder->project->top;
	lp_autofree char *named = NULL;
	int r = read_parsed(top, ".git", GITFILE_LIMIT, lp_gitfile_parse, &named);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return lp_gitdir_note(finder,
			"%s%s is not a file that git writes: git cannot commit", top, "/.git");
	return lp_gitdir_use(finder, named);
}
