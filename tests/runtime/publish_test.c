/* publish_test.c - what may be published: built-in opcodes, packed slots, work items, windows; who may; how many. */
#include <pthread.h>
#include <unistd.h>

#include "bench_rig.h"
#include "live.h"

enum { ALL_FEATURES = VYRE_HAS_BUILTINS | VYRE_HAS_RECORDS | VYRE_HAS_IO };

static const struct vyre_ring_params small = {
    .slots = 8, .workers = 1, .tenants = 3, .observables = 4, .first_position = 0xFFFFFF00u};

static void open_bench(struct bench *b, uint32_t features, struct vyre_ring_params params)
{
	bench_open_features(b, features);
	bench_open_ring(b, params);
}

static vyre_status publish_one(struct vyre_publisher *publisher, uint32_t opcode, uint32_t a, uint32_t c)
{
	struct vyre_slot slot = bench_slot(opcode, 2, a, c);

	return vyre_publish(publisher, &slot, 1, 0, 0, NULL);
}

static void built_in_opcodes(void **state)
{
	static const uint32_t legal[] = {VYRE_OPCODE_NOP,	  VYRE_OPCODE_STORE_U32,    VYRE_OPCODE_ATOMIC_ADD,
					 VYRE_OPCODE_LOAD_U32,	  VYRE_OPCODE_COMPARE_SWAP, VYRE_OPCODE_MEMCPY,
					 VYRE_OPCODE_BATCH_FENCE, VYRE_OPCODE_PRINTF,	    VYRE_OPCODE_SHUTDOWN};
	struct vyre_publisher *other;
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
	for (i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
		assert_int_equal(publish_one(b.publisher, legal[i], 0, 160), VYRE_OK);
		assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	}
	assert_int_equal(publish_one(other, VYRE_OPCODE_SHUTDOWN, 0, 0), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "tenant 1"));
	assert_int_equal(publish_one(b.publisher, VYRE_OPCODE_DFA_STEP, 0, 0), VYRE_INVALID);
	assert_int_equal(publish_one(b.publisher, VYRE_OPCODE_LOAD_MISS, 0, 0), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "vyre_publisher_load_miss"));
	assert_int_equal(publish_one(b.publisher, 0x80000002u, 0, 0), VYRE_INVALID);
	assert_int_equal(publish_one(b.publisher, 0xFFF0u, 0, 0), VYRE_INVALID);
	vyre_publisher_destroy(other);
	bench_close(&b);

	/* A set that was compiled without them. */
	open_bench(&b, 0, small);
	for (i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
		assert_int_equal(publish_one(b.publisher, legal[i], 0, 0), VYRE_INVALID);
	assert_int_equal(publish_one(b.publisher, VYRE_OPCODE_PACKED_SLOT, 0, 0), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "without the built-in"));
	bench_close(&b);
}

/* What is known of one opcode is not believed of the next one in the batch. */
static void a_batch_is_looked_at_slot_by_slot(void **state)
{
	struct vyre_slot slots[4];
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	for (i = 0; i < 4; i++)
		slots[i] = bench_slot(REFERENCE_OP_MARK, 1, 1, 0);
	slots[3].opcode = 0x777;
	assert_int_equal(vyre_publish(b.publisher, slots, 4, 0, 0, NULL), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "slot 3 of 4"));
	slots[2] = slots[3] = bench_slot(VYRE_OPCODE_BATCH_FENCE, 1, 1, 0);
	slots[3].args[0] = 9;
	assert_int_equal(vyre_publish(b.publisher, slots, 4, 0, 0, NULL), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "slot 3 of 4: a fence of 9"));
	slots[2] = slots[3] = bench_slot(VYRE_OPCODE_PACKED_SLOT, 12, 0, 0);
	slots[3].args[0] = 24; /* ops */
	assert_int_equal(vyre_publish(b.publisher, slots, 4, 0, 0, NULL), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "slot 3 of 4, a packed one"));
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(b.mark_words[1], 0); /* nothing of any batch */
	bench_close(&b);
}

static void windows_of_tenants(void **state)
{
	struct vyre_publisher *publishers[3];
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	for (i = 0; i < 3; i++) {
		assert_int_equal(vyre_publisher_create(b.ring, i, &publishers[i]), VYRE_OK);
		assert_int_equal(publish_one(publishers[i], REFERENCE_OP_WINDOW, 0, 0),
				 i == 1 ? VYRE_OK : VYRE_INVALID);
	}
	assert_non_null(strstr(vyre_last_error(), "tenant 2"));
	assert_non_null(strstr(vyre_last_error(), "tenant 1's"));
	for (i = 0; i < 3; i++)
		vyre_publisher_destroy(publishers[i]);
	bench_close(&b);
}

static void packed_slots(void **state)
{
	const uint32_t args[2] = {7, 160};
	struct vyre_packed_op ops[24];
	struct vyre_packed packed;
	struct bench b;
	vyre_ticket ticket;
	uint32_t *words, i;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	for (i = 0; i < 24; i++)
		ops[i] = (struct vyre_packed_op){VYRE_OPCODE_STORE_U32, args, 2};
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 4, VYRE_PRIORITY_NORMAL, 0, 0, &ticket), VYRE_OK);
	words = vyre_slot_words(b.ring, ticket >> VYRE_OWNER_SHIFT);
	assert_int_equal(words[VYRE_SLOT_WORD_OPCODE], VYRE_OPCODE_PACKED_SLOT);
	assert_int_equal(vyre_packed_decode(words + VYRE_SLOT_WORD_ARG0, NULL, &packed), VYRE_PACKED_NONE);
	assert_int_equal(packed.ops, 4);
	assert_int_equal(vyre_packed_arg(words + VYRE_SLOT_WORD_ARG0, &packed, 3, 1), 160);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
	/* Too many words, an op that the set has not, one that needs a table, a fence; one above 255. */
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 6, VYRE_PRIORITY_NORMAL, 0, 0, NULL), VYRE_INVALID);
	ops[1].opcode = 77;
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 2, VYRE_PRIORITY_NORMAL, 0, 0, NULL), VYRE_INVALID);
	ops[1].opcode = VYRE_OPCODE_DFA_STEP;
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 2, VYRE_PRIORITY_NORMAL, 0, 0, NULL), VYRE_INVALID);
	ops[1].opcode = VYRE_OPCODE_BATCH_FENCE;
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 2, VYRE_PRIORITY_NORMAL, 0, 0, NULL), VYRE_INVALID);
	ops[1].opcode = REFERENCE_OP_MARK;
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 2, VYRE_PRIORITY_NORMAL, 0, 0, NULL), VYRE_INVALID);
	ops[1].opcode = REFERENCE_OP_NOTHING;
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 2, VYRE_PRIORITY_NORMAL, 0, 0, NULL), VYRE_OK);
	assert_int_equal(vyre_publisher_packed(b.publisher, ops, 2, 5, 0, 0, NULL), VYRE_INVALID);
	bench_close(&b);
}

static void load_misses(void **state)
{
	const struct vyre_load_miss miss = {3, 1, 4, 0x500000006u, 7, 8};
	static const uint32_t expected[] = {3, 1, 4, 6, 5, 7, 8, 0, 0, 0, 0, 0};
	vyre_ticket ticket;
	uint32_t *words, i;
	struct bench b;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	assert_int_equal(vyre_publisher_load_miss(b.publisher, &miss, 0, 0, &ticket), VYRE_OK);
	words = vyre_slot_words(b.ring, ticket >> VYRE_OWNER_SHIFT);
	assert_int_equal(words[VYRE_SLOT_WORD_OPCODE], VYRE_OPCODE_LOAD_MISS);
	assert_int_equal(words[VYRE_SLOT_WORD_PRIORITY], VYRE_PRIORITY_CRITICAL);
	for (i = 0; i < VYRE_SLOT_ARGS; i++)
		assert_int_equal(words[VYRE_SLOT_WORD_ARG0 + i], expected[i]);
	assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), NULL), VYRE_OK);
	bench_close(&b);
	open_bench(&b, VYRE_HAS_BUILTINS, small);
	assert_int_equal(vyre_publisher_load_miss(b.publisher, &miss, 0, 0, &ticket), VYRE_INVALID);
	bench_close(&b);
}

static void work_items(void **state)
{
	struct vyre_work_item items[9];
	vyre_ticket tickets[9];
	struct vyre_result result;
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	for (i = 0; i < 9; i++)
		items[i] = (struct vyre_work_item){REFERENCE_OP_ADD, i, 100, 55};
	items[7] = (struct vyre_work_item){VYRE_OPCODE_STORE_U32, 77, 161, 0}; /* an item may be a built-in op */
	assert_int_equal(vyre_publisher_work_items(b.publisher, items, 9, 0, 0, tickets), VYRE_INVALID);
	assert_int_equal(vyre_publisher_work_items(b.publisher, items, 8, 0, 0, tickets), VYRE_OK);
	for (i = 0; i < 8; i++) {
		assert_int_equal(vyre_wait(b.ring, tickets[i], SECONDS(20), &result), VYRE_OK);
		assert_int_equal(result.words[0], i == 7 ? 77 : i + 100);
		assert_int_equal(result.words[2], i == 7 ? 0 : 55);
		assert_int_equal(result.words[3], 0);
	}
	assert_int_equal(b.ring->control[161], 77);
	items[7].op_handle = 0x777;
	assert_int_equal(vyre_publisher_work_items(b.publisher, items, 8, 0, 0, tickets), VYRE_INVALID);
	bench_close(&b);
}

static void windows(void **state)
{
	const uint32_t payload[11] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
	struct vyre_window_slot required[2] = {{REFERENCE_OP_NOTHING, payload, 10}, {REFERENCE_OP_NOTHING, payload, 0}};
	struct vyre_window_slot lookahead[1] = {{REFERENCE_OP_NOTHING, payload, 1}};
	vyre_ticket tickets[3];
	struct bench b;
	uint32_t i, k;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	assert_int_equal(vyre_publisher_window(b.publisher, 42, required, 2, lookahead, 1, 0, 0, tickets), VYRE_OK);
	for (i = 0; i < 3; i++) {
		struct vyre_result result;

		assert_int_equal(vyre_wait(b.ring, tickets[i], SECONDS(20), &result), VYRE_OK);
		assert_int_equal(result.words[0], 42);
		assert_int_equal(result.words[1], i == 2);
		for (k = 2; k < 12; k++)
			assert_int_equal(result.words[k], i == 0 ? k - 1 : i == 2 && k == 2 ? 1 : 0);
	}
	lookahead[0].payload_count = 11;
	assert_int_equal(vyre_publisher_window(b.publisher, 1, required, 2, lookahead, 1, 0, 0, NULL), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "look-ahead slot 0 of 1 has 11"));
	required[1].payload_count = UINT32_MAX;
	assert_int_equal(vyre_publisher_window(b.publisher, 1, required, 2, lookahead, 1, 0, 0, NULL), VYRE_INVALID);
	assert_int_equal(vyre_publisher_window(b.publisher, 1, required, UINT32_MAX, lookahead, 2, 0, 0, NULL),
			 VYRE_INVALID);
	assert_int_equal(vyre_publisher_window(b.publisher, 1, required, 0, lookahead, 0, 0, 0, NULL), VYRE_INVALID);
	bench_close(&b);
}

/* ---- quotas -------------------------------------------------------------------------------------------------------- */

static void quotas(void **state)
{
	struct vyre_publisher *other;
	struct vyre_slot slots[4];
	vyre_ticket tickets[2];
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	assert_int_equal(vyre_publisher_create(b.ring, 2, &other), VYRE_OK);
	assert_int_equal(vyre_ring_set_quota(b.ring, 3, 1), VYRE_INVALID);
	assert_int_equal(publish_one(other, REFERENCE_OP_NOTHING, 0, 0), VYRE_OK); /* what was free to publish so far */
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_ring_set_quota(b.ring, 2, 2), VYRE_OK);
	for (i = 0; i < 4; i++)
		slots[i] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	assert_int_equal(vyre_publish(other, slots, 3, 0, 0, tickets), VYRE_FULL); /* all or none */
	assert_int_equal(vyre_publish(other, slots, 2, 0, 0, tickets), VYRE_OK);
	assert_int_equal(publish_one(other, REFERENCE_OP_NOTHING, 0, 0), VYRE_FULL);
	assert_non_null(strstr(vyre_last_error(), "tenant 2 has 2 slots in flight"));
	assert_non_null(strstr(vyre_last_error(), "quota of 2"));
	assert_int_equal(vyre_publish(other, slots, 1, VYRE_PUBLISH_WAIT, 1000000, NULL), VYRE_TIMEOUT);
	assert_int_equal(publish_one(b.publisher, REFERENCE_OP_NOTHING, 0, 0), VYRE_OK); /* nobody else's business */
	bench_open_gate(&b, 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(vyre_wait(b.ring, tickets[i], SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(publish_one(other, REFERENCE_OP_NOTHING, 0, 0), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	/* Lowered while a slot is in flight: the device parks it. */
	__atomic_store_n(&b.gate_words[0], 0, __ATOMIC_RELEASE);
	assert_int_equal(vyre_publish(b.publisher, slots, 1, 0, 0, NULL), VYRE_OK);
	assert_int_equal(publish_one(other, REFERENCE_OP_MARK, 5, 0), VYRE_OK);
	assert_int_equal(vyre_ring_set_quota(b.ring, 2, 0), VYRE_OK);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_ring_drain(b.ring, 20000000), VYRE_TIMEOUT);
	assert_int_equal(b.mark_words[5], 0);
	assert_int_equal(publish_one(other, REFERENCE_OP_NOTHING, 0, 0), VYRE_FULL);
	assert_int_equal(vyre_ring_set_quota(b.ring, 2, 1), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(b.mark_words[5], 1);
	vyre_publisher_destroy(other);
	bench_close(&b);
}

/* Held tickets of slots that have ended count for nothing, and the count goes on through 2^32. */
static void quotas_for_many_laps(void **state)
{
	struct vyre_slot slots[3];
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, ALL_FEATURES,
		   (struct vyre_ring_params){.slots = 16, .workers = 2, .first_position = 0xFFFFFF00u});
	assert_int_equal(vyre_ring_set_quota(b.ring, 0, 3), VYRE_OK);
	for (i = 0; i < 3; i++)
		slots[i] = bench_slot(REFERENCE_OP_MARK, 1, 5, 0);
	for (i = 0; i < 500; i++) {
		assert_int_equal(vyre_publish(b.publisher, slots, 3, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
		if (i % 3 == 0)
			assert_int_equal(vyre_publish(b.publisher, slots, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL),
					 VYRE_OK);
	}
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(b.mark_words[5], 1500 + 167);
	bench_close(&b);
}

static void *raise_later(void *argument)
{
	struct bench *b = argument;

	usleep(20000);
	assert_int_equal(vyre_ring_set_quota(b->ring, 0, 100), VYRE_OK);
	return NULL;
}

static void a_raised_quota_wakes_publishers(void **state)
{
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	pthread_t thread;
	struct bench b;

	(void)state;
	open_bench(&b, ALL_FEATURES, small);
	assert_int_equal(vyre_ring_set_quota(b.ring, 0, 0), VYRE_OK);
	assert_int_equal(pthread_create(&thread, NULL, raise_later, &b), 0);
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	pthread_join(thread, NULL);
	bench_close(&b);
}

/* Of a ring full of parked slots one place becomes free, once, and nothing else moves: the publisher that sleeps must be
 * content with it. */
static void one_place_is_room(void **state)
{
	struct vyre_slot slots[64];
	struct vyre_publisher *other;
	pthread_t thread;
	struct bench b;
	uint32_t i, k;

	(void)state;
	for (i = 0; i < 20; i++) {
		open_bench(&b, ALL_FEATURES,
			   (struct vyre_ring_params){.slots = 64, .workers = 1, .tenants = 2, .idle_ns = VYRE_FOREVER});
		b.ring->room_slice_ns = SECONDS(100);
		assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
		assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
		for (k = 0; k < 63; k++)
			slots[k] = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
		assert_int_equal(vyre_publish(other, slots, 63, 0, 0, NULL), VYRE_OK);
		slots[0] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
		assert_int_equal(vyre_publish(b.publisher, slots, 1, 0, 0, NULL), VYRE_OK);
		assert_int_equal(pthread_create(&thread, NULL, bench_open_gate_later, &b), 0);
		assert_int_equal(vyre_publish(b.publisher, slots, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
		pthread_join(thread, NULL);
		vyre_publisher_destroy(other);
		bench_close(&b);
	}
}

static void *publish_two_and_die(void *argument)
{
	struct bench *b = argument;
	struct vyre_slot slots[2] = {bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0),
				     bench_slot(VYRE_OPCODE_BATCH_FENCE, 1, 1, 0)};

	(void)!vyre_publish(b->publisher, slots, 2, 0, 0, NULL);
	return NULL;
}

/* What it had not committed counts for no quota, and its fence holds nothing. */
static void a_publisher_that_dies(void **state)
{
	struct vyre_slot slots[4];
	pthread_t thread;
	struct bench b;
	uint32_t i, k;

	(void)state;
	open_bench(&b, ALL_FEATURES,
		   (struct vyre_ring_params){.slots = 4, .workers = 1, .first_position = 0xFFFFFF00u});
	assert_int_equal(vyre_ring_set_quota(b.ring, 0, 3), VYRE_OK);
	for (i = 0; i < 4; i++)
		slots[i] = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	for (i = 0; i < 20; i++) {
		b.ring->before_commit = bench_die;
		assert_int_equal(pthread_create(&thread, NULL, publish_two_and_die, &b), 0);
		pthread_join(thread, NULL);
		b.ring->before_commit = NULL;
		for (k = 0; k < 3; k++)
			assert_int_equal(vyre_publish(b.publisher, slots, 3, VYRE_PUBLISH_WAIT, SECONDS(20), NULL),
					 VYRE_OK);
		assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
		assert_int_equal(b.ring->lap_limit, UINT64_MAX);
	}
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(built_in_opcodes),
	    cmocka_unit_test(a_batch_is_looked_at_slot_by_slot),
	    cmocka_unit_test(windows_of_tenants),
	    cmocka_unit_test(packed_slots),
	    cmocka_unit_test(load_misses),
	    cmocka_unit_test(work_items),
	    cmocka_unit_test(windows),
	    cmocka_unit_test(quotas),
	    cmocka_unit_test(quotas_for_many_laps),
	    cmocka_unit_test(a_raised_quota_wakes_publishers),
	    cmocka_unit_test(one_place_is_room),
	    cmocka_unit_test(a_publisher_that_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
