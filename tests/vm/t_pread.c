// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One direct pread from a file into a mapped BAR, the way any program would do it:
 * prints the bytes read, or the name of the error and exits 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"

int main(int argc, char **argv)
{
	uint64_t offset, length, bar_offset;
	ssize_t ret;
	void *bar;
	int fd;

	if (argc < 5 || argc > 6)
		t_usage("FILE BAR FILE_OFFSET LENGTH [BAR_OFFSET]");
	offset = t_number(argv[3]);
	length = t_number(argv[4]);
	bar_offset = argc > 5 ? t_number(argv[5]) : 0;

	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		t_die("open %s", argv[1]);
	bar = t_map_bar(argv[2], bar_offset, length, PROT_READ | PROT_WRITE);

	ret = pread(fd, bar, length, offset);
	if (ret < 0) {
		puts(t_errname(errno));
		return 1;
	}
	printf("%zd\n", ret);
	return 0;
}
