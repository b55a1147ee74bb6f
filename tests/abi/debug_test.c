/* debug_test.c - the debug log: strict and clamping readers. */
#include "runtime/abi/debug.h"
#include "tests/abi/rig.h"

/* Two records: format 7 with 1, 2 from slot 5 (16 x 5 = 80 = 0x50); format 0x01020304 with all ones from slot 0. */
static const uint8_t frozen[4 + 3 * 16] = {8,	 0, 0, 0, 7, 0, 0, 0, 1,   0,	0,   0,	  2,   0,   0,	 0,
					   0x50, 0, 0, 0, 4, 3, 2, 1, 255, 255, 255, 255, 255, 255, 255, 255};

static void records_are_frozen(void **state)
{
	uint32_t records = 9, dropped = 9;
	(void)state;
	assert_int_equal(vyre_debug_strict(frozen, sizeof frozen, &records), VYRE_LENGTH_NONE);
	assert_int_equal(records, 2);
	assert_int_equal(vyre_debug_clamp(frozen, sizeof frozen, &records, &dropped), VYRE_LENGTH_NONE);
	assert_int_equal(records, 2);
	assert_int_equal(dropped, 0);
	struct vyre_debug_record first = vyre_debug_get(frozen, 0), second = vyre_debug_get(frozen, 1);
	assert_memory_equal(&first, ((uint32_t[]){7, 1, 2, 5}), 16);
	assert_memory_equal(&second, ((uint32_t[]){0x01020304, 0xFFFFFFFF, 0xFFFFFFFF, 0}), 16);
}

/* Cursor, length in bytes of the log, then what the strict reader says, and records and dropped of the other. */
static void cursors_and_what_becomes_of_them(void **state)
{
	static const struct {
		uint32_t cursor, bytes;
		enum vyre_length_error strict;
		uint32_t records, dropped;
	} rows[] = {
	    {0, 1028, VYRE_LENGTH_NONE, 0, 0},
	    {256, 1028, VYRE_LENGTH_NONE, 64, 0},
	    {260, 1028, VYRE_LENGTH_MISSING_WORD, 64, 1}, /* an ancestor's, one record too many */
	    {255, 1028, VYRE_LENGTH_MISALIGNED, 63, 0},
	    {1, 1028, VYRE_LENGTH_MISALIGNED, 0, 0},
	    {0xFFFFFFFC, 1028, VYRE_LENGTH_MISSING_WORD, 64, 0x3FFFFFFF - 64},
	    {0xFFFFFFFF, 1028, VYRE_LENGTH_MISALIGNED, 64, 0x3FFFFFFF - 64},
	    {0, 4, VYRE_LENGTH_NONE, 0, 0},
	    {4, 4, VYRE_LENGTH_MISSING_WORD, 0, 1},
	    {4, 16, VYRE_LENGTH_MISSING_WORD, 0, 1}, /* room for three of its four words */
	    {4, 20, VYRE_LENGTH_NONE, 1, 0},
	};
	uint32_t log[257] = {0};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t records = 77, dropped = 77;
		log[0] = rows[i].cursor;
		assert_int_equal(vyre_debug_strict(log, rows[i].bytes, &records), rows[i].strict);
		assert_int_equal(records, rows[i].strict ? 77 : rows[i].records);
		assert_int_equal(vyre_debug_clamp(log, rows[i].bytes, &records, &dropped), VYRE_LENGTH_NONE);
		assert_int_equal(records, rows[i].records);
		assert_int_equal(dropped, rows[i].dropped);
	}
}

static void lengths(void **state)
{
	uint8_t log[1029];
	uint32_t records = 77, dropped = 77;
	(void)state;
	assert_int_equal(vyre_debug_strict(log, 0, &records), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_debug_clamp(log, 0, &records, &dropped), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_debug_clamp(log, 1027, &records, &dropped), VYRE_LENGTH_MISALIGNED);
	assert_int_equal(records, 77);
	assert_int_equal(vyre_debug_length(0), 4);
	assert_int_equal(vyre_debug_length(64), 1028);
	assert_true(vyre_debug_length(1073741823) == 4 * UINT64_C(4294967293));
	assert_true(vyre_debug_length(1073741824) == VYRE_NO_LENGTH);
	memset(log, 0xAB, sizeof log);
	assert_int_equal(vyre_debug_encode(log, 1029, 64), VYRE_LENGTH_NONE);
	assert_int_equal(log[1027], 0);
	assert_int_equal(log[1028], 0xAB);
	assert_int_equal(vyre_debug_strict(log, 1028, &records), VYRE_LENGTH_NONE);
	assert_int_equal(records, 0);
	assert_int_equal(vyre_debug_encode(log, 1027, 64), VYRE_LENGTH_MISSING_WORD);
	assert_int_equal(vyre_debug_encode(log, UINT64_MAX, 1048577), VYRE_LENGTH_OVERFLOW);
	assert_int_equal(vyre_debug_encode(log, UINT64_MAX, 1073741824), VYRE_LENGTH_OVERFLOW);
	memset(log, 0xAB, sizeof log);
	assert_int_equal(vyre_debug_encode(log, 4, 0), VYRE_LENGTH_NONE);
	assert_int_equal(log[3], 0);
	assert_int_equal(log[4], 0xAB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_frozen),
	    cmocka_unit_test(cursors_and_what_becomes_of_them),
	    cmocka_unit_test(lengths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
