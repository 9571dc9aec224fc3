/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffers of a graphics card that programs draw in by themselves ("dumb buffers"). Where
 * one lies is for the driver to say: in RAM, or in video memory, where those of some
 * drivers are only while they are shown.
 */
#ifndef T_DRM_H
#define T_DRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A new buffer of at least @length bytes of the card that is open as @fd: the offset at
 * which it can be mapped. With @shown the card's first monitor shows it, until @fd is
 * closed; nobody else may show anything there. Dies.
 */
uint64_t t_drm_buffer(int fd, size_t length, bool shown);

#endif /* T_DRM_H */
