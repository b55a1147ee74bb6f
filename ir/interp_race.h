/* interp_race.h - who happens before whom: vector clocks, and what each element of an array remembers.
 *
 * A thread is a lane (or a lane's pending copies); its number is group << shift | lane. An epoch is clock << 32 |
 * thread, 0 = never. A clock vector is immutable and shared; a lane adds its own clock to it. After a barrier all lanes
 * of a workgroup share one vector, so a barrier costs its length once and not once a lane.
 */
#ifndef VYREC_INTERP_RACE_H
#define VYREC_INTERP_RACE_H
#include "ir/interp.h"

struct interp_vector; /* NULL = nothing is known */

/* What a lane knows. */
struct interp_clock {
	struct interp_vector *known;
	struct interp_vector *fenced;	/* at the last release fence: what relaxed writes after it publish */
	struct interp_vector *observed; /* what relaxed reads saw: an acquire fence makes it known */
	uint32_t thread, clock;
	uint32_t copies; /* clock of the pending copies' thread */
	bool has_fenced;
	bool is_copy; /* of a pending copy: other copies of the lane are not ordered before it */
};

/* What an element remembers. */
struct interp_cell;
struct interp_shadow { /* of one array; start from {0} */
	struct interp_cell **pages;
	uint64_t page_count, count;
};

struct interp_race_log {
	struct vyrec_interp_result *result;
	struct vyrec_race *seen; /* all distinct pairs */
	uint32_t seen_count, seen_capacity;
	unsigned shift; /* bits of a thread number that name the lane */
};

enum { INTERP_READ = 0, INTERP_WRITE = 1, INTERP_ATOMIC_ACCESS = 2 };

/* known: what the thread knows from the start, or NULL; shared, not taken. */
void interp_clock_start(struct interp_clock *clock, uint32_t thread, struct interp_vector *known);
void interp_clock_finish(struct interp_clock *clock);
/* All meet: each knows what any of them knew. */
void interp_clock_meet(struct interp_clock **clocks, uint32_t count, const struct interp_race_log *log);
void interp_clock_fence(struct interp_clock *clock, vyrec_order order, const struct interp_race_log *log);
/* All that happened before now, for a thread to start with; the caller drops it. */
struct interp_vector *interp_clock_publish(struct interp_clock *clock, const struct interp_race_log *log);
void interp_vector_drop(struct interp_vector *vector);
/* Adds all that `from` holds to what the place holds; either may be NULL. */
void interp_vector_add(struct interp_vector **place, struct interp_vector *from, const struct interp_race_log *log);
/* All that `from` holds happened before what the lane does next. */
void interp_clock_learn(struct interp_clock *clock, struct interp_vector *from, const struct interp_race_log *log);
/* A copy starts: its accesses belong to the lane's second thread, until the wait. */
struct interp_clock interp_clock_fork(struct interp_clock *clock, uint32_t thread, const struct interp_race_log *log);
void interp_clock_join(struct interp_clock *clock, uint32_t thread, uint32_t until, const struct interp_race_log *log);

/* Notes an access (INTERP_* flags) to an element of an array of `count` elements, and reports what it races with. */
void interp_race_access(struct interp_race_log *log, struct interp_shadow *shadow, uint64_t count, vyrec_array array,
			uint64_t element, const struct interp_clock *clock, unsigned access, vyrec_loc loc);
/* The edges of an atomic that read (and, if wrote, wrote) the element; call after interp_race_access. */
void interp_race_synchronize(struct interp_race_log *log, struct interp_shadow *shadow, uint64_t count,
			     uint64_t element, struct interp_clock *clock, bool reads, bool writes, vyrec_order order,
			     vyrec_scope scope);
void interp_shadow_free(struct interp_shadow *shadow);

#endif
