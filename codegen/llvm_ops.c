/* llvm_ops.c - one function for each row of ops.def: the LLVM values that compute it.
 *
 * Enters: operands as SSA values and the type of the first (for select, of the second). Leaves: the result.
 * Invariant: exactly the meaning of the row for every operand: no poison and no undefined behaviour leaves a function
 * here (division and shifts are guarded, conversions saturate, no fast-math flag is ever set), and nothing becomes a
 * library call. A row without a function does not compile, which is why this is a table and not a switch with a default.
 */
#include <string.h>

#include "codegen/llvm.h"

struct op_args {
	const struct vyrec_expr_node *node;
	LLVMValueRef a, b, c;
	vyrec_type t;	  /* of the operands */
	LLVMTypeRef type; /* the same, in LLVM */
	unsigned width;	  /* bits */
};

typedef LLVMValueRef lower_row(struct lower *l, const struct op_args *x);
#define OP(name, ...) static lower_row lower_##name;
#include "ir/ops.def"

static LLVMValueRef one(struct lower *l, const struct op_args *x, const char *intrinsic)
{
	LLVMValueRef args[] = {x->a};
	return lower_intrinsic(l, intrinsic, x->type, args, 1);
}

static LLVMValueRef two(struct lower *l, const struct op_args *x, const char *intrinsic)
{
	LLVMValueRef args[] = {x->a, x->b};
	return lower_intrinsic(l, intrinsic, x->type, args, 2);
}

static LLVMValueRef integer(const struct op_args *x, int64_t value)
{
	return LLVMConstInt(x->type, (uint64_t)value, true);
}

static LLVMValueRef is_zero(struct lower *l, LLVMValueRef v)
{
	return LLVMBuildICmp(l->b, LLVMIntEQ, v, LLVMConstNull(LLVMTypeOf(v)), "");
}

/* 1 << (width - 1) */
static LLVMValueRef smallest(const struct op_args *x)
{
	return LLVMConstInt(x->type, UINT64_C(1) << (x->width - 1), false);
}

static LLVMValueRef masked_count(struct lower *l, const struct op_args *x)
{
	return LLVMBuildAnd(l->b, x->b, integer(x, x->width - 1), "");
}

/* ---- integer arithmetic -------------------------------------------------------------------------------------------- */

/* One row, one line. */
/* clang-format off */
#define ROW(name, value) static LLVMValueRef lower_##name(struct lower *l, const struct op_args *x) { (void)l; return value; }
#define A x->a
#define B x->b
#define CMP(name, predicate) ROW(name, LLVMBuildICmp(l->b, predicate, A, B, ""))
#define FCMP(name, predicate) ROW(name, LLVMBuildFCmp(l->b, predicate, A, B, ""))
ROW(add_i, (x->node->policy == VYREC_POLICY_UNCHECKED ? LLVMBuildNUWAdd : LLVMBuildAdd)(l->b, A, B, ""));
ROW(sub_i, LLVMBuildSub(l->b, A, B, ""));
ROW(mul_i, LLVMBuildMul(l->b, A, B, ""));
ROW(neg_i, LLVMBuildNeg(l->b, A, ""));
ROW(not_i, LLVMBuildNot(l->b, A, ""));
ROW(not_b, LLVMBuildNot(l->b, A, ""));
ROW(and_i, LLVMBuildAnd(l->b, A, B, ""));
ROW(and_b, LLVMBuildAnd(l->b, A, B, ""));
ROW(or_i, LLVMBuildOr(l->b, A, B, ""));
ROW(or_b, LLVMBuildOr(l->b, A, B, ""));
ROW(xor_i, LLVMBuildXor(l->b, A, B, ""));
ROW(xor_b, LLVMBuildXor(l->b, A, B, ""));
ROW(shl, LLVMBuildShl(l->b, A, masked_count(l, x), ""));
ROW(shr_u, LLVMBuildLShr(l->b, A, masked_count(l, x), ""));
ROW(shr_s, LLVMBuildAShr(l->b, A, masked_count(l, x), ""));
CMP(eq_i, LLVMIntEQ); CMP(eq_b, LLVMIntEQ); CMP(ne_i, LLVMIntNE); CMP(ne_b, LLVMIntNE);
CMP(lt_u, LLVMIntULT); CMP(lt_s, LLVMIntSLT); CMP(le_u, LLVMIntULE); CMP(le_s, LLVMIntSLE);
CMP(gt_u, LLVMIntUGT); CMP(gt_s, LLVMIntSGT); CMP(ge_u, LLVMIntUGE); CMP(ge_s, LLVMIntSGE);
FCMP(eq_f, LLVMRealOEQ); FCMP(ne_f, LLVMRealUNE); FCMP(lt_f, LLVMRealOLT); FCMP(le_f, LLVMRealOLE);
FCMP(gt_f, LLVMRealOGT); FCMP(ge_f, LLVMRealOGE);
ROW(select, LLVMBuildSelect(l->b, A, B, x->c, ""));
ROW(min_u, two(l, x, "llvm.umin"));
ROW(min_s, two(l, x, "llvm.smin"));
ROW(max_u, two(l, x, "llvm.umax"));
ROW(max_s, two(l, x, "llvm.smax"));
ROW(add_sat_u, two(l, x, "llvm.uadd.sat"));
ROW(add_sat_s, two(l, x, "llvm.sadd.sat"));
ROW(sub_sat_u, two(l, x, "llvm.usub.sat"));
ROW(sub_sat_s, two(l, x, "llvm.ssub.sat"));
ROW(popcount, one(l, x, "llvm.ctpop"));
ROW(bitreverse, one(l, x, "llvm.bitreverse"));
ROW(byteswap, one(l, x, "llvm.bswap"));
/* clang-format on */

/* a / 0 = all ones: the divisor that LLVM sees is never 0. */
static LLVMValueRef lower_div_u(struct lower *l, const struct op_args *x)
{
	LLVMValueRef zero = is_zero(l, B);
	LLVMValueRef divisor = LLVMBuildSelect(l->b, zero, integer(x, 1), B, "");
	return LLVMBuildSelect(l->b, zero, integer(x, -1), LLVMBuildUDiv(l->b, A, divisor, ""), "");
}

static LLVMValueRef lower_rem_u(struct lower *l, const struct op_args *x)
{
	LLVMValueRef divisor = LLVMBuildSelect(l->b, is_zero(l, B), integer(x, 1), B, "");
	return LLVMBuildURem(l->b, A, divisor, ""); /* a % 1 = 0 */
}

/* b, or 1 where a / b has no value: MIN / 1 = MIN and MIN % 1 = 0 are what the rows ask for MIN / -1 and MIN % -1. */
static LLVMValueRef safe_divisor(struct lower *l, const struct op_args *x)
{
	LLVMValueRef overflow = LLVMBuildAnd(l->b, LLVMBuildICmp(l->b, LLVMIntEQ, A, smallest(x), ""),
					     LLVMBuildICmp(l->b, LLVMIntEQ, B, integer(x, -1), ""), "");
	return LLVMBuildSelect(l->b, LLVMBuildOr(l->b, is_zero(l, B), overflow, ""), integer(x, 1), B, "");
}

static LLVMValueRef lower_div_s(struct lower *l, const struct op_args *x)
{
	LLVMValueRef quotient = LLVMBuildSDiv(l->b, A, safe_divisor(l, x), "");
	return LLVMBuildSelect(l->b, is_zero(l, B), integer(x, 0), quotient, "");
}

static LLVMValueRef lower_rem_s(struct lower *l, const struct op_args *x)
{
	return LLVMBuildSRem(l->b, A, safe_divisor(l, x), "");
}

static LLVMValueRef lower_abs_s(struct lower *l, const struct op_args *x)
{
	LLVMValueRef args[] = {A, LLVMConstInt(l->i1, 0, false)}; /* abs(MIN) is MIN, not poison */
	return lower_intrinsic(l, "llvm.abs", x->type, args, 2);
}

static LLVMValueRef distance(struct lower *l, const struct op_args *x, LLVMIntPredicate greater)
{
	return LLVMBuildSelect(l->b, LLVMBuildICmp(l->b, greater, A, B, ""), LLVMBuildSub(l->b, A, B, ""),
			       LLVMBuildSub(l->b, B, A, ""), "");
}

static LLVMValueRef lower_abs_diff_u(struct lower *l, const struct op_args *x)
{
	return distance(l, x, LLVMIntUGT);
}

static LLVMValueRef lower_abs_diff_s(struct lower *l, const struct op_args *x)
{
	return distance(l, x, LLVMIntSGT);
}

static LLVMValueRef lower_sign_s(struct lower *l, const struct op_args *x)
{
	LLVMValueRef zero = integer(x, 0);
	LLVMValueRef up = LLVMBuildZExt(l->b, LLVMBuildICmp(l->b, LLVMIntSGT, A, zero, ""), x->type, "");
	LLVMValueRef down = LLVMBuildZExt(l->b, LLVMBuildICmp(l->b, LLVMIntSLT, A, zero, ""), x->type, "");
	return LLVMBuildSub(l->b, up, down, "");
}

static LLVMValueRef saturating_product(struct lower *l, const struct op_args *x, const char *name, LLVMValueRef limit)
{
	LLVMValueRef pair = two(l, x, name);
	return LLVMBuildSelect(l->b, LLVMBuildExtractValue(l->b, pair, 1, ""), limit,
			       LLVMBuildExtractValue(l->b, pair, 0, ""), "");
}

static LLVMValueRef lower_mul_sat_u(struct lower *l, const struct op_args *x)
{
	return saturating_product(l, x, "llvm.umul.with.overflow", integer(x, -1));
}

static LLVMValueRef lower_mul_sat_s(struct lower *l, const struct op_args *x)
{
	LLVMValueRef sign = LLVMBuildAShr(l->b, LLVMBuildXor(l->b, A, B, ""), integer(x, x->width - 1), "");
	LLVMValueRef most = LLVMBuildNot(l->b, smallest(x), "");
	return saturating_product(l, x, "llvm.smul.with.overflow", LLVMBuildXor(l->b, most, sign, ""));
}

static LLVMValueRef upper_half(struct lower *l, const struct op_args *x, LLVMOpcode extend)
{
	LLVMTypeRef wide = x->width == 64 ? l->i128 : l->i64;
	LLVMValueRef product =
	    LLVMBuildMul(l->b, LLVMBuildCast(l->b, extend, A, wide, ""), LLVMBuildCast(l->b, extend, B, wide, ""), "");
	return LLVMBuildTrunc(l->b, LLVMBuildLShr(l->b, product, LLVMConstInt(wide, x->width, false), ""), x->type, "");
}

static LLVMValueRef lower_mul_hi_u(struct lower *l, const struct op_args *x)
{
	return upper_half(l, x, LLVMZExt);
}

static LLVMValueRef lower_mul_hi_s(struct lower *l, const struct op_args *x)
{
	return upper_half(l, x, LLVMSExt);
}

static LLVMValueRef rotate(struct lower *l, const struct op_args *x, const char *funnel)
{
	LLVMValueRef args[] = {A, A, B}; /* funnel shifts take the count modulo the width */
	return lower_intrinsic(l, funnel, x->type, args, 3);
}

static LLVMValueRef lower_rotl(struct lower *l, const struct op_args *x)
{
	return rotate(l, x, "llvm.fshl");
}

static LLVMValueRef lower_rotr(struct lower *l, const struct op_args *x)
{
	return rotate(l, x, "llvm.fshr");
}

static LLVMValueRef count_zeros(struct lower *l, const struct op_args *x, const char *name)
{
	LLVMValueRef args[] = {A, LLVMConstInt(l->i1, 0, false)}; /* the width for 0, not poison */
	return lower_intrinsic(l, name, x->type, args, 2);
}

static LLVMValueRef lower_clz(struct lower *l, const struct op_args *x)
{
	return count_zeros(l, x, "llvm.ctlz");
}

static LLVMValueRef lower_ctz(struct lower *l, const struct op_args *x)
{
	return count_zeros(l, x, "llvm.cttz");
}

/* Field b (modulo the fields in a word) of a: shifted to the top, then down again with or without the sign. */
static LLVMValueRef unpack(struct lower *l, const struct op_args *x, unsigned bits, bool sign)
{
	LLVMValueRef field = LLVMBuildAnd(l->b, B, lower_u32(l, 32 / bits - 1), "");
	LLVMValueRef shift = LLVMBuildMul(l->b, field, lower_u32(l, bits), "");
	LLVMValueRef top = LLVMBuildShl(l->b, LLVMBuildLShr(l->b, A, shift, ""), lower_u32(l, 32 - bits), "");
	return sign ? LLVMBuildAShr(l->b, top, lower_u32(l, 32 - bits), "")
		    : LLVMBuildLShr(l->b, top, lower_u32(l, 32 - bits), "");
}

/* One row, one line. */
/* clang-format off */
ROW(unpack_s8, unpack(l, x, 8, true));
ROW(unpack_u8, unpack(l, x, 8, false));
ROW(unpack_s4, unpack(l, x, 4, true));
ROW(unpack_u4, unpack(l, x, 4, false));

/* ---- floats ---------------------------------------------------------------------------------------------------------- */

ROW(add_f, LLVMBuildFAdd(l->b, A, B, ""));
ROW(sub_f, LLVMBuildFSub(l->b, A, B, ""));
ROW(mul_f, LLVMBuildFMul(l->b, A, B, ""));
ROW(div_f, LLVMBuildFDiv(l->b, A, B, ""));
ROW(neg_f, LLVMBuildFNeg(l->b, A, ""));
ROW(min_f, two(l, x, "llvm.minimumnum"));
ROW(max_f, two(l, x, "llvm.maximumnum"));
ROW(is_nan, LLVMBuildFCmp(l->b, LLVMRealUNO, A, A, ""));
ROW(abs_f, one(l, x, "llvm.fabs"));
ROW(sqrt, one(l, x, "llvm.sqrt"));
ROW(floor, one(l, x, "llvm.floor"));
ROW(ceil, one(l, x, "llvm.ceil"));
ROW(trunc, one(l, x, "llvm.trunc"));
ROW(round, one(l, x, "llvm.roundeven"));
ROW(copysign, two(l, x, "llvm.copysign"));
/* clang-format on */

static LLVMValueRef lower_sign_f(struct lower *l, const struct op_args *x)
{
	LLVMValueRef zero = LLVMConstNull(x->type);
	LLVMValueRef down =
	    LLVMBuildSelect(l->b, LLVMBuildFCmp(l->b, LLVMRealOLT, A, zero, ""), LLVMConstReal(x->type, -1), A, "");
	return LLVMBuildSelect(l->b, LLVMBuildFCmp(l->b, LLVMRealOGT, A, zero, ""), LLVMConstReal(x->type, 1), down,
			       "");
}

static LLVMValueRef magnitude_against_infinity(struct lower *l, const struct op_args *x, LLVMRealPredicate predicate)
{
	return LLVMBuildFCmp(l->b, predicate, one(l, x, "llvm.fabs"), LLVMConstReal(x->type, __builtin_inf()), "");
}

static LLVMValueRef lower_is_inf(struct lower *l, const struct op_args *x)
{
	return magnitude_against_infinity(l, x, LLVMRealOEQ);
}

static LLVMValueRef lower_is_finite(struct lower *l, const struct op_args *x)
{
	return magnitude_against_infinity(l, x, LLVMRealOLT);
}

static LLVMValueRef lower_fma(struct lower *l, const struct op_args *x)
{
	LLVMValueRef args[] = {A, B, x->c};
	if (l->target->has_fma)
		return lower_intrinsic(l, "llvm.fma", x->type, args, 3);
	return x->t == VYREC_F64 ? lower_fma_f64(l, A, B, x->c) : lower_fma_f32(l, A, B, x->c);
}

/* ---- conversions ----------------------------------------------------------------------------------------------------- */

static LLVMTypeRef result_type(struct lower *l, const struct op_args *x)
{
	return lower_type(l, x->node->type, x->node->loc);
}

static LLVMValueRef cast(struct lower *l, const struct op_args *x, LLVMOpcode op)
{
	return LLVMBuildCast(l->b, op, A, result_type(l, x), "");
}

/* To an integer of another width or the same; the operand's signedness says how to widen. */
static LLVMValueRef resize(struct lower *l, const struct op_args *x, bool sign)
{
	return LLVMBuildIntCast2(l->b, A, result_type(l, x), sign, "");
}

static LLVMValueRef refloat(struct lower *l, const struct op_args *x)
{
	return LLVMBuildFPCast(l->b, A, result_type(l, x), "");
}

static LLVMValueRef saturating(struct lower *l, const struct op_args *x, const char *name)
{
	LLVMTypeRef overloads[] = {result_type(l, x), x->type};
	unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	LLVMValueRef fn = LLVMGetIntrinsicDeclaration(l->module, id, overloads, 2), args[] = {A};
	return LLVMBuildCall2(l->b, LLVMGlobalGetValueType(fn), fn, args, 1, "");
}

/* One row, one line. */
/* clang-format off */
ROW(to_bool_i, LLVMBuildICmp(l->b, LLVMIntNE, A, LLVMConstNull(x->type), ""));
ROW(to_bool_b, A);
ROW(to_u32_i, resize(l, x, false));
ROW(to_u32_b, resize(l, x, false));
ROW(to_u32_f, saturating(l, x, "llvm.fptoui.sat"));
ROW(to_i32_i, resize(l, x, false));
ROW(to_i32_b, resize(l, x, false));
ROW(to_i32_f, saturating(l, x, "llvm.fptosi.sat"));
ROW(to_u64_u, resize(l, x, false));
ROW(to_u64_s, resize(l, x, true));
ROW(to_u64_b, resize(l, x, false));
ROW(to_u64_f, saturating(l, x, "llvm.fptoui.sat"));
ROW(to_i64_u, resize(l, x, false));
ROW(to_i64_s, resize(l, x, true));
ROW(to_i64_b, resize(l, x, false));
ROW(to_i64_f, saturating(l, x, "llvm.fptosi.sat"));
ROW(to_f32_u, cast(l, x, LLVMUIToFP));
ROW(to_f32_s, cast(l, x, LLVMSIToFP));
ROW(to_f32_b, cast(l, x, LLVMUIToFP));
ROW(to_f32_f, refloat(l, x));
ROW(to_f64_u, cast(l, x, LLVMUIToFP));
ROW(to_f64_s, cast(l, x, LLVMSIToFP));
ROW(to_f64_b, cast(l, x, LLVMUIToFP));
ROW(to_f64_f, refloat(l, x));
ROW(to_f16_u, cast(l, x, LLVMUIToFP));
ROW(to_f16_s, cast(l, x, LLVMSIToFP));
ROW(to_f16_b, cast(l, x, LLVMUIToFP));
ROW(to_f16_f, refloat(l, x));
ROW(bits_u32_f, cast(l, x, LLVMBitCast));
ROW(bits_f32_u, cast(l, x, LLVMBitCast));
ROW(bits_u64_f, cast(l, x, LLVMBitCast));
ROW(bits_f64_u, cast(l, x, LLVMBitCast));
/* clang-format on */
#undef ROW
#undef CMP
#undef FCMP
#undef A
#undef B

static lower_row *const rows[VYREC_OP_COUNT] = {
#define OP(name, ...) [VYREC_OP_##name] = lower_##name,
#include "ir/ops.def"
};

LLVMValueRef lower_op(struct lower *l, const struct vyrec_expr_node *node, vyrec_type operand, LLVMValueRef *args)
{
	struct op_args x = {.node = node,
			    .a = args[0],
			    .b = args[1],
			    .c = args[2],
			    .t = operand,
			    .type = lower_type(l, operand, node->loc),
			    .width = vyrec_type_bits(operand)};
	if (node->code == VYREC_OP_NONE || node->code >= VYREC_OP_COUNT) {
		lower_refuse(l, node->loc, "operation %u, which is in no table", node->code);
		return lower_zero(l, node->type);
	}
	return rows[node->code](l, &x);
}
