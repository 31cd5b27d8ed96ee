// SPDX-License-Identifier: MIT
/*
 * How a command begins: what the host asked for in its EXEC frame, pipes or a terminal, and the
 * process.
 *
 * Always holds: a request is checked as a whole before anything is made for it, and what was made
 * for one that fails is closed again. The strings of the request live in one static buffer, which
 * only a forked child reads later.
 */
#define _GNU_SOURCE
#include "agent_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What an EXEC frame says; the strings point into `request_bytes`. */
struct request {
	uint32_t flags;
	struct winsize size;
	const char *folder;
	const char *environment;	/* Strings one after the other, the last one empty. */
	const char *line;
};

static char request_bytes[FRAME_PAYLOAD_MAX + 1];

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The byte after the string that starts at `from`; NULL when it has no end of its own. */
static const char *after_string(const char *from, const char *end)
{
	const char *zero = memchr(from, '\0', end - from);

	return zero ? zero + 1 : NULL;
}

static bool parse_request(struct request *request, const uint8_t *payload, uint32_t bytes)
{
	const char *end = request_bytes + bytes;
	const char *at = request_bytes + EXEC_HEADER_BYTES;

	if (bytes < EXEC_HEADER_BYTES)
		return false;
	memcpy(request_bytes, payload, bytes);
	request_bytes[bytes] = '\0';
	request->flags = load_u32(payload);
	request->size = (struct winsize){
		.ws_row = load_u16(payload + 4),
		.ws_col = load_u16(payload + 6),
	};
	if (request->flags & ~(EXEC_TERMINAL | EXEC_SYSROOT))
		return false;
	request->folder = at;
	at = after_string(at, end);
	request->environment = at;
	while (at && at < end && *at)
		at = after_string(at, end);
	if (!at || at >= end)
		return false;
	request->line = at + 1;
	return true;
}

/* Runs in the forked child, on its stderr. */
__attribute__((noreturn)) static void child_fails(const char *what)
{
	dprintf(2, "%s: %s\n", what, strerror(errno));
	_exit(127);
}

/* Runs in the forked child. */
static void enter_folder(const struct request *request)
{
	if (request->flags & EXEC_SYSROOT && (chroot(SYSROOT) || chdir("/")))
		child_fails(SYSROOT);
	if (request->folder[0] && !chdir(request->folder))
		return;
	if (chdir("/root"))
		(void)!chdir("/");
}

/* Runs in the forked child; the descriptors' own numbers are above 2 and close on exec. */
__attribute__((noreturn)) static void become_command(const struct request *request, int in, int out,
						     int err)
{
	const char *variable;
	sigset_t none;
	int fd;

	setsid();
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0) {
		(void)!write(fd, "0", 1);
		close(fd);
	}
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	if (request->flags & EXEC_TERMINAL && ioctl(0, TIOCSCTTY, 0))
		child_fails("taking the terminal");
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (variable = request->environment; *variable; variable += strlen(variable) + 1)
		putenv((char *)variable);
	enter_folder(request);
	execl("/bin/sh", "sh", "-c", request->line, (char *)NULL);
	child_fails("/bin/sh");
}

static void close_pipes(int pipes[3][2])
{
	int i;

	for (i = 0; i < 3; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
}

static int start_on_pipes(struct command *command, const struct request *request)
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
		become_command(request, pipes[0][0], pipes[1][1], pipes[2][1]);
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

/* Both ends of a new terminal; the second one by way of the first, whatever is mounted where. */
static int open_terminal(const struct winsize *size, int *ours, int *theirs)
{
	int unlocked = 0;

	*ours = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*ours < 0 || ioctl(*ours, TIOCSPTLCK, &unlocked) || ioctl(*ours, TIOCSWINSZ, size))
		return -1;
	*theirs = ioctl(*ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *theirs < 0 ? -1 : 0;
}

static int start_on_terminal(struct command *command, const struct request *request)
{
	int theirs = -1;
	int ours = -1;
	int error;

	command->in = -1;
	if (open_terminal(&request->size, &ours, &theirs))
		goto failed;
	command->in = fcntl(ours, F_DUPFD_CLOEXEC, 0);
	if (command->in < 0)
		goto failed;
	command->pid = fork();
	if (command->pid < 0)
		goto failed;
	if (command->pid == 0)
		become_command(request, theirs, theirs, theirs);
	close_fd(&theirs);
	command->out[OUT] = ours;
	command->out[ERR] = -1;
	command->terminal = true;
	return 0;
failed:
	error = errno;
	close_fd(&command->in);
	close_fd(&theirs);
	close_fd(&ours);
	return error;
}

const char *start_command(struct command *command, const uint8_t *payload, uint32_t bytes,
			  int *error)
{
	struct request request;

	if (!parse_request(&request, payload, bytes))
		return "an EXEC that does not hold what it must";
	if (request.flags & EXEC_TERMINAL)
		*error = start_on_terminal(command, &request);
	else
		*error = start_on_pipes(command, &request);
	return *error ? "starting the command" : NULL;
}

/* The kernel tells the foreground job by SIGWINCH. */
void resize_terminal(struct command *command, const uint8_t *payload)
{
	struct winsize size = { .ws_row = load_u16(payload), .ws_col = load_u16(payload + 2) };

	if (command->terminal && command->in >= 0)
		ioctl(command->in, TIOCSWINSZ, &size);
}
