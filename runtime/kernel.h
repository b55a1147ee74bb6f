/* kernel.h - a unit of a blob, loaded on a device, with its buffers bound; and a blob's own fields. Private. */
#ifndef VYRE_KERNEL_H
#define VYRE_KERNEL_H
#include "device.h"

struct vyre_blob {
	uint32_t refs; /* atomic */
	uint8_t *bytes;
	const char *strings;
	uint64_t string_bytes;
	struct vyre_blob_view view;
};

void vyre_blob_ref(struct vyre_blob *blob);
/* The digest of one section, computed now: OK or MALFORMED. */
vyre_status vyre_blob_check_section(const struct vyre_blob *blob, uint32_t section);
/* Index of the slice that fits the unit best on this device, among those that fit less well than *below, which becomes
 * how well it fits; UINT32_MAX = none. */
uint32_t vyre_pick_slice(const struct vyre_device *device, const struct vyre_blob_view *view, uint32_t unit,
			 uint32_t *below);

/* The buffers that a ring brings, in the order in which a set's table starts with them, and the feature of the unit
 * without which there is none (0 = always there). */
#define VYRE_RING_BUFFER_LIST(X) \
	X(CONTROL, "control", 0) X(RING, "ring_buffer", 0) X(LOG, "debug_log", 0) X(IO, "io_queue", 0) \
	X(LAUNCH, "launch", 0) X(FRAMES, "frames", VYRE_HAS_RECORDS) X(QUEUE, "queue", VYRE_HAS_QUEUE)
enum {
#define X(name, text, feature) VYRE_RING_BUFFER_##name,
	VYRE_RING_BUFFER_LIST(X)
#undef X
	    VYRE_RING_BUFFERS,
	VYRE_NO_ROW = -1,
};

struct vyre_kernel {
	uint32_t refs; /* atomic */
	struct vyre_device *device;
	struct vyre_blob *blob;
	const struct vyre_blob_unit *unit;
	const struct vyre_blob_buffer *rows; /* the unit's, unit->buffer_count of them */
	const struct vyre_blob_op *ops;	     /* sorted by opcode */
	int32_t ring_rows[VYRE_RING_BUFFERS]; /* a set's: where each of them stands; VYRE_NO_ROW = it has none */
	uint32_t ring_row_count;	     /* 0 for a program */
	uint32_t packable[8];		     /* bit k: opcode k is the set's, or built in, and may be packed */
	int has_dfa_table;
	struct vyre_memory **memories;	     /* by row; NULL for a live set's ring rows */
	struct vyre_cpu_buffer *table;	     /* by binding; addresses as the device sees them */
	struct vyre_image image;
	vyre_cpu_entry entry;		     /* native code; NULL where a driver launches it */
	uint32_t stack_bytes;
	uint32_t lanes[3];		     /* of a workgroup of this slice */
	uint32_t slice_flags;		     /* VYRE_SLICE_*; 0 when made from an entry */
};

void vyre_kernel_ref(struct vyre_kernel *kernel);
/* Is the opcode one of the set's? */
int vyre_kernel_has_opcode(const struct vyre_kernel *kernel, uint32_t opcode);

/* Tests: a kernel whose code is a function of this process (the sanitizers see into it); the blob's slices are not
 * looked at. */
vyre_status vyre_kernel_create_from_entry(struct vyre_device *device, const struct vyre_kernel_params *params,
					  vyre_cpu_entry entry, struct vyre_kernel **out);

#endif
