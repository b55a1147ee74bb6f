/* abi_fuzz.c - libFuzzer on the codecs of runtime/abi: bytes that somebody else wrote, of any length and alignment.
 *
 * The first byte picks a codec and an offset of 0 to 3 bytes from the word boundary; the rest is the buffer, in memory
 * of exactly that length. Readers may refuse; what they accept must be inside, and writers must refuse or keep their
 * word.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/control.h"
#include "runtime/abi/debug.h"
#include "runtime/abi/io.h"
#include "runtime/abi/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void read_control(const uint8_t *bytes, size_t size)
{
	uint32_t value, many[32], index = 0;
	struct vyre_metric metrics[32];
	vyre_control_done(bytes, size, &value);
	vyre_control_epoch(bytes, size, &value);
	vyre_control_tenant_fairness(bytes, size, many);
	vyre_control_priority_fairness(bytes, size, many);
	if (vyre_control_metrics(bytes, size, metrics, &value) == VYRE_LENGTH_NONE)
		require(value <= 32);
	if (size >= 4)
		index = vyre_word_get(bytes, 0);
	if (vyre_control_observable(bytes, size, index, &value) == VYRE_LENGTH_NONE)
		require(4 * (UINT64_C(160) + index) < size);
	vyre_control_observable(bytes, size, index % 512, &value);
}

static void read_log(const uint8_t *bytes, size_t size)
{
	uint32_t records = 0, strict, dropped, i;
	if (vyre_debug_clamp(bytes, size, &records, &dropped))
		return;
	for (i = 0; i < records; i++)
		(void)vyre_debug_get(bytes, i);
	if (vyre_debug_strict(bytes, size, &strict) == VYRE_LENGTH_NONE)
		require(strict == records && dropped == 0);
}

static void read_slots(const uint8_t *bytes, size_t size)
{
	uint32_t count = (uint32_t)(size / VYRE_SLOT_BYTES), done = 0, i;
	struct vyre_load_miss miss;
	struct vyre_task_snapshot snapshot;
	if (vyre_ring_count_done(bytes, size, count, &done) == VYRE_LENGTH_NONE)
		require(done <= count);
	for (i = 0; i <= count; i++)
		require(!vyre_load_miss_decode(bytes, size, i, &miss) || i < count);
	if (vyre_task_take_snapshot(bytes, size, &snapshot) == VYRE_TASK_ERROR_NONE)
		require(vyre_task_schedulable(&snapshot) <= count);
}

static void read_packed(const uint8_t *bytes, size_t size)
{
	uint32_t words[VYRE_SLOT_ARGS] = {0}, i, k;
	struct vyre_packed packed;
	memcpy(words, bytes, size < sizeof words ? size : sizeof words);
	if (vyre_packed_decode(words, NULL, &packed))
		return;
	for (i = 0; i < packed.ops; i++)
		for (k = 0; k < VYRE_SLOT_ARGS; k++)
			require(vyre_packed_opcode(words, i) != VYRE_OPCODE_BATCH_FENCE &&
				(k < packed.arg_words || vyre_packed_arg(words, &packed, i, k) == 0));
}

/* Writers, on a ring or a queue whose words are the enemy's. */
static void write_slots(uint32_t *ring, size_t size)
{
	uint32_t args[VYRE_SLOT_ARGS] = {0}, status = size >= 4 ? ring[0] : 0, word = size >= 64 ? ring[1] : 0;
	struct vyre_slot_request request = {word, word % 64, word % 7, args, word % 16};
	if (vyre_publish_slots(ring, size, word % 5, &request, 1) == VYRE_PUBLISH_NONE)
		require(ring[word % 5 * VYRE_SLOT_WORDS] == VYRE_SLOT_PUBLISHED && word % 16 <= 12 && word % 7 <= 4);
	else
		require(size < 4 || ring[0] == status);
}

static void write_queue(uint32_t *queue, size_t size)
{
	struct vyre_io_request requests[VYRE_IO_ENTRIES];
	struct vyre_io_completion done[VYRE_IO_ENTRIES], taken;
	uint32_t count = 0, again = 0, i;
	if (vyre_io_claim(queue, size, requests, &count))
		return;
	for (i = 0; i < count; i++)
		done[i] = (struct vyre_io_completion){requests[i].entry, requests[i].op % 3, requests[i].bytes};
	require(!vyre_io_poll(queue, size, requests, &again) && again == 0);
	require(!vyre_io_complete_batch(queue, size, done, count));
	for (i = 0; i < count; i++)
		require(!vyre_io_take(queue, size, done[i].entry, &taken) && taken.error == done[i].error);
}

static void move_task(uint32_t *task, size_t size)
{
	uint32_t before[VYRE_TASK_WORDS], i;
	for (i = 0; size >= VYRE_TASK_BYTES && i < 6; i++) {
		enum vyre_task_error error;
		memcpy(before, task, sizeof before);
		error = i == 0	 ? vyre_task_pause(task, 1, 2, 3)
			: i == 1 ? vyre_task_resume(task)
			: i == 2 ? vyre_task_yield(task, 1, 2)
			: i == 3 ? vyre_task_requeue(task, 1, 2, task[1] % 7)
			: i == 4 ? vyre_task_fault(task, 1)
				 : vyre_task_complete(task);
		require(!error || memcmp(before, task, sizeof before) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const uint8_t *, size_t) = {read_control, read_log, read_slots, read_packed};
	static void (*const writers[])(uint32_t *, size_t) = {write_slots, write_queue, move_task};
	if (size == 0)
		return 0;
	unsigned pick = data[0] % 7, shift = pick < 4 ? data[0] / 7 % 4 : 0;
	uint8_t *copy = malloc(size - 1 + shift), *bytes = copy + shift;
	if (!copy)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	if (pick < 4)
		readers[pick](bytes, size - 1);
	else
		writers[pick - 4]((uint32_t *)(void *)bytes, size - 1);
	free(copy);
	return 0;
}
