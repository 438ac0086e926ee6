/*
 * base: what every other layer stands on: errors, ownership, strings, paths, descriptors.
 *
 * Nothing here knows what a policy is. Functions print nothing and never exit.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- errors ------------------------------------------------------------------------------- */

/* The sentence for the user, written where the failure happens; outer layers only prefix it. */
struct lp_err {
	char text[2048];
};

/*
 * Writes the sentence and returns -error (error > 0), so that a caller can write
 * `return lp_fail(err, EINVAL, "...")`. err may be NULL. "%m" stands for strerror(error).
 */
int lp_fail(struct lp_err *err, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts text and ": " before the sentence. */
void lp_err_prefix(struct lp_err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- ownership ---------------------------------------------------------------------------- */

#define LP_CLEANUP(function) __attribute__((cleanup(function)))

#define LP_TAKE(pointer)                                          \
	({                                                        \
		__typeof__(pointer) *lp_taken_from_ = &(pointer); \
		__typeof__(pointer) lp_taken_ = *lp_taken_from_;  \
		*lp_taken_from_ = NULL;                           \
		lp_taken_;                                        \
	})

#define LP_TAKE_FD(fd)                           \
	({                                       \
		int *lp_taken_from_ = &(fd);     \
		int lp_taken_ = *lp_taken_from_; \
		*lp_taken_from_ = -1;            \
		lp_taken_;                       \
	})

#define LP_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

void lp_freep(void *pointer_to_pointer);
void lp_closep(const int *fd);

#define lp_autofree  LP_CLEANUP(lp_freep)
#define lp_autoclose LP_CLEANUP(lp_closep)

/* ---- strings ------------------------------------------------------------------------------ */

/* A growing byte string; text is NUL-terminated once anything was appended. Zero is empty. */
struct lp_str {
	char *text;
	size_t len, size;
};

/* All three return 0 or -ENOMEM. */
int lp_str_add(struct lp_str *str, const char *text);
int lp_str_add_bytes(struct lp_str *str, const void *bytes, size_t len);
int lp_str_addf(struct lp_str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends bytes with everything that is not printable ASCII or UTF-8 text escaped as \xNN. */
int lp_str_add_escaped(struct lp_str *str, const void *bytes, size_t len);
void lp_str_clear(struct lp_str *str);

/* A list of strings it owns; items[count] is NULL once anything was appended. Zero is empty. */
struct lp_strv {
	char **items;
	size_t count;
};

#define lp_strv_foreach(item, list)                                                        \
	for (char **lp_it_ = (list)->items, *item;                                         \
		lp_it_ && lp_it_ < (list)->items + (list)->count && ((item = *lp_it_), 1); \
		lp_it_++)

/* Each copies text; 0 or -ENOMEM. _own takes the allocated string, and frees it on failure. */
int lp_strv_add(struct lp_strv *list, const char *text);
int lp_strv_addf(struct lp_strv *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int lp_strv_own(struct lp_strv *list, char *text);
bool lp_strv_has(const struct lp_strv *list, const char *text);
void lp_strv_clear(struct lp_strv *list);

/* The name among count names nearest to text by edit distance, or NULL if none is near. */
const char *lp_nearest(const char *text, const char *const *names, size_t count);

/*
 * Matches text against a pattern in srt's language: '*' and '?' do not cross '/', "**" does,
 * "**" followed by '/' also stands for nothing, [abc] and [!a-z] are sets.
 */
bool lp_glob_match(const char *pattern, const char *text);
/* Whether the pattern could match a path strictly below dir (absolute, no trailing slash). */
bool lp_glob_reaches(const char *pattern, const char *dir);
bool lp_has_glob(const char *text);

/* ---- paths -------------------------------------------------------------------------------- */

/*
 * The absolute, lexically normal form of path: "~" and "~/x" become home, relative paths start
 * at cwd, "//", "/./" and trailing "/" collapse. ".." is kept for lp_path_resolve: taking it
 * back by text would be wrong behind a symlink. 0, -ENOMEM, or -EINVAL for an empty path.
 */
int lp_path_absolute(const char *path, const char *cwd, const char *home, char **ret_path);

/* A symlink met while resolving: its own resolved place, and the text it holds. */
struct lp_link {
	char *place, *target;
};

struct lp_links {
	struct lp_link *items;
	size_t count;
};

void lp_links_clear(struct lp_links *links);

/*
 * Resolves symlinks in an absolute path as far as it exists; what does not exist is appended as
 * text, so that the result names where a creation would land. ret_exists says whether all of it
 * exists; links (may be NULL) collects every symlink crossed, outermost first.
 * 0; -ELOOP past 40 links; -ENAMETOOLONG; -ENOMEM; -EACCES and the like are treated as "does not
 * exist from here on".
 */
int lp_path_resolve(const char *path, char **ret_path, bool *ret_exists, struct lp_links *links);

/* Whether path is dir or beneath it; both normal and absolute. "/" holds everything. */
bool lp_path_is_under(const char *path, const char *dir);

/* dir + "/" + name, newly allocated; NULL without memory. */
char *lp_path_join(const char *dir, const char *name);
/* The folder that holds path, newly allocated ("/" for "/x" and "/"); NULL without memory. */
char *lp_path_parent(const char *path);
const char *lp_path_name(const char *path);

/* mkdir -p with this mode for what is missing. 0 or -errno. */
int lp_mkdir_all(const char *path, mode_t mode);

/* ---- descriptors and files ---------------------------------------------------------------- */

/*
 * Reads a regular file whole, at most limit bytes, NUL-terminated behind them. dirfd as in
 * openat(2). 0; -EISDIR for a directory, -EINVAL for other non-files, -EFBIG over limit; -errno.
 */
int lp_read_file(int dirfd, const char *path, size_t limit, char **ret_text, size_t *ret_len);

int lp_write_all(int fd, const void *bytes, size_t len);

/* Writes a file by a temporary name and rename, mode as given. 0 or -errno. */
int lp_write_file(const char *path, const void *bytes, size_t len, mode_t mode);

/*
 * Removes a tree without following symlinks or crossing file systems; errors are passed over,
 * since it is used on trees that hostile programs filled. 0 if it is gone afterwards.
 */
int lp_remove_tree(int dirfd, const char *name);

/* Parses a whole decimal number. 0, -EINVAL, -ERANGE. */
int lp_parse_u64(const char *text, uint64_t *ret_number);
