/* ptx_table.c - mnemonics to operations, and what is known of a module from outside. */
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_internal.h"

static const struct {
	const char *texts, *operands;
} ops[PTX_OPS] = {
#define OP(name, text, letters, value) [PTX_##name] = {text, letters},
#include "tests/ptx/ptx_ops.def"
#define X(name, letters) [PTX_##name] = {"", letters},
    PTX_CONTROL_LIST(X)
#undef X
};

const char *ptx_op_operands(enum ptx_op op)
{
	return ops[op].operands;
}

/* Is the text one of the words of a list? */
static bool has_word(const char *words, const char *text, size_t bytes)
{
	for (const char *p = words; *p;) {
		size_t n = strcspn(p, " ");
		if (n == bytes && !memcmp(p, text, n))
			return true;
		p += n + (p[n] == ' ');
	}
	return false;
}

bool ptx_op_find(const char *text, size_t bytes, enum ptx_op *op)
{
	for (unsigned i = 0; i < PTX_VALUE_OPS; i++)
		if (ops[i].texts[0] == text[0] && has_word(ops[i].texts, text, bytes)) {
			*op = (enum ptx_op)i;
			return true;
		}
	return false;
}

/* ---- modules ------------------------------------------------------------------------------------------------ */

static void finish_function(struct ptx_function *f)
{
	for (uint32_t i = 0; i < f->table_count; i++)
		free(f->tables[i].targets);
	free(f->params);
	free(f->results);
	free(f->insns);
	free(f->constants);
	free(f->vectors);
	free(f->call_sites);
	free(f->tables);
	free(f);
}

void ptx_module_destroy(struct ptx_module *module)
{
	if (!module)
		return;
	for (uint32_t i = 0; i < module->function_count; i++)
		finish_function(module->functions[i]);
	for (uint32_t i = 0; i < module->variable_count; i++)
		if (module->variables[i].space == PTX_GLOBAL)
			free((void *)(uintptr_t)module->variables[i].offset);
	free(module->functions);
	free(module->variables);
	free(module->constants);
	free(module->text);
	free(module);
}

const struct ptx_function *ptx_entry_at(const struct ptx_module *module, unsigned index)
{
	for (uint32_t i = 0; i < module->function_count; i++)
		if (module->functions[i]->is_entry && module->functions[i]->has_body && !index--)
			return module->functions[i];
	return NULL;
}

const struct ptx_function *ptx_entry_find(const struct ptx_module *module, const char *name)
{
	const struct ptx_function *entry;
	for (unsigned i = 0; (entry = ptx_entry_at(module, i)); i++)
		if (!strcmp(entry->name, name))
			return entry;
	return NULL;
}

const char *ptx_entry_name(const struct ptx_function *entry)
{
	return entry->name;
}

void *ptx_variable_find(const struct ptx_module *module, const char *name, size_t *bytes)
{
	for (uint32_t i = 0; i < module->variable_count; i++) {
		const struct ptx_variable *v = &module->variables[i];
		if (strcmp(v->name, name))
			continue;
		*bytes = (size_t)v->bytes;
		return v->space == PTX_GLOBAL ? (void *)(uintptr_t)v->offset : module->constants + v->offset;
	}
	return NULL;
}

void ptx_entry_get_info(const struct ptx_function *entry, struct ptx_entry_info *info)
{
	*info = (struct ptx_entry_info){.param_count = entry->param_count,
					.param_bytes = entry->param_bytes,
					.shared_bytes = entry->shared_bytes,
					.local_bytes = entry->local_bytes,
					.slots = entry->slot_count};
	memcpy(info->reqntid, entry->reqntid, sizeof info->reqntid);
	memcpy(info->maxntid, entry->maxntid, sizeof info->maxntid);
}

bool ptx_entry_param(const struct ptx_function *entry, unsigned index, uint32_t *offset, uint32_t *bytes)
{
	if (index >= entry->param_count)
		return false;
	*offset = entry->params[index].offset;
	*bytes = entry->params[index].bytes;
	return true;
}
