/* words.h - little-endian words in bytes of any alignment, and what can be wrong with a length.
 *
 * Every decoder of this folder reads hostile bytes through these functions: a length is looked at before the first word
 * behind it, in 64 bits, so that no sum wraps. Words are copied as they lie, which is right on little-endian machines
 * only; vyre runs on no other.
 */
#ifndef VYRE_ABI_WORDS_H
#define VYRE_ABI_WORDS_H
#include <stdint.h>
#include <string.h>
#include "assert.h"

#ifdef __BYTE_ORDER__
VYRE_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "buffers are little-endian words");
#endif

#define VYRE_LENGTH_ERROR_LIST(X) \
	X(NONE,         0, "no error") \
	X(OVERFLOW,     1, "the length is more than 32-bit word indices reach, or more than an encoder writes. " \
			   "Fix: ask for at most 1048576 slots, observables or records") \
	X(MISALIGNED,   2, "the length is no whole number of words or slots. Fix: pass the buffer's whole length") \
	X(MISSING_WORD, 3, "the buffer ends before a word that must be there. Fix: pass the whole buffer")

enum vyre_length_error {
#define X(name, value, text) VYRE_LENGTH_##name = value,
	VYRE_LENGTH_ERROR_LIST(X)
#undef X
};

#define VYRE_NO_LENGTH UINT64_MAX /* what a length function says when there is none */

static inline const char *vyre_length_error_text(enum vyre_length_error error)
{
	switch (error) {
#define X(name, value, text) \
	case VYRE_LENGTH_##name: return text;
		VYRE_LENGTH_ERROR_LIST(X)
#undef X
	}
	return "unknown error";
}

static inline uint32_t vyre_word_get(const void *bytes, uint64_t word)
{
	uint32_t value;
	memcpy(&value, (const uint8_t *)bytes + 4 * word, 4);
	return value;
}

static inline void vyre_word_put(void *bytes, uint64_t word, uint32_t value)
{
	memcpy((uint8_t *)bytes + 4 * word, &value, 4);
}

/* Bytes of that many words; none when a 32-bit index does not reach them all. */
static inline uint64_t vyre_words_length(uint64_t words)
{
	return words > UINT32_MAX ? VYRE_NO_LENGTH : 4 * words;
}

/* May words first .. first + count - 1 of a buffer of this length be read? */
static inline enum vyre_length_error vyre_words_check(uint64_t bytes, uint64_t first, uint64_t count)
{
	if (bytes % 4 != 0)
		return VYRE_LENGTH_MISALIGNED;
	if (first > UINT32_MAX || count > UINT32_MAX - first)
		return VYRE_LENGTH_OVERFLOW;
	return first + count > bytes / 4 ? VYRE_LENGTH_MISSING_WORD : VYRE_LENGTH_NONE;
}

/* May an encoder write `length` bytes, those of `count` slots, observables or records, into a buffer of `bytes`? */
static inline enum vyre_length_error vyre_encode_check(uint64_t bytes, uint64_t length, uint64_t count, uint64_t most)
{
	if (length == VYRE_NO_LENGTH || count > most)
		return VYRE_LENGTH_OVERFLOW;
	return length > bytes ? VYRE_LENGTH_MISSING_WORD : VYRE_LENGTH_NONE;
}

/* A status word that a device may look at: what was stored before it is visible to whoever sees it. */
static inline void vyre_word_release(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}
static inline uint32_t vyre_word_acquire(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

#endif
