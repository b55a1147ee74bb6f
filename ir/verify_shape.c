/* verify_shape.c - is it a module at all? Indices, trees, enums, parts, limits.
 *
 * Enters: tables that anything may have been written into. Leaves: the fns that are reached, and the right to follow
 * indices. Invariant: no index is followed before it is checked, no node is entered twice (a bit per node, which also
 * ends cycles and keeps the walk linear), and the depth is bounded before the recursion, so that a hostile module can
 * cost neither stack nor time. Nodes that no unit reaches are not looked at: passes leave them behind.
 */
#include <stdlib.h>

#include "ir/verify_internal.h"

struct shape {
	struct verifier *v;
	struct vyrec_module *m;
	uint8_t *exprs, *stmts, *blocks, *locals, *arrays, *consts, *fns, *handlers; /* seen, by index */
	uint32_t nodes, array_count;
	struct vyrec_list calls; /* expressions: what they call must turn out to be an item, or of the prelude */
};

/* ---- ranges ---------------------------------------------------------------------------------------------------------- */

static bool in_range(struct shape *s, uint32_t index, uint32_t count, const char *what, vyrec_loc loc)
{
	if (index && index < count)
		return true;
	FAIL(s->v, V001, loc, "%s %u is not in 1 to %u; the writer of the module is broken", what, index, count - 1);
	return false;
}

static bool list_in_range(struct shape *s, uint32_t first, uint32_t count, uint32_t stride, vyrec_loc loc)
{
	if (!count || (first && first + (uint64_t)count * stride <= s->m->ref_count))
		return true;
	FAIL(s->v, V001, loc,
	     "list of %u at %u ends behind the %u words that there are; the writer of the module is broken", count,
	     first, s->m->ref_count);
	return false;
}

/* Marks a node as seen; false if it was already. */
static bool first_time(struct shape *s, uint8_t *seen, uint32_t index, enum verify_rule rule, const char *what,
		       vyrec_loc loc)
{
	if (!seen[index]++)
		return true;
	seen[index] = 1;
	FAIL(s->v, rule, loc, "%s %u occurs twice; clone it to use it again", what, index);
	return false;
}

static bool within(struct shape *s, uint64_t count, uint64_t limit, const char *what, vyrec_loc loc)
{
	if (count <= limit)
		return true;
	FAIL(s->v, V004, loc, "%llu %s, the limit is %llu; split it", (unsigned long long)count, what,
	     (unsigned long long)limit);
	return false;
}

static bool row(struct shape *s, unsigned value, unsigned count, const char *what, vyrec_loc loc)
{
	if (value < count)
		return true;
	FAIL(s->v, V005, loc, "%s %u is not one of 0 to %u; the writer of the module is broken", what, value,
	     count - 1);
	return false;
}

/* Lists of a hostile module may overlap without end, but each overlap is an error: enough of them is enough. */
static bool gave_up(const struct shape *s)
{
	return s->v->diags->errors > VYREC_MAX_ERRORS;
}

/* A name that may be 0. */
static bool check_name(struct shape *s, vyrec_name name, unsigned limit, vyrec_loc loc)
{
	if (name && !vyrec_name_bytes(s->m, name)) {
		FAIL(s->v, V001, loc, "name %u is not in the table; the writer of the module is broken", name);
		return false;
	}
	return within(s, vyrec_name_bytes(s->m, name), limit, "bytes of a name or string", loc);
}

static bool enter_node(struct shape *s, unsigned depth, vyrec_loc loc)
{
	if (depth > VYREC_MAX_TREE_DEPTH) {
		FAIL(s->v, V003, loc, "nested deeper than %d; move the inner part into a fn or a let",
		     VYREC_MAX_TREE_DEPTH);
		return false;
	}
	if (++s->nodes == VYREC_MAX_NODES + 1)
		FAIL(s->v, V004, loc, "more than %d statements and expressions; split the file", VYREC_MAX_NODES);
	return s->nodes <= VYREC_MAX_NODES;
}

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

static void check_expr(struct shape *s, vyrec_expr expr, unsigned depth, vyrec_loc loc);

static unsigned operand_count(const struct vyrec_expr_node *e)
{
	switch (e->kind) {
	case VYREC_EXPR_OP:
		return vyrec_op_get_info(e->code)->arg_count;
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		return 2;
	case VYREC_EXPR_LOAD:
	case VYREC_EXPR_ARG:
		return 1;
	case VYREC_EXPR_COLLECTIVE:
		return vyrec_collective_get_info(e->code)->arg_count;
	case VYREC_EXPR_ATOMIC:
		return 1u + vyrec_atomic_get_info(e->code)->arg_count;
	default:
		return 0;
	}
}

static bool check_code(struct shape *s, const struct vyrec_expr_node *e)
{
	static const struct {
		const char *what;
		unsigned count;
	} codes[VYREC_EXPR_COUNT] = {
	    [VYREC_EXPR_OP] = {"operation", VYREC_OP_COUNT},
	    [VYREC_EXPR_BUILTIN] = {"builtin", VYREC_BUILTIN_COUNT},
	    [VYREC_EXPR_COLLECTIVE] = {"collective", VYREC_COLLECTIVE_COUNT},
	    [VYREC_EXPR_ATOMIC] = {"atomic", VYREC_ATOMIC_COUNT},
	};
	if (!codes[e->kind].what)
		return true;
	if (!e->code) {
		FAIL(s->v, V005, e->loc, "%s 0 is none; the writer of the module is broken", codes[e->kind].what);
		return false;
	}
	return row(s, e->code, codes[e->kind].count, codes[e->kind].what, e->loc);
}

static bool check_expr_symbol(struct shape *s, const struct vyrec_expr_node *e)
{
	struct vyrec_module *m = s->m;
	switch (e->kind) {
	case VYREC_EXPR_CONST:
		return in_range(s, e->sym, m->const_count, "const", e->loc);
	case VYREC_EXPR_LOCAL:
		return in_range(s, e->sym, m->local_count, "local", e->loc);
	case VYREC_EXPR_LOAD:
	case VYREC_EXPR_LENGTH:
	case VYREC_EXPR_ATOMIC:
		return in_range(s, e->sym, m->array_count, "array", e->loc);
	case VYREC_EXPR_CALL:
		return in_range(s, e->sym, m->fn_count, "fn", e->loc) &&
		       within(s, e->count, VYREC_MAX_PARAMS, "arguments of a call", e->loc) &&
		       list_in_range(s, e->list, e->count, 1, e->loc);
	default:
		return true;
	}
}

/* A fn of the prelude is no item: its first call reaches it. */
static void reach_fn(struct shape *s, vyrec_expr call)
{
	vyrec_fn fn = s->m->exprs[call].sym;
	vyrec_list_push(&s->calls, call);
	if (!s->m->fns[fn].unit && !s->fns[fn]) {
		s->fns[fn] = 1;
		vyrec_list_push(&s->v->fns, fn);
	}
}

static void check_expr(struct shape *s, vyrec_expr expr, unsigned depth, vyrec_loc loc)
{
	if (!in_range(s, expr, s->m->expr_count, "expression", loc))
		return;
	const struct vyrec_expr_node *e = &s->m->exprs[expr];
	if (e->loc)
		loc = e->loc;
	if (!first_time(s, s->exprs, expr, V002, "expression", loc) || !enter_node(s, depth, loc))
		return;
	if (!e->kind || !row(s, e->kind, VYREC_EXPR_COUNT, "expression kind", loc)) {
		if (!e->kind)
			FAIL(s->v, V005, loc, "expression %u is of no kind; the writer of the module is broken", expr);
		return;
	}
	bool fine =
	    row(s, e->type, VYREC_TYPE_COUNT, "type", loc) && row(s, e->policy, VYREC_POLICY_COUNT, "policy", loc) &&
	    row(s, e->order, VYREC_ORDER_COUNT, "order", loc) && row(s, e->scope, VYREC_SCOPE_COUNT, "scope", loc);
	if (!fine || !check_code(s, e) || !check_expr_symbol(s, e))
		return;
	unsigned count = operand_count(e);
	for (unsigned i = 0; i < 3; i++)
		if ((e->arg[i] != 0) != (i < count)) {
			FAIL(s->v, V006, loc,
			     "an expression of kind %u takes %u operands, operand %u is %s; give it exactly them",
			     e->kind, count, i, e->arg[i] ? "there" : "missing");
			return;
		}
	for (unsigned i = 0; i < count; i++)
		check_expr(s, e->arg[i], depth + 1, loc);
	if (e->kind == VYREC_EXPR_CALL) {
		for (uint32_t i = 0; i < e->count; i++)
			check_expr(s, s->m->refs[e->list + i], depth + 1, loc);
		reach_fn(s, expr);
	}
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

enum {
	E0 = 1 << 0,
	E1 = 1 << 1,
	E2 = 1 << 2,
	E3 = 1 << 3,
	B0 = 1 << 4,
	B1 = 1 << 5,
	LOCAL = 1 << 6,
	LOCAL2 = 1 << 7,
	ARRAY = 1 << 8,
	ARRAY2 = 1 << 9,
	LIST = 1 << 10,
};
/* The parts of each kind, as module.h lists them. Names are not parts: V070 to V072 say which need one. */
static const struct {
	uint16_t need, may;
} parts[VYREC_STMT_COUNT] = {
    [VYREC_STMT_LET] = {LOCAL | E0, 0},
    [VYREC_STMT_VAR] = {0, LOCAL | E0 | ARRAY}, /* one of two forms: check_parts */
    [VYREC_STMT_ASSIGN] = {LOCAL | E0, 0},
    [VYREC_STMT_STORE] = {ARRAY | E0 | E1, 0},
    [VYREC_STMT_EXPR] = {E0, 0},
    [VYREC_STMT_IF] = {E0 | B0, B1},
    [VYREC_STMT_FOR] = {LOCAL | E0 | E1 | B0, E2},
    [VYREC_STMT_LOOP] = {B0, 0},
    [VYREC_STMT_SWITCH] = {E0, B0 | LIST},
    [VYREC_STMT_BREAK] = {0, LOCAL},
    [VYREC_STMT_RETURN] = {0, E0},
    [VYREC_STMT_BLOCK] = {B0, LOCAL},
    [VYREC_STMT_REGION] = {B0, 0},
    [VYREC_STMT_CATCH] = {LOCAL | LOCAL2 | B0, 0},
    [VYREC_STMT_ASYNC_LOAD] = {ARRAY | ARRAY2 | E0 | E1 | E2, 0},
    [VYREC_STMT_ASYNC_STORE] = {ARRAY | ARRAY2 | E0 | E1 | E2, 0},
    [VYREC_STMT_DISPATCH] = {ARRAY | E0, 0},
    [VYREC_STMT_TRAP] = {E0, E1},
    [VYREC_STMT_LOG] = {E0 | E1, 0},
    [VYREC_STMT_OPAQUE] = {0, LIST},
    [VYREC_STMT_RESULT] = {E0, 0},
    [VYREC_STMT_REQUEUE] = {E0, 0},
    [VYREC_STMT_PAUSE] = {E0, 0},
    [VYREC_STMT_LOAD] = {E0 | E1 | E2 | E3, 0},
    [VYREC_STMT_SPAWN] = {0, LIST | B0},
};

static unsigned parts_of(const struct vyrec_stmt_node *t)
{
	unsigned has = 0;
	for (unsigned i = 0; i < 4; i++)
		has |= t->expr[i] ? E0 << i : 0;
	for (unsigned i = 0; i < 2; i++)
		has |= t->body[i] ? B0 << i : 0;
	return has | (t->local ? LOCAL : 0) | (t->local2 ? LOCAL2 : 0) | (t->array ? ARRAY : 0) |
	       (t->array2 ? ARRAY2 : 0) | (t->count ? LIST : 0);
}

static bool check_parts(struct shape *s, const struct vyrec_stmt_node *t, vyrec_loc loc)
{
	unsigned has = parts_of(t), need = parts[t->kind].need, may = need | parts[t->kind].may;
	bool fine = (has & need) == need && !(has & ~may);
	if (t->kind == VYREC_STMT_VAR)
		fine = has == LOCAL || has == (LOCAL | E0) || has == ARRAY;
	if (!fine)
		FAIL(s->v, V006, loc,
		     "`%s` lacks a part or has one too many (has %#x, needs %#x, may have %#x); see module.h",
		     vyrec_stmt_get_info(t->kind)->name, has, need, may);
	return fine;
}

static void declare_local(struct shape *s, vyrec_local local, vyrec_loc loc)
{
	if (!in_range(s, local, s->m->local_count, "local", loc))
		return;
	const struct vyrec_local_node *l = &s->m->locals[local];
	first_time(s, s->locals, local, V007, "local", loc);
	row(s, l->kind, VYREC_LOCAL_LABEL + 1, "kind of local", loc);
	row(s, l->type, VYREC_TYPE_COUNT, "type", loc);
	check_name(s, l->name, VYREC_MAX_NAME_BYTES, loc);
}

static void declare_array(struct shape *s, vyrec_array array, vyrec_loc loc)
{
	if (!in_range(s, array, s->m->array_count, "array", loc))
		return;
	const struct vyrec_array_node *a = &s->m->arrays[array];
	first_time(s, s->arrays, array, V007, "array", loc);
	row(s, a->element, VYREC_TYPE_COUNT, "type", loc);
	if (!a->element)
		FAIL(s->v, V005, loc, "array %u has no element type; give it one", array);
	check_name(s, a->name, VYREC_MAX_NAME_BYTES, loc);
	if (++s->array_count == VYREC_MAX_ARRAYS + 1)
		FAIL(s->v, V004, loc, "more than %d arrays; split the file", VYREC_MAX_ARRAYS);
}

static void check_block(struct shape *s, vyrec_block block, unsigned depth, vyrec_loc loc);

/* Symbols: declared where the kind declares them, else only in range. */
static bool check_stmt_symbols(struct shape *s, const struct vyrec_stmt_node *t, vyrec_loc loc)
{
	static const bool declares[VYREC_STMT_COUNT] = {[VYREC_STMT_LET] = true,
							[VYREC_STMT_VAR] = true,
							[VYREC_STMT_FOR] = true,
							[VYREC_STMT_BLOCK] = true,
							[VYREC_STMT_CATCH] = true};
	const vyrec_local locals[2] = {t->local, t->local2};
	const vyrec_array arrays[2] = {t->array, t->array2};
	bool fine = check_name(s, t->name, VYREC_MAX_STRING_BYTES, loc);
	for (unsigned i = 0; i < 2; i++) {
		if (locals[i] && declares[t->kind])
			declare_local(s, locals[i], loc);
		else if (locals[i])
			fine = in_range(s, locals[i], s->m->local_count, "local", loc) && fine;
		if (arrays[i] && declares[t->kind])
			declare_array(s, arrays[i], loc);
		else if (arrays[i])
			fine = in_range(s, arrays[i], s->m->array_count, "array", loc) && fine;
	}
	return fine;
}

static void check_stmt_list(struct shape *s, const struct vyrec_stmt_node *t, unsigned depth, vyrec_loc loc)
{
	if (t->kind == VYREC_STMT_SPAWN && within(s, t->count, VYREC_MAX_PARAMS, "arguments of a spawn", loc) &&
	    list_in_range(s, t->list, t->count, 1, loc))
		for (uint32_t i = 0; i < t->count; i++)
			check_expr(s, s->m->refs[t->list + i], 1, loc);
	if (t->kind == VYREC_STMT_SWITCH && within(s, t->count, VYREC_MAX_CASES, "cases of a switch", loc) &&
	    list_in_range(s, t->list, t->count, 2, loc))
		for (uint32_t i = 0; i < t->count; i++)
			if (!i || !s->m->refs[t->list + 2 * i + 1] || vyrec_case_block(s->m, t, i))
				check_block(s, s->m->refs[t->list + 2 * i + 1], depth + 1, loc);
	if (t->kind == VYREC_STMT_OPAQUE &&
	    within(s, t->count, VYREC_MAX_STRING_BYTES, "bytes of an opaque statement", loc))
		list_in_range(s, t->list, t->count, 1, loc);
}

static void check_stmt(struct shape *s, vyrec_stmt stmt, unsigned depth, vyrec_loc loc)
{
	if (!in_range(s, stmt, s->m->stmt_count, "statement", loc))
		return;
	const struct vyrec_stmt_node *t = &s->m->stmts[stmt];
	if (t->loc)
		loc = t->loc;
	if (!first_time(s, s->stmts, stmt, V002, "statement", loc) || !enter_node(s, depth, loc))
		return;
	if (!t->kind || !row(s, t->kind, VYREC_STMT_COUNT, "statement kind", loc)) {
		if (!t->kind)
			FAIL(s->v, V005, loc, "statement %u is of no kind; the writer of the module is broken", stmt);
		return;
	}
	bool fine = row(s, t->policy, VYREC_POLICY_COUNT, "policy", loc) &&
		    row(s, t->order, VYREC_ORDER_COUNT, "order", loc) &&
		    row(s, t->scope, VYREC_SCOPE_COUNT, "scope", loc);
	if (!fine || !check_parts(s, t, loc) || !check_stmt_symbols(s, t, loc))
		return;
	for (unsigned i = 0; i < 4; i++)
		if (t->expr[i])
			check_expr(s, t->expr[i], 1, loc);
	check_stmt_list(s, t, depth, loc);
	for (unsigned i = 0; i < 2; i++)
		if (t->body[i])
			check_block(s, t->body[i], depth + 1, loc);
}

static void check_block(struct shape *s, vyrec_block block, unsigned depth, vyrec_loc loc)
{
	if (!in_range(s, block, s->m->block_count, "block", loc) ||
	    !first_time(s, s->blocks, block, V002, "block", loc))
		return;
	const struct vyrec_block_node *b = &s->m->blocks[block];
	if (list_in_range(s, b->first, b->count, 1, loc))
		for (uint32_t i = 0; i < b->count && !gave_up(s); i++)
			check_stmt(s, s->m->refs[b->first + i], depth, loc);
}

/* ---- units ----------------------------------------------------------------------------------------------------------- */

static void check_params(struct shape *s, uint32_t list, uint32_t count, bool declare, vyrec_loc loc)
{
	if (!within(s, count, VYREC_MAX_PARAMS, "parameters", loc) || !list_in_range(s, list, count, 1, loc))
		return;
	for (uint32_t i = 0; i < count; i++)
		if (declare)
			declare_local(s, s->m->refs[list + i], loc);
		else
			in_range(s, s->m->refs[list + i], s->m->local_count, "local", loc);
}

static void check_fn(struct shape *s, vyrec_fn fn)
{
	const struct vyrec_fn_node *f = &s->m->fns[fn];
	check_name(s, f->name, VYREC_MAX_NAME_BYTES, f->loc);
	row(s, f->result, VYREC_TYPE_COUNT, "type", f->loc);
	check_params(s, f->params, f->param_count, true, f->loc);
	check_block(s, f->body, 1, f->loc);
}

/* The params and shared arrays of a lowered op may have become the program's: only their range counts. */
static void check_handler(struct shape *s, vyrec_handler handler, bool lowered)
{
	const struct vyrec_handler_node *h = &s->m->handlers[handler];
	check_name(s, h->name, VYREC_MAX_NAME_BYTES, h->loc);
	check_params(s, h->params, h->param_count, !lowered, h->loc);
	bool fine = list_in_range(s, h->shared, h->shared_count, 1, h->loc) &&
		    within(s, h->shared_count, VYREC_MAX_ARRAYS, "shared arrays", h->loc);
	for (uint32_t i = 0; fine && i < h->shared_count; i++) {
		if (lowered)
			in_range(s, s->m->refs[h->shared + i], s->m->array_count, "array", h->loc);
		else
			declare_array(s, s->m->refs[h->shared + i], h->loc);
	}
	if (h->body || !lowered)
		check_block(s, h->body, 1, h->loc);
}

static void check_const(struct shape *s, vyrec_const constant)
{
	const struct vyrec_const_node *c = &s->m->consts[constant];
	check_name(s, c->name, VYREC_MAX_NAME_BYTES, c->loc);
	row(s, c->type, VYREC_TYPE_COUNT, "type", c->loc);
	if (c->expr)
		check_expr(s, c->expr, 1, c->loc);
}

static void check_item(struct shape *s, vyrec_unit unit, uint32_t item, uint32_t index)
{
	struct vyrec_module *m = s->m;
	vyrec_loc loc = m->units[unit].loc;
	switch (item) {
	case VYREC_ITEM_BUFFER:
	case VYREC_ITEM_SHARED:
		declare_array(s, index, loc);
		break;
	case VYREC_ITEM_CONST:
		if (in_range(s, index, m->const_count, "const", loc) &&
		    first_time(s, s->consts, index, V007, "const", loc))
			check_const(s, index);
		break;
	case VYREC_ITEM_FN:
		if (in_range(s, index, m->fn_count, "fn", loc) && first_time(s, s->fns, index, V007, "fn", loc))
			vyrec_list_push(&s->v->fns, index);
		if (index && index < m->fn_count && m->fns[index].unit != unit)
			FAIL(s->v, V001, loc,
			     "fn %u is an item of unit %u and says %u; the writer of the module is broken", index, unit,
			     m->fns[index].unit);
		break;
	case VYREC_ITEM_HANDLER:
		if (in_range(s, index, m->handler_count, "op", loc) &&
		    first_time(s, s->handlers, index, V007, "op", loc))
			check_handler(s, index, verify_is_lowered(&m->units[unit]));
		break;
	default:
		FAIL(s->v, V005, loc, "item kind %u is not one of 1 to 5; the writer of the module is broken", item);
	}
}

static void check_unit(struct shape *s, vyrec_unit unit)
{
	const struct vyrec_unit_node *u = &s->m->units[unit];
	check_name(s, u->name, VYREC_MAX_NAME_BYTES, u->loc);
	row(s, u->feed, VYRE_FEED_COUNT, "feed", u->loc);
	if (u->kind != VYRE_UNIT_SET && u->kind != VYRE_UNIT_PROGRAM)
		FAIL(s->v, V005, u->loc, "unit kind %u is neither set nor program; the writer of the module is broken",
		     u->kind);
	if (list_in_range(s, u->items, u->item_count, 2, u->loc))
		for (uint32_t i = 0; i < u->item_count && !gave_up(s); i++)
			check_item(s, unit, s->m->refs[u->items + 2 * i], s->m->refs[u->items + 2 * i + 1]);
	if (u->body)
		check_block(s, u->body, 1, u->loc);
}

void verify_shape(struct verifier *v)
{
	struct vyrec_module *m = v->m;
	struct shape s = {.v = v,
			  .m = m,
			  .exprs = vyrec_alloc(m->expr_count),
			  .stmts = vyrec_alloc(m->stmt_count),
			  .blocks = vyrec_alloc(m->block_count),
			  .locals = vyrec_alloc(m->local_count),
			  .arrays = vyrec_alloc(m->array_count),
			  .consts = vyrec_alloc(m->const_count),
			  .fns = vyrec_alloc(m->fn_count),
			  .handlers = vyrec_alloc(m->handler_count)};
	if (within(&s, m->unit_count - 1, VYREC_MAX_UNITS, "units", 0))
		for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
			check_unit(&s, unit);
	for (uint32_t i = 0; i < v->fns.count; i++) /* grows while fns of the prelude call others */
		check_fn(&s, v->fns.items[i]);
	for (uint32_t i = 0; i < s.calls.count; i++) {
		const struct vyrec_expr_node *e = &m->exprs[s.calls.items[i]];
		if (!s.fns[e->sym])
			FAIL(v, V001, e->loc,
			     "fn %u is called and no item of a unit; the writer of the module is broken", e->sym);
	}
	for (uint32_t i = 0; i < m->comment_count; i++)
		check_name(&s, m->comments[i].text, VYREC_MAX_SOURCE_BYTES, m->comments[i].loc);
	free(s.exprs);
	free(s.stmts);
	free(s.blocks);
	free(s.locals);
	free(s.arrays);
	free(s.consts);
	free(s.fns);
	free(s.handlers);
	vyrec_list_free(&s.calls);
}
