/* ptx_exec.c - executes instructions of one lane.
 *
 * Enters: a lane that is ready, and how many instructions it may run. Leaves: the lane further on, waiting, or exited.
 * The rows of ptx_ops.def become cases of one switch, which the compiler makes a jump table; everything with a state
 * beyond the lane's registers is a call into another file.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/ptx/ptx_internal.h"

/* ---- reads of registers that nobody wrote ------------------------------------------------------------------- */

static bool refuse_undefined(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	return ptx_fail_at(thread, lane, insn, "reads a register that nobody has written");
}

static void define_results(struct ptx_frame *frame, const struct ptx_insn *insn)
{
	const uint32_t *slots = frame->function->vectors + insn->e;
	if (insn->op != PTX_store)
		frame->defined[insn->d] = 1;
	for (unsigned i = 0; insn->op == PTX_load && insn->flags & PTX_VECTOR && i < insn->count; i++)
		frame->defined[slots[i]] = 1;
	if (insn->op == PTX_warp)
		frame->defined[insn->offset] = 1;
}

/* Looks at the sources and marks the results. mov passes on what it finds; selp needs only what it takes. */
static bool check_defined(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	struct ptx_frame *frame = lane->frame;
	uint8_t *defined = frame->defined;
	const uint32_t sources[] = {insn->a, insn->b, insn->c, insn->e};
	const char *operands = ptx_op_operands(insn->op);
	bool good = true;
	if (insn->op == PTX_mov) {
		defined[insn->d] = defined[insn->a];
		return true;
	}
	if (insn->op == PTX_selp_16 || insn->op == PTX_selp_32 || insn->op == PTX_selp_64) {
		defined[insn->d] = defined[frame->slots[insn->c] & 1 ? insn->a : insn->b];
		return defined[insn->c] || refuse_undefined(thread, lane, insn);
	}
	if (insn->op < PTX_VALUE_OPS) {
		for (unsigned i = 0; operands[i + 1]; i++)
			good = good && defined[sources[i]];
	} else {
		for (; *operands; operands++)
			good = good && defined[sources[*operands - 'a']];
		if (insn->op == PTX_barrier)
			good = good && defined[insn->b] && (insn->mode < PTX_BAR_POPC || defined[insn->c]);
		if (insn->op == PTX_warp)
			good = good && defined[insn->a] && defined[insn->b] && defined[insn->c] && defined[insn->e];
		for (unsigned i = 0; insn->op == PTX_store && i < insn->count; i++)
			good =
			    good && defined[insn->flags & PTX_VECTOR ? frame->function->vectors[insn->e + i] : insn->b];
	}
	define_results(frame, insn);
	return good || refuse_undefined(thread, lane, insn);
}

/* ---- what a lane knows of itself ---------------------------------------------------------------------------- */

static uint64_t nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t special(const struct ptx_thread *thread, const struct ptx_lane *lane, enum ptx_special which)
{
	uint32_t bit = 1u << (lane->index % PTX_WARP);
	switch (which) {
	case PTX_SPECIAL_TID_X:
	case PTX_SPECIAL_TID_Y:
	case PTX_SPECIAL_TID_Z:
		return lane->tid[which - PTX_SPECIAL_TID_X];
	case PTX_SPECIAL_NTID_X:
	case PTX_SPECIAL_NTID_Y:
	case PTX_SPECIAL_NTID_Z:
		return thread->block[which - PTX_SPECIAL_NTID_X];
	case PTX_SPECIAL_CTAID_X:
	case PTX_SPECIAL_CTAID_Y:
	case PTX_SPECIAL_CTAID_Z:
		return thread->group->ctaid[which - PTX_SPECIAL_CTAID_X];
	case PTX_SPECIAL_NCTAID_X:
	case PTX_SPECIAL_NCTAID_Y:
	case PTX_SPECIAL_NCTAID_Z:
		return thread->grid_size[which - PTX_SPECIAL_NCTAID_X];
	case PTX_SPECIAL_LANEID:
		return lane->index % PTX_WARP;
	case PTX_SPECIAL_WARPID:
		return lane->index / PTX_WARP;
	case PTX_SPECIAL_NWARPID:
		return (thread->lanes + PTX_WARP - 1) / PTX_WARP;
	case PTX_SPECIAL_NSMID:
	case PTX_SPECIAL_GRIDID:
		return 1;
	case PTX_SPECIAL_MASK_EQ:
		return bit;
	case PTX_SPECIAL_MASK_LE:
		return bit | (bit - 1);
	case PTX_SPECIAL_MASK_LT:
		return bit - 1;
	case PTX_SPECIAL_MASK_GE:
		return LOW32(~(bit - 1));
	case PTX_SPECIAL_MASK_GT:
		return LOW32(~(bit | (bit - 1)));
	case PTX_SPECIAL_CLOCK:
		return LOW32(thread->instructions);
	case PTX_SPECIAL_CLOCK64:
		return thread->instructions;
	case PTX_SPECIAL_TIMER:
		return nanoseconds();
	case PTX_SPECIAL_TIMER_LO:
		return LOW32(nanoseconds());
	case PTX_SPECIAL_TIMER_HI:
		return nanoseconds() >> 32;
	case PTX_SPECIAL_DYNAMIC:
		return thread->launch->dynamic_shared;
	case PTX_SPECIAL_WARP_SIZE:
		return PTX_WARP;
	default:
		return 0;
	}
}

static uint64_t address_of(const struct ptx_lane *lane, const struct ptx_insn *insn)
{
	uint64_t offset = (uint64_t)insn->offset;
	if (insn->mode) /* behind the function's other shared variables */
		return offset + (lane->frame->function->shared_bytes + 15u) / 16 * 16;
	return insn->space == PTX_LOCAL ? offset + lane->frame->local_base : offset;
}

/* Lanes of the warp that happen to be at the same place: what hardware may answer, and no more can be relied on. */
static uint32_t active(const struct ptx_thread *thread, const struct ptx_lane *lane)
{
	const struct ptx_group *group = thread->group;
	uint32_t first = lane->index / PTX_WARP * PTX_WARP, mask = 0;
	for (uint32_t k = first; k < first + PTX_WARP && k < group->count; k++) {
		const struct ptx_lane *other = &group->lanes[k];
		mask |= (uint32_t)(other->state == PTX_LANE_READY && other->pc == lane->pc &&
				   other->frame->function == lane->frame->function)
			<< (k - first);
	}
	return mask;
}

/* ---- carries ------------------------------------------------------------------------------------------------ */

static void add_with_carry(struct ptx_lane *lane, const struct ptx_insn *insn, uint64_t a, uint64_t b)
{
	uint64_t in = insn->order & 1 ? lane->carry : 0, mask = insn->width == 4 ? UINT32_MAX : UINT64_MAX;
	bool subtracts = insn->order & 4;
	unsigned __int128 sum = subtracts ? (unsigned __int128)a - b - in : (unsigned __int128)a + b + in;
	lane->frame->slots[insn->d] = (uint64_t)sum & mask;
	if (insn->order & 2)
		lane->carry = (uint8_t)((insn->width == 4 ? (uint64_t)sum >> 32 : (uint64_t)(sum >> 64)) & 1);
}

static void mad_with_carry(struct ptx_lane *lane, const struct ptx_insn *insn)
{
	const uint64_t *slots = lane->frame->slots;
	unsigned __int128 product = (unsigned __int128)slots[insn->a] * slots[insn->b];
	unsigned bits = insn->width * 8u;
	uint64_t part = (uint64_t)(insn->mode ? product >> bits : product);
	add_with_carry(lane, insn, bits == 32 ? LOW32(part) : part, slots[insn->c]);
}

/* ---- calls -------------------------------------------------------------------------------------------------- */

static bool enter(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	struct ptx_frame *from = lane->frame;
	const struct ptx_call *call = &from->function->call_sites[insn->e];
	const struct ptx_function *to = call->callee;
	uint64_t base = (from->local_base + from->function->local_bytes + 15u) / 16 * 16;
	size_t bytes = sizeof(struct ptx_frame) + to->slot_count * sizeof(uint64_t) + to->slot_count + to->call_bytes;
	if (base + to->local_bytes > thread->local_bytes)
		return ptx_fail_at(thread, lane, insn, "local memory of %u bytes is used up by calls",
				   thread->local_bytes);
	struct ptx_frame *frame = calloc(1, bytes);
	if (!frame)
		abort();
	frame->caller = from;
	frame->function = to;
	frame->slots = (uint64_t *)(frame + 1);
	if (from->defined)
		frame->defined = (uint8_t *)(frame->slots + to->slot_count);
	frame->call_params = (uint8_t *)(frame->slots + to->slot_count) + to->slot_count;
	frame->local_base = (uint32_t)base;
	frame->return_pc = lane->pc + 1;
	frame->site = call;
	ptx_frame_fill(frame);
	for (uint32_t i = 0; i < call->from_count; i++)
		memcpy(frame->call_params + to->params[i].offset, from->call_params + call->from[i].offset,
		       call->from[i].bytes);
	lane->frame = frame;
	lane->pc = 0;
	return true;
}

/* False: there was no caller, the lane has ended. */
static bool leave(struct ptx_lane *lane)
{
	struct ptx_frame *frame = lane->frame;
	if (!frame->caller)
		return false;
	for (uint32_t i = 0; i < frame->site->to_count; i++)
		memcpy(frame->caller->call_params + frame->site->to[i].offset,
		       frame->call_params + frame->function->results[i].offset, frame->site->to[i].bytes);
	lane->pc = frame->return_pc;
	lane->frame = frame->caller;
	free(frame);
	return true;
}

/* ---- one lane ----------------------------------------------------------------------------------------------- */

/* Instructions that do more than compute a value. *again: the lane may go on. */
static bool control(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn, bool *again)
{
	struct ptx_frame *frame = lane->frame;
	uint64_t *r = frame->slots, size;
	const struct ptx_table *table;
	*again = true;
	switch (insn->op) {
	case PTX_brx:
		table = &frame->function->tables[insn->e];
		if (r[insn->a] >= table->count)
			return ptx_fail_at(thread, lane, insn, "target %llu of %u", (unsigned long long)r[insn->a],
					   table->count);
		lane->pc = table->targets[r[insn->a]];
		return true;
	case PTX_call:
		return enter(thread, lane, insn);
	case PTX_ret:
		if (leave(lane))
			return true;
		/* fall through */
	case PTX_exit:
		*again = false;
		return ptx_lane_exit(thread, lane);
	case PTX_trap:
		return ptx_fail_at(thread, lane, insn, "trap");
	case PTX_special:
		r[insn->d] = special(thread, lane, insn->e);
		break;
	case PTX_address:
		r[insn->d] = address_of(lane, insn);
		break;
	case PTX_to_generic:
		r[insn->d] =
		    r[insn->a] + (insn->space == PTX_GLOBAL ? 0 : ptx_generic_base(thread, lane, insn->space, &size));
		break;
	case PTX_from_generic:
		r[insn->d] =
		    r[insn->a] - (insn->space == PTX_GLOBAL ? 0 : ptx_generic_base(thread, lane, insn->space, &size));
		break;
	case PTX_is_space:
		r[insn->d] = r[insn->a] - ptx_generic_base(thread, lane, insn->space, &size) < size;
		if (insn->space == PTX_GLOBAL)
			for (enum ptx_space s = PTX_SHARED; s <= PTX_PARAM; s++)
				if (r[insn->a] - ptx_generic_base(thread, lane, s, &size) < size)
					r[insn->d] = 0;
		break;
	case PTX_fence:
		if (insn->order != PTX_ACQUIRE)
			ptx_late_all(lane);
		__atomic_thread_fence(insn->order == PTX_SC ? __ATOMIC_SEQ_CST : __ATOMIC_ACQ_REL);
		break;
	case PTX_add_cc:
		add_with_carry(lane, insn, r[insn->a], r[insn->b]);
		break;
	case PTX_mad_cc:
		mad_with_carry(lane, insn);
		break;
	case PTX_sleep:
		*again = false;
		lane->pc++;
		return true;
	case PTX_nothing:
		break;
	case PTX_barrier:
		*again = insn->mode == PTX_BAR_ARRIVE;
		return ptx_arrive_barrier(thread, lane, insn);
	case PTX_warp:
		*again = false;
		return ptx_arrive_warp(thread, lane, insn);
	case PTX_active:
		r[insn->d] = active(thread, lane);
		break;
	default:
		return ptx_fail_at(thread, lane, insn, "operation %u is not executable", insn->op);
	}
	lane->pc++;
	return true;
}

bool ptx_run_lane(struct ptx_thread *thread, struct ptx_lane *lane, uint32_t budget)
{
	const struct ptx_insn *insns = lane->frame->function->insns, *i;
	uint64_t *r = lane->frame->slots;
	uint32_t pc = lane->pc, left = budget;
	const bool careful = lane->frame->defined;
	bool again, ok = true;
	for (; left; left--) {
		i = &insns[pc];
		if (careful && !check_defined(thread, lane, i)) {
			ok = false;
			break;
		}
		switch (i->op) {
#define OP(name, texts, operands, value) \
	case PTX_##name: { \
		uint64_t a = r[i->a], b = r[i->b], c = r[i->c], e = r[i->e]; \
		(void)a, (void)b, (void)c, (void)e; \
		r[i->d] = (value); \
		pc++; \
		continue; \
	}
#include "tests/ptx/ptx_ops.def"
		case PTX_guard:
			pc = (r[i->a] & 1) == i->e ? pc + 1 : (uint32_t)i->offset;
			continue;
		case PTX_bra:
			pc = (uint32_t)i->offset;
			continue;
		case PTX_bra_if:
			pc = (r[i->a] & 1) == i->e ? (uint32_t)i->offset : pc + 1;
			continue;
		case PTX_load:
			ok = ptx_load(thread, lane, i);
			pc++;
			break;
		case PTX_store:
			ok = ptx_store(thread, lane, i);
			pc++;
			break;
		case PTX_atom:
		case PTX_cas:
			ok = ptx_atomic(thread, lane, i);
			pc++;
			break;
		default:
			lane->pc = pc;
			ok = control(thread, lane, i, &again);
			if (!ok || !again) {
				thread->instructions += budget - left + 1;
				return ok;
			}
			pc = lane->pc;
			r = lane->frame->slots;
			insns = lane->frame->function->insns;
			break;
		}
		if (!ok)
			break;
	}
	lane->pc = pc;
	thread->instructions += budget - left;
	return ok;
}
