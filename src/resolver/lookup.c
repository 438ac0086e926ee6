/*
 * Real addresses of names: a cache of what was found, and the queue of what is asked.
 *
 * Runs in the resolver. Names are the agent's choice, as far as the policy allows them; what waits
 * and what is kept are both bounded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/parts.h"

#define BUCKETS 4096U

static void list_add(struct lp_lookup_list *list, struct lp_lookup *lookup)
{
	lookup->prev = list->last;
	lookup->next = NULL;
	*(list->last ? &list->last->next : &list->first) = lookup;
	list->last = lookup;
}

static void list_add_first(struct lp_lookup_list *list, struct lp_lookup *lookup)
{
	lookup->prev = NULL;
	lookup->next = list->first;
	*(list->first ? &list->first->prev : &list->last) = lookup;
	list->first = lookup;
}

static void list_remove(struct lp_lookup_list *list, struct lp_lookup *lookup)
{
	*(lookup->prev ? &lookup->prev->next : &list->first) = lookup->next;
	*(lookup->next ? &lookup->next->prev : &list->last) = lookup->prev;
}

static struct lp_lookup **bucket_of(const struct lp_resolver *resolver, const char *host)
{
	return &resolver->lookups[lp_resolver_hash(resolver, host) % BUCKETS];
}

static struct lp_lookup *find(const struct lp_resolver *resolver, const char *host)
{
	struct lp_lookup *lookup = *bucket_of(resolver, host);

	while (lookup && strcmp(lookup->host, host) != 0)
		lookup = lookup->chain;
	return lookup;
}

static struct lp_lookup *add(struct lp_resolver *resolver, const char *host)
{
	size_t len = strlen(host) + 1;
	struct lp_lookup **bucket = bucket_of(resolver, host);
	struct lp_lookup *lookup = calloc(1, sizeof(*lookup) + len);

	if (!lookup)
		return NULL;
	memcpy(lookup->host, host, len);
	lookup->chain = *bucket;
	*bucket = lookup;
	return lookup;
}

static void forget_oldest(struct lp_resolver *resolver)
{
	struct lp_lookup *oldest = resolver->done.first;
	struct lp_lookup **at = bucket_of(resolver, oldest->host);

	list_remove(&resolver->done, oldest);
	resolver->done_count--;
	while (*at != oldest)
		at = &(*at)->chain;
	*at = oldest->chain;
	free(oldest);
}

/* The proxy's come first, and have room of their own: it asks only for what is allowed. */
static int enqueue(
	struct lp_resolver *resolver, const char *host, bool is_proxy, struct lp_lookup **lookup)
{
	if (resolver->waiting_count >= (is_proxy ? 2 * LP_LOOKUPS_MAX : LP_LOOKUPS_MAX))
		return -EAGAIN;
	if (!*lookup) {
		*lookup = add(resolver, host);
		if (!*lookup)
			return -ENOMEM;
	} else {
		list_remove(&resolver->done, *lookup);
		resolver->done_count--;
	}
	(*lookup)->state = LP_LOOKUP_QUEUED;
	(*lookup)->count = (*lookup)->error = 0;
	(is_proxy ? list_add_first : list_add)(&resolver->queue, *lookup);
	resolver->waiting_count++;
	return 0;
}

int lp_lookup_want(struct lp_resolver *resolver, const char *host, struct lp_request *request,
	const struct lp_lookup **ret_lookup)
{
	struct lp_lookup *lookup = find(resolver, host);
	int r;

	if (lookup && lookup->state == LP_LOOKUP_DONE && resolver->now < lookup->expires) {
		*ret_lookup = lookup;
		return 0;
	}
	if (!lookup || lookup->state == LP_LOOKUP_DONE) {
		r = enqueue(resolver, host, !request->client, &lookup);
		if (r < 0)
			return r;
	}
	lp_requests_add(&lookup->requests, request);
	return 1;
}

void lp_lookup_finish(struct lp_resolver *resolver, struct lp_lookup *lookup, uint32_t error)
{
	uint64_t seconds = error ? LP_NOT_FOUND_SECONDS : LP_FOUND_SECONDS;
	struct lp_request *request;

	lookup->error = error;
	lookup->state = LP_LOOKUP_DONE;
	lookup->expires = resolver->now + seconds * 1000;
	resolver->waiting_count--;
	list_add(&resolver->done, lookup);
	if (++resolver->done_count > LP_CACHE_MAX)
		forget_oldest(resolver);
	while ((request = lp_requests_take(&lookup->requests))) {
		if (request->client)
			lp_answer_lookup(resolver, request, lookup->host, lookup->error);
		else
			lp_proxy_answer(resolver, request, lookup);
	}
}

void lp_lookups_start(struct lp_resolver *resolver)
{
	struct lp_lookup *lookup;
	int r;

	while ((lookup = resolver->queue.first)) {
		r = lp_child_start(resolver, lookup);
		if (r == -EBUSY)
			return;
		list_remove(&resolver->queue, lookup);
		lookup->state = LP_LOOKUP_RUNNING;
		if (r < 0)
			lp_lookup_finish(resolver, lookup, EAGAIN);
	}
}
