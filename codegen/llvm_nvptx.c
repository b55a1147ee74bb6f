/* llvm_nvptx.c - the form of programs on NVIDIA devices: a kernel with a parameter a pointer, as runtime/abi/cuda.h has it.
 *
 * Enters: a program of any number of lanes. Leaves: signature, launch bounds, shared arrays, builtins, trap record.
 * Buffers are in address space 1, so that every access is ld.global and never a generic one. Only const buffers are told
 * `noalias`: LLVM takes a noalias pointer that nobody captured for one that no fence and no other lane can touch, and
 * reads a noalias pointer that is only read by the path that sees no writes (ld.global.nc). That buffers do not overlap
 * is said by alias.scope instead, access by access.
 * Shared arrays are variables in address space 3, zeroed by all lanes before the body; locals become registers, local
 * arrays local memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/llvm.h"
#include "runtime/abi/cuda.h"

enum {
	GLOBAL = 1,
	SHARED = 3,  /* address spaces */
	KERNEL = 71, /* calling convention ptx_kernel */
	RELAX_NANOSECONDS = 64,
	MOST_X = 1024,
	MOST_Y = 1024,
	MOST_Z = 64, /* of a block, and so of a workgroup */
};

/* ---- signature ------------------------------------------------------------------------------------------------------- */

static void refuse_sizes(struct lower *l, uint32_t buffers)
{
	const struct vyrec_unit_node *unit = &l->m->units[l->unit];
	static const uint32_t most[3] = {MOST_X, MOST_Y, MOST_Z};
	if (buffers > VYRE_CUDA_MAX_BUFFERS)
		lower_refuse(l, unit->loc,
			     "%u buffers in one kernel; leave at most %u, the parameters have no room for more",
			     buffers, VYRE_CUDA_MAX_BUFFERS);
	for (unsigned axis = 0; axis < 3; axis++)
		if (unit->workgroup[axis] > most[axis])
			lower_refuse(l, unit->loc, "a workgroup of %u along axis %u; make it at most %u",
				     unit->workgroup[axis], axis, most[axis]);
}

static void name_parameter(struct lower *l, uint32_t index, const char *name, const char *what)
{
	char text[VYREC_MAX_NAME_BYTES + 16];
	int bytes = snprintf(text, sizeof text, "%s.%s", name, what);
	LLVMSetValueName2(LLVMGetParam(l->fn, index), text, (size_t)bytes);
}

/* At least as many elements as declared (the loader sees to it): what lets LLVM drop checks such as table[x & 0xff]. */
static void add_count_range(struct lower *l, uint32_t index, uint64_t least)
{
	const uint64_t low[] = {least}, high[] = {LOWER_MOST_ELEMENTS};
	unsigned kind = LLVMGetEnumAttributeKindForName("range", 5);
	LLVMAddAttributeAtIndex(l->fn, index + 1, LLVMCreateConstantRangeAttribute(l->context, kind, 64, low, high));
}

static void describe_buffer(struct lower *l, vyrec_array array, uint32_t binding)
{
	const struct vyrec_array_node *node = &l->m->arrays[array];
	const char *name = vyrec_name_text(l->m, node->name);
	name_parameter(l, 2 * binding, name, "data");
	name_parameter(l, 2 * binding + 1, name, "count");
	lower_parameter_attribute(l, 2 * binding, "align", VYRE_CUDA_ALIGN);
	lower_parameter_attribute(l, 2 * binding, "noundef", 0);
	lower_parameter_attribute(l, 2 * binding + 1, "noundef", 0);
	if (node->class_ == VYREC_CLASS_CONST)
		lower_parameter_attribute(l, 2 * binding, "noalias", 0);
	add_count_range(l, 2 * binding + 1, node->count);
}

/* No mustprogress, no willreturn: a loop that polls is a loop. no-builtins: nothing becomes a call of memset. */
static void nvptx_open(struct lower *l, const char *symbol, const vyrec_array *buffers, uint32_t count)
{
	const uint32_t *size = l->m->units[l->unit].workgroup;
	LLVMTypeRef *types = vyrec_alloc((2 * count + 1) * sizeof(LLVMTypeRef));
	char bounds[48];
	refuse_sizes(l, count);
	for (uint32_t i = 0; i < count; i++) {
		types[2 * i] = l->buffer_ptr;
		types[2 * i + 1] = l->i64;
	}
	types[2 * count] = l->buffer_ptr;
	l->fn = LLVMAddFunction(l->module, symbol, LLVMFunctionType(l->none, types, 2 * count + 1, false));
	LLVMSetFunctionCallConv(l->fn, KERNEL);
	snprintf(bounds, sizeof bounds, "%u,%u,%u", size[0], size[1], size[2]);
	lower_text_attribute(l, "nvvm.reqntid", bounds);
	if (vyrec_has_mailbox(l->m, l->unit)) /* see the README: the loader starts one a multiprocessor */
		lower_text_attribute(l, "nvvm.minctasm", "1");
	lower_text_attribute(l, "no-builtins", "");
	lower_attribute(l, l->fn, "nounwind");
	for (uint32_t i = 0; i < count; i++)
		describe_buffer(l, buffers[i], i);
	l->trap = LLVMGetParam(l->fn, 2 * count);
	LLVMSetValueName2(l->trap, "trap", 4);
	lower_parameter_attribute(l, 2 * count, "align", sizeof(uint64_t));
	lower_parameter_attribute(l, 2 * count, "noundef", 0);
	free(types);
}

static void nvptx_prologue(struct lower *l)
{
	meet_open(l);
}

static void nvptx_buffer(struct lower *l, vyrec_array array, uint32_t binding)
{
	l->arrays[array].data = LLVMGetParam(l->fn, 2 * binding);
	l->arrays[array].count = LLVMGetParam(l->fn, 2 * binding + 1);
}

/* ---- shared arrays --------------------------------------------------------------------------------------------------- */

enum { SHARED_ALIGN = 16, MOST_SHARED_BYTES = 48 << 10 };

LLVMValueRef nvptx_shared(struct lower *l, LLVMTypeRef element, uint32_t count, uint32_t bytes, const char *name)
{
	char text[2 * VYREC_MAX_NAME_BYTES + 16];
	LLVMTypeRef type = LLVMArrayType2(element, count);
	snprintf(text, sizeof text, "%s.%s", vyrec_name_text(l->m, l->m->units[l->unit].name), name);
	LLVMValueRef global = LLVMAddGlobalInAddressSpace(l->module, type, text, SHARED);
	LLVMSetLinkage(global, LLVMInternalLinkage);
	LLVMSetInitializer(global, LLVMGetPoison(type));
	LLVMSetAlignment(global, SHARED_ALIGN);
	l->shared_bytes = (l->shared_bytes + SHARED_ALIGN - 1) / SHARED_ALIGN * SHARED_ALIGN + bytes;
	return global;
}

static void shared_array(struct lower *l, vyrec_array array)
{
	const struct vyrec_array_node *node = &l->m->arrays[array];
	struct lower_array *to = &l->arrays[array];
	to->element = lower_element(l, node->element, node->loc);
	to->count = LLVMConstInt(l->i64, node->count, false);
	to->never_empty = node->count != 0;
	to->data = nvptx_shared(l, to->element, node->count, node->count * vyrec_type_bytes(node->element),
				vyrec_name_text(l->m, node->name));
}

/* Lane k zeroes pieces k, k + lanes, ...: of 16 or 4 bytes where the size is a multiple, else elements. */
static void zero_array(struct lower *l, vyrec_array array)
{
	const struct vyrec_array_node *node = &l->m->arrays[array];
	uint32_t bytes = node->count * vyrec_type_bytes(node->element), lanes = lower_lanes(l);
	LLVMTypeRef piece = l->arrays[array].element;
	uint32_t pieces = node->count, align = vyrec_type_bytes(node->element);
	if (bytes % 16 == 0) {
		piece = LLVMVectorType(l->i32, 4);
		pieces = bytes / (align = 16);
	} else if (bytes % 4 == 0) {
		piece = l->i32;
		pieces = bytes / (align = 4);
	}
	LLVMBasicBlockRef before = LLVMGetInsertBlock(l->b), body = lower_new_block(l, "zero");
	LLVMBasicBlockRef after = lower_new_block(l, "zeroed");
	LLVMValueRef lane = meet_lane(l), end = lower_u32(l, pieces);
	LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntULT, lane, end, ""), body, after);
	lower_at(l, body);
	LLVMValueRef i = LLVMBuildPhi(l->b, l->i32, "");
	LLVMValueRef offset =
	    LLVMBuildNUWMul(l->b, LLVMBuildZExt(l->b, i, l->i64, ""), LLVMConstInt(l->i64, align, false), "");
	LLVMValueRef at = LLVMBuildInBoundsGEP2(l->b, l->i8, l->arrays[array].data, &offset, 1, "");
	LLVMSetAlignment(LLVMBuildStore(l->b, LLVMConstNull(piece), at), align);
	LLVMValueRef next = LLVMBuildNUWAdd(l->b, i, lower_u32(l, lanes), "");
	LLVMAddIncoming(i, &lane, &before, 1);
	LLVMAddIncoming(i, &next, &body, 1);
	LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntULT, next, end, ""), body, after);
	lower_at(l, after);
}

static void nvptx_zero_shared(struct lower *l)
{
	const struct vyrec_unit_node *unit = &l->m->units[l->unit];
	bool any = l->meet.present != NULL;
	if (any)
		meet_begin(l);
	for (uint32_t i = 0; i < unit->item_count; i++) {
		vyrec_array array = l->m->refs[unit->items + 2 * i + 1];
		if (l->m->refs[unit->items + 2 * i] != VYREC_ITEM_SHARED || !l->m->arrays[array].count)
			continue;
		zero_array(l, array);
		any = true;
	}
	if (any && lower_lanes(l) > 1)
		meet_barrier(l, VYREC_SCOPE_WORKGROUP);
}

static void nvptx_close(struct lower *l)
{
	if (l->shared_bytes > MOST_SHARED_BYTES)
		lower_refuse(l, l->m->units[l->unit].loc,
			     "%u bytes of shared memory, %u of them for collectives; leave at most %u", l->shared_bytes,
			     l->meet.bytes, MOST_SHARED_BYTES);
}

/* ---- who and where --------------------------------------------------------------------------------------------------- */

static LLVMValueRef special(struct lower *l, const char *which, uint64_t axis)
{
	char name[64];
	snprintf(name, sizeof name, "llvm.nvvm.read.ptx.sreg.%s.%c", which, (char)("xyz"[axis % 3]));
	return lower_intrinsic(l, name, NULL, NULL, 0);
}

static LLVMValueRef local_id(struct lower *l, uint64_t axis)
{
	return l->m->units[l->unit].workgroup[axis % 3] == 1 ? lower_u32(l, 0) : special(l, "tid", axis);
}

/* x + size_x * (y + size_y * z), which fits. */
static LLVMValueRef linear(struct lower *l, LLVMValueRef *at, LLVMValueRef *size)
{
	LLVMValueRef row = LLVMBuildNUWAdd(l->b, at[1], LLVMBuildNUWMul(l->b, size[1], at[2], ""), "");
	return LLVMBuildNUWAdd(l->b, at[0], LLVMBuildNUWMul(l->b, size[0], row, ""), "");
}

LLVMValueRef meet_lane(struct lower *l)
{
	const uint32_t *size = l->m->units[l->unit].workgroup;
	LLVMValueRef at[3] = {local_id(l, 0), local_id(l, 1), local_id(l, 2)};
	LLVMValueRef sizes[3] = {lower_u32(l, size[0]), lower_u32(l, size[1]), lower_u32(l, size[2])};
	return linear(l, at, sizes);
}

static LLVMValueRef nvptx_builtin(struct lower *l, const struct vyrec_expr_node *e)
{
	uint32_t size = l->m->units[l->unit].workgroup[e->imm % 3];
	switch ((vyrec_builtin)e->code) {
	case VYREC_BUILTIN_WORKGROUP_ID:
		return special(l, "ctaid", e->imm);
	case VYREC_BUILTIN_WORKGROUPS:
		return special(l, "nctaid", e->imm);
	case VYREC_BUILTIN_GLOBAL_ID:
		return LLVMBuildAdd(l->b, LLVMBuildMul(l->b, special(l, "ctaid", e->imm), lower_u32(l, size), ""),
				    local_id(l, e->imm), "");
	case VYREC_BUILTIN_LOCAL_ID:
		return local_id(l, e->imm);
	case VYREC_BUILTIN_LANE:
		return meet_lane(l);
	case VYREC_BUILTIN_LANES:
		return lower_u32(l, lower_lanes(l));
	case VYREC_BUILTIN_SUBGROUP_LANE:
		return LLVMBuildAnd(l->b, meet_lane(l), lower_u32(l, MEET_WARP - 1), "");
	case VYREC_BUILTIN_SUBGROUP_SIZE:
		return lower_u32(l, MEET_WARP);
	default:
		return NULL;
	}
}

static void nvptx_relax(struct lower *l)
{
	LLVMValueRef args[] = {lower_u32(l, RELAX_NANOSECONDS)};
	lower_intrinsic(l, "llvm.nvvm.nanosleep", NULL, args, 1);
}

/* ---- traps ----------------------------------------------------------------------------------------------------------- */

static void keep_least(struct lower *l, uint32_t word, LLVMValueRef index, unsigned shift, LLVMValueRef low)
{
	LLVMValueRef at = LLVMConstInt(l->i64, word, false);
	LLVMValueRef place = LLVMBuildInBoundsGEP2(l->b, l->i64, l->trap, &at, 1, "");
	LLVMValueRef high = LLVMBuildShl(l->b, index, LLVMConstInt(l->i64, shift, false), "");
	LLVMValueRef value = LLVMBuildOr(l->b, high, LLVMBuildZExt(l->b, low, l->i64, ""), "");
	LLVMValueRef least =
	    LLVMBuildAtomicRMW(l->b, LLVMAtomicRMWBinOpUMin, place, value, LLVMAtomicOrderingMonotonic, false);
	LLVMSetAtomicSyncScopeID(least, lower_scope(l, VYREC_SCOPE_DEVICE));
}

/* The record of the lane with the lowest index; the lane ends. */
static void nvptx_trap(struct lower *l, LLVMValueRef code, LLVMValueRef detail)
{
	LLVMValueRef at[3], size[3];
	for (unsigned axis = 0; axis < 3; axis++) {
		at[axis] = special(l, "ctaid", axis);
		size[axis] = special(l, "nctaid", axis);
	}
	LLVMValueRef group = LLVMBuildZExt(l->b, linear(l, at, size), l->i64, "");
	LLVMValueRef first = LLVMBuildMul(l->b, group, LLVMConstInt(l->i64, lower_lanes(l), false), "");
	LLVMValueRef index = LLVMBuildAdd(l->b, first, LLVMBuildZExt(l->b, meet_lane(l), l->i64, ""), "");
	keep_least(l, 0, index, VYRE_CUDA_TRAP_CODE_BITS, code);
	keep_least(l, 1, index, 32, detail);
	if (l->meet.whole)
		meet_leave(l);
	LLVMBuildRetVoid(l->b);
}

const struct lower_form vyrec_form_nvptx = {
    .symbol = "vyre_%s",
    .claims = "_param_",
    .buffer_space = GLOBAL,
    .reads_const_aside = true,
    .keeps_rolled = true,
    .scopes = {[VYREC_SCOPE_WORKGROUP] = "block", [VYREC_SCOPE_DEVICE] = "device", [VYREC_SCOPE_SYSTEM] = ""},
    .open = nvptx_open,
    .prologue = nvptx_prologue,
    .buffer = nvptx_buffer,
    .shared = shared_array,
    .zero_shared = nvptx_zero_shared,
    .close = nvptx_close,
    .builtin = nvptx_builtin,
    .collective = meet_collective,
    .barrier = meet_barrier,
    .relax = nvptx_relax,
    .trap = nvptx_trap,
    .rmw = nvptx_rmw,
};
