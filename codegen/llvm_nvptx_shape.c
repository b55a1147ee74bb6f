/* llvm_nvptx_shape.c - what code generation for NVIDIA devices wants otherwise than LLVM's optimiser leaves it.
 *
 * Enters: an optimised module. Leaves: the same meaning, in the shapes that make fewer instructions or registers once LLVM's
 * code generator and ptxas have seen it. Invariant: a shape that is not known exactly stays as it is.
 * Why behind the optimiser: it would put back what it prefers.
 */
#include <string.h>

#include "codegen/llvm.h"

/* ---- bytes in 32 bits ------------------------------------------------------------------------------------------------ */

static bool is_low_part(LLVMTypeRef i32, LLVMValueRef v)
{
	return LLVMIsATruncInst(v) && LLVMTypeOf(LLVMGetOperand(v, 0)) == i32;
}

/* The zext of a bitwise operation of which one side was cut down from 32 bits. */
static bool is_narrowed(LLVMTypeRef i32, LLVMValueRef zext)
{
	LLVMValueRef op = LLVMGetOperand(zext, 0);
	if (LLVMGetTypeKind(LLVMTypeOf(zext)) != LLVMIntegerTypeKind || LLVMGetIntTypeWidth(LLVMTypeOf(zext)) < 32 ||
	    !LLVMIsABinaryOperator(op))
		return false;
	LLVMOpcode code = LLVMGetInstructionOpcode(op);
	return (code == LLVMAnd || code == LLVMOr || code == LLVMXor) &&
	       (is_low_part(i32, LLVMGetOperand(op, 0)) || is_low_part(i32, LLVMGetOperand(op, 1)));
}

/* The same in 32 bits, of which the upper ones are cut off at the end. */
static LLVMValueRef widen(LLVMBuilderRef b, LLVMTypeRef i32, LLVMValueRef zext)
{
	LLVMValueRef op = LLVMGetOperand(zext, 0), sides[2];
	for (unsigned k = 0; k < 2; k++) {
		LLVMValueRef v = LLVMGetOperand(op, k);
		sides[k] = is_low_part(i32, v) ? LLVMGetOperand(v, 0) : LLVMBuildZExt(b, v, i32, "");
	}
	uint64_t mask = (UINT64_C(1) << LLVMGetIntTypeWidth(LLVMTypeOf(op))) - 1;
	LLVMValueRef wide = LLVMBuildBinOp(b, LLVMGetInstructionOpcode(op), sides[0], sides[1], "");
	wide = LLVMBuildAnd(b, wide, LLVMConstInt(i32, mask, false), "");
	return LLVMBuildZExtOrBitCast(b, wide, LLVMTypeOf(zext), "");
}

/* The optimiser prefers zext(xor i8 (x, trunc y)) to and(xor(zext x, y), 255). Registers of a GPU have 32 bits, and what is
 * narrower costs a conversion there (one of 11 instructions a byte of crc32): back, where one side has 32 bits anyway. */
static void widen_narrowed(LLVMModuleRef module, LLVMContextRef context)
{
	LLVMTypeRef i32 = LLVMInt32TypeInContext(context);
	LLVMBuilderRef b = LLVMCreateBuilderInContext(context);
	for (LLVMValueRef fn = LLVMGetFirstFunction(module); fn; fn = LLVMGetNextFunction(fn))
		for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(fn); block; block = LLVMGetNextBasicBlock(block))
			for (LLVMValueRef i = LLVMGetFirstInstruction(block), next; i; i = next) {
				next = LLVMGetNextInstruction(i);
				if (!LLVMIsAZExtInst(i) || !is_narrowed(i32, i))
					continue;
				LLVMPositionBuilderBefore(b, i);
				LLVMReplaceAllUsesWith(i, widen(b, i32, i));
				LLVMInstructionEraseFromParent(i);
			}
	LLVMDisposeBuilder(b);
}

/* ---- counters that count up ------------------------------------------------------------------------------------------ */

/* The test of a loop by strides, of a counter that goes 0, 1, 2 ...: the loop ends when it is `last`. */
struct loop_test {
	LLVMValueRef branch, compare;
	LLVMValueRef counter, next, last; /* next: counter + 1 */
	bool leaves;			  /* the branch leaves where the comparison holds */
};

static bool has_property(LLVMValueRef list, const char *name)
{
	LLVMValueRef parts[8];
	unsigned count = LLVMGetMDNodeNumOperands(list), bytes;
	if (count > sizeof parts / sizeof *parts)
		return false;
	LLVMGetMDNodeOperands(list, parts);
	for (unsigned k = 1; k < count; k++) { /* the first one is the node itself */
		LLVMValueRef words;
		if (!parts[k] || LLVMGetMDNodeNumOperands(parts[k]) != 1)
			continue;
		LLVMGetMDNodeOperands(parts[k], &words);
		const char *text = words ? LLVMGetMDString(words, &bytes) : NULL;
		if (text && bytes == strlen(name) && !memcmp(text, name, bytes))
			return true;
	}
	return false;
}

static bool is_constant(LLVMValueRef v, uint64_t value)
{
	return LLVMIsAConstantInt(v) && LLVMConstIntGetZExtValue(v) == value;
}

/* The value that a phi of two has after a turn; NULL: the latch is none of its blocks, or it does not start at 0. */
static LLVMValueRef counted_next(LLVMValueRef phi, LLVMBasicBlockRef latch)
{
	if (!LLVMIsAPHINode(phi) || LLVMCountIncoming(phi) != 2)
		return NULL;
	unsigned back = LLVMGetIncomingBlock(phi, 0) == latch ? 0 : 1;
	if (LLVMGetIncomingBlock(phi, back) != latch || !is_constant(LLVMGetIncomingValue(phi, 1 - back), 0))
		return NULL;
	return LLVMGetIncomingValue(phi, back);
}

static bool is_one_more(LLVMValueRef next, LLVMValueRef counter)
{
	return LLVMIsABinaryOperator(next) && LLVMGetInstructionOpcode(next) == LLVMAdd && LLVMGetNUW(next) &&
	       LLVMGetOperand(next, 0) == counter && is_constant(LLVMGetOperand(next, 1), 1);
}

static bool read_side(struct loop_test *t, unsigned side)
{
	t->counter = LLVMGetOperand(t->compare, side);
	t->last = LLVMGetOperand(t->compare, 1 - side);
	t->next = counted_next(t->counter, LLVMGetInstructionParent(t->branch));
	if (!t->next || !is_one_more(t->next, t->counter) || LLVMIsAConstant(t->last))
		return false;
	LLVMBasicBlockRef head = LLVMGetInstructionParent(t->counter);
	t->leaves = LLVMGetSuccessor(t->branch, 0) != head;
	return LLVMGetSuccessor(t->branch, t->leaves) == head &&
	       t->leaves == (LLVMGetICmpPredicate(t->compare) == LLVMIntEQ);
}

static bool read_test(struct loop_test *t, LLVMValueRef branch, unsigned kind_loop)
{
	if (!branch || !LLVMIsABranchInst(branch) || !LLVMIsConditional(branch))
		return false;
	LLVMValueRef list = LLVMGetMetadata(branch, kind_loop);
	t->branch = branch;
	t->compare = LLVMGetCondition(branch);
	if (!list || !has_property(list, LOWER_STRIDED_LOOP) || !LLVMIsAICmpInst(t->compare))
		return false;
	LLVMIntPredicate how = LLVMGetICmpPredicate(t->compare);
	return (how == LLVMIntEQ || how == LLVMIntNE) && (read_side(t, 0) || read_side(t, 1));
}

/* LLVM makes the test of a loop one for equality, and code generation then counts down to zero beside the index that counts
 * up. With a test for `at most` it counts up, and ptxas needs up to four registers less for the loop that it makes of four
 * turns (tests/gpu/compare: checksum 27 to 25, dot 32 to 28). The turns are the same: a loop of for_stmt makes 1 .. 2^width-1
 * of them, so `last` is at least 0 and `next` does not wrap. Not so for steps of one, where the counter is the index: LLVM
 * makes a 64-bit one of both, which ptxas does not unroll (crc32 of the policy `checked`: 7.25 to 12 a byte). */
static void count_up(LLVMModuleRef module, LLVMContextRef context)
{
	unsigned kind_loop = LLVMGetMDKindIDInContext(context, "llvm.loop", 9);
	LLVMBuilderRef b = LLVMCreateBuilderInContext(context);
	for (LLVMValueRef fn = LLVMGetFirstFunction(module); fn; fn = LLVMGetNextFunction(fn))
		for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(fn); block;
		     block = LLVMGetNextBasicBlock(block)) {
			struct loop_test t;
			if (!read_test(&t, LLVMGetBasicBlockTerminator(block), kind_loop))
				continue;
			LLVMPositionBuilderBefore(b, t.branch);
			LLVMSetCondition(t.branch,
					 LLVMBuildICmp(b, t.leaves ? LLVMIntUGT : LLVMIntULE, t.next, t.last, ""));
			if (!LLVMGetFirstUse(t.compare))
				LLVMInstructionEraseFromParent(t.compare);
		}
	LLVMDisposeBuilder(b);
}

void nvptx_shape(LLVMModuleRef module, LLVMContextRef context)
{
	widen_narrowed(module, context);
	count_up(module, context);
}
