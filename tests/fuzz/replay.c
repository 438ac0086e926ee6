/* Runs a fuzz target over the files it is given, so that a corpus is part of the ordinary tests. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define MAX_FILE (8U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		lp_autofree char *text = NULL;
		size_t len;
		int r = lp_read_file(AT_FDCWD, argv[i], MAX_FILE, &text, &len);

		if (r < 0) {
			printf("Bail out! %s: %s\n", argv[i], strerror(-r));
			return 1;
		}
		/* A failure aborts; what was read so far is already printed. */
		fflush(stdout);
		LLVMFuzzerTestOneInput((const uint8_t *)text, len);
		printf("ok %d - %s\n", i, lp_path_name(argv[i]));
	}
	return argc > 1 ? 0 : 1;
}
