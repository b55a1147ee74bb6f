/* main.c - runs tests from prebuilt files on a device, each in a process of its own, under a watchdog.
 *
 *   gpu-runner FOLDER [--device=NAME] [--only=TEXT] [--slots=N] [--patience=N] [--budget=SECONDS] [--json=FILE] [--date=D]
 *              [--driver=V] [--list]
 *
 * Enters: the folder that the build target gpu-tests fills, and its lists: `unsupported` names files of the corpus that a
 * device has no code for, `expected_failures` tests that are known to fail there; a line of either is NAME DEVICE REASON.
 * Leaves: one line a test, the output of those that failed, a closing count, and a file of JSON where asked.
 *
 * A test runs in a child of this process, which itself never touches the device: a kernel that does not end, a lost
 * device or a crash costs that test alone, and with the child's context its kernels end. A test that is still running
 * when its time is over says where it is (last_words.c), is killed and has failed. Threads in one process would be quicker to
 * start, but a CUDA context that has failed once stays so for the whole process.
 *
 * The machine may be lent for minutes: the JSON is complete after every test, and when the budget is spent no test begins.
 * A driver initialises a GPU that nobody else has open for every process anew, which takes a second or two: the device's
 * files are kept open here, and nothing else is done with them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/gpu/gpu.h"
#include "tools/common/child.h"
#include "tools/common/whole_file.h"

enum { EXIT_SKIPPED = 77, NOTE_BYTES = 256, MAX_TESTS = 1024, MAX_OUTPUT = 16000, CONFORMANCE_SECONDS = 60 };
/* For last words, and for a driver to end what a killed process had on its device. */
static const double last_words_seconds = 10, reap_seconds = 30;

/* What a child tells its parent beside its exit status. */
static struct told {
	char note[NOTE_BYTES], step[NOTE_BYTES];
	char device[64], driver[16];
} * told;

enum outcome { NOT_RUN, PASSED, FAILED, SKIPPED, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = {"not_run", "passed", "failed", "skipped"};

struct test {
	char name[96];
	const char *text;
	void (*run)(const struct gpu_options *options);
	char path[512]; /* of the corpus: without its ending; else empty */
	uint32_t seconds;
	enum outcome outcome;
	double took;
	char note[NOTE_BYTES];
};

static struct test tests[MAX_TESTS];
static uint32_t test_count;

struct arguments {
	struct gpu_options gpu;
	const char *only, *json, *date, *driver;
	uint64_t patience;  /* factor on every time limit */
	double budget, end; /* seconds for all of it, 0 = as many as it takes; when that is over */
	bool list;
};

/* ---- a test's own process -------------------------------------------------------------------------------------------- */

void gpu_fail(const char *file, int line, const char *format, ...)
{
	va_list args;
	const char *name = strrchr(file, '/');

	printf("%s:%d: ", name ? name + 1 : file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

static void take_note(const char *format, va_list args)
{
	vsnprintf(told->note, sizeof told->note, format, args);
}

void gpu_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_note(format, args);
	va_end(args);
	_exit(EXIT_SKIPPED);
}

void gpu_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_note(format, args);
	va_end(args);
}

void gpu_step(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(told->step, sizeof told->step, format, args);
	va_end(args);
}

void gpu_tell_device(const struct vyre_device_info *info)
{
	memcpy(told->device, info->name, sizeof told->device);
	memcpy(told->driver, info->driver, sizeof told->driver);
}

static void run_here(const struct test *test, const struct gpu_options *options, int output)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* no kernel outlives this program */
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	gpu_keep_last_words();
	if (test->path[0])
		gpu_test_conformance(options, test->path);
	else
		test->run(options);
	fflush(stdout);
	_exit(0);
}

/* ---- watchdog ---------------------------------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum { KILLED = -1, UNKILLABLE = -2 };

/* Waits for a child; ends it when its time is over. Returns its wait status, or one of the above. */
static int watch(pid_t child, double limit)
{
	int status;

	if (child_ends_within(child, limit, &status))
		return status;
	kill(child, SIGTERM);
	if (child_ends_within(child, last_words_seconds, &status))
		return KILLED;
	kill(child, SIGKILL);
	return child_ends_within(child, reap_seconds, &status) ? KILLED : UNKILLABLE;
}

static void judge(struct test *test, int status, double limit)
{
	if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		test->outcome = PASSED;
	else if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		test->outcome = SKIPPED;
	else
		test->outcome = FAILED;
	memcpy(test->note, told->note, sizeof test->note);
	if (status < 0)
		snprintf(test->note, sizeof test->note, "still running after %.0f s%s%.160s%s", limit,
			 told->step[0] ? ", last step: " : "", told->step,
			 status == UNKILLABLE ? "; its process cannot be killed" : "");
	else if (WIFSIGNALED(status))
		snprintf(test->note, sizeof test->note, "ended by signal %d", WTERMSIG(status));
}

static void print_output(int output)
{
	static char text[MAX_OUTPUT + 1];
	off_t bytes = lseek(output, 0, SEEK_END), first = bytes > MAX_OUTPUT ? bytes - MAX_OUTPUT : 0;
	ssize_t n = pread(output, text, MAX_OUTPUT, first);

	text[n > 0 ? n : 0] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("       %s\n", line);
}

static void run_test(struct test *test, const struct arguments *arguments)
{
	double start = now(), limit = (double)test->seconds * (double)arguments->patience;
	double rest = arguments->end - start;
	int output = memfd_create("output", 0);
	pid_t child;

	if (arguments->budget > 0 && rest < limit)
		limit = rest;
	memset(told->note, 0, sizeof told->note);
	memset(told->step, 0, sizeof told->step);
	fflush(stdout);
	child = fork();
	if (child == 0)
		run_here(test, &arguments->gpu, output);
	judge(test, child < 0 ? 1 : watch(child, limit), limit);
	test->took = now() - start;
	if (child < 0)
		snprintf(test->note, sizeof test->note, "fork: %s", strerror(errno));
	printf("%-4s   %-44s %7.2f s%s%s\n",
	       test->outcome == PASSED	 ? "ok"
	       : test->outcome == FAILED ? "FAIL"
					 : "skip",
	       test->name, test->took, test->note[0] ? "  " : "", test->note);
	if (test->outcome == FAILED)
		print_output(output);
	close(output);
}

/* ---- lists ------------------------------------------------------------------------------------------------------------- */

/* The reason that a list gives for a name on a device, or NULL. A device's row holds for its numbered ones too. */
static const char *find_reason(const struct gpu_options *options, const char *list, const char *name)
{
	static char line[512], path[512];
	char *reason = NULL;

	snprintf(path, sizeof path, "%s/%s", options->folder, list);
	FILE *f = fopen(path, "r");
	if (!f) {
		fprintf(stderr, "gpu-runner: %s cannot be read. Fix: build the target gpu-tests and give its folder\n",
			path);
		exit(2);
	}
	while (!reason && fgets(line, sizeof line, f)) {
		char *word = strtok(line, " \t\n"), *device = word ? strtok(NULL, " \t\n") : NULL;

		if (!device || word[0] == '#' || strcmp(word, name) != 0 ||
		    strncmp(options->device, device, strlen(device)) != 0)
			continue;
		reason = strtok(NULL, "\n");
		if (!reason)
			reason = "no reason given";
	}
	fclose(f);
	return reason;
}

static struct test *add_test(const char *room, const char *name, const char *text, uint32_t seconds)
{
	struct test *test = &tests[test_count];

	if (test_count == MAX_TESTS) {
		fprintf(stderr, "gpu-runner: more than %d tests. Fix: raise MAX_TESTS\n", MAX_TESTS);
		exit(2);
	}
	test_count++;
	snprintf(test->name, sizeof test->name, "%s/%s", room, name);
	test->text = text;
	test->seconds = seconds;
	return test;
}

static int is_blob(const struct dirent *entry)
{
	return fnmatch("*.vyb", entry->d_name, 0) == 0;
}

/* A test for every blob of the corpus: FILE.vyb, and FILE.ptx.vyb, which has code for GPUs alone. */
static void add_conformance(const struct gpu_options *options)
{
	struct dirent **entries;
	char folder[400];

	snprintf(folder, sizeof folder, "%s/conformance", options->folder);
	int count = scandir(folder, &entries, is_blob, alphasort);
	for (int i = 0; i < count; i++) {
		char name[256];

		if (strstr(entries[i]->d_name, ".ptx.") && !strcmp(options->device, "cpu")) {
			free(entries[i]);
			continue;
		}
		snprintf(name, sizeof name, "%.*s", (int)(strlen(entries[i]->d_name) - strlen(".vyb")),
			 entries[i]->d_name);
		struct test *test = add_test("conformance", name, "a file of the corpus", CONFORMANCE_SECONDS);
		snprintf(test->path, sizeof test->path, "%.300s/%.200s", folder, name);
		free(entries[i]);
	}
	if (count > 0)
		free(entries);
}

static void add_rows(void)
{
#define X(test_name, seconds, text) add_test("ring", #test_name, text, seconds)->run = gpu_test_##test_name;
	GPU_TESTS(X)
#undef X
}

static bool device_is_missing; /* one failure says it, not a hundred */

/* What the lists say about a test: it is not run, or its failure is one that is known. */
static void run_listed(struct test *test, const struct arguments *arguments)
{
	const char *reason = find_reason(&arguments->gpu, "unsupported", test->name);

	if (!reason && device_is_missing)
		reason = "the device does not open, see the first test";
	if (!reason && arguments->budget > 0 && now() >= arguments->end) {
		printf("not run %s: the budget of %g s is spent\n", test->name, arguments->budget);
		snprintf(test->note, sizeof test->note, "the budget of %g s was spent", arguments->budget);
		return;
	}
	if (reason) {
		test->outcome = SKIPPED;
		snprintf(test->note, sizeof test->note, "%s", reason);
		printf("skip   %-44s %7.2f s  %s\n", test->name, 0.0, reason);
		return;
	}
	run_test(test, arguments);
	device_is_missing |= test->run == gpu_test_device && test->outcome == FAILED;
	reason = find_reason(&arguments->gpu, "expected_failures", test->name);
	if (!reason || test->outcome == SKIPPED)
		return;
	printf("       %s in expected_failures: %s\n", test->outcome == FAILED ? "is" : "passes, and is", reason);
	test->outcome = test->outcome == FAILED ? SKIPPED : FAILED;
	snprintf(test->note, sizeof test->note, "expected failure: %s", reason);
}

/* ---- report ------------------------------------------------------------------------------------------------------------ */

static void write_string(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(f, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(f, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, f);
	fputc('"', f);
}

static void write_field(FILE *f, const char *name, const char *text)
{
	fprintf(f, "  \"%s\": ", name);
	write_string(f, text);
	fputs(",\n", f);
}

static void read_commit(const struct gpu_options *options, char *commit, size_t bytes)
{
	char path[512];

	commit[0] = 0;
	snprintf(path, sizeof path, "%s/commit", options->folder);
	FILE *f = fopen(path, "r");
	if (!f)
		return;
	if (fgets(commit, (int)bytes, f))
		commit[strcspn(commit, "\n")] = 0;
	fclose(f);
}

static void count(uint32_t counts[OUTCOMES])
{
	memset(counts, 0, OUTCOMES * sizeof *counts);
	for (uint32_t i = 0; i < test_count; i++)
		counts[tests[i].outcome] += tests[i].seconds != 0;
}

static void print_json(FILE *f, const struct arguments *arguments)
{
	char commit[128];
	uint32_t counts[OUTCOMES];
	bool first = true;

	count(counts);
	read_commit(&arguments->gpu, commit, sizeof commit);
	fputs("{\n", f);
	write_field(f, "program", "tests/gpu/run");
	write_field(f, "commit", commit);
	write_field(f, "date", arguments->date);
	write_field(f, "device", told->device);
	write_field(f, "driver", told->driver);
	write_field(f, "driver_version", arguments->driver);
	fprintf(f, "  \"slots\": %llu,\n", (unsigned long long)arguments->gpu.slots);
	for (int k = 0; k < OUTCOMES; k++)
		fprintf(f, "  \"%s\": %u,\n", outcome_names[k], counts[k]);
	fputs("  \"tests\": [", f);
	for (uint32_t i = 0; i < test_count; i++) {
		if (!tests[i].seconds)
			continue;
		fprintf(f, "%s\n    {\"name\": \"%s\", \"outcome\": \"%s\", \"seconds\": %.3f, \"note\": ",
			first ? "" : ",", tests[i].name, outcome_names[tests[i].outcome], tests[i].took);
		write_string(f, tests[i].note);
		fputc('}', f);
		first = false;
	}
	fputs("\n  ]\n}\n", f);
}

/* Whole at every moment. */
static bool write_json(const struct arguments *arguments)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	bool good = f != NULL;

	if (good) {
		print_json(f, arguments);
		good = fclose(f) == 0 && whole_file_write(arguments->json, text, bytes);
	}
	if (!good)
		fprintf(stderr, "gpu-runner: %s cannot be written: %s. Fix: name a file in a folder that exists\n",
			arguments->json, strerror(errno));
	free(text);
	return good;
}

/* ---- command line ------------------------------------------------------------------------------------------------------ */

static const struct option_row {
	const char *name, *help;
} option_rows[] = {
    {"--device=", "cuda, cuda:1 or cpu; default cuda"},
    {"--only=", "tests whose name holds this text"},
    {"--slots=", "how many a long test publishes; default 2000000"},
    {"--patience=", "factor on every test's time limit; default 1"},
    {"--budget=", "seconds for all tests; what is left then is not run"},
    {"--json=", "where the results go too"},
    {"--date=", "what the JSON says the date is"},
    {"--driver=", "what the JSON says the driver's version is"},
    {"--list", "print the tests and leave"},
};

static int usage(const char *word)
{
	fprintf(stderr, "gpu-runner: '%s' is not understood. usage: gpu-runner FOLDER\n", word);
	for (size_t i = 0; i < sizeof option_rows / sizeof *option_rows; i++)
		fprintf(stderr, "  %-14s %s\n", option_rows[i].name, option_rows[i].help);
	return 2;
}

/* Where an option's value is put; NULL: it has none. */
static const char *value_of(const char *word, const char *option)
{
	size_t bytes = strlen(option);

	return strncmp(word, option, bytes) ? NULL : word + bytes;
}

/* Seconds above 0; 0: it says something else. */
static double read_budget(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	return end != text && !*end && seconds > 0 ? seconds : 0;
}

static const char *read_arguments(int argc, char **argv, struct arguments *a)
{
	const char *value;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if ((value = value_of(word, "--device=")))
			a->gpu.device = value;
		else if ((value = value_of(word, "--only=")))
			a->only = value;
		else if ((value = value_of(word, "--slots=")))
			a->gpu.slots = strtoull(value, NULL, 0);
		else if ((value = value_of(word, "--patience=")))
			a->patience = strtoull(value, NULL, 0);
		else if ((value = value_of(word, "--budget=")) && (a->budget = read_budget(value)) > 0)
			continue;
		else if ((value = value_of(word, "--json=")))
			a->json = value;
		else if ((value = value_of(word, "--date=")))
			a->date = value;
		else if ((value = value_of(word, "--driver=")))
			a->driver = value;
		else if (!strcmp(word, "--list"))
			a->list = true;
		else if (word[0] != '-' && !a->gpu.folder)
			a->gpu.folder = word;
		else
			return word;
	}
	return !a->gpu.folder || !a->patience || !a->gpu.slots ? "a folder, and counts above 0, are wanted" : NULL;
}

/* Kept open until the end, see the top; a device without such files has none. */
static void hold_gpus(const char *device)
{
	char path[64];

	for (unsigned i = 0; strncmp(device, "cuda", 4) == 0 && i < 16; i++) {
		snprintf(path, sizeof path, "/dev/nvidia%u", i);
		(void)!open(path, O_RDWR | O_CLOEXEC);
	}
}

/* Runs the tests that were asked for; false when a report of them cannot be written. */
static bool run_all(const struct arguments *arguments)
{
	bool good = true;

	for (uint32_t i = 0; i < test_count; i++) {
		if (!tests[i].seconds)
			continue;
		if (arguments->list) {
			printf("%-44s %s\n", tests[i].name, tests[i].text);
			continue;
		}
		run_listed(&tests[i], arguments);
		fflush(stdout);
		if (arguments->json && !whole_file_is_stream(arguments->json))
			good = good && write_json(arguments);
	}
	return good;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
	    .gpu = {.device = "cuda", .slots = GPU_USUAL_SLOTS}, .only = "", .date = "", .driver = "", .patience = 1};
	uint32_t counts[OUTCOMES];
	const char *wrong = read_arguments(argc, argv, &arguments);
	bool good;

	if (wrong)
		return usage(wrong);
	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return 2;
	child_prepare();
	arguments.end = now() + arguments.budget;
	add_rows();
	add_conformance(&arguments.gpu);
	for (uint32_t i = 0; i < test_count; i++)
		if (!strstr(tests[i].name, arguments.only))
			tests[i].seconds = 0; /* not one of this run's */
	if (!arguments.list)
		hold_gpus(arguments.gpu.device);
	good = run_all(&arguments);
	if (arguments.list)
		return 0;
	count(counts);
	if (told->device[0])
		printf("%s\n", told->device);
	printf("%u passed, %u failed, %u skipped", counts[PASSED], counts[FAILED], counts[SKIPPED]);
	printf(counts[NOT_RUN] ? ", %u not run\n" : "\n", counts[NOT_RUN]);
	if (good && arguments.json && whole_file_is_stream(arguments.json))
		good = write_json(&arguments);
	if (!good)
		return 2;
	return counts[FAILED] != 0 || counts[NOT_RUN] != 0 || counts[PASSED] == 0;
}
