/* blob_fuzz.c - arbitrary bytes into the blob reader and the mapper of native images.
 *
 * The input is opened as it is; then with every digest made right, so that a mutation reaches the checks behind them.
 * What opens is walked as a product would: every string, every op by name, the explanation, and the mapping of each
 * code section. Nothing of it is run.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "test_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void map_slices(const struct vyre_blob *blob, const struct vyre_blob_view *view)
{
	uint32_t i;

	for (i = 0; i < view->slice_count && i < 8; i++) {
		const struct vyre_blob_section *section = &view->sections[view->slices[i].section];
		struct vyre_image image;
		vyre_cpu_entry entry;

		if (vyre_elf_load(blob->bytes + section->offset, section->bytes, &image) != VYRE_OK)
			continue;
		(void)vyre_elf_entry(&image, view->slices[i].entry, &entry);
		vyre_elf_unload(&image);
	}
}

/* What devices rely on without a second look. */
static void check_slices(const struct vyre_blob *blob, const struct vyre_blob_view *view)
{
	uint32_t i;

	for (i = 0; i < view->slice_count; i++) {
		const struct vyre_blob_slice *slice = &view->slices[i];
		const struct vyre_blob_unit *unit = &view->units[slice->unit];
		int is_native = slice->format == VYRE_FORMAT_ELF;
		int has_mailbox = unit->feed == VYRE_FEED_LIVE && !is_native;
		uint64_t lanes = (uint64_t)slice->lanes[0] * slice->lanes[1] * slice->lanes[2];

		if (((slice->flags & VYRE_SLICE_MAILBOX) != 0) != has_mailbox || lanes == 0 || lanes > 1024 ||
		    (is_native && lanes != 1) || (!is_native && slice->entry >= blob->string_bytes))
			abort();
	}
}

static void walk(struct vyre_device *device, struct vyre_blob *blob)
{
	struct vyre_blob_view view;
	char text[256];
	size_t length = 0;
	uint32_t i;

	vyre_blob_get_view(blob, &view);
	for (i = 0; i < view.op_count; i++)
		length += strlen(vyre_blob_string(blob, view.ops[i].name));
	for (i = 0; i < view.unit_count; i++)
		(void)vyre_blob_find_op(blob, vyre_blob_string(blob, view.units[i].name), "mark");
	if (view.slice_count < 64)
		length += vyre_device_explain(device, blob, text, sizeof(text));
	(void)vyre_blob_verify(blob);
	check_slices(blob, &view);
	map_slices(blob, &view);
	if (length == SIZE_MAX)
		abort();
}

static void try(struct vyre_device *device, const uint8_t *bytes, size_t size)
{
	struct vyre_blob *blob;

	if (vyre_blob_open(bytes, size, &blob) != VYRE_OK)
		return;
	walk(device, blob);
	vyre_blob_close(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct vyre_device *device;
	struct vyre_blob_header header;
	uint8_t *copy;

	if (!device && vyre_device_open("cpu", &device) != VYRE_OK)
		abort();
	try(device, bytes, size);
	if (size < sizeof(header))
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, bytes, size);
	memcpy(&header, copy, sizeof(header));
	header.magic = VYRE_BLOB_MAGIC;
	header.version = VYRE_BLOB_VERSION;
	header.file_bytes = size;
	memcpy(copy, &header, sizeof(header));
	test_blob_redigest(copy, size);
	try(device, copy, size);
	free(copy);
	return 0;
}
