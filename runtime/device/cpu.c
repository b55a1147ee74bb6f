/* cpu.c - the cpu device: host memory, native images, threads for workgroups.
 *
 * In: what device.h asks. Out: memory in whole pages, slices by processor level, and the function table. Always there.
 * Behind every buffer lie at least 64 mapped bytes: a vector that is loaded whole for its first elements stays inside.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "kernel.h"
#include "message.h"
#include "relax.h"

/* What one empty poll of the live feed costs, measured for 20 us: three loads and a pause, as the kernel does. A kernel
 * counts polls, not time; this is the exchange rate, and good to a factor of two. */
uint32_t vyre_cpu_poll_ps(void)
{
	enum { POLLS = 64, WINDOW_NS = 20000 };
	static const uint32_t words[3] = {0};
	struct timespec first, now;
	uint64_t polls = 0, ns;

	clock_gettime(CLOCK_MONOTONIC, &first);
	do {
		uint32_t i;

		for (i = 0; i < POLLS; i++) {
			(void)__atomic_load_n(&words[0], __ATOMIC_ACQUIRE);
			(void)__atomic_load_n(&words[1], __ATOMIC_ACQUIRE);
			(void)__atomic_load_n(&words[2], __ATOMIC_ACQUIRE);
			vyre_relax();
		}
		polls += POLLS;
		clock_gettime(CLOCK_MONOTONIC, &now);
		ns = (uint64_t)(now.tv_sec - first.tv_sec) * 1000000000u + (uint64_t)now.tv_nsec -
		     (uint64_t)first.tv_nsec;
	} while (ns < WINDOW_NS);
	ns = ns * 1000 / polls;
	return ns < 1000 ? 1000 : ns > 1000000 ? 1000000 : (uint32_t)ns;
}

uint32_t vyre_cpu_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (uint32_t)CPU_COUNT(&set);
	return 1;
}

static vyre_status cpu_open(struct vyre_device *device, uint32_t index)
{
	if (index != 0)
		return vyre_fail(VYRE_UNAVAILABLE, "open \"cpu\"", "there is one cpu device, not %u", index + 1);
	device->info.target = vyre_cpu_level(&device->lacks);
	device->info.max_workers = vyre_cpu_processors();
	device->poll_ps = vyre_cpu_poll_ps();
	snprintf(device->info.name, sizeof(device->info.name), "cpu (%s, %u threads)",
		 vyre_target_name(device->info.target), device->info.max_workers);
	return VYRE_OK;
}

static void cpu_close(struct vyre_device *device)
{
	(void)device;
}

static uint32_t cpu_fit(const struct vyre_device *device, const struct vyre_blob_slice *slice, char *why, size_t size)
{
	if (slice->target < VYRE_TARGET_X86_64_V2 || slice->target > VYRE_TARGET_X86_64_V4 ||
	    slice->format != VYRE_FORMAT_ELF) {
		snprintf(why, size, "not picked: %s is none of the cpu device's targets",
			 vyre_target_name(slice->target));
		return 0;
	}
	if (slice->target > device->info.target) {
		snprintf(why, size, "not picked: this processor has %s, it lacks %s",
			 vyre_target_name(device->info.target), device->lacks);
		return 0;
	}
	snprintf(why, size, "picked: this processor has %s", vyre_target_name(device->info.target));
	return slice->target;
}

static const uint64_t tail_bytes = 64;

static vyre_status cpu_memory_create(struct vyre_memory *memory)
{
	memory->data = vyre_pages_alloc(memory->bytes + tail_bytes);
	memory->address = (uintptr_t)memory->data;
	memory->place = VYRE_PLACE_HOST;
	return memory->data ? VYRE_OK : vyre_fail_nomem("a buffer", memory->bytes);
}

static void cpu_memory_destroy(struct vyre_memory *memory)
{
	vyre_pages_free(memory->data, memory->bytes + tail_bytes);
}

static vyre_status cpu_memory_write(struct vyre_memory *memory, uint64_t offset, const void *data, uint64_t bytes)
{
	memcpy((uint8_t *)memory->data + offset, data, bytes);
	return VYRE_OK;
}

static vyre_status cpu_memory_read(struct vyre_memory *memory, uint64_t offset, void *data, uint64_t bytes)
{
	memcpy(data, (const uint8_t *)memory->data + offset, bytes);
	return VYRE_OK;
}

static const uint32_t max_stack_bytes = 64u << 20;

static vyre_status cpu_image_load(struct vyre_kernel *kernel, const struct vyre_blob_slice *slice, const uint8_t *bytes,
				  uint64_t size)
{
	vyre_status status;

	if (slice->stack_bytes > max_stack_bytes)
		return vyre_fail(VYRE_UNSUPPORTED, "use less workgroup memory or fewer local arrays",
				 "the slice needs %u bytes of stack, at most %u are given", slice->stack_bytes,
				 max_stack_bytes);
	kernel->stack_bytes = slice->stack_bytes;
	status = vyre_elf_load(bytes, size, &kernel->image);
	return status == VYRE_OK ? vyre_elf_entry(&kernel->image, slice->entry, &kernel->entry) : status;
}

static void cpu_image_unload(struct vyre_kernel *kernel)
{
	vyre_elf_unload(&kernel->image);
}

const struct vyre_device_fns vyre_cpu_device = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .fit = cpu_fit,
    .memory_create = cpu_memory_create,
    .memory_destroy = cpu_memory_destroy,
    .memory_write = cpu_memory_write,
    .memory_read = cpu_memory_read,
    .image_load = cpu_image_load,
    .image_unload = cpu_image_unload,
    .dispatch = vyre_cpu_dispatch,
    .ring_workers = vyre_cpu_ring_workers,
    .ring_start = vyre_cpu_ring_start,
    .ring_wake = vyre_cpu_ring_wake,
    .ring_running = vyre_cpu_ring_running,
    .ring_sleeping = vyre_cpu_ring_sleeping,
    .ring_finish = vyre_cpu_ring_finish,
    .ring_abandon = vyre_cpu_ring_abandon,
    .ring_free = vyre_cpu_ring_free,
};
