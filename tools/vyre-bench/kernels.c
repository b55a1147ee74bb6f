/* kernels.c - the C that our generated code is compared with.
 *
 * Compiled by clang of our LLVM's version at -O3 -march=<level>, once a level, with LEVEL as the suffix of the names; in a
 * file of its own, so that no caller's constant reaches the loops. The types are those of bench.vyre.
 */
#include "kernels.h"

#define PASTE(a, b)	  a##b
#define NAME(base, level) PASTE(base, level)

uint32_t NAME(bench_count_byte_, LEVEL)(const uint8_t *text, uint32_t length, uint32_t needle)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < length; i++)
		if (text[i] == needle)
			n++;
	return n;
}

uint32_t NAME(bench_crc32_, LEVEL)(const uint8_t *text, uint32_t length, const uint32_t *table)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < length; i++)
		crc = crc >> 8 ^ table[(crc ^ text[i]) & 0xff];
	return crc ^ 0xffffffff;
}
