/* pipeline_test.c - the runner: order, prints, times, promises; and random sets through the whole pipeline. */
#include <stdio.h>

#include "tests/differential/generate.h"
#include "tests/passes/rig.h"

static const char small[] =
    "set small {\n  buffer b: u32[]\n  fn f(x: u32) -> u32 { return x + 0 }\n"
    "  op o = 0x100 (n: u32) by workgroup { b[lane] = f(n); barrier; result(0, reduce_add(1)) }\n}\n";

static void test_print_and_time(void **state)
{
	struct vyrec_pass_options options = rig_options();
	struct vyrec_pass_times times;
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = rig_parse(small);
	char *log = NULL;
	size_t bytes = 0;
	(void)state;
	options.log = open_memstream(&log, &bytes);
	options.print_after = "inline";
	options.time = true;
	assert_true(vyrec_run_pipeline(m, &options, &diags, &times));
	fclose(options.log);
	assert_non_null(strstr(log, "// after inline\n"));
	assert_null(strstr(log, "// after fold\n"));
	assert_non_null(strstr(log, " ms  lanes\n"));
	assert_non_null(strstr(log, " ms  verify\n"));
	free(log);
	vyrec_module_destroy(m);
	m = rig_parse(small);
	options.log = open_memstream(&log, &bytes);
	options.print_after = "all";
	options.time = false;
	assert_true(vyrec_run_pipeline(m, &options, &diags, NULL));
	fclose(options.log);
	const char *lanes = strstr(log, "// after lanes\n");
	assert_non_null(strstr(log, "// after inline\n"));
	assert_non_null(lanes);
	assert_non_null(strstr(lanes, "// after bounds\n"));
	assert_null(strstr(log, " ms  "));
	free(log);
	vyrec_module_destroy(m);
}

static void refuse(void *user, struct vyrec_module *m, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	(void)user;
	assert_int_not_equal(n->kind, VYREC_EXPR_CALL);
	assert_int_not_equal(n->kind, VYREC_EXPR_COLLECTIVE);
	if (n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_ATOMIC)
		assert_int_not_equal(n->policy, VYREC_POLICY_DEFAULT);
	if (n->kind == VYREC_EXPR_BUILTIN)
		assert_true(n->code == VYREC_BUILTIN_WORKGROUP_ID || n->code == VYREC_BUILTIN_WORKGROUPS);
}

static void refuse_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	const struct vyrec_stmt_node *n = &m->stmts[s];
	(void)user;
	assert_false(n->kind == VYREC_STMT_BARRIER && n->scope == VYREC_SCOPE_WORKGROUP);
	assert_false(n->kind == VYREC_STMT_STORE && n->policy == VYREC_POLICY_DEFAULT);
}

/* What passes.h says about a module that went through, at every level and policy. */
static void test_promises(void **state)
{
	static const struct vyrec_walker walker = {.stmt = refuse_stmt, .expr = refuse};
	struct vyrec_pass_options options = rig_options();
	(void)state;
	for (unsigned level = 0; level <= 2; level++)
		for (vyrec_policy policy = 0; policy < VYREC_POLICY_COUNT; policy++) {
			struct vyrec_module *m = rig_parse(small);
			options.level = level;
			options.bounds = policy;
			options.keep_sets = false;
			rig_run(m, VYREC_PASS_COUNT, &options);
			for (vyrec_unit unit = 1; unit < m->unit_count; unit++) {
				assert_int_equal(m->units[unit].kind, VYRE_UNIT_PROGRAM);
				vyrec_walk_block(m, m->units[unit].body, &walker);
			}
			vyrec_module_destroy(m);
		}
	options = rig_options();
	options.level = 0; /* no more than a backend needs */
	RIG_EXPECT(rig_after(small, &options, RIG_PASSES(VYREC_PASS_COUNT)), "let f_value = ", "+ 0",
		   "b[checked 0] = f_value", "result(0, 1)", "!barrier", "!reduce", "!fn ");
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(vyrec_pass_name(VYREC_PASS_dce), "dce");
	assert_non_null(strstr(vyrec_pass_meaning(VYREC_PASS_lanes), "lanes"));
	assert_string_equal(vyrec_pass_name(VYREC_PASS_COUNT), "?");
}

static void test_random(void **state)
{
	(void)state;
	rig_elements = 8 * GENERATE_REGION;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct vyrec_pass_options options = rig_options();
		char *text = generate_set(seed, 8);
		options.level = seed % 5 == 0 ? 0 : 2;
		rig_same(text, &options, RIG_PASSES(VYREC_PASS_COUNT), seed % 2 ? 1 : 7, 2);
		free(text);
	}
}

/* `count` times `part`, each with its number, between head and tail; the caller frees it. */
static char *repeat(const char *head, const char *part, unsigned count, const char *tail)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	fputs(head, out);
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "%s%u%s", part, i, strchr(part, '\0') + 1);
	fputs(tail, out);
	fclose(out);
	return text;
}

/* any(x) && (any(x) && ( ... )), as deep as text may nest it, in a fn that is called as deep again. */
static char *nest_calls(void)
{
	enum { DEPTH = 120 };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	fprintf(out, "set s {\n");
	for (unsigned fn = 0; fn < 2; fn++) {
		fprintf(out, "  fn f%u(x: u32) -> bool { return ", fn);
		for (unsigned i = 0; i < DEPTH; i++)
			fprintf(out, "any(x == 0) && (");
		fprintf(out, fn ? "f0(x)" : "any(x == 1)");
		for (unsigned i = 0; i < DEPTH; i++)
			fputc(')', out);
		fprintf(out, " }\n");
	}
	fprintf(out, "  op o = 0x100 (n: u32) by workgroup(2) {\n    ");
	for (unsigned i = 0; i < DEPTH / 3; i++)
		fprintf(out, "if n > %u { ", i);
	fprintf(out, "result(0, f1(n))");
	for (unsigned i = 0; i < DEPTH / 3; i++)
		fprintf(out, " }");
	fprintf(out, "\n  }\n}\n");
	fclose(out);
	return text;
}

/* The limits of a module hold for what passes make: within them a loop is not versioned, past them it is said. */
static void test_limits(void **state)
{
	(void)state;
	struct vyrec_pass_options options = rig_options();
	struct vyrec_diags diags = {0};
	char *text = repeat("set s {\n  buffer b: u32[]\n  op o = 0x100 (n: u32) by lane {\n    var x: u32 = 0\n",
			    "    for c_\0 in 0 .. n { x = x + b[n] + b[x] }\n", 25000, "    result(0, x)\n  }\n}\n");
	struct vyrec_module *m = rig_parse(text);
	assert_true(vyrec_run_pipeline(m, &options, &diags, NULL));
	vyrec_module_destroy(m);
	free(text);

	text = repeat("set s {\n  buffer b: u32[]\n  op o = 0x100 (n: u32) by workgroup(2) {\n    shared t: u32[1]\n",
		      "    var x_\0: u32 = lane\n", VYREC_MAX_ARRAYS, "    barrier\n");
	char *more = repeat(text, "    b[lane] = b[lane] + x_\0\n", VYREC_MAX_ARRAYS, "  }\n}\n");
	m = rig_parse(more);
	assert_false(vyrec_run_pipeline(m, &options, &diags, NULL));
	assert_int_equal(diags.count, 1);
	assert_non_null(strstr(diags.items[0].message, "grows past 1024 arrays in pass `lanes`"));
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
	free(text);
	free(more);

	text = nest_calls();
	m = rig_parse(text);
	diags = (struct vyrec_diags){0};
	assert_false(vyrec_run_pipeline(m, &options, &diags, NULL));
	assert_non_null(strstr(diags.items[diags.count - 1].message, "nested statements past the limit"));
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_print_and_time), cmocka_unit_test(test_promises), cmocka_unit_test(test_names),
	    cmocka_unit_test(test_random),	   cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
