/* litmus.h - small concurrent programs, and which of their outcomes the C11 memory model allows.
 *
 * A program is a few threads of atomic operations on a few locations, all zero at first, and one outcome: values of
 * registers, and last values of locations. litmus.c says whether any execution has that outcome; litmus_text.c reads
 * programs; litmus_place.c compares an operation's order with the one in the text that it stands for.
 */
#ifndef VYRE_TESTS_LITMUS_H
#define VYRE_TESTS_LITMUS_H
#include <stddef.h>
#include <stdint.h>

enum litmus_order { LITMUS_RELAXED, LITMUS_ACQUIRE, LITMUS_RELEASE, LITMUS_ACQREL, LITMUS_SEQCST, LITMUS_ORDERS };
enum litmus_kind { LITMUS_LOAD, LITMUS_STORE, LITMUS_ADD, LITMUS_SWAP, LITMUS_CAS, LITMUS_FENCE, LITMUS_KINDS };

enum {
	LITMUS_OPS = 18, /* of all threads */
	LITMUS_LOCATIONS = 6,
	LITMUS_REGISTERS = 10,
	LITMUS_CONDITIONS = 12,
	LITMUS_TEXT = 160,
};

struct litmus_op {
	enum litmus_kind kind;
	enum litmus_order order, weak; /* weak: the order of the twin that must allow the outcome; == order: no twin.
					* LITMUS_ORDERS: the twin has no such operation (fences) */
	int is_joint; /* weakened together with the others that are */
	int thread, location, out;     /* out: register, -1 = none */
	int32_t value, expected;       /* CAS: expected -> value; ADD: + value */
	int line;		       /* of the file it was read from */
	char file[LITMUS_TEXT], function[LITMUS_TEXT], text[LITMUS_TEXT]; /* what it stands for; "" = nothing */
};

struct litmus_condition {
	int is_location, index;
	int32_t value;
};

struct litmus {
	char name[LITMUS_TEXT], says[LITMUS_TEXT];
	int is_allowed; /* what the file says of the outcome */
	int op_count, condition_count, location_count, register_count, thread_count;
	struct litmus_op ops[LITMUS_OPS];
	struct litmus_condition conditions[LITMUS_CONDITIONS];
	char locations[LITMUS_LOCATIONS][32], registers[LITMUS_REGISTERS][32];
};

/* Is there an execution with the outcome? */
int litmus_is_allowed(const struct litmus *litmus);

/* Reads the programs of a file. Returns their number; on an error prints it to stderr and returns -1. */
int litmus_read(const char *path, struct litmus *out, int max);

extern const char *const litmus_order_names[LITMUS_ORDERS];

/* Does the text at op's place have op's order? `root` is the source tree; `after`: the place must lie behind this offset
 * of the function's text, and is left there (-1: another function than the one before). 0 and a message if not. */
int litmus_check_place(const char *root, const struct litmus_op *op, long *after, char *message, size_t bytes);

#endif
