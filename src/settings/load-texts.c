/*
 * Reads the texts that a request names: rulesets, the user's settings, the project file.
 *
 * Runs in the launcher before confinement. Files are read once, and what was read is what is
 * checked, compared with the trust store and merged. The project file is hostile: it must be a
 * regular file of at most 1 MiB, and an error in it stops the run instead of being passed over.
 */
#include "settings/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TEXT (1U << 20)

static int apply_ruleset(struct lp_load *load, const char *name, const struct lp_source *from,
	const char *key, struct lp_err *err);

/* Takes json and base, whatever it returns. */
static int add_text(struct lp_load *load, const struct lp_source *source, json_t *json, char *base,
	bool toolchain)
{
	struct lp_text *grown = realloc(load->texts, (load->text_count + 1) * sizeof(*load->texts));

	if (grown)
		load->texts = grown;
	if (!grown || !base) {
		json_decref(json);
		free(base);
		return -ENOMEM;
	}
	grown[load->text_count++] = (struct lp_text){source, json, base, toolchain};
	return 0;
}

/* ---- rulesets ---------------------------------------------------------------------------------
 */

static int unknown_ruleset(
	const char *name, const struct lp_source *from, const char *key, struct lp_err *err)
{
	const char *const *names = lp_settings_rulesets();
	struct lp_str known LP_CLEANUP(lp_str_clear) = {0};
	size_t count = 0;
	const char *nearest;
	char shown[LP_SHOWN];

	for (; names[count]; count++)
		if (lp_str_addf(&known, "%s%s", count ? ", " : "", names[count]) < 0)
			return -ENOMEM;
	nearest = lp_nearest(name, names, count);
	lp_shown(shown, name);
	if (nearest)
		return lp_schema_fail(err, from, key,
			"there is no ruleset '%s'; did you mean '%s'?", shown, nearest);
	return lp_schema_fail(err, from, key, "there is no ruleset '%s'; choose one of %s", shown,
		known.text ? known.text : "none");
}

/* Applies what a text extends; a text that nobody trusts extends nothing. */
static int apply_extends(struct lp_load *load, const struct lp_source *source, const json_t *json,
	struct lp_err *err)
{
	const json_t *entry;
	size_t i;

	if (source->layer == LP_LAYER_PROJECT && !source->trusted)
		return 0;
	json_array_foreach(json_object_get(json, "extends"), i, entry)
	{
		char key[32];
		int r;

		snprintf(key, sizeof(key), "extends[%zu]", i);
		r = apply_ruleset(load, json_string_value(entry), source, key, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The toolchains whose folders exist, in the order of their names. */
static int apply_toolchains(struct lp_load *load, struct lp_err *err)
{
	for (const struct lp_ruleset *ruleset = lp_ruleset_data; ruleset->name; ruleset++) {
		int r;

		if (!lp_ruleset_applies(ruleset, load->policy->home))
			continue;
		r = apply_ruleset(load, ruleset->name, load->builtin, "when", err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_ruleset(struct lp_load *load, const struct lp_ruleset *ruleset,
	const struct lp_source **ret_source, json_t **ret_json, struct lp_err *err)
{
	struct lp_str name = {0};
	const struct lp_source *source;

	if (lp_str_addf(&name, "ruleset %s", ruleset->name) < 0)
		return -ENOMEM;
	source = lp_policy_add_source(
		load->policy, LP_LAYER_RULESET, name.text, strdup(ruleset->text), ruleset->len);
	if (!source || !source->text)
		return -ENOMEM;
	*ret_source = source;
	return lp_schema_read(load->policy, source, LP_DIALECT_LANDPEN, ret_json, err);
}

/* from and key: who asked for it. */
static int apply_ruleset(struct lp_load *load, const char *name, const struct lp_source *from,
	const char *key, struct lp_err *err)
{
	const struct lp_ruleset *ruleset = lp_ruleset_find(name);
	const struct lp_source *source = NULL;
	json_t *json = NULL;
	int r;

	if (lp_strv_has(&load->policy->rulesets, name))
		return 0;
	if (!ruleset)
		return unknown_ruleset(name, from, key, err);
	if (lp_strv_has(&load->open, name))
		return lp_schema_fail(
			err, from, key, "'%s' extends itself in a circle; remove the entry", name);
	r = lp_strv_add(&load->open, name);
	if (r == 0)
		r = read_ruleset(load, ruleset, &source, &json, err);
	if (r < 0)
		return r;
	r = apply_extends(load, source, json, err);
	if (r < 0) {
		json_decref(json);
		return r;
	}
	r = add_text(load, source, json, strdup(load->project.top), ruleset->when != NULL);
	if (r == 0)
		r = lp_strv_add(&load->policy->rulesets, name);
	if (r == 0 && !strcmp(name, "base"))
		r = apply_toolchains(load, err);
	free(load->open.items[--load->open.count]);
	load->has_rulesets = true;
	return r;
}

/* Whether a ruleset is a whole pen, not a piece such as a toolchain: it extends base. */
static int is_agent(const struct lp_ruleset *ruleset)
{
	json_t *json LP_CLEANUP(json_decrefp) = json_loadb(ruleset->text, ruleset->len, 0, NULL);
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(json, "extends"), i,
		entry) if (json_is_string(entry) &&
			   !strcmp(json_string_value(entry), "base")) return true;
	return false;
}

/* The agent that the command is, or base. */
static const char *pick_ruleset(const struct lp_request *request)
{
	const char *name = request->command ? lp_path_name(request->command) : "";
	const struct lp_ruleset *ruleset = lp_ruleset_find(name);

	return ruleset && is_agent(ruleset) ? ruleset->name : "base";
}

/*
 * --ruleset in order. Pieces alone (gui, rust) would leave a pen without base's walls, so they
 * come on top of what the command's name picks; with --settings the file is the pen.
 */
static int apply_rulesets(struct lp_load *load, struct lp_err *err)
{
	const struct lp_request *request = load->request;
	bool whole = request->settings_file != NULL;
	int r = 0;

	if (request->rulesets)
		lp_strv_foreach (name, request->rulesets) {
			const struct lp_ruleset *ruleset = lp_ruleset_find(name);

			whole = whole || !strcmp(name, "base") || (ruleset && is_agent(ruleset));
		}
	if (!whole)
		r = apply_ruleset(load, pick_ruleset(request), load->builtin, "", err);
	if (r == 0 && request->rulesets)
		lp_strv_foreach (name, request->rulesets) {
			r = apply_ruleset(load, name, load->options, "--ruleset", err);
			if (r < 0)
				break;
		}
	return r;
}

/* ---- files ------------------------------------------------------------------------------------
 */

static int fail_read(struct lp_err *err, char *path, int error)
{
	const struct lp_source source = {.name = path};

	switch (-error) {
	case ENOENT:
		return lp_schema_fail(
			err, &source, "", "does not exist; name an existing file with --settings");
	case EISDIR:
		return lp_schema_fail(err, &source, "", "is a directory; name a settings file");
	case EINVAL:
		return lp_schema_fail(
			err, &source, "", "is not a regular file; name a settings file");
	case EFBIG:
		return lp_schema_fail(err, &source, "", "is larger than 1 MiB; shorten it");
	case ENOMEM:
		return -ENOMEM;
	default:
		return lp_schema_fail(err, &source, "",
			"could not be read (%s); mend its permissions or path", strerror(-error));
	}
}

/* Takes path and text. */
static int add_file(struct lp_load *load, enum lp_layer layer, char *path, char *text, size_t len,
	struct lp_source **ret_source)
{
	*ret_source = lp_policy_add_source(load->policy, layer, path, text, len);
	return *ret_source ? 0 : -ENOMEM;
}

static int apply_file(struct lp_load *load, const struct lp_source *source, enum lp_dialect dialect,
	char *base, struct lp_err *err)
{
	lp_autofree char *owned = base;
	json_t *json = NULL;
	int r = lp_schema_read(load->policy, source, dialect, &json, err);

	if (r < 0)
		return r;
	r = apply_extends(load, source, json, err);
	if (r < 0) {
		json_decref(json);
		return r;
	}
	return add_text(load, source, json, LP_TAKE(owned), false);
}

/* What is no file but a pipe ("-s <(generate)", /dev/stdin), which srt reads too. */
static int read_stream(const char *path, char **ret_text, size_t *ret_len)
{
	lp_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct lp_str text LP_CLEANUP(lp_str_clear) = {0};
	char bytes[16384];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return -EINVAL;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && lp_str_add_bytes(&text, bytes, (size_t)n) < 0)
			return -ENOMEM;
		else if (text.len > MAX_TEXT)
			return -EFBIG;
	if (n < 0)
		return -errno;
	if (lp_str_add(&text, "") < 0)
		return -ENOMEM;
	*ret_len = text.len;
	*ret_text = LP_TAKE(text.text);
	return 0;
}

static int read_settings_file(struct lp_load *load, struct lp_err *err)
{
	const struct lp_request *request = load->request;
	struct lp_source *source;
	char *path = NULL, *text = NULL;
	size_t len;
	int r;

	if (!*request->settings_file)
		return lp_fail(err, EINVAL, "--settings: is empty; name a settings file");
	if (request->settings_file[0] == '/')
		path = strdup(request->settings_file);
	else
		path = lp_path_join(request->cwd, request->settings_file);
	if (!path)
		return -ENOMEM;
	r = lp_read_file(AT_FDCWD, path, MAX_TEXT, &text, &len);
	if (r == -EINVAL && request->srt) {
		r = read_stream(path, &text, &len);
		load->settings_is_stream = r == 0;
	}
	if (r < 0) {
		r = fail_read(err, path, r);
		free(path);
		return r;
	}
	r = add_file(load, LP_LAYER_USER, path, text, len, &source);
	if (r < 0)
		return r;
	return apply_file(load, source, LP_DIALECT_SRT, strdup(request->cwd), err);
}

/* Takes path. A file that may be missing. */
static int read_own_file(
	struct lp_load *load, char *path, enum lp_dialect dialect, struct lp_err *err)
{
	struct lp_source *source;
	char *text = NULL;
	size_t len;
	int r;

	if (!path)
		return -ENOMEM;
	r = lp_read_file(AT_FDCWD, path, MAX_TEXT, &text, &len);
	if (r < 0) {
		/* HOME=/dev/null is how some machines say that there is no home. */
		if (r != -ENOENT && r != -ENOTDIR)
			r = fail_read(err, path, r);
		else
			r = 0;
		free(path);
		return r;
	}
	r = add_file(load, LP_LAYER_USER, path, text, len, &source);
	if (r < 0)
		return r;
	return apply_file(load, source, dialect, strdup(load->request->cwd), err);
}

static int fail_project_file(struct lp_err *err, char *path, int error)
{
	const struct lp_source source = {.name = path};

	switch (-error) {
	case ENOMEM:
		return -ENOMEM;
	case EFBIG:
		return lp_schema_fail(err, &source, "",
			"is larger than 1 MiB; shorten it, or run with --no-project-file");
	case EINVAL:
	case EISDIR:
		return lp_schema_fail(err, &source, "",
			"is not a regular file; replace it, or run with --no-project-file");
	default:
		return lp_schema_fail(err, &source, "",
			"could not be read (%s); mend it, or run with --no-project-file",
			strerror(-error));
	}
}

static int read_project_file(struct lp_load *load, struct lp_err *err)
{
	const char *dir = load->request->project_dir ? load->project.top : load->request->cwd;
	char *path = lp_settings_project_file(dir, load->project.top), *text = NULL;
	struct lp_source *source;
	struct stat st;
	size_t len;
	int r = 0;

	if (!path)
		return 0;
	if (lstat(path, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	if (r == 0)
		r = lp_read_file(AT_FDCWD, path, MAX_TEXT, &text, &len);
	if (r < 0) {
		r = fail_project_file(err, path, r);
		free(path);
		return r;
	}
	r = add_file(load, LP_LAYER_PROJECT, path, text, len, &source);
	if (r < 0)
		return r;
	source->trusted = lp_trust_is(load->request->home, path, text, len);
	return apply_file(load, source, LP_DIALECT_LANDPEN, lp_path_parent(path), err);
}

static int read_user_file(struct lp_load *load, struct lp_err *err)
{
	return read_own_file(
		load, lp_settings_user_file(load->request->home), LP_DIALECT_LANDPEN, err);
}

/* Without it srt's defaults hold: nothing may be written, no host reached. */
static int read_srt_file(struct lp_load *load, struct lp_err *err)
{
	return read_own_file(
		load, lp_path_join(load->request->home, ".srt-settings.json"), LP_DIALECT_SRT, err);
}

int lp_load_texts(struct lp_load *load, struct lp_err *err)
{
	const struct lp_request *request = load->request;
	int r = request->srt ? 0 : apply_rulesets(load, err);

	if (r < 0)
		return r;
	if (request->settings_file)
		r = read_settings_file(load, err);
	else
		r = request->srt ? read_srt_file(load, err) : read_user_file(load, err);
	if (r < 0 || request->no_project_file || request->single_file)
		return r;
	return read_project_file(load, err);
}
