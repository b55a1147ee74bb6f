/* mailbox_native_test.c - the scheduler behind a mailbox at this machine's speed: one lane a workgroup, a thread each, and a
 * host that publishes with real atomics, as the loader does, while they run. What the interpreter shows one step at a
 * time, this shows by the million; threads that are interrupted anywhere, batches, lone slots, laps, masks, relaunches. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/codegen/image.h"
#include "tests/passes/mailbox_rig.h"

enum { WORKERS = 4, BUFFERS = 16, SLOTS = 256, PIECES = 32 };

static const char text[] = "set native {\n"
			   "  buffer out: live u32[]\n"
			   "  op add = 0x100 (at: u32, value: u32) by lane {\n"
			   "    atomic_add(out[at], value)\n"
			   "    result(0, value + 1)\n"
			   "  }\n"
			   "  op slow = 0x101 (at: u32, n: u32) by workgroup {\n"
			   "    shared part: u32[4]\n"
			   "    for i in lane .. n step lanes { part[i % 4] = part[i % 4] + 1 }\n"
			   "    barrier\n"
			   "    result(0, reduce_add(part[0] + part[1] + part[2] + part[3]))\n"
			   "    if lane == 0 { atomic_add(out[at], 1) }\n"
			   "  }\n"
			   "}\n";

struct worker {
	pthread_t thread;
	struct native *native;
	struct vyre_cpu_launch launch;
};

struct native {
	struct box *box;
	struct vyrec_slice slice;
	struct mapped image;
	struct vyre_cpu_buffer buffers[BUFFERS];
	uint32_t buffer_count, workers;
	struct worker worker[WORKERS];
	uint64_t expected[PIECES];
	uint32_t launches;
};

static uint32_t get(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void put(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void bind_native(struct native *n)
{
	struct box *box = n->box;
	struct vyrec_interp_buffer memory[BOX_BUFFERS];
	const struct vyrec_unit_node *unit = &box->module->units[1];
	box_buffers(box, memory);
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const uint32_t *item = &box->module->refs[unit->items + 2 * i];
		if (item[0] != VYREC_ITEM_BUFFER)
			continue;
		const char *name = vyrec_name_text(box->module, box->module->arrays[item[1]].name);
		for (size_t k = 0; k < BOX_BUFFERS; k++)
			if (!strcmp(name, memory[k].name))
				n->buffers[n->buffer_count] = (struct vyre_cpu_buffer){memory[k].data, memory[k].count};
		assert_non_null(n->buffers[n->buffer_count++].data);
	}
	/* Behind all others, in the order that the loader gives them in. */
	assert_ptr_equal(n->buffers[n->buffer_count - 3].data, box->host);
	assert_ptr_equal(n->buffers[n->buffer_count - 1].data, box->stamps);
}

static void open_native(struct native *n, struct box *box, uint32_t workers, uint32_t slots, uint32_t first)
{
	struct vyrec_diags diags = {0};
	struct vyrec_codegen_options options = {.level = 2};
	memset(n, 0, sizeof *n);
	n->box = box;
	n->workers = workers;
	box_open(box, text, (struct box_params){.slots = slots, .first = first, .one_lane = true});
	if (!vyrec_codegen(box->module, vyrec_target_find("x86-64-v2"), &options, &n->slice, &diags) ||
	    !image_map(&n->slice, &n->image)) {
		vyrec_diags_print(&diags, "native.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	bind_native(n);
}

static void close_native(struct native *n)
{
	image_unmap(&n->image);
	vyrec_slice_finish(&n->slice);
	box_close(n->box);
}

static void *work(void *argument)
{
	struct worker *w = argument;
	vyre_cpu_entry entry;
	void *address = w->native->image.base + w->native->slice.entries[0];
	memcpy(&entry, &address, sizeof entry);
	entry(&w->launch);
	return NULL;
}

static void launch(struct native *n)
{
	uint32_t *engine = n->box->live + VYRE_LIVE_ENGINE;
	engine[VYRE_ENGINE_EXIT] = engine[VYRE_ENGINE_POLLER] = 0;
	n->launches++;
	for (uint32_t i = 0; i < n->workers; i++) {
		struct worker *w = &n->worker[i];
		w->native = n;
		w->launch = (struct vyre_cpu_launch){.workgroup = {i, 0, 0},
						     .workgroups = {n->workers, 1, 1},
						     .buffer_count = n->buffer_count,
						     .buffers = n->buffers};
		assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
	}
}

static void join(struct native *n)
{
	for (uint32_t i = 0; i < n->workers; i++) {
		pthread_join(n->worker[i].thread, NULL);
		assert_int_equal(n->worker[i].launch.trap_code, 0);
	}
}

/* As the loader's service thread: who finds AWAY behind its TAIL launches again when the kernel has ended. */
static void wake(struct native *n)
{
	if (get(&n->box->line[VYRE_LIVE_AWAY]) == 0)
		return;
	join(n);
	put(&n->box->line[VYRE_LIVE_AWAY], 0);
	launch(n);
}

static void show(struct native *n)
{
	struct box *box = n->box;
	const uint32_t *words = box_slot(box, box->tail - 1);
	put(&box->line[VYRE_LIVE_CHECK], vyre_mailbox_check(box->tail - 1, box->line[VYRE_LIVE_CONFIG_EPOCH], words));
	__atomic_store_n(&box->line[VYRE_LIVE_TAIL], box->tail, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wake(n);
}

/* What a slot that has ended left; the place is free then. */
static void collect(struct native *n, const uint32_t *words, uint32_t status)
{
	uint32_t opcode = words[VYRE_SLOT_WORD_OPCODE], n_words = words[VYRE_SLOT_WORD_ARG0 + 1];
	(void)n;
	if (status == VYRE_SLOT_EMPTY)
		return;
	assert_int_equal(status, VYRE_SLOT_DONE);
	assert_int_equal(get(&words[VYRE_SLOT_WORD_ARG0]), opcode == 0x100 ? n_words + 1 : n_words);
}

static bool is_free(uint32_t status)
{
	return status == VYRE_SLOT_EMPTY || status == VYRE_SLOT_DONE || status == VYRE_SLOT_FAULT;
}

/* One slot at the cursor, places in flight passed over; false: no room within the lap. */
static bool publish(struct native *n, uint32_t opcode, uint32_t tenant, uint32_t at, uint32_t value)
{
	struct box *box = n->box;
	uint32_t cursor = box->tail, status;
	for (;; cursor++) {
		if (cursor - get(&box->line[VYRE_LIVE_HEAD]) >= box->slots)
			return false;
		status = get(box_slot(box, cursor));
		if (is_free(status))
			break;
	}
	uint32_t *words = box_slot(box, cursor);
	collect(n, words, status);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_TENANT] = tenant;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	words[VYRE_SLOT_WORD_ARG0] = at;
	words[VYRE_SLOT_WORD_ARG0 + 1] = value;
	put(words, VYRE_SLOT_PUBLISHED);
	put(&box->stamps[cursor & (box->slots - 1)], cursor);
	box->tail = cursor + 1;
	box->published++;
	n->expected[at] += opcode == 0x100 ? value : 1;
	return true;
}

static void configure(struct box *box, uint32_t *word, uint32_t value)
{
	put(word, value);
	put(&box->line[VYRE_LIVE_CONFIG_EPOCH], box->line[VYRE_LIVE_CONFIG_EPOCH] + 1);
}

/* Until all have retired; a kernel that has left for idleness has nothing left but what was published behind its back. */
static void finish(struct native *n)
{
	struct box *box = n->box;
	wake(n);
	while (get(&box->line[VYRE_LIVE_RETIRED]) - box->first != box->published) {
		wake(n);
		sched_yield();
	}
	put(&box->line[VYRE_LIVE_STOP], 1);
	join(n);
	for (uint32_t i = 0; i < box->slots; i++)
		collect(n, box->ring + i * VYRE_SLOT_WORDS, box->ring[i * VYRE_SLOT_WORDS]);
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(box->out[i], (uint32_t)n->expected[i]);
	assert_int_equal(box->live[VYRE_LIVE_RETIRED] - box->first, box->published);
	assert_int_equal(box->live[VYRE_LIVE_PARKED], 0);
	assert_int_equal(box->live[VYRE_LIVE_PARKED_QUOTA], 0);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(box->line[VYRE_LIVE_TENANT_RETIRED + i],
				 box->control[VYRE_CONTROL_TENANT_FAIRNESS + i]);
}

/* A batch is shown at once; now and then each slot alone, and waited for. */
static void run_all(struct native *n, uint32_t slots, bool masks, bool idle)
{
	struct box *box = n->box;
	uint32_t lone = 0;
	box->launch[VYRE_LAUNCH_IDLE_LIMIT] = idle ? 20 : 0;
	launch(n);
	while (box->published < slots) {
		uint32_t r = box_random(box), batch = r % 64 + 1, k = 0;
		if (r % 401 == 0)
			lone = 20;
		if (lone) {
			batch = 1;
			lone--;
		}
		for (; k < batch; k++)
			if (!publish(n, (r + k) % 16 ? 0x100 : 0x101, (r + k) % 3, (r + k) % PIECES, k + r % 100))
				break;
		if (k)
			show(n);
		else
			sched_yield();
		if (lone && k)
			while (!is_free(get(box_slot(box, box->tail - 1))) &&
			       get(box_slot(box, box->tail - 1)) != VYRE_SLOT_REQUEUE)
				sched_yield();
		if (masks && r % 64 == 1)
			configure(box, &box->host[VYRE_CONTROL_TENANT_MASK + 1], r / 64 % 2);
		if (masks && r % 64 == 2)
			configure(box, &box->host[VYRE_CONTROL_TENANT_QUOTA + 2], 1 + r / 64 % 300);
		if (idle && r % 16 == 3) /* long enough for it to leave, mostly */
			usleep(r / 16 % 200);
		if (!k) { /* what is in the way may be masked */
			if (masks)
				configure(box, &box->host[VYRE_CONTROL_TENANT_MASK + 1], 1);
			wake(n);
		}
	}
	configure(box, &box->host[VYRE_CONTROL_TENANT_MASK + 1], 1);
	finish(n);
}

static uint32_t how_many(void)
{
	const char *asked = getenv("VYRE_MAILBOX_SLOTS");
	return asked ? (uint32_t)strtoul(asked, NULL, 10) : 40000;
}

static void every_slot_runs_once(void **state)
{
	static struct box box;
	static struct native native;
	(void)state;
	for (uint32_t workers = 1; workers <= WORKERS; workers += workers == 1 ? 1 : 2) {
		open_native(&native, &box, workers, SLOTS, 0xFFFF0000);
		run_all(&native, how_many(), false, false);
		close_native(&native);
	}
}

static void masks_and_quotas_come_and_go(void **state)
{
	static struct box box;
	static struct native native;
	(void)state;
	open_native(&native, &box, 3, SLOTS, 0xFFFF0000);
	run_all(&native, how_many() / 2, true, false);
	close_native(&native);
}

/* A ring full of slots that may not run: pass after pass hands all of them out, and a thread that is interrupted holds one
 * while the others go round. */
static void a_full_lot_turns(void **state)
{
	static struct box box;
	static struct native native;
	(void)state;
	for (uint32_t slots = 2; slots <= 8; slots *= 2) {
		open_native(&native, &box, WORKERS, slots, 0xFFFFFFFF);
		configure(&box, &box.host[VYRE_CONTROL_TENANT_MASK + 1], 0);
		launch(&native);
		for (uint32_t i = 0; i < slots; i++)
			assert_true(publish(&native, 0x100, 1, i, i));
		show(&native);
		for (uint32_t turns = 0; turns < how_many() / 400; turns++) {
			configure(&box, &box.host[VYRE_CONTROL_TENANT_MASK + 2], turns % 2);
			while (get(&box.live[VYRE_LIVE_CONFIG_EPOCH]) != box.line[VYRE_LIVE_CONFIG_EPOCH])
				sched_yield();
		}
		assert_int_equal(get(&box.live[VYRE_LIVE_PARKED]), slots);
		configure(&box, &box.host[VYRE_CONTROL_TENANT_MASK + 1], 1);
		finish(&native);
		close_native(&native);
	}
}

static void it_leaves_and_comes_back(void **state)
{
	static struct box box;
	static struct native native;
	(void)state;
	open_native(&native, &box, 2, SLOTS, 0);
	run_all(&native, how_many() / 8, true, true);
	assert_true(native.launches > 1);
	close_native(&native);
}

int main(void)
{
	if (!host_has(vyrec_target_find("x86-64-v2"))) {
		printf("skipped: this machine has no x86-64-v2\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_slot_runs_once),
	    cmocka_unit_test(masks_and_quotas_come_and_go),
	    cmocka_unit_test(a_full_lot_turns),
	    cmocka_unit_test(it_leaves_and_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
