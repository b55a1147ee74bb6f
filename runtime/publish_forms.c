/* publish_forms.c - batches that are no slots yet: packed ops, a load miss, work items, windows.
 *
 * In: smaller things. Out: slots on the way that all slots go (publish.c), all or none. Nothing is allocated: a slot is
 * made where it is looked at, and once more where it is written.
 */
#include <string.h>

#include "message.h"
#include "publish.h"

static vyre_status publish_one(struct vyre_publisher *publisher, const struct vyre_slot *slot, uint32_t flags,
			       uint64_t timeout_ns, vyre_ticket *ticket)
{
	struct vyre_batch batch = {
	    .publisher = publisher,
	    .slots = slot,
	    .count = 1,
	    .load_miss = slot->opcode == VYRE_OPCODE_LOAD_MISS,
	    .tickets = ticket,
	};

	return vyre_batch_publish(&batch, flags, timeout_ns);
}

vyre_status vyre_publisher_packed(struct vyre_publisher *publisher, const struct vyre_packed_op *ops, uint32_t count,
				  uint32_t priority, uint32_t flags, uint64_t timeout_ns, vyre_ticket *ticket)
{
	const uint32_t *known = flags & VYRE_PUBLISH_UNCHECKED ? NULL : publisher->ring->kernel->packable;
	struct vyre_slot slot = {.opcode = VYRE_OPCODE_PACKED_SLOT, .priority = priority, .arg_count = VYRE_SLOT_ARGS};
	enum vyre_packed_error error = vyre_packed_encode(ops, count, known, slot.args);

	if (error != VYRE_PACKED_NONE)
		return vyre_fail(VYRE_INVALID, "publish at most 23 ops that the set has and that need few words",
				 "%u ops cannot be packed: %s", count, vyre_packed_error_text(error));
	return publish_one(publisher, &slot, flags, timeout_ns, ticket);
}

vyre_status vyre_publisher_load_miss(struct vyre_publisher *publisher, const struct vyre_load_miss *miss,
				     uint32_t flags, uint64_t timeout_ns, vyre_ticket *ticket)
{
	const uint32_t needed = VYRE_HAS_BUILTINS | VYRE_HAS_IO;
	struct vyre_slot slot = {
	    .opcode = VYRE_OPCODE_LOAD_MISS, .priority = VYRE_PRIORITY_CRITICAL, .arg_count = VYRE_SLOT_ARGS};
	uint32_t words[VYRE_SLOT_WORDS];

	if ((publisher->ring->kernel->unit->features & needed) != needed)
		return vyre_fail(VYRE_INVALID, "compile the set with built-in opcodes and device-requested i/o",
				 "LOAD_MISS for a set with features 0x%x, without 0x%x",
				 publisher->ring->kernel->unit->features, needed);
	vyre_load_miss_encode(miss, words);
	memcpy(slot.args, &words[VYRE_SLOT_WORD_ARG0], sizeof(slot.args));
	return publish_one(publisher, &slot, flags, timeout_ns, ticket);
}

static const struct vyre_slot *get_item(const struct vyre_batch *batch, uint32_t i, struct vyre_slot *scratch)
{
	const struct vyre_work_item *item = (const struct vyre_work_item *)batch->source + i;

	scratch->opcode = item->op_handle;
	scratch->priority = VYRE_PRIORITY_NORMAL;
	scratch->arg_count = 3;
	vyre_work_item_args(item, scratch->args);
	return scratch;
}

vyre_status vyre_publisher_work_items(struct vyre_publisher *publisher, const struct vyre_work_item *items,
				      uint32_t count, uint32_t flags, uint64_t timeout_ns, vyre_ticket *tickets)
{
	struct vyre_batch batch = {
	    .publisher = publisher, .count = count, .get = get_item, .source = items, .tickets = tickets};

	return vyre_batch_publish(&batch, flags, timeout_ns);
}

struct window {
	uint32_t id, required_count;
	const struct vyre_window_slot *required, *lookahead;
};

static const struct vyre_slot *get_window(const struct vyre_batch *batch, uint32_t i, struct vyre_slot *scratch)
{
	const struct window *window = batch->source;
	int ahead = i >= window->required_count;
	const struct vyre_window_slot *slot =
	    ahead ? &window->lookahead[i - window->required_count] : &window->required[i];

	scratch->opcode = slot->opcode;
	scratch->priority = VYRE_PRIORITY_NORMAL;
	scratch->arg_count = 2 + slot->payload_count;
	vyre_window_args(window->id, ahead ? VYRE_WINDOW_LOOKAHEAD : VYRE_WINDOW_REQUIRED, slot, scratch->args);
	return scratch;
}

static vyre_status check_payloads(const struct vyre_window_slot *slots, uint32_t count, const char *class_)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (slots[i].payload_count > VYRE_WINDOW_PAYLOAD)
			return vyre_fail(VYRE_INVALID, "pass the rest in a buffer",
					 "%s slot %u of %u has %u words of payload; a window's slots have at most %u",
					 class_, i, count, slots[i].payload_count, (unsigned)VYRE_WINDOW_PAYLOAD);
	return VYRE_OK;
}

vyre_status vyre_publisher_window(struct vyre_publisher *publisher, uint32_t id,
				  const struct vyre_window_slot *required, uint32_t required_count,
				  const struct vyre_window_slot *lookahead, uint32_t lookahead_count, uint32_t flags,
				  uint64_t timeout_ns, vyre_ticket *tickets)
{
	struct window window = {id, required_count, required, lookahead};
	struct vyre_batch batch = {.publisher = publisher,
				   .count = required_count + lookahead_count,
				   .get = get_window,
				   .source = &window,
				   .tickets = tickets};
	vyre_status status;

	if (lookahead_count > VYRE_MAX_SLOTS || required_count > VYRE_MAX_SLOTS)
		return vyre_fail(VYRE_INVALID, "publish at most as many slots as the ring has",
				 "a window of %u required slots and %u that look ahead", required_count,
				 lookahead_count);
	status = check_payloads(required, required_count, "required");
	if (status == VYRE_OK)
		status = check_payloads(lookahead, lookahead_count, "look-ahead");
	return status == VYRE_OK ? vyre_batch_publish(&batch, flags, timeout_ns) : status;
}
