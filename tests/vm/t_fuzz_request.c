// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random requests: each as the kernel might make it, and then some of them changed.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "t_fuzz.h"

#define NR_NODES_MAX   96
#define NR_HANDLES_MAX 24
#define NR_KEPT_MAX    8

/* Lengths and offsets are mostly below it. */
#define FILE_BYTES 262144

union t_request t_request;
size_t t_request_size;
bool t_request_setxattr_ext;

/* What no mutation may change. */
static struct {
	char *field;
	uint64_t value;
} kept[NR_KEPT_MAX];
static unsigned int nr_kept;

/* Mostly below @limit, else from the ends of some type. */
static uint64_t number(uint64_t limit)
{
	switch (t_fuzz_below(16)) {
	case 0:
		return 0;
	case 1:
		return 1ULL << t_fuzz_below(64);
	case 2:
		return (1ULL << t_fuzz_below(64)) - 1;
	case 3:
		return -(1ULL << t_fuzz_below(64));
	default:
		return t_fuzz_below(limit);
	}
}

/* ------------------------------------------------------------- parts of a request */

void t_request_begin(uint32_t opcode, uint64_t nodeid)
{
	static uint64_t unique;

	t_request.head = (struct fuse_in_header){
		.opcode = opcode,
		.nodeid = nodeid,
		.unique = unique += 2,
	};
	t_request_size = sizeof(t_request.head);
	nr_kept = 0;
}

void t_request_end(void)
{
	t_request.head.len = t_request_size;
}

void *t_request_add(size_t size)
{
	void *field = t_request.bytes + t_request_size;

	memset(field, 0, size);
	t_request_size += size;
	return field;
}

/* The eight bytes at @field. */
static void keep(void *field)
{
	kept[nr_kept].field = field;
	memcpy(&kept[nr_kept++].value, field, sizeof(uint64_t));
}

static void keep_as(uint64_t *field, uint64_t value)
{
	*field = value;
	keep(field);
}

/* In the end nothing may be left that looks like a handle and is none. */
static void kept_restore(void)
{
	for (unsigned int i = 0; i < nr_kept; i++)
		memcpy(kept[i].field, &kept[i].value, sizeof(kept[i].value));
}

void t_request_add_text(const char *text)
{
	size_t length = strlen(text);

	memcpy(t_request_add(length + 1), text, length);
}

static void add_long(size_t length)
{
	char *text = t_request_add(length + 1);

	memset(text, 'x', length);
}

static void add_name(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	static const char *const bad[] = { "",	  ".",	 "..", "/",
					   "a/b", "a/.", "./", "../canary" };

	switch (t_fuzz_below(24)) {
	case 0:
		t_request_add_text(bad[t_fuzz_below(t_array_size(bad))]);
		break;
	case 1:
		add_long(254 + t_fuzz_below(3));
		break;
	case 2:
		add_long(t_fuzz_one_in(2) ? 4095 + t_fuzz_below(3) : t_fuzz_below(70000));
		break;
	case 3: /* ends where what the last request left behind has a NUL */
		memcpy(t_request_add(1), "n", 1);
		break;
	default:
		t_request_add_text(names[t_fuzz_below(t_array_size(names))]);
	}
}

static void add_bytes(size_t length)
{
	char *bytes = t_request_add(length);

	for (size_t i = 0; i < length; i += 16)
		bytes[i] = t_fuzz_below(256);
}

static void on_node(mode_t type)
{
	t_request.head.nodeid = t_known_node(type)->id;
}

static uint64_t on_handle(bool dir)
{
	const struct t_known_handle *handle = t_known_handle(dir);

	t_request.head.nodeid = handle->id;
	return handle->fh;
}

static uint32_t any_mode(void)
{
	static const uint32_t types[] = { S_IFREG, S_IFREG, S_IFIFO, S_IFSOCK,
					  S_IFCHR, S_IFDIR, S_IFLNK, 0 };

	return types[t_fuzz_below(t_array_size(types))] |
	       (t_fuzz_one_in(8) ? number(65536) : t_fuzz_below(4096));
}

static uint32_t any_umask(void)
{
	return t_fuzz_one_in(4) ? number(512) : 022;
}

static uint32_t any_flags(void)
{
	static const uint32_t some[] = { O_TRUNC,    O_APPEND,	 O_DIRECT, O_EXCL,
					 O_NOFOLLOW, O_NONBLOCK, O_DSYNC,  O_NOATIME };
	uint32_t flags = t_fuzz_below(3);

	if (t_fuzz_one_in(16))
		return number(1 << 24);
	for (uint64_t nr = t_fuzz_below(3); nr; nr--)
		flags |= some[t_fuzz_below(t_array_size(some))];
	return flags;
}

/* -------------------------------------------------------------- requests by opcode */

static void make_lookup(void)
{
	on_node(S_IFDIR);
	add_name();
}

static void make_forget(void)
{
	const struct t_known_node *node = t_known_node(0);
	struct fuse_forget_in *arg = t_request_add(sizeof(*arg));

	/* The next best that may go; a count of 0 where there is none. */
	for (size_t i = 0; i < t_known.nr_nodes && node->nr_handles; i++)
		node = &t_known.nodes[i];
	t_request.head.nodeid = node->id;
	arg->nlookup = t_fuzz_one_in(8) ? number(4) : node->nr_lookups;
	if (node->nr_handles)
		keep_as(&arg->nlookup, 0);
}

static void make_batch_forget(void)
{
	struct fuse_batch_forget_in *arg = t_request_add(sizeof(*arg));
	size_t at = t_fuzz_below(t_known.nr_nodes);

	for (size_t i = at; i < t_known.nr_nodes && arg->count < NR_KEPT_MAX - 1; i++) {
		struct fuse_forget_one *one;

		if (t_known.nodes[i].nr_handles)
			continue;
		one = t_request_add(sizeof(*one));
		keep_as(&one->nodeid, t_known.nodes[i].id);
		one->nlookup = t_fuzz_one_in(8) ? number(4) : t_known.nodes[i].nr_lookups;
		arg->count++;
	}
	/* libfuse believes it. */
	keep(arg);
}

static void make_getattr(void)
{
	struct fuse_getattr_in *arg = t_request_add(sizeof(*arg));

	keep_as(&arg->fh, on_handle(false));
	arg->getattr_flags = t_fuzz_one_in(4) ? FUSE_GETATTR_FH : number(4);
	if (!arg->getattr_flags)
		on_node(0);
}

static void make_setattr(void)
{
	struct fuse_setattr_in *arg = t_request_add(sizeof(*arg));

	keep_as(&arg->fh, on_handle(false));
	arg->valid = 1U << t_fuzz_below(11) | (t_fuzz_one_in(2) ? t_fuzz_below(2048) : 0);
	if (!(arg->valid & FATTR_FH))
		on_node(0);
	arg->size = number(FILE_BYTES);
	arg->atime = number(1 << 30);
	arg->mtime = number(1 << 30);
	arg->atimensec = number(1000000000);
	arg->mtimensec = number(1000000000);
	arg->mode = any_mode();
	arg->uid = number(70000);
	arg->gid = number(70000);
}

static void make_node(void)
{
	on_node(0);
}

static void make_symlink(void)
{
	static const char *const targets[] = { "a", "..", "../canary", "../..", "" };

	on_node(S_IFDIR);
	add_name();
	if (t_fuzz_one_in(8))
		add_long(number(4100) % 70000);
	else
		t_request_add_text(targets[t_fuzz_below(t_array_size(targets))]);
}

static void make_mknod(void)
{
	struct fuse_mknod_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFDIR);
	arg->mode = any_mode();
	arg->rdev = t_fuzz_one_in(2) ? 0 : number(1 << 20);
	arg->umask = any_umask();
	add_name();
}

static void make_mkdir(void)
{
	struct fuse_mkdir_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFDIR);
	arg->mode = any_mode();
	arg->umask = any_umask();
	add_name();
}

static void make_rename(void)
{
	struct fuse_rename_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFDIR);
	keep_as(&arg->newdir, t_known_node(S_IFDIR)->id);
	add_name();
	add_name();
}

static void make_rename2(void)
{
	struct fuse_rename2_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFDIR);
	keep_as(&arg->newdir, t_known_node(S_IFDIR)->id);
	arg->flags = number(8);
	add_name();
	add_name();
}

static void make_link(void)
{
	struct fuse_link_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFDIR);
	keep_as(&arg->oldnodeid, t_known_node(t_fuzz_one_in(4) ? 0 : S_IFREG)->id);
	add_name();
}

static void make_open(void)
{
	struct fuse_open_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFREG);
	arg->flags = any_flags();
	arg->open_flags = number(4);
}

static void make_opendir(void)
{
	struct fuse_open_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFDIR);
	arg->flags = any_flags();
}

static void make_create(void)
{
	struct fuse_create_in *arg = t_request_add(sizeof(*arg));

	on_node(S_IFDIR);
	arg->flags = any_flags();
	arg->mode = any_mode();
	arg->umask = any_umask();
	arg->open_flags = number(4);
	add_name();
}

static void make_read(bool dir)
{
	struct fuse_read_in *arg = t_request_add(sizeof(*arg));

	keep_as(&arg->fh, on_handle(dir));
	arg->offset = number(dir ? 16 : FILE_BYTES);
	arg->size = number(dir ? 4096 : 65536);
	arg->read_flags = number(4);
	arg->flags = any_flags();
}

static void make_read_file(void)
{
	make_read(false);
}

static void make_read_dir(void)
{
	make_read(true);
}

static void make_write(void)
{
	struct fuse_write_in *arg = t_request_add(sizeof(*arg));

	keep_as(&arg->fh, on_handle(false));
	arg->offset = number(FILE_BYTES);
	arg->write_flags = number(8);
	arg->flags = any_flags();
	arg->size = t_fuzz_one_in(16) ? t_fuzz_below(T_REQUEST_MAX - t_request_size)
				      : t_fuzz_below(8192);
	/* It is within the buffer: the kernel sees to that, and libfuse relies on it. */
	keep(&arg->size);
	t_request_add(t_fuzz_one_in(4) ? t_fuzz_below(arg->size + 1)
				       : t_min(arg->size, 256U));
}

static void make_release(bool dir)
{
	struct fuse_release_in *arg = t_request_add(sizeof(*arg));
	const struct t_known_handle *handle = t_known_handle(dir);

	if (handle < t_known.handles + T_KNOWN_OPEN) { /* those stay */
		t_request.head.opcode = dir ? FUSE_FSYNCDIR : FUSE_FLUSH;
		t_request_size -= sizeof(*arg) - sizeof(struct fuse_flush_in);
	}
	t_request.head.nodeid = handle->id;
	keep_as(&arg->fh, handle->fh);
	arg->flags = any_flags();
}

static void make_release_file(void)
{
	make_release(false);
}

static void make_release_dir(void)
{
	make_release(true);
}

static void make_fsync(bool dir)
{
	struct fuse_fsync_in *arg = t_request_add(sizeof(*arg));

	keep_as(&arg->fh, on_handle(dir));
	arg->fsync_flags = number(2);
}

static void make_fsync_file(void)
{
	make_fsync(false);
}

static void make_fsync_dir(void)
{
	make_fsync(true);
}

static void add_xattr_name(void)
{
	static const char *const names[] = {
		"user.a",
		"user.b",
		"system.posix_acl_access",
		"system.posix_acl_default",
		"trusted.t",
		"security.capability",
		"security.s",
		"user.",
		"none",
		"",
	};

	if (t_fuzz_one_in(16))
		add_name();
	else if (t_fuzz_one_in(16))
		add_long(255 + t_fuzz_below(2));
	else
		t_request_add_text(names[t_fuzz_below(t_array_size(names))]);
}

static void make_setxattr(void)
{
	struct fuse_setxattr_in *arg;

	on_node(0);
	arg = t_request_add(t_request_setxattr_ext ? sizeof(*arg)
						   : FUSE_COMPAT_SETXATTR_IN_SIZE);
	arg->size = t_fuzz_one_in(8) ? number(65537) : t_fuzz_below(64);
	arg->flags = t_fuzz_one_in(4) ? number(4) : 0;
	add_xattr_name();
	add_bytes(t_min(arg->size, 70000U));
}

static void make_getxattr(void)
{
	struct fuse_getxattr_in *arg = t_request_add(sizeof(*arg));

	on_node(0);
	arg->size = number(256);
	if (t_request.head.opcode == FUSE_GETXATTR)
		add_xattr_name();
}

static void make_removexattr(void)
{
	on_node(0);
	add_xattr_name();
}

static void make_fallocate(void)
{
	struct fuse_fallocate_in *arg = t_request_add(sizeof(*arg));

	keep_as(&arg->fh, on_handle(false));
	arg->offset = number(FILE_BYTES);
	arg->length = number(FILE_BYTES);
	arg->mode = number(128);
}

static void make_lseek(void)
{
	struct fuse_lseek_in *arg = t_request_add(sizeof(*arg));

	keep_as(&arg->fh, on_handle(false));
	arg->offset = number(FILE_BYTES);
	arg->whence = number(5);
}

static void make_copy(void)
{
	struct fuse_copy_file_range_in *arg = t_request_add(sizeof(*arg));
	const struct t_known_handle *to = t_known_handle(false);

	keep_as(&arg->fh_in, on_handle(false));
	keep_as(&arg->fh_out, to->fh);
	keep_as(&arg->nodeid_out, to->id);
	arg->off_in = number(FILE_BYTES);
	arg->off_out = number(FILE_BYTES);
	arg->len = number(FILE_BYTES);
	arg->flags = t_fuzz_one_in(8) ? number(4) : 0;
}

/* What the daemon does not serve. The argument of many begins with a handle. */
static void make_other(void)
{
	static const uint32_t opcodes[] = {
		0,	     FUSE_GETLK,    FUSE_SETLK,
		FUSE_SETLKW, FUSE_IOCTL,    FUSE_POLL,
		FUSE_BMAP,   FUSE_ACCESS,   7,
		FUSE_SYNCFS, FUSE_STATX,    FUSE_SETUPMAPPING,
		53,	     FUSE_INIT,	    FUSE_REMOVEMAPPING,
		CUSE_INIT,   FUSE_INTERRUPT
	};
	uint64_t fh = on_handle(false);

	t_request.head.opcode = t_fuzz_one_in(4)
					? 64 | number(1 << 16)
					: opcodes[t_fuzz_below(t_array_size(opcodes))];
	add_bytes(16 + t_fuzz_below(256));
	keep_as((uint64_t *)(t_request.bytes + sizeof(t_request.head)), fh);
	/* FUSE_IOCTL_DIR comes with handles of directories alone. */
	if (t_request.head.opcode == FUSE_IOCTL)
		keep_as((uint64_t *)(t_request.bytes + sizeof(t_request.head)) + 1, 0);
}

static const struct op {
	uint32_t opcode;
	unsigned int weight;
	void (*make)(void);
} ops[] = {
	{ FUSE_LOOKUP, 12, make_lookup },
	{ FUSE_FORGET, 6, make_forget },
	{ FUSE_BATCH_FORGET, 1, make_batch_forget },
	{ FUSE_GETATTR, 4, make_getattr },
	{ FUSE_SETATTR, 5, make_setattr },
	{ FUSE_READLINK, 2, make_node },
	{ FUSE_STATFS, 1, make_node },
	{ FUSE_SYMLINK, 2, make_symlink },
	{ FUSE_MKNOD, 3, make_mknod },
	{ FUSE_MKDIR, 3, make_mkdir },
	{ FUSE_UNLINK, 6, make_lookup },
	{ FUSE_RMDIR, 3, make_lookup },
	{ FUSE_RENAME, 3, make_rename },
	{ FUSE_RENAME2, 3, make_rename2 },
	{ FUSE_LINK, 3, make_link },
	{ FUSE_OPEN, 4, make_open },
	{ FUSE_OPENDIR, 2, make_opendir },
	{ FUSE_CREATE, 4, make_create },
	{ FUSE_TMPFILE, 1, make_create },
	{ FUSE_READ, 4, make_read_file },
	{ FUSE_READDIR, 2, make_read_dir },
	{ FUSE_READDIRPLUS, 3, make_read_dir },
	{ FUSE_WRITE, 4, make_write },
	{ FUSE_RELEASE, 4, make_release_file },
	{ FUSE_RELEASEDIR, 2, make_release_dir },
	{ FUSE_FLUSH, 1, make_fsync_file },
	{ FUSE_FSYNC, 1, make_fsync_file },
	{ FUSE_FSYNCDIR, 1, make_fsync_dir },
	{ FUSE_SETXATTR, 4, make_setxattr },
	{ FUSE_GETXATTR, 3, make_getxattr },
	{ FUSE_LISTXATTR, 2, make_getxattr },
	{ FUSE_REMOVEXATTR, 1, make_removexattr },
	{ FUSE_FALLOCATE, 2, make_fallocate },
	{ FUSE_LSEEK, 2, make_lseek },
	{ FUSE_COPY_FILE_RANGE, 2, make_copy },
	{ 0, 2, make_other },
};

static const struct op *op_find(uint32_t opcode)
{
	for (size_t i = 0; i < t_array_size(ops); i++)
		if (ops[i].opcode == opcode)
			return &ops[i];
	return NULL;
}

static const struct op *op_any(void)
{
	static unsigned int total;
	uint64_t at;

	if (!total)
		for (size_t i = 0; i < t_array_size(ops); i++)
			total += ops[i].weight;
	if (t_known.nr_nodes > NR_NODES_MAX)
		return op_find(t_fuzz_one_in(8) ? FUSE_BATCH_FORGET : FUSE_FORGET);
	if (t_known.nr_handles > NR_HANDLES_MAX)
		return op_find(t_fuzz_one_in(2) ? FUSE_RELEASE : FUSE_RELEASEDIR);
	at = t_fuzz_below(total);
	for (const struct op *op = ops;; op++) {
		if (at < op->weight)
			return op;
		at -= op->weight;
	}
}

/*
 * The argument, cut or with what the last request left behind it, and bytes of it
 * changed. libfuse itself refuses what is shorter than a header.
 */
static void mutate(void)
{
	size_t length = t_request_size - sizeof(t_request.head);

	if (t_fuzz_one_in(2) && length)
		for (uint64_t nr = 1 + t_fuzz_below(4); nr; nr--)
			t_request.bytes[sizeof(t_request.head) + t_fuzz_below(length)] ^=
				1 << t_fuzz_below(8);
	if (t_fuzz_one_in(4))
		t_request_size = sizeof(t_request.head) + t_fuzz_below(length + 1);
	if (t_fuzz_one_in(8))
		t_request_size = t_min(t_request_size + number(4096) % T_REQUEST_MAX,
				       (uint64_t)T_REQUEST_MAX);
	t_request.head.len = t_fuzz_one_in(8) ? number(4096) : t_request_size;
	kept_restore();
}

void t_request_make(void)
{
	static const uint32_t ids[] = { 0, 0, 1000, 65534 };
	const struct op *op = op_any();

	t_request_begin(op->opcode, 0);
	t_request.head.uid = ids[t_fuzz_below(t_array_size(ids))];
	t_request.head.gid = ids[t_fuzz_below(t_array_size(ids))];
	t_request.head.pid = t_fuzz_below(2);
	op->make();
	t_request_end();
	if (t_fuzz_one_in(6))
		mutate();
}
