/* cpu_ring.c - the workers of a live ring on the cpu: one thread a workgroup.
 *
 * In: a ring. Out: threads that call the kernel's entry until STOP. The entry returns for one of these reasons:
 *     STOP             the thread ends; the last closes the ring
 *     a host thread is asleep (NOTIFY)    the thread wakes all of them and calls again
 *     idleness (launch word LEFT = 1)     the kernel has counted itself in AWAY; the thread sleeps on the bell
 *     io was asked for (IO_ASKED)         the thread tells the ring's vyre_io and calls again
 *     work for others  (READY, AWAY)      the thread wakes one of them and calls again
 *     a SHUTDOWN slot has run (LEAVE)     the thread wakes the others and ends, as for STOP
 *     any other        (a round limit, or a kernel that is broken) it calls again, after a rest if nothing moved
 *
 * No wake-up is lost. On seq_cst operations:
 *     kernel      AWAY += 1; reads TAIL and the rest, finds nothing new, returns with LEFT = 1
 *     thread      b = bell; rung is exchanged with 0: it was 1, call again; else sleep while bell == b
 *     publisher   moves TAIL; AWAY is nonzero: rung is exchanged with 1: it was 0, bell += 1 and wake   (ring_wake)
 * Either the kernel sees the new TAIL, or the publisher sees AWAY. Then it comes to rung. Where its exchange reads 0 and
 * comes after the thread's, it moves bell after the thread has read it, and the futex refuses to sleep or wakes; where
 * it comes before the thread's, the thread finds 1 and calls again, or another thread has taken the 1 away in between
 * and calls instead. Where its exchange reads 1, somebody will still take that 1 away, reads the publisher's exchange by
 * doing so, and so sees the new TAIL when it calls. Whoever takes the 1 away calls the entry next: that is the rule that
 * makes one system call enough for all publishers while a worker is on its way up. A woken worker that finds more than
 * one slot waiting and others asleep wakes the next. A thread takes itself out of AWAY before it calls again.
 */
#include <string.h>

#include "alloc.h"
#include "cpu_thread.h"
#include "live.h"
#include "message.h"

enum { MAX_WORKERS = 256 };
/* How long a thread rests when the kernel returned for no reason and the ring has not moved. */
static const uint64_t rest_ns = 1000000;

struct worker {
	__attribute__((aligned(128))) struct vyre_ring *ring;
	struct vyre_cpu_launch launch;
	uint32_t *record; /* VYRE_LAUNCH_* */
	struct vyre_cpu_buffer *table;
	pthread_t thread;
};

struct engine {
	__attribute__((aligned(128))) uint32_t bell; /* atomic; futex: moves when sleeping workers must look again */
	uint32_t rung;				     /* atomic: a worker is on its way up; who clears it looks */
	uint32_t sleeping, running;		     /* atomic */
	uint32_t refs;				     /* atomic: every thread, and whoever joins or abandons them */
	uint32_t started;
	struct vyre_cpu_buffer *tables;
	struct worker workers[];
};

static void free_engine(struct engine *engine)
{
	if (!engine)
		return;
	vyre_mem_free(engine->tables);
	vyre_mem_free(engine);
}

static int must_stop(const struct vyre_ring *ring)
{
	return vyre_live_load(ring, VYRE_LIVE_STOP) == 2 || vyre_live_load(ring, VYRE_LIVE_LEAVE) != 0;
}

/* More than this worker will take at once: somebody else should look too. */
static int has_backlog(const struct vyre_ring *ring)
{
	return (int32_t)(vyre_live_load(ring, VYRE_LIVE_TAIL) - vyre_live_load(ring, VYRE_LIVE_HEAD)) > 1 ||
	       vyre_live_load(ring, VYRE_LIVE_READY) > 1;
}

/* The kernel has counted itself in AWAY. Returns when it must be called again. */
static void sleep_until_rung(struct vyre_ring *ring, struct engine *engine)
{
	uint32_t bell = __atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST);

	if (__atomic_exchange_n(&engine->rung, 0, __ATOMIC_SEQ_CST) == 0) {
		__atomic_add_fetch(&engine->sleeping, 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST) == bell && !must_stop(ring))
			vyre_futex_wait(&engine->bell, bell, UINT64_MAX);
		__atomic_sub_fetch(&engine->sleeping, 1, __ATOMIC_SEQ_CST);
		__atomic_exchange_n(&engine->rung, 0, __ATOMIC_SEQ_CST);
	}
	if (__atomic_sub_fetch(&ring->live[VYRE_LIVE_AWAY], 1, __ATOMIC_SEQ_CST) != 0 && has_backlog(ring))
		vyre_cpu_ring_wake(ring, 1);
}

static void rest(struct engine *engine)
{
	vyre_futex_wait(&engine->bell, __atomic_load_n(&engine->bell, __ATOMIC_SEQ_CST), vyre_deadline(rest_ns));
}

/* The entry has returned though nobody told it to, and not for idleness. */
static void go_on(struct vyre_ring *ring, struct engine *engine, int has_asked, uint32_t retired)
{
	if (vyre_live_load(ring, VYRE_LIVE_READY) != 0) {
		if (vyre_live_load(ring, VYRE_LIVE_AWAY) != 0)
			vyre_cpu_ring_wake(ring, 1);
	} else if (!has_asked && retired == vyre_live_load(ring, VYRE_LIVE_RETIRED)) {
		rest(engine);
	}
}

/* The thread of a worker ends. */
static void end(struct vyre_ring *ring, struct engine *engine)
{
	int is_shut_down = vyre_live_load(ring, VYRE_LIVE_LEAVE) != 0, is_last;

	if (is_shut_down) {
		vyre_cpu_ring_wake(ring, UINT32_MAX);
		vyre_ring_shut_down(ring, 0);
	}
	is_last = __atomic_sub_fetch(&engine->running, 1, __ATOMIC_SEQ_CST) == 0;
	if (is_last) /* also of a stop: it may have timed out, and what has been suspended since then ends here */
		vyre_ring_shut_down(ring, 1);
	vyre_ring_notify(ring);
	if (__atomic_sub_fetch(&engine->refs, 1, __ATOMIC_ACQ_REL) == 0)
		vyre_ring_unref(ring);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct vyre_ring *ring = worker->ring;
	struct engine *engine = ring->engine;
	uint32_t *left = worker->record + VYRE_LAUNCH_LEFT, *asked = worker->record + VYRE_LAUNCH_IO_ASKED;

	while (!must_stop(ring)) {
		uint32_t retired = vyre_live_load(ring, VYRE_LIVE_RETIRED);

		*left = 0;
		*asked = 0;
		ring->kernel->entry(&worker->launch);
		if (*asked)
			vyre_ring_io_asked(ring);
		if (vyre_live_load(ring, VYRE_LIVE_NOTIFY) != 0)
			vyre_ring_notify(ring);
		if (*left)
			sleep_until_rung(ring, engine);
		else
			go_on(ring, engine, *asked != 0, retired);
	}
	end(ring, engine);
	return NULL;
}

/* Each worker has a table of its own: they differ in the launch record. */
static void fill_table(struct vyre_ring *ring, struct worker *worker, uint32_t index)
{
	const struct vyre_kernel *kernel = ring->kernel;
	uint32_t i;

	memcpy(worker->table, kernel->table, kernel->unit->buffer_count * sizeof(*worker->table));
	worker->record = (uint32_t *)ring->memories[VYRE_RING_BUFFER_LAUNCH]->data + index * VYRE_LIVE_LINE_WORDS;
	for (i = 0; i < VYRE_RING_BUFFERS; i++) {
		const struct vyre_memory *memory = ring->memories[i];

		if (kernel->ring_rows[i] == VYRE_NO_ROW)
			continue;
		worker->table[kernel->rows[kernel->ring_rows[i]].binding] =
		    i == VYRE_RING_BUFFER_LAUNCH ? (struct vyre_cpu_buffer){worker->record, VYRE_LAUNCH_WORDS}
						 : (struct vyre_cpu_buffer){memory->data, memory->bytes / 4};
	}
	worker->ring = ring;
	worker->launch = (struct vyre_cpu_launch){
	    .workgroup = {index, 0, 0},
	    .workgroups = {ring->workers, 1, 1},
	    .buffer_count = kernel->unit->buffer_count,
	    .buffers = worker->table,
	};
}

vyre_status vyre_cpu_ring_workers(struct vyre_kernel *kernel, uint32_t share, uint32_t *usual, uint32_t *most)
{
	uint32_t processors = kernel->device->info.max_workers;

	(void)share; /* threads share by themselves */
	*usual = processors > 1 ? processors - 1 : 1;
	*most = MAX_WORKERS;
	return VYRE_OK;
}

/* A slice that keeps host and device apart would find no mailbox bound here. */
static vyre_status check_kernel(const struct vyre_kernel *kernel)
{
	if (!(kernel->slice_flags & VYRE_SLICE_MAILBOX))
		return VYRE_OK;
	return vyre_fail(VYRE_UNSUPPORTED, "compile the set for the cpu device",
			 "unit %.64s was compiled for a device that has a mailbox",
			 vyre_blob_string(kernel->blob, kernel->unit->name));
}

vyre_status vyre_cpu_ring_start(struct vyre_ring *ring)
{
	uint32_t buffers = ring->kernel->unit->buffer_count, i;
	size_t bytes = sizeof(struct engine) + ring->workers * sizeof(struct worker);
	vyre_status status = check_kernel(ring->kernel);
	struct engine *engine = status == VYRE_OK ? vyre_mem_alloc(bytes) : NULL;

	if (status != VYRE_OK)
		return status;
	if (engine)
		engine->tables = vyre_mem_alloc(sizeof(*engine->tables) * buffers * ring->workers);
	if (!engine || !engine->tables) {
		free_engine(engine);
		return vyre_fail_nomem("a ring's workers", bytes);
	}
	ring->engine = engine;
	engine->refs = 1;
	for (i = 0; i < ring->workers; i++) {
		struct worker *worker = &engine->workers[i];
		int pin = ring->flags & VYRE_RING_PIN ? (int)i + 1 : -1, error;

		worker->table = engine->tables + (size_t)i * buffers;
		fill_table(ring, worker, i);
		__atomic_add_fetch(&engine->refs, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&engine->running, 1, __ATOMIC_RELAXED);
		error = vyre_cpu_thread_start(&worker->thread, ring->kernel->stack_bytes, pin, work, worker);
		if (error) {
			__atomic_sub_fetch(&engine->refs, 1, __ATOMIC_RELAXED);
			__atomic_sub_fetch(&engine->running, 1, __ATOMIC_RELAXED);
			__atomic_store_n(&ring->live[VYRE_LIVE_STOP], 2, __ATOMIC_SEQ_CST);
			vyre_cpu_ring_wake(ring, UINT32_MAX);
			vyre_cpu_ring_finish(ring);
			return vyre_fail(VYRE_NOMEM, "ask for fewer workers", "worker %u of %u cannot start: errno %d",
					 i, ring->workers, error);
		}
		engine->started++;
	}
	return VYRE_OK;
}

void vyre_cpu_ring_wake(struct vyre_ring *ring, uint32_t count)
{
	struct engine *engine = ring->engine;

	if (__atomic_exchange_n(&engine->rung, 1, __ATOMIC_SEQ_CST) != 0 && count != UINT32_MAX)
		return;
	__atomic_add_fetch(&ring->wakes, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&engine->bell, 1, __ATOMIC_SEQ_CST);
	vyre_futex_wake(&engine->bell, count);
}

uint32_t vyre_cpu_ring_running(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;

	return __atomic_load_n(&engine->running, __ATOMIC_SEQ_CST);
}

uint32_t vyre_cpu_ring_sleeping(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;

	return __atomic_load_n(&engine->sleeping, __ATOMIC_SEQ_CST);
}

void vyre_cpu_ring_finish(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;
	uint32_t i;

	for (i = 0; i < engine->started; i++)
		pthread_join(engine->workers[i].thread, NULL);
	engine->started = 0;
}

void vyre_cpu_ring_abandon(struct vyre_ring *ring)
{
	struct engine *engine = ring->engine;
	uint32_t i;

	for (i = 0; i < engine->started; i++)
		pthread_detach(engine->workers[i].thread);
	if (__atomic_sub_fetch(&engine->refs, 1, __ATOMIC_ACQ_REL) == 0)
		vyre_ring_unref(ring);
}

void vyre_cpu_ring_free(struct vyre_ring *ring)
{
	free_engine(ring->engine);
}
