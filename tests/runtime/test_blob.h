/* test_blob.h - blobs for tests: rows in, the bytes of a .vyb out, nothing checked. */
#ifndef TEST_BLOB_H
#define TEST_BLOB_H
#include <stddef.h>
#include <stdint.h>

#include "vyre.h"

enum { TEST_BLOB_SECTIONS = 16, TEST_BLOB_ROWS = 32, TEST_BLOB_STRINGS = 2048 };

/* Sections in the order of the file; their bytes are copied by test_blob_build. */
struct test_blob {
	struct {
		uint32_t kind;
		const void *bytes;
		uint64_t size;
	} sections[TEST_BLOB_SECTIONS];
	uint32_t section_count;
	/* rows that the helpers below fill; the sections above may point into them */
	char strings[TEST_BLOB_STRINGS];
	uint32_t string_bytes;
	struct vyre_blob_unit units[TEST_BLOB_ROWS];
	struct vyre_blob_buffer buffers[TEST_BLOB_ROWS];
	struct vyre_blob_op ops[TEST_BLOB_ROWS];
	struct vyre_blob_arg args[TEST_BLOB_ROWS];
	struct vyre_blob_slice slices[TEST_BLOB_ROWS];
	uint32_t unit_count, buffer_count, op_count, arg_count, slice_count;
};

uint32_t test_blob_string(struct test_blob *blob, const char *text);
/* A buffer of u32, the next of a unit's. */
void test_blob_buffer(struct test_blob *blob, const char *name, uint32_t binding, uint32_t class_, uint64_t count);
/* A native slice for x86-64-v2 in a section. */
void test_blob_slice(struct test_blob *blob, uint32_t unit, uint32_t section, uint64_t entry);
/* The sections 0 .. 5: all that was added so far. */
void test_blob_tables(struct test_blob *blob);
void test_blob_section(struct test_blob *blob, uint32_t kind, const void *bytes, uint64_t size);
/* A file in malloc'ed memory, with every digest right. */
uint8_t *test_blob_build(const struct test_blob *blob, uint64_t *size);
/* Makes every digest of a file right again after its bytes were changed; does nothing where the framing is broken. */
void test_blob_redigest(uint8_t *bytes, uint64_t size);

/* The blob of the reference kernel: set "reference" with the ops and buffers of reference_kernel.h, feed live, whose
 * slice starts at the symbol `entry` (NULL = reference_entry), and program "grid". Targets: x86-64-v2. */
uint8_t *test_blob_reference(const char *entry, uint64_t *size);
/* The same with features (VYRE_HAS_*), frames, the buffers that go with them (VYRE_HAS_RECORDS, VYRE_HAS_QUEUE), and the
 * op REFERENCE_OP_WINDOW. */
uint8_t *test_blob_features(const char *entry, uint32_t features, uint32_t frame_words, uint64_t *size);
/* The image's bytes, malloc'ed. */
uint8_t *test_blob_image(uint64_t *size);
/* A file of at most a megabyte, malloc'ed. */
uint8_t *test_blob_read(const char *path, uint64_t *size);
/* Virtual address of a symbol of an ELF image; 0 = none. */
uint64_t test_blob_symbol(const uint8_t *image, uint64_t size, const char *name);

#endif
