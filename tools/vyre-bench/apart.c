/* apart.c - a group of rows in a process of its own.
 *
 * In: what measures a group. Out: its rows in the report, in order; and if its process hangs, crashes or gives up, a row that
 * says so, and where its threads stood, on standard error. The next group starts with a device that nobody has broken: a
 * context that failed once fails for its whole process, and a kernel that does not end ends with it. This process opens no
 * device itself: what a driver sets up does not survive a fork.
 *
 * Rows come through a pipe, whole: the two processes are one image, so the texts that a row points to lie in the same places.
 * What a group leaves for later ones (struct bench_found) lies in memory that they share.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device_rows.h"
#include "tools/common/child.h"
#include "tools/common/hang.h"

/* For a driver to end what a killed process had on its device. */
static const double reap_seconds = 30;

struct bench_found *bench_found(void)
{
	static struct bench_found *found;

	if (!found) {
		found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (found == MAP_FAILED)
			bench_die("memory", "none to share between processes");
	}
	return found;
}

static _Noreturn void run_here(const struct bench_group *group, int to)
{
	struct bench_device d;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	hang_prepare();
	bench_report_to(group->name, to);
	if (bench_device_open(&d)) {
		group->run(&d);
		bench_device_close(&d);
	}
	bench_report_said_all();
	fflush(stdout);
	_exit(0);
}

/* It has said all that it will, or its end of the pipe is closed. */
static void end(const struct bench_group *group, pid_t child, bool said_all)
{
	char why[100];
	int status = 0;

	if (!child_ends_within(child, reap_seconds, &status)) {
		kill(child, SIGKILL);
		if (!child_ends_within(child, reap_seconds, &status)) {
			bench_report_failed(group->name, "its process cannot be killed: the driver holds it");
			return;
		}
	}
	if (said_all)
		return;
	snprintf(why, sizeof why, "its process ended by %s %d", WIFSIGNALED(status) ? "signal" : "itself, exit status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	bench_report_failed(group->name, why);
}

void bench_run_apart(const struct bench_group *group)
{
	bool said_all = false;
	int ends[2];
	pid_t child;

	(void)bench_found();
	fflush(stdout);
	if (pipe(ends))
		bench_die(group->name, strerror(errno));
	child = fork();
	if (child < 0)
		bench_die(group->name, strerror(errno));
	if (child == 0) {
		close(ends[0]);
		run_here(group, ends[1]);
	}
	close(ends[1]);
	while (bench_report_take(ends[0], &said_all))
		;
	close(ends[0]);
	end(group, child, said_all);
	bench_report_save(NULL);
}

bool bench_ask_apart(bool (*question)(void))
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(question() ? 0 : 1);
	}
	if (child < 0)
		return false;
	if (!child_ends_within(child, bench_options.limit, &status)) {
		kill(child, SIGKILL);
		(void)child_ends_within(child, reap_seconds, &status);
		return false;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
