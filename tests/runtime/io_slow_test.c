/* io_slow_test.c - i/o that the device asks for, from disks that hang: nobody else waits, and everything can be ended.
 *
 * A slow disk is an engine over the real one that sends reads beyond SLOW_OFFSET to a pipe (io_uring reads from it, and
 * waits for the test to write); for threads, a pread of ours, before libc's, that does not return for such an offset until
 * the test lets it.
 */
#include <sys/syscall.h>

#include "io_rig.h"

#define SLOW_OFFSET (FILE_BYTES / 2)

struct slow {
	struct vyre_stream_engine base, *inner;
	bool is_pipe;
	int ends[2];
	uint32_t sent;	 /* atomic: slow reads */
	uint32_t most;	 /* bytes of one read, 0 = any */
	uint32_t sleeps; /* atomic: 1 = sleep until kicked; 2 = it does */
};

static uint32_t pread_hangs; /* atomic */

ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
	while (offset >= SLOW_OFFSET && __atomic_load_n(&pread_hangs, __ATOMIC_ACQUIRE))
		usleep(200);
	return syscall(SYS_pread64, fd, data, bytes, offset);
}

static void slow_submit(struct vyre_stream_engine *engine, struct vyre_stream_read *const *reads, uint32_t count)
{
	struct slow *slow = (struct slow *)engine;
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct vyre_stream_read *read = reads[i];
		bool is_slow = read->offset >= SLOW_OFFSET;

		if (slow->most && read->bytes > slow->most)
			read->bytes = slow->most;
		if (is_slow && slow->is_pipe) {
			read->fd = slow->ends[0];
			read->file = -1;
		}
		slow->inner->submit(slow->inner, &read, 1);
		__atomic_add_fetch(&slow->sent, is_slow, __ATOMIC_RELEASE);
	}
}

static uint32_t slow_reap(struct vyre_stream_engine *engine, struct vyre_stream_read **reads, uint32_t max)
{
	struct slow *slow = (struct slow *)engine;

	return slow->inner->reap(slow->inner, reads, max);
}

static void slow_wait(struct vyre_stream_engine *engine, uint64_t timeout_ns)
{
	struct slow *slow = (struct slow *)engine;

	if (__atomic_load_n(&slow->sleeps, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&slow->sleeps, 2, __ATOMIC_RELEASE);
		timeout_ns = SECONDS(20);
	}
	slow->inner->wait(slow->inner, timeout_ns);
}

static int32_t slow_attach(struct vyre_stream_engine *engine, int fd)
{
	struct slow *slow = (struct slow *)engine;

	return slow->inner->attach(slow->inner, fd);
}

static void slow_detach(struct vyre_stream_engine *engine, int32_t file)
{
	struct slow *slow = (struct slow *)engine;

	slow->inner->detach(slow->inner, file);
}

static int32_t slow_attach_memory(struct vyre_stream_engine *engine, void *data, uint64_t bytes)
{
	struct slow *slow = (struct slow *)engine;

	return slow->inner->attach_memory(slow->inner, data, bytes);
}

static void slow_detach_memory(struct vyre_stream_engine *engine, int32_t memory)
{
	struct slow *slow = (struct slow *)engine;

	slow->inner->detach_memory(slow->inner, memory);
}

static void slow_kick(struct vyre_stream_engine *engine)
{
	struct slow *slow = (struct slow *)engine;

	slow->inner->kick(slow->inner);
}

static void slow_destroy(struct vyre_stream_engine *engine)
{
	struct slow *slow = (struct slow *)engine;

	slow->inner->destroy(slow->inner);
}

static void slow_open(struct slow *slow, uint32_t flags)
{
	const struct vyre_stream_pool none = {NULL, 0, VYRE_IO_DEVICE_ENTRIES};
	uint32_t stream_flags = flags & VYRE_IO_PREAD ? VYRE_STREAM_PREAD : 0;

	memset(slow, 0, sizeof(*slow));
	slow->base = (struct vyre_stream_engine){
	    .name = "slow",
	    .submit = slow_submit,
	    .reap = slow_reap,
	    .wait = slow_wait,
	    .attach = slow_attach,
	    .detach = slow_detach,
	    .destroy = slow_destroy,
	    .attach_memory = slow_attach_memory,
	    .detach_memory = slow_detach_memory,
	    .kick = slow_kick,
	};
	assert_int_equal(vyre_stream_engine_choose(&none, stream_flags, &slow->inner), VYRE_OK);
	slow->is_pipe = strncmp(slow->inner->name, "io_uring", 8) == 0;
	__atomic_store_n(&pread_hangs, 1, __ATOMIC_RELEASE);
	assert_int_equal(pipe(slow->ends), 0);
}

/* The slow reads get their bytes: from the pipe as many as `bytes`, all at once, else those of the file. */
static void slow_go(struct slow *slow, uint32_t bytes)
{
	unsigned char data[4096];

	assert_true(bytes <= sizeof(data));
	memset(data, 0xAB, sizeof(data));
	if (slow->is_pipe && bytes)
		assert_int_equal(write(slow->ends[1], data, bytes), bytes);
	__atomic_store_n(&pread_hangs, 0, __ATOMIC_RELEASE);
}

static void slow_wait_for(struct slow *slow, uint32_t reads)
{
	int i;

	for (i = 0; i < 20000 && __atomic_load_n(&slow->sent, __ATOMIC_ACQUIRE) < reads; i++)
		usleep(1000);
	assert_true(__atomic_load_n(&slow->sent, __ATOMIC_ACQUIRE) >= reads);
}

static void *slow_go_later(void *argument)
{
	usleep(20000);
	slow_go(argument, 0);
	return NULL;
}

static void slow_close(struct slow *slow)
{
	__atomic_store_n(&pread_hangs, 0, __ATOMIC_RELEASE);
	close(slow->ends[0]);
	close(slow->ends[1]);
}

/* A disk hangs, with as many requests as leave one entry: nobody else waits for it but a fence. */
static void a_slow_disk_delays_nobody(void **state)
{
	uint32_t e, i;

	(void)state;
	for (e = 0; e < 2; e++) {
		vyre_ticket waiting[31];
		struct slow slow;
		struct rig rig;

		slow_open(&slow, engine_flags[e]);
		open_ring(&rig, engine_flags[e], &slow.base, 64, 1);
		for (i = 0; i < 31; i++)
			waiting[i] = load(&rig, RESOURCE, SLOW_OFFSET + i, 100, TARGET, 100 * i);
		slow_wait_for(&slow, 31);
		for (i = 0; i < 100; i++) {
			assert_int_equal(outcome(&rig, load(&rig, RESOURCE, i, 1000, TARGET, 4096)), 0);
			same(&rig, i, 1000, 4096);
		}
		for (i = 0; i < 31; i++)
			assert_int_equal(vyre_poll(rig.bench.ring, waiting[i], NULL), VYRE_TIMEOUT);
		slow_go(&slow, 3100);
		for (i = 0; i < 31; i++) {
			assert_int_equal(outcome(&rig, waiting[i]), 0);
			if (slow.is_pipe)
				assert_int_equal(rig.bytes[100 * i + 99], 0xAB);
			else
				same(&rig, SLOW_OFFSET + i, 100, 100 * i);
		}
		close_rig(&rig);
		slow_close(&slow);

		slow_open(&slow, engine_flags[e]);
		open_dispatch(&rig, engine_flags[e], &slow.base);
		put(&rig, 20, VYRE_IO_OP_READ, RESOURCE, TARGET, SLOW_OFFSET, 10, 0, 0);
		slow_wait_for(&slow, 1);
		put(&rig, 3, VYRE_IO_OP_FENCE, 0, 0, 0, 0, 0, 0);
		put(&rig, 4, VYRE_IO_OP_READ, RESOURCE, TARGET, 50, 10, 100, 0);
		assert_int_equal(get(&rig, 4, NULL), 0);
		usleep(5000);
		assert_true(status_of(&rig, 3) < VYRE_IO_STATUS_OK);
		slow_go(&slow, 10);
		assert_int_equal(get(&rig, 3, NULL), 0);
		assert_true(status_of(&rig, 20) == VYRE_IO_STATUS_OK); /* before the fence */
		assert_int_equal(get(&rig, 20, NULL), 0);
		close_rig(&rig);
		slow_close(&slow);
	}
}

/* All 32 entries wait; whoever comes later finds none, and tries again. */
static void a_full_queue(void **state)
{
	uint32_t e, i;

	(void)state;
	for (e = 0; e < 2; e++) {
		vyre_ticket tickets[40];
		struct vyre_io_stats stats;
		struct slow slow;
		struct rig rig;

		slow_open(&slow, engine_flags[e]);
		open_ring(&rig, engine_flags[e], &slow.base, 64, 2);
		for (i = 0; i < 40; i++)
			tickets[i] = load(&rig, RESOURCE, SLOW_OFFSET + 8 * i, 8, TARGET, 8 * i);
		slow_wait_for(&slow, 32);
		usleep(2000);
		vyre_io_get_stats(rig.io, &stats);
		assert_int_equal(stats.max_in_flight, 32);
		assert_int_equal(stats.requests, 32);
		slow_go(&slow, 320);
		for (i = 0; i < 40; i++)
			assert_int_equal(outcome(&rig, tickets[i]), 0);
		for (i = 0; i < 320 && !slow.is_pipe; i++)
			assert_int_equal(rig.bytes[i], pattern(SLOW_OFFSET + i));
		close_rig(&rig);
		slow_close(&slow);
	}
}

static void revoked_while_under_way(void **state)
{
	uint32_t e, done;

	(void)state;
	for (e = 0; e < 2; e++) {
		struct slow slow;
		struct rig rig;

		slow_open(&slow, engine_flags[e]);
		open_dispatch(&rig, engine_flags[e], &slow.base);
		slow.most = 10; /* the request needs many reads */
		put(&rig, 0, VYRE_IO_OP_READ, RESOURCE, TARGET, SLOW_OFFSET, 100, 0, 0);
		slow_wait_for(&slow, 1);
		assert_int_equal(vyre_io_revoke(rig.io, TARGET, 1000000), VYRE_TIMEOUT);
		put(&rig, 1, VYRE_IO_OP_READ, RESOURCE, TARGET, 0, 100, 0, 0);
		assert_int_equal(get(&rig, 1, NULL), EBADF);
		/* The id may be granted again before the old grant is gone. */
		assert_int_equal(vyre_io_grant_buffer(rig.io, TARGET, rig.target, 512, 100, VYRE_IO_RIGHT_WRITE, 0),
				 VYRE_OK);
		put(&rig, 2, VYRE_IO_OP_READ, RESOURCE, TARGET, 0, 10, 0, 0);
		assert_int_equal(get(&rig, 2, NULL), 0);
		same(&rig, 0, 10, 512);
		slow_go(&slow, 10);
		assert_int_equal(get(&rig, 0, &done), ECANCELED);
		assert_int_equal(done, 10);
		assert_int_equal(rig.bytes[10], 0);
		assert_int_equal(vyre_io_revoke(rig.io, RESOURCE, SECONDS(20)), VYRE_OK);
		assert_int_equal(vyre_io_revoke(rig.io, TARGET, SECONDS(20)), VYRE_OK);
		close_rig(&rig);
		slow_close(&slow);
	}
}

/* Whoever waits is told, and nothing is written afterwards. */
static void destroyed_while_under_way(void **state)
{
	uint32_t e, i;

	(void)state;
	for (e = 0; e < 2; e++) {
		vyre_ticket tickets[3];
		pthread_t thread;
		struct slow slow;
		struct rig rig;

		slow_open(&slow, engine_flags[e]);
		open_ring(&rig, engine_flags[e], &slow.base, 8, 1);
		for (i = 0; i < 3; i++)
			tickets[i] = load(&rig, RESOURCE, SLOW_OFFSET, 10, TARGET, 0);
		slow_wait_for(&slow, 3);
		/* Reads of io_uring are called off; a thread must come back by itself. */
		assert_int_equal(pthread_create(&thread, NULL, slow_go_later, &slow), 0);
		vyre_io_destroy(rig.io);
		pthread_join(thread, NULL);
		rig.io = NULL;
		for (i = 0; i < 3; i++)
			assert_int_equal(outcome(&rig, tickets[i]), ECANCELED);
		assert_true(!slow.is_pipe || rig.bytes[0] == 0);
		close_rig(&rig);
		slow_close(&slow);

		/* What was published and never taken. */
		slow_open(&slow, engine_flags[e]);
		open_dispatch(&rig, engine_flags[e], &slow.base);
		__atomic_store_n(&slow.sleeps, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&slow.sleeps, __ATOMIC_ACQUIRE) != 2)
			usleep(100);
		put(&rig, 17, VYRE_IO_OP_READ, RESOURCE, TARGET, 0, 10, 0, 0);
		vyre_io_destroy(rig.io);
		rig.io = NULL;
		assert_int_equal(get(&rig, 17, NULL), ECANCELED);
		close_rig(&rig);
		slow_close(&slow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slow_disk_delays_nobody),
	    cmocka_unit_test(a_full_queue),
	    cmocka_unit_test(revoked_while_under_way),
	    cmocka_unit_test(destroyed_while_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
