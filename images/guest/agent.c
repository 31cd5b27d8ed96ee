// SPDX-License-Identifier: MIT
/*
 * The guest agent: runs commands for the host over one virtio-serial port. One thread, one poll loop,
 * non-blocking descriptors throughout.
 *
 * Always holds: all memory is static and locked, nothing is allocated after start, so the agent goes on
 * working while the guest swaps. Every buffer has a bound, and each kind of data waits for room of its
 * own: a command that does not read its input, or a host that does not take a command's output, stops
 * neither other commands nor signals. A command's slot is used from EXEC until EXIT or FAILED was
 * queued and its process has been reaped.
 */
#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* One page a write: the driver copies into a buffer it allocates, and single pages can always be had. */
#define PORT_WRITE_BYTES	4096
#define OUTPUT_CHUNK_BYTES	16384
#define TX_BYTES		(128 * 1024)
/* Kept free of command output, so that control frames find room. */
#define TX_RESERVE		8192
#define CONTROL_FRAME_MAX	512
#define RX_BYTES		(FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX)
#define SYNC_FRAME_BYTES	(FRAME_HEADER_BYTES + SYNC_PAYLOAD_BYTES)

enum { OUT, ERR, OUTPUTS };

struct command {
	bool used;
	bool exited;		/* Reaped: exit_code is valid. */
	bool silent;		/* The host has been told of the end, or has gone. */
	bool input_closed;	/* No more STDIN will come. */
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

static struct command commands[COMMANDS_MAX];
static uint8_t rx[RX_BYTES];
static size_t rx_bytes;
static uint8_t tx[TX_BYTES];
static size_t tx_start;
static size_t tx_end;
static char exec_line[FRAME_PAYLOAD_MAX + 1];
static int port;
static int signals;
static bool host_connected = true;
/* Between a SYNC and the first thing that cannot be a frame. */
static bool synced;

static uint32_t load_u32(const uint8_t *from)
{
	return from[0] | from[1] << 8 | from[2] << 16 | (uint32_t)from[3] << 24;
}

static void store_u32(uint8_t *to, uint32_t value)
{
	to[0] = value;
	to[1] = value >> 8;
	to[2] = value >> 16;
	to[3] = value >> 24;
}

/* --- Sending ------------------------------------------------------------------------------------ */

static size_t tx_room(void)
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

/* The caller has made sure of the room. */
static void tx_header(uint32_t type, uint32_t id, uint32_t bytes)
{
	store_u32(tx + tx_end, type);
	store_u32(tx + tx_end + 4, id);
	store_u32(tx + tx_end + 8, bytes);
	tx_end += FRAME_HEADER_BYTES;
}

static void tx_frame(uint32_t type, uint32_t id, const void *payload, uint32_t bytes)
{
	tx_header(type, id, bytes);
	memcpy(tx + tx_end, payload, bytes);
	tx_end += bytes;
}

static void tx_u32(uint32_t type, uint32_t id, uint32_t value)
{
	uint8_t payload[4];

	store_u32(payload, value);
	tx_frame(type, id, payload, sizeof(payload));
}

static void tx_failed(uint32_t id, const char *what, int error)
{
	char text[CONTROL_FRAME_MAX - FRAME_HEADER_BYTES];
	int bytes = snprintf(text, sizeof(text), "%s%s%s", what, error ? ": " : "",
			     error ? strerror(error) : "");

	tx_frame(FRAME_FAILED, id, text, bytes);
}

static void flush_port(void)
{
	while (host_connected && tx_start < tx_end) {
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

/* --- Commands ----------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static struct command *find_command(uint32_t id)
{
	int i;

	for (i = 0; i < COMMANDS_MAX; i++)
		if (commands[i].used && !commands[i].silent && commands[i].id == id)
			return &commands[i];
	return NULL;
}

static struct command *free_command(void)
{
	int i;

	for (i = 0; i < COMMANDS_MAX; i++)
		if (!commands[i].used)
			return &commands[i];
	return NULL;
}

/* A child that has not come as far as setsid() has no group yet. */
static void signal_command(struct command *command, int number)
{
	if (command->exited)
		return;
	if (kill(-command->pid, number) && errno == ESRCH)
		kill(command->pid, number);
}

/* Ends a command without a word: its slot becomes free when its process has been reaped. */
static void drop_command(struct command *command)
{
	signal_command(command, SIGKILL);
	close_fd(&command->in);
	close_fd(&command->out[OUT]);
	close_fd(&command->out[ERR]);
	command->silent = true;
	if (command->exited)
		command->used = false;
}

/* Runs in the forked child. */
__attribute__((noreturn)) static void become_command(int in, int out, int err)
{
	sigset_t none;
	int fd;

	setsid();
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0) {
		(void)!write(fd, "0", 1);
		close(fd);
	}
	/* The pipes' own numbers are above 2 and close on exec. */
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)!chdir("/root");
	execl("/bin/sh", "sh", "-c", exec_line, (char *)NULL);
	dprintf(2, "/bin/sh: %s\n", strerror(errno));
	_exit(127);
}

static void close_pipes(int pipes[3][2])
{
	int i;

	for (i = 0; i < 3; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
}

static int start_command(struct command *command)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int error;
	int i;

	for (i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC))
			goto failed;
	command->pid = fork();
	if (command->pid < 0)
		goto failed;
	if (command->pid == 0)
		become_command(pipes[0][0], pipes[1][1], pipes[2][1]);
	command->in = pipes[0][1];
	command->out[OUT] = pipes[1][0];
	command->out[ERR] = pipes[2][0];
	pipes[0][1] = -1;
	pipes[1][0] = -1;
	pipes[2][0] = -1;
	close_pipes(pipes);
	fcntl(command->in, F_SETFL, O_NONBLOCK);
	fcntl(command->out[OUT], F_SETFL, O_NONBLOCK);
	fcntl(command->out[ERR], F_SETFL, O_NONBLOCK);
	return 0;
failed:
	error = errno;
	close_pipes(pipes);
	return error;
}

static void exec_command(uint32_t id, const uint8_t *payload, uint32_t bytes)
{
	struct command *command = free_command();
	int error;

	if (find_command(id)) {
		tx_failed(id, "a command with this id is running", 0);
		return;
	}
	if (!command) {
		tx_failed(id, "too many commands are running", 0);
		return;
	}
	memcpy(exec_line, payload, bytes);
	exec_line[bytes] = '\0';
	memset(command, 0, offsetof(struct command, input));
	error = start_command(command);
	if (error) {
		tx_failed(id, "starting the command", error);
		return;
	}
	command->used = true;
	command->id = id;
	command->output_credit = OUTPUT_WINDOW;
}

static void feed_command(struct command *command, const uint8_t *payload, uint32_t bytes)
{
	if (!bytes) {
		command->input_closed = true;
		return;
	}
	if (command->in < 0) {
		/* It closed its input; take the bytes off the host's hands all the same. */
		command->input_taken += bytes;
		return;
	}
	if (command->input_end - command->input_start + bytes > STDIN_WINDOW) {
		tx_failed(command->id, "more stdin than its window", 0);
		drop_command(command);
		return;
	}
	if (command->input_end + bytes > STDIN_WINDOW) {
		memmove(command->input, command->input + command->input_start,
			command->input_end - command->input_start);
		command->input_end -= command->input_start;
		command->input_start = 0;
	}
	memcpy(command->input + command->input_end, payload, bytes);
	command->input_end += bytes;
}

static void pump_input(struct command *command)
{
	while (command->in >= 0 && command->input_start < command->input_end) {
		ssize_t put = write(command->in, command->input + command->input_start,
				    command->input_end - command->input_start);

		if (put < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (put < 0) {
			put = command->input_end - command->input_start;
			close_fd(&command->in);
		}
		command->input_start += put;
		command->input_taken += put;
	}
	if (command->input_start == command->input_end) {
		command->input_start = 0;
		command->input_end = 0;
		if (command->input_closed)
			close_fd(&command->in);
	}
	if (command->input_taken >= STDIN_WINDOW / 4 && tx_room() >= CONTROL_FRAME_MAX) {
		tx_u32(FRAME_STDIN_CREDIT, command->id, command->input_taken);
		command->input_taken = 0;
	}
}

/* Sends what one of the command's pipes holds, as far as credit and room allow. */
static void pump_output(struct command *command, int which)
{
	while (command->out[which] >= 0) {
		size_t room = tx_room();
		size_t bytes = OUTPUT_CHUNK_BYTES;
		ssize_t got;

		if (room < TX_RESERVE + FRAME_HEADER_BYTES + bytes)
			return;
		if (bytes > command->output_credit)
			bytes = command->output_credit;
		if (command->exited && bytes > command->left[which])
			bytes = command->left[which];
		if (!bytes && !(command->exited && !command->left[which]))
			return;
		got = bytes ? read(command->out[which], tx + tx_end + FRAME_HEADER_BYTES, bytes) : 0;
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			close_fd(&command->out[which]);
			command->left[which] = 0;
			return;
		}
		tx_header(which == OUT ? FRAME_STDOUT : FRAME_STDERR, command->id, got);
		tx_end += got;
		command->output_credit -= got;
		if (command->exited)
			command->left[which] -= got;
	}
}

static void pump_command(struct command *command)
{
	if (!command->used || command->silent)
		return;
	pump_input(command);
	pump_output(command, OUT);
	pump_output(command, ERR);
	if (!command->exited || command->left[OUT] || command->left[ERR])
		return;
	if (tx_room() < CONTROL_FRAME_MAX)
		return;
	tx_u32(FRAME_EXIT, command->id, command->exit_code);
	/* What it left running in the background may go on; only the pipes end here. */
	close_fd(&command->in);
	close_fd(&command->out[OUT]);
	close_fd(&command->out[ERR]);
	command->used = false;
}

/* What its pipes hold now is the command's output; a background process does not prolong it. */
static void note_exit(struct command *command, int status)
{
	int which;

	command->exited = true;
	command->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (command->silent) {
		command->used = false;
		return;
	}
	for (which = 0; which < OUTPUTS; which++) {
		int bytes = 0;

		if (command->out[which] >= 0)
			ioctl(command->out[which], FIONREAD, &bytes);
		command->left[which] = bytes;
	}
}

static void reap_all(void)
{
	int status;
	pid_t pid;
	int i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < COMMANDS_MAX; i++)
			if (commands[i].used && !commands[i].exited && commands[i].pid == pid)
				note_exit(&commands[i], status);
}

/* --- Receiving ---------------------------------------------------------------------------------- */

static void reset_session(void)
{
	int i;

	for (i = 0; i < COMMANDS_MAX; i++)
		if (commands[i].used && !commands[i].silent)
			drop_command(&commands[i]);
	tx_start = 0;
	tx_end = 0;
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
 * Looks for a SYNC anywhere in the bytes received, even inside what seems another frame: a host that
 * broke off in the middle of one leaves its beginning here. Everything before the SYNC is dropped.
 * `fresh` bytes at the end are new.
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
}

/*
 * Handles every whole frame received, as long as an answer to it would find room. Out of step with the
 * host, it keeps only what may be the beginning of a SYNC.
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

/* The host closed its end: end what it started. The next host begins with a SYNC. */
static void lose_host(void)
{
	host_connected = false;
	synced = false;
	rx_bytes = 0;
	reset_session();
}

static void receive(void)
{
	while (rx_bytes < RX_BYTES) {
		ssize_t got = read(port, rx + rx_bytes, RX_BYTES - rx_bytes);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0 && errno != EPIPE)
			fatal("reading from the agent port: %s", strerror(errno));
		if (got <= 0) {
			lose_host();
			return;
		}
		rx_bytes += got;
		find_sync(got);
		parse_frames();
	}
}

/* --- The loop ----------------------------------------------------------------------------------- */

/*
 * SIGIO comes from the port whenever the host connects, disconnects or sends. While no host is there
 * poll() would return POLLHUP at once, so then SIGIO alone is waited for.
 */
static void read_signals(void)
{
	struct signalfd_siginfo info[8];

	while (read(signals, info, sizeof(info)) > 0)
		;
	host_connected = true;
	reap_all();
}

static int gather(struct pollfd *fds)
{
	int count = 0;
	int i;

	fds[count++] = (struct pollfd){ .fd = signals, .events = POLLIN };
	fds[count++] = (struct pollfd){
		.fd = host_connected ? port : -1,
		.events = (rx_bytes < RX_BYTES ? POLLIN : 0) | (tx_start < tx_end ? POLLOUT : 0),
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
		if (fds[0].revents)
			read_signals();
		if (fds[1].revents & (POLLHUP | POLLERR))
			lose_host();
		else if (host_connected)
			receive();
		for (i = 0; i < COMMANDS_MAX; i++)
			pump_command(&commands[i]);
		flush_port();
		/* Flushing may have made the room that waiting frames and output need. */
		if (host_connected && rx_bytes)
			parse_frames();
	}
}
