/* interp_race.c - the race detector.
 *
 * Enters: accesses, barriers, fences and atomics in the order in which the scheduler ran them. Leaves: pairs of
 * accesses to one element, one of them a write and one of them not atomic, that nothing ordered. Invariant: an element
 * keeps its last plain write and, of the other accesses, those that no later one of the same set comes after; an access
 * that is ordered after the kept ones is ordered after the dropped ones too.
 *
 * Clock vectors and not lock sets: barriers, acquire / release and fences are what the language has.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/interp_race.h"

/* ---- clock vectors ---------------------------------------------------------------------------------------- */

struct interp_vector {
	uint32_t references, count; /* count: groups */
	uint32_t *groups;	    /* sorted; then count runs of 1 << shift clocks */
	uint32_t *clocks;
};

static struct interp_vector *vector_new(uint32_t count, unsigned shift)
{
	struct interp_vector *v = vyrec_alloc(sizeof *v + (((size_t)count << shift) + count) * sizeof(uint32_t));
	v->references = 1;
	v->count = count;
	v->groups = (uint32_t *)(v + 1);
	v->clocks = v->groups + count;
	return v;
}

static struct interp_vector *vector_share(struct interp_vector *v)
{
	if (v)
		v->references++;
	return v;
}

void interp_vector_drop(struct interp_vector *v)
{
	if (v && --v->references == 0)
		free(v);
}

static void vector_set(struct interp_vector **place, struct interp_vector *v)
{
	interp_vector_drop(*place);
	*place = v;
}

/* The run of a group, or NULL. */
static uint32_t *vector_run(const struct interp_vector *v, uint32_t group, unsigned shift)
{
	uint32_t low = 0, high = v ? v->count : 0;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (v->groups[middle] == group)
			return v->clocks + ((size_t)middle << shift);
		if (v->groups[middle] < group)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static uint32_t vector_get(const struct interp_vector *v, uint32_t thread, unsigned shift)
{
	const uint32_t *run = vector_run(v, thread >> shift, shift);
	return run ? run[thread & ((1u << shift) - 1)] : 0;
}

/* Is everything in a also in b? */
static bool vector_within(const struct interp_vector *a, const struct interp_vector *b, unsigned shift)
{
	if (!a || a == b)
		return true;
	for (uint32_t g = 0; g < a->count; g++) {
		const uint32_t *mine = a->clocks + ((size_t)g << shift), *theirs = vector_run(b, a->groups[g], shift);
		for (uint32_t k = 0; k < 1u << shift; k++)
			if (mine[k] > (theirs ? theirs[k] : 0))
				return false;
	}
	return true;
}

/* A new vector with all that a and b hold; either may be NULL. */
static struct interp_vector *vector_merge(const struct interp_vector *a, const struct interp_vector *b, unsigned shift)
{
	uint32_t i = 0, k = 0, n = 0, a_count = a ? a->count : 0, b_count = b ? b->count : 0, both = 0;
	for (uint32_t g = 0; g < a_count; g++)
		both += vector_run(b, a->groups[g], shift) != NULL;
	struct interp_vector *out = vector_new(a_count + b_count - both, shift);
	for (; n < out->count; n++) {
		bool from_a = i < a_count && (k >= b_count || a->groups[i] <= b->groups[k]);
		bool from_b = k < b_count && (i >= a_count || b->groups[k] <= a->groups[i]);
		uint32_t *run = out->clocks + ((size_t)n << shift);
		out->groups[n] = from_a ? a->groups[i] : b->groups[k];
		if (from_a)
			memcpy(run, a->clocks + ((size_t)i++ << shift), sizeof *run << shift);
		if (from_b) {
			const uint32_t *other = b->clocks + ((size_t)k++ << shift);
			for (uint32_t c = 0; c < 1u << shift; c++)
				run[c] = run[c] > other[c] ? run[c] : other[c];
		}
	}
	return out;
}

/* What both hold, shared where one holds all of the other. */
static struct interp_vector *vector_join(struct interp_vector *a, struct interp_vector *b, unsigned shift)
{
	if (vector_within(a, b, shift))
		return vector_share(b);
	return vector_within(b, a, shift) ? vector_share(a) : vector_merge(a, b, shift);
}

/* v and one more entry; always a vector of its own. */
static struct interp_vector *vector_with(const struct interp_vector *v, uint32_t thread, uint32_t clock, unsigned shift)
{
	struct interp_vector *one = vector_new(1, shift);
	one->groups[0] = thread >> shift;
	one->clocks[thread & ((1u << shift) - 1)] = clock;
	struct interp_vector *out = vector_merge(v, one, shift);
	interp_vector_drop(one);
	return out;
}

/* ---- what lanes know -------------------------------------------------------------------------------------- */

/* All that happened before now, the lane's own past included; what it does next is later. */
static struct interp_vector *release(struct interp_clock *clock, unsigned shift)
{
	return vector_with(clock->known, clock->thread, clock->clock++, shift);
}

static void acquire(struct interp_clock *clock, struct interp_vector *from, unsigned shift)
{
	if (!vector_within(from, clock->known, shift))
		vector_set(&clock->known, vector_join(clock->known, from, shift));
}

void interp_clock_start(struct interp_clock *clock, uint32_t thread, struct interp_vector *known)
{
	*clock = (struct interp_clock){.thread = thread, .clock = 1, .known = vector_share(known)};
}

struct interp_vector *interp_clock_publish(struct interp_clock *clock, const struct interp_race_log *log)
{
	return release(clock, log->shift);
}

void interp_vector_add(struct interp_vector **place, struct interp_vector *from, const struct interp_race_log *log)
{
	if (from)
		vector_set(place, vector_join(*place, from, log->shift));
}

void interp_clock_learn(struct interp_clock *clock, struct interp_vector *from, const struct interp_race_log *log)
{
	acquire(clock, from, log->shift);
}

void interp_clock_finish(struct interp_clock *clock)
{
	vector_set(&clock->known, NULL);
	vector_set(&clock->fenced, NULL);
	vector_set(&clock->observed, NULL);
}

void interp_clock_meet(struct interp_clock **clocks, uint32_t count, const struct interp_race_log *log)
{
	unsigned shift = log->shift;
	if (!count)
		return;
	struct interp_vector *all = NULL, *last = NULL;
	for (uint32_t k = 0; k < count; k++) {
		if (clocks[k]->known == last)
			continue; /* most lanes share the vector of the barrier before */
		last = clocks[k]->known;
		vector_set(&all, vector_join(all, last, shift));
	}
	/* The lanes' own clocks: a vector of their groups, filled in place, merged at the end. */
	uint32_t groups = 0;
	for (uint32_t k = 0; k < count; k++)
		groups += k == 0 || clocks[k]->thread >> shift != clocks[k - 1]->thread >> shift;
	struct interp_vector *own = vector_new(groups, shift);
	for (uint32_t k = 0, g = 0; k < count; k++) {
		g += k && clocks[k]->thread >> shift != clocks[k - 1]->thread >> shift;
		own->groups[g] = clocks[k]->thread >> shift;
		own->clocks[((size_t)g << shift) + (clocks[k]->thread & ((1u << shift) - 1))] = clocks[k]->clock++;
	}
	vector_set(&all, vector_merge(all, own, shift));
	interp_vector_drop(own);
	for (uint32_t k = 0; k < count; k++)
		vector_set(&clocks[k]->known, vector_share(all));
	interp_vector_drop(all);
}

void interp_clock_fence(struct interp_clock *clock, vyrec_order order, const struct interp_race_log *log)
{
	if (order != VYREC_ORDER_RELAXED && order != VYREC_ORDER_RELEASE)
		acquire(clock, clock->observed, log->shift);
	if (order != VYREC_ORDER_RELAXED && order != VYREC_ORDER_ACQUIRE) {
		vector_set(&clock->fenced, release(clock, log->shift));
		clock->has_fenced = true;
	}
}

struct interp_clock interp_clock_fork(struct interp_clock *clock, uint32_t thread, const struct interp_race_log *log)
{
	struct interp_clock copy = {.thread = thread, .clock = ++clock->copies, .is_copy = true};
	copy.known = release(clock, log->shift);
	return copy;
}

void interp_clock_join(struct interp_clock *clock, uint32_t thread, uint32_t until, const struct interp_race_log *log)
{
	vector_set(&clock->known, vector_with(clock->known, thread, until, log->shift));
}

/* Did the access of an epoch happen before what the lane does now? */
static bool covers(const struct interp_clock *clock, uint64_t epoch, unsigned shift)
{
	uint32_t thread = (uint32_t)epoch, when = (uint32_t)(epoch >> 32);
	if (thread == clock->thread && (!clock->is_copy || when == clock->clock))
		return true;
	return vector_get(clock->known, thread, shift) >= when;
}

/* ---- what elements remember ------------------------------------------------------------------------------- */

struct access {
	uint64_t epoch;
	vyrec_loc loc;
};
struct access_set { /* sorted by thread, one entry a thread */
	struct access *items;
	uint32_t count, capacity;
	uint64_t last;
};
/* What few elements need. */
struct cell_sets {
	struct access_set reads, atomic_reads, atomic_writes;
	struct interp_vector *published; /* what an acquire of the element gets */
	uint32_t published_group;
	bool published_in_group; /* workgroup scope: only lanes of that group get it */
};
struct interp_cell {
	struct access write, read; /* the last plain write; the only plain read, while there is only one */
	struct cell_sets *sets;
};
enum { PAGE = 256 };

static struct interp_cell *find_cell(struct interp_shadow *shadow, uint64_t count, uint64_t element)
{
	if (!shadow->pages) {
		shadow->count = count;
		shadow->page_count = (count + PAGE - 1) / PAGE;
		shadow->pages = vyrec_alloc(shadow->page_count * sizeof *shadow->pages);
	}
	struct interp_cell **page = &shadow->pages[element / PAGE];
	if (!*page)
		*page = vyrec_alloc((count < PAGE ? count : PAGE) * sizeof **page);
	return *page + element % PAGE;
}

static struct cell_sets *sets_of(struct interp_cell *cell)
{
	if (!cell->sets)
		cell->sets = vyrec_alloc(sizeof *cell->sets);
	return cell->sets;
}

static void set_clear(struct access_set *set)
{
	set->count = 0;
	set->last = 0;
}

void interp_shadow_free(struct interp_shadow *shadow)
{
	uint64_t cells = shadow->count < PAGE ? shadow->count : PAGE;
	for (uint64_t p = 0; p < shadow->page_count; p++) {
		struct interp_cell *page = shadow->pages[p];
		for (uint64_t k = 0; page && k < cells; k++) {
			struct cell_sets *sets = page[k].sets;
			if (!sets)
				continue;
			free(sets->reads.items);
			free(sets->atomic_reads.items);
			free(sets->atomic_writes.items);
			interp_vector_drop(sets->published);
			free(sets);
		}
		free(page);
	}
	free(shadow->pages);
	*shadow = (struct interp_shadow){0};
}

/* Keeps an access. When the newest entry of another lane happened before it, usually all did (a barrier lies between):
 * then those go. Otherwise the set is kept sorted, mostly by appending. */
static void set_add(struct access_set *set, const struct interp_clock *clock, uint64_t epoch, vyrec_loc loc,
		    unsigned shift)
{
	uint32_t low = 0, high;
	if (set->last && set->last != epoch && (uint32_t)set->last != clock->thread &&
	    covers(clock, set->last, shift)) {
		uint32_t kept = 0;
		for (uint32_t k = 0; k < set->count; k++)
			if (!covers(clock, set->items[k].epoch, shift))
				set->items[kept++] = set->items[k];
		set->count = kept;
	}
	set->last = epoch;
	high = set->count;
	if (high && (uint32_t)set->items[high - 1].epoch < clock->thread)
		low = high;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if ((uint32_t)set->items[middle].epoch < clock->thread)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == set->count || (uint32_t)set->items[low].epoch != clock->thread) {
		set->items = vyrec_grow(set->items, &set->capacity, set->count + 1, sizeof *set->items);
		memmove(set->items + low + 1, set->items + low, (set->count - low) * sizeof *set->items);
		set->count++;
	}
	set->items[low] = (struct access){epoch, loc};
}

/* ---- finding races ---------------------------------------------------------------------------------------- */

struct found { /* the access that is being checked */
	struct interp_race_log *log;
	const struct interp_clock *clock;
	vyrec_array array;
	uint64_t element;
	vyrec_loc loc;
	bool writes;
};

static void report(const struct found *f, vyrec_loc first, bool first_writes)
{
	struct interp_race_log *log = f->log;
	struct vyrec_race race = {f->array, f->element, first, f->loc, first_writes && f->writes};
	for (uint32_t k = 0; k < log->seen_count; k++) {
		const struct vyrec_race *r = &log->seen[k];
		if (r->array == race.array && ((r->first == race.first && r->second == race.second) ||
					       (r->first == race.second && r->second == race.first)))
			return;
	}
	log->seen = vyrec_grow(log->seen, &log->seen_capacity, log->seen_count + 1, sizeof *log->seen);
	log->seen[log->seen_count++] = race;
	if (log->result->race_count < sizeof log->result->races / sizeof *log->result->races)
		log->result->races[log->result->race_count] = race;
	log->result->race_count++;
}

static void check(const struct found *f, const struct access *earlier, bool earlier_writes)
{
	if (earlier->epoch && !covers(f->clock, earlier->epoch, f->log->shift))
		report(f, earlier->loc, earlier_writes);
}

static void check_set(const struct found *f, const struct access_set *set, bool writes)
{
	for (uint32_t k = 0; k < set->count; k++)
		check(f, &set->items[k], writes);
}

static void keep_read(struct interp_cell *cell, const struct interp_clock *clock, uint64_t epoch, vyrec_loc loc,
		      unsigned shift)
{
	bool alone = !cell->sets || !cell->sets->reads.count;
	if (alone && (!cell->read.epoch || covers(clock, cell->read.epoch, shift))) {
		cell->read = (struct access){epoch, loc};
		return;
	}
	struct access_set *reads = &sets_of(cell)->reads;
	if (cell->read.epoch) { /* the second reader: both move to the set */
		struct interp_clock other = {.thread = (uint32_t)cell->read.epoch};
		set_add(reads, &other, cell->read.epoch, cell->read.loc, shift);
		cell->read = (struct access){0, 0};
	}
	set_add(reads, clock, epoch, loc, shift);
}

void interp_race_access(struct interp_race_log *log, struct interp_shadow *shadow, uint64_t count, vyrec_array array,
			uint64_t element, const struct interp_clock *clock, unsigned access, vyrec_loc loc)
{
	struct interp_cell *cell = find_cell(shadow, count, element);
	bool writes = access & INTERP_WRITE, atomic = access & INTERP_ATOMIC_ACCESS;
	struct found f = {log, clock, array, element, loc, writes};
	uint64_t epoch = (uint64_t)clock->clock << 32 | clock->thread;
	check(&f, &cell->write, true);
	if (writes) {
		check(&f, &cell->read, false);
		if (cell->sets)
			check_set(&f, &cell->sets->reads, false);
	}
	if (!atomic && cell->sets) {
		check_set(&f, &cell->sets->atomic_writes, true);
		if (writes)
			check_set(&f, &cell->sets->atomic_reads, false);
	}
	if (atomic) {
		struct cell_sets *sets = sets_of(cell);
		set_add(writes ? &sets->atomic_writes : &sets->atomic_reads, clock, epoch, loc, log->shift);
	} else if (!writes) {
		keep_read(cell, clock, epoch, loc, log->shift);
	} else {
		cell->write = (struct access){epoch, loc};
		cell->read = (struct access){0, 0};
		if (cell->sets) { /* all ordered before this write, or reported */
			set_clear(&cell->sets->reads);
			set_clear(&cell->sets->atomic_reads);
			set_clear(&cell->sets->atomic_writes);
			vector_set(&cell->sets->published, NULL);
		}
	}
}

/* ---- edges ------------------------------------------------------------------------------------------------ */

static bool reaches(const struct cell_sets *sets, const struct interp_clock *clock, vyrec_scope scope, unsigned shift)
{
	return sets->published && (sets->published_group == clock->thread >> shift ||
				   !(sets->published_in_group || scope == VYREC_SCOPE_WORKGROUP));
}

/* What a write publishes: by its own order, or by a release fence before it; NULL = nothing. */
static struct interp_vector *published_by(struct interp_clock *clock, vyrec_order order, unsigned shift)
{
	if (order != VYREC_ORDER_RELAXED && order != VYREC_ORDER_ACQUIRE)
		return release(clock, shift);
	return clock->has_fenced ? vector_share(clock->fenced) : NULL;
}

void interp_race_synchronize(struct interp_race_log *log, struct interp_shadow *shadow, uint64_t count,
			     uint64_t element, struct interp_clock *clock, bool reads, bool writes, vyrec_order order,
			     vyrec_scope scope)
{
	unsigned shift = log->shift;
	struct cell_sets *sets = sets_of(find_cell(shadow, count, element));
	if (reads && reaches(sets, clock, scope, shift)) {
		if (order != VYREC_ORDER_RELAXED && order != VYREC_ORDER_RELEASE)
			acquire(clock, sets->published, shift);
		else if (!vector_within(sets->published, clock->observed, shift))
			vector_set(&clock->observed, vector_join(clock->observed, sets->published, shift));
	}
	if (!writes)
		return;
	struct interp_vector *mine = published_by(clock, order, shift);
	if (reads) { /* a read-modify-write carries on what was published before it */
		struct interp_vector *both = vector_join(sets->published, mine, shift);
		interp_vector_drop(mine);
		mine = both;
	}
	vector_set(&sets->published, mine);
	sets->published_group = clock->thread >> shift;
	sets->published_in_group = scope == VYREC_SCOPE_WORKGROUP;
}
