/* Names for what a test prints; see names.c. */
#pragma once

/* The name of an errno or a signal: "EACCES", "SIGSYS"; "?" if unknown. */
const char *errno_name(int error);
const char *signal_name(int signal);
