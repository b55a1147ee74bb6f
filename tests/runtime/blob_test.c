/* blob_test.c - the blob reader against right bytes, each kind of wrong bytes, and every truncation. */
#include <sys/stat.h>
#include <unistd.h>

#include <sodium/crypto_generichash_blake2b.h>

#include "bench_rig.h"
#include "digest.h"

static uint8_t *good;
static uint64_t good_bytes;

static int make_good(void **state)
{
	(void)state;
	good = test_blob_reference(NULL, &good_bytes);
	return 0;
}

static int free_good(void **state)
{
	(void)state;
	free(good);
	return 0;
}

static struct vyre_blob_section *section(uint8_t *bytes, uint32_t kind)
{
	struct vyre_blob_header *header = (struct vyre_blob_header *)bytes;
	struct vyre_blob_section *table = (struct vyre_blob_section *)(header + 1);
	uint32_t i;

	for (i = 0; i < header->section_count; i++)
		if (table[i].kind == kind)
			return &table[i];
	fail();
	return NULL;
}

static void *rows(uint8_t *bytes, uint32_t kind)
{
	return bytes + section(bytes, kind)->offset;
}

static vyre_status open_bytes(const uint8_t *bytes, uint64_t size)
{
	struct vyre_blob *blob = (void *)1;
	vyre_status status = vyre_blob_open(bytes, size, &blob);

	if (status != VYRE_OK)
		assert_null(blob);
	else
		vyre_blob_close(blob);
	return status;
}

/* Every length around the block size, against libsodium, which the compiler writes blobs with. */
static void digests(void **state)
{
	uint8_t bytes[600], ours[VYRE_BLOB_DIGEST_BYTES], theirs[VYRE_BLOB_DIGEST_BYTES];
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (i = 0; i <= sizeof(bytes); i++) {
		vyre_digest(bytes, i, ours);
		crypto_generichash_blake2b(theirs, sizeof(theirs), bytes, i, NULL, 0);
		assert_memory_equal(ours, theirs, sizeof(ours));
	}
}

static void a_good_blob(void **state)
{
	struct vyre_blob_view view;
	struct vyre_blob *blob;
	const struct vyre_blob_op *op;

	(void)state;
	assert_int_equal(vyre_blob_open(good, good_bytes, &blob), VYRE_OK);
	assert_int_equal(vyre_blob_verify(blob), VYRE_OK);
	vyre_blob_get_view(blob, &view);
	assert_int_equal(view.unit_count, 2);
	assert_int_equal(view.op_count, 6);
	assert_int_equal(view.slice_count, 2);
	assert_int_equal(view.file_bytes, good_bytes);
	assert_string_equal(vyre_blob_string(blob, view.units[0].name), "reference");
	assert_string_equal(vyre_blob_string(blob, UINT32_MAX), "");
	op = vyre_blob_find_op(blob, NULL, "mark");
	assert_non_null(op);
	assert_int_equal(op->opcode, REFERENCE_OP_MARK);
	assert_ptr_equal(vyre_blob_find_op(blob, "reference", "mark"), op);
	assert_null(vyre_blob_find_op(blob, "grid", "mark"));
	assert_null(vyre_blob_find_op(blob, NULL, "no such op"));
	vyre_blob_close(blob);
	vyre_blob_close(NULL);
}

static void every_truncation_is_refused(void **state)
{
	uint64_t size;

	(void)state;
	for (size = 0; size < good_bytes; size += size < 1200 ? 1 : 61)
		assert_int_not_equal(open_bytes(good, size), VYRE_OK);
}

/* Any single byte matters: framing, padding or digest notices it; code and VIR0 are noticed by verify. */
static void every_byte_counts(void **state)
{
	uint64_t i, code = section(good, VYRE_BLOB_CODE)->offset;

	(void)state;
	for (i = 0; i < good_bytes; i += i < code ? 1 : 97) {
		uint8_t before = good[i];
		struct vyre_blob *blob;
		vyre_status status;

		good[i] ^= 0x40;
		status = vyre_blob_open(good, good_bytes, &blob);
		if (i >= code) {
			assert_int_equal(status, VYRE_OK);
			assert_int_equal(vyre_blob_verify(blob), VYRE_MALFORMED);
			vyre_blob_close(blob);
		} else {
			assert_int_not_equal(status, VYRE_OK);
		}
		good[i] = before;
	}
	assert_int_equal(open_bytes(good, good_bytes), VYRE_OK);
}

/* A slice as another format's. */
static void turn(uint8_t *bytes, uint32_t index, uint32_t format, uint32_t target, uint32_t flags)
{
	struct vyre_blob_slice *slice = (struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES) + index;

	slice->format = format;
	slice->target = target;
	slice->flags = flags;
	if (format != VYRE_FORMAT_ELF)
		slice->entry = 0;
}

/* One wrong thing each, with every digest right. */
#define EDITS(X) \
	X(version, ((struct vyre_blob_header *)bytes)->version = VYRE_BLOB_VERSION + 1) \
	X(no_sections, ((struct vyre_blob_header *)bytes)->section_count = 0) \
	X(many_sections, ((struct vyre_blob_header *)bytes)->section_count = 0xFFFFFFFFu) \
	X(more_sections, ((struct vyre_blob_header *)bytes)->section_count = 4000) \
	X(reserved_header, ((struct vyre_blob_header *)bytes)->reserved1 = 1) \
	X(reserved_section, section(bytes, VYRE_BLOB_OPS)->reserved = 1) \
	X(offset_backwards, section(bytes, VYRE_BLOB_OPS)->offset = 64) \
	X(offset_unaligned, section(bytes, VYRE_BLOB_OPS)->offset += 8) \
	X(offset_huge, section(bytes, VYRE_BLOB_OPS)->offset = UINT64_MAX - 15) \
	X(size_huge, section(bytes, VYRE_BLOB_OPS)->bytes = UINT64_MAX - 15) \
	X(size_not_rows, section(bytes, VYRE_BLOB_OPS)->bytes -= 8) \
	X(two_tables, section(bytes, VYRE_BLOB_ARGS)->kind = VYRE_BLOB_OPS) \
	X(no_units, section(bytes, VYRE_BLOB_UNITS)->kind = 77) \
	X(no_strings, section(bytes, VYRE_BLOB_STRINGS)->kind = 77) \
	X(strings_open, ((char *)rows(bytes, VYRE_BLOB_STRINGS))[section(bytes, VYRE_BLOB_STRINGS)->bytes - 1] = 'x') \
	X(strings_start, *(char *)rows(bytes, VYRE_BLOB_STRINGS) = 'x') \
	X(strings_escape, ((char *)rows(bytes, VYRE_BLOB_STRINGS))[1] = 27) \
	X(unit_name, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->name = 1u << 30) \
	X(unit_kind, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->kind = 3) \
	X(unit_feed, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->feed = 9) \
	X(unit_feed_none, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->feed = VYRE_FEED_NONE) \
	X(unit_features, \
	  ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->features = (uint32_t)VYRE_HAS_ALL + 1) \
	X(unit_frames, \
	  (((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->features = VYRE_HAS_RECORDS, \
	   ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->frame_words = VYRE_BLOB_MAX_FRAME_WORDS + 1)) \
	X(unit_frames_no_records, \
	  (((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->features = VYRE_HAS_BUILTINS, \
	   ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->frame_words = 1)) \
	X(program_features, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))[1].features = VYRE_HAS_BUILTINS) \
	X(unit_workgroup, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->workgroup[1] = 0) \
	X(unit_buffers, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->buffer_count = 10) \
	X(unit_buffers_wrap, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->first_buffer = UINT32_MAX) \
	X(unit_buffers_shared, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))[1].first_buffer = 6) \
	X(unit_ops, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->op_count = 7) \
	X(unit_ops_wrap, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->first_op = UINT32_MAX - 2) \
	X(unit_same_name, ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))[1].name = \
			      ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))[0].name) \
	X(buffer_name, ((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[2].name = UINT32_MAX) \
	X(buffer_class, ((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[2].class_ = 0) \
	X(buffer_element, ((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[2].element = 13) \
	X(buffer_count, ((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[2].count = UINT64_MAX) \
	X(buffer_binding, ((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[2].binding = 7) \
	X(buffer_binding_twice, ((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[2].binding = 1) \
	X(buffer_same_name, ((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[2].name = \
				((struct vyre_blob_buffer *)rows(bytes, VYRE_BLOB_BUFFERS))[1].name) \
	X(op_name, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].name = UINT32_MAX) \
	X(op_unsorted, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].opcode = 0x101) \
	X(op_system, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[5].opcode = 0xFFFE) \
	X(op_args, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].arg_count = 13) \
	X(op_args_wrap, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].first_arg = UINT32_MAX) \
	X(op_results, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].result_mask = 1u << 12) \
	X(op_granularity, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].granularity = 3) \
	X(arg_name, ((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].name = UINT32_MAX) \
	X(arg_word, ((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].word = 12) \
	X(arg_word_huge, ((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].word = UINT32_MAX) \
	X(arg_overlap, ((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].word = 1) \
	X(arg_wide, (((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].word = 11, \
		     ((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].element = VYRE_ELEMENT_U64)) \
	X(arg_element, ((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].element = 0) \
	X(slice_unit, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].unit = 2) \
	X(slice_format, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].format = 4) \
	X(slice_lanes, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].lanes[1] = 0) \
	X(slice_flags, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].flags = 2) \
	X(slice_entry_name, (((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].format = VYRE_FORMAT_PTX, \
			     ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].entry = 1 << 30)) \
	X(unit_workgroup_product, (((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->workgroup[0] = 32, \
				   ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->workgroup[2] = 33)) \
	X(unit_workgroup_wraps, (((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->workgroup[0] = 1u << 31, \
				 ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->workgroup[1] = 1u << 31, \
				 ((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->workgroup[2] = 4)) \
	X(op_width, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].width = 32) \
	X(op_width_huge, (((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].granularity = VYRE_BY_WORKGROUP, \
			  ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].width = 1025)) \
	X(op_reserved, ((struct vyre_blob_op *)rows(bytes, VYRE_BLOB_OPS))[1].reserved = 1) \
	X(arg_reserved, ((struct vyre_blob_arg *)rows(bytes, VYRE_BLOB_ARGS))[0].reserved = 1) \
	X(slice_reserved, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].reserved = 1) \
	X(native_lanes, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].lanes[0] = 32) \
	X(native_registers, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].registers = 1) \
	X(native_spills, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].spill_bytes = 1) \
	X(native_mailbox, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].flags = VYRE_SLICE_MAILBOX) \
	X(gpu_lanes, (turn(bytes, 1, VYRE_FORMAT_PTX, VYRE_TARGET_SM_90, 0), \
		      ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[1].lanes[0] = 2)) \
	X(gpu_lanes_product, (turn(bytes, 0, VYRE_FORMAT_PTX, VYRE_TARGET_SM_90, VYRE_SLICE_MAILBOX), \
			      ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].lanes[0] = 1025)) \
	X(slice_section, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].section = 7) \
	X(slice_not_code, ((struct vyre_blob_slice *)rows(bytes, VYRE_BLOB_SLICES))[0].section = 0)

#define X(name, edit) \
	static void edit_##name(uint8_t *bytes) \
	{ \
		edit; \
	}
EDITS(X)
#undef X

static const struct edit {
	const char *name;
	void (*apply)(uint8_t *bytes);
} edits[] = {
#define X(name, edit) {#name, edit_##name},
    EDITS(X)
#undef X
};

static void every_wrong_field_is_refused(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		uint8_t *bytes = malloc(good_bytes);
		vyre_status status;

		memcpy(bytes, good, good_bytes);
		edits[i].apply(bytes);
		test_blob_redigest(bytes, good_bytes);
		status = open_bytes(bytes, good_bytes);
		if (status != (i == 0 ? VYRE_VERSION : VYRE_MALFORMED))
			fail_msg("%s: %s: %s", edits[i].name, vyre_status_name(status), vyre_last_error());
		assert_non_null(strstr(vyre_last_error(), ". Fix: "));
		free(bytes);
	}
}

/* A copy whose unit 0 is a set with these, opened. */
static vyre_status open_set(uint32_t feed, uint32_t features, uint32_t frame_words)
{
	uint8_t *bytes = malloc(good_bytes);
	struct vyre_blob_unit *unit;
	vyre_status status;

	memcpy(bytes, good, good_bytes);
	unit = (struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS);
	unit->feed = feed;
	unit->features = features;
	unit->frame_words = frame_words;
	test_blob_redigest(bytes, good_bytes);
	status = open_bytes(bytes, good_bytes);
	free(bytes);
	return status;
}

/* Which feature goes with which feed: what vyrec makes, and nothing else. */
static void features_go_with_feeds(void **state)
{
	enum { RECORDS = VYRE_HAS_RECORDS };
	static const struct {
		uint32_t feature, with;
		const char *feeds; /* by number, from SLOTS on */
	} table[] = {
	    {VYRE_HAS_BUILTINS, 0, "yyyyn"},	   {RECORDS, 0, "yyyyn"},
	    {VYRE_HAS_QUEUE, 0, "nnnnn"},	   {VYRE_HAS_QUEUE, RECORDS, "nynnn"},
	    {VYRE_HAS_SUSPEND, 0, "nnnnn"},	   {VYRE_HAS_SUSPEND, RECORDS, "yyyyn"},
	    {VYRE_HAS_SPAWN, 0, "nnnnn"},	   {VYRE_HAS_SPAWN, RECORDS, "nynyn"},
	    {VYRE_HAS_IO, RECORDS, "yyyyn"},	   {VYRE_HAS_SERVICE, 0, "ynyyn"},
	    {VYRE_HAS_FUSED, 0, "ynynn"},	   {VYRE_HAS_FUSED, VYRE_HAS_BUILTINS, "nnnnn"},
	    {VYRE_HAS_CONTROL_REPORT, 0, "yyyyy"}, {VYRE_HAS_ONCE, 0, "yyyyy"},
	};
	uint32_t seen = 0, i, feed;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		seen |= table[i].feature;
		for (feed = VYRE_FEED_NONE + 1; feed < VYRE_FEED_COUNT; feed++) {
			vyre_status status = open_set(feed, table[i].feature | table[i].with, 0);

			assert_int_equal(strlen(table[i].feeds), VYRE_FEED_COUNT - 1);
			if (status != (table[i].feeds[feed - 1] == 'y' ? VYRE_OK : VYRE_MALFORMED))
				fail_msg("feed %u, features 0x%x and 0x%x: %s", feed, table[i].feature, table[i].with,
					 vyre_status_name(status));
		}
	}
	assert_int_equal(seen, VYRE_HAS_ALL);
	assert_int_equal(open_set(VYRE_FEED_TASKS, VYRE_HAS_RECORDS, VYRE_BLOB_MAX_FRAME_WORDS), VYRE_OK);
	assert_int_equal(open_set(VYRE_FEED_LIVE,
				  VYRE_HAS_BUILTINS | VYRE_HAS_RECORDS | VYRE_HAS_QUEUE | VYRE_HAS_SUSPEND |
				      VYRE_HAS_SPAWN | VYRE_HAS_IO | VYRE_HAS_CONTROL_REPORT | VYRE_HAS_ONCE,
				  VYRE_BLOB_MAX_FRAME_WORDS),
			 VYRE_OK);
}

/* Every kind of unit, format, family of targets and flag: native code has no mailbox, live sets on GPUs have, nothing else
 * does. */
static void formats_go_with_units(void **state)
{
	static const uint32_t targets[] = {VYRE_TARGET_X86_64_V2, VYRE_TARGET_SM_75, VYRE_TARGET_SM_121, 4711};
	uint32_t feed, format, flags, t;

	(void)state;
	for (feed = VYRE_FEED_NONE; feed < VYRE_FEED_COUNT; feed++)
		for (format = VYRE_FORMAT_ELF; format <= VYRE_FORMAT_CUBIN; format++)
			for (flags = 0; flags <= VYRE_SLICE_MAILBOX; flags++)
				for (t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
					uint32_t unit = feed == VYRE_FEED_NONE; /* 1: the program */
					int is_native = format == VYRE_FORMAT_ELF;
					int is_known = targets[t] != 4711;
					int fits = !is_known || is_native == (targets[t] == VYRE_TARGET_X86_64_V2);
					int has = feed == VYRE_FEED_LIVE && !is_native;
					uint8_t *bytes = malloc(good_bytes);
					vyre_status status;

					memcpy(bytes, good, good_bytes);
					if (!unit)
						((struct vyre_blob_unit *)rows(bytes, VYRE_BLOB_UNITS))->feed = feed;
					turn(bytes, unit, format, targets[t], flags);
					test_blob_redigest(bytes, good_bytes);
					status = open_bytes(bytes, good_bytes);
					if (status !=
					    (fits && has == (flags == VYRE_SLICE_MAILBOX) ? VYRE_OK : VYRE_MALFORMED))
						fail_msg("feed %u, format %u, target %u, flags %u: %s", feed, format,
							 targets[t], flags, vyre_status_name(status));
					free(bytes);
				}
}

static void unknown_sections_are_ignored(void **state)
{
	struct test_blob blob = {0};
	struct vyre_blob_header *header = (struct vyre_blob_header *)good;
	struct vyre_blob_section *table = (struct vyre_blob_section *)(header + 1);
	uint64_t size;
	uint8_t *bytes;
	uint32_t i;

	(void)state;
	for (i = 0; i < header->section_count; i++)
		test_blob_section(&blob, table[i].kind, good + table[i].offset, table[i].bytes);
	test_blob_section(&blob, 4711, "from the future", 15);
	test_blob_section(&blob, VYRE_BLOB_PROVENANCE, "compiler=test\n", 14);
	bytes = test_blob_build(&blob, &size);
	assert_int_equal(open_bytes(bytes, size), VYRE_OK);
	section(bytes, 4711)->digest[0] ^= 1;
	assert_int_equal(open_bytes(bytes, size), VYRE_MALFORMED);
	free(bytes);
}

/* A table may be as long as the format says and still be read, and explained, in no time. */
static void tables_that_cost_hours_are_refused(void **state)
{
	enum { STRINGS = 1 << 20, BUFFERS = VYRE_BLOB_MAX_UNIT_BUFFERS };
	static char strings[STRINGS];
	static struct vyre_blob_buffer buffers[BUFFERS];
	static struct vyre_blob_slice slices[VYRE_BLOB_MAX_ROWS];
	struct vyre_blob_unit unit = {
	    .name = STRINGS - 2, .kind = VYRE_UNIT_PROGRAM, .workgroup = {1, 1, 1}, .buffer_count = BUFFERS};
	struct test_blob blob = {0};
	uint64_t size;
	uint8_t *bytes;
	uint32_t i;

	(void)state;
	memset(strings + 1, 'a', STRINGS - 2);
	for (i = 0; i < BUFFERS; i++)
		buffers[i] = (struct vyre_blob_buffer){.name = STRINGS - 2 - VYRE_BLOB_MAX_NAME_BYTES + 1 + i,
						       .binding = i,
						       .class_ = VYRE_CLASS_PLAIN,
						       .element = VYRE_ELEMENT_U32};
	test_blob_section(&blob, VYRE_BLOB_STRINGS, strings, STRINGS);
	test_blob_section(&blob, VYRE_BLOB_UNITS, &unit, sizeof(unit));
	test_blob_section(&blob, VYRE_BLOB_BUFFERS, buffers, sizeof(buffers));
	test_blob_section(&blob, VYRE_BLOB_OPS, NULL, 0);
	test_blob_section(&blob, VYRE_BLOB_ARGS, NULL, 0);
	test_blob_section(&blob, VYRE_BLOB_SLICES, slices, VYRE_BLOB_MAX_UNIT_SLICES * sizeof(slices[0]));
	test_blob_section(&blob, VYRE_BLOB_CODE, "code", 4);
	for (i = 0; i < VYRE_BLOB_MAX_ROWS; i++)
		slices[i] = (struct vyre_blob_slice){.format = VYRE_FORMAT_ELF, .section = 6, .lanes = {1, 1, 1}};
	bytes = test_blob_build(&blob, &size);
	assert_int_equal(open_bytes(bytes, size), VYRE_OK);
	free(bytes);
	/* One byte longer: with megabytes of them the comparison of all pairs would not end. */
	buffers[0].name = STRINGS - 2 - VYRE_BLOB_MAX_NAME_BYTES;
	bytes = test_blob_build(&blob, &size);
	assert_int_equal(open_bytes(bytes, size), VYRE_MALFORMED);
	free(bytes);
	buffers[0].name = STRINGS - 2 - VYRE_BLOB_MAX_NAME_BYTES + 1;
	unit.name = 1;
	bytes = test_blob_build(&blob, &size);
	assert_int_equal(open_bytes(bytes, size), VYRE_MALFORMED);
	free(bytes);
	/* The choice of a slice looks at all of a unit's, the explanation at all pairs. */
	unit.name = STRINGS - 2;
	blob.sections[5].size = sizeof(slices);
	bytes = test_blob_build(&blob, &size);
	assert_int_equal(open_bytes(bytes, size), VYRE_MALFORMED);
	assert_non_null(strstr(vyre_last_error(), "more than 64 slices"));
	free(bytes);
}

/* A pipe that nobody writes to: an error at once. */
static void a_pipe_does_not_block(void **state)
{
	char path[] = "blob_test_pipe_XXXXXX";
	struct vyre_blob *blob = (void *)1;

	(void)state;
	assert_int_equal(close(mkstemp(path)), 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(20); /* instead of a hang */
	assert_int_equal(vyre_blob_open_file(path, &blob), VYRE_IO);
	alarm(0);
	assert_null(blob);
	unlink(path);
}

static void files(void **state)
{
	char path[] = "blob_test_XXXXXX";
	struct vyre_blob *blob = (void *)1;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(vyre_blob_open_file("no/such/file", &blob), VYRE_IO);
	assert_null(blob);
	assert_int_equal(vyre_blob_open_file("/", &blob), VYRE_IO);
	assert_int_equal(vyre_blob_open_file(path, &blob), VYRE_MALFORMED); /* empty */
	assert_int_equal(write(fd, good, good_bytes), good_bytes);
	assert_int_equal(vyre_blob_open_file(path, &blob), VYRE_OK);
	vyre_blob_close(blob);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(vyre_blob_open_file(path, &blob), VYRE_MALFORMED);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digests),
	    cmocka_unit_test(a_good_blob),
	    cmocka_unit_test(every_truncation_is_refused),
	    cmocka_unit_test(every_byte_counts),
	    cmocka_unit_test(every_wrong_field_is_refused),
	    cmocka_unit_test(unknown_sections_are_ignored),
	    cmocka_unit_test(features_go_with_feeds),
	    cmocka_unit_test(formats_go_with_units),
	    cmocka_unit_test(tables_that_cost_hours_are_refused),
	    cmocka_unit_test(a_pipe_does_not_block),
	    cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, make_good, free_good);
}
