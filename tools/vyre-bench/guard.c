/* guard.c - a limit on what no timeout reaches: calls into a driver whose device is stuck.
 *
 * A thread looks ten times a second whether the limit has passed. If so it says so in a row, and on standard error where every
 * thread stands, and leaves the process without destructors: those would wait for the same device. The driver ends the
 * process's kernels with it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "tools/common/hang.h"

static _Atomic(const char *) guarded;
static _Atomic double deadline; /* 0 = none */

static void *watch(void *unused)
{
	const struct timespec tenth = {0, 100000000};
	char why[200];

	(void)unused;
	for (;;) {
		double limit = atomic_load(&deadline);
		nanosleep(&tenth, NULL);
		if (limit == 0 || bench_now() < limit || atomic_load(&deadline) != limit)
			continue;
		snprintf(why, sizeof why, "%s: no end after %g s; the device is left to its driver",
			 atomic_load(&guarded), bench_options.limit);
		fprintf(stderr, "vyre-bench: %s\n", why);
		hang_print(STDERR_FILENO);
		bench_report_end(why);
		_exit(1);
	}
	return NULL;
}

void bench_guard(const char *what)
{
	static bool watched;
	pthread_t thread;

	atomic_store(&deadline, 0); /* nobody is guarded under two names */
	atomic_store(&guarded, what);
	atomic_store(&deadline, what ? bench_now() + bench_options.limit : 0);
	if (watched)
		return;
	if (pthread_create(&thread, NULL, watch, NULL))
		bench_die("guard", "cannot start a thread");
	pthread_detach(thread);
	watched = true;
}

bool bench_has_time(void)
{
	double limit = atomic_load(&deadline);

	return limit == 0 || bench_now() < limit - bench_options.limit * 0.6;
}
