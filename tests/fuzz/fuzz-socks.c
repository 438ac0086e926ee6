/* Fuzzes the parsers of SOCKS5: sizes stay inside the input, and a prefix is never bad. */
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum lp_parse parse(int which, const uint8_t *data, size_t len, size_t *ret_size)
{
	struct lp_socks_request request;
	uint8_t method;
	enum lp_parse r;

	if (which == 0)
		return lp_socks_greeting(data, len, ret_size, &method);
	if (which == 1)
		return lp_socks_password(data, len, ret_size);
	if (which == 2)
		return lp_socks_answers(data, len, ret_size);
	r = lp_socks_request(data, len, &request);
	if (r == LP_PARSE_OK)
		*ret_size = request.size;
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = calloc(1, size ? size : 1);

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	for (int which = 0; which < 4; which++) {
		size_t used = 0, other;
		enum lp_parse r = parse(which, copy, size, &used);

		if (r == LP_PARSE_OK && (used == 0 || used > size))
			abort();
		for (size_t i = 0; r != LP_PARSE_BAD && i < used; i++)
			if (parse(which, copy, i, &other) == LP_PARSE_BAD)
				abort();
	}
	free(copy);
	return 0;
}
