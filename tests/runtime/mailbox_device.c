/* mailbox_device.c - a device behind a mailbox, made of threads.
 *
 * In: an opened cpu device. Out: the same with other functions: memory in the device's place has no host address (`data` is
 * NULL, so that a host that reaches into it crashes), a ring's kernel is a thread a workgroup under runtime/device/
 * resident.c, and mailbox_plan says what fails. The kernel is any entry that takes the mailbox's buffers behind the unit's:
 * the one in C (mailbox_kernel.c), or one that the compiler made.
 */
#include <pthread.h>

#include "device/resident.h"
#include "mailbox_kernel.h"
#include "message.h"

struct mailbox_plan mailbox_plan;

static uint32_t *words_of(const struct vyre_memory *memory)
{
	return (uint32_t *)(uintptr_t)memory->address;
}

static vyre_status memory_create(struct vyre_memory *memory)
{
	enum vyre_place place = memory->place;
	vyre_status status = vyre_cpu_device.memory_create(memory);

	if (status == VYRE_OK && place == VYRE_PLACE_DEVICE)
		memory->data = NULL;
	return status;
}

static void memory_destroy(struct vyre_memory *memory)
{
	memory->data = words_of(memory);
	vyre_cpu_device.memory_destroy(memory);
}

/* Beside a kernel that runs: word by word, so that a thread sanitizer has no complaint. */
static vyre_status memory_write(struct vyre_memory *memory, uint64_t offset, const void *data, uint64_t bytes)
{
	const uint32_t *words = data;
	uint64_t i;

	for (i = 0; i < bytes / 4; i++)
		__atomic_store_n(words_of(memory) + offset / 4 + i, words[i], __ATOMIC_RELAXED);
	return VYRE_OK;
}

static vyre_status memory_read(struct vyre_memory *memory, uint64_t offset, void *data, uint64_t bytes)
{
	uint32_t *words = data;
	uint64_t i;

	if (__atomic_load_n(&mailbox_plan.lose, __ATOMIC_RELAXED))
		return vyre_fail(VYRE_DEVICE_LOST, "plan less", "the plan loses the device");
	if (((offset | bytes) & 3) != 0) { /* no words: nobody's but the test's */
		memcpy(data, (unsigned char *)words_of(memory) + offset, bytes);
		return VYRE_OK;
	}
	for (i = 0; i < bytes / 4; i++)
		words[i] = __atomic_load_n(words_of(memory) + offset / 4 + i, __ATOMIC_RELAXED);
	return VYRE_OK;
}

/* ---- the kernel ---------------------------------------------------------------------------------------------------- */

struct workgroup {
	struct run *run;
	struct vyre_cpu_launch launch;
	pthread_t thread;
};

struct run {
	struct vyre_ring *ring;
	struct vyre_cpu_buffer *table;
	uint32_t running, started; /* running: atomic */
	struct workgroup workgroups[];
};

static void *run_workgroup(void *argument)
{
	struct workgroup *workgroup = argument;

	workgroup->run->ring->kernel->entry(&workgroup->launch);
	__atomic_sub_fetch(&workgroup->run->running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void join(struct run *run)
{
	uint32_t i;

	for (i = 0; i < run->started; i++)
		pthread_join(run->workgroups[i].thread, NULL);
	run->started = 0;
}

static uint32_t *device_live(const struct vyre_ring *ring)
{
	return words_of(ring->memories[VYRE_RING_BUFFER_CONTROL]) + ring->control[VYRE_CONTROL_EXT_BASE];
}

static vyre_status launch(struct vyre_ring *ring, void *argument)
{
	static const uint32_t zero[] = {VYRE_LIVE_AWAY, VYRE_LIVE_ENGINE + VYRE_ENGINE_EXIT,
					VYRE_LIVE_ENGINE + VYRE_ENGINE_POLLER};
	struct run *run = argument;
	uint32_t i;

	if (mailbox_plan.refuse_launch && --mailbox_plan.refuse_launch == 0)
		return vyre_fail(VYRE_DEVICE_LOST, "plan less", "the plan refuses launch %u", mailbox_plan.launches);
	__atomic_add_fetch(&mailbox_plan.launches, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		__atomic_store_n(&device_live(ring)[zero[i]], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&run->running, ring->workers, __ATOMIC_SEQ_CST);
	for (i = 0; i < ring->workers; i++) {
		if (pthread_create(&run->workgroups[i].thread, NULL, run_workgroup, &run->workgroups[i]) != 0)
			abort();
		run->started++;
	}
	return VYRE_OK;
}

static enum vyre_resident_state state(struct vyre_ring *ring, void *argument)
{
	struct run *run = argument;

	(void)ring;
	if (__atomic_load_n(&mailbox_plan.lose, __ATOMIC_SEQ_CST)) {
		(void)!vyre_fail(VYRE_DEVICE_LOST, "plan less", "the plan loses the device");
		return VYRE_RESIDENT_LOST;
	}
	if (__atomic_load_n(&run->running, __ATOMIC_SEQ_CST) != 0)
		return VYRE_RESIDENT_RUNS;
	join(run);
	return VYRE_RESIDENT_ENDED;
}

/* A lost device's threads run on: they are told to leave. */
static void free_run(struct vyre_ring *ring, void *argument)
{
	struct run *run = argument;

	__atomic_store_n(&device_live(ring)[VYRE_LIVE_ENGINE + VYRE_ENGINE_EXIT], 1, __ATOMIC_SEQ_CST);
	join(run);
	free(run->table);
	free(run);
}

static const struct vyre_resident_fns resident = {launch, state, free_run};

static struct vyre_cpu_buffer buffer_of(const struct vyre_memory *memory)
{
	return (struct vyre_cpu_buffer){words_of(memory), memory->bytes / 4};
}

static void fill_table(const struct vyre_ring *ring, struct vyre_cpu_buffer *table)
{
	const struct vyre_kernel *kernel = ring->kernel;
	uint32_t i;

	memcpy(table, kernel->table, kernel->unit->buffer_count * sizeof(*table));
	for (i = 0; i < VYRE_RING_BUFFERS; i++)
		if (kernel->ring_rows[i] != VYRE_NO_ROW)
			table[kernel->rows[kernel->ring_rows[i]].binding] = buffer_of(ring->memories[i]);
	for (i = 0; i < VYRE_MAILBOX_BUFFERS; i++)
		table[kernel->unit->buffer_count + i] = buffer_of(ring->mailbox[i]);
}

static vyre_status ring_start(struct vyre_ring *ring)
{
	uint32_t buffers = ring->kernel->unit->buffer_count + VYRE_MAILBOX_BUFFERS, i;
	struct run *run = calloc(1, sizeof(*run) + ring->workers * sizeof(run->workgroups[0]));

	run->ring = ring;
	run->table = calloc(buffers, sizeof(*run->table));
	fill_table(ring, run->table);
	for (i = 0; i < ring->workers; i++) {
		run->workgroups[i].run = run;
		run->workgroups[i].launch = (struct vyre_cpu_launch){.workgroup = {i, 0, 0},
								     .workgroups = {ring->workers, 1, 1},
								     .buffer_count = buffers,
								     .buffers = run->table};
	}
	return vyre_resident_start(ring, &resident, run);
}

static vyre_status ring_workers(struct vyre_kernel *kernel, uint32_t share, uint32_t *usual, uint32_t *most)
{
	(void)kernel;
	*most = 16;
	*usual = share ? (*most * share + 999) / 1000 : 2;
	return VYRE_OK;
}

void mailbox_device_take(struct vyre_device *device)
{
	static struct vyre_device_fns fns;

	fns = vyre_cpu_device;
	fns.memory_create = memory_create;
	fns.memory_destroy = memory_destroy;
	fns.memory_write = memory_write;
	fns.memory_read = memory_read;
	fns.ring_workers = ring_workers;
	fns.ring_start = ring_start;
	fns.ring_wake = vyre_resident_wake;
	fns.ring_running = vyre_resident_running;
	fns.ring_sleeping = vyre_resident_sleeping;
	fns.ring_finish = vyre_resident_finish;
	fns.ring_abandon = vyre_resident_abandon;
	fns.ring_free = vyre_resident_free;
	device->fns = &fns;
}
