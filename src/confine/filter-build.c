/*
 * Makes the shortest program that it can for a table of rules: starting landpen is mostly spent in
 * the kernel, which checks, translates and compiles each instruction, and runs the program once for
 * every call number to learn which ones it allows whatever their arguments are.
 *
 * Runs at build time on the build host, with no hostile input. A program is written from its end to
 * its start, since jumps go forwards only: what is jumped to is there already. The numbers are a
 * search tree, and what is there already is not written twice.
 */
#include "confine/filter-build.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* Most runs of numbers that are compared in a row; fewer make a longer program. */
#define LEAF_RUNS  6
#define FARTHEST   250
#define MAX_LENGTH 4096
/* Instead of the offset of what is loaded. */
#define NO_WORD UINT32_MAX
#define MASKED  (UINT32_MAX - 1)

void rules_add(struct rules *rules, const struct rule *rule)
{
	struct rule *grown = realloc(rules->items, (rules->count + 1) * sizeof(*grown));

	if (!grown)
		die("memory", ENOMEM);
	rules->items = grown;
	grown[rules->count++] = *rule;
}

/* Instructions from the last one on: a place here counts from the end of the program. */
struct assembler {
	struct sock_filter code[MAX_LENGTH];
	size_t count;
};

/* The place of this very instruction: one that is near enough already, or a new one. */
static size_t put(struct assembler *as, struct sock_filter op, size_t yes, size_t no)
{
	bool jumps = BPF_CLASS(op.code) == BPF_JMP && op.code != (BPF_JMP | BPF_JA);
	bool falls = BPF_CLASS(op.code) != BPF_JMP && BPF_CLASS(op.code) != BPF_RET;

	for (size_t at = as->count; at-- > 0 && as->count - at < FARTHEST;) {
		const struct sock_filter *old = &as->code[at];

		if (old->code == op.code && old->k == op.k && (!falls || at == yes + 1) &&
			(!jumps || (at == yes + 1 + old->jt && at == no + 1 + old->jf)))
			return at;
	}
	if (as->count == MAX_LENGTH)
		die("program", E2BIG);
	if (jumps) {
		op.jt = (uint8_t)(as->count - yes - 1);
		op.jf = (uint8_t)(as->count - no - 1);
	}
	as->code[as->count] = op;
	return as->count++;
}

static size_t put_return(struct assembler *as, uint32_t action)
{
	return put(as, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action), 0, 0);
}

static size_t put_goto(struct assembler *as, size_t target)
{
	const struct sock_filter *op = &as->code[target];

	if (op->code == (BPF_RET | BPF_K))
		return put_return(as, op->k);
	as->code[as->count] =
		(struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(as->count - target - 1));
	return as->count++;
}

/* target, or a place near enough that leads there. */
static size_t reach(struct assembler *as, size_t target)
{
	return as->count - target < FARTHEST ? target : put_goto(as, target);
}

static size_t put_jump(
	struct assembler *as, uint16_t condition, uint32_t value, size_t yes, size_t no)
{
	yes = reach(as, yes);
	no = reach(as, no);
	return put(as, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | condition, value, 0, 0), yes,
		no);
}

/* A load or a mask, and then what is at next. */
static size_t put_step(struct assembler *as, uint16_t code, uint32_t value, size_t next)
{
	const struct sock_filter op = BPF_STMT(code, value);
	size_t at = put(as, op, next, 0);

	if (at == next + 1)
		return at;
	/* not next to each other */
	as->count = at;
	put_goto(as, next);
	return put(as, op, as->count - 1, 0);
}

static size_t put_load(struct assembler *as, size_t offset, size_t next)
{
	return put_step(as, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, next);
}

/* The start of a test: what expects this word of the call to be loaded. */
struct entry {
	size_t at;
	uint32_t word;
};

static size_t enter(struct assembler *as, const struct entry *entry, uint32_t loaded)
{
	if (entry->word == loaded || entry->word == NO_WORD)
		return entry->at;
	return put_load(as, entry->word, entry->at);
}

static uint32_t word_of(const struct test *test, bool high)
{
	/* both architectures are little-endian */
	return (uint32_t)(offsetof(struct seccomp_data, args[0]) + 8 * test->arg + 4 * high);
}

static struct entry put_test(struct assembler *as, const struct test *test, const struct entry *yes,
	const struct entry *no)
{
	static const uint16_t conditions[] = {
		[TEST_IS] = BPF_JEQ,
		[TEST_ABOVE] = BPF_JGT,
		[TEST_HAS] = BPF_JSET,
		[TEST_WIDE_ABOVE] = BPF_JGT,
	};
	struct entry entry = {.word = word_of(test, false)};
	uint32_t left = test->mask ? MASKED : entry.word;
	size_t if_yes = enter(as, yes, left), if_not = enter(as, no, left);

	entry.at = put_jump(as, conditions[test->kind], test->value, if_yes, if_not);
	if (test->mask)
		entry.at = put_step(as, BPF_ALU | BPF_AND | BPF_K, test->mask, entry.at);
	if (test->kind == TEST_WIDE_ABOVE) {
		size_t low = put_load(as, entry.word, entry.at);

		entry.word = word_of(test, true);
		entry.at = put_jump(as, BPF_JEQ, 0, low, enter(as, yes, entry.word));
	}
	return entry;
}

static struct entry put_answer(struct assembler *as, uint32_t action)
{
	return (struct entry){put_return(as, action), NO_WORD};
}

/* The rules of one call, in order. */
struct call_rules {
	const struct rule *items[64];
	size_t count;
};

static size_t put_call(struct assembler *as, const struct call_rules *call)
{
	struct entry next = put_answer(as, SECCOMP_RET_ALLOW);

	for (size_t i = call->count; i-- > 0;) {
		const struct rule *rule = call->items[i];
		struct entry yes = put_answer(as, rule->action);

		for (size_t k = MAX_TESTS; k-- > 0;)
			if (rule->tests[k].kind)
				yes = put_test(as, &rule->tests[k], &yes, &next);
		next = yes;
	}
	return enter(as, &next, offsetof(struct seccomp_data, nr));
}

static void find_rules(const struct rules *rules, uint32_t number, struct call_rules *ret_call)
{
	ret_call->count = 0;
	for (size_t i = 0; i < rules->count; i++) {
		if (number < rules->items[i].number || number > rules->items[i].last)
			continue;
		if (ret_call->count == LP_ARRAY_SIZE(ret_call->items))
			die("rules of one call", E2BIG);
		ret_call->items[ret_call->count++] = &rules->items[i];
	}
}

static bool are_alike(const struct call_rules *a, const struct call_rules *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i]->action != b->items[i]->action ||
			memcmp(a->items[i]->tests, b->items[i]->tests, sizeof(a->items[i]->tests)))
			return false;
	return true;
}

/* Neighbouring numbers with the same rules. */
struct run {
	uint32_t first, last;
	struct call_rules call;
	size_t at;
};

static int ascending(const void *a, const void *b)
{
	const struct rule *one = *(const struct rule *const *)a,
			  *two = *(const struct rule *const *)b;

	return (one->number > two->number) - (one->number < two->number);
}

static size_t find_runs(const struct rules *rules, struct run *runs)
{
	const struct rule **sorted = calloc(rules->count, sizeof(*sorted));
	size_t count = 0;

	for (size_t i = 0; sorted && i < rules->count; i++)
		sorted[i] = &rules->items[i];
	if (!sorted)
		die("memory", ENOMEM);
	qsort(sorted, rules->count, sizeof(*sorted), ascending);
	for (size_t i = 0; i < rules->count; i++) {
		struct run *last = count ? &runs[count - 1] : NULL;
		struct run run = {.first = sorted[i]->number, .last = sorted[i]->last};

		if (last && last->first == run.first)
			continue;
		find_rules(rules, run.first, &run.call);
		if (last && last->last + 1 == run.first && are_alike(&last->call, &run.call))
			last->last = run.last;
		else
			runs[count++] = run;
	}
	free(sorted);
	return count;
}

/* A few numbers are compared one by one; more of them as a range. */
static bool is_range(const struct run *run)
{
	return run->last - run->first >= 2;
}

/* What the number is at least, when the first `count` runs were compared and it is in none. */
static uint32_t bound_behind(const struct run *runs, size_t count, uint32_t lowest)
{
	for (size_t i = 0; i < count; i++)
		if (is_range(&runs[i]) || runs[i].first == lowest)
			lowest = runs[i].last + 1;
	return lowest;
}

/*
 * With the number loaded, which is from `lowest` on; what is in none of the runs is allowed. Two
 * targets of one jump are an instruction more than one, since the kernel's own have only one.
 */
static size_t put_tree(struct assembler *as, const struct run *runs, size_t count, uint32_t lowest)
{
	size_t allow = put_return(as, SECCOMP_RET_ALLOW), next = allow;

	if (count > LEAF_RUNS) {
		size_t half = count / 2;
		size_t high = put_tree(as, runs + half, count - half, runs[half].first);
		size_t low = put_tree(as, runs, half, lowest);

		return put_jump(as, BPF_JGE, runs[half].first, high, low);
	}
	for (size_t i = count; i-- > 0;) {
		const struct run *run = &runs[i];
		size_t inside = run->at;

		if (!is_range(run)) {
			if (run->last != run->first)
				next = put_jump(as, BPF_JEQ, run->last, run->at, next);
			next = put_jump(as, BPF_JEQ, run->first, run->at, next);
			continue;
		}
		/* what is below this run is below the ones behind it as well */
		if (bound_behind(runs, i, lowest) < run->first)
			inside = put_jump(as, BPF_JGE, run->first, run->at,
				put_return(as, SECCOMP_RET_ALLOW));
		next = put_jump(as, BPF_JGT, run->last, next, inside);
	}
	return next;
}

/* Asks for one call before all others: it pays for them, the search for it is saved. */
static size_t put_hottest(
	struct assembler *as, const struct run *runs, size_t count, uint32_t number, size_t tree)
{
	for (size_t i = 0; i < count; i++)
		if (number >= runs[i].first && number <= runs[i].last) {
			size_t copy = put_call(as, &runs[i].call);

			return put_jump(as, BPF_JEQ, number, copy, tree);
		}
	return tree;
}

static void put_program(struct assembler *as, const struct rules *rules)
{
	struct run *runs = calloc(rules->count, sizeof(*runs));
	size_t count, kill, tree;

	if (!runs)
		die("memory", ENOMEM);
	count = find_runs(rules, runs);
	for (size_t i = 0; i < count; i++)
		runs[i].at = put_call(as, &runs[i].call);
	tree = put_tree(as, runs, count, 0);
	tree = put_hottest(as, runs, count, rules->hottest, tree);
	tree = put_load(as, offsetof(struct seccomp_data, nr), tree);
	kill = put_return(as, SECCOMP_RET_KILL_PROCESS);
	tree = put_jump(as, BPF_JEQ, rules->audit_arch, tree, kill);
	put_load(as, offsetof(struct seccomp_data, arch), tree);
	free(runs);
}

static bool holds(const struct test *test, const struct seccomp_data *data)
{
	uint64_t whole = data->args[test->arg];
	uint32_t low = (uint32_t)whole & (test->mask ? test->mask : UINT32_MAX);

	switch (test->kind) {
	case TEST_IS:
		return low == test->value;
	case TEST_ABOVE:
		return low > test->value;
	case TEST_HAS:
		return low & test->value;
	case TEST_WIDE_ABOVE:
		return whole > test->value;
	default:
		return true;
	}
}

static uint32_t answer_of_rules(const struct call_rules *call, const struct seccomp_data *data)
{
	for (size_t i = 0; i < call->count; i++) {
		const struct rule *rule = call->items[i];
		bool all = true;

		for (size_t k = 0; k < MAX_TESTS; k++)
			all &= holds(&rule->tests[k], data);
		if (all)
			return rule->action;
	}
	return SECCOMP_RET_ALLOW;
}

static uint32_t answer_of_program(const struct sock_fprog *program, const struct seccomp_data *data)
{
	uint32_t accumulator = 0;

	for (size_t at = 0; at < program->len; at++) {
		const struct sock_filter *op = &program->filter[at];
		bool taken = false;

		switch (op->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&accumulator, (const char *)data + op->k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= op->k;
			continue;
		case BPF_JMP | BPF_JA:
			at += op->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = accumulator == op->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = accumulator >= op->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = accumulator > op->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			taken = accumulator & op->k;
			break;
		case BPF_RET | BPF_K:
			return op->k;
		}
		at += taken ? op->jt : op->jf;
	}
	die("program without an end", EINVAL);
	return 0;
}

static size_t add_value(uint64_t values[static 256], size_t count, uint64_t value)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] == value)
			return count;
	values[count] = value;
	return count + 1;
}

/* The values around which an answer can change, for one argument of one call. */
static size_t find_values(const struct call_rules *call, unsigned arg, uint64_t values[static 256])
{
	size_t count = 0;

	values[count++] = 0;
	for (size_t i = 0; i < call->count; i++)
		for (size_t k = 0; k < MAX_TESTS; k++) {
			const struct test *test = &call->items[i]->tests[k];

			if (!test->kind || test->arg != arg)
				continue;
			if (count + 8 > 256)
				die("values of one argument", E2BIG);
			for (uint64_t near = 0; near < 3; near++) {
				uint64_t value = (uint64_t)test->value + near - 1;

				count = add_value(values, count, value);
				count = add_value(values, count, value ^ (1ULL << 32));
			}
			count = add_value(values, count, test->value & ~(test->value - 1));
			if (test->mask)
				count = add_value(
					values, count, test->value | ~(uint64_t)test->mask);
		}
	return count;
}

static void try_call(const struct rules *rules, const struct sock_fprog *program, uint32_t number)
{
	static uint64_t values[4][256];
	struct seccomp_data data = {.nr = (int)number, .arch = rules->audit_arch};
	struct call_rules call;
	size_t counts[4], total = 1;

	find_rules(rules, number, &call);
	for (unsigned arg = 0; arg < 4; arg++) {
		counts[arg] = find_values(&call, arg, values[arg]);
		total *= counts[arg];
	}
	for (size_t i = 0; i < total; i++) {
		size_t rest = i;

		for (unsigned arg = 0; arg < 4; arg++) {
			data.args[arg] = values[arg][rest % counts[arg]];
			rest /= counts[arg];
		}
		if (answer_of_program(program, &data) != answer_of_rules(&call, &data))
			die("the program answers otherwise than the rules", EINVAL);
	}
}

void program_build(const struct rules *rules, struct sock_fprog *ret_program)
{
	static struct assembler as;
	struct sock_fprog program;

	as.count = 0;
	put_program(&as, rules);
	program = (struct sock_fprog){
		(unsigned short)as.count, calloc(as.count, sizeof(*program.filter))};
	if (!program.filter)
		die("memory", ENOMEM);
	for (size_t i = 0; i < as.count; i++)
		program.filter[i] = as.code[as.count - 1 - i];
	for (uint32_t number = 0; number < 1024; number++)
		try_call(rules, &program, number);
	for (size_t i = 0; i < rules->count; i++) {
		try_call(rules, &program, rules->items[i].number - 1);
		try_call(rules, &program, rules->items[i].last);
		try_call(rules, &program, rules->items[i].last + 1);
	}
	*ret_program = program;
}
