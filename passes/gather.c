/* gather.c - what a collective over the lanes starts from, and what adds one more lane.
 *
 * Enters: a collective and a type. Leaves: the operation and its neutral element as raw bits. Invariant: op(identity, x)
 * is x for every x: -0.0 for sums of floats (0.0 would turn -0.0 into 0.0), NaN for their extremes (min and max give the
 * number when one side is NaN).
 */
#include "passes/lanes.h"

static uint64_t float_bits(vyrec_type type, bool nan)
{
	switch (type) {
	case VYREC_F16:
		return nan ? 0x7e00 : 0x8000;
	case VYREC_F32:
		return nan ? 0x7fc00000 : 0x80000000;
	default:
		return nan ? UINT64_C(0x7ff8000000000000) : UINT64_C(1) << 63;
	}
}

static uint64_t identity_of(vyrec_op op, vyrec_type type)
{
	unsigned bits = vyrec_type_bits(type);
	uint64_t ones = ~UINT64_C(0) >> (64 - bits), sign = UINT64_C(1) << (bits - 1);
	switch (op) {
	case VYREC_OP_add_f:
		return float_bits(type, false);
	case VYREC_OP_min_f:
	case VYREC_OP_max_f:
		return float_bits(type, true);
	case VYREC_OP_min_u:
	case VYREC_OP_and_i:
	case VYREC_OP_and_b:
		return ones;
	case VYREC_OP_min_s:
		return sign - 1;
	case VYREC_OP_max_s:
		return sign;
	default:
		return 0;
	}
}

vyrec_op vyrec_reduction(vyrec_collective collective, vyrec_type type, uint64_t *identity)
{
	vyrec_op op = vyrec_collective_op(collective, type);
	*identity = identity_of(op, type);
	return op;
}
