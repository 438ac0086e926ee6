/*
 * Fuzzes the spelling of hosts, patterns and ranges, NO_PROXY, and URLs of proxies. What is
 * accepted is canonical: the same again when it is read once more, and of two spellings of an
 * address never one is a name.
 */
#include <stdlib.h>
#include <string.h>

#include "settings/parts.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_host(const char *host)
{
	struct lp_address address;
	char again[LP_HOST_SIZE];

	MUST(*host && strlen(host) < LP_HOST_SIZE);
	MUST(lp_host_canonical(host, strlen(host), again) == 0);
	MUST(!strcmp(host, again));
	if (lp_host_is_address(host, &address)) {
		lp_address_print(&address, again);
		MUST(!strcmp(host, again));
		return;
	}
	for (; *host; host++)
		MUST((*host >= 'a' && *host <= 'z') || (*host >= '0' && *host <= '9') ||
			strchr("._-", *host));
}

static void check_pattern(const char *text)
{
	char pattern[LP_HOST_SIZE], host[LP_HOST_SIZE];
	unsigned port;

	if (lp_host_port(text, host, &port) == 0) {
		MUST(port <= 65535);
		check_host(host);
	}
	if (lp_host_pattern(text, pattern, &port) < 0)
		return;
	MUST(port <= 65535 && strlen(pattern) < LP_HOST_SIZE);
	if (pattern[0] != '*')
		check_host(pattern);
	else if (pattern[1])
		check_host(pattern + 2);
}

/* The whole input as an allowed pattern, as NO_PROXY and as the host that is asked for. */
static void check_deciders(const char *text)
{
	char pattern[LP_HOST_SIZE], host[LP_HOST_SIZE];
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = calloc(1, sizeof(*policy));
	struct lp_host_rule rule = {.allow = true};
	struct lp_address address;
	unsigned port = 0;

	MUST(policy);
	policy->upstream_http.host = strdup("proxy");
	policy->no_upstream = strdup(text);
	if (lp_host_pattern(text, pattern, &rule.port) == 0) {
		rule.host = strdup(pattern);
		rule.origin.key = strdup("k");
		MUST(lp_policy_add_host(policy, &rule) == 0);
	}
	if (lp_host_port(text, host, &port) < 0)
		return;
	MUST(lp_policy_may_connect(policy, host, port).allowed);
	MUST(lp_policy_may_resolve(policy, host).allowed);
	lp_policy_upstream(policy, host, true);
	if (!lp_host_is_address(host, &address))
		return;
	/* a literal that is allowed is dialled */
	MUST(!lp_policy_refuses_address(policy, host, port, &address, NULL, 0));
}

static void check_upstream(const char *url)
{
	struct lp_upstream upstream = {0};

	if (lp_upstream_parse(url, true, &upstream) == 0) {
		check_host(upstream.host);
		MUST(upstream.port > 0 && upstream.port <= 65535);
	}
	/* it goes into a header as it is */
	for (const char *at = upstream.authorization; at && *at; at++)
		MUST(*at >= ' ' && *at < 0x7f);
	lp_upstream_clear(&upstream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *exact = malloc(size ? size : 1), host[LP_HOST_SIZE];
	struct lp_range range;

	MUST(text && exact);
	if (size) {
		memcpy(text, data, size);
		memcpy(exact, data, size);
	}
	text[size] = '\0';
	/* of exact size, so that a read behind the end is seen */
	if (lp_host_canonical(exact, size, host) == 0)
		check_host(host);
	if (lp_range_parse(exact, size, &range) == 0)
		MUST(range.prefix <= 128);
	check_pattern(text);
	check_deciders(text);
	check_upstream(text);
	free(exact);
	free(text);
	return 0;
}
