/* cpu_level.c - which x86-64 level this processor and its kernel support.
 *
 * In: cpuid and xgetbv. Out: the best VYRE_TARGET_*, and the first feature that is missing for the next. A level counts
 * only when the operating system also saves its registers (xcr0). The table is the psABI's list of levels; a compiler's
 * builtin for levels is younger than the compilers we build with.
 */
#include "device.h"

#if defined(__x86_64__)
#include <cpuid.h>

enum reg { EAX, EBX, ECX, EDX };

static const struct feature {
	uint32_t target, leaf;
	enum reg reg;
	uint32_t bit;
	const char *name;
} features[] = {
    {VYRE_TARGET_X86_64_V2, 1, ECX, 0, "sse3"},		 {VYRE_TARGET_X86_64_V2, 1, ECX, 9, "ssse3"},
    {VYRE_TARGET_X86_64_V2, 1, ECX, 13, "cmpxchg16b"},	 {VYRE_TARGET_X86_64_V2, 1, ECX, 19, "sse4.1"},
    {VYRE_TARGET_X86_64_V2, 1, ECX, 20, "sse4.2"},	 {VYRE_TARGET_X86_64_V2, 1, ECX, 23, "popcnt"},
    {VYRE_TARGET_X86_64_V2, 0x80000001, ECX, 0, "lahf"}, {VYRE_TARGET_X86_64_V3, 1, ECX, 27, "osxsave"},
    {VYRE_TARGET_X86_64_V3, 1, ECX, 28, "avx"},		 {VYRE_TARGET_X86_64_V3, 1, ECX, 12, "fma"},
    {VYRE_TARGET_X86_64_V3, 1, ECX, 22, "movbe"},	 {VYRE_TARGET_X86_64_V3, 1, ECX, 29, "f16c"},
    {VYRE_TARGET_X86_64_V3, 7, EBX, 3, "bmi1"},		 {VYRE_TARGET_X86_64_V3, 7, EBX, 5, "avx2"},
    {VYRE_TARGET_X86_64_V3, 7, EBX, 8, "bmi2"},		 {VYRE_TARGET_X86_64_V3, 0x80000001, ECX, 5, "lzcnt"},
    {VYRE_TARGET_X86_64_V4, 7, EBX, 16, "avx512f"},	 {VYRE_TARGET_X86_64_V4, 7, EBX, 17, "avx512dq"},
    {VYRE_TARGET_X86_64_V4, 7, EBX, 28, "avx512cd"},	 {VYRE_TARGET_X86_64_V4, 7, EBX, 30, "avx512bw"},
    {VYRE_TARGET_X86_64_V4, 7, EBX, 31, "avx512vl"},
};
/* Register state that the system must save: sse and avx; and the three parts of avx512. */
static const uint32_t state_v3 = 0x06, state_v4 = 0xE6;

static int has(const struct feature *feature)
{
	uint32_t regs[4] = {0};

	return __get_cpuid_count(feature->leaf, 0, &regs[EAX], &regs[EBX], &regs[ECX], &regs[EDX]) &&
	       (regs[feature->reg] >> feature->bit & 1);
}

static uint32_t saved_state(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

uint32_t vyre_cpu_level(const char **lacks)
{
	uint32_t best = VYRE_TARGET_X86_64_V4, i;

	*lacks = NULL;
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].target <= best && !has(&features[i])) {
			best = features[i].target - 1;
			*lacks = features[i].name;
		}
	if (best >= VYRE_TARGET_X86_64_V3 && (saved_state() & state_v3) != state_v3) {
		best = VYRE_TARGET_X86_64_V2;
		*lacks = "avx state saved by the system";
	}
	if (best >= VYRE_TARGET_X86_64_V4 && (saved_state() & state_v4) != state_v4) {
		best = VYRE_TARGET_X86_64_V3;
		*lacks = "avx512 state saved by the system";
	}
	return best;
}
#else
uint32_t vyre_cpu_level(const char **lacks)
{
	*lacks = "an x86-64 processor";
	return 0;
}
#endif
