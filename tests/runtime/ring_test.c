/* ring_test.c - what a ring promises, one promise a test, on the reference kernel's ELF image. */
#include <pthread.h>
#include <unistd.h>

#include "bench_rig.h"
#include "live.h"

static const struct vyre_ring_params small = {.slots = 8, .workers = 1, .first_position = 0xFFFFFF00u};

/* Gives up after a long while, so that a lost wake-up fails the test instead of hanging it. */
static void wait_for_sleepers(struct bench *b, uint32_t count)
{
	int i;

	for (i = 0; i < 10000 && bench_stats(b).sleeping != count; i++)
		usleep(1000);
	assert_int_not_equal(i, 10000);
}

static void round_trip(void **state)
{
	struct bench b;
	struct vyre_result result;
	vyre_ticket ticket;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, small);
	for (i = 0; i < 1000; i++) {
		ticket = bench_publish(&b, REFERENCE_OP_ADD, 2, i, 1000000);
		assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), &result), VYRE_OK);
		assert_int_equal(result.status, VYRE_SLOT_DONE);
		assert_int_equal(result.words[0], i + 1000000);
		assert_int_equal(result.words[1], 1000000);
		assert_int_equal(result.words[2], 0);
	}
	assert_int_equal(bench_stats(&b).published, 1000);
	assert_int_equal(bench_stats(&b).retired, 1000);
	bench_close(&b);
}

static void poll_says_when(void **state)
{
	struct bench b;
	struct vyre_result result;
	vyre_ticket tickets[4];
	uint8_t ended[4];
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, small);
	tickets[0] = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	for (i = 1; i < 4; i++)
		tickets[i] = bench_publish(&b, REFERENCE_OP_ADD, 2, i, i);
	assert_int_equal(vyre_poll(b.ring, tickets[0], NULL), VYRE_TIMEOUT);
	assert_int_equal(vyre_wait(b.ring, tickets[0], 0, NULL), VYRE_TIMEOUT);
	assert_int_equal(vyre_wait(b.ring, tickets[0], 3000000, NULL), VYRE_TIMEOUT);
	assert_int_equal(vyre_ring_drain(b.ring, 1000000), VYRE_TIMEOUT);
	memset(ended, 0xFF, sizeof(ended));
	assert_int_equal(vyre_poll_many(b.ring, tickets, 4, ended), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(ended[i], 0);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_poll_many(b.ring, tickets, 4, ended), 4);
	assert_int_equal(vyre_poll(b.ring, tickets[3], &result), VYRE_OK);
	assert_int_equal(result.words[0], 6);
	assert_int_equal(vyre_poll(b.ring, tickets[3], &result), VYRE_OK); /* the ticket stays held */
	bench_close(&b);
}

static void tickets_go_stale(void **state)
{
	struct bench b;
	struct vyre_result result;
	vyre_ticket ticket, later;
	uint8_t ended = 0;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, small);
	ticket = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_STALE);
	assert_int_equal(vyre_poll(b.ring, ticket, &result), VYRE_STALE);
	assert_int_equal(vyre_release(b.ring, ticket), VYRE_STALE);
	assert_int_equal(vyre_poll_many(b.ring, &ticket, 1, &ended), 1);
	for (i = 0; i < 32; i++) { /* the place is used again and again: still stale */
		later = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
		assert_true(later != ticket);
		assert_int_equal(vyre_poll(b.ring, ticket, NULL), VYRE_STALE);
		assert_int_equal(vyre_wait(b.ring, later, SECONDS(20), NULL), VYRE_OK);
	}
	assert_int_equal(vyre_poll(b.ring, 0, NULL), VYRE_STALE);
	assert_int_equal(vyre_poll(b.ring, UINT64_MAX, NULL), VYRE_STALE);
	assert_int_equal(vyre_release(b.ring, 12345), VYRE_STALE);
	bench_close(&b);
}

static void full_and_room(void **state)
{
	struct bench b;
	struct vyre_slot slots[9];
	vyre_ticket tickets[8], one;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, small);
	slots[0] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	for (i = 1; i < 9; i++)
		slots[i] = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 0, 0, 0, NULL), VYRE_INVALID);
	assert_int_equal(vyre_publish(b.publisher, slots, 9, 0, 0, NULL), VYRE_INVALID);
	assert_int_equal(vyre_publish(b.publisher, slots, 8, 0, 0, tickets), VYRE_OK);
	assert_int_equal(vyre_publish(b.publisher, slots, 1, 0, 0, &one), VYRE_FULL);
	assert_int_equal(vyre_publish(b.publisher, slots, 1, VYRE_PUBLISH_WAIT, 2000000, &one), VYRE_TIMEOUT);
	assert_int_equal(bench_stats(&b).published, 8);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	/* Ended, but every place is held by its ticket. */
	assert_int_equal(vyre_publish(b.publisher, slots, 1, 0, 0, &one), VYRE_FULL);
	assert_int_equal(vyre_release(b.ring, tickets[5]), VYRE_OK);
	assert_int_equal(vyre_publish(b.publisher, slots, 2, 0, 0, NULL), VYRE_FULL); /* all or none */
	assert_int_equal(vyre_publish(b.publisher, &slots[1], 1, 0, 0, NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_publish(b.publisher, &slots[1], 1, 0, 0, NULL), VYRE_OK); /* detached: free again */
	for (i = 0; i < 8; i++)
		if (i != 5)
			assert_int_equal(vyre_release(b.ring, tickets[i]), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_publish(b.publisher, &slots[1], 8, 0, 0, NULL), VYRE_OK);
	bench_close(&b);
}

struct later {
	struct bench *bench;
	vyre_ticket ticket;
};

static void *release_later(void *argument)
{
	struct later *later = argument;

	usleep(20000);
	assert_int_equal(vyre_release(later->bench->ring, later->ticket), VYRE_OK);
	return NULL;
}

static void publishers_wait_for_room(void **state)
{
	struct bench b;
	struct vyre_slot slots[8];
	vyre_ticket tickets[8];
	struct later later = {&b, 0};
	pthread_t thread;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, small);
	for (i = 0; i < 8; i++)
		slots[i] = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 8, 0, 0, tickets), VYRE_OK);
	later.ticket = tickets[2];
	assert_int_equal(pthread_create(&thread, NULL, release_later, &later), 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	pthread_join(thread, NULL);
	for (i = 0; i < 8; i++)
		if (i != 2)
			assert_int_equal(vyre_release(b.ring, tickets[i]), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	/* Room that comes from slots that end: a handler that blocks the only worker. */
	slots[0] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 8, 0, 0, NULL), VYRE_OK);
	assert_int_equal(pthread_create(&thread, NULL, bench_open_gate_later, &b), 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 8, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	pthread_join(thread, NULL);
	bench_close(&b);
}

static void faults(void **state)
{
	struct bench b;
	struct vyre_result result;
	struct vyre_slot slot = bench_slot(0x777, 1, 5, 0);
	vyre_ticket ticket;

	(void)state;
	bench_open(&b, NULL, (struct vyre_ring_params){.slots = 8, .workers = 1, .tenants = 2});
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, 0, 0, &ticket), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "0x777"));
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, VYRE_PUBLISH_UNCHECKED, 0, &ticket), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), &result), VYRE_FAULT);
	assert_int_equal(result.status, VYRE_SLOT_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_UNKNOWN_OPCODE);
	assert_int_equal(result.fault_detail, 0x777);
	assert_int_equal(vyre_poll(b.ring, ticket, NULL), VYRE_STALE); /* a fault releases too */
	ticket = bench_publish(&b, REFERENCE_OP_TRAP, 1, 99, 0);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), &result), VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_TRAP);
	assert_int_equal(result.fault_detail, 99);
	assert_int_equal(bench_stats(&b).faults, 2);
	assert_int_equal(bench_stats(&b).detached_faults, 0);
	/* Detached faults are counted, and their places come back. */
	slot = bench_slot(REFERENCE_OP_TRAP, 1, 7, 0);
	for (uint32_t i = 0; i < 20; i++) {
		slot.args[0] = 7 + i;
		assert_int_equal(vyre_publish(b.publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
		assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	}
	assert_int_equal(bench_stats(&b).detached_faults, 20);
	assert_int_equal(bench_stats(&b).last_fault_code, VYRE_FAULT_TRAP);
	assert_int_equal(bench_stats(&b).last_fault_detail, 26);
	assert_int_equal(bench_stats(&b).faults, 22);
	bench_close(&b);
}

static void tenant_out_of_range(void **state)
{
	struct bench b;
	struct vyre_result result;
	struct vyre_publisher *publisher = (void *)1;
	vyre_ticket ticket;

	(void)state;
	bench_open(&b, NULL, (struct vyre_ring_params){.slots = 8, .workers = 1, .tenants = 2});
	assert_int_equal(vyre_publisher_create(b.ring, 2, &publisher), VYRE_INVALID);
	assert_null(publisher);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 2, 1), VYRE_INVALID);
	/* The loader never stamps such a tenant; the device refuses it all the same. */
	b.publisher->tenant = 28;
	ticket = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), &result), VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_TENANT);
	assert_int_equal(result.fault_detail, 28);
	bench_close(&b);
}

static void masked_tenants_wait_and_delay_nobody(void **state)
{
	struct bench b;
	struct vyre_publisher *other;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_MARK, 1, 3, 0);
	vyre_ticket masked[4], ticket;
	uint32_t i, round;

	(void)state;
	bench_open(&b, NULL,
		   (struct vyre_ring_params){.slots = 16, .workers = 2, .tenants = 2, .first_position = 0xFFFFFF00u});
	assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
	for (round = 1; round <= 20; round++) {
		assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
		for (i = 0; i < 4; i++)
			assert_int_equal(vyre_publish(other, &slot, 1, 0, 0, &masked[i]), VYRE_OK);
		for (i = 0; i < 100; i++) {
			ticket = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
			assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
		}
		for (i = 0; i < 10000 && bench_stats(&b).parked != 4; i++)
			usleep(1000);
		assert_int_equal(bench_stats(&b).parked, 4);
		assert_int_equal(vyre_wait(b.ring, masked[0], 1000000, NULL), VYRE_TIMEOUT);
		assert_int_equal(b.mark_words[3], 4 * (round - 1));
		if (round % 2) /* also when everybody sleeps */
			wait_for_sleepers(&b, 2);
		assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 1), VYRE_OK);
		for (i = 0; i < 4; i++)
			assert_int_equal(vyre_wait(b.ring, masked[i], SECONDS(20), NULL), VYRE_OK);
		assert_int_equal(b.mark_words[3], 4 * round);
		assert_int_equal(bench_stats(&b).parked, 0);
	}
	vyre_publisher_destroy(other);
	bench_close(&b);
}

static void idle_workers_sleep_and_wake(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, (struct vyre_ring_params){.slots = 8, .workers = 2, .idle_ns = 1});
	for (i = 0; i < 20; i++) {
		vyre_ticket ticket;

		wait_for_sleepers(&b, 2);
		ticket = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
		assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
	}
	assert_true(bench_stats(&b).wakes >= 20);
	bench_close(&b);
}

/* Workers that leave at every chance, publishers and waiters that sleep at every chance. */
static void no_wake_up_is_lost(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL,
		   (struct vyre_ring_params){.slots = 2, .workers = 2, .idle_ns = 1, .first_position = 0xFFFFFF00u});
	b.ring->spins = 0;
	for (i = 0; i < 10000; i++) {
		vyre_ticket ticket = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);

		assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
	}
	assert_int_equal(bench_stats(&b).metrics[REFERENCE_OP_NOTHING], 10000);
	bench_close(&b);
}

static void odd_kernels(void **state)
{
	static const char *const entries[] = {"leaves_at_once_entry", "nonsense_entry", "never_claims_entry"};
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	struct bench b;
	uint32_t i, j, records[4][4];

	(void)state;
	for (i = 0; i < 3; i++) {
		bench_open(&b, entries[i], (struct vyre_ring_params){.slots = 8, .workers = 2});
		for (j = 0; j < 64; j++) {
			vyre_ticket ticket;
			vyre_status status = vyre_publish(b.publisher, &slot, 1, 0, 0, &ticket);

			assert_true(status == VYRE_OK || status == VYRE_FULL);
			if (status == VYRE_OK)
				assert_int_equal(vyre_wait(b.ring, ticket, 100000, NULL), VYRE_TIMEOUT);
		}
		assert_int_equal(vyre_ring_drain(b.ring, 1000000), VYRE_TIMEOUT);
		bench_stats(&b);
		assert_true(vyre_ring_read_log(b.ring, 0, records, 4) <= 4);
		assert_int_equal(vyre_ring_read_log(b.ring, 0xFFFFFFFFu, records, 4), 0);
		assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
		bench_close(&b);
	}
}

static void log_records(void **state)
{
	struct bench b;
	struct vyre_slot slot = {.opcode = REFERENCE_OP_LOG, .priority = VYRE_PRIORITY_NORMAL, .arg_count = 3};
	uint32_t records[VYRE_DEBUG_RECORDS][4], i;

	(void)state;
	bench_open(&b, NULL, small);
	for (i = 0; i < VYRE_DEBUG_RECORDS + 10; i++) {
		slot.args[0] = i;
		slot.args[1] = i * 2;
		slot.args[2] = i * 3;
		assert_int_equal(vyre_publish(b.publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	}
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(bench_stats(&b).debug_records, VYRE_DEBUG_RECORDS);
	assert_int_equal(bench_stats(&b).debug_dropped, 10);
	assert_int_equal(vyre_ring_read_log(b.ring, 2, records, VYRE_DEBUG_RECORDS), VYRE_DEBUG_RECORDS - 2);
	assert_int_equal(records[0][0], 2);
	assert_int_equal(records[5][1], 14);
	assert_int_equal(records[5][2], 21);
	assert_int_equal(records[0][3] % VYRE_SLOT_WORDS, 0);
	bench_close(&b);
}

static void *publish_much(void *argument)
{
	struct bench *b = argument;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	uint32_t i;

	for (i = 0; i < 300000; i++)
		if (vyre_publish(b->publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL) != VYRE_OK)
			return b;
	return NULL;
}

static void *publish_in_threes(void *argument)
{
	struct bench *b = argument;
	struct vyre_slot slots[3];
	uint32_t i;

	for (i = 0; i < 3; i++)
		slots[i] = bench_slot(REFERENCE_OP_MARK, 1, i, 0);
	for (i = 0; i < 10000; i++)
		if (vyre_publish(b->publisher, slots, 3, VYRE_PUBLISH_WAIT, SECONDS(20), NULL) != VYRE_OK)
			return b;
	return NULL;
}

/* Always full, always somebody asleep for room; a thread sanitizer sees what they read of each other. */
static void publishers_share_a_small_ring(void **state)
{
	struct bench b;
	pthread_t threads[3];
	void *failed;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, (struct vyre_ring_params){.slots = 8, .workers = 2, .idle_ns = 1000});
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, publish_in_threes, &b), 0);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	for (i = 0; i < 3; i++)
		assert_int_equal(b.mark_words[i], 30000);
	bench_close(&b);
}

/* published - retired is what is in flight: never below zero, whenever it is asked. */
static void no_more_retire_than_were_published(void **state)
{
	struct vyre_ring_stats now = {0};
	struct bench b;
	pthread_t thread;
	void *failed;

	(void)state;
	bench_open(&b, NULL, (struct vyre_ring_params){.slots = 64, .workers = 1});
	assert_int_equal(pthread_create(&thread, NULL, publish_much, &b), 0);
	while (now.published < 300000) {
		now = bench_stats(&b);
		assert_true(now.retired <= now.published);
	}
	pthread_join(thread, &failed);
	assert_null(failed);
	bench_close(&b);
}

static void parameters_are_checked(void **state)
{
	static const struct vyre_ring_params bad[] = {
	    {.slots = 3},     {.slots = 1},    {.slots = 1u << 21},
	    {.workers = 257}, {.tenants = 30}, {.observables = (1u << 20) + 1},
	    {.flags = 2},
	};
	struct bench b;
	struct vyre_ring *ring;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 13, 0, 0);
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, (struct vyre_ring_params){.observables = 100});
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vyre_ring_params params = bad[i];

		params.kernel = b.kernel;
		ring = (void *)1;
		assert_int_equal(vyre_ring_create(&params, &ring), VYRE_INVALID);
		assert_null(ring);
	}
	assert_int_equal(vyre_ring_create(&(struct vyre_ring_params){0}, &ring), VYRE_INVALID);
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, 0, 0, NULL), VYRE_INVALID);
	slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	slot.priority = 5;
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, 0, 0, NULL), VYRE_INVALID);
	slot.priority = VYRE_PRIORITY_NORMAL;
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, 4, 0, NULL), VYRE_INVALID);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(poll_says_when),
	    cmocka_unit_test(tickets_go_stale),
	    cmocka_unit_test(full_and_room),
	    cmocka_unit_test(publishers_wait_for_room),
	    cmocka_unit_test(faults),
	    cmocka_unit_test(tenant_out_of_range),
	    cmocka_unit_test(masked_tenants_wait_and_delay_nobody),
	    cmocka_unit_test(idle_workers_sleep_and_wake),
	    cmocka_unit_test(no_wake_up_is_lost),
	    cmocka_unit_test(odd_kernels),
	    cmocka_unit_test(log_records),
	    cmocka_unit_test(publishers_share_a_small_ring),
	    cmocka_unit_test(no_more_retire_than_were_published),
	    cmocka_unit_test(parameters_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
