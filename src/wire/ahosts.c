/*
 * What `getent ahosts` prints: lines of an address, a socket type, and perhaps a name.
 *
 * Runs in the resolver. The addresses come from the world's name servers, and the file that says
 * them is the host's; neither is trusted to be well formed. Does no I/O.
 */
#include <arpa/inet.h>
#include <string.h>

#include "wire/wire.h"

static bool parse_address(const uint8_t *text, size_t len, struct lp_address *ret_address)
{
	struct lp_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
	char copy[INET6_ADDRSTRLEN];

	if (!len || len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, address.bytes + 12) != 1 &&
		inet_pton(AF_INET6, copy, address.bytes) != 1)
		return false;
	*ret_address = address;
	return true;
}

size_t lp_ahosts_parse(
	const uint8_t *buf, size_t len, struct lp_address ret_addresses[LP_PACKET_ADDRESSES_MAX])
{
	size_t count = 0;

	while (len && count < LP_PACKET_ADDRESSES_MAX) {
		const uint8_t *end = memchr(buf, '\n', len);
		struct lp_address address;
		size_t word = 0, known = 0;

		if (!end)
			break;
		while (buf + word < end && buf[word] != ' ' && buf[word] != '\t')
			word++;
		if (parse_address(buf, word, &address)) {
			while (known < count &&
				memcmp(&ret_addresses[known], &address, sizeof(address)) != 0)
				known++;
			if (known == count)
				ret_addresses[count++] = address;
		}
		len -= (size_t)(end + 1 - buf);
		buf = end + 1;
	}
	return count;
}
