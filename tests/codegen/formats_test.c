/* formats_test.c - a blob with native code, PTX and a cubin of the same units: one table of buffers for all of them, slices
 * whose entries are names, resources, flags, and the buffers of a mailbox left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "runtime/abi/mailbox.h"

static const char source[] = "program small workgroup(64) {\n  buffer a: u32[]\n  shared s: u32[8]\n"
			     "  body { s[lane & 7] = lane\n    barrier\n    a[lane] = s[0] }\n}\n"
			     "program big workgroup(8, 4, 2) {\n  buffer x: f32[]\n  buffer y: const f32[]\n"
			     "  body { x[lane] = y[lane] }\n}\n";
/* As megakernel assembly leaves a set that meets its host by a mailbox. */
static const char lowered_set[] = "program live workgroup(32) feed live (0, 0) {\n"
				  "  buffer control: live u32[]\n  buffer own: u32[]\n"
				  "  buffer host_control: live u32[]\n  buffer host_ring: live u32[]\n"
				  "  buffer host_stamps: live u32[]\n"
				  "  body { own[lane] = atomic_load(host_stamps[lane], acquire, system) }\n}\n";

static struct vyrec_module *lower(const char *text, bool one_lane)
{
	struct vyrec_diags diags = {0};
	struct vyrec_pass_options passes = {.bounds = VYREC_POLICY_CHECKED, .level = 1, .one_lane = one_lane};
	struct vyrec_module *m = vyrec_parse("formats.vyre", text, strlen(text), &diags);
	if (!m || !vyrec_verify(m, &diags) || !vyrec_run_pipeline(m, &passes, &diags, NULL))
		fail_msg("%s", diags.count ? diags.items[0].message : "?");
	return m;
}

static struct vyrec_slice compile(struct vyrec_module *m, const char *target)
{
	struct vyrec_codegen_options options = {.level = 1, .cubin = VYREC_CUBIN_NEVER};
	struct vyrec_diags diags = {0};
	struct vyrec_slice slice;
	if (!vyrec_codegen(m, vyrec_target_find(target), &options, &slice, &diags))
		fail_msg("%s", diags.count ? diags.items[0].message : "?");
	return slice;
}

/* A cubin whose bytes are these words, since the table does not look inside. */
static struct vyrec_slice pretend_cubin(const struct vyrec_slice *ptx)
{
	struct vyrec_slice cubin = {.target = ptx->target, .format = VYRE_FORMAT_CUBIN, .unit_count = ptx->unit_count};
	cubin.image = (uint8_t *)strdup("not really a cubin");
	cubin.image_bytes = strlen((const char *)cubin.image);
	cubin.symbols = vyrec_alloc(cubin.unit_count * sizeof *cubin.symbols);
	cubin.resources = vyrec_alloc(cubin.unit_count * sizeof *cubin.resources);
	for (uint32_t i = 0; i < cubin.unit_count; i++) {
		cubin.symbols[i] = strdup(ptx->symbols[i]);
		cubin.resources[i] = ptx->resources[i];
		cubin.resources[i].registers = 21 + i;
		cubin.resources[i].spill_bytes = 4 * i;
	}
	return cubin;
}

static const struct vyre_blob_section *sections(const uint8_t *blob)
{
	return (const void *)(blob + sizeof(struct vyre_blob_header));
}

static const void *rows(const uint8_t *blob, uint32_t kind, size_t row_bytes, size_t *count)
{
	const struct vyre_blob_header *header = (const void *)blob;
	for (uint32_t i = 0; i < header->section_count; i++)
		if (sections(blob)[i].kind == kind) {
			*count = sections(blob)[i].bytes / row_bytes;
			return blob + sections(blob)[i].offset;
		}
	fail_msg("no section of kind %u", kind);
	return NULL;
}

static const char *string(const uint8_t *blob, uint64_t offset)
{
	size_t count;
	const char *strings = rows(blob, VYRE_BLOB_STRINGS, 1, &count);
	assert_true(offset < count);
	return strings + offset;
}

static void expect_row(const uint8_t *blob, const struct vyre_blob_slice *row, uint32_t unit, uint32_t target,
		       uint32_t format)
{
	assert_int_equal(row->unit, unit);
	assert_int_equal(row->target, target);
	assert_int_equal(row->format, format);
	assert_int_equal(sections(blob)[row->section].kind, VYRE_BLOB_CODE);
	if (format != VYRE_FORMAT_ELF)
		assert_string_equal(string(blob, row->entry), unit ? "vyre_big" : "vyre_small");
}

static void three_formats_of_two_units(void **state)
{
	struct vyrec_module *original = lower(source, true), *native = lower(source, true), *gpu = lower(source, false);
	struct vyrec_slice slices[3] = {compile(native, "x86-64-v2"), compile(gpu, "sm_80")};
	size_t bytes, count = 0, again;
	(void)state;
	slices[2] = pretend_cubin(&slices[1]);
	struct vyrec_blob_input input = {original, native, slices, 3, "-O1", "13.0.88"};
	uint8_t *blob = vyrec_blob_write(&input, &bytes), *second = vyrec_blob_write(&input, &again);
	assert_int_equal(bytes, again);
	assert_memory_equal(blob, second, bytes);

	const struct vyre_blob_slice *row = rows(blob, VYRE_BLOB_SLICES, sizeof *row, &count);
	static const uint32_t formats[] = {VYRE_FORMAT_ELF, VYRE_FORMAT_PTX, VYRE_FORMAT_CUBIN};
	assert_int_equal(count, 6);
	for (uint32_t i = 0; i < 6; i++)
		expect_row(blob, &row[i], i % 2, i < 2 ? VYRE_TARGET_X86_64_V2 : VYRE_TARGET_SM_80, formats[i / 2]);
	assert_int_equal(row[0].lanes[0], 1);
	assert_true(row[0].stack_bytes > 0);
	assert_int_equal(row[2].lanes[0], 64);
	assert_int_equal(row[2].shared_bytes, 32);
	assert_int_equal(row[2].registers, 0);
	assert_int_equal(row[3].lanes[0] * row[3].lanes[1] * row[3].lanes[2], 64);
	assert_int_equal(row[3].lanes[2], 2);
	assert_int_equal(row[5].registers, 22);
	assert_int_equal(row[5].spill_bytes, 4);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(row[i].flags, 0);
	assert_int_equal(row[2].section, row[3].section);
	const struct vyre_blob_section *text = &sections(blob)[row[2].section];
	assert_memory_equal(blob + text->offset, slices[1].image, text->bytes);
	assert_non_null(strstr((const char *)slices[1].image, ".visible .entry vyre_big("));
	assert_non_null(strstr((const char *)slices[1].image, ".reqntid 8, 4, 2"));
	assert_non_null(strstr((const char *)slices[1].image, ".reqntid 64, 1, 1"));
	assert_null(memchr(slices[1].image, 0, slices[1].image_bytes));

	const char *provenance = rows(blob, VYRE_BLOB_PROVENANCE, 1, &count);
	assert_non_null(memmem(provenance, count, "\nptxas=13.0.88\n", strlen("\nptxas=13.0.88\n")));
	rows(blob, VYRE_BLOB_BUFFERS, sizeof(struct vyre_blob_buffer), &count);
	assert_int_equal(count, 3);
	for (unsigned i = 0; i < 3; i++)
		vyrec_slice_finish(&slices[i]);
	vyrec_module_destroy(original);
	vyrec_module_destroy(native);
	vyrec_module_destroy(gpu);
	free(blob);
	free(second);
}

static void mailbox_buffers_are_the_slice_s_own(void **state)
{
	struct vyrec_module *m = lower(lowered_set, false);
	struct vyrec_slice slice = compile(m, "sm_90");
	size_t bytes, count = 0;
	(void)state;
	assert_true(vyrec_has_mailbox(m, 1));
	struct vyrec_blob_input input = {m, m, &slice, 1, "", NULL};
	uint8_t *blob = vyrec_blob_write(&input, &bytes);
	const struct vyre_blob_slice *row = rows(blob, VYRE_BLOB_SLICES, sizeof *row, &count);
	assert_int_equal(row->flags, VYRE_SLICE_MAILBOX);
	const struct vyre_blob_unit *unit = rows(blob, VYRE_BLOB_UNITS, sizeof *unit, &count);
	const struct vyre_blob_buffer *buffer = rows(blob, VYRE_BLOB_BUFFERS, sizeof *buffer, &count);
	assert_int_equal(count, 2);
	assert_int_equal(unit->buffer_count, 2);
	assert_string_equal(string(blob, buffer[1].name), "own");
	assert_non_null(strstr((const char *)slice.image, "vyre_live_param_10\n)")); /* five buffers, the trap record */
	vyrec_slice_finish(&slice);
	free(blob);
	vyrec_module_destroy(m);
}

static void other_buffers_are_no_mailbox(void **state)
{
	static const char *const texts[] = {
	    "program p workgroup(1) feed live (0, 0) {\n  buffer control: live u32[]\n  buffer host_control: live "
	    "u32[]\n"
	    "  buffer host_stamps: live u32[]\n  buffer host_ring: live u32[]\n  body { }\n}\n",
	    "program p workgroup(1) {\n  buffer host_control: live u32[]\n  buffer host_ring: live u32[]\n"
	    "  buffer host_stamps: live u32[]\n  body { }\n}\n",
	    "program p workgroup(1) feed live (0, 0) {\n  buffer host_stamps: live u32[]\n  body { }\n}\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct vyrec_module *m = lower(texts[i], true);
		assert_false(vyrec_has_mailbox(m, 1));
		vyrec_module_destroy(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(three_formats_of_two_units),
	    cmocka_unit_test(mailbox_buffers_are_the_slice_s_own),
	    cmocka_unit_test(other_buffers_are_no_mailbox),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
