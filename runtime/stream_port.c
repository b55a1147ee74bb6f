/* stream_port.c - what a stream keeps of the ring's side: a publisher of its own, and the buffer's memory.
 *
 * In: the parameters of a stream; out: a ring to publish in and memory to read into. Invariant: both live until the
 * stream gives them back, whatever the caller destroys meanwhile; so the order of destruction is free, and a read under
 * way never writes to memory that is gone. Why not the caller's publisher: the caller may destroy it first.
 */
#include "live.h"
#include "stream.h"

vyre_status vyre_stream_port_open(const struct vyre_stream_params *params, struct vyre_stream_port *out)
{
	struct vyre_ring *ring = params->publisher->ring;
	*out = (struct vyre_stream_port){.ring = ring, .ring_slots = ring->slots};
	vyre_status status = vyre_publisher_create(ring, params->publisher->tenant, &out->publisher);
	if (status)
		return status;
	out->memory = vyre_buffer_get(ring->device, params->buffer);
	if (!out->memory)
		return VYRE_STALE;
	status = vyre_memory_map(out->memory);
	if (status)
		return status;
	out->data = out->memory->data;
	out->bytes = out->memory->bytes;
	return VYRE_OK;
}

void vyre_stream_port_close(struct vyre_stream_port *port)
{
	vyre_memory_unref(port->memory);
	vyre_publisher_destroy(port->publisher);
}
