/*
 * settings: from texts (rulesets, the user's and the project's settings, options) to a policy in
 * which every rule knows where it was said.
 *
 * Runs in the launcher before anything is confined, with the user's rights. Settings files are the
 * user's own words and must be right to the letter; a project file and everything a repository
 * says about itself (.git files, commondir, core.worktree) is somebody else's text: hostile.
 */
#pragma once

#include "base/base.h"
#include "policy/policy.h"

enum lp_wish_kind {
	LP_WISH_RO = 0, /* --ro PATH: readable; write grants of lower layers at or below it go */
	LP_WISH_RW,     /* --rw PATH */
	LP_WISH_DENY,   /* --deny PATH: neither readable nor writable */
	LP_WISH_ALLOW_HOST, /* --allow-host PATTERN[:PORT] */
	LP_WISH_DENY_HOST,  /* --deny-host PATTERN[:PORT] */
};

struct lp_wish {
	enum lp_wish_kind kind;
	const char *path; /* or the pattern */
};

enum lp_network_wish {
	LP_NETWORK_WISH_UNSAID = 0,
	LP_NETWORK_WISH_NONE,
	LP_NETWORK_WISH_NAMES,
	LP_NETWORK_WISH_OPEN,
};

/* What the command line and the environment ask for. Nothing in it is owned. */
struct lp_request {
	const char *command;      /* what will be run, or NULL: its base name picks the ruleset */
	const char *command_line; /* all of it, for ignoreViolations; or NULL */
	bool srt; /* as srt: one file, --settings or ~/.srt-settings.json, and srt's own defaults */
	const char *settings_file; /* --settings: stands in for the rulesets and the user's file */
	const char *project_dir;   /* --project DIR: even $HOME, where nobody else may say so */
	const char *single_file;   /* --file: the only writable file; there is no project */
	bool no_project_file;      /* --no-project-file */
	int control_fd;            /* --control-fd: lists of hosts come over it; or 0 */
	bool looks_only;           /* nothing will run: createDirs and createFiles make nothing */
	enum lp_network_wish network;
	const struct lp_strv *rulesets; /* --ruleset, in order; empty: picked by command */
	const struct lp_wish *wishes;
	size_t wish_count;
	const struct lp_strv *env;    /* --env NAME or NAME=VALUE */
	const struct lp_strv *accept; /* --accept-gap NAME */
	const char *home;             /* absolute; never NULL */
	const char *cwd;              /* absolute, symlinks resolved */
};

/*
 * Reads, checks and merges everything the request names into one policy. On failure the sentence
 * in err names the file, the line, the key and the cure; -EINVAL for what the user wrote, -EACCES
 * for a place where landpen does not start ($HOME as project), other -errno for the system.
 */
int lp_settings_load(
	const struct lp_request *request, struct lp_policy **ret_policy, struct lp_err *err);

/*
 * One line of --control-fd, a whole settings file: a policy with its hosts and addresses, and
 * files_text. name: what the line is called in sentences. 0, -EINVAL or -ENOMEM with the sentence.
 */
int lp_settings_update(const char *line, size_t len, const char *name,
	const struct lp_policy *policy, struct lp_policy **ret_lists, struct lp_err *err);

/* The home directory: $HOME if it is absolute, else the passwd entry, else NULL. Newly allocated.
 */
char *lp_settings_home(void);

/* The user's own file: $XDG_CONFIG_HOME/landpen/settings.json or ~/.config/... Newly allocated. */
char *lp_settings_user_file(const char *home);

/* Names of the shipped rulesets, for help and completion; NULL-terminated. */
const char *const *lp_settings_rulesets(void);
/* The text of a shipped ruleset, or NULL. */
const char *lp_settings_ruleset_text(const char *name);

/* The nearest .landpen.json from dir upwards, at most up to top; NULL if there is none. */
char *lp_settings_project_file(const char *dir, const char *top);

/*
 * The trust store: a copy of each accepted project file below
 * $XDG_STATE_HOME/landpen/trust/<its path>, compared byte by byte. _is answers false on any
 * trouble; _add writes the copy; _remove forgets it (-ENOENT if it was not there).
 */
bool lp_trust_is(const char *home, const char *path, const char *text, size_t len);
int lp_trust_add(
	const char *home, const char *path, const char *text, size_t len, struct lp_err *err);
int lp_trust_remove(const char *home, const char *path, struct lp_err *err);
/* The directory of the store, newly allocated. */
char *lp_trust_dir(const char *home);
