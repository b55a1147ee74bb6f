/* ring.h - opcodes and buffers of sets/ring.vyre. */
#ifndef VYRE_TESTS_GPU_RING_H
#define VYRE_TESTS_GPU_RING_H
#include "tests/gpu/gpu.h"

enum {
	OP_MARK = 0x100,
	OP_ADD,
	OP_ECHO,
	OP_HOLD,
	OP_FAILS,
	OP_REACH,
	OP_CROWD,
	OP_SAY,
	OP_WIDE,
	OP_WIDE_FAILS,
};

/* Order of the rig's buffers. */
enum { RING_MARKS, RING_SUMS, RING_GATE, RING_HERE };

static inline void ring_open_on(struct gpu_rig *rig, const struct gpu_options *options, struct vyre_device *device,
				uint64_t marks)
{
	const struct gpu_buffer buffers[] = {{.name = "marks", .words = marks},
					     {.name = "sums", .words = 16},
					     {.name = "gate", .words = 16, .map = GPU_MAPPED},
					     {.name = "here", .words = 16, .map = GPU_MAPPED},
					     {.name = NULL}};

	gpu_rig_open(rig, options, device, "sets/ring.vyb", "ring", buffers);
}

static inline void ring_open(struct gpu_rig *rig, const struct gpu_options *options, uint64_t marks)
{
	ring_open_on(rig, options, NULL, marks);
}

static inline void ring_open_gate(struct gpu_rig *rig, uint32_t gate)
{
	gpu_set_word(&rig->buffers[RING_GATE].map[gate], 1);
}

/* Until the handler that holds at a gate runs. */
static inline void ring_wait_here(struct gpu_rig *rig, uint32_t gate)
{
	gpu_wait_word(&rig->buffers[RING_HERE].map[gate], 1);
}

/* Every one of the first `count` marks is `want`. */
void ring_check_marks(struct gpu_rig *rig, uint64_t count, uint32_t want);

#endif
