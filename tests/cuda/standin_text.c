/* standin_text.c - PTX in the stand-in, executed by tests/ptx.
 *
 * A launch's workgroups run on as many threads as there is room for on the multiprocessors. Accesses are held to what is
 * allocated when the kernel starts. What the executor calls an error ends the context, as an illegal address does, and its words go
 * to stderr: a driver has none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin_launch.h"

/* The text's `.target sm_NN`; 0 = it says none. */
static uint32_t target_of(const char *text)
{
	const char *target = strstr(text, ".target sm_");

	return target ? (uint32_t)strtoul(target + strlen(".target sm_"), NULL, 10) : 0;
}

static void add_function(struct CUmod_st *module, const struct ptx_function *entry)
{
	struct CUfunc_st *function = calloc(1, sizeof(*function));
	struct ptx_entry_info info;

	if (!function)
		standin_mistake("no memory");
	ptx_entry_get_info(entry, &info);
	snprintf(function->name, sizeof(function->name), "%s", ptx_entry_name(entry));
	function->module = module;
	function->text = entry;
	function->lanes = info.reqntid[0] * info.reqntid[1] * info.reqntid[2];
	function->shared_bytes = info.shared_bytes;
	function->next = module->functions;
	module->functions = function;
}

vyre_cu_result standin_load_text(struct CUmod_st *module, const char *text, char log[STANDIN_LOG_BYTES])
{
	char message[PTX_MESSAGE];
	const struct ptx_function *entry;
	unsigned i;

	if (target_of(text) > (uint32_t)standin_property(PROPERTY_sm)) {
		snprintf(log, STANDIN_LOG_BYTES, "line 2; fatal: the text is for sm_%u", target_of(text));
		return VYRE_CU_NO_BINARY_FOR_GPU;
	}
	module->text = ptx_module_parse(text, strlen(text), message);
	if (!module->text) {
		snprintf(log, STANDIN_LOG_BYTES, "fatal: %.400s", message);
		return VYRE_CU_INVALID_PTX;
	}
	for (i = 0; (entry = ptx_entry_at(module->text, i)) != NULL; i++)
		add_function(module, entry);
	return CU_OK;
}

void standin_unload_text(struct CUmod_st *module)
{
	if (!standin_running_kernels())
		ptx_module_destroy(module->text);
}

/* The driver knows how many parameters an entry has; which of them are addresses shows in their values. */
void standin_take_text_params(struct standin_kernel *kernel, void **params)
{
	const struct ptx_function *entry = kernel->function.text;
	struct ptx_entry_info info;
	unsigned i;

	ptx_entry_get_info(entry, &info);
	kernel->param_bytes = info.param_bytes;
	kernel->params = calloc(1, info.param_bytes + 1);
	if (!kernel->params)
		standin_mistake("no memory");
	for (i = 0; i < info.param_count; i++) {
		uint32_t offset, bytes;
		uint64_t value = 0;

		if (!ptx_entry_param(entry, i, &offset, &bytes))
			standin_mistake("%s has no parameter %u", kernel->function.name, i);
		memcpy(&value, params[i], bytes < sizeof(value) ? bytes : sizeof(value));
		if (bytes == sizeof(value) && standin_is_address(value)) {
			value = (uintptr_t)standin_bytes(value, 1);
			if (!value)
				kernel->fate = VYRE_CU_ILLEGAL_ADDRESS;
		}
		memcpy((uint8_t *)kernel->params + offset, bytes > sizeof(value) ? params[i] : &value, bytes);
	}
}

static struct ptx_range *make_ranges(uint32_t *count)
{
	struct standin_block *blocks = standin_copy_blocks(count);
	struct ptx_range *ranges = calloc(*count + 1, sizeof(*ranges));
	uint32_t system = standin_property(PROPERTY_system) ? PTX_SYSTEM : 0, i;

	if (!ranges)
		standin_mistake("no memory");
	for (i = 0; i < *count; i++)
		ranges[i] =
		    (struct ptx_range){blocks[i].data, blocks[i].bytes,
				       PTX_READ | PTX_WRITE | PTX_UNSTATED | (blocks[i].is_pinned ? system : 0)};
	free(blocks);
	return ranges;
}

void standin_run_text(struct standin_kernel *kernel)
{
	uint32_t all = kernel->total < standin_capacity() ? (uint32_t)kernel->total : standin_capacity(), range_count;
	uint32_t places = kernel->together ? all : standin_take_some(all);
	struct ptx_range *ranges = make_ranges(&range_count);
	struct ptx_launch launch = {
	    .entry = kernel->function.text,
	    .grid = {kernel->grid[0], kernel->grid[1], kernel->grid[2]},
	    .block = {kernel->lanes[0], kernel->lanes[1], kernel->lanes[2]},
	    .params = kernel->params,
	    .param_bytes = kernel->param_bytes,
	    .seed = (uint64_t)standin_property(PROPERTY_seed),
	    .threads = places,
	    .ranges = ranges,
	    .range_count = range_count,
	    .careful = standin_property(PROPERTY_careful) != 0,
	    .late = standin_property(PROPERTY_late) != 0,
	    .stop = standin_lost_word(),
	};
	struct ptx_result *result = malloc(sizeof(*result));

	if (!result)
		standin_mistake("no memory");
	if (kernel->together)
		standin_take_room(all);
	if (!ptx_launch(&launch, result) && result->outcome == PTX_ERROR) {
		fprintf(stderr, "stand-in for libcuda: %s: %s\n", kernel->function.name, result->message);
		standin_break(VYRE_CU_ILLEGAL_ADDRESS);
	}
	standin_give_room(places);
	free(result);
	free(ranges);
}
