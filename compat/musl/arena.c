/*
 * The allocator of the static build: memory is taken in a row from one mapping that the kernel
 * fills at once, and given back only from its end.
 *
 * landpen allocates while it reads settings and plans, for less than a millisecond, and then execs
 * or waits; musl's own allocator spends a third of that time in mmap and page faults. Single
 * threaded; the janitor, which shares the memory until the launcher execs, allocates only after
 * that.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_CHUNK ((size_t)24 * 1024)
#define CHUNK       ((size_t)1024 * 1024)
#define ALIGNMENT   ((size_t)16)

/* In front of each block. */
struct block {
	size_t size; /* usable bytes behind this header */
	size_t unused_;
};

static char *next, *end;

/* By a pointer: a compiler may turn malloc and memset into a call of calloc, which this is. */
static void *(*volatile const clear)(void *, int, size_t) = memset;

static int grow(size_t need)
{
	size_t size = next ? CHUNK : FIRST_CHUNK;
	char *chunk;

	if (size < need)
		size = (need + CHUNK - 1) & ~(CHUNK - 1);
	chunk = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | (next ? 0 : MAP_POPULATE), -1, 0);
	if (chunk == MAP_FAILED)
		return -1;
	next = chunk;
	end = chunk + size;
	return 0;
}

void *malloc(size_t size)
{
	struct block *block;

	if (size > PTRDIFF_MAX - 2 * CHUNK) {
		errno = ENOMEM;
		return NULL;
	}
	size = size ? (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : ALIGNMENT;
	if ((size_t)(end - next) < size + sizeof(*block) && grow(size + sizeof(*block)) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	block = (struct block *)next;
	block->size = size;
	next = (char *)(block + 1) + size;
	return block + 1;
}

void free(void *memory)
{
	struct block *block = memory;

	if (memory && (char *)memory + block[-1].size == next)
		next = (char *)&block[-1];
}

void *calloc(size_t count, size_t size)
{
	size_t total;
	void *memory;

	if (__builtin_mul_overflow(count, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = malloc(total);
	return memory ? clear(memory, 0, total) : NULL;
}

void *realloc(void *memory, size_t size)
{
	struct block *block = memory;
	void *moved;

	if (!memory)
		return malloc(size);
	if (size <= block[-1].size)
		return memory;
	if (size < PTRDIFF_MAX && (char *)memory + block[-1].size == next &&
		(size_t)(end - (char *)memory) >= size + ALIGNMENT) {
		block[-1].size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
		next = (char *)memory + block[-1].size;
		return memory;
	}
	moved = malloc(size);
	if (moved)
		memcpy(moved, memory, block[-1].size);
	return moved;
}
