/* What project.c is made of: git's small files and git directories. Within this layer only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "settings/parts.h"

/*
 * All three give a newly allocated string. 0; -EINVAL for what git does not write; -ENOMEM.
 * _line: the only line of text, without its end (commondir, worktrees/NAME/gitdir).
 */
int lp_gitfile_line(const uint8_t *buf, size_t len, char **ret_line);

/* The PATH of a `.git` file, "gitdir: PATH" (gitrepository-layout(5)). */
int lp_gitfile_parse(const uint8_t *buf, size_t len, char **ret_path);

/*
 * The last core.worktree in a configuration text (git-config(1), "Syntax"); includes are not
 * followed. -ENOENT if there is none.
 */
int lp_gitfile_core_worktree(const uint8_t *buf, size_t len, char **ret_path);

/* gitdir.c */
struct lp_gitdir_finder {
	const char *home; /* symlinks resolved */
	struct lp_policy *policy;
	struct lp_project *project;
};

/* What git itself takes for a git directory, but for its HEAD's content. */
bool lp_gitdir_looks_right(const char *path);

/* Whether dir is $HOME, a parent of it, or /. */
bool lp_gitdir_is_too_wide(const struct lp_gitdir_finder *finder, const char *dir);

/* Adds a notice; format has two %s for paths, which are escaped. 0 or -ENOMEM. */
int lp_gitdir_note(
	struct lp_gitdir_finder *finder, const char *format, const char *first, const char *second);

/*
 * Fills git_dir, writable and protected of the project. named: what the top's `.git` leads to,
 * relative to the top; _use_file takes it from the file. Nothing is granted for what does not
 * point back; a notice says so. 0 or -ENOMEM.
 */
int lp_gitdir_use(struct lp_gitdir_finder *finder, const char *named);
int lp_gitdir_use_file(struct lp_gitdir_finder *finder);
