/* io_rig.h - what the tests of device-requested i/o share: a device, a file, a buffer, both granted, and two ways to ask.
 *
 * Two askers: slots of feature_kernel.c that load and wait, and entries that the test writes itself into the buffers of a
 * "dispatch", where any word can be wrong. Every test runs on both engines.
 */
#ifndef IO_RIG_H
#define IO_RIG_H
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "bench_rig.h"
#include "io_state.h"
#include "pattern_file.h"

enum { FILE_BYTES = 1 << 20, BUFFER_BYTES = 1 << 20, RESOURCE = 7, TARGET = 9, OWN_TENANT = 1 };

static const uint32_t engine_flags[] = {0, VYRE_IO_PREAD};

/* ---- a device, its file, its buffer --------------------------------------------------------------------------------- */

struct rig {
	struct bench bench;
	struct vyre_publisher *publisher; /* of OWN_TENANT */
	struct vyre_io *io;
	vyre_buffer target;
	unsigned char *bytes;
	int fd;
	/* of a dispatch */
	vyre_buffer queue, frames;
	uint32_t *entries, *notes;
};

static inline void make_target(struct rig *rig)
{
	void *map;

	rig->fd = make_file(FILE_BYTES);
	assert_int_equal(vyre_buffer_create(rig->bench.device, BUFFER_BYTES, &rig->target), VYRE_OK);
	assert_int_equal(vyre_buffer_map(rig->bench.device, rig->target, &map), VYRE_OK);
	rig->bytes = map;
}

static inline void grant_both(struct rig *rig)
{
	assert_int_equal(vyre_io_grant_file(rig->io, RESOURCE, rig->fd, 0, UINT64_MAX,
					    VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE, VYRE_IO_ANY_TENANT),
			 VYRE_OK);
	assert_int_equal(vyre_io_grant_buffer(rig->io, TARGET, rig->target, 0, UINT64_MAX,
					      VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE, VYRE_IO_ANY_TENANT),
			 VYRE_OK);
}

/* engine: NULL = the one that is chosen. */
static inline void open_ring(struct rig *rig, uint32_t flags, struct vyre_stream_engine *engine, uint32_t slots,
			     uint32_t workers)
{
	struct vyre_io_params params = {.flags = flags};

	memset(rig, 0, sizeof(*rig));
	bench_open_features(&rig->bench, VYRE_HAS_BUILTINS | VYRE_HAS_RECORDS | VYRE_HAS_IO);
	bench_open_ring(
	    &rig->bench,
	    (struct vyre_ring_params){
		.slots = slots, .workers = workers, .tenants = 3, .idle_ns = 100000, .first_position = 0xFFFFFF00u});
	__atomic_store_n(&rig->bench.ring->live[VYRE_LIVE_IO_DONE], 0xFFFFFFF0u, __ATOMIC_SEQ_CST);
	assert_int_equal(vyre_publisher_create(rig->bench.ring, OWN_TENANT, &rig->publisher), VYRE_OK);
	params.ring = rig->bench.ring;
	make_target(rig);
	assert_int_equal(vyre_io_create_on(&params, engine, &rig->io), VYRE_OK);
	grant_both(rig);
}

static inline void open_dispatch(struct rig *rig, uint32_t flags, struct vyre_stream_engine *engine)
{
	struct vyre_io_params params = {.flags = flags};
	uint64_t frames_bytes = 4 * vyre_frames_words(4, 0, 0);
	void *map;

	memset(rig, 0, sizeof(*rig));
	assert_int_equal(vyre_device_open("cpu", &rig->bench.device), VYRE_OK);
	assert_int_equal(vyre_buffer_create(rig->bench.device, 4 * VYRE_IO_WORDS, &rig->queue), VYRE_OK);
	assert_int_equal(vyre_buffer_create(rig->bench.device, frames_bytes, &rig->frames), VYRE_OK);
	assert_int_equal(vyre_buffer_map(rig->bench.device, rig->queue, &map), VYRE_OK);
	rig->entries = map;
	assert_int_equal(vyre_buffer_map(rig->bench.device, rig->frames, &map), VYRE_OK);
	rig->notes = (uint32_t *)map + VYRE_FRAMES_IO;
	params.device = rig->bench.device;
	params.io_queue = rig->queue;
	params.frames = rig->frames;
	make_target(rig);
	assert_int_equal(vyre_io_create_on(&params, engine, &rig->io), VYRE_OK);
	grant_both(rig);
}

static inline void close_rig(struct rig *rig)
{
	vyre_io_destroy(rig->io);
	vyre_publisher_destroy(rig->publisher);
	assert_int_equal(vyre_buffer_destroy(rig->bench.device, rig->target), VYRE_OK);
	if (rig->queue)
		assert_int_equal(vyre_buffer_destroy(rig->bench.device, rig->queue), VYRE_OK);
	if (rig->frames)
		assert_int_equal(vyre_buffer_destroy(rig->bench.device, rig->frames), VYRE_OK);
	close(rig->fd);
	bench_close(&rig->bench);
	assert_int_equal(vyre_mem_live(), 0);
}

/* ---- asking --------------------------------------------------------------------------------------------------------- */

static inline vyre_ticket load(struct rig *rig, uint32_t resource, uint32_t offset, uint32_t bytes, uint32_t target,
			uint32_t at)
{
	struct vyre_slot slot = {.opcode = REFERENCE_OP_LOAD,
				 .priority = VYRE_PRIORITY_NORMAL,
				 .arg_count = 5,
				 .args = {resource, offset, bytes, target, at}};
	vyre_ticket ticket = 0;

	assert_int_equal(vyre_publish(rig->publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), &ticket), VYRE_OK);
	return ticket;
}

/* 0, or the errno of its fault. */
static inline uint32_t outcome(struct rig *rig, vyre_ticket ticket)
{
	struct vyre_result result;
	vyre_status status = vyre_wait(rig->bench.ring, ticket, SECONDS(30), &result);

	if (status == VYRE_OK)
		return 0;
	assert_int_equal(status, VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_IO);
	assert_true(result.fault_detail != 0);
	return result.fault_detail;
}

static inline void same(struct rig *rig, uint32_t offset, uint32_t bytes, uint32_t at)
{
	uint32_t i;

	for (i = 0; i < bytes; i++)
		if (rig->bytes[at + i] != pattern(offset + i))
			fail_msg("byte %u of %u is %u, not %u", i, bytes, rig->bytes[at + i], pattern(offset + i));
}

/* An entry by hand. */
static inline void put(struct rig *rig, uint32_t entry, uint32_t op, uint32_t source, uint32_t target, uint64_t offset,
		uint32_t bytes, uint64_t at, uint32_t tenant)
{
	uint32_t *words = rig->entries + entry * VYRE_IO_ENTRY_WORDS, *note = rig->notes + entry * VYRE_IO_NOTE_WORDS,
		 i;
	const uint32_t values[] = {op, source, target, (uint32_t)offset, (uint32_t)(offset >> 32), bytes};
	const uint32_t noted[] = {tenant, (uint32_t)at, (uint32_t)(at >> 32), entry + 1};

	assert_int_equal(__atomic_load_n(&words[VYRE_IO_WORD_STATUS], __ATOMIC_ACQUIRE), VYRE_SLOT_EMPTY);
	for (i = 0; i < 6; i++)
		__atomic_store_n(&words[i], values[i], __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		__atomic_store_n(&note[i], noted[i], __ATOMIC_RELAXED);
	__atomic_store_n(&words[VYRE_IO_WORD_TAG], 0x7A60000u + entry, __ATOMIC_RELAXED);
	__atomic_store_n(&words[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED, __ATOMIC_RELEASE);
}

static inline uint32_t status_of(struct rig *rig, uint32_t entry)
{
	return __atomic_load_n(&rig->entries[entry * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_STATUS], __ATOMIC_ACQUIRE);
}

/* Takes the outcome: 0, or the errno; *done = bytes done. */
static inline uint32_t get(struct rig *rig, uint32_t entry, uint32_t *done)
{
	struct vyre_io_completion completion = {0};
	uint32_t *words = rig->entries + entry * VYRE_IO_ENTRY_WORDS;
	int i;

	for (i = 0; i < 200000 && status_of(rig, entry) < VYRE_IO_STATUS_OK; i++)
		usleep(100);
	assert_int_equal(__atomic_load_n(&words[VYRE_IO_WORD_TAG], __ATOMIC_RELAXED), 0x7A60000u + entry);
	assert_int_equal(vyre_io_take(rig->entries, 4 * VYRE_IO_WORDS, entry, &completion), VYRE_IO_ERROR_NONE);
	if (done)
		*done = completion.bytes_done;
	return completion.error;
}

#endif
