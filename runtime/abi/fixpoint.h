/* fixpoint.h - what a kernel of the shape `fixpoint` tells: the words of its buffer `report`. */
#ifndef VYRE_ABI_FIXPOINT_H
#define VYRE_ABI_FIXPOINT_H

#define VYRE_REPORT_FIELDS(X) \
	X(ROUNDS,  0, "rounds that were run, mod 2^32") \
	X(OUTCOME, 1, "VYRE_REPORT_*: why it ended") \
	X(FAULT,   2, "the first fault of the op: VYRE_FAULT_*; 0 = none") \
	X(DETAIL,  3, "its detail") \
	X(ARRIVED, 4, "the kernel's own; zero before and after a launch") \
	X(LEFT,    5, "likewise")
#define VYRE_REPORT_OUTCOME_LIST(X) \
	X(RUNNING,   0, "the round limit came first") \
	X(CONVERGED, 1, "the last round changed nothing") \
	X(FAULTED,   2, "the op faulted")

enum {
#define X(name, word, text) VYRE_REPORT_##name = word,
	VYRE_REPORT_FIELDS(X)
#undef X
#define X(name, value, text) VYRE_REPORT_##name = value,
	VYRE_REPORT_OUTCOME_LIST(X)
#undef X
	VYRE_REPORT_WORDS = 8,
};

#endif
