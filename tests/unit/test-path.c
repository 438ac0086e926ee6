/* base: paths as text, and resolving them. */
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

/* ---- paths as text --------------------------------------------------------------------------- */

static void test_absolute(void **state)
{
	static const struct {
		const char *path, *absolute;
	} rows[] = {
		{"/", "/"},
		{"//", "/"},
		{"/.", "/"},
		{"/a//b/./c/", "/a/b/c"},
		{"a", "/cwd/x/a"},
		{".", "/cwd/x"},
		{"./a/.", "/cwd/x/a"},
		{"..", "/cwd/x/.."},
		{"/a/../b", "/a/../b"},
		{"~", "/home/me"},
		{"~/", "/home/me"},
		{"~/a", "/home/me/a"},
		{"~user/a", "/cwd/x/~user/a"},
		{"/~/a", "/~/a"},
		{"$HOME/a", "/cwd/x/$HOME/a"},
		{"...", "/cwd/x/..."},
		{".a", "/cwd/x/.a"},
	};
	lp_autofree char *none = NULL;

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		lp_autofree char *path = NULL;

		assert_int_equal(lp_path_absolute(rows[i].path, "/cwd/x", "/home/me", &path), 0);
		assert_string_equal(path, rows[i].absolute);
	}
	assert_int_equal(lp_path_absolute("", "/", "/", &none), -EINVAL);
	assert_null(none);
	assert_int_equal(lp_path_absolute("~", "/", "/", &none), 0);
	assert_string_equal(none, "/");
}

static void test_parts_of_paths(void **state)
{
	static const struct {
		const char *path, *parent, *name;
	} rows[] = {{"/a/b", "/a", "b"}, {"/a", "/", "a"}, {"/", "/", ""}};
	lp_autofree char *joined = lp_path_join("/", "a"), *two = lp_path_join("/a", "b/c");

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		lp_autofree char *parent = lp_path_parent(rows[i].path);

		assert_string_equal(parent, rows[i].parent);
		assert_string_equal(lp_path_name(rows[i].path), rows[i].name);
	}
	assert_string_equal(joined, "/a");
	assert_string_equal(two, "/a/b/c");
	assert_true(lp_path_is_under("/a/b", "/a"));
	assert_true(lp_path_is_under("/a", "/a"));
	assert_true(lp_path_is_under("/a", "/"));
	assert_true(lp_path_is_under("/", "/"));
	assert_false(lp_path_is_under("/ab", "/a"));
	assert_false(lp_path_is_under("/a", "/a/b"));
	assert_false(lp_path_is_under("/", "/a"));
}

/* ---- resolving ------------------------------------------------------------------------------- */

/* Paths in the root; result NULL for an error. */
static const struct {
	const char *path, *result;
	bool exists;
	unsigned links;
} resolutions[] = {
	{"d/f", "d/f", true, 0},
	{"d/", "d", true, 0},
	{"d//./f", "d/f", true, 0},
	{"d/../d/f", "d/f", true, 0},
	{"l", "d", true, 1},
	{"l/", "d", true, 1},
	{"l/f", "d/f", true, 1},
	{"l/..", "", true, 1},
	{"deep", "d/sub", true, 1},
	{"deep/..", "d", true, 1}, /* not the root: ".." is taken back behind the symlink */
	{"ll", "d", true, 2},
	{"abs/f", "d/f", true, 1},
	{"d/up", "", true, 1},
	{"d/up/l/f", "d/f", true, 2},
	{"none", "none", false, 0},
	{"none/x/y", "none/x/y", false, 0},
	{"none/../d", "d", false, 0},
	{"d/none", "d/none", false, 0},
	{"l/none", "d/none", false, 1},
	{"dangling", "gone", false, 1},
	{"dangling/x", "gone/x", false, 1},
	{"dangling/..", "", false, 1},
	{"d/f/x", "d/f/x", false, 0},
	{"d/f/", "d/f", true, 0},
	{"d/f/..", "d", false, 0},
	{"lf", "d/f", true, 1},
	{"lf/x", "d/f/x", false, 1},
	{"loop", NULL, false, 0},
	{"a-loop/x", NULL, false, 0},
	{"chain40", "d", true, 40},
	{"chain41", NULL, false, 0},
	{"/", "/", true, 0},
	{"/..", "/", true, 0},
	{"/../../..", "/", true, 0},
};

static void test_resolve(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p d/sub; touch d/f; ln -s d l; ln -s d/sub deep; ln -s l ll; ln -s $R/d "
	       "abs; "
	       "ln -s .. d/up; ln -s gone dangling; ln -s d/f lf; ln -s loop loop; "
	       "ln -s b-loop a-loop; ln -s a-loop b-loop; ln -s d chain1; "
	       "for i in $(seq 2 41); do ln -s chain$((i - 1)) chain$i; done");
	for (size_t i = 0; i < LP_ARRAY_SIZE(resolutions); i++) {
		struct lp_links links LP_CLEANUP(lp_links_clear) = {0};
		lp_autofree char *path = in(fx, resolutions[i].path), *result = NULL;
		lp_autofree char *expected = NULL;
		bool exists = false;
		int r = lp_path_resolve(path, &result, &exists, &links);

		if (!resolutions[i].result) {
			assert_int_equal(r, -ELOOP);
			assert_null(result);
			continue;
		}
		assert_int_equal(r, 0);
		expected =
			*resolutions[i].result ? in(fx, resolutions[i].result) : strdup(fx->root);
		assert_string_equal(result, expected);
		if (exists != resolutions[i].exists || links.count != resolutions[i].links)
			fail_msg("%s: exists %d, %zu links", resolutions[i].path, exists,
				links.count);
	}
}

static void test_resolve_links_and_limits(void **state)
{
	struct fixture *fx = *state;
	struct lp_links links LP_CLEANUP(lp_links_clear) = {0};
	lp_autofree char *path = in(fx, "ll/x"), *result = NULL, *none = NULL;
	lp_autofree char *place = in(fx, "l"), *outer = in(fx, "ll");
	lp_autofree char *deep = malloc(6001);
	bool exists;

	sh(fx, "mkdir d; ln -s d l; ln -s l ll");
	assert_int_equal(lp_path_resolve(path, &result, &exists, &links), 0);
	assert_int_equal(links.count, 2);
	assert_string_equal(links.items[0].place, outer);
	assert_string_equal(links.items[0].target, "l");
	assert_string_equal(links.items[1].place, place);
	assert_string_equal(links.items[1].target, "d");
	for (size_t i = 0; i < 6000; i++)
		deep[i] = i % 100 ? 'x' : '/';
	deep[6000] = '\0';
	assert_int_equal(lp_path_resolve(deep, &none, &exists, NULL), -ENAMETOOLONG);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_parts_of_paths),
		cmocka_unit_test_setup_teardown(test_resolve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolve_links_and_limits, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
