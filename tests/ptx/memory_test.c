/* memory_test.c - loads, stores, atomics and addresses of every space, and what must be refused. */
#include "rig.h"

/* A body whose lanes each store %d0; what the first lanes left. */
static void expect_words(const char *outside, const char *body, uint32_t lanes, const uint64_t *want)
{
	struct rig rig;
	char text[4096];
	snprintf(text, sizeof text, "%s\nst.global.b64 [%%mine], %%d0;", body);
	rig_run(&rig, outside, text, lanes);
	for (uint32_t i = 0; i < lanes; i++)
		if (rig.out[i] != want[i])
			fail_msg("%s: lane %u has %#llx, expected %#llx", body, i, (unsigned long long)rig.out[i],
				 (unsigned long long)want[i]);
	rig_close(&rig);
}

static void widths(void **state)
{
	static const struct {
		const char *body;
		uint64_t want;
	} rows[] = {
	    {"mov.b64 %d1, 0x8182838485868788; st.global.b64 [%out+64], %d1; ld.global.u8 %w1, [%out+64]; cvt.u64.u32 "
	     "%d0, %w1;",
	     0x88},
	    {"mov.b64 %d1, 0x8182838485868788; st.global.b64 [%out+64], %d1; ld.global.s8 %w1, [%out+65]; cvt.u64.u32 "
	     "%d0, %w1;",
	     0xffffff87},
	    {"mov.b64 %d1, 0x8182838485868788; st.global.b64 [%out+64], %d1; ld.global.s16 %d0, [%out+66];",
	     0xffffffffffff8586},
	    {"mov.b64 %d1, 0x8182838485868788; st.global.b64 [%out+64], %d1; ld.global.b32 %w1, [%out+68]; cvt.u64.u32 "
	     "%d0, %w1;",
	     0x81828384},
	    {"mov.b64 %d1, 0x8182838485868788; st.global.b64 [%out+64], %d1; ld.global.s8 %h1, [%out+64]; cvt.u64.u16 "
	     "%d0, %h1;",
	     0xff88},
	    {"mov.b64 %d1, -1; st.global.b64 [%out+64], %d1; st.global.b8 [%out+65], 0; mov.b64 %d2, 0x51234; "
	     "st.global.b16 [%out+68], %d2;"
	     "ld.global.b64 %d0, [%out+64];",
	     0xffff1234ffff00ff},
	    {"mov.b32 %w1, 7; mov.b32 %w2, 9; st.global.v2.b32 [%out+64], {%w1, %w2}; ld.global.b64 %d0, [%out+64];",
	     0x0000000900000007},
	    {"st.global.v4.b32 [%out+64], {1, 2, 3, 4}; ld.global.v4.b32 {%w1, %w2, %w3, _}, [%out+64]; mad.wide.u32 "
	     "%d0, %w2, %w3, 100;",
	     106},
	    {"st.global.v4.b16 [%out+64], {1, 2, 3, 4}; ld.global.b64 %d0, [%out+64];", 0x0004000300020001},
	    {"st.volatile.global.b32 [%out+64], 5; ld.volatile.global.b32 %w1, [%out+64]; st.release.sys.global.b32 "
	     "[%out+64], 6; "
	     "ld.acquire.gpu.global.b32 %w2, [%out+64]; st.relaxed.cta.global.b32 [%out+64], 7; ld.relaxed.sys.b32 "
	     "%w3, [%out+64]; "
	     "mad.lo.u32 %w4, %w1, %w2, %w3; cvt.u64.u32 %d0, %w4;",
	     37},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_words("", rows[i].body, 1, &rows[i].want);
}

static void spaces(void **state)
{
	static const struct {
		const char *outside, *body;
		uint64_t want;
	} rows[] = {
	    {"",
	     ".shared .align 8 .b8 s[64]; mov.b64 %d1, s; st.shared.b32 [%d1+8], 5; ld.shared.b32 %w1, [s+8]; "
	     "cvt.u64.u32 %d0, %w1;",
	     5},
	    {"",
	     ".shared .align 8 .b8 s[64]; mov.b64 %d1, s; cvta.shared.u64 %d2, %d1; st.b32 [%d2+8], 6; ld.shared.b32 "
	     "%w1, [%d1+8]; cvt.u64.u32 %d0, %w1;",
	     6},
	    {"",
	     ".shared .align 8 .b8 s[64]; cvta.shared.u64 %d2, s; cvta.to.shared.u64 %d3, %d2; mov.b64 %d1, s; sub.s64 "
	     "%d0, %d3, %d1;",
	     0},
	    {"",
	     ".local .align 8 .b8 l[16]; mov.b64 %d1, l; st.local.b64 [%d1], 7; cvta.local.u64 %d2, %d1; ld.b64 %d3, "
	     "[%d2]; ld.local.b64 %d4, [l]; add.s64 %d0, %d3, %d4;",
	     14},
	    {".const .align 4 .u32 c[3] = {1, 2, 3};",
	     "ld.const.u32 %w1, [c+8]; mov.b64 %d1, c; ld.const.u32 %w2, [%d1+4]; mad.wide.u32 %d0, %w1, %w2, 0;", 6},
	    {".global .align 8 .u64 g[2] = {5, 6}; .global .align 8 .u64 q[1] = {g+8};",
	     "ld.global.u64 %d1, [q]; ld.global.u64 %d0, [%d1];", 6},
	    {".global .align 4 .b8 g[5] = {1, 2, 3, 4, 5};", "ld.global.b8 %w1, [g+4]; cvt.u64.u32 %d0, %w1;", 5},
	    {"",
	     ".shared .align 8 .b8 s[64]; cvta.shared.u64 %d2, s; isspacep.shared %p1, %d2; isspacep.global %p2, %d2; "
	     "isspacep.global %p3, %out; "
	     "selp.b64 %d3, 4, 0, %p1; selp.b64 %d4, 2, 0, %p2; selp.b64 %d5, 1, 0, %p3; or.b64 %d0, %d3, %d4; or.b64 "
	     "%d0, %d0, %d5;",
	     5},
	    {"",
	     "mov.b64 %d1, in_param; cvta.param.u64 %d2, %d1; ld.u64 %d3, [%d2]; ld.param.u64 %d4, [%d1]; sub.s64 %d0, "
	     "%d3, %d4;",
	     0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_words(rows[i].outside, rows[i].body, 1, &rows[i].want);
}

/* A lane's own memory is its own, and the shared one everybody's. */
static void whose(void **state)
{
	uint64_t want[64];
	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		want[i] = 1000 + (63 - i) + 100000 * i; /* what lane 63 - i has put there, and its own */
	expect_words(
	    "",
	    ".shared .align 8 .b8 s[256]; .local .align 4 .b8 l[4]; st.local.b32 [l], %t; mul.wide.u32 %d1, %t, 4;\n"
	    "mov.b64 %d2, s; add.s64 %d1, %d1, %d2; add.u32 %w1, %t, 1000; st.shared.b32 [%d1], %w1; bar.sync 0;\n"
	    "sub.u32 %w2, 63, %t; mul.wide.u32 %d1, %w2, 4; add.s64 %d1, %d1, %d2; ld.shared.b32 %w3, [%d1];\n"
	    "ld.local.b32 %w4, [l]; mad.lo.u32 %w3, %w4, 100000, %w3; cvt.u64.u32 %d0, %w3;",
	    64, want);
}

static void atomics(void **state)
{
	static const struct {
		const char *insn; /* on [%out+64], which holds `before`; %d1 or %w1 gets the old value */
		uint64_t before, after;
		bool wide;
	} rows[] = {
	    {"atom.global.add.u32 %w1, [%out+64], 5;", 0xffffffff, 4, false},
	    {"atom.relaxed.sys.global.add.u64 %d1, [%out+64], -1;", 5, 4, true},
	    {"atom.acq_rel.gpu.global.and.b32 %w1, [%out+64], 6;", 3, 2, false},
	    {"atom.or.b32 %w1, [%out+64], 6;", 3, 7, false},
	    {"atom.global.xor.b64 %d1, [%out+64], 6;", 3, 5, true},
	    {"atom.acquire.cta.global.exch.b32 %w1, [%out+64], 9;", 3, 9, false},
	    {"atom.global.min.s32 %w1, [%out+64], -1;", 3, 0xffffffff, false},
	    {"atom.global.min.u32 %w1, [%out+64], -1;", 3, 3, false},
	    {"atom.global.max.s32 %w1, [%out+64], -1;", 3, 3, false},
	    {"atom.global.max.u32 %w1, [%out+64], -1;", 3, 0xffffffff, false},
	    {"atom.global.min.s64 %d1, [%out+64], -1;", 3, UINT64_MAX, true},
	    {"atom.global.max.u64 %d1, [%out+64], -1;", 3, UINT64_MAX, true},
	    {"atom.global.inc.u32 %w1, [%out+64], 3;", 3, 0, false},
	    {"atom.global.inc.u32 %w1, [%out+64], 4;", 3, 4, false},
	    {"atom.global.dec.u32 %w1, [%out+64], 7;", 0, 7, false},
	    {"atom.global.dec.u32 %w1, [%out+64], 7;", 3, 2, false},
	    {"atom.release.sys.global.cas.b32 %w1, [%out+64], 3, 8;", 3, 8, false},
	    {"atom.global.cas.b32 %w1, [%out+64], 2, 8;", 3, 3, false},
	    {"atom.global.cas.b64 %d1, [%out+64], 3, 0x100000000;", 3, 0x100000000, true},
	    {"atom.global.add.f32 %w1, [%out+64], 0f3f800000;", 0x3f800000, 0x40000000, false},
	    {"atom.global.add.f32 %w1, [%out+64], 0f00000000;", 0x00000001, 0, false},
	    {"atom.global.add.f64 %d1, [%out+64], 0d3ff0000000000000;", 0x3ff0000000000000, 0x4000000000000000, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rig rig;
		char body[1024];
		snprintf(body, sizeof body, "%s %s st.global.b64 [%%out], %%d1;", rows[i].insn,
			 rows[i].wide ? "" : "cvt.u64.u32 %d1, %w1;");
		if (!rig_open(&rig, "", body))
			fail_msg("%s: %s", body, rig.message);
		rig.out[8] = rows[i].before;
		if (!ptx_launch(&rig.launch, &rig.result))
			fail_msg("%s", rig.result.message);
		if (rig.out[0] != rows[i].before || rig.out[8] != rows[i].after)
			fail_msg("%s: old %#llx, new %#llx", rows[i].insn, (unsigned long long)rig.out[0],
				 (unsigned long long)rig.out[8]);
		rig_close(&rig);
	}
}

/* Four host threads of 64 lanes add to one word, and to shared ones of their own. */
static void atomics_of_many(void **state)
{
	struct rig rig;
	(void)state;
	assert_true(rig_open(
	    &rig, "",
	    ".shared .align 4 .b8 s[4]; setp.eq.u32 %p1, %t, 0; @%p1 st.shared.b32 [s], 0; bar.sync 0;\n"
	    "mov.b32 %w1, 0;\n"
	    "$again: red.relaxed.gpu.global.add.u32 [%out], 1; atom.shared.add.u32 %w2, [s], 1; add.u32 %w1, %w1, 1;\n"
	    "setp.lt.u32 %p2, %w1, 100; @%p2 bra $again; bar.sync 0; fence.acq_rel.gpu;\n"
	    "ld.shared.u32 %w3, [s]; setp.ne.u32 %p3, %w3, 6400; @%p3 trap;"));
	rig.launch.grid[0] = 8;
	rig.launch.block[0] = 64;
	rig.launch.threads = 4;
	if (!ptx_launch(&rig.launch, &rig.result))
		fail_msg("%s", rig.result.message);
	assert_int_equal(rig.out[0], 8 * 64 * 100);
	rig_close(&rig);
}

static void calls(void **state)
{
	static const char fib[] =
	    ".func (.param .b32 result) fib(.param .b32 n)\n{\n.reg .b32 %r<8>; .reg .pred %p<2>; .local .align 4 .b8 "
	    "keep[4];\n"
	    "ld.param.b32 %r1, [n]; setp.gt.u32 %p1, %r1, 1; @%p1 bra $more; st.param.b32 [result], %r1; ret;\n"
	    "$more: { .param .b32 a; .param .b32 r; add.s32 %r2, %r1, -1; st.param.b32 [a], %r2; call.uni (r), fib, "
	    "(a); ld.param.b32 %r3, [r]; }\n"
	    "st.local.b32 [keep], %r3;\n"
	    "{ .param .b32 a; .param .b32 r; add.s32 %r2, %r1, -2; st.param.b32 [a], %r2; call (r), fib, (a); "
	    "ld.param.b32 %r4, [r]; }\n"
	    "ld.local.b32 %r3, [keep]; add.s32 %r5, %r3, %r4; st.param.b32 [result], %r5; ret;\n}\n";
	uint64_t want[12] = {0, 1};
	(void)state;
	for (unsigned i = 2; i < 12; i++)
		want[i] = want[i - 1] + want[i - 2];
	expect_words(fib,
		     "{ .param .b32 a; .param .b32 r; st.param.b32 [a], %t; call.uni (r), fib, (a); ld.param.b32 %w1, "
		     "[r]; } cvt.u64.u32 %d0, %w1;",
		     12, want);
	rig_refused(".func (.param .b32 r) f(.param .b32 a);",
		    "{ .param .b32 a; .param .b32 r; st.param.b32 [a], 1; call.uni (r), f, (a); }", 1, "has no body");
	rig_refused(fib, "{ .param .b64 a; .param .b32 r; st.param.b64 [a], 1; call.uni (r), fib, (a); }", 1,
		    "has other parameters");
	rig_refused(".func f()\n{\n{ call.uni f; }\nret;\n}\n.func g();",
		    ".local .align 4 .b8 l[4]; st.local.b32 [l], 1; { call.uni nothing; }", 1, "no .func nothing");
}

static void wrong_accesses(void **state)
{
	(void)state;
	rig_refused("", "st.global.b32 [%out+2], 1;", 1, "misaligned: 4 bytes at global address");
	rig_refused("", "ld.global.v2.b32 {%w1, %w2}, [%out+4];", 1, "misaligned: 8 bytes");
	rig_refused("", "mov.b64 %d1, 0; ld.global.b32 %w1, [%d1+16];", 1, "near 0");
	rig_refused("", ".shared .align 4 .b8 s[8]; ld.shared.b32 %w1, [s+8];", 1,
		    "shared address 0x8, which has 8 bytes");
	rig_refused("", ".shared .align 4 .b8 s[8]; mov.b64 %d1, s; st.shared.b32 [%d1+-4], 0;", 1, "shared address");
	rig_refused("", ".shared .align 4 .b8 s[8]; cvta.shared.u64 %d1, s; ld.shared.b32 %w1, [%d1];", 1,
		    "shared address");
	rig_refused("", ".local .align 4 .b8 s[8]; mov.b64 %d1, s; ld.local.b32 %w1, [%d1+8];", 1, "local address");
	rig_refused(".const .align 4 .b8 s[8];", "mov.b64 %d1, s; ld.const.b32 %w1, [%d1+8];", 1, "const address");
	rig_refused("", "ld.shared.b32 %w1, [out_param];", 1, "another space");
	rig_refused("", "ld.acquire.global.b32 %w1, [%out];", 1, "unknown");
	rig_refused("", "ld.relaxed.gpu.global.v2.b32 {%w1, %w2}, [%out];", 1, "unknown");
	rig_refused("", "atom.global.min.b32 %w1, [%out], 1;", 1, "unknown");
	rig_refused("", "atom.global.add.s64 %d1, [%out], 1;", 1, "unknown");
	rig_refused("", "red.acquire.gpu.global.add.u32 [%out], 1;", 1, "unknown");
	rig_refused("", "fence.gpu;", 1, "unknown");
}

/* Only what the launch names may be touched, and only as it says. */
static void ranges(void **state)
{
	static const struct {
		const char *body, *says; /* NULL: fine */
	} rows[] = {
	    {"ld.global.b64 %d1, [%in]; st.global.b64 [%out], %d1;", NULL},
	    {"ld.global.nc.b64 %d1, [%in];", NULL},
	    {"ld.b64 %d1, [%in];", NULL},
	    {"ld.global.b64 %d1, [%in+16];", "in no memory of this launch"},
	    {"st.global.b64 [%out+-8], 0;", "in no memory of this launch"},
	    {"st.global.b64 [%in], 1;", "writes to memory that is constant"},
	    {"ld.global.nc.b64 %d1, [%out];", "takes memory that may change for constant"},
	    {"ld.relaxed.gpu.global.b64 %d1, [%out+512];", "less than .sys scope"},
	    {"ld.relaxed.sys.global.b64 %d1, [%out+512]; st.release.sys.global.b64 [%out+512], 1;", NULL},
	    {"ld.volatile.global.b64 %d1, [%out+512]; st.global.b64 [%out+512], 1;", NULL},
	    {"red.relaxed.sys.global.add.u32 [%out+512], 1;", "read-modify-write of host memory"},
	    {"red.relaxed.gpu.global.add.u32 [%out+504], 1;", NULL},
	    {"ld.global.v4.b32 {%w1, %w2, %w3, %w4}, [%out+8176]; add.u32 %w5, %w1, %w2;", NULL},
	    {"ld.global.v4.b32 {%w1, %w2, %w3, %w4}, [%out+8176]; add.u32 %w5, %w3, %w2;", "nobody has written"},
	    {"st.global.v4.b32 [%out+8176], {1, 2, 3, 4};", "in no memory of this launch"},
	};
	static _Alignas(16) const uint64_t in[2] = {1, 2};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		static _Alignas(64) uint64_t out[1024];
		struct rig rig;
		if (!rig_open(&rig, "", rows[i].body))
			fail_msg("%s: %s", rows[i].body, rig.message);
		const struct ptx_range list[] = {
		    {in, sizeof in, PTX_READ},
		    {out, 512, PTX_READ | PTX_WRITE},
		    {out + 64, 512, PTX_READ | PTX_WRITE | PTX_SYSTEM},
		    {out + 128, sizeof out - 1024 - 8, PTX_READ | PTX_WRITE},
		};
		rig.params.in = in;
		rig.params.out = out;
		rig.launch.ranges = list;
		rig.launch.range_count = sizeof list / sizeof *list;
		bool ok = ptx_launch(&rig.launch, &rig.result);
		if (rows[i].says ? ok || !strstr(rig.result.message, rows[i].says) : !ok)
			fail_msg("%s: expected '%s', got '%s'", rows[i].body, rows[i].says ? rows[i].says : "no error",
				 rig.result.message);
		rig_close(&rig);
	}
}

static void module_variables(void **state)
{
	struct rig rig;
	size_t bytes;
	(void)state;
	rig_run(&rig, ".visible .global .align 8 .u64 counter[2] = {41};",
		"atom.global.add.u64 %d1, [counter], 1; st.global.b64 [%out], %d1;", 1);
	const uint64_t *counter = ptx_variable_find(rig.module, "counter", &bytes);
	assert_non_null(counter);
	assert_int_equal(bytes, 16);
	assert_int_equal(rig.out[0], 41);
	assert_int_equal(counter[0], 42);
	assert_int_equal(counter[1], 0);
	assert_null(ptx_variable_find(rig.module, "nothing", &bytes));
	rig_close(&rig);
}

static void dynamic_shared(void **state)
{
	struct rig rig;
	(void)state;
	assert_true(rig_open(
	    &rig, ".extern .shared .align 16 .b8 more[];",
	    ".shared .align 4 .b8 s[20]; mov.b64 %d1, more; st.shared.b32 [more+60], 5; ld.shared.b32 %w1, [%d1+60];\n"
	    "cvt.u64.u32 %d2, %w1; st.global.v2.b64 [%out], {%d1, %d2};"));
	rig.launch.dynamic_shared = 64;
	if (!ptx_launch(&rig.launch, &rig.result))
		fail_msg("%s", rig.result.message);
	assert_int_equal(rig.out[0], 32); /* behind the 20 bytes, aligned */
	assert_int_equal(rig.out[1], 5);
	rig.launch.dynamic_shared = 60;
	assert_false(ptx_launch(&rig.launch, &rig.result));
	assert_non_null(strstr(rig.result.message, "shared address 0x5c"));
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(widths),	      cmocka_unit_test(spaces),		 cmocka_unit_test(whose),
	    cmocka_unit_test(atomics),	      cmocka_unit_test(atomics_of_many), cmocka_unit_test(calls),
	    cmocka_unit_test(wrong_accesses), cmocka_unit_test(ranges),		 cmocka_unit_test(module_variables),
	    cmocka_unit_test(dynamic_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
