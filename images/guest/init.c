// SPDX-License-Identifier: MIT
/*
 * PID 1 of the guest: mounts the kernel's file systems, loads the modules listed in
 * /etc/modules-load, finds the agent's virtio-serial port, and becomes the agent (agent.c).
 *
 * Always holds: it never exits. Trouble it cannot work around is one line on the console and a
 * power off, so that the host sees a dead guest at once rather than a silent one. Waits poll every
 * millisecond: under emulation every longer sleep is boot time.
 */
#define _GNU_SOURCE
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PORTS_DIR	"/sys/class/virtio-ports"
#define MODULES_LIST	"/etc/modules-load"
#define PORT_WAIT_MS	30000

struct mount_point {
	const char *source;
	const char *target;
	const char *type;
	unsigned long flags;
	const char *data;
	int required;
	int unless_filled;	/* Do not hide what the initramfs brought there. */
};

static const struct mount_point mount_points[] = {
	{ "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 1, 0 },
	{ "sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 1, 0 },
	{ "devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755", 1, 0 },
	{ "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=0620", 0, 0 },
	{ "tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", 1, 0 },
	{ "tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", 1, 1 },
	{ "tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755", 1, 1 },
	{ "debugfs", "/sys/kernel/debug", "debugfs", 0, NULL, 0, 0 },
	{ "tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL, 0, 0 },
	{ "cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL, 0, 0 },
};

void fatal(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "tmem-init: fatal: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; powering off\n");
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void sleep_ms(long milliseconds)
{
	struct timespec wait = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	nanosleep(&wait, NULL);
}

static int is_filled(const char *path)
{
	struct dirent *entry;
	int filled = 0;
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	while (!filled && (entry = readdir(dir)))
		filled = strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return filled;
}

static void mount_all(void)
{
	size_t i;

	for (i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++) {
		const struct mount_point *point = &mount_points[i];

		mkdir(point->target, 0755);
		if (point->unless_filled && is_filled(point->target))
			continue;
		if (!mount(point->source, point->target, point->type, point->flags, point->data))
			continue;
		/* The kernel may have mounted devtmpfs itself. */
		if (errno != EBUSY && point->required)
			fatal("mounting %s on %s: %s", point->type, point->target, strerror(errno));
	}
	/* Absent when the initramfs was packed without the usual links. */
	(void)!symlink("/proc/self/fd", "/dev/fd");
	(void)!symlink("/proc/self/fd/0", "/dev/stdin");
	(void)!symlink("/proc/self/fd/1", "/dev/stdout");
	(void)!symlink("/proc/self/fd/2", "/dev/stderr");
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fatal("opening module %s: %s", path, strerror(errno));
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		fatal("loading module %s: %s", path, strerror(errno));
	close(fd);
}

static void load_modules(void)
{
	char line[PATH_MAX];
	FILE *list = fopen(MODULES_LIST, "re");

	if (!list)
		return;
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			load_module(line);
	}
	fclose(list);
}

/* Loopback, for workloads made of a client and a server; a kernel without networking has none. */
static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* Whether the port called `entry` (such as vport0p1) carries the agent's name. */
static int port_matches(const char *entry)
{
	char path[PATH_MAX];
	char name[128] = "";
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), PORTS_DIR "/%s/name", entry);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, name, sizeof(name) - 1);
	close(fd);
	if (got <= 0)
		return 0;
	name[strcspn(name, "\n")] = '\0';
	return !strcmp(name, AGENT_PORT_NAME);
}

static int open_port_once(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int port = -1;
	DIR *ports = opendir(PORTS_DIR);

	if (!ports)
		return -1;
	while (port < 0 && (entry = readdir(ports))) {
		if (entry->d_name[0] == '.' || !port_matches(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	closedir(ports);
	return port;
}

/* The driver learns of its ports from the device a moment after it was loaded. */
static int open_port(void)
{
	int waited;

	for (waited = 0; waited < PORT_WAIT_MS; waited++) {
		int port = open_port_once();

		if (port >= 0)
			return port;
		sleep_ms(1);
	}
	fatal("no virtio-serial port called " AGENT_PORT_NAME " within %d ms", PORT_WAIT_MS);
}

/* The guest will swap hard: this process may be neither swapped out nor killed for memory. */
static void become_unswappable(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "-1000", 5) != 5)
		fatal("setting oom_score_adj: %s", strerror(errno));
	close(fd);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		fatal("locking memory: %s", strerror(errno));
}

int main(void)
{
	sigset_t blocked;

	umask(022);
	/* Before the first fork: agent.c reads these through a signalfd. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGIO);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);

	mount_all();
	load_modules();
	raise_loopback();
	(void)!sethostname("tmem-guest", strlen("tmem-guest"));
	mkdir("/root", 0700);
	setenv("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	become_unswappable();
	agent_serve(open_port());
}
