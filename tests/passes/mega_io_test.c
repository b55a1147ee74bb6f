/* mega_io_test.c - a slots feed that asks the host for bytes, and one that moves bytes for the host. */
#include <errno.h>

#include "mega_rig.h"

enum { SLOTS = 48, LOAD = 0x100, PLAIN = 0x101 };

static const char set_text[] = "set demo {\n"
			       "  buffer sums: u32[]\n"
			       "  op read = 0x100 (source: u32, n: u32, at: u64) by lane {\n"
			       "    var left: u32 = n\n"
			       "    loop {\n"
			       "      if left == 0 { break }\n"
			       "      load(source, at + u64(left), 100 + left, 7)\n"
			       "      left = left - 1\n"
			       "    }\n"
			       "    result(0, source + n)\n"
			       "  }\n"
			       "  op mark = 0x101 (at: u32) by lane { atomic_add(sums[at], 1) }\n"
			       "}\n";

static uint32_t *entry_at(struct mega *g, uint32_t entry)
{
	return &g->io[entry * VYRE_IO_ENTRY_WORDS];
}

/* A host that completes every published entry below `entries`; an id of 99 has an error. Returns how many. */
static uint32_t serve(struct mega *g, uint32_t entries)
{
	uint32_t served = 0;
	for (uint32_t e = 0; e < entries; e++) {
		uint32_t *words = entry_at(g, e);
		if (words[VYRE_IO_WORD_STATUS] != VYRE_SLOT_PUBLISHED)
			continue;
		assert_int_equal(words[VYRE_IO_WORD_OP], VYRE_IO_OP_READ);
		bool bad = words[VYRE_IO_WORD_SRC_HANDLE] == 99;
		words[VYRE_IO_WORD_STATUS] = bad ? VYRE_IO_STATUS_ERROR : VYRE_IO_STATUS_OK;
		if (bad)
			words[VYRE_IO_WORD_OFFSET_LO] = 5;
		served++;
	}
	return served;
}

static void a_load_waits_for_the_host(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
	assert_int_equal(g.module->units[1].features & (VYRE_HAS_IO | VYRE_HAS_SUSPEND | VYRE_HAS_RECORDS),
			 VYRE_HAS_IO | VYRE_HAS_SUSPEND | VYRE_HAS_RECORDS);
	MEGA_PUT(&g, 2, LOAD, 1, 42, 1, 0xFFFFFFFF, 2);
	mega_run(&g, 0, 1, 0);
	const uint32_t *words = entry_at(&g, 0), *note = &g.frames[VYRE_FRAMES_IO];
	assert_int_equal(mega_slot(&g, 2)[0], VYRE_SLOT_WAIT_IO);
	assert_int_equal(g.launch[VYRE_LAUNCH_IO_ASKED], 1);
	assert_int_equal(words[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED);
	assert_int_equal(words[VYRE_IO_WORD_SRC_HANDLE], 42);
	assert_int_equal(words[VYRE_IO_WORD_DST_HANDLE], 42);
	assert_int_equal(words[VYRE_IO_WORD_OFFSET_LO], 0);
	assert_int_equal(words[VYRE_IO_WORD_OFFSET_HI], 3);
	assert_int_equal(words[VYRE_IO_WORD_BYTE_COUNT], 101);
	assert_int_equal(note[VYRE_IO_NOTE_TENANT], 1);
	assert_int_equal(note[VYRE_IO_NOTE_DESTINATION_LO], 7);
	assert_int_equal(note[VYRE_IO_NOTE_SLOT], 3);
	assert_int_equal(serve(&g, 32), 1);
	mega_run(&g, 0, 1, 0);
	assert_int_equal(mega_slot(&g, 2)[0], VYRE_SLOT_DONE);
	assert_int_equal(mega_args(&g, 2)[0], 43);
	assert_int_equal(words[VYRE_IO_WORD_STATUS], VYRE_SLOT_EMPTY);
	assert_int_equal(note[VYRE_IO_NOTE_SLOT], 0);
	mega_assert_clear(&g);
	mega_close(&g);
}

/* More slots that load than entries, several times each: those that find none ask again, and everybody is served. */
static void a_full_queue_parks_and_asks_again(void **state)
{
	static const uint32_t queues[] = {32, 3, 1};
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++)
		for (size_t q = 0; q < 3; q++) {
			struct mega g;
			uint32_t served = 0, turns = 0;
			mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, mega_widths[w], SLOTS);
			mega_find(&g, "io_queue")->count = (uint64_t)queues[q] * VYRE_IO_ENTRY_WORDS;
			g.races = true;
			for (uint32_t i = 0; i < SLOTS; i++)
				if (i % 4 == 3)
					MEGA_PUT(&g, i, PLAIN, 0, 0);
				else
					MEGA_PUT(&g, i, LOAD, 0, i % 5 == 0 ? 99 : i, 2, 0, 0);
			do {
				mega_run(&g, 3, 2, ++turns);
				served += serve(&g, queues[q]);
			} while (turns < 200 && g.control[VYRE_CONTROL_DONE_COUNT] < SLOTS);
			assert_int_equal(g.control[VYRE_CONTROL_DONE_COUNT], SLOTS);
			for (uint32_t i = 0; i < SLOTS; i++)
				if (i % 4 != 3 && i % 5 == 0)
					mega_assert_fault(&g, i, VYRE_FAULT_IO, 5);
				else if (i % 4 != 3)
					assert_int_equal(mega_args(&g, i)[0], i + 2);
			assert_int_equal(served, 28 * 2 + 8); /* a failed one does not ask twice */
			assert_int_equal(((uint32_t *)mega_data(&g, "sums"))[0], SLOTS / 4);
			mega_assert_clear(&g);
			mega_close(&g);
		}
}

static void without_an_io_queue_nothing_hangs(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 4, 8);
	mega_find(&g, "io_queue")->count = 0;
	MEGA_PUT(&g, 0, LOAD, 0, 1, 1, 0, 0);
	MEGA_PUT(&g, 1, PLAIN, 0, 0);
	mega_run(&g, 0, 1, 0);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_WAIT_IO);
	assert_int_equal(mega_slot(&g, 1)[0], VYRE_SLOT_DONE);
	mega_close(&g);
}

/* What a host may write into its words: the device goes by its own notes. */
static void a_hostile_host_harms_nobody(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
	for (uint32_t e = 0; e < 32; e++) /* completions that nobody has asked for, other statuses */
		entry_at(&g, e)[VYRE_IO_WORD_STATUS] = e < 4 ? VYRE_IO_STATUS_OK : e < 8 ? 0xFFFFFFFF : e;
	MEGA_PUT(&g, 0, LOAD, 0, 1, 1, 0, 0);
	mega_run(&g, 0, 1, 0);
	assert_int_equal(entry_at(&g, 0)[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED); /* nobody waited for it */
	entry_at(&g, 0)[VYRE_IO_WORD_TAG] = 0xFFFFFFFF;
	mega_slot(&g, 0)[0] = VYRE_SLOT_REQUEUE; /* a status says nothing about an entry */
	mega_run(&g, 1, 1, 0);
	entry_at(&g, 0)[VYRE_IO_WORD_STATUS] = VYRE_IO_STATUS_ERROR;
	entry_at(&g, 0)[VYRE_IO_WORD_OFFSET_LO] = 0;
	mega_run(&g, 0, 1, 0);
	assert_true(mega_slot(&g, 0)[0] == VYRE_SLOT_FAULT || mega_slot(&g, 0)[0] == VYRE_SLOT_DONE);
	mega_close(&g);
}

/* A host takes a waiting slot away and publishes another one in its place: the entry comes back when it has ended. */
static void an_entry_outlives_its_waiter(void **state)
{
	static const unsigned feeds[] = {VYRE_FEED_SLOTS, VYRE_FEED_PRIORITY};
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++)
		for (size_t f = 0; f < 2; f++)
			for (unsigned again = 0; again < 2; again++) { /* the next one loads too, or does not */
				struct mega g;
				mega_open(&g, set_text, feeds[f], 0, mega_widths[w], 8);
				mega_find(&g, "io_queue")->count = VYRE_IO_ENTRY_WORDS;
				MEGA_PUT(&g, 3, LOAD, 0, 1, 1, 0, 0);
				mega_run(&g, 0, 1, 1);
				assert_int_equal(mega_slot(&g, 3)[0], VYRE_SLOT_WAIT_IO);
				MEGA_PUT(&g, 3, again ? LOAD : PLAIN, 0, 1, 1, 0, 0);
				MEGA_PUT(&g, 5, LOAD, 0, 2, 1, 0, 0);
				for (unsigned turn = 0; turn < 8; turn++) {
					mega_run(&g, 0, 1, 2 + turn);
					serve(&g, 1);
				}
				mega_run(&g, 0, 1, 10);
				assert_int_equal(mega_slot(&g, 3)[0], VYRE_SLOT_DONE);
				assert_int_equal(mega_slot(&g, 5)[0], VYRE_SLOT_DONE);
				mega_close(&g);
			}
}

/* ---- LOAD_MISS ------------------------------------------------------------------------------------------------------------ */

static void a_load_miss_ends_when_its_bytes_are_there(void **state)
{
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS | VYRE_HAS_IO, mega_widths[w], 8);
		MEGA_PUT(&g, 0, VYRE_OPCODE_LOAD_MISS, 0, 42, 0, 0, 0x11, 0x22, 0x33, 0x44);
		mega_run(&g, 0, 1, 1);
		const uint32_t *words = entry_at(&g, 0);
		assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_WAIT_IO);
		assert_memory_equal(words, ((uint32_t[]){VYRE_IO_OP_READ, 42, 42, 0x11, 0x22, 0x33, 1}), 28);
		assert_int_equal(g.frames[VYRE_FRAMES_IO + VYRE_IO_NOTE_DESTINATION_LO], 0x44);
		serve(&g, 32);
		MEGA_PUT(&g, 1, VYRE_OPCODE_LOAD_MISS, 0, 99, 0, 9);
		mega_run(&g, 0, 1, 2);
		assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_DONE);
		assert_int_equal(entry_at(&g, 0)[VYRE_IO_WORD_STATUS] + entry_at(&g, 1)[VYRE_IO_WORD_STATUS],
				 VYRE_SLOT_PUBLISHED);
		serve(&g, 32);
		mega_run(&g, 0, 1, 3);
		mega_assert_fault(&g, 1, VYRE_FAULT_IO, 5);
		mega_assert_clear(&g);
		mega_close(&g);
	}
}

static void a_prefetch_returns_at_once(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS | VYRE_HAS_IO, 1, 64);
	for (uint32_t i = 0; i < 40; i++) /* eight more than there are entries */
		MEGA_PUT(&g, i, VYRE_OPCODE_LOAD_MISS, 0, i, 1, 100);
	mega_run(&g, 1, 1, 0);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(mega_slot(&g, i)[0], VYRE_SLOT_DONE);
	assert_int_equal(entry_at(&g, 31)[VYRE_IO_WORD_SRC_HANDLE], 31);
	assert_int_equal(entry_at(&g, 31)[VYRE_IO_WORD_DST_HANDLE], 100);
	assert_int_equal(entry_at(&g, 32)[VYRE_IO_WORD_STATUS], VYRE_SLOT_EMPTY); /* the host's */
	assert_int_equal(serve(&g, 32), 32);
	MEGA_PUT(&g, 0, VYRE_OPCODE_LOAD_MISS, 0, 50, 0); /* entries that nobody waits for are free again */
	mega_run(&g, 0, 1, 0);
	assert_int_equal(entry_at(&g, 0)[VYRE_IO_WORD_SRC_HANDLE], 50);
	serve(&g, 32);
	mega_run(&g, 0, 1, 0);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_DONE);
	mega_assert_clear(&g);
	mega_close(&g);
}

static void without_io_there_is_no_load_miss(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, "set s { op a = 9 () by lane {} }", VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS, 1, 8);
	MEGA_PUT(&g, 0, VYRE_OPCODE_LOAD_MISS, 0, 1);
	mega_run(&g, 1, 1, 0);
	mega_assert_fault(&g, 0, VYRE_FAULT_UNKNOWN_OPCODE, VYRE_OPCODE_LOAD_MISS);
	mega_close(&g);
}

/* ---- io by the kernel --------------------------------------------------------------------------------------------------- */

static void ask(struct mega *g, uint32_t entry, uint32_t op, uint32_t source, uint32_t destination, uint64_t offset,
		uint32_t bytes)
{
	struct vyre_io_request request = {entry, op, source, destination, offset, bytes, 0xABC};
	assert_int_equal(vyre_io_publish(g->io, 4 * VYRE_IO_WORDS, &request), VYRE_IO_ERROR_NONE);
}

static void set_range(struct mega *g, uint32_t row, uint64_t base, uint32_t bytes, uint32_t rights)
{
	uint32_t *table = mega_data(g, "io_table");
	table[row * VYRE_IO_TABLE_WORDS + VYRE_IO_TABLE_BASE_LO] = (uint32_t)base;
	table[row * VYRE_IO_TABLE_WORDS + VYRE_IO_TABLE_BASE_HI] = (uint32_t)(base >> 32);
	table[row * VYRE_IO_TABLE_WORDS + VYRE_IO_TABLE_BYTES] = bytes;
	table[row * VYRE_IO_TABLE_WORDS + VYRE_IO_TABLE_RIGHTS] = rights;
}

static void open_service(struct mega *g, uint32_t lanes)
{
	mega_open(g, set_text, VYRE_FEED_SLOTS, VYRE_HAS_SERVICE, lanes, 8);
	uint8_t *source = mega_data(g, "io_source");
	for (unsigned i = 0; i < MEGA_OWN; i++)
		source[i] = (uint8_t)(i + 1);
	set_range(g, 0, 8, 16, VYRE_IO_RIGHT_READ);
	set_range(g, 1, 32, 20, VYRE_IO_RIGHT_WRITE);
	set_range(g, 2, 0, MEGA_OWN, VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE);
	set_range(g, 3, MEGA_OWN - 4, 5, VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE); /* one byte too many */
	set_range(g, 4, UINT64_C(1) << 32, 4, VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE);
	set_range(g, 6, UINT64_MAX - 3, 8, VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE); /* its end is 4 */
	set_range(g, 5, UINT64_MAX, 0xFFFFFFFF, VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE);
}

static void bytes_move_for_the_host(void **state)
{
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		open_service(&g, mega_widths[w]);
		ask(&g, 32, VYRE_IO_OP_READ, 0, 1, 4, 12);  /* all that is behind the offset */
		ask(&g, 40, VYRE_IO_OP_WRITE, 0, 1, 13, 7); /* the end of the destination */
		ask(&g, 50, VYRE_IO_OP_FENCE, 0, 0, 0, 0);
		ask(&g, 63, VYRE_IO_OP_READ, 2, 2, MEGA_OWN, 0); /* nothing, at the end */
		ask(&g, 5, VYRE_IO_OP_READ, 0, 1, 0, 4);	 /* the device's entries are no requests of the host */
		mega_run(&g, 0, 2, 3);
		const uint8_t *to = mega_data(&g, "io_destination");
		for (unsigned i = 0; i < MEGA_OWN; i++)
			assert_int_equal(to[i], i >= 32 && i < 44   ? i - 32 + 8 + 4 + 1
						: i >= 45 && i < 52 ? i - 45 + 8 + 1
								    : 0);
		for (uint32_t e = 32; e < 64; e++) {
			bool asked = e == 32 || e == 40 || e == 50 || e == 63;
			assert_int_equal(entry_at(&g, e)[VYRE_IO_WORD_STATUS],
					 asked ? VYRE_IO_STATUS_OK : VYRE_SLOT_EMPTY);
		}
		assert_int_equal(entry_at(&g, 32)[VYRE_IO_WORD_TAG], 0xABC);
		assert_int_equal(entry_at(&g, 32)[VYRE_IO_WORD_BYTE_COUNT], 12);
		assert_int_equal(entry_at(&g, 5)[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED);
		mega_close(&g);
	}
}

static void what_does_not_fit_moves_nothing(void **state)
{
	static const struct {
		uint32_t op, source, destination, bytes;
		uint64_t offset;
		uint32_t why;
	} rows[] = {{VYRE_IO_OP_READ, 16, 1, 1, 0, EBADF},
		    {VYRE_IO_OP_READ, 0xFFFFFFFF, 1, 1, 0, EBADF},
		    {VYRE_IO_OP_READ, 0, 16, 1, 0, EBADF},
		    {VYRE_IO_OP_READ, 1, 1, 1, 0, EACCES},
		    {VYRE_IO_OP_READ, 0, 0, 1, 0, EACCES},
		    {VYRE_IO_OP_READ, 0, 1, 17, 0, EINVAL},
		    {VYRE_IO_OP_READ, 0, 1, 1, 16, EINVAL},
		    {VYRE_IO_OP_READ, 0, 1, 2, UINT64_MAX, EINVAL},
		    {VYRE_IO_OP_READ, 2, 1, 21, 0, EINVAL},
		    {VYRE_IO_OP_WRITE, 2, 1, 2, 19, EINVAL},
		    {VYRE_IO_OP_READ, 2, 1, 0xFFFFFFFF, 1, EINVAL},
		    {VYRE_IO_OP_READ, 3, 1, 1, 0, ERANGE},
		    {VYRE_IO_OP_READ, 2, 3, 1, 0, ERANGE},
		    {VYRE_IO_OP_READ, 4, 1, 1, 0, ERANGE},
		    {VYRE_IO_OP_READ, 2, 5, 1, 0, ERANGE},
		    {VYRE_IO_OP_READ, 5, 1, 1, 0, ERANGE},
		    {VYRE_IO_OP_READ, 6, 1, 1, 5, ERANGE},
		    {VYRE_IO_OP_WRITE, 0, 6, 1, 5, ERANGE},
		    {VYRE_IO_OP_WRITE, 0, 1, 1, UINT64_C(1) << 32, EINVAL}};
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++)
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			struct mega g;
			open_service(&g, mega_widths[w]);
			ask(&g, 33, rows[i].op, rows[i].source, rows[i].destination, rows[i].offset, rows[i].bytes);
			ask(&g, 34, VYRE_IO_OP_READ, 0, 1, 0, 1); /* the next one is served all the same */
			mega_run(&g, 2, 1, 0);
			const uint8_t *to = mega_data(&g, "io_destination");
			assert_int_equal(entry_at(&g, 33)[VYRE_IO_WORD_STATUS], VYRE_IO_STATUS_ERROR);
			assert_int_equal(entry_at(&g, 33)[VYRE_IO_WORD_OFFSET_LO], rows[i].why);
			assert_int_equal(entry_at(&g, 33)[VYRE_IO_WORD_BYTE_COUNT], 0);
			assert_int_equal(entry_at(&g, 34)[VYRE_IO_WORD_STATUS], VYRE_IO_STATUS_OK);
			for (unsigned k = 0; k < MEGA_OWN; k++)
				assert_int_equal(to[k], k == 32 ? 9 : 0);
			mega_close(&g);
		}
}

static void an_op_that_is_none_is_an_error(void **state)
{
	struct mega g;
	(void)state;
	open_service(&g, 1);
	ask(&g, 40, VYRE_IO_OP_READ, 0, 1, 0, 1);
	entry_at(&g, 40)[VYRE_IO_WORD_OP] = 9;
	mega_run(&g, 1, 1, 0);
	assert_int_equal(entry_at(&g, 40)[VYRE_IO_WORD_STATUS], VYRE_IO_STATUS_ERROR);
	assert_int_equal(entry_at(&g, 40)[VYRE_IO_WORD_OFFSET_LO], EINVAL);
	mega_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_load_waits_for_the_host),
	    cmocka_unit_test(a_full_queue_parks_and_asks_again),
	    cmocka_unit_test(without_an_io_queue_nothing_hangs),
	    cmocka_unit_test(a_hostile_host_harms_nobody),
	    cmocka_unit_test(an_entry_outlives_its_waiter),
	    cmocka_unit_test(a_load_miss_ends_when_its_bytes_are_there),
	    cmocka_unit_test(a_prefetch_returns_at_once),
	    cmocka_unit_test(without_io_there_is_no_load_miss),
	    cmocka_unit_test(bytes_move_for_the_host),
	    cmocka_unit_test(what_does_not_fit_moves_nothing),
	    cmocka_unit_test(an_op_that_is_none_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
