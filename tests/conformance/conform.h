/* conform.h - the conformance corpus: one file of source text a topic, what to run on it, and what must come out.
 *
 * A file holds one unit. Directives are comments that stand alone on their line:
 *
 *   // buffer NAME TYPE COUNT = VALUE...     content from element 0, the rest zero; or `iota`, `zero`, `seed N`
 *   // slot OP ARG...                        publishes one slot (a set)
 *   // run X [Y [Z]]                         runs the program on that many workgroups
 *   // bounds POLICY                         what accesses without a policy do
 *   // spawn_limit N                         slots spawned and not retired at once
 *   // expect NAME[I] = VALUE...             elements from I on
 *   // expect slot K result I = VALUE...     result words from I on; 64-bit values take two
 *   // expect slot K done                    no fault
 *   // expect slot K fault CODE DETAIL
 *   // expect fault CODE DETAIL              of the program
 *   // expect log ID A B                     the interpreter's log holds the record
 *
 * A VALUE is a decimal or 0x integer, perhaps negative, a number with a point, `inf`, `nan` (any NaN), `true`, `false`.
 * In slots it takes the type of the parameter; in results an integer is a u32, a number with a point an f32, and a
 * suffix l or d makes it a 64-bit integer or an f64.
 */
#ifndef VYRE_TESTS_CONFORM_H
#define VYRE_TESTS_CONFORM_H
#include "ir/ir.h"

enum { CONFORM_BUFFERS = 64, CONFORM_SLOTS = 64, CONFORM_MESSAGE = 512 };

/* What a backend runs: buffers and slots are changed in place. */
struct conform_run {
	struct vyrec_module *module;
	vyrec_unit unit;
	const char *unit_name;
	bool is_program;
	uint32_t workgroups[3]; /* of a program */
	vyrec_policy bounds;
	uint32_t spawn_limit; /* 0 = the backend's own */
	struct vyrec_interp_buffer buffers[CONFORM_BUFFERS];
	vyrec_type elements[CONFORM_BUFFERS];
	uint32_t buffer_count;
	struct vyrec_interp_slot slots[CONFORM_SLOTS];
	uint32_t slot_count;
	uint32_t fault[2];		 /* out: what the program trapped with, or zeros */
	uint32_t logs[64][4], log_count; /* out, where the backend has them: records, their number */
	bool has_logs;
};

struct conform_backend {
	const char *name;
	void *user;
	/* Returns false with the reason in message (CONFORM_MESSAGE bytes). */
	bool (*run)(void *user, struct conform_run *run, char *message);
};

/* What must come out, one value each. */
struct conform_expect {
	enum conform_expect_kind {
		CONFORM_ELEMENT,
		CONFORM_WORD,
		CONFORM_DONE,
		CONFORM_SLOT_FAULT,
		CONFORM_FAULT,
		CONFORM_LOG
	} kind;
	uint32_t line;
	uint32_t target; /* buffer or slot */
	uint64_t index;	 /* element, or word of the slot */
	vyrec_type type; /* of the value */
	uint64_t bits;
	uint32_t words[3]; /* code, detail; id, a, b */
	bool any_nan;
};

struct conform_file {
	const char *path;
	char *text;
	struct vyrec_module *module;
	struct conform_run start; /* as the directives say; its buffers hold the initial content */
	struct conform_expect *expects;
	uint32_t expect_count, expect_capacity;
};

/* Reads a file, parses and verifies it, and reads its directives. Problems are printed; returns false then. */
bool conform_open(struct conform_file *file, const char *path);
void conform_close(struct conform_file *file);
/* A copy of the starting state for one run. */
void conform_start(const struct conform_file *file, struct conform_run *run);
void conform_finish(struct conform_run *run);
/* The number of expectations that a finished run does not meet; each is printed with `who`. */
unsigned conform_check(const struct conform_file *file, const struct conform_run *run, const char *who);
/* The number of buffers and slots in which two finished runs differ; NaNs are all the same. */
unsigned conform_compare(const struct conform_file *file, const struct conform_run *want,
			 const struct conform_run *have, const char *who);

/* Runs a file on a backend and checks it; returns the number of failures. */
unsigned conform_run_backend(const struct conform_file *file, const struct conform_backend *backend);
/* Runs a file on the interpreter with 1, 4, 32 and 256 lanes, each under two seeds: expectations are met, all agree,
 * and there is no race. Returns the number of failures. */
unsigned conform_run_interp(const struct conform_file *file);

/* Which rows of the tables the files use. */
struct conform_coverage {
	bool ops[VYREC_OP_COUNT], stmts[VYREC_STMT_COUNT], builtins[VYREC_BUILTIN_COUNT];
	bool collectives[VYREC_COLLECTIVE_COUNT], atomics[VYREC_ATOMIC_COUNT];
};
void conform_cover(struct conform_coverage *coverage, const struct conform_file *file);
/* Prints the rows that no file uses; `native`: only those that a CPU slice runs. Returns their number. */
unsigned conform_report_missing(const struct conform_coverage *coverage, bool native);

#endif
