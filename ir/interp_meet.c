/* interp_meet.c - where lanes meet: barriers, collectives, suspensions.
 *
 * Enters: a lane that began to wait, or ended. Leaves: when all lanes of its workgroup (its subgroup, all workgroups)
 * that have not ended wait at the same statement, their results, and all of them ready. Invariant: operands of a
 * collective are read before any result is written. When nobody can go on, the run ends with the place that was not
 * reached by all.
 *
 * A lane that a trap has taken to the end of a catch in which lanes meet has fallen: all meetings but that end go on
 * without it. Where every lane has fallen, the innermost end is first: who waits there is still inside the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/interp_run.h"

static const struct interp_insn *waits_at(const struct interp_lane *lane)
{
	return &lane->group->code->insns[lane->pc];
}

/* Does the lane belong to the meeting at this instruction, or is it over, or fallen to another end? */
static bool is_there(const struct interp_lane *lane, const struct interp_insn *at)
{
	return lane->state != LANE_ENDED && (!lane->fallen || (lane->state == LANE_WAITS && waits_at(lane) == at));
}

static void go_on(struct interp_run *run, struct interp_lane *lane)
{
	lane->pc++;
	lane->state = LANE_READY;
	lane->fallen = false;
	lane->group->waiting--;
	interp_make_ready(run, lane);
}

/* ---- collectives ------------------------------------------------------------------------------------------ */

struct meeting { /* operands of the lanes first .. first + count of a group */
	struct interp_group *group;
	const struct interp_insn *insn;
	uint32_t first, count;
	uint64_t a[VYREC_MAX_LANES], b[VYREC_MAX_LANES];
	bool there[VYREC_MAX_LANES]; /* false: the lane has ended or fallen */
};

static uint64_t operand(const struct interp_lane *lane, uint32_t r)
{
	return r & INTERP_CONST ? lane->group->code->literals[r & ~INTERP_CONST] : lane->registers[r];
}

static void gather(struct meeting *m)
{
	for (uint32_t k = 0; k < m->count; k++) {
		const struct interp_lane *lane = &m->group->lanes[m->first + k];
		m->there[k] = is_there(lane, m->insn);
		m->a[k] = m->there[k] ? operand(lane, m->insn->a) : 0;
		m->b[k] = m->there[k] ? operand(lane, m->insn->b) : 0;
	}
}

/* Combines all values: from the first to the last lane, or in pairs, which floats can tell apart. */
static uint64_t reduce(const struct meeting *m, bool in_pairs)
{
	uint64_t values[VYREC_MAX_LANES];
	uint32_t n = 0;
	for (uint32_t k = 0; k < m->count; k++)
		if (m->there[k])
			values[n++] = m->a[k];
	while (in_pairs && n > 1) {
		for (uint32_t k = 0; k < n / 2; k++)
			values[k] = vyrec_eval(m->insn->fold, m->insn->type, values[2 * k], values[2 * k + 1], 0);
		if (n % 2)
			values[n / 2] = values[n - 1];
		n = (n + 1) / 2;
	}
	for (uint32_t k = 1; k < n; k++)
		values[0] = vyrec_eval(m->insn->fold, m->insn->type, values[0], values[k], 0);
	return values[0];
}

static uint64_t ballot(const struct meeting *m)
{
	uint64_t bits = 0;
	for (uint32_t k = 0; k < m->count && k < 64; k++)
		bits |= (m->a[k] & 1) << k;
	return bits;
}

/* What lane k gets. */
static uint64_t chosen(const struct meeting *m, uint32_t k)
{
	uint32_t from = (uint32_t)m->b[k];
	if (m->insn->op == VYREC_COLLECTIVE_BROADCAST)
		from %= m->count;
	return from < m->count ? m->a[from] : 0;
}

static void collect(struct interp_run *run, struct interp_group *group, const struct interp_insn *at, uint32_t first,
		    uint32_t count)
{
	struct meeting meeting, *m = &meeting;
	uint64_t same = 0;
	bool each = false;
	m->group = group;
	m->insn = at;
	m->first = first;
	m->count = count;
	gather(m);
	if (m->insn->fold)
		same = reduce(m, run->options.seed != 0);
	else if (m->insn->op == VYREC_COLLECTIVE_BALLOT)
		same = ballot(m);
	else
		each = true;
	for (uint32_t k = 0; k < m->count; k++) {
		if (!m->there[k])
			continue;
		struct interp_lane *lane = &m->group->lanes[m->first + k];
		lane->registers[m->insn->dst] = each ? chosen(m, k) : same;
		go_on(run, lane);
	}
}

/* Do all lanes of the range that have neither ended nor fallen wait at the same instruction? Gives it, or NULL. If there
 * is none: the innermost end where some have fallen. */
static const struct interp_insn *all_wait(const struct interp_group *group, uint32_t first, uint32_t count)
{
	const struct interp_insn *at = NULL, *end = NULL;
	uint32_t depth = 0;
	for (uint32_t k = first; k < first + count; k++) {
		const struct interp_lane *lane = &group->lanes[k];
		if (lane->state == LANE_ENDED)
			continue;
		if (lane->fallen) {
			if (lane->state != LANE_WAITS)
				return NULL;
			end = end && depth >= lane->catch_depth ? end : waits_at(lane);
			depth = depth > lane->catch_depth ? depth : lane->catch_depth;
			continue;
		}
		if (lane->state != LANE_WAITS || (at && waits_at(lane) != at))
			return NULL;
		at = waits_at(lane);
	}
	return at ? at : end;
}

static bool is_subgroup_collective(const struct interp_insn *i)
{
	return i->kind == INTERP_COLLECTIVE && vyrec_collective_get_info(i->op)->subgroup;
}

/* The subgroup that a lane belongs to; true if its lanes went on. */
static bool meet_subgroup(struct interp_run *run, struct interp_group *group, uint32_t lane)
{
	uint32_t width = run->options.subgroup, first = lane / width * width;
	uint32_t count = group->lane_count - first < width ? group->lane_count - first : width;
	const struct interp_insn *at = all_wait(group, first, count);
	if (!at || !is_subgroup_collective(at))
		return false;
	collect(run, group, at, first, count);
	return true;
}

/* ---- barriers and suspensions ----------------------------------------------------------------------------- */

static void meet_clocks(struct interp_run *run, struct interp_group **groups, uint32_t count,
			const struct interp_insn *at)
{
	uint32_t n = 0;
	if (!run->options.detect_races)
		return;
	for (uint32_t g = 0; g < count; g++)
		n += groups[g]->lanes ? groups[g]->lane_count : 0;
	struct interp_clock **clocks = vyrec_alloc(n * sizeof *clocks);
	n = 0;
	for (uint32_t g = 0; g < count; g++)
		for (uint32_t k = 0; groups[g]->lanes && k < groups[g]->lane_count; k++)
			if (is_there(&groups[g]->lanes[k], at))
				clocks[n++] = &groups[g]->lanes[k].clock;
	interp_clock_meet(clocks, n, &run->races);
	free(clocks);
}

static void release_at(struct interp_run *run, struct interp_group *group, const struct interp_insn *at)
{
	for (uint32_t k = 0; k < group->lane_count; k++)
		if (group->lanes[k].state == LANE_WAITS && is_there(&group->lanes[k], at))
			go_on(run, &group->lanes[k]);
}

void interp_release(struct interp_run *run, struct interp_group *group)
{
	release_at(run, group, NULL);
}

static void suspend(struct interp_run *run, struct interp_group *group, const struct interp_insn *at)
{
	const struct interp_lane *lane = group->lanes;
	/* another workgroup may go on, with shared arrays of its own */
	memset(group->bytes, 0, group->code->shared_bytes);
	if (at->op == VYREC_STMT_JOIN && interp_join(run, group)) {
		interp_release(run, group);
		return;
	}
	while (lane->state == LANE_ENDED)
		lane++;
	group->state = GROUP_SUSPENDED;
	group->suspended_by = at->op;
	if (at->op == VYREC_STMT_PAUSE)
		group->until = (uint32_t)operand(lane, at->a);
	if (at->op != VYREC_STMT_LOAD)
		return;
	int error = run->options.load
			? run->options.load(run->options.user, (uint32_t)operand(lane, at->a), operand(lane, at->b),
					    (uint32_t)operand(lane, at->c), (uint32_t)operand(lane, at->d))
			: ENOSYS;
	if (error) {
		group->state = GROUP_FAULTED;
		group->fault_code = VYRE_FAULT_IO;
		group->fault_detail = (uint32_t)error;
	}
}

static void fail_apart(struct interp_run *run, const struct interp_group *group)
{
	const struct interp_insn *at = NULL;
	uint32_t here = 0, alive = 0;
	for (uint32_t k = 0; k < group->lane_count; k++) {
		if (group->lanes[k].state == LANE_ENDED || group->lanes[k].fallen)
			continue;
		at = at ? at : waits_at(&group->lanes[k]);
		here += waits_at(&group->lanes[k]) == at;
		alive++;
	}
	interp_fail(run, VYRE_INVALID, at->loc,
		    "deadlock: %u of %u lanes wait here, the others at another place; let all lanes reach it together",
		    here, alive);
}

/* All lanes of a group that have not ended wait, the fallen ones among them. */
static void meet_group(struct interp_run *run, struct interp_group *group)
{
	const struct interp_insn *at = all_wait(group, 0, group->lane_count);
	if (!at) {
		fail_apart(run, group);
		return;
	}
	if (at->kind == INTERP_BARRIER && at->scope == VYREC_SCOPE_DEVICE) {
		group->at_device_barrier = true;
		return;
	}
	if (at->kind == INTERP_COLLECTIVE) {
		collect(run, group, at, 0, group->lane_count);
		return;
	}
	meet_clocks(run, &group, 1, at);
	if (at->kind == INTERP_SUSPEND)
		suspend(run, group, at);
	else
		release_at(run, group, at);
}

void interp_meet(struct interp_run *run, struct interp_lane *lane)
{
	struct interp_group *group = lane->group;
	if (group->alive && meet_subgroup(run, group, lane->index))
		return;
	if (group->alive && group->waiting == group->alive)
		meet_group(run, group);
}

void interp_meet_device(struct interp_run *run)
{
	const struct interp_insn *at = NULL;
	bool together = true;
	for (uint32_t g = 0; g < run->group_count; g++) {
		const struct interp_group *group = run->groups[g];
		if (!group->at_device_barrier)
			continue;
		const struct interp_lane *lane = group->lanes;
		while (lane->state == LANE_ENDED || lane->fallen)
			lane++;
		together &= !at || at == waits_at(lane);
		at = at ? at : waits_at(lane);
	}
	if (!at || !together) {
		interp_fail(run, VYRE_INVALID, at ? at->loc : 0,
			    "deadlock: workgroups wait at different places; let all of them reach this barrier");
		return;
	}
	meet_clocks(run, run->groups, run->group_count, at);
	for (uint32_t g = 0; g < run->group_count; g++) {
		struct interp_group *group = run->groups[g];
		if (!group->at_device_barrier)
			continue;
		group->at_device_barrier = false;
		interp_release(run, group);
	}
}
