// SPDX-License-Identifier: MIT
/*
 * One file of the file storm: each way in which its pages are written, dropped and verified.
 *
 * Always holds: a generation is used once in the whole run, so that a page that is older than it
 * should be, or another file's, differs from what is expected.
 */
#define _GNU_SOURCE
#include "filestorm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_PAGES	16
#define REPORTS_MAX	5

struct totals totals;
uint64_t seed = 1;

static uint32_t last_generation;
static int reports;
static uint64_t buffer[CHUNK_PAGES * PAGE_WORDS] __attribute__((aligned(PAGE_BYTES)));

void die(const struct file *file, const char *what)
{
	fprintf(stderr, "filestorm: %s: %s: %s\n", file->path, what, strerror(errno));
	exit(EXIT_DIED);
}

static uint64_t key_of(const struct file *file, uint64_t page, uint32_t generation)
{
	return pattern_key(seed, file->number, page, generation);
}

static bool page_is_right(const struct file *file, uint64_t page, const uint64_t *words)
{
	uint32_t generation = file->generations[page];
	uint64_t all = 0;
	int i;

	if (generation)
		return pattern_matches(words, key_of(file, page, generation));
	for (i = 0; i < PAGE_WORDS; i++)
		all |= words[i];
	return !all;
}

/* Says what a wrong page holds instead, for the first few. */
static void report(const struct file *file, uint64_t page, const uint64_t *words)
{
	uint32_t generation = file->generations[page];
	uint32_t older;
	int i;

	if (reports++ >= REPORTS_MAX)
		return;
	fprintf(stderr, "filestorm: %s page %llu is not of generation %u: ", file->path,
		(unsigned long long)page, generation);
	for (i = 0; i < PAGE_WORDS && !words[i]; i++)
		;
	if (i == PAGE_WORDS) {
		fprintf(stderr, "it is all zero\n");
		return;
	}
	for (older = last_generation; older; older--) {
		if (!pattern_matches(words, key_of(file, page, older)))
			continue;
		fprintf(stderr, "it is stale: generation %u\n", older);
		return;
	}
	fprintf(stderr, "first word %#llx\n", (unsigned long long)words[0]);
}

static void verify_page(struct file *file, uint64_t page, const uint64_t *words)
{
	totals.verified++;
	if (page_is_right(file, page, words))
		return;
	totals.wrong++;
	report(file, page, words);
}

/* Decides what the page holds from now on, and makes it. */
static const uint64_t *next_page(struct file *file, uint64_t page)
{
	file->generations[page] = ++last_generation;
	pattern_fill(buffer, key_of(file, page, last_generation));
	totals.written++;
	return buffer;
}

static void write_at(struct file *file, int fd, const void *bytes, size_t size, uint64_t at)
{
	ssize_t done = pwrite(fd, bytes, size, at);

	if (done != (ssize_t)size)
		die(file, done < 0 ? "write" : "short write");
}

void file_make(struct file *file)
{
	uint64_t page;

	file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file->fd < 0)
		die(file, "create");
	file->direct = open(file->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	for (page = 0; page < file->pages; page++)
		file_write_page(file, page);
}

void file_remove(struct file *file)
{
	if (unlink(file->path))
		die(file, "unlink");
	close(file->fd);
	if (file->direct >= 0)
		close(file->direct);
}

void file_write_page(struct file *file, uint64_t page)
{
	write_at(file, file->fd, next_page(file, page), PAGE_BYTES, page * PAGE_BYTES);
}

/* The page has to be read before half of it can be written. */
void file_write_halves(struct file *file, uint64_t page)
{
	const char *bytes = (const char *)next_page(file, page);
	uint64_t at = page * PAGE_BYTES;

	write_at(file, file->fd, bytes + PAGE_BYTES / 2, PAGE_BYTES / 2, at + PAGE_BYTES / 2);
	write_at(file, file->fd, bytes, PAGE_BYTES / 2, at);
}

/* Past the page cache, whose copy must be dropped. */
void file_write_direct(struct file *file, uint64_t page)
{
	if (file->direct < 0)
		file_write_page(file, page);
	else
		write_at(file, file->direct, next_page(file, page), PAGE_BYTES,
			 page * PAGE_BYTES);
}

/* A fault made on purpose: the last bit of a page, which only a look at every byte finds. */
void file_spoil(struct file *file, uint64_t page)
{
	if (pread(file->fd, buffer, PAGE_BYTES, page * PAGE_BYTES) != PAGE_BYTES)
		die(file, "read");
	buffer[PAGE_WORDS - 1] ^= 1ull << 63;
	write_at(file, file->fd, buffer, PAGE_BYTES, page * PAGE_BYTES);
}

/* Cuts the file off at `pages` and makes it as long as before: the rest is a hole. */
void file_cut(struct file *file, uint64_t pages)
{
	uint64_t page;

	if (ftruncate(file->fd, pages * PAGE_BYTES) ||
	    ftruncate(file->fd, file->pages * PAGE_BYTES))
		die(file, "truncate");
	for (page = pages; page < file->pages; page++)
		file->generations[page] = 0;
}

void file_sync(struct file *file)
{
	if (fdatasync(file->fd))
		die(file, "fdatasync");
}

/* Has the kernel drop the file's clean pages. */
void file_let_go(struct file *file)
{
	file_sync(file);
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
}

void file_verify(struct file *file)
{
	uint64_t first;
	uint64_t page;

	for (first = 0; first < file->pages; first += CHUNK_PAGES) {
		uint64_t count = file->pages - first;
		ssize_t size;

		if (count > CHUNK_PAGES)
			count = CHUNK_PAGES;
		size = pread(file->fd, buffer, count * PAGE_BYTES, first * PAGE_BYTES);
		if (size != (ssize_t)(count * PAGE_BYTES))
			die(file, size < 0 ? "read" : "short read");
		for (page = 0; page < count; page++)
			verify_page(file, first + page, buffer + page * PAGE_WORDS);
	}
}

/* The same, by faults instead of reads, from the end. */
void file_verify_mapped(struct file *file)
{
	size_t bytes = file->pages * PAGE_BYTES;
	const uint64_t *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file->fd, 0);
	uint64_t page = file->pages;

	if (memory == MAP_FAILED)
		die(file, "mmap");
	while (page--)
		verify_page(file, page, memory + page * PAGE_WORDS);
	munmap((void *)memory, bytes);
}
