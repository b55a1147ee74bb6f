/* inline_test.c - calls become bodies, in the order of the text. */
#include "tests/passes/rig.h"

static const char calls[] =
    "set calls {\n"
    "  buffer out: u32[]\n"
    "  const K: u32 = 3\n"
    "  fn sq(x: u32) -> u32 { return x * x }\n"
    "  fn early(x: u32, hi: u32) -> u32 {\n"
    "    if x > hi { return hi }\n"
    "    for i in 0 .. 4 { if x == i { return i + 100 } }\n"
    "    loop { if x > 2 { return sq(x) } }\n"
    "  }\n"
    "  fn bump(i: u32) -> u32 { return atomic_add(out[i], 1) }\n"
    "  fn put(i: u32, v: u32) { if i == 7 { return }; out[i] = v }\n"
    "  fn odd(x: u32) -> bool { return (bump(x & 7) & 1) == 1 }\n"
    "  fn twice(x: u32) -> u32 { var r: u32 = x; r = r + bump(x); return r + bump(x) }\n"
    "  op order = 0x100 (n: u32, m: u32) by lane {\n"
    "    let k = n & 15\n"
    "    let v = out[k] + bump(k) * sq(bump(k) + 1) + out[k]\n"
    "    if odd(n) && odd(early(m, 10)) || odd(m + K) { put(1, v) } else { put(2, v) }\n"
    "    result(0, v)\n"
    "  }\n"
    "  op bounds = 0x101 (n: u32) by lane {\n"
    "    for j in sq(2) .. early(n & 31, 9) + 3 step 2 { put(j, sq(j) + bump(40)) }\n"
    "    switch bump(41) & 3 { case 0, 1 { put(50, twice(7)) } default { put(51, twice(8)) } }\n"
    "    out[bump(42) & 15] = bump(42)\n"
    "    out[atomic_load(out[42]) & 15] = bump(42) + out[42]\n"
    "    if n > 3 { if odd(n) { return }; result(1, early(n, 5)) }\n"
    "    result(0, select(odd(1), bump(2), bump(3)))\n"
    "  }\n"
    "  op vars = 0x102 (n: u32) by lane {\n"
    "    var v: u32 = n\n"
    "    v = v + early(v, 6) + v\n"
    "    var flag: bool = n > 4 || odd(v)\n"
    "    loop { v = v + 1; if flag && odd(v) { break }; if v > n + 400 || v < 8 { break } }\n"
    "    result(0, v)\n"
    "  }\n"
    "}\n";

static void test_meaning(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	rig_same(calls, &options, RIG_PASSES(VYREC_PASS_inline), 1, 40);
	rig_same(calls, &options, RIG_PASSES(VYREC_PASS_COUNT), 1, 40);
}

static void test_nothing_left(void **state)
{
	struct vyrec_pass_options options = rig_options();
	struct vyrec_module *m = rig_parse(calls);
	struct vyrec_diags diags = {0};
	(void)state;
	rig_run(m, VYREC_PASS_inline, &options);
	for (uint32_t i = 0; i < m->units[1].item_count; i++)
		assert_int_not_equal(m->refs[m->units[1].items + 2 * i], VYREC_ITEM_FN);
	assert_false(vyrec_pass_inline(m, &options, &diags)); /* a second time there is nothing to do */
	vyrec_module_destroy(m);
}

static void test_text(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	RIG_EXPECT(rig_after("set s {\n  buffer b: u32[]\n  fn f(x: u32) -> u32 { return x + 1 }\n"
			     "  op o = 0x100 (n: u32) by lane { b[0] = b[1] + f(n) }\n}\n",
			     &options, RIG_PASSES(VYREC_PASS_inline)),
		   "let operand = b[1]", "let f_value = n + 1", "b[0] = operand + f_value", "!fn ");
	RIG_EXPECT(rig_after("set s {\n  fn f(x: u32) -> bool { return x > 1 }\n"
			     "  op o = 0x100 (n: u32) by lane { if n > 5 && f(n) { result(0, 1) } }\n}\n",
			     &options, RIG_PASSES(VYREC_PASS_inline)),
		   "var both: bool = n > 5", "if both {", "both = f_value", "if both {", "result(0, 1)");
	RIG_EXPECT(rig_after("set s {\n  fn f(x: u32) -> u32 { if x > 9 { return 9 }; return x }\n"
			     "  op o = 0x100 (n: u32) by lane { result(0, f(n)) }\n}\n",
			     &options, RIG_PASSES(VYREC_PASS_inline)),
		   "var f_result: u32", "block f_end {", "f_result = 9", "break f_end", "result(0, f_result)");
}

/* 2^24 calls of a leaf: refused with its number, not written out. */
static void test_explosion(void **state)
{
	char text[4096] = "set s {\n  fn fn_0(x: u32) -> u32 { return x + 1 }\n";
	struct vyrec_pass_options options = rig_options();
	struct vyrec_diags diags = {0};
	(void)state;
	for (unsigned i = 1; i <= 24; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
			 "  fn fn_%u(x: u32) -> u32 { return fn_%u(x) + fn_%u(x) }\n", i, i - 1, i - 1);
	strcat(text, "  op o = 0x100 (n: u32) by lane { result(0, fn_24(n)) }\n}\n");
	struct vyrec_module *m = rig_parse(text);
	assert_false(vyrec_run_pass(m, VYREC_PASS_inline, &options, &diags));
	assert_int_equal(diags.errors, 1);
	assert_non_null(strstr(diags.items[0].message, "grows past 1048576"));
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

/* Each call stands in ten ifs of the one before. */
static void test_depth(void **state)
{
	char text[16384] = "set s {\n  fn fn_0(x: u32) -> u32 { return x + 1 }\n";
	struct vyrec_pass_options options = rig_options();
	struct vyrec_diags diags = {0};
	(void)state;
	for (unsigned i = 1; i <= 24; i++) {
		char *at = text + strlen(text);
		at += sprintf(at, "  fn fn_%u(x: u32) -> u32 {\n", i);
		for (unsigned k = 0; k < 10; k++)
			at += sprintf(at, "if x > %u {\n", k);
		at += sprintf(at, "return fn_%u(x)\n", i - 1);
		for (unsigned k = 0; k < 10; k++)
			at += sprintf(at, "}\n");
		sprintf(at, "return x\n}\n");
	}
	strcat(text, "  op o = 0x100 (n: u32) by lane { result(0, fn_24(n)) }\n}\n");
	struct vyrec_module *m = rig_parse(text);
	assert_false(vyrec_run_pass(m, VYREC_PASS_inline, &options, &diags));
	assert_int_equal(diags.errors, 1);
	assert_non_null(strstr(diags.items[0].message, "blocks deep"));
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_meaning),   cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_text),
	    cmocka_unit_test(test_explosion), cmocka_unit_test(test_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
