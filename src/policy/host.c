/*
 * The spelling of hosts and addresses: one canonical form for each, so that two spellings of one
 * host can never get two answers.
 *
 * Runs in every process of landpen's. Hostile: names come from the agent (CONNECT, SOCKS, SNI, DNS
 * questions) and from settings texts. Pure: of libc only inet_pton and inet_ntop are called, and
 * nothing is looked up. The forms of IPv4 are those of the WHATWG URL standard, host parsing, which
 * srt takes as well (srt contract 4.3).
 */
#include "policy/policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME    255
#define MAX_LITERAL 64 /* longer than any IPv6 literal */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a host name may hold, and an underscore (srt contract 4.3). */
static bool is_name_byte(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c) || c == '.' || c == '_' ||
	       c == '-';
}

static struct lp_address from_ipv4(uint32_t number)
{
	struct lp_address address;

	memcpy(address.bytes, mapped, sizeof(mapped));
	for (unsigned i = 0; i < 4; i++)
		address.bytes[12 + i] = (uint8_t)(number >> (24 - 8 * i));
	return address;
}

/* An address as inet_pton(3) reads it. */
static bool read_literal(const char *text, size_t len, struct lp_address *ret_address)
{
	char literal[MAX_LITERAL];
	struct lp_address address;
	struct in_addr ipv4;

	if (len >= sizeof(literal) || memchr(text, '\0', len))
		return false;
	memcpy(literal, text, len);
	literal[len] = '\0';
	if (inet_pton(AF_INET, literal, &ipv4) == 1)
		address = from_ipv4(ntohl(ipv4.s_addr));
	else if (inet_pton(AF_INET6, literal, address.bytes) != 1)
		return false;
	*ret_address = address;
	return true;
}

/* One part of an IPv4 address: decimal, 0octal or 0xhex. Past 32 bits it stays too large. */
static int read_number(const char *text, size_t len, uint64_t *ret_number)
{
	unsigned base = 10;
	uint64_t number = 0;

	if (len == 0)
		return -EINVAL;
	if (len >= 2 && text[0] == '0') {
		bool hex = lower(text[1]) == 'x';

		base = hex ? 16 : 8;
		text += hex ? 2 : 1;
		len -= hex ? 2 : 1;
	}
	for (; len > 0; text++, len--) {
		char c = lower(*text);
		unsigned digit = is_digit(c) ? (unsigned)(c - '0') : 99;

		if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		if (digit >= base)
			return -EINVAL;
		if (number <= UINT32_MAX)
			number = number * base + digit;
	}
	*ret_number = number;
	return 0;
}

/* Whether the last label is a number: then all of it must be an IPv4 address. */
static bool ends_in_number(const char *text, size_t len)
{
	size_t start = len, digits = 0;
	uint64_t number;

	while (start > 0 && text[start - 1] != '.')
		start--;
	for (size_t i = start; i < len; i++)
		digits += is_digit(text[i]);
	return len > start &&
	       (digits == len - start || read_number(text + start, len - start, &number) == 0);
}

/* inet_aton's forms: one to four numbers, of which the last fills what is left. */
static int read_ipv4(const char *text, size_t len, struct lp_address *ret_address)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 4; i++) {
		const char *dot = memchr(text, '.', len);
		size_t part = dot ? (size_t)(dot - text) : len;
		uint64_t number;

		if (read_number(text, part, &number) < 0)
			return -EINVAL;
		if (!dot) {
			if (number >> (8 * (4 - i)))
				return -EINVAL;
			*ret_address = from_ipv4((uint32_t)(sum | number));
			return 0;
		}
		if (number > 255)
			return -EINVAL;
		sum |= number << (24 - 8 * i);
		text += part + 1;
		len -= part + 1;
	}
	return -EINVAL;
}

static int copy_name(const char *text, size_t len, char ret_host[LP_HOST_SIZE])
{
	char host[LP_HOST_SIZE];

	for (size_t i = 0; i < len; i++) {
		if (!is_name_byte(text[i]))
			return -EINVAL;
		/* two names that differ in an empty label could be one to a resolver */
		if (text[i] == '.' && (i == 0 || i + 1 == len || text[i - 1] == '.'))
			return -EINVAL;
		host[i] = lower(text[i]);
	}
	host[len] = '\0';
	memcpy(ret_host, host, len + 1);
	return 0;
}

int lp_host_canonical(const char *text, size_t len, char ret_host[LP_HOST_SIZE])
{
	struct lp_address address;
	bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (len == 0 || len > MAX_NAME)
		return -EINVAL;
	if (read_literal(text + bracketed, len - 2 * (size_t)bracketed, &address)) {
		lp_address_print(&address, ret_host);
		return 0;
	}
	if (text[len - 1] == '.')
		len--;
	if (!ends_in_number(text, len))
		return len ? copy_name(text, len, ret_host) : -EINVAL;
	if (read_ipv4(text, len, &address) < 0)
		return -EINVAL;
	lp_address_print(&address, ret_host);
	return 0;
}

/* Where the host of "host:port", "[address]:port" or of a bare IPv6 address ends. */
static int split_port(const char *text, size_t *ret_len, unsigned *ret_port)
{
	const char *colon = strchr(text, ':');
	uint64_t port;

	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && strchr(colon + 1, ':')) {
		colon = NULL;
	}
	*ret_len = colon ? (size_t)(colon - text) : strlen(text);
	*ret_port = 0;
	if (!colon)
		return 0;
	if (colon[1] == '0' || lp_parse_u64(colon + 1, &port) < 0 || port > 65535)
		return -EINVAL;
	*ret_port = (unsigned)port;
	return 0;
}

int lp_host_port(const char *text, char ret_host[LP_HOST_SIZE], unsigned *ret_port)
{
	unsigned port;
	size_t len;

	if (split_port(text, &len, &port) < 0 || lp_host_canonical(text, len, ret_host) < 0)
		return -EINVAL;
	*ret_port = port;
	return 0;
}

int lp_host_pattern(const char *text, char ret_pattern[LP_HOST_SIZE], unsigned *ret_port)
{
	char host[LP_HOST_SIZE];
	unsigned port;
	size_t len;

	if (split_port(text, &len, &port) < 0)
		return -EINVAL;
	if (len == 1 && text[0] == '*') {
		memcpy(ret_pattern, "*", 2);
	} else if (len > 2 && text[0] == '*' && text[1] == '.') {
		/* no address is below a name, and two bytes are needed for "*." */
		if (lp_host_canonical(text + 2, len - 2, host) < 0 ||
			lp_host_is_address(host, NULL) || strlen(host) > MAX_NAME - 2)
			return -EINVAL;
		snprintf(ret_pattern, LP_HOST_SIZE, "*.%.*s", MAX_NAME - 2, host);
	} else if (lp_host_canonical(text, len, ret_pattern) < 0) {
		return -EINVAL;
	}
	*ret_port = port;
	return 0;
}

bool lp_host_is_address(const char *host, struct lp_address *ret_address)
{
	struct lp_address address;

	if (!read_literal(host, strlen(host), &address))
		return false;
	if (ret_address)
		*ret_address = address;
	return true;
}

bool lp_host_is_local(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host);

	if (len < sizeof(name) - 1 || strcmp(host + len - (sizeof(name) - 1), name) != 0)
		return false;
	return len == sizeof(name) - 1 || host[len - sizeof(name)] == '.';
}

bool lp_host_is_loopback(const char *host)
{
	struct lp_address address;

	if (lp_host_is_address(host, &address))
		return lp_address_is_loopback(&address);
	return lp_host_is_local(host);
}

void lp_address_print(const struct lp_address *address, char ret_host[LP_HOST_SIZE])
{
	if (lp_address_is_ipv4(address))
		inet_ntop(AF_INET, address->bytes + 12, ret_host, LP_HOST_SIZE);
	else
		inet_ntop(AF_INET6, address->bytes, ret_host, LP_HOST_SIZE);
}

bool lp_address_is_ipv4(const struct lp_address *address)
{
	return !memcmp(address->bytes, mapped, sizeof(mapped));
}

bool lp_address_is_loopback(const struct lp_address *address)
{
	static const struct lp_address loopback = {.bytes = {[15] = 1}};

	if (lp_address_is_ipv4(address))
		return address->bytes[12] == 127;
	return !memcmp(address, &loopback, sizeof(loopback));
}

int lp_range_parse(const char *text, size_t len, struct lp_range *ret_range)
{
	const char *slash = memchr(text, '/', len);
	size_t literal = slash ? (size_t)(slash - text) : len;
	const char *zone = memchr(text, '%', literal);
	struct lp_address address;
	bool dotted = !memchr(text, ':', literal);
	unsigned prefix = 0;

	if (!read_literal(text, zone ? (size_t)(zone - text) : literal, &address))
		return -EINVAL;
	if (!slash) {
		*ret_range = (struct lp_range){.address = address, .prefix = 128};
		return 0;
	}
	if (literal + 1 == len || len - literal > 4)
		return -EINVAL;
	for (size_t i = literal + 1; i < len; i++) {
		if (!is_digit(text[i]))
			return -EINVAL;
		prefix = 10 * prefix + (unsigned)(text[i] - '0');
	}
	if (prefix > (dotted ? 32U : 128U) ||
		(!dotted && prefix < 96 && lp_address_is_ipv4(&address)))
		return -EINVAL;
	*ret_range = (struct lp_range){.address = address, .prefix = dotted ? prefix + 96 : prefix};
	return 0;
}

bool lp_range_covers(const struct lp_range *range, const struct lp_address *address)
{
	unsigned bytes = range->prefix / 8, bits = range->prefix % 8;
	bool ipv4 = range->prefix >= 96 && lp_address_is_ipv4(&range->address);

	/* ::/0 speaks of IPv6, though IPv4 stands inside it */
	if (ipv4 != lp_address_is_ipv4(address))
		return false;
	if (memcmp(range->address.bytes, address->bytes, bytes) != 0)
		return false;
	return bits == 0 ||
	       (range->address.bytes[bytes] ^ address->bytes[bytes]) >> (8 - bits) == 0;
}
