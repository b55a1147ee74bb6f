/* buffer.c - buffers: device memory behind handles.
 *
 * In: sizes, handles, host memory. Out: memory that lives until its handle and every kernel that bound it are gone.
 * Invariant: a handle holds one reference, a kernel's binding one, a copy in progress one. Copies race with handlers on
 * purpose: the bytes are arbitrary then, the memory is not.
 */
#include "alloc.h"
#include "device.h"
#include "message.h"

static const uint64_t max_buffer_bytes = UINT64_C(1) << 40;

vyre_status vyre_memory_create(struct vyre_device *device, uint64_t bytes, enum vyre_place place,
			       struct vyre_memory **out)
{
	struct vyre_memory *memory = vyre_mem_alloc(sizeof(*memory));
	vyre_status status;

	*out = NULL;
	if (!memory)
		return vyre_fail_nomem("a buffer record", sizeof(*memory));
	memory->refs = 1;
	memory->bytes = bytes;
	memory->place = place;
	memory->holds = place != VYRE_PLACE_NONE; /* who asked for a place counts on it */
	memory->device = device;
	status = device->fns->memory_create(memory);
	if (status != VYRE_OK) {
		vyre_mem_free(memory);
		return status;
	}
	*out = memory;
	return VYRE_OK;
}

void vyre_memory_ref(void *object)
{
	struct vyre_memory *memory = object;

	__atomic_fetch_add(&memory->refs, 1, __ATOMIC_RELAXED);
}

void vyre_memory_unref(void *object)
{
	struct vyre_memory *memory = object;

	if (!memory || __atomic_sub_fetch(&memory->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	memory->device->fns->memory_destroy(memory);
	vyre_mem_free(memory);
}

vyre_status vyre_memory_hold(struct vyre_memory *memory, enum vyre_place place)
{
	const struct vyre_device_fns *fns = memory->device->fns;

	if (fns->memory_place)
		return fns->memory_place(memory, place, 1);
	__atomic_add_fetch(&memory->holds, 1, __ATOMIC_RELAXED);
	return VYRE_OK;
}

vyre_status vyre_memory_map(struct vyre_memory *memory)
{
	const struct vyre_device_fns *fns = memory->device->fns;

	return fns->memory_place ? fns->memory_place(memory, VYRE_PLACE_HOST, 0) : VYRE_OK;
}

void vyre_memory_let_go(struct vyre_memory *memory)
{
	__atomic_sub_fetch(&memory->holds, 1, __ATOMIC_RELEASE);
}

struct vyre_memory *vyre_buffer_get(struct vyre_device *device, vyre_buffer buffer)
{
	struct vyre_memory *memory = vyre_handles_get(&device->buffers, buffer, vyre_memory_ref);

	if (!memory)
		vyre_fail(
		    VYRE_STALE, "use a handle that vyre_buffer_create gave for this device and that is not destroyed",
		    "buffer handle 0x%llx names no buffer of device %s", (unsigned long long)buffer, device->fns->name);
	return memory;
}

vyre_status vyre_buffer_create(struct vyre_device *device, uint64_t bytes, vyre_buffer *out)
{
	struct vyre_memory *memory;
	vyre_status status;

	*out = 0;
	if (bytes == 0 || bytes > max_buffer_bytes)
		return vyre_fail(VYRE_INVALID, "ask for 1 to 2^40 bytes", "a buffer of %llu bytes cannot be made",
				 (unsigned long long)bytes);
	status = vyre_memory_create(device, bytes, VYRE_PLACE_NONE, &memory);
	if (status != VYRE_OK)
		return status;
	status = vyre_handles_add(&device->buffers, memory, out);
	if (status != VYRE_OK) {
		vyre_memory_unref(memory);
		return vyre_fail_nomem("a handle of a buffer", bytes);
	}
	return VYRE_OK;
}

vyre_status vyre_buffer_destroy(struct vyre_device *device, vyre_buffer buffer)
{
	struct vyre_memory *memory = vyre_handles_remove(&device->buffers, buffer);

	if (!memory)
		return vyre_fail(VYRE_STALE, "destroy a buffer once", "buffer handle 0x%llx names no buffer",
				 (unsigned long long)buffer);
	vyre_memory_unref(memory);
	return VYRE_OK;
}

vyre_status vyre_buffer_size(struct vyre_device *device, vyre_buffer buffer, uint64_t *bytes)
{
	struct vyre_memory *memory = vyre_buffer_get(device, buffer);

	*bytes = 0;
	if (!memory)
		return VYRE_STALE;
	*bytes = memory->bytes;
	vyre_memory_unref(memory);
	return VYRE_OK;
}

/* The memory of a range that lies inside its buffer, referenced; else NULL and *status. */
static struct vyre_memory *get_range(struct vyre_device *device, vyre_buffer buffer, uint64_t offset, uint64_t bytes,
				     vyre_status *status)
{
	struct vyre_memory *memory = vyre_buffer_get(device, buffer);

	*status = memory ? VYRE_OK : VYRE_STALE;
	if (!memory || (offset <= memory->bytes && bytes <= memory->bytes - offset))
		return memory;
	*status =
	    vyre_fail(VYRE_INVALID, "copy inside the buffer", "bytes %llu..+%llu are outside a buffer of %llu bytes",
		      (unsigned long long)offset, (unsigned long long)bytes, (unsigned long long)memory->bytes);
	vyre_memory_unref(memory);
	return NULL;
}

vyre_status vyre_buffer_write(struct vyre_device *device, vyre_buffer buffer, uint64_t offset, const void *data,
			      uint64_t bytes)
{
	vyre_status status;
	struct vyre_memory *memory = get_range(device, buffer, offset, bytes, &status);

	if (!memory)
		return status;
	if (bytes)
		status = device->fns->memory_write(memory, offset, data, bytes);
	vyre_memory_unref(memory);
	return status;
}

vyre_status vyre_buffer_read(struct vyre_device *device, vyre_buffer buffer, uint64_t offset, void *data,
			     uint64_t bytes)
{
	vyre_status status;
	struct vyre_memory *memory = get_range(device, buffer, offset, bytes, &status);

	if (!memory)
		return status;
	if (bytes)
		status = device->fns->memory_read(memory, offset, data, bytes);
	vyre_memory_unref(memory);
	return status;
}

vyre_status vyre_buffer_map(struct vyre_device *device, vyre_buffer buffer, void **out)
{
	struct vyre_memory *memory = vyre_buffer_get(device, buffer);
	vyre_status status;

	*out = NULL;
	if (!memory)
		return VYRE_STALE;
	status = vyre_memory_map(memory);
	if (status == VYRE_OK)
		*out = memory->data;
	vyre_memory_unref(memory);
	return status;
}
