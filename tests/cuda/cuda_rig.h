/* cuda_rig.h - a cuda device on the stand-in, and what the stand-in says. */
#ifndef VYRE_TESTS_CUDA_RIG_H
#define VYRE_TESTS_CUDA_RIG_H
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc.h"
#include "cuda_blob.h"
#include "device/cuda.h"
#include "native_kernel.h"
#include "reference_kernel.h"
#include "standin.h"
#include "standin_blob.h"
#include "test_blob.h"

#define SECONDS(n) ((uint64_t)(n)*1000000000u)

/* The stand-in's own functions. */
static struct {
#define X(type, name, parameters) type(*name) parameters;
	STANDIN_FUNCTION_LIST(X)
#undef X
} standin;

/* A group setup: finds the stand-in where the device will (the program's run path). */
static inline int find_standin(void **state)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW);

	(void)state;
	if (!library)
		return -1;
#define X(type, name, parameters) *(void **)&standin.name = dlsym(library, #name);
	STANDIN_FUNCTION_LIST(X)
#undef X
	return standin.standin_plan ? 0 : -1;
}

static inline struct vyre_device *open_cuda(const char *plan)
{
	struct vyre_device *device;

	standin.standin_plan(plan);
	assert_int_equal(vyre_device_open("cuda", &device), VYRE_OK);
	assert_int_equal(standin.standin_depth(), 0);
	return device;
}

/* Program "work" of cuda_blob.h on a device, its buffers bound. */
struct work {
	struct vyre_device *device;
	struct vyre_blob *blob;
	vyre_buffer gate, data, table;
	uint32_t *gate_words;
	struct vyre_kernel *kernel;
};
enum { WORK_WORDS = 1000 };

static inline struct vyre_blob *open_blob(uint8_t *bytes, uint64_t size)
{
	struct vyre_blob *blob;

	assert_int_equal(vyre_blob_open(bytes, size, &blob), VYRE_OK);
	free(bytes);
	return blob;
}

static inline vyre_status make_work_kernel(struct work *w)
{
	const struct vyre_binding bindings[] = {{"gate", w->gate}, {"data", w->data}, {"table", w->table}};

	return vyre_kernel_create(
	    w->device, &(struct vyre_kernel_params){.blob = w->blob, .unit = "work", .bindings = bindings, .binding_count = 3},
	    &w->kernel);
}

/* The first status that is not OK; close_work takes apart what was made. */
static inline vyre_status make_work(struct work *w)
{
	uint32_t table[WORK_WORDS], i;
	vyre_status status;
	void *map;

	for (i = 0; i < WORK_WORDS; i++)
		table[i] = 7 * i;
	status = vyre_buffer_create(w->device, 4 * GATE_WORDS, &w->gate);
	if (status == VYRE_OK)
		status = vyre_buffer_create(w->device, 4 * WORK_WORDS, &w->data);
	if (status == VYRE_OK)
		status = vyre_buffer_create(w->device, sizeof(table), &w->table);
	if (status == VYRE_OK)
		status = vyre_buffer_write(w->device, w->table, 0, table, sizeof(table));
	if (status == VYRE_OK)
		status = vyre_buffer_map(w->device, w->gate, &map);
	if (status != VYRE_OK)
		return status;
	w->gate_words = map;
	return make_work_kernel(w);
}

static inline void open_work(struct work *w, const char *plan)
{
	uint64_t size;
	uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_90, VYRE_CLASS_PLAIN, NULL, 0, &size);

	*w = (struct work){.device = open_cuda(plan), .blob = open_blob(bytes, size)};
	assert_int_equal(make_work(w), VYRE_OK);
	w->gate_words[GATE_OPEN] = 1;
}

static inline void close_work(struct work *w)
{
	vyre_kernel_destroy(w->kernel);
	vyre_device_close(w->device);
	vyre_blob_close(w->blob);
}

static inline void assert_work_done(struct work *w, uint32_t workgroups, uint32_t added)
{
	uint32_t data[WORK_WORDS], i;

	assert_int_equal(vyre_buffer_read(w->device, w->data, 0, data, sizeof(data)), VYRE_OK);
	for (i = 0; i < WORK_WORDS; i++)
		assert_int_equal(data[i], i < workgroups ? 8 * i + added : 0);
}

static inline void assert_nothing_is_left(void)
{
	int i;

	assert_int_equal(standin.standin_depth(), 0);
	assert_int_equal(vyre_mem_live(), 0);
	/* A stream's thread gives it back behind the call; a kernel of a dead context may still run. */
	for (i = 0; i < 100000 && (standin.standin_live() != 0 || standin.standin_running() != 0); i++)
		usleep(100);
	assert_int_equal(standin.standin_live(), 0);
	assert_int_equal(standin.standin_running(), 0);
}

static inline void assert_says(const char *word)
{
	if (!strstr(vyre_last_error(), word) || !strstr(vyre_last_error(), ". Fix: "))
		fail_msg("\"%s\" is not in: %s", word, vyre_last_error());
}

#endif
