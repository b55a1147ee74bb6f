/* compile.c - how long vyrec takes for the demo's set and one slice, and how big the loader is.
 *
 * The compiler is started as a user starts it, a process each time; the time is from fork to exit, the median of 11. The
 * stages come from its own `-v` in one more run.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

enum { RUNS = 11 };
#define OUTPUT	 VYRE_BENCH_FOLDER "/compile.vyb"
#define STAGES	 VYRE_BENCH_FOLDER "/compile.txt"
#define STRIPPED VYRE_BENCH_FOLDER "/stripped.so"

/* Runs a program with its output in a file; returns whether it exited with 0. */
static bool run(char *const argv[], const char *output)
{
	posix_spawn_file_actions_t actions;
	pid_t child;
	int status = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	if (posix_spawnp(&child, argv[0], &actions, NULL, argv, environ))
		bench_die(argv[0], "cannot start it");
	posix_spawn_file_actions_destroy(&actions);
	while (waitpid(child, &status, 0) < 0)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The lines of `vyrec -v` joined into one, blanks squeezed: "parse 0.07 ms, verify 0.02 ms, ..." */
static void read_stages(char *note, size_t bytes)
{
	FILE *file = fopen(STAGES, "r");
	size_t used = 0;
	int c, previous = 0;

	while (file && used + 3 < bytes && (c = getc(file)) != EOF) {
		if (c == ' ' && previous == ' ')
			continue;
		if (previous == '\n') {
			note[used++] = ',';
			note[used++] = ' ';
		}
		if (c != '\n')
			note[used++] = (char)c;
		previous = c;
	}
	note[used] = 0;
	if (file)
		fclose(file);
}

void bench_compile(void)
{
	char *quiet[] = {VYRE_BENCH_VYREC, VYRE_BENCH_COMPILE_ARGS, "-o", OUTPUT, NULL};
	char *verbose[] = {VYRE_BENCH_VYREC, VYRE_BENCH_COMPILE_ARGS, "-v", "-o", OUTPUT, NULL};
	struct bench_row row = {"compile.scan", "ms", 0, 0, "", BENCH_AT_MOST, 60, true, ""};
	double times[RUNS];

	if (access(VYRE_BENCH_VYREC, X_OK)) {
		bench_report_left_out(row.name, "vyrec is not where this program was built");
		return;
	}
	for (unsigned i = 0; i < RUNS; i++) {
		double from = bench_now();
		row.correct &= run(quiet, "/dev/null");
		times[i] = (bench_now() - from) * 1e3;
	}
	row.ours = bench_median(times, RUNS);
	row.correct &= run(verbose, STAGES);
	read_stages(row.note, sizeof row.note);
	bench_report_samples(&row, RUNS);
}

void bench_size(void)
{
	char *strip[] = {"strip", "-o", STRIPPED, VYRE_BENCH_LOADER, NULL};
	struct bench_row row = {
	    "loader.size", "KiB", 0, 0, "", BENCH_AT_MOST, 200, true, "libvyre-loader.so, stripped"};
	struct stat st;

	if (access(VYRE_BENCH_LOADER, R_OK)) {
		bench_report_left_out(row.name, "the loader's shared library is not where this program was built");
		return;
	}
	row.correct = run(strip, "/dev/null") && stat(STRIPPED, &st) == 0;
	if (row.correct)
		row.ours = (double)st.st_size / 1024;
	bench_report_samples(&row, 1);
}
