// SPDX-License-Identifier: MIT
/*
 * A swap storm that checks every byte: processes fill more memory than the guest has, then go over
 * it again and again in varied order, verify each page in full (pattern.h says what it must hold)
 * and rewrite a third of the pages with their next generation.
 *
 * Always holds: every page that was ever written is verified after its last write, also when the
 * time is up early. A page found wrong is counted once, reported, and then rewritten, so that one
 * fault does not count again in each pass. With --survive so is one that the kernel cannot bring
 * back, as lost. Exit status 0 says that every verified byte was right.
 *
 * Memory: each worker owns its region and its table of generations; the results are in one shared
 * page that is locked, so that counting does not depend on the swap under test.
 */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options options = { .mib = 256, .passes = 3, .processes = 1, .seed = 1 };
struct shared *shared;
double started;

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* --- The supervisor -------------------------------------------------------------------------- */

struct result {
	uint64_t written;
	uint64_t verified;
	uint64_t wrong;
	uint64_t lost;
	uint32_t passes;	/* that all workers finished */
	bool time_up;
	int died;
	int last_signal;
};

static struct result sum_up(void)
{
	struct result result = { .passes = UINT32_MAX, .died = shared->children_died };
	uint32_t i;

	for (i = 0; i < options.processes; i++) {
		const struct tally *worker = &shared->workers[i];
		const struct tally *child = &shared->children[i];

		result.written += worker->written + child->written;
		result.verified += worker->verified + child->verified;
		result.wrong += worker->wrong + child->wrong;
		result.lost += worker->lost;
		result.time_up |= worker->time_up;
		if (worker->passes < result.passes)
			result.passes = worker->passes;
	}
	return result;
}

static void show_progress(void)
{
	struct result result = sum_up();

	fprintf(stderr, "storm: %.0f s: %llu pages written, %llu verified, %llu wrong, %llu lost\n",
		now() - started, (unsigned long long)result.written,
		(unsigned long long)result.verified, (unsigned long long)result.wrong,
		(unsigned long long)result.lost);
}

static void show_result(const struct result *result)
{
	const char *format = options.json ?
		"{\"program\":\"storm\",\"pagesWritten\":%llu,\"pagesVerified\":%llu,"
		"\"pagesWrong\":%llu,\"pagesLost\":%llu,\"mib\":%llu,\"processes\":%u,"
		"\"passes\":%u,\"seed\":%llu,"
		"\"processesDied\":%d,\"lastSignal\":%d,\"timeUp\":%s,\"seconds\":%.3f}\n" :
		"storm: %llu pages written, %llu verified, %llu wrong, %llu lost; %llu MiB, %u "
		"processes, %u passes, seed %llu; %d died (last signal %d), time up %s, %.3f s\n";

	printf(format, (unsigned long long)result->written, (unsigned long long)result->verified,
	       (unsigned long long)result->wrong, (unsigned long long)result->lost,
	       (unsigned long long)options.mib, options.processes, result->passes,
	       (unsigned long long)options.seed, result->died, result->last_signal,
	       result->time_up ? "true" : "false", now() - started);
	fflush(stdout);
}

/* Waits for all workers; once a second there may be a line of progress. */
static void wait_workers(struct result *ended)
{
	uint32_t running = options.processes;
	struct timespec second = { .tv_sec = 1 };
	sigset_t child_ended;

	sigemptyset(&child_ended);
	sigaddset(&child_ended, SIGCHLD);
	while (running) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0)
			return;
		if (!pid) {
			if (sigtimedwait(&child_ended, NULL, &second) < 0 && errno == EAGAIN &&
			    options.progress)
				show_progress();
			continue;
		}
		running--;
		if (status) {
			ended->died++;
			ended->last_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		}
	}
}

static int supervise(void)
{
	struct result ended = { 0 };
	struct result result;
	sigset_t blocked, before;
	pid_t self = getpid();
	uint32_t i;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	for (i = 0; i < options.processes; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			fprintf(stderr, "storm: fork: %s\n", strerror(errno));
			return EXIT_DIED;
		}
		if (!pid) {
			die_with_parent(self);
			sigprocmask(SIG_SETMASK, &before, NULL);
			run_worker(i);
		}
	}
	wait_workers(&ended);
	result = sum_up();
	result.died += ended.died;
	result.last_signal = ended.last_signal;
	show_result(&result);
	if (result.wrong)
		return EXIT_WRONG;
	return result.died ? EXIT_DIED : 0;
}

/* --- Options --------------------------------------------------------------------------------- */

static const struct option long_options[] = {
	{ "mib", required_argument, NULL, 'm' },
	{ "passes", required_argument, NULL, 'p' },
	{ "procs", required_argument, NULL, 'k' },
	{ "seed", required_argument, NULL, 's' },
	{ "seconds", required_argument, NULL, 't' },
	{ "fork", no_argument, NULL, 'f' },
	{ "shm", no_argument, NULL, 'S' },
	{ "pageout", no_argument, NULL, 'o' },
	{ "thp", no_argument, NULL, 'H' },
	{ "no-thp", no_argument, NULL, 'N' },
	{ "survive", no_argument, NULL, 'v' },
	{ "json", no_argument, NULL, 'j' },
	{ "progress", no_argument, NULL, 'P' },
	{ "inject", required_argument, NULL, 'i' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((noreturn)) static void usage(const char *problem)
{
	fprintf(stderr, "storm: %s\n"
		"usage: storm [--mib N] [--passes P] [--procs K] [--seed S] [--seconds T]\n"
		"             [--fork | --shm | --survive] [--pageout] [--thp | --no-thp]\n"
		"             [--json] [--progress] [--inject bit|swap|stale|zero]\n"
		"  --mib      memory of all processes together (default 256)\n"
		"  --passes   how often to go over it (default 3, or as --seconds allows)\n"
		"  --procs    1 to 64 processes (default 1)\n"
		"  --fork     a child in each pass shares the pages copy-on-write\n"
		"  --shm      shared memory instead of anonymous memory\n"
		"  --pageout  ask the kernel to swap everything out between passes\n"
		"  --thp      ask for huge pages; without it and --no-thp the kernel decides\n"
		"  --no-thp   have no huge page\n"
		"  --survive  count pages whose loading ends in SIGBUS as lost, and go on\n"
		"  --inject   spoil a page after the first pass, to see that it is found\n"
		"exit status: 0 all right, 1 a page was wrong, 2 usage, 3 a process died\n",
		problem);
	exit(EXIT_USAGE);
}

static uint64_t number(const char *text, uint64_t minimum, uint64_t maximum)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < minimum || value > maximum)
		usage("a number is missing or out of range");
	return value;
}

static enum fault fault(const char *name)
{
	static const char *const names[] = { "none", "bit", "swap", "stale", "zero" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return i;
	usage("--inject takes bit, swap, stale or zero");
}

static void parse_options(int argc, char **argv)
{
	bool passes_given = false;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'm': options.mib = number(optarg, 1, 1 << 20); break;
		case 'p': options.passes = number(optarg, 0, 1 << 20); passes_given = true; break;
		case 'k': options.processes = number(optarg, 1, PROCESSES_MAX); break;
		case 's': options.seed = number(optarg, 0, UINT64_MAX); break;
		case 't': options.seconds = number(optarg, 1, 1 << 20); break;
		case 'f': options.fork = true; break;
		case 'S': options.shm = true; break;
		case 'o': options.pageout = true; break;
		case 'H': options.thp = true; break;
		case 'N': options.no_thp = true; break;
		case 'v': options.survive = true; break;
		case 'j': options.json = true; break;
		case 'P': options.progress = true; break;
		case 'i': options.fault = fault(optarg); break;
		default: usage("unknown option");
		}
	}
	if (optind < argc)
		usage("unexpected argument");
	if (options.fork && options.shm)
		usage("--fork needs pages that are copied on write, and --shm has none");
	if (options.thp && options.no_thp)
		usage("--thp or --no-thp");
	if (options.survive && (options.fork || options.shm))
		usage("--survive drops a lost page, which it must not share");
	if (!passes_given && options.seconds > 0)
		options.passes = 0;
	else if (!options.passes && !options.seconds)
		usage("--passes 0 needs --seconds");
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED || mlock(shared, sizeof(*shared))) {
		fprintf(stderr, "storm: locking the results in memory: %s\n", strerror(errno));
		return EXIT_DIED;
	}
	started = now();
	keep_in_memory();
	return supervise();
}
