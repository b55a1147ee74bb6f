/* verify_bodies.c - units and their bodies, and what is visible in them.
 *
 * Enters: a module of sound shape. Leaves: the statements of each body checked with the right names around them.
 * Invariant: `scope` lists what has been declared and is still visible; leaving a scope takes it away again, so that
 * visibility is one byte a symbol and one count a name, and no scope is ever searched.
 */
#include <stdlib.h>

#include "ir/verify_internal.h"

enum { SCOPE_LOCAL, SCOPE_ARRAY, SCOPE_NAME };

/* ---- scopes ---------------------------------------------------------------------------------------------------------- */

static void enter_scope(struct verify_body *b, uint32_t table, uint32_t index)
{
	vyrec_list_push(&b->scope, table);
	vyrec_list_push(&b->scope, index);
}

void verify_leave_scope(struct verify_body *b, uint32_t mark)
{
	while (b->scope.count > mark) {
		uint32_t index = b->scope.items[--b->scope.count], table = b->scope.items[--b->scope.count];
		if (table == SCOPE_LOCAL)
			b->local_visible[index] = 0;
		else if (table == SCOPE_ARRAY)
			b->array_visible[index] = 0;
		else
			b->name_uses[index]--;
	}
}

/* False if the name was already visible. */
static bool enter_name(struct verify_body *b, vyrec_name name)
{
	b->name_uses = vyrec_grow(b->name_uses, &b->name_capacity, name + 1, sizeof *b->name_uses);
	enter_scope(b, SCOPE_NAME, name);
	return !b->name_uses[name]++;
}

static void declare_name(struct verify_body *b, vyrec_name name, vyrec_loc loc)
{
	if (!name)
		FAIL(b->v, V010, loc, "a declaration without a name; give it one");
	else if (!enter_name(b, name))
		FAIL(b->v, V051, loc, "`%s` hides another declaration of that name; rename one",
		     verify_name(b->v, name));
	else
		verify_spelling(b->v, name, false, loc);
}

void verify_declare_local(struct verify_body *b, vyrec_local local, unsigned kind, vyrec_loc loc)
{
	const struct vyrec_local_node *l = &b->v->m->locals[local];
	bool label = kind == VYREC_LOCAL_LABEL;
	if (l->kind != kind)
		FAIL(b->v, V005, loc, "`%s` is a local of kind %u, declared as kind %u; correct it",
		     verify_name(b->v, l->name), l->kind, kind);
	if (label ? l->type != VYREC_VOID : !vyrec_type_is_value(l->type))
		FAIL(b->v, V036, loc, "`%s` has type %s; a value is bool u32 i32 u64 i64 f32 f64 or f16",
		     verify_name(b->v, l->name), vyrec_type_name(l->type));
	declare_name(b, l->name, loc);
	b->local_visible[local] = 1;
	b->local_step[local] = 0;
	enter_scope(b, SCOPE_LOCAL, local);
}

void verify_declare_array(struct verify_body *b, vyrec_array array)
{
	const struct vyrec_array_node *a = &b->v->m->arrays[array];
	declare_name(b, a->name, a->loc);
	b->array_visible[array] = 1;
	enter_scope(b, SCOPE_ARRAY, array);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

static bool check_body(struct verify_body *b, vyrec_block body)
{
	b->tags = 0;
	b->waits.count = 0;
	b->broken = false;
	bool falls = verify_block(b, body, true);
	for (uint32_t i = 0; i < b->waits.count; i++) {
		const struct vyrec_stmt_node *t = &b->v->m->stmts[b->waits.items[i]];
		if (!(b->tags >> (t->imm & 63) & 1))
			FAIL(b->v, V069, t->loc,
			     "no copy is started under tag %llu in this body; start one, or remove the wait",
			     (unsigned long long)t->imm);
	}
	return falls;
}

static void declare_params(struct verify_body *b, uint32_t list, uint32_t count, vyrec_loc loc)
{
	for (uint32_t i = 0; i < count; i++) {
		vyrec_local local = b->v->m->refs[list + i];
		verify_declare_local(b, local, VYREC_LOCAL_PARAM,
				     b->v->m->locals[local].loc ? b->v->m->locals[local].loc : loc);
	}
}

static void check_fn(struct verify_body *b, vyrec_fn fn)
{
	const struct vyrec_fn_node *f = &b->v->m->fns[fn];
	uint32_t mark = b->scope.count;
	b->fn = fn;
	if (f->result && !vyrec_type_is_value(f->result))
		FAIL(b->v, V036, f->loc, "`%s` gives %s; a result is bool u32 i32 u64 i64 f32 f64 or f16",
		     verify_name(b->v, f->name), vyrec_type_name(f->result));
	declare_params(b, f->params, f->param_count, f->loc);
	if (check_body(b, f->body) && f->result)
		FAIL(b->v, V056, f->loc, "`%s` gives %s, and a path through it ends without return; add one",
		     verify_name(b->v, f->name), vyrec_type_name(f->result));
	verify_leave_scope(b, mark);
	b->fn = 0;
}

static void check_handler(struct verify_body *b, vyrec_handler handler)
{
	const struct vyrec_handler_node *h = &b->v->m->handlers[handler];
	uint32_t mark = b->scope.count;
	if (verify_is_lowered(&b->v->m->units[b->unit])) {
		if (b->v->m->blocks[h->body].count)
			FAIL(b->v, V013, h->loc, "`%s` still has a body in a program that was made from its set",
			     verify_name(b->v, h->name));
		return;
	}
	b->handler = handler;
	declare_params(b, h->params, h->param_count, h->loc);
	for (uint32_t i = 0; i < h->shared_count; i++)
		verify_declare_array(b, b->v->m->refs[h->shared + i]);
	check_body(b, h->body);
	verify_leave_scope(b, mark);
	b->handler = 0;
}

/* Names of items are already compared with each other: V010. */
static void declare_item(struct verify_body *b, uint32_t item, uint32_t index)
{
	const struct vyrec_module *m = b->v->m;
	if (item == VYREC_ITEM_BUFFER || item == VYREC_ITEM_SHARED) {
		enter_name(b, m->arrays[index].name);
		b->array_visible[index] = 1;
		enter_scope(b, SCOPE_ARRAY, index);
	} else if (item == VYREC_ITEM_CONST) {
		enter_name(b, m->consts[index].name);
		b->const_visible[index] = 1;
	} else if (item == VYREC_ITEM_FN) {
		enter_name(b, m->fns[index].name);
	} else {
		vyrec_name name = m->handlers[index].name;
		enter_name(b, name);
		b->op_by_name = vyrec_grow(b->op_by_name, &b->op_capacity, name + 1, sizeof *b->op_by_name);
		b->op_by_name[name] = index;
	}
}

static void check_unit(struct verify_body *b, vyrec_unit unit)
{
	const struct vyrec_module *m = b->v->m;
	const struct vyrec_unit_node *u = &m->units[unit];
	const uint32_t *items = m->refs + u->items;
	b->unit = unit;
	b->where = u->kind == VYRE_UNIT_SET ? VYREC_IN_HANDLER : VYREC_IN_PROGRAM;
	for (uint32_t i = 0; i < u->item_count; i++)
		declare_item(b, items[2 * i], items[2 * i + 1]);
	for (uint32_t i = 0; i < u->item_count; i++) {
		uint32_t item = items[2 * i], index = items[2 * i + 1];
		if (item == VYREC_ITEM_CONST && m->consts[index].expr)
			verify_expr(b, m->consts[index].expr);
		else if (item == VYREC_ITEM_FN)
			check_fn(b, index);
		else if (item == VYREC_ITEM_HANDLER)
			check_handler(b, index);
	}
	if (u->body)
		check_body(b, u->body);
	for (uint32_t i = 0; i < u->item_count; i++)
		if (items[2 * i] == VYREC_ITEM_CONST)
			b->const_visible[items[2 * i + 1]] = 0;
		else if (items[2 * i] == VYREC_ITEM_HANDLER)
			b->op_by_name[m->handlers[items[2 * i + 1]].name] = 0;
	verify_leave_scope(b, 0);
}

static void find_programs(struct verify_body *b)
{
	for (vyrec_unit unit = 1; unit < b->v->m->unit_count; unit++) {
		const struct vyrec_unit_node *u = &b->v->m->units[unit];
		b->unit_by_name = vyrec_grow(b->unit_by_name, &b->unit_capacity, u->name + 1, sizeof *b->unit_by_name);
		b->unit_by_name[u->name] = u->kind == VYRE_UNIT_PROGRAM ? unit : 0;
	}
}

void verify_bodies(struct verifier *v)
{
	struct vyrec_module *m = v->m;
	struct verify_body b = {.v = v,
				.local_visible = vyrec_alloc(m->local_count),
				.array_visible = vyrec_alloc(m->array_count),
				.const_visible = vyrec_alloc(m->const_count),
				.local_step = vyrec_alloc(m->local_count * sizeof *b.local_step)};
	find_programs(&b);
	b.where = VYREC_IN_ANY;
	for (uint32_t i = 0; i < v->fns.count; i++)
		if (!m->fns[v->fns.items[i]].unit)
			check_fn(&b, v->fns.items[i]);
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
		check_unit(&b, unit);
	free(b.local_visible);
	free(b.array_visible);
	free(b.const_visible);
	free(b.local_step);
	free(b.name_uses);
	free(b.op_by_name);
	free(b.unit_by_name);
	vyrec_list_free(&b.scope);
	vyrec_list_free(&b.waits);
}
