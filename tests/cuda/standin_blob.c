/* standin_blob.c - turns native slices into cubins for the stand-in.
 *
 * In: a blob that opens. Out: the same with a struct standin_image in front of the native code of its slices, whose entries
 * then have names, as a cubin's have; those of live sets have a mailbox.
 */
#include "standin_blob.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/mailbox.h"
#include "standin.h"
#include "test_blob.h"

struct writer {
	struct vyre_blob_view view;
	const uint8_t *bytes;
	char *strings;
	uint64_t string_bytes;
	struct vyre_blob_slice *slices;
	uint32_t slice_count;
	uint32_t native; /* the target whose slices are turned */
	uint32_t target;
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static uint32_t add_string(struct writer *w, const char *text)
{
	uint64_t at = w->string_bytes, length = strlen(text) + 1;

	w->strings = must(realloc(w->strings, at + length));
	memcpy(w->strings + at, text, length);
	w->string_bytes += length;
	return (uint32_t)at;
}

static uint32_t first_native(const struct vyre_blob_view *view)
{
	uint32_t i;

	for (i = 0; i < view->slice_count; i++)
		if (view->slices[i].format == VYRE_FORMAT_ELF)
			return view->slices[i].target;
	return 0;
}

static int is_turned(const struct writer *w, uint32_t i)
{
	return w->view.slices[i].format == VYRE_FORMAT_ELF && w->view.slices[i].target == w->native;
}

/* Native code that is turned is made as that of a GPU; only the flag that says so is not native code's. */
static int has_mailbox(const struct vyre_blob_unit *unit)
{
	return unit->kind == VYRE_UNIT_SET && unit->feed == VYRE_FEED_LIVE;
}

/* The image of a CODE section: an entry for each slice that is turned and lies in it. NULL: there is none. */
static struct standin_image *make_image(struct writer *w, uint32_t section, uint64_t *size)
{
	const struct vyre_blob_section *code = &w->view.sections[section];
	struct standin_image *image = must(calloc(1, sizeof(*image) + w->view.slice_count * sizeof(image->rows[0])));
	uint64_t head;
	uint32_t i;

	memcpy(image->magic, STANDIN_IMAGE_MAGIC, STANDIN_MAGIC_BYTES);
	image->capability = w->target;
	for (i = 0; i < w->view.slice_count; i++) {
		const struct vyre_blob_slice *slice = &w->view.slices[i];
		const struct vyre_blob_unit *unit = &w->view.units[slice->unit];
		struct standin_entry *row = &image->rows[image->entries];

		if (slice->section != section || !is_turned(w, i))
			continue;
		snprintf(row->name, sizeof(row->name), "unit_%u", slice->unit);
		row->address = slice->entry;
		row->buffers = unit->buffer_count + (has_mailbox(unit) ? VYRE_MAILBOX_BUFFERS : 0);
		row->lanes = 1;
		image->entries++;
	}
	head = sizeof(*image) + image->entries * sizeof(image->rows[0]);
	*size = head + code->bytes;
	if (!image->entries) {
		free(image);
		return NULL;
	}
	image = must(realloc(image, *size));
	memcpy((uint8_t *)image + head, w->bytes + code->offset, code->bytes);
	return image;
}

/* A slice for the turned code in section `to`. */
static void turn_slices(struct writer *w, uint32_t from, uint32_t to)
{
	uint32_t i;

	for (i = 0; i < w->view.slice_count; i++) {
		struct vyre_blob_slice slice = w->view.slices[i];
		char name[STANDIN_NAME_BYTES];

		if (slice.section != from || !is_turned(w, i))
			continue;
		snprintf(name, sizeof(name), "unit_%u", slice.unit);
		slice.section = to;
		slice.target = w->target;
		slice.format = VYRE_FORMAT_CUBIN;
		slice.flags = has_mailbox(&w->view.units[slice.unit]) ? VYRE_SLICE_MAILBOX : 0;
		slice.entry = add_string(w, name);
		w->slices[w->slice_count++] = slice;
	}
}

/* Those that stay as they are; 0 = none of this section does. */
static uint32_t keep_slices(struct writer *w, int keep, uint32_t from, uint32_t to)
{
	uint32_t i, count = 0;

	for (i = 0; i < w->view.slice_count; i++)
		if (w->view.slices[i].section == from && (keep || w->view.slices[i].format != VYRE_FORMAT_ELF)) {
			w->slices[w->slice_count] = w->view.slices[i];
			w->slices[w->slice_count++].section = to;
			count++;
		}
	return count;
}

uint8_t *standin_blob(const uint8_t *bytes, uint64_t size, uint32_t target, int keep, uint64_t *out_size)
{
	struct test_blob *out = must(calloc(1, sizeof(*out)));
	void *images[TEST_BLOB_SECTIONS] = {0};
	struct writer w = {.bytes = bytes, .target = target};
	uint32_t i, strings = 0, slices = 0;
	struct vyre_blob *blob;
	uint8_t *file;

	if (vyre_blob_open(bytes, size, &blob) != VYRE_OK)
		abort();
	vyre_blob_get_view(blob, &w.view);
	w.native = first_native(&w.view);
	w.slices = must(calloc(2 * w.view.slice_count, sizeof(*w.slices)));
	for (i = 0; i < w.view.section_count; i++) {
		const struct vyre_blob_section *section = &w.view.sections[i];
		uint64_t image_bytes;

		if (section->kind == VYRE_BLOB_STRINGS) {
			strings = out->section_count;
			w.string_bytes = section->bytes;
			w.strings = must(malloc(section->bytes));
			memcpy(w.strings, bytes + section->offset, section->bytes);
		}
		if (section->kind == VYRE_BLOB_SLICES)
			slices = out->section_count;
		if (section->kind != VYRE_BLOB_CODE) {
			test_blob_section(out, section->kind, bytes + section->offset, section->bytes);
			continue;
		}
		images[out->section_count] = make_image(&w, i, &image_bytes);
		if (images[out->section_count]) {
			turn_slices(&w, i, out->section_count);
			test_blob_section(out, VYRE_BLOB_CODE, images[out->section_count], image_bytes);
		}
		if (keep_slices(&w, keep, i, out->section_count))
			test_blob_section(out, VYRE_BLOB_CODE, bytes + section->offset, section->bytes);
	}
	out->sections[strings].bytes = w.strings;
	out->sections[strings].size = w.string_bytes;
	out->sections[slices].bytes = w.slices;
	out->sections[slices].size = w.slice_count * sizeof(*w.slices);
	file = test_blob_build(out, out_size);
	vyre_blob_close(blob);
	for (i = 0; i < TEST_BLOB_SECTIONS; i++)
		free(images[i]);
	free(w.strings);
	free(w.slices);
	free(out);
	return file;
}
