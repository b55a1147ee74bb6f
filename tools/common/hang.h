/* hang.h - where the threads of a process are that does not come on.
 *
 * A line a thread: its name, what the kernel says that it waits in, and its calls as a backtrace gives them, with offsets for
 * addr2line. For the last words of a program that is about to be ended: a thread that is asked runs no code of its own
 * afterwards that relied on a system call which is not begun anew.
 */
#ifndef VYRE_HANG_H
#define VYRE_HANG_H

/* Once, early: loads what a backtrace needs, and takes SIGUSR2. */
void hang_prepare(void);
/* Of every thread but the caller's, onto a descriptor. */
void hang_print(int fd);

#endif
