/* spawn_test.c - slots that slots spawn, in the interpreter: room and the lack of it, joins, who retires before whom, and
 * what the race detector takes from it. The corpus (tests/conformance/interp) has the same from the outside. */
#include <stdlib.h>

#include "tests/ir/interp_rig.h"

enum { SEEDS = 25, OUT = 64 };

/* Opens a set whose `out` is a buffer of OUT zeros; ends the run's memory with it. */
struct spawn_rig {
	struct rig rig;
	uint32_t out[OUT];
};

static void open_rig(struct spawn_rig *r, const char *text, uint64_t seed, uint32_t workers, uint32_t spawn_limit)
{
	*r = (struct spawn_rig){.rig = rig_parse(text)};
	rig_buffer(&r->rig, "out", r->out, OUT);
	r->rig.options.seed = seed;
	r->rig.options.workers = workers;
	r->rig.options.spawn_limit = spawn_limit;
	r->rig.options.lanes = 3;
}

/* For every seed, worker count and room that a test names. */
#define EACH_RUN(seed, workers, limit, ...) \
	for (uint64_t seed = 0; seed < SEEDS; seed++) \
		for (uint32_t workers = 1; workers < 5; workers++) \
			for (uint32_t limits[] = {__VA_ARGS__, UINT32_MAX}, *limit = limits; *limit != UINT32_MAX; \
			     limit++)

/* ---- room -------------------------------------------------------------------------------------------------- */

static void trees(void **state)
{
	(void)state;
	static const char text[] =
	    SET(" op tree = 0x100 (depth: u32, big: u64) by lane {\n atomic_add(out[depth], u32(big >> 32))\n"
		" if depth > 0 {\n spawn(tree, depth - 1, big)\n spawn(tree, depth - 1, big)\n }\n }\n");
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct spawn_rig r;
		open_rig(&r, text, seed, 1 + seed % 3, 0);
		rig_slot(&r.rig, 0x100, 4, 0, 2);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(r.rig.result.spawned, 30);
		assert_int_equal(r.rig.result.faults, 0);
		for (uint32_t d = 0; d <= 4; d++)
			assert_int_equal(r.out[d], 2 * (16 >> d));
		rig_close(&r.rig);
	}
}

/* Without an else the spawner faults; with one it goes on; what was spawned runs either way. */
static void no_room(void **state)
{
	(void)state;
	static const char text[] = SET(" op flood = 0x101 (n: u32) by lane {\n for i in 0 .. n { spawn(leaf, i) }\n }\n"
				       " op leaf = 0x102 (i: u32) by lane { out[9] = out[9] + 1 }\n"
				       " op careful = 0x103 (n: u32) by lane {\n var full: u32 = 0\n"
				       " for i in 0 .. n { spawn(leaf, i) else { full = full + 1\n if full == 3 { "
				       "break } } }\n result(0, full)\n }");
	struct spawn_rig r;
	open_rig(&r, text, 0, 1, 0);
	r.rig.options.detect_races = false;
	uint32_t *flood = rig_slot(&r.rig, 0x101, 70000, 0, 0);
	rig_slots(&r.rig);
	ASSERT_OK(r.rig);
	assert_int_equal(flood[0], VYRE_SLOT_FAULT);
	assert_int_equal(flood[4], VYRE_FAULT_NO_SPACE);
	assert_int_equal(flood[5], 0x102);
	assert_int_equal(r.rig.result.spawned, 65536);
	assert_int_equal(r.rig.result.faults, 1);
	assert_int_equal(r.out[9], 65536);
	rig_close(&r.rig);
	for (uint32_t limit = 1; limit < 20; limit++) {
		open_rig(&r, text, 0, 1, limit);
		r.rig.options.detect_races = false;
		uint32_t *careful = rig_slot(&r.rig, 0x103, 12, 0, 0);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(careful[0], VYRE_SLOT_DONE);
		assert_int_equal(careful[4], limit >= 12 ? 0 : limit >= 10 ? 12 - limit : 3);
		assert_int_equal(r.out[9], limit < 12 ? limit : 12);
		rig_close(&r.rig);
	}
}

/* A spawn that found no room leaves nothing of its arguments behind for the next one. */
static void arguments_are_fresh(void **state)
{
	(void)state;
	static const char text[] = SET(
	    " op top = 0x100 () by lane {\n spawn(three, 1, 2, 3)\n spawn(three, 4, 5, 6) else { out[8] = 1 }\n join\n"
	    " spawn(one, 7)\n }\n"
	    " op three = 0x101 (a: u32, b: u32, c: u32) by lane { out[0] = a + b + c }\n"
	    " op one = 0x102 (a: u32) by lane {\n out[1] = a\n out[2] = arg[1]\n out[3] = arg[2]\n }");
	struct spawn_rig r;
	open_rig(&r, text, 0, 1, 1);
	rig_slot(&r.rig, 0x100, 0, 0, 0);
	rig_slots(&r.rig);
	ASSERT_OK(r.rig);
	assert_int_equal(r.out[0], 6);
	assert_int_equal(r.out[8], 1);
	assert_int_equal(r.out[1], 7);
	assert_int_equal(r.out[2], 0);
	assert_int_equal(r.out[3], 0);
	rig_close(&r.rig);
}

/* A spawned slot has its spawner's tenant and priority, and an index behind the ring's, below the room. */
static void what_a_spawned_slot_is(void **state)
{
	(void)state;
	static const char text[] = SET(
	    " op top = 0x100 (n: u32) by lane {\n for i in 0 .. n {\n spawn(child, i)\n if i % 2 == 1 { join }\n }\n "
	    "}\n op child = 0x101 (i: u32) by lane {\n atomic_max(out[0], slot)\n atomic_or(out[1], 1 << slot)\n"
	    " out[4 + 3 * i] = tenant\n out[5 + 3 * i] = priority\n out[6 + 3 * i] = opcode\n }");
	EACH_RUN(seed, workers, limit, 2, 5)
	{
		struct spawn_rig r;
		open_rig(&r, text, seed, workers, *limit);
		rig_slot(&r.rig, 0x100, 0, 0, 0);
		rig_slot(&r.rig, 0x100, 8, 0, 0)[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_HIGH;
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_true(r.out[0] >= 2 && r.out[0] < 2 + *limit);
		assert_int_equal(r.out[1] & 3, 0);
		for (uint32_t i = 0; i < 8; i++) {
			assert_int_equal(r.out[4 + 3 * i], 3);
			assert_int_equal(r.out[5 + 3 * i], VYRE_PRIORITY_HIGH);
			assert_int_equal(r.out[6 + 3 * i], 0x101);
		}
		rig_close(&r.rig);
	}
}

/* ---- joins ------------------------------------------------------------------------------------------------- */

/* Plain accesses on both sides of each join: the results are right, and nothing races. */
static void joins_order(void **state)
{
	(void)state;
	static const char text[] =
	    SET(" op none = 0x100 () by lane {\n join\n join\n result(0, 1)\n }\n"
		" op turns = 0x101 (n: u32) by lane {\n for i in 0 .. n {\n out[0] = out[0] + 1\n"
		" spawn(bump) else { out[0] = out[0] + 10 }\n join\n }\n result(0, out[0])\n }\n"
		" op bump = 0x102 () by lane {\n out[0] = out[0] + 10\n yield\n pause(2)\n }\n"
		" op deep = 0x103 (depth: u32) by lane {\n if depth > 0 {\n"
		" spawn(deep, depth - 1) else { out[1] = 49 + depth }\n"
		" join\n out[1] = out[1] + 1\n } else { out[1] = 50 }\n }\n"
		" op wide = 0x104 () by workgroup {\n shared t : u32[4]\n"
		" spawn(put, 8 + lane, 7) else { out[8 + lane] = 7 }\n join\n t[lane] = out[8 + (lane + 1) % lanes]\n"
		" let n = reduce_add(t[lane])\n result(0, n)\n }\n"
		" op put = 0x105 (at: u32, v: u32) by workgroup(2) { if lane == 1 { out[at] = v } }");
	EACH_RUN(seed, workers, limit, 1, 3, 100)
	{
		struct spawn_rig r;
		open_rig(&r, text, seed, workers, *limit);
		uint32_t *none = rig_slot(&r.rig, 0x100, 0, 0, 0), *turns = rig_slot(&r.rig, 0x101, 5, 0, 0);
		uint32_t *deep = rig_slot(&r.rig, 0x103, 9, 0, 0), *wide = rig_slot(&r.rig, 0x104, 0, 0, 0);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(none[4], 1);
		assert_int_equal(turns[4], 55);
		assert_int_equal(deep[0], VYRE_SLOT_DONE);
		assert_int_equal(r.out[1], 59);
		assert_int_equal(wide[4], 21);
		assert_int_equal(r.rig.result.race_count, 0);
		rig_close(&r.rig);
	}
}

/* Shared arrays are zero behind every suspension point, a join that waits for nobody among them. */
static void shared_is_zero_again(void **state)
{
	(void)state;
	static const char *const points[] = {"join", "yield", "requeue(1)", "pause(3)", "spawn(leaf)\n join"};
	for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
		char source[512];
		snprintf(source, sizeof source,
			 SET(" op top = 0x100 () by workgroup {\n shared t : u32[4]\n t[lane] = 5\n %s\n"
			     " let n = reduce_add(t[lane])\n result(0, n)\n }\n op leaf = 0x101 () by lane { relax }"),
			 points[i]);
		struct spawn_rig r;
		open_rig(&r, source, i, 1, 0);
		uint32_t *top = rig_slot(&r.rig, 0x100, 0, 0, 0);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(top[0], VYRE_SLOT_DONE);
		assert_int_equal(top[4], 0);
		rig_close(&r.rig);
	}
}

/* Without the join, the same accesses race. */
static void no_join_no_order(void **state)
{
	(void)state;
	static const char text[] = SET(" op top = 0x100 () by lane {\n spawn(put)\n JOIN\n out[0] = out[0] + 1\n }\n"
				       " op put = 0x101 () by lane { out[0] = 5 }");
	static const char *const words[] = {"join", "yield", "    ", "spawn(put)"};
	for (unsigned w = 0; w < 4; w++) {
		char source[512];
		const char *at = strstr(text, "JOIN");
		snprintf(source, sizeof source, "%.*s%s%s", (int)(at - text), text, words[w], at + 4);
		struct spawn_rig r;
		open_rig(&r, source, 0, 1, 0);
		rig_slot(&r.rig, 0x100, 0, 0, 0);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(r.rig.result.race_count != 0, w != 0);
		rig_close(&r.rig);
	}
}

/* ---- retirement ---------------------------------------------------------------------------------------------- */

/* A join waits for what the children spawned too, though they joined nobody; and so does its memory. */
static void grandchildren(void **state)
{
	(void)state;
	static const char text[] =
	    SET(" op top = 0x100 (n: u32) by lane {\n spawn(middle, n)\n join\n var sum: u32 = 0\n"
		" for i in 0 .. n { sum = sum + out[i] }\n result(0, sum)\n out[n] = out[n] + 1\n }\n"
		" op middle = 0x101 (n: u32) by lane {\n for i in 0 .. n { spawn(leaf, i) }\n out[n] = 4\n }\n"
		" op leaf = 0x102 (i: u32) by lane {\n pause(10 * i)\n yield\n out[i] = 2\n }");
	EACH_RUN(seed, workers, limit, 7, 100)
	{
		struct spawn_rig r;
		open_rig(&r, text, seed, workers, *limit);
		uint32_t *top = rig_slot(&r.rig, 0x100, 6, 0, 0);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(top[4], 12);
		assert_int_equal(r.out[6], 5);
		assert_int_equal(r.rig.result.race_count, 0);
		rig_close(&r.rig);
	}
}

/* A child's fault is its own; a spawner that faults retires after its children, and keeps its own code. */
static void faults(void **state)
{
	(void)state;
	static const char text[] =
	    SET(" op top = 0x100 () by lane {\n spawn(dies, 0)\n spawn(dies, 1)\n spawn(reads)\n join\n"
		" result(0, out[0] + out[1])\n }\n"
		" op dies = 0x101 (i: u32) by lane {\n out[i] = 6\n trap(i)\n }\n"
		" op reads = 0x102 () by lane { load(1, 0, 4, 0) }\n"
		" op grandpa = 0x103 () by lane {\n spawn(papa)\n join\n result(0, out[2])\n }\n"
		" op papa = 0x104 () by lane {\n spawn(son)\n trap(77)\n }\n"
		" op son = 0x105 () by lane {\n pause(3)\n out[2] = 9\n }\n"
		" op lonely = 0x106 () by lane {\n spawn(late)\n trap(78)\n }\n"
		" op late = 0x107 () by lane {\n pause(5)\n out[3] = 1\n }");
	EACH_RUN(seed, workers, limit, 100)
	{
		struct spawn_rig r;
		open_rig(&r, text, seed, workers, *limit);
		uint32_t *top = rig_slot(&r.rig, 0x100, 0, 0, 0), *grandpa = rig_slot(&r.rig, 0x103, 0, 0, 0),
			 *lonely = rig_slot(&r.rig, 0x106, 0, 0, 0);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(top[0], VYRE_SLOT_DONE);
		assert_int_equal(top[4], 12);
		assert_int_equal(grandpa[0], VYRE_SLOT_DONE);
		assert_int_equal(grandpa[4], 9);
		assert_int_equal(lonely[0], VYRE_SLOT_FAULT);
		assert_int_equal(lonely[4], VYRE_FAULT_TRAP);
		assert_int_equal(lonely[5], 78);
		assert_int_equal(r.out[3], 1);
		assert_int_equal(r.rig.result.faults, 5);
		assert_int_equal(r.rig.result.race_count, 0);
		rig_close(&r.rig);
	}
}

/* Room comes back when a slot retires, not before: a parent that has ended keeps its place while its child lives. */
static void room_comes_back(void **state)
{
	(void)state;
	static const char text[] =
	    SET(" op top = 0x100 () by lane {\n spawn(parent)\n yield\n yield\n yield\n"
		" spawn(child) else { out[0] = 1 }\n join\n spawn(parent) else { out[1] = 1 }\n join\n }\n"
		" op parent = 0x101 () by lane { spawn(child) else { out[2] = 1 } }\n"
		" op child = 0x102 () by lane {\n pause(100 * (atomic_add(out[3], 1) + 1))\n }");
	struct spawn_rig r;
	open_rig(&r, text, 0, 4, 2);
	uint32_t *top = rig_slot(&r.rig, 0x100, 0, 0, 0);
	rig_slots(&r.rig);
	ASSERT_OK(r.rig);
	assert_int_equal(top[0], VYRE_SLOT_DONE);
	assert_int_equal(r.out[0], 1);
	assert_int_equal(r.out[1], 0);
	assert_int_equal(r.out[2], 0);
	assert_int_equal(r.out[3], 2);
	rig_close(&r.rig);
}

/* Chains as long as they like in little room: a slot that retires hands its place on. */
static void a_long_chain(void **state)
{
	(void)state;
	static const char text[] = SET(
	    " op top = 0x100 (n: u32) by lane {\n for i in 0 .. n {\n"
	    " loop {\n var full: bool = false\n spawn(step) else { full = true }\n if !full { break }\n yield\n }\n }\n"
	    " join\n result(0, out[0])\n }\n"
	    " op step = 0x101 () by lane { atomic_add(out[0], 1) }");
	for (uint64_t seed = 0; seed < 4; seed++) {
		struct spawn_rig r;
		open_rig(&r, text, seed, 2, 2);
		r.rig.options.detect_races = seed == 1;
		uint32_t n = seed == 1 ? 100 : 20000, *top = rig_slot(&r.rig, 0x100, n, 0, 0);
		rig_slots(&r.rig);
		ASSERT_OK(r.rig);
		assert_int_equal(top[4], n);
		assert_int_equal(r.rig.result.spawned, n);
		rig_close(&r.rig);
	}
}

/* A run that ends early gives back what waits at joins. Run it under the address sanitizer to see what it is for. */
static void stopped_inside(void **state)
{
	(void)state;
	static const char text[] = SET(" op top = 0x100 (depth: u32) by lane {\n spawn(top, depth + 1)\n join\n }\n");
	struct spawn_rig r;
	open_rig(&r, text, 0, 1, 0);
	r.rig.options.step_limit = 500;
	uint32_t *top = rig_slot(&r.rig, 0x100, 0, 0, 0);
	rig_slots(&r.rig);
	ASSERT_MESSAGE(r.rig, VYRE_TIMEOUT, "the step limit of 500 is spent");
	assert_int_equal(top[0], VYRE_SLOT_PUBLISHED);
	rig_close(&r.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(trees),
	    cmocka_unit_test(no_room),
	    cmocka_unit_test(arguments_are_fresh),
	    cmocka_unit_test(what_a_spawned_slot_is),
	    cmocka_unit_test(joins_order),
	    cmocka_unit_test(shared_is_zero_again),
	    cmocka_unit_test(no_join_no_order),
	    cmocka_unit_test(grandchildren),
	    cmocka_unit_test(faults),
	    cmocka_unit_test(room_comes_back),
	    cmocka_unit_test(a_long_chain),
	    cmocka_unit_test(stopped_inside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
