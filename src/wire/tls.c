/*
 * The server name in a TLS ClientHello (RFC 8446 4.1.2, 5.1; RFC 6066 3).
 *
 * Runs in the proxy; the bytes are the agent's. Only looked at: what is relayed is what came. With
 * Encrypted ClientHello this is the outer name, which is the one that is dialled.
 */
#include <string.h>

#include "wire/wire.h"

#define RECORD_HANDSHAKE 22
#define RECORD_MAX       16384
#define CLIENT_HELLO     1

/* Takes len bytes off the front; false, with nothing changed, if there are fewer. */
static bool take(struct lp_span *rest, size_t len, struct lp_span *ret_part)
{
	if (rest->len < len)
		return false;
	*ret_part = (struct lp_span){rest->bytes, len};
	rest->bytes += len;
	rest->len -= len;
	return true;
}

/* A big-endian number of `size` bytes. */
static bool take_number(struct lp_span *rest, size_t size, size_t *ret_number)
{
	struct lp_span part;

	if (!take(rest, size, &part))
		return false;
	*ret_number = 0;
	for (size_t i = 0; i < size; i++)
		*ret_number = *ret_number << 8 | part.bytes[i];
	return true;
}

/* A part with its length in `size` bytes before it. */
static bool take_vector(struct lp_span *rest, size_t size, struct lp_span *ret_part)
{
	size_t len;

	return take_number(rest, size, &len) && take(rest, len, ret_part);
}

static bool parse_name(struct lp_span extension, char ret_name[LP_HOST_SIZE])
{
	struct lp_span list, name;
	size_t type;

	if (!take_vector(&extension, 2, &list) || extension.len)
		return false;
	if (!take_number(&list, 1, &type) || type != 0 || !take_vector(&list, 2, &name) || list.len)
		return false;
	return name.len && lp_host_canonical((const char *)name.bytes, name.len, ret_name) == 0 &&
	       !lp_host_is_address(ret_name, NULL);
}

static bool parse_extensions(struct lp_span extensions, char ret_name[LP_HOST_SIZE])
{
	ret_name[0] = '\0';
	while (extensions.len) {
		struct lp_span extension;
		size_t type;

		if (!take_number(&extensions, 2, &type) || !take_vector(&extensions, 2, &extension))
			return false;
		if (type == 0 && (ret_name[0] || !parse_name(extension, ret_name)))
			return false;
	}
	return true;
}

static enum lp_parse parse_hello(struct lp_span hello, char ret_name[LP_HOST_SIZE])
{
	struct lp_span fixed, session, suites, methods, extensions = {0};
	char name[LP_HOST_SIZE];

	if (!take(&hello, 2 + 32, &fixed) || fixed.bytes[0] != 3 ||
		!take_vector(&hello, 1, &session) || session.len > 32 ||
		!take_vector(&hello, 2, &suites) || suites.len < 2 || suites.len % 2 ||
		!take_vector(&hello, 1, &methods) || !methods.len)
		return LP_PARSE_BAD;
	/* before TLS 1.2 there may be no extensions at all */
	if (hello.len && (!take_vector(&hello, 2, &extensions) || hello.len))
		return LP_PARSE_BAD;
	if (!parse_extensions(extensions, name))
		return LP_PARSE_BAD;
	memcpy(ret_name, name, strlen(name) + 1);
	return LP_PARSE_OK;
}

/* The next record's content, or as much of it as there is. */
static enum lp_parse next_record(struct lp_span *rest, struct lp_span *ret_content)
{
	size_t len;

	if ((rest->len >= 1 && rest->bytes[0] != RECORD_HANDSHAKE) ||
		(rest->len >= 2 && rest->bytes[1] != 3))
		return LP_PARSE_BAD;
	if (rest->len < 5)
		return LP_PARSE_MORE;
	len = (size_t)rest->bytes[3] << 8 | rest->bytes[4];
	if (len == 0 || len > RECORD_MAX)
		return LP_PARSE_BAD;
	rest->bytes += 5;
	rest->len -= 5;
	take(rest, len < rest->len ? len : rest->len, ret_content);
	return LP_PARSE_OK;
}

enum lp_parse lp_tls_server_name(const uint8_t *buf, size_t len, char ret_name[LP_HOST_SIZE])
{
	uint8_t message[4 + LP_TLS_HELLO_MAX];
	struct lp_span rest = {buf, len};
	size_t have = 0, need = 4;

	for (;;) {
		struct lp_span content;
		enum lp_parse r = next_record(&rest, &content);

		if (r != LP_PARSE_OK)
			return r;
		if (content.len > sizeof(message) - have)
			content.len = sizeof(message) - have;
		memcpy(message + have, content.bytes, content.len);
		have += content.len;
		if (have >= 1 && message[0] != CLIENT_HELLO)
			return LP_PARSE_BAD;
		if (have >= 4)
			need = 4 +
			       ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]);
		if (need > sizeof(message))
			return LP_PARSE_BAD;
		if (have >= 4 && have >= need)
			return parse_hello((struct lp_span){message + 4, need - 4}, ret_name);
		if (!rest.len)
			return LP_PARSE_MORE;
	}
}
