// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes a phyr_flat filesystem (kshim/sample/phyr_flat.c) of some files:
 *
 *   t_flat DISK FILE...
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t.h"

#define BLOCK 4096
#define FILES 63

static const char usage[] = "DISK FILE...";

static struct {
	char magic[8];
	uint32_t nr_files;
	uint32_t zero[13];
	struct {
		char name[40];
		uint64_t block, size, zero;
	} file[FILES];
} super;

static void copy(int disk, uint64_t at, const char *path, uint64_t size)
{
	char *data = malloc(size + 1);
	FILE *file = fopen(path, "r");

	if (!data || !file || fread(data, 1, size, file) != size)
		t_die("read %s", path);
	if (pwrite(disk, data, size, at) != (ssize_t)size)
		t_die("write %s", path);
	fclose(file);
	free(data);
}

int main(int argc, char **argv)
{
	uint64_t block = 1;
	struct stat st;
	int disk;

	_Static_assert(sizeof(super) == BLOCK, "the first block");
	if (argc < 2 || argc - 2 > FILES)
		t_usage(usage);
	disk = open(argv[1], O_RDWR);
	if (disk < 0)
		t_die("open %s", argv[1]);
	memcpy(super.magic, "PHYRFLAT", 8);
	super.nr_files = htole32(argc - 2);
	for (int i = 0; i < argc - 2; i++) {
		const char *path = argv[i + 2], *name = strrchr(path, '/');

		if (stat(path, &st))
			t_die("stat %s", path);
		snprintf(super.file[i].name, sizeof(super.file[i].name), "%s",
			 name ? name + 1 : path);
		super.file[i].block = htole64(block);
		super.file[i].size = htole64(st.st_size);
		copy(disk, block * BLOCK, path, st.st_size);
		block += (st.st_size + BLOCK - 1) / BLOCK;
	}
	if (pwrite(disk, &super, BLOCK, 0) != BLOCK || fsync(disk))
		t_die("write %s", argv[1]);
	return 0;
}
