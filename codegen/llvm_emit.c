/* llvm_emit.c - an LLVM module to an optimised object in memory, and to the text forms that were asked for.
 *
 * Enters: a module that LLVM's verifier may still refuse. Leaves: buffers, times, or a message. Runs under
 * vyrec_llvm_guard, so everything that it makes is kept in the caller's record at once.
 * Invariant: an error that LLVM only *reports* (a diagnostic of severity error, after which it may hand out garbage with
 * a success code) is sticky and fails the compilation.
 */
#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "codegen/llvm.h"

/* The rows of target.c name these; nothing else is initialised, because all targets together cost more than a small
 * compilation. */
#define BACKEND_LIST(X) X(X86) X(NVPTX)
#define X(name) \
	void LLVMInitialize##name##TargetInfo(void); \
	void LLVMInitialize##name##Target(void); \
	void LLVMInitialize##name##TargetMC(void); \
	void LLVMInitialize##name##AsmPrinter(void);
BACKEND_LIST(X)
#undef X

static void initialise_backend(const char *backend)
{
#define X(name) \
	if (!strcmp(backend, #name)) { \
		LLVMInitialize##name##TargetInfo(); \
		LLVMInitialize##name##Target(); \
		LLVMInitialize##name##TargetMC(); \
		LLVMInitialize##name##AsmPrinter(); \
	}
	BACKEND_LIST(X)
#undef X
}

double vyrec_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

const char *vyrec_llvm_version(void)
{
	static char text[32];
	unsigned major, minor, patch;
	LLVMGetVersion(&major, &minor, &patch);
	snprintf(text, sizeof text, "%u.%u.%u", major, minor, patch);
	return text;
}

static void fail(struct vyrec_llvm_emit *e, const char *what, const char *why)
{
	if (!e->failed)
		snprintf(e->message, sizeof e->message, "%s: %s", what, why);
	e->failed = true;
}

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *user)
{
	struct vyrec_llvm_emit *e = user;
	if (LLVMGetDiagInfoSeverity(info) != LLVMDSError)
		return;
	char *text = LLVMGetDiagInfoDescription(info);
	fail(e, "LLVM", text);
	LLVMDisposeMessage(text);
}

static bool make_machine(struct vyrec_llvm_emit *e)
{
	static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess,
						     LLVMCodeGenLevelDefault, LLVMCodeGenLevelAggressive};
	const struct vyrec_target *t = e->target;
	LLVMTargetRef target;
	char *why = NULL;
	initialise_backend(t->backend);
	if (LLVMGetTargetFromTriple(t->triple, &target, &why)) {
		fail(e, t->triple, why);
		LLVMDisposeMessage(why);
		return false;
	}
	e->machine = LLVMCreateTargetMachine(target, t->triple, t->cpu, t->features, levels[e->options->level & 3],
					     LLVMRelocPIC, LLVMCodeModelDefault);
	if (t->family == VYREC_FAMILY_NATIVE)
		vyrec_llvm_want_stack_sizes(e->machine);
	LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(e->machine);
	LLVMSetTarget(e->module, t->triple);
	LLVMSetModuleDataLayout(e->module, layout);
	LLVMDisposeTargetData(layout);
	return true;
}

static bool verify(struct vyrec_llvm_emit *e)
{
	char *why = NULL;
	bool bad = LLVMVerifyModule(e->module, LLVMReturnStatusAction, &why);
	if (bad)
		fail(e, "the lowering made a module that LLVM refuses", why);
	LLVMDisposeMessage(why);
	return !bad;
}

/* Not SLP: on AVX-512 it turns interleaved table look-ups into gathers, three times slower (Zen 5, LLVM 19 and 22). */
static bool optimise(struct vyrec_llvm_emit *e)
{
	char pipeline[16];
	snprintf(pipeline, sizeof pipeline, "default<O%u>", e->options->level & 3);
	e->passes = LLVMCreatePassBuilderOptions();
	LLVMPassBuilderOptionsSetLoopVectorization(e->passes, 1);
	LLVMPassBuilderOptionsSetLoopInterleaving(e->passes, 1);
	LLVMPassBuilderOptionsSetLoopUnrolling(e->passes, 1);
	LLVMPassBuilderOptionsSetSLPVectorization(e->passes, 0);
	LLVMErrorRef error = LLVMRunPasses(e->module, pipeline, e->machine, e->passes);
	if (!error)
		return !e->failed;
	char *why = LLVMGetErrorMessage(error);
	fail(e, pipeline, why);
	LLVMDisposeErrorMessage(why);
	return false;
}

/* A racing load gives some value, but the same to all its users: the lowering freezes each load, so that the optimiser
 * keeps to that. Behind the optimiser a load is one instruction with one result, and a freeze only keeps instruction
 * selection from folding it into its user (vpmovzxbd from memory; 36 instead of 44 GB/s for a count of bytes, Zen 5). */
static void drop_freezes_of_loads(LLVMModuleRef module)
{
	for (LLVMValueRef fn = LLVMGetFirstFunction(module); fn; fn = LLVMGetNextFunction(fn))
		for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(fn); block; block = LLVMGetNextBasicBlock(block))
			for (LLVMValueRef i = LLVMGetFirstInstruction(block), next; i; i = next) {
				next = LLVMGetNextInstruction(i);
				if (!LLVMIsAFreezeInst(i) || !LLVMIsALoadInst(LLVMGetOperand(i, 0)))
					continue;
				LLVMReplaceAllUsesWith(i, LLVMGetOperand(i, 0));
				LLVMInstructionEraseFromParent(i);
			}
}

static bool emit(struct vyrec_llvm_emit *e, LLVMCodeGenFileType form, LLVMModuleRef module, LLVMMemoryBufferRef *out)
{
	char *why = NULL;
	if (LLVMTargetMachineEmitToMemoryBuffer(e->machine, module, form, &why, out)) {
		fail(e, "code generation", why);
		LLVMDisposeMessage(why);
	}
	return !e->failed;
}

/* Code generation consumes the module, so assembly is made from a copy. */
static bool emit_text(struct vyrec_llvm_emit *e)
{
	const char *form = e->options->emit;
	if (form && !strcmp(form, "llvm")) {
		char *text = LLVMPrintModuleToString(e->module);
		e->text = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "llvm");
		LLVMDisposeMessage(text);
	} else if (form && !strcmp(form, "asm")) {
		LLVMModuleRef copy = LLVMCloneModule(e->module);
		bool fine = emit(e, LLVMAssemblyFile, copy, &e->text);
		LLVMDisposeModule(copy);
		return fine;
	}
	return true;
}

void vyrec_llvm_emit(struct vyrec_llvm_emit *e)
{
	double start = vyrec_now_ms();
	LLVMContextSetDiagnosticHandler(e->context, on_diagnostic, e);
	if (!make_machine(e) || !verify(e) || !optimise(e))
		return;
	drop_freezes_of_loads(e->module);
	if (e->target->family == VYREC_FAMILY_NVPTX)
		nvptx_shape(e->module, e->context, e->target);
	double optimised = vyrec_now_ms();
	e->times.optimise = optimised - start;
	if (emit_text(e))
		emit(e, e->target->family == VYREC_FAMILY_NVPTX ? LLVMAssemblyFile : LLVMObjectFile, e->module,
		     &e->object);
	e->times.emit = vyrec_now_ms() - optimised;
}

void vyrec_llvm_emit_finish(struct vyrec_llvm_emit *e)
{
	if (e->object)
		LLVMDisposeMemoryBuffer(e->object);
	if (e->text)
		LLVMDisposeMemoryBuffer(e->text);
	if (e->passes)
		LLVMDisposePassBuilderOptions(e->passes);
	if (e->machine)
		LLVMDisposeTargetMachine(e->machine);
}
