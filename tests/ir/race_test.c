/* race_test.c - what the detector must find, and what it must not report. Each program is run under several seeds: what
 * is found may not depend on the interleaving where the program has no atomic that decides. */
#include "interp_rig.h"

enum { SEEDS = 6 };

/* Runs a program of one workgroup (or more) under all seeds; returns the fewest races, and the most in *most. */
static uint32_t races_of(const char *text, uint32_t workgroups, uint32_t *most)
{
	uint32_t least = UINT32_MAX;
	*most = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		uint32_t data[64] = {0}, flags[16] = {0};
		uint8_t bytes[64] = {0};
		struct rig rig = rig_parse(text);
		rig.options.seed = seed;
		rig_buffer(&rig, "data", data, 64);
		rig_buffer(&rig, "flags", flags, 16);
		rig_buffer(&rig, "bytes", bytes, 64);
		rig_program(&rig, workgroups);
		ASSERT_OK(rig);
		least = rig.result.race_count < least ? rig.result.race_count : least;
		*most = rig.result.race_count > *most ? rig.result.race_count : *most;
		rig_close(&rig);
	}
	return least;
}

static void assert_races(const char *text, uint32_t workgroups, uint32_t want)
{
	uint32_t most, least = races_of(text, workgroups, &most);
	if (least != want || most != want)
		fail_msg("%u to %u races instead of %u in:\n%s", least, most, want, text);
}

#define PROGRAM(lanes, body) \
	"program p workgroup(" #lanes ") {\n buffer data : u32[]\n buffer flags : u32[]\n buffer bytes : u8[]\n" \
	" shared tile : u32[64]\n body {\n" body "\n}\n}\n"

static void plain_accesses(void **state)
{
	(void)state;
	assert_races(PROGRAM(8, "data[lane] = lane"), 1, 0);
	assert_races(PROGRAM(8, "data[0] = lane"), 1, 1);
	assert_races(PROGRAM(8, "data[lane] = data[8]"), 1, 0); /* reads only */
	assert_races(PROGRAM(8, "data[lane] = data[(lane + 1) % 8]"), 1, 1);
	assert_races(PROGRAM(8, "data[lane + 1] = 1\n data[lane] = 2"), 1, 1);
	assert_races(PROGRAM(1, "data[0] = 1"), 2, 1); /* two workgroups */
	assert_races(PROGRAM(1, "data[workgroup_id(0)] = 1"), 8, 0);
}

static void bytes_are_apart(void **state)
{
	(void)state;
	assert_races(PROGRAM(32, "bytes[lane] = lane"), 1, 0);
	assert_races(PROGRAM(32, "bytes[lane / 2] = 1"), 1, 1);
}

static void barriers(void **state)
{
	(void)state;
	assert_races(PROGRAM(8, "tile[lane] = lane\n barrier\n data[lane] = tile[(lane + 1) % 8]"), 1, 0);
	assert_races(PROGRAM(8, "tile[lane] = lane\n data[lane] = tile[(lane + 1) % 8]"), 1, 1);
	/* the second write needs a second barrier: the readers of the first may be late */
	assert_races(PROGRAM(8, "tile[lane] = lane\n barrier\n data[lane] = tile[(lane + 1) % 8]\n tile[lane] = 7"), 1,
		     1);
	assert_races(
	    PROGRAM(8, "tile[lane] = lane\n barrier\n data[lane] = tile[(lane + 1) % 8]\n barrier\n tile[lane] = 7"), 1,
	    0);
	/* around a loop */
	assert_races(
	    PROGRAM(4, "for i in 0 .. 3 {\n tile[lane] = i\n barrier\n data[lane] = tile[(lane + 1) % 4]\n barrier\n}"),
	    1, 0);
	assert_races(PROGRAM(4, "for i in 0 .. 3 {\n tile[lane] = i\n barrier\n data[lane] = tile[(lane + 1) % 4]\n}"),
		     1, 1);
	/* a workgroup's barrier orders nothing between workgroups; the device's does */
	assert_races(PROGRAM(4, "data[workgroup_id(0)] = 1\n barrier\n data[4 + lane] = data[1 - workgroup_id(0)]"), 2,
		     3);
	assert_races(PROGRAM(1, "data[workgroup_id(0)] = 1\n barrier(device)\n"
				"data[4 + workgroup_id(0)] = data[1 - workgroup_id(0)]"),
		     2, 0);
}

/* A collective brings values together, not memory. */
static void collectives_do_not_order(void **state)
{
	(void)state;
	assert_races(PROGRAM(4, "tile[lane] = lane\n let n = reduce_add(1)\n data[lane] = tile[(lane + n + 1) % 4]"), 1,
		     1);
}

static void atomics_and_plain(void **state)
{
	(void)state;
	assert_races(PROGRAM(8, "atomic_add(data[0], 1)"), 2, 0);
	assert_races(PROGRAM(8, "atomic_add(data[0], 1)\n if lane == 0 { data[0] = 5 }"), 1, 1);
	assert_races(PROGRAM(8, "atomic_add(data[0], 1)\n barrier\n if lane == 0 { data[0] = 5 }"), 1, 0);
	assert_races(PROGRAM(8, "data[1 + lane] = atomic_load(data[0])\n if lane == 3 { data[0] = 9 }"), 1, 1);
	assert_races(PROGRAM(8, "data[1 + lane] = atomic_load(data[0]) + data[0]"), 1, 0); /* reads only */
}

#define HANDOFF(write, read) \
	PROGRAM(2, "if lane == 0 {\n data[0] = 42\n" write "\n}\nif lane == 1 {\n loop {\n" read "\n relax\n}\n" \
		   " data[1] = data[0]\n}")

static void handoff(void **state)
{
	(void)state;
	assert_races(HANDOFF("atomic_store(flags[0], 1, release)", "if atomic_load(flags[0], acquire) == 1 { break }"),
		     1, 0);
	assert_races(HANDOFF("atomic_store(flags[0], 1, seqcst)", "if atomic_load(flags[0], seqcst) == 1 { break }"), 1,
		     0);
	assert_races(HANDOFF("atomic_store(flags[0], 1)", "if atomic_load(flags[0], acquire) == 1 { break }"), 1, 1);
	assert_races(HANDOFF("atomic_store(flags[0], 1, release)", "if atomic_load(flags[0]) == 1 { break }"), 1, 1);
	assert_races(HANDOFF("atomic_store(flags[0], 1)", "if atomic_load(flags[0]) == 1 { break }"), 1, 1);
	assert_races(HANDOFF("atomic_add(flags[0], 1, acqrel)", "if atomic_add(flags[0], 0, acqrel) == 1 { break }"), 1,
		     0);
	/* another element orders nothing */
	assert_races(HANDOFF("atomic_store(flags[1], 1, release)\n atomic_store(flags[0], 1)",
			     "if atomic_load(flags[0], acquire) == 1 { break }"),
		     1, 1);
}

static void fences(void **state)
{
	(void)state;
	assert_races(HANDOFF("fence(release)\n atomic_store(flags[0], 1)",
			     "if atomic_load(flags[0]) == 1 {\n fence(acquire)\n break\n }"),
		     1, 0);
	assert_races(HANDOFF("fence(seqcst)\n atomic_store(flags[0], 1)",
			     "if atomic_load(flags[0]) == 1 {\n fence(seqcst)\n break\n }"),
		     1, 0);
	assert_races(HANDOFF("fence(release)\n atomic_store(flags[0], 1)", "if atomic_load(flags[0]) == 1 { break }"),
		     1, 1);
	assert_races(HANDOFF("fence(acquire)\n atomic_store(flags[0], 1)",
			     "if atomic_load(flags[0]) == 1 {\n fence(acquire)\n break\n }"),
		     1, 1);
}

static void workgroup_scope(void **state)
{
	(void)state;
#define ACROSS(writes, reads) \
	PROGRAM(1, \
		"if workgroup_id(0) == 0 {\n data[0] = 1\n atomic_store(flags[0], 1, release, " writes ")\n}\n" \
		"if workgroup_id(0) == 1 {\n loop {\n if atomic_load(flags[0], acquire, " reads ") == 1 { break }\n" \
		" relax\n}\n data[1] = data[0]\n}")
	assert_races(ACROSS("device", "device"), 2, 0);
	assert_races(ACROSS("system", "device"), 2, 0);
	assert_races(ACROSS("workgroup", "workgroup"), 2, 1);
	assert_races(ACROSS("workgroup", "device"), 2, 1);
	assert_races(ACROSS("device", "workgroup"), 2, 1);
#undef ACROSS
}

/* A chain of three: what the second lane acquired it also releases. */
static void chains(void **state)
{
	(void)state;
	assert_races(PROGRAM(3,
			     "if lane == 0 {\n data[0] = 1\n atomic_store(flags[0], 1, release)\n}\n"
			     "if lane == 1 {\n loop {\n if atomic_load(flags[0], acquire) == 1 { break }\n relax\n}\n"
			     " atomic_store(flags[1], 1, release)\n}\n"
			     "if lane == 2 {\n loop {\n if atomic_load(flags[1], acquire) == 1 { break }\n relax\n}\n"
			     " data[1] = data[0]\n}"),
		     1, 0);
	/* a release sequence: relaxed read-modify-writes in between carry it on */
	assert_races(
	    PROGRAM(
		3, "if lane == 0 {\n data[0] = 1\n atomic_store(flags[0], 1, release)\n}\n"
		   "if lane == 1 {\n loop {\n if atomic_compare_exchange(flags[0], 1, 2) == 1 { break }\n relax\n}\n}\n"
		   "if lane == 2 {\n loop {\n if atomic_load(flags[0], acquire) == 2 { break }\n relax\n}\n"
		   " data[1] = data[0]\n}"),
	    1, 0);
}

static void pending_copies(void **state)
{
	(void)state;
#define COPY(between, after) \
	PROGRAM(2, "if lane == 0 { async_load(tile[0], data[0], 4, 1) }\n" between \
		   "\nif lane == 0 {\n async_wait(1)\n}\n" after)
	assert_races(COPY("", "if lane == 0 { data[8] = tile[3] }"), 1, 0);
	assert_races(COPY("", "barrier\n data[8 + lane] = tile[3]"), 1, 0);
	/* barriers do not complete a copy: the other lane writes its source while it runs */
	assert_races(COPY("barrier\n if lane == 1 { data[2] = 7 }\n barrier", ""), 1, 1);
	assert_races(COPY("barrier\n data[8 + lane] = tile[3]\n barrier", ""), 1, 1);
	/* the lane's own accesses are not ordered with its copy either */
	assert_races(COPY("if lane == 0 { tile[1] = 1 }", ""), 1, 1);
	assert_races(COPY("if lane == 0 { data[1] = 1 }", ""), 1, 1);
#undef COPY
}

static void places_are_named(void **state)
{
	(void)state;
	uint32_t data[8] = {0};
	struct rig rig = rig_parse("program p workgroup(2) {\n  buffer data : u32[]\n  body {\n    data[1] = lane\n"
				   "    data[lane + 4] = data[1]\n  }\n}\n");
	rig_buffer(&rig, "data", data, 8);
	rig_program(&rig, 1);
	ASSERT_OK(rig);
	assert_int_equal(rig.result.race_count, 2); /* write and write, write and read */
	bool both = false;
	for (uint32_t k = 0; k < rig.result.race_count; k++) {
		const struct vyrec_race *race = &rig.result.races[k];
		assert_string_equal(vyrec_name_text(rig.module, rig.module->arrays[race->array].name), "data");
		assert_int_equal(race->element, 1);
		unsigned first = VYREC_LOC_LINE(race->first), second = VYREC_LOC_LINE(race->second);
		assert_true(first == 4 || second == 4);
		assert_int_equal(race->write_write, first == 4 && second == 4);
		both |= race->write_write;
	}
	assert_true(both);
	rig.options.detect_races = false;
	rig_program(&rig, 1);
	assert_int_equal(rig.result.race_count, 0);
	rig_close(&rig);
}

static void slots_are_apart(void **state)
{
	(void)state;
	uint32_t data[8] = {0};
	struct rig rig = rig_parse("set s {\n buffer data : u32[]\n op put = 0x100 (k: u32) by lane { data[k] = 1 }\n"
				   " op child = 0x101 (k: u32) by lane { data[k] = data[k] + 1 }\n"
				   " op parent = 0x102 (k: u32) by lane {\n data[k] = 7\n spawn(child, k)\n }\n}\n");
	rig_buffer(&rig, "data", data, 8);
	rig_slot(&rig, 0x100, 1, 0, 0);
	rig_slot(&rig, 0x100, 2, 0, 0);
	rig_slots(&rig);
	ASSERT_OK(rig);
	assert_int_equal(rig.result.race_count, 0);
	/* one worker runs them one after the other, and still nothing orders them */
	rig.slot_count = 0;
	rig_slot(&rig, 0x100, 1, 0, 0);
	rig_slot(&rig, 0x100, 1, 0, 0);
	rig_slots(&rig);
	assert_int_equal(rig.result.race_count, 1);
	/* what a slot did before it spawned is before the spawned slot */
	rig.slot_count = 0;
	rig_slot(&rig, 0x102, 5, 0, 0);
	rig_slots(&rig);
	ASSERT_OK(rig);
	assert_int_equal(rig.result.race_count, 0);
	assert_int_equal(data[5], 8);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_accesses),
	    cmocka_unit_test(bytes_are_apart),
	    cmocka_unit_test(barriers),
	    cmocka_unit_test(collectives_do_not_order),
	    cmocka_unit_test(atomics_and_plain),
	    cmocka_unit_test(handoff),
	    cmocka_unit_test(fences),
	    cmocka_unit_test(workgroup_scope),
	    cmocka_unit_test(chains),
	    cmocka_unit_test(pending_copies),
	    cmocka_unit_test(places_are_named),
	    cmocka_unit_test(slots_are_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
