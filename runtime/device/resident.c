/* resident.c - keeps the kernel of a mailbox ring on its device: one service thread a ring.
 *
 * In: a ring, and a device's way to launch its kernel and to ask whether it still runs. Out: a kernel that is there while
 * there is work, host threads that are woken when slots end, and an end of the ring when it was stopped or the device was
 * lost. The kernel ends for one of these reasons:
 *     STOP 2, LEAVE    the thread ends the ring
 *     idleness         AWAY is 1 in the host's control; the thread sleeps on the bell, then launches again
 *     any other        (a round limit, on a GPU that also draws; a kernel that is broken) it launches again, after a rest
 *                      if the kernel was hardly there
 *
 * A launch that is refused while the device lives (another process holds what the kernel needs) is tried again, RETRIES
 * times, after rests of 1 ms and then always twice as long: four seconds in all. What was published stays so, AWAY stays 0
 * (nobody need ring: the thread comes back by itself), a stop ends the trying. Only then the ring is lost. The first launch
 * is its caller's to try again: there is no ring yet.
 *
 * No wake-up is lost. The kernel's side and the publisher's are in abi/mailbox.h: either the kernel, leaving, sees the new
 * TAIL, or the publisher sees AWAY and rings. Here, on seq_cst operations:
 *     thread      the kernel has ended, AWAY is 1; b = bell; rung is exchanged with 0: it was 1, go on; else sleep while
 *                 bell == b; AWAY = 0; launch
 *     publisher   moves TAIL; AWAY is 1: rung is exchanged with 1: it was 0, bell += 1 and wake
 * A publisher whose exchange reads 0 moves bell. Where that comes after the thread has read b, the futex refuses to sleep
 * or wakes; where it comes before, so does the exchange, and the thread finds 1, or has found it already in an earlier turn
 * that launched afterwards. One that reads 1 leaves it to the thread, which has yet to take that 1 away, and launches
 * then. A publisher that sees AWAY 0 again has been overtaken by a launch: the kernel that is launched, or is there
 * already, polls TAIL until it goes through the hand-shake itself. AWAY is set to 0 by the thread only while no kernel is
 * there to set it to 1; a bell that rings when nobody needs it costs one launch.
 *
 * Nobody interrupts the host when a slot has ended. While somebody sleeps (NOTIFY), the thread looks at what the poller
 * copies out, first every 20 us, then more and more rarely as long as nothing moves; who goes to sleep rings when the
 * thread is in a long nap. (naps = 1, then NOTIFY is read; NOTIFY += 1, then naps is read: one sees the other.) That a
 * waiter who armed himself is told is wait.c's argument, with RETIRED as the poller stores it in the worker's place.
 *
 * Not one thread for all rings: a handler that does not return would then keep others' rings from their launches.
 */
#include <string.h>
#include <sys/prctl.h>

#include "alloc.h"
#include "cpu_thread.h"
#include "message.h"
#include "resident.h"

enum { NAP_STEPS = 6, NAPS_A_STEP = 16 };
static const uint64_t short_nap_ns = 20000; /* << up to NAP_STEPS */
static const uint64_t long_nap_ns = 10000000;
static const uint64_t timer_slack_ns = 1000;
/* How long the thread rests when a kernel has left at once for no reason, or first when its launch was refused. */
static const uint64_t rest_ns = 1000000;
enum { RETRIES = 12 };

struct engine {
	__attribute__((aligned(128))) uint32_t bell; /* atomic; futex: moves when the thread must look */
	uint32_t rung;				     /* atomic: work came while AWAY was 1; who clears it launches */
	uint32_t naps;				     /* atomic: the thread naps for longer than the least, or may */
	uint32_t sleeping, running;		     /* atomic */
	uint32_t refs;				     /* atomic: the thread, and whoever joins or abandons it */
	int started;
	pthread_t thread;
	struct vyre_ring *ring;
	const struct vyre_resident_fns *fns;
	void *run;
};

/* What moves when something has happened that a sleeper may wait for. */
struct seen {
	uint32_t retired, head, command, left;
};

static struct seen look(const struct vyre_ring *ring)
{
	return (struct seen){vyre_live_load(ring, VYRE_LIVE_RETIRED), vyre_live_load(ring, VYRE_LIVE_HEAD),
			     vyre_live_load(ring, VYRE_LIVE_COMMAND_DONE), vyre_live_load(ring, VYRE_LIVE_LEAVE)};
}

static int must_stop(const struct vyre_ring *ring)
{
	return vyre_live_load(ring, VYRE_LIVE_STOP) == 2 || vyre_live_load(ring, VYRE_LIVE_LEAVE) != 0;
}

/* The device has stored an io entry that nobody has taken yet. */
static int has_asked(const struct vyre_ring *ring)
{
	const struct vyre_memory *memory = ring->memories[VYRE_RING_BUFFER_IO];
	const uint32_t *entries = memory ? memory->data : NULL;
	uint32_t i;

	if (!entries || !(ring->kernel->unit->features & VYRE_HAS_IO))
		return 0;
	for (i = 0; i < VYRE_IO_ENTRIES; i++)
		if (__atomic_load_n(&entries[i * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_STATUS], __ATOMIC_ACQUIRE) ==
		    VYRE_SLOT_PUBLISHED)
			return 1;
	return 0;
}

/* How long nobody needs the thread. `quiet`: looks since something has moved. */
static uint64_t nap_ns(const struct vyre_ring *ring, uint32_t quiet)
{
	uint32_t step = quiet / NAPS_A_STEP;
	int is_awaited = vyre_live_load(ring, VYRE_LIVE_NOTIFY) != 0 || vyre_live_load(ring, VYRE_LIVE_AWAY) != 0 ||
			 vyre_live_load(ring, VYRE_LIVE_STOP) != 0 || vyre_live_load(ring, VYRE_LIVE_LEAVE) != 0;

	if (ring->device->burst_polls || (ring->kernel->unit->features & VYRE_HAS_IO))
		return short_nap_ns;
	return is_awaited ? short_nap_ns << (step < NAP_STEPS ? step : NAP_STEPS) : long_nap_ns;
}

/* 1 = somebody has rung. */
static int nap(struct vyre_ring *ring, struct engine *engine, uint32_t quiet)
{
	uint32_t bell = __atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST);
	uint64_t ns;

	__atomic_store_n(&engine->naps, 1, __ATOMIC_SEQ_CST);
	ns = nap_ns(ring, quiet);
	if (ns == short_nap_ns)
		__atomic_store_n(&engine->naps, 0, __ATOMIC_SEQ_CST);
	vyre_futex_wait(&engine->bell, bell, vyre_deadline(ns));
	__atomic_store_n(&engine->naps, 0, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST) != bell;
}

/* Until no kernel runs. */
static enum vyre_resident_state attend(struct vyre_ring *ring, struct engine *engine)
{
	enum vyre_resident_state state;
	struct seen seen = look(ring), now;
	uint32_t quiet = 0;

	while ((state = engine->fns->state(ring, engine->run)) == VYRE_RESIDENT_RUNS) {
		now = look(ring);
		if (memcmp(&now, &seen, sizeof(now)) != 0) {
			vyre_ring_notify(ring);
			seen = now;
			quiet = 0;
		}
		if (has_asked(ring))
			vyre_ring_io_asked(ring);
		if (nap(ring, engine, quiet))
			quiet = 0;
		else
			quiet++;
	}
	if (has_asked(ring)) /* with the last thing that it did */
		vyre_ring_io_asked(ring);
	vyre_ring_notify(ring);
	return state;
}

/* The kernel has ended for good: what its poller had not copied out any more. */
static vyre_status collect(struct vyre_ring *ring)
{
	static const struct {
		uint16_t word, count;
	} rows[] = {
#define X(name, count) {VYRE_LIVE_##name, count},
	    VYRE_MAILBOX_OUT_LIST(X)
#undef X
	};
	uint32_t live[VYRE_LIVE_ENGINE], i, k;
	vyre_status status =
	    ring->device->fns->memory_read(ring->memories[VYRE_RING_BUFFER_CONTROL],
					   4 * (uint64_t)ring->control[VYRE_CONTROL_EXT_BASE], live, sizeof(live));

	for (i = 0; status == VYRE_OK && i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = rows[i].word; k < (uint32_t)rows[i].word + rows[i].count; k++)
			if (k != VYRE_LIVE_AWAY && k != VYRE_LIVE_STATE) /* stored to the host's directly */
				__atomic_store_n(&ring->live[k], live[k], __ATOMIC_SEQ_CST);
	return status;
}

/* The kernel has left with AWAY = 1. Returns when it must be there again, or never more. */
static void sleep_until_rung(struct vyre_ring *ring, struct engine *engine)
{
	uint32_t bell = __atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST);

	if (__atomic_exchange_n(&engine->rung, 0, __ATOMIC_SEQ_CST) != 0)
		return;
	__atomic_store_n(&engine->sleeping, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST) == bell && !must_stop(ring))
		vyre_futex_wait(&engine->bell, bell, UINT64_MAX);
	__atomic_store_n(&engine->sleeping, 0, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(&engine->rung, 0, __ATOMIC_SEQ_CST);
}

static void rest(struct engine *engine)
{
	vyre_futex_wait(&engine->bell, __atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST), vyre_deadline(rest_ns));
}

static vyre_status launch(struct vyre_ring *ring, struct engine *engine)
{
	__atomic_store_n(&ring->live[VYRE_LIVE_STATE], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&ring->live[VYRE_LIVE_AWAY], 0, __ATOMIC_SEQ_CST);
	return engine->fns->launch(ring, engine->run);
}

/* Whoever rings does not shorten it, but a stop ends it. */
static void rest_for(const struct vyre_ring *ring, struct engine *engine, uint64_t ns)
{
	uint64_t deadline = vyre_deadline(ns);

	while (vyre_now() < deadline) {
		uint32_t bell = __atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST);

		if (must_stop(ring))
			return;
		vyre_futex_wait(&engine->bell, bell, deadline);
	}
}

/* ENDED: the ring was stopped meanwhile. */
static enum vyre_resident_state launch_again(struct vyre_ring *ring, struct engine *engine)
{
	uint32_t refused;

	for (refused = 0; !must_stop(ring); refused++) {
		vyre_status status = launch(ring, engine);

		if (status == VYRE_OK)
			return VYRE_RESIDENT_RUNS;
		if (status == VYRE_DEVICE_LOST)
			return VYRE_RESIDENT_LOST;
		if (refused == RETRIES) {
			vyre_ring_lose(ring, VYRE_LOSS_KERNEL);
			return VYRE_RESIDENT_LOST;
		}
		if (refused == 0)
			vyre_log(VYRE_LOG_WARNING, "a ring's kernel is not back yet, its launch is tried again: %s",
				 vyre_last_error());
		rest_for(ring, engine, rest_ns << refused);
	}
	return VYRE_RESIDENT_ENDED;
}

/* Until the ring is stopped, or the device lost. The kernel is there. */
static enum vyre_resident_state keep(struct vyre_ring *ring, struct engine *engine)
{
	for (;;) {
		uint64_t since = vyre_now();
		enum vyre_resident_state state = attend(ring, engine);

		if (state == VYRE_RESIDENT_LOST || must_stop(ring))
			return state;
		if (vyre_live_load(ring, VYRE_LIVE_AWAY) != 0)
			sleep_until_rung(ring, engine);
		else if (vyre_now() - since < rest_ns)
			rest(engine);
		state = launch_again(ring, engine);
		if (state != VYRE_RESIDENT_RUNS)
			return state;
	}
}

static void *serve(void *argument)
{
	struct engine *engine = argument;
	struct vyre_ring *ring = engine->ring;

	prctl(PR_SET_TIMERSLACK, timer_slack_ns, 0, 0, 0);
	if (keep(ring, engine) == VYRE_RESIDENT_LOST || collect(ring) != VYRE_OK)
		vyre_ring_lose(ring, VYRE_LOSS_DEVICE); /* before anybody finds the ring stopped */
	__atomic_store_n(&engine->running, 0, __ATOMIC_SEQ_CST);
	vyre_ring_shut_down(ring, 1); /* also of a stop: it may have timed out */
	vyre_ring_notify(ring);
	if (__atomic_sub_fetch(&engine->refs, 1, __ATOMIC_ACQ_REL) == 0)
		vyre_ring_unref(ring);
	return NULL;
}

/* The thread that would have looked after the kernel cannot be had. */
static void call_off(struct vyre_ring *ring, struct engine *engine)
{
	__atomic_store_n(&ring->live[VYRE_LIVE_STOP], 2, __ATOMIC_SEQ_CST);
	while (engine->fns->state(ring, engine->run) == VYRE_RESIDENT_RUNS)
		rest(engine);
}

vyre_status vyre_resident_start(struct vyre_ring *ring, const struct vyre_resident_fns *fns, void *run)
{
	struct engine *engine = vyre_mem_alloc(sizeof(*engine));
	vyre_status status;
	int error;

	if (!engine) {
		fns->free(ring, run);
		return vyre_fail_nomem("a ring's service thread", sizeof(*engine));
	}
	engine->ring = ring;
	engine->fns = fns;
	engine->run = run;
	ring->engine = engine;
	status = launch(ring, engine);
	if (status != VYRE_OK)
		return status;
	engine->refs = 2;
	engine->running = 1;
	error = vyre_cpu_thread_start(&engine->thread, 0, -1, serve, engine);
	if (error) {
		engine->running = 0;
		call_off(ring, engine);
		return vyre_fail(VYRE_NOMEM, "end some threads", "a ring's service thread cannot start: errno %d",
				 error);
	}
	engine->started = 1;
	return VYRE_OK;
}

/* count 0: a host thread is about to sleep. */
void vyre_resident_wake(struct vyre_ring *ring, uint32_t count)
{
	struct engine *engine = ring->engine;

	if (count == 0 && !__atomic_load_n(&engine->naps, __ATOMIC_SEQ_CST))
		return;
	if (count != 0) {
		if (__atomic_exchange_n(&engine->rung, 1, __ATOMIC_SEQ_CST) != 0 && count != UINT32_MAX)
			return;
		__atomic_add_fetch(&ring->wakes, 1, __ATOMIC_RELAXED);
	}
	__atomic_add_fetch(&engine->bell, 1, __ATOMIC_SEQ_CST);
	vyre_futex_wake(&engine->bell, 1);
}

uint32_t vyre_resident_running(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;

	return __atomic_load_n(&engine->running, __ATOMIC_SEQ_CST) ? ring->workers : 0;
}

uint32_t vyre_resident_sleeping(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;

	return __atomic_load_n(&engine->sleeping, __ATOMIC_SEQ_CST) ? ring->workers : 0;
}

void vyre_resident_finish(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;

	if (engine->started)
		pthread_join(engine->thread, NULL);
	engine->started = 0;
}

void vyre_resident_abandon(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;

	pthread_detach(engine->thread);
	if (__atomic_sub_fetch(&engine->refs, 1, __ATOMIC_ACQ_REL) == 0)
		vyre_ring_unref(ring);
}

void vyre_resident_free(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;

	if (!engine)
		return;
	engine->fns->free(ring, engine->run);
	vyre_mem_free(engine);
}
