/* blob_run.c - see blob_run.h. Buffers are copied to the device, and back when everything has ended. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/common/blob_run.h"

enum { MAX_BUFFERS = 64, RING_SLOTS = 1024, WAIT_SECONDS = 60 };

__attribute__((format(printf, 2, 3))) static bool fail(struct blob_run *run, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(run->message, sizeof run->message, format, args);
	va_end(args);
	return false;
}

/* ---- buffers ------------------------------------------------------------------------------------------------------------ */

struct bound {
	struct vyre_binding bindings[MAX_BUFFERS];
	uint64_t bytes[MAX_BUFFERS];
	void *host[MAX_BUFFERS];
	uint32_t count;
};

static const struct vyre_blob_unit *find_unit(struct blob_run *run, const char *name, struct vyre_blob_view *view)
{
	vyre_blob_get_view(run->blob, view);
	for (uint32_t i = 0; i < view->unit_count; i++)
		if (!strcmp(vyre_blob_string(run->blob, view->units[i].name), name))
			return &view->units[i];
	return NULL;
}

static bool is_feeds_own(const char *name)
{
	static const char *const own[] = {"control", "ring_buffer", "debug_log", "io_queue",
					  "launch",  "frames",	    "queue"};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (!strcmp(own[i], name))
			return true;
	return false;
}

/* Makes a device buffer of every declared one, with the content of the given buffer of that name. */
static bool bind(struct blob_run *run, const char *unit_name, const struct vyrec_interp_buffer *buffers,
		 uint32_t buffer_count, struct bound *bound)
{
	struct vyre_blob_view view;
	const struct vyre_blob_unit *unit = find_unit(run, unit_name, &view);
	if (!unit)
		return fail(run, "no unit %s", unit_name);
	for (uint32_t i = 0; i < unit->buffer_count; i++) {
		const struct vyre_blob_buffer *row = &view.buffers[unit->first_buffer + i];
		const char *name = vyre_blob_string(run->blob, row->name);
		if (unit->feed == VYRE_FEED_LIVE && is_feeds_own(name))
			continue;
		uint64_t bytes = 0;
		void *host = NULL;
		for (uint32_t k = 0; k < buffer_count; k++)
			if (!strcmp(buffers[k].name, name)) {
				bytes = buffers[k].count * vyrec_type_bytes(row->element);
				host = buffers[k].data;
			}
		uint32_t at = bound->count;
		bound->bindings[at].name = name;
		bound->bytes[at] = bytes;
		bound->host[at] = host;
		if (vyre_buffer_create(run->device, bytes ? bytes : 1, &bound->bindings[at].buffer) != VYRE_OK ||
		    (bytes && vyre_buffer_write(run->device, bound->bindings[at].buffer, 0, host, bytes) != VYRE_OK))
			return fail(run, "buffer %s: %s", name, vyre_last_error());
		bound->count++;
	}
	return true;
}

static bool unbind(struct blob_run *run, struct bound *bound, bool copy_back)
{
	bool ok = true;
	for (uint32_t i = 0; i < bound->count; i++) {
		if (copy_back && bound->bytes[i] &&
		    vyre_buffer_read(run->device, bound->bindings[i].buffer, 0, bound->host[i], bound->bytes[i]) !=
			VYRE_OK)
			ok = fail(run, "read back: %s", vyre_last_error());
		(void)vyre_buffer_destroy(run->device, bound->bindings[i].buffer);
	}
	return ok;
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

static bool publish_and_wait(struct blob_run *run, struct vyre_ring *ring, struct vyre_publisher *publisher,
			     struct vyrec_interp_slot *slots, uint32_t count)
{
	vyre_ticket tickets[RING_SLOTS / 2];
	const uint64_t timeout = UINT64_C(1000000000) * WAIT_SECONDS;
	for (uint32_t done = 0; done < count;) {
		uint32_t n = count - done < RING_SLOTS / 2 ? count - done : RING_SLOTS / 2;
		for (uint32_t i = 0; i < n; i++) {
			const uint32_t *w = slots[done + i].words;
			struct vyre_slot slot = {.opcode = w[VYRE_SLOT_WORD_OPCODE],
						 .priority = w[VYRE_SLOT_WORD_PRIORITY],
						 .arg_count = VYRE_SLOT_ARGS};
			memcpy(slot.args, w + VYRE_SLOT_WORD_ARG0, sizeof slot.args);
			if (vyre_publish(publisher, &slot, 1, VYRE_PUBLISH_UNCHECKED | VYRE_PUBLISH_WAIT, timeout,
					 &tickets[i]) != VYRE_OK)
				return fail(run, "publish: %s", vyre_last_error());
		}
		for (uint32_t i = 0; i < n; i++) {
			uint32_t *w = slots[done + i].words;
			struct vyre_result result;
			vyre_status status = vyre_wait(ring, tickets[i], timeout, &result);
			if (status != VYRE_OK && status != VYRE_FAULT)
				return fail(run, "wait for slot %u: %s", done + i, vyre_last_error());
			w[VYRE_SLOT_WORD_STATUS] = result.status;
			memcpy(w + VYRE_SLOT_WORD_ARG0, result.words, sizeof result.words);
			if (status == VYRE_FAULT) {
				w[VYRE_SLOT_WORD_ARG0] = result.fault_code;
				w[VYRE_SLOT_WORD_ARG0 + 1] = result.fault_detail;
			}
		}
		done += n;
	}
	return true;
}

bool blob_run_slots(struct blob_run *run, const char *set, struct vyrec_interp_slot *slots, uint32_t count,
		    const struct vyrec_interp_buffer *buffers, uint32_t buffer_count)
{
	struct bound bound = {.count = 0};
	struct vyre_kernel *kernel = NULL;
	struct vyre_ring *ring = NULL;
	struct vyre_publisher *publisher = NULL;
	bool ok = bind(run, set, buffers, buffer_count, &bound);
	if (ok) {
		struct vyre_kernel_params kernel_params = {run->blob, set, bound.bindings, bound.count};
		struct vyre_ring_params ring_params = {.slots = RING_SLOTS, .spawned = run->spawned};
		ok = vyre_kernel_create(run->device, &kernel_params, &kernel) == VYRE_OK;
		ring_params.kernel = kernel;
		ring_params.workers = run->workers ? run->workers : 1;
		ok = ok && vyre_ring_create(&ring_params, &ring) == VYRE_OK &&
		     vyre_publisher_create(ring, 0, &publisher) == VYRE_OK;
		if (!ok)
			fail(run, "%s: %s", set, vyre_last_error());
	}
	ok = ok && publish_and_wait(run, ring, publisher, slots, count);
	if (ring && vyre_ring_stop(ring, 0, UINT64_C(1000000000) * WAIT_SECONDS) != VYRE_OK)
		ok = fail(run, "stop: %s", vyre_last_error());
	vyre_publisher_destroy(publisher);
	vyre_ring_destroy(ring);
	ok = unbind(run, &bound, ok) && ok;
	vyre_kernel_destroy(kernel);
	return ok;
}

bool blob_run_program(struct blob_run *run, const char *program, const uint32_t workgroups[3],
		      const struct vyrec_interp_buffer *buffers, uint32_t buffer_count, uint32_t fault[2])
{
	struct bound bound = {.count = 0};
	struct vyre_kernel *kernel = NULL;
	bool ok = bind(run, program, buffers, buffer_count, &bound);
	fault[0] = fault[1] = 0;
	if (ok) {
		struct vyre_kernel_params params = {run->blob, program, bound.bindings, bound.count};
		ok = vyre_kernel_create(run->device, &params, &kernel) == VYRE_OK;
		vyre_status status = ok ? vyre_kernel_dispatch(kernel, workgroups, fault) : VYRE_INTERNAL;
		ok = status == VYRE_OK || status == VYRE_FAULT;
		if (!ok)
			fail(run, "%s: %s", program, vyre_last_error());
	}
	ok = unbind(run, &bound, ok) && ok;
	vyre_kernel_destroy(kernel);
	return ok;
}
