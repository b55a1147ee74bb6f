/* mailbox_storm_test.c - the live feed behind a mailbox with everything at once: lone slots and batches of ops by lane and by
 * workgroup, masks, quotas, requests to end, launches that end for any reason and go on. The host looks on: each slot runs
 * once or is cancelled because that was asked for, and none runs while its tenant has been masked since before it was
 * published. In the end slots of a masked tenant are asked to end one by one, and nothing is left. */
#include "tests/passes/mailbox_rig.h"

static const char text[] =
    "set storm {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], 1); result(0, value + 1) }\n"
    "  op slow = 0x101 (at: u32, value: u32) by lane {\n"
    "    for i in 0 .. value % 16 { relax }\n"
    "    atomic_add(out[at], 1)\n"
    "    result(0, value + 1)\n"
    "  }\n"
    "  op wide = 0x102 (at: u32, value: u32) by workgroup {\n"
    "    let all = reduce_add(u32(1))\n"
    "    if lane == 0 { atomic_add(out[at], all / lanes) }\n"
    "    result(0, value + 1)\n"
    "  }\n"
    "}\n";

static const struct {
	uint32_t slots, lanes, workgroups;
	bool one_lane;
} shapes[] = {{2, 1, 1, true},	{4, 1, 3, true},   {2, 4, 2, false},
	      {8, 4, 1, false}, {16, 4, 3, false}, {8, 32, 2, false}};
#define SHAPES (sizeof shapes / sizeof *shapes)

enum { TENANTS = 3, PLACES = 16, SLOTS = 60, SEEDS = 20, ROUNDS = 10 };

struct place {
	bool in_use, is_masked, is_asked; /* is_masked: since before it was published */
	uint32_t position, tenant, at, value;
};

static struct storm {
	struct place places[PLACES];
	bool masks[TENANTS];			      /* nonzero: masked */
	uint32_t left, ran[BOX_OUT], cancelled, pace; /* pace: turns between what it does, at most */
	bool is_commanding, is_ending;
	uint32_t command_position, changed, quiet; /* the tenant whose mask was last; turns until it does something */
} storm;

static bool is_ended(uint32_t status)
{
	return status == VYRE_SLOT_DONE || status == VYRE_SLOT_FAULT;
}

static bool is_stored(const struct box *box, const uint32_t *word)
{
	for (uint32_t i = box->stored; i < box->store_count; i++)
		if (box->stores[i].word == word)
			return false;
	return true;
}

static void look(struct box *box)
{
	for (uint32_t i = 0; i < box->slots; i++) {
		struct place *p = &storm.places[i];
		const uint32_t *words = box_slot(box, i);
		if (!p->in_use || !is_stored(box, words) || !is_ended(*words))
			continue;
		if (*words == VYRE_SLOT_FAULT) {
			assert_true(p->is_asked);
			box_is_fault(words, VYRE_FAULT_CANCELLED, 0);
			storm.cancelled++;
		} else {
			assert_false(p->is_masked);
			box_is_done(box, words, p->value + 1);
			storm.ran[p->at]++;
		}
		p->in_use = false;
	}
}

static bool has_stored(const struct box *box)
{
	return box->stored == box->store_count;
}

static void mask(struct box *box, uint32_t tenant, bool is_masked)
{
	storm.masks[tenant] = is_masked;
	storm.changed = tenant;
	for (uint32_t i = 0; i < box->slots && !is_masked; i++)
		if (storm.places[i].tenant == tenant)
			storm.places[i].is_masked = false;
	box_mask(box, tenant, !is_masked);
}

static void ask(struct box *box)
{
	uint32_t from = box_random(box);
	if (storm.is_commanding) {
		if (box->line[VYRE_LIVE_COMMAND_DONE] != box->line[VYRE_LIVE_COMMAND])
			return;
		storm.is_commanding = false;
	}
	for (uint32_t i = 0; i < box->slots; i++) {
		struct place *p = &storm.places[(from + i) % box->slots];
		if (!p->in_use || p->is_asked || (storm.is_ending && p->tenant != 1))
			continue;
		p->is_asked = storm.is_commanding = true;
		storm.command_position = p->position;
		box_cancel(box, p->position);
		return;
	}
}

static void publish(struct box *box)
{
	uint32_t most = box_random(box) % 2 ? 1 : 1 + box_random(box) % 6;
	bool any = false;

	for (; most > 0 && storm.left > 0 && box_has_room(box); most--) {
		struct place *p = &storm.places[box->tail & (box->slots - 1)];
		uint32_t tenant = box_random(box) % 2 ? box_random(box) % TENANTS : storm.changed,
			 at = box_random(box) % BOX_OUT, value = box_random(box);
		if (storm.is_commanding && box->tail - storm.command_position >= box->slots)
			break; /* the place is held */
		if (p->in_use || !box_is_free(box, box->tail)) {
			bool has_free = false;
			for (uint32_t i = 1; i < box->slots && !has_free; i++)
				has_free =
				    !storm.places[(box->tail + i) & (box->slots - 1)].in_use &&
				    box->tail + i - box->line[VYRE_LIVE_HEAD] < box->slots &&
				    box_is_free(box, box->tail + i) &&
				    !(storm.is_commanding && box->tail + i - storm.command_position >= box->slots);
			if (!has_free)
				break;
			box->tail++;
			most++;
			continue;
		}
		*p = (struct place){true, storm.masks[tenant], false, box->tail, tenant, at, value};
		BOX_PUT(box, 0x100 + box_random(box) % 3, tenant, at, value);
		storm.left--;
		any = true;
	}
	if (any)
		box_show(box);
}

static void weather(struct box *box)
{
	look(box);
	if (storm.quiet > 0) {
		storm.quiet--;
		return;
	}
	storm.quiet = storm.pace ? box_random(box) % storm.pace : 0;
	if (box->turns > 3000 && box->launch[VYRE_LAUNCH_IDLE_LIMIT] == 0 &&
	    box->launch[VYRE_LAUNCH_ROUND_LIMIT] == 0) {
		*(box_random(box) % 2 ? &box->line[VYRE_LIVE_STOP] : &box->host[VYRE_CONTROL_SHUTDOWN]) = 2;
		return;
	}
	if (storm.left == 0) {
		if (!storm.is_ending) { /* two may run; the third is masked and its slots are asked to end */
			for (uint32_t i = 0; i < TENANTS; i++) {
				mask(box, i, i == 1);
				box_quota(box, i, VYRE_TENANT_QUOTA_DEFAULT);
			}
			storm.is_ending = true;
		}
		ask(box);
		return;
	}
	switch (box_random(box) % 8) {
	case 0:
		mask(box, box_random(box) % TENANTS, box_random(box) % 3 == 0);
		break;
	case 1:
		box_quota(box, box_random(box) % TENANTS, box_random(box) % 4 ? box_random(box) % 20 : 1);
		break;
	case 2:
		if (box_random(box) % 8 == 0)
			ask(box);
		break;
	case 3:
		break;
	default:
		if (box_random(box) % 2)
			mask(box, box_random(box) % TENANTS, box_random(box) % 2);
		publish(box);
		if (box_random(box) % 2) /* between two steps of the device */
			box_flush(box);
		break;
	}
}

static bool is_calm(struct box *box)
{
	for (uint32_t i = 0; i < box->slots; i++)
		if (storm.places[i].in_use)
			return false;
	return storm.left == 0 && storm.is_ending && has_stored(box) &&
	       box->line[VYRE_LIVE_RETIRED] - box->first == SLOTS &&
	       (!storm.is_commanding || box->line[VYRE_LIVE_COMMAND_DONE] == box->line[VYRE_LIVE_COMMAND]);
}

static void a_launch(struct box *box, size_t shape, uint64_t seed)
{
	static const uint32_t idle[] = {0, 1, 3, 12}, rounds[] = {0, 0, 1, 2, 7, 30};
	box->launch[VYRE_LAUNCH_IDLE_LIMIT] = idle[seed / 2 % 4];
	box->launch[VYRE_LAUNCH_ROUND_LIMIT] = rounds[seed % 6];
	box->turns = 0;
	box_run(box, shapes[shape].workgroups, seed);
	assert_int_equal(box->line[VYRE_LIVE_STATE], 4);
	if (box->line[VYRE_LIVE_AWAY] && (box->live[VYRE_LIVE_HEAD] != box->line[VYRE_LIVE_TAIL] ||
					  box->live[VYRE_LIVE_CONFIG_EPOCH] != box->line[VYRE_LIVE_CONFIG_EPOCH]))
		assert_true(box->saw_away);
	box->line[VYRE_LIVE_STOP] = box->host[VYRE_CONTROL_SHUTDOWN] = 0;
	box_host(box);
}

static void nothing_is_lost_in_a_storm(void **state)
{
	struct box *box = the_box();
	uint32_t cancelled = 0, ended = 0;
	(void)state;
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			uint32_t launches = 0;
			box_open(box, text,
				 (struct box_params){.slots = shapes[shape].slots,
						     .lanes = shapes[shape].lanes,
						     .one_lane = shapes[shape].one_lane,
						     .first = 0xFFFFFFF0});
			memset(&storm, 0, sizeof storm);
			storm.left = SLOTS;
			storm.pace = seed % 2 ? 0 : 60;
			box->host_turn = weather;
			box->torn = seed % 5 == 0;
			for (; !is_calm(box); launches++) {
				assert_true(launches < 2000);
				a_launch(box, shape, seed * 7919 + launches);
				look(box);
			}
			assert_memory_equal(box->out, storm.ran, sizeof storm.ran);
			assert_int_equal(box->control[VYRE_CONTROL_FAULT_COUNT], storm.cancelled);
			box_is_drained(box);
			cancelled += storm.cancelled;
			ended += launches;
			box_close(box);
		}
	assert_in_range(cancelled, 1, SHAPES * SEEDS * SLOTS - 1);
	assert_true(ended > SHAPES * SEEDS);
}

/* Something is new; and while the poller finds out what, a tenant is masked and two of its slots are published, all between
 * two steps of the device. */
static uint32_t phase, wait, rounds, *masked[2];

static void mask_behind_news(struct box *box)
{
	bool all = box->line[VYRE_LIVE_RETIRED] - box->first == box->published;
	if (phase == 0 && all) {
		BOX_PUT(box, 0x100, 0, 0, 0);
		BOX_PUT(box, 0x100, 0, 0, 0);
		box_show(box);
		box_flush(box);
		wait = box_random(box) % 40;
		phase = 1;
	} else if (phase == 1 && wait-- == 0) {
		box_mask(box, 1, 0);
		for (uint32_t i = 0; i < 2; i++)
			masked[i] = BOX_PUT(box, 0x100, 1, 1, i);
		box_show(box);
		box_flush(box);
		phase = 2;
	} else if (phase == 2 && box->line[VYRE_LIVE_PARKED] == 2) {
		assert_int_equal(*masked[0], VYRE_SLOT_REQUEUE);
		assert_int_equal(*masked[1], VYRE_SLOT_REQUEUE);
		box_mask(box, 1, 1);
		box_flush(box);
		phase = ++rounds < ROUNDS ? 0 : 3;
	} else if (phase == 3 && all) {
		box_store(box, &box->line[VYRE_LIVE_STOP], 1);
		phase = 4;
	} else if (phase == 2) {
		assert_true(*masked[0] != VYRE_SLOT_DONE && *masked[1] != VYRE_SLOT_DONE);
	}
}

static void none_runs_under_an_older_configuration(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (size_t shape = 1; shape < SHAPES; shape++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			if (shapes[shape].slots < 4)
				continue;
			box_open(box, text,
				 (struct box_params){.slots = shapes[shape].slots,
						     .lanes = shapes[shape].lanes,
						     .one_lane = shapes[shape].one_lane,
						     .first = 0xFFFFFFF0});
			phase = rounds = 0;
			box->host_turn = mask_behind_news;
			box_run(box, shapes[shape].workgroups, seed);
			assert_int_equal(phase, 4);
			box_is_drained(box);
			box_close(box);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_lost_in_a_storm),
	    cmocka_unit_test(none_runs_under_an_older_configuration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
