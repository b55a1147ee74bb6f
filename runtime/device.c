/* device.c - opening devices, and saying which slices of a blob they run.
 *
 * In: a driver's name, or a blob. Out: a device with its function table, or text. Invariant: a device lives until it is
 * closed and nothing made from it is left. The list of drivers is the table below and nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "device.h"
#include "kernel.h"
#include "message.h"

static const struct vyre_device_fns *const drivers[] = {&vyre_cpu_device, &vyre_cuda_device};
enum { DRIVER_COUNT = sizeof(drivers) / sizeof(drivers[0]) };

static const struct vyre_device_fns *find_driver(const char *name, size_t length)
{
	uint32_t i;

	for (i = 0; i < DRIVER_COUNT; i++)
		if (strlen(drivers[i]->name) == length && strncmp(drivers[i]->name, name, length) == 0)
			return drivers[i];
	return NULL;
}

/* "cuda:1" is index 1 of "cuda"; 0 = the text behind the colon is no number. */
static int read_index(const char *text, uint32_t *index)
{
	*index = 0;
	if (*text == '\0')
		return 1;
	if (*text++ != ':' || *text == '\0' || strlen(text) > 4)
		return 0;
	for (; *text >= '0' && *text <= '9'; text++)
		*index = *index * 10 + (uint32_t)(*text - '0');
	return *text == '\0';
}

vyre_status vyre_device_open(const char *name, struct vyre_device **out)
{
	size_t length = name ? strcspn(name, ":") : 0;
	const struct vyre_device_fns *fns = name ? find_driver(name, length) : NULL;
	struct vyre_device *device;
	vyre_status status;
	uint32_t index;

	*out = NULL;
	if (!fns)
		return vyre_fail(VYRE_UNAVAILABLE, "open \"cpu\", which is always there",
				 "this build of the loader has no device \"%.32s\"", name ? name : "(null)");
	if (!read_index(name + length, &index))
		return vyre_fail(VYRE_INVALID, "write a number behind the colon, or none", "\"%.32s\" names no device",
				 name);
	device = vyre_mem_alloc(sizeof(*device));
	if (!device)
		return vyre_fail_nomem("a device record", sizeof(*device));
	device->refs = 1;
	device->fns = fns;
	vyre_handles_init(&device->buffers);
	snprintf(device->info.driver, sizeof(device->info.driver), "%s", fns->name);
	status = fns->open(device, index);
	if (status != VYRE_OK) {
		vyre_handles_finish(&device->buffers);
		vyre_mem_free(device);
		return status;
	}
	*out = device;
	return VYRE_OK;
}

void vyre_device_ref(struct vyre_device *device)
{
	__atomic_fetch_add(&device->refs, 1, __ATOMIC_RELAXED);
}

void vyre_device_unref(struct vyre_device *device)
{
	if (!device || __atomic_sub_fetch(&device->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	vyre_handles_each(&device->buffers, vyre_memory_unref);
	vyre_handles_finish(&device->buffers);
	device->fns->close(device);
	vyre_mem_free(device);
}

void vyre_device_close(struct vyre_device *device)
{
	vyre_device_unref(device);
}

void vyre_device_get_info(const struct vyre_device *device, struct vyre_device_info *out)
{
	*out = device->info;
}

const char *vyre_target_name(uint32_t target)
{
	switch (target) {
#define X(name, value, text) \
	case value: \
		return text;
		VYRE_TARGET_LIST(X)
#undef X
	default:
		return "an unknown target";
	}
}

const char *vyre_format_name(uint32_t format)
{
	switch (format) {
#define X(name, value, text) \
	case value: \
		return text;
		VYRE_FORMAT_LIST(X)
#undef X
	default:
		return "of an unknown format";
	}
}

uint32_t vyre_pick_slice(const struct vyre_device *device, const struct vyre_blob_view *view, uint32_t unit,
			 uint32_t *below)
{
	uint32_t i, best = UINT32_MAX, best_fit = 0;
	char why[128];

	for (i = 0; i < view->slice_count; i++) {
		uint32_t fit =
		    view->slices[i].unit == unit ? device->fns->fit(device, &view->slices[i], why, sizeof(why)) : 0;

		if (fit > best_fit && fit < *below) {
			best_fit = fit;
			best = i;
		}
	}
	*below = best_fit;
	return best;
}

size_t vyre_device_explain(const struct vyre_device *device, const struct vyre_blob *blob, char *text, size_t size)
{
	struct vyre_blob_view view;
	size_t used = 0;
	uint32_t i;

	vyre_blob_get_view(blob, &view);
	if (size)
		text[0] = '\0';
	for (i = 0; i < view.slice_count; i++) {
		const struct vyre_blob_slice *slice = &view.slices[i];
		uint32_t below = UINT32_MAX, best = vyre_pick_slice(device, &view, slice->unit, &below);
		char why[128];
		int length;

		if (device->fns->fit(device, slice, why, sizeof(why)) != 0 && best != i)
			snprintf(why, sizeof(why), "not picked: slice %u (%s %s) fits better", best,
				 vyre_target_name(view.slices[best].target),
				 vyre_format_name(view.slices[best].format));
		length = snprintf(used < size ? text + used : NULL, used < size ? size - used : 0,
				  "slice %u: unit %.64s, %s %s: %s\n", i,
				  vyre_blob_string(blob, view.units[slice->unit].name), vyre_target_name(slice->target),
				  vyre_format_name(slice->format), why);
		used += length > 0 ? (size_t)length : 0;
	}
	return used;
}
