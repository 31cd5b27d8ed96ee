/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the agent share: agent.c owns the port and the poll loop, transmit.c the bytes
 * on their way to the host, commands.c the processes, start.c how one begins. Everything here is
 * one thread's.
 */
#ifndef TMEM_AGENT_PRIVATE_H
#define TMEM_AGENT_PRIVATE_H

#include "agent.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TX_BYTES		(128 * 1024)
/* Kept free of command output, so that control frames find room. */
#define TX_RESERVE		8192

enum { OUT, ERR, OUTPUTS };

struct command {
	bool used;
	bool exited;		/* Reaped: exit_code is valid. */
	bool silent;		/* The host has been told of the end, or has gone. */
	bool input_closed;	/* No more STDIN will come. */
	bool terminal;		/* in and out[OUT] are a terminal's, out[ERR] is -1. */
	uint32_t id;
	pid_t pid;		/* Also its process group. */
	uint32_t exit_code;
	int in;			/* Our ends of its pipes, or -1. */
	int out[OUTPUTS];
	uint32_t left[OUTPUTS];	/* Once exited: bytes still to send. */
	uint32_t output_credit;
	uint32_t input_start;
	uint32_t input_end;
	uint32_t input_taken;	/* Bytes taken but not yet credited to the host. */
	uint8_t input[STDIN_WINDOW];
};

extern struct command commands[COMMANDS_MAX];

static inline uint32_t load_u32(const uint8_t *from)
{
	return from[0] | from[1] << 8 | from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline uint16_t load_u16(const uint8_t *from)
{
	return from[0] | from[1] << 8;
}

static inline void store_u32(uint8_t *to, uint32_t value)
{
	to[0] = value;
	to[1] = value >> 8;
	to[2] = value >> 16;
	to[3] = value >> 24;
}

/* transmit.c. The tx_ functions that add bytes rely on the caller to have asked tx_room() first. */
size_t tx_room(void);
bool tx_empty(void);
void tx_clear(void);
void tx_frame(uint32_t type, uint32_t id, const void *payload, uint32_t bytes);
void tx_u32(uint32_t type, uint32_t id, uint32_t value);
void tx_failed(uint32_t id, const char *what, int error);
/* For output read in place: where a payload goes, and the frame once its length is known. */
uint8_t *tx_payload(void);
void tx_commit(uint32_t type, uint32_t id, uint32_t bytes);
/* Writes what the port takes now. */
void tx_flush(int port);

/*
 * start.c. Starts what the payload of an EXEC asks for and fills in the command's pid and ends.
 * Returns NULL, or why that cannot be, with the errno in `error` where there is one.
 */
const char *start_command(struct command *command, const uint8_t *payload, uint32_t bytes,
			  int *error);
void resize_terminal(struct command *command, const uint8_t *payload);
void close_fd(int *fd);

/* commands.c. */
struct command *find_command(uint32_t id);
void exec_command(uint32_t id, const uint8_t *payload, uint32_t bytes);
void feed_command(struct command *command, const uint8_t *payload, uint32_t bytes);
void signal_command(struct command *command, int number);
/* Moves whatever can move between the command's pipes and the host; ends it when it is done. */
void pump_command(struct command *command);
void drop_commands(void);
void reap_commands(void);

#endif
