/*
 * The distribution's libjansson.a is compiled with glibc's _FORTIFY_SOURCE and calls the checking
 * variants of three functions, which musl does not have. Their sizes are checked as glibc does.
 * Everything else that it calls is ISO C or POSIX with the same binary interface in both libraries.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __snprintf_chk(char *text, size_t max, int flag, size_t size, const char *format, ...);
int __vsnprintf_chk(
	char *text, size_t max, int flag, size_t size, const char *format, va_list args);
char *__strncpy_chk(char *to, const char *from, size_t count, size_t size);

int __vsnprintf_chk(char *text, size_t max, int flag, size_t size, const char *format, va_list args)
{
	(void)flag;
	if (size < max)
		abort();
	return vsnprintf(text, max, format, args);
}

int __snprintf_chk(char *text, size_t max, int flag, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = __vsnprintf_chk(text, max, flag, size, format, args);
	va_end(args);
	return len;
}

char *__strncpy_chk(char *to, const char *from, size_t count, size_t size)
{
	if (size < count)
		abort();
	return strncpy(to, from, count);
}
