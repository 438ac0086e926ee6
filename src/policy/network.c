/*
 * The network half of a policy: its memory, and who may be connected to (srt contract 4.3, 4.4,
 * 4.6).
 *
 * The gate, the proxy and the resolver ask here, as do `explain` and the tests. Hosts come from the
 * agent and addresses from name servers: both are hostile, and both are only compared. No I/O.
 */
#include "policy/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory -----------------------------------------------------------------------------------
 */

/* Makes room for one more in a list that doubles; NULL without memory. */
static void *grow(void *list, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return list;
	return realloc(list, (count ? 2 * count : 1) * size);
}

static void host_clear(struct lp_host_rule *rule)
{
	free(rule->host);
	free(rule->reason);
	free(rule->origin.key);
	*rule = (struct lp_host_rule){0};
}

static void socket_clear(struct lp_socket_rule *rule)
{
	free(rule->path);
	free(rule->origin.key);
	*rule = (struct lp_socket_rule){0};
}

void lp_upstream_clear(struct lp_upstream *upstream)
{
	free(upstream->host);
	free(upstream->socket);
	free(upstream->authorization);
	*upstream = (struct lp_upstream){0};
}

void lp_policy_clear_network(struct lp_policy *policy)
{
	for (size_t i = 0; i < policy->host_count; i++)
		host_clear(&policy->hosts[i]);
	for (size_t i = 0; i < policy->range_count; i++)
		free(policy->ranges[i].origin.key);
	for (size_t i = 0; i < policy->local_port_count; i++)
		free(policy->local_ports[i].origin.key);
	for (size_t i = 0; i < policy->socket_count; i++)
		socket_clear(&policy->sockets[i]);
	free(policy->hosts);
	free(policy->ranges);
	free(policy->local_ports);
	free(policy->sockets);
	free(policy->no_upstream);
	lp_upstream_clear(&policy->upstream_http);
	lp_upstream_clear(&policy->upstream_https);
	lp_upstream_clear(&policy->upstream_socks);
	lp_upstream_clear(&policy->upstream_mitm);
	lp_strv_clear(&policy->mitm_hosts);
}

int lp_policy_add_host(struct lp_policy *policy, struct lp_host_rule *rule)
{
	struct lp_host_rule *grown = grow(policy->hosts, policy->host_count, sizeof(*grown));

	if (grown)
		policy->hosts = grown;
	if (!grown || !rule->host || !rule->origin.key) {
		host_clear(rule);
		return -ENOMEM;
	}
	grown[policy->host_count++] = *rule;
	*rule = (struct lp_host_rule){0};
	return 0;
}

int lp_policy_add_range(struct lp_policy *policy, struct lp_range *range)
{
	struct lp_range *grown = grow(policy->ranges, policy->range_count, sizeof(*grown));

	if (grown)
		policy->ranges = grown;
	if (!grown || !range->origin.key) {
		free(range->origin.key);
		*range = (struct lp_range){0};
		return -ENOMEM;
	}
	grown[policy->range_count++] = *range;
	*range = (struct lp_range){0};
	return 0;
}

int lp_policy_add_socket(struct lp_policy *policy, struct lp_socket_rule *rule)
{
	struct lp_socket_rule *grown = grow(policy->sockets, policy->socket_count, sizeof(*grown));

	if (grown)
		policy->sockets = grown;
	if (!grown || !rule->path || !rule->origin.key) {
		socket_clear(rule);
		return -ENOMEM;
	}
	grown[policy->socket_count++] = *rule;
	*rule = (struct lp_socket_rule){0};
	return 0;
}

int lp_policy_add_port(struct lp_policy *policy, struct lp_port_rule *rule)
{
	struct lp_port_rule *grown =
		grow(policy->local_ports, policy->local_port_count, sizeof(*grown));

	if (grown)
		policy->local_ports = grown;
	if (!grown || !rule->origin.key) {
		free(rule->origin.key);
		*rule = (struct lp_port_rule){0};
		return -ENOMEM;
	}
	grown[policy->local_port_count++] = *rule;
	*rule = (struct lp_port_rule){0};
	return 0;
}

/* ---- hosts ------------------------------------------------------------------------------------
 */

/* Whether host is a name below suffix (".b"), at any depth, and not the name itself. */
static bool is_below(const char *host, const char *suffix)
{
	size_t len = strlen(host), suffix_len = strlen(suffix);

	return len > suffix_len && !strcmp(host + len - suffix_len, suffix);
}

static bool names_host(const struct lp_host_rule *rule, const char *host)
{
	if (rule->host[0] != '*')
		return !strcmp(rule->host, host);
	if (!rule->host[1])
		return !rule->allow;
	return is_below(host, rule->host + 1) && !lp_host_is_address(host, NULL);
}

/* The first rule of this kind that speaks about the host and the port. port 0: every port. */
static const struct lp_host_rule *find_host(
	const struct lp_policy *policy, bool allow, const char *host, unsigned port)
{
	for (size_t i = 0; i < policy->host_count; i++) {
		const struct lp_host_rule *rule = &policy->hosts[i];

		if (rule->allow == allow && (!rule->port || rule->port == port) &&
			names_host(rule, host))
			return rule;
	}
	return NULL;
}

/* Programs look localhost up themselves: a rule for it is one for the addresses that it has. */
static const struct lp_host_rule *find_place(
	const struct lp_policy *policy, bool allow, const char *host, unsigned port)
{
	const struct lp_host_rule *rule = find_host(policy, allow, host, port);
	struct lp_address address;

	if (!rule && lp_host_is_address(host, &address) && lp_address_is_loopback(&address))
		rule = find_host(policy, allow, "localhost", port);
	return rule;
}

static const struct lp_port_rule *find_local_port(const struct lp_policy *policy, unsigned port)
{
	for (size_t i = 0; i < policy->local_port_count; i++)
		if (policy->local_ports[i].port == port)
			return &policy->local_ports[i];
	return NULL;
}

struct lp_host_decision lp_policy_may_connect(
	const struct lp_policy *policy, const char *host, unsigned port)
{
	const struct lp_host_rule *rule = find_place(policy, false, host, port);
	const struct lp_port_rule *local = NULL;

	if (rule)
		return (struct lp_host_decision){.rule = rule};
	rule = find_place(policy, true, host, port);
	if (lp_host_is_loopback(host))
		local = find_local_port(policy, port);
	return (struct lp_host_decision){rule || local, rule, local};
}

struct lp_host_decision lp_policy_may_resolve(const struct lp_policy *policy, const char *host)
{
	const struct lp_host_rule *denied = find_host(policy, false, host, 0);

	for (size_t i = 0; !denied && i < policy->host_count; i++) {
		const struct lp_host_rule *rule = &policy->hosts[i];

		if (!rule->allow || !names_host(rule, host))
			continue;
		if (!rule->port || !find_host(policy, false, host, rule->port))
			return (struct lp_host_decision){true, rule, NULL};
	}
	/* where every allowed port is denied too, the first of those denies is the reason */
	for (size_t i = 0; !denied && i < policy->host_count; i++) {
		const struct lp_host_rule *rule = &policy->hosts[i];

		if (rule->allow && names_host(rule, host))
			denied = find_host(policy, false, host, rule->port);
	}
	return (struct lp_host_decision){.rule = denied};
}

/* ---- addresses that names lead to -------------------------------------------------------------
 */

/* srt contract 4.4. What is tested first names the class. */
static const struct {
	const char *range, *what;
} classes[] = {
	{"127.0.0.0/8", "a loopback address"},
	{"::1", "a loopback address"},
	{"0.0.0.0/8", "an unspecified address"},
	{"::", "an unspecified address"},
	{"169.254.0.0/16", "a link-local address"},
	{"fe80::/10", "a link-local address"},
	{"224.0.0.0/4", "a multicast address"},
	{"ff00::/8", "a multicast address"},
	{"255.255.255.255", "the broadcast address"},
	{"100.100.100.200", "a cloud metadata address"},
	{"168.63.129.16", "a cloud metadata address"},
	{"192.0.0.192", "a cloud metadata address"},
	{"fd00:ec2::/32", "a cloud metadata address"},
	{"fd20:ce::254", "a cloud metadata address"},
	{"fd00:c1::a9fe:a9fe", "a cloud metadata address"},
	{"fd00:42::42", "a cloud metadata address"},
	{"fd00:a9fe:a9fe::1", "a cloud metadata address"},
	{"fd00:100::100:200", "a cloud metadata address"},
};

/* The IPv4 address inside an IPv6 one that translators and tunnels would take out. */
static bool embedded_ipv4(const struct lp_address *address, struct lp_address *ret_ipv4)
{
	static const struct {
		const char *range;
		unsigned offset;
	} forms[] = {
		{"::/96", 12},           /* IPv4-compatible, RFC 4291 2.5.5.1 */
		{"::ffff:0:0:0/96", 12}, /* IPv4-translated, RFC 2765 */
		{"64:ff9b::/96", 12},    /* NAT64, RFC 6052 */
		{"2002::/16", 2},        /* 6to4, RFC 3056 */
	};

	for (size_t i = 0; i < LP_ARRAY_SIZE(forms); i++) {
		struct lp_range range;

		if (lp_range_parse(forms[i].range, strlen(forms[i].range), &range) < 0 ||
			!lp_range_covers(&range, address))
			continue;
		*ret_ipv4 = (struct lp_address){.bytes = {[10] = 0xff, [11] = 0xff}};
		memcpy(ret_ipv4->bytes + 12, address->bytes + forms[i].offset, 4);
		return true;
	}
	return false;
}

static bool is_address(const char *host, const struct lp_address *address)
{
	struct lp_address literal;

	return lp_host_is_address(host, &literal) && !memcmp(&literal, address, sizeof(literal));
}

/* Whether a rule of this kind names the address itself. */
static bool is_listed(
	const struct lp_policy *policy, bool allow, unsigned port, const struct lp_address *address)
{
	for (size_t i = 0; i < policy->host_count; i++) {
		const struct lp_host_rule *rule = &policy->hosts[i];

		if (rule->allow == allow && (!rule->port || rule->port == port) &&
			is_address(rule->host, address))
			return true;
	}
	return false;
}

static bool is_denied_range(const struct lp_policy *policy, const struct lp_address *address)
{
	for (size_t i = 0; i < policy->range_count; i++)
		if (lp_range_covers(&policy->ranges[i], address))
			return true;
	return false;
}

static const char *class_of(
	const struct lp_address *address, const struct lp_address *own, size_t own_count)
{
	for (size_t i = 0; i < LP_ARRAY_SIZE(classes); i++) {
		struct lp_range range;

		if (lp_range_parse(classes[i].range, strlen(classes[i].range), &range) < 0 ||
			lp_range_covers(&range, address))
			return classes[i].what;
	}
	for (size_t i = 0; i < own_count; i++)
		if (!memcmp(&own[i], address, sizeof(*own)))
			return "one of this host's addresses";
	return NULL;
}

const char *lp_policy_refuses_address(const struct lp_policy *policy, const char *host,
	unsigned port, const struct lp_address *address, const struct lp_address *own,
	size_t own_count)
{
	struct lp_address inner;
	bool has_inner = embedded_ipv4(address, &inner);
	const char *what;

	if (is_listed(policy, false, port, address) ||
		(has_inner && is_listed(policy, false, port, &inner)))
		return "a deny-listed address";
	/* what is no name was decided on as it is */
	if (is_listed(policy, true, port, address) ||
		(lp_address_is_loopback(address) && is_address(host, address)))
		return NULL;
	if (is_denied_range(policy, address) || (has_inner && is_denied_range(policy, &inner)))
		return "a listed address";
	if (lp_host_is_local(host))
		return lp_address_is_loopback(address) ? NULL : "not a loopback address";
	what = class_of(address, own, own_count);
	if (!what && has_inner)
		what = class_of(&inner, own, own_count);
	return what;
}

/* ---- the proxy beyond -------------------------------------------------------------------------
 */

/* One entry of NO_PROXY: "*", a name with or without a leading dot, an address, a range. */
static bool is_direct(const char *entry, size_t len, const char *host)
{
	char text[2 * LP_HOST_SIZE], name[LP_HOST_SIZE];
	struct lp_address address;
	struct lp_range range;
	bool below = false;
	unsigned port;

	if (len == 1 && entry[0] == '*')
		return true;
	if (lp_host_is_address(host, &address) && lp_range_parse(entry, len, &range) == 0)
		return lp_range_covers(&range, &address);
	if (len >= 2 && entry[0] == '*' && entry[1] == '.') {
		entry++;
		len--;
	}
	if (len && entry[0] == '.') {
		below = true;
		entry++;
		len--;
	}
	if (len >= sizeof(text))
		return false;
	memcpy(text, entry, len);
	text[len] = '\0';
	if (lp_host_port(text, name, &port) < 0)
		return false;
	if (!below && !strcmp(name, host))
		return true;
	len = strlen(host);
	return !lp_host_is_address(host, NULL) && len > strlen(name) &&
	       host[len - strlen(name) - 1] == '.' && !strcmp(host + len - strlen(name), name);
}

static bool is_intercepted(const struct lp_policy *policy, const char *host)
{
	lp_strv_foreach (pattern, &policy->mitm_hosts)
		if (names_host(&(struct lp_host_rule){.allow = true, .host = pattern}, host))
			return true;
	return false;
}

const struct lp_upstream *lp_policy_upstream(
	const struct lp_policy *policy, const char *host, enum lp_wish_style style)
{
	static const char separators[] = ", \t";
	const struct lp_upstream *upstream =
		style == LP_ASKED_PLAIN ? &policy->upstream_http : &policy->upstream_https;
	const char *entry = policy->no_upstream ? policy->no_upstream : "";
	struct lp_address address;

	if (is_intercepted(policy, host))
		return &policy->upstream_mitm;
	if (style == LP_ASKED_SOCKS && policy->upstream_socks.host)
		return &policy->upstream_socks;
	if (!upstream->host || lp_host_is_local(host))
		return NULL;
	if (lp_host_is_address(host, &address) && lp_address_is_loopback(&address))
		return NULL;
	for (;;) {
		size_t len;

		entry += strspn(entry, separators);
		len = strcspn(entry, separators);
		if (len == 0)
			return upstream;
		if (is_direct(entry, len, host))
			return NULL;
		entry += len;
	}
}

bool lp_policy_is_upstream_port(const struct lp_policy *policy, unsigned port)
{
	const struct lp_upstream *const upstreams[] = {
		&policy->upstream_http, &policy->upstream_https, &policy->upstream_socks};

	for (size_t i = 0; i < LP_ARRAY_SIZE(upstreams); i++)
		if (upstreams[i]->host && upstreams[i]->port == port &&
			lp_host_is_loopback(upstreams[i]->host))
			return true;
	return false;
}

/* ---- this machine -----------------------------------------------------------------------------
 */

/* A folder stands for the sockets below it, as in srt's profiles. */
static bool names_socket(const struct lp_socket_rule *rule, const char *path)
{
	if (!rule->is_pattern)
		return lp_path_is_under(path, rule->path);
	for (size_t len = strlen(path); len > 0; len--) {
		lp_autofree char *head = NULL;

		if (path[len] != '\0' && path[len] != '/')
			continue;
		head = strndup(path, len);
		if (head && lp_glob_match(rule->path, head))
			return true;
	}
	return false;
}

const struct lp_socket_rule *lp_policy_socket_rule(const struct lp_policy *policy, const char *path)
{
	for (size_t i = 0; i < policy->socket_count; i++)
		if (names_socket(&policy->sockets[i], path))
			return &policy->sockets[i];
	return NULL;
}
