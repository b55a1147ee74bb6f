/* opcode.h - what an opcode is: system or user, built in, publishable, whose window it lies in. */
#ifndef VYRE_ABI_OPCODE_H
#define VYRE_ABI_OPCODE_H
#include <stdint.h>
#include "ring.h"

#define VYRE_WINDOW_BASE 0x40000000u /* tenant id's window starts here + id * VYRE_WINDOW_OPCODES */
#define VYRE_WINDOW_OPCODES 0x100000u

/* Every scheduler with built-ins has these. LOAD_MISS is a system opcode, but not everyone's: its words are checked by a
 * publisher of its own. */
static inline int vyre_opcode_is_builtin(uint32_t opcode)
{
	return opcode <= VYRE_OPCODE_BATCH_FENCE || opcode == VYRE_OPCODE_PRINTF || opcode == VYRE_OPCODE_PACKED_SLOT ||
	       opcode == VYRE_OPCODE_SHUTDOWN;
}

static inline int vyre_opcode_is_user(uint32_t opcode)
{
	return !vyre_opcode_is_system(opcode);
}

/* May it go through an ordinary publisher? That the loaded set has the user opcode is for the loader to look up. */
static inline int vyre_opcode_is_publishable(uint32_t opcode)
{
	return vyre_opcode_is_builtin(opcode) || vyre_opcode_is_user(opcode);
}

/* From 0x40000000 to 0x7FFFFFFF every opcode lies in the window of one tenant id, 0 .. 1023. */
static inline int vyre_opcode_has_window(uint32_t opcode)
{
	return opcode >= VYRE_WINDOW_BASE && opcode >> 31 == 0;
}

static inline uint32_t vyre_opcode_window(uint32_t opcode)
{
	return (opcode - VYRE_WINDOW_BASE) / VYRE_WINDOW_OPCODES;
}

/* May this tenant use it? An opcode in another tenant's window faults. */
static inline int vyre_opcode_is_tenants(uint32_t opcode, uint32_t tenant)
{
	return !vyre_opcode_has_window(opcode) || vyre_opcode_window(opcode) == tenant;
}

/* Opcode `local` of a tenant's window; 0 when there is none: the window ends, or ids have no room below bit 31. */
static inline uint32_t vyre_opcode_in_window(uint32_t tenant, uint32_t local)
{
	if (tenant >= VYRE_WINDOW_BASE / VYRE_WINDOW_OPCODES || local >= VYRE_WINDOW_OPCODES)
		return 0;
	return VYRE_WINDOW_BASE + tenant * VYRE_WINDOW_OPCODES + local;
}

#endif
