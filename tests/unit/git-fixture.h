/* For test-project.c and test-gitfile.c: a directory tree with git repositories and a home. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "settings/gitfile.h"
#include "settings/parts.h"

struct fixture {
	char root[PATH_MAX];
	struct lp_policy *policy;
	struct lp_project project;
	struct lp_err err;
};

static inline int setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	char pattern[] = "/tmp/landpen-test-XXXXXX";

	assert_non_null(fx);
	assert_non_null(mkdtemp(pattern));
	assert_non_null(realpath(pattern, fx->root));
	fx->policy = calloc(1, sizeof(*fx->policy));
	assert_non_null(fx->policy);
	*state = fx;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *fx = *state;

	lp_project_clear(&fx->project);
	lp_policy_free(fx->policy);
	lp_remove_tree(AT_FDCWD, fx->root);
	free(fx);
	return 0;
}

/* Runs a script in the root; $R is the root. git knows nothing of the user's configuration. */
static inline void sh(const struct fixture *fx, const char *script)
{
	static const char head[] =
		"set -e; export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 "
		"GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
		"GIT_COMMITTER_EMAIL=a@b GIT_ALLOW_PROTOCOL=file; "
		"repo() { git init -q \"$1\"; git -C \"$1\" commit -q --allow-empty -m x; }; "
		"fake() { mkdir -p \"$1/objects\" \"$1/refs\"; echo 'ref: refs/heads/m' "
		">\"$1/HEAD\"; }; ";
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

	assert_int_equal(
		lp_str_addf(&text, "cd '%s' && R='%s'; %s%s", fx->root, fx->root, head, script), 0);
	assert_int_equal(system(text.text), 0);
}

static inline char *in(const struct fixture *fx, const char *path)
{
	char *joined = path[0] == '/' ? strdup(path) : lp_path_join(fx->root, path);

	assert_non_null(joined);
	return joined;
}

/* home is the directory "home", which need not exist. */
static inline int find_as(struct fixture *fx, const char *cwd, const char *home, bool asked)
{
	lp_autofree char *place = in(fx, cwd), *house = in(fx, home);

	lp_project_clear(&fx->project);
	lp_strv_clear(&fx->policy->notices);
	return lp_project_find(place, house, asked, fx->policy, &fx->project, &fx->err);
}

static inline int find(struct fixture *fx, const char *cwd)
{
	return find_as(fx, cwd, "home", false);
}

static inline void assert_top(const struct fixture *fx, const char *top)
{
	lp_autofree char *path = in(fx, top);

	assert_string_equal(fx->project.top, path);
}

static inline void assert_list(
	const struct fixture *fx, const struct lp_strv *list, const char *path)
{
	lp_autofree char *joined = in(fx, path);

	if (!lp_strv_has(list, joined)) {
		lp_strv_foreach (item, list)
			print_message("# has %s\n", item);
		fail_msg("%s is not in the list", joined);
	}
}

static inline void assert_writable(const struct fixture *fx, const char *path)
{
	assert_list(fx, &fx->project.writable, path);
}

static inline void assert_protected(const struct fixture *fx, const char *path)
{
	assert_list(fx, &fx->project.protected, path);
}

static inline void assert_notice(const struct fixture *fx, const char *text)
{
	lp_strv_foreach (item, &fx->policy->notices)
		if (strstr(item, text))
			return;
	lp_strv_foreach (item, &fx->policy->notices)
		print_message("# notice: %s\n", item);
	fail_msg("no notice says \"%s\"", text);
}
