/* packed_test.c - packed slots: the bytes, the limits, and one decoder for both sides. */
#include "runtime/abi/packed.h"
#include "tests/abi/rig.h"

/* Three ops: 8 with (0x11, 0x22), 255 without arguments, 1 with (0x33333333, 0xA0, 7).
 * n = 3, t = 5; metadata: 2 + 6 = 8 bytes = 2 words; offsets 0, 2, 2. */
static const uint8_t frozen[48] = {
    3,	  5,	8,    0,    255,  2, 1, 2,	       /* n t | op off | op off | op off */
    0x11, 0,	0,    0,    0x22, 0, 0, 0,	       /* of op 8 */
    0x33, 0x33, 0x33, 0x33, 0xA0, 0, 0, 0, 7, 0, 0, 0, /* of op 1 */
};

static const uint32_t some[13] = {0x11, 0x22, 0x33333333, 0xA0, 7, 6, 5, 4, 3, 2, 1, 9, 8};

static void the_bytes_are_frozen(void **state)
{
	const struct vyre_packed_op ops[3] = {{8, some, 2}, {255, NULL, 0}, {1, some + 2, 3}};
	uint32_t words[12];
	struct vyre_packed packed;
	(void)state;
	memset(words, 0xFF, sizeof words);
	assert_int_equal(vyre_packed_encode(ops, 3, NULL, words), VYRE_PACKED_NONE);
	assert_memory_equal(words, frozen, 48);
	memcpy(words, frozen, 48);
	assert_int_equal(vyre_packed_decode(words, NULL, &packed), VYRE_PACKED_NONE);
	assert_int_equal(packed.ops, 3);
	assert_int_equal(packed.arg_words, 5);
	assert_int_equal(packed.metadata_words, 2);
	assert_int_equal(vyre_packed_opcode(words, 0), 8);
	assert_int_equal(vyre_packed_opcode(words, 1), 255);
	assert_int_equal(vyre_packed_opcode(words, 2), 1);
	assert_int_equal(vyre_packed_arg(words, &packed, 0, 1), 0x22);
	assert_int_equal(vyre_packed_arg(words, &packed, 2, 0), 0x33333333);
	assert_int_equal(vyre_packed_arg(words, &packed, 2, 2), 7);
	assert_int_equal(vyre_packed_arg(words, &packed, 2, 3), 0); /* behind t */
	assert_int_equal(vyre_packed_arg(words, &packed, 2, 11), 0);
}

/* Five ops end their metadata in the first half of a word: 2 + 10 = 12 bytes = 3 words; six: 14 bytes = 4 words, where
 * vyre 0.6's device, which clamped to 4 ops, looked for the arguments in word 3. */
static void metadata_is_counted_from_byte_0(void **state)
{
	struct vyre_packed_op ops[6] = {{8, some, 1},	  {8, some + 1, 1}, {8, some + 2, 1},
					{8, some + 3, 1}, {8, some + 4, 1}, {8, some + 5, 1}};
	uint32_t words[12];
	struct vyre_packed packed;
	(void)state;
	for (uint32_t n = 0; n <= 6; n++) {
		static const uint32_t metadata[7] = {1, 1, 2, 2, 3, 3, 4};
		assert_int_equal(vyre_packed_encode(ops, n, NULL, words), VYRE_PACKED_NONE);
		assert_int_equal(vyre_packed_decode(words, NULL, &packed), VYRE_PACKED_NONE);
		assert_int_equal(packed.metadata_words, metadata[n]);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(vyre_packed_arg(words, &packed, i, 0), some[i]);
	}
	assert_int_equal(words[3] & 0xFFFF, 0x0508); /* the sixth op: opcode 8 at word 5 */
	assert_int_equal(words[3] >> 16, 0);	     /* padding */
}

static void limits_are_the_same_on_both_sides(void **state)
{
	struct vyre_packed_op ops[256];
	uint32_t words[12], before[12];
	struct vyre_packed packed;
	(void)state;
	for (unsigned i = 0; i < 256; i++)
		ops[i] = (struct vyre_packed_op){9, NULL, 0};
	memset(before, 0x42, sizeof before);
	memcpy(words, before, sizeof words);
	assert_int_equal(vyre_packed_encode(ops, 24, NULL, words), VYRE_PACKED_OPS);
	assert_int_equal(vyre_packed_encode(ops, 256, NULL, words), VYRE_PACKED_OPS);
	ops[0] = (struct vyre_packed_op){9, some, 12}; /* 1 metadata word and 12 */
	assert_int_equal(vyre_packed_encode(ops, 1, NULL, words), VYRE_PACKED_WORDS);
	ops[0].arg_count = 13;
	assert_int_equal(vyre_packed_encode(ops, 1, NULL, words), VYRE_PACKED_ARGS);
	ops[0].arg_count = UINT32_MAX;
	assert_int_equal(vyre_packed_encode(ops, 1, NULL, words), VYRE_PACKED_ARGS);
	ops[0] = (struct vyre_packed_op){9, some, 1};
	assert_int_equal(vyre_packed_encode(ops, 23, NULL, words), VYRE_PACKED_WORDS);
	assert_memory_equal(words, before, sizeof words);
	ops[0].arg_count = 11;
	assert_int_equal(vyre_packed_encode(ops, 1, NULL, words), VYRE_PACKED_NONE);
	assert_int_equal(words[11], some[10]);
	ops[0].arg_count = 0;
	assert_int_equal(vyre_packed_encode(ops, 23, NULL, words), VYRE_PACKED_NONE);
	assert_int_equal(words[0], 0x00090017);
	assert_int_equal(words[11], 0x00090009);
	assert_int_equal(vyre_packed_decode(words, NULL, &packed), VYRE_PACKED_NONE);
	assert_int_equal(packed.metadata_words, 12);
	assert_int_equal(vyre_packed_opcode(words, 22), 9);
	assert_int_equal(vyre_packed_arg(words, &packed, 22, 0), 0);
}

static void hostile_bytes_are_refused(void **state)
{
	static const struct {
		uint32_t first, second;
		enum vyre_packed_error error;
	} rows[] = {
	    {0x00000018, 0, VYRE_PACKED_OPS},	 {0x000000FF, 0, VYRE_PACKED_OPS},
	    {0x00080C01, 0, VYRE_PACKED_WORDS},	 {0x0008FF01, 0, VYRE_PACKED_WORDS},
	    {0x00000C00, 0, VYRE_PACKED_WORDS},	 {0x00000117, 0, VYRE_PACKED_WORDS},
	    {0x00070001, 0, VYRE_PACKED_OPCODE}, {0x00080002, 7, VYRE_PACKED_OPCODE},
	    {0x00080B01, 0, VYRE_PACKED_NONE},	 {0x00000B00, 0, VYRE_PACKED_NONE},
	};
	uint32_t known[8] = {1u << 8 | 1u << 0, 0, 0, 0, 0, 0, 0, 1u << 31};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t words[12] = {rows[i].first, rows[i].second};
		struct vyre_packed packed;
		assert_int_equal(vyre_packed_decode(words, NULL, &packed), rows[i].error);
	}
	assert_true(vyre_packed_may_run(255, known));
	assert_true(vyre_packed_may_run(0, known));
	assert_false(vyre_packed_may_run(9, known));
	assert_false(vyre_packed_may_run(254, known));
	assert_false(vyre_packed_may_run(256, known));
	assert_false(vyre_packed_may_run(256, NULL));
	assert_false(vyre_packed_may_run(0x80000001, NULL));
	known[0] |= 1u << 7;
	assert_false(vyre_packed_may_run(7, known)); /* no fence, whatever the set says */
	const struct vyre_packed_op op = {9, NULL, 0};
	uint32_t words[12];
	assert_int_equal(vyre_packed_encode(&op, 1, known, words), VYRE_PACKED_OPCODE);
}

/* Offsets that point anywhere read nothing but argument words below t. */
static void no_load_leaves_the_arguments(void **state)
{
	uint64_t seed = 11;
	unsigned sound = 0;
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t words[12];
		struct vyre_packed packed;
		for (unsigned k = 0; k < 12; k++)
			words[k] = next_random(&seed) | (k > 5 ? 0 : next_random(&seed) << 31);
		words[0] = (words[0] & ~0xFFFFu) | next_random(&seed) % 30 | next_random(&seed) % 14 << 8;
		if (vyre_packed_decode(words, NULL, &packed))
			continue;
		sound++;
		for (uint32_t i = 0; i < packed.ops; i++) {
			uint32_t offset = ((const uint8_t *)words)[3 + 2 * i];
			for (uint32_t k = 0; k < 12; k++) {
				uint32_t want =
				    offset + k < packed.arg_words ? words[packed.metadata_words + offset + k] : 0;
				assert_true(offset + k >= packed.arg_words || packed.metadata_words + offset + k < 12);
				assert_int_equal(vyre_packed_arg(words, &packed, i, k), want);
			}
		}
	}
	assert_true(sound > 1000);
}

static void random_ops_come_back(void **state)
{
	uint64_t seed = 5;
	unsigned fitted = 0;
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct vyre_packed_op ops[23];
		uint32_t args[23][12], words[12], count = next_random(&seed) % 24, total = 0;
		struct vyre_packed packed;
		for (uint32_t i = 0; i < count; i++) {
			ops[i] = (struct vyre_packed_op){8 + next_random(&seed) % 248, args[i], next_random(&seed) % 3};
			total += ops[i].arg_count;
			for (uint32_t k = 0; k < 12; k++)
				args[i][k] = next_random(&seed);
		}
		enum vyre_packed_error error = vyre_packed_encode(ops, count, NULL, words);
		assert_int_equal(error == VYRE_PACKED_NONE, (count + 2) / 2 + total <= 12); /* ceil((2 + 2n) / 4) */
		if (error)
			continue;
		fitted++;
		assert_int_equal(vyre_packed_decode(words, NULL, &packed), VYRE_PACKED_NONE);
		assert_int_equal(packed.ops, count);
		assert_int_equal(packed.arg_words, total);
		for (uint32_t i = 0; i < count; i++) {
			assert_int_equal(vyre_packed_opcode(words, i), ops[i].opcode);
			for (uint32_t k = 0; k < ops[i].arg_count; k++)
				assert_int_equal(vyre_packed_arg(words, &packed, i, k), args[i][k]);
		}
	}
	assert_true(fitted > 1000);
	for (unsigned e = VYRE_PACKED_OPS; e <= VYRE_PACKED_ARGS; e++)
		assert_is_message(vyre_packed_error_text((enum vyre_packed_error)e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_bytes_are_frozen),
	    cmocka_unit_test(metadata_is_counted_from_byte_0),
	    cmocka_unit_test(limits_are_the_same_on_both_sides),
	    cmocka_unit_test(hostile_bytes_are_refused),
	    cmocka_unit_test(no_load_leaves_the_arguments),
	    cmocka_unit_test(random_ops_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
