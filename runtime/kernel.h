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
/* Bytes of an element of a buffer; 0 = no such element. */
uint32_t vyre_element_bytes(uint32_t element);
/* Index of the slice that fits the unit best on this device; UINT32_MAX = none. */
uint32_t vyre_pick_slice(const struct vyre_device *device, const struct vyre_blob_view *view, uint32_t unit);

/* The buffers that a ring brings, in the order in which a set's table starts with them. */
#define VYRE_RING_BUFFER_LIST(X) \
	X(CONTROL, "control") X(RING, "ring_buffer") X(LOG, "debug_log") X(IO, "io_queue") X(LAUNCH, "launch")
enum {
#define X(name, text) VYRE_RING_BUFFER_##name,
	VYRE_RING_BUFFER_LIST(X)
#undef X
	    VYRE_RING_BUFFERS
};

struct vyre_kernel {
	uint32_t refs; /* atomic */
	struct vyre_device *device;
	struct vyre_blob *blob;
	const struct vyre_blob_unit *unit;
	const struct vyre_blob_buffer *rows; /* the unit's, unit->buffer_count of them */
	const struct vyre_blob_op *ops;	     /* sorted by opcode */
	struct vyre_memory **memories;	     /* by row; NULL for a live set's first VYRE_RING_BUFFERS */
	struct vyre_cpu_buffer *table;	     /* by binding */
	struct vyre_image image;
	vyre_cpu_entry entry;
	uint32_t stack_bytes;
};

void vyre_kernel_ref(struct vyre_kernel *kernel);
/* Is the opcode one of the set's? */
int vyre_kernel_has_opcode(const struct vyre_kernel *kernel, uint32_t opcode);

/* Tests: a kernel whose code is a function of this process (the sanitizers see into it); the blob's slices are not
 * looked at. */
vyre_status vyre_kernel_create_from_entry(struct vyre_device *device, const struct vyre_kernel_params *params,
					  vyre_cpu_entry entry, struct vyre_kernel **out);

#endif
