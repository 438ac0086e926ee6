/* mandatory.c: which names are held, where, and how far the walk goes. */
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
#include <unistd.h>

#include <cmocka.h>

#include "settings/parts.h"

struct fixture {
	char root[PATH_MAX];
	struct lp_policy *policy;
	struct lp_err err;
};

static void new_policy(struct fixture *fx)
{
	lp_policy_free(fx->policy);
	fx->policy = calloc(1, sizeof(*fx->policy));
	assert_non_null(fx->policy);
	fx->policy->home = lp_path_join(fx->root, "home");
	assert_non_null(fx->policy->home);
}

static int setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	char pattern[] = "/tmp/landpen-test-XXXXXX";

	assert_non_null(fx);
	assert_non_null(mkdtemp(pattern));
	assert_non_null(realpath(pattern, fx->root));
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	new_policy(fx);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	lp_policy_free(fx->policy);
	lp_remove_tree(AT_FDCWD, fx->root);
	free(fx);
	return 0;
}

static void sh(const struct fixture *fx, const char *script)
{
	static const char head[] =
		"set -e; export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 "
		"GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
		"GIT_COMMITTER_EMAIL=a@b GIT_ALLOW_PROTOCOL=file; "
		"repo() { git init -q \"$1\"; git -C \"$1\" commit -q --allow-empty -m x; }; ";
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};

	assert_int_equal(
		lp_str_addf(&text, "cd '%s' && R='%s'; %s%s", fx->root, fx->root, head, script), 0);
	assert_int_equal(system(text.text), 0);
}

static char *in(const struct fixture *fx, const char *path)
{
	char *joined = path[0] == '/' ? strdup(path) : lp_path_join(fx->root, path);

	assert_non_null(joined);
	return joined;
}

static void grant(struct fixture *fx, const char *path)
{
	struct lp_rule rule = {.kind = LP_RULE_ALLOW_WRITE, .exists = true, .is_dir = true};

	rule.path = in(fx, path);
	rule.spelled = in(fx, path);
	rule.origin.key = strdup("filesystem.allowWrite[0]");
	assert_int_equal(lp_policy_add_rule(fx->policy, &rule), 0);
}

/* Finds the project of cwd, grants it as loading does, and adds the denies. */
static void add_at(struct fixture *fx, const char *cwd, unsigned depth, bool git_config)
{
	struct lp_project project LP_CLEANUP(lp_project_clear) = {0};

	free(fx->policy->cwd);
	fx->policy->cwd = in(fx, cwd);
	assert_int_equal(lp_project_find(fx->policy->cwd, fx->policy->home, false, fx->policy,
				 &project, &fx->err),
		0);
	grant(fx, project.top);
	lp_strv_foreach (item, &project.writable)
		grant(fx, item);
	assert_int_equal(lp_mandatory_add(fx->policy, &project, depth, git_config, &fx->err), 0);
}

static const struct lp_rule *find_rule(const struct fixture *fx, const char *path)
{
	lp_autofree char *place = in(fx, path);

	for (size_t i = 0; i < fx->policy->rule_count; i++) {
		const struct lp_rule *rule = &fx->policy->rules[i];

		if (rule->mandatory && !strcmp(rule->path, place))
			return rule;
	}
	return NULL;
}

static void assert_held(const struct fixture *fx, const char *path, bool exists, bool is_dir)
{
	const struct lp_rule *rule = find_rule(fx, path);

	if (!rule)
		fail_msg("%s is not held", path);
	assert_int_equal(rule->kind, LP_RULE_DENY_WRITE);
	assert_int_equal(rule->exists, exists);
	assert_int_equal(rule->is_dir, is_dir);
	assert_string_equal(rule->origin.key, "mandatory");
	assert_int_equal(rule->origin.source->layer, LP_LAYER_BUILTIN);
	assert_non_null(rule->spelled);
}

static bool may_write(const struct fixture *fx, const char *path)
{
	lp_autofree char *place = in(fx, path);

	return lp_policy_may(fx->policy, place, LP_ACCESS_WRITE).allowed;
}

static void assert_no_doubles(const struct fixture *fx)
{
	for (size_t i = 0; i < fx->policy->rule_count; i++)
		for (size_t j = 0; j < i; j++)
			if (fx->policy->rules[i].mandatory && fx->policy->rules[j].mandatory &&
				!strcmp(fx->policy->rules[i].path, fx->policy->rules[j].path))
				fail_msg("%s is held twice", fx->policy->rules[i].path);
}

static void test_absent_names(void **state)
{
	static const char *const files[] = {".gitconfig", ".gitmodules", ".bashrc", ".bash_profile",
		".zshrc", ".zprofile", ".profile", ".ripgreprc", ".mcp.json", ".landpen.json",
		".zshenv", ".zlogin", ".bash_login", ".bash_logout"};
	static const char *const directories[] = {".vscode", ".idea", ".claude/commands",
		".claude/agents", ".claude/settings.json", ".claude/settings.local.json",
		".claude/hooks", ".claude/skills"};
	struct fixture *fx = *state;

	sh(fx, "mkdir p");
	add_at(fx, "p", 3, false);
	for (size_t i = 0; i < LP_ARRAY_SIZE(files); i++) {
		lp_autofree char *path = lp_path_join("p", files[i]);

		assert_held(fx, path, false, false);
		assert_false(may_write(fx, path));
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(directories); i++) {
		lp_autofree char *path = lp_path_join("p", directories[i]);

		assert_held(fx, path, false, true);
	}
	/* `git init` and what is not named must work. */
	assert_true(may_write(fx, "p/.git"));
	assert_true(may_write(fx, "p/.git/hooks/pre-commit"));
	assert_true(may_write(fx, "p/.claude/todo.json"));
	assert_true(may_write(fx, "p/.gitignore"));
	assert_true(may_write(fx, "p/.bashrc2"));
	assert_no_doubles(fx);
	assert_int_equal(fx->policy->notices.count, 0);
}

static void test_existing_names(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo p; mkdir -p p/.vscode p/.claude/commands; touch p/.bashrc p/.idea p/.BashRC; "
	       "mkdir p/.zshrc p/.claude/Agents");
	add_at(fx, "p", 3, false);
	assert_held(fx, "p/.vscode", true, true);
	assert_held(fx, "p/.claude/commands", true, true);
	assert_held(fx, "p/.claude/agents", false, true);
	assert_held(fx, "p/.claude/Agents", true, true);
	assert_held(fx, "p/.bashrc", true, false);
	assert_held(fx, "p/.BashRC", true, false);
	assert_held(fx, "p/.idea", true, false);
	assert_held(fx, "p/.zshrc", true, true);
	assert_held(fx, "p/.git/hooks", true, true);
	assert_held(fx, "p/.git/config", true, false);
	assert_held(fx, "p/.git/config.worktree", false, false);
	assert_held(fx, "p/.git/commondir", false, false);
	assert_true(may_write(fx, "p/.git/index.lock"));
	assert_no_doubles(fx);
}

static void test_git_config_allowed(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo p; repo p/a");
	add_at(fx, "p", 3, true);
	assert_true(may_write(fx, "p/.git/config"));
	assert_true(may_write(fx, "p/.git/config.worktree"));
	assert_true(may_write(fx, "p/a/.git/config"));
	assert_held(fx, "p/.git/hooks", true, true);
	assert_held(fx, "p/.git/commondir", false, false);
	assert_held(fx, "p/a/.git/hooks", true, true);
}

static void test_symlinks(void **state)
{
	struct fixture *fx = *state;
	const struct lp_rule *rule;
	lp_autofree char *link = in(fx, "p/.bashrc");

	sh(fx, "mkdir -p p/dot p/a; touch p/dot/rc; ln -s dot/rc p/.bashrc; ln -s dot p/.claude; "
	       "ln -s loop p/.zshrc; ln -s .zshrc p/loop; ln -s ../dot p/a/.vscode; "
	       "ln -s nowhere p/.profile; ln -s / p/a/root");
	add_at(fx, "p", 3, false);
	assert_held(fx, "p/.bashrc", true, false);
	assert_held(fx, "p/dot/rc", true, false);
	rule = find_rule(fx, "p/dot/rc");
	assert_int_equal(rule->links.count, 1);
	assert_string_equal(rule->links.items[0].place, link);
	assert_held(fx, "p/.claude", true, false);
	assert_held(fx, "p/dot/commands", false, true);
	assert_held(fx, "p/.zshrc", true, false);
	assert_held(fx, "p/.profile", true, false);
	assert_held(fx, "p/nowhere", false, false);
	assert_held(fx, "p/a/.vscode", true, false);
	assert_held(fx, "p/dot", true, true);
}

static void test_git_file_and_link(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo p; git -C p worktree add -q ../w; git -C p worktree add -q ../v");
	add_at(fx, "w", 3, false);
	assert_held(fx, "w/.git", true, false);
	assert_held(fx, "p/.git/hooks", true, true);
	assert_held(fx, "p/.git/config", true, false);
	assert_held(fx, "p/.git/commondir", false, false);
	assert_held(fx, "p/.git/HEAD", true, false);
	assert_held(fx, "p/.git/worktrees/w/commondir", true, false);
	assert_held(fx, "p/.git/worktrees/w/gitdir", true, false);
	assert_held(fx, "p/.git/worktrees/v/commondir", true, false);
	assert_held(fx, "p/.git/worktrees/v/HEAD", true, false);
	assert_true(may_write(fx, "p/.git/packed-refs.lock"));
	assert_true(may_write(fx, "p/.git/worktrees/w/HEAD"));
	assert_false(may_write(fx, "p/file"));
	assert_no_doubles(fx);

	new_policy(fx);
	sh(fx, "mv p/.git p/.store; ln -s .store p/.git");
	add_at(fx, "p", 3, false);
	assert_held(fx, "p/.git", true, false);
	assert_held(fx, "p/.store/hooks", true, true);
	assert_held(fx, "p/.store/config", true, false);
	assert_true(may_write(fx, "p/.store/index"));
	assert_no_doubles(fx);
}

static void test_modules_and_worktrees(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo in; repo out; git -C in submodule --quiet add \"$R/out\" deep; "
	       "git -C in commit -qm s; repo p; git -C p submodule --quiet add \"$R/in\" l/sub; "
	       "git -C p submodule --quiet update --init --recursive; "
	       "git -C p worktree add -q ../w");
	add_at(fx, "p", 3, false);
	assert_held(fx, "p/.git/modules/l/sub/hooks", true, true);
	assert_held(fx, "p/.git/modules/l/sub/config", true, false);
	assert_held(fx, "p/.git/modules/l/sub/commondir", false, false);
	assert_held(fx, "p/.git/modules/l/sub/modules/deep/config", true, false);
	assert_held(fx, "p/.git/worktrees/w/commondir", true, false);
	assert_held(fx, "p/.git/worktrees/w/gitdir", true, false);
	assert_held(fx, "p/l/sub/.git", true, false);
	assert_true(may_write(fx, "p/.git/modules/l/sub/index"));
	assert_no_doubles(fx);

	new_policy(fx);
	add_at(fx, "p/l/sub", 3, false);
	assert_held(fx, "p/l/sub/.git", true, false);
	assert_held(fx, "p/.git/modules/l/sub/config", true, false);
	assert_held(fx, "p/.git/modules/l/sub/modules/deep/hooks", true, true);
	assert_no_doubles(fx);
}

static void test_bare(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "git init -q --bare b; mkdir p; git init -q --bare p/b; mkdir -p p/c/refs "
	       "p/c/objects");
	add_at(fx, "b", 3, false);
	assert_held(fx, "b/hooks", true, true);
	assert_held(fx, "b/config", true, false);
	assert_true(may_write(fx, "b/objects/x"));
	assert_no_doubles(fx);
	new_policy(fx);
	add_at(fx, "p", 3, false);
	assert_held(fx, "p/b/hooks", true, true);
	assert_held(fx, "p/b/config", true, false);
	assert_true(may_write(fx, "p/c/hooks"));
}

static void test_depth(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p p/a/b/c; for d in p/a p/a/b p/a/b/c; do touch $d/.mcp.json; repo $d/r; "
	       "mkdir -p $d/.claude/commands; done; mkdir -p p/node_modules/x; "
	       "touch p/node_modules/x/.mcp.json");
	add_at(fx, "p", 3, false);
	assert_held(fx, "p/a/.mcp.json", true, false);
	assert_held(fx, "p/a/b/.mcp.json", true, false);
	assert_null(find_rule(fx, "p/a/b/c/.mcp.json"));
	/* .git and .claude seen at the last level are held inside, where srt's scan ends. */
	assert_held(fx, "p/a/r/.git/hooks", true, true);
	assert_held(fx, "p/a/b/.claude/commands", true, true);
	assert_null(find_rule(fx, "p/a/b/r/.git/hooks"));
	assert_null(find_rule(fx, "p/node_modules/x/.mcp.json"));
	assert_null(find_rule(fx, "p/a/.bashrc"));

	new_policy(fx);
	add_at(fx, "p", 5, false);
	assert_held(fx, "p/a/b/c/.mcp.json", true, false);
	assert_held(fx, "p/a/b/c/r/.git/hooks", true, true);
	new_policy(fx);
	add_at(fx, "p", 0, false);
	assert_null(find_rule(fx, "p/a/.mcp.json"));
	assert_held(fx, "p/.bashrc", false, false);
}

static void test_working_directory_below(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo p; mkdir -p p/a/b/c/d/e; touch p/a/b/c/d/e/.mcp.json p/a/b/c/d/.zshrc");
	add_at(fx, "p/a/b/c/d", 3, false);
	assert_held(fx, "p/.bashrc", false, false);
	assert_held(fx, "p/a/b/c/d/.bashrc", false, false);
	assert_held(fx, "p/a/b/c/d/.zshrc", true, false);
	assert_held(fx, "p/a/b/c/d/e/.mcp.json", true, false);
	assert_held(fx, "p/.git/hooks", true, true);
	assert_no_doubles(fx);
}

static void test_budget(void **state)
{
	struct fixture *fx = *state;
	unsigned seen = 0;

	sh(fx, "mkdir -p p/z; touch p/z/.mcp.json; cd p; mkdir big; cd big; "
	       "seq 1 25000 | xargs touch");
	add_at(fx, "p", 3, false);
	lp_strv_foreach (item, &fx->policy->notices)
		seen += strstr(item, "20000 names") != NULL;
	assert_int_equal(seen, 1);
	assert_held(fx, "p/.bashrc", false, false);
}

static void test_home(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p home/.config/landpen home/p home/.ssh; ln -s x home/.bashrc; "
	       "mkdir -p other; ln -s other/state state");
	add_at(fx, "home/p", 3, false);
	assert_held(fx, "home/.config/landpen", true, true);
	assert_held(fx, "home/.local/state/landpen", false, true);
	assert_null(find_rule(fx, "home/.bashrc"));
	assert_null(find_rule(fx, "home/.ssh"));

	new_policy(fx);
	grant(fx, "home");
	setenv("XDG_CONFIG_HOME", "/etc/xdg-of-mine", 1);
	setenv("XDG_STATE_HOME", fx->root, 1);
	add_at(fx, "home/p", 3, false);
	assert_held(fx, "home/.ssh", true, true);
	assert_held(fx, "home/.bashrc", true, false);
	assert_held(fx, "home/x", false, false);
	assert_held(fx, "home/.config/git", false, true);
	assert_held(fx, "home/.config/landpen", true, true);
	assert_held(fx, "home/.local/state/landpen", false, true);
	assert_held(fx, "/etc/xdg-of-mine/landpen", false, true);
	assert_held(fx, "landpen", false, true);
	assert_true(may_write(fx, "home/notes"));
	/* A grant that names a held thing does not win over it. */
	grant(fx, "home/.ssh/authorized_keys");
	assert_false(may_write(fx, "home/.ssh/authorized_keys"));
}

/* The grant of the very name must not be taken for the deny of it. */
static void test_grant_of_a_held_name(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir p home; touch p/.bashrc");
	grant(fx, "p/.bashrc");
	grant(fx, "p/.vscode");
	grant(fx, "home");
	grant(fx, "home/.ssh");
	grant(fx, "home/.config/landpen");
	add_at(fx, "p", 3, false);
	assert_false(may_write(fx, "p/.bashrc"));
	assert_false(may_write(fx, "p/.vscode"));
	assert_false(may_write(fx, "home/.ssh"));
	assert_false(may_write(fx, "home/.config/landpen/settings.json"));
}

static void test_other_grants_and_sources(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir p; repo other; touch p/my-settings.json");
	grant(fx, "other");
	assert_non_null(lp_policy_add_source(
		fx->policy, LP_LAYER_USER, in(fx, "p/my-settings.json"), strdup("{}"), 2));
	assert_non_null(lp_policy_add_source(
		fx->policy, LP_LAYER_RULESET, strdup("ruleset base"), strdup("{}"), 2));
	add_at(fx, "p", 3, false);
	assert_held(fx, "other/.git/hooks", true, true);
	assert_held(fx, "p/my-settings.json", true, false);
	assert_true(may_write(fx, "other/file"));
}

static void test_planted_commondir(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo p; echo ../x >p/.git/commondir");
	add_at(fx, "p", 3, false);
	assert_held(fx, "p/.git/commondir", true, false);
	assert_int_equal(fx->policy->notices.count, 1);
	assert_non_null(strstr(fx->policy->notices.items[0], "commondir"));
}

static void test_hostile_tree(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p p/a home/secret; touch home/secret/.mcp.json; ln -s ../home p/a/home; "
	       "ln -s .. p/a/up; mkfifo p/a/.mcp.json; mkfifo p/a/.git; mkdir p/b; "
	       "ln -s ../../home p/b/.git; mkdir -p p/.git; ln -s \"$R/home\" p/.git/modules; "
	       "mkdir p/locked; chmod 0 p/locked; mkdir -p p/c/.git; touch p/c/.git/hooks");
	add_at(fx, "p", 10, false);
	assert_held(fx, "p/a/.mcp.json", true, false);
	assert_held(fx, "p/a/.git", true, false);
	assert_held(fx, "p/b/.git", true, false);
	assert_held(fx, "p/c/.git/hooks", true, false);
	assert_null(find_rule(fx, "home/secret/.mcp.json"));
	assert_null(find_rule(fx, "p/a/home/secret/.mcp.json"));
	assert_no_doubles(fx);
}

int main(void)
{
#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_TREE(test_absent_names),
		WITH_TREE(test_existing_names),
		WITH_TREE(test_git_config_allowed),
		WITH_TREE(test_symlinks),
		WITH_TREE(test_git_file_and_link),
		WITH_TREE(test_modules_and_worktrees),
		WITH_TREE(test_bare),
		WITH_TREE(test_depth),
		WITH_TREE(test_working_directory_below),
		WITH_TREE(test_budget),
		WITH_TREE(test_home),
		WITH_TREE(test_grant_of_a_held_name),
		WITH_TREE(test_other_grants_and_sources),
		WITH_TREE(test_planted_commondir),
		WITH_TREE(test_hostile_tree),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mandatory", tests, NULL, NULL);
}
