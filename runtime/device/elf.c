/* elf.c - maps a native slice: one ELF image, believed in nothing.
 *
 * In: the bytes of an ELF64 file for this processor. Out: its segments in memory, code executable, nothing writable.
 * What vyrec writes needs no more than that: position-independent, no imports, no relocations, no constructors, no
 * writable data; an image that asks for any of these is refused with the reason. Invariant: memory is writable or
 * executable, never both; every offset is checked against the file, every address against the image.
 * Not dlopen: it would run what it finds, keep a file, resolve names, and believe the headers.
 */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"
#include "device.h"
#include "message.h"

#define BAD(...) vyre_fail(VYRE_MALFORMED, "compile the blob again with vyrec", __VA_ARGS__)

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_NONE };
#endif

enum { MAX_HEADERS = 64, MAX_SEGMENTS = 16 };
static const uint64_t max_span = UINT64_C(256) << 20;

struct segments {
	Elf64_Phdr load[MAX_SEGMENTS];
	uint32_t count;
	uint64_t low, end; /* page-aligned addresses */
};

static uint64_t page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static vyre_status check_header(const uint8_t *bytes, uint64_t size, Elf64_Ehdr *header)
{
	if (size < sizeof(*header))
		return BAD("an ELF image of %llu bytes has no header", (unsigned long long)size);
	memcpy(header, bytes, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_ident[EI_VERSION] != EV_CURRENT)
		return BAD("the code section is not a little-endian ELF64 image");
	if (header->e_type != ET_DYN || header->e_machine != MACHINE)
		return BAD("an ELF image of type %u for machine %u; type %u for machine %u can be mapped",
			   header->e_type, header->e_machine, ET_DYN, MACHINE);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 || header->e_phnum > MAX_HEADERS ||
	    header->e_phoff > size || (uint64_t)header->e_phnum * sizeof(Elf64_Phdr) > size - header->e_phoff)
		return BAD("%u program headers of %u bytes at %llu do not fit", header->e_phnum, header->e_phentsize,
			   (unsigned long long)header->e_phoff);
	return VYRE_OK;
}

/* An entry of the dynamic section that asks for work at load time: more than we do for anybody. */
static const char *dynamic_demand(const Elf64_Dyn *entry)
{
	switch (entry->d_tag) {
	case DT_NEEDED:
		return "an imported library";
	case DT_RELASZ:
	case DT_RELSZ:
	case DT_PLTRELSZ:
	case 35: /* DT_RELRSZ, not in every <elf.h> */
		return entry->d_un.d_val ? "relocations" : NULL;
	case DT_TEXTREL:
		return "relocations in its code";
	case DT_INIT:
	case DT_FINI:
		return "a constructor or destructor";
	case DT_INIT_ARRAYSZ:
	case DT_FINI_ARRAYSZ:
	case DT_PREINIT_ARRAYSZ:
		return entry->d_un.d_val ? "a constructor or destructor" : NULL;
	default:
		return NULL;
	}
}

static vyre_status check_dynamic(const uint8_t *bytes, uint64_t size, const Elf64_Phdr *segment)
{
	uint64_t i;

	if (segment->p_offset > size || segment->p_filesz > size - segment->p_offset)
		return BAD("the dynamic section lies outside the image");
	for (i = 0; i + sizeof(Elf64_Dyn) <= segment->p_filesz; i += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		const char *demand;

		memcpy(&entry, bytes + segment->p_offset + i, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		demand = dynamic_demand(&entry);
		if (demand)
			return BAD("the image needs %s (dynamic tag %lld, value %llu)", demand, (long long)entry.d_tag,
				   (unsigned long long)entry.d_un.d_val);
	}
	return VYRE_OK;
}

static vyre_status add_segment(struct segments *segments, const Elf64_Phdr *segment, uint64_t size)
{
	uint64_t page = page_bytes(), first = segment->p_vaddr & ~(page - 1), end;

	if (segment->p_memsz == 0)
		return VYRE_OK;
	if (segment->p_flags & PF_W)
		return BAD("the segment at 0x%llx is writable", (unsigned long long)segment->p_vaddr);
	if (segment->p_filesz > segment->p_memsz || segment->p_offset > size ||
	    segment->p_filesz > size - segment->p_offset)
		return BAD("the segment at 0x%llx has %llu bytes at offset %llu of a file of %llu",
			   (unsigned long long)segment->p_vaddr, (unsigned long long)segment->p_filesz,
			   (unsigned long long)segment->p_offset, (unsigned long long)size);
	if (segments->count == MAX_SEGMENTS)
		return BAD("the image has more than %d segments", MAX_SEGMENTS);
	if (segments->count == 0)
		segments->low = segments->end = first;
	/* Ascending and apart by whole pages: protection is per page. */
	if (first < segments->end || segment->p_memsz > max_span || segment->p_vaddr - segments->low > max_span)
		return BAD("the segment at 0x%llx, %llu bytes, overlaps another or lies more than %llu bytes away",
			   (unsigned long long)segment->p_vaddr, (unsigned long long)segment->p_memsz,
			   (unsigned long long)max_span);
	if (segment->p_vaddr > UINT64_MAX - 2 * max_span)
		return BAD("the segment at 0x%llx wraps", (unsigned long long)segment->p_vaddr);
	end = (segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
	if (end - segments->low > max_span)
		return BAD("the image spans more than %llu bytes", (unsigned long long)max_span);
	segments->end = end;
	segments->load[segments->count++] = *segment;
	return VYRE_OK;
}

static vyre_status collect(const uint8_t *bytes, uint64_t size, struct segments *segments)
{
	Elf64_Ehdr header;
	vyre_status status = check_header(bytes, size, &header);
	uint32_t i;

	for (i = 0; status == VYRE_OK && i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, bytes + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type == PT_LOAD)
			status = add_segment(segments, &segment, size);
		else if (segment.p_type == PT_DYNAMIC)
			status = check_dynamic(bytes, size, &segment);
		else if (segment.p_type == PT_INTERP || segment.p_type == PT_TLS)
			status = BAD("the image needs %s",
				     segment.p_type == PT_TLS ? "thread-local storage" : "an interpreter");
	}
	if (status == VYRE_OK && segments->count == 0)
		status = BAD("the image has no segment");
	return status;
}

static vyre_status protect(struct vyre_image *image, const struct segments *segments)
{
	uint64_t page = page_bytes();
	uint32_t i;
	int refused = mprotect(image->base, image->bytes, PROT_NONE);

	for (i = 0; i < segments->count && !refused; i++) {
		const Elf64_Phdr *segment = &segments->load[i];
		uint64_t first = segment->p_vaddr & ~(page - 1);
		uint64_t end = (segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
		uint8_t *start = image->base + (first - image->low);
		int executable = (segment->p_flags & PF_X) != 0;

		if (executable) {
			image->code[image->code_count].first = segment->p_vaddr;
			image->code[image->code_count++].end = segment->p_vaddr + segment->p_filesz;
			__builtin___clear_cache((char *)start, (char *)start + (end - first));
		}
		refused = mprotect(start, end - first, executable ? PROT_READ | PROT_EXEC : PROT_READ);
	}
	if (refused)
		return vyre_fail(VYRE_UNSUPPORTED, "allow this process to make memory executable",
				 "the system refuses to make %llu bytes of code executable",
				 (unsigned long long)image->bytes);
	return VYRE_OK;
}

vyre_status vyre_elf_load(const uint8_t *bytes, uint64_t size, struct vyre_image *image)
{
	struct segments segments = {0};
	vyre_status status = collect(bytes, size, &segments);
	uint32_t i;

	memset(image, 0, sizeof(*image));
	if (status != VYRE_OK)
		return status;
	image->low = segments.low;
	image->bytes = segments.end - segments.low;
	image->base = vyre_pages_alloc(image->bytes);
	if (!image->base)
		return vyre_fail_nomem("a native image", image->bytes);
	for (i = 0; i < segments.count; i++)
		memcpy(image->base + (segments.load[i].p_vaddr - image->low), bytes + segments.load[i].p_offset,
		       segments.load[i].p_filesz);
	status = protect(image, &segments);
	if (status != VYRE_OK)
		vyre_elf_unload(image);
	return status;
}

vyre_status vyre_elf_entry(const struct vyre_image *image, uint64_t address, vyre_cpu_entry *entry)
{
	uint32_t i;

	*entry = NULL;
	for (i = 0; i < image->code_count; i++)
		if (address >= image->code[i].first && address < image->code[i].end) {
			uint8_t *code = image->base + (address - image->low);

			memcpy(entry, &code, sizeof(*entry));
			return VYRE_OK;
		}
	return BAD("entry 0x%llx lies in no executable segment", (unsigned long long)address);
}

void vyre_elf_unload(struct vyre_image *image)
{
	vyre_pages_free(image->base, image->bytes);
	memset(image, 0, sizeof(*image));
}
