/* trust.c and home.c: exact content, hostile paths, and a store that must not be believed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
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

#include "settings/settings.h"

static const char text[] = "{\"filesystem\": {\"allowWrite\": [\"~/.cache\"]}}\n";
#define LEN (sizeof(text) - 1)

struct fixture {
	char root[PATH_MAX];
	char *home;
	struct lp_err err;
};

static int setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	char pattern[] = "/tmp/landpen-test-XXXXXX";

	assert_non_null(fx);
	assert_non_null(mkdtemp(pattern));
	assert_non_null(realpath(pattern, fx->root));
	fx->home = lp_path_join(fx->root, "home");
	assert_non_null(fx->home);
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_CONFIG_HOME");
	umask(022);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	lp_remove_tree(AT_FDCWD, fx->root);
	free(fx->home);
	free(fx);
	return 0;
}

static char *in(const struct fixture *fx, const char *path)
{
	char *joined = lp_path_join(fx->root, path);

	assert_non_null(joined);
	return joined;
}

static void sh(const struct fixture *fx, const char *script)
{
	struct lp_str command LP_CLEANUP(lp_str_clear) = {0};

	assert_int_equal(lp_str_addf(&command,
				 "set -e; cd '%s'; S=home/.local/state/landpen/trust"
				 "'%s'; %s",
				 fx->root, fx->root, script),
		0);
	assert_int_equal(system(command.text), 0);
}

static bool is_trusted(const struct fixture *fx, const char *path)
{
	lp_autofree char *place = in(fx, path);

	return lp_trust_is(fx->home, place, text, LEN);
}

static int add(struct fixture *fx, const char *path)
{
	lp_autofree char *place = in(fx, path);

	return lp_trust_add(fx->home, place, text, LEN, &fx->err);
}

static int forget(struct fixture *fx, const char *path)
{
	lp_autofree char *place = in(fx, path);

	return lp_trust_remove(fx->home, place, &fx->err);
}

static void test_exact_content(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *path = in(fx, "p/.landpen.json"), *changed = strdup(text);

	sh(fx, "mkdir p q");
	assert_false(is_trusted(fx, "p/.landpen.json"));
	assert_int_equal(add(fx, "p/.landpen.json"), 0);
	assert_true(is_trusted(fx, "p/.landpen.json"));
	assert_false(is_trusted(fx, "q/.landpen.json"));
	assert_false(lp_trust_is(fx->home, path, text, LEN - 1));
	assert_false(lp_trust_is(fx->home, path, text, 0));
	for (size_t i = 0; i < LEN; i++) {
		changed[i] ^= 1;
		assert_false(lp_trust_is(fx->home, path, changed, LEN));
		changed[i] ^= 1;
	}
	/* Trusting again replaces. */
	changed[0] ^= 1;
	assert_int_equal(lp_trust_add(fx->home, path, changed, LEN, &fx->err), 0);
	assert_false(is_trusted(fx, "p/.landpen.json"));
	assert_true(lp_trust_is(fx->home, path, changed, LEN));
	assert_int_equal(lp_trust_add(fx->home, path, "", 0, &fx->err), 0);
	assert_true(lp_trust_is(fx->home, path, "", 0));
	assert_false(is_trusted(fx, "p/.landpen.json"));
}

static void test_large_content(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *path = in(fx, "p/.landpen.json"), *large = malloc(100000);

	assert_non_null(large);
	memset(large, 0, 100000);
	sh(fx, "mkdir p");
	assert_int_equal(lp_trust_add(fx->home, path, large, 100000, &fx->err), 0);
	assert_true(lp_trust_is(fx->home, path, large, 100000));
	large[99999] = 1;
	assert_false(lp_trust_is(fx->home, path, large, 100000));
}

static void test_modes_and_place(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *dir = lp_trust_dir(fx->home), *other = NULL;
	lp_autofree char *expected = in(fx, "home/.local/state/landpen/trust");

	assert_string_equal(dir, expected);
	sh(fx, "mkdir p");
	assert_int_equal(add(fx, "p/.landpen.json"), 0);
	sh(fx, "test $(stat -c %a home/.local/state/landpen/trust) = 700; "
	       "test $(stat -c %a $S/p/.landpen.json) = 600; test $(stat -c %a $S/p) = 700; "
	       "test $(ls -A $S/p | wc -l) = 1");
	setenv("XDG_STATE_HOME", fx->root, 1);
	other = lp_trust_dir(fx->home);
	lp_autofree char *by_variable = in(fx, "landpen/trust");

	assert_string_equal(other, by_variable);
	assert_false(is_trusted(fx, "p/.landpen.json"));
	setenv("XDG_STATE_HOME", "relative", 1);
	assert_true(is_trusted(fx, "p/.landpen.json"));
}

static void test_symlink_to_project(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p real/p; ln -s real alias");
	assert_int_equal(add(fx, "alias/p/.landpen.json"), 0);
	assert_true(is_trusted(fx, "real/p/.landpen.json"));
	assert_true(is_trusted(fx, "alias/p/.landpen.json"));
	assert_true(is_trusted(fx, "real/p/../p//.landpen.json"));
	assert_int_equal(forget(fx, "real/p/.landpen.json"), 0);
	assert_false(is_trusted(fx, "alias/p/.landpen.json"));
	/* The alias comes to mean another place: that one is not trusted. */
	assert_int_equal(add(fx, "alias/p/.landpen.json"), 0);
	sh(fx, "rm alias; mkdir -p evil/p; ln -s evil alias");
	assert_false(is_trusted(fx, "alias/p/.landpen.json"));
}

static void test_odd_names(void **state)
{
	static const char *const names[] = {"a\nb/.landpen.json", "a b/.landpen.json",
		"\xff\xfe/.landpen.json", "-x/.landpen.json", "\xc3\xa4/.landpen.json",
		"\033[2J/.landpen.json"};
	struct fixture *fx = *state;

	for (size_t i = 0; i < LP_ARRAY_SIZE(names); i++) {
		lp_autofree char *path = in(fx, names[i]), *dir = lp_path_parent(path);

		assert_int_equal(mkdir(dir, 0700), 0);
		assert_int_equal(add(fx, names[i]), 0);
		assert_true(is_trusted(fx, names[i]));
		assert_int_equal(forget(fx, names[i]), 0);
		assert_false(is_trusted(fx, names[i]));
		assert_int_equal(forget(fx, names[i]), -ENOENT);
		for (const char *at = fx->err.text; *at; at++)
			assert_true((uint8_t)*at >= 0x20);
	}
}

static void test_bad_paths(void **state)
{
	static const char *const paths[] = {".landpen.json", "", "/", "/tmp/", "/tmp/..", "/tmp/."};
	struct fixture *fx = *state;
	lp_autofree char *deep = malloc(5001);

	for (size_t i = 0; i < LP_ARRAY_SIZE(paths); i++) {
		assert_int_equal(lp_trust_add(fx->home, paths[i], text, LEN, &fx->err), -EINVAL);
		assert_false(lp_trust_is(fx->home, paths[i], text, LEN));
	}
	for (size_t i = 0; i < 5000; i++)
		deep[i] = i % 100 ? 'x' : '/';
	deep[5000] = '\0';
	assert_true(lp_trust_add(fx->home, deep, text, LEN, &fx->err) < 0);
	assert_false(lp_trust_is(fx->home, deep, text, LEN));
}

static void test_collisions(void **state)
{
	struct fixture *fx = *state;

	/* What was a file is a directory now. */
	sh(fx, "mkdir p");
	assert_int_equal(add(fx, "p/.landpen.json"), 0);
	sh(fx, "mkdir p/.landpen.json");
	assert_int_equal(add(fx, "p/.landpen.json/.landpen.json"), -ENOTDIR);
	assert_non_null(strstr(fx->err.text, "in the way"));
	assert_false(is_trusted(fx, "p/.landpen.json/.landpen.json"));
	/* And the other way round. */
	sh(fx, "mkdir -p q/.landpen.json");
	assert_int_equal(add(fx, "q/.landpen.json/.landpen.json"), 0);
	assert_int_equal(add(fx, "q/.landpen.json"), -EISDIR);
	assert_false(is_trusted(fx, "q/.landpen.json"));
	assert_true(is_trusted(fx, "q/.landpen.json/.landpen.json"));
	sh(fx, "test $(find home -name '*.tmp' | wc -l) = 0");
}

static void test_symlinks_in_the_store(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir p q");
	assert_int_equal(add(fx, "p/.landpen.json"), 0);
	/* The stored copy, then a directory, then the store itself replaced by symlinks. */
	sh(fx, "mv $S/p/.landpen.json copy; ln -s $PWD/copy $S/p/.landpen.json");
	assert_false(is_trusted(fx, "p/.landpen.json"));
	assert_int_equal(add(fx, "p/.landpen.json"), 0);
	assert_true(is_trusted(fx, "p/.landpen.json"));
	sh(fx, "test -f $S/p/.landpen.json && ! test -L $S/p/.landpen.json");
	sh(fx, "ln -s $PWD/$S/p $S/q");
	assert_false(is_trusted(fx, "q/.landpen.json"));
	assert_true(add(fx, "q/.landpen.json") < 0);
	sh(fx, "mv home/.local/state/landpen/trust t; ln -s $PWD/t "
	       "home/.local/state/landpen/trust");
	assert_false(is_trusted(fx, "p/.landpen.json"));
}

static void test_store_of_others(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir p");
	assert_int_equal(add(fx, "p/.landpen.json"), 0);
	sh(fx, "chmod 777 home/.local/state/landpen/trust");
	assert_false(is_trusted(fx, "p/.landpen.json"));
	assert_int_equal(add(fx, "p/.landpen.json"), -EPERM);
	assert_non_null(strstr(fx->err.text, "nobody else"));
	sh(fx, "chmod 700 home/.local/state/landpen/trust");
	assert_true(is_trusted(fx, "p/.landpen.json"));
	sh(fx, "rm $S/p/.landpen.json; mkfifo $S/p/.landpen.json");
	assert_false(is_trusted(fx, "p/.landpen.json"));
}

static void test_remove_prunes(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "mkdir -p a/b/c a/d");
	assert_int_equal(add(fx, "a/b/c/.landpen.json"), 0);
	assert_int_equal(add(fx, "a/d/.landpen.json"), 0);
	assert_int_equal(forget(fx, "a/b/c/.landpen.json"), 0);
	sh(fx, "! test -e $S/a/b; test -e $S/a/d/.landpen.json");
	assert_int_equal(forget(fx, "a/b/c/.landpen.json"), -ENOENT);
	assert_int_equal(forget(fx, "a/d/.landpen.json"), 0);
	sh(fx, "test -d home/.local/state/landpen/trust; test $(ls -A home/.local/state/landpen/"
	       "trust | wc -l) = 0");
}

/* ---- home.c ---------------------------------------------------------------------------------- */

static void test_home(void **state)
{
	static const struct {
		const char *variable, *home; /* NULL: the passwd entry */
	} rows[] = {{"/x/y", "/x/y"}, {"/x//y/./", "/x/y"}, {"/", "/"}, {"", NULL},
		{"relative", NULL}, {"~", NULL}, {NULL, NULL}};
	struct fixture *fx = *state;
	const struct passwd *entry = getpwuid(getuid());
	lp_autofree char *saved = getenv("HOME") ? strdup(getenv("HOME")) : NULL;

	(void)fx;
	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++) {
		lp_autofree char *home = NULL;

		if (rows[i].variable)
			setenv("HOME", rows[i].variable, 1);
		else
			unsetenv("HOME");
		home = lp_settings_home();
		if (rows[i].home)
			assert_string_equal(home, rows[i].home);
		else if (entry)
			assert_string_equal(home, entry->pw_dir);
		else
			assert_null(home);
	}
	if (saved)
		setenv("HOME", saved, 1);
}

static void test_user_file(void **state)
{
	lp_autofree char *plain = NULL, *moved = NULL, *relative = NULL;

	(void)state;
	plain = lp_settings_user_file("/h");
	assert_string_equal(plain, "/h/.config/landpen/settings.json");
	setenv("XDG_CONFIG_HOME", "/c", 1);
	moved = lp_settings_user_file("/h");
	assert_string_equal(moved, "/c/landpen/settings.json");
	setenv("XDG_CONFIG_HOME", "c", 1);
	relative = lp_settings_user_file("/h");
	assert_string_equal(relative, "/h/.config/landpen/settings.json");
}

static void test_project_file(void **state)
{
	struct fixture *fx = *state;
	lp_autofree char *top = in(fx, "p"), *dir = in(fx, "p/a/b");
	lp_autofree char *at_top = in(fx, "p/.landpen.json");
	lp_autofree char *nearer = in(fx, "p/a/.landpen.json");

	sh(fx, "mkdir -p p/a/b p2; touch .landpen.json");
	assert_null(lp_settings_project_file(dir, top));
	sh(fx, "touch p/.landpen.json");
	for (unsigned i = 0; i < 2; i++) {
		lp_autofree char *found = lp_settings_project_file(dir, top);

		assert_string_equal(found, i ? nearer : at_top);
		sh(fx, "ln -sf nowhere p/a/.landpen.json");
	}
	lp_autofree char *outside = in(fx, "p2");

	assert_null(lp_settings_project_file(outside, top));
}

int main(void)
{
#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_TREE(test_exact_content),
		WITH_TREE(test_large_content),
		WITH_TREE(test_modes_and_place),
		WITH_TREE(test_symlink_to_project),
		WITH_TREE(test_odd_names),
		WITH_TREE(test_bad_paths),
		WITH_TREE(test_collisions),
		WITH_TREE(test_symlinks_in_the_store),
		WITH_TREE(test_store_of_others),
		WITH_TREE(test_remove_prunes),
		WITH_TREE(test_home),
		WITH_TREE(test_user_file),
		WITH_TREE(test_project_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
