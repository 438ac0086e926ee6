/*
 * embed OUT.c FILE.json...: writes the shipped rulesets as C data, sorted by name.
 *
 * Runs at build time on the build machine and is not part of landpen. Its input is the source
 * tree's own; a text that it cannot take stops the build. Bytes are kept as they are, so that line
 * numbers in messages are those of the file. "when" lists are written beside the text, so that the
 * launcher needs to parse only the toolchains that exist.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT (1 << 20)

static char text[MAX_TEXT + 1];

static _Noreturn void die(const char *what, const char *about)
{
	fprintf(stderr, "embed: %s: %s\n", about, what);
	exit(1);
}

static size_t load(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	if (!file)
		die("cannot be opened", path);
	len = fread(text, 1, MAX_TEXT, file);
	if (ferror(file) || len == 0 || len == MAX_TEXT || memchr(text, '\0', len))
		die("is no text", path);
	fclose(file);
	text[len] = '\0';
	return len;
}

/* "/x/claude.json" to "claude". */
static const char *name_of(const char *path, int *ret_len)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (len < 6 || strcmp(name + len - 5, ".json") != 0)
		die("is not called NAME.json", path);
	*ret_len = (int)len - 5;
	return name;
}

static int by_name(const void *a, const void *b)
{
	int len_a, len_b, order;
	const char *name_a = name_of(*(const char *const *)a, &len_a);
	const char *name_b = name_of(*(const char *const *)b, &len_b);

	order = memcmp(name_a, name_b, (size_t)(len_a < len_b ? len_a : len_b));
	return order ? order : len_a - len_b;
}

static void put_text(FILE *out)
{
	fputs("\t\"", out);
	for (const char *at = text; *at; at++) {
		if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at == '\n')
			fputs(at[1] ? "\\n\"\n\t\"" : "\\n", out);
		else if (*at >= 0x20 && *at < 0x7f && *at != '?')
			putc(*at, out);
		else
			fprintf(out, "\\%03o", (unsigned char)*at);
	}
	fputs("\"", out);
}

/* Behind the string that starts at '"'. */
static const char *string_end(const char *at, const char *path)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && *++at == '\0')
			break;
	if (!*at)
		die("has a string without an end", path);
	return at + 1;
}

static const char *skip(const char *at)
{
	return at + strspn(at, " \t\r\n,:");
}

/* A list of strings that is wanted at every start, without parsing the text for it. */
struct wanted {
	const char *key; /* with its quotes */
	int depth;       /* 1: of the top level */
};

static const struct wanted wanted[] = {{"\"when\"", 1}, {"\"pass\"", 2}};

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

/* The value of a wanted key, or NULL. */
static const char *find_list(const struct wanted *list, const char *path)
{
	int depth = 0;

	for (const char *at = text; *at;) {
		const char *start = at;

		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		if (*at != '"') {
			at++;
			continue;
		}
		at = string_end(at, path);
		if (depth == list->depth && !strncmp(start, list->key, strlen(list->key)) &&
			*(at + strspn(at, " \t")) == ':')
			return skip(at);
	}
	return NULL;
}

static bool put_list(FILE *out, const char *path, size_t number, size_t index)
{
	const char *at = find_list(&wanted[number], path);

	if (!at)
		return false;
	if (*at != '[')
		die("has something else where a list is wanted", path);
	fprintf(out, "static const char *const list_%zu_%zu[] = {", number, index);
	for (at = skip(at + 1); *at == '"'; at = skip(at)) {
		const char *end = string_end(at, path);

		if (memchr(at, '\\', (size_t)(end - at)))
			die("has an escape in a list that is wanted plain", path);
		fprintf(out, "%.*s, ", (int)(end - at), at);
		at = end;
	}
	if (*at != ']')
		die("has something else where a list of strings is wanted", path);
	fputs("NULL};\n\n", out);
	return true;
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? (size_t)argc - 2 : 0;
	bool *found = calloc(count + 1, WANTED * sizeof(*found));
	FILE *out;

	if (count == 0 || !found)
		die("usage: embed OUT.c FILE.json...", "arguments");
	qsort(argv + 2, count, sizeof(*argv), by_name);
	out = fopen(argv[1], "w");
	if (!out)
		die("cannot be written", argv[1]);
	fputs("/* Written by embed.c from rulesets. */\n#include \"settings/parts.h\"\n\n", out);
	for (size_t i = 0; i < count; i++) {
		load(argv[i + 2]);
		fprintf(out, "static const char text_%zu[] =\n", i);
		put_text(out);
		fputs(";\n\n", out);
		for (size_t j = 0; j < WANTED; j++)
			found[i * WANTED + j] = put_list(out, argv[i + 2], j, i);
	}
	fputs("const struct lp_ruleset lp_ruleset_data[] = {\n", out);
	for (size_t i = 0; i < count; i++) {
		int len;
		const char *name = name_of(argv[i + 2], &len);

		fprintf(out, "\t{\"%.*s\", text_%zu, sizeof(text_%zu) - 1, ", len, name, i, i);
		for (size_t j = 0; j < WANTED; j++)
			fprintf(out, found[i * WANTED + j] ? "list_%zu_%zu, " : "NULL, ", j, i);
		fputs("},\n", out);
	}
	fputs("\t{NULL, NULL, 0, NULL, NULL},\n};\n\nconst char *const lp_ruleset_names[] = {",
		out);
	for (size_t i = 0; i < count; i++) {
		int len;
		const char *name = name_of(argv[i + 2], &len);

		fprintf(out, "\"%.*s\", ", len, name);
	}
	fputs("NULL};\n", out);
	free(found);
	if (fclose(out) != 0)
		die("cannot be written", argv[1]);
	return 0;
}
