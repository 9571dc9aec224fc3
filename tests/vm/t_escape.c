// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tries to get out of a phyrfs mount. In the source, names change all the time between a
 * directory and a symbolic link to another place; through the mount, files below those
 * names are opened, made, changed and removed. The callers follow no link themselves, so
 * what reaches the other place was led there by the daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t.h"

#define NR_NAMES   4
#define NR_PROBERS 2

static int source, mnt, nr_probes;
static atomic_int next_probe, nr_inside, nr_refused;
static atomic_bool done, escaped;

static void name_of(char *name, size_t size, unsigned int i)
{
	snprintf(name, size, "d%u", i % NR_NAMES);
}

/* Swaps each directory with its link, by rename and by exchange. */
static void *attack(void *arg)
{
	char name[16], other[32];

	for (unsigned int i = 0; !done; i++) {
		name_of(name, sizeof(name), i);
		snprintf(other, sizeof(other), "%s.link", name);
		if (i / NR_NAMES % 2) {
			renameat2(source, name, source, other, RENAME_EXCHANGE);
			continue;
		}
		renameat2(source, name, source, "aside", 0);
		renameat2(source, other, source, name, 0);
		renameat2(source, "aside", source, other, 0);
	}
	return NULL;
}

/* An fd of @path below the mount, through no symbolic link; the mount for "d3" alone. */
static int open_below(const char *path, int flags)
{
	struct open_how how = {
		.flags = flags,
		.mode = flags & O_CREAT ? 0600 : 0,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};

	return syscall(SYS_openat2, mnt, path, &how, sizeof(how));
}

static void probe_read(const char *path)
{
	char data[16] = "";
	int fd = open_below(path, O_RDONLY);

	if (fd < 0) {
		nr_refused++;
		return;
	}
	if (read(fd, data, sizeof(data) - 1) < 0)
		t_die("read %s", path);
	close(fd);
	if (strcmp(data, "inside"))
		escaped = true;
	else
		nr_inside++;
}

/* What is changed would show in the other place afterwards. */
static void probe_change(const char *dir, unsigned int i)
{
	int fd = open_below(dir, O_PATH | O_DIRECTORY), file;
	char name[32];

	if (fd < 0) {
		nr_refused++;
		return;
	}
	snprintf(name, sizeof(name), "new%u", i % 8);
	switch (i % 5) {
	case 0:
		file = openat(fd, name, O_CREAT | O_RDWR | O_NOFOLLOW, 0600);
		if (file >= 0)
			close(file);
		break;
	case 1:
		mkdirat(fd, name, 0700);
		break;
	case 2:
		fchmodat(fd, "canary", 0600 | i % 8, 0);
		break;
	case 3:
		unlinkat(fd, name, i & 8 ? AT_REMOVEDIR : 0);
		break;
	case 4:
		renameat(fd, name, fd, "moved");
		break;
	}
	close(fd);
	nr_inside++;
}

static void *probe(void *arg)
{
	char dir[16], path[32];
	int i;

	while ((i = next_probe++) < nr_probes && !escaped) {
		name_of(dir, sizeof(dir), i);
		snprintf(path, sizeof(path), "%s/canary", dir);
		if (i / NR_NAMES % 2)
			probe_change(dir, i / NR_NAMES);
		else
			probe_read(path);
	}
	return NULL;
}

static void put_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		t_die("%s", name);
	close(fd);
}

static void make_names(const char *outside)
{
	char name[16], other[32];
	int dir;

	for (unsigned int i = 0; i < NR_NAMES; i++) {
		name_of(name, sizeof(name), i);
		snprintf(other, sizeof(other), "%s.link", name);
		if (mkdirat(source, name, 0700) || symlinkat(outside, source, other))
			t_die("%s", name);
		dir = openat(source, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			t_die("%s", name);
		put_file(dir, "canary", "inside");
		close(dir);
	}
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		t_die("open %s", path);
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t attacker, probers[NR_PROBERS];

	if (argc != 5)
		t_usage("SOURCE MOUNT OUTSIDE COUNT");
	source = open_dir(argv[1]);
	mnt = open_dir(argv[2]);
	nr_probes = t_number(argv[4]);
	put_file(open_dir(argv[3]), "canary", "OUTSIDE");
	make_names(argv[3]);

	if (pthread_create(&attacker, NULL, attack, NULL))
		t_die("thread");
	for (int i = 0; i < NR_PROBERS; i++)
		if (pthread_create(&probers[i], NULL, probe, NULL))
			t_die("thread");
	for (int i = 0; i < NR_PROBERS; i++)
		pthread_join(probers[i], NULL);
	done = true;
	pthread_join(attacker, NULL);

	printf("%d attempts got inside, %d nowhere%s\n", nr_inside, nr_refused,
	       escaped ? ", AND ONE GOT OUT" : "");
	return escaped;
}
