/*
 * The grammars of host patterns, host:port patterns and address ranges (srt contract 1.4).
 *
 * Runs in the launcher; the text may come from an untrusted project file. Only shapes are checked,
 * exactly as srt checks them: a pattern that can never match anything still passes. Pure.
 */
#include "settings/parts.h"

#include <arpa/inet.h>
#include <string.h>

#define MAX_ADDRESS 128 /* longer than any literal with a zone */

/* An address literal with an optional %zone behind IPv6; the zone is dropped. AF_ or 0. */
static int address_family(const char *text, size_t len, struct in6_addr *ret_address)
{
	char literal[MAX_ADDRESS];
	struct in_addr address;
	char *zone;

	if (len >= sizeof(literal))
		return 0;
	memcpy(literal, text, len);
	literal[len] = '\0';
	if (inet_pton(AF_INET, literal, &address) == 1)
		return AF_INET;
	zone = strchr(literal, '%');
	if (zone && !zone[1])
		return 0;
	if (zone)
		*zone = '\0';
	return inet_pton(AF_INET6, literal, ret_address) == 1 ? AF_INET6 : 0;
}

static bool is_text(const char *text, size_t len, const char *expected)
{
	return len == strlen(expected) && !memcmp(text, expected, len);
}

static bool has_empty_label(const char *text, size_t len)
{
	if (len == 0 || text[0] == '.' || text[len - 1] == '.')
		return true;
	for (size_t i = 1; i < len; i++)
		if (text[i] == '.' && text[i - 1] == '.')
			return true;
	return false;
}

/* A name or an IPv4 literal: everything that is not IPv6. */
static const char *name_problem(const char *text, size_t len)
{
	if (memchr(text, '/', len))
		return "holds a '/'; name only the host, without scheme or path";
	if (memchr(text, ':', len))
		return "holds a ':' where only a host name can stand";
	if (is_text(text, len, "localhost"))
		return NULL;
	if (len >= 2 && text[0] == '*' && text[1] == '.') {
		if (!memchr(text + 2, '.', len - 2))
			return "is too wide; '*.' needs a name with a dot behind it, as in "
			       "*.example.com";
		if (has_empty_label(text + 2, len - 2))
			return "has an empty label; write it as *.example.com";
		return NULL;
	}
	if (memchr(text, '*', len))
		return "has a '*' that is not a leading '*.'; write it as *.example.com";
	if (!memchr(text, '.', len))
		return "is no host name with a dot, and not localhost";
	if (text[0] == '.' || text[len - 1] == '.')
		return "starts or ends with a dot; remove it";
	return NULL;
}

const char *lp_pattern_host(const char *text)
{
	struct in6_addr address;

	if (address_family(text, strlen(text), &address) == AF_INET6)
		return NULL;
	return name_problem(text, strlen(text));
}

static const char *port_problem(const char *text)
{
	uint64_t port;

	if (text[0] == '0' || lp_parse_u64(text, &port) < 0 || port > 65535)
		return "has a bad port; it is a number from 1 to 65535 without leading zeros";
	return NULL;
}

static const char *bracket_problem(const char *text)
{
	const char *end = strchr(text, ']');
	struct in6_addr address;

	if (!end)
		return "has no closing ']'";
	if (!address_family(text + 1, (size_t)(end - text - 1), &address))
		return "has no address between its brackets";
	if (end[1] == '\0')
		return NULL;
	if (end[1] != ':')
		return "has text behind ']'; only :PORT may follow";
	return port_problem(end + 2);
}

const char *lp_pattern_host_port(const char *text, bool star_allowed)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	const char *problem;

	if (text[0] == '[')
		return bracket_problem(text);
	if (strstr(text, "://"))
		return "holds a '://'; name only the host, without scheme or path";
	if (colon && strchr(colon + 1, ':'))
		return "has two colons; write an IPv6 address in brackets, as in [::1]:443";
	if (is_text(text, len, "*")) {
		if (!star_allowed)
			return "would allow every host; name the hosts";
	} else {
		problem = name_problem(text, len);
		if (problem)
			return problem;
	}
	return colon ? port_problem(colon + 1) : NULL;
}

const char *lp_pattern_address_range(const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct in6_addr address;
	uint64_t prefix;
	int family;

	if (text[0] == '[')
		return "stands in brackets; write the address without them";
	family = address_family(text, len, &address);
	if (!family)
		return "is no IP address or CIDR range";
	if (!slash)
		return NULL;
	if (lp_parse_u64(slash + 1, &prefix) < 0 || (slash[1] == '0' && slash[2]) ||
		prefix > (family == AF_INET ? 32 : 128))
		return "has a bad prefix length behind '/'";
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address) && prefix < 96)
		return "is an IPv4-mapped range wider than /96; write the IPv4 range";
	return NULL;
}
