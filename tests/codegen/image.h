/* image.h - maps a linked slice and calls its programs, the way runtime/abi/cpu.h says. For the tests of this room, so
 * that they need nothing of the loader. */
#ifndef VYRE_TESTS_IMAGE_H
#define VYRE_TESTS_IMAGE_H
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "codegen/codegen.h"
#include "runtime/abi/cpu.h"

struct mapped {
	char *base;
	size_t bytes;
};

/* A target's code may run here? By the levels of the x86-64 psABI. */
static inline bool host_has(const struct vyrec_target *target)
{
	switch (target->id) {
	case VYRE_TARGET_X86_64_V2:
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
	case VYRE_TARGET_X86_64_V3:
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
		       __builtin_cpu_supports("bmi2");
	case VYRE_TARGET_X86_64_V4:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512cd");
	}
	return false;
}

static inline bool image_map(const struct vyrec_slice *slice, struct mapped *out)
{
	Elf64_Ehdr header;
	*out = (struct mapped){0};
	memcpy(&header, slice->image, sizeof header);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, slice->image + header.e_phoff + i * sizeof segment, sizeof segment);
		if (segment.p_type == PT_LOAD && segment.p_vaddr + segment.p_memsz > out->bytes)
			out->bytes = segment.p_vaddr + segment.p_memsz;
	}
	out->base = mmap(NULL, out->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out->base == MAP_FAILED)
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, slice->image + header.e_phoff + i * sizeof segment, sizeof segment);
		if (segment.p_type == PT_LOAD)
			memcpy(out->base + segment.p_vaddr, slice->image + segment.p_offset, segment.p_filesz);
	}
	return !mprotect(out->base, out->bytes, PROT_READ | PROT_EXEC);
}

static inline void image_unmap(struct mapped *image)
{
	munmap(image->base, image->bytes);
}

/* Runs one workgroup of a program; the launch record tells whether it trapped. */
static inline struct vyre_cpu_launch image_run(const struct mapped *image, const struct vyrec_slice *slice,
					       uint32_t unit, const struct vyre_cpu_buffer *buffers, uint32_t count)
{
	struct vyre_cpu_launch launch = {.workgroups = {1, 1, 1}, .buffer_count = count, .buffers = buffers};
	vyre_cpu_entry entry;
	void *address = image->base + slice->entries[unit];
	memcpy(&entry, &address, sizeof entry);
	entry(&launch);
	return launch;
}

#endif
