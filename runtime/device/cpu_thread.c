/* cpu_thread.c - starts the threads that run kernel code.
 *
 * In: a function and what its frames need. Out: a running thread, or an errno. Signals are the product's business: our
 * threads block all of them, so that no handler of the product ever runs on a stack sized for a kernel.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "alloc.h"
#include "cpu_thread.h"

/* Beyond the kernel's own frames: the loader's, and the guard a sanitizer puts around each. */
static const size_t base_stack_bytes = 512u << 10;

static void pin(pthread_t thread, int processor)
{
	cpu_set_t allowed;
	int i, seen = 0, count;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || (count = CPU_COUNT(&allowed)) == 0)
		return;
	for (i = 0; i < CPU_SETSIZE; i++) {
		cpu_set_t one;

		if (!CPU_ISSET(i, &allowed) || seen++ != processor % count)
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		pthread_setaffinity_np(thread, sizeof(one), &one);
		return;
	}
}

int vyre_cpu_thread_start(pthread_t *thread, uint32_t stack_bytes, int processor, void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int error;

	if (vyre_mem_refused())
		return ENOMEM;
	error = pthread_attr_init(&attributes);
	if (error)
		return error;
	error = pthread_attr_setstacksize(&attributes, vyre_pages_round(base_stack_bytes + stack_bytes));
	if (!error) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		error = pthread_create(thread, &attributes, run, argument);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attributes);
	if (!error && processor >= 0)
		pin(*thread, processor);
	return error;
}
