// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints one of the module's counters since it was loaded: bytes that went direct, or
 * calls that were refused for REASON. What `phyr stat` tells too, but cases ask often and
 * this one starts fast.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <phyr.h>

#include "t.h"

int main(int argc, char **argv)
{
	struct phyr_counters counters;
	struct phyr_dev *dev;
	unsigned int reason = 0;

	if (argc == 3 && !strcmp(argv[1], "refused"))
		for (reason = 1; reason < PHYR_REASONS_MAX; reason++)
			if (!strcmp(argv[2], phyr_reason_name(reason)))
				break;
	if (reason == PHYR_REASONS_MAX ||
	    (!reason && (argc != 2 || strcmp(argv[1], "direct"))))
		t_usage("direct | refused REASON");
	if (phyr_open(&dev) || phyr_stats(dev, 0, &counters)) {
		puts("no /dev/phyr");
		return 2;
	}
	printf("%" PRIu64 "\n",
	       reason ? counters.reads[reason].calls + counters.writes[reason].calls
		      : counters.reads[0].bytes + counters.writes[0].bytes);
	phyr_close(dev);
	return 0;
}
