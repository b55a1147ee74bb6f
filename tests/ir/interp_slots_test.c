/* interp_slots_test.c - slots in the interpreter: arguments and results, faults, shared arrays, suspension points.
 * What they spawn is spawn_test.c's matter. */
#include "interp_rig.h"

enum { SEEDS = 8 };

static void slots(void **state)
{
	(void)state;
	static const char text[] =
	    SET(" op add = 0x100 (a: u32, b: u32) by lane { result(0, a + b) }\n"
		" op wide = 0x101 (a: u64, f: f32, b: bool) by lane {\n result(1, a * 2)\n result(5, b)\n result(6, f "
		"+ 0.5)\n"
		" result(7, arg[2])\n result(8, arg[12])\n }\n"
		" op self = 0x102 () by lane {\n result(0, slot)\n result(1, tenant)\n result(2, priority)\n result(3, "
		"opcode)\n"
		" result(4, lanes)\n result(5, lane)\n }\n"
		" op die = 0x103 (code: u32) by lane {\n result(2, 1)\n trap(code)\n }\n"
		" op bad = 0x104 (i: u32) by lane { out[trap i] = 1 }\n"
		" op many = 0x105 () by workgroup {\n let n = reduce_add(1)\n result(0, n)\n }\n"
		" op eight = 0x106 () by workgroup(8) {\n let n = reduce_add(1)\n result(0, n)\n result(1, lanes)\n }");
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		for (uint32_t workers = 1; workers < 4; workers++) {
			struct rig rig = rig_parse(text);
			uint32_t out[4] = {0};
			rig_buffer(&rig, "out", out, 4);
			rig.options.seed = seed;
			rig.options.workers = workers;
			rig.options.lanes = 5;
			uint32_t *add = rig_slot(&rig, 0x100, 3, 4, 5),
				 *wide = rig_slot(&rig, 0x101, 0x80000001, 7, 0x3f800000);
			wide[VYRE_SLOT_WORD_ARG0 + 3] = 2;
			uint32_t *self = rig_slot(&rig, 0x102, 0, 0, 0), *die = rig_slot(&rig, 0x103, 99, 0, 0);
			uint32_t *bad = rig_slot(&rig, 0x104, 4, 0, 0), *unknown = rig_slot(&rig, 0x1ff, 0, 0, 0);
			uint32_t *many = rig_slot(&rig, 0x105, 0, 0, 0), *eight = rig_slot(&rig, 0x106, 0, 0, 0);
			uint32_t *empty = rig_slot(&rig, 0x100, 1, 1, 0);
			empty[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_EMPTY;
			rig_slots(&rig);
			ASSERT_OK(rig);
			assert_int_equal(add[0], VYRE_SLOT_DONE);
			assert_int_equal(add[4], 7);
			assert_int_equal(add[5], 4); /* arguments stay where no result is */
			assert_int_equal(wide[5], 2);
			assert_int_equal(wide[6], 15);
			assert_int_equal(wide[9], 1);
			assert_int_equal(wide[10], 0x3fc00000);
			assert_int_equal(wide[11], 0x3f800000);
			assert_int_equal(wide[12], 0);
			assert_int_equal(self[4], 2);
			assert_int_equal(self[5], 3);
			assert_int_equal(self[6], VYRE_PRIORITY_NORMAL);
			assert_int_equal(self[7], 0x102);
			assert_int_equal(self[8], 1);
			assert_int_equal(self[9], 0);
			assert_int_equal(die[0], VYRE_SLOT_FAULT);
			assert_int_equal(die[4], VYRE_FAULT_TRAP);
			assert_int_equal(die[5], 99);
			assert_int_equal(die[6], 0); /* a fault has no results */
			assert_int_equal(bad[4], VYRE_FAULT_OUT_OF_RANGE);
			assert_int_equal(bad[5], 4);
			assert_int_equal(unknown[0], VYRE_SLOT_FAULT);
			assert_int_equal(unknown[4], VYRE_FAULT_UNKNOWN_OPCODE);
			assert_int_equal(unknown[5], 0x1ff);
			assert_int_equal(many[4], 5);
			assert_int_equal(eight[4], 8);
			assert_int_equal(eight[5], 8);
			assert_int_equal(empty[0], VYRE_SLOT_EMPTY);
			assert_int_equal(empty[4], 1);
			rig_close(&rig);
		}
}

/* Shared arrays are zero at the start of each slot. */
static void shared_is_zeroed(void **state)
{
	(void)state;
	struct rig rig =
	    rig_parse(SET(" op count = 0x100 () by workgroup {\n shared t : u32[4]\n atomic_add(t[0], 1)\n barrier\n"
			  " let n = reduce_max(t[0])\n result(0, n)\n }"));
	rig.options.lanes = 3;
	uint32_t *a = rig_slot(&rig, 0x100, 0, 0, 0), *b = rig_slot(&rig, 0x100, 0, 0, 0);
	rig_slots(&rig);
	ASSERT_OK(rig);
	assert_int_equal(a[4], 3);
	assert_int_equal(b[4], 3);
	rig_close(&rig);
}

static int fake_load(void *user, uint32_t resource, uint64_t offset, uint32_t bytes, uint32_t destination)
{
	uint32_t *out = user;
	if (resource == 9)
		return 5;
	for (uint32_t k = 0; k < bytes / 4; k++)
		out[destination / 4 + k] = (uint32_t)offset + k;
	return 0;
}

static void suspensions(void **state)
{
	(void)state;
	static const char text[] = SET(
	    " op turns = 0x100 (n: u32, at: u32) by lane {\n var sum: u32 = 0\n for i in 0 .. n {\n sum = sum + i\n "
	    "yield\n"
	    " requeue(1)\n atomic_add(out[at], 1)\n }\n result(0, sum)\n }\n"
	    " op nap = 0x101 (until: u32) by workgroup {\n pause(until)\n pause(until + 5)\n let n = reduce_add(1)\n "
	    "result(0, n)\n }\n"
	    " op read = 0x102 (r: u32, to: u32) by lane {\n load(r, u64(40), 8, to)\n result(0, out[to / 4 + 1])\n }");
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		for (uint32_t workers = 1; workers < 4; workers++) {
			struct rig rig = rig_parse(text);
			uint32_t out[32] = {0};
			rig_buffer(&rig, "out", out, 32);
			rig.options.seed = seed;
			rig.options.workers = workers;
			rig.options.lanes = 4;
			rig.options.load = fake_load;
			rig.options.user = out;
			uint32_t *a = rig_slot(&rig, 0x100, 5, 0, 0), *nap = rig_slot(&rig, 0x101, 1000, 0, 0);
			uint32_t *b = rig_slot(&rig, 0x100, 7, 1, 0), *ok = rig_slot(&rig, 0x102, 3, 16, 0);
			uint32_t *failed = rig_slot(&rig, 0x102, 9, 24, 0);
			rig_slots(&rig);
			ASSERT_OK(rig);
			assert_int_equal(a[4], 10);
			assert_int_equal(b[4], 21);
			assert_int_equal(out[0], 5);
			assert_int_equal(out[1], 7);
			assert_int_equal(nap[0], VYRE_SLOT_DONE);
			assert_int_equal(nap[4], 4);
			assert_int_equal(ok[4], 41);
			assert_int_equal(failed[0], VYRE_SLOT_FAULT);
			assert_int_equal(failed[4], VYRE_FAULT_IO);
			assert_int_equal(failed[5], 5);
			rig_close(&rig);
		}
	struct rig rig = rig_parse(text);
	uint32_t *read = rig_slot(&rig, 0x102, 1, 0, 0);
	rig_slots(&rig);
	assert_int_equal(read[5], 38); /* ENOSYS: nobody loads */
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots),
	    cmocka_unit_test(shared_is_zeroed),
	    cmocka_unit_test(suspensions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
