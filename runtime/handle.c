/* handle.c - a table from 64-bit handles to objects.
 *
 * In: an object, or a handle from anywhere. Out: a handle, or the object that it names, or NULL. A handle is
 *   bits 0..23 index + 1 · bits 24..31 the table's owner number · bits 32..63 generation
 * so 0 is none, a handle of a dead object fails by its generation, and one of another device fails by its owner.
 * Invariant: an index is given out again only with a greater generation; at 2^32 - 1 it is never given out again.
 * Not pointers with a magic word inside: reading freed memory to find out that it is freed is the bug itself.
 */
#include <stdatomic.h>
#include <string.h>

#include "alloc.h"
#include "handle.h"

enum { INDEX_BITS = 24, OWNER_BITS = 8, FIRST_CAPACITY = 64, MAX_CAPACITY = (1 << INDEX_BITS) - 1 };

void vyre_handles_init(struct vyre_handles *table)
{
	static _Atomic uint32_t tables;

	memset(table, 0, sizeof(*table));
	pthread_mutex_init(&table->lock, NULL);
	table->owner = atomic_fetch_add(&tables, 1) & ((1u << OWNER_BITS) - 1);
}

void vyre_handles_finish(struct vyre_handles *table)
{
	vyre_mem_free(table->entries);
	pthread_mutex_destroy(&table->lock);
}

static vyre_status grow(struct vyre_handles *table)
{
	uint32_t capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY, i;
	struct vyre_handle_entry *entries;

	if (capacity > MAX_CAPACITY)
		capacity = MAX_CAPACITY;
	if (capacity == table->capacity)
		return VYRE_NOMEM;
	entries = vyre_mem_alloc(capacity * sizeof(*entries));
	if (!entries)
		return VYRE_NOMEM;
	if (table->capacity)
		memcpy(entries, table->entries, table->capacity * sizeof(*entries));
	for (i = capacity; i-- > table->capacity;) {
		entries[i].generation = 1;
		entries[i].next_free = table->first_free;
		table->first_free = i + 1;
	}
	vyre_mem_free(table->entries);
	table->entries = entries;
	table->capacity = capacity;
	return VYRE_OK;
}

vyre_status vyre_handles_add(struct vyre_handles *table, void *object, uint64_t *out)
{
	vyre_status status = VYRE_OK;

	pthread_mutex_lock(&table->lock);
	if (!table->first_free)
		status = grow(table);
	if (status == VYRE_OK) {
		uint32_t index = table->first_free - 1;
		struct vyre_handle_entry *entry = &table->entries[index];

		table->first_free = entry->next_free;
		entry->object = object;
		*out = (uint64_t)entry->generation << 32 | (uint64_t)table->owner << INDEX_BITS | (index + 1);
	}
	pthread_mutex_unlock(&table->lock);
	return status;
}

/* The living entry that the handle names; the lock is held. */
static struct vyre_handle_entry *find(struct vyre_handles *table, uint64_t handle)
{
	uint32_t index = (uint32_t)handle & ((1u << INDEX_BITS) - 1);
	uint32_t owner = (uint32_t)handle >> INDEX_BITS;
	struct vyre_handle_entry *entry;

	if (index == 0 || index > table->capacity || owner != table->owner)
		return NULL;
	entry = &table->entries[index - 1];
	return entry->object && entry->generation == (uint32_t)(handle >> 32) ? entry : NULL;
}

void *vyre_handles_get(struct vyre_handles *table, uint64_t handle, void (*keep)(void *object))
{
	struct vyre_handle_entry *entry;
	void *object;

	pthread_mutex_lock(&table->lock);
	entry = find(table, handle);
	object = entry ? entry->object : NULL;
	if (object && keep)
		keep(object);
	pthread_mutex_unlock(&table->lock);
	return object;
}

void *vyre_handles_remove(struct vyre_handles *table, uint64_t handle)
{
	struct vyre_handle_entry *entry;
	void *object = NULL;

	pthread_mutex_lock(&table->lock);
	entry = find(table, handle);
	if (entry) {
		object = entry->object;
		entry->object = NULL;
		if (++entry->generation != UINT32_MAX) {
			entry->next_free = table->first_free;
			table->first_free = (uint32_t)(entry - table->entries) + 1;
		}
	}
	pthread_mutex_unlock(&table->lock);
	return object;
}

void vyre_handles_each(struct vyre_handles *table, void (*visit)(void *object))
{
	uint32_t i;

	for (i = 0; i < table->capacity; i++)
		if (table->entries[i].object)
			visit(table->entries[i].object);
}
