/* SPDX-License-Identifier: MIT */
/*
 * The agent protocol as the guest sees it; README.md has the rules, frames.ts the same numbers for
 * the host, and a test compares the two. All integers are little-endian.
 */
#ifndef TMEM_AGENT_H
#define TMEM_AGENT_H

#include <stdint.h>

#define AGENT_VERSION		2
#define AGENT_PORT_NAME		"org.qemu-tmem.agent.0"

#define FRAME_HEADER_BYTES	12
#define FRAME_PAYLOAD_MAX	65536
/* Room that any frame but command output is sure to fit into. */
#define CONTROL_FRAME_MAX	512
#define COMMANDS_MAX		32
#define STDIN_WINDOW		32768
#define OUTPUT_WINDOW		262144

/* Host to guest. */
#define FRAME_SYNC		1
#define FRAME_EXEC		2
#define FRAME_STDIN		3
#define FRAME_SIGNAL		4
#define FRAME_OUTPUT_CREDIT	5
#define FRAME_WINDOW		6

/* Guest to host. */
#define FRAME_HELLO		16
#define FRAME_STDOUT		17
#define FRAME_STDERR		18
#define FRAME_EXIT		19
#define FRAME_FAILED		20
#define FRAME_STDIN_CREDIT	21

/* Payload of EXEC: flags, rows and columns, folder, environment, command line (README.md). */
#define EXEC_HEADER_BYTES	8
#define EXEC_TERMINAL		1
#define EXEC_SYSROOT		2

/* Where the root of commands with EXEC_SYSROOT is. */
#define SYSROOT			"/sysroot"

/* Payload of SYNC: magic, token, the token's complement. */
#define SYNC_MAGIC		"tmemSYNC"
#define SYNC_MAGIC_BYTES	8
#define SYNC_TOKEN_BYTES	16
#define SYNC_PAYLOAD_BYTES	(SYNC_MAGIC_BYTES + 2 * SYNC_TOKEN_BYTES)

/* Prints one line to the console and powers the guest off. */
__attribute__((noreturn, format(printf, 1, 2))) void fatal(const char *format, ...);

/*
 * Serves the host over the open port for ever. Calls fatal() only when the port itself fails. The
 * caller has blocked SIGCHLD and SIGIO.
 */
__attribute__((noreturn)) void agent_serve(int port);

#endif
