/* ferry_storm_test.c - sets with a queue behind a mailbox with everything at once, and a host that looks on: slots that yield,
 * spawn and end, fences, masks, quotas, requests to end, launches that end for idleness or a limit and go on. Each slot runs
 * once or is cancelled as asked, none while its tenant has been masked since before it was published, and a fence ends
 * after what stands before it. */
#include "ferry_rig.h"

static const char set_text[] =
    "set storm {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, n: u32) by lane { atomic_add(out[at], 1); result(0, n + 1) }\n"
    "  op turns = 0x101 (at: u32, n: u32) by lane {\n"
    "    for i in 0 .. n % 5 { yield }\n"
    "    atomic_add(out[at], 1)\n"
    "    result(0, n + 1)\n"
    "  }\n"
    "  op child = 0x103 (n: u32) by lane { for i in 0 .. n { yield } }\n"
    "  op forks = 0x102 (at: u32, n: u32) by lane {\n"
    "    spawn(child, n % 3) else { relax }\n"
    "    join\n"
    "    atomic_add(out[at], 1)\n"
    "    result(0, n + 1)\n"
    "  }\n"
    "}\n";

enum { FENCE = 7, TENANTS = 3, PLACES = 16, SLOTS = 60, SEEDS = 12 };

static const struct {
	uint32_t slots, workers;
} shapes[] = {{2, 1}, {4, 2}, {8, 3}, {16, 4}};
#define SHAPES (sizeof shapes / sizeof *shapes)

struct place {
	bool in_use, is_masked, is_asked, is_fence; /* is_masked: since before it was published */
	uint32_t position, tenant, at, value;	    /* value of a fence: how many slots it covers */
};

static struct storm {
	struct place places[PLACES];
	bool masks[TENANTS];						 /* nonzero: masked */
	uint32_t left, ran[LIVE_OUT], cancelled, fenced, changed, quiet; /* looks until it does something */
	bool is_commanding, is_ending;
	uint32_t command_position;
	uint64_t random;
} storm;

static uint32_t storm_random(void)
{
	storm.random = storm.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(storm.random >> 33);
}

static bool is_ended(uint32_t status)
{
	return status == VYRE_SLOT_DONE || status == VYRE_SLOT_FAULT;
}

static void look_at_fence(struct live_rig *rig, const struct place *fence)
{
	for (uint32_t i = 1; i <= fence->value; i++)
		assert_true(is_ended(*live_slot(rig, fence->position - i)));
	storm.fenced++;
}

static void look(struct live_rig *rig)
{
	for (uint32_t i = 0; i < rig->slots; i++) {
		struct place *p = &storm.places[i];
		const uint32_t *words = live_slot(rig, i);
		if (!p->in_use || !is_ended(*words))
			continue;
		if (*words == VYRE_SLOT_FAULT) {
			assert_true(p->is_asked);
			assert_int_equal(words[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_CANCELLED);
			storm.cancelled++;
		} else {
			assert_false(p->is_masked);
			if (p->is_fence) {
				look_at_fence(rig, p);
			} else {
				assert_int_equal(words[VYRE_SLOT_WORD_ARG0], p->value + 1);
				storm.ran[p->at]++;
			}
		}
		p->in_use = false;
	}
}

static void mask(struct live_rig *rig, uint32_t tenant, bool is_masked)
{
	storm.masks[tenant] = is_masked;
	storm.changed = tenant;
	for (uint32_t i = 0; i < rig->slots && !is_masked; i++)
		if (storm.places[i].tenant == tenant)
			storm.places[i].is_masked = false;
	rig->control[VYRE_CONTROL_TENANT_MASK + tenant] = !is_masked;
	live_configured(rig);
}

static bool is_answered(const struct live_rig *rig)
{
	return rig->live[VYRE_LIVE_COMMAND] == rig->live[VYRE_LIVE_COMMAND_DONE];
}

static void ask(struct live_rig *rig)
{
	uint32_t from = storm_random();
	if (!is_answered(rig))
		return;
	storm.is_commanding = false;
	for (uint32_t i = 0; i < rig->slots; i++) {
		struct place *p = &storm.places[(from + i) % rig->slots];
		if (!p->in_use || p->is_asked || (storm.is_ending && p->tenant != 1))
			continue;
		p->is_asked = storm.is_commanding = true;
		storm.command_position = p->position;
		live_ask_cancel(rig, p->position);
		return;
	}
	if (storm.is_ending && storm.masks[1]) /* who waits for a child has to wait for it all the same */
		mask(rig, 1, false);
}

/* Places that the host holds: hold.c. */
static bool is_held(const struct live_rig *rig, uint32_t position)
{
	if (storm.is_commanding && !is_answered(rig) && position - storm.command_position >= rig->slots)
		return true;
	for (uint32_t i = 0; i < rig->slots; i++) {
		const struct place *p = &storm.places[i];
		if (p->in_use && p->is_fence && position - p->position + p->value >= rig->slots)
			return true;
	}
	return false;
}

static bool is_free(struct live_rig *rig, uint32_t position)
{
	return position - rig->live[VYRE_LIVE_HEAD] < rig->slots && !is_held(rig, position) &&
	       !storm.places[position & (rig->slots - 1)].in_use;
}

static struct place *publish(struct live_rig *rig, uint32_t opcode, uint32_t at, uint32_t value)
{
	uint32_t *tail = &rig->live[VYRE_LIVE_TAIL],
		 tenant = storm_random() % 2 ? storm_random() % TENANTS : storm.changed;
	struct place *p = &storm.places[*tail & (rig->slots - 1)];
	*p = (struct place){true, storm.masks[tenant], false, opcode == FENCE, *tail, tenant, at, value};
	if (opcode == FENCE)
		live_publish(rig, FENCE, tenant, value, 0);
	else
		live_publish(rig, opcode, tenant, at, value);
	storm.left--;
	return p;
}

/* Some slots on consecutive positions, and now and then a fence over them. */
static void publish_some(struct live_rig *rig)
{
	uint32_t *tail = &rig->live[VYRE_LIVE_TAIL], most = 1 + storm_random() % 5, count = 0, skip = 0;

	while (skip < rig->slots && !is_free(rig, *tail + skip))
		skip++;
	if (skip == rig->slots)
		return;
	*tail += skip;
	for (; count < most && storm.left > 1 && is_free(rig, *tail); count++)
		publish(rig, 0x100 + storm_random() % 3, storm_random() % LIVE_OUT, storm_random());
	if (storm.left > 0 && is_free(rig, *tail) && (storm_random() % 2 || count == 0))
		publish(rig, FENCE, 0, count);
}

static void weather(struct live_rig *rig)
{
	look(rig);
	if (storm.quiet > 0) {
		storm.quiet--;
		return;
	}
	storm.quiet = storm_random() % (storm_random() % 16 ? 100 : 10000);
	if (storm.left == 0) {
		if (!storm.is_ending) { /* two may run; the third is masked and its slots are asked to end */
			for (uint32_t i = 0; i < TENANTS; i++) {
				mask(rig, i, i == 1);
				rig->control[VYRE_CONTROL_TENANT_QUOTA + i] = VYRE_TENANT_QUOTA_DEFAULT;
			}
			storm.is_ending = true;
		}
		ask(rig);
		return;
	}
	switch (storm_random() % 8) {
	case 0:
		mask(rig, storm_random() % TENANTS, storm_random() % 3 == 0);
		break;
	case 1:
		rig->control[VYRE_CONTROL_TENANT_QUOTA + storm_random() % TENANTS] =
		    storm_random() % 4 ? storm_random() % 20 : 1;
		live_configured(rig);
		break;
	case 2:
		if (storm_random() % 16 == 0)
			ask(rig);
		break;
	default:
		if (storm_random() % 2)
			mask(rig, storm_random() % TENANTS, storm_random() % 2);
		publish_some(rig);
		break;
	}
}

static bool is_calm(struct live_rig *rig)
{
	for (uint32_t i = 0; i < rig->slots; i++)
		if (storm.places[i].in_use)
			return false;
	return storm.left == 0 && storm.is_ending && is_answered(rig) && rig->live[VYRE_LIVE_RETIRED] == SLOTS - 8;
}

static void nothing_is_lost_in_a_storm(void **state)
{
	static const uint32_t idle[] = {3, 12, 60};
	uint32_t cancelled = 0, fenced = 0, all = 0;
	(void)state;
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct live_rig rig;
			uint32_t launches = 0;
			live_open(&rig, set_text,
				  (struct live_params){.features = VYRE_HAS_BUILTINS,
						       .slots = shapes[shape].slots,
						       .spawned = 4,
						       .first = (uint32_t)-8});
			memset(&storm, 0, sizeof storm);
			storm.left = SLOTS;
			storm.random = seed;
			rig.ferry->host = weather;
			for (; !is_calm(&rig); launches++) {
				assert_true(launches < 1000);
				rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = idle[(seed + launches) % 3];
				rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = launches % 3 == 1;
				live_run(&rig, shapes[shape].workers, seed * 7919 + launches);
				look(&rig);
				weather(&rig);
			}
			all += launches;
			assert_memory_equal(rig.out, storm.ran, sizeof storm.ran);
			cancelled += storm.cancelled;
			fenced += storm.fenced;
			rig.live[VYRE_LIVE_AWAY] = 0;
			live_is_clean(&rig);
			live_close(&rig);
		}
	assert_true(cancelled > 0 && fenced > 0);
	assert_true(all > SHAPES * SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost_in_a_storm)};
	return cmocka_run_group_tests_name("ferry_storm", tests, NULL, NULL);
}
