/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * phyrfs: the daemon's own interfaces, grouped by the file that defines them.
 *
 * Functions return 0 or -errno; results come out through ret_x, last, which are
 * untouched on failure. Operations (op_x in the sources) are thin: they check the
 * name, do one system call on the source tree and reply.
 */
#ifndef PHYRFS_H
#define PHYRFS_H

#define FUSE_USE_VERSION 317

#include <fuse_lowlevel.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

struct phyr_dev;
struct phyrfs_stats;
struct statvfs;

struct file_handle;

/* A mount that the source consists of. */
struct phyrfs_mount {
	LIST_ENTRY(phyrfs_mount) mounts; /* phyrfs.table_lock; not the root's */
	uint64_t id;			 /* of statx(2); 0 if there is only one */
	size_t nr_inodes;		 /* on it; phyrfs.table_lock */
	int fd;				 /* to open handles with, or -1 */
	bool stacked;			 /* on another filesystem */
	bool no_flush;			 /* closing a file reports nothing */
};

/*
 * One inode that the kernel knows.
 */
struct phyrfs_inode {
	struct phyrfs_inode *next; /* hash chain; phyrfs.table_lock */
	uint64_t nr_lookups;	   /* references of the kernel; phyrfs.table_lock */
	struct phyrfs_mount *mount;
	dev_t dev;
	ino_t ino;
	uint64_t generation;
	uint32_t node; /* FUSE node id */
	uint16_t type; /* S_IFMT part of st_mode, which never changes */

	/* fd.c: O_PATH, or -1, and then the handle to open it again with. */
	atomic_bool used; /* lately */
	bool listed;	  /* in phyrfs.fds; table_lock */
	atomic_int fd;
	atomic_int nr_users;
	TAILQ_ENTRY(phyrfs_inode) fds;
	struct file_handle *handle;

	pthread_mutex_t lock; /* the two below */
	atomic_uint nr_opens;
	int backing_id; /* 0: data of these opens goes through the daemon */
};

struct phyrfs_options {
	char *source;	  /* absolute */
	char *mountpoint; /* absolute */
	char *fsname;	  /* what the mount shows as its source */
	char *policy_name;
	char *cache_name;
	char *sandbox_name;
	unsigned int policy;
	/*
	 * MOUNT_ATTR_* of mount_setattr(2): of times of access, for the clone of the
	 * source's mount; and all others that are set, for the mount itself.
	 */
	uint64_t mount_attrs, mount_attrs_clear;
	uint64_t flags;
	int allow_other;
	int allow_root;
	int auto_unmount;
	int sync;
	int remount;
	bool by_libfuse;  /* what only libfuse can do was asked for */
	double timeout_s; /* how long the kernel may believe names and attributes */
	int submounts;
	int require;
	int check;
	bool sandbox;
	int foreground;
	int debug;
	int show_help;
	int show_version;
};

struct phyrfs {
	struct phyrfs_options opts;
	struct fuse_session *se;
	struct phyrfs_inode root;
	bool no_xdev;	    /* names on other mounts are refused */
	bool mounts_arrive; /* what is mounted below the source later is there, too */

	pthread_mutex_t table_lock;
	struct phyrfs_inode **buckets; /* table_lock */
	size_t nr_buckets;	       /* table_lock; a power of two */
	size_t nr_inodes;	       /* table_lock */
	atomic_ullong last_generation; /* written under table_lock */
	uint64_t nr_found;	       /* lookups of known inodes; table_lock */

	/* node.c: table_lock, but for reading */
	atomic_uintptr_t *_Atomic nodes[23]; /* arrays of slots */
	uint32_t nr_nodes;		     /* used or free */
	uint32_t node_free;		     /* first of the list; 0: none */

	LIST_HEAD(, phyrfs_mount) mounts; /* below the root's; table_lock */

	/* fd.c */
	TAILQ_HEAD(, phyrfs_inode) fds; /* can be given back; table_lock */
	size_t nr_fds;			/* in it; table_lock */
	size_t nr_fds_max;
	pthread_cond_t fds_cond;     /* an inode's fd was, or was not, taken */
	size_t nr_closing;	     /* is taken at the moment; table_lock */
	atomic_size_t nr_fds_pinned; /* of inodes, for good; at most nr_fds_max */
	atomic_size_t nr_pinned;     /* of open files */
	size_t nr_pinned_max;	     /* for users to open files */
	size_t nr_pinned_max_root;   /* for root to */

	bool sgid_checked;	 /* the kernel says where set-group-ID bits may be */
	atomic_bool passthrough; /* data may bypass the daemon */
	atomic_ulong nr_opens_passed;
	atomic_ulong nr_opens_daemon;
	int mount_fd;	      /* the mount's root, during the start */
	struct phyr_dev *dev; /* open as long as the mount is in phyr's scope */

	/* Start: keeper.c and ready.c. */
	int starter_fd;		/* the process that waits for the mount, or -1 */
	int source_fd;		/* keeps the source from being unmounted, or -1 */
	atomic_bool ready_done; /* the starting thread has finished */
	int ready_error;	/* its result; valid after ready_done */

	bool stuck; /* the session has ended, but not all of its threads: loop.c */
};

static inline struct phyrfs *phyrfs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* node.c */
struct phyrfs_inode *phyrfs_node_inode(const struct phyrfs *fs, uint64_t node);

static inline struct phyrfs_inode *phyrfs_inode_of(fuse_req_t req, fuse_ino_t ino)
{
	if (ino == FUSE_ROOT_ID)
		return &phyrfs_of(req)->root;
	return phyrfs_node_inode(phyrfs_of(req), ino);
}

/* @err is 0 or -errno. */
static inline void phyrfs_reply_err(fuse_req_t req, int err)
{
	fuse_reply_err(req, -err);
}

/* ------------------------------------------------------------------- message.c */

/* One line, to stderr or where the two calls below have sent it. */
void phyrfs_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
void phyrfs_message_to_fd(int fd); /* does not wait for a reader */
void phyrfs_message_to_syslog(void);

/* Nobody is there any more to read stderr: the three standard fds become @null_fd. */
void phyrfs_message_leave_std(int null_fd);

/* For what may happen at any rate: true at most once a minute, for each @next_s (0). */
bool phyrfs_message_due(atomic_llong *next_s);

/* Once, first: libfuse's messages go the same way. */
void phyrfs_message_init(void);

/* -------------------------------------------------------------------- keeper.c */

/*
 * Return in a child, which goes on, while the caller's process waits until the mount is
 * ready or cannot be. Says what is wrong.
 */
int phyrfs_background(struct phyrfs *fs);

/*
 * From mount to unmount, with the source open. Returns in the process that has mounted
 * and in that which has served, with the result of each. Says what is wrong.
 */
int phyrfs_keeper(struct phyrfs *fs, struct fuse_args *args);

/* -------------------------------------------------------------------- server.c */

/* What the keeper is told besides lines of text: bytes that none begins with. */
#define PHYRFS_SAYS_READY 1
#define PHYRFS_SAYS_ENDS  2

/*
 * Each is a pipe's end: @keeper_fd to write to the keeper, and @life_fd, of which the
 * keeper has the only other end, so that the calling process is killed with it.
 */
int phyrfs_server_init(int keeper_fd, int life_fd);

/* The mount is ready; its end is what somebody asked for. */
void phyrfs_server_ready(struct phyrfs *fs);
void phyrfs_server_ends(void);

/* ------------------------------------------------------------------- options.c */

/* Leaves in @args what libfuse is to know. Says what is wrong. */
int phyrfs_options_parse(struct phyrfs_options *opts, struct fuse_args *args);
void phyrfs_options_free(struct phyrfs_options *opts);
void phyrfs_options_help(FILE *out);

/* --------------------------------------------------------------------- words.c */

/*
 * Take an option that is not phyrfs's own. As of fuse_opt_proc_t: 0 it is done with, 1
 * libfuse is to have it, -1 it cannot be, and that was said.
 */
int phyrfs_words_add(struct phyrfs_options *opts, const char *word);

/* -------------------------------------------------------------------- attach.c */

/* Add to @args what libfuse is to know, for phyrfs_attach(). Says what is wrong. */
int phyrfs_attach_args(const struct phyrfs *fs, struct fuse_args *args);

/*
 * Make the mount, for the session, and keep its root open: nobody can unmount it before
 * that is closed. Says what is wrong.
 */
int phyrfs_attach(struct phyrfs *fs);

/* MOUNT_ATTR_* of a mount, and by the words of /proc/mounts. */
uint64_t phyrfs_attach_attrs(const struct statvfs *st);
uint64_t phyrfs_attach_attrs_named(const char *words);

/* ------------------------------------------------------------------- remount.c */

/* Change the mount at the mountpoint to @opts. Says what is wrong. */
int phyrfs_remount(const struct phyrfs_options *opts);

/* -------------------------------------------------------------------- source.c */

/* Sets fs->root.fd. Says what is wrong, and which filesystems will not be shown. */
int phyrfs_source_open(struct phyrfs *fs);
void phyrfs_source_close(struct phyrfs *fs);

/* From here on only others keep the source from being unmounted. */
void phyrfs_source_release(struct phyrfs *fs);

/*
 * fstatat(2) of @name, or of @fd if that is empty, without following a symbolic link, and
 * the id of the mount that it is on.
 */
int phyrfs_source_stat(const struct phyrfs *fs, int fd, const char *name,
		       struct stat *ret_st, uint64_t *ret_mount_id);

/* --------------------------------------------------------------------- mount.c */

/* @handles_fd: of phyrfs_handles_fd(); the mount's from here on, whatever the result. */
int phyrfs_mounts_init(struct phyrfs *fs, uint64_t root_id, int handles_fd);
void phyrfs_mounts_exit(struct phyrfs *fs);

/* The mount @id with one more inode, or NULL if it is not known; and with one less. */
struct phyrfs_mount *phyrfs_mount_get(struct phyrfs *fs, uint64_t id);
void phyrfs_mount_put(struct phyrfs *fs, struct phyrfs_mount *mount);

/* The same for one that was not known, which @fd is on. @handles_fd: as above. */
int phyrfs_mount_add(struct phyrfs *fs, int fd, uint64_t id, int handles_fd,
		     struct phyrfs_mount **ret_mount);

/* --------------------------------------------------------------------- inode.c */

/* Both own @fd after success, and the new one the caller's reference to @mount. */
void phyrfs_inode_init(struct phyrfs_inode *inode, const struct stat *st, int fd);
int phyrfs_inode_new(struct phyrfs_mount *mount, const struct stat *st, int fd,
		     struct phyrfs_inode **ret_inode);

/* One that is not in the table any more, or never was. Without table_lock. */
void phyrfs_inode_free(struct phyrfs *fs, struct phyrfs_inode *inode);

/* -------------------------------------------------------------------- number.c */

/*
 * The inode number to show, in attributes and directories, for what has @ino on @dev.
 * -EOVERFLOW: there is none.
 */
int phyrfs_number(const struct phyrfs *fs, dev_t dev, ino_t ino, uint64_t *ret_number);

/* ---------------------------------------------------------------------- node.c */

/* Give @inode a node id, and take it back. Under table_lock. */
int phyrfs_node_new(struct phyrfs *fs, struct phyrfs_inode *inode);
void phyrfs_node_free(struct phyrfs *fs, struct phyrfs_inode *inode);
void phyrfs_nodes_free(struct phyrfs *fs);

/* ------------------------------------------------------------------- session.c */

void phyrfs_ops(struct fuse_lowlevel_ops *ops);

/* Mount. Says what is wrong, as does the next. */
int phyrfs_session_open(struct phyrfs *fs, struct fuse_args *args);

/* Answer requests until the end. Unmounting is left to who has mounted. */
int phyrfs_session_serve(struct phyrfs *fs);
void phyrfs_session_close(struct phyrfs *fs);

/* ------------------------------------------------------------------------ fd.c */

/* In the process that serves, before it has threads. Says what is wrong. */
int phyrfs_fds_init(struct phyrfs *fs);

/*
 * Count one more fd that is open until somebody outside closes it, before it is opened.
 * -ENFILE: there are so many that the others are kept for names and, if the caller is not
 * root, for root.
 */
int phyrfs_fd_pin(fuse_req_t req);
void phyrfs_fd_unpin(struct phyrfs *fs);

/* Is there an fd for one more inode? To be asked before one is made. */
int phyrfs_fds_room(const struct phyrfs *fs);

/*
 * The O_PATH fd of @inode, or -errno; phyrfs_fd_put() when the caller has done with it.
 * -ESTALE: the file is gone.
 */
int phyrfs_fd_get(struct phyrfs *fs, struct phyrfs_inode *inode);
void phyrfs_fd_put(struct phyrfs_inode *inode);

/*
 * openat(2) with O_CLOEXEC, an fd or -errno. For want of fds inodes that nobody uses lose
 * theirs. Without table_lock.
 */
int phyrfs_openat(struct phyrfs *fs, int dir_fd, const char *name, int flags,
		  mode_t mode);

/*
 * The path of @fd's link in /proc, for system calls that take only a path. It is relative
 * to the working directory, which is /proc/self/fd.
 */
#define PHYRFS_PROC_LEN 16
void phyrfs_fd_proc(int fd, char *buf);

/*
 * An fd to open handles of that mount with, or -1 if that is not possible, for the caller
 * to close. Without table_lock.
 */
int phyrfs_handles_fd(struct phyrfs *fs, int dir_fd);

/* The process may open no more: give some back, used lately or not. False if it cannot. */
bool phyrfs_fds_spare(struct phyrfs *fs);

/* Let the inode have its handle, if it can. For an inode of the caller's own. */
void phyrfs_fd_handle(struct phyrfs_inode *inode);

/*
 * Is @new the same file as @inode, which has the same number? Then its fd becomes that
 * of @inode, if that one has none. If @inode has none, @new has to have its handle. Under
 * table_lock.
 */
bool phyrfs_fd_merge(struct phyrfs *fs, struct phyrfs_inode *inode,
		     struct phyrfs_inode *new);

/* @inode has an fd now, and others may lose theirs; or it has none. Under table_lock. */
void phyrfs_fds_add(struct phyrfs *fs, struct phyrfs_inode *inode);
void phyrfs_fds_remove(struct phyrfs *fs, struct phyrfs_inode *inode);

/* Are there too many now? Under table_lock, which it drops meanwhile. */
void phyrfs_fds_trim(struct phyrfs *fs);

/* Close the fd of @inode, unless somebody uses it. The same about table_lock. */
void phyrfs_fd_close_nameless(struct phyrfs *fs, struct phyrfs_inode *inode);

/* Is that under way? Then who does it frees @inode if it is forgotten. Under table_lock. */
bool phyrfs_fd_closing(const struct phyrfs_inode *inode);

/* --------------------------------------------------------------------- table.c */

/* The root inode, for the open source, and room for all others. */
int phyrfs_table_init(struct phyrfs *fs);
void phyrfs_table_free(struct phyrfs *fs);

/* What the table counts, into @stats. */
void phyrfs_table_count(struct phyrfs *fs, struct phyrfs_stats *stats);

/*
 * May @name be resolved below a directory? -EINVAL for anything but a single name, so
 * that no request leads out of the source tree.
 */
int phyrfs_name_check(const char *name);

/*
 * Find @name in @parent without following a symbolic link. On success the kernel
 * holds one more reference, to be taken back by phyrfs_inode_forget(). @known: it is
 * probably in the table, so look there before it is opened; only speed depends on that.
 */
int phyrfs_inode_lookup(struct phyrfs *fs, struct phyrfs_inode *parent, const char *name,
			bool known, struct fuse_entry_param *ret_entry);

/*
 * Is a file with the number @ino on the filesystem of @dir in the table? The answer may
 * be old when it comes.
 */
bool phyrfs_inode_known(struct phyrfs *fs, const struct phyrfs_inode *dir, ino_t ino);

/* The same for an O_PATH fd, which it owns from here on, whatever the result. */
int phyrfs_inode_adopt(struct phyrfs *fs, int path_fd,
		       struct fuse_entry_param *ret_entry);

/* Take back @nr references of the kernel; the last one frees the inode. */
void phyrfs_inode_forget(struct phyrfs *fs, struct phyrfs_inode *inode, uint64_t nr);

/*
 * @st is of a file that has lost a name in @dir. If that was its last one, and nobody has
 * it open, let its space be free now, and not when the kernel comes to forget it.
 */
void phyrfs_inode_unlinked(struct phyrfs *fs, const struct phyrfs_inode *dir,
			   const struct stat *st);

/* Open @inode itself, @flags as of open(2). -ENXIO: it is no regular file. */
int phyrfs_inode_open(struct phyrfs *fs, struct phyrfs_inode *inode, int flags,
		      int *ret_fd);

/* ---------------------------------------------------------------------- cred.c */

/* Once, before any thread exists. */
int phyrfs_cred_init(void);

/*
 * May this thread change the root directory (CAP_SYS_CHROOT), as the starting ones may?
 * Once given up, it is gone, also for threads that it starts.
 */
int phyrfs_cred_start(bool on);

/* What the keeper can do without, it gives up. */
int phyrfs_cred_keeper(void);

/*
 * From here on the calling thread, and those that it starts, have no right to space that
 * the filesystem of @source_fd keeps for root, except while they act for a caller.
 */
void phyrfs_cred_settle(int source_fd);

/*
 * Around a call that creates something of @mode: it shall belong to the caller of @req
 * and honour the caller's umask, or the default ACL instead. Per thread. After a failed
 * enter there is nothing to leave.
 */
int phyrfs_maker_enter(fuse_req_t req, mode_t mode);
void phyrfs_caller_leave(void);

/*
 * Before a call that changes the file @fd: as the caller if it has set-id bits, which
 * survive what is done with @fsetid. phyrfs_caller_again() ends it.
 */
int phyrfs_changer_enter(fuse_req_t req, int fd, bool fsetid);

/*
 * After a call that may take space, and left @result. True: make it again. Without space
 * for all it is for the caller to get what may be reserved for him.
 */
bool phyrfs_caller_again(fuse_req_t req, ssize_t result);

/*
 * May set-id bits survive this FUSE_WRITE or FUSE_SETXATTR? The kernel knows all groups
 * and capabilities of the caller, and says it.
 */
bool phyrfs_caller_fsetid(fuse_req_t req);

/*
 * Threads run without CAP_FSETID, so that each change of a file's data clears its
 * set-id bits. Around a call that is meant to set them, raise and drop it.
 */
void phyrfs_fsetid_raise(void);
void phyrfs_fsetid_drop(void);

/* ------------------------------------------------------------------- backing.c */

/* Register @fd, a regular file, as a backing file of this mount. */
int phyrfs_backing_open(struct phyrfs *fs, int fd, int *ret_id);
void phyrfs_backing_close(struct phyrfs *fs, int id);

/* Why the kernel does not pass data through, and what to do. */
const char *phyrfs_backing_text(int err);

/*
 * Count one more open of @inode and return the backing id to reply with. All opens of
 * one inode at a time share the id, or are all without one (0), as the kernel wants.
 */
int phyrfs_backing_get(struct phyrfs *fs, struct phyrfs_inode *inode);
void phyrfs_backing_put(struct phyrfs *fs, struct phyrfs_inode *inode);

/* -------------------------------------------------------------------- direct.c */

/*
 * Say what stands in the way of direct I/O on the mount, which has to answer, and bring
 * it into phyr's scope. An error is for -o require and --check only.
 */
int phyrfs_direct_check(struct phyrfs *fs);

/* --------------------------------------------------------------------- ready.c */

/*
 * Thread that, as soon as the mount answers, finds out whether passthrough works,
 * brings the mount into phyr's scope and lets the waiting parent go. @arg is the
 * struct phyrfs.
 */
void *phyrfs_ready_thread(void *arg);

/* ---------------------------------------------------------------------- meta.c */

/*
 * Before the reply to a request that has changed attributes of @ino, or may have, and
 * with which the kernel does not expect it: it shall ask for them again.
 */
void phyrfs_attr_changed(fuse_req_t req, fuse_ino_t ino);

/* ------------------------------------------------------------------- sandbox.c */

/* From here on no thread can do what no operation needs. */
int phyrfs_sandbox_enter(void);

/* Nor can the keeper do what it does not need, for itself and @server, its child. */
int phyrfs_sandbox_keeper(pid_t server);

/* ---------------------------------------------------------------------- jail.c */

/* Before there are threads, if the jail will be entered. Says what is wrong. */
int phyrfs_jail_prepare(const struct phyrfs *fs);

/* From here on the source is all that a path leads to, for all threads. The same. */
int phyrfs_jail_enter(const struct phyrfs *fs);

/* unshare(CLONE_FS), for a thread that wants a umask of its own; waits for the jail. */
int phyrfs_jail_unshare_fs(void);

/* ----------------------------------------------------------------------- dir.c */

/* The fd of an open directory. */
int phyrfs_dir_fd(const struct fuse_file_info *fi);

/* ---------------------------------------------------------------------- loop.c */

/* Requests of a size and on a way that the loop can do. */
void phyrfs_loop_init(struct fuse_conn_info *conn);

/*
 * Serve the session until a signal, the kernel or an error ends it. fs->stuck then tells
 * whether threads are left that the source holds up, and that use @fs for ever: the
 * process cannot free it, and has to _exit(2).
 */
int phyrfs_loop(struct phyrfs *fs);

/* fuse_session_process_buf() for a request in memory. */
void phyrfs_loop_process(struct fuse_session *se, const struct fuse_buf *buf);

/*
 * The request that this thread is in, as the kernel sent it: a struct fuse_in_header and
 * what follows, for what libfuse does not hand on. NULL outside of operations. It is
 * @ret_bytes long, which may be less than the structures of a newer kernel, and goes with
 * the end of the operation, not with the reply.
 */
const void *phyrfs_loop_request(size_t *ret_bytes);

/* --------------------------------------------------------------------- count.c */

/* Let each operation be counted. */
void phyrfs_count_ops(struct fuse_lowlevel_ops *ops);
void phyrfs_count_get(struct phyrfs *fs, struct phyrfs_stats *ret_stats);

/* ------------------------------------------- operations: the files they are named after */

void phyrfs_meta_ops(struct fuse_lowlevel_ops *ops);
void phyrfs_xattr_ops(struct fuse_lowlevel_ops *ops);
void phyrfs_name_ops(struct fuse_lowlevel_ops *ops);
void phyrfs_dir_ops(struct fuse_lowlevel_ops *ops);
void phyrfs_ioctl_ops(struct fuse_lowlevel_ops *ops);
void phyrfs_file_ops(struct fuse_lowlevel_ops *ops);

#endif /* PHYRFS_H */
