/* parse_test.c - the parser: types of literals, where statements end, messages with place and remedy, limits, hostile
 * input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

struct text {
	char *bytes;
	size_t count, capacity;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list args;
	if (text->count + 8192 > text->capacity)
		text->bytes = realloc(text->bytes, text->capacity = (text->capacity + 8192) * 2);
	va_start(args, format);
	text->count += (size_t)vsnprintf(text->bytes + text->count, 8000, format, args);
	va_end(args);
}

/* A body inside an op that has something of everything to refer to. */
#define BEFORE \
	"set s {\n  buffer a: u32[]\n  buffer f: f32[]\n  buffer b: u8[]\n  const C = 4\n  fn sq(x: f32) -> f32 { " \
	"return x * x }\n" \
	"  op two = 2 (n: u32) by lane {}\n" \
	"  op one = 1 (x: u32, y: f32, i: i32, w: u64, d: f64, h: f16, q: bool) by workgroup {\n"
enum { BODY_LINE = 9 };
#define AFTER "\n  }\n}\n"

static struct vyrec_module *parse_body(const char *body, struct vyrec_diags *diags)
{
	struct text text = {0};
	add(&text, "%s", BEFORE);
	add(&text, "%s", body);
	add(&text, "%s", AFTER);
	/* an exact copy, so that a sanitizer sees a read past the end */
	char *exact = malloc(text.count);
	memcpy(exact, text.bytes, text.count);
	struct vyrec_module *module = vyrec_parse("test", exact, text.count, diags);
	free(exact);
	free(text.bytes);
	return module;
}

static struct vyrec_module *must_parse(const char *body)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *module = parse_body(body, &diags);
	if (!module)
		vyrec_diags_print(&diags, body, NULL, 0, stderr);
	vyrec_diags_finish(&diags);
	assert_non_null(module);
	return module;
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *expr;
	vyrec_type type;
} typed[] = {
    {"1", VYREC_U32},
    {"1.0", VYREC_F32},
    {"1e3", VYREC_F32},
    {"true", VYREC_BOOL},
    {"inf", VYREC_F32},
    {"1 + 2", VYREC_U32},
    {"i + 1", VYREC_I32},
    {"1 + i", VYREC_I32},
    {"(1 + 2) * w", VYREC_U64},
    {"1 + 2 * (3 - w)", VYREC_U64},
    {"2 * y", VYREC_F32},
    {"d * 2 + 1", VYREC_F64},
    {"h + 1", VYREC_F16},
    {"-1 + i", VYREC_I32},
    {"-1.5", VYREC_F32},
    {"i64(-1)", VYREC_I64},
    {"u64(1 + 2)", VYREC_U64},
    {"f64(1)", VYREC_F64},
    {"u32(1.5)", VYREC_U32},
    {"i32(y)", VYREC_I32},
    {"bool(1)", VYREC_BOOL},
    {"x < 3", VYREC_BOOL},
    {"1 < 2", VYREC_BOOL},
    {"i > -1 && q", VYREC_BOOL},
    {"select(q, 1, 2)", VYREC_U32},
    {"select(q, 1, w)", VYREC_U64},
    {"select(q, i, -1)", VYREC_I32},
    {"min(1, i)", VYREC_I32},
    {"sqrt(4)", VYREC_F32},
    {"sqrt(4) + d", VYREC_F64},
    {"fma(1, 2.0, d)", VYREC_F64},
    {"1.0 == 1", VYREC_BOOL},
    {"is_nan(1)", VYREC_BOOL},
    {"popcount(w) + 1", VYREC_U64},
    {"unpack_s8(1, 2)", VYREC_I32},
    {"bitcast_f32(1)", VYREC_F32},
    {"b[0] + 1", VYREC_U32},
    {"f[x] * 2", VYREC_F32},
    {"length(a)", VYREC_U32},
    {"arg[3]", VYREC_U32},
    {"C", VYREC_U32},
    {"sq(2)", VYREC_F32},
    {"sin(1)", VYREC_F32},
    {"reduce_add(1)", VYREC_U32},
    {"ballot(q)", VYREC_U64},
    {"lane + 1", VYREC_U32},
    {"x << 3 >> 1", VYREC_U32},
    {"~0 ^ w", VYREC_U64},
    {"!q || q", VYREC_BOOL},
    {"-(1)", VYREC_U32},
    {"rotl(1, 2)", VYREC_U32},
    {"0b1011 + 0xf", VYREC_U32},
    {"1_000 + 0xff_ff", VYREC_U32},
    {"18446744073709551615 - w", VYREC_U64},
    {"-9223372036854775808 + i64(0)", VYREC_I64},
    {"atomic_load(a[0], acquire)", VYREC_U32},
    {"x + (\n1)", VYREC_U32},
    {"x +\n1", VYREC_U32},
    {"sq(\n2\n)", VYREC_F32},
};

static void literals_take_their_type_from_context(void **state)
{
	(void)state;
	for (size_t t = 0; t < sizeof typed / sizeof *typed; t++) {
		char body[256];
		struct vyrec_diags diags = {0};
		snprintf(body, sizeof body, "    let v = %s", typed[t].expr);
		struct vyrec_module *module = parse_body(body, &diags);
		vyrec_type type = VYREC_VOID;
		for (vyrec_stmt s = 1; module && s < module->stmt_count; s++)
			if (module->stmts[s].kind == VYREC_STMT_LET) /* the prelude has lets too, behind this one */
				type = type ? type : module->locals[module->stmts[s].local].type;
		for (vyrec_expr e = 1; module && e < module->expr_count; e++)
			assert_true(module->exprs[e].type < VYREC_TYPE_COUNT);
		vyrec_diags_finish(&diags);
		vyrec_module_destroy(module);
		if (type != typed[t].type)
			fail_msg("%s is %s, not %s", typed[t].expr, vyrec_type_name(type),
				 vyrec_type_name(typed[t].type));
	}
}

static void consts_are_evaluated(void **state)
{
	(void)state;
	static const char text[] = "set s {\n const A = B * 2 + 1\n const B = C << 4\n const C: u32 = 0x3\n"
				   " const D: i64 = -5\n const E = D < 0 && B == 48\n const F = f32(A) / 2\n"
				   " const G = select(E, 7, 9)\n const H = A +\n  1\n}\n";
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("test", text, sizeof text - 1, &diags);
	assert_non_null(m);
	static const struct {
		vyrec_type type;
		uint64_t value;
	} want[] = {{VYREC_U32, 97}, {VYREC_U32, 48},	      {VYREC_U32, 3}, {VYREC_I64, (uint64_t)-5},
		    {VYREC_BOOL, 1}, {VYREC_F32, 0x42420000}, {VYREC_U32, 7}, {VYREC_U32, 98}};
	assert_int_equal(m->const_count - 1, sizeof want / sizeof *want);
	for (vyrec_const c = 1; c < m->const_count; c++) {
		assert_int_equal(m->consts[c].type, want[c - 1].type);
		assert_true(m->consts[c].value == want[c - 1].value);
	}
	vyrec_module_destroy(m);
	vyrec_diags_finish(&diags);
}

static void bodies_that_parse(void **state)
{
	(void)state;
	static const char *const bodies[] = {
	    "let length = x; let min = length; a[0] = min", /* words of calls are free as names */
	    "if q { a[0] = 1 } else if x == 1 { a[0] = 2 }\n else { a[0] = 3 }",
	    "let r = a[\n x\n]\n a[0] =\n r",
	    "for k in 0 .. 3 { if k == 1 { continue } break }",
	    "for k in 0..x { a[k] = k }",
	    "switch i { case -1, 2 { a[0] = 1 } default {} }",
	    "spawn(two, 5); result(0, x); yield",
	    "spawn(two, 5) else { a[0] = 1 } join; spawn(two, 6)\n else {}\n join\n yield",
	    "if q { spawn(two, 5) } else { spawn(two, 6) else { return } }",
	    "if q { let t = 1; a[0] = t } if !q { let t = 2; a[0] = t }", /* disjoint blocks may share a name */
	    "var z: u8[4]; z[0] = 300; z[x] = b[1]",
	    "let sin = y; f[0] = sin(sin)", /* a local and a prelude fn live apart */
	    "log(3, \"x\\n\\x41\", x, 2); log(3, x, 2); let l = log(y); f[0] = l",
	};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		vyrec_module_destroy(must_parse(bodies[i]));
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *body;
	unsigned column; /* on the body's line */
	const char *message;
} wrong[] = {
    {"let v = x + y", 11, "'+' of u32 and f32; convert one: u32(...)"},
    {"let v = xs + 1", 9, "no value 'xs' is visible here; did you mean 'x'?"},
    {"let v = mim(1, 2)", 9, "did you mean 'min'?"},
    {"aa[0] = 1", 1, "did you mean 'a'?"},
    {"let v: foo = 1", 8, "no type 'foo'"},
    {"let v: f33 = 1", 8, "did you mean 'f32'?"},
    {"lte v = 1", 1, "did you mean 'let'?"},
    {"while x < 3 { }", 1, "use loop"},
    {"if x = 3 { }", 6, "compare with '=='"},
    {"let v = x = 3", 11, "compare with '=='"},
    {"if x { }", 4, "the condition is u32, not bool; compare it"},
    {"x = 3", 1, "it is a parameter; copy it to a var"},
    {"let v = 1; v = 2", 12, "it is a let; declare it with var"},
    {"for k in 0 .. 3 { k = 1 }", 19, "it is the counter of a for"},
    {"let v = -1", 9, "-1 needs a signed or float type, and here it is u32; write u32(i32(-1)) for its bits"},
    {"let v: i32 = 2147483648", 14, "2147483648 does not fit i32, which ends at 2147483647"},
    {"let v: i32 = -2147483649", 14, "-2147483649 does not fit i32, which ends at -2147483648"},
    {"let v = 4294967296", 9, "does not fit u32"},
    {"let v = 18446744073709551616", 9, "larger than 18446744073709551615"},
    {"let v: f16 = 70000", 14, "too large for f16"},
    {"let v = 1e39", 9, "too large for f32"},
    {"a[y] = 1", 3, "the index is f32, not u32; convert it: u32(...)"},
    {"a[clamb x] = 1", 3, "'clamb' is no bounds policy; write checked, clamp, trap or unchecked"},
    {"x + 1", 1, "the value is not used"},
    {"let v = x < 1 < 2", 15, "comparisons do not chain"},
    {"let v: f32 = x", 14, "the value is u32, not f32; convert it: f32(...)"},
    {"let v = 12abc", 9, "does not belong in this number"},
    {"let v = 1__0", 9, "'_' stands between two digits"},
    {"let v = \"text\"", 9, "a string where a value is expected"},
    {"let v = \"text", 9, "string does not end on its line"},
    {"region \"a\\q\" { }", 8, "unknown escape"},
    {"atomic_add(a[0], 1, relax)", 21, "no memory order here; write relaxed"},
    {"atomic_add(a[0], 1, relaxed, world)", 30, "no memory scope here"},
    {"atomic_add(a[0], y)", 18, "the value of the atomic is f32, not u32"},
    {"break out", 7, "no label 'out'"},
    {"let v = min(1)", 9, "min takes 2 operands, not 1"},
    {"let v = sq()", 9, "sq takes 1 argument, not 0"},
    {"let v = sq(x)", 12, "argument 'x' is u32, not f32"},
    {"let v = !x", 9, "'!' has no form for u32"},
    {"let v = q + q", 11, "'+' has no form for bool"},
    {"let v = sqrt(x)", 9, "'sqrt' has no form for u32"},
    {"let v = bool(y)", 9, "compare it, for example with != 0.0"},
    {"let v = u8(x)", 9, "u8 is a type of buffer elements only"},
    {"var v: u8 = 1", 5, "u8 is a type of buffer elements only; a var is u32"},
    {"let a = 1", 5, "'a' is already declared at 2:10 and visible here"},
    {"let result = 1", 5, "'result' is a word of the language"},
    {"return 3", 8, "only a fn returns a value"},
    {"spawn(two)", 7, "op two takes 1 argument, not 0"},
    {"spawn(three)", 7, "no op 'three' in this set"},
    {"spawn(two, 1) else a[0] = 1", 20, "to open a block"},
    {"spawn(two, 1) { a[0] = 1 }", 15, "after the end of the statement"},
    {"spawn(two, 1) else { let t = 1 } a[0] = t", 41, "no value 't' is visible here"},
    {"x = 1 else { }", 7, "after the end of the statement"},
    {"else { }", 1, "an else follows the '}' of an if, or a spawn"},
    {"join(1)", 5, "after the end of the statement"},
    {"let join = 1", 5, "'join' is a word of the language"},
    {"switch y { }", 8, "it takes u32 or i32"},
    {"switch x { foo }", 12, "write case or default"},
    {"result(12, x)", 8, "the greatest is 11"},
    {"var v: u32[5000]", 5, "local array of 5000 elements; the limit is 4096"},
    {"- 1", 1, "a statement cannot start with '-'"},
    {"x y", 1, "no statement 'x'"},
    {"let v = x y", 11, "start a new line or put ';' before it"},
    {"let v = (x + 1", 0, "where ')' is expected"},
    {"let v = a", 9, "'a' is an array; take one element: a[...]"},
    {"let v = sq", 9, "'sq' is a fn; call it"},
    {"let v = barrier", 9, "'barrier' where a value is expected"},
    {"let v = 1 $ 2", 11, "'$' has no meaning here"},
    {"let v = \xc3\xa9", 9, "character outside ASCII"},
    {"let v = \xff", 9, "is not UTF-8"},
    {"// \xff", 4, "byte 0xff in a comment; save the file as UTF-8"},
    {"opaque \"e\" \"0g\"", 12, "write hexadecimal digits"},
    {"opaque \"e\" \"012\"", 12, "a byte has two"},
    {"shared t: u32[4]; let v = 1; shared s: u32[4]", 30, "shared arrays stand at the start of an op"},
    {"dispatch(nothing, a[0])", 10, "no program 'nothing' in this file"},
    {"async_load(a[clamp 0], f[trap 0], 1, 0)", 24, "two bounds policies, clamp and trap"},
    {"trap(y)", 6, "the code of a trap is f32, not u32"},
    {"let v = workgroup_id", 9, "workgroup_id needs an axis"},
    {"let v = global_id(3)", 19, "the axis is 3; the greatest is 2"},
};

static void messages_say_where_and_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct vyrec_diags diags = {0};
		struct vyrec_module *module = parse_body(wrong[i].body, &diags);
		bool found = false;
		for (uint32_t d = 0; d < diags.count; d++)
			found |= strstr(diags.items[d].message, wrong[i].message) &&
				 (!wrong[i].column || diags.items[d].loc == VYREC_LOC(BODY_LINE, wrong[i].column));
		if (module || !found) {
			vyrec_diags_print(&diags, "test", NULL, 0, stderr);
			fail_msg("%s: no message \"%s\" at column %u", wrong[i].body, wrong[i].message,
				 wrong[i].column);
		}
		vyrec_module_destroy(module);
		vyrec_diags_finish(&diags);
	}
}

static void every_error_is_reported(void **state)
{
	(void)state;
	static const char body[] =
	    "let v1 = x + y\nlet v2 = (x +\nlet v3 = nope\nif x = 1 { let v4 = nope2 }\nwhile q {\n"
	    "  let v5 = 1\n}\nlet v6 = nope3\nbreak nolabel\n";
	static const unsigned lines[] = {0, 3, 3, 7, 8}; /* of the body, that must each have a message */
	struct vyrec_diags diags = {0};
	assert_null(parse_body(body, &diags));
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		bool found = false;
		for (uint32_t d = 0; d < diags.count; d++)
			found |= VYREC_LOC_LINE(diags.items[d].loc) == BODY_LINE + lines[i];
		if (!found)
			fail_msg("no message for line %u of the body", lines[i]);
	}
	assert_true(diags.errors >= 7);
	vyrec_diags_finish(&diags);
}

static void units_and_items(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
	    {"set a {} set a {}", "'a' is already a set or program"},
	    {"foo", "write set NAME"},
	    {"set a { buffer x: u32[] buffer y: u32[] }", "start a new line"},
	    {"set a { buffer x: u33[] }", "no type 'u33' is visible here; did you mean 'u32'?"},
	    {"set a { buffer x: u32[0] }", "buffer of 0 elements"},
	    {"set a { op o = 1 () by lane { ", "is never closed"},
	    {"set a { fn min(a: u32) {} }", "'min' is an operation of the language"},
	    {"set a { const A = A }", "const 'A' needs itself"},
	    {"set a { const A = B\n const B = A }", "needs itself; break the circle"},
	    {"set a { const A = lane }", "a const is made of literals"},
	    {"set a { const A = 1 + }", "'}' where a value is expected"},
	    {"set a { op o = 1 () by thread {} }", "where 'lane' is expected"},
	    {"set a { op o = 1 () by lane {}\n op o = 2 () by lane {} }", "op 'o' is already declared"},
	    {"set a { op o = 0x1ffffffff () by lane {} }", "the opcode is 8589934591"},
	    {"program p workgroup(32, 64) { body {} }", "workgroup of 2048 lanes; the limit is 1024"},
	    {"program p workgroup(0) { body {} }", "workgroup of 0 lanes"},
	    {"program p workgroup(1) { body {} body {} }", "a program has one body"},
	    {"program p workgroup(1) feed other { body {} }", "write one of: none, slots, live, priority, tasks"},
	    {"program p workgroup(1) feed live() { body {} }", "where the features of a lowered set is expected"},
	    {"program p workgroup(1) feed live(1) { body {} }", "between the features and the words of a frame"},
	    {"program p workgroup(1) feed live(2, 65537) { body {} }", "the words of a frame is 65537"},
	    {"program p workgroup(1) feed live(2, 1 { body {} }", "after the words of a frame"},
	    {"set a { body {} }", "a set has no body"},
	    {"set a { shared x: u32[4] }", "declare it at the start of the op"},
	    {"program p workgroup(1) { shared x: u64[10000]\n body {} }",
	     "shared array of 80000 bytes; the limit is 49152"},
	    {"set a { fn f() -> u32 { return } }", "return without a value"},
	    {"set a { fn f() { return 1 } }", "this fn has no result type"},
	    {"set a {\n fn f() { }\n fn f() { } }", "'f' is already declared at 2:5"},
	    {"set a\0b {}", "byte 0x00; remove the control character"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vyrec_diags diags = {0};
		size_t bytes = strlen(rows[i].text);
		if (bytes == 5)
			bytes = 10; /* the row with the NUL */
		struct vyrec_module *m = vyrec_parse("test", rows[i].text, bytes, &diags);
		bool found = false;
		for (uint32_t d = 0; d < diags.count; d++)
			found |= strstr(diags.items[d].message, rows[i].message) != NULL;
		if (m || !found) {
			vyrec_diags_print(&diags, "test", NULL, 0, stderr);
			fail_msg("%s: no message \"%s\"", rows[i].text, rows[i].message);
		}
		vyrec_diags_finish(&diags);
	}
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static void repeat(struct text *text, const char *what, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		add(text, what, i);
}

static void check_limit(struct text *text, bool good, const char *number)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("test", text->bytes, text->count, &diags);
	bool found = false;
	for (uint32_t d = 0; d < diags.count; d++)
		found |= strstr(diags.items[d].message, number) != NULL;
	if (good != (m != NULL) || (!good && !found)) {
		vyrec_diags_print(&diags, "test", NULL, 0, stderr);
		fail_msg("the limit %s: %s", number,
			 good ? "refused what is within" : "accepted, or no message with the number");
	}
	vyrec_module_destroy(m);
	vyrec_diags_finish(&diags);
	free(text->bytes);
	*text = (struct text){0};
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void wrapped(const char *head, const char *open, const char *inside, const char *close, const char *tail,
		    unsigned times, bool good, const char *number)
{
	struct text text = {0};
	add(&text, "%s", head);
	repeat(&text, open, times);
	add(&text, "%s", inside);
	repeat(&text, close, times);
	add(&text, "%s", tail);
	check_limit(&text, good, number);
}

#define IN_OP "set s { buffer a: u32[]\n op o = 1 (x: u32) by lane {\n"
static void limits_are_refused_with_their_number(void **state)
{
	(void)state;
	wrapped(IN_OP, "block {", "", "}", "}}", 60, true, "64");
	wrapped(IN_OP, "block {", "", "}", "}}", 70, false, "64");
	wrapped(IN_OP, "block {", "", "}", "}}", 200000, false, "64");
	wrapped(IN_OP, "if x == %u {} else ", "{}", "", "}}", 50, true, "64");
	wrapped(IN_OP, "if x == %u {} else ", "{}", "", "}}", 5000, false, "64");
	wrapped(IN_OP "let v = ", "(", "x", ")", "}}", 120, true, "128");
	wrapped(IN_OP "let v = ", "(", "x", ")", "}}", 100000, false, "128");
	wrapped(IN_OP "let v = ", "~", "x", "", "}}", 120, true, "128");
	wrapped(IN_OP "let v = ", "~", "x", "", "}}", 100000, false, "128");
	wrapped(IN_OP "let v = x", " + x", "", "", "}}", 120, true, "128");
	wrapped(IN_OP "let v = x", " + x", "", "", "}}", 100000, false, "128");
	wrapped(IN_OP "let v = 1", " + 1", "", "", "}}", 100000, false, "128");
	wrapped(IN_OP "let v = ", "a[", "x", "]", "}}", 100000, false, "128");
	wrapped(IN_OP "let v = ", "min(1,", "x", ")", "}}", 100000, false, "128");
	wrapped("set s { op o = 1 (p: u32", ", p%u: u32", "", "", ") by lane {}}", 11, true, "12");
	wrapped("set s { op o = 1 (p: u32", ", p%u: u32", "", "", ") by lane {}}", 12, false, "12");
	wrapped(IN_OP "switch x {", "case %u {}\n", "", "", "}}}", 4096, true, "4096");
	wrapped(IN_OP "switch x {", "case %u {}\n", "", "", "}}}", 4097, false, "4096");
	wrapped("", "set s%u {}\n", "", "", "", 256, true, "256");
	wrapped("", "set s%u {}\n", "", "", "", 257, false, "256");
	wrapped("set s {", "buffer b%u: u32[]\n", "", "", "}", 1024, true, "1024");
	wrapped("set s {", "buffer b%u: u32[]\n", "", "", "}", 1025, false, "1024");
	wrapped("set s {", "op o%u = 1 () by lane {}\n", "", "", "}", 1024, true, "1024");
	wrapped("set s {", "op o%u = 1 () by lane {}\n", "", "", "}", 1025, false, "1024");
	wrapped("set n", "n", "", "", " {}", 254, true, "255");
	wrapped("set n", "n", "", "", " {}", 255, false, "255");
	wrapped(IN_OP "region \"", "n", "\" {}", "", "}}", 4096, true, "4096");
	wrapped(IN_OP "region \"", "n", "\" {}", "", "}}", 4097, false, "4096");
	wrapped(IN_OP "let v = ", "1", "", "", "}}", 1000, false, "256");
	wrapped(IN_OP, "a[0] = 1\n", "", "", "}}", 400000, false, "1048576");
	wrapped("set s {", "fn g%u(a: u32) {}\n", "", "", "}", 100000, true,
		""); /* no limit, and no square of the number */
	wrapped("", " ", "", "", "", (16 << 20) + 1, false, "16777216");
}

static void const_chains_are_bounded(void **state)
{
	(void)state;
	struct text text = {0};
	add(&text, "set s {\n");
	for (unsigned i = 0; i < 20000; i++)
		add(&text, "const A%u = A%u + 1\n", i, i + 1);
	add(&text, "const A20000 = 1\n}\n");
	check_limit(&text, false, "128");
}

/* ---- hostile input ----------------------------------------------------------------------------------------------- */

static char *read_file(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *text = malloc(1 << 20);
	*bytes = fread(text, 1, 1 << 20, file);
	fclose(file);
	return text;
}

/* Whatever the bytes: a module without errors, or no module and errors. */
static void parse_any(const char *text, size_t bytes)
{
	struct vyrec_diags diags = {0};
	char *exact = malloc(bytes ? bytes : 1);
	memcpy(exact, text, bytes);
	struct vyrec_module *m = vyrec_parse("test", exact, bytes, &diags);
	assert_true((m == NULL) == (diags.errors > 0));
	assert_true(diags.count <= 2 * VYREC_MAX_ERRORS);
	for (vyrec_expr e = 1; m && e < m->expr_count; e++)
		assert_true(m->exprs[e].type < VYREC_TYPE_COUNT);
	vyrec_module_destroy(m);
	vyrec_diags_finish(&diags);
	free(exact);
}

static void every_prefix_is_survived(void **state)
{
	(void)state;
	size_t bytes;
	char *text = read_file(VYRE_SOURCE_DIR "/tests/ir/everything.txt", &bytes);
	for (size_t n = 0; n <= bytes; n += n + 40 < bytes ? 7 : 1)
		parse_any(text, n);
	free(text);
}

static void broken_bytes_are_survived(void **state)
{
	(void)state;
	static const char *const pieces[] = {
	    "{",   "}",	   "(",		  ")",	     "[",	"]",	     ",",	":",	   "=",
	    "==",  "-",	   "..",	  "if ",     "else ",	"let ",	     "loop ",	"switch ", "case 1 ",
	    "1",   "0x",   "1e9",	  "\"",	     "//x\n",	"\n",	     ";",	"u32",	   "nan",
	    "arg", "trap", "atomic_add(", "shared ", "return ", "(((((((((", "sin(1.0)"};
	size_t bytes;
	uint64_t random = 88172645463325252u;
	char *text = read_file(VYRE_SOURCE_DIR "/tests/ir/everything.txt", &bytes);
	for (unsigned turn = 0; turn < 1500; turn++) {
		char *copy = malloc(bytes + 256);
		size_t count = bytes;
		memcpy(copy, text, bytes);
		for (unsigned edit = 0; edit < 1 + turn % 5; edit++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			size_t at = (size_t)(random >> 20) % count;
			const char *piece = pieces[(random >> 12) % (sizeof pieces / sizeof *pieces)];
			if (random >> 63) {
				copy[at] = (char)(random >> 40);
			} else {
				memmove(copy + at + strlen(piece), copy + at, count - at);
				memcpy(copy + at, piece, strlen(piece));
				count += strlen(piece);
			}
		}
		parse_any(copy, count);
		free(copy);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(literals_take_their_type_from_context),
	    cmocka_unit_test(consts_are_evaluated),
	    cmocka_unit_test(bodies_that_parse),
	    cmocka_unit_test(messages_say_where_and_what_to_do),
	    cmocka_unit_test(every_error_is_reported),
	    cmocka_unit_test(units_and_items),
	    cmocka_unit_test(limits_are_refused_with_their_number),
	    cmocka_unit_test(const_chains_are_bounded),
	    cmocka_unit_test(every_prefix_is_survived),
	    cmocka_unit_test(broken_bytes_are_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
