/* llvm_fma.c - a * b + c rounded once, on targets without the instruction.
 *
 * Enters: three floats. Leaves: the correctly rounded result, subnormals and all; which NaN is not defined.
 *
 * f32 goes through f64: the product of two f32 is exact there; the sum with c is rounded to odd (the last bit of an
 * inexact sum is set), and an odd f64 rounds to f32 as the exact sum would, because 53 >= 24 + 2.
 *
 * f64 has no wider type to go through, so it is done in integers, in a function of its own: the exact product of the
 * significands (106 bits) and c's significand are aligned in 128 bits, what is shifted out leaves a sticky bit, and the
 * sum is rounded by hand. What is zero, infinite or NaN takes the plain operations, which are exact there.
 *
 * Why not the C library's fma: an image has no library.
 */
#include "codegen/llvm.h"

/* ---- f32 ------------------------------------------------------------------------------------------------------------- */

LLVMValueRef lower_fma_f32(struct lower *l, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
	LLVMBuilderRef at = l->b;
	LLVMValueRef zero = LLVMConstNull(l->f64), one = LLVMConstInt(l->i64, 1, false);
	LLVMValueRef p = LLVMBuildFMul(at, LLVMBuildFPExt(at, a, l->f64, ""), LLVMBuildFPExt(at, b, l->f64, ""), "");
	LLVMValueRef d = LLVMBuildFPExt(at, c, l->f64, "");
	LLVMValueRef sum = LLVMBuildFAdd(at, p, d, "");
	/* What the sum lost, exactly, by the branch-free two-sum. */
	LLVMValueRef d_part = LLVMBuildFSub(at, sum, p, ""), p_part = LLVMBuildFSub(at, sum, d_part, "");
	LLVMValueRef lost = LLVMBuildFAdd(at, LLVMBuildFSub(at, p, p_part, ""), LLVMBuildFSub(at, d, d_part, ""), "");
	LLVMValueRef bits = LLVMBuildBitCast(at, sum, l->i64, "");
	LLVMValueRef even = LLVMBuildICmp(at, LLVMIntEQ, LLVMBuildAnd(at, bits, one, ""), LLVMConstNull(l->i64), "");
	LLVMValueRef inexact = LLVMBuildFCmp(at, LLVMRealONE, lost, zero, ""); /* false for infinities and NaN */
	LLVMValueRef outward = LLVMBuildICmp(at, LLVMIntEQ, LLVMBuildFCmp(at, LLVMRealOGT, lost, zero, ""),
					     LLVMBuildFCmp(at, LLVMRealOGT, sum, zero, ""), "");
	LLVMValueRef odd =
	    LLVMBuildSelect(at, outward, LLVMBuildAdd(at, bits, one, ""), LLVMBuildSub(at, bits, one, ""), "");
	bits = LLVMBuildSelect(at, LLVMBuildAnd(at, even, inexact, ""), odd, bits, "");
	return LLVMBuildFPTrunc(at, LLVMBuildBitCast(at, bits, l->f64, ""), l->f32, "");
}

/* ---- f64 ------------------------------------------------------------------------------------------------------------- */

/* |value| = significand * 2^(exponent - 1075), significand in [2^52, 2^53) unless the value is zero. */
struct parts {
	LLVMValueRef bits, significand, exponent, is_zero, is_finite;
};

static LLVMValueRef number(LLVMTypeRef type, int64_t value)
{
	return LLVMConstInt(type, (uint64_t)value, true);
}

static LLVMValueRef equal(struct lower *l, LLVMValueRef a, LLVMValueRef b)
{
	return LLVMBuildICmp(l->b, LLVMIntEQ, a, b, "");
}

static struct parts take_apart(struct lower *l, LLVMValueRef value)
{
	LLVMBuilderRef at = l->b;
	struct parts p = {.bits = LLVMBuildBitCast(at, value, l->i64, "")};
	LLVMValueRef fraction = LLVMBuildAnd(at, p.bits, number(l->i64, (INT64_C(1) << 52) - 1), "");
	LLVMValueRef field =
	    LLVMBuildAnd(at, LLVMBuildLShr(at, p.bits, number(l->i64, 52), ""), number(l->i64, 0x7ff), "");
	LLVMValueRef small = equal(l, field, number(l->i64, 0));
	LLVMValueRef full = LLVMBuildOr(at, fraction, number(l->i64, INT64_C(1) << 52), "");
	LLVMValueRef raw = LLVMBuildSelect(at, small, fraction, full, "");
	LLVMValueRef args[] = {raw, LLVMConstInt(l->i1, 0, false)};
	LLVMValueRef up = LLVMBuildSub(at, lower_intrinsic(l, "llvm.ctlz", l->i64, args, 2), number(l->i64, 11), "");
	p.significand = LLVMBuildShl(at, raw, up, "");
	p.exponent = LLVMBuildSub(at, LLVMBuildSelect(at, small, number(l->i64, 1), field, ""), up, "");
	p.is_zero = equal(l, raw, number(l->i64, 0));
	p.is_finite = LLVMBuildICmp(at, LLVMIntNE, field, number(l->i64, 0x7ff), "");
	return p;
}

/* x >> count, with the last bit set if a bit was lost. */
static LLVMValueRef shift_sticky(struct lower *l, LLVMValueRef x, LLVMValueRef count)
{
	LLVMTypeRef type = LLVMTypeOf(x);
	LLVMValueRef args[] = {count, number(l->i64, LLVMGetIntTypeWidth(type) - 1)};
	LLVMValueRef by = LLVMBuildIntCast2(l->b, lower_intrinsic(l, "llvm.umin", l->i64, args, 2), type, false, "");
	LLVMValueRef rest = LLVMBuildLShr(l->b, x, by, "");
	LLVMValueRef lost = LLVMBuildICmp(l->b, LLVMIntNE, LLVMBuildShl(l->b, rest, by, ""), x, "");
	return LLVMBuildOr(l->b, rest, LLVMBuildZExt(l->b, lost, type, ""), "");
}

/* sum * 2^exponent, sum not 0, to the bits of the nearest f64, ties to even, without a sign. */
static LLVMValueRef round_to_bits(struct lower *l, LLVMValueRef sum, LLVMValueRef exponent)
{
	LLVMBuilderRef at = l->b;
	LLVMValueRef ctlz_args[] = {sum, LLVMConstInt(l->i1, 0, false)};
	LLVMValueRef up = lower_intrinsic(l, "llvm.ctlz", l->i128, ctlz_args, 2);
	LLVMValueRef top = shift_sticky(l, LLVMBuildShl(at, sum, up, ""), number(l->i64, 64));
	LLVMValueRef m = LLVMBuildTrunc(at, top, l->i64, ""); /* bit 63 set */
	LLVMValueRef biased = LLVMBuildAdd(at, LLVMBuildSub(at, exponent, LLVMBuildTrunc(at, up, l->i64, ""), ""),
					   number(l->i64, 127 + 1023), "");
	LLVMValueRef max_args[] = {biased, number(l->i64, 1)}; /* below 1: subnormal, fewer bits */
	LLVMValueRef field = lower_intrinsic(l, "llvm.smax", l->i64, max_args, 2);
	m = shift_sticky(l, m, LLVMBuildSub(at, field, biased, ""));

	LLVMValueRef kept = LLVMBuildLShr(at, m, number(l->i64, 11), "");
	LLVMValueRef half = LLVMBuildAnd(at, LLVMBuildLShr(at, m, number(l->i64, 10), ""), number(l->i64, 1), "");
	LLVMValueRef rest = LLVMBuildAnd(at, m, number(l->i64, 0x3ff), "");
	LLVMValueRef above = LLVMBuildZExt(at, LLVMBuildICmp(at, LLVMIntNE, rest, number(l->i64, 0), ""), l->i64, "");
	LLVMValueRef round = LLVMBuildAnd(at, half, LLVMBuildOr(at, above, kept, ""), "");
	kept = LLVMBuildAdd(at, kept, round, "");
	/* kept holds the implicit bit, which counts as one in the exponent's field; so does a carry of the rounding. */
	LLVMValueRef base = LLVMBuildShl(at, LLVMBuildSub(at, field, number(l->i64, 1), ""), number(l->i64, 52), "");
	LLVMValueRef infinite = LLVMBuildICmp(at, LLVMIntSGE, field, number(l->i64, 0x7ff), "");
	return LLVMBuildSelect(at, infinite, number(l->i64, INT64_C(0x7ff) << 52), LLVMBuildAdd(at, base, kept, ""),
			       "");
}

/* For finite values that are not zero. */
static LLVMValueRef fma_in_integers(struct lower *l, const struct parts *a, const struct parts *b,
				    const struct parts *c)
{
	LLVMBuilderRef at = l->b;
	LLVMValueRef product = LLVMBuildMul(at, LLVMBuildZExt(at, a->significand, l->i128, ""),
					    LLVMBuildZExt(at, b->significand, l->i128, ""), "");
	/* Both end below bit 126: their sum fits, and 20 bits are below the product for what cancels. */
	LLVMValueRef p = LLVMBuildShl(at, product, number(l->i128, 20), "");
	LLVMValueRef q = LLVMBuildShl(at, LLVMBuildZExt(at, c->significand, l->i128, ""), number(l->i128, 72), "");
	LLVMValueRef p_exponent =
	    LLVMBuildSub(at, LLVMBuildAdd(at, a->exponent, b->exponent, ""), number(l->i64, 2 * 1075 + 20), "");
	LLVMValueRef q_exponent = LLVMBuildSub(at, c->exponent, number(l->i64, 1075 + 72), "");
	LLVMValueRef max_args[] = {p_exponent, q_exponent};
	LLVMValueRef exponent = lower_intrinsic(l, "llvm.smax", l->i64, max_args, 2);
	p = shift_sticky(l, p, LLVMBuildSub(at, exponent, p_exponent, ""));
	q = shift_sticky(l, q, LLVMBuildSub(at, exponent, q_exponent, ""));

	LLVMValueRef sign_bit = number(l->i64, INT64_MIN);
	LLVMValueRef p_sign = LLVMBuildAnd(at, LLVMBuildXor(at, a->bits, b->bits, ""), sign_bit, "");
	LLVMValueRef q_sign = LLVMBuildAnd(at, c->bits, sign_bit, "");
	LLVMValueRef together = equal(l, p_sign, q_sign), q_wins = LLVMBuildICmp(at, LLVMIntULT, p, q, "");
	LLVMValueRef difference =
	    LLVMBuildSelect(at, q_wins, LLVMBuildSub(at, q, p, ""), LLVMBuildSub(at, p, q, ""), "");
	LLVMValueRef sum = LLVMBuildSelect(at, together, LLVMBuildAdd(at, p, q, ""), difference, "");
	LLVMValueRef sign = LLVMBuildSelect(at, q_wins, q_sign, p_sign, "");
	LLVMValueRef bits = LLVMBuildOr(at, round_to_bits(l, sum, exponent), sign, "");
	LLVMValueRef none = equal(l, sum, number(l->i128, 0)); /* +0, as the nearest mode has it */
	return LLVMBuildBitCast(at, LLVMBuildSelect(at, none, number(l->i64, 0), bits, ""), l->f64, "");
}

static LLVMValueRef make_fma_function(struct lower *l)
{
	LLVMTypeRef params[] = {l->f64, l->f64, l->f64};
	LLVMValueRef fn = LLVMAddFunction(l->module, "vyre.fma64", LLVMFunctionType(l->f64, params, 3, false));
	LLVMBuilderRef outer = l->b;
	LLVMSetLinkage(fn, LLVMInternalLinkage);
	lower_attribute(l, fn, "noinline"); /* a hundred instructions */
	lower_attribute(l, fn, "nounwind");
	l->b = LLVMCreateBuilderInContext(l->context);
	LLVMPositionBuilderAtEnd(l->b, LLVMAppendBasicBlockInContext(l->context, fn, "start"));
	LLVMValueRef a = LLVMGetParam(fn, 0), b = LLVMGetParam(fn, 1), c = LLVMGetParam(fn, 2);
	struct parts pa = take_apart(l, a), pb = take_apart(l, b), pc = take_apart(l, c);
	LLVMValueRef factors = LLVMBuildAnd(l->b, pa.is_finite, pb.is_finite, "");
	LLVMValueRef zero = LLVMBuildOr(l->b, pa.is_zero, pb.is_zero, "");
	LLVMValueRef ordinary = LLVMBuildAnd(l->b, factors, LLVMBuildNot(l->b, zero, ""), "");
	LLVMValueRef product = LLVMBuildFMul(l->b, a, b, ""), plain = LLVMBuildFAdd(l->b, product, c, "");
	/* c = 0: the product alone, so that one that underflows keeps its sign. */
	LLVMValueRef exact = LLVMBuildSelect(l->b, pc.is_zero, product, fma_in_integers(l, &pa, &pb, &pc), "");
	/* c not finite: c, whatever a finite product would overflow to. */
	exact = LLVMBuildSelect(l->b, pc.is_finite, exact, c, "");
	LLVMBuildRet(l->b, LLVMBuildSelect(l->b, ordinary, exact, plain, ""));
	LLVMDisposeBuilder(l->b);
	l->b = outer;
	return fn;
}

LLVMValueRef lower_fma_f64(struct lower *l, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
	LLVMValueRef fn = LLVMGetNamedFunction(l->module, "vyre.fma64"), args[] = {a, b, c};
	if (!fn)
		fn = make_fma_function(l);
	return LLVMBuildCall2(l->b, LLVMGlobalGetValueType(fn), fn, args, 3, "");
}
