/* lost_test.c - a device that dies, and calls that fail, each once: the right status, the driver's words, nothing left. */
#include "cuda_rig.h"

static void wait_for_kernels(void)
{
	while (standin.standin_running())
		usleep(20);
}

/* Everything that a caller can do with a device says so, and nothing asks the driver for anything but what takes apart. */
static void assert_lost(struct work *w, const char *name)
{
	const uint32_t grid[3] = {1, 1, 1};
	struct vyre_kernel *kernel = w->kernel;
	struct vyre_device *device = NULL;
	vyre_buffer buffer;
	uint32_t word = 0;
	void *map;

#define LOST(call) \
	do { \
		assert_int_equal(call, VYRE_DEVICE_LOST); \
		assert_says(name); \
	} while (0)
	LOST(vyre_kernel_dispatch(w->kernel, grid, NULL));
	LOST(vyre_buffer_create(w->device, 64, &buffer));
	LOST(vyre_buffer_write(w->device, w->data, 0, &word, 4));
	LOST(vyre_buffer_read(w->device, w->data, 0, &word, 4));
	LOST(vyre_buffer_read(w->device, w->gate, 0, &word, 4));
	LOST(vyre_buffer_map(w->device, w->gate, &map));
	LOST(make_work_kernel(w));
	LOST(vyre_device_open("cuda", &device));
#undef LOST
	assert_null(device);
	w->kernel = kernel;
	assert_int_equal(standin.standin_depth(), 0);
}

static void a_kernel_dies(void **state)
{
	static const struct {
		const char *plan, *name;
	} rows[] = {
	    {"kernel:2=700", "ILLEGAL_ADDRESS"},
	    {"kernel:2=702", "LAUNCH_TIMEOUT"},
	    {"kernel:2=719", "LAUNCH_FAILED"},
	    {"kernel:2=214", "ECC_UNCORRECTABLE"},
	    {"cuLaunchKernel:2=719", "LAUNCH_FAILED"},
	    {"cuStreamSynchronize:*=700", "ILLEGAL_ADDRESS"},
	    {"cuMemcpyHtoDAsync:2=719", "LAUNCH_FAILED"},
	    {"cuMemcpyDtoHAsync:2=999", "UNKNOWN"},
	};
	const uint32_t grid[3] = {4, 1, 1};
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct work w;

		open_work(&w, "");
		standin.standin_plan(rows[i].plan);
		if (!strstr(rows[i].plan, "*"))
			assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, NULL), VYRE_OK);
		assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, NULL), VYRE_DEVICE_LOST);
		assert_says(rows[i].name);
		standin.standin_plan("");
		assert_lost(&w, rows[i].name);
		close_work(&w);
		standin.standin_break(0);
		assert_nothing_is_left();
	}
}

/* A launch that is refused is no loss: the next may be taken. */
static void a_launch_is_refused(void **state)
{
	const uint32_t grid[3] = {4, 1, 1};
	struct vyre_cuda_run *run;
	struct work w;

	(void)state;
	open_work(&w, "cuLaunchKernel:1=701,cuLaunchKernel:3=701");
	assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, NULL), VYRE_UNSUPPORTED);
	assert_says("work on 4 x 1 x 1 workgroups: the driver says CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (701");
	assert_int_equal(vyre_kernel_dispatch(w.kernel, grid, NULL), VYRE_OK);
	assert_work_done(&w, 4, 0);
	assert_int_equal(vyre_cuda_run_create(w.device, &run), VYRE_OK);
	assert_int_equal(vyre_cuda_run_launch(run, w.kernel, 2, (struct vyre_cuda_arg *)w.kernel->table, WORK_BUFFERS,
					      NULL, 0, 0, NULL, 0),
			 VYRE_UNSUPPORTED);
	assert_says("a resident kernel of 2 workgroups cannot be launched");
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_IDLE);
	vyre_cuda_run_destroy(run);
	close_work(&w);
	assert_nothing_is_left();
}

static void launch_held(struct work *w, struct vyre_cuda_run **run)
{
	w->gate_words[GATE_OPEN] = 0;
	assert_int_equal(vyre_cuda_run_create(w->device, run), VYRE_OK);
	assert_int_equal(vyre_cuda_run_launch(*run, w->kernel, 2, (struct vyre_cuda_arg *)w->kernel->table,
					      WORK_BUFFERS, NULL, 0, 0, NULL, 0),
			 VYRE_OK);
	assert_int_equal(vyre_cuda_run_state(*run), VYRE_CUDA_RUNNING);
}

static void let_it_end(uint32_t *gate)
{
	__atomic_store_n(&gate[GATE_OPEN], 1, __ATOMIC_RELEASE);
	wait_for_kernels();
}

/* The context dies under a resident kernel: whoever looks hears of it, nobody waits. */
static void it_dies_while_a_kernel_runs(void **state)
{
	struct vyre_cuda_run *run;
	struct work w;

	(void)state;
	open_work(&w, "");
	launch_held(&w, &run);
	standin.standin_break(VYRE_CU_LAUNCH_FAILED);
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_LOST);
	assert_lost(&w, "LAUNCH_FAILED");
	assert_int_equal(vyre_cuda_run_launch(run, w.kernel, 2, (struct vyre_cuda_arg *)w.kernel->table, WORK_BUFFERS,
					      NULL, 0, 0, NULL, 0),
			 VYRE_DEVICE_LOST);
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_LOST);
	let_it_end(w.gate_words); /* what runs on the stand-in is threads, which cannot be ended */
	vyre_cuda_run_destroy(run);
	close_work(&w);
	standin.standin_break(0);
	assert_nothing_is_left();
}

/* A kernel that never ends: what it holds stays, the rest of the process goes on. */
static void it_never_ends(void **state)
{
	struct vyre_cuda_run *run;
	uint32_t *gate;
	struct work w;

	(void)state;
	open_work(&w, "");
	launch_held(&w, &run);
	gate = w.gate_words;
	assert_int_equal(vyre_cuda_run_launch(run, w.kernel, 2, (struct vyre_cuda_arg *)w.kernel->table, WORK_BUFFERS,
					      NULL, 0, 0, NULL, 0),
			 VYRE_INVALID);
	assert_says("runs already");
	vyre_cuda_run_destroy(run);
	close_work(&w);
	assert_int_equal(vyre_mem_live(), 0);
	assert_int_equal(standin.standin_running(), 1);
	assert_int_equal(standin.standin_calls("cuMemFree"), 0);
	assert_int_equal(standin.standin_calls("cuMemFreeHost"), 0);
	assert_int_equal(standin.standin_calls("cuModuleUnload"), 0);
	assert_int_equal(standin.standin_calls("cuDevicePrimaryCtxRelease"), 0);
	let_it_end(gate);
	standin.standin_forget();
	assert_nothing_is_left();
}

/* What a run does before its kernel starts, in this order: words set to zero, a record copied. */
static void what_precedes_a_launch(void **state)
{
	const uint32_t record[3] = {1, 5000, 0}; /* the gate's words: open, what is added, no trap */
	struct vyre_cuda_run *run;
	uint64_t zero[2];
	struct work w;
	uint32_t i;

	(void)state;
	open_work(&w, "");
	assert_int_equal(vyre_cuda_run_create(w.device, &run), VYRE_OK);
	for (i = 0; i < 3; i++) {
		const uint64_t gate = (uintptr_t)w.kernel->table[WORK_GATE].data;
		const uint64_t table = (uintptr_t)w.kernel->table[WORK_TABLE].data;
		uint32_t word[3];

		zero[0] = table + 4 * 10;
		zero[1] = table + 4 * 11;
		w.gate_words[GATE_OPEN] = 0; /* the record opens it */
		assert_int_equal(vyre_cuda_run_launch(run, w.kernel, 8, (struct vyre_cuda_arg *)w.kernel->table,
						      WORK_BUFFERS, zero, 2, gate, record, sizeof(record)),
				 VYRE_OK);
		while (vyre_cuda_run_state(run) == VYRE_CUDA_RUNNING)
			usleep(100);
		assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_IDLE);
		assert_work_done(&w, 8, 5000);
		assert_int_equal(vyre_buffer_read(w.device, w.table, 4 * 10, word, sizeof(word)), VYRE_OK);
		assert_int_equal(word[0], 0);
		assert_int_equal(word[1], 0);
		assert_int_equal(word[2], 7 * 12);
		word[0] = word[1] = i + 1;
		assert_int_equal(vyre_buffer_write(w.device, w.table, 4 * 10, word, 8), VYRE_OK);
	}
	assert_int_equal(vyre_cuda_run_launch(run, w.kernel, 8, (struct vyre_cuda_arg *)w.kernel->table, WORK_BUFFERS,
					      NULL, 0, 0, record, VYRE_CUDA_RUN_RECORD_BYTES + 1),
			 VYRE_INVALID);
	vyre_cuda_run_destroy(run);
	close_work(&w);
	assert_nothing_is_left();
}

/* Under these nothing could stay resident, so it is told before it would hang. */
static void a_process_that_cannot(void **state)
{
	static const char *const names[] = {"CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_CONNECTIONS"};
	struct vyre_cuda_run *run = (void *)1;
	struct work w;
	uint32_t i;

	(void)state;
	open_work(&w, "");
	for (i = 0; i < 2; i++) {
		setenv(names[i], "1", 1);
		assert_int_equal(vyre_cuda_run_create(w.device, &run), VYRE_UNSUPPORTED);
		assert_null(run);
		assert_says(names[i]);
		setenv(names[i], i == 0 ? "0" : "8", 1);
		assert_int_equal(vyre_cuda_run_create(w.device, &run), VYRE_OK);
		vyre_cuda_run_destroy(run);
		unsetenv(names[i]);
	}
	close_work(&w);
	assert_nothing_is_left();
}

static char warned[512];

static void keep_warning(void *user, enum vyre_log_level level, const char *message)
{
	if (level == VYRE_LOG_WARNING)
		snprintf(user, sizeof(warned), "%s", message);
}

static void a_kernel_loaded_beside_another(void **state)
{
	struct vyre_cuda_run *run;
	struct work w, other;

	(void)state;
	open_work(&w, "");
	vyre_log_set(keep_warning, warned, VYRE_LOG_WARNING);
	other = w;
	assert_int_equal(make_work_kernel(&other), VYRE_OK);
	assert_string_equal(warned, "");
	vyre_kernel_destroy(other.kernel);
	launch_held(&w, &run);
	assert_int_equal(make_work_kernel(&other), VYRE_OK);
	assert_non_null(strstr(warned, "make kernels before rings"));
	vyre_log_set(NULL, NULL, VYRE_LOG_ERROR);
	vyre_kernel_destroy(other.kernel); /* its module waits for the other kernel's end, not we */
	assert_int_equal(standin.standin_calls("cuModuleUnload"), 1);
	let_it_end(w.gate_words);
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_IDLE);
	assert_int_equal(standin.standin_calls("cuModuleUnload"), 2);
	vyre_cuda_run_destroy(run);
	close_work(&w);
	assert_nothing_is_left();
}

/* The driver is not asked for what it would wait for; the stand-in would call that a mistake. */
static void lanes_that_need_more_beside_another(void **state)
{
	struct vyre_cuda_run *run;
	struct work w, other;

	(void)state;
	open_work(&w, "");
	launch_held(&w, &run);
	standin.standin_plan("local=4096");
	vyre_log_set(keep_warning, warned, VYRE_LOG_WARNING);
	other = w;
	assert_int_equal(make_work_kernel(&other), VYRE_OK);
	vyre_log_set(NULL, NULL, VYRE_LOG_ERROR);
	assert_non_null(strstr(warned, "whose lanes need 4096 bytes each"));
	assert_int_equal(standin.standin_calls("cuCtxSetLimit"), 0);
	vyre_kernel_destroy(other.kernel);
	let_it_end(w.gate_words);
	assert_int_equal(vyre_cuda_run_state(run), VYRE_CUDA_IDLE);
	vyre_cuda_run_destroy(run);
	close_work(&w);
	assert_nothing_is_left();
}

static void how_many_fit(void **state)
{
	struct work w;

	(void)state;
	open_work(&w, "multiprocessors=100,resident=3");
	assert_int_equal(vyre_cuda_most_workgroups(w.kernel, 0), 300);
	assert_int_equal(vyre_cuda_most_workgroups(w.kernel, 1000), 300);
	assert_int_equal(vyre_cuda_most_workgroups(w.kernel, 250), 75);
	assert_int_equal(vyre_cuda_most_workgroups(w.kernel, 1), 1);
	close_work(&w);
	assert_nothing_is_left();
}

/* ---- every call refused once ---- */

/* Opens, loads, dispatches, keeps a kernel resident, copies; the first status that is not OK. Takes apart what it made. */
static vyre_status whole_path(const uint8_t *bytes, uint64_t size)
{
	const uint32_t grid[3] = {3, 1, 1};
	struct vyre_cuda_run *run = NULL;
	struct work w = {0};
	uint32_t words[WORK_WORDS];
	vyre_status status = vyre_device_open("cuda", &w.device);

	if (status == VYRE_OK)
		status = vyre_blob_open(bytes, size, &w.blob);
	if (status == VYRE_OK)
		status = make_work(&w);
	if (status == VYRE_OK) {
		w.gate_words[GATE_OPEN] = 1;
		status = vyre_kernel_dispatch(w.kernel, grid, NULL);
	}
	if (status == VYRE_OK)
		status = vyre_cuda_run_create(w.device, &run);
	if (status == VYRE_OK)
		status = vyre_cuda_run_launch(run, w.kernel, 2, (struct vyre_cuda_arg *)w.kernel->table, WORK_BUFFERS,
					      NULL, 0, (uintptr_t)w.kernel->table[WORK_GATE].data, w.gate_words, 4);
	while (run && vyre_cuda_run_state(run) == VYRE_CUDA_RUNNING)
		usleep(20);
	if (run && status == VYRE_OK && vyre_cuda_run_state(run) == VYRE_CUDA_LOST)
		status = vyre_cuda_fail_lost(vyre_cuda_of(w.device));
	if (status == VYRE_OK)
		status = vyre_buffer_read(w.device, w.data, 0, words, sizeof(words));
	vyre_cuda_run_destroy(run);
	close_work(&w);
	return status;
}

static void every_call(void **state)
{
	static const char *const symbols[] = {
#define X(name, suffix, first, parameters) #name,
	    VYRE_CUDA_SYMBOL_LIST(X)
#undef X
	};
	static const unsigned results[] = {VYRE_CU_OUT_OF_MEMORY, VYRE_CU_LAUNCH_FAILED};
	uint32_t i, r, n, failed = 0;
	uint64_t size;
	uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_90, VYRE_CLASS_PLAIN, NULL, 0, &size);

	(void)state;
	for (r = 0; r < 2; r++)
		for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
			for (n = 1;; n++) {
				char plan[96];
				vyre_status status;

				assert_true(n < 1000);
				snprintf(plan, sizeof(plan), "%s:%u=%u", symbols[i], n, results[r]);
				standin.standin_plan(plan);
				status = whole_path(bytes, size);
				if (status != VYRE_OK) {
					failed++;
					assert_says(". Fix: ");
				}
				wait_for_kernels();
				/* A failure that does not say that the context is dead leaves what may still run. */
				if (status == VYRE_DEVICE_LOST && results[r] == VYRE_CU_OUT_OF_MEMORY)
					standin.standin_forget();
				standin.standin_break(0);
				assert_nothing_is_left();
				if (standin.standin_calls(symbols[i]) < n)
					break;
			}
	assert_true(failed > 100);
	print_message("%u failing calls of the driver, one after the other\n", failed);
	free(bytes);
}

static void every_allocation(void **state)
{
	uint64_t size;
	uint8_t *bytes = cuda_blob(VYRE_TARGET_SM_90, VYRE_CLASS_PLAIN, NULL, 0, &size);
	int64_t n;

	(void)state;
	standin.standin_plan("");
	for (n = 0;; n++) {
		vyre_status status;

		assert_true(n < 1000);
		vyre_mem_refuse_after(n);
		status = whole_path(bytes, size);
		vyre_mem_refuse_after(-1);
		assert_nothing_is_left();
		if (status == VYRE_OK)
			break;
		assert_int_equal(status, VYRE_NOMEM);
		assert_says(". Fix: ");
	}
	assert_true(n > 10);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_kernel_dies),
	    cmocka_unit_test(a_launch_is_refused),
	    cmocka_unit_test(it_dies_while_a_kernel_runs),
	    cmocka_unit_test(what_precedes_a_launch),
	    cmocka_unit_test(how_many_fit),
	    cmocka_unit_test(a_process_that_cannot),
	    cmocka_unit_test(a_kernel_loaded_beside_another),
	    cmocka_unit_test(lanes_that_need_more_beside_another),
	    cmocka_unit_test(every_call),
	    cmocka_unit_test(every_allocation),
	    cmocka_unit_test(it_never_ends),
	};

	return cmocka_run_group_tests(tests, find_standin, NULL);
}
