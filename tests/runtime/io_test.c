/* io_test.c - i/o that the device asks for: bytes, rights, ranges, errors, order, hostile entries, ends.
 *
 * Two askers: slots of feature_kernel.c that load and wait, and entries that the test writes itself into the buffers of a
 * "dispatch", where any word can be wrong. Every test runs on both engines. A slow disk is an engine over the real one
 * that sends reads beyond SLOW_OFFSET to a pipe (io_uring reads from it, and waits for the test to write); for threads, a
 * pread of ours, before libc's, that does not return for such an offset until the test lets it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_rig.h"
#include "io_state.h"

enum { FILE_BYTES = 1 << 20, BUFFER_BYTES = 1 << 20, RESOURCE = 7, TARGET = 9, OWN_TENANT = 1 };
#define SLOW_OFFSET (FILE_BYTES / 2)

static const uint32_t engine_flags[] = {0, VYRE_IO_PREAD};

static unsigned char pattern(uint64_t offset)
{
	return (unsigned char)((offset * 0x9E3779B97F4A7C15u) >> 56 ^ offset);
}

/* ---- a slow disk ---------------------------------------------------------------------------------------------------- */

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

/* The slow reads get their bytes: from the pipe as many as `bytes`, else those of the file. */
static void slow_go(struct slow *slow, uint32_t bytes)
{
	while (slow->is_pipe && bytes--) {
		unsigned char byte = 0xAB;

		assert_int_equal(write(slow->ends[1], &byte, 1), 1);
	}
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

static int make_file(void)
{
	static unsigned char bytes[FILE_BYTES];
	char path[] = "/tmp/vyre-io-XXXXXX";
	int fd = mkstemp(path);
	uint32_t i;

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	for (i = 0; i < FILE_BYTES; i++)
		bytes[i] = pattern(i);
	assert_int_equal(write(fd, bytes, FILE_BYTES), FILE_BYTES);
	return fd;
}

static void make_target(struct rig *rig)
{
	void *map;

	rig->fd = make_file();
	assert_int_equal(vyre_buffer_create(rig->bench.device, BUFFER_BYTES, &rig->target), VYRE_OK);
	assert_int_equal(vyre_buffer_map(rig->bench.device, rig->target, &map), VYRE_OK);
	rig->bytes = map;
}

static void grant_both(struct rig *rig)
{
	assert_int_equal(vyre_io_grant_file(rig->io, RESOURCE, rig->fd, 0, UINT64_MAX,
					    VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE, VYRE_IO_ANY_TENANT),
			 VYRE_OK);
	assert_int_equal(vyre_io_grant_buffer(rig->io, TARGET, rig->target, 0, UINT64_MAX,
					      VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE, VYRE_IO_ANY_TENANT),
			 VYRE_OK);
}

/* slow: NULL = none. */
static void open_ring(struct rig *rig, uint32_t flags, struct slow *slow, uint32_t slots, uint32_t workers)
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
	if (slow)
		slow_open(slow, flags);
	assert_int_equal(vyre_io_create_on(&params, slow ? &slow->base : NULL, &rig->io), VYRE_OK);
	grant_both(rig);
}

static void open_dispatch(struct rig *rig, uint32_t flags, struct slow *slow)
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
	if (slow)
		slow_open(slow, flags);
	assert_int_equal(vyre_io_create_on(&params, slow ? &slow->base : NULL, &rig->io), VYRE_OK);
	grant_both(rig);
}

static void close_rig(struct rig *rig)
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

static vyre_ticket load(struct rig *rig, uint32_t resource, uint32_t offset, uint32_t bytes, uint32_t target,
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
static uint32_t outcome(struct rig *rig, vyre_ticket ticket)
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

static void same(struct rig *rig, uint32_t offset, uint32_t bytes, uint32_t at)
{
	uint32_t i;

	for (i = 0; i < bytes; i++)
		if (rig->bytes[at + i] != pattern(offset + i))
			fail_msg("byte %u of %u is %u, not %u", i, bytes, rig->bytes[at + i], pattern(offset + i));
}

/* An entry by hand. */
static void put(struct rig *rig, uint32_t entry, uint32_t op, uint32_t source, uint32_t target, uint64_t offset,
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

static uint32_t status_of(struct rig *rig, uint32_t entry)
{
	return __atomic_load_n(&rig->entries[entry * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_STATUS], __ATOMIC_ACQUIRE);
}

/* Takes the outcome: 0, or the errno; *done = bytes done. */
static uint32_t get(struct rig *rig, uint32_t entry, uint32_t *done)
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

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

static void bytes_arrive(void **state)
{
	uint32_t e;

	(void)state;
	for (e = 0; e < 2; e++) {
		struct vyre_io_stats stats;
		struct rig rig;

		open_ring(&rig, engine_flags[e], NULL, 8, 2);
		assert_true(engine_flags[e] == 0 || strcmp(vyre_io_engine(rig.io), "pread") == 0);
		assert_int_equal(outcome(&rig, load(&rig, RESOURCE, 1000, 5000, TARGET, 333)), 0);
		same(&rig, 1000, 5000, 333);
		assert_int_equal(rig.bytes[332], 0);
		assert_int_equal(rig.bytes[333 + 5000], 0);
		/* All of it; to the same id. */
		assert_int_equal(vyre_io_grant_file(rig.io, 5, rig.fd, 4096, 10000, VYRE_IO_RIGHT_READ, OWN_TENANT),
				 VYRE_OK);
		assert_int_equal(
		    vyre_io_grant_buffer(rig.io, 5, rig.target, 65536, 20000, VYRE_IO_RIGHT_WRITE, OWN_TENANT),
		    VYRE_OK);
		assert_int_equal(outcome(&rig, load(&rig, 5, 500, 0, 0, 7)), 0);
		same(&rig, 4096 + 500, 9500, 65536 + 7);
		assert_int_equal(rig.bytes[65536 + 7 + 9500], 0);
		assert_int_equal(outcome(&rig, load(&rig, 5, 10000, 0, 0, 20000)), 0); /* nothing, at both ends */
		vyre_io_get_stats(rig.io, &stats);
		assert_int_equal(stats.requests, 3);
		assert_int_equal(stats.errors, 0);
		assert_int_equal(stats.bytes_read, 14500);
		/* Asleep or not, a worker comes for the outcome. */
		for (uint32_t i = 0; i < 50; i++) {
			usleep(i % 2 ? 500 : 0);
			assert_int_equal(outcome(&rig, load(&rig, RESOURCE, i, 100, TARGET, i)), 0);
		}
		close_rig(&rig);
	}
}

static void what_is_not_granted(void **state)
{
	uint32_t e;

	(void)state;
	for (e = 0; e < 2; e++) {
		struct rig rig;
		unsigned char *before = malloc(BUFFER_BYTES);

		open_ring(&rig, engine_flags[e], NULL, 8, 1);
		memcpy(before, rig.bytes, BUFFER_BYTES);
		assert_int_equal(vyre_io_grant_file(rig.io, 1, rig.fd, 100, 50, VYRE_IO_RIGHT_READ, OWN_TENANT),
				 VYRE_OK);
		assert_int_equal(vyre_io_grant_file(rig.io, 2, rig.fd, 0, 50, VYRE_IO_RIGHT_WRITE, OWN_TENANT),
				 VYRE_OK);
		assert_int_equal(vyre_io_grant_file(rig.io, 3, rig.fd, 0, 50, VYRE_IO_RIGHT_READ, 2), VYRE_OK);
		assert_int_equal(vyre_io_grant_buffer(rig.io, 1, rig.target, 100, 50, VYRE_IO_RIGHT_WRITE, OWN_TENANT),
				 VYRE_OK);
		assert_int_equal(vyre_io_grant_buffer(rig.io, 2, rig.target, 0, 50, VYRE_IO_RIGHT_READ, OWN_TENANT),
				 VYRE_OK);
		assert_int_equal(vyre_io_grant_buffer(rig.io, 3, rig.target, 0, 50, VYRE_IO_RIGHT_WRITE, 0), VYRE_OK);
		assert_int_equal(outcome(&rig, load(&rig, 99, 0, 10, 1, 0)), EBADF);
		assert_int_equal(outcome(&rig, load(&rig, 1, 0, 10, 99, 0)), EBADF);
		assert_int_equal(outcome(&rig, load(&rig, TARGET, 0, 10, 1, 0)), EBADF);   /* a buffer is no file */
		assert_int_equal(outcome(&rig, load(&rig, 1, 0, 10, RESOURCE, 0)), EBADF); /* nor a file a buffer */
		assert_int_equal(outcome(&rig, load(&rig, 2, 0, 10, 1, 0)), EACCES);	   /* not for reading */
		assert_int_equal(outcome(&rig, load(&rig, 3, 0, 10, 1, 0)), EACCES);	   /* not this tenant's */
		assert_int_equal(outcome(&rig, load(&rig, 1, 0, 10, 2, 0)), EACCES);
		assert_int_equal(outcome(&rig, load(&rig, 1, 0, 10, 3, 0)), EACCES);
		assert_int_equal(outcome(&rig, load(&rig, 1, 0, 51, 1, 0)), ERANGE);
		assert_int_equal(outcome(&rig, load(&rig, 1, 51, 0, 1, 0)), ERANGE);
		assert_int_equal(outcome(&rig, load(&rig, 1, 0xFFFFFFFFu, 1, 1, 0)), ERANGE);
		assert_int_equal(outcome(&rig, load(&rig, 1, 0, 10, 1, 41)), ERANGE);
		assert_int_equal(outcome(&rig, load(&rig, 1, 0, 0xFFFFFFFFu, 1, 0xFFFFFFFFu)), ERANGE);
		assert_memory_equal(before, rig.bytes, BUFFER_BYTES);
		assert_int_equal(outcome(&rig, load(&rig, 1, 40, 10, 1, 40)), 0);
		same(&rig, 140, 10, 140);
		assert_int_equal(rig.bytes[150], 0);
		assert_int_equal(vyre_io_revoke(rig.io, 1, SECONDS(20)), VYRE_OK);
		assert_int_equal(outcome(&rig, load(&rig, 1, 40, 10, TARGET, 40)), EBADF);
		assert_int_equal(vyre_io_revoke(rig.io, 1, 0), VYRE_INVALID);
		free(before);
		close_rig(&rig);
	}
}

static void grants_are_checked(void **state)
{
	const uint32_t both = VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE;
	char path[64];
	struct rig rig;
	int fd, ends[2];

	(void)state;
	open_dispatch(&rig, 0, NULL);
	assert_int_equal(vyre_io_grant_file(rig.io, 0, rig.fd, 0, 1, VYRE_IO_RIGHT_READ, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, rig.fd, 0, 1, 0, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, rig.fd, 0, 1, 4 | both, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, RESOURCE, rig.fd, 0, 1, VYRE_IO_RIGHT_READ, 0), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "granted already"));
	assert_int_equal(vyre_io_grant_file(rig.io, 1, -1, 0, 1, VYRE_IO_RIGHT_READ, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, rig.fd, FILE_BYTES - 1, 2, VYRE_IO_RIGHT_READ, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, rig.fd, FILE_BYTES + 1, 0, VYRE_IO_RIGHT_READ, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, rig.fd, UINT64_MAX, 2, VYRE_IO_RIGHT_READ, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, rig.fd, 1, UINT64_MAX - 1, both, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_buffer(rig.io, 1, rig.target, BUFFER_BYTES, 1, both, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_buffer(rig.io, 1, 12345, 0, 1, both, 0), VYRE_STALE);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, ends[0], 0, 1, VYRE_IO_RIGHT_READ, 0), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "pipe"));
	close(ends[0]);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rig.fd);
	fd = open(path, O_RDONLY);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, fd, 0, 1, both, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 1, fd, 0, 1, VYRE_IO_RIGHT_READ, 0), VYRE_OK);
	close(fd);
	fd = open(path, O_WRONLY);
	assert_int_equal(vyre_io_grant_file(rig.io, 2, fd, 0, 1, both, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 2, fd, 0, 1, VYRE_IO_RIGHT_WRITE, 0), VYRE_OK);
	close(fd);
	fd = open(path, O_RDWR | O_APPEND);
	assert_int_equal(vyre_io_grant_file(rig.io, 3, fd, 0, 1, VYRE_IO_RIGHT_WRITE, 0), VYRE_INVALID);
	assert_int_equal(vyre_io_grant_file(rig.io, 3, fd, 0, 1, VYRE_IO_RIGHT_READ, 0), VYRE_OK);
	close(fd);
	close_rig(&rig);
}

static void services_are_checked(void **state)
{
	struct vyre_io_params params = {.flags = 2};
	struct vyre_io *other;
	struct bench plain;
	struct rig rig;
	vyre_buffer tiny;

	(void)state;
	open_ring(&rig, 0, NULL, 8, 1);
	params.ring = rig.bench.ring;
	assert_int_equal(vyre_io_create(&params, &other), VYRE_INVALID);
	params.flags = 0;
	assert_int_equal(vyre_io_create(&params, &other), VYRE_INVALID);
	assert_non_null(strstr(vyre_last_error(), "already"));
	assert_null(other);
	vyre_io_destroy(rig.io);
	assert_int_equal(vyre_io_create(&params, &rig.io), VYRE_OK);
	grant_both(&rig);
	assert_int_equal(outcome(&rig, load(&rig, RESOURCE, 0, 10, TARGET, 0)), 0);
	params = (struct vyre_io_params){0};
	assert_int_equal(vyre_io_create(&params, &other), VYRE_INVALID);
	params.device = rig.bench.device;
	assert_int_equal(vyre_io_create(&params, &other), VYRE_STALE);
	assert_int_equal(vyre_buffer_create(rig.bench.device, 16, &tiny), VYRE_OK);
	params.io_queue = params.frames = tiny;
	assert_int_equal(vyre_io_create(&params, &other), VYRE_INVALID);
	assert_int_equal(vyre_buffer_destroy(rig.bench.device, tiny), VYRE_OK);
	close_rig(&rig);
	bench_open(&plain, NULL, (struct vyre_ring_params){.slots = 8, .workers = 1});
	params = (struct vyre_io_params){.ring = plain.ring};
	assert_int_equal(vyre_io_create(&params, &other), VYRE_INVALID);
	bench_close(&plain);
	vyre_io_destroy(NULL);
}

static void bytes_go_back(void **state)
{
	uint32_t e, i, done;

	(void)state;
	for (e = 0; e < 2; e++) {
		unsigned char bytes[200];
		struct vyre_io_stats stats;
		struct rig rig;

		open_dispatch(&rig, engine_flags[e], NULL);
		for (i = 0; i < 200; i++)
			rig.bytes[1000 + i] = (unsigned char)(i ^ 0x55);
		put(&rig, 0, VYRE_IO_OP_WRITE, TARGET, RESOURCE, 1000, 200, 5000,
		    0); /* offset in the buffer, at in the file */
		assert_int_equal(get(&rig, 0, NULL), 0);
		assert_int_equal(pread(rig.fd, bytes, 200, 5000), 200);
		assert_memory_equal(bytes, rig.bytes + 1000, 200);
		/* Beyond the end, as far as it was granted. */
		assert_int_equal(vyre_io_grant_file(rig.io, 3, rig.fd, FILE_BYTES, 300, VYRE_IO_RIGHT_WRITE, 0),
				 VYRE_OK);
		put(&rig, 1, VYRE_IO_OP_WRITE, TARGET, 3, 1000, 200, 100, 0);
		assert_int_equal(get(&rig, 1, NULL), 0);
		assert_int_equal(lseek(rig.fd, 0, SEEK_END), FILE_BYTES + 300);
		put(&rig, 2, VYRE_IO_OP_WRITE, TARGET, 3, 1000, 200, 101, 0);
		assert_int_equal(get(&rig, 2, &done), ERANGE);
		assert_int_equal(done, 0);
		assert_int_equal(lseek(rig.fd, 0, SEEK_END), FILE_BYTES + 300);
		put(&rig, 3, 4, RESOURCE, TARGET, 0, 1, 0, 0);
		assert_int_equal(get(&rig, 3, NULL), EINVAL);
		vyre_io_get_stats(rig.io, &stats);
		assert_int_equal(stats.bytes_written, 400);
		assert_int_equal(stats.errors, 2);
		close_rig(&rig);
	}
}

/* The file ends before its grant does. */
static void the_end_of_a_file(void **state)
{
	uint32_t e, done;

	(void)state;
	for (e = 0; e < 2; e++) {
		struct rig rig;

		open_dispatch(&rig, engine_flags[e], NULL);
		assert_int_equal(ftruncate(rig.fd, 1000), 0);
		put(&rig, 31, VYRE_IO_OP_READ, RESOURCE, TARGET, 900, 500, 0, 0);
		assert_int_equal(get(&rig, 31, &done), ENODATA);
		assert_int_equal(done, 100);
		same(&rig, 900, 100, 0);
		assert_int_equal(rig.bytes[100], 0);
		close_rig(&rig);
	}
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

		open_ring(&rig, engine_flags[e], &slow, 64, 1);
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

		open_dispatch(&rig, engine_flags[e], &slow);
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

		open_ring(&rig, engine_flags[e], &slow, 64, 2);
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

		open_dispatch(&rig, engine_flags[e], &slow);
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

		open_ring(&rig, engine_flags[e], &slow, 8, 1);
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
		open_dispatch(&rig, engine_flags[e], &slow);
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

/* Objects keep what they need: ring, buffer and descriptor may go first. */
static void order_of_destruction_is_free(void **state)
{
	struct rig rig;

	(void)state;
	open_ring(&rig, 0, NULL, 8, 1);
	close(rig.fd);
	assert_int_equal(vyre_buffer_destroy(rig.bench.device, rig.target), VYRE_OK);
	assert_int_equal(outcome(&rig, load(&rig, RESOURCE, 0, 100, TARGET, 0)), 0);
	same(&rig, 0, 100, 0); /* the grant holds the memory */
	vyre_publisher_destroy(rig.publisher);
	bench_close(&rig.bench);
	assert_true(vyre_mem_live() > 0);
	vyre_io_destroy(rig.io);
	assert_int_equal(vyre_mem_live(), 0);
}

static uint32_t random_word(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	switch (*seed >> 60) {
	case 0:
		return 0xFFFFFFFFu - (uint32_t)(*seed >> 32) % 3;
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		return (uint32_t)(*seed >> 32) % 12; /* ids and ops among them */
	default:
		return (uint32_t)(*seed >> 32) >> (*seed >> 56) % 32;
	}
}

/* Any words at all, STATUS included: the service lives, nothing outside the grants is touched, and an honest entry beside
 * them gets its bytes. */
static void hostile_entries(void **state)
{
	uint32_t e, turn, i, k;

	(void)state;
	for (e = 0; e < 2; e++) {
		uint64_t seed = 0x5EED + e;
		unsigned char outside[64];
		struct rig rig;

		open_dispatch(&rig, engine_flags[e], NULL);
		assert_int_equal(vyre_io_revoke(rig.io, RESOURCE, SECONDS(20)), VYRE_OK);
		assert_int_equal(vyre_io_revoke(rig.io, TARGET, SECONDS(20)), VYRE_OK);
		for (i = 1; i < 4; i++) {
			assert_int_equal(vyre_io_grant_file(rig.io, i, rig.fd, 4096 * i, 1024,
							    VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE,
							    VYRE_IO_ANY_TENANT),
					 VYRE_OK);
			assert_int_equal(vyre_io_grant_buffer(rig.io, i, rig.target, 4096 * i, 1024,
							      VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE,
							      VYRE_IO_ANY_TENANT),
					 VYRE_OK);
		}
		assert_int_equal(vyre_io_grant_file(rig.io, 100, rig.fd, 65536, 65536, VYRE_IO_RIGHT_READ, 5), VYRE_OK);
		assert_int_equal(vyre_io_grant_buffer(rig.io, 100, rig.target, 65536, 65536, VYRE_IO_RIGHT_WRITE, 5),
				 VYRE_OK);
		for (turn = 0; turn < 300; turn++) {
			uint32_t offset = random_word(&seed) % 60000, bytes = 1 + random_word(&seed) % 5000;

			for (i = 1; i < VYRE_IO_DEVICE_ENTRIES; i++) {
				uint32_t *words = rig.entries + i * VYRE_IO_ENTRY_WORDS;

				for (k = 0; k < 4; k++)
					__atomic_store_n(&rig.notes[i * VYRE_IO_NOTE_WORDS + k], random_word(&seed),
							 __ATOMIC_RELAXED);
				for (k = 0; k < VYRE_IO_ENTRY_WORDS; k++)
					if (k != VYRE_IO_WORD_STATUS)
						__atomic_store_n(&words[k], random_word(&seed), __ATOMIC_RELAXED);
				__atomic_store_n(&words[VYRE_IO_WORD_STATUS],
						 turn % 3 ? (uint32_t)VYRE_SLOT_PUBLISHED : random_word(&seed),
						 __ATOMIC_RELEASE);
			}
			put(&rig, 0, VYRE_IO_OP_READ, 100, 0, offset, bytes, offset / 2, 5);
			assert_int_equal(get(&rig, 0, NULL), 0);
			same(&rig, 65536 + offset, bytes, 65536 + offset / 2);
		}
		assert_int_equal(vyre_io_revoke(rig.io, 1, SECONDS(20)), VYRE_OK);
		assert_int_equal(vyre_io_revoke(rig.io, 2, SECONDS(20)), VYRE_OK);
		assert_int_equal(vyre_io_revoke(rig.io, 3, SECONDS(20)), VYRE_OK);
		for (i = 1; i < 4; i++) {
			assert_int_equal(pread(rig.fd, outside, 64, 4096 * i - 64), 64);
			for (k = 0; k < 64; k++) {
				assert_int_equal(outside[k], pattern(4096 * i - 64 + k));
				assert_int_equal(rig.bytes[4096 * i - 64 + k], 0);
				assert_int_equal(rig.bytes[4096 * i + 1024 + k], 0);
			}
			assert_int_equal(pread(rig.fd, outside, 64, 4096 * i + 1024), 64);
			for (k = 0; k < 64; k++)
				assert_int_equal(outside[k], pattern(4096 * i + 1024 + k));
		}
		close_rig(&rig);
	}
}

struct stress {
	struct rig *rig;
	uint32_t first, failed;
};

enum { STRESS_LOADS = 5000, STRESS_WINDOW = 16, STRESS_BYTES = 4096 };

/* Loads of random ranges, a window of them at a time, each to a place of its own, compared. */
static void *load_much(void *argument)
{
	struct stress *stress = argument;
	struct rig *rig = stress->rig;
	uint64_t seed = stress->first + 1;
	uint32_t offsets[STRESS_WINDOW], sizes[STRESS_WINDOW], i, k;
	vyre_ticket tickets[STRESS_WINDOW];

	for (i = 0; i < STRESS_LOADS + STRESS_WINDOW; i++) {
		uint32_t w = i % STRESS_WINDOW, at = stress->first + w * STRESS_BYTES;

		if (i >= STRESS_WINDOW) {
			if (vyre_wait(rig->bench.ring, tickets[w], SECONDS(60), NULL) != VYRE_OK) {
				stress->failed++;
				return NULL;
			}
			for (k = 0; k < sizes[w]; k++)
				stress->failed += rig->bytes[at + k] != pattern(offsets[w] + k);
		}
		if (i >= STRESS_LOADS)
			continue;
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		offsets[w] = (uint32_t)(seed >> 33) % (FILE_BYTES - STRESS_BYTES);
		sizes[w] = 1 + (uint32_t)(seed >> 20) % STRESS_BYTES;
		tickets[w] = load(rig, RESOURCE, offsets[w], sizes[w], TARGET, at);
	}
	return NULL;
}

static void ten_thousand_loads(void **state)
{
	uint32_t e, i;

	(void)state;
	for (e = 0; e < 2; e++) {
		struct vyre_io_stats stats;
		struct rig rig;
		struct stress stress[2] = {{&rig, 0, 0}, {&rig, BUFFER_BYTES / 2, 0}};
		pthread_t threads[2];

		open_ring(&rig, engine_flags[e], NULL, 64, 2);
		for (i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, load_much, &stress[i]), 0);
		for (i = 0; i < 2; i++) {
			pthread_join(threads[i], NULL);
			assert_int_equal(stress[i].failed, 0);
		}
		vyre_io_get_stats(rig.io, &stats);
		assert_int_equal(stats.requests, 2 * STRESS_LOADS);
		assert_int_equal(stats.errors, 0);
		close_rig(&rig);
	}
}

/* Every allocation and every thread refused once: an error with a remedy, and nothing left behind. */
static void every_refusal(void **state)
{
	vyre_status status = VYRE_NOMEM;
	int64_t n;

	(void)state;
	for (n = 0; status != VYRE_OK; n++) {
		struct vyre_io_params params = {0};
		struct vyre_io *io = NULL;
		vyre_buffer target;
		struct bench b;
		int fd = make_file();

		assert_true(n < 100);
		bench_open_features(&b, VYRE_HAS_RECORDS | VYRE_HAS_IO);
		bench_open_ring(&b, (struct vyre_ring_params){.slots = 8, .workers = 1});
		params.ring = b.ring;
		assert_int_equal(vyre_buffer_create(b.device, 4096, &target), VYRE_OK);
		vyre_mem_refuse_after(n);
		status = vyre_io_create(&params, &io);
		if (status == VYRE_OK)
			status = vyre_io_grant_file(io, 1, fd, 0, 10, VYRE_IO_RIGHT_READ, 0);
		if (status == VYRE_OK)
			status = vyre_io_grant_buffer(io, 1, target, 0, 10, VYRE_IO_RIGHT_WRITE, 0);
		vyre_mem_refuse_after(-1);
		if (status != VYRE_OK)
			assert_non_null(strstr(vyre_last_error(), ". Fix: "));
		assert_true(status == VYRE_OK || status == VYRE_NOMEM || status == VYRE_IO);
		vyre_io_destroy(io);
		assert_int_equal(vyre_buffer_destroy(b.device, target), VYRE_OK);
		bench_close(&b);
		close(fd);
		assert_int_equal(vyre_mem_live(), 0);
	}
	assert_true(n > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_arrive),
	    cmocka_unit_test(what_is_not_granted),
	    cmocka_unit_test(grants_are_checked),
	    cmocka_unit_test(services_are_checked),
	    cmocka_unit_test(bytes_go_back),
	    cmocka_unit_test(the_end_of_a_file),
	    cmocka_unit_test(a_slow_disk_delays_nobody),
	    cmocka_unit_test(a_full_queue),
	    cmocka_unit_test(revoked_while_under_way),
	    cmocka_unit_test(destroyed_while_under_way),
	    cmocka_unit_test(order_of_destruction_is_free),
	    cmocka_unit_test(hostile_entries),
	    cmocka_unit_test(ten_thousand_loads),
	    cmocka_unit_test(every_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
