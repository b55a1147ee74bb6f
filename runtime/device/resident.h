/* resident.h - what a device gives, to have a mailbox ring's kernel kept resident (resident.c). Private. */
#ifndef VYRE_RESIDENT_H
#define VYRE_RESIDENT_H
#include "live.h"

enum vyre_resident_state {
	VYRE_RESIDENT_ENDED, /* no kernel of the ring is on the device: the last has left, or none was launched */
	VYRE_RESIDENT_RUNS,
	VYRE_RESIDENT_LOST, /* the device failed, or takes the kernel no more; vyre_last_error says how */
};

struct vyre_resident_fns {
	/* Zeroes ENGINE EXIT and POLLER and AWAY in the device's control, then starts the kernel; does not wait. No kernel of
	 * the ring is on the device. DEVICE_LOST ends the ring; after any other refusal this is called again, for four
	 * seconds (resident.c). */
	vyre_status (*launch)(struct vyre_ring *ring, void *run);
	/* Never blocks. */
	enum vyre_resident_state (*state)(struct vyre_ring *ring, void *run);
	/* The ring's memory goes next. */
	void (*free)(struct vyre_ring *ring, void *run);
};

/* As the calls of the same names in device.h. start: `run` is the device's own, freed with the ring also when this fails. */
vyre_status vyre_resident_start(struct vyre_ring *ring, const struct vyre_resident_fns *fns, void *run);
void vyre_resident_wake(struct vyre_ring *ring, uint32_t count);
uint32_t vyre_resident_running(struct vyre_ring *ring);
uint32_t vyre_resident_sleeping(struct vyre_ring *ring);
void vyre_resident_finish(struct vyre_ring *ring);
void vyre_resident_abandon(struct vyre_ring *ring);
void vyre_resident_free(struct vyre_ring *ring);

#endif
