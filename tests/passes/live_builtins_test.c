/* live_builtins_test.c - the built-in ops in a live ring: the live block is out of reach, SHUTDOWN ends the kernel. */
#include "runtime/abi/packed.h"
#include "tests/passes/live_rig.h"

static const char set_text[] = "set demo {\n"
			       "  buffer out: u32[]\n"
			       "  op add = 8 (value: u32, at: u32) by lane { atomic_add(out[at], value) }\n"
			       "  op rest = 9 (value: u32, at: u32) by lane { yield; atomic_add(out[at], value) }\n"
			       "}\n";

#define FIRST 0xFFFFFF00u

enum {
	WORDS = VYRE_CONTROL_MIN_WORDS + LIVE_OBSERVABLES,
	OBSERVABLES = VYRE_CONTROL_OBSERVABLES,
};

static void open_demo(struct live_rig *rig, uint32_t slots)
{
	live_open(rig, set_text, (struct live_params){.features = VYRE_HAS_BUILTINS, .slots = slots, .first = FIRST});
}

static uint32_t *publish_args(struct live_rig *rig, uint32_t opcode, uint32_t tenant, const uint32_t *args,
			      uint32_t count)
{
	uint32_t *slot = live_publish(rig, opcode, tenant, 0, 0);
	memcpy(slot + VYRE_SLOT_WORD_ARG0, args, 4 * count);
	return slot;
}

static void assert_fault(const uint32_t *slot, uint32_t code, uint32_t detail)
{
	assert_int_equal(slot[0], VYRE_SLOT_FAULT);
	assert_int_equal(slot[4], code);
	assert_int_equal(slot[5], detail);
}

static void they_do_their_work(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct live_rig rig;
		open_demo(&rig, 16);
		rig.control[OBSERVABLES + 4] = 7;
		live_publish(&rig, VYRE_OPCODE_NOP, 0, 0, 0);
		live_publish(&rig, VYRE_OPCODE_STORE_U32, 1, 99, OBSERVABLES);
		for (unsigned i = 0; i < 4; i++)
			live_publish(&rig, VYRE_OPCODE_ATOMIC_ADD, i % 3, 5, OBSERVABLES + 1);
		live_publish(&rig, VYRE_OPCODE_LOAD_U32, 2, VYRE_CONTROL_CONTROL_WORDS, 2);
		const uint32_t *swap =
		    publish_args(&rig, VYRE_OPCODE_COMPARE_SWAP, 0, (uint32_t[]){OBSERVABLES + 4, 7, 8}, 3);
		publish_args(&rig, VYRE_OPCODE_MEMCPY, 0, (uint32_t[]){VYRE_CONTROL_ABI_VERSION, OBSERVABLES + 5, 3},
			     3);
		publish_args(&rig, VYRE_OPCODE_PRINTF, 0, (uint32_t[]){1, 2, 3}, 3);
		live_drain(&rig, 1 + seed % 3, seed);
		live_is_clean(&rig);
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(live_slot(&rig, FIRST + i)[0], VYRE_SLOT_DONE);
		static const uint32_t want[8] = {99, 20, WORDS, 0, 8, 1, WORDS, 16};
		assert_memory_equal(&rig.control[OBSERVABLES], want, sizeof want);
		assert_int_equal(swap[7], 7);
		assert_int_equal(rig.debug[0], 4);
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], FIRST + 10);
		assert_int_equal(rig.control[VYRE_CONTROL_METRICS + VYRE_OPCODE_ATOMIC_ADD], 4);
		live_close(&rig);
	}
}

/* Neither protected words nor a word of the live block are written, and none of the block is read. */
static void the_live_block_is_out_of_reach(void **state)
{
	static const uint32_t behind[] = {WORDS,
					  WORDS + VYRE_LIVE_TAIL,
					  WORDS + VYRE_LIVE_STOP,
					  WORDS + VYRE_LIVE_LEAVE,
					  WORDS + VYRE_LIVE_RETIRED,
					  WORDS + VYRE_LIVE_WORDS - 1,
					  0xFFFFFFFF};
	struct live_rig rig;
	(void)state;
	open_demo(&rig, 64);
	assert_int_equal(rig.control[VYRE_CONTROL_EXT_BASE], WORDS); /* the block begins where the results end */
	for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
		live_publish(&rig, VYRE_OPCODE_STORE_U32, 1, 3, behind[i]);
		live_publish(&rig, VYRE_OPCODE_ATOMIC_ADD, 1, 3, behind[i]);
		live_publish(&rig, VYRE_OPCODE_LOAD_U32, 1, behind[i], 0);
		publish_args(&rig, VYRE_OPCODE_COMPARE_SWAP, 1, (uint32_t[]){behind[i], 0, 9}, 3);
		publish_args(&rig, VYRE_OPCODE_MEMCPY, 1, (uint32_t[]){OBSERVABLES, behind[i], 1}, 3);
	}
	const uint32_t *protected = live_publish(&rig, VYRE_OPCODE_STORE_U32, 1, 0, VYRE_CONTROL_TENANT_MASK + 2);
	live_drain(&rig, 2, 5);
	for (unsigned i = 0; i < 5 * sizeof behind / sizeof *behind; i++)
		assert_fault(live_slot(&rig, FIRST + i), VYRE_FAULT_PROTECTED_WORD, behind[i / 5]);
	assert_fault(protected, VYRE_FAULT_PROTECTED_WORD, VYRE_CONTROL_TENANT_MASK + 2);
	for (unsigned i = 0; i < LIVE_OBSERVABLES; i++)
		assert_int_equal(rig.control[OBSERVABLES + i], 0);
	live_is_clean(&rig);
	live_close(&rig);
}

/* No STOP and no idle limit: the slot alone sends every worker away, and what comes later stays where it is. */
static void shutdown_ends_the_kernel(void **state)
{
	(void)state;
	for (uint32_t workers = 1; workers <= 3; workers++) {
		struct live_rig rig;
		open_demo(&rig, 16);
		const uint32_t *refused = live_publish(&rig, VYRE_OPCODE_SHUTDOWN, 2, 0, 0);
		live_publish(&rig, 8, 1, 5, 0);
		live_drain(&rig, workers, workers);
		assert_fault(refused, VYRE_FAULT_TENANT, 2);
		assert_int_equal(rig.live[VYRE_LIVE_LEAVE], 0);
		const uint32_t *told = live_publish(&rig, VYRE_OPCODE_SHUTDOWN, 0, 0, 0);
		live_run(&rig, workers, workers);
		assert_int_equal(told[0], VYRE_SLOT_DONE);
		assert_int_equal(rig.live[VYRE_LIVE_LEAVE], 1);
		assert_int_equal(rig.control[VYRE_CONTROL_SHUTDOWN], 0); /* the host's word */
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], FIRST + 3);
		const uint32_t *late = live_publish(&rig, 8, 1, 5, 0);
		live_run(&rig, workers, workers);
		assert_int_equal(late[0], VYRE_SLOT_PUBLISHED);
		assert_int_equal(rig.out[0], 5);
		live_close(&rig);
	}
}

/* A packed slot holds nothing that stops and goes on, and no fence; what is around the bad op has not run either. */
static void nothing_inside_a_packed_slot_suspends(void **state)
{
	static const uint32_t args[2] = {3, 1};
	const struct vyre_packed_op rests[] = {{8, args, 2}, {9, args, 2}}, good[] = {{8, args, 2}, {8, args, 2}};
	uint32_t words[12];
	struct live_rig rig;
	(void)state;
	open_demo(&rig, 16);
	assert_int_equal(vyre_packed_encode(rests, 2, NULL, words), VYRE_PACKED_NONE);
	const uint32_t *suspends = publish_args(&rig, VYRE_OPCODE_PACKED_SLOT, 1, words, 12);
	words[1] = (words[1] & ~0xFFu) | VYRE_OPCODE_BATCH_FENCE;
	const uint32_t *fences = publish_args(&rig, VYRE_OPCODE_PACKED_SLOT, 1, words, 12);
	assert_int_equal(vyre_packed_encode(good, 2, NULL, words), VYRE_PACKED_NONE);
	publish_args(&rig, VYRE_OPCODE_PACKED_SLOT, 1, words, 12);
	live_publish(&rig, 9, 1, 7, 2); /* by itself it may rest */
	live_drain(&rig, 1, 0);
	assert_fault(suspends, VYRE_FAULT_PACKED, 9);
	assert_fault(fences, VYRE_FAULT_PACKED, VYRE_OPCODE_BATCH_FENCE);
	assert_int_equal(rig.out[1], 2 * 3); /* of the good one alone */
	assert_int_equal(rig.out[2], 7);
	assert_int_equal(rig.control[VYRE_CONTROL_METRICS + 8], 2);
	assert_int_equal(rig.control[VYRE_CONTROL_METRICS + 9], 1);
	live_is_clean(&rig);
	live_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(they_do_their_work),
	    cmocka_unit_test(the_live_block_is_out_of_reach),
	    cmocka_unit_test(shutdown_ends_the_kernel),
	    cmocka_unit_test(nothing_inside_a_packed_slot_suspends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
