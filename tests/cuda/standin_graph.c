/* standin_graph.c - graphs of kernels: for vyre-bench, whose floors they are; the loader makes none.
 *
 * A graph is its nodes in the order in which they were added, with their parameters as they were then; launching it is
 * launching them one after the other on the stream, which every graph allows: a node can only depend on earlier ones.
 */
#include <stdlib.h>
#include <string.h>

#include "standin_launch.h"
#include "tools/vyre-bench/floor_cuda.h"

struct CUgraphNode_st {
	struct CUgraphNode_st *next;
	struct cu_node_params params;
	uint64_t *values; /* what params.params point to */
};
struct CUgraph_st {
	struct CUgraphNode_st *first, *last;
};
struct CUgraphExec_st {
	struct CUgraph_st *graph; /* a copy */
};

#define X(name, suffix, parameters) EXPORT cu_result name##suffix parameters;
CU_GRAPH_LIST(X)
#undef X

cu_result cuGraphCreate(cu_graph *out, unsigned flags)
{
	if (standin_lost() != CU_OK)
		return standin_lost();
	if (flags || !(*out = calloc(1, sizeof(**out))))
		return CU_INVALID_VALUE;
	standin_add_live(1);
	return CU_OK;
}

/* All our kernels' parameters are 64-bit words: a pointer and a count a buffer, and the trap record. */
static uint32_t param_count(const struct CUfunc_st *function)
{
	struct ptx_entry_info info;

	if (function->entry)
		return 2 * function->buffers + 1;
	ptx_entry_get_info(function->text, &info);
	return info.param_count;
}

static void take_params(struct CUgraphNode_st *node, const struct cu_node_params *params)
{
	uint32_t count = param_count(params->function);

	node->params = *params;
	node->values = calloc(count, sizeof(*node->values));
	node->params.params = calloc(count, sizeof(*node->params.params));
	if (!node->values || !node->params.params)
		standin_mistake("no memory");
	for (uint32_t i = 0; i < count; i++) {
		memcpy(&node->values[i], params->params[i], sizeof(*node->values));
		node->params.params[i] = &node->values[i];
	}
}

static struct CUgraphNode_st *append(struct CUgraph_st *graph, const struct cu_node_params *params)
{
	struct CUgraphNode_st *node = calloc(1, sizeof(*node));

	if (!node)
		standin_mistake("no memory");
	take_params(node, params);
	if (graph->last)
		graph->last->next = node;
	else
		graph->first = node;
	graph->last = node;
	return node;
}

cu_result cuGraphAddKernelNode_v2(cu_node *out, cu_graph graph, const cu_node *after, size_t count,
				  const struct cu_node_params *params)
{
	if (!params->function || params->kernel || params->extra || params->shared_bytes)
		return CU_INVALID_VALUE;
	for (size_t i = 0; i < count; i++)
		if (!after[i])
			return CU_INVALID_VALUE;
	*out = append(graph, params);
	return CU_OK;
}

cu_result cuGraphInstantiateWithFlags(cu_exec *out, cu_graph graph, unsigned long long flags)
{
	if (standin_lost() != CU_OK)
		return standin_lost();
	if (flags || !(*out = calloc(1, sizeof(**out))) || !((*out)->graph = calloc(1, sizeof(*graph))))
		return CU_INVALID_VALUE;
	for (struct CUgraphNode_st *node = graph->first; node; node = node->next)
		append((*out)->graph, &node->params);
	standin_add_live(1);
	return CU_OK;
}

cu_result cuGraphLaunch(cu_exec exec, cu_stream stream)
{
	for (struct CUgraphNode_st *node = exec->graph->first; node; node = node->next) {
		const struct cu_node_params *p = &node->params;
		cu_result result = cuLaunchKernel(p->function, p->grid[0], p->grid[1], p->grid[2], p->block[0],
						  p->block[1], p->block[2], 0, stream, p->params, NULL);
		if (result != CU_OK)
			return result;
	}
	return CU_OK;
}

static void free_nodes(struct CUgraph_st *graph)
{
	for (struct CUgraphNode_st *node = graph->first, *next; node; node = next) {
		next = node->next;
		free(node->values);
		free(node->params.params);
		free(node);
	}
	free(graph);
}

cu_result cuGraphExecDestroy(cu_exec exec)
{
	free_nodes(exec->graph);
	free(exec);
	standin_add_live(-1);
	return CU_OK;
}

cu_result cuGraphDestroy(cu_graph graph)
{
	free_nodes(graph);
	standin_add_live(-1);
	return CU_OK;
}
