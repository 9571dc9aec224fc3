// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr.ko: brings the parts up and down, and tells them when a PCI device goes away.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>

#include "kshim.h"
#include "hook.h"

struct workqueue_struct *kshim_wq;
struct kshim_stats kshim_stats_rest;

static bool hooked;

void kshim_hook_set(bool on)
{
	WRITE_ONCE(hooked, on);
}
EXPORT_SYMBOL_GPL(kshim_hook_set);

bool kshim_hooked(void)
{
	return READ_ONCE(hooked);
}

/*
 * Before a driver lets go of its device and before a device disappears, the driver
 * core says so and waits for us. A removed device may still be on its bus's list for
 * a moment and be found again; the last notice ends that too.
 */
static int pci_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);

	switch (action) {
	case BUS_NOTIFY_UNBIND_DRIVER:
		kshim_nvmes_remove(pdev);
		break;
	case BUS_NOTIFY_UNBOUND_DRIVER:
		kshim_nvmes_unbound(pdev);
		kshim_providers_unbound(pdev);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
		kshim_providers_unbound(pdev);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		kshim_providers_unbound(pdev);
		fallthrough;
	case BUS_NOTIFY_DEL_DEVICE:
		kshim_providers_remove(pdev);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block pci_notifier = { .notifier_call = pci_notify };

static int __init phyr_init(void)
{
	int ret;

	ret = kshim_stats_init(&kshim_stats_rest);
	if (ret)
		return ret;
	ret = -ENOMEM;
	kshim_wq = alloc_workqueue("phyr", WQ_UNBOUND, 0);
	if (!kshim_wq)
		goto free_stats;
	ret = kshim_regions_init();
	if (ret)
		goto destroy_wq;
	ret = kshim_cmds_init();
	if (ret)
		goto exit_regions;
	ret = kshim_nvmes_init();
	if (ret)
		goto exit_cmds;
	ret = kshim_dio_init();
	if (ret)
		goto exit_nvmes;
	ret = bus_register_notifier(&pci_bus_type, &pci_notifier);
	if (ret)
		goto exit_dio;
	ret = kshim_dev_init();
	if (ret)
		goto unregister_notifier;
	return 0;

unregister_notifier:
	bus_unregister_notifier(&pci_bus_type, &pci_notifier);
exit_dio:
	kshim_dio_exit();
exit_nvmes:
	kshim_nvmes_exit();
exit_cmds:
	kshim_cmds_exit();
exit_regions:
	kshim_regions_exit();
destroy_wq:
	destroy_workqueue(kshim_wq);
free_stats:
	kshim_stats_free(&kshim_stats_rest);
	return ret;
}

DEFINE_PER_CPU(struct kshim_users, kshim_users);

/*
 * Only those inside can bring in more, their own asynchronous I/O. Whoever went is
 * counted first: were somebody inside all the while, more would have come than went.
 */
static bool users_left(void)
{
	unsigned long came = 0, went = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		went += READ_ONCE(per_cpu(kshim_users, cpu).went);
	smp_mb();
	for_each_possible_cpu(cpu)
		came += READ_ONCE(per_cpu(kshim_users, cpu).came);
	return came != went;
}

/*
 * No open file and no user of the symbols is left, for they held the module. Calls
 * from the hook and asynchronous I/O are waited for; the last of them may still be on
 * its way out, in a task that was preempted there or in an interrupt.
 */
static void users_wait(void)
{
	synchronize_rcu_tasks();
	while (users_left())
		msleep(20);
	synchronize_rcu_tasks();
	synchronize_rcu();
}

static void __exit phyr_exit(void)
{
	users_wait();
	kshim_dev_exit();
	bus_unregister_notifier(&pci_bus_type, &pci_notifier);
	kshim_dio_exit();
	kshim_regions_exit();
	kshim_nvmes_exit();
	kshim_cmds_exit();
	kshim_providers_remove(NULL);
	destroy_workqueue(kshim_wq);
	kshim_stats_free(&kshim_stats_rest);
}

module_init(phyr_init);
module_exit(phyr_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(KSHIM_VERSION);
MODULE_DESCRIPTION("Direct I/O between files and device memory without struct page");
