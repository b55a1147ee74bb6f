/* compile.c - vyrec FILE: a source to a blob, or to one of the forms on the way.
 *
 * Enters: the command line. Leaves: one output, written whole or not at all, and an exit code. The stages are the rooms
 * of the project in their order: parse, verify, passes, then for each target lower, optimise, emit, link; then the blob.
 */
#include <stdlib.h>
#include <string.h>

#include "passes/shape.h"
#include "runtime/abi/blob.h"
#include "runtime/abi/ring.h"
#include "vyrec.h"

enum { MAX_TARGETS = 16 };

enum emit { EMIT_BLOB, EMIT_IR, EMIT_KERNEL, EMIT_VIR0, EMIT_LLVM, EMIT_ASM, EMIT_OBJ };
static const char *const emit_names[] = {"blob", "ir", "kernel", "vir0", "llvm", "asm", "obj"};

struct options {
	const char *input, *output;
	const struct vyrec_target *targets[MAX_TARGETS];
	unsigned target_count;
	unsigned level;
	enum emit emit;
	struct vyrec_pass_options passes;
	struct vyrec_shape shape;
	bool shaped; /* a shape was named; it says feed and features */
	bool verbose, help, version, print_targets;
};

/* ---- options --------------------------------------------------------------------------------------------------------- */

static const char *set_output(void *user, const char *value)
{
	((struct options *)user)->output = value;
	return NULL;
}

static const char *set_level(void *user, const char *value)
{
	struct options *o = user;
	if (value[0] < '0' || value[0] > '3' || value[1])
		return "the level is 0, 1, 2 or 3";
	o->level = (unsigned)(value[0] - '0');
	return NULL;
}

static const char *set_targets(void *user, const char *value)
{
	struct options *o = user;
	o->target_count = 0;
	while (*value) {
		char name[64];
		size_t bytes = strcspn(value, ",");
		snprintf(name, sizeof name, "%.*s", (int)bytes, value);
		const struct vyrec_target *target = vyrec_target_find(name);
		if (!target)
			return "not a target; vyrec --print-targets lists them";
		for (unsigned i = 0; i < o->target_count; i++)
			if (o->targets[i] == target)
				return "a target is named twice";
		if (o->target_count == MAX_TARGETS)
			return "too many targets";
		o->targets[o->target_count++] = target;
		value += bytes;
		if (*value && !*++value)
			return "a target is missing after the comma";
	}
	return o->target_count ? NULL : "name at least one target";
}

static const char *set_bounds(void *user, const char *value)
{
	return parse_policy(value, &((struct options *)user)->passes.bounds) ? NULL : POLICY_HELP;
}

static const char *const feed_names[] = {
#define X(name, value, text) [value] = text,
    VYRE_FEED_LIST(X)
#undef X
};

static const char *set_feed(void *user, const char *value)
{
	struct options *o = user;
	for (unsigned feed = VYRE_FEED_NONE + 1; feed < VYRE_FEED_COUNT; feed++)
		if (!strcmp(value, feed_names[feed])) {
			o->passes.feed = feed;
			return NULL;
		}
	return "the feed is live, slots, priority or tasks";
}

static const char *set_shape(void *user, const char *value)
{
	struct options *o = user;
	const struct vyrec_shape numbers = o->shape;
	o->shaped = true;
	if (!vyrec_shape_find(value, &o->shape))
		return "not a shape; vyrec --help lists them";
	o->shape.lanes = numbers.lanes ? numbers.lanes : o->shape.lanes; /* whatever the order of the options */
	o->shape.slots = numbers.slots;
	return NULL;
}

static const char *set_lanes(void *user, const char *value)
{
	uint64_t lanes;
	if (!parse_number(value, VYREC_MAX_LANES, &lanes) || lanes == 0)
		return "a workgroup has 1 to 1024 lanes";
	((struct options *)user)->shape.lanes = (uint32_t)lanes;
	return NULL;
}

static const char *set_slots(void *user, const char *value)
{
	uint64_t slots;
	if (!parse_number(value, VYRE_MAX_SLOTS, &slots) || slots == 0)
		return "a ring has 1 to 1048576 slots";
	((struct options *)user)->shape.slots = (uint32_t)slots;
	return NULL;
}

static const char *set_emit(void *user, const char *value)
{
	struct options *o = user;
	for (size_t i = 0; i < sizeof emit_names / sizeof *emit_names; i++)
		if (!strcmp(value, emit_names[i])) {
			o->emit = (enum emit)i;
			return NULL;
		}
	return "the form is ir, kernel, vir0, llvm, asm, obj or blob";
}

static const char *set_print_after(void *user, const char *value)
{
	struct options *o = user;
	bool known = !strcmp(value, "all");
	for (vyrec_pass p = 0; p < VYREC_PASS_COUNT; p++)
		known |= !strcmp(value, vyrec_pass_name(p));
	o->passes.print_after = value;
	return known ? NULL : "not a pass; vyrec --help lists them";
}

static const char *set_audit(void *user, const char *value)
{
	(void)value;
	((struct options *)user)->passes.audit = true;
	return NULL;
}

#define FEATURE(name, bit) \
	static const char *set_##name(void *user, const char *value) \
	{ \
		(void)value; \
		((struct options *)user)->passes.features |= bit; \
		return NULL; \
	}
FEATURE(builtins, VYRE_HAS_BUILTINS)
FEATURE(fused, VYRE_HAS_FUSED)
#undef FEATURE

static const char *set_io(void *user, const char *value)
{
	struct options *o = user;
	o->passes.features &= ~(unsigned)(VYRE_HAS_IO | VYRE_HAS_SERVICE);
	if (!strcmp(value, "miss"))
		o->passes.features |= VYRE_HAS_IO;
	else if (!strcmp(value, "service"))
		o->passes.features |= VYRE_HAS_SERVICE;
	else if (!strcmp(value, "both"))
		o->passes.features |= VYRE_HAS_IO | VYRE_HAS_SERVICE;
	else if (strcmp(value, "none") != 0)
		return "io is none, miss, service or both";
	return NULL;
}

static const char *set_report(void *user, const char *value)
{
	struct options *o = user;
	o->passes.features &= ~(unsigned)VYRE_HAS_CONTROL_REPORT;
	if (!strcmp(value, "control"))
		o->passes.features |= VYRE_HAS_CONTROL_REPORT;
	else if (strcmp(value, "full") != 0)
		return "the report is full or control";
	return NULL;
}

#define FLAG(field) \
	static const char *set_##field(void *user, const char *value) \
	{ \
		(void)value; \
		((struct options *)user)->field = true; \
		return NULL; \
	}
FLAG(verbose)
FLAG(help)
FLAG(version)
FLAG(print_targets)
#undef FLAG

static const struct option_row rows[] = {
    {"-o", "FILE", set_output, "where the output goes; - is standard output; default: FILE with .vyb"},
    {"-O", "LEVEL", set_level, "0, 1, 2 or 3; default 2"},
    {"--target", "LIST", set_targets, "targets, with commas between; default: all of --print-targets"},
    {"--bounds", "POLICY", set_bounds,
     "checked, clamp, trap or unchecked, where the source names none; default checked"},
    {"--shape", "NAME", set_shape, "a kernel shape, see below; instead of feed, builtins, io, fused and report"},
    {"--lanes", "N", set_lanes, "lanes of a shape's workgroup, where the target has more than one; default 256"},
    {"--slots", "N", set_slots, "slots of a shape's ring; default 256, or as many as lanes"},
    {"--feed", "FEED", set_feed, "live, slots, priority or tasks: how work reaches a set; default live"},
    {"--builtins", NULL, set_builtins, "a set has the built-in opcodes too"},
    {"--io", "IO", set_io, "miss: LOAD_MISS asks the host for bytes; service: the host asks the kernel; both; none"},
    {"--fused", NULL, set_fused,
     "the one op of a set runs for every slot, whatever its opcode (feeds slots, priority)"},
    {"--report", "REPORT", set_report, "full, or control: only the control buffer is read back; default full"},
    {"--emit", "FORM", set_emit,
     "ir (after the passes), kernel (after megakernel assembly), vir0, llvm, asm, obj or blob; default blob"},
    {"--print-targets", NULL, set_print_targets, "list the targets and leave"},
    {"--print-after", "PASS", set_print_after, "print the program after a pass, or after all, on standard error"},
    {"--audit", NULL, set_audit, "hold every pass that says it changed nothing to its word"},
    {"-v", NULL, set_verbose, "print the time of every stage on standard error"},
    {"--version", NULL, set_version, "print the version and leave"},
    {"--help", NULL, set_help, "print this and leave"},
    {0},
};

static const char *set_input(void *user, const char *value)
{
	struct options *o = user;
	if (o->input)
		return "one input at a time";
	o->input = value;
	return NULL;
}

static void print_help(void)
{
	printf("usage: vyrec [options] FILE          compile a .vyre or VIR0 file (- is standard input) to a blob\n"
	       "       vyrec run [options] FILE      run it in the interpreter; vyrec run --help\n"
	       "       vyrec fmt [options] FILE...   format it; vyrec fmt --help\n\noptions:\n");
	options_help(rows, stdout);
	printf("\nshapes:\n");
	for (enum vyrec_shape_id id = 0; id < VYREC_SHAPE_COUNT; id++)
		printf("  %-28s %s\n", vyrec_shape_name(id), vyrec_shape_meaning(id));
	printf("\npasses, in order:\n");
	for (vyrec_pass p = 0; p < VYREC_PASS_COUNT; p++)
		printf("  %-28s %s\n", vyrec_pass_name(p), vyrec_pass_meaning(p));
	printf("\nexit codes: 0 done, 1 the input is wrong or the output cannot be written, 2 the command line is\n");
}

static int print_and_leave(const struct options *o)
{
	const struct vyrec_target *target;
	if (o->help)
		print_help();
	else if (o->version)
		printf("vyrec %s (LLVM %s)\n", VYRE_RELEASE, vyrec_llvm_version());
	else
		for (unsigned i = 0; (target = vyrec_target_at(i)); i++)
			printf("%-12s %s\n", target->name, target->meaning);
	return EXIT_FINE;
}

/* ---- stages ---------------------------------------------------------------------------------------------------------- */

static void show_time(const struct options *o, const char *stage, const char *target, double milliseconds)
{
	if (o->verbose)
		fprintf(stderr, "%-10s %-12s %8.3f ms\n", stage, target, milliseconds);
}

static bool run_passes(const struct options *o, struct vyrec_module *module, const struct source *source)
{
	struct vyrec_diags diags = {0};
	struct vyrec_pass_times times = {0};
	struct vyrec_pass_options passes = o->passes;
	passes.level = o->level;
	passes.one_lane = o->targets[0]->one_lane;
	passes.keep_sets = o->emit == EMIT_IR;
	if (!o->shaped || vyrec_shape_check(&o->shape, module, &diags))
		vyrec_run_pipeline(module, &passes, &diags, &times);
	for (vyrec_pass p = 0; p < VYREC_PASS_COUNT; p++)
		show_time(o, vyrec_pass_name(p), "", times.milliseconds[p]);
	show_time(o, "verify", "passes", times.verify);
	return show_diags(&diags, source);
}

static bool make_slices(const struct options *o, struct vyrec_module *lowered, const struct source *source,
			struct vyrec_slice *slices)
{
	struct vyrec_codegen_options codegen = {.level = o->level,
						.emit = o->emit >= EMIT_LLVM ? emit_names[o->emit] : NULL};
	struct vyrec_diags diags = {0};
	for (unsigned i = 0; i < o->target_count; i++) {
		const char *name = o->targets[i]->name;
		if (!vyrec_codegen(lowered, o->targets[i], &codegen, &slices[i], &diags))
			continue; /* the other targets have something to say too */
		show_time(o, "lower", name, slices[i].times.lower);
		show_time(o, "optimise", name, slices[i].times.optimise);
		show_time(o, "emit", name, slices[i].times.emit);
		show_time(o, "link", name, slices[i].times.link);
	}
	return show_diags(&diags, source);
}

static const char *io_flag(unsigned features)
{
	static const char *const flags[] = {"", " --io=miss", " --io=service", " --io=both"};
	return flags[(features & VYRE_HAS_IO ? 1 : 0) + (features & VYRE_HAS_SERVICE ? 2 : 0)];
}

/* The part of the command line that the bytes of the blob follow from. */
static void describe_flags(const struct options *o, char *text, size_t bytes)
{
	const unsigned has = o->passes.features;
	int at = snprintf(text, bytes, "-O%u --bounds=%s ", o->level, vyrec_policy_name(o->passes.bounds));
	if (o->shaped)
		at += snprintf(text + at, bytes - (size_t)at, "--shape=%s --lanes=%u --slots=%u ",
			       vyrec_shape_name(o->shape.id), o->shape.lanes, o->passes.slots);
	at += snprintf(text + at, bytes - (size_t)at, "--feed=%s%s%s%s%s --target=", feed_names[o->passes.feed],
		       has & VYRE_HAS_BUILTINS ? " --builtins" : "", has & VYRE_HAS_FUSED ? " --fused" : "",
		       io_flag(has), has & VYRE_HAS_CONTROL_REPORT ? " --report=control" : "");
	for (unsigned i = 0; i < o->target_count; i++)
		at += snprintf(text + at, bytes - (size_t)at, "%s%s", i ? "," : "", o->targets[i]->name);
}

static bool write_blob(const struct options *o, struct vyrec_module *original, struct vyrec_module *lowered,
		       const struct vyrec_slice *slices, const char *path)
{
	char flags[512];
	size_t bytes;
	double start = now_ms();
	describe_flags(o, flags, sizeof flags);
	struct vyrec_blob_input input = {original, lowered, slices, o->target_count, flags};
	uint8_t *blob = vyrec_blob_write(&input, &bytes);
	bool fine = file_write(path, blob, bytes);
	free(blob);
	show_time(o, "write", "", now_ms() - start);
	return fine;
}

static bool write_ir(struct vyrec_module *module, const char *path)
{
	size_t bytes;
	char *text = vyrec_print(module, 0, &bytes);
	bool fine = file_write(path, text, bytes);
	free(text);
	return fine;
}

static bool write_vir0(struct vyrec_module *module, const char *path)
{
	size_t bytes;
	uint8_t *data = vyrec_vir0_write(module, &bytes);
	bool fine = file_write(path, data, bytes);
	free(data);
	return fine;
}

static bool compile_module(const struct options *o, struct vyrec_module *module, const struct source *source,
			   const char *path)
{
	struct vyrec_slice slices[MAX_TARGETS] = {0};
	struct vyrec_module *original;
	bool fine;
	if (o->emit == EMIT_VIR0)
		return write_vir0(module, path);
	original = vyrec_module_clone(module);
	fine = run_passes(o, module, source);
	if (fine && (o->emit == EMIT_IR || o->emit == EMIT_KERNEL))
		fine = write_ir(module, path);
	else if (fine && make_slices(o, module, source, slices))
		fine = o->emit == EMIT_BLOB ? write_blob(o, original, module, slices, path)
					    : file_write(path, slices[0].text, slices[0].text_bytes);
	else
		fine = false;
	for (unsigned i = 0; i < o->target_count; i++)
		vyrec_slice_finish(&slices[i]);
	vyrec_module_destroy(original);
	return fine;
}

/* FILE.vyre -> FILE.vyb beside it; text forms and standard input go to standard output. */
static char *output_path(const struct options *o)
{
	const char *given = o->output;
	const char *from = o->input ? o->input : vyrec_shape_name(o->shape.id);
	if (!given && (o->emit != EMIT_BLOB || !strcmp(from, "-")))
		given = "-";
	if (given)
		return strdup(given);
	const char *slash = strrchr(from, '/'), *dot = strrchr(slash ? slash + 1 : from, '.');
	size_t stem = dot && dot > (slash ? slash + 1 : from) ? (size_t)(dot - from) : strlen(from);
	char *path = vyrec_alloc(stem + 5);
	memcpy(path, from, stem);
	memcpy(path + stem, ".vyb", 5);
	return path;
}

static void take_all_targets(struct options *o)
{
	const struct vyrec_target *target;
	while (o->target_count < MAX_TARGETS && (target = vyrec_target_at(o->target_count)))
		o->targets[o->target_count++] = target;
}

/* The shape says what the passes are asked for. False after a message. */
static bool take_shape(struct options *o)
{
	struct vyrec_diags diags = {0};
	bool fine;
	if (!o->shaped) {
		fine = !o->shape.lanes && !o->shape.slots;
		if (!fine)
			fprintf(stderr, "vyrec: --lanes and --slots belong to a shape; name it with --shape\n");
		return fine;
	}
	if (o->passes.features || o->passes.feed != VYRE_FEED_LIVE) {
		fprintf(stderr, "vyrec: --shape=%s says feed, built-ins, io, fusion and report; leave those out\n",
			vyrec_shape_name(o->shape.id));
		return false;
	}
	fine = vyrec_shape_options(&o->shape, &o->passes, &diags);
	vyrec_diags_print(&diags, "vyrec", NULL, 0, stderr);
	vyrec_diags_finish(&diags);
	return fine;
}

/* A shape of built-ins alone needs no file. */
static bool read_input(const struct options *o, struct source *source)
{
	static const char empty[] = VYREC_SHAPE_EMPTY_SET;
	if (o->input)
		return source_read(o->input, source);
	*source = (struct source){vyrec_shape_name(o->shape.id), strdup(empty), sizeof empty - 1};
	return true;
}

int command_compile(int argc, char **argv)
{
	struct options o = {.level = 2, .passes = {.bounds = VYREC_POLICY_CHECKED, .feed = VYRE_FEED_LIVE}};
	double start = now_ms();
	if (!options_read("vyrec", argc, argv, rows, &o, set_input))
		return EXIT_USAGE;
	if (o.help || o.version || o.print_targets)
		return print_and_leave(&o);
	if (!o.input && !(o.shaped && o.shape.id == VYREC_SHAPE_DEFAULT)) {
		fprintf(stderr, "vyrec: no input; see vyrec --help\n");
		return EXIT_USAGE;
	}
	if (!take_shape(&o))
		return EXIT_USAGE;
	if (o.emit >= EMIT_LLVM && o.target_count != 1) {
		fprintf(stderr, "vyrec: --emit=%s is for one target; name it with --target\n", emit_names[o.emit]);
		return EXIT_USAGE;
	}
	if (!o.target_count)
		take_all_targets(&o);

	struct source source;
	struct module_times times;
	char *path = output_path(&o);
	bool harmful = o.input && strcmp(o.input, "-") && strcmp(path, "-") && is_same_file(o.input, path);
	if (harmful)
		fprintf(stderr, "vyrec: the output would replace the input %s; name another with -o\n", o.input);
	if (harmful || !read_input(&o, &source)) {
		free(path);
		return harmful ? EXIT_USAGE : EXIT_BAD_INPUT;
	}
	struct vyrec_module *module = source_to_module(&source, &times);
	show_time(&o, "parse", "", times.parse);
	show_time(&o, "verify", "", times.verify);
	bool fine = module && compile_module(&o, module, &source, path);
	show_time(&o, "total", "", now_ms() - start);
	if (module)
		vyrec_module_destroy(module);
	source_finish(&source);
	free(path);
	return fine ? EXIT_FINE : EXIT_BAD_INPUT;
}
