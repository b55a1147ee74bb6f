/* ptx_run.c - see ptx_run.h. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/cuda.h"
#include "runtime/abi/debug.h"
#include "runtime/abi/io.h"
#include "runtime/abi/queue.h"
#include "tests/common/ptx_run.h"

enum {
	MAX_BUFFERS = 64,
	OBSERVABLES = 64,
	TENANTS = 4,
	CONTROL_WORDS = VYRE_CONTROL_MIN_WORDS + OBSERVABLES,
	IDLE_LIMIT = 64, /* rounds without work: another worker may be about to suspend */
};

static const uint64_t step_limit =
    2000000000; /* instructions of a launch: a kernel that never ends is told from a slow one */

__attribute__((format(printf, 2, 3))) static bool fail(struct ptx_run *run, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(run->message, sizeof run->message, format, args);
	va_end(args);
	return false;
}

static bool fail_diags(struct ptx_run *run, const struct vyrec_diags *diags, const char *stage)
{
	return fail(run, "%s: line %u: %s", stage, diags->count ? VYREC_LOC_LINE(diags->items[0].loc) : 0,
		    diags->count ? diags->items[0].message : "no message");
}

/* ---- compiling ------------------------------------------------------------------------------------------------------ */

static bool compile(struct ptx_run *run)
{
	const struct ptx_run_options *o = &run->options;
	const struct vyrec_target *target = vyrec_target_find(o->target ? o->target : "sm_80");
	const struct vyrec_pass_options passes = {.bounds = o->bounds,
						  .level = o->level,
						  .feed = o->feed,
						  .features = o->features,
						  .lanes = o->lanes,
						  .mailbox = o->mailbox,
						  .one_lane = o->one_lane};
	const struct vyrec_codegen_options codegen = {.level = o->level, .cubin = VYREC_CUBIN_NEVER};
	struct vyrec_diags diags = {0};
	bool ok;
	if (!vyrec_run_pipeline(run->lowered, &passes, &diags, NULL))
		ok = fail_diags(run, &diags, "passes");
	else if (!vyrec_codegen(run->lowered, target, &codegen, &run->slice, &diags))
		ok = fail_diags(run, &diags, "codegen");
	else
		ok = true;
	vyrec_diags_finish(&diags);
	return ok;
}

bool ptx_run_open(struct ptx_run *run, const struct vyrec_module *module, const struct ptx_run_options *options)
{
	*run = (struct ptx_run){.options = *options, .lowered = vyrec_module_clone(module)};
	if (!compile(run))
		return false;
	run->ptx = ptx_module_parse((const char *)run->slice.image, run->slice.image_bytes, run->message);
	return run->ptx != NULL;
}

void ptx_run_close(struct ptx_run *run)
{
	ptx_module_destroy(run->ptx);
	vyrec_slice_finish(&run->slice);
	vyrec_module_destroy(run->lowered);
	*run = (struct ptx_run){.ptx = NULL};
}

/* ---- buffers -------------------------------------------------------------------------------------------------------- */

struct parameter { /* as in runtime/abi/cuda.h */
	void *pointer;
	uint64_t count;
};

struct bound {
	struct parameter params[MAX_BUFFERS];
	struct ptx_range ranges[MAX_BUFFERS + 1];
	void *host[MAX_BUFFERS];
	uint64_t bytes[MAX_BUFFERS];
	uint32_t count;
};

static uint32_t find_unit(const struct vyrec_module *m, const char *name)
{
	for (uint32_t u = 1; u < m->unit_count; u++)
		if (!strcmp(vyrec_name_text(m, m->units[u].name), name))
			return u;
	return 0;
}

/* A copy of the buffer of that name, with nothing behind its end that the kernel may touch. */
static bool bind_one(struct ptx_run *run, const struct vyrec_array_node *array,
		     const struct vyrec_interp_buffer *buffers, uint32_t buffer_count, struct bound *bound)
{
	const char *name = vyrec_name_text(run->lowered, array->name);
	uint32_t at = bound->count;
	if (at == MAX_BUFFERS)
		return fail(run, "more than %u buffers", MAX_BUFFERS);
	for (uint32_t k = 0; k < buffer_count; k++)
		if (!strcmp(buffers[k].name, name)) {
			bound->host[at] = buffers[k].data;
			bound->bytes[at] = buffers[k].count * vyrec_type_bytes(array->element);
			bound->params[at].count = buffers[k].count;
		}
	uint64_t room = (bound->bytes[at] / 64 + 1) * 64; /* some of it also for an empty one: 0 is no address */
	bound->params[at].pointer = aligned_alloc(VYRE_CUDA_ALIGN > 64 ? VYRE_CUDA_ALIGN : 64, room * 4);
	if (!bound->params[at].pointer)
		return fail(run, "no memory");
	if (bound->bytes[at])
		memcpy(bound->params[at].pointer, bound->host[at], bound->bytes[at]);
	bound->ranges[at] = (struct ptx_range){bound->params[at].pointer, bound->bytes[at],
					       array->class_ == VYREC_CLASS_CONST ? PTX_READ : PTX_READ | PTX_WRITE};
	bound->count++;
	return true;
}

static bool bind(struct ptx_run *run, uint32_t unit, const struct vyrec_interp_buffer *buffers, uint32_t buffer_count,
		 struct bound *bound)
{
	const struct vyrec_module *m = run->lowered;
	const struct vyrec_unit_node *node = &m->units[unit];
	for (uint32_t i = 0; i < node->item_count; i++) {
		const uint32_t *item = &m->refs[node->items + 2 * i];
		if (item[0] == VYREC_ITEM_BUFFER && !bind_one(run, &m->arrays[item[1]], buffers, buffer_count, bound))
			return false;
	}
	return true;
}

static void unbind(struct bound *bound, bool copy_back)
{
	for (uint32_t i = 0; i < bound->count; i++) {
		if (copy_back && bound->bytes[i])
			memcpy(bound->host[i], bound->params[i].pointer, bound->bytes[i]);
		free(bound->params[i].pointer);
	}
}

/* ---- running -------------------------------------------------------------------------------------------------------- */

static bool launch(struct ptx_run *run, uint32_t unit, const uint32_t workgroups[3], uint64_t seed, struct bound *bound,
		   uint32_t fault[2])
{
	struct vyre_cuda_trap trap = {VYRE_CUDA_NO_TRAP, VYRE_CUDA_NO_TRAP};
	struct ptx_result result;
	uint8_t params[MAX_BUFFERS * sizeof(struct parameter) + sizeof(void *)];
	const void *trap_at = &trap;
	size_t bytes = bound->count * sizeof(struct parameter);
	memcpy(params, bound->params, bytes);
	memcpy(params + bytes, &trap_at, sizeof trap_at);
	bound->ranges[bound->count] = (struct ptx_range){&trap, sizeof trap, PTX_READ | PTX_WRITE};
	struct ptx_launch how = {.entry = ptx_entry_find(run->ptx, run->slice.symbols[unit - 1]),
				 .params = params,
				 .param_bytes = bytes + sizeof trap_at,
				 .seed = seed,
				 .step_limit = step_limit,
				 .ranges = bound->ranges,
				 .range_count = bound->count + 1,
				 .careful = true,
				 .late = seed & 1};
	if (!how.entry)
		return fail(run, "no entry %s", run->slice.symbols[unit - 1]);
	memcpy(how.grid, workgroups, sizeof how.grid);
	memcpy(how.block, run->lowered->units[unit].workgroup, sizeof how.block);
	bool ok = ptx_launch(&how, &result) || fail(run, "%s", result.message);
	run->instructions = result.instructions;
	fault[0] = trap.code == VYRE_CUDA_NO_TRAP ? 0 : (uint32_t)(trap.code & ((1 << VYRE_CUDA_TRAP_CODE_BITS) - 1));
	fault[1] = trap.code == VYRE_CUDA_NO_TRAP ? 0 : (uint32_t)trap.detail;
	return ok;
}

bool ptx_run_unit(struct ptx_run *run, const char *unit, const uint32_t workgroups[3], uint64_t seed,
		  const struct vyrec_interp_buffer *buffers, uint32_t buffer_count, uint32_t fault[2])
{
	struct bound bound = {.count = 0};
	uint32_t at = find_unit(run->lowered, unit);
	fault[0] = fault[1] = 0;
	bool ok = at ? bind(run, at, buffers, buffer_count, &bound) : fail(run, "no unit %s", unit);
	ok = ok && launch(run, at, workgroups, seed, &bound, fault);
	unbind(&bound, ok);
	return ok;
}

/* What a launch of the feed `slots` has beside the set's own buffers. */
struct feed {
	uint32_t control[CONTROL_WORDS], debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS], launch[VYRE_LAUNCH_WORDS];
	uint32_t *frames;
	uint64_t frames_words;
};

static bool fill_feed(struct ptx_run *run, struct feed *feed, uint32_t unit, uint32_t workgroups, uint32_t count)
{
	uint32_t frame_words = run->lowered->units[unit].frame_words;
	const struct vyre_control_params params = {.tenants = TENANTS, .observables = OBSERVABLES, .slots = count};
	if (vyre_control_encode(feed->control, sizeof feed->control, &params))
		return fail(run, "the control buffer cannot be encoded");
	feed->frames_words = vyre_frames_words(count, count, frame_words);
	feed->frames = calloc(feed->frames_words, sizeof *feed->frames);
	if (!feed->frames)
		return fail(run, "no memory");
	vyre_frames_encode(feed->frames, count, count, frame_words);
	feed->launch[VYRE_LAUNCH_IDLE_LIMIT] = IDLE_LIMIT;
	feed->launch[VYRE_LAUNCH_WORKERS] = workgroups;
	return true;
}

bool ptx_run_slots(struct ptx_run *run, const char *set, uint32_t workgroups, uint64_t seed,
		   struct vyrec_interp_slot *slots, uint32_t count, const struct vyrec_interp_buffer *buffers,
		   uint32_t buffer_count)
{
	struct vyrec_interp_buffer all[MAX_BUFFERS];
	struct vyrec_interp_slot *ring = vyrec_alloc((count + 1) * sizeof *ring);
	struct feed *feed = calloc(1, sizeof *feed);
	uint32_t fault[2], own = 0, unit = find_unit(run->lowered, set);
	if (!unit || !feed || buffer_count + 6 > MAX_BUFFERS) {
		free(feed);
		free(ring);
		return fail(run, "no set %s, no memory, or more than %u buffers", set, MAX_BUFFERS);
	}
	bool ok = fill_feed(run, feed, unit, workgroups, count);
	memcpy(ring, slots, count * sizeof *ring);
	for (; own < buffer_count; own++)
		all[own] = buffers[own];
	all[own++] = (struct vyrec_interp_buffer){"control", feed->control, CONTROL_WORDS};
	all[own++] = (struct vyrec_interp_buffer){"ring_buffer", ring, (uint64_t)count * VYRE_SLOT_WORDS};
	all[own++] = (struct vyrec_interp_buffer){"debug_log", feed->debug, VYRE_DEBUG_WORDS};
	all[own++] = (struct vyrec_interp_buffer){"io_queue", feed->io, VYRE_IO_WORDS};
	all[own++] = (struct vyrec_interp_buffer){"launch", feed->launch, VYRE_LAUNCH_WORDS};
	all[own++] = (struct vyrec_interp_buffer){"frames", feed->frames, feed->frames_words};
	ok = ok && ptx_run_unit(run, set, (const uint32_t[3]){workgroups, 1, 1}, seed, all, own, fault);
	if (ok && fault[0])
		ok = fail(run, "the scheduler trapped: %u %u", fault[0], fault[1]);
	for (uint32_t i = 0; i < count && ok; i++) { /* `requeue` leaves another priority */
		slots[i].words[VYRE_SLOT_WORD_STATUS] = ring[i].words[VYRE_SLOT_WORD_STATUS];
		memcpy(slots[i].words + VYRE_SLOT_WORD_ARG0, ring[i].words + VYRE_SLOT_WORD_ARG0,
		       VYRE_SLOT_ARGS * sizeof(uint32_t));
	}
	free(feed->frames);
	free(feed);
	free(ring);
	return ok;
}
