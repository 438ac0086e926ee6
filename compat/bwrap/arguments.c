/*
 * From mounts to bubblewrap's arguments. Pure but for the memfd. Runs in the launcher.
 */
#include "bwrap/bwrap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Options are NUL-separated in the file that --args reads. */
static int add(struct lp_str *args, const char *option, const char *one, const char *two)
{
	int r = lp_str_add_bytes(args, option, strlen(option) + 1);

	if (r == 0 && one)
		r = lp_str_add_bytes(args, one, strlen(one) + 1);
	if (r == 0 && two)
		r = lp_str_add_bytes(args, two, strlen(two) + 1);
	return r;
}

static int add_mount(struct lp_str *args, const struct lp_mount *mount)
{
	const char *source = mount->source ? mount->source : mount->target;
	int r;

	switch (mount->kind) {
	case LP_MOUNT_HIDE:
		r = add(args, "--perms", "0555", NULL);
		return r < 0 ? r : add(args, "--tmpfs", mount->target, NULL);
	case LP_MOUNT_MASK:
		return add(args, "--ro-bind", "/dev/null", mount->target);
	case LP_MOUNT_RO:
		return add(args, "--ro-bind", source, mount->target);
	case LP_MOUNT_RW:
		return add(args, "--bind", source, mount->target);
	case LP_MOUNT_DEVICE:
		return add(args, "--dev-bind", source, mount->target);
	case LP_MOUNT_SYMLINK:
		return add(args, "--symlink", source, mount->target);
	case LP_MOUNT_PROC:
		return add(args, "--proc", mount->target, NULL);
	case LP_MOUNT_DEV:
		return add(args, "--dev", mount->target, NULL);
	}
	return -EINVAL;
}

/* The hidden folder that path lies in, if nothing else is mounted between, or NULL. */
static const char *hidden_above(const struct lp_plan *plan, const char *path)
{
	const struct lp_mount *nearest = NULL;

	for (size_t i = 0; i < plan->mount_count; i++) {
		const struct lp_mount *mount = &plan->mounts[i];

		if (strcmp(mount->target, path) && lp_path_is_under(path, mount->target) &&
			(!nearest || strlen(mount->target) > strlen(nearest->target)))
			nearest = mount;
	}
	return nearest && nearest->kind == LP_MOUNT_HIDE ? nearest->target : NULL;
}

/*
 * The folders that bwrap makes in a hidden one for what is mounted deeper: programs must get EACCES
 * there, as natively, and not believe that they saved something. (EROFS would do that too, but
 * some programs fall back to writing a file in place on EACCES only.)
 */
static int add_closing(struct lp_str *args, const struct lp_plan *plan)
{
	struct lp_strv done LP_CLEANUP(lp_strv_clear) = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->mount_count; i++) {
		const char *hidden = hidden_above(plan, plan->mounts[i].target);
		lp_autofree char *dir = hidden ? lp_path_parent(plan->mounts[i].target) : NULL;

		while (r == 0 && dir && strcmp(dir, hidden) && !lp_strv_has(&done, dir)) {
			char *above = lp_path_parent(dir);

			r = lp_strv_add(&done, dir);
			if (r == 0)
				r = add(args, "--chmod", "0555", dir);
			free(dir);
			dir = above;
		}
	}
	return r;
}

/*
 * What is only scaffolding becomes read-only once everything is mounted: the root that holds the
 * mount points, and /dev but for its shared memory.
 */
static int add_sealing(struct lp_str *args, const struct lp_plan *plan)
{
	bool has_root = false;
	int r = add(args, "--perms", "1777", NULL);

	if (r == 0)
		r = add(args, "--tmpfs", "/dev/shm", NULL);

	for (size_t i = 0; r == 0 && i < plan->mount_count; i++) {
		const struct lp_mount *mount = &plan->mounts[i];

		if (!strcmp(mount->target, "/"))
			has_root = true;
		if (mount->kind == LP_MOUNT_DEV)
			r = add(args, "--remount-ro", mount->target, NULL);
	}
	if (r == 0 && !has_root)
		r = add(args, "--remount-ro", "/", NULL);
	return r;
}

int lp_bwrap_arguments(const struct lp_plan *plan, int args_fd, int args_number, int exclude_number,
	struct lp_strv *ret_arguments)
{
	char number[16];
	struct lp_str args LP_CLEANUP(lp_str_clear) = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->mount_count; i++)
		r = add_mount(&args, &plan->mounts[i]);
	snprintf(number, sizeof(number), "%d", exclude_number);
	if (r == 0 && plan->exclude)
		r = add(&args, "--ro-bind-data", number, plan->exclude);
	if (r == 0)
		r = add_closing(&args, plan);
	if (r == 0)
		r = add_sealing(&args, plan);
	if (r == 0)
		r = lp_write_all(args_fd, args.text, args.len);
	if (r == 0 && lseek(args_fd, 0, SEEK_SET) < 0)
		r = -errno;
	/* pid 1 inside is landpen's own init: it reaps, passes signals on and reports */
	static const char *const fixed[] = {
		"bwrap", "--unshare-pid", "--unshare-ipc", "--as-pid-1", "--cap-drop", "ALL"};
	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(fixed); i++)
		r = lp_strv_add(ret_arguments, fixed[i]);
	/* root's init empties the bounding set as well, which takes this one */
	if (r == 0 && geteuid() == 0)
		r = lp_strv_add(ret_arguments, "--cap-add");
	if (r == 0 && geteuid() == 0)
		r = lp_strv_add(ret_arguments, "CAP_SETPCAP");
	if (r == 0)
		r = lp_strv_add(ret_arguments, "--args");
	if (r == 0)
		r = lp_strv_addf(ret_arguments, "%d", args_number);
	if (r == 0)
		r = lp_strv_add(ret_arguments, "--chdir");
	if (r == 0)
		r = lp_strv_add(ret_arguments, plan->cwd);
	if (r == 0)
		r = lp_strv_add(ret_arguments, "--");
	return r;
}
