// SPDX-License-Identifier: MIT
/*
 * Frames on their way to the host: one buffer, filled at the end, written from the front. Only
 * whole frames are added, so whatever is dropped is dropped whole, except by tx_clear() when the
 * host has gone.
 */
#define _GNU_SOURCE
#include "agent_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One page a write: the driver allocates a copy, and single pages can always be had. */
#define PORT_WRITE_BYTES	4096

static uint8_t tx[TX_BYTES];
static size_t tx_start;
static size_t tx_end;

size_t tx_room(void)
{
	if (tx_start == tx_end) {
		tx_start = 0;
		tx_end = 0;
	} else if (tx_start >= TX_BYTES / 2) {
		memmove(tx, tx + tx_start, tx_end - tx_start);
		tx_end -= tx_start;
		tx_start = 0;
	}
	return TX_BYTES - tx_end;
}

static void tx_header(uint32_t type, uint32_t id, uint32_t bytes)
{
	store_u32(tx + tx_end, type);
	store_u32(tx + tx_end + 4, id);
	store_u32(tx + tx_end + 8, bytes);
	tx_end += FRAME_HEADER_BYTES;
}

void tx_frame(uint32_t type, uint32_t id, const void *payload, uint32_t bytes)
{
	tx_header(type, id, bytes);
	memcpy(tx + tx_end, payload, bytes);
	tx_end += bytes;
}

void tx_u32(uint32_t type, uint32_t id, uint32_t value)
{
	uint8_t payload[4];

	store_u32(payload, value);
	tx_frame(type, id, payload, sizeof(payload));
}

void tx_failed(uint32_t id, const char *what, int error)
{
	char text[CONTROL_FRAME_MAX - FRAME_HEADER_BYTES];
	int bytes = snprintf(text, sizeof(text), "%s%s%s", what, error ? ": " : "",
			     error ? strerror(error) : "");

	tx_frame(FRAME_FAILED, id, text, bytes);
}

void tx_flush(int port)
{
	while (tx_start < tx_end) {
		size_t bytes = tx_end - tx_start;
		ssize_t put;

		if (bytes > PORT_WRITE_BYTES)
			bytes = PORT_WRITE_BYTES;
		put = write(port, tx + tx_start, bytes);
		if (put > 0)
			tx_start += put;
		else if (put < 0 && (errno == EAGAIN || errno == ENOMEM || errno == EINTR))
			return;
		else if (put < 0 && errno != EPIPE)
			fatal("writing to the agent port: %s", strerror(errno));
		else
			return;
	}
}

bool tx_empty(void)
{
	return tx_start == tx_end;
}

void tx_clear(void)
{
	tx_start = 0;
	tx_end = 0;
}

uint8_t *tx_payload(void)
{
	return tx + tx_end + FRAME_HEADER_BYTES;
}

void tx_commit(uint32_t type, uint32_t id, uint32_t bytes)
{
	tx_header(type, id, bytes);
	tx_end += bytes;
}
