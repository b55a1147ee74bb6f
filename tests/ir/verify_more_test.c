/* verify_more_test.c - rules broken in other places than the first: cycles, lists, else blocks of spawns, joins, and what
 * passes make of a set. */
#include "tests/ir/verify_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_more_ways_to_break),
	    cmocka_unit_test(test_lowered_set_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
