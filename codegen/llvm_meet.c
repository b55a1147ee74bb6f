/* llvm_meet.c - where the lanes of a workgroup meet on an NVIDIA device: barriers, collectives, and lanes that have fallen.
 *
 * Enters: a barrier or a collective that all lanes reach together (the verifier's promise), but for those that a trap
 * has thrown out of the catch around it. Leaves: warp instructions, and shared memory between warps.
 *
 * A reduction is a redux or a butterfly of shuffles in each warp, then a value a warp through `scratch`, then the same
 * over those. One barrier does: two halves take turns, so that the next reduction's values do not run into the reads of
 * this one; whoever writes a half again has passed the barrier of the one between.
 *
 * Fallen lanes. Where a trap and a meeting stand in one catch (`apart`), lanes of one warp may wait at different barriers:
 * those that fell at the end of the catch, the others inside. So there every barrier is a barrier.red.and, which counts
 * lanes and not warps: false inside, true at the end of the catch, and the end is passed when all say true. `present`, a
 * bit a lane, tells collectives who is still there; they use no instruction that names a lane which is not. The same
 * without a catch: a lane that traps clears its bit and exits, and hardware barriers do not wait for it.
 */
#include "codegen/llvm.h"

enum { SLOT_BYTES = 8 };

static uint32_t warps(const struct lower *l)
{
	return (lower_lanes(l) + MEET_WARP - 1) / MEET_WARP;
}

static LLVMValueRef lane_of_warp(struct lower *l)
{
	return LLVMBuildAnd(l->b, meet_lane(l), lower_u32(l, MEET_WARP - 1), "");
}

static LLVMValueRef warp_of_lane(struct lower *l)
{
	return LLVMBuildLShr(l->b, meet_lane(l), lower_u32(l, 5), "");
}

static LLVMValueRef equal(struct lower *l, LLVMValueRef a, LLVMValueRef b)
{
	return LLVMBuildICmp(l->b, LLVMIntEQ, a, b, "");
}

static bool is_apart(const struct lower *l)
{
	return l->meet.apart || l->meet.whole;
}

/* ---- barriers -------------------------------------------------------------------------------------------------------- */

static LLVMValueRef barrier_over(struct lower *l, const char *name, LLVMValueRef predicate)
{
	LLVMValueRef args[] = {lower_u32(l, 0), predicate};
	return lower_intrinsic(l, name, NULL, args, predicate ? 2 : 1);
}

static void wait(struct lower *l)
{
	if (is_apart(l))
		barrier_over(l, "llvm.nvvm.barrier.cta.red.and.all", LLVMConstInt(l->i1, 0, false));
	else
		barrier_over(l, "llvm.nvvm.barrier.cta.sync.aligned.all", NULL);
}

bool meet_barrier(struct lower *l, vyrec_scope scope)
{
	if (scope != VYREC_SCOPE_WORKGROUP)
		return false;
	if (lower_lanes(l) > 1)
		wait(l);
	return true;
}

/* ---- who is there ---------------------------------------------------------------------------------------------------- */

/* The lanes that a warp begins with; NULL: all of every warp. */
static LLVMValueRef first_members(struct lower *l)
{
	uint32_t rest = lower_lanes(l) % MEET_WARP;
	if (!rest)
		return NULL;
	LLVMValueRef last = equal(l, warp_of_lane(l), lower_u32(l, warps(l) - 1));
	return LLVMBuildSelect(l->b, last, lower_u32(l, (1u << rest) - 1), lower_u32(l, UINT32_MAX), "");
}

static LLVMValueRef element_of(struct lower *l, LLVMTypeRef type, LLVMValueRef array, LLVMValueRef index)
{
	return LLVMBuildInBoundsGEP2(l->b, type, array, &index, 1, "");
}

static LLVMValueRef present_of(struct lower *l, LLVMValueRef warp)
{
	LLVMValueRef word = LLVMBuildLoad2(l->b, l->i32, element_of(l, l->i32, l->meet.present, warp), "");
	LLVMSetAlignment(word, 4);
	LLVMSetOrdering(word, LLVMAtomicOrderingMonotonic);
	LLVMSetAtomicSyncScopeID(word, lower_scope(l, VYREC_SCOPE_WORKGROUP));
	return word;
}

/* The lanes of this warp that have come: NULL = all 32. All that are present have passed a barrier behind this, and none
 * of them can fall before the collective's own instructions are over. */
static LLVMValueRef members(struct lower *l)
{
	if (!is_apart(l))
		return first_members(l);
	wait(l);
	return present_of(l, warp_of_lane(l));
}

static LLVMValueRef mask_or_all(struct lower *l, LLVMValueRef mask)
{
	return mask ? mask : lower_u32(l, UINT32_MAX);
}

static void set_presence(struct lower *l, LLVMAtomicRMWBinOp op, LLVMValueRef bits)
{
	LLVMValueRef place = element_of(l, l->i32, l->meet.present, warp_of_lane(l));
	LLVMValueRef old = LLVMBuildAtomicRMW(l->b, op, place, bits, LLVMAtomicOrderingMonotonic, false);
	LLVMSetAtomicSyncScopeID(old, lower_scope(l, VYREC_SCOPE_WORKGROUP));
}

static LLVMValueRef own_bit(struct lower *l)
{
	return LLVMBuildShl(l->b, lower_u32(l, 1), lane_of_warp(l), "");
}

/* The bit is gone for whoever passes a barrier that this lane has arrived at, or that its exit has let go. */
void meet_leave(struct lower *l)
{
	set_presence(l, LLVMAtomicRMWBinOpAnd, LLVMBuildNot(l->b, own_bit(l), ""));
	lower_fence(l, LLVMAtomicOrderingAcquireRelease, VYREC_SCOPE_WORKGROUP);
}

void meet_return(struct lower *l)
{
	set_presence(l, LLVMAtomicRMWBinOpOr, own_bit(l));
}

static LLVMValueRef all_say(struct lower *l, const char *name, bool word)
{
	return barrier_over(l, name, LLVMConstInt(l->i1, word, false));
}

/* The end of the catch that is `depth` such catches deep. All are at some end when all say so; where ends stand in each
 * other the innermost goes first, so whoever waits further in is asked for next, and the others begin anew. */
void meet_all(struct lower *l, unsigned depth)
{
	LLVMBasicBlockRef again = lower_new_block(l, "meet"), met = lower_new_block(l, "met");
	LLVMBasicBlockRef asked = lower_new_block(l, "all");
	LLVMBuildBr(l->b, again);
	lower_at(l, again);
	LLVMBuildCondBr(l->b, all_say(l, "llvm.nvvm.barrier.cta.red.and.all", true), asked, again);
	lower_at(l, asked);
	for (unsigned inner = l->meet.depth; inner > depth; inner--) {
		LLVMBasicBlockRef nobody = lower_new_block(l, "nobody");
		LLVMBuildCondBr(l->b, all_say(l, "llvm.nvvm.barrier.cta.red.or.all", false), again, nobody);
		lower_at(l, nobody);
	}
	if (depth > 1)
		all_say(l, "llvm.nvvm.barrier.cta.red.or.all", true);
	LLVMBuildBr(l->b, met);
	lower_at(l, met);
}

/* ---- moving values between lanes of a warp ----------------------------------------------------------------------------- */

static LLVMValueRef to_integer(struct lower *l, LLVMValueRef value)
{
	LLVMTypeRef type = LLVMTypeOf(value);
	if (type == l->f32)
		return LLVMBuildBitCast(l->b, value, l->i32, "");
	if (type == l->f64)
		return LLVMBuildBitCast(l->b, value, l->i64, "");
	return type == l->i1 ? LLVMBuildZExt(l->b, value, l->i32, "") : value;
}

static LLVMValueRef from_integer(struct lower *l, LLVMValueRef value, LLVMTypeRef type)
{
	if (type == l->i1)
		return LLVMBuildTrunc(l->b, value, type, "");
	return LLVMBuildBitCast(l->b, value, type, "");
}

static LLVMValueRef move_word(struct lower *l, const char *how, LLVMValueRef mask, LLVMValueRef word, LLVMValueRef lane)
{
	LLVMValueRef args[] = {mask_or_all(l, mask), word, lane, lower_u32(l, MEET_WARP - 1)};
	return lower_intrinsic(l, how, NULL, args, 4);
}

static LLVMValueRef move(struct lower *l, const char *how, LLVMValueRef mask, LLVMValueRef value, LLVMValueRef lane)
{
	LLVMTypeRef type = LLVMTypeOf(value);
	LLVMValueRef bits = to_integer(l, value), shift = LLVMConstInt(l->i64, 32, false);
	if (LLVMTypeOf(bits) == l->i32)
		return from_integer(l, move_word(l, how, mask, bits, lane), type);
	LLVMValueRef low = move_word(l, how, mask, LLVMBuildTrunc(l->b, bits, l->i32, ""), lane);
	LLVMValueRef high = LLVMBuildTrunc(l->b, LLVMBuildLShr(l->b, bits, shift, ""), l->i32, "");
	high = LLVMBuildShl(l->b, LLVMBuildZExt(l->b, move_word(l, how, mask, high, lane), l->i64, ""), shift, "");
	return from_integer(l, LLVMBuildOr(l->b, high, LLVMBuildZExt(l->b, low, l->i64, ""), ""), type);
}

static LLVMValueRef from_lane(struct lower *l, LLVMValueRef mask, LLVMValueRef value, LLVMValueRef lane)
{
	return move(l, "llvm.nvvm.shfl.sync.idx.i32", mask, value, lane);
}

/* Bit `lane` of the mask, for any number. */
static LLVMValueRef is_there(struct lower *l, LLVMValueRef mask, LLVMValueRef lane)
{
	LLVMValueRef in_warp = LLVMBuildICmp(l->b, LLVMIntULT, lane, lower_u32(l, MEET_WARP), "");
	if (!mask)
		return in_warp;
	LLVMValueRef place = LLVMBuildAnd(l->b, lane, lower_u32(l, MEET_WARP - 1), "");
	LLVMValueRef bit = LLVMBuildTrunc(l->b, LLVMBuildLShr(l->b, mask, place, ""), l->i1, "");
	return LLVMBuildAnd(l->b, in_warp, bit, "");
}

static LLVMValueRef shuffle(struct lower *l, LLVMValueRef value, LLVMValueRef lane)
{
	LLVMValueRef mask = members(l), there = is_there(l, mask, lane);
	/* what a lane holds that is not there is undefined */
	LLVMValueRef from = mask ? LLVMBuildSelect(l->b, there, lane, lane_of_warp(l), "") : lane;
	LLVMValueRef moved = from_lane(l, mask, value, from);
	return LLVMBuildSelect(l->b, there, moved, LLVMConstNull(LLVMTypeOf(value)), "");
}

static LLVMValueRef ballot(struct lower *l, LLVMValueRef value)
{
	LLVMValueRef args[] = {mask_or_all(l, members(l)), value};
	LLVMValueRef bits = lower_intrinsic(l, "llvm.nvvm.vote.ballot.sync", NULL, args, 2);
	return LLVMBuildZExt(l->b, bits, l->i64, "");
}

/* ---- reductions -------------------------------------------------------------------------------------------------------- */

struct reduction {
	vyrec_op op;
	vyrec_type type;
	vyrec_loc loc;
};

static LLVMValueRef combine(struct lower *l, const struct reduction *r, LLVMValueRef a, LLVMValueRef b)
{
	struct vyrec_expr_node node = {.kind = VYREC_EXPR_OP, .type = r->type, .code = r->op, .loc = r->loc};
	LLVMValueRef args[3] = {a, b};
	return lower_op(l, &node, r->type, args);
}

/* The instruction for a warp, or NULL: 32-bit integers, from sm_80. */
static const char *redux_name(const struct lower *l, const struct reduction *r)
{
	if (l->target->id < VYRE_TARGET_SM_80 || vyrec_type_bits(r->type) != 32)
		return NULL;
	switch (r->op) {
	case VYREC_OP_add_i:
		return "llvm.nvvm.redux.sync.add";
	case VYREC_OP_min_u:
		return "llvm.nvvm.redux.sync.umin";
	case VYREC_OP_max_u:
		return "llvm.nvvm.redux.sync.umax";
	case VYREC_OP_min_s:
		return "llvm.nvvm.redux.sync.min";
	case VYREC_OP_max_s:
		return "llvm.nvvm.redux.sync.max";
	case VYREC_OP_and_i:
		return "llvm.nvvm.redux.sync.and";
	case VYREC_OP_or_i:
		return "llvm.nvvm.redux.sync.or";
	case VYREC_OP_xor_i:
		return "llvm.nvvm.redux.sync.xor";
	default:
		return NULL;
	}
}

static LLVMValueRef butterfly(struct lower *l, const struct reduction *r, LLVMValueRef value, uint32_t width)
{
	for (uint32_t step = width / 2; step; step /= 2)
		value = combine(l, r, value, move(l, "llvm.nvvm.shfl.sync.bfly.i32", NULL, value, lower_u32(l, step)));
	return value;
}

/* Lane after lane of the mask, from the lowest. */
static LLVMValueRef one_by_one(struct lower *l, const struct reduction *r, LLVMValueRef mask, LLVMValueRef value)
{
	LLVMValueRef no_poison = LLVMConstInt(l->i1, 0, false), one = lower_u32(l, 1), zero = lower_u32(l, 0);
	LLVMValueRef lowest[] = {mask, no_poison};
	LLVMValueRef start = from_lane(l, mask, value, lower_intrinsic(l, "llvm.cttz", l->i32, lowest, 2));
	LLVMValueRef others = LLVMBuildAnd(l->b, mask, LLVMBuildSub(l->b, mask, one, ""), "");
	LLVMBasicBlockRef before = LLVMGetInsertBlock(l->b), body = lower_new_block(l, "lane");
	LLVMBasicBlockRef after = lower_new_block(l, "reduced");
	LLVMBuildCondBr(l->b, equal(l, others, zero), after, body);
	lower_at(l, body);
	LLVMValueRef left = LLVMBuildPhi(l->b, l->i32, ""), sum = LLVMBuildPhi(l->b, LLVMTypeOf(value), "");
	LLVMValueRef next[] = {left, no_poison};
	LLVMValueRef more =
	    combine(l, r, sum, from_lane(l, mask, value, lower_intrinsic(l, "llvm.cttz", l->i32, next, 2)));
	LLVMValueRef rest = LLVMBuildAnd(l->b, left, LLVMBuildSub(l->b, left, one, ""), "");
	LLVMBasicBlockRef end = LLVMGetInsertBlock(l->b);
	LLVMBuildCondBr(l->b, equal(l, rest, zero), after, body);
	LLVMAddIncoming(left, &others, &before, 1);
	LLVMAddIncoming(left, &rest, &end, 1);
	LLVMAddIncoming(sum, &start, &before, 1);
	LLVMAddIncoming(sum, &more, &end, 1);
	lower_at(l, after);
	LLVMValueRef all = LLVMBuildPhi(l->b, LLVMTypeOf(value), "");
	LLVMAddIncoming(all, &start, &before, 1);
	LLVMAddIncoming(all, &more, &end, 1);
	return all;
}

static LLVMValueRef reduce_warp(struct lower *l, const struct reduction *r, LLVMValueRef mask, LLVMValueRef value)
{
	const char *redux = redux_name(l, r);
	LLVMValueRef args[] = {value, mask_or_all(l, mask)};
	if (redux)
		return lower_intrinsic(l, redux, NULL, args, 2);
	return mask ? one_by_one(l, r, mask, value) : butterfly(l, r, value, MEET_WARP);
}

/* ---- between warps ----------------------------------------------------------------------------------------------------- */

static uint32_t round_up_to_power(uint32_t n)
{
	uint32_t power = 1;
	while (power < n)
		power *= 2;
	return power;
}

/* Slots of a half of `scratch`: a power of two, for the halves to take turns by one bit of an index. */
static uint32_t half_slots(const struct lower *l)
{
	return round_up_to_power(warps(l));
}

/* The half of `scratch` whose turn it is: an index of a slot. */
static LLVMValueRef take_half(struct lower *l)
{
	LLVMValueRef half = LLVMBuildLoad2(l->b, l->i32, l->meet.turn, "");
	LLVMBuildStore(l->b, LLVMBuildXor(l->b, half, lower_u32(l, half_slots(l)), ""), l->meet.turn);
	return half;
}

static void need_scratch(struct lower *l)
{
	uint32_t slots = 2 * half_slots(l), bytes = slots * SLOT_BYTES;
	if (l->meet.scratch)
		return;
	l->meet.scratch = nvptx_shared(l, l->i64, slots, bytes, "#scratch");
	l->meet.bytes += bytes;
	l->meet.turn = LLVMBuildAlloca(l->entry_b, l->i32, "turn");
	LLVMBuildStore(l->entry_b, lower_u32(l, 0), l->meet.turn);
}

static LLVMValueRef load_slot(struct lower *l, LLVMTypeRef type, LLVMValueRef slot)
{
	LLVMValueRef value = LLVMBuildLoad2(l->b, type, element_of(l, l->i64, l->meet.scratch, slot), "");
	LLVMSetAlignment(value, type == l->i64 || type == l->f64 ? 8 : 4);
	return value;
}

static void store_slot_if(struct lower *l, LLVMValueRef condition, LLVMValueRef slot, LLVMValueRef value)
{
	LLVMTypeRef type = LLVMTypeOf(value);
	LLVMBasicBlockRef store = lower_new_block(l, "store"), after = lower_new_block(l, "stored");
	LLVMBuildCondBr(l->b, condition, store, after);
	lower_at(l, store);
	LLVMSetAlignment(LLVMBuildStore(l->b, value, element_of(l, l->i64, l->meet.scratch, slot)),
			 type == l->i64 || type == l->f64 ? 8 : 4);
	LLVMBuildBr(l->b, after);
	lower_at(l, after);
}

/* All warps are whole: each reduces the values of all warps for itself. Lane k takes value k modulo a power of two; where
 * that is past the last warp the butterfly must not see it, so it takes the slots one by one as below. */
static LLVMValueRef reduce_slots(struct lower *l, const struct reduction *r, LLVMValueRef half, LLVMTypeRef type)
{
	uint32_t count = warps(l);
	if (round_up_to_power(count) == count && lower_lanes(l) % MEET_WARP == 0) {
		LLVMValueRef mine = LLVMBuildAnd(l->b, meet_lane(l), lower_u32(l, count - 1), "");
		return butterfly(l, r, load_slot(l, type, LLVMBuildAdd(l->b, half, mine, "")), count);
	}
	LLVMValueRef all = load_slot(l, type, half);
	for (uint32_t i = 1; i < count; i++)
		all = combine(l, r, all, load_slot(l, type, LLVMBuildAdd(l->b, half, lower_u32(l, i), "")));
	return all;
}

/* The same over the warps of which somebody is there: at least the warp of the lane that asks. A loop, because two loads a
 * warp side by side would cost every kernel that has this somewhere its registers. */
static LLVMValueRef reduce_present(struct lower *l, const struct reduction *r, LLVMTypeRef type)
{
	LLVMValueRef zero = lower_u32(l, 0), nothing = LLVMConstNull(type), nobody = LLVMConstInt(l->i1, 0, false);
	LLVMBasicBlockRef before = LLVMGetInsertBlock(l->b), body = lower_new_block(l, "warp");
	LLVMBasicBlockRef after = lower_new_block(l, "reduced");
	LLVMBuildBr(l->b, body);
	lower_at(l, body);
	LLVMValueRef warp = LLVMBuildPhi(l->b, l->i32, ""), sum = LLVMBuildPhi(l->b, type, "");
	LLVMValueRef any = LLVMBuildPhi(l->b, l->i1, "");
	LLVMValueRef here = LLVMBuildICmp(l->b, LLVMIntNE, present_of(l, warp), zero, "");
	LLVMValueRef value = load_slot(l, type, warp);
	value = LLVMBuildSelect(l->b, any, combine(l, r, sum, value), value, "");
	value = LLVMBuildSelect(l->b, here, value, sum, "");
	LLVMValueRef more = LLVMBuildOr(l->b, any, here, ""), next = LLVMBuildNUWAdd(l->b, warp, lower_u32(l, 1), "");
	LLVMBasicBlockRef end = LLVMGetInsertBlock(l->b);
	LLVMValueRef last = equal(l, next, lower_u32(l, warps(l)));
	lower_keep_small(l, LLVMBuildCondBr(l->b, last, after, body));
	LLVMAddIncoming(warp, &zero, &before, 1);
	LLVMAddIncoming(warp, &next, &end, 1);
	LLVMAddIncoming(sum, &nothing, &before, 1);
	LLVMAddIncoming(sum, &value, &end, 1);
	LLVMAddIncoming(any, &nobody, &before, 1);
	LLVMAddIncoming(any, &more, &end, 1);
	lower_at(l, after);
	return value;
}

static LLVMValueRef reduce(struct lower *l, const struct reduction *r, LLVMValueRef value)
{
	LLVMValueRef mask = members(l), leader = lower_u32(l, 0);
	LLVMValueRef lowest[] = {mask, LLVMConstInt(l->i1, 0, false)};
	LLVMTypeRef type = LLVMTypeOf(value);
	value = reduce_warp(l, r, mask, value);
	if (warps(l) == 1)
		return value;
	need_scratch(l);
	if (is_apart(l))
		leader = lower_intrinsic(l, "llvm.cttz", l->i32, lowest, 2);
	LLVMValueRef half = is_apart(l) ? lower_u32(l, 0) : take_half(l);
	store_slot_if(l, equal(l, lane_of_warp(l), leader), LLVMBuildAdd(l->b, half, warp_of_lane(l), ""), value);
	wait(l);
	if (!is_apart(l))
		return reduce_slots(l, r, half, type);
	value = reduce_present(l, r, type);
	wait(l); /* nobody falls, and so leaves `present`, before all have looked; the slots are free again */
	return value;
}

static LLVMValueRef vote(struct lower *l, const char *warp, const char *workgroup, LLVMValueRef value)
{
	LLVMValueRef args[] = {lower_u32(l, UINT32_MAX), value};
	if (warps(l) > 1)
		return barrier_over(l, workgroup, value);
	args[0] = mask_or_all(l, first_members(l));
	return lower_intrinsic(l, warp, NULL, args, 2);
}

/* Where lanes may be missing barrier.red is taken by those who wait for the end of the catch: a reduction instead. */
static LLVMValueRef any_or_all(struct lower *l, const struct vyrec_expr_node *e, LLVMValueRef value)
{
	bool is_any = e->code == VYREC_COLLECTIVE_ANY;
	struct reduction r = {is_any ? VYREC_OP_or_i : VYREC_OP_and_i, VYREC_U32, e->loc};
	if (is_apart(l))
		return from_integer(l, reduce(l, &r, to_integer(l, value)), l->i1);
	return is_any ? vote(l, "llvm.nvvm.vote.any.sync", "llvm.nvvm.barrier.cta.red.or.aligned.all", value)
		      : vote(l, "llvm.nvvm.vote.all.sync", "llvm.nvvm.barrier.cta.red.and.aligned.all", value);
}

static LLVMValueRef broadcast(struct lower *l, LLVMValueRef value, LLVMValueRef index)
{
	LLVMTypeRef type = LLVMTypeOf(value);
	LLVMValueRef from = LLVMBuildURem(l->b, index, lower_u32(l, lower_lanes(l)), "");
	if (warps(l) == 1)
		return shuffle(l, value, from);
	need_scratch(l);
	LLVMValueRef half = is_apart(l) ? lower_u32(l, 0) : take_half(l), there = NULL;
	LLVMValueRef bits = to_integer(l, value);
	if (is_apart(l)) {
		wait(l);
		LLVMValueRef mask = present_of(l, LLVMBuildLShr(l->b, from, lower_u32(l, 5), ""));
		there = is_there(l, mask, LLVMBuildAnd(l->b, from, lower_u32(l, MEET_WARP - 1), ""));
	}
	store_slot_if(l, equal(l, meet_lane(l), from), half, bits);
	wait(l);
	value = from_integer(l, load_slot(l, LLVMTypeOf(bits), half), type);
	if (!there)
		return value;
	wait(l);
	return LLVMBuildSelect(l->b, there, value, LLVMConstNull(type), "");
}

LLVMValueRef meet_collective(struct lower *l, const struct vyrec_expr_node *e, LLVMValueRef value, LLVMValueRef index)
{
	struct reduction r = {vyrec_collective_op(e->code, e->type), e->type, e->loc};
	bool subgroup = vyrec_collective_get_info(e->code)->subgroup;
	switch ((vyrec_collective)e->code) {
	case VYREC_COLLECTIVE_ANY:
	case VYREC_COLLECTIVE_ALL:
		return lower_lanes(l) == 1 ? value : any_or_all(l, e, value);
	case VYREC_COLLECTIVE_BROADCAST:
		return lower_lanes(l) == 1 ? value : broadcast(l, value, index);
	case VYREC_COLLECTIVE_SHUFFLE:
	case VYREC_COLLECTIVE_SUBGROUP_BROADCAST:
		return shuffle(l, value, index);
	case VYREC_COLLECTIVE_BALLOT:
		return ballot(l, value);
	default:
		if (!r.op || lower_lanes(l) == 1)
			return r.op ? value : NULL;
		return subgroup ? reduce_warp(l, &r, members(l), value) : reduce(l, &r, value);
	}
}

/* ---- a unit begins ------------------------------------------------------------------------------------------------------ */

void meet_open(struct lower *l)
{
	uint32_t bytes = warps(l) * (uint32_t)sizeof(uint32_t);
	l->meet = (struct lower_meet){0};
	meet_survey(l);
	if (!l->meet.depth && !l->meet.whole)
		return;
	l->meet.present = nvptx_shared(l, l->i32, warps(l), bytes, "#present");
	l->meet.bytes += bytes;
}

/* Behind this, and a barrier, everybody is there. */
void meet_begin(struct lower *l)
{
	LLVMBasicBlockRef store = lower_new_block(l, "first"), after = lower_new_block(l, "others");
	LLVMBuildCondBr(l->b, equal(l, lane_of_warp(l), lower_u32(l, 0)), store, after);
	lower_at(l, store);
	LLVMValueRef place = element_of(l, l->i32, l->meet.present, warp_of_lane(l));
	LLVMSetAlignment(LLVMBuildStore(l->b, mask_or_all(l, first_members(l)), place), 4);
	LLVMBuildBr(l->b, after);
	lower_at(l, after);
}
