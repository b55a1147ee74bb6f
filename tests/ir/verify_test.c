/* verify_test.c - every row of verify.def is broken at least once, and nothing but that rule is reported. */
#include "tests/ir/verify_rig.h"

/* ---- one way to break each rule -------------------------------------------------------------------------------------- */

#define BREAK(rule) static void break_##rule(struct demo *d)

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
BREAK(V085)
{
	vyrec_stmt inside[] = {vyrec_add_stmt(d->m, &STMT(.kind = VYREC_STMT_BARRIER)),
			       vyrec_add_stmt(d->m, &STMT(.kind = VYREC_STMT_RETURN))};
	put_first(d, d->m->units[d->program].body,
		  STMT(.kind = VYREC_STMT_CATCH, .local = local(d, "fell", VYREC_LOCAL_VAR, VYREC_U32),
		       .local2 = local(d, "why", VYREC_LOCAL_VAR, VYREC_U32),
		       .body = {vyrec_add_block(d->m, inside, 2)}));
	d->m->blocks[d->m->units[d->program].body].count = 1; /* what follows would not be reached together */
}

static void (*const breaks[RULE_COUNT])(struct demo *) = {
#define RULE(id, text) [id] = break_##id,
#include "ir/verify.def"
};

static void test_every_rule_is_broken(void **state)
{
	(void)state;
	for (unsigned rule = 0; rule < RULE_COUNT; rule++)
		expect_broken(rule, breaks[rule]);
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
	    cmocka_unit_test(test_empty_module_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
