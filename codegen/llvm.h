/* llvm.h - what the files of the LLVM lowering share. Private to this folder (and its white-box tests).
 *
 *   llvm_unit.c    one LLVM function for a program: declarations, types, diagnostics of what a target cannot do
 *   llvm_native.c, llvm_nvptx.c    what differs between families of targets: a struct lower_form each
 *   llvm_meet.c, llvm_meet_falls.c      NVPTX: where lanes meet; which lanes can fall, so that others meet without them
 *   llvm_nvptx_atomic.c   NVPTX: read-modify-writes with order and scope
 *   llvm_nvptx_shape.c    NVPTX: what code generation wants otherwise than the optimiser leaves it
 *   llvm_stmt.c    statements        llvm_expr.c  expressions but operations       llvm_ops.c  rows of ops.def
 *   llvm_fma.c     fma where the target has none
 *   llvm_memory.c  bounds policies, loads, stores, atomics, the debug log
 *   llvm_emit.c    target machine, optimiser, object and text forms
 *   llvm_guard.c   keeps a fatal error of LLVM inside one call
 *   link.c, elf.c  object -> image, and what is true of the image
 *   ptxas.c  PTX -> cubin        child.c  another program, with a limit of time
 *   memory_file.c  what a linker or an assembler takes and gives as files
 */
#ifndef VYREC_LLVM_H
#define VYREC_LLVM_H
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "codegen/codegen.h"

/* ---- lowering ---------------------------------------------------------------------------------------------------- */

struct lower_array {
	LLVMValueRef data;             /* pointer to element 0, in the address space that it lies in */
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
	LLVMBasicBlockRef fallen;  /* where lanes that trap wait for the others; NULL: they just go to the exit */
	LLVMValueRef code, detail; /* allocas */
};

/* The loader binds no buffer of more elements: a byte offset fits in 62 bits. */
#define LOWER_MOST_ELEMENTS (UINT64_C(1) << 59)

struct lower;

/* What a family of targets does its own way. `builtin` and `collective` give NULL, and `barrier` false, for what the
 * family cannot do at this place; NULL in place of a function: everywhere. */
struct lower_form {
	const char *symbol;            /* of an entry: a format with the unit's name */
	const char *claims;            /* LLVM names what belongs to entry NAME NAME<claims><number>; NULL: it does not */
	unsigned buffer_space, shared_space;
	bool reads_const_aside;        /* loads from const buffers may go by a path that sees no writes */
	bool keeps_rolled;             /* loops of unknown length: what comes behind LLVM unrolls them */
	const char *scopes[VYREC_SCOPE_COUNT]; /* LLVM's names; all NULL: scopes are one */
	/* The function l->fn of the unit and its attributes; no block yet. */
	void (*open)(struct lower *l, const char *symbol, const vyrec_array *buffers, uint32_t count);
	void (*prologue)(struct lower *l);
	void (*buffer)(struct lower *l, vyrec_array array, uint32_t binding); /* fills data and count */
	void (*shared)(struct lower *l, vyrec_array array);                   /* likewise */
	void (*zero_shared)(struct lower *l);                                 /* after all of them */
	void (*close)(struct lower *l);                                       /* after the body; may be NULL */
	LLVMValueRef (*builtin)(struct lower *l, const struct vyrec_expr_node *e);
	LLVMValueRef (*collective)(struct lower *l, const struct vyrec_expr_node *e, LLVMValueRef value,
				   LLVMValueRef index);
	bool (*barrier)(struct lower *l, vyrec_scope scope);
	void (*relax)(struct lower *l);
	void (*trap)(struct lower *l, LLVMValueRef code, LLVMValueRef detail); /* outside every catch; ends the block */
	LLVMValueRef (*rmw)(struct lower *l, const struct vyrec_expr_node *node, LLVMValueRef place, LLVMValueRef value);
};
extern const struct lower_form vyrec_form_native, vyrec_form_nvptx;

struct lower {
	struct vyrec_module *m;
	const struct vyrec_target *target;
	const struct lower_form *form;
	struct vyrec_diags *diags;
	bool failed;

	LLVMContextRef context;
	LLVMModuleRef module;
	LLVMBuilderRef b;
	LLVMBuilderRef entry_b; /* at the end of the entry block, which holds the allocas */
	LLVMTypeRef i1, i8, i16, i32, i64, i128, f32, f64, none;
	LLVMTypeRef ptr, buffer_ptr; /* to the lane's own memory, to a buffer */
	unsigned kind_scope, kind_no_alias, kind_invariant, kind_range, kind_no_undef, kind_align, kind_loop;

	vyrec_unit unit;
	LLVMValueRef fn;
	LLVMValueRef launch;  /* native: the launch record */
	LLVMValueRef records; /* native: the buffers' */
	LLVMValueRef trap;    /* NVPTX: the trap record */
	struct lower_meet {   /* NVPTX: what the lanes of a workgroup meet by (llvm_meet.c) */
		LLVMValueRef scratch; /* shared: a value a warp, twice; NULL until it is needed */
		LLVMValueRef turn;    /* alloca: which half is next */
		LLVMValueRef present; /* shared: a bit a lane that has not fallen; NULL: none can */
		unsigned apart;       /* catches around that lanes can fall out of while others meet inside */
		unsigned depth;       /* most of those in each other, in the unit */
		bool whole;           /* the same of the unit's body */
		uint32_t bytes;       /* of shared memory */
	} meet;
	LLVMValueRef log_fn;  /* of this unit; NULL until its first log */
	uint32_t shared_bytes; /* of this unit */
	struct lower_array *arrays;  /* by vyrec_array */
	struct lower_local *locals;  /* by vyrec_local */
	struct lower_loop *loop;     /* innermost */
	struct lower_catch *catching; /* innermost */
	bool cold;                    /* inside what a hoisted check leaves for the case that it fails */
};

/* Lowers every program of a module. False after errors in diags (the LLVM module is then of no use). shared_bytes, by
 * unit - 1, may be NULL. */
bool vyrec_llvm_lower(struct vyrec_module *m, const struct vyrec_target *target, LLVMContextRef context,
		      LLVMModuleRef module, uint32_t *shared_bytes, struct vyrec_diags *diags);
/* The symbol of a program. */
void vyrec_llvm_symbol(const struct vyrec_module *m, const struct vyrec_target *target, vyrec_unit unit, char *name,
		       size_t bytes);

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
LLVMAtomicRMWBinOp lower_rmw_op(const struct vyrec_expr_node *node);
unsigned lower_scope(struct lower *l, unsigned scope); /* LLVM's id */
LLVMValueRef lower_fence(struct lower *l, LLVMAtomicOrdering order, unsigned scope);

LLVMTypeRef lower_type(struct lower *l, vyrec_type type, vyrec_loc loc);    /* of a value */
LLVMTypeRef lower_element(struct lower *l, vyrec_type type, vyrec_loc loc); /* in memory */
LLVMValueRef lower_zero(struct lower *l, vyrec_type type);
LLVMValueRef lower_u32(struct lower *l, uint32_t value);
LLVMBasicBlockRef lower_new_block(struct lower *l, const char *name);
void lower_keep_small(struct lower *l, LLVMValueRef branch); /* of a loop: LLVM spends no time and bytes on it */
void lower_go(struct lower *l, LLVMBasicBlockRef to); /* a branch, unless the block has ended */
void lower_at(struct lower *l, LLVMBasicBlockRef block);
void lower_attribute(struct lower *l, LLVMValueRef fn, const char *name); /* of the whole function, without a value */
void lower_text_attribute(struct lower *l, const char *name, const char *value); /* of l->fn */
void lower_parameter_attribute(struct lower *l, unsigned index, const char *name, uint64_t value); /* from 0 */
LLVMValueRef lower_node(struct lower *l, LLVMMetadataRef *parts, size_t count);
uint32_t lower_lanes(const struct lower *l); /* of the unit's workgroup */

/* llvm_nvptx.c */
LLVMValueRef meet_lane(struct lower *l); /* linear index in the workgroup */
LLVMValueRef nvptx_shared(struct lower *l, LLVMTypeRef element, uint32_t count, uint32_t bytes, const char *name);
/* llvm_meet.c: lanes of a workgroup of an NVIDIA device. */
enum { MEET_WARP = 32 };
void meet_open(struct lower *l);  /* a unit begins: can lanes fall? */
void meet_begin(struct lower *l); /* where they can: everybody is present, behind the next barrier */
void meet_leave(struct lower *l);  /* this lane falls */
void meet_all(struct lower *l, unsigned depth); /* the end of such a catch */
void meet_return(struct lower *l); /* this lane, which had fallen, is there again */
LLVMValueRef meet_collective(struct lower *l, const struct vyrec_expr_node *e, LLVMValueRef value, LLVMValueRef index);
bool meet_barrier(struct lower *l, vyrec_scope scope);
/* llvm_meet_falls.c: which catches lanes can fall out of. */
bool meet_falls(struct lower *l, vyrec_block block); /* do a trap and a meeting stand in one catch's block? */
void meet_survey(struct lower *l); /* the same of a whole unit: fills meet.depth and meet.whole */
/* llvm_nvptx_atomic.c */
LLVMValueRef nvptx_rmw(struct lower *l, const struct vyrec_expr_node *node, LLVMValueRef place, LLVMValueRef value);
/* llvm_nvptx_shape.c: between the optimiser and the code generator. */
#define LOWER_STRIDED_LOOP "vyre.strided" /* property of a loop: 1 .. 2^width-1 turns, by a step that may be above 1 */
void nvptx_shape(LLVMModuleRef module, LLVMContextRef context, const struct vyrec_target *target);
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

/* memory_file.c: an anonymous file that holds these bytes; -1: errno. What a file holds, malloc'd, with a NUL behind;
 * NULL: errno. */
int vyrec_memory_file(const char *name, const void *data, size_t bytes);
uint8_t *vyrec_file_bytes(int fd, size_t *bytes);

/* Links one object to an image. NULL and a message after an error; else malloc'd bytes. */
uint8_t *vyrec_link(const void *object, size_t object_bytes, size_t *image_bytes, char *message, size_t message_bytes);

/* What the loader will rely on: no writable segment, no dynamic relocation, no import, no constructor. */
bool vyrec_elf_check(const uint8_t *image, size_t bytes, char *message, size_t message_bytes);
/* The virtual address of an exported symbol; 0 = not there. */
uint64_t vyrec_elf_symbol(const uint8_t *image, size_t bytes, const char *name);
/* Stack that a call of each entry needs, from .stack_sizes: its own frame and those of all functions that are no
 * entries, which it may call. */
void vyrec_elf_stacks(const uint8_t *image, size_t bytes, const uint64_t *entries, uint32_t count, uint32_t *stacks);

/* child.c: runs a program to its end, or to that of its time. Its files: 0 is empty, 1 and 2 are `words`, 3 and 4 are `in` and
 * `out` (-1: it has none). The exit code, VYREC_CHILD_SIGNALLED + signal, VYREC_CHILD_LATE, or -1 and errno. */
enum { VYREC_CHILD_IN = 3, VYREC_CHILD_OUT = 4, VYREC_CHILD_SIGNALLED = 1000, VYREC_CHILD_LATE = 2000 };
struct vyrec_child {
	const char *path;
	const char *const *args; /* from the name on; NULL behind */
	int in, out, words;
	unsigned milliseconds;
};
int vyrec_child_run(const struct vyrec_child *child);

/* ptxas.c: assembles a PTX slice, and fills in what only ptxas knows of its entries. A message after TOO_OLD (for the
 * target), REFUSED (the text, as it seems) and BROKEN (no fault of the text: it cannot be run, or does not end). */
enum vyrec_ptxas_result {
	VYREC_PTXAS_DONE,
	VYREC_PTXAS_ABSENT,
	VYREC_PTXAS_TOO_OLD,
	VYREC_PTXAS_REFUSED,
	VYREC_PTXAS_BROKEN
};
enum { VYREC_PTXAS_MESSAGE_BYTES = 2048 }; /* with room for its path and its words */
enum vyrec_ptxas_result vyrec_ptxas(struct vyrec_slice *ptx, uint8_t **cubin, size_t *cubin_bytes, char *message,
				    size_t message_bytes);
/* After REFUSED: does it assemble an empty kernel with the head of that text? False with a message. */
bool vyrec_ptxas_works(const struct vyrec_slice *ptx, char *message, size_t message_bytes);

double vyrec_now_ms(void);

/* vyrec_codegen with a hand in the LLVM module before it is compiled (tests of failure containment). */
bool vyrec_codegen_with(struct vyrec_module *module, const struct vyrec_target *target,
			const struct vyrec_codegen_options *options, struct vyrec_slice *out,
			struct vyrec_diags *diags, void (*tamper)(LLVMModuleRef module));
bool vyrec_assemble_with(struct vyrec_module *module, const struct vyrec_codegen_options *options,
			 struct vyrec_slice *ptx, struct vyrec_slice *out, struct vyrec_diags *diags,
			 void (*tamper)(LLVMModuleRef module));

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
