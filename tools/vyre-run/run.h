/* run.h - private to vyre-run: the command line, and what its parts ask of each other. */
#ifndef VYRE_RUN_H
#define VYRE_RUN_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/common/value.h"
#include "vyre.h"

enum {
	MAX_OPTIONS = 64, /* of each kind that may be repeated */
	MESSAGE_BYTES = 256,
};

/* name=FILE or name=zero:BYTES */
struct buffer_option {
	const char *name, *file;
	uint64_t bytes;
};

/* name[:first[:count]] */
struct dump_option {
	char *name;
	uint64_t first, count; /* count UINT64_MAX = to the end */
};

struct options {
	const char *blob, *unit, *device, *json;
	uint32_t workers, workgroups[3];
	uint64_t timeout_ns;
	bool is_program;
	struct buffer_option buffers[MAX_OPTIONS];
	const char *slots[MAX_OPTIONS];
	struct dump_option dumps[MAX_OPTIONS];
	uint32_t buffer_count, slot_count, dump_count;
};

/* The unit that is run, and where its output goes. */
struct context {
	const struct options *options;
	struct vyre_blob *blob;
	struct vyre_blob_view view;
	const struct vyre_blob_unit *unit;
	uint32_t unit_index;
	struct vyre_device *device;
	vyre_buffer buffers[MAX_OPTIONS];
	uint32_t first_own_buffer; /* of the unit's buffers; those before it are the ring's */
	struct vyre_kernel *kernel;
	bool failed; /* a fault, a timeout or a bad line: exit status 1 */
};

/* One slot as asked for. */
struct request {
	uint64_t number;
	const struct vyre_blob_op *op; /* NULL = an opcode that is not in the set's table */
	uint32_t tenant;
	struct vyre_slot slot;
};

/* slot.c: both say in `message` what is wrong. */
bool slot_parse(const struct context *s, const char *text, struct request *out, char message[MESSAGE_BYTES]);
bool slot_parse_json(const struct context *s, const char *line, size_t bytes, struct request *out,
		     char message[MESSAGE_BYTES]);

/* report.c */
const char *op_name(const struct context *s, const struct request *r);
void report_result(struct context *s, const struct request *r, vyre_status status, const struct vyre_result *result);
void report_logs(struct context *s, struct vyre_ring *ring);
bool report_dump(struct context *s, const struct dump_option *dump, uint32_t row, vyre_buffer buffer);
void report_program(struct context *s, vyre_status status, const uint32_t fault[2]);

/* serve.c: runs the slots of the command line and of --json through a ring. */
bool serve(struct context *s);

#endif
