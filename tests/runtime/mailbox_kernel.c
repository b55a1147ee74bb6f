/* mailbox_kernel.c - the mailbox feed in C, one lane a workgroup: what runtime/abi/mailbox.h says, as simply as it can be
 * written.
 *
 * In: a launch record with the mailbox's buffers behind the unit's. Out: slots run. It is what the loader's side is tested
 * against, with the sanitizers looking at both; what vyrec makes is cleverer in everything but the rules. Words of the
 * engine that mailbox.h leaves free hold what a plain text needs: a lock of parked slots and requests, and how many
 * workgroups have claimed something that has not been counted yet.
 */
#include <sched.h>

#include "abi/mailbox.h"
#include "mailbox_kernel.h"

#define LOAD(word, order)	  __atomic_load_n(word, __ATOMIC_##order)
#define STORE(word, value, order) __atomic_store_n(word, value, __ATOMIC_##order)
#define ADD(word, value, order)	  __atomic_fetch_add(word, value, __ATOMIC_##order)
#define SUB(word, value, order)	  __atomic_fetch_sub(word, value, __ATOMIC_##order)

enum { BATCH = 32, ENGINE_LOCK = 8, ENGINE_BUSY = 9, CANCEL_ROOM = 32 };

struct context {
	uint32_t *control, *live, *engine, *parked, *log, *launch;
	uint32_t *host_control, *host, *ring, *stamps; /* host: the live block */
	uint32_t *marks, *gate;
	uint64_t mark_count, gate_count;
	uint32_t slots, tenants, self;
	uint32_t known[64]; /* what of OUT_LIST the host has; by row, TENANT_RETIRED behind */
	uint32_t idle, turns;
};

static void open_context(struct context *c, const struct vyre_cpu_launch *launch)
{
	const struct vyre_cpu_buffer *buffers = launch->buffers, *mailbox;

	memset(c, 0, sizeof(*c));
	mailbox = buffers + launch->buffer_count - VYRE_MAILBOX_BUFFERS;
	c->control = buffers[0].data;
	c->parked = buffers[1].data;
	c->log = buffers[2].data;
	c->launch = buffers[4].data;
	c->marks = buffers[REFERENCE_MARKS].data;
	c->mark_count = buffers[REFERENCE_MARKS].count;
	c->gate = buffers[REFERENCE_GATE].data;
	c->gate_count = buffers[REFERENCE_GATE].count;
	c->host_control = mailbox[VYRE_MAILBOX_CONTROL].data;
	c->ring = mailbox[VYRE_MAILBOX_RING].data;
	c->stamps = mailbox[VYRE_MAILBOX_STAMPS].data;
	c->live = c->control + LOAD(&c->control[VYRE_CONTROL_EXT_BASE], RELAXED);
	c->host = c->host_control + LOAD(&c->control[VYRE_CONTROL_EXT_BASE], RELAXED);
	c->engine = c->live + VYRE_LIVE_ENGINE;
	c->slots = LOAD(&c->control[VYRE_CONTROL_RING_SLOTS], RELAXED);
	c->tenants = LOAD(&c->control[VYRE_CONTROL_TENANT_LIMIT], RELAXED);
	c->self = launch->workgroup[0] + 1;
}

static void lock(struct context *c)
{
	while (__atomic_exchange_n(&c->engine[ENGINE_LOCK], 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(struct context *c)
{
	STORE(&c->engine[ENGINE_LOCK], 0, RELEASE);
}

/* ---- one slot ------------------------------------------------------------------------------------------------------ */

static uint32_t *host_words(struct context *c, uint32_t position)
{
	return c->ring + (position & (c->slots - 1)) * VYRE_SLOT_WORDS;
}

static void append_log(struct context *c, const uint32_t *args, uint32_t place)
{
	uint32_t cursor = LOAD(&c->log[0], RELAXED), i;

	do {
		if (cursor + VYRE_DEBUG_RECORD_WORDS >= VYRE_DEBUG_WORDS) {
			ADD(&c->control[VYRE_CONTROL_DEBUG_DROPPED], 1, RELAXED);
			return;
		}
	} while (!__atomic_compare_exchange_n(&c->log[0], &cursor, cursor + VYRE_DEBUG_RECORD_WORDS, 0,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	for (i = 0; i < 3; i++)
		STORE(&c->log[cursor + 1 + i], args[i], RELAXED);
	STORE(&c->log[cursor + 4], place * VYRE_SLOT_WORDS, RELAXED);
}

/* Returns a fault code, 0 = none. */
static uint32_t run_handler(struct context *c, uint32_t position, const uint32_t *words, uint32_t *detail)
{
	const uint32_t *args = words + VYRE_SLOT_WORD_ARG0;

	switch (words[VYRE_SLOT_WORD_OPCODE]) {
	case REFERENCE_OP_NOTHING:
		return 0;
	case REFERENCE_OP_ADD:
		STORE(&host_words(c, position)[VYRE_SLOT_WORD_ARG0], args[0] + args[1], RELAXED);
		return 0;
	case REFERENCE_OP_MARK:
		if (args[0] < c->mark_count)
			ADD(&c->marks[args[0]], 1, RELAXED);
		return 0;
	case REFERENCE_OP_BLOCK:
		if (args[0] % 8 + 8 < c->gate_count)
			STORE(&c->gate[args[0] % 8 + 8], 1, RELEASE);
		while (args[0] < c->gate_count && LOAD(&c->gate[args[0]], ACQUIRE) == 0)
			sched_yield();
		return 0;
	case REFERENCE_OP_TRAP:
		*detail = args[0];
		return VYRE_FAULT_TRAP;
	case REFERENCE_OP_LOG:
		append_log(c, args, position & (c->slots - 1));
		return 0;
	default:
		*detail = words[VYRE_SLOT_WORD_OPCODE];
		return VYRE_FAULT_UNKNOWN_OPCODE;
	}
}

static void end_slot(struct context *c, uint32_t position, uint32_t tenant, uint32_t code, uint32_t detail)
{
	uint32_t *words = host_words(c, position);

	if (code) {
		STORE(&words[VYRE_SLOT_WORD_ARG0], code, RELAXED);
		STORE(&words[VYRE_SLOT_WORD_ARG0 + 1], detail, RELAXED);
		ADD(&c->control[VYRE_CONTROL_FAULT_COUNT], 1, RELEASE);
	}
	STORE(&words[VYRE_SLOT_WORD_STATUS], code ? VYRE_SLOT_FAULT : VYRE_SLOT_DONE, RELEASE);
	ADD(&c->control[VYRE_CONTROL_DONE_COUNT], 1, RELAXED);
	ADD(&c->live[VYRE_LIVE_TENANT_RETIRED + tenant % 32], 1, RELAXED);
	ADD(&c->live[VYRE_LIVE_RETIRED], 1, RELEASE);
}

/* The lock is held. */
static int takes_cancel(struct context *c, uint32_t position)
{
	uint32_t *cancel = c->engine + VYRE_ENGINE_CANCEL, *count = &c->engine[VYRE_ENGINE_CANCELS], i;

	for (i = 0; i < *count; i++)
		if (cancel[i] == position) {
			cancel[i] = cancel[*count - 1];
			STORE(count, *count - 1, RELAXED);
			return 1;
		}
	return 0;
}

/* Its tenant is masked: under the lock, so that no pass that a change of masks brings misses it. */
static int parks(struct context *c, uint32_t position, const uint32_t *words, int is_parked)
{
	uint32_t tenant = words[VYRE_SLOT_WORD_TENANT], tail = c->engine[VYRE_ENGINE_PARK_TAIL];
	uint32_t *entry = c->parked + (tail & (c->slots - 1)) * VYRE_SLOT_WORDS;

	if (tenant >= c->tenants || LOAD(&c->control[VYRE_CONTROL_TENANT_MASK + tenant], RELAXED))
		return 0;
	memmove(entry, words, VYRE_SLOT_BYTES);
	entry[0] = position;
	STORE(&c->engine[VYRE_ENGINE_PARK_TAIL], tail + 1, RELAXED);
	if (!is_parked) {
		ADD(&c->live[VYRE_LIVE_PARKED], 1, RELAXED);
		STORE(&host_words(c, position)[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_REQUEUE, RELEASE);
	}
	return 1;
}

static void run_slot(struct context *c, uint32_t position, const uint32_t *words, int is_parked)
{
	uint32_t tenant = words[VYRE_SLOT_WORD_TENANT], opcode = words[VYRE_SLOT_WORD_OPCODE];
	uint32_t code = VYRE_FAULT_TENANT, detail = tenant;
	int is_cancelled, is_put_aside;

	lock(c);
	is_cancelled = takes_cancel(c, position);
	is_put_aside = !is_cancelled && parks(c, position, words, is_parked);
	unlock(c);
	if (is_put_aside)
		return;
	if (is_parked)
		SUB(&c->live[VYRE_LIVE_PARKED], 1, RELAXED);
	if (is_cancelled) {
		code = VYRE_FAULT_CANCELLED;
		detail = 0;
	} else if (tenant < c->tenants) {
		code = run_handler(c, position, words, &detail);
		if (opcode < 32)
			ADD(&c->control[VYRE_CONTROL_METRICS + opcode], 1, RELAXED);
	}
	end_slot(c, position, tenant, code, detail);
}

static void fetch(struct context *c, uint32_t position, uint32_t *words)
{
	uint32_t i;

	for (i = 0; i < VYRE_SLOT_WORDS; i++)
		words[i] = LOAD(&host_words(c, position)[i], RELAXED);
}

/* ---- claims -------------------------------------------------------------------------------------------------------- */

static int claims(struct context *c)
{
	uint32_t words[VYRE_SLOT_WORDS], tail, head, take, i;

	ADD(&c->engine[ENGINE_BUSY], 1, SEQ_CST);
	tail = LOAD(&c->live[VYRE_LIVE_TAIL], ACQUIRE);
	head = LOAD(&c->live[VYRE_LIVE_HEAD], ACQUIRE);
	take = (int32_t)(tail - head) > 0 ? tail - head : 0;
	take = take > BATCH ? BATCH : take;
	if (take && !__atomic_compare_exchange_n(&c->live[VYRE_LIVE_HEAD], &head, head + take, 0, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
		take = 0;
	if (take > 1)
		ADD(&mailbox_plan.batches, 1, RELAXED);
	for (i = 0; i < take; i++) {
		if (LOAD(&c->stamps[(head + i) & (c->slots - 1)], RELAXED) != head + i)
			continue;
		fetch(c, head + i, words);
		run_slot(c, head + i, words, 0);
	}
	SUB(&c->engine[ENGINE_BUSY], 1, SEQ_CST);
	return take != 0;
}

/* ---- the poller ---------------------------------------------------------------------------------------------------- */

/* Every parked slot once more. */
static void pass(struct context *c)
{
	uint32_t words[VYRE_SLOT_WORDS], end = LOAD(&c->engine[VYRE_ENGINE_PARK_TAIL], RELAXED);
	uint32_t *head = &c->engine[VYRE_ENGINE_PARK_HEAD];

	for (;;) {
		lock(c);
		if ((int32_t)(end - *head) <= 0) {
			unlock(c);
			return;
		}
		memcpy(words, c->parked + (*head & (c->slots - 1)) * VYRE_SLOT_WORDS, sizeof(words));
		STORE(head, *head + 1, RELAXED);
		unlock(c);
		run_slot(c, words[0], words, 1);
	}
}

/* Masks and quotas first, then the epoch that they belong to. */
static int takes_config(struct context *c)
{
	uint32_t epoch = LOAD(&c->host[VYRE_LIVE_CONFIG_EPOCH], ACQUIRE), i;

	if (epoch == LOAD(&c->live[VYRE_LIVE_CONFIG_EPOCH], RELAXED))
		return 0;
	lock(c);
	for (i = VYRE_CONTROL_TENANT_MASK; i < VYRE_CONTROL_TENANT_QUOTA + 32; i++)
		STORE(&c->control[i], LOAD(&c->host_control[i], RELAXED), RELAXED);
	unlock(c);
	STORE(&c->live[VYRE_LIVE_CONFIG_EPOCH], epoch, RELEASE);
	pass(c);
	return 1;
}

/* Requests for slots that have ended, or whose place is another's, are forgotten. */
static void purge(struct context *c)
{
	uint32_t *cancel = c->engine + VYRE_ENGINE_CANCEL, i = 0;

	while (i < c->engine[VYRE_ENGINE_CANCELS]) {
		uint32_t position = cancel[i], status = LOAD(host_words(c, position), ACQUIRE);

		if (status == VYRE_SLOT_DONE || status == VYRE_SLOT_FAULT || status == VYRE_SLOT_EMPTY ||
		    LOAD(&c->stamps[position & (c->slots - 1)], RELAXED) != position)
			takes_cancel(c, position);
		else
			i++;
	}
}

static int takes_command(struct context *c)
{
	uint32_t command = LOAD(&c->host[VYRE_LIVE_COMMAND], ACQUIRE), *count = &c->engine[VYRE_ENGINE_CANCELS];

	if (command == LOAD(&c->live[VYRE_LIVE_COMMAND_DONE], RELAXED))
		return 0;
	lock(c);
	purge(c);
	if (*count == CANCEL_ROOM) {
		unlock(c);
		return 0;
	}
	c->engine[VYRE_ENGINE_CANCEL + *count] = LOAD(&c->host[VYRE_LIVE_COMMAND_ARG], RELAXED);
	STORE(count, *count + 1, RELAXED);
	unlock(c);
	pass(c);
	STORE(&c->live[VYRE_LIVE_COMMAND_DONE], command, RELAXED);
	return 1;
}

static const uint32_t out_words[] = {VYRE_LIVE_HEAD, VYRE_LIVE_PARKED, VYRE_LIVE_COMMAND_DONE, VYRE_LIVE_RETIRED};
enum { OUT_WORDS = sizeof(out_words) / sizeof(out_words[0]) };

static void begin_polling(struct context *c)
{
	uint32_t i;

	for (i = 0; i < 32; i++)
		c->known[32 + i] = LOAD(&c->host[VYRE_LIVE_TENANT_RETIRED + i], RELAXED);
	for (i = 0; i < OUT_WORDS; i++)
		c->known[i] = LOAD(&c->host[out_words[i]], RELAXED);
}

static void copy_word(struct context *c, uint32_t word, uint32_t *known)
{
	uint32_t now = LOAD(&c->live[word], ACQUIRE);

	if (now != *known)
		STORE(&c->host[word], now, RELEASE);
	*known = now;
}

/* Counts by tenant first: RETIRED says that they are there. AWAY and STATE are stored where the poller leaves. */
static void copy_out(struct context *c)
{
	uint32_t i;

	for (i = 0; i < 32; i++)
		copy_word(c, VYRE_LIVE_TENANT_RETIRED + i, &c->known[32 + i]);
	for (i = 0; i < OUT_WORDS; i++)
		copy_word(c, out_words[i], &c->known[i]);
}

/* One slot beyond what is known: by CHECK, whatever else is or is not visible yet. Its handler may take long: somebody else
 * polls meanwhile. */
static int takes_lone(struct context *c, uint32_t head)
{
	uint32_t words[VYRE_SLOT_WORDS], epoch = LOAD(&c->host[VYRE_LIVE_CONFIG_EPOCH], RELAXED);

	fetch(c, head, words);
	if (words[VYRE_SLOT_WORD_STATUS] != VYRE_SLOT_PUBLISHED ||
	    epoch != LOAD(&c->live[VYRE_LIVE_CONFIG_EPOCH], RELAXED) ||
	    LOAD(&c->host[VYRE_LIVE_CHECK], RELAXED) != vyre_mailbox_check(head, epoch, words))
		return 0;
	(void)LOAD(&c->host[VYRE_LIVE_TAIL], ACQUIRE); /* instead of a fence, which no thread sanitizer knows */
	ADD(&c->engine[ENGINE_BUSY], 1, SEQ_CST);
	STORE(&c->live[VYRE_LIVE_HEAD], head + 1, RELEASE);
	STORE(&c->live[VYRE_LIVE_TAIL], head + 1, RELEASE);
	ADD(&mailbox_plan.lone, 1, RELAXED);
	STORE(&c->engine[VYRE_ENGINE_POLLER], 0, RELEASE);
	run_slot(c, head, words, 0);
	SUB(&c->engine[ENGINE_BUSY], 1, SEQ_CST);
	return 1;
}

enum news { NOTHING, TAKEN, NO_POLLER };

static enum news takes_tail(struct context *c)
{
	uint32_t known = LOAD(&c->live[VYRE_LIVE_TAIL], RELAXED), head = LOAD(&c->live[VYRE_LIVE_HEAD], RELAXED);
	uint32_t tail = LOAD(&c->host[VYRE_LIVE_TAIL], RELAXED);

	if (tail == known)
		return NOTHING;
	if (tail == head + 1 && known == head && takes_lone(c, head))
		return NO_POLLER;
	tail = LOAD(&c->host[VYRE_LIVE_TAIL], ACQUIRE);
	takes_config(c); /* what was published under it */
	STORE(&c->live[VYRE_LIVE_TAIL], tail, RELEASE);
	return TAKEN;
}

/* 1 = nothing came, and the kernel leaves. */
static int leaves(struct context *c)
{
	STORE(&c->host[VYRE_LIVE_AWAY], 1, SEQ_CST);
	STORE(&c->host[VYRE_LIVE_STATE], 3, SEQ_CST);
	if (LOAD(&c->host[VYRE_LIVE_TAIL], SEQ_CST) == LOAD(&c->live[VYRE_LIVE_TAIL], RELAXED) &&
	    LOAD(&c->host[VYRE_LIVE_STOP], SEQ_CST) == 0 &&
	    LOAD(&c->host[VYRE_LIVE_CONFIG_EPOCH], SEQ_CST) == LOAD(&c->live[VYRE_LIVE_CONFIG_EPOCH], RELAXED) &&
	    LOAD(&c->host[VYRE_LIVE_COMMAND], SEQ_CST) == LOAD(&c->live[VYRE_LIVE_COMMAND_DONE], RELAXED))
		return 1;
	STORE(&c->host[VYRE_LIVE_AWAY], 0, SEQ_CST);
	STORE(&c->host[VYRE_LIVE_STATE], 1, SEQ_CST);
	return 0;
}

/* Nothing is claimed that has not been counted, and nothing is left to claim. */
static int is_quiet(struct context *c)
{
	return LOAD(&c->live[VYRE_LIVE_HEAD], SEQ_CST) == LOAD(&c->live[VYRE_LIVE_TAIL], SEQ_CST) &&
	       LOAD(&c->engine[ENGINE_BUSY], SEQ_CST) == 0;
}

/* One turn of the poller; 1 = every workgroup leaves. */
static int polls(struct context *c)
{
	const uint32_t *launch = c->launch;
	int has_news = takes_config(c);
	enum news tail;

	has_news |= takes_command(c);
	copy_out(c); /* before, that many lone slots one after the other do not keep it from the host */
	tail = takes_tail(c);
	if (tail == NO_POLLER)
		return 0;
	has_news |= tail == TAKEN;
	if (LOAD(&c->host[VYRE_LIVE_STOP], ACQUIRE) == 2 || LOAD(&c->host_control[VYRE_CONTROL_SHUTDOWN], RELAXED))
		return 1;
	if (LOAD(&c->host[VYRE_LIVE_STOP], ACQUIRE) == 1 && is_quiet(c))
		return 1;
	if (launch[VYRE_LAUNCH_ROUND_LIMIT] && ++c->turns == launch[VYRE_LAUNCH_ROUND_LIMIT])
		return 1;
	c->idle = has_news || !is_quiet(c) ? 0 : c->idle + 1;
	if (!launch[VYRE_LAUNCH_IDLE_LIMIT] || c->idle < launch[VYRE_LAUNCH_IDLE_LIMIT])
		return 0;
	c->idle = 0;
	copy_out(c); /* what ended before it was quiet */
	return leaves(c);
}

static int is_poller(struct context *c)
{
	uint32_t seen = LOAD(&c->engine[VYRE_ENGINE_POLLER], RELAXED);

	if (seen == c->self)
		return 1;
	if (seen != 0 || !__atomic_compare_exchange_n(&c->engine[VYRE_ENGINE_POLLER], &seen, c->self, 0,
						      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return 0;
	begin_polling(c);
	return 1;
}

void mailbox_entry(struct vyre_cpu_launch *launch)
{
	struct context c;

	open_context(&c, launch);
	while (LOAD(&c.engine[VYRE_ENGINE_EXIT], ACQUIRE) == 0) {
		int is_ours = is_poller(&c);

		if (is_ours && polls(&c))
			STORE(&c.engine[VYRE_ENGINE_EXIT], 1, RELEASE);
		else if ((is_ours && launch->workgroups[0] > 1) || !claims(&c))
			sched_yield();
	}
	if (LOAD(&c.engine[VYRE_ENGINE_POLLER], RELAXED) == c.self)
		copy_out(&c);
}
