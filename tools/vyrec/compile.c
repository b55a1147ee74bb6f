/* compile.c - vyrec FILE: a source to a blob, or to one of the forms on the way.
 *
 * Enters: the command line. Leaves: one output, written whole or not at all, and an exit code. What is between is in
 * build.c.
 */
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "runtime/abi/blob.h"
#include "runtime/abi/ring.h"

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

static const char *add_target(struct options *o, const struct vyrec_target *target)
{
	for (unsigned i = 0; i < o->target_count; i++)
		if (o->targets[i] == target)
			return "a target is named twice";
	if (o->target_count == MAX_TARGETS)
		return "too many targets";
	o->targets[o->target_count++] = target;
	return NULL;
}

/* Names for several targets; NULL in place of a list: all of the family. */
static const struct {
	const char *name, *meaning;
	enum vyrec_family family;
	const char *members[4];
} groups[] = {
    {"native", "every x86-64 level; the default", VYREC_FAMILY_NATIVE, {NULL}},
    {"nvidia", "sm_75, sm_80, sm_90, sm_100", VYREC_FAMILY_NVPTX, {"sm_75", "sm_80", "sm_90", "sm_100"}},
};
enum { GROUP_COUNT = sizeof groups / sizeof *groups };

static const char *add_group(struct options *o, unsigned group)
{
	const struct vyrec_target *target;
	const char *wrong = NULL;
	for (unsigned i = 0; !wrong && i < 4 && groups[group].members[i]; i++)
		wrong = add_target(o, vyrec_target_find(groups[group].members[i]));
	for (unsigned i = 0; !wrong && !groups[group].members[0] && (target = vyrec_target_at(i)); i++)
		wrong = target->family == groups[group].family ? add_target(o, target) : NULL;
	return wrong;
}

static const char *add_named(struct options *o, const char *name)
{
	const struct vyrec_target *target = vyrec_target_find(name);
	for (unsigned i = 0; !target && i < GROUP_COUNT; i++)
		if (!strcmp(groups[i].name, name))
			return add_group(o, i);
	return target ? add_target(o, target) : "not a target; vyrec --print-targets lists them";
}

static const char *set_targets(void *user, const char *value)
{
	struct options *o = user;
	o->target_count = 0;
	while (*value) {
		char name[64];
		size_t bytes = strcspn(value, ",");
		snprintf(name, sizeof name, "%.*s", (int)bytes, value);
		const char *wrong = add_named(o, name);
		if (wrong)
			return wrong;
		value += bytes;
		if (*value && !*++value)
			return "a target is missing after the comma";
	}
	return o->target_count ? NULL : "name at least one target";
}

static const char *set_cubin(void *user, const char *value)
{
	static const char *const names[] = {[VYREC_CUBIN_AUTO] = "auto", "never", "require"};
	struct options *o = user;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(value, names[i])) {
			o->cubin = (enum vyrec_cubin)i;
			return NULL;
		}
	return "cubin is auto, never or require";
}

static const char *set_bounds(void *user, const char *value)
{
	return parse_policy(value, &((struct options *)user)->passes.bounds) ? NULL : POLICY_HELP;
}

const char *const feed_names[] = {
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
	((struct options *)user)->shape.lanes = ((struct options *)user)->lanes = (uint32_t)lanes;
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
    {"--target", "LIST", set_targets, "targets or groups of --print-targets, with commas between; default native"},
    {"--cubin", "WHEN", set_cubin, "auto: NVIDIA slices are also assembled where ptxas is found; never; require"},
    {"--bounds", "POLICY", set_bounds,
     "checked, clamp, trap or unchecked, where the source names none; default checked"},
    {"--shape", "NAME", set_shape, "a kernel shape, see below; instead of feed, builtins, io, fused and report"},
    {"--lanes", "N", set_lanes, "lanes of a set's workgroup, where the target has more than one; default 256"},
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

static void print_target_list(void)
{
	const struct vyrec_target *target;
	for (unsigned i = 0; (target = vyrec_target_at(i)); i++)
		printf("%-12s %s\n", target->name, target->meaning);
	for (unsigned i = 0; i < GROUP_COUNT; i++)
		printf("%-12s group: %s\n", groups[i].name, groups[i].meaning);
}

static int print_and_leave(const struct options *o)
{
	if (o->help)
		print_help();
	else if (o->version)
		printf("vyrec %s (LLVM %s)\n", VYRE_RELEASE, vyrec_llvm_version());
	else
		print_target_list();
	return EXIT_FINE;
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

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

/* The shape says what the passes are asked for. False after a message. */
static bool take_shape(struct options *o)
{
	struct vyrec_diags diags = {0};
	bool fine;
	if (!o->shaped) {
		if (o->shape.slots)
			fprintf(stderr, "vyrec: --slots belongs to a shape; name it with --shape\n");
		return !o->shape.slots;
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
		add_group(&o, 0);

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
	bool fine = module && build_module(&o, module, &source, path);
	show_time(&o, "total", "", now_ms() - start);
	if (module)
		vyrec_module_destroy(module);
	source_finish(&source);
	free(path);
	return fine ? EXIT_FINE : EXIT_BAD_INPUT;
}
