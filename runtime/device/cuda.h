/* cuda.h - what the files of the cuda device share. Private.
 *
 *   cuda_driver.h/.c  the driver's functions: one row each, found with dlopen; our own prototypes
 *   cuda.c            the device: opening, what it is, which slices fit, the function table
 *   cuda_block.c      blocks of memory in both places: made, zeroed, given back when nothing runs
 *   cuda_memory.c     buffers: where they are, moves, copies
 *   cuda_module.c     PTX or cubin to a function
 *   cuda_dispatch.c   a program once
 *   cuda_run.c        a launch that outlives the call that made it
 *   cuda_ring.c       the resident kernel of a live ring; resident.c: its service thread
 *
 * Nothing above device.h includes this.
 *
 * What a resident kernel forbids, and who sees to it:
 *     giving memory or modules back, setting memory by a kernel    they wait for everything that runs, and so for ever:
 *                                                                  put off until nothing runs (vyre_cuda_begin, _end)
 *     the legacy stream                                            it waits likewise: every stream here is non-blocking
 *     loading a function when it is first launched                 it may wait likewise: functions are loaded with their
 *                                                                  modules; make kernels before rings
 *     the first launch of a function whose lanes need more memory  it waits likewise: asked for when it is loaded
 *     pageable memory in copies                                    pinned staging instead
 *
 * The context is the device's primary one, shared with whoever else uses it in this process; it is current on a thread
 * only inside a call of the loader's.
 */
#ifndef VYRE_CUDA_H
#define VYRE_CUDA_H
#include <pthread.h>

#include "abi/cuda.h"
#include "device/cuda_driver.h"
#include "kernel.h"

enum { VYRE_CUDA_STAGING_BYTES = 1 << 20 /* a half */, VYRE_CUDA_BLOCK_BYTES = 4096 };

/* Something of the driver's that is given back when nothing runs: memory in a place, or a module. */
struct vyre_cuda_block {
	struct vyre_cuda_block *next; /* among the graves */
	enum vyre_place place;
	uint64_t bytes; /* a multiple of VYRE_CUDA_BLOCK_BYTES */
	void *data;	/* host memory only */
	vyre_cu_address address;
	vyre_cu_module module; /* else NULL */
};

/* A GPU in this process, as often as it is opened: its primary context is one, and what waits in it waits for all. */
struct vyre_cuda {
	struct vyre_cuda *next; /* among those that are open */
	uint32_t index, refs;
	struct vyre_cuda_driver driver;
	vyre_cu_device handle;
	vyre_cu_context context;
	uint32_t lost; /* atomic: the result that the context died of; 0 = it lives */
	/* what the device is */
	uint32_t multiprocessors, capability; /* major x 10 + minor */
	uint32_t max_grid[3];
	int has_watchdog, can_cooperate; /* has_watchdog: a kernel must end within seconds */

	pthread_mutex_t order; /* launches against what waits for them; of the two below */
	uint32_t running;      /* launches that have begun and are not known to have ended */
	struct vyre_cuda_block *graves;

	pthread_mutex_t copy_lock; /* of the two below */
	vyre_cu_stream copy_streams[2];
	struct vyre_cuda_block *staging; /* two halves */

	pthread_rwlock_t places; /* writers move memory, readers copy it */
};

static inline struct vyre_cuda *vyre_cuda_of(const struct vyre_device *device)
{
	return device->own;
}

/* ---- cuda.c ---- */

/* Makes the context current; every call to the driver but creation happens between the two. DEVICE_LOST when it died. */
vyre_status vyre_cuda_enter(struct vyre_cuda *cuda);
void vyre_cuda_leave(struct vyre_cuda *cuda);
/* A failing call's status and message, "<what>: CUDA_ERROR_... (...). Fix: ..."; marks the device lost if it is. */
vyre_status vyre_cuda_fail(struct vyre_cuda *cuda, vyre_cu_result result, const char *what, ...)
    __attribute__((cold, format(printf, 3, 4)));
/* VYRE_DEVICE_LOST and its message. */
vyre_status vyre_cuda_fail_lost(struct vyre_cuda *cuda);
/* NULL is none. Any context; what is on the stream goes on. */
void vyre_cuda_stream_destroy(struct vyre_cuda *cuda, vyre_cu_stream stream);

/* ---- cuda_block.c ---- */

/* Around a launch. begin takes the lock `order`, so that nothing is waiting for launches now; launched gives it back
 * (is_running 0: the launch was refused); ended: the driver's answer to whether it has ended. Only success and a dead
 * context say so; after any other failure it may still run, so it counts for ever, and the device is lost to us. */
void vyre_cuda_begin(struct vyre_cuda *cuda);
void vyre_cuda_launched(struct vyre_cuda *cuda, int is_running);
void vyre_cuda_ended(struct vyre_cuda *cuda, vyre_cu_result result);
/* Does anything run, as far as is known? */
int vyre_cuda_is_busy(struct vyre_cuda *cuda);
/* Zeroed memory. The context is current. */
vyre_status vyre_cuda_block_create(struct vyre_cuda *cuda, enum vyre_place place, uint64_t bytes,
				   struct vyre_cuda_block **out);
/* Now or when nothing runs. NULL is none. Any context. */
void vyre_cuda_block_destroy(struct vyre_cuda *cuda, struct vyre_cuda_block *block);
/* At the end: their records only. */
void vyre_cuda_forget_graves(struct vyre_cuda *cuda);

/* ---- cuda_memory.c ---- */

vyre_status vyre_cuda_memory_create(struct vyre_memory *memory);
void vyre_cuda_memory_destroy(struct vyre_memory *memory);
vyre_status vyre_cuda_memory_place(struct vyre_memory *memory, enum vyre_place place, int hold);
vyre_status vyre_cuda_memory_write(struct vyre_memory *memory, uint64_t offset, const void *data, uint64_t bytes);
vyre_status vyre_cuda_memory_read(struct vyre_memory *memory, uint64_t offset, void *data, uint64_t bytes);
/* Copies through the staging memory, beside whatever runs; data NULL = zeroes. The context is current. */
vyre_status vyre_cuda_copy_in(struct vyre_cuda *cuda, vyre_cu_address to, const void *data, uint64_t bytes);
vyre_status vyre_cuda_copy_out(struct vyre_cuda *cuda, void *data, vyre_cu_address from, uint64_t bytes);

/* ---- cuda_module.c ---- */

/* A loaded function; kernel->image.own. */
struct vyre_cuda_function {
	struct vyre_cuda_block *module;
	vyre_cu_function function;
	uint32_t lanes, most_lanes;
	uint32_t registers, shared_bytes, local_bytes; /* of a lane, of a workgroup, of a lane */
	uint32_t resident;			       /* workgroups at a time on one multiprocessor */
	struct vyre_cuda_block *traps;		       /* device: the trap record */
	struct vyre_cuda_block *trap_copy;	       /* host: what it is set to, and what is read back; not of live sets */
	vyre_cu_stream stream;			       /* of its dispatches; not of live sets */
};
vyre_status vyre_cuda_image_load(struct vyre_kernel *kernel, const struct vyre_blob_slice *slice, const uint8_t *bytes,
				 uint64_t size);
void vyre_cuda_image_unload(struct vyre_kernel *kernel);

/* ---- cuda_dispatch.c ---- */

/* A buffer as an entry takes it. */
struct vyre_cuda_arg {
	uint64_t address, count;
};
/* Launches a kernel's function on a stream, with every buffer of the unit by binding, then the mailbox's. The context is
 * current, `order` is held. */
vyre_cu_result vyre_cuda_launch(struct vyre_kernel *kernel, const struct vyre_cuda_arg *args, uint32_t arg_count,
				const uint32_t workgroups[3], int together, vyre_cu_stream stream);
vyre_status vyre_cuda_dispatch(struct vyre_kernel *kernel, const uint32_t workgroups[3], uint32_t fault[2]);

/* ---- cuda_run.c: a launch that may outlive the call that made it, one at a time ---- */

struct vyre_cuda_run;
enum vyre_cuda_state { VYRE_CUDA_IDLE, VYRE_CUDA_RUNNING, VYRE_CUDA_LOST };
enum { VYRE_CUDA_RUN_RECORD_BYTES = 4096 };

vyre_status vyre_cuda_run_create(struct vyre_device *device, struct vyre_cuda_run **out);
/* Nothing runs any more, or the device is lost, or it is left to the context's end. NULL is none. */
void vyre_cuda_run_destroy(struct vyre_cuda_run *run);
/* Launches the kernel on `workgroups` workgroups. args: every buffer of the unit by binding (kernel->table with the ring's
 * own put in), then the mailbox's. Before it, in stream order: `zero_count` words of device memory written as 0, and
 * `record` (at most VYRE_CUDA_RUN_RECORD_BYTES) copied to the device address `record_at`. Does not wait.
 * Errors: DEVICE_LOST, UNSUPPORTED (the driver refuses; its words are in the message), INVALID (it still runs). */
vyre_status vyre_cuda_run_launch(struct vyre_cuda_run *run, struct vyre_kernel *kernel, uint32_t workgroups,
				 const struct vyre_cuda_arg *args, uint32_t arg_count, const uint64_t *zero,
				 uint32_t zero_count, uint64_t record_at, const void *record, uint64_t record_bytes);
/* Does what was launched still run? Never blocks. Any thread. */
enum vyre_cuda_state vyre_cuda_run_state(struct vyre_cuda_run *run);
/* Workgroups of the kernel that are resident at the same time on `share` thousandths of the device (0 = all of it); at
 * least one. */
uint32_t vyre_cuda_most_workgroups(const struct vyre_kernel *kernel, uint32_t share);

/* ---- cuda_ring.c ---- */

vyre_status vyre_cuda_ring_workers(struct vyre_kernel *kernel, uint32_t share, uint32_t *usual, uint32_t *most);
vyre_status vyre_cuda_ring_start(struct vyre_ring *ring); /* the other calls of a ring are resident.c's */

#endif
