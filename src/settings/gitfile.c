/*
 * What git writes into its small files: `.git` files, commondir, gitdir, and core.worktree.
 *
 * Pure parsers over (bytes, length), used by the launcher. All input is hostile: it comes with a
 * repository. Only what git itself would write is accepted; where git would go on with a strange
 * text, the answer is -EINVAL and nothing is granted for it.
 */
#include "settings/gitfile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int lp_gitfile_line(const uint8_t *buf, size_t len, char **ret_line)
{
	while (len && (buf[len - 1] == '\n' || buf[len - 1] == '\r'))
		len--;
	if (!len || memchr(buf, '\0', len) || memchr(buf, '\n', len))
		return -EINVAL;
	*ret_line = strndup((const char *)buf, len);
	return *ret_line ? 0 : -ENOMEM;
}

int lp_gitfile_parse(const uint8_t *buf, size_t len, char **ret_path)
{
	static const char prefix[] = "gitdir: ";
	size_t skip = sizeof(prefix) - 1;

	if (len <= skip || memcmp(buf, prefix, skip) != 0)
		return -EINVAL;
	return lp_gitfile_line(buf + skip, len - skip, ret_path);
}

struct cursor {
	const uint8_t *at, *end;
};

static void skip_line(struct cursor *in)
{
	while (in->at < in->end && *in->at++ != '\n')
		;
}

static void skip_blanks(struct cursor *in)
{
	while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\r'))
		in->at++;
}

/* Behind '[': moves behind ']' and answers whether the section is [core]. */
static bool parse_section(struct cursor *in)
{
	const uint8_t *name = in->at;
	size_t len;
	bool quoted = false;

	for (; in->at < in->end && *in->at != '\n'; in->at++) {
		if (*in->at == '"')
			quoted = !quoted;
		else if (*in->at == ']' && !quoted)
			break;
	}
	if (in->at >= in->end || *in->at == '\n')
		return false;
	len = (size_t)(in->at++ - name);
	return len == 4 && !strncasecmp((const char *)name, "core", 4);
}

/* The byte that the escape at the cursor stands for: 0 for a line continued, -1 for a bad one. */
static int parse_escape(struct cursor *in)
{
	if (in->at + 1 < in->end && in->at[0] == '\r' && in->at[1] == '\n')
		in->at++;
	if (in->at >= in->end)
		return -1;
	switch (*in->at++) {
	case '\n':
		return 0;
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'b':
		return '\b';
	case '"':
		return '"';
	case '\\':
		return '\\';
	default:
		return -1;
	}
}

/* Behind '=': reads one value, up to its line's end or a comment. 0, -EINVAL, -ENOMEM. */
static int parse_value(struct cursor *in, struct lp_str *value)
{
	size_t kept = 0; /* up to the last byte that is not trailing white space */
	bool quoted = false;

	skip_blanks(in);
	while (in->at < in->end && *in->at != '\n') {
		int c = *in->at++;
		bool literal = quoted;

		if (c == '\0' || value->len >= PATH_MAX)
			return -EINVAL;
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if ((c == '#' || c == ';') && !quoted)
			break; /* the caller skips the rest of the line */
		if (c == '\\') {
			c = parse_escape(in);
			if (c < 0)
				return -EINVAL;
			if (c == 0)
				continue;
			literal = true;
		}
		if (lp_str_add_bytes(value, &(char){(char)c}, 1) < 0)
			return -ENOMEM;
		if (literal || (c != ' ' && c != '\t' && c != '\r'))
			kept = value->len;
	}
	if (quoted || !kept)
		return -EINVAL;
	value->len = kept;
	value->text[kept] = '\0';
	return 0;
}

int lp_gitfile_core_worktree(const uint8_t *buf, size_t len, char **ret_path)
{
	struct cursor in = {buf, buf + len};
	struct lp_str found LP_CLEANUP(lp_str_clear) = {0};
	bool in_core = false;

	while (in.at < in.end) {
		const uint8_t *key;
		size_t key_len;

		skip_blanks(&in);
		if (in.at < in.end && *in.at == '[') {
			in.at++;
			in_core = parse_section(&in);
			continue;
		}
		key = in.at;
		while (in.at < in.end && !strchr(" \t\r\n=#;[", *in.at))
			in.at++;
		key_len = (size_t)(in.at - key);
		skip_blanks(&in);
		if (in_core && key_len == 8 && !strncasecmp((const char *)key, "worktree", 8) &&
			in.at < in.end && *in.at == '=') {
			int r;

			in.at++;
			found.len = 0;
			r = parse_value(&in, &found);
			if (r < 0)
				return r;
		}
		skip_line(&in);
	}
	if (!found.text)
		return -ENOENT;
	*ret_path = LP_TAKE(found.text);
	return 0;
}
