/* reference_kernel.c - the live feed in C, with a few handlers: what vyrec's megakernel does, written by hand.
 *
 * In: a launch record, as a native slice gets it. Out: slots run. It exists so that the loader's host side is tested
 * against a worker that is easy to read, can be built with the sanitizers (linked into a test), and has odd relatives:
 * a kernel that never claims, one that leaves at once, one that writes nonsense. Built twice: as an ELF image without
 * imports or relocations (reference_kernel.ld), and as an object of the tests. The rules: runtime/abi/ring.h.
 */
#include "reference_kernel.h"
#include "abi/cpu.h"
#include "abi/ring.h"

#define LOAD(word, order)	  __atomic_load_n(word, __ATOMIC_##order)
#define STORE(word, value, order) __atomic_store_n(word, value, __ATOMIC_##order)
#define ADD(word, value, order)	  __atomic_fetch_add(word, value, __ATOMIC_##order)

enum { BATCH = 32 };

struct context {
	uint32_t *control, *live, *ring, *log, *launch;
	uint32_t *marks, *gate;
	uint64_t mark_count, gate_count;
	uint32_t slots, tenants;
};

static void open_context(struct context *c, const struct vyre_cpu_launch *launch)
{
	const struct vyre_cpu_buffer *buffers = launch->buffers;

	c->control = buffers[0].data;
	c->ring = buffers[1].data;
	c->log = buffers[2].data;
	c->launch = buffers[4].data;
	c->marks = buffers[REFERENCE_MARKS].data;
	c->mark_count = buffers[REFERENCE_MARKS].count;
	c->gate = buffers[REFERENCE_GATE].data;
	c->gate_count = buffers[REFERENCE_GATE].count;
	c->live = c->control + LOAD(&c->control[VYRE_CONTROL_EXT_BASE], RELAXED);
	c->slots = LOAD(&c->control[VYRE_CONTROL_RING_SLOTS], RELAXED);
	c->tenants = LOAD(&c->control[VYRE_CONTROL_TENANT_LIMIT], RELAXED);
}

static void append_log(struct context *c, uint32_t id, uint32_t a, uint32_t b, uint32_t slot)
{
	uint32_t cursor = LOAD(&c->log[0], RELAXED);

	do {
		if (cursor + VYRE_DEBUG_RECORD_WORDS >= VYRE_DEBUG_WORDS) {
			ADD(&c->control[VYRE_CONTROL_DEBUG_DROPPED], 1, RELAXED);
			return;
		}
	} while (!__atomic_compare_exchange_n(&c->log[0], &cursor, cursor + VYRE_DEBUG_RECORD_WORDS, 0,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	STORE(&c->log[cursor + 1], id, RELAXED);
	STORE(&c->log[cursor + 2], a, RELAXED);
	STORE(&c->log[cursor + 3], b, RELAXED);
	STORE(&c->log[cursor + 4], slot * VYRE_SLOT_WORDS, RELAXED);
}

/* Returns a fault code, 0 = none. */
static uint32_t run_handler(struct context *c, uint32_t slot, uint32_t opcode, uint32_t *detail)
{
	uint32_t *args = c->ring + slot * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_ARG0;
	uint32_t a = LOAD(&args[0], RELAXED), b = LOAD(&args[1], RELAXED);

	switch (opcode) {
	case REFERENCE_OP_NOTHING:
		return 0;
	case REFERENCE_OP_ADD:
		STORE(&args[0], a + b, RELAXED);
		return 0;
	case REFERENCE_OP_MARK:
		if (a < c->mark_count)
			ADD(&c->marks[a], 1, RELAXED);
		return 0;
	case REFERENCE_OP_BLOCK:
		if (a % 8 + 8 < c->gate_count)
			STORE(&c->gate[a % 8 + 8], 1, RELEASE);
		while (a < c->gate_count && LOAD(&c->gate[a], ACQUIRE) == 0)
			__builtin_ia32_pause();
		return 0;
	case REFERENCE_OP_TRAP:
		*detail = a;
		return VYRE_FAULT_TRAP;
	case REFERENCE_OP_LOG:
		append_log(c, a, b, LOAD(&args[2], RELAXED), slot);
		return 0;
	default:
		*detail = opcode;
		return VYRE_FAULT_UNKNOWN_OPCODE;
	}
}

static void run_claimed(struct context *c, uint32_t slot)
{
	uint32_t *words = c->ring + slot * VYRE_SLOT_WORDS;
	uint32_t opcode = LOAD(&words[VYRE_SLOT_WORD_OPCODE], RELAXED);
	uint32_t tenant = LOAD(&words[VYRE_SLOT_WORD_TENANT], RELAXED);
	uint32_t detail = tenant, code = VYRE_FAULT_TENANT;

	if (tenant < c->tenants) {
		code = run_handler(c, slot, opcode, &detail);
		if (opcode < 32)
			ADD(&c->control[VYRE_CONTROL_METRICS + opcode], 1, RELAXED);
	}
	if (code == 0) {
		STORE(&words[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_DONE, RELEASE);
		return;
	}
	STORE(&words[VYRE_SLOT_WORD_ARG0], code, RELAXED);
	STORE(&words[VYRE_SLOT_WORD_ARG0 + 1], detail, RELAXED);
	STORE(&c->control[VYRE_CONTROL_LAST_FAULT_SLOT], slot, RELAXED);
	STORE(&c->control[VYRE_CONTROL_LAST_FAULT_CODE], code, RELAXED);
	STORE(&words[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_FAULT, RELEASE);
	ADD(&c->control[VYRE_CONTROL_FAULT_COUNT], 1, RELEASE);
}

static int claim(struct context *c, uint32_t slot, uint32_t want)
{
	return __atomic_compare_exchange_n(&c->ring[slot * VYRE_SLOT_WORDS], &want, VYRE_SLOT_CLAIMED, 0,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static int may_run(struct context *c, uint32_t slot)
{
	uint32_t tenant = LOAD(&c->ring[slot * VYRE_SLOT_WORDS + VYRE_SLOT_WORD_TENANT], RELAXED);

	return tenant >= c->tenants || LOAD(&c->control[VYRE_CONTROL_TENANT_MASK + tenant], ACQUIRE) != 0;
}

/* Claims and runs the slot of one position; 1 = it retired. */
static uint32_t visit(struct context *c, uint32_t position)
{
	uint32_t slot = position & (c->slots - 1);

	if (!claim(c, slot, VYRE_SLOT_PUBLISHED))
		return 0;
	if (!may_run(c, slot)) {
		ADD(&c->live[VYRE_LIVE_PARKED], 1, RELAXED);
		STORE(&c->ring[slot * VYRE_SLOT_WORDS], VYRE_SLOT_REQUEUE, RELEASE);
		return 0;
	}
	run_claimed(c, slot);
	return 1;
}

static uint32_t run_parked(struct context *c)
{
	uint32_t slot, retired = 0;

	for (slot = 0; slot < c->slots; slot++) {
		if (LOAD(&c->ring[slot * VYRE_SLOT_WORDS], ACQUIRE) != VYRE_SLOT_REQUEUE || !may_run(c, slot) ||
		    !claim(c, slot, VYRE_SLOT_REQUEUE))
			continue;
		if (!may_run(c, slot)) { /* another slot's by now, and its tenant is masked */
			STORE(&c->ring[slot * VYRE_SLOT_WORDS], VYRE_SLOT_REQUEUE, RELEASE);
			continue;
		}
		__atomic_fetch_sub(&c->live[VYRE_LIVE_PARKED], 1, __ATOMIC_RELAXED);
		run_claimed(c, slot);
		retired++;
	}
	return retired;
}

/* Counts what retired; 1 = a host thread is asleep and must be woken. */
static int retire(struct context *c, uint32_t retired)
{
	if (retired == 0)
		return 0;
	ADD(&c->control[VYRE_CONTROL_DONE_COUNT], retired, RELAXED);
	ADD(&c->live[VYRE_LIVE_RETIRED], retired, SEQ_CST);
	return LOAD(&c->live[VYRE_LIVE_NOTIFY], SEQ_CST) != 0;
}

/* Counts this worker in AWAY unless something is new; 1 = leave. */
static int leave(struct context *c, uint32_t head, uint32_t epoch)
{
	ADD(&c->live[VYRE_LIVE_AWAY], 1, SEQ_CST);
	if (LOAD(&c->live[VYRE_LIVE_TAIL], SEQ_CST) == head && LOAD(&c->live[VYRE_LIVE_HEAD], SEQ_CST) == head &&
	    LOAD(&c->live[VYRE_LIVE_STOP], SEQ_CST) == 0 && LOAD(&c->live[VYRE_LIVE_CONFIG_EPOCH], SEQ_CST) == epoch) {
		c->launch[VYRE_LAUNCH_LEFT] = 1;
		return 1;
	}
	__atomic_fetch_sub(&c->live[VYRE_LIVE_AWAY], 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* How many positions to take of `waiting` ones. */
static uint32_t share(uint32_t waiting, uint32_t workers)
{
	uint32_t take = workers > 1 ? waiting / (2 * workers) : waiting;

	return take < 1 ? 1 : take > BATCH ? BATCH : take;
}

REFERENCE_ENTRY void reference_entry(struct vyre_cpu_launch *launch)
{
	struct context c;
	uint32_t epoch, idle = 0, idle_head = 0, rounds = 0;

	open_context(&c, launch);
	epoch = LOAD(&c.live[VYRE_LIVE_CONFIG_EPOCH], ACQUIRE) - 1; /* the first look at parked slots is due */
	for (;;) {
		uint32_t stop = LOAD(&c.live[VYRE_LIVE_STOP], RELAXED), now, head, waiting, retired = 0, i;

		if (stop == 2 || LOAD(&c.control[VYRE_CONTROL_SHUTDOWN], RELAXED) != 0)
			return;
		if (c.launch[VYRE_LAUNCH_ROUND_LIMIT] && rounds++ == c.launch[VYRE_LAUNCH_ROUND_LIMIT])
			return;
		now = LOAD(&c.live[VYRE_LIVE_CONFIG_EPOCH], ACQUIRE);
		if (now != epoch) {
			epoch = now;
			if (LOAD(&c.live[VYRE_LIVE_PARKED], RELAXED) != 0 && retire(&c, run_parked(&c)))
				return;
		}
		head = LOAD(&c.live[VYRE_LIVE_HEAD], ACQUIRE);
		waiting = LOAD(&c.live[VYRE_LIVE_TAIL], ACQUIRE) - head;
		if ((int32_t)waiting > 0) {
			uint32_t take = share(waiting, c.launch[VYRE_LAUNCH_WORKERS]), seen = head;

			if (!__atomic_compare_exchange_n(&c.live[VYRE_LIVE_HEAD], &seen, head + take, 0,
							 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				continue;
			for (i = 0; i < take; i++)
				retired += visit(&c, head + i);
		} else if (LOAD(&c.ring[(head & (c.slots - 1)) * VYRE_SLOT_WORDS], RELAXED) == VYRE_SLOT_PUBLISHED) {
			retired = visit(&c, head);
		} else {
			if (stop == 1)
				return;
			idle = head == idle_head ? idle + 1 : 1;
			idle_head = head;
			if (c.launch[VYRE_LAUNCH_IDLE_LIMIT] && idle >= c.launch[VYRE_LAUNCH_IDLE_LIMIT]) {
				idle = 0;
				if (leave(&c, head, epoch))
					return;
			}
			__builtin_ia32_pause();
			continue;
		}
		if (retire(&c, retired))
			return;
	}
}

/* ---- odd relatives ------------------------------------------------------------------------------------------------- */

REFERENCE_ENTRY void never_claims_entry(struct vyre_cpu_launch *launch)
{
	struct context c;

	open_context(&c, launch);
	while (LOAD(&c.live[VYRE_LIVE_STOP], RELAXED) == 0)
		__builtin_ia32_pause();
}

REFERENCE_ENTRY void leaves_at_once_entry(struct vyre_cpu_launch *launch)
{
	(void)launch;
}

/* Words that belong to the device, filled with what no device would store. */
REFERENCE_ENTRY void nonsense_entry(struct vyre_cpu_launch *launch)
{
	struct context c;

	open_context(&c, launch);
	STORE(&c.live[VYRE_LIVE_HEAD], 0x12345678u, SEQ_CST);
	STORE(&c.live[VYRE_LIVE_RETIRED], 0x9ABCDEF0u, SEQ_CST);
	STORE(&c.log[0], 0xFFFFFFFFu, SEQ_CST);
	while (LOAD(&c.live[VYRE_LIVE_STOP], RELAXED) == 0)
		__builtin_ia32_pause();
}

/* A program, not a feed: marks[workgroup] += 1; workgroup 3 traps when gate[0] is nonzero. */
REFERENCE_ENTRY void grid_entry(struct vyre_cpu_launch *launch)
{
	uint32_t *marks = launch->buffers[0].data, *gate = launch->buffers[1].data;
	uint32_t index = launch->workgroup[0] +
			 launch->workgroups[0] * (launch->workgroup[1] + launch->workgroups[1] * launch->workgroup[2]);

	if (index < launch->buffers[0].count)
		ADD(&marks[index], 1, RELAXED);
	if (LOAD(&gate[0], RELAXED) && index >= 3) {
		launch->trap_code = VYRE_FAULT_TRAP;
		launch->trap_detail = index;
	}
}
