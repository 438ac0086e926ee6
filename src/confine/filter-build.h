/* From rules to a seccomp program; at build time only, for filter-gen. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a test asks of one argument; the kernel reads most as 32 bits, and so do these. */
enum test_kind {
	TEST_NONE = 0,
	TEST_IS,         /* the masked low half is value */
	TEST_ABOVE,      /* the masked low half is above value */
	TEST_HAS,        /* the low half has one of value's bits */
	TEST_WIDE_ABOVE, /* all 64 bits are above value */
};

struct test {
	enum test_kind kind;
	unsigned arg;
	uint32_t value;
	uint32_t mask; /* 0: all bits */
};

#define MAX_TESTS 3

/* All tests hold: then this answer. For one call the first rule that holds is the one. */
struct rule {
	uint32_t number, last; /* of the calls that it is for */
	uint32_t action;
	struct test tests[MAX_TESTS];
};

struct rules {
	struct rule *items;
	size_t count;
	uint32_t audit_arch;
	uint32_t hottest; /* with rules: the call that is compared first; NO_CALL for none */
};

#define NO_CALL UINT32_MAX

/* Takes a copy of rule, at the end of what is said of its numbers. Dies without memory. */
void rules_add(struct rules *rules, const struct rule *rule);

/*
 * The program that answers as the rules do, allows every other call and kills on a foreign
 * architecture. It is tried against the rules before it is returned. Dies when it cannot be made;
 * the caller frees ret_program's filter.
 */
void program_build(const struct rules *rules, struct sock_fprog *ret_program);

void die(const char *what, int error);
