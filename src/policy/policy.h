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

/* A key that origins name, with all below it, and under which key it stands in the text. */
struct lp_alias {
	char *key, *said;
};

/* A text that rules come from. name: a file's path, "ruleset claude", or "command line". */
struct lp_source {
	enum lp_layer layer;
	char *name;
	char *text; /* kept to find line numbers; NULL where there is none */
	size_t len;
	bool trusted;             /* false: a project file nobody accepted; it may only tighten */
	struct lp_alias *aliases; /* of a text that was translated before it was read */
	size_t alias_count;
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
	LP_NETWORK_NAMES, /* what the host rules allow, through the gate */
	LP_NETWORK_OPEN,
};

#define LP_HOST_SIZE 256

/* An address in network byte order; IPv4 stands as ::ffff:a.b.c.d. */
struct lp_address {
	uint8_t bytes[16];
};

struct lp_range {
	struct lp_address address;
	unsigned prefix; /* bits, 0 to 128 */
	struct lp_origin origin;
};

/*
 * An entry of allowedDomains or deniedDomains. host: canonical (lp_host_canonical), or "*.b" for
 * every name below b, or "*" (deny only). port: 0 for any.
 */
struct lp_host_rule {
	bool allow;
	char *host;
	unsigned port;
	char *reason; /* of a deny: the user's own words, or NULL */
	struct lp_origin origin;
};

/* A unix socket that may be connected to: a resolved path, or a glob pattern. */
struct lp_socket_rule {
	char *path;
	bool is_pattern;
	struct lp_origin origin;
};

/* A port on the loopback addresses that may be connected to though the pen does not serve it. */
struct lp_port_rule {
	unsigned port;
	struct lp_origin origin;
};

/* A proxy that landpen's own proxy goes through. host and socket NULL: none. */
struct lp_upstream {
	char *host; /* canonical */
	unsigned port;
	char *socket;        /* the path of a unix socket, in place of host and port */
	bool socks;          /* it speaks SOCKS5, not HTTP */
	char *authorization; /* the value of Proxy-Authorization, or NULL */
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
	size_t literal; /* how much of name is no pattern; set by lp_policy_add_env */
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
	struct lp_host_rule *hosts;
	size_t host_count;
	struct lp_range *ranges; /* deniedResolvedAddresses */
	size_t range_count;
	struct lp_upstream upstream_http, upstream_https; /* for plain HTTP; for everything else */
	char *no_upstream;                 /* hosts dialled directly: NO_PROXY's syntax */
	struct lp_upstream upstream_socks; /* for clients that ask by SOCKS */
	struct lp_upstream upstream_mitm;  /* for mitm_hosts, whoever asks */
	struct lp_strv mitm_hosts;         /* patterns as in struct lp_host_rule */
	bool ipv6_answers;                 /* AAAA look-ups are answered too */
	bool local_binding;                /* TCP servers on the loopback addresses */
	struct lp_port_rule *local_ports;
	size_t local_port_count;
	bool unix_sockets; /* sockets of the AF_UNIX family may be made, to any peer */
	struct lp_socket_rule *sockets;
	size_t socket_count;
	bool ptrace, namespaces, ptys;
	bool files_disabled; /* filesystem.disabled: no file rules at all */
	struct lp_limits limits;
	struct lp_live *live; /* hosts and ranges may change while the pen runs; or NULL */
	char *files_text; /* srt's: what its file says of files, to see whether an update differs */

	char *home, *cwd, *project;
	struct lp_strv rulesets; /* names, in the order they were applied */
	struct lp_strv accepted; /* names of gaps the user lives with */
	struct lp_strv
		ignored; /* refusals whose line in srt's words has one of these are not told */
	struct lp_strv notices; /* what the user should know about the settings, a line each */
};

void lp_policy_free(struct lp_policy *policy);
void lp_policy_freep(struct lp_policy **policy);

/* Takes name and text; the policy owns the result. NULL without memory. */
struct lp_source *lp_policy_add_source(
	struct lp_policy *policy, enum lp_layer layer, char *name, char *text, size_t len);

/* Takes the strings and links inside rule, whatever it returns. 0 or -ENOMEM. */
int lp_policy_add_rule(struct lp_policy *policy, struct lp_rule *rule);
int lp_policy_add_env(struct lp_policy *policy, struct lp_env_rule *rule);
int lp_policy_add_host(struct lp_policy *policy, struct lp_host_rule *rule);
int lp_policy_add_range(struct lp_policy *policy, struct lp_range *range);
int lp_policy_add_socket(struct lp_policy *policy, struct lp_socket_rule *rule);
int lp_policy_add_port(struct lp_policy *policy, struct lp_port_rule *rule);

/* network.c: frees what lp_policy_free() finds there; frees what upstream holds and zeroes it. */
void lp_policy_clear_network(struct lp_policy *policy);
void lp_upstream_clear(struct lp_upstream *upstream);

/* Of a source of this policy. Copies both keys. 0, -ENOMEM, or -ENOENT: it is not one of them. */
int lp_policy_add_alias(struct lp_policy *policy, const struct lp_source *source, const char *key,
	const char *said);
/* The key under which key, or what holds it, stands in the text. Newly allocated. */
char *lp_source_key(const struct lp_source *source, const char *key);

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

/*
 * Whether something below path (a directory, there or not) may be denied though path itself is
 * allowed: a directory that is moved would take it along. A pattern that says the same of every
 * place below its own start does not count: what it denies stays denied wherever it is moved there.
 */
bool lp_policy_denies_below(const struct lp_policy *policy, const char *path);
/* The same, and such patterns count: whether the directory must not be granted as a whole. */
bool lp_policy_may_deny_below(const struct lp_policy *policy, const char *path);

/* What becomes of the caller's variable NAME: LP_ENV_PASS or LP_ENV_UNSET, and the rule. */
struct lp_decision lp_policy_env(const struct lp_policy *policy, const char *name);

/* Whether the rule speaks about path: equal or above it, or a pattern that matches one of these. */
bool lp_rule_covers(const struct lp_rule *rule, const char *path);

/* ---- network ------------------------------------------------------------------------------ */

/*
 * The canonical spelling of a host (srt contract 4.3): lower case, no trailing dot, inet_aton forms
 * as dotted IPv4, IPv6 compressed and without brackets, IPv4-mapped as IPv4. -EINVAL: longer than
 * 255 bytes, a zone, an empty label, a last label that is a number in what is no address, or bytes
 * other than [A-Za-z0-9._-] in what is none.
 */
int lp_host_canonical(const char *text, size_t len, char ret_host[LP_HOST_SIZE]);

/* "host", "host:port", "[address]:port" or a bare address; port 0 for none. -EINVAL as above. */
int lp_host_port(const char *text, char ret_host[LP_HOST_SIZE], unsigned *ret_port);

/*
 * The same for what struct lp_host_rule holds: "*.host" and "*" as well. The grammar of settings
 * is narrower, and checked there; here -EINVAL means that it can match no host.
 */
int lp_host_pattern(const char *text, char ret_pattern[LP_HOST_SIZE], unsigned *ret_port);

/* Whether a canonical host is "localhost" or below it. */
bool lp_host_is_local(const char *host);

/* Whether it is that, or a loopback address. */
bool lp_host_is_loopback(const char *host);

/* Whether a canonical host is an address literal, and which. ret_address may be NULL. */
bool lp_host_is_address(const char *host, struct lp_address *ret_address);
/* The canonical spelling of an address. */
void lp_address_print(const struct lp_address *address, char ret_host[LP_HOST_SIZE]);
bool lp_address_is_ipv4(const struct lp_address *address);
bool lp_address_is_loopback(const struct lp_address *address);

/* An address, or a CIDR range; a zone is dropped. Leaves no origin. 0 or -EINVAL. */
int lp_range_parse(const char *text, size_t len, struct lp_range *ret_range);
/* A range of one family never covers an address of the other. */
bool lp_range_covers(const struct lp_range *range, const struct lp_address *address);

/* rule, local: what decided (both may); without any no rule names the host: it is denied. */
struct lp_host_decision {
	bool allowed;
	const struct lp_host_rule *rule;
	const struct lp_port_rule *local;
};

/*
 * Whether a connection to host (canonical) and port may be made. Denies first; then the allows. Of
 * a loopback address rules for localhost speak as well, and then those for local ports. Servers of
 * the pen's own are known to the gate alone.
 */
struct lp_host_decision lp_policy_may_connect(
	const struct lp_policy *policy, const char *host, unsigned port);

/* Whether any port of host may be connected to: what a name look-up asks. */
struct lp_host_decision lp_policy_may_resolve(const struct lp_policy *policy, const char *host);

/*
 * Why an address that host resolved to must not be dialled on port ("a loopback address", "one of
 * this host's addresses", ...; srt contract 4.4), or NULL if it may. own: the addresses of this
 * machine's interfaces.
 */
const char *lp_policy_refuses_address(const struct lp_policy *policy, const char *host,
	unsigned port, const struct lp_address *address, const struct lp_address *own,
	size_t own_count);

/* What a connection was asked for by. */
enum lp_wish_style {
	LP_ASKED_OTHERWISE = 0, /* CONNECT, or by no proxy's language */
	LP_ASKED_PLAIN,         /* plain HTTP */
	LP_ASKED_SOCKS,
};

/* The proxy that a connection to host goes through, or NULL for none. */
const struct lp_upstream *lp_policy_upstream(
	const struct lp_policy *policy, const char *host, enum lp_wish_style style);

/* Whether a proxy beyond is expected on this port of the loopback addresses. */
bool lp_policy_is_upstream_port(const struct lp_policy *policy, unsigned port);

/* The rule that lets the pen connect to a unix socket by its resolved path, or NULL. */
const struct lp_socket_rule *lp_policy_socket_rule(
	const struct lp_policy *policy, const char *path);

/* ---- lists that change while a pen runs (live.c) ----------------------------------------------
 */

/* To be called by the process that publishes, before it forks those that follow. 0 or -errno. */
int lp_live_open(struct lp_policy *policy);
void lp_live_freep(struct lp_live **live);
/* hosts and ranges of lists hold from now on, here and there. Takes lists on success. 0, -ENOMEM,
 * -E2BIG.
 */
int lp_live_publish(struct lp_policy *policy, struct lp_policy *lists);
/* Takes over what was published. No rule of the policy may be in use. */
void lp_live_refresh(const struct lp_policy *policy);
