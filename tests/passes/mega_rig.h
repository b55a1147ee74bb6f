/* mega_rig.h - an assembled set on the interpreter, or on this machine: every buffer that it declares, with its header
 * where it has one.
 *
 * A set is opened at a width: lanes of a workgroup on the interpreter, or NATIVE, where a worker is a thread. Rounds,
 * workers and seed are a run's. On the interpreter accesses that nothing orders fail a test that asks for it.
 */
#ifndef VYRE_TESTS_MEGA_RIG_H
#define VYRE_TESTS_MEGA_RIG_H
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/io.h"
#include "runtime/abi/queue.h"
#include "runtime/abi/ring.h"
#include "tests/codegen/image.h"

enum { MEGA_BUFFERS = 16, MEGA_OBSERVABLES = 32, MEGA_OWN = 64, MEGA_TENANTS = 3, MEGA_WORKERS = 8, NATIVE = 0 };

static const uint32_t mega_widths[] = {1, 4, 256, NATIVE};
#define MEGA_WIDTHS (sizeof mega_widths / sizeof *mega_widths)

struct mega {
	struct vyrec_module *module;
	struct vyrec_interp_buffer buffers[MEGA_BUFFERS];
	uint32_t buffer_count, slots, lanes;
	uint32_t *control, *ring, *debug, *io, *launch, *frames, *queue;
	struct vyrec_interp_result result;
	bool races;		  /* look for them */
	struct vyrec_slice slice; /* native */
	struct mapped image;
};

static inline struct vyrec_interp_buffer *mega_find(struct mega *g, const char *name)
{
	for (uint32_t i = 0; i < g->buffer_count; i++)
		if (!strcmp(g->buffers[i].name, name))
			return &g->buffers[i];
	return NULL;
}

static inline void *mega_data(struct mega *g, const char *name)
{
	struct vyrec_interp_buffer *b = mega_find(g, name);
	return b ? b->data : NULL;
}

static inline struct vyrec_module *mega_compile(const char *text, const struct vyrec_pass_options *options,
						struct vyrec_diags *diags)
{
	struct vyrec_module *m = vyrec_parse("demo.vyre", text, strlen(text), diags);
	if (m && vyrec_verify(m, diags) && vyrec_run_pipeline(m, options, diags, NULL))
		return m;
	if (m)
		vyrec_module_destroy(m);
	return NULL;
}

/* How many elements a buffer gets that declares no length. */
static inline uint64_t mega_length(const struct mega *g, const struct vyrec_unit_node *unit, const char *name)
{
	const struct {
		const char *name;
		uint64_t words;
	} lengths[] = {
	    {"control", vyre_live_base(MEGA_OBSERVABLES) + VYRE_LIVE_WORDS},
	    {"ring_buffer", (uint64_t)g->slots * VYRE_SLOT_WORDS},
	    {"debug_log", VYRE_DEBUG_WORDS},
	    {"io_queue", VYRE_IO_WORDS},
	    {"launch", VYRE_LAUNCH_WORDS},
	    {"frames", vyre_frames_words(2 * g->slots, g->slots, unit->frame_words)},
	    {"queue", vyre_queue_words(vyre_queue_cells(2 * g->slots), g->slots)},
	};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		if (!strcmp(lengths[i].name, name))
			return lengths[i].words;
	return MEGA_OWN;
}

static inline void *mega_alloc(uint64_t count, uint32_t bytes)
{
	size_t size = (count * bytes + 63) / 64 * 64;
	return memset(aligned_alloc(64, size), 0, size);
}

static inline bool mega_map(struct mega *g, struct vyrec_diags *diags)
{
	struct vyrec_codegen_options options = {.level = 2};
	return vyrec_codegen(g->module, vyrec_target_find("x86-64-v2"), &options, &g->slice, diags) &&
	       image_map(&g->slice, &g->image);
}

static inline void mega_open_with(struct mega *g, const char *text, struct vyrec_pass_options options, uint32_t slots)
{
	struct vyrec_diags diags = {0};
	memset(g, 0, sizeof *g);
	g->slots = slots;
	g->lanes = options.lanes;
	options.one_lane = g->lanes <= 1;
	g->module = mega_compile(text, &options, &diags);
	if (!g->module || (g->lanes == NATIVE && !mega_map(g, &diags))) {
		vyrec_diags_print(&diags, "demo.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	const struct vyrec_unit_node *unit = &g->module->units[1];
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const uint32_t *item = &g->module->refs[unit->items + 2 * i];
		if (item[0] != VYREC_ITEM_BUFFER)
			continue;
		const struct vyrec_array_node *a = &g->module->arrays[item[1]];
		const char *name = vyrec_name_text(g->module, a->name);
		uint64_t count = mega_length(g, unit, name);
		count = count < a->count ? a->count : count;
		assert_true(g->buffer_count < MEGA_BUFFERS);
		g->buffers[g->buffer_count++] =
		    (struct vyrec_interp_buffer){name, mega_alloc(count, vyrec_type_bytes(a->element)), count};
	}
	g->control = mega_data(g, "control");
	g->ring = mega_data(g, "ring_buffer");
	g->debug = mega_data(g, "debug_log");
	g->io = mega_data(g, "io_queue");
	g->launch = mega_data(g, "launch");
	g->frames = mega_data(g, "frames");
	g->queue = mega_data(g, "queue");
	vyre_control_encode(g->control, mega_find(g, "control")->count * 4,
			    &(struct vyre_control_params){
				.tenants = MEGA_TENANTS, .observables = MEGA_OBSERVABLES, .slots = slots, .live = 1});
	if (g->frames)
		vyre_frames_encode(g->frames, 2 * slots, slots, unit->frame_words);
	if (g->queue)
		vyre_queue_encode(g->queue, vyre_queue_cells(2 * slots), slots);
}

static inline void mega_open(struct mega *g, const char *text, unsigned feed, unsigned features, uint32_t lanes,
			     uint32_t slots)
{
	mega_open_with(g, text,
		       (struct vyrec_pass_options){.feed = feed, .features = features, .lanes = lanes, .level = 1},
		       slots);
}

static inline void mega_close(struct mega *g)
{
	for (uint32_t i = 0; i < g->buffer_count; i++)
		free(g->buffers[i].data);
	if (g->lanes == NATIVE) {
		image_unmap(&g->image);
		vyrec_slice_finish(&g->slice);
	}
	vyrec_module_destroy(g->module);
}

static inline uint32_t *mega_slot(struct mega *g, uint32_t index)
{
	return &g->ring[index % g->slots * VYRE_SLOT_WORDS];
}

static inline uint32_t *mega_args(struct mega *g, uint32_t index)
{
	return mega_slot(g, index) + VYRE_SLOT_WORD_ARG0;
}

static inline uint32_t *mega_put(struct mega *g, uint32_t index, uint32_t opcode, uint32_t tenant, const uint32_t *args,
				 unsigned count)
{
	uint32_t *words = mega_slot(g, index);
	memset(words, 0, VYRE_SLOT_BYTES);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_TENANT] = tenant;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	for (unsigned i = 0; i < count; i++)
		words[VYRE_SLOT_WORD_ARG0 + i] = args[i];
	words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	return words;
}
#define MEGA_PUT(g, index, opcode, tenant, ...) \
	mega_put(g, index, opcode, tenant, (const uint32_t[]){__VA_ARGS__}, \
		 sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* ---- running ----------------------------------------------------------------------------------------------------------- */

/* One worker of a native run: its launch words are its own. */
struct mega_worker {
	struct mega *g;
	pthread_t thread;
	struct vyre_cpu_buffer buffers[MEGA_BUFFERS];
	struct vyre_cpu_launch launch;
	uint32_t words[VYRE_LAUNCH_WORDS] __attribute__((aligned(64)));
};

static inline void *mega_work(void *argument)
{
	struct mega_worker *w = argument;
	vyre_cpu_entry entry;
	void *address = w->g->image.base + w->g->slice.entries[0];
	memcpy(&entry, &address, sizeof entry);
	entry(&w->launch);
	return NULL;
}

static inline void mega_run_native(struct mega *g, uint32_t workgroups)
{
	static struct mega_worker workers[MEGA_WORKERS];
	assert_true(workgroups <= MEGA_WORKERS);
	for (uint32_t i = 0; i < workgroups; i++) {
		struct mega_worker *w = &workers[i];
		memcpy(w->words, g->launch, sizeof w->words);
		w->g = g;
		for (uint32_t b = 0; b < g->buffer_count; b++)
			w->buffers[b] = (struct vyre_cpu_buffer){
			    g->buffers[b].data == g->launch ? w->words : g->buffers[b].data, g->buffers[b].count};
		w->launch = (struct vyre_cpu_launch){.workgroup = {i, 0, 0},
						     .workgroups = {workgroups, 1, 1},
						     .buffer_count = g->buffer_count,
						     .buffers = w->buffers};
		assert_int_equal(pthread_create(&w->thread, NULL, mega_work, w), 0);
	}
	for (uint32_t i = 0; i < workgroups; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].launch.trap_code, 0);
		g->launch[VYRE_LAUNCH_IO_ASKED] |= workers[i].words[VYRE_LAUNCH_IO_ASKED];
	}
}

static inline void mega_interpret(struct mega *g, uint32_t workgroups, uint64_t seed)
{
	struct vyrec_interp_options options = {.seed = seed, .step_limit = 50000000, .detect_races = g->races};
	const uint32_t grid[3] = {workgroups, 1, 1};
	vyrec_interp_program(g->module, 1, grid, g->buffers, g->buffer_count, &options, &g->result);
	if (g->result.status != VYRE_OK)
		fail_msg("%s", g->result.message);
	if (g->result.race_count)
		fail_msg("%u races, the first on %s[%u]", g->result.race_count,
			 vyrec_name_text(g->module, g->module->arrays[g->result.races[0].array].name),
			 (unsigned)g->result.races[0].element);
}

/* `rounds` of each worker; 0: until it is idle for a while. */
static inline void mega_run(struct mega *g, uint32_t rounds, uint32_t workgroups, uint64_t seed)
{
	g->launch[VYRE_LAUNCH_WORKERS] = workgroups;
	g->launch[VYRE_LAUNCH_ROUND_LIMIT] = rounds;
	g->launch[VYRE_LAUNCH_IDLE_LIMIT] = rounds ? 0 : 20;
	if (g->lanes == NATIVE)
		mega_run_native(g, workgroups);
	else
		mega_interpret(g, workgroups, seed);
}

/* Launches until so many slots have ended: a worker leaves when its own slots have had nothing to do for a while. */
static inline void mega_run_until(struct mega *g, uint32_t ended, uint32_t workgroups, uint64_t seed)
{
	uint32_t launches = 0;
	do
		mega_run(g, 0, workgroups, seed + (seed ? launches : 0));
	while (++launches < 1000 && (int32_t)(g->control[VYRE_CONTROL_DONE_COUNT] - ended) < 0);
	assert_int_equal(g->control[VYRE_CONTROL_DONE_COUNT], ended);
}

/* A fault with this code and detail. */
static inline void mega_assert_fault(struct mega *g, uint32_t index, uint32_t code, uint32_t detail)
{
	assert_int_equal(mega_slot(g, index)[0], VYRE_SLOT_FAULT);
	assert_int_equal(mega_args(g, index)[0], code);
	assert_int_equal(mega_args(g, index)[1], detail);
}

/* No slot holds anything in `frames` any more. */
static inline void mega_assert_clear(struct mega *g)
{
	uint64_t words = mega_find(g, "frames")->count - (uint64_t)g->slots * g->module->units[1].frame_words;
	for (uint64_t i = VYRE_FRAMES_HEADER_WORDS; i < words; i++)
		if (g->frames[i])
			fail_msg("word %u of frames is 0x%x", (unsigned)i, g->frames[i]);
}

/* Live values of the module's only handler that its points keep are in frames, not in slots. */
static inline uint32_t mega_record(struct mega *g, uint32_t index, unsigned word)
{
	return g->frames[VYRE_FRAMES_HEADER_WORDS + index * VYRE_RECORD_WORDS + word];
}

#endif
