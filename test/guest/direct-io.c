// SPDX-License-Identifier: MIT
/*
 * Direct I/O on a block device from huge pages: what is written comes back, at every size and with
 * many requests at once; what is no whole page is refused and changes nothing; zeros and discards.
 *
 * usage: direct-io DEVICE. Exit status 0: all is right; each fault is a line on stderr. The device
 * must have 64 MiB, and is overwritten.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define SHARE		(2 * HUGE)	/* of the device, a process */
#define PROCESSES	16
#define ROUNDS		12

static int device;
static int faults;

static void fault(const char *what, size_t size, off_t at)
{
	faults++;
	fprintf(stderr, "direct-io: %s: %zu bytes at %lld: %s\n", what, size, (long long)at,
		strerror(errno));
}

/* A huge page, if the kernel has one. */
static uint8_t *huge_page(void)
{
	uint8_t *map = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *page = (uint8_t *)(((uintptr_t)map + HUGE - 1) & ~(HUGE - 1));

	if (map == MAP_FAILED || madvise(page, HUGE, MADV_HUGEPAGE)) {
		perror("direct-io: a huge page");
		exit(2);
	}
	memset(page, 1, HUGE);
	return page;
}

static unsigned long huge_kib(void)
{
	unsigned long sum = 0, kib;
	char line[256];
	FILE *file = fopen("/proc/self/smaps", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			sum += kib;
	if (file)
		fclose(file);
	return sum;
}

static void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
	uint64_t *words = (uint64_t *)bytes;
	size_t i;

	for (i = 0; i < size / 8; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		words[i] = seed ^ seed >> 29;
	}
}

/* Writes, reads back and compares @size bytes at @at, from and to the middle of huge pages. */
static void round_trip(uint8_t *out, uint8_t *in, size_t size, off_t at, uint64_t seed)
{
	size_t skip = size <= HUGE / 2 ? seed % (HUGE / 2 / PAGE) * PAGE : 0;

	fill(out + skip, size, seed);
	memset(in + skip, 0, size);
	errno = 0;
	if (pwrite(device, out + skip, size, at) != (ssize_t)size)
		fault("write", size, at);
	else if (pread(device, in + skip, size, at) != (ssize_t)size)
		fault("read", size, at);
	else if (memcmp(out + skip, in + skip, size))
		fault("other bytes came back", size, at);
}

/* Many at once, each in a share of the device of its own. */
static void round_trips(uint8_t *out, uint8_t *in, int process)
{
	static const size_t sizes[] = { PAGE, 2 * PAGE, 65536, 131072 + PAGE, 524288, HUGE };
	off_t start = process * SHARE;
	unsigned int i, size;

	for (i = 0; i < ROUNDS; i++)
		for (size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++)
			round_trip(out, in, sizes[size], start + i % 4 * 8 * PAGE,
				   process * 1000 + i * 10 + size + 1);
}

/* A write that is no whole page changes nothing, and says so; a part of a page's memory may do. */
static void partial(uint8_t *out, uint8_t *in)
{
	static const struct { size_t size; off_t at; } parts[] = {
		{ 512, 0 }, { 1536, 0 }, { PAGE + 512, 0 }, { PAGE, 512 }, { 0, PAGE },
	};
	unsigned int i;

	fill(in, 4 * PAGE, 7);
	if (pwrite(device, in, 4 * PAGE, 0) != 4 * PAGE)
		fault("write", 4 * PAGE, 0);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		fill(out, 4 * PAGE, 99);
		errno = 0;
		if (pwrite(device, out, parts[i].size, parts[i].at) > 0 ||
		    (parts[i].size && errno != EINVAL))
			fault("a part of a page was not refused", parts[i].size, parts[i].at);
	}
	if (pread(device, out, 4 * PAGE, 0) != 4 * PAGE || memcmp(out, in, 4 * PAGE))
		fault("a refused write changed the disk", 4 * PAGE, 0);
	/* Memory that begins within a page. */
	fill(out + 512, PAGE, 5);
	errno = 0;
	if (pwrite(device, out + 512, PAGE, 0) == PAGE) {
		if (pread(device, in, PAGE, 0) != PAGE || memcmp(in, out + 512, PAGE))
			fault("from within a page", PAGE, 0);
	} else if (errno != EINVAL) {
		fault("from within a page", PAGE, 0);
	}
}

static int is_zero(const uint8_t *bytes, size_t size)
{
	while (size && !*bytes) {
		bytes++;
		size--;
	}
	return !size;
}

/* Makes a range read as zeros, by @request, and its neighbours not; an empty range is none. */
static void zeros(uint8_t *out, uint8_t *in, unsigned long request, const char *name)
{
	uint64_t range[2] = { PAGE, 2 * PAGE };
	uint64_t empty[2] = { 0, 0 };
	uint64_t part[2] = { 512, 512 };

	fill(out, 4 * PAGE, 11);
	errno = 0;
	if (pwrite(device, out, 4 * PAGE, 0) != 4 * PAGE || ioctl(device, request, range))
		fault(name, 2 * PAGE, PAGE);
	/* Refused or done, as the kernel likes; nothing may be lost by it. */
	ioctl(device, request, empty);
	ioctl(device, request, part);
	if (pread(device, in, 4 * PAGE, 0) != 4 * PAGE || memcmp(in, out, 512) ||
	    memcmp(in + 1024, out + 1024, PAGE - 1024) ||
	    !is_zero(in + PAGE, 2 * PAGE) || memcmp(in + 3 * PAGE, out + 3 * PAGE, PAGE))
		fault(name, 4 * PAGE, 0);
}

int main(int argc, char **argv)
{
	uint8_t *out, *in;
	int status, i;

	device = argc == 2 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	if (device < 0) {
		perror("usage: direct-io DEVICE");
		return 2;
	}
	out = huge_page();
	in = huge_page();
	if (huge_kib() < 2 * HUGE / 1024) {
		fprintf(stderr, "direct-io: no huge pages: %lu KiB\n", huge_kib());
		return 2;
	}
	partial(out, in);
	zeros(out, in, BLKDISCARD, "discard");
	zeros(out, in, BLKZEROOUT, "zeros");
	for (i = 0; i < PROCESSES; i++) {
		if (fork())
			continue;
		faults = 0;
		round_trips(huge_page(), huge_page(), i);
		_exit(faults ? 1 : 0);
	}
	while (wait(&status) > 0)
		faults += status ? 1 : 0;
	printf("%lu KiB in huge pages, %d faults\n", huge_kib(), faults);
	return faults ? 1 : 0;
}
