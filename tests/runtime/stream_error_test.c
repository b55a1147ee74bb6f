/* stream_error_test.c - what goes wrong under a stream: failing, short and reordered reads, files that shrink, a ring
 * that is stopped, a stream that is destroyed half way. Every chunk is accounted for once, and nothing is leaked.
 */
#include "alloc.h"
#include "stream_rig.h"

/* An engine over another: changes results, gives finished reads back in the wrong order, in a trickle. */
struct faulty {
	struct vyre_stream_engine base, *inner;
	int32_t (*alter)(struct faulty *f, const struct vyre_stream_read *read, int32_t result);
	bool backwards;
	uint32_t held_count, count;
	struct vyre_stream_read *held[VYRE_STREAM_MAX_DEPTH];
};

static void faulty_submit(struct vyre_stream_engine *engine, struct vyre_stream_read *const *reads, uint32_t count)
{
	struct faulty *f = (struct faulty *)engine;
	f->inner->submit(f->inner, reads, count);
}

static uint32_t faulty_reap(struct vyre_stream_engine *engine, struct vyre_stream_read **reads, uint32_t max)
{
	struct faulty *f = (struct faulty *)engine;
	uint32_t n = f->inner->reap(f->inner, f->held + f->held_count, VYRE_STREAM_MAX_DEPTH - f->held_count);
	for (uint32_t i = 0; i < n && f->alter; i++) {
		struct vyre_stream_read *read = f->held[f->held_count + i];
		read->result = f->alter(f, read, read->result);
	}
	f->held_count += n;
	if (n && f->backwards) /* more may come: the first shall not be the first */
		return 0;
	for (n = 0; n < max && f->held_count; n++)
		reads[n] = f->held[--f->held_count];
	return n;
}

static void faulty_wait(struct vyre_stream_engine *engine, uint64_t timeout_ns)
{
	struct faulty *f = (struct faulty *)engine;
	if (f->held_count == 0)
		f->inner->wait(f->inner, timeout_ns);
}

static int32_t faulty_attach(struct vyre_stream_engine *engine, int fd)
{
	struct faulty *f = (struct faulty *)engine;
	return f->inner->attach(f->inner, fd);
}

static void faulty_detach(struct vyre_stream_engine *engine, int32_t file)
{
	struct faulty *f = (struct faulty *)engine;
	f->inner->detach(f->inner, file);
}

static void faulty_destroy(struct vyre_stream_engine *engine)
{
	struct faulty *f = (struct faulty *)engine;
	f->inner->destroy(f->inner);
}

static struct vyre_stream_engine *faulty_init(struct faulty *f, const struct run *run)
{
	struct vyre_stream_pool pool = {run->rig->data, run->params.chunk_bytes, run->params.depth};
	*f = (struct faulty){
	    .base = {"faulty", faulty_submit, faulty_reap, faulty_wait, faulty_attach, faulty_detach, faulty_destroy}};
	int error = run->params.flags & VYRE_STREAM_PREAD ? vyre_stream_pread_create(&pool, &f->inner)
							  : vyre_stream_uring_create(&pool, 0, &f->inner);
	assert_int_equal(error, 0);
	return &f->base;
}

static const uint32_t engine_flags[] = {0, VYRE_STREAM_PREAD};

/* One file, 100 chunks, streamed through an engine that alters results. */
static void altered(int32_t (*alter)(struct faulty *, const struct vyre_stream_read *, int32_t), bool backwards,
		    uint32_t flags, struct run *run, struct vyre_stream_stats *stats)
{
	struct rig rig;
	struct faulty f;
	int fd = make_file(100 * 4096), other = make_file(20000);
	rig_open(&rig, 16, 1, 16 * 4096);
	run_init(run, &rig, 4096, 16, flags);
	faulty_init(&f, run);
	f.alter = alter;
	f.backwards = backwards;
	run_start(run, &f.base);
	run_add(run, fd, 0, UINT64_MAX, 0);
	run_add(run, other, 0, UINT64_MAX, 1);
	assert_int_equal(vyre_stream_pump(run->stream, 60 * SECOND), VYRE_OK);
	assert_int_equal(run->calls, 105);
	vyre_stream_get_stats(run->stream, stats);
	assert_int_equal(stats->chunks, run->ok);
	assert_int_equal(stats->errors, run->io);
	run_end(run);
	close(fd);
	close(other);
	rig_close(&rig);
}

static int32_t eio_in_the_middle(struct faulty *f, const struct vyre_stream_read *read, int32_t result)
{
	(void)f;
	return read->offset == 50 * 4096 || read->offset == 51 * 4096 ? -EIO : result;
}

static void failing_reads(void **state)
{
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct run run;
		struct vyre_stream_stats stats;
		altered(eio_in_the_middle, false, engine_flags[e], &run, &stats);
		assert_int_equal(run.io, 2);
		assert_int_equal(run.last_errno, EIO);
		assert_int_equal(run.ok, 103); /* the rest of the range and the other one */
		assert_int_equal(run.fills[0][50], 0);
		assert_int_equal(run.fills[0][52], 1);
	}
}

static int32_t interrupted(struct faulty *f, const struct vyre_stream_read *read, int32_t result)
{
	(void)read;
	static const int32_t results[] = {0, -EINTR, -EAGAIN, -ECANCELED};
	f->count++;
	return f->count % 4 ? results[f->count % 4] : result;
}

static void interrupted_reads(void **state)
{
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct run run;
		struct vyre_stream_stats stats;
		altered(interrupted, false, engine_flags[e], &run, &stats);
		assert_int_equal(run.ok, 105);
		assert_true(stats.retries > 100);
		assert_int_equal(stats.reads, 105 + stats.retries);
	}
}

static int32_t never(struct faulty *f, const struct vyre_stream_read *read, int32_t result)
{
	(void)f;
	return read->offset == 4096 * 3 ? -EAGAIN : result;
}

static void retries_end(void **state)
{
	struct run run;
	struct vyre_stream_stats stats;
	(void)state;
	altered(never, false, 0, &run, &stats);
	assert_int_equal(run.io, 2);
	assert_int_equal(run.last_errno, EAGAIN);
}

/* The bytes beyond what is reported are spoilt, so that a chunk that does not read them again shows. */
static int32_t cut(struct faulty *f, const struct vyre_stream_read *read, int32_t result)
{
	static const int32_t lengths[] = {1, 511, 4095, 2048};
	int32_t kept = lengths[f->count++ % 4];
	if (result <= kept)
		return result;
	memset((char *)read->data + kept, 0xEE, (size_t)(result - kept));
	return kept;
}

static void short_reads(void **state)
{
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct run run;
		struct vyre_stream_stats stats;
		altered(cut, true, engine_flags[e], &run, &stats);
		assert_int_equal(run.ok, 105);
		assert_true(stats.short_reads >= 100);
		assert_int_equal(stats.reads, 105 + stats.short_reads);
		assert_int_equal(stats.bytes, 100 * 4096 + 20000);
	}
}

static void out_of_order(void **state)
{
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct run run;
		struct vyre_stream_stats stats;
		altered(NULL, true, engine_flags[e], &run, &stats);
		assert_int_equal(run.ok, 105);
		assert_int_equal(stats.max_in_flight, 16);
	}
}

static int32_t refuse_direct(struct faulty *f, const struct vyre_stream_read *read, int32_t result)
{
	(void)f;
	return fcntl(read->fd, F_GETFL) & O_DIRECT ? -EINVAL : result;
}

static void direct_refused(void **state)
{
	struct rig rig;
	struct run run;
	struct faulty f;
	int fd = make_file(100 * 4096 + 17);
	(void)state;
	rig_open(&rig, 16, 1, 16 * 4096);
	run_init(&run, &rig, 4096, 16, VYRE_STREAM_DIRECT);
	faulty_init(&f, &run);
	f.alter = refuse_direct;
	run_start(&run, &f.base);
	assert_string_equal(vyre_stream_engine(run.stream), "faulty+direct");
	run_add(&run, fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.ok, 101);
	assert_string_equal(vyre_stream_engine(run.stream), "faulty+direct-refused");
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

static int shrinking_fd;
static void shrink(struct run *run, const struct vyre_chunk *chunk)
{
	(void)chunk;
	if (run->calls == 10)
		assert_int_equal(ftruncate(shrinking_fd, 30 * 4096 + 5), 0);
}

static void shrinking_file(void **state)
{
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		for (uint32_t direct = 0; direct < 2; direct++) {
			struct rig rig;
			struct run run;
			int other = make_file(20000);
			rig_open(&rig, 16, 1, 16 * 4096);
			shrinking_fd = make_file(100 * 4096);
			run_init(&run, &rig, 4096, 8, engine_flags[e] | (direct ? VYRE_STREAM_DIRECT : 0));
			run.on_done = shrink;
			run_start(&run, NULL);
			run_add(&run, shrinking_fd, 0, UINT64_MAX, 0);
			run_add(&run, other, 0, UINT64_MAX, 1);
			assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
			assert_int_equal(run.calls, 105);
			assert_int_equal(run.ok, 30 + 5);
			assert_int_equal(run.io, 70);
			assert_int_equal(run.last_errno, 0);
			run_end(&run);
			close(shrinking_fd);
			close(other);
			rig_close(&rig);
		}
	}
}

static void stop_ring(struct run *run, const struct vyre_chunk *chunk)
{
	(void)chunk;
	if (run->calls == 20)
		assert_int_equal(vyre_ring_stop(run->rig->ring, 0, SECOND), VYRE_OK);
}

static void stopped_ring(void **state)
{
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct rig rig;
		struct run run;
		int fd = make_file(200 * 4096);
		rig_open(&rig, 16, 1, 16 * 4096);
		run_init(&run, &rig, 4096, 16, engine_flags[e]);
		run.on_done = stop_ring;
		run_start(&run, NULL);
		run_add(&run, fd, 0, UINT64_MAX, 0);
		run_add(&run, fd, 0, UINT64_MAX, 1);
		assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_STOPPED);
		assert_int_equal(run.calls, 400);
		assert_true(run.ok >= 20 && run.stopped >= 300);
		assert_int_equal(run.ok + run.stopped, 400);
		assert_int_equal(vyre_stream_pump(run.stream, 0), VYRE_STOPPED);
		run_add(&run, fd, 0, 4096, 2); /* and what comes later */
		assert_int_equal(vyre_stream_pump(run.stream, SECOND), VYRE_STOPPED);
		assert_int_equal(run.calls, 401);
		run_end(&run);
		close(fd);
		rig_close(&rig);
	}
}

/* Slots wait behind a mask when the ring stops: they end without having run. */
static void stop_behind_a_mask(unsigned chunks)
{
	struct rig rig;
	struct run run;
	int fd = make_file(chunks * 4096);
	rig_open(&rig, 16, 1, 16 * 4096);
	run_init(&run, &rig, 4096, 16, 0);
	run_start(&run, NULL);
	assert_int_equal(vyre_ring_set_tenant(rig.ring, 0, 0), VYRE_OK);
	run_add(&run, fd, 0, UINT64_MAX, 0);
	assert_int_equal(vyre_stream_pump(run.stream, 5000000), VYRE_TIMEOUT);
	assert_int_equal(vyre_ring_stop(rig.ring, 0, SECOND), VYRE_OK);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_STOPPED);
	assert_int_equal(run.stopped, chunks);
	run_end(&run);
	close(fd);
	rig_close(&rig);
}

static void stopped_with_slots_waiting(void **state)
{
	(void)state;
	stop_behind_a_mask(40);
}

/* Nothing is left to publish: the results alone tell that the ring was stopped. */
static void stopped_at_the_end(void **state)
{
	(void)state;
	stop_behind_a_mask(8);
}

/* An engine alone: wait is woken by what finishes (a lost wake-up hangs here), and a read that will not finish is ended
 * by destroy. A pipe stands for a disk that takes its time. */
static void engine_alone(void **state)
{
	unsigned char *data = aligned_alloc(4096, 2 * 4096);
	struct vyre_stream_pool pool = {data, 4096, 2};
	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct vyre_stream_engine *engine;
		struct vyre_stream_read read = {.data = data, .bytes = 3, .file = -1}, *reads[] = {&read};
		int pipes[2];
		assert_int_equal(pipe(pipes), 0);
		read.fd = e ? make_file(3) : pipes[0];
		assert_int_equal(
		    e ? vyre_stream_pread_create(&pool, &engine) : vyre_stream_uring_create(&pool, 0, &engine), 0);
		for (int i = 0; i < 20; i++) {
			engine->submit(engine, reads, 1);
			assert_int_equal(write(pipes[1], "abc", 3), 3);
			while (engine->reap(engine, reads, 1) == 0)
				engine->wait(engine, 1000 * SECOND);
			assert_ptr_equal(reads[0], &read);
			assert_int_equal(read.result, 3);
		}
		engine->submit(engine, reads, 1);
		engine->destroy(engine);
		memset(data, 0x55, 4096);
		assert_int_equal(write(pipes[1], "abc", 3), 3);
		assert_int_equal(data[0], 0x55);
		close(pipes[0]), close(pipes[1]);
		if (e)
			close(read.fd);
	}
	free(data);
}

/* Destroyed after every number of turns: no done call later, no descriptor and no memory left. */
static void destroy_half_way(void **state)
{
	(void)state;
	uint32_t descriptors = open_descriptors();
	for (size_t e = 0; e < 2; e++) {
		for (int turns = 0; turns < 30; turns++) {
			struct rig rig;
			struct run run;
			int fd = make_file(60 * 4096);
			rig_open(&rig, 8, 1, 16 * 4096);
			run_init(&run, &rig, 4096, 16, engine_flags[e] | (turns % 2 ? VYRE_STREAM_DIRECT : 0));
			run_start(&run, NULL);
			run_add(&run, fd, 0, UINT64_MAX, 0);
			run_add(&run, fd, 5, UINT64_MAX, 1);
			for (int i = 0; i < turns; i++)
				assert_int_not_equal(vyre_stream_pump(run.stream, 0), VYRE_STOPPED);
			uint64_t calls = run.calls;
			run_end(&run);
			assert_int_equal(run.calls, calls);
			close(fd);
			rig_close(&rig);
		}
	}
	assert_int_equal(open_descriptors(), descriptors);
}

/* A descriptor that the caller closes too early costs its chunks, and nothing else. */
static void closed_early(void **state)
{
	struct rig rig;
	struct run run;
	int fd = make_file(4 * 4096), other = make_file(20000);
	(void)state;
	rig_open(&rig, 8, 1, 16 * 4096);
	run_init(&run, &rig, 4096, 16, 0);
	run_start(&run, NULL);
	run_add(&run, fd, 0, UINT64_MAX, 0);
	run_add(&run, other, 0, UINT64_MAX, 1);
	close(fd);
	assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
	assert_int_equal(run.io, 4);
	assert_int_equal(run.last_errno, EBADF);
	assert_int_equal(run.ok, 5);
	run_end(&run);
	close(other);
	rig_close(&rig);
}

/* Every allocation of create and add refused once. */
static void memory_refused(void **state)
{
	struct rig rig;
	int fd = make_file(20000);
	(void)state;
	rig_open(&rig, 8, 1, 16 * 4096);
	for (size_t e = 0; e < 2; e++) {
		vyre_status status = VYRE_NOMEM;
		for (int64_t n = 0; status != VYRE_OK; n++) {
			struct run run;
			int64_t live = vyre_mem_live();
			assert_true(n < 100);
			run_init(&run, &rig, 4096, 16, engine_flags[e]);
			vyre_mem_refuse_after(n);
			status = vyre_stream_create(&run.params, &run.stream);
			if (status == VYRE_OK)
				status = vyre_stream_add(run.stream, fd, 0, UINT64_MAX, 0);
			vyre_mem_refuse_after(-1);
			assert_true(status == VYRE_OK || status == VYRE_NOMEM || status == VYRE_IO);
			if (run.stream)
				assert_int_equal(vyre_stream_pump(run.stream, 20 * SECOND), VYRE_OK);
			assert_int_equal(run.ok, status == VYRE_OK ? 5 : 0);
			run_end(&run);
			assert_int_equal(vyre_mem_live(), live);
		}
	}
	close(fd);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(failing_reads),
	    cmocka_unit_test(interrupted_reads),
	    cmocka_unit_test(retries_end),
	    cmocka_unit_test(short_reads),
	    cmocka_unit_test(out_of_order),
	    cmocka_unit_test(direct_refused),
	    cmocka_unit_test(shrinking_file),
	    cmocka_unit_test(stopped_ring),
	    cmocka_unit_test(stopped_with_slots_waiting),
	    cmocka_unit_test(stopped_at_the_end),
	    cmocka_unit_test(engine_alone),
	    cmocka_unit_test(destroy_half_way),
	    cmocka_unit_test(closed_early),
	    cmocka_unit_test(memory_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
