/* fence_test.c - BATCH_FENCE as the host sees it: places in a row, places that are kept, an end in every case. */
#include <pthread.h>

#include "bench_rig.h"
#include "live.h"

static void open_bench(struct bench *b, uint32_t slots, uint32_t workers)
{
	bench_open_features(b, VYRE_HAS_BUILTINS);
	bench_open_ring(b, (struct vyre_ring_params){
			       .slots = slots, .workers = workers, .observables = 1, .first_position = 0xFFFFFF00u});
}

static struct vyre_slot fence(uint32_t covers, uint32_t tag)
{
	return bench_slot(VYRE_OPCODE_BATCH_FENCE, 2, covers, tag);
}

static vyre_status publish(struct bench *b, const struct vyre_slot *slots, uint32_t count)
{
	return vyre_publish(b->publisher, slots, count, 0, 0, NULL);
}

static void a_fence_waits_for_what_is_before_it(void **state)
{
	struct vyre_slot slots[3];
	struct vyre_result result;
	vyre_ticket tickets[3];
	struct bench b;

	(void)state;
	open_bench(&b, 8, 2);
	slots[0] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	slots[1] = bench_slot(REFERENCE_OP_MARK, 1, 1, 0);
	slots[2] = fence(2, 1234);
	assert_int_equal(vyre_publish(b.publisher, slots, 3, 0, 0, tickets), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, tickets[1], SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, tickets[2], 2000000, &result), VYRE_TIMEOUT);
	assert_int_equal(b.ring->control[VYRE_CONTROL_EPOCH], 0);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_wait(b.ring, tickets[2], SECONDS(20), &result), VYRE_OK);
	assert_int_equal(b.ring->control[VYRE_CONTROL_EPOCH], 1);
	assert_int_equal(b.ring->control[VYRE_CONTROL_OBSERVABLES], 1234);
	bench_close(&b);
}

/* The first place is free, and yet it is not used while the fence looks at it. */
static void places_before_a_fence_are_kept(void **state)
{
	struct vyre_slot slots[3], one = bench_slot(REFERENCE_OP_MARK, 1, 2, 0);
	struct bench b;

	(void)state;
	open_bench(&b, 4, 2);
	slots[0] = bench_slot(REFERENCE_OP_MARK, 1, 1, 0);
	slots[1] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	slots[2] = fence(2, 0);
	assert_int_equal(publish(&b, slots, 3), VYRE_OK);
	assert_int_equal(publish(&b, &one, 1), VYRE_OK); /* the fourth place */
	while (vyre_slot_status(b.ring, 0xFFFFFF00u) != VYRE_SLOT_DONE ||
	       vyre_slot_status(b.ring, 0xFFFFFF03u) != VYRE_SLOT_DONE)
		vyre_relax();
	assert_int_equal(publish(&b, &one, 1), VYRE_FULL);
	assert_int_equal(vyre_publish(b.publisher, &one, 1, VYRE_PUBLISH_WAIT, 2000000, NULL), VYRE_TIMEOUT);
	assert_int_equal(b.mark_words[2], 1);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_publish(b.publisher, &one, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(b.mark_words[2], 2);
	bench_close(&b);

	/* A fence over the whole ring lets nobody pass. */
	open_bench(&b, 4, 2);
	slots[0] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	slots[1] = fence(4, 0);
	assert_int_equal(publish(&b, slots, 2), VYRE_OK);
	assert_int_equal(publish(&b, &one, 1), VYRE_FULL);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_publish(b.publisher, &one, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	bench_close(&b);
}

static void a_batch_with_a_fence_lies_in_a_row(void **state)
{
	struct vyre_slot slots[8];
	vyre_ticket held[8], tickets[8];
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, 8, 1);
	for (i = 0; i < 8; i++)
		slots[i] = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 8, 0, 0, held), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	for (i = 0; i < 8; i++)
		if (i != 2)
			assert_int_equal(vyre_release(b.ring, held[i]), VYRE_OK);
	slots[5] = fence(5, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 6, 0, 0, tickets), VYRE_FULL); /* 5 in a row, no 6 */
	slots[4] = fence(4, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 5, 0, 0, tickets), VYRE_OK);
	for (i = 0; i < 5; i++) {
		assert_int_equal(tickets[i] >> VYRE_OWNER_SHIFT, (held[3] >> VYRE_OWNER_SHIFT) + 8 + i);
		assert_int_equal(vyre_wait(b.ring, tickets[i], SECONDS(20), NULL), VYRE_OK);
	}
	/* Without a fence the place that is held is passed over. */
	slots[4] = slots[5] = slots[0];
	assert_int_equal(vyre_publish(b.publisher, slots, 6, 0, 0, tickets), VYRE_OK);
	bench_close(&b);
}

static void what_no_fence_may_ask(void **state)
{
	struct vyre_slot slots[100], one = fence(1, 0);
	struct vyre_result result;
	vyre_ticket ticket;
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, 128, 2);
	one.args[0] = 129;
	assert_int_equal(publish(&b, &one, 1), VYRE_INVALID);
	assert_int_equal(vyre_publish(b.publisher, &one, 1, VYRE_PUBLISH_UNCHECKED, 0, &ticket), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), &result), VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_OUT_OF_RANGE);
	assert_int_equal(b.ring->lap_limit, UINT64_MAX);
	one.args[0] = 0; /* waits for nothing, keeps nothing */
	assert_int_equal(publish(&b, &one, 1), VYRE_OK);
	assert_int_equal(b.ring->lap_limit, UINT64_MAX);
	for (i = 0; i < 100; i++)
		slots[i] = fence(1, 0);
	assert_int_equal(publish(&b, slots, VYRE_MAX_FENCES + 1), VYRE_INVALID);
	assert_int_equal(vyre_publish(b.publisher, slots, VYRE_MAX_FENCES + 1, VYRE_PUBLISH_UNCHECKED, 0, NULL),
			 VYRE_INVALID);
	slots[0] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	assert_int_equal(publish(&b, slots, VYRE_MAX_FENCES + 1), VYRE_OK); /* each waits for the one before */
	one.args[0] = 1;
	assert_int_equal(publish(&b, &one, 1), VYRE_FULL);
	assert_non_null(strstr(vyre_last_error(), "fences"));
	one = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(publish(&b, &one, 1), VYRE_OK);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	one = fence(1, 0);
	assert_int_equal(publish(&b, &one, 1), VYRE_OK);
	bench_close(&b);
}

struct publisher_load {
	struct bench *bench;
	uint32_t slots, batches, mark;
	uint32_t early; /* fences that ended before what they fence */
};

/* Batches of marks with a fence behind them: when the fence has ended, so have the marks. */
static void *publish_fenced(void *argument)
{
	struct publisher_load *load = argument;
	struct bench *b = load->bench;
	struct vyre_slot slots[8];
	uint32_t i, k, sum = 0;

	for (i = 0; i < load->batches; i++) {
		uint32_t count = i % (load->slots < 8 ? load->slots : 8); /* of marks: 0 .. slots - 1 */
		vyre_ticket tickets[8];

		for (k = 0; k < count; k++)
			slots[k] = bench_slot(REFERENCE_OP_MARK, 1, load->mark, 0);
		slots[count] = fence(i % 5 == 0 ? load->slots : count, i);
		if (vyre_publish(b->publisher, slots, count + 1, VYRE_PUBLISH_WAIT, SECONDS(60), tickets) != VYRE_OK)
			return b;
		sum += count;
		for (k = 0; k < count; k++)
			if (vyre_release(b->ring, tickets[k]) != VYRE_OK)
				return b;
		if (vyre_wait(b->ring, tickets[count], SECONDS(60), NULL) != VYRE_OK)
			return b;
		load->early += __atomic_load_n(&b->mark_words[load->mark], __ATOMIC_ACQUIRE) < sum;
	}
	return NULL;
}

static void *publish_plain(void *argument)
{
	struct publisher_load *load = argument;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_MARK, 1, load->mark, 0);
	uint32_t i;

	for (i = 0; i < load->batches; i++)
		if (vyre_publish(load->bench->publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(60), NULL) != VYRE_OK)
			return load;
	return NULL;
}

/* What comes behind a fence in its batch must not lie in the places that it looks at: two fences would wait for each
 * other. */
static void what_may_come_behind_a_fence(void **state)
{
	struct vyre_slot slots[8];
	struct bench b;
	uint32_t covers, behind, i;

	(void)state;
	for (covers = 1; covers <= 8; covers++) {
		for (behind = 0; behind < 8; behind++) {
			vyre_status expected = behind == 0 || covers + behind < 8 ? VYRE_OK : VYRE_INVALID;
			uint32_t fences = expected == VYRE_OK ? behind + 1 : 0;

			open_bench(&b, 8, 2);
			slots[0] = fence(covers, 0);
			for (i = 1; i <= behind; i++)
				slots[i] = fence(1, 0);
			assert_int_equal(vyre_publish(b.publisher, slots, behind + 1, VYRE_PUBLISH_UNCHECKED, 0, NULL),
					 expected);
			assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
			assert_int_equal(publish(&b, slots, behind + 1), expected);
			assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
			assert_int_equal(b.ring->control[VYRE_CONTROL_EPOCH], 2 * fences);
			bench_close(&b);
		}
	}
}

/* Small rings, many laps, counters through 2^32: fences always end, and never early. */
static void fences_for_many_laps(void **state)
{
	static const uint32_t sizes[] = {2, 4, 8, 32};
	uint32_t i, k;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct bench b;
		struct publisher_load loads[3] = {
		    {&b, sizes[i], 300, 1, 0}, {&b, sizes[i], 300, 2, 0}, {&b, 0, 500, 3, 0}};
		pthread_t threads[3];
		void *failed;

		open_bench(&b, sizes[i], 2);
		for (k = 0; k < 3; k++)
			assert_int_equal(
			    pthread_create(&threads[k], NULL, k == 2 ? publish_plain : publish_fenced, &loads[k]), 0);
		for (k = 0; k < 3; k++) {
			pthread_join(threads[k], &failed);
			assert_null(failed);
			assert_int_equal(loads[k].early, 0);
		}
		assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
		assert_int_equal(b.mark_words[3], 500);
		assert_int_equal(b.ring->control[VYRE_CONTROL_EPOCH], 600);
		bench_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fence_waits_for_what_is_before_it), cmocka_unit_test(places_before_a_fence_are_kept),
	    cmocka_unit_test(a_batch_with_a_fence_lies_in_a_row),  cmocka_unit_test(what_no_fence_may_ask),
	    cmocka_unit_test(what_may_come_behind_a_fence),	   cmocka_unit_test(fences_for_many_laps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
