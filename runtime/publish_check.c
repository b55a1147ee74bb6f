/* publish_check.c - what may be published, by whom.
 *
 * In: a batch, before anything of it is written. Out: OK, or INVALID with the slot's number and why. What is known of an
 * opcode holds for later slots with the same one, so a batch of a few ops costs a look-up each. Opcodes whose arguments
 * decide (fences, packed slots) are looked at one by one.
 */
#include <string.h>

#include "abi/opcode.h"
#include "abi/packed.h"
#include "message.h"
#include "publish.h"

enum { KNOWN_OPCODES = 8 };

static vyre_status check_fence(struct vyre_batch *batch, const struct vyre_slot *slot, uint32_t i)
{
	const struct vyre_ring *ring = batch->publisher->ring;

	batch->is_run = 1;
	if (vyre_slot_fences(ring, slot) == 0) {
		if (slot->arg_count == 0 || slot->args[0] == 0)
			return VYRE_OK;
		return vyre_fail(VYRE_INVALID, "fence at most as many slots as the ring has, or make a larger ring",
				 "slot %u of %u: a fence of %u slots; the ring has %u", i, batch->count, slot->args[0],
				 ring->slots);
	}
	if (++batch->fences > VYRE_MAX_FENCES)
		return vyre_fail(VYRE_INVALID, "publish fewer fences in a batch",
				 "slot %u of %u is fence number %u; a ring has at most %u in flight", i, batch->count,
				 batch->fences, (unsigned)VYRE_MAX_FENCES);
	return VYRE_OK;
}

static vyre_status check_packed(const struct vyre_batch *batch, const struct vyre_slot *slot, uint32_t i)
{
	uint32_t words[VYRE_SLOT_ARGS] = {0};
	enum vyre_packed_error error;
	struct vyre_packed packed;

	memcpy(words, slot->args, slot->arg_count * sizeof(words[0]));
	error = vyre_packed_decode(words, batch->publisher->ring->kernel->packable, &packed);
	if (error == VYRE_PACKED_NONE)
		return VYRE_OK;
	return vyre_fail(VYRE_INVALID, "make packed slots with vyre_publish_packed", "slot %u of %u, a packed one: %s",
			 i, batch->count, vyre_packed_error_text(error));
}

/* The built-in opcodes of a set that was compiled with them. */
static vyre_status check_builtin(struct vyre_batch *batch, const struct vyre_slot *slot, uint32_t i)
{
	const struct vyre_publisher *publisher = batch->publisher;

	if (slot->opcode == VYRE_OPCODE_BATCH_FENCE)
		return check_fence(batch, slot, i);
	if (slot->opcode == VYRE_OPCODE_PACKED_SLOT)
		return check_packed(batch, slot, i);
	if (slot->opcode == VYRE_OPCODE_SHUTDOWN && publisher->tenant != 0)
		return vyre_fail(VYRE_INVALID, "leave SHUTDOWN to tenant 0", "slot %u of %u: SHUTDOWN by tenant %u", i,
				 batch->count, publisher->tenant);
	if (slot->opcode == VYRE_OPCODE_DFA_STEP && !publisher->ring->kernel->has_dfa_table)
		return vyre_fail(VYRE_INVALID, "declare a buffer dfa_table in the set",
				 "slot %u of %u: DFA_STEP in a set without a dfa_table", i, batch->count);
	return VYRE_OK;
}

/* An opcode that is no handler's. */
static vyre_status check_system(struct vyre_batch *batch, const struct vyre_slot *slot, uint32_t i)
{
	const struct vyre_blob_unit *unit = batch->publisher->ring->kernel->unit;
	uint32_t opcode = slot->opcode;

	if (vyre_opcode_is_builtin(opcode) && (unit->features & VYRE_HAS_BUILTINS))
		return check_builtin(batch, slot, i);
	if (opcode == VYRE_OPCODE_LOAD_MISS && batch->load_miss)
		return VYRE_OK;
	if (opcode == VYRE_OPCODE_LOAD_MISS)
		return vyre_fail(VYRE_INVALID, "use vyre_publisher_load_miss",
				 "slot %u of %u: LOAD_MISS has a publisher of its own", i, batch->count);
	return vyre_fail(VYRE_INVALID, "publish opcodes that the set declares",
			 "slot %u of %u: opcode 0x%x is none of the set's %u%s", i, batch->count, opcode,
			 unit->op_count,
			 vyre_opcode_is_builtin(opcode) ? ", which was compiled without the built-in ones" : "");
}

static vyre_status check_opcode(struct vyre_batch *batch, const struct vyre_slot *slot, uint32_t i)
{
	const struct vyre_publisher *publisher = batch->publisher;
	uint32_t opcode = slot->opcode;

	if (!vyre_kernel_has_opcode(publisher->ring->kernel, opcode)) /* handlers first: a blob has none for others' */
		return check_system(batch, slot, i);
	if (opcode < VYRE_WINDOW_BASE || vyre_opcode_is_tenants(opcode, publisher->tenant))
		return VYRE_OK;
	return vyre_fail(VYRE_INVALID, "publish it as the tenant whose window it lies in",
			 "slot %u of %u: tenant %u has no use of opcode 0x%x, it is tenant %u's", i, batch->count,
			 publisher->tenant, opcode, vyre_opcode_window(opcode));
}

/* Unchecked: the device must answer for it, but the places of a fence are held all the same. */
static void count_fence(struct vyre_batch *batch, const struct vyre_slot *slot)
{
	if (slot->opcode != VYRE_OPCODE_BATCH_FENCE)
		return;
	batch->is_run = 1;
	batch->fences += vyre_slot_fences(batch->publisher->ring, slot) != 0;
}

/* A fence keeps positions from being published a lap after the first one that it covers (hold.c). Those of its own batch
 * too: a slot behind it that lay in a place which it covers would be waited for, and if it were a fence, it would wait
 * for this one. */
static vyre_status check_behind_fences(const struct vyre_batch *batch)
{
	const struct vyre_ring *ring = batch->publisher->ring;
	struct vyre_slot scratch;
	uint32_t i;

	for (i = 0; i < batch->count; i++) {
		uint32_t covers = vyre_slot_fences(ring, vyre_batch_slot(batch, i, &scratch));
		uint32_t behind = batch->count - 1 - i;

		if (covers && behind && behind >= ring->slots - covers)
			return vyre_fail(
			    VYRE_INVALID,
			    "publish what comes after the fence in a call of its own, or fence fewer slots",
			    "slot %u of %u: a fence of %u slots with %u behind it; the ring has %u", i, batch->count,
			    covers, behind, ring->slots);
	}
	return VYRE_OK;
}

vyre_status vyre_batch_check(struct vyre_batch *batch, uint32_t flags)
{
	uint32_t ring_slots = batch->publisher->ring->slots, i;
	uint64_t known[KNOWN_OPCODES]; /* that need no look, each at its remainder */
	struct vyre_slot scratch;

	if (batch->count == 0 || batch->count > ring_slots)
		return vyre_fail(VYRE_INVALID, "publish 1 to as many slots as the ring has",
				 "%u slots in one call; the ring has %u", batch->count, ring_slots);
	if (flags & ~(uint32_t)(VYRE_PUBLISH_WAIT | VYRE_PUBLISH_UNCHECKED))
		return vyre_fail(VYRE_INVALID, "use VYRE_PUBLISH_WAIT, VYRE_PUBLISH_UNCHECKED or 0", "flags 0x%x",
				 flags);
	memset(known, 0xFF, sizeof(known)); /* no opcode */
	for (i = 0; i < batch->count; i++) {
		const struct vyre_slot *slot = vyre_batch_slot(batch, i, &scratch);

		if (slot->arg_count > VYRE_SLOT_ARGS || slot->priority > VYRE_PRIORITY_IDLE)
			return vyre_fail(VYRE_INVALID, "give at most 12 arguments and a VYRE_PRIORITY_*",
					 "slot %u of %u has %u arguments and priority %u", i, batch->count,
					 slot->arg_count, slot->priority);
		if (slot->opcode == known[slot->opcode % KNOWN_OPCODES])
			continue;
		if (flags & VYRE_PUBLISH_UNCHECKED)
			count_fence(batch, slot);
		else if (check_opcode(batch, slot, i) != VYRE_OK)
			return VYRE_INVALID;
		if (slot->opcode != VYRE_OPCODE_BATCH_FENCE && slot->opcode != VYRE_OPCODE_PACKED_SLOT)
			known[slot->opcode % KNOWN_OPCODES] = slot->opcode;
	}
	if (batch->fences > VYRE_MAX_FENCES)
		return vyre_fail(VYRE_INVALID, "publish fewer fences in a batch",
				 "%u fences in one call; a ring has at most %u in flight", batch->fences,
				 (unsigned)VYRE_MAX_FENCES);
	return batch->fences ? check_behind_fences(batch) : VYRE_OK;
}
