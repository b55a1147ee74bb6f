/* ptx_memory.c - addresses of every space, checked; loads, stores, atomics.
 *
 * Enters: an instruction and a lane. Leaves: the bytes moved, or an error that says where. Every access is one of the
 * compiler's atomics, so that host threads and other workgroups may be at the same words: orders are the host's own, and
 * at least those that the text asks for.
 */
#include <string.h>

#include "tests/ptx/ptx_internal.h"

static const char *const space_names[] = {"generic", "global", "shared", "local", "const", "param", "param"};

uint64_t ptx_generic_base(struct ptx_thread *thread, struct ptx_lane *lane, enum ptx_space space, uint64_t *bytes)
{
	const void *base = NULL;
	*bytes = UINT64_MAX;
	switch (space) {
	case PTX_SHARED:
		base = thread->group->shared;
		*bytes = thread->shared_bytes;
		break;
	case PTX_LOCAL:
		base = lane->local;
		*bytes = thread->local_bytes;
		break;
	case PTX_CONST:
		base = thread->module->constants;
		*bytes = thread->module->constant_bytes;
		break;
	case PTX_PARAM:
		base = thread->launch->params;
		*bytes = thread->launch->param_bytes;
		break;
	default:
		break;
	}
	return (uint64_t)(uintptr_t)base;
}

static const struct ptx_range *find_range(struct ptx_thread *thread, uint64_t address, uint64_t bytes)
{
	const struct ptx_launch *launch = thread->launch;
	const struct ptx_range *r = thread->range;
	if (r && address - (uintptr_t)r->start < r->bytes && address - (uintptr_t)r->start + bytes <= r->bytes)
		return r;
	for (unsigned i = 0; i < launch->range_count; i++) {
		r = &launch->ranges[i];
		if (address - (uintptr_t)r->start < r->bytes && address - (uintptr_t)r->start + bytes <= r->bytes)
			return thread->range = r;
	}
	return NULL;
}

static bool in_module(const struct ptx_module *m, uint64_t address, uint64_t bytes)
{
	for (uint32_t i = 0; i < m->variable_count; i++) {
		const struct ptx_variable *v = &m->variables[i];
		if (v->space == PTX_GLOBAL && address - v->offset < v->bytes && address - v->offset + bytes <= v->bytes)
			return true;
	}
	return false;
}

/* What a range allows. NULL = all of it. */
static const char *forbids(const struct ptx_range *r, const struct ptx_insn *insn, bool writes)
{
	bool is_atomic = insn->op == PTX_atom || insn->op == PTX_cas;
	if (!(r->flags & (writes ? PTX_WRITE : PTX_READ)))
		return writes ? "writes to memory that is constant" : "reads memory that is not to be read";
	if (insn->flags & PTX_CONSTANT && (r->flags & (PTX_WRITE | PTX_UNSTATED)) == PTX_WRITE)
		return "takes memory that may change for constant (.nc)";
	if (r->flags & PTX_SYSTEM && is_atomic)
		return "is a read-modify-write of host memory";
	if (r->flags & PTX_SYSTEM && insn->order >= PTX_RELAXED && insn->scope != PTX_SYS)
		return "reaches host memory with less than .sys scope";
	return NULL;
}

static bool check_global(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn,
			 uint64_t address, bool writes)
{
	uint64_t bytes = (uint64_t)insn->width * insn->count;
	if (address < 4096)
		return ptx_fail_at(thread, lane, insn, "address %#llx, near 0", (unsigned long long)address);
	if (!thread->launch->ranges)
		return true;
	const struct ptx_range *r = find_range(thread, address, bytes);
	const char *reason = r ? forbids(r, insn, writes) : NULL;
	if (reason)
		return ptx_fail_at(thread, lane, insn, "%s", reason);
	if (!r && !in_module(thread->module, address, bytes))
		return ptx_fail_at(thread, lane, insn, "%llu bytes at address %#llx are in no memory of this launch",
				   (unsigned long long)bytes, (unsigned long long)address);
	return true;
}

/* The window of a space that is no more than its own bytes; NULL: out of bounds. */
static void *in_window(void *base, uint64_t window, uint64_t address, uint64_t bytes)
{
	return address < window && bytes <= window - address ? (uint8_t *)base + address : NULL;
}

static void *generic(struct ptx_thread *thread, struct ptx_lane *lane, uint64_t address, uint64_t bytes)
{
	static const enum ptx_space windows[] = {PTX_SHARED, PTX_LOCAL, PTX_CONST, PTX_PARAM};
	for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
		uint64_t window, base = ptx_generic_base(thread, lane, windows[i], &window);
		void *found = base ? in_window((void *)(uintptr_t)base, window, address - base, bytes) : NULL;
		if (found)
			return found;
	}
	return NULL;
}

void *ptx_translate(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn, uint64_t address,
		    bool writes)
{
	uint64_t bytes = (uint64_t)insn->width * insn->count, window = 0;
	void *found = NULL;
	if (address & (bytes - 1)) {
		ptx_fail_at(thread, lane, insn, "misaligned: %llu bytes at %s address %#llx", (unsigned long long)bytes,
			    space_names[insn->space], (unsigned long long)address);
		return NULL;
	}
	switch (insn->space) {
	case PTX_GENERIC:
		found = generic(thread, lane, address, bytes);
		if (found)
			return found;
		/* fall through */
	case PTX_GLOBAL:
		return check_global(thread, lane, insn, address, writes) ? (void *)(uintptr_t)address : NULL;
	case PTX_CALL_PARAM:
		window = lane->frame->function->call_bytes;
		found = in_window(lane->frame->call_params, window, address, bytes);
		break;
	default: {
		uint64_t base = ptx_generic_base(thread, lane, insn->space, &window);
		if (insn->space == PTX_LOCAL && lane->frame->local_base + lane->frame->function->local_bytes < window)
			window = lane->frame->local_base + lane->frame->function->local_bytes;
		found = in_window((void *)(uintptr_t)base, window, address, bytes);
		if (writes && (insn->space == PTX_CONST || insn->space == PTX_PARAM))
			found = NULL;
	}
	}
	if (!found)
		ptx_fail_at(thread, lane, insn, "%llu bytes at %s address %#llx, which has %llu bytes",
			    (unsigned long long)bytes, space_names[insn->space], (unsigned long long)address,
			    (unsigned long long)window);
	return found;
}

static uint64_t load_one(const void *at, unsigned width, bool acquire)
{
	switch (width) {
	case 1:
		return acquire ? __atomic_load_n((const uint8_t *)at, __ATOMIC_ACQUIRE)
			       : __atomic_load_n((const uint8_t *)at, __ATOMIC_RELAXED);
	case 2:
		return acquire ? __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE)
			       : __atomic_load_n((const uint16_t *)at, __ATOMIC_RELAXED);
	case 4:
		return acquire ? __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE)
			       : __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
	default:
		return acquire ? __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE)
			       : __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
	}
}

void ptx_store_now(void *at, unsigned width, uint64_t value)
{
	switch (width) {
	case 1:
		__atomic_store_n((uint8_t *)at, (uint8_t)value, __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n((uint16_t *)at, (uint16_t)value, __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((uint32_t *)at, (uint32_t)value, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)at, value, __ATOMIC_RELAXED);
		break;
	}
}

static void store_one(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn, uint8_t *at,
		      uint64_t value)
{
	if (insn->order == PTX_RELEASE) {
		ptx_late_all(lane);
		__atomic_thread_fence(__ATOMIC_RELEASE);
	} else if (thread->launch->late) {
		ptx_late_store(thread, lane, at, insn->width, value);
		return;
	}
	ptx_store_now(at, insn->width, value);
}

/* LLVM reads three elements of an aligned array as four: what lies behind the end, in the vector's own 16 bytes, is read and
 * not used. Such elements are bits that nobody may use. */
static bool load_past_end(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn,
			  uint64_t address)
{
	struct ptx_frame *frame = lane->frame;
	const uint32_t *slots = frame->function->vectors + insn->e;
	struct ptx_insn one = *insn;
	char message[PTX_MESSAGE];
	one.count = 1;
	ptx_late_all(lane);
	if (address & ((uint64_t)insn->width * insn->count - 1))
		return false;
	memcpy(message, thread->message, sizeof message);
	for (unsigned i = 0; i < insn->count; i++) {
		thread->failed = false;
		const uint8_t *at = ptx_translate(thread, lane, &one, address + i * insn->width, false);
		if (!at && i == 0)
			break;
		frame->slots[slots[i]] = at ? load_one(at, insn->width, false) : 0xa5 * (uint64_t)i;
		if (frame->defined)
			frame->defined[slots[i]] = at != NULL;
		if (i + 1 == insn->count)
			thread->failed = false;
	}
	memcpy(thread->message, message, sizeof message);
	return !thread->failed;
}

bool ptx_load(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	struct ptx_frame *frame = lane->frame;
	uint64_t address = frame->slots[insn->a] + (uint64_t)insn->offset;
	const uint8_t *at = ptx_translate(thread, lane, insn, address, false);
	if (!at)
		return insn->flags & PTX_VECTOR && load_past_end(thread, lane, insn, address);
	if (lane->late_count)
		ptx_late_at(lane, at, insn->width * insn->count);
	if (!(insn->flags & PTX_VECTOR)) {
		frame->slots[insn->d] = load_one(at, insn->width, insn->order == PTX_ACQUIRE);
		return true;
	}
	const uint32_t *slots = frame->function->vectors + insn->e;
	for (unsigned i = 0; i < insn->count; i++)
		frame->slots[slots[i]] = load_one(at + i * insn->width, insn->width, false);
	return true;
}

bool ptx_store(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	struct ptx_frame *frame = lane->frame;
	uint8_t *at = ptx_translate(thread, lane, insn, frame->slots[insn->a] + (uint64_t)insn->offset, true);
	if (!at)
		return false;
	if (!(insn->flags & PTX_VECTOR)) {
		store_one(thread, lane, insn, at, frame->slots[insn->b]);
		return true;
	}
	const uint32_t *slots = frame->function->vectors + insn->e;
	for (unsigned i = 0; i < insn->count; i++)
		store_one(thread, lane, insn, at + i * insn->width, frame->slots[slots[i]]);
	return true;
}

/* ---- atomics ------------------------------------------------------------------------------------------------ */

/* f32 sums in global memory take subnormals for zeros, going in and coming out. */
static uint64_t flushed(uint64_t bits, bool flush)
{
	return flush && !(bits & 0x7f800000) ? bits & 0x80000000 : bits;
}

static uint64_t add_floats(const struct ptx_insn *insn, uint64_t a, uint64_t b)
{
	bool flush = insn->space != PTX_SHARED;
	if (insn->width == 8)
		return F64(X64(a) + X64(b));
	return flushed(F32(X32(flushed(a, flush)) + X32(flushed(b, flush))), flush);
}

static uint64_t combine(const struct ptx_insn *insn, uint64_t old, uint64_t b)
{
	enum ptx_kind kind = insn->flags >> 4;
	int64_t s_old = insn->width == 4 ? S32(old) : S64(old), s_b = insn->width == 4 ? S32(b) : S64(b);
	switch ((enum ptx_atom_mode)insn->mode) {
	case PTX_ATOM_ADD:
		return kind == PTX_FLOAT ? add_floats(insn, old, b) : old + b;
	case PTX_ATOM_AND:
		return old & b;
	case PTX_ATOM_OR:
		return old | b;
	case PTX_ATOM_XOR:
		return old ^ b;
	case PTX_ATOM_EXCH:
		return b;
	case PTX_ATOM_MIN:
		return (kind == PTX_SINT ? s_old < s_b : old < b) ? old : b;
	case PTX_ATOM_MAX:
		return (kind == PTX_SINT ? s_old > s_b : old > b) ? old : b;
	case PTX_ATOM_INC:
		return old >= b ? 0 : old + 1;
	case PTX_ATOM_DEC:
		return old == 0 || old > b ? b : old - 1;
	default:
		return old;
	}
}

/* The value before. For cas, `b` is what must be there and `c` what comes. */
#define EXCHANGE(bits) \
	static uint64_t exchange##bits(uint##bits##_t *at, const struct ptx_insn *insn, uint64_t b, uint64_t c) \
	{ \
		uint##bits##_t old = __atomic_load_n(at, __ATOMIC_RELAXED), next; \
		do { \
			next = (uint##bits##_t)(insn->op == PTX_cas ? (old == b ? c : old) : combine(insn, old, b)); \
		} while (!__atomic_compare_exchange_n(at, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)); \
		return old; \
	}
EXCHANGE(16)
EXCHANGE(32)
EXCHANGE(64)
#undef EXCHANGE

bool ptx_atomic(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn)
{
	uint64_t *slots = lane->frame->slots, b = slots[insn->b], c = slots[insn->c];
	void *at = ptx_translate(thread, lane, insn, slots[insn->a] + (uint64_t)insn->offset, true);
	if (!at)
		return false;
	if (insn->order >= PTX_RELEASE)
		ptx_late_all(lane);
	else
		ptx_late_at(lane, at, insn->width);
	slots[insn->d] = insn->width == 2   ? exchange16(at, insn, b, c)
			 : insn->width == 4 ? exchange32(at, insn, b, c)
					    : exchange64(at, insn, b, c);
	return true;
}
