/* publish.c - how slots get into the ring.
 *
 * In: slots from any number of threads. Out: positions below TAIL whose places hold them, or a status and nothing
 * changed. Under publish_lock: count the free places between the cursor and one lap ahead of HEAD, and only when there
 * are enough write them, each STATUS last with release, then move TAIL once. The lock makes batches all-or-nothing and
 * costs one uncontended exchange a batch; reserving positions without it would let a publisher that stops in the middle
 * stop TAIL for all others. Nothing is allocated and, while a worker is awake, no system call is made.
 *
 * A publisher that dies inside (its thread ends) leaves the lock to the next one, which takes back what was not
 * committed: the two commit records make cursor and counts change in one store.
 *
 * Lost wake-ups: a publisher stores TAIL, then reads AWAY; a worker that leaves adds to AWAY, then reads TAIL; all four
 * are seq_cst, so one of them sees the other (the worker's thread: device/cpu_ring.c).
 */
#include <errno.h>
#include <sched.h>

#include "alloc.h"
#include "message.h"
#include "publish.h"

enum { LOCK_SPINS = 200, YIELD_TURNS = 64, ROOM_POLL_RELAXES = 32 };

static struct vyre_commit *current_commit(struct vyre_ring *ring)
{
	return &ring->commit[__atomic_load_n(&ring->commit_index, __ATOMIC_RELAXED) & 1];
}

/* Puts `count` more slots of a tenant, and where they end, in force with one store, then shows them to the device. */
static void commit(struct vyre_ring *ring, uint64_t cursor, uint32_t tenant, uint32_t count)
{
	uint32_t next = (ring->commit_index & 1) ^ 1;
	struct vyre_commit *record = &ring->commit[next];
	uint64_t published = current_commit(ring)->published + count;

	/* Atomically: whoever waits for room reads them without the lock. */
	__atomic_store_n(&record->cursor, cursor, __ATOMIC_RELAXED);
	__atomic_store_n(&record->published, published, __ATOMIC_RELAXED);
	record->tenant = tenant;
	record->tenant_published = ring->tenant[tenant].published + count;
	__atomic_store_n(&ring->commit_index, next, __ATOMIC_RELEASE);
	__atomic_store_n(&ring->live[VYRE_LIVE_TAIL], (uint32_t)cursor, __ATOMIC_SEQ_CST);
	ring->tenant[tenant].published = record->tenant_published;
}

/* The last holder of the lock died. What it had not committed goes back to nobody. */
static void discard_unfinished(struct vyre_ring *ring)
{
	struct vyre_commit now = *current_commit(ring);
	uint32_t claimed = vyre_places_take_back(ring, now.cursor);

	ring->tenant[now.tenant].published = now.tenant_published;
	commit(ring, now.cursor, ring->writer, claimed);
	vyre_log(VYRE_LOG_WARNING, "a thread ended while it published; its slots were taken back");
}

void vyre_ring_lock(struct vyre_ring *ring)
{
	int i, error = EBUSY;

	for (i = 0; i < LOCK_SPINS && error == EBUSY; i++) {
		error = pthread_mutex_trylock(&ring->publish_lock);
		if (error == EBUSY)
			vyre_relax();
	}
	if (error == EBUSY)
		error = pthread_mutex_lock(&ring->publish_lock);
	if (error == EOWNERDEAD) {
		pthread_mutex_consistent(&ring->publish_lock);
		discard_unfinished(ring);
	}
}

void vyre_ring_unlock(struct vyre_ring *ring)
{
	pthread_mutex_unlock(&ring->publish_lock);
}

struct vyre_commit vyre_ring_commit_locked(struct vyre_ring *ring)
{
	return *current_commit(ring);
}

struct vyre_commit vyre_ring_commit(struct vyre_ring *ring)
{
	struct vyre_commit now;

	vyre_ring_lock(ring);
	now = vyre_ring_commit_locked(ring);
	vyre_ring_unlock(ring);
	return now;
}

/* Places that no slot in flight holds, told by one word. Looking at the places of a full ring instead would take the
 * lines of all its slots away from the worker that is about to run them. The word lags: a slot that has ended is not
 * counted until its batch has, so only a word that moves is believed (full_retired). */
static uint32_t places_not_in_flight(const struct vyre_ring *ring, uint64_t published, uint32_t retired)
{
	uint32_t in_flight = (uint32_t)(ring->first_position + published) - retired;

	return in_flight <= ring->slots ? ring->slots - in_flight
					: ring->slots; /* the words are the device's to spoil */
}

/* Behind PCIe the device's words come later than the slots' own: whoever has waited for his slots must not find the ring full
 * of them. A slot that has ended was claimed, and so was every position before it. */
static int last_has_ended(const struct vyre_ring *ring, uint64_t cursor)
{
	uint64_t last = cursor - 1, place = last & (ring->slots - 1);

	return ring->is_mailbox && ring->stamps[place] == (uint32_t)last &&
	       (__atomic_load_n(&ring->owner[place], __ATOMIC_ACQUIRE) == 0 ||
		vyre_slot_has_ended(vyre_slot_status(ring, last)));
}

/* Is there surely no room? RETIRED is read only when what was known of it is used up: the worker writes its line with
 * every batch, and a look costs as much as ten slots. */
static int looks_full(struct vyre_ring *ring, const struct vyre_commit *now, uint32_t count)
{
	uint32_t retired;

	if (ring->room >= count)
		return 0;
	retired = vyre_live_load(ring, VYRE_LIVE_RETIRED);
	ring->room = places_not_in_flight(ring, now->published, retired);
	if (ring->room >= count || retired == ring->full_retired || last_has_ended(ring, now->cursor))
		return 0;
	ring->full_retired = retired;
	return 1;
}

/* One lap ahead of HEAD, and never more than a lap ahead of the cursor, whatever a kernel makes of HEAD. */
static void refresh_limit(struct vyre_ring *ring, uint64_t cursor)
{
	int32_t behind = (int32_t)((uint32_t)cursor - vyre_live_load(ring, VYRE_LIVE_HEAD));

	ring->limit = cursor + ring->slots;
	if (behind > 0 && !last_has_ended(ring, cursor))
		ring->limit -= (uint32_t)behind < ring->slots ? (uint32_t)behind : ring->slots;
}

/* The lock is held, and there is room from `position` on. */
static void write_batch(struct vyre_batch *batch, uint64_t position)
{
	struct vyre_ring *ring = batch->publisher->ring;
	uint32_t tenant = batch->publisher->tenant, count = batch->count;

	ring->writer = tenant;
	position = vyre_places_write(batch, position);
	if (ring->before_commit)
		ring->before_commit(ring->before_commit_user);
	commit(ring, position, tenant, count);
	ring->tenant[tenant].room -= count;
	ring->room -= count < ring->room ? count : ring->room;
}

/* May the tenant have so many more in flight? TENANT_RETIRED is read only when what was known of it is used up, as
 * RETIRED is. A quota of the whole ring is none: so many are never in flight, but the count of those that have ended
 * lags, and would refuse some. */
static int has_quota(struct vyre_batch *batch)
{
	struct vyre_ring *ring = batch->publisher->ring;
	uint32_t tenant = batch->publisher->tenant, retired;
	struct vyre_tenant_count *count = &ring->tenant[tenant];

	if (count->room >= batch->count)
		return 1;
	batch->quota = __atomic_load_n(&ring->control[VYRE_CONTROL_TENANT_QUOTA + tenant], __ATOMIC_RELAXED);
	if (tenant >= ring->tenants || batch->quota >= ring->slots) {
		count->room = UINT32_MAX;
		return 1;
	}
	retired = vyre_live_load(ring, VYRE_LIVE_TENANT_RETIRED + tenant);
	batch->in_flight = count->published - retired;
	if (batch->in_flight > ring->slots) /* the word is the device's to spoil */
		batch->in_flight = 0;
	count->room = batch->quota > batch->in_flight ? batch->quota - batch->in_flight : 0;
	return count->room >= batch->count;
}

/* OK and where to write, or FULL and what there is too little of. */
static vyre_status find_places(struct vyre_batch *batch, uint64_t cursor, uint64_t *first)
{
	struct vyre_ring *ring = batch->publisher->ring;

	batch->lack = VYRE_LACK_QUOTA;
	if (!has_quota(batch))
		return VYRE_FULL;
	batch->lack = VYRE_LACK_FENCES;
	if (batch->fences && vyre_ring_refresh_holds(ring) < batch->fences)
		return VYRE_FULL;
	batch->lack = VYRE_LACK_PLACES;
	if (vyre_places_find(batch, cursor, first))
		return VYRE_OK;
	refresh_limit(ring, cursor);
	if (ring->lap_limit != UINT64_MAX)
		vyre_ring_refresh_holds(ring);
	return vyre_places_find(batch, cursor, first) ? VYRE_OK : VYRE_FULL;
}

static vyre_status attempt(struct vyre_batch *batch)
{
	struct vyre_ring *ring = batch->publisher->ring;
	struct vyre_commit now;
	vyre_status status;
	uint64_t first;
	uint32_t away;

	vyre_ring_lock(ring);
	now = *current_commit(ring);
	if (vyre_ring_is_lost(ring)) {
		status = VYRE_DEVICE_LOST;
	} else if (__atomic_load_n(&ring->closed, __ATOMIC_RELAXED)) {
		status = VYRE_STOPPED;
	} else if (looks_full(ring, &now, batch->count)) {
		batch->lack = VYRE_LACK_PLACES;
		status = VYRE_FULL;
	} else {
		status = find_places(batch, now.cursor, &first);
	}
	if (status == VYRE_OK)
		write_batch(batch, first);
	vyre_ring_unlock(ring);
	if (status != VYRE_OK)
		return status;
	away = vyre_live_load(ring, VYRE_LIVE_AWAY);
	if (away != 0)
		ring->device->fns->ring_wake(ring, batch->count);
	return VYRE_OK;
}

/* What the ring had come to before the last attempt. */
struct room_wait {
	struct vyre_batch *batch;
	uint32_t tried_retired, tried_head, tried_releases;
	uint32_t seen_retired; /* at the last look */
	int holds_out;	       /* it spins, and will look again by itself */
	uint64_t look_at;      /* when to try again though nothing has moved */
};

/* Tries again when something has moved since the last attempt. While slots retire batch after batch one that spins holds
 * out for an eighth of the ring: an attempt for each of the worker's batches would be in its way all the time. One that
 * has slept was woken for what has retired, and nobody may wake it for more. */
static int has_published(struct vyre_ring *ring, void *context)
{
	struct room_wait *wait = context;
	uint32_t retired = vyre_live_load(ring, VYRE_LIVE_RETIRED), head = vyre_live_load(ring, VYRE_LIVE_HEAD);
	uint32_t releases = __atomic_load_n(&ring->releases, __ATOMIC_SEQ_CST);
	uint64_t published = __atomic_load_n(&current_commit(ring)->published, __ATOMIC_RELAXED);
	uint64_t now = vyre_now();
	int flows = retired != wait->seen_retired;

	wait->seen_retired = retired;
	if (releases == wait->tried_releases && __atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST) == VYRE_RING_OPEN &&
	    !vyre_ring_is_lost(ring)) {
		if (retired == wait->tried_retired && head == wait->tried_head && now < wait->look_at)
			return 0;
		if (flows && wait->holds_out && places_not_in_flight(ring, published, retired) < ring->slots / 8)
			return 0;
	}
	wait->tried_retired = retired;
	wait->tried_head = head;
	wait->tried_releases = releases;
	wait->look_at = now + ring->room_slice_ns;
	wait->batch->status = attempt(wait->batch);
	return wait->batch->status != VYRE_FULL;
}

/* A ring that moves makes room soon: spin as long as it does, and let others run in between. The pauses between two looks
 * leave RETIRED and HEAD to the worker, which writes them with every batch. 1 = it is done. */
static int spin_for_room(struct room_wait *wait, uint64_t deadline_ns)
{
	struct vyre_ring *ring = wait->batch->publisher->ring;
	uint32_t still = 0, turns = 0, retired = wait->seen_retired, i;

	for (; still < ring->spins; still += ROOM_POLL_RELAXES, turns++) {
		if (has_published(ring, wait))
			return 1;
		if (wait->seen_retired != retired) {
			retired = wait->seen_retired;
			still = 0;
		}
		if (turns % YIELD_TURNS == YIELD_TURNS - 1) {
			sched_yield();
			if (vyre_now() >= deadline_ns)
				return 0;
		}
		for (i = 0; i < ROOM_POLL_RELAXES; i++)
			vyre_relax();
	}
	return 0;
}

static void wait_for_room(struct vyre_batch *batch, uint64_t timeout_ns)
{
	struct vyre_ring *ring = batch->publisher->ring;
	uint64_t deadline_ns = vyre_deadline(timeout_ns);
	struct room_wait wait = {.batch = batch};

	__atomic_add_fetch(&ring->room_waiters, 1, __ATOMIC_SEQ_CST);
	/* The first look attempts in any case: a ticket may have been released before we counted ourselves. */
	wait.tried_releases = __atomic_load_n(&ring->releases, __ATOMIC_SEQ_CST) - 1;
	wait.holds_out = 1;
	if (!spin_for_room(&wait, deadline_ns)) {
		wait.holds_out = 0;
		vyre_ring_wait_until(ring, has_published, &wait, deadline_ns, ring->room_slice_ns);
	}
	__atomic_sub_fetch(&ring->room_waiters, 1, __ATOMIC_SEQ_CST);
	if (batch->status == VYRE_FULL)
		batch->status = VYRE_TIMEOUT;
}

static vyre_status refuse(const struct vyre_batch *batch)
{
	int full = batch->status == VYRE_FULL;

	if (batch->lack == VYRE_LACK_QUOTA)
		return vyre_answer_with(batch->status,
					"tenant %u has %u slots in flight, and %u more are over its quota of %u. Fix: "
					"wait for some to end, or raise it with vyre_ring_set_quota.",
					batch->publisher->tenant, batch->in_flight, batch->count, batch->quota);
	if (batch->lack == VYRE_LACK_FENCES)
		return vyre_answer_with(
		    batch->status,
		    "%u fences are too many beside those in flight; a ring has at most %u. Fix: wait "
		    "for some to end.",
		    batch->fences, (unsigned)VYRE_MAX_FENCES);
	return vyre_answer(batch->status,
			   full ? "the ring has too few free places. Fix: wait for slots to end, release tickets, or "
				  "publish with VYRE_PUBLISH_WAIT."
				: "the ring stayed full. Fix: wait longer, release tickets, or make a larger ring.");
}

vyre_status vyre_batch_publish(struct vyre_batch *batch, uint32_t flags, uint64_t timeout_ns)
{
	vyre_status status = vyre_batch_check(batch, flags);

	if (status != VYRE_OK)
		return status;
	batch->status = attempt(batch);
	if (batch->status == VYRE_FULL && (flags & VYRE_PUBLISH_WAIT))
		wait_for_room(batch, timeout_ns);
	switch (batch->status) {
	case VYRE_FULL:
	case VYRE_TIMEOUT:
		return refuse(batch);
	case VYRE_DEVICE_LOST:
		return vyre_ring_answer_lost(batch->publisher->ring);
	case VYRE_STOPPED:
		return vyre_answer(
		    VYRE_STOPPED,
		    vyre_live_load(batch->publisher->ring, VYRE_LIVE_LEAVE)
			? "a SHUTDOWN slot has stopped the ring. Fix: publish before it, or make another ring."
			: "the ring was stopped. Fix: publish before vyre_ring_stop.");
	default:
		return batch->status;
	}
}

vyre_status vyre_publish(struct vyre_publisher *publisher, const struct vyre_slot *slots, uint32_t count,
			 uint32_t flags, uint64_t timeout_ns, vyre_ticket *tickets)
{
	struct vyre_batch batch = {.publisher = publisher, .slots = slots, .count = count, .tickets = tickets};

	return vyre_batch_publish(&batch, flags, timeout_ns);
}

vyre_status vyre_publisher_create(struct vyre_ring *ring, uint32_t tenant, struct vyre_publisher **out)
{
	struct vyre_publisher *publisher;

	*out = NULL;
	if (tenant >= ring->tenants)
		return vyre_fail(VYRE_INVALID, "make the ring with more tenants, or use a smaller id",
				 "tenant %u of a ring with %u tenants", tenant, ring->tenants);
	publisher = vyre_mem_alloc(sizeof(*publisher));
	if (!publisher)
		return vyre_fail_nomem("a publisher", sizeof(*publisher));
	publisher->ring = ring;
	publisher->tenant = tenant;
	vyre_ring_ref(ring);
	*out = publisher;
	return VYRE_OK;
}

void vyre_publisher_destroy(struct vyre_publisher *publisher)
{
	if (!publisher)
		return;
	vyre_ring_unref(publisher->ring);
	vyre_mem_free(publisher);
}
