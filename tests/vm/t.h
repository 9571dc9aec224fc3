/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the t_* programs share: ways to die, numbers, memory to do I/O on, and the
 * pattern by which misplaced or stale data shows.
 *
 * Exit status of every t_* program: 0 what was asked happened, 1 it did not (the
 * last line of stdout says what happened instead), 2 the program could not try.
 */
#ifndef T_H
#define T_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define T_PAGE 4096UL
#define T_WORD 4UL

#define t_min(a, b)	((a) < (b) ? (a) : (b))
#define t_array_size(a) (sizeof(a) / sizeof((a)[0]))

/* Print "program: message: errno text" and exit 2; t_usage() without the errno. */
_Noreturn void t_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void t_usage(const char *text);

/* A number with an optional k, m or g (powers of 1024); dies on anything else. */
uint64_t t_number(const char *text);

/* "EFAULT" of EFAULT or -EFAULT; never NULL. */
const char *t_errname(int err);

/* The count, or the errno name of a result in the kernel's style (-errno). */
const char *t_result(int64_t ret, char text[32]);

/* Write @text to a file of the kernel's. Dies. */
void t_write(const char *path, const char *text);

/* Map @length bytes of the BAR at @offset, any of both unaligned. Dies. */
void *t_map_bar(const char *path, uint64_t offset, size_t length, int prot);

/* @length bytes of host memory, page aligned, filled with @fill. Dies. */
void *t_map_host(size_t length, int fill);

/* A random number from @state, which the caller seeds with anything. */
uint64_t t_random(uint64_t *state);

/* CPU time of the calling thread; under icount, its instructions. */
uint64_t t_thread_ns(void);

/*
 * The pattern: the word at byte p of the file made from @seed is a hash of both, so
 * a word tells where it belongs. @pos is a multiple of T_WORD.
 * t_pattern_check() gives the offset in the buffer of the first wrong word, or -1.
 */
uint32_t t_pattern_word(uint64_t pos, uint32_t seed);
void t_pattern_fill(void *buf, size_t length, uint64_t pos, uint32_t seed);
int64_t t_pattern_check(const void *buf, size_t length, uint64_t pos, uint32_t seed);

/* First byte that is not @fill, or -1. Any alignment. */
int64_t t_fill_check(const void *buf, size_t length, int fill);

#endif /* T_H */
