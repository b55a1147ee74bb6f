/* device_rows.h - what the rows of one device know of each other. */
#ifndef VYRE_BENCH_DEVICE_ROWS_H
#define VYRE_BENCH_DEVICE_ROWS_H
#include "device.h"

struct bench_device {
	const struct bench_floor_fns *fns;
	struct bench_floor *floor;
	struct bench_session session;
};
/* Medians that one group leaves for another, 0 where a row failed or was not asked for. */
struct bench_found {
	double launch_seconds[4]; /* by enum bench_launch, one item */
	double trip_seconds;	  /* of the largest ring */
	double read_rate;	  /* bytes a second, in place */
	bool has_no_device;	  /* it did not open: one row says so, not one a group */
};
struct bench_found *bench_found(void);

/* Rows that are measured together, in a process of their own (apart.c); run has an open device. */
struct bench_group {
	const char *name;
	void (*run)(struct bench_device *d);
};
void bench_run_apart(const struct bench_group *group);
/* All of them, or those that --only names. */
void bench_run_groups(const struct bench_group *groups, unsigned count);
unsigned bench_groups_ran(void); /* since the program began */
/* What must not be asked in this process. */
bool bench_ask_apart(bool (*question)(void));

/* False, and a row that says so. */
bool bench_device_open(struct bench_device *d);
void bench_device_close(struct bench_device *d);
/* A row of ours against a launch; goal: whether less (BENCH_AT_MOST, seconds) or more (BENCH_AT_LEAST, their inverse) is
 * better. Nothing where one of them failed. */
void bench_against(const char *name, const char *unit, double scale, enum bench_launch how,
		   double seconds, int goal);
double *bench_seconds(unsigned count); /* or the end */
/* Of a ring, as vyre_ring_params has them. */
unsigned bench_ring_workers(unsigned on_cpu);

/* device_rate.c: slots a second by handler and number of publishers. */
void bench_rates(struct bench_device *d);

#endif
