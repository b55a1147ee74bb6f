/* device_rows.h - what the rows of one device know of each other. */
#ifndef VYRE_BENCH_DEVICE_ROWS_H
#define VYRE_BENCH_DEVICE_ROWS_H
#include "device.h"

struct bench_device {
	const struct bench_floor_fns *fns;
	struct bench_floor *floor;
	struct bench_session session;
	/* Medians, 0 where a row failed. */
	double launch_seconds[4]; /* by enum bench_launch, one item */
	double trip_seconds;	  /* of the largest ring */
	double read_rate;	  /* bytes a second, in place */
};
/* False, and a row that says so. */
bool bench_device_open(struct bench_device *d);
void bench_device_close(struct bench_device *d);
/* A row of ours against a launch; goal: whether less (BENCH_AT_MOST, seconds) or more (BENCH_AT_LEAST, their inverse) is
 * better. Nothing where one of them failed. */
void bench_against(struct bench_device *d, const char *name, const char *unit, double scale, enum bench_launch how,
		   double seconds, int goal);
double *bench_seconds(unsigned count); /* or the end */

/* device_rate.c: slots a second by handler and number of publishers. */
void bench_rates(struct bench_device *d);

#endif
