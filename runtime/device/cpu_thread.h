/* cpu_thread.h - threads that run kernel code. */
#ifndef VYRE_CPU_THREAD_H
#define VYRE_CPU_THREAD_H
#include <pthread.h>
#include <stdint.h>

/* Starts a thread with every signal blocked and room for `stack_bytes` of kernel frames; processor >= 0 pins it there
 * (a processor that is not ours is ignored). 0, or an errno. */
int vyre_cpu_thread_start(pthread_t *thread, uint32_t stack_bytes, int processor, void *(*run)(void *), void *argument);

#endif
