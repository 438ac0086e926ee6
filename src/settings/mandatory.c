/*
 * The write denies that hold whatever the rules say: what makes git, a shell, an editor or the
 * next agent run or believe something, and landpen's own files (srt contract 3.6, and what its
 * section 10.4 found missing there).
 *
 * Runs in the launcher before confinement, when all grants are in the policy. What the walk meets
 * is hostile: names are compared, never opened but as directories; symlinks are not followed; the
 * work is bounded. A wrong answer may only deny too much.
 */
#include "settings/gitfile.h"
#include "settings/mandatory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* By exact name where a project starts, and by any spelling where the walk finds one. */
static const char *const files[] = {".gitconfig", ".gitmodules", ".bashrc", ".bash_profile",
	".bash_login", ".bash_logout", ".zshrc", ".zprofile", ".zshenv", ".zlogin", ".profile",
	".ripgreprc", ".mcp.json", ".landpen.json"};
static const char *const directories[] = {".vscode", ".idea"};
static const char *const claude_names[] = {".claude/commands", ".claude/agents",
	".claude/settings.json", ".claude/settings.local.json", ".claude/hooks", ".claude/skills"};

/* In $HOME, beside the names above. */
static const char *const home_files[] = {".srt-settings.json", ".xprofile", ".xsessionrc",
	".xinitrc", ".pam_environment", ".inputrc", ".vimrc", ".tmux.conf"};
static const char *const home_directories[] = {".ssh", ".gnupg", ".config/git", ".config/fish",
	".config/autostart", ".config/systemd", ".config/environment.d"};

/* What in a git directory names programs to run, or another place to find such names. */
static const char *const git_names[] = {"hooks", "config", "config.worktree", "commondir"};
static const char *const worktree_names[] = {"commondir", "gitdir", "config.worktree"};

int lp_mandatory_note(struct lp_mandatory *work, const char *format, const char *path)
{
	struct lp_str shown LP_CLEANUP(lp_str_clear) = {0};

	if (lp_str_add_escaped(&shown, path, strlen(path)) < 0)
		return -ENOMEM;
	return lp_strv_addf(&work->policy->notices, format, shown.text);
}

static int add_rule(struct lp_mandatory *work, struct lp_rule *rule)
{
	rule->kind = LP_RULE_DENY_WRITE;
	rule->mandatory = true;
	rule->origin = (struct lp_origin){work->source, strdup("mandatory")};
	return lp_policy_add_rule(work->policy, rule);
}

/* The place itself, whatever it is: nothing in it is resolved. */
static int add_place(struct lp_mandatory *work, const char *path, bool exists, bool is_dir)
{
	struct lp_rule rule = {.exists = exists, .is_dir = is_dir};

	rule.path = strdup(path);
	rule.spelled = strdup(path);
	return add_rule(work, &rule);
}

/* Where path leads to, and every symlink on the way there. */
static int add_resolved(struct lp_mandatory *work, const char *path, bool is_dir)
{
	struct lp_rule rule = {.is_dir = is_dir};
	struct stat st;
	int r;

	r = lp_path_resolve(path, &rule.path, &rule.exists, &rule.links);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		/* A loop leads nowhere; the link that starts it is held. */
		lp_links_clear(&rule.links);
		return add_place(work, path, true, false);
	}
	if (rule.exists && lstat(rule.path, &st) == 0)
		rule.is_dir = S_ISDIR(st.st_mode);
	rule.spelled = strdup(path);
	for (size_t i = 0; r == 0 && i < rule.links.count; i++)
		r = add_place(work, rule.links.items[i].place, true, false);
	if (r < 0) {
		free(rule.path);
		free(rule.spelled);
		lp_links_clear(&rule.links);
		return r;
	}
	return add_rule(work, &rule);
}

/* Whether the project's own names, which the walk meets again, hold path already. */
static bool is_known(const struct lp_mandatory *work, const char *path)
{
	size_t end = work->known_to ? work->known_to : work->policy->rule_count;

	for (size_t i = work->known_from; i < end; i++)
		if (!strcmp(work->policy->rules[i].path, path))
			return true;
	return false;
}

int lp_mandatory_found(struct lp_mandatory *work, const char *dir, const char *name, mode_t type)
{
	lp_autofree char *path = lp_path_join(dir, name);

	if (!path)
		return -ENOMEM;
	if (is_known(work, path))
		return 0;
	/* What a `.git` symlink leads to must stay writable; only the link is held. */
	if (type == S_IFLNK && strcasecmp(name, ".git") != 0)
		return add_resolved(work, path, false);
	return add_place(work, path, true, type == S_IFDIR);
}

/* dir/name, there or not; dir holds no symlink, name may have two components. */
static int add_name(
	struct lp_mandatory *work, int fd, const char *dir, const char *name, bool is_dir)
{
	lp_autofree char *path = lp_path_join(dir, name);
	const char *slash = strchr(name, '/');
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (slash)
		return add_resolved(work, path, is_dir);
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return lp_mandatory_found(work, dir, name, st.st_mode & S_IFMT);
	return is_known(work, path) ? 0 : add_place(work, path, false, is_dir);
}

static int add_names(struct lp_mandatory *work, int fd, const char *dir, const char *const *names,
	size_t count, bool is_dir)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_name(work, fd, dir, names[i], is_dir);
	return r;
}

static bool is_left_out(const struct lp_mandatory *work, const char *name)
{
	return work->git_config && (!strcmp(name, "config") || !strcmp(name, "config.worktree"));
}

int lp_mandatory_git_dir(struct lp_mandatory *work, const char *path, bool worktree)
{
	lp_autoclose int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char *const *names = worktree ? worktree_names : git_names;
	size_t count = worktree ? LP_ARRAY_SIZE(worktree_names) : LP_ARRAY_SIZE(git_names);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!is_left_out(work, names[i]))
			r = add_name(work, fd, path, names[i], !strcmp(names[i], "hooks"));
	if (r == 0 && fstatat(fd, "modules", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		r = lp_mandatory_queue(work, path, "modules", LP_WALK_MODULES, 0);
	if (r == 0 && !worktree && fstatat(fd, "worktrees", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode))
		r = lp_mandatory_queue(work, path, "worktrees", LP_WALK_WORKTREES, 0);
	return r;
}

bool lp_mandatory_is_name(const char *name)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(files); i++)
		if (!strcasecmp(name, files[i]))
			return true;
	for (size_t i = 0; i < LP_ARRAY_SIZE(directories); i++)
		if (!strcasecmp(name, directories[i]))
			return true;
	return false;
}

int lp_mandatory_claude(struct lp_mandatory *work, const char *dir, const char *name)
{
	lp_autofree char *claude = lp_path_join(dir, name);
	int r = claude ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(claude_names); i++) {
		lp_autofree char *path = lp_path_join(claude, lp_path_name(claude_names[i]));

		r = path ? add_resolved(work, path, true) : -ENOMEM;
	}
	return r;
}

/*
 * `.git` in dir. Absent: nothing, so that `git init` works. A directory is held inside; a file
 * or a symlink (which may be replaced by one that names a planted git directory) as a whole.
 */
static int add_dot_git(struct lp_mandatory *work, int fd, const char *dir)
{
	lp_autofree char *path = lp_path_join(dir, ".git");
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (fstatat(fd, ".git", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return add_place(work, path, true, false);
	if (fstatat(fd, ".git/commondir", &st, AT_SYMLINK_NOFOLLOW) == 0) {
		int r = lp_mandatory_note(work,
			"%s holds a commondir, which git itself does not write there: git takes "
			"its "
			"hooks and configuration from the place it names; look at it",
			path);

		if (r < 0)
			return r;
	}
	return lp_mandatory_git_dir(work, path, false);
}

/* A place where somebody may start: all names, there or not. */
static int add_start(struct lp_mandatory *work, const char *dir)
{
	lp_autoclose int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return 0;
	r = add_names(work, fd, dir, files, LP_ARRAY_SIZE(files), false);
	if (r == 0)
		r = add_names(work, fd, dir, directories, LP_ARRAY_SIZE(directories), true);
	if (r < 0)
		return r;
	if (fstatat(fd, ".claude", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return lp_mandatory_claude(work, dir, ".claude");
	/* Nothing there to resolve: saves a dozen look-ups in most projects. */
	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(claude_names); i++) {
		lp_autofree char *path = lp_path_join(dir, claude_names[i]);

		r = path ? add_place(work, path, false, true) : -ENOMEM;
	}
	return r;
}

static int add_project(struct lp_mandatory *work, const struct lp_project *project)
{
	const char *cwd = work->policy->cwd;
	lp_autoclose int fd = open(project->top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool elsewhere = cwd && strcmp(cwd, project->top) != 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < project->protected.count; i++)
		if (!is_left_out(work, lp_path_name(project->protected.items[i])))
			r = add_resolved(work, project->protected.items[i],
				!strcmp(lp_path_name(project->protected.items[i]), "hooks"));
	if (r == 0 && fd >= 0)
		r = add_dot_git(work, fd, project->top);
	/* A bare repository, or a .git file that names a place inside the top. */
	if (r == 0 && project->git_dir && lp_path_is_under(project->git_dir, project->top)) {
		lp_autofree char *usual = lp_path_join(project->top, ".git");

		if (!usual)
			return -ENOMEM;
		if (strcmp(project->git_dir, usual) != 0)
			r = lp_mandatory_git_dir(work, project->git_dir, false);
	}
	for (size_t i = 0; r == 0 && i < project->writable.count; i++) {
		lp_autofree char *gitdir = lp_path_join(project->writable.items[i], "gitdir");

		if (!gitdir)
			return -ENOMEM;
		if (lp_gitdir_looks_right(project->writable.items[i]))
			r = lp_mandatory_git_dir(work, project->writable.items[i],
				lp_strv_has(&project->protected, gitdir));
	}
	if (r == 0)
		r = add_start(work, project->top);
	if (r == 0 && elsewhere && lp_path_is_under(cwd, project->top))
		r = add_start(work, cwd);
	return r;
}

/* Repositories that other grants make writable. */
static int add_granted(struct lp_mandatory *work, const char *top)
{
	size_t count = work->policy->rule_count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct lp_rule *rule = &work->policy->rules[i];
		lp_autofree char *dir = NULL;
		lp_autoclose int fd = -1;

		if (rule->kind != LP_RULE_ALLOW_WRITE || rule->is_pattern || !rule->is_dir ||
			lp_path_is_under(rule->path, top) || lp_path_is_under(top, rule->path))
			continue;
		dir = strdup(rule->path); /* the array moves */
		if (!dir)
			return -ENOMEM;
		fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			r = add_dot_git(work, fd, dir);
	}
	return r;
}

static bool home_is_writable(const struct lp_policy *policy, const char *home)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].kind == LP_RULE_ALLOW_WRITE &&
			lp_rule_covers(&policy->rules[i], home))
			return true;
	return false;
}

static int add_in_home(struct lp_mandatory *work, const char *home, const char *top)
{
	lp_autoclose int fd = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return 0;
	if (strcmp(home, top) != 0) {
		r = add_start(work, home);
		if (r == 0)
			r = add_dot_git(work, fd, home);
	}
	if (r == 0)
		r = add_names(work, fd, home, home_files, LP_ARRAY_SIZE(home_files), false);
	if (r == 0)
		r = add_names(
			work, fd, home, home_directories, LP_ARRAY_SIZE(home_directories), true);
	return r;
}

/*
 * landpen's directories, by the variables of now and by those of a later shell, and every settings
 * file of this run: whatever the rules say, so that no agent widens its next run.
 */
static int add_own(struct lp_mandatory *work, const char *home)
{
	struct lp_strv own LP_CLEANUP(lp_strv_clear) = {0};
	lp_autofree char *user_file = lp_settings_user_file(home);
	lp_autofree char *trust = lp_trust_dir(home);
	int r = -ENOMEM;

	if (user_file && trust && lp_strv_own(&own, lp_path_join(home, ".config/landpen")) == 0 &&
		lp_strv_own(&own, lp_path_join(home, ".local/state/landpen")) == 0 &&
		lp_strv_own(&own, lp_path_parent(user_file)) == 0)
		r = lp_strv_own(&own, lp_path_parent(trust));
	for (size_t i = 0; r == 0 && i < own.count; i++)
		if (i < 2 || strcmp(own.items[i], own.items[i - 2]) != 0)
			r = add_resolved(work, own.items[i], true);
	return r;
}

static int add_sources(struct lp_mandatory *work)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->policy->source_count; i++)
		if (work->policy->sources[i]->name[0] == '/')
			r = add_resolved(work, work->policy->sources[i]->name, false);
	return r;
}

static const struct lp_source *builtin_source(struct lp_policy *policy)
{
	for (size_t i = 0; i < policy->source_count; i++)
		if (policy->sources[i]->layer == LP_LAYER_BUILTIN && !policy->sources[i]->text)
			return policy->sources[i];
	return lp_policy_add_source(policy, LP_LAYER_BUILTIN, strdup("built in"), NULL, 0);
}

static int add_all(struct lp_mandatory *work, const struct lp_project *project)
{
	const struct lp_policy *policy = work->policy;
	lp_autofree char *home = NULL;
	bool exists;
	int r = 0;

	if (policy->home)
		r = lp_path_resolve(policy->home, &home, &exists, NULL);
	if (r == -ENOMEM)
		return r;
	r = add_sources(work);
	if (r == 0 && home)
		r = add_own(work, home);
	if (r == 0 && home && home_is_writable(policy, home))
		r = add_in_home(work, home, project->top);
	if (r == 0)
		r = add_granted(work, project->top);
	if (r == 0)
		r = add_project(work, project);
	work->known_to = policy->rule_count;
	return r < 0 ? r : lp_mandatory_walk(work);
}

int lp_mandatory_add(struct lp_policy *policy, const struct lp_project *project, unsigned depth,
	bool git_config, struct lp_err *err)
{
	struct lp_mandatory work = {
		.policy = policy,
		.source = builtin_source(policy),
		.depth = depth,
		.git_config = git_config,
		.top = project->top,
		.git_dir = project->git_dir,
		.known_from = policy->rule_count,
	};
	int r = work.source ? add_all(&work, project) : -ENOMEM;

	lp_mandatory_clear(&work);
	return r < 0 ? lp_fail(err, -r, "out of memory") : 0;
}
