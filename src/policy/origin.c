/*
 * From a key path ("filesystem.denyRead[2]") to the line where it stands in a JSON text.
 *
 * JSON parsers keep no positions, and explaining is rare, so the text is walked again only when
 * somebody asks. The text has been accepted by the real parser before; on anything unexpected the
 * answer is "not known" (0). Pure; the text is hostile (a project file) and is only compared.
 */
#include "policy/policy.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 64

struct cursor {
	const char *at, *end;
	unsigned line;
};

static void skip_space(struct cursor *cursor)
{
	while (cursor->at < cursor->end && isspace((uint8_t)*cursor->at))
		cursor->line += *cursor->at++ == '\n';
}

/* Moves behind a string and gives its raw inside (escapes kept). */
static bool take_string(struct cursor *cursor, const char **ret_text, size_t *ret_len)
{
	const char *start;

	skip_space(cursor);
	if (cursor->at >= cursor->end || *cursor->at != '"')
		return false;
	start = ++cursor->at;
	while (cursor->at < cursor->end && *cursor->at != '"')
		cursor->at += *cursor->at == '\\' ? 2 : 1;
	if (cursor->at >= cursor->end)
		return false;
	*ret_text = start;
	*ret_len = (size_t)(cursor->at++ - start);
	return true;
}

/* Moves behind one value of any kind. */
static bool skip_value(struct cursor *cursor)
{
	unsigned depth = 0;

	skip_space(cursor);
	while (cursor->at < cursor->end) {
		const char *text;
		size_t len;
		char c = *cursor->at;

		if (c == '"') {
			if (!take_string(cursor, &text, &len))
				return false;
		} else if (c == '{' || c == '[') {
			depth++;
			cursor->at++;
		} else if (c == '}' || c == ']') {
			if (depth-- == 0)
				return false;
			cursor->at++;
		} else if (depth == 0 && c == ',') {
			return true;
		} else {
			cursor->line += c == '\n';
			cursor->at++;
			if (depth > 0 || cursor->at == cursor->end ||
				!strchr(",]}\n\t\r ", *cursor->at))
				continue;
		}
		if (depth == 0)
			return true;
	}
	return depth == 0;
}

static bool next_is(struct cursor *cursor, char c)
{
	skip_space(cursor);
	if (cursor->at >= cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* Enters the object at the cursor and stops before the value of the last member called name. */
static bool enter_member(struct cursor *cursor, const char *name, size_t name_len)
{
	struct cursor found = {0};
	const char *text;
	size_t len;

	if (!next_is(cursor, '{'))
		return false;
	do {
		if (!take_string(cursor, &text, &len) || !next_is(cursor, ':'))
			break;
		skip_space(cursor);
		if (len == name_len && !memcmp(text, name, len))
			found = *cursor;
		if (!skip_value(cursor))
			break;
	} while (next_is(cursor, ','));
	if (found.at)
		*cursor = found;
	return found.at != NULL;
}

static bool enter_index(struct cursor *cursor, unsigned long index)
{
	if (!next_is(cursor, '['))
		return false;
	while (index--)
		if (!skip_value(cursor) || !next_is(cursor, ','))
			return false;
	skip_space(cursor);
	return true;
}

int lp_policy_add_alias(
	struct lp_policy *policy, const struct lp_source *source, const char *key, const char *said)
{
	for (size_t i = 0; i < policy->source_count; i++) {
		struct lp_source *own = policy->sources[i];
		struct lp_alias *grown;

		if (own != source)
			continue;
		grown = realloc(own->aliases, (own->alias_count + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		own->aliases = grown;
		grown[own->alias_count++] = (struct lp_alias){strdup(key), strdup(said)};
		return grown[own->alias_count - 1].key && grown[own->alias_count - 1].said
			       ? 0
			       : -ENOMEM;
	}
	return -ENOENT;
}

char *lp_source_key(const struct lp_source *source, const char *key)
{
	const struct lp_alias *best = NULL;
	struct lp_str str = {0};
	size_t best_len = 0;

	for (size_t i = 0; source && i < source->alias_count; i++) {
		const struct lp_alias *alias = &source->aliases[i];
		size_t len = strlen(alias->key);

		if (len < best_len || strncmp(key, alias->key, len) != 0 ||
			(key[len] && key[len] != '.' && key[len] != '['))
			continue;
		best = alias;
		best_len = len;
	}
	if (lp_str_addf(&str, "%s%s", best ? best->said : "", key + best_len) < 0)
		return NULL;
	return str.text;
}

unsigned lp_origin_line(const struct lp_origin *origin)
{
	const struct lp_source *source = origin->source;
	lp_autofree char *said = NULL;
	struct cursor cursor;
	const char *key;

	if (!source || !source->text || !origin->key)
		return 0;
	said = lp_source_key(source, origin->key);
	if (!said)
		return 0;
	key = said;
	cursor = (struct cursor){source->text, source->text + source->len, 1};
	skip_space(&cursor);
	for (unsigned depth = 0; *key && depth < MAX_DEPTH; depth++) {
		if (*key == '[') {
			char *rest;

			if (!enter_index(&cursor, strtoul(key + 1, &rest, 10)) || *rest != ']')
				return 0;
			key = rest + 1;
		} else {
			size_t len = strcspn(key, ".[");

			if (!enter_member(&cursor, key, len))
				return 0;
			key += len;
		}
		key += *key == '.';
	}
	return cursor.line;
}

int lp_origin_print(const struct lp_origin *origin, struct lp_str *str)
{
	unsigned line = lp_origin_line(origin);
	const char *name = origin->source ? origin->source->name : "built in";
	lp_autofree char *key = origin->key ? lp_source_key(origin->source, origin->key) : NULL;
	int r;

	r = lp_str_add_escaped(str, name, strlen(name));
	if (r == 0 && line)
		r = lp_str_addf(str, ":%u", line);
	if (r == 0 && key)
		r = lp_str_addf(str, " (%s)", key);
	return r;
}
