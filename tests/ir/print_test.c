/* print_test.c - the printer: print(parse(print(x))) == print(x) for text, for trees made by hand and for random trees;
 * literals come back bit for bit with their type; `vyrec fmt` loses no comment and does nothing the second time.
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

static uint64_t random_state = UINT64_C(88172645463325252);

static uint64_t random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static char *read_file(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *text = malloc(1 << 20);
	*bytes = fread(text, 1, 1 << 20, file);
	fclose(file);
	return text;
}

static struct vyrec_module *parse_or_fail(const char *text, size_t bytes)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("test", text, bytes, &diags);
	if (!m) {
		vyrec_diags_print(&diags, "test", text, bytes, stderr);
		fail_msg("the text does not parse:\n%.*s", (int)bytes, text);
	}
	vyrec_diags_finish(&diags);
	return m;
}

/* Prints, reads back, prints again: the same bytes. Returns the module read back and its text. */
static struct vyrec_module *round_trip(const struct vyrec_module *m, unsigned flags, char **text)
{
	size_t bytes, again;
	*text = vyrec_print(m, flags, &bytes);
	struct vyrec_module *back = parse_or_fail(*text, bytes);
	char *second = vyrec_print(back, flags, &again);
	if (again != bytes || memcmp(*text, second, bytes) != 0)
		fail_msg("printing is not stable:\n%s\nthen:\n%s", *text, second);
	free(second);
	return back;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void canonical_text(void **state)
{
	(void)state;
	static const struct {
		const char *source, *want;
	} rows[] = {
	    {"let v=((x))+(1)", "let v = x + 1"},
	    {"let v = (x+1)*2-(3-(4-x))", "let v = (x + 1) * 2 - (3 - (4 - x))"},
	    {"let v = x&3|x^5<<1", "let v = x & 3 | x ^ 5 << 1"},
	    {"let v = (x|1)&3", "let v = (x | 1) & 3"},
	    {"let v = !(x==1)&&(q||q)", "let v = !(x == 1) && (q || q)"},
	    {"let v = (x == 1) == q", "let v = (x == 1) == q"},
	    {"let v: u32 = 5", "let v = 5"},
	    {"let v: i64 = 5", "let v: i64 = 5"},
	    {"let v = i64(5) + 6", "let v: i64 = 5 + 6"},
	    {"let v = i64(5) < 6", "let v = i64(5) < 6"},
	    {"let v = u64(x) + u64(1)", "let v = u64(x) + 1"},
	    {"let v = u64(u32(1))", "let v = u64(u32(1))"},
	    {"let v = -(5)", "let v = -(5)"},
	    {"let v = - 5 + i", "let v = -5 + i"},
	    {"let v = -(-5) + i", "let v = -(-5) + i"},
	    {"let v = --i", "let v = --i"},
	    {"let v = i - -5", "let v = i - -5"},
	    {"let v = 1.50e3", "let v = 1500.0"},
	    {"let v = 1e-9 + 1e30", "let v = 1e-9 + 1e30"},
	    {"let v = f32(16777217)", "let v = 16777216.0"},
	    {"let v = f64(0.1)", "let v: f64 = 0.1"},
	    {"let v = -inf + nan", "let v = -inf + nan"},
	    {"let v = bitcast_f32(0xffc00000)", "let v = bitcast_f32(0xffc00000)"},
	    {"let v = bitcast_f32(1)", "let v = bitcast_f32(1)"},
	    {"let v = bitcast_f32(u32(0x7f800001))", "let v = bitcast_f32(u32(2139095041))"},
	    {"a[checked x]=a[unchecked 1]", "a[checked x] = a[unchecked 1]"},
	    {"atomic_add(a[0],1,relaxed,device)", "atomic_add(a[0], 1)"},
	    {"atomic_add(a[0],1,acquire,device)", "atomic_add(a[0], 1, acquire)"},
	    {"atomic_add(a[0],1,relaxed,system)", "atomic_add(a[0], 1, relaxed, system)"},
	    {"barrier(workgroup)", "barrier"},
	    {"fence(release, device)", "fence(release)"},
	    {"trap(4: x)", "trap(4: x)"},
	    {"log(1, \"a\\x22\\n\", x, 2)", "log(1, \"a\\\"\\n\", x, 2)"},
	    {"opaque \"e\" \"DE AD\"", "opaque \"e\" \"dead\""},
	    {"if q{}", "if q {}"},
	    {"spawn(o,1,i,q)else{}join", "spawn(o, 1, i, q) else {}\n    join"},
	    {"spawn(o,1,2,q)\nelse{a[0]=1}yield", "spawn(o, 1, 2, q) else {\n      a[0] = 1\n    }\n    yield"},
	    {"result(0,i64(1))", "result(0, i64(1))"},
	    {"for k in i32(0)..5{}", "for k in i32(0) .. 5 {}"},
	    {"for k in 0..i{}", "for k in 0 .. i {}"},
	    {"switch i {case -1,2{}}", "switch i {\n      case -1, 2 {}\n    }"},
	    {"if q { loop { break } } else { if q { return } }",
	     "if q {\n      loop {\n        break\n      }\n    } else if q {\n      return\n    }"},
	};
	static const char before[] =
	    "set s {\n  buffer a: u32[]\n\n  op o = 0x1 (x: u32, i: i32, q: bool) by workgroup {\n    ";
	static const char after[] = "\n  }\n}\n";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char source[1024], want[1024], *text;
		snprintf(source, sizeof source, "%s%s%s", before, rows[i].source, after);
		snprintf(want, sizeof want, "%s%s%s", before, rows[i].want, after);
		struct vyrec_module *m = parse_or_fail(source, strlen(source));
		vyrec_module_destroy(round_trip(m, 0, &text));
		vyrec_module_destroy(m);
		assert_string_equal(text, want);
		free(text);
	}
}

static void files_are_stable(void **state)
{
	(void)state;
	static const char *const files[] = {"tests/ir/everything.txt", "examples/scan/scan.vyre"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		for (unsigned flags = 0; flags < 2; flags++) {
			char path[512], *text;
			size_t bytes;
			snprintf(path, sizeof path, "%s/%s", VYRE_SOURCE_DIR, files[i]);
			char *source = read_file(path, &bytes);
			struct vyrec_module *m = parse_or_fail(source, bytes);
			vyrec_module_destroy(round_trip(m, flags, &text));
			vyrec_module_destroy(m);
			free(text);
			free(source);
		}
}

/* ---- literals ---------------------------------------------------------------------------------------------------- */

static bool is_nan_of(vyrec_type type, uint64_t bits)
{
	return type == VYREC_F32   ? (bits & 0x7fffffff) > 0x7f800000
	       : type == VYREC_F64 ? (bits & UINT64_MAX >> 1) > UINT64_C(0x7ff) << 52
				   : type == VYREC_F16 && (bits & 0x7fff) > 0x7c00;
}

static void check_literal(vyrec_type type, uint64_t bits)
{
	struct vyrec_module *m = vyrec_module_create("test");
	struct vyrec_builder b = vyrec_builder_begin(m);
	char *text;
	vyrec_build_set(&b, "s");
	vyrec_build_op_begin(&b, "o", 0x100, VYRE_BY_LANE, 0);
	vyrec_build_let(&b, "alone", vyrec_build_lit(&b, type, bits));
	vyrec_build_op_end(&b);
	vyrec_build_const(&b, "C", type, bits);
	struct vyrec_module *back = round_trip(m, 0, &text);
	vyrec_expr value = 0;
	for (vyrec_stmt s = 1; s < back->stmt_count; s++)
		if (back->stmts[s].kind == VYREC_STMT_LET)
			value = back->stmts[s].expr[0];
	bool odd = type == VYREC_F16 && is_nan_of(type, bits); /* f16 has no bitcast: any NaN is nan */
	assert_int_equal(back->exprs[value].kind, VYREC_EXPR_LIT);
	assert_int_equal(back->exprs[value].type, type);
	assert_int_equal(back->consts[1].type, type);
	if (odd ? !is_nan_of(type, back->exprs[value].imm)
		: back->exprs[value].imm != bits || back->consts[1].value != bits)
		fail_msg("%s 0x%llx came back as 0x%llx from\n%s", vyrec_type_name(type), (unsigned long long)bits,
			 (unsigned long long)back->exprs[value].imm, text);
	free(text);
	vyrec_module_destroy(back);
	vyrec_module_destroy(m);
}

static void literals_come_back_bit_for_bit(void **state)
{
	(void)state;
	static const uint64_t special[] = {0,
					   1,
					   2,
					   5,
					   127,
					   0x7f7fffff,
					   0x7f800000,
					   0x7f800001,
					   0x7fc00000,
					   0xff800000,
					   0xffc00000,
					   0x80000000,
					   0x00800000,
					   0x007fffff,
					   0x3f800000,
					   0x3dcccccd,
					   0x7fffffff,
					   0xffffffff,
					   0x7c00,
					   0x7c01,
					   0x7e00,
					   0xfc00,
					   0x8000,
					   0x7bff,
					   0x03ff,
					   0x0400,
					   0x7fefffffffffffff,
					   0x7ff0000000000000,
					   0x7ff0000000000001,
					   0x7ff8000000000000,
					   0xfff0000000000000,
					   0xfff8000000000000,
					   0x8000000000000000,
					   0x000fffffffffffff,
					   0x0010000000000000,
					   0x3fb999999999999a,
					   0x7fffffffffffffff,
					   0xffffffffffffffff};
	static const vyrec_type types[] = {VYREC_BOOL, VYREC_U32, VYREC_I32, VYREC_U64,
					   VYREC_I64,  VYREC_F32, VYREC_F64, VYREC_F16};
	for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
		unsigned width = vyrec_type_bits(types[t]);
		uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
		for (size_t i = 0; i < sizeof special / sizeof *special; i++)
			check_literal(types[t], special[i] & mask);
		for (unsigned i = 0; i < 300; i++)
			check_literal(types[t], random_bits() & mask);
	}
}

/* ---- random trees ------------------------------------------------------------------------------------------------- */

static const vyrec_type value_types[] = {VYREC_BOOL, VYREC_U32, VYREC_I32, VYREC_U64,
					 VYREC_I64,  VYREC_F32, VYREC_F64, VYREC_F16};
enum { TYPES = 8 };

static vyrec_expr leaf(struct vyrec_builder *b, const vyrec_local *params, vyrec_type type)
{
	if (random_bits() % 3 == 0)
		for (unsigned i = 0; i < TYPES; i++)
			if (value_types[i] == type)
				return vyrec_build_get(b, params[i]);
	unsigned width = vyrec_type_bits(type);
	uint64_t bits = random_bits() >> random_bits() % 64;
	bits &= width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
	if (type == VYREC_F16 && is_nan_of(type, bits))
		bits = 0x3c00;
	return vyrec_build_lit(b, type, bits);
}

static vyrec_expr random_tree(struct vyrec_builder *b, const vyrec_local *params, vyrec_type type, unsigned depth);

/* An op with this result; the types of its operands are drawn until a row admits them. */
static vyrec_expr random_op(struct vyrec_builder *b, const vyrec_local *params, vyrec_type type, unsigned depth)
{
	for (unsigned tries = 0; tries < 200; tries++) {
		vyrec_op op = (vyrec_op)(1 + random_bits() % (VYREC_OP_COUNT - 1));
		const struct vyrec_op_info *info = vyrec_op_get_info(op);
		vyrec_type types[3] = {0};
		vyrec_expr args[3] = {0};
		bool good = true;
		for (unsigned i = 0; i < info->arg_count && good; i++) {
			vyrec_rule rule = info->args[i];
			vyrec_type draw =
			    (info->result == VYREC_RULE_SAME && i == 0) || (info->result == VYREC_RULE_ARG1 && i == 1)
				? type
				: value_types[random_bits() % TYPES];
			types[i] = rule == VYREC_RULE_SAME   ? types[0]
				   : rule == VYREC_RULE_ARG1 ? types[1]
				   : rule > VYREC_RULE_TYPE  ? (vyrec_type)(rule - VYREC_RULE_TYPE)
				   : rule == VYREC_RULE_BOOL ? VYREC_BOOL
							     : draw;
			good = rule == VYREC_RULE_SAME || rule == VYREC_RULE_ARG1 || vyrec_rule_admits(rule, types[i]);
		}
		if (!good || vyrec_op_result(op, types) != type)
			continue;
		for (unsigned i = 0; i < info->arg_count; i++)
			args[i] = random_tree(b, params, types[i], depth - 1);
		return info->arg_count == 1   ? vyrec_build_op1(b, op, args[0])
		       : info->arg_count == 2 ? vyrec_build_op2(b, op, args[0], args[1])
					      : vyrec_build_op3(b, op, args[0], args[1], args[2]);
	}
	return leaf(b, params, type);
}

static vyrec_expr random_tree(struct vyrec_builder *b, const vyrec_local *params, vyrec_type type, unsigned depth)
{
	unsigned pick = (unsigned)(random_bits() % 10);
	if (depth == 0 || pick == 0)
		return leaf(b, params, type);
	if (type == VYREC_BOOL && pick == 1) {
		vyrec_expr left = random_tree(b, params, type, depth - 1),
			   right = random_tree(b, params, type, depth - 1);
		return random_bits() & 1 ? vyrec_build_andalso(b, left, right) : vyrec_build_orelse(b, left, right);
	}
	if (type == VYREC_U32 && pick == 1)
		return vyrec_build_arg(b, random_tree(b, params, VYREC_U32, depth - 1));
	return random_op(b, params, type, depth);
}

static bool same_tree(const struct vyrec_module *a, vyrec_expr x, const struct vyrec_module *b, vyrec_expr y)
{
	const struct vyrec_expr_node *p = &a->exprs[x], *q = &b->exprs[y];
	if (p->kind != q->kind || p->type != q->type || p->code != q->code || p->imm != q->imm)
		return false;
	if (p->kind == VYREC_EXPR_LOCAL)
		return !strcmp(vyrec_name_text(a, a->locals[p->sym].name), vyrec_name_text(b, b->locals[q->sym].name));
	for (unsigned i = 0; i < 3; i++)
		if (!p->arg[i] != !q->arg[i] || (p->arg[i] && !same_tree(a, p->arg[i], b, q->arg[i])))
			return false;
	return true;
}

static void random_trees_come_back(void **state)
{
	(void)state;
	for (unsigned turn = 0; turn < 3000; turn++) {
		struct vyrec_module *m = vyrec_module_create("test");
		struct vyrec_builder b = vyrec_builder_begin(m);
		vyrec_local params[TYPES];
		char name[8], *text;
		vyrec_build_set(&b, "s");
		vyrec_build_op_begin(&b, "o", 0x100, VYRE_BY_LANE, 0);
		for (unsigned i = 0; i < TYPES; i++) {
			snprintf(name, sizeof name, "p%u", i);
			params[i] = vyrec_build_param(&b, name, value_types[i]);
		}
		vyrec_expr tree = random_tree(&b, params, value_types[turn % TYPES], 1 + turn % 6);
		vyrec_build_let(&b, "v", tree);
		vyrec_build_op_end(&b);
		struct vyrec_module *back = round_trip(m, 0, &text);
		vyrec_expr value = 0;
		for (vyrec_stmt s = 1; s < back->stmt_count; s++)
			if (back->stmts[s].kind == VYREC_STMT_LET)
				value = back->stmts[s].expr[0];
		if (!same_tree(m, tree, back, value))
			fail_msg("another tree came back from\n%s", text);
		free(text);
		vyrec_module_destroy(back);
		vyrec_module_destroy(m);
	}
}

/* ---- comments ---------------------------------------------------------------------------------------------------- */

/* The comments of a text, in order, each on a line of its own. */
static char *comments_of(const char *text)
{
	char *out = calloc(1, strlen(text) + 1), *to = out;
	while ((text = strstr(text, "//"))) {
		size_t n = strcspn(text, "\n");
		memcpy(to, text, n);
		to += n;
		while (to[-1] == ' ')
			to--;
		*to++ = '\n';
		text += n;
	}
	*to = 0;
	return out;
}

/* Formats; the comments are the same, and formatting again changes nothing. False if it does not parse. */
static bool check_comments(const char *source, size_t bytes)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("test", source, bytes, &diags);
	vyrec_diags_finish(&diags);
	if (!m)
		return false;
	char *text;
	vyrec_module_destroy(round_trip(m, VYREC_PRINT_COMMENTS, &text));
	vyrec_module_destroy(m);
	char *before = comments_of(source), *after = comments_of(text);
	if (strcmp(before, after) != 0)
		fail_msg("comments before:\n%safter:\n%sof\n%s", before, after, text);
	free(before);
	free(after);
	free(text);
	return true;
}

/* A comment put at every blank of the corpus in turn, behind code and on its own line. */
static void no_comment_is_lost(void **state)
{
	(void)state;
	size_t bytes;
	unsigned parsed = 0;
	char *text = read_file(VYRE_SOURCE_DIR "/tests/ir/everything.txt", &bytes), *copy = malloc(bytes + 64);
	for (unsigned form = 0; form < 3; form++)
		for (size_t i = 0; i < bytes; i++) {
			static const char *const pieces[] = {" // one more\n", "\n  // one more\n",
							     "\n\n// a\n\n//b  \n"};
			size_t n = strlen(pieces[form]);
			if (text[i] != ' ' && text[i] != '\n')
				continue;
			if (form && i % 3)
				continue;
			memcpy(copy, text, i);
			memcpy(copy + i, pieces[form], n);
			memcpy(copy + i + n, text + i, bytes - i);
			copy[bytes + n] = 0;
			parsed += check_comments(copy, bytes + n);
		}
	assert_true(parsed > 500);
	free(copy);
	free(text);
}

static void format_keeps_the_layout(void **state)
{
	(void)state;
	static const char text[] =
	    "// head\n\n// of the set\nset s {\n  buffer a: u32[]  // data\n\n  const MASK = 0xff\n  const BIG: u64 = "
	    "0b101\n\n"
	    "  // does it\n  op o = 0x1 (x: u32) by lane {\n    // first\n    let v: u32 = x & MASK  // masked\n\n"
	    "    if v == 0 { return }\n    for i in 0 .. v {\n      a[i] = 0xdead\n      // end of for\n    }\n"
	    "    switch v {\n      case 1 { a[0] = 1 }\n      // otherwise\n      default {\n        a[0] = 2\n      "
	    "}\n    }\n"
	    "    let w = (v >> 8) ^ v + 1   // in a\n    let long_name = -(w * 2)   // column\n"
	    "    region \"caf\xc3\xa9\" {}\n    // end of op\n  }\n}\n// tail\n";
	char *out;
	struct vyrec_module *m = parse_or_fail(text, sizeof text - 1);
	vyrec_module_destroy(round_trip(m, VYREC_PRINT_COMMENTS, &out));
	vyrec_module_destroy(m);
	assert_string_equal(out, text);
	free(out);
}

/* Blocks that stand on one line, too long for one: time must not grow with the power of the depth. */
static void deep_lines_are_broken(void **state)
{
	(void)state;
	static const char head[] = "set s {\n  op o = 0x1 () by lane { ";
	char text[2048], *out;
	strcpy(text, head);
	for (unsigned i = 0; i < 60; i++)
		strcat(text, "block { ");
	for (unsigned i = 0; i < 60; i++)
		strcat(text, "} ");
	strcat(text, "}\n}\n");
	struct vyrec_module *m = parse_or_fail(text, strlen(text));
	vyrec_module_destroy(round_trip(m, VYREC_PRINT_COMMENTS, &out));
	vyrec_module_destroy(m);
	for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 140);
	free(out);
}

/* ---- what passes make --------------------------------------------------------------------------------------------- */

/* A lowered program: a feed, ops kept for the tables, traps that name their fault, blocks with labels, a catch. */
static void lowered_programs_come_back(void **state)
{
	(void)state;
	static const char text[] =
	    "program scan workgroup(1) feed live(0x0e, 12) {\n  buffer ring: live u32[]\n\n"
	    "  op one = 0x100 (x: u32) by lane {}\n\n  body {\n    block exit {\n"
	    "      catch(code, detail) {\n        if lane == 3 {\n          trap(4: lane)\n        }\n"
	    "        switch atomic_load(ring[unchecked 0], acquire) {\n          case 256, 257 {\n"
	    "            break exit\n          }\n          default {\n            trap(1: 2, 3)\n"
	    "          }\n        }\n      }\n      atomic_store(ring[1], code + detail, release)\n"
	    "    }\n  }\n}\n";
	char *out;
	struct vyrec_module *m = parse_or_fail(text, sizeof text - 1);
	vyrec_module_destroy(round_trip(m, 0, &out));
	assert_int_equal(m->units[1].feed, VYRE_FEED_LIVE);
	assert_int_equal(m->units[1].features, 0x0e);
	assert_int_equal(m->units[1].frame_words, 12);
	vyrec_module_destroy(m);
	assert_string_equal(out, text);
	free(out);
}

/* Every feed has a name in text, and brackets only where there is something to say. */
static void feeds_come_back(void **state)
{
	(void)state;
#define X(name, value, text) [value] = text,
	static const char *const feeds[] = {VYRE_FEED_LIST(X)};
#undef X
	static const char *const brackets[] = {"", "(0x02, 0)", "(0x1ff, 65536)", "(0x02, 1)"};
	for (unsigned i = 0; i < 4 * VYRE_FEED_COUNT - 3; i++) {
		char text[128], *out;
		unsigned feed = (i + 3) / 4;
		int bytes = snprintf(text, sizeof text, "program p workgroup(1)%s%s%s {\n  body {}\n}\n",
				     feed ? " feed " : "", feed ? feeds[feed] : "", feed ? brackets[i % 4] : "");
		struct vyrec_module *m = parse_or_fail(text, (size_t)bytes);
		assert_int_equal(m->units[1].feed, feed);
		vyrec_module_destroy(round_trip(m, 0, &out));
		vyrec_module_destroy(m);
		assert_string_equal(out, text);
		free(out);
	}
}

static void reserved_names_are_told(void **state)
{
	(void)state;
	static const char *const reserved[] = {"let",	"result", "lane", "u32",    "u8",
					       "clamp", "arg",	  "true", "shared", "log"};
	static const char *const free_names[] = {"length", "min",    "local_id", "set", "op",
						 "step",   "device", "sin",	 "x"};
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		assert_true(vyrec_name_is_reserved(reserved[i]));
	for (size_t i = 0; i < sizeof free_names / sizeof *free_names; i++)
		assert_false(vyrec_name_is_reserved(free_names[i]));
	assert_true(vyrec_fn_name_is_reserved("min"));
	assert_true(vyrec_fn_name_is_reserved("atomic_add"));
	assert_false(vyrec_fn_name_is_reserved("sin"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(canonical_text),
	    cmocka_unit_test(files_are_stable),
	    cmocka_unit_test(literals_come_back_bit_for_bit),
	    cmocka_unit_test(random_trees_come_back),
	    cmocka_unit_test(no_comment_is_lost),
	    cmocka_unit_test(format_keeps_the_layout),
	    cmocka_unit_test(deep_lines_are_broken),
	    cmocka_unit_test(lowered_programs_come_back),
	    cmocka_unit_test(feeds_come_back),
	    cmocka_unit_test(reserved_names_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
