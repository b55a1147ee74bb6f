/* bounds_test.c - which accesses lose their check, and loops in two versions. */
#include "tests/passes/rig.h"

/* In an op with parameters u v w: u32: does `statement` (one access to `b: u32[64]`, `r: u32[]`, `l` or `t: u8[]`) come
 * out with `want`? */
static void expect_policy(const char *statement, const char *want)
{
	struct vyrec_pass_options options = rig_options();
	char text[1024];
	options.level = 0; /* no versions of loops */
	snprintf(
	    text, sizeof text,
	    "set s {\n  buffer b: u32[64]\n  buffer r: u32[]\n  buffer t: u8[]\n  buffer h: u16[]\n"
	    "  op o = 0x100 (u: u32, v: u32, w: u32) by workgroup(64) {\n    shared g: u32[64]\n    var l: u32[8]\n"
	    "    var x: u32 = u\n    x = x + v\n    %s\n    result(0, 0)\n  }\n}\n",
	    statement);
	RIG_EXPECT(rig_after(text, &options, RIG_PASSES(VYREC_PASS_bounds)), want);
}

static void test_proofs(void **state)
{
	(void)state;
	expect_policy("let a = b[63]", "b[unchecked 63]");
	expect_policy("let a = b[64]", "b[checked 64]");
	expect_policy("let a = r[0]", "r[checked 0]");
	expect_policy("let a = b[u & 63]", "b[unchecked u & 63]");
	expect_policy("let a = b[u & 64]", "b[checked u & 64]");
	expect_policy("let a = b[x % 64]", "b[unchecked x % 64]");
	expect_policy("let a = b[u % 65]", "b[checked u % 65]");
	expect_policy("let a = b[u >> 26]", "b[unchecked u >> 26]");
	expect_policy("let a = b[u >> 25]", "b[checked u >> 25]");
	expect_policy("let a = b[(u & 7) * 8 + (v & 7)]", "b[unchecked (u & 7) * 8 + (v & 7)]");
	expect_policy("let a = b[(u & 7) * 8 + (v & 15)]", "b[checked");
	expect_policy("let a = b[63 - (u & 63)]", "b[unchecked");
	expect_policy("let a = b[62 - (u & 63)]", "b[checked");
	expect_policy("let a = b[min(u, 63)]", "b[unchecked");
	expect_policy("let a = b[select(u > 1, v & 31, 63)]", "b[unchecked");
	expect_policy("let a = b[u32(t[0]) >> 2]", "b[unchecked");
	expect_policy("let a = b[h[0] >> 10]", "b[unchecked");
	expect_policy("let a = b[add_sat(mul_sat(u & 7, 8), v & 7)]", "b[unchecked (u & 7) * 8 + (v & 7)]");
	expect_policy("let a = b[add_sat(mul_sat(u & 7, 8), v & 15)]", "b[checked add_sat(");
	expect_policy("let a = b[add_sat(u, v)]", "b[checked add_sat(u, v)]");
	expect_policy("let a = b[sub_sat(u & 127, 64)]", "b[unchecked sub_sat(");
	expect_policy("let a = b[lane]", "b[unchecked lane]");
	expect_policy("let a = b[lane + 1]", "b[checked lane + 1]");
	expect_policy("g[lane] = 1", "g[unchecked lane] = 1");
	expect_policy("l[u & 7] = 1", "l[unchecked u & 7] = 1");
	expect_policy("l[u] = 1", "l[checked u] = 1");
	expect_policy("atomic_add(b[u & 3], 1)", "atomic_add(b[unchecked u & 3], 1)");
	expect_policy("let a = b[clamp 3]", "b[unchecked 3]");
	expect_policy("let a = b[trap u]", "b[trap u]");
}

static void test_facts(void **state)
{
	(void)state;
	expect_policy("let k = u & 31; let a = b[k + 32]", "b[unchecked k + 32]");
	expect_policy("if u < 64 { let a = b[u] }", "b[unchecked u]");
	expect_policy("if u <= 64 { let a = b[u] }", "b[checked u]");
	expect_policy("if u < 64 { } else { let a = b[u] }", "b[checked u]");
	expect_policy("if 63 >= u && v > 1 { let a = b[u] }", "b[unchecked u]");
	expect_policy("if 63 >= u || v > 1 { let a = b[u] }", "b[checked u]");
	expect_policy("if x < 64 { x = x + 100; let a = b[x] }", "b[checked x]");
	expect_policy("if u < 64 && b[u] > 1 { x = 1 }", "b[unchecked u]");
	expect_policy("if u >= 64 || b[u] > 1 { x = 1 }", "b[unchecked u]");
	expect_policy("if u >= 64 { return }; let a = b[u]", "b[unchecked u]");
	expect_policy("if u < 64 { return }; let a = b[u]", "b[checked u]");
	expect_policy("if u < length(r) { let a = r[u] }", "r[unchecked u]");
	expect_policy("if u <= length(r) { let a = r[u] }", "r[checked u]");
	expect_policy("if u < length(t) { let a = r[u] }", "r[checked u]");
	expect_policy("let n = length(r); for i in 0 .. n { r[i] = i }", "r[unchecked i] = i");
	expect_policy("for i in 0 .. length(r) { r[i + 1] = i }", "r[checked i + 1] = i");
	expect_policy("for i in 0 .. 64 { b[i] = i }", "b[unchecked i] = i");
	expect_policy("for i in 0 .. 65 { b[i] = i }", "b[checked i] = i");
	expect_policy("for i in 60 .. 128 step 2 { b[i - 60] = i }", "b[checked i - 60] = i");
	expect_policy("for i in 60 .. 124 step 2 { b[i - 60] = i }", "b[unchecked i - 60] = i");
	expect_policy("for i in 0 .. v { if i == 64 { break }; b[i] = i }", "b[checked i] = i");
	expect_policy("for i in 0 .. v & 7 { for j in 0 .. 8 { b[i * 8 + j] = 1 } }", "b[unchecked i * 8 + j] = 1");
	expect_policy("let a = l[7 - (lane & 7)]", "l[unchecked");
	expect_policy("if u < 4 { let a = b[u] }; let c = r[u]", "r[checked u]");
}

static const char loops[] = "set loops {\n"
			    "  buffer b: u32[]\n"
			    "  buffer t: u8[]\n"
			    "  op sum = 0x100 (from: u32, to: u32, base: u32) by lane {\n"
			    "    var s: u32 = 0\n"
			    "    for i in from .. min(to, from + 200) { s = s * 31 + b[base + i] + b[i] }\n"
			    "    result(0, s)\n"
			    "  }\n"
			    "  op edges = 0x101 (from: u32, n: u32, base: u32) by lane {\n"
			    "    var s: u32 = 0\n"
			    "    let stop = from + (n & 63)\n"
			    "    for i in from .. stop { s = s * 31 + b[base + i - 1] + t[base - i] + b[base * i] + "
			    "b[i * 3 + 2] + t[(i << 1) + base] }\n"
			    "    for i in from .. stop step 3 { let k = i + base; let j = k + 1; b[j] = b[j] + 1; if "
			    "b[k] == 3 { continue }; b[7 - k] = 1 }\n"
			    "    for i in 0 .. n & 127 { s = s + b[99 - i] + b[base] }\n"
			    "    result(0, s)\n"
			    "  }\n"
			    "  op nested = 0x102 (w: u32, h: u32, x: u32) by lane {\n"
			    "    var s: u32 = 0\n"
			    "    let wide = w & 15\n"
			    "    for y in 0 .. h & 15 {\n"
			    "      s = s + b[y]\n"
			    "      for k in 0 .. wide { s = s * 5 + b[y * wide + k + x]; b[k] = s & 31 }\n"
			    "    }\n"
			    "    result(0, s)\n"
			    "  }\n"
			    "  op moving = 0x103 (n: u32, x: u32) by lane {\n"
			    "    var at: u32 = x\n"
			    "    var other: u32 = 3\n"
			    "    for i in 0 .. n & 31 { b[at + i] = 1; at = at + b[i]; b[b[i] + i] = 2; b[other + i] = "
			    "5; b[i * i + x] = 6; atomic_add(b[i + x], 1) }\n"
			    "    result(0, at)\n"
			    "  }\n"
			    "}\n";

static void test_versions(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	char *text = rig_after(loops, &options, RIG_PASSES(VYREC_PASS_bounds, VYREC_PASS_fold, VYREC_PASS_dce));
	RIG_EXPECT(
	    text, "op sum",
	    "if (u64(base) + u64(from) + u64(span) < u64(length(b))) & (u64(from) + u64(span) < u64(length(b))) {",
	    "b[unchecked base + i", "b[unchecked i", "} else {", "region \"checked\" {",
	    "b[checked base + i] + b[checked i]", "op edges", "(u64(base - last_2) + u64(span_2) < u64(length(t)))",
	    "b[unchecked base + i", "t[unchecked base - i", "b[unchecked base * i", "op nested", "b[checked y]",
	    "b[unchecked y * wide + k", "op moving", "b[checked at + i", "b[checked b[unchecked i", "] = 5",
	    "b[checked i", "] = 6", "atomic_add(b[unchecked i");
}

static void test_meaning(void **state)
{
	static const vyrec_policy policies[] = {VYREC_POLICY_CHECKED, VYREC_POLICY_CLAMP, VYREC_POLICY_TRAP};
	struct vyrec_pass_options options = rig_options();
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		options.bounds = policies[i];
		rig_same(loops, &options, RIG_PASSES(VYREC_PASS_bounds), 1, 150);
		rig_same(loops, &options, RIG_PASSES(VYREC_PASS_COUNT), 1, 150);
	}
}

/* The pass twice is the pass once, and loops where lanes meet stay as they are. */
static void test_once(void **state)
{
	struct vyrec_pass_options options = rig_options();
	struct vyrec_module *m = rig_parse(loops);
	struct vyrec_diags diags = {0};
	(void)state;
	rig_run(m, VYREC_PASS_bounds, &options);
	assert_false(vyrec_pass_bounds(m, &options, &diags));
	vyrec_module_destroy(m);
	RIG_EXPECT(rig_after("set s {\n  buffer b: u32[]\n  op o = 0x100 (n: u32) by workgroup(4) {\n"
			     "    for i in 0 .. n { b[i + lane] = 1; barrier }\n"
			     "    for i in 0 .. n { b[i] = 1; result(0, n) }\n  }\n}\n",
			     &options, RIG_PASSES(VYREC_PASS_bounds)),
		   "b[checked i + lane]", "b[checked i]", "!unchecked");
}

/* The hot loops of the example have no check left in the version that runs. */
static void test_scan(void **state)
{
	static char text[8192];
	struct vyrec_pass_options options = rig_options();
	FILE *file = fopen(VYRE_SOURCE_DIR "/examples/scan/scan.vyre", "r");
	(void)state;
	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = 0;
	fclose(file);
	RIG_EXPECT(rig_after(text, &options, RIG_PASSES(VYREC_PASS_COUNT)), "op count_byte",
		   "if u64(offset) + u64(last", "if text[unchecked offset + i", "} else {", "op crc32",
		   "if u64(offset) + u64(last", "table[unchecked (crc ^ text[unchecked offset + i", "} else {",
		   "table[unchecked");
}

/* A slot goes on in another launch, where a buffer may be shorter; values are its own, lengths are not. */
static void test_a_suspension_ends_what_is_known_of_lengths(void **state)
{
	(void)state;
	expect_policy("if u < length(r) { let a = r[u]; yield }", "r[unchecked u]");
	expect_policy("if u < length(r) { yield; let a = r[u] }", "r[checked u]");
	expect_policy("if u < 64 { yield; let a = b[u] }", "b[unchecked u]");
	expect_policy("let n = length(r); yield; if u < n { let a = r[u] }", "r[checked u]");
	expect_policy("let n = length(r); pause(0); if u < length(r) { let a = r[u] }", "r[unchecked u]");
	expect_policy("if u >= length(r) { return }; join; let a = r[u]", "r[checked u]");
	expect_policy("if u >= length(r) { return }; if w > 3 { requeue(1) }; let a = r[u]", "r[checked u]");
	expect_policy("if u >= length(r) { return } else { load(u, u64(v), w, v) }; let a = r[u]", "r[checked u]");
	expect_policy("if u < length(r) { yield } else { return }; let a = r[u]", "r[checked u]");
	expect_policy("if u < length(r) { yield } else { return }; if u < length(r) { let a = r[u] }",
		      "r[unchecked u]");
	expect_policy("for i in 0 .. length(r) { let a = r[i]; if i == v { yield } }", "r[checked i]");
	expect_policy("if u < length(r) { for i in 0 .. v { let a = r[u]; yield } }", "r[checked u]");
	expect_policy("if u < length(r) { loop { let a = r[u]; if v == w { break }; yield } }", "r[checked u]");
	expect_policy("if u < length(r) { switch v { case 1 { yield } }; let a = r[u] }", "r[checked u]");
	expect_policy("for i in 0 .. v { yield }; for i in 0 .. length(r) { let a = r[i] }", "r[unchecked i]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_proofs),
	    cmocka_unit_test(test_facts),
	    cmocka_unit_test(test_a_suspension_ends_what_is_known_of_lengths),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_meaning),
	    cmocka_unit_test(test_once),
	    cmocka_unit_test(test_scan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
