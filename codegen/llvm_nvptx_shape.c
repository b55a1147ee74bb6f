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

/* ---- indices that may wrap ------------------------------------------------------------------------------------------- */

/* Is the number of turns `to - from` of the loop that this block ends? */
static bool counts_from(LLVMBasicBlockRef latch, LLVMValueRef from)
{
	LLVMValueRef branch = LLVMGetBasicBlockTerminator(latch), compare;
	if (!LLVMIsABranchInst(branch) || !LLVMIsConditional(branch))
		return false;
	compare = LLVMGetCondition(branch);
	for (unsigned side = 0; LLVMIsAICmpInst(compare) && side < 2; side++) {
		LLVMValueRef turns = LLVMGetOperand(compare, side);
		if (LLVMIsABinaryOperator(turns) && LLVMGetInstructionOpcode(turns) == LLVMSub &&
		    LLVMGetOperand(turns, 1) == from)
			return true;
	}
	return false;
}

/* The add of `from` to a counter that goes from 0 by ones, in a loop of several blocks. */
static bool is_index(LLVMValueRef add)
{
	if (!LLVMIsABinaryOperator(add) || LLVMGetInstructionOpcode(add) != LLVMAdd || !LLVMGetNUW(add))
		return false;
	for (unsigned side = 0; side < 2; side++) {
		LLVMValueRef counter = LLVMGetOperand(add, side), from = LLVMGetOperand(add, 1 - side);
		for (unsigned k = 0; LLVMIsAPHINode(counter) && k < LLVMCountIncoming(counter); k++) {
			LLVMBasicBlockRef latch = LLVMGetIncomingBlock(counter, k);
			LLVMValueRef next = counted_next(counter, latch);
			if (next && is_one_more(next, counter) && counts_from(latch, from))
				return latch != LLVMGetInstructionParent(counter);
		}
	}
	return false;
}

/* With a 32-bit index that cannot wrap, code generation keeps a 64-bit address an array through the loop, two instructions a
 * turn to move each, and counts the turns beside them. With one that may, the index is the counter as well, and an address is
 * one instruction (visit: 34 to 33 an edge). Not so in loops of one block: ptxas unrolls them, and moves an address once for
 * four turns (crc32 of the policy `checked`: 7.25 to 9.75). */
static void let_wrap(LLVMModuleRef module)
{
	for (LLVMValueRef fn = LLVMGetFirstFunction(module); fn; fn = LLVMGetNextFunction(fn))
		for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(fn); block; block = LLVMGetNextBasicBlock(block))
			for (LLVMValueRef i = LLVMGetFirstInstruction(block); i; i = LLVMGetNextInstruction(i))
				if (is_index(i))
					LLVMSetNUW(i, false);
}

/* ---- one bit --------------------------------------------------------------------------------------------------------- */

/* What a shift by (x & 31) is a shift by; LLVM has already dropped the mask of what cannot be more. */
static LLVMValueRef unmasked(LLVMValueRef count)
{
	bool is_mask = LLVMIsABinaryOperator(count) && LLVMGetInstructionOpcode(count) == LLVMAnd &&
		       is_constant(LLVMGetOperand(count, 1), 31);
	return is_mask ? LLVMGetOperand(count, 0) : count;
}

/* 1 << (x & 31), as sets of bits have it, is an instruction of its own, with no register for the 1 (visit: 33 to 32). */
static void find_bits(LLVMModuleRef module, LLVMContextRef context)
{
	static const char name[] = "llvm.nvvm.bmsk.wrap";
	LLVMTypeRef i32 = LLVMInt32TypeInContext(context);
	LLVMValueRef mask = NULL;
	LLVMBuilderRef b = LLVMCreateBuilderInContext(context);
	for (LLVMValueRef fn = LLVMGetFirstFunction(module); fn; fn = LLVMGetNextFunction(fn))
		for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(fn); block; block = LLVMGetNextBasicBlock(block))
			for (LLVMValueRef i = LLVMGetFirstInstruction(block), next; i; i = next) {
				next = LLVMGetNextInstruction(i);
				if (LLVMTypeOf(i) != i32 || LLVMGetInstructionOpcode(i) != LLVMShl ||
				    !is_constant(LLVMGetOperand(i, 0), 1))
					continue;
				if (!mask)
					mask = LLVMGetIntrinsicDeclaration(
					    module, LLVMLookupIntrinsicID(name, strlen(name)), NULL, 0);
				LLVMValueRef args[] = {unmasked(LLVMGetOperand(i, 1)), LLVMConstInt(i32, 1, false)};
				LLVMPositionBuilderBefore(b, i);
				LLVMReplaceAllUsesWith(
				    i, LLVMBuildCall2(b, LLVMGlobalGetValueType(mask), mask, args, 2, ""));
				LLVMInstructionEraseFromParent(i);
			}
	LLVMDisposeBuilder(b);
}

void nvptx_shape(LLVMModuleRef module, LLVMContextRef context, const struct vyrec_target *target)
{
	widen_narrowed(module, context);
	count_up(module, context);
	let_wrap(module);
	if (target->has_bmsk)
		find_bits(module, context);
}
