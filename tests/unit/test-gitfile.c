/* gitfile.c and gitdir.c on what a hostile tree says about itself. */
#include "git-fixture.h"

/* ---- what a hostile tree says ---------------------------------------------------------------- */

/* evil is the working directory, victim a repository, home/victim another one in the home. */
static const struct hostile {
	const char *name, *script, *notice; /* notice NULL: not a repository for git either */
} hostile[] = {
	{"empty", ": >evil/.git", "not a file that git writes"},
	{"no prefix", "echo \"$R/victim/.git\" >evil/.git", "not a file that git writes"},
	{"only a prefix", "printf 'gitdir: \\n' >evil/.git", "not a file that git writes"},
	{"two lines", "printf 'gitdir: x\\ngitdir: %s\\n' \"$R/victim/.git\" >evil/.git",
		"not a file that git writes"},
	{"a NUL", "printf 'gitdir: %s\\0x\\n' \"$R/victim/.git\" >evil/.git",
		"not a file that git writes"},
	{"huge", "{ printf 'gitdir: '; head -c 100000 /dev/zero | tr '\\0' x; } >evil/.git",
		"not a file that git writes"},
	{"sparse", "truncate -s 1T evil/.git", "not a file that git writes"},
	{"escape sequences", "printf 'gitdir: /\\033[2Jx\\n' >evil/.git", "/\\x1b[2Jx"},
	{"a loop of files", "echo 'gitdir: .git' >evil/.git", "not a git directory"},
	{"a loop of symlinks", "ln -s .git evil/.git", NULL},
	{"symlinks in a circle", "ln -s b evil/a; ln -s a evil/b; echo 'gitdir: a' >evil/.git",
		"not a git directory"},
	{"a FIFO", "mkfifo evil/.git", NULL},
	{"names a FIFO", "mkfifo evil/f; echo 'gitdir: f' >evil/.git", "not a git directory"},
	{"names nothing", "echo 'gitdir: ../none' >evil/.git", "not a git directory"},
	{"names a plain directory", "echo 'gitdir: ../home' >evil/.git", "not a git directory"},
	{"names /", "echo 'gitdir: /' >evil/.git", "not a git directory"},
	{"symlink to a file", "echo \"gitdir: $R/victim/.git\" >evil/f; ln -s f evil/.git", NULL},
	{"another repository", "echo \"gitdir: $R/victim/.git\" >evil/.git", "does not point back"},
	{"another repository by dots", "echo 'gitdir: ../victim/.git' >evil/.git",
		"does not point back"},
	{"another repository by symlink", "ln -s ../victim/.git evil/.git", "does not point back"},
	{"another one's worktree", "echo \"gitdir: $R/victim/.git/worktrees/wt\" >evil/.git",
		"does not point back"},
	{"another one's module", "echo \"gitdir: $R/victim/.git/modules/sub\" >evil/.git",
		"does not point back"},
	{"a bare repository", "echo 'gitdir: ../bare' >evil/.git", "does not point back"},
	{"commondir elsewhere",
		"fake f/.git; fake f/.git/worktrees/x; echo \"$R/evil/.git\" "
		">f/.git/worktrees/x/gitdir; echo ../../../../victim/.git "
		">f/.git/worktrees/x/commondir; echo \"gitdir: $R/f/.git/worktrees/x\" >evil/.git",
		"does not point back"},
	{"commondir elsewhere, absolute",
		"fake f/.git; fake f/.git/worktrees/x; echo \"$R/evil/.git\" "
		">f/.git/worktrees/x/gitdir; echo \"$R/victim/.git\" "
		">f/.git/worktrees/x/commondir; echo \"gitdir: $R/f/.git/worktrees/x\" >evil/.git",
		"does not point back"},
	{"worktrees/NAME is a symlink",
		"fake f/.git; mkdir f/.git/worktrees; ln -s \"$R/victim/.git/worktrees/wt\" "
		"f/.git/worktrees/x; echo \"gitdir: $R/f/.git/worktrees/x\" >evil/.git",
		"does not point back"},
	{"worktrees is a symlink",
		"fake f/.git; ln -s \"$R/victim/.git/worktrees\" f/.git/worktrees; "
		"echo \"gitdir: $R/f/.git/worktrees/wt\" >evil/.git",
		"does not point back"},
	{"commondir is a FIFO",
		"fake f/.git; fake f/.git/worktrees/x; echo \"$R/evil/.git\" "
		">f/.git/worktrees/x/gitdir; mkfifo f/.git/worktrees/x/commondir; "
		"echo \"gitdir: $R/f/.git/worktrees/x\" >evil/.git",
		"does not point back"},
	{"gitdir is a symlink",
		"fake f/.git; fake f/.git/worktrees/x; echo ../.. >f/.git/worktrees/x/commondir; "
		"echo \"$R/evil/.git\" >t; ln -s \"$R/t\" f/.git/worktrees/x/gitdir; "
		"echo \"gitdir: $R/f/.git/worktrees/x\" >evil/.git",
		"does not point back"},
	{"not in worktrees",
		"fake f/.git; fake f/.git/wt/x; echo ../.. >f/.git/wt/x/commondir; "
		"echo \"$R/evil/.git\" >f/.git/wt/x/gitdir; echo \"gitdir: $R/f/.git/wt/x\" "
		">evil/.git",
		"does not point back"},
	{"config is a FIFO", "fake f; mkfifo f/config; echo \"gitdir: $R/f\" >evil/.git",
		"does not point back"},
	{"config includes the backlink",
		"fake f; printf '[core]\\nworktree = %s\\n' \"$R/evil\" >f/inc; "
		"printf '[include]\\npath = inc\\n' >f/config; echo \"gitdir: $R/f\" >evil/.git",
		"does not point back"},
	{"the home as git directory",
		"fake home; printf '[core]\\nworktree = %s\\n' \"$R/evil\" >home/config; "
		"echo \"gitdir: $R/home\" >evil/.git",
		"too wide"},
	{"a parent of the home",
		"fake .; printf '[core]\\nworktree = %s\\n' \"$R/evil\" >config; "
		"echo \"gitdir: $R\" >evil/.git",
		"too wide"},
	{"the top's parent",
		"mkdir -p g; fake g; mv evil g/evil; ln -s g/evil evil; "
		"printf '[core]\\nworktree = evil\\n' >g/config; echo 'gitdir: ..' >g/evil/.git",
		"too wide"},
	{"worktree of a home that is a bare repository",
		"fake home; mkdir -p home/worktrees/x; echo x >home/worktrees/x/HEAD; echo ../.. "
		">home/worktrees/x/commondir; echo \"$R/evil/.git\" >home/worktrees/x/gitdir; "
		"echo \"gitdir: $R/home/worktrees/x\" >evil/.git",
		"too wide"},
};

static void test_hostile(void **state)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(hostile); i++) {
		struct fixture *fx = *state;
		lp_autofree char *place = NULL, *evil = NULL;
		bool exists;

		sh(fx, "cd /; rm -rf \"$R\"; mkdir -p \"$R\"; cd \"$R\"; mkdir evil home; "
		       "repo inner; repo victim; git -C victim submodule --quiet add "
		       "\"$R/inner\" sub; git -C victim worktree add -q \"$R/wt\"; "
		       "git init -q --bare bare");
		sh(fx, hostile[i].script);
		evil = in(fx, "evil");
		assert_int_equal(lp_path_resolve(evil, &place, &exists, NULL), 0);
		assert_int_equal(find(fx, place), 0);
		assert_string_equal(fx->project.top, place);
		if (fx->project.writable.count)
			fail_msg("%s: %s is granted", hostile[i].name,
				fx->project.writable.items[0]);
		assert_int_equal(fx->project.is_git, hostile[i].notice != NULL);
		if (hostile[i].notice)
			assert_notice(fx, hostile[i].notice);
		else
			assert_int_equal(fx->policy->notices.count, 0);
	}
}

/* Whoever can forge the backlink could write there before: only that place is granted. */
static void test_forged_backlink(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "repo victim; mkdir -p evil/sub; fake evil/g; ln -s \"$R/victim/.git/refs\" "
	       "evil/g/logs; printf '[core]\\nworktree = ../sub\\n' >evil/g/config; "
	       "echo 'gitdir: ../g' >evil/sub/.git");
	assert_int_equal(find(fx, "evil/sub"), 0);
	assert_int_equal(fx->project.writable.count, 1);
	assert_writable(fx, "evil/g");
	/* A forged repository with a worktree in it, whose parts are somebody else's. */
	sh(fx, "rm -rf evil; fake evil/g; rmdir evil/g/objects evil/g/refs; "
	       "ln -s \"$R/victim/.git/objects\" evil/g/objects; "
	       "ln -s \"$R/victim/.git/refs\" evil/g/refs; mkdir -p evil/g/worktrees/x; "
	       "echo ../.. >evil/g/worktrees/x/commondir; echo x >evil/g/worktrees/x/HEAD; "
	       "mkdir evil/g/x; echo \"$R/evil/g/x/.git\" >evil/g/worktrees/x/gitdir; "
	       "echo 'gitdir: ../worktrees/x' >evil/g/x/.git");
	assert_int_equal(find(fx, "evil/g/x"), 0);
	assert_int_equal(fx->project.writable.count, 1);
	assert_writable(fx, "evil/g/worktrees/x");
	/* A git directory inside the top needs no consent and gets no place outside. */
	sh(fx, "rm -rf evil; mkdir evil; fake evil/g; echo \"$R/victim/.git\" "
	       ">evil/g/commondir; echo 'gitdir: g' >evil/.git");
	assert_int_equal(find(fx, "evil"), 0);
	assert_int_equal(fx->project.writable.count, 0);
}

static void test_newline_in_names(void **state)
{
	struct fixture *fx = *state;

	sh(fx, "d=\"a\nb\"; git init -q --separate-git-dir=store \"$d\"");
	assert_int_equal(find(fx, "a\nb"), 0);
	assert_top(fx, "a\nb");
	lp_strv_foreach (item, &fx->policy->notices)
		assert_null(strchr(item, '\n'));
	assert_notice(fx, "a\\x0ab");
}

/* ---- core.worktree --------------------------------------------------------------------------- */

static const struct {
	const char *text, *value; /* NULL: none */
	int result;
} configs[] = {
	{"[core]\n\tworktree = ../x\n", "../x", 0},
	{"[core]\nworktree=../x", "../x", 0},
	{"\xef\xbb\xbf[core]\nworktree=x", NULL, -ENOENT},
	{"[CoRe]\r\n\tWorkTree = ../x\r\n", "../x", 0},
	{"[core] worktree = y\n", "y", 0},
	{"[core]\nworktree = a\nworktree = b\n", "b", 0},
	{"[core]\nworktree = a b  \t# c\n[x]\nworktree = c\n", "a b", 0},
	{"[core]\nworktree = a;b\n", "a", 0},
	{"[core]\nworktree = \"a;b #c \"\n", "a;b #c ", 0},
	{"[core]\nworktree = \"a\\\"b\\\\c\\td\"\n", "a\"b\\c\td", 0},
	{"[core]\nworktree = a\\\nb\n", "ab", 0},
	{"[core]\nworktree = a\\\r\nb\n", "ab", 0},
	{"[core]\nworktree = a # x\nworktree = b\n", "b", 0},
	{"[core]\n# worktree = a\n; worktree = b\n", NULL, -ENOENT},
	{"[core]\nbare = false ; no\nworktree = w\n", "w", 0},
	{"[core \"x\"]\nworktree = a\n", NULL, -ENOENT},
	{"[core.x]\nworktree = a\n", NULL, -ENOENT},
	{"[corex]\nworktree = a\n", NULL, -ENOENT},
	{"[x \"]\"]\n[core]\nworktree = a\n", "a", 0},
	{"[x \"\n[core]\nworktree = a\n", "a", 0},
	{"[include]\npath = x\n", NULL, -ENOENT},
	{"worktree = a\n", NULL, -ENOENT},
	{"[core]\nworktree\n", NULL, -ENOENT},
	{"[core]\nworktrees = a\n", NULL, -ENOENT},
	{"[core]\nworktree = \n", NULL, -EINVAL},
	{"[core]\nworktree = \"a\n", NULL, -EINVAL},
	{"[core]\nworktree = a\\", NULL, -EINVAL},
	{"[core]\nworktree = a\\q\n", NULL, -EINVAL},
	{"[core", NULL, -ENOENT},
	{"", NULL, -ENOENT},
};

static void test_core_worktree(void **state)
{
	static const uint8_t nul[] = "[core]\nworktree = a\0b\n";
	lp_autofree char *none = NULL;

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(configs); i++) {
		lp_autofree char *value = NULL;
		int r = lp_gitfile_core_worktree(
			(const uint8_t *)configs[i].text, strlen(configs[i].text), &value);

		if (r != configs[i].result)
			fail_msg("config %zu: %d", i, r);
		if (configs[i].value)
			assert_string_equal(value, configs[i].value);
		else
			assert_null(value);
	}
	assert_int_equal(lp_gitfile_core_worktree(nul, sizeof(nul) - 1, &none), -EINVAL);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forged_backlink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newline_in_names, setup, teardown),
		cmocka_unit_test(test_core_worktree),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gitfile", tests, NULL, NULL);
}
