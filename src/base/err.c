/* Errors: one sentence, written once, where the failure is understood. Runs in every process. */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int lp_fail(struct lp_err *err, int error, const char *format, ...)
{
	va_list args;

	if (err) {
		errno = error;
		va_start(args, format);
		vsnprintf(err->text, sizeof(err->text), format, args);
		va_end(args);
	}
	return -error;
}

void lp_err_prefix(struct lp_err *err, const char *format, ...)
{
	char old[sizeof(err->text)];
	va_list args;
	size_t len;

	if (!err)
		return;
	memcpy(old, err->text, sizeof(old));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
}
