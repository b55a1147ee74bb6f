/* stream.c - benchmark of streams: a file through the ring, against plain io_uring reads of the same blocks.
 *
 * A file of 256 MiB is written where temporary files go ($TMPDIR, else /var/tmp), so that both sides find it in the page
 * cache. The floor is one thread with io_uring, registered buffers and the same block size and depth, that looks at the
 * first word of every block. Ours is a stream whose handler reads the first word of every chunk: read, slot, handler,
 * result, recycling. Both sum the words; the sums must be equal. Warm, because a cold disk would hide what our side costs.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { BLOCK_BYTES = 128 << 10, DEPTH = 32, BLOCKS = 2048 };
#define FILE_BYTES ((uint64_t)BLOCK_BYTES * BLOCKS)

static uint32_t first_word(const uint8_t *block)
{
	uint32_t word;
	memcpy(&word, block, sizeof word);
	return word;
}

/* An unlinked file where temporary files go; every block starts with another word. */
static int make_file(void)
{
	const char *folder = getenv("TMPDIR");
	char path[4096];
	uint8_t *block = malloc(BLOCK_BYTES);
	int fd;

	snprintf(path, sizeof path, "%s/vyre-bench-XXXXXX", folder && *folder ? folder : "/var/tmp");
	fd = mkstemp(path);
	if (fd < 0 || !block)
		bench_die("stream", "cannot make a file of 256 MiB in $TMPDIR or /var/tmp");
	unlink(path);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		for (uint32_t byte = 0; byte < BLOCK_BYTES; byte++)
			block[byte] = (uint8_t)((i * 2654435761u >> 8) + byte * 31);
		memcpy(block, &(uint32_t){i * 2654435761u}, 4);
		if (write(fd, block, BLOCK_BYTES) != BLOCK_BYTES)
			bench_die("stream", "cannot write 256 MiB to $TMPDIR or /var/tmp");
	}
	free(block);
	return fd;
}

/* ---- floor ----------------------------------------------------------------------------------------------------------- */

static void queue_read(struct io_uring *uring, int fd, const struct iovec *buffer, unsigned index, uint64_t offset)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
	io_uring_prep_read_fixed(sqe, fd, buffer->iov_base, BLOCK_BYTES, offset, (int)index);
	sqe->user_data = index;
}

/* Returns seconds, negative where io_uring is refused. */
static double read_plainly(int fd, uint8_t *memory, uint32_t *sum)
{
	struct iovec buffers[DEPTH];
	struct io_uring uring;
	uint64_t offset = 0, finished = 0;
	double from;

	if (io_uring_queue_init(DEPTH, &uring, 0))
		return -1;
	for (unsigned i = 0; i < DEPTH; i++)
		buffers[i] = (struct iovec){memory + (size_t)i * BLOCK_BYTES, BLOCK_BYTES};
	if (io_uring_register_buffers(&uring, buffers, DEPTH))
		bench_die("stream", "io_uring refuses registered buffers; raise the locked-memory limit (ulimit -l)");
	from = bench_now();
	for (unsigned i = 0; i < DEPTH; i++, offset += BLOCK_BYTES)
		queue_read(&uring, fd, &buffers[i], i, offset);
	io_uring_submit(&uring);
	while (finished < FILE_BYTES) {
		struct io_uring_cqe *cqe;
		unsigned index;
		if (io_uring_wait_cqe(&uring, &cqe) || cqe->res != BLOCK_BYTES)
			bench_die("stream", "a plain read failed or was short");
		index = (unsigned)cqe->user_data;
		io_uring_cqe_seen(&uring, cqe);
		*sum += first_word(buffers[index].iov_base);
		finished += BLOCK_BYTES;
		if (offset < FILE_BYTES) {
			queue_read(&uring, fd, &buffers[index], index, offset);
			offset += BLOCK_BYTES;
			io_uring_submit(&uring);
		}
	}
	from = bench_now() - from;
	io_uring_queue_exit(&uring);
	return from;
}

/* ---- ours ------------------------------------------------------------------------------------------------------------ */

struct reader {
	uint32_t opcode, sum;
	bool correct;
};

static uint32_t fill(void *user, const struct vyre_chunk *chunk, struct vyre_slot *slots, uint32_t max_slots)
{
	const struct reader *reader = user;

	(void)max_slots;
	slots[0] = (struct vyre_slot){reader->opcode, VYRE_PRIORITY_NORMAL, 1, {(uint32_t)chunk->buffer_offset}};
	return 1;
}

static void done(void *user, const struct vyre_chunk *chunk, vyre_status status, int error_number,
		 const struct vyre_result *results, uint32_t result_count)
{
	struct reader *reader = user;

	(void)error_number;
	if (status == VYRE_OK && result_count == 1 && chunk->bytes == BLOCK_BYTES)
		reader->sum += results[0].words[0];
	else
		reader->correct = false;
}

static double read_through_ring(struct bench_set *set, int fd, struct reader *reader, char *engine, size_t engine_bytes)
{
	struct bench_ring_pair pair;
	struct vyre_stream *stream;
	double from;

	bench_ring_open(&pair, set, 4096);
	struct vyre_stream_params params = {
	    .publisher = pair.publisher,
	    .buffer = set->text,
	    .chunk_bytes = BLOCK_BYTES,
	    .depth = DEPTH,
	    .fill = fill,
	    .done = done,
	    .user = reader,
	};
	bench_check(vyre_stream_create(&params, &stream), "stream");
	strncat(engine, vyre_stream_engine(stream), engine_bytes - 1);
	from = bench_now();
	bench_check(vyre_stream_add(stream, fd, 0, FILE_BYTES, 0), "stream");
	bench_check(vyre_stream_pump(stream, VYRE_FOREVER), "stream");
	from = bench_now() - from;
	vyre_stream_destroy(stream);
	bench_ring_close(&pair);
	return from;
}

void bench_stream(void)
{
	struct bench_row row = {"stream.warm",	"GB/s", 0, 0, "io_uring alone, registered buffers, 128 KiB x 32",
				BENCH_AT_LEAST, 0.9,	1, ""};
	double floor[BENCH_ROUNDS], ours[BENCH_ROUNDS];
	struct bench_set set;
	int fd = make_file();

	bench_set_open(&set, BENCH_BLOB_bench, (uint64_t)BLOCK_BYTES * DEPTH);
	for (unsigned i = 0; i < bench_options.rounds; i++) {
		struct reader reader = {.opcode = set.first_word, .correct = true};
		uint32_t sum = 0;
		bench_pin(BENCH_PUBLISHER_CPU);
		floor[i] = read_plainly(fd, set.text_bytes, &sum);
		if (floor[i] < 0) {
			bench_report_left_out(row.name, "io_uring is not available here, no floor to compare with");
			close(fd);
			bench_set_close(&set);
			return;
		}
		row.note[0] = 0;
		ours[i] = read_through_ring(&set, fd, &reader, row.note, sizeof row.note);
		row.correct &= reader.correct && reader.sum == sum;
	}
	bench_set_close(&set);
	close(fd);
	row.floor = (double)FILE_BYTES / bench_median(floor, bench_options.rounds) / 1e9;
	row.ours = (double)FILE_BYTES / bench_median(ours, bench_options.rounds) / 1e9;
	bench_report(&row);
}
