/* elf.c - what is true of a linked image: the promises of runtime/abi/cpu.h, addresses, stack sizes.
 *
 * Enters: the bytes that lld wrote. Leaves: yes or no with a reason, and numbers. Invariant: every offset is checked
 * before use; lld is trusted to be right, but not to be bug-free, and the loader will check the same things again.
 *
 * Why not LLVM's object reader: it knows sections, and what the loader sees are segments and dynamic entries.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "codegen/llvm.h"

struct image {
	const uint8_t *bytes;
	size_t size;
	Elf64_Ehdr header;
};

static bool read_at(const struct image *image, uint64_t offset, void *to, size_t bytes)
{
	if (offset > image->size || bytes > image->size - offset)
		return false;
	memcpy(to, image->bytes + offset, bytes);
	return true;
}

static bool open_image(struct image *image, const uint8_t *bytes, size_t size)
{
	*image = (struct image){.bytes = bytes, .size = size};
	return read_at(image, 0, &image->header, sizeof image->header) &&
	       !memcmp(image->header.e_ident, ELFMAG, SELFMAG) && image->header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       image->header.e_phentsize == sizeof(Elf64_Phdr) && image->header.e_shentsize == sizeof(Elf64_Shdr);
}

static bool find_section(const struct image *image, uint32_t type, const char *name, Elf64_Shdr *out)
{
	Elf64_Shdr names;
	if (!read_at(image, image->header.e_shoff + image->header.e_shstrndx * sizeof names, &names, sizeof names))
		return false;
	for (unsigned i = 0; i < image->header.e_shnum; i++) {
		char found[32] = "";
		if (!read_at(image, image->header.e_shoff + i * sizeof *out, out, sizeof *out))
			return false;
		if (name) {
			size_t room = strlen(name) + 1;
			if (room > sizeof found || !read_at(image, names.sh_offset + out->sh_name, found, room) ||
			    memcmp(found, name, room))
				continue;
		}
		if (out->sh_type == type && out->sh_offset <= image->size &&
		    out->sh_size <= image->size - out->sh_offset)
			return true;
	}
	return false;
}

/* ---- promises -------------------------------------------------------------------------------------------------------- */

/* Entries of the dynamic table that would mean work or code before the first call. */
static const struct {
	int64_t tag;
	const char *what;
} forbidden[] = {
    {DT_RELA, "dynamic relocations (DT_RELA)"},		 {DT_REL, "dynamic relocations (DT_REL)"},
    {36 /* DT_RELR */, "dynamic relocations (DT_RELR)"}, {DT_JMPREL, "imported functions (DT_JMPREL)"},
    {DT_NEEDED, "a needed library (DT_NEEDED)"},	 {DT_INIT, "a constructor (DT_INIT)"},
    {DT_INIT_ARRAY, "constructors (DT_INIT_ARRAY)"},	 {DT_FINI, "a destructor (DT_FINI)"},
    {DT_FINI_ARRAY, "destructors (DT_FINI_ARRAY)"},	 {DT_TEXTREL, "relocations of code (DT_TEXTREL)"},
};

static const char *dynamic_fault(const struct image *image, const Elf64_Phdr *segment)
{
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment->p_filesz; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		if (!read_at(image, segment->p_offset + at, &entry, sizeof entry))
			return "a dynamic table that is cut off";
		for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
			if (entry.d_tag == forbidden[i].tag)
				return forbidden[i].what;
		if (entry.d_tag == DT_NULL)
			break;
	}
	return NULL;
}

bool vyrec_elf_check(const uint8_t *bytes, size_t size, char *message, size_t message_bytes)
{
	struct image image;
	const char *fault = NULL;
	if (!open_image(&image, bytes, size))
		fault = "no ELF header";
	for (unsigned i = 0; !fault && i < image.header.e_phnum; i++) {
		Elf64_Phdr segment;
		if (!read_at(&image, image.header.e_phoff + i * sizeof segment, &segment, sizeof segment))
			fault = "a program header that is cut off";
		else if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W))
			fault = "a writable segment";
		else if (segment.p_type == PT_TLS)
			fault = "thread-local data";
		else if (segment.p_type == PT_INTERP)
			fault = "an interpreter";
		else if (segment.p_type == PT_DYNAMIC)
			fault = dynamic_fault(&image, &segment);
	}
	if (fault)
		snprintf(message, message_bytes, "the linked image has %s, which the loader refuses", fault);
	return !fault;
}

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

uint64_t vyrec_elf_symbol(const uint8_t *bytes, size_t size, const char *name)
{
	struct image image;
	Elf64_Shdr symbols, strings;
	if (!open_image(&image, bytes, size) || !find_section(&image, SHT_DYNSYM, NULL, &symbols) ||
	    !read_at(&image, image.header.e_shoff + symbols.sh_link * sizeof strings, &strings, sizeof strings))
		return 0;
	for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols.sh_size; at += sizeof(Elf64_Sym)) {
		Elf64_Sym symbol;
		uint64_t text;
		if (!read_at(&image, symbols.sh_offset + at, &symbol, sizeof symbol))
			return 0;
		text = strings.sh_offset + symbol.st_name;
		if (text < size && strlen(name) < size - text && !memcmp(bytes + text, name, strlen(name) + 1))
			return symbol.st_value;
	}
	return 0;
}

/* The next row of .stack_sizes: a function's address (8 bytes) and its frame (ULEB128). */
static bool next_frame(const uint8_t *rows, uint64_t bytes, uint64_t *at, uint64_t *function, uint64_t *frame)
{
	unsigned shift = 0;
	uint8_t byte = 0x80;
	*frame = 0;
	if (bytes - *at < 9)
		return false;
	memcpy(function, rows + *at, 8);
	for (*at += 8; *at < bytes && (byte & 0x80); shift += 7) {
		byte = rows[(*at)++];
		*frame |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
	}
	return true;
}

void vyrec_elf_stacks(const uint8_t *bytes, size_t size, const uint64_t *entries, uint32_t count, uint32_t *stacks)
{
	struct image image;
	Elf64_Shdr section;
	uint64_t at = 0, function, frame;
	uint32_t helpers = 0;
	memset(stacks, 0, count * sizeof *stacks);
	if (!open_image(&image, bytes, size) || !find_section(&image, SHT_PROGBITS, ".stack_sizes", &section))
		return;
	while (next_frame(bytes + section.sh_offset, section.sh_size, &at, &function, &frame)) {
		uint32_t i = 0;
		while (i < count && entries[i] != function)
			i++;
		if (i < count)
			stacks[i] = (uint32_t)frame;
		else
			helpers += (uint32_t)frame;
	}
	for (uint32_t i = 0; i < count; i++)
		stacks[i] += helpers;
}
