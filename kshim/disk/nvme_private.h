/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two declarations of the nvme driver's that its public headers lack. The same in
 * 6.12, 7.2 and 7.3 (drivers/nvme/host/nvme.h there). Nothing in a build tells when they
 * change; see kshim_cmds_check().
 */
#ifndef _KSHIM_NVME_PRIVATE_H
#define _KSHIM_NVME_PRIVATE_H

#include <linux/blk-mq.h>
#include <linux/nvme.h>

/* The first fields of what the driver keeps behind each request. */
struct nvme_request_head {
	struct nvme_command *cmd;
	union nvme_result result;
	u8 genctr;
	u8 retries;
	u8 flags;
	u16 status;
};

/* Copies @cmd into the request; the driver then sends it as it is. */
void nvme_init_request(struct request *rq, struct nvme_command *cmd);

#endif /* _KSHIM_NVME_PRIVATE_H */
