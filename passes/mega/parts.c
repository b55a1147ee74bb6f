/* parts.c - the template of a megakernel: constants, then parts of text, in the order of one table.
 *
 * Enters: the shape of an assembly. Leaves: a parsed program `NAME workgroup(LANES) { ... }` with run_claimed and the
 * feed's body, whose numbers are literals. A part is there or not by its row. Parts know each other by their functions
 * alone, and where a part is left out, another one defines the same functions as what is true without it (there is no
 * record: every word of it is 0). So no text has conditions in it, and the folder removes what is never reached. Why
 * not one text with conditions inside: a reader would have to keep every combination in mind.
 *
 * The order of the rows is the order of the buffers: frames, then queue.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/mega/mega.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/io.h"
#include "runtime/abi/mailbox.h"
#include "runtime/abi/opcode.h"
#include "runtime/abi/packed.h"
#include "runtime/abi/queue.h"
#include "runtime/abi/task.h"

enum {
	LIVE_BATCH = 32,       /* positions that one claim takes at most */
	STARVATION_LIMIT = 16, /* claims before another priority than the highest comes first */

	LIVE = 1 << VYRE_FEED_LIVE,
	SLOTS = 1 << VYRE_FEED_SLOTS,
	PRIORITY = 1 << VYRE_FEED_PRIORITY,
	TASKS = 1 << VYRE_FEED_TASKS,
	SCANNING = SLOTS | PRIORITY | TASKS,
	EVERY_FEED = LIVE | SCANNING,
	/* beside the features: */
	STOPS = 1 << 30, /* a slot may stop; the priority feed has records also where none does */
	ROWS = 1 << 29,	 /* behind a mailbox, where slots run from start to end: rows of a batch (mailbox.vyre) */
	FERRY = 1 << 28, /* behind a mailbox, where there is a queue (mailbox_ferry.vyre) */
	WIDE = 1 << 27,	 /* there are ops by workgroup, and lanes for them */
	LINK = 1 << 26,	 /* behind a mailbox: ROWS or FERRY */
};

/*   text       feeds       features that it needs   features in whose absence alone it is there */
#define PARTS(X) \
	X(base, EVERY_FEED, 0, 0) \
	X(own_cpu, EVERY_FEED, 0, LINK) \
	X(own_device, LIVE, FERRY, 0) \
	X(run, EVERY_FEED, 0, ROWS) \
	X(args, EVERY_FEED & ~TASKS, 0, ROWS) \
	X(metrics, EVERY_FEED, 0, VYRE_HAS_FUSED | ROWS) \
	X(nometrics, EVERY_FEED, VYRE_HAS_FUSED, 0) \
	X(norecords, EVERY_FEED, 0, STOPS | ROWS) \
	X(records, EVERY_FEED, STOPS, 0) \
	X(orders, PRIORITY, 0, STOPS) \
	X(noqueue, EVERY_FEED, 0, VYRE_HAS_QUEUE | ROWS) \
	X(io_cpu, EVERY_FEED, VYRE_HAS_IO, LINK) \
	X(io_device, LIVE, VYRE_HAS_IO | FERRY, 0) \
	X(io, EVERY_FEED, VYRE_HAS_IO, 0) \
	X(noio, EVERY_FEED, 0, VYRE_HAS_IO) \
	X(miss, EVERY_FEED, VYRE_HAS_BUILTINS | VYRE_HAS_IO, 0) \
	X(nobuiltins, SCANNING, 0, VYRE_HAS_BUILTINS) \
	X(builtins, EVERY_FEED, VYRE_HAS_BUILTINS, 0) \
	X(packed, EVERY_FEED & ~TASKS, VYRE_HAS_BUILTINS, 0) \
	X(shut_live, EVERY_FEED, VYRE_HAS_BUILTINS | VYRE_HAS_QUEUE, 0) \
	X(shut_control, EVERY_FEED, VYRE_HAS_BUILTINS, VYRE_HAS_QUEUE) \
	X(once, EVERY_FEED, VYRE_HAS_ONCE, 0) \
	X(rounds, EVERY_FEED, 0, VYRE_HAS_ONCE) \
	X(scan, SCANNING, 0, 0) \
	X(wait, SCANNING, STOPS, 0) \
	X(wait_io, SCANNING, VYRE_HAS_IO, 0) \
	X(service, SCANNING, VYRE_HAS_SERVICE, 0) \
	X(noservice, SCANNING, 0, VYRE_HAS_SERVICE) \
	X(queue, LIVE, VYRE_HAS_QUEUE, 0) \
	X(queue_wait, LIVE, VYRE_HAS_QUEUE, 0) \
	X(wake, LIVE, VYRE_HAS_QUEUE, 0) \
	X(queue_io, LIVE, VYRE_HAS_QUEUE | VYRE_HAS_IO, 0) \
	X(queue_noio, LIVE, VYRE_HAS_QUEUE, VYRE_HAS_IO) \
	X(queue_builtins, LIVE, VYRE_HAS_QUEUE | VYRE_HAS_BUILTINS, 0) \
	X(quota, LIVE, 0, 0) \
	X(live, LIVE, 0, VYRE_HAS_QUEUE | ROWS) \
	X(mailbox_link, LIVE, LINK, 0) \
	X(mailbox, LIVE, ROWS, 0) \
	X(mailbox_poll, LIVE, ROWS, 0) \
	X(mailbox_row, LIVE, ROWS, 0) \
	X(mailbox_wide, LIVE, ROWS | WIDE, 0) \
	X(mailbox_narrow, LIVE, ROWS, WIDE) \
	X(live_queue, LIVE, VYRE_HAS_QUEUE, 0) \
	X(live_queue_body, LIVE, VYRE_HAS_QUEUE, FERRY) \
	X(mailbox_ferry, LIVE, FERRY, 0) \
	X(slots, SLOTS, 0, 0) \
	X(slots_stop, SLOTS, STOPS, 0) \
	X(slots_fence, SLOTS, VYRE_HAS_BUILTINS, 0) \
	X(priority, PRIORITY, 0, 0) \
	X(priority_stop, PRIORITY, STOPS, 0) \
	X(tasks, TASKS, 0, 0) \
	X(task_words, TASKS, 0, 0) \
	X(task_spawn, TASKS, VYRE_HAS_SPAWN, 0)

/* Each feed's body. */
#define BODIES(X) X(live) X(live_queue_body) X(mailbox) X(mailbox_ferry) X(slots) X(priority) X(tasks)

#define X(name, feeds, needs, lacks) extern const char vyrec_mega_##name##_text[];
PARTS(X)
#undef X

static const struct part {
	const char *text;
	int feeds;
	unsigned needs, lacks;
} parts[] = {
#define X(name, feeds, needs, lacks) {vyrec_mega_##name##_text, feeds, needs, lacks},
    PARTS(X)
#undef X
};

static const struct {
	const char *name;
	uint32_t value;
} constants[] = {
/* clang-format off */
#define X(name, word, words, writer, text) {"CONTROL_" #name, word},
    VYRE_CONTROL_FIELDS(X)
#undef X
#define X(name, word, words, writer, text) {"LIVE_" #name, word},
	VYRE_LIVE_FIELDS(X)
#undef X
#define X(name, word, words, text) {"ENGINE_" #name, word},
	VYRE_ENGINE_FIELDS(X)
#undef X
#define X(name, value) {"FACTOR_" #name, value},
	VYRE_MAILBOX_FACTOR_LIST(X)
#undef X
#define X(name, word, words, writer, text) {"SLOT_WORD_" #name, word},
	    VYRE_SLOT_FIELDS(X)
#undef X
#define X(name, value) {"SLOT_" #name, value},
		VYRE_SLOT_STATUS_LIST(X)
#undef X
#define X(name, value) {"PRIORITY_" #name, value},
		    VYRE_PRIORITY_LIST(X)
#undef X
#define X(name, value) {"OPCODE_" #name, value},
			VYRE_OPCODE_LIST(X)
#undef X
#define X(name, value, text) {"COMMAND_" #name, value},
			    VYRE_COMMAND_LIST(X)
#undef X
#define X(name, value, text) {"FAULT_" #name, value},
				VYRE_FAULT_LIST(X)
#undef X
#define X(name, word, text) {"LAUNCH_" #name, word},
				    VYRE_LAUNCH_FIELDS(X)
#undef X
#define X(name, word, text) {"FRAMES_" #name, word},
					VYRE_FRAMES_FIELDS(X)
#undef X
#define X(name, word, text) {"IO_NOTE_" #name, word},
					    VYRE_IO_NOTE_FIELDS(X)
#undef X
#define X(name, word, text) {"RECORD_" #name, word},
						VYRE_RECORD_FIELDS(X)
#undef X
#define X(name, word, text) {"REQUEST_" #name, word},
						    VYRE_REQUEST_FIELDS(X)
#undef X
#define X(name, word, text) {"IO_TABLE_" #name, word},
							VYRE_IO_TABLE_FIELDS(X)
#undef X
#define X(name, value) {"IO_RIGHT_" #name, value},
							    VYRE_IO_RIGHT_LIST(X)
#undef X
#define X(name, value) {"WAIT_" #name, value},
								VYRE_WAIT_LIST(X)
#undef X
#define X(name, word, text) {"QUEUE_" #name, word},
								    VYRE_QUEUE_FIELDS(X)
#undef X
#define X(name, word, text) {"IO_WORD_" #name, word},
									VYRE_IO_ENTRY_FIELDS(X)
#undef X
#define X(name, value) {"IO_OP_" #name, value},
									    VYRE_IO_OP_LIST(X)
#undef X
#define X(name, value) {"IO_STATUS_" #name, value},
										VYRE_IO_STATUS_LIST(X)
#undef X
#define X(name, word, text) {"TASK_" #name, word},
										    VYRE_TASK_FIELDS(X)
#undef X
#define X(name, value) {"TASK_FLAG_" #name, value},
											VYRE_TASK_FLAG_LIST(X)
#undef X
#define X(name, value, operands) {"STOP_" #name, value},
											    VYREC_STOP_LIST(X)
#undef X
    /* clang-format on */
    {"CONTROL_MIN_WORDS", VYRE_CONTROL_MIN_WORDS},
    {"LIVE_WORDS", VYRE_LIVE_WORDS},
    {"SLOT_WORDS", VYRE_SLOT_WORDS},
    {"SLOT_CANCELLING", VYRE_SLOT_CANCELLING},
    {"SLOT_ARGS", VYRE_SLOT_ARGS},
    {"TENANT_MASKS", VYRE_TENANT_MASKS},
    {"WINDOW_BASE", VYRE_WINDOW_BASE},
    {"WINDOW_OPCODES", VYRE_WINDOW_OPCODES},
    {"DEBUG_WORDS", VYRE_DEBUG_WORDS},
    {"DEBUG_RECORD_WORDS", VYRE_DEBUG_RECORD_WORDS},
    {"IO_WORDS", VYRE_IO_WORDS},
    {"IO_ENTRIES", VYRE_IO_ENTRIES},
    {"IO_ENTRY_WORDS", VYRE_IO_ENTRY_WORDS},
    {"IO_DEVICE_ENTRIES", VYRE_IO_DEVICE_ENTRIES},
    {"IO_NOTE_WORDS", VYRE_IO_NOTE_WORDS},
    {"RECORD_WORDS", VYRE_RECORD_WORDS},
    {"RECORD_WAITS", (uint32_t)VYRE_RECORD_WAITS},
    {"POINT_MISS", VYREC_POINT_MISS},
    {"EIO", EIO},
    {"EBADF", EBADF},
    {"EACCES", EACCES},
    {"EINVAL", EINVAL},
    {"ERANGE", ERANGE},
    {"IO_TABLE_WORDS", VYRE_IO_TABLE_WORDS},
    {"FRAMES_IO", VYRE_FRAMES_IO},
    {"FRAMES_HEADER_WORDS", VYRE_FRAMES_HEADER_WORDS},
    {"QUEUE_HEADER_WORDS", VYRE_QUEUE_HEADER_WORDS},
    {"QUEUE_RINGS", VYRE_QUEUE_RINGS},
    {"QUEUE_READY", VYRE_QUEUE_READY},
    {"QUEUE_MASKED", VYRE_QUEUE_MASKED},
    {"QUEUE_LIMITED", VYRE_QUEUE_LIMITED},
    {"MEMCPY_WORDS", VYRE_MEMCPY_WORDS},
    {"PACKED_MAX_OPS", VYRE_PACKED_MAX_OPS},
    {"BATCH", LIVE_BATCH},
    {"STARVATION_LIMIT", STARVATION_LIMIT},
};

void vyrec_mega_print_constants(FILE *f)
{
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		fprintf(f, "const %s: u32 = %u\n", constants[i].name, constants[i].value);
}

/* fault_<name in lower case>(detail), for every kind of fault. The block is there for what follows a call: nothing may
 * follow a trap in its own. */
static void print_faults(FILE *f)
{
	static const struct {
		const char *name;
		unsigned value;
	} faults[] = {
#define X(name, value, text) {#name, value},
	    VYRE_FAULT_LIST(X)
#undef X
	};
	for (size_t i = 1; i < sizeof faults / sizeof *faults; i++) {
		fprintf(f, "fn fault_");
		for (const char *c = faults[i].name; *c; c++)
			fputc(tolower((unsigned char)*c), f);
		fprintf(f, "(detail: u32) { block { trap(%u: detail) } }\n", faults[i].value);
	}
}

/* What depends on how many slots a batch of a mailbox has. */
static void print_rows(FILE *f, const struct vyrec_mega_shape *shape)
{
	fprintf(f, "const ROWS: u32 = %u\n", shape->rows);
	fprintf(f, "const ROW_WORDS: u32 = %u\n", VYREC_MEGA_ROW_WORDS);
	fprintf(f, "shared stage: u32[%u]\n", shape->rows * VYREC_MEGA_ROW_WORDS);
	if (shape->wide)
		fprintf(f, "shared wide_rows: u32[%u]\n", shape->rows);
}

static bool has_part(const struct part *part, const struct vyrec_mega_shape *shape)
{
	unsigned stopping = shape->feed == VYRE_FEED_PRIORITY ? VYRE_HAS_SUSPEND | VYRE_HAS_IO : VYRE_HAS_RECORDS;
	unsigned features = shape->features | (shape->features & stopping ? STOPS : 0) |
			    (shape->mailbox ? LINK | (vyrec_mega_has_ferry(shape) ? FERRY : ROWS) : 0) |
			    (shape->wide ? WIDE : 0);
	return (part->feeds >> shape->feed & 1) && (features & part->needs) == part->needs && !(features & part->lacks);
}

/* Consts but FRAME_NEED become literals, so that the program takes none over; places in the template mean nothing to the user. */
static void settle(struct vyrec_module *t)
{
	for (uint32_t i = 1; i < t->expr_count; i++) {
		struct vyrec_expr_node *e = &t->exprs[i];
		e->loc = 0;
		if (e->kind == VYREC_EXPR_CONST && strcmp(vyrec_name_text(t, t->consts[e->sym].name), "FRAME_NEED"))
			vyrec_become_const_value(t, i);
	}
	for (uint32_t i = 1; i < t->stmt_count; i++)
		t->stmts[i].loc = 0;
}

/* The words of a record from DATA on. A task's one word is DATA, more are a frame's; and where slots ask for bytes the others
 * are their requests. */
uint32_t vyrec_mega_inline_words(const struct vyrec_mega_shape *shape)
{
	return shape->feed == VYRE_FEED_LIVE && !(shape->features & VYRE_HAS_IO) ? VYRE_RECORD_WORDS - VYRE_RECORD_DATA
										 : 1;
}

/* Does one of the parts hold the feed's body? */
static bool has_body(const struct vyrec_mega_shape *shape)
{
	static const char *const bodies[] = {
#define X(name) vyrec_mega_##name##_text,
	    BODIES(X)
#undef X
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		for (size_t k = 0; k < sizeof bodies / sizeof *bodies; k++)
			if (parts[i].text == bodies[k] && has_part(&parts[i], shape))
				return true;
	return false;
}

struct vyrec_module *vyrec_mega_template(const struct vyrec_mega_shape *shape, struct vyrec_diags *diags)
{
	if (!has_body(shape)) {
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", 0,
		    "this version cannot assemble feed %u with features 0x%x for set `%s`; choose another feed",
		    shape->feed, shape->features, shape->name);
		return NULL;
	}
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	if (!f)
		return NULL;
	fprintf(f, "program %s workgroup(%u) {\n", shape->name, shape->lanes);
	vyrec_mega_print_constants(f);
	fprintf(f, "const FRAME_INLINE: u32 = %u\n", vyrec_mega_inline_words(shape));
	fprintf(f, "const FRAME_NEED: u32 = 0\n"); /* known when the handlers are in their cases: mega.c */
	print_faults(f);
	if (shape->mailbox && !vyrec_mega_has_ferry(shape))
		print_rows(f, shape);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (has_part(&parts[i], shape))
			fprintf(f, "%s\n", parts[i].text);
	fprintf(f, "}\n");
	fclose(f);
	struct vyrec_module *template = vyrec_parse("megakernel", text, bytes, diags);
	free(text);
	if (template)
		settle(template);
	return template;
}
