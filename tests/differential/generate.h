/* generate.h - random sets of handlers, as text, that have one right answer whatever the width and the interleaving. */
#ifndef VYRE_TESTS_GENERATE_H
#define VYRE_TESTS_GENERATE_H
#include <stddef.h>
#include <stdint.h>

enum {
	GENERATE_REGION = 64,	/* u32 words of `out` that each op owns */
	GENERATE_INPUT = 256,	/* elements of each input buffer */
	GENERATE_SUMS = 8,	/* words of `sums`, which ops only add to */
	GENERATE_OPCODE = 0x100, /* opcode of op 0 */
	GENERATE_OWN = 16,	 /* elements of each buffer that an invocation of generate_effects owns */
	GENERATE_LANES = 64	 /* more lanes than any of its ops has */
};

/* The text of a set named `random` with `ops` ops; free it. Op i writes out[64 i .. 64 i + 64), adds to sums, reads the
 * inputs. The same seed gives the same text. */
char *generate_set(uint64_t seed, unsigned ops);
/* The same with one width, at most GENERATE_LANES, for all ops by workgroup(N). */
char *generate_set_of_width(uint64_t seed, unsigned ops, unsigned width);
/* The same with suspension points: right for one slot of each op at a time. */
char *generate_suspending_set(uint64_t seed, unsigned ops);

/* The text of a set `random` with `ops` ops and of a program `grid`, whose effects have one order. Argument word 11 of a
 * slot is its own number, below what the buffers mem (u32), wide (u64), bytes (u8) and halves (i16) have room for:
 * GENERATE_LANES * GENERATE_OWN elements for each slot. The program takes GENERATE_OWN for each invocation. */
char *generate_effects(uint64_t seed, unsigned ops);
char *generate_effects_of_width(uint64_t seed, unsigned ops, unsigned width); /* as above */

/* splitmix64: the tests' own stream of numbers. */
static inline uint64_t generate_next(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

#endif
