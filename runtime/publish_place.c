/* publish_place.c - which places of a ring are free, and slots written into them.
 *
 * In: a batch, publish_lock held. Out: its slots in their places, each with its owner, STATUS last; on mailbox rings a
 * stamp each, and CHECK of the last one (abi/mailbox.h). Nothing of it is published before publish.c moves TAIL.
 *
 * A ring that is read as fast as it is written has the batch on consecutive free places, where nothing is left of an earlier
 * lap that somebody must be told of. That is found out in the one look at the places that there must be, and then the
 * slots go there with nothing asked a second time: `is_clean`. Everything else takes the way place by place.
 *
 * Who may look meanwhile, and what he finds: a stale ticket's poll reads words of a place that is being written, then its
 * owner; so the owner is stored first, and words with release, or in program order on x86, where stores become visible in
 * it. A worker on the cpu may claim the slot at HEAD by its STATUS before TAIL covers it; so the store that makes STATUS
 * PUBLISHED is the last one, and STATUS is EMPTY before the owner changes, that take_back can tell a slot that was never
 * published from one that has run already. A mailbox kernel claims nothing before TAIL, and goes by the stamps.
 *
 * A place that is passed over, because its slot of an earlier lap is in flight or a ticket holds it, must not bear the
 * stamp of the position that passes: it would when 2^32 positions ago, some 15 seconds, a slot was published there
 * (mailbox.h has what that slot loses by it: nothing).
 */
#include <stddef.h>

#include "publish.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#if !defined(__has_feature)
#define WIDE_STORES 1
#elif !__has_feature(thread_sanitizer)
#define WIDE_STORES 1
#endif
#endif
#ifdef WIDE_STORES
#include <emmintrin.h>
#endif

/* Lines that a device behind PCIe has written come from memory, those of a worker on the cpu from its cache, and fetching
 * them too early takes them away from it. */
enum { PREFETCH_PLACES = 16, MAILBOX_PREFETCH_PLACES = 128 };
#define INLINE static inline __attribute__((always_inline))

/* ---- places -------------------------------------------------------------------------------------------------------- */

/* What a loop over slots needs of a ring, in registers: after each store that others may see a compiler looks again. */
struct places {
	uint32_t *words, *stamps;
	uint64_t *owner;
	uint32_t last;	/* place */
	uint32_t ahead; /* how far to fetch */
};

INLINE struct places places_of(const struct vyre_ring *ring)
{
	return (struct places){ring->words, ring->stamps, ring->owner, ring->slots - 1,
			       ring->is_mailbox ? MAILBOX_PREFETCH_PLACES : PREFETCH_PLACES};
}

INLINE int place_is_free(const struct vyre_ring *ring, uint64_t position)
{
	uint64_t owner = __atomic_load_n(&ring->owner[position & (ring->slots - 1)], __ATOMIC_ACQUIRE);

	if (owner == 0)
		return 1;
	return (owner & VYRE_OWNER_MASK) == VYRE_OWNER_DETACHED &&
	       vyre_slot_has_ended(vyre_slot_status(ring, position));
}

/* Free, and no fault to record. */
INLINE int place_is_clean(const struct places *places, uint64_t place)
{
	uint64_t owner = __atomic_load_n(&places->owner[place], __ATOMIC_ACQUIRE);
	uint32_t status = __atomic_load_n(&places->words[place * VYRE_SLOT_WORDS], __ATOMIC_ACQUIRE);

	return owner == 0 || ((owner & VYRE_OWNER_MASK) == VYRE_OWNER_DETACHED &&
			      (status == VYRE_SLOT_DONE || status == VYRE_SLOT_EMPTY));
}

/* Fetches the slots' lines for writing on the way. */
static int are_clean(const struct vyre_ring *ring, uint64_t cursor, uint64_t end, uint32_t count)
{
	struct places places = places_of(ring);
	uint64_t position;

	if (end < cursor || end - cursor < count)
		return 0;
	for (position = cursor; position < cursor + count; position++) {
		uint64_t ahead = (position + places.ahead) & places.last;

		__builtin_prefetch(&places.words[ahead * VYRE_SLOT_WORDS], 1);
		if (!place_is_clean(&places, position & places.last))
			return 0;
	}
	return 1;
}

int vyre_places_find(struct vyre_batch *batch, uint64_t cursor, uint64_t *first)
{
	const struct vyre_ring *ring = batch->publisher->ring;
	uint64_t end = ring->limit < ring->lap_limit ? ring->limit : ring->lap_limit, position;
	uint32_t free = 0;

	*first = cursor;
	batch->is_clean = !batch->get && are_clean(ring, cursor, end, batch->count);
	if (batch->is_clean)
		return 1;
	for (position = cursor; position < end; position++) {
		__builtin_prefetch(vyre_slot_words(ring, position + PREFETCH_PLACES), 1);
		if (!place_is_free(ring, position)) {
			if (batch->is_run) {
				free = 0;
				*first = position + 1;
			}
		} else if (++free == batch->count) {
			return 1;
		}
	}
	return 0;
}

/* ---- faults that nobody waits for ---------------------------------------------------------------------------------- */

static void record_fault(struct vyre_ring *ring, uint64_t position)
{
	const uint32_t *words = vyre_slot_words(ring, position);

	ring->detached_faults++;
	if (ring->detached_faults > 1 && position < ring->last_fault_position)
		return;
	ring->last_fault_position = position;
	ring->last_fault[0] = (uint32_t)position & (ring->slots - 1);
	ring->last_fault[1] = __atomic_load_n(&words[VYRE_SLOT_WORD_ARG0], __ATOMIC_RELAXED);
	ring->last_fault[2] = __atomic_load_n(&words[VYRE_SLOT_WORD_ARG0 + 1], __ATOMIC_RELAXED);
}

/* FAULT_COUNT of a mailbox ring is in the device's memory: looking at the places is cheaper. */
void vyre_ring_reap_faults(struct vyre_ring *ring)
{
	uint32_t i;

	if (!ring->is_mailbox && __atomic_load_n(&ring->control[VYRE_CONTROL_FAULT_COUNT], __ATOMIC_RELAXED) == 0)
		return;
	for (i = 0; i < ring->slots; i++) {
		uint64_t owner = __atomic_load_n(&ring->owner[i], __ATOMIC_ACQUIRE);

		if ((owner & VYRE_OWNER_MASK) == VYRE_OWNER_DETACHED && vyre_slot_status(ring, i) == VYRE_SLOT_FAULT) {
			record_fault(ring, owner >> VYRE_OWNER_SHIFT);
			__atomic_store_n(&ring->owner[i], 0, __ATOMIC_RELEASE);
		}
	}
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

#ifdef WIDE_STORES
/* 12 words of ones, then 12 of zeroes: 12 from 12 - n on are n arguments' worth of ones. */
static const uint32_t keep[2 * VYRE_SLOT_ARGS] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

/* The arguments, then the four words before them. Nobody looks at a place of a mailbox ring before TAIL covers it, so these go in
 * one store; a processor without AVX may let others see it as two of 8 bytes, in any order. On the cpu a worker may be waiting
 * for just this STATUS, so it goes last, with OPCODE. */
INLINE void write_words(uint32_t *words, const struct vyre_slot *slot, uint32_t tenant, int is_mailbox)
{
	size_t count = slot->arg_count < VYRE_SLOT_ARGS ? slot->arg_count : VYRE_SLOT_ARGS, i;
	const uint32_t *mask = keep + VYRE_SLOT_ARGS - count;

	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* the owner is stored */
#pragma GCC unroll 3
	for (i = 0; i < VYRE_SLOT_ARGS; i += 4)
		_mm_store_si128((__m128i *)(words + VYRE_SLOT_WORD_ARG0 + i),
				_mm_and_si128(_mm_loadu_si128((const __m128i *)(slot->args + i)),
					      _mm_loadu_si128((const __m128i *)(mask + i))));
	if (is_mailbox) {
		_mm_store_si128((__m128i *)words,
				_mm_unpacklo_epi32(_mm_set_epi32(0, 0, (int)tenant, VYRE_SLOT_PUBLISHED),
						   _mm_loadl_epi64((const __m128i *)&slot->opcode)));
		return;
	}
	__atomic_store_n((uint64_t *)(words + VYRE_SLOT_WORD_TENANT), tenant | (uint64_t)slot->priority << 32,
			 __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)(words + VYRE_SLOT_WORD_STATUS),
			 VYRE_SLOT_PUBLISHED | (uint64_t)slot->opcode << 32, __ATOMIC_RELEASE);
}
_Static_assert(VYRE_SLOT_WORD_STATUS == 0 && VYRE_SLOT_WORD_OPCODE == 1 && VYRE_SLOT_WORD_TENANT == 2 &&
		   VYRE_SLOT_WORD_PRIORITY == 3 && offsetof(struct vyre_slot, priority) == 4,
	       "opcode and priority of a slot go between STATUS and TENANT by one unpack");
#else
static void write_words(uint32_t *words, const struct vyre_slot *slot, uint32_t tenant, int is_mailbox)
{
	uint32_t count = slot->arg_count < VYRE_SLOT_ARGS ? slot->arg_count : VYRE_SLOT_ARGS, i;

	(void)is_mailbox;
	__atomic_store_n(&words[VYRE_SLOT_WORD_OPCODE], slot->opcode, __ATOMIC_RELEASE);
	__atomic_store_n(&words[VYRE_SLOT_WORD_TENANT], tenant, __ATOMIC_RELEASE);
	__atomic_store_n(&words[VYRE_SLOT_WORD_PRIORITY], slot->priority, __ATOMIC_RELEASE);
	for (i = 0; i < VYRE_SLOT_ARGS; i++)
		__atomic_store_n(&words[VYRE_SLOT_WORD_ARG0 + i], i < count ? slot->args[i] : 0, __ATOMIC_RELEASE);
	__atomic_store_n(&words[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_PUBLISHED, __ATOMIC_RELEASE);
}
#endif

INLINE void write_slot(const struct places *places, uint64_t position, const struct vyre_slot *slot, uint32_t tenant,
		       uint64_t kind, int is_mailbox)
{
	uint64_t place = position & places->last;
	uint32_t *words = places->words + place * VYRE_SLOT_WORDS;

	if (!is_mailbox)
		__atomic_store_n(&words[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_EMPTY, __ATOMIC_RELEASE);
	__atomic_store_n(&places->owner[place], position << VYRE_OWNER_SHIFT | kind, __ATOMIC_RELEASE);
	write_words(words, slot, tenant, is_mailbox);
	if (is_mailbox)
		__atomic_store_n(&places->stamps[place], (uint32_t)position, __ATOMIC_RELAXED);
}

/* The whole batch from `position` on. `is_mailbox` is a constant: a loop each, with no condition in it. */
INLINE void write_run(const struct vyre_batch *batch, uint64_t position, int is_mailbox)
{
	const struct vyre_slot *slot = batch->slots, *end = slot + batch->count;
	struct places places = places_of(batch->publisher->ring);
	uint64_t kind = batch->tickets ? VYRE_OWNER_TICKETED : VYRE_OWNER_DETACHED;
	uint32_t tenant = batch->publisher->tenant;
	vyre_ticket *ticket = batch->tickets;

	for (; slot < end; slot++, position++) {
		write_slot(&places, position, slot, tenant, kind, is_mailbox);
		if (ticket)
			*ticket++ = position << VYRE_OWNER_SHIFT | kind;
	}
}

static void pass_over(struct vyre_ring *ring, uint64_t position)
{
	uint32_t *stamp = ring->is_mailbox ? &ring->stamps[position & (ring->slots - 1)] : NULL;

	if (stamp && __atomic_load_n(stamp, __ATOMIC_RELAXED) == (uint32_t)position)
		__atomic_store_n(stamp, vyre_no_stamp(position), __ATOMIC_RELAXED);
}

/* Place by place; returns the position behind. */
static uint64_t write_around(const struct vyre_batch *batch, uint64_t position)
{
	struct vyre_ring *ring = batch->publisher->ring;
	struct places places = places_of(ring);
	uint64_t kind = batch->tickets ? VYRE_OWNER_TICKETED : VYRE_OWNER_DETACHED;
	struct vyre_slot scratch;
	uint32_t i;

	for (i = 0; i < batch->count; position++) {
		uint64_t *owner = &ring->owner[position & (ring->slots - 1)];

		if (!place_is_free(ring, position)) {
			pass_over(ring, position);
			continue;
		}
		if (*owner != 0 && vyre_slot_status(ring, position) == VYRE_SLOT_FAULT)
			record_fault(ring, *owner >> VYRE_OWNER_SHIFT);
		write_slot(&places, position, vyre_batch_slot(batch, i, &scratch), batch->publisher->tenant, kind,
			   ring->is_mailbox);
		if (batch->tickets)
			batch->tickets[i] = position << VYRE_OWNER_SHIFT | kind;
		i++;
	}
	return position;
}

/* Before the slots are written: see hold.c. */
static void hold_places(const struct vyre_batch *batch, uint64_t first)
{
	struct vyre_ring *ring = batch->publisher->ring;
	struct vyre_slot scratch;
	uint32_t i;

	for (i = 0; i < batch->count; i++) {
		uint32_t covers = vyre_slot_fences(ring, vyre_batch_slot(batch, i, &scratch));

		if (covers)
			vyre_ring_add_hold(ring, first + i, covers);
	}
}

/* For the device's way with a lone slot. */
static void store_check(struct vyre_ring *ring, uint64_t position)
{
	uint32_t epoch = __atomic_load_n(&ring->live[VYRE_LIVE_CONFIG_EPOCH], __ATOMIC_RELAXED);

	__atomic_store_n(&ring->live[VYRE_LIVE_CHECK],
			 vyre_mailbox_check((uint32_t)position, epoch, vyre_slot_words(ring, position)),
			 __ATOMIC_RELAXED);
}

uint64_t vyre_places_write(const struct vyre_batch *batch, uint64_t position)
{
	struct vyre_ring *ring = batch->publisher->ring;

	if (batch->fences)
		hold_places(batch, position);
	if (!batch->is_clean) {
		position = write_around(batch, position);
	} else {
		if (ring->is_mailbox)
			write_run(batch, position, 1);
		else
			write_run(batch, position, 0);
		position += batch->count;
	}
	if (ring->is_mailbox)
		store_check(ring, position - 1);
	return position;
}

/* ---- a publisher that died ----------------------------------------------------------------------------------------- */

/* Of what was never covered by TAIL a worker on the cpu can have taken at most the slot at HEAD by its STATUS, and that one
 * counts as published, detached. A mailbox kernel has taken nothing. */
uint32_t vyre_places_take_back(struct vyre_ring *ring, uint64_t cursor)
{
	uint32_t claimed = 0;
	uint64_t position;

	for (position = cursor; position < cursor + ring->slots; position++) {
		uint64_t *owner = &ring->owner[position & (ring->slots - 1)];
		uint64_t held = __atomic_load_n(owner, __ATOMIC_ACQUIRE);
		uint32_t *status = vyre_slot_words(ring, position), seen = VYRE_SLOT_PUBLISHED;

		if (held >> VYRE_OWNER_SHIFT != position || held == 0)
			continue;
		if (ring->is_mailbox) {
			__atomic_store_n(&ring->stamps[position & (ring->slots - 1)], vyre_no_stamp(position),
					 __ATOMIC_RELAXED);
			__atomic_store_n(status, VYRE_SLOT_EMPTY, __ATOMIC_RELEASE);
			__atomic_store_n(owner, 0, __ATOMIC_RELEASE);
		} else if (__atomic_compare_exchange_n(status, &seen, VYRE_SLOT_EMPTY, 0, __ATOMIC_SEQ_CST,
						       __ATOMIC_SEQ_CST) ||
			   seen == VYRE_SLOT_EMPTY) {
			__atomic_store_n(owner, 0, __ATOMIC_RELEASE);
		} else {
			__atomic_store_n(owner, position << VYRE_OWNER_SHIFT | VYRE_OWNER_DETACHED, __ATOMIC_RELEASE);
			claimed++;
		}
	}
	return claimed;
}
