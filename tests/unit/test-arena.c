/*
 * The static build's allocator, under names of its own: what is freed is used again, so that a
 * supervisor that serves for days holds no more than it needs at once; contents survive realloc.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>

#include <cmocka.h>

void *arena_malloc(size_t size);
void *arena_calloc(size_t count, size_t size);
void *arena_realloc(void *memory, size_t size);
void arena_free(void *memory);

#undef malloc
#undef calloc
#undef realloc
#undef free
#define malloc  arena_malloc
#define calloc  arena_calloc
#define realloc arena_realloc
#define free    arena_free
#include "../../compat/musl/arena.c"

#define BLOCKS 4000

static struct {
	uint8_t *bytes;
	size_t size;
	uint8_t fill;
} blocks[BLOCKS];

static unsigned long address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return pages;
}

static size_t random_size(void)
{
	size_t size = (size_t)rand();

	return rand() % 50 ? size % 3000 : size % (3 * LARGE);
}

static void expect(const uint8_t *bytes, uint8_t fill, size_t size)
{
	size_t k = 0;

	while (k < size && bytes[k] == fill)
		k++;
	assert_int_equal(k, size);
}

static void check(size_t i)
{
	expect(blocks[i].bytes, blocks[i].fill, blocks[i].size);
}

/* One random act on one random block. */
static void act(void)
{
	size_t i = (size_t)rand() % BLOCKS, size = random_size(), kept;
	uint8_t *bytes;

	check(i);
	switch (rand() % 4) {
	case 0:
		arena_free(blocks[i].bytes);
		blocks[i].bytes = NULL;
		blocks[i].size = 0;
		return;
	case 1:
		arena_free(blocks[i].bytes);
		bytes = arena_calloc(1, size);
		expect(bytes, 0, size);
		break;
	case 2:
		arena_free(blocks[i].bytes);
		bytes = arena_malloc(size);
		break;
	default:
		bytes = arena_realloc(blocks[i].bytes, size);
		kept = size < blocks[i].size ? size : blocks[i].size;
		expect(bytes, blocks[i].fill, kept);
	}
	assert_non_null(bytes);
	assert_int_equal((uintptr_t)bytes % ALIGNMENT, 0);
	blocks[i].bytes = bytes;
	blocks[i].size = size;
	blocks[i].fill = (uint8_t)rand();
	memset(bytes, blocks[i].fill, size);
}

/* No block reaches into another one, whatever is done in whatever order. */
static void test_contents(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 50000; i++)
		act();
	for (size_t i = 0; i < BLOCKS; i++) {
		check(i);
		arena_free(blocks[i].bytes);
		blocks[i].bytes = NULL;
		blocks[i].size = 0;
	}
}

/* Eight million bytes at a time, a hundred times: all of it out of what the first time took. */
static void test_reuse(void **state)
{
	unsigned long before = 0;

	(void)state;
	for (int round = 0; round < 100; round++) {
		for (size_t i = 0; i < BLOCKS; i++)
			blocks[i].bytes = arena_malloc(1 + i);
		for (size_t i = 0; i < BLOCKS; i++)
			arena_free(blocks[i].bytes);
		if (round == 0)
			before = address_space();
	}
	assert_int_equal(address_space(), before);
}

static void test_sizes(void **state)
{
	unsigned last = 0;

	(void)state;
	for (size_t size = 0; size <= LARGE; size++) {
		size_t rounded = size;
		unsigned class = round_up(&rounded);
		size_t again = rounded;

		assert_true(class < CLASSES && (class == last || class == last + 1));
		assert_true(rounded >= size && rounded <= size + size / 4 + ALIGNMENT);
		assert_int_equal(round_up(&again), class);
		assert_int_equal(again, rounded);
		last = class;
	}
}

static void test_refused(void **state)
{
	(void)state;
	assert_null(arena_malloc(SIZE_MAX));
	assert_null(arena_malloc(PTRDIFF_MAX));
	assert_null(arena_calloc(SIZE_MAX / 2, 3));
	assert_null(arena_realloc(arena_malloc(10), PTRDIFF_MAX));
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
