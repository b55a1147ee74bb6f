/* standin_plan.c - what the stand-in is, and what goes wrong in it when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin_private.h"

enum { MAX_ROWS = 64, EVERY = 0 };

static const char *const symbol_names[SYMBOL_COUNT] = {
#define X(name, suffix, first, parameters) [SYMBOL_##name] = #name,
    VYRE_CUDA_SYMBOL_LIST(X)
#undef X
	[SYMBOL_kernel] = "kernel",
};
static const struct {
	const char *name;
	int64_t value;
} properties[PROPERTY_COUNT] = {
#define X(name, value, meaning) [PROPERTY_##name] = {#name, value},
    STANDIN_PROPERTY_LIST(X)
#undef X
};

static struct {
	pthread_mutex_t lock;
	int is_set;
	int64_t values[PROPERTY_COUNT];
	uint64_t calls[SYMBOL_COUNT];
	struct {
		enum standin_symbol symbol;
		uint64_t at; /* EVERY */
		vyre_cu_result result;
	} rows[MAX_ROWS];
	uint32_t row_count;
} plan = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum standin_symbol find_symbol(const char *name, size_t length)
{
	uint32_t i;

	for (i = 0; i < SYMBOL_COUNT; i++)
		if (strlen(symbol_names[i]) == length && strncmp(symbol_names[i], name, length) == 0)
			break;
	return (enum standin_symbol)i;
}

static void take_property(const char *name, size_t length, int64_t value)
{
	uint32_t i;

	for (i = 0; i < PROPERTY_COUNT; i++)
		if (strlen(properties[i].name) == length && strncmp(properties[i].name, name, length) == 0)
			break;
	if (i == PROPERTY_COUNT)
		standin_mistake("the plan names no property or symbol: %s", name);
	plan.values[i] = value;
}

static void take_row(const char *text, const char *end)
{
	const char *equals = memchr(text, '=', (size_t)(end - text));
	const char *colon = memchr(text, ':', (size_t)(end - text));
	enum standin_symbol symbol;

	if (!equals || plan.row_count == MAX_ROWS)
		standin_mistake("a row of the plan without =, or too many: %s", text);
	if (!colon || colon > equals) {
		take_property(text, (size_t)(equals - text), strtoll(equals + 1, NULL, 0));
		return;
	}
	symbol = find_symbol(text, (size_t)(colon - text));
	if (symbol == SYMBOL_COUNT)
		standin_mistake("the plan names no symbol: %s", text);
	plan.rows[plan.row_count].symbol = symbol;
	plan.rows[plan.row_count].at = colon[1] == '*' ? EVERY : strtoull(colon + 1, NULL, 0);
	plan.rows[plan.row_count++].result = (vyre_cu_result)strtoul(equals + 1, NULL, 0);
}

static void set(const char *text)
{
	uint32_t i;

	for (i = 0; i < PROPERTY_COUNT; i++)
		plan.values[i] = properties[i].value;
	memset(plan.calls, 0, sizeof(plan.calls));
	plan.row_count = 0;
	plan.is_set = 1;
	while (text && *text) {
		const char *end = strchrnul(text, ',');

		take_row(text, end);
		text = *end ? end + 1 : end;
	}
}

void standin_plan(const char *text)
{
	pthread_mutex_lock(&plan.lock);
	set(text);
	pthread_mutex_unlock(&plan.lock);
	standin_forget_limits();
}

static void lock(void)
{
	pthread_mutex_lock(&plan.lock);
	if (!plan.is_set)
		set(getenv("VYRE_STANDIN_PLAN"));
}

int64_t standin_property(enum standin_property property)
{
	int64_t value;

	lock();
	value = plan.values[property];
	pthread_mutex_unlock(&plan.lock);
	return value;
}

vyre_cu_result standin_count(enum standin_symbol symbol)
{
	vyre_cu_result result = CU_OK;
	uint64_t call;
	uint32_t i;

	lock();
	call = ++plan.calls[symbol];
	for (i = 0; i < plan.row_count; i++)
		if (plan.rows[i].symbol == symbol && (plan.rows[i].at == EVERY || plan.rows[i].at == call))
			result = plan.rows[i].result;
	pthread_mutex_unlock(&plan.lock);
	if (result != CU_OK && symbol != SYMBOL_kernel && vyre_cuda_result(result)->is_dead)
		standin_break(result);
	return result;
}

uint64_t standin_calls(const char *symbol)
{
	enum standin_symbol found = find_symbol(symbol, strlen(symbol));
	uint64_t calls;

	if (found == SYMBOL_COUNT)
		standin_mistake("there is no symbol %s", symbol);
	lock();
	calls = plan.calls[found];
	pthread_mutex_unlock(&plan.lock);
	return calls;
}
