/*
 * The permission rules of Claude Code's settings.json: Tool(CONTENT), to allow, to deny, to ask.
 *
 * Runs in the launcher before confinement. As in Claude Code 2.1 deny wins whatever the order, and
 * of a path //x is absolute, /x starts at the folder that the file's .claude stands in, ~/x at
 * home, all else at the working directory and is read as a line of .gitignore. Does no I/O.
 */
#include "settings/claude-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char *below_root(const struct lp_claude *claude, const char *path)
{
	return lp_path_join(claude->root, path);
}

/* Drops "/" and "/" + "**" from the end: a line of .gitignore means what is below as well. */
static void trim(char *path)
{
	size_t len = strlen(path), before;

	do {
		before = len;
		if (len > 3 && !strcmp(path + len - 3, "/**"))
			len -= 3;
		else if (len > 1 && path[len - 1] == '/')
			len--;
		path[len] = '\0';
	} while (len != before);
}

/* A path of a permission rule. Without a slash inside it means every depth, as in .gitignore. */
static char *rule_path(const struct lp_claude *claude, const char *path)
{
	lp_autofree char *name = NULL;
	struct lp_str floating = {0};

	if (path[0] == '/')
		return path[1] == '/' ? strdup(path + 1) : below_root(claude, path + 1);
	name = strdup(strncmp(path, "./", 2) ? path : path + 2);
	if (!name)
		return NULL;
	trim(name);
	if (!*name || !strcmp(name, "*") || !strcmp(name, "**"))
		return strdup(".");
	if (lp_claude_at_home(path) || strchr(name, '/') || !strcmp(name, ".") ||
		!strcmp(name, ".."))
		return LP_TAKE(name);
	return lp_str_addf(&floating, "**/%s", name) < 0 ? NULL : floating.text;
}

/* Whether a permission rule denies reading path. */
static int is_denied(const struct lp_claude *claude, const char *path, bool *ret_denied)
{
	lp_autofree char *absolute = NULL;
	int r = lp_path_absolute(path, claude->policy->cwd, claude->policy->home, &absolute);

	if (r < 0)
		return r;
	*ret_denied = false;
	lp_strv_foreach (denied, &claude->denied) {
		struct lp_rule rule = {.path = (char *)denied,
			.path_length = strlen(denied),
			.is_pattern = lp_has_glob(denied)};

		*ret_denied = *ret_denied || lp_rule_covers(&rule, absolute);
	}
	return 0;
}

static int remember_denied(struct lp_claude *claude, const char *path)
{
	char *absolute = NULL;
	int r = lp_path_absolute(path, claude->policy->cwd, claude->policy->home, &absolute);

	if (r < 0)
		return r;
	trim(absolute);
	return lp_strv_own(&claude->denied, absolute);
}

/* A grant of the permissions, where deny always wins. */
static int add_grant(struct lp_claude *claude, const char *path, const char *key)
{
	char shown[LP_SHOWN];
	bool denied;
	int r = is_denied(claude, path, &denied);

	if (r < 0)
		return r;
	if (denied)
		return LP_CLAUDE_NOTE(claude, key, "'%s' stays closed: permissions.deny closes it",
			lp_shown(shown, path));
	return lp_claude_add(claude, "filesystem", "allowWrite", path, key);
}

/* ---- permission rules -------------------------------------------------------------------------
 */

enum access { OF_TOOL = 0, OF_READING, OF_WRITING, OF_HOST };

/* "Tool(content)"; content NULL if there is none. */
struct rule {
	enum access access;
	char *content;
};

static bool is_tool(const char *text, size_t len, const char *const *names)
{
	for (; *names; names++)
		if (strlen(*names) == len && !strncasecmp(*names, text, len))
			return true;
	return false;
}

static const char *const reading[] = {"Read", "NotebookRead", "Glob", "Grep", "LS", NULL};
static const char *const writing[] = {"Edit", "Write", "MultiEdit", "NotebookEdit", NULL};
static const char *const fetching[] = {"WebFetch", NULL};

/* What is no path and no host is OF_TOOL: only Claude Code knows its tools. 0 or -ENOMEM. */
static int parse_rule(const char *text, struct rule *ret_rule)
{
	static const char domain[] = "domain:";
	size_t name = strcspn(text, "("), len = strlen(text);
	const char *content = text + name + 1;
	bool has_content = len > name + 2 && text[len - 1] == ')';
	enum access access = OF_TOOL;

	*ret_rule = (struct rule){0};
	/* its escapes and negations are Claude Code's own */
	if (!has_content || strchr(content, '\\') || content[0] == '!')
		return 0;
	if (is_tool(text, name, reading))
		access = OF_READING;
	else if (is_tool(text, name, writing))
		access = OF_WRITING;
	else if (is_tool(text, name, fetching) && !strncmp(content, domain, sizeof(domain) - 1))
		access = OF_HOST;
	if (access == OF_TOOL)
		return 0;
	if (access == OF_HOST)
		content += sizeof(domain) - 1;
	*ret_rule = (struct rule){access, strndup(content, strlen(content) - 1)};
	return ret_rule->content ? 0 : -ENOMEM;
}

/*
 * A deny of one of Claude Code's own tools: it heeds that itself where it runs, and nobody expects
 * it of a pen. One of files or hosts, which would be, stops the run.
 */
static int deny_tool(struct lp_claude *claude, const char *text, const char *key)
{
	size_t name = strcspn(text, "(");
	char shown[LP_SHOWN];

	lp_shown(shown, text);
	if (is_tool(text, name, reading) || is_tool(text, name, writing) ||
		is_tool(text, name, fetching))
		return LP_CLAUDE_FAIL(claude, key,
			"'%s' cannot be held; Read(PATH), Edit(PATH) and WebFetch(domain:HOST) "
			"can, without '!' and '\\'; give --settings a copy without it",
			shown);
	if (!claude->unheld.len)
		snprintf(claude->unheld_key, sizeof(claude->unheld_key), "%s", key);
	return lp_str_addf(&claude->unheld, "%s'%s'", claude->unheld.len ? ", " : "", shown);
}

/* What of the denies Claude Code alone holds. */
static int tell_unheld(const struct lp_claude *claude)
{
	const json_t *files = json_object_get(claude->made, "filesystem");
	int r = 0;

	if (claude->unheld.len)
		r = LP_CLAUDE_NOTE(claude, claude->unheld_key,
			"%s: not held by landpen; these are Claude Code's own, which holds them "
			"where it runs",
			claude->unheld.text);
	if (r < 0 || !claude->denies_paths || !json_is_true(json_object_get(files, "disabled")))
		return r;
	return LP_CLAUDE_NOTE(claude, "sandbox.filesystem.disabled",
		"the paths of permissions.deny and ask are not held either, as in Claude Code's "
		"own sandbox");
}

static int deny_host(const struct lp_claude *claude, const char *host, const char *key)
{
	const char *problem = lp_pattern_host_port(host, true);
	char shown[LP_SHOWN];

	if (problem)
		return LP_CLAUDE_FAIL(claude, key, "'%s' %s", lp_shown(shown, host), problem);
	return lp_claude_add(claude, "network", "deniedDomains", host, key);
}

static int deny_path(struct lp_claude *claude, const struct rule *rule, const char *key)
{
	lp_autofree char *path = rule_path(claude, rule->content);
	const char *list = rule->access == OF_READING ? "denyRead" : "denyWrite";
	int r;

	if (!path)
		return -ENOMEM;
	trim(path);
	claude->denies_paths = true;
	r = rule->access == OF_READING ? remember_denied(claude, path) : 0;
	return r < 0 ? r : lp_claude_add(claude, "filesystem", list, path, key);
}

static int deny(struct lp_claude *claude, const char *text, const char *key)
{
	struct rule rule;
	int r = parse_rule(text, &rule);

	if (r < 0)
		return r;
	if (rule.access == OF_TOOL)
		return deny_tool(claude, text, key);
	r = rule.access == OF_HOST ? deny_host(claude, rule.content, key)
				   : deny_path(claude, &rule, key);
	free(rule.content);
	return r;
}

/* Nobody can be asked, so paths and hosts are denied; the tools are asked about by Claude Code. */
static int ask(struct lp_claude *claude, const char *text, const char *key)
{
	struct rule rule;
	int r = parse_rule(text, &rule);

	if (r < 0)
		return r;
	free(rule.content);
	if (!claude->asks)
		r = LP_CLAUDE_NOTE(claude, key,
			"landpen asks nobody: paths and hosts of this list are denied, tools are "
			"left "
			"to Claude Code");
	claude->asks = true;
	return r < 0 || rule.access == OF_TOOL ? r : deny(claude, text, key);
}

static int allow_host(const struct lp_claude *claude, const char *host, const char *key)
{
	const char *problem = lp_pattern_host_port(host, false);
	char shown[LP_SHOWN];

	if (problem)
		return LP_CLAUDE_NOTE(
			claude, key, "'%s' is not allowed: it %s", lp_shown(shown, host), problem);
	return lp_claude_add(claude, "network", "allowedDomains", host, key);
}

/* Reading is open and commands may run anyway, and so may what is in the working directory. */
static int allow(struct lp_claude *claude, const char *text, const char *key)
{
	struct rule rule;
	lp_autofree char *content = NULL, *path = NULL;
	char shown[LP_SHOWN];
	int r = parse_rule(text, &rule);

	if (r < 0)
		return r;
	content = rule.content;
	if (rule.access == OF_HOST)
		return allow_host(claude, content, key);
	if (rule.access == OF_TOOL &&
		(!strcmp(text, "Edit") || !strcmp(text, "Write") || !strncmp(text, "WebFetch", 8)))
		return LP_CLAUDE_NOTE(claude, key,
			"'%s' gives nothing, since it names no path or host; name them one by one",
			lp_shown(shown, text));
	if (rule.access != OF_WRITING || (content[0] != '/' && !lp_claude_at_home(content) &&
						 strncmp(content, "..", 2) != 0))
		return 0;
	path = rule_path(claude, content);
	return path ? add_grant(claude, path, key) : -ENOMEM;
}

static int each(struct lp_claude *claude, const char *list,
	int (*use)(struct lp_claude *claude, const char *text, const char *key))
{
	const json_t *permissions = json_object_get(claude->json, "permissions"), *entry;
	const json_t *entries = json_object_get(permissions, list);
	char key[LP_KEY_SIZE];
	size_t i;

	snprintf(key, sizeof(key), "permissions.%s", list);
	if (entries && !json_is_array(entries))
		return LP_CLAUDE_FAIL(claude, key, "must be a list of strings; put it in [ ]");
	if (json_array_size(entries) > LP_MAX_ENTRIES)
		return LP_CLAUDE_FAIL(claude, key, "has %zu entries; at most %d are allowed",
			json_array_size(entries), LP_MAX_ENTRIES);
	json_array_foreach(entries, i, entry)
	{
		const char *text = json_string_value(entry);
		int r;

		lp_index_key(key, "permissions", list, i);
		if (!text || !*text)
			return LP_CLAUDE_FAIL(
				claude, key, "must be a string that is not empty; mend it");
		r = use(claude, text, key);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The working directory is writable, unless that would be the home or more. */
static int add_working_directory(struct lp_claude *claude)
{
	const char *key = json_object_get(claude->json, "sandbox") ? "sandbox" : "permissions";

	if (lp_path_is_under(claude->policy->home, claude->policy->cwd))
		return LP_CLAUDE_NOTE(claude, key,
			"the home directory does not become writable; start in a project");
	return add_grant(claude, ".", key);
}

int lp_claude_rules(struct lp_claude *claude)
{
	int r = each(claude, "deny", deny);

	if (r == 0)
		r = each(claude, "ask", ask);
	if (r == 0)
		r = tell_unheld(claude);
	if (r == 0)
		r = each(claude, "allow", allow);
	if (r == 0)
		r = each(claude, "additionalDirectories", add_grant);
	return r < 0 ? r : add_working_directory(claude);
}
