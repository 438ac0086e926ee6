/* The generated seccomp filters, by LP_FILTER_ bits; not for other layers. */
#pragma once

#include <linux/filter.h>

#include "plan/plan.h"

extern const struct sock_fprog lp_filters[LP_FILTER_COUNT];

/* acct(LP_FILTER_QUESTION) fails with LP_FILTER_ANSWER only under one of these filters. */
#define LP_FILTER_QUESTION 0x6c70656eU
#define LP_FILTER_ANSWER   133 /* EHWPOISON: no file system call answers so */
