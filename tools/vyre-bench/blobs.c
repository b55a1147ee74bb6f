/* blobs.c - the blobs that vyrec made of the .vyre files here, as bytes of the program.
 *
 * Why not files beside it: a program that is copied to a machine with a GPU is then one file, and cannot be run with
 * another build's blobs. The assembler reads them; C arrays of this size would take the compiler seconds.
 */
#include "bench.h"

#define X(name) \
	__asm__(".section .rodata\n" \
		".balign 16\n" \
		"bench_blob_" #name ": .incbin \"" VYRE_BENCH_BLOBS "/" #name ".vyb\"\n" \
		"bench_blob_" #name "_end: .byte 0\n" \
		".previous\n"); \
	extern const uint8_t bench_blob_##name[], bench_blob_##name##_end[];
BENCH_BLOB_LIST(X)
#undef X

static const struct {
	const uint8_t *first, *end;
	const char *name;
} blobs[] = {
#define X(name) {bench_blob_##name, bench_blob_##name##_end, #name},
    BENCH_BLOB_LIST(X)
#undef X
};

const uint8_t *bench_blob_bytes(enum bench_blob blob, uint64_t *bytes)
{
	*bytes = (uint64_t)(blobs[blob].end - blobs[blob].first);
	return blobs[blob].first;
}

struct vyre_blob *bench_blob_open(enum bench_blob blob)
{
	struct vyre_blob *opened;
	uint64_t bytes;
	const uint8_t *first = bench_blob_bytes(blob, &bytes);

	bench_check(vyre_blob_open(first, bytes, &opened), blobs[blob].name);
	return opened;
}
