/* floor_cuda_open.c - the driver, a context, and the kernels of floor.vyre in it.
 *
 * The kernels come out of the blob as the loader takes them (cubins first, PTX where the driver refuses those), but
 * by hand: a floor shares nothing with the loader but the file format. The primary context is the one that the loader
 * uses too, so that both find the device in the same state; it stays current on this thread.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor_cuda.h"

enum { WORDS_BYTES = 4096, SMALL_BYTES = 4096, LOG_BYTES = 8192 };

bool floor_cuda_ok(struct bench_floor *floor, cu_result result, const char *call)
{
	const char *name = NULL, *text = NULL;

	if (result == 0)
		return true;
	floor->cu.cuGetErrorName(result, &name);
	floor->cu.cuGetErrorString(result, &text);
	return bench_fail("%s: %s (%u): %s", call, name ? name : "unknown", result, text ? text : "");
}

static bool find_symbols(struct bench_floor *floor)
{
	floor->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!floor->library)
		return bench_fail("libcuda.so.1 is not here: %s", dlerror());
#define X(name, suffix, parameters) \
	if (!(*(void **)&floor->cu.name = dlsym(floor->library, #name #suffix))) \
		return bench_fail("libcuda.so.1 has no %s; the floors need driver 525 (CUDA 12.0) or newer", \
				  #name #suffix);
	CU_LIST(X)
#undef X
	return true;
}

/* ---- modules ----------------------------------------------------------------------------------------------------------- */

/* How well a slice fits, 0 = not at all: a cubin of the same major version, else PTX that is not newer. */
static unsigned fit(const struct bench_floor *floor, const struct vyre_blob_slice *slice)
{
	unsigned target = (unsigned)(floor->major * 10 + floor->minor);

	if (slice->format == VYRE_FORMAT_CUBIN && slice->target / 10 == (unsigned)floor->major &&
	    slice->target <= target)
		return 1000 + slice->target;
	if (slice->format == VYRE_FORMAT_PTX && slice->target <= target)
		return slice->target;
	return 0;
}

/* The slice of a unit that fits best, and less well than `below`; NULL = none. */
static const struct vyre_blob_slice *pick(const struct bench_floor *floor, const struct vyre_blob_view *view,
					  const struct vyre_blob *blob, const char *unit, unsigned below)
{
	const struct vyre_blob_slice *best = NULL;

	for (uint32_t i = 0; i < view->slice_count; i++) {
		const struct vyre_blob_slice *slice = &view->slices[i];
		unsigned fits = fit(floor, slice);
		if (strcmp(vyre_blob_string(blob, view->units[slice->unit].name), unit) == 0 && fits && fits < below &&
		    (!best || fits > fit(floor, best)))
			best = slice;
	}
	return best;
}

/* What the driver's compiler says of PTX that it refuses; "" of anything else. */
static cu_result load_slice(struct bench_floor *floor, const uint8_t *bytes, uint64_t size, cu_module *module,
			    char log[LOG_BYTES])
{
	unsigned options[] = {FLOOR_CU_JIT_ERROR_LOG_BUFFER, FLOOR_CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *values[] = {log, (void *)(uintptr_t)LOG_BYTES};
	char *image = malloc(size + 1); /* PTX ends with a NUL, which the blob does not keep */
	cu_result result;

	if (!image)
		bench_die("memory", "none for a module");
	memcpy(image, bytes, size);
	image[size] = 0;
	*log = 0;
	result = floor->cu.cuModuleLoadDataEx(module, image, 2, options, values);
	free(image);
	return result;
}

bool floor_cuda_load(struct bench_floor *floor, enum bench_blob which, const struct vyre_blob *blob, const char *unit,
		     cu_module *module, cu_function *function, unsigned *lanes)
{
	static char log[LOG_BYTES];
	const struct vyre_blob_slice *slice;
	struct vyre_blob_view view;
	uint64_t bytes;
	const uint8_t *first = bench_blob_bytes(which, &bytes);
	cu_result result = 0;
	unsigned below = UINT_MAX;

	vyre_blob_get_view(blob, &view);
	while ((slice = pick(floor, &view, blob, unit, below))) {
		const struct vyre_blob_section *section = &view.sections[slice->section];
		result = load_slice(floor, first + section->offset, section->bytes, module, log);
		if (!result)
			break;
		below = fit(floor, slice);
	}
	if (!slice && !result)
		return bench_fail("no slice of %s is for compute capability %d.%d", unit, floor->major, floor->minor);
	if (result && *log)
		return bench_fail("cuModuleLoadDataEx of %s: %u: %.200s", unit, result, log);
	if (!floor_cuda_ok(floor, result, "cuModuleLoadDataEx"))
		return false;
	*lanes = slice->lanes[0];
	return TRY_CU(floor, cuModuleGetFunction, function, *module, vyre_blob_string(blob, (uint32_t)slice->entry));
}

static bool load_programs(struct bench_floor *floor)
{
	static const char *const names[] = {
#define X(name) #name,
	    FLOOR_PROGRAM_LIST(X)
#undef X
	};

	floor->blob = bench_blob_open(BENCH_BLOB_floor);
	for (unsigned i = 0; i < FLOOR_PROGRAMS; i++)
		if (!floor_cuda_load(floor, BENCH_BLOB_floor, floor->blob, names[i], &floor->modules[i],
				     &floor->functions[i], &floor->lanes[i]))
			return false;
	return true;
}

/* ---- open, close ------------------------------------------------------------------------------------------------------- */

static bool open_side_streams(struct bench_floor *floor)
{
	for (unsigned i = 0; i < FLOOR_STREAMS; i++)
		if (!TRY_CU(floor, cuStreamCreate, &floor->side[i], FLOOR_CU_STREAM_NON_BLOCKING))
			return false;
	return true;
}

static bool open_context(struct bench_floor *floor, int ordinal)
{
	return TRY_CU(floor, cuInit, 0) && TRY_CU(floor, cuDriverGetVersion, &floor->version) &&
	       TRY_CU(floor, cuDeviceGet, &floor->device, ordinal) &&
	       TRY_CU(floor, cuDeviceGetAttribute, &floor->major, FLOOR_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
		      floor->device) &&
	       TRY_CU(floor, cuDeviceGetAttribute, &floor->minor, FLOOR_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
		      floor->device) &&
	       TRY_CU(floor, cuDeviceGetAttribute, &floor->multiprocessors,
		      FLOOR_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, floor->device) &&
	       TRY_CU(floor, cuDevicePrimaryCtxRetain, &floor->context, floor->device) &&
	       TRY_CU(floor, cuCtxPushCurrent, floor->context) &&
	       TRY_CU(floor, cuStreamCreate, &floor->stream, FLOOR_CU_STREAM_NON_BLOCKING) && open_side_streams(floor);
}

static bool open_memory(struct bench_floor *floor)
{
	void *words;

	if (!TRY_CU(floor, cuMemHostAlloc, &words, WORDS_BYTES,
		    FLOOR_CU_MEMHOSTALLOC_PORTABLE | FLOOR_CU_MEMHOSTALLOC_DEVICEMAP))
		return false;
	floor->words = words;
	return TRY_CU(floor, cuMemHostGetDevicePointer, &floor->words_at, words, 0) &&
	       TRY_CU(floor, cuMemAlloc, &floor->small_at, SMALL_BYTES);
}

bool floor_cuda_open(struct bench_floor **out, const char *device)
{
	struct bench_floor *floor = calloc(1, sizeof *floor);
	const char *colon = strchr(device, ':');

	if (!floor)
		return bench_fail("no memory");
	if (find_symbols(floor) && open_context(floor, colon ? atoi(colon + 1) : 0) && open_memory(floor) &&
	    load_programs(floor)) {
		*out = floor;
		return true;
	}
	floor_cuda_close(floor);
	return false;
}

void floor_cuda_close(struct bench_floor *floor)
{
	cu_context context;

	if (floor->context) {
		for (unsigned i = 0; i < FLOOR_PROGRAMS; i++)
			if (floor->modules[i])
				floor->cu.cuModuleUnload(floor->modules[i]);
		if (floor->far_at)
			floor->cu.cuMemFree(floor->far_at);
		if (floor->text)
			floor->cu.cuMemFreeHost(floor->text);
		if (floor->small_at)
			floor->cu.cuMemFree(floor->small_at);
		if (floor->words)
			floor->cu.cuMemFreeHost((void *)floor->words);
		for (unsigned i = 0; i < FLOOR_STREAMS; i++)
			if (floor->side[i])
				floor->cu.cuStreamDestroy(floor->side[i]);
		if (floor->stream)
			floor->cu.cuStreamDestroy(floor->stream);
		floor->cu.cuCtxPopCurrent(&context);
		floor->cu.cuDevicePrimaryCtxRelease(floor->device);
	}
	vyre_blob_close(floor->blob);
	free(floor); /* the library stays: drivers do not like to be unloaded */
}

void floor_cuda_describe(struct bench_floor *floor, char *text, size_t size)
{
	char line[160] = "";
	FILE *file = fopen("/proc/driver/nvidia/version", "r");
	const char *release;

	if (file && !fgets(line, sizeof line, file))
		*line = 0;
	if (file)
		fclose(file);
	release = strstr(line, "  ");
	while (release && *release == ' ')
		release++;
	snprintf(text, size, "CUDA %d.%d, driver %.*s, compute capability %d.%d, %d multiprocessors",
		 floor->version / 1000, floor->version % 1000 / 10, release ? (int)strcspn(release, " \n") : 7,
		 release ? release : "unknown", floor->major, floor->minor, floor->multiprocessors);
}
