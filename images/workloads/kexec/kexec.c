// SPDX-License-Identifier: MIT
/*
 * kexec IMAGE INITRAMFS [COMMAND-LINE]: begins another kernel with no reset between, in which all
 * devices are as this one leaves them. The command line is this kernel's own unless it is given.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_BYTES	2048

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "kexec: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail(path);
	return fd;
}

/* This kernel's command line, without the end of the line. */
static void read_line(char line[LINE_BYTES])
{
	FILE *from = fopen("/proc/cmdline", "r");

	if (!from || !fgets(line, LINE_BYTES, from))
		fail("/proc/cmdline");
	line[strcspn(line, "\n")] = '\0';
	fclose(from);
}

int main(int argc, char **argv)
{
	char line[LINE_BYTES];

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: kexec IMAGE INITRAMFS [COMMAND-LINE]\n");
		return 2;
	}
	if (argc == 4)
		snprintf(line, sizeof(line), "%s", argv[3]);
	else
		read_line(line);
	if (syscall(SYS_kexec_file_load, open_file(argv[1]), open_file(argv[2]), strlen(line) + 1,
		    line, 0ul))
		fail("kexec_file_load");
	reboot(LINUX_REBOOT_CMD_KEXEC);
	fail("reboot");
}
