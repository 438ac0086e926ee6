/*
 * Compares a parsed settings text with the table of keys: types, ranges, grammars, unknown keys.
 *
 * Runs in the launcher; the text may come from an untrusted project file, so depth and counts are
 * capped and what is quoted is escaped. Builds key paths only where a sentence needs one.
 */
#include "settings/schema-parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH   64
#define MAX_NOTICES 20 /* about unknown keys of one text */
#define MAX_KEYS    64 /* of one table */

struct walk {
	struct lp_policy *policy;
	const struct lp_source *source;
	enum lp_dialect dialect;
	struct lp_err *err;
	struct lp_str path; /* of the object at hand */
	unsigned noted;
};

/* The key path of name inside the object at hand; "" is the object itself. */
static const char *path_of(struct walk *walk, const char *name)
{
	const char *dot = walk->path.len && *name && *name != '[' ? "." : "";

	if (lp_str_addf(&walk->path, "%s%s", dot, name) < 0)
		return "";
	return walk->path.text;
}

#define FAIL(walk, name, ...) \
	lp_schema_fail((walk)->err, (walk)->source, path_of(walk, name), __VA_ARGS__)

static int fail_entry(
	struct walk *walk, const char *name, size_t index, const char *text, const char *problem)
{
	char shown[LP_SHOWN], entry[32];

	path_of(walk, name);
	snprintf(entry, sizeof(entry), "[%zu]", index);
	if (!text)
		return FAIL(walk, entry, "%s", problem);
	return FAIL(walk, entry, "'%s' %s", lp_shown(shown, text), problem);
}

static const char *type_word(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "null";
	}
}

static int fail_type(struct walk *walk, const char *name, const json_t *json, const char *wanted)
{
	const char *cure = "write it as such";

	if (json_is_null(json))
		cure = "remove the key or give it a value";
	else if (json_is_string(json) && strstr(wanted, "list"))
		cure = "put it in [ ]";
	else if (json_is_string(json))
		cure = "write it without the quotes";
	else if (strstr(wanted, "a string"))
		cure = "put it in \" \"";
	return FAIL(walk, name, "must be %s, not %s; %s", wanted, type_word(json), cure);
}

static int check_string(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	const char *text = json_string_value(json), *problem = NULL;
	char shown[LP_SHOWN];

	if (!text)
		return fail_type(walk, key->name, json, "a string");
	if (key->check)
		problem = key->check(text);
	if (problem)
		return FAIL(walk, key->name, "'%s' %s", lp_shown(shown, text), problem);
	return 0;
}

static int check_choice(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	const char *text = json_string_value(json);
	struct lp_str known LP_CLEANUP(lp_str_clear) = {0};
	char shown[LP_SHOWN];

	if (!text)
		return fail_type(walk, key->name, json, "a string");
	for (const char *const *choice = key->choices; *choice; choice++) {
		if (!strcmp(text, *choice))
			return 0;
		if (lp_str_addf(&known, "%s'%s'", known.len ? " or " : "", *choice) < 0)
			return -ENOMEM;
	}
	return FAIL(
		walk, key->name, "'%s' is not known; write %s", lp_shown(shown, text), known.text);
}

/* JavaScript has no integers: 8080.0 is one for srt. */
static bool whole_number(const json_t *json, long long *ret_number)
{
	double real;

	if (json_is_integer(json)) {
		*ret_number = json_integer_value(json);
		return true;
	}
	if (!json_is_real(json))
		return false;
	real = json_real_value(json);
	if (!(real >= -1e15 && real <= 1e15) || (double)(long long)real != real)
		return false;
	*ret_number = (long long)real;
	return true;
}

static int check_number(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	long long number;

	if (!json_is_number(json))
		return fail_type(walk, key->name, json, "a whole number");
	if (whole_number(json, &number) && number >= key->min && number <= key->max)
		return 0;
	if (key->max == INT64_MAX)
		return FAIL(walk, key->name, "must be a whole number; write 0 or more");
	return FAIL(walk, key->name, "is out of range; write a whole number from %lld to %lld",
		key->min, key->max);
}

static int check_size(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	static const char wanted[] = "a number of bytes or a string such as \"4G\"";
	long long number;
	uint64_t size;

	if (json_is_string(json)) {
		if (lp_parse_size(json_string_value(json), &size) == 0)
			return 0;
		return FAIL(walk, key->name,
			"is no size; write a number, or a string such as \"512M\" or \"4G\"");
	}
	if (!json_is_number(json))
		return fail_type(walk, key->name, json, wanted);
	if (whole_number(json, &number) && number >= 0)
		return 0;
	return FAIL(walk, key->name, "must be a whole number; write 0 or more");
}

static int check_count(struct walk *walk, const struct lp_key *key, size_t count)
{
	if (count > LP_MAX_ENTRIES)
		return FAIL(walk, key->name, "has %zu entries; at most %d are allowed", count,
			LP_MAX_ENTRIES);
	if (count == 0 && (key->flags & LP_KEY_NOT_EMPTY))
		return FAIL(walk, key->name, "is empty; add at least one entry");
	return 0;
}

static int check_strings(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(json))
		return fail_type(walk, key->name, json, "a list of strings");
	if (check_count(walk, key, json_array_size(json)) < 0)
		return -EINVAL;
	json_array_foreach(json, i, entry)
	{
		const char *text = json_string_value(entry), *problem = NULL;

		if (!text)
			return fail_entry(
				walk, key->name, i, NULL, "must be a string; put it in \" \"");
		if (key->check)
			problem = key->check(text);
		if (problem)
			return fail_entry(walk, key->name, i, text, problem);
	}
	return 0;
}

static int check_ints(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	const json_t *entry;
	long long number;
	size_t i;

	if (!json_is_array(json))
		return fail_type(walk, key->name, json, "a list of numbers");
	if (check_count(walk, key, json_array_size(json)) < 0)
		return -EINVAL;
	json_array_foreach(json, i, entry) if (!whole_number(entry, &number) || number < key->min ||
					       number > key->max) return fail_entry(walk, key->name,
		i, NULL, "must be a port; write a whole number from 1 to 65535");
	return 0;
}

static int check_map(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	struct lp_key entry = {.type = key->type == LP_TYPE_MAPS ? LP_TYPE_STRINGS : LP_TYPE_STRING,
		.check = key->check};
	const char *name, *problem;
	char shown[LP_SHOWN];
	json_t *value;
	size_t before = walk->path.len;
	int r = 0;

	if (!json_is_object(json))
		return fail_type(walk, key->name, json, "an object");
	if (check_count(walk, key, json_object_size(json)) < 0)
		return -EINVAL;
	path_of(walk, key->name);
	json_object_foreach((json_t *)json, name, value)
	{
		problem = key->check_name ? key->check_name(name) : NULL;
		if (problem)
			return FAIL(walk, "", "'%s' %s", lp_shown(shown, name), problem);
		entry.name = name;
		r = key->type == LP_TYPE_MAPS ? check_strings(walk, &entry, value)
					      : check_string(walk, &entry, value);
		if (r < 0)
			return r;
	}
	walk->path.len = before;
	return 0;
}

static int check_object(
	struct walk *walk, const struct lp_key *keys, bool strict, const json_t *json);

static int check_objects(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	size_t before = walk->path.len, i;
	const json_t *entry;

	if (!json_is_array(json))
		return fail_type(walk, key->name, json, "a list of objects");
	if (check_count(walk, key, json_array_size(json)) < 0)
		return -EINVAL;
	json_array_foreach(json, i, entry)
	{
		char index[32];
		int r;

		if (!json_is_object(entry))
			return fail_entry(
				walk, key->name, i, NULL, "must be an object; write it in { }");
		snprintf(index, sizeof(index), "[%zu]", i);
		path_of(walk, key->name);
		path_of(walk, index);
		r = check_object(walk, key->keys, key->flags & LP_KEY_STRICT, entry);
		if (r < 0)
			return r;
		walk->path.len = before;
	}
	return 0;
}

static int check_value(struct walk *walk, const struct lp_key *key, const json_t *json)
{
	size_t before = walk->path.len;
	int r;

	switch (key->type) {
	case LP_TYPE_OBJECTS:
		return check_objects(walk, key, json);
	case LP_TYPE_BOOL:
		if (json_is_boolean(json))
			return 0;
		return fail_type(walk, key->name, json, "true or false");
	case LP_TYPE_INT:
		return check_number(walk, key, json);
	case LP_TYPE_INTS:
		return check_ints(walk, key, json);
	case LP_TYPE_SIZE:
		return check_size(walk, key, json);
	case LP_TYPE_STRING:
		return check_string(walk, key, json);
	case LP_TYPE_CHOICE:
		return check_choice(walk, key, json);
	case LP_TYPE_STRINGS:
		return check_strings(walk, key, json);
	case LP_TYPE_MAP:
	case LP_TYPE_MAPS:
		return check_map(walk, key, json);
	case LP_TYPE_NEVER:
		return FAIL(walk, key->name, "%s", key->words);
	case LP_TYPE_OBJECT:
		break;
	}
	if (!json_is_object(json))
		return fail_type(walk, key->name, json, "an object");
	path_of(walk, key->name);
	r = check_object(walk, key->keys, key->flags & LP_KEY_STRICT, json);
	if (r == 0)
		walk->path.len = before;
	return r;
}

static bool is_too_deep(const json_t *json, unsigned depth)
{
	const json_t *entry;
	const char *name;
	json_t *value;
	size_t i;

	if (depth == 0)
		return json_is_object(json) || json_is_array(json);
	if (json_is_array(json))
		json_array_foreach(json, i, entry) if (is_too_deep(entry, depth - 1)) return true;
	if (json_is_object(json))
		json_object_foreach(
			(json_t *)json, name, value) if (is_too_deep(value, depth - 1)) return true;
	return false;
}

/* The top-level object that has a key of this name, for keys that stand in the wrong place. */
static const char *home_of(const char *name)
{
	for (const struct lp_key *key = lp_schema_keys; key->name; key++)
		for (const struct lp_key *inner = key->keys; inner && inner->name; inner++)
			if (!strcmp(inner->name, name))
				return key->name;
	return NULL;
}

/* The known key that name was meant to be: by its letters, or since it starts alike. */
static const char *meant_key(const struct lp_key *keys, const char *name)
{
	const char *names[MAX_KEYS] = {NULL}, *nearest;
	size_t count = 0, len = strlen(name);

	for (; keys[count].name && count < MAX_KEYS; count++)
		names[count] = keys[count].name;
	nearest = lp_nearest(name, names, count);
	for (size_t i = 0; i < count && !nearest && len >= 3; i++)
		if (!strncmp(names[i], name, len))
			nearest = names[i];
	return nearest;
}

static int unknown_key(struct walk *walk, const struct lp_key *keys, bool strict, const char *name,
	const json_t *json)
{
	bool fatal = strict || walk->dialect == LP_DIALECT_LANDPEN;
	const char *nearest = meant_key(keys, name), *home = home_of(name);
	size_t before = walk->path.len;
	char hint[128];
	int r;

	if (nearest)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", nearest);
	else if (home)
		snprintf(hint, sizeof(hint), "'%s' belongs into '%s'", name, home);
	else
		snprintf(hint, sizeof(hint), "%s", fatal ? "remove it" : "it may be removed");
	if (fatal)
		return FAIL(walk, name, "unknown key; %s", hint);
	if (is_too_deep(json, MAX_DEPTH))
		return FAIL(walk, name, "is nested more than %d levels deep; remove it", MAX_DEPTH);
	if (walk->noted++ >= MAX_NOTICES)
		return 0;
	r = lp_schema_note(
		walk->policy, walk->source, path_of(walk, name), "unknown key, ignored; %s", hint);
	walk->path.len = before;
	return r;
}

static int check_required(struct walk *walk, const struct lp_key *keys, const json_t *json)
{
	unsigned required = LP_KEY_REQUIRED;

	if (walk->dialect == LP_DIALECT_SRT)
		required |= LP_KEY_SRT_REQUIRED;
	for (; keys->name; keys++)
		if ((keys->flags & required) && !json_object_get(json, keys->name))
			return FAIL(walk, keys->name, "is required; add %s",
				keys->type == LP_TYPE_OBJECT ? "it as an object { }"
				: keys->type == LP_TYPE_STRINGS
					? "it, [ ] if there is nothing to list"
					: "it");
	return 0;
}

static int check_object(
	struct walk *walk, const struct lp_key *keys, bool strict, const json_t *json)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)json, name, value)
	{
		const struct lp_key *key = keys;
		int r;

		while (key->name && strcmp(key->name, name) != 0)
			key++;
		if (!key->name)
			r = unknown_key(walk, keys, strict, name, value);
		else if ((key->flags & LP_KEY_RULESET) && walk->source->layer != LP_LAYER_RULESET)
			r = FAIL(walk, name, "is for shipped rulesets only; remove it");
		else
			r = check_value(walk, key, value);
		if (r < 0)
			return r;
	}
	return check_required(walk, keys, json);
}

int lp_schema_walk(struct lp_policy *policy, const struct lp_source *source,
	enum lp_dialect dialect, const json_t *json, struct lp_err *err)
{
	struct walk walk = {policy, source, dialect, err, {0}, 0};
	int r;

	if (!json_is_object(json))
		return lp_schema_fail(err, source, "",
			"must hold an object, not %s; start it with {", type_word(json));
	r = check_object(&walk, lp_schema_keys, false, json);
	lp_str_clear(&walk.path);
	return r;
}
