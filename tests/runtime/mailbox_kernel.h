/* mailbox_kernel.h - the live feed of a mailbox ring in C, and a device that keeps it on threads. */
#ifndef MAILBOX_KERNEL_H
#define MAILBOX_KERNEL_H
#include "bench_rig.h"

/* mailbox_kernel.c: opcodes and buffers of reference_kernel.h; host_control, host_ring and host_stamps are the last three. */
void mailbox_entry(struct vyre_cpu_launch *launch);

/* mailbox_device.c: the cpu device with a mailbox: a workgroup is a thread, memory in the device's place has no address for
 * the host, and what should go wrong goes wrong. */
struct mailbox_plan {
	uint32_t refuse_launch; /* the n-th launch from now, 1 = the next; 0 = none */
	uint32_t lose;		/* atomic: the device is lost */
	uint32_t launches;	/* atomic: so far */
	/* the kernel in C only */
	uint32_t lone;	  /* atomic: slots that the poller took by CHECK */
	uint32_t batches; /* atomic: claims of more than one position */
};
extern struct mailbox_plan mailbox_plan;

void mailbox_device_take(struct vyre_device *device);

#ifdef VYRE_MAILBOX_CUDA
#include <dlfcn.h>

#include "tests/cuda/standin_blob.h"

static inline void *mailbox_standin(const char *name)
{
	void *function = dlsym(dlopen("libcuda.so.1", RTLD_NOW), name);

	assert_non_null(function);
	return function;
}

/* Since the kernel was opened. */
static inline uint32_t mailbox_launches(void)
{
	uint64_t (*calls)(const char *symbol);

	*(void **)&calls = mailbox_standin("standin_calls");
	return (uint32_t)calls("cuLaunchKernel");
}

static inline void mailbox_plan_nothing(void)
{
	void (*plan)(const char *text);

	*(void **)&plan = mailbox_standin("standin_plan");
	plan("");
}
#else
static inline uint32_t mailbox_launches(void)
{
	return __atomic_load_n(&mailbox_plan.launches, __ATOMIC_SEQ_CST);
}

static inline void mailbox_plan_nothing(void)
{
	memset(&mailbox_plan, 0, sizeof(mailbox_plan));
}
#endif

#ifdef VYRE_MAILBOX_BLOB
static inline uint8_t *mailbox_blob(uint64_t *size)
{
	uint8_t *bytes = test_blob_read(VYRE_MAILBOX_BLOB, size);
#ifdef VYRE_MAILBOX_CUDA
	uint8_t *native = bytes;

	bytes = standin_blob(native, *size, VYRE_TARGET_SM_90, 0, size);
	free(native);
#endif
	return bytes;
}
#endif

/* A kernel of it: the one in C; or, in the programs of tests/scheduler, the compiled feed; or, in those of tests/cuda, that one
 * as a cubin for the stand-in. */
static inline void mailbox_open_kernel(struct bench *b, uint64_t marks)
{
#ifdef VYRE_MAILBOX_BLOB
	uint64_t size;
	uint8_t *bytes = mailbox_blob(&size);

	mailbox_plan_nothing();
	bench_open_blob(b, bytes, size, NULL, marks);
#else
	mailbox_plan_nothing();
	bench_open_kernel(b, NULL, mailbox_entry, marks);
#endif
#ifdef VYRE_MAILBOX_CUDA
	assert_int_equal(b->kernel->slice_flags, VYRE_SLICE_MAILBOX);
#else
	b->kernel->slice_flags = VYRE_SLICE_MAILBOX; /* no blob says that of native code */
	mailbox_device_take(b->device);
#endif
}

/* A bench whose ring is a mailbox ring. */
static inline void mailbox_open(struct bench *b, struct vyre_ring_params params, uint64_t marks)
{
	mailbox_open_kernel(b, marks);
	bench_open_ring(b, params);
}

#endif
