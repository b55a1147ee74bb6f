/* grow.h - what generators of random text share: the text, the dice, and the locals that are visible at its end. */
#ifndef VYRE_TESTS_GROW_H
#define VYRE_TESTS_GROW_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "ir/ir.h"
#include "tests/differential/generate.h"

enum { GROW_LOCALS = 64 };

struct grow_local {
	char name[12];
	vyrec_type type;
	bool assignable;
	bool uniform; /* the same in all lanes */
};

struct grow {
	FILE *out;
	uint64_t rng;
	unsigned indent;
	unsigned most_locals; /* at most GROW_LOCALS; one that has no room takes the place of the last */
	unsigned local_count, names;
	struct grow_local locals[GROW_LOCALS];
};

static inline unsigned below(struct grow *t, unsigned n)
{
	return (unsigned)(generate_next(&t->rng) % n);
}

static inline bool chance(struct grow *t, unsigned percent)
{
	return below(t, 100) < percent;
}

__attribute__((format(printf, 2, 3))) static inline void put(struct grow *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(t->out, format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static inline void line(struct grow *t, const char *format, ...)
{
	va_list args;
	fprintf(t->out, "%*s", (int)(2 * t->indent), "");
	va_start(args, format);
	vfprintf(t->out, format, args);
	va_end(args);
}

/* `v`, and the next number. */
static inline struct grow_local *declare(struct grow *t, vyrec_type type, bool assignable, bool uniform)
{
	struct grow_local *l = &t->locals[t->local_count < t->most_locals ? t->local_count++ : t->most_locals];
	*l = (struct grow_local){.type = type, .assignable = assignable, .uniform = uniform};
	snprintf(l->name, sizeof l->name, "v%u", t->names++);
	return l;
}

/* The name of any local of the type; false: there is none. */
static inline bool put_local(struct grow *t, vyrec_type type, bool uniform)
{
	unsigned start = t->local_count ? below(t, t->local_count) : 0;
	for (unsigned i = 0; i < t->local_count; i++) {
		const struct grow_local *l = &t->locals[(start + i) % t->local_count];
		if (l->type == type && (l->uniform || !uniform)) {
			put(t, "%s", l->name);
			return true;
		}
	}
	return false;
}

#endif
