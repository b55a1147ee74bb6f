/* contain_test.c - what LLVM and lld refuse ends as an error with a name, and the next compilation is not disturbed.
 *
 * The faults are planted in the LLVM module by a hook of vyrec_codegen_with, because no source of ours should reach
 * them: an intrinsic of another architecture (fatal: "Cannot select"), inline assembly with an impossible constraint
 * (LLVM reports a diagnostic and would return success), a module that LLVM's verifier refuses, a call of a function that
 * nobody defines, a variable that would need a writable segment, a constructor, a relocated pointer.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "codegen/llvm.h"

/* A compilation that LLVM ended leaves its LLVM context behind (codegen/llvm_guard.c says why): the one leak that the
 * sanitizer must let pass here. Its name is the sanitizer's. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
	return "leak:libLLVM\nleak:libstdc++\n"; /* its strings, whose stacks end there */
}

/* ---- a set's shape: one program, a dispatch over three ops, `out[0] = opcode` in each ---------------------------------- */

static vyrec_block store_block(struct vyrec_builder *b, vyrec_array out, uint32_t value)
{
	struct vyrec_stmt_node store = {.kind = VYREC_STMT_STORE,
					.policy = VYREC_POLICY_CHECKED,
					.array = out,
					.expr = {vyrec_build_u32(b, 0), vyrec_build_u32(b, value)}};
	vyrec_stmt stmt = vyrec_add_stmt(b->module, &store);
	return vyrec_add_block(b->module, &stmt, 1);
}

static struct vyrec_module *build(void)
{
	static const char *const names[] = {"first", "second", "third"};
	struct vyrec_module *m = vyrec_module_create("contain");
	struct vyrec_builder b = vyrec_builder_begin(m);
	vyrec_unit unit = vyrec_build_program_begin(&b, "demo", 1, 1, 1);
	vyrec_array out = vyrec_build_buffer(&b, "out", VYREC_CLASS_PLAIN, VYREC_U32, 0);
	uint32_t cases[6];
	for (uint32_t i = 0; i < 3; i++) {
		struct vyrec_handler_node handler = {.name = vyrec_intern_z(m, names[i]),
						     .opcode = 0x100 + i,
						     .granularity = VYRE_BY_LANE,
						     .body = vyrec_add_block(m, NULL, 0),
						     .loc = VYREC_LOC(10 + i, 3)};
		vyrec_unit_add_item(m, unit, VYREC_ITEM_HANDLER, vyrec_add_handler(m, &handler));
		cases[2 * i] = 0x100 + i;
		cases[2 * i + 1] = store_block(&b, out, 0x100 + i);
	}
	struct vyrec_stmt_node dispatch = {.kind = VYREC_STMT_SWITCH,
					   .expr = {vyrec_build_length(&b, out)},
					   .list = vyrec_add_refs(m, cases, 6),
					   .count = 3};
	vyrec_build_stmt(&b, &dispatch);
	vyrec_build_program_end(&b);
	return m;
}

/* ---- planting -------------------------------------------------------------------------------------------------------- */

static LLVMValueRef entry_of(LLVMModuleRef module)
{
	LLVMValueRef fn = LLVMGetNamedFunction(module, "vyre.demo");
	return fn ? fn : LLVMGetNamedFunction(module, "vyre_demo");
}

static LLVMBuilderRef at_start(LLVMModuleRef module, LLVMValueRef *fn)
{
	LLVMBuilderRef b = LLVMCreateBuilderInContext(LLVMGetModuleContext(module));
	*fn = entry_of(module);
	LLVMPositionBuilderBefore(b, LLVMGetBasicBlockTerminator(LLVMGetEntryBasicBlock(*fn)));
	return b;
}

static void call_void(LLVMModuleRef module, LLVMBuilderRef b, LLVMValueRef callee)
{
	(void)module;
	LLVMBuildCall2(b, LLVMGlobalGetValueType(callee), callee, NULL, 0, "");
}

static LLVMTypeRef void_fn(LLVMModuleRef module)
{
	return LLVMFunctionType(LLVMVoidTypeInContext(LLVMGetModuleContext(module)), NULL, 0, false);
}

static void plant_foreign_intrinsic(LLVMModuleRef module)
{
	LLVMValueRef fn;
	LLVMBuilderRef b = at_start(module, &fn);
	unsigned id = LLVMLookupIntrinsicID("llvm.amdgcn.s.barrier", 21);
	call_void(module, b, LLVMGetIntrinsicDeclaration(module, id, NULL, 0));
	LLVMDisposeBuilder(b);
}

/* At the store of 0x101 (op `second`) and nowhere else. */
static LLVMBuilderRef at_second_op(LLVMModuleRef module)
{
	LLVMValueRef fn = entry_of(module);
	for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(fn); block; block = LLVMGetNextBasicBlock(block))
		for (LLVMValueRef i = LLVMGetFirstInstruction(block); i; i = LLVMGetNextInstruction(i)) {
			LLVMValueRef stored = LLVMIsAStoreInst(i) ? LLVMGetOperand(i, 0) : NULL;
			if (!stored || !LLVMIsAConstantInt(stored) || LLVMConstIntGetZExtValue(stored) != 0x101)
				continue;
			LLVMBuilderRef b = LLVMCreateBuilderInContext(LLVMGetModuleContext(module));
			LLVMPositionBuilderBefore(b, i);
			return b;
		}
	return NULL;
}

static void plant_in_second_op(LLVMModuleRef module)
{
	LLVMBuilderRef b = at_second_op(module);
	if (!b)
		return;
	unsigned id = LLVMLookupIntrinsicID("llvm.amdgcn.s.barrier", 21);
	call_void(module, b, LLVMGetIntrinsicDeclaration(module, id, NULL, 0));
	LLVMDisposeBuilder(b);
}

/* LLVM passes inline assembly on as it is. */
static void plant_bad_instruction(LLVMModuleRef module)
{
	LLVMBuilderRef b = at_second_op(module);
	if (!b)
		return;
	LLVMTypeRef type = void_fn(module);
	LLVMValueRef text =
	    LLVMGetInlineAsm(type, "bogus.u32;", 10, "", 0, true, false, LLVMInlineAsmDialectATT, false);
	LLVMBuildCall2(b, type, text, NULL, 0, "");
	LLVMDisposeBuilder(b);
}

static void plant_bad_constraint(LLVMModuleRef module)
{
	LLVMValueRef fn;
	LLVMBuilderRef b = at_start(module, &fn);
	LLVMTypeRef wide = LLVMIntTypeInContext(LLVMGetModuleContext(module), 512);
	LLVMTypeRef type = LLVMFunctionType(wide, NULL, 0, false);
	LLVMValueRef text = LLVMGetInlineAsm(type, "nop", 3, "={al}", 5, true, false, LLVMInlineAsmDialectATT, false);
	LLVMBuildCall2(b, type, text, NULL, 0, "");
	LLVMDisposeBuilder(b);
}

static void plant_unfinished_block(LLVMModuleRef module)
{
	LLVMAppendBasicBlockInContext(LLVMGetModuleContext(module), entry_of(module), "loose");
}

static void plant_import(LLVMModuleRef module)
{
	LLVMValueRef fn;
	LLVMBuilderRef b = at_start(module, &fn);
	call_void(module, b, LLVMAddFunction(module, "nobody_defines_this", void_fn(module)));
	LLVMDisposeBuilder(b);
}

static void plant_variable(LLVMModuleRef module)
{
	LLVMContextRef context = LLVMGetModuleContext(module);
	LLVMValueRef fn, variable = LLVMAddGlobal(module, LLVMInt32TypeInContext(context), "state");
	LLVMSetInitializer(variable, LLVMConstInt(LLVMInt32TypeInContext(context), 7, false));
	LLVMBuilderRef b = at_start(module, &fn);
	LLVMSetVolatile(LLVMBuildStore(b, LLVMConstInt(LLVMInt32TypeInContext(context), 8, false), variable), true);
	LLVMDisposeBuilder(b);
}

static void plant_pointer(LLVMModuleRef module)
{
	LLVMContextRef context = LLVMGetModuleContext(module);
	LLVMTypeRef pointer = LLVMPointerTypeInContext(context, 0);
	LLVMValueRef fn, constant = LLVMAddGlobal(module, pointer, "table");
	LLVMSetInitializer(constant, entry_of(module));
	LLVMSetGlobalConstant(constant, true);
	LLVMBuilderRef b = at_start(module, &fn);
	LLVMSetVolatile(LLVMBuildLoad2(b, pointer, constant, ""), true);
	LLVMDisposeBuilder(b);
}

/* ---- tests ----------------------------------------------------------------------------------------------------------- */

static const char *target = "x86-64-v3";

static bool compile(struct vyrec_module *m, void (*tamper)(LLVMModuleRef), struct vyrec_diags *diags)
{
	struct vyrec_codegen_options options = {.level = 1};
	struct vyrec_slice slice;
	bool fine = vyrec_codegen_with(m, vyrec_target_find(target), &options, &slice, diags, tamper);
	assert_int_equal(fine, slice.image != NULL);
	vyrec_slice_finish(&slice);
	return fine;
}

static void expect_error(void (*tamper)(LLVMModuleRef), const char *words, vyrec_loc loc)
{
	struct vyrec_module *m = build();
	struct vyrec_diags diags = {0};
	assert_false(compile(m, tamper, &diags));
	assert_int_equal(diags.errors, 1);
	if (!strstr(diags.items[0].message, words))
		fail_msg("\"%s\" does not say \"%s\"", diags.items[0].message, words);
	assert_non_null(strstr(diags.items[0].message, target));
	assert_int_equal(diags.items[0].loc, loc);
	vyrec_diags_finish(&diags);
	diags = (struct vyrec_diags){0};
	assert_true(compile(m, NULL, &diags)); /* as if nothing had been */
	assert_int_equal(diags.errors, 0);
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

static void fatal_error_names_the_unit(void **state)
{
	(void)state;
	expect_error(plant_foreign_intrinsic, "cannot compile demo: Cannot select", 0);
}

static void fatal_error_names_the_op(void **state)
{
	(void)state;
	expect_error(plant_in_second_op, "cannot compile op second of set demo: Cannot select", VYREC_LOC(11, 3));
}

static void reported_error_is_sticky(void **state)
{
	(void)state;
	expect_error(plant_bad_constraint, "cannot compile demo: LLVM: ", 0);
}

static void broken_module_is_refused(void **state)
{
	(void)state;
	expect_error(plant_unfinished_block, "LLVM refuses", 0);
}

static void import_is_refused(void **state)
{
	(void)state;
	expect_error(plant_import, "undefined symbol: nobody_defines_this", 0);
}

static void writable_segment_is_refused(void **state)
{
	(void)state;
	expect_error(plant_variable, "a writable segment", 0);
}

static void relocation_is_refused(void **state)
{
	(void)state;
	expect_error(plant_pointer, "linking for x86-64-v3 failed", 0);
}

/* The same on a family without a linker; what only ptxas refuses is the next test's. */
static void faults_for_a_gpu_are_contained_too(void **state)
{
	(void)state;
	target = "sm_90";
	expect_error(plant_foreign_intrinsic, "cannot compile demo: Cannot select", 0);
	expect_error(plant_in_second_op, "cannot compile op second of set demo: Cannot select", VYREC_LOC(11, 3));
	expect_error(plant_bad_constraint, "cannot compile demo: LLVM: ", 0);
	expect_error(plant_unfinished_block, "LLVM refuses", 0);
	target = "x86-64-v3";
}

static void what_the_assembler_refuses_names_the_op(void **state)
{
	struct vyrec_codegen_options options = {.level = 1};
	struct vyrec_module *m = build();
	struct vyrec_diags diags = {0};
	struct vyrec_slice ptx, cubin;
	(void)state;
	if (!vyrec_ptxas_version()) {
		print_message("skipped: ptxas is not here\n");
		vyrec_module_destroy(m);
		skip();
	}
	assert_true(vyrec_codegen_with(m, vyrec_target_find("sm_90"), &options, &ptx, &diags, plant_bad_instruction));
	assert_false(vyrec_assemble_with(m, &options, &ptx, &cubin, &diags, plant_bad_instruction));
	assert_int_equal(diags.errors, 1);
	assert_non_null(strstr(diags.items[0].message, "sm_90 cannot compile op second of set demo: ptxas: "));
	assert_int_equal(diags.items[0].loc, VYREC_LOC(11, 3));
	vyrec_slice_finish(&ptx);
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

static void many_failures_leave_the_process_fit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		fatal_error_names_the_op(state);
}

static void nothing_is_left_in_the_temporary_folder(void **state)
{
	char folder[] = "/tmp/vyrec-test-XXXXXX";
	unsigned files = 0;
	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("TMPDIR", folder, 1);
	import_is_refused(state); /* a link that fails, and one that does not */
	unsetenv("TMPDIR");
	DIR *dir = opendir(folder);
	for (struct dirent *entry; (entry = readdir(dir));)
		files += entry->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(files, 0);
	assert_int_equal(rmdir(folder), 0);
}

static void same_input_same_bytes(void **state)
{
	struct vyrec_codegen_options options = {.level = 2, .emit = "asm"};
	(void)state;
	for (unsigned t = 0; vyrec_target_at(t); t++) {
		struct vyrec_slice slices[2];
		struct vyrec_diags diags = {0};
		for (unsigned i = 0; i < 2; i++) {
			struct vyrec_module *m = build();
			assert_true(vyrec_codegen(m, vyrec_target_at(t), &options, &slices[i], &diags));
			vyrec_module_destroy(m);
		}
		assert_int_equal(slices[0].image_bytes, slices[1].image_bytes);
		assert_memory_equal(slices[0].image, slices[1].image, slices[0].image_bytes);
		assert_string_equal(slices[0].text, slices[1].text);
		vyrec_slice_finish(&slices[0]);
		vyrec_slice_finish(&slices[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_input_same_bytes),
	    cmocka_unit_test(fatal_error_names_the_unit),
	    cmocka_unit_test(fatal_error_names_the_op),
	    cmocka_unit_test(reported_error_is_sticky),
	    cmocka_unit_test(broken_module_is_refused),
	    cmocka_unit_test(import_is_refused),
	    cmocka_unit_test(writable_segment_is_refused),
	    cmocka_unit_test(relocation_is_refused),
	    cmocka_unit_test(faults_for_a_gpu_are_contained_too),
	    cmocka_unit_test(what_the_assembler_refuses_names_the_op),
	    cmocka_unit_test(many_failures_leave_the_process_fit),
	    cmocka_unit_test(nothing_is_left_in_the_temporary_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
