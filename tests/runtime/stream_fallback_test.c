/* stream_fallback_test.c - a stream works where io_uring is refused, in whole or in part. Each case is a child process
 * of its own, because a seccomp filter and a lowered limit are for life.
 */
#include "stream_rig.h"

#include <dirent.h>
#include <signal.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* From now on the system call fails with EPERM in this process. */
static void forbid(uint32_t syscall_number)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, syscall_number, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Runs the case in a child; the child's assertions end it with a status that is not 0. */
static void in_child(void (*run_case)(struct rig *rig, int fd))
{
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rig rig;
		int fd = make_file(100 * 4096 + 1);
		rig_open(&rig, 16, 1, 16 * 4096);
		run_case(&rig, fd);
		rig_close(&rig);
		_exit(0);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Not the assertions of cmocka: they jump back into the parent's test, in the child. */
static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "child: %s: %s\n", what, vyre_last_error());
	_exit(1);
}

static void stream_all(struct rig *rig, int fd, uint32_t flags, const char *engine, bool exact)
{
	struct run run;
	run_init(&run, rig, 4096, 16, flags);
	require(vyre_stream_create(&run.params, &run.stream) == VYRE_OK, "create");
	const char *name = vyre_stream_engine(run.stream);
	require(exact ? !strcmp(name, engine) : !strstr(name, engine), name);
	require(vyre_stream_add(run.stream, fd, 0, UINT64_MAX, 0) == VYRE_OK, "add");
	require(vyre_stream_pump(run.stream, 20 * SECOND) == VYRE_OK, "pump");
	require(run.ok == 101 && run.ok_bytes == 100 * 4096 + 1, "chunks");
	run_end(&run);
}

static void no_setup(struct rig *rig, int fd)
{
	forbid(SYS_io_uring_setup);
	stream_all(rig, fd, 0, "pread", true);
	stream_all(rig, fd, VYRE_STREAM_SQPOLL, "pread", true);
}

static void no_register(struct rig *rig, int fd)
{
	forbid(SYS_io_uring_register);
	stream_all(rig, fd, 0, "io_uring", true);
}

/* The ring is refused while reads are under way and queued: each chunk fails once, with the errno. */
static void no_enter(struct rig *rig, int fd)
{
	struct run run;
	run_init(&run, rig, 4096, 16, 0);
	require(vyre_stream_create(&run.params, &run.stream) == VYRE_OK, "create");
	require(vyre_stream_add(run.stream, fd, 0, UINT64_MAX, 0) == VYRE_OK, "add");
	(void)!vyre_stream_pump(run.stream, 0);
	forbid(SYS_io_uring_enter);
	require(vyre_stream_pump(run.stream, 20 * SECOND) == VYRE_OK, "pump");
	require(run.calls == 101 && run.ok + run.io == 101, "every chunk once");
	require(run.io >= 80 && run.last_errno == EPERM, "the errno");
	run_end(&run);
}

static void no_locked_memory(struct rig *rig, int fd)
{
	struct rlimit none = {0, 0};
	require(setrlimit(RLIMIT_MEMLOCK, &none) == 0, "setrlimit");
	if (geteuid() == 0)
		require(setresuid(65534, 65534, 65534) == 0, "setresuid");
	stream_all(rig, fd, 0, "+fixed", false);
}

static void no_threads(struct rig *rig, int fd)
{
	struct run run;
	(void)fd;
	run_init(&run, rig, 4096, 16, VYRE_STREAM_PREAD);
	forbid(SYS_clone3);
	forbid(SYS_clone);
	require(vyre_stream_create(&run.params, &run.stream) == VYRE_IO, "refused");
	require(!run.stream && strstr(vyre_last_error(), ". Fix: allow one of them"), "message");
}

/* Threads of this process that would run the product's signal handlers. */
static uint32_t threads_open_to_signals(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	uint32_t open_to = 0;
	assert_non_null(tasks);
	while ((task = readdir(tasks)) != NULL) {
		char path[300], line[256];
		unsigned long long blocked = 0;
		snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
		FILE *status = task->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status && fgets(line, sizeof line, status)) {
			if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
				open_to += !(blocked >> (SIGUSR1 - 1) & 1);
		}
		if (status)
			fclose(status);
	}
	closedir(tasks);
	return open_to;
}

static void reading_threads_take_no_signals(void **state)
{
	struct rig rig;
	struct run run;
	uint32_t before = threads_open_to_signals();
	(void)state;
	rig_open(&rig, 16, 1, 16 * 4096);
	run_init(&run, &rig, 4096, 16, VYRE_STREAM_PREAD);
	run_start(&run, NULL);
	assert_int_equal(threads_open_to_signals(), before);
	run_end(&run);
	rig_close(&rig);
}

static void setup_refused(void **state)
{
	(void)state;
	in_child(no_setup);
}

static void register_refused(void **state)
{
	(void)state;
	in_child(no_register);
}

static void enter_refused(void **state)
{
	(void)state;
	in_child(no_enter);
}

static void memlock_refused(void **state)
{
	(void)state;
	in_child(no_locked_memory);
}

static void all_refused(void **state)
{
	(void)state;
	in_child(no_threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(setup_refused), cmocka_unit_test(register_refused),
	    cmocka_unit_test(enter_refused), cmocka_unit_test(memlock_refused),
	    cmocka_unit_test(all_refused),   cmocka_unit_test(reading_threads_take_no_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
