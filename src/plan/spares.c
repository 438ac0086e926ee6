/*
 * Where the spare directories of the edge wait: on the project's file system, outside of what is
 * granted whole, and where git does not look.
 *
 * Runs in the launcher before the fork; only looks.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "plan/parts.h"

/* Whether a directory of ours could be made in dir, and moved to where the project is. */
static bool fits(const struct lp_plan *plan, const char *dir, dev_t device)
{
	struct stat st;

	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_dev == device &&
	       !lp_plan_grants(plan, dir, LP_FS_MAKE_DIR);
}

int lp_plan_spares(const struct lp_plan_input *input, struct lp_plan *plan)
{
	lp_autofree char *beside = lp_path_parent(input->tmpdir);
	lp_autofree char *git = lp_path_join(plan->project, ".git");
	const char *places[] = {beside, git, plan->project};
	struct stat st;
	int r = 0;

	if (!beside || !git)
		return -ENOMEM;
	if (!lp_strv_has(&plan->carved, plan->project) ||
		!lp_policy_may(input->policy, plan->project, LP_ACCESS_WRITE).allowed ||
		stat(plan->project, &st) < 0)
		return 0;
	for (size_t i = 0; !plan->spares && i < LP_ARRAY_SIZE(places); i++) {
		struct lp_str path = {0};

		if (!fits(plan, places[i], st.st_dev))
			continue;
		if (lp_str_addf(&path, "%s/%s-spares", places[i], lp_path_name(input->tmpdir)) < 0)
			return -ENOMEM;
		plan->spares = path.text;
	}
	for (unsigned i = 0; r == 0 && plan->spares && i < LP_SPARE_COUNT; i++) {
		struct lp_str path LP_CLEANUP(lp_str_clear) = {0};

		r = lp_str_addf(&path, "%s/%u", plan->spares, i);
		if (r == 0)
			r = lp_floor_add(plan, path.text, LP_WRITE_RIGHTS, NULL);
	}
	return r;
}
