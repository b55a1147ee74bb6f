/* cuda_blob.c - writes the blob of native_kernel.c, right or with text that is none. */
#include "cuda_blob.h"

#include <stdlib.h>
#include <string.h>

#include "native_kernel.h"
#include "standin_blob.h"
#include "test_blob.h"

static void add_units(struct test_blob *blob, uint32_t data_class)
{
	test_blob_buffer(blob, "gate", WORK_GATE, VYRE_CLASS_LIVE, GATE_WORDS);
	test_blob_buffer(blob, "data", WORK_DATA, data_class, 0);
	test_blob_buffer(blob, "table", WORK_TABLE, VYRE_CLASS_CONST, 1);
	blob->units[blob->unit_count++] = (struct vyre_blob_unit){
	    .name = test_blob_string(blob, "work"),
	    .kind = VYRE_UNIT_PROGRAM,
	    .workgroup = {1, 1, 1},
	    .buffer_count = WORK_BUFFERS,
	};
	test_blob_buffer(blob, "control", 0, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "ring_buffer", 1, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "debug_log", 2, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "io_queue", 3, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "launch", 4, VYRE_CLASS_PLAIN, 0);
	test_blob_buffer(blob, "data", TOGETHER_DATA, VYRE_CLASS_PLAIN, 0);
	blob->units[blob->unit_count++] = (struct vyre_blob_unit){
	    .name = test_blob_string(blob, "together"),
	    .kind = VYRE_UNIT_SET,
	    .feed = VYRE_FEED_SLOTS,
	    .workgroup = {1, 1, 1},
	    .first_buffer = WORK_BUFFERS,
	    .buffer_count = TOGETHER_BUFFERS,
	};
}

uint8_t *cuda_blob_native(uint32_t data_class, const char *ptx, uint64_t *size)
{
	enum { CODE_SECTION = 6 };
	struct test_blob *blob = calloc(1, sizeof(*blob));
	uint64_t image_bytes;
	uint8_t *image = test_blob_read(VYRE_NATIVE_IMAGE, &image_bytes), *file;

	if (!blob)
		abort();
	add_units(blob, data_class);
	test_blob_slice(blob, 0, CODE_SECTION, test_blob_symbol(image, image_bytes, "work_entry"));
	test_blob_slice(blob, 1, CODE_SECTION, test_blob_symbol(image, image_bytes, "together_entry"));
	if (ptx) {
		test_blob_slice(blob, 0, CODE_SECTION + 1, test_blob_string(blob, "vyre_work"));
		blob->slices[2].target = VYRE_TARGET_SM_75;
		blob->slices[2].format = VYRE_FORMAT_PTX;
	}
	test_blob_tables(blob);
	test_blob_section(blob, VYRE_BLOB_CODE, image, image_bytes);
	if (ptx)
		test_blob_section(blob, VYRE_BLOB_CODE, ptx, strlen(ptx));
	file = test_blob_build(blob, size);
	free(image);
	free(blob);
	return file;
}

uint8_t *cuda_blob(uint32_t target, uint32_t data_class, const char *ptx, int keep, uint64_t *size)
{
	uint64_t native_bytes;
	uint8_t *native = cuda_blob_native(data_class, ptx, &native_bytes);
	uint8_t *bytes = standin_blob(native, native_bytes, target, keep, size);

	free(native);
	return bytes;
}
