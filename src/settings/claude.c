/*
 * Claude Code's settings.json, given by --settings, as a text of srt's shape.
 *
 * Runs in the launcher before confinement; the file is the user's word, though its sandbox block
 * may come from a template. Only translates: what comes out is checked and merged as srt's own
 * files are, and every entry remembers the key under which it stands in the file. A deny of files
 * or hosts that landpen cannot hold stops the run; one of Claude Code's other tools, and an allow
 * that is not given, is a notice. Does no I/O.
 *
 * Where paths start is taken from Claude Code 2.1: in sandbox.filesystem /x and //x are absolute,
 * ~/x starts at home, and x at the folder that the file's .claude stands in.
 */
#include "settings/claude-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER ".claude"

bool lp_claude_is(const json_t *json)
{
	return json_is_object(json_object_get(json, "permissions")) ||
	       json_is_object(json_object_get(json, "sandbox"));
}

/* ---- what is made -----------------------------------------------------------------------------
 */

json_t *lp_claude_list(const struct lp_claude *claude, const char *object, const char *list)
{
	json_t *holder = json_object_get(claude->made, object), *entries;

	if (!holder && json_object_set_new(claude->made, object, holder = json_object()) < 0)
		return NULL;
	if (!json_is_object(holder))
		return NULL;
	entries = json_object_get(holder, list);
	if (!entries && json_object_set_new(holder, list, entries = json_array()) < 0)
		return NULL;
	return json_is_array(entries) ? entries : NULL;
}

int lp_claude_add(const struct lp_claude *claude, const char *object, const char *list,
	const char *text, const char *key)
{
	json_t *entries = lp_claude_list(claude, object, list);
	char made[LP_KEY_SIZE];

	if (!entries)
		return 0;
	if (json_array_append_new(entries, json_string(text)) < 0)
		return -ENOMEM;
	lp_index_key(made, object, list, json_array_size(entries) - 1);
	return lp_policy_add_alias(claude->policy, claude->source, made, key);
}

bool lp_claude_at_home(const char *path)
{
	return path[0] == '~' && (path[1] == '/' || !path[1]);
}

/* ---- paths ------------------------------------------------------------------------------------
 */

/* Where /x of the file starts: what .claude stands in, or the file's own folder. */
static int find_root(struct lp_claude *claude)
{
	lp_autofree char *dir = lp_path_parent(claude->source->name), *above = NULL;
	struct lp_str root LP_CLEANUP(lp_str_clear) = {0};
	const char *from;

	if (!dir)
		return -ENOMEM;
	above = lp_path_parent(dir);
	if (!above)
		return -ENOMEM;
	from = !strcmp(lp_path_name(dir), FOLDER) && strcmp(above, claude->policy->home) != 0
		       ? above
		       : dir;
	for (; *from; from++) {
		char set[] = {'[', *from, ']', '\0'};
		int r = strchr("*?[", *from) ? lp_str_add(&root, set)
					     : lp_str_add_bytes(&root, from, 1);

		if (r < 0)
			return r;
	}
	claude->root = LP_TAKE(root.text);
	return claude->root ? 0 : -ENOMEM;
}

/* A path of sandbox.filesystem or sandbox.credentials. */
static char *sandbox_path(const struct lp_claude *claude, const char *path)
{
	if (path[0] == '/')
		return strdup(path + (path[1] == '/'));
	return lp_claude_at_home(path) || !*path ? strdup(path) : lp_path_join(claude->root, path);
}

/* ---- switches ---------------------------------------------------------------------------------
 */

/* A switch that landpen has no use for, and what is said if it stands on the side that asks. */
struct toggle {
	const char *object, *inner, *key;
	bool side, refused;
	const char *words;
};

#define OUTSIDE                                                                              \
	"is a limit of Claude Code's own tools, which landpen does not read; remove it and " \
	"write what is closed as Read(PATH) and Edit(PATH)"
#define ALONE "means nothing here: no other file of Claude Code is read"

static const struct toggle toggles[] = {
	{"sandbox", NULL, "enabled", false, false, "changes nothing: this pen is closed anyway"},
	{"sandbox", NULL, "allowUnsandboxedCommands", true, false, "no command leaves the pen"},
	{"sandbox", "network", "allowManagedDomainsOnly", true, false, ALONE},
	{"sandbox", "filesystem", "allowManagedReadPathsOnly", true, false, ALONE},
	{"permissions", NULL, "blockReadsOutsideWorkingDirectories", true, true, OUTSIDE},
	{"permissions", NULL, "blockFileToolReadsOutsideWorkingDirectories", true, true, OUTSIDE},
	{"permissions", NULL, "blockWritesOutsideWorkingDirectories", true, true, OUTSIDE},
};

static int judge_toggle(const struct lp_claude *claude, const struct toggle *toggle)
{
	const json_t *holder = json_object_get(claude->json, toggle->object), *value;
	char key[LP_KEY_SIZE];

	if (toggle->inner)
		holder = json_object_get(holder, toggle->inner);
	value = json_object_get(holder, toggle->key);
	if (!value)
		return 0;
	snprintf(key, sizeof(key), "%s%s%s.%s", toggle->object, toggle->inner ? "." : "",
		toggle->inner ? toggle->inner : "", toggle->key);
	if (!json_is_boolean(value))
		return LP_CLAUDE_FAIL(claude, key, "must be true or false; write it as such");
	if (json_is_true(value) != toggle->side)
		return 0;
	return toggle->refused ? LP_CLAUDE_FAIL(claude, key, "%s", toggle->words)
			       : LP_CLAUDE_NOTE(claude, key, "%s", toggle->words);
}

static int judge_toggles(const struct lp_claude *claude)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(toggles); i++) {
		int r = judge_toggle(claude, &toggles[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the sandbox block ------------------------------------------------------------------------
 */

static int rewrite_paths(const struct lp_claude *claude, json_t *entries, const char *field)
{
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		json_t *value = field ? json_object_get(entry, field) : entry;
		lp_autofree char *path = NULL;

		if (!json_is_string(value))
			continue;
		path = sandbox_path(claude, json_string_value(value));
		if (!path || json_string_set(value, path) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int rewrite(const struct lp_claude *claude)
{
	static const char *const lists[] = {"denyRead", "allowRead", "denyWrite", "allowWrite"};
	const json_t *files = json_object_get(claude->made, "filesystem");
	const json_t *credentials = json_object_get(claude->made, "credentials");
	int r = rewrite_paths(claude, json_object_get(credentials, "files"), "path");

	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(lists); i++)
		r = rewrite_paths(claude, json_object_get(files, lists[i]), NULL);
	json_object_del(json_object_get(claude->made, "network"), "allowManagedDomainsOnly");
	json_object_del((json_t *)files, "allowManagedReadPathsOnly");
	return r;
}

/* 1 if the key is srt's too and means the same; 0 if landpen has no use for it; -1 if unknown. */
static int is_shared(const char *name)
{
	static const char *const shared[] = {"network", "filesystem", "credentials",
		"ignoreViolations", "enableWeakerNestedSandbox", "enableWeakerNetworkIsolation",
		"allowAppleEvents", "ripgrep", "bwrapPath", "socatPath"};
	static const char *const unused[] = {"enabled", "failIfUnavailable",
		"autoAllowBashIfSandboxed", "allowUnsandboxedCommands", "excludedCommands",
		"allowNestedUserNamespaces", "windows"};

	for (size_t i = 0; i < LP_ARRAY_SIZE(shared); i++)
		if (!strcmp(name, shared[i]))
			return 1;
	for (size_t i = 0; i < LP_ARRAY_SIZE(unused); i++)
		if (!strcmp(name, unused[i]))
			return 0;
	return -1;
}

static int copy_sandbox(const struct lp_claude *claude)
{
	const json_t *sandbox = json_object_get(claude->json, "sandbox");
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)sandbox, name, value)
	{
		char key[LP_KEY_SIZE];
		int r = is_shared(name);

		snprintf(key, sizeof(key), "sandbox.%s", name);
		if (r < 0)
			r = LP_CLAUDE_NOTE(claude, key, "unknown key, ignored; it may be removed");
		else if (r > 0 &&
			 json_object_set_new(claude->made, name, json_deep_copy(value)) < 0)
			r = -ENOMEM;
		else if (r > 0)
			r = lp_policy_add_alias(claude->policy, claude->source, name, key);
		if (r < 0)
			return r;
	}
	if (json_array_size(json_object_get(sandbox, "excludedCommands")))
		return LP_CLAUDE_NOTE(
			claude, "sandbox.excludedCommands", "no command leaves the pen");
	return 0;
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

static int copy_nesting(const struct lp_claude *claude)
{
	static const char key[] = "allowNestedUserNamespaces";
	const json_t *value = json_object_get(json_object_get(claude->json, "sandbox"), key);
	json_t *process;

	if (!value)
		return 0;
	process = json_pack("{s:o}", "allowNamespaces", json_deep_copy(value));
	if (!process || json_object_set_new(claude->made, "process", process) < 0)
		return -ENOMEM;
	return lp_policy_add_alias(claude->policy, claude->source, "process.allowNamespaces",
		"sandbox.allowNestedUserNamespaces");
}

/* Claude Code takes numbers and switches for strings here. */
static int copy_env(const struct lp_claude *claude)
{
	const json_t *env = json_object_get(claude->json, "env");
	json_t *set = json_deep_copy(env), *value, *environment;
	const char *name;

	if (!env)
		return 0;
	json_object_foreach(set, name, value)
	{
		lp_autofree char *number = json_dumps(value, JSON_ENCODE_ANY);

		if (!number)
			return -ENOMEM;
		if ((json_is_number(value) || json_is_boolean(value)) &&
			json_object_set_new(set, name, json_string(number)) < 0)
			return -ENOMEM;
	}
	environment = json_pack("{s:o}", "set", set);
	if (!environment || json_object_set_new(claude->made, "environment", environment) < 0)
		return -ENOMEM;
	return lp_policy_add_alias(claude->policy, claude->source, "environment.set", "env");
}

/* The lists that srt's files must have. */
static int fill_lists(const struct lp_claude *claude)
{
	static const char *const lists[][2] = {{"network", "allowedDomains"},
		{"network", "deniedDomains"}, {"filesystem", "denyRead"},
		{"filesystem", "denyWrite"}, {"filesystem", "allowWrite"}};

	for (size_t i = 0; i < LP_ARRAY_SIZE(lists); i++)
		lp_claude_list(claude, lists[i][0], lists[i][1]);
	return 0;
}

static int check_objects(const struct lp_claude *claude)
{
	static const char *const keys[] = {"permissions", "sandbox"};

	for (size_t i = 0; i < LP_ARRAY_SIZE(keys); i++) {
		const json_t *value = json_object_get(claude->json, keys[i]);

		if (value && !json_is_object(value))
			return LP_CLAUDE_FAIL(
				claude, keys[i], "must be an object; write it in { }");
	}
	return 0;
}

static int translate(struct lp_claude *claude)
{
	int r = check_objects(claude);

	if (r == 0)
		r = find_root(claude);
	if (r == 0)
		r = judge_toggles(claude);
	if (r == 0)
		r = copy_sandbox(claude);
	if (r == 0)
		r = rewrite(claude);
	if (r == 0)
		r = lp_claude_rules(claude);
	if (r == 0)
		r = copy_nesting(claude);
	if (r == 0)
		r = copy_env(claude);
	return r < 0 ? r : fill_lists(claude);
}

int lp_claude_translate(struct lp_policy *policy, const struct lp_source *source,
	const json_t *json, json_t **ret_json, struct lp_err *err)
{
	struct lp_claude claude = {.policy = policy,
		.source = source,
		.json = json,
		.made = json_object(),
		.err = err};
	int r = -EINVAL;

	if (json_object_get(json, "network") || json_object_get(json, "filesystem"))
		LP_CLAUDE_FAIL(&claude, "",
			"mixes the keys of srt's settings with those of Claude Code's; keep "
			"either");
	else
		r = claude.made ? translate(&claude) : -ENOMEM;
	free(claude.root);
	lp_strv_clear(&claude.denied);
	lp_str_clear(&claude.unheld);
	if (r < 0)
		json_decref(claude.made);
	else
		*ret_json = claude.made;
	return r;
}
