/* native_kernel.c - native code that the stand-in runs as a GPU's: a program that can be held up, and workgroups that wait for each
 * other. Built as reference_kernel.so is. */
#include "native_kernel.h"

#include "abi/ring.h"

__attribute__((visibility("default"))) void work_entry(struct vyre_cpu_launch *launch)
{
	const struct vyre_cpu_buffer *buffers = launch->buffers;
	const uint32_t *table = buffers[WORK_TABLE].data;
	uint32_t *gate = buffers[WORK_GATE].data, *data = buffers[WORK_DATA].data, trap;
	uint32_t n = launch->workgroup[0] +
		     launch->workgroups[0] * (launch->workgroup[1] + launch->workgroups[1] * launch->workgroup[2]);

	while (__atomic_load_n(&gate[GATE_OPEN], __ATOMIC_ACQUIRE) == 0)
		;
	if (n < buffers[WORK_DATA].count)
		data[n] = table[n % buffers[WORK_TABLE].count] + gate[GATE_ADD] + n;
	trap = gate[GATE_TRAP];
	if (trap && n + 1 >= trap) {
		launch->trap_code = VYRE_FAULT_TRAP;
		launch->trap_detail = n;
	}
}

__attribute__((visibility("default"))) void together_entry(struct vyre_cpu_launch *launch)
{
	uint32_t *control = launch->buffers[TOGETHER_CONTROL].data, *data = launch->buffers[TOGETHER_DATA].data;
	uint32_t all = launch->workgroups[0] * launch->workgroups[1] * launch->workgroups[2];

	__atomic_fetch_add(&control[0], 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&control[0], __ATOMIC_ACQUIRE) < all)
		;
	data[launch->workgroup[0]] = all;
}
