/* last_words.c - what a test says that is about to be killed: its step, the words of its rings, where its threads are.
 *
 * The runner sends SIGTERM to a test whose time is over and waits a little before it kills it. A thread of the test's own
 * process takes that signal and prints, first what needs no driver: the words of a ring that the host sees, twice, so that one
 * sees which of them move. Then where every thread stands; and last, because a driver that hangs may never give it, the
 * device's own copy of the same words.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/live.h"
#include "tests/gpu/gpu.h"
#include "tools/common/hang.h"

enum { MOST_RINGS = 16 };
static struct vyre_ring *rings[MOST_RINGS]; /* atomic */
static const uint64_t between_looks_ns = 20000000;

static void replace(struct vyre_ring *old, struct vyre_ring *new)
{
	for (uint32_t i = 0; i < MOST_RINGS; i++) {
		struct vyre_ring *seen = old;

		if (__atomic_compare_exchange_n(&rings[i], &seen, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return;
	}
}

void gpu_ring_opened(struct vyre_ring *ring)
{
	replace(NULL, ring);
}

void gpu_ring_closes(struct vyre_ring *ring)
{
	if (ring)
		replace(ring, NULL);
}

static void print_words(const char *whose, const uint32_t *live)
{
	printf("  %s:", whose);
#define X(name, word, words, writer, text) \
	if ((words) == 1) \
		printf(" %s %u", #name, __atomic_load_n(&live[word], __ATOMIC_ACQUIRE));
	VYRE_LIVE_FIELDS(X)
#undef X
	printf("\n");
	fflush(stdout);
}

static void print_ring(const struct vyre_ring *ring)
{
	printf("ring of %u slots, %u workers, %s\n", ring->slots, ring->workers,
	       vyre_ring_is_lost(ring)				? "lost"
	       : __atomic_load_n(&ring->left, __ATOMIC_SEQ_CST) ? "left"
								: "open");
	print_words("the host sees", ring->live);
	gpu_sleep(between_looks_ns);
	print_words("20 ms later", ring->live);
}

static void print_device_words(const struct vyre_ring *ring)
{
	uint32_t live[VYRE_LIVE_WORDS];

	if (!ring->is_mailbox ||
	    ring->device->fns->memory_read(ring->memories[VYRE_RING_BUFFER_CONTROL],
					   4 * (uint64_t)ring->control[VYRE_CONTROL_EXT_BASE], live, sizeof live))
		return;
	print_words("the device has", live);
	printf("  its engine:");
#define X(name, word, words, text) \
	if ((words) == 1) \
		printf(" %s %u", #name, live[VYRE_LIVE_ENGINE + (word)]);
	VYRE_ENGINE_FIELDS(X)
#undef X
	printf("\n");
	fflush(stdout);
}

static void each_ring(void (*print)(const struct vyre_ring *ring))
{
	for (uint32_t i = 0; i < MOST_RINGS; i++) {
		const struct vyre_ring *ring = __atomic_load_n(&rings[i], __ATOMIC_SEQ_CST);

		if (ring)
			print(ring);
	}
}

static void *listen(void *unused)
{
	sigset_t set;
	int signal;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigwait(&set, &signal);
	each_ring(print_ring);
	hang_print(STDOUT_FILENO);
	each_ring(print_device_words);
	_exit(1);
}

void gpu_keep_last_words(void)
{
	pthread_t thread;
	sigset_t set;

	hang_prepare();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* in every thread from here on, those of a driver too */
	CHECK(pthread_create(&thread, NULL, listen, NULL) == 0, "no thread");
	pthread_detach(thread);
}
