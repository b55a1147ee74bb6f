/* priority_test.c - the priority feed, on the interpreter and natively: what is served and in which order. */
#include "priority_rig.h"

static const char stopping_text[] =
    "set demo {\n"
    "  buffer order: live u32[]\n"
    "  op mark = 0x100 () by lane { let ticket = atomic_add(order[0], 1); result(0, ticket) }\n"
    "  op move = 0x102 (to: u32) by lane {\n"
    "    let before = atomic_add(order[0], 1)\n"
    "    result(1, before)\n"
    "    requeue(to)\n"
    "    let ticket = atomic_add(order[0], 1)\n"
    "    result(0, ticket)\n"
    "  }\n"
    "  op wait = 0x103 (epoch: u32) by lane { pause(epoch); let ticket = atomic_add(order[0], 1); result(0, ticket) }\n"
    "  op turns = 0x104 (n: u32) by lane { for i in 0 .. n { yield }; result(0, n) }\n"
    "  op hide = 0x105 () by lane { requeue(4); pause(9) }\n"
    "}\n";

static void no_slot_is_out_of_its_place(struct scan *s)
{
	assert_int_equal(s->frames[VYRE_FRAMES_MOVED_ALL], 0);
	for (unsigned p = 0; p < 5; p++)
		assert_int_equal(s->frames[VYRE_FRAMES_MOVED + p], 0);
	for (uint32_t i = 0; i < s->slots; i++)
		assert_int_equal(scan_record(s, i, VYRE_RECORD_ORDER), 0);
}

/* ---- coverage and order ------------------------------------------------------------------------------------------------- */

/* One round of any number of workers finds every slot of a ring that stands still, however it divides. */
static void one_round_serves_every_slot(void **state)
{
	static const uint32_t sizes[] = {1, 3, 5, 20, 67, 256};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			struct scan s;
			open_set(&s, machine, set_text, sizes[k]);
			for (uint32_t i = 0; i < s.slots; i++)
				publish(&s, i, MARK, 0)[VYRE_SLOT_WORD_TENANT] = i % 3;
			scan_run(&s, 1, 0);
			for (uint32_t i = 0; i < s.slots; i++)
				ticket(&s, i);
			assert_int_equal(s.control[VYRE_CONTROL_DONE_COUNT], s.slots);
			for (unsigned t = 0; t < 3; t++) {
				uint32_t slots = (s.slots + 2 - t) / 3;
				assert_int_equal(s.control[VYRE_CONTROL_TENANT_FAIRNESS + t], slots);
				assert_int_equal(
				    s.control[vyre_live_base(SCAN_OBSERVABLES) + VYRE_LIVE_TENANT_RETIRED + t], slots);
			}
			for (unsigned p = 0; p < 5; p++)
				assert_int_equal(claims_at(&s, p), partition(&s, p + 1) - partition(&s, p));
			scan_close(&s);
		}
	}
}

/* Sixteen high ones, one lower, again; then the lower ones from the top. STARVATION is what the last run of high ones
 * came to. */
static void one_worker_keeps_the_order(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		uint32_t next[2] = {0, 40}, want[100];
		if (machine->lanes * machine->workgroups != 1)
			continue;
		open_set(&s, machine, set_text, 100);
		for (uint32_t i = 0, run = 0; i < 100; i++) {
			unsigned lower = next[0] == 40 || run == 16;
			run = lower ? 0 : run + 1;
			want[next[lower]++] = i;
		}
		for (uint32_t i = 0; i < 100; i++)
			publish(&s, i, MARK, 0);
		scan_run(&s, 1, 0);
		for (uint32_t i = 0; i < 100; i++)
			assert_int_equal(ticket(&s, i), want[i]);
		assert_int_equal(s.control[VYRE_CONTROL_STARVATION], 0);
		for (uint32_t i = 0; i < 9; i++)
			publish(&s, 15 + i, MARK, 0);
		scan_run(&s, 1, 0);
		assert_int_equal(s.control[VYRE_CONTROL_STARVATION], 9);
		scan_close(&s);
	}
}

static void wrong_partitions_are_the_defaults(void **state)
{
	static const uint32_t wrong[][6] = {{0, 4, 3, 12, 16, 20},	    {0, 0, 0, 0, 0, 0},
					    {0, 4, 8, 12, 16, 21},	    {0, 4, 8, 12, 16, 0xFFFFFFFF},
					    {0xFFFFFFF0, 4, 8, 12, 16, 20}, {20, 16, 12, 8, 4, 0}};
	static const uint32_t right[6] = {2, 2, 3, 3, 9, 20};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 20);
		for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
			memcpy(s.control + VYRE_CONTROL_PARTITIONS, wrong[k], sizeof wrong[k]);
			memset(s.control + VYRE_CONTROL_PRIORITY_FAIRNESS, 0, 20);
			for (uint32_t i = 0; i < s.slots; i++)
				publish(&s, i, MARK, 0);
			scan_run(&s, 1, 0);
			for (uint32_t i = 0; i < s.slots; i++)
				ticket(&s, i);
			for (unsigned p = 0; p < 5; p++)
				assert_int_equal(claims_at(&s, p), 4);
		}
		memcpy(s.control + VYRE_CONTROL_PARTITIONS, right, sizeof right);
		memset(s.control + VYRE_CONTROL_PRIORITY_FAIRNESS, 0, 20);
		for (uint32_t i = 0; i < s.slots; i++)
			publish(&s, i, MARK, 0);
		scan_run(&s, 1, 0);
		assert_int_equal(scan_slot(&s, 1)[0], VYRE_SLOT_PUBLISHED); /* in no partition */
		for (unsigned p = 0; p < 5; p++)
			assert_int_equal(claims_at(&s, p), right[p + 1] - right[p]);
		scan_close(&s);
	}
}

/* What vyre 0.6 encodes has no word of ours: default partitions, the buffer's length, 29 tenants. */
static void an_ancestors_ring_is_served(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 23);
		memset(s.control, 0, 4 * VYRE_CONTROL_MIN_WORDS);
		s.control[VYRE_CONTROL_TENANT_BASE] = VYRE_CONTROL_TENANT_MASK;
		for (unsigned t = 0; t < 2; t++)
			s.control[VYRE_CONTROL_TENANT_MASK + t] = 0xFFFFFFFF;
		for (uint32_t i = 0; i < s.slots; i++)
			publish(&s, i, MARK, 0)[VYRE_SLOT_WORD_TENANT] = i == 3 ? 5 : i == 4 ? 29 : i & 1;
		scan_run(&s, 1, 0);
		for (uint32_t i = 0; i < s.slots; i++)
			assert_int_equal(scan_slot(&s, i)[0], i == 3   ? VYRE_SLOT_PUBLISHED
							      : i == 4 ? VYRE_SLOT_FAULT
								       : VYRE_SLOT_DONE);
		assert_int_equal(s.control[VYRE_CONTROL_DONE_COUNT], 22);
		scan_close(&s);
	}
}

/* ---- tenants ---------------------------------------------------------------------------------------------------------------- */

static void a_masked_tenant_waits_and_delays_nobody(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 40);
		s.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		for (uint32_t i = 0; i < s.slots; i++)
			publish(&s, i, MARK, 0)[VYRE_SLOT_WORD_TENANT] = i % 3;
		scan_run(&s, 2, 0);
		for (uint32_t i = 0; i < s.slots; i++)
			assert_int_equal(scan_slot(&s, i)[0], i % 3 == 1 ? VYRE_SLOT_PUBLISHED : VYRE_SLOT_DONE);
		assert_int_equal(s.control[VYRE_CONTROL_TENANT_FAIRNESS + 1], 0);
		s.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		scan_run(&s, 1, 0);
		for (uint32_t i = 0; i < s.slots; i++)
			ticket(&s, i);
		scan_close(&s);
	}
}

/* Suspended slots are in flight. */
static void a_quota_holds_back(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		uint32_t waiting = 0;
		open_set(&s, machine, stopping_text, 20);
		s.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 3;
		for (uint32_t i = 0; i < s.slots; i++)
			publish(&s, i, WAIT, 1)[VYRE_SLOT_WORD_TENANT] = i % 2;
		scan_run(&s, 3, 0);
		for (uint32_t i = 0; i < s.slots; i++)
			if (i % 2)
				waiting += scan_slot(&s, i)[0] == VYRE_SLOT_WAIT_IO;
			else
				assert_int_equal(scan_slot(&s, i)[0], VYRE_SLOT_WAIT_IO);
		assert_int_equal(waiting, 3);
		s.control[VYRE_CONTROL_EPOCH] = 1;
		scan_run(&s, 0, 40);
		for (uint32_t i = 0; i < s.slots; i++)
			ticket(&s, i);
		assert_int_equal(s.control[VYRE_CONTROL_TENANT_FAIRNESS + 1], 10);
		scan_close(&s);
	}
}

static void shutdown_comes_before_the_next_claim(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 20);
		publish(&s, 7, MARK, 0);
		s.control[VYRE_CONTROL_SHUTDOWN] = 1;
		scan_run(&s, 0, 0);
		assert_int_equal(scan_slot(&s, 7)[0], VYRE_SLOT_PUBLISHED);
		scan_close(&s);
	}
}

/* ---- the device's order ------------------------------------------------------------------------------------------------------- */

/* A slot that moves itself down is gone on with after all that were above it; its place in the ring stays. */
static void requeue_moves_a_slot(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, stopping_text, 50);
		publish(&s, 2, MOVE, VYRE_PRIORITY_IDLE);
		publish(&s, 45, MOVE, VYRE_PRIORITY_HIGH);
		publish(&s, 46, MOVE, 77); /* beyond the last one is the last one */
		publish(&s, 25, MOVE, VYRE_PRIORITY_NORMAL);
		for (uint32_t i = 20; i < 24; i++)
			publish(&s, i, MARK, 0);
		scan_run(&s, 0, 40);
		assert_int_equal(scan_slot(&s, 2)[VYRE_SLOT_WORD_PRIORITY], VYRE_PRIORITY_IDLE);
		assert_int_equal(scan_slot(&s, 45)[VYRE_SLOT_WORD_PRIORITY], VYRE_PRIORITY_HIGH);
		assert_int_equal(scan_slot(&s, 46)[VYRE_SLOT_WORD_PRIORITY], VYRE_PRIORITY_IDLE);
		if (s.workers == 1)
			for (uint32_t i = 20; i < 24; i++)
				assert_true(ticket(&s, i) < ticket(&s, 2) &&
					    ticket(&s, i) > scan_slot(&s, 2)[VYRE_SLOT_WORD_ARG0 + 1]);
		ticket(&s, 45);
		ticket(&s, 46);
		assert_int_equal(claims_at(&s, VYRE_PRIORITY_CRITICAL), 1);
		assert_int_equal(claims_at(&s, VYRE_PRIORITY_HIGH), 1);
		assert_int_equal(claims_at(&s, VYRE_PRIORITY_NORMAL), 6);
		assert_int_equal(claims_at(&s, VYRE_PRIORITY_IDLE), 4);
		assert_int_equal(s.control[VYRE_CONTROL_DONE_COUNT], 8);
		no_slot_is_out_of_its_place(&s);
		scan_close(&s);
	}
}

/* It waits for its tenant, which must not run: AGE_LIMIT rounds at a time, one priority at a time. */
static void a_slot_that_waits_moves_up(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		uint32_t moves[4];
		open_set(&s, machine, set_text, 20);
		s.control[VYRE_CONTROL_AGE_LIMIT] = 3;
		s.frames[VYRE_FRAMES_ROUND] = 0xFFFFFFFA; /* wraps while it waits */
		s.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		publish(&s, 19, MARK, 0)[VYRE_SLOT_WORD_TENANT] = 1;
		for (unsigned k = 0; k < 4; k++) {
			scan_run(&s, k == 0 ? 4 : 3, 0);
			uint32_t at = scan_record(&s, 19, VYRE_RECORD_ORDER);
			moves[k] = at ? VYRE_PRIORITY_IDLE - (at - 1) : 0;
			assert_int_equal(s.frames[VYRE_FRAMES_MOVED_ALL], at != 0);
			if (at)
				assert_int_equal(s.frames[VYRE_FRAMES_MOVED + at - 1], 1);
			if (s.workers == 1)
				assert_int_equal(moves[k], k + 1);
			else
				assert_true(moves[k] <= s.frames[VYRE_FRAMES_ROUND] - 0xFFFFFFFA);
			assert_true(k == 0 || moves[k] >= moves[k - 1]);
		}
		assert_int_equal(scan_slot(&s, 19)[0], VYRE_SLOT_PUBLISHED);
		s.control[VYRE_CONTROL_AGE_LIMIT] = 0;
		s.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		for (uint32_t i = 4; i < 19; i++)
			publish(&s, i, MARK, 0);
		scan_run(&s, 0, 20);
		for (uint32_t i = 4; i < 20; i++)
			ticket(&s, i);
		if (s.workers == 1) {
			assert_int_equal(ticket(&s, 19), 0);
			assert_int_equal(claims_at(&s, VYRE_PRIORITY_CRITICAL), 1);
			assert_int_equal(claims_at(&s, VYRE_PRIORITY_IDLE), 3);
		}
		no_slot_is_out_of_its_place(&s);
		scan_close(&s);
	}
}

/* Workers that move slots while others claim them: every slot runs once, and the counts come out even. */
static void ageing_loses_no_slot(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, stopping_text, 70);
		s.control[VYRE_CONTROL_AGE_LIMIT] = 1;
		for (uint32_t i = 0; i < s.slots; i++)
			publish(&s, i, i % 3 ? TURNS : MOVE, i % 7);
		scan_run(&s, 0, 30);
		for (uint32_t i = 0; i < s.slots; i++) {
			uint32_t ended = ticket(&s, i);
			if (i % 3)
				assert_int_equal(ended, i % 7);
		}
		assert_int_equal(order[0], 2 * 24);
		assert_int_equal(s.control[VYRE_CONTROL_DONE_COUNT], 70);
		no_slot_is_out_of_its_place(&s);
		scan_close(&s);
	}
}

static void a_pause_ends_with_its_epoch(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, stopping_text, 20);
		s.control[VYRE_CONTROL_EPOCH] = 0xFFFFFFFE;
		publish(&s, 1, WAIT, 1);
		publish(&s, 18, WAIT, 0xFFFFFFFF);
		scan_run(&s, 0, 20);
		assert_int_equal(scan_slot(&s, 1)[0], VYRE_SLOT_WAIT_IO);
		assert_int_equal(scan_slot(&s, 18)[0], VYRE_SLOT_WAIT_IO);
		s.control[VYRE_CONTROL_EPOCH] = 0;
		scan_run(&s, 0, 20);
		assert_int_equal(scan_slot(&s, 1)[0], VYRE_SLOT_WAIT_IO);
		ticket(&s, 18);
		s.control[VYRE_CONTROL_EPOCH] = 1;
		scan_run(&s, 0, 20);
		ticket(&s, 1);
		scan_close(&s);
	}
}

/* A host that takes a suspended slot away and publishes another one there, without a word to the device. */
static void a_new_slot_in_an_old_ones_place_starts_anew(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, stopping_text, 20);
		s.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		publish(&s, 1, HIDE, 5);
		scan_run(&s, 0, 20);
		assert_int_equal(scan_slot(&s, 1)[0], VYRE_SLOT_WAIT_IO);
		assert_int_not_equal(scan_record(&s, 1, VYRE_RECORD_PC), 0);
		assert_int_equal(claims_at(&s, VYRE_PRIORITY_IDLE), 1);
		publish(&s, 1, TURNS, 3);
		scan_run(&s, 0, 20);
		assert_int_equal(ticket(&s, 1), 3);
		assert_int_equal(claims_at(&s, VYRE_PRIORITY_CRITICAL),
				 1 + 4); /* where it lies, not where the old one went */
		assert_int_equal(claims_at(&s, VYRE_PRIORITY_IDLE), 1);
		no_slot_is_out_of_its_place(&s);
		scan_close(&s);
	}
}

static void a_lying_header_stops_the_kernel(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		for (unsigned k = 0; k < 2; k++) {
			struct scan s;
			open_set(&s, machine, k ? stopping_text : set_text, 20);
			s.frames[k ? VYRE_FRAMES_RECORDS : VYRE_FRAMES_FRAMES] += k ? 1 : 0x10000000;
			s.control[VYRE_CONTROL_RING_SLOTS] = 0xFFFFFFFF; /* no more than the buffer holds */
			publish(&s, 7, MARK, 0);
			scan_run(&s, 1, 0);
			assert_int_equal(scan_slot(&s, 7)[0], k ? VYRE_SLOT_PUBLISHED : VYRE_SLOT_DONE);
			scan_close(&s);
		}
	}
}

static void a_batch_fence_is_unknown(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		scan_open(&s, machine, set_text, VYRE_FEED_PRIORITY, VYRE_HAS_BUILTINS, 20);
		scan_buffer_make(&s, "order", 16);
		publish(&s, 3, VYRE_OPCODE_BATCH_FENCE, 0);
		publish(&s, 4, VYRE_OPCODE_STORE_U32, 9)[VYRE_SLOT_WORD_ARG0 + 1] = VYRE_CONTROL_OBSERVABLES;
		scan_run(&s, 1, 0);
		assert_int_equal(scan_slot(&s, 3)[0], VYRE_SLOT_FAULT);
		assert_int_equal(scan_slot(&s, 3)[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_UNKNOWN_OPCODE);
		assert_int_equal(s.control[VYRE_CONTROL_EPOCH], 0);
		assert_int_equal(scan_slot(&s, 4)[0], VYRE_SLOT_DONE);
		assert_int_equal(s.control[VYRE_CONTROL_OBSERVABLES], 9);
		scan_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_round_serves_every_slot),
	    cmocka_unit_test(one_worker_keeps_the_order),
	    cmocka_unit_test(wrong_partitions_are_the_defaults),
	    cmocka_unit_test(an_ancestors_ring_is_served),
	    cmocka_unit_test(a_masked_tenant_waits_and_delays_nobody),
	    cmocka_unit_test(a_quota_holds_back),
	    cmocka_unit_test(shutdown_comes_before_the_next_claim),
	    cmocka_unit_test(requeue_moves_a_slot),
	    cmocka_unit_test(a_slot_that_waits_moves_up),
	    cmocka_unit_test(ageing_loses_no_slot),
	    cmocka_unit_test(a_pause_ends_with_its_epoch),
	    cmocka_unit_test(a_new_slot_in_an_old_ones_place_starts_anew),
	    cmocka_unit_test(a_lying_header_stops_the_kernel),
	    cmocka_unit_test(a_batch_fence_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
