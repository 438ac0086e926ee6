/* project.c and gitdir.c on repositories as git makes them. */
#include "git-fixture.h"

/* ---- where a project is ---------------------------------------------------------------------- */

static void test_no_git(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p home a/b");
	assert_int_equal(find(fx, "a/b"), 0);
	assert_top(fx, "a/b");
	assert_false(fx->project.is_git);
	assert_null(fx->project.git_dir);
	assert_int_equal(fx->project.writable.count, 0);
	assert_int_equal(fx->policy->notices.count, 0);
}

static void test_top_from_below(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *git_dir = in(fx, "r/.git");

	sh(fx, "repo r; mkdir -p r/a/b; mkdir r/a/.git");
	assert_int_equal(find(fx, "r/a/b"), 0);
	assert_top(fx, "r");
	assert_true(fx->project.is_git);
	assert_string_equal(fx->project.git_dir, git_dir);
	assert_int_equal(fx->project.writable.count, 0);
	assert_int_equal(find(fx, "r"), 0);
	assert_top(fx, "r");
	assert_int_equal(fx->policy->notices.count, 0);
}

static void assert_refused(struct fixture *fx, const char *cwd, const char *home, const char *why)
{
	assert_int_equal(find_as(fx, cwd, home, false), -EACCES);
	assert_non_null(strstr(fx->err.text, why));
	assert_non_null(strstr(fx->err.text, "--project DIR"));
	assert_null(fx->project.top);
	assert_int_equal(find_as(fx, cwd, home, true), 0);
	assert_top(fx, cwd);
}

static void test_home_is_refused(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p users/me/src; ln -s users people; ln -s users/me me");
	assert_refused(fx, "users/me", "users/me", "your home directory");
	assert_refused(fx, "users/me", "people/me", "your home directory");
	assert_refused(fx, "users/me", "me", "your home directory");
	assert_refused(fx, "users", "users/me", "a parent of your home");
	assert_refused(fx, "users", "me", "a parent of your home");
	assert_refused(fx, "/", "users/me", "the root of the file system");
	assert_refused(fx, "/", "/", "the root of the file system");
	assert_int_equal(find_as(fx, "users/me/src", "users/me", false), 0);
	assert_top(fx, "users/me/src");
	/* A name that merely begins alike. */
	sh(fx, "mkdir -p users/m");
	assert_int_equal(find_as(fx, "users/m", "users/me", false), 0);
}

static void test_repository_in_home(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo users/me; mkdir -p users/me/src; repo users/me/own");
	assert_refused(fx, "users/me", "users/me", "your home directory");
	assert_int_equal(find_as(fx, "users/me/src", "users/me", false), 0);
	assert_top(fx, "users/me/src");
	assert_false(fx->project.is_git);
	assert_null(fx->project.git_dir);
	assert_notice(fx, "holds your home directory");
	assert_int_equal(find_as(fx, "users/me/own", "users/me", false), 0);
	assert_top(fx, "users/me/own");
	assert_true(fx->project.is_git);
	assert_int_equal(fx->policy->notices.count, 0);
	/* A bare repository of dot files with its files beside it. */
	sh(fx, "rm -rf users/me/.git; fake users/me");
	assert_int_equal(find_as(fx, "users/me/src", "users/me", false), 0);
	assert_top(fx, "users/me/src");
	assert_notice(fx, "holds your home directory");
}

static void test_inside_a_git_directory(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo r; mkdir -p r/.gitea r/x.git");
	assert_refused(fx, "r/.git", "home", "inside a git directory");
	assert_refused(fx, "r/.git/hooks", "home", "inside a git directory");
	assert_int_equal(find(fx, "r/.gitea"), 0);
	assert_top(fx, "r");
	assert_int_equal(find(fx, "r/x.git"), 0);
	assert_top(fx, "r");
}

static void test_bare(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *bare = in(fx, "b.git");

	sh(fx, "git init -q --bare b.git");
	assert_int_equal(find(fx, "b.git"), 0);
	assert_top(fx, "b.git");
	assert_true(fx->project.is_git);
	assert_string_equal(fx->project.git_dir, bare);
	assert_refused(fx, "b.git/hooks", "home", "inside a bare git repository");
}

static void test_asked_means_exactly_that(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo r; mkdir r/sub");
	assert_int_equal(find_as(fx, "r/sub", "home", true), 0);
	assert_top(fx, "r/sub");
	assert_false(fx->project.is_git);
	assert_notice(fx, "lies in the git repository");
	assert_int_equal(find_as(fx, "r", "home", true), 0);
	assert_true(fx->project.is_git);
	assert_int_equal(fx->policy->notices.count, 0);
}

static void test_foreign_owner(void **state)
{
	struct fixture *fx = *state;
	int r;

	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	sh(fx, "chmod 755 .; repo r; chown 54321 r r/.git");
	assert_int_equal(seteuid(54322), 0);
	r = find(fx, "r");
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, 0);
	assert_top(fx, "r");
	assert_notice(fx, "belongs to another user");
}

/* ---- worktrees and modules as git makes them ------------------------------------------------- */

static void test_worktree(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *git_dir = in(fx, "r/.git/worktrees/w");

	sh(fx, "repo r; git -C r worktree add -q ../w; git -C r worktree add -q ../v; mkdir w/x");
	assert_int_equal(find(fx, "w/x"), 0);
	assert_top(fx, "w");
	assert_string_equal(fx->project.git_dir, git_dir);
	assert_int_equal(fx->project.writable.count, 1);
	assert_writable(fx, "r/.git");
	assert_protected(fx, "r/.git/config");
	assert_protected(fx, "r/.git/hooks");
	assert_protected(fx, "r/.git/commondir");
	assert_protected(fx, "r/.git/config.worktree");
	assert_protected(fx, "r/.git/HEAD");
	assert_protected(fx, "r/.git/worktrees/w/commondir");
	assert_protected(fx, "r/.git/worktrees/w/gitdir");
	assert_protected(fx, "r/.git/worktrees/w/config.worktree");
	assert_protected(fx, "r/.git/worktrees/v/HEAD");
	assert_int_equal(fx->policy->notices.count, 0);
	/* What does not exist in another worktree must not be stood in for. */
	sh(fx, "rm r/.git/worktrees/v/index");
	assert_int_equal(find(fx, "w"), 0);
	lp_strv_foreach (item, &fx->project.protected)
		assert_null(strstr(item, "/v/index"));
}

static void test_worktree_with_relative_paths(void **state)
{
	struct fixture *fx = *state;

	/* As git 2.48 writes them with worktree.useRelativePaths. */
	sh(fx, "repo r; git -C r worktree add -q ../w; echo 'gitdir: ../r/.git/worktrees/w' "
	       ">w/.git; echo ../../../../w/.git >r/.git/worktrees/w/gitdir");
	assert_int_equal(find(fx, "w"), 0);
	assert_writable(fx, "r/.git");
}

static void test_worktree_reached_by_symlink(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir real; ln -s real alias; repo real/r; "
	       "git -C alias/r worktree add -q \"$R/alias/w\"");
	assert_int_equal(find(fx, "real/w"), 0);
	assert_writable(fx, "real/r/.git");
}

static void test_worktree_beside_bare(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo r; git clone -q --bare r p/.bare; echo 'gitdir: ./.bare' >p/.git; "
	       "git -C p worktree add -q main 2>/dev/null; "
	       "git -C p worktree add -q other 2>/dev/null");
	assert_int_equal(find(fx, "p/main"), 0);
	assert_writable(fx, "p/.bare");
	assert_int_equal(fx->policy->notices.count, 0);
	/* The folder of the worktrees is a project of its own, which holds its git directory. */
	assert_int_equal(find(fx, "p"), 0);
	assert_top(fx, "p");
	assert_int_equal(fx->project.writable.count, 0);
}

static void test_worktree_inside_bare(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo r; git clone -q --bare r b.git; git -C b.git worktree add -q main "
	       "2>/dev/null; git -C b.git worktree add -q \"$R/far\"; "
	       "rm -rf b.git/refs/x; mkdir -p victim; ln -s \"$R/victim\" b.git/lfs");
	assert_int_equal(find(fx, "b.git/main"), 0);
	assert_top(fx, "b.git/main");
	assert_writable(fx, "b.git/objects");
	assert_writable(fx, "b.git/refs");
	assert_writable(fx, "b.git/worktrees/main");
	assert_notice(fx, "holds worktrees");
	/* Its neighbour outside may not write to it either. */
	assert_int_equal(find(fx, "far"), 0);
	assert_writable(fx, "b.git/objects");
	assert_writable(fx, "b.git/worktrees/far");
	lp_strv_foreach (item, &fx->project.writable) {
		lp_autofree char *bare = in(fx, "b.git"), *lfs = in(fx, "b.git/lfs");

		assert_string_not_equal(item, bare);
		assert_string_not_equal(item, lfs);
	}
}

static void test_submodule(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo inner; repo outer; git -C inner submodule --quiet add \"$R/outer\" deep; "
	       "git -C inner commit -qm s; repo top; "
	       "git -C top submodule --quiet add \"$R/inner\" libs/sub; "
	       "git -C top submodule --quiet update --init --recursive");
	assert_int_equal(find(fx, "top/libs/sub"), 0);
	assert_top(fx, "top/libs/sub");
	assert_int_equal(fx->project.writable.count, 1);
	assert_writable(fx, "top/.git/modules/libs/sub");
	assert_protected(fx, "top/.git/modules/libs/sub/config");
	assert_protected(fx, "top/.git/modules/libs/sub/hooks");
	assert_protected(fx, "top/.git/modules/libs/sub/commondir");
	assert_int_equal(find(fx, "top/libs/sub/deep"), 0);
	assert_writable(fx, "top/.git/modules/libs/sub/modules/deep");
	assert_int_equal(fx->policy->notices.count, 0);
	/* A sparse checkout moves core.worktree into config.worktree. */
	sh(fx, "cd top/.git/modules/libs/sub; git config -f config.worktree core.worktree "
	       "../../../../libs/sub; git config -f config --unset core.worktree");
	assert_int_equal(find(fx, "top/libs/sub"), 0);
	assert_writable(fx, "top/.git/modules/libs/sub");
}

static void test_submodule_of_a_worktree(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo inner; repo top; git -C top submodule --quiet add \"$R/inner\" sub; "
	       "git -C top commit -qm s; git -C top worktree add -q ../w; "
	       "git -C w submodule --quiet update --init");
	assert_int_equal(find(fx, "w/sub"), 0);
	assert_top(fx, "w/sub");
	assert_writable(fx, "top/.git/worktrees/w/modules/sub");
	assert_int_equal(fx->policy->notices.count, 0);
}

static void test_separate_git_dir(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "git init -q --separate-git-dir=store r");
	assert_int_equal(find(fx, "r"), 0);
	assert_top(fx, "r");
	assert_true(fx->project.is_git);
	assert_int_equal(fx->project.writable.count, 0);
	assert_notice(fx, "--rw");
	sh(fx, "git -C store config core.worktree \"$R/r\"");
	assert_int_equal(find(fx, "r"), 0);
	assert_writable(fx, "store");
	assert_protected(fx, "store/config");
}

static void test_symlinked_git_dir(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *inside = in(fx, "r/.store");

	sh(fx, "repo r; mv r/.git r/.store; ln -s .store r/.git");
	assert_int_equal(find(fx, "r"), 0);
	assert_string_equal(fx->project.git_dir, inside);
	assert_int_equal(fx->project.writable.count, 0);
	assert_int_equal(fx->policy->notices.count, 0);
}

int main(void)
{
#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_TREE(test_no_git),
		WITH_TREE(test_top_from_below),
		WITH_TREE(test_home_is_refused),
		WITH_TREE(test_repository_in_home),
		WITH_TREE(test_inside_a_git_directory),
		WITH_TREE(test_bare),
		WITH_TREE(test_asked_means_exactly_that),
		WITH_TREE(test_foreign_owner),
		WITH_TREE(test_worktree),
		WITH_TREE(test_worktree_with_relative_paths),
		WITH_TREE(test_worktree_reached_by_symlink),
		WITH_TREE(test_worktree_beside_bare),
		WITH_TREE(test_worktree_inside_bare),
		WITH_TREE(test_submodule),
		WITH_TREE(test_submodule_of_a_worktree),
		WITH_TREE(test_separate_git_dir),
		WITH_TREE(test_symlinked_git_dir),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("project", tests, NULL, NULL);
}
