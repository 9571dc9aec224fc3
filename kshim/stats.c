// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: one set a mount and one for the rest, per CPU, since any context counts.
 */
#include <linux/percpu.h>

#include "kshim.h"

int kshim_stats_init(struct kshim_stats *stats)
{
	stats->cpu = alloc_percpu(struct kshim_counters);
	return stats->cpu ? 0 : -ENOMEM;
}

void kshim_stats_free(struct kshim_stats *stats)
{
	free_percpu(stats->cpu);
	stats->cpu = NULL;
}

/* All fields are u64, and sums are only ever looked at: no CPU is stopped for them. */
void kshim_stats_sum(const struct kshim_stats *stats, struct kshim_counters *sum)
{
	u64 *to = (u64 *)sum;
	unsigned int i;
	int cpu;

	BUILD_BUG_ON(sizeof(*sum) % sizeof(u64));
	for_each_possible_cpu(cpu) {
		const u64 *from = (const u64 *)per_cpu_ptr(stats->cpu, cpu);

		for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
			to[i] += READ_ONCE(from[i]);
	}
}

void kshim_stats_fold(struct kshim_stats *to, const struct kshim_stats *from)
{
	struct kshim_counters sum = { };
	u64 *words = (u64 *)&sum;
	unsigned int i;

	kshim_stats_sum(from, &sum);
	for (i = 0; i < sizeof(sum) / sizeof(u64); i++)
		this_cpu_add(((u64 __percpu *)to->cpu)[i], words[i]);
}
