/*
 * The shipped rulesets: texts in the settings language, built into the program.
 *
 * Runs in the launcher and in the tools. Constant data, so no input is hostile here.
 */
#include "settings/parts.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char *const *lp_settings_rulesets(void)
{
	return lp_ruleset_names;
}

const struct lp_ruleset *lp_ruleset_find(const char *name)
{
	for (const struct lp_ruleset *ruleset = lp_ruleset_data; ruleset->name; ruleset++)
		if (!strcmp(ruleset->name, name))
			return ruleset;
	return NULL;
}

const char *lp_settings_ruleset_text(const char *name)
{
	const struct lp_ruleset *ruleset = lp_ruleset_find(name);

	return ruleset ? ruleset->text : NULL;
}

bool lp_ruleset_applies(const struct lp_ruleset *ruleset, const char *home)
{
	if (!ruleset->when)
		return false;
	for (const char *const *path = ruleset->when; *path; path++) {
		lp_autofree char *absolute = NULL;

		if (lp_path_absolute(*path, "/", home, &absolute) == 0 &&
			faccessat(AT_FDCWD, absolute, F_OK, 0) == 0)
			return true;
	}
	return false;
}
