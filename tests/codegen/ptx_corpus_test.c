/* ptx_corpus_test.c [all] - the conformance corpus and the examples, compiled for NVIDIA devices and assembled by ptxas.
 *
 * Each file goes through `vyrec --cubin=require`, for one of the group's targets in turn, or for all of them. In the PTX no
 * f32 operation is approximate, flushes subnormals or may be contracted with its neighbour, and none reaches a buffer by a
 * generic address. What a GPU refuses is a row of `refused`, with its reason. Skipped without ptxas.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codegen/codegen.h"

enum { LINE = 4096 };

/* Files that this hardware cannot run as they are, and what must be said of them. */
static const struct {
	const char *file, *words;
} refused[] = {
    {"atomics_orders.vyre", "a kernel has one width on a GPU"},
    {"barriers_in_branches.vyre", "make it a multiple of 32"},
    {"broadcast.vyre", "make it a multiple of 32"},
    {"granularity.vyre", "a kernel has one width on a GPU"},
    {"shared_scan.vyre", "a kernel has one width on a GPU"},
};
static const char *const targets[] = {"sm_75", "sm_80", "sm_90", "sm_100"};
enum { TARGETS = sizeof targets / sizeof *targets };

/* In no PTX of ours. */
static const char *const forbidden[] = {
    ".approx", ".ftz",	  "add.f32",	 "sub.f32",	"mul.f32",
    "add.f64", "sub.f64", "mul.f64",	 "div.full",	"cvta.",
    "ld.b",    "st.b",	  "ld.volatile", "st.volatile", "ld.global.nc.volatile",
};

static unsigned failures, files;

static void fail(const char *file, const char *target, const char *what, const char *words)
{
	printf("FAILED %s for %s: %s%s\n", file, target, what, words);
	failures++;
}

static const char *refusal(const char *file)
{
	const char *name = strrchr(file, '/') + 1;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (!strcmp(refused[i].file, name))
			return refused[i].words;
	return NULL;
}

/* The output of a command; the caller frees it. */
static char *run(const char *command, size_t *bytes, int *status)
{
	enum { MOST = 1 << 24 };
	char *text = malloc(MOST);
	FILE *pipe = popen(command, "r");
	if (!text || !pipe)
		exit(1);
	*bytes = fread(text, 1, MOST - 1, pipe);
	text[*bytes] = 0;
	*status = pclose(pipe);
	return text;
}

/* The blob has the PTX as it is. */
static void check_text(const char *file, const char *target, const char *blob, size_t bytes)
{
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
		char word[64];
		int length = snprintf(word, sizeof word, "%s%s", *forbidden[i] == '.' ? "" : "\t", forbidden[i]);
		if (memmem(blob, bytes, word, (size_t)length))
			fail(file, target, "the PTX has ", forbidden[i]);
	}
	if (!memmem(blob, bytes, ".visible .entry vyre_", strlen(".visible .entry vyre_")))
		fail(file, target, "no PTX", "");
}

static void check(const char *file, const char *target)
{
	const char *words = refusal(file);
	char command[2 * LINE];
	size_t bytes;
	int status;
	snprintf(command, sizeof command, "%s/tools/vyrec %s --target=%s --cubin=require -o - 2>&1", VYRE_BINARY_DIR,
		 file, target);
	char *said = run(command, &bytes, &status);
	if (words && (!status || !strstr(said, words)))
		fail(file, target, "not refused: ", words);
	else if (!words && status)
		fail(file, target, "", said);
	else if (!words)
		check_text(file, target, said, bytes);
	free(said);
}

static int is_source(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot && !strcmp(dot, ".vyre");
}

static void check_folder(const char *folder, bool all)
{
	struct dirent **entries;
	char file[LINE + 512];
	int count = scandir(folder, &entries, is_source, alphasort);
	if (count <= 0) {
		fail(folder, "any target", "nothing is there", "");
		return;
	}
	for (int i = 0; i < count; i++, files++) {
		snprintf(file, sizeof file, "%s/%s", folder, entries[i]->d_name);
		for (unsigned t = 0; t < TARGETS; t++)
			if (all || t == (unsigned)i % TARGETS)
				check(file, targets[t]);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	static const char *const folders[] = {"tests/conformance", "examples/scan", "examples/walk"};
	bool all = argc > 1 && !strcmp(argv[1], "all");
	if (!vyrec_ptxas_version()) {
		printf("skipped: ptxas is not here; with the CUDA toolkit installed every file would be assembled\n");
		return 0;
	}
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char folder[LINE];
		snprintf(folder, sizeof folder, "%s/%s", VYRE_SOURCE_DIR, folders[i]);
		check_folder(folder, all);
	}
	printf("%u files, ptxas %s, %u failures\n", files, vyrec_ptxas_version(), failures);
	return failures != 0;
}
