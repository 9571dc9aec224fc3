// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counters of requests. Each operation is called through a function that takes the time;
 * threads count in different places, so that they do not wait for each other.
 */
#include "phyrfs.h"

#include <phyrfs_abi.h>

#include <string.h>
#include <time.h>

/* All operations that phyrfs has: name, parameters, arguments. */
/* clang-format off */
#define OPS(OP) \
	OP(lookup, (fuse_req_t req, fuse_ino_t ino, const char *name), \
		(req, ino, name)) \
	OP(forget, (fuse_req_t req, fuse_ino_t ino, uint64_t nr), (req, ino, nr)) \
	OP(forget_multi, (fuse_req_t req, size_t nr, struct fuse_forget_data *data), \
		(req, nr, data)) \
	OP(getattr, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), \
		(req, ino, fi)) \
	OP(setattr, (fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, \
		struct fuse_file_info *fi), (req, ino, attr, to_set, fi)) \
	OP(readlink, (fuse_req_t req, fuse_ino_t ino), (req, ino)) \
	OP(mknod, (fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, \
		dev_t rdev), (req, ino, name, mode, rdev)) \
	OP(mkdir, (fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode), \
		(req, ino, name, mode)) \
	OP(unlink, (fuse_req_t req, fuse_ino_t ino, const char *name), \
		(req, ino, name)) \
	OP(rmdir, (fuse_req_t req, fuse_ino_t ino, const char *name), \
		(req, ino, name)) \
	OP(symlink, (fuse_req_t req, const char *target, fuse_ino_t ino, \
		const char *name), (req, target, ino, name)) \
	OP(rename, (fuse_req_t req, fuse_ino_t from, const char *name, fuse_ino_t to, \
		const char *to_name, unsigned int flags), \
		(req, from, name, to, to_name, flags)) \
	OP(link, (fuse_req_t req, fuse_ino_t ino, fuse_ino_t to, const char *name), \
		(req, ino, to, name)) \
	OP(open, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), \
		(req, ino, fi)) \
	OP(create, (fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, \
		struct fuse_file_info *fi), (req, ino, name, mode, fi)) \
	OP(tmpfile, (fuse_req_t req, fuse_ino_t ino, mode_t mode, \
		struct fuse_file_info *fi), (req, ino, mode, fi)) \
	OP(read, (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, \
		struct fuse_file_info *fi), (req, ino, size, offset, fi)) \
	OP(write, (fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, \
		off_t offset, struct fuse_file_info *fi), \
		(req, ino, data, size, offset, fi)) \
	OP(flush, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), \
		(req, ino, fi)) \
	OP(release, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), \
		(req, ino, fi)) \
	OP(fsync, (fuse_req_t req, fuse_ino_t ino, int datasync, \
		struct fuse_file_info *fi), (req, ino, datasync, fi)) \
	OP(opendir, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), \
		(req, ino, fi)) \
	OP(readdir, (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, \
		struct fuse_file_info *fi), (req, ino, size, offset, fi)) \
	OP(readdirplus, (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, \
		struct fuse_file_info *fi), (req, ino, size, offset, fi)) \
	OP(releasedir, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), \
		(req, ino, fi)) \
	OP(fsyncdir, (fuse_req_t req, fuse_ino_t ino, int datasync, \
		struct fuse_file_info *fi), (req, ino, datasync, fi)) \
	OP(statfs, (fuse_req_t req, fuse_ino_t ino), (req, ino)) \
	OP(setxattr, (fuse_req_t req, fuse_ino_t ino, const char *name, \
		const char *value, size_t size, int flags), \
		(req, ino, name, value, size, flags)) \
	OP(getxattr, (fuse_req_t req, fuse_ino_t ino, const char *name, size_t size), \
		(req, ino, name, size)) \
	OP(listxattr, (fuse_req_t req, fuse_ino_t ino, size_t size), (req, ino, size)) \
	OP(removexattr, (fuse_req_t req, fuse_ino_t ino, const char *name), \
		(req, ino, name)) \
	OP(ioctl, (fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg, \
		struct fuse_file_info *fi, unsigned int flags, const void *in_buf, \
		size_t in_bytes, size_t out_bytes), \
		(req, ino, cmd, arg, fi, flags, in_buf, in_bytes, out_bytes)) \
	OP(fallocate, (fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, \
		off_t len, struct fuse_file_info *fi), \
		(req, ino, mode, offset, len, fi)) \
	OP(copy_file_range, (fuse_req_t req, fuse_ino_t ino, off_t offset, \
		struct fuse_file_info *fi, fuse_ino_t to, off_t to_offset, \
		struct fuse_file_info *to_fi, size_t len, int flags), \
		(req, ino, offset, fi, to, to_offset, to_fi, len, flags)) \
	OP(lseek, (fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, \
		struct fuse_file_info *fi), (req, ino, offset, whence, fi))
/* clang-format on */

#define INDEX(name, ...) OP_##name,
enum {
	OPS(INDEX) NR_OPS
};
_Static_assert(NR_OPS <= PHYRFS_OPS_MAX, "the stats have no room");

static const char names[NR_OPS][PHYRFS_OP_NAME] = {
#define NAME(name, ...) #name,
	OPS(NAME)
};

#define NR_PLACES 16
static struct place {
	struct {
		atomic_ullong ns;
		atomic_ullong latency[PHYRFS_BUCKETS];
	} op[NR_OPS];
} places[NR_PLACES];

static struct place *place_get(void)
{
	static _Thread_local struct place *place;
	static atomic_uint nr_threads;

	if (!place)
		place = &places[nr_threads++ % NR_PLACES];
	return place;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static void count(unsigned int op, uint64_t start)
{
	uint64_t ns = now_ns() - start, units = ns >> 10;
	unsigned int bucket = units ? 64 - __builtin_clzll(units) : 0;
	struct place *place = place_get();

	if (bucket >= PHYRFS_BUCKETS)
		bucket = PHYRFS_BUCKETS - 1;
	atomic_fetch_add_explicit(&place->op[op].ns, ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&place->op[op].latency[bucket], 1,
				  memory_order_relaxed);
}

static struct fuse_lowlevel_ops uncounted;

#define COUNTED(name, params, args)        \
	static void counted_##name params  \
	{                                  \
		uint64_t start = now_ns(); \
                                           \
		uncounted.name args;       \
		count(OP_##name, start);   \
	}
OPS(COUNTED)

void phyrfs_count_ops(struct fuse_lowlevel_ops *ops)
{
	uncounted = *ops;
#define COUNT(name, ...) ops->name = counted_##name;
	OPS(COUNT)
}

void phyrfs_count_get(struct phyrfs *fs, struct phyrfs_stats *ret_stats)
{
	struct phyrfs_stats *stats = ret_stats;

	*stats = (struct phyrfs_stats){ .version = PHYRFS_ABI_VERSION, .nr_ops = NR_OPS };
	phyrfs_table_count(fs, stats);
	for (unsigned int i = 0; i < NR_OPS; i++) {
		struct phyrfs_op_stats *op = &stats->ops[i];

		memcpy(op->name, names[i], sizeof(op->name));
		for (unsigned int p = 0; p < NR_PLACES; p++) {
			op->ns += places[p].op[i].ns;
			for (unsigned int b = 0; b < PHYRFS_BUCKETS; b++)
				op->latency[b] += places[p].op[i].latency[b];
		}
		for (unsigned int b = 0; b < PHYRFS_BUCKETS; b++)
			op->calls += op->latency[b];
	}
}
