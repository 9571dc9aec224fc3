/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * phyr.ko by layers: each calls those on its left, and none calls back. What is in
 * kshim.h and kshim.c belongs to all of them.
 *
 *	mem <---------- disk <------------ dio <------------ ctl <---- main, pci
 *	whose memory,   which disk, by     a file's direct   /dev/phyr  up and down,
 *	for how long    which commands     I/O                          devices that go
 *
 * The nouns and how they hold each other:
 *
 *	region ----- extents ----> provider ----- pairs ----> nvme
 *	(one VMA of one mm)        (a PCI BAR)   (route and  (a PCI device)
 *	   ^                                      mapping)      ^
 *	   '-- holds -- vec <-- iter -- bio, dio               disk
 *	                                 '-- io <-- commands   (a namespace's gendisk)
 *
 * Who keeps whom: the holds of a vector keep its regions; a dio keeps its vectors, its
 * mount, and by its io a use of its disk's nvme. A region keeps the providers of its
 * extents. A pair is on the lists of its provider and of its nvme; whichever goes first
 * undoes it.
 *
 * What ends a DMA: a gate. Taking away memory (an unmapped VMA, a removed provider)
 * closes the gates of the regions, or of the provider, and waits until no command is
 * inside. Nobody waits with kshim_devices held. Taking away a disk waits for nothing but its
 * own driver, which ends every request: see nvme_end().
 *
 * Lock order, outermost first:
 *
 *	inode lock (the filesystem's)
 *	  region->fill
 *	    mmap_lock
 *	      drivers_lock		who answers for which mappings
 *	    kshim_devices		providers, pairs, nvmes, disks: the slow paths
 *	      region->lock		gate, map
 *	        regions_lock		which regions there are; a raw spinlock
 *
 * What every I/O looks up, in a few instructions, is under rcu_read_lock_sched(), which
 * costs no calls; grace periods wait for readers of both kinds.
 *
 * The mmu notifier runs under mmap_lock and takes region->lock and regions_lock,
 * which are spinlocks; nothing that it waits for needs mmap_lock: commands in flight
 * end by interrupt, at the latest when the driver is told to give up, see cmd_hurry().
 */
#ifndef _KSHIM_H
#define _KSHIM_H

#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include <uapi/linux/phyr.h>

/* ---------------------------------------------------------------- counters */

struct kshim_counters {
	u64 calls[2][PHYR_NR_REASONS];	/* by READ, WRITE */
	u64 bytes[2][PHYR_NR_REASONS];
	u64 zeroed_calls;
	u64 zeroed_bytes;
	u64 commands;
	u64 errors;
};

struct kshim_stats {
	struct kshim_counters __percpu *cpu;
};

int kshim_stats_init(struct kshim_stats *stats);
void kshim_stats_free(struct kshim_stats *stats);
void kshim_stats_sum(const struct kshim_stats *stats, struct kshim_counters *sum);
/* Add what @from counted to @to. */
void kshim_stats_fold(struct kshim_stats *to, const struct kshim_stats *from);

/* Any context. */
static inline void kshim_count(struct kshim_stats *stats, int rw,
			       enum phyr_reason reason, size_t bytes)
{
	this_cpu_inc(stats->cpu->calls[rw][reason]);
	this_cpu_add(stats->cpu->bytes[rw][reason], bytes);
}

/* Counts of I/O in no mount, and of mounts that are gone. */
extern struct kshim_stats kshim_stats_rest;

/* ------------------------------------------------------------------ visits */

/*
 * Who came and who went, counted on each CPU for itself: no line of memory is written by
 * two of them. Who comes on one may go on another.
 */
struct kshim_visits {
	unsigned long came;
	unsigned long went;
};

/*
 * Have all gone that had come at some moment during the call? Who comes after it is for
 * the caller to keep out.
 */
bool kshim_visits_over(const struct kshim_visits __percpu *visits);

/* ------------------------------------------------------------------- gates */

/*
 * Counts the DMA under way to some device memory, and ends it. Whoever begins one
 * counts it and then looks whether the gate is closed; whoever closes it says so and
 * then looks at the count: one of the two sees the other.
 */
struct phyr_gate {
	struct kshim_visits __percpu *visits;
	bool closed;		/* never opens again */
};

/* 0 or -ENOMEM. Process context. */
int kshim_gate_init(struct phyr_gate *gate);
/* It has been drained, or was never entered, and nobody will try to. Any context. */
void kshim_gate_free(struct phyr_gate *gate);

/*
 * End a DMA. The gate stays for an RCU grace period after it has been drained: with the
 * count gone only RCU keeps it. Any context.
 */
static inline void kshim_gate_exit(struct phyr_gate *gate)
{
	bool closed;

	rcu_read_lock_sched();
	/* what was done inside is done; pairs with kshim_visits_over() */
	smp_mb__before_atomic();
	this_cpu_inc(gate->visits->went);
	/* pairs with kshim_gate_idle(): it counts this one, or is woken */
	smp_mb();
	closed = READ_ONCE(gate->closed);
	rcu_read_unlock_sched();
	/* only its address, and where that may sleep */
	if (unlikely(closed))
		wake_up_var(gate);
}

/* Begin one: false when the memory is gone. The caller has a reference. Any context. */
static inline bool kshim_gate_enter(struct phyr_gate *gate)
{
	this_cpu_inc(gate->visits->came);
	/* pairs with kshim_gate_idle(): it counts this one, or is seen to have closed */
	smp_mb();
	if (likely(!READ_ONCE(gate->closed)))
		return true;
	kshim_gate_exit(gate);
	return false;
}

/* Is nobody inside of a closed gate? */
static inline bool kshim_gate_idle(const struct phyr_gate *gate)
{
	/* pairs with kshim_gate_enter() and kshim_gate_exit() */
	smp_mb();
	return kshim_visits_over(gate->visits);
}

/* Wait until nobody is inside of a closed gate. Process context. */
void kshim_gate_wait(struct phyr_gate *gate);
static inline void kshim_gate_drain(struct phyr_gate *gate)
{
	if (!kshim_gate_idle(gate))
		kshim_gate_wait(gate);
}

/*
 * For how long somebody has been waiting at the gate, in jiffies; 0: nobody is. @gate is
 * only compared, and may be stale. Process context, does not sleep.
 */
unsigned long kshim_gate_waited(const struct phyr_gate *gate);
/* Called again and again while somebody waits, to hurry what is inside. May sleep. */
extern void (*kshim_gates_hurry)(void);

/* ---------------------------------------------------- who is inside the module */

/*
 * Calls from the hook, and asynchronous I/O under way. Removal of the module waits for
 * them. Any context.
 */
DECLARE_PER_CPU(struct kshim_visits, kshim_users);

static inline void kshim_user_get(void)
{
	this_cpu_inc(kshim_users.came);
}

static inline void kshim_user_put(void)
{
	this_cpu_inc(kshim_users.went);
}

/* Wait for all of them. Process context. */
void kshim_users_wait(void);

/*
 * What unregistering from ftrace gave. Once ftrace has found a fault of its own, it lets
 * go of no function: the code that it calls has to stay, and whoever removes it with it.
 */
void kshim_ftrace_ended(int ret);

/* For work that may have to sleep; flushed before the module goes. */
extern struct workqueue_struct *kshim_wq;

/* Process context. */
int kshim_base_init(void);
void kshim_base_exit(void);

#endif /* _KSHIM_H */
