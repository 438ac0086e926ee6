/*
 * From a request to the merged policy: the order of the layers, the project's own grant, and what
 * is protected whatever anybody wrote.
 *
 * Runs in the launcher before confinement, with the user's rights. Layers: built in < rulesets <
 * the user's settings < the project file < options. Every text is read and checked before the first
 * one changes anything (createDirs).
 */
#include "settings/parts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_DEPTH 3 /* mandatoryDenySearchDepth, as in srt */

static void load_clear(struct lp_load *load)
{
	for (size_t i = 0; i < load->text_count; i++) {
		json_decref(load->texts[i].json);
		free(load->texts[i].base);
	}
	free(load->texts);
	free(load->single_file);
	lp_strv_clear(&load->open);
	lp_known_clear(&load->merge.known);
	lp_project_clear(&load->project);
	lp_policy_free(load->merge.sockets);
	lp_policy_free(load->policy);
}

static int begin(struct lp_load *load)
{
	const struct lp_request *request = load->request;
	struct lp_policy *policy = calloc(1, sizeof(*policy));
	struct lp_policy *sockets = calloc(1, sizeof(*sockets));

	load->policy = policy;
	load->merge = (struct lp_merge){.policy = policy,
		.sockets = sockets,
		.depth = DEFAULT_DEPTH,
		.is_srt = request->srt,
		.looks_only = request->looks_only,
		.command_line = request->command_line};
	if (!policy || !sockets)
		return -ENOMEM;
	sockets->home = strdup(request->home);
	policy->limits = (struct lp_limits){
		LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED};
	policy->ptys = true;
	policy->home = strdup(request->home);
	policy->cwd = strdup(request->cwd);
	load->builtin = lp_policy_add_source(policy, LP_LAYER_BUILTIN, strdup("built in"), NULL, 0);
	load->options =
		lp_policy_add_source(policy, LP_LAYER_OPTION, strdup("command line"), NULL, 0);
	return sockets->home && policy->home && policy->cwd && load->builtin && load->options
		       ? 0
		       : -ENOMEM;
}

/* --project DIR, resolved. */
static int find_named_project(struct lp_load *load, struct lp_err *err)
{
	const char *dir = load->request->project_dir;
	lp_autofree char *absolute = NULL, *resolved = NULL;
	struct stat st;
	bool exists;
	char shown[LP_SHOWN];
	int r;

	if (!*dir)
		return lp_fail(err, EINVAL, "--project: is empty; name a directory");
	r = lp_path_absolute(dir, load->request->cwd, load->policy->home, &absolute);
	if (r < 0)
		return r;
	lp_shown(shown, dir);
	if (stat(absolute, &st) < 0)
		return lp_fail(err, EINVAL, "--project '%s': %s; name a directory that exists",
			shown, errno == ENOENT ? "does not exist" : strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return lp_fail(err, EINVAL, "--project '%s': is not a directory; name one", shown);
	r = lp_path_resolve(absolute, &resolved, &exists, NULL);
	if (r < 0)
		return lp_fail(err, -r, "--project '%s': %m", shown);
	return lp_project_find(
		resolved, load->policy->home, true, load->policy, &load->project, err);
}

static int find_project(struct lp_load *load, struct lp_err *err)
{
	const struct lp_request *request = load->request;
	struct lp_policy *policy = load->policy;
	lp_autofree char *folder = NULL;
	int r;

	if (request->project_dir)
		return find_named_project(load, err);
	if (load->single_file) {
		folder = lp_path_parent(load->single_file);
		if (!folder)
			return -ENOMEM;
		return lp_project_find(folder, policy->home, true, policy, &load->project, err);
	}
	r = lp_project_find(request->cwd, policy->home, false, policy, &load->project, err);
	/* A file that stands alone says itself what is writable, so it may be used anywhere. */
	if (r == -EACCES && (request->settings_file || request->srt))
		r = lp_project_find(request->cwd, policy->home, true, policy, &load->project, err);
	return r;
}

/*
 * A file that stands alone brings its own file rules, but secrets in the environment stay out as in
 * every pen: unless it says itself what passes, base's list does.
 */
static int pass_environment(struct lp_load *load)
{
	const struct lp_ruleset *base = lp_ruleset_find("base");
	int r = 0;

	if (load->has_rulesets)
		return 0;
	for (size_t i = 0; i < load->text_count; i++)
		if (load->texts[i].source->layer == LP_LAYER_USER &&
			json_object_get(
				json_object_get(load->texts[i].json, "environment"), "pass"))
			return 0;
	if (load->request->srt)
		return lp_srt_pass_environment(load);
	for (const char *const *name = base ? base->pass : NULL; r == 0 && name && *name; name++) {
		struct lp_env_rule rule = {.action = LP_ENV_PASS,
			.name = strdup(*name),
			.origin = {load->builtin, strdup("environment.pass of ruleset base")}};

		r = lp_policy_add_env(load->policy, &rule);
	}
	return r;
}

/* With --file only that file is writable: beside the agent's own state nothing else is granted. */
static bool loses_write(const struct lp_load *load, const struct lp_text *text)
{
	return load->single_file && (text->toolchain || text->source->layer != LP_LAYER_RULESET);
}

static int merge_texts(struct lp_load *load, struct lp_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < load->text_count; i++) {
		load->merge.base = load->texts[i].base;
		r = lp_merge_create(&load->merge, load->texts[i].source, load->texts[i].json, err);
	}
	if (r == 0)
		r = pass_environment(load);
	for (size_t i = 0; r == 0 && i < load->text_count; i++) {
		load->merge.base = load->texts[i].base;
		load->merge.read_only = loses_write(load, &load->texts[i]);
		if (load->request->control_fd && load->texts[i].source->layer == LP_LAYER_USER &&
			lp_srt_keep_files(load->policy, load->texts[i].json) < 0)
			return -ENOMEM;
		r = lp_merge(&load->merge, load->texts[i].source, load->texts[i].json, err);
	}
	return r;
}

/* A rule that landpen itself makes; mandatory where it denies. */
static int add_own(struct lp_load *load, enum lp_rule_kind kind, const char *path, const char *key,
	struct lp_err *err)
{
	struct lp_policy *policy = load->policy;
	size_t first = policy->rule_count;
	int r = lp_rules_add_literal(policy, kind, path, policy->cwd, load->builtin, key, err);

	if (kind == LP_RULE_DENY_WRITE)
		for (size_t i = first; i < policy->rule_count; i++)
			policy->rules[i].mandatory = true;
	return r;
}

static int grant_project(struct lp_load *load, struct lp_err *err)
{
	int r;

	if (!load->has_rulesets)
		return 0;
	/* with --file the folder around it may be read, unless that would open the home */
	if (load->single_file)
		return lp_path_is_under(load->policy->home, load->project.top)
			       ? 0
			       : add_own(load, LP_RULE_ALLOW_READ, load->project.top, "project",
					 err);
	r = add_own(load, LP_RULE_ALLOW_WRITE, load->project.top, "project", err);
	if (r < 0)
		return r;
	lp_strv_foreach (path, &load->project.writable) {
		r = add_own(load, LP_RULE_ALLOW_WRITE, path, "project", err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Takes path. What an agent could write here would widen its next run. */
static int protect(struct lp_load *load, char *path, struct lp_err *err)
{
	int r = path ? add_own(load, LP_RULE_DENY_WRITE, path, "mandatory", err) : -ENOMEM;

	free(path);
	return r;
}

static bool grants_writing(const struct lp_policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].kind == LP_RULE_ALLOW_WRITE)
			return true;
	return false;
}

static int protect_settings(struct lp_load *load, struct lp_err *err)
{
	struct lp_policy *policy = load->policy;
	int r;

	/* where nothing may be written, there is nothing to take back */
	if (!grants_writing(policy))
		return 0;
	r = lp_mandatory_add(
		policy, &load->project, load->merge.depth, load->merge.git_config, err);
	if (r == 0)
		r = protect(load, lp_settings_user_file(policy->home), err);
	if (r == 0)
		r = protect(load, lp_trust_dir(policy->home), err);
	for (size_t i = 0; r == 0 && i < policy->source_count; i++) {
		const struct lp_source *source = policy->sources[i];

		if (source->layer == LP_LAYER_PROJECT ||
			(source->layer == LP_LAYER_USER && !load->settings_is_stream &&
				(load->request->settings_file || load->request->srt)))
			r = protect(load, strdup(source->name), err);
	}
	return r;
}

/* The name of what fd is open on, if that is a file or a FIFO with one; newly allocated. */
static char *name_of(int fd, mode_t *ret_type)
{
	char link[32], path[PATH_MAX];
	struct stat st, named;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len <= 0 || fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)))
		return NULL;
	path[len] = '\0';
	if (path[0] != '/' || lstat(path, &named) < 0 || named.st_ino != st.st_ino ||
		named.st_dev != st.st_dev)
		return NULL;
	*ret_type = st.st_mode & S_IFMT;
	return strdup(path);
}

/* Who writes into the control channel allows hosts; who reads a FIFO takes what it was to close. */
static int protect_control(struct lp_load *load, struct lp_err *err)
{
	static const char key[] = "--control-fd";
	struct lp_policy *policy = load->policy;
	mode_t type;
	lp_autofree char *path = NULL;
	char shown[LP_SHOWN];
	int r = 0;

	if (load->request->control_fd)
		path = name_of(load->request->control_fd, &type);
	if (path && policy->files_disabled)
		return lp_fail(err, EINVAL,
			"%s %d: filesystem.disabled lets the command write to '%s'; use a pipe "
			"without a name",
			key, load->request->control_fd, lp_shown(shown, path));
	if (path && lp_policy_may(policy, path, LP_ACCESS_WRITE).allowed)
		r = add_own(load, LP_RULE_DENY_WRITE, path, key, err);
	if (r == 0 && path && type == S_IFIFO &&
		lp_policy_may(policy, path, LP_ACCESS_READ).allowed)
		r = add_own(load, LP_RULE_DENY_READ, path, key, err);
	return r;
}

/* An option that a rule beats is no error, but not to be passed over in silence. */
static int check_wishes(struct lp_load *load, struct lp_err *err)
{
	struct lp_policy *policy = load->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		struct lp_str why LP_CLEANUP(lp_str_clear) = {0};
		struct lp_decision decision;
		char shown[LP_SHOWN];

		if (rule->kind != LP_RULE_ALLOW_WRITE || rule->origin.source != load->options)
			continue;
		decision = lp_policy_may(policy, rule->path, LP_ACCESS_WRITE);
		if (decision.allowed)
			continue;
		if (lp_origin_print(&decision.rule->origin, &why) < 0)
			return -ENOMEM;
		lp_shown(shown, rule->path);
		if (load->single_file && !strcmp(rule->origin.key, "--file"))
			return lp_fail(err, EINVAL,
				"--file '%s': may not be written, says %s; change that rule or "
				"work "
				"on another file",
				shown, why.text);
		if (lp_strv_addf(&policy->notices, "%s '%s': stays read-only, says %s",
			    rule->origin.key, shown, why.text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int run(struct lp_load *load, struct lp_err *err)
{
	int r = begin(load);

	if (r == 0 && load->request->single_file)
		r = lp_load_single_file(load, err);
	if (r == 0)
		r = find_project(load, err);
	if (r < 0)
		return r;
	load->policy->project = strdup(load->project.top);
	if (!load->policy->project)
		return -ENOMEM;
	r = lp_load_texts(load, err);
	if (r == 0)
		r = merge_texts(load, err);
	if (r == 0 && load->request->srt)
		r = lp_srt_grant_defaults(load, err);
	if (r == 0)
		r = grant_project(load, err);
	if (r == 0)
		r = lp_load_options(load, err);
	if (r == 0 && !load->policy->files_disabled)
		r = protect_settings(load, err);
	if (r == 0)
		r = protect_control(load, err);
	if (r == 0)
		r = lp_rules_remove_planted(load->policy);
	if (r == 0)
		r = lp_load_network(load, err);
	return r < 0 ? r : check_wishes(load, err);
}

int lp_settings_load(
	const struct lp_request *request, struct lp_policy **ret_policy, struct lp_err *err)
{
	struct lp_load load LP_CLEANUP(load_clear) = {.request = request};
	struct lp_err scratch = {0};
	int r;

	unsigned seed = 0;

	/* jansson would open /dev/urandom for this; its tables meet hostile keys */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed))
		json_object_seed(seed | 1);
	if (!err)
		err = &scratch;
	err->text[0] = '\0';
	r = run(&load, err);
	if (r < 0 && !err->text[0])
		return lp_fail(err, -r, "the settings could not be loaded: %m");
	if (r < 0)
		return r;
	*ret_policy = LP_TAKE(load.policy);
	return 0;
}
