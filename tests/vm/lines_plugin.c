// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU: who writes the lines of memory that the guest's two CPUs share.
 * Between the two marks of t_lines it records each locked instruction of the guest's
 * kernel, and each store of its modules, with the line of 64 bytes that is written. Then
 * it writes to the file that its argument to= names:
 *
 *	ADDRESS KIND COUNT SHARED
 *
 * of modules, and at address 0 all locked instructions of the kernel.
 * COUNT is how many there were, SHARED how many of these went to lines that both CPUs
 * write, neither of them ten times as often as the other. KIND is locked or stored, by
 * the instruction at ADDRESS, or called: a locked instruction at the beginning of a
 * function that the code at ADDRESS has called, as of a spinlock.
 *
 * The header of QEMU's plugin API is in no package, so what is used of it is declared
 * here.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t_lines.h"

#define EXPORT __attribute__((visibility("default")))

enum {
	CB_NO_REGS = 0,
	MEM_W = 2
};

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
						  void (*cb)(plugin_id,
							     struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
						 void (*cb)(unsigned int, void *),
						 int flags, void *arg);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
					     void (*cb)(unsigned int, uint32_t, uint64_t,
							void *),
					     int flags, int rw, void *arg);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
							size_t i);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
extern bool qemu_plugin_mem_is_store(uint32_t info);
extern char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *insn);

/* It came with version 2 of the API, which QEMU 9 and later want; older ones have 1. What
 * is used here is the same in both. */
extern void qemu_plugin_scoreboard_new(void) __attribute__((weak));

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

#define NR_CPUS	     2
#define TABLE_BITS   18
#define TABLE_SIZE   (1U << TABLE_BITS)
/* for sums; no line begins there, and 0 is an empty entry */
#define ALL_LINES    1
/* where x86-64 has the kernel, and in it the modules */
#define KERNEL_START 0xffff800000000000UL
#define MODULE_START 0xffffffffc0000000UL

enum kind {
	LOCKED,
	CALLED,
	STORED,
	LINE, /* no instruction: the sum of all that wrote the line */
};

struct entry {
	uint64_t address, line;
	enum kind kind;
	uint64_t count[NR_CPUS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry table[TABLE_SIZE]; /* under lock, like all below */
static unsigned int nr_entries;
static volatile bool recording;
static const char *path;
/* The block of instructions that a CPU is in, and the one before. Each CPU's own. */
static struct {
	uint64_t now, before;
} at[NR_CPUS];

static struct entry *entry_get(uint64_t address, uint64_t line, enum kind kind)
{
	uint64_t hash = (address * 31 + line + kind) * 0x9e3779b97f4a7c15;
	unsigned int i = hash >> (64 - TABLE_BITS);

	while (table[i].line && (table[i].address != address || table[i].line != line ||
				 table[i].kind != kind))
		i = (i + 1) % TABLE_SIZE;
	if (!table[i].line) {
		if (++nr_entries == TABLE_SIZE) {
			fprintf(stderr, "lines_plugin: too many lines\n");
			exit(1);
		}
		table[i].address = address;
		table[i].line = line;
		table[i].kind = kind;
	}
	return &table[i];
}

static bool in_module(uint64_t address)
{
	return address >= MODULE_START;
}

/* Do both CPUs write the line, and not one of them by chance? */
static bool is_shared(const struct entry *line)
{
	uint64_t a = line->count[0], b = line->count[1];

	return 10 * a >= b && 10 * b >= a;
}

static void begin(void)
{
	memset(table, 0, sizeof(table));
	nr_entries = 0;
	recording = true;
}

/* Adds to what an instruction wrote into all lines: count[0], and into shared ones: [1]. */
static void sum_add(uint64_t address, enum kind kind, uint64_t count, bool shared)
{
	struct entry *sum = entry_get(address, ALL_LINES, kind);

	sum->count[0] += count;
	sum->count[1] += shared ? count : 0;
}

static void sums_make(void)
{
	uint64_t count;
	bool shared;

	for (unsigned int i = 0; i < TABLE_SIZE; i++) {
		if (table[i].line <= ALL_LINES || table[i].kind == LINE)
			continue;
		count = table[i].count[0] + table[i].count[1];
		shared = is_shared(entry_get(0, table[i].line, LINE));
		if (table[i].kind != STORED)
			sum_add(0, LOCKED, count, shared);
		if (in_module(table[i].address))
			sum_add(table[i].address, table[i].kind, count, shared);
	}
}

static void end(void)
{
	static const char *const names[] = { "locked", "called", "stored" };
	FILE *file = fopen(path, "w");

	recording = false;
	sums_make();
	for (unsigned int i = 0; file && i < TABLE_SIZE; i++)
		if (table[i].line == ALL_LINES)
			fprintf(file, "%016lx %s %lu %lu\n", table[i].address,
				names[table[i].kind], table[i].count[0],
				table[i].count[1]);
	if (file)
		fclose(file);
}

static void record(unsigned int cpu, uint64_t address, uint64_t vaddr, enum kind kind)
{
	uint64_t line = vaddr & -64UL;

	pthread_mutex_lock(&lock);
	if (recording && cpu < NR_CPUS) {
		entry_get(address, line, kind)->count[cpu]++;
		entry_get(0, line, LINE)->count[cpu]++;
	}
	pthread_mutex_unlock(&lock);
}

static void on_stored(unsigned int cpu, uint32_t info, uint64_t vaddr, void *arg)
{
	if (recording && qemu_plugin_mem_is_store(info))
		record(cpu, (uint64_t)arg, vaddr, STORED);
}

static void on_locked(unsigned int cpu, uint32_t info, uint64_t vaddr, void *arg)
{
	uint64_t address = (uint64_t)arg;

	/* QEMU 7.2 calls for loads, too, whatever it was asked for */
	if (!qemu_plugin_mem_is_store(info))
		return;
	if (address >= KERNEL_START) {
		if (!recording || cpu >= NR_CPUS)
			return;
		if (!in_module(address) && in_module(at[cpu].before))
			record(cpu, at[cpu].before, vaddr, CALLED);
		else
			record(cpu, address, vaddr, LOCKED);
	} else if (vaddr == T_LINES_BEGIN || vaddr == T_LINES_END) {
		pthread_mutex_lock(&lock);
		if (vaddr == T_LINES_BEGIN)
			begin();
		else
			end();
		pthread_mutex_unlock(&lock);
	}
}

static void on_block(unsigned int cpu, void *arg)
{
	if (cpu < NR_CPUS) {
		at[cpu].before = at[cpu].now;
		at[cpu].now = (uint64_t)arg;
	}
}

static bool is_locked(const struct qemu_plugin_insn *insn)
{
	char *text = qemu_plugin_insn_disas(insn);
	bool locked = text && (!strncmp(text, "lock", 4) || !strncmp(text, "xchg", 4));

	free(text);
	return locked;
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	size_t i, nr = qemu_plugin_tb_n_insns(tb);
	struct qemu_plugin_insn *insn;

	if (address >= KERNEL_START)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, CB_NO_REGS,
						     (void *)address);
	for (i = 0; i < nr; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		address = qemu_plugin_insn_vaddr(insn);
		if (is_locked(insn))
			qemu_plugin_register_vcpu_mem_cb(insn, on_locked, CB_NO_REGS,
							 MEM_W, (void *)address);
		else if (in_module(address))
			qemu_plugin_register_vcpu_mem_cb(insn, on_stored, CB_NO_REGS,
							 MEM_W, (void *)address);
	}
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	if (argc != 1 || strncmp(argv[0], "to=", 3))
		return -1;
	path = argv[0] + 3;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}

static __attribute__((constructor)) void choose_version(void)
{
	if (qemu_plugin_scoreboard_new)
		qemu_plugin_version = 2;
}
