/* Fuzzes the search for a ClientHello's name: it is canonical or empty, and known no sooner than
 * the message is whole. */
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = calloc(1, size ? size : 1);
	char name[LP_HOST_SIZE], canonical[LP_HOST_SIZE];
	enum lp_parse r;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	r = lp_tls_server_name(copy, size, name);
	if (r == LP_PARSE_OK && name[0] &&
		(lp_host_canonical(name, strlen(name), canonical) < 0 ||
			strcmp(name, canonical) != 0))
		abort();
	for (size_t i = 0; r == LP_PARSE_MORE && i < size; i += size / 16 + 1)
		if (lp_tls_server_name(copy, i, name) != LP_PARSE_MORE)
			abort();
	free(copy);
	return 0;
}
