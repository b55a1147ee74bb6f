/* conform_ptx_test.c - the conformance corpus as PTX, executed by tests/ptx.
 *
 *   conform_ptx_test [-v] FILE...
 *
 * Every file is compiled without optimisation for the oldest target and with it for a newer one, in turns, and its launches are
 * scheduled by several seeds. Programs are launched as they are; the slots of a set all lie in the ring of a `slots` kernel before the
 * launch. Sets whose handlers spawn are left out: that feed has no room for their slots.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/abi/blob.h"
#include "tests/common/ptx_run.h"
#include "tests/conformance/conform.h"

struct backend {
	struct ptx_run_options options;
	uint64_t seed;
	uint32_t workgroups;
	bool left_out;
};

/* The one thing of the corpus that no kernel of this feed has. */
static bool is_refusal(const char *message)
{
	return strstr(message, "this feed has no room for spawned slots") != NULL;
}

static bool run_on_ptx(void *user, struct conform_run *run, char *message)
{
	struct backend *b = user;
	struct ptx_run ptx;
	b->options.bounds = run->bounds;
	b->options.one_lane = !run->is_program; /* the feed `slots` has a lane a slot */
	b->left_out = false;
	bool ok = ptx_run_open(&ptx, run->module, &b->options);
	if (!ok)
		b->left_out = is_refusal(ptx.message);
	else if (run->is_program)
		ok = ptx_run_unit(&ptx, run->unit_name, run->workgroups, b->seed, run->buffers, run->buffer_count,
				  run->fault);
	else
		ok = ptx_run_slots(&ptx, run->unit_name, b->workgroups, b->seed, run->slots, run->slot_count,
				   run->buffers, run->buffer_count);
	if (!ok)
		snprintf(message, CONFORM_MESSAGE, "%.500s", ptx.message);
	ptx_run_close(&ptx);
	return ok;
}

/* One file under one set of options: 0 passed, 1 failed, 2 left out. */
static unsigned run_file(const struct conform_file *file, struct backend *b, bool verbose)
{
	const struct conform_backend backend = {b->options.target, b, run_on_ptx};
	struct conform_run run;
	char message[CONFORM_MESSAGE] = "";
	conform_start(file, &run);
	bool ran = run_on_ptx(b, &run, message);
	unsigned failures = ran ? conform_check(file, &run, backend.name) : 1;
	conform_finish(&run);
	if (!ran && b->left_out && verbose)
		printf("%s: left out: %s\n", file->path, message);
	if (!ran && b->left_out)
		return 2;
	if (!ran)
		fprintf(stderr, "%s: %s: %s\n", file->path, backend.name, message);
	return failures != 0;
}

int main(int argc, char **argv)
{
	static const struct ptx_run_options rows[] = {
	    {.level = 0, .target = "sm_75", .lanes = 1, .feed = VYRE_FEED_SLOTS},
	    {.level = 2, .target = "sm_90", .lanes = 1, .feed = VYRE_FEED_SLOTS},
	};
	unsigned counts[3] = {0};
	bool verbose = argc > 1 && !strcmp(argv[1], "-v");
	for (int i = 1 + verbose; i < argc; i++) {
		struct conform_file file;
		if (!conform_open(&file, argv[i])) {
			counts[1]++;
			continue;
		}
		for (unsigned k = 0; k < sizeof rows / sizeof *rows; k++) {
			struct backend b = {.options = rows[k], .seed = (unsigned)i * 7 + k, .workgroups = 1 + 2 * k};
			unsigned outcome = run_file(&file, &b, verbose);
			if (outcome == 1)
				printf("%s: failed on %s at -O%u\n", argv[i], rows[k].target, rows[k].level);
			counts[outcome]++;
		}
		conform_close(&file);
	}
	printf("%u passed, %u failed, %u left out\n", counts[0], counts[1], counts[2]);
	return counts[1] != 0 || counts[0] == 0;
}
