/* native_kernel.h - the units of native_kernel.c, and a blob of them. */
#ifndef VYRE_TESTS_NATIVE_KERNEL_H
#define VYRE_TESTS_NATIVE_KERNEL_H
#include "abi/cpu.h"

/* Program "work": workgroup n waits while gate[OPEN] is 0, then data[n] = table[n] + gate[ADD] + n; it traps with detail n if
 * gate[TRAP] is not 0 and n + 1 is not below it. */
enum { WORK_GATE, WORK_DATA, WORK_TABLE, WORK_BUFFERS };
enum { GATE_OPEN, GATE_ADD, GATE_TRAP, GATE_WORDS };
/* Set "together", feed slots: workgroup n counts itself in control word 0, waits until all have, then data[n] = how many
 * workgroups there are. */
enum { TOGETHER_CONTROL, TOGETHER_DATA = 5, TOGETHER_BUFFERS };

void work_entry(struct vyre_cpu_launch *launch);
void together_entry(struct vyre_cpu_launch *launch);

#endif
