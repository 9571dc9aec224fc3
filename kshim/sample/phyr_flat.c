// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_flat: how a filesystem reads into device memory, in one file. A read-only
 * filesystem with one directory, whose O_DIRECT reads are get_user_phyrs() and
 * struct phyr_bio and nothing else: flat_read() is what to look at, the rest is what any
 * filesystem has. It does no I/O through the page cache, so files open with O_DIRECT
 * only. tests/vm/t_flat.c makes one.
 *
 *	block 0		struct flat_super: who I am, and the table of files
 *	block 1 ...	the files, each in consecutive blocks of 4096 bytes
 */
#include <linux/buffer_head.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/phyr.h>
#include <linux/slab.h>
#include <linux/uio.h>

#define FLAT_MAGIC	0x54414c4652594850ULL	/* "PHYRFLAT", little endian */
#define FLAT_BLOCK	4096
#define FLAT_SHIFT	12
#define FLAT_FILES	63
#define FLAT_NAME	40
#define FLAT_RETRIES	16

struct flat_file {
	char name[FLAT_NAME];		/* ends with 0 */
	__le64 block;			/* first one */
	__le64 size;			/* bytes */
	__le64 zero;
};

struct flat_super {
	__le64 magic;
	__le32 nr_files;
	__le32 zero[13];
	struct flat_file file[FLAT_FILES];
};

static_assert(sizeof(struct flat_super) == FLAT_BLOCK);

/* ------------------------------------------------------------------ reading */

/* The next range of the caller's buffer as physical ranges. */
static int flat_get(const struct iov_iter *iter, struct phyr_vec *vec)
{
	if (iter_is_ubuf(iter))
		return get_user_phyrs((unsigned long)iter->ubuf + iter->iov_offset,
				      iov_iter_count(iter), PHYR_WRITE, vec);
	return get_user_phyrs((unsigned long)iter_iov_addr(iter),
			      min(iter_iov_len(iter), iov_iter_count(iter)), PHYR_WRITE,
			      vec);
}

/* One attempt: everything that @iter has, from @sector on. */
static int flat_transfer(struct block_device *bdev, sector_t sector, struct iov_iter iter)
{
	struct phyr_iter cursor;
	struct phyr_vec vec;
	struct phyr_bio bio;
	size_t before;
	int ret = 0;

	phyr_vec_init(&vec);
	while (!ret && iov_iter_count(&iter)) {
		before = vec.bytes;
		if (iter_is_ubuf(&iter) || iter_iov_len(&iter))
			ret = flat_get(&iter, &vec);
		iov_iter_advance(&iter, vec.bytes - before);
	}
	if (!ret) {
		phyr_iter_init(&cursor, &vec);
		phyr_bio_init(&bio, bdev, REQ_OP_READ, sector);
		phyr_bio_add(&bio, &cursor, vec.bytes);
		ret = phyr_bio_submit_wait(&bio);
	}
	put_user_phyrs(&vec, true);
	return ret;
}

static ssize_t flat_read(struct kiocb *iocb, struct iov_iter *iter)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct block_device *bdev = inode->i_sb->s_bdev;
	unsigned int block = bdev_logical_block_size(bdev);
	loff_t pos = iocb->ki_pos, size = i_size_read(inode);
	u64 first = (u64)(uintptr_t)inode->i_private;
	size_t count = iov_iter_count(iter), bytes;
	int ret, retries = FLAT_RETRIES;

	if (!user_backed_iter(iter))
		return -EINVAL;
	if (!count || pos >= size)
		return 0;
	if ((pos | count) & (block - 1))
		return -EINVAL;
	/* the last block of a file is read as a whole, and told short */
	count = min_t(u64, count, round_up(size - pos, block));
	bytes = min_t(u64, count, size - pos);
	iov_iter_truncate(iter, count);

	/* A mapping of device memory that changes under the transfer makes it stale; what
	 * is there now may be just as good. */
	do {
		ret = flat_transfer(bdev, (first << (FLAT_SHIFT - SECTOR_SHIFT)) +
				    (pos >> SECTOR_SHIFT), *iter);
	} while (ret == -EREMOTEIO && retries--);
	if (ret == -EREMOTEIO || ret == -EOPNOTSUPP)
		return -EFAULT;
	if (ret)
		return ret;
	iov_iter_advance(iter, bytes);
	iocb->ki_pos += bytes;
	return bytes;
}

static int flat_open(struct inode *inode, struct file *file)
{
	if (!(file->f_flags & O_DIRECT))
		return -EINVAL;
	file->f_mode |= FMODE_CAN_ODIRECT;
	return generic_file_open(inode, file);
}

static const struct file_operations flat_file_ops = {
	.open = flat_open,
	.read_iter = flat_read,
	.llseek = generic_file_llseek,
};

/* ------------------------------------------------------- names, inodes, mounting */

static struct inode *flat_inode(struct super_block *sb, unsigned int ino, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = ino;
	inode->i_mode = mode;
	simple_inode_init_ts(inode);
	return inode;
}

static struct dentry *flat_lookup(struct inode *dir, struct dentry *dentry,
				  unsigned int flags)
{
	const struct flat_super *super = dir->i_sb->s_fs_info;
	const struct flat_file *file = super->file;
	struct inode *inode = NULL;
	unsigned int i;

	for (i = 0; i < le32_to_cpu(super->nr_files); i++, file++) {
		if (strlen(file->name) != dentry->d_name.len ||
		    memcmp(file->name, dentry->d_name.name, dentry->d_name.len))
			continue;
		inode = flat_inode(dir->i_sb, i + 2, S_IFREG | 0444);
		if (!inode)
			return ERR_PTR(-ENOMEM);
		inode->i_fop = &flat_file_ops;
		inode->i_private = (void *)(uintptr_t)le64_to_cpu(file->block);
		inode->i_size = le64_to_cpu(file->size);
		break;
	}
	return d_splice_alias(inode, dentry);
}

static int flat_iterate(struct file *dir, struct dir_context *ctx)
{
	const struct flat_super *super = file_inode(dir)->i_sb->s_fs_info;
	const struct flat_file *file;

	if (!dir_emit_dots(dir, ctx))
		return 0;
	for (; ctx->pos - 2 < le32_to_cpu(super->nr_files); ctx->pos++) {
		file = &super->file[ctx->pos - 2];
		if (!dir_emit(ctx, file->name, strlen(file->name), ctx->pos, DT_REG))
			break;
	}
	return 0;
}

static const struct file_operations flat_dir_ops = {
	.iterate_shared = flat_iterate,
	.read = generic_read_dir,
	.llseek = generic_file_llseek,
};

static const struct inode_operations flat_dir_inode_ops = { .lookup = flat_lookup };
static const struct super_operations flat_super_ops = { .statfs = simple_statfs };

/* What is on the disk may be anything. */
static const char *flat_check(const struct flat_super *super, u64 disk_blocks)
{
	const struct flat_file *file = super->file;
	u64 block, blocks;
	unsigned int i;

	if (le64_to_cpu(super->magic) != FLAT_MAGIC)
		return "no phyr_flat filesystem";
	if (le32_to_cpu(super->nr_files) > FLAT_FILES)
		return "more files than there is room for";
	for (i = 0; i < le32_to_cpu(super->nr_files); i++, file++) {
		block = le64_to_cpu(file->block);
		blocks = le64_to_cpu(file->size) / FLAT_BLOCK +
			 !!(le64_to_cpu(file->size) % FLAT_BLOCK);
		if (!file->name[0] || strnlen(file->name, FLAT_NAME) == FLAT_NAME ||
		    strchr(file->name, '/'))
			return "a file has no proper name";
		if (!block || block > disk_blocks || blocks > disk_blocks - block)
			return "a file lies outside of the disk";
	}
	return NULL;
}

static int flat_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct buffer_head *bh;
	struct inode *root;
	const char *wrong;

	if (!sb_set_blocksize(sb, FLAT_BLOCK))
		return invalf(fc, "the disk's blocks are larger than %u bytes", FLAT_BLOCK);
	bh = sb_bread(sb, 0);
	if (!bh)
		return -EIO;
	/* a copy, since the disk may be written to from elsewhere */
	sb->s_fs_info = kmemdup(bh->b_data, FLAT_BLOCK, GFP_KERNEL);
	brelse(bh);
	if (!sb->s_fs_info)
		return -ENOMEM;
	wrong = flat_check(sb->s_fs_info, bdev_nr_bytes(sb->s_bdev) >> FLAT_SHIFT);
	if (wrong)
		return invalf(fc, "%s", wrong);

	sb->s_op = &flat_super_ops;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_magic = (u32)FLAT_MAGIC;
	root = flat_inode(sb, 1, S_IFDIR | 0555);
	if (!root)
		return -ENOMEM;
	root->i_op = &flat_dir_inode_ops;
	root->i_fop = &flat_dir_ops;
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static int flat_get_tree(struct fs_context *fc)
{
	return get_tree_bdev(fc, flat_fill_super);
}

static int flat_reconfigure(struct fs_context *fc)
{
	return fc->sb_flags & SB_RDONLY ? 0 : -EROFS;
}

static const struct fs_context_operations flat_context_ops = {
	.get_tree = flat_get_tree,
	.reconfigure = flat_reconfigure,
};

static int flat_init_context(struct fs_context *fc)
{
	fc->ops = &flat_context_ops;
	fc->sb_flags |= SB_RDONLY;
	return 0;
}

static void flat_kill_sb(struct super_block *sb)
{
	void *super = sb->s_fs_info;

	kill_block_super(sb);
	kfree(super);
}

static struct file_system_type flat_type = {
	.owner = THIS_MODULE,
	.name = "phyr_flat",
	.init_fs_context = flat_init_context,
	.kill_sb = flat_kill_sb,
	.fs_flags = FS_REQUIRES_DEV,
};

static int __init flat_init(void)
{
	return register_filesystem(&flat_type);
}

static void __exit flat_exit(void)
{
	unregister_filesystem(&flat_type);
}

module_init(flat_init);
module_exit(flat_exit);
MODULE_ALIAS_FS("phyr_flat");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A sample: a flat filesystem whose reads are phyrs");
