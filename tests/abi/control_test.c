/* control_test.c - the control buffer, byte for byte, and what its readers refuse. */
#include "runtime/abi/control.h"
#include "tests/abi/rig.h"

enum { WORDS = 160, OBSERVABLES = 3 };

struct word {
	uint32_t at;
	uint8_t bytes[4];
};

/* Every word that is not in the list is zero. */
static void assert_only(const uint8_t *bytes, size_t words, const struct word *want, size_t count)
{
	static const uint8_t zero[4];
	for (size_t w = 0; w < words; w++) {
		const uint8_t *expected = zero;
		for (size_t i = 0; i < count; i++)
			if (want[i].at == w)
				expected = want[i].bytes;
		if (memcmp(bytes + 4 * w, expected, 4) != 0)
			fail_msg("word %zu is %02x %02x %02x %02x", w, bytes[4 * w], bytes[4 * w + 1], bytes[4 * w + 2],
				 bytes[4 * w + 3]);
	}
}

/* Two tenants, no observables, shutdown: masks all ones, quotas 1,000,000 = 0x000F4240. */
static void an_ancestors_buffer_is_frozen(void **state)
{
	static const struct word want[] = {
	    {0, {1, 0, 0, 0}},	       {2, {3, 0, 0, 0}},	  {3, {255, 255, 255, 255}},
	    {4, {255, 255, 255, 255}}, {32, {0x40, 0x42, 15, 0}}, {33, {0x40, 0x42, 15, 0}},
	};
	uint8_t bytes[4 * WORDS + 4];
	(void)state;
	memset(bytes, 0xA5, sizeof bytes);
	assert_int_equal(vyre_control_encode_ancestor(bytes, sizeof bytes, 9, 2, 0), VYRE_LENGTH_NONE);
	assert_only(bytes, WORDS, want, sizeof want / sizeof *want);
	assert_memory_equal(bytes + 4 * WORDS, "\xA5\xA5\xA5\xA5", 4); /* and not one byte more */
	assert_int_equal(vyre_partitions_write(bytes, 4 * WORDS, 256), VYRE_LENGTH_NONE);
	static const uint8_t offsets[24] = {0,	 0, 0, 0, 51,  0, 0, 0, 102, 0, 0, 0,
					    154, 0, 0, 0, 205, 0, 0, 0, 0,   1, 0, 0};
	assert_memory_equal(bytes + 4 * 129, offsets, 24);
	assert_int_equal(bytes[4 * 128], 0); /* neither epoch nor starvation moved */
	assert_int_equal(bytes[4 * 135], 0);
}

/* One tenant, 3 observables, 16 slots: N/5 = 3 each and 1 more for NORMAL; ours from word 141 on. */
static void our_buffer_for_scanning_feeds(void **state)
{
	static const struct word want[] = {
	    {2, {3, 0, 0, 0}},	 {3, {255, 255, 255, 255}}, {32, {0x40, 0x42, 15, 0}}, {130, {3, 0, 0, 0}},
	    {131, {6, 0, 0, 0}}, {132, {10, 0, 0, 0}},	    {133, {13, 0, 0, 0}},      {134, {16, 0, 0, 0}},
	    {142, {1, 0, 0, 0}}, {143, {163, 0, 0, 0}},	    {144, {16, 0, 0, 0}},      {145, {1, 0, 0, 0}},
	};
	const struct vyre_control_params params = {.tenants = 1, .observables = OBSERVABLES, .slots = 16};
	uint8_t bytes[4 * (WORDS + OBSERVABLES)];
	(void)state;
	memset(bytes, 0xA5, sizeof bytes);
	assert_int_equal(vyre_control_encode(bytes, sizeof bytes, &params), VYRE_LENGTH_NONE);
	assert_only(bytes, WORDS + OBSERVABLES, want, sizeof want / sizeof *want);
	assert_int_equal(vyre_control_encode(bytes, sizeof bytes - 1, &params), VYRE_LENGTH_MISSING_WORD);
}

/* 3 observables end at word 163; the next multiple of 32 is 192 = 0xC0. */
static void our_buffer_for_the_live_feed(void **state)
{
	const struct vyre_control_params params = {.tenants = 40, .observables = OBSERVABLES, .slots = 16, .live = 1};
	uint32_t words[192 + VYRE_LIVE_WORDS], same[192 + VYRE_LIVE_WORDS];
	(void)state;
	memset(words, 0xA5, sizeof words);
	memset(same, 0xA5, sizeof same);
	assert_int_equal(vyre_control_live_length(OBSERVABLES), sizeof words);
	assert_int_equal(vyre_control_encode(words, sizeof words, &params), VYRE_LENGTH_NONE);
	assert_int_equal(words[141], 192);
	assert_int_equal(words[143], 163);
	assert_int_equal(words[145], 29); /* 40 tenants: 29 masks, 32 quotas */
	assert_int_equal(words[31], 0xFFFFFFFF);
	assert_int_equal(words[63], 1000000);
	for (unsigned w = 64; w < 129; w++)
		assert_int_equal(words[w], 0);
	for (unsigned w = 160; w < 192 + VYRE_LIVE_WORDS; w++)
		assert_int_equal(words[w], 0);
	vyre_control_encode_live(same, 40, OBSERVABLES, 16);
	assert_memory_equal(words, same, sizeof words);
	assert_int_equal(vyre_live_base(OBSERVABLES), 192);
	assert_int_equal(vyre_live_base(0), 160);
	assert_int_equal(vyre_live_base(32), 192);
}

static void tables_saturate_for_many_tenants(void **state)
{
	uint32_t words[WORDS];
	(void)state;
	assert_int_equal(vyre_control_encode_ancestor(words, sizeof words, 0, UINT32_MAX, 0), VYRE_LENGTH_NONE);
	assert_int_equal(words[0], 0);
	for (unsigned w = 3; w < 32; w++)
		assert_int_equal(words[w], 0xFFFFFFFF);
	for (unsigned w = 32; w < 64; w++)
		assert_int_equal(words[w], 1000000);
	assert_int_equal(words[64], 0);
}

static void lengths_end_at_the_32_bit_limit(void **state)
{
	(void)state;
	assert_int_equal(vyre_control_length(0), 640);
	assert_int_equal(vyre_control_length(1), 644);
	assert_int_equal(vyre_control_length(4294967135u), UINT64_C(17179869180)); /* 2^32 - 1 words */
	assert_true(vyre_control_length(4294967136u) == VYRE_NO_LENGTH);
	assert_true(vyre_control_live_length(4294966816u) == 4 * UINT64_C(4294967264)); /* 2^32 - 32 words */
	assert_true(vyre_control_live_length(4294966817u) == VYRE_NO_LENGTH);
}

static void encoders_stop_at_a_million(void **state)
{
	struct vyre_control_params params = {.observables = 1048577};
	uint32_t untouched = 7;
	(void)state;
	assert_int_equal(vyre_control_encode(&untouched, UINT64_MAX, &params), VYRE_LENGTH_OVERFLOW);
	params = (struct vyre_control_params){.slots = 1048577};
	assert_int_equal(vyre_control_encode(&untouched, UINT64_MAX, &params), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_control_encode_ancestor(&untouched, UINT64_MAX, 0, 0, 1048577), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_control_encode_ancestor(&untouched, UINT64_MAX, 0, 0, UINT32_MAX), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(untouched, 7);
	uint64_t most = vyre_control_length(1048576);
	uint32_t *words = malloc(most);
	assert_non_null(words);
	memset(words, 0xFF, most);
	assert_int_equal(vyre_control_encode_ancestor(words, most, 0, 0, 1048576), VYRE_LENGTH_NONE);
	assert_int_equal(words[1048576 + 159], 0);
	free(words);
}

static void partitions_for_few_slots_and_bad_ones(void **state)
{
	static const struct {
		uint32_t slots, starts[6];
	} rows[] = {{0, {0, 0, 0, 0, 0, 0}},
		    {3, {0, 0, 0, 3, 3, 3}},
		    {5, {0, 1, 2, 3, 4, 5}},
		    {9, {0, 1, 2, 7, 8, 9}},
		    {4294967295u, {0, 858993459, 1717986918, 2576980377u, 3435973836u, 4294967295u}}};
	static const struct {
		uint32_t starts[6];
		int valid;
	} hostile[] = {{{0, 0, 0, 0, 0, 0}, 0},	 {{0, 3, 2, 7, 8, 9}, 0},  {{0, 1, 2, 7, 8, 17}, 0},
		       {{0, 1, 2, 7, 8, 16}, 1}, {{9, 1, 2, 7, 8, 16}, 0}, {{0, 0, 0, 0, 0, 1}, 1}};
	uint32_t starts[6], words[135] = {0};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		vyre_partitions_default(rows[i].slots, starts);
		assert_memory_equal(starts, rows[i].starts, sizeof starts);
		assert_int_equal(vyre_partitions_valid(starts, rows[i].slots), rows[i].slots != 0);
	}
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
		assert_int_equal(vyre_partitions_valid(hostile[i].starts, 16), hostile[i].valid);
	assert_int_equal(vyre_partitions_write(words, sizeof words, 256), VYRE_LENGTH_NONE);
	assert_int_equal(vyre_partitions_write(words, sizeof words - 4, 9), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_partitions_write(words, sizeof words - 1, 9), VYRE_LENGTH_MISALIGNED);
	assert_int_equal(words[130], 51);
}

static void strict_readers_want_every_word(void **state)
{
	uint32_t words[WORDS + OBSERVABLES] = {0}, value = 77, many[32];
	struct vyre_metric metrics[32];
	(void)state;
	words[1] = 0xFFFFFFFF;
	words[128] = 0xFFFFFFFF;
	words[64] = 5;
	words[95] = 0xFFFFFF00;
	words[136] = 6;
	words[140] = 7;
	assert_int_equal(vyre_control_done(words, 8, &value), VYRE_LENGTH_NONE);
	assert_int_equal(value, 0xFFFFFFFF);
	value = 77;
	assert_int_equal(vyre_control_done(words, 4, &value), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_control_done(words, 7, &value), VYRE_LENGTH_MISALIGNED);
	assert_int_equal(vyre_control_done(words, 0, &value), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_control_epoch(words, 4 * 128, &value), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(value, 77);
	assert_int_equal(vyre_control_epoch(words, 4 * 129, &value), VYRE_LENGTH_NONE);
	assert_int_equal(value, 0xFFFFFFFF);
	assert_int_equal(vyre_control_tenant_fairness(words, 4 * 96, many), VYRE_LENGTH_NONE);
	assert_int_equal(many[0], 5);
	assert_int_equal(many[31], 0xFFFFFF00);
	assert_int_equal(vyre_control_tenant_fairness(words, 4 * 95, many), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_control_priority_fairness(words, 4 * 141, many), VYRE_LENGTH_NONE);
	assert_int_equal(many[0], 6);
	assert_int_equal(many[4], 7);
	assert_int_equal(vyre_control_priority_fairness(words, 4 * 140, many), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_control_metrics(words, 4 * 127, metrics, &value), VYRE_LENGTH_MISSING_WORD);
}

static void observables_end_where_they_end(void **state)
{
	const struct vyre_control_params params = {.observables = OBSERVABLES, .slots = 16, .live = 1};
	uint32_t words[192 + VYRE_LIVE_WORDS] = {0}, value = 77;
	(void)state;
	words[160] = 11;
	words[162] = 0xFFFFFFFF;
	assert_int_equal(vyre_control_observable(words, 4 * 163, 2, &value), VYRE_LENGTH_NONE);
	assert_int_equal(value, 0xFFFFFFFF);
	assert_int_equal(vyre_control_observable(words, 4 * 163, 3, &value), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_control_observable(words, 4 * 163 + 2, 0, &value), VYRE_LENGTH_MISALIGNED);
	assert_int_equal(vyre_control_observable(words, 4 * 160, 0, &value), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_control_observable(words, 4 * 163, 4294967134u, &value), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_control_observable(words, 4 * 163, 4294967135u, &value), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_control_observable(words, 4 * 163, UINT32_MAX, &value), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_control_encode(words, sizeof words, &params), VYRE_LENGTH_NONE);
	assert_int_equal(vyre_control_observable(words, sizeof words, 2, &value), VYRE_LENGTH_NONE);
	assert_int_equal(value, 0);
	assert_int_equal(vyre_control_observable(words, sizeof words, 3, &value), VYRE_LENGTH_MISSING_WORD);
	words[143] = 0; /* hostile: CONTROL_WORDS below 160 */
	assert_int_equal(vyre_control_observable(words, sizeof words, 0, &value), VYRE_LENGTH_MISSING_WORD);
}

static void metrics_are_pairs_that_are_not_zero(void **state)
{
	uint32_t words[129] = {0}, count = 9;
	struct vyre_metric metrics[32];
	(void)state;
	words[128] = 1000; /* EPOCH is no metric, whatever opcode 32 would be */
	assert_int_equal(vyre_control_metrics(words, sizeof words, metrics, &count), VYRE_LENGTH_NONE);
	assert_int_equal(count, 0);
	words[96] = 4;
	words[99] = 0xFFFFFFFF;
	words[127] = 1;
	assert_int_equal(vyre_control_metrics(words, 4 * 128, metrics, &count), VYRE_LENGTH_NONE);
	assert_int_equal(count, 3);
	assert_memory_equal(metrics, ((uint32_t[]){0, 4, 3, 0xFFFFFFFF, 31, 1}), 24);
}

static void readers_take_any_alignment(void **state)
{
	uint8_t bytes[4 * WORDS + 1] = {0};
	uint32_t value;
	(void)state;
	memcpy(bytes + 1 + 4 * 128, "\x01\x02\x03\x04", 4);
	assert_int_equal(vyre_control_epoch(bytes + 1, 4 * WORDS, &value), VYRE_LENGTH_NONE);
	assert_int_equal(value, 0x04030201);
}

static void regions_are_in_order_and_apart(void **state)
{
	static const struct {
		uint32_t first, words;
	} rows[] = {
#define X(name, word, words, writer, text) {word, words},
	    VYRE_CONTROL_FIELDS(X)
#undef X
	};
	uint32_t end = 0;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(rows[i].first, end);
		end = rows[i].first + rows[i].words;
	}
	assert_int_equal(end, 160);
	for (unsigned e = VYRE_LENGTH_OVERFLOW; e <= VYRE_LENGTH_MISSING_WORD; e++)
		assert_is_message(vyre_length_error_text((enum vyre_length_error)e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_ancestors_buffer_is_frozen),
	    cmocka_unit_test(our_buffer_for_scanning_feeds),
	    cmocka_unit_test(our_buffer_for_the_live_feed),
	    cmocka_unit_test(tables_saturate_for_many_tenants),
	    cmocka_unit_test(lengths_end_at_the_32_bit_limit),
	    cmocka_unit_test(encoders_stop_at_a_million),
	    cmocka_unit_test(partitions_for_few_slots_and_bad_ones),
	    cmocka_unit_test(strict_readers_want_every_word),
	    cmocka_unit_test(observables_end_where_they_end),
	    cmocka_unit_test(metrics_are_pairs_that_are_not_zero),
	    cmocka_unit_test(readers_take_any_alignment),
	    cmocka_unit_test(regions_are_in_order_and_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
