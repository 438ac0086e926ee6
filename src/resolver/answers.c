/*
 * What a query is answered with.
 *
 * Runs in the resolver. Allowed names get an address that stands for them, once a real look-up has
 * found one and the gate knows the pair; everything else is answered without asking anybody.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/parts.h"

static void answer(struct lp_resolver *resolver, struct lp_client *client,
	const struct lp_dns_query *query, const struct lp_dns_answer *answer)
{
	uint8_t buf[LP_DNS_ANSWER_MAX];
	size_t len = lp_dns_write(query, answer, buf);

	if (len)
		lp_client_send(resolver, client, buf, len);
}

static void answer_code(struct lp_resolver *resolver, struct lp_client *client,
	const struct lp_dns_query *query, enum lp_dns_code code)
{
	answer(resolver, client, query, &(struct lp_dns_answer){.code = code});
}

static void answer_address(struct lp_resolver *resolver, struct lp_client *client,
	const struct lp_dns_query *query, size_t index)
{
	static const uint8_t prefix[] = LP_RESOLVER_PREFIX;

	answer(resolver, client, query,
		&(struct lp_dns_answer){.address = lp_names_address(index),
			.ttl = LP_ANSWER_TTL,
			.prefix = query->type == LP_DNS_AAAA ? prefix : NULL});
}

static void drop(struct lp_resolver *resolver, struct lp_request *request)
{
	resolver->request_count--;
	lp_client_release(resolver, request->client);
	free(request);
}

void lp_answer_told(struct lp_resolver *resolver, struct lp_request *request, size_t index)
{
	answer_address(resolver, request->client, &request->query, index);
	drop(resolver, request);
}

/* With the name's own spelling as key: the one that the look-up was asked for. */
void lp_answer_lookup(
	struct lp_resolver *resolver, struct lp_request *request, const char *host, uint32_t error)
{
	enum lp_dns_code code = LP_DNS_SERVFAIL;
	size_t index;

	if (!error && lp_names_intern(resolver, &resolver->names, host, &index) == 0) {
		lp_names_tell(resolver);
		if (index < resolver->names.told)
			lp_answer_told(resolver, request, index);
		else
			lp_requests_add(&resolver->names.items[index].requests, request);
		return;
	}
	if (error == ENOENT)
		code = LP_DNS_NXDOMAIN;
	answer_code(resolver, request->client, &request->query, code);
	drop(resolver, request);
}

/* An allowed name's address. One that a proxy beyond looks up need not be known here. */
static void look_up(struct lp_resolver *resolver, struct lp_client *client,
	const struct lp_dns_query *query, const char *host)
{
	bool is_beyond = lp_policy_upstream(resolver->policy, host, LP_ASKED_OTHERWISE);
	const struct lp_lookup *lookup = NULL;
	struct lp_request *request = NULL;
	int r = -ENOMEM;

	if (resolver->request_count < LP_REQUESTS_MAX)
		request = calloc(1, sizeof(*request));
	if (request) {
		request->client = client;
		request->query = *query;
		r = is_beyond ? 0 : lp_lookup_want(resolver, host, request, &lookup);
	}
	if (r < 0) {
		free(request);
		answer_code(resolver, client, query, LP_DNS_SERVFAIL);
		return;
	}
	resolver->request_count++;
	client->waiting++;
	if (r == 0)
		lp_answer_lookup(resolver, request, host, is_beyond ? 0 : lookup->error);
}

static void answer_reverse(struct lp_resolver *resolver, struct lp_client *client,
	const struct lp_dns_query *query, uint32_t address)
{
	struct lp_dns_answer found = {.code = LP_DNS_NXDOMAIN, .ttl = LP_ANSWER_TTL};

	found.host = lp_names_of_address(&resolver->names, address);
	if (found.host)
		found.code = LP_DNS_NOERROR;
	if (query->type != LP_DNS_PTR)
		found.host = NULL;
	answer(resolver, client, query, &found);
}

/* A question that could be read, in the class IN. */
static void answer_question(
	struct lp_resolver *resolver, struct lp_client *client, const struct lp_dns_query *query)
{
	char host[LP_HOST_SIZE];
	uint32_t address;

	if (lp_dns_is_reverse(query->name, &address)) {
		answer_reverse(resolver, client, query, address);
		return;
	}
	if (!query->is_host || lp_host_canonical(query->name, strlen(query->name), host) < 0 ||
		lp_host_is_address(host, NULL)) {
		answer_code(resolver, client, query, LP_DNS_NXDOMAIN);
		return;
	}
	if (!lp_policy_may_resolve(resolver->policy, host).allowed) {
		lp_names_report(resolver, host, client->program);
		answer_code(resolver, client, query, LP_DNS_NXDOMAIN);
		return;
	}
	if (query->type == LP_DNS_A ||
		(query->type == LP_DNS_AAAA && resolver->policy->ipv6_answers))
		look_up(resolver, client, query, host);
	else
		answer_code(resolver, client, query, LP_DNS_NOERROR);
}

void lp_answer_query(
	struct lp_resolver *resolver, struct lp_client *client, const uint8_t *buf, size_t len)
{
	struct lp_dns_query query;
	int r = lp_dns_parse(buf, len, &query);

	if (r < 0)
		return;
	if (r == LP_DNS_NOERROR && query.class != LP_DNS_IN)
		r = LP_DNS_REFUSED;
	if (r == LP_DNS_NOERROR)
		answer_question(resolver, client, &query);
	else
		answer_code(resolver, client, &query, (enum lp_dns_code)r);
}
