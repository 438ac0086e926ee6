/*
 * Fuzzes the parsers of gitfile.c: `.git` files, single lines, and core.worktree. What they accept
 * must be a string that a path can be made of: no NUL inside, not longer than the input.
 */
#include <stdlib.h>
#include <string.h>

#include "settings/gitfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int (*parse)(const uint8_t *, size_t, char **), const uint8_t *data, size_t size)
{
	/* Of exact size, so that a read behind the end is seen. */
	uint8_t *copy = malloc(size ? size : 1);
	char *text = NULL;
	int r;

	if (!copy)
		return;
	if (size)
		memcpy(copy, data, size);
	r = parse(copy, size, &text);
	if ((r == 0) != (text != NULL) || (text && (!*text || strlen(text) > size)))
		abort();
	free(text);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(lp_gitfile_line, data, size);
	check(lp_gitfile_parse, data, size);
	check(lp_gitfile_core_worktree, data, size);
	return 0;
}
