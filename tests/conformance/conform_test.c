/* conform_test.c - the whole corpus on the interpreter.
 *
 *   conform_test [file...]     default: every file of tests/conformance and tests/conformance/interp
 *
 * Exits with 1 when an expectation is not met, widths disagree, a race is found, or a row of the tables is not used.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/conformance/conform.h"

struct totals {
	struct conform_coverage coverage;
	unsigned files, failed, expects;
};

static void run_file(struct totals *totals, const char *path)
{
	struct conform_file file;
	unsigned failures = 1;
	if (conform_open(&file, path)) {
		failures = conform_run_interp(&file);
		conform_cover(&totals->coverage, &file);
		totals->expects += file.expect_count;
	}
	conform_close(&file);
	totals->files++;
	totals->failed += failures != 0;
}

static void run_folder(struct totals *totals, const char *pattern)
{
	glob_t found;
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t k = 0; k < found.gl_pathc; k++)
			run_file(totals, found.gl_pathv[k]);
	globfree(&found);
}

int main(int argc, char **argv)
{
	struct totals totals = {.files = 0};
	unsigned unused = 0;
	if (argc > 1) {
		for (int k = 1; k < argc; k++)
			run_file(&totals, argv[k]);
	} else {
		run_folder(&totals, VYRE_SOURCE_DIR "/tests/conformance/*.vyre");
		unused = conform_report_missing(&totals.coverage, true);
		run_folder(&totals, VYRE_SOURCE_DIR "/tests/conformance/interp/*.vyre");
		unused += conform_report_missing(&totals.coverage, false);
	}
	printf("conformance: %u files, %u expectations, %u files failed, %u rows unused\n", totals.files,
	       totals.expects, totals.failed, unused);
	return totals.failed || unused || !totals.files;
}
