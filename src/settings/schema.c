/*
 * From the bytes of a settings text to checked JSON, or to one sentence about what is wrong.
 *
 * Runs in the launcher before anything is confined. The text may be an untrusted project file:
 * its size is capped here, counts and depth in the walk, and whatever is quoted is escaped.
 * Does no I/O.
 */
#include "settings/schema-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT  (1U << 20)
#define MAX_SHOWN 200 /* bytes of a value in a sentence */

const char *lp_shown(char buf[LP_SHOWN], const char *text)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};
	size_t len = strlen(text), limit = MAX_SHOWN;

	if (len <= limit)
		limit = len;
	while (limit < len && ((uint8_t)text[limit] & 0xc0) == 0x80)
		limit--;
	buf[0] = '\0';
	/* LP_SHOWN holds the worst case, \xNN for each byte. */
	if (lp_str_add_escaped(&str, text, limit) == 0 && str.text)
		snprintf(buf, LP_SHOWN, "%.*s%s", LP_SHOWN - 8, str.text, limit < len ? "..." : "");
	return buf;
}

/* The line of key, or of the nearest thing around it that has one. */
static unsigned line_near(const struct lp_source *source, const char *key)
{
	lp_autofree char *shorter = lp_source_key(source, key);
	unsigned line;

	if (!shorter || !source->text)
		return 0;
	for (;;) {
		char *dot = strrchr(shorter, '.'), *bracket = strrchr(shorter, '[');
		struct lp_origin origin = {source, shorter};

		line = lp_origin_line(&origin);
		if (line || !*shorter)
			return line ? line : 1;
		if (bracket > dot)
			dot = bracket;
		*(dot ? dot : shorter) = '\0';
	}
}

/* "FILE:LINE: KEY: " */
static int add_place(
	struct lp_str *str, const struct lp_source *source, unsigned line, const char *key)
{
	lp_autofree char *said = lp_source_key(source, key);
	char shown[LP_SHOWN];
	int r = said ? lp_str_add_escaped(str, source->name, strlen(source->name)) : -ENOMEM;

	if (r == 0 && line)
		r = lp_str_addf(str, ":%u", line);
	if (r == 0)
		r = lp_str_add(str, ": ");
	if (r == 0 && *said)
		r = lp_str_addf(str, "%s: ", lp_shown(shown, said));
	return r;
}

static int add_sentence(struct lp_str *str, const struct lp_source *source, const char *key,
	const char *format, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof(text), format, args);
	if (add_place(str, source, line_near(source, key), key) < 0 || lp_str_add(str, text) < 0)
		return -ENOMEM;
	return 0;
}

int lp_schema_fail(struct lp_err *err, const struct lp_source *source, const char *key,
	const char *format, ...)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};
	va_list args;
	int r;

	va_start(args, format);
	r = add_sentence(&str, source, key, format, args);
	va_end(args);
	return r < 0 ? r : lp_fail(err, EINVAL, "%s", str.text);
}

int lp_schema_note(struct lp_policy *policy, const struct lp_source *source, const char *key,
	const char *format, ...)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};
	va_list args;
	int r;

	va_start(args, format);
	r = add_sentence(&str, source, key, format, args);
	va_end(args);
	return r < 0 ? r : lp_strv_own(&policy->notices, LP_TAKE(str.text));
}

/* Something outside the strings that people write and JSON does not have. */
struct oddity {
	unsigned line;
	const char *what;
};

static const char *odd_here(const char *at, const char *end)
{
	const char *next = at + 1;

	if (*at == '/' && next < end && (*next == '/' || *next == '*'))
		return "is a comment, which JSON does not have; remove it";
	if (*at == '#')
		return "is a comment, which JSON does not have; remove it";
	if (*at == '\'')
		return "is a string in single quotes; JSON takes only double quotes";
	if (*at == ',') {
		while (next < end && memchr(" \t\r\n", *next, 4))
			next++;
		if (next < end && (*next == '}' || *next == ']'))
			return "is a trailing comma, which JSON does not have; remove it";
	}
	return NULL;
}

static struct oddity find_oddity(const char *text, size_t len)
{
	const char *end = text + len;
	struct oddity odd = {1, NULL};
	bool in_string = false;

	for (const char *at = text; at < end; at++) {
		odd.line += *at == '\n';
		if (in_string && *at == '\\' && at + 1 < end)
			at++;
		else if (*at == '"')
			in_string = !in_string;
		else if (!in_string)
			odd.what = odd_here(at, end);
		if (odd.what)
			return odd;
	}
	return odd;
}

static int fail_at(struct lp_err *err, const struct lp_source *source, unsigned line,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail_at(
	struct lp_err *err, const struct lp_source *source, unsigned line, const char *format, ...)
{
	struct lp_str place LP_CLEANUP(lp_str_clear) = {0};
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (add_place(&place, source, line, "") < 0)
		return -ENOMEM;
	return lp_fail(err, EINVAL, "%s%s", place.text, text);
}

/* The parser has refused the text: says what it is, in the words of the person who wrote it. */
static int fail_syntax(
	struct lp_err *err, const struct lp_source *source, const json_error_t *error)
{
	unsigned line = error->line > 0 ? (unsigned)error->line : 1;
	struct oddity odd = find_oddity(source->text, source->len);
	char shown[LP_SHOWN];

	if (source->len >= 3 && !memcmp(source->text, "\xef\xbb\xbf", 3))
		return fail_at(err, source, 1,
			"starts with a byte order mark; save the file as UTF-8 without BOM");
	if (odd.what && odd.line <= line)
		return fail_at(err, source, odd.line, "not valid JSON: here %s", odd.what);
	switch (json_error_code(error)) {
	case json_error_duplicate_key:
		return fail_at(err, source, line, "%s; keep only one of the two",
			lp_shown(shown, error->text));
	case json_error_invalid_utf8:
		return fail_at(err, source, line, "is not UTF-8; save the file as UTF-8");
	case json_error_stack_overflow:
		return fail_at(err, source, line, "is nested too deep; flatten it");
	case json_error_premature_end_of_input:
		return fail_at(err, source, line,
			"not valid JSON: the text ends too early; close every { and [");
	default:
		return fail_at(err, source, line, "not valid JSON: %s; mend the text there",
			lp_shown(shown, error->text));
	}
}

static int parse(const struct lp_source *source, enum lp_dialect dialect, json_t **ret_json,
	struct lp_err *err)
{
	/* DECODE_ANY: a text that is only a string gets the sentence about objects. */
	size_t flags = JSON_DECODE_ANY;
	const char *nul = memchr(source->text, '\0', source->len);
	json_error_t error;

	if (source->len > MAX_TEXT)
		return fail_at(err, source, 0, "is larger than 1 MiB; shorten it");
	if (nul)
		return fail_at(err, source, 0, "holds a NUL byte; it must be a text in JSON");
	if (source->text[strspn(source->text, " \t\r\n")] == '\0')
		return fail_at(err, source, 0,
			"is empty; write {} for settings that say nothing, or remove the file");
	if (dialect == LP_DIALECT_LANDPEN)
		flags |= JSON_REJECT_DUPLICATES;
	*ret_json = json_loadb(source->text, source->len, flags, &error);
	if (!*ret_json)
		return fail_syntax(err, source, &error);
	return 0;
}

/* The same text in srt's shape, if it is Claude Code's; else as it is. Takes json. */
static int translate(struct lp_policy *policy, const struct lp_source *source, json_t *json,
	json_t **ret_json, struct lp_err *err)
{
	int r;

	*ret_json = json;
	if (!lp_claude_is(json))
		return 0;
	r = lp_claude_translate(policy, source, json, ret_json, err);
	json_decref(json);
	return r;
}

int lp_schema_read(struct lp_policy *policy, const struct lp_source *source,
	enum lp_dialect dialect, json_t **ret_json, struct lp_err *err)
{
	json_t *json = NULL;
	int r = parse(source, dialect, &json, err);

	if (r < 0)
		return r;
	if (dialect == LP_DIALECT_SRT && json_object_get(json, "extends")) {
		json_decref(json);
		return lp_schema_read(policy, source, LP_DIALECT_LANDPEN, ret_json, err);
	}
	if (dialect == LP_DIALECT_SRT)
		r = translate(policy, source, json, &json, err);
	if (r < 0)
		return r;
	r = lp_schema_walk(policy, source, dialect, json, err);
	if (r == 0)
		r = lp_schema_cross(source, json, err);
	if (r < 0) {
		json_decref(json);
		return r;
	}
	*ret_json = json;
	return 0;
}
