/* tree_test.c - the builder's module is sound; clones share nothing, are equal, and leave garbage behind; the walk sees
 * every node once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ir/demo_module.h"

static void expect_sound(struct vyrec_module *m)
{
	struct vyrec_diags diags = {0};
	if (!vyrec_verify(m, &diags))
		vyrec_diags_print(&diags, "demo", NULL, 0, stderr);
	assert_int_equal(diags.errors, 0);
	vyrec_diags_finish(&diags);
}

static void test_demo_is_sound(void **state)
{
	(void)state;
	struct demo d = demo_create();
	expect_sound(d.m);
	vyrec_module_destroy(d.m);
}

/* Every statement and every expression kind occurs: who adds one must add it to the demo too. */
static void test_demo_has_everything(void **state)
{
	(void)state;
	struct demo d = demo_create();
	bool stmts[VYREC_STMT_COUNT] = {0}, exprs[VYREC_EXPR_COUNT] = {0};
	for (uint32_t i = 1; i < d.m->stmt_count; i++)
		stmts[d.m->stmts[i].kind] = true;
	for (uint32_t i = 1; i < d.m->expr_count; i++)
		exprs[d.m->exprs[i].kind] = true;
	for (unsigned kind = 1; kind < VYREC_STMT_COUNT; kind++)
		if (!stmts[kind] && kind != VYREC_STMT_ASYNC_STORE)
			fail_msg("no %s", vyrec_stmt_get_info(kind)->name);
	for (unsigned kind = 1; kind < VYREC_EXPR_COUNT; kind++)
		if (!exprs[kind] && kind != VYREC_EXPR_ORELSE)
			fail_msg("no expression of kind %u", kind);
	vyrec_module_destroy(d.m);
}

static void count_stmt(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	assert_true(stmt && stmt < m->stmt_count);
	((unsigned *)user)[0]++;
}

static void count_expr(void *user, struct vyrec_module *m, vyrec_expr expr)
{
	assert_true(expr && expr < m->expr_count);
	((unsigned *)user)[1]++;
}

static void test_walk_sees_each_node_once(void **state)
{
	(void)state;
	struct demo d = demo_create();
	unsigned seen[2] = {0};
	struct vyrec_walker walker = {count_stmt, count_expr, seen};
	vyrec_walk_block(d.m, d.m->handlers[d.single].body, &walker);
	vyrec_walk_block(d.m, d.m->handlers[d.whole].body, &walker);
	vyrec_walk_block(d.m, d.m->fns[d.twice].body, &walker);
	vyrec_walk_block(d.m, d.m->fns[d.total].body, &walker);
	vyrec_walk_block(d.m, d.m->units[d.program].body, &walker);
	assert_int_equal(seen[0], d.m->stmt_count - 1);
	assert_int_equal(seen[1], d.m->expr_count - 1);
	vyrec_module_destroy(d.m);
}

/* A body that holds itself and its clone keeps every rule: nothing is shared, no name hides another. */
static void test_clone_block_beside_original(void **state)
{
	(void)state;
	struct demo d = demo_create();
	struct vyrec_subst subst = {0};
	vyrec_block body = d.m->handlers[d.single].body, inner[2];
	struct vyrec_block_node *b = &d.m->blocks[body];
	vyrec_set_block(d.m, body, &d.m->refs[b->first], b->count - 1); /* without its return */
	inner[0] = body;
	inner[1] = vyrec_clone_block(d.m, body, &subst);
	vyrec_subst_finish(&subst);
	vyrec_stmt both[2];
	for (unsigned i = 0; i < 2; i++)
		both[i] = vyrec_add_stmt(d.m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {inner[i]}});
	d.m->handlers[d.single].body = vyrec_add_block(d.m, both, 2);
	expect_sound(d.m);
	vyrec_module_destroy(d.m);
}

static void test_clone_replaces_locals(void **state)
{
	(void)state;
	struct demo d = demo_create();
	struct vyrec_subst subst = {0};
	vyrec_local from = vyrec_add_local(d.m, vyrec_intern_z(d.m, "from"), VYREC_LOCAL_LET, VYREC_U32, 0);
	vyrec_local to = vyrec_add_local(d.m, vyrec_intern_z(d.m, "to"), VYREC_LOCAL_LET, VYREC_U32, 0);
	vyrec_expr sum =
	    vyrec_build_op2(&d.b, VYREC_OP_add_i, vyrec_build_get(&d.b, from), vyrec_build_get(&d.b, from));
	vyrec_subst_local(&subst, from, to);
	vyrec_expr clone = vyrec_clone_expr(d.m, sum, &subst);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(d.m->exprs[d.m->exprs[sum].arg[i]].sym, from);
		assert_int_equal(d.m->exprs[d.m->exprs[clone].arg[i]].sym, to);
	}
	vyrec_subst_finish(&subst);
	vyrec_module_destroy(d.m);
}

static void test_fresh_names_count_up(void **state)
{
	(void)state;
	struct demo d = demo_create();
	for (unsigned i = 2; i < 5; i++) {
		char wanted[16];
		snprintf(wanted, sizeof wanted, "sum_%u", i);
		vyrec_name name = vyrec_fresh_name(d.m, "sum");
		assert_string_equal(vyrec_name_text(d.m, name), wanted);
		vyrec_add_local(d.m, name, VYREC_LOCAL_LET, VYREC_U32, 0);
	}
	vyrec_module_destroy(d.m);
}

static void test_module_clone_is_canonical(void **state)
{
	(void)state;
	struct demo d = demo_create();
	uint32_t live = d.m->expr_count;
	for (unsigned i = 0; i < 100; i++)
		demo_u32(&d, i); /* garbage */
	struct vyrec_module *once = vyrec_module_clone(d.m), *twice = vyrec_module_clone(once);
	assert_int_equal(once->expr_count, live);
	expect_sound(once);
#define SAME(table) \
	assert_int_equal(once->table##_count, twice->table##_count); \
	assert_memory_equal(once->table##s, twice->table##s, once->table##_count * sizeof *once->table##s)
	SAME(expr);
	SAME(stmt);
	SAME(block);
	SAME(local);
	SAME(array);
	SAME(ref);
	SAME(comment);
	assert_string_equal(vyrec_name_text(once, once->comments[0].text), "// one of everything");
	assert_string_equal(vyrec_name_text(once, once->file), "demo.vyre");
	vyrec_module_destroy(twice);
	vyrec_module_destroy(once);
	vyrec_module_destroy(d.m);
}

/* ---- diagnostics ----------------------------------------------------------------------------------------------------- */

static char *printed(struct vyrec_diags *diags, const char *source)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	vyrec_diags_print(diags, "f.vyre", source, source ? strlen(source) : 0, out);
	fclose(out);
	vyrec_diags_finish(diags);
	return text;
}

static void test_caret_under_tabs_and_utf8(void **state)
{
	(void)state;
	struct vyrec_diags diags = {0};
	/* bytes: tab, "a", e-acute of two bytes, " x" */
	vyrec_diags_add(&diags, VYREC_ERROR, "V050", VYREC_LOC(2, 6), "no `%s`; declare it", "x");
	char *text = printed(&diags, "first\n\ta\xc3\xa9 x\r\nlast");
	assert_string_equal(text, "f.vyre:2:6: error: no `x`; declare it [V050]\n\ta\xc3\xa9 x\n\t   ^\n");
	free(text);
}

static void test_sorted_by_place_and_notes_follow(void **state)
{
	(void)state;
	struct vyrec_diags diags = {0};
	vyrec_diags_add(&diags, VYREC_ERROR, "", VYREC_LOC(9, 1), "late");
	vyrec_diags_add(&diags, VYREC_NOTE, "", VYREC_LOC(1, 1), "of late");
	vyrec_diags_add(&diags, VYREC_WARNING, "", VYREC_LOC(2, 1), "early");
	vyrec_diags_add(&diags, VYREC_ERROR, "", VYREC_LOC(2, 1), "early too");
	vyrec_diags_add(&diags, VYREC_ERROR, "", 0, "whole");
	char *text = printed(&diags, NULL);
	assert_string_equal(text, "f.vyre: error: whole\nf.vyre:2:1: warning: early\nf.vyre:2:1: error: early too\n"
				  "f.vyre:9:1: error: late\nf.vyre:1:1: note: of late\n");
	free(text);
}

static void test_places_outside_the_source(void **state)
{
	(void)state;
	const vyrec_loc places[] = {VYREC_LOC(1, 9), VYREC_LOC(3, 1), VYREC_LOC(400000, 1), VYREC_LOC(1, 1023),
				    1u << 10};
	for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
		struct vyrec_diags diags = {0};
		vyrec_diags_add(&diags, VYREC_ERROR, "", places[i], "x");
		char *text = printed(&diags, "ab\n");
		assert_null(strchr(text, '^'));
		free(text);
	}
}

static void test_errors_are_bounded(void **state)
{
	(void)state;
	struct vyrec_diags diags = {0};
	for (unsigned i = 0; i < 3 * VYREC_MAX_ERRORS; i++)
		vyrec_diags_add(&diags, VYREC_ERROR, "", VYREC_LOC(1, 1), "again");
	assert_int_equal(diags.count, VYREC_MAX_ERRORS);
	assert_int_equal(diags.errors, 3 * VYREC_MAX_ERRORS);
	char *text = printed(&diags, NULL);
	assert_non_null(strstr(text, "200 more errors"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_demo_is_sound),
	    cmocka_unit_test(test_demo_has_everything),
	    cmocka_unit_test(test_walk_sees_each_node_once),
	    cmocka_unit_test(test_clone_block_beside_original),
	    cmocka_unit_test(test_clone_replaces_locals),
	    cmocka_unit_test(test_fresh_names_count_up),
	    cmocka_unit_test(test_module_clone_is_canonical),
	    cmocka_unit_test(test_caret_under_tabs_and_utf8),
	    cmocka_unit_test(test_sorted_by_place_and_notes_follow),
	    cmocka_unit_test(test_places_outside_the_source),
	    cmocka_unit_test(test_errors_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
