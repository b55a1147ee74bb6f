/* child.c - another program as a child process, with a limit of time.
 *
 * Enters: a path, arguments, the files that the child gets, milliseconds. Leaves: how it ended.
 * Invariant: when the call returns, nothing of the child is left: neither it nor what it has started (they are a process
 * group of their own, which is killed whole), nor a zombie. A signal that ends this process ends the group first: such
 * signals are held back while the child runs, and one that has come is delivered, as if it had come later, once the group
 * is gone. Not waitpid alone: it knows no limit. Not SIGALRM: a library has no signal of its process for itself.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codegen/llvm.h"

extern char **environ;

struct signals {
	sigset_t ends, before; /* what is held back; the mask that was */
	struct sigaction child;
	int fd; /* readable when one of `ends` has come */
};

/* Where a parent has left SIGCHLD ignored, the kernel reaps children, and nobody learns how they ended. */
static void hold_back(struct signals *s)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigemptyset(&s->ends);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct sigaction now;
		if (!sigaction(ends[i], NULL, &now) && now.sa_handler != SIG_IGN)
			sigaddset(&s->ends, ends[i]);
	}
	sigaction(SIGCHLD, &usual, &s->child);
	pthread_sigmask(SIG_BLOCK, &s->ends, &s->before);
	s->fd = signalfd(-1, &s->ends, SFD_CLOEXEC);
}

static void let_go(const struct signals *s)
{
	int error = errno;
	if (s->fd >= 0)
		close(s->fd);
	sigaction(SIGCHLD, &s->child, NULL);
	pthread_sigmask(SIG_SETMASK, &s->before, NULL);
	errno = error;
}

static int add_files(posix_spawn_file_actions_t *files, const struct vyrec_child *c)
{
	int error = posix_spawn_file_actions_addopen(files, 0, "/dev/null", 0, 0);
	error = error ? error : posix_spawn_file_actions_adddup2(files, c->words, 1);
	error = error ? error : posix_spawn_file_actions_adddup2(files, c->words, 2);
	if (c->in >= 0)
		error = error ? error : posix_spawn_file_actions_adddup2(files, c->in, VYREC_CHILD_IN);
	if (c->out >= 0)
		error = error ? error : posix_spawn_file_actions_adddup2(files, c->out, VYREC_CHILD_OUT);
	return error;
}

/* 0 or an errno. */
static int start(const struct vyrec_child *c, const struct signals *s, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	int error = posix_spawn_file_actions_init(&files);
	if (error)
		return error;
	error = posix_spawnattr_init(&how);
	if (!error) {
		posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
		posix_spawnattr_setpgroup(&how, 0);
		posix_spawnattr_setsigmask(&how, &s->before);
		error = add_files(&files, c);
		error =
		    error ? error : posix_spawn(pid, c->path, &files, &how, (char *const *)(uintptr_t)c->args, environ);
		posix_spawnattr_destroy(&how);
	}
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* Until the child has ended: 0. Before that: ETIME, EINTR (a signal has come), or what poll refuses. */
static int await(int process, const struct signals *s, unsigned milliseconds)
{
	struct pollfd files[] = {{.fd = process, .events = POLLIN}, {.fd = s->fd, .events = POLLIN}};
	double end = vyrec_now_ms() + milliseconds;
	for (;;) {
		double left = end - vyrec_now_ms();
		int ready = poll(files, 2, left > 0 ? (int)left + 1 : 0);
		if (ready < 0 && errno != EINTR)
			return errno;
		if (ready == 0 && left <= 0)
			return ETIME;
		if (ready > 0)
			return files[0].revents ? 0 : EINTR;
	}
}

static int attend(pid_t pid, const struct signals *s, unsigned milliseconds)
{
	int process = pidfd_open(pid, 0), status = 0;
	int error = process < 0 || s->fd < 0 ? errno : await(process, s, milliseconds);
	kill(-pid, SIGKILL); /* before the child is reaped: its number is its own until then */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			error = errno;
			break;
		}
	if (process >= 0)
		close(process);
	if (error == ETIME)
		return VYREC_CHILD_LATE;
	errno = error;
	return error ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : VYREC_CHILD_SIGNALLED + WTERMSIG(status);
}

int vyrec_child_run(const struct vyrec_child *child)
{
	struct signals signals;
	pid_t pid;
	hold_back(&signals);
	int error = start(child, &signals, &pid);
	int code = error ? -1 : attend(pid, &signals, child->milliseconds);
	if (error)
		errno = error;
	let_go(&signals);
	return code;
}
