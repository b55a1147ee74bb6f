/* io_test.c - the io queue: an entry's way from asker to server and back. */
#include "runtime/abi/io.h"
#include "tests/abi/rig.h"

enum { ENTRIES = 64, BYTES = 2048 };

/* Entry 1: READ from 3 to 4 at offset 0x0000000500000006, 4096 bytes, tag 0xDEADBEEF, PUBLISHED. */
static const uint8_t frozen[32] = {1, 0, 0, 0, 3, 0,	0, 0, 4, 0, 0, 0, 6,	0,    0,    0,
				   5, 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0, 0xEF, 0xBE, 0xAD, 0xDE};
static const struct vyre_io_request request = {1, VYRE_IO_OP_READ, 3, 4, UINT64_C(0x500000006), 4096, 0xDEADBEEF};

static void an_entry_is_frozen(void **state)
{
	uint32_t queue[512] = {0}, count = 9;
	struct vyre_io_request out[64];
	(void)state;
	assert_int_equal(vyre_io_publish(queue, BYTES, &request), VYRE_IO_ERROR_NONE);
	assert_memory_equal(queue + 8, frozen, 32);
	assert_int_equal(vyre_io_publish(queue, BYTES, &request), VYRE_IO_ERROR_OCCUPIED);
	assert_int_equal(vyre_io_poll(queue, BYTES, out, &count), VYRE_IO_ERROR_NONE);
	assert_int_equal(count, 1);
	assert_memory_equal(queue + 8, frozen, 32);
	assert_int_equal(out[0].entry, 1);
	assert_int_equal(out[0].op, VYRE_IO_OP_READ);
	assert_int_equal(out[0].src, 3);
	assert_int_equal(out[0].dst, 4);
	assert_true(out[0].offset == UINT64_C(0x500000006));
	assert_int_equal(out[0].bytes, 4096);
	assert_int_equal(out[0].tag, 0xDEADBEEF);
	assert_int_equal(VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE, 3);
}

static void claimed_once_and_completed_once(void **state)
{
	uint32_t queue[512] = {0}, count = 9, before[512];
	struct vyre_io_request out[64];
	struct vyre_io_completion done;
	(void)state;
	assert_int_equal(vyre_io_publish(queue, BYTES, &request), VYRE_IO_ERROR_NONE);
	assert_int_equal(vyre_io_complete(queue, BYTES, (struct vyre_io_completion){1, 0, 0}), VYRE_IO_ERROR_UNCLAIMED);
	assert_memory_equal(queue + 8, frozen, 32);
	assert_int_equal(vyre_io_claim(queue, BYTES, out, &count), VYRE_IO_ERROR_NONE);
	assert_int_equal(count, 1);
	assert_int_equal(queue[8 + 6], VYRE_SLOT_CLAIMED);
	assert_int_equal(vyre_io_claim(queue, BYTES, out, &count), VYRE_IO_ERROR_NONE);
	assert_int_equal(count, 0);
	assert_int_equal(vyre_io_take(queue, BYTES, 1, &done), VYRE_IO_ERROR_PENDING);
	memcpy(before, queue, sizeof queue);
	assert_int_equal(vyre_io_complete(queue, BYTES, (struct vyre_io_completion){1, 0, 77}), VYRE_IO_ERROR_NONE);
	before[8 + 6] = 0x10;
	assert_memory_equal(queue, before, sizeof queue); /* OK moves the status alone */
	assert_int_equal(vyre_io_complete(queue, BYTES, (struct vyre_io_completion){1, 5, 0}), VYRE_IO_ERROR_UNCLAIMED);
	assert_memory_equal(queue, before, sizeof queue);
	assert_int_equal(vyre_io_take(queue, BYTES, 1, &done), VYRE_IO_ERROR_NONE);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.bytes_done, 4096);
	assert_int_equal(queue[8 + 6], VYRE_SLOT_EMPTY);
	assert_int_equal(vyre_io_take(queue, BYTES, 1, &done), VYRE_IO_ERROR_PENDING);
}

static void an_error_says_why_and_how_far(void **state)
{
	uint32_t queue[512] = {0}, count;
	struct vyre_io_request out[64];
	struct vyre_io_completion done = {9, 9, 9};
	(void)state;
	assert_int_equal(vyre_io_publish(queue, BYTES, &request), VYRE_IO_ERROR_NONE);
	assert_int_equal(vyre_io_claim(queue, BYTES, out, &count), VYRE_IO_ERROR_NONE);
	assert_int_equal(vyre_io_complete(queue, BYTES, (struct vyre_io_completion){1, 28, 512}), VYRE_IO_ERROR_NONE);
	static const uint32_t want[8] = {1, 3, 4, 28, 5, 512, 0x11, 0xDEADBEEF};
	assert_memory_equal(queue + 8, want, 32);
	assert_int_equal(vyre_io_take(queue, BYTES, 1, &done), VYRE_IO_ERROR_NONE);
	assert_memory_equal(&done, ((uint32_t[]){1, 28, 512}), 12);
	queue[8 + 3] = 0; /* an ancestor's server says ERROR and nothing else */
	queue[8 + 6] = 0x11;
	assert_int_equal(vyre_io_take(queue, BYTES, 1, &done), VYRE_IO_ERROR_NONE);
	assert_int_equal(done.error, 5);
}

static void a_batch_is_checked_before_it_is_stored(void **state)
{
	uint32_t queue[512] = {0}, before[512];
	struct vyre_io_completion done[3] = {{0, 0, 0}, {63, 9, 1}, {2, 0, 0}};
	(void)state;
	queue[6] = queue[63 * 8 + 6] = VYRE_SLOT_CLAIMED;
	queue[2 * 8 + 6] = VYRE_SLOT_PUBLISHED;
	memcpy(before, queue, sizeof queue);
	assert_int_equal(vyre_io_complete_batch(queue, BYTES, done, 3), VYRE_IO_ERROR_UNCLAIMED);
	done[2].entry = 64;
	assert_int_equal(vyre_io_complete_batch(queue, BYTES, done, 3), VYRE_IO_ERROR_INDEX);
	done[2].entry = 0xFFFFFFFF;
	assert_int_equal(vyre_io_complete_batch(queue, BYTES, done, 3), VYRE_IO_ERROR_INDEX);
	done[2].entry = 0; /* named twice: the second would overwrite the first */
	assert_int_equal(vyre_io_complete_batch(queue, BYTES, done, 3), VYRE_IO_ERROR_UNCLAIMED);
	assert_memory_equal(queue, before, sizeof queue);
	assert_int_equal(vyre_io_complete_batch(queue, BYTES, done, 2), VYRE_IO_ERROR_NONE);
	assert_int_equal(queue[6], 0x10);
	assert_int_equal(queue[63 * 8 + 6], 0x11);
	assert_int_equal(queue[63 * 8 + 3], 9);
	assert_int_equal(vyre_io_complete_batch(queue, BYTES, done, 0), VYRE_IO_ERROR_NONE);
}

static void only_empty_entries_are_published(void **state)
{
	static const uint32_t taken[] = {1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0xFFFFFFFF};
	uint32_t queue[512] = {0}, zero[512] = {0};
	struct vyre_io_request bad = request;
	(void)state;
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		queue[8 + 6] = zero[8 + 6] = taken[i];
		assert_int_equal(vyre_io_publish(queue, BYTES, &request), VYRE_IO_ERROR_OCCUPIED);
		assert_memory_equal(queue, zero, sizeof queue);
	}
	queue[8 + 6] = zero[8 + 6] = 0;
	for (unsigned op = 0; op <= 4; op += 4) {
		bad.op = op;
		assert_int_equal(vyre_io_publish(queue, BYTES, &bad), VYRE_IO_ERROR_OP);
	}
	bad = request, bad.entry = 64;
	assert_int_equal(vyre_io_publish(queue, BYTES, &bad), VYRE_IO_ERROR_INDEX);
	bad.entry = 2;
	assert_int_equal(vyre_io_publish(queue, 64, &bad), VYRE_IO_ERROR_INDEX);
	assert_memory_equal(queue, zero, sizeof queue);
}

static void a_queue_is_1_to_64_entries(void **state)
{
	static const uint64_t wrong[] = {0, 1, 31, 33, 2047, 2049, 2080, UINT64_MAX, UINT64_MAX - 31};
	uint32_t queue[512], count = 9, entries = 9;
	struct vyre_io_request out[64];
	struct vyre_io_completion done;
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(vyre_io_view(wrong[i], &entries), VYRE_IO_ERROR_LENGTH);
		assert_int_equal(vyre_io_poll(queue, wrong[i], out, &count), VYRE_IO_ERROR_LENGTH);
		assert_int_equal(vyre_io_claim(queue, wrong[i], out, &count), VYRE_IO_ERROR_LENGTH);
		assert_int_equal(vyre_io_publish(queue, wrong[i], &request), VYRE_IO_ERROR_LENGTH);
		assert_int_equal(vyre_io_take(queue, wrong[i], 0, &done), VYRE_IO_ERROR_LENGTH);
	}
	assert_int_equal(entries, 9);
	assert_int_equal(vyre_io_view(32, &entries), VYRE_IO_ERROR_NONE);
	assert_int_equal(entries, 1);
	assert_int_equal(vyre_io_view(2048, &entries), VYRE_IO_ERROR_NONE);
	assert_int_equal(entries, 64);
	assert_true(vyre_io_length(0) == VYRE_NO_LENGTH);
	assert_int_equal(vyre_io_length(1), 32);
	assert_int_equal(vyre_io_length(64), 2048);
	assert_true(vyre_io_length(65) == VYRE_NO_LENGTH);
	memset(queue, 0x33, sizeof queue);
	assert_int_equal(vyre_io_encode(queue, BYTES, 65), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_io_encode(queue, BYTES, 0), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_io_encode(queue, BYTES - 1, 64), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_io_encode(queue, BYTES, 63), VYRE_LENGTH_NONE);
	assert_int_equal(queue[63 * 8 - 1], 0);
	assert_int_equal(queue[63 * 8], 0x33333333);
	for (unsigned e = VYRE_IO_ERROR_LENGTH; e <= VYRE_IO_ERROR_OP; e++)
		assert_is_message(vyre_io_error_text((enum vyre_io_error)e));
}

static void a_full_queue_in_order(void **state)
{
	uint32_t queue[512] = {0}, count = 0;
	struct vyre_io_request out[64];
	(void)state;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct vyre_io_request one = {i, 1 + i % 3, i, ~i, (uint64_t)i << 40 | 7, i * 3, i * 5};
		assert_int_equal(vyre_io_publish(queue, BYTES, &one), VYRE_IO_ERROR_NONE);
	}
	assert_int_equal(vyre_io_claim(queue, BYTES, out, &count), VYRE_IO_ERROR_NONE);
	assert_int_equal(count, 64);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		assert_int_equal(out[i].entry, i);
		assert_int_equal(out[i].dst, ~i);
		assert_true(out[i].offset == ((uint64_t)i << 40 | 7));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_is_frozen),
	    cmocka_unit_test(claimed_once_and_completed_once),
	    cmocka_unit_test(an_error_says_why_and_how_far),
	    cmocka_unit_test(a_batch_is_checked_before_it_is_stored),
	    cmocka_unit_test(only_empty_entries_are_published),
	    cmocka_unit_test(a_queue_is_1_to_64_entries),
	    cmocka_unit_test(a_full_queue_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
