/* The parts of the schema among themselves, and its table for merging. */
#pragma once

#include "settings/parts.h"

#define LP_MAX_ENTRIES 4096 /* of one list or map */

enum lp_type {
	LP_TYPE_OBJECT = 0, /* keys */
	LP_TYPE_OBJECTS,    /* a list of objects; keys */
	LP_TYPE_BOOL,
	LP_TYPE_INT, /* min..max */
	LP_TYPE_INTS,
	LP_TYPE_SIZE,    /* an integer, or a string such as "4G" */
	LP_TYPE_STRING,  /* check */
	LP_TYPE_CHOICE,  /* choices */
	LP_TYPE_STRINGS, /* check for each */
	LP_TYPE_MAP,     /* any name (check_name) to a string (check) */
	LP_TYPE_MAPS,    /* any name to a list of strings */
	LP_TYPE_NEVER,   /* words say why */
};

/* What merging does about a key whose value is not off (false, or empty). */
enum lp_kind {
	LP_KIND_OWN = 0, /* code in merge.c */
	LP_KIND_INERT,   /* a notice; words say why it means nothing here */
	LP_KIND_REFUSED, /* an error; words name the cure */
};

#define LP_KEY_REQUIRED     1U
#define LP_KEY_SRT_REQUIRED 2U  /* only in the srt dialect */
#define LP_KEY_STRICT       4U  /* an unknown key inside is an error in both dialects */
#define LP_KEY_WIDENS       8U  /* not taken from a source that is not trusted */
#define LP_KEY_RULESET      16U /* only a shipped ruleset may say it */
#define LP_KEY_NOT_EMPTY    32U /* of a list: at least one entry */

/* One key. Tables end with a row without a name. */
struct lp_key {
	const char *name;
	enum lp_type type;
	unsigned flags;
	const char *(*check)(const char *text); /* NULL, or what is wrong; may itself be NULL */
	const char *(*check_name)(const char *text);
	const struct lp_key *keys;
	const char *const *choices;
	long long min, max;
	enum lp_kind kind;
	const char *words;
};

/* The top level's keys. */
extern const struct lp_key lp_schema_keys[];

/* schema-walk.c: types, ranges, unknown and missing keys. */
int lp_schema_walk(struct lp_policy *policy, const struct lp_source *source,
	enum lp_dialect dialect, const json_t *json, struct lp_err *err);

/* schema-cross.c: the rules that look at more than one key. The walk has passed. */
int lp_schema_cross(const struct lp_source *source, const json_t *json, struct lp_err *err);

/* merge-keys.c: the notices and refusals that follow from the table alone. */
int lp_merge_keys(const struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err);
/* "object.list[i]", or "list[i]" where object is empty. */
#define LP_KEY_SIZE 128
void lp_index_key(char key[LP_KEY_SIZE], const char *object, const char *list, size_t i);
int lp_note_untrusted(struct lp_policy *policy, const struct lp_source *source, const char *key);

/* schema-text.c: what is wrong with one string, or NULL. */
const char *lp_check_not_empty(const char *text);
const char *lp_check_absolute(const char *text);
const char *lp_check_path(const char *text);
const char *lp_check_env_name(const char *text);
const char *lp_check_env_glob(const char *text);
const char *lp_check_regex(const char *text);
const char *lp_check_uuid(const char *text);
const char *lp_check_url(const char *text);
const char *lp_check_mach(const char *text);
const char *lp_check_user(const char *text);
