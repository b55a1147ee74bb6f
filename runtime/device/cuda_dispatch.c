/* cuda_dispatch.c - a program, or a set that drains once, launched and waited for.
 *
 * In: a kernel, a grid. Out: OK when every workgroup has ended, or FAULT and the trap of the lowest lane that trapped
 * (abi/cuda.h). All on the function's own stream: the trap record set, the launch, the record copied back.
 *
 * The workgroups of a lowered set wait for each other, so all of them must run at the same time: they are launched
 * together (the driver refuses what does not fit), and more than are ever resident are refused here, with the number.
 */
#include "device/cuda.h"
#include "message.h"

static const uint64_t max_lanes = UINT64_C(1) << 32; /* whose indices fit the trap record */

vyre_cu_result vyre_cuda_launch(struct vyre_kernel *kernel, const struct vyre_cuda_arg *args, uint32_t arg_count,
				const uint32_t workgroups[3], int together, vyre_cu_stream stream)
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	struct vyre_cuda_function *function = kernel->image.own;
	void *params[2 * VYRE_CUDA_MAX_BUFFERS + 1];
	uint32_t i;

	for (i = 0; i < arg_count; i++) {
		params[2 * i] = (void *)&args[i].address;
		params[2 * i + 1] = (void *)&args[i].count;
	}
	params[2 * i] = &function->traps->address;
	if (together)
		return cuda->driver.cuLaunchCooperativeKernel(function->function, workgroups[0], workgroups[1],
							      workgroups[2], kernel->lanes[0], kernel->lanes[1],
							      kernel->lanes[2], 0, stream, params);
	return cuda->driver.cuLaunchKernel(function->function, workgroups[0], workgroups[1], workgroups[2],
					   kernel->lanes[0], kernel->lanes[1], kernel->lanes[2], 0, stream, params,
					   NULL);
}

static vyre_status check_grid(struct vyre_kernel *kernel, const uint32_t workgroups[3], int together)
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	struct vyre_cuda_function *function = kernel->image.own;
	uint64_t rows, total;
	uint32_t i;

	for (i = 0; i < 3; i++)
		if (workgroups[i] > cuda->max_grid[i])
			return vyre_fail(VYRE_INVALID, "split the grid",
					 "%u x %u x %u workgroups; this GPU takes at most %u x %u x %u", workgroups[0],
					 workgroups[1], workgroups[2], cuda->max_grid[0], cuda->max_grid[1],
					 cuda->max_grid[2]);
	rows = (uint64_t)workgroups[0] * workgroups[1]; /* below 2^47 on every GPU: 2^31 x 2^16 */
	total = rows * workgroups[2];
	if (total > max_lanes / function->lanes)
		return vyre_fail(VYRE_INVALID, "split the grid",
				 "%u x %u x %u workgroups of %u lanes are more than 2^32", workgroups[0], workgroups[1],
				 workgroups[2], function->lanes);
	if (together && !cuda->can_cooperate)
		return vyre_fail(VYRE_UNSUPPORTED, "use another GPU",
				 "workgroups that wait for each other cannot be launched together here");
	if (together && total > vyre_cuda_most_workgroups(kernel, 0))
		return vyre_fail(VYRE_INVALID, "use fewer workgroups",
				 "%llu workgroups that wait for each other; at most %u run at the same time",
				 (unsigned long long)total, vyre_cuda_most_workgroups(kernel, 0));
	return VYRE_OK;
}

static vyre_cu_result launch(struct vyre_kernel *kernel, const uint32_t workgroups[3], int together)
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	struct vyre_cuda_function *function = kernel->image.own;
	struct vyre_cuda_trap *copies = function->trap_copy->data;
	vyre_cu_result result, ended;

	copies[0] = (struct vyre_cuda_trap){VYRE_CUDA_NO_TRAP, VYRE_CUDA_NO_TRAP};
	vyre_cuda_begin(cuda);
	result = cuda->driver.cuMemcpyHtoDAsync_v2(function->traps->address, &copies[0], sizeof(copies[0]),
						   function->stream);
	if (result == 0)
		result = vyre_cuda_launch(kernel, (const struct vyre_cuda_arg *)kernel->table,
					  kernel->unit->buffer_count, workgroups, together, function->stream);
	if (result != 0)
		cuda->driver.cuStreamSynchronize(function->stream); /* the copy that went before */
	vyre_cuda_launched(cuda, result == 0);
	if (result != 0)
		return result;
	result = cuda->driver.cuMemcpyDtoHAsync_v2(&copies[1], function->traps->address, sizeof(copies[1]),
						   function->stream);
	ended = cuda->driver.cuStreamSynchronize(function->stream);
	vyre_cuda_ended(cuda, ended);
	return ended ? ended : result;
}

static vyre_status report_trap(struct vyre_kernel *kernel, uint32_t fault[2])
{
	struct vyre_cuda_function *function = kernel->image.own;
	const struct vyre_cuda_trap *trap = (struct vyre_cuda_trap *)function->trap_copy->data + 1;
	uint64_t lane = trap->code >> VYRE_CUDA_TRAP_CODE_BITS;

	if (trap->code == VYRE_CUDA_NO_TRAP)
		return VYRE_OK;
	fault[0] = (uint32_t)(trap->code & ((1u << VYRE_CUDA_TRAP_CODE_BITS) - 1));
	fault[1] = (uint32_t)trap->detail;
	return vyre_fail(VYRE_FAULT, "see the fault's place in the source with vyre-inspect",
			 "workgroup %llu of %.64s trapped in lane %llu: code %u, detail %u",
			 (unsigned long long)(lane / function->lanes),
			 vyre_blob_string(kernel->blob, kernel->unit->name),
			 (unsigned long long)(lane % function->lanes), fault[0], fault[1]);
}

vyre_status vyre_cuda_dispatch(struct vyre_kernel *kernel, const uint32_t workgroups[3], uint32_t fault[2])
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	int together = kernel->unit->feed != VYRE_FEED_NONE;
	vyre_status status = check_grid(kernel, workgroups, together);
	vyre_cu_result result;

	if (status == VYRE_OK)
		status = vyre_cuda_enter(cuda);
	if (status != VYRE_OK)
		return status;
	result = launch(kernel, workgroups, together);
	vyre_cuda_leave(cuda);
	if (result == 0)
		return report_trap(kernel, fault);
	status = vyre_cuda_fail(cuda, result, "%.64s on %u x %u x %u workgroups",
				vyre_blob_string(kernel->blob, kernel->unit->name), workgroups[0], workgroups[1],
				workgroups[2]);
	return __atomic_load_n(&cuda->lost, __ATOMIC_ACQUIRE) ? VYRE_DEVICE_LOST : status;
}

VYRE_STATIC_ASSERT(sizeof(struct vyre_cuda_arg) == sizeof(struct vyre_cpu_buffer), "a kernel's table is its arguments");
