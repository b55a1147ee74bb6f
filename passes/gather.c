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

vyrec_op vyrec_reduction(vyrec_collective collective, vyrec_type type, uint64_t *identity)
{
	bool is_float = vyrec_type_is_float(type), is_signed = vyrec_type_is_sint(type);
	unsigned bits = vyrec_type_bits(type);
	uint64_t ones = ~UINT64_C(0) >> (64 - bits), sign = UINT64_C(1) << (bits - 1);
	*identity = 0;
	switch (collective) {
	case VYREC_COLLECTIVE_REDUCE_ADD:
	case VYREC_COLLECTIVE_SUBGROUP_ADD:
		*identity = is_float ? float_bits(type, false) : 0;
		return is_float ? VYREC_OP_add_f : VYREC_OP_add_i;
	case VYREC_COLLECTIVE_REDUCE_MIN:
	case VYREC_COLLECTIVE_SUBGROUP_MIN:
		*identity = is_float ? float_bits(type, true) : is_signed ? sign - 1 : ones;
		return is_float ? VYREC_OP_min_f : is_signed ? VYREC_OP_min_s : VYREC_OP_min_u;
	case VYREC_COLLECTIVE_REDUCE_MAX:
	case VYREC_COLLECTIVE_SUBGROUP_MAX:
		*identity = is_float ? float_bits(type, true) : is_signed ? sign : 0;
		return is_float ? VYREC_OP_max_f : is_signed ? VYREC_OP_max_s : VYREC_OP_max_u;
	case VYREC_COLLECTIVE_REDUCE_AND:
		*identity = ones;
		return VYREC_OP_and_i;
	case VYREC_COLLECTIVE_REDUCE_OR:
		return VYREC_OP_or_i;
	case VYREC_COLLECTIVE_REDUCE_XOR:
		return VYREC_OP_xor_i;
	case VYREC_COLLECTIVE_ANY:
		return VYREC_OP_or_b;
	case VYREC_COLLECTIVE_ALL:
		*identity = 1;
		return VYREC_OP_and_b;
	default:
		return VYREC_OP_NONE;
	}
}
