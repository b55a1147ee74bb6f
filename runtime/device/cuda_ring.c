/* cuda_ring.c - the resident kernel of a live ring on a GPU.
 *
 * In: a ring of a set that was compiled with a mailbox (abi/mailbox.h). Out: its kernel on the device, launched again when
 * it has left. The service thread and the hand-shake are resident.c's; here is what a launch needs:
 *     arguments   the kernel's own buffers, the ring's in their places among them, the mailbox's behind
 *     zeroes      AWAY, EXIT and POLLER of the device's control, in stream order before the launch; everything else of it
 *                 the kernel finds as the last one left it
 *     grid        as many workgroups as the ring has workers. All of them must be resident at the same time: they hand work
 *                 to each other through device memory. So the driver's occupancy is the limit, and `share` leaves the rest
 *                 of the device to others. A second ring, or somebody else's kernel, that takes multiprocessors first makes
 *                 some workgroups start late; that costs speed, not the ring: whoever is there polls and claims. Nobody is
 *                 there where the first ring left no room on any multiprocessor (one workgroup of 256 lanes with more than
 *                 128 registers has none beside it): two rings of such sets want a `share` each.
 */
#include <string.h>

#include "alloc.h"
#include "device/cuda.h"
#include "device/resident.h"
#include "message.h"

enum { ZEROES = 3 };

struct cuda_ring {
	struct vyre_cuda_run *run;
	struct vyre_cuda_arg *args;
	uint32_t arg_count;
	uint64_t zero[ZEROES]; /* addresses */
};

static vyre_status launch(struct vyre_ring *ring, void *own)
{
	struct cuda_ring *cuda_ring = own;

	return vyre_cuda_run_launch(cuda_ring->run, ring->kernel, ring->workers, cuda_ring->args, cuda_ring->arg_count,
				    cuda_ring->zero, ZEROES, 0, NULL, 0);
}

static enum vyre_resident_state state(struct vyre_ring *ring, void *own)
{
	struct cuda_ring *cuda_ring = own;

	switch (vyre_cuda_run_state(cuda_ring->run)) {
	case VYRE_CUDA_RUNNING:
		return VYRE_RESIDENT_RUNS;
	case VYRE_CUDA_IDLE:
		return VYRE_RESIDENT_ENDED;
	default:
		(void)!vyre_cuda_fail_lost(vyre_cuda_of(ring->device));
		return VYRE_RESIDENT_LOST;
	}
}

static void free_own(struct vyre_ring *ring, void *own)
{
	struct cuda_ring *cuda_ring = own;

	(void)ring;
	if (!cuda_ring)
		return;
	vyre_cuda_run_destroy(cuda_ring->run);
	vyre_mem_free(cuda_ring->args);
	vyre_mem_free(cuda_ring);
}

static const struct vyre_resident_fns resident = {launch, state, free_own};

static struct vyre_cuda_arg arg_of(const struct vyre_memory *memory)
{
	return (struct vyre_cuda_arg){memory->address, memory->bytes / 4};
}

static void fill_args(const struct vyre_ring *ring, struct vyre_cuda_arg *args)
{
	const struct vyre_kernel *kernel = ring->kernel;
	uint32_t i;

	for (i = 0; i < kernel->unit->buffer_count; i++)
		args[i] = (struct vyre_cuda_arg){(uintptr_t)kernel->table[i].data, kernel->table[i].count};
	for (i = 0; i < VYRE_RING_BUFFERS; i++)
		if (kernel->ring_rows[i] != VYRE_NO_ROW)
			args[kernel->rows[kernel->ring_rows[i]].binding] = arg_of(ring->memories[i]);
	for (i = 0; i < VYRE_MAILBOX_BUFFERS; i++)
		args[kernel->unit->buffer_count + i] = arg_of(ring->mailbox[i]);
}

static void fill_zero(const struct vyre_ring *ring, uint64_t *zero)
{
	static const uint32_t words[ZEROES] = {VYRE_LIVE_AWAY, VYRE_LIVE_ENGINE + VYRE_ENGINE_EXIT,
					       VYRE_LIVE_ENGINE + VYRE_ENGINE_POLLER};
	uint64_t live = ring->memories[VYRE_RING_BUFFER_CONTROL]->address + 4 * ring->control[VYRE_CONTROL_EXT_BASE];
	uint32_t i;

	for (i = 0; i < ZEROES; i++)
		zero[i] = live + 4 * words[i];
}

vyre_status vyre_cuda_ring_workers(struct vyre_kernel *kernel, uint32_t share, uint32_t *usual, uint32_t *most)
{
	uint32_t multiprocessors = vyre_cuda_of(kernel->device)->multiprocessors;
	uint32_t some = share && share < 1000 ? (uint32_t)((uint64_t)multiprocessors * share / 1000) : multiprocessors;

	if (!(kernel->slice_flags & VYRE_SLICE_MAILBOX))
		return vyre_fail(VYRE_UNSUPPORTED, "compile the set again with vyrec",
				 "unit %.64s was compiled without a mailbox, which a live ring on a GPU needs",
				 vyre_blob_string(kernel->blob, kernel->unit->name));
	*most = vyre_cuda_most_workgroups(kernel, 0);
	*usual = some == 0 ? 1 : some < *most ? some : *most;
	return VYRE_OK;
}

vyre_status vyre_cuda_ring_start(struct vyre_ring *ring)
{
	struct cuda_ring *own = vyre_mem_alloc(sizeof(*own));
	vyre_status status = VYRE_OK;

	if (!own)
		return vyre_fail_nomem("a ring's launches", sizeof(*own));
	own->arg_count = ring->kernel->unit->buffer_count + VYRE_MAILBOX_BUFFERS;
	own->args = vyre_mem_alloc(own->arg_count * sizeof(*own->args));
	if (!own->args)
		status = vyre_fail_nomem("the arguments of a ring's launches", own->arg_count * sizeof(*own->args));
	if (status == VYRE_OK)
		status = vyre_cuda_run_create(ring->device, &own->run);
	if (status != VYRE_OK) {
		free_own(ring, own);
		return status;
	}
	fill_args(ring, own->args);
	fill_zero(ring, own->zero);
	return vyre_resident_start(ring, &resident, own);
}
