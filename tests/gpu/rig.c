/* rig.c - a device, a blob, buffers by name, a kernel and a ring, through the public interface alone. See gpu.h. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/gpu/gpu.h"

/* Tests count across the end of the 32-bit positions. */
static const uint32_t FIRST_POSITION = 0xFFFFFF00u;

void gpu_expect_status(const char *file, int line, const char *call, vyre_status have, vyre_status want)
{
	if (have != want)
		gpu_fail(file, line, "%s is %s, not %s: %s", call, vyre_status_name(have), vyre_status_name(want),
			 vyre_last_error());
}

void gpu_expect_equal(const char *file, int line, const char *what, uint64_t have, uint64_t want)
{
	if (have != want)
		gpu_fail(file, line, "%s is %llu, not %llu", what, (unsigned long long)have, (unsigned long long)want);
}

static void print_message(void *user, enum vyre_log_level level, const char *message)
{
	(void)user;
	(void)level;
	printf("vyre: %s\n", message);
}

struct vyre_device *gpu_open_device(const struct gpu_options *options)
{
	struct vyre_device_info info;
	struct vyre_device *device;

	vyre_log_set(print_message, NULL, VYRE_LOG_WARNING);
	gpu_step("opening the device");
	OK(vyre_device_open(options->device, &device));
	vyre_device_get_info(device, &info);
	gpu_tell_device(&info);
	return device;
}

struct vyre_blob *gpu_open_blob(const struct gpu_options *options, const char *name)
{
	struct vyre_blob *blob;
	char path[512];

	snprintf(path, sizeof path, "%s/%s", options->folder, name);
	OK(vyre_blob_open_file(path, &blob));
	return blob;
}

uint32_t gpu_turns(const struct gpu_options *options, uint32_t usual)
{
	uint64_t turns = usual * options->slots / GPU_USUAL_SLOTS;

	return turns > usual ? usual : turns < usual / 10 ? usual / 10 : (uint32_t)turns;
}

void gpu_rig_open(struct gpu_rig *rig, const struct gpu_options *options, struct vyre_device *device, const char *blob,
		  const char *unit, const struct gpu_buffer *buffers)
{
	struct vyre_binding bindings[GPU_BUFFERS];
	struct vyre_kernel_params params = {.unit = unit, .bindings = bindings};

	memset(rig, 0, sizeof *rig);
	rig->shares_device = device != NULL;
	rig->device = device ? device : gpu_open_device(options);
	rig->blob = gpu_open_blob(options, blob);
	for (uint32_t i = 0; buffers[i].name; i++) {
		struct gpu_buffer *b = &rig->buffers[i];
		void *map = NULL;

		*b = buffers[i];
		gpu_step("making buffer %s", b->name);
		OK(vyre_buffer_create(rig->device, 4 * b->words, &b->buffer));
		if (b->map)
			OK(vyre_buffer_map(rig->device, b->buffer, &map));
		b->map = map;
		bindings[i] = (struct vyre_binding){b->name, b->buffer};
		params.binding_count = i + 1;
	}
	params.blob = rig->blob;
	gpu_step("loading a kernel of %s", blob);
	OK(vyre_kernel_create(rig->device, &params, &rig->kernel));
}

void gpu_rig_start(struct gpu_rig *rig, struct vyre_ring_params params)
{
	params.kernel = rig->kernel;
	if (!params.first_position)
		params.first_position = FIRST_POSITION;
	gpu_step("making a ring of %u slots, %u workers", params.slots, params.workers);
	OK(vyre_ring_create(&params, &rig->ring));
	gpu_ring_opened(rig->ring);
	gpu_step("with a ring of %u slots, %u workers", params.slots, params.workers);
	OK(vyre_publisher_create(rig->ring, 0, &rig->publisher));
}

void gpu_rig_stats(struct gpu_rig *rig, struct vyre_ring_stats *stats)
{
	const struct timespec rest = {0, 1000000};

	for (uint32_t turn = 0; turn < 10000; turn++) {
		vyre_ring_get_stats(rig->ring, stats);
		if (stats->retired == stats->published)
			return;
		nanosleep(&rest, NULL);
	}
}

void gpu_rig_end(struct gpu_rig *rig)
{
	gpu_step("stopping a ring");
	OK(vyre_ring_stop(rig->ring, 1, GPU_SECONDS(60)));
	gpu_rig_close(rig);
}

void gpu_rig_close(struct gpu_rig *rig)
{
	gpu_step("giving back ring, kernel and buffers");
	gpu_ring_closes(rig->ring);
	vyre_publisher_destroy(rig->publisher);
	vyre_ring_destroy(rig->ring);
	vyre_kernel_destroy(rig->kernel);
	for (uint32_t i = 0; i < GPU_BUFFERS && rig->buffers[i].name; i++)
		OK(vyre_buffer_destroy(rig->device, rig->buffers[i].buffer));
	if (!rig->shares_device)
		vyre_device_close(rig->device);
	vyre_blob_close(rig->blob);
}

static struct gpu_buffer *find_buffer(struct gpu_rig *rig, const char *name)
{
	for (uint32_t i = 0; i < GPU_BUFFERS && rig->buffers[i].name; i++)
		if (!strcmp(rig->buffers[i].name, name))
			return &rig->buffers[i];
	gpu_fail(__FILE__, __LINE__, "the rig has no buffer %s", name);
}

uint32_t *gpu_rig_read(struct gpu_rig *rig, const char *name, uint64_t *words)
{
	struct gpu_buffer *b = find_buffer(rig, name);
	uint32_t *copy = malloc(4 * b->words);

	CHECK(copy, "no memory for %llu words", (unsigned long long)b->words);
	OK(vyre_buffer_read(rig->device, b->buffer, 0, copy, 4 * b->words));
	if (words)
		*words = b->words;
	return copy;
}

uint32_t gpu_rig_word(struct gpu_rig *rig, const char *name, uint64_t word)
{
	uint32_t value;

	OK(vyre_buffer_read(rig->device, find_buffer(rig, name)->buffer, 4 * word, &value, sizeof value));
	return value;
}

struct vyre_slot gpu_slot(uint32_t opcode, uint32_t count, uint32_t a, uint32_t b)
{
	return (struct vyre_slot){
	    .opcode = opcode, .priority = VYRE_PRIORITY_NORMAL, .arg_count = count, .args = {a, b}};
}

vyre_ticket gpu_publish(struct vyre_publisher *publisher, uint32_t opcode, uint32_t count, uint32_t a, uint32_t b)
{
	struct vyre_slot slot = gpu_slot(opcode, count, a, b);
	vyre_ticket ticket;

	OK(vyre_publish(publisher, &slot, 1, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), &ticket));
	return ticket;
}

void gpu_wait(struct gpu_rig *rig, vyre_ticket ticket, struct vyre_result *result)
{
	OK(vyre_wait(rig->ring, ticket, GPU_SECONDS(60), result));
}

uint32_t gpu_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

void gpu_sleep(uint64_t ns)
{
	struct timespec nap = {(time_t)(ns / GPU_SECOND), (long)(ns % GPU_SECOND)};

	nanosleep(&nap, NULL);
}

void gpu_wait_word(const uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value)
		sched_yield();
}

void gpu_set_word(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}
