/* rig.h - what the tests of runtime/abi share: bytes written down by hand, compared byte for byte.
 *
 * Vectors here are worked out from the rules of vyre 0.6, not computed by the code under test: a row of BYTES is a word
 * of the buffer, low byte first, as it lies in memory.
 */
#ifndef VYRE_TESTS_ABI_RIG_H
#define VYRE_TESTS_ABI_RIG_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

/* A text that names what is wrong and what to do; rows of a list differ. */
static inline void assert_is_message(const char *text)
{
	const char *fix = strstr(text, ". Fix: ");
	assert_non_null(fix);
	assert_true(fix > text + 8);
	assert_true(strlen(fix) > strlen(". Fix: ") + 8);
}

/* One of a few million numbers, the same in every run. */
static inline uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

#endif
