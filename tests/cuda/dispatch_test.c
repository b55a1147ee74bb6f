/* dispatch_test.c - slices picked, loaded and launched on the cuda device; what traps, what is refused, what is lost. */
#include "cuda_rig.h"

static void devices(void **state)
{
	struct vyre_device *device, *other;
	struct vyre_device_info info;

	(void)state;
	device = open_cuda("sm=86,watchdog=1,multiprocessors=5");
	vyre_device_get_info(device, &info);
	assert_string_equal(info.driver, "cuda");
	assert_string_equal(info.name, "cuda (Stand-In 0, sm_86, 5 multiprocessors)");
	assert_int_equal(info.target, VYRE_TARGET_SM_86);
	assert_int_equal(info.max_workers, 5);
	assert_true(device->burst_polls > 0); /* a kernel must end within seconds there */
	assert_int_equal(vyre_device_open("cuda:1", &other), VYRE_OK);
	vyre_device_get_info(other, &info);
	assert_string_equal(info.name, "cuda (Stand-In 1, sm_86, 5 multiprocessors)");
	vyre_device_close(other);
	assert_int_equal(vyre_device_open("cuda:2", &other), VYRE_UNAVAILABLE);
	assert_null(other);
	assert_says("no GPU 2; the driver shows 2");
	assert_int_equal(vyre_device_open("cuda:", &other), VYRE_INVALID);
	assert_int_equal(vyre_device_open("cuda:1x", &other), VYRE_INVALID);
	assert_int_equal(vyre_device_open("cuda:99999", &other), VYRE_INVALID);
	assert_int_equal(vyre_device_open("cud", &other), VYRE_UNAVAILABLE);
	assert_int_equal(vyre_device_open("cudaa", &other), VYRE_UNAVAILABLE);
	assert_int_equal(vyre_device_open("cpu:1", &other), VYRE_UNAVAILABLE);
	assert_says("one cpu device");
	vyre_device_close(device);
	device = open_cuda("sm=121");
	assert_int_equal(device->info.target, VYRE_TARGET_SM_121);
	assert_int_equal(device->burst_polls, 0);
	vyre_device_close(device);
	device = open_cuda("sm=88"); /* one that we have no row for runs what is older */
	assert_int_equal(device->info.target, VYRE_TARGET_SM_87);
	vyre_device_close(device);
	assert_nothing_is_left();
}

/* Somebody else's context stays where it was, also through calls that fail. */
static void beside_another_user(void **state)
{
	struct vyre_cuda_driver driver;
	vyre_cu_context theirs, found = NULL;
	struct vyre_cuda_run *run;
	struct work w;
	int i;

	(void)state;
	standin.standin_plan("");
	assert_int_equal(vyre_cuda_driver_open(&driver), VYRE_OK);
	assert_int_equal(driver.cuDevicePrimaryCtxRetain(&theirs, 1), 0);
	assert_int_equal(driver.cuCtxPushCurrent_v2(theirs), 0);
	w = (struct work){0};
	for (i = 0; i < 2; i++) {
		const uint32_t grid[3] = {2, 1, 1};
		uint64_t size;
		uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_90, VYRE_CLASS_PLAIN, NULL, 0, &size);

		w = (struct work){.blob = open_blob(bytes, size)};
		assert_int_equal(vyre_device_open("cuda", &w.device), VYRE_OK);
		assert_int_equal(make_work(&w), VYRE_OK);
		w.gate_words[GATE_OPEN] = 1;
		assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, NULL), VYRE_OK);
		assert_work_done(&w, 2, 0);
		assert_int_equal(vyre_cuda_run_create(w.device, &run), VYRE_OK);
		assert_int_equal(vyre_cuda_run_launch(run, w.kernel, 1, (struct vyre_cuda_arg *)w.kernel->table,
						      WORK_BUFFERS, NULL, 0, 0, NULL, 0),
				 VYRE_OK);
		while (vyre_cuda_run_state(run) == VYRE_CUDA_RUNNING)
			usleep(20);
		vyre_cuda_run_destroy(run);
		if (i == 1) {
			standin.standin_plan("kernel:1=719");
			assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, NULL), VYRE_DEVICE_LOST);
		}
		close_work(&w);
		assert_int_equal(standin.standin_depth(), 1);
	}
	standin.standin_break(0);
	assert_int_equal(driver.cuCtxPopCurrent_v2(&found), 0);
	assert_ptr_equal(found, theirs);
	driver.cuDevicePrimaryCtxRelease_v2(1);
	assert_nothing_is_left();
}

static void fits(void **state)
{
	static const struct {
		const char *plan;
		uint32_t target, format;
		int fit; /* 0 = not at all; else worse than the next row of the same plan */
		const char *why;
	} rows[] = {
	    {"sm=90", VYRE_TARGET_X86_64_V4, VYRE_FORMAT_ELF, 0, "neither ptx nor cubin"},
	    {"sm=90", VYRE_TARGET_SM_100, VYRE_FORMAT_PTX, 0, "this GPU is sm_90, older than sm_100"},
	    {"sm=90", VYRE_TARGET_SM_100, VYRE_FORMAT_CUBIN, 0, "is sm_90 and runs no machine code for sm_100"},
	    {"sm=90", VYRE_TARGET_SM_80, VYRE_FORMAT_CUBIN, 0, "is sm_90 and runs no machine code for sm_80"},
	    {"sm=90", VYRE_TARGET_SM_75, VYRE_FORMAT_PTX, 1, "picked: this GPU is sm_90; the driver compiles it"},
	    {"sm=90", VYRE_TARGET_SM_87, VYRE_FORMAT_PTX, 1, "picked"},
	    {"sm=90", VYRE_TARGET_SM_90, VYRE_FORMAT_PTX, 1, "picked"},
	    {"sm=90", VYRE_TARGET_SM_90, VYRE_FORMAT_CUBIN, 1, "picked: this GPU is sm_90"},
	    {"sm=89", VYRE_TARGET_SM_90, VYRE_FORMAT_CUBIN, 0, "no machine code"},
	    {"sm=89", VYRE_TARGET_SM_87, VYRE_FORMAT_CUBIN, 0, "no machine code"}, /* of an embedded GPU */
	    {"sm=89", VYRE_TARGET_SM_89, VYRE_FORMAT_PTX, 1, "picked"},
	    {"sm=89", VYRE_TARGET_SM_80, VYRE_FORMAT_CUBIN, 1, "picked"},
	    {"sm=89", VYRE_TARGET_SM_86, VYRE_FORMAT_CUBIN, 1, "picked"},
	    {"sm=89", VYRE_TARGET_SM_89, VYRE_FORMAT_CUBIN, 1, "picked"},
	    {"sm=80", VYRE_TARGET_SM_86, VYRE_FORMAT_CUBIN, 0, "is sm_80 and runs no machine code for sm_86"},
	    {"sm=100", VYRE_TARGET_SM_103, VYRE_FORMAT_CUBIN, 0, "no machine code"},
	    {"sm=87", VYRE_TARGET_SM_86, VYRE_FORMAT_CUBIN, 0, "no machine code"},
	    {"sm=87", VYRE_TARGET_SM_80, VYRE_FORMAT_PTX, 1, "picked"},
	    {"sm=87", VYRE_TARGET_SM_87, VYRE_FORMAT_CUBIN, 1, "picked"},
	    {"sm=103", VYRE_TARGET_SM_100, VYRE_FORMAT_CUBIN, 1, "picked"},
	    {"sm=121", VYRE_TARGET_SM_103, VYRE_FORMAT_CUBIN, 0, "no machine code"},
	};
	const char *plan = "";
	uint32_t i, last = 0;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vyre_device *device = open_cuda(rows[i].plan);
		struct vyre_blob_slice slice = {.target = rows[i].target, .format = rows[i].format};
		char why[128];
		uint32_t fit = device->fns->fit(device, &slice, why, sizeof(why));

		last = strcmp(plan, rows[i].plan) == 0 ? last : 0;
		plan = rows[i].plan;
		assert_int_equal(fit != 0, rows[i].fit);
		assert_non_null(strstr(why, rows[i].why));
		if (fit)
			assert_true(fit > last);
		last = fit ? fit : last;
		vyre_device_close(device);
	}
}

static void explains(void **state)
{
	uint64_t size;
	uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_80, VYRE_CLASS_PLAIN, "text", 1, &size);
	struct vyre_blob *blob = open_blob(bytes, size);
	struct vyre_device *device = open_cuda("sm=86");
	char text[1024];

	(void)state;
	vyre_device_explain(device, blob, text, sizeof(text));
	assert_string_equal(text, "slice 0: unit work, sm_80 cubin: picked: this GPU is sm_86\n"
				  "slice 1: unit together, sm_80 cubin: picked: this GPU is sm_86\n"
				  "slice 2: unit work, x86-64-v2 elf: not picked: neither ptx nor cubin\n"
				  "slice 3: unit together, x86-64-v2 elf: not picked: neither ptx nor cubin\n"
				  "slice 4: unit work, sm_75 ptx: not picked: slice 0 (sm_80 cubin) fits better\n");
	vyre_device_close(device);
	assert_int_equal(vyre_device_open("cpu", &device), VYRE_OK);
	vyre_device_explain(device, blob, text, sizeof(text));
	assert_non_null(strstr(text, "slice 0: unit work, sm_80 cubin: not picked: sm_80 is none of the cpu"));
	assert_non_null(strstr(text, "slice 2: unit work, x86-64-v2 elf: picked"));
	vyre_device_close(device);
	vyre_blob_close(blob);
	assert_nothing_is_left();
}

/* One blob, two devices, one meaning. */
static void as_on_the_cpu(void **state)
{
	const uint32_t grid[3] = {5, 3, 7};
	uint32_t of_cpu[WORK_WORDS], of_cuda[WORK_WORDS];
	uint64_t size;
	uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_90, VYRE_CLASS_PLAIN, NULL, 1, &size);
	struct work cpu = {0}, cuda = {0};

	(void)state;
	cuda.device = open_cuda("");
	assert_int_equal(vyre_device_open("cpu", &cpu.device), VYRE_OK);
	cpu.blob = open_blob(bytes, size);
	vyre_blob_ref(cpu.blob);
	cuda.blob = cpu.blob;
	assert_int_equal(make_work(&cpu), VYRE_OK);
	assert_int_equal(make_work(&cuda), VYRE_OK);
	cpu.gate_words[GATE_OPEN] = cuda.gate_words[GATE_OPEN] = 1;
	cpu.gate_words[GATE_ADD] = cuda.gate_words[GATE_ADD] = 99;
	assert_int_equal(vyre_kernel_dispatch(cpu.kernel, grid, NULL), VYRE_OK);
	assert_int_equal(vyre_kernel_dispatch(cuda.kernel, grid, NULL), VYRE_OK);
	assert_int_equal(vyre_buffer_read(cpu.device, cpu.data, 0, of_cpu, sizeof(of_cpu)), VYRE_OK);
	assert_int_equal(vyre_buffer_read(cuda.device, cuda.data, 0, of_cuda, sizeof(of_cuda)), VYRE_OK);
	assert_memory_equal(of_cpu, of_cuda, sizeof(of_cpu));
	assert_work_done(&cuda, 105, 99);
	close_work(&cpu);
	close_work(&cuda);
	assert_nothing_is_left();
}

static void traps(void **state)
{
	const uint32_t grid[3] = {10, 10, 1};
	uint32_t fault[2];
	struct work w;

	(void)state;
	open_work(&w, "");
	w.gate_words[GATE_TRAP] = 38;
	assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, fault), VYRE_FAULT);
	assert_int_equal(fault[0], VYRE_FAULT_TRAP);
	assert_int_equal(fault[1], 37);
	assert_says("workgroup 37 of work trapped in lane 0: code 5, detail 37");
	w.gate_words[GATE_TRAP] = 0; /* a trap is not remembered */
	assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, fault), VYRE_OK);
	assert_int_equal(fault[0], 0);
	close_work(&w);
	assert_nothing_is_left();
}

static void grids(void **state)
{
	static const struct {
		uint32_t grid[3];
		const char *word;
	} refused[] = {
	    {{0x80000000u, 1, 1}, "at most 2147483647 x 65535 x 65535"},
	    {{1, 65536, 1}, "at most 2147483647"},
	    {{1, 1, 65536}, "at most 2147483647"},
	    {{65535, 65535, 2}, "more than 2^32"},
	    {{0, 1, 1}, "at least one"},
	};
	struct work w;
	uint32_t i;

	(void)state;
	open_work(&w, "");
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(vyre_kernel_dispatch(w.kernel, refused[i].grid, NULL), VYRE_INVALID);
		assert_says(refused[i].word);
	}
	assert_int_equal(standin.standin_calls("cuLaunchKernel"), 0);
	close_work(&w);
	assert_nothing_is_left();
}

/* Workgroups that wait for each other: all at once, or refused. */
static void together(void **state)
{
	struct vyre_device *device = open_cuda("multiprocessors=3,resident=2");
	struct vyre_binding bindings[] = {{"control", 0},  {"ring_buffer", 0}, {"debug_log", 0},
					  {"io_queue", 0}, {"launch", 0},      {"data", 0}};
	uint64_t size;
	uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_90, VYRE_CLASS_PLAIN, NULL, 0, &size);
	struct vyre_blob *blob = open_blob(bytes, size);
	struct vyre_kernel *kernel;
	uint32_t words[7], i;

	(void)state;
	for (i = 0; i < 6; i++)
		assert_int_equal(vyre_buffer_create(device, sizeof(words), &bindings[i].buffer), VYRE_OK);
	assert_int_equal(
	    vyre_kernel_create(device,
			       &(struct vyre_kernel_params){
				   .blob = blob, .unit = "together", .bindings = bindings, .binding_count = 6},
			       &kernel),
	    VYRE_OK);
	assert_int_equal(vyre_kernel_dispatch(kernel, (const uint32_t[3]){6, 1, 1}, NULL), VYRE_OK);
	assert_int_equal(standin.standin_calls("cuLaunchCooperativeKernel"), 1);
	assert_int_equal(vyre_buffer_read(device, bindings[5].buffer, 0, words, sizeof(words)), VYRE_OK);
	for (i = 0; i < 7; i++)
		assert_int_equal(words[i], i < 6 ? 6 : 0);
	assert_int_equal(vyre_kernel_dispatch(kernel, (const uint32_t[3]){7, 1, 1}, NULL), VYRE_INVALID);
	assert_says("7 workgroups that wait for each other; at most 6");
	assert_int_equal(standin.standin_calls("cuLaunchCooperativeKernel"), 1);
	vyre_cuda_of(device)->can_cooperate = 0;
	assert_int_equal(vyre_kernel_dispatch(kernel, (const uint32_t[3]){1, 1, 1}, NULL), VYRE_UNSUPPORTED);
	vyre_kernel_destroy(kernel);
	vyre_device_close(device);
	vyre_blob_close(blob);
	assert_nothing_is_left();
}

/* Machine code first, text second, and the driver's own words when it takes neither. */
static void refused_images(void **state)
{
	static const struct {
		const char *plan, *ptx;
		uint32_t target;
		vyre_status status;
		uint64_t loads;
		const char *words[3];
	} rows[] = {
	    /* no cubin for this one; the text is not text */
	    {"sm=80",
	     "garbage",
	     VYRE_TARGET_SM_90,
	     VYRE_UNSUPPORTED,
	     1,
	     {"does not take the ptx for sm_75", "INVALID_PTX", "'garbage' at module level"}},
	    /* the cubin is refused, so the text is tried */
	    {"cuModuleLoadDataEx:1=209",
	     "nonsense",
	     VYRE_TARGET_SM_90,
	     VYRE_UNSUPPORTED,
	     2,
	     {"ptx for sm_75", "nonsense"}},
	    {"cuModuleLoadDataEx:*=222",
	     "x",
	     VYRE_TARGET_SM_90,
	     VYRE_UNSUPPORTED,
	     2,
	     {"UNSUPPORTED_PTX_VERSION", "newer driver"}},
	    {"cuModuleLoadDataEx:*=221", "x", VYRE_TARGET_SM_90, VYRE_UNSUPPORTED, 2, {"libnvidia-ptxjitcompiler"}},
	    {"cuModuleLoadDataEx:1=1",
	     NULL,
	     VYRE_TARGET_SM_90,
	     VYRE_UNSUPPORTED,
	     1,
	     {"cubin for sm_90", "INVALID_VALUE"}},
	    {"cuModuleLoadDataEx:1=2", "x", VYRE_TARGET_SM_90, VYRE_NOMEM, 1, {"OUT_OF_MEMORY"}},
	    {"cuModuleLoadDataEx:1=719", "x", VYRE_TARGET_SM_90, VYRE_DEVICE_LOST, 1, {"LAUNCH_FAILED"}},
	    {"cuModuleGetFunction:1=500", NULL, VYRE_TARGET_SM_90, VYRE_MALFORMED, 1, {"has no entry unit_0"}},
	    {"cuFuncLoad:1=2", NULL, VYRE_TARGET_SM_90, VYRE_NOMEM, 1, {"what a function needs"}},
	    {"cuFuncGetAttribute:2=1", NULL, VYRE_TARGET_SM_90, VYRE_INTERNAL, 1, {"what a function needs"}},
	    {"max_lanes=0", NULL, VYRE_TARGET_SM_90, VYRE_UNSUPPORTED, 1, {"workgroups of 1 lanes", "at most 0 lanes"}},
	    {"resident=0", NULL, VYRE_TARGET_SM_90, VYRE_UNSUPPORTED, 1, {"less workgroup memory"}},
	    {"sm=75",
	     NULL,
	     VYRE_TARGET_SM_90,
	     VYRE_UNSUPPORTED,
	     0,
	     {"no slice of work runs on", "sm_90 cubin: not picked"}},
	};
	uint32_t i, j;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t size;
		uint8_t *bytes = cuda_blob(rows[i].target, VYRE_CLASS_PLAIN, rows[i].ptx, 0, &size);
		struct work w = {.device = open_cuda(rows[i].plan), .blob = open_blob(bytes, size)};

		w.kernel = (void *)1;
		assert_int_equal(make_work(&w), rows[i].status);
		assert_null(w.kernel);
		for (j = 0; j < 3 && rows[i].words[j]; j++)
			assert_says(rows[i].words[j]);
		assert_int_equal(standin.standin_calls("cuModuleLoadDataEx"), rows[i].loads);
		close_work(&w);
		standin.standin_break(0);
		assert_nothing_is_left();
	}
}

/* Lanes that need more than a driver has for them at first: asked for when the function is loaded, and once. */
static void local_memory(void **state)
{
	static const struct {
		const char *plan;
		uint64_t sets;
	} rows[] = {{"local=0", 0}, {"local=1024", 0}, {"local=1025", 1}};
	struct vyre_kernel *first;
	struct work w;
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_work(&w, rows[i].plan);
		assert_int_equal(standin.standin_calls("cuCtxSetLimit"), rows[i].sets);
		first = w.kernel;
		assert_int_equal(make_work_kernel(&w), VYRE_OK);
		assert_int_equal(standin.standin_calls("cuCtxSetLimit"), rows[i].sets);
		vyre_kernel_destroy(first);
		close_work(&w);
		assert_nothing_is_left();
	}
	w = (struct work){.device = open_cuda("local=4096,cuCtxSetLimit:1=2")};
	{
		uint64_t size;
		uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_90, VYRE_CLASS_PLAIN, NULL, 0, &size);

		w.blob = open_blob(bytes, size);
	}
	assert_int_equal(make_work(&w), VYRE_NOMEM);
	assert_says("no 4096 bytes for each lane of a function");
	close_work(&w);
	assert_nothing_is_left();
}

static void too_many_buffers(void **state)
{
	struct work w;
	struct vyre_blob_unit unit;

	(void)state;
	open_work(&w, "");
	unit = *w.kernel->unit;
	unit.buffer_count = VYRE_CUDA_MAX_BUFFERS + 1;
	w.kernel->device->fns->image_unload(w.kernel);
	{
		const struct vyre_blob_unit *real = w.kernel->unit;
		const struct vyre_blob_slice slice = {.target = VYRE_TARGET_SM_90, .format = VYRE_FORMAT_CUBIN};

		w.kernel->unit = &unit;
		assert_int_equal(w.device->fns->image_load(w.kernel, &slice, NULL, 0), VYRE_UNSUPPORTED);
		assert_says("256 buffers; an entry takes at most 255");
		unit.buffer_count = VYRE_CUDA_MAX_BUFFERS - 2;
		w.device->fns->image_unload(w.kernel);
		assert_int_equal(w.device->fns->image_load(
				     w.kernel, &(struct vyre_blob_slice){.flags = VYRE_SLICE_MAILBOX}, NULL, 0),
				 VYRE_UNSUPPORTED);
		assert_says("256 buffers");
		w.kernel->unit = real;
	}
	close_work(&w);
	assert_nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(devices),	      cmocka_unit_test(beside_another_user),
	    cmocka_unit_test(fits),	      cmocka_unit_test(explains),
	    cmocka_unit_test(as_on_the_cpu),  cmocka_unit_test(traps),
	    cmocka_unit_test(grids),	      cmocka_unit_test(together),
	    cmocka_unit_test(refused_images), cmocka_unit_test(too_many_buffers),
	    cmocka_unit_test(local_memory),
	};

	return cmocka_run_group_tests(tests, find_standin, NULL);
}
