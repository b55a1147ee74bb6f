/* make.h - private to passes/: small constructors of nodes, and ways to reach every body, child block and operand.
 *
 * The builder (ir/builder.h) writes programs from nothing, into open blocks; a pass needs single nodes to put into trees
 * that exist.
 */
#ifndef VYREC_PASSES_MAKE_H
#define VYREC_PASSES_MAKE_H
#include "passes/passes.h"

/* ---- making ---------------------------------------------------------------------------------------------------------- */

vyrec_expr vyrec_make_lit(struct vyrec_module *m, vyrec_type type, uint64_t bits, vyrec_loc loc);
vyrec_expr vyrec_make_u32(struct vyrec_module *m, uint32_t value, vyrec_loc loc);
vyrec_expr vyrec_make_get(struct vyrec_module *m, vyrec_local local, vyrec_loc loc);
vyrec_expr vyrec_make_length(struct vyrec_module *m, vyrec_array array, vyrec_loc loc);
vyrec_expr vyrec_make_load(struct vyrec_module *m, vyrec_array array, vyrec_expr index, vyrec_policy policy,
			   vyrec_loc loc);
/* Operands that the row does not have are 0; the place is that of the first operand. */
vyrec_expr vyrec_make_op(struct vyrec_module *m, vyrec_op op, vyrec_expr a, vyrec_expr b, vyrec_expr c);
/* The row is found by its text and the operands' types; it must exist. */
vyrec_expr vyrec_make_infix(struct vyrec_module *m, const char *text, vyrec_expr a, vyrec_expr b);
vyrec_expr vyrec_make_not(struct vyrec_module *m, vyrec_expr a);

/* A new local with a fresh name, and its LET or VAR statement at the end of the list. */
vyrec_local vyrec_make_let(struct vyrec_module *m, struct vyrec_list *out, const char *base, vyrec_expr value);
vyrec_local vyrec_make_var(struct vyrec_module *m, struct vyrec_list *out, const char *base, vyrec_type type,
			   vyrec_expr value, vyrec_loc loc);
vyrec_stmt vyrec_make_assign(struct vyrec_module *m, vyrec_local local, vyrec_expr value);
vyrec_stmt vyrec_make_store(struct vyrec_module *m, vyrec_array array, vyrec_expr index, vyrec_expr value,
			    vyrec_policy policy);
vyrec_stmt vyrec_make_if(struct vyrec_module *m, vyrec_expr condition, vyrec_block then, vyrec_block otherwise);
/* An unlabelled block. */
vyrec_stmt vyrec_make_scope(struct vyrec_module *m, vyrec_block body, vyrec_loc loc);
/* A block of the list's statements; frees the list. */
vyrec_block vyrec_make_block(struct vyrec_module *m, struct vyrec_list *list);
/* Makes `e` a read of the local; what it was moves to a new node, which is returned. */
vyrec_expr vyrec_move_expr(struct vyrec_module *m, vyrec_expr e);
void vyrec_become_get(struct vyrec_module *m, vyrec_expr e, vyrec_local local);
/* Makes `e`, if it names a const, the const's value; false: it does not. */
bool vyrec_become_const_value(struct vyrec_module *m, vyrec_expr e);
/* Makes `e` a copy of another node (its operands now belong to e); the place stays. */
void vyrec_become(struct vyrec_module *m, vyrec_expr e, vyrec_expr other);

/* Values as 32-bit words, low word first (words.c): how many; a value of such words; the words of a value, where two
 * need a let at the end of the list. */
uint32_t vyrec_words_of(vyrec_type type);
vyrec_expr vyrec_from_words(struct vyrec_module *m, vyrec_type type, vyrec_expr low, vyrec_expr high);
uint32_t vyrec_to_words(struct vyrec_module *m, struct vyrec_list *out, vyrec_expr value, vyrec_expr words[2]);

/* ---- reaching -------------------------------------------------------------------------------------------------------- */

/* Bodies of all units, in order of the text: programs, handlers, fns. Start from {0}. */
struct vyrec_body {
	vyrec_unit unit;
	vyrec_handler handler; /* 0 unless the body of an op */
	vyrec_fn fn;	       /* 0 unless the body of a fn */
	vyrec_block block;
	uint32_t next; /* item to look at; private */
};
bool vyrec_next_body(const struct vyrec_module *m, struct vyrec_body *it);

/* The next block of a statement, 0 past the last; body[0], body[1], then the cases of a switch. *at starts as 0. */
vyrec_block vyrec_child_block(const struct vyrec_module *m, vyrec_stmt stmt, uint32_t *at);
/* The operand of a statement with number i in order of evaluation, 0 past the last. */
vyrec_expr vyrec_stmt_operand(const struct vyrec_module *m, vyrec_stmt stmt, uint32_t i);
/* The operand of an expression with number i, 0 past the last. */
vyrec_expr vyrec_expr_operand(const struct vyrec_module *m, vyrec_expr e, uint32_t i);
/* mega.c: does the feed keep slots of this set in a queue, because some may stop, spawn, or concern others? */
bool vyrec_set_has_queue(struct vyrec_module *m, vyrec_unit set, const struct vyrec_pass_options *options);
/* The unit's buffer of that name; 0 = it has none. */
vyrec_array vyrec_unit_buffer(const struct vyrec_module *m, vyrec_unit unit, const char *name);
static inline vyrec_stmt vyrec_block_stmt(const struct vyrec_module *m, vyrec_block block, uint32_t i)
{
	return m->refs[m->blocks[block].first + i];
}
/* Gives the block the list's statements, and frees the list. */
void vyrec_take_list(struct vyrec_module *m, vyrec_block block, struct vyrec_list *list);

/* ---- asking (expr.c) ------------------------------------------------------------------------------------------------- */

/* No effect: the value may be dropped when nobody needs it. Loads are, unless they may trap. */
bool vyrec_expr_is_droppable(const struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e);
/* Same tree, node for node. */
bool vyrec_expr_equal(const struct vyrec_module *m, vyrec_expr a, vyrec_expr b);
static inline bool vyrec_is_end(const struct vyrec_module *m, vyrec_stmt s)
{
	return (vyrec_stmt_get_info(m->stmts[s].kind)->flags & VYREC_IS_END) != 0;
}
/* let, parameter, counter: one value from declaration to end of scope. */
static inline bool vyrec_local_is_fixed(const struct vyrec_module *m, vyrec_local local)
{
	return m->locals[local].kind != VYREC_LOCAL_VAR && m->locals[local].kind != VYREC_LOCAL_LABEL;
}

#endif
