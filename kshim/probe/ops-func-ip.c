// SPDX-License-Identifier: GPL-2.0-only
/* 7.2: an ftrace user that shares a function is told which. */
#include <linux/ftrace.h>

int probe(struct ftrace_ops *op, unsigned long ip, enum ftrace_ops_cmd cmd);
int probe(struct ftrace_ops *op, unsigned long ip, enum ftrace_ops_cmd cmd)
{
	op->ops_func = probe;
	return 0;
}
