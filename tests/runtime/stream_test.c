/* stream_test.c - the stream delivers exactly the bytes asked for, once each, on every engine. */
#include "stream_rig.h"

#include <pthread.h>
#include <sys/socket.h>

static const struct {
	const char *name;
	uint32_t flags;
} engines[] = {
    {"io_uring", 0},
    {"pread", VYRE_STREAM_PREAD},
    {"io_uring, O_DIRECT", VYRE_STREAM_DIRECT},
    {"pread, O_DIRECT", VYRE_STREAM_PREAD | VYRE_STREAM_DIRECT},
};
enum { ENGINES = sizeof engines / sizeof *engines };

static uint64_t chunks_of(uint64_t offset, uint64_t bytes, uint32_t chunk, bool direct)
{
	uint64_t skew = direct ? offset % VYRE_STREAM_ALIGN : 0;
	return bytes ? (bytes + skew + chunk - 1) / chunk : 0;
}

static void one_range(struct rig *rig, int fd, uint64_t size, uint64_t offset, uint64_t bytes, uint32_t chunk,
		      uint32_t depth, uint32_t flags)
{
	struct run run;
	struct vyre_stream_stats stats;
	uint64_t here = offset < size ? size - offset : 0, want = bytes == UINT64_MAX ? here : bytes;
	run_init(&run, rig, chunk, depth, flags);
	run_start(&run, NULL);
	bool direct = strstr(vyre_stream_engine(run.stream), "+direct") != NULL;
	run_add(&run, fd, offset, bytes, 3);
	direct = direct && !strstr(vyre_stream_engine(run.stream), "refused");
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_true(!direct || !strstr(vyre_stream_engine(run.stream), "refused")); /* every read was aligned */
	uint64_t whole = want <= here ? chunks_of(offset, want, chunk, direct) : run.ok;
	assert_int_equal(run.calls, chunks_of(offset, want, chunk, direct));
	assert_int_equal(run.ok, whole);
	if (want <= here)
		assert_int_equal(run.ok_bytes, want);
	vyre_stream_get_stats(run.stream, &stats);
	assert_int_equal(stats.bytes, run.ok_bytes);
	assert_int_equal(stats.chunks, run.ok);
	assert_int_equal(stats.errors, run.io);
	assert_true(stats.max_in_flight <= depth);
	run_end(&run);
}

static void content(void **state)
{
	static const uint64_t sizes[] = {1, 4095, 4096, 4097, 65536, 150001};
	static const uint64_t offsets[] = {0, 1, 4096, 5001};
	static const uint32_t chunks[] = {4096, 65536}, depths[] = {1, 3, 32};
	struct rig rig;
	(void)state;
	rig_open(&rig, 64, 1, 32 * 65536);
	for (size_t s = 0; s < 6; s++) {
		int fd = make_file(sizes[s]);
		for (size_t i = 0; i < ENGINES * 2 * 3 * 4; i++)
			one_range(&rig, fd, sizes[s], offsets[i / 24], UINT64_MAX, chunks[i / 3 % 2], depths[i % 3],
				  engines[i / 6 % 4].flags);
		close(fd);
	}
	rig_close(&rig);
}

static void explicit_ranges(void **state)
{
	static const struct {
		uint64_t offset, bytes;
	} ranges[] = {{0, 1}, {4095, 2}, {100, 4096}, {8192, 8192}, {12345, 23456}, {99999, 1}, {0, 100000}};
	struct rig rig;
	int fd = make_file(100000);
	(void)state;
	rig_open(&rig, 64, 1, 8 * 8192);
	for (size_t e = 0; e < ENGINES; e++) {
		for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
			one_range(&rig, fd, 100000, ranges[i].offset, ranges[i].bytes, 8192, 5, engines[e].flags);
	}
	close(fd);
	rig_close(&rig);
}

static void sqpoll(void **state)
{
	struct rig rig;
	int fd = make_file(100000);
	(void)state;
	rig_open(&rig, 64, 1, 8 * 4096);
	one_range(&rig, fd, 100000, 7, UINT64_MAX, 4096, 8, VYRE_STREAM_SQPOLL);
	close(fd);
	rig_close(&rig);
}

static void default_params(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(1000000);
	(void)state;
	rig_open(&rig, 64, 1, 32 * 65536);
	run_init(&run, &rig, 0, 0, 0);
	assert_int_equal(vyre_stream_create(&run.params, &run.stream), VYRE_OK);
	run_add(&run, fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, VYRE_FOREVER), VYRE_OK);
	assert_int_equal(run.ok, 16);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

/* Ranges of the same and of other files, some long enough to be registered, all at once. */
static void many_ranges(void **state)
{
	struct rig rig;
	(void)state;
	rig_open(&rig, 64, 1, 16 * 4096);
	for (size_t e = 0; e < ENGINES; e++) {
		struct run run;
		int a = make_file(200000), b = make_file(5000);
		run_init(&run, &rig, 4096, 16, engines[e].flags);
		run_start(&run, NULL);
		run_add(&run, a, 0, UINT64_MAX, 0);
		run_add(&run, b, 0, UINT64_MAX, 1);
		run_add(&run, a, 8192, 8192, 2);
		run_add(&run, b, 0, 0, 3);
		run_add(&run, b, 9000, UINT64_MAX, 4);
		run_add(&run, a, 4096, 100000, 5);
		assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
		assert_int_equal(run.ok, 49 + 2 + 2 + 25);
		assert_int_equal(run.ok_bytes, 200000 + 5000 + 8192 + 100000);
		run_add(&run, b, 0, UINT64_MAX, 6); /* a drained stream takes more */
		assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
		assert_int_equal(run.ok, 80);
		run_end(&run);
		close(a);
		close(b);
	}
	rig_close(&rig);
}

static void empty(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(0);
	(void)state;
	rig_open(&rig, 64, 1, 4 * 4096);
	run_init(&run, &rig, 4096, 4, 0);
	run_start(&run, NULL);
	assert_int_equal(vyre_stream_pump(run.stream, 0), VYRE_OK); /* no range at all */
	run_add(&run, fd, 0, UINT64_MAX, 0);
	run_add(&run, fd, 0, 0, 1);
	run_add(&run, fd, 77, UINT64_MAX, 2);
	assert_int_equal(vyre_stream_pump(run.stream, SECOND), VYRE_OK);
	assert_int_equal(run.calls, 0);
	run_add(&run, fd, 0, 5, 3); /* five bytes that are not there */
	assert_int_equal(vyre_stream_pump(run.stream, SECOND), VYRE_OK);
	assert_int_equal(run.io, 1);
	assert_int_equal(run.last_errno, 0);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

/* Every missing chunk is reported, whether or not it was under way when the end was found. */
static void beyond_the_end(void **state)
{
	struct rig rig;
	int fd = make_file(10 * 4096 + 100);
	(void)state;
	rig_open(&rig, 64, 1, 4 * 4096);
	for (size_t e = 0; e < ENGINES; e++) {
		struct run run;
		struct vyre_stream_stats stats;
		run_init(&run, &rig, 4096, 4, engines[e].flags);
		run_start(&run, NULL);
		run_add(&run, fd, 0, 3000 * 4096, 0);
		run_add(&run, fd, 0, UINT64_MAX, 1);
		assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
		assert_int_equal(run.ok, 10 + 11);
		assert_int_equal(run.io, 2990);
		assert_int_equal(run.last_errno, 0);
		assert_int_equal(run.filled, 21);
		vyre_stream_get_stats(run.stream, &stats);
		assert_true(stats.reads < 100); /* no read for what is known to be missing */
		run_end(&run);
	}
	close(fd);
	rig_close(&rig);
}

static void refused_files(void **state)
{
	struct rig rig;
	struct run run;
	int pipes[2], sockets[2], dir = open(".", O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDONLY);
	int path = open(".", O_PATH), write_only = open("/dev/null", O_WRONLY);
	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	const struct {
		int fd;
		const char *says;
	} rows[] = {{dir, "directory"},		{pipes[0], "pipe"}, {sockets[0], "socket"},
		    {null, "character device"}, {path, "O_PATH"},   {write_only, "writing alone"},
		    {-1, "not open"},		{900, "not open"}};
	rig_open(&rig, 64, 1, 4 * 4096);
	run_init(&run, &rig, 4096, 4, 0);
	run_start(&run, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(vyre_stream_add(run.stream, rows[i].fd, 0, UINT64_MAX, 0), VYRE_INVALID);
		assert_non_null(strstr(vyre_last_error(), rows[i].says));
		assert_non_null(strstr(vyre_last_error(), ". Fix: "));
	}
	assert_int_equal(vyre_stream_pump(run.stream, SECOND), VYRE_OK);
	assert_int_equal(run.calls, 0);
	run_end(&run);
	for (size_t i = 0; i < 2; i++)
		close(pipes[i]), close(sockets[i]);
	close(dir), close(null), close(path), close(write_only);
	rig_close(&rig);
}

static void refused_ranges(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(10);
	(void)state;
	rig_open(&rig, 64, 1, 4 * 4096);
	run_init(&run, &rig, 4096, 4, 0);
	run_start(&run, NULL);
	assert_int_equal(vyre_stream_add(run.stream, fd, UINT64_MAX, 5, 0), VYRE_INVALID);
	assert_int_equal(vyre_stream_add(run.stream, fd, 1, INT64_MAX, 0), VYRE_INVALID);
	assert_int_equal(vyre_stream_add(NULL, fd, 0, 1, 0), VYRE_INVALID);
	assert_int_equal(vyre_stream_pump(NULL, 0), VYRE_INVALID);
	run_end(&run);
	/* The greatest range there is: the pump keeps its timeout while it reports what is missing. */
	run.params.done = NULL;
	run_start(&run, NULL);
	run_add(&run, fd, 0, INT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 2000000), VYRE_TIMEOUT);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

static void refused_params(void **state)
{
	struct rig rig;
	struct run run;
	(void)state;
	rig_open(&rig, 4, 1, 4 * 4096);
	run_init(&run, &rig, 4096, 4, 0);
	const struct vyre_stream_params good = run.params;
	for (int i = 0; i < 9; i++) {
		struct vyre_stream_params p = good;
		struct vyre_stream *stream = (struct vyre_stream *)&p;
		if (i == 0)
			p.publisher = NULL;
		if (i == 1)
			p.fill = NULL;
		if (i == 2)
			p.chunk_bytes = 4097;
		if (i == 3)
			p.chunk_bytes = 0xFFFFF000u;
		if (i == 4)
			p.depth = 1025;
		if (i == 5)
			p.slots_per_chunk = 9;
		if (i == 6)
			p.flags = 64;
		if (i == 7)
			p.depth = 5; /* larger than the buffer */
		if (i == 8)
			p.slots_per_chunk = 5; /* more than the ring's slots */
		assert_int_equal(vyre_stream_create(&p, &stream), VYRE_INVALID);
		assert_null(stream);
		assert_non_null(strstr(vyre_last_error(), ". Fix: "));
	}
	assert_int_equal(vyre_stream_create(NULL, &run.stream), VYRE_INVALID);
	assert_int_equal(vyre_stream_create(&good, NULL), VYRE_INVALID);
	vyre_stream_destroy(NULL);
	rig_close(&rig);
}

/* More slots a chunk than a batch, a ring smaller than what is ready: reads go on, the rest waits its turn. */
static void full_ring(void **state)
{
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		for (uint32_t per_chunk = 1; per_chunk <= 4; per_chunk++) {
			struct rig rig;
			struct run run;
			struct vyre_stream_stats stats;
			int fd = make_file(500000);
			rig_open(&rig, 4, 1, 32 * 4096);
			run_init(&run, &rig, 4096, 32, engines[e].flags);
			run.params.slots_per_chunk = run.fill_count = per_chunk;
			run_start(&run, NULL);
			run_add(&run, fd, 0, UINT64_MAX, 0);
			assert_int_equal(vyre_ring_set_tenant(rig.ring, 0, 0), VYRE_OK); /* nothing runs */
			do { /* until all are read, however long that takes; four slots are published */
				assert_int_equal(vyre_stream_pump(run.stream, 20000000), VYRE_TIMEOUT);
				vyre_stream_get_stats(run.stream, &stats);
			} while (stats.chunks < 32);
			assert_int_equal(run.calls, 0);
			assert_int_equal(stats.chunks, 32);
			assert_int_equal(vyre_ring_set_tenant(rig.ring, 0, 1), VYRE_OK);
			assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
			assert_int_equal(run.ok, 123);
			assert_int_equal(run.ok_bytes, 500000);
			run_end(&run);
			close(fd);
			rig_close(&rig);
		}
	}
}

static void nothing_to_run(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(500000);
	(void)state;
	rig_open(&rig, 4, 1, 8 * 4096);
	run_init(&run, &rig, 4096, 8, 0);
	run.fill_count = 0;
	run_start(&run, NULL);
	run_add(&run, fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.ok, 123);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

static void bad_fill(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(50000);
	(void)state;
	rig_open(&rig, 4, 1, 8 * 4096);
	run_init(&run, &rig, 4096, 8, 0);
	run.fill_count = 2; /* of one */
	run_start(&run, NULL);
	run_add(&run, fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.invalid, 13);
	run.fill_count = 1;
	run.opcode = 0x7777; /* which the set does not have */
	run_add(&run, fd, 0, UINT64_MAX, 1);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.invalid, 26);
	assert_int_equal(run.calls, 26);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

static void faults(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(50000);
	(void)state;
	rig_open(&rig, 8, 1, 8 * 4096);
	run_init(&run, &rig, 4096, 8, 0);
	run.opcode = REFERENCE_OP_TRAP;
	run.params.slots_per_chunk = run.fill_count = 2;
	run_start(&run, NULL);
	run_add(&run, fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.fault, 13);
	assert_int_equal(run.calls, 13);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

static int more_fd;
static void add_more(struct run *run, const struct vyre_chunk *chunk)
{
	assert_int_equal(vyre_stream_pump(run->stream, 0), VYRE_INVALID);
	if (chunk->index == 0 && chunk->range + 1 < MAX_RANGES)
		run_add(run, more_fd, 0, UINT64_MAX, chunk->range + 1);
}

static void callbacks(void **state)
{
	struct rig rig;
	struct run run;
	(void)state;
	more_fd = make_file(50000);
	rig_open(&rig, 8, 1, 8 * 4096);
	run_init(&run, &rig, 4096, 2, 0);
	run.on_done = add_more;
	run_start(&run, NULL);
	run_add(&run, more_fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.ok, 13 * MAX_RANGES);
	run_end(&run);
	close(more_fd);
	rig_close(&rig);
}

static void polling(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(1000000);
	vyre_status status;
	(void)state;
	rig_open(&rig, 8, 1, 8 * 4096);
	run_init(&run, &rig, 4096, 8, 0);
	run_start(&run, NULL);
	run_add(&run, fd, 0, UINT64_MAX, 0);
	while ((status = vyre_stream_pump(run.stream, 0)) == VYRE_TIMEOUT)
		;
	assert_int_equal(status, VYRE_OK);
	assert_int_equal(run.ok, 245);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

/* A descriptor that is O_DIRECT already: unaligned ends are read through one without it. */
static void direct_descriptor(void **state)
{
	struct rig rig;
	int fd = make_file(100001);
	char path[32];
	(void)state;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int direct = open(path, O_RDONLY | O_DIRECT);
	rig_open(&rig, 64, 1, 8 * 8192);
	for (size_t e = 0; e < ENGINES && direct >= 0; e++) {
		struct run run;
		uint32_t descriptors = open_descriptors();
		run_init(&run, &rig, 8192, 8, engines[e].flags);
		run_start(&run, NULL);
		run_add(&run, direct, 77, UINT64_MAX, 0);
		assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
		assert_int_equal(run.ok_bytes, 100001 - 77);
		assert_int_equal(run.ok, chunks_of(77, 100001 - 77, 8192, true));
		run_end(&run);
		assert_true(open_descriptors() <= descriptors);
	}
	close(direct);
	close(fd);
	rig_close(&rig);
}

static void *pump_a_little(void *arg)
{
	struct run *run = arg;
	for (int i = 0; i < 5; i++)
		(void)!vyre_stream_pump(run->stream, 0);
	return NULL;
}

/* One thread after the other pumps: nothing in a stream belongs to the thread that made it. */
static void other_threads(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENGINES; e++) {
		struct rig rig;
		struct run run;
		int fd = make_file(200 * 4096);
		rig_open(&rig, 16, 2, 16 * 4096);
		run_init(&run, &rig, 4096, 16, engines[e].flags);
		run_start(&run, NULL);
		run_add(&run, fd, 0, UINT64_MAX, 0);
		for (int i = 0; i < 4; i++) {
			pthread_t thread;
			assert_int_equal(pthread_create(&thread, NULL, pump_a_little, &run), 0);
			pthread_join(thread, NULL);
		}
		assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
		assert_int_equal(run.ok, 200);
		run_end(&run);
		close(fd);
		rig_close(&rig);
	}
}

/* What a stream was made from may go first. */
static void order_of_destruction(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(200 * 4096);
	(void)state;
	rig_open(&rig, 16, 1, 16 * 4096);
	run_init(&run, &rig, 4096, 16, 0);
	run_start(&run, NULL);
	assert_int_equal(vyre_buffer_destroy(rig.bench.device, rig.buffer), VYRE_OK);
	struct vyre_stream *late;
	assert_int_equal(vyre_stream_create(&run.params, &late), VYRE_STALE);
	vyre_publisher_destroy(rig.bench.publisher);
	rig.bench.publisher = NULL;
	run_add(&run, fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.ok, 200);
	run_add(&run, fd, 0, 16 * 4096, 1);
	(void)!vyre_stream_pump(run.stream, 0);
	bench_close(&rig.bench);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_STOPPED);
	assert_int_equal(run.calls, 216);
	run_end(&run);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(content),
	    cmocka_unit_test(explicit_ranges),
	    cmocka_unit_test(sqpoll),
	    cmocka_unit_test(default_params),
	    cmocka_unit_test(many_ranges),
	    cmocka_unit_test(empty),
	    cmocka_unit_test(beyond_the_end),
	    cmocka_unit_test(refused_files),
	    cmocka_unit_test(refused_ranges),
	    cmocka_unit_test(refused_params),
	    cmocka_unit_test(full_ring),
	    cmocka_unit_test(nothing_to_run),
	    cmocka_unit_test(bad_fill),
	    cmocka_unit_test(faults),
	    cmocka_unit_test(callbacks),
	    cmocka_unit_test(polling),
	    cmocka_unit_test(direct_descriptor),
	    cmocka_unit_test(other_threads),
	    cmocka_unit_test(order_of_destruction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
