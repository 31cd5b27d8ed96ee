// SPDX-License-Identifier: MIT
/*
 * The commands the host started: their processes, pipes and windows.
 *
 * Always holds: a slot is used from EXEC until EXIT or FAILED was queued and its process has been
 * reaped. A command's output counts against its credit before it is read, and its input is taken
 * only within its window, so each command's share of memory is fixed.
 */
#define _GNU_SOURCE
#include "agent_private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define OUTPUT_CHUNK_BYTES	16384
/* More than a terminal holds on its way to us (drivers/tty/tty_buffer.c: 64 KiB and a line). */
#define TERMINAL_LEFT_MAX	131072

struct command commands[COMMANDS_MAX];

struct command *find_command(uint32_t id)
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
void signal_command(struct command *command, int number)
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

void exec_command(uint32_t id, const uint8_t *payload, uint32_t bytes)
{
	struct command *command = free_command();
	const char *why;
	int error = 0;

	if (find_command(id)) {
		tx_failed(id, "a command with this id is running", 0);
		return;
	}
	if (!command) {
		tx_failed(id, "too many commands are running", 0);
		return;
	}
	memset(command, 0, offsetof(struct command, input));
	why = start_command(command, payload, bytes, &error);
	if (why) {
		tx_failed(id, why, error);
		return;
	}
	command->used = true;
	command->id = id;
	command->output_credit = OUTPUT_WINDOW;
}

/* Who reads a terminal sees its end as a character typed at the beginning of a line. */
static void end_of_typing(struct command *command)
{
	struct termios modes;

	if (command->in < 0 || command->input_end >= STDIN_WINDOW || tcgetattr(command->in, &modes))
		return;
	command->input[command->input_end++] = modes.c_cc[VEOF];
}

void feed_command(struct command *command, const uint8_t *payload, uint32_t bytes)
{
	if (!bytes) {
		if (command->terminal && !command->input_closed)
			end_of_typing(command);
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
		if (command->input_closed && !command->terminal)
			close_fd(&command->in);
	}
	if (!command->input_closed && command->input_taken >= STDIN_WINDOW / 4 &&
	    tx_room() >= CONTROL_FRAME_MAX) {
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
		got = bytes ? read(command->out[which], tx_payload(), bytes) : 0;
		/* A read of a terminal waits for what is on its way, so then there is no more. */
		if (got < 0 && (errno == EAGAIN || errno == EINTR) &&
		    !(command->exited && command->terminal))
			return;
		if (got <= 0) {
			close_fd(&command->out[which]);
			command->left[which] = 0;
			return;
		}
		tx_commit(which == OUT ? FRAME_STDOUT : FRAME_STDERR, command->id, got);
		command->output_credit -= got;
		if (command->exited)
			command->left[which] -= got;
	}
}

void pump_command(struct command *command)
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

		if (command->out[which] >= 0 && command->terminal)
			bytes = TERMINAL_LEFT_MAX;
		else if (command->out[which] >= 0)
			ioctl(command->out[which], FIONREAD, &bytes);
		command->left[which] = bytes;
	}
}

void reap_commands(void)
{
	int status;
	pid_t pid;
	int i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < COMMANDS_MAX; i++)
			if (commands[i].used && !commands[i].exited && commands[i].pid == pid)
				note_exit(&commands[i], status);
}

void drop_commands(void)
{
	int i;

	for (i = 0; i < COMMANDS_MAX; i++)
		if (commands[i].used && !commands[i].silent)
			drop_command(&commands[i]);
}
