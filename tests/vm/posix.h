/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of t_posix share: lines of output, what there is to see of a file, and
 * the users as whom calls are made.
 *
 * The output of two filesystems is compared, so a line has nothing in it that may vary
 * from run to run: no inode number, time, process or descriptor.
 */
#ifndef POSIX_H
#define POSIX_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * A script runs in an empty directory, which is cleared after it, as root with umask
 * 022. The list of one noun, ended by one without a name, stands in the file of the noun.
 */
struct posix_script {
	const char *name;
	void (*run)(void);
};

extern const struct posix_script posix_names[];
extern const struct posix_script posix_open[];
extern const struct posix_script posix_resolve[];
extern const struct posix_script posix_data[];
extern const struct posix_script posix_space[];
extern const struct posix_script posix_copy[];
extern const struct posix_script posix_map[];
extern const struct posix_script posix_handle[];
extern const struct posix_script posix_attr[];
extern const struct posix_script posix_killpriv[];
extern const struct posix_script posix_perm[];
extern const struct posix_script posix_acl[];
extern const struct posix_script posix_dir[];
extern const struct posix_script posix_xattr[];
extern const struct posix_script posix_time[];
extern const struct posix_script posix_lock[];

/* ---------------------------------------------------------------------- posix.c */

/* What the lines from here on have in common, until the next call or script. */
void posix_label(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line of its own. */
void posix_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line with a call's text and result; gives the result, errno included. */
int64_t posix_call(const char *text, int64_t ret);
/* The same for a call that gives a descriptor, of which only "ok" is shown. */
int posix_fd(const char *text, int fd);
/* The same, and closes it. */
int posix_shut(const char *text, int fd);
/* The same for mmap(2). */
void *posix_mmap(const char *text, void *map);

#define CALL(expr) posix_call(#expr, (int64_t)(expr))
#define OPEN(expr) posix_fd(#expr, (expr))
#define SHUT(expr) posix_shut(#expr, (expr))
#define MMAP(expr) posix_mmap(#expr, (expr))

/* A call without which the script makes no sense: dies if it fails; no line. */
int64_t posix_must(const char *text, int64_t ret);
#define MUST(expr) posix_must(#expr, (int64_t)(expr))

/* New files of the script: regular with @text in it. Dies. */
void posix_file(const char *path, const char *text, mode_t mode);
/* One of each type: file, dir, fifo, socket, chr, link (to file). Dies. */
void posix_types(void);
extern const char *const posix_type_names[]; /* ended by NULL */

/* Removes everything below @path, but not @path. Dies. */
void posix_clear(const char *path);

/* ------------------------------------------------------------------ posix_see.c */

char posix_type_letter(mode_t mode);
/* Lines: attributes of what @path is, itself; of what @fd is open on. */
void posix_see(const char *path);
void posix_see_fd(int fd);
/* Line: size and hash of the data. */
void posix_see_data(const char *path);
void posix_see_data_fd(int fd);
/* Line: all names below the current directory, with type and number of links. */
void posix_see_tree(void);
/* Line: names in a directory, sorted, with the types that readdir(3) tells. */
void posix_see_names(const char *path);

/* ----------------------------------------------------------------- posix_user.c */

struct posix_user {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t group; /* supplementary; 0: none */
	int shift;   /* of the three mode bits for files of POSIX_OWNER:POSIX_GROUP */
};

#define POSIX_OWNER 1001
#define POSIX_GROUP 2001

enum {
	POSIX_ROOT,
	POSIX_MAKER,
	POSIX_MEMBER,
	POSIX_SECOND,
	POSIX_OTHER,
	POSIX_USERS, /* different in what they may */
	POSIX_MAKER_MEMBER = POSIX_USERS,
	POSIX_MAKER_SECOND,
	POSIX_ALL_USERS
};
extern const struct posix_user posix_users[POSIX_ALL_USERS];

/* Become a user; root again by POSIX_ROOT. Dies. */
void posix_become(int user);

#endif /* POSIX_H */
