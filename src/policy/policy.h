/*
 * policy: what is allowed, as pure data, and the deciders that answer from it.
 *
 * No file is opened here. `explain`, the plan and the tests ask the same deciders; nothing else in
 * landpen has an opinion of its own about what is allowed. The zero value of everything is deny.
 */
#pragma once

#include "base/base.h"

/* Where a rule was said. Later layers stand closer to the user's own hand. */
enum lp_layer {
	LP_LAYER_BUILTIN = 0,
	LP_LAYER_RULESET,
	LP_LAYER_USER,    /* ~/.config/landpen/settings.json, or --settings FILE */
	LP_LAYER_PROJECT, /* .landpen.json */
	LP_LAYER_OPTION,
};

/* A text that rules come from. name: a file's path, "ruleset claude", or "command line". */
struct lp_source {
	enum lp_layer layer;
	char *name;
	char *text; /* kept to find line numbers; NULL where there is none */
	size_t len;
	bool trusted; /* false: a project file nobody accepted; it may only tighten */
};

/* key: "filesystem.denyRead[2]", "--rw", or "mandatory". Owned by the policy. */
struct lp_origin {
	const struct lp_source *source;
	char *key;
};

enum lp_rule_kind {
	LP_RULE_DENY_WRITE = 0,
	LP_RULE_DENY_READ,
	LP_RULE_ALLOW_READ,
	LP_RULE_ALLOW_WRITE,
};

/*
 * path: absolute, symlinks resolved as far as it exists; of a glob that was not expanded, the
 * absolute pattern. spelled: the same before symlinks were resolved. links: the symlinks between
 * the two.
 */
struct lp_rule {
	enum lp_rule_kind kind;
	bool mandatory;  /* built in; a missing name is protected too */
	bool is_pattern; /* path is a glob pattern */
	bool exists;
	bool is_dir;
	char *path, *spelled;
	struct lp_links links;
	struct lp_origin origin;
	size_t path_length; /* set by lp_policy_add_rule */
};

enum lp_network {
	LP_NETWORK_NONE = 0,
	LP_NETWORK_OPEN,
};

#define LP_UNLIMITED UINT64_MAX

/* setrlimit(2) values; LP_UNLIMITED leaves what the caller has. Bytes, or counts. */
struct lp_limits {
	uint64_t address_space, processes, open_files, file_size, core;
};

enum lp_env_action {
	LP_ENV_UNSET = 0,
	LP_ENV_PASS,
	LP_ENV_SET,
};

/* name may be a glob for PASS and UNSET. The last rule that matches a name wins. */
struct lp_env_rule {
	enum lp_env_action action;
	char *name, *value;
	struct lp_origin origin;
};

struct lp_policy {
	struct lp_source **sources;
	size_t source_count;
	struct lp_rule *rules;
	size_t rule_count;
	struct lp_env_rule *env;
	size_t env_count;

	enum lp_network network;
	bool unix_sockets; /* sockets of the AF_UNIX family may be made, to any peer */
	bool ptrace, namespaces, ptys;
	bool files_disabled; /* filesystem.disabled: no file rules at all */
	struct lp_limits limits;

	char *home, *cwd, *project;
	struct lp_strv rulesets; /* names, in the order they were applied */
	struct lp_strv accepted; /* names of gaps the user lives with */
	struct lp_strv notices;  /* what the user should know about the settings, a line each */
};

void lp_policy_free(struct lp_policy *policy);
void lp_policy_freep(struct lp_policy **policy);

/* Takes name and text; the policy owns the result. NULL without memory. */
struct lp_source *lp_policy_add_source(
	struct lp_policy *policy, enum lp_layer layer, char *name, char *text, size_t len);

/* Takes the strings and links inside rule, whatever it returns. 0 or -ENOMEM. */
int lp_policy_add_rule(struct lp_policy *policy, struct lp_rule *rule);
int lp_policy_add_env(struct lp_policy *policy, struct lp_env_rule *rule);

/* The line (from 1) where an origin stands in its source's text, or 0 if it is not known. */
unsigned lp_origin_line(const struct lp_origin *origin);
/* "FILE:LINE (filesystem.denyRead)" appended to str. 0 or -ENOMEM. */
int lp_origin_print(const struct lp_origin *origin, struct lp_str *str);

enum lp_access {
	LP_ACCESS_WRITE = 0,
	LP_ACCESS_READ,
	LP_ACCESS_EXECUTE, /* follows reading */
};

/* rule: what decided; NULL means that nothing matched, so the default did. */
struct lp_decision {
	bool allowed;
	const struct lp_rule *rule;
};

/*
 * Whether path (absolute, symlinks resolved) may be accessed. Reading is allowed but for denyRead;
 * the longest entry wins, a tie goes to allowing, and allowWrite counts as allowRead. Writing is
 * denied but for allowWrite; denyWrite always wins, and so does a denyRead deeper than the
 * allowWrite (srt contract 3.2).
 */
struct lp_decision lp_policy_may(
	const struct lp_policy *policy, const char *path, enum lp_access access);

/* What becomes of the caller's variable NAME: LP_ENV_PASS or LP_ENV_UNSET, and the rule. */
struct lp_decision lp_policy_env(const struct lp_policy *policy, const char *name);

/* Whether the rule speaks about path: equal or above it, or a pattern that matches one of these. */
bool lp_rule_covers(const struct lp_rule *rule, const char *path);
