/* interp_test.c - programs in the interpreter: control flow, bounds, meetings, traps, copies, dispatches.
 * Values of operations are eval_test.c's matter, races race_test.c's, slots interp_slots_test.c's; the conformance corpus
 * covers the language. */
#include "interp_rig.h"

enum { SEEDS = 8 };

/* Runs a program on one buffer `out` of 64 u32 under a seed. */
static void run_out(const char *text, uint64_t seed, uint32_t workgroups, uint32_t *out,
		    struct vyrec_interp_result *result)
{
	struct rig rig = rig_parse(text);
	memset(out, 0, 64 * sizeof *out);
	rig.options.seed = seed;
	rig_buffer(&rig, "out", out, 64);
	rig_program(&rig, workgroups);
	*result = rig.result;
	rig_close(&rig);
}

/* The first n values of `out` under every seed. */
static void expect(const char *text, uint32_t workgroups, uint32_t n, const uint32_t *want)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		uint32_t out[64];
		struct vyrec_interp_result result;
		run_out(text, seed, workgroups, out, &result);
		if (result.status != VYRE_OK)
			fail_msg("status %d: %s", (int)result.status, result.message);
		for (uint32_t k = 0; k < n; k++)
			if (out[k] != want[k])
				fail_msg("seed %u: out[%u] is %u, not %u", (unsigned)seed, k, out[k], want[k]);
		assert_int_equal(result.race_count, 0);
	}
}
#define EXPECT(text, workgroups, ...) \
	expect(text, workgroups, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__})
#define PROGRAM(lanes, body) "program p workgroup(" #lanes ") {\n buffer out : u32[]\n body {\n" body "\n}\n}\n"

/* ---- control flow ----------------------------------------------------------------------------------------- */

static void loops(void **state)
{
	(void)state;
	EXPECT(PROGRAM(1, "var n: u32 = 0\n for i in 3 .. 8 { n = n * 10 + i }\n out[0] = n"), 1, 34567);
	EXPECT(PROGRAM(1, "var n: u32 = 0\n for i in 8 .. 3 { n = n + 1 }\n out[0] = n"), 1, 0);
	EXPECT(PROGRAM(1, "var n: u32 = 0\n for i in 0 .. 10 step 4 { n = n * 10 + i }\n out[0] = n"), 1, 48);
	/* to the last value: the counter would wrap */
	EXPECT(PROGRAM(1, "var n: u32 = 0\n for i in 0xfffffffd .. 0xffffffff { n = n + 1 }\n out[0] = n"), 1, 2);
	EXPECT(PROGRAM(1, "var n: u32 = 0\n for i in 0xfffffff0 .. 0xffffffff step 7 { n = n + 1 }\n out[0] = n"), 1,
	       3);
	EXPECT(PROGRAM(1,
		       "var n: u32 = 0\n for i in i32(-2147483648) .. i32(2147483647) step 2000000000 { n = n + 1 }\n"
		       " out[0] = n"),
	       1, 3);
	/* bounds are read once */
	EXPECT(PROGRAM(1, "var end: u32 = 4\n var from: u32 = 1\n var n: u32 = 0\n"
			  " for i in from .. end {\n end = 100\n from = 50\n n = n * 10 + i\n }\n out[0] = n"),
	       1, 123);
	EXPECT(PROGRAM(1, "var n: u32 = 0\n for i in 0 .. 10 {\n if i % 2 == 0 { continue }\n if i > 6 { break }\n"
			  " n = n * 10 + i\n }\n out[0] = n"),
	       1, 135);
	EXPECT(PROGRAM(1, "var n: u32 = 0\n loop {\n n = n + 1\n if n < 5 { continue }\n break\n }\n out[0] = n"), 1,
	       5);
}

static void blocks(void **state)
{
	(void)state;
	EXPECT(
	    PROGRAM(
		1,
		"block found {\n for i in 0 .. 9 {\n for k in 0 .. 9 {\n if i * k == 42 {\n out[0] = i\n out[1] = k\n"
		" break found\n }\n }\n }\n out[2] = 1\n }\n out[3] = 2"),
	    1, 6, 7, 0, 2);
	EXPECT(PROGRAM(1, "region \"all\" {\n let x = 5\n var y: u32 = 6\n }\n y = y + x\n out[0] = y"), 1, 11);
	EXPECT(PROGRAM(1, "for i in 0 .. 6 {\n switch i {\n case 1, 3 { out[i] = 10 }\n case 4 { out[i] = 20 }\n"
			  " default { out[i] = 30 }\n }\n }"),
	       1, 30, 10, 30, 10, 20, 30);
	EXPECT(
	    PROGRAM(1, "for i in 0 .. 3 {\n switch i {\n case 1 { continue }\n case 2 { break }\n }\n out[i] = 1\n }"),
	    1, 1, 0, 0);
}

static void values(void **state)
{
	(void)state;
	/* a let keeps the value that the var had */
	EXPECT(PROGRAM(1, "var v: u32 = 1\n let old = v\n v = v + 10\n out[0] = old\n out[1] = v"), 1, 1, 11);
	EXPECT(PROGRAM(1, "var b: bool = true\n b = false && b\n if !b { out[0] = 1 }\n b = b || out[0] == 1\n"
			  " out[1] = u32(b)"),
	       1, 1, 1);
	/* && and || evaluate their right side only if it decides */
	EXPECT(PROGRAM(1, "if false && atomic_add(out[0], 1) == 0 { out[9] = 1 }\n if true || atomic_add(out[0], 1) == "
			  "0 { out[1] = 1 }"
			  "\n if true && atomic_add(out[2], 1) == 0 { out[3] = 1 }"),
	       1, 0, 1, 1, 1);
	/* a var is zeroed each time where it stands, an array too */
	EXPECT(PROGRAM(1, "for i in 0 .. 3 {\n var n: u32\n var a: u16[4]\n n = n + 1\n a[1] = a[1] + 65536 + 2\n"
			  " out[i] = n * 10 + a[1]\n }"),
	       1, 12, 12, 12);
}

static void functions(void **state)
{
	(void)state;
	EXPECT("program p workgroup(1) {\n buffer out : u32[]\n"
	       " fn twice(x: u32) -> u32 { return add(x, x) }\n"
	       " fn add(a: u32, b: u32) -> u32 { return a + b }\n"
	       " fn side(x: i32) -> u32 {\n if x < 0 { return 1 }\n for i in 0 .. 4 { if i == u32(x) { return 10 + i } "
	       "}\n return 2\n }\n"
	       " fn put(at: u32, v: u32) { out[at] = v }\n"
	       " body {\n put(0, twice(twice(add(1, twice(2)))))\n put(1, add(twice(3), twice(4)))\n"
	       " put(2, side(-5))\n put(3, side(3))\n put(4, side(9))\n put(5, add(add(1, 2), add(add(3, 4), 5)))\n "
	       "}\n}\n",
	       1, 20, 14, 1, 13, 2, 15);
}

/* ---- bounds ----------------------------------------------------------------------------------------------- */

static void bounds(void **state)
{
	(void)state;
	EXPECT(PROGRAM(
		   1, "out[0] = out[64] + 1\n out[64] = 7\n out[0xffffffff] = 7\n out[1] = atomic_add(out[64], 5) + 2"),
	       1, 1, 2);
	EXPECT(PROGRAM(1, "out[63] = 5\n out[0] = out[clamp 1000]\n out[clamp 4000000000] = 9\n out[1] = out[63]"), 1,
	       5, 9);
	EXPECT(PROGRAM(1, "out[0] = length(out)"), 1, 64);
	uint32_t out[64];
	struct vyrec_interp_result result;
	run_out(PROGRAM(1, "out[0] = 1\n out[trap 64] = 1\n out[1] = 1"), 0, 1, out, &result);
	assert_int_equal(result.status, VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_OUT_OF_RANGE);
	assert_int_equal(result.fault_detail, 64);
	assert_int_equal(out[0], 1);
	assert_int_equal(out[1], 0);
	run_out(PROGRAM(1, "out[0] = out[unchecked 64]"), 0, 1, out, &result);
	assert_int_equal(result.status, VYRE_INVALID);
	assert_non_null(strstr(result.message, "undefined access"));
	assert_non_null(strstr(result.message, "test.vyre:4:"));
	run_out(PROGRAM(1, "out[0] = out[unchecked 63]"), 0, 1, out, &result);
	assert_int_equal(result.status, VYRE_OK);

	/* the policy of accesses that name none */
	struct rig rig = rig_parse(PROGRAM(1, "out[0] = out[70]\n var a: u32[2]\n a[9] = 1"));
	rig_buffer(&rig, "out", out, 64);
	rig.options.bounds = VYREC_POLICY_TRAP;
	rig_program(&rig, 1);
	assert_int_equal(rig.result.status, VYRE_FAULT);
	assert_int_equal(rig.result.fault_detail, 70);
	rig.options.bounds = VYREC_POLICY_CLAMP;
	out[63] = 33;
	rig_program(&rig, 1);
	ASSERT_OK(rig);
	assert_int_equal(out[0], 33);
	rig.buffer_count = 0; /* a buffer that is not there is empty */
	rig_program(&rig, 1);
	ASSERT_OK(rig);
	rig_close(&rig);

	rig = rig_parse("program p workgroup(1) {\n buffer out : u32[65]\n body { out[0] = 1 }\n}\n");
	rig_buffer(&rig, "out", out, 64);
	rig_program(&rig, 1);
	ASSERT_MESSAGE(rig, VYRE_INVALID, "64 elements");
	rig_close(&rig);
}

/* ---- meetings --------------------------------------------------------------------------------------------- */

static void barriers(void **state)
{
	(void)state;
	EXPECT("program p workgroup(8) {\n buffer out : u32[]\n shared t : u32[8]\n body {\n"
	       " t[lane] = lane + 1\n var s: u32 = 1\n for k in 0 .. 3 {\n barrier\n var v: u32 = 0\n"
	       " if lane >= s { v = t[lane - s] }\n barrier\n t[lane] = t[lane] + v\n s = s * 2\n }\n"
	       " out[lane] = t[lane]\n }\n}\n",
	       1, 1, 3, 6, 10, 15, 21, 28, 36);
	/* lanes that ended are not waited for */
	struct rig rig = rig_parse_unverified(PROGRAM(4, "if lane == 2 { return }\n barrier\n out[lane] = 1"));
	uint32_t out[64] = {0};
	rig_buffer(&rig, "out", out, 64);
	rig_program(&rig, 1);
	ASSERT_OK(rig);
	assert_int_equal(out[3], 1);
	assert_int_equal(out[2], 0);
	rig_close(&rig);
	/* all workgroups */
	EXPECT(
	    PROGRAM(
		2,
		"out[8 + workgroup_id(0) * 2 + lane] = lane + 1\n barrier(device)\n if lane == 0 {\n var n: u32 = 0\n"
		" for i in 8 .. 14 { n = n + out[i] }\n out[workgroup_id(0)] = n\n }"),
	    3, 9, 9, 9);
}

static void deadlocks(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    PROGRAM(4, "if lane == 2 { barrier }\n else {\n let n = reduce_add(1)\n out[lane] = n\n }"),
	    PROGRAM(4, "if lane < 2 {\n barrier\n } else {\n barrier\n }"),
	    PROGRAM(4, "if lane < 2 {\n barrier\n } else {\n barrier(device)\n }"),
	};
	for (unsigned k = 0; k < sizeof texts / sizeof *texts; k++)
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			struct rig rig = rig_parse_unverified(texts[k]);
			uint32_t out[64] = {0};
			rig.options.seed = seed;
			rig_buffer(&rig, "out", out, 64);
			rig_program(&rig, 1);
			ASSERT_MESSAGE(rig, VYRE_INVALID, "deadlock");
			ASSERT_MESSAGE(rig, VYRE_INVALID, "test.vyre:");
			rig_close(&rig);
		}
	struct rig rig = rig_parse_unverified(
	    PROGRAM(1, "if workgroup_id(0) == 0 {\n barrier(device)\n } else {\n barrier(device)\n }"));
	rig_program(&rig, 2);
	ASSERT_MESSAGE(rig, VYRE_INVALID, "deadlock");
	rig_close(&rig);
	/* a loop that nobody ends */
	rig = rig_parse(PROGRAM(2, "loop {\n if atomic_load(out[0]) == 1 { break }\n relax\n }"));
	uint32_t out[64] = {0};
	rig_buffer(&rig, "out", out, 64);
	rig.options.step_limit = 10000;
	rig_program(&rig, 1);
	assert_int_equal(rig.result.status, VYRE_TIMEOUT);
	assert_true(rig.result.steps >= 10000 && rig.result.steps < 11000);
	rig_close(&rig);
}

static void collectives(void **state)
{
	(void)state;
	EXPECT(PROGRAM(6,
		       "let a = reduce_add(lane + 1)\n let b = reduce_min(lane + 3)\n let c = reduce_max(lane + 3)\n"
		       " let d = reduce_and(lane | 8)\n let e = reduce_or(1 << lane)\n let f = reduce_xor(lane + 1)\n"
		       " let g = any(lane == 4)\n let h = all(lane != 4)\n let i = broadcast(lane * 3, 10)\n"
		       " if lane == 5 {\n out[0] = a\n out[1] = b\n out[2] = c\n out[3] = d\n out[4] = e\n out[5] = f\n"
		       " out[6] = u32(g)\n out[7] = u32(h)\n out[8] = i\n }"),
	       1, 21, 3, 8, 8, 63, 7, 1, 0, 12);
	EXPECT(PROGRAM(4, "let x = reduce_min(i32(lane) - 2)\n let y = reduce_max(f32(lane) * -0.5)\n"
			  " if lane == 0 {\n out[0] = u32(x)\n out[1] = bitcast_u32(y)\n }"),
	       1, 0xfffffffe, 0x80000000);
}

static void subgroups(void **state)
{
	(void)state;
	static const char text[] = PROGRAM(
	    10, "let a = subgroup_add(lane)\n let b = subgroup_min(lane)\n let c = subgroup_max(lane)\n"
		" let d = subgroup_broadcast(lane, 1)\n let e = shuffle(lane, subgroup_size - 1 - subgroup_lane)\n"
		" let f = ballot(lane % 2 == 0)\n"
		" out[lane] = a * 10000 + b * 1000 + c * 100 + d * 10 + e\n if lane == 0 { out[20] = u32(f) }\n"
		" if lane == 9 { out[21] = u32(f) }\n out[22] = subgroup_size");
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig rig = rig_parse(text);
		uint32_t out[64] = {0};
		rig.options.seed = seed;
		rig.options.subgroup = 4;
		rig.options.detect_races = false;
		rig_buffer(&rig, "out", out, 64);
		rig_program(&rig, 1);
		ASSERT_OK(rig);
		/* lanes 0..3, 4..7, 8..9; shuffle from a lane that is not there gives 0 */
		static const uint32_t want[10] = {60313,  60312,  60311,  60310,  224757,
						  224756, 224755, 224754, 178990, 178990};
		for (int k = 0; k < 10; k++)
			assert_int_equal(out[k], want[k]);
		assert_int_equal(out[20], 5);
		assert_int_equal(out[21], 1);
		assert_int_equal(out[22], 4);
		rig_close(&rig);
	}
}

static void ids(void **state)
{
	(void)state;
	struct rig rig = rig_parse(
	    "program p workgroup(2, 3, 2) {\n buffer out : u32[]\n body {\n"
	    " let g = global_id(0) + 4 * (global_id(1) + 6 * global_id(2))\n"
	    " out[g] = local_id(0) + 10 * local_id(1) + 100 * local_id(2) + 1000 * workgroup_id(0)"
	    " + 10000 * workgroup_id(1) + 100000 * workgroup_id(2) + 1000000 * lane\n"
	    " if g == 0 { out[99] = workgroups(0) + 10 * workgroups(1) + 100 * workgroups(2) + 1000 * lanes }\n"
	    " }\n}\n");
	uint32_t out[100] = {0};
	const uint32_t counts[3] = {2, 2, 2};
	rig_buffer(&rig, "out", out, 100);
	vyrec_interp_program(rig.module, 1, counts, rig.buffers, 1, &rig.options, &rig.result);
	ASSERT_OK(rig);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[99], 12222);
	assert_int_equal(out[95], 11111121); /* local 1 2 1, workgroup 1 1 1, lane 11 */
	assert_int_equal(rig.result.race_count, 0);
	rig_close(&rig);
}

/* ---- traps, logs, extensions ------------------------------------------------------------------------------ */

static void traps(void **state)
{
	(void)state;
	uint32_t out[64];
	struct vyrec_interp_result result;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		run_out(PROGRAM(4, "if lane == 3 { trap(77) }"), seed, 2, out, &result);
		assert_int_equal(result.status, VYRE_FAULT);
		assert_int_equal(result.fault_code, VYRE_FAULT_TRAP);
		assert_int_equal(result.fault_detail, 77);
	}
	EXPECT(PROGRAM(2, "catch(code, detail) {\n if lane == 1 { trap(9) }\n out[0] = 1\n }\n"
			  " if lane == 1 {\n out[1] = code\n out[2] = detail\n } else {\n out[3] = code + 50\n }"),
	       1, 1, 5, 9, 50);
	/* an index under policy trap, through a fn, out of two loops; the handler outside is in force again */
	EXPECT("program p workgroup(1) {\n buffer out : u32[]\n fn f(i: u32) -> u32 { return out[trap i] }\n body {\n"
	       " catch(a, b) {\n catch(c, d) {\n for i in 0 .. 3 { loop { out[1] = f(100 + i) } }\n }\n"
	       " out[0] = c * 1000 + d\n trap(c + 1)\n }\n out[2] = a * 1000 + b\n }\n}\n",
	       1, 4100, 0, 5005);
	/* a variable that a trap was to change has not changed */
	EXPECT(PROGRAM(1,
		       "var x: u32 = 7\n catch(a, b) { x = out[trap 99] }\n var y: u32 = 8\n"
		       " catch(c, d) { y = atomic_add(out[trap 98], 1) }\n out[0] = x\n out[1] = y\n out[2] = b + d"),
	       1, 7, 8, 197);
	/* leaving a catch by break, continue or return ends it */
	run_out("program p workgroup(1) {\n buffer out : u32[]\n fn f(x: u32) -> u32 {\n catch(a, b) {\n if x == 1 { "
		"return 5 }\n"
		" trap(x)\n }\n return b + 100\n }\n body {\n out[0] = f(2)\n out[1] = f(1)\n trap(4)\n }\n}\n",
		0, 1, out, &result);
	assert_int_equal(result.status, VYRE_FAULT);
	assert_int_equal(result.fault_detail, 4);
	assert_int_equal(out[0], 102);
	assert_int_equal(out[1], 5);
	run_out(
	    PROGRAM(
		1, "for i in 0 .. 3 {\n catch(a, b) {\n if i == 0 { continue }\n break\n }\n }\n out[0] = 1\n trap(3)"),
	    0, 1, out, &result);
	assert_int_equal(result.status, VYRE_FAULT);
	assert_int_equal(result.fault_detail, 3);
	assert_int_equal(out[0], 1);
}

/* A lane that falls in a catch waits at its end, and the others meet without it. */
static void fallen_lanes(void **state)
{
	(void)state;
	/* barriers, reductions and broadcasts; all are together again behind it */
	EXPECT(PROGRAM(6, "catch(code, detail) {\n if lane % 2 == 1 { trap(lane) }\n barrier\n"
			  " let sum = reduce_add(lane + 1)\n let least = reduce_min(lane * 7 + 9)\n"
			  " let absent = broadcast(lane + 50, 1)\n let present = broadcast(lane + 50, 4)\n"
			  " let some = any(lane == 3)\n let every = all(lane % 2 == 0)\n"
			  " if lane == 4 {\n out[4] = u32(some)\n out[5] = u32(every)\n trap(90)\n }\n"
			  " let most = reduce_max(lane)\n if lane == 2 {\n out[0] = sum\n out[1] = least\n"
			  " out[2] = absent\n out[3] = present\n out[6] = most\n }\n }\n"
			  " let codes = reduce_add(code * 1000 + detail)\n if lane == 3 { out[7] = codes }\n"),
	       1, 9, 9, 0, 54, 0, 1, 2, 20099);
	EXPECT(PROGRAM(4, "catch(code, detail) {\n if lane == 0 { trap(1) }\n let a = subgroup_add(lane)\n"
			  " let b = ballot(lane != 2)\n let c = shuffle(lane + 10, subgroup_lane - 1)\n"
			  " let d = subgroup_broadcast(lane + 10, 0)\n"
			  " if lane == 1 {\n out[0] = a\n out[1] = u32(b)\n out[2] = c\n out[3] = d\n }\n"
			  " if lane == 2 { out[4] = c }\n }"),
	       1, 6, 10, 0, 0, 11);
	/* every lane falls, at different places */
	EXPECT(PROGRAM(4, "catch(code, detail) {\n for i in 0 .. 9 {\n let n = reduce_add(1)\n"
			  " if lane == i { trap(n) }\n }\n out[9] = 1\n }\n out[lane] = detail\n"),
	       1, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0);
	/* those at the inner end go on inside the outer one, without those at its end */
	EXPECT(PROGRAM(4, "catch(a, b) {\n if lane == 3 { trap(70) }\n barrier\n catch(c, d) {\n"
			  " if lane == 0 { trap(80) }\n let x = reduce_add(lane)\n if lane == 2 { out[4] = x }\n }\n"
			  " let y = reduce_add(lane + 10)\n if lane == 0 { out[5] = y }\n out[lane] = d\n }\n"
			  " let z = reduce_add(lane + 100)\n if lane == 3 { out[6] = z + b }\n barrier\n"
			  " out[lane] = out[lane] + b"),
	       1, 80, 0, 0, 70, 3, 33, 476);
	EXPECT(PROGRAM(3, "catch(a, b) {\n if lane == 0 { trap(7) }\n catch(c, d) {\n barrier\n trap(lane + 20)\n }\n"
			  " let n = reduce_add(1)\n if lane == 1 { out[5] = n }\n trap(d + 10)\n }\n let all_here = "
			  "reduce_add(1)\n out[lane] = b + all_here * 100\n"),
	       1, 307, 331, 332, 0, 0, 2);
	/* in a fn; the lanes of one catch in a loop, turn by turn */
	EXPECT("program p workgroup(3) {\n buffer out : u32[]\n fn f(x: u32) -> u32 {\n catch(a, b) {\n"
	       " let n = reduce_add(x)\n if lane == x { trap(n) }\n barrier\n }\n return b }\n body {\n"
	       " for t in 0 .. 3 {\n let got = f(t)\n if lane == t { out[t] = got + 1 }\n }\n }\n}\n",
	       1, 1, 4, 7);
	/* where lanes do not meet in it, nobody waits: lane 1 alone runs the catch */
	EXPECT(PROGRAM(2, "if lane == 1 {\n catch(a, b) { trap(5) }\n out[0] = b\n }\n barrier\n out[2 + lane] = 3"), 1,
	       5, 0, 3, 3);
}

/* The end of such a catch orders memory like a barrier; a barrier inside does not order what the fallen have done. */
static void fallen_lanes_race(void **state)
{
	static const char text[] = PROGRAM(2, "catch(code, detail) {\n if lane == 1 {\n out[0] = 5\n trap(1)\n }\n"
					      " barrier\n %s }\n if lane == 0 { out[2] = out[0] }\n");
	char source[512];
	(void)state;
	for (unsigned inside = 0; inside < 2; inside++)
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			uint32_t out[8] = {0};
			snprintf(source, sizeof source, text, inside ? "out[1] = out[0]\n" : "");
			struct rig rig = rig_parse(source);
			rig.options.seed = seed;
			rig_buffer(&rig, "out", out, 8);
			rig_program(&rig, 1);
			ASSERT_OK(rig);
			assert_int_equal(out[2], 5);
			assert_int_equal(rig.result.race_count != 0, inside);
			rig_close(&rig);
		}
}

static void logs(void **state)
{
	(void)state;
	uint32_t out[64];
	struct vyrec_interp_result result;
	run_out(PROGRAM(1, "for i in 0 .. 70 { log(7, \"at %u\", i, i * 2) }"), 0, 1, out, &result);
	assert_int_equal(result.log_count, 70);
	assert_int_equal(result.logs[63][0], 7);
	assert_int_equal(result.logs[63][1], 63);
	assert_int_equal(result.logs[63][2], 126);
	run_out(PROGRAM(1, "opaque \"vendor.thing\" \"00ff\""), 0, 1, out, &result);
	assert_int_equal(result.status, VYRE_UNSUPPORTED);
	assert_non_null(strstr(result.message, "vendor.thing"));
}

/* ---- copies and dispatches -------------------------------------------------------------------------------- */

static void copies(void **state)
{
	(void)state;
	EXPECT("program p workgroup(1) {\n buffer out : u32[]\n shared t : u32[8]\n body {\n"
	       " for i in 0 .. 8 { out[8 + i] = i * i }\n async_load(t[0], out[8], 8, 3)\n var a: u32[4]\n"
	       " async_load(a[0], out[10], 4, 4)\n async_wait(3)\n async_wait(4)\n"
	       " t[0] = a[3]\n async_store(out[0], t[0], 100, 5)\n async_wait(5)\n }\n}\n",
	       1, 25, 1, 4, 9, 16, 25, 36, 49, 0, 0); /* past its end the source gives zeros */
	uint32_t out[64];
	struct vyrec_interp_result result;
	static const char unwaited[] = "program p workgroup(1) {\n buffer out : u32[]\n shared t : u32[8]\n body {\n"
				       " async_load(t[0], out[8], 8, 3)\n }\n}\n";
	struct rig rig = rig_parse_unverified(unwaited);
	rig_buffer(&rig, "out", out, 64);
	rig_program(&rig, 1);
	ASSERT_MESSAGE(rig, VYRE_INVALID, "async_wait(3)");
	rig_close(&rig);
	run_out("program p workgroup(1) {\n buffer out : u32[]\n shared t : u32[8]\n body {\n"
		" async_load(t[trap 0], out[60], 8, 3)\n async_wait(3)\n }\n}\n",
		0, 1, out, &result);
	assert_int_equal(result.status, VYRE_FAULT);
	assert_int_equal(result.fault_detail, 64);
}

/* A copy may move its payload any time before the wait: who changes the source meanwhile sees that. */
static void copies_drift(void **state)
{
	(void)state;
	unsigned old_seen = 0, new_seen = 0;
	for (uint64_t seed = 0; seed < 40; seed++) {
		uint32_t out[64];
		struct vyrec_interp_result result;
		run_out("program p workgroup(1) {\n buffer out : u32[]\n shared t : u32[4]\n body {\n async_load(t[0], "
			"out[8], 4, 1)\n"
			" for i in 0 .. 8 { out[20 + i] = i }\n out[8] = 5\n for i in 0 .. 8 { out[30 + i] = i }\n"
			" async_wait(1)\n out[0] = t[0]\n }\n}\n",
			seed, 1, out, &result);
		assert_int_equal(result.status, VYRE_OK);
		assert_true(out[0] == 0 || out[0] == 5);
		assert_int_equal(result.race_count, 1);
		old_seen += out[0] == 0;
		new_seen += out[0] == 5;
		if (seed == 0)
			assert_int_equal(out[0], 5); /* at the wait */
	}
	assert_true(old_seen > 3 && new_seen > 3);
}

static void dispatches(void **state)
{
	(void)state;
	struct rig rig =
	    rig_parse("program first workgroup(4) {\n buffer out : u32[]\n buffer counts : u32[]\n body {\n"
		      " if lane == 0 {\n counts[1] = 3\n counts[2] = 1\n counts[3] = 1\n dispatch(second, counts[1])\n"
		      " counts[1] = 9\n }\n out[lane] = 1\n }\n}\n"
		      "program second workgroup(1) {\n buffer out : u32[]\n body {\n"
		      " out[8 + workgroup_id(0)] = out[workgroup_id(0)] + workgroups(0)\n }\n}\n");
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		uint32_t out[64] = {0}, counts[8] = {0};
		rig.options.seed = seed;
		rig.buffer_count = 0;
		rig_buffer(&rig, "out", out, 64);
		rig_buffer(&rig, "counts", counts, 8);
		rig_program(&rig, 1);
		ASSERT_OK(rig);
		assert_int_equal(rig.result.race_count, 0);
		for (int k = 0; k < 3; k++)
			assert_int_equal(out[8 + k], 4);
		assert_int_equal(out[11], 0);
	}
	rig_close(&rig);
}

/* ---- order ------------------------------------------------------------------------------------------------ */

/* The seed decides the order and nothing else does; different seeds do differ. */
static void seeds(void **state)
{
	(void)state;
	static const char text[] = PROGRAM(8, "let turn = atomic_add(out[60], 1)\n out[turn] = lane");
	uint32_t first[64], again[64], seen = 0;
	struct vyrec_interp_result result;
	for (uint64_t seed = 0; seed < 20; seed++) {
		run_out(text, seed, 1, first, &result);
		run_out(text, seed, 1, again, &result);
		assert_memory_equal(first, again, sizeof first);
		seen += first[0] != 0;
		if (seed == 0)
			for (uint32_t k = 0; k < 8; k++)
				assert_int_equal(first[k], k);
	}
	assert_true(seen > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loops),
	    cmocka_unit_test(blocks),
	    cmocka_unit_test(values),
	    cmocka_unit_test(functions),
	    cmocka_unit_test(bounds),
	    cmocka_unit_test(barriers),
	    cmocka_unit_test(deadlocks),
	    cmocka_unit_test(collectives),
	    cmocka_unit_test(subgroups),
	    cmocka_unit_test(ids),
	    cmocka_unit_test(traps),
	    cmocka_unit_test(fallen_lanes),
	    cmocka_unit_test(fallen_lanes_race),
	    cmocka_unit_test(logs),
	    cmocka_unit_test(copies),
	    cmocka_unit_test(copies_drift),
	    cmocka_unit_test(dispatches),
	    cmocka_unit_test(seeds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
