/* blob_run.h - a blob on an open device, run through the public interfaces with the interpreter's own types for buffers
 * and slots, so that a test can put the two beside each other. Knows no compiler: the blob may be an old file. */
#ifndef VYRE_TESTS_BLOB_RUN_H
#define VYRE_TESTS_BLOB_RUN_H
#include "ir/ir.h"
#include "runtime/vyre.h"

/* Blob and device are the caller's. Every call returns false with the reason in `message`. */
struct blob_run {
	struct vyre_blob *blob;
	struct vyre_device *device;
	unsigned workers; /* 0 = 1 */
	uint32_t spawned; /* room for spawned slots; 0 = the loader's own */
	char message[512];
};

/* Publishes every slot of a set through the live ring and waits; statuses, result words and buffers come back. */
bool blob_run_slots(struct blob_run *run, const char *set, struct vyrec_interp_slot *slots, uint32_t count,
		    const struct vyrec_interp_buffer *buffers, uint32_t buffer_count);
/* Dispatches a program, or a set of a feed that is not live (with the feed's own buffers given too), once; fault[2] =
 * {0, 0} or what it trapped with. */
bool blob_run_program(struct blob_run *run, const char *program, const uint32_t workgroups[3],
		      const struct vyrec_interp_buffer *buffers, uint32_t buffer_count, uint32_t fault[2]);

#endif
