/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libphyr share. Prototypes are grouped by the file that defines
 * them. Nothing here is exported: see libphyr.map.
 */
#ifndef PHYR_LIB_PRIVATE_H
#define PHYR_LIB_PRIVATE_H

#include <phyr.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* sysfs.c: small text files below a directory of sysfs. */

/*
 * Reads @dir/@name, cuts the newline and trailing blanks, ends it with NUL.
 * -ENAMETOOLONG when it does not fit: a cut number would be a wrong number.
 */
int sysfs_read(const char *dir, const char *name, char *buf, size_t size);

/* A number in the notations of C; nothing may follow it. */
int sysfs_read_u64(const char *dir, const char *name, uint64_t *ret_value);

/* The last part of the target of the symbolic link @dir/@name. */
int sysfs_read_link(const char *dir, const char *name, char *buf, size_t size);

/*
 * Calls @visit for each entry of @dir, in no order, until it returns other than 0.
 * An absent directory has no entries: a machine may have no PCI.
 */
int sysfs_for_each(const char *dir, int (*visit)(const char *name, void *ctx), void *ctx);

/* disk.c */

/*
 * Is it a disk, or a partition of one, that phyr can use? The reason if not, its name, and
 * the words that follow the name: " (LVM), which ...". Without module and privileges.
 */
#define DISK_PATH_LEN 64
#define DISK_TEXT_LEN 160
unsigned int disk_explain(dev_t disk, char path[DISK_PATH_LEN], char text[DISK_TEXT_LEN]);

/* Open the block device of that number. */
int disk_open(dev_t disk);

/*
 * Ask the controller of the open NVMe disk how many bytes it takes in one command.
 * -ERANGE: it has no limit, or none that fits. -ENOTTY: no NVMe disk.
 */
int disk_max_transfer(int fd, uint32_t *ret_bytes);

/* A growing array for the lists that discovery returns. */
struct vec {
	void *items;
	size_t nr, size;
};
int vec_append(struct vec *vec, const void *item, size_t item_size);

#endif /* PHYR_LIB_PRIVATE_H */
