/* lanes_test.c - N lanes on the interpreter against one lane that runs them all. */
#include "tests/passes/rig.h"

static const char any_width[] =
    "set any {\n"
    "  buffer out: u32[64]\n"
    "  buffer text: u8[]\n"
    "  op count = 0x100 (offset: u32, length: u32, needle: u32) by workgroup {\n"
    "    var n: u32 = 0\n"
    "    for i in lane .. length & 63 step lanes { if text[offset + i] == (needle & 7) { n = n + 1 } }\n"
    "    let total = reduce_add(n)\n"
    "    barrier\n"
    "    if any(n > 3) { reduce_max(n) }\n"
    "    if lane == 0 { out[total & 63] = total }\n"
    "    result(0, total)\n"
    "    result(1, reduce_min(i32(total) - 5))\n"
    "  }\n"
    "}\n";

static const char one_lane[] =
    "set one {\n"
    "  buffer out: u32[64]\n"
    "  fn bump(i: u32) -> u32 { return atomic_add(out[i], 1) }\n"
    "  op words = 0x100 (a: u32, b: u32) by workgroup(1) {\n"
    "    result(0, shuffle(a, b & 1))\n"
    "    result(1, subgroup_broadcast(out[3] + bump(3), bump(4) & 1))\n"
    "    result(2, broadcast(bump(5), bump(5) & 0))\n"
    "    result(3, u32(ballot(a > 5)) + lane + lanes + subgroup_size + subgroup_lane)\n"
    "    barrier\n"
    "    reduce_add(bump(6))\n"
    "  }\n"
    "}\n"
    "program lone workgroup(1) {\n"
    "  buffer count: u32[16]\n"
    "  body {\n"
    "    let w = workgroup_id(0) + 3 * workgroup_id(1)\n"
    "    count[w] = broadcast(atomic_add(count[w + 8], 1), atomic_add(count[w + 8], 2) & 0)\n"
    "  }\n"
    "}\n"
    "program grid workgroup(1, 1, 1) {\n"
    "  buffer seen: u32[16]\n"
    "  body { seen[global_id(0) + 3 * global_id(1) + 6 * local_id(2)] = workgroup_id(0) + "
    "10 * workgroup_id(1) + lanes }\n"
    "}\n";

/* Everything that lanes can do around a meeting point. */
static const char fixed[] =
    "set fixed {\n"
    "  buffer out: u32[512]\n"
    "  buffer data: u32[]\n"
    "  fn bump(i: u32) -> u32 { return atomic_add(out[i], 1) }\n"
    "  op tree = 0x100 (n: u32) by workgroup(64) {\n"
    "    shared s: u32[64]\n"
    "    s[lane] = data[lane + n]\n"
    "    barrier\n"
    "    var stride: u32 = 32\n"
    "    loop {\n"
    "      if stride == 0 { break }\n"
    "      if lane < stride { s[lane] = s[lane] + s[lane + stride] }\n"
    "      barrier\n"
    "      stride = stride >> 1\n"
    "    }\n"
    "    if lane == 0 { out[0] = s[0] }\n"
    "    result(0, broadcast(s[0], 0))\n"
    "  }\n"
    "  op live = 0x101 (n: u32, m: u32) by workgroup(40) {\n"
    "    let mine = data[lane] + n\n"
    "    var v: u32 = mine * 3\n"
    "    var flag: bool = v > 7\n"
    "    var wide: u64 = u64(v) << 33\n"
    "    var part: u32[3]\n"
    "    part[lane % 3] = v\n"
    "    part[m] = 9\n"
    "    barrier\n"
    "    v = v + reduce_add(mine) + part[n] + part[lane % 3] + length(part)\n"
    "    if flag { v = v + u32(wide >> 33) }\n"
    "    let least = reduce_min(v)\n"
    "    let most = reduce_max(i32(v))\n"
    "    var again: u32[2]\n"
    "    again[lane & 1] = most_of(u32(most), v)\n"
    "    out[lane] = v ^ again[0] ^ again[1]\n"
    "    result(0, least)\n"
    "    result(1, most)\n"
    "    result(2, reduce_or(v) ^ reduce_and(v) ^ reduce_xor(v))\n"
    "    result(3, any(flag))\n"
    "    result(4, all(v > 1000))\n"
    "    result(5, broadcast(v, n + 77))\n"
    "  }\n"
    "  fn most_of(a: u32, b: u32) -> u32 { if a > b { return a }; return b }\n"
    "  op groups = 0x102 (n: u32) by workgroup(70) {\n"
    "    let v = data[lane * 7 % 90] + n\n"
    "    out[lane] = subgroup_add(v) + subgroup_size\n"
    "    out[lane + 70] = subgroup_min(v) ^ subgroup_max(v)\n"
    "    out[lane + 140] = shuffle(v, subgroup_lane ^ 1)\n"
    "    out[lane + 210] = shuffle(v, data[lane])\n"
    "    out[lane + 280] = subgroup_broadcast(v, 5)\n"
    "    let bits = ballot((v & 3) == 1)\n"
    "    out[lane + 350] = u32(bits) + u32(bits >> u64(32)) + subgroup_lane\n"
    "    out[lane + 420] = u32(shuffle(v > 100, n))\n"
    "  }\n"
    "  op control = 0x103 (n: u32, m: u32) by workgroup(8) {\n"
    "    var sum: u32 = 0\n"
    "    for t in 0 .. (n & 7) + 1 {\n"
    "      barrier\n"
    "      let x = data[lane + t]\n"
    "      if (t & 1) == 0 {\n"
    "        sum = sum + reduce_add(x)\n"
    "        if (x & 1) == 0 { continue }\n"
    "        sum = sum + 1\n"
    "      }\n"
    "      if (x & 3) == 1 { continue }\n"
    "      sum = sum + x\n"
    "    }\n"
    "    out[lane] = sum\n"
    "    if m > 20 { result(0, 5); return }\n"
    "    barrier\n"
    "    block early {\n"
    "      if (n & 1) == 1 { sum = sum + reduce_max(lane); if lane > 3 { break early }; sum = sum + 50 }\n"
    "      if lane == 2 { break early }\n"
    "      sum = sum + 7\n"
    "    }\n"
    "    switch n & 3 { case 0 { barrier; out[lane + 8] = sum } case 1, 2 { out[lane + 16] = sum } default { sum = "
    "reduce_add(sum) } }\n"
    "    for k in 0 .. lane { if k == 5 { break }; sum = sum + k }\n"
    "    out[lane + 24] = sum\n"
    "    if any(sum > 5) && all(lane < 8) || any(m == 3) { result(1, reduce_add(sum)) }\n"
    "  }\n"
    "  op turns = 0x104 (n: u32) by workgroup(5) {\n"
    "    shared s: u32[5]\n"
    "    var last: u32 = lane\n"
    "    for t in 0 .. 6 {\n"
    "      s[lane] = last + t\n"
    "      barrier\n"
    "      last = s[(lane + 1) % lanes]\n"
    "      if broadcast(last, 2) > 30 { break }\n"
    "      barrier\n"
    "    }\n"
    "    out[lane + 100] = last\n"
    "  }\n"
    "  op plain = 0x105 (n: u32) by workgroup(16) {\n"
    "    if n > 30 { return }\n"
    "    out[lane] = n + lane\n"
    "    var local: u32[4]\n"
    "    for i in 0 .. 4 { local[i] = i * lane }\n"
    "    out[lane + 16] = local[n & 3]\n"
    "    atomic_add(out[32], lane)\n"
    "  }\n"
    "  op leave = 0x108 (n: u32) by workgroup(4) {\n"
    "    out[lane] = n\n"
    "    if n > 20 { return }\n"
    "    barrier\n"
    "    var t: u32 = 0\n"
    "    loop {\n"
    "      barrier\n"
    "      t = t + 1\n"
    "      if any(t > n) { result(1, 3); return }\n"
    "      if t == 100 { continue }\n"
    "      out[lane + 4] = t\n"
    "    }\n"
    "  }\n"
    "  op ahead = 0x109 (n: u32, m: u32) by workgroup(4) {\n"
    "    for i in 0 .. n & 3 {\n"
    "      let same = reduce_or(lane + n)\n"
    "      if (same & 4) == 0 { continue }\n"
    "      if m > 9 { return }\n"
    "    }\n"
    "    out[lane] = m\n"
    "  }\n"
    "  op copies = 0x106 (n: u32) by workgroup(4) {\n"
    "    shared s: u32[32]\n"
    "    async_load(s[lane * 8], data[lane * 8 + n], 8, 3)\n"
    "    async_wait(3)\n"
    "    barrier\n"
    "    async_store(out[lane * 8], s[(lane ^ 1) * 8], 8, 1)\n"
    "    async_wait(1)\n"
    "  }\n"
    "  op copy_edges = 0x107 (to: u32, from: u32, count: u32) by lane {\n"
    "    async_load(out[to * 9], data[from], count & 0xff, 0)\n"
    "    async_wait(0)\n"
    "    async_load(out[clamp to * 9], data[from], count & 0xff, 0)\n"
    "    async_wait(0)\n"
    "  }\n"
    "}\n";

static const char grid[] = "program grid workgroup(4, 3, 2) {\n"
			   "  buffer out: u32[4096]\n"
			   "  buffer n: u32[4]\n"
			   "  shared s: u32[24]\n"
			   "  body {\n"
			   "    let x = global_id(0)\n"
			   "    let y = global_id(1)\n"
			   "    let z = global_id(2)\n"
			   "    let place = x + y * 12 + z * 72\n"
			   "    s[lane] = place * 3 + local_id(0) + 7 * local_id(1) + 31 * local_id(2)\n"
			   "    barrier\n"
			   "    let other = s[23 - lane]\n"
			   "    if (other & 1) == 0 { return }\n"
			   "    out[place] = other + workgroups(0)\n"
			   "    if lane == 3 { return }\n"
			   "    out[place + 200] = other\n"
			   "  }\n"
			   "}\n"
			   "program nested workgroup(6) {\n"
			   "  buffer out: u32[256]\n"
			   "  buffer n: u32[4]\n"
			   "  body {\n"
			   "    let base = workgroup_id(0) * 16 + workgroup_id(1) * 64\n"
			   "    if (workgroup_id(0) & 1) == 0 {\n"
			   "      let sum = reduce_add(lane)\n"
			   "      if lane == 3 { return }\n"
			   "      out[base + lane] = sum\n"
			   "    }\n"
			   "    out[base + 8 + lane] = 1\n"
			   "  }\n"
			   "}\n";

/* Catches in which lanes meet: lane 0 falls, values change after it has, all fall, one stands in another, in a loop. */
static const char falls[] = "program falls workgroup(7) {\n"
			    "  buffer out: u32[4096]\n"
			    "  buffer n: u32[4]\n"
			    "  shared s: u32[7]\n"
			    "  body {\n"
			    "    let base = (workgroup_id(0) + workgroup_id(1) * 16 + workgroup_id(2) * 64) * 32\n"
			    "    var mine: u32 = lane * 3\n"
			    "    for turn in 0 .. 3 {\n"
			    "      catch(code, detail) {\n"
			    "        if lane == turn { trap(lane + 1000) }\n"
			    "        s[lane] = mine\n"
			    "        barrier\n"
			    "        var round: u32 = 0\n"
			    "        loop {\n"
			    "          round = round + 1\n"
			    "          if round > 4 { break }\n"
			    "          catch(c, d) {\n"
			    "            if lane == round { trap(s[(lane + 1) % 7]) }\n"
			    "            let sum = reduce_add(mine + round)\n"
			    "            if sum % 5 == 3 { barrier; mine = mine + subgroup_max(lane) }\n"
			    "            mine = mine + shuffle(sum, lane + 1) + u32(ballot(lane % 2 == 0))\n"
			    "            if lane == 5 { continue_here(base + lane) }\n"
			    "          }\n"
			    "          mine = mine + d * 2\n"
			    "          if reduce_max(mine) > 900 + turn && lane > 4 { trap(mine) }\n"
			    "        }\n"
			    "        if round == 5 { trap(reduce_add(1)) }\n"
			    "        out[base + 20] = 1\n"
			    "      }\n"
			    "      mine = mine + code + detail\n"
			    "    }\n"
			    "    out[base + lane] = mine\n"
			    "  }\n"
			    "  fn continue_here(at: u32) { out[at + 10] = at }\n"
			    "}\n";

static void test_any_width(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	for (unsigned lanes = 1; lanes <= 64; lanes = lanes * 2 + 1)
		rig_same(any_width, &options, RIG_PASSES(VYREC_PASS_lanes), lanes, 8);
	RIG_EXPECT(rig_after(any_width, &options, RIG_PASSES(VYREC_PASS_lanes, VYREC_PASS_fold)), "by lane {",
		   "for i in 0 .. length & 63 {", "let total = n", "!barrier", "!lanes", "!reduce", "!any(");
}

static void test_one_lane(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	rig_same(one_lane, &options, RIG_PASSES(VYREC_PASS_inline, VYREC_PASS_lanes), 1, 30);
	rig_same(one_lane, &options, RIG_PASSES(VYREC_PASS_COUNT), 1, 30);
}

static void test_fixed(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	rig_same(fixed, &options, RIG_PASSES(VYREC_PASS_inline, VYREC_PASS_lanes), 0, 30);
	rig_same(fixed, &options, RIG_PASSES(VYREC_PASS_COUNT), 0, 30);
	options.bounds = VYREC_POLICY_CLAMP;
	rig_same(fixed, &options, RIG_PASSES(VYREC_PASS_COUNT), 0, 10);
}

static void test_grid(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	rig_same(grid, &options, RIG_PASSES(VYREC_PASS_lanes), 0, 12);
	rig_same(grid, &options, RIG_PASSES(VYREC_PASS_COUNT), 0, 12);
}

static void test_falls(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	rig_same(falls, &options, RIG_PASSES(VYREC_PASS_inline, VYREC_PASS_lanes), 0, 12);
	rig_same(falls, &options, RIG_PASSES(VYREC_PASS_COUNT), 0, 12);
	RIG_EXPECT(rig_after(falls, &options, RIG_PASSES(VYREC_PASS_COUNT)), "!barrier", "!reduce_", "!shuffle(");
}

static void test_nothing_left(void **state)
{
	struct vyrec_pass_options options = rig_options();
	static const char *const texts[] = {any_width, one_lane, fixed, grid};
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		RIG_EXPECT(rig_after(texts[i], &options, RIG_PASSES(VYREC_PASS_COUNT)), "!barrier", "!reduce_",
			   "!shuffle(", "!ballot", "!by workgroup", "!local_id", "!global_id", "!async_",
			   "!subgroup_size", "! lanes");
}

/* A value that stays in its region stays a scalar; a uniform one is computed once, in front. */
static void test_scalars(void **state)
{
	struct vyrec_pass_options options = rig_options();
	(void)state;
	RIG_EXPECT(rig_after("set s {\n  buffer b: u32[]\n  op o = 0x100 (n: u32) by workgroup(16) {\n"
			     "    let base = n * 16\n    let mine = b[base + lane]\n    let kept = b[lane]\n"
			     "    let sum = reduce_add(mine)\n    b[base + lane] = sum + kept\n  }\n}\n",
			     &options, RIG_PASSES(VYREC_PASS_lanes)),
		   "var kept_2: u32[16]", "let base = n * 16", "var gathered: u32 = 0", "for lane_index in 0 .. 16 {",
		   "let mine = b[base + lane_index]", "kept_2[unchecked lane_index] = b[lane_index]",
		   "gathered = gathered + mine", "}", "for lane_index_2 in 0 .. 16 {", "!var mine");
}

static void test_limit(void **state)
{
	const char *text = "set s {\n  buffer b: u32[]\n  op big = 0x100 () by workgroup(256) {\n"
			   "    var a: u32[64]\n    a[lane & 63] = 1\n    barrier\n    b[lane] = a[3]\n  }\n}\n";
	struct vyrec_pass_options options = rig_options();
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = rig_parse(text);
	(void)state;
	assert_false(vyrec_run_pass(m, VYREC_PASS_lanes, &options, &diags));
	assert_non_null(strstr(diags.items[0].message, "op `big`: `a` lives across a barrier"));
	assert_non_null(strstr(diags.items[0].message, "64 * 256 = 16384"));
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_any_width), cmocka_unit_test(test_one_lane),	   cmocka_unit_test(test_fixed),
	    cmocka_unit_test(test_grid),      cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_scalars),
	    cmocka_unit_test(test_limit),     cmocka_unit_test(test_falls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
