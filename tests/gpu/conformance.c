/* conformance.c - a file of the conformance corpus on a device, from a blob that was compiled elsewhere.
 *
 * Enters: FOLDER/NAME[.KIND] without its ending; NAME.vyre is the source with its directives, NAME[.KIND].vyb the blob.
 * Leaves: every expectation met, and every buffer, result and fault as the interpreter has them at several widths. The
 * interpreter runs here, on the machine with the device: it needs no compiler.
 */
#include <stdio.h>
#include <string.h>

#include "tests/common/blob_run.h"
#include "tests/conformance/conform.h"
#include "tests/gpu/gpu.h"

static bool run_on_device(void *user, struct conform_run *run, char *message)
{
	struct blob_run *on = user;
	bool ok;

	on->spawned = run->spawn_limit;
	if (run->is_program)
		ok = blob_run_program(on, run->unit_name, run->workgroups, run->buffers, run->buffer_count, run->fault);
	else
		ok = blob_run_slots(on, run->unit_name, run->slots, run->slot_count, run->buffers, run->buffer_count);
	if (!ok)
		snprintf(message, CONFORM_MESSAGE, "%s", on->message);
	return ok;
}

/* What the interpreter makes of the file; conform_run_interp has held it to the expectations at every width. */
static void interpret(const struct conform_file *file, struct conform_run *run)
{
	struct vyrec_interp_options options = {
	    .lanes = 32, .bounds = file->start.bounds, .spawn_limit = file->start.spawn_limit, .workers = 1};
	struct vyrec_interp_result result;

	conform_start(file, run);
	if (run->is_program)
		vyrec_interp_program(run->module, run->unit, run->workgroups, run->buffers, run->buffer_count, &options,
				     &result);
	else
		vyrec_interp_slots(run->module, run->unit, run->slots, run->slot_count, run->buffers, run->buffer_count,
				   &options, &result);
	run->fault[0] = result.fault_code;
	run->fault[1] = result.fault_detail;
	CHECK(result.status == VYRE_OK || (result.status == VYRE_FAULT && run->is_program), "interpreter: %s",
	      result.message);
}

static unsigned run_twice(const struct conform_file *file, struct blob_run *on, const struct conform_run *want)
{
	static const unsigned workers[] = {1, 3};
	unsigned failures = 0;

	for (unsigned k = 0; k < (file->start.is_program ? 1 : 2); k++) {
		struct conform_run run;
		char message[CONFORM_MESSAGE] = "", who[64];

		on->workers = workers[k];
		snprintf(who, sizeof who, "%u workers", workers[k]);
		conform_start(file, &run);
		CHECK(run_on_device(on, &run, message), "%s: %s", who, message);
		failures += conform_check(file, &run, who);
		if (!want->fault[0]) /* how far the other lanes got by the time of a program's trap, nothing says */
			failures += conform_compare(file, want, &run, who);
		conform_finish(&run);
	}
	return failures;
}

void gpu_test_conformance(const struct gpu_options *options, const char *path)
{
	char source[512], name[512];
	const char *base = strrchr(path, '/') + 1, *kind = strchr(base, '.');
	struct conform_file file;
	struct conform_run want;
	struct blob_run on = {0};

	snprintf(source, sizeof source, "%.*s.vyre", (int)(kind ? kind - path : (long)strlen(path)), path);
	snprintf(name, sizeof name, "conformance/%.400s.vyb", base);
	CHECK(conform_open(&file, source), "%s cannot be used", source);
	interpret(&file, &want);
	on.device = gpu_open_device(options);
	on.blob = gpu_open_blob(options, name);
	EQUAL(run_twice(&file, &on, &want), 0);
	vyre_device_close(on.device);
	vyre_blob_close(on.blob);
	conform_finish(&want);
	conform_close(&file);
}
