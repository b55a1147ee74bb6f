/* llvm_unit.c - one LLVM function for each program of a module, and what every lowering function uses.
 *
 * Enters: a module after the pipeline. Leaves: an entry a unit, in the form of the target's family: what runtime/abi/cpu.h
 * or runtime/abi/cuda.h describes. All that differs between families is in their struct lower_form.
 * Invariant: whatever the target cannot do is refused here or in the files beside, with its place, before LLVM's code
 * generator sees it: LLVM answers an impossible request with abort().
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/llvm.h"

/* ---- shared by the lowering files ------------------------------------------------------------------------------------ */

void lower_refuse(struct lower *l, vyrec_loc loc, const char *format, ...)
{
	char text[400];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	l->failed = true;
	for (uint32_t i = 0; i < l->diags->count; i++) {
		const struct vyrec_diag *d = &l->diags->items[i];
		if (d->loc == loc && d->severity == VYREC_ERROR && strstr(d->message, text))
			return;
	}
	vyrec_diags_add(l->diags, VYREC_ERROR, "", loc, "%s cannot do %s", l->target->name, text);
}

LLVMTypeRef lower_type(struct lower *l, vyrec_type type, vyrec_loc loc)
{
	switch (type) {
	case VYREC_BOOL:
		return l->i1;
	case VYREC_U32:
	case VYREC_I32:
		return l->i32;
	case VYREC_U64:
	case VYREC_I64:
		return l->i64;
	case VYREC_F32:
		return l->f32;
	case VYREC_F64:
		if (!l->target->has_f64)
			lower_refuse(l, loc, "f64; use f32, or compile this for a target that has f64");
		return l->f64;
	case VYREC_F16:
		lower_refuse(l, loc, "f16; use f32, or keep the halves in a u16 buffer");
		return l->f32;
	default:
		lower_refuse(l, loc, "a value of type %s", vyrec_type_name(type));
		return l->i32;
	}
}

LLVMTypeRef lower_element(struct lower *l, vyrec_type type, vyrec_loc loc)
{
	switch (type) {
	case VYREC_BOOL:
		return l->i32;
	case VYREC_U8:
	case VYREC_I8:
		return l->i8;
	case VYREC_U16:
	case VYREC_I16:
		return l->i16;
	default:
		return lower_type(l, type, loc);
	}
}

LLVMValueRef lower_zero(struct lower *l, vyrec_type type)
{
	return type == VYREC_VOID ? NULL : LLVMConstNull(lower_type(l, type, 0));
}

LLVMValueRef lower_u32(struct lower *l, uint32_t value)
{
	return LLVMConstInt(l->i32, value, false);
}

LLVMBasicBlockRef lower_new_block(struct lower *l, const char *name)
{
	return LLVMAppendBasicBlockInContext(l->context, l->fn, name);
}

void lower_at(struct lower *l, LLVMBasicBlockRef block)
{
	LLVMBasicBlockRef here = LLVMGetInsertBlock(l->b);
	if (here && here != block)
		LLVMMoveBasicBlockAfter(block, LLVMGetLastBasicBlock(l->fn)); /* text in the order of the source */
	LLVMPositionBuilderAtEnd(l->b, block);
}

void lower_go(struct lower *l, LLVMBasicBlockRef to)
{
	if (!LLVMGetBasicBlockTerminator(LLVMGetInsertBlock(l->b)))
		LLVMBuildBr(l->b, to);
}

LLVMValueRef lower_intrinsic(struct lower *l, const char *name, LLVMTypeRef overload, LLVMValueRef *args,
			     unsigned count)
{
	unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	LLVMValueRef fn = LLVMGetIntrinsicDeclaration(l->module, id, &overload, overload ? 1 : 0);
	return LLVMBuildCall2(l->b, LLVMGlobalGetValueType(fn), fn, args, count, "");
}

void lower_attribute(struct lower *l, LLVMValueRef fn, const char *name)
{
	unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
	LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(l->context, kind, 0));
}

void lower_text_attribute(struct lower *l, const char *name, const char *value)
{
	LLVMAddAttributeAtIndex(
	    l->fn, LLVMAttributeFunctionIndex,
	    LLVMCreateStringAttribute(l->context, name, (unsigned)strlen(name), value, (unsigned)strlen(value)));
}

void lower_parameter_attribute(struct lower *l, unsigned index, const char *name, uint64_t value)
{
	unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
	LLVMAddAttributeAtIndex(l->fn, index + 1, LLVMCreateEnumAttribute(l->context, kind, value));
}

LLVMValueRef lower_node(struct lower *l, LLVMMetadataRef *parts, size_t count)
{
	return LLVMMetadataAsValue(l->context, LLVMMDNodeInContext2(l->context, parts, count));
}

uint32_t lower_lanes(const struct lower *l)
{
	const uint32_t *size = l->m->units[l->unit].workgroup;
	return size[0] * size[1] * size[2];
}

/* ---- declarations ---------------------------------------------------------------------------------------------------- */

static LLVMMetadataRef string_of(struct lower *l, const char *text)
{
	return LLVMMDStringInContext2(l->context, text, strlen(text));
}

/* Every buffer is a scope of one domain, and does not alias the scopes of all others. */
static void set_alias_scopes(struct lower *l, const vyrec_array *buffers, uint32_t count, const char *unit)
{
	LLVMMetadataRef domain_parts[] = {string_of(l, unit)};
	LLVMMetadataRef domain = LLVMMDNodeInContext2(l->context, domain_parts, 1);
	LLVMMetadataRef *scopes = vyrec_alloc(count * sizeof *scopes), *others = vyrec_alloc(count * sizeof *others);
	for (uint32_t i = 0; i < count; i++) {
		LLVMMetadataRef parts[] = {string_of(l, vyrec_name_text(l->m, l->m->arrays[buffers[i]].name)), domain};
		scopes[i] = LLVMMDNodeInContext2(l->context, parts, 2);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t other_count = 0;
		for (uint32_t k = 0; k < count; k++)
			if (k != i)
				others[other_count++] = scopes[k];
		l->arrays[buffers[i]].scope = lower_node(l, &scopes[i], 1);
		l->arrays[buffers[i]].no_alias = other_count ? lower_node(l, others, other_count) : NULL;
	}
	free(scopes);
	free(others);
}

static uint32_t list_buffers(const struct lower *l, vyrec_array *buffers)
{
	const struct vyrec_unit_node *unit = &l->m->units[l->unit];
	uint32_t count = 0;
	for (uint32_t i = 0; i < unit->item_count; i++)
		if (l->m->refs[unit->items + 2 * i] == VYREC_ITEM_BUFFER)
			buffers[count++] = l->m->refs[unit->items + 2 * i + 1];
	return count;
}

static void lower_buffer(struct lower *l, vyrec_array array, uint32_t binding)
{
	const struct vyrec_array_node *node = &l->m->arrays[array];
	l->form->buffer(l, array, binding);
	l->arrays[array].never_empty = node->count != 0;
	l->arrays[array].element = lower_element(l, node->element, node->loc);
}

static void lower_declarations(struct lower *l, const vyrec_array *buffers, uint32_t buffer_count)
{
	const struct vyrec_unit_node *unit = &l->m->units[l->unit];
	uint32_t count = 0;
	l->form->prologue(l);
	for (uint32_t i = 0; i < unit->item_count; i++) {
		uint32_t kind = l->m->refs[unit->items + 2 * i], index = l->m->refs[unit->items + 2 * i + 1];
		if (kind == VYREC_ITEM_BUFFER)
			lower_buffer(l, index, count++);
		else if (kind == VYREC_ITEM_SHARED)
			l->form->shared(l, index);
	}
	set_alias_scopes(l, buffers, buffer_count, vyrec_name_text(l->m, unit->name));
	l->form->zero_shared(l);
}

/* ---- functions ------------------------------------------------------------------------------------------------------- */

static const struct lower_form *const forms[] = {
    [VYREC_FAMILY_NATIVE] = &vyrec_form_native,
    [VYREC_FAMILY_NVPTX] = &vyrec_form_nvptx,
};

/* Could LLVM give the name to a part of another entry? ptxas 13.0 crashes on an entry called as a parameter is. */
static bool is_claimed(const struct lower_form *form, const char *name)
{
	size_t bytes = strlen(name), mark = form->claims ? strlen(form->claims) : 0;
	size_t stem = bytes;
	while (stem && isdigit((unsigned char)name[stem - 1]))
		stem--;
	return mark && stem < bytes && stem >= mark && !memcmp(name + stem - mark, form->claims, mark);
}

/* No name of the language has a '$', so what is set apart by one meets nobody. */
void vyrec_llvm_symbol(const struct vyrec_module *m, const struct vyrec_target *target, vyrec_unit unit, char *name,
		       size_t bytes)
{
	static const char mark[] = "%s";
	const struct lower_form *form = forms[target->family];
	const char *place = strstr(form->symbol, mark), *text = vyrec_name_text(m, m->units[unit].name);
	snprintf(name, bytes, "%.*s%s%s%s", (int)(place - form->symbol), form->symbol, text, place + strlen(mark),
		 is_claimed(form, text) ? "$" : "");
}

static void lower_unit(struct lower *l, vyrec_unit unit)
{
	char name[VYREC_MAX_NAME_BYTES + 16];
	vyrec_array *buffers = vyrec_alloc((l->m->units[unit].item_count + 1) * sizeof *buffers);
	l->unit = unit;
	uint32_t count = list_buffers(l, buffers);
	vyrec_llvm_symbol(l->m, l->target, unit, name, sizeof name);
	l->form->open(l, name, buffers, count);

	LLVMBasicBlockRef entry = lower_new_block(l, "entry"), start = lower_new_block(l, "start");
	l->b = LLVMCreateBuilderInContext(l->context);
	l->entry_b = LLVMCreateBuilderInContext(l->context);
	LLVMPositionBuilderAtEnd(l->entry_b, entry);
	LLVMPositionBuilderAtEnd(l->b, start);
	lower_declarations(l, buffers, count);
	lower_block(l, l->m->units[unit].body);
	if (!LLVMGetBasicBlockTerminator(LLVMGetInsertBlock(l->b)))
		LLVMBuildRetVoid(l->b);
	if (l->form->close)
		l->form->close(l);
	LLVMBuildBr(l->entry_b, start);
	LLVMDisposeBuilder(l->b);
	LLVMDisposeBuilder(l->entry_b);
	free(buffers);
}

static void fill_types(struct lower *l)
{
	LLVMContextRef c = l->context;
	l->i1 = LLVMInt1TypeInContext(c);
	l->i8 = LLVMInt8TypeInContext(c);
	l->i16 = LLVMInt16TypeInContext(c);
	l->i32 = LLVMInt32TypeInContext(c);
	l->i64 = LLVMInt64TypeInContext(c);
	l->i128 = LLVMInt128TypeInContext(c);
	l->f32 = LLVMFloatTypeInContext(c);
	l->f64 = LLVMDoubleTypeInContext(c);
	l->ptr = LLVMPointerTypeInContext(c, 0);
	l->buffer_ptr = LLVMPointerTypeInContext(c, l->form->buffer_space);
	l->none = LLVMVoidTypeInContext(c);
	l->kind_scope = LLVMGetMDKindIDInContext(c, "alias.scope", 11);
	l->kind_no_alias = LLVMGetMDKindIDInContext(c, "noalias", 7);
	l->kind_invariant = LLVMGetMDKindIDInContext(c, "invariant.load", 14);
	l->kind_range = LLVMGetMDKindIDInContext(c, "range", 5);
	l->kind_no_undef = LLVMGetMDKindIDInContext(c, "noundef", 7);
	l->kind_align = LLVMGetMDKindIDInContext(c, "align", 5);
	l->kind_loop = LLVMGetMDKindIDInContext(c, "llvm.loop", 9);
}

bool vyrec_llvm_lower(struct vyrec_module *m, const struct vyrec_target *target, LLVMContextRef context,
		      LLVMModuleRef module, uint32_t *shared_bytes, struct vyrec_diags *diags)
{
	struct lower l = {.m = m,
			  .target = target,
			  .form = forms[target->family],
			  .diags = diags,
			  .context = context,
			  .module = module};
	fill_types(&l);
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++) {
		if (m->units[unit].kind != VYRE_UNIT_PROGRAM) {
			lower_refuse(&l, m->units[unit].loc, "the set %s as it stands; assemble it to a program first",
				     vyrec_name_text(m, m->units[unit].name));
			continue;
		}
		l.arrays = vyrec_alloc((m->array_count + 1) * sizeof *l.arrays);
		l.locals = vyrec_alloc((m->local_count + 1) * sizeof *l.locals);
		l.log_fn = NULL;
		l.shared_bytes = 0;
		lower_unit(&l, unit);
		if (shared_bytes)
			shared_bytes[unit - 1] = l.shared_bytes;
		free(l.arrays);
		free(l.locals);
	}
	return !l.failed;
}
