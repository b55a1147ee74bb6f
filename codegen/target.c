/* target.c - a row per target: all the facts that lowering and linking need.
 *
 * Enters: a name or a position. Leaves: a constant row. A new level or LLVM architecture is a row here, never a branch
 * somewhere else.
 *
 * Gathers: on tables of a kilobyte they lose to scalar loads (platform measurement, Zen 5: 555 against 1600 MB/s for a
 * DFA), so rows with gather instructions ask LLVM to avoid them. Vectors at v4: 256 bits, LLVM's own choice for that
 * level. On Zen 5 a count of bytes in cache ran at 55 GB/s with 512 bits, 42 with 256 and a map at 133 with both, but the
 * first machines of this level slow down at 512, short loops spend more in their remainders, and memory is slower than
 * either.
 */
#include <string.h>

#include "codegen/codegen.h"

static const struct vyrec_target targets[] = {
    {
	.name = "x86-64-v2",
	.id = VYRE_TARGET_X86_64_V2,
	.triple = "x86_64-unknown-linux-gnu",
	.cpu = "x86-64-v2",
	.features = "",
	.backend = "X86",
	.vector_bits = "128",
	.one_lane = true,
	.has_f64 = true,
	.meaning = "x86-64 with SSE4.2 and POPCNT (2009)",
    },
    {
	.name = "x86-64-v3",
	.id = VYRE_TARGET_X86_64_V3,
	.triple = "x86_64-unknown-linux-gnu",
	.cpu = "x86-64-v3",
	.features = "+prefer-no-gather",
	.backend = "X86",
	.vector_bits = "256",
	.one_lane = true,
	.has_f64 = true,
	.has_fma = true,
	.meaning = "x86-64 with AVX2, BMI2 and FMA (2013)",
    },
    {
	.name = "x86-64-v4",
	.id = VYRE_TARGET_X86_64_V4,
	.triple = "x86_64-unknown-linux-gnu",
	.cpu = "x86-64-v4",
	.features = "+prefer-no-gather",
	.backend = "X86",
	.vector_bits = "256",
	.one_lane = true,
	.has_f64 = true,
	.has_fma = true,
	.meaning = "x86-64 with AVX-512 F BW CD DQ VL (2017)",
    },
/* PTX 8.6 (CUDA 12.7) has fences that only acquire or only release, from sm_90 on. There an acquire is one instruction, that
 * empties the first-level cache; what LLVM writes for sm_90 otherwise, fence.acq_rel, also waits until every store of the lane
 * is on the other side of the link. LLVM's own choice for sm_100 and later is 8.6 or more. */
#define NVIDIA(number, text) \
	{ \
	    .name = "sm_" #number, \
	    .id = VYRE_TARGET_SM_##number, \
	    .family = VYREC_FAMILY_NVPTX, \
	    .triple = "nvptx64-nvidia-cuda", \
	    .cpu = "sm_" #number, \
	    .features = (number) == 90 ? "+ptx86" : "", \
	    .backend = "NVPTX", \
	    .vector_bits = "128", \
	    .has_mailbox = true, \
	    .lanes = 256, \
	    .has_f64 = true, \
	    .has_fma = true, \
	    .has_bmsk = (number) >= 89, /* PTX 7.6; the least that LLVM writes for older ones is below */ \
	    .meaning = "NVIDIA, " text, \
	},
    /* clang-format off */
    NVIDIA(75, "Turing: T4, RTX 20 (2018)")
    NVIDIA(80, "Ampere: A100 (2020)")
    NVIDIA(86, "Ampere: A10, RTX 30 (2020)")
    NVIDIA(87, "Ampere: Jetson Orin (2022)")
    NVIDIA(89, "Ada: L4, L40, RTX 40 (2022)")
    NVIDIA(90, "Hopper: H100, H200 (2022)")
    NVIDIA(100, "Blackwell: B200 (2024)")
    NVIDIA(103, "Blackwell: B300 (2025)")
    NVIDIA(120, "Blackwell: RTX 50 (2025)")
    NVIDIA(121, "Blackwell: DGX Spark (2025)")
/* clang-format on */
#undef NVIDIA
};

const struct vyrec_target *vyrec_target_at(unsigned index)
{
	return index < sizeof targets / sizeof *targets ? &targets[index] : NULL;
}

const struct vyrec_target *vyrec_target_find(const char *name)
{
	for (unsigned i = 0; i < sizeof targets / sizeof *targets; i++)
		if (!strcmp(targets[i].name, name))
			return &targets[i];
	return NULL;
}
