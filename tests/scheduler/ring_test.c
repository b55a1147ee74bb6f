/* ring_test.c - what a ring promises, on the scheduler that vyrec assembles: batches, stops, the slots feed. */
#include <pthread.h>
#include <unistd.h>

#include "abi/control.h"
#include "bench_rig.h"
#include "live.h"

enum { OP_MARK = 0x100, OP_HOLD = 0x101, OP_MEET = 0x102 };

static void open_scheduler(struct bench *b, uint32_t workers)
{
	struct vyre_binding bindings[] = {{"gate", 0}, {"marks", 0}};
	struct vyre_kernel_params params = {.bindings = bindings, .binding_count = 2};
	void *map;

	memset(b, 0, sizeof(*b));
	assert_int_equal(vyre_blob_open_file(VYRE_SCHEDULER_LIVE, &b->blob), VYRE_OK);
	assert_int_equal(vyre_device_open("cpu", &b->device), VYRE_OK);
	assert_int_equal(vyre_buffer_create(b->device, 64, &b->gate), VYRE_OK);
	assert_int_equal(vyre_buffer_create(b->device, 64, &b->marks), VYRE_OK);
	assert_int_equal(vyre_buffer_map(b->device, b->gate, &map), VYRE_OK);
	b->gate_words = map;
	assert_int_equal(vyre_buffer_map(b->device, b->marks, &map), VYRE_OK);
	b->mark_words = map;
	bindings[0].buffer = b->gate;
	bindings[1].buffer = b->marks;
	params.blob = b->blob;
	assert_int_equal(vyre_kernel_create(b->device, &params, &b->kernel), VYRE_OK);
	bench_open_ring(b, (struct vyre_ring_params){.slots = 64, .workers = workers, .tenants = 2});
}

/* Until the handler with this mark runs. */
static void wait_for_mark(struct bench *b, uint32_t mark)
{
	int i;

	for (i = 0; i < 20000 && __atomic_load_n(&b->mark_words[mark], __ATOMIC_ACQUIRE) == 0; i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(&b->mark_words[mark], __ATOMIC_ACQUIRE), 1);
}

struct waiting {
	struct bench *bench;
	vyre_ticket ticket;
	vyre_status status;
	uint32_t ended; /* atomic */
};

static void *wait_for_ticket(void *argument)
{
	struct waiting *waiting = argument;

	waiting->status = vyre_wait(waiting->bench->ring, waiting->ticket, VYRE_FOREVER, NULL);
	__atomic_store_n(&waiting->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *stop_and_drain(void *argument)
{
	struct waiting *waiting = argument;

	waiting->status = vyre_ring_stop(waiting->bench->ring, 1, VYRE_FOREVER);
	__atomic_store_n(&waiting->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

static uint32_t ends(struct waiting *waiting)
{
	int i;

	for (i = 0; i < 5000 && !__atomic_load_n(&waiting->ended, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	return __atomic_load_n(&waiting->ended, __ATOMIC_ACQUIRE);
}

/* One claim takes all three: the slot ends while the worker stays in the last one. */
static void a_wait_ends_with_its_slot(void **state)
{
	struct bench b;
	struct waiting waiting = {.bench = &b};
	struct vyre_slot slots[3] = {bench_slot(OP_HOLD, 1, 0, 0), bench_slot(OP_HOLD, 1, 1, 0),
				     bench_slot(OP_HOLD, 1, 2, 0)};
	vyre_ticket tickets[3];
	pthread_t thread;

	(void)state;
	open_scheduler(&b, 1);
	assert_int_equal(vyre_publish(b.publisher, slots, 3, 0, 0, tickets), VYRE_OK);
	bench_open_gate(&b, 0);
	wait_for_mark(&b, 1);
	waiting.ticket = tickets[1];
	assert_int_equal(pthread_create(&thread, NULL, wait_for_ticket, &waiting), 0);
	usleep(50000); /* it sleeps */
	bench_open_gate(&b, 1);
	wait_for_mark(&b, 2);
	assert_int_equal(ends(&waiting), 1);
	bench_open_gate(&b, 2);
	pthread_join(thread, NULL);
	assert_int_equal(waiting.status, VYRE_OK);
	bench_close(&b);
}

/* A detached slot that has ended gives its place back, whatever its batch goes on with. */
static void a_place_is_free_when_its_slot_has_ended(void **state)
{
	struct bench b;
	struct vyre_slot first = bench_slot(OP_HOLD, 1, 0, 0), slots[63];
	uint32_t i;

	(void)state;
	open_scheduler(&b, 1);
	for (i = 0; i < 62; i++)
		slots[i] = bench_slot(OP_MARK, 1, 5, 0);
	slots[62] = bench_slot(OP_HOLD, 1, 1, 0);
	assert_int_equal(vyre_publish(b.publisher, &first, 1, 0, 0, NULL), VYRE_OK);
	wait_for_mark(&b, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 63, 0, 0, NULL), VYRE_OK);
	bench_open_gate(&b, 0);
	wait_for_mark(&b, 1);
	assert_int_equal(vyre_publish(b.publisher, slots, 62, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	bench_open_gate(&b, 1);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(b.mark_words[5], 124);
	bench_close(&b);
}

/* The handler that runs ends; the rest of its batch does not begin. */
static void stop_ends_a_batch(void **state)
{
	struct bench b;
	struct vyre_slot slots[4] = {bench_slot(OP_HOLD, 1, 0, 0), bench_slot(OP_HOLD, 1, 1, 0),
				     bench_slot(OP_HOLD, 1, 2, 0), bench_slot(OP_MARK, 1, 3, 0)};
	struct waiting waiting = {.bench = &b};
	struct vyre_result result;
	vyre_ticket tickets[4];
	pthread_t thread;
	uint32_t i;

	(void)state;
	open_scheduler(&b, 1);
	assert_int_equal(vyre_publish(b.publisher, slots, 4, 0, 0, tickets), VYRE_OK);
	bench_open_gate(&b, 0);
	wait_for_mark(&b, 1); /* which is in one batch with what follows it */
	waiting.ticket = tickets[3];
	assert_int_equal(pthread_create(&thread, NULL, wait_for_ticket, &waiting), 0);
	assert_int_equal(vyre_ring_stop(b.ring, 0, 0), VYRE_TIMEOUT);
	/* The slot in the handler's hands is not cancelled, the others are. */
	assert_int_equal(vyre_poll(b.ring, tickets[1], NULL), VYRE_TIMEOUT);
	assert_int_equal(ends(&waiting), 1);
	pthread_join(thread, NULL);
	bench_open_gate(&b, 1);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	for (i = 0; i < 3; i++) {
		assert_int_equal(vyre_poll(b.ring, tickets[i], &result), VYRE_OK);
		assert_int_equal(result.status, i < 2 ? VYRE_SLOT_DONE : VYRE_SLOT_EMPTY);
		assert_int_equal(result.words[0], i < 2 ? 7 : i);
	}
	assert_int_equal(b.mark_words[2], 0);
	assert_int_equal(b.mark_words[3], 0);
	struct vyre_ring_stats stats;
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(stats.published, 4);
	assert_int_equal(stats.retired, 4);
	bench_close(&b);
}

/* Another's drain that never ends: the ring stops all the same, for both. */
static void a_stop_does_not_wait_for_another(void **state)
{
	struct bench b;
	struct waiting waiting = {.bench = &b};
	struct vyre_slot slot = bench_slot(OP_MARK, 1, 0, 0);
	struct vyre_publisher *masked;
	pthread_t thread;

	(void)state;
	open_scheduler(&b, 1);
	assert_int_equal(vyre_publisher_create(b.ring, 1, &masked), VYRE_OK);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
	assert_int_equal(vyre_publish(masked, &slot, 1, 0, 0, NULL), VYRE_OK);
	assert_int_equal(pthread_create(&thread, NULL, stop_and_drain, &waiting), 0);
	while (__atomic_load_n(&b.ring->closed, __ATOMIC_SEQ_CST) == VYRE_RING_OPEN)
		usleep(100);
	alarm(20); /* instead of a hang */
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	assert_int_equal(ends(&waiting), 1);
	alarm(0);
	pthread_join(thread, NULL);
	assert_int_equal(b.mark_words[0], 0);
	vyre_publisher_destroy(masked);
	bench_close(&b);
}

/* Upload, dispatch, read back: the caller brings the ring's buffers too. */
static void the_slots_feed_is_dispatched(void **state)
{
	enum { CONTROL, RING, LOG, IO, LAUNCH, GATE, MARKS, BUFFERS, SLOTS = 8 };
	static const char *const names[] = {"control", "ring_buffer", "debug_log", "io_queue",
					    "launch",  "gate",	      "marks"};
	static const uint64_t words[] = {VYRE_CONTROL_MIN_WORDS + 2 * VYRE_LIVE_WORDS,
					 SLOTS * VYRE_SLOT_WORDS,
					 VYRE_DEBUG_WORDS,
					 VYRE_IO_WORDS,
					 VYRE_LAUNCH_WORDS,
					 16,
					 16};
	struct vyre_binding bindings[BUFFERS];
	struct vyre_kernel_params params = {.bindings = bindings, .binding_count = BUFFERS};
	uint32_t *maps[BUFFERS], i;
	struct vyre_kernel *kernel;
	struct bench b = {0};

	(void)state;
	assert_int_equal(vyre_blob_open_file(VYRE_SCHEDULER_SLOTS, &b.blob), VYRE_OK);
	assert_int_equal(vyre_device_open("cpu", &b.device), VYRE_OK);
	for (i = 0; i < BUFFERS; i++) {
		void *map;

		bindings[i].name = names[i];
		assert_int_equal(vyre_buffer_create(b.device, 4 * words[i], &bindings[i].buffer), VYRE_OK);
		assert_int_equal(vyre_buffer_map(b.device, bindings[i].buffer, &map), VYRE_OK);
		maps[i] = map;
	}
	params.blob = b.blob;
	assert_int_equal(vyre_kernel_create(b.device, &params, &kernel), VYRE_OK);
	vyre_control_encode_live(maps[CONTROL], 1, 0, SLOTS);
	maps[LAUNCH][VYRE_LAUNCH_ROUND_LIMIT] = 1;
	for (i = 0; i < SLOTS - 1; i++) {
		uint32_t *slot = maps[RING] + i * VYRE_SLOT_WORDS;

		slot[VYRE_SLOT_WORD_OPCODE] = OP_MARK;
		slot[VYRE_SLOT_WORD_ARG0] = i;
		slot[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	}
	assert_int_equal(vyre_kernel_dispatch(kernel, (const uint32_t[3]){2, 1, 1}, NULL), VYRE_OK);
	for (i = 0; i < SLOTS; i++) {
		assert_int_equal(maps[RING][i * VYRE_SLOT_WORDS], i < SLOTS - 1 ? VYRE_SLOT_DONE : VYRE_SLOT_EMPTY);
		assert_int_equal(maps[MARKS][i], i < SLOTS - 1);
	}
	assert_int_equal(maps[CONTROL][VYRE_CONTROL_DONE_COUNT], SLOTS - 1);

	/* More workgroups than processors, and each waits for all. */
	for (i = 0; i < SLOTS; i++) {
		uint32_t *slot = maps[RING] + i * VYRE_SLOT_WORDS;

		slot[VYRE_SLOT_WORD_OPCODE] = OP_MEET;
		slot[VYRE_SLOT_WORD_ARG0] = SLOTS;
		slot[VYRE_SLOT_WORD_ARG0 + 1] = SLOTS;
		slot[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	}
	assert_int_equal(vyre_kernel_dispatch(kernel, (const uint32_t[3]){SLOTS, 1, 1}, NULL), VYRE_OK);
	assert_int_equal(maps[CONTROL][VYRE_CONTROL_DONE_COUNT], 2 * SLOTS - 1);
	assert_int_equal(vyre_kernel_dispatch(kernel, (const uint32_t[3]){64, 1, 1}, NULL), VYRE_INVALID);
	assert_int_equal(vyre_ring_create(&(struct vyre_ring_params){.kernel = kernel}, &b.ring), VYRE_INVALID);
	vyre_kernel_destroy(kernel);
	params.binding_count = BUFFERS - 1;
	params.bindings = bindings + 1;
	assert_int_equal(vyre_kernel_create(b.device, &params, &kernel), VYRE_INVALID); /* control is not bound */
	vyre_device_close(b.device);
	vyre_blob_close(b.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wait_ends_with_its_slot),
	    cmocka_unit_test(a_place_is_free_when_its_slot_has_ended),
	    cmocka_unit_test(stop_ends_a_batch),
	    cmocka_unit_test(a_stop_does_not_wait_for_another),
	    cmocka_unit_test(the_slots_feed_is_dispatched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
