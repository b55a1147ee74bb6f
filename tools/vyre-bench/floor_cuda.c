/* floor_cuda.c - what a GPU gives without us, by its driver: launches, graphs, a word there and back, memory read and copied.
 *
 * Every measurement checks what its kernels left behind, and the trap record that programs have. Waits of the driver have
 * no time limit of their own: the guard (guard.c) ends the program when one of them hangs.
 */
#include <stdlib.h>
#include <string.h>

#include "floor_cuda.h"
#include "runtime/abi/cuda.h"

/* Words of the pinned page and of the small device memory, in bytes. */
enum { PING = 0, PONG = 128, STAGING = 2048, PARAMS = 0, SUM = 256, TRAP = 512, SMALL_END = 528 };
enum { WARM = 3, PING_WARM = 32 };
#define END_OF_GAME 0xffffffffu

struct small { /* as it is copied */
	uint32_t params[64];
	uint64_t sum[32];
	struct vyre_cuda_trap trap;
};
_Static_assert(sizeof(struct small) == SMALL_END && offsetof(struct small, sum) == SUM &&
		   offsetof(struct small, trap) == TRAP,
	       "the small memory's layout");

/* A kernel's arguments as the driver wants them: pointers to pointer, count, pointer, count, trap record. */
struct arguments {
	uint64_t value[5];
	void *at[5];
};

static void set_arguments(struct bench_floor *floor, struct arguments *a, cu_address first, uint64_t first_count)
{
	a->value[0] = first, a->value[1] = first_count;
	a->value[2] = floor->small_at + SUM, a->value[3] = 1;
	a->value[4] = floor->small_at + TRAP;
	for (unsigned i = 0; i < 5; i++)
		a->at[i] = &a->value[i];
}

static bool synchronize(struct bench_floor *floor)
{
	return TRY_CU(floor, cuStreamSynchronize, floor->stream);
}

static struct small *staging(struct bench_floor *floor)
{
	return (struct small *)((uint8_t *)(uintptr_t)floor->words + STAGING);
}

/* params[0], no sum, nobody has trapped. */
static bool reset(struct bench_floor *floor, uint32_t turns)
{
	struct small *small = staging(floor);

	memset(small, 0, sizeof *small);
	small->params[0] = turns;
	small->trap = (struct vyre_cuda_trap){VYRE_CUDA_NO_TRAP, VYRE_CUDA_NO_TRAP};
	return TRY_CU(floor, cuMemcpyHtoDAsync, floor->small_at, small, sizeof *small, floor->stream) &&
	       synchronize(floor);
}

static bool sum_is(struct bench_floor *floor, uint64_t expected)
{
	struct small *small = staging(floor);

	if (!TRY_CU(floor, cuMemcpyDtoHAsync, small, floor->small_at, sizeof *small, floor->stream) ||
	    !synchronize(floor))
		return false;
	if (small->trap.code != VYRE_CUDA_NO_TRAP)
		return bench_fail("a floor's kernel trapped, code %u", (unsigned)(small->trap.code & 0xff));
	return small->sum[0] == expected || bench_fail("a floor's kernels add up to %llu, not %llu",
						       (unsigned long long)small->sum[0], (unsigned long long)expected);
}

static bool start_on(struct bench_floor *floor, cu_stream stream, enum floor_program program, unsigned workgroups,
		     struct arguments *a)
{
	return TRY_CU(floor, cuLaunchKernel, floor->functions[program], workgroups, 1, 1, floor->lanes[program], 1, 1,
		      0, stream, a->at, NULL);
}

static bool start(struct bench_floor *floor, enum floor_program program, unsigned workgroups, struct arguments *a)
{
	return start_on(floor, floor->stream, program, workgroups, a);
}

/* ---- launches ---------------------------------------------------------------------------------------------------------- */

static bool launch_each(struct bench_floor *floor, enum floor_program program, struct arguments *a, unsigned count,
			double *seconds)
{
	for (unsigned i = 0; i < count; i++) {
		double from = bench_now();
		if (!start(floor, program, 1, a) || !synchronize(floor))
			return false;
		seconds[i] = bench_now() - from;
	}
	return true;
}

static bool launch_queued(struct bench_floor *floor, enum floor_program program, struct arguments *a, unsigned count,
			  double *seconds)
{
	double from = bench_now();

	for (unsigned i = 0; i < count; i++)
		if (!start(floor, program, 1, a))
			return false;
	if (!synchronize(floor))
		return false;
	*seconds = bench_now() - from;
	return true;
}

/* The same on all streams in turn. */
static bool launch_wide(struct bench_floor *floor, enum floor_program program, struct arguments *a, unsigned count,
			double *seconds)
{
	double from = bench_now();

	for (unsigned i = 0; i < count; i++)
		if (!start_on(floor, floor->side[i % FLOOR_STREAMS], program, 1, a))
			return false;
	for (unsigned i = 0; i < FLOOR_STREAMS; i++)
		if (!TRY_CU(floor, cuStreamSynchronize, floor->side[i]))
			return false;
	*seconds = bench_now() - from;
	return true;
}

/* Nodes in a chain, one item after the other as on a stream; or with nothing between them. */
static bool make_graph(struct bench_floor *floor, enum floor_program program, struct arguments *a, bool wide,
		       unsigned nodes, cu_graph *graph, cu_exec *exec)
{
	struct cu_node_params params = {.function = floor->functions[program],
					.grid = {1, 1, 1},
					.block = {floor->lanes[program], 1, 1},
					.params = a->at};
	cu_node last = NULL;

	*graph = NULL, *exec = NULL;
	if (!TRY_CU(floor, cuGraphCreate, graph, 0))
		return false;
	for (unsigned i = 0; i < nodes; i++) {
		cu_node node;
		if (!TRY_CU(floor, cuGraphAddKernelNode, &node, *graph, &last, last && !wide, &params))
			return false;
		last = node;
	}
	return TRY_CU(floor, cuGraphInstantiate, exec, *graph, 0);
}

/* Launched once before it counts: the first time uploads it. */
static bool launch_graph(struct bench_floor *floor, enum floor_program program, struct arguments *a, bool wide,
			 unsigned nodes, unsigned times, double *seconds)
{
	cu_graph graph;
	cu_exec exec;
	bool good = make_graph(floor, program, a, wide, nodes, &graph, &exec) &&
		    TRY_CU(floor, cuGraphLaunch, exec, floor->stream) && synchronize(floor);

	for (unsigned i = 0; i < times && good; i++) {
		double from = bench_now();
		good = TRY_CU(floor, cuGraphLaunch, exec, floor->stream) && synchronize(floor);
		seconds[i] = bench_now() - from;
	}
	if (exec)
		floor->cu.cuGraphExecDestroy(exec);
	if (graph)
		floor->cu.cuGraphDestroy(graph);
	return good;
}

static bool launch(struct bench_floor *floor, enum bench_launch how, bool wide, uint32_t turns, unsigned count,
		   double *seconds)
{
	enum floor_program program = turns ? FLOOR_item : FLOOR_tick;
	unsigned items = count;
	struct arguments a;
	double warm[WARM];
	bool good;

	set_arguments(floor, &a, floor->small_at + PARAMS, 64);
	if (!reset(floor, turns))
		return false;
	switch (how) {
	case BENCH_LAUNCH_SYNC:
		good = launch_each(floor, program, &a, WARM, warm) && launch_each(floor, program, &a, count, seconds);
		items += WARM;
		break;
	case BENCH_LAUNCH_QUEUED:
		good = launch_each(floor, program, &a, WARM, warm) &&
		       (wide ? launch_wide : launch_queued)(floor, program, &a, count, seconds);
		items += WARM;
		break;
	case BENCH_LAUNCH_GRAPH_SYNC:
		good = launch_graph(floor, program, &a, false, 1, count, seconds);
		items += 1;
		break;
	default:
		good = launch_graph(floor, program, &a, wide, count, 1, seconds);
		items += count;
		break;
	}
	return good && sum_is(floor, (uint64_t)items * bench_item_value(turns));
}

/* ---- a word there and back --------------------------------------------------------------------------------------------- */

static uint32_t *word_at(struct bench_floor *floor, unsigned byte)
{
	return (uint32_t *)(uintptr_t)floor->words + byte / 4;
}

static bool wait_pong(struct bench_floor *floor, uint32_t value)
{
	double end = 0;

	for (uint32_t polls = 1; __atomic_load_n(word_at(floor, PONG), __ATOMIC_ACQUIRE) != value; polls++) {
		bench_relax();
		if (polls % 65536)
			continue;
		if (end == 0)
			end = bench_now() + (double)BENCH_LIMIT_NS * 1e-9;
		else if (bench_now() > end)
			return bench_fail("the ping-pong kernel does not answer");
	}
	return true;
}

static bool ping_pong(struct bench_floor *floor, unsigned count, double *seconds)
{
	struct arguments a;
	bool good = true;

	set_arguments(floor, &a, floor->words_at, STAGING / 4);
	a.at[2] = a.at[4]; /* one buffer, then the trap record */
	if (!reset(floor, 0))
		return false;
	__atomic_store_n(word_at(floor, PING), 0, __ATOMIC_RELAXED);
	__atomic_store_n(word_at(floor, PONG), 0, __ATOMIC_SEQ_CST);
	if (!start(floor, FLOOR_ping_pong, 1, &a))
		return false;
	bench_pin(BENCH_PUBLISHER_CPU);
	for (uint32_t i = 0; i < PING_WARM + count && good; i++) {
		double from = bench_now();
		__atomic_store_n(word_at(floor, PING), i + 1, __ATOMIC_RELEASE);
		good = wait_pong(floor, i + 1);
		if (i >= PING_WARM)
			seconds[i - PING_WARM] = bench_now() - from;
	}
	__atomic_store_n(word_at(floor, PING), END_OF_GAME, __ATOMIC_RELEASE);
	return synchronize(floor) && good && sum_is(floor, 0);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

/* Pinned memory of the host and as much of the device, the same known words in both. */
static bool make_text(struct bench_floor *floor, uint64_t bytes)
{
	uint64_t *words;

	if (floor->text_bytes)
		return floor->text_bytes == bytes || bench_fail("the text has another length");
	if (!TRY_CU(floor, cuMemHostAlloc, &floor->text, bytes,
		    FLOOR_CU_MEMHOSTALLOC_PORTABLE | FLOOR_CU_MEMHOSTALLOC_DEVICEMAP) ||
	    !TRY_CU(floor, cuMemHostGetDevicePointer, &floor->text_at, floor->text, 0) ||
	    !TRY_CU(floor, cuMemAlloc, &floor->far_at, bytes))
		return false;
	words = floor->text;
	for (uint64_t i = 0; i < bytes / 8; i++)
		floor->text_sum += words[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	floor->text_bytes = bytes;
	return TRY_CU(floor, cuMemcpyHtoDAsync, floor->far_at, floor->text, bytes, floor->stream) && synchronize(floor);
}

/* Reads all of it `times` times in launches that are queued, once before. */
static bool read_from(struct bench_floor *floor, cu_address text, uint64_t bytes, unsigned times, double *rate)
{
	unsigned lanes = floor->lanes[FLOOR_read], workgroups = (unsigned)floor->multiprocessors * (2048 / lanes);
	struct arguments a;
	double from;

	set_arguments(floor, &a, text, bytes / 8);
	if (!reset(floor, 0) || !start(floor, FLOOR_read, workgroups, &a) || !synchronize(floor))
		return false;
	from = bench_now();
	for (unsigned i = 0; i < times; i++)
		if (!start(floor, FLOOR_read, workgroups, &a))
			return false;
	if (!synchronize(floor))
		return false;
	*rate = (double)bytes * times / (bench_now() - from);
	return sum_is(floor, floor->text_sum * (times + 1));
}

static bool read_in_place(struct bench_floor *floor, uint64_t bytes, double *rate)
{
	return make_text(floor, bytes) && read_from(floor, floor->text_at, bytes, bench_count(4, 1), rate);
}

static bool read_device(struct bench_floor *floor, uint64_t bytes, double *rate)
{
	return make_text(floor, bytes) && read_from(floor, floor->far_at, bytes, bench_count(64, 1), rate);
}

static bool copy_in(struct bench_floor *floor, uint64_t bytes, double *rate)
{
	unsigned times = bench_count(4, 1);
	double from;

	if (!make_text(floor, bytes))
		return false;
	from = bench_now();
	for (unsigned i = 0; i < times; i++)
		if (!TRY_CU(floor, cuMemcpyHtoDAsync, floor->far_at, floor->text, bytes, floor->stream))
			return false;
	if (!synchronize(floor))
		return false;
	*rate = (double)bytes * times / (bench_now() - from);
	return true; /* read_device checks the bytes */
}

static bool load_module(struct bench_floor *floor, enum bench_blob which, double *seconds)
{
	struct vyre_blob *blob = bench_blob_open(which);
	struct vyre_blob_view view;
	cu_module module = NULL;
	cu_function function;
	unsigned lanes;
	double from;
	bool good;

	vyre_blob_get_view(blob, &view);
	from = bench_now();
	good =
	    floor_cuda_load(floor, which, blob, vyre_blob_string(blob, view.units[0].name), &module, &function, &lanes);
	*seconds = bench_now() - from;
	if (module)
		floor->cu.cuModuleUnload(module);
	vyre_blob_close(blob);
	return good;
}

const struct bench_floor_fns bench_floor_cuda = {
    .driver = "cuda",
    .open = floor_cuda_open,
    .close = floor_cuda_close,
    .describe = floor_cuda_describe,
    .ping_pong = ping_pong,
    .launch = launch,
    .read_in_place = read_in_place,
    .read_device = read_device,
    .copy_in = copy_in,
    .load_module = load_module,
};
