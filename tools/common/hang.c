/* hang.c - asks every thread of this process for a backtrace.
 *
 * In: a process in which something waits, as likely as not in a driver. Out: text. Each thread is sent SIGUSR2, and its own
 * handler prints its calls; one in a system call that no signal reaches does not answer within a moment, and its line says
 * which call that is. Nothing here takes a lock or memory: who hangs may hold either.
 * Not a debugger's work: there is none on the machines that this is for.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hang.h"

enum { MOST_FRAMES = 48, ANSWER_MS = 300, LINE_BYTES = 160 };

static atomic_int asked_fd, has_answered;

static void answer(int signal)
{
	void *frames[MOST_FRAMES];
	int saved = errno;

	(void)signal;
	backtrace_symbols_fd(frames, backtrace(frames, MOST_FRAMES), atomic_load(&asked_fd));
	atomic_store(&has_answered, 1);
	errno = saved;
}

void hang_prepare(void)
{
	struct sigaction action = {.sa_handler = answer, .sa_flags = SA_RESTART};
	void *frame;

	(void)backtrace(&frame, 1); /* the first call loads a library */
	sigaction(SIGUSR2, &action, NULL);
}

/* The first line of a file about a thread, "?" if there is none. */
static void read_line(long thread, const char *file, char line[LINE_BYTES])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%ld/%s", thread, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, line, LINE_BYTES - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		n = (ssize_t)strlen(strcpy(line, "?"));
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
}

static void print_thread(int fd, long thread)
{
	const struct timespec moment = {0, 1000000};
	char name[LINE_BYTES], waits[LINE_BYTES], call[LINE_BYTES];

	read_line(thread, "comm", name);
	read_line(thread, "wchan", waits);
	read_line(thread, "syscall", call);
	call[strcspn(call, " ")] = 0;
	dprintf(fd, "thread %ld %s, system call %s, waits in %s\n", thread, name, call, waits);
	atomic_store(&asked_fd, fd);
	atomic_store(&has_answered, 0);
	if (syscall(SYS_tgkill, getpid(), thread, SIGUSR2))
		return;
	for (int ms = 0; ms < ANSWER_MS && !atomic_load(&has_answered); ms++)
		nanosleep(&moment, NULL);
	if (!atomic_load(&has_answered))
		dprintf(fd, "does not answer\n");
}

/* As the kernel gives them; opendir takes memory. */
struct entry {
	uint64_t inode, next;
	unsigned short bytes;
	unsigned char type;
	char name[];
};

void hang_print(int fd)
{
	static _Alignas(struct entry) char entries[4096];
	int folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long self = syscall(SYS_gettid), bytes;

	while ((bytes = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0)
		for (long at = 0; at < bytes; at += ((struct entry *)(entries + at))->bytes) {
			long thread = strtol(((struct entry *)(entries + at))->name, NULL, 10);

			if (thread > 0 && thread != self)
				print_thread(fd, thread);
		}
	if (folder >= 0)
		close(folder);
}
