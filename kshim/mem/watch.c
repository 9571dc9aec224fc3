// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether memory answers. A device that is told not to decode memory addresses, or to
 * sleep, swallows what is written to its BARs and gives all ones, and the disk that does
 * that is told nothing. To ask the device for each I/O would cost more than the I/O. So
 * what switches it off is watched: all drivers' and users' writes to configuration space
 * go through six functions of the PCI core.
 *
 *	who switches it off		a command to or from it
 *	  provider->off = true		  is refused, or else is carried out, then
 *	  write to the device		  completes: provider->off? it counts as failed
 *
 * What is lost is lost after the write, and so the completion sees it. A provider that
 * was switched off stays so; when the device answers again, there is a new one.
 */
#include <linux/ftrace.h>
#include <linux/list.h>
#include <linux/pci.h>

#include "mem/mem.h"

static DEFINE_RAW_SPINLOCK(watch_lock);
static LIST_HEAD(watched);	/* under watch_lock */

/* Is this, in a register of the device, what makes it deaf? */
static bool watch_is_off(const struct pci_dev *pdev, int pos, u32 val)
{
	if (pos == PCI_COMMAND)
		return !(val & PCI_COMMAND_MEMORY) && !pdev->no_command_memory;
	return pdev->pm_cap && pos == pdev->pm_cap + PCI_PM_CTRL &&
	       val & PCI_PM_CTRL_STATE_MASK;
}

static bool watch_register_is_off(struct pci_dev *pdev, int pos)
{
	u16 val;

	pci_read_config_word(pdev, pos, &val);
	return PCI_POSSIBLE_ERROR(val) || watch_is_off(pdev, pos, val);
}

/* The bridges on the way to it have to forward what it is to decode. */
static bool watch_answers(struct pci_dev *pdev)
{
	for (; pdev; pdev = pci_upstream_bridge(pdev))
		if (watch_register_is_off(pdev, PCI_COMMAND) ||
		    (pdev->pm_cap &&
		     watch_register_is_off(pdev, pdev->pm_cap + PCI_PM_CTRL)))
			return false;
	return true;
}

static bool watch_depends(struct pci_dev *pdev, const struct pci_bus *bus,
			  unsigned int devfn, int pos, u32 val)
{
	for (; pdev; pdev = pci_upstream_bridge(pdev))
		if (pdev->bus == bus && pdev->devfn == devfn)
			return watch_is_off(pdev, pos, val);
	return false;
}

/* Somebody is about to write to a register: any context. */
static void watch_write(const struct pci_bus *bus, unsigned int devfn, int pos, u32 val)
{
	struct phyr_provider *provider;
	unsigned long flags;
	bool off = false;

	raw_spin_lock_irqsave(&watch_lock, flags);
	list_for_each_entry(provider, &watched, watch)
		if (!provider->off &&
		    watch_depends(provider->pdev, bus, devfn, pos, val)) {
			WRITE_ONCE(provider->off, true);
			off = true;
		}
	raw_spin_unlock_irqrestore(&watch_lock, flags);
	if (off)
		kshim_providers_check();
}

/* pci_bus_write_config_*(bus, devfn, pos, val) */
static void watch_bus_write(unsigned long ip, unsigned long parent_ip,
			    struct ftrace_ops *op, struct ftrace_regs *fregs)
{
	watch_write((const struct pci_bus *)ftrace_regs_get_argument(fregs, 0),
		    ftrace_regs_get_argument(fregs, 1),
		    ftrace_regs_get_argument(fregs, 2),
		    ftrace_regs_get_argument(fregs, 3));
}

/* pci_user_write_config_*(pdev, pos, val) */
static void watch_user_write(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *op, struct ftrace_regs *fregs)
{
	const struct pci_dev *pdev;

	pdev = (const struct pci_dev *)ftrace_regs_get_argument(fregs, 0);
	watch_write(pdev->bus, pdev->devfn, ftrace_regs_get_argument(fregs, 1),
		    ftrace_regs_get_argument(fregs, 2));
}

/* Permanent: kernel.ftrace_enabled cannot switch them off, or is off and they fail. */
#define WATCH_FLAGS \
	(FTRACE_OPS_FL_SAVE_ARGS | FTRACE_OPS_FL_RECURSION | FTRACE_OPS_FL_PERMANENT)

static struct ftrace_ops watch_ops[] = {
	{ .func = watch_bus_write, .flags = WATCH_FLAGS },
	{ .func = watch_user_write, .flags = WATCH_FLAGS },
};

static void *const watch_functions[][3] = {
	{ pci_bus_write_config_byte, pci_bus_write_config_word,
	  pci_bus_write_config_dword },
	{ pci_user_write_config_byte, pci_user_write_config_word,
	  pci_user_write_config_dword },
};

bool kshim_watch_begin(struct phyr_provider *provider)
{
	raw_spin_lock_irq(&watch_lock);
	list_add(&provider->watch, &watched);
	raw_spin_unlock_irq(&watch_lock);
	/* whoever switches it off from here on is seen */
	return watch_answers(provider->pdev);
}

void kshim_watch_end(struct phyr_provider *provider)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&watch_lock, flags);
	list_del_init(&provider->watch);
	raw_spin_unlock_irqrestore(&watch_lock, flags);
}

static int watch_attach(unsigned int i)
{
	unsigned long ips[ARRAY_SIZE(watch_functions[i])];
	unsigned int j;
	int ret;

	for (j = 0; j < ARRAY_SIZE(ips); j++)
		ips[j] = (unsigned long)watch_functions[i][j];
	ret = ftrace_set_filter_ips(&watch_ops[i], ips, ARRAY_SIZE(ips), 0, 0);
	if (!ret)
		ret = register_ftrace_function(&watch_ops[i]);
	if (ret)
		ftrace_free_filter(&watch_ops[i]);
	return ret;
}

static void watch_detach(unsigned int i)
{
	kshim_ftrace_ended(unregister_ftrace_function(&watch_ops[i]));
	ftrace_free_filter(&watch_ops[i]);
}

int kshim_watch_init(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(watch_ops); i++) {
		ret = watch_attach(i);
		if (ret)
			goto detach;
	}
	return 0;

detach:
	pr_err("phyr: cannot see when devices are switched off: %pe; is the sysctl kernel.ftrace_enabled 0?\n",
	       ERR_PTR(ret));
	while (i)
		watch_detach(--i);
	return ret;
}

void kshim_watch_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(watch_ops); i++)
		watch_detach(i);
}
