/*
 * From the URL of a proxy to what landpen's proxy needs to go through it.
 *
 * Runs in the launcher before confinement. The URL is the user's own (settings that are trusted, or
 * the caller's environment) and may hold a password: it is never printed, nor is a part of it.
 */
#include "settings/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTP_PORT 80
#define MAX_INFO  4096 /* they travel in one line of a header */

static int base64(const uint8_t *bytes, size_t len, struct lp_str *str)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16;
		char out[4] = {0, 0, '=', '='};

		if (i + 1 < len)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < len)
			group |= bytes[i + 2];
		out[0] = letters[group >> 18];
		out[1] = letters[group >> 12 & 63];
		if (i + 1 < len)
			out[2] = letters[group >> 6 & 63];
		if (i + 2 < len)
			out[3] = letters[group & 63];
		if (lp_str_add_bytes(str, out, sizeof(out)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Takes %XX back; what is no such escape stands for itself, as in URLs of the WHATWG. */
static size_t decode(char *text, size_t len)
{
	size_t to = 0;

	for (size_t from = 0; from < len; from++) {
		char c = text[from];

		if (c == '%' && from + 2 < len && hex_digit(text[from + 1]) >= 0 &&
			hex_digit(text[from + 2]) >= 0) {
			c = (char)(hex_digit(text[from + 1]) << 4 | hex_digit(text[from + 2]));
			from += 2;
		}
		text[to++] = c;
	}
	return to;
}

/* "Basic ..." (RFC 7617) from "user:password" as it stands in a URL. */
static int make_authorization(const char *info, size_t len, char **ret_authorization)
{
	const char *colon = memchr(info, ':', len);
	size_t user_len = colon ? (size_t)(colon - info) : len;
	lp_autofree char *copy = strndup(info, len);
	struct lp_str plain LP_CLEANUP(lp_str_clear) = {0}, str LP_CLEANUP(lp_str_clear) = {0};
	size_t password_len = colon ? len - user_len - 1 : 0;
	char *password = copy ? copy + len - password_len : NULL;
	int r;

	if (!copy)
		return -ENOMEM;
	/* apart, since an escaped ':' belongs to the name */
	user_len = decode(copy, user_len);
	password_len = decode(password, password_len);
	r = lp_str_add_bytes(&plain, copy, user_len);
	if (r == 0)
		r = lp_str_add(&plain, ":");
	if (r == 0)
		r = lp_str_add_bytes(&plain, password, password_len);
	if (r == 0)
		r = lp_str_add(&str, "Basic ");
	if (r == 0)
		r = base64((const uint8_t *)plain.text, plain.len, &str);
	explicit_bzero(copy, len);
	if (plain.text)
		explicit_bzero(plain.text, plain.len);
	if (r == 0)
		*ret_authorization = LP_TAKE(str.text);
	return r;
}

/* authority: [user[:password]@]host[:port]. */
static int read_authority(const char *authority, size_t len, struct lp_upstream *ret_upstream)
{
	const char *at = memrchr(authority, '@', len);
	size_t info_len = at ? (size_t)(at - authority) : 0;
	lp_autofree char *place = NULL, *authorization = NULL, *name = NULL;
	char host[LP_HOST_SIZE];
	unsigned port;

	if (info_len > MAX_INFO)
		return -EINVAL;
	if (at) {
		authority = at + 1;
		len -= info_len + 1;
	}
	place = strndup(authority, len);
	if (!place)
		return -ENOMEM;
	if (len && place[len - 1] == ':')
		place[len - 1] = '\0';
	if (lp_host_port(place, host, &port) < 0)
		return -EINVAL;
	if (at && make_authorization(at - info_len, info_len, &authorization) < 0)
		return -ENOMEM;
	name = strdup(host);
	if (!name)
		return -ENOMEM;
	*ret_upstream = (struct lp_upstream){.host = LP_TAKE(name),
		.port = port ? port : HTTP_PORT,
		.authorization = LP_TAKE(authorization)};
	return 0;
}

int lp_upstream_parse(const char *url, bool bare, struct lp_upstream *ret_upstream)
{
	static const char http[] = "http://", https[] = "https://";
	const char *authority = url;

	if (!strncasecmp(url, https, sizeof(https) - 1))
		return LP_UPSTREAM_TLS;
	if (!strncasecmp(url, http, sizeof(http) - 1))
		authority = url + sizeof(http) - 1;
	else if (!bare || strstr(url, "://"))
		return LP_UPSTREAM_OTHER;
	return read_authority(authority, strcspn(authority, "/?#"), ret_upstream);
}
