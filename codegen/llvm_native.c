/* llvm_native.c - the form of programs on native CPUs: `void vyre.<unit>(ptr launch)`, as runtime/abi/cpu.h has it.
 *
 * Enters: a program of one lane (the pass `lanes` has seen to that). Leaves: prologue, builtins, trap record.
 * The prologue reads each buffer's pointer and count once; the record does not change during a call, so the optimiser
 * may drop what is not used and read again what it cannot keep.
 * A workgroup is one lane here: shared arrays lie on its stack, scopes are one, since the next observer is another thread
 * of the same machine, and nobody meets.
 */
#include <stdio.h>

#include "codegen/llvm.h"
#include "runtime/abi/cpu.h"

/* ---- prologue -------------------------------------------------------------------------------------------------------- */

static LLVMValueRef record_load(struct lower *l, LLVMTypeRef type, LLVMValueRef base, uint64_t offset, const char *name)
{
	LLVMValueRef at = LLVMConstInt(l->i64, offset, false);
	LLVMValueRef load = LLVMBuildLoad2(l->b, type, LLVMBuildInBoundsGEP2(l->b, l->i8, base, &at, 1, ""), name);
	LLVMSetAlignment(load, 8);
	LLVMSetMetadata(load, l->kind_invariant, lower_node(l, NULL, 0));
	LLVMSetMetadata(load, l->kind_no_undef, lower_node(l, NULL, 0));
	return load;
}

/* The loader refuses a binding shorter than the declaration: a fact that lets LLVM drop checks such as table[x & 0xff]
 * against u32[256]. The upper end says that a byte offset fits in 62 bits. */
static void set_count_range(struct lower *l, LLVMValueRef load, uint64_t least)
{
	LLVMMetadataRef ends[] = {LLVMValueAsMetadata(LLVMConstInt(l->i64, least, false)),
				  LLVMValueAsMetadata(LLVMConstInt(l->i64, LOWER_MOST_ELEMENTS, false))};
	LLVMSetMetadata(load, l->kind_range, lower_node(l, ends, 2));
}

static void native_buffer(struct lower *l, vyrec_array array, uint32_t binding)
{
	const struct vyrec_array_node *node = &l->m->arrays[array];
	struct lower_array *to = &l->arrays[array];
	char name[VYREC_MAX_NAME_BYTES + 16];
	LLVMMetadataRef align = LLVMValueAsMetadata(LLVMConstInt(l->i64, 64, false));
	snprintf(name, sizeof name, "%s.data", vyrec_name_text(l->m, node->name));
	to->data = record_load(l, l->ptr, l->records, binding * sizeof(struct vyre_cpu_buffer), name);
	LLVMSetMetadata(to->data, l->kind_align, lower_node(l, &align, 1));
	snprintf(name, sizeof name, "%s.count", vyrec_name_text(l->m, node->name));
	to->count =
	    record_load(l, l->i64, l->records,
			binding * sizeof(struct vyre_cpu_buffer) + offsetof(struct vyre_cpu_buffer, count), name);
	set_count_range(l, to->count, node->count);
}

static void native_shared(struct lower *l, vyrec_array array)
{
	const struct vyrec_array_node *node = &l->m->arrays[array];
	lower_array_alloca(l, array, node->loc);
	l->shared_bytes += node->count * vyrec_type_bytes(node->element);
}

static void native_zero_shared(struct lower *l)
{
	const struct vyrec_unit_node *unit = &l->m->units[l->unit];
	for (uint32_t i = 0; i < unit->item_count; i++)
		if (l->m->refs[unit->items + 2 * i] == VYREC_ITEM_SHARED)
			lower_array_zero(l, l->m->refs[unit->items + 2 * i + 1]);
}

static void native_prologue(struct lower *l)
{
	l->records = record_load(l, l->ptr, l->launch, offsetof(struct vyre_cpu_launch, buffers), "buffers");
}

/* No mustprogress, no willreturn: a loop that polls is a loop. no-builtins: the image has no library to call. */
static void native_open(struct lower *l, const char *symbol, const vyrec_array *buffers, uint32_t count)
{
	(void)buffers;
	(void)count;
	l->fn = LLVMAddFunction(l->module, symbol, LLVMFunctionType(l->none, &l->ptr, 1, false));
	l->launch = LLVMGetParam(l->fn, 0);
	LLVMSetValueName2(l->launch, "launch", 6);
	lower_attribute(l, l->fn, "nounwind");
	lower_text_attribute(l, "no-builtins", "");
	lower_text_attribute(l, "prefer-vector-width", l->target->vector_bits);
	lower_parameter_attribute(l, 0, "noalias", 0);
	lower_parameter_attribute(l, 0, "noundef", 0);
	lower_parameter_attribute(l, 0, "align", 8);
	lower_parameter_attribute(l, 0, "dereferenceable", sizeof(struct vyre_cpu_launch));
}

/* ---- the launch record ----------------------------------------------------------------------------------------------- */

static LLVMValueRef launch_word(struct lower *l, uint64_t offset)
{
	LLVMValueRef at = LLVMConstInt(l->i64, offset, false);
	LLVMValueRef word = LLVMBuildLoad2(l->b, l->i32, LLVMBuildInBoundsGEP2(l->b, l->i8, l->launch, &at, 1, ""), "");
	LLVMSetAlignment(word, 4);
	LLVMSetMetadata(word, l->kind_invariant, lower_node(l, NULL, 0));
	return word;
}

static void store_launch(struct lower *l, uint64_t offset, LLVMValueRef value)
{
	LLVMValueRef at = LLVMConstInt(l->i64, offset, false);
	LLVMValueRef store = LLVMBuildStore(l->b, value, LLVMBuildInBoundsGEP2(l->b, l->i8, l->launch, &at, 1, ""));
	LLVMSetAlignment(store, 4);
}

static void native_trap(struct lower *l, LLVMValueRef code, LLVMValueRef detail)
{
	store_launch(l, offsetof(struct vyre_cpu_launch, trap_code), code);
	store_launch(l, offsetof(struct vyre_cpu_launch, trap_detail), detail);
	LLVMBuildRetVoid(l->b);
}

/* The lane's own coordinates: the pass `lanes` has replaced them in all but workgroups of one lane. */
static LLVMValueRef native_builtin(struct lower *l, const struct vyrec_expr_node *e)
{
	bool single = lower_lanes(l) == 1;
	switch ((vyrec_builtin)e->code) {
	case VYREC_BUILTIN_WORKGROUP_ID:
		return launch_word(l, offsetof(struct vyre_cpu_launch, workgroup) + 4 * (e->imm % 3));
	case VYREC_BUILTIN_WORKGROUPS:
		return launch_word(l, offsetof(struct vyre_cpu_launch, workgroups) + 4 * (e->imm % 3));
	case VYREC_BUILTIN_GLOBAL_ID:
		if (single)
			return launch_word(l, offsetof(struct vyre_cpu_launch, workgroup) + 4 * (e->imm % 3));
		break;
	case VYREC_BUILTIN_LANE:
	case VYREC_BUILTIN_LOCAL_ID:
	case VYREC_BUILTIN_SUBGROUP_LANE:
		if (single)
			return lower_u32(l, 0);
		break;
	case VYREC_BUILTIN_LANES:
	case VYREC_BUILTIN_SUBGROUP_SIZE:
		if (single)
			return lower_u32(l, 1);
		break;
	default:
		break;
	}
	return NULL;
}

static void native_relax(struct lower *l)
{
	lower_intrinsic(l, "llvm.x86.sse2.pause", NULL, NULL, 0);
}

static LLVMValueRef native_rmw(struct lower *l, const struct vyrec_expr_node *node, LLVMValueRef place,
			       LLVMValueRef value)
{
	return LLVMBuildAtomicRMW(l->b, lower_rmw_op(node), place, value, lower_order(node->order), false);
}

/* The dot in the symbol keeps it apart from every C library name that LLVM might call. */
const struct lower_form vyrec_form_native = {
    .symbol = "vyre.%s",
    .open = native_open,
    .prologue = native_prologue,
    .buffer = native_buffer,
    .shared = native_shared,
    .zero_shared = native_zero_shared,
    .builtin = native_builtin,
    .relax = native_relax,
    .trap = native_trap,
    .rmw = native_rmw,
};
