/* live.h - the host side of a live ring: its fields, shared by ring.c, publish.c, wait.c and the device. Private.
 *
 * Places and tickets. Position p (64 bits here, its low 32 on the device) is place p mod slots. owner[place] says who
 * holds the place:
 *     0                          nobody: it may be published in
 *     position << 2 | TICKETED   a ticket, which is this very number; nobody else may take the place
 *     position << 2 | DETACHED   nobody waits: free as soon as STATUS is DONE, FAULT or EMPTY
 * Only a publisher that holds publish_lock makes a place owned; anyone may turn TICKETED into DETACHED or 0, by
 * compare-exchange, so that a ticket is released once. A ticket whose number is not in its place is stale.
 *
 * A mailbox ring (abi/mailbox.h) has control twice; `control` and `live` are the copy in the host's memory, whose words
 * the device's poller keeps up to date. Words that it does not are read with ring_report.c only.
 *
 * A hold keeps places from being used again although nobody owns them: see hold.c.
 */
#ifndef VYRE_LIVE_H
#define VYRE_LIVE_H
#include <pthread.h>

#include "abi/mailbox.h"
#include "kernel.h"
#include "relax.h"

enum { VYRE_RING_OPEN, VYRE_RING_CLOSING, VYRE_RING_STOPPED };
enum { VYRE_OWNER_TICKETED = 1, VYRE_OWNER_DETACHED = 2, VYRE_OWNER_SHIFT = 2, VYRE_OWNER_MASK = 3 };
enum { VYRE_MAX_FENCES = 64 }; /* in flight in a ring */

/* What publishing has come to. Two of them, one in force: a publisher that dies changes nothing. */
struct vyre_commit {
	uint64_t cursor;    /* next position */
	uint64_t published; /* slots */
	uint32_t tenant, tenant_published; /* who published last, and what his count has come to, mod 2^32 */
};

/* A slot in flight whose `covers` places before it may not be used again until it has ended. */
struct vyre_hold {
	uint64_t position;
	uint32_t covers; /* 0 = the entry is free */
};

/* What a tenant has published; how many more he surely may before TENANT_RETIRED must be looked at again. */
struct vyre_tenant_count {
	uint32_t published, room;
};

struct vyre_ring {
	uint32_t refs; /* atomic */
	/* fixed once made */
	struct vyre_kernel *kernel;
	struct vyre_device *device;
	struct vyre_memory
	    *memories[VYRE_RING_BUFFERS];	/* LAUNCH: one record of VYRE_LAUNCH_WORDS a worker, in lines */
	struct vyre_memory *mailbox[VYRE_MAILBOX_BUFFERS];
	int is_mailbox;
	uint32_t *control, *live, *words; /* words: the slots */
	uint32_t *stamps;		  /* by place; NULL: no mailbox */
	uint32_t slots, workers, tenants, flags, control_words;
	uint32_t idle_polls, spins; /* polls before leaving; polls a waiter makes before it sleeps */
	uint64_t room_slice_ns;	    /* the longest sleep of a publisher that waits for room; tests make it long */
	uint64_t first_position;
	uint64_t *owner; /* atomic, by place */
	void *engine;	 /* the device's own */

	/* publishers */
	__attribute__((aligned(128))) pthread_mutex_t publish_lock; /* robust */
	struct vyre_commit commit[2];
	uint32_t commit_index; /* atomic */
	uint32_t closed;       /* atomic: VYRE_RING_OPEN ... */
	uint64_t limit;	       /* one lap ahead of HEAD as last seen: positions from here on may not be published */
	uint32_t full_retired; /* RETIRED when the ring was last called full for it */
	uint32_t room;		/* places that no slot in flight held at the last look at RETIRED, less what came since */
	uint32_t writer;	/* tenant of who writes, or died writing */
	uint64_t lap_limit;	/* hold.c: positions from here on may not be published either; UINT64_MAX = no hold */
	struct vyre_hold holds[VYRE_MAX_FENCES];
	uint64_t command_position; /* of the slot that COMMAND names, while is_commanding */
	int is_commanding;
	struct vyre_tenant_count tenant[32];
	uint64_t detached_faults, last_fault_position;
	uint32_t last_fault[3];		   /* slot, code, detail */
	void (*before_commit)(void *user); /* tests: called with the lock held and the slots written */
	void *before_commit_user;

	pthread_mutex_t command_lock; /* robust: one request to the device at a time */

	/* who serves what the device asks for; NULL = nobody */
	pthread_mutex_t io_lock;
	void (*io_asked)(void *user);
	void *io_user;

	/* host threads asleep */
	__attribute__((aligned(128))) uint32_t event; /* atomic; futex: moves when something may have ended */
	uint32_t armed;	       /* atomic: somebody read event and may sleep on it; who clears it moves event */
	uint32_t room_waiters; /* atomic: publishers that wait for room */
	uint32_t releases;     /* atomic: places that tickets gave back while somebody waited for room */

	/* stopping */
	__attribute__((aligned(128))) uint32_t left; /* atomic: every worker has left */
	uint32_t lost;				     /* atomic: an enum vyre_loss, 0 = it is not */
	uint64_t wakes;				     /* atomic */
};

struct vyre_publisher {
	struct vyre_ring *ring; /* one reference */
	uint32_t tenant;
};

static inline uint32_t *vyre_slot_words(const struct vyre_ring *ring, uint64_t position)
{
	return ring->words + (position & (ring->slots - 1)) * VYRE_SLOT_WORDS;
}

/* A stamp that names no position of this place: there are at least two. */
static inline uint32_t vyre_no_stamp(uint64_t position)
{
	return (uint32_t)position + 1;
}

static inline int vyre_slot_has_ended(uint32_t status)
{
	return status == VYRE_SLOT_DONE || status == VYRE_SLOT_FAULT || status == VYRE_SLOT_EMPTY;
}

static inline uint32_t vyre_slot_status(const struct vyre_ring *ring, uint64_t position)
{
	return __atomic_load_n(vyre_slot_words(ring, position), __ATOMIC_ACQUIRE);
}

static inline uint32_t vyre_live_load(const struct vyre_ring *ring, uint32_t word)
{
	return __atomic_load_n(&ring->live[word], __ATOMIC_SEQ_CST);
}

/* ring.c: the caller, every publisher, and the workers of an abandoned ring hold one reference each. */
void vyre_ring_ref(struct vyre_ring *ring);
void vyre_ring_unref(struct vyre_ring *ring);

/* ring.c: the device was shut down by a slot. `all`: no worker is left. */
void vyre_ring_shut_down(struct vyre_ring *ring, int all);

/* ring.c: the device is lost, or the ring's kernel alone, which cannot come back to it: from now on every call that would
 * wait for it says so; who sleeps is woken. The first loss stays. Any thread. */
enum vyre_loss { VYRE_LOSS_DEVICE = 1, VYRE_LOSS_KERNEL };
void vyre_ring_lose(struct vyre_ring *ring, enum vyre_loss loss);
int vyre_ring_is_lost(const struct vyre_ring *ring);
vyre_status vyre_ring_answer_lost(const struct vyre_ring *ring);

/* ring.c: a worker has published io entries; any thread. */
void vyre_ring_io_asked(struct vyre_ring *ring);

/* publish.c: how far publishing has come; locked: publish_lock is held. */
struct vyre_commit vyre_ring_commit(struct vyre_ring *ring);
struct vyre_commit vyre_ring_commit_locked(struct vyre_ring *ring);
/* publish.c: counts and frees the detached slots that have faulted; publish_lock is held. */
void vyre_ring_reap_faults(struct vyre_ring *ring);
/* publish.c: locks publish_lock, putting right what a dead publisher left. */
void vyre_ring_lock(struct vyre_ring *ring);
void vyre_ring_unlock(struct vyre_ring *ring);

/* hold.c; publish_lock is held. refresh: forgets holds whose slots have ended, computes lap_limit, returns how many more
 * there may be. add: there is one left. */
uint32_t vyre_ring_refresh_holds(struct vyre_ring *ring);
void vyre_ring_add_hold(struct vyre_ring *ring, uint64_t position, uint32_t covers);
/* The same until COMMAND, which is stored next, is answered. */
void vyre_ring_hold_command(struct vyre_ring *ring, uint64_t position);

/* wait.c: tells publishers that wait for room that there may be some. */
void vyre_ring_tell_room_waiters(struct vyre_ring *ring);
/* wait.c: wakes every host thread that sleeps on the ring. */
void vyre_ring_notify(struct vyre_ring *ring);
/* wait.c: spins up to ring->spins times, then sleeps, until ended(ring, context) or the deadline. `slice_ns`: the
 * longest sleep without looking again, for conditions that can come true without a notification; 0 = none. Returns
 * what `ended` returned last. */
int vyre_ring_wait_until(struct vyre_ring *ring, int (*ended)(struct vyre_ring *ring, void *context), void *context,
			 uint64_t deadline_ns, uint64_t slice_ns);

#endif
