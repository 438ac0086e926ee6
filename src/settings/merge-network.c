/*
 * The network half of a settings text: hosts, addresses, ports, sockets and the proxy beyond.
 *
 * Runs in the launcher before confinement, once for each text. A text that is not trusted is
 * hostile: of it only denies are taken. Whether there is a network at all is decided when all texts
 * are in (load-network.c).
 */
#include "settings/schema-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOPBACK "127.0.0.1"

struct text {
	struct lp_merge *merge;
	struct lp_policy *policy;
	const struct lp_source *source;
	const json_t *network;
	struct lp_err *err;
};

int lp_merge_host(struct lp_policy *policy, const struct lp_source *source, const char *key,
	bool allow, const char *spelled, const char *reason)
{
	struct lp_host_rule rule = {.allow = allow};
	char pattern[LP_HOST_SIZE];

	if (lp_host_pattern(spelled, pattern, &rule.port) < 0)
		return 1;
	rule.host = strdup(pattern);
	rule.reason = reason ? strdup(reason) : NULL;
	rule.origin = (struct lp_origin){source, strdup(key)};
	return lp_policy_add_host(policy, &rule);
}

/* The grammar lets more through than any host can be (srt contract 1.4). */
static int fail_host(const struct text *text, const char *key, bool allow, const char *spelled)
{
	char shown[LP_SHOWN];

	lp_shown(shown, spelled);
	if (allow)
		return lp_schema_note(text->policy, text->source, key,
			"'%s' can be no host's name or address, left out", shown);
	return lp_schema_fail(text->err, text->source, key,
		"'%s' can be no host's name or address, so it would deny nothing; write letters, "
		"digits, '-' and '.' (of other scripts the xn-- form), or remove it",
		shown);
}

static int add_hosts(const struct text *text, const char *list, bool allow)
{
	const json_t *reasons = json_object_get(text->network, "deniedDomainReasons"), *entry;
	size_t i;

	json_array_foreach(json_object_get(text->network, list), i, entry)
	{
		const char *spelled = json_string_value(entry), *reason = NULL;
		char key[LP_KEY_SIZE];
		int r;

		lp_index_key(key, "network", list, i);
		if (!allow)
			reason = json_string_value(json_object_get(reasons, spelled));
		r = lp_merge_host(text->policy, text->source, key, allow, spelled, reason);
		if (r > 0)
			r = fail_host(text, key, allow, spelled);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_ranges(const struct text *text)
{
	static const char list[] = "deniedResolvedAddresses";
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(text->network, list), i, entry)
	{
		const char *spelled = json_string_value(entry);
		struct lp_range range;
		char key[LP_KEY_SIZE], shown[LP_SHOWN];

		lp_index_key(key, "network", list, i);
		if (lp_range_parse(spelled, strlen(spelled), &range) < 0)
			return lp_schema_fail(text->err, text->source, key,
				"'%s' is no IP address or CIDR range; mend or remove it",
				lp_shown(shown, spelled));
		range.origin = (struct lp_origin){text->source, strdup(key)};
		if (lp_policy_add_range(text->policy, &range) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_ports(const struct text *text)
{
	static const char list[] = "allowLocalPorts";
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(text->network, list), i, entry)
	{
		struct lp_port_rule rule = {.port = (unsigned)json_number_value(entry)};
		char key[LP_KEY_SIZE];

		lp_index_key(key, "network", list, i);
		rule.origin = (struct lp_origin){text->source, strdup(key)};
		if (lp_policy_add_port(text->policy, &rule) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Paths of sockets are read as the paths of other grants are; lp_load_network() takes them over. */
static int add_sockets(
	const struct text *text, const json_t *list, const char *object, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		struct lp_entry path = {text->merge->sockets, LP_RULE_ALLOW_READ, text->merge->base,
			text->source, NULL, NULL, text->err};
		char key[LP_KEY_SIZE];
		int r;

		lp_index_key(key, object, name, i);
		path.key = key;
		if (*json_string_value(entry))
			r = lp_rules_add_entry(&path, json_string_value(entry));
		else
			r = lp_schema_note(
				text->policy, text->source, key, "is an empty path, left out");
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the proxy beyond -------------------------------------------------------------------------
 */

static int set_port(struct lp_upstream *upstream, const json_t *port, bool socks)
{
	lp_upstream_clear(upstream);
	*upstream = (struct lp_upstream){.host = strdup(LOOPBACK),
		.port = (unsigned)json_number_value(port),
		.socks = socks};
	return upstream->host ? 0 : -ENOMEM;
}

static int set_http_port(const struct text *text, const json_t *port)
{
	int r = set_port(&text->policy->upstream_http, port, false);

	free(text->policy->no_upstream);
	text->policy->no_upstream = NULL;
	return r < 0 ? r : set_port(&text->policy->upstream_https, port, false);
}

static int set_mitm(const struct text *text)
{
	static const char key[] = "network.mitmProxy";
	const json_t *mitm = json_object_get(text->network, "mitmProxy"), *entry;
	struct lp_policy *policy = text->policy;
	struct lp_upstream *upstream = &policy->upstream_mitm;
	size_t i;
	int r;

	if (!mitm)
		return 0;
	lp_upstream_clear(upstream);
	lp_strv_clear(&policy->mitm_hosts);
	r = lp_path_absolute(json_string_value(json_object_get(mitm, "socketPath")),
		text->merge->base, policy->home, &upstream->socket);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(mitm, "domains"), i, entry)
	{
		char pattern[LP_HOST_SIZE], shown[LP_SHOWN];
		unsigned port;

		if (lp_host_pattern(json_string_value(entry), pattern, &port) < 0)
			r = lp_schema_note(policy, text->source, key,
				"'%s' can be no host's name or address, left out",
				lp_shown(shown, json_string_value(entry)));
		else
			r = lp_strv_add(&policy->mitm_hosts, pattern);
		if (r < 0)
			return r;
	}
	return 0;
}

/* field: of network.parentProxy. */
static int set_parent(const struct text *text, const char *field, struct lp_upstream *upstream)
{
	const json_t *parent = json_object_get(text->network, "parentProxy");
	const char *url = json_string_value(json_object_get(parent, field));
	char key[LP_KEY_SIZE];

	snprintf(key, sizeof(key), "network.parentProxy.%s", field);
	lp_upstream_clear(upstream);
	if (!url)
		return 0;
	switch (lp_upstream_parse(url, false, upstream)) {
	case 0:
		return 0;
	case -ENOMEM:
		return -ENOMEM;
	case LP_UPSTREAM_TLS:
		return lp_schema_fail(text->err, text->source, key,
			"is an https URL, but landpen speaks plain HTTP to a proxy; write an http "
			"URL or remove it");
	case LP_UPSTREAM_OTHER:
		return lp_schema_note(text->policy, text->source, key,
			"is no http URL, ignored; write http://HOST:PORT");
	default:
		return lp_schema_fail(text->err, text->source, key,
			"has a host or port that cannot be; write http://HOST:PORT");
	}
}

static int set_parents(const struct text *text)
{
	const json_t *parent = json_object_get(text->network, "parentProxy");
	const char *none = json_string_value(json_object_get(parent, "noProxy"));
	int r = set_parent(text, "http", &text->policy->upstream_http);

	if (r == 0)
		r = set_parent(text, "https", &text->policy->upstream_https);
	if (r < 0)
		return r;
	free(text->policy->no_upstream);
	text->policy->no_upstream = none ? strdup(none) : NULL;
	return none && !text->policy->no_upstream ? -ENOMEM : 0;
}

static int set_upstream(const struct text *text)
{
	const json_t *http = json_object_get(text->network, "httpProxyPort");
	const json_t *parent = json_object_get(text->network, "parentProxy");
	const json_t *socks = json_object_get(text->network, "socksProxyPort");
	int r = 0;

	if (socks)
		r = set_port(&text->policy->upstream_socks, socks, true);
	if (r == 0)
		r = set_mitm(text);
	if (r < 0 || (!http && !parent))
		return r;
	text->merge->has_upstream = true;
	if (http && parent)
		r = lp_schema_note(text->policy, text->source, "network.parentProxy",
			"not used: everything goes through httpProxyPort");
	if (r < 0)
		return r;
	return http ? set_http_port(text, http) : set_parents(text);
}

int lp_merge_network(struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err)
{
	struct text text = {merge, merge->policy, source, json_object_get(json, "network"), err};
	int r = add_hosts(&text, "deniedDomains", false);

	if (r == 0)
		r = add_ranges(&text);
	if (r < 0 || !source->trusted)
		return r;
	r = add_hosts(&text, "allowedDomains", true);
	if (r == 0)
		r = add_ports(&text);
	if (r == 0)
		r = add_sockets(&text, json_object_get(json, "unixSockets"), "", "unixSockets");
	if (r == 0)
		r = add_sockets(&text, json_object_get(text.network, "allowUnixSockets"), "network",
			"allowUnixSockets");
	return r < 0 ? r : set_upstream(&text);
}
