/* verify_test.c - every row of verify.def is broken at least once, and nothing but that rule is reported. */
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

static struct vyrec_stmt_node *find_stmt(struct demo *d, vyrec_stmt_kind kind)
{
	for (uint32_t i = 1; i < d->m->stmt_count; i++)
		if (d->m->stmts[i].kind == kind)
			return &d->m->stmts[i];
	fail_msg("no such statement");
	return NULL;
}

static struct vyrec_expr_node *find_expr(struct demo *d, vyrec_expr_kind kind)
{
	for (uint32_t i = 1; i < d->m->expr_count; i++)
		if (d->m->exprs[i].kind == kind)
			return &d->m->exprs[i];
	fail_msg("no such expression");
	return NULL;
}

static void put_first(struct demo *d, vyrec_block block, struct vyrec_stmt_node node)
{
	struct vyrec_list stmts = {0};
	vyrec_list_push(&stmts, vyrec_add_stmt(d->m, &node));
	for (uint32_t i = 0; i < d->m->blocks[block].count; i++)
		vyrec_list_push(&stmts, d->m->refs[d->m->blocks[block].first + i]);
	vyrec_set_block(d->m, block, stmts.items, stmts.count);
	vyrec_list_free(&stmts);
}

static void in_single(struct demo *d, struct vyrec_stmt_node node)
{
	put_first(d, d->m->handlers[d->single].body, node);
}

static void in_whole(struct demo *d, struct vyrec_stmt_node node)
{
	put_first(d, d->m->handlers[d->whole].body, node);
}

static vyrec_local local(struct demo *d, const char *name, vyrec_local_kind kind, vyrec_type type)
{
	return vyrec_add_local(d->m, vyrec_intern_z(d->m, name), kind, type, 0);
}

static vyrec_local param(struct demo *d)
{
	return d->m->refs[d->m->handlers[d->single].params];
}

static vyrec_expr yes(struct demo *d)
{
	return vyrec_build_bool(&d->b, true);
}

static vyrec_expr lane(struct demo *d)
{
	return demo_builtin(d, VYREC_BUILTIN_LANE);
}

/* if condition { stmt } */
static struct vyrec_stmt_node when(struct demo *d, vyrec_expr condition, struct vyrec_stmt_node node)
{
	vyrec_stmt stmt = vyrec_add_stmt(d->m, &node);
	return (struct vyrec_stmt_node){
	    .kind = VYREC_STMT_IF, .expr = {condition}, .body = {vyrec_add_block(d->m, &stmt, 1)}};
}

static vyrec_expr first_lane(struct demo *d)
{
	return vyrec_build_op2(&d->b, VYREC_OP_eq_i, lane(d), demo_u32(d, 0));
}

static vyrec_expr atomic(struct demo *d, vyrec_atomic code, vyrec_array array, vyrec_order order, vyrec_expr value)
{
	vyrec_expr expr = vyrec_build_atomic(&d->b, code, array, demo_u32(d, 0), value, 0);
	return vyrec_build_order(&d->b, expr, order, VYREC_SCOPE_DEVICE);
}

/* ---- one way to break each rule -------------------------------------------------------------------------------------- */

#define BREAK(rule) static void break_##rule(struct demo *d)
#define STMT(...)   ((struct vyrec_stmt_node){__VA_ARGS__})

BREAK(V001)
{
	find_expr(d, VYREC_EXPR_LOCAL)->sym = UINT32_MAX;
}
BREAK(V002)
{
	struct vyrec_expr_node *sum = find_expr(d, VYREC_EXPR_OP);
	sum->arg[1] = sum->arg[0];
}
BREAK(V003)
{
	for (unsigned i = 0; i < VYREC_MAX_TREE_DEPTH + 1; i++) {
		struct vyrec_stmt_node outer = STMT(.kind = VYREC_STMT_BLOCK, .body = {d->m->handlers[d->single].body});
		vyrec_stmt stmt = vyrec_add_stmt(d->m, &outer);
		d->m->handlers[d->single].body = vyrec_add_block(d->m, &stmt, 1);
	}
}
BREAK(V004)
{
	char name[VYREC_MAX_NAME_BYTES + 2];
	memset(name, 'x', sizeof name);
	d->m->arrays[d->plain].name = vyrec_intern(d->m, name, sizeof name);
}
BREAK(V005)
{
	find_expr(d, VYREC_EXPR_LIT)->policy = VYREC_POLICY_COUNT;
}
BREAK(V006)
{
	find_stmt(d, VYREC_STMT_LOOP)->body[0] = 0;
}
BREAK(V007)
{
	vyrec_unit_add_item(d->m, d->set, VYREC_ITEM_HANDLER, d->single);
}
BREAK(V010)
{
	d->m->consts[d->eight].name = d->m->arrays[d->plain].name;
}
BREAK(V011)
{
	d->m->arrays[d->plain].name = vyrec_intern_z(d->m, "ring_buffer");
}
BREAK(V012)
{
	d->m->arrays[d->shared].count = 0;
}
BREAK(V013)
{
	d->m->units[d->set].body = vyrec_add_block(d->m, NULL, 0);
}
BREAK(V014)
{
	d->m->units[d->program].workgroup[1] = 17;
}
BREAK(V015)
{
	d->m->handlers[d->whole].width = VYREC_MAX_LANES + 1;
}
BREAK(V016)
{
	d->m->arrays[d->shared].count = VYREC_MAX_SHARED_BYTES / 4 + 1;
}
BREAK(V017)
{
	d->m->handlers[d->whole].opcode = d->m->handlers[d->single].opcode;
}
BREAK(V018)
{
	d->m->handlers[d->whole].opcode = 0xfff3;
}
BREAK(V019)
{
	d->b.unit = d->set;
	vyrec_build_op_begin(&d->b, "many", 0x200, VYRE_BY_LANE, 0);
	for (char name[2] = "a"; *name < 'h'; ++*name)
		vyrec_build_param(&d->b, name, VYREC_F64);
	vyrec_build_op_end(&d->b);
}
BREAK(V020)
{
	d->m->consts[d->eight].value = UINT64_C(1) << 32;
}
BREAK(V021)
{
	d->m->units[d->set].name = d->m->units[d->program].name;
}
BREAK(V022)
{
	d->m->arrays[d->plain].name = vyrec_intern_z(d->m, "loop");
}
BREAK(V023)
{
	d->m->units[d->program].features = VYRE_HAS_RECORDS;
}
BREAK(V030)
{
	find_expr(d, VYREC_EXPR_OP)->code = VYREC_OP_lt_f;
}
BREAK(V031)
{
	find_expr(d, VYREC_EXPR_LIT)->imm = UINT64_C(1) << 32;
}
BREAK(V032)
{
	vyrec_expr e = vyrec_build_get_const(&d->b, d->eight);
	d->m->exprs[e].type = VYREC_I32;
	in_single(d, STMT(.kind = VYREC_STMT_LET, .local = local(d, "z", VYREC_LOCAL_LET, VYREC_I32), .expr = {e}));
}
BREAK(V033)
{
	in_single(d, STMT(.kind = VYREC_STMT_STORE, .array = d->plain, .expr = {yes(d), demo_u32(d, 1)}));
}
BREAK(V034)
{
	in_single(d,
		  STMT(.kind = VYREC_STMT_LET, .local = local(d, "z", VYREC_LOCAL_LET, VYREC_I32), .expr = {yes(d)}));
}
BREAK(V035)
{
	in_single(d, when(d, demo_u32(d, 1), STMT(.kind = VYREC_STMT_RELAX)));
}
BREAK(V036)
{
	in_single(d, STMT(.kind = VYREC_STMT_VAR, .local = local(d, "z", VYREC_LOCAL_VAR, VYREC_U8)));
}
BREAK(V037)
{
	in_single(d, STMT(.kind = VYREC_STMT_EXPR, .expr = {atomic(d, VYREC_ATOMIC_ADD, d->plain, VYREC_ORDER_RELAXED,
								   vyrec_build_i32(&d->b, 1))}));
}
BREAK(V038)
{
	find_expr(d, VYREC_EXPR_CALL)->count = 0;
}
BREAK(V039)
{
	vyrec_expr any = vyrec_build_collective(&d->b, VYREC_COLLECTIVE_ANY, yes(d), 0);
	d->m->exprs[any].arg[0] = demo_u32(d, 1);
	in_whole(d, STMT(.kind = VYREC_STMT_EXPR, .expr = {any}));
}
BREAK(V040)
{
	in_single(d, STMT(.kind = VYREC_STMT_FOR, .local = local(d, "z", VYREC_LOCAL_COUNTER, VYREC_BOOL),
			  .expr = {yes(d), yes(d)}, .body = {vyrec_add_block(d->m, NULL, 0)}));
}
BREAK(V041)
{
	vyrec_expr step = vyrec_build_get(&d->b, param(d));
	find_stmt(d, VYREC_STMT_FOR)->expr[2] = step;
}
BREAK(V042)
{
	const struct vyrec_stmt_node *t = find_stmt(d, VYREC_STMT_SWITCH);
	d->m->refs[t->list + 2 * 2] = d->m->refs[t->list];
}
BREAK(V043)
{
	in_single(d, STMT(.kind = VYREC_STMT_LOG, .expr = {yes(d), demo_u32(d, 1)}));
}
BREAK(V044)
{
	for (uint32_t i = 1; i < d->m->expr_count; i++)
		if (d->m->exprs[i].kind == VYREC_EXPR_BUILTIN && d->m->exprs[i].code == VYREC_BUILTIN_GLOBAL_ID)
			d->m->exprs[i].imm = 3;
}
BREAK(V045)
{
	in_single(d, STMT(.kind = VYREC_STMT_EXPR, .expr = {demo_u32(d, 1)}));
}
BREAK(V050)
{
	vyrec_local sum = 0;
	for (vyrec_local i = 1; i < d->m->local_count; i++)
		if (!strcmp(vyrec_name_text(d->m, d->m->locals[i].name), "sum"))
			sum = i;
	in_single(d, STMT(.kind = VYREC_STMT_ASSIGN, .local = sum, .expr = {demo_u32(d, 1)}));
}
BREAK(V051)
{
	in_single(d, STMT(.kind = VYREC_STMT_VAR, .local = local(d, "n", VYREC_LOCAL_VAR, VYREC_U32)));
}
BREAK(V052)
{
	in_single(d, STMT(.kind = VYREC_STMT_ASSIGN, .local = param(d), .expr = {demo_u32(d, 1)}));
}
BREAK(V053)
{
	in_single(d, when(d, yes(d), STMT(.kind = VYREC_STMT_BREAK)));
}
BREAK(V054)
{
	vyrec_block body = d->m->handlers[d->single].body;
	struct vyrec_list stmts = {0};
	for (uint32_t i = 0; i < d->m->blocks[body].count; i++)
		vyrec_list_push(&stmts, d->m->refs[d->m->blocks[body].first + i]);
	vyrec_list_push(&stmts, vyrec_add_stmt(d->m, &STMT(.kind = VYREC_STMT_RELAX)));
	vyrec_set_block(d->m, body, stmts.items, stmts.count);
	vyrec_list_free(&stmts);
}
BREAK(V055)
{
	in_single(d, when(d, yes(d), STMT(.kind = VYREC_STMT_RETURN, .expr = {demo_u32(d, 1)})));
}
BREAK(V056)
{
	find_stmt(d, VYREC_STMT_IF)->body[1] = 0;
}
BREAK(V057)
{
	vyrec_expr again = vyrec_build_call(&d->b, d->twice, (vyrec_expr[]){demo_u32(d, 1)}, 1);
	put_first(d, d->m->fns[d->twice].body, STMT(.kind = VYREC_STMT_EXPR, .expr = {again}));
}
BREAK(V058)
{
	vyrec_fn below = d->twice;
	d->b.unit = d->set;
	for (unsigned i = 0; i < VYREC_MAX_CALL_DEPTH + 2; i++) {
		char name[16];
		snprintf(name, sizeof name, "level%u", i);
		vyrec_fn fn = vyrec_build_fn_begin(&d->b, name, VYREC_U32);
		vyrec_build_return(&d->b, vyrec_build_call(&d->b, below, (vyrec_expr[]){demo_u32(d, 1)}, i == 0));
		vyrec_build_fn_end(&d->b);
		below = fn;
	}
}
BREAK(V059)
{
	vyrec_expr call = vyrec_build_call(&d->b, d->twice, (vyrec_expr[]){demo_u32(d, 1)}, 1);
	put_first(d, d->m->units[d->program].body, STMT(.kind = VYREC_STMT_EXPR, .expr = {call}));
}
BREAK(V060)
{
	in_single(d, STMT(.kind = VYREC_STMT_STORE, .array = d->table, .expr = {demo_u32(d, 0), demo_u32(d, 1)}));
}
BREAK(V061)
{
	in_single(d, STMT(.kind = VYREC_STMT_LET, .local = local(d, "z", VYREC_LOCAL_LET, VYREC_U32),
			  .expr = {vyrec_build_load(&d->b, d->live, demo_u32(d, 0))}));
}
BREAK(V062)
{
	in_single(
	    d, STMT(.kind = VYREC_STMT_EXPR, .expr = {atomic(d, VYREC_ATOMIC_LOAD, d->table, VYREC_ORDER_RELAXED, 0)}));
}
BREAK(V063)
{
	in_single(d, STMT(.kind = VYREC_STMT_EXPR,
			  .expr = {atomic(d, VYREC_ATOMIC_STORE, d->plain, VYREC_ORDER_ACQUIRE, demo_u32(d, 1))}));
}
BREAK(V064)
{
	find_stmt(d, VYREC_STMT_FENCE)->order = VYREC_ORDER_RELAXED;
}
BREAK(V065)
{
	put_first(d, d->m->units[d->program].body, STMT(.kind = VYREC_STMT_YIELD));
}
BREAK(V066)
{
	in_whole(d, STMT(.kind = VYREC_STMT_BARRIER, .scope = VYREC_SCOPE_DEVICE));
}
BREAK(V067)
{
	in_single(d, STMT(.kind = VYREC_STMT_BARRIER));
}
BREAK(V068)
{
	put_first(d, d->m->fns[d->twice].body, STMT(.kind = VYREC_STMT_YIELD));
}
BREAK(V069)
{
	in_whole(d, STMT(.kind = VYREC_STMT_ASYNC_WAIT, .imm = 9));
}
BREAK(V070)
{
	find_stmt(d, VYREC_STMT_DISPATCH)->name = d->m->units[d->set].name;
}
BREAK(V071)
{
	find_stmt(d, VYREC_STMT_SPAWN)->name = vyrec_intern_z(d->m, "nobody");
}
BREAK(V072)
{
	find_stmt(d, VYREC_STMT_REGION)->name = 0;
}
BREAK(V073)
{
	in_single(d, STMT(.kind = VYREC_STMT_RESULT, .imm = 11, .expr = {vyrec_build_lit(&d->b, VYREC_U64, 0)}));
}
BREAK(V074)
{
	find_stmt(d, VYREC_STMT_LOG)->name = vyrec_intern_z(d->m, "\x1b[2J");
}
BREAK(V075)
{
	d->m->arrays[d->plain].element = VYREC_I32;
}
BREAK(V080)
{
	in_whole(d, when(d, first_lane(d), STMT(.kind = VYREC_STMT_BARRIER)));
}
BREAK(V081)
{
	in_whole(d, STMT(.kind = VYREC_STMT_PAUSE, .expr = {lane(d)}));
}
BREAK(V082)
{
	in_whole(d, STMT(.kind = VYREC_STMT_RESULT, .expr = {lane(d)}));
}
BREAK(V083)
{
	in_whole(d, when(d, first_lane(d), STMT(.kind = VYREC_STMT_RETURN)));
}
BREAK(V084)
{
	vyrec_expr e = vyrec_build_collective(&d->b, VYREC_COLLECTIVE_BROADCAST, demo_u32(d, 1), lane(d));
	in_whole(d, STMT(.kind = VYREC_STMT_EXPR, .expr = {e}));
}

static void (*const breaks[RULE_COUNT])(struct demo *) = {
#define RULE(id, text) [id] = break_##id,
#include "ir/verify.def"
};

/* An early return of one lane also keeps it from what follows: V083 comes with the rules of that. */
static bool may_bring(enum rule broken, const char *reported)
{
	return broken == V083 && (!strcmp(reported, "V080") || !strcmp(reported, "V082"));
}

static void expect_broken(enum rule rule, void (*breaks_it)(struct demo *))
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

static void test_every_rule_is_broken(void **state)
{
	(void)state;
	for (unsigned rule = 0; rule < RULE_COUNT; rule++)
		expect_broken(rule, breaks[rule]);
}

/* ---- more ways ------------------------------------------------------------------------------------------------------- */

static void cycle_of_exprs(struct demo *d)
{
	struct vyrec_expr_node *sum = find_expr(d, VYREC_EXPR_OP);
	sum->arg[0] = (vyrec_expr)(sum - d->m->exprs);
}

static void cycle_of_blocks(struct demo *d)
{
	find_stmt(d, VYREC_STMT_LOOP)->body[0] = d->m->handlers[d->single].body;
}

static void list_past_end(struct demo *d)
{
	find_stmt(d, VYREC_STMT_SWITCH)->count = 4000;
}

static void call_of_no_item(struct demo *d)
{
	struct vyrec_fn_node fn = {.name = 1, .unit = d->set, .body = UINT32_MAX};
	find_expr(d, VYREC_EXPR_CALL)->sym = vyrec_add_fn(d->m, &fn);
}

static void wild_name(struct demo *d)
{
	find_stmt(d, VYREC_STMT_LOG)->name = 0x7fffffff;
}

static void case_without_block(struct demo *d)
{
	const struct vyrec_stmt_node *t = find_stmt(d, VYREC_STMT_SWITCH);
	d->m->refs[t->list + 1] = d->m->refs[t->list + 3] = 0;
}

static void case_shares_far_block(struct demo *d)
{
	const struct vyrec_stmt_node *t = find_stmt(d, VYREC_STMT_SWITCH);
	d->m->refs[t->list + 5] = t->body[0];
}

static void step_zero(struct demo *d)
{
	vyrec_expr zero = demo_u32(d, 0);
	find_stmt(d, VYREC_STMT_FOR)->expr[2] = zero;
}

static void barrier_through_fn(struct demo *d)
{
	vyrec_expr call = vyrec_build_call(&d->b, d->total, (vyrec_expr[]){demo_u32(d, 1)}, 1);
	in_single(d, STMT(.kind = VYREC_STMT_EXPR, .expr = {call}));
}

static void recursion_of_two(struct demo *d)
{
	vyrec_expr to = vyrec_build_call(&d->b, d->total, (vyrec_expr[]){demo_u32(d, 1)}, 1);
	vyrec_expr fro = vyrec_build_call(&d->b, d->twice, (vyrec_expr[]){demo_u32(d, 1)}, 1);
	put_first(d, d->m->fns[d->twice].body, STMT(.kind = VYREC_STMT_EXPR, .expr = {to}));
	put_first(d, d->m->fns[d->total].body, STMT(.kind = VYREC_STMT_EXPR, .expr = {fro}));
	d->m->handlers[d->single].granularity = VYRE_BY_WORKGROUP;
	d->m->handlers[d->single].width = 1;
}

static void label_not_around(struct demo *d)
{
	in_single(d, when(d, yes(d), STMT(.kind = VYREC_STMT_BREAK, .local = param(d))));
}

static void copy_to_const(struct demo *d)
{
	in_whole(d, STMT(.kind = VYREC_STMT_ASYNC_STORE, .array = d->table, .array2 = d->shared,
			 .expr = {demo_u32(d, 0), demo_u32(d, 0), demo_u32(d, 1)}));
}

/* What a pass made of a set: a program with a feed that keeps the ops, without bodies, for the loader's tables. */
static void lower(struct demo *d, uint32_t features, uint32_t frame_words)
{
	struct vyrec_unit_node *u = &d->m->units[d->set];
	u->kind = VYRE_UNIT_PROGRAM;
	u->feed = VYRE_FEED_TASKS;
	u->features = features;
	u->frame_words = frame_words;
	u->body = vyrec_add_block(d->m, NULL, 0);
	d->m->handlers[d->single].body = vyrec_add_block(d->m, NULL, 0);
	d->m->handlers[d->whole].body = vyrec_add_block(d->m, NULL, 0);
}

static void feature_without_row(struct demo *d)
{
	lower(d, (uint32_t)VYRE_HAS_ALL + 1, 0);
}

static void frames_without_records(struct demo *d)
{
	lower(d, VYRE_HAS_BUILTINS, 1);
}

static void frames_too_wide(struct demo *d)
{
	lower(d, VYRE_HAS_RECORDS, VYRE_BLOB_MAX_FRAME_WORDS + 1);
}

static void feed_without_row(struct demo *d)
{
	lower(d, 0, 0);
	d->m->units[d->set].feed = VYRE_FEED_COUNT;
}

static struct vyrec_stmt_node *spawn_with_else(struct demo *d)
{
	for (uint32_t i = 1; i < d->m->stmt_count; i++)
		if (d->m->stmts[i].kind == VYREC_STMT_SPAWN && d->m->stmts[i].body[0])
			return &d->m->stmts[i];
	fail_msg("no spawn with an else");
	return NULL;
}

static void spawn_with_two_bodies(struct demo *d)
{
	vyrec_block more = vyrec_add_block(d->m, NULL, 0);
	spawn_with_else(d)->body[1] = more;
}

static void else_of_two_spawns(struct demo *d)
{
	struct vyrec_stmt_node spawn = *spawn_with_else(d);
	vyrec_expr args[2] = {demo_u32(d, 1), vyrec_build_lit(&d->b, VYREC_U64, 2)};
	spawn.list = vyrec_add_refs(d->m, args, 2);
	in_single(d, spawn);
}

static void break_out_of_else(struct demo *d)
{
	put_first(d, spawn_with_else(d)->body[0], when(d, yes(d), STMT(.kind = VYREC_STMT_BREAK)));
}

static void else_hides_a_name(struct demo *d)
{
	put_first(d, spawn_with_else(d)->body[0],
		  STMT(.kind = VYREC_STMT_VAR, .local = local(d, "n", VYREC_LOCAL_VAR, VYREC_U32)));
}

static void else_of_the_wrong_type(struct demo *d)
{
	put_first(d, spawn_with_else(d)->body[0],
		  STMT(.kind = VYREC_STMT_STORE, .array = d->plain, .expr = {yes(d), demo_u32(d, 1)}));
}

static void join_in_a_fn(struct demo *d)
{
	put_first(d, d->m->fns[d->twice].body, STMT(.kind = VYREC_STMT_JOIN));
}

static void join_in_a_program(struct demo *d)
{
	put_first(d, d->m->units[d->program].body, STMT(.kind = VYREC_STMT_JOIN));
}

static void join_with_an_operand(struct demo *d)
{
	in_single(d, STMT(.kind = VYREC_STMT_JOIN, .expr = {demo_u32(d, 1)}));
}

static void join_apart(struct demo *d)
{
	in_whole(d, when(d, first_lane(d), STMT(.kind = VYREC_STMT_JOIN)));
}

static void spawn_of_too_few(struct demo *d)
{
	spawn_with_else(d)->count = 1;
}

static void spawn_of_the_wrong_type(struct demo *d)
{
	vyrec_expr args[2] = {demo_u32(d, 1), demo_u32(d, 2)};
	spawn_with_else(d)->list = vyrec_add_refs(d->m, args, 2);
}

static const struct {
	const char *name;
	enum rule rule;
	void (*breaks_it)(struct demo *);
} more[] = {
    {"cycle of expressions", V002, cycle_of_exprs},
    {"cycle of blocks", V002, cycle_of_blocks},
    {"list past the end", V001, list_past_end},
    {"call of a fn that no unit has", V001, call_of_no_item},
    {"name past the table", V001, wild_name},
    {"case without block", V001, case_without_block},
    {"two cases apart with one block", V002, case_shares_far_block},
    {"step 0", V041, step_zero},
    {"collective through a fn in an op by lane", V067, barrier_through_fn},
    {"two fns call each other", V057, recursion_of_two},
    {"break to what is no label", V053, label_not_around},
    {"copy to a const buffer", V060, copy_to_const},
    {"a spawn with two bodies", V006, spawn_with_two_bodies},
    {"an else that two spawns own", V002, else_of_two_spawns},
    {"a break in an else without a loop", V053, break_out_of_else},
    {"an else that hides a name", V051, else_hides_a_name},
    {"a wrong index in an else", V033, else_of_the_wrong_type},
    {"a spawn of too few arguments", V071, spawn_of_too_few},
    {"a spawn of another type", V071, spawn_of_the_wrong_type},
    {"a join in a fn", V068, join_in_a_fn},
    {"a join in a program", V065, join_in_a_program},
    {"a join with an operand", V006, join_with_an_operand},
    {"a join of one lane", V081, join_apart},
    {"a feature that no row has", V023, feature_without_row},
    {"frames without records", V023, frames_without_records},
    {"a frame too wide", V023, frames_too_wide},
    {"a feed that no row has", V005, feed_without_row},
};

static void test_more_ways_to_break(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof more / sizeof *more; i++) {
		print_message("  %s\n", more[i].name);
		expect_broken(more[i].rule, more[i].breaks_it);
	}
}

static void test_lowered_set_is_sound(void **state)
{
	(void)state;
	struct demo d = demo_create();
	struct vyrec_diags diags = {0};
	lower(&d, VYRE_HAS_ALL, VYRE_BLOB_MAX_FRAME_WORDS);
	assert_true(vyrec_verify(d.m, &diags));
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(d.m);
}

static void test_empty_module_is_sound(void **state)
{
	(void)state;
	struct vyrec_module *m = vyrec_module_create("");
	struct vyrec_diags diags = {0};
	assert_true(vyrec_verify(m, &diags));
	vyrec_module_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_rule_is_broken),
	    cmocka_unit_test(test_more_ways_to_break),
	    cmocka_unit_test(test_lowered_set_is_sound),
	    cmocka_unit_test(test_empty_module_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
