/* feature_kernel.c - a live worker in C for what reference_kernel.c leaves out: fences, quotas, cancel by request,
 * suspended slots that wait for the host's i/o.
 *
 * In: a launch record. Out: slots run, one position a turn. Slots that wait (parked, fences, i/o) are found by scanning
 * the whole ring every turn: simple enough to be right by reading, and fast enough for rings of some dozen slots. The
 * rules: runtime/abi/ring.h, runtime/abi/queue.h.
 */
#include "abi/queue.h"
#include "abi/ring.h"
#include "reference_kernel.h"

#define LOAD(word, order)	  __atomic_load_n(word, __ATOMIC_##order)
#define STORE(word, value, order) __atomic_store_n(word, value, __ATOMIC_##order)
#define ADD(word, value, order)	  __atomic_fetch_add(word, value, __ATOMIC_##order)

struct context {
	uint32_t *control, *live, *ring, *io, *launch, *marks, *gate, *frames;
	uint32_t slots, tenants, waiting; /* waiting: slots that only a look at them can end */
};

static void open_context(struct context *c, const struct vyre_cpu_launch *launch)
{
	const struct vyre_cpu_buffer *buffers = launch->buffers;

	c->control = buffers[0].data;
	c->ring = buffers[1].data;
	c->io = buffers[3].data;
	c->launch = buffers[4].data;
	c->marks = buffers[REFERENCE_MARKS].data;
	c->gate = buffers[REFERENCE_GATE].data;
	c->frames = launch->buffer_count > REFERENCE_FRAMES ? buffers[REFERENCE_FRAMES].data : 0;
	c->live = c->control + LOAD(&c->control[VYRE_CONTROL_EXT_BASE], RELAXED);
	c->slots = LOAD(&c->control[VYRE_CONTROL_RING_SLOTS], RELAXED);
	c->tenants = LOAD(&c->control[VYRE_CONTROL_TENANT_LIMIT], RELAXED);
}

static uint32_t *words_of(struct context *c, uint32_t slot)
{
	return c->ring + (slot & (c->slots - 1)) * VYRE_SLOT_WORDS;
}

static uint32_t *record_of(struct context *c, uint32_t slot)
{
	return c->frames + VYRE_FRAMES_HEADER_WORDS + slot * VYRE_RECORD_WORDS;
}

static int moves(struct context *c, uint32_t slot, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(words_of(c, slot), &from, to, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Counts as the device does: the tenant's before RETIRED, which the host looks at. */
static void retire(struct context *c, uint32_t slot, uint32_t code, uint32_t detail)
{
	uint32_t *words = words_of(c, slot), tenant = LOAD(&words[VYRE_SLOT_WORD_TENANT], RELAXED);

	if (code) {
		STORE(&words[VYRE_SLOT_WORD_ARG0], code, RELAXED);
		STORE(&words[VYRE_SLOT_WORD_ARG0 + 1], detail, RELAXED);
		ADD(&c->control[VYRE_CONTROL_FAULT_COUNT], 1, RELAXED);
	}
	STORE(&words[0], code ? VYRE_SLOT_FAULT : VYRE_SLOT_DONE, RELEASE);
	ADD(&c->live[VYRE_LIVE_TENANT_RETIRED + tenant % 32], 1, SEQ_CST);
	ADD(&c->live[VYRE_LIVE_RETIRED], 1, SEQ_CST);
}

static int is_in_flight(uint32_t status)
{
	return status != VYRE_SLOT_EMPTY && status != VYRE_SLOT_DONE && status != VYRE_SLOT_FAULT;
}

/* A fence at `slot`: 1 = the places before it hold nothing in flight. Its own place is none of them. */
static int fence_is_due(struct context *c, uint32_t slot)
{
	uint32_t covers = LOAD(&words_of(c, slot)[VYRE_SLOT_WORD_ARG0], RELAXED), i;

	for (i = 1; i <= covers && i < c->slots; i++)
		if (is_in_flight(LOAD(words_of(c, slot - i), ACQUIRE)))
			return 0;
	return 1;
}

static void run_fence(struct context *c, uint32_t slot)
{
	uint32_t *words = words_of(c, slot);

	if (LOAD(&words[VYRE_SLOT_WORD_ARG0], RELAXED) > c->slots) {
		retire(c, slot, VYRE_FAULT_OUT_OF_RANGE, LOAD(&words[VYRE_SLOT_WORD_ARG0], RELAXED));
	} else if (fence_is_due(c, slot)) {
		ADD(&c->control[VYRE_CONTROL_EPOCH], 1, RELEASE);
		if (LOAD(&c->control[VYRE_CONTROL_CONTROL_WORDS], RELAXED) > VYRE_CONTROL_OBSERVABLES)
			STORE(&c->control[VYRE_CONTROL_OBSERVABLES], LOAD(&words[VYRE_SLOT_WORD_ARG0 + 1], RELAXED),
			      RELAXED);
		retire(c, slot, 0, 0);
	} else {
		STORE(&words[0], VYRE_SLOT_WAIT_IO, RELEASE);
	}
}

/* Asks for bytes; without a free entry the slot tries again. */
static void run_load(struct context *c, uint32_t slot)
{
	uint32_t *words = words_of(c, slot), *args = words + VYRE_SLOT_WORD_ARG0, i;

	for (i = 0; i < VYRE_IO_DEVICE_ENTRIES; i++) {
		uint32_t *entry = c->io + i * VYRE_IO_ENTRY_WORDS, empty = VYRE_SLOT_EMPTY;
		uint32_t *note = c->frames + VYRE_FRAMES_IO + i * VYRE_IO_NOTE_WORDS;

		if (!__atomic_compare_exchange_n(&entry[VYRE_IO_WORD_STATUS], &empty, VYRE_SLOT_CLAIMED, 0,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		STORE(&entry[VYRE_IO_WORD_OP], VYRE_IO_OP_READ, RELAXED);
		STORE(&entry[VYRE_IO_WORD_SRC_HANDLE], LOAD(&args[0], RELAXED), RELAXED);
		STORE(&entry[VYRE_IO_WORD_DST_HANDLE], LOAD(&args[3], RELAXED), RELAXED);
		STORE(&entry[VYRE_IO_WORD_OFFSET_LO], LOAD(&args[1], RELAXED), RELAXED);
		STORE(&entry[VYRE_IO_WORD_OFFSET_HI], 0, RELAXED);
		STORE(&entry[VYRE_IO_WORD_BYTE_COUNT], LOAD(&args[2], RELAXED), RELAXED);
		STORE(&note[VYRE_IO_NOTE_TENANT], LOAD(&words[VYRE_SLOT_WORD_TENANT], RELAXED), RELAXED);
		STORE(&note[VYRE_IO_NOTE_DESTINATION_LO], LOAD(&args[4], RELAXED), RELAXED);
		STORE(&note[VYRE_IO_NOTE_DESTINATION_HI], 0, RELAXED);
		STORE(&note[VYRE_IO_NOTE_SLOT], slot + 1, RELAXED);
		STORE(&record_of(c, slot)[VYRE_RECORD_UNTIL], i + 1, RELAXED);
		STORE(&words[0], VYRE_SLOT_WAIT_IO, RELEASE);
		STORE(&entry[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED, RELEASE);
		c->launch[VYRE_LAUNCH_IO_ASKED] = 1;
		return;
	}
	STORE(&words[0], VYRE_SLOT_YIELD, RELEASE);
}

/* A slot that waits for its entry and is claimed. */
static void finish_load(struct context *c, uint32_t slot, uint32_t entry_index)
{
	uint32_t *entry = c->io + entry_index * VYRE_IO_ENTRY_WORDS, status;

	status = LOAD(&entry[VYRE_IO_WORD_STATUS], ACQUIRE);
	if (status != VYRE_IO_STATUS_OK && status != VYRE_IO_STATUS_ERROR) {
		STORE(words_of(c, slot), VYRE_SLOT_WAIT_IO, RELEASE);
		return;
	}
	STORE(&record_of(c, slot)[VYRE_RECORD_UNTIL], 0, RELAXED);
	status = status == VYRE_IO_STATUS_OK ? 0 : VYRE_FAULT_IO;
	retire(c, slot, status, LOAD(&entry[VYRE_IO_WORD_OFFSET_LO], RELAXED));
	STORE(&entry[VYRE_IO_WORD_STATUS], VYRE_SLOT_EMPTY, RELEASE);
}

static void run(struct context *c, uint32_t slot)
{
	uint32_t *words = words_of(c, slot), *args = words + VYRE_SLOT_WORD_ARG0;
	uint32_t opcode = LOAD(&words[VYRE_SLOT_WORD_OPCODE], RELAXED), a = LOAD(&args[0], RELAXED);

	if (opcode < 32)
		ADD(&c->control[VYRE_CONTROL_METRICS + opcode], 1, RELAXED);
	switch (opcode) {
	case REFERENCE_OP_ADD:
		STORE(&args[0], a + LOAD(&args[1], RELAXED), RELAXED);
		break;
	case REFERENCE_OP_MARK:
		ADD(&c->marks[a], 1, RELAXED);
		break;
	case REFERENCE_OP_BLOCK:
		while (LOAD(&c->gate[a], ACQUIRE) == 0 && LOAD(&c->live[VYRE_LIVE_STOP], RELAXED) != 2)
			__builtin_ia32_pause();
		break;
	case REFERENCE_OP_LOAD:
		run_load(c, slot);
		return;
	default:
		if (opcode == VYRE_OPCODE_STORE_U32)
			STORE(&c->control[LOAD(&args[1], RELAXED)], a, RELAXED);
		if (opcode == VYRE_OPCODE_SHUTDOWN)
			STORE(&c->live[VYRE_LIVE_LEAVE], 1, SEQ_CST);
		if (opcode == VYRE_OPCODE_BATCH_FENCE) {
			run_fence(c, slot);
			return;
		}
	}
	retire(c, slot, 0, 0);
}

/* Over its tenant's quota, or masked: it waits in its place. Else it is counted as claimed. */
static int parks(struct context *c, uint32_t slot, int parked)
{
	uint32_t tenant = LOAD(&words_of(c, slot)[VYRE_SLOT_WORD_TENANT], RELAXED) % 32;
	uint32_t *claimed = &c->control[VYRE_CONTROL_TENANT_FAIRNESS + tenant];
	uint32_t in_flight = LOAD(claimed, RELAXED) - LOAD(&c->live[VYRE_LIVE_TENANT_RETIRED + tenant], ACQUIRE);
	int stays = in_flight >= LOAD(&c->control[VYRE_CONTROL_TENANT_QUOTA + tenant], ACQUIRE) ||
		    LOAD(&c->control[VYRE_CONTROL_TENANT_MASK + tenant], ACQUIRE) == 0;

	if (stays != parked)
		ADD(&c->live[VYRE_LIVE_PARKED], stays ? 1u : -1u, RELAXED);
	if (stays)
		STORE(words_of(c, slot), VYRE_SLOT_REQUEUE, RELEASE);
	else
		ADD(claimed, 1, RELAXED);
	return stays;
}

/* Everything that waits in the ring. */
static void scan(struct context *c)
{
	uint32_t slot;

	c->waiting = 0;
	for (slot = 0; slot < c->slots; slot++) {
		uint32_t status = LOAD(words_of(c, slot), ACQUIRE), opcode;

		if (status != VYRE_SLOT_REQUEUE && status != VYRE_SLOT_WAIT_IO && status != VYRE_SLOT_YIELD)
			continue;
		if (!moves(c, slot, status, VYRE_SLOT_CLAIMED))
			continue;
		opcode = LOAD(&words_of(c, slot)[VYRE_SLOT_WORD_OPCODE], RELAXED);
		if (status == VYRE_SLOT_REQUEUE) {
			if (!parks(c, slot, 1))
				run(c, slot);
		} else if (opcode == REFERENCE_OP_LOAD && status == VYRE_SLOT_WAIT_IO) {
			finish_load(c, slot, LOAD(&record_of(c, slot)[VYRE_RECORD_UNTIL], RELAXED) - 1);
		} else {
			run(c, slot); /* a fence, or a load that found no entry */
			c->waiting++;
		}
	}
}

static void serve_command(struct context *c)
{
	/* In this order: a command that is taken meanwhile must not be taken again. */
	uint32_t taken = LOAD(&c->live[VYRE_LIVE_COMMAND_TAKEN], SEQ_CST);
	uint32_t command = LOAD(&c->live[VYRE_LIVE_COMMAND], SEQ_CST), slot, tenant;
	int parked;

	if (command == taken || !__atomic_compare_exchange_n(&c->live[VYRE_LIVE_COMMAND_TAKEN], &taken, command, 0,
							     __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return;
	slot = LOAD(&c->live[VYRE_LIVE_COMMAND_ARG], RELAXED);
	tenant = LOAD(&words_of(c, slot)[VYRE_SLOT_WORD_TENANT], RELAXED) % 32;
	parked = moves(c, slot, VYRE_SLOT_REQUEUE, VYRE_SLOT_CLAIMED);
	if (parked || moves(c, slot, VYRE_SLOT_PUBLISHED, VYRE_SLOT_CLAIMED)) {
		ADD(&c->live[VYRE_LIVE_PARKED], parked ? -1u : 0, RELAXED);
		ADD(&c->control[VYRE_CONTROL_TENANT_FAIRNESS + tenant], 1, RELAXED);
		retire(c, slot, VYRE_FAULT_CANCELLED, 0);
	} else if (moves(c, slot, VYRE_SLOT_WAIT_IO, VYRE_SLOT_CLAIMED)) {
		retire(c, slot, VYRE_FAULT_CANCELLED, 0);
	}
	STORE(&c->live[VYRE_LIVE_COMMAND_DONE], command, SEQ_CST);
}

/* The next position, if there is one. */
static int claim_next(struct context *c)
{
	uint32_t head = LOAD(&c->live[VYRE_LIVE_HEAD], ACQUIRE);

	if (LOAD(&c->live[VYRE_LIVE_TAIL], ACQUIRE) == head)
		return 0;
	if (!__atomic_compare_exchange_n(&c->live[VYRE_LIVE_HEAD], &head, head + 1, 0, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return 1;
	if (moves(c, head & (c->slots - 1), VYRE_SLOT_PUBLISHED, VYRE_SLOT_CLAIMED) &&
	    !parks(c, head & (c->slots - 1), 0))
		run(c, head & (c->slots - 1));
	return 1;
}

/* Every word that can make work appear is read again after AWAY. */
static int leave(struct context *c, uint32_t epoch, uint32_t io_done)
{
	ADD(&c->live[VYRE_LIVE_AWAY], 1, SEQ_CST);
	if (LOAD(&c->live[VYRE_LIVE_TAIL], SEQ_CST) == LOAD(&c->live[VYRE_LIVE_HEAD], SEQ_CST) &&
	    LOAD(&c->live[VYRE_LIVE_STOP], SEQ_CST) == 0 && LOAD(&c->live[VYRE_LIVE_CONFIG_EPOCH], SEQ_CST) == epoch &&
	    LOAD(&c->live[VYRE_LIVE_IO_DONE], SEQ_CST) == io_done &&
	    LOAD(&c->live[VYRE_LIVE_COMMAND], SEQ_CST) == LOAD(&c->live[VYRE_LIVE_COMMAND_TAKEN], SEQ_CST)) {
		c->launch[VYRE_LAUNCH_LEFT] = 1;
		return 1;
	}
	ADD(&c->live[VYRE_LIVE_AWAY], -1u, SEQ_CST);
	return 0;
}

void feature_entry(struct vyre_cpu_launch *launch)
{
	struct context c;
	uint32_t idle = 0;

	open_context(&c, launch);
	for (;;) {
		uint32_t retired = LOAD(&c.live[VYRE_LIVE_RETIRED], RELAXED), epoch, io_done;

		if (LOAD(&c.live[VYRE_LIVE_STOP], RELAXED) == 2 || LOAD(&c.live[VYRE_LIVE_LEAVE], RELAXED) != 0)
			return;
		epoch = LOAD(&c.live[VYRE_LIVE_CONFIG_EPOCH], SEQ_CST);
		io_done = LOAD(&c.live[VYRE_LIVE_IO_DONE], SEQ_CST);
		serve_command(&c);
		scan(&c);
		if (claim_next(&c) || c.waiting || retired != LOAD(&c.live[VYRE_LIVE_RETIRED], RELAXED)) {
			idle = 0;
		} else if (c.launch[VYRE_LAUNCH_IDLE_LIMIT] && ++idle >= c.launch[VYRE_LAUNCH_IDLE_LIMIT]) {
			idle = 0;
			if (leave(&c, epoch, io_done))
				return;
		}
		if (c.launch[VYRE_LAUNCH_IO_ASKED] ||
		    (retired != LOAD(&c.live[VYRE_LIVE_RETIRED], RELAXED) && LOAD(&c.live[VYRE_LIVE_NOTIFY], SEQ_CST)))
			return;
		__builtin_ia32_pause();
	}
}
