/* child.c - waits for a child process with a limit.
 *
 * In: a child of this process, that nobody else waits for. Out: whether it has ended, and how. It is asked 500 times a
 * second: not pidfd_open, which the kernels of some machines with a GPU lack, and no signal, which a caller may have use for.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tools/common/child.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void child_prepare(void)
{
	signal(SIGCHLD, SIG_DFL);
}

bool child_ends_within(pid_t child, double seconds, int *status)
{
	const struct timespec nap = {0, 2000000};
	double end = now() + seconds;

	while (waitpid(child, status, WNOHANG) != child) {
		if (now() >= end)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}
