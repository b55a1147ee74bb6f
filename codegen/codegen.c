/* codegen.c - a lowered module to a slice: lower, optimise, emit, link, measure.
 *
 * Enters: a module after the pipeline, a target. Leaves: a slice, or errors in diags and an empty slice.
 * Invariant: whatever fails, the process goes on and nothing that this file owns leaks, but for the LLVM context of a
 * compilation that ended in a fatal error of LLVM (llvm_guard.c says why).
 *
 * When LLVM refuses a megakernel, its words name no line of ours. Then the op at fault is searched: the program is
 * compiled again with all cases of its dispatch emptied but one. That is slow, and only done after a failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/llvm.h"
#include "runtime/abi/mailbox.h"

/* What one compilation holds; finished by finish(). */
struct job {
	LLVMContextRef context;
	LLVMModuleRef module;
	struct vyrec_llvm_emit emit;
	uint32_t *shared; /* bytes, by unit - 1; malloc */
	bool lowered;	  /* nothing of it was refused */
	bool fatal;	  /* LLVM was left by longjmp: its objects must not be touched */
};

static void finish(struct job *job)
{
	free(job->shared);
	if (job->fatal)
		return;
	vyrec_llvm_emit_finish(&job->emit);
	if (job->module)
		LLVMDisposeModule(job->module);
	if (job->context)
		LLVMContextDispose(job->context);
}

static void run_emit(void *user)
{
	vyrec_llvm_emit(user);
}

/* Lowers and emits. False with job->emit.message set where LLVM failed, or with diags alone where the lowering did. */
static bool compile(struct job *job, struct vyrec_module *module, const struct vyrec_target *target,
		    const struct vyrec_codegen_options *options, struct vyrec_diags *diags,
		    void (*tamper)(LLVMModuleRef module))
{
	double start = vyrec_now_ms();
	*job = (struct job){.context = LLVMContextCreate()};
	job->module = LLVMModuleCreateWithNameInContext(vyrec_name_text(module, module->file), job->context);
	job->shared = vyrec_alloc(module->unit_count * sizeof *job->shared);
	job->lowered = vyrec_llvm_lower(module, target, job->context, job->module, job->shared, diags);
	if (!job->lowered)
		return false;
	if (tamper)
		tamper(job->module);
	job->emit = (struct vyrec_llvm_emit){
	    .context = job->context, .module = job->module, .target = target, .options = options};
	job->emit.times.lower = vyrec_now_ms() - start;
	job->fatal = !vyrec_llvm_guard(run_emit, &job->emit, job->emit.message, sizeof job->emit.message);
	return !job->fatal && !job->emit.failed;
}

/* ---- who is to blame ------------------------------------------------------------------------------------------------- */

struct blame {
	struct vyrec_module *module;
	const struct vyrec_target *target;
	const struct vyrec_codegen_options *options;
	void (*tamper)(LLVMModuleRef module);
	bool assembled; /* ptxas is who refuses */
};

/* The switch with the most cases: in an assembled program, the dispatch. */
struct dispatch_search {
	vyrec_stmt best;
	uint32_t cases;
};

static void see_stmt(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	struct dispatch_search *search = user;
	if (m->stmts[stmt].kind == VYREC_STMT_SWITCH && m->stmts[stmt].count > search->cases) {
		search->best = stmt;
		search->cases = m->stmts[stmt].count;
	}
}

static vyrec_stmt find_dispatch(struct vyrec_module *m, vyrec_unit unit)
{
	struct dispatch_search search = {0};
	struct vyrec_walker walker = {.stmt = see_stmt, .user = &search};
	vyrec_walk_block(m, m->units[unit].body, &walker);
	return search.best;
}

enum { ALL_CASES = UINT32_MAX, NO_CASE = UINT32_MAX - 1 };

static void keep_only_case(struct vyrec_module *m, vyrec_stmt dispatch, uint32_t keep)
{
	const struct vyrec_stmt_node s = m->stmts[dispatch];
	vyrec_block kept = keep < s.count ? m->refs[s.list + 2 * keep + 1] : 0;
	for (uint32_t i = 0; i < s.count; i++)
		if (m->refs[s.list + 2 * i + 1] != kept)
			vyrec_set_block(m, m->refs[s.list + 2 * i + 1], NULL, 0);
}

static vyrec_handler find_handler(const struct vyrec_module *m, vyrec_unit unit, uint32_t opcode)
{
	const struct vyrec_unit_node *u = &m->units[unit];
	for (uint32_t i = 0; i < u->item_count; i++) {
		uint32_t index = m->refs[u->items + 2 * i + 1];
		if (m->refs[u->items + 2 * i] == VYREC_ITEM_HANDLER && m->handlers[index].opcode == opcode)
			return index;
	}
	return 0;
}

static bool assembles(const struct job *job, const struct vyrec_target *target)
{
	struct vyrec_slice ptx = {.target = target,
				  .image = (uint8_t *)(uintptr_t)LLVMGetBufferStart(job->emit.object),
				  .image_bytes = LLVMGetBufferSize(job->emit.object)};
	char message[VYREC_PTXAS_MESSAGE_BYTES];
	uint8_t *cubin;
	size_t bytes;
	bool fine = vyrec_ptxas(&ptx, &cubin, &bytes, message, sizeof message) == VYREC_PTXAS_DONE;
	free(cubin);
	return fine;
}

/* Does it still fail when the other units are empty programs, and of the unit's dispatch only one case is left? */
static bool fails_alone(const struct blame *blame, vyrec_unit unit, uint32_t keep_case)
{
	struct vyrec_module *copy = vyrec_module_clone(blame->module);
	for (vyrec_unit other = 1; other < copy->unit_count; other++)
		if (other != unit)
			vyrec_set_block(copy, copy->units[other].body, NULL, 0);
	vyrec_stmt dispatch = find_dispatch(copy, unit);
	if (dispatch && keep_case != ALL_CASES)
		keep_only_case(copy, dispatch, keep_case);
	struct vyrec_diags ignored = {0};
	struct job job;
	bool fine = compile(&job, copy, blame->target, blame->options, &ignored, blame->tamper);
	fine = fine && (!blame->assembled || assembles(&job, blame->target));
	finish(&job);
	vyrec_diags_finish(&ignored);
	vyrec_module_destroy(copy);
	return !fine;
}

static vyrec_handler guilty_op(const struct blame *blame, vyrec_unit unit)
{
	struct vyrec_module *m = blame->module;
	vyrec_stmt dispatch = find_dispatch(m, unit);
	if (!dispatch || fails_alone(blame, unit, NO_CASE)) /* not the ops' fault */
		return 0;
	for (uint32_t i = 0; i < m->stmts[dispatch].count; i++) {
		vyrec_handler handler = find_handler(m, unit, m->refs[m->stmts[dispatch].list + 2 * i]);
		if (handler && fails_alone(blame, unit, i))
			return handler;
	}
	return 0;
}

static void find_guilty(const struct blame *blame, const char *words, struct vyrec_diags *diags)
{
	struct vyrec_module *m = blame->module;
	vyrec_unit unit = 1;
	while (unit < m->unit_count && !fails_alone(blame, unit, ALL_CASES))
		unit++;
	if (unit == m->unit_count) {
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, "%s cannot compile the module: %s", blame->target->name,
				words);
		return;
	}
	vyrec_handler handler = guilty_op(blame, unit);
	const char *name = vyrec_name_text(m, m->units[unit].name);
	if (handler)
		vyrec_diags_add(diags, VYREC_ERROR, "", m->handlers[handler].loc,
				"%s cannot compile op %s of set %s: %s", blame->target->name,
				vyrec_name_text(m, m->handlers[handler].name), name, words);
	else
		vyrec_diags_add(diags, VYREC_ERROR, "", m->units[unit].loc, "%s cannot compile %s: %s",
				blame->target->name, name, words);
}

bool vyrec_has_mailbox(const struct vyrec_module *m, vyrec_unit unit)
{
	static const char *const names[] = {
#define X(name, text, meaning) text,
	    VYRE_MAILBOX_BUFFER_LIST(X)
#undef X
	};
	const struct vyrec_unit_node *u = &m->units[unit];
	vyrec_array found[VYRE_MAILBOX_BUFFERS] = {0};
	uint32_t count = 0;
	for (uint32_t i = 0; u->feed == VYRE_FEED_LIVE && i < u->item_count; i++) {
		if (m->refs[u->items + 2 * i] != VYREC_ITEM_BUFFER)
			continue;
		memmove(found, found + 1, sizeof found - sizeof *found);
		found[VYRE_MAILBOX_BUFFERS - 1] = m->refs[u->items + 2 * i + 1];
		count++;
	}
	for (uint32_t i = 0; i < VYRE_MAILBOX_BUFFERS; i++)
		if (count < VYRE_MAILBOX_BUFFERS || strcmp(vyrec_name_text(m, m->arrays[found[i]].name), names[i]))
			return false;
	return true;
}

/* ---- slices ---------------------------------------------------------------------------------------------------------- */

/* Room for return addresses, alignment and a signal-free red zone, beyond what LLVM counted. */
enum { STACK_SLACK = 256 };

/* The numbers that the pipeline and the lowering know; ptxas.c adds its own. */
static void describe(struct vyrec_slice *out, const struct vyrec_module *module, const struct job *job)
{
	uint32_t units = module->unit_count - 1;
	bool is_native = out->target->family == VYREC_FAMILY_NATIVE;
	out->resources = vyrec_alloc(units * sizeof *out->resources);
	for (uint32_t i = 0; i < units; i++) {
		const struct vyrec_unit_node *unit = &module->units[i + 1];
		struct vyrec_resources *to = &out->resources[i];
		to->shared_bytes = job->shared[i];
		for (unsigned axis = 0; axis < 3; axis++)
			to->lanes[axis] = is_native ? 1 : unit->workgroup[axis];
		to->flags = !is_native && vyrec_has_mailbox(module, i + 1) ? VYRE_SLICE_MAILBOX : 0;
	}
}

static bool find_entries(struct vyrec_slice *out, const struct vyrec_module *module, struct vyrec_diags *diags)
{
	uint32_t units = module->unit_count - 1;
	out->entries = vyrec_alloc(units * sizeof *out->entries);
	uint32_t *stacks = vyrec_alloc(units * sizeof *stacks);
	for (vyrec_unit unit = 1; unit <= units; unit++) {
		char name[VYREC_MAX_NAME_BYTES + 16];
		vyrec_llvm_symbol(module, out->target, unit, name, sizeof name);
		out->entries[unit - 1] = vyrec_elf_symbol(out->image, out->image_bytes, name);
		if (!out->entries[unit - 1]) {
			vyrec_diags_add(diags, VYREC_ERROR, "", module->units[unit].loc,
					"the linked image for %s does not export %s", out->target->name, name);
			free(stacks);
			return false;
		}
	}
	vyrec_elf_stacks(out->image, out->image_bytes, out->entries, units, stacks);
	for (uint32_t i = 0; i < units; i++)
		out->resources[i].stack_bytes = stacks[i] + STACK_SLACK;
	free(stacks);
	return true;
}

static void name_entries(struct vyrec_slice *out, const struct vyrec_module *module)
{
	out->unit_count = module->unit_count - 1;
	out->symbols = vyrec_alloc(out->unit_count * sizeof *out->symbols);
	for (vyrec_unit unit = 1; unit <= out->unit_count; unit++) {
		out->symbols[unit - 1] = vyrec_alloc(VYREC_MAX_NAME_BYTES + 16);
		vyrec_llvm_symbol(module, out->target, unit, out->symbols[unit - 1], VYREC_MAX_NAME_BYTES + 16);
	}
}

static void keep_text(struct vyrec_slice *out, const struct job *job, const char *form)
{
	LLVMMemoryBufferRef from = job->emit.text;
	if (form && !strcmp(form, "obj"))
		from = job->emit.object;
	if (!from)
		return;
	out->text_bytes = LLVMGetBufferSize(from);
	out->text = vyrec_alloc(out->text_bytes + 1);
	memcpy(out->text, LLVMGetBufferStart(from), out->text_bytes);
}

/* PTX is its own image. */
static void take_text(struct vyrec_slice *out, const struct job *job)
{
	out->format = VYRE_FORMAT_PTX;
	out->image_bytes = LLVMGetBufferSize(job->emit.object);
	out->image = vyrec_alloc(out->image_bytes + 1);
	memcpy(out->image, LLVMGetBufferStart(job->emit.object), out->image_bytes);
}

static bool link_job(struct vyrec_slice *out, const struct job *job, struct vyrec_diags *diags)
{
	char message[512] = "";
	double start = vyrec_now_ms();
	out->image = vyrec_link(LLVMGetBufferStart(job->emit.object), LLVMGetBufferSize(job->emit.object),
				&out->image_bytes, message, sizeof message);
	out->times.link = vyrec_now_ms() - start;
	if (!out->image)
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, "linking for %s failed: %s", out->target->name, message);
	return out->image != NULL;
}

bool vyrec_codegen_with(struct vyrec_module *module, const struct vyrec_target *target,
			const struct vyrec_codegen_options *options, struct vyrec_slice *out, struct vyrec_diags *diags,
			void (*tamper)(LLVMModuleRef module))
{
	struct job job;
	*out = (struct vyrec_slice){.target = target, .format = VYRE_FORMAT_ELF};
	bool fine = compile(&job, module, target, options, diags, tamper);
	if (!fine && job.lowered) { /* what the lowering refuses, it has named, maybe for another target */
		struct blame blame = {module, target, options, tamper, false};
		find_guilty(&blame, job.emit.message, diags);
	}
	if (fine) {
		out->times = job.emit.times;
		keep_text(out, &job, options->emit);
		describe(out, module, &job);
		if (target->family == VYREC_FAMILY_NVPTX) {
			take_text(out, &job);
			name_entries(out, module);
		} else {
			fine = link_job(out, &job, diags) && find_entries(out, module, diags);
		}
	}
	finish(&job);
	if (!fine)
		vyrec_slice_finish(out);
	return fine;
}

bool vyrec_codegen(struct vyrec_module *module, const struct vyrec_target *target,
		   const struct vyrec_codegen_options *options, struct vyrec_slice *out, struct vyrec_diags *diags)
{
	return vyrec_codegen_with(module, target, options, out, diags, NULL);
}

/* ---- cubins ---------------------------------------------------------------------------------------------------------- */

/* Of the same units, in the same order. */
static void take_cubin(struct vyrec_slice *out, const struct vyrec_slice *ptx, uint8_t *cubin, size_t bytes)
{
	*out = (struct vyrec_slice){.target = ptx->target,
				    .format = VYRE_FORMAT_CUBIN,
				    .image = cubin,
				    .image_bytes = bytes,
				    .unit_count = ptx->unit_count};
	out->symbols = vyrec_alloc(ptx->unit_count * sizeof *out->symbols);
	out->resources = vyrec_alloc(ptx->unit_count * sizeof *out->resources);
	memcpy(out->resources, ptx->resources, ptx->unit_count * sizeof *out->resources);
	for (uint32_t i = 0; i < ptx->unit_count; i++) {
		size_t length = strlen(ptx->symbols[i]) + 1;
		out->symbols[i] = memcpy(vyrec_alloc(length), ptx->symbols[i], length);
	}
}

static const char absent[] = "ptxas is not found: it is neither $VYRE_PTXAS nor in PATH, $CUDA_HOME/bin or "
			     "/usr/local/cuda/bin; install the CUDA toolkit, or compile with --cubin=auto";

bool vyrec_assemble_with(struct vyrec_module *module, const struct vyrec_codegen_options *options,
			 struct vyrec_slice *ptx, struct vyrec_slice *out, struct vyrec_diags *diags,
			 void (*tamper)(LLVMModuleRef module))
{
	struct blame blame = {module, ptx->target, options, tamper, true};
	char message[VYREC_PTXAS_MESSAGE_BYTES] = "";
	uint8_t *cubin;
	size_t bytes;
	double start = vyrec_now_ms();
	*out = (struct vyrec_slice){0};
	if (options->cubin == VYREC_CUBIN_NEVER)
		return true;
	enum vyrec_ptxas_result result = vyrec_ptxas(ptx, &cubin, &bytes, message, sizeof message);
	ptx->times.link = vyrec_now_ms() - start;
	if (result == VYREC_PTXAS_DONE) {
		take_cubin(out, ptx, cubin, bytes);
		return true;
	}
	bool is_missing = result == VYREC_PTXAS_ABSENT || result == VYREC_PTXAS_TOO_OLD;
	if (is_missing && options->cubin != VYREC_CUBIN_REQUIRE)
		return true;
	if (result == VYREC_PTXAS_REFUSED && vyrec_ptxas_works(ptx, message, sizeof message))
		find_guilty(&blame, message, diags);
	else
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, "no cubin for %s: %s", ptx->target->name,
				result == VYREC_PTXAS_ABSENT ? absent : message);
	return false;
}

bool vyrec_assemble(struct vyrec_module *module, const struct vyrec_codegen_options *options, struct vyrec_slice *ptx,
		    struct vyrec_slice *out, struct vyrec_diags *diags)
{
	return vyrec_assemble_with(module, options, ptx, out, diags, NULL);
}

void vyrec_slice_finish(struct vyrec_slice *slice)
{
	free(slice->image);
	free(slice->text);
	free(slice->entries);
	for (uint32_t i = 0; i < slice->unit_count; i++)
		free(slice->symbols[i]);
	free(slice->symbols);
	free(slice->resources);
	*slice = (struct vyrec_slice){0};
}
