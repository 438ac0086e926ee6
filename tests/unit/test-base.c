/* base: errors, strings, globs, files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

struct fixture {
	char root[PATH_MAX];
};

static int setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	char pattern[] = "/tmp/landpen-test-XXXXXX";

	assert_non_null(fx);
	assert_non_null(mkdtemp(pattern));
	assert_non_null(realpath(pattern, fx->root));
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	lp_remove_tree(AT_FDCWD, fx->root);
	free(fx);
	return 0;
}

static char *in(const struct fixture *fx, const char *path)
{
	char *joined = path[0] == '/' ? strdup(path) : lp_path_join(fx->root, path);

	assert_non_null(joined);
	return joined;
}

static void sh(const struct fixture *fx, const char *script)
{
	struct lp_str command LP_CLEANUP(lp_str_clear) = {0};

	assert_int_equal(
		lp_str_addf(&command, "set -e; cd '%s'; R='%s'; %s", fx->root, fx->root, script),
		0);
	assert_int_equal(system(command.text), 0);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_errors(void **state)
{
	struct lp_err err = {0};
	char long_text[4000];

	(void)state;
	assert_int_equal(lp_fail(&err, EACCES, "open %s: %m", "x"), -EACCES);
	assert_string_equal(err.text, "open x: Permission denied");
	lp_err_prefix(&err, "%s:%d", "file", 3);
	assert_string_equal(err.text, "file:3: open x: Permission denied");
	assert_int_equal(lp_fail(NULL, EINVAL, "x"), -EINVAL);
	lp_err_prefix(NULL, "x");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	lp_fail(&err, EINVAL, "%s", long_text);
	lp_err_prefix(&err, "%s", long_text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

/* ---- strings --------------------------------------------------------------------------------- */

static void test_escaping(void **state)
{
	static const struct {
		const char *bytes, *shown;
	} rows[] = {
		{"plain ~text.", "plain ~text."},
		{"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
		{"\033[31m", "\\x1b[31m"},
		{"back\\slash", "back\\\\slash"},
		{"\x7f", "\\x7f"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x91", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x91"},
		{"\xc2\x9b", "\\xc2\\x9b"},
		{"\xff\xfe", "\\xff\\xfe"},
		{"\xc3", "\\xc3"},
		{"\xe2\x82", "\\xe2\\x82"},
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"},
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
		{"\xd8\x9c", "\\xd8\\x9c"},
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
		{"\xe0\x82\x9b", "\\xe0\\x82\\x9b"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xf0\x80\x82\x9b", "\\xf0\\x80\\x82\\x9b"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"\xc0\x9b", "\\xc0\\x9b"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		struct lp_str str LP_CLEANUP(lp_str_clear) = {0};

		assert_int_equal(lp_str_add(&str, ""), 0);
		assert_int_equal(lp_str_add_escaped(&str, rows[i].bytes, strlen(rows[i].bytes)), 0);
		assert_string_equal(str.text, rows[i].shown);
	}
}

static void test_strings(void **state)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};
	struct lp_strv list LP_CLEANUP(lp_strv_clear) = {0};
	unsigned seen = 0;

	(void)state;
	lp_strv_foreach (item, &list)
		seen += item != NULL;
	assert_int_equal(seen, 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(lp_str_addf(&str, "%03u", i), 0);
		assert_int_equal(lp_strv_addf(&list, "%u", i), 0);
	}
	assert_int_equal(str.len, 3000);
	assert_int_equal(strlen(str.text), 3000);
	assert_int_equal(lp_strv_add(&list, "last"), 0);
	assert_int_equal(lp_strv_own(&list, NULL), -ENOMEM);
	assert_true(lp_strv_has(&list, "999"));
	assert_false(lp_strv_has(&list, "1000"));
	assert_null(list.items[list.count]);
	lp_strv_foreach (item, &list)
		seen += strlen(item) > 0;
	assert_int_equal(seen, 1001);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"denyRead", "allowRead", "allowWrite", "network"};

	(void)state;
	assert_string_equal(lp_nearest("denyReads", names, 4), "denyRead");
	assert_string_equal(lp_nearest("allowwrite", names, 4), "allowWrite");
	assert_string_equal(lp_nearest("netwrok", names, 4), "network");
	assert_null(lp_nearest("completely", names, 4));
	assert_null(lp_nearest("x", NULL, 0));
}

static void test_numbers(void **state)
{
	uint64_t number = 7;

	(void)state;
	assert_int_equal(lp_parse_u64("0", &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(lp_parse_u64("18446744073709551615", &number), 0);
	assert_true(number == UINT64_MAX);
	assert_int_equal(lp_parse_u64("18446744073709551616", &number), -ERANGE);
	assert_int_equal(lp_parse_u64("", &number), -EINVAL);
	assert_int_equal(lp_parse_u64("-1", &number), -EINVAL);
	assert_int_equal(lp_parse_u64("+1", &number), -EINVAL);
	assert_int_equal(lp_parse_u64(" 1", &number), -EINVAL);
	assert_int_equal(lp_parse_u64("1x", &number), -EINVAL);
	assert_true(number == UINT64_MAX);
}

/* ---- globs ----------------------------------------------------------------------------------- */

static const struct {
	const char *pattern, *text;
	bool matches;
} globs[] = {
	{"", "", true},
	{"", "a", false},
	{"a", "", false},
	{"/a/b", "/a/b", true},
	{"/a/b", "/a/bc", false},
	{"/a/b", "/a", false},
	{"*", "", true},
	{"*", "abc", true},
	{"*", "a/b", false},
	{"/*", "/", true},
	{"/a/*", "/a/b", true},
	{"/a/*", "/a/b/c", false},
	{"/a/*.c", "/a/x.c", true},
	{"/a/*.c", "/a/x.h", false},
	{"/a/*.c", "/a/.c", true},
	{"/a/*.c", "/a/x.c.c", true},
	{"/*/*/x", "/a/b/x", true},
	{"/*/x", "/a/b/x", false},
	{"a*b*c", "aXbYbZc", true},
	{"a*b*c", "aXbYbZ", false},
	{"?", "a", true},
	{"?", "", false},
	{"?", "/", false},
	{"/a?c", "/abc", true},
	{"/a?c", "/a/c", false},
	{"**", "", true},
	{"**", "/a/b/c", true},
	{"/a/**", "/a/b/c", true},
	{"/a/**", "/a/", true},
	{"/a/**", "/a", false},
	{"/a/**", "/ab", false},
	{"/a/**/x", "/a/x", true},
	{"/a/**/x", "/a/b/x", true},
	{"/a/**/x", "/a/b/c/x", true},
	{"/a/**/x", "/a/bx", false},
	{"/a/**/x", "/ax", false},
	{"**/.env", ".env", true},
	{"**/.env", "/a/.env", true},
	{"**/.env", "/a/b.env", false},
	{"/a/**/*.pem", "/a/k.pem", true},
	{"/a/**/*.pem", "/a/b/k.pem", true},
	{"/a/**/*.pem", "/a/b/k.pem/c", false},
	{"/a/**/b/**/c", "/a/b/c", true},
	{"/a/**/b/**/c", "/a/x/b/y/z/c", true},
	{"/a/**/b/**/c", "/a/x/y/c", false},
	{"**/x**/c", "x/xc", true},
	{"/a**b", "/a/x/b", true},
	{"***", "a/b", true},
	{"[abc]", "b", true},
	{"[abc]", "d", false},
	{"[a-c]x", "bx", true},
	{"[!a-c]", "d", true},
	{"[!a-c]", "b", false},
	{"[^a]", "b", true},
	{"[!a]", "/", false},
	{"[/]", "/", false},
	{"[]a]", "]", true},
	{"[!]a]", "b", true},
	{"[a-]", "-", true},
	{"[a", "[a", true},
	{"[a", "a", false},
	{"[", "[", true},
	{"[]", "[]", true},
	{"x[0-9]*", "x7yz", true},
	{"a*[0-9]", "abc5", true},
	{"*[", "a[", true},
	{"\\*", "\\a", true},
	{"\xff*", "\xff\xfe", true},
};

/* Whether the pattern could match below the folder. */
static const struct {
	const char *pattern, *dir;
	bool reaches;
} reaching[] = {
	{"/p/*.pem", "/p", true},
	{"/p/*.pem", "/", true},
	{"/p/*.pem", "/p/a", false},
	{"/p/*.pem", "/q", false},
	{"/p/*.pem", "/pq", false},
	{"/p/*", "/p/a", false},
	{"/p/*/x", "/p/a", true},
	{"/p/*/x", "/p/a/b", false},
	{"/p/*/x", "/p/a/x", false},
	{"/p/**/x", "/p/a/b/c", true},
	{"/p/**", "/p/a", true},
	{"/**/x", "/", true},
	{"/**/x", "/a", true},
	{"/*", "/", true},
	{"/*", "/a", false},
	{"/p/[ab]/c", "/p/a", true},
	{"/p/[ab]/c", "/p/c", false},
	{"/p/[!a]/c", "/p/a", false},
	{"/p/a?/c", "/p/ab", true},
	{"/p/a?/c", "/p/a", false},
	{"/p/**/x/*", "/p/y/x", true},
	{"/p/a", "/p", true},
	{"/p/a", "/p/a", false},
};

static void test_globs_below(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(reaching); i++)
		if (lp_glob_reaches(reaching[i].pattern, reaching[i].dir) != reaching[i].reaches)
			fail_msg("%s below %s", reaching[i].pattern, reaching[i].dir);
}

static void test_globs(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(globs); i++)
		if (lp_glob_match(globs[i].pattern, globs[i].text) != globs[i].matches)
			fail_msg("%s against %s", globs[i].pattern, globs[i].text);
	assert_true(lp_has_glob("a*"));
	assert_true(lp_has_glob("[a"));
	assert_false(lp_has_glob("/a/b]"));
}

/* Patterns made to be slow or deep must neither take long nor need stack, and must be right. */
static void test_hostile_globs(void **state)
{
	enum { LEN = 4000 };
	lp_autofree char *pattern = calloc(1, 200001), *text = calloc(1, LEN + 2);

	(void)state;
	memset(text, 'a', LEN);
	for (size_t i = 0; i < 60; i++)
		memcpy(pattern + 3 * i, "a**", 3);
	strcat(pattern, "b");
	assert_false(lp_glob_match(pattern, text));
	text[LEN] = 'b';
	assert_true(lp_glob_match(pattern, text));
	for (size_t i = 0; i < 60; i++)
		memcpy(pattern + 2 * i, "*a", 2);
	pattern[120] = '\0';
	assert_false(lp_glob_match(pattern, text));
	memset(pattern, '*', 4096);
	pattern[4096] = '\0';
	assert_true(lp_glob_match(pattern, text));
	memset(pattern, '*', 200000);
	assert_false(lp_glob_match(pattern, text));
}

/* ---- files ----------------------------------------------------------------------------------- */

static int read_in(
	const struct fixture *fx, const char *name, size_t limit, char **ret_text, size_t *ret_len)
{
	lp_autofree char *path = in(fx, name);

	return lp_read_file(AT_FDCWD, path, limit, ret_text, ret_len);
}

static void test_read_file(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *text = NULL, *empty = NULL, *proc = NULL, *none = NULL;
	size_t len = 99;

	sh(fx, "mkdir d; printf 'a\\0b' >f; : >e; mkfifo p; truncate -s 1T huge; "
	       "head -c 1000 /dev/zero >k");
	assert_int_equal(read_in(fx, "f", 3, &text, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "a\0b", 4);
	assert_int_equal(read_in(fx, "e", 0, &empty, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(empty, "");
	assert_int_equal(lp_read_file(AT_FDCWD, "/proc/self/status", 100000, &proc, &len), 0);
	assert_true(len > 100);
	len = 99;
	assert_int_equal(read_in(fx, "f", 2, &none, &len), -EFBIG);
	assert_int_equal(read_in(fx, "k", 999, &none, &len), -EFBIG);
	assert_int_equal(read_in(fx, "huge", 4096, &none, &len), -EFBIG);
	assert_int_equal(lp_read_file(AT_FDCWD, "/proc/self/status", 10, &none, &len), -EFBIG);
	assert_int_equal(read_in(fx, "d", 10, &none, &len), -EISDIR);
	assert_int_equal(read_in(fx, "p", 10, &none, &len), -EINVAL);
	assert_int_equal(read_in(fx, "/dev/null", 10, &none, &len), -EINVAL);
	assert_int_equal(read_in(fx, "none", 10, &none, &len), -ENOENT);
	assert_null(none);
	assert_int_equal(len, 99);
}

static void test_write_file(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *path = in(fx, "f"), *bad = in(fx, "none/f"), *text = NULL;
	size_t len;

	umask(022);
	assert_int_equal(lp_write_file(path, "one", 3, 0600), 0);
	assert_int_equal(lp_write_file(path, "two!", 4, 0644), 0);
	assert_int_equal(read_in(fx, "f", 10, &text, &len), 0);
	assert_string_equal(text, "two!");
	assert_int_equal(lp_write_file(bad, "x", 1, 0600), -ENOENT);
	sh(fx, "test $(ls | wc -l) = 1; test $(stat -c %a f) = 644");
}

static void test_directories(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *deep = in(fx, "a/b/c"), *below_file = in(fx, "f/x");
	lp_autofree char *tree = in(fx, "t"), *outside = in(fx, "keep");

	umask(022);
	assert_int_equal(lp_mkdir_all(deep, 0700), 0);
	assert_int_equal(lp_mkdir_all(deep, 0700), 0);
	sh(fx, "test $(stat -c %a a/b) = 700; touch f");
	assert_int_equal(lp_mkdir_all(below_file, 0700), -ENOTDIR);
	sh(fx, "mkdir -p keep t/x/y; touch keep/f t/x/y/f; ln -s $R/keep t/link; "
	       "ln -s loop t/loop; mkfifo t/p; chmod 0 t/x");
	assert_int_equal(lp_remove_tree(AT_FDCWD, tree), 0);
	assert_int_equal(lp_remove_tree(AT_FDCWD, tree), 0);
	sh(fx, "test -f keep/f; ! test -e t");
	assert_int_equal(lp_remove_tree(AT_FDCWD, outside), 0);
}

int main(void)
{
#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_globs_below),
		cmocka_unit_test(test_hostile_globs),
		WITH_TREE(test_read_file),
		WITH_TREE(test_write_file),
		WITH_TREE(test_directories),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
