/* The plan for people: each order a line. Paths are escaped, values of variables are left out. */
#include "plan/parts.h"

#include <string.h>

static void print_path(struct lp_str *str, const char *path)
{
	lp_str_add_escaped(str, path, strlen(path));
}

static void print_list(struct lp_str *str, const char *title, const struct lp_strv *list)
{
	lp_strv_foreach (item, list) {
		lp_str_addf(str, "%-10s ", title);
		print_path(str, item);
		lp_str_add(str, "\n");
	}
}

static void print_rights(struct lp_str *str, uint64_t rights)
{
	const char *separator = "";

	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name =
			rights & (1ULL << bit) ? lp_landlock_right_name(1ULL << bit) : NULL;

		if (!name)
			continue;
		lp_str_addf(str, "%s%s", separator, name);
		separator = ",";
	}
}

static void print_floor(struct lp_str *str, const struct lp_plan *plan)
{
	lp_str_addf(str, "%-10s ", "handled");
	print_rights(str, plan->handled.handled_fs);
	lp_str_addf(str, " net=0x%llx scoped=0x%llx\n",
		(unsigned long long)plan->handled.handled_net,
		(unsigned long long)plan->handled.scoped);
	for (size_t i = 0; i < plan->floor_count; i++) {
		const struct lp_floor *floor = &plan->floor[i];

		lp_str_addf(str, "%-10s ", "rule");
		print_path(str, floor->path);
		lp_str_add(str, "  ");
		print_rights(str, floor->access);
		if (floor->rule) {
			lp_str_add(str, "  # ");
			lp_origin_print(&floor->rule->origin, str);
		}
		lp_str_add(str, "\n");
	}
}

static void print_mounts(struct lp_str *str, const struct lp_plan *plan)
{
	static const char *const names[] = {
		"hide", "mask", "read-only", "writable", "device", "symlink", "proc", "dev"};

	for (size_t i = 0; i < plan->mount_count; i++) {
		const struct lp_mount *mount = &plan->mounts[i];

		lp_str_addf(str, "%-10s ", names[mount->kind]);
		print_path(str, mount->target);
		if (mount->source) {
			lp_str_add(str, " -> ");
			print_path(str, mount->source);
		}
		lp_str_add(str, "\n");
	}
}

static void print_filter(struct lp_str *str, unsigned filter)
{
	static const char *const names[] = {"inet", "unix", "ptrace", "namespaces", "metadata"};

	lp_str_addf(str, "%-10s", "filter");
	for (size_t i = 0; i < LP_ARRAY_SIZE(names); i++)
		lp_str_addf(str, " %s=%s", names[i], filter & (1U << i) ? "open" : "closed");
	if (filter & LP_FILTER_EDGE)
		lp_str_addf(str, " edge=%s",
			filter & LP_FILTER_READS   ? "writes,reads"
			: filter & LP_FILTER_LISTS ? "writes,lists"
						   : "writes");
	lp_str_add(str, "\n");
}

static void print_limits(struct lp_str *str, const struct lp_limits *limits)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {{"addressSpace", limits->address_space}, {"processes", limits->processes},
		{"openFiles", limits->open_files}, {"fileSize", limits->file_size},
		{"core", limits->core}};

	for (size_t i = 0; i < LP_ARRAY_SIZE(rows); i++)
		if (rows[i].value != LP_UNLIMITED)
			lp_str_addf(str, "%-10s %s=%llu\n", "limit", rows[i].name,
				(unsigned long long)rows[i].value);
}

int lp_plan_print(const struct lp_plan *plan, struct lp_str *str)
{
	static const char *const backends[] = {"refuse", "landlock", "bwrap"};

	lp_str_addf(str, "%-10s %s\n", "backend", backends[plan->backend]);
	for (size_t i = 0; i < plan->gap_count; i++) {
		lp_str_addf(str, "%-10s %s (%s): ", "gap", plan->gaps[i].name,
			plan->gaps[i].accepted ? "accepted" : "not accepted");
		print_path(str, plan->gaps[i].sentence);
		lp_str_add(str, "\n");
	}
	if (plan->handled.handled_fs || plan->floor_count)
		print_floor(str, plan);
	print_list(str, "carved", &plan->carved);
	print_mounts(str, plan);
	print_list(str, "stub", &plan->stubs);
	print_list(str, "file-stub", &plan->file_stubs);
	print_filter(str, plan->filter);
	print_limits(str, &plan->limits);
	lp_strv_foreach (item, &plan->environment)
		lp_str_addf(str, "%-10s %.*s\n", "variable", (int)strcspn(item, "="), item);
	return lp_str_addf(str, "%-10s %s\n%-10s %s\n", "tmpdir", plan->tmpdir, "cwd", plan->cwd);
}
