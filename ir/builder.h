/* builder.h - makes modules from C: the third equal form of the language, beside text and VIR0.
 *
 * A builder appends to the block that is open. Expressions are values until a statement takes them; each is taken once
 * (vyrec_clone_expr copies). Types are resolved here; a call that no row admits aborts in debug builds and makes a node
 * of type VOID that the verifier refuses otherwise.
 *
 *   struct vyrec_builder b = vyrec_builder_begin(module);
 *   vyrec_unit set = vyrec_build_set(&b, "demo");
 *   vyrec_array hits = vyrec_build_buffer(&b, "hits", VYREC_CLASS_PLAIN, VYREC_U32, 0);
 *   vyrec_build_op_begin(&b, "hit", 0x100, VYRE_BY_LANE, 0);
 *   vyrec_local out = vyrec_build_param(&b, "out", VYREC_U32);
 *   vyrec_build_expr(&b, vyrec_build_atomic(&b, VYREC_ATOMIC_ADD, hits, vyrec_build_get(&b, out), vyrec_build_u32(&b, 1), 0));
 *   vyrec_build_op_end(&b);
 */
#ifndef VYREC_BUILDER_H
#define VYREC_BUILDER_H
#include "ir/module.h"

struct vyrec_builder {
	struct vyrec_module *module;
	vyrec_unit unit;
	vyrec_handler handler; /* open op, or 0 */
	vyrec_fn fn;	       /* open fn, or 0 */
	vyrec_loc loc;	       /* given to every node made */
	uint32_t depth;
	struct vyrec_list open[VYREC_MAX_NESTING + 2]; /* statement lists of the open blocks */
	vyrec_stmt owner[VYREC_MAX_NESTING + 2];       /* the statement that each belongs to */
	uint32_t values[VYREC_MAX_NESTING + 2]; /* of the open case: words at the end of the owner's list to fill */
	struct vyrec_list params, shared;
};

struct vyrec_builder vyrec_builder_begin(struct vyrec_module *module);

/* Declarations. A unit stays the current one until the next. */
vyrec_unit vyrec_build_set(struct vyrec_builder *b, const char *name);
vyrec_unit vyrec_build_program_begin(struct vyrec_builder *b, const char *name, uint32_t x, uint32_t y, uint32_t z);
void vyrec_build_program_end(struct vyrec_builder *b);
vyrec_array vyrec_build_buffer(struct vyrec_builder *b, const char *name, vyrec_class class_, vyrec_type element,
			       uint32_t count);
vyrec_array vyrec_build_shared(struct vyrec_builder *b, const char *name, vyrec_type element, uint32_t count);
vyrec_const vyrec_build_const(struct vyrec_builder *b, const char *name, vyrec_type type, uint64_t bits);
vyrec_handler vyrec_build_op_begin(struct vyrec_builder *b, const char *name, uint32_t opcode, unsigned granularity,
				   uint32_t width);
void vyrec_build_op_end(struct vyrec_builder *b);
vyrec_fn vyrec_build_fn_begin(struct vyrec_builder *b, const char *name, vyrec_type result);
void vyrec_build_fn_end(struct vyrec_builder *b);
vyrec_local vyrec_build_param(struct vyrec_builder *b, const char *name, vyrec_type type); /* of the open op or fn */

/* Expressions. */
vyrec_expr vyrec_build_lit(struct vyrec_builder *b, vyrec_type type, uint64_t bits);
vyrec_expr vyrec_build_u32(struct vyrec_builder *b, uint32_t value);
vyrec_expr vyrec_build_i32(struct vyrec_builder *b, int32_t value);
vyrec_expr vyrec_build_f32(struct vyrec_builder *b, float value);
vyrec_expr vyrec_build_bool(struct vyrec_builder *b, bool value);
vyrec_expr vyrec_build_get(struct vyrec_builder *b, vyrec_local local);
vyrec_expr vyrec_build_get_const(struct vyrec_builder *b, vyrec_const constant);
vyrec_expr vyrec_build_op1(struct vyrec_builder *b, vyrec_op op, vyrec_expr a);
vyrec_expr vyrec_build_op2(struct vyrec_builder *b, vyrec_op op, vyrec_expr a, vyrec_expr c);
vyrec_expr vyrec_build_op3(struct vyrec_builder *b, vyrec_op op, vyrec_expr a, vyrec_expr c, vyrec_expr d);
vyrec_expr vyrec_build_andalso(struct vyrec_builder *b, vyrec_expr a, vyrec_expr c);
vyrec_expr vyrec_build_orelse(struct vyrec_builder *b, vyrec_expr a, vyrec_expr c);
vyrec_expr vyrec_build_load(struct vyrec_builder *b, vyrec_array array, vyrec_expr index);
vyrec_expr vyrec_build_length(struct vyrec_builder *b, vyrec_array array);
vyrec_expr vyrec_build_arg(struct vyrec_builder *b, vyrec_expr index);
vyrec_expr vyrec_build_builtin(struct vyrec_builder *b, vyrec_builtin builtin, unsigned axis);
vyrec_expr vyrec_build_collective(struct vyrec_builder *b, vyrec_collective collective, vyrec_expr a, vyrec_expr c);
/* order relaxed, scope device, until vyrec_build_order changes the node. */
vyrec_expr vyrec_build_atomic(struct vyrec_builder *b, vyrec_atomic atomic, vyrec_array array, vyrec_expr index,
			      vyrec_expr value, vyrec_expr second);
vyrec_expr vyrec_build_order(struct vyrec_builder *b, vyrec_expr atomic, vyrec_order order, vyrec_scope scope);
vyrec_expr vyrec_build_call(struct vyrec_builder *b, vyrec_fn fn, const vyrec_expr *args, uint32_t count);

/* Statements. Those that open a block end with vyrec_build_end. */
vyrec_local vyrec_build_let(struct vyrec_builder *b, const char *name, vyrec_expr value);
vyrec_local vyrec_build_var(struct vyrec_builder *b, const char *name, vyrec_type type, vyrec_expr value);
vyrec_array vyrec_build_local_array(struct vyrec_builder *b, const char *name, vyrec_type element, uint32_t count);
void vyrec_build_assign(struct vyrec_builder *b, vyrec_local local, vyrec_expr value);
void vyrec_build_store(struct vyrec_builder *b, vyrec_array array, vyrec_expr index, vyrec_expr value);
void vyrec_build_expr(struct vyrec_builder *b, vyrec_expr value);
void vyrec_build_if(struct vyrec_builder *b, vyrec_expr condition);
void vyrec_build_else(struct vyrec_builder *b);
vyrec_local vyrec_build_for(struct vyrec_builder *b, const char *name, vyrec_expr from, vyrec_expr to, vyrec_expr step);
void vyrec_build_loop(struct vyrec_builder *b);
vyrec_local vyrec_build_block(struct vyrec_builder *b, const char *label); /* NULL = a plain scope */
void vyrec_build_region(struct vyrec_builder *b, const char *name);
/* switch ... case ... end: each case closes the one before; `default` is the case without values. */
void vyrec_build_switch(struct vyrec_builder *b, vyrec_expr value);
void vyrec_build_case(struct vyrec_builder *b, const uint32_t *values, uint32_t count);
/* The two vars are visible after the end. */
void vyrec_build_catch(struct vyrec_builder *b, const char *code, const char *detail, vyrec_local vars[2]);
/* Publishes a slot of an op of the set. The else block belongs to the spawn that was built last, right before. */
void vyrec_build_spawn(struct vyrec_builder *b, const char *op, const vyrec_expr *args, uint32_t count);
void vyrec_build_spawn_else(struct vyrec_builder *b);
void vyrec_build_end(struct vyrec_builder *b);
void vyrec_build_break(struct vyrec_builder *b, vyrec_local label);
void vyrec_build_continue(struct vyrec_builder *b);
void vyrec_build_return(struct vyrec_builder *b, vyrec_expr value);
/* Any other statement, from a filled node (kind and the fields that module.h lists); blocks are made with
 * vyrec_add_block. */
void vyrec_build_stmt(struct vyrec_builder *b, const struct vyrec_stmt_node *node);

#endif
