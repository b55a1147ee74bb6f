/* packed.h - up to 23 small ops in the twelve argument words of one slot.
 *
 *   byte 0        n, inner ops                        byte 2 + 2i   opcode of op i
 *   byte 1        t, argument words of them all       byte 3 + 2i   where its arguments start, in words, from the first
 *   zero padding to a word: metadata_words = ceil((2 + 2n) / 4); then t argument words
 *
 * One decoder for both sides: the text of passes/mega/packed.vyre follows these functions line by line. n decides where
 * the arguments start (vyre 0.6's device clamped n to 4 first, and so read the wrong ones), and no load leaves them:
 * what an op asks for behind argument word t is 0. Two ops may share words; an op sees its neighbour's when it asks for
 * more than it was given.
 */
#ifndef VYRE_ABI_PACKED_H
#define VYRE_ABI_PACKED_H
#include <stdint.h>
#include "opcode.h"
#include "words.h"

enum { VYRE_PACKED_MAX_OPS = 23, VYRE_PACKED_MAX_OPCODE = 255 };

#define VYRE_PACKED_ERROR_LIST(X) \
	X(NONE,   0, "no error") \
	X(OPS,    1, "more than 23 inner ops. Fix: publish the rest in another slot") \
	X(WORDS,  2, "metadata and arguments need more than 12 words. Fix: publish some of the ops in another slot") \
	X(OPCODE, 3, "an inner opcode is above 255, BATCH_FENCE, or none that the set has. " \
		     "Fix: publish that op in a slot of its own") \
	X(ARGS,   4, "an inner op has more than 12 arguments. Fix: give it at most 12")

enum vyre_packed_error {
#define X(name, value, text) VYRE_PACKED_##name = value,
	VYRE_PACKED_ERROR_LIST(X)
#undef X
};

static inline const char *vyre_packed_error_text(enum vyre_packed_error error)
{
	switch (error) {
#define X(name, value, text) \
	case VYRE_PACKED_##name: return text;
		VYRE_PACKED_ERROR_LIST(X)
#undef X
	}
	return "unknown error";
}

struct vyre_packed_op {
	uint32_t opcode;
	const uint32_t *args;
	uint32_t arg_count;
};

/* What byte 0 and byte 1 say. */
struct vyre_packed {
	uint32_t ops, arg_words, metadata_words;
};

static inline uint32_t vyre_packed_byte(const uint32_t words[VYRE_SLOT_ARGS], uint32_t k)
{
	return words[k / 4] >> k % 4 * 8 & 255;
}

/* `known`: 256 bits, the opcodes that the set has and that may be packed; NULL = any but BATCH_FENCE. */
static inline int vyre_packed_may_run(uint32_t opcode, const uint32_t *known)
{
	if (opcode > VYRE_PACKED_MAX_OPCODE || opcode == VYRE_OPCODE_BATCH_FENCE)
		return 0;
	return !known || (known[opcode / 32] >> opcode % 32 & 1) != 0;
}

/* ---- decode ----------------------------------------------------------------------------------------------------------- */

static inline uint32_t vyre_packed_opcode(const uint32_t words[VYRE_SLOT_ARGS], uint32_t op)
{
	return vyre_packed_byte(words, 2 + 2 * op);
}

/* Argument k of an op, or 0 behind the last argument word; also when the decoder's refusal was not heeded. */
static inline uint32_t vyre_packed_arg(const uint32_t words[VYRE_SLOT_ARGS], const struct vyre_packed *packed,
				       uint32_t op, uint32_t k)
{
	uint32_t at = vyre_packed_byte(words, 3 + 2 * op) + k, word = packed->metadata_words + at;
	return at < packed->arg_words && word < VYRE_SLOT_ARGS ? words[word] : 0;
}

/* Everything is looked at before anything may run. */
static inline enum vyre_packed_error vyre_packed_decode(const uint32_t words[VYRE_SLOT_ARGS], const uint32_t *known,
							struct vyre_packed *packed)
{
	uint32_t i;
	packed->ops = vyre_packed_byte(words, 0);
	packed->arg_words = vyre_packed_byte(words, 1);
	packed->metadata_words = (2 + 2 * packed->ops + 3) / 4;
	if (packed->ops > VYRE_PACKED_MAX_OPS)
		return VYRE_PACKED_OPS;
	if (packed->metadata_words + packed->arg_words > VYRE_SLOT_ARGS)
		return VYRE_PACKED_WORDS;
	for (i = 0; i < packed->ops; i++)
		if (!vyre_packed_may_run(vyre_packed_opcode(words, i), known))
			return VYRE_PACKED_OPCODE;
	return VYRE_PACKED_NONE;
}

/* ---- encode ----------------------------------------------------------------------------------------------------------- */

static inline enum vyre_packed_error vyre_packed_check(const struct vyre_packed_op *ops, uint32_t count,
						       const uint32_t *known)
{
	uint32_t i, words = (2 + 2 * count + 3) / 4;
	if (count > VYRE_PACKED_MAX_OPS)
		return VYRE_PACKED_OPS;
	for (i = 0; i < count; i++) {
		if (!vyre_packed_may_run(ops[i].opcode, known))
			return VYRE_PACKED_OPCODE;
		if (ops[i].arg_count > VYRE_SLOT_ARGS)
			return VYRE_PACKED_ARGS;
		words += ops[i].arg_count;
	}
	return words > VYRE_SLOT_ARGS ? VYRE_PACKED_WORDS : VYRE_PACKED_NONE;
}

/* The twelve argument words of a PACKED_SLOT; untouched after an error. */
static inline enum vyre_packed_error vyre_packed_encode(const struct vyre_packed_op *ops, uint32_t count,
							const uint32_t *known, uint32_t words[VYRE_SLOT_ARGS])
{
	uint32_t metadata_words, at = 0, i, k;
	enum vyre_packed_error error = vyre_packed_check(ops, count, known);
	if (error)
		return error;
	metadata_words = (2 + 2 * count + 3) / 4;
	memset(words, 0, 4 * VYRE_SLOT_ARGS);
	for (i = 0; i < count; i++) {
		uint32_t byte = 2 + 2 * i; /* even, so both bytes lie in one word */
		words[byte / 4] |= (ops[i].opcode | at << 8) << byte % 4 * 8;
		for (k = 0; k < ops[i].arg_count; k++)
			words[metadata_words + at++] = ops[i].args[k];
	}
	words[0] |= count | at << 8;
	return VYRE_PACKED_NONE;
}

#endif
