/*
 * Lists of hosts that change while a pen runs (srt's --control-fd): the supervisor publishes them,
 * and the resolver and the proxy, which were forked with a copy of the policy, take them over
 * between two events.
 *
 * The place is a memfd that only the publisher can write to: its mapping is not inherited, and a
 * seal keeps that of the others read-only for good. Two slots take turns, so that a reader never
 * waits; one that was overtaken reads again. The readers parse hostile bytes elsewhere, the
 * publisher's are landpen's own.
 */
#include "policy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif

#define SLOT_SIZE ((size_t)4 << 20)

/* The generation's last bit says which slot holds. */
struct shared {
	uint32_t generation;
	uint32_t length[2];
	char slot[2][SLOT_SIZE];
};

struct lp_live {
	struct shared *writable; /* the publisher's alone */
	const struct shared *shared;
	uint32_t seen;
	struct lp_policy *lists; /* whose lists were taken, and which holds the ones of before */
};

/* host_length and reason_length bytes follow. */
struct record {
	enum { RECORD_HOST, RECORD_RANGE } kind;
	uint32_t allow, number, host_length, reason_length; /* number: port, or prefix */
	struct lp_address address;
};

int lp_live_open(struct lp_policy *policy)
{
	lp_autoclose int fd = memfd_create("landpen-lists", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct lp_live *live = calloc(1, sizeof(*live));
	void *writable, *shared;

	policy->live = live;
	if (!live)
		return -ENOMEM;
	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) < 0)
		return -errno;
	writable = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (writable == MAP_FAILED)
		return -errno;
	live->writable = writable;
	if (madvise(writable, sizeof(struct shared), MADV_DONTFORK) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	shared = mmap(NULL, sizeof(struct shared), PROT_READ, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		return -errno;
	live->shared = shared;
	return 0;
}

/* Mappings end with the process. */
void lp_live_freep(struct lp_live **at)
{
	if (*at)
		lp_policy_free((*at)->lists);
	free(*at);
	*at = NULL;
}

static void swap_lists(struct lp_policy *policy, struct lp_policy *lists)
{
	struct lp_policy was = *policy;

	policy->hosts = lists->hosts;
	policy->host_count = lists->host_count;
	policy->ranges = lists->ranges;
	policy->range_count = lists->range_count;
	lists->hosts = was.hosts;
	lists->host_count = was.host_count;
	lists->ranges = was.ranges;
	lists->range_count = was.range_count;
}

/* Takes lists. */
static void take(struct lp_policy *policy, struct lp_policy *lists)
{
	struct lp_live *live = policy->live;

	/* each rule ends with the policy that owns its source */
	if (live->lists)
		swap_lists(policy, live->lists);
	lp_policy_free(live->lists);
	live->lists = lists;
	swap_lists(policy, lists);
}

/* ---- publishing -------------------------------------------------------------------------------
 */

static int add_record(
	struct lp_str *str, const struct record *record, const char *host, const char *reason)
{
	int r = lp_str_add_bytes(str, (const char *)record, sizeof(*record));

	if (r == 0)
		r = lp_str_add_bytes(str, host, record->host_length);
	return r < 0 ? r : lp_str_add_bytes(str, reason, record->reason_length);
}

static int write_lists(const struct lp_policy *lists, struct lp_str *str)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < lists->host_count; i++) {
		const struct lp_host_rule *rule = &lists->hosts[i];
		const char *reason = rule->reason ? rule->reason : "";
		const struct record record = {.kind = RECORD_HOST,
			.allow = rule->allow,
			.number = rule->port,
			.host_length = (uint32_t)strlen(rule->host),
			.reason_length = (uint32_t)strlen(reason)};

		r = add_record(str, &record, rule->host, reason);
	}
	for (size_t i = 0; r == 0 && i < lists->range_count; i++) {
		const struct record record = {.kind = RECORD_RANGE,
			.number = lists->ranges[i].prefix,
			.address = lists->ranges[i].address};

		r = add_record(str, &record, "", "");
	}
	return r;
}

int lp_live_publish(struct lp_policy *policy, struct lp_policy *lists)
{
	struct lp_str str LP_CLEANUP(lp_str_clear) = {0};
	struct shared *shared = policy->live->writable;
	uint32_t next = shared->generation + 1;
	int r = write_lists(lists, &str);

	if (r == 0 && str.len > SLOT_SIZE)
		r = -E2BIG;
	if (r < 0)
		return r;
	if (str.len)
		memcpy(shared->slot[next & 1], str.text, str.len);
	shared->length[next & 1] = (uint32_t)str.len;
	__atomic_store_n(&shared->generation, next, __ATOMIC_RELEASE);
	policy->live->seen = next;
	take(policy, lists);
	return 0;
}

/* ---- taking over ------------------------------------------------------------------------------
 */

static int add_host(struct lp_policy *lists, const struct record *record, const char *text)
{
	struct lp_host_rule rule = {.allow = record->allow,
		.port = record->number,
		.host = strndup(text, record->host_length),
		.reason = record->reason_length
				  ? strndup(text + record->host_length, record->reason_length)
				  : NULL,
		.origin = {NULL, strdup("")}};

	return lp_policy_add_host(lists, &rule);
}

static int read_lists(const char *bytes, size_t len, struct lp_policy *lists)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at + sizeof(struct record) <= len;) {
		struct record record;
		struct lp_range range;

		memcpy(&record, bytes + at, sizeof(record));
		at += sizeof(record);
		range = (struct lp_range){.address = record.address,
			.prefix = record.number,
			.origin = {NULL, strdup("")}};
		if (record.kind == RECORD_RANGE)
			r = lp_policy_add_range(lists, &range);
		else
			free(range.origin.key);
		if (record.kind == RECORD_HOST)
			r = add_host(lists, &record, bytes + at);
		at += (size_t)record.host_length + record.reason_length;
	}
	return r;
}

/* A copy of the lists that held at one moment. */
static char *copy_lists(const struct shared *shared, uint32_t *ret_generation, size_t *ret_len)
{
	lp_autofree char *copy = NULL;
	uint32_t before;
	size_t len;

	do {
		before = __atomic_load_n(&shared->generation, __ATOMIC_ACQUIRE);
		len = __atomic_load_n(&shared->length[before & 1], __ATOMIC_RELAXED);
		lp_freep(&copy);
		copy = malloc(len + 1);
		if (!copy)
			return NULL;
		memcpy(copy, shared->slot[before & 1], len);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&shared->generation, __ATOMIC_RELAXED) != before);
	*ret_generation = before;
	*ret_len = len;
	return LP_TAKE(copy);
}

void lp_live_refresh(const struct lp_policy *of)
{
	/* this process's own copy, which nobody else looks at meanwhile */
	struct lp_policy *policy = (struct lp_policy *)of;
	struct lp_live *live = policy->live;
	lp_autofree char *bytes = NULL;
	struct lp_policy *lists;
	uint32_t generation;
	size_t len;

	if (!live || __atomic_load_n(&live->shared->generation, __ATOMIC_RELAXED) == live->seen)
		return;
	bytes = copy_lists(live->shared, &generation, &len);
	lists = bytes ? calloc(1, sizeof(*lists)) : NULL;
	if (!lists || read_lists(bytes, len, lists) < 0)
		abort(); /* going on by the old lists would leave open what was closed */
	live->seen = generation;
	take(policy, lists);
}
