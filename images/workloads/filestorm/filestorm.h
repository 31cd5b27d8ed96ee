/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the file storm share: filestorm.c reads the options, goes over the files and
 * reports; file.c writes, reads and verifies one file.
 */
#ifndef TMEM_FILESTORM_H
#define TMEM_FILESTORM_H

#include "../storm/pattern.h"

#include <stdbool.h>
#include <stdint.h>

#define EXIT_WRONG	1
#define EXIT_USAGE	2
#define EXIT_DIED	3

/* One file. What each of its pages must hold is known before the page is written. */
struct file {
	char path[4096];
	uint32_t number;
	uint64_t pages;
	uint32_t *generations;	/* by page; 0: a hole, all zero */
	int fd;
	int direct;		/* the same file past the page cache; -1 where that cannot be */
};

struct totals {
	uint64_t written;
	uint64_t verified;
	uint64_t wrong;
};

extern struct totals totals;
extern uint64_t seed;

/* Each ends the program, with a word on stderr, when the file system fails. */
void file_make(struct file *file);
void file_remove(struct file *file);
void file_write_page(struct file *file, uint64_t page);
void file_write_halves(struct file *file, uint64_t page);
void file_write_direct(struct file *file, uint64_t page);
void file_spoil(struct file *file, uint64_t page);
void file_cut(struct file *file, uint64_t pages);
void file_sync(struct file *file);
void file_let_go(struct file *file);
void file_verify(struct file *file);
void file_verify_mapped(struct file *file);

__attribute__((noreturn)) void die(const struct file *file, const char *what);

#endif
