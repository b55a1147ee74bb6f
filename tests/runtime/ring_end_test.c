/* ring_end_test.c - how a ring ends: stops with slots that nobody has claimed, a handler that does not return, a publisher
 * that dies, objects that go in any order. On the reference kernel's ELF image. */
#include <pthread.h>
#include <unistd.h>

#include "bench_rig.h"
#include "live.h"

static const struct vyre_ring_params small = {.slots = 8, .workers = 1, .first_position = 0xFFFFFF00u};

static void stop_cancels_what_nobody_claimed(void **state)
{
	struct bench b;
	struct vyre_slot slots[8];
	struct vyre_result result;
	vyre_ticket tickets[8];
	pthread_t thread;
	uint32_t i, done = 0, empty = 0;

	(void)state;
	bench_open(&b, "never_claims_entry", small);
	for (i = 0; i < 8; i++)
		slots[i] = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 8, 0, 0, tickets), VYRE_OK);
	bench_stop_in_vain(&b, 2000000);
	for (i = 0; i < 8; i++) {
		assert_int_equal(vyre_wait(b.ring, tickets[i], 0, &result), VYRE_OK);
		assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	}
	assert_int_equal(vyre_publish(b.publisher, slots, 1, 0, 0, NULL), VYRE_STOPPED);
	assert_int_equal(vyre_publish(b.publisher, slots, 1, VYRE_PUBLISH_WAIT, SECONDS(1), NULL), VYRE_STOPPED);
	assert_int_equal(vyre_ring_stop(b.ring, 1, 0), VYRE_OK); /* again */
	assert_int_equal(bench_stats(&b).retired, 8);
	bench_close(&b);

	/* With slots in flight: what is claimed ends, the rest is cancelled, nothing is in between. */
	bench_open(&b, NULL, (struct vyre_ring_params){.slots = 64, .workers = 1});
	tickets[0] = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	for (i = 1; i < 8; i++)
		tickets[i] = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, bench_open_gate_later, &b), 0);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	pthread_join(thread, NULL);
	for (i = 0; i < 8; i++) {
		assert_int_equal(vyre_wait(b.ring, tickets[i], 0, &result), VYRE_OK);
		done += result.status == VYRE_SLOT_DONE;
		empty += result.status == VYRE_SLOT_EMPTY;
	}
	assert_int_equal(done + empty, 8);
	assert_int_equal(bench_stats(&b).retired, 8);
	bench_close(&b);
}

static void stop_cancels_parked_slots(void **state)
{
	struct bench b;
	struct vyre_result result;
	vyre_ticket ticket;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, small);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 0, 0), VYRE_OK);
	ticket = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
	for (i = 0; i < 10000 && bench_stats(&b).parked != 1; i++)
		usleep(1000);
	assert_int_equal(vyre_ring_drain(b.ring, 1000000), VYRE_TIMEOUT);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, ticket, 0, &result), VYRE_OK);
	assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	assert_int_equal(bench_stats(&b).parked, 0);
	bench_close(&b);
}

struct waiter {
	struct vyre_ring *ring;
	vyre_ticket ticket;
};

static void *wait_forever(void *argument)
{
	struct waiter *waiter = argument;
	struct vyre_result result;

	assert_int_equal(vyre_wait(waiter->ring, waiter->ticket, VYRE_FOREVER, &result), VYRE_OK);
	assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	return NULL;
}

static void stop_wakes_waiters(void **state)
{
	struct bench b;
	struct waiter waiter;
	pthread_t thread;

	(void)state;
	bench_open(&b, "never_claims_entry", small);
	waiter = (struct waiter){b.ring, bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0)};
	assert_int_equal(pthread_create(&thread, NULL, wait_forever, &waiter), 0);
	usleep(10000);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	pthread_join(thread, NULL);
	bench_close(&b);
}

/* The gate's memory belongs to the kernel as long as a handler runs in it, whatever was destroyed before. */
static void a_handler_that_does_not_return(void **state)
{
	struct bench b;
	uint32_t *gate;

	(void)state;
	bench_open(&b, NULL, small);
	vyre_ticket ticket = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	while (vyre_slot_status(b.ring, ticket >> VYRE_OWNER_SHIFT) != VYRE_SLOT_CLAIMED)
		usleep(100); /* a slot that no worker has taken yet would be cancelled, not waited for */
	assert_int_equal(vyre_ring_stop(b.ring, 1, 1000000), VYRE_TIMEOUT);
	assert_int_equal(vyre_ring_stop(b.ring, 0, 0), VYRE_TIMEOUT);
	gate = b.gate_words;
	bench_close(&b); /* logs, does not block, does not free what the worker uses */
	assert_true(vyre_mem_live() > 0);
	__atomic_store_n(gate, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 10000 && vyre_mem_live() != 0; i++)
		usleep(1000);
	assert_int_equal(vyre_mem_live(), 0); /* the last worker freed everything */
}

/* A thread that ends inside publish: its slots are taken back, the next publisher goes on. */
static void *publish_and_die(void *argument)
{
	struct bench *b = argument;
	struct vyre_slot slots[3] = {bench_slot(REFERENCE_OP_MARK, 1, 1, 0), bench_slot(REFERENCE_OP_MARK, 1, 2, 0),
				     bench_slot(REFERENCE_OP_MARK, 1, 3, 0)};

	(void)!vyre_publish(b->publisher, slots, 3, 0, 0, NULL);
	return NULL;
}

static void a_publisher_that_dies(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	bench_open(&b, NULL, small);
	for (i = 0; i < 50; i++) {
		vyre_ticket ticket;
		pthread_t thread;
		uint32_t first;

		b.ring->before_commit = bench_die;
		assert_int_equal(pthread_create(&thread, NULL, publish_and_die, &b), 0);
		pthread_join(thread, NULL);
		b.ring->before_commit = NULL;
		ticket = bench_publish(&b, REFERENCE_OP_MARK, 1, 4, 0);
		assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
		assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
		/* The first slot may have been found at HEAD before the thread died; the others never. */
		first = __atomic_load_n(&b.mark_words[1], __ATOMIC_ACQUIRE);
		assert_true(first <= i + 1);
		assert_int_equal(b.mark_words[4], i + 1);
		assert_int_equal(bench_stats(&b).published, first + b.mark_words[2] + b.mark_words[3] + i + 1);
	}
	bench_close(&b);
}

/* Objects keep what they were made from: any order of destruction is right. */
static void order_of_destruction_is_free(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, NULL, small);
	vyre_device_close(b.device);
	vyre_blob_close(b.blob);
	vyre_kernel_destroy(b.kernel);
	assert_int_equal(vyre_wait(b.ring, bench_publish(&b, REFERENCE_OP_MARK, 1, 9, 0), SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(b.mark_words[9], 1);
	vyre_ring_destroy(b.ring);
	assert_int_equal(vyre_publish(b.publisher, &(struct vyre_slot){.opcode = REFERENCE_OP_NOTHING}, 1, 0, 0, NULL),
			 VYRE_STOPPED);
	vyre_publisher_destroy(b.publisher);
	assert_int_equal(vyre_mem_live(), 0);
}

/* A publisher that has just published may look for sleepers when the ring is already destroyed. */
static void a_publisher_outlives_its_ring(void **state)
{
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	struct vyre_ring *ring;
	struct bench b;

	(void)state;
	bench_open(&b, NULL, small);
	ring = b.ring;
	vyre_ring_destroy(ring);
	b.ring = NULL;
	ring->device->fns->ring_wake(ring, 1);
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, 0, 0, NULL), VYRE_STOPPED);
	bench_close(&b);
	assert_int_equal(vyre_mem_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stop_cancels_what_nobody_claimed),
	    cmocka_unit_test(stop_cancels_parked_slots),
	    cmocka_unit_test(stop_wakes_waiters),
	    cmocka_unit_test(a_handler_that_does_not_return),
	    cmocka_unit_test(a_publisher_that_dies),
	    cmocka_unit_test(order_of_destruction_is_free),
	    cmocka_unit_test(a_publisher_outlives_its_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
