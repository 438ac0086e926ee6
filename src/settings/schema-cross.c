/*
 * The rules of a settings text that look at more than one key (srt contract 1.3-1.6).
 *
 * Runs in the launcher after the walk, so types are right; the text may still come from an
 * untrusted project file. Does no I/O.
 */
#include "settings/schema-parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KEY_SIZE 128

struct cross {
	const struct lp_source *source;
	struct lp_err *err;
	const json_t *network, *filesystem, *credentials;
};

#define FAIL(cross, key, ...) lp_schema_fail((cross)->err, (cross)->source, key, __VA_ARGS__)

static const char *string_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static bool is_true(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

/* srt contract 1.5: such an entry could match nothing. */
static bool is_inert_deny(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/' && (path[0] == '/' || path[0] == '~') &&
	       strpbrk(path, "*?[]");
}

static int fail_inert(const struct cross *cross, const char *key, const char *path)
{
	char shown[LP_SHOWN];

	return FAIL(cross, key,
		"'%s' would match nothing, since a pattern ends in '/'; remove the last '/'",
		lp_shown(shown, path));
}

static int check_denies(const struct cross *cross, const char *list)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(cross->filesystem, list), i, entry)
	{
		char key[KEY_SIZE];

		if (!is_inert_deny(json_string_value(entry)))
			continue;
		snprintf(key, sizeof(key), "filesystem.%s[%zu]", list, i);
		return fail_inert(cross, key, json_string_value(entry));
	}
	return 0;
}

static int check_filesystem(const struct cross *cross)
{
	int r;

	if (is_true(cross->filesystem, "disabled"))
		return 0;
	r = check_denies(cross, "denyRead");
	return r < 0 ? r : check_denies(cross, "denyWrite");
}

static int check_network(const struct cross *cross)
{
	const json_t *tls = json_object_get(cross->network, "tlsTerminate");

	if (tls && json_object_get(cross->network, "mitmProxy"))
		return FAIL(cross, "network.mitmProxy",
			"cannot stand beside tlsTerminate; remove one of the two");
	if (!json_object_get(tls, "caCertPath") != !json_object_get(tls, "caKeyPath"))
		return FAIL(cross, "network.tlsTerminate",
			"caCertPath and caKeyPath belong together; give both or none");
	return 0;
}

static int check_helpers(const struct cross *cross, const json_t *json)
{
	const json_t *seccomp = json_object_get(json, "seccomp");
	const json_t *range = json_object_get(json_object_get(json, "windows"), "proxyPortRange");
	json_int_t low, high;

	if (json_object_get(seccomp, "argv0") && !json_object_get(seccomp, "applyPath"))
		return FAIL(cross, "seccomp.argv0",
			"needs applyPath beside it; add it or remove argv0");
	if (!range)
		return 0;
	low = (json_int_t)json_number_value(json_array_get(range, 0));
	high = (json_int_t)json_number_value(json_array_get(range, 1));
	if (json_array_size(range) != 2 || low > high || high - low >= 64)
		return FAIL(cross, "windows.proxyPortRange",
			"must be [LOW, HIGH] with at most 64 ports; write it so");
	return 0;
}

/* Whether pattern (host or *.host, any port) covers every host that host (or *.host) names. */
static bool covers(const char *pattern, const char *host)
{
	size_t len = strlen(pattern), host_len = strlen(host);
	const char *colon = strrchr(pattern, ':');

	if (pattern[0] == '[') { /* [address] or [address]:port */
		pattern++;
		len = strcspn(pattern, "]");
	} else if (colon && strchr(pattern, ':') == colon) {
		len = (size_t)(colon - pattern);
	}
	if (len == host_len && !strncasecmp(pattern, host, len))
		return true;
	if (pattern[0] != '*' || len < 2 || host_len <= len - 1)
		return false;
	return !strncasecmp(pattern + 1, host + host_len - (len - 1), len - 1);
}

static bool any_covers(const json_t *patterns, const char *host)
{
	const json_t *pattern;
	size_t i;

	json_array_foreach(
		patterns, i, pattern) if (covers(json_string_value(pattern), host)) return true;
	return false;
}

static int check_inject_hosts(const struct cross *cross, const json_t *entry, const char *prefix)
{
	const json_t *allowed = json_object_get(cross->network, "allowedDomains");
	const json_t *excluded =
		json_object_get(json_object_get(cross->network, "tlsTerminate"), "excludeDomains");
	const json_t *hosts = json_object_get(entry, "injectHosts"), *host;
	char key[KEY_SIZE], shown[LP_SHOWN];
	size_t i;

	if (hosts && json_array_size(hosts) == 0 && !strcmp(string_of(entry, "mode"), "mask")) {
		snprintf(key, sizeof(key), "%s.injectHosts", prefix);
		return FAIL(cross, key,
			"is empty, so the secret could never be used; name a host "
			"or remove the key");
	}
	json_array_foreach(hosts, i, host)
	{
		const char *text = json_string_value(host);

		snprintf(key, sizeof(key), "%s.injectHosts[%zu]", prefix, i);
		if (!any_covers(allowed, text))
			return FAIL(cross, key,
				"'%s' is not covered by network.allowedDomains; "
				"add it there or remove it here",
				lp_shown(shown, text));
		if (any_covers(excluded, text))
			return FAIL(cross, key,
				"'%s' is covered by tlsTerminate.excludeDomains; "
				"remove it from one of the two",
				lp_shown(shown, text));
	}
	return 0;
}

static int check_claims(const struct cross *cross, const json_t *entry, const char *prefix)
{
	const json_t *claims = json_object_get(entry, "maskClaims");
	char key[KEY_SIZE];

	if (!claims)
		return 0;
	snprintf(key, sizeof(key), "%s.maskClaims", prefix);
	if (json_array_size(claims) == 0)
		return FAIL(cross, key, "is empty; name a claim or remove the key");
	if (!json_object_get(entry, "decode"))
		return FAIL(cross, key, "needs \"decode\": \"jwt\" beside it; add it");
	return 0;
}

/* One entry of credentials.files or credentials.envVars. */
static int check_credential(const struct cross *cross, const json_t *entry, const char *prefix)
{
	bool masked = !strcmp(string_of(entry, "mode"), "mask");
	const char *path = string_of(entry, "path");
	char key[KEY_SIZE];
	int r;

	r = check_inject_hosts(cross, entry, prefix);
	if (r == 0)
		r = check_claims(cross, entry, prefix);
	if (r < 0)
		return r;
	snprintf(key, sizeof(key), "%s.path", prefix);
	if (path && masked && path[strlen(path) - 1] == '/')
		return FAIL(
			cross, key, "ends in '/', but only a file can be masked; remove the '/'");
	if (path && !masked && !is_true(cross->filesystem, "disabled") && is_inert_deny(path))
		return fail_inert(cross, key, path);
	if (masked && !json_object_get(cross->network, "tlsTerminate") &&
		!is_true(cross->credentials, "allowPlaintextInject"))
		return FAIL(cross, prefix,
			"mode mask needs network.tlsTerminate or "
			"credentials.allowPlaintextInject; add one or deny it");
	return 0;
}

static int check_credential_list(const struct cross *cross, const char *list)
{
	const json_t *entry;
	size_t i;
	int r;

	json_array_foreach(json_object_get(cross->credentials, list), i, entry)
	{
		char prefix[KEY_SIZE / 2];

		snprintf(prefix, sizeof(prefix), "credentials.%s[%zu]", list, i);
		r = check_credential(cross, entry, prefix);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether name is a variable that is masked as a whole. */
static bool is_masked_whole(const json_t *credentials, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(credentials, "envVars"), i,
		entry) if (!strcmp(string_of(entry, "name"),
				   name)) return !strcmp(string_of(entry, "mode"), "mask") &&
		!json_object_get(entry, "extract") && !json_object_get(entry, "decode");
	return false;
}

static int check_aws_pairs(const struct cross *cross)
{
	static const char *const members[] = {
		"accessKeyIdVar", "secretAccessKeyVar", "sessionTokenVar"};
	const json_t *entry;
	json_t *seen LP_CLEANUP(json_decrefp) = json_object();
	size_t i;

	json_array_foreach(json_object_get(cross->credentials, "awsPairs"), i, entry)
	{
		for (size_t j = 0; j < LP_ARRAY_SIZE(members); j++) {
			const char *name = string_of(entry, members[j]);
			char key[KEY_SIZE], shown[LP_SHOWN];

			if (!name)
				continue;
			snprintf(key, sizeof(key), "credentials.awsPairs[%zu].%s", i, members[j]);
			if (json_object_get(seen, name))
				return FAIL(cross, key,
					"'%s' is named twice; name each variable "
					"once",
					lp_shown(shown, name));
			if (!is_masked_whole(cross->credentials, name))
				return FAIL(cross, key,
					"'%s' must be masked as a whole in "
					"credentials.envVars; add it there",
					lp_shown(shown, name));
			if (json_object_set_new(seen, name, json_true()) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

int lp_schema_cross(const struct lp_source *source, const json_t *json, struct lp_err *err)
{
	struct cross cross = {source, err, json_object_get(json, "network"),
		json_object_get(json, "filesystem"), json_object_get(json, "credentials")};
	int r;

	r = check_filesystem(&cross);
	if (r == 0)
		r = check_network(&cross);
	if (r == 0)
		r = check_helpers(&cross, json);
	if (r == 0 && cross.credentials)
		r = check_credential_list(&cross, "files");
	if (r == 0 && cross.credentials)
		r = check_credential_list(&cross, "envVars");
	if (r == 0 && json_object_get(cross.credentials, "awsPairs"))
		r = check_aws_pairs(&cross);
	return r;
}
