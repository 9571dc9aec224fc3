// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parameters that let the administrator answer for host bridges.
 */
#include <linux/module.h>
#include <linux/spinlock.h>

#include "core/trust.h"
#include "disk/disk.h"

static bool trust_all;
module_param_named(trust_host_bridge, trust_all, bool, 0644);
MODULE_PARM_DESC(trust_host_bridge,
		 "assume that every host bridge forwards peer-to-peer traffic (default: no)");

static DEFINE_SPINLOCK(trust_lock);
static struct kshim_trust trusted;	/* under trust_lock */

static int trust_set(const char *text, const struct kernel_param *param)
{
	struct kshim_trust trust;
	int ret = kshim_trust_parse(text, &trust);

	if (ret) {
		pr_warn("phyr: trust_bridges takes up to %d of VENDOR:DEVICE, like 8086:29c0,1022:14b5\n",
			KSHIM_TRUST_MAX);
		return -EINVAL;
	}
	spin_lock(&trust_lock);
	trusted = trust;
	spin_unlock(&trust_lock);
	return 0;
}

static int trust_get(char *buf, const struct kernel_param *param)
{
	struct kshim_trust trust;
	int len = 0;
	u32 i;

	spin_lock(&trust_lock);
	trust = trusted;
	spin_unlock(&trust_lock);
	for (i = 0; i < trust.nr; i++)
		len += scnprintf(buf + len, PAGE_SIZE - len, "%s%04x:%04x", i ? "," : "",
				 trust.bridge[i].vendor, trust.bridge[i].device);
	return len + scnprintf(buf + len, PAGE_SIZE - len, "\n");
}

static const struct kernel_param_ops trust_ops = { .set = trust_set, .get = trust_get };
module_param_cb(trust_bridges, &trust_ops, NULL, 0644);
MODULE_PARM_DESC(trust_bridges,
		 "host bridges that forward such traffic, as VENDOR:DEVICE,... (default: none)");

bool kshim_trusts(const struct kshim_path *a, const struct kshim_path *b)
{
	bool both;

	if (READ_ONCE(trust_all))
		return true;
	spin_lock(&trust_lock);
	both = kshim_trust_has(&trusted, a->bridge_vendor, a->bridge_device) &&
	       kshim_trust_has(&trusted, b->bridge_vendor, b->bridge_device);
	spin_unlock(&trust_lock);
	return both;
}
