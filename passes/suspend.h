/* suspend.h - private to passes/: a handler that suspends, as code that leaves and can be entered again.
 *
 *   suspend.c       entry: points are numbered, counted loops with points become plain loops, what is kept moves in front
 *   suspend_live.c  what is live at each point
 *   suspend_emit.c  the guards around what a resumption skips, and each point's leaving and coming back
 */
#ifndef VYREC_PASSES_SUSPEND_H
#define VYREC_PASSES_SUSPEND_H
#include "passes/mega/mega.h"

/* Where the handler will stand: locals and fns of the program that takes it over. */
struct vyrec_suspend_env {
	vyrec_local slot;   /* u32: the slot's index */
	vyrec_local resume; /* var u32: the point to go on from, 0 = the start; 0 again when it has been reached */
	vyrec_local stop;   /* var u32: VYREC_STOP_*, set when the handler leaves at a point */
	vyrec_local pc;	    /* var u32: the point to go on from next time */
	uint32_t points_before; /* numbers taken by other handlers of the set: points are points_before + 1 .. */
	vyrec_local operand[VYREC_STOP_OPERANDS]; /* vars u32 */
	/* `words`: info.frame_words, the same at every point of the handler */
	vyrec_fn frame_open;  /* (slot, words) -> bool: there is room for the words */
	vyrec_fn frame_place; /* (slot, words) -> u32: where they are */
	vyrec_fn frame_get;   /* (place + k) -> u32: word k */
	vyrec_fn frame_set;   /* (place + k, value) */
};

struct vyrec_suspend_info {
	uint32_t points;
	uint32_t frame_words; /* the most words that one point keeps; what `words` above is */
};

/* Rewrites the block of a handler in place: arguments and body, `return` and `spawn` rewritten already, no calls. What
 * must happen each time the handler is entered (its shared arrays are zeroed) stays in front of the block. A block
 * without points stays as it is: points = 0. */
void vyrec_suspend_split(struct vyrec_module *m, const struct vyrec_suspend_env *env, vyrec_block block,
			 struct vyrec_suspend_info *info);

/* ---- between the three files --------------------------------------------------------------------------------------- */

/* A local or a local array that is used in another stretch than the one that declares it. */
struct vyrec_kept {
	vyrec_local local; /* or */
	vyrec_array array;
};

struct vyrec_suspend_point {
	uint64_t *live; /* bits by number of kept */
};

struct vyrec_suspender {
	struct vyrec_module *m;
	const struct vyrec_suspend_env *env;
	uint32_t *last; /* by statement, those that there were before anything is written: its last point, 0 = has none */
	struct vyrec_suspend_point *points; /* [0] is point points_before + 1 */
	uint32_t point_count, point_capacity;

	uint32_t local_count, array_count;   /* entries of the tables below */
	uint32_t *home, *array_home;	     /* the stretch that declares it; 0 = outside the handler */
	uint32_t *number, *array_number;     /* in kept, + 1; 0 = not kept */
	struct vyrec_kept *kept;
	uint32_t kept_count, kept_capacity;
	uint32_t stretch, stretch_count;     /* 0 = the operands of a statement with points */

	uint32_t frame_words;
	uint32_t loops;	   /* around the statement that is written */
	vyrec_local label; /* a break to it leaves the handler */
};

static inline bool vyrec_suspend_cuts(const struct vyrec_suspender *sp, vyrec_stmt s)
{
	return sp->last[s] != 0;
}
static inline struct vyrec_suspend_point *vyrec_suspend_point(struct vyrec_suspender *sp, uint32_t number)
{
	return &sp->points[number - sp->env->points_before - 1];
}
/* suspend_live.c: fills the live bits of every point. */
void vyrec_suspend_live(struct vyrec_suspender *sp, vyrec_block block);
/* Words of a frame that a kept local or array takes. */
uint32_t vyrec_suspend_words(const struct vyrec_suspender *sp, uint32_t number);
/* suspend_emit.c: the statements of a block whose entry with resume != 0 means a point inside it. */
void vyrec_suspend_emit(struct vyrec_suspender *sp, vyrec_block block, struct vyrec_list *out);

#endif
