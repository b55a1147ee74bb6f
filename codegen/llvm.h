/* llvm.h - what the files of the LLVM lowering share. Private to this folder (and its white-box tests).
 *
 *   llvm_unit.c    one LLVM function for a program: prologue, types, diagnostics of what a target cannot do
 *   llvm_stmt.c    statements        llvm_expr.c  expressions but operations       llvm_ops.c  rows of ops.def
 *   llvm_fma.c     fma where the target has none
 *   llvm_memory.c  bounds policies, loads, stores, atomics, the debug log
 *   llvm_emit.c    target machine, optimiser, object and text forms
 *   llvm_guard.c   keeps a fatal error of LLVM inside one call
 *   link.c, elf.c  object -> image, and what is true of the image
 */
#ifndef VYREC_LLVM_H
#define VYREC_LLVM_H
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "codegen/codegen.h"

/* ---- lowering ---------------------------------------------------------------------------------------------------- */

struct lower_array {
	LLVMValueRef data;             /* pointer to element 0 */
	LLVMValueRef count;            /* i64 elements; a constant for shared and local arrays */
	LLVMValueRef scope, no_alias;  /* alias metadata of a buffer, or NULL */
	LLVMTypeRef element;           /* as it lies in memory */
	bool never_empty;              /* count is known not to be 0 */
};
struct lower_local {
	LLVMValueRef value;     /* the SSA value of a let or counter; the alloca of a var */
	LLVMBasicBlockRef exit; /* of a label */
};

/* Where break, continue and trap go. */
struct lower_loop {
	LLVMBasicBlockRef exit, next;
};
struct lower_catch {
	LLVMBasicBlockRef exit;
	LLVMValueRef code, detail; /* allocas */
};

struct lower {
	struct vyrec_module *m;
	const struct vyrec_target *target;
	struct vyrec_diags *diags;
	bool failed;

	LLVMContextRef context;
	LLVMModuleRef module;
	LLVMBuilderRef b;
	LLVMBuilderRef entry_b; /* at the end of the entry block, which holds the allocas */
	LLVMTypeRef i1, i8, i16, i32, i64, i128, f32, f64, ptr, none;
	unsigned kind_scope, kind_no_alias, kind_invariant, kind_range, kind_no_undef, kind_align, kind_loop;

	vyrec_unit unit;
	LLVMValueRef fn, launch;
	LLVMValueRef log_fn; /* of this unit; NULL until its first log */
	struct lower_array *arrays;  /* by vyrec_array */
	struct lower_local *locals;  /* by vyrec_local */
	struct lower_loop *loop;     /* innermost */
	struct lower_catch *catching; /* innermost */
	bool cold;                    /* inside what a hoisted check leaves for the case that it fails */
};

/* Lowers every program of a module. False after errors in diags (the LLVM module is then of no use). */
bool vyrec_llvm_lower(struct vyrec_module *m, const struct vyrec_target *target, LLVMContextRef context,
		      LLVMModuleRef module, struct vyrec_diags *diags);
/* The symbol of a program. The dot keeps it apart from every C library name that LLVM might call. */
void vyrec_llvm_symbol(const struct vyrec_module *m, vyrec_unit unit, char *name, size_t bytes);

void lower_block(struct lower *l, vyrec_block block);
void lower_trap(struct lower *l, LLVMValueRef code, LLVMValueRef detail); /* ends the block */
LLVMValueRef lower_expr(struct lower *l, vyrec_expr expr);
LLVMValueRef lower_op(struct lower *l, const struct vyrec_expr_node *node, vyrec_type operand, LLVMValueRef *args);
LLVMValueRef lower_intrinsic(struct lower *l, const char *name, LLVMTypeRef overload, LLVMValueRef *args,
			     unsigned count);

/* For targets without the instruction. */
LLVMValueRef lower_fma_f32(struct lower *l, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
LLVMValueRef lower_fma_f64(struct lower *l, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);

LLVMValueRef lower_load(struct lower *l, vyrec_array array, LLVMValueRef index, vyrec_policy policy, vyrec_loc loc);
void lower_store(struct lower *l, vyrec_array array, LLVMValueRef index, LLVMValueRef value, vyrec_policy policy,
		 vyrec_loc loc);
LLVMValueRef lower_atomic(struct lower *l, const struct vyrec_expr_node *node);
LLVMValueRef lower_length(struct lower *l, vyrec_array array);
void lower_log(struct lower *l, const struct vyrec_stmt_node *node);
void lower_array_alloca(struct lower *l, vyrec_array array, vyrec_loc loc); /* storage, once a function */
void lower_array_zero(struct lower *l, vyrec_array array);
LLVMAtomicOrdering lower_order(unsigned order);

LLVMTypeRef lower_type(struct lower *l, vyrec_type type, vyrec_loc loc);    /* of a value */
LLVMTypeRef lower_element(struct lower *l, vyrec_type type, vyrec_loc loc); /* in memory */
LLVMValueRef lower_zero(struct lower *l, vyrec_type type);
LLVMValueRef lower_u32(struct lower *l, uint32_t value);
LLVMBasicBlockRef lower_new_block(struct lower *l, const char *name);
void lower_go(struct lower *l, LLVMBasicBlockRef to); /* a branch, unless the block has ended */
void lower_at(struct lower *l, LLVMBasicBlockRef block);
void lower_attribute(struct lower *l, LLVMValueRef fn, const char *name); /* of the whole function, without a value */
/* "x86-64-v3 cannot do <what>", once a place. */
__attribute__((format(printf, 3, 4))) void lower_refuse(struct lower *l, vyrec_loc loc, const char *format, ...);

/* ---- after lowering ------------------------------------------------------------------------------------------------ */

/* Runs body; an error that LLVM reports as fatal ends the body instead of the process, and message holds its words. Body
 * must own nothing that its caller does not know of. One at a time. */
bool vyrec_llvm_guard(void (*body)(void *user), void *user, char *message, size_t message_bytes);

struct vyrec_llvm_emit {
	/* in */
	LLVMContextRef context;
	LLVMModuleRef module;
	const struct vyrec_target *target;
	const struct vyrec_codegen_options *options;
	/* out; the caller disposes them, also after a failure */
	LLVMTargetMachineRef machine;
	LLVMPassBuilderOptionsRef passes;
	LLVMMemoryBufferRef object, text;
	struct vyrec_codegen_times times;
	bool failed;
	char message[512];
};
void vyrec_llvm_emit(struct vyrec_llvm_emit *e);
void vyrec_llvm_emit_finish(struct vyrec_llvm_emit *e);

/* Links one object to an image. NULL and a message after an error; else malloc'd bytes. */
uint8_t *vyrec_link(const void *object, size_t object_bytes, size_t *image_bytes, char *message, size_t message_bytes);

/* What the loader will rely on: no writable segment, no dynamic relocation, no import, no constructor. */
bool vyrec_elf_check(const uint8_t *image, size_t bytes, char *message, size_t message_bytes);
/* The virtual address of an exported symbol; 0 = not there. */
uint64_t vyrec_elf_symbol(const uint8_t *image, size_t bytes, const char *name);
/* Stack that a call of each entry needs, from .stack_sizes: its own frame and those of all functions that are no
 * entries, which it may call. */
void vyrec_elf_stacks(const uint8_t *image, size_t bytes, const uint64_t *entries, uint32_t count, uint32_t *stacks);

double vyrec_now_ms(void);

/* vyrec_codegen with a hand in the LLVM module before it is compiled (tests of failure containment). */
bool vyrec_codegen_with(struct vyrec_module *module, const struct vyrec_target *target,
			const struct vyrec_codegen_options *options, struct vyrec_slice *out,
			struct vyrec_diags *diags, void (*tamper)(LLVMModuleRef module));

/* ---- lld_shim.cpp -------------------------------------------------------------------------------------------------- */

#ifdef __cplusplus
extern "C" {
#endif
/* Runs ld.lld in this process; its words go to message. Zero = linked. */
int vyrec_lld(const char *const *args, unsigned count, char *message, size_t message_bytes);
/* Asks for a .stack_sizes section, which the C API cannot. */
void vyrec_llvm_want_stack_sizes(LLVMTargetMachineRef machine);
#ifdef __cplusplus
}
#endif

#endif
