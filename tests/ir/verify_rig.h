/* verify_rig.h - what verify_test.c and verify_more_test.c share: a sound module to break, ways to find and add nodes, and
 * the check that one rule is reported and no other. */
#ifndef VYRE_TESTS_VERIFY_RIG_H
#define VYRE_TESTS_VERIFY_RIG_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ir/demo_module.h"

enum rule {
#define RULE(id, text) id,
#include "ir/verify.def"
	RULE_COUNT
};
static const char *const rule_ids[RULE_COUNT] = {
#define RULE(id, text) [id] = #id,
#include "ir/verify.def"
};

/* ---- finding and adding ---------------------------------------------------------------------------------------------- */

static inline struct vyrec_stmt_node *find_stmt(struct demo *d, vyrec_stmt_kind kind)
{
	for (uint32_t i = 1; i < d->m->stmt_count; i++)
		if (d->m->stmts[i].kind == kind)
			return &d->m->stmts[i];
	fail_msg("no such statement");
	return NULL;
}

static inline struct vyrec_expr_node *find_expr(struct demo *d, vyrec_expr_kind kind)
{
	for (uint32_t i = 1; i < d->m->expr_count; i++)
		if (d->m->exprs[i].kind == kind)
			return &d->m->exprs[i];
	fail_msg("no such expression");
	return NULL;
}

static inline void put_first(struct demo *d, vyrec_block block, struct vyrec_stmt_node node)
{
	struct vyrec_list stmts = {0};
	vyrec_list_push(&stmts, vyrec_add_stmt(d->m, &node));
	for (uint32_t i = 0; i < d->m->blocks[block].count; i++)
		vyrec_list_push(&stmts, d->m->refs[d->m->blocks[block].first + i]);
	vyrec_set_block(d->m, block, stmts.items, stmts.count);
	vyrec_list_free(&stmts);
}

static inline void in_single(struct demo *d, struct vyrec_stmt_node node)
{
	put_first(d, d->m->handlers[d->single].body, node);
}

static inline void in_whole(struct demo *d, struct vyrec_stmt_node node)
{
	put_first(d, d->m->handlers[d->whole].body, node);
}

static inline vyrec_local local(struct demo *d, const char *name, vyrec_local_kind kind, vyrec_type type)
{
	return vyrec_add_local(d->m, vyrec_intern_z(d->m, name), kind, type, 0);
}

static inline vyrec_local param(struct demo *d)
{
	return d->m->refs[d->m->handlers[d->single].params];
}

static inline vyrec_expr yes(struct demo *d)
{
	return vyrec_build_bool(&d->b, true);
}

static inline vyrec_expr lane(struct demo *d)
{
	return demo_builtin(d, VYREC_BUILTIN_LANE);
}

/* if condition { stmt } */
static inline struct vyrec_stmt_node when(struct demo *d, vyrec_expr condition, struct vyrec_stmt_node node)
{
	vyrec_stmt stmt = vyrec_add_stmt(d->m, &node);
	return (struct vyrec_stmt_node){
	    .kind = VYREC_STMT_IF, .expr = {condition}, .body = {vyrec_add_block(d->m, &stmt, 1)}};
}

static inline vyrec_expr first_lane(struct demo *d)
{
	return vyrec_build_op2(&d->b, VYREC_OP_eq_i, lane(d), demo_u32(d, 0));
}

static inline vyrec_expr atomic(struct demo *d, vyrec_atomic code, vyrec_array array, vyrec_order order, vyrec_expr value)
{
	vyrec_expr expr = vyrec_build_atomic(&d->b, code, array, demo_u32(d, 0), value, 0);
	return vyrec_build_order(&d->b, expr, order, VYREC_SCOPE_DEVICE);
}

#define STMT(...)   ((struct vyrec_stmt_node){__VA_ARGS__})

/* ---- the check ------------------------------------------------------------------------------------------------------- */

/* An early return of one lane also keeps it from what follows: V083 comes with the rules of that. */
static inline bool may_bring(enum rule broken, const char *reported)
{
	return broken == V083 && (!strcmp(reported, "V080") || !strcmp(reported, "V082"));
}

static inline void expect_broken(enum rule rule, void (*breaks_it)(struct demo *))
{
	struct demo d = demo_create();
	struct vyrec_diags diags = {0};
	bool found = false;
	breaks_it(&d);
	assert_false(vyrec_verify(d.m, &diags));
	for (uint32_t i = 0; i < diags.count; i++) {
		if (!strcmp(diags.items[i].rule, rule_ids[rule]))
			found = true;
		else if (!may_bring(rule, diags.items[i].rule))
			fail_msg("%s broken, %s reported: %s", rule_ids[rule], diags.items[i].rule,
				 diags.items[i].message);
	}
	if (!found)
		fail_msg("%s broken and not reported", rule_ids[rule]);
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(d.m);
}

#endif
