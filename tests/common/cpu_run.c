/* cpu_run.c - see cpu_run.h. What runs is blob_run.c's; here a module becomes a blob. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "runtime/vyre.h"
#include "tests/common/cpu_run.h"
#include "tests/common/ptx_run.h"

__attribute__((format(printf, 2, 3))) static bool fail(struct cpu_run *run, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(run->message, sizeof run->message, format, args);
	va_end(args);
	return false;
}

static bool fail_diags(struct cpu_run *run, const struct vyrec_diags *diags, const char *stage)
{
	return fail(run, "%s: line %u: %s", stage, diags->count ? VYREC_LOC_LINE(diags->items[0].loc) : 0,
		    diags->count ? diags->items[0].message : "no message");
}

struct vyrec_module *cpu_run_read(const char *text, uint64_t seed)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *module = vyrec_parse("random.vyre", text, strlen(text), &diags);
	if (module && !vyrec_verify(module, &diags)) {
		vyrec_module_destroy(module);
		module = NULL;
	}
	if (!module) {
		printf("seed %" PRIu64 ": the generated text is refused\n", seed);
		vyrec_diags_print(&diags, "random.vyre", text, strlen(text), stdout);
	}
	vyrec_diags_finish(&diags);
	return module;
}

static bool compile(struct cpu_run *run, struct vyrec_module *source, struct vyrec_module *lowered)
{
	const struct cpu_run_options *o = &run->options;
	const struct vyrec_target *target = vyrec_target_find(o->target ? o->target : "x86-64-v3");
	struct vyrec_pass_options passes = {.bounds = o->bounds,
					    .level = o->level,
					    .feed = o->feed,
					    .features = o->features,
					    .slots = o->slots,
					    .lanes = o->lanes,
					    .mailbox = target->has_mailbox,
					    .one_lane = target->one_lane};
	struct vyrec_codegen_options codegen = {.level = o->level, .cubin = VYREC_CUBIN_NEVER};
	struct vyrec_diags diags = {0};
	struct vyrec_slice slice = {0};
	bool ok = false;
	if (!vyrec_run_pipeline(lowered, &passes, &diags, NULL)) {
		fail_diags(run, &diags, "passes");
	} else if (!vyrec_codegen(lowered, target, &codegen, &slice, &diags)) {
		fail_diags(run, &diags, "codegen");
	} else {
		struct vyrec_blob_input input = {source, lowered, &slice, 1, "tests", NULL};
		size_t bytes;
		uint8_t *blob = vyrec_blob_write(&input, &bytes);
		ok = vyre_blob_open(blob, bytes, &run->on.blob) == VYRE_OK || fail(run, "blob: %s", vyre_last_error());
		free(blob);
	}
	vyrec_slice_finish(&slice);
	vyrec_diags_finish(&diags);
	return ok;
}

static bool is_set(const struct vyrec_module *m, const char *name)
{
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
		if (m->units[unit].kind == VYRE_UNIT_SET && !strcmp(vyrec_name_text(m, m->units[unit].name), name))
			return true;
	return false;
}

/* Sets without ops: a width that fits an op on the cpu need not fit the lanes that programs run with. */
static void take_ops_away(struct vyrec_module *m)
{
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++) {
		struct vyrec_unit_node *u = &m->units[unit];
		uint32_t kept = 0;
		for (uint32_t i = 0; i < u->item_count; i++) {
			uint32_t *to = &m->refs[u->items + 2 * kept], *item = &m->refs[u->items + 2 * i];
			if (item[0] == VYREC_ITEM_HANDLER)
				continue;
			memmove(to, item, 2 * sizeof *item);
			kept++;
		}
		u->item_count = kept;
	}
}

/* Compiled when first needed: a module may hold a program and a set, and either may be all that a test wants. `program`:
 * what is run as it stands, a program or a set's whole kernel, always of one kind; NULL: slots of a set. */
static struct ptx_run *open_ptx(struct cpu_run *run, const char *program)
{
	struct ptx_run **ptx = program ? &run->ptx : &run->slots;
	const struct cpu_run_options *o = &run->options;
	const struct ptx_run_options options = {.bounds = o->bounds,
						.level = o->level,
						.target = o->target,
						.lanes = o->lanes,
						.feed = o->feed ? o->feed : VYRE_FEED_SLOTS,
						.features = o->features,
						.one_lane = !program};
	if (*ptx)
		return *ptx;
	*ptx = vyrec_alloc(sizeof **ptx);
	struct vyrec_module *module = vyrec_module_clone(run->module);
	if (program && !is_set(module, program))
		take_ops_away(module);
	if (!ptx_run_open(*ptx, module, &options))
		fail(run, "%.500s", (*ptx)->message);
	vyrec_module_destroy(module);
	return (*ptx)->ptx ? *ptx : NULL;
}

static void close_ptx(struct ptx_run *ptx)
{
	if (ptx)
		ptx_run_close(ptx);
	free(ptx);
}

bool cpu_run_open(struct cpu_run *run, const struct vyrec_module *module, const struct cpu_run_options *options)
{
	*run = (struct cpu_run){.options = *options};
	run->on.workers = options->workers;
	run->on.spawned = options->spawned;
	if (options->target && !options->device && vyrec_target_find(options->target)->family == VYREC_FAMILY_NVPTX) {
		run->module = vyrec_module_clone(module);
		return true;
	}
	struct vyrec_module *source = vyrec_module_clone(module), *lowered = vyrec_module_clone(module);
	bool ok = compile(run, source, lowered);
	vyrec_module_destroy(source);
	vyrec_module_destroy(lowered);
	if (ok && vyre_device_open(options->device ? options->device : "cpu", &run->on.device) != VYRE_OK)
		ok = fail(run, "device: %s", vyre_last_error());
	return ok;
}

void cpu_run_close(struct cpu_run *run)
{
	vyre_device_close(run->on.device);
	vyre_blob_close(run->on.blob);
	close_ptx(run->ptx);
	close_ptx(run->slots);
	vyrec_module_destroy(run->module);
	run->on.device = NULL;
	run->on.blob = NULL;
	run->ptx = run->slots = NULL;
	run->module = NULL;
}

/* What blob_run says is what we say. */
static bool pass_on(struct cpu_run *run, bool ok)
{
	if (!ok)
		snprintf(run->message, sizeof run->message, "%s", run->on.message);
	return ok;
}

bool cpu_run_slots(struct cpu_run *run, const char *set, struct vyrec_interp_slot *slots, uint32_t count,
		   const struct vyrec_interp_buffer *buffers, uint32_t buffer_count)
{
	if (run->module) {
		struct ptx_run *ptx = open_ptx(run, NULL);
		uint32_t workers = run->options.workers ? run->options.workers : 1;
		return ptx && (ptx_run_slots(ptx, set, workers, count, slots, count, buffers, buffer_count) ||
			       fail(run, "%.500s", ptx->message));
	}
	return pass_on(run, blob_run_slots(&run->on, set, slots, count, buffers, buffer_count));
}

bool cpu_run_program(struct cpu_run *run, const char *program, const uint32_t workgroups[3],
		     const struct vyrec_interp_buffer *buffers, uint32_t buffer_count, uint32_t fault[2])
{
	if (run->module) {
		struct ptx_run *ptx = open_ptx(run, program);
		return ptx &&
		       (ptx_run_unit(ptx, program, workgroups, run->options.level + 1, buffers, buffer_count, fault) ||
			fail(run, "%.500s", ptx->message));
	}
	return pass_on(run, blob_run_program(&run->on, program, workgroups, buffers, buffer_count, fault));
}
