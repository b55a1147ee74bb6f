/* kernel.c - makes a kernel: picks a slice, loads it, binds the unit's buffers by name.
 *
 * In: a blob, a unit's name, pairs of name and buffer. Out: an object that keeps blob, device and every bound buffer
 * alive. Invariant: `table` has an entry for every binding that the code may touch, each at least as long as the unit
 * declares; only a live ring's own (VYRE_RING_BUFFER_LIST) are left empty, for the ring to fill in copies of the
 * table.
 */
#include <string.h>

#include "abi/packed.h"
#include "alloc.h"
#include "kernel.h"
#include "message.h"

static const struct vyre_blob_unit *find_unit(struct vyre_blob *blob, const char *name)
{
	const struct vyre_blob_view *view = &blob->view;
	uint32_t i;

	if (!name && view->unit_count == 1)
		return &view->units[0];
	for (i = 0; name && i < view->unit_count; i++)
		if (strcmp(vyre_blob_string(blob, view->units[i].name), name) == 0)
			return &view->units[i];
	if (name)
		vyre_fail(VYRE_INVALID, "name one of the blob's units", "the blob has no unit %.64s", name);
	else
		vyre_fail(VYRE_INVALID, "name the unit", "the blob has %u units", view->unit_count);
	return NULL;
}

/* The first row that the caller binds: a live ring brings the rows before it. */
static uint32_t first_own_row(const struct vyre_kernel *kernel)
{
	return kernel->unit->feed == VYRE_FEED_LIVE ? kernel->ring_row_count : 0;
}

/* A set's table starts with the ring's buffers, whoever brings them; a fixpoint has no slots and so no ring. */
static vyre_status find_ring_rows(struct vyre_kernel *kernel)
{
	static const struct {
		const char *name;
		uint32_t feature;
	} buffers[] = {
#define X(name, text, feature) {text, feature},
	    VYRE_RING_BUFFER_LIST(X)
#undef X
	};
	const struct vyre_blob_unit *unit = kernel->unit;
	uint32_t i, next = 0;

	for (i = 0; i < VYRE_RING_BUFFERS; i++) {
		const struct vyre_blob_buffer *row = &kernel->rows[next];

		kernel->ring_rows[i] = VYRE_NO_ROW;
		if (unit->kind != VYRE_UNIT_SET || unit->feed == VYRE_FEED_FIXPOINT ||
		    (buffers[i].feature & ~unit->features))
			continue;
		if (next >= unit->buffer_count ||
		    strcmp(vyre_blob_string(kernel->blob, row->name), buffers[i].name) != 0 ||
		    vyre_element_bytes(row->element) != 4)
			return vyre_fail(VYRE_MALFORMED, "compile the blob again with vyrec",
					 "buffer %u of the set is not %s of 32-bit words", next, buffers[i].name);
		kernel->ring_rows[i] = (int32_t)next++;
	}
	kernel->ring_row_count = next;
	return VYRE_OK;
}

/* What publishers must know of the set. */
static void note_opcodes(struct vyre_kernel *kernel)
{
	const struct vyre_blob_unit *unit = kernel->unit;
	uint32_t i;

	for (i = kernel->ring_row_count; i < unit->buffer_count; i++)
		if (kernel->rows[i].element == VYRE_ELEMENT_U32 &&
		    strcmp(vyre_blob_string(kernel->blob, kernel->rows[i].name), "dfa_table") == 0)
			kernel->has_dfa_table = 1;
	for (i = 0; i <= VYRE_PACKED_MAX_OPCODE; i++)
		if (vyre_opcode_is_builtin(i) ? i != VYRE_OPCODE_DFA_STEP || kernel->has_dfa_table
					      : vyre_kernel_has_opcode(kernel, i))
			kernel->packable[i / 32] |= 1u << i % 32;
}

/* What the host touches while a kernel runs is in its own memory. */
static enum vyre_place place_of(uint32_t buffer_class)
{
	return buffer_class == VYRE_CLASS_STREAM || buffer_class == VYRE_CLASS_LIVE ? VYRE_PLACE_HOST
										    : VYRE_PLACE_DEVICE;
}

static vyre_status bind_row(struct vyre_kernel *kernel, const struct vyre_kernel_params *params, uint32_t row_index)
{
	const struct vyre_blob_buffer *row = &kernel->rows[row_index];
	const char *name = vyre_blob_string(kernel->blob, row->name);
	const struct vyre_binding *found = NULL;
	struct vyre_memory *memory;
	vyre_status status;
	uint64_t count;
	uint32_t i;

	for (i = 0; i < params->binding_count; i++) {
		if (!params->bindings[i].name || strcmp(params->bindings[i].name, name) != 0)
			continue;
		if (found)
			return vyre_fail(VYRE_INVALID, "bind each name once", "buffer %.64s is bound twice", name);
		found = &params->bindings[i];
	}
	if (!found)
		return vyre_fail(VYRE_INVALID, "bind a buffer to every name that the unit declares",
				 "buffer %.64s is not bound", name);
	memory = vyre_buffer_get(kernel->device, found->buffer);
	if (!memory)
		return VYRE_STALE;
	status = vyre_memory_hold(memory, place_of(row->class_));
	if (status != VYRE_OK) {
		vyre_memory_unref(memory);
		return status;
	}
	kernel->memories[row_index] = memory;
	count = memory->bytes / vyre_element_bytes(row->element);
	if (count < row->count)
		return vyre_fail(VYRE_INVALID, "bind a larger buffer",
				 "buffer %.64s needs %llu elements of %u bytes, the bound one has %llu", name,
				 (unsigned long long)row->count, vyre_element_bytes(row->element),
				 (unsigned long long)count);
	for (i = 0; i < row_index; i++)
		if (kernel->memories[i] == memory)
			return vyre_fail(VYRE_INVALID, "bind one buffer to one name",
					 "one buffer is bound to both %.64s and %.64s",
					 vyre_blob_string(kernel->blob, kernel->rows[i].name), name);
	kernel->table[row->binding] = (struct vyre_cpu_buffer){(void *)(uintptr_t)memory->address, count};
	return VYRE_OK;
}

static vyre_status bind_buffers(struct vyre_kernel *kernel, const struct vyre_kernel_params *params)
{
	uint32_t own = kernel->unit->buffer_count - first_own_row(kernel), i, j;
	vyre_status status = VYRE_OK;

	for (i = first_own_row(kernel); i < kernel->unit->buffer_count && status == VYRE_OK; i++)
		status = bind_row(kernel, params, i);
	if (status != VYRE_OK || params->binding_count == own)
		return status;
	/* Every declared name is bound once, and something is left over: say what. */
	for (i = 0; i < params->binding_count; i++) {
		const char *name = params->bindings[i].name;

		for (j = first_own_row(kernel); name && j < kernel->unit->buffer_count; j++)
			if (strcmp(vyre_blob_string(kernel->blob, kernel->rows[j].name), name) == 0)
				break;
		if (!name || j == kernel->unit->buffer_count)
			return vyre_fail(VYRE_INVALID, "bind only names that the unit declares as its own",
					 "the unit has no buffer %.64s to bind", name ? name : "(null)");
	}
	return VYRE_OK;
}

static vyre_status load_slice(struct vyre_kernel *kernel, const struct vyre_blob_slice *slice)
{
	const struct vyre_blob_section *section = &kernel->blob->view.sections[slice->section];
	vyre_status status = vyre_blob_check_section(kernel->blob, slice->section);

	if (status != VYRE_OK)
		return status;
	memcpy(kernel->lanes, slice->lanes, sizeof(kernel->lanes));
	kernel->slice_flags = slice->flags;
	status = kernel->device->fns->image_load(kernel, slice, kernel->blob->bytes + section->offset, section->bytes);
	if (status != VYRE_OK)
		kernel->device->fns->image_unload(kernel);
	return status;
}

/* The slice that fits best; one that the device refuses after all makes way for the next. */
static vyre_status load_best_slice(struct vyre_kernel *kernel)
{
	const struct vyre_blob_view *view = &kernel->blob->view;
	uint32_t unit = (uint32_t)(kernel->unit - view->units), below = UINT32_MAX;
	uint32_t pick = vyre_pick_slice(kernel->device, view, unit, &below);
	vyre_status status = VYRE_UNSUPPORTED;

	if (pick == UINT32_MAX) {
		char why[512];

		vyre_device_explain(kernel->device, kernel->blob, why, sizeof(why));
		return vyre_fail(VYRE_UNSUPPORTED, "compile the unit for this device too",
				 "no slice of %.64s runs on %s:\n%s",
				 vyre_blob_string(kernel->blob, kernel->unit->name), kernel->device->info.name, why);
	}
	for (; pick != UINT32_MAX && status == VYRE_UNSUPPORTED;
	     pick = vyre_pick_slice(kernel->device, view, unit, &below))
		status = load_slice(kernel, &view->slices[pick]);
	return status;
}

static vyre_status fill(struct vyre_kernel *kernel, const struct vyre_kernel_params *params, vyre_cpu_entry entry)
{
	const struct vyre_blob_view *view = &kernel->blob->view;
	uint32_t count;
	vyre_status status;

	kernel->unit = find_unit(kernel->blob, params->unit);
	if (!kernel->unit)
		return VYRE_INVALID;
	kernel->rows = view->buffers + kernel->unit->first_buffer;
	kernel->ops = view->ops + kernel->unit->first_op;
	count = kernel->unit->buffer_count;
	status = find_ring_rows(kernel);
	if (status != VYRE_OK)
		return status;
	note_opcodes(kernel);
	kernel->memories = vyre_mem_alloc(count * sizeof(*kernel->memories));
	kernel->table = vyre_mem_alloc(count * sizeof(*kernel->table));
	if (!kernel->memories || !kernel->table)
		return vyre_fail_nomem("a table of buffers", count * sizeof(*kernel->table));
	status = bind_buffers(kernel, params);
	if (status != VYRE_OK)
		return status;
	kernel->entry = entry;
	return entry ? VYRE_OK : load_best_slice(kernel);
}

vyre_status vyre_kernel_create_from_entry(struct vyre_device *device, const struct vyre_kernel_params *params,
					  vyre_cpu_entry entry, struct vyre_kernel **out)
{
	struct vyre_kernel *kernel;
	vyre_status status;

	*out = NULL;
	if (!params->blob || (params->binding_count && !params->bindings))
		return vyre_fail(VYRE_INVALID, "give a blob and as many bindings as binding_count says",
				 "kernel parameters without a blob or without its %u bindings", params->binding_count);
	kernel = vyre_mem_alloc(sizeof(*kernel));
	if (!kernel)
		return vyre_fail_nomem("a kernel record", sizeof(*kernel));
	kernel->refs = 1;
	kernel->device = device;
	kernel->blob = params->blob;
	vyre_device_ref(device);
	vyre_blob_ref(kernel->blob);
	status = fill(kernel, params, entry);
	if (status != VYRE_OK) {
		vyre_kernel_destroy(kernel);
		return status;
	}
	*out = kernel;
	return VYRE_OK;
}

vyre_status vyre_kernel_create(struct vyre_device *device, const struct vyre_kernel_params *params,
			       struct vyre_kernel **out)
{
	return vyre_kernel_create_from_entry(device, params, NULL, out);
}

void vyre_kernel_ref(struct vyre_kernel *kernel)
{
	__atomic_fetch_add(&kernel->refs, 1, __ATOMIC_RELAXED);
}

void vyre_kernel_destroy(struct vyre_kernel *kernel)
{
	uint32_t i;

	if (!kernel || __atomic_sub_fetch(&kernel->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	kernel->device->fns->image_unload(kernel);
	for (i = 0; kernel->memories && i < kernel->unit->buffer_count; i++)
		if (kernel->memories[i]) {
			vyre_memory_let_go(kernel->memories[i]);
			vyre_memory_unref(kernel->memories[i]);
		}
	vyre_mem_free(kernel->memories);
	vyre_mem_free(kernel->table);
	vyre_blob_close(kernel->blob);
	vyre_device_unref(kernel->device);
	vyre_mem_free(kernel);
}

int vyre_kernel_has_opcode(const struct vyre_kernel *kernel, uint32_t opcode)
{
	uint32_t low = 0, high = kernel->unit->op_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (kernel->ops[middle].opcode == opcode)
			return 1;
		if (kernel->ops[middle].opcode < opcode)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

vyre_status vyre_kernel_dispatch(struct vyre_kernel *kernel, const uint32_t workgroups[3], uint32_t fault[2])
{
	uint32_t ignored[2];

	if (!fault)
		fault = ignored;
	fault[0] = fault[1] = 0;
	if (kernel->unit->feed == VYRE_FEED_LIVE)
		return vyre_fail(VYRE_INVALID, "make a ring for it; dispatch runs programs and sets with feed slots",
				 "unit %.64s is a set with feed live",
				 vyre_blob_string(kernel->blob, kernel->unit->name));
	if (!workgroups[0] || !workgroups[1] || !workgroups[2])
		return vyre_fail(VYRE_INVALID, "ask for at least one workgroup in each direction",
				 "%u x %u x %u workgroups", workgroups[0], workgroups[1], workgroups[2]);
	return kernel->device->fns->dispatch(kernel, workgroups, fault);
}
