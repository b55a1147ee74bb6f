/* shape.h - kernel shapes by name: one row for each program that a user of vyre 0.6 asked a builder function for, and for
 * ours.
 *
 * A shape is a feed, what comes with it, a number of lanes and of slots. How long a kernel lives is not part of a shape,
 * but of its launch words (runtime/abi/cpu.h); only the `once` ones are made for one round.
 */
#ifndef VYREC_SHAPE_H
#define VYREC_SHAPE_H
#include "passes/passes.h"

/* What a set must have to be given a shape, and how many slots the shape has.
 *   NO_OPS    the built-in opcodes alone: a set without ops, or no set at all
 *   ONE_OP    exactly one op, which every slot runs
 *   HOOKS     fn workspace_bootstrap(), and, if it likes, workspace_guard() -> bool and workspace_dispatch()
 *   AS_LANES  as many slots as lanes
 *   ONE_LANE  a workgroup of one lane, whatever else is asked for: workgroups meet in the ring, not in lanes */
enum {
	VYREC_SHAPE_NO_OPS = 1,
	VYREC_SHAPE_ONE_OP = 2,
	VYREC_SHAPE_HOOKS = 4,
	VYREC_SHAPE_AS_LANES = 8,
	VYREC_SHAPE_ONE_LANE = 16,
};

/*   id              name              feed      features                   needs                meaning */
#define VYREC_SHAPE_LIST(X) \
	X(DEFAULT,       "default",        SLOTS,    HAS(BUILTINS),             NEEDS(NO_OPS),       "the built-in opcodes alone") \
	X(SHARDED,       "sharded",        SLOTS,    HAS(BUILTINS),             NEEDS(AS_LANES),     "ops and built-ins, a slot for every lane of one workgroup") \
	X(SHARDED_SLOTS, "sharded-slots",  SLOTS,    HAS(BUILTINS),             0,                   "ops and built-ins, any number of slots") \
	X(ONCE,          "once",           SLOTS,    HAS(BUILTINS) | HAS(ONCE), 0,                   "one round: every published slot is run once") \
	X(ONCE_CONTROL,  "once-control",   SLOTS,    HAS(BUILTINS) | HAS(ONCE) | HAS(CONTROL_REPORT), 0, "once; only control is read back") \
	X(NO_IO,         "no-io",          SLOTS,    HAS(BUILTINS),             NEEDS(AS_LANES),     "sharded by its other name") \
	X(IO_SERVICE,    "io-service",     SLOTS,    HAS(BUILTINS) | HAS(SERVICE), NEEDS(AS_LANES),  "sharded; the host asks it to move bytes") \
	X(MISS,          "miss",           SLOTS,    HAS(BUILTINS) | HAS(IO),   0,                   "sharded-slots; LOAD_MISS asks the host for file ranges") \
	X(WORKSPACE,     "workspace",      SLOTS,    HAS(BUILTINS),             NEEDS(HOOKS),        "sharded-slots around the set's own bootstrap, guard and dispatch") \
	X(JIT,           "jit",            SLOTS,    HAS(FUSED),                NEEDS(ONE_OP) | NEEDS(AS_LANES), "the one op runs for every slot, a slot for every lane") \
	X(JIT_SLOTS,     "jit-slots",      SLOTS,    HAS(FUSED),                NEEDS(ONE_OP),       "the one op runs for every slot") \
	X(PRIORITY,      "priority",       PRIORITY, HAS(BUILTINS),             NEEDS(AS_LANES),     "five partitions, a slot for every lane") \
	X(PRIORITY_SLOTS, "priority-slots", PRIORITY, HAS(BUILTINS),            0,                   "five partitions, any number of slots") \
	X(TASKS,         "tasks",          TASKS,    0,                         0,                   "slots are continuation tasks") \
	X(LIVE,          "live",           LIVE,     HAS(BUILTINS),             NEEDS(ONE_LANE),     "the resident ring that the loader feeds") \
	X(FIXPOINT,      "fixpoint",       FIXPOINT, 0,                         NEEDS(ONE_OP),       "the one op over every word of `current`, until nothing changes")

enum vyrec_shape_id {
#define X(id, name, feed, features, needs, meaning) VYREC_SHAPE_##id,
	VYREC_SHAPE_LIST(X)
#undef X
	VYREC_SHAPE_COUNT
};

enum { VYREC_SHAPE_LANES = 256, VYREC_SHAPE_SLOTS = 256 }; /* where nothing else is asked for */

/* A shape with its numbers. Fill with vyrec_shape_find, change lanes and slots, hand to the others, which check them. */
struct vyrec_shape {
	enum vyrec_shape_id id;
	uint32_t lanes; /* of a workgroup, 1 .. 1024; a target of one lane runs the same with more workgroups */
	uint32_t slots; /* of the ring, 1 .. 2^20; 0 = as many as lanes where the shape says so, else 256 */
};

const char *vyrec_shape_name(enum vyrec_shape_id id);
const char *vyrec_shape_meaning(enum vyrec_shape_id id);
/* False when there is no such shape. */
bool vyrec_shape_find(const char *name, struct vyrec_shape *shape);

/* What the pipeline must be asked for; the rest of the options stays as it is, and VYRE_HAS_ONCE if it was asked for. Slots are resolved, so never 0.
 * False, with the reason in diags, when the numbers do not fit the shape. */
bool vyrec_shape_options(const struct vyrec_shape *shape, struct vyrec_pass_options *options, struct vyrec_diags *diags);
/* Can every set of the module be given the shape? Errors name the op or fn that is missing or too many. */
bool vyrec_shape_check(const struct vyrec_shape *shape, const struct vyrec_module *module, struct vyrec_diags *diags);

/* A set without ops: what a shape of built-ins alone is made from; as text, and as a new module, the caller's. */
#define VYREC_SHAPE_EMPTY_SET "set vyre {\n}\n"
struct vyrec_module *vyrec_shape_empty_set(void);
/* A new module: the set (NULL = the empty one) in that shape, through the whole pipeline. `set` is not changed. NULL and
 * diags on error. `options` says level, bounds and one_lane; feed, features, lanes and slots are the shape's. The
 * caller's. */
struct vyrec_module *vyrec_shape_build(const struct vyrec_shape *shape, const struct vyrec_module *set,
				       const struct vyrec_pass_options *options, struct vyrec_diags *diags);

/* ---- templates: shapes of built-ins alone, built once (shape_cache.c) -------------------------------------------------- */

/* Immutable; shared by everyone who asks for the same shape with the same options; any thread. */
struct vyrec_template {
	const struct vyrec_module *module;
};
enum { VYREC_TEMPLATES_KEPT = 64 };

/* One more reference to the template; built if it is not kept. Those that nobody refers to are kept up to
 * VYREC_TEMPLATES_KEPT in all, the least recently used goes first. NULL and diags on error. Any thread; may block while
 * another thread builds. */
const struct vyrec_template *vyrec_template_get(const struct vyrec_shape *shape,
						const struct vyrec_pass_options *options, struct vyrec_diags *diags);
void vyrec_template_unref(const struct vyrec_template *template);
/* How many are kept now, and how many have been built since the process started: for tests and reports. */
void vyrec_template_count(unsigned *kept, uint64_t *built);

/* ---- the body of one round, for a larger program (shape_round.c) ------------------------------------------------------- */

/* Puts one round of the shape (feeds slots and priority, fused or not) where `program` says `opaque "vyre.round" ""`:
 * the shape's buffers join the program's (a buffer of the same name must be of the same class and element, and is then
 * shared), and what would end the kernel leaves the round's block instead. `set` as in vyrec_shape_build. The program
 * keeps its own workgroup size, which must be one lane if a handler needs it. */
bool vyrec_splice_round(struct vyrec_module *module, vyrec_unit program, const struct vyrec_shape *shape,
			const struct vyrec_module *set, const struct vyrec_pass_options *options,
			struct vyrec_diags *diags);

#endif
