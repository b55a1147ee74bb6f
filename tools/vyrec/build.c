/* build.c - a verified module to a blob, or to one of the forms on the way.
 *
 * Enters: a module and the options. Leaves: one output, written whole or not at all. The stages are the rooms of the project
 * in their order: passes once for each family of targets (their lanes and their scheduler differ), then for each target
 * lower, optimise, emit, link or assemble; then the blob.
 * Invariant: a blob describes each unit once, so what the families' lowered modules tell of a unit must agree.
 */
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "runtime/abi/blob.h"

enum { FAMILIES = VYREC_FAMILY_NVPTX + 1, WARP = 32 };

const char *const emit_names[EMIT_COUNT] = {"blob", "ir", "kernel", "vir0", "llvm", "asm", "obj"};

/* What one build holds. */
struct build {
	const struct options *o;
	const struct source *source;
	struct vyrec_module *original;
	struct vyrec_module *lowered[FAMILIES]; /* NULL: no target of the family */
	struct vyrec_slice slices[2 * MAX_TARGETS];
	unsigned slice_count;
	const char *ptxas; /* its version, once it was used */
};

void show_time(const struct options *o, const char *stage, const char *target, double milliseconds)
{
	if (o->verbose)
		fprintf(stderr, "%-10s %-12s %8.3f ms\n", stage, target, milliseconds);
}

/* ---- lanes ----------------------------------------------------------------------------------------------------------- */

struct width {
	uint32_t lanes;
	vyrec_handler handler; /* that has it; 0 = asked for by --lanes */
};

static bool take_width(const struct vyrec_module *m, vyrec_handler h, struct width *width, struct vyrec_diags *diags)
{
	const struct vyrec_handler_node *node = &m->handlers[h];
	if (node->granularity != VYRE_BY_WORKGROUP || !node->width || node->width == width->lanes)
		return true;
	if (!width->lanes) {
		*width = (struct width){node->width, h};
		return true;
	}
	if (width->handler)
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", node->loc,
		    "op %s is by workgroup(%u) and op %s by workgroup(%u), and a kernel has one width on a GPU; "
		    "give them one, or put them into two files",
		    vyrec_name_text(m, node->name), node->width, vyrec_name_text(m, m->handlers[width->handler].name),
		    width->lanes);
	else
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", node->loc,
		    "op %s is by workgroup(%u) and --lanes says %u; leave --lanes out, or give it that number",
		    vyrec_name_text(m, node->name), node->width, width->lanes);
	return false;
}

/* The lanes that sets get on a family whose workgroups have more than one: those of `by workgroup(N)`, of --lanes, or
 * the target's. False after an error. */
static bool choose_lanes(const struct options *o, const struct vyrec_module *m, const struct vyrec_target *target,
			 unsigned *lanes, struct vyrec_diags *diags)
{
	struct width width = {.lanes = o->lanes};
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++) {
		const struct vyrec_unit_node *u = &m->units[unit];
		for (uint32_t i = 0; u->kind == VYRE_UNIT_SET && i < u->item_count; i++)
			if (m->refs[u->items + 2 * i] == VYREC_ITEM_HANDLER &&
			    !take_width(m, m->refs[u->items + 2 * i + 1], &width, diags))
				return false;
	}
	if (width.lanes)
		*lanes = width.lanes;
	else if (!o->shaped)
		*lanes = target->lanes;
	bool whole = *lanes % WARP == 0 || o->passes.feed != VYRE_FEED_LIVE;
	if (!whole)
		vyrec_diags_add(diags, VYREC_ERROR, "", width.handler ? m->handlers[width.handler].loc : 0,
				"%u lanes of a workgroup for %s; make it a multiple of %d", *lanes, target->name, WARP);
	return whole;
}

/* ---- passes ---------------------------------------------------------------------------------------------------------- */

static const struct vyrec_target *first_of(const struct options *o, enum vyrec_family family)
{
	for (unsigned i = 0; i < o->target_count; i++)
		if (o->targets[i]->family == family)
			return o->targets[i];
	return NULL;
}

static bool has_sets(const struct vyrec_module *m)
{
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
		if (m->units[unit].kind == VYRE_UNIT_SET)
			return true;
	return false;
}

static bool run_passes(struct build *b, const struct vyrec_target *target)
{
	const struct options *o = b->o;
	struct vyrec_diags diags = {0};
	struct vyrec_pass_times times = {0};
	struct vyrec_pass_options passes = o->passes;
	struct vyrec_module *module = b->lowered[target->family] = vyrec_module_clone(b->original);
	passes.level = o->level;
	passes.one_lane = target->one_lane;
	passes.mailbox = target->has_mailbox && passes.feed == VYRE_FEED_LIVE;
	passes.keep_sets = o->emit == EMIT_IR;
	bool fine = !o->shaped || vyrec_shape_check(&o->shape, module, &diags);
	if (fine && !target->one_lane && has_sets(module))
		fine = choose_lanes(o, module, target, &passes.lanes, &diags);
	if (fine)
		vyrec_run_pipeline(module, &passes, &diags, &times);
	for (vyrec_pass p = 0; p < VYREC_PASS_COUNT; p++)
		show_time(o, vyrec_pass_name(p), "", times.milliseconds[p]);
	show_time(o, "verify", "passes", times.verify);
	return show_diags(&diags, b->source);
}

/* ---- slices ---------------------------------------------------------------------------------------------------------- */

static void show_resources(const struct build *b, const struct vyrec_slice *slice)
{
	const struct vyrec_module *m = b->lowered[slice->target->family];
	for (uint32_t i = 0; b->o->verbose && i < slice->unit_count; i++) {
		const struct vyrec_resources *r = &slice->resources[i];
		fprintf(stderr, "%-10s %-12s %s: %u lanes, %u shared bytes", "resources", slice->target->name,
			vyrec_name_text(m, m->units[i + 1].name), r->lanes[0] * r->lanes[1] * r->lanes[2],
			r->shared_bytes);
		if (r->registers)
			fprintf(stderr, ", %u registers, %u spilled bytes, %u stack bytes", r->registers,
				r->spill_bytes, r->stack_bytes);
		fprintf(stderr, "\n");
	}
}

/* Of the slice that was made last. */
static bool make_cubin(struct build *b, struct vyrec_slice *ptx, const struct vyrec_codegen_options *codegen,
		       struct vyrec_diags *diags)
{
	struct vyrec_slice *cubin = &b->slices[b->slice_count];
	if (!vyrec_assemble(b->lowered[ptx->target->family], codegen, ptx, cubin, diags))
		return false;
	b->slice_count += cubin->image != NULL;
	if (ptx->times.link > 0)
		show_time(b->o, "assemble", ptx->target->name, ptx->times.link);
	if (ptx->unit_count && ptx->resources[0].registers)
		b->ptxas = vyrec_ptxas_version();
	show_resources(b, ptx);
	return true;
}

static bool make_slice(struct build *b, const struct vyrec_target *target, struct vyrec_diags *diags)
{
	const struct options *o = b->o;
	struct vyrec_codegen_options codegen = {.level = o->level,
						.cubin = o->emit == EMIT_OBJ ? VYREC_CUBIN_REQUIRE : o->cubin,
						.emit = o->emit >= EMIT_LLVM ? emit_names[o->emit] : NULL};
	struct vyrec_slice *slice = &b->slices[b->slice_count];
	if (!vyrec_codegen(b->lowered[target->family], target, &codegen, slice, diags))
		return false;
	b->slice_count++;
	show_time(o, "lower", target->name, slice->times.lower);
	show_time(o, "optimise", target->name, slice->times.optimise);
	show_time(o, "emit", target->name, slice->times.emit);
	if (slice->format == VYRE_FORMAT_ELF)
		show_time(o, "link", target->name, slice->times.link);
	else if (o->emit == EMIT_BLOB || o->emit == EMIT_OBJ)
		return make_cubin(b, slice, &codegen, diags);
	return true;
}

static bool make_slices(struct build *b)
{
	struct vyrec_diags diags = {0};
	for (unsigned i = 0; i < b->o->target_count; i++)
		make_slice(b, b->o->targets[i],
			   &diags); /* after an error too: the other targets have something to say */
	return show_diags(&diags, b->source);
}

/* ---- output ---------------------------------------------------------------------------------------------------------- */

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
	else if (o->lanes)
		at += snprintf(text + at, bytes - (size_t)at, "--lanes=%u ", o->lanes);
	if (first_of(o, VYREC_FAMILY_NVPTX) && o->cubin == VYREC_CUBIN_NEVER)
		at += snprintf(text + at, bytes - (size_t)at, "--cubin=never ");
	at += snprintf(text + at, bytes - (size_t)at, "--feed=%s%s%s%s%s --target=", feed_names[o->passes.feed],
		       has & VYRE_HAS_BUILTINS ? " --builtins" : "", has & VYRE_HAS_FUSED ? " --fused" : "",
		       io_flag(has), has & VYRE_HAS_CONTROL_REPORT ? " --report=control" : "");
	for (unsigned i = 0; i < o->target_count; i++)
		at += snprintf(text + at, bytes - (size_t)at, "%s%s", i ? "," : "", o->targets[i]->name);
}

static struct vyrec_module *first_lowered(const struct build *b)
{
	return b->lowered[b->o->targets[0]->family];
}

static bool write_blob(const struct build *b, const char *path)
{
	char flags[512];
	size_t bytes;
	double start = now_ms();
	describe_flags(b->o, flags, sizeof flags);
	struct vyrec_blob_input input = {b->original, first_lowered(b), b->slices, b->slice_count, flags, b->ptxas};
	uint8_t *blob = vyrec_blob_write(&input, &bytes);
	bool fine = file_write(path, blob, bytes);
	free(blob);
	show_time(b->o, "write", "", now_ms() - start);
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

/* The object of an NVIDIA target is its cubin. */
static bool write_form(const struct build *b, const char *path)
{
	const struct vyrec_slice *slice = &b->slices[0];
	if (b->o->emit == EMIT_OBJ && slice->format == VYRE_FORMAT_PTX)
		return file_write(path, b->slices[1].image, b->slices[1].image_bytes);
	return file_write(path, slice->text, slice->text_bytes);
}

static bool run_build(struct build *b, const char *path)
{
	const struct options *o = b->o;
	bool ir = o->emit == EMIT_IR || o->emit == EMIT_KERNEL, fine = true;
	for (unsigned family = 0; fine && family < FAMILIES; family++) {
		const struct vyrec_target *target = first_of(o, (enum vyrec_family)family);
		if (target && (!ir || target == o->targets[0]))
			fine = run_passes(b, target);
	}
	if (!fine)
		return false;
	if (ir)
		return write_ir(first_lowered(b), path);
	if (!make_slices(b))
		return false;
	return o->emit == EMIT_BLOB ? write_blob(b, path) : write_form(b, path);
}

bool build_module(const struct options *o, struct vyrec_module *module, const struct source *source, const char *path)
{
	struct build b = {.o = o, .source = source};
	if (o->emit == EMIT_VIR0)
		return write_vir0(module, path);
	b.original = vyrec_module_clone(module);
	bool fine = run_build(&b, path);
	for (unsigned i = 0; i < b.slice_count; i++)
		vyrec_slice_finish(&b.slices[i]);
	for (unsigned family = 0; family < FAMILIES; family++)
		if (b.lowered[family])
			vyrec_module_destroy(b.lowered[family]);
	vyrec_module_destroy(b.original);
	return fine;
}
