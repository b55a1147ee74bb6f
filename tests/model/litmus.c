/* litmus.c - does the C11 memory model (as C++20 words it, P0668) allow an outcome? By enumeration.
 *
 * An execution is a choice of the write that every read takes its value from (rf) and of an order of the writes of each
 * location (mo); for a compare-exchange also whether it succeeds. Everything else follows from these:
 *     sw   a release, or what a release fence stands before, is read by an acquire, or before an acquire fence;
 *          through the read-modify-writes that continue the release sequence
 *     hb   program order and sw, closed
 *     eco  (rf | mo | fr), closed; fr: a read, and the writes that come after the one that it reads
 * A candidate is an execution of the model if
 *     coherence    hb is acyclic, and nothing is hb-before what is eco-before it
 *     atomicity    a read-modify-write follows, in mo, immediately what it reads
 *     seq_cst      a total order S of the seq_cst operations and fences exists that agrees with strongly-happens-before
 *                  and with eco, also between the fences around operations ([atomics.order])
 * S is not enumerated: it exists exactly when those demands have no cycle. Strongly-happens-before leaves out what is
 * ordered only by release and acquire across threads, which is what PowerPC and GPUs need; the words of C11 forbid a
 * little more (the program Z6.U in known.litmus). Nothing forbids values out of thin air: the programs have no
 * dependencies that could make them, and what is forbidden here is so without leaning on a branch.
 */
#include "litmus.h"

#include <string.h>

enum { EVENTS = LITMUS_OPS + LITMUS_LOCATIONS };

typedef uint32_t relation[EVENTS]; /* bit b of [a]: a before b */

struct event {
	const struct litmus_op *op; /* NULL: the write of a location's first value */
	int location;
	int reads, writes;
	int32_t seen, stored;
};

struct search {
	const struct litmus *litmus;
	struct event event[EVENTS];
	int count;
	int from[EVENTS];			 /* rf: of each read, the write */
	int order[LITMUS_LOCATIONS + 1][EVENTS]; /* mo */
	int order_count[LITMUS_LOCATIONS + 1];
};

static int bit(const uint32_t *relation_of, int a, int b)
{
	return relation_of[a] >> b & 1;
}

static void close_relation(uint32_t *r, int count)
{
	int a, b;

	for (b = 0; b < count; b++)
		for (a = 0; a < count; a++)
			if (bit(r, a, b))
				r[a] |= r[b];
}

static int has_cycle(const uint32_t *r, int count)
{
	relation closed;
	int a;

	memcpy(closed, r, sizeof(closed));
	close_relation(closed, count);
	for (a = 0; a < count; a++)
		if (bit(closed, a, a))
			return 1;
	return 0;
}

static int is_fence(const struct event *e)
{
	return e->op && e->op->kind == LITMUS_FENCE;
}

static int acquires(const struct event *e)
{
	/* A compare-exchange that fails is a relaxed load here, whatever order it was given for that. */
	return e->op && (is_fence(e) || (e->reads && (e->writes || e->op->kind == LITMUS_LOAD))) &&
	       (e->op->order == LITMUS_ACQUIRE || e->op->order >= LITMUS_ACQREL);
}

static int releases(const struct event *e)
{
	return e->op && (is_fence(e) || e->writes) && (e->op->order == LITMUS_RELEASE || e->op->order >= LITMUS_ACQREL);
}

static int is_seqcst(const struct event *e)
{
	return e->op && e->op->order == LITMUS_SEQCST && (e->op->kind != LITMUS_CAS || e->writes);
}

static int precedes(const struct event *a, const struct event *b)
{
	if (!a->op || !b->op)
		return !a->op && b->op;
	return a->op->thread == b->op->thread && a->op < b->op;
}

/* From release `w` (or a fence before it) to whatever reads its release sequence. */
static void synchronize(const struct search *s, const uint32_t *sb, uint32_t *sw)
{
	relation next; /* a write, and the read-modify-writes that read it */
	int w, r, a, b, n = s->count;

	memset(next, 0, sizeof(next));
	for (r = 0; r < n; r++)
		if (s->event[r].reads && s->event[r].writes)
			next[s->from[r]] |= 1u << r;
	close_relation(next, n);
	for (w = 0; w < n; w++)
		next[w] |= 1u << w;
	for (r = 0; r < n; r++) {
		if (!s->event[r].reads)
			continue;
		for (w = 0; w < n; w++) {
			if (!s->event[w].writes || !bit(next, w, s->from[r]))
				continue;
			for (a = 0; a < n; a++) {
				if (!releases(&s->event[a]) || !(a == w || (is_fence(&s->event[a]) && bit(sb, a, w))))
					continue;
				for (b = 0; b < n; b++)
					if (acquires(&s->event[b]) &&
					    (b == r || (is_fence(&s->event[b]) && bit(sb, r, b))))
						sw[a] |= 1u << b;
			}
		}
	}
}

static void communicate(const struct search *s, uint32_t *eco)
{
	int l, i, k, r, n = s->count;

	for (l = 0; l < s->litmus->location_count; l++)
		for (i = 0; i < s->order_count[l]; i++)
			for (k = i + 1; k < s->order_count[l]; k++)
				eco[s->order[l][i]] |= 1u << s->order[l][k];
	for (r = 0; r < n; r++) {
		const struct event *e = &s->event[r];

		if (!e->reads)
			continue;
		eco[s->from[r]] |= 1u << r;
		for (i = 0; s->order[e->location][i] != s->from[r]; i++)
			;
		for (i++; i < s->order_count[e->location]; i++)
			if (s->order[e->location][i] != r)
				eco[r] |= 1u << s->order[e->location][i];
	}
	close_relation(eco, n);
}

static int is_atomic(const struct search *s)
{
	int r, i;

	for (r = 0; r < s->count; r++) {
		const struct event *e = &s->event[r];

		if (!e->reads || !e->writes)
			continue;
		for (i = 0; s->order[e->location][i] != r; i++)
			;
		if (i == 0 || s->order[e->location][i - 1] != s->from[r])
			return 0;
	}
	return 1;
}

/* (sb | sw between seq_cst operations | sb; hb; sb), closed */
static void strongly_happen(const struct search *s, const uint32_t *sb, const uint32_t *sw, const uint32_t *hb,
			    uint32_t *shb)
{
	int a, b, c, n = s->count;

	for (a = 0; a < n; a++) {
		shb[a] |= sb[a];
		for (b = 0; b < n; b++) {
			if (bit(sw, a, b) && is_seqcst(&s->event[a]) && is_seqcst(&s->event[b]) &&
			    !is_fence(&s->event[a]) && !is_fence(&s->event[b]))
				shb[a] |= 1u << b;
			for (c = 0; bit(sb, a, b) && c < n; c++)
				if (bit(hb, b, c))
					shb[a] |= sb[c];
		}
	}
	close_relation(shb, n);
}

static int has_total_order(const struct search *s, const uint32_t *hb, const uint32_t *shb, const uint32_t *eco)
{
	relation demand;
	uint32_t all = 0;
	int a, b, x, y, n = s->count;

	memset(demand, 0, sizeof(demand));
	for (a = 0; a < n; a++)
		if (is_seqcst(&s->event[a]))
			all |= 1u << a;
	for (a = 0; a < n; a++)
		demand[a] = all >> a & 1 ? shb[a] & all : 0;
	for (a = 0; a < n; a++) {
		for (b = 0; b < n; b++) {
			uint32_t before = 0, after = 0;

			if (!bit(eco, a, b))
				continue;
			for (x = 0; x < n; x++)
				if (all >> x & 1 && (x == a || (is_fence(&s->event[x]) && bit(hb, x, a))))
					before |= 1u << x;
			for (y = 0; y < n; y++)
				if (all >> y & 1 && (y == b || (is_fence(&s->event[y]) && bit(hb, b, y))))
					after |= 1u << y;
			for (x = 0; x < n; x++)
				if (before >> x & 1)
					demand[x] |= after;
		}
	}
	return !has_cycle(demand, n);
}

static int is_consistent(const struct search *s)
{
	relation sb, sw, hb, shb, eco;
	int a, b, n = s->count;

	if (!is_atomic(s))
		return 0;
	memset(sb, 0, sizeof(sb));
	memset(sw, 0, sizeof(sw));
	memset(shb, 0, sizeof(shb));
	memset(eco, 0, sizeof(eco));
	for (a = 0; a < n; a++)
		for (b = 0; b < n; b++)
			if (precedes(&s->event[a], &s->event[b]))
				sb[a] |= 1u << b;
	communicate(s, eco);
	synchronize(s, sb, sw);
	for (a = 0; a < n; a++)
		hb[a] = sb[a] | sw[a];
	close_relation(hb, n);
	for (a = 0; a < n; a++) {
		if (bit(hb, a, a) || bit(eco, a, a))
			return 0;
		for (b = 0; b < n; b++)
			if (bit(hb, a, b) && bit(eco, b, a))
				return 0;
	}
	strongly_happen(s, sb, sw, hb, shb);
	return has_total_order(s, hb, shb, eco);
}

/* Values follow rf; a cycle through read-modify-writes leaves one undefined, and atomicity would refuse it anyway. */
static int evaluate(struct search *s)
{
	uint32_t known = 0;
	int e, turn;

	for (turn = 0; turn < s->count; turn++) {
		for (e = 0; e < s->count; e++) {
			struct event *event = &s->event[e];

			if (known >> e & 1)
				continue;
			if (event->reads) {
				if (!(known >> s->from[e] & 1))
					continue;
				event->seen = s->event[s->from[e]].stored;
			}
			if (event->op)
				event->stored = event->op->value + (event->op->kind == LITMUS_ADD ? event->seen : 0);
			known |= 1u << e;
		}
	}
	for (e = 0; e < s->count; e++) {
		if (!(known >> e & 1))
			return 0;
		if (s->event[e].op && s->event[e].op->kind == LITMUS_CAS &&
		    s->event[e].writes != (s->event[e].seen == s->event[e].op->expected))
			return 0;
	}
	return 1;
}

static int has_outcome(const struct search *s, int of_locations)
{
	int i, e;

	for (i = 0; i < s->litmus->condition_count; i++) {
		const struct litmus_condition *c = &s->litmus->conditions[i];

		if (c->is_location != of_locations)
			continue;
		if (of_locations) {
			if (s->event[s->order[c->index][s->order_count[c->index] - 1]].stored != c->value)
				return 0;
			continue;
		}
		for (e = 0; e < s->count; e++)
			if (s->event[e].op && s->event[e].op->out == c->index && s->event[e].seen != c->value)
				return 0;
	}
	return 1;
}

/* Every order of the writes of each location, the first value first. */
static int order_writes(struct search *s, int location)
{
	int *order = s->order[location], *count = &s->order_count[location], e, i, found = 0, writes = 0, placed;

	if (location == s->litmus->location_count)
		return has_outcome(s, 1) && is_consistent(s);
	for (e = 0; e < s->count; e++)
		writes += s->event[e].writes && s->event[e].location == location;
	if (*count == writes)
		return order_writes(s, location + 1);
	for (e = 0; e < s->count && !found; e++) {
		if (!s->event[e].writes || s->event[e].location != location || (*count == 0 && s->event[e].op))
			continue;
		for (i = 0, placed = 0; i < *count; i++)
			placed |= order[i] == e;
		if (placed)
			continue;
		order[(*count)++] = e;
		found = order_writes(s, location);
		(*count)--;
	}
	return found;
}

static int choose_sources(struct search *s, int e)
{
	int w;

	while (e < s->count && !s->event[e].reads)
		e++;
	if (e == s->count)
		return evaluate(s) && has_outcome(s, 0) && order_writes(s, 0);
	for (w = 0; w < s->count; w++) {
		if (w == e || !s->event[w].writes || s->event[w].location != s->event[e].location)
			continue;
		s->from[e] = w;
		if (choose_sources(s, e + 1))
			return 1;
	}
	return 0;
}

static int choose_successes(struct search *s, int e)
{
	while (e < s->count && !(s->event[e].op && s->event[e].op->kind == LITMUS_CAS))
		e++;
	if (e == s->count)
		return choose_sources(s, 0);
	s->event[e].writes = 1;
	if (choose_successes(s, e + 1))
		return 1;
	s->event[e].writes = 0;
	return choose_successes(s, e + 1);
}

int litmus_is_allowed(const struct litmus *litmus)
{
	struct search s;
	int i;

	memset(&s, 0, sizeof(s));
	s.litmus = litmus;
	for (i = 0; i < litmus->location_count; i++)
		s.event[s.count++] = (struct event){.location = i, .writes = 1};
	for (i = 0; i < litmus->op_count; i++) {
		const struct litmus_op *op = &litmus->ops[i];

		s.event[s.count++] = (struct event){
		    .op = op,
		    .location = op->location,
		    .reads = op->kind != LITMUS_STORE && op->kind != LITMUS_FENCE,
		    .writes = op->kind != LITMUS_LOAD && op->kind != LITMUS_FENCE,
		};
	}
	return choose_successes(&s, 0);
}
