/* code.c - benchmarks of the generated code: bench.vyre's count_byte and crc32 against the same loops in C.
 *
 * Three arms over the same 256 KiB (they stay in the second-level cache, so that code is timed and not memory):
 *   clang       kernels.c, -O3 -march=<the level of the slice that the loader picked>, as often
 *   unchecked   bench.vyre compiled with bounds policy unchecked, 64 slots published at once, 16 times or once
 *   checked     the same, policy checked, the default
 * All run on the worker's processor, one after the other: while C runs, no ring is open. Every result is compared.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "kernels.h"

enum { TEXT_BYTES = 256 << 10, SLOTS = 64, COUNT_BATCHES = 16, CRC_BATCHES = 1, NEEDLE = 'e' };

typedef uint32_t (*count_byte_fn)(const uint8_t *text, uint32_t length, uint32_t needle);
typedef uint32_t (*crc32_fn)(const uint8_t *text, uint32_t length, const uint32_t *table);
static const struct level {
	uint32_t target;
	const char *name;
	count_byte_fn count_byte;
	crc32_fn crc32;
} levels[] = {
    {VYRE_TARGET_X86_64_V2, "x86-64-v2", bench_count_byte_v2, bench_crc32_v2},
    {VYRE_TARGET_X86_64_V3, "x86-64-v3", bench_count_byte_v3, bench_crc32_v3},
    {VYRE_TARGET_X86_64_V4, "x86-64-v4", bench_count_byte_v4, bench_crc32_v4},
};

static void fill_text(uint8_t *text, uint32_t *table)
{
	uint32_t state = 1;

	for (uint32_t i = 0; i < TEXT_BYTES; i++) {
		state = state * 1664525 + 1013904223;
		text[i] = (uint8_t)('a' + (state >> 24) % 26);
	}
	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320 : table[i] >> 1;
	}
}

/* The level of the best slice that this device has in the blob. */
static const struct level *level_of(const struct bench_set *set)
{
	struct vyre_device_info info;
	struct vyre_blob_view view;
	const struct level *best = NULL;

	vyre_device_get_info(set->device, &info);
	vyre_blob_get_view(set->blob, &view);
	for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
		for (uint32_t slice = 0; slice < view.slice_count; slice++)
			if (view.slices[slice].target == levels[i].target && levels[i].target <= info.target)
				best = &levels[i];
	if (!best)
		bench_die("code", "the bench blob has no slice for this processor");
	return best;
}

struct answers {
	uint32_t count, crc;
};

/* Bytes a second of C. */
static void run_c(const struct level *level, const struct bench_set *set, double *count, double *crc,
		  struct answers *answers)
{
	double from;

	bench_pin(BENCH_WORKER_CPU);
	from = bench_now();
	for (unsigned i = 0; i < SLOTS * COUNT_BATCHES; i++)
		answers->count = level->count_byte(set->text_bytes, TEXT_BYTES, NEEDLE);
	*count = (double)TEXT_BYTES * SLOTS * COUNT_BATCHES / (bench_now() - from);
	from = bench_now();
	for (unsigned i = 0; i < SLOTS * CRC_BATCHES; i++)
		answers->crc = level->crc32(set->text_bytes, TEXT_BYTES, set->table_words);
	*crc = (double)TEXT_BYTES * SLOTS * CRC_BATCHES / (bench_now() - from);
}

/* A microsecond in which this processor leaves the memory, and a processor that shares its core, alone. A sleeping waiter
 * would not do: the worker would stop after every slot to wake it. */
static void rest(void)
{
	for (int i = 0; i < 32; i++)
		bench_relax();
}

/* Bytes a second of a slot, batch after batch; false if one gave another answer. */
static bool run_slots(struct bench_ring_pair *pair, const struct vyre_slot *slot, unsigned batches, uint32_t expected,
		      double *rate)
{
	struct vyre_slot slots[SLOTS];
	vyre_ticket tickets[SLOTS];
	bool correct = true;
	double from;

	for (unsigned i = 0; i < SLOTS; i++)
		slots[i] = *slot;
	from = bench_now();
	for (unsigned batch = 0; batch < batches; batch++) {
		bench_check(vyre_publish(pair->publisher, slots, SLOTS, 0, 0, tickets), "publish");
		while (vyre_poll(pair->ring, tickets[SLOTS - 1], NULL) == VYRE_TIMEOUT)
			rest();
		for (unsigned i = 0; i < SLOTS; i++) {
			struct vyre_result result;
			bench_check(vyre_wait(pair->ring, tickets[i], VYRE_FOREVER, &result), "wait");
			correct &= result.words[0] == expected;
		}
	}
	*rate = (double)TEXT_BYTES * SLOTS * batches / (bench_now() - from);
	return correct;
}

static bool run_ours(struct bench_set *set, const struct answers *expected, double *count, double *crc)
{
	struct vyre_slot count_slot = {set->count_byte, VYRE_PRIORITY_NORMAL, 3, {0, TEXT_BYTES, NEEDLE}};
	struct vyre_slot crc_slot = {set->crc32, VYRE_PRIORITY_NORMAL, 2, {0, TEXT_BYTES}};
	struct bench_ring_pair pair;
	bool correct;

	bench_ring_open(&pair, set, 4096);
	correct = run_slots(&pair, &count_slot, COUNT_BATCHES, expected->count, count);
	correct &= run_slots(&pair, &crc_slot, CRC_BATCHES, expected->crc, crc);
	bench_ring_close(&pair);
	return correct;
}

void bench_code(void)
{
	enum { C, UNCHECKED, CHECKED, ARMS };
	double count[ARMS][BENCH_ROUNDS], crc[ARMS][BENCH_ROUNDS];
	struct bench_set unchecked, checked;
	const struct level *level;
	bool correct = true;

	bench_set_open(&unchecked, BENCH_BLOB_bench_unchecked, TEXT_BYTES);
	bench_set_open(&checked, BENCH_BLOB_bench, TEXT_BYTES);
	fill_text(unchecked.text_bytes, unchecked.table_words);
	fill_text(checked.text_bytes, checked.table_words);
	level = level_of(&unchecked);
	for (unsigned i = 0; i < bench_options.rounds; i++) {
		struct answers answers;
		run_c(level, &unchecked, &count[C][i], &crc[C][i], &answers);
		correct &= run_ours(&unchecked, &answers, &count[UNCHECKED][i], &crc[UNCHECKED][i]);
		correct &= run_ours(&checked, &answers, &count[CHECKED][i], &crc[CHECKED][i]);
	}
	bench_set_close(&checked);
	bench_set_close(&unchecked);

	double rates[2][ARMS];
	for (unsigned arm = 0; arm < ARMS; arm++) {
		rates[0][arm] = bench_median(count[arm], bench_options.rounds) / 1e9;
		rates[1][arm] = bench_median(crc[arm], bench_options.rounds) / 1e9;
	}
	static const char *const names[2][2] = {{"code.count_byte", "code.count_byte.checked"},
						{"code.crc32", "code.crc32.checked"}};
	for (unsigned op = 0; op < 2; op++) {
		struct bench_row row = {names[op][0],
					"GB/s",
					rates[op][C],
					rates[op][UNCHECKED],
					"the same loop in C, clang -O3",
					BENCH_AT_LEAST,
					1.0,
					correct,
					""};
		snprintf(row.note, sizeof row.note, "%s, 256 KiB in cache, one core", level->name);
		bench_report(&row);
		row.name = names[op][1];
		row.floor = rates[op][UNCHECKED], row.ours = rates[op][CHECKED];
		row.floor_is = "the unchecked handler";
		row.goal = 0.95;
		bench_report(&row);
	}
}
