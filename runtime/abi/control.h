/* control.h - the control buffer written and read.
 *
 * Encoders write the whole buffer, zeroes included, and nothing behind it. Decoders believe nothing of a buffer but the
 * words that they have checked to be there.
 */
#ifndef VYRE_ABI_CONTROL_H
#define VYRE_ABI_CONTROL_H
#include <stdint.h>
#include "ring.h"
#include "words.h"

enum { VYRE_TENANT_SLOTS = 32, VYRE_PARTITION_WORDS = 6 };

struct vyre_control_params {
	uint32_t shutdown;    /* nonzero: a kernel leaves at once */
	uint32_t tenants;     /* ids 0 .. tenants - 1 may run; at most 29 of them */
	uint32_t observables; /* result words behind word 160 */
	uint32_t slots;       /* of the ring; a power of two for a live ring */
	uint32_t live;        /* nonzero: with a live block */
};

struct vyre_metric {
	uint32_t opcode, count;
};

/* ---- lengths -------------------------------------------------------------------------------------------------------- */

static inline uint64_t vyre_control_length(uint32_t observables)
{
	return vyre_words_length((uint64_t)VYRE_CONTROL_MIN_WORDS + observables);
}

/* With the live block, at the first multiple of 32 above the observables. */
static inline uint64_t vyre_control_live_length(uint32_t observables)
{
	uint64_t lines =
	    ((uint64_t)VYRE_CONTROL_MIN_WORDS + observables + VYRE_LIVE_LINE_WORDS - 1) / VYRE_LIVE_LINE_WORDS;
	return vyre_words_length(lines * VYRE_LIVE_LINE_WORDS + VYRE_LIVE_WORDS);
}

/* ---- priority partitions ---------------------------------------------------------------------------------------------- */

/* N/5 slots each, the remainder to NORMAL. */
static inline void vyre_partitions_default(uint32_t slots, uint32_t starts[VYRE_PARTITION_WORDS])
{
	uint32_t part = slots / 5, rest = slots % 5, i;
	for (i = 0; i < VYRE_PARTITION_WORDS; i++)
		starts[i] = part * i + (i > VYRE_PRIORITY_NORMAL ? rest : 0);
}

/* Is every partition's end at or behind its start, and the last within the ring? Else a kernel takes the default. */
static inline int vyre_partitions_valid(const uint32_t starts[VYRE_PARTITION_WORDS], uint32_t slots)
{
	uint32_t i;
	for (i = 1; i < VYRE_PARTITION_WORDS; i++)
		if (starts[i] < starts[i - 1])
			return 0;
	return starts[0] < starts[VYRE_PARTITION_WORDS - 1] && starts[VYRE_PARTITION_WORDS - 1] <= slots;
}

/* Changes these six words of a control buffer and no other. */
static inline enum vyre_length_error vyre_partitions_write(void *control, uint64_t bytes, uint32_t slots)
{
	uint32_t starts[VYRE_PARTITION_WORDS], i;
	enum vyre_length_error error = vyre_words_check(bytes, VYRE_CONTROL_PARTITIONS, VYRE_PARTITION_WORDS);
	if (error)
		return error;
	vyre_partitions_default(slots, starts);
	for (i = 0; i < VYRE_PARTITION_WORDS; i++)
		vyre_word_put(control, VYRE_CONTROL_PARTITIONS + i, starts[i]);
	return VYRE_LENGTH_NONE;
}

/* ---- encoders --------------------------------------------------------------------------------------------------------- */

/* The words that vyre 0.6 writes, and zero in all others: ABI_VERSION 0. Partitions are a second call, as there. */
static inline enum vyre_length_error vyre_control_encode_ancestor(void *control, uint64_t bytes, uint32_t shutdown,
								  uint32_t tenants, uint32_t observables)
{
	uint64_t length = vyre_control_length(observables);
	enum vyre_length_error error = vyre_encode_check(bytes, length, observables, VYRE_MAX_SLOTS);
	uint32_t i;
	if (error)
		return error;
	memset(control, 0, (size_t)length);
	vyre_word_put(control, VYRE_CONTROL_SHUTDOWN, shutdown != 0);
	vyre_word_put(control, VYRE_CONTROL_TENANT_BASE, VYRE_CONTROL_TENANT_MASK);
	for (i = 0; i < tenants && i < VYRE_TENANT_MASKS; i++)
		vyre_word_put(control, VYRE_CONTROL_TENANT_MASK + i, 0xFFFFFFFFu);
	for (i = 0; i < tenants && i < VYRE_TENANT_SLOTS; i++)
		vyre_word_put(control, VYRE_CONTROL_TENANT_QUOTA + i, VYRE_TENANT_QUOTA_DEFAULT);
	return VYRE_LENGTH_NONE;
}

/* Ours: the same, with partitions and the words from EXT_BASE on, for any feed. */
static inline enum vyre_length_error vyre_control_encode(void *control, uint64_t bytes,
							 const struct vyre_control_params *p)
{
	uint64_t length = p->live ? vyre_control_live_length(p->observables) : vyre_control_length(p->observables);
	enum vyre_length_error error = vyre_encode_check(bytes, length, p->observables, VYRE_MAX_SLOTS);
	if (!error)
		error = vyre_encode_check(bytes, length, p->slots, VYRE_MAX_SLOTS);
	if (error)
		return error;
	memset(control, 0, (size_t)length);
	vyre_control_encode_ancestor(control, length, p->shutdown, p->tenants, p->observables);
	vyre_partitions_write(control, length, p->slots);
	vyre_word_put(control, VYRE_CONTROL_EXT_BASE, p->live ? (uint32_t)(length / 4) - VYRE_LIVE_WORDS : 0);
	vyre_word_put(control, VYRE_CONTROL_ABI_VERSION, VYRE_ABI_VERSION_NOW);
	vyre_word_put(control, VYRE_CONTROL_CONTROL_WORDS, VYRE_CONTROL_MIN_WORDS + p->observables);
	vyre_word_put(control, VYRE_CONTROL_RING_SLOTS, p->slots);
	vyre_word_put(control, VYRE_CONTROL_TENANT_LIMIT,
		      p->tenants < (uint32_t)VYRE_TENANT_MASKS ? p->tenants : (uint32_t)VYRE_TENANT_MASKS);
	return VYRE_LENGTH_NONE;
}

/* For a live ring: `words` holds vyre_live_base(observables) + VYRE_LIVE_WORDS words, the counts are in range. */
static inline void vyre_control_encode_live(uint32_t *words, uint32_t tenants, uint32_t observables, uint32_t slots)
{
	struct vyre_control_params params = {0, tenants, observables, slots, 1};
	vyre_control_encode(words, 4 * ((uint64_t)vyre_live_base(observables) + VYRE_LIVE_WORDS), &params);
}

/* ---- strict decoders --------------------------------------------------------------------------------------------------- */

static inline enum vyre_length_error vyre_control_read(const void *control, uint64_t bytes, uint32_t first,
						       uint32_t count, uint32_t *out)
{
	enum vyre_length_error error = vyre_words_check(bytes, first, count);
	uint32_t i;
	for (i = 0; !error && i < count; i++)
		out[i] = vyre_word_get(control, (uint64_t)first + i);
	return error;
}

static inline enum vyre_length_error vyre_control_done(const void *control, uint64_t bytes, uint32_t *out)
{
	return vyre_control_read(control, bytes, VYRE_CONTROL_DONE_COUNT, 1, out);
}

static inline enum vyre_length_error vyre_control_epoch(const void *control, uint64_t bytes, uint32_t *out)
{
	return vyre_control_read(control, bytes, VYRE_CONTROL_EPOCH, 1, out);
}

/* Claims by tenant id mod 32. */
static inline enum vyre_length_error vyre_control_tenant_fairness(const void *control, uint64_t bytes,
								  uint32_t out[VYRE_TENANT_SLOTS])
{
	return vyre_control_read(control, bytes, VYRE_CONTROL_TENANT_FAIRNESS, VYRE_TENANT_SLOTS, out);
}

static inline enum vyre_length_error vyre_control_priority_fairness(const void *control, uint64_t bytes,
								    uint32_t out[5])
{
	return vyre_control_read(control, bytes, VYRE_CONTROL_PRIORITY_FAIRNESS, 5, out);
}

/* Observables end at CONTROL_WORDS: what follows is the live block, not a result. */
static inline enum vyre_length_error vyre_control_observable(const void *control, uint64_t bytes, uint32_t index,
							     uint32_t *out)
{
	uint32_t words = 0, version = 0;
	enum vyre_length_error error =
	    vyre_words_check(bytes, (uint64_t)VYRE_CONTROL_OBSERVABLES + index, 1);
	if (error)
		return error;
	vyre_control_read(control, bytes, VYRE_CONTROL_ABI_VERSION, 1, &version);
	vyre_control_read(control, bytes, VYRE_CONTROL_CONTROL_WORDS, 1, &words);
	if (version != 0 && (uint64_t)VYRE_CONTROL_OBSERVABLES + index >= words)
		return VYRE_LENGTH_MISSING_WORD;
	*out = vyre_word_get(control, (uint64_t)VYRE_CONTROL_OBSERVABLES + index);
	return VYRE_LENGTH_NONE;
}

/* The counters that are not zero, by rising opcode; all 32 words must be there. */
static inline enum vyre_length_error vyre_control_metrics(const void *control, uint64_t bytes,
							  struct vyre_metric out[32], uint32_t *count)
{
	uint32_t words[32], opcode, n = 0;
	enum vyre_length_error error = vyre_control_read(control, bytes, VYRE_CONTROL_METRICS, 32, words);
	if (error)
		return error;
	for (opcode = 0; opcode < 32; opcode++) {
		if (words[opcode] == 0)
			continue;
		out[n].opcode = opcode;
		out[n++].count = words[opcode];
	}
	*count = n;
	return VYRE_LENGTH_NONE;
}

#endif
