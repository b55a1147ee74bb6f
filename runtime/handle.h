/* handle.h - 64-bit names of objects, each good for one life of its object. */
#ifndef VYRE_HANDLE_H
#define VYRE_HANDLE_H
#include <pthread.h>
#include <stdint.h>

#include "abi/status.h"

struct vyre_handle_entry {
	void *object;	     /* NULL: free */
	uint32_t generation; /* of the present or next life */
	uint32_t next_free;  /* index + 1; 0 = none */
};

struct vyre_handles {
	pthread_mutex_t lock;
	struct vyre_handle_entry *entries;
	uint32_t capacity, first_free; /* first_free: index + 1 */
	uint32_t owner;		       /* mixed into every handle; another table refuses it */
};

void vyre_handles_init(struct vyre_handles *table);
/* Objects still named are the caller's to give back first, with vyre_handles_each. */
void vyre_handles_finish(struct vyre_handles *table);
/* OK or NOMEM. */
vyre_status vyre_handles_add(struct vyre_handles *table, void *object, uint64_t *out);
/* The object, on which `keep` was called under the table's lock (NULL: nothing); NULL when the handle is stale. */
void *vyre_handles_get(struct vyre_handles *table, uint64_t handle, void (*keep)(void *object));
/* Ends the handle's life and returns what it named; NULL when it is stale. */
void *vyre_handles_remove(struct vyre_handles *table, uint64_t handle);
void vyre_handles_each(struct vyre_handles *table, void (*visit)(void *object));

#endif
