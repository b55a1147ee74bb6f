/* demo_module.h - a module with one of everything that the language has, made with the builder. */
#ifndef VYRE_TESTS_IR_DEMO_MODULE_H
#define VYRE_TESTS_IR_DEMO_MODULE_H
#include "ir/ir.h"

/* What tests want to break. */
struct demo {
	struct vyrec_module *m;
	struct vyrec_builder b;
	vyrec_unit set, program;
	vyrec_array plain, table, live, shared; /* buffers of the set; shared array of `whole` */
	vyrec_const eight;
	vyrec_fn twice, total;
	vyrec_handler single, whole;
};

static inline void demo_stmt(struct demo *d, struct vyrec_stmt_node node)
{
	vyrec_build_stmt(&d->b, &node);
}

static inline vyrec_expr demo_u32(struct demo *d, uint32_t value)
{
	return vyrec_build_u32(&d->b, value);
}

static inline vyrec_expr demo_builtin(struct demo *d, vyrec_builtin builtin)
{
	return vyrec_build_builtin(&d->b, builtin, 0);
}

static inline void demo_fns(struct demo *d)
{
	struct vyrec_builder *b = &d->b;
	d->twice = vyrec_build_fn_begin(b, "twice", VYREC_U32);
	vyrec_local x = vyrec_build_param(b, "x", VYREC_U32);
	vyrec_build_if(b, vyrec_build_op2(b, VYREC_OP_lt_u, vyrec_build_get(b, x), vyrec_build_get_const(b, d->eight)));
	vyrec_build_return(b, vyrec_build_op2(b, VYREC_OP_add_i, vyrec_build_get(b, x), vyrec_build_get(b, x)));
	vyrec_build_else(b);
	vyrec_build_return(b, demo_u32(d, 16));
	vyrec_build_end(b);
	vyrec_build_fn_end(b);

	d->total = vyrec_build_fn_begin(b, "total", VYREC_U32);
	vyrec_local y = vyrec_build_param(b, "y", VYREC_U32);
	vyrec_build_return(b, vyrec_build_collective(b, VYREC_COLLECTIVE_REDUCE_ADD, vyrec_build_get(b, y), 0));
	vyrec_build_fn_end(b);
}

/* An op by lane: control flow, every way to touch memory, suspension, results. */
static inline void demo_single(struct demo *d)
{
	struct vyrec_builder *b = &d->b;
	d->single = vyrec_build_op_begin(b, "single", 0x100, VYRE_BY_LANE, 0);
	vyrec_local n = vyrec_build_param(b, "n", VYREC_U32), wide = vyrec_build_param(b, "wide", VYREC_U64);
	vyrec_array local = vyrec_build_local_array(b, "window", VYREC_U8, 16);
	vyrec_local sum = vyrec_build_var(b, "sum", VYREC_U32, 0);
	vyrec_local i = vyrec_build_for(b, "i", demo_u32(d, 0), vyrec_build_get(b, n), demo_u32(d, 2));
	vyrec_build_store(b, local, vyrec_build_get(b, i), vyrec_build_load(b, d->table, vyrec_build_get(b, i)));
	vyrec_build_assign(b, sum,
			   vyrec_build_op2(b, VYREC_OP_add_i, vyrec_build_get(b, sum),
					   vyrec_build_load(b, local, vyrec_build_get(b, i))));
	vyrec_build_if(
	    b, vyrec_build_andalso(b, vyrec_build_bool(b, true),
				   vyrec_build_op2(b, VYREC_OP_gt_u, vyrec_build_get(b, sum), demo_u32(d, 99))));
	vyrec_build_continue(b);
	vyrec_build_end(b);
	vyrec_build_end(b);
	vyrec_build_switch(b, vyrec_build_get(b, sum));
	vyrec_build_case(b, (uint32_t[]){1, 2}, 2);
	vyrec_build_assign(b, sum, vyrec_build_call(b, d->twice, (vyrec_expr[]){vyrec_build_get(b, n)}, 1));
	vyrec_build_case(b, (uint32_t[]){7}, 1);
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_TRAP, .expr = {demo_u32(d, 3)}});
	vyrec_build_case(b, NULL, 0);
	vyrec_local out = vyrec_build_block(b, "out");
	vyrec_build_loop(b);
	vyrec_build_break(b, out);
	vyrec_build_end(b);
	vyrec_build_end(b);
	vyrec_build_end(b);
	vyrec_build_expr(b, vyrec_build_order(b,
					      vyrec_build_atomic(b, VYREC_ATOMIC_ADD, d->live, demo_u32(d, 0),
								 vyrec_build_length(b, d->plain), 0),
					      VYREC_ORDER_ACQREL, VYREC_SCOPE_SYSTEM));
	vyrec_build_expr(b, vyrec_build_atomic(b, VYREC_ATOMIC_COMPARE_EXCHANGE, d->live, demo_u32(d, 0),
					       demo_u32(d, 1), demo_u32(d, 2)));
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_FENCE, .order = VYREC_ORDER_SEQCST});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_LOG,
					      .imm = 5,
					      .name = vyrec_intern_z(d->m, "sum %u"),
					      .expr = {vyrec_build_get(b, sum), demo_builtin(d, VYREC_BUILTIN_SLOT)}});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_RELAX});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_YIELD});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_REQUEUE, .expr = {demo_u32(d, 2)}});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_PAUSE, .expr = {vyrec_build_arg(b, demo_u32(d, 0))}});
	demo_stmt(d, (struct vyrec_stmt_node){
			 .kind = VYREC_STMT_LOAD,
			 .expr = {demo_u32(d, 1), vyrec_build_get(b, wide), demo_u32(d, 64), demo_u32(d, 0)}});
	vyrec_expr spawned[2] = {demo_u32(d, 4), vyrec_build_lit(b, VYREC_U64, UINT64_C(1) << 40)};
	vyrec_build_spawn(b, "single", spawned, 2);
	vyrec_build_spawn_else(b);
	vyrec_build_if(b, vyrec_build_bool(b, true));
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_RELAX});
	vyrec_build_end(b);
	vyrec_build_end(b);
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_JOIN});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_RESULT, .imm = 0, .expr = {vyrec_build_get(b, sum)}});
	demo_stmt(d,
		  (struct vyrec_stmt_node){.kind = VYREC_STMT_RESULT, .imm = 10, .expr = {vyrec_build_get(b, wide)}});
	vyrec_build_return(b, 0);
	vyrec_build_op_end(b);
}

/* An op by workgroup: shared memory, copies, barriers, collectives. */
static inline void demo_whole(struct demo *d)
{
	struct vyrec_builder *b = &d->b;
	d->whole = vyrec_build_op_begin(b, "whole", 0x101, VYRE_BY_WORKGROUP, 0);
	d->shared = vyrec_build_shared(b, "tile", VYREC_U32, 64);
	vyrec_local len = vyrec_build_param(b, "len", VYREC_U32);
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_ASYNC_LOAD,
					      .array = d->shared,
					      .array2 = d->plain,
					      .expr = {demo_u32(d, 0), demo_u32(d, 0), demo_u32(d, 64)},
					      .imm = 3});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_ASYNC_WAIT, .imm = 3});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_BARRIER});
	vyrec_local acc = vyrec_build_var(b, "acc", VYREC_U32, demo_u32(d, 0));
	vyrec_local k = vyrec_build_for(b, "k", demo_builtin(d, VYREC_BUILTIN_LANE), vyrec_build_get(b, len),
					demo_builtin(d, VYREC_BUILTIN_LANES));
	vyrec_build_assign(b, acc,
			   vyrec_build_op2(b, VYREC_OP_xor_i, vyrec_build_get(b, acc),
					   vyrec_build_load(b, d->shared, vyrec_build_get(b, k))));
	vyrec_build_end(b);
	vyrec_build_region(b, "agree");
	vyrec_local all =
	    vyrec_build_let(b, "all", vyrec_build_call(b, d->total, (vyrec_expr[]){vyrec_build_get(b, acc)}, 1));
	vyrec_build_end(b);
	vyrec_build_if(b, vyrec_build_op2(b, VYREC_OP_gt_u, vyrec_build_get(b, all), demo_u32(d, 0)));
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_BARRIER});
	vyrec_build_end(b);
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_RESULT, .imm = 1, .expr = {vyrec_build_get(b, all)}});
	vyrec_build_op_end(b);
}

static inline void demo_program(struct demo *d)
{
	struct vyrec_builder *b = &d->b;
	vyrec_local vars[2];
	uint32_t bytes[3] = {0, 255, 16};
	d->program = vyrec_build_program_begin(b, "sweep", 64, 2, 1);
	vyrec_array data = vyrec_build_buffer(b, "data", VYREC_CLASS_PLAIN, VYREC_F32, 0);
	vyrec_array counts = vyrec_build_buffer(b, "counts", VYREC_CLASS_PLAIN, VYREC_U32, 3);
	vyrec_build_shared(b, "cells", VYREC_I16, 32);
	vyrec_local at = vyrec_build_let(b, "at", demo_builtin(d, VYREC_BUILTIN_GLOBAL_ID));
	vyrec_build_catch(b, "code", "detail", vars);
	vyrec_build_store(b, data, vyrec_build_get(b, at),
			  vyrec_build_op3(b, VYREC_OP_fma, vyrec_build_load(b, data, vyrec_build_get(b, at)),
					  vyrec_build_f32(b, 1.5f), vyrec_build_f32(b, -0.0f)));
	vyrec_build_end(b);
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_BARRIER, .scope = VYREC_SCOPE_DEVICE});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_OPAQUE,
					      .name = vyrec_intern_z(d->m, "vendor.hint"),
					      .list = vyrec_add_refs(d->m, bytes, 3),
					      .count = 3});
	demo_stmt(d, (struct vyrec_stmt_node){.kind = VYREC_STMT_DISPATCH,
					      .name = vyrec_intern_z(d->m, "sweep"),
					      .array = counts,
					      .expr = {demo_u32(d, 0)}});
	vyrec_build_program_end(b);
}

static inline struct demo demo_create(void)
{
	struct demo d = {.m = vyrec_module_create("demo.vyre")};
	d.b = vyrec_builder_begin(d.m);
	d.b.loc = VYREC_LOC(3, 5);
	d.set = vyrec_build_set(&d.b, "demo");
	d.plain = vyrec_build_buffer(&d.b, "plain", VYREC_CLASS_PLAIN, VYREC_U32, 0);
	d.table = vyrec_build_buffer(&d.b, "table", VYREC_CLASS_CONST, VYREC_U32, 256);
	d.live = vyrec_build_buffer(&d.b, "flags", VYREC_CLASS_LIVE, VYREC_U32, 0);
	d.eight = vyrec_build_const(&d.b, "EIGHT", VYREC_U32, 8);
	demo_fns(&d);
	demo_single(&d);
	demo_whole(&d);
	demo_program(&d);
	d.m->comments = vyrec_grow(d.m->comments, &d.m->comment_capacity, 1, sizeof *d.m->comments);
	d.m->comments[d.m->comment_count++] =
	    (struct vyrec_comment){VYREC_LOC(1, 1), vyrec_intern_z(d.m, "// one of everything"), true, false};
	return d;
}

#endif
