/* main.c - vyre-bench: ratios against floors measured in the same run.
 *
 *   vyre-bench [NAME...] [--json]      NAME: a row of the table below; none = all; `list` prints them
 *
 * Output: the machine, then a line a measurement: floor, ours, ratio, goal, whether it is met, and what the floor is.
 * Exit 1 if an answer was wrong or a call failed; a missed goal is not a failure, times belong to the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

static const struct bench {
	const char *name, *meaning;
	void (*run)(void);
} benches[] = {
    {"ring", "one slot there and back; slots a second, against a hand-written ring", bench_ring},
    {"publish", "what vyre_publish costs its caller", bench_publish},
    {"shapes", "slots a second of each feed; a suspended and a spawned slot against a plain one", bench_shapes},
    {"stream", "a cached file through the ring, against plain io_uring", bench_stream},
    {"code", "generated loops against the same C by clang -O3", bench_code},
    {"compile", "vyrec on examples/scan/scan.vyre, one slice", bench_compile},
    {"size", "the loader, stripped", bench_size},
};
enum { BENCH_COUNT = sizeof benches / sizeof *benches };

static bool as_json, all_correct = true, first_row = true;

static bool goal_met(const struct bench_row *row, double value)
{
	return row->goal_kind == BENCH_AT_MOST ? value <= row->goal : value >= row->goal;
}

static void print_json(const struct bench_row *row, double ratio)
{
	printf("%s\n    {\"name\": \"%s\", \"unit\": \"%s\", \"ours\": %.6g", first_row ? "" : ",", row->name,
	       row->unit, row->ours);
	if (row->floor > 0)
		printf(", \"floor\": %.6g, \"ratio\": %.4g, \"floor_is\": \"%s\"", row->floor, ratio, row->floor_is);
	if (row->goal_kind)
		printf(", \"goal\": \"%s %g\", \"met\": %s", row->goal_kind == BENCH_AT_MOST ? "<=" : ">=", row->goal,
		       goal_met(row, row->floor > 0 ? ratio : row->ours) ? "true" : "false");
	printf(", \"correct\": %s, \"note\": \"%s\"}", row->correct ? "true" : "false", row->note);
}

static void print_line(const struct bench_row *row, double ratio)
{
	char floor[32] = "", shown[32] = "", goal[32] = "";
	const char *verdict = "";

	if (row->floor > 0) {
		snprintf(floor, sizeof floor, "%.2f", row->floor);
		snprintf(shown, sizeof shown, "%.2fx", ratio);
	}
	if (row->goal_kind) {
		snprintf(goal, sizeof goal, "%s %g%s", row->goal_kind == BENCH_AT_MOST ? "<=" : ">=", row->goal,
			 row->floor > 0 ? "x" : "");
		verdict = goal_met(row, row->floor > 0 ? ratio : row->ours) ? "met" : "missed";
	}
	if (!row->correct)
		verdict = "WRONG RESULT";
	printf("%-24s %9s %9.2f %-10s %7s  %-8s %-7s %s%s%s\n", row->name, floor, row->ours, row->unit, shown, goal,
	       verdict, row->floor_is, *row->floor_is && *row->note ? "; " : "", row->note);
	fflush(stdout);
}

void bench_report(const struct bench_row *row)
{
	double ratio = row->floor > 0 ? row->ours / row->floor : 0;

	all_correct &= row->correct;
	if (as_json)
		print_json(row, ratio);
	else
		print_line(row, ratio);
	first_row = false;
}

static void get_cpu_model(char *model, size_t bytes)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(model, bytes, "unknown processor");
	while (file && fgets(line, sizeof line, file)) {
		char *value = strchr(line, ':');
		if (value && strncmp(line, "model name", 10) == 0) {
			value[strcspn(value, "\n")] = 0;
			snprintf(model, bytes, "%s", value + 2);
			break;
		}
	}
	if (file)
		fclose(file);
}

static void print_machine(void)
{
	char model[128];
	struct utsname kernel;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	get_cpu_model(model, sizeof model);
	uname(&kernel);
	if (as_json) {
		printf(
		    "{\n  \"machine\": {\"cpu\": \"%s\", \"processors\": %ld, \"kernel\": \"%s %s\"},\n  \"rows\": [",
		    model, processors, kernel.sysname, kernel.release);
		return;
	}
	printf("%s, %ld processors, %s %s; medians of %d rounds, floor and ours in turns\n", model, processors,
	       kernel.sysname, kernel.release, BENCH_ROUNDS);
	printf("%-24s %9s %9s %-10s %7s  %-8s\n", "", "floor", "ours", "", "ratio", "goal");
}

static const struct bench *find(const char *name)
{
	for (unsigned i = 0; i < BENCH_COUNT; i++)
		if (strcmp(benches[i].name, name) == 0)
			return &benches[i];
	return NULL;
}

static int list(FILE *out, int exit_status)
{
	for (unsigned i = 0; i < BENCH_COUNT; i++)
		fprintf(out, "%-10s %s\n", benches[i].name, benches[i].meaning);
	return exit_status;
}

int main(int argc, char **argv)
{
	int names = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "list") == 0)
			return list(stdout, 0);
		if (strcmp(argv[i], "--json") == 0)
			as_json = true;
		else if (find(argv[i]))
			names++;
		else {
			fprintf(stderr, "vyre-bench: no benchmark named %s; there are:\n", argv[i]);
			return list(stderr, 1);
		}
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		bench_die("this machine", "one processor; publisher and worker need one each");
	print_machine();
	for (unsigned i = 0; i < BENCH_COUNT && !names; i++)
		benches[i].run();
	for (int i = 1; i < argc && names; i++)
		if (find(argv[i]))
			find(argv[i])->run();
	if (as_json)
		printf("\n  ]\n}\n");
	return all_correct ? 0 : 1;
}
