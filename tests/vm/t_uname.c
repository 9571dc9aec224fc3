// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded where README's commands are tried in a tree that is going to be a guest's: they
 * see the kernel of that guest, whose release is what the link /run/release points to.
 */
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *name)
{
	ssize_t len;

	if (syscall(SYS_uname, name))
		return -1;
	len = readlink("/run/release", name->release, sizeof(name->release) - 1);
	if (len > 0)
		name->release[len] = '\0';
	return 0;
}
