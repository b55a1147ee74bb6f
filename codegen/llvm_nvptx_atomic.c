/* llvm_nvptx_atomic.c - read-modify-writes with order and scope on NVIDIA devices, as inline PTX.
 *
 * Enters: an atomic of the IR, its place, its value. Leaves: the previous value. Invariant: order and scope are exactly
 * those that the IR says.
 *
 * Why not atomicrmw: LLVM 22 selects `atom.global.add` for every order and scope, which is relaxed and the device's; loads,
 * stores, compare-exchange and fences it gets right. Where relaxed and device is what is asked for, atomicrmw stays: LLVM
 * knows what it touches and folds the address, and inline assembly it must take for anything. So for relaxed ones in shared
 * memory: nobody outside the workgroup can see it, so its scopes are one.
 */
#include <stdio.h>
#include <string.h>

#include "codegen/llvm.h"

enum { SHARED_SPACE = 3 };

/* The operation in PTX, and what it takes: bits, always unsigned numbers, numbers as the type is. */
static const struct {
	const char *name;
	char kind;
} rows[VYREC_ATOMIC_COUNT] = {
    [VYREC_ATOMIC_ADD] = {"add", 'u'}, [VYREC_ATOMIC_SUB] = {"add", 'u'}, [VYREC_ATOMIC_AND] = {"and", 'b'},
    [VYREC_ATOMIC_OR] = {"or", 'b'},   [VYREC_ATOMIC_XOR] = {"xor", 'b'}, [VYREC_ATOMIC_EXCHANGE] = {"exch", 'b'},
    [VYREC_ATOMIC_MIN] = {"min", 't'}, [VYREC_ATOMIC_MAX] = {"max", 't'},
};

/* A sequentially consistent one is an acquire behind a fence.sc, which is how LLVM does a compare-exchange: the fence
 * orders all that was before. */
static const char *const orders[VYREC_ORDER_COUNT] = {
    [VYREC_ORDER_RELAXED] = "relaxed", [VYREC_ORDER_ACQUIRE] = "acquire", [VYREC_ORDER_RELEASE] = "release",
    [VYREC_ORDER_ACQREL] = "acq_rel",  [VYREC_ORDER_SEQCST] = "acquire",
};

static const char *const scopes[VYREC_SCOPE_COUNT] = {
    [VYREC_SCOPE_WORKGROUP] = "cta", [VYREC_SCOPE_DEVICE] = "gpu", [VYREC_SCOPE_SYSTEM] = "sys"};

static char letter(const struct vyrec_expr_node *node)
{
	char kind = rows[node->code].kind;
	return kind != 't' ? kind : vyrec_type_is_sint(node->type) ? 's' : 'u';
}

static LLVMValueRef inline_rmw(struct lower *l, const struct vyrec_expr_node *node, LLVMValueRef place,
			       LLVMValueRef value)
{
	LLVMTypeRef type = LLVMTypeOf(value), address = LLVMTypeOf(place);
	LLVMTypeRef params[] = {address, type};
	LLVMValueRef args[] = {place, value};
	bool is_wide = LLVMGetIntTypeWidth(type) == 64, is_shared = LLVMGetPointerAddressSpace(address) == SHARED_SPACE;
	const char *constraints = is_wide ? "=l,l,l,~{memory}" : "=r,l,r,~{memory}";
	char text[96];
	int bytes =
	    snprintf(text, sizeof text, "atom.%s.%s.%s.%s.%c%u $0, [$1], $2;", orders[node->order], scopes[node->scope],
		     is_shared ? "shared" : "global", rows[node->code].name, letter(node), is_wide ? 64u : 32u);
	LLVMTypeRef fn = LLVMFunctionType(type, params, 2, false);
	LLVMValueRef code = LLVMGetInlineAsm(fn, text, (size_t)bytes, constraints, strlen(constraints), true, false,
					     LLVMInlineAsmDialectATT, false);
	return LLVMBuildCall2(l->b, fn, code, args, 2, "");
}

LLVMValueRef nvptx_rmw(struct lower *l, const struct vyrec_expr_node *node, LLVMValueRef place, LLVMValueRef value)
{
	bool is_shared = LLVMGetPointerAddressSpace(LLVMTypeOf(place)) == SHARED_SPACE;
	if (node->order == VYREC_ORDER_RELAXED && (is_shared || node->scope == VYREC_SCOPE_DEVICE))
		return LLVMBuildAtomicRMW(l->b, lower_rmw_op(node), place, value, LLVMAtomicOrderingMonotonic, false);
	if (node->code == VYREC_ATOMIC_SUB)
		value = LLVMBuildNeg(l->b, value, "");
	if (node->order == VYREC_ORDER_SEQCST)
		lower_fence(l, LLVMAtomicOrderingSequentiallyConsistent, node->scope);
	return inline_rmw(l, node, place, value);
}
