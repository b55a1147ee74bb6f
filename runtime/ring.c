/* ring.c - a live ring: made, configured, stopped.
 *
 * In: a kernel of a set. Out: control, slots and logs in device memory, and workers that drain them until stop. Of a
 * mailbox ring (abi/mailbox.h) the host works on copies of its own: `control`, `live` and `words` are those.
 * Invariant: the memory of a ring lives until its owner, its publishers and every worker have let go. A handler that
 * never returns therefore costs its thread and its ring's memory, never the process: stop says TIMEOUT, destroy leaves
 * the ring to the worker, which frees it if it ever ends.
 *
 * The loader plays the device's part where no kernel is left to do it: it stores STATE, takes a worker that wakes out of
 * AWAY, and counts slots that a stop cancelled in RETIRED. Behind PCIe only then: a compare-exchange of the host's is not
 * atomic against the device's stores, so what nobody has claimed is taken back when the kernel has ended.
 *
 * A lost device: `lost` is set once and never cleared; every call that would wait for the device answers DEVICE_LOST.
 */
#include <string.h>

#include "abi/control.h"
#include "abi/queue.h"
#include "alloc.h"
#include "live.h"
#include "message.h"

enum {
	DEFAULT_SLOTS = 4096,
	SPIN_NS = 4000,
	MAILBOX_SPIN_NS = 20000, /* a round trip is longer, and who sleeps is told late */
};
static const uint64_t default_idle_ns = 2000000;
/* A full ring usually moves within microseconds; but HEAD passing over held places makes room and tells nobody. */
static const uint64_t room_slice_ns = 1000000;
/* What stop grants running handlers beyond its timeout. */
static const uint64_t leave_grace_ns = 100000000;

static int is_power_of_two(uint32_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* Frames and room for spawned slots, as far as the unit has a use for them. */
static vyre_status complete_queue(struct vyre_ring_params *params)
{
	const struct vyre_blob_unit *unit = params->kernel->unit;
	uint32_t most = 2 * VYRE_MAX_SLOTS;

	if (!(unit->features & VYRE_HAS_SPAWN))
		params->spawned = 0;
	else if (params->spawned == 0)
		params->spawned = params->slots;
	if (unit->frame_words == 0)
		params->frames = 0;
	else if (params->frames == 0)
		params->frames = params->slots + params->spawned;
	if (params->spawned > VYRE_MAX_SLOTS || params->frames > most)
		return vyre_fail(VYRE_INVALID, "stay within the limits",
				 "room for %u spawned slots (at most %u), %u frames (%u)", params->spawned,
				 (unsigned)VYRE_MAX_SLOTS, params->frames, most);
	if (vyre_frames_words(params->slots + params->spawned, params->frames, unit->frame_words) > UINT32_MAX)
		return vyre_fail(VYRE_INVALID, "ask for fewer frames", "%u frames of %u words are more than 2^32 words",
				 params->frames, unit->frame_words);
	return VYRE_OK;
}

/* Parameters with their defaults put in. */
static vyre_status complete(struct vyre_ring_params *params)
{
	struct vyre_kernel *kernel = params->kernel;
	uint32_t usual, most;
	vyre_status status;

	if (kernel->unit->kind != VYRE_UNIT_SET || kernel->unit->feed != VYRE_FEED_LIVE)
		return vyre_fail(VYRE_INVALID, "compile the set with feed live", "unit %.64s is no set with feed live",
				 vyre_blob_string(kernel->blob, kernel->unit->name));
	status = kernel->device->fns->ring_workers(kernel, params->share, &usual, &most);
	if (status != VYRE_OK)
		return status;
	params->slots = params->slots ? params->slots : DEFAULT_SLOTS;
	params->workers = params->workers ? params->workers : usual;
	params->tenants = params->tenants ? params->tenants : 1;
	params->idle_ns = params->idle_ns ? params->idle_ns : default_idle_ns;
	if (!is_power_of_two(params->slots) || params->slots < 2 || params->slots > VYRE_MAX_SLOTS)
		return vyre_fail(VYRE_INVALID, "ask for a power of two from 2 to 1048576", "a ring of %u slots",
				 params->slots);
	if (params->workers > most || params->tenants > VYRE_TENANT_MASKS || params->observables > VYRE_MAX_SLOTS)
		return vyre_fail(VYRE_INVALID, "stay within the limits",
				 "%u workers (at most %u), %u tenants (%u), %u observables (%u)", params->workers, most,
				 params->tenants, (unsigned)VYRE_TENANT_MASKS, params->observables,
				 (unsigned)VYRE_MAX_SLOTS);
	if (params->flags & ~(uint32_t)VYRE_RING_PIN)
		return vyre_fail(VYRE_INVALID, "use VYRE_RING_* flags only", "unknown ring flags 0x%x", params->flags);
	return complete_queue(params);
}

static int has_row(const struct vyre_ring *ring, uint32_t i)
{
	return ring->kernel->ring_rows[i] != VYRE_NO_ROW;
}

static vyre_status make_mailbox(struct vyre_ring *ring)
{
	const uint64_t bytes[VYRE_MAILBOX_BUFFERS] = {
	    [VYRE_MAILBOX_CONTROL] = ring->memories[VYRE_RING_BUFFER_CONTROL]->bytes,
	    [VYRE_MAILBOX_RING] = ring->memories[VYRE_RING_BUFFER_RING]->bytes,
	    [VYRE_MAILBOX_STAMPS] = 4 * (uint64_t)ring->slots,
	};
	vyre_status status = VYRE_OK;
	uint32_t i;

	for (i = 0; i < VYRE_MAILBOX_BUFFERS && status == VYRE_OK; i++)
		status = vyre_memory_create(ring->device, bytes[i], VYRE_PLACE_HOST, &ring->mailbox[i]);
	return status;
}

/* io entries are in turn the asker's and the host's, so they lie where both can reach them. */
static vyre_status make_memory(struct vyre_ring *ring, const struct vyre_ring_params *params)
{
	uint32_t records = params->slots + params->spawned, cells = vyre_queue_cells(records);
	uint64_t bytes[VYRE_RING_BUFFERS] = {
	    [VYRE_RING_BUFFER_CONTROL] = 4 * ((uint64_t)vyre_live_base(params->observables) + VYRE_LIVE_WORDS),
	    [VYRE_RING_BUFFER_RING] = (uint64_t)VYRE_SLOT_BYTES * params->slots,
	    [VYRE_RING_BUFFER_LOG] = 4 * VYRE_DEBUG_WORDS,
	    [VYRE_RING_BUFFER_IO] = 4 * VYRE_IO_WORDS,
	    [VYRE_RING_BUFFER_LAUNCH] = 4 * (uint64_t)VYRE_LIVE_LINE_WORDS * params->workers,
	    [VYRE_RING_BUFFER_FRAMES] = 4 * vyre_frames_words(records, params->frames, ring->kernel->unit->frame_words),
	    [VYRE_RING_BUFFER_QUEUE] = 4 * vyre_queue_words(cells, params->spawned),
	};
	vyre_status status = VYRE_OK;
	uint32_t i;

	for (i = 0; i < VYRE_RING_BUFFERS && status == VYRE_OK; i++)
		if (has_row(ring, i))
			status = vyre_memory_create(ring->device, bytes[i],
						    ring->is_mailbox && i != VYRE_RING_BUFFER_IO ? VYRE_PLACE_DEVICE
												 : VYRE_PLACE_HOST,
						    &ring->memories[i]);
	if (status == VYRE_OK && ring->is_mailbox)
		status = make_mailbox(ring);
	if (status != VYRE_OK)
		return status;
	ring->owner = vyre_pages_alloc(sizeof(*ring->owner) * params->slots);
	return ring->owner ? VYRE_OK
			   : vyre_fail_nomem("the owners of a ring's places", sizeof(*ring->owner) * params->slots);
}

/* ---- what the memory holds at first -------------------------------------------------------------------------------- */

typedef void fill_fn(const struct vyre_ring *ring, const struct vyre_ring_params *params, uint32_t *words);

/* Every counter of positions or slots starts at the same value; what wraps early shows early. */
static void fill_control(const struct vyre_ring *ring, const struct vyre_ring_params *params, uint32_t *control)
{
	static const uint32_t counters[] = {VYRE_LIVE_TAIL, VYRE_LIVE_HEAD, VYRE_LIVE_RETIRED,
					    VYRE_LIVE_ENGINE + VYRE_ENGINE_ENDED};
	uint32_t *live, i;

	vyre_control_encode_live(control, params->tenants, params->observables, ring->slots);
	live = control + control[VYRE_CONTROL_EXT_BASE];
	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		live[counters[i]] = params->first_position;
	control[VYRE_CONTROL_DONE_COUNT] = params->first_position;
	for (i = 0; i < 32; i++) {
		control[VYRE_CONTROL_TENANT_FAIRNESS + i] = params->first_position;
		live[VYRE_LIVE_TENANT_RETIRED + i] = params->first_position;
	}
	live[VYRE_LIVE_STATE] = 1;
}

static void fill_launch(const struct vyre_ring *ring, const struct vyre_ring_params *params, uint32_t *launch)
{
	uint32_t i;

	for (i = 0; i < params->workers; i++, launch += VYRE_LIVE_LINE_WORDS) {
		launch[VYRE_LAUNCH_IDLE_LIMIT] = ring->idle_polls;
		launch[VYRE_LAUNCH_ROUND_LIMIT] = ring->device->burst_polls;
		launch[VYRE_LAUNCH_WORKERS] = params->workers;
	}
}

static void fill_frames(const struct vyre_ring *ring, const struct vyre_ring_params *params, uint32_t *words)
{
	vyre_frames_encode(words, params->slots + params->spawned, params->frames, ring->kernel->unit->frame_words);
}

static void fill_queue(const struct vyre_ring *ring, const struct vyre_ring_params *params, uint32_t *words)
{
	(void)ring;
	vyre_queue_encode(words, vyre_queue_cells(params->slots + params->spawned), params->spawned);
}

/* In memory that the host cannot reach: made beside it, and copied. */
static vyre_status fill_memory(const struct vyre_ring *ring, const struct vyre_ring_params *params,
			       struct vyre_memory *memory, fill_fn *fill)
{
	vyre_status status;
	uint32_t *words;

	if (memory->data) {
		fill(ring, params, memory->data);
		return VYRE_OK;
	}
	words = vyre_pages_alloc(memory->bytes);
	if (!words)
		return vyre_fail_nomem("what a ring's memory holds at first", memory->bytes);
	fill(ring, params, words);
	status = ring->device->fns->memory_write(memory, 0, words, memory->bytes);
	vyre_pages_free(words, memory->bytes);
	return status;
}

/* A stamp is a position modulo the slots' number; another place's stamp is none of this place's positions. */
static void fill_stamps(struct vyre_ring *ring)
{
	uint32_t i;

	for (i = 0; i < ring->slots; i++)
		ring->stamps[i] = vyre_no_stamp(i);
}

static vyre_status encode(struct vyre_ring *ring, const struct vyre_ring_params *params)
{
	static fill_fn *const fills[VYRE_RING_BUFFERS] = {
	    [VYRE_RING_BUFFER_CONTROL] = fill_control,
	    [VYRE_RING_BUFFER_LAUNCH] = fill_launch,
	    [VYRE_RING_BUFFER_FRAMES] = fill_frames,
	    [VYRE_RING_BUFFER_QUEUE] = fill_queue,
	};
	vyre_status status = VYRE_OK;
	uint32_t i;

	for (i = 0; i < VYRE_RING_BUFFERS && status == VYRE_OK; i++)
		if (fills[i] && ring->memories[i])
			status = fill_memory(ring, params, ring->memories[i], fills[i]);
	if (status != VYRE_OK)
		return status;
	if (ring->is_mailbox) {
		ring->control = ring->mailbox[VYRE_MAILBOX_CONTROL]->data;
		ring->words = ring->mailbox[VYRE_MAILBOX_RING]->data;
		ring->stamps = ring->mailbox[VYRE_MAILBOX_STAMPS]->data;
		fill_control(ring, params, ring->control);
		fill_stamps(ring);
	} else {
		ring->control = ring->memories[VYRE_RING_BUFFER_CONTROL]->data;
		ring->words = ring->memories[VYRE_RING_BUFFER_RING]->data;
	}
	ring->live = ring->control + ring->control[VYRE_CONTROL_EXT_BASE];
	return VYRE_OK;
}

/* The host's own counts. */
static void begin_counts(struct vyre_ring *ring, const struct vyre_ring_params *params)
{
	uint32_t i;

	ring->control_words = VYRE_CONTROL_MIN_WORDS + params->observables;
	ring->first_position = params->first_position;
	ring->commit[0].cursor = ring->first_position;
	ring->commit[0].tenant_published = params->first_position;
	for (i = 0; i < 32; i++)
		ring->tenant[i].published = params->first_position;
	ring->lap_limit = UINT64_MAX;
	ring->limit = ring->first_position + params->slots;
	ring->full_retired = params->first_position - 1;
}

/* idle_ns as a number of polls, 0 = never; see poll_ps in device.h. */
static uint32_t idle_polls(const struct vyre_device *device, uint64_t idle_ns)
{
	uint64_t polls;

	if (idle_ns == VYRE_FOREVER)
		return 0;
	polls = idle_ns > UINT64_MAX / 1000 ? UINT64_MAX : idle_ns * 1000 / device->poll_ps;
	return polls == 0 ? 1 : polls > UINT32_MAX ? UINT32_MAX : (uint32_t)polls;
}

/* Polls of the slot's own STATUS that a waiter makes before it sleeps. On one processor the one who would end the wait
 * cannot run while we spin. */
static uint32_t spins(const struct vyre_ring *ring)
{
	if (ring->is_mailbox)
		return vyre_cpu_processors() > 1 ? (uint32_t)(MAILBOX_SPIN_NS * 1000ull / vyre_cpu_poll_ps()) : 0;
	return ring->device->info.max_workers > 1 ? (uint32_t)(SPIN_NS * 1000ull / ring->device->poll_ps) : 0;
}

static void init_locks(struct vyre_ring *ring)
{
	pthread_mutexattr_t robust;

	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&ring->publish_lock, &robust);
	pthread_mutex_init(&ring->command_lock, &robust);
	pthread_mutex_init(&ring->io_lock, NULL);
	pthread_mutexattr_destroy(&robust);
}

vyre_status vyre_ring_create(const struct vyre_ring_params *given, struct vyre_ring **out)
{
	struct vyre_ring_params params = *given;
	struct vyre_ring *ring;
	vyre_status status;

	*out = NULL;
	if (!params.kernel)
		return vyre_fail(VYRE_INVALID, "give a kernel of a set", "ring parameters without a kernel");
	status = complete(&params);
	if (status != VYRE_OK)
		return status;
	ring = vyre_mem_alloc(sizeof(*ring));
	if (!ring)
		return vyre_fail_nomem("a ring record", sizeof(*ring));
	init_locks(ring);
	ring->refs = 1;
	ring->kernel = params.kernel;
	ring->device = params.kernel->device;
	vyre_kernel_ref(ring->kernel);
	ring->slots = params.slots;
	ring->workers = params.workers;
	ring->tenants = params.tenants;
	ring->flags = params.flags;
	ring->room_slice_ns = room_slice_ns;
	ring->idle_polls = idle_polls(ring->device, params.idle_ns);
	ring->is_mailbox = (ring->kernel->slice_flags & VYRE_SLICE_MAILBOX) != 0;
	ring->spins = spins(ring);
	begin_counts(ring, &params);
	status = make_memory(ring, &params);
	if (status == VYRE_OK)
		status = encode(ring, &params);
	if (status == VYRE_OK)
		status = ring->device->fns->ring_start(ring);
	if (status != VYRE_OK) {
		vyre_ring_unref(ring);
		return status;
	}
	*out = ring;
	return VYRE_OK;
}

void vyre_ring_ref(struct vyre_ring *ring)
{
	__atomic_fetch_add(&ring->refs, 1, __ATOMIC_RELAXED);
}

void vyre_ring_unref(struct vyre_ring *ring)
{
	uint32_t i;

	if (__atomic_sub_fetch(&ring->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	ring->device->fns->ring_free(ring);
	for (i = 0; i < VYRE_RING_BUFFERS; i++)
		vyre_memory_unref(ring->memories[i]);
	for (i = 0; i < VYRE_MAILBOX_BUFFERS; i++)
		vyre_memory_unref(ring->mailbox[i]);
	vyre_pages_free(ring->owner, sizeof(*ring->owner) * ring->slots);
	vyre_kernel_destroy(ring->kernel);
	pthread_mutex_destroy(&ring->publish_lock);
	pthread_mutex_destroy(&ring->command_lock);
	pthread_mutex_destroy(&ring->io_lock);
	vyre_mem_free(ring);
}

/* Waits for a worker, or for something that a worker will be told of. */
static int is_unclaimed(uint32_t status, int all_left)
{
	return status == VYRE_SLOT_PUBLISHED || status == VYRE_SLOT_REQUEUE || status == VYRE_SLOT_YIELD ||
	       status == VYRE_SLOT_WAIT_IO ||
	       (all_left && (status == VYRE_SLOT_CLAIMED || status == VYRE_SLOT_CANCELLING));
}

/* Slots that nobody has claimed, suspended ones among them, end as EMPTY, and those who wait for them are told. By
 * compare-exchange: a worker that has not left may still claim. What they had spawned goes with the kernel. What a lost
 * device had is not known. */
static void cancel_unclaimed(struct vyre_ring *ring)
{
	/* What is claimed lies in a ready ring, or is in a handler's hands. */
	int all_left = ring->device->fns->ring_running(ring) == 0;
	uint32_t cancelled = 0, i;

	if ((ring->is_mailbox && !all_left) || vyre_ring_is_lost(ring))
		return;
	vyre_ring_lock(ring);
	for (i = 0; i < ring->slots; i++) {
		uint32_t *status = vyre_slot_words(ring, i), seen = __atomic_load_n(status, __ATOMIC_ACQUIRE);

		if (!is_unclaimed(seen, all_left))
			continue;
		if (!__atomic_compare_exchange_n(status, &seen, VYRE_SLOT_EMPTY, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			continue;
		cancelled++;
	}
	__atomic_add_fetch(&ring->live[VYRE_LIVE_RETIRED], cancelled, __ATOMIC_SEQ_CST);
	vyre_ring_unlock(ring);
	vyre_ring_notify(ring);
}

/* States only go forward, whoever stops at the same time. */
static void close_ring(struct vyre_ring *ring, uint32_t state)
{
	vyre_ring_lock(ring);
	if (__atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST) < state)
		__atomic_store_n(&ring->closed, state, __ATOMIC_SEQ_CST);
	vyre_ring_unlock(ring);
	vyre_ring_notify(ring); /* publishers that wait for room */
}

static int have_all_left(struct vyre_ring *ring, void *context)
{
	(void)context;
	return ring->device->fns->ring_running(ring) == 0;
}

/* No worker is left: what they counted as waiting is nobody's any more. */
static void all_have_left(struct vyre_ring *ring)
{
	static const uint32_t counts[] = {VYRE_LIVE_PARKED, VYRE_LIVE_PARKED_QUOTA, VYRE_LIVE_READY, VYRE_LIVE_WAITING};
	uint32_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		__atomic_store_n(&ring->live[counts[i]], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&ring->live[VYRE_LIVE_STATE], 4, __ATOMIC_SEQ_CST);
	__atomic_store_n(&ring->left, 1, __ATOMIC_SEQ_CST);
}

/* A worker calls this, any number of them any number of times. Slots that can still end, those that run, do. */
void vyre_ring_shut_down(struct vyre_ring *ring, int all)
{
	close_ring(ring, VYRE_RING_CLOSING);
	cancel_unclaimed(ring);
	if (!all)
		return;
	all_have_left(ring);
	cancel_unclaimed(ring); /* what the last ones had claimed, and suspended */
	close_ring(ring, VYRE_RING_STOPPED);
}

void vyre_ring_io_asked(struct vyre_ring *ring)
{
	pthread_mutex_lock(&ring->io_lock);
	if (ring->io_asked)
		ring->io_asked(ring->io_user);
	pthread_mutex_unlock(&ring->io_lock);
}

int vyre_ring_is_lost(const struct vyre_ring *ring)
{
	return __atomic_load_n(&ring->lost, __ATOMIC_SEQ_CST) != 0;
}

void vyre_ring_lose(struct vyre_ring *ring, enum vyre_loss loss)
{
	uint32_t none = 0;

	__atomic_store_n(&ring->live[VYRE_LIVE_STOP], 2, __ATOMIC_SEQ_CST); /* should anything run after all */
	if (__atomic_compare_exchange_n(&ring->lost, &none, loss, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		vyre_log(VYRE_LOG_ERROR, "%s of a ring was lost: %s",
			 loss == VYRE_LOSS_KERNEL ? "the kernel" : "the device", vyre_last_error());
	vyre_ring_notify(ring);
}

vyre_status vyre_ring_answer_lost(const struct vyre_ring *ring)
{
	if (__atomic_load_n(&ring->lost, __ATOMIC_SEQ_CST) == VYRE_LOSS_KERNEL)
		return vyre_answer(
		    VYRE_DEVICE_LOST,
		    "the driver did not take the ring's kernel back for four seconds, and with it went what "
		    "the ring had in flight; the device lives. Fix: leave the ring more room on the device, "
		    "or keep its kernel there (idle_ns), and create the ring again.");
	return vyre_answer(VYRE_DEVICE_LOST, "the device was lost, and with it what the ring had in flight. Fix: close "
					     "what was made from the device and open it again.");
}

/* Any number of threads may be in here: every step may be done twice. */
static vyre_status stop_workers(struct vyre_ring *ring, uint64_t deadline)
{
	uint64_t grace = vyre_deadline(leave_grace_ns);

	__atomic_store_n(&ring->live[VYRE_LIVE_STOP], 2, __ATOMIC_SEQ_CST);
	ring->device->fns->ring_wake(ring, UINT32_MAX);
	/* At once, so that a worker does not run the rest of its batch first; and again afterwards for what was being
	 * claimed, parked or published meanwhile. */
	cancel_unclaimed(ring);
	if (!have_all_left(ring, NULL))
		vyre_ring_wait_until(ring, have_all_left, NULL, deadline > grace ? deadline : grace, 0);
	if (have_all_left(ring, NULL))
		all_have_left(ring);
	cancel_unclaimed(ring);
	close_ring(ring, VYRE_RING_STOPPED);
	if (vyre_ring_is_lost(ring))
		return vyre_ring_answer_lost(ring);
	if (__atomic_load_n(&ring->left, __ATOMIC_SEQ_CST))
		return VYRE_OK;
	return vyre_fail(VYRE_TIMEOUT, "find the handler that does not return",
			 "%u of %u workers are still inside a handler", ring->device->fns->ring_running(ring),
			 ring->workers);
}

vyre_status vyre_ring_stop(struct vyre_ring *ring, int drain, uint64_t timeout_ns)
{
	uint64_t deadline = vyre_deadline(timeout_ns);
	vyre_status drained = VYRE_OK, status;

	if (__atomic_load_n(&ring->left, __ATOMIC_SEQ_CST) &&
	    __atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST) == VYRE_RING_STOPPED)
		return vyre_ring_is_lost(ring) ? vyre_ring_answer_lost(ring) : VYRE_OK;
	close_ring(ring, VYRE_RING_CLOSING);
	if (drain)
		drained = vyre_ring_drain(ring, timeout_ns);
	status = stop_workers(ring, deadline);
	if (status == VYRE_DEVICE_LOST)
		return status;
	return drained != VYRE_OK ? VYRE_TIMEOUT : status;
}

void vyre_ring_destroy(struct vyre_ring *ring)
{
	int stopped_before;

	if (!ring)
		return;
	stopped_before = __atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST) == VYRE_RING_STOPPED;
	/* A stop that has already timed out is not waited for a second time. */
	if (!stopped_before)
		(void)!vyre_ring_stop(ring, 0, VYRE_FOREVER);
	if (have_all_left(ring, NULL)) {
		ring->device->fns->ring_finish(ring);
		vyre_ring_unref(ring);
		return;
	}
	vyre_log(VYRE_LOG_ERROR,
		 "a ring is destroyed while a handler runs; its memory stays until the handler returns. "
		 "Fix: find the handler that does not return.");
	ring->device->fns->ring_abandon(ring);
}

/* Workers look at what they have parked. */
static void tell_of_change(struct vyre_ring *ring)
{
	__atomic_add_fetch(&ring->live[VYRE_LIVE_CONFIG_EPOCH], 1, __ATOMIC_SEQ_CST);
	if (vyre_live_load(ring, VYRE_LIVE_AWAY) != 0)
		ring->device->fns->ring_wake(ring, UINT32_MAX);
}

vyre_status vyre_ring_set_tenant(struct vyre_ring *ring, uint32_t tenant, int may_run)
{
	if (tenant >= ring->tenants)
		return vyre_fail(VYRE_INVALID, "make the ring with more tenants, or use a smaller id",
				 "tenant %u of a ring with %u tenants", tenant, ring->tenants);
	__atomic_store_n(&ring->control[VYRE_CONTROL_TENANT_MASK + tenant], may_run ? UINT32_MAX : 0, __ATOMIC_SEQ_CST);
	tell_of_change(ring);
	return VYRE_OK;
}

vyre_status vyre_ring_set_quota(struct vyre_ring *ring, uint32_t tenant, uint32_t slots)
{
	if (tenant >= ring->tenants)
		return vyre_fail(VYRE_INVALID, "make the ring with more tenants, or use a smaller id",
				 "tenant %u of a ring with %u tenants", tenant, ring->tenants);
	vyre_ring_lock(ring);
	__atomic_store_n(&ring->control[VYRE_CONTROL_TENANT_QUOTA + tenant], slots, __ATOMIC_SEQ_CST);
	ring->tenant[tenant].room = 0;
	vyre_ring_unlock(ring);
	tell_of_change(ring);
	vyre_ring_tell_room_waiters(ring);
	return VYRE_OK;
}
