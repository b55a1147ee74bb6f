/* work.h - slots made from smaller things: work items, windows, load misses. */
#ifndef VYRE_ABI_WORK_H
#define VYRE_ABI_WORK_H
#include <stdint.h>
#include "slot.h"

/* ---- work items: four words a slot -------------------------------------------------------------------------------------- */

struct vyre_work_item {
	uint32_t op_handle, input_handle, output_handle, param; /* OPCODE, ARG0, ARG1, ARG2 */
};

static inline void vyre_work_item_args(const struct vyre_work_item *item, uint32_t args[3])
{
	args[0] = item->input_handle;
	args[1] = item->output_handle;
	args[2] = item->param;
}

static inline enum vyre_publish_error vyre_work_items_check(const struct vyre_work_item *items, uint64_t count)
{
	enum vyre_publish_error error = VYRE_PUBLISH_NONE;
	uint64_t i;
	for (i = 0; !error && i < count; i++) {
		uint32_t args[3];
		const struct vyre_slot_request request = {items[i].op_handle, 0, VYRE_PRIORITY_NORMAL, args, 3};
		vyre_work_item_args(&items[i], args);
		error = vyre_slot_check(&request);
	}
	return error;
}

static inline void vyre_work_items_store(uint32_t *ring, uint64_t first, uint32_t tenant,
					 const struct vyre_work_item *items, uint64_t count)
{
	uint64_t i;
	for (i = 0; i < count; i++) {
		uint32_t args[3];
		const struct vyre_slot_request request = {items[i].op_handle, tenant, VYRE_PRIORITY_NORMAL, args, 3};
		vyre_work_item_args(&items[i], args);
		vyre_slot_store(ring, first + i, &request);
	}
}

/* Into slots first .. first + count - 1 and no others: all or none. */
static inline enum vyre_publish_error vyre_publish_work_items(uint32_t *ring, uint64_t bytes, uint64_t first,
							      uint32_t tenant, const struct vyre_work_item *items,
							      uint64_t count)
{
	enum vyre_publish_error error = vyre_ring_check(ring, bytes, first, count);
	if (!error)
		error = vyre_work_items_check(items, count);
	if (!error)
		vyre_work_items_store(ring, first, tenant, items, count);
	return error;
}

/* A whole ring: the items from slot 0 on, the rest EMPTY. All words are written, whatever the ring held; `bytes` is its
 * length. (vyre 0.6's encoder into words keeps arguments 3 .. 11 of the ring's last use; a handler then reads those.) */
static inline enum vyre_publish_error vyre_encode_work_items(void *ring, uint64_t bytes, uint32_t tenant,
							     const struct vyre_work_item *items, uint64_t count)
{
	enum vyre_publish_error error;
	uint64_t i;
	if (bytes == 0 || bytes % VYRE_SLOT_BYTES != 0)
		return VYRE_PUBLISH_LENGTH;
	if (count > bytes / VYRE_SLOT_BYTES)
		return VYRE_PUBLISH_INDEX;
	error = vyre_work_items_check(items, count);
	if (error)
		return error;
	memset(ring, 0, (size_t)bytes);
	for (i = 0; i < count; i++) {
		uint32_t slot[VYRE_SLOT_WORDS] = {0};
		vyre_work_items_store(slot, 0, tenant, &items[i], 1);
		memcpy((uint8_t *)ring + i * VYRE_SLOT_BYTES, slot, VYRE_SLOT_BYTES);
	}
	return VYRE_PUBLISH_NONE;
}

/* The same into a vector of words. */
static inline enum vyre_publish_error vyre_encode_work_items_words(uint32_t *ring, uint64_t words, uint32_t tenant,
								   const struct vyre_work_item *items, uint64_t count)
{
	if (words > UINT32_MAX)
		return VYRE_PUBLISH_LENGTH;
	return vyre_encode_work_items(ring, 4 * words, tenant, items, count);
}

/* ---- windows: what a ticket needs now, and what it will need next -------------------------------------------------------- */

enum { VYRE_WINDOW_REQUIRED = 0, VYRE_WINDOW_LOOKAHEAD = 1, VYRE_WINDOW_PAYLOAD = 10 };

struct vyre_window_slot {
	uint32_t opcode;
	const uint32_t *payload;
	uint32_t payload_count; /* at most 10 */
};

static inline void vyre_window_args(uint32_t ticket, uint32_t class_, const struct vyre_window_slot *slot,
				    uint32_t args[VYRE_SLOT_ARGS])
{
	uint32_t k;
	args[0] = ticket;
	args[1] = class_;
	for (k = 0; k < slot->payload_count; k++)
		args[2 + k] = slot->payload[k];
}

/* Looks at a run of one class (store = 0), or writes it. */
static inline enum vyre_publish_error vyre_window_run(uint32_t *ring, uint64_t first, uint32_t tenant, uint32_t ticket,
						      uint32_t class_, const struct vyre_window_slot *slots,
						      uint64_t count, int store)
{
	enum vyre_publish_error error = VYRE_PUBLISH_NONE;
	uint64_t i;
	for (i = 0; !error && i < count; i++) {
		uint32_t args[VYRE_SLOT_ARGS];
		const struct vyre_slot_request request = {slots[i].opcode, tenant, VYRE_PRIORITY_NORMAL, args,
							  slots[i].payload_count + 2};
		if (slots[i].payload_count > VYRE_WINDOW_PAYLOAD)
			return VYRE_PUBLISH_PAYLOAD;
		vyre_window_args(ticket, class_, &slots[i], args);
		if (store)
			vyre_slot_store(ring, first + i, &request);
		else
			error = vyre_slot_check(&request);
	}
	return error;
}

/* The required slots, then those that look ahead; every slot's arguments are ticket, class, payload. All or none. */
static inline enum vyre_publish_error
vyre_publish_window(uint32_t *ring, uint64_t bytes, uint64_t first, uint32_t tenant, uint32_t ticket,
		    const struct vyre_window_slot *required, uint32_t required_count,
		    const struct vyre_window_slot *lookahead, uint32_t lookahead_count)
{
	enum vyre_publish_error error = vyre_ring_check(ring, bytes, first, (uint64_t)required_count + lookahead_count);
	int store;
	for (store = 0; !error && store < 2; store++) {
		error = vyre_window_run(ring, first, tenant, ticket, VYRE_WINDOW_REQUIRED, required, required_count,
					store);
		if (!error)
			error = vyre_window_run(ring, first + required_count, tenant, ticket, VYRE_WINDOW_LOOKAHEAD,
						lookahead, lookahead_count, store);
	}
	return error;
}

/* ---- load misses ------------------------------------------------------------------------------------------------------- */

/* Only resource and prefetch are vyre 0.6's; zero in the others means what it did: the whole range, to the same id. */
struct vyre_load_miss {
	uint32_t resource, prefetch, destination;
	uint64_t offset;
	uint32_t bytes, destination_offset;
};

/* The sixteen words, STATUS included. Tenant and priority are 0 unless a publisher stamps its own. */
static inline void vyre_load_miss_encode(const struct vyre_load_miss *miss, uint32_t slot[VYRE_SLOT_WORDS])
{
	uint32_t *args = &slot[VYRE_SLOT_WORD_ARG0];
	memset(slot, 0, VYRE_SLOT_BYTES);
	slot[VYRE_SLOT_WORD_OPCODE] = VYRE_OPCODE_LOAD_MISS;
	args[0] = miss->resource;
	args[1] = miss->prefetch != 0;
	args[2] = miss->destination;
	args[3] = (uint32_t)miss->offset;
	args[4] = (uint32_t)(miss->offset >> 32);
	args[5] = miss->bytes;
	args[6] = miss->destination_offset;
	slot[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
}

/* The publisher that LOAD_MISS has of its own. */
static inline enum vyre_publish_error vyre_publish_load_miss(uint32_t *ring, uint64_t bytes, uint64_t index,
							     uint32_t tenant, uint32_t priority,
							     const struct vyre_load_miss *miss)
{
	uint32_t slot[VYRE_SLOT_WORDS];
	const struct vyre_slot_request request = {VYRE_OPCODE_LOAD_MISS, tenant, priority, &slot[VYRE_SLOT_WORD_ARG0],
						  VYRE_SLOT_ARGS};
	enum vyre_publish_error error = vyre_ring_check(ring, bytes, index, 1);
	if (error)
		return error;
	if (priority > VYRE_PRIORITY_IDLE)
		return VYRE_PUBLISH_PRIORITY;
	vyre_load_miss_encode(miss, slot);
	vyre_slot_store(ring, index, &request);
	return VYRE_PUBLISH_NONE;
}

/* 0 where slot `index` is not there, or holds another opcode. */
static inline int vyre_load_miss_decode(const void *ring, uint64_t bytes, uint64_t index, struct vyre_load_miss *miss)
{
	uint64_t slot = index * VYRE_SLOT_WORDS, args = slot + VYRE_SLOT_WORD_ARG0;
	if (index >= bytes / VYRE_SLOT_BYTES)
		return 0;
	if (vyre_word_get(ring, slot + VYRE_SLOT_WORD_OPCODE) != VYRE_OPCODE_LOAD_MISS)
		return 0;
	miss->resource = vyre_word_get(ring, args);
	miss->prefetch = vyre_word_get(ring, args + 1) != 0;
	miss->destination = vyre_word_get(ring, args + 2);
	miss->offset = vyre_word_get(ring, args + 3) | (uint64_t)vyre_word_get(ring, args + 4) << 32;
	miss->bytes = vyre_word_get(ring, args + 5);
	miss->destination_offset = vyre_word_get(ring, args + 6);
	return 1;
}

#endif
