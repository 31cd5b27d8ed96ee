// SPDX-License-Identifier: MIT
/*
 * Checks the byte images of emulator/protocol/vectors against tmem_abi.h as a C compiler sees it.
 *
 * vectors_table.h, generated from the JSON files, is a list of calls of the macros below: one
 * IMAGE a vector, then one FIELD (or ELEMENT, of an array) for each of its values. Prints each
 * difference and a last line with the number of checks; exits with 1 when there was a difference.
 */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tmem_abi.h"

/* The image that is looked at: at least as large and as aligned as any structure. */
static _Alignas(4096) unsigned char image[4096];
static const char *image_name;
static unsigned int checks;
static unsigned int differences;

static void load_image(const char *name, const unsigned char *bytes, size_t length)
{
	memset(image, 0, sizeof(image));
	memcpy(image, bytes, length);
	image_name = name;
}

/* A little-endian member of 4 or 8 bytes. */
static uint64_t read_le(const void *member, size_t size)
{
	uint32_t low;
	uint64_t wide;

	if (size == sizeof(low)) {
		memcpy(&low, member, sizeof(low));
		return le32toh(low);
	}
	memcpy(&wide, member, sizeof(wide));
	return le64toh(wide);
}

static void check(const char *what, uint64_t seen, uint64_t expected)
{
	checks++;
	if (seen == expected)
		return;
	differences++;
	printf("%s %s: 0x%llx, expected 0x%llx\n", image_name, what,
	       (unsigned long long)seen, (unsigned long long)expected);
}

#define IMAGE(name, ...)                                                                \
	do {                                                                            \
		static const unsigned char bytes[] = { __VA_ARGS__ };                   \
		load_image(name, bytes, sizeof(bytes));                                 \
	} while (0)

#define FIELD(type, member, expected)                                                   \
	check(#member, read_le(&((const struct type *)image)->member,                   \
			       sizeof(((const struct type *)image)->member)), expected)

#define ELEMENT(type, member, at, expected)                                             \
	check(#member "[" #at "]", read_le(&((const struct type *)image)->member[at],   \
			       sizeof(((const struct type *)image)->member[at])), expected)

#define CONSTANT(name, expected) check(#name, (uint32_t)(name), expected)

#define SIZE(type, expected) check("size", sizeof(struct type), expected)

int main(void)
{
	image_name = "tmem_abi.h";
#include "vectors_table.h"
	printf("%u checks, %u differences\n", checks, differences);
	return differences == 0 ? 0 : 1;
}
