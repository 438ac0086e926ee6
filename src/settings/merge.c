/*
 * Adds one checked settings text to the policy.
 *
 * Runs in the launcher before confinement, once for each text, lowest layer first. A text that is
 * not trusted (a project file that nobody accepted) is hostile: it may only tighten, and what it
 * would widen is named in a notice. Makes directories (createDirs) for trusted texts only.
 */
#include "settings/schema-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SAFE_DIRS 8 /* more than these collapse to "*", as in srt */

struct text {
	struct lp_merge *merge;
	struct lp_policy *policy;
	const struct lp_source *source;
	const json_t *json;
	struct lp_err *err;
};

static const json_t *get(const struct text *text, const char *object, const char *key)
{
	return json_object_get(json_object_get(text->json, object), key);
}

/* Copies text to at, but not beyond end; answers where the NUL would stand. */
static char *put(char *at, const char *end, const char *text)
{
	while (*text && at < end)
		*at++ = *text++;
	return at;
}

/* Without printf(3): there is one for each entry of each text. */
void lp_index_key(char key[LP_KEY_SIZE], const char *object, const char *list, size_t i)
{
	char digits[24] = {0}, *digit = digits + sizeof(digits) - 1, *at = key;
	const char *end = key + LP_KEY_SIZE - 1;

	*--digit = ']';
	do
		*--digit = (char)('0' + i % 10);
	while (i /= 10);
	*--digit = '[';
	at = put(at, end, object);
	if (*object)
		at = put(at, end, ".");
	at = put(at, end, list);
	*put(at, end, digit) = '\0';
}

/* ---- files ------------------------------------------------------------------------------------
 */

static int add_path(
	const struct text *text, enum lp_rule_kind kind, const char *path, const char *key)
{
	struct lp_entry entry = {text->policy, kind, text->merge->base, text->source, key,
		&text->merge->known, text->err};

	return lp_rules_add_entry(&entry, path);
}

static int add_paths(const struct text *text, enum lp_rule_kind kind, const char *list)
{
	const json_t *entry;
	size_t i;
	int r;

	json_array_foreach(get(text, "filesystem", list), i, entry)
	{
		char key[LP_KEY_SIZE];

		lp_index_key(key, "filesystem", list, i);
		r = add_path(text, kind, json_string_value(entry), key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_files(const struct text *text)
{
	enum lp_rule_kind write = text->merge->read_only ? LP_RULE_ALLOW_READ : LP_RULE_ALLOW_WRITE;
	size_t first = text->policy->rule_count;
	int r;

	r = add_paths(text, LP_RULE_DENY_READ, "denyRead");
	if (r == 0)
		r = add_paths(text, LP_RULE_DENY_WRITE, "denyWrite");
	if (r == 0 && text->source->trusted)
		r = add_paths(text, LP_RULE_ALLOW_READ, "allowRead");
	if (r == 0 && text->source->trusted)
		r = add_paths(text, write, "allowWrite");
	return r < 0 ? r : lp_rules_settle_ties(text->policy, first);
}

/* ---- environment ------------------------------------------------------------------------------
 */

static int add_env(const struct text *text, enum lp_env_action action, const char *name,
	const char *value, const char *key)
{
	struct lp_env_rule rule = {.action = action,
		.name = strdup(name),
		.value = value ? strdup(value) : NULL,
		.origin = {text->source, strdup(key)}};

	return lp_policy_add_env(text->policy, &rule);
}

static int add_env_list(const struct text *text, enum lp_env_action action, const char *list)
{
	const json_t *entry;
	size_t i;
	int r;

	json_array_foreach(get(text, "environment", list), i, entry)
	{
		char key[LP_KEY_SIZE];

		lp_index_key(key, "environment", list, i);
		r = add_env(text, action, json_string_value(entry), NULL, key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_env_set(const struct text *text)
{
	const char *name;
	json_t *value;
	int r;

	json_object_foreach((json_t *)get(text, "environment", "set"), name, value)
	{
		struct lp_str key LP_CLEANUP(lp_str_clear) = {0};

		if (lp_str_addf(&key, "environment.set.%s", name) < 0)
			return -ENOMEM;
		r = add_env(text, LP_ENV_SET, name, json_string_value(value), key.text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One more entry of the configuration that git reads from its environment (git-config(1)). */
static int add_safe_dir(const struct text *text, const char *dir, const char *suffix)
{
	static const char key[] = "git.safeDirectories";
	struct lp_str value LP_CLEANUP(lp_str_clear) = {0};
	char name[64], count[32];
	unsigned index = text->merge->git_count++;
	int r;

	if (lp_str_addf(&value, "%s%s", dir, suffix) < 0)
		return -ENOMEM;
	snprintf(name, sizeof(name), "GIT_CONFIG_KEY_%u", index);
	r = add_env(text, LP_ENV_SET, name, "safe.directory", key);
	snprintf(name, sizeof(name), "GIT_CONFIG_VALUE_%u", index);
	if (r == 0)
		r = add_env(text, LP_ENV_SET, name, value.text, key);
	snprintf(count, sizeof(count), "%u", index + 1);
	if (r == 0)
		r = add_env(text, LP_ENV_SET, "GIT_CONFIG_COUNT", count, key);
	return r;
}

static int add_safe_dirs(const struct text *text)
{
	const json_t *dirs = get(text, "git", "safeDirectories"), *dir;
	size_t i;
	int r = 0;

	if (json_array_size(dirs) > MAX_SAFE_DIRS)
		return add_safe_dir(text, "*", "");
	json_array_foreach(dirs, i, dir)
	{
		r = add_safe_dir(text, json_string_value(dir), "");
		if (r == 0)
			r = add_safe_dir(text, json_string_value(dir), "/*");
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_environment(const struct text *text)
{
	int r = 0;

	if (text->source->trusted) {
		r = add_env_list(text, LP_ENV_PASS, "pass");
		if (r == 0)
			r = add_env_set(text);
		if (r == 0)
			r = add_safe_dirs(text);
	}
	return r < 0 ? r : add_env_list(text, LP_ENV_UNSET, "unset");
}

/* ---- credentials ------------------------------------------------------------------------------
 */

static int add_credential(const struct text *text, const json_t *entry, const char *key)
{
	const char *mode = json_string_value(json_object_get(entry, "mode"));
	const char *path = json_string_value(json_object_get(entry, "path"));
	const char *name = json_string_value(json_object_get(entry, "name"));

	if (strcmp(mode, "deny") != 0)
		return lp_schema_fail(text->err, text->source, key,
			"mode mask needs TLS interception, which landpen does not do; write "
			"\"mode\": "
			"\"deny\" or remove the entry");
	if (name)
		return add_env(text, LP_ENV_UNSET, name, NULL, key);
	return add_path(text, LP_RULE_DENY_READ, path, key);
}

static int add_credentials(const struct text *text)
{
	static const char *const lists[] = {"files", "envVars"};
	size_t first = text->policy->rule_count, i;
	const json_t *entry;
	int r;

	for (size_t list = 0; list < LP_ARRAY_SIZE(lists); list++)
		json_array_foreach(get(text, "credentials", lists[list]), i, entry)
		{
			char key[LP_KEY_SIZE];

			lp_index_key(key, "credentials", lists[list], i);
			r = add_credential(text, entry, key);
			if (r < 0)
				return r;
		}
	return lp_rules_settle_ties(text->policy, first);
}

/* ---- switches and limits ----------------------------------------------------------------------
 */

/* A switch of which false is the tighter side; object may be NULL for the top level. */
static void set_switch(const struct text *text, const char *object, const char *key, bool *field)
{
	const json_t *value = object ? get(text, object, key) : json_object_get(text->json, key);

	if (value && (text->source->trusted || json_is_false(value)))
		*field = json_is_true(value);
}

static void set_switches(const struct text *text)
{
	const json_t *binding = get(text, "network", "allowLocalBinding");
	struct lp_policy *policy = text->policy;

	set_switch(text, "network", "allowAllUnixSockets", &policy->unix_sockets);
	set_switch(text, "network", "allowLocalBinding", &policy->local_binding);
	set_switch(text, "network", "ipv6Answers", &policy->ipv6_answers);
	set_switch(text, "process", "allowPtrace", &policy->ptrace);
	set_switch(text, "process", "allowNamespaces", &policy->namespaces);
	set_switch(text, "filesystem", "disabled", &policy->files_disabled);
	set_switch(text, "filesystem", "allowGitConfig", &text->merge->git_config);
	set_switch(text, NULL, "allowPty", &policy->ptys);
	if (json_is_false(binding) || (binding && text->source->trusted))
		text->merge->says_binding = true;
}

static uint64_t number_of(const json_t *json)
{
	uint64_t number = 0;

	if (json_is_string(json))
		lp_parse_size(json_string_value(json), &number);
	else if (json_is_integer(json))
		number = (uint64_t)json_integer_value(json);
	else
		number = (uint64_t)json_real_value(json);
	return number;
}

static int set_limits(const struct text *text)
{
	struct lp_limits *limits = &text->policy->limits;
	const struct {
		const char *key;
		uint64_t *field;
	} rows[] = {
		{"addressSpace", &limits->address_space},
		{"processes", &limits->processes},
		{"openFiles", &limits->open_files},
		{"fileSize", &limits->file_size},
		{"core", &limits->core},
	};

	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		const json_t *value = get(text, "limits", rows[i].key);
		uint64_t number = value ? number_of(value) : 0;
		char key[LP_KEY_SIZE];
		int r;

		if (!value)
			continue;
		if (text->source->trusted || number <= *rows[i].field) {
			*rows[i].field = number;
			continue;
		}
		snprintf(key, sizeof(key), "limits.%s", rows[i].key);
		r = lp_note_untrusted(text->policy, text->source, key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_depth(const struct text *text)
{
	static const char key[] = "mandatoryDenySearchDepth";
	const json_t *value = json_object_get(text->json, key);
	unsigned depth = value ? (unsigned)number_of(value) : 0;

	if (!value)
		return 0;
	if (!text->source->trusted && depth < text->merge->depth)
		return lp_note_untrusted(text->policy, text->source, key);
	text->merge->depth = depth;
	return 0;
}

static int add_accepted(const struct text *text)
{
	const json_t *entry;
	size_t i;

	if (!text->source->trusted)
		return 0;
	json_array_foreach(json_object_get(text->json, "acceptGaps"), i,
		entry) if (lp_strv_add(&text->policy->accepted, json_string_value(entry)) <
			   0) return -ENOMEM;
	return 0;
}

/* ignoreViolations: "*" speaks of every command, another key of those whose line has it. */
static int add_ignored(const struct text *text)
{
	const char *line = text->merge->command_line, *part;
	const json_t *entry;
	json_t *parts;
	size_t i;

	if (!text->source->trusted)
		return 0;
	json_object_foreach(json_object_get(text->json, "ignoreViolations"), part, parts)
	{
		if (strcmp(part, "*") != 0 && !(line && strstr(line, part)))
			continue;
		json_array_foreach(parts, i,
			entry) if (lp_strv_add(&text->policy->ignored, json_string_value(entry)) <
				   0) return -ENOMEM;
	}
	return 0;
}

int lp_merge(struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err)
{
	struct text text = {merge, merge->policy, source, json, err};
	int r;

	set_switches(&text);
	r = lp_merge_keys(merge, source, json, err);
	if (r == 0)
		r = lp_merge_network(merge, source, json, err);
	if (r == 0)
		r = add_files(&text);
	if (r == 0)
		r = add_environment(&text);
	if (r == 0)
		r = add_credentials(&text);
	if (r == 0)
		r = set_limits(&text);
	if (r == 0)
		r = set_depth(&text);
	if (r == 0)
		r = add_ignored(&text);
	return r < 0 ? r : add_accepted(&text);
}

/* ---- what has to be there before it can be granted or protected ------------------------------ */

static int own_path(const struct text *text, const char *spelled, const char *key, char **ret_path)
{
	lp_autofree char *path = NULL;
	char shown[LP_SHOWN];
	int r = lp_path_absolute(spelled, text->merge->base, text->policy->home, &path);

	if (r < 0)
		return r;
	if (!lp_path_is_under(path, text->policy->home) || strstr(path, "/../") ||
		!strcmp(lp_path_name(path), ".."))
		return lp_schema_fail(text->err, text->source, key,
			"'%s' is not below the home directory; create it yourself and remove the "
			"entry",
			lp_shown(shown, spelled));
	*ret_path = LP_TAKE(path);
	return 0;
}

static int create_dir(const struct text *text, const char *dir, const char *key)
{
	lp_autofree char *path = NULL;
	char shown[LP_SHOWN];
	int r = own_path(text, dir, key, &path);

	if (r < 0 || text->merge->looks_only)
		return r;
	r = lp_mkdir_all(path, 0700);
	if (r < 0 && r != -ENOMEM)
		return lp_schema_note(text->policy, text->source, key,
			"'%s' could not be created (%s)", lp_shown(shown, dir), strerror(-r));
	return r;
}

/* A file is only ever made where there is nothing; what is there, a dangling link too, stays. */
static int create_file(const struct text *text, const char *file, const char *content)
{
	static const char key[] = "filesystem.createFiles";
	lp_autofree char *path = NULL;
	lp_autofree char *dir = NULL;
	lp_autoclose int fd = -1;
	char shown[LP_SHOWN];
	int r = own_path(text, file, key, &path);

	if (r < 0 || text->merge->looks_only)
		return r;
	dir = lp_path_parent(path);
	if (!dir)
		return -ENOMEM;
	if (access(path, F_OK) == 0)
		return 0;
	r = lp_mkdir_all(dir, 0700);
	if (r == 0) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = fd < 0 ? -errno : lp_write_all(fd, content, strlen(content));
	}
	if (r < 0 && r != -EEXIST && r != -ENOMEM)
		return lp_schema_note(text->policy, text->source, key,
			"'%s' could not be created (%s)", lp_shown(shown, file), strerror(-r));
	return r == -ENOMEM ? r : 0;
}

int lp_merge_create(struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err)
{
	struct text text = {merge, merge->policy, source, json, err};
	const json_t *entry;
	const char *name;
	json_t *content;
	size_t i;
	int r;

	if (!source->trusted)
		return 0;
	json_array_foreach(get(&text, "filesystem", "createDirs"), i, entry)
	{
		char key[LP_KEY_SIZE];

		lp_index_key(key, "filesystem", "createDirs", i);
		r = create_dir(&text, json_string_value(entry), key);
		if (r < 0)
			return r;
	}
	json_object_foreach((json_t *)get(&text, "filesystem", "createFiles"), name, content)
	{
		r = create_file(&text, name, json_string_value(content));
		if (r < 0)
			return r;
	}
	return 0;
}
