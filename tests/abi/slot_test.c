/* slot_test.c - ring slots: every move from every state, and what publishing writes and refuses. */
#include "runtime/abi/slot.h"
#include "tests/abi/rig.h"

enum { SLOTS = 4 };

/* ---- opcodes ------------------------------------------------------------------------------------------------------------ */

static void opcodes_fall_into_classes(void **state)
{
	static const struct {
		uint32_t opcode;
		int system, builtin, publishable;
	} rows[] = {
	    {0, 1, 1, 1},	   {7, 1, 1, 1},	  {8, 0, 0, 1},		 {0xFFEF, 0, 0, 1},
	    {0xFFF0, 1, 0, 0},	   {0xFFFC, 1, 0, 0},	  {0xFFFD, 1, 0, 0},	 {0xFFFE, 1, 1, 1},
	    {0xFFFF, 1, 0, 0},	   {0x10000, 0, 0, 1},	  {0x7FFFFFFF, 0, 0, 1}, {0x80000000, 1, 0, 0},
	    {0x80000001, 1, 1, 1}, {0x80000002, 1, 0, 0}, {0xFFFFFFFE, 1, 0, 0}, {0xFFFFFFFF, 1, 1, 1},
	};
	static const uint32_t listed[] = {
#define X(name, value) value,
	    VYRE_OPCODE_LIST(X)
#undef X
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(vyre_opcode_is_system(rows[i].opcode), rows[i].system);
		assert_int_equal(vyre_opcode_is_user(rows[i].opcode), !rows[i].system);
		assert_int_equal(vyre_opcode_is_builtin(rows[i].opcode), rows[i].builtin);
		assert_int_equal(vyre_opcode_is_publishable(rows[i].opcode), rows[i].publishable);
	}
	assert_int_equal(sizeof listed / sizeof *listed, 12);
	for (size_t i = 0; i < 12; i++) {
		assert_true(vyre_opcode_is_system(listed[i]));
		assert_int_equal(vyre_opcode_is_builtin(listed[i]), listed[i] != 0xFFFD);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(listed[i], listed[k]);
	}
}

static void windows_belong_to_one_tenant(void **state)
{
	(void)state;
	assert_int_equal(vyre_opcode_in_window(1, 0), 0x40100000);
	assert_int_equal(vyre_opcode_in_window(1, 0xFFFFF), 0x401FFFFF);
	assert_int_equal(vyre_opcode_in_window(1, 0x100000), 0);
	assert_int_equal(vyre_opcode_in_window(28, 5), 0x41C00005);
	assert_int_equal(vyre_opcode_in_window(1023, 0xFFFFF), 0x7FFFFFFF);
	assert_int_equal(vyre_opcode_in_window(1024, 0), 0);
	assert_int_equal(vyre_opcode_in_window(UINT32_MAX, 0), 0);
	assert_true(vyre_opcode_is_tenants(0x40100000, 1));
	assert_false(vyre_opcode_is_tenants(0x40100000, 2));
	assert_false(vyre_opcode_is_tenants(0x401FFFFF, 0));
	assert_false(vyre_opcode_is_tenants(0x40000000, 1));
	assert_true(vyre_opcode_is_tenants(0x40000000, 0));
	assert_true(vyre_opcode_is_tenants(0x3FFFFFFF, 9));
	assert_true(vyre_opcode_is_tenants(0x80000001, 9));
	assert_true(vyre_opcode_is_tenants(0xFFFFFFFF, 0));
}

/* ---- moves -------------------------------------------------------------------------------------------------------------- */

/* What each move makes of states 0 .. 7 (empty published claimed done wait_io yield requeue fault); -1: refused. */
static const int after[VYRE_MOVES][8] = {
    [VYRE_MOVE_PUBLISH] = {1, -1, -1, 1, -1, -1, -1, -1},  [VYRE_MOVE_CLAIM] = {-1, 2, -1, -1, -1, 2, 2, -1},
    [VYRE_MOVE_DONE] = {-1, -1, 3, -1, -1, -1, -1, -1},	   [VYRE_MOVE_WAIT] = {-1, -1, 4, -1, -1, -1, -1, -1},
    [VYRE_MOVE_READY] = {-1, -1, -1, -1, 6, -1, -1, -1},   [VYRE_MOVE_YIELD] = {-1, -1, 5, -1, -1, -1, -1, -1},
    [VYRE_MOVE_REQUEUE] = {-1, -1, 6, -1, -1, -1, -1, -1}, [VYRE_MOVE_FAULT] = {-1, 7, 7, -1, 7, 7, 7, -1},
    [VYRE_MOVE_CANCEL] = {-1, 0, -1, -1, 0, 0, 0, -1},	   [VYRE_MOVE_ACKNOWLEDGE] = {-1, -1, -1, -1, -1, -1, -1, 0},
};

static void every_move_from_every_state(void **state)
{
	static const uint32_t garbage[] = {8, 31, 32, 0x10, 0x11, 0x80000000, 0xFFFFFFFF};
	(void)state;
	assert_int_equal(VYRE_MOVES, 10);
	for (unsigned move = 0; move < VYRE_MOVES; move++) {
		for (uint32_t from = 0; from < 8 + sizeof garbage / sizeof *garbage; from++) {
			uint32_t status = from < 8 ? from : garbage[from - 8], slot[16], before[16], previous = 99;
			int want = from < 8 ? after[move][from] : -1;
			memset(slot, 0xC3, sizeof slot);
			slot[0] = status;
			memcpy(before, slot, sizeof slot);
			assert_int_equal(vyre_slot_after((enum vyre_slot_move)move, status), want);
			bool moved = vyre_slot_move(slot, (enum vyre_slot_move)move, &previous);
			if (move == VYRE_MOVE_PUBLISH)
				want = -1; /* only publishers do */
			assert_int_equal(moved, want >= 0);
			assert_int_equal(previous, status);
			before[0] = want >= 0 ? (uint32_t)want : status;
			assert_memory_equal(slot, before, sizeof slot);
		}
	}
	assert_int_equal(vyre_slot_after((enum vyre_slot_move)VYRE_MOVES, 0), -1);
	assert_int_equal(vyre_slot_move((uint32_t[16]){2}, VYRE_MOVE_DONE, NULL), 1);
}

/* ---- publishing --------------------------------------------------------------------------------------------------------- */

static const uint32_t twelve[13] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};

static void a_slot_is_frozen(void **state)
{
	static const uint8_t want[64] = {
	    1,	  0,	0,    0,		      /* STATUS PUBLISHED */
	    0,	  1,	0,    0,		      /* OPCODE 0x100 */
	    5,	  0,	0,    0,		      /* TENANT */
	    2,	  0,	0,    0,		      /* PRIORITY NORMAL */
	    0x78, 0x56, 0x34, 0x12, 0, 255, 255, 255, /* ARG0, ARG1; the other ten are zero */
	};
	const struct vyre_slot_request request = {0x100, 5, VYRE_PRIORITY_NORMAL, (uint32_t[]){0x12345678, 0xFFFFFF00},
						  2};
	uint32_t ring[16 * SLOTS], before[16 * SLOTS];
	(void)state;
	memset(ring, 0xEE, sizeof ring);
	ring[16 * 3] = VYRE_SLOT_DONE; /* and everything else in it is the last user's */
	memcpy(before, ring, sizeof ring);
	assert_int_equal(vyre_publish_slot(ring, sizeof ring, 3, &request), VYRE_PUBLISH_NONE);
	assert_memory_equal(ring + 16 * 3, want, 64);
	assert_memory_equal(ring, before, 64 * 3);
}

static void only_empty_and_done_are_free(void **state)
{
	static const uint32_t taken[] = {1, 2, 4, 5, 6, 7, 8, 0x10, 0xFFFFFFFF};
	const struct vyre_slot_request request = {8, 1, VYRE_PRIORITY_IDLE, twelve, 12};
	uint32_t ring[16], before[16];
	(void)state;
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		memset(ring, 0x55, sizeof ring);
		ring[0] = taken[i];
		memcpy(before, ring, sizeof ring);
		assert_int_equal(vyre_publish_slot(ring, 64, 0, &request), VYRE_PUBLISH_FLIGHT);
		assert_memory_equal(ring, before, sizeof ring);
	}
	for (uint32_t status = 0; status <= 3; status += 3) {
		ring[0] = status;
		assert_int_equal(vyre_publish_slot(ring, 64, 0, &request), VYRE_PUBLISH_NONE);
		assert_int_equal(ring[0], 1);
		assert_int_equal(ring[3], 4);
		assert_memory_equal(ring + 4, twelve, 48);
	}
}

static void assert_refused(struct vyre_slot_request request, uint64_t bytes, uint64_t index,
			   enum vyre_publish_error error)
{
	uint32_t ring[16 * SLOTS] = {0}, zero[16 * SLOTS] = {0};
	assert_int_equal(vyre_publish_slot(ring, bytes, index, &request), error);
	assert_memory_equal(ring, zero, sizeof ring);
}

static void a_refusal_changes_nothing(void **state)
{
	const struct vyre_slot_request good = {8, 1, VYRE_PRIORITY_NORMAL, twelve, 12};
	struct vyre_slot_request bad;
	(void)state;
	assert_refused(good, 64 * SLOTS, SLOTS, VYRE_PUBLISH_INDEX);
	assert_refused(good, 64 * SLOTS, UINT64_MAX, VYRE_PUBLISH_INDEX);
	assert_refused(good, 64 * SLOTS - 1, 0, VYRE_PUBLISH_LENGTH);
	assert_refused(good, 64 * (SLOTS - 1) + 1, 0, VYRE_PUBLISH_LENGTH);
	assert_refused(good, 0, 0, VYRE_PUBLISH_LENGTH);
	bad = good, bad.arg_count = 13;
	assert_refused(bad, 64 * SLOTS, 0, VYRE_PUBLISH_ARGS);
	bad = good, bad.priority = 5;
	assert_refused(bad, 64 * SLOTS, 0, VYRE_PUBLISH_PRIORITY);
	for (uint32_t opcode = 0xFFF0; opcode <= 0xFFFF; opcode++) {
		bad = good, bad.opcode = opcode;
		if (opcode != 0xFFFE)
			assert_refused(bad, 64 * SLOTS, 0, VYRE_PUBLISH_OPCODE);
	}
	bad = good, bad.opcode = 0x80000000;
	assert_refused(bad, 64 * SLOTS, 0, VYRE_PUBLISH_OPCODE);
	bad = good, bad.opcode = 0x80000001; /* 1 op, 2 words, opcode 3 at 0: fine; then BATCH_FENCE */
	bad.args = (uint32_t[]){0x00030201, 9, 9}, bad.arg_count = 3;
	uint32_t ring[16] = {0};
	assert_int_equal(vyre_publish_slot(ring, 64, 0, &bad), VYRE_PUBLISH_NONE);
	assert_int_equal(ring[4], 0x00030201);
	bad.args = (uint32_t[]){0x00070201, 9, 9};
	assert_refused(bad, 64 * SLOTS, 0, VYRE_PUBLISH_PACKED);
}

static void a_batch_ends_with_its_fence(void **state)
{
	static const uint8_t fence[64] = {1, 0, 0, 0, 7, 0, 0, 0, 6,	0,    0,    0,
					  2, 0, 0, 0, 2, 0, 0, 0, 0xEF, 0xBE, 0xAD, 0xDE};
	const struct vyre_slot_request items[2] = {{8, 6, VYRE_PRIORITY_LOW, twelve, 1},
						   {0, 6, VYRE_PRIORITY_NORMAL, NULL, 0}};
	uint32_t ring[16 * SLOTS] = {0};
	(void)state;
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 1, 6, items, 2, 0xDEADBEEF), VYRE_PUBLISH_NONE);
	assert_int_equal(ring[0], 0);
	assert_int_equal(ring[16], 1);
	assert_int_equal(ring[16 + 1], 8);
	assert_int_equal(ring[16 + 3], 3);
	assert_int_equal(ring[32], 1);
	assert_int_equal(ring[32 + 1], 0);
	assert_memory_equal(ring + 48, fence, 64);
	memset(ring, 0, sizeof ring);
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 3, 6, NULL, 0, 5), VYRE_PUBLISH_NONE);
	assert_memory_equal(ring + 48 + 4, ((uint32_t[]){0, 5}), 8);
}

static void a_batch_is_all_or_nothing(void **state)
{
	struct vyre_slot_request items[3] = {{8, 6, VYRE_PRIORITY_LOW, twelve, 1},
					     {9, 6, VYRE_PRIORITY_LOW, twelve, 1},
					     {10, 6, VYRE_PRIORITY_LOW, twelve, 1}};
	uint32_t ring[16 * SLOTS] = {0}, before[16 * SLOTS] = {0};
	(void)state;
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 1, 6, items, 3, 1), VYRE_PUBLISH_INDEX);
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, UINT64_MAX, 6, items, 3, 1), VYRE_PUBLISH_INDEX);
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 0, 6, items, UINT32_MAX, 1), VYRE_PUBLISH_INDEX);
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 0xFFFFFFFF, 6, items, 3, 1), VYRE_PUBLISH_INDEX);
	items[2].arg_count = 13;
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 0, 6, items, 3, 1), VYRE_PUBLISH_ARGS);
	items[2].arg_count = 1, items[2].opcode = 0xFFFD;
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 0, 6, items, 3, 1), VYRE_PUBLISH_OPCODE);
	assert_memory_equal(ring, before, sizeof ring);
	items[2].opcode = 8;
	ring[48] = before[48] = VYRE_SLOT_YIELD; /* the place of the fence */
	assert_int_equal(vyre_publish_batch(ring, sizeof ring, 0, 6, items, 3, 1), VYRE_PUBLISH_FLIGHT);
	assert_memory_equal(ring, before, sizeof ring);
}

/* ---- rings -------------------------------------------------------------------------------------------------------------- */

static void rings_have_lengths(void **state)
{
	uint8_t bytes[65];
	(void)state;
	assert_int_equal(vyre_ring_length(0), 0);
	assert_int_equal(vyre_ring_length(3), 192);
	assert_true(vyre_ring_length(268435455) == UINT64_C(17179869120));
	assert_true(vyre_ring_length(268435456) == VYRE_NO_LENGTH);
	memset(bytes, 9, sizeof bytes);
	assert_int_equal(vyre_ring_encode(bytes, 65, 1), VYRE_LENGTH_NONE);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(bytes[64], 9);
	assert_int_equal(vyre_ring_encode(bytes, 65, 2), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_ring_encode(bytes, UINT64_MAX, 1048577), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_ring_encode(bytes, UINT64_MAX, UINT32_MAX), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_ring_encode(bytes, 0, 0), VYRE_LENGTH_NONE);
	assert_int_equal(bytes[64], 9);
}

static void done_is_what_a_scan_finds(void **state)
{
	enum { MANY = 200 };
	static uint8_t bytes[64 * MANY + 1];
	uint64_t seed = 3;
	uint32_t want = 0, done = 0;
	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		uint8_t *slot = bytes + 1 + 64 * i; /* no alignment asked of a reader */
		for (unsigned k = 1; k < 64; k++)
			slot[k] = k < 4 ? 0 : 3;
		slot[0] = (uint8_t)(next_random(&seed) % 8);
		if (i % 17 == 0)
			slot[2] = 1; /* 3 + 65536 is not DONE */
		want += slot[0] == 3 && slot[2] == 0;
		assert_int_equal(vyre_ring_count_done(bytes + 1, 64 * (i + 1), i + 1, &done), VYRE_LENGTH_NONE);
		assert_int_equal(done, want);
	}
	assert_true(want > 10 && want < MANY - 10);
	assert_int_equal(vyre_ring_count_done(bytes, 64 * 3, 4, &done), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_ring_count_done(bytes, 64 * 3 + 4, 3, &done), VYRE_LENGTH_MISALIGNED);
	assert_int_equal(vyre_ring_count_done(bytes, 64, UINT32_MAX, &done), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(done, want);
	assert_int_equal(vyre_ring_count_done(bytes, 0, 0, &done), VYRE_LENGTH_NONE);
	assert_int_equal(done, 0);
}

static void errors_say_what_to_do(void **state)
{
	(void)state;
	for (unsigned e = VYRE_PUBLISH_LENGTH; e <= VYRE_PUBLISH_PAYLOAD; e++)
		assert_is_message(vyre_publish_error_text((enum vyre_publish_error)e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opcodes_fall_into_classes),    cmocka_unit_test(windows_belong_to_one_tenant),
	    cmocka_unit_test(every_move_from_every_state),  cmocka_unit_test(a_slot_is_frozen),
	    cmocka_unit_test(only_empty_and_done_are_free), cmocka_unit_test(a_refusal_changes_nothing),
	    cmocka_unit_test(a_batch_ends_with_its_fence),  cmocka_unit_test(a_batch_is_all_or_nothing),
	    cmocka_unit_test(rings_have_lengths),	    cmocka_unit_test(done_is_what_a_scan_finds),
	    cmocka_unit_test(errors_say_what_to_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
