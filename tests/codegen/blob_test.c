/* blob_test.c - the bytes that vyrec_blob_write makes, read back by the table in runtime/abi/blob.h.
 *
 * Framing (magic, order, alignment, digests, zero padding), and what each table says about a small module: ops by
 * opcode, argument words, result words, log formats, trap sites, units, slices, provenance; the same bytes twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium/crypto_generichash_blake2b.h>

#include "codegen/codegen.h"

static const char text[] = "set demo {\n"
			   "  buffer data: u32[16]\n"
			   "  buffer table: const u16[]\n"
			   "  const CODE = 77\n"
			   "  fn check(x: u32) { if x > 100 { trap(41) } }\n"
			   "  op last = 0x300 (a: u32, b: u64, c: f32, d: bool) by lane {\n"
			   "    check(a)\n"
			   "    if d { log(9, \"a %u b %x\", a, u32(b)) }\n"
			   "    data[a] = u32(c)\n"
			   "    result(1, b)\n"
			   "    result(5, a)\n"
			   "  }\n"
			   "  op first = 0x200 () by workgroup(4) {\n"
			   "    log(3, \"again\", 1, 2)\n"
			   "    if lanes == 3 { trap(CODE) }\n"
			   "  }\n"
			   "}\n"
			   "program grid workgroup(2, 3) {\n"
			   "  buffer out: f32[]\n"
			   "  body { out[lane] = 1.0\n"
			   "    trap(7) }\n"
			   "}\n";

struct blob {
	uint8_t *bytes;
	size_t size;
	const struct vyre_blob_header *header;
	const struct vyre_blob_section *sections;
};
static struct blob blob;

static const void *section(uint32_t kind, size_t row_bytes, size_t *count)
{
	for (uint32_t i = 0; i < blob.header->section_count; i++)
		if (blob.sections[i].kind == kind) {
			*count = blob.sections[i].bytes / row_bytes;
			return blob.bytes + blob.sections[i].offset;
		}
	fail_msg("no section of kind %u", kind);
	return NULL;
}

static const char *string(uint32_t offset)
{
	size_t count;
	const char *strings = section(VYRE_BLOB_STRINGS, 1, &count);
	assert_true(offset < count);
	return strings + offset;
}

static struct blob make_blob(void)
{
	struct vyrec_diags diags = {0};
	struct vyrec_pass_options passes = {.bounds = VYREC_POLICY_CHECKED, .level = 1, .one_lane = true};
	struct vyrec_codegen_options codegen = {.level = 1};
	struct vyrec_pass_times times;
	struct vyrec_slice slices[2];
	struct blob b;
	struct vyrec_module *source = vyrec_parse("demo.vyre", text, sizeof text - 1, &diags);
	if (source)
		vyrec_verify(source, &diags);
	vyrec_diags_print(&diags, "demo.vyre", text, sizeof text - 1, stderr);
	assert_int_equal(diags.errors, 0);
	struct vyrec_module *lowered = vyrec_module_clone(source);
	assert_true(vyrec_run_pipeline(lowered, &passes, &diags, &times));
	assert_true(vyrec_codegen(lowered, vyrec_target_at(0), &codegen, &slices[0], &diags));
	assert_true(vyrec_codegen(lowered, vyrec_target_at(1), &codegen, &slices[1], &diags));
	lowered->units[1].features = VYRE_HAS_RECORDS | VYRE_HAS_SUSPEND;
	lowered->units[1].frame_words = 7;
	struct vyrec_blob_input input = {source, lowered, slices, 2, "-O1", NULL};
	b.bytes = vyrec_blob_write(&input, &b.size);
	b.header = (const void *)b.bytes;
	b.sections = (const void *)(b.bytes + sizeof *b.header);
	vyrec_slice_finish(&slices[0]);
	vyrec_slice_finish(&slices[1]);
	vyrec_module_destroy(source);
	vyrec_module_destroy(lowered);
	vyrec_diags_finish(&diags);
	return b;
}

static int make(void **state)
{
	(void)state;
	blob = make_blob();
	return 0;
}

static int drop(void **state)
{
	(void)state;
	free(blob.bytes);
	return 0;
}

static void framing(void **state)
{
	uint8_t digest[VYRE_BLOB_DIGEST_BYTES];
	uint64_t end = sizeof *blob.header + blob.header->section_count * sizeof *blob.sections;
	(void)state;
	assert_int_equal(blob.header->magic, VYRE_BLOB_MAGIC);
	assert_int_equal(blob.header->version, VYRE_BLOB_VERSION);
	assert_int_equal(blob.header->file_bytes, blob.size);
	crypto_generichash_blake2b(digest, sizeof digest, (const uint8_t *)blob.sections,
				   blob.header->section_count * sizeof *blob.sections, NULL, 0);
	assert_memory_equal(digest, blob.header->table_digest, sizeof digest);
	for (uint32_t i = 0; i < blob.header->section_count; i++) {
		const struct vyre_blob_section *s = &blob.sections[i];
		assert_int_equal(s->offset % VYRE_BLOB_ALIGN, 0);
		assert_true(s->offset >= end && s->offset - end < VYRE_BLOB_ALIGN);
		for (; end < s->offset; end++)
			assert_int_equal(blob.bytes[end], 0);
		end = s->offset + s->bytes;
		assert_true(end <= blob.size);
		crypto_generichash_blake2b(digest, sizeof digest, blob.bytes + s->offset, s->bytes, NULL, 0);
		assert_memory_equal(digest, s->digest, sizeof digest);
	}
}

static void units_and_buffers(void **state)
{
	size_t units, buffers;
	(void)state;
	const struct vyre_blob_unit *unit = section(VYRE_BLOB_UNITS, sizeof *unit, &units);
	const struct vyre_blob_buffer *buffer = section(VYRE_BLOB_BUFFERS, sizeof *buffer, &buffers);
	static const char *const names[] = {"control", "ring_buffer", "debug_log", "io_queue",
					    "launch",  "data",	      "table"};
	assert_int_equal(units, 2);
	assert_string_equal(string(unit[0].name), "demo");
	assert_int_equal(unit[0].kind, VYRE_UNIT_SET);
	assert_int_equal(unit[0].feed, VYRE_FEED_LIVE);
	assert_int_equal(unit[0].features, VYRE_HAS_RECORDS | VYRE_HAS_SUSPEND);
	assert_int_equal(unit[0].frame_words, 7);
	assert_int_equal(unit[0].buffer_count, 7);
	assert_int_equal(unit[0].op_count, 2);
	assert_string_equal(string(unit[1].name), "grid");
	assert_int_equal(unit[1].kind, VYRE_UNIT_PROGRAM);
	assert_int_equal(unit[1].feed, VYRE_FEED_NONE);
	assert_int_equal(unit[1].features, 0);
	assert_int_equal(unit[1].frame_words, 0);
	assert_int_equal(unit[1].workgroup[0], 2);
	assert_int_equal(unit[1].workgroup[1], 3);
	assert_int_equal(unit[1].workgroup[2], 1);
	assert_int_equal(unit[1].first_buffer, 7);
	assert_int_equal(buffers, 8);
	for (uint32_t i = 0; i < 7; i++) {
		assert_string_equal(string(buffer[i].name), names[i]);
		assert_int_equal(buffer[i].binding, i);
	}
	assert_int_equal(buffer[5].class_, VYRE_CLASS_PLAIN);
	assert_int_equal(buffer[5].count, 16);
	assert_int_equal(buffer[5].readback_bytes, UINT32_MAX);
	assert_int_equal(buffer[6].class_, VYRE_CLASS_CONST);
	assert_int_equal(buffer[6].element, VYRE_ELEMENT_U16);
	assert_int_equal(buffer[6].count, 0);
	assert_int_equal(buffer[6].readback_bytes, 0);
	assert_int_equal(buffer[7].binding, 0);
}

static void ops_and_args(void **state)
{
	size_t ops, args;
	(void)state;
	const struct vyre_blob_op *op = section(VYRE_BLOB_OPS, sizeof *op, &ops);
	const struct vyre_blob_arg *arg = section(VYRE_BLOB_ARGS, sizeof *arg, &args);
	static const uint32_t words[] = {0, 1, 3, 4};
	static const uint32_t elements[] = {VYRE_ELEMENT_U32, VYRE_ELEMENT_U64, VYRE_ELEMENT_F32, VYRE_ELEMENT_BOOL};
	assert_int_equal(ops, 2);
	assert_string_equal(string(op[0].name), "first");
	assert_int_equal(op[0].opcode, 0x200);
	assert_int_equal(op[0].granularity, VYRE_BY_WORKGROUP);
	assert_int_equal(op[0].width, 4);
	assert_int_equal(op[0].result_mask, 0);
	assert_string_equal(string(op[1].name), "last");
	assert_int_equal(op[1].opcode, 0x300);
	assert_int_equal(op[1].granularity, VYRE_BY_LANE);
	assert_int_equal(op[1].result_mask, 0x26); /* a u64 at 1, a u32 at 5 */
	assert_int_equal(op[1].arg_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(arg[op[1].first_arg + i].word, words[i]);
		assert_int_equal(arg[op[1].first_arg + i].element, elements[i]);
	}
	assert_string_equal(string(arg[op[1].first_arg].name), "a");
}

static void logs_and_faults(void **state)
{
	size_t logs, faults;
	(void)state;
	const struct vyre_blob_log *log = section(VYRE_BLOB_LOGS, sizeof *log, &logs);
	const struct vyre_blob_fault_site *fault = section(VYRE_BLOB_FAULTS, sizeof *fault, &faults);
	assert_int_equal(logs, 2);
	assert_int_equal(log[0].id, 3);
	assert_string_equal(string(log[0].format), "again");
	assert_int_equal(log[1].id, 9);
	assert_string_equal(string(log[1].format), "a %u b %x");
	assert_int_equal(faults, 3);
	assert_int_equal(fault[0].op, 0x200);
	assert_int_equal(fault[0].code, 77);
	assert_int_equal(fault[1].op, 0x300); /* inside the fn that it calls */
	assert_int_equal(fault[1].code, 41);
	assert_int_equal(fault[1].line, 5);
	assert_string_equal(string(fault[1].file), "demo.vyre");
	assert_int_equal(fault[2].unit, 1);
	assert_int_equal(fault[2].op, 0);
	assert_int_equal(fault[2].code, 7);
	assert_int_equal(fault[2].line, 21);
}

static void slices_share_an_image(void **state)
{
	size_t slices;
	(void)state;
	const struct vyre_blob_slice *slice = section(VYRE_BLOB_SLICES, sizeof *slice, &slices);
	assert_int_equal(slices, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(slice[i].unit, i % 2);
		assert_int_equal(slice[i].target, i / 2 ? VYRE_TARGET_X86_64_V3 : VYRE_TARGET_X86_64_V2);
		assert_int_equal(blob.sections[slice[i].section].kind, VYRE_BLOB_CODE);
		assert_true(slice[i].entry != 0 && slice[i].stack_bytes >= 64);
	}
	assert_int_equal(slice[0].section, slice[1].section);
	assert_int_not_equal(slice[0].section, slice[2].section);
	assert_int_not_equal(slice[0].entry, slice[1].entry);
}

static void provenance(void **state)
{
	size_t count;
	(void)state;
	const char *lines = section(VYRE_BLOB_PROVENANCE, 1, &count);
	char *copy = strndup(lines, count);
	assert_ptr_equal(strstr(copy, "compiler=vyrec "), copy);
	assert_non_null(strstr(copy, "\nllvm="));
	assert_non_null(strstr(copy, "\nflags=-O1\n"));
	assert_non_null(strstr(copy, "\nsource="));
	assert_int_equal(copy[count - 1], '\n');
	free(copy);
}

static void same_input_same_bytes(void **state)
{
	struct blob again = make_blob();
	(void)state;
	assert_int_equal(again.size, blob.size);
	assert_memory_equal(again.bytes, blob.bytes, blob.size);
	free(again.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(framing),
	    cmocka_unit_test(units_and_buffers),
	    cmocka_unit_test(ops_and_args),
	    cmocka_unit_test(logs_and_faults),
	    cmocka_unit_test(provenance),
	    cmocka_unit_test(slices_share_an_image),
	    cmocka_unit_test(same_input_same_bytes),
	};
	return cmocka_run_group_tests(tests, make, drop);
}
