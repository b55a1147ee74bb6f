/* session.c - device.vyre on a device: known bytes in its buffers, a ring that never sleeps, and what must come out.
 *
 * Nothing here waits without an end: a kernel that hangs makes a row that failed. One that does not even stop ends the
 * program, because every later number would be measured beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device.h"

enum { LAP_BATCH = 64 };

static bool find_ops(struct bench_session *session)
{
	const struct {
		const char *name;
		uint32_t *opcode;
	} ops[] = {
	    {"nop", &session->nop}, {"add", &session->add}, {"checksum", &session->checksum}, {"item", &session->item}};

	for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
		const struct vyre_blob_op *op = vyre_blob_find_op(session->blob, NULL, ops[i].name);
		if (!op)
			return bench_fail("the blob has no op %s", ops[i].name);
		*ops[i].opcode = op->opcode;
	}
	return true;
}

static bool fill_text(struct bench_session *session)
{
	uint64_t state = 1, *words;
	void *map;

	if (!bench_ok(vyre_buffer_map(session->device, session->text, &map), "mapping text"))
		return false;
	words = map;
	for (uint32_t chunk = 0; chunk < session->chunks; chunk++) {
		uint64_t sum = 0;
		for (uint32_t i = 0; i < BENCH_CHUNK_WORDS; i++) {
			state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			sum += *words++ = state;
		}
		session->chunk_sums[chunk] = (uint32_t)sum ^ (uint32_t)(sum >> 32);
	}
	return true;
}

bool bench_session_open(struct bench_session *session, uint64_t text_bytes)
{
	memset(session, 0, sizeof *session);
	session->text_bytes = text_bytes;
	session->chunks = (uint32_t)(text_bytes / BENCH_CHUNK_BYTES);
	session->chunk_sums = calloc(session->chunks, sizeof *session->chunk_sums);
	if (!session->chunk_sums)
		return bench_fail("no memory");
	session->blob = bench_blob_open(BENCH_BLOB_device);
	return find_ops(session) &&
	       bench_ok(vyre_device_open(bench_options.device, &session->device), "opening the device") &&
	       bench_ok(vyre_buffer_create(session->device, text_bytes, &session->text), "buffer text") &&
	       bench_ok(vyre_buffer_create(session->device, BENCH_SUMS * 4, &session->sums), "buffer sums") &&
	       fill_text(session);
}

void bench_session_close(struct bench_session *session)
{
	if (session->device) {
		(void)vyre_buffer_destroy(session->device, session->sums);
		(void)vyre_buffer_destroy(session->device, session->text);
	}
	vyre_device_close(session->device);
	vyre_blob_close(session->blob);
	free(session->chunk_sums);
	memset(session, 0, sizeof *session);
}

/* ---- the ring ---------------------------------------------------------------------------------------------------------- */

/* Whether the device has claimed what was published, and counts on, tells a poller that has stopped from a slot that has. */
static bool fail_stuck(struct bench_session *session)
{
	const struct timespec moment = {0, 20000000};
	struct vyre_ring_stats stats;
	uint32_t done[2] = {0};

	vyre_ring_get_stats(session->ring, &stats);
	for (unsigned i = 0; i < 2; i++) {
		(void)!vyre_ring_read_control(session->ring, VYRE_CONTROL_DONE_COUNT, &done[i], 1);
		nanosleep(&moment, NULL);
	}
	return bench_fail(
	    "a slot did not end within %.0f s; published %llu, ended %llu, counted by the device %u, 20 ms "
	    "later %u; %u parked, %u asleep, %u faults, %llu wakes",
	    (double)BENCH_LIMIT_NS * 1e-9, (unsigned long long)stats.published, (unsigned long long)stats.retired,
	    done[0], done[1], stats.parked, stats.sleeping, stats.faults, (unsigned long long)stats.wakes);
}

bool bench_session_poll(struct bench_session *session, vyre_ticket ticket)
{
	double end = 0;
	vyre_status status;

	for (uint32_t polls = 1; (status = vyre_poll(session->ring, ticket, NULL)) == VYRE_TIMEOUT; polls++) {
		bench_relax();
		if (polls % 65536)
			continue; /* a clock is only read where something is wrong */
		if (end == 0)
			end = bench_now() + (double)BENCH_LIMIT_NS * 1e-9;
		else if (bench_now() > end)
			break;
	}
	if (status == VYRE_TIMEOUT)
		return fail_stuck(session);
	return bench_ok(status, "poll") && bench_ok(vyre_release(session->ring, ticket), "release");
}

bool bench_session_trip(struct bench_session *session, const struct vyre_slot *slot)
{
	vyre_ticket ticket;

	return bench_ok(vyre_publish(session->publisher, slot, 1, 0, 0, &ticket), "publish") &&
	       bench_session_poll(session, ticket);
}

/* Once round a ring of so many slots: the first lap touches its pages. */
bool bench_session_lap(struct bench_session *session, uint32_t slots)
{
	struct vyre_slot batch[LAP_BATCH];

	for (uint32_t i = 0; i < LAP_BATCH; i++)
		batch[i] = (struct vyre_slot){session->nop, VYRE_PRIORITY_NORMAL, 0, {0}};
	for (uint32_t at = 0; at < slots; at += LAP_BATCH)
		if (!bench_ok(
			vyre_publish(session->publisher, batch, LAP_BATCH, VYRE_PUBLISH_WAIT, BENCH_LIMIT_NS, NULL),
			"publish"))
			return false;
	return bench_ok(vyre_ring_drain(session->ring, BENCH_LIMIT_NS), "drain");
}

bool bench_session_ring(struct bench_session *session, uint32_t slots, uint32_t workers)
{
	struct vyre_binding bindings[] = {{"text", session->text}, {"sums", session->sums}};
	struct vyre_kernel_params kernel = {.blob = session->blob, .bindings = bindings, .binding_count = 2};
	struct vyre_slot first = {session->nop, VYRE_PRIORITY_NORMAL, 0, {0}};

	if (!bench_ok(vyre_kernel_create(session->device, &kernel, &session->kernel), "kernel"))
		return false;
	struct vyre_ring_params ring = {.kernel = session->kernel,
					.slots = slots,
					.workers = workers,
					.idle_ns = VYRE_FOREVER,
					.flags = VYRE_RING_PIN};
	bench_unpin(); /* VYRE_RING_PIN counts among the processors that this thread may use */
	if (!bench_ok(vyre_ring_create(&ring, &session->ring), "ring") ||
	    !bench_ok(vyre_publisher_create(session->ring, 0, &session->publisher), "publisher")) {
		bench_session_ring_close(session);
		return false;
	}
	bench_pin(BENCH_PUBLISHER_CPU);
	/* One slot first: the kernel is there when it is done. */
	if (bench_session_trip(session, &first))
		return true;
	bench_session_ring_close(session);
	return false;
}

bool bench_session_ring_close(struct bench_session *session)
{
	vyre_status status = VYRE_OK;
	char reason[600];

	if (session->ring)
		status = vyre_ring_stop(session->ring, 0, BENCH_LIMIT_NS);
	if (status == VYRE_TIMEOUT) {
		snprintf(reason, sizeof reason, "%s (before that: %s)", vyre_last_error(), bench_why());
		bench_die("a kernel that was told to leave still runs", reason);
	}
	vyre_publisher_destroy(session->publisher);
	vyre_ring_destroy(session->ring);
	vyre_kernel_destroy(session->kernel);
	session->publisher = NULL;
	session->ring = NULL;
	session->kernel = NULL;
	return bench_ok(status, "stop");
}

/* ---- what must come out ------------------------------------------------------------------------------------------------ */

bool bench_session_sums(struct bench_session *session, uint32_t *sums)
{
	return bench_ok(vyre_buffer_read(session->device, session->sums, 0, sums, BENCH_SUMS * 4), "reading the sums");
}

/* A slot's STATUS says that it has ended before the ring's count of them does. */
static bool settle(struct bench_session *session, struct vyre_ring_stats *now)
{
	const struct timespec pause = {0, 50000};
	double end = bench_now() + (double)BENCH_LIMIT_NS * 1e-9;

	vyre_ring_get_stats(session->ring, now);
	while (now->retired != now->published && bench_now() < end) {
		nanosleep(&pause, NULL);
		vyre_ring_get_stats(session->ring, now);
	}
	return now->retired == now->published ||
	       bench_fail("%llu of %llu slots ended", (unsigned long long)now->retired,
			  (unsigned long long)now->published);
}

bool bench_session_zero(struct bench_session *session)
{
	static const uint32_t zeroes[BENCH_SUMS];

	return settle(session, &session->before) &&
	       bench_ok(vyre_buffer_write(session->device, session->sums, 0, zeroes, sizeof zeroes),
			"writing the sums");
}

bool bench_session_counted(struct bench_session *session, uint64_t published)
{
	struct vyre_ring_stats now;

	if (!settle(session, &now))
		return false;
	if (now.faults != session->before.faults)
		return bench_fail("%u slots ended in a fault, the last of code %u", now.faults - session->before.faults,
				  now.last_fault_code);
	return now.retired - session->before.retired == published ||
	       bench_fail("%llu slots ended where %llu were published",
			  (unsigned long long)(now.retired - session->before.retired), (unsigned long long)published);
}

const char *bench_session_picked(const struct bench_session *session)
{
	static char text[4096];

	(void)vyre_device_explain(session->device, session->blob, text, sizeof text);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, "picked") && !strstr(line, "not picked"))
			return line;
	return "";
}
