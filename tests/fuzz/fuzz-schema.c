/*
 * Fuzzes the reading of a settings text in both dialects, and the merging of one that nobody
 * trusts: whatever it says, it may only tighten, and an error is one printable line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "settings/parts.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sentence(const char *text)
{
	MUST(*text);
	for (; *text; text++)
		MUST((uint8_t)*text >= 0x20 && *text != 0x7f);
}

/* The policy that a run starts with, before an untrusted text. */
static struct lp_policy *new_policy(void)
{
	struct lp_policy *policy = calloc(1, sizeof(*policy));

	MUST(policy);
	policy->limits = (struct lp_limits){1000, 1000, 1000, 1000, 1000};
	policy->home = strdup("/nonexistent/home");
	policy->cwd = strdup("/nonexistent/home/project");
	MUST(policy->home && policy->cwd);
	return policy;
}

static void check_tightened(const struct lp_policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		MUST(policy->rules[i].kind == LP_RULE_DENY_READ ||
			policy->rules[i].kind == LP_RULE_DENY_WRITE);
	for (size_t i = 0; i < policy->env_count; i++)
		MUST(policy->env[i].action == LP_ENV_UNSET);
	MUST(!policy->unix_sockets && !policy->ptrace && !policy->namespaces);
	MUST(!policy->files_disabled && policy->network == LP_NETWORK_NONE);
	for (size_t i = 0; i < policy->host_count; i++)
		MUST(!policy->hosts[i].allow);
	MUST(policy->local_port_count == 0 && policy->socket_count == 0 && !policy->local_binding);
	MUST(!policy->upstream_http.host && !policy->upstream_https.host && !policy->no_upstream);
	MUST(policy->limits.address_space <= 1000 && policy->limits.processes <= 1000);
	MUST(policy->limits.open_files <= 1000 && policy->limits.file_size <= 1000);
	MUST(policy->limits.core <= 1000 && policy->accepted.count == 0);
}

static void read_text(
	const uint8_t *data, size_t size, enum lp_dialect dialect, enum lp_layer layer)
{
	struct lp_policy *policy LP_CLEANUP(lp_policy_freep) = new_policy();
	struct lp_merge merge = {.policy = policy, .depth = 3, .base = policy->cwd};
	char *text = malloc(size + 1);
	struct lp_source *source;
	struct lp_err err = {0};
	json_t *json = NULL;
	int r;

	MUST(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	source = lp_policy_add_source(policy, layer, strdup("file"), text, size);
	MUST(source);
	r = lp_schema_read(policy, source, dialect, &json, &err);
	if (r == 0 && layer == LP_LAYER_PROJECT) {
		r = lp_merge_create(&merge, source, json, &err);
		if (r == 0)
			r = lp_merge(&merge, source, json, &err);
		check_tightened(policy);
	}
	lp_known_clear(&merge.known);
	json_decref(json);
	MUST(r == 0 || r == -EINVAL);
	if (r < 0)
		check_sentence(err.text);
	lp_strv_foreach (notice, &policy->notices)
		check_sentence(notice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_text(data, size, LP_DIALECT_LANDPEN, LP_LAYER_PROJECT);
	read_text(data, size, LP_DIALECT_LANDPEN, LP_LAYER_RULESET);
	read_text(data, size, LP_DIALECT_SRT, LP_LAYER_USER);
	return 0;
}
