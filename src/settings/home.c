/*
 * Where the user's home, settings file and the project's settings file are.
 *
 * Runs in the launcher before confinement. The environment is the user's own; the names found
 * while walking up to the project's top are hostile, and only looked at, never followed.
 */
#include "settings/settings.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROJECT_FILE ".landpen.json"

/* getpwuid() needs NSS modules, which a static binary does not have. */
static char *home_from_passwd(void)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;
	char *home = NULL;

	if (!file)
		return NULL;
	while (!home && (entry = fgetpwent(file)))
		if (entry->pw_uid == getuid() && entry->pw_dir[0] == '/' &&
			lp_path_absolute(entry->pw_dir, "/", "/", &home) < 0)
			break;
	fclose(file);
	return home;
}

char *lp_settings_home(void)
{
	const char *variable = getenv("HOME");
	char *home = NULL;

	/* An empty HOME made srt read ./.srt-settings.json, which is the project's text. */
	if (!variable || variable[0] != '/')
		return home_from_passwd();
	return lp_path_absolute(variable, "/", "/", &home) == 0 ? home : NULL;
}

char *lp_settings_user_file(const char *home)
{
	const char *config = getenv("XDG_CONFIG_HOME");

	/* A relative value is to be ignored: XDG Base Directory Specification. */
	if (config && config[0] == '/')
		return lp_path_join(config, "landpen/settings.json");
	return lp_path_join(home, ".config/landpen/settings.json");
}

char *lp_settings_project_file(const char *dir, const char *top)
{
	lp_autofree char *at = strdup(dir);

	while (at && lp_path_is_under(at, top)) {
		lp_autofree char *file = lp_path_join(at, PROJECT_FILE);
		char *parent;
		struct stat st;

		/*
		 * Whatever it is, it is named: passing over a tightening file would widen. Only a
		 * folder can be none: a pen that was killed may have left its stub.
		 */
		if (!file || (lstat(file, &st) == 0 && !S_ISDIR(st.st_mode)))
			return LP_TAKE(file);
		if (!strcmp(at, "/"))
			break;
		parent = lp_path_parent(at);
		free(at);
		at = parent;
	}
	return NULL;
}
