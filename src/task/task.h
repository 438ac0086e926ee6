/*
 * task: the thread that made a notified call, as the supervisor sees it through /proc.
 *
 * All of it is hostile and may change at any moment: each thing is fetched once. What was fetched
 * is the caller's only if the notification is valid afterwards (lp_notify_is_valid).
 */
#pragma once

#include "base/base.h"

#define LP_STATUS_SIZE 4096

/* /proc/TID/status; empty if the thread is gone. */
void lp_task_status(pid_t tid, char ret_status[LP_STATUS_SIZE]);

/* The number in a line of it ("\nTgid:"), or otherwise. The name of the program, which is the
 * caller's to choose, is one line however it is written. */
uint64_t lp_status_number(const char *status, const char *name, int base, uint64_t otherwise);

/* The process that a thread belongs to, or -1. */
pid_t lp_task_process(pid_t tid);

/* The umask of a thread; everything is masked where it cannot be found out. */
mode_t lp_task_umask(pid_t tid);

/*
 * What to call socket(2) with for one like the thread's fresh unix socket fd, its flags included,
 * where pidfd_getfd(2) is refused. What setsockopt(2) did to it cannot be seen. -EINVAL: it is
 * bound or connected already; -ENOTSOCK: no unix socket; -errno.
 */
int lp_task_unix_type(pid_t tid, int fd, int *ret_type);

/* Whether a file of this size is above the thread's limit, which it is told as by the kernel
 * (SIGXFSZ). */
bool lp_task_file_too_large(pid_t tid, off_t size);

/* What a descriptor of the thread's is open on, or AT_FDCWD its working directory (O_PATH). */
int lp_task_open_descriptor(pid_t tid, int fd);

/*
 * Where the walk along a path starts. Paths through a magic link of the caller's own ("/dev/fd/7",
 * "/proc/self/cwd/x") start behind that link; ret_rest is then empty for the object itself.
 * dirfd as in openat(2). ret_base is O_PATH; AT_FDCWD for a rest that is absolute. 0 or -errno.
 */
int lp_task_base(pid_t tid, int dirfd, const char *path, int *ret_base, const char **ret_rest);

/* The name of the thread's program, which it can choose; "" if it is gone. */
void lp_task_name(pid_t tid, char *ret_name, size_t size);
