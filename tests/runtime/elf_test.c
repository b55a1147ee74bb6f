/* elf_test.c - the mapper of native images: what it maps, and each thing that it refuses. */
#include <elf.h>
#include <sys/mman.h>

#include "bench_rig.h"

static uint8_t *image;
static uint64_t image_bytes;

static int read_image(void **state)
{
	(void)state;
	image = test_blob_image(&image_bytes);
	return 0;
}

static int free_image(void **state)
{
	(void)state;
	free(image);
	return 0;
}

static Elf64_Ehdr *header(uint8_t *bytes)
{
	return (Elf64_Ehdr *)bytes;
}

static Elf64_Phdr *segment(uint8_t *bytes, uint32_t index)
{
	return (Elf64_Phdr *)(bytes + header(bytes)->e_phoff) + index;
}

static Elf64_Dyn *dynamic(uint8_t *bytes, uint32_t index)
{
	return (Elf64_Dyn *)(bytes + segment(bytes, 1)->p_offset) + index;
}

/* /proc/self/maps says how an address is mapped, "r-xp". */
static void read_protection(const void *address, char protection[5])
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	strcpy(protection, "none");
	while (fgets(line, sizeof(line), maps)) {
		unsigned long long first, end;
		char mode[5];

		if (sscanf(line, "%llx-%llx %4s", &first, &end, mode) == 3 && (uintptr_t)address >= first &&
		    (uintptr_t)address < end)
			strcpy(protection, mode);
	}
	fclose(maps);
}

static void maps_and_runs(void **state)
{
	struct vyre_image mapped;
	struct vyre_cpu_launch launch = {0};
	vyre_cpu_entry entry;
	char protection[5];
	uint64_t address = test_blob_symbol(image, image_bytes, "leaves_at_once_entry");

	(void)state;
	assert_int_equal(vyre_elf_load(image, image_bytes, &mapped), VYRE_OK);
	assert_int_equal(vyre_elf_entry(&mapped, address, &entry), VYRE_OK);
	entry(&launch);
	read_protection(mapped.base + (address - mapped.low), protection);
	assert_string_equal(protection, "r-xp");
	assert_int_equal(vyre_elf_entry(&mapped, 0, &entry), VYRE_MALFORMED);
	assert_null(entry);
	assert_int_equal(vyre_elf_entry(&mapped, UINT64_MAX, &entry), VYRE_MALFORMED);
	assert_int_equal(vyre_elf_entry(&mapped, mapped.low + mapped.bytes, &entry), VYRE_MALFORMED);
	vyre_elf_unload(&mapped);
	vyre_elf_unload(&mapped);
	assert_int_equal(vyre_mem_live(), 0);
}

#define EDITS(X) \
	X(magic, bytes[1] = 'F') \
	X(class_, bytes[EI_CLASS] = ELFCLASS32) \
	X(big_endian, bytes[EI_DATA] = ELFDATA2MSB) \
	X(executable, header(bytes)->e_type = ET_EXEC) \
	X(machine, header(bytes)->e_machine = EM_RISCV) \
	X(no_headers, header(bytes)->e_phnum = 0) \
	X(many_headers, header(bytes)->e_phnum = 65) \
	X(headers_outside, header(bytes)->e_phoff = UINT64_MAX - 8) \
	X(headers_past_end, header(bytes)->e_phoff = image_bytes - 8) \
	X(header_size, header(bytes)->e_phentsize = 32) \
	X(writable, segment(bytes, 0)->p_flags = PF_R | PF_W) \
	X(writable_executable, segment(bytes, 0)->p_flags |= PF_W) \
	X(no_load, segment(bytes, 0)->p_type = PT_NULL) \
	X(interpreter, segment(bytes, 1)->p_type = PT_INTERP) \
	X(thread_local, segment(bytes, 1)->p_type = PT_TLS) \
	X(overlap, *segment(bytes, 1) = *segment(bytes, 0)) \
	X(file_size, segment(bytes, 0)->p_filesz = UINT64_MAX) \
	X(memory_less, segment(bytes, 0)->p_memsz = segment(bytes, 0)->p_filesz - 1) \
	X(memory_huge, segment(bytes, 0)->p_memsz = (UINT64_C(256) << 20) + 1) \
	X(memory_wraps, segment(bytes, 0)->p_memsz = UINT64_MAX) \
	X(offset_outside, segment(bytes, 0)->p_offset = image_bytes) \
	X(offset_wraps, segment(bytes, 0)->p_offset = UINT64_MAX - 16) \
	X(address_wraps, segment(bytes, 0)->p_vaddr = UINT64_MAX - 16) \
	X(far_apart, (*segment(bytes, 1) = *segment(bytes, 0), segment(bytes, 1)->p_vaddr += UINT64_C(1) << 40)) \
	X(dynamic_outside, segment(bytes, 1)->p_offset = UINT64_MAX - 16) \
	X(needs_a_library, (dynamic(bytes, 0)->d_tag = DT_NEEDED)) \
	X(relocations, (dynamic(bytes, 0)->d_tag = DT_RELASZ, dynamic(bytes, 0)->d_un.d_val = 24)) \
	X(old_relocations, (dynamic(bytes, 0)->d_tag = DT_RELSZ, dynamic(bytes, 0)->d_un.d_val = 16)) \
	X(packed_relocations, (dynamic(bytes, 0)->d_tag = 35, dynamic(bytes, 0)->d_un.d_val = 8)) \
	X(lazy_calls, (dynamic(bytes, 0)->d_tag = DT_PLTRELSZ, dynamic(bytes, 0)->d_un.d_val = 24)) \
	X(text_relocations, dynamic(bytes, 0)->d_tag = DT_TEXTREL) \
	X(constructor, dynamic(bytes, 0)->d_tag = DT_INIT) \
	X(constructors, (dynamic(bytes, 0)->d_tag = DT_INIT_ARRAYSZ, dynamic(bytes, 0)->d_un.d_val = 8))

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

static void refuses(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		uint8_t *bytes = malloc(image_bytes);
		struct vyre_image mapped;

		memcpy(bytes, image, image_bytes);
		edits[i].apply(bytes);
		if (vyre_elf_load(bytes, image_bytes, &mapped) != VYRE_MALFORMED)
			fail_msg("%s was not refused", edits[i].name);
		assert_int_equal(vyre_mem_live(), 0);
		free(bytes);
	}
}

static void every_truncation(void **state)
{
	uint64_t size;

	(void)state;
	for (size = 0; size < image_bytes; size += 7) {
		uint8_t *bytes = malloc(size ? size : 1);
		struct vyre_image mapped;

		memcpy(bytes, image, size);
		if (vyre_elf_load(bytes, size, &mapped) == VYRE_OK)
			vyre_elf_unload(&mapped); /* the section headers at the end are not needed */
		else
			assert_true(size < segment(image, 0)->p_offset + segment(image, 0)->p_filesz);
		free(bytes);
	}
	assert_int_equal(vyre_mem_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(maps_and_runs),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(every_truncation),
	};

	return cmocka_run_group_tests(tests, read_image, free_image);
}
