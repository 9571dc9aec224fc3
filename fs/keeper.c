// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The processes of a mount, each the child of the one above:
 *
 *   starter   in the background only: ends when the mount is ready, or could not be
 *   keeper    mounts, waits for the server, and unmounts; holds the source busy
 *   server    answers the requests, where nothing can be reached but the source (jail.c)
 *
 * Who waits for whom, and what if one dies:
 *
 * - The starter reads its pipe until the keeper says that the mount is ready, or is gone.
 *   If the starter is gone first, nobody wants the mount: the keeper ends as by a signal.
 * - The keeper's signals are blocked before it mounts, and taken when there is a server.
 *   If it is killed, so is the server, by the kernel: a pipe loses its only writer.
 * Nobody is left to unmount. The mount then answers ENOTCONN, as it does from the start
 * if the keeper is killed before there is a server, since nobody else has the session.
 * - Whatever ends the server, the keeper is its parent and so learns of it. It unmounts
 *   what it has mounted, if that is still there, dead or alive, and nothing else.
 * - The server says when it is ready, and when it ends because it was asked to. If it
 *   ends without having been asked, and the mount is still there, its connection was
 *   aborted.
 * - Sessions begin when the mount is ready: systemd lets the process group of mount(8)
 *   through its autofs, for which all others wait.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define END_MS 5000 /* for a server that was asked to end */

struct keeper {
	struct phyrfs *fs;
	sigset_t old_mask;
	int signals_fd;
	int messages_fd; /* from the server; -1 when it has closed it */
	int life_fd;	 /* open as long as the server may live */
	uint64_t mount_id;
	pid_t server;
	int status; /* of waitpid(2) */
	bool ended;
	bool ready;
	bool asked; /* the server to end */
	bool killed;
};

/* ------------------------------------------------------------------- the starter */

static _Noreturn void starter_wait(int fd, pid_t keeper)
{
	char ready;
	int status;

	if (read(fd, &ready, 1) == 1)
		_exit(EXIT_SUCCESS);
	/* Otherwise the keeper has said why. */
	if (waitpid(keeper, &status, 0) == keeper && WIFSIGNALED(status))
		phyrfs_message("killed by signal %d (%s) before the mount was ready",
			       WTERMSIG(status), strsignal(WTERMSIG(status)));
	_exit(EXIT_FAILURE);
}

int phyrfs_background(struct phyrfs *fs)
{
	int err, fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC)) {
		err = -errno;
		goto fail;
	}
	pid = fork();
	if (pid < 0) {
		err = -errno;
		goto close_fds;
	}
	if (pid) {
		close(fds[1]);
		starter_wait(fds[0], pid);
	}
	close(fds[0]);
	fs->starter_fd = fds[1];
	return 0;

close_fds:
	close(fds[0]);
	close(fds[1]);
fail:
	phyrfs_message("cannot go into the background: %s; -f stays in the foreground",
		       strerror(-err));
	return err;
}

/* -------------------------------------------------------------------- the server */

static int server_run(struct keeper *keeper, int keeper_fd, int life_fd)
{
	struct phyrfs *fs = keeper->fs;
	int err;

	close(keeper->signals_fd);
	if (fs->starter_fd >= 0)
		close(fs->starter_fd);
	phyrfs_source_release(fs);
	sigprocmask(SIG_SETMASK, &keeper->old_mask, NULL);
	err = phyrfs_server_init(keeper_fd, life_fd);
	if (err) {
		phyrfs_message("cannot start to serve %s: %s", fs->opts.mountpoint,
			       strerror(-err));
		return err;
	}
	return phyrfs_session_serve(fs);
}

/* Returns in both processes, as fork(2) does; in the server, when it has served. */
static int server_start(struct keeper *keeper)
{
	int err, messages[2], life[2];

	/* Each message is read as it was written; one too many is lost. */
	if (pipe2(messages, O_CLOEXEC | O_DIRECT | O_NONBLOCK))
		return -errno;
	if (pipe2(life, O_CLOEXEC)) {
		err = -errno;
		goto close_messages;
	}
	keeper->server = fork();
	if (keeper->server < 0) {
		err = -errno;
		goto close_life;
	}
	if (!keeper->server) {
		close(messages[0]);
		close(life[1]);
		return server_run(keeper, messages[1], life[0]);
	}
	close(messages[1]);
	close(life[0]);
	keeper->messages_fd = messages[0];
	keeper->life_fd = life[1];
	return 0;

close_life:
	close(life[0]);
	close(life[1]);
close_messages:
	close(messages[0]);
	close(messages[1]);
	return err;
}

/* --------------------------------------------------------------------- the mount */

/*
 * Which mount is there? No number is used twice, on Linux 6.8 and newer. A mount whose
 * server is dead tells, too, as long as it is not asked for more.
 */
static int mount_id(int dir_fd, const char *path, uint64_t *ret_id)
{
	struct statx st;

	if (statx(dir_fd, path,
		  AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT |
			  AT_STATX_DONT_SYNC,
		  STATX_MNT_ID_UNIQUE, &st))
		return -errno;
	*ret_id = st.stx_mnt_id;
	return 0;
}

/* What is open of the mount shall not keep it busy; without privileges, it does. */
static void mount_let_go(struct phyrfs *fs)
{
	int fd;

	fd = open_tree(fs->mount_fd, "",
		       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0)
		return;
	close(fs->mount_fd);
	fs->mount_fd = fd;
}

/* Without privileges. */
static int mount_fusermount(const char *mountpoint)
{
	const char *argv[] = { "fusermount3", "-u", "-q", "-z", "--", mountpoint, NULL };
	int err, status;
	pid_t pid;

	err = posix_spawnp(&pid, argv[0], NULL, NULL, (char **)argv, environ);
	if (err)
		return -err;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPERM;
}

/* Is the mount of @keeper what the mountpoint leads to? */
static bool mount_on_top(const struct keeper *keeper)
{
	uint64_t id;

	return !mount_id(AT_FDCWD, keeper->fs->opts.mountpoint, &id) &&
	       id == keeper->mount_id;
}

/* Is it anywhere else? Never, for a kernel that does not tell. */
static bool mount_elsewhere(const struct keeper *keeper)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.mnt_id = keeper->mount_id,
		.param = STATMOUNT_MNT_BASIC,
	};
	struct statmount st;

	return !syscall(SYS_statmount, &req, &st, sizeof(st), 0);
}

/* Unmount what is left of the mount, with files open or not. */
static int mount_remove(const struct keeper *keeper)
{
	const char *mountpoint = keeper->fs->opts.mountpoint;
	int err = 0;

	if (!mount_on_top(keeper))
		return 0;
	if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW))
		err = -errno;
	if (err == -EPERM)
		err = mount_fusermount(mountpoint);
	if (err)
		phyrfs_message("cannot unmount %s: %s", mountpoint, strerror(-err));
	return err;
}

/* -------------------------------------------------------------------- the keeper */

static void keeper_ask(struct keeper *keeper)
{
	keeper->asked = true;
	kill(keeper->server, SIGTERM);
	mount_remove(keeper);
}

static int keeper_restrict(const struct keeper *keeper)
{
	int err;

	if (!keeper->fs->opts.sandbox)
		return 0;
	err = phyrfs_cred_keeper();
	return err ? err : phyrfs_sandbox_keeper(keeper->server);
}

/* Nobody waits for the mount any more. */
static void keeper_lose_starter(struct keeper *keeper)
{
	close(keeper->fs->starter_fd);
	keeper->fs->starter_fd = -1;
	keeper_ask(keeper);
}

static void keeper_release_starter(struct keeper *keeper)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	phyrfs_message_to_syslog();
	if (null_fd >= 0) {
		phyrfs_message_leave_std(null_fd);
		close(null_fd);
	}
	if (write(keeper->fs->starter_fd, "", 1) != 1)
		keeper_ask(keeper);
	close(keeper->fs->starter_fd);
	keeper->fs->starter_fd = -1;
}

static void keeper_ready(struct keeper *keeper)
{
	bool background = keeper->fs->starter_fd >= 0;
	int err;

	if (keeper->asked)
		return; /* too late */
	if (background)
		setsid();
	sd_notify(0, "READY=1"); /* this is the main process of the unit */
	err = keeper_restrict(keeper);
	if (err) {
		phyrfs_message("cannot restrict system calls: %s; -o sandbox=off does "
			       "without",
			       strerror(-err));
		keeper_ask(keeper);
		return;
	}
	keeper->ready = true;
	if (background)
		keeper_release_starter(keeper);
}

static void keeper_messages(struct keeper *keeper)
{
	char line[1024];
	ssize_t len;

	while ((len = read(keeper->messages_fd, line, sizeof(line) - 1)) > 0) {
		line[len] = '\0';
		if (line[0] == PHYRFS_SAYS_READY)
			keeper_ready(keeper);
		else if (line[0] == PHYRFS_SAYS_ENDS)
			keeper->asked = true;
		else
			phyrfs_message("%s: %s", keeper->fs->opts.mountpoint, line);
	}
	if (!len) {
		close(keeper->messages_fd);
		keeper->messages_fd = -1;
	}
}

static void keeper_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signals_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			keeper_ask(keeper);
	keeper->ended = waitpid(keeper->server, &keeper->status, WNOHANG) ==
			keeper->server;
}

/* The source may hold up the server's threads, even beyond this. */
static void keeper_kill(struct keeper *keeper)
{
	phyrfs_message("%s: the process that serves it does not end; killing it",
		       keeper->fs->opts.mountpoint);
	keeper->killed = true;
	kill(keeper->server, SIGKILL);
}

/* Until the server has ended. */
static void keeper_wait(struct keeper *keeper)
{
	while (!keeper->ended) {
		struct pollfd fds[] = {
			{ .fd = keeper->signals_fd, .events = POLLIN },
			{ .fd = keeper->messages_fd, .events = POLLIN },
			{ .fd = keeper->fs->starter_fd }, /* POLLERR: it is gone */
		};

		if (!poll(fds, ARRAY_SIZE(fds),
			  keeper->asked && !keeper->killed ? END_MS : -1))
			keeper_kill(keeper);
		if (fds[1].revents)
			keeper_messages(keeper);
		if (fds[2].revents)
			keeper_lose_starter(keeper);
		if (fds[0].revents)
			keeper_signals(keeper);
	}
	if (keeper->messages_fd >= 0)
		keeper_messages(keeper);
}

/* How has the server ended? If it has failed, it has said why. */
static int keeper_judge(const struct keeper *keeper)
{
	const char *mountpoint = keeper->fs->opts.mountpoint;
	int status = keeper->status;

	if (WIFSIGNALED(status) && !keeper->asked) {
		phyrfs_message("%s: the process that serves it was killed by signal %d "
			       "(%s)",
			       mountpoint, WTERMSIG(status), strsignal(WTERMSIG(status)));
		return -EIO;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return -EIO;
	if (!keeper->asked && mount_on_top(keeper)) {
		phyrfs_message("%s: the connection was aborted", mountpoint);
		return -ECONNABORTED;
	}
	if (!keeper->ready) {
		phyrfs_message("%s: ended before it was ready", mountpoint);
		return -EINTR;
	}
	return 0;
}

static int keeper_finish(const struct keeper *keeper)
{
	int err = keeper_judge(keeper), remove_err = mount_remove(keeper);

	if (!remove_err && mount_elsewhere(keeper)) {
		phyrfs_message("%s: the mount is below another one there, or was moved, "
			       "and is dead now; unmount it",
			       keeper->fs->opts.mountpoint);
		remove_err = -EBUSY;
	}
	return err ? err : remove_err;
}

static int keeper_run(struct keeper *keeper)
{
	struct phyrfs *fs = keeper->fs;

	/* The session is the server's alone, so that it ends with it. */
	if (dup3(keeper->signals_fd, fuse_session_fd(fs->se), O_CLOEXEC) < 0 ||
	    chdir("/"))
		phyrfs_message("%s: %s", fs->opts.mountpoint, strerror(errno));
	close(fs->mount_fd);
	keeper_wait(keeper);
	return keeper_finish(keeper);
}

/* From here on they wait until there is a server. */
static int keeper_take_signals(struct keeper *keeper)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &keeper->old_mask);
	keeper->signals_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signals_fd < 0 ? -errno : 0;
}

int phyrfs_keeper(struct phyrfs *fs, struct fuse_args *args)
{
	struct keeper keeper = { .fs = fs, .messages_fd = -1, .server = -1 };
	int err;

	err = keeper_take_signals(&keeper);
	if (err) {
		phyrfs_message("cannot take signals: %s", strerror(-err));
		return err;
	}
	err = phyrfs_session_open(fs, args);
	if (err)
		return err;
	err = mount_id(fs->mount_fd, "", &keeper.mount_id);
	if (!err)
		mount_let_go(fs);
	if (!err)
		err = server_start(&keeper);
	if (keeper.server < 0) {
		phyrfs_message("cannot start to serve %s: %s", fs->opts.mountpoint,
			       strerror(-err));
		mount_remove(&keeper);
	} else if (keeper.server) {
		err = keeper_run(&keeper);
		close(keeper.life_fd);
	}
	phyrfs_session_close(fs);
	return err;
}
