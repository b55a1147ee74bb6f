/* builtins_rig.h - a set with the built-in ops and the slots feed, on the interpreter and on the cpu device.
 *
 * `rig_once` runs an image of all buffers on both and compares every word of every buffer; the tests then look at one of
 * them. Behind CONTROL_WORDS lie words that nobody may touch.
 */
#ifndef VYRE_TESTS_PASSES_BUILTINS_RIG_H
#define VYRE_TESTS_PASSES_BUILTINS_RIG_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "runtime/abi/blob.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/slot.h"
#include "tests/common/cpu_run.h"

enum {
	SLOTS = 1024,
	OBSERVABLES = 400,
	WORDS = VYRE_CONTROL_MIN_WORDS + OBSERVABLES,
	FENCED = 96, /* words behind */
	SUMS = 8192,
	TABLE = 3 * 256,
	CANARY = 0x5CA1AB1E,
};

struct image {
	uint32_t control[WORDS + FENCED], ring[SLOTS * VYRE_SLOT_WORDS], debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS];
	uint32_t launch[VYRE_LAUNCH_WORDS], sums[SUMS], table[TABLE];
	uint32_t used; /* slots */
};

struct rig {
	struct vyrec_module *module;
	struct cpu_run cpu;
};

static inline void rig_open(struct rig *rig, const char *text)
{
	const struct cpu_run_options cpu = {.level = 2, .feed = VYRE_FEED_SLOTS, .features = VYRE_HAS_BUILTINS};
	const struct vyrec_pass_options options = {
	    .level = 1, .feed = VYRE_FEED_SLOTS, .features = VYRE_HAS_BUILTINS, .one_lane = true};
	struct vyrec_diags diags = {0};
	rig->module = cpu_run_read(text, 0);
	assert_non_null(rig->module);
	if (!cpu_run_open(&rig->cpu, rig->module, &cpu))
		fail_msg("%s", rig->cpu.message);
	if (!vyrec_run_pipeline(rig->module, &options, &diags, NULL)) {
		vyrec_diags_print(&diags, "set", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
}

static inline void rig_close(struct rig *rig)
{
	cpu_run_close(&rig->cpu);
	vyrec_module_destroy(rig->module);
}

/* Ids 0 .. 2 may run; one round. */
static inline struct image *image_new(void)
{
	const struct vyre_control_params params = {.tenants = 3, .observables = OBSERVABLES, .slots = SLOTS};
	struct image *image = calloc(1, sizeof *image);
	assert_non_null(image);
	assert_int_equal(vyre_control_encode(image->control, 4 * WORDS, &params), VYRE_LENGTH_NONE);
	for (unsigned i = 0; i < FENCED; i++)
		image->control[WORDS + i] = CANARY;
	for (unsigned i = 0; i < TABLE; i++)
		image->table[i] = i * 7 + 1;
	image->launch[VYRE_LAUNCH_ROUND_LIMIT] = 1;
	image->launch[VYRE_LAUNCH_WORKERS] = 1;
	return image;
}

/* The next slot; its STATUS is what a publisher would have checked, or not. */
static inline uint32_t *put_words(struct image *image, uint32_t opcode, uint32_t tenant, const uint32_t args[12])
{
	assert_true(image->used < SLOTS);
	const struct vyre_slot_request request = {opcode, tenant, VYRE_PRIORITY_NORMAL, args, 12};
	vyre_slot_store(image->ring, image->used, &request);
	return &image->ring[VYRE_SLOT_WORDS * image->used++];
}

static inline uint32_t *put(struct image *image, uint32_t opcode, uint32_t tenant, uint32_t a0, uint32_t a1, uint32_t a2)
{
	return put_words(image, opcode, tenant, (uint32_t[12]){a0, a1, a2});
}

static inline void image_buffers(struct image *image, uint32_t control_words, struct vyrec_interp_buffer buffers[7])
{
	const struct vyrec_interp_buffer all[7] = {
	    {"control", image->control, control_words},
	    {"ring_buffer", image->ring, SLOTS * VYRE_SLOT_WORDS},
	    {"debug_log", image->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", image->io, VYRE_IO_WORDS},
	    {"launch", image->launch, VYRE_LAUNCH_WORDS},
	    {"sums", image->sums, SUMS},
	    {"dfa_table", image->table, TABLE},
	};
	memcpy(buffers, all, sizeof all);
}

/* Both machines, one worker, the first `control_words` words of control. */
static inline void rig_once(struct rig *rig, struct image *image, uint32_t control_words)
{
	const struct vyrec_interp_options options = {.step_limit = 20000000};
	const uint32_t one[3] = {1, 1, 1};
	struct vyrec_interp_buffer buffers[7];
	struct vyrec_interp_result result;
	uint32_t fault[2];
	struct image *native = malloc(sizeof *native);
	assert_non_null(native);
	memcpy(native, image, sizeof *native);
	image_buffers(image, control_words, buffers);
	vyrec_interp_program(rig->module, 1, one, buffers, 7, &options, &result);
	if (result.status != VYRE_OK)
		fail_msg("interpreter: %s", result.message);
	image_buffers(native, control_words, buffers);
	if (!cpu_run_program(&rig->cpu, "demo", one, buffers, 7, fault))
		fail_msg("cpu: %s", rig->cpu.message);
	assert_int_equal(fault[0], 0);
	for (size_t w = 0; w < sizeof *image / 4; w++)
		if (((uint32_t *)image)[w] != ((uint32_t *)native)[w])
			fail_msg("word %zu of the image: interpreter %08x, cpu %08x", w, ((uint32_t *)image)[w],
				 ((uint32_t *)native)[w]);
	for (unsigned i = 0; i < FENCED; i++)
		assert_int_equal(image->control[WORDS + i], CANARY);
	free(native);
}

static inline void rig_run(struct rig *rig, struct image *image)
{
	rig_once(rig, image, WORDS + FENCED);
}

static inline void assert_done(const uint32_t *slot)
{
	if (slot[0] != VYRE_SLOT_DONE)
		fail_msg("status %u, code %u, detail %u", slot[0], slot[4], slot[5]);
}

static inline void assert_fault(const uint32_t *slot, uint32_t code, uint32_t detail)
{
	if (slot[0] != VYRE_SLOT_FAULT || slot[4] != code || slot[5] != detail)
		fail_msg("status %u, code %u, detail %#x; not FAULT, %u, %#x", slot[0], slot[4], slot[5], code, detail);
}

#endif
