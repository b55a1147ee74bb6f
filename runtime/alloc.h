/* alloc.h - the one door to memory in the loader. */
#ifndef VYRE_ALLOC_H
#define VYRE_ALLOC_H
#include <stddef.h>
#include <stdint.h>

/* Zeroed, aligned to 128; NULL when memory is exhausted. */
void *vyre_mem_alloc(size_t bytes);
void vyre_mem_free(void *memory);
/* Zeroed whole pages; `bytes` is rounded up to pages by both. NULL when memory is exhausted. */
void *vyre_pages_alloc(uint64_t bytes);
void vyre_pages_free(void *pages, uint64_t bytes);
uint64_t vyre_pages_round(uint64_t bytes);

/* Nonzero = the caller must behave as if the system had refused what it is about to ask for (memory above, threads). */
int vyre_mem_refused(void);
/* Tests (the symbol is hidden in the shared library): refuses the request `after` requests from now and every later
 * one; negative = never. */
void vyre_mem_refuse_after(int64_t after);
/* Tests: allocations and page ranges that have not been given back. */
int64_t vyre_mem_live(void);

#endif
