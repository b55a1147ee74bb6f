/* memory_test.c - buffers of the cuda device: where they lie, when they move, copies, and their return beside a kernel. */
#include <pthread.h>

#include "cuda_rig.h"

/* The first byte is not at the start of a half of the staging memory, and there are several. */
enum { LARGE = 3 * VYRE_CUDA_STAGING_BYTES + 12345 };

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) * 17 + 3);
}

static void lies(struct vyre_device *device, vyre_buffer buffer, enum vyre_place place)
{
	struct vyre_memory *memory = vyre_buffer_get(device, buffer);

	assert_non_null(memory);
	assert_int_equal(memory->place, place);
	assert_int_equal(memory->data != NULL, place == VYRE_PLACE_HOST);
	assert_int_equal(memory->address != 0, place != VYRE_PLACE_NONE);
	vyre_memory_unref(memory);
}

static void places(void **state)
{
	struct vyre_device *device = open_cuda("");
	vyre_buffer written, read, mapped;
	uint32_t word = 5, i;
	void *map;

	(void)state;
	assert_int_equal(vyre_buffer_create(device, 100, &written), VYRE_OK);
	assert_int_equal(vyre_buffer_create(device, 100, &read), VYRE_OK);
	assert_int_equal(vyre_buffer_create(device, 100, &mapped), VYRE_OK);
	lies(device, written, VYRE_PLACE_NONE);
	assert_int_equal(standin.standin_calls("cuMemAlloc"), 0);
	assert_int_equal(vyre_buffer_write(device, written, 4, &word, 4), VYRE_OK);
	lies(device, written, VYRE_PLACE_DEVICE);
	assert_int_equal(vyre_buffer_read(device, read, 96, &word, 4), VYRE_OK);
	assert_int_equal(word, 0);
	lies(device, read, VYRE_PLACE_DEVICE);
	assert_int_equal(vyre_buffer_map(device, mapped, &map), VYRE_OK);
	lies(device, mapped, VYRE_PLACE_HOST);
	assert_int_equal((uintptr_t)map % 4096, 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(((uint8_t *)map)[i], 0);
	/* A written buffer moves when it is mapped, and stays there, contents and handle kept. */
	assert_int_equal(vyre_buffer_map(device, written, &map), VYRE_OK);
	lies(device, written, VYRE_PLACE_HOST);
	assert_int_equal(((uint32_t *)map)[0], 0);
	assert_int_equal(((uint32_t *)map)[1], 5);
	((uint32_t *)map)[2] = 6;
	assert_int_equal(vyre_buffer_read(device, written, 8, &word, 4), VYRE_OK);
	assert_int_equal(word, 6);
	word = 7;
	assert_int_equal(vyre_buffer_write(device, written, 12, &word, 4), VYRE_OK);
	assert_int_equal(((uint32_t *)map)[3], 7);
	assert_int_equal(vyre_buffer_write(device, written, 99, &word, 2), VYRE_INVALID);
	assert_int_equal(vyre_buffer_destroy(device, read), VYRE_OK);
	vyre_device_close(device); /* gives back the rest */
	assert_nothing_is_left();
}

static void large_copies(void **state)
{
	struct vyre_device *device = open_cuda("");
	uint8_t *bytes = malloc(LARGE), *back = malloc(LARGE), *map;
	static const uint64_t ranges[][2] = {{0, LARGE},
					     {1, 0},
					     {1, 1},
					     {0, VYRE_CUDA_STAGING_BYTES},
					     {VYRE_CUDA_STAGING_BYTES - 1, 2},
					     {777, 2 * VYRE_CUDA_STAGING_BYTES},
					     {5, 2 * VYRE_CUDA_STAGING_BYTES + 1},
					     {LARGE - 1, 1}};
	vyre_buffer buffer;
	uint32_t r;
	uint64_t i;

	(void)state;
	assert_true(bytes && back);
	for (i = 0; i < LARGE; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(vyre_buffer_create(device, LARGE, &buffer), VYRE_OK);
	for (r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
		uint64_t at = ranges[r][0], size = ranges[r][1];

		for (i = 0; i < size; i++)
			bytes[at + i] ^= (uint8_t)(r + 1);
		assert_int_equal(vyre_buffer_write(device, buffer, at, bytes + at, size), VYRE_OK);
		memset(back, 0, LARGE);
		assert_int_equal(vyre_buffer_read(device, buffer, at, back, size), VYRE_OK);
		assert_memory_equal(back, bytes + at, size);
	}
	assert_int_equal(vyre_buffer_read(device, buffer, 0, back, LARGE), VYRE_OK);
	assert_memory_equal(back, bytes, LARGE);
	assert_int_equal(vyre_buffer_map(device, buffer, (void **)&map), VYRE_OK);
	assert_memory_equal(map, bytes, LARGE);
	vyre_device_close(device);
	free(bytes);
	free(back);
	assert_nothing_is_left();
}

/* A buffer stays where a kernel has it, and may move when that kernel is gone. */
static void holds(void **state)
{
	struct work w;
	vyre_buffer gate;
	void *map;

	(void)state;
	open_work(&w, "");
	lies(w.device, w.gate, VYRE_PLACE_HOST);
	lies(w.device, w.data, VYRE_PLACE_DEVICE);
	assert_int_equal(vyre_buffer_map(w.device, w.data, &map), VYRE_UNSUPPORTED);
	assert_null(map);
	assert_says("a kernel has it there");
	lies(w.device, w.data, VYRE_PLACE_DEVICE);
	/* No kernel has it any more: it moves when the next one wants it where the host writes. */
	gate = w.gate;
	w.gate = w.data;
	w.data = gate;
	vyre_kernel_destroy(w.kernel);
	w.kernel = NULL;
	assert_int_equal(make_work_kernel(&w), VYRE_OK); /* both in the host's memory now */
	lies(w.device, w.gate, VYRE_PLACE_HOST);
	lies(w.device, w.data, VYRE_PLACE_HOST);
	close_work(&w);
	assert_nothing_is_left();
}

static void held_elsewhere(void **state)
{
	struct work w, other;

	(void)state;
	open_work(&w, "");
	other = w;
	other.gate = w.data;
	assert_int_equal(vyre_buffer_create(w.device, 4 * WORK_WORDS, &other.data), VYRE_OK);
	other.kernel = (void *)1;
	assert_int_equal(make_work_kernel(&other), VYRE_UNSUPPORTED);
	assert_null(other.kernel);
	assert_says("bind it to its stream or live name");
	close_work(&w);
	assert_nothing_is_left();
}

/* Memory that was made in a place stays there; what files are read into is the host's. */
static void made_in_a_place(void **state)
{
	struct vyre_device *device = open_cuda("");
	struct vyre_memory *memory;
	uint32_t word = 3;

	(void)state;
	assert_int_equal(vyre_memory_create(device, 64, VYRE_PLACE_DEVICE, &memory), VYRE_OK);
	assert_int_equal(device->fns->memory_write(memory, 60, &word, 4), VYRE_OK);
	assert_int_equal(vyre_memory_map(memory), VYRE_UNSUPPORTED);
	assert_int_equal(memory->place, VYRE_PLACE_DEVICE);
	vyre_memory_unref(memory);
	assert_int_equal(vyre_memory_create(device, 64, VYRE_PLACE_HOST, &memory), VYRE_OK);
	assert_non_null(memory->data);
	assert_int_equal(vyre_memory_hold(memory, VYRE_PLACE_DEVICE), VYRE_OK); /* which the host's serves */
	assert_int_equal(memory->place, VYRE_PLACE_HOST);
	vyre_memory_unref(memory);
	assert_int_equal(vyre_memory_create(device, 64, VYRE_PLACE_NONE, &memory), VYRE_OK);
	assert_int_equal(vyre_memory_map(memory), VYRE_OK);
	assert_int_equal(memory->place, VYRE_PLACE_HOST);
	vyre_memory_unref(memory);
	vyre_device_close(device);
	assert_nothing_is_left();
}

/* While a kernel runs memory is made, copied and given up, and the driver is asked for nothing that waits for it: the
 * stand-in ends the program if it is. */
static void beside_a_kernel(void **state)
{
	const uint32_t grid[3] = {2, 1, 1};
	struct vyre_cuda_run *run;
	struct work w;
	uint32_t word, i;
	uint64_t made;

	(void)state;
	open_work(&w, "");
	w.gate_words[GATE_OPEN] = 0;
	assert_int_equal(vyre_cuda_run_create(w.device, &run), VYRE_OK);
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_IDLE);
	assert_int_equal(vyre_cuda_run_launch(run, w.kernel, grid[0], (struct vyre_cuda_arg *)w.kernel->table,
					      WORK_BUFFERS, NULL, 0, 0, NULL, 0),
			 VYRE_OK);
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_RUNNING);
	made = standin.standin_calls("cuMemAlloc");
	for (i = 0; i < 20; i++) {
		vyre_buffer device_buffer, host_buffer;
		void *map;

		assert_int_equal(vyre_buffer_create(w.device, 5000, &device_buffer), VYRE_OK);
		assert_int_equal(vyre_buffer_create(w.device, 5000, &host_buffer), VYRE_OK);
		assert_int_equal(vyre_buffer_read(w.device, device_buffer, 4992, &word, 4), VYRE_OK);
		assert_int_equal(word, 0); /* also when the block was used before */
		word = 1 + i;
		assert_int_equal(vyre_buffer_write(w.device, device_buffer, 4992, &word, 4), VYRE_OK);
		assert_int_equal(vyre_buffer_map(w.device, host_buffer, &map), VYRE_OK);
		assert_int_equal(((uint32_t *)map)[9], 0);
		((uint32_t *)map)[9] = 1;
		assert_int_equal(vyre_buffer_destroy(w.device, device_buffer), VYRE_OK);
		assert_int_equal(vyre_buffer_destroy(w.device, host_buffer), VYRE_OK);
	}
	assert_int_equal(standin.standin_calls("cuMemAlloc"), made + 1);
	assert_int_equal(standin.standin_calls("cuMemFree"), 0);
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_RUNNING);
	__atomic_store_n(&w.gate_words[GATE_OPEN], 1, __ATOMIC_RELEASE);
	while (vyre_cuda_run_state(run) == VYRE_CUDA_RUNNING)
		usleep(100);
	assert_int_equal(standin.standin_calls("cuMemFree"), 1);
	assert_work_done(&w, 2, 0);
	vyre_cuda_run_destroy(run);
	close_work(&w);
	assert_nothing_is_left();
}

/* A GPU that is opened twice has one context: what runs for one is in the other's way too. */
static void opened_twice(void **state)
{
	struct vyre_device *other;
	struct vyre_cuda_run *run;
	vyre_buffer buffer;
	struct work w;
	uint32_t word = 9;

	(void)state;
	open_work(&w, "");
	w.gate_words[GATE_OPEN] = 0;
	assert_int_equal(vyre_cuda_run_create(w.device, &run), VYRE_OK);
	assert_int_equal(vyre_cuda_run_launch(run, w.kernel, 1, (struct vyre_cuda_arg *)w.kernel->table, WORK_BUFFERS,
					      NULL, 0, 0, NULL, 0),
			 VYRE_OK);
	assert_int_equal(vyre_device_open("cuda", &other), VYRE_OK);
	assert_int_equal(vyre_buffer_create(other, 9000, &buffer), VYRE_OK);
	assert_int_equal(vyre_buffer_read(other, buffer, 8992, &word, 4), VYRE_OK);
	assert_int_equal(word, 0);
	vyre_device_close(other);
	assert_int_equal(standin.standin_calls("cuMemFree"), 0);
	assert_int_equal(standin.standin_calls("cuDevicePrimaryCtxRetain"), 1);
	__atomic_store_n(&w.gate_words[GATE_OPEN], 1, __ATOMIC_RELEASE);
	while (vyre_cuda_run_state(run) == VYRE_CUDA_RUNNING)
		usleep(100);
	assert_int_equal(standin.standin_calls("cuMemFree"), 1);
	vyre_cuda_run_destroy(run);
	close_work(&w);
	assert_nothing_is_left();
}

/* One buffer, moved by four threads that copy it at the same time. */
enum { THREADS = 4, ROUNDS = 60, SHARED_BYTES = 40000 };
static struct {
	struct vyre_device *device;
	vyre_buffer buffer;
	pthread_barrier_t turn;
} shared;

static void *move_and_copy(void *argument)
{
	uint8_t *back = malloc(SHARED_BYTES);
	uint32_t round, i;
	void *map;

	assert_non_null(back);
	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&shared.turn);
		if ((round + (uintptr_t)argument) % 2)
			assert_int_equal(vyre_buffer_read(shared.device, shared.buffer, 0, back, SHARED_BYTES),
					 VYRE_OK);
		assert_int_equal(vyre_buffer_map(shared.device, shared.buffer, &map), VYRE_OK);
		assert_int_equal(vyre_buffer_read(shared.device, shared.buffer, 0, back, SHARED_BYTES), VYRE_OK);
		for (i = 0; i < SHARED_BYTES; i++)
			if (back[i] != byte_at(i + round) || ((uint8_t *)map)[i] != back[i])
				fail_msg("round %u, byte %u", round, i);
		pthread_barrier_wait(&shared.turn);
	}
	free(back);
	return NULL;
}

static void threads(void **state)
{
	uint8_t *bytes = malloc(SHARED_BYTES);
	pthread_t thread[THREADS];
	uint32_t round, i;

	(void)state;
	assert_non_null(bytes);
	shared.device = open_cuda("");
	pthread_barrier_init(&shared.turn, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, move_and_copy, (void *)(uintptr_t)i), 0);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < SHARED_BYTES; i++)
			bytes[i] = byte_at(i + round);
		assert_int_equal(vyre_buffer_create(shared.device, SHARED_BYTES, &shared.buffer), VYRE_OK);
		assert_int_equal(vyre_buffer_write(shared.device, shared.buffer, 0, bytes, SHARED_BYTES), VYRE_OK);
		pthread_barrier_wait(&shared.turn);
		pthread_barrier_wait(&shared.turn);
		assert_int_equal(vyre_buffer_destroy(shared.device, shared.buffer), VYRE_OK);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&shared.turn);
	vyre_device_close(shared.device);
	free(bytes);
	assert_nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places),	      cmocka_unit_test(large_copies),	 cmocka_unit_test(holds),
	    cmocka_unit_test(held_elsewhere), cmocka_unit_test(made_in_a_place), cmocka_unit_test(beside_a_kernel),
	    cmocka_unit_test(opened_twice),   cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, find_standin, NULL);
}
