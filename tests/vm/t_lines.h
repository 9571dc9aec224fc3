/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How t_lines in the guest tells lines_plugin in QEMU when to record: a locked instruction
 * that writes at one of these addresses.
 */
#ifndef T_LINES_H
#define T_LINES_H

#define T_LINES_PAGE  0x706879720000UL
#define T_LINES_BEGIN T_LINES_PAGE
#define T_LINES_END   (T_LINES_PAGE + 64)

#endif /* T_LINES_H */
