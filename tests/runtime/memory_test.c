/* memory_test.c - every allocation of the whole path refused once: the right status, and nothing left behind. */
#include "bench_rig.h"

/* Opens, publishes, waits, stops, dispatches; the first status that is not OK. Takes apart what it made. */
static vyre_status whole_path(const uint8_t *bytes, uint64_t size)
{
	static const uint32_t grid[3] = {2, 2, 1};
	struct vyre_device *device = NULL;
	struct vyre_blob *blob = NULL;
	struct vyre_kernel *set = NULL, *program = NULL;
	struct vyre_ring *ring = NULL;
	struct vyre_publisher *publisher = NULL;
	struct vyre_binding bindings[] = {{"marks", 0}, {"gate", 0}};
	struct vyre_kernel_params params = {.unit = "reference", .bindings = bindings, .binding_count = 2};
	struct vyre_ring_params ring_params = {.slots = 16, .workers = 3};
	struct vyre_slot slot = bench_slot(REFERENCE_OP_ADD, 2, 1, 2);
	struct vyre_result result;
	vyre_ticket ticket;
	vyre_status status;

#define STEP(expression) \
	do { \
		status = (expression); \
		if (status != VYRE_OK) \
			goto out; \
	} while (0)
	STEP(vyre_blob_open(bytes, size, &blob));
	STEP(vyre_device_open("cpu", &device));
	STEP(vyre_buffer_create(device, 4096, &bindings[0].buffer));
	STEP(vyre_buffer_create(device, 4096, &bindings[1].buffer));
	params.blob = blob;
	STEP(vyre_kernel_create(device, &params, &set));
	params.unit = "grid";
	STEP(vyre_kernel_create(device, &params, &program));
	ring_params.kernel = set;
	STEP(vyre_ring_create(&ring_params, &ring));
	STEP(vyre_publisher_create(ring, 0, &publisher));
	STEP(vyre_publish(publisher, &slot, 1, 0, 0, &ticket));
	STEP(vyre_wait(ring, ticket, SECONDS(60), &result));
	assert_int_equal(result.words[0], 3);
	STEP(vyre_kernel_dispatch(program, grid, NULL));
	STEP(vyre_ring_stop(ring, 1, SECONDS(60)));
#undef STEP
out:
	vyre_publisher_destroy(publisher);
	vyre_ring_destroy(ring);
	vyre_kernel_destroy(program);
	vyre_kernel_destroy(set);
	vyre_device_close(device);
	vyre_blob_close(blob);
	return status;
}

static void every_refusal(void **state)
{
	uint64_t size;
	uint8_t *bytes = test_blob_reference(NULL, &size);
	int64_t n;

	(void)state;
	for (n = 0;; n++) {
		vyre_status status;

		assert_true(n < 1000);
		vyre_mem_refuse_after(n);
		status = whole_path(bytes, size);
		vyre_mem_refuse_after(-1);
		assert_int_equal(vyre_mem_live(), 0);
		if (status == VYRE_OK)
			break;
		assert_int_equal(status, VYRE_NOMEM);
		assert_non_null(strstr(vyre_last_error(), ". Fix: "));
	}
	assert_true(n > 20);
	print_message("%d requests refused, one after the other\n", (int)n);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
