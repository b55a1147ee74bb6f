/* ptx_meet.c - where lanes wait for each other: barriers of a workgroup, and .sync instructions of a warp.
 *
 * Enters: a lane that has come to such an instruction, or has exited. Leaves: it waits, or everybody whom it was waited
 * for goes on with the result. Invariant: a lane that waits stands at its instruction (pc), with its operands unchanged in its
 * registers, so that nothing but who waits is kept.
 *
 * A barrier without a count waits for all lanes that have not exited; one with a count for that many lanes, in whole warps. Lanes
 * of a warp must come to one aligned barrier by one instruction. A warp's .sync waits for the lanes in its mask that
 * have not exited; what they execute must agree in everything, the mask included.
 */
#include <string.h>

#include "tests/ptx/ptx_internal.h"

static const struct ptx_insn *stands_at(const struct ptx_lane *lane)
{
	return &lane->frame->function->insns[lane->pc];
}

static uint32_t warp_lanes(const struct ptx_group *group, uint32_t warp)
{
	uint32_t left = group->count - warp * PTX_WARP;
	return left < PTX_WARP ? left : PTX_WARP;
}

static void go_on(struct ptx_group *group, struct ptx_lane *lane)
{
	lane->pc++;
	ptx_lane_ready(group, lane);
}

/* ---- barriers ----------------------------------------------------------------------------------------------- */

static uint32_t expected(const struct ptx_group *group, const struct ptx_barrier *barrier)
{
	return barrier->expected ? barrier->expected : group->count - group->exited;
}

/* With a count, warps count whole: lanes that were never there, or have exited, come with their warp. */
static uint32_t arrived(const struct ptx_group *group, const struct ptx_barrier *barrier)
{
	uint32_t sum = barrier->arrived;
	for (uint32_t w = 0; w * PTX_WARP < group->count && barrier->expected; w++) {
		uint32_t n = warp_lanes(group, w), gone = PTX_WARP - n;
		for (uint32_t k = 0; k < n; k++)
			gone +=
			    group->lanes[w * PTX_WARP + k].state == PTX_LANE_EXITED && !(barrier->warps[w] >> k & 1);
		if (barrier->warps[w])
			sum += gone;
	}
	return sum;
}

/* The lanes of a warp at an aligned barrier all stand at one instruction, and none is elsewhere. */
static bool check_aligned(struct ptx_thread *thread, uint32_t id)
{
	struct ptx_group *group = thread->group;
	for (uint32_t i = 0; i < group->count; i++) {
		struct ptx_lane *lane = &group->lanes[i], *first = NULL;
		if (lane->state != PTX_LANE_AT_BARRIER || lane->barrier != id ||
		    !(stands_at(lane)->flags & PTX_ALIGNED))
			continue;
		for (uint32_t k = i / PTX_WARP * PTX_WARP; k < group->count && k < (i / PTX_WARP + 1) * PTX_WARP; k++) {
			first = &group->lanes[k];
			bool there = first->state == PTX_LANE_AT_BARRIER && first->barrier == id &&
				     stands_at(first) == stands_at(lane);
			if (first->state != PTX_LANE_EXITED && !there)
				return ptx_fail_at(thread, lane, stands_at(lane),
						   "an aligned barrier that lane %u of the same warp does not execute "
						   "(it is at line %u)",
						   first->index, stands_at(first)->line);
		}
	}
	return true;
}

static uint64_t reduce_predicates(const struct ptx_group *group, uint32_t id, enum ptx_barrier_mode mode)
{
	uint64_t count = 0, lanes = 0;
	for (uint32_t i = 0; i < group->count; i++) {
		const struct ptx_lane *lane = &group->lanes[i];
		if (lane->state != PTX_LANE_AT_BARRIER || lane->barrier != id)
			continue;
		lanes++;
		count += lane->frame->slots[stands_at(lane)->c] & 1;
	}
	return mode == PTX_BAR_AND ? count == lanes : mode == PTX_BAR_OR ? count != 0 : count;
}

static bool release_barrier(struct ptx_thread *thread, uint32_t id)
{
	struct ptx_group *group = thread->group;
	struct ptx_barrier *barrier = &group->barriers[id];
	if (!check_aligned(thread, id))
		return false;
	uint64_t result = reduce_predicates(group, id, barrier->mode);
	*barrier = (struct ptx_barrier){0};
	for (uint32_t i = 0; i < group->count; i++) {
		struct ptx_lane *lane = &group->lanes[i];
		if (lane->state != PTX_LANE_AT_BARRIER || lane->barrier != id)
			continue;
		if (stands_at(lane)->mode >= PTX_BAR_POPC)
			lane->frame->slots[stands_at(lane)->d] = result;
		go_on(group, lane);
	}
	return true;
}

static bool maybe_release(struct ptx_thread *thread, uint32_t id)
{
	const struct ptx_barrier *barrier = &thread->group->barriers[id];
	if (!barrier->in_use || arrived(thread->group, barrier) < expected(thread->group, barrier))
		return true;
	return release_barrier(thread, id);
}

bool ptx_arrive_barrier(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	const uint64_t *slots = lane->frame->slots;
	uint64_t id = slots[insn->a], count = insn->b == PTX_ZERO ? 0 : slots[insn->b];
	struct ptx_barrier *barrier = &thread->group->barriers[id & 15];
	bool is_red = insn->mode >= PTX_BAR_POPC;
	if (id > 15)
		return ptx_fail_at(thread, lane, insn, "barrier %llu of 16", (unsigned long long)id);
	if (insn->b != PTX_ZERO && (!count || count % PTX_WARP || count > PTX_MAX_LANES))
		return ptx_fail_at(thread, lane, insn, "a barrier of %llu lanes, which is no number of warps",
				   (unsigned long long)count);
	if (barrier->in_use && (barrier->expected != count || is_red != (barrier->mode >= PTX_BAR_POPC) ||
				(is_red && barrier->mode != insn->mode)))
		return ptx_fail_at(thread, lane, insn, "a barrier of another kind than the lanes use that wait there");
	if (!barrier->in_use || insn->mode != PTX_BAR_ARRIVE)
		barrier->mode = insn->mode;
	barrier->in_use = true;
	ptx_late_all(lane);
	barrier->expected = (uint32_t)count;
	barrier->arrived++;
	barrier->warps[lane->index / PTX_WARP] |= 1u << (lane->index % PTX_WARP);
	if (insn->mode == PTX_BAR_ARRIVE) {
		lane->pc++;
	} else {
		lane->barrier = (uint32_t)id;
		ptx_lane_unready(thread->group, lane, PTX_LANE_AT_BARRIER);
	}
	return maybe_release(thread, (uint32_t)id);
}

/* ---- warps -------------------------------------------------------------------------------------------------- */

struct meeting {
	struct ptx_lane *lanes[PTX_WARP]; /* NULL: not there */
	uint64_t a[PTX_WARP], b[PTX_WARP], c[PTX_WARP];
	uint32_t there;
};

static bool is_signed_less(uint64_t a, uint64_t b)
{
	return (int32_t)a < (int32_t)b;
}

static uint64_t redux_two(enum ptx_warp_mode mode, uint64_t x, uint64_t y)
{
	switch (mode) {
	case PTX_WARP_REDUX_ADD:
		return (uint32_t)(x + y);
	case PTX_WARP_REDUX_MIN_U:
		return x < y ? x : y;
	case PTX_WARP_REDUX_MAX_U:
		return x > y ? x : y;
	case PTX_WARP_REDUX_MIN_S:
		return is_signed_less(x, y) ? x : y;
	case PTX_WARP_REDUX_MAX_S:
		return is_signed_less(x, y) ? y : x;
	case PTX_WARP_REDUX_AND:
		return x & y;
	case PTX_WARP_REDUX_OR:
		return x | y;
	default:
		return x ^ y;
	}
}

static uint64_t redux(const struct meeting *m, enum ptx_warp_mode mode)
{
	uint64_t sum = 0;
	bool first = true;
	for (uint32_t k = 0; k < PTX_WARP; k++)
		if (m->there >> k & 1) {
			sum = first ? m->a[k] : redux_two(mode, sum, m->a[k]);
			first = false;
		}
	return sum;
}

/* Where lane k's value comes from; *valid as the manual defines shfl's predicate. */
static uint32_t shuffle_source(const struct meeting *m, enum ptx_warp_mode mode, uint32_t k, bool *valid)
{
	uint32_t b = m->b[k] & 31, clamp = m->c[k] & 31, segment = m->c[k] >> 8 & 31;
	uint32_t most = (k & segment) | (clamp & ~segment), least = k & segment, from;
	switch (mode) {
	case PTX_WARP_SHFL_UP:
		from = k - b;
		*valid = (int32_t)from >= (int32_t)most;
		break;
	case PTX_WARP_SHFL_DOWN:
		from = k + b;
		*valid = from <= most;
		break;
	case PTX_WARP_SHFL_BFLY:
		from = k ^ b;
		*valid = from <= most;
		break;
	default:
		from = least | (b & ~segment);
		*valid = from <= most;
		break;
	}
	return *valid ? from & 31 : k;
}

/* A lane that is not there gives a value that nobody may use. */
static void shuffle(struct ptx_thread *thread, const struct meeting *m, enum ptx_warp_mode mode, uint32_t k)
{
	struct ptx_lane *lane = m->lanes[k];
	const struct ptx_insn *insn = stands_at(lane);
	bool valid;
	uint32_t from = shuffle_source(m, mode, k, &valid);
	bool there = m->there >> from & 1;
	lane->frame->slots[insn->d] = there ? m->a[from] : (uint32_t)ptx_random(thread);
	lane->frame->slots[insn->offset] = valid;
	if (lane->frame->defined)
		lane->frame->defined[insn->d] = there;
}

static uint32_t votes(const struct meeting *m)
{
	uint32_t ballot = 0;
	for (uint32_t k = 0; k < PTX_WARP; k++)
		ballot |= (uint32_t)(m->there >> k & 1 ? m->a[k] & 1 : 0) << k;
	return ballot;
}

static uint32_t equals(const struct meeting *m, uint64_t value)
{
	uint32_t mask = 0;
	for (uint32_t k = 0; k < PTX_WARP; k++)
		mask |= (uint32_t)(m->there >> k & 1 && m->a[k] == value) << k;
	return mask;
}

static void give_result(struct ptx_thread *thread, const struct meeting *m, uint32_t k)
{
	struct ptx_lane *lane = m->lanes[k];
	const struct ptx_insn *insn = stands_at(lane);
	uint64_t *slots = lane->frame->slots;
	uint32_t ballot, same;
	switch ((enum ptx_warp_mode)insn->mode) {
	case PTX_WARP_BAR:
		break;
	case PTX_WARP_SHFL_UP:
	case PTX_WARP_SHFL_DOWN:
	case PTX_WARP_SHFL_BFLY:
	case PTX_WARP_SHFL_IDX:
		shuffle(thread, m, insn->mode, k);
		break;
	case PTX_WARP_VOTE_ALL:
	case PTX_WARP_VOTE_ANY:
	case PTX_WARP_VOTE_UNI:
	case PTX_WARP_VOTE_BALLOT:
		ballot = votes(m);
		slots[insn->d] = insn->mode == PTX_WARP_VOTE_ALL   ? ballot == m->there
				 : insn->mode == PTX_WARP_VOTE_ANY ? ballot != 0
				 : insn->mode == PTX_WARP_VOTE_UNI ? ballot == m->there || !ballot
								   : ballot;
		break;
	case PTX_WARP_MATCH_ANY32:
	case PTX_WARP_MATCH_ANY64:
		slots[insn->d] = equals(m, m->a[k]);
		break;
	case PTX_WARP_MATCH_ALL32:
	case PTX_WARP_MATCH_ALL64:
		same = equals(m, m->a[k]);
		slots[insn->d] = same == m->there ? same : 0;
		slots[insn->offset] = same == m->there;
		break;
	default:
		slots[insn->d] = redux(m, insn->mode);
		break;
	}
}

static void release_warp(struct ptx_thread *thread, uint32_t warp, uint32_t there)
{
	struct meeting m = {.there = there};
	for (uint32_t k = 0; k < PTX_WARP; k++) {
		if (!(there >> k & 1))
			continue;
		struct ptx_lane *lane = &thread->group->lanes[warp * PTX_WARP + k];
		const struct ptx_insn *insn = stands_at(lane);
		m.lanes[k] = lane;
		m.a[k] = lane->frame->slots[insn->a];
		m.b[k] = lane->frame->slots[insn->b];
		m.c[k] = lane->frame->slots[insn->c];
	}
	for (uint32_t k = 0; k < PTX_WARP; k++)
		if (there >> k & 1) {
			give_result(thread, &m, k);
			go_on(thread->group, m.lanes[k]);
		}
}

/* Are all lanes of the mask that have not exited at the same instruction with the same mask? */
static bool warp_complete(struct ptx_thread *thread, const struct ptx_lane *lane, uint32_t *there, bool *failed)
{
	struct ptx_group *group = thread->group;
	uint32_t warp = lane->index / PTX_WARP, n = warp_lanes(group, warp);
	const struct ptx_insn *insn = stands_at(lane);
	bool complete = true;
	*there = 0;
	for (uint32_t k = 0; k < n; k++) {
		const struct ptx_lane *other = &group->lanes[warp * PTX_WARP + k];
		if (!(lane->mask >> k & 1) || other->state == PTX_LANE_EXITED)
			continue;
		if (other->state != PTX_LANE_AT_WARP) {
			complete = false;
			continue;
		}
		const struct ptx_insn *its = stands_at(other);
		bool agree = its->mode == insn->mode && other->mask == lane->mask;
		if (!agree && other->mask >> (lane->index % PTX_WARP) & 1) {
			*failed = !ptx_fail_at(thread, lane, insn,
					       "lane %u of the same warp waits for this lane at line %u, with mask %#x "
					       "and not %#x or at another kind of instruction",
					       other->index, its->line, other->mask, lane->mask);
			return false;
		}
		complete = complete && agree;
		*there |= (uint32_t)agree << k;
	}
	return complete;
}

bool ptx_arrive_warp(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	uint32_t bit = lane->index % PTX_WARP, there;
	bool failed = false;
	lane->mask = (uint32_t)lane->frame->slots[insn->e];
	if (!(lane->mask >> bit & 1))
		return ptx_fail_at(thread, lane, insn, "a mask, %#x, without the lane that executes it", lane->mask);
	if (insn->mode == PTX_WARP_BAR)
		ptx_late_all(lane);
	ptx_lane_unready(thread->group, lane, PTX_LANE_AT_WARP);
	if (warp_complete(thread, lane, &there, &failed))
		release_warp(thread, lane->index / PTX_WARP, there);
	return !failed;
}

/* ---- exits -------------------------------------------------------------------------------------------------- */

bool ptx_lane_exit(struct ptx_thread *thread, struct ptx_lane *lane)
{
	struct ptx_group *group = thread->group;
	uint32_t first = lane->index / PTX_WARP * PTX_WARP, there;
	bool failed = false;
	ptx_late_all(lane);
	ptx_lane_unready(group, lane, PTX_LANE_EXITED);
	group->exited++;
	for (uint32_t id = 0; id < 16; id++)
		if (!maybe_release(thread, id))
			return false;
	for (uint32_t k = first; k < first + PTX_WARP && k < group->count; k++) {
		struct ptx_lane *other = &group->lanes[k];
		if (other->state == PTX_LANE_AT_WARP && other->mask >> (lane->index % PTX_WARP) & 1 &&
		    warp_complete(thread, other, &there, &failed))
			release_warp(thread, k / PTX_WARP, there);
		if (failed)
			return false;
	}
	return true;
}
