/*
 * The names that addresses of 198.18.0.0/15 stand for, and the names that were refused.
 *
 * Runs in the resolver. The names are the agent's choice: both tables are capped, and a name is
 * kept for as long as the run, since the agent may have its address for as long.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "resolver/parts.h"

#define BUCKETS 16384U
/* last bytes 0 and 255 look like a network and a broadcast to some programs */
#define ADDRESSES_A_NET 254

static int grow(struct lp_names *names)
{
	size_t size = names->size ? 2 * names->size : 64;
	struct lp_name *items;

	if (names->count >= names->max)
		return -ENOSPC;
	if (!names->buckets)
		names->buckets = calloc(BUCKETS, sizeof(*names->buckets));
	if (!names->buckets)
		return -ENOMEM;
	if (names->count < names->size)
		return 0;
	items = reallocarray(names->items, size, sizeof(*items));
	if (!items)
		return -ENOMEM;
	names->items = items;
	names->size = size;
	return 0;
}

int lp_names_intern(
	struct lp_resolver *resolver, struct lp_names *names, const char *host, size_t *ret_index)
{
	uint32_t bucket = lp_resolver_hash(resolver, host) % BUCKETS;
	char *copy;
	int r;

	for (uint32_t i = names->buckets ? names->buckets[bucket] : 0; i;
		i = names->items[i - 1].chain) {
		if (!strcmp(names->items[i - 1].host, host)) {
			*ret_index = i - 1;
			return 0;
		}
	}
	r = grow(names);
	if (r < 0)
		return r;
	copy = strdup(host);
	if (!copy)
		return -ENOMEM;
	names->items[names->count] =
		(struct lp_name){.host = copy, .chain = names->buckets[bucket]};
	*ret_index = names->count++;
	names->buckets[bucket] = (uint32_t)names->count;
	return 0;
}

uint32_t lp_names_address(size_t index)
{
	return LP_RESOLVER_FIRST + (uint32_t)(index / ADDRESSES_A_NET * 256) + 1 +
	       (uint32_t)(index % ADDRESSES_A_NET);
}

const char *lp_names_of_address(const struct lp_names *names, uint32_t address)
{
	uint32_t offset = address - LP_RESOLVER_FIRST, last = offset % 256;
	size_t index;

	if (address < LP_RESOLVER_FIRST || last < 1 || last > ADDRESSES_A_NET)
		return NULL;
	index = (size_t)offset / 256 * ADDRESSES_A_NET + last - 1;
	return index < names->told ? names->items[index].host : NULL;
}

/* Sends the table's packets from the first that was not sent. False: the gate is behind. */
static bool send_rest(struct lp_resolver *resolver, struct lp_names *names, uint32_t kind)
{
	while (names->told < names->count) {
		struct lp_packet packet = {.kind = kind};
		const struct lp_name *name = &names->items[names->told];
		uint32_t address = lp_names_address(names->told);
		struct lp_request *request;
		int r;

		memcpy(packet.host, name->host, strlen(name->host) + 1);
		if (kind == LP_PACKET_NAME)
			packet.addresses[0] = (struct lp_address){{[10] = 0xff,
				0xff,
				(uint8_t)(address >> 24),
				(uint8_t)(address >> 16),
				(uint8_t)(address >> 8),
				(uint8_t)address}};
		else
			memcpy(packet.reason, "look-up", sizeof("look-up"));
		if (name->program)
			memcpy(packet.program, name->program, strlen(name->program) + 1);
		r = lp_packet_send(resolver->gate.fd, &packet, -1);
		if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM)
			return false;
		if (r < 0) {
			resolver->is_over = true;
			return true;
		}
		names->told++;
		while ((request = lp_requests_take(&names->items[names->told - 1].requests)))
			lp_answer_told(resolver, request, names->told - 1);
	}
	return true;
}

void lp_names_tell(struct lp_resolver *resolver)
{
	bool all = send_rest(resolver, &resolver->names, LP_PACKET_NAME) &&
		   send_rest(resolver, &resolver->reports, LP_PACKET_DENIED);

	if (lp_watch_set(resolver, &resolver->gate, all ? EPOLLIN : EPOLLIN | EPOLLOUT) < 0)
		resolver->is_over = true;
}

void lp_names_report(struct lp_resolver *resolver, const char *host, const char *program)
{
	size_t before = resolver->reports.count;
	size_t index;

	/* a full table only makes the report shorter */
	if (lp_names_intern(resolver, &resolver->reports, host, &index) < 0)
		return;
	if (index == before)
		resolver->reports.items[index].program = strdup(program);
	lp_names_tell(resolver);
}
