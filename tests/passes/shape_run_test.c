/* shape_run_test.c - every shape runs: in the interpreter at several widths and numbers of workgroups, and on the cpu.
 *
 * A scene is a ring of more slots than lanes, one or two launches and what must stand in the buffers afterwards. A launch
 * ends by its idle limit, or by itself where the shape is for one round. `live` has tests of its own (tests/scheduler):
 * the loader brings its buffers; `fixpoint` has fixpoint_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "passes/shape.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/io.h"
#include "runtime/abi/queue.h"
#include "runtime/abi/task.h"
#include "runtime/vyre.h"
#include "tests/common/cpu_run.h"

enum {
	SLOTS = 24,
	OBSERVABLES = 64,
	CONTROL_WORDS = VYRE_CONTROL_MIN_WORDS + OBSERVABLES,
	FRAMES_WORDS = 2048,
	SPACE = 16
};

struct image {
	uint32_t control[CONTROL_WORDS], ring[SLOTS * VYRE_SLOT_WORDS], debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS];
	uint32_t launch[VYRE_LAUNCH_WORDS], frames[FRAMES_WORDS], space[SPACE], table[32];
	uint8_t source[64], destination[64];
};

static uint32_t *slot(struct image *image, uint32_t index)
{
	return image->ring + index * VYRE_SLOT_WORDS;
}

static void publish(struct image *image, uint32_t index, uint32_t opcode, uint32_t a0, uint32_t a1)
{
	uint32_t *words = slot(image, index);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	words[VYRE_SLOT_WORD_ARG0] = a0;
	words[VYRE_SLOT_WORD_ARG0 + 1] = a1;
	words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
}

/* ---- scenes ---------------------------------------------------------------------------------------------------------- */

enum { OP_RUN = 0x100 };
static const char one_op[] = "set one { op run = 0x100 (a: u32) by lane { result(0, a + 1) } }\n";

/* Every slot adds its index to a word of its own, but the last two: a fault, and one that stays as it is. */
static void publish_adds(struct image *image)
{
	for (uint32_t i = 0; i < SLOTS - 2; i++)
		publish(image, i, VYRE_OPCODE_ATOMIC_ADD, i + 1, VYRE_CONTROL_OBSERVABLES + i);
	publish(image, SLOTS - 2, 0x1234, 0, 0);
}

static void check_adds(const struct image *image)
{
	for (uint32_t i = 0; i < SLOTS - 2; i++) {
		assert_int_equal(image->ring[i * VYRE_SLOT_WORDS], VYRE_SLOT_DONE);
		assert_int_equal(image->control[VYRE_CONTROL_OBSERVABLES + i], i + 1);
	}
	assert_int_equal(image->ring[(SLOTS - 2) * VYRE_SLOT_WORDS], VYRE_SLOT_FAULT);
	assert_int_equal(image->ring[(SLOTS - 2) * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0], VYRE_FAULT_UNKNOWN_OPCODE);
	assert_int_equal(image->ring[(SLOTS - 1) * VYRE_SLOT_WORDS], VYRE_SLOT_EMPTY);
	assert_int_equal(image->control[VYRE_CONTROL_DONE_COUNT], SLOTS - 1);
	assert_int_equal(image->control[VYRE_CONTROL_FAULT_COUNT], 1);
	assert_int_equal(image->control[VYRE_CONTROL_METRICS + VYRE_OPCODE_ATOMIC_ADD], SLOTS - 2);
}

static void publish_runs(struct image *image)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		publish(image, i, i % 2 ? OP_RUN : VYRE_OPCODE_STORE_U32, i, VYRE_CONTROL_OBSERVABLES + i);
}

static void check_runs(const struct image *image)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		assert_int_equal(image->ring[i * VYRE_SLOT_WORDS], VYRE_SLOT_DONE);
		assert_int_equal(image->ring[i * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0], i % 2 ? i + 1 : i);
		assert_int_equal(image->control[VYRE_CONTROL_OBSERVABLES + i], i % 2 ? 0 : i);
	}
	assert_int_equal(image->control[VYRE_CONTROL_DONE_COUNT], SLOTS);
}

/* Fused: any opcode, one op, no metrics. */
static void publish_any(struct image *image)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		publish(image, i, i * 0x01000000u + 3, i, 0);
}

static void check_any(const struct image *image)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		assert_int_equal(image->ring[i * VYRE_SLOT_WORDS], VYRE_SLOT_DONE);
		assert_int_equal(image->ring[i * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0], i + 1);
	}
	assert_int_equal(image->control[VYRE_CONTROL_METRICS + 3], 0);
	assert_int_equal(image->control[VYRE_CONTROL_DONE_COUNT], SLOTS);
}

/* A set that was told to stop before it starts runs nothing. */
static void publish_after_shutdown(struct image *image)
{
	publish_runs(image);
	image->control[VYRE_CONTROL_SHUTDOWN] = 1;
}

static void check_nothing_ran(const struct image *image)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(image->ring[i * VYRE_SLOT_WORDS], VYRE_SLOT_PUBLISHED);
	assert_int_equal(image->control[VYRE_CONTROL_DONE_COUNT], 0);
}

/* The host asks: bytes 8 .. 24 of range 0 of the source go to the start of range 1 of the destination. */
static void publish_service(struct image *image)
{
	const uint32_t table[2][4] = {{4, 0, 40, VYRE_IO_RIGHT_READ}, {16, 0, 32, VYRE_IO_RIGHT_WRITE}};
	uint32_t *entry = image->io + 32 * VYRE_IO_ENTRY_WORDS;
	memcpy(image->table, table, sizeof table);
	for (unsigned i = 0; i < sizeof image->source; i++)
		image->source[i] = (uint8_t)(i + 1);
	for (unsigned k = 0; k < 2; k++) { /* the second asks for more than its range holds */
		entry[k * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_OP] = VYRE_IO_OP_READ;
		entry[k * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_SRC_HANDLE] = 0;
		entry[k * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_DST_HANDLE] = 1;
		entry[k * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_OFFSET_LO] = 8;
		entry[k * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_BYTE_COUNT] = k ? 33 : 16;
		entry[k * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_TAG] = 7 + k;
		entry[k * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	}
}

static void check_service(const struct image *image)
{
	const uint32_t *entry = image->io + 32 * VYRE_IO_ENTRY_WORDS;
	assert_int_equal(entry[VYRE_IO_WORD_STATUS], VYRE_IO_STATUS_OK);
	assert_int_equal(entry[VYRE_IO_WORD_TAG], 7);
	for (unsigned i = 0; i < sizeof image->destination; i++)
		assert_int_equal(image->destination[i], i >= 16 && i < 32 ? 4 + 8 + (i - 16) + 1 : 0);
	entry += VYRE_IO_ENTRY_WORDS;
	assert_int_equal(entry[VYRE_IO_WORD_STATUS], VYRE_IO_STATUS_ERROR);
	assert_int_not_equal(entry[VYRE_IO_WORD_OFFSET_LO], 0); /* errno */
	assert_int_equal(entry[VYRE_IO_WORD_TAG], 8);
}

/* The device asks: one slot waits, another asks for the future. */
static void publish_miss(struct image *image)
{
	publish(image, 0, VYRE_OPCODE_LOAD_MISS, 5, 0);
	slot(image, 0)[VYRE_SLOT_WORD_ARG0 + 3] = 4096;
	slot(image, 0)[VYRE_SLOT_WORD_ARG0 + 5] = 100;
	slot(image, 0)[VYRE_SLOT_WORD_ARG0 + 6] = 12;
	publish(image, 1, VYRE_OPCODE_LOAD_MISS, 6, 1);
	publish(image, 2, VYRE_OPCODE_LOAD_MISS, 9, 0);
}

static void serve_misses(struct image *image)
{
	unsigned served = 0;
	assert_int_equal(*slot(image, 0), VYRE_SLOT_WAIT_IO);
	assert_int_equal(*slot(image, 1), VYRE_SLOT_DONE); /* a prefetch returns at once */
	assert_int_equal(*slot(image, 2), VYRE_SLOT_WAIT_IO);
	for (uint32_t e = 0; e < VYRE_IO_DEVICE_ENTRIES; e++) {
		uint32_t *entry = image->io + e * VYRE_IO_ENTRY_WORDS, *note = image->frames + VYRE_FRAMES_IO + e * 4;
		if (entry[VYRE_IO_WORD_STATUS] != VYRE_SLOT_PUBLISHED)
			continue;
		served++;
		entry[VYRE_IO_WORD_STATUS] = VYRE_IO_STATUS_OK;
		if (entry[VYRE_IO_WORD_SRC_HANDLE] == 5) {
			assert_int_equal(entry[VYRE_IO_WORD_DST_HANDLE], 5);
			assert_int_equal(entry[VYRE_IO_WORD_OFFSET_LO], 4096);
			assert_int_equal(entry[VYRE_IO_WORD_BYTE_COUNT], 100);
			assert_int_equal(note[VYRE_IO_NOTE_DESTINATION_LO], 12);
			assert_int_equal(note[VYRE_IO_NOTE_SLOT], 1);
		} else if (entry[VYRE_IO_WORD_SRC_HANDLE] == 9) {
			entry[VYRE_IO_WORD_STATUS] = VYRE_IO_STATUS_ERROR;
			entry[VYRE_IO_WORD_OFFSET_LO] = 13;
		}
	}
	assert_int_equal(served, 3);
}

static void check_misses(const struct image *image)
{
	assert_int_equal(image->ring[0], VYRE_SLOT_DONE);
	assert_int_equal(image->ring[2 * VYRE_SLOT_WORDS], VYRE_SLOT_FAULT);
	assert_int_equal(image->ring[2 * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0], VYRE_FAULT_IO);
	assert_int_equal(image->ring[2 * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0 + 1], 13);
	assert_int_equal(image->control[VYRE_CONTROL_DONE_COUNT], 3);
}

/* Bootstrap once a launch, guard and dispatch each round: the guard lets three rounds of dispatch through. */
static const char workspace_set[] = "set work {\n"
				    "  buffer space: live u32[]\n"
				    "  fn workspace_bootstrap() { atomic_add(space[0], 1) }\n"
				    "  fn workspace_guard() -> bool { return atomic_add(space[1], 1) < 3 }\n"
				    "  fn workspace_dispatch() { atomic_add(space[2], 1) }\n"
				    "  op run = 0x100 (a: u32) by lane { result(0, a + 1) }\n"
				    "}\n";

static void check_workspace(const struct image *image)
{
	check_runs(image);
	assert_int_equal(image->space[0], 1);
	assert_true(image->space[1] >= 3);
	assert_int_equal(image->space[2], 3);
}

static const char task_set[] =
    "set one { op run = 0x100 (a: u32, b: u32) by lane { result(0, a + 1); yield; result(1, a + b) } }\n";

static void publish_tasks(struct image *image)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		uint32_t *task = slot(image, i);
		task[VYRE_TASK_WORD_STATE] = VYRE_SLOT_PUBLISHED; /* Ready */
		task[VYRE_TASK_WORD_OP_HANDLE] = OP_RUN;
		task[VYRE_TASK_WORD_INPUT] = i;
		task[VYRE_TASK_WORD_OUTPUT] = 100;
		task[VYRE_TASK_WORD_TASK_ID] = 1000 + i;
	}
}

static void check_tasks(const struct image *image)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		const uint32_t *task = image->ring + i * VYRE_SLOT_WORDS;
		assert_int_equal(task[VYRE_TASK_WORD_STATE], VYRE_SLOT_DONE);
		assert_int_equal(task[VYRE_TASK_WORD_INPUT], i + 1);
		assert_int_equal(task[VYRE_TASK_WORD_OUTPUT], i + 100);
		assert_int_equal(task[VYRE_TASK_WORD_YIELD_COUNT], 1);
		assert_int_equal(task[VYRE_TASK_WORD_TASK_ID], 1000 + i);
		assert_int_equal(task[VYRE_TASK_WORD_FLAGS], 0);
	}
}

static const struct scene {
	const char *shape, *set;
	uint32_t as_lanes; /* the shape has as many slots as lanes: 24 of them */
	uint32_t idle_limit;
	void (*prepare)(struct image *image);
	void (*between)(struct image *image); /* NULL: one launch */
	void (*check)(const struct image *image);
} scenes[] = {
    {"default", NULL, 0, 64, publish_adds, NULL, check_adds},
    {"default", NULL, 0, 64, publish_after_shutdown, NULL, check_nothing_ran},
    {"sharded", one_op, 1, 64, publish_runs, NULL, check_runs},
    {"sharded-slots", one_op, 0, 64, publish_runs, NULL, check_runs},
    {"once", one_op, 0, 0, publish_runs, NULL, check_runs},
    {"once", one_op, 0, 0, publish_after_shutdown, NULL, check_nothing_ran},
    {"once-control", one_op, 0, 0, publish_runs, NULL, check_runs},
    {"no-io", one_op, 1, 64, publish_runs, NULL, check_runs},
    {"io-service", one_op, 1, 64, publish_service, NULL, check_service},
    {"miss", one_op, 0, 64, publish_miss, serve_misses, check_misses},
    {"workspace", workspace_set, 0, 64, publish_runs, NULL, check_workspace},
    {"jit", one_op, 1, 64, publish_any, NULL, check_any},
    {"jit-slots", one_op, 0, 64, publish_any, NULL, check_any},
    {"priority", one_op, 1, 64, publish_runs, NULL, check_runs},
    {"priority-slots", one_op, 0, 64, publish_runs, NULL, check_runs},
    {"tasks", task_set, 0, 64, publish_tasks, NULL, check_tasks},
};

/* ---- running --------------------------------------------------------------------------------------------------------- */

enum { BUFFERS = 10 };
static void bind(struct vyrec_interp_buffer *buffers, struct image *image)
{
	const struct vyrec_interp_buffer all[BUFFERS] = {
	    {"control", image->control, CONTROL_WORDS},
	    {"ring_buffer", image->ring, SLOTS * VYRE_SLOT_WORDS},
	    {"debug_log", image->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", image->io, VYRE_IO_WORDS},
	    {"launch", image->launch, VYRE_LAUNCH_WORDS},
	    {"frames", image->frames, FRAMES_WORDS},
	    {"space", image->space, SPACE},
	    {"io_source", image->source, sizeof image->source},
	    {"io_table", image->table, 32},
	    {"io_destination", image->destination, sizeof image->destination},
	};
	memcpy(buffers, all, sizeof all);
}

static void make_image(struct image *image, const struct scene *scene, uint32_t workers)
{
	const struct vyre_control_params params = {.tenants = 2, .observables = OBSERVABLES, .slots = SLOTS};
	memset(image, 0, sizeof *image);
	assert_int_equal(vyre_control_encode(image->control, sizeof image->control, &params), VYRE_LENGTH_NONE);
	vyre_frames_encode(image->frames, SLOTS, SLOTS, 16);
	image->launch[VYRE_LAUNCH_IDLE_LIMIT] = scene->idle_limit;
	image->launch[VYRE_LAUNCH_WORKERS] = workers;
	scene->prepare(image);
}

static struct vyrec_module *read_set(const struct scene *scene)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *set =
	    scene->set ? vyrec_parse("scene.vyre", scene->set, strlen(scene->set), &diags) : vyrec_shape_empty_set();
	assert_non_null(set);
	assert_true(vyrec_verify(set, &diags));
	vyrec_diags_finish(&diags);
	return set;
}

static void interpret(const struct scene *scene, uint32_t lanes, uint32_t workgroups, uint64_t seed)
{
	static struct image image;
	struct vyrec_interp_buffer buffers[BUFFERS];
	struct vyrec_pass_options passes = {.level = 1};
	struct vyrec_interp_options options = {.seed = seed};
	struct vyrec_interp_result result;
	struct vyrec_diags diags = {0};
	struct vyrec_shape shape;
	struct vyrec_module *set = read_set(scene);
	assert_true(vyrec_shape_find(scene->shape, &shape));
	shape.lanes = scene->as_lanes ? SLOTS : lanes;
	shape.slots = SLOTS;
	struct vyrec_module *m = vyrec_shape_build(&shape, set, &passes, &diags);
	if (!m) {
		vyrec_diags_print(&diags, scene->shape, NULL, 0, stderr);
		fail();
	}
	make_image(&image, scene, workgroups);
	bind(buffers, &image);
	for (int launch = 0; launch < (scene->between ? 2 : 1); launch++) {
		if (launch)
			scene->between(&image);
		vyrec_interp_program(m, 1, (const uint32_t[3]){workgroups, 1, 1}, buffers, BUFFERS, &options, &result);
		if (result.status != VYRE_OK)
			fail_msg("%s: %s", scene->shape, result.message);
	}
	scene->check(&image);
	vyrec_module_destroy(m);
	vyrec_module_destroy(set);
}

static void every_shape_runs_in_the_interpreter(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
		for (uint32_t lanes = 1; lanes <= 16; lanes *= 4)
			for (uint32_t workgroups = 1; workgroups <= 2; workgroups++)
				interpret(&scenes[i], lanes, workgroups, lanes + workgroups);
}

/* The ancestor's four come back whole, `once-control` only control; what the device keeps for itself never does. */
static void check_read_back(const struct scene *scene, const struct vyre_blob *blob)
{
	static const char *const never[] = {"launch", "frames", "queue"};
	struct vyre_blob_view view;
	vyre_blob_get_view(blob, &view);
	for (uint32_t i = 0; i < view.units[0].buffer_count; i++) {
		const char *name = vyre_blob_string(blob, view.buffers[i].name);
		bool comes = strcmp(scene->shape, "once-control") != 0 || !strcmp(name, "control");
		for (size_t k = 0; k < sizeof never / sizeof *never; k++)
			comes &= strcmp(name, never[k]) != 0;
		assert_int_equal(view.buffers[i].readback_first, 0);
		assert_int_equal(view.buffers[i].readback_bytes, comes ? UINT32_MAX : 0);
	}
}

static void every_shape_runs_on_the_cpu(void **state)
{
	static struct image image;
	struct vyrec_interp_buffer buffers[BUFFERS];
	(void)state;
	for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
		const struct scene *scene = &scenes[i];
		struct vyrec_pass_options passes = {0};
		struct vyrec_diags diags = {0};
		struct vyrec_shape shape;
		struct vyrec_module *set = read_set(scene);
		assert_true(vyrec_shape_find(scene->shape, &shape));
		shape.lanes = shape.slots = SLOTS;
		assert_true(vyrec_shape_options(&shape, &passes, &diags));
		const struct cpu_run_options options = {
		    .level = 2, .feed = passes.feed, .features = passes.features, .slots = passes.slots};
		struct cpu_run run;
		if (!cpu_run_open(&run, set, &options))
			fail_msg("%s: %s", scene->shape, run.message);
		check_read_back(scene, run.on.blob);
		for (uint32_t workgroups = 1; workgroups <= 3; workgroups++) {
			uint32_t fault[2];
			make_image(&image, scene, workgroups);
			bind(buffers, &image);
			for (int launch = 0; launch < (scene->between ? 2 : 1); launch++) {
				if (launch)
					scene->between(&image);
				if (!cpu_run_program(&run,
						     set->units[1].name ? vyrec_name_text(set, set->units[1].name) : "",
						     (const uint32_t[3]){workgroups, 1, 1}, buffers, BUFFERS, fault))
					fail_msg("%s: %s", scene->shape, run.message);
			}
			scene->check(&image);
		}
		cpu_run_close(&run);
		vyrec_module_destroy(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_shape_runs_in_the_interpreter),
	    cmocka_unit_test(every_shape_runs_on_the_cpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
