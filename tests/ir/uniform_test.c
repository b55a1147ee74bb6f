/* uniform_test.c - what the analysis of uniformity must refuse, and what it must not: each a few lines of text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

static const char head[] = "set s {\n"
			   "buffer data: u32[]\n"
			   "buffer table: const u32[16]\n"
			   "fn add_all(x: u32) -> u32 { return reduce_add(x) }\n"
			   "fn plain(x: u32) -> u32 { if x > 3 { return 1 }\n return x + 2 }\n"
			   "fn meet_if(x: u32) { if x > 0 { barrier } }\n"
			   "fn answer(x: u32) { result(2, x) }\n"
			   "fn noisy(x: u32) -> u32 { return x + data[0] }\n"
			   "fn spawn_some(x: u32) -> u32 { spawn(o, x) else { return 9 }\n return x }\n"
			   "op o = 0x100 (n: u32) by workgroup {\n";
static const char tail[] = "\n}\n}\n";

/* rule: the one reported, "" = none. */
static const struct {
	const char *rule, *body;
} ops[] = {
    {"", "barrier"},
    {"", "if n > 3 { barrier }"},
    {"V080", "if lane > 3 { barrier }"},
    {"V080", "if lane > 3 { } else { barrier }"},
    {"V080", "switch lane { case 1 { } default { barrier } }"},
    {"", "switch n { case 1, 2 { barrier } }"},
    /* values */
    {"V080", "let x = data[n]\n if x > 3 { barrier }"},
    {"", "let x = table[n]\n if x > 3 { barrier }"},
    {"V080", "let x = table[lane]\n if x > 3 { barrier }"},
    {"V080", "let x = atomic_add(data[0], 1)\n if x > 3 { barrier }"},
    {"", "let x = reduce_add(data[lane])\n if x > 3 { barrier }"},
    {"", "let x = any(data[lane] > 3)\n if x { barrier }"},
    {"", "let x = broadcast(data[lane], n)\n if x > 3 { barrier }"},
    {"V084", "let x = broadcast(1, lane)"},
    {"V080", "let x = subgroup_add(1)\n if x > 3 { barrier }"},
    {"", "if arg[0] > slot + tenant { barrier }"},
    {"V080", "if arg[lane] > 3 { barrier }"},
    {"", "if lanes > 3 && subgroup_size > 3 { barrier }"},
    {"V080", "if lane > 3 && any(true) { }"},
    {"", "if n > 3 && any(true) { }"},
    /* a var is what was last given to it */
    {"", "var x: u32 = data[lane]\n x = reduce_add(x)\n if x > 3 { barrier }"},
    {"", "var x: u32\n if lane == 0 { x = atomic_add(data[0], 1) }\n x = broadcast(x, 0)\n if x > 3 { barrier }"},
    {"V080", "var x: u32\n if lane == 0 { x = 1 }\n if x > 3 { barrier }"},
    {"", "var x: u32\n if n == 0 { x = 1 }\n if x > 3 { barrier }"},
    {"V080", "var x: u32\n if n == 0 { x = lane }\n if x > 3 { barrier }"},
    {"V080", "var x: u32\n switch n { case 1 { x = lane } case 2 { x = 2 } }\n if x > 3 { barrier }"},
    {"", "var x: u32 = lane\n if n == 0 { x = 1 } else { trap(3) }\n if x > 3 { barrier }"},
    /* loops */
    {"", "for i in 0 .. n { barrier }"},
    {"V080", "for i in lane .. n { barrier }"},
    {"V080", "for i in 0 .. lane { barrier }"},
    {"V080", "for i in 0 .. n { if i == lane { break }\n barrier }"},
    {"V080", "for i in 0 .. n { barrier\n if i == lane { break } }"},
    {"", "for i in 0 .. n { barrier\n if i == lane { continue } }"},
    {"V080", "for i in 0 .. n { if i == lane { continue }\n barrier }"},
    {"", "for i in 0 .. n { if i == lane { continue } }\n barrier"},
    {"", "for i in 0 .. n { if i == lane { break } }\n barrier"},
    {"", "loop { if n > 3 { break }\n barrier }"},
    {"V080", "var x: u32\n for i in 0 .. n { if x > 3 { barrier }\n x = lane }"},
    {"V080",
     "var x: u32\n var y: u32\n var z: u32\n for i in 0 .. n { if x > 3 { barrier }\n x = y\n y = z\n z = lane }"},
    {"", "var x: u32\n var y: u32\n for i in 0 .. n { if x > 3 { barrier }\n x = y\n y = i }"},
    {"V080", "var x: u32\n for i in 0 .. n { if i > 3 { x = lane\n continue }\n x = 0 }\n if x > 3 { barrier }"},
    {"V080", "var x: u32\n for i in 0 .. n { x = i\n if i == lane { break } }\n if x > 3 { barrier }"},
    {"V080", "var x: u32\n for i in 0 .. n { for k in 0 .. n { if x > 3 { barrier }\n x = lane } }"},
    {"V080", "for i in 0 .. n { for k in 0 .. n { if k == lane { break }\n barrier } }"},
    {"", "for i in 0 .. n { for k in 0 .. n { if k == lane { break } }\n barrier }"},
    /* blocks */
    {"V080", "block out { if lane == 0 { break out }\n barrier }"},
    {"", "block out { if lane == 0 { break out } }\n barrier"},
    {"V080", "block out { for i in 0 .. n { barrier\n if i == lane { break out } } }"},
    {"", "block out { for i in 0 .. n { if i == lane { break out } } }\n barrier"},
    {"V080", "block out { for i in 0 .. n { if i == lane { break out } }\n barrier }"},
    {"V080", "var x: u32\n block out { if n == 0 { x = lane\n break out }\n x = 1 }\n if x > 3 { barrier }"},
    {"", "region \"r\" { let x = n }\n if x > 3 { barrier }"},
    /* suspension, results, returns */
    {"", "yield\n requeue(n)\n pause(n)\n load(n, 0, 64, 0)"},
    {"V081", "if lane == 0 { yield }"},
    {"", "if lane == 0 { spawn(o, n) }\n join"},
    {"", "spawn(o, lane) else { atomic_add(data[0], 1) }\n join\n barrier"},
    {"V081", "if lane == 0 { join }"},
    {"V081", "spawn(o, n) else { yield }"},
    {"V081", "spawn(o, n) else { join }"},
    {"V080", "spawn(o, n) else { barrier }"},
    {"V083", "spawn(o, n) else { return }"},
    {"", "spawn(o, n) else { trap(1) }\n barrier"},
    {"V080", "var x: u32\n spawn(o, n) else { x = 1 }\n if x == 1 { barrier }"},
    {"", "var x: u32\n spawn(o, n) else { x = 1 }\n x = n\n if x == 1 { barrier }"},
    {"V080", "for i in 0 .. n { spawn(o, i) else { break }\n barrier }"},
    {"", "for i in 0 .. n { spawn(o, i) else { break } }\n barrier"},
    {"V080", "if spawn_some(n) > 3 { barrier }"},
    {"V081", "requeue(lane)"},
    {"V081", "load(1, 0, 64, lane)"},
    {"", "result(0, reduce_add(lane))"},
    {"V082", "result(0, lane)"},
    {"V082", "if lane == 0 { result(0, 1) }"},
    {"V083", "if lane == 0 { return }"},
    {"", "if n == 0 { return }\n barrier"},
    {"", "if lane == 0 { trap(1) }\n barrier"},
    {"", "if lane == 0 { atomic_add(data[0], 1)\n data[1] = 2 }"},
    /* fns */
    {"", "let x = add_all(lane)\n if x > 3 { barrier }"},
    {"V080", "if lane == 0 { let x = add_all(lane) }"},
    {"", "if plain(n) > 3 { barrier }"},
    {"V080", "if plain(lane) > 3 { barrier }"},
    {"V080", "if noisy(n) > 3 { barrier }"},
    {"", "meet_if(n)"},
    {"V080", "meet_if(lane)"},
    {"V080", "meet_if(n)\n meet_if(lane)"},
    {"", "answer(n)"},
    {"V082", "answer(lane)"},
    {"V082", "if lane == 0 { answer(n) }"},
};

/* Of a program of 64 lanes; the guard at the front is the usual one. */
static const struct {
	const char *rule, *body;
} programs[] = {
    {"", "if global_id(0) >= length(data) { return }\n data[global_id(0)] = 1"},
    {"V080", "if global_id(0) >= length(data) { return }\n barrier"},
    {"", "if workgroup_id(0) >= length(data) { return }\n barrier"},
    {"V080", "if local_id(0) > 3 { barrier(device) }"},
    {"", "catch (code, detail) { data[global_id(0)] = 1\n trap(3) }\n barrier"},
    {"V080", "catch (code, detail) { trap(lane) }\n if code > 0 { barrier }"},
    /* a trap takes some lanes to the end of the catch: what the others have done since is not theirs */
    {"", "catch (code, detail) { if lane == 1 { trap(3) }\n barrier }\n barrier"},
    {"", "catch (code, detail) { data[trap lane] = 1\n let x = reduce_add(lane)\n if x > 3 { barrier } }"},
    {"V080", "var x: u32\n catch (code, detail) { if lane == 1 { trap(3) }\n x = 1 }\n if x > 0 { barrier }"},
    {"", "var x: u32\n catch (code, detail) { if lane == 1 { trap(3) }\n x = 1\n if x > 0 { barrier } }"},
    {"", "var x: u32\n catch (code, detail) { if lane == 1 { trap(3) }\n x = 1 }\n x = 2\n if x > 0 { barrier }"},
    {"V080",
     "var x: u32\n for i in 0 .. 3 { if x > 0 { barrier }\n catch (c, d) { if lane == i { trap(1) }\n x = 1 } }"},
    {"V080", "block out { catch (c, d) { if lane == 1 { trap(3) }\n break out }\n barrier }"},
    {"", "block out { catch (c, d) { if lane == 1 { trap(3) }\n break out } }\n barrier"},
    {"V080", "catch (c, d) { if lane == 1 { trap(3) }\n return }\n barrier"},
    {"V080", "for i in 0 .. 3 { catch (c, d) { if lane == i { trap(1) }\n break }\n barrier }"},
    {"", "for i in 0 .. 3 { barrier\n catch (c, d) { if lane == i { trap(1) }\n continue } }"},
    {"V080", "if gives_up(3) > 0 { barrier }"},
    /* where they meet in it, they meet at its end */
    {"V085", "catch (c, d) { barrier\n return }"},
    {"V085", "block out { catch (c, d) { if workgroup_id(0) == 1 { break out }\n let x = reduce_add(lane) } }"},
    {"V085", "for i in 0 .. 3 { catch (c, d) { meets()\n continue } }"},
    {"V085", "block out { catch (a, b) { barrier\n catch (c, d) { trap(lane) }\n break out } }"},
    {"V085", "catch (a, b) { barrier\n catch (c, d) { return } }"},
    {"", "catch (a, b) { barrier\n block out { catch (c, d) { if lane == 1 { break out }\n trap(1) } } }"},
    {"", "catch (a, b) { for i in 0 .. 3 { barrier\n if i == 2 { break } } }"},
    {"", "catch (a, b) { let x = gives_up(1)\n barrier }"},
    {"", "for i in global_id(0) .. length(data) step workgroups(0) * lanes { data[i] = 1 }\n barrier"},
};

static void expect(const char *text, const char *rule)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("t.vyre", text, strlen(text), &diags);
	if (m)
		vyrec_verify(m, &diags);
	bool fine = m && (*rule ? diags.count > 0 : diags.count == 0);
	for (uint32_t i = 0; fine && i < diags.count; i++)
		fine = !strcmp(diags.items[i].rule, rule);
	if (!fine) {
		vyrec_diags_print(&diags, "t.vyre", text, strlen(text), stderr);
		fail_msg("expected %s of\n%s", *rule ? rule : "no report", text);
	}
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

static void test_ops(void **state)
{
	char text[2048];
	(void)state;
	for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
		snprintf(text, sizeof text, "%s%s%s", head, ops[i].body, tail);
		expect(text, ops[i].rule);
	}
}

/* One lane alone is always together: the same bodies are fine in a workgroup of one. */
static void test_one_lane_agrees_with_itself(void **state)
{
	char text[2048];
	(void)state;
	for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
		snprintf(text, sizeof text, "%s%s%s", head, ops[i].body, tail);
		char *wide = strstr(text, "by workgroup {");
		memmove(wide + 15, wide + 12, strlen(wide + 12) + 1);
		memcpy(wide + 12, "(1)", 3);
		expect(text, "");
	}
}

static void test_programs(void **state)
{
	char text[2048];
	(void)state;
	for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++) {
		snprintf(text, sizeof text,
			 "program p workgroup(64) {\nbuffer data: u32[]\nfn meets() { barrier }\n"
			 "fn gives_up(x: u32) -> u32 { catch (c, d) { if x == 1 { return 5 }\n data[trap 99] = 1 }\n"
			 "return 7 }\nbody {\n%s\n}\n}\n",
			 programs[i].body);
		expect(text, programs[i].rule);
	}
}

/* What is refused, and what is not, does not depend on the form: the module that VIR0 gives back is judged alike. */
static void test_forms_agree(void **state)
{
	char text[2048];
	(void)state;
	for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
		struct vyrec_diags first = {0}, second = {0};
		size_t size;
		snprintf(text, sizeof text, "%s%s%s", head, ops[i].body, tail);
		struct vyrec_module *m = vyrec_parse("t.vyre", text, strlen(text), &first);
		uint8_t *bytes = vyrec_vir0_write(m, &size);
		struct vyrec_module *again = vyrec_vir0_read("t.vir0", bytes, size, &second);
		assert_int_equal(vyrec_verify(m, &first), vyrec_verify(again, &second));
		assert_int_equal(first.count, second.count);
		char *a = vyrec_print(m, 0, &size), *b = vyrec_print(again, 0, &size);
		assert_string_equal(a, b);
		free(a);
		free(b);
		free(bytes);
		vyrec_module_destroy(again);
		vyrec_module_destroy(m);
		vyrec_diags_finish(&first);
		vyrec_diags_finish(&second);
	}
}

/* Loops in loops, each of which learns something: the work is the sum, not the product. */
static void test_nested_loops_end(void **state)
{
	char text[16384], *at = text;
	(void)state;
	at += sprintf(at, "%s", head);
	for (int i = 0; i < 40; i++)
		at += sprintf(at, "var v%d: u32\n", i);
	for (int i = 0; i < 40; i++)
		at += sprintf(at, "for k%d in 0 .. n {\nif v%d > 0 { v%d = v%d }\n", i, i, i, (i + 39) % 40);
	at += sprintf(at, "v39 = lane\n");
	for (int i = 0; i < 40; i++)
		at += sprintf(at, "v%d = v%d }\n", i, i + 1 < 40 ? i + 1 : 0);
	sprintf(at, "if v7 > 3 { barrier }%s", tail);
	expect(text, "V080");
}

/* Calls as deep as they may be, each under as many blocks as they may be: no stack is spent without end. */
static void test_deep_calls_under_deep_blocks(void **state)
{
	enum { CALLS = VYREC_MAX_CALL_DEPTH - 1, BLOCKS = VYREC_MAX_NESTING - 4 };
	static char text[1 << 17];
	char *at = text;
	(void)state;
	at += sprintf(at, "set s {\nfn deep0(x: u32) -> u32 { return reduce_add(x) }\n");
	for (int f = 1; f < CALLS; f++) {
		at += sprintf(at, "fn deep%d(x: u32) -> u32 {\nvar r: u32\n", f);
		for (int i = 0; i < BLOCKS; i++)
			at += sprintf(at, "if x > %d {\n", i);
		at += sprintf(at, "r = deep%d(x)\n", f - 1);
		for (int i = 0; i < BLOCKS; i++)
			at += sprintf(at, "}\n");
		at += sprintf(at, "return r }\n");
	}
	sprintf(at, "op o = 0x100 (n: u32) by workgroup { let x = deep%d(n)\nif x > 3 { barrier } }\n}\n", CALLS - 1);
	expect(text, "");
	memcpy(strstr(text, "reduce_add(x)"), "subgroup_lane", 13); /* and what differs is found from the bottom */
	expect(text, "V080");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ops),
	    cmocka_unit_test(test_one_lane_agrees_with_itself),
	    cmocka_unit_test(test_programs),
	    cmocka_unit_test(test_forms_agree),
	    cmocka_unit_test(test_nested_loops_end),
	    cmocka_unit_test(test_deep_calls_under_deep_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
