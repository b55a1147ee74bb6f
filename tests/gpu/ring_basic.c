/* ring_basic.c - the device, its buffers, what comes back from a slot, and rings of every size. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/ring.h"

void ring_check_marks(struct gpu_rig *rig, uint64_t count, uint32_t want)
{
	uint32_t *marks = gpu_rig_read(rig, "marks", NULL);

	for (uint64_t i = 0; i < count; i++)
		CHECK(marks[i] == want, "slot %llu ran %u times, not %u", (unsigned long long)i, marks[i], want);
	free(marks);
}

void gpu_test_device(const struct gpu_options *options)
{
	static const char *const blobs[] = {"sets/ring.vyb", "sets/torn.vyb", "sets/stream.vyb"};
	struct vyre_device *device = gpu_open_device(options);
	struct vyre_device_info info;

	vyre_device_get_info(device, &info);
	CHECK(info.max_workers > 0, "%s has room for no workgroup", info.name);
	for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++) {
		struct vyre_blob *blob = gpu_open_blob(options, blobs[i]);
		char text[4096];

		OK(vyre_blob_verify(blob));
		CHECK(vyre_device_explain(device, blob, text, sizeof text) > 0, "nothing is said of %s", blobs[i]);
		vyre_blob_close(blob);
	}
	gpu_note("%s, %u workgroups", info.name, info.max_workers);
	vyre_device_close(device);
}

/* ---- buffers ------------------------------------------------------------------------------------------------------------ */

enum { BUFFER_WORDS = 100003 };

static void fill(uint32_t *words, uint32_t seed)
{
	uint64_t state = seed;

	for (uint32_t i = 0; i < BUFFER_WORDS; i++)
		words[i] = gpu_random(&state);
}

static void check_words(struct vyre_device *device, vyre_buffer buffer, const uint32_t *want)
{
	static uint32_t have[BUFFER_WORDS];

	OK(vyre_buffer_read(device, buffer, 0, have, sizeof have));
	CHECK(!memcmp(have, want, sizeof have), "what was written is not what comes back");
}

void gpu_test_buffers(const struct gpu_options *options)
{
	static uint32_t words[BUFFER_WORDS], zero[BUFFER_WORDS];
	struct vyre_device *device = gpu_open_device(options);
	vyre_buffer buffer;
	uint64_t bytes;
	void *map;

	OK(vyre_buffer_create(device, sizeof words, &buffer));
	check_words(device, buffer, zero);
	fill(words, 1);
	OK(vyre_buffer_write(device, buffer, 0, words, sizeof words));
	check_words(device, buffer, words);
	words[777] = 5;
	OK(vyre_buffer_write(device, buffer, 4 * 777, &words[777], 4));
	check_words(device, buffer, words);
	OK(vyre_buffer_map(device, buffer, &map)); /* it may move: contents and handle are kept */
	CHECK(!memcmp(map, words, sizeof words), "a mapped buffer has lost its contents");
	((uint32_t *)map)[3] = words[3] = 99;
	check_words(device, buffer, words);
	OK(vyre_buffer_size(device, buffer, &bytes));
	EQUAL(bytes, sizeof words);
	STATUS(vyre_buffer_write(device, buffer, 4, words, sizeof words), VYRE_INVALID);
	OK(vyre_buffer_destroy(device, buffer));
	STATUS(vyre_buffer_read(device, buffer, 0, words, 4), VYRE_STALE);
	vyre_device_close(device);
}

/* ---- results ------------------------------------------------------------------------------------------------------------ */

enum { ECHO_THREADS = 3, ECHO_ROUNDS = 200, ECHO_BATCH = 32 };

struct echo {
	struct gpu_rig *rig;
	struct vyre_publisher *publisher;
	uint32_t tenant;
	uint64_t random;
};

static uint32_t bits_of(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static void check_echo(const struct vyre_slot *slot, const struct vyre_result *result, uint32_t tenant)
{
	const uint32_t *a = slot->args, *w = result->words;
	uint64_t c = a[2] | (uint64_t)a[3] << 32, turned = a[0] % 64 ? c << a[0] % 64 | c >> (64 - a[0] % 64) : c;
	float d;

	memcpy(&d, &a[4], sizeof d);
	EQUAL(result->status, VYRE_SLOT_DONE);
	EQUAL(w[0], a[0] ^ a[1]);
	EQUAL(w[1], a[0] + a[1]);
	EQUAL(w[2] | (uint64_t)w[3] << 32, turned);
	EQUAL(w[4], bits_of(d * 2));
	EQUAL(w[5], 0u - a[5]);
	EQUAL(w[6], a[11]);
	EQUAL(w[7], slot->priority);
	EQUAL(w[8], tenant);
	EQUAL(w[9], OP_ECHO);
	EQUAL(w[10], a[10]); /* no handler wrote it */
}

static void *echo(void *argument)
{
	struct echo *e = argument;

	for (uint32_t round = 0; round < ECHO_ROUNDS; round++) {
		struct vyre_slot slots[ECHO_BATCH];
		vyre_ticket tickets[ECHO_BATCH];
		uint32_t count = round % 4 == 0 ? 1 : 1 + gpu_random(&e->random) % ECHO_BATCH;

		for (uint32_t i = 0; i < count; i++) {
			slots[i] =
			    (struct vyre_slot){.opcode = OP_ECHO, .priority = i % 5, .arg_count = VYRE_SLOT_ARGS};
			for (uint32_t k = 0; k < VYRE_SLOT_ARGS; k++)
				slots[i].args[k] = gpu_random(&e->random);
			slots[i].args[4] = bits_of((float)(gpu_random(&e->random) % 1000) * 0.25f);
		}
		OK(vyre_publish(e->publisher, slots, count, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), tickets));
		for (uint32_t i = 0; i < count; i++) {
			struct vyre_result result;

			gpu_wait(e->rig, tickets[i], &result);
			check_echo(&slots[i], &result, e->tenant);
		}
	}
	return NULL;
}

void gpu_test_results(const struct gpu_options *options)
{
	struct gpu_rig rig;
	struct echo echoes[ECHO_THREADS];
	pthread_t threads[ECHO_THREADS];

	ring_open(&rig, options, 16);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 256, .workers = 2, .tenants = ECHO_THREADS});
	for (uint32_t i = 0; i < ECHO_THREADS; i++) {
		echoes[i] = (struct echo){.rig = &rig, .tenant = i, .random = i + 1};
		OK(vyre_publisher_create(rig.ring, i, &echoes[i].publisher));
		EQUAL(pthread_create(&threads[i], NULL, echo, &echoes[i]), 0);
	}
	for (uint32_t i = 0; i < ECHO_THREADS; i++) {
		pthread_join(threads[i], NULL);
		vyre_publisher_destroy(echoes[i].publisher);
	}
	gpu_rig_end(&rig);
}

/* ---- sizes -------------------------------------------------------------------------------------------------------------- */

/* Three laps of a ring of `slots`, in batches that divide nothing evenly, from just below the counters' end. */
static void run_size(const struct gpu_options *options, uint32_t slots, uint32_t workers)
{
	uint32_t total = slots * 3 < 3000 ? 3000 : slots * 3, batch = slots < 37 ? slots : 37;
	struct gpu_rig rig;
	struct vyre_ring_stats stats;

	ring_open(&rig, options, total);
	gpu_rig_start(&rig,
		      (struct vyre_ring_params){.slots = slots, .workers = workers, .first_position = 0u - slots - 5});
	for (uint32_t next = 0; next < total;) {
		struct vyre_slot list[37];
		uint32_t n = total - next < batch ? total - next : batch;

		for (uint32_t i = 0; i < n; i++)
			list[i] = gpu_slot(OP_MARK, 1, next + i, 0);
		OK(vyre_publish(rig.publisher, list, n, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), NULL));
		next += n;
	}
	OK(vyre_ring_drain(rig.ring, GPU_SECONDS(60)));
	gpu_rig_stats(&rig, &stats);
	EQUAL(stats.published, total);
	EQUAL(stats.retired, total);
	ring_check_marks(&rig, total, 1);
	gpu_rig_end(&rig);
}

void gpu_test_sizes(const struct gpu_options *options)
{
	static const uint32_t sizes[] = {2, 4, 32, 256, 4096, 65536};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] <= options->slots; i++)
		for (uint32_t workers = 1; workers <= 3; workers += 2)
			run_size(options, sizes[i], workers);
}
