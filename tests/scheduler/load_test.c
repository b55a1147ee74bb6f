/* load_test.c - sets that are dispatched ask for bytes too: an i/o service over the buffers that the caller has bound. */
#include <errno.h>
#include <unistd.h>

#include "abi/control.h"
#include "bench_rig.h"
#include "pattern_file.h"

enum { CONTROL, RING, LOG, IO, LAUNCH, FRAMES, TEXT, BUFFERS, SLOTS = 64, BYTES = 1 << 16, RESOURCE = 3 };
enum { OP_DIGEST = 0x104 };

struct load {
	struct vyre_blob *blob;
	struct vyre_device *device;
	vyre_buffer buffers[BUFFERS];
	uint32_t *maps[BUFFERS];
	struct vyre_kernel *kernel;
	struct vyre_io *io;
};

static void open_load(struct load *l, const char *blob, uint32_t flags)
{
	static const char *const names[] = {"control", "ring_buffer", "debug_log", "io_queue",
					    "launch",  "frames",      "bytes"};
	struct vyre_binding bindings[BUFFERS];
	struct vyre_kernel_params params = {.bindings = bindings, .binding_count = BUFFERS};
	struct vyre_io_params io = {.flags = flags};
	struct vyre_blob_view view;
	uint64_t words[BUFFERS] = {VYRE_CONTROL_MIN_WORDS + 2 * VYRE_LIVE_WORDS,
				   SLOTS * VYRE_SLOT_WORDS,
				   VYRE_DEBUG_WORDS,
				   VYRE_IO_WORDS,
				   VYRE_LIVE_LINE_WORDS,
				   0,
				   BYTES / 4};
	uint32_t i;
	int fd = make_file(BYTES);

	memset(l, 0, sizeof(*l));
	assert_int_equal(vyre_blob_open_file(blob, &l->blob), VYRE_OK);
	vyre_blob_get_view(l->blob, &view);
	assert_true(view.units[0].features & VYRE_HAS_IO);
	words[FRAMES] = vyre_frames_words(SLOTS, SLOTS, view.units[0].frame_words);
	assert_int_equal(vyre_device_open("cpu", &l->device), VYRE_OK);
	for (i = 0; i < BUFFERS; i++) {
		void *map;

		assert_int_equal(vyre_buffer_create(l->device, 4 * words[i], &l->buffers[i]), VYRE_OK);
		assert_int_equal(vyre_buffer_map(l->device, l->buffers[i], &map), VYRE_OK);
		l->maps[i] = map;
		bindings[i] = (struct vyre_binding){names[i], l->buffers[i]};
	}
	vyre_frames_encode(l->maps[FRAMES], SLOTS, SLOTS, view.units[0].frame_words);
	vyre_control_encode_live(l->maps[CONTROL], 2, 0, SLOTS);
	l->maps[LAUNCH][VYRE_LAUNCH_IDLE_LIMIT] = 1000;
	params.blob = l->blob;
	assert_int_equal(vyre_kernel_create(l->device, &params, &l->kernel), VYRE_OK);
	io.device = l->device;
	io.io_queue = l->buffers[IO];
	io.frames = l->buffers[FRAMES];
	assert_int_equal(vyre_io_create(&io, &l->io), VYRE_OK);
	assert_int_equal(vyre_io_grant_file(l->io, RESOURCE, fd, 0, UINT64_MAX, VYRE_IO_RIGHT_READ, 0), VYRE_OK);
	assert_int_equal(vyre_io_grant_buffer(l->io, RESOURCE, l->buffers[TEXT], 0, UINT64_MAX, VYRE_IO_RIGHT_WRITE, 0),
			 VYRE_OK);
	close(fd);
}

static void close_load(struct load *l)
{
	vyre_io_destroy(l->io);
	vyre_kernel_destroy(l->kernel);
	vyre_device_close(l->device);
	vyre_blob_close(l->blob);
	assert_int_equal(vyre_mem_live(), 0);
}

static uint32_t *publish(struct load *l, uint32_t index, uint32_t tenant, uint32_t offset, uint32_t n, uint32_t at)
{
	const uint32_t args[] = {RESOURCE, offset, n, at};
	uint32_t *slot = l->maps[RING] + index * VYRE_SLOT_WORDS, i;

	memset(slot, 0, VYRE_SLOT_BYTES);
	slot[VYRE_SLOT_WORD_OPCODE] = OP_DIGEST;
	slot[VYRE_SLOT_WORD_TENANT] = tenant;
	slot[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	for (i = 0; i < 4; i++)
		slot[VYRE_SLOT_WORD_ARG0 + i] = args[i];
	slot[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	return slot;
}

/* Slots that wait stay in the ring from launch to launch. */
static void dispatch_until_done(struct load *l, uint32_t count)
{
	uint32_t done = l->maps[CONTROL][VYRE_CONTROL_DONE_COUNT] + count;
	int i;

	for (i = 0; i < 20000 && l->maps[CONTROL][VYRE_CONTROL_DONE_COUNT] != done; i++)
		assert_int_equal(vyre_kernel_dispatch(l->kernel, (const uint32_t[3]){1, 1, 1}, NULL), VYRE_OK);
	assert_int_equal(l->maps[CONTROL][VYRE_CONTROL_DONE_COUNT], done);
}

/* Twice as many slots as there are entries, several times. */
static void loads(const char *blob)
{
	enum { CHUNK = BYTES / SLOTS };
	uint32_t e, round, i, k;

	for (e = 0; e < 2; e++) {
		struct load l;

		open_load(&l, blob, e ? VYRE_IO_PREAD : 0);
		for (round = 0; round < 10; round++) {
			for (i = 0; i < SLOTS; i++)
				publish(&l, i, 0, round * 7 + i * 13, 1 + (round + i) % CHUNK, i * CHUNK);
			dispatch_until_done(&l, SLOTS);
			for (i = 0; i < SLOTS; i++) {
				uint32_t *slot = l.maps[RING] + i * VYRE_SLOT_WORDS, total = 0;

				for (k = 0; k < 1 + (round + i) % CHUNK; k++)
					total += pattern(round * 7 + i * 13 + k);
				assert_int_equal(slot[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_DONE);
				assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], total);
			}
		}
		publish(&l, 0, 1, 0, 10, 0);
		publish(&l, 1, 0, BYTES, 10, 0);
		dispatch_until_done(&l, 2);
		for (i = 0; i < 2; i++) {
			uint32_t *slot = l.maps[RING] + i * VYRE_SLOT_WORDS;

			assert_int_equal(slot[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_FAULT);
			assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_IO);
			assert_int_equal(slot[VYRE_SLOT_WORD_ARG0 + 1], i ? ERANGE : EACCES);
		}
		close_load(&l);
	}
}

static void the_slots_feed_loads(void **state)
{
	(void)state;
	loads(VYRE_LOAD_SLOTS);
}

static void the_priority_feed_loads(void **state)
{
	(void)state;
	loads(VYRE_LOAD_PRIORITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_slots_feed_loads),
	    cmocka_unit_test(the_priority_feed_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
