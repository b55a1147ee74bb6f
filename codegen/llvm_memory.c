/* llvm_memory.c - everything that touches memory: bounds policies, loads, stores, atomics, the debug log.
 *
 * Enters: an array, an index (u32, or u64 from a copy), a policy. Leaves: the access, inside the branch that the policy asks for.
 * Invariants: an access that the policy refuses touches nothing and loads give 0; a load is done once and frozen, so
 * that a racing store makes its value arbitrary, never undefined; the index is widened before it is compared with the
 * 64-bit count, so that nothing wraps.
 *
 * Why a branch and not a select of a safe address: LLVM turns the branch into masked loads where that pays and hoists
 * an invariant condition; an address that is always valid does not exist for an empty buffer.
 *
 * Distinct buffers never overlap (the loader refuses to bind one twice), which every access tells by alias.scope and
 * noalias: the vectoriser then needs no run-time comparison of addresses.
 */
#include <string.h>

#include "codegen/llvm.h"
#include "runtime/abi/ring.h"

struct access {
	LLVMValueRef pointer;
	LLVMBasicBlockRef from, join; /* the block that skipped the access, and where both meet; NULL = always done */
};

static LLVMValueRef wide(struct lower *l, uint64_t value)
{
	return LLVMConstInt(l->i64, value, false);
}

/* Branches to `refused` unless condition holds; goes on where it does. A condition known to hold costs nothing. */
static void require(struct lower *l, LLVMValueRef condition, LLVMBasicBlockRef refused)
{
	LLVMBasicBlockRef fine = lower_new_block(l, "in");
	LLVMBuildCondBr(l->b, condition, fine, refused);
	lower_at(l, fine);
}

static bool is_true(LLVMValueRef v)
{
	return LLVMIsAConstantInt(v) && LLVMConstIntGetZExtValue(v) != 0;
}

static void skip_unless(struct lower *l, struct access *a, LLVMValueRef condition)
{
	if (is_true(condition))
		return;
	a->from = LLVMGetInsertBlock(l->b);
	a->join = lower_new_block(l, "done");
	require(l, condition, a->join);
}

static void trap_unless(struct lower *l, LLVMValueRef condition, LLVMValueRef index)
{
	if (is_true(condition))
		return;
	LLVMBasicBlockRef refused = lower_new_block(l, "out_of_range");
	require(l, condition, refused);
	LLVMBasicBlockRef fine = LLVMGetInsertBlock(l->b);
	lower_at(l, refused);
	lower_trap(l, lower_u32(l, VYRE_FAULT_OUT_OF_RANGE), LLVMBuildIntCast2(l->b, index, l->i32, false, ""));
	lower_at(l, fine);
}

static struct access access_begin(struct lower *l, vyrec_array array, LLVMValueRef index, vyrec_policy policy)
{
	struct lower_array *to = &l->arrays[array];
	struct access a = {0};
	LLVMValueRef at = LLVMBuildIntCast2(l->b, index, l->i64, false, "");
	LLVMValueRef inside = LLVMBuildICmp(l->b, LLVMIntULT, at, to->count, "");
	switch (policy) {
	case VYREC_POLICY_UNCHECKED:
		break;
	case VYREC_POLICY_TRAP:
		trap_unless(l, inside, index);
		break;
	case VYREC_POLICY_CLAMP: {
		LLVMValueRef last = LLVMBuildSub(l->b, to->count, wide(l, 1), ""), args[] = {at, last};
		if (!to->never_empty)
			skip_unless(l, &a, LLVMBuildICmp(l->b, LLVMIntNE, to->count, wide(l, 0), ""));
		at = lower_intrinsic(l, "llvm.umin", l->i64, args, 2);
		break;
	}
	default: /* checked; the pass `bounds` left no DEFAULT */
		skip_unless(l, &a, inside);
		break;
	}
	a.pointer = LLVMBuildInBoundsGEP2(l->b, to->element, to->data, &at, 1, "");
	return a;
}

/* Joins the path that skipped. Value may be NULL (a store); else the result is the value, or zero where skipped. */
static LLVMValueRef access_end(struct lower *l, struct access *a, LLVMValueRef value)
{
	if (!a->join)
		return value;
	LLVMBasicBlockRef did = LLVMGetInsertBlock(l->b);
	LLVMBuildBr(l->b, a->join);
	lower_at(l, a->join);
	if (!value)
		return NULL;
	LLVMValueRef phi = LLVMBuildPhi(l->b, LLVMTypeOf(value), ""), none = LLVMConstNull(LLVMTypeOf(value));
	LLVMAddIncoming(phi, &value, &did, 1);
	LLVMAddIncoming(phi, &none, &a->from, 1);
	return phi;
}

static void tag(struct lower *l, vyrec_array array, LLVMValueRef access)
{
	if (l->arrays[array].scope)
		LLVMSetMetadata(access, l->kind_scope, l->arrays[array].scope);
	if (l->arrays[array].no_alias)
		LLVMSetMetadata(access, l->kind_no_alias, l->arrays[array].no_alias);
}

/* ---- plain accesses -------------------------------------------------------------------------------------------------- */

LLVMValueRef lower_load(struct lower *l, vyrec_array array, LLVMValueRef index, vyrec_policy policy, vyrec_loc loc)
{
	vyrec_type element = l->m->arrays[array].element;
	LLVMTypeRef type = lower_element(l, element, loc);
	struct access a = access_begin(l, array, index, policy);
	LLVMValueRef value = LLVMBuildLoad2(l->b, type, a.pointer, "");
	LLVMSetAlignment(value, vyrec_type_bytes(element));
	tag(l, array, value);
	if (l->form->reads_const_aside && l->m->arrays[array].class_ == VYREC_CLASS_CONST)
		LLVMSetMetadata(value, l->kind_invariant, lower_node(l, NULL, 0));
	value = LLVMBuildFreeze(l->b, value, "");
	switch (element) {
	case VYREC_BOOL:
		value = LLVMBuildICmp(l->b, LLVMIntNE, value, LLVMConstNull(type), "");
		break;
	case VYREC_U8:
	case VYREC_U16:
		value = LLVMBuildZExt(l->b, value, l->i32, "");
		break;
	case VYREC_I8:
	case VYREC_I16:
		value = LLVMBuildSExt(l->b, value, l->i32, "");
		break;
	default:
		break;
	}
	return access_end(l, &a, value);
}

void lower_store(struct lower *l, vyrec_array array, LLVMValueRef index, LLVMValueRef value, vyrec_policy policy,
		 vyrec_loc loc)
{
	vyrec_type element = l->m->arrays[array].element;
	LLVMTypeRef type = lower_element(l, element, loc);
	struct access a = access_begin(l, array, index, policy);
	if (LLVMGetTypeKind(type) == LLVMIntegerTypeKind)
		value = LLVMBuildIntCast2(l->b, value, type, false, ""); /* widens a bool, truncates to u8 .. i16 */
	LLVMValueRef store = LLVMBuildStore(l->b, value, a.pointer);
	LLVMSetAlignment(store, vyrec_type_bytes(element));
	tag(l, array, store);
	access_end(l, &a, NULL);
}

LLVMValueRef lower_length(struct lower *l, vyrec_array array)
{
	LLVMValueRef args[] = {l->arrays[array].count, wide(l, UINT32_MAX)};
	return LLVMBuildTrunc(l->b, lower_intrinsic(l, "llvm.umin", l->i64, args, 2), l->i32, "");
}

/* ---- arrays of a lane, and of its workgroup -------------------------------------------------------------------------- */

void lower_array_alloca(struct lower *l, vyrec_array array, vyrec_loc loc)
{
	const struct vyrec_array_node *node = &l->m->arrays[array];
	LLVMTypeRef element = lower_element(l, node->element, loc);
	l->arrays[array].element = element;
	l->arrays[array].count = wide(l, node->count);
	l->arrays[array].never_empty = node->count != 0;
	l->arrays[array].data =
	    LLVMBuildAlloca(l->entry_b, LLVMArrayType2(element, node->count), vyrec_name_text(l->m, node->name));
	LLVMSetAlignment(l->arrays[array].data, node->count > 8 ? 32 : 8);
}

/* A loop in plain words; the function carries no-builtins, so that it never becomes a call of memset. */
void lower_array_zero(struct lower *l, vyrec_array array)
{
	struct lower_array *to = &l->arrays[array];
	if (!to->never_empty)
		return;
	LLVMBasicBlockRef before = LLVMGetInsertBlock(l->b);
	LLVMBasicBlockRef loop = lower_new_block(l, "zero"), after = lower_new_block(l, "zeroed");
	LLVMBuildBr(l->b, loop);
	lower_at(l, loop);
	LLVMValueRef i = LLVMBuildPhi(l->b, l->i64, ""), first = wide(l, 0);
	LLVMValueRef store = LLVMBuildStore(l->b, LLVMConstNull(to->element),
					    LLVMBuildInBoundsGEP2(l->b, to->element, to->data, &i, 1, ""));
	LLVMSetAlignment(store, vyrec_type_bytes(l->m->arrays[array].element));
	LLVMValueRef next = LLVMBuildNUWAdd(l->b, i, wide(l, 1), "");
	LLVMAddIncoming(i, &first, &before, 1);
	LLVMAddIncoming(i, &next, &loop, 1);
	LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntEQ, next, to->count, ""), after, loop);
	lower_at(l, after);
}

/* ---- atomics --------------------------------------------------------------------------------------------------------- */

LLVMAtomicOrdering lower_order(unsigned order)
{
	static const LLVMAtomicOrdering orders[VYREC_ORDER_COUNT] = {
	    [VYREC_ORDER_RELAXED] = LLVMAtomicOrderingMonotonic,
	    [VYREC_ORDER_ACQUIRE] = LLVMAtomicOrderingAcquire,
	    [VYREC_ORDER_RELEASE] = LLVMAtomicOrderingRelease,
	    [VYREC_ORDER_ACQREL] = LLVMAtomicOrderingAcquireRelease,
	    [VYREC_ORDER_SEQCST] = LLVMAtomicOrderingSequentiallyConsistent,
	};
	return order < VYREC_ORDER_COUNT ? orders[order] : LLVMAtomicOrderingSequentiallyConsistent;
}

unsigned lower_scope(struct lower *l, unsigned scope)
{
	const char *name = scope < VYREC_SCOPE_COUNT ? l->form->scopes[scope] : NULL;
	return LLVMGetSyncScopeID(l->context, name ? name : "", name ? strlen(name) : 0);
}

LLVMValueRef lower_fence(struct lower *l, LLVMAtomicOrdering order, unsigned scope)
{
	return LLVMBuildFenceSyncScope(l->b, order, lower_scope(l, scope), "");
}

/* A load has no release half and a store no acquire half: what is left of the order is kept. */
static LLVMAtomicOrdering half(LLVMAtomicOrdering order, LLVMAtomicOrdering other, LLVMAtomicOrdering own)
{
	if (order == other)
		return LLVMAtomicOrderingMonotonic;
	return order == LLVMAtomicOrderingAcquireRelease ? own : order;
}

LLVMAtomicRMWBinOp lower_rmw_op(const struct vyrec_expr_node *node)
{
	bool sign = vyrec_type_is_sint(node->type);
	switch (node->code) {
	case VYREC_ATOMIC_ADD:
		return LLVMAtomicRMWBinOpAdd;
	case VYREC_ATOMIC_SUB:
		return LLVMAtomicRMWBinOpSub;
	case VYREC_ATOMIC_AND:
		return LLVMAtomicRMWBinOpAnd;
	case VYREC_ATOMIC_OR:
		return LLVMAtomicRMWBinOpOr;
	case VYREC_ATOMIC_XOR:
		return LLVMAtomicRMWBinOpXor;
	case VYREC_ATOMIC_MIN:
		return sign ? LLVMAtomicRMWBinOpMin : LLVMAtomicRMWBinOpUMin;
	case VYREC_ATOMIC_MAX:
		return sign ? LLVMAtomicRMWBinOpMax : LLVMAtomicRMWBinOpUMax;
	default:
		return LLVMAtomicRMWBinOpXchg;
	}
}

/* The access itself, on integers: the result, or NULL for a store. */
static LLVMValueRef atomic_access(struct lower *l, const struct vyrec_expr_node *node, LLVMTypeRef type,
				  LLVMValueRef place, LLVMValueRef value, LLVMValueRef second)
{
	LLVMAtomicOrdering order = lower_order(node->order);
	LLVMAtomicOrdering load = half(order, LLVMAtomicOrderingRelease, LLVMAtomicOrderingAcquire);
	LLVMValueRef done, result;
	switch (node->code) {
	case VYREC_ATOMIC_LOAD:
		done = result = LLVMBuildLoad2(l->b, type, place, "");
		LLVMSetOrdering(done, load);
		LLVMSetAlignment(done, vyrec_type_bytes(node->type));
		break;
	case VYREC_ATOMIC_STORE:
		done = LLVMBuildStore(l->b, value, place);
		result = NULL;
		LLVMSetOrdering(done, half(order, LLVMAtomicOrderingAcquire, LLVMAtomicOrderingRelease));
		LLVMSetAlignment(done, LLVMGetIntTypeWidth(type) / 8);
		break;
	case VYREC_ATOMIC_COMPARE_EXCHANGE:
		done = LLVMBuildAtomicCmpXchg(l->b, place, value, second, order, load, false);
		result = LLVMBuildExtractValue(l->b, done, 0, "");
		break;
	default:
		done = result = l->form->rmw(l, node, place, value);
		if (!LLVMIsAAtomicRMWInst(done))
			return result; /* inline assembly tells by itself what it touches */
		break;
	}
	LLVMSetAtomicSyncScopeID(done, lower_scope(l, node->scope));
	tag(l, node->sym, done);
	return result;
}

LLVMValueRef lower_atomic(struct lower *l, const struct vyrec_expr_node *node)
{
	vyrec_type element = l->m->arrays[node->sym].element;
	bool is_float = vyrec_type_is_float(element);
	LLVMTypeRef type = vyrec_type_bytes(element) == 8 ? l->i64 : l->i32;
	LLVMValueRef index = lower_expr(l, node->arg[0]), value = NULL, second = NULL;
	if (node->arg[1])
		value = lower_expr(l, node->arg[1]);
	if (node->arg[2])
		second = lower_expr(l, node->arg[2]);
	if (vyrec_type_bytes(element) < 4 || element == VYREC_BOOL) {
		lower_refuse(l, node->loc, "atomics on %s; use u32, i32, u64 or i64", vyrec_type_name(element));
		return lower_zero(l, node->type);
	}
	if (is_float && value)
		value = LLVMBuildBitCast(l->b, value, type, "");
	struct access a = access_begin(l, node->sym, index, node->policy);
	LLVMValueRef result = atomic_access(l, node, type, a.pointer, value, second);
	if (is_float && result)
		result = LLVMBuildBitCast(l->b, result, l->arrays[node->sym].element, "");
	return access_end(l, &a, result);
}

/* ---- debug log ------------------------------------------------------------------------------------------------------- */

static vyrec_array find_buffer(struct lower *l, const char *name)
{
	const struct vyrec_unit_node *unit = &l->m->units[l->unit];
	for (uint32_t i = 0; i < unit->item_count; i++) {
		uint32_t kind = l->m->refs[unit->items + 2 * i], index = l->m->refs[unit->items + 2 * i + 1];
		if (kind == VYREC_ITEM_BUFFER && !strcmp(vyrec_name_text(l->m, l->m->arrays[index].name), name))
			return index;
	}
	return 0;
}

/* void log(ptr words, i64 count, i32 id, i32 a, i32 b): takes 4 words by compare-exchange, so that the cursor never
 * passes the capacity; a full log drops the record. A function of its own: sites are many and cold. */
static LLVMValueRef make_log_function(struct lower *l)
{
	LLVMTypeRef params[] = {l->buffer_ptr, l->i64, l->i32, l->i32, l->i32};
	LLVMTypeRef type = LLVMFunctionType(l->none, params, 5, false);
	LLVMValueRef fn = LLVMAddFunction(l->module, "vyre.log", type), none = wide(l, 0);
	LLVMBuilderRef b = LLVMCreateBuilderInContext(l->context);
	LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(l->context, fn, "start");
	LLVMBasicBlockRef look = LLVMAppendBasicBlockInContext(l->context, fn, "look");
	LLVMBasicBlockRef try = LLVMAppendBasicBlockInContext(l->context, fn, "try");
	LLVMBasicBlockRef write = LLVMAppendBasicBlockInContext(l->context, fn, "write");
	LLVMBasicBlockRef leave = LLVMAppendBasicBlockInContext(l->context, fn, "leave");
	lower_attribute(l, fn, "noinline");
	lower_attribute(l, fn, "cold");
	lower_attribute(l, fn, "nounwind");
	LLVMSetLinkage(fn, LLVMInternalLinkage);

	unsigned scope = lower_scope(l, VYREC_SCOPE_DEVICE);
	LLVMValueRef words = LLVMGetParam(fn, 0), count = LLVMGetParam(fn, 1),
		     limit_args[] = {count, wide(l, VYRE_DEBUG_WORDS)};
	LLVMPositionBuilderAtEnd(b, start);
	LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntEQ, count, none, ""), leave, look);

	LLVMPositionBuilderAtEnd(b, look); /* room: 1 + cursor + 4 <= min(count, 257) */
	LLVMValueRef old = LLVMBuildLoad2(b, l->i32, words, "");
	LLVMSetOrdering(old, LLVMAtomicOrderingMonotonic);
	LLVMSetAtomicSyncScopeID(old, scope);
	LLVMSetAlignment(old, 4);
	unsigned umin = LLVMLookupIntrinsicID("llvm.umin", 9);
	LLVMValueRef umin_fn = LLVMGetIntrinsicDeclaration(l->module, umin, &l->i64, 1);
	LLVMValueRef limit = LLVMBuildCall2(b, LLVMGlobalGetValueType(umin_fn), umin_fn, limit_args, 2, "");
	LLVMValueRef after = LLVMBuildAdd(b, LLVMBuildZExt(b, old, l->i64, ""), wide(l, VYRE_DEBUG_RECORD_WORDS), "");
	LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntULT, after, limit, ""), try, leave);

	LLVMPositionBuilderAtEnd(b, try);
	LLVMValueRef new = LLVMBuildAdd(b, old, lower_u32(l, VYRE_DEBUG_RECORD_WORDS), "");
	LLVMValueRef pair =
	    LLVMBuildAtomicCmpXchg(b, words, old, new, LLVMAtomicOrderingMonotonic, LLVMAtomicOrderingMonotonic, false);
	LLVMSetAtomicSyncScopeID(pair, scope);
	LLVMBuildCondBr(b, LLVMBuildExtractValue(b, pair, 1, ""), write, look);

	LLVMPositionBuilderAtEnd(b, write);
	for (unsigned i = 0; i < VYRE_DEBUG_RECORD_WORDS; i++) {
		LLVMValueRef at = LLVMBuildAdd(b, LLVMBuildZExt(b, old, l->i64, ""), wide(l, 1 + i), "");
		LLVMValueRef value = i < 3 ? LLVMGetParam(fn, 2 + i) : lower_u32(l, 0); /* no slot: 16 x 0 */
		LLVMValueRef store = LLVMBuildStore(b, value, LLVMBuildInBoundsGEP2(b, l->i32, words, &at, 1, ""));
		LLVMSetOrdering(store, LLVMAtomicOrderingMonotonic);
		LLVMSetAtomicSyncScopeID(store, scope);
		LLVMSetAlignment(store, 4);
	}
	LLVMBuildBr(b, leave);
	LLVMPositionBuilderAtEnd(b, leave);
	LLVMBuildRetVoid(b);
	LLVMDisposeBuilder(b);
	return fn;
}

/* A unit without a buffer `debug_log` evaluates the operands and keeps nothing. */
void lower_log(struct lower *l, const struct vyrec_stmt_node *node)
{
	LLVMValueRef a = lower_expr(l, node->expr[0]), c = lower_expr(l, node->expr[1]);
	vyrec_array log = find_buffer(l, "debug_log");
	if (!log || vyrec_type_bytes(l->m->arrays[log].element) != 4)
		return;
	if (!l->log_fn)
		l->log_fn = make_log_function(l);
	LLVMValueRef args[] = {l->arrays[log].data, l->arrays[log].count, lower_u32(l, (uint32_t)node->imm), a, c};
	LLVMBuildCall2(l->b, LLVMGlobalGetValueType(l->log_fn), l->log_fn, args, 5, "");
}
