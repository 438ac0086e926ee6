/*
 * Fuzzes the DNS parser and writer, the stream framing, and the parser of getent's output. What is
 * accepted must keep the promises that the resolver builds on.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static void check_name(const struct lp_dns_query *query)
{
	size_t length = strnlen(query->name, sizeof(query->name));

	CHECK(length < LP_DNS_NAME_MAX);
	CHECK(query->is_host == (length > 0));
	CHECK(query->name[0] != '-' && query->name[0] != '.');
	CHECK(strspn(query->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  ".-_") == length);
}

static void check_answer(const struct lp_dns_query *query, const struct lp_dns_answer *answer)
{
	uint8_t buf[LP_DNS_ANSWER_MAX];
	size_t len = lp_dns_write(query, answer, buf);

	CHECK(len >= 12 + query->question_len && len <= sizeof(buf));
	CHECK(buf[2] & 0x80);
	CHECK(!memcmp(buf + 12, query->question, query->question_len));
}

static void check_query(const uint8_t *data, size_t size)
{
	struct lp_dns_query query;
	uint32_t address;
	int r = lp_dns_parse(data, size, &query);

	if (r < 0)
		return;
	check_name(&query);
	CHECK(query.question_len <= sizeof(query.question));
	CHECK(r != LP_DNS_NOERROR || query.question_len >= 5);
	check_answer(&query, &(struct lp_dns_answer){.code = LP_DNS_BADVERS});
	check_answer(&query, &(struct lp_dns_answer){.address = 0xc6120001, .ttl = 60});
	if (query.is_host)
		check_answer(&query, &(struct lp_dns_answer){.host = query.name});
	lp_dns_is_reverse(query.name, &address);
}

static void check_stream(const uint8_t *data, size_t size)
{
	size_t at = 0, len;

	while (lp_dns_frame(data + at, size - at, &len) == 1) {
		CHECK(len <= LP_DNS_QUERY_MAX && at + 2 + len <= size);
		check_query(data + at + 2, len);
		at += 2 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_address addresses[LP_PACKET_ADDRESSES_MAX];
	/* Of exact size, so that a read behind the end is seen. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	check_query(copy, size);
	check_stream(copy, size);
	CHECK(lp_ahosts_parse(copy, size, addresses) <= LP_PACKET_ADDRESSES_MAX);
	free(copy);
	return 0;
}
