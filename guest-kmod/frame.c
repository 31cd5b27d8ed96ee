// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames: what stands in the stream of a link (PROTOCOL.md section 9). The reader takes bytes in
 * pieces of any size and gives whole, undamaged frames out; the rest it skips and counts. Process
 * context; nothing here sleeps but the setting up.
 *
 * A broken host may send anything. So the reader's work is bounded by how many bytes have come,
 * whatever they are: each is checked once, and once more where a frame may lie in what looked like
 * another's payload; what is moved is paid for by what was taken.
 */
#include <linux/crc32.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "link.h"

#define TMEM_FRAME_BYTES_MAX	(sizeof(struct tmem_frame) + TMEM_FRAME_PAYLOAD_MAX)
#define TMEM_READER_BYTES	(2 * TMEM_FRAME_BYTES_MAX)
/* However full a frame is, a reader takes it. */
static_assert(TMEM_OUT_PAGES * TMEM_PAGE_BYTES + TMEM_OUT_HEAD_BYTES <= TMEM_FRAME_BYTES_MAX);
/* What a header's own checksum covers. */
#define TMEM_HEAD_CRC_BYTES	offsetof(struct tmem_frame, head_crc)

/* zlib's crc32 of bytes behind others whose own is @crc. */
static u32 tmem_crc(u32 crc, const void *bytes, size_t count)
{
	return ~crc32_le(~crc, bytes, count);
}

int tmem_reader_init(struct tmem_reader *reader)
{
	reader->bytes = kvmalloc(TMEM_READER_BYTES, GFP_KERNEL);
	return reader->bytes ? 0 : -ENOMEM;
}

void tmem_reader_free(struct tmem_reader *reader)
{
	kvfree(reader->bytes);
}

static void tmem_reader_compact(struct tmem_reader *reader)
{
	memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
	reader->end -= reader->start;
	reader->start = 0;
}

/* Where the next bytes go: half a frame at least. The caller says how many it put there. */
void *tmem_reader_space(struct tmem_reader *reader, size_t *room)
{
	/* Less than a frame is left, so that there is room until then. */
	if (reader->start >= TMEM_FRAME_BYTES_MAX / 2)
		tmem_reader_compact(reader);
	*room = TMEM_READER_BYTES - reader->end;
	return reader->bytes + reader->end;
}

/* So many bytes have come. */
void tmem_reader_filled(struct tmem_reader *reader, size_t count)
{
	reader->end += count;
	reader->spare = min_t(size_t, reader->spare + count, TMEM_FRAME_BYTES_MAX);
}

static void tmem_reader_skip(struct tmem_reader *reader, size_t count)
{
	reader->damaged = true;
	reader->skipped += count;
	reader->start += count;
}

/* Whether @head, a copy, begins a frame; its checksum is looked at last, for it costs most. */
static bool tmem_is_head(const struct tmem_frame *head)
{
	u32 length = le32_to_cpu(head->length);

	return le32_to_cpu(head->magic) == TMEM_FRAME_MAGIC &&
	       length <= TMEM_FRAME_PAYLOAD_MAX && length % sizeof(u32) == 0 &&
	       tmem_crc(0, head, TMEM_HEAD_CRC_BYTES) == le32_to_cpu(head->head_crc);
}

/* The frame that has just been taken, on a word's boundary. */
static struct tmem_frame *tmem_reader_aligned(struct tmem_reader *reader, size_t bytes)
{
	size_t from = reader->start - bytes;
	size_t to = round_down(from, sizeof(u32));

	if (to != from)
		memmove(reader->bytes + to, reader->bytes + from, bytes);
	return (struct tmem_frame *)(reader->bytes + to);
}

/* Moves to the next header and copies it; false when none is whole yet. */
static bool tmem_reader_seek(struct tmem_reader *reader, struct tmem_frame *head)
{
	while (reader->end - reader->start >= sizeof(*head)) {
		u8 *at = reader->bytes + reader->start;
		u8 *next;

		memcpy(head, at, sizeof(*head));
		if (tmem_is_head(head))
			return true;
		next = memchr(at + 1, TMEM_FRAME_MAGIC & 0xff, reader->end - reader->start - 1);
		tmem_reader_skip(reader, next ? next - at : reader->end - reader->start);
	}
	return false;
}

/*
 * Whether a damaged payload is looked through: after a loss, the next frame lies in what looked
 * like this one's. Where every head claims more than follows, what is there is sent again.
 */
static bool tmem_reader_spend(struct tmem_reader *reader, size_t count)
{
	if (count > reader->spare)
		return false;
	reader->spare -= count;
	return true;
}

/* The next whole frame, its payload behind it, until the next call; NULL until more bytes come. */
struct tmem_frame *tmem_reader_next(struct tmem_reader *reader)
{
	struct tmem_frame head;

	while (tmem_reader_seek(reader, &head)) {
		size_t bytes = sizeof(head) + le32_to_cpu(head.length);
		u8 *payload = reader->bytes + reader->start + sizeof(head);

		if (reader->end - reader->start < bytes)
			return NULL;
		if (tmem_crc(0, payload, bytes - sizeof(head)) != le32_to_cpu(head.payload_crc)) {
			tmem_reader_skip(reader, tmem_reader_spend(reader, bytes) ? 1 : bytes);
			continue;
		}
		reader->start += bytes;
		return tmem_reader_aligned(reader, bytes);
	}
	return NULL;
}

/* Whether a frame has begun and is not whole. */
bool tmem_reader_waits(const struct tmem_reader *reader)
{
	return reader->end > reader->start;
}

/* Gives up a frame that has begun and does not end. */
void tmem_reader_give_up(struct tmem_reader *reader)
{
	if (tmem_reader_waits(reader))
		tmem_reader_skip(reader, 1);
}

/* Begins a frame: room for its header. */
void tmem_out_clear(struct tmem_out *out)
{
	out->head_used = 0;
	out->pieces = 0;
	out->pages = 0;
	tmem_out_words(out, sizeof(struct tmem_frame));
}

/* Adds @bytes of zeroes, whole words, and says where they are. The caller keeps to the bounds. */
void *tmem_out_words(struct tmem_out *out, u32 bytes)
{
	void *at = out->head + out->head_used;

	memset(at, 0, bytes);
	out->head_used += bytes;
	if (out->pieces && !out->piece[out->pieces - 1].is_page) {
		out->piece[out->pieces - 1].bytes += bytes;
		return at;
	}
	out->piece[out->pieces].at = at;
	out->piece[out->pieces].bytes = bytes;
	out->piece[out->pieces].is_page = false;
	out->pieces++;
	return at;
}

/* Adds a page of vmalloc memory, which stays as it is until it was sent. */
void tmem_out_page(struct tmem_out *out, void *page)
{
	out->piece[out->pieces].at = page;
	out->piece[out->pieces].bytes = TMEM_PAGE_BYTES;
	out->piece[out->pieces].is_page = true;
	out->pieces++;
	out->pages++;
}

/* Fills the header in over what was added. */
void tmem_out_seal(struct tmem_out *out, u32 kind, u32 epoch)
{
	struct tmem_frame *head = (struct tmem_frame *)out->head;
	u32 length = out->piece[0].bytes - sizeof(*head);
	u32 crc = tmem_crc(0, head + 1, length);
	u32 i;

	for (i = 1; i < out->pieces; i++) {
		crc = tmem_crc(crc, out->piece[i].at, out->piece[i].bytes);
		length += out->piece[i].bytes;
	}
	head->magic = cpu_to_le32(TMEM_FRAME_MAGIC);
	head->kind = cpu_to_le32(kind);
	head->length = cpu_to_le32(length);
	head->epoch = cpu_to_le32(epoch);
	head->head_crc = cpu_to_le32(tmem_crc(0, head, TMEM_HEAD_CRC_BYTES));
	head->payload_crc = cpu_to_le32(crc);
}
