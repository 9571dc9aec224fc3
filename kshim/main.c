// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr.ko: brings the parts up and down.
 */
#include <linux/module.h>

#include "ctl/ctl.h"
#include "pci.h"

static int __init phyr_init(void)
{
	int ret;

	ret = kshim_base_init();
	if (ret)
		return ret;
	ret = kshim_watch_init();
	if (ret)
		goto exit_base;
	ret = kshim_cmds_init();
	if (ret)
		goto exit_watch;
	ret = kshim_pci_init();
	if (ret)
		goto exit_cmds;
	ret = kshim_dio_init();
	if (ret)
		goto exit_pci;
	ret = kshim_dev_init();
	if (ret)
		goto exit_dio;
	return 0;

exit_dio:
	kshim_dio_exit();
exit_pci:
	kshim_pci_exit();
exit_cmds:
	kshim_cmds_exit();
exit_watch:
	kshim_watch_exit();
exit_base:
	kshim_base_exit();
	return ret;
}

static void __exit phyr_exit(void)
{
	kshim_users_wait();
	kshim_watch_exit();
	kshim_dev_exit();
	kshim_dio_exit();
	kshim_pci_exit();
	kshim_cmds_exit();
	kshim_base_exit();
}

module_init(phyr_init);
module_exit(phyr_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(KSHIM_VERSION);
MODULE_DESCRIPTION("Direct I/O between files and device memory without struct page");
