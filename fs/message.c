// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the daemon says to people.
 */
#include "phyrfs.h"

#include <stdarg.h>
#include <stdio.h>

void phyrfs_message(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "phyrfs: %s\n", line);
}
