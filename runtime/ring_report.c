/* ring_report.c - what a ring is asked about: counts, words of the control buffer, debug records.
 *
 * In: a ring that runs, or has stopped. Out: words as they were at some moment of the call. What only the device has
 * (counters of a mailbox ring, abi/mailbox.h) is copied from it, beside the resident kernel; what the host writes is the
 * host's own, which the device's copy may lag behind.
 */
#include <string.h>

#include "live.h"
#include "message.h"

/* Words of one of the ring's buffers; DEVICE_LOST leaves them zero. */
static vyre_status read_words(struct vyre_ring *ring, uint32_t buffer, uint32_t first, uint32_t *words, uint32_t count)
{
	struct vyre_memory *memory = ring->memories[buffer];
	const uint32_t *data = memory->data;
	uint32_t i;

	memset(words, 0, count * sizeof(*words));
	if (!data)
		return ring->device->fns->memory_read(memory, 4 * (uint64_t)first, words, 4 * (uint64_t)count);
	for (i = 0; i < count; i++)
		words[i] = __atomic_load_n(&data[first + i], __ATOMIC_ACQUIRE);
	return VYRE_OK;
}

/* The errors of a lost device are told by the calls that can answer; a count of what it had is 0. */
static uint32_t read_word(struct vyre_ring *ring, uint32_t buffer, uint32_t word)
{
	uint32_t value;

	(void)!read_words(ring, buffer, word, &value, 1);
	return value;
}

static uint32_t debug_records(struct vyre_ring *ring)
{
	uint32_t records = read_word(ring, VYRE_RING_BUFFER_LOG, 0) / VYRE_DEBUG_RECORD_WORDS;

	return records < VYRE_DEBUG_RECORDS ? records : VYRE_DEBUG_RECORDS;
}

/* RETIRED has 32 bits and is less than 2^31 away from what was published. */
static uint64_t retired_of(const struct vyre_ring *ring, uint64_t published, uint32_t retired)
{
	return published - (uint64_t)(int64_t)(int32_t)((uint32_t)ring->first_position + (uint32_t)published - retired);
}

/* publish_lock is held. Behind PCIe RETIRED comes later than the slots that somebody has waited for: the places know. */
static uint32_t count_in_flight(const struct vyre_ring *ring)
{
	uint32_t count = 0, i;

	for (i = 0; i < ring->slots; i++)
		if (__atomic_load_n(&ring->owner[i], __ATOMIC_ACQUIRE) != 0)
			count += !vyre_slot_has_ended(vyre_slot_status(ring, i));
	return count;
}

void vyre_ring_get_stats(struct vyre_ring *ring, struct vyre_ring_stats *out)
{
	/* Read first: what retires later is published by the time that is counted. */
	uint32_t retired = vyre_live_load(ring, VYRE_LIVE_RETIRED), in_flight = 0;
	struct vyre_commit now;

	memset(out, 0, sizeof(*out));
	vyre_ring_lock(ring);
	now = vyre_ring_commit_locked(ring);
	vyre_ring_reap_faults(ring);
	if (ring->is_mailbox)
		in_flight = count_in_flight(ring);
	out->detached_faults = ring->detached_faults;
	out->last_fault_slot = ring->last_fault[0];
	out->last_fault_code = ring->last_fault[1];
	out->last_fault_detail = ring->last_fault[2];
	vyre_ring_unlock(ring);
	out->published = now.published;
	out->retired = ring->is_mailbox ? now.published - in_flight : retired_of(ring, now.published, retired);
	out->faults = read_word(ring, VYRE_RING_BUFFER_CONTROL, VYRE_CONTROL_FAULT_COUNT);
	out->wakes = __atomic_load_n(&ring->wakes, __ATOMIC_RELAXED);
	out->parked = vyre_live_load(ring, VYRE_LIVE_PARKED);
	out->ready = vyre_live_load(ring, VYRE_LIVE_READY);
	out->waiting = vyre_live_load(ring, VYRE_LIVE_WAITING);
	out->shut_down = vyre_live_load(ring, VYRE_LIVE_LEAVE) != 0;
	out->sleeping = ring->device->fns->ring_sleeping(ring);
	(void)!read_words(ring, VYRE_RING_BUFFER_CONTROL, VYRE_CONTROL_METRICS, out->metrics, 32);
	out->debug_records = debug_records(ring);
	out->debug_dropped = read_word(ring, VYRE_RING_BUFFER_CONTROL, VYRE_CONTROL_DEBUG_DROPPED);
}

static int is_host_word(uint32_t word)
{
	static const struct {
		uint16_t first, count, writer;
	} fields[] = {
#define X(name, first, words, writer, text) {first, words, VYRE_WRITER_##writer},
	    VYRE_CONTROL_FIELDS(X)
#undef X
	};
	uint32_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (word >= fields[i].first && word - fields[i].first < fields[i].count)
			return fields[i].writer == VYRE_WRITER_HOST;
	return 0;
}

vyre_status vyre_ring_read_control(struct vyre_ring *ring, uint32_t first, uint32_t *words, uint32_t count)
{
	vyre_status status;
	uint32_t i;

	if (first > ring->control_words || count > ring->control_words - first)
		return vyre_fail(VYRE_INVALID, "read inside it, or make the ring with more observables",
				 "words %u..+%u of a control buffer of %u words", first, count, ring->control_words);
	status = read_words(ring, VYRE_RING_BUFFER_CONTROL, first, words, count);
	for (i = 0; ring->is_mailbox && i < count; i++)
		if (is_host_word(first + i))
			words[i] = __atomic_load_n(&ring->control[first + i], __ATOMIC_ACQUIRE);
	return status;
}

uint32_t vyre_ring_read_log(struct vyre_ring *ring, uint32_t first, uint32_t (*records)[4], uint32_t max)
{
	uint32_t count = debug_records(ring), done = first < count ? count - first : 0;

	if (done > max)
		done = max;
	if (done && read_words(ring, VYRE_RING_BUFFER_LOG, 1 + first * VYRE_DEBUG_RECORD_WORDS, records[0],
			       done * VYRE_DEBUG_RECORD_WORDS) != VYRE_OK)
		return 0;
	return done;
}
