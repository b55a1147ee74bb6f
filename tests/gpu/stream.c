/* stream.c - a file streamed through the ring; handlers compare every byte with what the file has at its place. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/gpu/gpu.h"

enum {
	OP_COMPARE = 0x100,
	OP_SUM = 0x101,
	CHUNK_BYTES = 65536,
	DEPTH = 16,
	FILE_BYTES = 24 * 1024 * 1024 + 777,
	BUFFER_WORDS = CHUNK_BYTES * DEPTH / 4,
	SUM_BYTES = 512, /* that a single lane adds up */
};

/* As sets/stream.vyre has it. */
static uint8_t pattern(uint32_t offset)
{
	return (uint8_t)((offset * 0x9e3779b1u) >> 24 ^ offset);
}

static uint32_t sum_of(uint32_t offset, uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < bytes; i++)
		sum += pattern(offset + i);
	return sum;
}

/* A file that is gone when its descriptor is closed. */
static int make_file(void)
{
	const char *folder = getenv("TMPDIR");
	static uint8_t block[1 << 16];
	char path[512];

	snprintf(path, sizeof path, "%s/vyre-gpu-XXXXXX", folder && *folder ? folder : "/tmp");
	int fd = mkstemp(path);
	CHECK(fd >= 0, "no file in %s", path);
	unlink(path);
	for (uint32_t at = 0; at < FILE_BYTES; at += sizeof block) {
		size_t n = FILE_BYTES - at < sizeof block ? FILE_BYTES - at : sizeof block;

		for (size_t i = 0; i < n; i++)
			block[i] = pattern(at + (uint32_t)i);
		CHECK(pwrite(fd, block, n, at) == (ssize_t)n, "%s cannot be written", path);
	}
	return fd;
}

struct progress {
	uint64_t chunks, bytes;
};

static uint32_t fill(void *user, const struct vyre_chunk *chunk, struct vyre_slot *slots, uint32_t max)
{
	uint32_t place = (uint32_t)chunk->buffer_offset, offset = (uint32_t)chunk->file_offset;

	(void)user;
	CHECK(max >= 2, "room for %u slots", max);
	slots[0] = gpu_slot(OP_COMPARE, 3, place, offset);
	slots[0].args[2] = chunk->bytes;
	slots[1] = gpu_slot(OP_SUM, 2, place, chunk->bytes < SUM_BYTES ? chunk->bytes : SUM_BYTES);
	return 2;
}

static void done(void *user, const struct vyre_chunk *chunk, vyre_status status, int error,
		 const struct vyre_result *results, uint32_t count)
{
	uint32_t offset = (uint32_t)chunk->file_offset, head = chunk->bytes < SUM_BYTES ? chunk->bytes : SUM_BYTES;
	struct progress *p = user;

	CHECK(status == VYRE_OK && count == 2, "chunk at %u: %s, errno %d", offset, vyre_status_name(status), error);
	EQUAL(results[0].words[1], 0);
	EQUAL(results[0].words[0], sum_of(offset, chunk->bytes));
	EQUAL(results[1].words[0], sum_of(offset, head));
	p->chunks++;
	p->bytes += chunk->bytes;
}

void gpu_test_stream(const struct gpu_options *options)
{
	const struct gpu_buffer buffers[] = {
	    {.name = "text", .words = BUFFER_WORDS, .map = GPU_MAPPED}, {.name = "wrong", .words = 2}, {.name = NULL}};
	struct gpu_rig rig;
	struct progress progress = {0, 0};
	struct vyre_stream *stream;
	int fd = make_file();

	gpu_rig_open(&rig, options, NULL, "sets/stream.vyb", NULL, buffers);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 64, .workers = 2});
	OK(vyre_stream_create(&(struct vyre_stream_params){.publisher = rig.publisher,
							   .buffer = rig.buffers[0].buffer,
							   .chunk_bytes = CHUNK_BYTES,
							   .depth = DEPTH,
							   .slots_per_chunk = 2,
							   .fill = fill,
							   .done = done,
							   .user = &progress},
			      &stream));
	OK(vyre_stream_add(stream, fd, 0, UINT64_MAX, 0));
	OK(vyre_stream_pump(stream, GPU_SECONDS(100)));
	EQUAL(progress.bytes, FILE_BYTES);
	EQUAL(gpu_rig_word(&rig, "wrong", 0), 0);
	EQUAL(gpu_rig_word(&rig, "wrong", 1), FILE_BYTES);
	gpu_note("%llu chunks by %s", (unsigned long long)progress.chunks, vyre_stream_engine(stream));
	vyre_stream_destroy(stream);
	close(fd);
	gpu_rig_end(&rig);
}
