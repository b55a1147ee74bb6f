/* work_test.c - work items, windows and load misses as slots. */
#include "runtime/abi/work.h"
#include "tests/abi/rig.h"

enum { SLOTS = 4 };

/* Op 0x40100007 (tenant 1's window), tenant 1, input 0x01020304, output 0xFFFFFFFF, param 9. */
static const struct vyre_work_item frozen_item = {0x40100007, 0x01020304, 0xFFFFFFFF, 9};
static const uint8_t frozen_slot[64] = {1, 0, 0, 0, 7, 0, 0x10, 0x40, 1,   0,	0, 0, 2, 0,
					0, 0, 4, 3, 2, 1, 255,	255,  255, 255, 9, 0, 0, 0};

static void a_work_item_is_a_slot(void **state)
{
	uint32_t ring[16 * SLOTS], before[16 * SLOTS];
	(void)state;
	memset(ring, 0x77, sizeof ring);
	ring[32] = VYRE_SLOT_EMPTY;
	memcpy(before, ring, sizeof ring);
	assert_int_equal(vyre_publish_work_items(ring, sizeof ring, 2, 1, &frozen_item, 1), VYRE_PUBLISH_NONE);
	assert_memory_equal(ring + 32, frozen_slot, 64);
	assert_memory_equal(ring, before, 128); /* the window, and nothing around it */
	assert_memory_equal(ring + 48, before + 48, 64);
}

static void a_whole_ring_of_items(void **state)
{
	static const struct vyre_work_item items[3] = {
	    {0x40100007, 0x01020304, 0xFFFFFFFF, 9}, {8, 1, 2, 3}, {1, 4, 160, 0}};
	uint32_t published[16 * SLOTS] = {0}, words[16 * SLOTS];
	uint8_t bytes[64 * SLOTS + 1];
	(void)state;
	memset(bytes, 0x5A, sizeof bytes);
	memset(words, 0x5A, sizeof words); /* stale arguments and statuses in flight: all of it goes */
	assert_int_equal(vyre_publish_work_items(published, sizeof published, 0, 1, items, 3), VYRE_PUBLISH_NONE);
	assert_int_equal(vyre_encode_work_items(bytes + 1, 64 * SLOTS, 1, items, 3), VYRE_PUBLISH_NONE);
	assert_int_equal(vyre_encode_work_items_words(words, 16 * SLOTS, 1, items, 3), VYRE_PUBLISH_NONE);
	assert_memory_equal(bytes + 1, frozen_slot, 64);
	assert_memory_equal(bytes + 1, published, sizeof published);
	assert_memory_equal(words, published, sizeof published);
	assert_int_equal(words[48], VYRE_SLOT_EMPTY);
}

static void bad_items_leave_the_ring_alone(void **state)
{
	const struct vyre_work_item items[2] = {frozen_item, {0xFFF3, 1, 2, 3}};
	uint32_t ring[16 * SLOTS] = {0}, before[16 * SLOTS] = {0};
	(void)state;
	assert_int_equal(vyre_publish_work_items(ring, sizeof ring, 0, 1, items, 2), VYRE_PUBLISH_OPCODE);
	assert_int_equal(vyre_publish_work_items(ring, sizeof ring, 4, 1, items, 1), VYRE_PUBLISH_INDEX);
	assert_int_equal(vyre_publish_work_items(ring, sizeof ring - 4, 0, 1, items, 1), VYRE_PUBLISH_LENGTH);
	assert_memory_equal(ring, before, sizeof ring);
	memset(ring, 1, sizeof ring);
	memset(before, 1, sizeof before);
	assert_int_equal(vyre_encode_work_items(ring, sizeof ring, 1, items, 2), VYRE_PUBLISH_OPCODE);
	assert_int_equal(vyre_encode_work_items(ring, 64, 1, items, 2), VYRE_PUBLISH_INDEX);
	assert_int_equal(vyre_encode_work_items(ring, 0, 1, items, 0), VYRE_PUBLISH_LENGTH);
	assert_int_equal(vyre_encode_work_items_words(ring, 17, 1, items, 1), VYRE_PUBLISH_LENGTH);
	assert_int_equal(vyre_encode_work_items_words(ring, UINT64_MAX / 4 + 17, 1, items, 1), VYRE_PUBLISH_LENGTH);
	assert_memory_equal(ring, before, sizeof ring);
	ring[16] = VYRE_SLOT_CLAIMED;
	memcpy(before, ring, sizeof ring);
	ring[0] = before[0] = VYRE_SLOT_EMPTY;
	assert_int_equal(
	    vyre_publish_work_items(ring, sizeof ring, 0, 1, (struct vyre_work_item[]){frozen_item, frozen_item}, 2),
	    VYRE_PUBLISH_FLIGHT);
	assert_memory_equal(ring, before, sizeof ring);
}

static const uint32_t payload[11] = {21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

static void a_window_is_required_then_lookahead(void **state)
{
	const struct vyre_window_slot required[2] = {{8, payload, 10}, {9, NULL, 0}}, lookahead[1] = {{10, payload, 1}};
	uint32_t ring[16 * SLOTS];
	(void)state;
	memset(ring, 3, sizeof ring);
	for (unsigned i = 0; i < SLOTS; i++)
		ring[16 * i] = VYRE_SLOT_DONE;
	assert_int_equal(vyre_publish_window(ring, sizeof ring, 1, 4, 0xCAFE, required, 2, lookahead, 1),
			 VYRE_PUBLISH_NONE);
	assert_int_equal(ring[0], VYRE_SLOT_DONE);
	static const uint32_t want[48] = {1, 8,	 4, 2, 0xCAFE, 0, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, /* */
					  1, 9,	 4, 2, 0xCAFE, 0, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* */
					  1, 10, 4, 2, 0xCAFE, 1, 21, 0,  0,  0,  0,  0,  0,  0,  0,  0};
	assert_memory_equal(ring + 16, want, sizeof want);
}

static void a_bad_window_is_not_begun(void **state)
{
	struct vyre_window_slot required[1] = {{8, payload, 10}}, lookahead[1] = {{10, payload, 11}};
	uint32_t ring[16 * 2] = {0}, zero[16 * 2] = {0};
	(void)state;
	assert_int_equal(vyre_publish_window(ring, 128, 0, 4, 7, required, 1, lookahead, 1), VYRE_PUBLISH_PAYLOAD);
	lookahead[0].payload_count = UINT32_MAX;
	assert_int_equal(vyre_publish_window(ring, 128, 0, 4, 7, required, 1, lookahead, 1), VYRE_PUBLISH_PAYLOAD);
	lookahead[0].payload_count = 10;
	assert_int_equal(vyre_publish_window(ring, 128, 1, 4, 7, required, 1, lookahead, 1), VYRE_PUBLISH_INDEX);
	assert_int_equal(vyre_publish_window(ring, 128, 0, 4, 7, required, UINT32_MAX, lookahead, UINT32_MAX),
			 VYRE_PUBLISH_INDEX);
	lookahead[0].opcode = 0xFFFF;
	assert_int_equal(vyre_publish_window(ring, 128, 0, 4, 7, required, 1, lookahead, 1), VYRE_PUBLISH_OPCODE);
	assert_memory_equal(ring, zero, sizeof ring);
}

static void a_load_miss_is_frozen(void **state)
{
	static const uint8_t ancestors[64] = {1, 0, 0, 0, 0xFD, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x39, 5, 0, 0, 1};
	static const uint8_t ours[64] = {
	    1,	  0,	0,    0,    0xFD, 0xFF, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0, /* header */
	    0x39, 5,	0,    0,    0,	  0,	0,    0,    7, 0, 0, 0, /* resource 1337, no prefetch, destination 7 */
	    0xF0, 0xDE, 0xBC, 0x9A, 0x78, 0x56, 0x34, 0x12,		/* offset 0x123456789ABCDEF0 */
	    0,	  0,	1,    0,    64,	  0,	0,    0,		/* 65536 bytes to offset 64 */
	};
	const struct vyre_load_miss whole = {.resource = 1337, .prefetch = 5};
	const struct vyre_load_miss part = {1337, 0, 7, UINT64_C(0x123456789ABCDEF0), 65536, 64};
	uint32_t ring[16 * 2] = {0};
	(void)state;
	vyre_load_miss_encode(&whole, ring);
	assert_memory_equal(ring, ancestors, 64);
	vyre_load_miss_encode(&part, ring);
	assert_memory_equal(ring, ours, 64);
	memset(ring, 0, sizeof ring);
	assert_int_equal(vyre_publish_load_miss(ring, sizeof ring, 1, 0, 0, &part), VYRE_PUBLISH_NONE);
	assert_memory_equal(ring + 16, ours, 64);
	assert_int_equal(ring[0], 0);
	assert_int_equal(vyre_publish_load_miss(ring, sizeof ring, 1, 0, 0, &part), VYRE_PUBLISH_FLIGHT);
	assert_int_equal(vyre_publish_load_miss(ring, sizeof ring, 2, 0, 0, &part), VYRE_PUBLISH_INDEX);
	assert_int_equal(vyre_publish_load_miss(ring, sizeof ring, 0, 3, 5, &part), VYRE_PUBLISH_PRIORITY);
	assert_int_equal(ring[0], 0);
	assert_int_equal(vyre_publish_load_miss(ring, sizeof ring, 0, 3, 4, &part), VYRE_PUBLISH_NONE);
	assert_int_equal(ring[2], 3);
	assert_int_equal(ring[3], 4);
}

static void a_load_miss_is_read_at_its_slot(void **state)
{
	struct vyre_load_miss miss = {.resource = 55};
	uint32_t ring[16 * 2] = {0};
	(void)state;
	ring[1] = 8;
	ring[16 + 1] = 0xFFFD;
	ring[16 + 4] = 66;
	ring[16 + 5] = 2;
	ring[16 + 7] = 0xFFFFFFFF;
	ring[16 + 8] = 1;
	ring[16 + 6] = 77;
	ring[16 + 9] = 88;
	ring[16 + 10] = 99;
	assert_false(vyre_load_miss_decode(ring, sizeof ring, 0, &miss));
	assert_false(vyre_load_miss_decode(ring, sizeof ring - 1, 1, &miss));
	assert_false(vyre_load_miss_decode(ring, sizeof ring, 2, &miss));
	assert_false(vyre_load_miss_decode(ring, sizeof ring, UINT64_MAX, &miss));
	assert_int_equal(miss.resource, 55);
	assert_true(vyre_load_miss_decode(ring, sizeof ring, 1, &miss));
	assert_int_equal(miss.resource, 66);
	assert_int_equal(miss.prefetch, 1);
	assert_true(miss.offset == UINT64_C(0x1FFFFFFFF));
	assert_int_equal(miss.destination, 77);
	assert_int_equal(miss.bytes, 88);
	assert_int_equal(miss.destination_offset, 99);
	ring[16 + 5] = 0;
	assert_true(vyre_load_miss_decode(ring, sizeof ring, 1, &miss));
	assert_int_equal(miss.prefetch, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_work_item_is_a_slot),	       cmocka_unit_test(a_whole_ring_of_items),
	    cmocka_unit_test(bad_items_leave_the_ring_alone),  cmocka_unit_test(a_window_is_required_then_lookahead),
	    cmocka_unit_test(a_bad_window_is_not_begun),       cmocka_unit_test(a_load_miss_is_frozen),
	    cmocka_unit_test(a_load_miss_is_read_at_its_slot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
