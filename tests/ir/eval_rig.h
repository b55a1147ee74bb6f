/* eval_rig.h - what eval_test.c and eval_floats.c share: integers to begin with, and which rows have been met. */
#ifndef VYRE_TESTS_EVAL_RIG_H
#define VYRE_TESTS_EVAL_RIG_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"

typedef __int128 wide;

/* vyrec_eval; remembers that the row was met. */
uint64_t eval(vyrec_op op, vyrec_type t, uint64_t a, uint64_t b, uint64_t c);

static inline uint64_t mask(unsigned w)
{
	return w == 64 ? UINT64_MAX : (UINT64_C(1) << w) - 1;
}

static inline wide as_signed(unsigned w, uint64_t a)
{
	wide v = a & mask(w);
	return v >= (wide)1 << (w - 1) ? v - ((wide)1 << w) : v;
}

static const uint64_t edges[] = {
	0, 1, 2, 3, 5, 7, 8, 15, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x12345678, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x100000000,
	0x123456789abcdef0, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe,
	0xffffffffffffffff,
};
enum { EDGES = sizeof edges / sizeof *edges };

/* Tests of eval_floats.c. */
void half_conversions(void **state);
void float_rows(void **state);
void half_dense(void **state);
void fused(void **state);
void int_to_float(void **state);
void bitcasts(void **state);

#endif
