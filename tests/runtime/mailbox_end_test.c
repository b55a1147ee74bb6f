/* mailbox_end_test.c - how a mailbox ring ends, and what it needs to begin: stops, a handler that does not return, a device
 * that is lost or refuses a launch, a publisher that dies, no memory.
 */
#include <pthread.h>

#include "mailbox_rig.h"

static void a_stop_takes_back_what_waits(void **state)
{
	struct vyre_publisher *other;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_MARK, 1, 3, 0);
	struct vyre_ring_stats stats;
	struct vyre_result result;
	vyre_ticket parked;
	struct bench b;

	(void)state;
	mailbox_open(&b, small, BENCH_MARKS);
	assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
	assert_int_equal(vyre_publish(other, &slot, 1, 0, 0, &parked), VYRE_OK);
	run_one(&b, 1, 1);
	bench_stop_in_vain(&b, 10000000);
	assert_int_equal(vyre_wait(b.ring, parked, 0, &result), VYRE_OK);
	assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(stats.retired, 2);
	assert_int_equal(stats.parked, 0);
	assert_int_equal(vyre_publish(other, &slot, 1, 0, 0, NULL), VYRE_STOPPED);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	vyre_publisher_destroy(other);
	bench_close(&b);
}

/* Stopped while the kernel is away. */
static void a_stop_of_a_sleeping_ring(void **state)
{
	struct vyre_ring_params params = small;
	struct bench b;

	(void)state;
	params.idle_ns = 1;
	mailbox_open(&b, params, BENCH_MARKS);
	run_one(&b, 1, 1);
	UNTIL(b.device->fns->ring_sleeping(b.ring) == 2);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	bench_close(&b);
}

/* A handler that does not return: nothing of the ring is touched until it does. */
static void a_kernel_that_does_not_stop(void **state)
{
	struct vyre_ring *ring;
	vyre_ticket blocked;
	struct bench b;
	uint32_t *gate;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	blocked = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	UNTIL(load(&b.ring->live[VYRE_LIVE_HEAD]) == load(&b.ring->live[VYRE_LIVE_TAIL]));
	assert_int_equal(vyre_ring_stop(b.ring, 0, 1000000), VYRE_TIMEOUT);
	assert_int_equal(vyre_poll(b.ring, blocked, NULL), VYRE_TIMEOUT);
	assert_int_equal(vyre_ring_drain(b.ring, 0), VYRE_STOPPED);
	ring = b.ring;
	vyre_ring_ref(ring);
	vyre_publisher_destroy(b.publisher);
	vyre_ring_destroy(b.ring);
	b.ring = NULL;
	b.publisher = NULL;
	gate = b.gate_words;
	__atomic_store_n(gate, 1, __ATOMIC_RELEASE);
	UNTIL(load(&ring->left) && load(&ring->refs) == 1); /* the service thread has let go */
	vyre_ring_unref(ring);
	bench_close(&b);
}

struct waiter {
	struct bench *bench;
	vyre_ticket ticket;
	vyre_status waited, drained, published;
};

static void *wait_for_ever(void *argument)
{
	struct waiter *waiter = argument;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);

	waiter->waited = vyre_wait(waiter->bench->ring, waiter->ticket, VYRE_FOREVER, NULL);
	waiter->drained = vyre_ring_drain(waiter->bench->ring, VYRE_FOREVER);
	waiter->published = vyre_publish(waiter->bench->publisher, &slot, 1, VYRE_PUBLISH_WAIT, VYRE_FOREVER, NULL);
	return NULL;
}

static void *publish_for_ever(void *argument)
{
	struct waiter *waiter = argument;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);

	do
		waiter->published =
		    vyre_publish(waiter->bench->publisher, &slot, 1, VYRE_PUBLISH_WAIT, VYRE_FOREVER, NULL);
	while (waiter->published == VYRE_OK);
	return NULL;
}

/* Everybody is woken, and every call says so. */
static void a_lost_device(void **state)
{
	struct waiter waiter, publisher;
	struct vyre_ring_stats stats;
	vyre_ticket ended;
	pthread_t threads[2];
	struct bench b;
	uint32_t word;
	uint8_t flag;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	ended = bench_publish(&b, REFERENCE_OP_ADD, 2, 1, 2);
	UNTIL(vyre_poll(b.ring, ended, NULL) == VYRE_OK);
	waiter = (struct waiter){.bench = &b, .ticket = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0)};
	publisher = (struct waiter){.bench = &b};
	bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	assert_int_equal(pthread_create(&threads[0], NULL, wait_for_ever, &waiter), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, publish_for_ever, &publisher), 0);
	usleep(20000);
	__atomic_store_n(&mailbox_plan.lose, 1, __ATOMIC_SEQ_CST);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(waiter.waited, VYRE_DEVICE_LOST);
	assert_int_equal(waiter.drained, VYRE_DEVICE_LOST);
	assert_int_equal(waiter.published, VYRE_DEVICE_LOST);
	assert_int_equal(publisher.published, VYRE_DEVICE_LOST);
	assert_int_equal(vyre_poll(b.ring, waiter.ticket, NULL), VYRE_DEVICE_LOST);
	assert_int_equal(vyre_poll_many(b.ring, &waiter.ticket, 1, &flag), 1);
	assert_int_equal(vyre_cancel(b.ring, waiter.ticket, SECONDS(20)), VYRE_DEVICE_LOST);
	assert_int_equal(vyre_wait(b.ring, ended, 0, NULL), VYRE_OK); /* what had ended has ended */
	assert_int_equal(vyre_ring_read_control(b.ring, VYRE_CONTROL_METRICS, &word, 1), VYRE_DEVICE_LOST);
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(vyre_release(b.ring, waiter.ticket), VYRE_OK);
	assert_int_equal(vyre_ring_stop(b.ring, 1, SECONDS(20)), VYRE_DEVICE_LOST);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_DEVICE_LOST);
	assert_non_null(strstr(vyre_last_error(), "was lost"));
	bench_open_gate(&b, 0); /* the threads of this device end after all */
	bench_close(&b);
}

/* The device refuses the first launch: no ring; or a later one: the ring is lost. */
static void refused_launches(void **state)
{
	struct vyre_ring_params params = small;
	struct bench b;

	(void)state;
	params.idle_ns = 1;
	mailbox_open_kernel(&b, BENCH_MARKS);
	params.kernel = b.kernel;
	mailbox_plan.refuse_launch = 1;
	assert_int_equal(vyre_ring_create(&params, &b.ring), VYRE_DEVICE_LOST);
	assert_null(b.ring);
	assert_non_null(strstr(vyre_last_error(), "refuses launch"));
	bench_open_ring(&b, params);
	run_one(&b, 1, 1);
	UNTIL(b.device->fns->ring_sleeping(b.ring) == 2);
	mailbox_plan.refuse_launch = 1;
	assert_int_equal(vyre_wait(b.ring, bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0), SECONDS(20), NULL),
			 VYRE_DEVICE_LOST);
	bench_close(&b);
}

static void *publish_five_and_die(void *argument)
{
	struct bench *b = argument;
	struct vyre_slot slots[5];
	uint32_t i;

	for (i = 0; i < 5; i++)
		slots[i] = bench_slot(REFERENCE_OP_MARK, 1, 8, 0);
	(void)!vyre_publish(b->publisher, slots, 5, 0, 0, NULL);
	return NULL;
}

/* What it had written was never published, whatever the next one publishes there. */
static void a_publisher_that_dies(void **state)
{
	pthread_t thread;
	struct bench b;
	uint32_t i, k;

	(void)state;
	mailbox_open(&b, sleepless, BENCH_MARKS);
	for (i = 0; i < 30; i++) {
		b.ring->before_commit = bench_die;
		assert_int_equal(pthread_create(&thread, NULL, publish_five_and_die, &b), 0);
		pthread_join(thread, NULL);
		b.ring->before_commit = NULL;
		vyre_ring_lock(b.ring);
		for (k = 0; k < 5; k++) {
			uint32_t position = load(&b.ring->live[VYRE_LIVE_TAIL]) + k;

			assert_int_not_equal(load(&b.ring->stamps[position % b.ring->slots]), position);
		}
		vyre_ring_unlock(b.ring);
		for (k = 0; k < 3; k++)
			run_one(&b, i, k);
	}
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(load(&b.mark_words[8]), 0);
	bench_close(&b);
}

/* Each request for memory, and for threads, fails once. */
static void short_of_memory(void **state)
{
	struct vyre_ring_params params = small;
	vyre_status status = VYRE_NOMEM;
	int64_t live;
	struct bench b;
	uint32_t i;

	(void)state;
	mailbox_open_kernel(&b, BENCH_MARKS);
	params.kernel = b.kernel;
	live = vyre_mem_live();
	for (i = 0; status != VYRE_OK; i++) {
		vyre_mem_refuse_after(i);
		status = vyre_ring_create(&params, &b.ring);
		vyre_mem_refuse_after(-1);
		if (status == VYRE_OK)
			break;
		assert_int_equal(status, VYRE_NOMEM);
		assert_int_equal(vyre_mem_live(), live);
		assert_true(i < 100);
	}
	assert_true(i > 10);
	assert_int_equal(vyre_publisher_create(b.ring, 0, &b.publisher), VYRE_OK);
	run_one(&b, 3, 4);
	bench_close(&b);
}

/* The cpu device binds no mailbox; a kernel without one has nothing to be resident with. */
static void the_wrong_device(void **state)
{
	struct vyre_ring_params params = small;
	struct bench b;

	(void)state;
	bench_open_kernel(&b, NULL, mailbox_entry, BENCH_MARKS);
	b.kernel->slice_flags = VYRE_SLICE_MAILBOX; /* of a device that is a cpu all the same */
	params.kernel = b.kernel;
	assert_int_equal(vyre_ring_create(&params, &b.ring), VYRE_UNSUPPORTED);
	bench_close(&b);
}

static void workers_and_share(void **state)
{
	struct vyre_ring_params params = small;
	struct bench b;

	(void)state;
	params.workers = 0;
	mailbox_open(&b, params, BENCH_MARKS);
	assert_int_equal(b.ring->workers, 2);
	bench_close(&b);
	params.share = 300;
	mailbox_open(&b, params, BENCH_MARKS);
	assert_int_equal(b.ring->workers, 5);
	run_one(&b, 1, 2);
	vyre_publisher_destroy(b.publisher);
	vyre_ring_destroy(b.ring);
	b.ring = NULL;
	b.publisher = NULL;
	params.workers = 17;
	params.kernel = b.kernel;
	assert_int_equal(vyre_ring_create(&params, &b.ring), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "17 workers (at most 16)"));
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stop_takes_back_what_waits),
	    cmocka_unit_test(a_stop_of_a_sleeping_ring),
	    cmocka_unit_test(a_kernel_that_does_not_stop),
	    cmocka_unit_test(a_lost_device),
	    cmocka_unit_test(refused_launches),
	    cmocka_unit_test(a_publisher_that_dies),
	    cmocka_unit_test(short_of_memory),
	    cmocka_unit_test(the_wrong_device),
	    cmocka_unit_test(workers_and_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
