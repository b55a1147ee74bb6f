/* ring_cuda_test.c - a live ring on PTX, kept busy: every slot's results are looked at as soon as it has ended.
 *
 *   ring_cuda_test [slots [seed]]     default 10,000 slots, seed from VYRE_SEED or 1
 *
 * The stand-in lets stores that nothing orders arrive late, so a STATUS that does not order the words it answers for shows here.
 * Two publishers, lane and workgroup ops, faults; each slot must have run once.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/common/cpu_run.h"

static const char text[] = "set busy {\n"
			   "  buffer counts: u32[]\n"
			   "  op mix = 0x100 (a: u32, b: u32) by lane {\n"
			   "    atomic_add(counts[0], 1)\n"
			   "    for k in 0 .. 3 { result(0, a + k) }\n"
			   "    result(1, a ^ b); result(2, b); result(3, a * b); result(5, a - b); result(11, ~a)\n"
			   "  }\n"
			   "  op fails = 0x101 (a: u32, b: u32) by lane { atomic_add(counts[0], 1); trap(a) }\n"
			   "  op wide = 0x102 (a: u32, b: u32) by workgroup {\n"
			   "    let sum = reduce_add((a + lane) * 2 - lane * 2)\n"
			   "    if lane == 0 { atomic_add(counts[0], 1) }\n"
			   "    result(1, a ^ b); result(2, sum); result(11, lanes)\n"
			   "  }\n"
			   "}\n";

enum { PUBLISHERS = 2, LANES = 32, AHEAD = 24, MIX = 0x100, FAILS, WIDE };

struct publisher {
	struct vyre_ring *ring;
	uint64_t seed;
	unsigned slots, wrong;
	pthread_t thread;
};

static bool is_right(const struct vyre_slot *slot, vyre_status status, const struct vyre_result *r)
{
	uint32_t a = slot->args[0], b = slot->args[1];
	const uint32_t *w = r->words;
	if (slot->opcode == FAILS)
		return status == VYRE_FAULT && r->fault_detail == a;
	if (status != VYRE_OK || w[1] != (a ^ b))
		return false;
	if (slot->opcode == WIDE)
		return w[2] == a * 2 * LANES && w[11] == LANES;
	return w[0] == a + 2 && w[2] == b && w[3] == a * b && w[5] == a - b && w[11] == ~a;
}

static void take(struct publisher *p, const struct vyre_slot *slot, vyre_ticket ticket)
{
	struct vyre_result result = {0};
	vyre_status status = vyre_wait(p->ring, ticket, UINT64_C(60000000000), &result);
	if (is_right(slot, status, &result))
		return;
	if (p->wrong++ < 5)
		printf("op 0x%x of %u and %u: status %d, words %u %u %u %u\n", slot->opcode, slot->args[0],
		       slot->args[1], status, result.words[0], result.words[1], result.words[2], result.words[3]);
}

/* Keeps up to AHEAD slots in flight (a ticket holds its place until it is taken); now and then it lets the ring run empty. */
static void *publish(void *user)
{
	struct publisher *p = user;
	struct vyre_slot slots[AHEAD];
	vyre_ticket tickets[AHEAD];
	struct vyre_publisher *publisher;
	uint64_t random = p->seed * 0x9e3779b97f4a7c15u + 1;
	unsigned taken = 0;
	if (vyre_publisher_create(p->ring, 0, &publisher) != VYRE_OK) {
		p->wrong = 1;
		return NULL;
	}
	for (unsigned i = 0; i < p->slots && p->wrong < 100; i++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		struct vyre_slot *slot = &slots[i % AHEAD];
		*slot = (struct vyre_slot){.opcode = random % 16 == 0  ? FAILS
						     : random % 8 == 1 ? WIDE
								       : MIX,
					   .priority = VYRE_PRIORITY_NORMAL,
					   .arg_count = 2,
					   .args = {(uint32_t)(random >> 8) | 1, (uint32_t)(random >> 40)}};
		if (vyre_publish(publisher, slot, 1, VYRE_PUBLISH_WAIT, UINT64_C(60000000000), &tickets[i % AHEAD]) !=
		    VYRE_OK) {
			printf("publish: %s\n", vyre_last_error());
			p->wrong++;
			break;
		}
		unsigned ahead = random >> 50 & 63 ? AHEAD - 1 : 0;
		for (; i + 1 - taken > ahead; taken++)
			take(p, &slots[taken % AHEAD], tickets[taken % AHEAD]);
	}
	for (; taken < p->slots && !p->wrong; taken++)
		take(p, &slots[taken % AHEAD], tickets[taken % AHEAD]);
	vyre_publisher_destroy(publisher);
	return NULL;
}

static bool set_plan(uint64_t seed)
{
	void (*plan)(const char *) = NULL;
	void *standin = dlopen("libcuda.so.1", RTLD_NOW);
	char words[64];
	if (standin)
		*(void **)&plan = dlsym(standin, "standin_plan");
	if (!plan)
		return false;
	snprintf(words, sizeof words, "system=1,careful=1,late=1,seed=%u", (unsigned)seed);
	plan(words);
	return true;
}

/* Everything between a kernel and its ring, and back. */
static bool run(struct cpu_run *cuda, unsigned slots, uint64_t seed, unsigned *wrong)
{
	struct publisher publishers[PUBLISHERS];
	vyre_buffer counts = 0;
	struct vyre_kernel *kernel = NULL;
	struct vyre_ring *ring = NULL;
	uint32_t count = 0;
	bool ok = vyre_buffer_create(cuda->on.device, 64, &counts) == VYRE_OK;
	const struct vyre_binding binding = {"counts", counts};
	const struct vyre_kernel_params kernel_params = {cuda->on.blob, "busy", &binding, 1};
	ok = ok && vyre_kernel_create(cuda->on.device, &kernel_params, &kernel) == VYRE_OK;
	const struct vyre_ring_params ring_params = {.kernel = kernel, .slots = 64, .workers = 3};
	ok = ok && vyre_ring_create(&ring_params, &ring) == VYRE_OK;
	for (unsigned i = 0; i < PUBLISHERS && ok; i++) {
		publishers[i] = (struct publisher){.ring = ring, .seed = seed + i, .slots = slots / PUBLISHERS};
		ok = !pthread_create(&publishers[i].thread, NULL, publish, &publishers[i]);
	}
	for (unsigned i = 0; i < PUBLISHERS && ok; i++) {
		pthread_join(publishers[i].thread, NULL);
		*wrong += publishers[i].wrong;
	}
	ok = ok && vyre_ring_stop(ring, 0, UINT64_C(60000000000)) == VYRE_OK &&
	     vyre_buffer_read(cuda->on.device, counts, 0, &count, sizeof count) == VYRE_OK;
	if (!ok)
		printf("%s\n", vyre_last_error());
	if (ok && count != slots / PUBLISHERS * PUBLISHERS && ++*wrong)
		printf("%u slots have run, not %u\n", count, slots);
	vyre_ring_destroy(ring);
	vyre_kernel_destroy(kernel);
	(void)vyre_buffer_destroy(cuda->on.device, counts);
	return ok;
}

int main(int argc, char **argv)
{
	const char *given = getenv("VYRE_SEED");
	unsigned slots = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 10000, wrong = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : given ? strtoull(given, NULL, 0) : 1;
	const struct cpu_run_options options = {.level = 2, .target = "sm_90", .device = "cuda", .lanes = LANES};
	struct vyrec_module *module = cpu_run_read(text, seed);
	struct cpu_run cuda;
	printf("%u slots from seed %u\n", slots, (unsigned)seed);
	if (!module || !set_plan(seed)) {
		printf("no module, or libcuda.so.1 is not the stand-in\n");
		vyrec_module_destroy(module);
		return 1;
	}
	bool ok = cpu_run_open(&cuda, module, &options);
	if (!ok)
		printf("%s\n", cuda.message);
	ok = ok && run(&cuda, slots, seed, &wrong);
	cpu_run_close(&cuda);
	vyrec_module_destroy(module);
	printf("%u wrong\n", wrong);
	return !ok || wrong != 0;
}
