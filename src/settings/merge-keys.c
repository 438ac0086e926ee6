/*
 * What the table says about the keys of a text: which mean nothing here, which stop the run, and
 * which an untrusted project file may not use.
 *
 * Runs in the launcher before confinement. The text has passed the schema; it may be hostile. Each
 * key has at most one notice, however many entries it holds, since finding its line costs a walk.
 */
#include "settings/schema-parts.h"

#include <stdio.h>
#include <string.h>

struct judge {
	bool is_srt; /* its own keys are no news to its users: landpen-srt(7) lists them */
	struct lp_policy *policy;
	const struct lp_source *source;
	struct lp_err *err;
};

int lp_note_untrusted(struct lp_policy *policy, const struct lp_source *source, const char *key)
{
	return lp_schema_note(policy, source, key,
		"not trusted yet, ignored; read the file and run 'landpen trust'");
}

/* Whether a value asks for nothing. "tlsTerminate": {} asks for something. */
static bool is_off(const struct lp_key *key, const json_t *json)
{
	if (json_is_object(json))
		return json_object_size(json) == 0 && key->kind != LP_KIND_REFUSED;
	return json_is_false(json) || (json_is_array(json) && json_array_size(json) == 0);
}

static int judge_key(const struct judge *judge, const struct lp_key *key, const char *path)
{
	if ((key->flags & LP_KEY_WIDENS) && !judge->source->trusted)
		return lp_note_untrusted(judge->policy, judge->source, path);
	if (key->kind == LP_KIND_REFUSED)
		return lp_schema_fail(judge->err, judge->source, path, "%s", key->words);
	if (key->kind == LP_KIND_INERT && !judge->is_srt)
		return lp_schema_note(judge->policy, judge->source, path, "%s", key->words);
	return 0;
}

/* prefix: "" or "object.". */
static int judge_keys(const struct judge *judge, const struct lp_key *keys, const char *prefix,
	const json_t *json)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)json, name, value)
	{
		const struct lp_key *key = keys;
		char path[LP_KEY_SIZE];
		int r;

		while (key->name && strcmp(key->name, name) != 0)
			key++;
		if (!key->name || is_off(key, value))
			continue;
		snprintf(path, sizeof(path), "%s%s", prefix, key->name);
		r = judge_key(judge, key, path);
		if (r < 0)
			return r;
		if (key->type == LP_TYPE_OBJECT && key->kind == LP_KIND_OWN) {
			snprintf(path, sizeof(path), "%s%s.", prefix, key->name);
			r = judge_keys(judge, key->keys, path, value);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int lp_merge_keys(const struct lp_merge *merge, const struct lp_source *source, const json_t *json,
	struct lp_err *err)
{
	struct judge judge = {merge->is_srt, merge->policy, source, err};

	return judge_keys(&judge, lp_schema_keys, "", json);
}
