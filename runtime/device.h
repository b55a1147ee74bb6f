/* device.h - what the loader asks of a device, and the objects that cross that line. Private.
 *
 * A device is a row of functions (struct vyre_device_fns) in device/<name>.c; device.c lists the rows. Everything above
 * this line is written once for all devices; everything below knows one driver.
 */
#ifndef VYRE_DEVICE_H
#define VYRE_DEVICE_H
#include "abi/cpu.h"
#include "handle.h"
#include "vyre.h"

struct vyre_device;
struct vyre_kernel;
struct vyre_ring;

/* Where memory is. On a device that shares the host's memory (cpu) the two are one. */
enum vyre_place {
	VYRE_PLACE_NONE,   /* nowhere yet */
	VYRE_PLACE_DEVICE, /* the device's own; the host copies */
	VYRE_PLACE_HOST,   /* the host's, pinned and mapped for the device */
};

/* Device memory: a buffer's, or a ring's own. Lives as long as somebody refers to it. */
struct vyre_memory {
	uint32_t refs; /* atomic */
	enum vyre_place place;
	uint64_t bytes;
	void *data;	  /* as the host sees it; NULL where the host cannot */
	uint64_t address; /* as the device sees it */
	uint32_t holds;	  /* atomic: kernels and rings that count on its place; it does not move while there are any */
	void *own;	  /* the device's own record */
	struct vyre_device *device;
};

/* A loaded slice. */
struct vyre_image {
	void *own;     /* a driver's: the device's own record */
	uint8_t *base; /* native: where virtual address `low` lies */
	uint64_t low, bytes;
	struct vyre_image_range {
		uint64_t first, end; /* virtual addresses that hold code */
	} code[16];
	uint32_t code_count;
};

struct vyre_device_fns {
	const char *name;
	/* Fills info and what else the device keeps; `index` counts devices of this name. UNAVAILABLE with what to
	 * install. */
	vyre_status (*open)(struct vyre_device *device, uint32_t index);
	void (*close)(struct vyre_device *device);
	/* How well a slice fits, 0 = not at all; `why` says it in words. */
	uint32_t (*fit)(const struct vyre_device *device, const struct vyre_blob_slice *slice, char *why, size_t size);

	/* Zeroed memory in memory->place; NONE = a place is found when it is needed. */
	vyre_status (*memory_create)(struct vyre_memory *memory);
	void (*memory_destroy)(struct vyre_memory *memory);
	/* Sees to it that memory is in a place, moving it if need be; HOST serves who asks for DEVICE. `hold`: adds to
	 * holds. UNSUPPORTED: it is elsewhere and held. NULL: there is one place. */
	vyre_status (*memory_place)(struct vyre_memory *memory, enum vyre_place place, int hold);
	/* Any thread, also beside a resident kernel. DEVICE_LOST is their error, and NOMEM where nothing had a place yet. */
	vyre_status (*memory_write)(struct vyre_memory *memory, uint64_t offset, const void *data, uint64_t bytes);
	vyre_status (*memory_read)(struct vyre_memory *memory, uint64_t offset, void *data, uint64_t bytes);

	/* Loads the bytes of a slice into kernel->image (and entry, where code is called). UNSUPPORTED: not on this
	 * device after all; the next slice that fits is tried. unload: also of an image that was never loaded. */
	vyre_status (*image_load)(struct vyre_kernel *kernel, const struct vyre_blob_slice *slice, const uint8_t *bytes,
				  uint64_t size);
	void (*image_unload)(struct vyre_kernel *kernel);

	vyre_status (*dispatch)(struct vyre_kernel *kernel, const uint32_t workgroups[3], uint32_t fault[2]);

	/* The resident kernel of a ring. start: workers run until leave was asked for; a kernel that must be launched
	 * again and is refused is tried again (vyre_ring_create says how long). wake: at least `count` sleeping
	 * workers (or all) look again. running: workers that have not left. finish: none runs, gives their threads back.
	 * abandon: some still run; the last to leave calls vyre_ring_unref. free: the rest of what start made, NULL if it
	 * made nothing; until then wake may be called, by a publisher that was late.
	 * workers: how many a ring of this kernel usually has, and at most, on `share` thousandths of the device. */
	vyre_status (*ring_workers)(struct vyre_kernel *kernel, uint32_t share, uint32_t *usual, uint32_t *most);
	vyre_status (*ring_start)(struct vyre_ring *ring);
	void (*ring_wake)(struct vyre_ring *ring, uint32_t count);
	uint32_t (*ring_running)(struct vyre_ring *ring);
	uint32_t (*ring_sleeping)(struct vyre_ring *ring);
	void (*ring_finish)(struct vyre_ring *ring);
	void (*ring_abandon)(struct vyre_ring *ring);
	void (*ring_free)(struct vyre_ring *ring);
};

extern const struct vyre_device_fns vyre_cpu_device, vyre_cuda_device;

struct vyre_device {
	uint32_t refs; /* atomic */
	const struct vyre_device_fns *fns;
	struct vyre_device_info info;
	struct vyre_handles buffers;
	uint32_t poll_ps;  /* picoseconds of one empty poll of the live feed, on the device */
	uint32_t burst_polls; /* polls after which a resident kernel must return and be launched again; 0 = never */
	const char *lacks; /* the first feature that keeps the device from the next target level; NULL = none */
	void *own;	   /* the device's own record */
};

/* "x86-64-v3", from VYRE_TARGET_LIST. */
const char *vyre_target_name(uint32_t target);
/* "cubin", from VYRE_FORMAT_LIST. */
const char *vyre_format_name(uint32_t format);
void vyre_device_ref(struct vyre_device *device);
void vyre_device_unref(struct vyre_device *device);

/* buffer.c */
vyre_status vyre_memory_create(struct vyre_device *device, uint64_t bytes, enum vyre_place place,
			       struct vyre_memory **out);
void vyre_memory_ref(void *memory);
void vyre_memory_unref(void *memory);
/* Memory in a place where it stays until it is let go as often. Errors: UNSUPPORTED (held elsewhere), NOMEM,
 * DEVICE_LOST. */
vyre_status vyre_memory_hold(struct vyre_memory *memory, enum vyre_place place);
void vyre_memory_let_go(struct vyre_memory *memory);
/* Memory that the host sees at `data` from here on: it never leaves the host's place. Errors as of hold. */
vyre_status vyre_memory_map(struct vyre_memory *memory);
/* The memory that a handle names, with one more reference; NULL and a message when it is stale. */
struct vyre_memory *vyre_buffer_get(struct vyre_device *device, vyre_buffer buffer);

/* device/elf.c: maps a native image; see there for what it refuses. */
vyre_status vyre_elf_load(const uint8_t *bytes, uint64_t size, struct vyre_image *image);
vyre_status vyre_elf_entry(const struct vyre_image *image, uint64_t address, vyre_cpu_entry *entry);
void vyre_elf_unload(struct vyre_image *image);

/* device/cpu.c: picoseconds of a poll of one's own memory, measured now; processors that this process may use. */
uint32_t vyre_cpu_poll_ps(void);
uint32_t vyre_cpu_processors(void);
/* device/cpu_level.c: the best VYRE_TARGET_* of this processor, 0 = none; *lacks as in struct vyre_device. */
uint32_t vyre_cpu_level(const char **lacks);
/* device/cpu_dispatch.c, device/cpu_ring.c */
vyre_status vyre_cpu_dispatch(struct vyre_kernel *kernel, const uint32_t workgroups[3], uint32_t fault[2]);
vyre_status vyre_cpu_ring_workers(struct vyre_kernel *kernel, uint32_t share, uint32_t *usual, uint32_t *most);
vyre_status vyre_cpu_ring_start(struct vyre_ring *ring);
void vyre_cpu_ring_wake(struct vyre_ring *ring, uint32_t count);
uint32_t vyre_cpu_ring_running(struct vyre_ring *ring);
uint32_t vyre_cpu_ring_sleeping(struct vyre_ring *ring);
void vyre_cpu_ring_finish(struct vyre_ring *ring);
void vyre_cpu_ring_abandon(struct vyre_ring *ring);
void vyre_cpu_ring_free(struct vyre_ring *ring);

#endif
