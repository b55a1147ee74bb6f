/* llvm_stmt.c - statements to basic blocks.
 *
 * Enters: the body of a program after the pipeline: structured, without calls.
 * Leaves: blocks of the current function. Invariant: the builder stands in a block without terminator before and after
 * every statement but one that ends its block; what follows such a one is not lowered.
 *
 * Counted loops are rotated (a guard, a body, a latch) with one induction variable that cannot wrap, which is the form
 * that LLVM's loop passes want: the front end knows that `to` is never passed, LLVM would have to prove it.
 */
#include <llvm-c/DebugInfo.h>
#include <string.h>

#include "codegen/llvm.h"
#include "runtime/abi/ring.h"

/* ---- traps ----------------------------------------------------------------------------------------------------------- */

void lower_trap(struct lower *l, LLVMValueRef code, LLVMValueRef detail)
{
	if (l->catching) {
		LLVMBuildStore(l->b, code, l->catching->code);
		LLVMBuildStore(l->b, detail, l->catching->detail);
		LLVMBuildBr(l->b, l->catching->fallen ? l->catching->fallen : l->catching->exit);
		return;
	}
	l->form->trap(l, code, detail);
}

static void trap_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMValueRef first = lower_expr(l, s->expr[0]);
	if (s->expr[1]) /* made by a pass: both are given */
		lower_trap(l, first, lower_expr(l, s->expr[1]));
	else
		lower_trap(l, lower_u32(l, s->imm ? (uint32_t)s->imm : VYRE_FAULT_TRAP), first);
}

static LLVMValueRef declare_var(struct lower *l, vyrec_local local)
{
	const struct vyrec_local_node *node = &l->m->locals[local];
	if (!l->locals[local].value)
		l->locals[local].value = LLVMBuildAlloca(l->entry_b, lower_type(l, node->type, node->loc),
							 vyrec_name_text(l->m, node->name));
	return l->locals[local].value;
}

/* No jump leaves a catch in which lanes meet (V085): whoever has not fallen comes to its end. */
static void lower_fallen(struct lower *l, const struct lower_catch *here, unsigned depth)
{
	if (!LLVMGetBasicBlockTerminator(LLVMGetInsertBlock(l->b))) {
		meet_all(l, depth);
		LLVMBuildBr(l->b, here->exit);
	}
	lower_at(l, here->fallen);
	meet_leave(l);
	meet_all(l, depth);
	meet_return(l);
	LLVMBuildBr(l->b, here->exit);
}

static void lower_caught(struct lower *l, struct lower_catch *here, vyrec_block body)
{
	struct lower_catch *outer = l->catching;
	l->catching = here;
	l->meet.apart += here->fallen != NULL;
	lower_block(l, body);
	if (here->fallen)
		lower_fallen(l, here, l->meet.apart);
	l->catching = outer;
	l->meet.apart -= here->fallen != NULL;
}

/* The end of a catch in which lanes meet is a barrier, also where none can fall. */
static void catch_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	struct lower_catch here = {.exit = lower_new_block(l, "caught"),
				   .code = declare_var(l, s->local),
				   .detail = declare_var(l, s->local2)};
	bool meets = l->form->barrier && vyrec_block_meets(l->m, s->body[0], NULL);
	if (meets && meet_falls(l, s->body[0]))
		here.fallen = lower_new_block(l, "fallen");
	LLVMBuildStore(l->b, lower_u32(l, 0), here.code);
	LLVMBuildStore(l->b, lower_u32(l, 0), here.detail);
	lower_caught(l, &here, s->body[0]);
	if (meets && !here.fallen && !LLVMGetBasicBlockTerminator(LLVMGetInsertBlock(l->b)))
		l->form->barrier(l, VYREC_SCOPE_WORKGROUP);
	lower_go(l, here.exit);
	lower_at(l, here.exit);
}

/* ---- locals ---------------------------------------------------------------------------------------------------------- */

static void var_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	if (s->array) {
		if (!l->arrays[s->array].data)
			lower_array_alloca(l, s->array, s->loc);
		lower_array_zero(l, s->array);
		return;
	}
	LLVMValueRef place = declare_var(l, s->local);
	LLVMBuildStore(l->b, s->expr[0] ? lower_expr(l, s->expr[0]) : lower_zero(l, l->m->locals[s->local].type),
		       place);
}

static void assign_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMValueRef value = lower_expr(l, s->expr[0]);
	if (l->locals[s->local].value)
		LLVMBuildStore(l->b, value, l->locals[s->local].value);
	else
		lower_refuse(l, s->loc, "an assignment to the undeclared local %s",
			     vyrec_name_text(l->m, l->m->locals[s->local].name));
}

/* ---- branches -------------------------------------------------------------------------------------------------------- */

static void if_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMValueRef condition = lower_expr(l, s->expr[0]);
	LLVMBasicBlockRef yes = lower_new_block(l, "then"), after = lower_new_block(l, "after");
	LLVMBasicBlockRef no = s->body[1] ? lower_new_block(l, "else") : after;
	LLVMBuildCondBr(l->b, condition, yes, no);
	lower_at(l, yes);
	lower_block(l, s->body[0]);
	lower_go(l, after);
	if (s->body[1]) {
		lower_at(l, no);
		lower_block(l, s->body[1]);
		lower_go(l, after);
	}
	lower_at(l, after);
}

/* Several values may share one block of the tree: it is lowered once. */
static void switch_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMValueRef value = lower_expr(l, s->expr[0]);
	LLVMBasicBlockRef after = lower_new_block(l, "after"), chosen = after;
	LLVMBasicBlockRef other = s->body[0] ? lower_new_block(l, "default") : after;
	LLVMValueRef branch = LLVMBuildSwitch(l->b, value, other, s->count);
	for (uint32_t i = 0; i < s->count; i++) {
		vyrec_block body = vyrec_case_block(l->m, s, i);
		if (body) {
			chosen = lower_new_block(l, "case");
			lower_at(l, chosen);
			lower_block(l, body);
			lower_go(l, after);
		}
		LLVMAddCase(branch, LLVMConstInt(LLVMTypeOf(value), l->m->refs[s->list + 2 * i], false), chosen);
	}
	if (s->body[0]) {
		lower_at(l, other);
		lower_block(l, s->body[0]);
		lower_go(l, after);
	}
	lower_at(l, after);
}

static void block_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	if (!s->local) {
		lower_block(l, s->body[0]);
		return;
	}
	LLVMBasicBlockRef exit = lower_new_block(l, "after");
	l->locals[s->local].exit = exit;
	lower_block(l, s->body[0]);
	lower_go(l, exit);
	lower_at(l, exit);
}

static void break_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMBasicBlockRef to = s->local ? l->locals[s->local].exit : l->loop ? l->loop->exit : NULL;
	if (to)
		LLVMBuildBr(l->b, to);
	else
		lower_refuse(l, s->loc, "a break out of nothing");
}

static void continue_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	if (l->loop)
		LLVMBuildBr(l->b, l->loop->next);
	else
		lower_refuse(l, s->loc, "a continue outside of a loop");
}

/* ---- loops ----------------------------------------------------------------------------------------------------------- */

static void loop_body(struct lower *l, vyrec_block body, LLVMBasicBlockRef exit, LLVMBasicBlockRef next)
{
	struct lower_loop here = {exit, next}, *outer = l->loop;
	l->loop = &here;
	lower_block(l, body);
	l->loop = outer;
	lower_go(l, next);
}

static void loop_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMBasicBlockRef body = lower_new_block(l, "loop"), exit = lower_new_block(l, "after");
	LLVMBuildBr(l->b, body);
	lower_at(l, body);
	loop_body(l, s->body[0], exit, body);
	lower_at(l, exit);
}

static bool is_one(LLVMValueRef v)
{
	return LLVMIsAConstantInt(v) && LLVMConstIntGetZExtValue(v) == 1;
}

/* Turns of a loop with from < to and step > 0: (to - from - 1) / step + 1, in unsigned arithmetic, where to - from is
 * exact for signed counters too. At most 2^width - 1, so it fits. */
static LLVMValueRef trip_count(struct lower *l, LLVMValueRef from, LLVMValueRef to, LLVMValueRef step)
{
	LLVMValueRef one = LLVMConstInt(LLVMTypeOf(from), 1, false), distance = LLVMBuildSub(l->b, to, from, "");
	if (is_one(step))
		return distance;
	return LLVMBuildNUWAdd(l->b, LLVMBuildUDiv(l->b, LLVMBuildSub(l->b, distance, one, ""), step, ""), one, "");
}

static LLVMMetadataRef property(struct lower *l, const char *name, LLVMValueRef value)
{
	LLVMMetadataRef parts[] = {LLVMMDStringInContext2(l->context, name, strlen(name)),
				   value ? LLVMValueAsMetadata(value) : NULL};
	return LLVMMDNodeInContext2(l->context, parts, value ? 2 : 1);
}

/* A loop's node names itself first, which is what the temporary node is for. */
static void tell_loop(struct lower *l, LLVMValueRef branch, LLVMMetadataRef *parts, size_t count)
{
	LLVMMetadataRef self = LLVMTemporaryMDNode(l->context, NULL, 0);
	parts[0] = self;
	LLVMMetadataRef node = LLVMMDNodeInContext2(l->context, parts, count);
	LLVMMetadataReplaceAllUsesWith(self, node);
	LLVMSetMetadata(branch, l->kind_loop, LLVMMetadataAsValue(l->context, node));
}

/* Among others the second version of a loop whose check was hoisted: vector code of it would need masks, and a tenth of
 * the time that examples/scan takes to compile. */
void lower_keep_small(struct lower *l, LLVMValueRef branch)
{
	LLVMMetadataRef parts[] = {NULL, property(l, "llvm.loop.vectorize.enable", LLVMConstInt(l->i1, 0, false)),
				   property(l, "llvm.loop.unroll.disable", NULL)};
	tell_loop(l, branch, parts, 3);
}

/* ptxas unrolls loops of unknown length by 4. Behind LLVM's own unrolling that makes 8 copies, and half as many registers
 * again as a kernel of nvcc's has (30 against 20 for count_byte, 18 for what LLVM leaves alone; tests/gpu/compare). */
static void keep_rolled(struct lower *l, LLVMValueRef branch, bool is_strided)
{
	LLVMMetadataRef parts[] = {NULL, property(l, "llvm.loop.unroll.runtime.disable", NULL),
				   property(l, LOWER_STRIDED_LOOP, NULL)};
	tell_loop(l, branch, parts, is_strided ? 3 : 2);
}

/* for c in from .. to step s: nothing unless from < to and s > 0; else turns 0 .. n-1 of which turn i has
 * c = from + i * s. i * s <= to - from - 1, so neither the product nor an unsigned sum wraps; a signed sum may look as
 * if it did (i * s above the signed maximum), and is right all the same. */
static void for_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	vyrec_type type = l->m->locals[s->local].type;
	bool sign = vyrec_type_is_sint(type);
	LLVMTypeRef int_type = lower_type(l, type, s->loc);
	LLVMValueRef zero = LLVMConstInt(int_type, 0, false), one = LLVMConstInt(int_type, 1, false);
	LLVMValueRef from = lower_expr(l, s->expr[0]), to = lower_expr(l, s->expr[1]);
	LLVMValueRef step = s->expr[2] ? lower_expr(l, s->expr[2]) : one;
	LLVMBasicBlockRef head = lower_new_block(l, "for"), body = lower_new_block(l, "body");
	LLVMBasicBlockRef next = lower_new_block(l, "next"), exit = lower_new_block(l, "after");

	LLVMValueRef runs = LLVMBuildICmp(l->b, sign ? LLVMIntSLT : LLVMIntULT, from, to, "");
	LLVMValueRef forward = LLVMBuildICmp(l->b, sign ? LLVMIntSGT : LLVMIntUGT, step, zero, "");
	LLVMBuildCondBr(l->b, LLVMBuildAnd(l->b, runs, forward, ""), head, exit);
	lower_at(l, head);
	LLVMValueRef trips = trip_count(l, from, to, step);
	LLVMBuildBr(l->b, body);

	lower_at(l, body);
	LLVMValueRef i = LLVMBuildPhi(l->b, int_type, ""), counter;
	if (sign)
		counter = LLVMBuildAdd(l->b, from, LLVMBuildNUWMul(l->b, i, step, ""), "");
	else
		counter = LLVMBuildNUWAdd(l->b, from, LLVMBuildNUWMul(l->b, i, step, ""), "");
	l->locals[s->local].value = counter;
	loop_body(l, s->body[0], exit, next);

	lower_at(l, next);
	LLVMValueRef more = LLVMBuildNUWAdd(l->b, i, one, "");
	LLVMValueRef branch = LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntULT, more, trips, ""), body, exit);
	if (l->cold)
		lower_keep_small(l, branch);
	else if (l->form->keeps_rolled)
		keep_rolled(l, branch, !is_one(step));
	LLVMAddIncoming(i, &zero, &head, 1);
	LLVMAddIncoming(i, &more, &next, 1);
	lower_at(l, exit);
}

/* ---- memory and the rest --------------------------------------------------------------------------------------------- */

static LLVMValueRef wide_sum(struct lower *l, LLVMValueRef a, LLVMValueRef c)
{
	return LLVMBuildNUWAdd(l->b, LLVMBuildZExt(l->b, a, l->i64, ""), LLVMBuildZExt(l->b, c, l->i64, ""), "");
}

/* A copy that is done when it is started is one of those that the language allows: element by element, each access by
 * the policy of the statement. */
static void copy_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMValueRef to = lower_expr(l, s->expr[0]), from = lower_expr(l, s->expr[1]),
		     count = lower_expr(l, s->expr[2]);
	LLVMBasicBlockRef before = LLVMGetInsertBlock(l->b), body = lower_new_block(l, "copy");
	LLVMBasicBlockRef after = lower_new_block(l, "after");
	LLVMValueRef zero = lower_u32(l, 0);
	LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntEQ, count, zero, ""), after, body);
	lower_at(l, body);
	LLVMValueRef i = LLVMBuildPhi(l->b, l->i32, "");
	LLVMValueRef value = lower_load(l, s->array2, wide_sum(l, from, i), s->policy, s->loc);
	lower_store(l, s->array, wide_sum(l, to, i), value, s->policy, s->loc);
	LLVMBasicBlockRef end = LLVMGetInsertBlock(l->b);
	LLVMValueRef more = LLVMBuildNUWAdd(l->b, i, lower_u32(l, 1), "");
	LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntULT, more, count, ""), body, after);
	LLVMAddIncoming(i, &zero, &before, 1);
	LLVMAddIncoming(i, &more, &end, 1);
	lower_at(l, after);
}

static void store_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	LLVMValueRef index = lower_expr(l, s->expr[0]);
	lower_store(l, s->array, index, lower_expr(l, s->expr[1]), s->policy, s->loc);
}

static void fence_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	if (s->order != VYREC_ORDER_RELAXED) /* a relaxed fence orders nothing */
		lower_fence(l, lower_order(s->order), s->scope);
}

static void let_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	l->locals[s->local].value = lower_expr(l, s->expr[0]);
}

static void expr_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	lower_expr(l, s->expr[0]);
}

/* passes/hoist.c names the slow version of a loop so. */
static void region_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	bool outer = l->cold;
	l->cold |= !strcmp(vyrec_name_text(l->m, s->name), "checked");
	lower_block(l, s->body[0]);
	l->cold = outer;
}

static void return_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	(void)s;
	LLVMBuildRetVoid(l->b);
}

static void relax_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	(void)s;
	l->form->relax(l);
}

static void refused_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	lower_refuse(l, s->loc, "%s at this place", vyrec_stmt_get_info(s->kind)->text);
}

/* The feed fixpoint has one of its own, of which its author knows nothing. */
static void refuse_device_barrier(struct lower *l, const struct vyrec_stmt_node *s)
{
	const struct vyrec_unit_node *unit = &l->m->units[l->unit];
	if (unit->feed == VYRE_FEED_FIXPOINT)
		lower_refuse(l, unit->loc,
			     "the feed fixpoint, whose workgroups all meet after each round; compile the set for a "
			     "native target, or run each round as a program that the host dispatches");
	else
		lower_refuse(l, s->loc,
			     "barrier(device); end the program there, and put what comes behind into another one that "
			     "the host dispatches next: between dispatches all workgroups meet");
}

static void barrier_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	if (l->form->barrier && l->form->barrier(l, s->scope))
		return;
	if (s->scope == VYREC_SCOPE_DEVICE)
		refuse_device_barrier(l, s);
	else
		refused_stmt(l, s);
}

static void dispatch_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	lower_refuse(
	    l, s->loc,
	    "dispatch; store the counts of workgroups to a buffer, and let the host read them and dispatch the "
	    "program (vyre_kernel_dispatch)");
}

static void nothing_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	(void)l;
	(void)s;
}

static void opaque_stmt(struct lower *l, const struct vyrec_stmt_node *s)
{
	lower_refuse(l, s->loc, "the extension \"%s\"; remove it, or compile with the tool that knows it",
		     vyrec_name_text(l->m, s->name));
}

/* A kind without a row is refused where it stands. */
static void (*const rows[VYREC_STMT_COUNT])(struct lower *l, const struct vyrec_stmt_node *s) = {
    [VYREC_STMT_LET] = let_stmt,	   [VYREC_STMT_VAR] = var_stmt,
    [VYREC_STMT_ASSIGN] = assign_stmt,	   [VYREC_STMT_STORE] = store_stmt,
    [VYREC_STMT_EXPR] = expr_stmt,	   [VYREC_STMT_IF] = if_stmt,
    [VYREC_STMT_FOR] = for_stmt,	   [VYREC_STMT_LOOP] = loop_stmt,
    [VYREC_STMT_SWITCH] = switch_stmt,	   [VYREC_STMT_BREAK] = break_stmt,
    [VYREC_STMT_CONTINUE] = continue_stmt, [VYREC_STMT_RETURN] = return_stmt,
    [VYREC_STMT_BLOCK] = block_stmt,	   [VYREC_STMT_REGION] = region_stmt,
    [VYREC_STMT_CATCH] = catch_stmt,	   [VYREC_STMT_BARRIER] = barrier_stmt,
    [VYREC_STMT_FENCE] = fence_stmt,	   [VYREC_STMT_ASYNC_LOAD] = copy_stmt,
    [VYREC_STMT_ASYNC_STORE] = copy_stmt,  [VYREC_STMT_ASYNC_WAIT] = nothing_stmt,
    [VYREC_STMT_DISPATCH] = dispatch_stmt, [VYREC_STMT_TRAP] = trap_stmt,
    [VYREC_STMT_LOG] = lower_log,	   [VYREC_STMT_RELAX] = relax_stmt,
    [VYREC_STMT_OPAQUE] = opaque_stmt,	   [VYREC_STMT_RESULT] = refused_stmt,
    [VYREC_STMT_YIELD] = refused_stmt,	   [VYREC_STMT_REQUEUE] = refused_stmt,
    [VYREC_STMT_PAUSE] = refused_stmt,	   [VYREC_STMT_LOAD] = refused_stmt,
    [VYREC_STMT_SPAWN] = refused_stmt,	   [VYREC_STMT_JOIN] = refused_stmt,
};

void lower_block(struct lower *l, vyrec_block block)
{
	struct vyrec_block_node list = l->m->blocks[block];
	for (uint32_t i = 0; i < list.count; i++) {
		const struct vyrec_stmt_node *s = &l->m->stmts[l->m->refs[list.first + i]];
		if (s->kind >= VYREC_STMT_COUNT || !rows[s->kind])
			lower_refuse(l, s->loc, "a statement of unknown kind %u", s->kind);
		else
			rows[s->kind](l, s);
		if (LLVMGetBasicBlockTerminator(LLVMGetInsertBlock(l->b)))
			return;
	}
}
