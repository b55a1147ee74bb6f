/* fold_test.c - constants and identities, in text; meaning against the interpreter. */
#include "tests/passes/rig.h"

/* The value of `expr` after fold, in an op with parameters u v: u32, s: i32, p q: bool, f: f32. */
static void expect_fold(const char *expr, const char *want)
{
	struct vyrec_pass_options options = rig_options();
	char text[1024], line[256];
	snprintf(text, sizeof text,
		 "set t {\n  buffer b: u32[]\n  const K: u32 = 5\n"
		 "  op o = 0x100 (u: u32, v: u32, s: i32, p: bool, q: bool, f: f32) by lane {\n"
		 "    var x: u32 = u\n    x = v\n    result(0, %s)\n  }\n}\n",
		 expr);
	snprintf(line, sizeof line, "result(0, %s)\n", want);
	RIG_EXPECT(rig_after(text, &options, RIG_PASSES(VYREC_PASS_fold)), line);
}

static void test_literals(void **state)
{
	(void)state;
	expect_fold("2 + 3 * K", "17");
	expect_fold("7 / 0", "4294967295");
	expect_fold("7 % 0", "0");
	expect_fold("i32(-8) / -3", "i32(2)");
	expect_fold("1 << 35", "8");
	expect_fold("select(3 > 2, u, v)", "u");
	expect_fold("select(3 > 2, 10, 20)", "10");
	expect_fold("min(u64(3), u64(9)) == u64(3)", "true");
	expect_fold("u32(2.75) + u32(true)", "3");
	expect_fold("popcount(0xff00) + clz(1)", "39");
	expect_fold("length(b) + 0", "length(b)");
}

static void test_identities(void **state)
{
	(void)state;
	expect_fold("u + 0", "u");
	expect_fold("0 + u", "u");
	expect_fold("3 + u", "u + 3");
	expect_fold("u + 3 + 4", "u + 7");
	expect_fold("3 * (u * 5)", "u * 15");
	expect_fold("u * 0", "0");
	expect_fold("u * 1", "u");
	expect_fold("u & 0", "0");
	expect_fold("u & 0xffffffff", "u");
	expect_fold("u | 0xffffffff", "4294967295");
	expect_fold("u ^ u", "0");
	expect_fold("(u + v) - (u + v)", "0");
	expect_fold("u << 0", "u");
	expect_fold("u / 1 + u % 1", "u");
	expect_fold("u < 0", "false");
	expect_fold("u >= 0", "true");
	expect_fold("x == x", "true");
	expect_fold("min(u, u)", "u");
	expect_fold("!!p", "p");
	expect_fold("!(u < v)", "u >= v");
	expect_fold("!(f == 1.0)", "f != 1.0");
	expect_fold("~~s", "s");
	expect_fold("- -s", "s");
	expect_fold("p == true", "p");
	expect_fold("p != true", "!p");
	expect_fold("p && true", "p");
	expect_fold("false || p", "p");
	expect_fold("p && false", "false");
	expect_fold("true && (p || q)", "p || q");
	expect_fold("u32(u)", "u");
	expect_fold("select(p, u, u)", "u");
}

/* What must stay: floats as written, loads and effects. */
static void test_kept(void **state)
{
	(void)state;
	expect_fold("f + 0.0", "f + 0.0");
	expect_fold("f * 1.0", "f * 1.0");
	expect_fold("f == f", "f == f");
	expect_fold("!(f < 1.0)", "!(f < 1.0)");
	expect_fold("f - f", "f - f");
	expect_fold("b[u] - b[u]", "b[u] - b[u]");
	expect_fold("b[u] * 0", "0");
	expect_fold("b[trap u] * 0", "b[trap u] * 0");
	expect_fold("atomic_add(b[u], 1) & 0", "atomic_add(b[u], 1) & 0");
	expect_fold("atomic_load(b[u]) > 1 && false", "atomic_load(b[u]) > 1 && false");
	expect_fold("arg[1] ^ arg[1]", "arg[1] ^ arg[1]");
}

static void test_statements(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	RIG_EXPECT(rig_after("set t {\n  buffer b: u32[]\n  const ON: bool = false\n  op o = 0x100 (u: u32) by lane {\n"
			     "    if ON { b[0] = 1 } else { b[1] = 1 }\n"
			     "    let three = 3\n    let same = u\n    var never: u32 = three + 1\n"
			     "    switch never { case 4 { b[same] = never } default { b[2] = 2 } }\n"
			     "    for i in 5 .. 5 { b[3] = 3 }\n    for i in 4 .. three { b[4] = 4 }\n"
			     "    for i in 0 .. three step 1 { b[i] = 5 }\n"
			     "  }\n}\n",
			     &options, RIG_PASSES(VYREC_PASS_fold)),
		   "block {", "b[1] = 1", "let never = 4", "block {", "b[u] = 4", "for i in 0 .. 3 {", "b[i] = 5",
		   "!b[0] = 1", "!b[2] = 2", "!b[3] = 3", "!b[4] = 4", "!step", "!switch", "!if");
}

/* A var written in a loop after its use is no let; a let of a var keeps the old value. */
static void test_vars(void **state)
{
	struct vyrec_pass_options options = rig_options();
	const char *text = "set t {\n  buffer b: u32[]\n  op o = 0x100 (u: u32, w: u32) by lane {\n"
			   "    var a: u32 = 1\n    let old = a\n"
			   "    for i in 0 .. u & 3 { b[i] = a + old; a = a * 3 + i; let k = i; b[k + 4] = k + a }\n"
			   "    var s: i32 = -5\n    for j in s .. i32(w & 7) step 3 { b[8] = b[8] + u32(j) }\n"
			   "    b[9] = old\n    result(0, a ^ old)\n  }\n}\n";
	(void)state;
	rig_same(text, &options, RIG_PASSES(VYREC_PASS_fold), 1, 20);
	rig_same(text, &options, RIG_PASSES(VYREC_PASS_fold, VYREC_PASS_dce, VYREC_PASS_fold), 1, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_literals),   cmocka_unit_test(test_identities), cmocka_unit_test(test_kept),
	    cmocka_unit_test(test_statements), cmocka_unit_test(test_vars),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
