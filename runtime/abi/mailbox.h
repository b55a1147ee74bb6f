/* mailbox.h - a live ring between a host and a device that are not coherent with each other's atomics (PCIe).
 *
 * Every word is where its readers are cheapest, and has one writer at a time.
 *
 *   pinned host memory, mapped by both          device memory, the device's alone while a kernel is resident
 *     host_control  control as the host sees it   control      the same words in the same places
 *     host_ring     the slots                     ring_buffer  as long as host_ring: parked slots; or, in sets with a
 *                                                              queue (abi/queue.h), the slots as workers see them
 *     host_stamps   a word a place                everything else
 *
 * A slice with VYRE_SLICE_MAILBOX takes the buffers of VYRE_MAILBOX_BUFFER_LIST behind those of its unit. `control` and
 * `ring_buffer` of the unit are then the device's own; the loader fills both controls alike before the first launch.
 *
 * Sets with a queue: workgroup 0 is the poller for good, and copies slots into ring_buffer, where the others find them
 * (passes/mega/mailbox_ferry.vyre). The host then sees STATUS PUBLISHED until the slot has ended. io entries stay in the host's
 * memory, each in turn the asker's and the host's; their notes are in `frames`, in the device's.
 *
 * One workgroup at a time is the poller. It copies host-written words (TAIL, STOP, CONFIG_EPOCH with masks and quotas,
 * COMMAND with its argument) from host_control to control, and VYRE_MAILBOX_OUT_LIST from control to host_control.
 * Everything else of control (metrics, observables, counts of faults) stays where it is; a host that wants it copies it.
 *
 * Claims. Position p was published at place p mod slots if and only if host_stamps[place] == p: the host stores the stamp
 * with the slot, before TAIL. STATUS decides nothing on the device: a place that publishers passed over, because its slot
 * of an earlier lap is still in flight, has another stamp. Each position is handed out once, in device memory, so a slot runs
 * once. HEAD in host_control is the claim cursor; a publisher stays less than a lap ahead of it.
 *
 * A slot that stays (parked, or in its handler) while 2^32 positions pass: the one that has the same low 32 bits passes over
 * the place, and the host takes the stamp away (it stores one that is no position of the place, whose low bits differ), for
 * the device would run the slot again as that position's. Nothing is lost: publishers stay within a lap of HEAD, so the slot
 * was claimed long before, and whoever holds it carries position and place himself; the place is not used again before
 * it has ended. Whoever asks by the stamp whether a slot has ended (CANCEL) takes such a stamp for no answer and reads STATUS.
 * Not a bound on how long a slot may stay: a masked tenant's may for ever.
 *
 * A lone slot. The poller reads TAIL's line and the slot at HEAD in one instruction. That both lines are one snapshot is
 * true of the hardware and promised by nobody, so the host stores CHECK, a sum over position, CONFIG_EPOCH and the slot's
 * words 1 .. 15 with odd factors: when STATUS is PUBLISHED, TAIL == HEAD + 1 and CHECK agrees, what was read is the slot at
 * that position, whole, published under that configuration (one wrong word always shows; several wrong ones with
 * probability 1 - 2^-32). When it does not, the poller fences and reads again, the slow and unconditional way.
 *
 * Leaving. The poller stores AWAY = 1 and STATE = 3 to host_control, fence(seqcst, system), reads the host's line again; if
 * anything is new it takes AWAY back, else every workgroup leaves. A publisher stores TAIL, full fence, reads AWAY; nonzero: it
 * wakes the loader's service thread, which launches again when the kernel has ended.
 *
 * Whatever the reason for leaving, the workgroup that leaves last copies the counts out and stores STATE = 4.
 *
 * COMMAND CANCEL: COMMAND_ARG is the low 32 bits of the slot's position here, not its place.
 */
#ifndef VYRE_ABI_MAILBOX_H
#define VYRE_ABI_MAILBOX_H
#include "ring.h"

/*   NAME          name in the kernel   what */
#define VYRE_MAILBOX_BUFFER_LIST(X) \
	X(CONTROL, "host_control", "the control buffer as the host sees it, live block included") \
	X(RING,    "host_ring",    "the slots") \
	X(STAMPS,  "host_stamps",  "a word a place: low 32 bits of the position published there last")

/* Live words that the poller copies out when they have changed. */
#define VYRE_MAILBOX_OUT_LIST(X) \
	X(HEAD, 1) X(RETIRED, 1) X(STATE, 1) X(COMMAND_DONE, 1) X(AWAY, 1) X(PARKED, 1) X(TENANT_RETIRED, 32) X(LEAVE, 1) \
	X(READY, 1) X(WAITING, 1) X(HEARTBEAT, 1)

/* Words of LIVE ENGINE. Before the first launch ENDED is what HEAD is, all others are zero; EXIT and POLLER are zeroed by the
 * loader before each. */
#define VYRE_ENGINE_FIELDS(X) \
	X(POLLER,       0,  1, "workgroup + 1 that polls; 0 = whoever comes first") \
	X(EXIT,         1,  1, "nonzero: every workgroup leaves") \
	X(PARK_HEAD,    2,  1, "parked slots taken up again") \
	X(PARK_TAIL,    3,  1, "parked slots put aside") \
	X(PASS_END,     4,  1, "parked slots before this one are to be looked at") \
	X(PASS_AGAIN,   5,  1, "nonzero: go through them once more") \
	X(CANCELS,      6,  1, "bit k: CANCEL + k is in use") \
	X(ENDED,        7,  1, "positions and parked slots that are dealt with; HEAD + PARK_HEAD: nobody has any in hands") \
	X(NEWS,         8,  1, "moves when masks, quotas or CANCEL have") \
	X(GONE,         9,  1, "workgroups that have left; the last one zeroes it") \
	X(ROUNDS,      10,  1, "polls of this launch, when POLLER passes on; likewise") \
	X(CANCEL,      32, 32, "positions that were asked to end")
enum {
#define X(name, text, meaning) VYRE_MAILBOX_##name,
	VYRE_MAILBOX_BUFFER_LIST(X)
#undef X
	VYRE_MAILBOX_BUFFERS,
#define X(name, word, words, text) VYRE_ENGINE_##name = word,
	VYRE_ENGINE_FIELDS(X)
#undef X
	VYRE_ENGINE_WORDS = 64,
};

/* Odd, and otherwise random: factors of CONFIG_EPOCH and position, then of words 1 .. 15. */
#define VYRE_MAILBOX_FACTOR_LIST(X) \
	X(EPOCH,    0xd1a7c4b5u) X(POSITION, 0x9e3779b1u) \
	X(WORD1,  0x85ebca6bu) X(WORD2,  0xc2b2ae35u) X(WORD3,  0x27d4eb2fu) X(WORD4,  0x165667b1u) X(WORD5,  0xd3a2646du) \
	X(WORD6,  0xfd7046c5u) X(WORD7,  0xb55a4f09u) X(WORD8,  0x6c8e9cf5u) X(WORD9,  0x8f2d3a17u) X(WORD10, 0xe7037ed1u) \
	X(WORD11, 0xa0761d65u) X(WORD12, 0x5851f42du) X(WORD13, 0x4be98135u) X(WORD14, 0x3c79ac49u) X(WORD15, 0x7f4a7c15u)

/* Of the slot words[0 .. 15] at a position, published under an epoch. Word 0, STATUS, is not part of it. */
static inline uint32_t vyre_mailbox_check(uint32_t position, uint32_t epoch, const uint32_t *words)
{
#define X(name, value) value,
	static const uint32_t factors[] = {VYRE_MAILBOX_FACTOR_LIST(X)};
#undef X
	uint32_t sum = epoch * factors[0] + position * factors[1], k;
	for (k = 1; k < VYRE_SLOT_WORDS; k++)
		sum += words[k] * factors[1 + k];
	return sum;
}

VYRE_STATIC_ASSERT((int)VYRE_LIVE_ENGINE + VYRE_ENGINE_WORDS == VYRE_LIVE_WORDS, "the engine's lines are the last");

#endif
