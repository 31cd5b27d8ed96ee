// SPDX-License-Identifier: MIT
/*
 * The file storm: files of known content in a folder, together larger than memory, read again and
 * again with every byte verified, while pages are overwritten, halves of pages too, written past
 * the page cache, and files are cut off, removed and made anew. Whatever caches clean pages below
 * the page cache is found out when it gives back an old one.
 *
 * usage() has the options and the exit status.
 */
#define _GNU_SOURCE
#include "filestorm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX		4096
#define REWRITE_SHARE		8	/* one page of eight */

static struct {
	const char *dir;
	uint64_t mib;
	uint32_t files;
	uint32_t passes;
	bool drop_caches;
	bool json;
	bool progress;
	bool inject;
} options = { .dir = ".", .mib = 256, .files = 16, .passes = 2 };

static struct file *files;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

/* A number that nothing but the seed and the two arguments decides. */
static uint64_t chance(uint64_t pass, uint64_t place)
{
	return pattern_mix(pattern_mix(seed + pass) ^ place);
}

static void make_files(void)
{
	uint64_t pages = options.mib * (1 << 20) / PAGE_BYTES;
	uint32_t i;

	files = calloc(options.files, sizeof(*files));
	for (i = 0; files && i < options.files; i++) {
		struct file *file = &files[i];

		snprintf(file->path, sizeof(file->path), "%s/filestorm.%u", options.dir, i);
		file->number = i;
		/* Of different lengths, and of `mib` together. */
		file->pages = pages / options.files;
		if (options.files > 1)
			file->pages += (int64_t)(pages / options.files / 2) * (i % 2 ? 1 : -1);
		if (!file->pages)
			file->pages = 1;
		file->generations = calloc(file->pages, sizeof(*file->generations));
		if (!file->generations)
			break;
		file_make(file);
		if (options.progress)
			fprintf(stderr, "filestorm: %u of %u files made\n", i + 1, options.files);
	}
	if (!files || i < options.files) {
		fprintf(stderr, "filestorm: no memory for the table of generations\n");
		exit(EXIT_DIED);
	}
}

/* Has the kernel drop every clean page: each is then read anew. */
static void drop_caches(void)
{
	int fd;

	if (!options.drop_caches)
		return;
	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1) {
		fprintf(stderr, "filestorm: /proc/sys/vm/drop_caches: %s\n", strerror(errno));
		exit(EXIT_DIED);
	}
	close(fd);
}

static void rewrite(struct file *file, uint32_t pass)
{
	uint64_t page;

	for (page = 0; page < file->pages; page++) {
		uint64_t luck = chance(pass, (uint64_t)file->number << 32 | page);

		if (luck % REWRITE_SHARE)
			continue;
		switch (luck / REWRITE_SHARE % 8) {
		case 0: case 1: file_write_halves(file, page); break;
		case 2: file_write_direct(file, page); break;
		default: file_write_page(file, page);
		}
	}
}

/* What happens to a file beside being read, by its number and the pass. */
static void disturb(struct file *file, uint32_t pass)
{
	switch ((file->number + pass) % 8) {
	case 0:
		file_remove(file);
		file_make(file);
		break;
	case 1:
		file_cut(file, file->pages / 3);
		file_verify(file);
		rewrite(file, pass);
		break;
	case 2:
		break;
	case 3:
		rewrite(file, pass);
		file_let_go(file);
		break;
	case 4:
		file_let_go(file);
		/* What is overwritten unread may lie in a cache below. */
		rewrite(file, pass);
		break;
	default:
		rewrite(file, pass);
	}
}

static void run_pass(uint32_t pass)
{
	uint32_t i;

	for (i = 0; i < options.files; i++) {
		struct file *file = &files[pass % 2 ? options.files - 1 - i : i];

		if ((file->number + pass) % 3 == 2)
			file_verify_mapped(file);
		else
			file_verify(file);
		disturb(file, pass);
	}
	drop_caches();
	if (options.progress)
		fprintf(stderr, "filestorm: pass %u of %u: %llu pages verified, %llu wrong\n",
			pass + 1, options.passes, (unsigned long long)totals.verified,
			(unsigned long long)totals.wrong);
}

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "mib", required_argument, NULL, 'm' },
	{ "files", required_argument, NULL, 'f' },
	{ "passes", required_argument, NULL, 'p' },
	{ "seed", required_argument, NULL, 's' },
	{ "drop-caches", no_argument, NULL, 'D' },
	{ "json", no_argument, NULL, 'j' },
	{ "progress", no_argument, NULL, 'P' },
	{ "inject", no_argument, NULL, 'i' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((noreturn)) static void usage(const char *problem)
{
	fprintf(stderr, "filestorm: %s\n"
		"usage: filestorm [--dir D] [--mib N] [--files F] [--passes P] [--seed S]\n"
		"                 [--drop-caches] [--json] [--progress] [--inject]\n"
		"  --dir          where the files are made, and removed in the end (default .)\n"
		"  --mib          all files together (default 256)\n"
		"  --files        1 to 4096 (default 16)\n"
		"  --passes       how often to go over them (default 2), and once more at the end\n"
		"  --drop-caches  have the kernel drop its clean pages after each pass\n"
		"  --inject       spoil a page after the first pass, to see that it is found\n"
		"exit status: 0 all right, 1 a page was wrong, 2 usage, 3 the file system failed\n",
		problem);
	exit(EXIT_USAGE);
}

static uint64_t number(const char *text, uint64_t minimum, uint64_t maximum)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < minimum || value > maximum)
		usage("a number is missing or out of range");
	return value;
}

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'd': options.dir = optarg; break;
		case 'm': options.mib = number(optarg, 1, 1 << 20); break;
		case 'f': options.files = number(optarg, 1, FILES_MAX); break;
		case 'p': options.passes = number(optarg, 1, 1 << 20); break;
		case 's': seed = number(optarg, 0, UINT64_MAX); break;
		case 'D': options.drop_caches = true; break;
		case 'j': options.json = true; break;
		case 'P': options.progress = true; break;
		case 'i': options.inject = true; break;
		default: usage("unknown option");
		}
	}
	if (optind < argc)
		usage("unexpected argument");
}

int main(int argc, char **argv)
{
	double start = now();
	uint32_t pass;
	uint32_t i;

	parse_options(argc, argv);
	make_files();
	for (pass = 0; pass < options.passes; pass++) {
		run_pass(pass);
		if (!pass && options.inject)
			file_spoil(&files[0], files[0].pages - 1);
	}
	drop_caches();
	for (i = 0; i < options.files; i++)
		file_verify(&files[i]);
	for (i = 0; i < options.files; i++)
		file_remove(&files[i]);
	if (options.json)
		printf("{\"pagesWritten\":%llu,\"pagesVerified\":%llu,\"pagesWrong\":%llu,"
		       "\"seconds\":%.3f}\n",
		       (unsigned long long)totals.written, (unsigned long long)totals.verified,
		       (unsigned long long)totals.wrong, now() - start);
	else
		printf("%llu pages verified, %llu wrong\n", (unsigned long long)totals.verified,
		       (unsigned long long)totals.wrong);
	return totals.wrong ? EXIT_WRONG : 0;
}
