/*
 * Carving, by thousands of random trees on disk and random policies over them: what the floor
 * grants is allowed by the policy, what could be granted is, and what is left over is notified. Of
 * some the running kernel is asked as well, in a child that confines itself.
 *
 * CARVE_SEED and CARVE_ROUNDS in the environment choose others than the usual ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "confine/confine.h"
#include "plan/plan.h"

static const char *const words[] = {"a", "b", "c", ".g", "x.pem", "a-b"};
static const char *const globs[] = {
	"*.pem", "**/x.pem", "a/*", "?/b", "[ab]/c", "**/.g/**", "*", "b/**", ".g/*/c", "a*/**/b"};

#define MAX_NODES 40
#define DIR_RIGHTS \
	(LP_FS_REMOVE_FILE | LP_FS_REMOVE_DIR | LP_FS_MAKE_REG | LP_FS_MAKE_DIR | LP_FS_REFER)

enum kind {
	KIND_ABSENT = 0,
	KIND_DIR,
	KIND_FILE,
	KIND_LINK, /* a symlink */
};

struct node {
	char path[256];
	enum kind kind;
	bool shared, program; /* a file with another name; one that can be executed */
};

static struct {
	char root[128];
	struct node nodes[MAX_NODES];
	size_t count;
} tree;

static uint64_t state_of_chance;

static unsigned chance(unsigned below)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (unsigned)(state_of_chance >> 33) % below;
}

static const struct node *find_node(const char *path)
{
	for (size_t i = 0; i < tree.count; i++)
		if (!strcmp(tree.nodes[i].path, path))
			return &tree.nodes[i];
	return NULL;
}

static const struct node *any_node(enum kind kind)
{
	for (;;) {
		const struct node *node = &tree.nodes[chance((unsigned)tree.count)];

		if (node->kind == kind || kind == KIND_ABSENT)
			return node;
	}
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	close(fd);
}

static void make_node(void)
{
	struct node *node = &tree.nodes[tree.count];
	const char *word = words[chance(LP_ARRAY_SIZE(words))];
	unsigned what = chance(12);

	*node = *any_node(KIND_DIR);
	strncat(node->path, "/", sizeof(node->path) - strlen(node->path) - 1);
	strncat(node->path, word, sizeof(node->path) - strlen(node->path) - 1);
	if (find_node(node->path))
		return;
	node->kind = what < 6 ? KIND_DIR : what < 11 ? KIND_FILE : KIND_LINK;
	if (node->kind == KIND_DIR) {
		assert_int_equal(mkdir(node->path, 0777), 0);
	} else if (node->kind == KIND_LINK) {
		assert_int_equal(symlink(any_node(KIND_ABSENT)->path, node->path), 0);
	} else {
		struct node *other = &tree.nodes[chance((unsigned)tree.count)];

		node->shared = what == 10 && other->kind == KIND_FILE;
		other->shared |= node->shared;
		if (node->shared)
			assert_int_equal(link(other->path, node->path), 0);
		else
			touch(node->path);
		node->program = !node->shared && chance(3) == 0;
		if (node->program)
			assert_int_equal(chmod(node->path, 0755), 0);
	}
	tree.count++;
}

static void make_tree(void)
{
	unsigned wanted = 4 + chance(MAX_NODES - 12);

	tree.count = 1;
	tree.nodes[0] = (struct node){.kind = KIND_DIR};
	memcpy(tree.nodes[0].path, tree.root, sizeof(tree.root));
	assert_int_equal(mkdir(tree.root, 0777), 0);
	for (unsigned i = 0; i < wanted; i++)
		make_node();
}

static void add_rule(struct lp_policy *policy, enum lp_rule_kind kind, const char *path)
{
	struct stat st;
	struct lp_rule rule = {.kind = kind, .is_pattern = lp_has_glob(path)};

	if (lstat(path, &st) == 0) {
		/* what the settings layer resolves; only a deny stands on the link itself */
		if (S_ISLNK(st.st_mode) && kind >= LP_RULE_ALLOW_READ)
			return;
		rule.exists = true;
		rule.is_dir = S_ISDIR(st.st_mode);
	}
	rule.path = strdup(path);
	rule.spelled = strdup(path);
	rule.origin.key = strdup("test");
	assert_int_equal(lp_policy_add_rule(policy, &rule), 0);
}

/* A node, an absent name, one deeper than that, or a pattern; no symlink on the way. */
static void any_path(char path[512], bool pattern)
{
	const char *dir = any_node(KIND_DIR)->path;

	if (pattern)
		snprintf(path, 512, "%s/%s", dir, globs[chance(LP_ARRAY_SIZE(globs))]);
	else if (chance(3))
		snprintf(path, 512, "%s", any_node(KIND_ABSENT)->path);
	else if (chance(2))
		snprintf(path, 512, "%s/new", dir);
	else
		snprintf(path, 512, "%s/new/newer", dir);
}

static struct lp_policy *make_policy(void)
{
	struct lp_policy *policy = calloc(1, sizeof(*policy));
	unsigned rules = 1 + chance(7);

	policy->home = strdup("/home/nobody");
	policy->cwd = strdup(tree.root);
	policy->project = strdup(tree.root);
	policy->network = LP_NETWORK_OPEN;
	policy->limits = (struct lp_limits){
		LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED, LP_UNLIMITED};
	if (chance(4))
		add_rule(policy, LP_RULE_DENY_READ, chance(2) ? "/" : tree.root);
	if (chance(3))
		add_rule(policy, LP_RULE_ALLOW_WRITE, tree.root);
	if (chance(3) == 0)
		add_rule(policy, LP_RULE_ALLOW_READ, tree.root);
	for (unsigned i = 0; i < rules; i++) {
		char path[512];

		any_path(path, chance(4) == 0);
		add_rule(policy, (enum lp_rule_kind)chance(4), path);
	}
	return policy;
}

static struct lp_plan *make_plan(const struct lp_policy *policy)
{
	static char *const nothing[] = {NULL};
	struct lp_abilities abilities = {.landlock_abi = lp_landlock_abi(),
		.seccomp_filter = true,
		.seccomp_notify = true,
		.memory = true};
	struct lp_plan_input input = {.policy = policy,
		.abilities = &abilities,
		.wish = LP_BACKEND_WISH_LANDLOCK,
		.tmpdir = "/nonexistent",
		.environ = nothing};
	struct lp_plan *plan = NULL;

	if (abilities.landlock_abi < 6)
		abilities.landlock_abi = 6;
	assert_int_equal(lp_plan_make(&input, &plan, NULL), 0);
	assert_int_equal(plan->backend, LP_BACKEND_LANDLOCK);
	return plan;
}

static void complain(const struct lp_policy *policy, const struct lp_plan *plan, const char *path,
	const char *what)
{
	static const char *const kinds[] = {"denyWrite", "denyRead", "allowRead", "allowWrite"};
	struct lp_str text = {0};

	for (size_t i = 0; i < policy->rule_count; i++)
		print_error("%s %s\n", kinds[policy->rules[i].kind], policy->rules[i].path);
	for (size_t i = 0; i < tree.count; i++)
		print_error("%d %s\n", tree.nodes[i].kind, tree.nodes[i].path);
	lp_plan_print(plan, &text);
	print_error("%s", text.text);
	fail_msg("%s: %s", path, what);
}

#define check(truth, what)                                  \
	do {                                                \
		if (!(truth))                               \
			complain(policy, plan, path, what); \
	} while (0)

static bool may(const struct lp_policy *policy, const char *path, enum lp_access access)
{
	return lp_policy_may(policy, path, access).allowed;
}

static bool reads(const struct lp_plan *plan, const char *path)
{
	return lp_plan_grants(plan, path, LP_FS_READ_FILE);
}

static bool writes(const struct lp_plan *plan, const char *path)
{
	return lp_plan_grants(plan, path, LP_FS_WRITE_FILE);
}

/* Rule 1: nothing is granted that is denied, be it there or not. */
static void check_closed(
	const struct lp_policy *policy, const struct lp_plan *plan, const char *path)
{
	bool read = may(policy, path, LP_ACCESS_READ), write = may(policy, path, LP_ACCESS_WRITE);

	for (unsigned bit = 0; bit < 17; bit++) {
		uint64_t right = 1ULL << bit;

		if (!(plan->handled.handled_fs & right))
			continue;
		if (right & (LP_FS_EXECUTE | LP_FS_READ_FILE | LP_FS_READ_DIR))
			check(read || !lp_plan_grants(plan, path, right), "denied, but readable");
		else
			check(write || !lp_plan_grants(plan, path, right), "denied, but writable");
	}
}

/* Whether nothing at or below path is denied, as far as can be seen by asking everywhere. */
static bool is_clean(const struct lp_policy *policy, const char *path, enum lp_access access)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];
		size_t head = strcspn(rule->path, "*?[");

		if (!rule->is_pattern && lp_path_is_under(rule->path, path) &&
			!may(policy, rule->path, access))
			return false;
		/* a pattern that starts in another folder cannot match here */
		if (rule->is_pattern && rule->kind < LP_RULE_ALLOW_READ &&
			!strncmp(rule->path, path, head < strlen(path) ? head : strlen(path)))
			return false;
	}
	return may(policy, path, access);
}

/* Whether access is allowed all the way from top, which is above path, down to it. */
static bool is_allowed_from(
	const struct lp_policy *policy, const char *top, const char *path, enum lp_access access)
{
	char above[512];

	snprintf(above, sizeof(above), "%s", path);
	for (;;) {
		if (!may(policy, above, access))
			return false;
		if (strlen(above) <= strlen(top))
			return true;
		*strrchr(above, '/') = '\0';
	}
}

/* Whether path is reached by an allowing rule that was there, through folders only. */
static bool is_seen(const struct lp_policy *policy, const char *path, enum lp_access access)
{
	if (access == LP_ACCESS_READ && may(policy, "/", access) &&
		is_allowed_from(policy, "/x", path, access))
		return true;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct lp_rule *rule = &policy->rules[i];

		if (rule->exists && lp_path_is_under(path, rule->path) &&
			(rule->kind == LP_RULE_ALLOW_WRITE ||
				(rule->kind == LP_RULE_ALLOW_READ && access == LP_ACCESS_READ)) &&
			is_allowed_from(policy, rule->path, path, access))
			return true;
	}
	return false;
}

/* Rule 2: what is there and holds nothing denied is granted. Rule 3: the rest is asked about. */
static void check_open(
	const struct lp_policy *policy, const struct lp_plan *plan, const struct node *node)
{
	const char *path = node->path;
	bool read = may(policy, path, LP_ACCESS_READ), write = may(policy, path, LP_ACCESS_WRITE);

	if (is_clean(policy, path, LP_ACCESS_READ) && is_seen(policy, path, LP_ACCESS_READ))
		check(reads(plan, path), "readable all through, but not granted");
	/* of files, only those that a rule names are granted one by one */
	if (node->kind == KIND_DIR && is_clean(policy, path, LP_ACCESS_WRITE) &&
		is_seen(policy, path, LP_ACCESS_WRITE))
		check(writes(plan, path) && lp_plan_grants(plan, path, DIR_RIGHTS),
			"writable all through, but not granted");
	if (node->program && read && is_seen(policy, path, LP_ACCESS_READ))
		check(lp_plan_grants(plan, path, LP_FS_EXECUTE | LP_FS_READ_FILE),
			"nobody can execute it instead");
	if (write && !writes(plan, path) && node->kind == KIND_DIR &&
		is_seen(policy, path, LP_ACCESS_WRITE))
		check(plan->filter & LP_FILTER_EDGE, "writable, but nobody is asked");
	if (!read || reads(plan, path) || !is_seen(policy, path, LP_ACCESS_READ))
		return;
	check(plan->filter & (LP_FILTER_READS | LP_FILTER_LISTS), "readable, but nobody is asked");
	check(node->kind == KIND_DIR || plan->filter & LP_FILTER_READS, "a file is left out");
	check(!write || plan->filter & LP_FILTER_READS, "new files are left out");
	check(node->kind != KIND_DIR || lp_strv_has(&plan->carved, path) ||
			plan->filter & LP_FILTER_READS,
		"not listed as carved");
}

/* A rule on a file with several names opens all of them. */
static void check_names(
	const struct lp_policy *policy, const struct lp_plan *plan, const struct node *node)
{
	struct stat one, two;

	for (size_t i = 0; node->shared && i < plan->floor_count; i++) {
		const char *path = plan->floor[i].path;

		if (!(plan->floor[i].access & LP_FS_WRITE_FILE) || !find_node(path) ||
			lstat(path, &one) < 0 || S_ISDIR(one.st_mode) ||
			lstat(node->path, &two) < 0 || one.st_ino != two.st_ino)
			continue;
		/* somebody named this very file */
		for (size_t j = 0; j < policy->rule_count; j++)
			if (!strcmp(policy->rules[j].path, path) || policy->rules[j].is_pattern)
				return;
		check(may(policy, node->path, LP_ACCESS_WRITE), "writable by its other name");
	}
}

/* Where a symlink leads to may be denied, and it can be changed. */
static void check_link(const struct lp_policy *policy, const struct lp_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->floor_count; i++)
		check(strcmp(plan->floor[i].path, path) != 0, "a rule for a symlink");
}

static void check_plan(const struct lp_policy *policy, const struct lp_plan *plan)
{
	for (size_t i = 0; i < tree.count; i++) {
		const struct node *node = &tree.nodes[i];
		char below[512];

		check_closed(policy, plan, node->path);
		/* nothing is below a file; one that is replaced by a folder is not granted */
		for (size_t k = 0; node->kind == KIND_DIR && k < LP_ARRAY_SIZE(words); k++) {
			snprintf(below, sizeof(below), "%s/%s", node->path, words[k]);
			if (find_node(below))
				continue;
			check_closed(policy, plan, below);
			snprintf(below, sizeof(below), "%s/%s/new/newer", node->path, words[k]);
			check_closed(policy, plan, below);
			snprintf(below, sizeof(below), "%s/new/%s", node->path, words[k]);
			check_closed(policy, plan, below);
		}
		check_names(policy, plan, node);
		if (node->kind == KIND_LINK)
			check_link(policy, plan, node->path);
		if (node->kind == KIND_DIR || node->kind == KIND_FILE)
			check_open(policy, plan, node);
	}
}

/* In a child: whether the kernel lets path be opened so. */
static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * In a child, under the floor alone: each node by the kernel's answer. A hard link may be open by
 * its other name. Prints the path that is wrong; 1 then.
 */
static int ask_kernel(const struct lp_policy *policy, struct lp_plan *plan)
{
	struct lp_err err;

	plan->filter = LP_FILTER_INET | LP_FILTER_UNIX | LP_FILTER_METADATA;
	if (lp_confine_landlock(plan, -1, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (size_t i = 0; i < tree.count; i++) {
		const struct node *node = &tree.nodes[i];
		bool directory = node->kind == KIND_DIR, ok;
		char new[512];

		if (node->kind == KIND_LINK || node->shared)
			continue;
		snprintf(new, sizeof(new), "%s/made", node->path);
		ok = opens(node->path, O_RDONLY) == reads(plan, node->path) &&
		     (directory ? opens(new, O_RDWR | O_CREAT | O_EXCL)
				: opens(node->path, O_WRONLY)) ==
			     lp_plan_grants(plan, node->path,
				     directory ? LP_FS_MAKE_REG : LP_FS_WRITE_FILE);
		ok = ok &&
		     (!opens(node->path, O_RDONLY) || may(policy, node->path, LP_ACCESS_READ));
		if (directory)
			unlink(new);
		if (!ok) {
			fprintf(stderr, "%s: the kernel says otherwise\n", node->path);
			return 1;
		}
	}
	return 0;
}

static void check_kernel(const struct lp_policy *policy, struct lp_plan *plan)
{
	const char *path = tree.root;
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(ask_kernel(policy, plan));
	assert_int_equal(waitpid(child, &status, 0), child);
	check(status == 0, "the floor is not what the kernel holds");
}

static unsigned number(const char *name, unsigned usual)
{
	const char *text = getenv(name);
	uint64_t value;

	return text && lp_parse_u64(text, &value) == 0 ? (unsigned)value : usual;
}

static void make_root(void)
{
	const char *tmp = access("/dev/shm", W_OK) ? getenv("TMPDIR") : "/dev/shm";
	char base[96];

	snprintf(base, sizeof(base), "%s/carve-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(base));
	snprintf(tree.root, sizeof(tree.root), "%s/t", base);
}

static void test_random(void **state)
{
	unsigned rounds = number("CARVE_ROUNDS", 1000), carved = 0, written = 0, granted = 0;
	bool kernel = lp_landlock_abi() >= 3;
	char base[128];

	(void)state;
	make_root();
	snprintf(base, sizeof(base), "%.*s", (int)(strlen(tree.root) - 2), tree.root);
	for (unsigned i = 0; i < rounds; i++) {
		struct lp_policy *policy;
		struct lp_plan *plan;

		state_of_chance = 88172645463325252ULL + (number("CARVE_SEED", 1) + i) * 7919ULL;
		make_tree();
		policy = make_policy();
		plan = make_plan(policy);
		check_plan(policy, plan);
		carved += plan->carved.count > 0;
		granted += plan->floor_count > 0;
		for (size_t k = 0; k < tree.count; k++)
			written += writes(plan, tree.nodes[k].path);
		if (kernel && i % 10 == 0)
			check_kernel(policy, plan);
		lp_plan_free(plan);
		lp_policy_free(policy);
		assert_int_equal(lp_remove_tree(AT_FDCWD, tree.root), 0);
	}
	assert_int_equal(rmdir(base), 0);
	print_message("# carved in %u of %u, %u nodes writable\n", carved, rounds, written);
	/* or nothing was tried */
	assert_true(carved > rounds / 4 && granted == rounds && written > rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
