/* ptx_launch.c - workgroups, the scheduler, host threads.
 *
 * Enters: a launch. Leaves: the grid run to its end, or the reason why not. Each host thread has a random number generator of its
 * own, started from the launch's seed; in one thread the same seed gives the same run. A workgroup whose lanes all wait
 * can never go on (only its own lanes could release them), so that is found at once and told with the place of every lane.
 */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_internal.h"

enum { CALL_LOCAL_BYTES = 65536 }; /* local memory for what is called */

struct ptx_grid {
	const struct ptx_launch *launch;
	uint32_t size[3];
	uint64_t groups, next; /* next: to be started, atomically */
	int failed;	       /* atomically */
};

uint64_t ptx_random(struct ptx_thread *thread)
{
	uint64_t x = thread->random += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* ---- errors ------------------------------------------------------------------------------------------------- */

void ptx_copy_line(const struct ptx_module *module, uint32_t line, char *out, size_t room)
{
	const char *p = module->text;
	for (uint32_t i = 1; i < line && p; i++) {
		p = strchr(p, '\n');
		p += p != NULL;
	}
	p += p ? strspn(p, " \t") : 0;
	size_t n = p ? strcspn(p, "\n") : 0;
	snprintf(out, room, "%.*s", (int)(n < room ? n : room - 1), p ? p : "");
	for (char *c = out; *c; c++)
		if (*c == '\t')
			*c = ' ';
}

bool ptx_fail_at(struct ptx_thread *thread, const struct ptx_lane *lane, const struct ptx_insn *insn,
		 const char *format, ...)
{
	char what[512], text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	if (thread->failed)
		return false;
	thread->failed = true;
	ptx_copy_line(thread->module, insn->line, text, sizeof text);
	snprintf(thread->message, PTX_MESSAGE, "%s: line %u: %s: %s (workgroup %u,%u,%u, lane %u)",
		 lane->frame->function->name, insn->line, text, what, thread->group->ctaid[0], thread->group->ctaid[1],
		 thread->group->ctaid[2], lane->index);
	return false;
}

static const struct ptx_insn *stands_at(const struct ptx_lane *lane)
{
	return &lane->frame->function->insns[lane->pc];
}

/* Every lane that has not exited, those at one line together: `lanes 0 1 2 at line 17: bar.sync 0;` */
static void tell_places(struct ptx_thread *thread, const struct ptx_group *group, const char *what)
{
	char text[256];
	size_t n =
	    (size_t)snprintf(thread->message, PTX_MESSAGE, "%s: workgroup %u,%u,%u %s:", thread->launch->entry->name,
			     group->ctaid[0], group->ctaid[1], group->ctaid[2], what);
	uint8_t *told = calloc(group->count, 1);
	if (!told)
		abort();
	for (uint32_t i = 0; i < group->count; i++) {
		const struct ptx_lane *lane = &group->lanes[i];
		if (told[i] || lane->state == PTX_LANE_EXITED || n + 400 > PTX_MESSAGE)
			continue;
		uint32_t line = stands_at(lane)->line, shown = 0, count = 0;
		ptx_copy_line(thread->module, line, text, sizeof text);
		n += (size_t)snprintf(thread->message + n, PTX_MESSAGE - n, " lanes");
		for (uint32_t k = i; k < group->count; k++) {
			if (group->lanes[k].state == PTX_LANE_EXITED || stands_at(&group->lanes[k])->line != line)
				continue;
			told[k] = 1;
			if (count++ < 8)
				n += (size_t)snprintf(thread->message + n, PTX_MESSAGE - n, " %u",
						      group->lanes[k].index);
			shown = count < 8 ? count : 8;
		}
		if (shown < count)
			n += (size_t)snprintf(thread->message + n, PTX_MESSAGE - n, " and %u more", count - shown);
		n += (size_t)snprintf(thread->message + n, PTX_MESSAGE - n, " at line %u: %s.", line, text);
	}
	snprintf(thread->message + n, PTX_MESSAGE - n, " %u of %u lanes have exited", group->exited, group->count);
	thread->failed = true;
	free(told);
}

/* ---- workgroups --------------------------------------------------------------------------------------------- */

void ptx_lane_ready(struct ptx_group *group, struct ptx_lane *lane)
{
	lane->state = PTX_LANE_READY;
	lane->ready_at = group->ready_count;
	group->ready[group->ready_count++] = lane->index;
}

void ptx_lane_unready(struct ptx_group *group, struct ptx_lane *lane, enum ptx_lane_state state)
{
	uint32_t last = group->ready[--group->ready_count];
	group->ready[lane->ready_at] = last;
	group->lanes[last].ready_at = lane->ready_at;
	lane->state = (uint8_t)state;
}

/* Constants in their slots; everything else is bits that nobody should rely on. */
void ptx_frame_fill(struct ptx_frame *frame)
{
	const struct ptx_function *f = frame->function;
	memset(frame->slots, 0xa5, f->slot_count * sizeof *frame->slots);
	memset(frame->slots, 0, PTX_FIRST_SLOT * sizeof *frame->slots);
	for (uint32_t i = 0; i < f->constant_count; i++)
		frame->slots[f->constants[i].slot] = f->constants[i].value;
	if (!frame->defined)
		return;
	memset(frame->defined, 0, f->slot_count);
	memset(frame->defined, 1, PTX_FIRST_SLOT);
	for (uint32_t i = 0; i < f->constant_count; i++)
		frame->defined[f->constants[i].slot] = 1;
}

static size_t round_up(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

/* One block of memory a workgroup, used again for those after it. */
static bool group_create(struct ptx_thread *thread, struct ptx_group *group)
{
	const struct ptx_function *f = thread->launch->entry;
	uint32_t n = thread->lanes;
	size_t lanes = round_up(n * sizeof(struct ptx_lane)), ready = round_up(n * sizeof(uint32_t));
	size_t slots = round_up(f->slot_count * sizeof(uint64_t)), defined = round_up(f->slot_count);
	size_t calls = round_up(f->call_bytes + 1), local = round_up(thread->local_bytes + 1);
	size_t each = slots + defined + calls + local, shared = round_up(thread->shared_bytes + 1);
	uint8_t *at = aligned_alloc(64, lanes + ready + shared + each * n);
	if (!at)
		return false;
	group->memory = at;
	group->count = n;
	group->lanes = (struct ptx_lane *)at;
	group->ready = (uint32_t *)(at + lanes);
	group->shared = at + lanes + ready;
	at += lanes + ready + shared;
	for (uint32_t i = 0; i < n; i++, at += each) {
		struct ptx_lane *lane = &group->lanes[i];
		*lane = (struct ptx_lane){.index = i, .local = at + slots + defined + calls};
		lane->tid[0] = i % thread->block[0];
		lane->tid[1] = i / thread->block[0] % thread->block[1];
		lane->tid[2] = i / thread->block[0] / thread->block[1];
		lane->first = (struct ptx_frame){.function = f,
						 .slots = (uint64_t *)at,
						 .defined = thread->launch->careful ? at + slots : NULL,
						 .call_params = at + slots + defined};
	}
	return true;
}

static void group_start(struct ptx_thread *thread, struct ptx_group *group, uint64_t index)
{
	group->ctaid[0] = (uint32_t)(index % thread->grid_size[0]);
	group->ctaid[1] = (uint32_t)(index / thread->grid_size[0] % thread->grid_size[1]);
	group->ctaid[2] = (uint32_t)(index / thread->grid_size[0] / thread->grid_size[1]);
	group->ready_count = group->exited = 0;
	memset(group->barriers, 0, sizeof group->barriers);
	memset(group->shared, 0xa5, thread->shared_bytes);
	for (uint32_t i = 0; i < group->count; i++) {
		struct ptx_lane *lane = &group->lanes[i];
		lane->frame = &lane->first;
		lane->pc = 0;
		lane->carry = 0;
		ptx_frame_fill(lane->frame);
		memset(lane->local, 0xa5, thread->local_bytes);
		ptx_lane_ready(group, lane);
	}
}

static void group_destroy(struct ptx_group *group)
{
	for (uint32_t i = 0; i < group->count; i++)
		while (group->lanes[i].frame && group->lanes[i].frame->caller) {
			struct ptx_frame *frame = group->lanes[i].frame;
			group->lanes[i].frame = frame->caller;
			free(frame);
		}
	free(group->memory);
}

/* ---- one host thread ---------------------------------------------------------------------------------------- */

static uint32_t next_burst(struct ptx_thread *thread, uint64_t random)
{
	static const uint32_t most[] = {2, 16, 64, 256};
	uint32_t limit = thread->launch->burst ? thread->launch->burst : most[random & 3];
	return 1 + (uint32_t)(random >> 34) % limit;
}

/* A random lane runs on. False: an error. */
static bool step(struct ptx_thread *thread, struct ptx_group *group)
{
	uint64_t random = ptx_random(thread), before = thread->instructions;
	uint32_t which = (uint32_t)((random >> 2 & UINT32_MAX) * group->ready_count >> 32),
		 budget = next_burst(thread, random);
	thread->group = group;
	if (!ptx_run_lane(thread, &group->lanes[group->ready[which]], budget))
		return false;
	if (thread->launch->late && !(random >> 50 & 3)) /* one of anybody's: also of those that wait or spin */
		ptx_late_some(thread, &group->lanes[(random >> 8 & UINT32_MAX) % group->count]);
	if (!group->ready_count && group->exited < group->count) {
		tell_places(thread, group, "is stuck, every lane waits");
		return false;
	}
	if (thread->launch->step_limit && thread->instructions > thread->launch->step_limit) {
		tell_places(thread, group, "still runs after its instructions are used up");
		return false;
	}
	if (group->ready_count == 1 && thread->instructions - before < budget)
		sched_yield(); /* it sleeps, and nobody else of its workgroup could use the time */
	return true;
}

static bool is_stopped(const struct ptx_thread *thread)
{
	return __atomic_load_n(&thread->grid->failed, __ATOMIC_RELAXED) ||
	       (thread->launch->stop && __atomic_load_n(thread->launch->stop, __ATOMIC_ACQUIRE));
}

/* Keeps up to `resident` workgroups going, random ones, until none is left. */
static void run_groups(struct ptx_thread *thread, uint32_t resident)
{
	struct ptx_group *groups = calloc(resident, sizeof *groups);
	uint32_t live = 0, created = 0;
	bool ok = groups != NULL;
	while (ok && created < resident && group_create(thread, &groups[created]))
		created++;
	ok = ok && created == resident;
	if (!ok) {
		thread->failed = true;
		snprintf(thread->message, PTX_MESSAGE, "no memory for %u workgroups of %u lanes", resident,
			 thread->lanes);
	}
	while (ok && !is_stopped(thread)) {
		while (live < resident) {
			uint64_t index = __atomic_fetch_add(&thread->grid->next, 1, __ATOMIC_RELAXED);
			if (index >= thread->grid->groups)
				break;
			group_start(thread, &groups[live++], index);
		}
		if (!live)
			break;
		uint32_t which = live == 1 ? 0 : (uint32_t)(ptx_random(thread) % live);
		ok = step(thread, &groups[which]);
		if (groups[which].exited == groups[which].count) {
			struct ptx_group ended = groups[which];
			groups[which] = groups[--live];
			groups[live] = ended;
		}
	}
	if (thread->failed)
		__atomic_store_n(&thread->grid->failed, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < created; i++)
		group_destroy(&groups[i]);
	free(groups);
}

static void *thread_main(void *user)
{
	run_groups(user, 1);
	return NULL;
}

/* ---- launches ----------------------------------------------------------------------------------------------- */

static bool refuse(struct ptx_result *result, const char *what)
{
	result->outcome = PTX_ERROR;
	snprintf(result->message, PTX_MESSAGE, "%s", what);
	return false;
}

static uint32_t at_least_1(uint32_t n)
{
	return n ? n : 1;
}

static bool check(const struct ptx_launch *launch, struct ptx_result *result)
{
	const struct ptx_function *f = launch->entry;
	uint64_t lanes = 1;
	bool asked = f->reqntid[0] != 0, limited = f->maxntid[0] != 0;
	for (unsigned i = 0; i < 3; i++) {
		lanes *= at_least_1(launch->block[i]);
		if (asked && at_least_1(launch->block[i]) != f->reqntid[i])
			return refuse(result, "the block is not what .reqntid says");
	}
	if (lanes > PTX_MAX_LANES ||
	    (limited && lanes > (uint64_t)f->maxntid[0] * at_least_1(f->maxntid[1]) * at_least_1(f->maxntid[2])))
		return refuse(result, "more lanes in a block than 1024 or .maxntid");
	if (launch->param_bytes < f->param_bytes)
		return refuse(result, "fewer parameter bytes than the entry has");
	return true;
}

static void thread_init(struct ptx_thread *thread, struct ptx_grid *grid, uint32_t index)
{
	const struct ptx_launch *launch = grid->launch;
	const struct ptx_function *f = launch->entry;
	*thread = (struct ptx_thread){.grid = grid, .launch = launch, .module = f->module};
	thread->random = launch->seed * 0x2545f4914f6cdd1du + index;
	memcpy(thread->grid_size, grid->size, sizeof grid->size);
	for (unsigned i = 0; i < 3; i++)
		thread->block[i] = at_least_1(launch->block[i]);
	thread->lanes = thread->block[0] * thread->block[1] * thread->block[2];
	thread->shared_bytes = (f->shared_bytes + 15u) / 16 * 16 + launch->dynamic_shared;
	if (!launch->dynamic_shared)
		thread->shared_bytes = f->shared_bytes;
	thread->local_bytes = f->local_bytes + (f->call_count ? CALL_LOCAL_BYTES : 0);
}

static void run_threads(struct ptx_thread *threads, uint32_t count)
{
	pthread_t *handles = calloc(count, sizeof *handles);
	uint32_t started = 0;
	while (handles && started < count && !pthread_create(&handles[started], NULL, thread_main, &threads[started]))
		started++;
	if (started < count) {
		threads[0].failed = true;
		snprintf(threads[0].message, PTX_MESSAGE, "%u of %u host threads started", started, count);
		__atomic_store_n(&threads[0].grid->failed, 1, __ATOMIC_RELAXED);
	}
	for (uint32_t i = 0; i < started; i++)
		pthread_join(handles[i], NULL);
	free(handles);
}

bool ptx_launch(const struct ptx_launch *launch, struct ptx_result *result)
{
	struct ptx_grid grid = {.launch = launch, .groups = 1};
	uint32_t count = at_least_1(launch->threads), resident;
	*result = (struct ptx_result){.outcome = PTX_ENDED};
	if (!check(launch, result))
		return false;
	for (unsigned i = 0; i < 3; i++) {
		grid.size[i] = at_least_1(launch->grid[i]);
		grid.groups *= grid.size[i];
	}
	if (count > grid.groups)
		count = (uint32_t)grid.groups;
	resident = launch->resident && launch->resident < grid.groups ? launch->resident : (uint32_t)grid.groups;
	struct ptx_thread *threads = calloc(count, sizeof *threads);
	if (!threads)
		return refuse(result, "no memory");
	for (uint32_t i = 0; i < count; i++)
		thread_init(&threads[i], &grid, i);
	if (launch->threads)
		run_threads(threads, count);
	else
		run_groups(&threads[0], resident);
	if (launch->stop && __atomic_load_n(launch->stop, __ATOMIC_ACQUIRE))
		result->outcome = PTX_STOPPED;
	for (uint32_t i = 0; i < count; i++) {
		result->instructions += threads[i].instructions;
		if (threads[i].failed) {
			result->outcome = PTX_ERROR;
			memcpy(result->message, threads[i].message, PTX_MESSAGE);
		}
	}
	free(threads);
	return result->outcome == PTX_ENDED;
}
