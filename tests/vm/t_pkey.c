// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct I/O on memory that a protection key closes and opens again, which no system
 * call tells the kernel. Prints what each call gave, in one line: bytes or the error.
 *
 *	read   no writes allowed, before the memory was ever used
 *	read   all allowed
 *	read   no writes allowed; what the memory holds must stay
 *	write  no writes allowed
 *	read   no access allowed
 *	write  no access allowed
 *	read   all allowed
 *	write  all allowed
 *
 * MEMORY is a file to map; FILE has at least LENGTH bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"

#define POISON 0xa5

static const struct step {
	unsigned int denied;
	bool write;
} steps[] = {
	{ PKEY_DISABLE_WRITE, false },
	{ 0, false },
	{ PKEY_DISABLE_WRITE, false },
	{ PKEY_DISABLE_WRITE, true },
	{ PKEY_DISABLE_ACCESS, false },
	{ PKEY_DISABLE_ACCESS, true },
	{ 0, false },
	{ 0, true },
};

int main(int argc, char **argv)
{
	char *memory, *witness, text[32];
	int fd, key;
	size_t length;
	ssize_t ret;

	if (argc != 4)
		t_usage("FILE MEMORY LENGTH");
	length = t_number(argv[3]);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0)
		t_die("open %s", argv[1]);
	memory = t_map_bar(argv[2], 0, length, PROT_READ | PROT_WRITE);
	witness = t_map_bar(argv[2], 0, length, PROT_READ | PROT_WRITE);
	key = pkey_alloc(0, 0);
	if (key < 0 || pkey_mprotect(memory, length, PROT_READ | PROT_WRITE, key))
		t_die("no protection keys");

	for (size_t i = 0; i < t_array_size(steps); i++) {
		memset(witness, POISON, length);
		if (pkey_set(key, steps[i].denied))
			t_die("pkey_set");
		ret = steps[i].write ? pwrite(fd, memory, length, 0)
				     : pread(fd, memory, length, 0);
		printf("%s%s", i ? " " : "", t_result(ret < 0 ? -errno : ret, text));
		if (ret < 0 && t_fill_check(witness, length, POISON) >= 0) {
			puts(", and the memory changed");
			return 1;
		}
	}
	putchar('\n');
	return 0;
}
