/* dce_test.c - what nobody needs goes, what has an effect stays. */
#include "tests/passes/rig.h"

static const char dead[] = "set t {\n"
			   "  buffer b: u32[]\n"
			   "  op o = 0x100 (u: u32, v: u32) by lane {\n"
			   "    let unused = b[u] + 1\n"
			   "    let chain = unused * 2\n"
			   "    var never: u32 = 3\n"
			   "    never = b[7]\n"
			   "    var scratch: u32[8]\n"
			   "    scratch[u] = v\n"
			   "    let ticket = atomic_add(b[20], 1)\n"
			   "    var last: u32 = 0\n"
			   "    last = atomic_add(b[21], 1)\n"
			   "    let may_trap = b[trap 5]\n"
			   "    if b[3] > 1 { }\n"
			   "    if v > 2 { } else { b[22] = 1 }\n"
			   "    for i in 0 .. u & 63 { let dead_too = i }\n"
			   "    switch v { case 1 { } default { } }\n"
			   "    block { b[23] = 2 }\n"
			   "    block end { if u > 3 { break end }; b[24] = 3; break end }\n"
			   "    block alone { b[25] = 4; break alone }\n"
			   "    region \"empty\" { }\n"
			   "    fence(acqrel)\n"
			   "    loop { if v > 9 { b[26] = 5; return }; break }\n"
			   "    result(0, 1)\n"
			   "  }\n"
			   "}\n";

static void test_text(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	RIG_EXPECT(rig_after(dead, &options, RIG_PASSES(VYREC_PASS_dce)), "atomic_add(b[20], 1)",
		   "atomic_add(b[21], 1)", "let may_trap = b[trap 5]", "if !(v > 2) {", "b[22] = 1", "b[23] = 2",
		   "block end {", "b[24] = 3", "b[25] = 4", "fence(acqrel)", "loop {", "return", "result(0, 1)",
		   "!unused", "!chain", "!never", "!scratch", "!ticket", "!last", "!dead_too", "!switch", "!alone",
		   "!region", "!b[3]", "!b[7]");
}

static void test_meaning(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	rig_same(dead, &options, RIG_PASSES(VYREC_PASS_dce), 1, 20);
	rig_same(dead, &options, RIG_PASSES(VYREC_PASS_fold, VYREC_PASS_dce, VYREC_PASS_fold, VYREC_PASS_dce), 1, 20);
}

/* With the policy trap every access without a policy of its own is an effect. */
static void test_trap(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	options.bounds = VYREC_POLICY_TRAP;
	RIG_EXPECT(rig_after(dead, &options, RIG_PASSES(VYREC_PASS_dce)), "let unused = b[u] + 1", "scratch[u] = v",
		   "if b[3] > 1 {");
	rig_same(dead, &options, RIG_PASSES(VYREC_PASS_dce), 1, 20);
}

/* Two blocks may declare one name; only a name of its own may leave its block. */
static void test_names(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	RIG_EXPECT(rig_after("set t {\n  buffer b: u32[]\n  op o = 0x100 (u: u32) by lane {\n"
			     "    block { let x = b[1]; b[x] = x }\n    block { let x = b[2]; b[x] = x }\n"
			     "    block { let y = b[3]; b[y] = y }\n  }\n}\n",
			     &options, RIG_PASSES(VYREC_PASS_dce)),
		   "block {", "let x = b[1]", "}", "block {", "let x = b[2]", "}", "let y = b[3]", "b[y] = y");
}

/* The declaration goes with what is not reached in the region; so must its use behind the region. */
static void test_region_that_ends(void **state)
{
	struct vyrec_pass_options options = rig_options();
	static const char text[] = "set t {\n  buffer b: u32[]\n  op o = 0x100 (u: u32) by lane {\n    b[0] = u\n"
				   "    region \"r\" { region \"s\" { if true { return }; let x = b[1] } }\n"
				   "    b[2] = x\n  }\n}\n";
	(void)state;
	RIG_EXPECT(rig_after(text, &options, RIG_PASSES(VYREC_PASS_fold, VYREC_PASS_dce)), "b[0] = u", "return",
		   "!b[1]", "!b[2]");
	rig_same(text, &options, RIG_PASSES(VYREC_PASS_fold, VYREC_PASS_dce), 1, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),  cmocka_unit_test(test_meaning),	   cmocka_unit_test(test_trap),
	    cmocka_unit_test(test_names), cmocka_unit_test(test_region_that_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
