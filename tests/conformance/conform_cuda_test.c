/* conform_cuda_test.c - the conformance corpus on the cuda device of the loader: PTX in a blob, the stand-in for the driver,
 * tests/ptx below it.
 *
 *   conform_cuda_test [-v] FILE...
 *
 * Sets run by the live feed through a mailbox, with as many lanes as their ops by workgroup(N) ask for, or a number that
 * changes from file to file. The scheduler reaches pinned memory with system scope and without read-modify-writes, or the
 * stand-in complains; a handler may do to a stream buffer what it likes, so files that have one are not held to it. What a kernel stores without order arrives late. Left out,
 * and counted: sets that suspend or spawn, which this feed does not have, and those whose ops are of several widths.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/common/cpu_run.h"
#include "tests/conformance/conform.h"

struct backend {
	struct cpu_run_options options;
	bool left_out;
};

static uint32_t widest_op(const struct vyrec_module *m)
{
	uint32_t width = 0;
	for (uint32_t h = 1; h < m->handler_count; h++)
		if (m->handlers[h].width > width)
			width = m->handlers[h].width;
	return width;
}

static bool has_stream(const struct vyrec_module *m)
{
	for (vyrec_array a = 1; a < m->array_count; a++)
		if (m->arrays[a].class_ == VYREC_CLASS_STREAM)
			return true;
	return false;
}

static bool is_refusal(const char *message)
{
	return strstr(message, "give both one width");
}

static bool run_on_cuda(void *user, struct conform_run *run, char *message)
{
	struct backend *b = user;
	struct cpu_run cuda;
	uint32_t width = widest_op(run->module);
	b->options.bounds = run->bounds;
	b->options.spawned = run->spawn_limit;
	b->options.lanes = width ? width : b->options.lanes;
	bool ok = cpu_run_open(&cuda, run->module, &b->options);
	if (!ok)
		b->left_out = is_refusal(cuda.message);
	else if (run->is_program)
		ok = cpu_run_program(&cuda, run->unit_name, run->workgroups, run->buffers, run->buffer_count,
				     run->fault);
	else
		ok = cpu_run_slots(&cuda, run->unit_name, run->slots, run->slot_count, run->buffers, run->buffer_count);
	if (!ok)
		snprintf(message, CONFORM_MESSAGE, "%.500s", cuda.message);
	cpu_run_close(&cuda);
	return ok;
}

int main(int argc, char **argv)
{
	static const uint32_t lanes[] = {32, 1, 64};
	unsigned counts[3] = {0};
	bool verbose = argc > 1 && !strcmp(argv[1], "-v");
	void (*plan)(const char *text) = NULL;
	void *standin = dlopen("libcuda.so.1", RTLD_NOW);
	if (standin)
		*(void **)&plan = dlsym(standin, "standin_plan");
	if (!plan) {
		printf("libcuda.so.1 is not the stand-in\n");
		return 1;
	}
	for (int i = 1 + verbose; i < argc; i++) {
		struct backend b = {.options = {.level = i % 4 ? 2 : 0,
						.target = "sm_90",
						.device = "cuda",
						.workers = 1 + (unsigned)i % 2,
						.lanes = lanes[i % 3]}};
		struct conform_file file;
		struct conform_run run;
		char message[CONFORM_MESSAGE] = "", text[64];
		if (!conform_open(&file, argv[i])) {
			counts[1]++;
			continue;
		}
		snprintf(text, sizeof text, "system=%d,careful=1,late=1,seed=%d", !has_stream(file.module), i);
		plan(text);
		conform_start(&file, &run);
		bool ran = run_on_cuda(&b, &run, message);
		unsigned outcome = ran ? conform_check(&file, &run, "cuda") != 0 : b.left_out ? 2 : 1;
		if (!ran && (outcome == 1 || verbose))
			printf("%s: %s%s\n", argv[i], outcome == 2 ? "left out: " : "", message);
		counts[outcome]++;
		conform_finish(&run);
		conform_close(&file);
	}
	printf("%u passed, %u failed, %u left out\n", counts[0], counts[1], counts[2]);
	return counts[1] != 0 || counts[0] == 0;
}
