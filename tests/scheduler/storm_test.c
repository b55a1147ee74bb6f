/* storm_test.c - slots that suspend, spawn and wait, on the loader and the scheduler that vyrec really emits: numbers that
 * come out exactly, whatever the workers, publishers and cancellers do to each other. */
#include <pthread.h>
#include <unistd.h>

#include "abi/queue.h"
#include "bench_rig.h"
#include "live.h"
#include "mailbox_kernel.h"

#ifndef IS_BEHIND_MAILBOX
#define IS_BEHIND_MAILBOX 0
#endif

enum { MARK = 0x100, TURNS, MOVES, SLEEPS, MANY, TREE, CROWD, FENCE = 7, MARKS = 4096, RESULT_WORDS = 12 };

static void open_live(struct bench *b, struct vyre_ring_params ring)
{
	struct vyre_binding bindings[] = {{"marks", 0}};
	struct vyre_kernel_params params = {.bindings = bindings, .binding_count = 1};
	void *map;

	memset(b, 0, sizeof(*b));
	assert_int_equal(vyre_blob_open_file(VYRE_SCHEDULER_STORM, &b->blob), VYRE_OK);
	assert_int_equal(vyre_device_open("cpu", &b->device), VYRE_OK);
	if (IS_BEHIND_MAILBOX)
		mailbox_device_take(b->device);
	assert_int_equal(vyre_buffer_create(b->device, 4 * MARKS, &b->marks), VYRE_OK);
	assert_int_equal(vyre_buffer_map(b->device, b->marks, &map), VYRE_OK);
	b->mark_words = map;
	bindings[0].buffer = b->marks;
	params.blob = b->blob;
	assert_int_equal(vyre_kernel_create(b->device, &params, &b->kernel), VYRE_OK);
	if (IS_BEHIND_MAILBOX) /* no blob says that of native code */
		b->kernel->slice_flags = VYRE_SLICE_MAILBOX;
	ring.workers = (ring.workers ? ring.workers : 2) + IS_BEHIND_MAILBOX; /* and the ferry */
	bench_open_ring(b, ring);
}

static uint32_t mark(const struct bench *b, uint32_t i)
{
	return __atomic_load_n(&b->mark_words[i], __ATOMIC_ACQUIRE);
}

/* Also where the host would not get at it. */
static const uint32_t *words_of(const struct bench *b, unsigned buffer)
{
	return (const uint32_t *)(uintptr_t)b->ring->memories[buffer]->address;
}

/* Nothing has been left over in the ring's own memory. The workers are idle or have left. */
static void is_clean(struct bench *b)
{
	const uint32_t *queue = words_of(b, VYRE_RING_BUFFER_QUEUE), *frames = words_of(b, VYRE_RING_BUFFER_FRAMES);
	const uint32_t *control = words_of(b, VYRE_RING_BUFFER_CONTROL);
	uint32_t i, cells = queue[VYRE_QUEUE_CELLS], spawned = queue[VYRE_QUEUE_SPAWNED];

	for (i = 0; i < VYRE_QUEUE_RINGS; i++)
		assert_int_equal(queue[VYRE_QUEUE_TAIL + i], queue[VYRE_QUEUE_HEAD + i]);
	assert_int_equal(queue[VYRE_QUEUE_PAUSED], 0);
	for (i = 0; i < (spawned + 31) / 32; i++)
		assert_int_equal(
		    queue[VYRE_QUEUE_HEADER_WORDS + cells * 2 * VYRE_QUEUE_RINGS + spawned * VYRE_SLOT_WORDS + i], 0);
	for (i = 0; i < frames[VYRE_FRAMES_RECORDS] * VYRE_RECORD_WORDS; i++)
		assert_int_equal(frames[VYRE_FRAMES_HEADER_WORDS + i], 0);
	for (i = 0; i < 32; i++)
		assert_int_equal(b->ring->live[VYRE_LIVE_TENANT_RETIRED + i],
				 control[VYRE_CONTROL_TENANT_FAIRNESS + i]);
	assert_int_equal(b->ring->live[VYRE_LIVE_WAITING], 0);
	assert_int_equal(b->ring->live[VYRE_LIVE_READY], 0);
	assert_int_equal(b->ring->live[VYRE_LIVE_PARKED], 0);
	assert_int_equal(b->ring->live[VYRE_LIVE_PARKED_QUOTA], 0);
}

/* Drains, stops and looks. */
static void close_live(struct bench *b)
{
	assert_int_equal(vyre_ring_drain(b->ring, SECONDS(60)), VYRE_OK);
	assert_int_equal(vyre_ring_stop(b->ring, 1, SECONDS(60)), VYRE_OK);
	is_clean(b);
	bench_close(b);
}

static vyre_ticket publish(struct bench *b, struct vyre_publisher *publisher, uint32_t opcode, uint32_t x, uint32_t y)
{
	struct vyre_slot slot = bench_slot(opcode, 2, x, y);
	vyre_ticket ticket = 0;

	(void)b;
	slot.arg_count = opcode == MARK ? 1 : 2;
	assert_int_equal(vyre_publish(publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(60), &ticket), VYRE_OK);
	return ticket;
}

static void ends(struct bench *b, vyre_ticket ticket, struct vyre_result *result)
{
	assert_int_equal(vyre_wait(b->ring, ticket, SECONDS(60), result), VYRE_OK);
}

/* ---- spawned slots -------------------------------------------------------------------------------------------------- */

/* Far more children than there is room for, from several parents on two workers. */
static void a_hundred_thousand_children(void **state)
{
	struct vyre_result result;
	vyre_ticket tickets[4];
	struct bench b;
	uint32_t i;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 16, .spawned = 96, .first_position = 0xFFFFFF00});
	for (i = 0; i < 4; i++)
		tickets[i] = publish(&b, b.publisher, MANY, i, 25000);
	for (i = 0; i < 4; i++) {
		ends(&b, tickets[i], &result);
		assert_int_equal(result.words[0], 25000);
		assert_int_equal(mark(&b, i), 25000);
	}
	close_live(&b);
}

static void a_tree_of_spawned_slots(void **state)
{
	struct bench b;
	vyre_ticket root;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 16, .spawned = (1 << 16) + 64});
	root = publish(&b, b.publisher, TREE, 0, 15);
	ends(&b, root, NULL);
	assert_int_equal(mark(&b, 0), 65535); /* all of them before the root ended */
	assert_int_equal(mark(&b, 1), 0);
	root = publish(&b, b.publisher, TREE, 2, 16);
	ends(&b, root, NULL);
	/* who had no room says so; what it would have spawned is missing */
	assert_true(mark(&b, 2) <= 131071);
	close_live(&b);
}

/* ---- turns ---------------------------------------------------------------------------------------------------------- */

static void slots_that_yield_and_move(void **state)
{
	enum { SLOTS = 20000 };
	static vyre_ticket tickets[512];
	struct vyre_result result;
	struct bench b;
	uint32_t i, sum = 0, moved = 0;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 512, .first_position = 0xFFFFFFF0});
	for (i = 0; i < SLOTS; i++) {
		vyre_ticket *ticket = &tickets[i % 512];

		if (i >= 512) {
			ends(&b, *ticket, &result);
			if ((i - 512) % 5 != 4)
				assert_int_equal(result.words[0],
						 (i - 512) % 9 * ((i - 512) % 9 ? (i - 512) % 9 - 1 : 0) / 2);
		}
		*ticket = publish(&b, b.publisher, i % 5 == 4 ? MOVES : TURNS, i % 5 == 4 ? 1 : 0, i % 9);
		moved += i % 5 == 4;
		sum += i % 5 != 4;
	}
	for (i = 0; i < 512; i++)
		ends(&b, tickets[i], NULL);
	assert_int_equal(mark(&b, 0), sum);
	assert_int_equal(mark(&b, 1), moved);
	close_live(&b);
}

/* ---- epochs --------------------------------------------------------------------------------------------------------- */

/* Whoever sleeps until an epoch wakes once the fence has moved it; workers fall asleep in between. */
static void sleepers_and_fences(void **state)
{
	struct bench b;
	uint32_t i, k;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 64, .idle_ns = 20000});
	for (i = 0; i < 400; i++) {
		vyre_ticket sleeper[3], fence;

		for (k = 0; k < 3; k++)
			sleeper[k] = publish(&b, b.publisher, SLEEPS, 0, i + 1 + k / 2);
		if (i % 16 == 0)
			usleep(200); /* both workers leave, with three slots waiting */
		assert_int_equal(mark(&b, 0), 3 * i - (i ? 1 : 0));
		fence = publish(&b, b.publisher, FENCE, 0, i);
		ends(&b, fence, NULL);
		for (k = 0; k < 2; k++)
			ends(&b, sleeper[k], NULL);
		if (i) /* the last round's third one */
			for (k = 0; k < 20000 && mark(&b, 0) != 3 * i + 2; k++)
				usleep(100);
		assert_int_equal(mark(&b, 0), 3 * i + 2);
		assert_int_equal(vyre_release(b.ring, sleeper[2]), VYRE_OK);
	}
	ends(&b, publish(&b, b.publisher, FENCE, 0, 0), NULL);
	close_live(&b);
}

/* A fence ends after what was published before it, on two workers. */
static void fences_keep_order(void **state)
{
	struct bench b;
	uint32_t i, k;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 128});
	for (i = 0; i < 3000; i++) {
		struct vyre_slot slots[21];

		for (k = 0; k < 20; k++)
			slots[k] = bench_slot(TURNS, 2, 5, (i + k) % 3);
		slots[20] = bench_slot(FENCE, 2, 20, 0);
		vyre_ticket tickets[21];
		assert_int_equal(vyre_publish(b.publisher, slots, 21, VYRE_PUBLISH_WAIT, SECONDS(60), tickets),
				 VYRE_OK);
		ends(&b, tickets[20], NULL);
		assert_int_equal(mark(&b, 5), 20 * (i + 1));
		for (k = 0; k < 20; k++)
			assert_int_equal(vyre_release(b.ring, tickets[k]), VYRE_OK);
	}
	assert_int_equal(__atomic_load_n(&words_of(&b, VYRE_RING_BUFFER_CONTROL)[VYRE_CONTROL_EPOCH], __ATOMIC_RELAXED),
			 3000);
	close_live(&b);
}

/* ---- tenants -------------------------------------------------------------------------------------------------------- */

static void one_masked_tenant_of_29(void **state)
{
	struct vyre_publisher *publishers[29];
	struct bench b;
	uint32_t i, t;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 1024, .tenants = 29});
	for (t = 0; t < 29; t++)
		assert_int_equal(vyre_publisher_create(b.ring, t, &publishers[t]), VYRE_OK);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 7, 0), VYRE_OK);
	for (i = 0; i < 500; i++)
		assert_int_equal(vyre_release(b.ring, publish(&b, publishers[7], TURNS, 7, i % 3)), VYRE_OK);
	for (i = 0; i < 2000; i++)
		for (t = 0; t < 29; t += 1 + (t == 6))
			assert_int_equal(vyre_release(b.ring, publish(&b, publishers[t], TURNS, t, i % 3)), VYRE_OK);
	for (t = 0; t < 29; t++)
		for (i = 0; i < 60000 && t != 7 && mark(&b, t) != 2000; i++)
			usleep(1000);
	for (t = 0; t < 29; t++)
		assert_int_equal(mark(&b, t), t == 7 ? 0 : 2000);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 7, 1), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(60)), VYRE_OK);
	assert_int_equal(mark(&b, 7), 500);
	for (t = 0; t < 29; t++)
		vyre_publisher_destroy(publishers[t]);
	close_live(&b);
}

/* The quota moves while slots are in flight, below what is; never are there more than the largest, and all end. */
static void quotas_that_move(void **state)
{
	struct vyre_publisher *publisher;
	struct bench b;
	uint32_t i, published = 0;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 64, .tenants = 2});
	assert_int_equal(vyre_publisher_create(b.ring, 1, &publisher), VYRE_OK);
	for (i = 0; i < 4000; i++) {
		struct vyre_slot slot = bench_slot(CROWD, 2, 0, i % 4);

		if (i % 8 == 0)
			assert_int_equal(vyre_ring_set_quota(b.ring, 1, 1 + i / 8 % 12), VYRE_OK);
		if (vyre_publish(publisher, &slot, 1, 0, 0, NULL) == VYRE_OK) /* else over its quota */
			published++;
		if (i % 3 == 0)
			assert_int_equal(vyre_release(b.ring, publish(&b, b.publisher, MARK, 5, 0)), VYRE_OK);
	}
	assert_int_equal(vyre_ring_set_quota(b.ring, 1, 1000), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(60)), VYRE_OK);
	assert_int_equal(mark(&b, 0), 0);
	assert_in_range(mark(&b, 1), 1, 12);
	assert_int_equal(mark(&b, 2), published);
	vyre_publisher_destroy(publisher);
	close_live(&b);
}

/* ---- all at once ---------------------------------------------------------------------------------------------------- */

struct storm {
	struct bench *b;
	struct vyre_publisher *publisher;
	uint32_t first;	    /* marks of its own */
	uint32_t cancelled; /* of slots without children */
	uint32_t parents, parents_done;
	uint32_t *over; /* atomic */
};

/* Publishes, and cancels every third slot at some time. Each ticket ends once: it has marked, or it was cancelled. */
static void *storm_of_slots(void *argument)
{
	static const uint32_t opcodes[] = {MARK, TURNS, MOVES, SLEEPS, TURNS, MANY};
	struct storm *storm = argument;
	vyre_ticket tickets[8] = {0};
	uint32_t kinds[8] = {0}, i;

	for (i = 0; i < 6008; i++) {
		struct vyre_result result;
		uint32_t at = i % 8;

		if (i >= 8) {
			vyre_status status;

			if (i % 3 == 0)
				assert_int_equal(vyre_cancel(storm->b->ring, tickets[at], SECONDS(60)), VYRE_OK);
			status = vyre_wait(storm->b->ring, tickets[at], SECONDS(60), &result);
			if (status == VYRE_OK) {
				storm->parents_done += kinds[at] == MANY;
			} else {
				assert_int_equal(status, VYRE_FAULT);
				assert_int_equal(result.fault_code, VYRE_FAULT_CANCELLED);
				storm->cancelled += kinds[at] != MANY;
			}
		}
		if (i < 6000) {
			kinds[at] = opcodes[(i + i / 8) % 6];
			storm->parents += kinds[at] == MANY;
			/* an epoch that is there, or the next one: others move it */
			tickets[at] =
			    publish(storm->b, storm->publisher, kinds[at], storm->first + (kinds[at] == MANY),
				    kinds[at] == SLEEPS ? __atomic_load_n(&storm->b->ring->control[VYRE_CONTROL_EPOCH],
									  __ATOMIC_RELAXED) +
							      i % 2
				    : kinds[at] == MANY ? 3
							: i % 6);
		}
	}
	__atomic_add_fetch(storm->over, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void a_storm(void **state)
{
	struct storm storms[2];
	struct vyre_publisher *publisher;
	pthread_t threads[2];
	struct bench b;
	uint32_t i, over = 0;

	(void)state;
	open_live(&b, (struct vyre_ring_params){
			  .slots = 32, .spawned = 8, .tenants = 3, .idle_ns = 5000, .first_position = 0xFFFFFE00});
	assert_int_equal(vyre_publisher_create(b.ring, 0, &publisher), VYRE_OK);
	alarm(300); /* instead of a hang */
	for (i = 0; i < 2; i++) {
		storms[i] = (struct storm){.b = &b, .first = 16 * i, .over = &over};
		assert_int_equal(vyre_publisher_create(b.ring, 1 + i, &storms[i].publisher), VYRE_OK);
		assert_int_equal(pthread_create(&threads[i], NULL, storm_of_slots, &storms[i]), 0);
	}
	for (i = 0; __atomic_load_n(&over, __ATOMIC_SEQ_CST) != 2; i++) {
		assert_int_equal(vyre_ring_set_tenant(b.ring, 1 + i % 2, i / 2 % 2), VYRE_OK);
		if (i % 4 == 1)
			assert_int_equal(vyre_ring_set_quota(b.ring, 2, i % 8 == 1 ? 1000 : 9), VYRE_OK);
		ends(&b, publish(&b, publisher, FENCE, 0, 0), NULL);
		usleep(i % 7 * 20);
		if (i % 16 == 15) { /* both may run */
			assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 1), VYRE_OK);
			assert_int_equal(vyre_ring_set_tenant(b.ring, 2, 1), VYRE_OK);
			usleep(100);
		}
	}
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(vyre_ring_set_tenant(b.ring, 1 + i, 1), VYRE_OK);
		vyre_publisher_destroy(storms[i].publisher);
	}
	alarm(0);
	for (i = 0; i < 2; i++) {
		assert_true(storms[i].cancelled > 0);
		/* Each of those without children marks right before its end, so it has marked or was cancelled. */
		assert_int_equal(mark(&b, 16 * i) + storms[i].cancelled, 6000 - storms[i].parents);
		/* Children run, though their parent is cancelled; it may have spawned none. */
		assert_in_range(mark(&b, 16 * i + 1), 3 * storms[i].parents_done, 3 * storms[i].parents);
	}
	vyre_publisher_destroy(publisher);
	close_live(&b);
}

/* ---- stop ----------------------------------------------------------------------------------------------------------- */

/* Slots that would go on for ever, that wait for what never comes, and children of them: stop ends all. */
static void stop_ends_what_is_suspended(void **state)
{
	struct vyre_ring_stats stats;
	struct vyre_result result;
	vyre_ticket tickets[12];
	struct bench b;
	uint32_t i;

	(void)state;
	open_live(&b, (struct vyre_ring_params){.slots = 64, .spawned = 32});
	for (i = 0; i < 12; i++)
		tickets[i] = i % 3 == 0	  ? publish(&b, b.publisher, TURNS, 0, 0xFFFFFFFF)
			     : i % 3 == 1 ? publish(&b, b.publisher, SLEEPS, 0, 1000)
					  : publish(&b, b.publisher, MANY, 1, 0xFFFFFFF0);
	usleep(20000);
	alarm(60);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
	alarm(0);
	for (i = 0; i < 12; i++) {
		assert_int_equal(vyre_poll(b.ring, tickets[i], &result), VYRE_OK);
		assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	}
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(stats.retired, 12);
	assert_int_equal(mark(&b, 0), 0);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hundred_thousand_children),
	    cmocka_unit_test(a_tree_of_spawned_slots),
	    cmocka_unit_test(slots_that_yield_and_move),
	    cmocka_unit_test(sleepers_and_fences),
	    cmocka_unit_test(fences_keep_order),
	    cmocka_unit_test(one_masked_tenant_of_29),
	    cmocka_unit_test(quotas_that_move),
	    cmocka_unit_test(a_storm),
	    cmocka_unit_test(stop_ends_what_is_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
