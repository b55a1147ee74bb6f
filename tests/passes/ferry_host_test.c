/* ferry_host_test.c - what a host sees that looks on while sets with a queue run behind a mailbox, between any two steps. */
#include "ferry_rig.h"

static const char set_text[] =
    "set demo {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value) }\n"
    "  op turns = 0x101 (at: u32, n: u32) by lane { for i in 0 .. n { yield }; atomic_add(out[at], 1) }\n"
    "  op hold = 0x102 (at: u32) by lane {\n"
    "    loop {\n"
    "      if atomic_load(out[at]) != 0 { break }\n"
    "      relax\n"
    "    }\n"
    "  }\n"
    "}\n";

enum { FENCE = 7, BEFORE = 5 };

static bool has_ended(const uint32_t *ring, uint32_t place)
{
	uint32_t status = ring[place * VYRE_SLOT_WORDS];
	return status == VYRE_SLOT_DONE || status == VYRE_SLOT_FAULT;
}

/* ---- a fence ------------------------------------------------------------------------------------------------------- */

static uint32_t ends_seen; /* looks that found a slot ended on the device */

/* What a fence goes by has been shown to the host; so has the end of the fence after it. That the fence ends between two
 * stores of another worker, a run does not come to. */
static void look_at_ends(struct live_rig *rig)
{
	for (uint32_t place = 0; place <= BEFORE; place++) {
		if (has_ended(rig->ferry->ring, place)) {
			ends_seen++;
			assert_true(has_ended(rig->ring, place));
		}
	}
	for (uint32_t place = 0; has_ended(rig->ring, BEFORE) && place < BEFORE; place++)
		assert_true(has_ended(rig->ring, place));
}

static void a_fence_shows_its_end_after_those_before_it(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.features = VYRE_HAS_BUILTINS, .slots = 8});
		rig.ferry->host = look_at_ends;
		for (uint32_t i = 0; i < BEFORE; i++)
			live_publish(&rig, 0x100 + i % 2, i % 3, 0, 1);
		live_publish(&rig, FENCE, 0, BEFORE, 0);
		ends_seen = 0;
		live_drain(&rig, 1 + (uint32_t)(seed % 4), seed);
		assert_true(ends_seen > 0);
		assert_int_equal(rig.out[0], BEFORE);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* ---- a place that is used again at once ---------------------------------------------------------------------------- */

enum { MANY = 40, LATE_LOOKS = 4000 };
static uint32_t published;
static struct {
	uint32_t looks, place, status; /* until it arrives; which, and what: looks 0 = nothing is on its way */
	uint32_t delayed;	       /* how many have been */
	bool had_ended[8];	       /* places, at the last look */
} late;

/* As publish.c: less than a lap ahead of HEAD, past places that are not free. */
static void publish_where_it_can(struct live_rig *rig)
{
	uint32_t *tail = &rig->live[VYRE_LIVE_TAIL];

	while (published < MANY && *tail - rig->live[VYRE_LIVE_HEAD] < rig->slots) {
		uint32_t place = *tail & (rig->slots - 1);
		if (rig->ring[place * VYRE_SLOT_WORDS] == VYRE_SLOT_EMPTY || has_ended(rig->ring, place))
			live_publish(rig, 0x100 + published++ % 2, 0, 0, 1);
		else
			++*tail;
	}
	if (published == MANY)
		rig->live[VYRE_LIVE_STOP] = 1;
}

/* A worker that is slow between its two last stores: the one to the device's ring, just seen, comes much later. */
static void delay_an_end(struct live_rig *rig)
{
	if (late.looks != 0 && --late.looks == 0) {
		rig->ferry->ring[late.place * VYRE_SLOT_WORDS] = late.status;
		late.had_ended[late.place] = true;
	}
	for (uint32_t place = 0; place < rig->slots; place++) {
		uint32_t *status = &rig->ferry->ring[place * VYRE_SLOT_WORDS];
		if (late.looks == 0 && !late.had_ended[place] && has_ended(rig->ferry->ring, place)) {
			late.looks = LATE_LOOKS;
			late.place = place;
			late.status = *status;
			late.delayed++;
			*status = VYRE_SLOT_CLAIMED;
		}
		late.had_ended[place] = has_ended(rig->ferry->ring, place);
	}
	publish_where_it_can(rig);
}

static void a_place_is_used_again_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.slots = 2u << seed % 3, .first = 0xFFFFFFF0});
		rig.ferry->host = seed % 4 ? delay_an_end : publish_where_it_can;
		published = 0;
		memset(&late, 0, sizeof late);
		live_run(&rig, 1 + (uint32_t)(seed % 4), seed);
		rig.live[VYRE_LIVE_STOP] = 0;
		if (late.looks != 0) /* the last one */
			rig.ferry->ring[late.place * VYRE_SLOT_WORDS] = late.status;
		assert_true(seed % 4 == 0 || late.delayed > 0);
		assert_int_equal(rig.out[0], MANY);
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], 0xFFFFFFF0 + MANY);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* ---- a fence that a worker finds at a position of the lap before ------------------------------------------------- */

enum { RING = 16, FREED = 1 }; /* FREED: the word of `out` that ends op hold */
static uint32_t phase;

static bool have_ended(const struct live_rig *rig, uint32_t first, uint32_t end)
{
	while (first < end && has_ended(rig->ring, first))
		first++;
	return first == end;
}

/* A worker is handed three positions: a slot that it holds on to, and two that publishers had passed over, for the slots in
 * their places were masked. They end; the next lap has a slot and its fence there. Then the worker comes to these places,
 * while the ferry shows the two: it may claim the fence as soon as that is PUBLISHED, and goes by the place before. (That it
 * is quick enough to come in between is one run in 400; that it could is every other one.) */
static void fence_where_it_was_passed_over(struct live_rig *rig)
{
	uint32_t *tail = &rig->live[VYRE_LIVE_TAIL], *device = rig->ferry->ring;
	bool is_shown = device[2 * VYRE_SLOT_WORDS] == VYRE_SLOT_PUBLISHED;

	if (phase == 0 && has_ended(rig->ring, 0) && have_ended(rig, 3, RING)) {
		live_publish(rig, 0x102, 0, FREED, 0);
		*tail += 2;
		for (uint32_t i = 3; i < 13; i++)
			live_publish(rig, 0x100, 0, 0, 1);
		phase = 1;
	} else if (phase == 1 && have_ended(rig, 3, 13)) {
		rig->control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		live_configured(rig);
		phase = 2;
	} else if (phase == 2 && have_ended(rig, 1, 3)) {
		for (uint32_t i = 13; i < RING; i++)
			live_publish(rig, 0x100, 0, 0, 1);
		phase = 3;
	} else if (phase == 3 && have_ended(rig, 13, RING)) {
		++*tail;
		live_publish(rig, 0x101, 0, 0, 3);
		live_publish(rig, FENCE, 0, 1, 0);
		phase = 4;
	} else if (phase == 4 && (is_shown || device[VYRE_SLOT_WORDS] == VYRE_SLOT_PUBLISHED)) {
		assert_false(is_shown && has_ended(device, 1));
		rig->out[FREED] = 1;
		phase = 5;
	} else if (phase == 5 && has_ended(rig->ring, 2)) {
		assert_true(has_ended(rig->ring, 1));
		rig->live[VYRE_LIVE_STOP] = 1;
		phase = 6;
	}
}

static void a_fence_waits_for_a_slot_that_is_shown_with_it(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.features = VYRE_HAS_BUILTINS, .slots = RING});
		rig.ferry->host = fence_where_it_was_passed_over;
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		for (uint32_t i = 0; i < RING; i++)
			live_publish(&rig, 0x100, i == 1 || i == 2, 0, 1);
		phase = 0;
		live_run(&rig, 2, seed);
		rig.live[VYRE_LIVE_STOP] = 0;
		assert_int_equal(phase, 6);
		assert_int_equal(rig.out[0], RING + 10 + 3 + 1);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fence_shows_its_end_after_those_before_it),
	    cmocka_unit_test(a_place_is_used_again_at_once),
	    cmocka_unit_test(a_fence_waits_for_a_slot_that_is_shown_with_it),
	};
	return cmocka_run_group_tests_name("ferry_host", tests, NULL, NULL);
}
