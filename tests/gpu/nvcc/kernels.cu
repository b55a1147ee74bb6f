// kernels.cu - the handlers of kernels.vyre as one writes them in CUDA C, for the comparison of the two compilers.
//
// The parameters are those of an entry of ours (runtime/abi/cuda.h: a pointer and a count a buffer, then the trap record),
// so that one host program launches both. `const` buffers are const and restrict, so nvcc may read them through the
// read-only cache as we do; those that a host streams into are restrict alone.
#include <cstdint>

#define IN(type, name)	  const type *__restrict__ name, uint64_t name##_count
#define INOUT(type, name) type *__restrict__ name, uint64_t name##_count
#define KERNEL(name, lanes, ...) extern "C" __global__ void __launch_bounds__(lanes) vyre_##name(__VA_ARGS__, uint64_t trap)

enum { SLOT_WORDS = 16 };

static __device__ uint32_t global_id(uint32_t lanes) { return blockIdx.x * lanes + threadIdx.x; }

// The sum of a value over a block of 256, in thread 0: warps first, then one word a warp.
static __device__ uint32_t block_sum(uint32_t value)
{
	__shared__ uint32_t parts[8];
	uint32_t sum = __reduce_add_sync(0xffffffff, value);

	if (threadIdx.x % 32 == 0)
		parts[threadIdx.x / 32] = sum;
	__syncthreads();
	sum = threadIdx.x < 8 ? parts[threadIdx.x] : 0;
	if (threadIdx.x < 32)
		sum = __reduce_add_sync(0xffffffff, sum);
	__syncthreads();
	return sum;
}

KERNEL(add3, 256, IN(uint32_t, slots), INOUT(uint32_t, sink))
{
	const uint32_t *slot = slots + global_id(256) * SLOT_WORDS;

	sink[slot[4]] += slot[5] + slot[6];
}

KERNEL(first_word, 256, IN(uint32_t, slots), INOUT(uint8_t, text), INOUT(uint32_t, results))
{
	uint32_t at = slots[global_id(256) * SLOT_WORDS + 4];

	results[global_id(256)] = text[at] | text[at + 1] << 8 | text[at + 2] << 16 | (uint32_t)text[at + 3] << 24;
}

KERNEL(crc32, 256, IN(uint32_t, slots), INOUT(uint8_t, text), IN(uint32_t, table), INOUT(uint32_t, results))
{
	const uint32_t *slot = slots + global_id(256) * SLOT_WORDS;
	uint32_t offset = slot[4], length = slot[5], crc = 0xffffffff;

	for (uint32_t i = 0; i < length; i++)
		crc = (crc >> 8) ^ table[(crc ^ text[offset + i]) & 0xff];
	results[global_id(256)] = crc ^ 0xffffffff;
}

KERNEL(dfa, 256, IN(uint32_t, slots), INOUT(uint8_t, text), IN(uint16_t, steps), INOUT(uint32_t, results))
{
	const uint32_t *slot = slots + global_id(256) * SLOT_WORDS;
	uint32_t offset = slot[4], length = slot[5], accepting = slot[6], state = 0, matches = 0;

	for (uint32_t i = 0; i < length; i++) {
		state = steps[(state << 8) + text[offset + i]];
		if (state >= accepting)
			matches++;
	}
	results[global_id(256)] = matches;
}

KERNEL(visit, 128, IN(uint32_t, slots), IN(uint32_t, first), IN(uint32_t, edges), INOUT(uint32_t, seen),
       INOUT(uint32_t, later), INOUT(uint32_t, counts))
{
	uint32_t todo[64], left = 1;

	todo[0] = slots[global_id(128) * SLOT_WORDS + 4];
	while (left) {
		uint32_t node = todo[--left], end = first[node + 1];

		for (uint32_t e = first[node]; e < end; e++) {
			uint32_t next = edges[e], bit = 1u << (next & 31);

			if (atomicOr(&seen[next >> 5], bit) & bit)
				continue;
			if (left < 64)
				todo[left++] = next;
			else
				later[atomicAdd(&counts[0], 1)] = next;
		}
	}
	atomicAdd(&counts[1], 1);
}

KERNEL(count_byte, 256, IN(uint32_t, slots), INOUT(uint8_t, text), INOUT(uint32_t, results))
{
	const uint32_t *slot = slots + blockIdx.x * SLOT_WORDS;
	uint32_t offset = slot[4], length = slot[5], needle = slot[6], n = 0;

	for (uint32_t i = threadIdx.x; i < length; i += 256)
		n += text[offset + i] == needle;
	n = block_sum(n);
	if (threadIdx.x == 0)
		results[blockIdx.x] = n;
}

KERNEL(checksum, 256, IN(uint32_t, slots), INOUT(uint32_t, words), INOUT(uint32_t, results))
{
	const uint32_t *slot = slots + blockIdx.x * SLOT_WORDS;
	uint32_t first = slot[4], count = slot[5], low = 0, high = 0;

	for (uint32_t i = threadIdx.x; i < count; i += 256) {
		uint32_t word = words[first + i];

		low += word;
		high += word * (count - i);
	}
	low = block_sum(low);
	high = block_sum(high);
	if (threadIdx.x == 0) {
		results[blockIdx.x * 2] = low;
		results[blockIdx.x * 2 + 1] = high;
	}
}

KERNEL(histogram, 256, IN(uint32_t, slots), INOUT(uint8_t, text), INOUT(uint32_t, results))
{
	__shared__ uint32_t bins[256];
	const uint32_t *slot = slots + blockIdx.x * SLOT_WORDS;
	uint32_t offset = slot[4], length = slot[5];

	bins[threadIdx.x] = 0;
	__syncthreads();
	for (uint32_t i = threadIdx.x; i < length; i += 256)
		atomicAdd(&bins[text[offset + i]], 1);
	__syncthreads();
	results[blockIdx.x * 256 + threadIdx.x] = bins[threadIdx.x];
}

KERNEL(dot, 256, IN(uint32_t, slots), IN(float, a), IN(float, b), INOUT(float, results))
{
	__shared__ float part[256];
	const uint32_t *slot = slots + blockIdx.x * SLOT_WORDS;
	uint32_t first = slot[4], count = slot[5];
	float sum = 0;

	for (uint32_t i = threadIdx.x; i < count; i += 256)
		sum = fmaf(a[first + i], b[first + i], sum);
	part[threadIdx.x] = sum;
	__syncthreads();
	for (uint32_t half = 128; half; half >>= 1) {
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
		__syncthreads();
	}
	if (threadIdx.x == 0)
		results[blockIdx.x] = part[0];
}
