/*
 * From mounts to bubblewrap's arguments. Pure but for the memfd. Runs in the launcher.
 */
#include "bwrap/bwrap.h"

#include <errno.h>
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

/*
 * What is only scaffolding becomes read-only once everything is mounted: hidden folders, the root
 * that holds the mount points, and /dev but for its shared memory.
 */
static int add_sealing(struct lp_str *args, const struct lp_plan *plan)
{
	bool has_root = false;
	int r = add(args, "--tmpfs", "/dev/shm", NULL);

	for (size_t i = 0; r == 0 && i < plan->mount_count; i++) {
		const struct lp_mount *mount = &plan->mounts[i];

		if (!strcmp(mount->target, "/"))
			has_root = true;
		if (mount->kind == LP_MOUNT_HIDE || mount->kind == LP_MOUNT_DEV)
			r = add(args, "--remount-ro", mount->target, NULL);
	}
	if (r == 0 && !has_root)
		r = add(args, "--remount-ro", "/", NULL);
	return r;
}

int lp_bwrap_arguments(const struct lp_plan *plan, int args_fd, int args_number,
	struct lp_strv *ret_arguments)
{
	struct lp_str args LP_CLEANUP(lp_str_clear) = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->mount_count; i++)
		r = add_mount(&args, &plan->mounts[i]);
	if (r == 0)
		r = add_sealing(&args, plan);
	if (r == 0)
		r = lp_write_all(args_fd, args.text, args.len);
	if (r == 0 && lseek(args_fd, 0, SEEK_SET) < 0)
		r = -errno;
	/* pid 1 inside is landpen's own init: it reaps, passes signals on and reports */
	static const char *const fixed[] = {"bwrap", "--unshare-pid", "--unshare-ipc", "--as-pid-1",
		"--cap-drop", "ALL", "--args"};
	for (size_t i = 0; r == 0 && i < LP_ARRAY_SIZE(fixed); i++)
		r = lp_strv_add(ret_arguments, fixed[i]);
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
