// SPDX-License-Identifier: GPL-2.0-only
/*
 * What belongs to all layers: counters, per CPU since any context counts; who is inside
 * the module; who waits at gates; the workqueue.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

#include "kshim.h"

/* A drain that somebody has waited for is looked at so often. */
#define GATES_HURRY	(HZ / 4)

struct kshim_stats kshim_stats_rest;
struct workqueue_struct *kshim_wq;
DEFINE_PER_CPU(struct kshim_visits, kshim_users);

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
	for_each_possible_cpu(cpu)
	{
		const u64 *from = (const u64 *)per_cpu_ptr(stats->cpu, cpu);

		for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
			to[i] += READ_ONCE(from[i]);
	}
}

void kshim_stats_fold(struct kshim_stats *to, const struct kshim_stats *from)
{
	struct kshim_counters sum = {};
	u64 *words = (u64 *)&sum;
	unsigned int i;

	kshim_stats_sum(from, &sum);
	for (i = 0; i < sizeof(sum) / sizeof(u64); i++)
		this_cpu_add(((u64 __percpu *)to->cpu)[i], words[i]);
}

/*
 * Those who went are counted first, then those who came. At the moment between the two,
 * not fewer had gone than were counted, and not more had come; and not more had gone than
 * had come. So if the counts are the same, all were: nobody was inside at that moment,
 * and whoever has come since was not counted. Who is not counted has not come yet for
 * this CPU, and sees what it wrote before a full barrier before the call, if there is one
 * between coming and looking.
 */
bool kshim_visits_over(const struct kshim_visits __percpu *visits)
{
	unsigned long came = 0, went = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		went += READ_ONCE(per_cpu_ptr(visits, cpu)->went);
	/* pairs with what is between coming and going */
	smp_mb();
	for_each_possible_cpu(cpu)
		came += READ_ONCE(per_cpu_ptr(visits, cpu)->came);
	return came == went;
}

int kshim_gate_init(struct phyr_gate *gate)
{
	gate->closed = false;
	gate->visits = alloc_percpu_gfp(struct kshim_visits, GFP_KERNEL_ACCOUNT);
	return gate->visits ? 0 : -ENOMEM;
}

void kshim_gate_free(struct phyr_gate *gate)
{
	free_percpu(gate->visits);
}

/*
 * No open file and no user of the symbols is left, for they held the module. The last of
 * those who are waited for may still be on its way out, in a task that was preempted
 * there or in an interrupt.
 */
void kshim_users_wait(void)
{
	synchronize_rcu_tasks();
	/* only those inside can bring in more, their own asynchronous I/O */
	while (!kshim_visits_over(&kshim_users))
		msleep(20);
	synchronize_rcu_tasks();
	synchronize_rcu();
}

/* Of one who waits, on his stack. */
struct gate_wait {
	struct list_head list;
	const struct phyr_gate *gate;
	unsigned long since;
};

static LIST_HEAD(gate_waits);
static DEFINE_SPINLOCK(gate_waits_lock);
void (*kshim_gates_hurry)(void);

static bool gates_waited(void)
{
	bool waited;

	spin_lock(&gate_waits_lock);
	waited = !list_empty(&gate_waits);
	spin_unlock(&gate_waits_lock);
	return waited;
}

static void gates_work(struct work_struct *work)
{
	if (!gates_waited())
		return;
	kshim_gates_hurry();
	queue_delayed_work(kshim_wq, to_delayed_work(work), GATES_HURRY);
}

static DECLARE_DELAYED_WORK(gates_hurry_work, gates_work);

void kshim_gate_wait(struct phyr_gate *gate)
{
	struct gate_wait wait = { .gate = gate, .since = jiffies };

	spin_lock(&gate_waits_lock);
	list_add(&wait.list, &gate_waits);
	spin_unlock(&gate_waits_lock);
	queue_delayed_work(kshim_wq, &gates_hurry_work, GATES_HURRY);
	wait_var_event(gate, kshim_gate_idle(gate));
	spin_lock(&gate_waits_lock);
	list_del(&wait.list);
	spin_unlock(&gate_waits_lock);
}

unsigned long kshim_gate_waited(const struct phyr_gate *gate)
{
	unsigned long waited = 0;
	struct gate_wait *wait;

	spin_lock(&gate_waits_lock);
	list_for_each_entry(wait, &gate_waits, list)
		if (wait->gate == gate)
			waited = max(waited, jiffies - wait->since);
	spin_unlock(&gate_waits_lock);
	return waited;
}

void kshim_ftrace_ended(int ret)
{
	if (!WARN_ONCE(ret, "phyr: ftrace does not let go (%pe); the module can only go with the system\n",
		       ERR_PTR(ret)))
		return;
	for (;;)
		schedule_timeout_idle(MAX_SCHEDULE_TIMEOUT);
}
EXPORT_SYMBOL_GPL(kshim_ftrace_ended);

int kshim_base_init(void)
{
	int ret = kshim_stats_init(&kshim_stats_rest);

	if (ret)
		return ret;
	kshim_wq = alloc_workqueue("phyr", WQ_UNBOUND, 0);
	if (!kshim_wq) {
		kshim_stats_free(&kshim_stats_rest);
		return -ENOMEM;
	}
	return 0;
}

void kshim_base_exit(void)
{
	cancel_delayed_work_sync(&gates_hurry_work);
	destroy_workqueue(kshim_wq);
	kshim_stats_free(&kshim_stats_rest);
}
