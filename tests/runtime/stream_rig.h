/* stream_rig.h - what the stream tests share: a ring whose slots end, files with known bytes, and exact bookkeeping.
 *
 * A `run` streams ranges of one file and checks, in the callbacks, that every chunk has the bytes of its place in the
 * file when fill sees it and still when done sees it, and that each chunk is done exactly once.
 */
#ifndef STREAM_RIG_H
#define STREAM_RIG_H
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench_rig.h"
#include "pattern_file.h"
#include "stream.h"

enum { MAX_RANGES = 8, MAX_CHUNKS = 4096 };

/* A ring that a worker drains, and a buffer for the stream. */
struct rig {
	struct bench bench;
	struct vyre_ring *ring;
	struct vyre_publisher *publisher;
	vyre_buffer buffer;
	unsigned char *data;
	uint64_t bytes;
};

static inline void rig_open(struct rig *rig, uint32_t slots, uint32_t workers, uint64_t bytes)
{
	void *map;
	bench_open_kernel(&rig->bench, NULL, reference_entry, 16);
	bench_open_ring(&rig->bench,
			(struct vyre_ring_params){.slots = slots, .workers = workers, .first_position = 0xFFFFFF00});
	rig->ring = rig->bench.ring;
	rig->publisher = rig->bench.publisher;
	rig->bytes = bytes;
	assert_int_equal(vyre_buffer_create(rig->bench.device, bytes, &rig->buffer), VYRE_OK);
	assert_int_equal(vyre_buffer_map(rig->bench.device, rig->buffer, &map), VYRE_OK);
	rig->data = map;
}

static inline void rig_close(struct rig *rig)
{
	assert_int_equal(vyre_buffer_destroy(rig->bench.device, rig->buffer), VYRE_OK);
	bench_close(&rig->bench);
}

struct run {
	struct rig *rig;
	struct vyre_stream *stream;
	struct vyre_stream_params params;
	uint32_t opcode, fill_count; /* what fill publishes */
	bool unsteady;		     /* the file changes under us: do not compare */
	uint64_t calls, filled, ok, fault, io, stopped, invalid;
	int last_errno;
	uint64_t ok_bytes;
	uint8_t fills[MAX_RANGES][MAX_CHUNKS], dones[MAX_RANGES][MAX_CHUNKS];
	void (*on_done)(struct run *run, const struct vyre_chunk *chunk);
};

static inline void check_bytes(const struct run *run, const struct vyre_chunk *chunk)
{
	const unsigned char *data = run->rig->data + chunk->buffer_offset;
	for (uint32_t i = 0; i < chunk->bytes && !run->unsteady; i++) {
		if (data[i] != pattern(chunk->file_offset + i))
			fail_msg("byte %u of chunk %llu of range %llu is wrong", i, (unsigned long long)chunk->index,
				 (unsigned long long)chunk->range);
	}
}

static inline uint32_t run_fill(void *user, const struct vyre_chunk *chunk, struct vyre_slot *slots, uint32_t max)
{
	struct run *run = user;
	assert_true(chunk->range < MAX_RANGES && chunk->index < MAX_CHUNKS);
	assert_true(chunk->buffer_offset + chunk->bytes <= run->rig->bytes);
	assert_int_equal(run->fills[chunk->range][chunk->index]++, 0);
	run->filled++;
	check_bytes(run, chunk);
	for (uint32_t i = 0; i < run->fill_count && i < max; i++)
		slots[i] = (struct vyre_slot){
		    .opcode = run->opcode, .priority = VYRE_PRIORITY_NORMAL, .arg_count = 2, .args = {i, 0}};
	return run->fill_count;
}

static inline void run_done(void *user, const struct vyre_chunk *chunk, vyre_status status, int error,
			    const struct vyre_result *results, uint32_t count)
{
	struct run *run = user;
	assert_true(chunk->range < MAX_RANGES && chunk->index < MAX_CHUNKS);
	assert_int_equal(run->dones[chunk->range][chunk->index]++, 0);
	run->calls++;
	run->ok += status == VYRE_OK;
	run->fault += status == VYRE_FAULT;
	run->io += status == VYRE_IO;
	run->stopped += status == VYRE_STOPPED;
	run->invalid += status == VYRE_INVALID;
	if (status == VYRE_IO)
		run->last_errno = error;
	else
		assert_int_equal(error, 0);
	if (status == VYRE_OK) {
		assert_int_equal(run->fills[chunk->range][chunk->index], 1);
		assert_int_equal(count, run->fill_count);
		run->ok_bytes += chunk->bytes;
		check_bytes(run, chunk);
	}
	for (uint32_t i = 0; i < count && status == VYRE_OK; i++) {
		assert_int_equal(results[i].status, VYRE_SLOT_DONE);
		assert_int_equal(results[i].words[0], i);
	}
	if (run->on_done)
		run->on_done(run, chunk);
}

static inline void run_init(struct run *run, struct rig *rig, uint32_t chunk, uint32_t depth, uint32_t flags)
{
	*run = (struct run){.rig = rig, .opcode = REFERENCE_OP_NOTHING, .fill_count = 1};
	run->params = (struct vyre_stream_params){.publisher = rig->publisher,
						  .buffer = rig->buffer,
						  .chunk_bytes = chunk,
						  .depth = depth,
						  .flags = flags,
						  .fill = run_fill,
						  .done = run_done,
						  .user = run};
}

static inline void run_start(struct run *run, struct vyre_stream_engine *engine)
{
	vyre_status status = vyre_stream_create_on(&run->params, engine, &run->stream);
	if (status)
		fail_msg("stream: %s", vyre_last_error());
}

static inline void run_add(struct run *run, int fd, uint64_t offset, uint64_t bytes, uint64_t range)
{
	if (vyre_stream_add(run->stream, fd, offset, bytes, range) != VYRE_OK)
		fail_msg("add: %s", vyre_last_error());
}

static inline void run_end(struct run *run)
{
	vyre_stream_destroy(run->stream);
	run->stream = NULL;
}

/* Entries of /proc/self/fd: a leak of a descriptor shows. */
static inline uint32_t open_descriptors(void)
{
	uint32_t n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#define SECOND SECONDS(1)

#endif
