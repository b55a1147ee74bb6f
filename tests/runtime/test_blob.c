/* test_blob.c - writes .vyb files for tests, right or wrong.
 *
 * In: rows and sections. Out: the bytes of a file. Nothing is checked, so that a test can write any mistake; only the
 * digests are always right, because a wrong digest would hide every other mistake behind itself.
 */
#include "test_blob.h"

#include <elf.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference_kernel.h"

uint32_t test_blob_string(struct test_blob *blob, const char *text)
{
	uint32_t offset;

	if (blob->string_bytes == 0)
		blob->string_bytes = 1; /* "" at 0 */
	offset = blob->string_bytes;
	if (offset + strlen(text) + 1 > TEST_BLOB_STRINGS)
		abort();
	strcpy(blob->strings + offset, text);
	blob->string_bytes += (uint32_t)strlen(text) + 1;
	return offset;
}

void test_blob_section(struct test_blob *blob, uint32_t kind, const void *bytes, uint64_t size)
{
	if (blob->section_count == TEST_BLOB_SECTIONS)
		abort();
	blob->sections[blob->section_count].kind = kind;
	blob->sections[blob->section_count].bytes = bytes;
	blob->sections[blob->section_count++].size = size;
}

static uint64_t align(uint64_t offset)
{
	return (offset + VYRE_BLOB_ALIGN - 1) / VYRE_BLOB_ALIGN * VYRE_BLOB_ALIGN;
}

uint8_t *test_blob_build(const struct test_blob *blob, uint64_t *size)
{
	struct vyre_blob_section *table;
	struct vyre_blob_header header = {.magic = VYRE_BLOB_MAGIC, .version = VYRE_BLOB_VERSION};
	uint64_t offset = sizeof(header) + blob->section_count * sizeof(*table);
	uint8_t *bytes;
	uint32_t i;

	*size = offset;
	for (i = 0; i < blob->section_count; i++)
		*size = align(*size) + blob->sections[i].size;
	bytes = calloc(1, *size);
	if (!bytes)
		abort();
	table = (struct vyre_blob_section *)(bytes + sizeof(header));
	for (i = 0; i < blob->section_count; i++) {
		offset = align(offset);
		table[i].kind = blob->sections[i].kind;
		table[i].offset = offset;
		table[i].bytes = blob->sections[i].size;
		if (table[i].bytes)
			memcpy(bytes + offset, blob->sections[i].bytes, table[i].bytes);
		offset += table[i].bytes;
	}
	header.file_bytes = *size;
	header.section_count = blob->section_count;
	memcpy(bytes, &header, sizeof(header));
	test_blob_redigest(bytes, *size);
	return bytes;
}

static void digest(uint8_t out[VYRE_BLOB_DIGEST_BYTES], const uint8_t *bytes, uint64_t size)
{
	crypto_generichash_blake2b(out, VYRE_BLOB_DIGEST_BYTES, bytes, size, NULL, 0);
}

void test_blob_redigest(uint8_t *bytes, uint64_t size)
{
	struct vyre_blob_header header;
	uint64_t table_bytes, i;

	if (size < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	table_bytes = (uint64_t)header.section_count * sizeof(struct vyre_blob_section);
	if (table_bytes > size - sizeof(header))
		return;
	for (i = 0; i < header.section_count; i++) {
		uint8_t *row = bytes + sizeof(header) + i * sizeof(struct vyre_blob_section);
		struct vyre_blob_section section;

		memcpy(&section, row, sizeof(section));
		if (section.offset > size || section.bytes > size - section.offset)
			continue;
		digest(section.digest, bytes + section.offset, section.bytes);
		memcpy(row, &section, sizeof(section));
	}
	digest(header.table_digest, bytes + sizeof(header), table_bytes);
	memcpy(bytes, &header, sizeof(header));
}

uint8_t *test_blob_read(const char *path, uint64_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(1 << 20);

	if (!file || !bytes)
		abort();
	*size = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return bytes;
}

uint8_t *test_blob_image(uint64_t *size)
{
	return test_blob_read(VYRE_REFERENCE_IMAGE, size);
}

uint64_t test_blob_symbol(const uint8_t *image, uint64_t size, const char *name)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(image + header->e_shoff);
	uint32_t i, j;

	(void)size;
	for (i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *symbols = (const Elf64_Sym *)(image + sections[i].sh_offset);
		const char *strings;

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		strings = (const char *)image + sections[sections[i].sh_link].sh_offset;
		for (j = 0; j < sections[i].sh_size / sizeof(*symbols); j++)
			if (strcmp(strings + symbols[j].st_name, name) == 0)
				return symbols[j].st_value;
	}
	return 0;
}

void test_blob_buffer(struct test_blob *blob, const char *name, uint32_t binding, uint32_t class_, uint64_t count)
{
	blob->buffers[blob->buffer_count++] = (struct vyre_blob_buffer){
	    .name = test_blob_string(blob, name),
	    .binding = binding,
	    .class_ = class_,
	    .element = VYRE_ELEMENT_U32,
	    .count = count,
	    .readback_bytes = UINT32_MAX,
	};
}

static void add_op(struct test_blob *blob, const char *name, uint32_t opcode, uint32_t args, uint32_t results)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	uint32_t i;

	blob->ops[blob->op_count++] = (struct vyre_blob_op){
	    .name = test_blob_string(blob, name),
	    .opcode = opcode,
	    .first_arg = blob->arg_count,
	    .arg_count = args,
	    .granularity = VYRE_BY_LANE,
	    .result_mask = results,
	};
	for (i = 0; i < args; i++)
		blob->args[blob->arg_count++] = (struct vyre_blob_arg){
		    .name = test_blob_string(blob, names[i]), .element = VYRE_ELEMENT_U32, .word = i};
}

void test_blob_slice(struct test_blob *blob, uint32_t unit, uint32_t section, uint64_t entry)
{
	blob->slices[blob->slice_count++] = (struct vyre_blob_slice){
	    .unit = unit,
	    .target = VYRE_TARGET_X86_64_V2,
	    .format = VYRE_FORMAT_ELF,
	    .lanes = {1, 1, 1},
	    .section = section,
	    .entry = entry,
	    .stack_bytes = 4096,
	};
}

void test_blob_tables(struct test_blob *blob)
{
	test_blob_section(blob, VYRE_BLOB_STRINGS, blob->strings, blob->string_bytes);
	test_blob_section(blob, VYRE_BLOB_UNITS, blob->units, blob->unit_count * sizeof(blob->units[0]));
	test_blob_section(blob, VYRE_BLOB_BUFFERS, blob->buffers, blob->buffer_count * sizeof(blob->buffers[0]));
	test_blob_section(blob, VYRE_BLOB_OPS, blob->ops, blob->op_count * sizeof(blob->ops[0]));
	test_blob_section(blob, VYRE_BLOB_ARGS, blob->args, blob->arg_count * sizeof(blob->args[0]));
	test_blob_section(blob, VYRE_BLOB_SLICES, blob->slices, blob->slice_count * sizeof(blob->slices[0]));
}

uint8_t *test_blob_reference(const char *entry, uint64_t *size)
{
	return test_blob_features(entry, 0, 0, size);
}

static void add_set_buffers(struct test_blob *blob, uint32_t features)
{
	uint32_t binding = REFERENCE_GATE + 1;

	test_blob_buffer(blob, "control", 0, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "ring_buffer", 1, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "debug_log", 2, VYRE_CLASS_LIVE, VYRE_DEBUG_WORDS);
	test_blob_buffer(blob, "io_queue", 3, VYRE_CLASS_LIVE, VYRE_IO_WORDS);
	test_blob_buffer(blob, "launch", 4, VYRE_CLASS_PLAIN, VYRE_LAUNCH_WORDS);
	if (features & VYRE_HAS_RECORDS)
		test_blob_buffer(blob, "frames", binding++, VYRE_CLASS_LIVE, 0);
	if (features & VYRE_HAS_QUEUE)
		test_blob_buffer(blob, "queue", binding, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "marks", REFERENCE_MARKS, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "gate", REFERENCE_GATE, VYRE_CLASS_LIVE, 4);
}

uint8_t *test_blob_features(const char *entry, uint32_t features, uint32_t frame_words, uint64_t *size)
{
	enum { CODE_SECTION = 6 };
	struct test_blob *blob = calloc(1, sizeof(*blob));
	uint64_t image_bytes;
	uint8_t *image = test_blob_image(&image_bytes), *file;

	if (!blob)
		abort();
	add_set_buffers(blob, features);
	add_op(blob, "nothing", REFERENCE_OP_NOTHING, 0, 0);
	add_op(blob, "add", REFERENCE_OP_ADD, 2, 1);
	add_op(blob, "mark", REFERENCE_OP_MARK, 1, 0);
	add_op(blob, "block", REFERENCE_OP_BLOCK, 1, 0);
	add_op(blob, "trap", REFERENCE_OP_TRAP, 1, 0);
	add_op(blob, "log", REFERENCE_OP_LOG, 3, 0);
	if (features & VYRE_HAS_IO)
		add_op(blob, "load", REFERENCE_OP_LOAD, 5, 0);
	if (features)
		add_op(blob, "window", REFERENCE_OP_WINDOW, 0, 0);
	blob->units[blob->unit_count++] = (struct vyre_blob_unit){
	    .name = test_blob_string(blob, "reference"),
	    .kind = VYRE_UNIT_SET,
	    .feed = VYRE_FEED_LIVE,
	    .workgroup = {1, 1, 1},
	    .buffer_count = blob->buffer_count,
	    .op_count = blob->op_count,
	    .features = features,
	    .frame_words = frame_words,
	};
	test_blob_buffer(blob, "marks", 0, VYRE_CLASS_LIVE, 0);
	test_blob_buffer(blob, "gate", 1, VYRE_CLASS_LIVE, 1);
	blob->units[blob->unit_count++] = (struct vyre_blob_unit){
	    .name = test_blob_string(blob, "grid"),
	    .kind = VYRE_UNIT_PROGRAM,
	    .workgroup = {1, 1, 1},
	    .first_buffer = blob->buffer_count - 2,
	    .buffer_count = 2,
	    .first_op = blob->op_count,
	};
	test_blob_slice(blob, 0, CODE_SECTION, test_blob_symbol(image, image_bytes, entry ? entry : "reference_entry"));
	test_blob_slice(blob, 1, CODE_SECTION, test_blob_symbol(image, image_bytes, "grid_entry"));
	test_blob_tables(blob);
	test_blob_section(blob, VYRE_BLOB_CODE, image, image_bytes);
	file = test_blob_build(blob, size);
	free(image);
	free(blob);
	return file;
}
