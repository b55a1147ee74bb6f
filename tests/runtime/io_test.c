/* io_test.c - i/o that the device asks for: bytes, rights, ranges, errors, hostile entries, many of them. */
#include "io_rig.h"

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
		int fd = make_file(FILE_BYTES);

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
	    cmocka_unit_test(order_of_destruction_is_free),
	    cmocka_unit_test(hostile_entries),
	    cmocka_unit_test(ten_thousand_loads),
	    cmocka_unit_test(every_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
