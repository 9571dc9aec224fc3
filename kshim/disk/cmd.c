// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVMe commands whose buffer is device memory. A command is a request without a bio on
 * the namespace's own queue; the stock driver sends the PRPs that it finds in it.
 *
 * The block layer checks bios and not such requests, so what it would have refused
 * is refused here: see cmd_check_xfer().
 */
#include <linux/nvme.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "disk/disk.h"
#include "disk/nvme_private.h"

#define CMD_SEGS		16	/* DMA ranges of one command */
#define CMD_LIST_PAGES		5	/* 5 * 511 entries: above KSHIM_CMD_BYTES_MAX */
#define CMD_LOOK		4	/* idle commands that are looked at for a list */
#define CMD_REPEATS		5	/* the driver's default, nvme_core.max_retries */
#define CMD_REPEAT_TICK		(HZ / 10)

/*
 * One NVMe command. Belongs to the request from the moment that it is queued; cmd_end()
 * puts it on the stack of its controller, with its first list page. That page's entries
 * stay good for as long as the same memory is asked for: they are plain addresses, one
 * page apart, and whether the memory may be used is not theirs to say.
 *
 * cmd_hurry() looks at commands that may have ended: their memory stays one's for an RCU
 * grace period.
 */
struct kshim_cmd {
	struct phyr_io *io;
	struct phyr_gate *gate;
	struct phyr_provider *provider;	/* kept by whatever has the gate */
	struct kshim_nvme *nvme;
	u32 bytes;
	u8 write;
	u8 nr_pages;			/* list pages */
	u8 nr_repeats;
	u32 nr_known;			/* entries of the first one that ascend from: */
	u64 known;
	struct kshim_prp_page page[CMD_LIST_PAGES];
	struct kshim_segs segs;		/* the buffer as the disk sees it */
	struct kshim_seg seg[CMD_SEGS];
	struct list_head list;		/* nvme->repeats, under its lock; with: */
	unsigned long due;		/* jiffies */
	struct nvme_command nc;		/* what cmd_fill() does not set stays 0 */
};

static struct kmem_cache *cmd_cache;

static void cmd_trim(struct kshim_cmd *cmd, unsigned int nr_pages)
{
	while (cmd->nr_pages > nr_pages) {
		cmd->nr_pages--;
		dma_pool_free(cmd->nvme->prp_pool, cmd->page[cmd->nr_pages].entries,
			      cmd->page[cmd->nr_pages].dma);
	}
}

static void cmd_free(struct kshim_cmd *cmd)
{
	cmd_trim(cmd, 0);
	kmem_cache_free(cmd_cache, cmd);
}

void kshim_cmds_free(struct kshim_nvme *nvme)
{
	struct kshim_cmd_stack *idle;
	int cpu;

	for_each_possible_cpu(cpu) {
		idle = &per_cpu_ptr(nvme->cpu, cpu)->idle;
		while (idle->nr)
			cmd_free(idle->cmd[--idle->nr]);
	}
}

/* An idle command, if possible one whose list begins with @first. */
static struct kshim_cmd *cmd_pop(struct kshim_nvme *nvme, u64 first)
{
	struct kshim_cmd *cmd = NULL;
	struct kshim_cmd_stack *idle;
	unsigned int i, look;
	unsigned long flags;

	local_irq_save(flags);
	idle = this_cpu_ptr(&nvme->cpu->idle);
	if (idle->nr) {
		look = first ? min_t(unsigned int, idle->nr, CMD_LOOK) : 1;
		for (i = idle->nr - 1; look > 1 && idle->cmd[i]->known != first; look--)
			i--;
		cmd = idle->cmd[i];
		idle->cmd[i] = idle->cmd[--idle->nr];
	}
	local_irq_restore(flags);
	return cmd;
}

/* Any context. */
static void cmd_put(struct kshim_cmd *cmd)
{
	struct kshim_cmd_stack *idle;
	unsigned long flags;

	cmd_trim(cmd, 1);
	local_irq_save(flags);
	idle = this_cpu_ptr(&cmd->nvme->cpu->idle);
	if (likely(idle->nr < KSHIM_CMDS_IDLE)) {
		idle->cmd[idle->nr++] = cmd;
		cmd = NULL;
	}
	local_irq_restore(flags);
	if (unlikely(cmd))
		cmd_free(cmd);
}

/* A command with @nr_pages list pages. @first: the address of its first entry there. */
static struct kshim_cmd *cmd_get(struct kshim_nvme *nvme, unsigned int nr_pages,
				 u64 first)
{
	struct kshim_cmd *cmd = cmd_pop(nvme, nr_pages ? first : 0);
	struct kshim_prp_page *page;

	if (unlikely(!cmd)) {
		cmd = kmem_cache_alloc(cmd_cache, GFP_KERNEL);
		if (!cmd)
			return NULL;
		cmd->nvme = nvme;
		cmd->nr_pages = 0;
		cmd->nr_known = 0;
		cmd->known = 0;
		cmd->segs.seg = cmd->seg;
		cmd->segs.max = CMD_SEGS;
		memset(&cmd->nc, 0, sizeof(cmd->nc));
	}
	for (; cmd->nr_pages < nr_pages; cmd->nr_pages++) {
		page = &cmd->page[cmd->nr_pages];
		page->entries = dma_pool_alloc(nvme->prp_pool, GFP_KERNEL, &page->dma);
		if (!page->entries) {
			cmd_put(cmd);
			return NULL;
		}
	}
	return cmd;
}

/* ------------------------------------------------------------------- the end */

/*
 * The block layer's name for a status of a read or write (NVM Express Base Specification,
 * Status Code), so that the error is the same as that of a bio.
 */
static blk_status_t cmd_blk_status(u16 status)
{
	switch (status & NVME_SCT_SC_MASK) {
	case NVME_SC_CAP_EXCEEDED:
		return BLK_STS_NOSPC;
	case NVME_SC_LBA_RANGE:
	case NVME_SC_CMD_INTERRUPTED:
	case NVME_SC_NS_NOT_READY:
		return BLK_STS_TARGET;
	case NVME_SC_BAD_ATTRIBUTES:
	case NVME_SC_INVALID_OPCODE:
	case NVME_SC_INVALID_FIELD:
	case NVME_SC_INVALID_NS:
		return BLK_STS_NOTSUPP;
	case NVME_SC_WRITE_FAULT:
	case NVME_SC_READ_ERROR:
	case NVME_SC_UNWRITTEN_BLOCK:
	case NVME_SC_ACCESS_DENIED:
	case NVME_SC_READ_ONLY:
		return BLK_STS_MEDIUM;
	case NVME_SC_GUARD_CHECK:
	case NVME_SC_APPTAG_CHECK:
	case NVME_SC_REFTAG_CHECK:
	case NVME_SC_INVALID_PI:
		return BLK_STS_PROTECTION;
	case NVME_SC_RESERVATION_CONFLICT:
		return BLK_STS_RESV_CONFLICT;
	case NVME_SC_HOST_PATH_ERROR:
		return BLK_STS_TRANSPORT;
	default:
		return BLK_STS_IOERR;
	}
}

/* Any context. */
static void cmd_fail(struct kshim_cmd *cmd, int error)
{
	struct phyr_io *io = cmd->io;

	this_cpu_inc(io->stats->cpu->errors);
	kshim_io_fail(io, error);
	cmd_put(cmd);
	kshim_io_put(io);
}

/* The driver does not: it takes the request for one whose sender sees the status. */
static void cmd_tell(const struct kshim_cmd *cmd, const struct nvme_request_head *nr)
{
	pr_err_ratelimited("phyr: %s: %s of %u bytes at block %llu failed, NVMe status %#x\n",
			   cmd->io->disk->gendisk->disk_name,
			   cmd->write ? "write" : "read", cmd->bytes,
			   le64_to_cpu(nr->cmd->rw.slba), nr->status);
}

/* ------------------------------------------------------------------ once more */

/*
 * The driver repeats no command of ours: they are marked as failfast, because one that it
 * repeats stays inside of its gate, and who waits there would wait for all tries. Instead a
 * command that may be repeated leaves the gate, waits on a list of its controller, and has
 * to enter the gate again. The rules are the driver's.
 *
 * A controller that is being reset ends commands like ours at once, with a host path error,
 * where it would keep others: those do not count.
 */
static bool cmd_may_repeat(struct kshim_cmd *cmd, struct request_queue *q, u16 status)
{
	if (!status || status & NVME_STATUS_DNR || blk_queue_dying(q))
		return false;
	if ((status & NVME_SCT_SC_MASK) == NVME_SC_HOST_PATH_ERROR)
		return true;
	return cmd->nr_repeats++ < CMD_REPEATS;
}

/*
 * How long the disk wants to be left alone (Command Retry Delay) stands in a table that only
 * the driver has. Waiting twice as long each time comes to half a minute in all.
 */
static unsigned long cmd_repeat_delay(const struct kshim_cmd *cmd, u16 status)
{
	if ((status & NVME_SCT_SC_MASK) == NVME_SC_HOST_PATH_ERROR)
		return CMD_REPEAT_TICK;
	if (status & NVME_STATUS_CRD)
		return HZ << (cmd->nr_repeats - 1);
	return 0;
}

/* Any context. */
static void cmd_repeat_in(struct kshim_cmd *cmd, unsigned long delay)
{
	struct kshim_nvme *nvme = cmd->nvme;
	unsigned long flags;

	cmd->due = jiffies + delay;
	spin_lock_irqsave(&nvme->repeats_lock, flags);
	list_add_tail(&cmd->list, &nvme->repeats);
	spin_unlock_irqrestore(&nvme->repeats_lock, flags);
	if (delay)
		queue_delayed_work(kshim_wq, &nvme->repeat, CMD_REPEAT_TICK);
	else
		mod_delayed_work(kshim_wq, &nvme->repeat, 0);
}

/*
 * Interrupt context. The status argument alone does not do: completion in a batch
 * passes 0 for a command that failed. The driver's flag for cancelled commands is no
 * help, it stays on one that a reset cancelled and a repetition finished.
 */
static enum rq_end_io_ret cmd_end(KSHIM_END_IO_ARGS)
{
	const struct nvme_request_head *nr = blk_mq_rq_to_pdu(rq);
	struct kshim_cmd *cmd = rq->end_io_data;
	bool off = kshim_provider_is_off(cmd->provider);
	struct phyr_io *io = cmd->io;

	/* which the vectors of the io keep until it is done */
	kshim_gate_exit(cmd->gate);
	if (likely(!status && !nr->status && !off)) {
		this_cpu_add(io->stats->cpu->bytes[cmd->write][PHYR_DIRECT], cmd->bytes);
		cmd_put(cmd);
		kshim_io_put(io);
	} else if (off) {
		kshim_count(io->stats, cmd->write, PHYR_SWITCHED_OFF, cmd->bytes);
		cmd_fail(cmd, -EIO);
	} else if (cmd_may_repeat(cmd, rq->q, nr->status)) {
		cmd_repeat_in(cmd, cmd_repeat_delay(cmd, nr->status));
	} else {
		if (nr->status)
			cmd_tell(cmd, nr);
		cmd_fail(cmd, blk_status_to_errno(status ?: cmd_blk_status(nr->status)));
	}
	return RQ_END_IO_FREE;
}

/* The next ranges as the disk sees them, of at most @max bytes, until the command has
 * no more room: how much that is. */
static size_t cmd_segs(struct kshim_cmd *cmd, struct phyr_iter it, size_t max, u64 delta)
{
	size_t done = 0, n;

	cmd->segs.nr = 0;
	for (; done < max; done += n) {
		n = min(max - done, phyr_iter_contig(&it));
		if (kshim_segs_append(&cmd->segs, phyr_iter_addr(&it) + delta, n))
			break;
		phyr_iter_advance(&it, n);
	}
	return done;
}

/* Not inline, here and below: the short way would clear its cursors each time. */
static noinline size_t cmd_fit_segs(struct kshim_cmd *cmd, const struct kshim_xfer *xfer,
				    size_t max, u64 delta)
{
	struct kshim_seg_iter it;

	max = cmd_segs(cmd, *xfer->iter, max, delta);
	kshim_seg_iter_init(&it, &cmd->segs);
	return kshim_prp_fit(&it, max, bdev_logical_block_size(xfer->bdev));
}

/* How much of the front of @xfer, at most @max, the command can carry. */
static size_t cmd_fit(struct kshim_cmd *cmd, const struct kshim_xfer *xfer, size_t max,
		      u64 delta)
{
	u64 addr = phyr_iter_addr(xfer->iter) + delta;

	if (unlikely(phyr_iter_contig(xfer->iter) < max || addr & 3))
		return cmd_fit_segs(cmd, xfer, max, delta);
	cmd->seg[0] = (struct kshim_seg){ .addr = addr, .len = max };
	cmd->segs.nr = 1;
	return round_down(max, bdev_logical_block_size(xfer->bdev));
}

/* Does the list page hold what a single range needs from its second page on? */
static bool cmd_knows(const struct kshim_cmd *cmd, u64 second, u32 nr)
{
	return cmd->segs.nr == 1 && nr <= cmd->nr_known && cmd->known == second;
}

/* Returns prp2. */
static noinline u64 cmd_prp_build(struct kshim_cmd *cmd, u64 second, u32 nr)
{
	struct kshim_seg_iter it;
	u64 prp1, prp2;

	kshim_seg_iter_init(&it, &cmd->segs);
	kshim_prp_build(&it, cmd->bytes, cmd->page, &prp1, &prp2);
	if (nr > 1) {
		cmd->known = second;
		cmd->nr_known = cmd->segs.nr == 1 && nr <= KSHIM_PRP_ENTRIES ? nr : 0;
	}
	return prp2;
}

static void cmd_prps(struct kshim_cmd *cmd, struct nvme_rw_command *rw)
{
	u64 prp1 = cmd->seg[0].addr, prp2 = 0;
	u64 second = round_down(prp1, KSHIM_PRP_BYTES) + KSHIM_PRP_BYTES;
	u32 nr = DIV_ROUND_UP(cmd->bytes + offset_in_page(prp1), KSHIM_PRP_BYTES) - 1;

	if (!nr) {
		/* all in the first page */
	} else if (nr > 1 && cmd_knows(cmd, second, nr)) {
		prp2 = cmd->page->dma;
	} else {
		prp2 = cmd_prp_build(cmd, second, nr);
	}
	rw->dptr.prp1 = cpu_to_le64(prp1);
	rw->dptr.prp2 = cpu_to_le64(prp2);
}

/* All of a command that does not depend on the request. */
static int cmd_fill(struct kshim_cmd *cmd, const struct kshim_xfer *xfer, u64 sector,
		    size_t max, u64 delta)
{
	struct nvme_command *nc = &cmd->nc;
	unsigned int shift = ilog2(bdev_logical_block_size(xfer->bdev));
	u64 slba;
	u32 nlb;
	int ret;

	cmd->bytes = cmd_fit(cmd, xfer, max, delta);
	ret = kshim_sector_to_lba(sector, cmd->bytes, shift, &slba, &nlb);
	if (ret)
		return ret;
	nc->rw.opcode = cmd->write ? nvme_cmd_write : nvme_cmd_read;
	nc->rw.nsid = cpu_to_le32(cmd->io->disk->nsid);
	nc->rw.slba = cpu_to_le64(slba);
	nc->rw.length = cpu_to_le16(nlb - 1);
	nc->rw.control = cpu_to_le16(xfer->opf & REQ_FUA ? NVME_RW_FUA : 0);
	cmd_prps(cmd, &nc->rw);
	return 0;
}

/*
 * To the driver at once, past the scheduler, which does not sort requests without a bio
 * but costs as if it did; that is what device mapper does with its requests. In the plug,
 * if there is one, for the driver to be told of many at a time.
 */
static void cmd_send(struct request *rq)
{
	blk_status_t status;

	if (current->plug) {
		blk_execute_rq_nowait(rq, false);
		return;
	}
	status = blk_insert_cloned_request(rq);
	if (likely(status == BLK_STS_OK))
		return;
	/* accounting has already ended */
	rq->rq_flags &= ~RQF_IO_STAT;
	if (status == BLK_STS_RESOURCE || status == BLK_STS_DEV_RESOURCE)
		blk_execute_rq_nowait(rq, false);
	else
		blk_mq_end_request(rq, status);
}

/*
 * Through the gate and to the driver, with a request that is used up in any case. -ESTALE:
 * the gate is closed. From the gate on nothing sleeps until the request is queued or in the
 * plug, which is flushed before this task sleeps.
 */
static __always_inline int cmd_start(struct kshim_cmd *cmd, struct request *rq)
{
	nvme_init_request(rq, &cmd->nc);
	rq->end_io = cmd_end;
	rq->end_io_data = cmd;
	if (!kshim_gate_enter(cmd->gate)) {
		blk_mq_free_request(rq);
		return -ESTALE;
	}
	this_cpu_inc(cmd->io->stats->cpu->commands);
	cmd_send(rq);
	return 0;
}

/*
 * Queue one command. All that may fail or sleep comes first, then the gate. @delta was
 * found before that: an open gate says that its provider was not taken away since.
 */
static int cmd_queue(struct phyr_io *io, const struct kshim_xfer *xfer, u64 sector,
		     size_t max, u64 delta, size_t *ret_bytes)
{
	u64 addr = phyr_iter_addr(xfer->iter) + delta;
	struct kshim_cmd *cmd;
	struct request *rq;
	int ret;

	/* a page is at most two PRPs */
	cmd = cmd_get(io->disk->nvme,
		      max <= KSHIM_PRP_BYTES ? 0 : kshim_prp_list_pages(addr, max),
		      round_down(addr, KSHIM_PRP_BYTES) + KSHIM_PRP_BYTES);
	if (!cmd)
		return -ENOMEM;
	cmd->io = io;
	cmd->gate = phyr_iter_hold(xfer->iter)->gate;
	cmd->provider = phyr_iter_hold(xfer->iter)->provider;
	cmd->write = op_is_write(xfer->opf);
	cmd->nr_repeats = 0;
	ret = cmd_fill(cmd, xfer, sector, max, delta);
	if (ret)
		goto put_cmd;
	*ret_bytes = cmd->bytes;

	rq = blk_mq_alloc_request(bdev_get_queue(xfer->bdev),
				  (cmd->write ? REQ_OP_DRV_OUT : REQ_OP_DRV_IN) |
				  (xfer->opf & REQ_POLLED), 0);
	ret = PTR_ERR_OR_ZERO(rq);
	if (ret == -ENODEV)
		ret = -EIO;	/* the disk is gone, in the words for a bio */
	if (ret)
		goto put_cmd;
	/* which is not the last */
	atomic_inc(&io->refs);
	ret = cmd_start(cmd, rq);
	if (likely(!ret))
		return 0;
	atomic_dec(&io->refs);
put_cmd:
	cmd_put(cmd);
	return ret;
}

/*
 * Without waiting for a request: one that is not to be had now, because the controller is
 * being reset or all are in use, is there the next time.
 */
static void cmd_repeat(struct kshim_cmd *cmd)
{
	struct request_queue *q = cmd->io->disk->gendisk->queue;
	struct request *rq;
	int ret;

	if (READ_ONCE(cmd->gate->closed)) {
		cmd_fail(cmd, -ESTALE);
		return;
	}
	if (blk_queue_dying(q)) {
		cmd_fail(cmd, -EIO);
		return;
	}
	rq = blk_mq_alloc_request(q, cmd->write ? REQ_OP_DRV_OUT : REQ_OP_DRV_IN,
				  BLK_MQ_REQ_NOWAIT);
	if (IS_ERR(rq)) {
		cmd_repeat_in(cmd, CMD_REPEAT_TICK);
		return;
	}
	ret = cmd_start(cmd, rq);
	if (ret)
		cmd_fail(cmd, ret);
}

/* One whose gate was closed need not wait to learn it. */
static bool cmd_is_due(const struct kshim_cmd *cmd)
{
	return time_after_eq(jiffies, cmd->due) || READ_ONCE(cmd->gate->closed);
}

static void cmd_repeat_work(struct work_struct *work)
{
	struct kshim_nvme *nvme = container_of(to_delayed_work(work), struct kshim_nvme,
					       repeat);
	struct kshim_cmd *cmd, *next;
	LIST_HEAD(due);

	spin_lock_irq(&nvme->repeats_lock);
	list_for_each_entry_safe(cmd, next, &nvme->repeats, list)
		if (cmd_is_due(cmd))
			list_move_tail(&cmd->list, &due);
	if (!list_empty(&nvme->repeats))
		queue_delayed_work(kshim_wq, &nvme->repeat, CMD_REPEAT_TICK);
	spin_unlock_irq(&nvme->repeats_lock);
	list_for_each_entry_safe(cmd, next, &due, list) {
		list_del(&cmd->list);
		cmd_repeat(cmd);
	}
}

void kshim_cmds_begin(struct kshim_nvme *nvme)
{
	spin_lock_init(&nvme->repeats_lock);
	INIT_LIST_HEAD(&nvme->repeats);
	INIT_DELAYED_WORK(&nvme->repeat, cmd_repeat_work);
}

void kshim_cmds_end(struct kshim_nvme *nvme)
{
	struct kshim_cmd *cmd, *next;

	cancel_delayed_work_sync(&nvme->repeat);
	list_for_each_entry_safe(cmd, next, &nvme->repeats, list) {
		list_del(&cmd->list);
		cmd_fail(cmd, -EIO);
	}
}

/* -------------------------------------------------------------------- driver */

/*
 * Is what the driver keeps behind a request what nvme_private.h says? It begins with a
 * pointer to a command in the same place, to which nvme_init_request() copies ours; and that
 * clears the repetitions, flags and status, and no byte beside them. The request was not
 * sent, and is left as it was found.
 */
static bool cmd_driver_is_known(struct request *rq)
{
	struct nvme_request_head *nr = blk_mq_rq_to_pdu(rq), found, want;
	void *end = (void *)nr + rq->q->tag_set->cmd_size;
	struct nvme_command nc = {
		.rw.opcode = nvme_cmd_read, .rw.slba = cpu_to_le64(~0ULL),
	};
	bool known;

	memcpy(&found, nr, sizeof(found));
	if ((void *)found.cmd < (void *)(nr + 1) || (void *)(found.cmd + 1) > end)
		return false;
	memset_after(nr, 0xa5, result);
	memcpy(&want, nr, sizeof(want));
	want.retries = 0;
	want.flags = 0;
	want.status = 0;
	nvme_init_request(rq, &nc);
	known = !memcmp(nr, &want, sizeof(want)) && !memcmp(found.cmd, &nc, sizeof(nc));
	memcpy(nr, &found, sizeof(found));
	return known;
}

enum phyr_reason kshim_cmds_check(struct request_queue *q)
{
	static bool known;	/* one driver has them all */
	struct request *rq;

	if (READ_ONCE(known))
		return PHYR_DIRECT;
	rq = blk_mq_alloc_request(q, REQ_OP_DRV_IN, 0);
	if (IS_ERR(rq))
		return PHYR_REVOKED;
	WRITE_ONCE(known, cmd_driver_is_known(rq));
	blk_mq_free_request(rq);
	if (READ_ONCE(known))
		return PHYR_DIRECT;
	pr_err_once("phyr: this kernel's nvme driver is not one that phyr knows: no disk is direct\n");
	return PHYR_NOT_NVME;
}

/* --------------------------------------------------------------------- hurry */

/*
 * Memory that the disk does not let go of. The driver would look after a command when its
 * time is over, tell the disk to abort it, give it the same time once more, and then reset
 * the controller, which ends it. When somebody waits, a quarter of that time has to do.
 */
static bool cmd_hurry(struct request *rq, void *q)
{
	unsigned long patience = rq->timeout / 4;
	const struct kshim_cmd *cmd;
	unsigned long begun, waited;

	if (rq->q != q || rq->end_io != cmd_end)
		return true;
	/* it may be ending now, and be another's: then this one is hurried for nothing */
	rcu_read_lock();
	cmd = rq->end_io_data;
	waited = kshim_gate_waited(READ_ONCE(cmd->gate));
	rcu_read_unlock();
	/* sent, or looked at by the driver for the last time */
	begun = READ_ONCE(rq->deadline) - rq->timeout;
	if (waited && waited >= patience && time_after_eq(jiffies, begun + patience))
		blk_abort_request(rq);
	return true;
}

void kshim_cmds_hurry(struct kshim_disk *disk)
{
	struct request_queue *q = disk->gendisk->queue;

	/* requests keep the queue in use, and that keeps it from being taken down */
	if (!percpu_ref_tryget(&q->q_usage_counter))
		return;
	blk_mq_tagset_busy_iter(q->tag_set, cmd_hurry, q);
	percpu_ref_put(&q->q_usage_counter);
}

/* ----------------------------------------------------------------- transfers */

/* What the block layer checks in submit_bio(): the partition and its permission. */
static int cmd_check_xfer(const struct kshim_disk *disk, const struct kshim_xfer *xfer,
		      size_t len, u64 *ret_sector)
{
	struct block_device *bdev = xfer->bdev;

	if (!disk || bdev->bd_disk != disk->gendisk)
		return -EIO;
	if (op_is_write(xfer->opf) && bdev_read_only(bdev))
		return -EPERM;
	return kshim_sector_range(bdev->bd_start_sect, bdev_nr_sectors(bdev),
				  xfer->sector, len, ret_sector);
}

int kshim_cmds_queue(struct phyr_io *io, const struct kshim_xfer *xfer, size_t len)
{
	struct request_queue *q = bdev_get_queue(xfer->bdev);
	struct phyr_provider *provider = phyr_iter_hold(xfer->iter)->provider;
	size_t bytes, limit;
	u64 sector;
	int ret;

	ret = cmd_check_xfer(io->disk, xfer, len, &sector);
	if (ret)
		return ret;
	if (!kshim_nvme_enter(io->disk->nvme))
		return -EIO;
	if (io->provider != provider)
		ret = kshim_reach_error(kshim_io_reach(io, provider));
	limit = ret ? 0 : kshim_cmd_bytes(io->disk);
	while (!ret && len) {
		bytes = kshim_split_bytes(sector, len, limit, q->limits.chunk_sectors);
		ret = cmd_queue(io, xfer, sector, bytes, io->delta, &bytes);
		if (ret)
			break;
		/* at the end nobody asks any more which range it stands on */
		if (likely(bytes == xfer->iter->left))
			xfer->iter->left = 0;
		else
			phyr_iter_advance(xfer->iter, bytes);
		sector += bytes >> SECTOR_SHIFT;
		len -= bytes;
	}
	kshim_nvme_exit(io->disk->nvme);
	return ret;
}

int kshim_cmds_init(void)
{
	cmd_cache = KMEM_CACHE(kshim_cmd, SLAB_TYPESAFE_BY_RCU);
	return cmd_cache ? 0 : -ENOMEM;
}

void kshim_cmds_exit(void)
{
	kmem_cache_destroy(cmd_cache);
}
