/*
 * The settings language as a table: every key of the srt contract 1.3-1.6 and landpen's own.
 *
 * Constant data; a reader who wants to know what a key may hold looks here.
 */
#include "settings/schema-parts.h"

#define MACOS      "speaks of macOS and means nothing here"
#define PORTS      .min = 1, .max = 65535
#define SRT_ALWAYS LP_KEY_SRT_REQUIRED
#define KEY(key_name, key_type, ...)                                      \
	{                                                                 \
		.name = key_name, .type = LP_TYPE_##key_type, __VA_ARGS__ \
	}

static const char *allowed_domain(const char *text)
{
	return lp_pattern_host_port(text, false);
}

static const char *denied_domain(const char *text)
{
	return lp_pattern_host_port(text, true);
}

static const struct lp_key mitm_keys[] = {
	KEY("socketPath", STRING, .flags = LP_KEY_REQUIRED, .check = lp_check_not_empty),
	KEY("domains", STRINGS, .flags = LP_KEY_REQUIRED | LP_KEY_NOT_EMPTY,
		.check = lp_pattern_host),
	{0},
};

static const struct lp_key tls_keys[] = {
	KEY("caCertPath", STRING, .check = lp_check_not_empty),
	KEY("caKeyPath", STRING, .check = lp_check_not_empty),
	KEY("excludeDomains", STRINGS, .check = lp_pattern_host),
	KEY("extraCaCertPaths", STRINGS, .check = lp_check_path),
	{0},
};

static const struct lp_key parent_proxy_keys[] = {
	KEY("http", STRING, .check = lp_check_url),
	KEY("https", STRING, .check = lp_check_url),
	KEY("noProxy", STRING),
	{0},
};

static const struct lp_key network_keys[] = {
	KEY("allowedDomains", STRINGS, .flags = SRT_ALWAYS | LP_KEY_WIDENS,
		.check = allowed_domain),
	KEY("deniedDomains", STRINGS, .flags = SRT_ALWAYS, .check = denied_domain),
	KEY("deniedDomainReasons", MAP, .check = lp_check_not_empty),
	KEY("strictAllowlist", BOOL),
	KEY("deniedResolvedAddresses", STRINGS, .check = lp_pattern_address_range),
	KEY("allowUnixSockets", STRINGS, .flags = LP_KEY_WIDENS),
	KEY("allowAllUnixSockets", BOOL, .flags = LP_KEY_WIDENS),
	KEY("allowLocalBinding", BOOL, .flags = LP_KEY_WIDENS),
	KEY("allowLocalPorts", INTS, .flags = LP_KEY_WIDENS, PORTS),
	KEY("ipv6Answers", BOOL, .flags = LP_KEY_WIDENS),
	KEY("allowMachLookup", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_mach,
		.kind = LP_KIND_INERT, .words = MACOS),
	KEY("httpProxyPort", INT, .flags = LP_KEY_WIDENS, PORTS),
	KEY("socksProxyPort", INT, .flags = LP_KEY_WIDENS, PORTS),
	KEY("mitmProxy", OBJECT, .flags = LP_KEY_WIDENS, .keys = mitm_keys),
	KEY("filterRequest", NEVER,
		.words = "is a function of srt's library and cannot stand in a file; remove it"),
	KEY("tlsTerminate", OBJECT, .flags = LP_KEY_WIDENS, .keys = tls_keys,
		.kind = LP_KIND_REFUSED,
		.words = "asks for TLS interception, which landpen does not do; remove it"),
	KEY("parentProxy", OBJECT, .flags = LP_KEY_WIDENS, .keys = parent_proxy_keys),
	{0},
};

static const struct lp_key filesystem_keys[] = {
	KEY("denyRead", STRINGS, .flags = SRT_ALWAYS, .check = lp_check_path),
	KEY("allowRead", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_path),
	KEY("allowWrite", STRINGS, .flags = SRT_ALWAYS | LP_KEY_WIDENS, .check = lp_check_path),
	KEY("denyWrite", STRINGS, .flags = SRT_ALWAYS, .check = lp_check_path),
	KEY("createDirs", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_path),
	KEY("createFiles", MAP, .flags = LP_KEY_WIDENS, .check_name = lp_check_path),
	KEY("disabled", BOOL, .flags = LP_KEY_WIDENS),
	KEY("allowGitConfig", BOOL, .flags = LP_KEY_WIDENS),
	{0},
};

static const char *const modes[] = {"deny", "mask", NULL};
static const char *const no_match[] = {"warn", "deny", "error", NULL};
static const char *const decodings[] = {"jwt", NULL};
static const char *const signings[] = {"deny", "passthrough", NULL};

static const struct lp_key credential_file_keys[] = {
	KEY("path", STRING, .flags = LP_KEY_REQUIRED, .check = lp_check_path),
	KEY("mode", CHOICE, .flags = LP_KEY_REQUIRED, .choices = modes),
	KEY("extract", STRING, .check = lp_check_regex),
	KEY("onExtractNoMatch", CHOICE, .choices = no_match),
	KEY("decode", CHOICE, .choices = decodings),
	KEY("maskClaims", STRINGS),
	KEY("maskDuplicates", BOOL),
	KEY("injectHosts", STRINGS, .check = lp_pattern_host),
	{0},
};

static const struct lp_key credential_env_keys[] = {
	KEY("name", STRING, .flags = LP_KEY_REQUIRED, .check = lp_check_env_name),
	KEY("mode", CHOICE, .flags = LP_KEY_REQUIRED, .choices = modes),
	KEY("extract", STRING, .check = lp_check_regex),
	KEY("onExtractNoMatch", CHOICE, .choices = no_match),
	KEY("decode", CHOICE, .choices = decodings),
	KEY("maskClaims", STRINGS),
	KEY("injectHosts", STRINGS, .check = lp_pattern_host),
	{0},
};

static const struct lp_key aws_pair_keys[] = {
	KEY("accessKeyIdVar", STRING, .flags = LP_KEY_REQUIRED, .check = lp_check_env_name),
	KEY("secretAccessKeyVar", STRING, .flags = LP_KEY_REQUIRED, .check = lp_check_env_name),
	KEY("sessionTokenVar", STRING, .check = lp_check_env_name),
	{0},
};

static const struct lp_key sigv4_keys[] = {
	KEY("streaming", CHOICE, .choices = signings),
	KEY("presigned", CHOICE, .choices = signings),
	KEY("sigv4a", CHOICE, .choices = signings),
	{0},
};

static const struct lp_key credential_keys[] = {
	KEY("files", OBJECTS, .keys = credential_file_keys),
	KEY("envVars", OBJECTS, .keys = credential_env_keys),
	KEY("allowPlaintextInject", BOOL),
	KEY("awsPairs", OBJECTS, .flags = LP_KEY_STRICT, .keys = aws_pair_keys),
	KEY("sigv4", OBJECT, .flags = LP_KEY_STRICT, .keys = sigv4_keys, .kind = LP_KIND_REFUSED,
		.words = "speaks of signing requests, which landpen does not do; remove it"),
	{0},
};

static const struct lp_key ripgrep_keys[] = {
	KEY("command", STRING, .flags = LP_KEY_REQUIRED),
	KEY("args", STRINGS),
	KEY("argv0", STRING),
	{0},
};

static const struct lp_key seccomp_keys[] = {
	KEY("applyPath", STRING),
	KEY("argv0", STRING),
	{0},
};

static const struct lp_key srt_win_keys[] = {
	KEY("path", STRING, .flags = LP_KEY_REQUIRED),
	{0},
};

static const struct lp_key windows_keys[] = {
	KEY("sandboxUser", STRING, .check = lp_check_user),
	KEY("sublayerGuid", STRING, .check = lp_check_uuid),
	KEY("wfpSublayerGuid", STRING, .check = lp_check_uuid),
	KEY("proxyPortRange", INTS, PORTS),
	KEY("srtWin", OBJECT, .keys = srt_win_keys),
	{0},
};

static const struct lp_key git_keys[] = {
	KEY("safeDirectories", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_not_empty),
	{0},
};

static const struct lp_key environment_keys[] = {
	KEY("pass", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_env_glob),
	KEY("set", MAP, .flags = LP_KEY_WIDENS, .check_name = lp_check_env_name),
	KEY("unset", STRINGS, .check = lp_check_env_glob),
	{0},
};

static const struct lp_key limit_keys[] = {
	KEY("addressSpace", SIZE),
	KEY("processes", INT, .max = INT64_MAX),
	KEY("openFiles", INT, .max = INT64_MAX),
	KEY("fileSize", SIZE),
	KEY("core", SIZE),
	{0},
};

static const struct lp_key process_keys[] = {
	KEY("allowPtrace", BOOL, .flags = LP_KEY_WIDENS),
	KEY("allowNamespaces", BOOL, .flags = LP_KEY_WIDENS),
	{0},
};

const struct lp_key lp_schema_keys[] = {
	KEY("extends", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_not_empty),
	KEY("when", STRINGS, .flags = LP_KEY_RULESET, .check = lp_check_path),
	KEY("network", OBJECT, .flags = SRT_ALWAYS, .keys = network_keys),
	KEY("filesystem", OBJECT, .flags = SRT_ALWAYS, .keys = filesystem_keys),
	KEY("environment", OBJECT, .keys = environment_keys),
	KEY("limits", OBJECT, .keys = limit_keys),
	KEY("process", OBJECT, .keys = process_keys),
	KEY("unixSockets", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_path),
	KEY("acceptGaps", STRINGS, .flags = LP_KEY_WIDENS, .check = lp_check_not_empty),
	KEY("credentials", OBJECT, .flags = LP_KEY_STRICT, .keys = credential_keys),
	KEY("git", OBJECT, .keys = git_keys),
	KEY("mandatoryDenySearchDepth", INT, .min = 1, .max = 10),
	KEY("ignoreViolations", MAPS, .flags = LP_KEY_WIDENS),
	KEY("enableWeakerNestedSandbox", BOOL, .flags = LP_KEY_WIDENS, .kind = LP_KIND_INERT,
		.words =
			"is not needed: landpen makes no namespaces of its own and nests as it is"),
	KEY("enableWeakerNetworkIsolation", BOOL, .flags = LP_KEY_WIDENS, .kind = LP_KIND_INERT,
		.words = MACOS),
	KEY("allowAppleEvents", BOOL, .flags = LP_KEY_WIDENS, .kind = LP_KIND_INERT,
		.words = MACOS),
	KEY("allowPty", BOOL, .flags = LP_KEY_WIDENS),
	KEY("ripgrep", OBJECT, .keys = ripgrep_keys, .kind = LP_KIND_INERT,
		.words = "means nothing here: landpen searches by itself"),
	KEY("seccomp", OBJECT, .keys = seccomp_keys, .kind = LP_KIND_INERT,
		.words = "means nothing here: landpen applies its own filter"),
	KEY("bwrapPath", STRING, .check = lp_check_absolute, .kind = LP_KIND_INERT,
		.words = "means nothing here: landpen finds bwrap by PATH"),
	KEY("socatPath", STRING, .check = lp_check_absolute, .kind = LP_KIND_INERT,
		.words = "means nothing here: landpen runs no socat"),
	KEY("javaAgentJarPath", STRING, .check = lp_check_absolute, .kind = LP_KIND_INERT,
		.words = "means nothing here: landpen loads no agent into Java"),
	KEY("windows", OBJECT, .keys = windows_keys, .kind = LP_KIND_INERT,
		.words = "speaks of Windows and means nothing here"),
	{0},
};
