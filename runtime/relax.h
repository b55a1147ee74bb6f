/* relax.h - spinning and sleeping: the pause instruction, the clock, the futex. */
#ifndef VYRE_RELAX_H
#define VYRE_RELAX_H
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline void vyre_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Nanoseconds on CLOCK_MONOTONIC. */
static inline uint64_t vyre_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The moment `timeout_ns` from now; UINT64_MAX = never. */
static inline uint64_t vyre_deadline(uint64_t timeout_ns)
{
	uint64_t now = vyre_now();

	return timeout_ns > UINT64_MAX - 1 - now ? UINT64_MAX : now + timeout_ns;
}

/* Sleeps while *word == seen, until woken or until the deadline; may also return for no reason. */
static inline void vyre_futex_wait(uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
				 .tv_nsec = (long)(deadline_ns % 1000000000u)};

	syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen,
		deadline_ns == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

static inline void vyre_futex_wake(uint32_t *word, uint32_t count)
{
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count > 0x7FFFFFFF ? 0x7FFFFFFF : count, NULL, NULL,
		0);
}

#endif
