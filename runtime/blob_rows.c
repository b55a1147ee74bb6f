/* blob_rows.c - are the rows of a blob's tables what a compiler writes?
 *
 * In: a blob whose framing is right and whose tables are found. Out: OK, when every index, run and string offset lies
 * where it must, and what rows say fits together: features with the feed, a slice's format with its target, its lanes and
 * its mailbox with its unit. Invariant: what no compiler of ours makes is refused here, with the row and its numbers, so
 * that nobody behind has to think of it. What costs more than a look at the rows (names that must be in code, rows of
 * buffers that features ask for) is found when a kernel is made.
 */
#include <string.h>

#include "blob_rows.h"

enum { MOST_LANES = 1024 };
static const uint64_t max_elements = UINT64_C(1) << 40;

/* In which feeds a set may have a feature, and what comes or does not come with it. */
#define SLOTTED (1u << VYRE_FEED_SLOTS | 1u << VYRE_FEED_LIVE | 1u << VYRE_FEED_PRIORITY | 1u << VYRE_FEED_TASKS)
#define FEATURE_RULES(X) \
	X(BUILTINS, SLOTTED, 0, 0) \
	X(RECORDS, SLOTTED, 0, 0) \
	X(QUEUE, 1u << VYRE_FEED_LIVE, VYRE_HAS_RECORDS, 0) \
	X(SUSPEND, SLOTTED, VYRE_HAS_RECORDS, 0) \
	X(SPAWN, 1u << VYRE_FEED_LIVE | 1u << VYRE_FEED_TASKS, VYRE_HAS_RECORDS, 0) \
	X(IO, SLOTTED, 0, 0) \
	X(SERVICE, SLOTTED & ~(1u << VYRE_FEED_LIVE), 0, 0) \
	X(FUSED, 1u << VYRE_FEED_SLOTS | 1u << VYRE_FEED_PRIORITY, 0, VYRE_HAS_BUILTINS)
static const struct feature_rule {
	uint32_t feature, feeds, with, without;
} feature_rules[] = {
#define X(name, feeds, with, without) {VYRE_HAS_##name, feeds, with, without},
    FEATURE_RULES(X)
#undef X
};

static int is_name(const struct vyre_blob *blob, uint32_t offset)
{
	return offset < blob->string_bytes;
}

/* Names of units and buffers are compared each with each: a long one would make that take hours. */
static int is_short_name(const struct vyre_blob *blob, uint32_t offset)
{
	return is_name(blob, offset) &&
	       strnlen(blob->strings + offset, VYRE_BLOB_MAX_NAME_BYTES + 1) <= VYRE_BLOB_MAX_NAME_BYTES;
}

/* Names go into messages and onto terminals: no control characters but tab and newline (of log formats). */
static vyre_status check_strings(const struct vyre_blob *blob)
{
	uint64_t i;

	if (blob->string_bytes == 0 || blob->string_bytes > UINT32_MAX || blob->strings[0] != '\0' ||
	    blob->strings[blob->string_bytes - 1] != '\0')
		return BAD("STRINGS: %llu bytes do not start and end with NUL", (unsigned long long)blob->string_bytes);
	for (i = 0; i < blob->string_bytes; i++) {
		unsigned char c = (unsigned char)blob->strings[i];

		if ((c < 0x20 && c != '\0' && c != '\t' && c != '\n') || c == 0x7F)
			return BAD("STRINGS: control character 0x%02x at %llu", c, (unsigned long long)i);
	}
	return VYRE_OK;
}

static vyre_status check_buffers(const struct vyre_blob *blob, uint32_t unit_index)
{
	const struct vyre_blob_unit *unit = &blob->view.units[unit_index];
	const struct vyre_blob_buffer *rows = blob->view.buffers + unit->first_buffer;
	uint8_t bound[VYRE_BLOB_MAX_UNIT_BUFFERS] = {0};
	uint32_t i, j;

	for (i = 0; i < unit->buffer_count; i++) {
		const struct vyre_blob_buffer *row = &rows[i];

		if (!is_short_name(blob, row->name) || row->class_ < VYRE_CLASS_CONST ||
		    row->class_ > VYRE_CLASS_LIVE || !vyre_element_bytes(row->element) || row->count > max_elements)
			return BAD("unit %u, buffer %u: name %u, class %u, element %u or count %llu is out of range",
				   unit_index, i, row->name, row->class_, row->element, (unsigned long long)row->count);
		if (row->binding >= unit->buffer_count || bound[row->binding]++)
			return BAD("unit %u, buffer %u: binding %u is not one of its own among %u", unit_index, i,
				   row->binding, unit->buffer_count);
		for (j = 0; j < i; j++)
			if (strcmp(blob->strings + rows[j].name, blob->strings + row->name) == 0)
				return BAD("unit %u: buffers %u and %u are both named %.64s", unit_index, j, i,
					   blob->strings + row->name);
	}
	return VYRE_OK;
}

static vyre_status check_args(const struct vyre_blob *blob, const struct vyre_blob_op *op)
{
	uint32_t used = 0, i;

	for (i = 0; i < op->arg_count; i++) {
		const struct vyre_blob_arg *arg = &blob->view.args[op->first_arg + i];
		uint32_t words = (vyre_element_bytes(arg->element) + 3) / 4, mask;

		if (!is_name(blob, arg->name) || words == 0 || arg->word >= VYRE_SLOT_ARGS ||
		    arg->word + words > VYRE_SLOT_ARGS || arg->reserved)
			return BAD(
			    "opcode 0x%x, argument %u: name %u, element %u, word %u or the reserved word is out of "
			    "range",
			    op->opcode, i, arg->name, arg->element, arg->word);
		mask = ((1u << words) - 1) << arg->word;
		if (used & mask)
			return BAD("opcode 0x%x, argument %u: word %u belongs to another argument too", op->opcode, i,
				   arg->word);
		used |= mask;
	}
	return VYRE_OK;
}

static vyre_status check_ops(const struct vyre_blob *blob, uint32_t unit_index)
{
	const struct vyre_blob_unit *unit = &blob->view.units[unit_index];
	uint32_t i;

	for (i = 0; i < unit->op_count; i++) {
		const struct vyre_blob_op *op = &blob->view.ops[unit->first_op + i];

		if (!is_name(blob, op->name) || op->granularity < VYRE_BY_LANE || op->granularity > VYRE_BY_WORKGROUP ||
		    op->result_mask >> VYRE_SLOT_ARGS || op->width > MOST_LANES ||
		    (op->width && op->granularity == VYRE_BY_LANE) || op->reserved)
			return BAD(
			    "unit %u, op %u: name %u, granularity %u, width %u, results 0x%x or the reserved word "
			    "are out of range",
			    unit_index, i, op->name, op->granularity, op->width, op->result_mask);
		if (vyre_opcode_is_system(op->opcode))
			return BAD("unit %u, op %u: opcode 0x%x is the system's", unit_index, i, op->opcode);
		if (i > 0 && op[-1].opcode >= op->opcode)
			return BAD("unit %u, op %u: opcode 0x%x does not come after 0x%x", unit_index, i, op->opcode,
				   op[-1].opcode);
		if (op->arg_count > VYRE_SLOT_ARGS || op->first_arg > blob->view.arg_count ||
		    op->arg_count > blob->view.arg_count - op->first_arg)
			return BAD("unit %u, op %u: arguments %u..+%u are not among the %u", unit_index, i,
				   op->first_arg, op->arg_count, blob->view.arg_count);
		TRY(check_args(blob, op));
	}
	return VYRE_OK;
}

static int is_workgroup(const uint32_t lanes[3])
{
	uint64_t all = 1;
	uint32_t i;

	for (i = 0; i < 3 && all <= MOST_LANES; i++)
		all *= lanes[i];
	return all >= 1 && all <= MOST_LANES;
}

static vyre_status check_features(const struct vyre_blob_unit *unit, uint32_t index)
{
	uint32_t i;

	/* A frame hangs on a record; a program has neither. */
	if ((unit->features & ~(uint32_t)VYRE_HAS_ALL) || (unit->kind == VYRE_UNIT_PROGRAM && unit->features) ||
	    unit->frame_words > VYRE_BLOB_MAX_FRAME_WORDS ||
	    (unit->frame_words && !(unit->features & VYRE_HAS_RECORDS)))
		return BAD("unit %u: features 0x%x or frames of %u words are out of range", index, unit->features,
			   unit->frame_words);
	for (i = 0; i < sizeof(feature_rules) / sizeof(feature_rules[0]); i++) {
		const struct feature_rule *rule = &feature_rules[i];

		if ((unit->features & rule->feature) &&
		    (!(rule->feeds & 1u << unit->feed) || (unit->features & rule->with) != rule->with ||
		     (unit->features & rule->without)))
			return BAD("unit %u: feed %u and features 0x%x do not go with feature 0x%x", index, unit->feed,
				   unit->features, rule->feature);
	}
	return VYRE_OK;
}

static vyre_status check_unit(const struct vyre_blob *blob, uint32_t index, uint32_t *buffers_end, uint32_t *ops_end)
{
	const struct vyre_blob_view *view = &blob->view;
	const struct vyre_blob_unit *unit = &view->units[index];
	uint32_t i;

	if (!is_short_name(blob, unit->name) || unit->kind < VYRE_UNIT_SET || unit->kind > VYRE_UNIT_PROGRAM ||
	    unit->feed >= VYRE_FEED_COUNT || (unit->kind == VYRE_UNIT_SET) != (unit->feed != VYRE_FEED_NONE))
		return BAD("unit %u: name %u, kind %u or feed %u is out of range", index, unit->name, unit->kind,
			   unit->feed);
	TRY(check_features(unit, index));
	if (!is_workgroup(unit->workgroup))
		return BAD("unit %u: a workgroup of %u, %u, %u lanes; it has 1 to %d in all", index, unit->workgroup[0],
			   unit->workgroup[1], unit->workgroup[2], MOST_LANES);
	for (i = 0; i < index; i++)
		if (strcmp(blob->strings + view->units[i].name, blob->strings + unit->name) == 0)
			return BAD("units %u and %u are both named %.64s", i, index, blob->strings + unit->name);
	/* Runs follow each other, so that no row is checked, or owned, twice. */
	if (unit->first_buffer < *buffers_end || unit->first_buffer > view->buffer_count ||
	    unit->buffer_count > view->buffer_count - unit->first_buffer ||
	    unit->buffer_count > VYRE_BLOB_MAX_UNIT_BUFFERS)
		return BAD("unit %u: buffers %u..+%u are not a run of its own (at most %u) among the %u", index,
			   unit->first_buffer, unit->buffer_count, (unsigned)VYRE_BLOB_MAX_UNIT_BUFFERS,
			   view->buffer_count);
	if (unit->first_op < *ops_end || unit->first_op > view->op_count ||
	    unit->op_count > view->op_count - unit->first_op || (unit->kind == VYRE_UNIT_PROGRAM && unit->op_count))
		return BAD("unit %u: ops %u..+%u are not a run of its own among the %u", index, unit->first_op,
			   unit->op_count, view->op_count);
	*buffers_end = unit->first_buffer + unit->buffer_count;
	*ops_end = unit->first_op + unit->op_count;
	TRY(check_buffers(blob, index));
	return check_ops(blob, index);
}

/* Native code has one lane a workgroup, and nothing that only an assembler of GPU code knows. */
static vyre_status check_native_slice(const struct vyre_blob_slice *slice, uint32_t index)
{
	if (slice->lanes[0] != 1 || slice->lanes[1] != 1 || slice->lanes[2] != 1 || slice->registers ||
	    slice->spill_bytes)
		return BAD(
		    "slice %u: native code with a workgroup of %u, %u, %u lanes, %u registers and %u spilled bytes; "
		    "it has 1, 1, 1 and none",
		    index, slice->lanes[0], slice->lanes[1], slice->lanes[2], slice->registers, slice->spill_bytes);
	if (slice->flags & VYRE_SLICE_MAILBOX)
		return BAD("slice %u: native code with a mailbox, which only the kernel of a live set on a GPU has",
			   index);
	return VYRE_OK;
}

static vyre_status check_gpu_slice(const struct vyre_blob *blob, uint32_t index)
{
	const struct vyre_blob_slice *slice = &blob->view.slices[index];
	const struct vyre_blob_unit *unit = &blob->view.units[slice->unit];
	int is_live = unit->kind == VYRE_UNIT_SET && unit->feed == VYRE_FEED_LIVE;

	if (slice->entry > UINT32_MAX || !is_name(blob, (uint32_t)slice->entry))
		return BAD("slice %u: entry 0x%llx is not the name of one", index, (unsigned long long)slice->entry);
	if (!is_workgroup(slice->lanes))
		return BAD("slice %u: a workgroup of %u, %u, %u lanes; it has 1 to %d in all", index, slice->lanes[0],
			   slice->lanes[1], slice->lanes[2], MOST_LANES);
	if (unit->kind == VYRE_UNIT_PROGRAM && memcmp(slice->lanes, unit->workgroup, sizeof(slice->lanes)) != 0)
		return BAD("slice %u: a workgroup of %u, %u, %u lanes, and its program has %u, %u, %u", index,
			   slice->lanes[0], slice->lanes[1], slice->lanes[2], unit->workgroup[0], unit->workgroup[1],
			   unit->workgroup[2]);
	if (is_live != ((slice->flags & VYRE_SLICE_MAILBOX) != 0))
		return BAD("slice %u: %s a mailbox, and unit %u is a %s of feed %u; live sets have one on a GPU, and "
			   "nothing else does",
			   index, is_live ? "without" : "with", slice->unit,
			   unit->kind == VYRE_UNIT_SET ? "set" : "program", unit->feed);
	return VYRE_OK;
}

/* A target that this loader does not know is of either family: the choice of slices leaves it out. */
static int is_of_family(uint32_t target, uint32_t format)
{
	switch (target) {
#define X(name, value, text) case value:
		VYRE_TARGET_LIST(X)
#undef X
		return (target < VYRE_TARGET_SM_75) == (format == VYRE_FORMAT_ELF);
	default:
		return 1;
	}
}

static vyre_status check_slice(const struct vyre_blob *blob, uint32_t index)
{
	const struct vyre_blob_view *view = &blob->view;
	const struct vyre_blob_slice *slice = &view->slices[index];

	if (slice->unit >= view->unit_count || slice->section >= view->section_count ||
	    view->sections[slice->section].kind != VYRE_BLOB_CODE)
		return BAD("slice %u: unit %u of %u, or section %u, is not there or is not code", index, slice->unit,
			   view->unit_count, slice->section);
	if (slice->format < VYRE_FORMAT_ELF || slice->format > VYRE_FORMAT_CUBIN ||
	    (slice->flags & ~(uint32_t)VYRE_SLICE_MAILBOX) || slice->reserved)
		return BAD("slice %u: format %u, flags 0x%x or the reserved word is out of range", index, slice->format,
			   slice->flags);
	if (!is_of_family(slice->target, slice->format))
		return BAD("slice %u: target %u has no code of format %u", index, slice->target, slice->format);
	return slice->format == VYRE_FORMAT_ELF ? check_native_slice(slice, index) : check_gpu_slice(blob, index);
}

static vyre_status check_slices(const struct vyre_blob *blob)
{
	uint32_t count[VYRE_BLOB_MAX_UNITS] = {0}, i;

	for (i = 0; i < blob->view.slice_count; i++) {
		TRY(check_slice(blob, i));
		if (++count[blob->view.slices[i].unit] > VYRE_BLOB_MAX_UNIT_SLICES)
			return BAD("slice %u: unit %u has more than %u slices", i, blob->view.slices[i].unit,
				   (unsigned)VYRE_BLOB_MAX_UNIT_SLICES);
	}
	return VYRE_OK;
}

vyre_status vyre_blob_check_rows(const struct vyre_blob *blob)
{
	const struct vyre_blob_view *view = &blob->view;
	uint32_t i, buffers_end = 0, ops_end = 0;

	TRY(check_strings(blob));
	if (view->unit_count == 0)
		return BAD("the blob holds no unit");
	for (i = 0; i < view->unit_count; i++)
		TRY(check_unit(blob, i, &buffers_end, &ops_end));
	TRY(check_slices(blob));
	for (i = 0; i < view->log_count; i++)
		if (!is_name(blob, view->logs[i].format))
			return BAD("log %u: format %u is outside the strings", i, view->logs[i].format);
	for (i = 0; i < view->fault_count; i++)
		if (view->faults[i].unit >= view->unit_count || !is_name(blob, view->faults[i].file))
			return BAD("fault site %u: unit %u or file %u is out of range", i, view->faults[i].unit,
				   view->faults[i].file);
	return VYRE_OK;
}
