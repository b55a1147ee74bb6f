/* mega.h - private to passes/: what the files of megakernel assembly share.
 *
 *   mega.c       the pass: what a set needs, how wide it runs, the merge of set and template
 *   parts.c      the template: constants made from the tables of runtime/abi, and a table of text parts (*.vyre here)
 *   import.c     the template comes into the set's module; the places in it that cases need
 *   switch.c     the switch over opcodes, and what the template asks of an opcode
 *   case.c       a handler, or a built-in op of the template, as a case of the switch over opcodes
 *   check.c      what a feed or an option asks of a set
 *   workspace.c  the fns of a set that the scheduler calls
 *   fixpoint.c   the feed without slots
 */
#ifndef VYREC_PASSES_MEGA_H
#define VYREC_PASSES_MEGA_H
#include <stdio.h>

#include "passes/make.h"
#include "runtime/abi/blob.h"
#include "runtime/abi/ring.h"

/* Why a handler stopped before its end: the value of `stop` in run_claimed. Its operands are in stop_a .. stop_e.
 *   name     value  operands */
#define VYREC_STOP_LIST(X) \
	X(NOTHING, 0, "it has not stopped") \
	X(YIELD,   1, "") \
	X(REQUEUE, 2, "a: the priority") \
	X(PAUSE,   3, "a: the epoch") \
	X(LOAD,    4, "a: the resource; b, c: offset, low word first; d: bytes; e: destination offset") \
	X(JOIN,    5, "") \
	X(FENCE,   6, "a: places still to look at (BATCH_FENCE)") \
	X(MISS,    7, "none: they are the slot's words (LOAD_MISS)")
enum {
#define X(name, value, operands) VYREC_STOP_##name = value,
	VYREC_STOP_LIST(X)
#undef X
	VYREC_TASK_ARGS = 3, /* argument and result words of a task */
	VYREC_STOP_OPERANDS = 5,
	VYREC_MEGA_ROW_WORDS = 17, /* of a slot in a mailbox's batch (mailbox.vyre) */
	VYREC_POINT_MISS = 1, /* points below this and this one are the scheduler's own; handlers' come after */
};

/* What is to be assembled. */
struct vyrec_mega_shape {
	const char *name; /* of the program: the set's */
	unsigned feed;	  /* VYRE_FEED_* */
	unsigned features; /* VYRE_HAS_* */
	unsigned lanes;	  /* of a workgroup; above 1 only in scanning feeds and behind a mailbox */
	bool mailbox;	  /* feed live: host and device meet by runtime/abi/mailbox.h */
	bool wide;	  /* likewise: it has ops by workgroup, which all lanes run */
	unsigned rows;	  /* likewise: slots of a batch, at most one a lane */
	unsigned frame_words; /* of the handlers in their cases so far */
	unsigned points;      /* likewise */
};

/* Behind a mailbox: does a queue make workers of workgroups, and a ferry of the first (mailbox_ferry.vyre)? */
static inline bool vyrec_mega_has_ferry(const struct vyrec_mega_shape *shape)
{
	return shape->mailbox && (shape->features & VYRE_HAS_QUEUE);
}

/* Live words that a record has room for; a handler that keeps more takes a frame. */
uint32_t vyrec_mega_inline_words(const struct vyrec_mega_shape *shape);
/* The template of a shape as a module with one program, its constants literals and its locations 0. NULL: the parts do
 * not fit together, which is a bug; it is among the diagnostics. */
struct vyrec_module *vyrec_mega_template(const struct vyrec_mega_shape *shape, struct vyrec_diags *diags);

/* Where handlers run: in run_claimed, or inside a packed slot. The locals there that a handler's words stand for. */
struct vyrec_mega_site {
	vyrec_stmt marker; /* becomes the switch; 0: the template has no such place */
	vyrec_local slot;  /* what slot_word and set_slot_word of the template call it by */
	vyrec_local slot_index, opcode, tenant, priority;
};

/* opaque "name" that becomes `switch over { case of each opcode that it is true of { flag = true } }`. */
struct vyrec_mega_question {
	vyrec_stmt marker;
	vyrec_local over, flag;
};

/* Locals of run_claimed that suspension points set; their names in the template. */
#define VYREC_MEGA_LOCALS(X) \
	X(stop) X(stop_pc) X(stop_a) X(stop_b) X(stop_c) X(stop_d) X(stop_e) X(resume)
/* Functions of the template that cases call. */
#define VYREC_MEGA_FNS(X) \
	X(append_log) X(unknown_opcode) X(slot_word) X(set_slot_word) X(frame_open) X(frame_place) X(frame_get) \
	X(frame_set) X(spawn_open) X(spawn_word) X(spawn_push)

/* One assembly. */
struct vyrec_mega {
	struct vyrec_module *m;
	struct vyrec_diags *diags;
	struct vyrec_mega_shape shape;
	struct vyrec_module *template;
	uint32_t slots;			  /* that the shape declares; 0 = none */
	vyrec_unit set, shell;		  /* shell: the imported template, becomes the set */
	uint32_t exprs, locals, fns, stmts, arrays; /* what import adds to the template's indices */
	struct vyrec_mega_site run, packed, wide; /* wide: ops by workgroup, where lanes run the others */
	struct vyrec_mega_question packed_known;  /* may an opcode stand in a packed slot? */
	struct vyrec_mega_question is_wide, is_short; /* is it by workgroup? does it run from start to end without a loop? */
	vyrec_array dfa_table;	  /* the set's, for DFA_STEP; 0: it has none, and so no such op */
	vyrec_array packed_args;  /* the argument words of an op inside a packed slot */
#define X(name) vyrec_local name;
	VYREC_MEGA_LOCALS(X)
#undef X
#define X(name) vyrec_fn name; /* 0: this template has none */
	VYREC_MEGA_FNS(X)
#undef X
	vyrec_stmt workspace_bootstrap, workspace_round; /* markers; 0: the feed has none */
	bool failed;
};

/* The next handler of the set, 0 past the last; *at starts as 0. */
vyrec_handler vyrec_mega_next_handler(const struct vyrec_mega *mega, uint32_t *at);
/* VYRE_HAS_SUSPEND, _IO, _SPAWN: what the statements of the handler ask for. */
unsigned vyrec_mega_asks(struct vyrec_module *m, vyrec_handler handler);
static inline bool vyrec_mega_is_by_workgroup(struct vyrec_module *m, vyrec_handler handler)
{
	return m->handlers[handler].granularity == VYRE_BY_WORKGROUP;
}
/* import.c: false: the set has a buffer of a name that the template needs; an error says which. */
bool vyrec_mega_import(struct vyrec_mega *mega);
/* Of the template, in its own numbers; 0: it has none of that name. */
vyrec_fn vyrec_mega_find_fn(const struct vyrec_mega *mega, const char *name);
/* switch.c: the handlers move into the imported template. */
void vyrec_mega_switch(struct vyrec_mega *mega);
/* check.c: does the set fit the shape? Else errors say what does not. */
bool vyrec_mega_check(struct vyrec_mega *mega);

/* Case blocks. A handler's body moves into its case in run_claimed; a packed slot's case has a copy, made before. */
vyrec_block vyrec_mega_case(struct vyrec_mega *mega, const struct vyrec_mega_site *site, vyrec_handler handler);
/* Of the built-in op that the template's fn implements. */
vyrec_block vyrec_mega_builtin_case(struct vyrec_mega *mega, const struct vyrec_mega_site *site, vyrec_fn template_fn);
/* Of every other opcode. */
vyrec_block vyrec_mega_unknown_case(struct vyrec_mega *mega, const struct vyrec_mega_site *site);

/* workspace.c: calls of the set's fns in place of the two markers. */
void vyrec_mega_workspace(struct vyrec_mega *mega);
/* Is it one of the fns of a set that the scheduler calls? */
bool vyrec_is_workspace_fn(const struct vyrec_module *m, vyrec_fn fn);

/* The set becomes a program with the items (freed) and the body and geometry of the imported template, the last unit, which
 * goes. */
void vyrec_mega_take_place(struct vyrec_module *m, vyrec_unit set, vyrec_unit shell, struct vyrec_list *items);
/* parts.c: `const NAME: u32 = value`, a line each: what a part of the template may name. */
void vyrec_mega_print_constants(FILE *f);
/* fixpoint.c: the feed that has no slots. */
bool vyrec_mega_fixpoint(struct vyrec_module *m, vyrec_unit set, const struct vyrec_pass_options *options,
			 struct vyrec_diags *diags);

#endif
