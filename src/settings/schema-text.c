/*
 * What is wrong with one string of a settings text: names, paths, regular expressions, sizes.
 *
 * Runs in the launcher; the text may come from an untrusted project file. Pure.
 */
#include "settings/schema-parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_START "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define NAME_CHARS NAME_START "0123456789"

const char *lp_check_not_empty(const char *text)
{
	return *text ? NULL : "is empty; name something or remove it";
}

const char *lp_check_absolute(const char *text)
{
	return *text == '/' ? NULL : "must be an absolute path; write it from / on";
}

const char *lp_check_path(const char *text)
{
	return *text ? NULL : "is an empty path; name a path or remove the entry";
}

const char *lp_check_env_name(const char *text)
{
	if (!*text || !strchr(NAME_START, *text) || text[strspn(text, NAME_CHARS)])
		return "is no variable name; use letters, digits and '_', not starting with a "
		       "digit";
	return NULL;
}

const char *lp_check_env_glob(const char *text)
{
	if (!*text || text[strspn(text, NAME_CHARS "*?[]!-")])
		return "is no variable name or pattern; use letters, digits, '_' and the glob "
		       "characters *?[]";
	return NULL;
}

/* Moves behind a [class]; false if it is not closed. */
static bool skip_class(const char **at)
{
	const char *p = *at + 1;

	for (; *p && *p != ']'; p++)
		if (*p == '\\' && p[1])
			p++;
	*at = p;
	return *p == ']';
}

/* Whether a group that starts at '(' captures: JavaScript's (?<name> does, other (? do not. */
static bool captures(const char *group)
{
	if (group[1] != '?')
		return true;
	return group[2] == '<' && group[3] != '=' && group[3] != '!';
}

/*
 * JavaScript's regular expressions, only as far as groups go: no C library compiles them, and a
 * mask is refused later anyway.
 */
const char *lp_check_regex(const char *text)
{
	unsigned open = 0, captured = 0;

	for (; *text; text++) {
		if (*text == '\\') {
			if (!*++text)
				return "is no regular expression; it ends in a lone '\\'";
		} else if (*text == '[') {
			if (!skip_class(&text))
				return "is no regular expression; a '[' is not closed";
		} else if (*text == '(') {
			open++;
			captured += captures(text);
		} else if (*text == ')' && open-- == 0) {
			return "is no regular expression; a ')' has no '('";
		}
	}
	if (open)
		return "is no regular expression; a '(' is not closed";
	if (!captured)
		return "has no capture group; put the secret part in ( )";
	return NULL;
}

const char *lp_check_uuid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == '-' ? text[i] != '-' : !isxdigit((uint8_t)text[i]))
			return "is no UUID; write xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	return text[sizeof(shape) - 1] ? "is longer than a UUID; remove the rest" : NULL;
}

/* Whether a URL's rest behind "scheme:" has a host, as the special schemes must. */
static bool has_host(const char *rest)
{
	const char *host = rest + strspn(rest, "/\\");
	size_t len = strcspn(host, "/\\?#");
	const char *at = memchr(host, '@', len);

	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return len > 0 && host[0] != ':' && !memchr(host, ' ', len);
}

/* What the WHATWG parser takes, roughly: "proxy:8080" is a URL of scheme "proxy". */
const char *lp_check_url(const char *text)
{
	static const char *const special[] = {"http", "https", "ftp", "ws", "wss"};
	size_t len = strcspn(text, ":");

	if (!isalpha((uint8_t)text[0]) || text[len] != ':')
		return "is no URL; write http://HOST:PORT";
	for (size_t i = 0; i < len; i++)
		if (!isalnum((uint8_t)text[i]) && !strchr("+-.", text[i]))
			return "is no URL; write http://HOST:PORT";
	for (size_t i = 0; i < LP_ARRAY_SIZE(special); i++)
		if (strlen(special[i]) == len && !strncasecmp(text, special[i], len) &&
			!has_host(text + len + 1))
			return "is a URL without a host; write http://HOST:PORT";
	return NULL;
}

const char *lp_check_mach(const char *text)
{
	const char *star = strchr(text, '*');

	if (!*text)
		return "is empty; name a service or remove the entry";
	return star && star[1] ? "has a '*' that is not at its end; keep only a last one" : NULL;
}

const char *lp_check_user(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 20 ? NULL
				     : "must be 1 to 20 characters long; choose another name";
}

int lp_parse_size(const char *text, uint64_t *ret_size)
{
	static const char units[] = "KMGT";
	size_t len = strspn(text, "0123456789");
	lp_autofree char *digits = strndup(text, len);
	unsigned shift = 0;
	uint64_t size;
	int r;

	if (!digits)
		return -ENOMEM;
	if (text[len]) {
		const char *unit = strchr(units, toupper((uint8_t)text[len]));

		if (!unit || text[len + 1])
			return -EINVAL;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	r = lp_parse_u64(digits, &size);
	if (r < 0)
		return r;
	if (size > (UINT64_MAX >> 1) >> shift)
		return -ERANGE;
	*ret_size = size << shift;
	return 0;
}
