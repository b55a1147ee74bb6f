/* main.c - vyre-bench: ratios against floors measured in the same run.
 *
 *   vyre-bench [NAME...] [--device=NAME] [--json] [--out=FILE] [--quick] [--limit=SECONDS] [--only=TEXT]
 *              [--workers=N] [--date=TEXT] [--commit=TEXT]
 *
 * Output: the machine, then a line a measurement: floor, ours, ratio, goal, whether it is met, and what the floor is; or
 * the same as JSON. Exit 1 if an answer was wrong or a call failed; a missed goal is not a failure, times belong to the
 * machine. The program needs no file beside it: `device` and `crossover` run wherever libc and, for a GPU, its driver are.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_rows.h"
#include "tools/common/child.h"

struct bench_options bench_options = {.rounds = BENCH_ROUNDS, .limit = 120};

static const struct bench {
	const char *name;
	bool any_device; /* else: the cpu device, whatever --device says */
	const char *meaning;
	void (*run)(void);
} benches[] = {
    {"device", true, "floors of the device; round trips, rates, copies and loading of our ring on it", bench_device},
    {"crossover", true, "launches and graphs against our ring, by the time an item takes", bench_crossover},
    {"ring", false, "one slot there and back; slots a second, against a hand-written ring", bench_ring},
    {"publish", false, "what vyre_publish costs its caller", bench_publish},
    {"shapes", false, "slots a second of each feed; a suspended and a spawned slot against a plain one", bench_shapes},
    {"stream", false, "a cached file through the ring, against plain io_uring", bench_stream},
#ifdef VYRE_BENCH_CLANG
    {"code", false, "generated loops against the same C by clang -O3", bench_code},
#endif
    {"compile", false, "vyrec on examples/scan/scan.vyre, one slice", bench_compile},
    {"size", false, "the loader, stripped", bench_size},
};
enum { BENCH_COUNT = sizeof benches / sizeof *benches };

static int usage(FILE *out, int exit_status)
{
	fprintf(out, "usage: vyre-bench [NAME...] [options]\n\n"
		     "  --device=NAME   cpu, cuda, cuda:1, ...; without it cuda where there is one, else cpu\n"
		     "  --json          JSON instead of the table\n"
		     "  --out=FILE      JSON into a file, beside the table\n"
		     "  --quick         tiny counts and one round: a test of the program, no measurement\n"
		     "  --limit=SECONDS what rows of a kind may take before they are given up; 120\n"
		     "  --only=TEXT     groups of device and crossover whose name holds it: launch, trip, read, rate,\n"
		     "                  copy, load; cross, cross.wide\n"
		     "  --workers=N     workgroups of a ring on a GPU; without it as many as the loader takes\n"
		     "  --date=TEXT     for the JSON\n"
		     "  --commit=TEXT   for the JSON\n\n"
		     "names; without one all of them, with --device of a GPU those of any device:\n");
	for (unsigned i = 0; i < BENCH_COUNT; i++)
		fprintf(out, "  %-10s %s%s\n", benches[i].name, benches[i].meaning,
			benches[i].any_device ? " (any device)" : "");
	return exit_status;
}

static const struct bench *find(const char *name)
{
	for (unsigned i = 0; i < BENCH_COUNT; i++)
		if (strcmp(benches[i].name, name) == 0)
			return &benches[i];
	return NULL;
}

/* "--name=value" or "--name value". */
static const char *value_of(const char *name, int argc, char **argv, int *at)
{
	size_t bytes = strlen(name);

	if (strncmp(argv[*at], name, bytes) != 0)
		return NULL;
	if (argv[*at][bytes] == '=')
		return argv[*at] + bytes + 1;
	return !argv[*at][bytes] && *at + 1 < argc ? argv[++*at] : NULL;
}

static bool has_gpu(void)
{
	struct vyre_device *device;

	if (vyre_device_open("cuda", &device) != VYRE_OK)
		return false;
	vyre_device_close(device);
	return true;
}

/* 0: it says something else. */
static unsigned read_count(const char *text)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && count <= UINT_MAX ? (unsigned)count : 0;
}

struct command {
	const struct bench *chosen[32];
	unsigned count;
	bool json, help;
	const char *out;
};

/* The first word that is not understood; NULL = all are. */
static const char *read_words(int argc, char **argv, struct command *command)
{
	for (int i = 1; i < argc; i++) {
		const struct bench *bench = find(argv[i]);
		int word = i;
		const char *value;
		if (strcmp(argv[i], "list") == 0 || strcmp(argv[i], "--help") == 0)
			command->help = true;
		else if (strcmp(argv[i], "--json") == 0)
			command->json = true;
		else if (strcmp(argv[i], "--quick") == 0)
			bench_options.quick = true;
		else if ((value = value_of("--device", argc, argv, &i)))
			bench_options.device = value;
		else if ((value = value_of("--out", argc, argv, &i)))
			command->out = value;
		else if ((value = value_of("--limit", argc, argv, &i)) && (bench_options.limit = atof(value)) > 0)
			continue;
		else if ((value = value_of("--only", argc, argv, &i)))
			bench_options.only = value;
		else if ((value = value_of("--workers", argc, argv, &i)) &&
			 (bench_options.workers = read_count(value)) > 0)
			continue;
		else if ((value = value_of("--date", argc, argv, &i)))
			bench_options.date = value;
		else if ((value = value_of("--commit", argc, argv, &i)))
			bench_options.commit = value;
		else if (bench && command->count < sizeof command->chosen / sizeof *command->chosen)
			command->chosen[command->count++] = bench;
		else
			return argv[word];
	}
	return NULL;
}

/* Rows of any device report theirs themselves. */
static void run(const struct bench *bench)
{
	struct vyre_device_info info;
	struct vyre_device *device;

	if (!bench->any_device) {
		bench_check(vyre_device_open("cpu", &device), "device");
		vyre_device_get_info(device, &info);
		vyre_device_close(device);
		bench_report_device(info.name, "no driver");
	}
	bench->run();
	bench_unpin();
}

int main(int argc, char **argv)
{
	struct command command = {0};
	const char *wrong = read_words(argc, argv, &command);
	bool given;

	if (wrong)
		fprintf(stderr, "vyre-bench: %s: no such benchmark or option\n", wrong);
	if (wrong || command.help)
		return usage(wrong ? stderr : stdout, wrong ? 2 : 0);
	child_prepare();
	given = bench_options.device != NULL;
	bench_options.device = given ? bench_options.device : bench_ask_apart(has_gpu) ? "cuda" : "cpu";
	if (!bench_floor_of(bench_options.device)) {
		fprintf(stderr, "vyre-bench: no device is called %s; there are cpu and cuda\n", bench_options.device);
		return 2;
	}
	if (bench_options.quick)
		bench_options.rounds = 1;
	if (bench_processors() < 2 && !bench_options.quick)
		bench_die("this machine", "one processor; publisher and worker need one each");
	bench_report_begin(!command.json, command.out ? command.out : command.json ? "-" : NULL);
	for (unsigned i = 0; i < command.count; i++)
		run(command.chosen[i]);
	for (unsigned i = 0; i < BENCH_COUNT && !command.count; i++)
		if (benches[i].any_device || !given || !bench_is_gpu())
			run(&benches[i]);
	if (bench_options.only && !bench_groups_ran())
		bench_die("--only", "no group of rows that was asked for has this text in its name; --help lists them");
	return bench_report_end(NULL) ? 0 : 1;
}
