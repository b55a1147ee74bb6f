/* words.c - values as 32-bit words: of a slot, or of a suspended handler's frame.
 *
 * Enters: expressions. Leaves: the words of a value, low word first, and values made of such words. Invariant: what goes
 * in comes out, bit for bit but for the payload of a NaN; an expression is used once.
 */
#include "passes/make.h"

uint32_t vyrec_words_of(vyrec_type type)
{
	return vyrec_type_bytes(type) > 4 ? 2 : 1;
}

vyrec_expr vyrec_from_words(struct vyrec_module *m, vyrec_type type, vyrec_expr low, vyrec_expr high)
{
	switch (type) {
	case VYREC_BOOL:
		return vyrec_make_op(m, VYREC_OP_to_bool_i, low, 0, 0);
	case VYREC_I32:
		return vyrec_make_op(m, VYREC_OP_to_i32_i, low, 0, 0);
	case VYREC_F32:
		return vyrec_make_op(m, VYREC_OP_bits_f32_u, low, 0, 0);
	case VYREC_F16:
		return vyrec_make_op(m, VYREC_OP_to_f16_f, vyrec_make_op(m, VYREC_OP_bits_f32_u, low, 0, 0), 0, 0);
	case VYREC_U64:
	case VYREC_I64:
	case VYREC_F64: {
		vyrec_expr upper = vyrec_make_op(m, VYREC_OP_shl, vyrec_make_op(m, VYREC_OP_to_u64_u, high, 0, 0),
						 vyrec_make_lit(m, VYREC_U64, 32, 0), 0);
		vyrec_expr bits =
		    vyrec_make_op(m, VYREC_OP_or_i, upper, vyrec_make_op(m, VYREC_OP_to_u64_u, low, 0, 0), 0);
		return type == VYREC_I64   ? vyrec_make_op(m, VYREC_OP_to_i64_u, bits, 0, 0)
		       : type == VYREC_F64 ? vyrec_make_op(m, VYREC_OP_bits_f64_u, bits, 0, 0)
					   : bits;
	}
	default:
		return low;
	}
}

static vyrec_expr to_word(struct vyrec_module *m, vyrec_expr value)
{
	switch (m->exprs[value].type) {
	case VYREC_BOOL:
		return vyrec_make_op(m, VYREC_OP_to_u32_b, value, 0, 0);
	case VYREC_I32:
		return vyrec_make_op(m, VYREC_OP_to_u32_i, value, 0, 0);
	case VYREC_F32:
		return vyrec_make_op(m, VYREC_OP_bits_u32_f, value, 0, 0);
	case VYREC_F16:
		return vyrec_make_op(m, VYREC_OP_bits_u32_f, vyrec_make_op(m, VYREC_OP_to_f32_f, value, 0, 0), 0, 0);
	default:
		return value;
	}
}

uint32_t vyrec_to_words(struct vyrec_module *m, struct vyrec_list *out, vyrec_expr value, vyrec_expr words[2])
{
	vyrec_type type = m->exprs[value].type;
	if (vyrec_words_of(type) == 1) {
		words[0] = to_word(m, value);
		return 1;
	}
	if (type != VYREC_U64)
		value = vyrec_make_op(m, type == VYREC_I64 ? VYREC_OP_to_u64_s : VYREC_OP_bits_u64_f, value, 0, 0);
	vyrec_local bits = vyrec_make_let(m, out, "bits", value);
	vyrec_expr upper =
	    vyrec_make_op(m, VYREC_OP_shr_u, vyrec_make_get(m, bits, 0), vyrec_make_lit(m, VYREC_U64, 32, 0), 0);
	words[0] = vyrec_make_op(m, VYREC_OP_to_u32_i, vyrec_make_get(m, bits, 0), 0, 0);
	words[1] = vyrec_make_op(m, VYREC_OP_to_u32_i, upper, 0, 0);
	return 2;
}
