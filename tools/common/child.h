/* child.h - a child process that may never end: one whose driver hangs. */
#ifndef VYRE_CHILD_H
#define VYRE_CHILD_H
#include <stdbool.h>
#include <sys/types.h>

/* Before the first fork: whoever started this program may have left SIGCHLD ignored, and then nobody learns how a child
 * ended, nor that it did. */
void child_prepare(void);
/* True, and its wait status, if it ends within so many seconds. */
bool child_ends_within(pid_t child, double seconds, int *status);

#endif
