/* interp_step.c - runs the instructions of one lane.
 *
 * Enters: a lane that is ready. Leaves: the lane after it took its turn, waits, ended, or ended its whole group. With a
 * seed a turn ends after each instruction that touches memory; without one it ends when it must. Invariant: what other
 * lanes can see changes by one instruction at a time.
 */
#include <string.h>

#include "ir/eval.h"
#include "ir/interp_run.h"

/* The value of an operand: a register, or a literal. */
static uint64_t get(const struct interp_lane *lane, uint32_t r)
{
	return r & INTERP_CONST ? lane->group->code->literals[r & ~INTERP_CONST] : lane->registers[r];
}

static uint32_t get32(const struct interp_lane *lane, uint32_t r)
{
	return (uint32_t)get(lane, r);
}

/* ---- parts of instructions -------------------------------------------------------------------------------- */

static uint64_t builtin_value(const struct interp_run *run, const struct interp_lane *lane, vyrec_builtin builtin,
			      unsigned axis)
{
	const struct interp_group *g = lane->group;
	const uint32_t *size = run->module->units[run->unit].workgroup;
	uint32_t subgroup = run->options.subgroup < g->lane_count ? run->options.subgroup : g->lane_count;
	uint32_t local[3] = {lane->index % size[0], lane->index / size[0] % size[1], lane->index / size[0] / size[1]};
	axis %= 3;
	switch (builtin) {
	case VYREC_BUILTIN_SLOT:
		return g->slot;
	case VYREC_BUILTIN_TENANT:
		return g->words[VYRE_SLOT_WORD_TENANT];
	case VYREC_BUILTIN_PRIORITY:
		return g->words[VYRE_SLOT_WORD_PRIORITY];
	case VYREC_BUILTIN_OPCODE:
		return g->words[VYRE_SLOT_WORD_OPCODE];
	case VYREC_BUILTIN_LANE:
		return lane->index;
	case VYREC_BUILTIN_LANES:
		return g->lane_count;
	case VYREC_BUILTIN_SUBGROUP_LANE:
		return lane->index % subgroup;
	case VYREC_BUILTIN_SUBGROUP_SIZE:
		return subgroup;
	case VYREC_BUILTIN_LOCAL_ID:
		return local[axis];
	case VYREC_BUILTIN_WORKGROUP_ID:
		return g->id[axis];
	case VYREC_BUILTIN_WORKGROUPS:
		return run->workgroups[axis];
	case VYREC_BUILTIN_GLOBAL_ID:
		return (uint32_t)(g->id[axis] * size[axis] + local[axis]);
	default:
		return 0;
	}
}

/* How often a for runs: none when from >= to, or when the step is not positive. */
static uint64_t for_trips(vyrec_type type, uint64_t from, uint64_t to, uint64_t step)
{
	bool is_signed = vyrec_type_is_sint(type);
	uint64_t less = vyrec_eval(is_signed ? VYREC_OP_lt_s : VYREC_OP_lt_u, type, from, to, 0);
	uint64_t forward = vyrec_eval(is_signed ? VYREC_OP_lt_s : VYREC_OP_lt_u, type, 0, step, 0);
	if (!less || !forward)
		return 0;
	return (vyrec_eval(VYREC_OP_sub_i, type, to, from, 0) - 1) / step + 1;
}

static uint32_t find_case(const struct interp_code *code, const struct interp_insn *i, uint32_t value)
{
	uint64_t low = 0, high = i->imm;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		const struct interp_case *c = &code->cases[i->sym + middle];
		if (c->value == value)
			return c->target;
		if (c->value < value)
			low = middle + 1;
		else
			high = middle;
	}
	return i->target;
}

/* The value of a parameter from its argument words. */
static uint64_t param_value(const uint32_t *words, const struct interp_insn *i)
{
	uint32_t at = VYRE_SLOT_WORD_ARG0 + (uint32_t)i->imm;
	uint64_t value = words[at];
	if (i->words == 2 && at + 1 < VYRE_SLOT_WORDS)
		value |= (uint64_t)words[at + 1] << 32;
	if (i->type == VYREC_BOOL)
		return value != 0;
	return i->type == VYREC_F16 ? value & 0xffff : value;
}

static void put_words(uint32_t *words, const struct interp_insn *i, uint64_t value)
{
	words[i->imm] = (uint32_t)value;
	if (i->words == 2)
		words[i->imm + 1] = (uint32_t)(value >> 32);
}

/* Element of a local array; a trap or an undefined access is left in lane and run. */
static bool private_access(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i)
{
	uint32_t index = get32(lane, i->a);
	if (i->kind == INTERP_LOAD_PRIVATE)
		return interp_load_at(run, lane, i, index, &lane->registers[i->dst]);
	return interp_store(run, lane, i, index, get(lane, i->b));
}

static void append_log(struct interp_run *run, const struct interp_lane *lane, const struct interp_insn *i)
{
	struct vyrec_interp_result *r = run->result;
	uint32_t record[4] = {(uint32_t)i->imm, get32(lane, i->a), get32(lane, i->b), 16 * lane->group->slot};
	if (r->log_count < sizeof r->logs / sizeof r->logs[0])
		memcpy(r->logs[r->log_count], record, sizeof record);
	r->log_count++;
}

/* Remembers a dispatch; the same statement in another lane or workgroup asks for the same one. */
static bool note_dispatch(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i)
{
	struct interp_dispatch d = {.unit = i->target, .loc = i->loc};
	for (uint32_t axis = 0; axis < 3; axis++) {
		uint64_t count;
		if (!interp_load_at(run, lane, i, get32(lane, i->a) + axis, &count))
			return false;
		d.counts[axis] = (uint32_t)count;
	}
	for (uint32_t k = 0; k < run->dispatch_count; k++)
		if (run->dispatches[k].loc == d.loc && run->dispatches[k].unit == d.unit)
			return true;
	run->dispatches =
	    vyrec_grow(run->dispatches, &run->dispatch_capacity, run->dispatch_count + 1, sizeof *run->dispatches);
	run->dispatches[run->dispatch_count++] = d;
	return true;
}

static bool start_copy(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i)
{
	const struct interp_insn *source = i + 1;
	uint32_t operands[3] = {get32(lane, i->a), get32(lane, source->a), get32(lane, i->b)};
	lane->pc++; /* the source's instruction is data */
	return interp_copy_start(run, lane, i, source, operands);
}

static void raise_trap(struct interp_lane *lane, const struct interp_insn *i)
{
	if (i->words) {
		lane->trap_code = get32(lane, i->a);
		lane->trap_detail = get32(lane, i->b);
	} else {
		lane->trap_code = i->imm ? (uint32_t)i->imm : VYRE_FAULT_TRAP;
		lane->trap_detail = get32(lane, i->a);
	}
}

/* A trap lands in the nearest catch, or ends the program, or the slot. */
static enum lane_stop land(struct interp_run *run, struct interp_lane *lane)
{
	struct interp_group *group = lane->group;
	if (run->stop)
		return STOP_GROUP;
	if (lane->catch_pc) {
		lane->pc = lane->catch_pc;
		return STOP_TURN;
	}
	if (run->slots) {
		group->state = GROUP_FAULTED;
		group->fault_code = lane->trap_code;
		group->fault_detail = lane->trap_detail;
	} else {
		run->result->status = VYRE_FAULT;
		run->result->fault_code = lane->trap_code;
		run->result->fault_detail = lane->trap_detail;
		run->stop = true;
	}
	return STOP_GROUP;
}

/* saved: what CATCH_ENTER kept of the catches outside. */
static void leave_catch(struct interp_lane *lane, uint64_t saved)
{
	lane->catch_pc = (uint32_t)saved;
	lane->catch_depth = (uint32_t)(saved >> 32);
}

static enum lane_stop end_lane(struct interp_run *run, struct interp_lane *lane)
{
	if (lane->copy_count) {
		interp_fail(run, VYRE_INVALID, lane->copies[0].loc,
			    "the copy under tag %llu is never waited for; add async_wait(%llu) before the end",
			    (unsigned long long)lane->copies[0].tag, (unsigned long long)lane->copies[0].tag);
		return STOP_GROUP;
	}
	lane->state = LANE_ENDED;
	lane->group->alive--;
	return STOP_ENDED;
}

/* ---- the turn --------------------------------------------------------------------------------------------- */

/* Instructions that touch memory; false: a trap is to land, or the run is over. */
static bool step_memory(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i)
{
	uint64_t values[3];
	switch (i->kind) {
	case INTERP_LOAD:
		return interp_load_at(run, lane, i, get32(lane, i->a), &lane->registers[i->dst]);
	case INTERP_STORE:
		return interp_store(run, lane, i, get32(lane, i->a), get(lane, i->b));
	case INTERP_ATOMIC:
		values[0] = get(lane, i->a);
		values[1] = get(lane, i->b);
		values[2] = get(lane, i->c);
		return interp_atomic(run, lane, i, values, &lane->registers[i->dst]);
	case INTERP_FENCE:
		if (run->options.detect_races)
			interp_clock_fence(&lane->clock, i->order, &run->races);
		return true;
	case INTERP_ASYNC:
		return start_copy(run, lane, i);
	case INTERP_ASYNC_WAIT:
		interp_copy_wait(run, lane, i->imm);
		return true;
	case INTERP_DISPATCH:
		return note_dispatch(run, lane, i);
	case INTERP_LOG:
		append_log(run, lane, i);
		return true;
	case INTERP_SPAWN:
		if (interp_spawn(run, lane, i->sym))
			return true;
		lane->pc = i->target ? i->target : lane->pc;
		lane->trap_code = VYRE_FAULT_NO_SPACE;
		lane->trap_detail = i->sym;
		return i->target != 0;
	case INTERP_TRAP:
		raise_trap(lane, i);
		return false;
	case INTERP_OPAQUE:
		interp_fail(run, VYRE_UNSUPPORTED, i->loc,
			    "the interpreter does not know the extension '%s'; remove the opaque statement",
			    vyrec_name_text(run->module, i->sym));
		return false;
	default:
		return true;
	}
}

enum lane_stop interp_step_lane(struct interp_run *run, struct interp_lane *lane, uint64_t turn)
{
	struct interp_group *group = lane->group;
	const struct interp_code *code = group->code;
	uint64_t *regs = lane->registers, steps = 0;
	enum lane_stop stop = STOP_TURN;
	if (lane->copy_count && run->options.seed)
		interp_copy_drift(run, lane);
	for (; steps < turn; steps++) {
		const struct interp_insn *i = &code->insns[lane->pc++];
		switch (i->kind) {
		case INTERP_MOVE:
			regs[i->dst] = get(lane, i->a);
			continue;
		case INTERP_EVAL:
			regs[i->dst] = vyrec_eval(i->op, i->type, get(lane, i->a), get(lane, i->b), get(lane, i->c));
			continue;
		case INTERP_JUMP:
			lane->pc = i->target;
			continue;
		case INTERP_JUMP_IF:
			lane->pc = get(lane, i->a) ? i->target : lane->pc;
			continue;
		case INTERP_JUMP_UNLESS:
			lane->pc = get(lane, i->a) ? lane->pc : i->target;
			continue;
		case INTERP_SWITCH:
			lane->pc = find_case(code, i, get32(lane, i->a));
			continue;
		case INTERP_FOR_TRIPS:
			regs[i->dst] = for_trips(i->type, get(lane, i->a), get(lane, i->b), get(lane, i->c));
			continue;
		case INTERP_FOR_NEXT:
			regs[i->dst] = vyrec_eval(VYREC_OP_add_i, i->type, regs[i->dst], get(lane, i->a), 0);
			regs[i->b]--;
			lane->pc = i->target;
			continue;
		case INTERP_CALL:
			regs[i->dst] = lane->pc;
			lane->pc = i->target;
			continue;
		case INTERP_RETURN:
			lane->pc = (uint32_t)regs[i->a];
			continue;
		case INTERP_CATCH_ENTER:
			regs[i->dst] = (uint64_t)lane->catch_depth++ << 32 | lane->catch_pc;
			lane->catch_pc = i->target;
			continue;
		case INTERP_CATCH_LEAVE:
			leave_catch(lane, regs[i->a]);
			continue;
		case INTERP_CATCH_LAND:
			leave_catch(lane, regs[i->a]);
			lane->fallen = i->words;
			regs[i->b] = lane->trap_code;
			regs[i->c] = lane->trap_detail;
			continue;
		case INTERP_LENGTH: {
			uint64_t count = interp_memory_at(run, lane, i->sym)->count;
			regs[i->dst] = count < UINT32_MAX ? count : UINT32_MAX;
			continue;
		}
		case INTERP_ARG: {
			uint32_t k = get32(lane, i->a);
			regs[i->dst] = k < VYRE_SLOT_ARGS ? group->words[VYRE_SLOT_WORD_ARG0 + k] : 0;
			continue;
		}
		case INTERP_PARAM:
			regs[i->dst] = param_value(group->words, i);
			continue;
		case INTERP_BUILTIN:
			regs[i->dst] = builtin_value(run, lane, i->op, (unsigned)i->imm);
			continue;
		case INTERP_ZERO_LOCAL: {
			struct interp_memory *memory = &lane->locals[i->sym & ~INTERP_PRIVATE];
			memset(memory->data, 0, memory->count * memory->bytes);
			continue;
		}
		case INTERP_RESULT:
			put_words(group->results, i, get(lane, i->a));
			group->result_mask |= (i->words == 2 ? 3u : 1u) << i->imm;
			continue;
		case INTERP_SPAWN_ARG:
			put_words(lane->spawn_args, i, get(lane, i->a));
			continue;
		case INTERP_LOAD_PRIVATE:
		case INTERP_STORE_PRIVATE:
			if (private_access(run, lane, i))
				continue;
			stop = land(run, lane);
			break;
		case INTERP_END:
			stop = end_lane(run, lane);
			break;
		case INTERP_BARRIER:
		case INTERP_CATCH_END:
		case INTERP_COLLECTIVE:
		case INTERP_SUSPEND:
			lane->pc--; /* the meeting is there */
			lane->state = LANE_WAITS;
			group->waiting++;
			stop = STOP_WAITS;
			break;
		case INTERP_RELAX:
			break;
		default:
			if (!step_memory(run, lane, i))
				stop = land(run, lane);
			else if (!run->options.seed)
				continue;
		}
		steps++;
		break;
	}
	run->result->steps += steps;
	return stop;
}
