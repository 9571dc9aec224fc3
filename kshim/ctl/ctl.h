/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/phyr: between the files of ctl/, and for main.c.
 */
#ifndef _KSHIM_CTL_H
#define _KSHIM_CTL_H

#include "dio/dio.h"

/* ------------------------------------------------------------------ query.c */

/* The ioctls of the same names, with what they take and give. Process context. */
int kshim_query_stats(struct phyr_stats *stats);
int kshim_query_route(struct phyr_route *route);

/* -------------------------------------------------------------------- dev.c */

int kshim_dev_init(void);
void kshim_dev_exit(void);

#endif /* _KSHIM_CTL_H */
