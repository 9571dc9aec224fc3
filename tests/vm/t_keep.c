// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeps a mapping of a BAR that the disk has read into, and no open file: prints the bytes
 * of the read, waits for the end of its input, and unmaps.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"

int main(int argc, char **argv)
{
	uint64_t length;
	ssize_t ret;
	char byte;
	void *bar;
	int fd;

	if (argc != 4)
		t_usage("FILE BAR LENGTH");
	length = t_number(argv[3]);
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		t_die("open %s", argv[1]);
	bar = t_map_bar(argv[2], 0, length, PROT_READ | PROT_WRITE);
	ret = pread(fd, bar, length, 0);
	close(fd);
	printf("%zd\n", ret);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return munmap(bar, length) || ret != (ssize_t)length;
}
