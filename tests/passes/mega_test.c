/* mega_test.c - assembled megakernels on the interpreter: the scheduler is IR like any other program. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/ring.h"

static const char set_text[] =
    "set demo {\n"
    "  buffer sums: u32[]\n"
    "  const TWO = 2.0\n"
    "  op add = 0x100 (value: u32, at: u32) by lane { atomic_add(sums[at], value) }\n"
    "  op echo = 0x101 (a: u64, b: f32, c: bool, d: i32) by lane {\n"
    "    result(0, a + u64(1))\n"
    "    result(2, b * TWO)\n"
    "    result(3, !c)\n"
    "    result(4, -d)\n"
    "  }\n"
    "  op fail = 0x102 (code: u32) by lane { trap(code) }\n"
    "  op about = 20 () by lane { result(0, slot); result(1, tenant); result(2, priority); result(3, opcode) }\n"
    "  op pick = 0x103 (n: u32) by lane { result(1, arg[n]); if n == 3 { return }; result(2, 77) }\n"
    "  op note = 0x104 (n: u32) by lane { for i in 0 .. n { log(5, i, n) } }\n"
    "  op scratch = 0x105 (x: u32) by lane {\n"
    "    shared s: u32[4]\n"
    "    let before = s[0]\n"
    "    s[0] = x\n"
    "    result(0, before)\n"
    "  }\n"
    "  op scratch_too = 0x107 () by lane { shared s: u32[4]; result(0, s[0]) }\n"
    "  op index = 0x106 (at: u32) by lane { result(0, sums[trap at]) }\n"
    "  op own = 0x40200005 (at: u32) by lane { atomic_add(sums[at], 1) }\n"
    "}\n";

enum { SLOTS = 16, OBSERVABLES = 32, SUMS = 8, MAX_WORKERS = 4 };

/* A ring in ordinary memory, as the loader would make it. */
struct rig {
	struct vyrec_module *module;
	uint32_t control[VYRE_CONTROL_MIN_WORDS + OBSERVABLES + VYRE_LIVE_WORDS + 32];
	uint32_t ring[SLOTS * VYRE_SLOT_WORDS], debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS];
	uint32_t launch[VYRE_LAUNCH_WORDS], sums[SUMS];
	uint32_t live; /* EXT_BASE */
	struct vyrec_interp_result result;
};

static void rig_open_text(struct rig *rig, const char *text, const struct vyrec_pass_options *options)
{
	struct vyrec_diags diags = {0};
	memset(rig, 0, sizeof *rig);
	rig->module = vyrec_parse("demo.vyre", text, strlen(text), &diags);
	if (!rig->module || !vyrec_verify(rig->module, &diags) ||
	    !vyrec_run_pipeline(rig->module, options, &diags, NULL)) {
		vyrec_diags_print(&diags, "demo.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	vyre_control_encode_live(rig->control, 3, OBSERVABLES, SLOTS);
	rig->live = rig->control[VYRE_CONTROL_EXT_BASE];
	rig->launch[VYRE_LAUNCH_WORKERS] = 1;
}

static void rig_open(struct rig *rig, unsigned feed, uint32_t first_position)
{
	rig_open_text(rig, set_text, &(struct vyrec_pass_options){.feed = feed, .one_lane = true, .level = 1});
	rig->control[rig->live + VYRE_LIVE_TAIL] = rig->control[rig->live + VYRE_LIVE_HEAD] = first_position;
	rig->control[rig->live + VYRE_LIVE_RETIRED] = rig->control[VYRE_CONTROL_DONE_COUNT] = first_position;
}

static void rig_close(struct rig *rig)
{
	vyrec_module_destroy(rig->module);
}

static uint32_t *live(struct rig *rig, unsigned word)
{
	return &rig->control[rig->live + word];
}

static uint32_t *slot_at(struct rig *rig, uint32_t position)
{
	return &rig->ring[position % SLOTS * VYRE_SLOT_WORDS];
}

/* Publishes at TAIL, as the loader does: STATUS, then TAIL. */
static uint32_t *publish(struct rig *rig, uint32_t opcode, uint32_t tenant, const uint32_t *args, unsigned count)
{
	uint32_t *words = slot_at(rig, (*live(rig, VYRE_LIVE_TAIL))++);
	memset(words, 0, VYRE_SLOT_BYTES);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_TENANT] = tenant;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_LOW;
	for (unsigned i = 0; i < count; i++)
		words[VYRE_SLOT_WORD_ARG0 + i] = args[i];
	words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	return words;
}

/* `count` of the buffers: a set without any of its own has five. */
static void run_buffers(struct rig *rig, uint32_t workers, uint64_t seed, uint32_t count)
{
	struct vyrec_interp_buffer buffers[] = {
	    {"control", rig->control, rig->live + VYRE_LIVE_WORDS},
	    {"ring_buffer", rig->ring, SLOTS * VYRE_SLOT_WORDS},
	    {"debug_log", rig->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", rig->io, VYRE_IO_WORDS},
	    {"launch", rig->launch, VYRE_LAUNCH_WORDS},
	    {"sums", rig->sums, SUMS},
	};
	struct vyrec_interp_options options = {.seed = seed, .step_limit = 5000000};
	const uint32_t workgroups[3] = {workers, 1, 1};
	rig->launch[VYRE_LAUNCH_WORKERS] = workers;
	vyrec_interp_program(rig->module, 1, workgroups, buffers, count, &options, &rig->result);
	if (rig->result.status != VYRE_OK)
		fail_msg("%s", rig->result.message);
}

static void run(struct rig *rig, uint32_t workers, uint64_t seed)
{
	run_buffers(rig, workers, seed, 6);
}

static void drain(struct rig *rig, uint32_t workers, uint64_t seed)
{
	*live(rig, VYRE_LIVE_STOP) = 1;
	run(rig, workers, seed);
	*live(rig, VYRE_LIVE_STOP) = 0;
}

/* ---- shape ---------------------------------------------------------------------------------------------------------------- */

static void count_opaque(void *user, struct vyrec_module *module, vyrec_stmt stmt)
{
	*(unsigned *)user += module->stmts[stmt].kind == VYREC_STMT_OPAQUE;
}

static void a_set_becomes_a_program(void **state)
{
	static const char *const names[] = {"control", "ring_buffer", "debug_log", "io_queue", "launch", "sums"};
	struct rig rig;
	unsigned opaque = 0, at = 0;
	const struct vyrec_walker walker = {count_opaque, NULL, &opaque};
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	const struct vyrec_unit_node *unit = &rig.module->units[1];
	assert_int_equal(rig.module->unit_count, 2);
	assert_int_equal(unit->kind, VYRE_UNIT_PROGRAM);
	assert_int_equal(unit->feed, VYRE_FEED_LIVE);
	assert_string_equal(vyrec_name_text(rig.module, unit->name), "demo");
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const uint32_t *item = &rig.module->refs[unit->items + 2 * i];
		assert_int_not_equal(item[0], VYREC_ITEM_FN);
		if (item[0] == VYREC_ITEM_BUFFER)
			assert_string_equal(vyrec_name_text(rig.module, rig.module->arrays[item[1]].name), names[at++]);
	}
	assert_int_equal(at, 6);
	vyrec_walk_block(rig.module, unit->body, &walker);
	assert_int_equal(opaque, 0);
	rig_close(&rig);
}

static void prints_and_parses(struct vyrec_module *program)
{
	size_t bytes, again_bytes;
	struct vyrec_diags diags = {0};
	char *text = vyrec_print(program, 0, &bytes);
	struct vyrec_module *module = vyrec_parse("again.vyre", text, bytes, &diags);
	bool verified = module && vyrec_verify(module, &diags);
	if (!verified)
		vyrec_diags_print(&diags, "again.vyre", text, bytes, stderr);
	assert_true(verified);
	char *again = vyrec_print(module, 0, &again_bytes);
	assert_string_equal(text, again);
	free(text);
	free(again);
	vyrec_module_destroy(module);
	vyrec_diags_finish(&diags);
}

static void the_program_prints_and_parses(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_SLOTS, 0);
	prints_and_parses(rig.module);
	rig_close(&rig);
}

/* Names of the template's buffers, fns and locals mean nothing in a set, unless they are buffers' there too. */
static void a_set_may_use_the_schedulers_names(void **state)
{
	static const char text[] = "set control {\n"
				   "  const BATCH = 7\n"
				   "  fn run_claimed(base: u32) -> u32 { return base + 1 }\n"
				   "  op ring_buffer = 0x100 (launch: u32, stop: u32) by lane {\n"
				   "    var control: u32[3]\n"
				   "    let slot_index = run_claimed(launch) * BATCH\n"
				   "    control[1] = slot_index\n"
				   "    result(0, control[1] + stop)\n"
				   "  }\n"
				   "}\n";
	struct rig rig;
	(void)state;
	rig_open_text(&rig, text, &(struct vyrec_pass_options){.one_lane = true, .audit = true});
	uint32_t *slot = publish(&rig, 0x100, 0, (uint32_t[]){4, 9}, 2);
	prints_and_parses(rig.module);
	*live(&rig, VYRE_LIVE_STOP) = 1;
	run_buffers(&rig, 1, 0, 5);
	assert_int_equal(slot[0], VYRE_SLOT_DONE);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], 44);
	rig_close(&rig);
}

/* ---- live ----------------------------------------------------------------------------------------------------------------- */

static void every_slot_runs_once(void **state)
{
	static const struct {
		uint32_t first, workers;
		uint64_t seed;
	} cases[] = {{0, 1, 0}, {0xFFFFFF00, 1, 7}, {0xFFFFFFFA, 3, 1}, {5, 4, 99}, {0xFFFFFFFF, 2, 3}};
	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct rig rig;
		rig_open(&rig, VYRE_FEED_LIVE, cases[c].first);
		for (unsigned i = 0; i < SLOTS; i++)
			publish(&rig, 0x100, i % 3, (uint32_t[]){1 + i, i % SUMS}, 2);
		drain(&rig, cases[c].workers, cases[c].seed);
		for (unsigned i = 0; i < SLOTS; i++)
			assert_int_equal(rig.ring[i * VYRE_SLOT_WORDS], VYRE_SLOT_DONE);
		for (unsigned i = 0; i < SUMS; i++)
			assert_int_equal(rig.sums[i], 2 * (1 + i) + SUMS);
		assert_int_equal(*live(&rig, VYRE_LIVE_RETIRED), cases[c].first + SLOTS);
		assert_int_equal(*live(&rig, VYRE_LIVE_HEAD), cases[c].first + SLOTS);
		assert_int_equal(rig.control[VYRE_CONTROL_DONE_COUNT], cases[c].first + SLOTS);
		assert_int_equal(*live(&rig, VYRE_LIVE_AWAY), 0);
		rig_close(&rig);
	}
}

static void arguments_and_results_keep_their_types(void **state)
{
	struct rig rig;
	float b = 1.5f, doubled;
	uint32_t args[5] = {0xFFFFFFFF, 4, 0, 1, (uint32_t)-9};
	(void)state;
	memcpy(&args[2], &b, sizeof b);
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	const uint32_t *echo = publish(&rig, 0x101, 0, args, 5) + VYRE_SLOT_WORD_ARG0;
	const uint32_t *about = publish(&rig, 20, 2, NULL, 0) + VYRE_SLOT_WORD_ARG0;
	const uint32_t *pick = publish(&rig, 0x103, 0, (uint32_t[]){2, 0, 55}, 3) + VYRE_SLOT_WORD_ARG0;
	const uint32_t *left = publish(&rig, 0x103, 0, (uint32_t[]){3, 0, 9, 66}, 4) + VYRE_SLOT_WORD_ARG0;
	const uint32_t *far = publish(&rig, 0x103, 0, (uint32_t[]){12, 1, 9, 66}, 4) + VYRE_SLOT_WORD_ARG0;
	drain(&rig, 1, 0);
	memcpy(&doubled, &echo[2], sizeof doubled);
	assert_int_equal(echo[0], 0);
	assert_int_equal(echo[1], 5);
	assert_true(doubled == 3.0f);
	assert_int_equal(echo[3], 0);
	assert_int_equal(echo[4], 9);
	assert_int_equal(about[0], 1);
	assert_int_equal(about[1], 2);
	assert_int_equal(about[2], VYRE_PRIORITY_LOW);
	assert_int_equal(about[3], 20);
	assert_int_equal(rig.control[VYRE_CONTROL_METRICS + 20], 1);
	assert_int_equal(pick[1], 55);
	assert_int_equal(pick[2], 77);
	assert_int_equal(left[1], 66); /* and returned before result(2, ...) */
	assert_int_equal(left[2], 9);
	assert_int_equal(far[1], 0);
	rig_close(&rig);
}

static void a_fault_stays_in_its_slot(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	const uint32_t *trapped = publish(&rig, 0x102, 0, (uint32_t[]){42}, 1);
	const uint32_t *unknown = publish(&rig, 0x999, 0, NULL, 0);
	const uint32_t *tenant = publish(&rig, 0x100, 3, (uint32_t[]){1, 0}, 2);
	const uint32_t *huge = publish(&rig, 0x100, 0xFFFFFFFF, (uint32_t[]){1, 0}, 2);
	const uint32_t *outside = publish(&rig, 0x106, 0, (uint32_t[]){SUMS}, 1);
	const uint32_t *fine = publish(&rig, 0x100, 0, (uint32_t[]){8, 1}, 2);
	const struct {
		const uint32_t *slot;
		uint32_t code, detail;
	} want[] = {{trapped, VYRE_FAULT_TRAP, 42},
		    {unknown, VYRE_FAULT_UNKNOWN_OPCODE, 0x999},
		    {tenant, VYRE_FAULT_TENANT, 3},
		    {huge, VYRE_FAULT_TENANT, 0xFFFFFFFF},
		    {outside, VYRE_FAULT_OUT_OF_RANGE, SUMS}};
	drain(&rig, 1, 0);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		assert_int_equal(want[i].slot[0], VYRE_SLOT_FAULT);
		assert_int_equal(want[i].slot[VYRE_SLOT_WORD_ARG0], want[i].code);
		assert_int_equal(want[i].slot[VYRE_SLOT_WORD_ARG0 + 1], want[i].detail);
	}
	assert_int_equal(fine[0], VYRE_SLOT_DONE);
	assert_int_equal(rig.sums[0], 0);
	assert_int_equal(rig.sums[1], 8);
	assert_int_equal(rig.control[VYRE_CONTROL_FAULT_COUNT], 5);
	assert_int_equal(rig.control[VYRE_CONTROL_LAST_FAULT_SLOT], 4);
	assert_int_equal(rig.control[VYRE_CONTROL_LAST_FAULT_CODE], VYRE_FAULT_OUT_OF_RANGE);
	assert_int_equal(*live(&rig, VYRE_LIVE_RETIRED), 6);
	rig_close(&rig);
}

/* 0x40000000 + id * 2^20 and the opcodes behind it are tenant id's, with a handler or without. */
static void a_window_is_its_tenants_alone(void **state)
{
	static const struct {
		uint32_t opcode, tenant, code, detail;
	} cases[] = {{0x40200005, 2, VYRE_FAULT_NONE, 0},
		     {0x40200005, 1, VYRE_FAULT_TENANT, 1},
		     {0x40200006, 2, VYRE_FAULT_UNKNOWN_OPCODE, 0x40200006},
		     {0x40200006, 0, VYRE_FAULT_TENANT, 0},
		     {0x401FFFFF, 2, VYRE_FAULT_TENANT, 2},
		     {0x401FFFFF, 1, VYRE_FAULT_UNKNOWN_OPCODE, 0x401FFFFF},
		     {0x40000000, 1, VYRE_FAULT_TENANT, 1},
		     {0x3FFFFFFF, 1, VYRE_FAULT_UNKNOWN_OPCODE, 0x3FFFFFFF},
		     {0x7FFFFFFF, 2, VYRE_FAULT_TENANT, 2},
		     {0x80000000, 2, VYRE_FAULT_UNKNOWN_OPCODE, 0x80000000}};
	struct rig rig;
	const uint32_t *slots[sizeof cases / sizeof *cases];
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		slots[i] = publish(&rig, cases[i].opcode, cases[i].tenant, (uint32_t[]){3}, 1);
	drain(&rig, 1, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(slots[i][0], cases[i].code ? VYRE_SLOT_FAULT : VYRE_SLOT_DONE);
		assert_int_equal(slots[i][VYRE_SLOT_WORD_ARG0], cases[i].code ? cases[i].code : 3);
		assert_int_equal(slots[i][VYRE_SLOT_WORD_ARG0 + 1], cases[i].detail);
	}
	assert_int_equal(rig.sums[3], 1);
	rig_close(&rig);
}

static void a_masked_tenant_waits_and_delays_nobody(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0xFFFFFFFE);
	rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
	uint32_t *masked = publish(&rig, 0x100, 1, (uint32_t[]){1, 0}, 2);
	for (unsigned i = 0; i < 5; i++)
		publish(&rig, 0x100, 2, (uint32_t[]){1, 1}, 2);
	drain(&rig, 2, 11);
	assert_int_equal(masked[0], VYRE_SLOT_REQUEUE);
	assert_int_equal(*live(&rig, VYRE_LIVE_PARKED), 1);
	assert_int_equal(rig.sums[0], 0);
	assert_int_equal(rig.sums[1], 5);
	assert_int_equal(*live(&rig, VYRE_LIVE_RETIRED), 0xFFFFFFFEu + 5);

	drain(&rig, 2, 12); /* still masked: looked at again, still there */
	assert_int_equal(masked[0], VYRE_SLOT_REQUEUE);
	rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
	(*live(&rig, VYRE_LIVE_CONFIG_EPOCH))++;
	drain(&rig, 2, 13);
	assert_int_equal(masked[0], VYRE_SLOT_DONE);
	assert_int_equal(rig.sums[0], 1);
	assert_int_equal(*live(&rig, VYRE_LIVE_PARKED), 0);
	rig_close(&rig);
}

static void a_lone_slot_runs_before_tail_moves(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	publish(&rig, 0x100, 0, (uint32_t[]){3, 0}, 2);
	*live(&rig, VYRE_LIVE_TAIL) = 0; /* the publisher has stored STATUS, not yet TAIL */
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 3;
	run(&rig, 1, 0);
	assert_int_equal(rig.sums[0], 3);
	assert_int_equal(*live(&rig, VYRE_LIVE_HEAD), 0); /* HEAD never passes TAIL */
	*live(&rig, VYRE_LIVE_TAIL) = 1;
	run(&rig, 1, 0);
	assert_int_equal(rig.sums[0], 3);
	assert_int_equal(*live(&rig, VYRE_LIVE_HEAD), 1);
	assert_int_equal(*live(&rig, VYRE_LIVE_RETIRED), 1);
	rig_close(&rig);
}

static void it_leaves_when_told_or_idle(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = 50;
	publish(&rig, 0x100, 0, (uint32_t[]){3, 0}, 2);
	run(&rig, 1, 0);
	assert_int_equal(rig.sums[0], 3);
	assert_int_equal(rig.launch[VYRE_LAUNCH_LEFT], 1);
	assert_int_equal(*live(&rig, VYRE_LIVE_AWAY), 1);

	*live(&rig, VYRE_LIVE_AWAY) = 0;
	*live(&rig, VYRE_LIVE_NOTIFY) = 1; /* somebody sleeps: return after the batch, not for idleness */
	publish(&rig, 0x100, 0, (uint32_t[]){3, 0}, 2);
	run(&rig, 1, 0);
	assert_int_equal(rig.sums[0], 6);
	assert_int_equal(rig.launch[VYRE_LAUNCH_LEFT], 0);
	assert_int_equal(*live(&rig, VYRE_LIVE_AWAY), 0);

	publish(&rig, 0x100, 0, (uint32_t[]){3, 0}, 2);
	*live(&rig, VYRE_LIVE_STOP) = 2;
	run(&rig, 1, 0);
	assert_int_equal(rig.sums[0], 6);
	*live(&rig, VYRE_LIVE_STOP) = 0;
	rig.control[VYRE_CONTROL_SHUTDOWN] = 1;
	run(&rig, 1, 0);
	assert_int_equal(rig.sums[0], 6);
	rig_close(&rig);
}

static void logs_stop_at_the_end_of_the_log(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	publish(&rig, 0x104, 0, (uint32_t[]){2}, 1);
	publish(&rig, 0x104, 0, (uint32_t[]){70}, 1);
	drain(&rig, 1, 0);
	assert_int_equal(rig.debug[0], VYRE_DEBUG_RECORDS * VYRE_DEBUG_RECORD_WORDS);
	assert_memory_equal(rig.debug + 5, ((uint32_t[]){5, 1, 2, 0}), 16);
	assert_memory_equal(rig.debug + 9, ((uint32_t[]){5, 0, 70, 16}), 16);
	assert_memory_equal(rig.debug + VYRE_DEBUG_WORDS - 4, ((uint32_t[]){5, 61, 70, 16}), 16);
	assert_int_equal(rig.control[VYRE_CONTROL_DEBUG_DROPPED], 72 - VYRE_DEBUG_RECORDS);
	rig_close(&rig);
}

static void shared_memory_starts_at_zero_for_every_slot(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_LIVE, 0);
	publish(&rig, 0x105, 0, (uint32_t[]){9}, 1);
	const uint32_t *second = publish(&rig, 0x105, 0, (uint32_t[]){8}, 1);
	const uint32_t *other = publish(&rig, 0x107, 0, (uint32_t[]){7}, 1);
	drain(&rig, 1, 0);
	assert_int_equal(second[VYRE_SLOT_WORD_ARG0], 0);
	assert_int_equal(other[VYRE_SLOT_WORD_ARG0], 0);
	rig_close(&rig);
}

static void wrong_control_words_do_nothing(void **state)
{
	static const struct {
		unsigned word;
		uint32_t value;
	} wrong[] = {{VYRE_CONTROL_RING_SLOTS, 0},	   {VYRE_CONTROL_RING_SLOTS, 12},
		     {VYRE_CONTROL_RING_SLOTS, SLOTS * 2}, {VYRE_CONTROL_EXT_BASE, 0},
		     {VYRE_CONTROL_EXT_BASE, 0xFFFFFFE0},  {VYRE_CONTROL_EXT_BASE, 224}};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct rig rig;
		rig_open(&rig, VYRE_FEED_LIVE, 0);
		publish(&rig, 0x100, 0, (uint32_t[]){3, 0}, 2);
		rig.control[wrong[i].word] = wrong[i].value;
		run(&rig, 1, 0);
		assert_int_equal(rig.sums[0], 0);
		rig_close(&rig);
	}
}

/* ---- slots ---------------------------------------------------------------------------------------------------------------- */

static void slots_runs_an_ancestors_ring_once(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, VYRE_FEED_SLOTS, 0);
	memset(rig.control, 0, sizeof rig.control); /* what vyre 0.6 encodes: no words of ours */
	rig.control[VYRE_CONTROL_TENANT_BASE] = VYRE_CONTROL_TENANT_MASK;
	for (unsigned i = 0; i < 2; i++)
		rig.control[VYRE_CONTROL_TENANT_MASK + i] = 0xFFFFFFFF;
	for (unsigned i = 0; i < SLOTS; i++) {
		uint32_t *words = slot_at(&rig, i);
		words[VYRE_SLOT_WORD_OPCODE] = 0x100;
		words[VYRE_SLOT_WORD_TENANT] = i == 3 ? 5 : i == 4 ? 29 : i & 1;
		words[VYRE_SLOT_WORD_ARG0] = 1;
		words[VYRE_SLOT_WORD_STATUS] = i == 7 ? VYRE_SLOT_EMPTY : VYRE_SLOT_PUBLISHED;
	}
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 1;
	run(&rig, 3, 5);
	assert_int_equal(rig.sums[0], SLOTS - 3);
	assert_int_equal(slot_at(&rig, 3)[0], VYRE_SLOT_PUBLISHED); /* masked: waits */
	assert_int_equal(slot_at(&rig, 4)[0], VYRE_SLOT_FAULT);	    /* there are 29 masks */
	assert_int_equal(slot_at(&rig, 7)[0], VYRE_SLOT_EMPTY);
	assert_int_equal(rig.control[VYRE_CONTROL_DONE_COUNT], SLOTS - 2);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_set_becomes_a_program),
	    cmocka_unit_test(the_program_prints_and_parses),
	    cmocka_unit_test(every_slot_runs_once),
	    cmocka_unit_test(arguments_and_results_keep_their_types),
	    cmocka_unit_test(a_fault_stays_in_its_slot),
	    cmocka_unit_test(a_window_is_its_tenants_alone),
	    cmocka_unit_test(a_set_may_use_the_schedulers_names),
	    cmocka_unit_test(a_masked_tenant_waits_and_delays_nobody),
	    cmocka_unit_test(a_lone_slot_runs_before_tail_moves),
	    cmocka_unit_test(it_leaves_when_told_or_idle),
	    cmocka_unit_test(logs_stop_at_the_end_of_the_log),
	    cmocka_unit_test(shared_memory_starts_at_zero_for_every_slot),
	    cmocka_unit_test(wrong_control_words_do_nothing),
	    cmocka_unit_test(slots_runs_an_ancestors_ring_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
