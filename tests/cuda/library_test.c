/* library_test.c - a driver that is not there, not whole, too old, or does not start: each is told with its remedy.
 *
 * Which library is found is decided when a process starts, so each case is this program again, with another path.
 */
#include <sys/wait.h>

#include "cuda_rig.h"

struct expectation {
	const char *name, *path, *plan;
	vyre_status status;
	const char *words[4];
};

static const struct expectation rows[] = {
    {"absent",
     VYRE_EMPTY_FOLDER,
     "",
     VYRE_UNAVAILABLE,
     {"no NVIDIA driver", "libcuda.so.1", "install NVIDIA's driver"}},
    {"lacking",
     VYRE_LACKING_FOLDER,
     "",
     VYRE_UNAVAILABLE,
     {"has no cuGetErrorName", "CUDA 10.2", "CUDA 12.0", "newer"}},
#ifdef VYRE_TOOLKIT_LIBRARY
    {"toolkit", VYRE_TOOLKIT_FOLDER, "", VYRE_UNAVAILABLE, {"does not start", "(34, ", "library path"}},
#endif
    {"old", NULL, "driver=11080", VYRE_UNAVAILABLE, {"for CUDA 11.8", "CUDA 12.0", "525"}},
    {"none", NULL, "cuInit:1=100", VYRE_UNAVAILABLE, {"CUDA_ERROR_NO_DEVICE", "nvidia-smi"}},
    {"unknown", NULL, "cuInit:1=999", VYRE_UNAVAILABLE, {"CUDA_ERROR_UNKNOWN", "NVRM"}},
    {"mismatch", NULL, "cuInit:1=803", VYRE_UNAVAILABLE, {"SYSTEM_DRIVER_MISMATCH", "restart the machine"}},
    {"strange", NULL, "cuInit:1=12345", VYRE_UNAVAILABLE, {"12345", "has no name for"}},
    {"version", NULL, "cuDriverGetVersion:1=3", VYRE_UNAVAILABLE, {"is needed"}},
    {"nothing", NULL, "gpus=0", VYRE_UNAVAILABLE, {"no GPU 0", "driver shows 0"}},
    {"count", NULL, "cuDeviceGetCount:1=3", VYRE_INTERNAL, {"cannot be counted"}},
    {"get", NULL, "cuDeviceGet:1=101", VYRE_INTERNAL, {"GPU 0 cannot be opened", "INVALID_DEVICE"}},
    {"attribute", NULL, "cuDeviceGetAttribute:3=1", VYRE_INTERNAL, {"attribute 16"}},
    {"name", NULL, "cuDeviceGetName:1=1", VYRE_INTERNAL, {"name cannot be read"}},
    {"ancient", NULL, "sm=70", VYRE_UNSUPPORTED, {"capability 7.0", "7.5 or later"}},
    {"unmapped", NULL, "map=0", VYRE_UNSUPPORTED, {"cannot read the host's memory"}},
    {"exclusive", NULL, "cuDevicePrimaryCtxRetain:1=46", VYRE_UNAVAILABLE, {"DEVICE_UNAVAILABLE", "compute mode"}},
    {"push", NULL, "cuCtxPushCurrent:1=201", VYRE_INTERNAL, {"cannot be made current"}},
    {"stream", NULL, "cuStreamCreate:2=2", VYRE_NOMEM, {"stream for copies", "OUT_OF_MEMORY"}},
    {"pinned", NULL, "cuMemHostAlloc:1=2", VYRE_NOMEM, {"pinned memory", "OUT_OF_MEMORY"}},
    {"pointer", NULL, "cuMemHostGetDevicePointer:1=1", VYRE_INTERNAL, {"cannot address pinned memory"}},
    {"works", NULL, "", VYRE_OK, {NULL}},
    {"later", NULL, "driver=12000,sm=121", VYRE_OK, {NULL}},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static int run(const struct expectation *row)
{
	struct vyre_device *device = (void *)1;
	vyre_status status = vyre_device_open("cuda", &device);
	uint32_t i;

	if (status != row->status || (status != VYRE_OK && device)) {
		fprintf(stderr, "%s instead of %s: %s\n", vyre_status_name(status), vyre_status_name(row->status),
			vyre_last_error());
		return 1;
	}
	for (i = 0; status != VYRE_OK && i < 4 && row->words[i]; i++)
		if (!strstr(vyre_last_error(), row->words[i])) {
			fprintf(stderr, "\"%s\" is not in: %s\n", row->words[i], vyre_last_error());
			return 1;
		}
	vyre_device_close(device);
	if (vyre_mem_live() != 0) {
		fprintf(stderr, "%lld allocations are left\n", (long long)vyre_mem_live());
		return 1;
	}
	if (row->path)
		return 0;
	if (find_standin(NULL) != 0 || standin.standin_depth() != 0)
		return 1;
	for (i = 0; i < 10000 && standin.standin_live() != 0; i++)
		usleep(1000);
	return standin.standin_live() != 0;
}

static void case_of(void **state)
{
	const struct expectation *row = *state;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		setenv("LD_LIBRARY_PATH", row->path ? row->path : VYRE_STANDIN_FOLDER, 1);
		setenv("VYRE_STANDIN_PLAN", row->plan, 1);
		execl("/proc/self/exe", "library_test", row->name, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* On a machine with a driver, that one is found where ours are not. */
static int has_real_driver(void)
{
	return access("/usr/lib/x86_64-linux-gnu/libcuda.so.1", F_OK) == 0;
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ROWS];
	uint32_t i, count = 0;

	for (i = 0; i < ROWS; i++) {
		if (argc > 1 && strcmp(rows[i].name, argv[1]) == 0)
			return run(&rows[i]);
		if (strcmp(rows[i].name, "absent") == 0 && has_real_driver())
			continue;
		tests[count++] = (struct CMUnitTest){rows[i].name, case_of, NULL, NULL, (void *)&rows[i]};
	}
#ifndef VYRE_TOOLKIT_LIBRARY
	print_message("skipped: the toolkit's own link-time library; there is no CUDA toolkit here\n");
#endif
	return argc > 1 ? 2 : _cmocka_run_group_tests("library", tests, count, NULL, NULL);
}
