/* live_test.c - the loader over the scheduler that vyrec assembles for sets that suspend, spawn, ask for bytes, and have
 * the built-in opcodes: what crosses the line between them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "bench_rig.h"
#include "live.h"
#include "mailbox_kernel.h"
#include "pattern_file.h"

#ifndef IS_BEHIND_MAILBOX
#define IS_BEHIND_MAILBOX 0
#endif

enum { OP_MARK = 0x100, OP_HOLD, OP_TURNS, OP_SLEEP, OP_SUM, OP_TREE, OP_LATE, OP_SMALL = 0x20 };
enum { BYTES = 1 << 16, RESOURCE = 3 };

struct live {
	struct bench bench;
	struct vyre_publisher *other; /* of tenant 1 */
	vyre_buffer bytes;
	struct vyre_io *io;
};

static void open_live(struct live *l, struct vyre_ring_params ring)
{
	struct vyre_binding bindings[] = {{"gate", 0}, {"marks", 0}, {"bytes", 0}};
	struct vyre_kernel_params params = {.bindings = bindings, .binding_count = 3};
	struct bench *b = &l->bench;
	void *map;

	memset(l, 0, sizeof(*l));
	assert_int_equal(vyre_blob_open_file(VYRE_SCHEDULER_SUSPEND, &b->blob), VYRE_OK);
	assert_int_equal(vyre_device_open("cpu", &b->device), VYRE_OK);
	if (IS_BEHIND_MAILBOX)
		mailbox_device_take(b->device);
	assert_int_equal(vyre_buffer_create(b->device, 64, &b->gate), VYRE_OK);
	assert_int_equal(vyre_buffer_create(b->device, 64, &b->marks), VYRE_OK);
	assert_int_equal(vyre_buffer_create(b->device, BYTES, &l->bytes), VYRE_OK);
	assert_int_equal(vyre_buffer_map(b->device, b->gate, &map), VYRE_OK);
	b->gate_words = map;
	assert_int_equal(vyre_buffer_map(b->device, b->marks, &map), VYRE_OK);
	b->mark_words = map;
	bindings[0].buffer = b->gate;
	bindings[1].buffer = b->marks;
	bindings[2].buffer = l->bytes;
	params.blob = b->blob;
	assert_int_equal(vyre_kernel_create(b->device, &params, &b->kernel), VYRE_OK);
	if (IS_BEHIND_MAILBOX) /* no blob says that of native code */
		b->kernel->slice_flags = VYRE_SLICE_MAILBOX;
	ring.workers += IS_BEHIND_MAILBOX; /* the ferry */
	ring.tenants = 2;
	ring.observables = 4;
	ring.first_position = 0xFFFFFF00u;
	bench_open_ring(b, ring);
	assert_int_equal(vyre_publisher_create(b->ring, 1, &l->other), VYRE_OK);
}

static void close_live(struct live *l)
{
	vyre_publisher_destroy(l->other);
	vyre_io_destroy(l->io);
	assert_int_equal(vyre_buffer_destroy(l->bench.device, l->bytes), VYRE_OK);
	bench_close(&l->bench);
	assert_int_equal(vyre_mem_live(), 0);
}

/* Behind a mailbox the host sees the first status and the last; what is between is the device's. */
static uint32_t status_in_flight(struct vyre_ring *ring, uint64_t position)
{
	const uint32_t *words = (const uint32_t *)(uintptr_t)ring->memories[VYRE_RING_BUFFER_RING]->address;

	return __atomic_load_n(&words[(position & (ring->slots - 1)) * VYRE_SLOT_WORDS], __ATOMIC_ACQUIRE);
}

static void wait_for_status(struct live *l, vyre_ticket ticket, uint32_t status)
{
	int i;

	/* Seen once is enough: a worker that looks at a slot claims it for a moment. */
	for (i = 0; status_in_flight(l->bench.ring, ticket >> VYRE_OWNER_SHIFT) != status; i++) {
		assert_true(i < 20000);
		usleep(1000);
	}
}

static uint32_t wait_for(struct live *l, vyre_ticket ticket, vyre_status expected)
{
	struct vyre_result result;

	assert_int_equal(vyre_wait(l->bench.ring, ticket, SECONDS(30), &result), expected);
	return result.words[expected == VYRE_FAULT];
}

static uint32_t epoch(struct live *l)
{
	uint32_t word;

	assert_int_equal(vyre_ring_read_control(l->bench.ring, VYRE_CONTROL_EPOCH, &word, 1), VYRE_OK);
	return word;
}

static void suspended_and_spawned_slots_end(void **state)
{
	vyre_ticket tickets[8];
	struct vyre_ring_stats stats;
	struct live l;
	uint32_t i, round;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 16, .workers = 2, .idle_ns = 20000, .spawned = 64});
	for (round = 1; round <= 50; round++) {
		for (i = 0; i < 8; i++)
			tickets[i] = bench_publish(&l.bench, i % 2 ? OP_TREE : OP_TURNS, 1, i % 2 ? 3 : 10 * i, 0);
		for (i = 0; i < 8; i++)
			assert_int_equal(wait_for(&l, tickets[i], VYRE_OK),
					 i % 2 ? 3 : 10 * i * (10 * i - (i != 0)) / 2);
		assert_int_equal(l.bench.mark_words[5], round * 4 * 15);
		usleep(round % 2 ? 1000 : 0); /* asleep or not */
	}
	vyre_ring_get_stats(l.bench.ring, &stats);
	assert_int_equal(stats.published, 400);
	assert_int_equal(stats.retired, 400); /* the ring's own */
	assert_int_equal(stats.ready, 0);
	assert_int_equal(stats.waiting, 0);
	close_live(&l);
}

static void fences_order_and_move_the_epoch(void **state)
{
	struct vyre_slot slots[4];
	vyre_ticket tickets[4], sleeper;
	struct live l;
	uint32_t i, word;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 8, .workers = 2, .idle_ns = 20000});
	for (i = 0; i < 200; i++) {
		sleeper = bench_publish(&l.bench, OP_SLEEP, 1, i + 1, 0);
		slots[0] = bench_slot(OP_MARK, 1, 1, 0);
		slots[1] = bench_slot(OP_TURNS, 1, i % 7, 0);
		slots[2] = slots[0];
		slots[3] = bench_slot(VYRE_OPCODE_BATCH_FENCE, 2, 3, 1000 + i);
		assert_int_equal(vyre_publish(l.bench.publisher, slots, 4, VYRE_PUBLISH_WAIT, SECONDS(20), tickets),
				 VYRE_OK);
		wait_for(&l, tickets[3], VYRE_OK);
		assert_int_equal(l.bench.mark_words[1], 2 * (i + 1));
		assert_int_equal(vyre_poll(l.bench.ring, tickets[1], NULL), VYRE_OK);
		assert_int_equal(epoch(&l), i + 1);
		assert_int_equal(vyre_ring_read_control(l.bench.ring, VYRE_CONTROL_OBSERVABLES, &word, 1), VYRE_OK);
		assert_int_equal(word, 1000 + i);
		assert_int_equal(wait_for(&l, sleeper, VYRE_OK), 77);
		for (word = 0; word < 3; word++)
			wait_for(&l, tickets[word], VYRE_OK);
	}
	/* A fence of the whole ring: its own place is not one of those that it waits for. */
	slots[0] = bench_slot(VYRE_OPCODE_BATCH_FENCE, 2, 8, 0);
	assert_int_equal(vyre_publish(l.bench.publisher, slots, 1, 0, 0, tickets), VYRE_OK);
	wait_for(&l, tickets[0], VYRE_OK);
	slots[0].args[0] = 9;
	assert_int_equal(vyre_publish(l.bench.publisher, slots, 1, VYRE_PUBLISH_UNCHECKED, 0, tickets), VYRE_OK);
	assert_int_equal(wait_for(&l, tickets[0], VYRE_FAULT), 9);
	close_live(&l);
}

struct fenced {
	struct live *live;
	uint32_t mark, failed;
};

/* Batches of marks with a fence behind them, on a ring that is always full. */
static void *publish_fenced(void *argument)
{
	struct fenced *f = argument;
	struct vyre_ring *ring = f->live->bench.ring;
	uint32_t i, k, sum = 0;

	for (i = 0; i < 500; i++) {
		uint32_t count = i % ring->slots % 8;
		struct vyre_slot slots[8];
		vyre_ticket tickets[8];

		for (k = 0; k < count; k++)
			slots[k] = bench_slot(OP_MARK, 1, f->mark, 0);
		slots[count] = bench_slot(VYRE_OPCODE_BATCH_FENCE, 1, i % 5 ? count : ring->slots, 0);
		f->failed += vyre_publish(f->live->bench.publisher, slots, count + 1, VYRE_PUBLISH_WAIT, SECONDS(60),
					  tickets) != VYRE_OK;
		sum += count;
		for (k = 0; k < count; k++)
			f->failed += vyre_release(ring, tickets[k]) != VYRE_OK;
		f->failed += vyre_wait(ring, tickets[count], SECONDS(60), NULL) != VYRE_OK;
		f->failed += __atomic_load_n(&f->live->bench.mark_words[f->mark], __ATOMIC_ACQUIRE) < sum;
		if (f->failed)
			break;
	}
	return NULL;
}

static void fences_for_many_laps(void **state)
{
	static const uint32_t sizes[] = {2, 4, 16};
	uint32_t i, k;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct live l;
		struct fenced fenced[2] = {{&l, 1, 0}, {&l, 2, 0}};
		pthread_t threads[2];

		open_live(&l, (struct vyre_ring_params){.slots = sizes[i], .workers = 2, .idle_ns = 20000});
		for (k = 0; k < 2; k++)
			assert_int_equal(pthread_create(&threads[k], NULL, publish_fenced, &fenced[k]), 0);
		for (k = 0; k < 2; k++) {
			pthread_join(threads[k], NULL);
			assert_int_equal(fenced[k].failed, 0);
		}
		assert_int_equal(epoch(&l), 1000);
		close_live(&l);
	}
}

static void packed_slots_run_all_their_ops(void **state)
{
	const uint32_t store[2] = {5, 161}, add[2] = {3, 161}, mark[1] = {4};
	const struct vyre_packed_op ops[] = {
	    {VYRE_OPCODE_STORE_U32, store, 2}, {VYRE_OPCODE_ATOMIC_ADD, add, 2}, {OP_SMALL, mark, 1}};
	vyre_ticket ticket;
	struct live l;
	uint32_t word;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 8, .workers = 1});
	assert_int_equal(vyre_publisher_packed(l.bench.publisher, ops, 3, VYRE_PRIORITY_NORMAL, 0, 0, &ticket),
			 VYRE_OK);
	wait_for(&l, ticket, VYRE_OK);
	assert_int_equal(vyre_ring_read_control(l.bench.ring, 161, &word, 1), VYRE_OK);
	assert_int_equal(word, 8);
	assert_int_equal(l.bench.mark_words[4], 1);
	close_live(&l);
}

static void quotas_hold(void **state)
{
	struct vyre_slot slot = bench_slot(OP_HOLD, 1, 0, 0);
	vyre_ticket tickets[3];
	struct live l;
	uint32_t i;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 16, .workers = 2, .idle_ns = 20000});
	assert_int_equal(vyre_ring_set_quota(l.bench.ring, 1, 2), VYRE_OK);
	assert_int_equal(vyre_publish(l.other, &slot, 1, 0, 0, &tickets[0]), VYRE_OK);
	wait_for_status(&l, tickets[0], VYRE_SLOT_CLAIMED);
	slot = bench_slot(OP_MARK, 1, 1, 0);
	assert_int_equal(vyre_ring_set_quota(l.bench.ring, 1, 3), VYRE_OK);
	assert_int_equal(vyre_ring_set_tenant(l.bench.ring, 1, 0), VYRE_OK);
	for (i = 1; i < 3; i++)
		assert_int_equal(vyre_publish(l.other, &slot, 1, 0, 0, &tickets[i]), VYRE_OK);
	assert_int_equal(vyre_publish(l.other, &slot, 1, 0, 0, NULL), VYRE_FULL);
	/* Lowered: one runs, so no other may start. */
	assert_int_equal(vyre_ring_set_quota(l.bench.ring, 1, 1), VYRE_OK);
	assert_int_equal(vyre_ring_set_tenant(l.bench.ring, 1, 1), VYRE_OK);
	assert_int_equal(vyre_wait(l.bench.ring, tickets[1], 20000000, NULL), VYRE_TIMEOUT);
	wait_for(&l, bench_publish(&l.bench, OP_MARK, 1, 2, 0), VYRE_OK); /* nobody else's business */
	assert_int_equal(l.bench.mark_words[1], 0);
	bench_open_gate(&l.bench, 0);
	for (i = 0; i < 3; i++)
		wait_for(&l, tickets[i], VYRE_OK);
	assert_int_equal(l.bench.mark_words[1], 2);
	for (i = 0; i < 500; i++)
		assert_int_equal(vyre_publish(l.other, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(l.bench.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(l.bench.mark_words[1], 502);
	close_live(&l);
}

static void is_cancelled(struct live *l, vyre_ticket ticket)
{
	struct vyre_result result;

	assert_int_equal(vyre_cancel(l->bench.ring, ticket, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_wait(l->bench.ring, ticket, SECONDS(20), &result), VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_CANCELLED);
}

static void slots_of_every_kind_are_cancelled(void **state)
{
	vyre_ticket running, ticket;
	struct vyre_slot slots[2];
	vyre_ticket pair[2];
	struct live l;
	uint32_t i;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 8, .workers = 2, .idle_ns = 20000});
	for (i = 0; i < 30; i++) {
		__atomic_store_n(&l.bench.gate_words[0], 0, __ATOMIC_RELEASE);
		/* paused; its epoch never comes */
		ticket = bench_publish(&l.bench, OP_SLEEP, 1, 1000, 0);
		wait_for_status(&l, ticket, VYRE_SLOT_WAIT_IO);
		usleep(i % 3 ? 0 : 500);
		is_cancelled(&l, ticket);
		/* waits for bytes that nobody serves */
		ticket = bench_publish(&l.bench, OP_SUM, 2, 1, 0);
		wait_for_status(&l, ticket, VYRE_SLOT_WAIT_IO);
		is_cancelled(&l, ticket);
		memset(l.bench.ring->memories[VYRE_RING_BUFFER_IO]->data, 0, 4 * VYRE_IO_WORDS);
		/* goes on and on */
		ticket = bench_publish(&l.bench, OP_TURNS, 1, 1000000000, 0);
		is_cancelled(&l, ticket);
		/* masked */
		assert_int_equal(vyre_ring_set_tenant(l.bench.ring, 1, 0), VYRE_OK);
		slots[0] = bench_slot(OP_MARK, 1, 1, 0);
		assert_int_equal(vyre_publish(l.other, slots, 1, 0, 0, &ticket), VYRE_OK);
		wait_for_status(&l, ticket, VYRE_SLOT_REQUEUE);
		is_cancelled(&l, ticket);
		assert_int_equal(vyre_ring_set_tenant(l.bench.ring, 1, 1), VYRE_OK);
		/* a fence that waits, and what it waits for, which runs to its end */
		slots[0] = bench_slot(OP_HOLD, 1, 0, 0);
		slots[1] = bench_slot(VYRE_OPCODE_BATCH_FENCE, 1, 1, 0);
		assert_int_equal(vyre_publish(l.bench.publisher, slots, 2, 0, 0, pair), VYRE_OK);
		running = pair[0];
		wait_for_status(&l, running, VYRE_SLOT_CLAIMED);
		is_cancelled(&l, pair[1]);
		assert_int_equal(vyre_cancel(l.bench.ring, running, SECONDS(20)), VYRE_OK);
		bench_open_gate(&l.bench, 0);
		wait_for(&l, running, VYRE_OK);
	}
	assert_int_equal(l.bench.mark_words[1], 0);
	assert_int_equal(epoch(&l), 0);
	close_live(&l);
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

static void serve(struct live *l, uint32_t flags)
{
	struct vyre_io_params params = {.ring = l->bench.ring, .flags = flags};
	int fd = make_file(BYTES);

	assert_int_equal(vyre_io_create(&params, &l->io), VYRE_OK);
	assert_int_equal(vyre_io_grant_file(l->io, RESOURCE, fd, 0, UINT64_MAX, VYRE_IO_RIGHT_READ, 0), VYRE_OK);
	assert_int_equal(vyre_io_grant_buffer(l->io, RESOURCE, l->bytes, 0, UINT64_MAX, VYRE_IO_RIGHT_WRITE, 0),
			 VYRE_OK);
	close(fd);
}

static vyre_ticket publish_sum(struct live *l, struct vyre_publisher *publisher, uint32_t offset, uint32_t n,
			       uint32_t at)
{
	struct vyre_slot slot = {
	    .opcode = OP_SUM, .priority = VYRE_PRIORITY_NORMAL, .arg_count = 4, .args = {RESOURCE, offset, n, at}};
	vyre_ticket ticket = 0;

	(void)l;
	assert_int_equal(vyre_publish(publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), &ticket), VYRE_OK);
	return ticket;
}

/* 64 slots wait for 32 entries, again and again; every sum is that of the file's bytes. */
static void handlers_load(void **state)
{
	enum { SLOTS = 64, CHUNK = BYTES / SLOTS };
	uint32_t e, round, i, k;

	(void)state;
	for (e = 0; e < 2; e++) {
		vyre_ticket tickets[SLOTS];
		struct live l;

		open_live(&l, (struct vyre_ring_params){.slots = SLOTS, .workers = 2, .idle_ns = 20000});
		serve(&l, e ? VYRE_IO_PREAD : 0);
		for (round = 0; round < 80; round++) {
			for (i = 0; i < SLOTS; i++)
				tickets[i] = publish_sum(&l, l.bench.publisher, round * 7 + i * 13,
							 1 + (round + i) % CHUNK, i * CHUNK);
			for (i = 0; i < SLOTS; i++) {
				uint32_t total = 0;

				for (k = 0; k < 1 + (round + i) % CHUNK; k++)
					total += pattern(round * 7 + i * 13 + k);
				assert_int_equal(wait_for(&l, tickets[i], VYRE_OK), total);
			}
			usleep(round % 4 ? 0 : 1000);
		}
		assert_int_equal(wait_for(&l, publish_sum(&l, l.bench.publisher, BYTES, 1, 0), VYRE_FAULT), ERANGE);
		assert_int_equal(wait_for(&l, publish_sum(&l, l.other, 0, 1, 0), VYRE_FAULT), EACCES);
		close_live(&l);
	}
}

/* More loads than there are io entries, and nobody who serves them yet: the workers sleep, and every load ends later. */
static void loads_without_an_entry_wait(void **state)
{
	enum { SLOTS = 64, LOADS = 60 };
	struct vyre_ring_stats stats;
	vyre_ticket tickets[LOADS];
	uint32_t workers, i, k;

	(void)state;
	for (workers = 1; workers <= 3; workers++) {
		struct vyre_result result;
		struct live l;

		open_live(&l, (struct vyre_ring_params){.slots = SLOTS, .workers = workers, .idle_ns = 20000});
		for (i = 0; i < LOADS; i++)
			tickets[i] = publish_sum(&l, l.bench.publisher, i, 16, 16 * i);
		for (i = 0; i < 20000; i++) {
			vyre_ring_get_stats(l.bench.ring, &stats);
			if (stats.sleeping == workers + IS_BEHIND_MAILBOX &&
			    stats.parked == LOADS - VYRE_IO_DEVICE_ENTRIES)
				break;
			usleep(1000);
		}
		assert_int_equal(stats.sleeping, workers + IS_BEHIND_MAILBOX);
		assert_int_equal(stats.waiting, VYRE_IO_DEVICE_ENTRIES);
		assert_int_equal(stats.parked, LOADS - VYRE_IO_DEVICE_ENTRIES);
		for (i = 0; i < LOADS; i += 10) { /* with an entry and without one */
			assert_int_equal(vyre_cancel(l.bench.ring, tickets[i], SECONDS(20)), VYRE_OK);
			assert_int_equal(vyre_wait(l.bench.ring, tickets[i], SECONDS(20), &result), VYRE_FAULT);
			assert_int_equal(result.fault_code, VYRE_FAULT_CANCELLED);
		}
		serve(&l, 0);
		for (i = 0; i < LOADS; i++) {
			uint32_t total = 0;
			vyre_status status;

			if (i % 10 == 0)
				continue;
			for (k = 0; k < 16; k++)
				total += pattern(i + k);
			status = vyre_wait(l.bench.ring, tickets[i], SECONDS(20), &result);
			if (status == VYRE_FAULT) /* served before there was a grant */
				assert_int_equal(result.fault_detail, EBADF);
			else
				assert_int_equal(status, VYRE_OK);
			assert_int_equal(result.words[0], status == VYRE_OK ? total : VYRE_FAULT_IO);
		}
		close_live(&l);
	}
}

static void load_misses(void **state)
{
	struct vyre_load_miss miss = {.resource = RESOURCE, .offset = 100, .bytes = 50, .destination_offset = 10};
	unsigned char bytes[50];
	vyre_ticket ticket;
	struct live l;
	uint32_t i;
	int k;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 8, .workers = 1, .idle_ns = 20000});
	serve(&l, 0);
	assert_int_equal(vyre_publisher_load_miss(l.bench.publisher, &miss, 0, 0, &ticket), VYRE_OK);
	wait_for(&l, ticket, VYRE_OK);
	assert_int_equal(vyre_buffer_read(l.bench.device, l.bytes, 10, bytes, 50), VYRE_OK);
	for (i = 0; i < 50; i++)
		assert_int_equal(bytes[i], pattern(100 + i));
	/* A prefetch ends at once; its bytes come later. */
	miss = (struct vyre_load_miss){
	    .resource = RESOURCE, .prefetch = 1, .offset = 1000, .bytes = 50, .destination_offset = 4000};
	assert_int_equal(vyre_publisher_load_miss(l.bench.publisher, &miss, 0, 0, &ticket), VYRE_OK);
	wait_for(&l, ticket, VYRE_OK);
	for (k = 0; k < 20000; k++) {
		struct vyre_io_stats stats;

		vyre_io_get_stats(l.io, &stats);
		if (stats.bytes_read == 100)
			break;
		usleep(1000);
	}
	vyre_io_destroy(l.io);
	l.io = NULL;
	assert_int_equal(vyre_buffer_read(l.bench.device, l.bytes, 4000, bytes, 50), VYRE_OK);
	for (i = 0; i < 50; i++)
		assert_int_equal(bytes[i], pattern(1000 + i));
	close_live(&l);
}

/* ---- ends ----------------------------------------------------------------------------------------------------------- */

static void a_shutdown_slot_ends_the_ring(void **state)
{
	struct vyre_slot slot = bench_slot(OP_MARK, 1, 1, 0);
	struct vyre_result result;
	vyre_ticket sleeper, ticket;
	struct live l;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 8, .workers = 2, .idle_ns = 20000});
	sleeper = bench_publish(&l.bench, OP_SLEEP, 1, 1000, 0);
	wait_for_status(&l, sleeper, VYRE_SLOT_WAIT_IO);
	usleep(2000);
	ticket = bench_publish(&l.bench, VYRE_OPCODE_SHUTDOWN, 0, 0, 0);
	wait_for(&l, ticket, VYRE_OK);
	assert_int_equal(vyre_wait(l.bench.ring, sleeper, SECONDS(20), &result), VYRE_OK);
	assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	assert_int_equal(vyre_publish(l.bench.publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_STOPPED);
	assert_non_null(strstr(vyre_last_error(), "SHUTDOWN"));
	close_live(&l);
}

static void stop_ends_what_waits(void **state)
{
	vyre_ticket tickets[4];
	struct live l;
	uint32_t i;

	(void)state;
	open_live(&l, (struct vyre_ring_params){.slots = 8, .workers = 2, .idle_ns = 20000});
	tickets[0] = bench_publish(&l.bench, OP_SLEEP, 1, 1000, 0);
	tickets[1] = bench_publish(&l.bench, OP_TURNS, 1, 1000000000, 0);
	tickets[2] = bench_publish(&l.bench, OP_SUM, 2, 1, 0);
	tickets[3] = bench_publish(&l.bench, VYRE_OPCODE_BATCH_FENCE, 1, 3, 0);
	wait_for_status(&l, tickets[0], VYRE_SLOT_WAIT_IO);
	wait_for_status(&l, tickets[2], VYRE_SLOT_WAIT_IO);
	bench_stop_in_vain(&l.bench, 5000000);
	for (i = 0; i < 3; i++) {
		struct vyre_result result;

		assert_int_equal(vyre_wait(l.bench.ring, tickets[i], 0, &result), VYRE_OK);
		assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	}
	close_live(&l);
}

/* A handler outlives the stop, and suspends when nobody would go on with it. */
static void what_suspends_after_a_stop_ends_too(void **state)
{
	struct vyre_result result;
	vyre_ticket ticket;
	uint32_t workers;
	struct live l;
	int i;

	(void)state;
	for (workers = 1; workers <= 2; workers++) {
		open_live(&l, (struct vyre_ring_params){.slots = 8, .workers = workers, .idle_ns = 20000});
		ticket = bench_publish(&l.bench, OP_LATE, 1, 3, 0);
		for (i = 0; i < 20000 && __atomic_load_n(&l.bench.mark_words[3], __ATOMIC_ACQUIRE) == 0; i++)
			usleep(1000);
		assert_int_equal(vyre_ring_stop(l.bench.ring, 0, 0), VYRE_TIMEOUT);
		bench_open_gate(&l.bench, 3);
		assert_int_equal(vyre_wait(l.bench.ring, ticket, SECONDS(20), &result), VYRE_OK);
		assert_int_equal(result.status, VYRE_SLOT_EMPTY);
		assert_int_equal(vyre_ring_drain(l.bench.ring, SECONDS(20)), VYRE_OK);
		close_live(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(suspended_and_spawned_slots_end),
	    cmocka_unit_test(fences_order_and_move_the_epoch),
	    cmocka_unit_test(fences_for_many_laps),
	    cmocka_unit_test(packed_slots_run_all_their_ops),
	    cmocka_unit_test(quotas_hold),
	    cmocka_unit_test(slots_of_every_kind_are_cancelled),
	    cmocka_unit_test(handlers_load),
	    cmocka_unit_test(loads_without_an_entry_wait),
	    cmocka_unit_test(load_misses),
	    cmocka_unit_test(a_shutdown_slot_ends_the_ring),
	    cmocka_unit_test(stop_ends_what_waits),
	    cmocka_unit_test(what_suspends_after_a_stop_ends_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
