/* import.c - one module's contents appended to another's.
 *
 * Enters: two modules. Leaves: the first holds both. Every table is flat, so an import is: append each table, add a
 * constant to every index. Locals get names that the first module does not use, so that trees of both may be nested
 * without hiding each other's names. Arrays and units keep their names: they are interfaces.
 */
#include "ir/module.h"

/* What is added to an index of each table; index 0 stays 0. */
struct shift {
	uint32_t expr, stmt, block, local, array, constant, fn, handler, unit, ref;
};

static uint32_t moved(uint32_t index, uint32_t by)
{
	return index ? index + by : 0;
}

static vyrec_name renamed(struct vyrec_module *to, const struct vyrec_module *from, vyrec_name name)
{
	return vyrec_intern(to, vyrec_name_text(from, name), vyrec_name_bytes(from, name));
}

static void shift_refs(struct vyrec_module *to, uint32_t first, uint32_t count, uint32_t stride, uint32_t by)
{
	for (uint32_t i = 0; i < count; i += stride)
		to->refs[first + i] = moved(to->refs[first + i], by);
}

static void import_exprs(struct vyrec_module *to, const struct vyrec_module *from, const struct shift *s)
{
	for (uint32_t i = 1; i < from->expr_count; i++) {
		struct vyrec_expr_node e = from->exprs[i];
		for (unsigned a = 0; a < 3; a++)
			e.arg[a] = moved(e.arg[a], s->expr);
		switch (e.kind) {
		case VYREC_EXPR_CONST:
			e.sym = moved(e.sym, s->constant);
			break;
		case VYREC_EXPR_LOCAL:
			e.sym = moved(e.sym, s->local);
			break;
		case VYREC_EXPR_CALL:
			e.sym = moved(e.sym, s->fn);
			e.list += s->ref;
			shift_refs(to, e.list, e.count, 1, s->expr);
			break;
		default:
			e.sym = moved(e.sym, s->array);
			break;
		}
		vyrec_add_expr(to, &e);
	}
}

static void import_stmts(struct vyrec_module *to, const struct vyrec_module *from, const struct shift *s)
{
	for (uint32_t i = 1; i < from->stmt_count; i++) {
		struct vyrec_stmt_node t = from->stmts[i];
		t.local = moved(t.local, s->local);
		t.local2 = moved(t.local2, s->local);
		t.array = moved(t.array, s->array);
		t.array2 = moved(t.array2, s->array);
		t.name = renamed(to, from, t.name);
		for (unsigned a = 0; a < 4; a++)
			t.expr[a] = moved(t.expr[a], s->expr);
		for (unsigned b = 0; b < 2; b++)
			t.body[b] = moved(t.body[b], s->block);
		t.list += s->ref;
		if (t.kind == VYREC_STMT_SWITCH && t.count) /* pairs (value, block) */
			shift_refs(to, t.list + 1, 2 * t.count - 1, 2, s->block);
		else if (t.kind == VYREC_STMT_SPAWN)
			shift_refs(to, t.list, t.count, 1, s->expr);
		vyrec_add_stmt(to, &t);
	}
	for (uint32_t i = 1; i < from->block_count; i++) {
		vyrec_block b = vyrec_add_block(to, NULL, 0);
		to->blocks[b] = (struct vyrec_block_node){from->blocks[i].first + s->ref, from->blocks[i].count};
		shift_refs(to, to->blocks[b].first, to->blocks[b].count, 1, s->stmt);
	}
}

static void import_symbols(struct vyrec_module *to, const struct vyrec_module *from, const struct shift *s)
{
	for (uint32_t i = 1; i < from->local_count; i++) {
		const struct vyrec_local_node *l = &from->locals[i];
		vyrec_add_local(to, vyrec_fresh_name(to, vyrec_name_text(from, l->name)), l->kind, l->type, l->loc);
	}
	for (uint32_t i = 1; i < from->array_count; i++) {
		struct vyrec_array_node a = from->arrays[i];
		a.name = renamed(to, from, a.name);
		vyrec_add_array(to, &a);
	}
	for (uint32_t i = 1; i < from->const_count; i++) {
		struct vyrec_const_node c = from->consts[i];
		c.name = renamed(to, from, c.name);
		c.expr = moved(c.expr, s->expr);
		vyrec_add_const(to, &c);
	}
	for (uint32_t i = 1; i < from->fn_count; i++) {
		struct vyrec_fn_node f = from->fns[i];
		f.name = renamed(to, from, f.name);
		f.unit = moved(f.unit, s->unit);
		f.params += s->ref;
		shift_refs(to, f.params, f.param_count, 1, s->local);
		f.body = moved(f.body, s->block);
		vyrec_add_fn(to, &f);
	}
	for (uint32_t i = 1; i < from->handler_count; i++) {
		struct vyrec_handler_node h = from->handlers[i];
		h.name = renamed(to, from, h.name);
		h.params += s->ref;
		h.shared += s->ref;
		shift_refs(to, h.params, h.param_count, 1, s->local);
		shift_refs(to, h.shared, h.shared_count, 1, s->array);
		h.body = moved(h.body, s->block);
		vyrec_add_handler(to, &h);
	}
}

static void import_units(struct vyrec_module *to, const struct vyrec_module *from, const struct shift *s)
{
	const uint32_t by[] = {
	    [VYREC_ITEM_BUFFER] = s->array, [VYREC_ITEM_SHARED] = s->array,    [VYREC_ITEM_CONST] = s->constant,
	    [VYREC_ITEM_FN] = s->fn,	    [VYREC_ITEM_HANDLER] = s->handler,
	};
	for (uint32_t i = 1; i < from->unit_count; i++) {
		struct vyrec_unit_node u = from->units[i];
		u.name = renamed(to, from, u.name);
		u.body = moved(u.body, s->block);
		u.items += s->ref;
		for (uint32_t k = 0; k < u.item_count; k++) {
			uint32_t *pair = &to->refs[u.items + 2 * k];
			pair[1] = moved(pair[1], by[pair[0]]);
		}
		vyrec_add_unit(to, &u);
	}
}

vyrec_unit vyrec_module_import(struct vyrec_module *to, const struct vyrec_module *from)
{
	const struct shift s = {
	    .expr = to->expr_count - 1,
	    .stmt = to->stmt_count - 1,
	    .block = to->block_count - 1,
	    .local = to->local_count - 1,
	    .array = to->array_count - 1,
	    .constant = to->const_count - 1,
	    .fn = to->fn_count - 1,
	    .handler = to->handler_count - 1,
	    .unit = to->unit_count - 1,
	    .ref = to->ref_count,
	};
	vyrec_add_refs(to, from->refs, from->ref_count);
	import_symbols(to, from, &s);
	import_exprs(to, from, &s);
	import_stmts(to, from, &s);
	import_units(to, from, &s);
	return s.unit + 1;
}
