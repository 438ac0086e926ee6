/* The parts of the settings layer among themselves; not for other layers. */
#pragma once

#include <jansson.h>

#include "settings/settings.h"

/* How strict a text is read: srt's own files may hold keys that landpen does not know. */
enum lp_dialect {
	LP_DIALECT_LANDPEN = 0, /* no key is required, an unknown key is an error */
	LP_DIALECT_SRT,         /* srt's required keys are required, an unknown key is a notice */
};

/*
 * schema.c: parses text and checks every key, type, range, pattern and cross rule of the srt
 * contract 1.2-1.6 and landpen's own keys. Unknown keys of the srt dialect are added to
 * policy->notices. On success *ret_json is a new reference that every later part may walk without
 * checking types again. On failure err holds "FILE:LINE: key.path: what is wrong; the cure".
 * A text of the srt dialect that holds "extends" was written for landpen and is read as such; one
 * of Claude Code's (lp_claude_is) is translated first, and *ret_json is the translation.
 */
int lp_schema_read(struct lp_policy *policy, const struct lp_source *source,
	enum lp_dialect dialect, json_t **ret_json, struct lp_err *err);

/*
 * claude.c: whether a text is Claude Code's settings.json: it has an object "permissions" or
 * "sandbox", which srt's settings do not know. _translate makes srt's shape of it, unchecked; the
 * source, which must be the policy's, then knows where each entry stands. What does not map is a
 * notice if it asks for more, -EINVAL if it asks for less. Does no I/O.
 */
bool lp_claude_is(const json_t *json);
int lp_claude_translate(struct lp_policy *policy, const struct lp_source *source,
	const json_t *json, json_t **ret_json, struct lp_err *err);

/*
 * "FILE:LINE: KEY: " and the rest of the sentence, as an error (-EINVAL) or as a notice (0 or
 * -ENOMEM). Where the key itself has no line (it is missing), the line of what should hold it.
 */
int lp_schema_fail(struct lp_err *err, const struct lp_source *source, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
int lp_schema_note(struct lp_policy *policy, const struct lp_source *source, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* text escaped for a terminal and cut to a length that fits a sentence, in buf; returns buf. */
#define LP_SHOWN 824
const char *lp_shown(char buf[LP_SHOWN], const char *text);

/* "4096", "512K", "4G", "1T" (powers of 1024). 0, -EINVAL, -ERANGE. */
int lp_parse_size(const char *text, uint64_t *ret_size);

/* pattern.c: the grammars of srt contract 1.4. NULL if text is right, else what is wrong with it.
 */
const char *lp_pattern_host(const char *text);
const char *lp_pattern_host_port(const char *text, bool star_allowed);
const char *lp_pattern_address_range(const char *text);

/* Directories that a run's paths have been through, so that each is looked at once. */
struct lp_known_dir {
	char *path;
	size_t len;
	bool missing; /* else it exists and no part of it is a symlink */
};

struct lp_known {
	struct lp_known_dir items[16];
	size_t next;
};

void lp_known_clear(struct lp_known *known);

/* What merging carries from text to text. Zero but for policy and depth at the start. */
struct lp_merge {
	struct lp_policy *policy;
	struct lp_policy *sockets; /* unixSockets as rules, until all grants are in; or NULL */
	unsigned depth;            /* mandatoryDenySearchDepth */
	bool git_config;           /* allowGitConfig */
	unsigned git_count;        /* GIT_CONFIG_KEY_n given out */
	bool says_binding;         /* allowLocalBinding was said */
	bool has_upstream;         /* some text names the proxy beyond */
	bool is_srt;               /* the run is one of srt's */
	bool looks_only;           /* nothing is to be made */
	const char *command_line;  /* or NULL */
	struct lp_known known;
	/* Of the text at hand: */
	const char *base; /* where its relative paths start */
	bool read_only;   /* its write grants only let read */
};

/*
 * merge.c: adds one checked text to the policy: file rules, environment, limits, process, network.
 * A source that is not trusted adds only what tightens; each key it would widen by becomes a
 * notice. Keys that landpen cannot enforce: what widens is left out with a notice, what tightens
 * fails.
 */
int lp_merge(struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err);

/* merge-network.c: the network of a text. Denies of every text, the rest of trusted ones. */
int lp_merge_network(struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err);

/* Adds one entry of the grammar of lp_pattern_host_port(). 0, -ENOMEM, or 1: it can match nothing.
 */
int lp_merge_host(struct lp_policy *policy, const struct lp_source *source, const char *key,
	bool allow, const char *spelled, const char *reason);

/*
 * upstream.c: the proxy that a URL names; its user and password become Basic credentials. bare: a
 * URL without a scheme counts as http. 0, -EINVAL, -ENOMEM, or:
 */
enum {
	LP_UPSTREAM_TLS = 1, /* an https URL */
	LP_UPSTREAM_OTHER,   /* of no scheme that landpen speaks */
};
int lp_upstream_parse(const char *url, bool bare, struct lp_upstream *ret_upstream);

/*
 * merge.c: makes the missing filesystem.createDirs of a text, mode 0700, below home only. Before
 * any rule is resolved, so that a rule finds them. A source that is not trusted makes nothing, and
 * nor does anybody where nothing will run.
 */
int lp_merge_create(struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err);

/*
 * rules.c: adds one path as written to the policy: ~, relative to base, globs, symlinks. A glob is
 * added as a pattern rule; the plan decides what a back end can do about it. "/" + "**" at the end
 * is dropped. key as in struct lp_origin.
 */
int lp_rules_add_path(struct lp_policy *policy, enum lp_rule_kind kind, const char *path,
	const char *base, const struct lp_source *source, const char *key, struct lp_err *err);

/* The same with a memory; what the rules of one entry have in common. */
struct lp_entry {
	struct lp_policy *policy;
	enum lp_rule_kind kind;
	const char *base;
	const struct lp_source *source;
	const char *key;
	struct lp_known *known; /* may be NULL */
	struct lp_err *err;
};

int lp_rules_add_entry(const struct lp_entry *entry, const char *path);

/* The same for a path that is no pattern, whatever characters it holds. */
int lp_rules_add_literal(struct lp_policy *policy, enum lp_rule_kind kind, const char *path,
	const char *base, const struct lp_source *source, const char *key, struct lp_err *err);

/* Removes the rules for which doomed answers true. */
void lp_rules_remove(struct lp_policy *policy,
	bool (*doomed)(const struct lp_rule *rule, const void *data), const void *data);

/*
 * A grant that crosses a symlink which the agent could have planted in an earlier run (the link
 * lies where the policy lets it write) would let it choose what the next run opens: such rules
 * are removed, with a notice. To be called when all grants are in. 0 or -ENOMEM.
 */
int lp_rules_remove_planted(struct lp_policy *policy);
/* The symlink of a grant that the agent may replace, or NULL. */
const struct lp_link *lp_rules_planted_link(
	const struct lp_policy *policy, const struct lp_rule *rule);

/*
 * A denyRead from first on that names exactly what an earlier text's grant names: the later text
 * was meant to win, so the grant goes. (Inside one text a tie goes to the grant, as in srt.)
 * 0 or -ENOMEM.
 */
int lp_rules_settle_ties(struct lp_policy *policy, size_t first);

/* rulesets.c and the generated rulesets-data.c, which embed.c writes. Sorted by name. */
struct lp_ruleset {
	const char *name, *text;
	size_t len;
	/* NULL-terminated; NULL where the text has no "when", no environment.pass */
	const char *const *when, *const *pass;
};

extern const struct lp_ruleset lp_ruleset_data[]; /* ends with a row without a name */
extern const char *const lp_ruleset_names[];      /* ends with NULL */

const struct lp_ruleset *lp_ruleset_find(const char *name);
/* Whether one of the paths of its "when" exists (starting at "~" or "/"). */
bool lp_ruleset_applies(const struct lp_ruleset *ruleset, const char *home);

/* What a working directory belongs to. extra: further directories a commit writes to. */
struct lp_project {
	char *top;
	bool is_git;
	char *git_dir;            /* of the worktree; NULL without git */
	struct lp_strv writable;  /* outside top: parts of the common git directory, the git dir */
	struct lp_strv protected; /* inside the writable parts: config, hooks, and the like */
};

void lp_project_clear(struct lp_project *project);

/*
 * project.c: finds the git top level from cwd upwards, else takes cwd. A `.git` file is followed
 * only if the git directory it names points back at it (worktrees/NAME/gitdir, core.worktree of a
 * module); otherwise nothing outside the top is granted and a notice says so. Refuses $HOME, a
 * parent of it and / (-EACCES) unless asked is true.
 */
int lp_project_find(const char *cwd, const char *home, bool asked, struct lp_policy *policy,
	struct lp_project *ret_project, struct lp_err *err);

/* What the parts of the load share. */
struct lp_load {
	const struct lp_request *request;
	struct lp_policy *policy;
	struct lp_project project;
	struct lp_merge merge;
	const struct lp_source *builtin, *options;
	struct lp_text *texts; /* in the order they are merged */
	size_t text_count;
	struct lp_strv open; /* rulesets whose "extends" is being followed */
	char *single_file;   /* resolved */
	bool has_rulesets;
	bool settings_is_stream; /* --settings was a pipe: there is no file to protect */
};

/* A text that was read. */
struct lp_text {
	const struct lp_source *source;
	json_t *json;
	char *base;
	bool toolchain; /* applied because its "when" holds */
};

/* load-texts.c: reads the rulesets, settings files and project file that the request names. */
int lp_load_texts(struct lp_load *load, struct lp_err *err);

/* load-srt.c: what srt adds by itself. The environment passes, before all texts; */
int lp_srt_pass_environment(struct lp_load *load);
/* and its default write paths, where they exist and no text hides them, after all texts. */
int lp_srt_grant_defaults(struct lp_load *load, struct lp_err *err);
/* Keeps what a text says of files (policy->files_text). */
int lp_srt_keep_files(struct lp_policy *policy, const json_t *json);

/* load-options.c: what the command line adds, after all texts. */
int lp_load_options(struct lp_load *load, struct lp_err *err);
/* load-network.c: the network, when all rules are in. */
int lp_load_network(struct lp_load *load, struct lp_err *err);
/* Resolves and checks --file. */
int lp_load_single_file(struct lp_load *load, struct lp_err *err);

/*
 * mandatory.c: the write denies that hold whatever the rules say (srt contract 3.6, plus landpen's
 * own files and what makes git run code): at the project's top, in the working directory, in $HOME
 * if that is writable, and wherever a bounded walk (depth levels) finds them. git_config: leave
 * .git/config out (allowGitConfig).
 */
int lp_mandatory_add(struct lp_policy *policy, const struct lp_project *project, unsigned depth,
	bool git_config, struct lp_err *err);
