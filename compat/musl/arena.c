/*
 * The allocator of the static build: memory is taken in a row from one mapping that the kernel
 * fills at once. What is freed at its end is taken back; the rest waits in lists by size for the
 * next of that size, and large blocks are mappings of their own.
 *
 * The launcher allocates while it reads settings and plans, for less than a millisecond; musl's own
 * allocator spends a third of that time in mmap and page faults. The supervisor and its helpers use
 * it for as long as a run lasts: what they need at once is all that they ever hold. Single
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
#define LARGE       ((size_t)128 * 1024)
#define CLASSES     48

/* In front of each block. */
struct block {
	size_t size; /* usable bytes behind this header; above LARGE: a mapping of its own */
	size_t unused_;
};

static char *next, *end;

/* Blocks to be used again; each begins with a pointer to the next one. */
static void *freed[CLASSES];

/* By a pointer: a compiler may turn malloc and memset into a call of calloc, which this is. */
static void *(*volatile const clear)(void *, int, size_t) = memset;

/* Rounds up to one of the sizes that blocks have: by 16 to 128, then four to each doubling. Returns
 * its number; size is at most LARGE. */
static unsigned round_up(size_t *size)
{
	size_t last = *size ? *size - 1 : 0;
	unsigned top, shift;

	if (last < 128) {
		*size = (last / ALIGNMENT + 1) * ALIGNMENT;
		return (unsigned)(last / ALIGNMENT);
	}
	top = 63U - (unsigned)__builtin_clzll(last);
	shift = top - 2;
	*size = ((last >> shift) + 1) << shift;
	return 8 + (top - 7) * 4 + (unsigned)(last >> shift) - 4;
}

static void *map(size_t size)
{
	struct block *block = mmap(NULL, size + sizeof(*block), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return NULL;
	block->size = size;
	return block + 1;
}

/* What is left of the last chunk is given up. */
static int grow(size_t need)
{
	size_t size = next || need > FIRST_CHUNK ? CHUNK : FIRST_CHUNK;
	char *chunk = mmap(NULL, size, PROT_READ | PROT_WRITE,
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
	void *memory;
	unsigned class;

	if (size > PTRDIFF_MAX - 2 * CHUNK) {
		errno = ENOMEM;
		return NULL;
	}
	if (size > LARGE)
		return map(size);
	class = round_up(&size);
	memory = freed[class];
	if (memory) {
		memcpy(&freed[class], memory, sizeof(freed[class]));
		return memory;
	}
	if ((size_t)(end - next) < size + sizeof(*block) && grow(size + sizeof(*block)) < 0)
		return NULL;
	block = (struct block *)next;
	block->size = size;
	next = (char *)(block + 1) + size;
	return block + 1;
}

void free(void *memory)
{
	struct block *block = memory;
	size_t size;
	unsigned class;

	if (!memory)
		return;
	size = block[-1].size;
	if (size > LARGE) {
		munmap(&block[-1], size + sizeof(*block));
	} else if ((char *)memory + size == next) {
		next = (char *)&block[-1];
	} else {
		class = round_up(&size);
		memcpy(memory, &freed[class], sizeof(freed[class]));
		freed[class] = memory;
	}
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
	if (size <= LARGE && (char *)memory + block[-1].size == next) {
		size_t grown = size;

		round_up(&grown);
		if ((size_t)(end - (char *)memory) >= grown) {
			block[-1].size = grown;
			next = (char *)memory + grown;
			return memory;
		}
	}
	moved = malloc(size);
	if (moved) {
		memcpy(moved, memory, block[-1].size);
		free(memory);
	}
	return moved;
}
