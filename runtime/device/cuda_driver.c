/* cuda_driver.c - finds NVIDIA's driver on this machine.
 *
 * In: nothing but the dynamic linker's search path. Out: the driver's functions, started, or why not and what to install.
 * Invariant: every row of VYRE_CUDA_SYMBOL_LIST without a first driver of its own is there, and the driver is new enough.
 * Not linked: a loader that needs libcuda to start would not start on machines that have no GPU. The library is never
 * unloaded: it has threads of its own.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "cuda_driver.h"
#include "message.h"

static const char library_name[] = "libcuda.so.1";
static const char update[] = "install a newer NVIDIA driver: release " VYRE_CUDA_OLDEST_RELEASE " or later";

const struct vyre_cuda_result *vyre_cuda_result(vyre_cu_result result)
{
	enum { ALIVE, DEAD };
	static const struct vyre_cuda_result rows[] = {
#define X(name, number, status, state, fix) {number, VYRE_##status, state, fix},
	    VYRE_CUDA_RESULT_LIST(X)
#undef X
	};
	static const struct vyre_cuda_result other = {0, VYRE_INTERNAL, ALIVE,
						      "report the driver's words and its version"};
	uint32_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].number == result)
			return &rows[i];
	return &other;
}

void vyre_cuda_describe(const struct vyre_cuda_driver *driver, vyre_cu_result result, char *text, size_t size)
{
	const char *name = NULL, *words = NULL;

	if (driver->cuGetErrorName(result, &name) != 0 || !name)
		name = "an error that the driver has no name for";
	if (driver->cuGetErrorString(result, &words) != 0 || !words)
		words = "no words";
	snprintf(text, size, "%s (%u, %s)", name, result, words);
}

static const struct symbol {
	const char *name;
	size_t offset;
	int first; /* driver; 0 = required */
} symbols[] = {
#define X(name, suffix, first, parameters) {#name #suffix, offsetof(struct vyre_cuda_driver, name##suffix), first},
    VYRE_CUDA_SYMBOL_LIST(X)
#undef X
};

static vyre_status find_symbols(struct vyre_cuda_driver *driver)
{
	const char *missing = NULL;
	uint32_t i;

	for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *found = dlsym(driver->library, symbols[i].name);

		if (!found && !symbols[i].first && !missing)
			missing = symbols[i].name;
		memcpy((char *)driver + symbols[i].offset, &found, sizeof(found));
	}
	if (!missing)
		return VYRE_OK;
	if (driver->cuDriverGetVersion)
		driver->cuDriverGetVersion(&driver->version);
	return vyre_fail(VYRE_UNAVAILABLE, update, "%s has no %s; its driver is for CUDA %d.%d, CUDA %d.%d is needed",
			 library_name, missing, driver->version / 1000, driver->version % 1000 / 10,
			 VYRE_CUDA_OLDEST / 1000, VYRE_CUDA_OLDEST % 1000 / 10);
}

static vyre_status start(struct vyre_cuda_driver *driver)
{
	vyre_cu_result result = driver->cuInit(0);
	char words[256];

	if (result != 0) {
		const struct vyre_cuda_result *known = vyre_cuda_result(result);

		vyre_cuda_describe(driver, result, words, sizeof(words));
		return vyre_fail(VYRE_UNAVAILABLE, known->fix, "NVIDIA's driver does not start: cuInit says %s", words);
	}
	result = driver->cuDriverGetVersion(&driver->version);
	if (result != 0 || driver->version < VYRE_CUDA_OLDEST)
		return vyre_fail(VYRE_UNAVAILABLE, update,
				 "NVIDIA's driver here is for CUDA %d.%d, CUDA %d.%d is needed", driver->version / 1000,
				 driver->version % 1000 / 10, VYRE_CUDA_OLDEST / 1000, VYRE_CUDA_OLDEST % 1000 / 10);
	return VYRE_OK;
}

vyre_status vyre_cuda_driver_open(struct vyre_cuda_driver *driver)
{
	vyre_status status;

	memset(driver, 0, sizeof(*driver));
	driver->library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!driver->library)
		return vyre_fail(
		    VYRE_UNAVAILABLE,
		    "install NVIDIA's driver (Debian: nvidia-driver, or libcuda1 for the library alone), or "
		    "open \"cpu\"",
		    "there is no NVIDIA driver here: %.256s", dlerror());
	status = find_symbols(driver);
	return status == VYRE_OK ? start(driver) : status;
}
