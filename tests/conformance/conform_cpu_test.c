/* conform_cpu_test.c - the conformance corpus on the cpu device, at every optimisation level and CPU level.
 *
 *   conform_cpu_test FILE...
 *
 * Levels of the CPU above what this machine has are skipped, with the reason.
 */
#include <stdio.h>
#include <string.h>

#include "codegen/codegen.h"
#include "runtime/vyre.h"
#include "tests/common/cpu_run.h"
#include "tests/conformance/conform.h"

static bool run_on_cpu(void *user, struct conform_run *run, char *message)
{
	struct cpu_run_options options = *(const struct cpu_run_options *)user;
	struct cpu_run cpu;
	options.bounds = run->bounds;
	options.spawned = run->spawn_limit;
	bool ok = cpu_run_open(&cpu, run->module, &options);
	if (ok && run->is_program)
		ok =
		    cpu_run_program(&cpu, run->unit_name, run->workgroups, run->buffers, run->buffer_count, run->fault);
	else if (ok)
		ok = cpu_run_slots(&cpu, run->unit_name, run->slots, run->slot_count, run->buffers, run->buffer_count);
	if (!ok)
		snprintf(message, CONFORM_MESSAGE, "%s", cpu.message);
	cpu_run_close(&cpu);
	return ok;
}

/* The best CPU level that the device runs here. */
static uint32_t level_here(void)
{
	struct vyre_device *device;
	struct vyre_device_info info = {.target = 0};
	if (vyre_device_open("cpu", &device) == VYRE_OK) {
		vyre_device_get_info(device, &info);
		vyre_device_close(device);
	}
	return info.target;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0, here = level_here();
	const struct vyrec_target *target;
	for (unsigned t = 0; (target = vyrec_target_at(t)); t++) {
		if (target->id > here) {
			printf("%s: skipped, this machine has no such CPU\n", target->name);
			continue;
		}
		for (unsigned level = 0; level <= 2; level += 2) {
			/* one worker, then several: what slots spawn is run by another one */
			struct cpu_run_options options = {
			    .level = level, .workers = level ? 3 : 1, .target = target->name};
			const struct conform_backend backend = {target->name, &options, run_on_cpu};
			for (int i = 1; i < argc; i++) {
				struct conform_file file;
				bool bad = !conform_open(&file, argv[i]) || conform_run_backend(&file, &backend) != 0;
				if (bad)
					printf("%s: failed on %s at -O%u\n", argv[i], target->name, level);
				failed += bad;
				passed += !bad;
				conform_close(&file);
			}
		}
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
