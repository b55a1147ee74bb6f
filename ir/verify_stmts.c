/* verify_stmts.c - statements: targets, types, and what may stand where.
 *
 * Enters: a block of sound shape. Leaves: V03x to V07x. Invariant: what is visible is kept by verify_bodies.c; a walk
 * says whether control can reach the end of what it walked, and that is how a missing return is found.
 */
#include <stdlib.h>

#include "ir/verify_internal.h"
#include "runtime/abi/ring.h"

/* A visible label that a break goes to. */
enum { LABEL_TAKEN = 2 };

static const struct vyrec_expr_node *node_of(const struct verify_body *b, vyrec_expr expr)
{
	return &b->v->m->exprs[expr];
}

/* ---- operands -------------------------------------------------------------------------------------------------------- */

static void want_type(struct verify_body *b, vyrec_expr expr, vyrec_type type, enum verify_rule rule, const char *what)
{
	const struct vyrec_expr_node *e = node_of(b, expr);
	if (e->type != type)
		FAIL(b->v, rule, e->loc, "%s is %s, it takes %s; convert it", what, vyrec_type_name(e->type),
		     vyrec_type_name(type));
}

static void want_u32(struct verify_body *b, vyrec_expr expr, const char *what)
{
	if (expr)
		want_type(b, expr, VYREC_U32, V043, what);
}

/* ---- declarations and stores ----------------------------------------------------------------------------------------- */

static void check_let(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	want_type(b, t->expr[0], b->v->m->locals[t->local].type, V034, "the value of a let");
	verify_declare_local(b, t->local, VYREC_LOCAL_LET, t->loc);
	b->local_step[t->local] = verify_step_bound(b, t->expr[0]);
}

static void check_var(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	if (t->local) {
		if (t->expr[0])
			want_type(b, t->expr[0], b->v->m->locals[t->local].type, V034, "the value of a var");
		verify_declare_local(b, t->local, VYREC_LOCAL_VAR, t->loc);
		return;
	}
	const struct vyrec_array_node *a = &b->v->m->arrays[t->array];
	if (a->class_ != VYREC_CLASS_LOCAL || !a->count || a->count > VYREC_MAX_LOCAL_ELEMENTS)
		FAIL(b->v, V012, t->loc, "local array `%s` has class %u and %u elements; it needs 1 to %d",
		     verify_name(b->v, a->name), a->class_, a->count, VYREC_MAX_LOCAL_ELEMENTS);
	verify_declare_array(b, t->array);
}

static void check_assign(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	const struct vyrec_local_node *l = &b->v->m->locals[t->local];
	if (!b->local_visible[t->local])
		FAIL(b->v, V050, t->loc, "`%s` is not declared at this place; declare it before, in a scope around",
		     verify_name(b->v, l->name));
	else if (l->kind != VYREC_LOCAL_VAR)
		FAIL(b->v, V052, t->loc, "`%s` is not a var; declare it with var", verify_name(b->v, l->name));
	else
		want_type(b, t->expr[0], l->type, V034, "the value of an assignment");
}

static void check_store(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	verify_plain_access(b, t->array, t->loc, true);
	want_type(b, t->expr[0], VYREC_U32, V033, "an index");
	want_type(b, t->expr[1], vyrec_type_of_element(b->v->m->arrays[t->array].element), V034,
		  "the value of a store");
}

/* ---- control --------------------------------------------------------------------------------------------------------- */

static bool check_if(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	want_type(b, t->expr[0], VYREC_BOOL, V035, "a condition");
	bool then = verify_block(b, t->body[0], true);
	return (!t->body[1] || verify_block(b, t->body[1], true)) || then;
}

static bool check_loop_body(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	bool outer = b->broken;
	b->broken = false;
	b->loops++;
	verify_block(b, t->body[0], true);
	b->loops--;
	bool broken = b->broken;
	b->broken = outer;
	return broken;
}

static void check_for(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	vyrec_type type = b->v->m->locals[t->local].type;
	uint32_t mark = b->scope.count;
	if (!vyrec_type_is_int(type))
		FAIL(b->v, V040, t->loc, "a counter of type %s; it is u32 i32 u64 or i64", vyrec_type_name(type));
	want_type(b, t->expr[0], type, V040, "the first bound");
	want_type(b, t->expr[1], type, V040, "the second bound");
	if (t->expr[2]) {
		want_type(b, t->expr[2], type, V040, "the step");
		if (!verify_step_bound(b, t->expr[2]))
			FAIL(b->v, V041, node_of(b, t->expr[2])->loc,
			     "a step must be positive by its form: a literal or const above 0, lanes, workgroups, a "
			     "product that fits the type or a let of these; write one, or a loop");
	}
	verify_declare_local(b, t->local, VYREC_LOCAL_COUNTER, t->loc);
	check_loop_body(b, t);
	verify_leave_scope(b, mark);
}

static int compare_words(const void *left, const void *right)
{
	uint32_t x = *(const uint32_t *)left, y = *(const uint32_t *)right;
	return x < y ? -1 : x > y;
}

static void check_cases_differ(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	uint32_t *values = vyrec_alloc(t->count * sizeof *values);
	for (uint32_t i = 0; i < t->count; i++)
		values[i] = b->v->m->refs[t->list + 2 * i];
	if (t->count)
		qsort(values, t->count, sizeof *values, compare_words);
	for (uint32_t i = 1; i < t->count; i++)
		if (values[i] == values[i - 1])
			FAIL(b->v, V042, t->loc, "case %u stands twice in a switch; remove one", values[i]);
	free(values);
}

static bool check_switch(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	vyrec_type type = node_of(b, t->expr[0])->type;
	if (type != VYREC_U32 && type != VYREC_I32)
		FAIL(b->v, V042, t->loc, "a switch over %s; convert it to u32 or i32", vyrec_type_name(type));
	check_cases_differ(b, t);
	bool falls = !t->body[0];
	for (uint32_t i = 0; i < t->count; i++)
		if (vyrec_case_block(b->v->m, t, i))
			falls |= verify_block(b, vyrec_case_block(b->v->m, t, i), true);
	if (t->body[0])
		falls |= verify_block(b, t->body[0], true);
	return falls;
}

static bool check_labelled(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	uint32_t mark = b->scope.count;
	if (!t->local)
		return verify_block(b, t->body[0], true);
	verify_declare_local(b, t->local, VYREC_LOCAL_LABEL, t->loc);
	bool falls = verify_block(b, t->body[0], true);
	falls |= b->local_visible[t->local] == LABEL_TAKEN;
	verify_leave_scope(b, mark);
	return falls;
}

static void check_break(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	if (!t->local && b->loops)
		b->broken = true;
	else if (t->local && b->local_visible[t->local] && b->v->m->locals[t->local].kind == VYREC_LOCAL_LABEL)
		b->local_visible[t->local] = LABEL_TAKEN;
	else
		FAIL(b->v, V053, t->loc, "break %s%s has no %s around it; name a block that is open",
		     t->local ? "to " : "", t->local ? verify_name(b->v, b->v->m->locals[t->local].name) : "",
		     t->local ? "block of that name" : "loop");
}

static void check_return(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	vyrec_type wanted = b->fn ? b->v->m->fns[b->fn].result : VYREC_VOID;
	vyrec_type given = t->expr[0] ? node_of(b, t->expr[0])->type : VYREC_VOID;
	if (given != wanted || (t->expr[0] && given == VYREC_VOID))
		FAIL(b->v, V055, t->loc, "returns %s where the result is %s; correct one of them",
		     vyrec_type_name(given), vyrec_type_name(wanted));
}

static bool check_catch(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	verify_block(b, t->body[0], true);
	verify_declare_local(b, t->local, VYREC_LOCAL_VAR, t->loc);
	verify_declare_local(b, t->local2, VYREC_LOCAL_VAR, t->loc);
	for (unsigned i = 0; i < 2; i++) {
		const struct vyrec_local_node *l = &b->v->m->locals[i ? t->local2 : t->local];
		if (l->type != VYREC_U32)
			FAIL(b->v, V043, t->loc, "`%s` of a catch has type %s; it is u32", verify_name(b->v, l->name),
			     vyrec_type_name(l->type));
	}
	return true;
}

/* ---- effects --------------------------------------------------------------------------------------------------------- */

static void check_barrier(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	if (t->scope == VYREC_SCOPE_SYSTEM)
		FAIL(b->v, V064, t->loc, "a barrier of scope system; it is workgroup or device");
	if (t->scope == VYREC_SCOPE_DEVICE && b->where != VYREC_IN_PROGRAM)
		FAIL(b->v, V066, t->loc, "a device barrier in a set; an op is one slot, split it into two ops");
	if (verify_is_by_lane(b))
		FAIL(b->v, V067, t->loc, "a barrier in an op by lane; declare the op by workgroup");
}

static bool is_buffer(const struct verify_body *b, vyrec_array array)
{
	unsigned class_ = b->v->m->arrays[array].class_;
	return class_ >= VYREC_CLASS_CONST && class_ <= VYREC_CLASS_LIVE;
}

static void check_tag(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	if (t->imm > 63)
		FAIL(b->v, V069, t->loc, "tag %llu; tags are 0 to 63", (unsigned long long)t->imm);
}

static void check_copy(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	const struct vyrec_array_node *to = &b->v->m->arrays[t->array], *from = &b->v->m->arrays[t->array2];
	bool load = t->kind == VYREC_STMT_ASYNC_LOAD;
	verify_plain_access(b, t->array, t->loc, true);
	verify_plain_access(b, t->array2, t->loc, false);
	want_type(b, t->expr[0], VYREC_U32, V033, "an index");
	want_type(b, t->expr[1], VYREC_U32, V033, "an index");
	want_u32(b, t->expr[2], "the elements to copy");
	if (to->element != from->element || !is_buffer(b, load ? t->array2 : t->array))
		FAIL(b->v, V075, t->loc, "a copy from `%s` (%s) to `%s` (%s); it is %s a buffer, of one element type",
		     verify_name(b->v, from->name), vyrec_type_name(from->element), verify_name(b->v, to->name),
		     vyrec_type_name(to->element), load ? "from" : "to");
	check_tag(b, t);
	b->tags |= UINT64_C(1) << (t->imm & 63);
}

static void check_dispatch(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	const struct vyrec_array_node *a = &b->v->m->arrays[t->array];
	bool found = t->name && t->name < b->unit_capacity && b->unit_by_name[t->name];
	verify_plain_access(b, t->array, t->loc, false);
	want_type(b, t->expr[0], VYREC_U32, V033, "an index");
	if (!found || !is_buffer(b, t->array) || a->element != VYREC_U32)
		FAIL(b->v, V070, t->loc,
		     "dispatch of `%s` with counts in `%s` (%s); name a program and a buffer of u32",
		     verify_name(b->v, t->name), verify_name(b->v, a->name), vyrec_type_name(a->element));
}

static void check_trap(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	want_u32(b, t->expr[0], "the code of a trap");
	want_u32(b, t->expr[1], "the detail of a trap");
	if (t->imm > VYRE_FAULT_DEADLINE)
		FAIL(b->v, V043, t->loc, "fault kind %llu of a trap; the last is %d", (unsigned long long)t->imm,
		     VYRE_FAULT_DEADLINE);
}

static void check_log(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	want_u32(b, t->expr[0], "an operand of log");
	want_u32(b, t->expr[1], "an operand of log");
	if (t->imm > UINT32_MAX)
		FAIL(b->v, V043, t->loc, "log id %llu; it has 32 bits", (unsigned long long)t->imm);
	/* It is printed onto terminals; the loader refuses a blob with such a string. */
	for (const unsigned char *c = (const unsigned char *)verify_name(b->v, t->name); *c; c++) {
		if ((*c < 0x20 && *c != '\t' && *c != '\n') || *c == 0x7f)
			FAIL(b->v, V074, t->loc, "control character 0x%02x in the format of log %llu; remove it", *c,
			     (unsigned long long)t->imm);
	}
}

static void check_opaque(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	uint32_t high = 0;
	for (uint32_t i = 0; i < t->count; i++)
		high |= b->v->m->refs[t->list + i];
	if (!t->name || high > 0xff)
		FAIL(b->v, V072, t->loc, "an opaque statement `%s` with values up to %#x; it needs a name and bytes",
		     verify_name(b->v, t->name), high);
}

static void check_result(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	vyrec_type type = node_of(b, t->expr[0])->type;
	unsigned words = vyrec_type_bytes(type) > 4 ? 2 : 1;
	if (!vyrec_type_is_value(type) || type == VYREC_F16)
		FAIL(b->v, V043, t->loc, "a result of type %s; convert it to a type of 32 or 64 bits",
		     vyrec_type_name(type));
	if (t->imm > VYRE_SLOT_ARGS - words)
		FAIL(b->v, V073, t->loc, "result %llu of %u words; a slot has the words 0 to %d",
		     (unsigned long long)t->imm, words, VYRE_SLOT_ARGS - 1);
}

static void check_load(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	want_u32(b, t->expr[0], "the resource of a load");
	want_type(b, t->expr[1], VYREC_U64, V043, "the offset of a load");
	want_u32(b, t->expr[2], "the bytes of a load");
	want_u32(b, t->expr[3], "the destination of a load");
}

static void check_spawn(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	const struct vyrec_module *m = b->v->m;
	vyrec_handler handler = t->name && t->name < b->op_capacity ? b->op_by_name[t->name] : 0;
	const struct vyrec_handler_node *h = &m->handlers[handler];
	for (uint32_t i = 0; i < t->count; i++)
		verify_expr(b, m->refs[t->list + i]);
	if (t->body[0])
		verify_block(b, t->body[0], true);
	if (!handler || h->param_count != t->count) {
		FAIL(b->v, V071, t->loc,
		     "spawn of `%s` with %u arguments; name an op of the set and give what it takes",
		     verify_name(b->v, t->name), t->count);
		return;
	}
	for (uint32_t i = 0; i < t->count; i++)
		want_type(b, m->refs[t->list + i], m->locals[m->refs[h->params + i]].type, V071,
			  "an argument of spawn");
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

static void check_place(struct verify_body *b, const struct vyrec_stmt_node *t)
{
	const struct vyrec_node_info *info = vyrec_stmt_get_info(t->kind);
	if ((info->flags & b->where) != b->where)
		FAIL(b->v, V065, t->loc, "`%s` is not a statement %s", info->text, verify_where(b));
	if (info->flags & VYREC_IS_SUSPEND && b->fn)
		FAIL(b->v, V068, t->loc, "`%s` in a fn; move it into the op", info->text);
}

/* True where control can go on behind the statement. */
static bool check_stmt(struct verify_body *b, vyrec_stmt stmt)
{
	const struct vyrec_stmt_node *t = &b->v->m->stmts[stmt];
	check_place(b, t);
	for (unsigned i = 0; i < 4; i++)
		if (t->expr[i])
			verify_expr(b, t->expr[i]);
	switch (t->kind) {
	case VYREC_STMT_LET:
		check_let(b, t);
		break;
	case VYREC_STMT_VAR:
		check_var(b, t);
		break;
	case VYREC_STMT_ASSIGN:
		check_assign(b, t);
		break;
	case VYREC_STMT_STORE:
		check_store(b, t);
		break;
	case VYREC_STMT_EXPR: {
		unsigned kind = node_of(b, t->expr[0])->kind;
		if (kind != VYREC_EXPR_ATOMIC && kind != VYREC_EXPR_COLLECTIVE && kind != VYREC_EXPR_CALL)
			FAIL(b->v, V045, t->loc, "a value that nothing takes; remove it, or name it with let");
		break;
	}
	case VYREC_STMT_IF:
		return check_if(b, t);
	case VYREC_STMT_FOR:
		check_for(b, t);
		break;
	case VYREC_STMT_LOOP:
		return check_loop_body(b, t);
	case VYREC_STMT_SWITCH:
		return check_switch(b, t);
	case VYREC_STMT_BREAK:
		check_break(b, t);
		break;
	case VYREC_STMT_CONTINUE:
		if (!b->loops)
			FAIL(b->v, V053, t->loc, "continue has no loop around it; remove it");
		break;
	case VYREC_STMT_RETURN:
		check_return(b, t);
		break;
	case VYREC_STMT_BLOCK:
		return check_labelled(b, t);
	case VYREC_STMT_REGION:
		if (!t->name)
			FAIL(b->v, V072, t->loc, "a region without a name; give it one");
		return verify_block(b, t->body[0], false);
	case VYREC_STMT_CATCH:
		return check_catch(b, t);
	case VYREC_STMT_BARRIER:
		check_barrier(b, t);
		break;
	case VYREC_STMT_FENCE:
		if (t->order == VYREC_ORDER_RELAXED)
			FAIL(b->v, V064, t->loc,
			     "a relaxed fence orders nothing; use acquire, release, acqrel or seqcst");
		break;
	case VYREC_STMT_ASYNC_LOAD:
	case VYREC_STMT_ASYNC_STORE:
		check_copy(b, t);
		break;
	case VYREC_STMT_ASYNC_WAIT:
		check_tag(b, t);
		vyrec_list_push(&b->waits, stmt);
		break;
	case VYREC_STMT_DISPATCH:
		check_dispatch(b, t);
		break;
	case VYREC_STMT_TRAP:
		check_trap(b, t);
		break;
	case VYREC_STMT_LOG:
		check_log(b, t);
		break;
	case VYREC_STMT_OPAQUE:
		check_opaque(b, t);
		break;
	case VYREC_STMT_RESULT:
		check_result(b, t);
		break;
	case VYREC_STMT_REQUEUE:
		want_u32(b, t->expr[0], "the priority of a requeue");
		break;
	case VYREC_STMT_PAUSE:
		want_u32(b, t->expr[0], "the epoch of a pause");
		break;
	case VYREC_STMT_LOAD:
		check_load(b, t);
		break;
	case VYREC_STMT_SPAWN:
		check_spawn(b, t);
		break;
	}
	return !(vyrec_stmt_get_info(t->kind)->flags & VYREC_IS_END);
}

bool verify_block(struct verify_body *b, vyrec_block block, bool scoped)
{
	const struct vyrec_block_node *node = &b->v->m->blocks[block];
	uint32_t mark = b->scope.count;
	bool falls = true;
	for (uint32_t i = 0; i < node->count; i++) {
		const struct vyrec_stmt_node *t = &b->v->m->stmts[b->v->m->refs[node->first + i]];
		falls &= check_stmt(b, b->v->m->refs[node->first + i]);
		if (vyrec_stmt_get_info(t->kind)->flags & VYREC_IS_END && i + 1 < node->count)
			FAIL(b->v, V054, b->v->m->stmts[b->v->m->refs[node->first + i + 1]].loc,
			     "nothing reaches this statement, `%s` stands before it; remove it",
			     vyrec_stmt_get_info(t->kind)->text);
	}
	if (scoped)
		verify_leave_scope(b, mark);
	return falls;
}
