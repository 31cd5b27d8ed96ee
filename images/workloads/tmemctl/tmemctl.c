/* SPDX-License-Identifier: MIT */
/*
 * tmemctl: tmem's operations from a shell, through /dev/tmem. Arguments go to the host as they are.
 * The result, which is Xen's, goes to stdout; a page's bytes go to stdout or a file.
 */
#define _GNU_SOURCE
#include "../../../guest-kmod/tmem_ioctl.h"
#include "hammer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE		"/dev/tmem"
#define PAGE_BYTES	4096

/* The exit code says what the result was. */
#define EXIT_OK		0	/* the result is 0 or more; a get hit */
#define EXIT_MISS	1	/* a get missed */
#define EXIT_BAD_USAGE	2
#define EXIT_REFUSED	3	/* the result is a negative errno */
#define EXIT_UNUSABLE	69	/* no /dev/tmem, or the ioctl failed */

/* Set from the options. */
static struct {
	bool json;
	bool persistent;
	bool shared;
	int fill;		/* -1: none */
	uint32_t version;	/* of a new pool */
	uint32_t flags;		/* further flags of a new pool */
	struct hammer hammer;
} options = { .fill = -1, .version = 1 };

static unsigned char page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

__attribute__((noreturn)) static void usage(const char *problem)
{
	fprintf(stderr, "tmemctl: %s\n"
		"usage: tmemctl [--json] COMMAND\n"
		"  new-pool [--persistent] [--shared] [--flags N] [--version N] [UUID0 UUID1]\n"
		"  destroy-pool POOL\n"
		"  put POOL OBJECT INDEX [FILE | -] [--fill BYTE]\n"
		"  get POOL OBJECT INDEX [FILE | -]\n"
		"  flush POOL OBJECT INDEX\n"
		"  flush-object POOL OBJECT\n"
		"  op NUMBER POOL OBJECT INDEX        any operation, any arguments\n"
		"  hammer SECONDS [--seed N] [--verify] [--programs N]\n"
		"                                     random operations; the host may lie without --verify\n"
		"OBJECT is a number, or three with colons: least:middle:most significant.\n"
		"Numbers may be negative or 0x. A file of fewer than 4096 bytes is a page that ends in zeros.\n"
		"Exit: 0 done, 1 a get missed, 2 usage, 3 the result is an errno, 69 no " DEVICE ".\n",
		problem);
	exit(EXIT_BAD_USAGE);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = text[0] == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);
	if (errno || end == text || *end)
		usage("that is not a number");
	return value;
}

/* How many hammer at once: a program's number has eight bits of its versions (hammer.c). */
static unsigned int programs(const char *text)
{
	uint64_t count = number(text);

	if (count < 1 || count > HAMMER_PROGRAMS_MAX)
		usage("--programs is 1 to 64");
	return (unsigned int)count;
}

static void object(const char *text, struct tmem_op *op)
{
	char copy[96];
	char *rest = copy;
	char *part;
	int word = 0;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		usage("that object is too long");
	while ((part = strsep(&rest, ":")) != NULL) {
		if (word == 3)
			usage("an object has three words at most");
		op->oid[word++] = number(part);
	}
}

/* Reads up to a page; the rest stays zero. */
static void read_page(const char *path)
{
	FILE *from = strcmp(path, "-") ? fopen(path, "rb") : stdin;

	if (!from) {
		fprintf(stderr, "tmemctl: %s: %s\n", path, strerror(errno));
		exit(EXIT_BAD_USAGE);
	}
	if (!fread(page, 1, sizeof(page), from) && ferror(from)) {
		fprintf(stderr, "tmemctl: %s: %s\n", path, strerror(errno));
		exit(EXIT_BAD_USAGE);
	}
}

static void write_page(const char *path)
{
	FILE *to = strcmp(path, "-") ? fopen(path, "wb") : stdout;

	if (!to || fwrite(page, sizeof(page), 1, to) != 1 || fflush(to)) {
		fprintf(stderr, "tmemctl: %s: %s\n", path, strerror(errno));
		exit(EXIT_UNUSABLE);
	}
}

__attribute__((noreturn)) static void unusable(void)
{
	fprintf(stderr, "tmemctl: " DEVICE ": %s; is the module loaded, and are you root?\n",
		strerror(errno));
	exit(EXIT_UNUSABLE);
}

static int open_device(void)
{
	int device = open(DEVICE, O_RDWR);

	if (device < 0)
		unusable();
	return device;
}

static int call(const struct tmem_op *op)
{
	struct tmem_ioctl_op argument = { .op = *op, .page = (uintptr_t)page };
	int device = open_device();

	if (ioctl(device, TMEM_IOCTL_OP, &argument))
		unusable();
	close(device);
	return argument.result;
}

/* Prints the result; a get's bytes may be on stdout, then it goes to stderr. */
static void show(int result, bool bytes_on_stdout)
{
	FILE *to = bytes_on_stdout ? stderr : stdout;
	const char *name = result < 0 ? strerrorname_np(-result) : NULL;

	if (options.json)
		fprintf(to, "{\"result\":%d,\"error\":%s%s%s}\n", result, name ? "\"" : "",
			name ? name : "null", name ? "\"" : "");
	else if (name)
		fprintf(to, "%d %s\n", result, name);
	else
		fprintf(to, "%d\n", result);
}

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "persistent", no_argument, NULL, 'p' },
	{ "shared", no_argument, NULL, 's' },
	{ "fill", required_argument, NULL, 'f' },
	{ "flags", required_argument, NULL, 'F' },
	{ "version", required_argument, NULL, 'v' },
	{ "seed", required_argument, NULL, 'S' },
	{ "verify", no_argument, NULL, 'V' },
	{ "programs", required_argument, NULL, 'P' },
	{ NULL, 0, NULL, 0 },
};

/* Moves the options out of the way. A negative number is no option: hence the check before. */
static int take_options(int argc, char **argv)
{
	int words = 1;
	int i;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2)) {
			argv[words++] = argv[i];
			continue;
		}
		char *pair[4] = { argv[0], argv[i], i + 1 < argc ? argv[i + 1] : NULL, NULL };
		int count = pair[2] ? 3 : 2;

		optind = 1;
		switch (getopt_long(count, pair, "+", long_options, NULL)) {
		case 'j': options.json = true; break;
		case 'p': options.persistent = true; break;
		case 's': options.shared = true; break;
		case 'f': options.fill = (int)number(optarg) & 0xff; break;
		case 'F': options.flags = (uint32_t)number(optarg); break;
		case 'v': options.version = (uint32_t)number(optarg); break;
		case 'S': options.hammer.seed = number(optarg); break;
		case 'V': options.hammer.verify = true; break;
		case 'P': options.hammer.programs = programs(optarg); break;
		default: usage("unknown option");
		}
		if (optind == 3)
			i++;
	}
	return words;
}

struct command {
	const char *name;
	int operation;
	int least;	/* words after the name */
	int most;
};

static const struct command commands[] = {
	{ "new-pool", TMEM_OP_NEW_POOL, 0, 2 },
	{ "destroy-pool", TMEM_OP_DESTROY_POOL, 1, 1 },
	{ "put", TMEM_OP_PUT_PAGE, 3, 4 },
	{ "get", TMEM_OP_GET_PAGE, 3, 4 },
	{ "flush", TMEM_OP_FLUSH_PAGE, 3, 3 },
	{ "flush-object", TMEM_OP_FLUSH_OBJECT, 2, 2 },
	{ "op", -1, 4, 4 },
};

static const struct command *find_command(const char *name, int words)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		if (words < commands[i].least || words > commands[i].most)
			usage("too few or too many words");
		return &commands[i];
	}
	usage("unknown command");
}

static void fill_op(const struct command *command, int words, char **argv, struct tmem_op *op)
{
	if (command->operation == TMEM_OP_NEW_POOL) {
		op->cmd = TMEM_OP_NEW_POOL;
		op->flags = options.version << 24 | options.flags |
			    (options.persistent ? TMEM_OP_PERSIST : 0) |
			    (options.shared ? TMEM_OP_SHARED : 0);
		op->uuid[0] = words > 0 ? number(argv[0]) : 0;
		op->uuid[1] = words > 1 ? number(argv[1]) : 0;
		return;
	}
	op->cmd = (uint32_t)command->operation;
	if (command->operation < 0) {
		op->cmd = (uint32_t)number(*argv++);
		words--;
	}
	op->pool_id = (int32_t)number(argv[0]);
	if (words > 1)
		object(argv[1], op);
	if (words > 2)
		op->index = (uint32_t)number(argv[2]);
}

int main(int argc, char **argv)
{
	int words = take_options(argc, argv) - 2;
	struct tmem_op op = { 0 };
	const struct command *command;
	const char *file;
	bool get;
	int result;

	if (words < 0)
		usage("which command?");
	if (!strcmp(argv[1], "hammer") && words == 1) {
		options.hammer.seconds = number(argv[2]);
		return run_hammer(open_device(), &options.hammer);
	}
	command = find_command(argv[1], words);
	fill_op(command, words, argv + 2, &op);
	get = op.cmd == TMEM_OP_GET_PAGE;
	file = command->most == 4 && command->operation > 0 && words == 4 ? argv[5] : NULL;
	if (op.cmd == TMEM_OP_PUT_PAGE && options.fill >= 0)
		memset(page, options.fill, sizeof(page));
	else if (op.cmd == TMEM_OP_PUT_PAGE && file)
		read_page(file);
	result = call(&op);
	if (get && result == 1 && file)
		write_page(file);
	show(result, get && file && !strcmp(file, "-"));
	if (result < 0)
		return EXIT_REFUSED;
	return get && !result ? EXIT_MISS : EXIT_OK;
}
