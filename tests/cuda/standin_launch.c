/* standin_launch.c - the stand-in's kernels: a thread a workgroup, as many at a time as the GPU has room for.
 *
 * The room is shared by all kernels: a workgroup takes a place before it runs and gives it back behind, so a kernel that
 * stays resident on every multiprocessor keeps every other from starting, as it would on a GPU. A cooperative launch takes
 * all its places at once. Parameters are those of abi/cuda.h: addresses are translated to where the bytes are.
 */
#include <stdlib.h>
#include <string.h>

#include "standin_launch.h"

enum { MAX_DIMENSION = 65535 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	uint32_t taken, kernels;
} room = {.lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

uint32_t standin_capacity(void)
{
	return (uint32_t)(standin_property(PROPERTY_multiprocessors) * standin_property(PROPERTY_resident));
}

uint32_t standin_running_kernels(void)
{
	return __atomic_load_n(&room.kernels, __ATOMIC_ACQUIRE);
}

uint32_t standin_running(void)
{
	return standin_running_kernels();
}

void standin_take_room(uint32_t places)
{
	pthread_mutex_lock(&room.lock);
	while (room.taken + places > standin_capacity())
		pthread_cond_wait(&room.freed, &room.lock);
	room.taken += places;
	pthread_mutex_unlock(&room.lock);
}

/* One place, and as many more of those wanted as are free. */
uint32_t standin_take_some(uint32_t wanted)
{
	uint32_t taken;

	pthread_mutex_lock(&room.lock);
	while (room.taken >= standin_capacity())
		pthread_cond_wait(&room.freed, &room.lock);
	taken = standin_capacity() - room.taken < wanted ? standin_capacity() - room.taken : wanted;
	room.taken += taken;
	pthread_mutex_unlock(&room.lock);
	return taken;
}

void standin_give_room(uint32_t places)
{
	pthread_mutex_lock(&room.lock);
	room.taken -= places;
	pthread_cond_broadcast(&room.freed);
	pthread_mutex_unlock(&room.lock);
}

/* ---- one kernel ---- */

static void keep_lowest(uint64_t *word, uint64_t value)
{
	uint64_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (value < seen && !__atomic_compare_exchange_n(word, &seen, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void run_native(struct standin_kernel *kernel, uint64_t index)
{
	const uint32_t *n = kernel->grid;
	struct vyre_cpu_launch launch = {
	    .workgroup = {(uint32_t)(index % n[0]), (uint32_t)(index / n[0] % n[1]), (uint32_t)(index / n[0] / n[1])},
	    .workgroups = {n[0], n[1], n[2]},
	    .buffer_count = kernel->function.buffers,
	    .buffers = kernel->buffers,
	};

	kernel->function.entry(&launch);
	if (!launch.trap_code)
		return;
	keep_lowest(&kernel->trap->code, index << VYRE_CUDA_TRAP_CODE_BITS | launch.trap_code);
	keep_lowest(&kernel->trap->detail, index << 32 | launch.trap_detail);
}

static void *run_workgroups(void *argument)
{
	struct standin_kernel *kernel = argument;
	uint64_t index;

	while ((index = __atomic_fetch_add(&kernel->next, 1, __ATOMIC_RELAXED)) < kernel->total) {
		if (!kernel->together)
			standin_take_room(1);
		run_native(kernel, index);
		if (!kernel->together)
			standin_give_room(1);
	}
	return NULL;
}

static void run_threads(struct standin_kernel *kernel)
{
	uint32_t wanted = standin_capacity(), started = 0, i;
	pthread_t *threads;

	if (kernel->total < wanted)
		wanted = (uint32_t)kernel->total;
	threads = calloc(wanted, sizeof(*threads));
	if (!threads)
		standin_mistake("no memory");
	if (kernel->together)
		standin_take_room(wanted);
	for (i = 0; i < wanted; i++, started++)
		if (pthread_create(&threads[i], NULL, run_workgroups, kernel) != 0)
			standin_mistake("no thread for a workgroup");
	for (i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (kernel->together)
		standin_give_room(wanted);
	free(threads);
}

static void run_kernel(struct standin_work *work)
{
	struct standin_kernel *kernel = (struct standin_kernel *)work;

	if (kernel->fate != CU_OK)
		standin_break(kernel->fate);
	else if (kernel->function.entry)
		run_threads(kernel);
	else
		standin_run_text(kernel);
	__atomic_sub_fetch(&room.kernels, 1, __ATOMIC_RELEASE);
	free(kernel->params);
	free(kernel->buffers);
	free(kernel);
}

/* ---- launches ---- */

/* Native code takes pairs of address and count, then the trap record; a wrong address is the kernel's end. */
static void take_native_params(struct standin_kernel *kernel, void **params)
{
	uint32_t count = kernel->function.buffers, i;
	uint64_t address;

	kernel->buffers = calloc(count + 1, sizeof(*kernel->buffers));
	if (!kernel->buffers)
		standin_mistake("no memory");
	for (i = 0; i < count; i++) {
		memcpy(&address, params[2 * i], sizeof(address));
		memcpy(&kernel->buffers[i].count, params[2 * i + 1], sizeof(uint64_t));
		kernel->buffers[i].data = standin_bytes(address, kernel->buffers[i].count ? 1 : 0);
		if (!kernel->buffers[i].data && (address || kernel->buffers[i].count))
			kernel->fate = VYRE_CU_ILLEGAL_ADDRESS;
	}
	memcpy(&address, params[2 * count], sizeof(address));
	kernel->trap = standin_bytes(address, sizeof(*kernel->trap));
	if (!kernel->trap)
		kernel->fate = VYRE_CU_ILLEGAL_ADDRESS;
}

static vyre_cu_result launch(vyre_cu_function function, const uint32_t grid[3], const uint32_t lanes[3],
			     vyre_cu_stream stream, void **params, int together)
{
	struct standin_kernel *kernel;
	uint64_t total = (uint64_t)grid[0] * grid[1] * grid[2];
	uint32_t all_lanes = lanes[0] * lanes[1] * lanes[2];

	if (!function->is_loaded && standin_running_kernels())
		standin_mistake(
		    "%s is launched beside another kernel before it was loaded: loading may wait for what runs",
		    function->name);
	function->is_loaded = 1; /* launching does it */
	standin_need_local();
	if (total == 0 || grid[0] > INT32_MAX || grid[1] > MAX_DIMENSION || grid[2] > MAX_DIMENSION || all_lanes == 0 ||
	    (function->lanes && all_lanes != function->lanes))
		return CU_INVALID_VALUE;
	if (together && total > standin_capacity())
		return VYRE_CU_COOPERATIVE_LAUNCH_TOO_LARGE;
	kernel = calloc(1, sizeof(*kernel));
	if (!kernel)
		standin_mistake("no memory");
	kernel->work.run = run_kernel;
	kernel->function = *function;
	memcpy(kernel->grid, grid, sizeof(kernel->grid));
	memcpy(kernel->lanes, lanes, sizeof(kernel->lanes));
	kernel->total = total;
	kernel->together = together;
	kernel->fate = standin_count(SYMBOL_kernel);
	if (function->entry)
		take_native_params(kernel, params);
	else
		standin_take_text_params(kernel, params);
	__atomic_add_fetch(&room.kernels, 1, __ATOMIC_RELEASE);
	return standin_enqueue(stream, &kernel->work);
}

vyre_cu_result cuLaunchKernel(vyre_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
			      unsigned lanes_x, unsigned lanes_y, unsigned lanes_z, unsigned shared_bytes,
			      vyre_cu_stream stream, void **params, void **extra)
{
	const uint32_t grid[3] = {grid_x, grid_y, grid_z}, lanes[3] = {lanes_x, lanes_y, lanes_z};

	CALL(cuLaunchKernel);
	if (shared_bytes || extra)
		return CU_INVALID_VALUE;
	return launch(function, grid, lanes, stream, params, 0);
}

vyre_cu_result cuLaunchCooperativeKernel(vyre_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
					 unsigned lanes_x, unsigned lanes_y, unsigned lanes_z, unsigned shared_bytes,
					 vyre_cu_stream stream, void **params)
{
	const uint32_t grid[3] = {grid_x, grid_y, grid_z}, lanes[3] = {lanes_x, lanes_y, lanes_z};

	CALL(cuLaunchCooperativeKernel);
	if (shared_bytes)
		return CU_INVALID_VALUE;
	return launch(function, grid, lanes, stream, params, 1);
}
