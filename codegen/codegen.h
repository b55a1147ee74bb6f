/* codegen.h - from lowered programs to slices, and from slices to a blob. */
#ifndef VYREC_CODEGEN_H
#define VYREC_CODEGEN_H
#include "ir/ir.h"
#include "passes/passes.h"

/* What a target's code looks like from outside: one struct lower_form (llvm.h) each. */
enum vyrec_family { VYREC_FAMILY_NATIVE, VYREC_FAMILY_NVPTX };

/* A row per target (target.c): all that the lowering needs to know about it. */
struct vyrec_target {
	const char *name;     /* "x86-64-v3" */
	uint32_t id;          /* VYRE_TARGET_* */
	enum vyrec_family family;
	const char *triple, *cpu, *features;
	const char *backend;  /* LLVM target to initialise: "X86" */
	const char *vector_bits; /* widest vector that the optimiser should use */
	bool one_lane;        /* a workgroup is one lane: the pass `lanes` must have run */
	bool has_mailbox;     /* a live ring reaches it by abi/mailbox.h */
	uint32_t lanes;       /* of a lowered set's workgroup unless the options say otherwise */
	bool has_f64, has_f16, has_fma; /* without fma: f32 by way of f64, f64 in integers (llvm_fma.c) */
	bool has_bmsk;                  /* one instruction for 1 << (x & 31) */
	const char *meaning;
};
const struct vyrec_target *vyrec_target_at(unsigned index); /* NULL past the end */
const struct vyrec_target *vyrec_target_find(const char *name);

enum vyrec_cubin { VYREC_CUBIN_AUTO, VYREC_CUBIN_NEVER, VYREC_CUBIN_REQUIRE };

struct vyrec_codegen_options {
	enum vyrec_cubin cubin; /* NVPTX: auto = where ptxas is found; never = ptxas is not run */
	unsigned level;       /* 0, 1, 2, 3: LLVM's default<On> */
	const char *emit;     /* "llvm", "asm", "obj": also keep this form; NULL = only the linked image */
};

/* Milliseconds spent, for `vyrec -v`. */
struct vyrec_codegen_times {
	double lower, optimise, emit, link; /* link: or assemble */
};

/* What became of one module on one target, in one format. */
struct vyrec_slice {
	const struct vyrec_target *target;
	uint32_t format;      /* VYRE_FORMAT_* */
	uint8_t *image;       /* linked; malloc */
	size_t image_bytes;
	char *text;           /* the form that options->emit asked for (may hold NULs for obj); malloc */
	size_t text_bytes;
	/* By unit index - 1; each malloc. */
	uint64_t *entries;    /* ELF: virtual address */
	char **symbols;       /* PTX, CUBIN: name of the .entry; unit_count of them, each malloc. ELF: NULL */
	uint32_t unit_count;
	struct vyrec_resources {
		uint32_t lanes[3]; /* of a workgroup */
		uint32_t flags;	   /* VYRE_SLICE_* */
		uint32_t stack_bytes, shared_bytes, registers, spill_bytes; /* as in struct vyre_blob_slice */
	} *resources;
	struct vyrec_codegen_times times;
};
void vyrec_slice_finish(struct vyrec_slice *slice);

/* Compiles every program of a module that went through vyrec_run_pipeline. Errors (a type or statement that the target
 * lacks; whatever LLVM or lld refuse) name the place, or else the op, and leave the process in order.
 * Same module, target and options: same bytes. Thread rule: one at a time (LLVM's fatal-error hook is process-wide, and
 * so is SIGCHLD's action, which is the default one while ptxas runs). */
bool vyrec_codegen(struct vyrec_module *module, const struct vyrec_target *target,
		   const struct vyrec_codegen_options *options, struct vyrec_slice *out, struct vyrec_diags *diags);

/* Assembles what vyrec_codegen made of a module for an NVIDIA target: registers, stack and spills are then known in the PTX
 * slice, and out is its cubin. Where the options say never, ptxas is not touched and out is empty (image NULL). So it is
 * where ptxas is not found, or is too old for the target, which is an error only when a cubin is required. One that fails
 * at an empty kernel too, or does not end in its time, is an error that blames no unit. */
bool vyrec_assemble(struct vyrec_module *module, const struct vyrec_codegen_options *options, struct vyrec_slice *ptx,
		    struct vyrec_slice *out, struct vyrec_diags *diags);
/* "13.0.88"; NULL where there is no ptxas. */
const char *vyrec_ptxas_version(void);

/* Do the buffers of a lowered unit end with those of abi/mailbox.h? */
bool vyrec_has_mailbox(const struct vyrec_module *module, vyrec_unit unit);

struct vyrec_blob_input {
	struct vyrec_module *source;   /* as parsed and verified: names, ops, args, logs, trap sites, VIR0 */
	struct vyrec_module *lowered;  /* after the pipeline: unit feeds and buffer tables */
	const struct vyrec_slice *slices;
	unsigned slice_count;
	const char *flags;             /* the command line that matters, for the provenance */
	const char *ptxas;             /* the version of the ptxas that was used, or NULL */
};
/* Writes the blob (runtime/abi/blob.h); the caller frees it. Same input, same bytes. */
uint8_t *vyrec_blob_write(const struct vyrec_blob_input *input, size_t *bytes);

/* "22.1.8" */
const char *vyrec_llvm_version(void);

#endif
