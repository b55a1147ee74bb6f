/* alloc.c - memory for every object of the loader.
 *
 * In: sizes. Out: zeroed memory, or NULL, which every caller turns into VYRE_NOMEM. Invariant: nothing else in the
 * loader calls malloc or asks mmap for memory, so a test that refuses the n-th request for n = 0, 1, 2, ... has walked
 * every path that memory exhaustion can take. Not malloc wrapped by the linker: products link the static library too.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"

enum { ALIGNMENT = 128 };

static _Atomic int64_t refuse_after = -1;
static _Atomic int64_t live;

void vyre_mem_refuse_after(int64_t after)
{
	atomic_store(&refuse_after, after);
}

int64_t vyre_mem_live(void)
{
	return atomic_load(&live);
}

int vyre_mem_refused(void)
{
	int64_t left = atomic_load_explicit(&refuse_after, memory_order_relaxed);

	if (left < 0)
		return 0;
	while (left > 0 && !atomic_compare_exchange_weak(&refuse_after, &left, left - 1))
		;
	return left == 0;
}

void *vyre_mem_alloc(size_t bytes)
{
	void *memory;

	if (bytes > SIZE_MAX - ALIGNMENT || vyre_mem_refused())
		return NULL;
	bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	memory = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
	if (!memory)
		return NULL;
	memset(memory, 0, bytes);
	atomic_fetch_add(&live, 1);
	return memory;
}

void vyre_mem_free(void *memory)
{
	if (!memory)
		return;
	atomic_fetch_sub(&live, 1);
	free(memory);
}

uint64_t vyre_pages_round(uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

void *vyre_pages_alloc(uint64_t bytes)
{
	void *pages;

	if (bytes == 0 || bytes > SIZE_MAX / 2 || vyre_mem_refused())
		return NULL;
	pages = mmap(NULL, vyre_pages_round(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		     -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	atomic_fetch_add(&live, 1);
	return pages;
}

void vyre_pages_free(void *pages, uint64_t bytes)
{
	if (!pages)
		return;
	atomic_fetch_sub(&live, 1);
	munmap(pages, vyre_pages_round(bytes));
}
