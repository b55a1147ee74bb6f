/* builder_test.c - a program written with the builder is the program that the text says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

static const char program_text[] = "program all workgroup(4) {\n"
				   "  buffer out: u32[]\n\n"
				   "  shared s: u32[4]\n\n"
				   "  body {\n"
				   "    var n: u32 = 1\n"
				   "    var half: f32 = 0.5\n"
				   "    var a: u32[3]\n"
				   "    a[0] = lane\n"
				   "    s[lane] = a[0]\n"
				   "    block done {\n"
				   "      loop {\n"
				   "        n = n + 1\n"
				   "        if n < 3 {\n"
				   "          continue\n"
				   "        } else {\n"
				   "          break\n"
				   "        }\n"
				   "      }\n"
				   "      switch n {\n"
				   "        case 3 {\n"
				   "          break done\n"
				   "        }\n"
				   "        default {\n"
				   "          n = 9\n"
				   "        }\n"
				   "      }\n"
				   "    }\n"
				   "    catch(code, detail) {\n"
				   "      trap(n)\n"
				   "    }\n"
				   "    region \"end\" {\n"
				   "      half = half + 1.5\n"
				   "      atomic_add(out[0], code + detail)\n"
				   "    }\n"
				   "    out[1] = u32(half)\n"
				   "  }\n"
				   "}\n";

static const char set_text[] = "set family {\n"
			       "  buffer out: u32[]\n\n"
			       "  op top = 0x100 (n: u32) by lane {\n"
			       "    spawn(leaf, 1, 2)\n"
			       "    spawn(leaf, n, 4) else {\n"
			       "      if n < 3 {\n"
			       "        spawn(none) else {}\n"
			       "      }\n"
			       "      out[0] = n\n"
			       "    }\n"
			       "    join\n"
			       "  }\n\n"
			       "  op leaf = 0x101 (a: u32, b: u32) by lane {}\n\n"
			       "  op none = 0x102 () by lane {}\n"
			       "}\n";

static vyrec_expr u(struct vyrec_builder *b, uint32_t value)
{
	return vyrec_build_u32(b, value);
}

static void build_loop(struct vyrec_builder *b, vyrec_local n)
{
	vyrec_build_loop(b);
	vyrec_build_assign(b, n, vyrec_build_op2(b, VYREC_OP_add_i, vyrec_build_get(b, n), u(b, 1)));
	vyrec_build_if(b, vyrec_build_op2(b, VYREC_OP_lt_u, vyrec_build_get(b, n), u(b, 3)));
	vyrec_build_continue(b);
	vyrec_build_else(b);
	vyrec_build_break(b, 0);
	vyrec_build_end(b);
	vyrec_build_end(b);
}

static void build(struct vyrec_builder *b)
{
	const uint32_t three = 3;
	vyrec_local fault[2];
	vyrec_build_program_begin(b, "all", 4, 1, 1);
	vyrec_array out = vyrec_build_buffer(b, "out", VYREC_CLASS_PLAIN, VYREC_U32, 0);
	vyrec_array s = vyrec_build_shared(b, "s", VYREC_U32, 4);
	vyrec_local n = vyrec_build_var(b, "n", VYREC_U32, u(b, 1));
	vyrec_local half = vyrec_build_var(b, "half", VYREC_F32, vyrec_build_f32(b, 0.5f));
	vyrec_array a = vyrec_build_local_array(b, "a", VYREC_U32, 3);
	vyrec_build_store(b, a, u(b, 0), vyrec_build_builtin(b, VYREC_BUILTIN_LANE, 0));
	vyrec_build_store(b, s, vyrec_build_builtin(b, VYREC_BUILTIN_LANE, 0), vyrec_build_load(b, a, u(b, 0)));
	vyrec_local done = vyrec_build_block(b, "done");
	build_loop(b, n);
	vyrec_build_switch(b, vyrec_build_get(b, n));
	vyrec_build_case(b, &three, 1);
	vyrec_build_break(b, done);
	vyrec_build_case(b, NULL, 0);
	vyrec_build_assign(b, n, u(b, 9));
	vyrec_build_end(b);
	vyrec_build_end(b);
	vyrec_build_catch(b, "code", "detail", fault);
	vyrec_build_stmt(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_TRAP, .expr = {vyrec_build_get(b, n)}});
	vyrec_build_end(b);
	vyrec_build_region(b, "end");
	vyrec_build_assign(b, half,
			   vyrec_build_op2(b, VYREC_OP_add_f, vyrec_build_get(b, half), vyrec_build_f32(b, 1.5f)));
	vyrec_expr sum = vyrec_build_op2(b, VYREC_OP_add_i, vyrec_build_get(b, fault[0]), vyrec_build_get(b, fault[1]));
	vyrec_build_expr(b, vyrec_build_atomic(b, VYREC_ATOMIC_ADD, out, u(b, 0), sum, 0));
	vyrec_build_end(b);
	vyrec_build_store(b, out, u(b, 1), vyrec_build_op1(b, VYREC_OP_to_u32_f, vyrec_build_get(b, half)));
	vyrec_build_program_end(b);
}

static void build_family(struct vyrec_builder *b)
{
	vyrec_build_set(b, "family");
	vyrec_array out = vyrec_build_buffer(b, "out", VYREC_CLASS_PLAIN, VYREC_U32, 0);
	vyrec_build_op_begin(b, "top", 0x100, VYRE_BY_LANE, 0);
	vyrec_local n = vyrec_build_param(b, "n", VYREC_U32);
	vyrec_build_spawn(b, "leaf", (vyrec_expr[]){u(b, 1), u(b, 2)}, 2);
	vyrec_build_spawn(b, "leaf", (vyrec_expr[]){vyrec_build_get(b, n), u(b, 4)}, 2);
	vyrec_build_spawn_else(b);
	vyrec_build_if(b, vyrec_build_op2(b, VYREC_OP_lt_u, vyrec_build_get(b, n), u(b, 3)));
	vyrec_build_spawn(b, "none", NULL, 0);
	vyrec_build_spawn_else(b);
	vyrec_build_end(b);
	vyrec_build_end(b);
	vyrec_build_store(b, out, u(b, 0), vyrec_build_get(b, n));
	vyrec_build_end(b);
	vyrec_build_stmt(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_JOIN});
	vyrec_build_op_end(b);
	vyrec_build_op_begin(b, "leaf", 0x101, VYRE_BY_LANE, 0);
	vyrec_build_param(b, "a", VYREC_U32);
	vyrec_build_param(b, "b", VYREC_U32);
	vyrec_build_op_end(b);
	vyrec_build_op_begin(b, "none", 0x102, VYRE_BY_LANE, 0);
	vyrec_build_op_end(b);
}

static char *sound_text(struct vyrec_module *module)
{
	struct vyrec_diags diags = {0};
	size_t bytes;
	assert_non_null(module);
	if (!vyrec_verify(module, &diags))
		vyrec_diags_print(&diags, "all", NULL, 0, stderr);
	assert_int_equal(diags.errors, 0);
	vyrec_diags_finish(&diags);
	return vyrec_print(module, 0, &bytes);
}

static void expect_text(void (*make)(struct vyrec_builder *b), const char *text)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *built = vyrec_module_create("all"), *parsed;
	struct vyrec_builder b = vyrec_builder_begin(built);
	make(&b);
	parsed = vyrec_parse("all", text, strlen(text), &diags);
	if (!parsed)
		vyrec_diags_print(&diags, "all", text, strlen(text), stderr);
	char *want = sound_text(parsed), *have = sound_text(built);
	assert_string_equal(have, want);
	assert_string_equal(want, text);
	free(want);
	free(have);
	vyrec_module_destroy(built);
	vyrec_module_destroy(parsed);
	vyrec_diags_finish(&diags);
}

static void built_is_what_the_text_says(void **state)
{
	(void)state;
	expect_text(build, program_text);
	expect_text(build_family, set_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(built_is_what_the_text_says)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
