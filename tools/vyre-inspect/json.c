/* json.c - a blob as one JSON object for programs: the same rows as text.c, all fields, numbers as numbers.
 *
 * In: a blob that was checked; out: stdout. Strings that are no UTF-8 cannot be JSON; they come out as null.
 */
#include <jansson.h>
#include <string.h>

#include "inspect.h"
#include "tools/common/names.h"

static json_t *text(const char *value, size_t bytes)
{
	json_t *string = json_stringn(value, bytes);
	return string ? string : json_null();
}

static json_t *name(const struct inspected *in, uint32_t offset)
{
	const char *value = vyre_blob_string(in->blob, offset);
	return text(value, strlen(value));
}

static json_t *sections(const struct inspected *in)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < in->view.section_count; i++) {
		const struct vyre_blob_section *row = &in->view.sections[i];
		char digest[DIGEST_TEXT];
		digest_text(row->digest, digest);
		json_array_append_new(all, json_pack("{s:s,s:I,s:I,s:s}", "kind", section_name(row->kind), "offset",
						     (json_int_t)row->offset, "bytes", (json_int_t)row->bytes, "digest",
						     digest));
	}
	return all;
}

static json_t *buffers(const struct inspected *in, const struct vyre_blob_unit *unit)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < unit->buffer_count; i++) {
		const struct vyre_blob_buffer *row = &in->view.buffers[unit->first_buffer + i];
		json_array_append_new(all,
				      json_pack("{s:o,s:I,s:s,s:s,s:I}", "name", name(in, row->name), "binding",
						(json_int_t)row->binding, "class", class_name(row->class_), "element",
						element_name(row->element), "count", (json_int_t)row->count));
	}
	return all;
}

static json_t *args(const struct inspected *in, const struct vyre_blob_op *op)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < op->arg_count; i++) {
		const struct vyre_blob_arg *row = &in->view.args[op->first_arg + i];
		json_array_append_new(all, json_pack("{s:o,s:s,s:I}", "name", name(in, row->name), "type",
						     element_name(row->element), "word", (json_int_t)row->word));
	}
	return all;
}

static json_t *ops(const struct inspected *in, const struct vyre_blob_unit *unit)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < unit->op_count; i++) {
		const struct vyre_blob_op *row = &in->view.ops[unit->first_op + i];
		json_t *results = json_array();
		for (uint32_t k = 0; k < VYRE_SLOT_ARGS; k++) {
			if (row->result_mask >> k & 1)
				json_array_append_new(results, json_integer(k));
		}
		json_array_append_new(all, json_pack("{s:o,s:I,s:o,s:s,s:I,s:o}", "name", name(in, row->name), "opcode",
						     (json_int_t)row->opcode, "args", args(in, row), "by",
						     granularity_name(row->granularity), "width",
						     (json_int_t)row->width, "results", results));
	}
	return all;
}

static json_t *features(const struct vyre_blob_unit *unit)
{
	json_t *all = json_array();
	for (uint32_t bit = 1; bit & VYRE_HAS_ALL; bit <<= 1) {
		if (unit->features & bit)
			json_array_append_new(all, json_string(feature_name(bit)));
	}
	return all;
}

static json_t *units(const struct inspected *in)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < in->view.unit_count; i++) {
		const struct vyre_blob_unit *row = &in->view.units[i];
		json_array_append_new(
		    all, json_pack("{s:o,s:s,s:s,s:o,s:I,s:[I,I,I],s:o,s:o}", "name", name(in, row->name), "kind",
				   unit_kind_name(row->kind), "feed", feed_name(row->feed), "features", features(row),
				   "frame_words", (json_int_t)row->frame_words, "workgroup",
				   (json_int_t)row->workgroup[0], (json_int_t)row->workgroup[1],
				   (json_int_t)row->workgroup[2], "buffers", buffers(in, row), "ops", ops(in, row)));
	}
	return all;
}

/* Of a slice for a GPU only an assembler knows its stack, registers and spills; registers 0: none has seen it. */
static json_t *assembled(const struct vyre_blob_slice *row, uint32_t number)
{
	return row->registers ? json_integer(number) : json_null();
}

static json_t *slices(const struct inspected *in)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < in->view.slice_count; i++) {
		const struct vyre_blob_slice *row = &in->view.slices[i];
		json_t *entry = row->format == VYRE_FORMAT_ELF ? json_integer((json_int_t)row->entry)
							       : name(in, (uint32_t)row->entry);
		json_array_append_new(
		    all,
		    json_pack("{s:o,s:s,s:s,s:I,s:o,s:[I,I,I],s:b,s:o,s:I,s:o,s:o}", "unit",
			      name(in, in->view.units[row->unit].name), "target", target_name(row->target), "format",
			      format_name(row->format), "section", (json_int_t)row->section, "entry", entry, "lanes",
			      (json_int_t)row->lanes[0], (json_int_t)row->lanes[1], (json_int_t)row->lanes[2],
			      "mailbox", (row->flags & VYRE_SLICE_MAILBOX) != 0, "stack",
			      row->format == VYRE_FORMAT_ELF ? json_integer(row->stack_bytes)
							     : assembled(row, row->stack_bytes),
			      "shared", (json_int_t)row->shared_bytes, "registers", assembled(row, row->registers),
			      "spilled", assembled(row, row->spill_bytes)));
	}
	return all;
}

static json_t *logs(const struct inspected *in)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < in->view.log_count; i++)
		json_array_append_new(all, json_pack("{s:I,s:o}", "id", (json_int_t)in->view.logs[i].id, "format",
						     name(in, in->view.logs[i].format)));
	return all;
}

static json_t *faults(const struct inspected *in)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < in->view.fault_count; i++) {
		const struct vyre_blob_fault_site *row = &in->view.faults[i];
		json_array_append_new(
		    all, json_pack("{s:o,s:I,s:I,s:o,s:I,s:I}", "unit", name(in, in->view.units[row->unit].name), "op",
				   (json_int_t)row->op, "code", (json_int_t)row->code, "file", name(in, row->file),
				   "line", (json_int_t)row->line, "column", (json_int_t)row->column));
	}
	return all;
}

/* The lines "key=value" as an object. */
static json_t *provenance(const struct inspected *in)
{
	json_t *all = json_object();
	const char *at = in->view.provenance, *end = at + in->view.provenance_bytes;
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		line_end = line_end ? line_end : end;
		const char *equals = memchr(at, '=', (size_t)(line_end - at));
		char key[64];
		if (equals && (size_t)(equals - at) < sizeof key) {
			snprintf(key, sizeof key, "%.*s", (int)(equals - at), at);
			json_object_set_new(all, key, text(equals + 1, (size_t)(line_end - equals - 1)));
		}
		at = line_end + 1;
	}
	return all;
}

void print_json(const struct inspected *in)
{
	json_t *root = json_pack("{s:o,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "file", text(in->path, strlen(in->path)),
				 "version", (json_int_t)VYRE_BLOB_VERSION, "bytes", (json_int_t)in->view.file_bytes,
				 "sections", sections(in), "units", units(in), "slices", slices(in), "logs", logs(in),
				 "faults", faults(in), "provenance", provenance(in));
	if (in->device)
		json_object_set_new(root, "device",
				    json_pack("{s:s,s:s}", "name", in->device, "slices", in->explanation));
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(root);
}
