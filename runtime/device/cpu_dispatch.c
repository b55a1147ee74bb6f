/* cpu_dispatch.c - runs a program once: its workgroups shared out among threads.
 *
 * In: a kernel of a program, a grid. Out: OK when every workgroup has ended, or FAULT and the trap of the lowest
 * workgroup that trapped. Workgroups are taken from one counter, by the calling thread and, when the grid is larger
 * than one, by as many helpers as there are processors; a helper that cannot be started is done without. The threads
 * live for one dispatch: the resident way to run many small things is a ring.
 *
 * The workgroups of a lowered set wait for each other (a round may need all of them, and may never end), so each gets a
 * thread, and none starts before all are there: with fewer, those that run would wait for ever.
 */
#include <pthread.h>
#include <signal.h>

#include "alloc.h"
#include "cpu_thread.h"
#include "kernel.h"
#include "message.h"

enum { MAX_HELPERS = 63 };

struct dispatch {
	struct vyre_kernel *kernel;
	const uint32_t *workgroups;
	uint64_t total, next;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t opened;
	enum { SHUT, OPEN, CALLED_OFF } gate;
	uint64_t fault_at;
	uint32_t fault[2];
};

static void run_workgroup(struct dispatch *dispatch, uint64_t index)
{
	const uint32_t *n = dispatch->workgroups;
	uint64_t row = index / n[0];
	struct vyre_cpu_launch launch = {
	    .workgroup = {(uint32_t)(index % n[0]), (uint32_t)(row % n[1]), (uint32_t)(row / n[1])},
	    .workgroups = {n[0], n[1], n[2]},
	    .buffer_count = dispatch->kernel->unit->buffer_count,
	    .buffers = dispatch->kernel->table,
	};

	dispatch->kernel->entry(&launch);
	if (!launch.trap_code)
		return;
	pthread_mutex_lock(&dispatch->lock);
	if (index < dispatch->fault_at) {
		dispatch->fault_at = index;
		dispatch->fault[0] = launch.trap_code;
		dispatch->fault[1] = launch.trap_detail;
	}
	pthread_mutex_unlock(&dispatch->lock);
}

static void set_gate(struct dispatch *dispatch, int gate)
{
	pthread_mutex_lock(&dispatch->lock);
	dispatch->gate = gate;
	pthread_cond_broadcast(&dispatch->opened);
	pthread_mutex_unlock(&dispatch->lock);
}

/* 1 = go; 0 = called off. */
static int pass_gate(struct dispatch *dispatch)
{
	int go;

	pthread_mutex_lock(&dispatch->lock);
	while (dispatch->gate == SHUT)
		pthread_cond_wait(&dispatch->opened, &dispatch->lock);
	go = dispatch->gate == OPEN;
	pthread_mutex_unlock(&dispatch->lock);
	return go;
}

static void *run(void *argument)
{
	struct dispatch *dispatch = argument;
	uint64_t index;

	if (!pass_gate(dispatch))
		return NULL;
	while ((index = __atomic_fetch_add(&dispatch->next, 1, __ATOMIC_RELAXED)) < dispatch->total)
		run_workgroup(dispatch, index);
	return NULL;
}

/* The caller's stack is of unknown size; a kernel that needs much runs in helpers only. */
static const uint32_t caller_stack_bytes = 64u << 10;

vyre_status vyre_cpu_dispatch(struct vyre_kernel *kernel, const uint32_t workgroups[3], uint32_t fault[2])
{
	struct dispatch dispatch = {.kernel = kernel, .workgroups = workgroups, .fault_at = UINT64_MAX};
	pthread_t helpers[MAX_HELPERS];
	uint64_t rows = (uint64_t)workgroups[0] * workgroups[1], wanted;
	uint32_t started = 0, i;
	int together, enough, caller_runs = kernel->stack_bytes <= caller_stack_bytes;

	if (rows > UINT64_MAX / 2 / workgroups[2])
		return vyre_fail(VYRE_INVALID, "split the grid", "%u x %u x %u workgroups are more than 2^63",
				 workgroups[0], workgroups[1], workgroups[2]);
	dispatch.total = rows * workgroups[2];
	together = kernel->unit->feed != VYRE_FEED_NONE;
	if (together && dispatch.total > MAX_HELPERS)
		return vyre_fail(VYRE_INVALID, "use fewer workgroups",
				 "%llu workgroups that wait for each other; at most %d run at the same time",
				 (unsigned long long)dispatch.total, MAX_HELPERS);
	wanted = (together ? dispatch.total : kernel->device->info.max_workers) - (caller_runs ? 1 : 0);
	if (wanted > dispatch.total - (caller_runs ? 1 : 0))
		wanted = dispatch.total - (caller_runs ? 1 : 0);
	if (wanted > MAX_HELPERS)
		wanted = MAX_HELPERS;
	pthread_mutex_init(&dispatch.lock, NULL);
	pthread_cond_init(&dispatch.opened, NULL);
	while (started < wanted &&
	       vyre_cpu_thread_start(&helpers[started], kernel->stack_bytes, -1, run, &dispatch) == 0)
		started++;
	enough = together ? started == wanted : caller_runs || started;
	set_gate(&dispatch, enough ? OPEN : CALLED_OFF);
	if (caller_runs)
		run(&dispatch);
	for (i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
	pthread_cond_destroy(&dispatch.opened);
	pthread_mutex_destroy(&dispatch.lock);
	if (!enough)
		return vyre_fail_nomem("the stacks of a grid's threads", (wanted - started) * kernel->stack_bytes);
	if (dispatch.fault_at == UINT64_MAX)
		return VYRE_OK;
	fault[0] = dispatch.fault[0];
	fault[1] = dispatch.fault[1];
	return vyre_fail(VYRE_FAULT, "see the fault's place in the source with vyre-inspect",
			 "workgroup %llu of %.64s trapped: code %u, detail %u", (unsigned long long)dispatch.fault_at,
			 vyre_blob_string(kernel->blob, kernel->unit->name), fault[0], fault[1]);
}
