/* suspend_test.c - handlers split at their suspension points: they leave, come back, and end as if they had never left. */
#include "tests/passes/suspend_rig.h"

/* A point that counts itself, where nothing else can see it. */
#define YIELD "atomic_add(turns[0], 1); yield\n"

static const char head[] = "set s {\n"
			   "  buffer turns: u32[1]\n"
			   "  buffer out: u32[100]\n"
			   "  buffer few: u32[4]\n"
			   "  fn sum_to(n: u32) -> u32 { var s: u32 = 0; for i in 0 .. n { s = s + i }; return s }\n"
			   "  op it = 0x100 (a: u32, b: i32, c: u64, d: f32, e: bool, f: f64, h: i64) by ";

static const struct {
	const char *name, *by, *body;
} handlers[] = {
    {"between two statements", "lane", "let x = a * 3\n" YIELD "result(0, x + a)\n"},
    {"the first statement", "lane", YIELD "result(0, a)\n"},
    {"the last statement", "lane", "result(0, a + 1)\n" YIELD},
    {"nothing else", "lane", YIELD},
    {"a value of each type", "lane",
     "var u: u32 = a; var i: i32 = b - 7; var l: u64 = c * u64(3); var x: f32 = f32(a) * 0.5\n"
     "var t: bool = !e; var y: f64 = f64(a) * f64(0.25); var s: i64 = -h\n" YIELD
     "result(0, u); result(1, i); result(2, l); result(4, x); result(5, t); result(6, u64(y)); result(8, s)\n"},
    {"parameters of each type", "lane",
     YIELD "result(0, a); result(1, b); result(2, c); result(5, e); result(8, h)\n"
	   "out[0] = bitcast_u32(select(is_nan(d), 0.0, d)); out[1] = u32(f)\n"},
    {"a var is assigned in between", "lane",
     "var x: u32 = a\n" YIELD "x = x + 1\n" YIELD "x = x * 5\n" YIELD "result(0, x)\n"},
    {"dead behind one point, live behind another", "lane",
     "let x = a + 1; let y = c * u64(3)\n" YIELD "out[0] = u32(y)\n" YIELD "var z: u32 = x\n" YIELD "z = 9\n" YIELD
     "result(0, x + z)\n"},
    {"an argument word that a result overwrites", "lane", "result(0, 77)\n" YIELD "result(1, a); result(2, arg[0])\n"},
    {"argument words by number", "lane", "let k = arg[0] % 14\n" YIELD "result(3, arg[k]); result(4, arg[k + 1])\n"},
    {"built-ins of the slot", "lane", YIELD "result(0, tenant + priority * 16 + opcode * 256)\n"},

    /* counted loops */
    {"a loop up", "lane",
     "var x: u32 = 0\nfor i in 0 .. a % 10 {\nx = x * 3 + i\n" YIELD "x = x ^ i\n}\nresult(0, x)\n"},
    {"a step", "lane", "var x: u32 = 0\nfor i in a % 5 .. 30 step 7 {\n" YIELD "x = x * 3 + i\n}\nresult(0, x)\n"},
    {"the step reaches past the end of u32", "lane",
     "var x: u32 = 0\nfor i in 0xfffffff0 .. 0xffffffff step 6 {\n" YIELD "x = x * 3 + i\n}\nresult(0, x)\n"},
    {"i32 over all its range", "lane",
     "var x: i32 = 0\nlet from = i32(u32(0x80000000))\nfor i in from .. 0x7fffffff step 0x30000000 {\n" YIELD
     "x = x * 3 + i\n}\nresult(0, x)\n"},
    {"i32 below zero", "lane", "var x: i32 = 0\nfor i in b % 5 - 3 .. 4 {\nx = x * 7 + i\n" YIELD "}\nresult(0, x)\n"},
    {"u64 to its end", "lane",
     "var x: u64 = u64(1)\nfor i in c | u64(0xfffffffffffffff0) .. u64(0xffffffffffffffff) step 7 {\n" YIELD
     "x = x * u64(3) + i\n}\nresult(0, x)\n"},
    {"i64 over all its range", "lane",
     "var x: i64 = i64(1)\nlet from = i64(u64(0x8000000000000000))\n"
     "for i in from .. i64(0x7fffffffffffffff) step 0x3000000000000000 {\n" YIELD
     "x = x * i64(3) + i\n}\nresult(0, x)\n"},
    {"no turn", "lane", "for i in 5 .. 5 {\n" YIELD "}\nfor i in 9 .. 2 {\n" YIELD "}\nresult(0, a)\n"},
    {"bounds with an effect, once", "lane",
     "for i in atomic_add(out[0], 1) % 3 .. atomic_add(out[1], 1) % 4 + 4 {\n" YIELD "out[2] = out[2] * 3 + i\n}\n"},
    {"bounds that change later", "lane",
     "var n: u32 = 5; var from: u32 = 1\nfor i in from .. n {\nn = n + 1; from = 0\n" YIELD
     "out[0] = out[0] * 3 + i\n}\n"},
    {"a bound that is a let or a parameter", "lane",
     "let n = a % 7\nfor i in b .. i32(n) - 3 step 0x10000000 {\n" YIELD "atomic_add(out[0], u32(i))\n}\n"
     "for k in n .. a {\nif k > n + 5 { break }\n" YIELD "atomic_add(out[1], k)\n}\n"},
    {"loops in loops", "lane",
     "var x: u32 = 0\nfor i in 0 .. 3 {\nx = x + i\nfor k in i .. 4 {\n" YIELD
     "x = x * 3 + k\nfor l in 0 .. k {\nif l == 2 {\n" YIELD "}\nx = x + l\n}\n}\nout[i] = x\n" YIELD
     "}\nresult(0, x)\n"},
    {"a point in the outer loop alone", "lane",
     "var x: u32 = 0\nfor i in 0 .. 4 {\nfor k in 0 .. 9 { x = x * 3 + k }\n" YIELD
     "for k in 0 .. 9 { x = x ^ k * i }\n}\nresult(0, x)\n"},
    {"a point in the inner loop alone", "lane",
     "var x: u32 = 0\nfor i in 0 .. 4 {\nlet y = x + i\nfor k in 0 .. 3 {\nx = x * 3 + k\n" YIELD
     "}\nx = x ^ y\n}\nresult(0, x)\n"},
    {"break and continue", "lane",
     "var x: u32 = 0\nfor i in 0 .. 20 {\nif i % 3 == 1 { continue }\nx = x * 3 + i\nif i % 4 == 2 {\n" YIELD
     "continue\n}\nif x > a + 5000 {\n" YIELD "break\n}\nx = x + 1\n}\nresult(0, x)\n"},
    {"continue out of switch and block", "lane",
     "var x: u32 = 0\nfor i in 0 .. 9 {\nblock inner {\nswitch i % 4 {\ncase 0 { continue }\ncase 1 {\n" YIELD
     "break inner\n}\ndefault {\nx = x + 7\nfor k in 0 .. 3 { if k == 1 { continue }; x = x + k }\n}\n}\n" YIELD
     "x = x * 3\n}\nx = x + i\n}\nresult(0, x)\n"},
    {"a turn that always ends early", "lane",
     "var x: u32 = 0\nfor i in 0 .. 9 {\n" YIELD "x = x + i\nbreak\n}\nfor i in 0 .. 9 {\n" YIELD
     "x = x + i\ncontinue\n}\nresult(0, x)\n"},
    {"break to a block around loops", "lane",
     "var x: u32 = 0\nblock all {\nfor i in 0 .. 9 {\nfor k in 0 .. 9 {\nx = x + i * k\n" YIELD
     "if x > a % 50 + 20 { break all }\n}\n}\nx = 1\n}\nresult(0, x)\n"},
    {"loop until", "lane", "var x: u32 = a % 7\nloop {\n" YIELD "x = x + 3\nif x > 20 { break }\n}\nresult(0, x)\n"},
    {"loop with the point behind the way out", "lane",
     "var x: u32 = a % 7\nloop {\nif x > 20 { break }\nx = x + 3\nif x % 2 == 0 { continue }\n" YIELD
     "}\nresult(0, x)\n"},
    {"a loop that a return ends", "lane",
     "var x: u32 = 0\nloop {\n" YIELD "x = x + 1\nresult(0, x)\nif x == 4 { return }\n}\n"},
    {"a loop with calls", "lane", "for i in 0 .. 4 {\n" YIELD "out[i] = sum_to(i + a % 5)\n}\n"},
    {"unchecked accesses behind one check", "lane",
     "var x: u32 = 0\nfor i in 0 .. 8 {\nfor k in 0 .. 90 { x = x * 3 + out[k + i] }\n" YIELD "}\nresult(0, x)\n"},

    /* branches */
    {"in both branches", "lane",
     "var x: u32 = a\nif a % 2 == 0 {\nx = x + 1\n" YIELD "x = x * 3\n} else {\nx = x + 2\n" YIELD "x = x * 5\n" YIELD
     "}\nresult(0, x)\n"},
    {"in the first branch", "lane",
     "var x: u32 = a\nif a % 2 == 0 {\n" YIELD "x = x * 3\n} else { x = x * 5 }\nresult(0, x)\n"},
    {"in the second branch", "lane",
     "var x: u32 = a\nif a % 2 == 0 { x = x * 5 } else {\n" YIELD "x = x * 3\n}\nresult(0, x)\n"},
    {"else if", "lane",
     "var x: u32 = a\nif a % 4 == 0 {\n" YIELD "x = 1\n} else if a % 4 == 1 { x = x * 5 } else if e {\n" YIELD
     "x = x * 3\n} else { x = 9 }\n" YIELD "result(0, x)\n"},
    {"branch after branch", "lane",
     "var x: u32 = a\nif a % 2 == 0 {\n" YIELD "x = x * 3\n}\nx = x + 1\nif a % 3 == 0 {\n" YIELD
     "x = x * 3\n} else { x = x ^ 8 }\nif a % 5 == 0 { x = x + 2 } else {\n" YIELD "x = x * 3\n}\n" YIELD
     "if e {\n" YIELD "x = x * 3\n" YIELD "} else {\n" YIELD "}\nresult(0, x)\n"},
    {"a condition with an effect, once", "lane",
     "if atomic_add(out[0], 1) % 2 == a % 2 {\n" YIELD "atomic_add(out[1], 1)\n} else {\n" YIELD
     "atomic_add(out[2], 1)\n}\nif atomic_add(out[3], 1) % 2 == 0 { out[4] = 1 } else {\n" YIELD "out[4] = 2\n}\n"
     "if e && atomic_add(out[5], 1) < 99 {\n" YIELD "}\nresult(0, out[0])\n"},
    {"a condition that changes later", "lane",
     "var go: bool = true\nif go {\ngo = false\n" YIELD "out[0] = 1\n} else { out[0] = 2 }\nresult(0, go)\n"},
    {"a switch", "lane",
     "var x: u32 = a\nswitch a % 6 {\ncase 0 {\n" YIELD "x = 10\n}\ncase 1, 2 {\n" YIELD "x = x + 20\n" YIELD
     "}\ncase 3 { x = 30 }\ndefault {\n" YIELD "x = x + 40\n}\n}\n" YIELD "result(0, x)\n"},
    {"a switch without points in its default", "lane",
     "var x: u32 = a\nswitch atomic_add(out[0], 1) % 2 + a % 3 {\ncase 0, 3 {\n" YIELD "x = 10\n}\ncase 1 {\n" YIELD
     "x = x + 20\n}\n}\nswitch a % 3 {\ncase 1 { x = x + 5 }\ndefault {\nx = x + 6\n" YIELD "}\n}\nresult(0, x)\n"},
    {"a switch that may do nothing", "lane",
     "var x: u32 = a\n" YIELD "switch a % 5 {\ncase 0 { x = 1 }\ncase 1 {\nx = 2\n" YIELD "}\n}\nresult(0, x)\n"},
    {"a switch over i32 with every small value taken", "lane",
     "var x: i32 = b\nswitch b % 3 {\ncase -2 {\n" YIELD "x = 1\n}\ncase -1 {\n" YIELD "x = 2\n}\ncase 0 {\n" YIELD
     "x = 3\n}\ncase 1 { x = 5 }\ndefault {\n" YIELD "x = x - 4\n}\n}\nresult(0, x)\n"},
    {"a switch in a loop", "lane",
     "var x: u32 = 0\nfor i in 0 .. 9 {\nswitch (i + a) % 4 {\ncase 0 {\n" YIELD "x = x + i\n}\ncase 1 { continue }\n"
     "case 2 {\nif i > 6 { break }\n" YIELD "}\ndefault { x = x * 3 }\n}\nx = x + 1\n}\nresult(0, x)\n"},

    /* scopes */
    {"one name in two blocks", "lane",
     "block { let x = a\n" YIELD "out[0] = x }\nblock { let x = c\n" YIELD
     "out[1] = u32(x) }\nblock { var x: u32\n" YIELD "out[2] = x; x = 1\n" YIELD "out[3] = x }\n"},
    {"a region shows what it declares", "lane",
     "region \"one\" {\nlet x = a + 1\n" YIELD "let y = x * 3\n}\nregion \"two\" { let z = y + x }\n" YIELD
     "result(0, x); result(1, y); result(2, z)\n"},
    {"a region in front of the point", "lane",
     "region \"r\" { let x = a + 1; let unused = 3 }\nif e {\n" YIELD "}\nresult(0, x)\n"},
    {"a var that is zero in each turn", "lane",
     "for i in 0 .. 4 {\nvar x: u32\nif i % 2 == 0 {\n" YIELD "x = x + a\n}\nout[i] = x\nx = 99\n" YIELD
     "out[9] = x\n}\n"},
    {"a block is left before its point", "lane",
     "var x: u32 = 0\nblock one {\nif e { break one }\n" YIELD "x = 1\n}\n" YIELD "result(0, x)\n"},
    {"return behind points", "lane",
     "result(0, 1)\n" YIELD "if e { return }\nresult(0, 2)\n" YIELD "result(1, a)\nreturn\n"},
    {"a trap behind a point", "lane",
     "let x = a\n" YIELD "out[0] = 1\nif x % 2 == 0 { trap(x) }\nout[1] = 2\n" YIELD "trap(3)\n"},
    {"an index out of range behind a point", "lane", YIELD "result(0, out[trap a])\n"},

    /* arrays */
    {"a local array", "lane",
     "var t: u32[8]\nfor i in 0 .. 8 { t[i] = i * a }\n" YIELD
     "var x: u32 = 0\nfor i in 0 .. 8 {\nx = x * 3 + t[i]\n" YIELD "t[i] = 0\n}\nresult(0, x + t[a % 9])\n"},
    {"arrays of each element", "lane",
     "var p: u8[3]; var q: i16[3]; var r: bool[2]; var s: u64[2]; var t: f64[2]; var u: i8[2]; var v: f32[2]; var w: "
     "i64[2]\n"
     "p[1] = a; q[2] = b; r[1] = e; s[0] = c; t[1] = f64(a); u[0] = b; v[1] = f32(a); w[1] = h\n" YIELD
     "out[0] = p[1]; out[1] = u32(q[2]); out[2] = u32(r[1]); result(0, s[0]); out[3] = u32(t[1]); out[4] = u32(u[0])\n"
     "out[5] = bitcast_u32(v[1]); result(2, w[1]); out[6] = p[0] + p[2] + u32(q[0]); out[7] = length(p)\n"},
    {"an array that begins anew in each turn", "lane",
     "for i in 0 .. 4 {\nvar t: u32[4]\nt[i] = t[i] + a\n" YIELD "out[i] = t[0] + t[i]\nt[0] = 7\n}\n"},
    {"an array behind which nothing is read", "lane",
     "var t: u32[8]\nt[a % 8] = 5\nout[0] = t[3]\n" YIELD "t[0] = 1\n" YIELD "out[1] = length(t)\n"},
    {"a copy from a local array", "lane",
     "var t: u32[4]\nt[a % 4] = a\n" YIELD "async_store(out[8], t[0], 4, 1)\nasync_wait(1)\n"},
    {"shared arrays are zero again", "lane",
     "shared w: u32[4]\nw[1] = a + 1\nout[0] = w[1]\n" YIELD "out[1] = w[1]; w[2] = 5\n" YIELD "out[2] = w[2]\n"},

    /* lanes */
    {"each lane its own values", "workgroup(4)",
     "let x = a + lane * 3\nvar y: u32 = lane\n" YIELD "y = y * 5 + x\nbarrier\nout[lane] = y\n" YIELD
     "result(0, reduce_add(x ^ y))\n"},
    {"a point in a uniform loop", "workgroup(8)",
     "var y: u32 = lane\nfor i in 0 .. a % 5 {\ny = y * 3 + i\nif lane % 2 == 0 { y = y + 1 }\n" YIELD
     "y = y ^ reduce_max(y)\n}\nout[lane] = y\n"},
    {"any number of lanes", "workgroup",
     "var n: u32 = 0\nfor i in lane .. a % 40 step lanes { n = n + i }\n" YIELD "let all = reduce_add(n)\n" YIELD
     "result(0, all)\n"},
};

static char *text_of(const char *by, const char *body)
{
	size_t bytes = sizeof head + strlen(by) + strlen(body) + 16;
	char *text = malloc(bytes);
	snprintf(text, bytes, "%s%s {\n%s}\n}\n", head, by, body);
	return text;
}

/* The counting of a point in an op of several lanes: they all add. */
static uint32_t lanes_of(const char *by)
{
	return !strcmp(by, "workgroup") ? 3 : by[0] == 'w' ? (uint32_t)strtoul(by + 10, NULL, 10) : 1;
}

enum { ROUNDS = 8 };

/* `run`: does what suspend_interpret does. Returns how often it was suspended, all rounds together. */
static uint32_t compare(const char *by, const char *body, unsigned level,
			void (*run)(struct vyrec_module *, struct suspend_state *))
{
	static struct rig_state want, set;
	static struct suspend_state have;
	/* Without the pass `lanes` copies are still copies. */
	struct vyrec_pass_options options = {.level = level, .audit = true, .one_lane = level || by[0] == 'w'};
	struct vyrec_suspend_info info;
	char *text = text_of(by, body);
	struct vyrec_module *before = rig_parse(text), *after = suspend_program(text, 0, &options, &info);
	uint32_t suspended = 0, lanes = !strcmp(by, "workgroup") ? 1 : lanes_of(by);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		rig_fill(&want, before, 1, round);
		rig_fill(&set, before, 1, round);
		want.slot_count = 1;
		struct vyrec_interp_slot slot = want.slots[0];
		*(uint32_t *)want.buffers[0].data = *(uint32_t *)set.buffers[0].data = 0;
		rig_interpret(before, 1, &want, lanes, 0, 0);
		suspend_open(&have, &slot, &set);
		run(after, &have);
		suspend_close(&have, &slot);
		suspend_compare_slots(after, &want.slots[0], &slot);
		rig_compare(after,
			    &(struct rig_state){.buffer_count = want.buffer_count,
						.buffers = {want.buffers[0], want.buffers[1], want.buffers[2]},
						.bytes = {want.bytes[0], want.bytes[1], want.bytes[2]}},
			    &set);
		assert_int_equal(have.notes[0] * lanes, *(uint32_t *)set.buffers[0].data);
		suspended += have.notes[0];
		rig_free(&want);
		rig_free(&set);
	}
	free(text);
	vyrec_module_destroy(before);
	vyrec_module_destroy(after);
	return suspended;
}

static void each_handler_ends_as_if_it_had_not_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
		for (unsigned level = 0; level <= 2; level += 2) {
			uint32_t suspended = compare(handlers[i].by, handlers[i].body, level, suspend_interpret);
			if (strcmp(handlers[i].name, "no turn"))
				assert_int_not_equal(suspended, 0);
		}
}

/* Without a module: closes what is open. */
static void run_native(struct vyrec_module *m, struct suspend_state *st)
{
	static struct cpu_run cpu;
	static const struct vyrec_module *open;
	uint32_t fault[2];
	if (open != m)
		cpu_run_close(&cpu);
	if (m && open != m) {
		if (!cpu_run_open(&cpu, m, &(struct cpu_run_options){.level = 2}))
			fail_msg("%s", cpu.message);
	}
	open = m;
	if (m && !cpu_run_program(&cpu, "driver", (uint32_t[]){1, 1, 1}, st->buffers, st->buffer_count, fault))
		fail_msg("%s", cpu.message);
}

static void each_handler_does_so_natively(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
		compare(handlers[i].by, handlers[i].body, 2, run_native);
		run_native(NULL, NULL);
	}
}

/* ---- what the driver sees ---------------------------------------------------------------------------------------------- */

/* Runs an op by lane once on the words of `slot`, starting from a point, with so much room. */
static struct vyrec_suspend_info run_once(const char *body, struct vyrec_interp_slot *slot, uint32_t resume,
					  uint32_t room, struct suspend_state *st, struct rig_state *set)
{
	struct vyrec_pass_options options = {.level = 2, .one_lane = true, .audit = true};
	struct vyrec_suspend_info info;
	char *text = text_of("lane", body);
	struct vyrec_module *plain = rig_parse(text), *m = suspend_program(text, 0, &options, &info);
	rig_fill(set, plain, 1, 5);
	for (uint32_t b = 0; b < set->buffer_count; b++)
		memset(set->buffers[b].data, 0, set->bytes[b]);
	suspend_open(st, slot, set);
	st->notes[1] = resume;
	st->notes[4] = room;
	suspend_interpret(m, st);
	suspend_close(st, slot);
	free(text);
	vyrec_module_destroy(plain);
	vyrec_module_destroy(m);
	return info;
}

static struct suspend_state seen;
static struct rig_state seen_set;

static void a_stop_says_why_and_for_what(void **state)
{
	static const uint32_t want[][NOTE_WORDS] = {
	    {VYREC_STOP_REQUEUE, 3},
	    {VYREC_STOP_PAUSE, 0xfffffff0},
	    {VYREC_STOP_LOAD, 9, 0x89abcdef, 0x1234567, 4096, 64},
	    {VYREC_STOP_YIELD},
	    {VYREC_STOP_JOIN},
	    {VYREC_STOP_REQUEUE, 0},
	    {VYREC_STOP_REQUEUE, 1},
	};
	struct vyrec_interp_slot slot = {{0}};
	(void)state;
	slot.words[VYRE_SLOT_WORD_ARG0] = 3;
	struct vyrec_suspend_info info =
	    run_once("requeue(a)\npause(a - 19)\nload(a * a, u64(0x123456789abcdef), 4096, 64)\nyield\njoin\n"
		     "for i in 0 .. 2 { requeue(atomic_add(out[0], 1)) }\n",
		     &slot, 0, FRAME_WORDS, &seen, &seen_set);
	assert_int_equal(info.points, 6);
	assert_int_equal(seen.notes[0], 7);
	for (unsigned k = 0; k < 7; k++) /* words that a stop does not use are what the driver put there */
		assert_memory_equal(&seen.notes[5 + k * NOTE_WORDS], want[k], sizeof want[k]);
	assert_int_equal(*(uint32_t *)seen_set.buffers[1].data, 2);
	rig_free(&seen_set);
}

static void a_point_that_is_not_there_is_a_fault(void **state)
{
	static const uint32_t wrong[] = {1, SUSPEND_BEFORE, SUSPEND_BEFORE + 4, 0x7fffffff, 0xffffffff};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct vyrec_interp_slot slot = {{0}};
		struct vyrec_suspend_info info = run_once("out[0] = 1\nyield\nif e { yield; out[0] = 2 } else { out[0] "
							  "= 3 }\nout[1] = 4\nyield\nout[2] = 5\n",
							  &slot, wrong[i], FRAME_WORDS, &seen, &seen_set);
		assert_int_equal(info.points, 3);
		assert_int_equal(slot.words[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_FAULT);
		assert_int_equal(slot.words[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_OUT_OF_RANGE);
		assert_int_equal(slot.words[VYRE_SLOT_WORD_ARG0 + 1], wrong[i]);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(((uint32_t *)seen_set.buffers[1].data)[k], 0);
		rig_free(&seen_set);
	}
}

static void no_room_is_a_fault(void **state)
{
	static const char body[] = "let x = c\nyield\nresult(0, x + u64(a))\n";
	(void)state;
	for (uint32_t room = 2; room <= 3; room++) {
		struct vyrec_interp_slot slot = {{0}};
		struct vyrec_suspend_info info = run_once(body, &slot, 0, room, &seen, &seen_set);
		assert_int_equal(info.frame_words, 3);
		assert_int_equal(slot.words[VYRE_SLOT_WORD_STATUS], room == 3 ? VYRE_SLOT_DONE : VYRE_SLOT_FAULT);
		assert_int_equal(slot.words[VYRE_SLOT_WORD_ARG0], room == 3 ? 0 : VYRE_FAULT_NO_SPACE);
		assert_int_equal(slot.words[VYRE_SLOT_WORD_ARG0 + 1], room == 3 ? 0 : 3);
		assert_int_equal(seen.notes[0], room - 2);
		rig_free(&seen_set);
	}
}

static void a_frame_holds_what_is_live_and_no_more(void **state)
{
	static const struct {
		const char *body;
		uint32_t words;
	} rows[] = {
	    {"out[0] = a\nyield\nout[1] = 2\n", 0},
	    {"let x = a + 1; let y = a * 2\nyield\nout[0] = x\n", 1},
	    {"let x = c; var y: f64 = f; let z = e\nyield\nout[0] = u32(x) + u32(y) + u32(z)\n", 5},
	    {"let x = a * 3; let y = a * 5\nyield\nout[0] = x\nyield\nout[1] = y\n", 2},
	    {"var x: u32 = a\nout[0] = x\nyield\nx = 3\nyield\nout[1] = x\n", 1},
	    {"var x: u32 = a\nfor i in 0 .. 9 {\nyield\nx = i\nout[i] = x\n}\n", 1},	 /* i */
	    {"var x: u32 = a\nfor i in 0 .. 9 {\nyield\nx = x + i\n}\nout[0] = x\n", 2}, /* i, x */
	    {"for i in 0 .. a {\nyield\nout[0] = i\n}\n", 2},				 /* i, its limit */
	    {"for i in 0 .. a * 2 {\nyield\n}\nfor i in 0 .. a {\nyield\n}\n", 3},	 /* i, its limit, a */
	    {"var x: u32 = a\nloop {\nif x > 9 { yield; break }\nx = x + 1\n}\nout[0] = 2\n", 0},
	    {"var x: u32 = a\nloop {\nif x > 9 { break }\nif x % 2 == 0 { x = x * 3 + 1; yield; continue }\nx = x + "
	     "1\n}\n",
	     1},
	    {"var x: u32 = a\nblock all {\nif e { yield; break all }\nout[0] = x\n}\nx = 1\nout[1] = x\n", 0},
	    {"var x: u32 = a\nif e { yield; trap(1) }\nout[0] = x\n", 0},
	    {"var x: u32 = a\nif e { yield; return }\nout[0] = x\n", 0},
	    {"var t: u8[12]\nt[a % 12] = 1\nyield\nout[0] = t[3]\n", 12},
	    {"var t: u64[3]\nt[a % 3] = c\nyield\nt[0] = c\nyield\nout[0] = u32(t[1])\n", 8}, /* and c */
	    {"for i in 0 .. 4 {\nvar t: u32[8]\nt[i] = a\nout[0] = t[a % 8]\nyield\n}\n", 2},
	    {"for i in 0 .. 4 {\nvar t: u32[8]\nt[i] = a\nif e { yield; break }\nout[0] = t[a % 8]\nyield\n}\n",
	     3}, /* i, a, e */
	    {"var t: u32[8]\nt[a % 8] = 2\nout[0] = t[1]\nyield\nout[1] = length(t)\n", 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vyrec_interp_slot slot = {{0}};
		struct vyrec_suspend_info info = run_once(rows[i].body, &slot, 0, FRAME_WORDS, &seen, &seen_set);
		if (info.frame_words != rows[i].words)
			fail_msg("%u words, not %u:\n%s", info.frame_words, rows[i].words, rows[i].body);
		rig_free(&seen_set);
	}
}

/* A walk for each loop inside each loop would be 2^40 of them. */
static void deep_nests_take_no_long(void **state)
{
	enum { DEPTH = 40 };
	char body[4096] = "var x: u32 = a\n";
	struct vyrec_interp_slot slot = {{0}};
	(void)state;
	for (unsigned i = 0; i < DEPTH; i++)
		snprintf(body + strlen(body), sizeof body - strlen(body), "for i%u in 0 .. %u {\nx = x + 1\n", i + 100,
			 i < 3 ? 2u : 1u);
	strcat(body, "yield\n");
	for (unsigned i = 0; i < DEPTH; i++)
		strcat(body, "}\n");
	strcat(body, "result(0, x)\n");
	struct vyrec_suspend_info info = run_once(body, &slot, 0, FRAME_WORDS, &seen, &seen_set);
	assert_int_equal(info.frame_words, DEPTH + 1);
	assert_int_equal(seen.notes[0], 8);
	assert_int_equal(slot.words[VYRE_SLOT_WORD_ARG0], 2 + 4 + 8 * (DEPTH - 2));
	rig_free(&seen_set);
}

static void without_points_nothing_changes(void **state)
{
	struct vyrec_module *m = rig_parse("program p workgroup(1) {\n  buffer b: u32[]\n  body {\n"
					   "    for i in 0 .. 4 { b[i] = i }\n  }\n}\n");
	struct vyrec_suspend_info info = {1, 1};
	size_t bytes;
	char *before = vyrec_print(m, 0, &bytes), *after;
	(void)state;
	vyrec_suspend_split(m, &(struct vyrec_suspend_env){0}, m->units[1].body, &info);
	after = vyrec_print(m, 0, &bytes);
	assert_string_equal(before, after);
	assert_int_equal(info.points + info.frame_words, 0);
	free(before);
	free(after);
	vyrec_module_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_handler_ends_as_if_it_had_not_left),
	    cmocka_unit_test(each_handler_does_so_natively),
	    cmocka_unit_test(a_stop_says_why_and_for_what),
	    cmocka_unit_test(a_point_that_is_not_there_is_a_fault),
	    cmocka_unit_test(no_room_is_a_fault),
	    cmocka_unit_test(a_frame_holds_what_is_live_and_no_more),
	    cmocka_unit_test(deep_nests_take_no_long),
	    cmocka_unit_test(without_points_nothing_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
