/* kernel_test.c - devices, buffers behind handles, binding by name, picking a slice, dispatch of programs. */
#include <pthread.h>

#include "bench_rig.h"

static void devices(void **state)
{
	struct vyre_device *device = (void *)1;
	struct vyre_device_info info;

	(void)state;
	assert_int_equal(vyre_device_open("no such driver", &device), VYRE_UNAVAILABLE);
	assert_null(device);
	assert_non_null(strstr(vyre_last_error(), "no such driver"));
	assert_int_equal(vyre_device_open(NULL, &device), VYRE_UNAVAILABLE);
	assert_int_equal(vyre_device_open("cpu", &device), VYRE_OK);
	vyre_device_get_info(device, &info);
	assert_string_equal(info.driver, "cpu");
	assert_true(info.max_workers >= 1);
	assert_true(info.target >= VYRE_TARGET_X86_64_V2 && info.target <= VYRE_TARGET_X86_64_V4);
	vyre_device_close(device);
	vyre_device_close(NULL);
}

static void buffers(void **state)
{
	struct vyre_device *device, *other;
	vyre_buffer buffer, again;
	uint32_t words[4] = {1, 2, 3, 4}, back[4] = {0};
	uint64_t bytes;
	void *map;
	int i;

	(void)state;
	assert_int_equal(vyre_device_open("cpu", &device), VYRE_OK);
	assert_int_equal(vyre_device_open("cpu", &other), VYRE_OK);
	assert_int_equal(vyre_buffer_create(device, 0, &buffer), VYRE_INVALID);
	assert_int_equal(buffer, 0);
	assert_int_equal(vyre_buffer_create(device, (UINT64_C(1) << 40) + 1, &buffer), VYRE_INVALID);
	assert_int_equal(vyre_buffer_create(device, 100, &buffer), VYRE_OK);
	assert_int_equal(vyre_buffer_size(device, buffer, &bytes), VYRE_OK);
	assert_int_equal(bytes, 100);
	assert_int_equal(vyre_buffer_map(device, buffer, &map), VYRE_OK);
	assert_int_equal((uintptr_t)map % 4096, 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(((uint8_t *)map)[i], 0);
	assert_int_equal(vyre_buffer_write(device, buffer, 84, words, 16), VYRE_OK);
	assert_int_equal(vyre_buffer_read(device, buffer, 84, back, 16), VYRE_OK);
	assert_memory_equal(words, back, 16);
	assert_int_equal(vyre_buffer_write(device, buffer, 85, words, 16), VYRE_INVALID);
	assert_int_equal(vyre_buffer_read(device, buffer, UINT64_MAX, back, 2), VYRE_INVALID);
	assert_int_equal(vyre_buffer_read(device, buffer, 2, back, UINT64_MAX), VYRE_INVALID);
	assert_int_equal(vyre_buffer_read(device, buffer, 100, NULL, 0), VYRE_OK);
	/* Not another device's, not made up, not after destruction, not when the place is used again. */
	assert_int_equal(vyre_buffer_size(other, buffer, &bytes), VYRE_STALE);
	assert_int_equal(vyre_buffer_size(device, 0, &bytes), VYRE_STALE);
	assert_int_equal(vyre_buffer_size(device, UINT64_MAX, &bytes), VYRE_STALE);
	assert_int_equal(vyre_buffer_destroy(device, buffer), VYRE_OK);
	assert_int_equal(vyre_buffer_destroy(device, buffer), VYRE_STALE);
	assert_int_equal(vyre_buffer_map(device, buffer, &map), VYRE_STALE);
	assert_null(map);
	assert_int_equal(vyre_buffer_create(device, 8, &again), VYRE_OK);
	assert_true(again != buffer);
	assert_int_equal(vyre_buffer_read(device, buffer, 0, back, 4), VYRE_STALE);
	for (i = 0; i < 200; i++) /* the table grows; the device gives back what is left */
		assert_int_equal(vyre_buffer_create(device, 8, &again), VYRE_OK);
	vyre_device_close(device);
	vyre_device_close(other);
	assert_int_equal(vyre_mem_live(), 0);
}

static void binding(void **state)
{
	struct bench b;
	struct vyre_kernel *kernel;
	struct vyre_binding one[3];
	struct vyre_kernel_params params = {.unit = "reference", .bindings = one};
	vyre_buffer small;

	(void)state;
	bench_open_kernel(&b, NULL, NULL, 64);
	params.blob = b.blob;
	assert_int_equal(vyre_buffer_create(b.device, 15, &small), VYRE_OK);
#define REFUSED(status, count, word, ...) \
	do { \
		const struct vyre_binding now[] = {__VA_ARGS__}; \
		memcpy(one, now, sizeof(now)); \
		params.binding_count = count; \
		kernel = (void *)1; \
		assert_int_equal(vyre_kernel_create(b.device, &params, &kernel), status); \
		assert_null(kernel); \
		assert_non_null(strstr(vyre_last_error(), word)); \
	} while (0)
	REFUSED(VYRE_INVALID, 1, "gate", {"marks", b.marks});
	REFUSED(VYRE_INVALID, 2, "gate", {"marks", b.marks}, {"gates", b.gate});
	REFUSED(VYRE_INVALID, 3, "extra", {"marks", b.marks}, {"gate", b.gate}, {"extra", small});
	REFUSED(VYRE_INVALID, 3, "twice", {"marks", b.marks}, {"gate", b.gate}, {"marks", b.marks});
	REFUSED(VYRE_INVALID, 2, "both", {"marks", b.marks}, {"gate", b.marks});
	REFUSED(VYRE_INVALID, 2, "needs 4 elements", {"marks", b.marks}, {"gate", small});
	REFUSED(VYRE_STALE, 2, "0x4d2", {"marks", b.marks}, {"gate", 1234});
	REFUSED(VYRE_INVALID, 3, "control", {"marks", b.marks}, {"gate", b.gate}, {"control", small});
	params.unit = NULL;
	REFUSED(VYRE_INVALID, 2, "2 units", {"marks", b.marks}, {"gate", b.gate});
	params.unit = "none";
	REFUSED(VYRE_INVALID, 2, "none", {"marks", b.marks}, {"gate", b.gate});
#undef REFUSED
	bench_close(&b);
	assert_int_equal(vyre_mem_live(), 0);
}

static struct vyre_blob_slice *slices(uint8_t *bytes)
{
	struct vyre_blob_header *header = (struct vyre_blob_header *)bytes;
	struct vyre_blob_section *table = (struct vyre_blob_section *)(header + 1);
	uint32_t i;

	for (i = 0; table[i].kind != VYRE_BLOB_SLICES; i++)
		;
	return (struct vyre_blob_slice *)(bytes + table[i].offset);
}

static void explains_its_choice(void **state)
{
	uint64_t size;
	uint8_t *bytes = test_blob_reference(NULL, &size);
	struct vyre_device *device;
	struct vyre_blob *blob;
	char text[512], less[20];
	size_t length;

	(void)state;
	assert_int_equal(vyre_device_open("cpu", &device), VYRE_OK);
	assert_int_equal(vyre_blob_open(bytes, size, &blob), VYRE_OK);
	length = vyre_device_explain(device, blob, text, sizeof(text));
	assert_int_equal(length, strlen(text));
	assert_non_null(strstr(text, "slice 0: unit reference, x86-64-v2 elf: picked"));
	assert_int_equal(vyre_device_explain(device, blob, less, sizeof(less)), length);
	assert_int_equal(strlen(less), sizeof(less) - 1);
	assert_int_equal(vyre_device_explain(device, blob, NULL, 0), length);
	vyre_blob_close(blob);
	/* Two slices of one unit: the better one; a target that no cpu has. */
	slices(bytes)[1].unit = 0;
	slices(bytes)[1].target = 77;
	test_blob_redigest(bytes, size);
	assert_int_equal(vyre_blob_open(bytes, size, &blob), VYRE_OK);
	vyre_device_explain(device, blob, text, sizeof(text));
	assert_non_null(strstr(text, "slice 0: unit reference, x86-64-v2 elf: picked"));
	assert_non_null(strstr(text, "none of the cpu device"));
	vyre_blob_close(blob);
	slices(bytes)[1].target = VYRE_TARGET_X86_64_V2;
	slices(bytes)[0].target = VYRE_TARGET_X86_64_V3;
	test_blob_redigest(bytes, size);
	assert_int_equal(vyre_blob_open(bytes, size, &blob), VYRE_OK);
	device->info.target = VYRE_TARGET_X86_64_V2;
	device->lacks = "avx2";
	vyre_device_explain(device, blob, text, sizeof(text));
	assert_non_null(strstr(
	    text, "slice 0: unit reference, x86-64-v3 elf: not picked: this processor has x86-64-v2, it lacks avx2"));
	assert_non_null(strstr(text, "slice 1: unit reference, x86-64-v2 elf: picked"));
	device->info.target = VYRE_TARGET_X86_64_V4;
	vyre_device_explain(device, blob, text, sizeof(text));
	assert_non_null(
	    strstr(text, "slice 1: unit reference, x86-64-v2 elf: not picked: slice 0 (x86-64-v3 elf) fits better"));
	vyre_blob_close(blob);
	vyre_device_close(device);
	free(bytes);
}

/* Each thing that can be wrong with a slice shows when a kernel is made. */
static void hostile_slices(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint64_t size;
		uint8_t *bytes = test_blob_reference(NULL, &size);
		struct vyre_device *device;
		struct vyre_blob *blob;
		struct vyre_kernel *kernel = (void *)1;
		struct vyre_binding bindings[] = {{"marks", 0}, {"gate", 0}};
		struct vyre_kernel_params params = {.unit = "grid", .bindings = bindings, .binding_count = 2};
		vyre_status expected = VYRE_MALFORMED;

		switch (i) {
		case 0: /* not code */
			slices(bytes)[1].entry = 16;
			break;
		case 1:
			slices(bytes)[1].stack_bytes = UINT32_MAX;
			expected = VYRE_UNSUPPORTED;
			break;
		case 2:
			slices(bytes)[1].target = 99;
			expected = VYRE_UNSUPPORTED;
			break;
		default: /* code that was changed: its digest stays */
			break;
		}
		test_blob_redigest(bytes, size);
		if (i == 3)
			bytes[size - 100] ^= 1;
		assert_int_equal(vyre_blob_open(bytes, size, &blob), VYRE_OK);
		assert_int_equal(vyre_device_open("cpu", &device), VYRE_OK);
		assert_int_equal(vyre_buffer_create(device, 64, &bindings[0].buffer), VYRE_OK);
		assert_int_equal(vyre_buffer_create(device, 64, &bindings[1].buffer), VYRE_OK);
		params.blob = blob;
		assert_int_equal(vyre_kernel_create(device, &params, &kernel), expected);
		assert_null(kernel);
		vyre_device_close(device);
		vyre_blob_close(blob);
		free(bytes);
		assert_int_equal(vyre_mem_live(), 0);
	}
}

static void dispatch(void **state)
{
	static const uint32_t grids[][3] = {{1, 1, 1}, {2, 3, 4}, {1, 1, 500}, {4096, 1, 1}};
	struct vyre_binding bindings[2];
	struct vyre_kernel_params params = {.unit = "grid", .bindings = bindings, .binding_count = 2};
	struct vyre_kernel *grid;
	struct bench b;
	uint32_t fault[2], i, j;

	(void)state;
	bench_open_kernel(&b, NULL, NULL, 4096);
	bindings[0] = (struct vyre_binding){"marks", b.marks};
	bindings[1] = (struct vyre_binding){"gate", b.gate};
	params.blob = b.blob;
	assert_int_equal(vyre_kernel_create(b.device, &params, &grid), VYRE_OK);
	for (i = 0; i < sizeof(grids) / sizeof(grids[0]); i++) {
		uint32_t total = grids[i][0] * grids[i][1] * grids[i][2];

		memset(b.mark_words, 0, 4 * 4096);
		assert_int_equal(vyre_kernel_dispatch(grid, grids[i], fault), VYRE_OK);
		for (j = 0; j < 4096; j++)
			assert_int_equal(b.mark_words[j], j < total);
	}
	assert_int_equal(vyre_kernel_dispatch(grid, (const uint32_t[3]){1, 0, 1}, NULL), VYRE_INVALID);
	assert_int_equal(vyre_kernel_dispatch(b.kernel, grids[0], NULL), VYRE_INVALID); /* a set */
	assert_int_equal(vyre_ring_create(&(struct vyre_ring_params){.kernel = grid}, &b.ring), VYRE_INVALID);
	b.gate_words[0] = 1;
	assert_int_equal(vyre_kernel_dispatch(grid, grids[2], fault), VYRE_FAULT);
	assert_int_equal(fault[0], VYRE_FAULT_TRAP);
	assert_int_equal(fault[1], 3); /* the lowest workgroup that trapped */
	vyre_kernel_destroy(grid);
	bench_close(&b);
	assert_int_equal(vyre_mem_live(), 0);
}

static char logged[1024];
static enum vyre_log_level logged_level;

static void keep(void *user, enum vyre_log_level level, const char *message)
{
	assert_ptr_equal(user, logged);
	logged_level = level;
	snprintf(logged, sizeof(logged), "%s", message);
}

static void *other_thread(void *argument)
{
	(void)argument;
	assert_string_equal(vyre_last_error(), "");
	return NULL;
}

static void messages(void **state)
{
	struct vyre_device *device;
	pthread_t thread;

	(void)state;
	vyre_log_set(keep, logged, VYRE_LOG_ERROR);
	assert_int_equal(vyre_device_open("x", &device), VYRE_UNAVAILABLE);
	assert_string_equal(logged,
			    "this build of the loader has no device \"x\". Fix: open \"cpu\", which is always there.");
	assert_string_equal(vyre_last_error(), logged);
	assert_int_equal(logged_level, VYRE_LOG_ERROR);
	vyre_log_set(NULL, NULL, VYRE_LOG_ERROR);
	assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
	pthread_join(thread, NULL);
	assert_string_equal(vyre_status_name(VYRE_FULL), "VYRE_FULL");
	assert_string_equal(vyre_status_name((vyre_status)999), "VYRE_?");
	assert_string_equal(vyre_version(), "0.1.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(devices),	      cmocka_unit_test(buffers),
	    cmocka_unit_test(binding),	      cmocka_unit_test(explains_its_choice),
	    cmocka_unit_test(hostile_slices), cmocka_unit_test(dispatch),
	    cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
