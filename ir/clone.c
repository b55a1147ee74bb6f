/* clone.c - deep copies of expressions and blocks.
 *
 * Enters: a tree of a verified module. Leaves: a tree that shares no node with it. Invariant: what a copied block
 * declares (variables, counters, labels, local arrays, the two of a catch) is declared anew, so that original and copy
 * may stand in one scope. Why not copy nodes and keep the locals: two declarations of one local would make every
 * analysis by local index wrong. One walk serves clones inside a module and copies into another (module_clone.c): only
 * the mapping of symbols differs.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/copy.h"

static uint32_t map(struct vyrec_copy *copy, enum vyrec_copy_table table, uint32_t index, bool declares)
{
	return index ? copy->map(copy, table, index, declares) : 0;
}

/* ---- the copy
 * -------------------------------------------------------------------------------------------------------- */

static uint32_t copy_expr_list(struct vyrec_copy *copy, uint32_t list, uint32_t count)
{
	struct vyrec_list args = {0};
	for (uint32_t i = 0; i < count; i++)
		vyrec_list_push(&args, vyrec_copy_expr(copy, copy->from->refs[list + i]));
	uint32_t first = vyrec_add_refs(copy->to, args.items, args.count);
	vyrec_list_free(&args);
	return first;
}

static uint32_t map_expr_symbol(struct vyrec_copy *copy, const struct vyrec_expr_node *node)
{
	switch (node->kind) {
	case VYREC_EXPR_CONST:
		return map(copy, VYREC_COPY_CONST, node->sym, false);
	case VYREC_EXPR_LOCAL:
		return map(copy, VYREC_COPY_LOCAL, node->sym, false);
	case VYREC_EXPR_LOAD:
	case VYREC_EXPR_LENGTH:
	case VYREC_EXPR_ATOMIC:
		return map(copy, VYREC_COPY_ARRAY, node->sym, false);
	case VYREC_EXPR_CALL:
		return map(copy, VYREC_COPY_FN, node->sym, false);
	default:
		return 0;
	}
}

vyrec_expr vyrec_copy_expr(struct vyrec_copy *copy, vyrec_expr expr)
{
	if (!expr)
		return 0;
	struct vyrec_expr_node node = copy->from->exprs[expr];
	node.sym = map_expr_symbol(copy, &node);
	for (unsigned i = 0; i < 3; i++)
		node.arg[i] = vyrec_copy_expr(copy, node.arg[i]);
	if (node.kind == VYREC_EXPR_CALL)
		node.list = copy_expr_list(copy, node.list, node.count);
	return vyrec_add_expr(copy->to, &node);
}

/* The lists of a statement hold expressions, pairs of value and block, or plain words. */
static uint32_t copy_stmt_list(struct vyrec_copy *copy, const struct vyrec_stmt_node *node)
{
	struct vyrec_list words = {0};
	if (node->kind == VYREC_STMT_SPAWN)
		return copy_expr_list(copy, node->list, node->count);
	if (node->kind == VYREC_STMT_SWITCH)
		for (uint32_t i = 0; i < node->count; i++) {
			vyrec_block block = vyrec_case_block(copy->from, node, i);
			block = block ? vyrec_copy_block(copy, block) : words.items[words.count - 1];
			vyrec_list_push(&words, copy->from->refs[node->list + 2 * i]);
			vyrec_list_push(&words, block);
		}
	if (node->kind == VYREC_STMT_OPAQUE)
		for (uint32_t i = 0; i < node->count; i++)
			vyrec_list_push(&words, copy->from->refs[node->list + i]);
	uint32_t first = words.count ? vyrec_add_refs(copy->to, words.items, words.count) : 0;
	vyrec_list_free(&words);
	return first;
}

static bool declares_local(unsigned kind)
{
	return kind == VYREC_STMT_LET || kind == VYREC_STMT_VAR || kind == VYREC_STMT_FOR || kind == VYREC_STMT_BLOCK ||
	       kind == VYREC_STMT_CATCH;
}

static vyrec_stmt copy_stmt(struct vyrec_copy *copy, vyrec_stmt stmt)
{
	struct vyrec_stmt_node node = copy->from->stmts[stmt];
	bool declares = declares_local(node.kind);
	/* Operands first: what a let or a for declares is not visible in them. */
	for (unsigned i = 0; i < 4; i++)
		node.expr[i] = vyrec_copy_expr(copy, node.expr[i]);
	node.local = map(copy, VYREC_COPY_LOCAL, node.local, declares);
	node.local2 = map(copy, VYREC_COPY_LOCAL, node.local2, declares);
	node.array = map(copy, VYREC_COPY_ARRAY, node.array, node.kind == VYREC_STMT_VAR);
	node.array2 = map(copy, VYREC_COPY_ARRAY, node.array2, false);
	node.name = map(copy, VYREC_COPY_NAME, node.name, false);
	node.list = copy_stmt_list(copy, &node);
	for (unsigned i = 0; i < 2; i++)
		node.body[i] = vyrec_copy_block(copy, node.body[i]);
	return vyrec_add_stmt(copy->to, &node);
}

vyrec_block vyrec_copy_block(struct vyrec_copy *copy, vyrec_block block)
{
	if (!block)
		return 0;
	struct vyrec_block_node node = copy->from->blocks[block];
	struct vyrec_list stmts = {0};
	for (uint32_t i = 0; i < node.count; i++)
		vyrec_list_push(&stmts, copy_stmt(copy, copy->from->refs[node.first + i]));
	vyrec_block made = vyrec_add_block(copy->to, stmts.items, stmts.count);
	vyrec_list_free(&stmts);
	return made;
}

/* ---- inside one module
 * ----------------------------------------------------------------------------------------------- */

void vyrec_subst_local(struct vyrec_subst *subst, vyrec_local from, vyrec_local to)
{
	subst->locals = vyrec_grow(subst->locals, &subst->local_count, from + 1, sizeof *subst->locals);
	subst->locals[from] = to;
}

void vyrec_subst_array(struct vyrec_subst *subst, vyrec_array from, vyrec_array to)
{
	subst->arrays = vyrec_grow(subst->arrays, &subst->array_count, from + 1, sizeof *subst->arrays);
	subst->arrays[from] = to;
}

void vyrec_subst_finish(struct vyrec_subst *subst)
{
	free(subst->locals);
	free(subst->arrays);
	*subst = (struct vyrec_subst){0};
}

static vyrec_name fresh_from(struct vyrec_module *m, vyrec_name name)
{
	size_t bytes = vyrec_name_bytes(m, name);
	char *base = vyrec_alloc(bytes + 1); /* interning moves the text that name refers to */
	memcpy(base, vyrec_name_text(m, name), bytes);
	name = vyrec_fresh_name(m, base);
	free(base);
	return name;
}

static vyrec_local redeclare_local(struct vyrec_module *m, vyrec_local local)
{
	struct vyrec_local_node node = m->locals[local];
	return vyrec_add_local(m, fresh_from(m, node.name), node.kind, node.type, node.loc);
}

static vyrec_array redeclare_array(struct vyrec_module *m, vyrec_array array)
{
	struct vyrec_array_node node = m->arrays[array];
	node.name = fresh_from(m, node.name);
	return vyrec_add_array(m, &node);
}

static uint32_t map_inside(struct vyrec_copy *copy, enum vyrec_copy_table table, uint32_t index, bool declares)
{
	struct vyrec_subst *subst = copy->user;
	if (table == VYREC_COPY_LOCAL) {
		if (declares)
			vyrec_subst_local(subst, index, redeclare_local(copy->to, index));
		return index < subst->local_count && subst->locals[index] ? subst->locals[index] : index;
	}
	if (table == VYREC_COPY_ARRAY) {
		if (declares)
			vyrec_subst_array(subst, index, redeclare_array(copy->to, index));
		return index < subst->array_count && subst->arrays[index] ? subst->arrays[index] : index;
	}
	return index;
}

vyrec_expr vyrec_clone_expr(struct vyrec_module *module, vyrec_expr expr, struct vyrec_subst *subst)
{
	struct vyrec_subst none = {0};
	struct vyrec_copy copy = {module, module, map_inside, subst ? subst : &none};
	return vyrec_copy_expr(&copy, expr);
}

vyrec_block vyrec_clone_block(struct vyrec_module *module, vyrec_block block, struct vyrec_subst *subst)
{
	struct vyrec_subst none = {0};
	struct vyrec_copy copy = {module, module, map_inside, subst ? subst : &none};
	vyrec_block made = vyrec_copy_block(&copy, block);
	vyrec_subst_finish(&none);
	return made;
}
