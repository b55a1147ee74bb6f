/* blob_write.c - slices and tables to the bytes of a .vyb (runtime/abi/blob.h).
 *
 * Enters: the module as its author wrote it, the same module lowered, the slices. Leaves: one malloc'd file.
 * Invariant: the bytes follow from the input alone: rows in order of declaration (ops by opcode), strings interned in
 * order of first use, no time, no path but the source's own name.
 *
 * Tables come from the source, because handlers are gone from the lowered program; buffers come from the lowered
 * program, because megakernel assembly added the ring's own and the code finds them by position.
 */
#include <sodium/crypto_generichash_blake2b.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "runtime/abi/mailbox.h"
#include "runtime/abi/ring.h"

struct bytes {
	uint8_t *data;
	uint32_t count, capacity;
};

static void *append(struct bytes *to, const void *data, size_t bytes)
{
	to->data = vyrec_grow(to->data, &to->capacity, to->count + (uint32_t)bytes, 1);
	void *place = memcpy(to->data + to->count, data, bytes);
	to->count += (uint32_t)bytes;
	return place;
}

struct writer {
	const struct vyrec_blob_input *in;
	struct vyrec_module *source; /* in->source */
	struct bytes strings, units, buffers, ops, args, slices, logs, faults, provenance;
	uint32_t buffer_count, op_count, arg_count;
	/* while an op or program is walked */
	struct vyre_blob_op *op; /* NULL: a program */
	uint32_t unit_row, opcode;
	bool *fn_seen;
};

/* Offset of a string: that of an equal one, or a new one. A blob has some hundred strings, so a scan will do. */
static uint32_t string(struct writer *w, const char *text)
{
	uint32_t at = 0;
	while (at < w->strings.count && strcmp((const char *)w->strings.data + at, text))
		at += (uint32_t)strlen((const char *)w->strings.data + at) + 1;
	if (at == w->strings.count)
		append(&w->strings, text, strlen(text) + 1);
	return at;
}

static uint32_t name(struct writer *w, const struct vyrec_module *m, vyrec_name text)
{
	return string(w, vyrec_name_text(m, text));
}

/* The loader's strings have no control characters; a file's name may have. */
static uint32_t file_name(struct writer *w)
{
	char text[256];
	snprintf(text, sizeof text, "%s", vyrec_name_text(w->source, w->source->file));
	for (char *c = text; *c; c++)
		*c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
	return string(w, text);
}

/* ---- what the statements tell ---------------------------------------------------------------------------------------- */

static bool literal(const struct vyrec_module *m, vyrec_expr expr, uint32_t *value)
{
	const struct vyrec_expr_node *e = &m->exprs[expr];
	if (e->kind == VYREC_EXPR_LIT)
		*value = (uint32_t)e->imm;
	else if (e->kind == VYREC_EXPR_CONST)
		*value = (uint32_t)m->consts[e->sym].value;
	else
		return false;
	return true;
}

static void add_fault(struct writer *w, const struct vyrec_stmt_node *s)
{
	struct vyre_blob_fault_site row = {.unit = w->unit_row,
					   .op = w->opcode,
					   .file = file_name(w),
					   .line = VYREC_LOC_LINE(s->loc),
					   .column = VYREC_LOC_COLUMN(s->loc)};
	if (!s->expr[1] && (s->imm == 0 || s->imm == VYRE_FAULT_TRAP) && literal(w->source, s->expr[0], &row.code))
		append(&w->faults, &row, sizeof row);
}

static void add_log(struct writer *w, const struct vyrec_stmt_node *s)
{
	struct vyre_blob_log row = {.id = (uint32_t)s->imm, .format = name(w, w->source, s->name)};
	const struct vyre_blob_log *rows = (const struct vyre_blob_log *)(const void *)w->logs.data;
	for (uint32_t i = 0; i < w->logs.count / sizeof row; i++)
		if (rows[i].id == row.id)
			return;
	if (s->name)
		append(&w->logs, &row, sizeof row);
}

static void see_stmt(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	struct writer *w = user;
	const struct vyrec_stmt_node *s = &m->stmts[stmt];
	if (s->kind == VYREC_STMT_TRAP)
		add_fault(w, s);
	else if (s->kind == VYREC_STMT_LOG)
		add_log(w, s);
	else if (s->kind == VYREC_STMT_RESULT && w->op)
		w->op->result_mask |= (vyrec_type_bits(m->exprs[s->expr[0]].type) == 64 ? 3u : 1u) << s->imm;
}

/* What a fn does, its caller does: once for each op. */
static void see_expr(void *user, struct vyrec_module *m, vyrec_expr expr)
{
	struct writer *w = user;
	struct vyrec_walker walker = {see_stmt, see_expr, w};
	const struct vyrec_expr_node *e = &m->exprs[expr];
	if (e->kind != VYREC_EXPR_CALL || w->fn_seen[e->sym])
		return;
	w->fn_seen[e->sym] = true;
	vyrec_walk_block(m, m->fns[e->sym].body, &walker);
}

static void walk_body(struct writer *w, vyrec_block body, struct vyre_blob_op *op)
{
	struct vyrec_walker walker = {see_stmt, see_expr, w};
	w->op = op;
	w->opcode = op ? op->opcode : 0;
	w->fn_seen = vyrec_alloc(w->source->fn_count * sizeof *w->fn_seen);
	vyrec_walk_block(w->source, body, &walker);
	free(w->fn_seen);
}

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

/* What the device keeps to itself between launches is nobody's result. */
static bool is_read_back(const struct vyrec_module *m, const struct vyrec_unit_node *lowered,
			 const struct vyrec_array_node *array)
{
	static const char *const private_names[] = {"launch", "frames", "queue"};
	const char *text = vyrec_name_text(m, array->name);
	if (lowered->features & VYRE_HAS_CONTROL_REPORT)
		return !strcmp(text, "control");
	for (size_t i = 0; lowered->feed != VYRE_FEED_NONE && i < sizeof private_names / sizeof *private_names; i++)
		if (!strcmp(text, private_names[i]))
			return false;
	return array->class_ != VYREC_CLASS_CONST;
}

static uint32_t count_buffers(const struct vyrec_module *m, const struct vyrec_unit_node *unit)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < unit->item_count; i++)
		count += m->refs[unit->items + 2 * i] == VYREC_ITEM_BUFFER;
	return count;
}

static void add_buffers(struct writer *w, const struct vyrec_unit_node *lowered, struct vyre_blob_unit *unit)
{
	const struct vyrec_module *m = w->in->lowered;
	uint32_t left = count_buffers(m, lowered);
	if (vyrec_has_mailbox(m, (vyrec_unit)(lowered - m->units)))
		left -= VYRE_MAILBOX_BUFFERS; /* they are last, and the slice's own affair */
	unit->first_buffer = w->buffer_count;
	for (uint32_t i = 0; left && i < lowered->item_count; i++) {
		const struct vyrec_array_node *array = &m->arrays[m->refs[lowered->items + 2 * i + 1]];
		if (m->refs[lowered->items + 2 * i] != VYREC_ITEM_BUFFER)
			continue;
		struct vyre_blob_buffer row = {.name = name(w, m, array->name),
					       .binding = unit->buffer_count++,
					       .class_ = array->class_,
					       .element = array->element,
					       .count = array->count};
		row.readback_bytes = is_read_back(m, lowered, array) ? UINT32_MAX : 0;
		append(&w->buffers, &row, sizeof row);
		w->buffer_count++;
		left--;
	}
}

static void add_args(struct writer *w, const struct vyrec_handler_node *handler, struct vyre_blob_op *op)
{
	uint32_t word = 0;
	op->first_arg = w->arg_count;
	for (uint32_t i = 0; i < handler->param_count; i++) {
		const struct vyrec_local_node *param = &w->source->locals[w->source->refs[handler->params + i]];
		struct vyre_blob_arg row = {
		    .name = name(w, w->source, param->name), .element = param->type, .word = word};
		word += vyrec_type_bits(param->type) == 64 ? 2 : 1;
		append(&w->args, &row, sizeof row);
		op->arg_count++;
		w->arg_count++;
	}
}

static void add_op(struct writer *w, const struct vyrec_handler_node *handler)
{
	struct vyre_blob_op row = {.name = name(w, w->source, handler->name),
				   .opcode = handler->opcode,
				   .granularity = handler->granularity,
				   .width = handler->width};
	add_args(w, handler, &row);
	walk_body(w, handler->body, &row);
	append(&w->ops, &row, sizeof row);
	w->op_count++;
}

/* Ops by opcode: the least one above the last. */
static void add_ops(struct writer *w, const struct vyrec_unit_node *source, struct vyre_blob_unit *unit)
{
	const struct vyrec_module *m = w->source;
	int64_t last = -1;
	unit->first_op = w->op_count;
	for (;;) {
		const struct vyrec_handler_node *next = NULL;
		for (uint32_t i = 0; i < source->item_count; i++) {
			const struct vyrec_handler_node *h = &m->handlers[m->refs[source->items + 2 * i + 1]];
			if (m->refs[source->items + 2 * i] == VYREC_ITEM_HANDLER && h->opcode > last &&
			    (!next || h->opcode < next->opcode))
				next = h;
		}
		if (!next)
			return;
		last = next->opcode;
		add_op(w, next);
		unit->op_count++;
	}
}

static vyrec_unit find_source(const struct writer *w, const char *text)
{
	for (vyrec_unit unit = 1; unit < w->source->unit_count; unit++)
		if (!strcmp(vyrec_name_text(w->source, w->source->units[unit].name), text))
			return unit;
	return 0;
}

static void add_unit(struct writer *w, vyrec_unit index)
{
	const struct vyrec_module *m = w->in->lowered;
	const struct vyrec_unit_node *lowered = &m->units[index];
	const struct vyrec_unit_node *source = &w->source->units[find_source(w, vyrec_name_text(m, lowered->name))];
	struct vyre_blob_unit row = {.name = name(w, m, lowered->name),
				     .kind = source->kind ? source->kind : lowered->kind,
				     .feed = lowered->feed,
				     .features = lowered->features,
				     .frame_words = lowered->frame_words,
				     .first_op = w->op_count};
	memcpy(row.workgroup, source->kind ? source->workgroup : lowered->workgroup, sizeof row.workgroup);
	w->unit_row = index - 1;
	add_buffers(w, lowered, &row);
	if (source->kind == VYRE_UNIT_SET)
		add_ops(w, source, &row);
	else if (source->kind)
		walk_body(w, source->body, NULL);
	append(&w->units, &row, sizeof row);
}

static void add_slices(struct writer *w, uint32_t first_code_section)
{
	for (unsigned s = 0; s < w->in->slice_count; s++)
		for (uint32_t unit = 0; unit + 1 < w->in->lowered->unit_count; unit++) {
			const struct vyrec_slice *slice = &w->in->slices[s];
			const struct vyrec_resources *uses = &slice->resources[unit];
			struct vyre_blob_slice row = {.unit = unit,
						      .target = slice->target->id,
						      .format = slice->format,
						      .section = first_code_section + s,
						      .entry = slice->symbols ? string(w, slice->symbols[unit])
									      : slice->entries[unit],
						      .flags = uses->flags,
						      .stack_bytes = uses->stack_bytes,
						      .shared_bytes = uses->shared_bytes,
						      .registers = uses->registers,
						      .spill_bytes = uses->spill_bytes};
			memcpy(row.lanes, uses->lanes, sizeof row.lanes);
			append(&w->slices, &row, sizeof row);
		}
}

static void add_provenance(struct writer *w, const uint8_t *vir0, size_t vir0_bytes)
{
	uint8_t digest[VYRE_BLOB_DIGEST_BYTES];
	char hex[2 * VYRE_BLOB_DIGEST_BYTES + 1], text[1024];
	crypto_generichash_blake2b(digest, sizeof digest, vir0, vir0_bytes, NULL, 0);
	for (unsigned i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	snprintf(text, sizeof text, "compiler=vyrec %s\nllvm=%s\nflags=%.700s\nsource=%s\n", VYRE_RELEASE,
		 vyrec_llvm_version(), w->in->flags ? w->in->flags : "", hex);
	if (w->in->ptxas)
		snprintf(text + strlen(text), sizeof text - strlen(text), "ptxas=%s\n", w->in->ptxas);
	append(&w->provenance, text, strlen(text));
}

/* ---- framing --------------------------------------------------------------------------------------------------------- */

struct section {
	uint32_t kind;
	const void *data;
	size_t bytes;
};

static size_t aligned(size_t offset)
{
	return (offset + VYRE_BLOB_ALIGN - 1) / VYRE_BLOB_ALIGN * VYRE_BLOB_ALIGN;
}

static uint8_t *frame(const struct section *sections, uint32_t count, size_t *bytes)
{
	size_t offset = aligned(sizeof(struct vyre_blob_header) + count * sizeof(struct vyre_blob_section));
	size_t total = offset;
	for (uint32_t i = 0; i < count; i++)
		total = aligned(total + sections[i].bytes);
	uint8_t *file = vyrec_alloc(total);
	struct vyre_blob_section *table = (struct vyre_blob_section *)(void *)(file + sizeof(struct vyre_blob_header));
	for (uint32_t i = 0; i < count; i++) {
		table[i] =
		    (struct vyre_blob_section){.kind = sections[i].kind, .offset = offset, .bytes = sections[i].bytes};
		if (sections[i].bytes)
			memcpy(file + offset, sections[i].data, sections[i].bytes);
		crypto_generichash_blake2b(table[i].digest, sizeof table[i].digest, file + offset, sections[i].bytes,
					   NULL, 0);
		offset = aligned(offset + sections[i].bytes);
	}
	struct vyre_blob_header header = {
	    .magic = VYRE_BLOB_MAGIC, .version = VYRE_BLOB_VERSION, .file_bytes = total, .section_count = count};
	crypto_generichash_blake2b(header.table_digest, sizeof header.table_digest, (const uint8_t *)table,
				   count * sizeof *table, NULL, 0);
	memcpy(file, &header, sizeof header);
	*bytes = total;
	return file;
}

uint8_t *vyrec_blob_write(const struct vyrec_blob_input *input, size_t *bytes)
{
	enum { BEFORE_CODE = 6, AFTER_CODE = 4 };
	struct writer w = {.in = input, .source = input->source};
	size_t vir0_bytes;
	uint8_t *vir0 = vyrec_vir0_write(input->source, &vir0_bytes);
	string(&w, "");
	for (vyrec_unit unit = 1; unit < input->lowered->unit_count; unit++)
		add_unit(&w, unit);
	add_slices(&w, BEFORE_CODE);
	add_provenance(&w, vir0, vir0_bytes);

	struct section *sections = vyrec_alloc((BEFORE_CODE + input->slice_count + AFTER_CODE) * sizeof *sections);
	uint32_t n = 0;
	sections[n++] = (struct section){VYRE_BLOB_STRINGS, w.strings.data, w.strings.count};
	sections[n++] = (struct section){VYRE_BLOB_UNITS, w.units.data, w.units.count};
	sections[n++] = (struct section){VYRE_BLOB_BUFFERS, w.buffers.data, w.buffers.count};
	sections[n++] = (struct section){VYRE_BLOB_OPS, w.ops.data, w.ops.count};
	sections[n++] = (struct section){VYRE_BLOB_ARGS, w.args.data, w.args.count};
	sections[n++] = (struct section){VYRE_BLOB_SLICES, w.slices.data, w.slices.count};
	for (unsigned s = 0; s < input->slice_count; s++)
		sections[n++] = (struct section){VYRE_BLOB_CODE, input->slices[s].image, input->slices[s].image_bytes};
	sections[n++] = (struct section){VYRE_BLOB_LOGS, w.logs.data, w.logs.count};
	sections[n++] = (struct section){VYRE_BLOB_FAULTS, w.faults.data, w.faults.count};
	sections[n++] = (struct section){VYRE_BLOB_VIR0, vir0, vir0_bytes};
	sections[n++] = (struct section){VYRE_BLOB_PROVENANCE, w.provenance.data, w.provenance.count};
	uint8_t *file = frame(sections, n, bytes);

	struct bytes *tables[] = {&w.strings, &w.units, &w.buffers, &w.ops,	  &w.args,
				  &w.slices,  &w.logs,	&w.faults,  &w.provenance};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		free(tables[i]->data);
	free(sections);
	free(vir0);
	return file;
}
