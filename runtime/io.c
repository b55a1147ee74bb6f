/* io.c - the service of device-requested i/o: made, run by a thread of its own, ended.
 *
 * In: a ring, or the buffers of a dispatch. Out: entries of its io queue served from the capability table. The thread
 * does nothing but turns (io_entry.c) and sleeps in the engine when a turn moves nothing. What ends its sleep: an engine's
 * completion; a worker that has published entries and says so when its entry returns (device/cpu_ring.c); a grant that is
 * revoked; the end. None is lost: all go through the engine's kick, which ends the next wait where none is under way, and
 * every wait is followed by a whole turn. A dispatch tells nobody, so there the thread looks again by itself, at first
 * often, then every millisecond.
 *
 * Invariant: what a request may write to (memory, files) is held by its grant until the engine has given the request back
 * or is destroyed; destroy ends the engine before it lets anything go.
 */
#include <string.h>

#include "alloc.h"
#include "device/cpu_thread.h"
#include "io_state.h"
#include "message.h"

/* Sleeps without being told: of a dispatch; of a ring, whose kernel may be one that does not say what it asks. */
#define FIRST_POLL_NS UINT64_C(20000)
#define LAST_POLL_NS  UINT64_C(1000000)
#define RING_POLL_NS  UINT64_C(100000000)

static void *serve(void *argument)
{
	struct vyre_io *io = argument;
	uint64_t rest_ns = FIRST_POLL_NS;

	while (!__atomic_load_n(&io->stop, __ATOMIC_ACQUIRE)) {
		if (vyre_io_turn(io)) {
			rest_ns = FIRST_POLL_NS;
			continue;
		}
		io->engine->wait(io->engine, io->ring ? RING_POLL_NS : rest_ns);
		rest_ns = rest_ns * 2 < LAST_POLL_NS ? rest_ns * 2 : LAST_POLL_NS;
	}
	return NULL;
}

static void wake(void *user)
{
	struct vyre_io *io = user;

	io->engine->kick(io->engine);
}

/* The ring's own queue and frames. */
static vyre_status open_ring(struct vyre_io *io, struct vyre_ring *ring)
{
	const struct vyre_blob_unit *unit = ring->kernel->unit;

	if (!(unit->features & VYRE_HAS_IO) || !ring->memories[VYRE_RING_BUFFER_FRAMES])
		return vyre_fail(VYRE_INVALID, "use a set whose handlers load, or one with built-in opcodes",
				 "set %.64s asks its host for nothing",
				 vyre_blob_string(ring->kernel->blob, unit->name));
	io->ring = ring;
	vyre_ring_ref(ring);
	io->device = ring->device;
	io->queue_memory = ring->memories[VYRE_RING_BUFFER_IO];
	io->frames_memory = ring->memories[VYRE_RING_BUFFER_FRAMES];
	vyre_memory_ref(io->queue_memory);
	vyre_memory_ref(io->frames_memory);
	return VYRE_OK;
}

static vyre_status open_buffers(struct vyre_io *io, const struct vyre_io_params *params)
{
	if (!params->device)
		return vyre_fail(VYRE_INVALID, "give a ring, or a device and the buffers that its kernel binds",
				 "parameters of an i/o service without either");
	io->device = params->device;
	io->queue_memory = vyre_buffer_get(params->device, params->io_queue);
	if (io->queue_memory)
		io->frames_memory = vyre_buffer_get(params->device, params->frames);
	return io->frames_memory ? VYRE_OK : VYRE_STALE;
}

/* Frames of a mailbox ring are the device's, which looks at records all the time. */
static bool has_far_notes(const struct vyre_io *io)
{
	return io->ring && io->ring->is_mailbox;
}

static vyre_status map_queue(struct vyre_io *io)
{
	uint64_t entries = io->queue_memory->bytes / (4 * VYRE_IO_ENTRY_WORDS);
	vyre_status status = vyre_memory_map(io->queue_memory);

	if (status == VYRE_OK && !has_far_notes(io))
		status = vyre_memory_map(io->frames_memory);
	if (status != VYRE_OK)
		return status;
	if (entries == 0 || io->frames_memory->bytes < 4 * (uint64_t)VYRE_FRAMES_HEADER_WORDS)
		return vyre_fail(
		    VYRE_INVALID, "bind an io queue of 1 to 64 entries, and frames made with vyre_frames_words",
		    "an io queue of %llu bytes and frames of %llu", (unsigned long long)io->queue_memory->bytes,
		    (unsigned long long)io->frames_memory->bytes);
	io->queue = io->queue_memory->data;
	io->notes = has_far_notes(io) ? NULL : (uint32_t *)io->frames_memory->data + VYRE_FRAMES_IO;
	io->entries = entries < VYRE_IO_DEVICE_ENTRIES ? (uint32_t)entries : VYRE_IO_DEVICE_ENTRIES;
	return VYRE_OK;
}

/* One service a ring: two would both answer. */
static vyre_status listen_to_ring(struct vyre_io *io)
{
	bool is_free;

	if (!io->ring)
		return VYRE_OK;
	pthread_mutex_lock(&io->ring->io_lock);
	is_free = !io->ring->io_asked;
	if (is_free) {
		io->ring->io_asked = wake;
		io->ring->io_user = io;
	}
	pthread_mutex_unlock(&io->ring->io_lock);
	return is_free ? VYRE_OK
		       : vyre_fail(VYRE_INVALID, "destroy that one first", "the ring has an i/o service already");
}

static void stop_listening(struct vyre_io *io)
{
	if (!io->ring)
		return;
	pthread_mutex_lock(&io->ring->io_lock);
	if (io->ring->io_user == io) {
		io->ring->io_asked = NULL;
		io->ring->io_user = NULL;
	}
	pthread_mutex_unlock(&io->ring->io_lock);
}

static vyre_status start(struct vyre_io *io, const struct vyre_io_params *params)
{
	const struct vyre_stream_pool none = {NULL, 0, VYRE_IO_DEVICE_ENTRIES};
	vyre_status status = params->ring ? open_ring(io, params->ring) : open_buffers(io, params);
	int error;

	if (status == VYRE_OK)
		status = map_queue(io);
	if (status == VYRE_OK && !io->engine)
		status = vyre_stream_engine_choose(&none, params->flags & VYRE_IO_PREAD ? VYRE_STREAM_PREAD : 0,
						   &io->engine);
	if (status == VYRE_OK)
		status = listen_to_ring(io);
	if (status != VYRE_OK)
		return status;
	error = vyre_cpu_thread_start(&io->thread, 0, -1, serve, io);
	if (error)
		return vyre_fail(VYRE_NOMEM, "allow more threads",
				 "the thread of an i/o service cannot start: errno %d", error);
	io->is_started = true;
	return VYRE_OK;
}

/* What start made, as far as it came. */
static void release(struct vyre_io *io)
{
	vyre_io_table_finish(&io->table);
	vyre_memory_unref(io->queue_memory);
	vyre_memory_unref(io->frames_memory);
	if (io->ring)
		vyre_ring_unref(io->ring);
	vyre_mem_free(io);
}

vyre_status vyre_io_create_on(const struct vyre_io_params *params, struct vyre_stream_engine *engine,
			      struct vyre_io **out)
{
	struct vyre_io *io;
	vyre_status status;

	*out = NULL;
	if (params->flags & ~(uint32_t)VYRE_IO_PREAD)
		return vyre_fail(VYRE_INVALID, "use VYRE_IO_PREAD or 0", "flags 0x%x", params->flags);
	io = vyre_mem_alloc(sizeof(*io));
	if (!io)
		return vyre_fail_nomem("an i/o service", sizeof(*io));
	vyre_io_table_init(&io->table);
	io->engine = engine;
	status = start(io, params);
	if (status != VYRE_OK) {
		stop_listening(io); /* first: a worker may be kicking the engine */
		if (io->engine && !engine)
			io->engine->destroy(io->engine);
		release(io);
		return status;
	}
	*out = io;
	return VYRE_OK;
}

vyre_status vyre_io_create(const struct vyre_io_params *params, struct vyre_io **out)
{
	return vyre_io_create_on(params, NULL, out);
}

const char *vyre_io_engine(const struct vyre_io *io)
{
	return io->engine->name;
}

void vyre_io_get_stats(const struct vyre_io *io, struct vyre_io_stats *out)
{
	out->requests = __atomic_load_n(&io->stats.requests, __ATOMIC_RELAXED);
	out->errors = __atomic_load_n(&io->stats.errors, __ATOMIC_RELAXED);
	out->bytes_read = __atomic_load_n(&io->stats.bytes_read, __ATOMIC_RELAXED);
	out->bytes_written = __atomic_load_n(&io->stats.bytes_written, __ATOMIC_RELAXED);
	out->max_in_flight = __atomic_load_n(&io->stats.max_in_flight, __ATOMIC_RELAXED);
}

void vyre_io_destroy(struct vyre_io *io)
{
	if (!io)
		return;
	stop_listening(io);
	__atomic_store_n(&io->stop, 1, __ATOMIC_RELEASE);
	io->engine->kick(io->engine);
	pthread_join(io->thread, NULL);
	io->engine->destroy(io->engine); /* nothing is written to any memory from here on */
	vyre_io_cancel_all(io);
	release(io);
}
