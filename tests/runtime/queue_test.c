/* queue_test.c - the buffers `frames` and `queue`: who gets them, how large, and what their headers say. */
#include "abi/queue.h"
#include "bench_rig.h"
#include "live.h"

static void open_features(struct bench *b, uint32_t features, uint32_t frame_words)
{
	uint64_t size;
	uint8_t *bytes = test_blob_features(NULL, features, frame_words, &size);

	bench_open_blob(b, bytes, size, bench_linked(NULL), BENCH_MARKS);
}

/* A worker runs all the same: what its set declares lies where its bindings say. */
static void runs(struct bench *b)
{
	struct vyre_result result;

	assert_int_equal(vyre_wait(b->ring, bench_publish(b, REFERENCE_OP_ADD, 2, 3, 4), SECONDS(20), &result),
			 VYRE_OK);
	assert_int_equal(result.words[0], 7);
	assert_int_equal(vyre_wait(b->ring, bench_publish(b, REFERENCE_OP_MARK, 1, 9, 0), SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(b->mark_words[9], 1);
}

static const uint32_t *words_of(struct bench *b, uint32_t buffer, uint64_t words)
{
	const struct vyre_memory *memory = b->ring->memories[buffer];

	assert_non_null(memory);
	assert_int_equal(memory->bytes, 4 * words);
	return memory->data;
}

static void plain_sets_have_neither(void **state)
{
	struct bench b;

	(void)state;
	open_features(&b, 0, 0);
	bench_open_ring(&b, (struct vyre_ring_params){.slots = 8, .workers = 1, .frames = 5, .spawned = 6});
	assert_null(b.ring->memories[VYRE_RING_BUFFER_FRAMES]);
	assert_null(b.ring->memories[VYRE_RING_BUFFER_QUEUE]);
	runs(&b);
	bench_close(&b);
}

static void sets_that_suspend(void **state)
{
	struct bench b;
	const uint32_t *frames, *queue;

	(void)state;
	open_features(&b, VYRE_HAS_RECORDS | VYRE_HAS_QUEUE | VYRE_HAS_SUSPEND, 6);
	bench_open_ring(&b, (struct vyre_ring_params){.slots = 64, .workers = 1, .spawned = 9});
	frames = words_of(&b, VYRE_RING_BUFFER_FRAMES, vyre_frames_words(64, 64, 6));
	assert_int_equal(frames[VYRE_FRAMES_RECORDS], 64); /* nothing is spawned */
	assert_int_equal(frames[VYRE_FRAMES_FRAMES], 64);
	assert_int_equal(frames[VYRE_FRAMES_FRAME_WORDS], 6);
	queue = words_of(&b, VYRE_RING_BUFFER_QUEUE, vyre_queue_words(64, 0));
	assert_int_equal(queue[VYRE_QUEUE_CELLS], 64);
	assert_int_equal(queue[VYRE_QUEUE_SPAWNED], 0);
	runs(&b);
	bench_close(&b);

	/* No handler needs more than a record's own word. */
	open_features(&b, VYRE_HAS_RECORDS | VYRE_HAS_SUSPEND, 0);
	bench_open_ring(&b, (struct vyre_ring_params){.slots = 8, .workers = 1, .frames = 7});
	frames = words_of(&b, VYRE_RING_BUFFER_FRAMES, vyre_frames_words(8, 0, 0));
	assert_int_equal(frames[VYRE_FRAMES_FRAMES], 0);
	assert_null(b.ring->memories[VYRE_RING_BUFFER_QUEUE]);
	runs(&b);
	bench_close(&b);
}

static void sets_that_spawn(void **state)
{
	uint32_t features = VYRE_HAS_RECORDS | VYRE_HAS_QUEUE | VYRE_HAS_SPAWN;
	struct bench b;
	const uint32_t *frames, *queue;

	(void)state;
	open_features(&b, features, 3);
	bench_open_ring(&b, (struct vyre_ring_params){.slots = 8, .workers = 1, .spawned = 100, .frames = 20});
	frames = words_of(&b, VYRE_RING_BUFFER_FRAMES, vyre_frames_words(108, 20, 3));
	assert_int_equal(frames[VYRE_FRAMES_RECORDS], 108);
	assert_int_equal(frames[VYRE_FRAMES_FRAMES], 20);
	queue = words_of(&b, VYRE_RING_BUFFER_QUEUE, vyre_queue_words(128, 100));
	assert_int_equal(queue[VYRE_QUEUE_CELLS], 128);
	assert_int_equal(queue[VYRE_QUEUE_SPAWNED], 100);
	runs(&b);
	vyre_publisher_destroy(b.publisher);
	vyre_ring_destroy(b.ring);
	/* As many as slots, and a frame for each. */
	bench_open_ring(&b, (struct vyre_ring_params){.slots = 16, .workers = 1});
	frames = words_of(&b, VYRE_RING_BUFFER_FRAMES, vyre_frames_words(32, 32, 3));
	assert_int_equal(frames[VYRE_FRAMES_FRAMES], 32);
	queue = words_of(&b, VYRE_RING_BUFFER_QUEUE, vyre_queue_words(32, 16));
	assert_int_equal(queue[VYRE_QUEUE_SPAWNED], 16);
	bench_close(&b);
}

static void sizes_have_limits(void **state)
{
	static const struct vyre_ring_params bad[] = {
	    {.spawned = VYRE_MAX_SLOTS + 1},
	    {.frames = 2 * VYRE_MAX_SLOTS + 1},
	    {.frames = 65536}, /* of 65536 words: a device counts words in 32 bits */
	};
	struct vyre_ring *ring;
	struct bench b;
	uint32_t i;

	(void)state;
	open_features(&b, VYRE_HAS_RECORDS | VYRE_HAS_QUEUE | VYRE_HAS_SPAWN, 65536);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vyre_ring_params params = bad[i];

		params.kernel = b.kernel;
		assert_int_equal(vyre_ring_create(&params, &ring), VYRE_INVALID);
		assert_null(ring);
	}
	bench_open_ring(&b, (struct vyre_ring_params){.slots = 8, .workers = 1, .frames = 1});
	bench_close(&b);
	assert_int_equal(vyre_mem_live(), 0);
}

/* A table that does not say what its features say is not believed. */
static void features_and_rows_agree(void **state)
{
	uint32_t features = VYRE_HAS_RECORDS;
	struct vyre_blob *blob;
	struct vyre_device *device;
	struct vyre_kernel *kernel;
	uint64_t size;
	uint8_t *bytes = test_blob_features(NULL, features, 2, &size);
	struct vyre_blob_header *header = (struct vyre_blob_header *)bytes;
	struct vyre_blob_section *sections = (struct vyre_blob_section *)(header + 1);
	struct vyre_blob_unit *unit = (struct vyre_blob_unit *)(bytes + sections[1].offset);

	(void)state;
	assert_int_equal(sections[1].kind, VYRE_BLOB_UNITS);
	assert_int_equal(unit->features, features);
	unit->features |= VYRE_HAS_QUEUE; /* now one of its own stands where `queue` must */
	test_blob_redigest(bytes, size);
	assert_int_equal(vyre_blob_open(bytes, size, &blob), VYRE_OK);
	assert_int_equal(vyre_device_open("cpu", &device), VYRE_OK);
	assert_int_equal(
	    vyre_kernel_create(device, &(struct vyre_kernel_params){.blob = blob, .unit = "reference"}, &kernel),
	    VYRE_MALFORMED);
	assert_non_null(strstr(vyre_last_error(), "queue"));
	vyre_device_close(device);
	vyre_blob_close(blob);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_sets_have_neither), cmocka_unit_test(sets_that_suspend),
	    cmocka_unit_test(sets_that_spawn),	       cmocka_unit_test(sizes_have_limits),
	    cmocka_unit_test(features_and_rows_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
