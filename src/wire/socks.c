/*
 * What a SOCKS5 client sends (RFC 1928, 1929), and what a proxy answers. Runs in the proxy; the
 * bytes are the agent's, and those of the proxy beyond.
 */
#include "wire/wire.h"

#define VERSION          5
#define PASSWORD_VERSION 1

enum lp_parse lp_socks_greeting(
	const uint8_t *buf, size_t len, size_t *ret_size, uint8_t *ret_method)
{
	uint8_t method = LP_SOCKS_NO_METHOD;

	if (len >= 1 && buf[0] != VERSION)
		return LP_PARSE_BAD;
	if (len >= 2 && buf[1] == 0)
		return LP_PARSE_BAD;
	if (len < 2 || len < 2U + buf[1])
		return LP_PARSE_MORE;
	for (size_t i = 0; i < buf[1]; i++) {
		uint8_t offered = buf[2 + i];

		if (offered == LP_SOCKS_NO_AUTH ||
			(offered == LP_SOCKS_PASSWORD && method == LP_SOCKS_NO_METHOD))
			method = offered;
	}
	*ret_size = 2U + buf[1];
	*ret_method = method;
	return LP_PARSE_OK;
}

enum lp_parse lp_socks_password(const uint8_t *buf, size_t len, size_t *ret_size)
{
	size_t name, password;

	if (len >= 1 && buf[0] != PASSWORD_VERSION)
		return LP_PARSE_BAD;
	if (len < 2)
		return LP_PARSE_MORE;
	name = buf[1];
	if (len < 3 + name)
		return LP_PARSE_MORE;
	password = buf[2 + name];
	if (len < 3 + name + password)
		return LP_PARSE_MORE;
	*ret_size = 3 + name + password;
	return LP_PARSE_OK;
}

enum lp_parse lp_socks_request(const uint8_t *buf, size_t len, struct lp_socks_request *ret_request)
{
	struct lp_socks_request request = {.size = 4};
	size_t at = 4;

	if ((len >= 1 && buf[0] != VERSION) || (len >= 3 && buf[2] != 0))
		return LP_PARSE_BAD;
	if (len < 5)
		return LP_PARSE_MORE;
	request.command = buf[1];
	request.kind = buf[3];
	switch (request.kind) {
	case LP_SOCKS_IPV4:
		request.address.len = 4;
		break;
	case LP_SOCKS_IPV6:
		request.address.len = 16;
		break;
	case LP_SOCKS_NAME:
		request.address.len = buf[at++];
		if (request.address.len == 0)
			return LP_PARSE_BAD;
		break;
	default:
		*ret_request = request;
		return LP_PARSE_OK;
	}
	request.size = at + request.address.len + 2;
	if (len < request.size)
		return LP_PARSE_MORE;
	request.address.bytes = buf + at;
	request.port = (unsigned)buf[request.size - 2] << 8 | buf[request.size - 1];
	*ret_request = request;
	return LP_PARSE_OK;
}

enum lp_parse lp_socks_answers(const uint8_t *buf, size_t len, size_t *ret_size)
{
	size_t size = 2 + 4 + 2; /* the choice of a method, the reply without its address */

	if ((len >= 1 && buf[0] != VERSION) || (len >= 2 && buf[1] != LP_SOCKS_NO_AUTH) ||
		(len >= 3 && buf[2] != VERSION) || (len >= 4 && buf[3] != LP_SOCKS_SUCCEEDED))
		return LP_PARSE_BAD;
	if (len < 2 + 5)
		return LP_PARSE_MORE;
	switch (buf[5]) {
	case LP_SOCKS_IPV4:
		size += 4;
		break;
	case LP_SOCKS_IPV6:
		size += 16;
		break;
	case LP_SOCKS_NAME:
		size += 1 + (size_t)buf[6];
		break;
	default:
		return LP_PARSE_BAD;
	}
	if (len < size)
		return LP_PARSE_MORE;
	*ret_size = size;
	return LP_PARSE_OK;
}
