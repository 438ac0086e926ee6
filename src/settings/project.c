/*
 * Which project a working directory belongs to.
 *
 * Runs in the launcher before confinement; git itself is never run. Everything from the working
 * directory upwards may be hostile: `.git` may be a file, a symlink or a FIFO that names any place.
 * gitdir.c decides what such a place is worth.
 */
#include "settings/gitfile.h"
#include "settings/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum git_kind {
	GIT_NONE = 0,
	GIT_DIRECTORY,
	GIT_FILE,
	GIT_LINK,
	GIT_BARE,
};

struct found {
	char *dir;
	enum git_kind kind;
	uid_t owner; /* of .git */
};

/* What dir is to git, in the order in which git looks (setup_git_directory). */
static int look_at(const char *dir, struct found *found)
{
	lp_autofree char *path = lp_path_join(dir, ".git");
	lp_autofree char *head = lp_path_join(dir, "HEAD");
	struct stat st;

	if (!path || !head)
		return -ENOMEM;
	found->kind = GIT_NONE;
	if (lstat(path, &st) == 0) {
		found->owner = st.st_uid;
		if (S_ISREG(st.st_mode))
			found->kind = GIT_FILE;
		else if ((S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)) &&
			 lp_gitdir_looks_right(path))
			found->kind = S_ISDIR(st.st_mode) ? GIT_DIRECTORY : GIT_LINK;
	}
	if (found->kind == GIT_NONE && lstat(head, &st) == 0 && lp_gitdir_looks_right(dir)) {
		found->owner = st.st_uid;
		found->kind = GIT_BARE;
	}
	return 0;
}

/* Walks up from cwd to the nearest directory that git knows, or gives cwd itself. */
static int find_top(const char *cwd, bool climb, struct found *ret_found)
{
	struct found found = {.dir = strdup(cwd)};
	int r = found.dir ? look_at(found.dir, &found) : -ENOMEM;

	while (r == 0 && found.kind == GIT_NONE && climb && strcmp(found.dir, "/") != 0) {
		char *parent = lp_path_parent(found.dir);

		free(found.dir);
		found.dir = parent;
		r = parent ? look_at(parent, &found) : -ENOMEM;
	}
	if (r == 0 && found.kind == GIT_NONE) {
		free(found.dir);
		found.dir = strdup(cwd);
		r = found.dir ? 0 : -ENOMEM;
	}
	if (r < 0)
		free(found.dir);
	else
		*ret_found = found;
	return r;
}

static bool has_git_component(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/.git")); at++)
		if (at[5] == '/' || at[5] == '\0')
			return true;
	return false;
}

/* The sentence for a place that may not be a project. */
static int refuse(struct lp_err *err, const char *place, const char *what)
{
	struct lp_str shown LP_CLEANUP(lp_str_clear) = {0};

	if (lp_str_add_escaped(&shown, place, strlen(place)) < 0)
		return lp_fail(err, ENOMEM, "out of memory");
	return lp_fail(err, EACCES,
		"%s is %s: landpen does not make it writable; cd into a project, or insist with "
		"--project DIR",
		shown.text, what);
}

/* Refuses places that are no project; drops a git top level that is too wide for one. */
static int check_place(
	struct lp_gitdir_finder *finder, const char *cwd, struct found *found, struct lp_err *err)
{
	if (has_git_component(cwd))
		return refuse(err, cwd, "inside a git directory");
	if (found->kind == GIT_BARE && strcmp(found->dir, cwd) != 0 &&
		!lp_gitdir_is_too_wide(finder, found->dir))
		return refuse(err, cwd, "inside a bare git repository");
	if (lp_gitdir_is_too_wide(finder, found->dir) && strcmp(found->dir, cwd) != 0) {
		char *dir = strdup(cwd);

		if (!dir || lp_gitdir_note(finder,
				    "the git repository in %s holds your home directory: only "
				    "%s is writable, and git cannot commit",
				    found->dir, cwd) < 0) {
			free(dir);
			return lp_fail(err, ENOMEM, "out of memory");
		}
		free(found->dir);
		found->dir = dir;
		found->kind = GIT_NONE;
	}
	if (!strcmp(found->dir, "/"))
		return refuse(err, "/", "the root of the file system");
	if (!strcmp(found->dir, finder->home))
		return refuse(err, found->dir, "your home directory");
	if (lp_gitdir_is_too_wide(finder, found->dir))
		return refuse(err, found->dir, "a parent of your home directory");
	return 0;
}

static int follow_git(struct lp_gitdir_finder *finder, const struct found *found)
{
	struct lp_project *project = finder->project;
	int r = 0;

	project->is_git = found->kind != GIT_NONE;
	if (project->is_git && found->owner != geteuid() && found->owner != 0 && geteuid() != 0)
		r = lp_gitdir_note(finder,
			"%s%s belongs to another user: git refuses to work in it until "
			"safe.directory names it",
			project->top, found->kind == GIT_BARE ? "" : "/.git");
	if (r < 0)
		return r;
	switch (found->kind) {
	case GIT_NONE:
		return 0;
	case GIT_BARE:
		project->git_dir = strdup(project->top);
		return project->git_dir ? 0 : -ENOMEM;
	case GIT_DIRECTORY:
		project->git_dir = lp_path_join(project->top, ".git");
		return project->git_dir ? 0 : -ENOMEM;
	case GIT_LINK:
		return lp_gitdir_use(finder, ".git");
	case GIT_FILE:
		return lp_gitdir_use_file(finder);
	}
	return 0;
}

/* --project DIR means exactly DIR, which surprises where DIR is a part of a repository. */
static int note_enclosing(struct lp_gitdir_finder *finder, const char *dir)
{
	struct found found = {0};
	int r = find_top(dir, true, &found);

	if (r == 0 && found.kind != GIT_NONE)
		r = lp_gitdir_note(finder,
			"%s lies in the git repository %s, which is not the project: git cannot "
			"commit",
			dir, found.dir);
	free(found.dir);
	return r;
}

void lp_project_clear(struct lp_project *project)
{
	free(project->top);
	free(project->git_dir);
	lp_strv_clear(&project->writable);
	lp_strv_clear(&project->protected);
	*project = (struct lp_project){0};
}

int lp_project_find(const char *cwd, const char *home, bool asked, struct lp_policy *policy,
	struct lp_project *ret_project, struct lp_err *err)
{
	struct lp_project project LP_CLEANUP(lp_project_clear) = {0};
	lp_autofree char *real_home = NULL;
	struct lp_gitdir_finder finder = {.policy = policy, .project = &project};
	struct found found = {0};
	bool exists;
	int r;

	r = lp_path_resolve(home, &real_home, &exists, NULL);
	if (r < 0)
		return lp_fail(err, -r, "the home directory %s: %m", home);
	finder.home = real_home;
	r = find_top(cwd, !asked, &found);
	if (r < 0)
		return lp_fail(err, -r, "out of memory");
	r = asked ? 0 : check_place(&finder, cwd, &found, err);
	project.top = found.dir;
	if (r < 0)
		return r;
	if (asked && found.kind == GIT_NONE)
		r = note_enclosing(&finder, cwd);
	if (r == 0)
		r = follow_git(&finder, &found);
	if (r < 0)
		return lp_fail(err, -r, "out of memory");
	*ret_project = project;
	project = (struct lp_project){0};
	return 0;
}
