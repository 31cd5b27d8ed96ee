// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module's reader of frames does for each byte that comes: frame.c itself, in a program.
 *
 * The first argument is how many bytes come at a time; the stream comes on standard input, whole.
 * Prints frames taken, bytes that were in none, and bytes that were checked, moved or looked
 * through.
 */
#include "shim.h"

#define memmove shim_memmove
#define memchr shim_memchr
#include "frame.c"
#undef memmove
#undef memchr

static unsigned long long work;

u32 crc32_le(u32 crc, const void *bytes, size_t count)
{
	const u8 *at = bytes;
	size_t i;
	int bit;

	work += count;
	for (i = 0; i < count; i++) {
		crc ^= at[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return crc;
}

void *shim_memmove(void *to, const void *from, size_t count)
{
	work += count;
	return memmove(to, from, count);
}

void *shim_memchr(const void *at, int byte, size_t count)
{
	const u8 *found = memchr(at, byte, count);

	work += found ? (size_t)(found - (const u8 *)at) : count;
	return (void *)found;
}

int main(int count, char **arguments)
{
	size_t piece = count > 1 ? strtoul(arguments[1], NULL, 10) : 4096;
	struct tmem_reader reader = { 0 };
	unsigned long frames = 0;

	if (tmem_reader_init(&reader))
		return 1;
	for (;;) {
		size_t room;
		void *space = tmem_reader_space(&reader, &room);
		size_t came = fread(space, 1, room < piece ? room : piece, stdin);

		if (!came)
			break;
		tmem_reader_filled(&reader, came);
		while (tmem_reader_next(&reader))
			frames++;
	}
	printf("%lu %llu %llu\n", frames, (unsigned long long)reader.skipped, work);
	tmem_reader_free(&reader);
	return 0;
}
