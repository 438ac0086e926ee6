/* Claude Code's settings.json, while it is translated. Within the settings layer only. */
#pragma once

#include "settings/schema-parts.h"

struct lp_claude {
	struct lp_policy *policy;
	const struct lp_source *source;
	const json_t *json;           /* as it stands in the file */
	json_t *made;                 /* of srt's shape */
	char *root;                   /* where /x of the file starts; ready for a pattern */
	struct lp_strv denied;        /* absolute paths and patterns that permissions.deny closes */
	bool asks;                    /* the notice about ask was given */
	bool denies_paths;            /* permissions.deny or ask names some */
	struct lp_str unheld;         /* denies that are Claude Code's own to hold */
	char unheld_key[LP_KEY_SIZE]; /* of the first */
	struct lp_err *err;
};

#define LP_CLAUDE_FAIL(claude, key, ...) \
	lp_schema_fail((claude)->err, (claude)->source, key, __VA_ARGS__)
#define LP_CLAUDE_NOTE(claude, key, ...) \
	lp_schema_note((claude)->policy, (claude)->source, key, __VA_ARGS__)

/* The list made.object.list, made if it is missing; NULL if the file has something else there. */
json_t *lp_claude_list(const struct lp_claude *claude, const char *object, const char *list);

/*
 * Adds one entry that stands under key in the file. Where the list is of the wrong type, nothing:
 * the schema refuses it. 0 or -ENOMEM.
 */
int lp_claude_add(const struct lp_claude *claude, const char *object, const char *list,
	const char *text, const char *key);

/* "~" or "~/...". */
bool lp_claude_at_home(const char *path);

/* claude-rules.c: the permissions and the working directories. The sandbox block is in. */
int lp_claude_rules(struct lp_claude *claude);
