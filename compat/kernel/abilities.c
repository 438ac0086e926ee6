/*
 * The abilities of the running kernel, found by using them and never by version numbers, and read
 * from a text for plans made on one machine for another.
 * Runs in the launcher. bwrap is looked for only where root alone can put programs.
 */
#include "kernel/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_LANDLOCK_CREATE        444
#define SECCOMP_GET_ACTION_AVAIL_ 2
#define SECCOMP_RET_ERRNO_        0x00050000U

int lp_landlock_abi(void)
{
	long r = syscall(NR_LANDLOCK_CREATE, NULL, 0, LP_LL_CREATE_VERSION);

	return r > 0 ? (int)r : 0;
}

/* The ABI, if a ruleset with everything in it can be made. */
static int usable_abi(void)
{
	int abi = lp_landlock_abi();
	const struct lp_landlock_attr known = lp_landlock_known(abi);
	lp_autoclose int ruleset = abi ? lp_landlock_create(&known) : -1;

	return ruleset < 0 ? 0 : abi;
}

/* The number that a user has in this user namespace who is not in it; -1 where all may be in it. */
static uid_t foreign_user(void)
{
	lp_autofree char *text = NULL, *map = NULL;
	unsigned long user, first, count;
	size_t len;

	if (lp_read_file(AT_FDCWD, "/proc/sys/kernel/overflowuid", 16, &text, &len) < 0 ||
		lp_read_file(AT_FDCWD, "/proc/self/uid_map", 65536, &map, &len) < 0)
		return (uid_t)-1;
	user = strtoul(text, NULL, 10);
	for (const char *line = map; *line; line += strcspn(line, "\n") + 1) {
		if (sscanf(line, "%lu %*u %lu", &first, &count) != 2 ||
			(first <= user && user - first < count))
			return (uid_t)-1; /* this number is somebody's own */
		if (!strchr(line, '\n'))
			break;
	}
	return (uid_t)user;
}

static bool is_roots(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == foreign_user();
}

/*
 * Whether nobody but root can replace the program: its folder and itself belong to root. In a user
 * namespace without the system's root they belong to a user who is not in there either.
 */
static bool root_owned(const char *dir, const char *path, struct stat *ret_st)
{
	struct stat st;

	if (stat(dir, &st) < 0 || !is_roots(&st) || (st.st_mode & 022 && !(st.st_mode & S_ISVTX)))
		return false;
	return stat(path, ret_st) == 0 && S_ISREG(ret_st->st_mode) && is_roots(ret_st) &&
	       !(ret_st->st_mode & 022) && access(path, X_OK) == 0;
}

/*
 * bubblewrap from a directory that only root can write to (never from $PATH, which the agent may
 * have filled).
 */
static void find_bwrap(struct lp_abilities *found)
{
	static const char *const dirs[] = {"/usr/bin", "/usr/local/bin", "/bin",
		"/run/wrappers/bin", "/run/current-system/sw/bin",
		"/nix/var/nix/profiles/default/bin"};
	struct stat st;

	for (size_t i = 0; i < LP_ARRAY_SIZE(dirs); i++) {
		snprintf(found->bwrap_path, sizeof(found->bwrap_path), "%s/bwrap", dirs[i]);
		if (root_owned(dirs[i], found->bwrap_path, &st)) {
			found->bwrap_setuid = st.st_mode & S_ISUID;
			return;
		}
	}
	found->bwrap_path[0] = '\0';
	found->bwrap = LP_PROBE_NO;
	snprintf(found->bwrap_why, sizeof(found->bwrap_why), "bubblewrap is not installed");
}

void lp_abilities_probe(struct lp_abilities *ret_abilities)
{
	struct lp_abilities found = {.landlock_abi = usable_abi()};
	uint32_t action = SECCOMP_RET_ERRNO_;
	long r;

	/* older kernels may have got it with their fixes; else EINVAL */
	r = syscall(NR_LANDLOCK_CREATE, NULL, 0, LP_LL_CREATE_ERRATA);
	found.landlock_errata = r > 0 ? (unsigned)r : 0;
	found.seccomp_filter = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL_, 0, &action) == 0;
	found.root = geteuid() == 0;
	find_bwrap(&found);
	*ret_abilities = found;
}

void lp_abilities_probe_gate(struct lp_abilities *abilities, bool try)
{
	lp_autofree char *text = NULL;
	size_t len;

	lp_autoclose int self = lp_pidfd_open(getpid()), copy = -1;

	abilities->seccomp_notify = lp_notify_is_there();
	copy = lp_pidfd_getfd(self, self);
	abilities->pidfd_getfd = copy >= 0;
	if (lp_read_file(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", 16, &text, &len) == 0)
		abilities->yama_scope = text[0] - '0';
	abilities->memory = abilities->seccomp_notify;
	if (try || !abilities->landlock_abi || abilities->yama_scope > 1 ||
		prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
		lp_notify_probe(abilities);
}

const char *lp_bwrap_cure(const char *said)
{
	if (strstr(said, "nknown option"))
		return "install bubblewrap 0.5 or newer";
	if (strstr(said, "not installed"))
		return "install bubblewrap";
	return "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 on Debian, an "
	       "AppArmor profile for bwrap on Ubuntu, --privileged for a container)";
}

static const char *const probe_names[] = {"unknown", "no", "yes"};

int lp_abilities_print(const struct lp_abilities *abilities, struct lp_str *str)
{
	return lp_str_addf(str,
		"landlock_abi %d\nlandlock_errata %u\nseccomp_filter %d\nseccomp_notify "
		"%d\nlistener_above %d\nmemory %d\npidfd_getfd %d\n"
		"yama_scope %d\nroot %d\nbwrap %s\nbwrap_setuid %d\nbwrap_path %s\nbwrap_why %s\n",
		abilities->landlock_abi, abilities->landlock_errata, abilities->seccomp_filter,
		abilities->seccomp_notify, abilities->listener_above, abilities->memory,
		abilities->pidfd_getfd, abilities->yama_scope, abilities->root,
		probe_names[abilities->bwrap], abilities->bwrap_setuid, abilities->bwrap_path,
		abilities->bwrap_why);
}

static bool read_one(const char *key, const char *value, struct lp_abilities *abilities)
{
	if (!strcmp(key, "landlock_abi"))
		abilities->landlock_abi = (int)strtol(value, NULL, 10);
	else if (!strcmp(key, "landlock_errata"))
		abilities->landlock_errata = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(key, "seccomp_filter"))
		abilities->seccomp_filter = value[0] == '1';
	else if (!strcmp(key, "seccomp_notify"))
		abilities->seccomp_notify = value[0] == '1';
	else if (!strcmp(key, "listener_above"))
		abilities->listener_above = value[0] == '1';
	else if (!strcmp(key, "memory"))
		abilities->memory = value[0] == '1';
	else if (!strcmp(key, "bwrap_setuid"))
		abilities->bwrap_setuid = value[0] == '1';
	else if (!strcmp(key, "pidfd_getfd"))
		abilities->pidfd_getfd = value[0] == '1';
	else if (!strcmp(key, "yama_scope"))
		abilities->yama_scope = (int)strtol(value, NULL, 10);
	else if (!strcmp(key, "root"))
		abilities->root = value[0] == '1';
	else if (!strcmp(key, "bwrap_path"))
		snprintf(abilities->bwrap_path, sizeof(abilities->bwrap_path), "%s", value);
	else if (!strcmp(key, "bwrap_why"))
		snprintf(abilities->bwrap_why, sizeof(abilities->bwrap_why), "%s", value);
	else if (!strcmp(key, "bwrap"))
		abilities->bwrap = !strcmp(value, "yes")  ? LP_PROBE_YES
				   : !strcmp(value, "no") ? LP_PROBE_NO
							  : LP_PROBE_UNKNOWN;
	else
		return false;
	return true;
}

int lp_abilities_read(const char *text, struct lp_abilities *ret_abilities, struct lp_err *err)
{
	struct lp_abilities read = {0};
	unsigned line = 0;

	while (*text) {
		char key[64] = "", value[512] = "";
		size_t len = strcspn(text, "\n");

		line++;
		if (len >= sizeof(value))
			return lp_fail(err, EINVAL, "abilities, line %u: too long", line);
		if (len && *text != '#') {
			char row[sizeof(value)];

			memcpy(row, text, len);
			row[len] = '\0';
			sscanf(row, "%63s %511[^\n]", key, value);
			if (!read_one(key, value, &read))
				return lp_fail(err, EINVAL,
					"abilities, line %u: no ability is called '%s'", line, key);
		}
		text += len + (text[len] == '\n');
	}
	*ret_abilities = read;
	return 0;
}
