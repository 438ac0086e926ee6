/*
 * DNS messages: the queries that the agent sends, and the short answers they get.
 *
 * Runs in the resolver. Every byte of a query is hostile. Does no I/O; follows no compression
 * pointer, so that no loop is possible: questions have no need of one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/wire.h"

#define HEADER_SIZE    12
#define FLAG_ANSWER    0x8000
#define FLAGS_OPCODE   0x7800
#define FLAG_WANTED    0x0100 /* recursion desired */
#define FLAG_AVAILABLE 0x0080
#define FLAG_UNCHECKED 0x0010 /* checking disabled */
#define ADDITIONAL_MAX 8
#define EDNS_SIZE      1232
#define LABEL_MAX      63
#define QUESTION_NAME  0xc000U + HEADER_SIZE /* a pointer to it */

/* A place in the message; left never grows. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

static bool take(struct cursor *cursor, size_t count, const uint8_t **ret_bytes)
{
	if (cursor->left < count)
		return false;
	*ret_bytes = cursor->at;
	cursor->at += count;
	cursor->left -= count;
	return true;
}

static bool take_u16(struct cursor *cursor, uint16_t *ret_number)
{
	const uint8_t *bytes;

	if (!take(cursor, 2, &bytes))
		return false;
	*ret_number = (uint16_t)(bytes[0] << 8 | bytes[1]);
	return true;
}

static bool is_host_byte(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

/* Takes a name without compression. Its text goes to query->name if it is one of a host. */
static bool take_question_name(struct cursor *cursor, struct lp_dns_query *query)
{
	size_t total = 1, at = 0;
	bool is_host = true;
	const uint8_t *bytes;

	for (;;) {
		size_t length;

		if (!take(cursor, 1, &bytes))
			return false;
		length = *bytes;
		if (!length)
			break;
		total += length + 1;
		if (length > LABEL_MAX || total > LP_DNS_NAME_MAX || !take(cursor, length, &bytes))
			return false;
		is_host = is_host && bytes[0] != '-';
		for (size_t i = 0; i < length; i++)
			is_host = is_host && is_host_byte(bytes[i]);
		if (at)
			query->name[at++] = '.';
		memcpy(query->name + at, bytes, length);
		at += length;
	}
	query->is_host = is_host && at > 0;
	query->name[query->is_host ? at : 0] = '\0';
	return true;
}

/* Steps over a name that may be compressed, reading none of it. */
static bool skip_name(struct cursor *cursor, bool *ret_is_root)
{
	const uint8_t *bytes;
	bool is_first = true;

	while (take(cursor, 1, &bytes)) {
		size_t length = *bytes;

		if (length >= 0xc0 || length == 0) {
			*ret_is_root = is_first && length == 0;
			return length == 0 || take(cursor, 1, &bytes);
		}
		if (length > LABEL_MAX || !take(cursor, length, &bytes))
			return false;
		is_first = false;
	}
	return false;
}

/* Looks for the OPT record; others (a signature) are stepped over. */
static int parse_additional(struct cursor *cursor, unsigned count, struct lp_dns_query *query)
{
	if (count > ADDITIONAL_MAX)
		return LP_DNS_FORMERR;
	while (count--) {
		uint16_t type, class, length;
		const uint8_t *ttl, *data;
		bool is_root;

		if (!skip_name(cursor, &is_root) || !take_u16(cursor, &type) ||
			!take_u16(cursor, &class) || !take(cursor, 4, &ttl) ||
			!take_u16(cursor, &length) || !take(cursor, length, &data))
			return LP_DNS_FORMERR;
		if (type != LP_DNS_OPT)
			continue;
		if (!is_root || query->edns)
			return LP_DNS_FORMERR;
		query->edns = true;
		if (ttl[1] != 0)
			return LP_DNS_BADVERS;
	}
	return LP_DNS_NOERROR;
}

static int parse_question(struct cursor *cursor, struct lp_dns_query *query)
{
	const uint8_t *start = cursor->at;

	if (!take_question_name(cursor, query) || !take_u16(cursor, &query->type) ||
		!take_u16(cursor, &query->class)) {
		query->name[0] = '\0';
		query->is_host = false;
		return LP_DNS_FORMERR;
	}
	query->question_len = (size_t)(cursor->at - start);
	memcpy(query->question, start, query->question_len);
	return LP_DNS_NOERROR;
}

int lp_dns_parse(const uint8_t *buf, size_t len, struct lp_dns_query *ret_query)
{
	struct cursor cursor = {buf, len};
	struct lp_dns_query query = {0};
	uint16_t counts[4];
	int r = LP_DNS_FORMERR;

	if (!take_u16(&cursor, &query.id) || !take_u16(&cursor, &query.flags))
		return -EBADMSG;
	for (size_t i = 0; i < LP_ARRAY_SIZE(counts); i++)
		if (!take_u16(&cursor, &counts[i]))
			return -EBADMSG;
	if (query.flags & FLAG_ANSWER)
		return -EBADMSG;
	if (query.flags & FLAGS_OPCODE)
		r = LP_DNS_NOTIMP;
	else if (counts[0] == 1 && !counts[1] && !counts[2])
		r = parse_question(&cursor, &query);
	if (r == LP_DNS_NOERROR)
		r = parse_additional(&cursor, counts[3], &query);
	*ret_query = query;
	return r;
}

int lp_dns_frame(const uint8_t *buf, size_t len, size_t *ret_len)
{
	size_t length;

	if (len < 2)
		return 0;
	length = (size_t)(buf[0] << 8 | buf[1]);
	if (length > LP_DNS_QUERY_MAX)
		return -EMSGSIZE;
	if (len - 2 < length)
		return 0;
	*ret_len = length;
	return 1;
}

/* ---- answers -------------------------------------------------------------------------------- */

static uint8_t *put_u16(uint8_t *at, unsigned number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
	return at + 2;
}

static uint8_t *put_u32(uint8_t *at, uint32_t number)
{
	return put_u16(put_u16(at, number >> 16), number & 0xffff);
}

/* A name of at most LP_DNS_NAME_MAX bytes, or NULL. */
static uint8_t *put_name(uint8_t *at, const char *name)
{
	size_t total = 1;

	while (*name) {
		size_t length = strcspn(name, ".");

		total += length + 1;
		if (!length || length > LABEL_MAX || total > LP_DNS_NAME_MAX)
			return NULL;
		*at++ = (uint8_t)length;
		memcpy(at, name, length);
		at += length;
		name += length;
		if (*name)
			name++;
	}
	*at++ = 0;
	return at;
}

/* The record's type, class, time to live, and a length to be filled in behind them. */
static uint8_t *put_record(uint8_t *at, unsigned type, uint32_t ttl)
{
	at = put_u16(at, QUESTION_NAME);
	at = put_u16(at, type);
	at = put_u16(at, LP_DNS_IN);
	return put_u32(at, ttl);
}

static uint8_t *put_answer(uint8_t *at, const struct lp_dns_answer *answer)
{
	uint8_t *length;

	if (answer->address && answer->prefix) {
		at = put_u16(put_record(at, LP_DNS_AAAA, answer->ttl), 16);
		memcpy(at, answer->prefix, 12);
		return put_u32(at + 12, answer->address);
	}
	if (answer->address) {
		at = put_record(at, LP_DNS_A, answer->ttl);
		return put_u32(put_u16(at, 4), answer->address);
	}
	length = put_record(at, LP_DNS_PTR, answer->ttl);
	at = put_name(length + 2, answer->host);
	if (at)
		put_u16(length, (unsigned)(at - length - 2));
	return at;
}

static uint8_t *put_edns(uint8_t *at, unsigned code)
{
	*at++ = 0;
	at = put_u16(at, LP_DNS_OPT);
	at = put_u16(at, EDNS_SIZE);
	at = put_u32(at, (uint32_t)(code >> 4) << 24);
	return put_u16(at, 0);
}

size_t lp_dns_write(const struct lp_dns_query *query, const struct lp_dns_answer *answer,
	uint8_t buf[LP_DNS_ANSWER_MAX])
{
	bool has_record = (answer->address || answer->host) && query->question_len;
	unsigned flags = FLAG_ANSWER | FLAG_AVAILABLE | (answer->code & 15);
	uint8_t *at = buf;

	flags |= query->flags & (FLAGS_OPCODE | FLAG_WANTED | FLAG_UNCHECKED);
	at = put_u16(at, query->id);
	at = put_u16(at, flags);
	at = put_u16(at, query->question_len > 0);
	at = put_u16(at, has_record);
	at = put_u16(at, 0);
	at = put_u16(at, query->edns);
	memcpy(at, query->question, query->question_len);
	at += query->question_len;
	if (has_record)
		at = put_answer(at, answer);
	if (at && query->edns)
		at = put_edns(at, answer->code);
	return at ? (size_t)(at - buf) : 0;
}

/* ---- reverse names -------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), tail = strlen(end);

	if (length < tail || strcasecmp(name + length - tail, end) != 0)
		return false;
	return length == tail || name[length - tail - 1] == '.';
}

bool lp_dns_is_reverse(const char *name, uint32_t *ret_address)
{
	uint32_t address = 0;
	unsigned part = 0;

	if (!ends_with(name, "in-addr.arpa") && !ends_with(name, "ip6.arpa"))
		return false;
	for (; part < 4; part++) {
		size_t digits = strspn(name, "0123456789");
		unsigned value = 0;

		if (digits < 1 || digits > 3 || name[digits] != '.')
			break;
		for (size_t i = 0; i < digits; i++)
			value = value * 10 + (unsigned)(name[i] - '0');
		if (value > 255)
			break;
		address |= (uint32_t)value << (8 * part);
		name += digits + 1;
	}
	*ret_address = part == 4 && !strcasecmp(name, "in-addr.arpa") ? address : 0;
	return true;
}
