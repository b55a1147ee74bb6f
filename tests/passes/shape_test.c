/* shape_test.c - the table of shapes: numbers, what sets must be, templates, rounds for larger programs. */
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
#include "runtime/abi/queue.h"
#include "runtime/abi/ring.h"

static struct vyrec_module *parse(const char *text)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("shape.vyre", text, strlen(text), &diags);
	if (!m || !vyrec_verify(m, &diags)) {
		vyrec_diags_print(&diags, "shape.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	return m;
}

/* Builds, and returns the first message; "" when it was built. */
static const char *why_not(const char *name, uint32_t lanes, uint32_t slots, const char *text)
{
	static char message[512];
	struct vyrec_pass_options options = {0};
	struct vyrec_diags diags = {0};
	struct vyrec_shape shape;
	struct vyrec_module *set = text ? parse(text) : NULL, *built;
	assert_true(vyrec_shape_find(name, &shape));
	shape.lanes = lanes;
	shape.slots = slots;
	built = vyrec_shape_build(&shape, set, &options, &diags);
	snprintf(message, sizeof message, "%s", built ? "" : diags.items[0].message);
	vyrec_diags_finish(&diags);
	if (built)
		vyrec_module_destroy(built);
	if (set)
		vyrec_module_destroy(set);
	return message;
}

#define assert_says(message, part) \
	do { \
		const char *said = message; \
		if (!strstr(said, part)) \
			fail_msg("\"%s\" does not say \"%s\"", said, part); \
	} while (0)

static const char one_op[] = "set one { op run = 0x100 (a: u32) by lane { result(0, a + 1) } }\n";
static const char two_ops[] = "set two { op a = 0x100 () by lane { }\n op b = 0x101 () by lane { } }\n";

static void numbers_that_do_not_fit_are_refused(void **state)
{
	struct vyrec_shape shape;
	(void)state;
	assert_false(vyrec_shape_find("nothing", &shape));
	assert_string_equal(why_not("sharded-slots", 1, 1, one_op), "");
	assert_says(why_not("default", 0, 0, NULL), "0 lanes; a workgroup has 1 to 1024");
	assert_says(why_not("default", 1025, 0, NULL), "1025 lanes");
	assert_says(why_not("sharded-slots", 256, VYRE_MAX_SLOTS + 1, one_op), "1048577 slots");
	assert_says(why_not("sharded", 256, 128, one_op), "a slot for every lane, not 128 slots for 256 lanes");
	assert_string_equal(why_not("sharded", 128, 128, one_op), "");
}

static void sets_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	assert_says(why_not("default", 256, 0, one_op), "set `one` has 1 ops");
	assert_says(why_not("jit", 256, 0, two_ops), "set `two` has 2 ops; shape jit runs exactly one");
	assert_says(why_not("workspace", 256, 0, one_op), "no fn workspace_bootstrap()");
	assert_says(why_not("fixpoint", 256, 0, one_op), "declare the buffers `current` and `next`");
	assert_says(why_not("sharded", 256, 0, "program p workgroup(1) { body { } }\n"), "no set here");
}

/* ---- what each shape is --------------------------------------------------------------------------------------------- */

/* "control[160] ring_buffer[4096] ..." */
static const char *buffers_of(const struct vyrec_module *m, vyrec_unit unit)
{
	static char text[512];
	size_t at = 0;
	text[0] = 0;
	for (uint32_t i = 0; i < m->units[unit].item_count; i++) {
		const uint32_t *item = &m->refs[m->units[unit].items + 2 * i];
		if (item[0] == VYREC_ITEM_BUFFER)
			at += (size_t)snprintf(text + at, sizeof text - at, "%s%s[%u]", at ? " " : "",
					       vyrec_name_text(m, m->arrays[item[1]].name), m->arrays[item[1]].count);
	}
	return text;
}

#define RING(slots) "control[160] ring_buffer[" slots "] debug_log[257] io_queue[512] launch[8]"
#define FRAMES	    " frames[0]"
static const struct pin {
	const char *shape, *set;
	unsigned feed, lanes;
	unsigned has, lacks; /* features */
	const char *buffers;
	/* Opcodes that the kernel knows: the ops and ten built-ins. DFA_STEP needs a table, LOAD_MISS a host, and a
	 * BATCH_FENCE has no meaning in `priority`. */
	unsigned cases;
} pins[] = {
    {"default", NULL, VYRE_FEED_SLOTS, 256, VYRE_HAS_BUILTINS, VYRE_HAS_ONCE | VYRE_HAS_RECORDS, RING("4096"), 10},
    {"sharded", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS, VYRE_HAS_ONCE, RING("1024"), 11},
    {"sharded-slots", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS, VYRE_HAS_ONCE, RING("8000"), 11},
    {"once", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS | VYRE_HAS_ONCE, VYRE_HAS_CONTROL_REPORT, RING("8000"), 11},
    {"once-control", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS | VYRE_HAS_ONCE | VYRE_HAS_CONTROL_REPORT, 0,
     RING("8000"), 11},
    {"no-io", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS, VYRE_HAS_IO | VYRE_HAS_SERVICE, RING("1024"), 11},
    {"io-service", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS | VYRE_HAS_SERVICE, VYRE_HAS_IO,
     RING("1024") " io_source[0] io_destination[0] io_table[0]", 11},
    {"miss", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS | VYRE_HAS_IO | VYRE_HAS_RECORDS, VYRE_HAS_SERVICE,
     RING("8000") FRAMES, 12},
    {"workspace",
     "set w { buffer space: u32[]\n fn workspace_bootstrap() { space[0] = 1 } op run = 0x100 () by lane { } }\n",
     VYRE_FEED_SLOTS, 64, VYRE_HAS_BUILTINS, VYRE_HAS_ONCE, RING("8000") " space[0]", 11},
    {"jit", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_FUSED, VYRE_HAS_BUILTINS, RING("1024"), 0},
    {"jit-slots", one_op, VYRE_FEED_SLOTS, 64, VYRE_HAS_FUSED, VYRE_HAS_BUILTINS, RING("8000"), 0},
    {"priority", one_op, VYRE_FEED_PRIORITY, 64, VYRE_HAS_BUILTINS | VYRE_HAS_RECORDS, 0, RING("1024") FRAMES, 10},
    {"priority-slots", one_op, VYRE_FEED_PRIORITY, 64, VYRE_HAS_BUILTINS | VYRE_HAS_RECORDS, 0, RING("8000") FRAMES,
     10},
    {"tasks", one_op, VYRE_FEED_TASKS, 64, VYRE_HAS_RECORDS, VYRE_HAS_BUILTINS, RING("8000") FRAMES, 1},
    {"live", one_op, VYRE_FEED_LIVE, 1, VYRE_HAS_BUILTINS | VYRE_HAS_RECORDS | VYRE_HAS_QUEUE, 0,
     "control[0] ring_buffer[0] debug_log[0] io_queue[0] launch[8] frames[0] queue[0]", 11},
    {"fixpoint",
     "set f { buffer current: u32[]\n buffer next: u32[]\n op step = 0x100 (i: u32) by lane { next[i] = current[i] } "
     "}\n",
     VYRE_FEED_FIXPOINT, 64, 0, VYRE_HAS_BUILTINS, "changed[2] report[8] launch[8] current[0] next[0]", 0},
};

/* The cases of the widest switch: what a slot's opcode chooses from. And is there a loop that only the kernel's own
 * limits end, around it? */
struct flow {
	unsigned cases, loops;
};

static void count_flow(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct flow *flow = user;
	if (m->stmts[s].kind == VYREC_STMT_SWITCH && m->stmts[s].count > flow->cases)
		flow->cases = m->stmts[s].count;
	flow->loops += m->stmts[s].kind == VYREC_STMT_LOOP;
}

static void every_shape_is_what_its_row_says(void **state)
{
	(void)state;
	assert_int_equal(sizeof pins / sizeof *pins, VYREC_SHAPE_COUNT);
	for (size_t i = 0; i < sizeof pins / sizeof *pins; i++) {
		struct vyrec_pass_options options = {.level = 1};
		struct vyrec_diags diags = {0};
		struct vyrec_shape shape;
		struct vyrec_module *set = pins[i].set ? parse(pins[i].set) : NULL;
		assert_true(vyrec_shape_find(pins[i].shape, &shape));
		assert_int_equal(shape.id, i); /* in the order of the table, none left out */
		assert_int_equal(shape.lanes, 256);
		shape.lanes = set ? 64 : 256;
		shape.slots = strstr(pins[i].buffers, "8000") ? 500 : 0;
		struct vyrec_module *m = vyrec_shape_build(&shape, set, &options, &diags);
		if (!m) {
			vyrec_diags_print(&diags, pins[i].shape, NULL, 0, stderr);
			fail();
		}
		const struct vyrec_unit_node *unit = &m->units[1];
		assert_int_equal(m->unit_count, 2);
		assert_int_equal(unit->kind, VYRE_UNIT_PROGRAM);
		assert_int_equal(unit->feed, pins[i].feed);
		assert_int_equal(unit->workgroup[0], pins[i].lanes);
		assert_int_equal(unit->features & pins[i].has, pins[i].has);
		assert_int_equal(unit->features & pins[i].lacks, 0);
		assert_string_equal(buffers_of(m, 1), pins[i].buffers);
		struct flow flow = {0};
		const struct vyrec_walker walker = {count_flow, NULL, &flow};
		vyrec_walk_block(m, unit->body, &walker);
		if (flow.cases != pins[i].cases)
			fail_msg("%s: %u cases, not %u", pins[i].shape, flow.cases, pins[i].cases);
		assert_true(flow.loops >= 1);
		vyrec_diags_finish(&diags);
		vyrec_module_destroy(m);
		if (set)
			vyrec_module_destroy(set);
	}
}

/* ---- templates -------------------------------------------------------------------------------------------------------- */

static const struct vyrec_template *template_of(uint32_t lanes)
{
	struct vyrec_pass_options options = {.level = 1};
	struct vyrec_diags diags = {0};
	struct vyrec_shape shape;
	assert_true(vyrec_shape_find("default", &shape));
	shape.lanes = lanes;
	const struct vyrec_template *template = vyrec_template_get(&shape, &options, &diags);
	assert_non_null(template);
	assert_int_equal(template->module->units[1].workgroup[0], lanes);
	return template;
}

static void templates_are_built_once_and_the_oldest_goes(void **state)
{
	unsigned kept;
	uint64_t built;
	(void)state;
	const struct vyrec_template *first = template_of(1), *second = template_of(2);
	assert_ptr_not_equal(first, second);
	const struct vyrec_template *again = template_of(1);
	assert_ptr_equal(first, again);
	vyrec_template_unref(again);
	for (uint32_t lanes = 3; lanes <= VYREC_TEMPLATES_KEPT; lanes++)
		vyrec_template_unref(template_of(lanes));
	vyrec_template_count(&kept, &built);
	assert_int_equal(kept, VYREC_TEMPLATES_KEPT);
	assert_int_equal(built, VYREC_TEMPLATES_KEPT);
	vyrec_template_unref(template_of(1)); /* used again: 2 is the oldest now */
	vyrec_template_unref(template_of(VYREC_TEMPLATES_KEPT + 1));
	vyrec_template_count(&kept, &built);
	assert_int_equal(kept, VYREC_TEMPLATES_KEPT);
	assert_int_equal(built, VYREC_TEMPLATES_KEPT + 1);
	vyrec_template_unref(template_of(1)); /* still there */
	vyrec_template_count(&kept, &built);
	assert_int_equal(built, VYREC_TEMPLATES_KEPT + 1);
	again = template_of(2); /* had to go, though we hold the first one of it still */
	vyrec_template_count(&kept, &built);
	assert_int_equal(built, VYREC_TEMPLATES_KEPT + 2);
	assert_ptr_not_equal(again, second);
	assert_int_equal(second->module->units[1].workgroup[0], 2);
	vyrec_template_unref(again);
	vyrec_template_unref(second);
	vyrec_template_unref(first);
}

/* ---- one round in a larger program ---------------------------------------------------------------------------------------- */

static const char host_program[] =
    "program host workgroup(1) {\n"
    "  buffer ring_buffer: live u32[]\n"
    "  buffer rounds: u32[1]\n"
    "  body {\n"
    "    for i in 0 .. 3 {\n"
    "      opaque \"vyre.round\" \"\"\n"
    "      rounds[0] = rounds[0] + 1\n"
    "      if i == 0 { atomic_store(ring_buffer[16], 1) }\n" /* publishes slot 1 after the first round */
    "    }\n"
    "  }\n"
    "}\n";

static bool splice(struct vyrec_module *program, const char *shape_name, const char *set_text,
		   struct vyrec_diags *diags)
{
	struct vyrec_pass_options options = {.level = 1, .one_lane = true};
	struct vyrec_shape shape;
	struct vyrec_module *set = parse(set_text);
	assert_true(vyrec_shape_find(shape_name, &shape));
	bool fine = vyrec_splice_round(program, 1, &shape, set, &options, diags);
	vyrec_module_destroy(set);
	return fine;
}

static void a_round_is_part_of_a_program(void **state)
{
	static const char *const shapes[] = {"sharded-slots", "jit-slots", "priority-slots"};
	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		uint32_t control[VYRE_CONTROL_MIN_WORDS + VYRE_LIVE_WORDS + 64] = {0},
									    ring[256 * VYRE_SLOT_WORDS] = {0};
		uint32_t debug[VYRE_DEBUG_WORDS] = {0}, io[VYRE_IO_WORDS] = {0}, launch[VYRE_LAUNCH_WORDS] = {0};
		uint32_t rounds[1] = {0};
		static uint32_t frames[8192];
		struct vyrec_diags diags = {0};
		struct vyrec_module *m = parse(host_program);
		memset(frames, 0, sizeof frames);
		if (!splice(m, shapes[i], one_op, &diags) || !vyrec_verify(m, &diags)) {
			vyrec_diags_print(&diags, shapes[i], NULL, 0, stderr);
			fail();
		}
		vyre_control_encode_live(control, 1, 0, 256);
		vyre_frames_encode(frames, 256, 0, 0);
		for (unsigned s = 0; s < 2; s++) {
			ring[s * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_OPCODE] = 0x100;
			ring[s * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0] = 40 + s;
		}
		ring[0] = VYRE_SLOT_PUBLISHED;
		const struct vyrec_interp_buffer buffers[] = {
		    {"control", control, sizeof control / 4},
		    {"ring_buffer", ring, sizeof ring / 4},
		    {"debug_log", debug, VYRE_DEBUG_WORDS},
		    {"io_queue", io, VYRE_IO_WORDS},
		    {"launch", launch, VYRE_LAUNCH_WORDS},
		    {"rounds", rounds, 1},
		    {"frames", frames, 8192},
		};
		struct vyrec_interp_options options = {0};
		struct vyrec_interp_result result;
		vyrec_interp_program(m, 1, (const uint32_t[3]){1, 1, 1}, buffers, sizeof buffers / sizeof *buffers,
				     &options, &result);
		assert_int_equal(result.status, VYRE_OK);
		assert_int_equal(rounds[0], 3);
		for (unsigned s = 0; s < 2; s++) {
			assert_int_equal(ring[s * VYRE_SLOT_WORDS], VYRE_SLOT_DONE);
			assert_int_equal(ring[s * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0], 41 + s);
		}
		assert_int_equal(control[VYRE_CONTROL_DONE_COUNT], 2);
		vyrec_diags_finish(&diags);
		vyrec_module_destroy(m);
	}
}

static void a_program_must_have_one_place_for_it(void **state)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = parse("program p workgroup(1) { body { } }\n");
	(void)state;
	assert_false(splice(m, "sharded-slots", one_op, &diags));
	assert_says(diags.items[0].message, "0 times; say it once");
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);

	m = parse("program p workgroup(1) { buffer ring_buffer: u32[]\n body { opaque \"vyre.round\" \"\" } }\n");
	diags = (struct vyrec_diags){0};
	assert_false(splice(m, "sharded-slots", one_op, &diags));
	assert_says(diags.items[0].message, "buffer `ring_buffer` is another kind of buffer");
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_that_do_not_fit_are_refused),
	    cmocka_unit_test(sets_that_do_not_fit_are_refused),
	    cmocka_unit_test(every_shape_is_what_its_row_says),
	    cmocka_unit_test(templates_are_built_once_and_the_oldest_goes),
	    cmocka_unit_test(a_round_is_part_of_a_program),
	    cmocka_unit_test(a_program_must_have_one_place_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
