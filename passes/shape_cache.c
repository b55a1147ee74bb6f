/* shape_cache.c - templates: shapes of built-ins alone, built once and shared.
 *
 * Enters: a shape and options. Leaves: an immutable module with one more reference. The key is everything that the
 * bytes of the module follow from, so two callers share a template only when each would have built the same. At most
 * VYREC_TEMPLATES_KEPT lie in the table; one that goes out of it lives on while somebody refers to it. One lock, held
 * while a template is built: two threads that want the same one build it once.
 */
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "passes/shape.h"

struct key {
	uint32_t shape, lanes, slots, features, bounds, level, one_lane;
};
struct entry {
	struct vyrec_template template; /* first: what callers hold */
	struct vyrec_module *module;
	struct key key;
	uint64_t used; /* when last asked for */
	uint32_t refs; /* callers', and the table's */
};

static once_flag lock_once = ONCE_FLAG_INIT;
static mtx_t lock;
static struct entry *kept[VYREC_TEMPLATES_KEPT];
static unsigned kept_count;
static uint64_t clock_ticks, built_count;

static void make_lock(void)
{
	if (mtx_init(&lock, mtx_plain) != thrd_success)
		abort(); /* glibc's cannot fail */
}

static void take_lock(void)
{
	call_once(&lock_once, make_lock);
	mtx_lock(&lock);
}

static void drop(struct entry *entry)
{
	if (--entry->refs)
		return;
	vyrec_module_destroy(entry->module);
	free(entry);
}

static struct entry *find(const struct key *key)
{
	for (unsigned i = 0; i < kept_count; i++)
		if (!memcmp(&kept[i]->key, key, sizeof *key))
			return kept[i];
	return NULL;
}

static void keep(struct entry *entry)
{
	unsigned oldest = 0;
	if (kept_count < VYREC_TEMPLATES_KEPT) {
		kept[kept_count++] = entry;
		return;
	}
	for (unsigned i = 1; i < kept_count; i++)
		if (kept[i]->used < kept[oldest]->used)
			oldest = i;
	drop(kept[oldest]);
	kept[oldest] = entry;
}

static struct entry *build(const struct vyrec_shape *shape, const struct vyrec_pass_options *options,
			   const struct key *key, struct vyrec_diags *diags)
{
	struct vyrec_module *module = vyrec_shape_build(shape, NULL, options, diags);
	struct entry *entry;
	if (!module)
		return NULL;
	entry = vyrec_alloc(sizeof *entry);
	*entry = (struct entry){.template = {module}, .module = module, .key = *key, .refs = 1};
	built_count++;
	keep(entry);
	return entry;
}

const struct vyrec_template *vyrec_template_get(const struct vyrec_shape *shape,
						const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	struct vyrec_pass_options resolved = *options;
	if (!vyrec_shape_options(shape, &resolved, diags))
		return NULL;
	const struct key key = {shape->id,	 resolved.lanes, resolved.slots,   resolved.features,
				options->bounds, options->level, options->one_lane};
	take_lock();
	struct entry *entry = find(&key);
	if (!entry)
		entry = build(shape, options, &key, diags);
	if (entry) {
		entry->refs++;
		entry->used = ++clock_ticks;
	}
	mtx_unlock(&lock);
	return entry ? &entry->template : NULL;
}

void vyrec_template_unref(const struct vyrec_template *template)
{
	if (!template)
		return;
	take_lock();
	drop((struct entry *)(uintptr_t) template);
	mtx_unlock(&lock);
}

void vyrec_template_count(unsigned *kept_now, uint64_t *built)
{
	take_lock();
	*kept_now = kept_count;
	*built = built_count;
	mtx_unlock(&lock);
}
