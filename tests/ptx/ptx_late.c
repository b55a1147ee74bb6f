/* ptx_late.c - stores that others see late, and in another order: what a GPU's memory may do, and a processor here does not.
 *
 * Enters: the stores of a lane. Leaves: memory in which they arrive one after the other, at random moments, those to one
 * place in their order. A lane's own loads and atomics find its own stores. Everything that orders memory sends what is
 * waiting on its way first: a release, a fence, a barrier of the workgroup or the warp, the lane's end. So what is published by a
 * plain store instead of a release is found, sooner or later, with the words that it publishes missing.
 *
 * Loads are never early: a missing acquire is not found this way. Scopes are not told apart.
 */
#include <string.h>

#include "tests/ptx/ptx_internal.h"

static bool overlap(const struct ptx_late_store *s, const uint8_t *at, unsigned bytes)
{
	return s->at < at + bytes && at < s->at + s->width;
}

/* Store k arrives, after older ones to the same place. */
static void arrive(struct ptx_lane *lane, unsigned k)
{
	for (unsigned i = 0; i < k; i++)
		if (overlap(&lane->late[i], lane->late[k].at, lane->late[k].width)) {
			arrive(lane, i);
			k--;
			i--;
		}
	const struct ptx_late_store s = lane->late[k];
	ptx_store_now(s.at, s.width, s.value);
	memmove(&lane->late[k], &lane->late[k + 1], (--lane->late_count - k) * sizeof s);
}

void ptx_late_all(struct ptx_lane *lane)
{
	while (lane->late_count)
		arrive(lane, 0);
}

void ptx_late_some(struct ptx_thread *thread, struct ptx_lane *lane)
{
	if (lane->late_count)
		arrive(lane, (unsigned)(ptx_random(thread) % lane->late_count));
}

void ptx_late_at(struct ptx_lane *lane, const void *at, unsigned bytes)
{
	for (unsigned i = 0; i < lane->late_count;)
		if (overlap(&lane->late[i], at, bytes))
			arrive(lane, i);
		else
			i++;
}

void ptx_late_store(struct ptx_thread *thread, struct ptx_lane *lane, void *at, unsigned width, uint64_t value)
{
	if (lane->late_count == PTX_LATE_STORES)
		ptx_late_some(thread, lane);
	lane->late[lane->late_count++] = (struct ptx_late_store){at, value, (uint8_t)width};
	if (ptx_random(thread) % 8 == 0) /* it overtakes all others */
		arrive(lane, lane->late_count - 1u);
}
