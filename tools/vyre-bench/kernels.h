/* kernels.h - the plain C kernels, one set a level. */
#ifndef VYRE_BENCH_KERNELS_H
#define VYRE_BENCH_KERNELS_H
#include <stdint.h>

#define BENCH_LEVEL_LIST(X) X(v2) X(v3) X(v4)
#define X(level) \
	uint32_t bench_count_byte_##level(const uint8_t *text, uint32_t length, uint32_t needle); \
	uint32_t bench_crc32_##level(const uint8_t *text, uint32_t length, const uint32_t *table);
BENCH_LEVEL_LIST(X)
#undef X

#endif
