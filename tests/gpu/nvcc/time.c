/* time.c - runs vyrec's and nvcc's code for the same handlers on a GPU: the results must agree, the times are compared.
 *
 *   kernel-times FOLDER [--groups=N] [--rounds=N] [--limit=1.02] [--only=NAME]
 *
 * Enters: FOLDER with ours.cubin and nvcc.cubin, or the .ptx beside them where the device takes no such cubin, as
 * tests/gpu/compare --folder writes them. Leaves: a line a kernel: microseconds a launch of each, their ratio, and
 * whether every byte that they left is the same. Exit 1: results differ; or, with --limit, a ratio is above it.
 *
 * The two run in turns, so that a clock that changes changes for both; what is told is the median of the rounds. Many
 * launches in a row are timed by the host's clock: at these sizes a launch is a thousandth of what it launches, and both
 * have it. The driver's functions are the loader's rows, so nothing but a driver is needed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/device/cuda_driver.h"
#include "runtime/vyre.h"

enum {
	SLOT_WORDS = 16,
	CHUNK_BYTES = 4096, /* that a slot works on */
	STATES = 16,
	TREE_NODES = 63,
	LAUNCHES = 20, /* timed together */
	MOST_ROUNDS = 99,
	MOST_BUFFERS = 6,
	MOST_IMAGE = 1 << 22,
	PINNED = VYRE_CU_MEMHOSTALLOC_PORTABLE | VYRE_CU_MEMHOSTALLOC_DEVICEMAP,
};

/* What a buffer holds, by the number of slots: a table of makers. */
enum content { NOTHING, SLOTS, TREES, TEXT, TABLE, STEPS, FLOATS, FIRST, EDGES, ZEROS };

static const struct kernel {
	const char *name;
	uint32_t lanes;
	bool by_lane;  /* a slot a lane; else a slot a workgroup */
	bool consumes; /* a second launch finds nothing to do: each starts anew */
	struct {
		enum content content;
		uint32_t words; /* ZEROS: 32-bit words a slot; 0 = two in all */
		uint32_t element_bytes;
	} buffers[MOST_BUFFERS];
} kernels[] = {
    {"add3", 256, true, false, {{SLOTS, 0, 4}, {TEXT, 0, 4}}},
    {"first_word", 256, true, false, {{SLOTS, 0, 4}, {TEXT, 0, 1}, {ZEROS, 1, 4}}},
    {"crc32", 256, true, false, {{SLOTS, 0, 4}, {TEXT, 0, 1}, {TABLE, 0, 4}, {ZEROS, 1, 4}}},
    {"dfa", 256, true, false, {{SLOTS, 0, 4}, {TEXT, 0, 1}, {STEPS, 0, 2}, {ZEROS, 1, 4}}},
    {"visit",
     128,
     true,
     true,
     {{TREES, 0, 4}, {FIRST, 0, 4}, {EDGES, 0, 4}, {ZEROS, 2, 4}, {ZEROS, TREE_NODES, 4}, {ZEROS, 0, 4}}},
    {"count_byte", 256, false, false, {{SLOTS, 0, 4}, {TEXT, 0, 1}, {ZEROS, 1, 4}}},
    {"checksum", 256, false, false, {{SLOTS, 1, 4}, {TEXT, 0, 4}, {ZEROS, 2, 4}}},
    {"histogram", 256, false, false, {{SLOTS, 0, 4}, {TEXT, 0, 1}, {ZEROS, 256, 4}}},
    {"dot", 256, false, false, {{SLOTS, 1, 4}, {FLOATS, 0, 4}, {FLOATS, 0, 4}, {ZEROS, 1, 4}}},
};

static struct vyre_cuda_driver driver;
static vyre_cu_stream stream;

static void must(vyre_cu_result result, const char *what)
{
	char words[256];

	if (result == 0)
		return;
	vyre_cuda_describe(&driver, result, words, sizeof words);
	fprintf(stderr, "kernel-times: %s: %s\n", what, words);
	exit(2);
}
#define MUST(call) must(driver.call, #call)

/* ---- contents -------------------------------------------------------------------------------------------------------- */

static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

/* Arguments from word 4 on: where, how much, and what the kernel compares with. `scale`: of an element that is a word. */
static void make_slots(uint32_t *words, uint32_t slots, uint32_t in_words)
{
	for (uint32_t k = 0; k < slots; k++) {
		uint32_t *slot = words + k * SLOT_WORDS, divisor = in_words ? 4 : 1;

		memset(slot, 0, SLOT_WORDS * sizeof *slot);
		slot[4] = k * (CHUNK_BYTES / divisor);
		slot[5] = CHUNK_BYTES / divisor;
		slot[6] = STATES - 2;
	}
}

/* For add3, whose place is an index below the slots, and visit: the root of a tree. */
static void make_places(uint32_t *words, uint32_t slots, uint32_t factor)
{
	for (uint32_t k = 0; k < slots; k++)
		words[k * SLOT_WORDS + 4] = k * factor;
}

static void make_table(uint32_t *table)
{
	for (uint32_t n = 0; n < 256; n++) {
		table[n] = n;
		for (unsigned bit = 0; bit < 8; bit++)
			table[n] = table[n] >> 1 ^ (table[n] & 1 ? 0xedb88320u : 0);
	}
}

/* Node i of a tree has the edges to 2i + 1 and 2i + 2, trees follow one another. FIRST: where a node's edges begin. */
static void make_trees(uint32_t *words, uint32_t slots, bool edges)
{
	uint32_t count = 0;

	for (uint32_t k = 0; k < slots; k++)
		for (uint32_t node = 0; node < TREE_NODES; node++) {
			if (!edges)
				words[k * TREE_NODES + node] = count;
			for (uint32_t child = 2 * node + 1; child <= 2 * node + 2 && child < TREE_NODES;
			     child++, count++)
				if (edges)
					words[count] = k * TREE_NODES + child;
		}
	if (!edges)
		words[slots * TREE_NODES] = count;
}

static size_t content_bytes(const struct kernel *kernel, unsigned b, uint32_t slots)
{
	switch (kernel->buffers[b].content) {
	case NOTHING:
		return 0;
	case SLOTS:
	case TREES:
		return (size_t)slots * SLOT_WORDS * 4;
	case TEXT:
	case FLOATS:
		return (size_t)slots * CHUNK_BYTES;
	case TABLE:
		return 256 * 4;
	case STEPS:
		return (size_t)STATES * 256 * 2;
	case FIRST:
		return ((size_t)slots * TREE_NODES + 1) * 4;
	case EDGES:
		return (size_t)slots * (TREE_NODES - 1) * 4;
	case ZEROS:
		return kernel->buffers[b].words ? (size_t)slots * kernel->buffers[b].words * 4 : 8;
	}
	return 0;
}

static void make_content(const struct kernel *kernel, unsigned b, uint32_t slots, void *data, size_t bytes)
{
	uint32_t *words = data;
	uint16_t *steps = data;

	memset(data, 0, bytes);
	switch (kernel->buffers[b].content) {
	case SLOTS:
		make_slots(words, slots, kernel->buffers[b].words);
		if (!strcmp(kernel->name, "add3"))
			make_places(words, slots, 1);
		break;
	case TREES:
		make_places(words, slots, TREE_NODES);
		break;
	case TEXT:
		for (size_t i = 0; i < bytes / 4; i++)
			words[i] = mix((uint32_t)i);
		break;
	case FLOATS:
		for (size_t i = 0; i < bytes / 4; i++)
			((float *)data)[i] = (float)(mix((uint32_t)i + b) % 1000) * 0.001f - 0.5f;
		break;
	case TABLE:
		make_table(words);
		break;
	case STEPS:
		for (uint32_t i = 0; i < STATES * 256; i++)
			steps[i] = (uint16_t)(mix(i) % STATES);
		break;
	case FIRST:
	case EDGES:
		make_trees(words, slots, kernel->buffers[b].content == EDGES);
		break;
	case NOTHING:
	case ZEROS:
		break;
	}
}

/* ---- device ------------------------------------------------------------------------------------------------------------ */

static vyre_cu_module load_module(const char *folder, const char *side)
{
	static const char *const forms[] = {"cubin", "ptx"};
	static char image[MOST_IMAGE];
	vyre_cu_module module = NULL;
	vyre_cu_result result = 1;
	char path[512];

	for (unsigned k = 0; k < 2 && result; k++) {
		snprintf(path, sizeof path, "%s/%s.%s", folder, side, forms[k]);
		FILE *f = fopen(path, "rb");
		if (!f)
			continue;
		size_t bytes = fread(image, 1, sizeof image - 1, f);
		fclose(f);
		image[bytes] = 0;
		result = driver.cuModuleLoadDataEx(&module, image, 0, NULL, NULL);
	}
	must(result, path);
	return module;
}

struct work {
	const struct kernel *kernel;
	uint32_t groups, slots, count;
	size_t bytes[MOST_BUFFERS];
	uint8_t *host[MOST_BUFFERS], *left[MOST_BUFFERS]; /* what goes in; what the first variant left */
	vyre_cu_address address[MOST_BUFFERS];
};

static void open_work(struct work *w, const struct kernel *kernel, uint32_t groups)
{
	*w = (struct work){.kernel = kernel, .groups = groups};
	w->slots = kernel->by_lane ? groups * kernel->lanes : groups;
	for (; w->count < MOST_BUFFERS && kernel->buffers[w->count].content; w->count++) {
		unsigned b = w->count;

		w->bytes[b] = content_bytes(kernel, b, w->slots);
		MUST(cuMemHostAlloc((void **)&w->host[b], w->bytes[b], PINNED));
		MUST(cuMemHostAlloc((void **)&w->left[b], w->bytes[b], PINNED));
		MUST(cuMemAlloc_v2(&w->address[b], w->bytes[b]));
		make_content(kernel, b, w->slots, w->host[b], w->bytes[b]);
	}
}

static void close_work(struct work *w)
{
	for (unsigned b = 0; b < w->count; b++) {
		MUST(cuMemFree_v2(w->address[b]));
		MUST(cuMemFreeHost(w->left[b]));
		MUST(cuMemFreeHost(w->host[b]));
	}
}

static void copy_in(const struct work *w)
{
	for (unsigned b = 0; b < w->count; b++)
		MUST(cuMemcpyHtoDAsync_v2(w->address[b], w->host[b], w->bytes[b], stream));
	MUST(cuStreamSynchronize(stream));
}

/* Parameters as runtime/abi/cuda.h has them; no handler here traps, so the record is never written. */
static void launch(const struct work *w, vyre_cu_function function)
{
	uint64_t values[2 * MOST_BUFFERS + 1] = {0};
	void *params[2 * MOST_BUFFERS + 1];

	for (unsigned b = 0; b < w->count; b++) {
		values[2 * b] = w->address[b];
		values[2 * b + 1] = w->bytes[b] / w->kernel->buffers[b].element_bytes;
	}
	for (unsigned k = 0; k <= 2 * w->count; k++)
		params[k] = &values[k];
	MUST(cuLaunchKernel(function, w->groups, 1, 1, w->kernel->lanes, 1, 1, 0, stream, params, NULL));
}

/* ---- comparing --------------------------------------------------------------------------------------------------------- */

/* One launch from the same start on each side; the number of buffers that differ after it, or that nobody wrote. */
static unsigned compare_results(struct work *w, const vyre_cu_function functions[2])
{
	unsigned different = 0, changed = 0;

	for (unsigned side = 0; side < 2; side++) {
		copy_in(w);
		launch(w, functions[side]);
		for (unsigned b = 0; b < w->count; b++) {
			uint8_t *to = w->left[b], *have = side ? malloc(w->bytes[b]) : NULL;

			if (side)
				memcpy(have, to, w->bytes[b]);
			MUST(cuMemcpyDtoHAsync_v2(to, w->address[b], w->bytes[b], stream));
			MUST(cuStreamSynchronize(stream));
			if (side)
				different += memcmp(have, to, w->bytes[b]) != 0;
			changed += memcmp(w->host[b], to, w->bytes[b]) != 0;
			free(have);
		}
	}
	return changed ? different : 1;
}

static double time_once(const struct work *w, vyre_cu_function function)
{
	unsigned launches = w->kernel->consumes ? 1 : LAUNCHES;
	struct timespec a, b;

	if (w->kernel->consumes)
		copy_in(w);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned k = 0; k < launches; k++)
		launch(w, function);
	MUST(cuStreamSynchronize(stream));
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) * 1e-3) / launches;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct options {
	const char *folder, *only;
	uint32_t groups, rounds;
	double limit;
};

/* Prints a kernel's line; false: results differ, or the ratio is above a limit. */
static bool run_kernel(const struct kernel *kernel, const struct options *o, const vyre_cu_module modules[2])
{
	vyre_cu_function functions[2];
	double times[2][MOST_ROUNDS];
	struct work w;
	char name[64];

	snprintf(name, sizeof name, "vyre_%s", kernel->name);
	for (unsigned side = 0; side < 2; side++)
		MUST(cuModuleGetFunction(&functions[side], modules[side], name));
	open_work(&w, kernel, o->groups);
	unsigned different = compare_results(&w, functions);
	for (uint32_t round = 0; round < o->rounds; round++)
		for (unsigned side = 0; side < 2; side++)
			times[side ^ (round & 1)][round] = time_once(&w, functions[side ^ (round & 1)]);
	close_work(&w);
	for (unsigned side = 0; side < 2; side++)
		qsort(times[side], o->rounds, sizeof times[side][0], by_size);
	double ours = times[0][o->rounds / 2], theirs = times[1][o->rounds / 2], ratio = ours / theirs;
	bool over = o->limit > 0 && ratio > o->limit;
	printf("%-12s %10.1f us %10.1f us %6.3f  %s%s\n", kernel->name, ours, theirs, ratio,
	       different ? "RESULTS DIFFER" : "results agree", over ? ", OVER THE LIMIT" : "");
	return !different && !over;
}

static void open_device(void)
{
	vyre_cu_context context;
	vyre_cu_device device;
	char name[64];

	if (vyre_cuda_driver_open(&driver) != VYRE_OK) {
		fprintf(stderr, "kernel-times: %s\n", vyre_last_error());
		exit(2);
	}
	MUST(cuDeviceGet(&device, 0));
	MUST(cuDeviceGetName(name, sizeof name, device));
	MUST(cuDevicePrimaryCtxRetain(&context, device));
	MUST(cuCtxPushCurrent_v2(context));
	MUST(cuStreamCreate(&stream, VYRE_CU_STREAM_NON_BLOCKING));
	printf("%s\n%-12s %13s %13s %6s\n", name, "", "vyrec", "nvcc", "ratio");
}

static bool read_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--groups=", 9))
			o->groups = (uint32_t)strtoul(argv[i] + 9, NULL, 0);
		else if (!strncmp(argv[i], "--rounds=", 9))
			o->rounds = (uint32_t)strtoul(argv[i] + 9, NULL, 0);
		else if (!strncmp(argv[i], "--limit=", 8))
			o->limit = strtod(argv[i] + 8, NULL);
		else if (!strncmp(argv[i], "--only=", 7))
			o->only = argv[i] + 7;
		else if (argv[i][0] != '-' && !o->folder)
			o->folder = argv[i];
		else
			return false;
	}
	return o->folder && o->groups && o->groups <= 1 << 12 && o->rounds && o->rounds <= MOST_ROUNDS;
}

int main(int argc, char **argv)
{
	struct options o = {.groups = 512, .rounds = 9, .only = ""};
	vyre_cu_module modules[2];
	unsigned bad = 0;

	if (!read_options(argc, argv, &o)) {
		fprintf(stderr,
			"usage: kernel-times FOLDER [--groups=1..4096] [--rounds=1..99] [--limit=R] [--only=NAME]\n");
		return 2;
	}
	open_device();
	modules[0] = load_module(o.folder, "ours");
	modules[1] = load_module(o.folder, "nvcc");
	for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
		if (strstr(kernels[k].name, o.only))
			bad += !run_kernel(&kernels[k], &o, modules);
	MUST(cuModuleUnload(modules[0]));
	MUST(cuModuleUnload(modules[1]));
	return bad != 0;
}
