// SPDX-License-Identifier: MIT
/*
 * The guest agent: runs commands for the host over one virtio-serial port. One thread, one poll
 * loop, non-blocking descriptors throughout.
 *
 * Always holds: all memory is static and locked, nothing is allocated after start, so the agent
 * goes on working while the guest swaps. Every buffer has a bound, and each kind of data waits for
 * room of its own: a command that does not read its input, or a host that does not take a command's
 * output, stops neither other commands nor signals.
 */
#define _GNU_SOURCE
#include "agent_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#define RX_BYTES		(FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX)
#define SYNC_FRAME_BYTES	(FRAME_HEADER_BYTES + SYNC_PAYLOAD_BYTES)

static uint8_t rx[RX_BYTES];
static size_t rx_bytes;
static int port;
static int signals;
static bool host_connected = true;
/* Between a SYNC and the first thing that cannot be a frame. */
static bool synced;

/* --- Receiving ------------------------------------------------------------------------------- */

static void reset_session(void)
{
	drop_commands();
	tx_clear();
}

static void say_hello(const uint8_t *token)
{
	uint8_t payload[CONTROL_FRAME_MAX];
	struct utsname name;
	int bytes;

	uname(&name);
	memcpy(payload, token, SYNC_TOKEN_BYTES);
	bytes = snprintf((char *)payload + SYNC_TOKEN_BYTES, sizeof(payload) - SYNC_TOKEN_BYTES,
			 "{\"release\":\"%s\",\"agentVersion\":%d}", name.release, AGENT_VERSION);
	tx_frame(FRAME_HELLO, 0, payload, SYNC_TOKEN_BYTES + bytes);
}

/* Whether a whole SYNC frame starts here; no other data can look like one by accident. */
static bool is_sync(const uint8_t *at)
{
	const uint8_t *token = at + FRAME_HEADER_BYTES + SYNC_MAGIC_BYTES;
	int i;

	if (load_u32(at) != FRAME_SYNC || load_u32(at + 8) != SYNC_PAYLOAD_BYTES)
		return false;
	if (memcmp(at + FRAME_HEADER_BYTES, SYNC_MAGIC, SYNC_MAGIC_BYTES))
		return false;
	for (i = 0; i < SYNC_TOKEN_BYTES; i++)
		if ((token[i] ^ token[i + SYNC_TOKEN_BYTES]) != 0xff)
			return false;
	return true;
}

/*
 * Looks for a SYNC anywhere in the bytes received, even inside what seems another frame: a host
 * that broke off in the middle of one leaves its beginning here. Everything before the SYNC is
 * dropped. `fresh` bytes at the end are new.
 */
static void find_sync(size_t fresh)
{
	size_t overlap = SYNC_FRAME_BYTES - 1;
	size_t from = rx_bytes - fresh;
	uint8_t *magic;

	from = from > overlap ? from - overlap : 0;
	while ((magic = memmem(rx + from, rx_bytes - from, SYNC_MAGIC, SYNC_MAGIC_BYTES))) {
		size_t start = magic - rx;

		from = start + 1;
		if (start < FRAME_HEADER_BYTES)
			continue;
		start -= FRAME_HEADER_BYTES;
		if (rx_bytes - start < SYNC_FRAME_BYTES || !is_sync(rx + start))
			continue;
		reset_session();
		synced = true;
		say_hello(rx + start + FRAME_HEADER_BYTES + SYNC_MAGIC_BYTES);
		start += SYNC_FRAME_BYTES;
		memmove(rx, rx + start, rx_bytes - start);
		rx_bytes -= start;
		from = 0;
	}
}

static void dispatch(uint32_t type, uint32_t id, const uint8_t *payload, uint32_t bytes)
{
	struct command *command = find_command(id);

	if (type == FRAME_EXEC) {
		exec_command(id, payload, bytes);
		return;
	}
	/* Frames for a command that has just ended are normal, and nothing to do. */
	if (!command)
		return;
	if (type == FRAME_STDIN)
		feed_command(command, payload, bytes);
	else if (type == FRAME_SIGNAL && bytes == 4)
		signal_command(command, load_u32(payload));
	else if (type == FRAME_OUTPUT_CREDIT && bytes == 4)
		command->output_credit += load_u32(payload);
	else if (type == FRAME_WINDOW && bytes == 4)
		resize_terminal(command, payload);
}

/*
 * Handles every whole frame received, as long as an answer to it would find room. Out of step with
 * the host, it keeps only what may be the beginning of a SYNC.
 */
static void parse_frames(void)
{
	size_t at = 0;

	while (synced && rx_bytes - at >= FRAME_HEADER_BYTES && tx_room() >= CONTROL_FRAME_MAX) {
		uint32_t bytes = load_u32(rx + at + 8);

		if (bytes > FRAME_PAYLOAD_MAX) {
			synced = false;
			break;
		}
		if (rx_bytes - at - FRAME_HEADER_BYTES < bytes)
			break;
		dispatch(load_u32(rx + at), load_u32(rx + at + 4), rx + at + FRAME_HEADER_BYTES,
			 bytes);
		at += FRAME_HEADER_BYTES + bytes;
	}
	if (!synced && rx_bytes - at > SYNC_FRAME_BYTES - 1)
		at = rx_bytes - (SYNC_FRAME_BYTES - 1);
	memmove(rx, rx + at, rx_bytes - at);
	rx_bytes -= at;
}

/*
 * Only a SYNC begins and ends sessions. That the host has gone is learnt through another queue than
 * its data, perhaps after the next host's SYNC: then it must not end the new session.
 */
static void receive(void)
{
	while (rx_bytes < RX_BYTES) {
		ssize_t got = read(port, rx + rx_bytes, RX_BYTES - rx_bytes);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0 && errno != EPIPE)
			fatal("reading from the agent port: %s", strerror(errno));
		if (got <= 0) {
			host_connected = false;
			return;
		}
		rx_bytes += got;
		find_sync(got);
		parse_frames();
	}
}

/* --- The loop -------------------------------------------------------------------------------- */

/*
 * SIGIO comes from the port whenever the host connects, disconnects or sends. While no host is
 * there poll() would return POLLHUP at once, so then SIGIO alone is waited for.
 */
static void read_signals(void)
{
	struct signalfd_siginfo info[8];

	while (read(signals, info, sizeof(info)) > 0)
		;
	host_connected = true;
	reap_commands();
}

static int gather(struct pollfd *fds)
{
	int count = 0;
	int i;

	fds[count++] = (struct pollfd){ .fd = signals, .events = POLLIN };
	fds[count++] = (struct pollfd){
		.fd = host_connected ? port : -1,
		.events = (rx_bytes < RX_BYTES ? POLLIN : 0) | (tx_empty() ? 0 : POLLOUT),
	};
	for (i = 0; i < COMMANDS_MAX; i++) {
		struct command *command = &commands[i];
		int which;

		if (!command->used || command->silent)
			continue;
		if (command->input_start < command->input_end)
			fds[count++] = (struct pollfd){ .fd = command->in, .events = POLLOUT };
		for (which = 0; which < OUTPUTS; which++)
			if (command->output_credit && tx_room() >= TX_BYTES / 2)
				fds[count++] = (struct pollfd){
					.fd = command->out[which],
					.events = POLLIN,
				};
	}
	return count;
}

static void prepare(void)
{
	sigset_t watched;

	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGIO);
	signals = signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals < 0)
		fatal("signalfd: %s", strerror(errno));
	if (fcntl(port, F_SETOWN, getpid()) || fcntl(port, F_SETFL, O_NONBLOCK | O_ASYNC))
		fatal("asking for SIGIO from the agent port: %s", strerror(errno));
}

void agent_serve(int opened_port)
{
	struct pollfd fds[2 + 3 * COMMANDS_MAX];

	port = opened_port;
	prepare();
	for (;;) {
		int i;

		if (poll(fds, gather(fds), -1) < 0 && errno != EINTR)
			fatal("poll: %s", strerror(errno));
		/*
		 * In this order: what poll() saw of the port may be older than the SIGIO that is
		 * read next, and that SIGIO is the only word of a host that has come back.
		 */
		if (fds[1].revents & (POLLHUP | POLLERR))
			host_connected = false;
		if (fds[0].revents)
			read_signals();
		if (host_connected)
			receive();
		for (i = 0; i < COMMANDS_MAX; i++)
			pump_command(&commands[i]);
		if (host_connected)
			tx_flush(port);
		/* Flushing may have made the room that waiting frames and output need. */
		if (host_connected && rx_bytes)
			parse_frames();
	}
}
