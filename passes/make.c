/* make.c - constructors of single nodes, and the ways to reach what a pass walks over.
 *
 * Enters: indices. Leaves: indices of new nodes, or of existing ones. Invariant: a node made here has one parent to come;
 * where an expression is rewritten in place, its index stays what its parent holds.
 */
#include <stdio.h>

#include <string.h>

#include "passes/make.h"

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

vyrec_expr vyrec_make_lit(struct vyrec_module *m, vyrec_type type, uint64_t bits, vyrec_loc loc)
{
	return vyrec_add_expr(
	    m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = (uint8_t)type, .imm = bits, .loc = loc});
}

vyrec_expr vyrec_make_u32(struct vyrec_module *m, uint32_t value, vyrec_loc loc)
{
	return vyrec_make_lit(m, VYREC_U32, value, loc);
}

vyrec_expr vyrec_make_get(struct vyrec_module *m, vyrec_local local, vyrec_loc loc)
{
	return vyrec_add_expr(m,
			      &(struct vyrec_expr_node){
				  .kind = VYREC_EXPR_LOCAL, .type = m->locals[local].type, .sym = local, .loc = loc});
}

vyrec_expr vyrec_make_length(struct vyrec_module *m, vyrec_array array, vyrec_loc loc)
{
	return vyrec_add_expr(
	    m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_LENGTH, .type = VYREC_U32, .sym = array, .loc = loc});
}

vyrec_expr vyrec_make_load(struct vyrec_module *m, vyrec_array array, vyrec_expr index, vyrec_policy policy,
			   vyrec_loc loc)
{
	return vyrec_add_expr(
	    m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_LOAD,
					 .type = (uint8_t)vyrec_type_of_element(m->arrays[array].element),
					 .policy = (uint8_t)policy,
					 .sym = array,
					 .arg = {index},
					 .loc = loc});
}

vyrec_expr vyrec_make_op(struct vyrec_module *m, vyrec_op op, vyrec_expr a, vyrec_expr b, vyrec_expr c)
{
	vyrec_type types[3] = {m->exprs[a].type, m->exprs[b].type, m->exprs[c].type};
	return vyrec_add_expr(m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_OP,
							   .type = (uint8_t)vyrec_op_result(op, types),
							   .code = (uint16_t)op,
							   .arg = {a, b, c},
							   .loc = m->exprs[a].loc});
}

vyrec_expr vyrec_make_infix(struct vyrec_module *m, const char *text, vyrec_expr a, vyrec_expr b)
{
	vyrec_type types[2] = {m->exprs[a].type, m->exprs[b].type};
	return vyrec_make_op(m, vyrec_op_find(text, VYREC_INFIX, types, 2), a, b, 0);
}

vyrec_expr vyrec_make_not(struct vyrec_module *m, vyrec_expr a)
{
	return vyrec_make_op(m, VYREC_OP_not_b, a, 0, 0);
}

vyrec_expr vyrec_move_expr(struct vyrec_module *m, vyrec_expr e)
{
	return vyrec_add_expr(m, &m->exprs[e]);
}

void vyrec_become_get(struct vyrec_module *m, vyrec_expr e, vyrec_local local)
{
	m->exprs[e] = (struct vyrec_expr_node){
	    .kind = VYREC_EXPR_LOCAL, .type = m->locals[local].type, .sym = local, .loc = m->exprs[e].loc};
}

void vyrec_become(struct vyrec_module *m, vyrec_expr e, vyrec_expr other)
{
	vyrec_loc loc = m->exprs[e].loc;
	m->exprs[e] = m->exprs[other];
	m->exprs[e].loc = loc;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static vyrec_local declare(struct vyrec_module *m, struct vyrec_list *out, vyrec_stmt_kind stmt, const char *base,
			   vyrec_type type, vyrec_expr value, vyrec_loc loc)
{
	vyrec_local_kind kind = stmt == VYREC_STMT_LET ? VYREC_LOCAL_LET : VYREC_LOCAL_VAR;
	char stem[VYREC_MAX_NAME_BYTES + 1]; /* base may be an interned text, which interning moves */
	snprintf(stem, sizeof stem, "%s", base);
	vyrec_local local = vyrec_add_local(m, vyrec_fresh_name(m, stem), kind, type, loc);
	vyrec_list_push(
	    out, vyrec_add_stmt(
		     m, &(struct vyrec_stmt_node){.kind = (uint8_t)stmt, .local = local, .expr = {value}, .loc = loc}));
	return local;
}

vyrec_local vyrec_make_let(struct vyrec_module *m, struct vyrec_list *out, const char *base, vyrec_expr value)
{
	return declare(m, out, VYREC_STMT_LET, base, m->exprs[value].type, value, m->exprs[value].loc);
}

vyrec_local vyrec_make_var(struct vyrec_module *m, struct vyrec_list *out, const char *base, vyrec_type type,
			   vyrec_expr value, vyrec_loc loc)
{
	return declare(m, out, VYREC_STMT_VAR, base, type, value, loc);
}

vyrec_stmt vyrec_make_assign(struct vyrec_module *m, vyrec_local local, vyrec_expr value)
{
	return vyrec_add_stmt(
	    m, &(struct vyrec_stmt_node){
		   .kind = VYREC_STMT_ASSIGN, .local = local, .expr = {value}, .loc = m->exprs[value].loc});
}

vyrec_stmt vyrec_make_store(struct vyrec_module *m, vyrec_array array, vyrec_expr index, vyrec_expr value,
			    vyrec_policy policy)
{
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_STORE,
							   .policy = (uint8_t)policy,
							   .array = array,
							   .expr = {index, value},
							   .loc = m->exprs[index].loc});
}

vyrec_stmt vyrec_make_if(struct vyrec_module *m, vyrec_expr condition, vyrec_block then, vyrec_block otherwise)
{
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_IF,
							   .expr = {condition},
							   .body = {then, otherwise},
							   .loc = m->exprs[condition].loc});
}

vyrec_stmt vyrec_make_scope(struct vyrec_module *m, vyrec_block body, vyrec_loc loc)
{
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {body}, .loc = loc});
}

vyrec_block vyrec_make_block(struct vyrec_module *m, struct vyrec_list *list)
{
	vyrec_block block = vyrec_add_block(m, list->items, list->count);
	vyrec_list_free(list);
	return block;
}

void vyrec_take_list(struct vyrec_module *m, vyrec_block block, struct vyrec_list *list)
{
	vyrec_set_block(m, block, list->items, list->count);
	vyrec_list_free(list);
}

/* ---- reaching -------------------------------------------------------------------------------------------------------- */

bool vyrec_next_body(const struct vyrec_module *m, struct vyrec_body *it)
{
	it->handler = it->fn = it->block = 0;
	for (; it->unit < m->unit_count; it->unit++, it->next = 0) {
		const struct vyrec_unit_node *u = &m->units[it->unit];
		while (it->unit && it->next < u->item_count) {
			const uint32_t *item = &m->refs[u->items + 2 * it->next++];
			it->handler = item[0] == VYREC_ITEM_HANDLER ? item[1] : 0;
			it->fn = item[0] == VYREC_ITEM_FN ? item[1] : 0;
			it->block = it->handler ? m->handlers[it->handler].body : it->fn ? m->fns[it->fn].body : 0;
			if (it->block)
				return true;
		}
		if (it->next++ == u->item_count && u->body) {
			it->handler = it->fn = 0;
			it->block = u->body;
			return true;
		}
	}
	return false;
}

vyrec_block vyrec_child_block(const struct vyrec_module *m, vyrec_stmt stmt, uint32_t *at)
{
	const struct vyrec_stmt_node *s = &m->stmts[stmt];
	uint32_t cases = s->kind == VYREC_STMT_SWITCH ? s->count : 0;
	while (*at < 2 + cases) {
		uint32_t i = (*at)++;
		vyrec_block block = i < 2 ? s->body[i] : vyrec_case_block(m, s, i - 2); /* 0: that of the case before */
		if (block)
			return block;
	}
	return 0;
}

vyrec_expr vyrec_stmt_operand(const struct vyrec_module *m, vyrec_stmt stmt, uint32_t i)
{
	const struct vyrec_stmt_node *s = &m->stmts[stmt];
	for (unsigned k = 0; k < 4; k++)
		if (s->expr[k] && !i--)
			return s->expr[k];
	return s->kind == VYREC_STMT_SPAWN && i < s->count ? m->refs[s->list + i] : 0;
}

vyrec_expr vyrec_expr_operand(const struct vyrec_module *m, vyrec_expr e, uint32_t i)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	if (n->kind == VYREC_EXPR_CALL)
		return i < n->count ? m->refs[n->list + i] : 0;
	return i < 3 ? n->arg[i] : 0;
}

vyrec_array vyrec_unit_buffer(const struct vyrec_module *m, vyrec_unit unit, const char *name)
{
	for (uint32_t i = 0; i < m->units[unit].item_count; i++) {
		const uint32_t *item = &m->refs[m->units[unit].items + 2 * i];
		if (item[0] == VYREC_ITEM_BUFFER && !strcmp(vyrec_name_text(m, m->arrays[item[1]].name), name))
			return item[1];
	}
	return 0;
}

bool vyrec_become_const_value(struct vyrec_module *m, vyrec_expr e)
{
	struct vyrec_expr_node *n = &m->exprs[e];
	if (n->kind != VYREC_EXPR_CONST)
		return false;
	*n = (struct vyrec_expr_node){
	    .kind = VYREC_EXPR_LIT, .type = n->type, .loc = n->loc, .imm = m->consts[n->sym].value};
	return true;
}
