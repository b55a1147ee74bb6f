/* meet_test.c - barriers, .sync instructions of warps, scheduling, and programs that must be found wrong. */
#include <pthread.h>
#include <unistd.h>

#include "rig.h"

typedef uint64_t (*expected_of)(uint32_t lane, uint32_t lanes);

/* Under many seeds, since what is wrong about waiting shows in some orders only. */
static void expect_lanes(const char *body, uint32_t lanes, expected_of want)
{
	struct rig rig;
	char text[4096];
	snprintf(text, sizeof text, "%s\nst.global.b64 [%%mine], %%d0;", body);
	if (!rig_open(&rig, "", text))
		fail_msg("%s: %s", body, rig.message);
	rig.launch.block[0] = lanes;
	for (uint64_t seed = 0; seed < 20; seed++) {
		rig.launch.seed = seed;
		rig.launch.burst = seed % 3 == 0 ? 1 : 0;
		if (!ptx_launch(&rig.launch, &rig.result))
			fail_msg("%s: %s", body, rig.result.message);
		for (uint32_t i = 0; i < lanes; i++)
			if (rig.out[i] != want(i, lanes))
				fail_msg("%s: seed %u: lane %u has %#llx, expected %#llx", body, (unsigned)seed, i,
					 (unsigned long long)rig.out[i], (unsigned long long)want(i, lanes));
	}
	rig_close(&rig);
}

static uint64_t neighbour(uint32_t lane, uint32_t lanes)
{
	return (lane + 1) % lanes + 100;
}
static uint64_t count_odd(uint32_t lane, uint32_t lanes)
{
	(void)lane;
	return lanes / 2;
}
static uint64_t zero(uint32_t lane, uint32_t lanes)
{
	(void)lane, (void)lanes;
	return 0;
}
static uint64_t one(uint32_t lane, uint32_t lanes)
{
	(void)lane, (void)lanes;
	return 1;
}
static uint64_t half(uint32_t lane, uint32_t lanes)
{
	(void)lanes;
	return lane >= 32;
}

#define SHARED ".shared .align 8 .b8 s[512]; mov.b64 %d9, s; mul.wide.u32 %d8, %t, 4; add.s64 %d8, %d8, %d9; "

static void barriers(void **state)
{
	(void)state;
	expect_lanes(
	    SHARED
	    "add.u32 %w1, %t, 100; st.shared.b32 [%d8], %w1; bar.sync 0; add.u32 %w2, %t, 1; rem.u32 %w2, %w2, %n;\n"
	    "mul.wide.u32 %d1, %w2, 4; add.s64 %d1, %d1, %d9; ld.shared.b32 %w3, [%d1]; cvt.u64.u32 %d0, %w3;",
	    96, neighbour);
	/* not all of a warp: a last warp of one lane */
	expect_lanes(SHARED
		     "add.u32 %w1, %t, 100; st.shared.b32 [%d8], %w1; barrier.sync 3; add.u32 %w2, %t, 1; rem.u32 %w2, "
		     "%w2, %n;\n"
		     "mul.wide.u32 %d1, %w2, 4; add.s64 %d1, %d1, %d9; ld.shared.b32 %w3, [%d1]; cvt.u64.u32 %d0, %w3;",
		     33, neighbour);
	expect_lanes("and.b32 %w1, %t, 1; setp.ne.u32 %p1, %w1, 0; bar.red.popc.u32 %w2, 0, %p1; cvt.u64.u32 %d0, %w2;",
		     64, count_odd);
	expect_lanes("and.b32 %w1, %t, 1; setp.ne.u32 %p1, %w1, 0; barrier.cta.red.and.aligned.pred %p2, 0, %p1; "
		     "selp.b64 %d0, 1, 0, %p2;",
		     64, zero);
	expect_lanes("setp.eq.u32 %p1, %t, 5; barrier.red.or.pred %p2, 0, %p1; selp.b64 %d0, 1, 0, %p2;", 64, one);
	/* a count: the second warp alone */
	expect_lanes(
	    "mov.b64 %d0, 0; setp.lt.u32 %p1, %t, 32; @%p1 bra $out; mov.b64 %d0, 1; bar.sync 1, 32;\n$out:", 64, half);
	/* arrive and go on; the other warp waits for it */
	expect_lanes(".shared .align 4 .b8 f[4]; setp.eq.u32 %p1, %t, 0; @%p1 st.shared.b32 [f], 7; setp.lt.u32 %p1, "
		     "%t, 32; mov.b64 %d0, 0;\n"
		     "@%p1 bra $first; bar.sync 1, 64; ld.shared.b32 %w1, [f]; setp.eq.u32 %p2, %w1, 7; selp.b64 %d0, "
		     "1, 0, %p2; bra $out;\n"
		     "$first: bar.arrive 1, 64;\n$out:",
		     64, half);
	/* those that have gone are not waited for */
	expect_lanes("mov.b64 %d0, 1; st.global.b64 [%mine], %d0; and.b32 %w1, %t, 3; setp.eq.u32 %p1, %w1, 2; @%p1 "
		     "exit; bar.sync 0;",
		     96, one);
	/* lanes of a warp at two barrier instructions: fine where it is not aligned */
	expect_lanes("and.b32 %w1, %t, 1; setp.eq.u32 %p1, %w1, 0; mov.pred %p3, 1; @%p1 bra $even; "
		     "barrier.red.and.pred %p2, 0, %p3; bra $out;\n"
		     "$even: barrier.red.and.pred %p2, 0, %p3;\n$out: selp.b64 %d0, 1, 0, %p2;",
		     64, one);
}

static void wrong_barriers(void **state)
{
	static const char divergent[] =
	    "and.b32 %w1, %t, 1; setp.eq.u32 %p1, %w1, 0; @%p1 bra $even; bar.sync 0; bra $out;\n"
	    "$even: bar.sync 0;\n$out:";
	(void)state;
	rig_refused("", divergent, 64, "an aligned barrier that lane");
	rig_refused("", "setp.eq.u32 %p1, %t, 0; @%p1 bra $out; bar.sync 0;\n$out: bar.sync 1;", 64,
		    "is stuck, every lane waits");
	rig_refused("", "setp.eq.u32 %p1, %t, 0;\n$again: @%p1 bra $again; bar.sync 0;", 2,
		    "still runs after its instructions are used up");
	rig_refused("", "bar.sync 16;", 2, "barrier 16 of 16");
	rig_refused("", "bar.sync 0, 33;", 64, "which is no number of warps");
	rig_refused("", "bar.sync 0, 96;", 64, "is stuck");
	rig_refused("",
		    "setp.lt.u32 %p1, %t, 32; @%p1 bra $first; bar.sync 0; bra $out;\n$first: bar.red.popc.u32 %w1, 0, "
		    "%p1;\n$out:",
		    64, "a barrier of another kind");
	rig_refused("", "bar.arrive 0;", 2, "unknown");
}

static uint64_t from_five(uint32_t lane, uint32_t lanes)
{
	(void)lane, (void)lanes;
	return 105;
}
static uint64_t rotated(uint32_t lane, uint32_t lanes)
{
	(void)lanes;
	return lane ^ 3;
}
static uint64_t below(uint32_t lane, uint32_t lanes)
{
	(void)lanes;
	return lane % 32 < 2 ? lane : lane - 2;
}
static uint64_t above(uint32_t lane, uint32_t lanes)
{
	(void)lanes;
	return lane % 8 < 6 ? lane + 2 : lane; /* segments of eight */
}
static uint64_t ballot(uint32_t lane, uint32_t lanes)
{
	(void)lanes;
	return lane < 32 ? 0x7fu : 0;
}
static uint64_t sum(uint32_t lane, uint32_t lanes)
{
	(void)lanes;
	return lane < 32 ? 31 * 16 : 31 * 16 + 32 * 32;
}
static uint64_t least(uint32_t lane, uint32_t lanes)
{
	(void)lane, (void)lanes;
	return 0xfffffff6;
}
static uint64_t equals(uint32_t lane, uint32_t lanes)
{
	(void)lanes;
	return 0x11111111u << (lane & 3);
}

static void warps(void **state)
{
	(void)state;
	expect_lanes(
	    "and.b32 %w5, %t, 31; add.u32 %w1, %w5, 100; shfl.sync.idx.b32 %w2, %w1, 5, 31, -1; cvt.u64.u32 %d0, %w2;",
	    64, from_five);
	expect_lanes("shfl.sync.bfly.b32 %w2|%p1, %t, 3, 31, 0xffffffff; cvt.u64.u32 %d0, %w2;", 64, rotated);
	expect_lanes("shfl.sync.up.b32 %w2, %t, 2, 0, -1; cvt.u64.u32 %d0, %w2;", 64, below);
	expect_lanes("shfl.sync.down.b32 %w2|%p1, %t, 2, 0x181f, -1; cvt.u64.u32 %d0, %w2;", 64, above);
	expect_lanes("setp.lt.u32 %p1, %t, 7; vote.sync.ballot.b32 %w1, %p1, -1; cvt.u64.u32 %d0, %w1;", 64, ballot);
	expect_lanes("setp.lt.u32 %p1, %t, 40; vote.sync.any.pred %p2, %p1, -1; vote.sync.all.pred %p3, !%p1, -1; "
		     "selp.b64 %d0, 1, 0, %p2;\n"
		     "selp.b64 %d0, 0, %d0, %p3;",
		     64, one);
	expect_lanes("redux.sync.add.u32 %w1, %t, -1; cvt.u64.u32 %d0, %w1;", 64, sum);
	expect_lanes(
	    "and.b32 %w2, %t, 31; sub.s32 %w2, %w2, 10; redux.sync.min.s32 %w1, %w2, -1; cvt.u64.u32 %d0, %w1;", 64,
	    least);
	expect_lanes("and.b32 %w2, %t, 3; match.any.sync.b32 %w1, %w2, -1; cvt.u64.u32 %d0, %w1;", 64, equals);
	expect_lanes("match.all.sync.b32 %w1|%p1, 5, -1; selp.b64 %d0, 1, 0, %p1;", 32, one);
	/* two halves of a warp by themselves, at one instruction and at two */
	expect_lanes(
	    "and.b32 %w5, %t, 31; setp.lt.u32 %p1, %w5, 16; selp.b32 %w1, 0xffff, 0xffff0000, %p1; bar.warp.sync %w1;\n"
	    "mov.b64 %d0, 1;",
	    64, one);
	expect_lanes("and.b32 %w5, %t, 31; setp.lt.u32 %p1, %w5, 16; @%p1 bra $low; redux.sync.or.b32 %w1, 2, "
		     "0xffff0000; bra $out;\n"
		     "$low: redux.sync.or.b32 %w1, 2, 0xffff;\n$out: shr.u32 %w1, %w1, 1; cvt.u64.u32 %d0, %w1;",
		     64, one);
	/* the last warp has three lanes, and those that have exited are not waited for */
	expect_lanes("mov.b64 %d0, 1; vote.sync.all.pred %p1, 1, 7; selp.b64 %d0, 1, 0, %p1;", 3, one);
	expect_lanes("mov.b64 %d0, 1; st.global.b64 [%mine], %d0; setp.eq.u32 %p1, %t, 2; @%p1 exit; "
		     "vote.sync.ballot.b32 %w1, 1, -1;\n"
		     "setp.eq.u32 %p2, %w1, 0xfffffffb; selp.b64 %d0, 1, 0, %p2;",
		     32, one);
}

static void wrong_warps(void **state)
{
	(void)state;
	rig_refused("", "bar.warp.sync 1;", 2, "without the lane that executes it");
	rig_refused("", "setp.eq.u32 %p1, %t, 0; selp.b32 %w1, 3, 7, %p1; bar.warp.sync %w1;", 2, "with mask");
	rig_refused("",
		    "setp.eq.u32 %p1, %t, 0; @%p1 bra $other; redux.sync.add.u32 %w1, 1, 3; exit;\n$other: "
		    "redux.sync.or.b32 %w1, 1, 3;",
		    2, "another kind of instruction");
	rig_refused("", "setp.eq.u32 %p1, %t, 0; @%p1 bar.sync 0; bar.warp.sync 3;", 2, "is stuck");
	/* a value from a lane that takes no part */
	rig_refused("", "setp.ge.u32 %p1, %t, 2; @%p1 exit; shfl.sync.idx.b32 %w1, %t, 3, 31, 3; add.u32 %w1, %w1, 1;",
		    4, "nobody has written");
	rig_refused("", "elect.sync _|%p1, -1;", 2, "unknown");
}

/* One seed, one order; other seeds, others. */
static void seeds(void **state)
{
	static const char body[] =
	    "atom.global.add.u64 %d1, [%out], 1; add.s64 %d2, %d1, 1; mul.lo.u64 %d2, %d2, 8; add.s64 %d2, %out, %d2;\n"
	    "cvt.u64.u32 %d3, %t; st.global.b64 [%d2], %d3;";
	struct rig first, again;
	unsigned different = 0;
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		assert_true(rig_open(&first, "", body) && rig_open(&again, "", body));
		first.launch.block[0] = again.launch.block[0] = 32;
		first.launch.seed = seed;
		again.launch.seed = seed + (seed > 0);
		assert_true(ptx_launch(&first.launch, &first.result) && ptx_launch(&again.launch, &again.result));
		bool same = !memcmp(first.out, again.out, sizeof first.out);
		if (seed == 0)
			assert_true(same);
		different += !same;
		rig_close(&first);
		rig_close(&again);
	}
	assert_true(different > 5);
}

/* No lane is in step with another: one that waits for its neighbour in the same warp gets there. */
static void independent_lanes(void **state)
{
	(void)state;
	expect_lanes(
	    ".shared .align 4 .b8 f[4]; setp.eq.u32 %p1, %t, 0; @%p1 st.volatile.shared.b32 [f], 0; bar.sync 0;\n"
	    "$wait: ld.volatile.shared.b32 %w1, [f]; setp.ne.u32 %p2, %w1, %t; @%p2 bra $wait;\n"
	    "add.u32 %w2, %t, 1; st.volatile.shared.b32 [f], %w2; mov.b64 %d0, 1;",
	    32, one);
}

static void workgroups(void **state)
{
	static const char body[] =
	    "mov.u32 %w1, %ctaid.x; mov.u32 %w2, %ctaid.y; mov.u32 %w3, %nctaid.x; mov.u32 %w4, %ctaid.z; mov.u32 %w5, "
	    "%nctaid.y;\n"
	    "mad.lo.u32 %w6, %w4, %w5, %w2; mad.lo.u32 %w6, %w6, %w3, %w1; mov.u32 %w7, %tid.y; mov.u32 %w8, %tid.z; "
	    "mov.u32 %w9, %ntid.y;\n"
	    "mad.lo.u32 %w10, %w8, %w9, %w7; mad.lo.u32 %w10, %w10, %n, %t; mad.lo.u32 %w11, %w6, 12, %w10;\n"
	    "mad.wide.u32 %d1, %w11, 8, %out; atom.global.add.u64 %d2, [%d1], 1;";
	struct rig rig;
	(void)state;
	for (uint32_t threads = 0; threads < 3; threads++)
		for (uint32_t resident = 0; resident < 3; resident++) {
			if (!rig_open(&rig, "", body))
				fail_msg("%s", rig.message);
			const uint32_t grid[3] = {3, 2, 4}, block[3] = {2, 3, 2};
			memcpy(rig.launch.grid, grid, sizeof grid);
			memcpy(rig.launch.block, block, sizeof block);
			rig.launch.threads = threads;
			rig.launch.resident = resident;
			if (!ptx_launch(&rig.launch, &rig.result))
				fail_msg("%s", rig.result.message);
			for (unsigned i = 0; i < RIG_OUT; i++)
				assert_int_equal(rig.out[i], i < 24 * 12);
			rig_close(&rig);
		}
}

/* A workgroup waits for one that comes later: all are there at a time, unless the launch says how many. */
static void residence(void **state)
{
	static const char body[] =
	    "setp.ne.u32 %p1, %g, 0; @%p1 bra $set;\n$wait: ld.acquire.gpu.global.b64 %d1, [%out]; setp.eq.u64 %p2, "
	    "%d1, 0;\n"
	    "nanosleep.u32 100; @%p2 bra $wait; bra $out;\n$set: st.release.gpu.global.b64 [%out], 1;\n$out:";
	struct rig rig;
	(void)state;
	assert_true(rig_open(&rig, "", body));
	rig.launch.grid[0] = 2;
	assert_true(ptx_launch(&rig.launch, &rig.result));
	rig.launch.threads = 2;
	rig.out[0] = 0;
	assert_true(ptx_launch(&rig.launch, &rig.result));
	rig.launch.threads = 0;
	rig.launch.resident = 1;
	rig.launch.step_limit = 100000;
	rig.out[0] = 0;
	assert_false(ptx_launch(&rig.launch, &rig.result));
	assert_non_null(strstr(rig.result.message, "still runs"));
	rig_close(&rig);
}

/* A flag behind a word: found without the word when nothing orders the two, and never when something does. */
static void late_stores(void **state)
{
	static const struct {
		const char *publish;
		bool in_order;
	} rows[] = {
	    {"st.global.b64 [%out], 7; st.relaxed.gpu.global.b64 [%out+8], 1;", false},
	    {"st.global.b64 [%out], 7; st.volatile.global.b64 [%out+8], 1;", false},
	    {"st.global.b64 [%out], 7; red.relaxed.gpu.global.add.u64 [%out+8], 1;", false},
	    {"st.global.b64 [%out], 7; st.release.gpu.global.b64 [%out+8], 1;", true},
	    {"st.global.b64 [%out], 7; fence.acquire.gpu; st.relaxed.gpu.global.b64 [%out+8], 1;", false},
	    {"st.global.b64 [%out], 7; fence.acq_rel.gpu; st.relaxed.gpu.global.b64 [%out+8], 1;", true},
	    {"st.global.b64 [%out], 7; fence.release.gpu; st.relaxed.gpu.global.b64 [%out+8], 1;", true},
	    {"st.global.b64 [%out], 7; atom.release.gpu.global.exch.b64 %d3, [%out+8], 1;", true},
	    {"st.global.b64 [%out], 5; st.global.b64 [%out], 7; ld.global.b64 %d3, [%out]; st.release.gpu.global.b64 "
	     "[%out+8], 1;",
	     true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char body[1024];
		unsigned missed = 0;
		snprintf(body, sizeof body,
			 "setp.ne.u32 %%p1, %%g, 0; @%%p1 bra $publish;\n$wait: ld.acquire.gpu.global.b64 %%d1, "
			 "[%%out+8]; setp.eq.u64 %%p2, %%d1, 0;\n"
			 "@%%p2 bra $wait; ld.global.b64 %%d2, [%%out]; st.global.b64 [%%out+16], %%d2; bra "
			 "$out;\n$publish: %s\n"
			 "mov.b32 %%w1, 0;\n$stay: add.u32 %%w1, %%w1, 1; setp.lt.u32 %%p3, %%w1, 500; @%%p3 bra "
			 "$stay;\n$out:",
			 rows[i].publish);
		for (uint64_t seed = 0; seed < 100; seed++) {
			struct rig rig;
			if (!rig_open(&rig, "", body))
				fail_msg("%s: %s", body, rig.message);
			rig.launch.grid[0] = 2;
			rig.launch.late = true;
			rig.launch.seed = seed;
			if (!ptx_launch(&rig.launch, &rig.result))
				fail_msg("%s", rig.result.message);
			missed += rig.out[2] != 7;
			assert_int_equal(rig.out[0], 7);
			rig_close(&rig);
		}
		if (rows[i].in_order ? missed != 0 : missed == 0)
			fail_msg("%s: %u of 100", rows[i].publish, missed);
	}
}

static int stop_flag;

static void *raise_flag(void *user)
{
	(void)user;
	usleep(20000);
	__atomic_store_n(&stop_flag, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void stops(void **state)
{
	struct rig rig;
	pthread_t thread;
	(void)state;
	for (uint32_t threads = 0; threads < 3; threads += 2) {
		stop_flag = 0;
		assert_true(rig_open(&rig, "", "$again: nanosleep.u32 64; bra $again;"));
		rig.launch.grid[0] = 2;
		rig.launch.block[0] = 32;
		rig.launch.threads = threads;
		rig.launch.stop = &stop_flag;
		assert_int_equal(pthread_create(&thread, NULL, raise_flag, NULL), 0);
		assert_false(ptx_launch(&rig.launch, &rig.result));
		assert_int_equal(rig.result.outcome, PTX_STOPPED);
		pthread_join(thread, NULL);
		rig_close(&rig);
	}
}

static void bounds_of_a_launch(void **state)
{
	static const char text[] = ".version 8.0\n.target sm_80\n.address_size 64\n"
				   ".visible .entry e(.param .u32 a, .param .align 8 .b8 b[24], .param .u64 .ptr "
				   ".global .align 8 c) .reqntid 32, 2, 1\n"
				   "{\nret;\n}\n.visible .entry other()\n{\nexit;\n}\n";
	char message[PTX_MESSAGE];
	struct ptx_module *module = ptx_module_parse(text, sizeof text, message);
	struct ptx_entry_info info;
	struct ptx_result result;
	uint32_t offset, bytes;
	uint8_t params[48] = {0};
	(void)state;
	assert_non_null(module);
	assert_string_equal(ptx_entry_name(ptx_entry_at(module, 1)), "other");
	assert_null(ptx_entry_at(module, 2));
	assert_null(ptx_entry_find(module, "f"));
	struct ptx_launch launch = {
	    .entry = ptx_entry_find(module, "e"), .params = params, .param_bytes = sizeof params};
	ptx_entry_get_info(launch.entry, &info);
	assert_int_equal(info.param_count, 3);
	assert_int_equal(info.param_bytes, 40);
	assert_int_equal(info.reqntid[1], 2);
	assert_true(ptx_entry_param(launch.entry, 2, &offset, &bytes));
	assert_int_equal(offset, 32);
	assert_int_equal(bytes, 8);
	assert_false(ptx_entry_param(launch.entry, 3, &offset, &bytes));
	launch.block[0] = 64;
	assert_false(ptx_launch(&launch, &result));
	assert_non_null(strstr(result.message, ".reqntid"));
	launch.block[0] = 32;
	launch.block[1] = 2;
	assert_true(ptx_launch(&launch, &result));
	launch.param_bytes = 39;
	assert_false(ptx_launch(&launch, &result));
	launch = (struct ptx_launch){.entry = ptx_entry_find(module, "other"), .block = {1025}};
	assert_false(ptx_launch(&launch, &result));
	ptx_module_destroy(module);
	ptx_module_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(barriers),
	    cmocka_unit_test(wrong_barriers),
	    cmocka_unit_test(warps),
	    cmocka_unit_test(wrong_warps),
	    cmocka_unit_test(seeds),
	    cmocka_unit_test(independent_lanes),
	    cmocka_unit_test(workgroups),
	    cmocka_unit_test(residence),
	    cmocka_unit_test(stops),
	    cmocka_unit_test(late_stores),
	    cmocka_unit_test(bounds_of_a_launch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
