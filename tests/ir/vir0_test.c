/* vir0_test.c - module to bytes and back; bytes that are cut, flipped or forged are refused or give a module that the
 * verifier may look at. Run it under the address sanitizer to see what it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/ir/demo_module.h"

enum { HEAD = 48 };

static uint8_t *demo_bytes(size_t *size)
{
	struct demo d = demo_create();
	uint8_t *bytes = vyrec_vir0_write(d.m, size);
	vyrec_module_destroy(d.m);
	return bytes;
}

/* Makes the head true again after the payload was changed. */
static void seal(uint8_t *bytes, size_t size)
{
	uint64_t payload = size - HEAD;
	for (unsigned i = 0; i < 8; i++)
		bytes[8 + i] = (uint8_t)(payload >> 8 * i);
	crypto_generichash(bytes + 16, 32, bytes + HEAD, payload, NULL, 0);
}

/* Reads, and does with the module what a tool would: verify; if it is sound, clone and write. */
static bool try_read(const uint8_t *bytes, size_t size)
{
	struct vyrec_diags diags = {0};
	uint8_t *copy = malloc(size ? size : 1); /* of exactly the size: a read past it is seen */
	memcpy(copy, bytes, size);
	struct vyrec_module *m = vyrec_vir0_read("f.vir0", copy, size, &diags);
	assert_true(m ? diags.errors == 0 : diags.errors == 1);
	if (m && vyrec_verify(m, &diags)) {
		size_t again;
		free(vyrec_vir0_write(m, &again));
	}
	vyrec_module_destroy(m);
	vyrec_diags_finish(&diags);
	free(copy);
	return m != NULL;
}

static void test_round_trip(void **state)
{
	(void)state;
	size_t size, again;
	uint8_t *bytes = demo_bytes(&size);
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_vir0_read("f.vir0", bytes, size, &diags);
	assert_non_null(m);
	assert_true(vyrec_verify(m, &diags));
	assert_string_equal(vyrec_name_text(m, m->file), "demo.vyre");
	uint8_t *second = vyrec_vir0_write(m, &again);
	assert_int_equal(size, again);
	assert_memory_equal(bytes, second, size);
	free(second);
	vyrec_module_destroy(m);
	free(bytes);
}

/* What passes make of a set goes through bytes and a clone too. */
static void test_features_come_back(void **state)
{
	(void)state;
	struct demo d = demo_create();
	struct vyrec_diags diags = {0};
	size_t size;
	d.m->units[d.program].feed = VYRE_FEED_PRIORITY;
	d.m->units[d.program].features = VYRE_HAS_ALL;
	d.m->units[d.program].frame_words = VYRE_BLOB_MAX_FRAME_WORDS;
	uint8_t *bytes = vyrec_vir0_write(d.m, &size);
	struct vyrec_module *m = vyrec_vir0_read("f.vir0", bytes, size, &diags);
	assert_non_null(m);
	assert_int_equal(m->units[d.program].feed, VYRE_FEED_PRIORITY);
	assert_int_equal(m->units[d.program].features, VYRE_HAS_ALL);
	assert_int_equal(m->units[d.program].frame_words, VYRE_BLOB_MAX_FRAME_WORDS);
	assert_int_equal(m->units[d.set].features, 0);
	vyrec_module_destroy(m);
	vyrec_module_destroy(d.m);
	free(bytes);
}

/* Garbage, and the order in which things were made, leave no trace. */
static void test_same_module_same_bytes(void **state)
{
	(void)state;
	struct demo d = demo_create();
	size_t size, again;
	uint8_t *bytes = demo_bytes(&size);
	for (unsigned i = 0; i < 50; i++)
		vyrec_intern_z(d.m, "unused"), demo_u32(&d, i);
	uint8_t *second = vyrec_vir0_write(d.m, &again);
	assert_int_equal(size, again);
	assert_memory_equal(bytes, second, size);
	free(second);
	free(bytes);
	vyrec_module_destroy(d.m);
}

static void test_every_truncation_is_refused(void **state)
{
	(void)state;
	size_t size;
	uint8_t *bytes = demo_bytes(&size);
	for (size_t cut = 0; cut < size; cut++) {
		assert_false(try_read(bytes, cut));
		if (cut >= HEAD) {
			uint8_t head[HEAD];
			memcpy(head, bytes, HEAD);
			seal(bytes, cut);
			assert_false(try_read(bytes, cut));
			memcpy(bytes, head, HEAD);
		}
	}
	free(bytes);
}

static void test_every_flip_is_refused(void **state)
{
	(void)state;
	size_t size;
	uint8_t *bytes = demo_bytes(&size);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 0x10;
		assert_false(try_read(bytes, size));
		bytes[i] ^= 0x10;
	}
	assert_true(try_read(bytes, size));
	free(bytes);
}

/* With a true digest a changed byte may give a module; it must not give a crash. */
static void test_every_sealed_flip_is_safe(void **state)
{
	(void)state;
	const uint8_t flips[] = {0x01, 0x02, 0x7f, 0x80, 0xff};
	size_t size;
	unsigned read = 0;
	uint8_t *bytes = demo_bytes(&size);
	for (size_t i = HEAD; i < size; i++)
		for (unsigned f = 0; f < sizeof flips; f++) {
			bytes[i] ^= flips[f];
			seal(bytes, size);
			read += try_read(bytes, size);
			bytes[i] ^= flips[f];
		}
	assert_true(read > 1000); /* the verifier was reached, often */
	free(bytes);
}

/* Many changed bytes at once, and runs of bytes put elsewhere. */
static void test_sealed_mixtures_are_safe(void **state)
{
	(void)state;
	size_t size;
	uint64_t seed = 42;
	uint8_t *bytes = demo_bytes(&size), *mixed = malloc(size);
	for (unsigned turn = 0; turn < 3000; turn++) {
		memcpy(mixed, bytes, size);
		for (unsigned n = turn % 7 + 1; n; n--) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			size_t at = HEAD + (seed >> 20) % (size - HEAD), from = HEAD + (seed >> 40) % (size - HEAD);
			size_t room = size - (at > from ? at : from), run = turn % 3 ? 1 : (seed >> 8) % 24;
			if (turn % 3)
				mixed[at] = (uint8_t)(seed >> 33) & 0x7f;
			else
				memmove(mixed + at, mixed + from, run < room ? run : room);
		}
		seal(mixed, size);
		try_read(mixed, size);
	}
	free(mixed);
	free(bytes);
}

/* A count is believed only if the bytes for it are there. */
static void test_huge_counts_allocate_nothing(void **state)
{
	(void)state;
	uint8_t bytes[HEAD + 16] = "VIR0\1";
	memset(bytes + HEAD, 0xff, 4);
	bytes[HEAD + 4] = 0x0f; /* 2^32 - 1 names */
	seal(bytes, HEAD + 5);
	assert_false(try_read(bytes, HEAD + 5));
	const uint8_t tables[] = {0, 0, 0xff, 0xff, 0xff, 0x0f}; /* no names, no file, a big table */
	memcpy(bytes + HEAD, tables, sizeof tables);
	seal(bytes, HEAD + sizeof tables);
	assert_false(try_read(bytes, HEAD + sizeof tables));
}

static void test_long_numbers_are_refused(void **state)
{
	(void)state;
	uint8_t bytes[HEAD + 32] = "VIR0\1";
	memset(bytes + HEAD, 0, 14);
	seal(bytes, HEAD + 13); /* names, file, ten counts, comments: an empty module */
	assert_true(try_read(bytes, HEAD + 13));
	bytes[HEAD] = 0x80; /* 0 in two bytes */
	seal(bytes, HEAD + 14);
	assert_false(try_read(bytes, HEAD + 14));
}

static void test_other_version_is_refused(void **state)
{
	(void)state;
	size_t size;
	uint8_t *bytes = demo_bytes(&size);
	bytes[4] = 2;
	struct vyrec_diags diags = {0};
	assert_null(vyrec_vir0_read("f", bytes, size, &diags));
	assert_non_null(strstr(diags.items[0].message, "version 2"));
	vyrec_diags_finish(&diags);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_features_come_back),
	    cmocka_unit_test(test_same_module_same_bytes),
	    cmocka_unit_test(test_every_truncation_is_refused),
	    cmocka_unit_test(test_every_flip_is_refused),
	    cmocka_unit_test(test_every_sealed_flip_is_safe),
	    cmocka_unit_test(test_sealed_mixtures_are_safe),
	    cmocka_unit_test(test_huge_counts_allocate_nothing),
	    cmocka_unit_test(test_long_numbers_are_refused),
	    cmocka_unit_test(test_other_version_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
