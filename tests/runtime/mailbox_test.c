/* mailbox_test.c - the host side of a ring whose device is behind PCIe: slots in, results out, the kernel that leaves and is
 * launched again, masks, quotas, cancel requests. How it ends: mailbox_end_test.c.
 */
#include "mailbox_rig.h"

static void slots_and_results(void **state)
{
	struct vyre_ring_stats stats;
	struct bench b;
	uint32_t i;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	assert_null(b.ring->memories[VYRE_RING_BUFFER_CONTROL]->data);
	assert_null(b.ring->memories[VYRE_RING_BUFFER_RING]->data);
	for (i = 0; i < 300; i++) /* laps, and 2^32 */
		run_one(&b, i, 7);
	assert_int_equal(vyre_ring_stop(b.ring, 1, SECONDS(20)), VYRE_OK);
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(stats.published, 300);
	assert_int_equal(stats.retired, 300);
	assert_int_equal(mailbox_launches(), 1);
#ifndef VYRE_MAILBOX_BLOB
	assert_true(mailbox_plan.lone > 0);
#endif
	bench_close(&b);
}

/* What the poller takes alone must agree with CHECK; what does not goes the other way, and runs all the same. */
static void a_wrong_check_only_costs_time(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	for (i = 0; i < 100; i++) {
		vyre_ticket ticket;

		/* An epoch that no publisher has seen: the sum is one of another configuration. */
		__atomic_add_fetch(&b.ring->live[VYRE_LIVE_CONFIG_EPOCH], 1, __ATOMIC_SEQ_CST);
		ticket = bench_publish(&b, REFERENCE_OP_MARK, 1, i, 0);
		__atomic_add_fetch(&b.ring->live[VYRE_LIVE_CONFIG_EPOCH], 1, __ATOMIC_SEQ_CST);
		assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
		assert_int_equal(b.mark_words[i], 1);
	}
	bench_close(&b);
}

static void check_is_of_the_last_slot(void **state)
{
	struct vyre_slot slots[3];
	struct bench b;
	uint32_t i, tail;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	for (i = 0; i < 3; i++)
		slots[i] = bench_slot(REFERENCE_OP_BLOCK, 12, 0, i);
	assert_int_equal(vyre_publish(b.publisher, slots, 3, 0, 0, NULL), VYRE_OK);
	tail = load(&b.ring->live[VYRE_LIVE_TAIL]);
	assert_int_equal(tail, 0xFFFFFFE3u);
	assert_int_equal(load(&b.ring->live[VYRE_LIVE_CHECK]),
			 vyre_mailbox_check(tail - 1, 0, vyre_slot_words(b.ring, tail - 1)));
	for (i = 0; i < b.ring->slots; i++) {
		uint32_t place = (0xFFFFFFE0u + i) % b.ring->slots;

		assert_int_equal(load(&b.ring->stamps[place]) == 0xFFFFFFE0u + i, i < 3);
	}
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	bench_close(&b);
}

/* A place that is passed over 2^32 positions after it was stamped must not look published. */
static void a_stamp_is_not_taken_twice(void **state)
{
	struct vyre_slot slots[63];
	struct bench b;
	vyre_ticket held;
	uint32_t i, place, position;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	held = bench_publish(&b, REFERENCE_OP_MARK, 1, 1, 0);
	UNTIL(vyre_poll(b.ring, held, NULL) == VYRE_OK);
	for (i = 0; i < 63; i++)
		slots[i] = bench_slot(REFERENCE_OP_MARK, 1, 2, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 63, 0, 0, NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	position = load(&b.ring->live[VYRE_LIVE_TAIL]); /* the held place, a lap later */
	place = position % b.ring->slots;
	assert_int_equal(place, (held >> VYRE_OWNER_SHIFT) % b.ring->slots);
	__atomic_store_n(&b.ring->stamps[place], position, __ATOMIC_SEQ_CST); /* as it is after 2^32 positions */
	assert_int_equal(vyre_publish(b.publisher, slots, 2, 0, 0, NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(b.mark_words[1], 1);
	assert_int_equal(b.mark_words[2], 65);
	assert_int_equal(vyre_release(b.ring, held), VYRE_OK);
	bench_close(&b);
}

/* ---- what is only on the device ------------------------------------------------------------------------------------ */

static void counters_and_log(void **state)
{
	struct vyre_slot log = bench_slot(REFERENCE_OP_LOG, 3, 77, 1);
	struct vyre_ring_stats stats;
	uint32_t records[4][4], words[VYRE_CONTROL_OBSERVABLES + 4];
	struct bench b;
	uint32_t i;

	(void)state;
	mailbox_open(&b, small, BENCH_MARKS);
	log.args[2] = 2;
	for (i = 0; i < 3; i++)
		assert_int_equal(vyre_publish(b.publisher, &log, 1, 0, 0, NULL), VYRE_OK);
	for (i = 0; i < 5; i++)
		assert_int_equal(vyre_wait(b.ring, bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0), SECONDS(20), NULL),
				 VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, bench_publish(&b, REFERENCE_OP_TRAP, 1, 42, 0), SECONDS(20), NULL),
			 VYRE_FAULT);
	log.opcode = REFERENCE_OP_TRAP;
	assert_int_equal(vyre_publish(b.publisher, &log, 1, 0, 0, NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(stats.retired, 10); /* whatever the device has counted by now */
	UNTIL(load(&b.ring->live[VYRE_LIVE_RETIRED]) == load(&b.ring->live[VYRE_LIVE_TAIL]));
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(stats.faults, 2);
	assert_int_equal(stats.detached_faults, 1);
	assert_int_equal(stats.last_fault_code, VYRE_FAULT_TRAP);
	assert_int_equal(stats.last_fault_detail, 77);
	assert_int_equal(stats.metrics[REFERENCE_OP_NOTHING], 5);
	assert_int_equal(stats.debug_records, 3);
	assert_int_equal(vyre_ring_read_log(b.ring, 1, records, 4), 2);
	assert_int_equal(records[0][0], 77);
	assert_int_equal(records[1][2], 2);
	assert_int_equal(vyre_ring_read_log(b.ring, 3, records, 4), 0);
	/* The host's words as the host has them, the device's from the device. */
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
	assert_int_equal(vyre_ring_read_control(b.ring, 0, words, VYRE_CONTROL_OBSERVABLES + 4), VYRE_OK);
	assert_int_equal(words[VYRE_CONTROL_TENANT_MASK + 1], 0);
	assert_int_equal(words[VYRE_CONTROL_TENANT_MASK], UINT32_MAX);
	assert_int_equal(words[VYRE_CONTROL_FAULT_COUNT], 2);
	assert_int_equal(words[VYRE_CONTROL_RING_SLOTS], 64);
	assert_int_equal(vyre_ring_read_control(b.ring, 0, words, VYRE_CONTROL_OBSERVABLES + 5), VYRE_INVALID);
	bench_close(&b);
}

/* ---- tenants ------------------------------------------------------------------------------------------------------- */

static void masks_and_quotas(void **state)
{
	struct vyre_publisher *other;
	struct vyre_slot slots[3];
	vyre_ticket tickets[3];
	struct bench b;
	uint32_t i;

	(void)state;
	mailbox_open(&b, small, BENCH_MARKS);
	assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
	for (i = 0; i < 3; i++)
		slots[i] = bench_slot(REFERENCE_OP_MARK, 1, 9, 0);
	assert_int_equal(vyre_publish(other, slots, 3, 0, 0, tickets), VYRE_OK);
	run_one(&b, 1, 2);
	assert_int_equal(vyre_ring_drain(b.ring, 5000000), VYRE_TIMEOUT);
	UNTIL(load(&b.ring->live[VYRE_LIVE_PARKED]) == 3);
	assert_int_equal(load(&b.mark_words[9]), 0);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 1), VYRE_OK);
	for (i = 0; i < 3; i++)
		assert_int_equal(vyre_wait(b.ring, tickets[i], SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(load(&b.mark_words[9]), 3);
	/* Publishers keep to quotas; a slot counts until its end has been counted. */
	UNTIL(load(&b.ring->live[VYRE_LIVE_RETIRED]) == load(&b.ring->live[VYRE_LIVE_TAIL]));
	assert_int_equal(vyre_ring_set_quota(b.ring, 1, 2), VYRE_OK);
	slots[0] = slots[1] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	assert_int_equal(vyre_publish(other, slots, 2, 0, 0, tickets), VYRE_OK);
	assert_int_equal(vyre_publish(other, slots, 1, 0, 0, NULL), VYRE_FULL);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_publish(other, slots, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	vyre_publisher_destroy(other);
	bench_close(&b);
}

/* ---- cancel -------------------------------------------------------------------------------------------------------- */

static void cancel_requests(void **state)
{
	struct vyre_result result;
	struct vyre_publisher *other;
	vyre_ticket blocker, waiting, parked;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_MARK, 1, 3, 0);
	struct bench b;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
	/* Parked. */
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
	assert_int_equal(vyre_publish(other, &slot, 1, 0, 0, &parked), VYRE_OK);
	UNTIL(load(&b.ring->live[VYRE_LIVE_PARKED]) == 1);
	assert_int_equal(vyre_cancel(b.ring, parked, SECONDS(20)), VYRE_OK);
	assert_int_equal(load(&b.ring->live[VYRE_LIVE_COMMAND_ARG]), (uint32_t)(parked >> VYRE_OWNER_SHIFT));
	assert_int_equal(vyre_wait(b.ring, parked, SECONDS(20), &result), VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_CANCELLED);
	UNTIL(load(&b.ring->live[VYRE_LIVE_PARKED]) == 0);
	/* Runs to its end. */
	blocker = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	UNTIL(load(&b.gate_words[8]) != 0); /* it has begun */
	assert_int_equal(vyre_cancel(b.ring, blocker, SECONDS(20)), VYRE_OK);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_wait(b.ring, blocker, SECONDS(20), &result), VYRE_OK);
	/* Ended; released. */
	waiting = bench_publish(&b, REFERENCE_OP_MARK, 1, 4, 0);
	UNTIL(vyre_poll(b.ring, waiting, NULL) == VYRE_OK);
	assert_int_equal(vyre_cancel(b.ring, waiting, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, waiting, SECONDS(20), &result), VYRE_OK);
	assert_int_equal(vyre_cancel(b.ring, waiting, SECONDS(20)), VYRE_STALE);
	assert_int_equal(load(&b.mark_words[3]), 0);
	assert_int_equal(load(&b.mark_words[4]), 1);
	vyre_publisher_destroy(other);
	bench_close(&b);
}

/* One that nobody has looked at yet: every workgroup is in a handler. */
static void cancel_of_an_unclaimed_slot(void **state)
{
	struct vyre_result result;
	vyre_ticket blocker, waiting;
	struct vyre_ring_params params = sleepless;
	struct bench b;

	(void)state;
	params.workers = 2; /* one polls */
	mailbox_open(&b, params, BENCH_MARKS);
	blocker = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	UNTIL(load(&b.ring->live[VYRE_LIVE_HEAD]) == load(&b.ring->live[VYRE_LIVE_TAIL]));
	bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0); /* so that the next two are no lone ones */
	waiting = bench_publish(&b, REFERENCE_OP_MARK, 1, 6, 0);
	(void)!vyre_cancel(b.ring, waiting, 20000000);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_wait(b.ring, blocker, SECONDS(20), NULL), VYRE_OK);
	if (vyre_wait(b.ring, waiting, SECONDS(20), &result) == VYRE_FAULT)
		assert_int_equal(result.fault_code, VYRE_FAULT_CANCELLED);
	assert_int_equal(load(&b.mark_words[6]), result.status == VYRE_SLOT_DONE);
	bench_close(&b);
}

/* ---- the kernel leaves and comes back ------------------------------------------------------------------------------ */

static void idleness(void **state)
{
	struct vyre_ring_params params = small;
	struct vyre_ring_stats stats;
	struct bench b;
	uint32_t i;

	(void)state;
	params.idle_ns = 1;
	mailbox_open(&b, params, BENCH_MARKS);
	for (i = 0; i < 3000; i++) { /* also while it is about to leave */
		if (i % 100 == 0)
			UNTIL(b.device->fns->ring_sleeping(b.ring) == 2);
		run_one(&b, i, 1);
	}
	UNTIL(b.device->fns->ring_sleeping(b.ring) == 2);
	vyre_ring_get_stats(b.ring, &stats);
	assert_true(stats.wakes >= 10);
	assert_int_equal(stats.sleeping, 2);
	assert_true(mailbox_launches() >= 10);
	/* A change of masks wakes it too, and so does a cancel request. */
	i = mailbox_launches();
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
	UNTIL(mailbox_launches() > i);
	bench_close(&b);
}

/* A GPU that also draws: the kernel must return every now and then. */
static void bursts(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	mailbox_open_kernel(&b, BENCH_MARKS);
	b.device->burst_polls = 50;
	bench_open_ring(&b, sleepless);
	UNTIL(mailbox_launches() > 3);
	for (i = 0; i < 200; i++)
		run_one(&b, i, 2);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_and_results),
	    cmocka_unit_test(a_wrong_check_only_costs_time),
	    cmocka_unit_test(check_is_of_the_last_slot),
	    cmocka_unit_test(a_stamp_is_not_taken_twice),
	    cmocka_unit_test(counters_and_log),
	    cmocka_unit_test(masks_and_quotas),
	    cmocka_unit_test(cancel_requests),
	    cmocka_unit_test(cancel_of_an_unclaimed_slot),
	    cmocka_unit_test(idleness),
	    cmocka_unit_test(bursts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
