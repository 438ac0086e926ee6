/* What the parts of the probe share; see probe.c. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "../lib/names.h"

/* An act that has printed its own answer returns this instead of 0 or -errno. */
enum { ACT_PRINTED = 1 };

/* run: argv holds the act's own arguments, NULL-terminated; at least args of them are there. */
struct act {
	const char *name;
	int args;
	int (*run)(char **argv);
};

/* Each table ends with an entry without a name. */
extern const struct act file_acts[];
extern const struct act name_acts[];
extern const struct act metadata_acts[];
extern const struct act socket_acts[];
extern const struct act call_acts[];
extern const struct act process_acts[];
extern const struct act terminal_acts[];
extern const struct act serve_acts[];
extern const struct act run_acts[];

/* 0 for any result that is not negative, else -errno. */
static inline int result(long value)
{
	return value < 0 ? -errno : 0;
}

/* A number in decimal, hexadecimal or octal; ends the program if text is none. */
long number(const char *text);

/* Runs the act that argv names, with what follows. */
int run_act(char **argv);

/*
 * Runs act in a child and returns what it returned; if a signal killed the child, prints the
 * signal's name and returns ACT_PRINTED.
 */
int in_child(int (*act)(char **argv), char **argv);
