/* Strings, lists of strings, name suggestions, the glob language. Pure; runs in every process. */
#include "base.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lp_freep(void *pointer_to_pointer)
{
	void **pointer = pointer_to_pointer;

	free(*pointer);
	*pointer = NULL;
}

static int str_reserve(struct lp_str *str, size_t more)
{
	size_t need = str->len + more + 1;
	char *grown;

	if (need <= str->size)
		return 0;
	if (need < 2 * str->size)
		need = 2 * str->size;
	if (need < 64)
		need = 64;
	grown = realloc(str->text, need);
	if (!grown)
		return -ENOMEM;
	str->text = grown;
	str->size = need;
	return 0;
}

int lp_str_add_bytes(struct lp_str *str, const void *bytes, size_t len)
{
	if (str_reserve(str, len) < 0)
		return -ENOMEM;
	if (len)
		memcpy(str->text + str->len, bytes, len);
	str->len += len;
	str->text[str->len] = '\0';
	return 0;
}

int lp_str_add(struct lp_str *str, const char *text)
{
	return lp_str_add_bytes(str, text, strlen(text));
}

int lp_str_addf(struct lp_str *str, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || str_reserve(str, (size_t)len) < 0)
		return -ENOMEM;
	va_start(args, format);
	vsnprintf(str->text + str->len, (size_t)len + 1, format, args);
	va_end(args);
	str->len += (size_t)len;
	return 0;
}

/* The length of the UTF-8 sequence at bytes, or 0 if it is none that may reach a terminal. */
static size_t printable_sequence(const uint8_t *bytes, size_t len)
{
	size_t need;

	if (bytes[0] >= 0x20 && bytes[0] < 0x7f)
		return bytes[0] == '\\' ? 0 : 1;
	if (bytes[0] >= 0xc3 && bytes[0] <= 0xdf)
		need = 2;
	else if (bytes[0] >= 0xe0 && bytes[0] <= 0xef)
		need = 3;
	else if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4)
		need = 4;
	else
		return 0; /* C0, C1 (0xc2 0x80..0x9f) and stray bytes */
	if (need > len)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xf0 && bytes[1] < 0x90) ||
		(bytes[0] == 0xed && bytes[1] >= 0xa0) || (bytes[0] == 0xf4 && bytes[1] >= 0x90))
		return 0; /* longer than needed, a surrogate, or past U+10FFFF */
	if ((bytes[0] == 0xd8 && bytes[1] == 0x9c) ||
		(bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf))
		return 0; /* U+061C turns the direction too; U+FEFF is invisible */
	if (bytes[0] == 0xe2 && bytes[1] >= 0x80 && bytes[1] <= 0x81)
		return 0; /* general punctuation holds the bidirectional overrides */
	return need;
}

int lp_str_add_escaped(struct lp_str *str, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len) {
		size_t step = printable_sequence(at, len);
		int r;

		if (step)
			r = lp_str_add_bytes(str, at, step);
		else
			r = lp_str_addf(str, at[0] == '\\' ? "\\\\" : "\\x%02x", at[0]);
		if (r < 0)
			return r;
		step = step ? step : 1;
		at += step;
		len -= step;
	}
	return 0;
}

void lp_str_clear(struct lp_str *str)
{
	free(str->text);
	*str = (struct lp_str){0};
}

int lp_strv_own(struct lp_strv *list, char *text)
{
	char **grown = list->items;
	size_t room = list->count + 1; /* with the NULL; doubled when it is a power of two */

	if (!text)
		return -ENOMEM;
	if (list->count == 0 || (room & (room - 1)) == 0)
		grown = realloc(list->items, 2 * room * sizeof(*grown));
	if (!grown) {
		free(text);
		return -ENOMEM;
	}
	list->items = grown;
	grown[list->count++] = text;
	grown[list->count] = NULL;
	return 0;
}

int lp_strv_add(struct lp_strv *list, const char *text)
{
	return lp_strv_own(list, strdup(text));
}

int lp_strv_addf(struct lp_strv *list, const char *format, ...)
{
	struct lp_str text = {0};
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || str_reserve(&text, (size_t)len) < 0)
		return -ENOMEM;
	va_start(args, format);
	vsnprintf(text.text, (size_t)len + 1, format, args);
	va_end(args);
	return lp_strv_own(list, text.text);
}

bool lp_strv_has(const struct lp_strv *list, const char *text)
{
	lp_strv_foreach (item, list)
		if (!strcmp(item, text))
			return true;
	return false;
}

void lp_strv_clear(struct lp_strv *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct lp_strv){0};
}

/* Levenshtein distance, case folded; names longer than the row are never near. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[64], len_b = strlen(b);

	if (len_b >= LP_ARRAY_SIZE(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t above = row[j];
			size_t cost = tolower((uint8_t)*a) != tolower((uint8_t)b[j - 1]);
			size_t best = diagonal + cost;

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[len_b];
}

const char *lp_nearest(const char *text, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t least = strlen(text) / 3 + 2;

	for (size_t i = 0; i < count; i++) {
		size_t distance = edit_distance(text, names[i]);

		if (distance < least) {
			least = distance;
			nearest = names[i];
		}
	}
	return nearest;
}

bool lp_has_glob(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

/* Matches one [set]; moves *pattern behind it. An unclosed '[' is an ordinary character. */
static bool match_set(const char **pattern, char c)
{
	const char *at = *pattern + 1;
	bool negated = *at == '!' || *at == '^', found = false;
	const char *first;

	at += negated;
	first = at;
	while (*at && (*at != ']' || at == first)) {
		char low = *at, high = *at;

		if (at[1] == '-' && at[2] && at[2] != ']') {
			high = at[2];
			at += 2;
		}
		if (c >= low && c <= high)
			found = true;
		at++;
	}
	if (*at != ']') {
		(*pattern)++;
		return c == '[';
	}
	*pattern = at + 1;
	return found != negated && c != '/';
}

/*
 * All positions of the pattern that the text so far can have reached, carried along a byte at a
 * time: the work is the product of the lengths whatever the pattern, which a project file may have
 * made to be slow. GLOB_WITHIN marks a "**" that may take more.
 */
enum {
	GLOB_AT = 1,
	GLOB_WITHIN = 2,
};

#define GLOB_MAX 4096 /* PATH_MAX: a longer pattern names no path */

/* Where the token at the position leads on byte c: marks it in next. */
static void glob_token(const char *pattern, size_t at, char c, uint8_t *next)
{
	const char *behind = pattern + at;

	if (pattern[at] == '*')
		next[at] |= c != '/' ? GLOB_AT : 0;
	else if (pattern[at] == '?')
		next[at + 1] |= c != '/' ? GLOB_AT : 0;
	else if (pattern[at] == '[' && match_set(&behind, c))
		next[behind - pattern] |= GLOB_AT;
	else if (pattern[at] != '[' && pattern[at] == c)
		next[at + 1] |= GLOB_AT;
}

/* Adds to now what can be reached without a byte, and to next what c leads to. */
static bool glob_step(const char *pattern, size_t len, uint8_t *now, char c, uint8_t *next)
{
	bool alive = false;

	memset(next, 0, len + 1);
	for (size_t at = 0; at < len; at++) {
		bool twice = pattern[at] == '*' && pattern[at + 1] == '*';

		if (!now[at])
			continue;
		alive = true;
		if (twice) {
			if ((now[at] & GLOB_AT) && pattern[at + 2] == '/')
				now[at + 3] |= GLOB_AT;
			now[at + 2] |= GLOB_AT;
			next[at] |= GLOB_WITHIN;
			continue;
		}
		if (pattern[at] == '*')
			now[at + 1] |= GLOB_AT;
		glob_token(pattern, at, c, next);
	}
	return alive;
}

/* The positions reached before the first byte of text; pattern and text without their literal head.
 * false: the head differs, or the pattern names no path. */
static bool glob_start(const char **pattern, const char **text, uint8_t sets[GLOB_MAX + 1])
{
	for (; **pattern && !strchr("*?[", **pattern) && **text; (*pattern)++, (*text)++)
		if (**pattern != **text)
			return false;
	if (strlen(*pattern) > GLOB_MAX)
		return false;
	memset(sets, 0, strlen(*pattern) + 1);
	sets[0] = GLOB_AT;
	return true;
}

bool lp_glob_match(const char *pattern, const char *text)
{
	uint8_t sets[2][GLOB_MAX + 1];
	unsigned turn = 0;
	size_t len;

	if (!glob_start(&pattern, &text, sets[0]))
		return false;
	len = strlen(pattern);
	for (;; text++, turn ^= 1) {
		bool alive = glob_step(pattern, len, sets[turn], *text, sets[turn ^ 1]);

		if (!*text)
			return sets[turn][len] != 0;
		if (!alive)
			return false;
	}
}

bool lp_glob_reaches(const char *pattern, const char *dir)
{
	uint8_t sets[2][GLOB_MAX + 1];
	unsigned turn = 0;
	const char *text = dir;
	size_t len;

	if (!glob_start(&pattern, &text, sets[0]))
		return false;
	len = strlen(pattern);
	for (; *text; text++, turn ^= 1)
		if (!glob_step(pattern, len, sets[turn], *text, sets[turn ^ 1]))
			return false;
	/* the slash behind dir, but for "/", which has it; then anything may follow */
	if (text - dir != 1) {
		glob_step(pattern, len, sets[turn], '/', sets[turn ^ 1]);
		turn ^= 1;
	}
	return memchr(sets[turn], GLOB_AT, len) || memchr(sets[turn], GLOB_WITHIN, len) ||
	       memchr(sets[turn], GLOB_AT | GLOB_WITHIN, len);
}

int lp_parse_u64(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return -ERANGE;
	}
	*ret_number = number;
	return 0;
}
