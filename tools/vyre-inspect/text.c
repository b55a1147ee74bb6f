/* text.c - a blob as text for people: one line a row, the names of vyre's language.
 *
 * In: a blob that was checked; out: stdout. Strings of a blob come from whoever wrote it, so control characters are
 * printed as escapes: a name must not move the cursor of the terminal that shows it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "inspect.h"
#include "tools/common/names.h"

void digest_text(const uint8_t digest[VYRE_BLOB_DIGEST_BYTES], char text[DIGEST_TEXT])
{
	for (int i = 0; i < VYRE_BLOB_DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static void put_text(const char *text, uint64_t bytes, const char *indent)
{
	for (uint64_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];
		if (indent && c == '\n' && i + 1 < bytes)
			printf("\n%s", indent);
		else if (c >= 32 && c != 127)
			putchar(c);
		else if (c != '\n' || !indent)
			printf("\\x%02x", c);
	}
}

static void put_string(const struct inspected *in, uint32_t offset)
{
	const char *text = vyre_blob_string(in->blob, offset);
	put_text(text, strlen(text), NULL);
}

static void print_sections(const struct inspected *in)
{
	char digest[DIGEST_TEXT];
	puts("sections");
	for (uint32_t i = 0; i < in->view.section_count; i++) {
		const struct vyre_blob_section *row = &in->view.sections[i];
		digest_text(row->digest, digest);
		printf("  %2u %-10s at %8" PRIu64 " %8" PRIu64 " bytes  %s\n", i, section_name(row->kind), row->offset,
		       row->bytes, digest);
	}
}

static void print_buffer(const struct inspected *in, const struct vyre_blob_buffer *row)
{
	printf("    buffer %2u ", row->binding);
	put_string(in, row->name);
	printf(": %s %s[", class_name(row->class_), element_name(row->element));
	if (row->count)
		printf("%" PRIu64, row->count);
	puts("]");
}

static void print_op(const struct inspected *in, const struct vyre_blob_op *row)
{
	printf("    op 0x%x ", row->opcode);
	put_string(in, row->name);
	putchar('(');
	for (uint32_t i = 0; i < row->arg_count; i++) {
		const struct vyre_blob_arg *arg = &in->view.args[row->first_arg + i];
		printf("%s", i ? ", " : "");
		put_string(in, arg->name);
		printf(": %s", element_name(arg->element));
	}
	printf(") by %s", granularity_name(row->granularity));
	if (row->width)
		printf("(%u)", row->width);
	for (uint32_t k = 0, first = 1; k < VYRE_SLOT_ARGS; k++) {
		if (row->result_mask >> k & 1) {
			printf(first ? " results %u" : " %u", k);
			first = 0;
		}
	}
	putchar('\n');
}

static void print_unit(const struct inspected *in, const struct vyre_blob_unit *unit)
{
	printf("%s ", unit_kind_name(unit->kind));
	put_string(in, unit->name);
	if (unit->kind == VYRE_UNIT_SET)
		printf(" feed %s", feed_name(unit->feed));
	printf(" workgroup %u,%u,%u\n", unit->workgroup[0], unit->workgroup[1], unit->workgroup[2]);
	if (unit->features) {
		printf("    features");
		for (uint32_t bit = 1; bit & VYRE_HAS_ALL; bit <<= 1)
			if (unit->features & bit)
				printf(" %s", feature_name(bit));
		putchar('\n');
	}
	if (unit->frame_words)
		printf("    frames of %u words\n", unit->frame_words);
	for (uint32_t i = 0; i < unit->buffer_count; i++)
		print_buffer(in, &in->view.buffers[unit->first_buffer + i]);
	for (uint32_t i = 0; i < unit->op_count; i++)
		print_op(in, &in->view.ops[unit->first_op + i]);
}

/* Native code is entered by address, everything else by name. */
static void print_entry(const struct inspected *in, const struct vyre_blob_slice *row)
{
	if (row->format == VYRE_FORMAT_ELF) {
		printf("entry 0x%" PRIx64, row->entry);
	} else {
		printf("entry ");
		put_string(in, (uint32_t)row->entry);
	}
}

/* What only an assembler knows is not there when none has seen the slice: registers are then 0. */
static void print_resources(const struct vyre_blob_slice *row)
{
	const bool is_native = row->format == VYRE_FORMAT_ELF;
	if (is_native || row->registers)
		printf(", stack %u", row->stack_bytes);
	printf(", shared %u", row->shared_bytes);
	if (!is_native)
		printf(", lanes %u,%u,%u", row->lanes[0], row->lanes[1], row->lanes[2]);
	if (row->registers)
		printf(", registers %u, spilled %u", row->registers, row->spill_bytes);
	else if (!is_native)
		printf(", registers and stack not known (without ptxas)");
}

static void print_slices(const struct inspected *in)
{
	for (uint32_t i = 0; i < in->view.slice_count; i++) {
		const struct vyre_blob_slice *row = &in->view.slices[i];
		printf("slice ");
		put_string(in, in->view.units[row->unit].name);
		printf(" %s %s: %" PRIu64 " bytes in section %u, ", target_name(row->target), format_name(row->format),
		       in->view.sections[row->section].bytes, row->section);
		print_entry(in, row);
		print_resources(row);
		puts(row->flags & VYRE_SLICE_MAILBOX ? ", mailbox" : "");
	}
}

static void print_places(const struct inspected *in)
{
	for (uint32_t i = 0; i < in->view.log_count; i++) {
		printf("log %u \"", in->view.logs[i].id);
		put_string(in, in->view.logs[i].format);
		puts("\"");
	}
	for (uint32_t i = 0; i < in->view.fault_count; i++) {
		const struct vyre_blob_fault_site *row = &in->view.faults[i];
		printf("trap %u of ", row->code);
		put_string(in, in->view.units[row->unit].name);
		printf(" op 0x%x at ", row->op);
		put_string(in, row->file);
		printf(":%u:%u\n", row->line, row->column);
	}
}

void print_text(const struct inspected *in)
{
	printf("blob %s: %" PRIu64 " bytes, version %d, every digest matches\n", in->path, in->view.file_bytes,
	       VYRE_BLOB_VERSION);
	print_sections(in);
	for (uint32_t i = 0; i < in->view.unit_count; i++)
		print_unit(in, &in->view.units[i]);
	print_slices(in);
	print_places(in);
	if (in->view.provenance_bytes) {
		printf("provenance\n  ");
		put_text(in->view.provenance, in->view.provenance_bytes, "  ");
		putchar('\n');
	}
	if (in->device) {
		printf("device %s\n  ", in->device);
		put_text(in->explanation, strlen(in->explanation), "  ");
		putchar('\n');
	}
}
