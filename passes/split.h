/* split.h - private to the pass `lanes`: the state of splitting one body into loops over its lanes. */
#ifndef VYREC_PASSES_SPLIT_H
#define VYREC_PASSES_SPLIT_H
#include "passes/lanes.h"

/* A place that a jump goes to: the end of the body (return), of a labelled block or a loop (break), the next turn. */
struct vyrec_target {
	vyrec_stmt_kind jump; /* RETURN, BREAK, CONTINUE */
	vyrec_local label;    /* of a block; 0 = a loop, or the body */
	vyrec_block body;     /* what the jump leaves */
	uint32_t id;	      /* never 0 */
	bool meets;	      /* lanes may meet between the point at hand and this place */
};
enum { VYREC_MAX_TARGETS = 3 * VYREC_MAX_TREE_DEPTH };

/* A catch in which lanes meet (fall.c). */
struct vyrec_fall {
	uint32_t id;		  /* in `left`, of a lane that a trap has taken to its end */
	vyrec_array code, detail; /* by lane */
	vyrec_local leader;	  /* the first lane that is there */
	vyrec_local label;	  /* a break to it: nobody is */
};

struct vyrec_splitter {
	struct vyrec_module *m;
	const struct vyrec_crew *crew;
	const struct vyrec_pass_options *options;
	struct vyrec_diags *diags;
	bool emitting, failed;
	uint32_t region, region_count; /* 0 = between regions: one lane for all */

	/* by local and by array, those that were there before emitting */
	uint32_t local_count, array_count;
	uint32_t *home, *array_home;	    /* region that declares it; 0 = none, the same for all lanes */
	bool *is_spread, *array_is_spread;  /* used outside its region: one for each lane */
	vyrec_array *spread, *array_spread; /* the array that holds it, lane after lane */

	struct vyrec_target targets[VYREC_MAX_TARGETS];
	uint32_t target_count;
	struct vyrec_list inner;   /* labels of blocks inside the region */
	vyrec_array left;	   /* by lane: id of the target that it went ahead to, 0 = still here */
	struct vyrec_list flagged; /* ids that stand in `left` */
	const struct vyrec_fall *fall; /* the innermost catch around in which lanes meet, while emitting */

	struct vyrec_list decls;  /* declarations of arrays, for the top of the body */
	struct vyrec_list *out;	  /* between regions */
	struct vyrec_list inside; /* the open region */
	vyrec_local lane;	  /* its counter */
	vyrec_local skip;	  /* label of its end, 0 until someone jumps there */
};

/* spread.c: expressions, and locals that live in arrays. */
void vyrec_split_expr(struct vyrec_splitter *sp, vyrec_expr e);
vyrec_expr vyrec_split_lane(struct vyrec_splitter *sp, vyrec_loc loc); /* between regions: the leader, outside catches 0 */
vyrec_array vyrec_split_array(struct vyrec_splitter *sp, const char *base, vyrec_type element, uint32_t count,
			      vyrec_loc loc);
vyrec_array vyrec_spread_local(struct vyrec_splitter *sp, vyrec_local local);
vyrec_array vyrec_spread_array(struct vyrec_splitter *sp, vyrec_array array);
void vyrec_note_local(struct vyrec_splitter *sp, vyrec_local local);
void vyrec_note_array(struct vyrec_splitter *sp, vyrec_array array);
bool vyrec_local_is_spread(const struct vyrec_splitter *sp, vyrec_local local);
bool vyrec_array_is_spread(const struct vyrec_splitter *sp, vyrec_array array);
/* The place of an element of a spread array for the lane at hand. Changes the policy where the place makes it safe. */
vyrec_expr vyrec_spread_index(struct vyrec_splitter *sp, vyrec_array array, vyrec_expr index, uint8_t *policy);
vyrec_stmt vyrec_store_lane(struct vyrec_splitter *sp, vyrec_array array, vyrec_expr value);
/* for i in 0 .. count { body }, the body made by the caller. */
vyrec_stmt vyrec_split_for(struct vyrec_splitter *sp, vyrec_local i, vyrec_expr from, vyrec_expr to, uint32_t step,
			   struct vyrec_list *body, vyrec_loc loc);
vyrec_local vyrec_split_counter(struct vyrec_splitter *sp, const char *base, vyrec_loc loc);

/* meet.c: the collectives. */
void vyrec_split_collective(struct vyrec_splitter *sp, vyrec_stmt s);

/* fall.c: a catch in which lanes meet. Inside one, when emitting: the open region's statements become what a lane may trap
 * in; a new leader is found behind a region; `value` where the lane is there (its index 0 .. 2^32-1), else the literal. */
void vyrec_split_catch(struct vyrec_splitter *sp, vyrec_stmt s);
void vyrec_fall_guard(struct vyrec_splitter *sp, vyrec_loc loc);
void vyrec_fall_elect(struct vyrec_splitter *sp, vyrec_loc loc);
vyrec_expr vyrec_fall_present(struct vyrec_splitter *sp, vyrec_expr lane, vyrec_expr value, uint64_t otherwise);

/* split.c */
void vyrec_split_block(struct vyrec_splitter *sp, vyrec_block block, struct vyrec_list *out);
/* Lanes noted in `left` under this id are here now. */
void vyrec_rejoin(struct vyrec_splitter *sp, uint32_t id, struct vyrec_list *out);
void vyrec_open_region(struct vyrec_splitter *sp);
void vyrec_close_region(struct vyrec_splitter *sp, vyrec_loc loc);

#endif
