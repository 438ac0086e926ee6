/*
 * From a path as somebody wrote it to rules of the policy (srt contract 3.3).
 *
 * Runs in the launcher before confinement. The spelling may come from an untrusted project file,
 * and the file system may hold symlinks that an agent made in an earlier run: what they would
 * widen is taken out again by lp_rules_remove_planted. Opens nothing; one look-up for each path.
 */
#include "settings/parts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_deny(enum lp_rule_kind kind)
{
	return kind == LP_RULE_DENY_READ || kind == LP_RULE_DENY_WRITE;
}

static int add_rule(const struct lp_entry *entry, struct lp_rule *rule)
{
	rule->kind = entry->kind;
	rule->origin = (struct lp_origin){entry->source, strdup(entry->key)};
	return lp_policy_add_rule(entry->policy, rule);
}

/* A path that cannot be resolved at all: a deny must hold, so it stops; a grant is left out. */
static int unresolved(const struct lp_entry *entry, const char *path, int error)
{
	char shown[LP_SHOWN];

	if (error == -ENOMEM)
		return error;
	lp_shown(shown, path);
	if (is_deny(entry->kind))
		return lp_schema_fail(entry->err, entry->source, entry->key,
			"'%s' cannot be resolved (%s); mend the symbolic link or the path", shown,
			strerror(-error));
	return lp_schema_note(entry->policy, entry->source, entry->key,
		"'%s' cannot be resolved (%s), left out", shown, strerror(-error));
}

/* A rule about a symlink itself; that it is one is kept in its links. */
static int add_link_rule(
	const struct lp_entry *entry, const struct lp_link *link, const char *spelled)
{
	struct lp_rule rule = {.exists = true};

	rule.path = strdup(link->place);
	rule.spelled = strdup(spelled);
	rule.links.items = calloc(1, sizeof(*rule.links.items));
	if (!rule.links.items)
		goto out_of_memory;
	rule.links.count = 1;
	rule.links.items[0] = (struct lp_link){strdup(link->place), strdup(link->target)};
	if (rule.links.items[0].place && rule.links.items[0].target)
		return add_rule(entry, &rule);
out_of_memory:
	lp_links_clear(&rule.links);
	free(rule.path);
	free(rule.spelled);
	return -ENOMEM;
}

/*
 * The symlinks at the end of the path itself, not those above it: replacing one of them would
 * lead the name away from what is protected.
 */
static int protect_final_links(
	const struct lp_entry *entry, const struct lp_links *links, const char *spelled)
{
	lp_autofree char *parent = lp_path_parent(spelled), *place = NULL, *resolved = NULL;
	bool exists, final = false;
	int r;

	if (!parent)
		return -ENOMEM;
	r = lp_path_resolve(parent, &resolved, &exists, NULL);
	if (r < 0)
		return r;
	place = lp_path_join(resolved, lp_path_name(spelled));
	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < links->count && r == 0; i++) {
		final = final || !strcmp(links->items[i].place, place);
		if (final)
			r = add_link_rule(entry, &links->items[i], spelled);
	}
	return r;
}

void lp_known_clear(struct lp_known *known)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(known->items); i++)
		free(known->items[i].path);
	*known = (struct lp_known){0};
}

/* The longest start of path that is known; NULL if none is. */
static const struct lp_known_dir *find_known(const struct lp_known *known, const char *path)
{
	const struct lp_known_dir *best = NULL;

	for (size_t i = 0; known && i < LP_ARRAY_SIZE(known->items); i++) {
		const struct lp_known_dir *dir = &known->items[i];

		if (!dir->path || (best && best->len >= dir->len) ||
			strncmp(dir->path, path, dir->len) != 0)
			continue;
		if (path[dir->len] == '/' || (dir->missing && !path[dir->len]))
			best = dir;
	}
	return best;
}

/* Without memory it is only forgotten. */
static void remember(struct lp_known *known, const char *path, size_t len, bool missing)
{
	struct lp_known_dir *dir = &known->items[known->next++ % LP_ARRAY_SIZE(known->items)];

	free(dir->path);
	*dir = (struct lp_known_dir){strndup(path, len), len, missing};
}

/*
 * Most paths cross no symlink and stand beside another one. Then only what is new in them has to be
 * looked at: path is its own resolution, and its type comes with the look. 1 if it is not so
 * simple, 0, or -ENOMEM.
 */
static int resolve_plain(struct lp_known *known, const char *path, struct lp_rule *ret_rule)
{
	const struct lp_known_dir *start = find_known(known, path);
	size_t from = start ? start->len : 0, at = from, dir = from;
	bool exists = !start || !start->missing;
	lp_autofree char *copy = strdup(path);
	struct stat st = {.st_mode = 0};

	if (!copy)
		return -ENOMEM;
	if (strlen(path) >= PATH_MAX || strstr(path, "/../") || !strcmp(lp_path_name(path), ".."))
		return 1;
	while (exists && path[at]) {
		dir = at;
		at += strcspn(path + at + 1, "/") + 1;
		copy[at] = '\0';
		exists = lstat(copy, &st) == 0;
		if (exists && S_ISLNK(st.st_mode))
			return 1;
		copy[at] = path[at];
	}
	if (known && dir > from)
		remember(known, path, dir, false);
	if (known && !exists && at > from && path[at])
		remember(known, path, at, true);
	ret_rule->path = LP_TAKE(copy);
	ret_rule->exists = exists;
	ret_rule->is_dir = exists && S_ISDIR(st.st_mode);
	return 0;
}

/* Fills path, exists, is_dir and links. 0 or -errno. */
static int resolve(struct lp_known *known, const char *path, struct lp_rule *ret_rule)
{
	struct stat st;
	int r = resolve_plain(known, path, ret_rule);

	if (r <= 0)
		return r;
	r = lp_path_resolve(path, &ret_rule->path, &ret_rule->exists, &ret_rule->links);
	if (r < 0)
		return r;
	ret_rule->is_dir =
		ret_rule->exists && lstat(ret_rule->path, &st) == 0 && S_ISDIR(st.st_mode);
	return 0;
}

/* Takes spelled. */
static int add_resolved(const struct lp_entry *entry, char *spelled)
{
	struct lp_rule rule = {.spelled = spelled};
	size_t index = entry->policy->rule_count;
	int r = resolve(entry->known, spelled, &rule);

	if (r < 0) {
		r = unresolved(entry, spelled, r);
		lp_links_clear(&rule.links);
		free(spelled);
		return r;
	}
	r = add_rule(entry, &rule);
	if (r < 0 || entry->kind != LP_RULE_DENY_WRITE ||
		entry->policy->rules[index].links.count == 0)
		return r;
	/* The rule is fetched before the array may move; its links stay where they are. */
	rule = entry->policy->rules[index];
	return protect_final_links(entry, &rule.links, rule.spelled);
}

/* Path text taken literally into a pattern: the language has no escape but a set of one. */
static int add_literal_text(struct lp_str *pattern, const char *text)
{
	for (; *text; text++) {
		char set[] = {'[', *text, ']', '\0'};
		int r = strchr("*?[", *text) ? lp_str_add(pattern, set)
					     : lp_str_add_bytes(pattern, text, 1);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ".." as a component of what follows the first glob character. */
static bool goes_up(const char *rest)
{
	for (const char *at = rest; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (!strncmp(at, "..", 2) && (at[2] == '/' || at[2] == '\0'))
			return true;
	}
	return false;
}

/* head: the directory part before the first component with a glob character; rest: the others. */
static int add_pattern(const struct lp_entry *entry, const char *head, const char *rest)
{
	struct lp_str pattern LP_CLEANUP(lp_str_clear) = {0},
			      spelled LP_CLEANUP(lp_str_clear) = {0};
	lp_autofree char *absolute = NULL, *resolved = NULL;
	struct lp_rule rule = {.is_pattern = true};
	char shown[LP_SHOWN];
	bool exists;
	int r;

	if (goes_up(rest))
		return lp_schema_fail(entry->err, entry->source, entry->key,
			"'%s' has a '..' behind a glob character and could match nothing; write it "
			"without '..'",
			lp_shown(shown, rest));
	r = lp_path_absolute(*head ? head : ".", entry->base, entry->policy->home, &absolute);
	if (r == 0)
		r = lp_path_resolve(absolute, &resolved, &exists, &rule.links);
	if (r < 0) {
		lp_links_clear(&rule.links);
		return unresolved(entry, absolute ? absolute : head, r);
	}
	if (strcmp(resolved, "/") != 0)
		r = add_literal_text(&pattern, resolved);
	if (r == 0 && strcmp(absolute, "/") != 0)
		r = lp_str_add(&spelled, absolute);
	if (r == 0)
		r = lp_str_addf(&pattern, "/%s", rest);
	if (r == 0)
		r = lp_str_addf(&spelled, "/%s", rest);
	if (r < 0) {
		lp_links_clear(&rule.links);
		return r;
	}
	rule.path = LP_TAKE(pattern.text);
	rule.spelled = LP_TAKE(spelled.text);
	return add_rule(entry, &rule);
}

static int add_literal(const struct lp_entry *entry, const char *path)
{
	char *spelled = NULL;
	int r = lp_path_absolute(path, entry->base, entry->policy->home, &spelled);

	return r < 0 ? r : add_resolved(entry, spelled);
}

/* Drops "/" + "**" and "/" from the end, and "./" and doubled slashes from a pattern. */
static char *trimmed(const char *path)
{
	struct lp_str str = {0};

	for (const char *at = path; *at; at++) {
		bool starts = at == path || at[-1] == '/';

		if (starts && *at == '/' && at != path)
			continue;
		if (starts && at[0] == '.' && at[1] == '/') {
			at++;
			continue;
		}
		if (lp_str_add_bytes(&str, at, 1) < 0) {
			lp_str_clear(&str);
			return NULL;
		}
	}
	for (;;) {
		size_t len = str.len;

		if (len >= 3 && !memcmp(str.text + len - 3, "/**", 3))
			str.len = len == 3 ? 1 : len - 3;
		else if (len >= 2 && str.text[len - 1] == '/')
			str.len--;
		if (str.len == len)
			break;
		str.text[str.len] = '\0';
	}
	return str.text ? str.text : strdup(".");
}

int lp_rules_add_literal(struct lp_policy *policy, enum lp_rule_kind kind, const char *path,
	const char *base, const struct lp_source *source, const char *key, struct lp_err *err)
{
	struct lp_entry entry = {policy, kind, base, source, key, NULL, err};

	return add_literal(&entry, path);
}

int lp_rules_add_entry(const struct lp_entry *entry, const char *path)
{
	lp_autofree char *text = NULL, *head = NULL, *literal = NULL;
	const char *glob, *rest;
	struct stat st;
	int r;

	if (!strpbrk(path, "*?["))
		return add_literal(entry, path);
	text = trimmed(path);
	if (!text)
		return -ENOMEM;
	glob = strpbrk(text, "*?[");
	if (!glob)
		return add_literal(entry, text);
	rest = memrchr(text, '/', (size_t)(glob - text));
	rest = rest ? rest + 1 : text;
	head = strndup(text, (size_t)(rest - text));
	if (!head)
		return -ENOMEM;
	r = add_pattern(entry, head, rest);
	if (r < 0 || *glob != '[' || strpbrk(text, "*?"))
		return r;
	/* app/[id]/page.tsx is a real name as well as a pattern: it means both where it exists. */
	r = lp_path_absolute(text, entry->base, entry->policy->home, &literal);
	if (r < 0 || lstat(literal, &st) < 0)
		return r;
	return add_resolved(entry, LP_TAKE(literal));
}

int lp_rules_add_path(struct lp_policy *policy, enum lp_rule_kind kind, const char *path,
	const char *base, const struct lp_source *source, const char *key, struct lp_err *err)
{
	struct lp_entry entry = {policy, kind, base, source, key, NULL, err};

	return lp_rules_add_entry(&entry, path);
}

void lp_rules_remove(struct lp_policy *policy,
	bool (*doomed)(const struct lp_rule *rule, const void *data), const void *data)
{
	size_t kept = 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		struct lp_rule *rule = &policy->rules[i];

		if (!doomed(rule, data)) {
			policy->rules[kept++] = *rule;
			continue;
		}
		free(rule->path);
		free(rule->spelled);
		free(rule->origin.key);
		lp_links_clear(&rule->links);
	}
	policy->rule_count = kept;
}

/* Rules to remove, by their index in the policy. */
struct marks {
	const struct lp_rule *first;
	bool *marked;
};

static bool is_marked(const struct lp_rule *rule, const void *data)
{
	const struct marks *marks = data;

	return marks->marked[rule - marks->first];
}

const struct lp_link *lp_rules_planted_link(
	const struct lp_policy *policy, const struct lp_rule *rule)
{
	if (is_deny(rule->kind))
		return NULL;
	for (size_t i = 0; i < rule->links.count; i++)
		if (lp_policy_may(policy, rule->links.items[i].place, LP_ACCESS_WRITE).allowed)
			return &rule->links.items[i];
	return NULL;
}

int lp_rules_remove_planted(struct lp_policy *policy)
{
	lp_autofree bool *marked = calloc(policy->rule_count + 1, sizeof(*marked));
	struct marks marks = {policy->rules, marked};
	bool any = false;

	if (!marked)
		return -ENOMEM;
	/* All are judged before the first goes: a grant may be what makes another's link writable.
	 */
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		const struct lp_link *link = lp_rules_planted_link(policy, rule);
		char place[LP_SHOWN], target[LP_SHOWN];
		int r;

		if (!link)
			continue;
		marked[i] = any = true;
		r = lp_schema_note(policy, rule->origin.source, rule->origin.key,
			"crosses the symbolic link '%s', which the command can replace: not "
			"followed; name '%s' itself",
			lp_shown(place, link->place), lp_shown(target, rule->path));
		if (r < 0)
			return r;
	}
	if (any)
		lp_rules_remove(policy, is_marked, &marks);
	return 0;
}

static bool ties(const struct lp_policy *policy, size_t first, const struct lp_rule *grant)
{
	for (size_t i = first; i < policy->rule_count; i++)
		if (policy->rules[i].kind == LP_RULE_DENY_READ &&
			!strcmp(policy->rules[i].path, grant->path))
			return true;
	return false;
}

int lp_rules_settle_ties(struct lp_policy *policy, size_t first)
{
	lp_autofree bool *marked = NULL;
	struct marks marks;
	bool any = false;

	if (first == 0 || first == policy->rule_count)
		return 0;
	marked = calloc(policy->rule_count, sizeof(*marked));
	if (!marked)
		return -ENOMEM;
	for (size_t i = 0; i < first; i++)
		if (!is_deny(policy->rules[i].kind))
			any |= marked[i] = ties(policy, first, &policy->rules[i]);
	marks = (struct marks){policy->rules, marked};
	if (any)
		lp_rules_remove(policy, is_marked, &marks);
	return 0;
}
