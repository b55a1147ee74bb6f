/* litmus_test.c - the memory orders of the hand-shakes between host and device, against the C11 memory model.
 *
 * known.litmus: programs whose verdicts everybody knows; they hold the enumerator to the model. handshakes.litmus,
 * mailbox.litmus and ferry.litmus: ours, each with the outcome that must not be, and for every order that carries weight
 * a twin with a weaker one, which must allow it: so each of these orders is needed, and a program that forbids its
 * outcome for a wrong reason is noticed.
 * The places: each operation's order is the one in the text that it stands for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "litmus.h"

enum { MAX_PROGRAMS = 100 };
static struct litmus programs[MAX_PROGRAMS];
static const char *const ours[] = {"handshakes.litmus", "mailbox.litmus", "ferry.litmus"};
#define OURS (sizeof(ours) / sizeof(ours[0]))

static int read_programs(const char *name)
{
	char path[1024];
	int count;

	snprintf(path, sizeof(path), "%s/tests/model/%s", VYRE_SOURCE_DIR, name);
	count = litmus_read(path, programs, MAX_PROGRAMS);
	assert_true(count > 0);
	return count;
}

/* Twin `index` of a program; 0 = there are no more. *line: of the operation that it weakens. */
static int make_twin(const struct litmus *litmus, int index, struct litmus *twin, int *line)
{
	int i, k, made = 0, joint_is_made = 0;

	for (k = 0; k < litmus->op_count; k++) {
		const struct litmus_op *op = &litmus->ops[k];

		if (op->weak == op->order || (op->is_joint && joint_is_made))
			continue;
		joint_is_made |= op->is_joint;
		if (made++ < index)
			continue;
		*twin = *litmus;
		*line = op->line;
		for (i = k; i < litmus->op_count; i++)
			if (i == k || (op->is_joint && litmus->ops[i].is_joint))
				twin->ops[i].order = litmus->ops[i].weak;
		if (twin->ops[k].order != LITMUS_ORDERS)
			return 1;
		for (i = k; i + 1 < twin->op_count; i++)
			twin->ops[i] = twin->ops[i + 1];
		twin->op_count--;
		return 1;
	}
	return 0;
}

/* Returns how many verdicts differ from what the file says, or programs that need a twin and have none. */
static int check_verdicts(int count, int needs_twins)
{
	int i, k, line, bad = 0;
	struct litmus twin;

	for (i = 0; i < count; i++) {
		const struct litmus *litmus = &programs[i];

		if (litmus_is_allowed(litmus) != litmus->is_allowed) {
			print_error("%s: the outcome is %s\n", litmus->name,
				    litmus->is_allowed ? "forbidden" : "allowed");
			bad++;
		}
		for (k = 0; make_twin(litmus, k, &twin, &line); k++) {
			if (litmus_is_allowed(&twin))
				continue;
			print_error("%s: line %d weakened forbids it still\n", litmus->name, line);
			bad++;
		}
		if (needs_twins && k == 0 && strcmp(litmus->name, "slot-once") != 0) {
			print_error("%s has no twin\n", litmus->name);
			bad++;
		}
	}
	return bad;
}

static void test_known(void **state)
{
	(void)state;
	assert_int_equal(check_verdicts(read_programs("known.litmus"), 0), 0);
}

/* slot-once holds by atomicity alone, whatever the orders. */
static void test_handshakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < OURS; i++)
		assert_int_equal(check_verdicts(read_programs(ours[i]), 1), 0);
}

static int check_places(int count)
{
	int bad = 0, places = 0, i, k;

	for (i = 0; i < count; i++) {
		long after = -1;

		for (k = 0; k < programs[i].op_count; k++) {
			const struct litmus_op *op = &programs[i].ops[k], *last = k ? op - 1 : op;
			char message[1024];

			if (k == 0 || op->thread != last->thread || strcmp(op->file, last->file) != 0 ||
			    strcmp(op->function, last->function) != 0)
				after = -1;
			if (!op->text[0])
				continue;
			places++;
			if (litmus_check_place(VYRE_SOURCE_DIR, op, &after, message, sizeof(message)))
				continue;
			print_error("%s, line %d: %s\n", programs[i].name, op->line, message);
			bad++;
		}
	}
	assert_true(places > count);
	return bad;
}

static void test_places(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < OURS; i++)
		bad += check_places(read_programs(ours[i]));
	assert_int_equal(bad, 0);
}

/* The comparison itself: a wrong order, a wrong function, an operation out of turn. */
static void test_place_refusals(void **state)
{
	struct litmus_op op = {.order = LITMUS_SEQCST,
			       .file = "runtime/publish.c",
			       .function = "commit",
			       .text = "__atomic_store_n(&ring->live[VYRE_LIVE_TAIL]"};
	char message[1024];
	long after = -1;

	(void)state;
	assert_true(litmus_check_place(VYRE_SOURCE_DIR, &op, &after, message, sizeof(message)));
	assert_false(litmus_check_place(VYRE_SOURCE_DIR, &op, &after, message, sizeof(message)));
	assert_non_null(strstr(message, "behind the operation before it"));
	after = -1;
	op.order = LITMUS_RELEASE;
	assert_false(litmus_check_place(VYRE_SOURCE_DIR, &op, &after, message, sizeof(message)));
	assert_non_null(strstr(message, "is seqcst, and the program says release"));
	after = -1;
	strcpy(op.function, "vyre_ring_unlock");
	assert_false(litmus_check_place(VYRE_SOURCE_DIR, &op, &after, message, sizeof(message)));
	strcpy(op.function, "no_such_function");
	assert_false(litmus_check_place(VYRE_SOURCE_DIR, &op, &after, message, sizeof(message)));
	assert_non_null(strstr(message, "no function"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known),
	    cmocka_unit_test(test_handshakes),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_place_refusals),
	};
	return cmocka_run_group_tests_name("litmus", tests, NULL, NULL);
}
