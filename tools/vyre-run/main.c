/* main.c - vyre-run: runs one unit of a blob from the command line.
 *
 * In: a blob, buffers from files or zeroed, slots from the command line or as JSON lines; out: a line a slot, log
 * lines, dumps of buffers. Exit status: 0 all ran, 1 a fault, a timeout or input that could not be used, 2 a wrong
 * command line.
 * Everything goes through vyre.h, as a product would.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run.h"
#include "tools/common/names.h"

enum { RING_BUFFERS = 5 /* of every live set: control, ring_buffer, debug_log, io_queue, launch are the ring's own */ };

/* The rows of a set that the ring brings: those, and frames and queue where the set has them. */
static uint32_t ring_buffers(const struct vyre_blob_unit *set)
{
	return RING_BUFFERS + ((set->features & VYRE_HAS_RECORDS) != 0) + ((set->features & VYRE_HAS_QUEUE) != 0);
}

static const char usage_text[] =
    "usage: vyre-run BLOB [options]\n"
    "  --unit NAME              which set or program; needed when the blob has several\n"
    "  --device NAME            cpu (without it), cuda, cuda:1 ...\n"
    "  --workers N              threads, or workgroups, that serve the ring\n"
    "  --buffer NAME=FILE       a buffer with a file's bytes, not shorter than declared\n"
    "  --buffer NAME=zero:BYTES a zeroed buffer; those with a declared length need no option\n"
    "  --slot 'OP(1, 2, 0x3)'   runs a slot; may be repeated; nothing orders slots, --workers 2 and up overlap them\n"
    "  --json FILE|-            runs a slot a line: "
    "{\"op\":\"name\",\"args\":[1,2],\"tenant\":0,\"priority\":\"normal\"};\n"
    "                           output is JSON lines too\n"
    "  --program X[,Y,Z]        workgroups of a program; 1 without it\n"
    "  --dump NAME[:FIRST[:COUNT]]  prints elements of a buffer afterwards\n"
    "  --timeout MS             the longest wait for one slot; 10000 without it\n"
    "exit status: 0 all ran, 1 a fault, a timeout or bad input, 2 a wrong command line\n";

static int usage(const char *what, const char *which)
{
	if (what)
		fprintf(stderr, "vyre-run: %s%s%s\n", what, which ? ": " : "", which ? which : "");
	fputs(usage_text, what ? stderr : stdout);
	return what ? 2 : 0;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "vyre-run: %s: %s\n", what, why);
	return 1;
}

/* ---- the command line ---- */

static bool parse_buffer(char *text, struct buffer_option *out)
{
	char *equals = strchr(text, '=');
	if (!equals || equals == text || !equals[1])
		return false;
	*equals = 0;
	*out = (struct buffer_option){.name = text, .file = equals + 1};
	if (strncmp(out->file, "zero:", 5) != 0)
		return true;
	bool ok = parse_unsigned(out->file + 5, UINT64_C(1) << 40, &out->bytes) && out->bytes;
	out->file = NULL;
	return ok;
}

static bool parse_dump(char *text, struct dump_option *out)
{
	*out = (struct dump_option){.name = strsep(&text, ":"), .count = UINT64_MAX};
	char *first = strsep(&text, ":");
	if (first && !parse_unsigned(first, UINT64_MAX, &out->first))
		return false;
	return *out->name && (!text || parse_unsigned(text, UINT64_MAX, &out->count));
}

static bool parse_workgroups(char *text, uint32_t out[3])
{
	char *part;
	for (unsigned i = 0; (part = strsep(&text, ",")) != NULL; i++) {
		uint64_t n;
		if (i == 3 || !parse_unsigned(part, UINT32_MAX, &n) || n == 0)
			return false;
		out[i] = (uint32_t)n;
	}
	return true;
}

enum { UNIT = 1, DEVICE, WORKERS, BUFFER, SLOT, JSON, PROGRAM, DUMP, TIMEOUT, HELP };
static const struct option long_options[] = {
    {"unit", required_argument, NULL, UNIT},
    {"device", required_argument, NULL, DEVICE},
    {"workers", required_argument, NULL, WORKERS},
    {"buffer", required_argument, NULL, BUFFER},
    {"slot", required_argument, NULL, SLOT},
    {"json", required_argument, NULL, JSON},
    {"program", required_argument, NULL, PROGRAM},
    {"dump", required_argument, NULL, DUMP},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

/* False: the value of this option makes no sense. */
static bool take_option(int kind, char *value, struct options *o)
{
	uint64_t n = 0;
	switch (kind) {
	case UNIT:
		o->unit = value;
		return true;
	case DEVICE:
		o->device = value;
		return true;
	case WORKERS:
		if (!parse_unsigned(value, 4096, &n) || n == 0)
			return false;
		o->workers = (uint32_t)n;
		return true;
	case BUFFER:
		return o->buffer_count < MAX_OPTIONS && parse_buffer(value, &o->buffers[o->buffer_count++]);
	case SLOT:
		if (o->slot_count == MAX_OPTIONS)
			return false;
		o->slots[o->slot_count++] = value;
		return true;
	case JSON:
		o->json = value;
		return true;
	case PROGRAM:
		o->is_program = true;
		return parse_workgroups(value, o->workgroups);
	case DUMP:
		return o->dump_count < MAX_OPTIONS && parse_dump(value, &o->dumps[o->dump_count++]);
	case TIMEOUT:
		if (!parse_unsigned(value, 1000000000, &n))
			return false;
		o->timeout_ns = n * 1000000;
		return true;
	default:
		return false;
	}
}

/* -1: go on; else the exit status. */
static int parse_command_line(int argc, char **argv, struct options *o)
{
	int kind, index;
	*o = (struct options){.device = "cpu", .timeout_ns = UINT64_C(10000000000), .workgroups = {1, 1, 1}};
	while (index = 0, (kind = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (kind == HELP)
			return usage(NULL, NULL);
		if (kind == '?')
			return usage("what is wrong is said above", NULL);
		if (!take_option(kind, optarg, o))
			return usage("a value that cannot be used, or more than 64 of them", long_options[index].name);
	}
	if (optind + 1 != argc)
		return usage(optind == argc ? "no blob is named" : "more than one blob is named", NULL);
	o->blob = argv[optind];
	return -1;
}

/* ---- the unit ---- */

static int find_unit(struct context *s)
{
	const char *wanted = s->options->unit;
	for (uint32_t i = 0; i < s->view.unit_count; i++) {
		if (wanted ? !strcmp(vyre_blob_string(s->blob, s->view.units[i].name), wanted)
			   : s->view.unit_count == 1) {
			s->unit = &s->view.units[i];
			s->unit_index = i;
		}
	}
	if (!s->unit)
		return wanted ? usage("the blob has no unit of this name; vyre-inspect lists them", wanted)
			      : usage("the blob has several units: say which with --unit", NULL);
	bool program = s->unit->kind == VYRE_UNIT_PROGRAM;
	if (program && (s->options->slot_count || s->options->json))
		return usage("the unit is a program, which takes no slots", NULL);
	if (!program && s->options->is_program)
		return usage("the unit is a set: give it slots with --slot or --json", NULL);
	if (!program && s->unit->feed != VYRE_FEED_LIVE)
		return fail(s->options->blob, "the set's feed takes no ring: compile it with feed live");
	if (s->unit->buffer_count > MAX_OPTIONS)
		return fail(s->options->blob, "the unit has more than 64 buffers");
	s->first_own_buffer = program ? 0 : ring_buffers(s->unit);
	return -1;
}

static int find_buffer(const struct context *s, const char *name)
{
	for (uint32_t i = s->first_own_buffer; i < s->unit->buffer_count; i++) {
		if (!strcmp(vyre_blob_string(s->blob, s->view.buffers[s->unit->first_buffer + i].name), name))
			return (int)i;
	}
	return -1;
}

static int check_names(const struct context *s)
{
	const struct options *o = s->options;
	for (uint32_t i = 0; i < o->buffer_count; i++) {
		if (find_buffer(s, o->buffers[i].name) < 0)
			return usage("--buffer: the unit has no buffer of this name", o->buffers[i].name);
	}
	for (uint32_t i = 0; i < o->dump_count; i++) {
		if (find_buffer(s, o->dumps[i].name) < 0)
			return usage("--dump: the unit has no buffer of this name", o->dumps[i].name);
	}
	return -1;
}

/* ---- buffers ---- */

/* The bytes that a file gives: copied block by block into the buffer. */
static int load_file(struct context *s, const char *path, FILE *in, vyre_buffer buffer)
{
	static unsigned char block[1 << 16];
	uint64_t at = 0;
	size_t n;
	while ((n = fread(block, 1, sizeof block, in)) > 0) {
		if (vyre_buffer_write(s->device, buffer, at, block, n) != VYRE_OK)
			return fail(path, vyre_last_error());
		at += n;
	}
	return ferror(in) ? fail(path, strerror(errno)) : -1;
}

static int make_buffer(struct context *s, uint32_t i, const struct buffer_option *option)
{
	const struct vyre_blob_buffer *row = &s->view.buffers[s->unit->first_buffer + i];
	const char *name = vyre_blob_string(s->blob, row->name);
	uint64_t bytes = row->count * vyre_element_bytes(row->element);
	struct stat st;
	FILE *in = NULL;
	if (option && option->file) {
		in = fopen(option->file, "rb");
		if (!in || fstat(fileno(in), &st))
			return fail(option->file, strerror(errno));
		bytes = (uint64_t)st.st_size > bytes ? (uint64_t)st.st_size : bytes;
	} else if (option) {
		bytes = option->bytes;
	}
	int status = -1;
	if (bytes == 0)
		status = usage("a buffer without a declared length needs --buffer", name);
	else if (vyre_buffer_create(s->device, bytes, &s->buffers[i]) != VYRE_OK)
		status = fail(name, vyre_last_error());
	else if (in)
		status = load_file(s, option->file, in, s->buffers[i]);
	if (in)
		fclose(in);
	return status;
}

static int make_buffers(struct context *s)
{
	const struct options *o = s->options;
	for (uint32_t i = s->first_own_buffer; i < s->unit->buffer_count; i++) {
		const struct buffer_option *option = NULL;
		for (uint32_t k = 0; k < o->buffer_count; k++) {
			if (find_buffer(s, o->buffers[k].name) == (int)i)
				option = &o->buffers[k];
		}
		int status = make_buffer(s, i, option);
		if (status >= 0)
			return status;
	}
	return -1;
}

static int make_kernel(struct context *s)
{
	struct vyre_binding bindings[MAX_OPTIONS];
	uint32_t count = 0;
	for (uint32_t i = s->first_own_buffer; i < s->unit->buffer_count; i++)
		bindings[count++] = (struct vyre_binding){
		    vyre_blob_string(s->blob, s->view.buffers[s->unit->first_buffer + i].name), s->buffers[i]};
	struct vyre_kernel_params params = {s->blob, vyre_blob_string(s->blob, s->unit->name), bindings, count};
	if (vyre_kernel_create(s->device, &params, &s->kernel) != VYRE_OK)
		return fail(s->options->blob, vyre_last_error());
	return -1;
}

/* ---- all of it ---- */

static int run_unit(struct context *s)
{
	uint32_t fault[2] = {0, 0};
	if (s->unit->kind == VYRE_UNIT_PROGRAM) {
		vyre_status status = vyre_kernel_dispatch(s->kernel, s->options->workgroups, fault);
		if (status != VYRE_OK && status != VYRE_FAULT)
			return fail(s->options->blob, vyre_last_error());
		report_program(s, status, fault);
	} else if (!serve(s)) {
		return 1;
	}
	for (uint32_t i = 0; i < s->options->dump_count; i++) {
		const struct dump_option *dump = &s->options->dumps[i];
		uint32_t k = (uint32_t)find_buffer(s, dump->name);
		if (!report_dump(s, dump, s->unit->first_buffer + k, s->buffers[k]))
			return fail(dump->name, vyre_last_error());
	}
	return s->failed;
}

static int run(struct context *s)
{
	int status;
	if (vyre_blob_open_file(s->options->blob, &s->blob) != VYRE_OK)
		return fail(s->options->blob, vyre_last_error());
	vyre_blob_get_view(s->blob, &s->view);
	if ((status = find_unit(s)) >= 0 || (status = check_names(s)) >= 0)
		return status;
	if (vyre_device_open(s->options->device, &s->device) != VYRE_OK)
		return fail(s->options->device, vyre_last_error());
	if ((status = make_buffers(s)) >= 0 || (status = make_kernel(s)) >= 0)
		return status;
	return run_unit(s);
}

static void finish(struct context *s)
{
	vyre_kernel_destroy(s->kernel);
	for (uint32_t i = 0; i < MAX_OPTIONS; i++) {
		if (s->buffers[i] && vyre_buffer_destroy(s->device, s->buffers[i]) != VYRE_OK)
			fail("a buffer", vyre_last_error());
	}
	vyre_device_close(s->device);
	vyre_blob_close(s->blob);
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct context context;
	int status = parse_command_line(argc, argv, &options);
	if (status >= 0)
		return status;
	context.options = &options;
	status = run(&context);
	finish(&context);
	if (fflush(stdout) || ferror(stdout))
		status = fail("standard output", strerror(errno));
	return status;
}
