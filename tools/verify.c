// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyr verify: are the bytes of a file those in device memory? The file is read
 * through the page cache and the memory by the CPU, so by no path that phyr has.
 */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#ifdef __x86_64__
#include <smmintrin.h>
#endif

#define CHUNK_BYTES ((size_t)1 << 20)

struct verify {
	const char *file_name;
	const char *bar_name;
	uint64_t file_offset, bar_offset, length;
	bool have_length, json;

	int fd;
	char bar_path[PATH_MAX];
	const char *bar; /* mapped, from the start of the BAR */
	size_t bar_len;

	XXH128_hash_t file_hash, bar_hash;
	bool differs;
	uint64_t first; /* byte that differs, counted from the start of the comparison */
};

/* 4096, 0x1000, 4K, 1M, 2GiB; binary multiples. A leading 0 does not mean octal. */
static bool number_parse(const char *text, uint64_t *ret_number)
{
	static const char units[] = "KMGT";
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	unsigned long long number;
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, hex ? 16 : 10);
	if (errno)
		return false;
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		uint64_t factor = UINT64_C(1) << (10 * (unit - units + 1));

		if (__builtin_mul_overflow(number, factor, &number))
			return false;
		end += strcmp(end + 1, "iB") ? 1 : 3;
	}
	if (*end)
		return false;
	*ret_number = number;
	return true;
}

/*
 * Copies out of device memory, which may be uncached: in aligned words, or on x86 in
 * streaming loads that fetch a write-combining line at once. memcpy() could use
 * bytes, or unaligned loads that some machines refuse on device memory.
 */
static void copy_words(char *to, const char *from, size_t len)
{
	for (; len && (uintptr_t)from % 8; len--)
		*to++ = *(const volatile char *)from++;
	for (; len >= 8; len -= 8, to += 8, from += 8) {
		uint64_t word = *(const volatile uint64_t *)(const void *)from;

		memcpy(to, &word, 8);
	}
	for (; len; len--)
		*to++ = *(const volatile char *)from++;
}

#ifdef __x86_64__
__attribute__((target("sse4.1"))) static void copy_lines(char *to, const char *from,
							 size_t len)
{
	size_t head = -(uintptr_t)from % 16 < len ? -(uintptr_t)from % 16 : len;

	copy_words(to, from, head);
	/* Streaming loads are weakly ordered: none may pass what came before. */
	_mm_mfence();
	for (to += head, from += head, len -= head; len >= 16;
	     len -= 16, to += 16, from += 16)
		_mm_storeu_si128((__m128i *)(void *)to,
				 _mm_stream_load_si128((__m128i *)(uintptr_t)from));
	copy_words(to, from, len);
}
#endif

static void copy_from_bar(char *to, const char *from, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.1")) {
		copy_lines(to, from, len);
		return;
	}
#endif
	copy_words(to, from, len);
}

static void on_sigbus(int signal)
{
	static const char text[] = "phyr verify: the device memory went away, or the "
				   "mapped file became shorter\n";

	/* Nothing is left to do when even this cannot be written. */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_ERROR);
	_exit(EXIT_ERROR);
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A line on a terminal that is written again and again; none for short work. */
#define PROGRESS_AFTER_SECONDS 1
#define PROGRESS_EVERY_SECONDS 0.2
#define ERASE_LINE	       "\033[K"

struct progress {
	double start, shown;
	bool wanted;
};

/* A terminal that can erase a line */
static bool progress_wanted(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
}

static void progress_show(struct progress *progress, uint64_t done, uint64_t all)
{
	double now;

	if (!progress->wanted)
		return;
	now = now_seconds();
	if (now - progress->start < PROGRESS_AFTER_SECONDS ||
	    now - progress->shown < PROGRESS_EVERY_SECONDS)
		return;
	progress->shown = now;
	fprintf(stderr, "\r%3.0f %% of %s, %s/s " ERASE_LINE,
		100 * (double)done / (double)all, size_text(all),
		size_text((uint64_t)((double)done / (now - progress->start))));
}

static void progress_end(const struct progress *progress)
{
	if (progress->shown > 0)
		fputs("\r" ERASE_LINE, stderr);
}

/* The BAR that "0000:01:00.0:2" or "0000:01:00.0" (its largest) names. */
static int bar_by_address(struct verify *verify, const struct phyr_pci_addr *addr,
			  int bar)
{
	struct phyr_bar *bars, *best = NULL;
	char text[128];
	int err, status = EXIT_DONE;
	size_t nr;

	err = phyr_bar_list(&bars, &nr);
	if (err)
		return fail("cannot list PCI devices: %s", strerror(-err));
	for (size_t i = 0; i < nr; i++) {
		if (bars[i].addr.domain != addr->domain ||
		    bars[i].addr.bus != addr->bus ||
		    bars[i].addr.device != addr->device ||
		    bars[i].addr.function != addr->function ||
		    (bar >= 0 && (unsigned int)bar != bars[i].bar))
			continue;
		if (!best || bars[i].size_bytes > best->size_bytes)
			best = &bars[i];
	}
	if (!best)
		status =
			fail("%s: there is no such device, or it has no such memory BAR; "
			     "'phyr list --all' shows all",
			     verify->bar_name);
	else if (!best->path[0])
		status = fail("%s: this kernel has no file to map it in "
			      "/sys/bus/pci/devices",
			      verify->bar_name);
	else if (!(best->flags & PHYR_BAR_ENABLED))
		status = fail("%s: %s", verify->bar_name,
			      bar_off_text(best, text, sizeof(text)));
	else
		snprintf(verify->bar_path, sizeof(verify->bar_path), "%s", best->path);
	free(bars);
	return status;
}

/* Fills bar_path from bar_name, which is a path or the address of a BAR. */
static int bar_find(struct verify *verify)
{
	const char *name = verify->bar_name, *dot, *colon;
	struct phyr_pci_addr addr;
	char text[32];
	int bar = -1;

	if (!strchr(name, '/') && strlen(name) < sizeof(text)) {
		strcpy(text, name);
		dot = strchr(name, '.');
		colon = dot ? strchr(dot, ':') : NULL;
		if (colon && colon[1] >= '0' && colon[1] <= '5' && !colon[2]) {
			bar = colon[1] - '0';
			text[colon - name] = '\0';
		}
		if (!phyr_pci_parse(text, &addr))
			return bar_by_address(verify, &addr, bar);
	}
	if (access(name, F_OK))
		return fail("%s: neither a file to map nor a PCI address such as "
			    "0000:01:00.0:2; 'phyr list' shows both",
			    name);
	if (strlen(name) >= sizeof(verify->bar_path))
		return fail("the path of the BAR is too long");
	strcpy(verify->bar_path, name);
	return EXIT_DONE;
}

static int bar_open(struct verify *verify)
{
	struct stat st = { 0 };
	void *addr;
	size_t end;
	int err;

	if (__builtin_add_overflow(verify->bar_offset, verify->length, &end))
		return fail("--bar-offset and the length together are too large");
	err = bar_find(verify);
	if (err)
		return err;
	err = phyr_bar_map(verify->bar_path, false, end, &addr, &verify->bar_len);
	if (err == -ERANGE) {
		if (stat(verify->bar_path, &st))
			st.st_size = 0;
		return fail("%s: has only %" PRIu64 " bytes, but %" PRIu64
			    " from byte %" PRIu64
			    " on are to be compared; see --length and "
			    "--bar-offset",
			    verify->bar_path, (uint64_t)st.st_size, verify->length,
			    verify->bar_offset);
	}
	if (err)
		return fail("%s: cannot map it: %s", verify->bar_path,
			    bar_map_text(verify->bar_path, err));
	verify->bar = addr;
	return EXIT_DONE;
}

/* Opens the file, and completes and checks what part of it is meant. */
static int file_open(struct verify *verify)
{
	struct stat st;
	off_t size;

	verify->fd = open(verify->file_name, O_RDONLY | O_CLOEXEC);
	if (verify->fd < 0)
		return fail("%s: cannot open it: %s", verify->file_name, strerror(errno));
	if (fstat(verify->fd, &st) < 0)
		return fail("%s: %s", verify->file_name, strerror(errno));
	/* Also the size of a block device, which stat() does not know. */
	size = lseek(verify->fd, 0, SEEK_END);
	if (size < 0 || S_ISDIR(st.st_mode) || S_ISCHR(st.st_mode))
		return fail("%s: neither a regular file nor a disk", verify->file_name);
	if (verify->file_offset >= (uint64_t)size)
		return fail("%s: has only %" PRIu64 " bytes, there is nothing to compare "
			    "from byte %" PRIu64 " on",
			    verify->file_name, (uint64_t)size, verify->file_offset);
	if (!verify->have_length)
		verify->length = (uint64_t)size - verify->file_offset;
	if (!verify->length)
		return fail("--length is 0: there is nothing to compare");
	if (verify->length > (uint64_t)size - verify->file_offset)
		return fail("%s: has only %" PRIu64 " bytes from byte %" PRIu64
			    " on, --length asks for %" PRIu64,
			    verify->file_name, (uint64_t)size - verify->file_offset,
			    verify->file_offset, verify->length);
	return EXIT_DONE;
}

static int file_read(const struct verify *verify, char *buf, size_t len, uint64_t done)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(verify->fd, buf + got, len - got,
				  (off_t)(verify->file_offset + done + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail("%s: cannot read it: %s", verify->file_name,
				    strerror(errno));
		if (!n)
			return fail("%s: became shorter meanwhile", verify->file_name);
		got += (size_t)n;
	}
	return EXIT_DONE;
}

static void verify_note(struct verify *verify, const char *file, const char *bar,
			size_t len, uint64_t done)
{
	if (verify->differs || !memcmp(file, bar, len))
		return;
	verify->differs = true;
	for (verify->first = done; *file == *bar; file++, bar++)
		verify->first++;
}

static int verify_compare(struct verify *verify)
{
	struct progress progress = { .start = now_seconds(),
				     .wanted = progress_wanted() };
	char *file = malloc(CHUNK_BYTES), *bar = malloc(CHUNK_BYTES);
	XXH3_state_t *file_state = XXH3_createState();
	XXH3_state_t *bar_state = XXH3_createState();
	int status = EXIT_DONE;

	if (!file || !bar || !file_state || !bar_state) {
		status = fail("out of memory");
		goto free;
	}
	XXH3_128bits_reset(file_state);
	XXH3_128bits_reset(bar_state);
	for (uint64_t done = 0; done < verify->length;) {
		uint64_t left = verify->length - done;
		size_t len = left < CHUNK_BYTES ? left : CHUNK_BYTES;

		progress_show(&progress, done, verify->length);
		status = file_read(verify, file, len, done);
		if (status)
			break;
		copy_from_bar(bar, verify->bar + verify->bar_offset + done, len);
		XXH3_128bits_update(file_state, file, len);
		XXH3_128bits_update(bar_state, bar, len);
		verify_note(verify, file, bar, len, done);
		done += len;
	}
	progress_end(&progress);
	verify->file_hash = XXH3_128bits_digest(file_state);
	verify->bar_hash = XXH3_128bits_digest(bar_state);

free:
	XXH3_freeState(bar_state);
	XXH3_freeState(file_state);
	free(bar);
	free(file);
	return status;
}

static const char *hash_text(XXH128_hash_t hash, char *buf, size_t size)
{
	snprintf(buf, size, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
	return buf;
}

static int verify_report(const struct verify *verify)
{
	bool same = XXH128_isEqual(verify->file_hash, verify->bar_hash);
	char file[40], bar[40];

	hash_text(verify->file_hash, file, sizeof(file));
	hash_text(verify->bar_hash, bar, sizeof(bar));
	if (verify->json) {
		struct json_object *object = json_object_new_object();

		json_add_bool(object, "same", same);
		json_add_number(object, "bytes", verify->length);
		json_add_text(object, "file_xxh3_128", file);
		json_add_text(object, "bar_xxh3_128", bar);
		if (!same)
			json_add_number(object, "first_difference", verify->first);
		json_print(object);
	} else if (same) {
		printf("same: %" PRIu64 " bytes, XXH3-128 %s\n", verify->length, file);
	} else {
		printf("DIFFERENT: %" PRIu64 " bytes compared\n"
		       "  %s  %s\n"
		       "  %s  %s\n"
		       "  the first difference is at byte %" PRIu64
		       " of the file and byte "
		       "%" PRIu64 " of the BAR\n",
		       verify->length, file, verify->file_name, bar, verify->bar_path,
		       verify->file_offset + verify->first,
		       verify->bar_offset + verify->first);
	}
	return same ? EXIT_DONE : EXIT_NO;
}

static int verify_do(struct verify *verify)
{
	int status;

	signal(SIGBUS, on_sigbus);
	status = file_open(verify);
	if (!status)
		status = bar_open(verify);
	if (!status)
		status = verify_compare(verify);
	if (!status)
		status = verify_report(verify);
	phyr_bar_unmap((void *)(uintptr_t)verify->bar, verify->bar_len);
	if (verify->fd >= 0)
		close(verify->fd);
	return status;
}

static int verify_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "offset", required_argument, NULL, 'o' },
		{ "bar-offset", required_argument, NULL, 'b' },
		{ "length", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct verify verify = { .fd = -1 };
	uint64_t *number;
	int c;

	while ((c = getopt_long(argc, argv, "o:b:l:jh", options, NULL)) != -1) {
		number = NULL;
		switch (c) {
		case 'o':
			number = &verify.file_offset;
			break;
		case 'b':
			number = &verify.bar_offset;
			break;
		case 'l':
			number = &verify.length;
			verify.have_length = true;
			break;
		case 'j':
			verify.json = true;
			break;
		case 'h':
			return help(&verify_command);
		default:
			return fail_usage();
		}
		if (number && !number_parse(optarg, number))
			return fail(
				"'%s' is no number of bytes; write 4096, 0x1000, 4K or 1G",
				optarg);
	}
	if (argc - optind != 2) {
		fail("takes a file and a BAR, but got %d arguments", argc - optind);
		return fail_usage();
	}
	verify.file_name = argv[optind];
	verify.bar_name = argv[optind + 1];
	return verify_do(&verify);
}

const struct command verify_command = {
	.name = "verify",
	.summary = "compare a file with the bytes in device memory",
	.usage =
		"Usage: phyr verify FILE BAR [OPTIONS]\n\n"
		"BAR is a file to map, such as /sys/bus/pci/devices/.../resource2_wc, or a\n"
		"PCI address: 0000:01:00.0:2 for BAR 2, 0000:01:00.0 for the largest.\n\n"
		"  -o, --offset N      begin at byte N of the file (0)\n"
		"  -b, --bar-offset N  begin at byte N of the BAR (0)\n"
		"  -l, --length N      compare N bytes (to the end of the file)\n"
		"  -j, --json          one JSON object\n\n"
		"N may end in K, M, G or T (binary). The exit status is 0 when both are the\n"
		"same, 1 when they differ, 2 on an error.\n",
	.run = verify_run,
};
