/* ring.pml - the slot protocol of the live feed, one step for every access to a word that others write.
 *
 * In: a configuration (configurations), as macros: what is published by whom, which other parties there are. Out: every
 * interleaving of two publishers, two workers and those parties, on a ring of two places. Memory is sequentially
 * consistent here; that the orders in the text are enough for that is the matter of handshakes.litmus.
 *
 * Processes and the text that they follow
 *   publisher   runtime/publish.c: attempt, write_batch, commit          worker   device/cpu_ring.c: work, sleep_until_rung
 *   waiter      runtime/wait.c: vyre_ring_wait_until                              and the kernel: passes/mega/live.vyre
 *   masker      runtime/ring.c: vyre_ring_set_tenant                     stopper  runtime/ring.c: stop_workers
 * A futex: a sleeper is asleep from the step that finds the word unmoved until somebody wakes it; a wake-up of one takes
 * any one sleeper. Whether a word has moved since a thread read it is a bit per reader, so no counter grows.
 * Nobody looks again after a time, as the loader's threads do: a wake-up that only a clock repairs is an error here. A
 * worker leaves at its first idle turn. Assertions say what must hold; that somebody waits for ever is an invalid end
 * state: a thread of the host for its slot, or the last process, `over`, for all slots to end.
 *
 * M_* macros are mutants: a mistake each, which must make a configuration fail.
 */
#ifndef N
#define N 3 /* slots that are published, in all */
#endif
#ifndef FIRST
#define FIRST 2 /* of them by publisher 0: slots 0 .. FIRST-1 */
#endif
#ifndef PLACES
#define PLACES 2
#endif
#ifndef TAKE
#define TAKE 1 /* most places that a worker takes at once */
#endif
#ifndef MASKED_FROM
#define MASKED_FROM N /* slots from this one on are of a tenant that may not run at first */
#endif
#define MASKED(id) ((id) >= MASKED_FROM)
#ifndef TICKET_OF
#define TICKET_OF N /* the slot that has a ticket, for a waiter */
#endif
#define TICKETED(id) ((id) == TICKET_OF)
#ifndef LONG_FROM
#define LONG_FROM N /* slots from this one on run until the host has seen the end of the one with the ticket */
#endif

#define PLAIN 0

/* STATUS */
#define EMPTY 0
#define PUBLISHED 1
#define CLAIMED 2
#define DONE 3
#define WAIT_IO 4
#define YIELD 5
#define REQUEUE 6
#define FAULT 7
#define HAS_ENDED(s) ((s) == DONE || (s) == FAULT || (s) == EMPTY)

#define FREE 0
#define TICKET 1
#define DETACHED 2

/* words of the host */
byte tail, stop, config;
bool may_run;	/* the masked tenant's mask */
byte notify;
byte owner[PLACES];
/* words of the device */
byte head, retired, away, parked;
byte status[PLACES];
byte what[PLACES]; /* the slot's words: which of the N it is */
/* the loader's own */
bool lock, closed;
bool rung;
#ifdef BELL
bool bell_moved[2], asleep[2]; /* by worker */
#endif
byte running = 2;
bool armed;
/* what must hold, seen from outside */
bool effect[N], ran[N], ended[N], cancelled[N];
byte published, done; /* slots; done: STATUS stored */
byte ticket;	      /* place + 1 of the slot that has a ticket, once its publisher has it; GONE: there will be none */
#define GONE 255
bool seen; /* the host has seen its slot end */

#define IS_PLACE_FREE(p) (owner[p] == FREE || (owner[p] == DETACHED && HAS_ENDED(status[p])))

/* device/cpu_ring.c: vyre_cpu_ring_wake. all: whatever `rung` was.
 *
 * With BELL, as it stands there: the exchange of rung, the bell, the futex. Without, what the configurations with BELL show
 * of it: after a ring, a worker that has counted itself in AWAY, or counts itself before it next looks, calls again; one
 * suffices. Fewer wake-ups than the loader makes: what is not lost here is not lost there. */
inline ring_wake(all)
{
#ifdef BELL
	if
	:: atomic { rung && !(all) -> skip }
	:: atomic { !rung || (all) -> rung = 1 };
#ifndef M_BELL_STAYS
		atomic {
			bell_moved[0] = 1;
			bell_moved[1] = 1
		};
#endif
		if
		:: atomic { (all) -> asleep[0] = 0; asleep[1] = 0 }
		:: atomic { !(all) && asleep[0] -> asleep[0] = 0 }
		:: atomic { !(all) && asleep[1] -> asleep[1] = 0 }
		:: atomic { !(all) && !asleep[0] && !asleep[1] -> skip }
		fi
	fi
#else
	atomic { rung = 1 }
#endif
}

#ifdef WAITERS
bool event_moved[WAITERS], host_asleep[WAITERS];
#endif

/* wait.c: vyre_ring_notify */
inline ring_notify()
{
#ifdef WAITERS
	if
	:: atomic { !armed -> skip }
	:: atomic { armed -> armed = 0 };
		d_step {
			i = 0;
			do
			:: i < WAITERS -> event_moved[i] = 1; i++
			:: else -> break
			od;
			i = 0
		};
		d_step {
			do
			:: i < WAITERS -> host_asleep[i] = 0; i++
			:: else -> break
			od;
			i = 0
		}
	fi
#endif
	skip
}

/* wait.c: vyre_ring_wait_until, without the spinning and without time; `condition` is the last look before sleeping */
inline wait_until(me, condition)
{
	atomic { notify++ };
	do
	:: atomic { event_moved[me] = 0 }; /* reads event */
		atomic { armed = 1 };
		if
		:: atomic { (condition) -> break }
		:: atomic { !(condition) -> skip }
		fi;
		/* the futex: sleeps only if the word has not moved */
		if
		:: atomic { event_moved[me] -> skip }
		:: atomic { !event_moved[me] -> host_asleep[me] = 1 };
			atomic { !host_asleep[me] -> skip }
		fi
	od;
	atomic { event_moved[me] = 1; notify-- }
}

/* ---- publishers -------------------------------------------------------------------------------------------------- */

/* The lock: taking it moves right and giving it back moves left past the steps of others, so each is one with its
 * neighbour. Places that are free stay so while it is held. Until STATUS is stored nobody reads a free place's words. */
proctype publisher(byte id; byte end)
{
	byte cursor;

	do
	:: id == end -> break
	:: id < end ->
		if
#ifdef STOP2
		:: atomic { /* VYRE_STOPPED */
			closed && !lock ->
			if
			:: TICKET_OF >= id && TICKET_OF < end -> ticket = GONE
			:: else -> skip
			fi;
			break
		}
#endif
		:: atomic {
			!lock && !closed && tail < head + PLACES &&
			(IS_PLACE_FREE(tail % PLACES) || (tail + 1 < head + PLACES && IS_PLACE_FREE((tail + 1) % PLACES))) ->
			lock = 1;
			cursor = tail;
			if
			:: IS_PLACE_FREE(cursor % PLACES) -> skip
			:: else -> cursor++ /* passed over: an empty position below TAIL */
			fi;
			status[cursor % PLACES] = EMPTY;
			what[cursor % PLACES] = id;
			owner[cursor % PLACES] = (TICKETED(id) -> TICKET : DETACHED)
		}
		fi;
		atomic { status[cursor % PLACES] = PUBLISHED; published++ };
		atomic {
			tail = cursor + 1;
			if
			:: TICKETED(id) -> ticket = cursor % PLACES + 1
			:: else -> skip
			fi;
			cursor = 0;
			lock = 0;
			id++
		};
#ifndef M_AWAY_NOT_READ
		if
		:: atomic { away == 0 -> skip }
		:: atomic { away != 0 -> skip };
			ring_wake(0)
		fi
#endif
	od
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

/* mega/run.vyre: run_claimed. The place is CLAIMED by this worker. */
inline run_claimed(p)
{
	atomic {
		id = what[p];
		assert(!ran[id] && !cancelled[id]);
		ran[id] = 1;
#ifndef M_EFFECT_LATE
		effect[id] = 1
#endif
	};
#ifdef M_RETIRED_FIRST
	atomic { retired++ };
#endif
#ifdef M_NOTIFY_READ_EARLY
	atomic { told = (notify != 0) };
#endif
#if LONG_FROM < N
	if
	:: atomic { id < LONG_FROM -> skip }
	:: atomic { id >= LONG_FROM && seen -> skip }
	fi;
#endif
#ifdef M_EFFECT_LATE
	atomic { status[p] = DONE; done++; ended[id] = 1 };
	atomic { effect[id] = 1; id = 0 };
#else
	atomic { status[p] = DONE; done++; ended[id] = 1; id = 0 };
#endif
	count++
}

proctype worker(byte me)
{
	byte epoch = 0, first, count, id, i, place;
	byte taken;
	bool scan, left, seen_stop1;
#ifdef M_NOTIFY_READ_EARLY
	bool told;
#endif

calls:	/* cpu_ring.c: work */
#ifdef STOP2
	if
	:: atomic { stop == 2 -> goto leaves }
	:: atomic { stop != 2 -> skip }
	fi;
#endif

turn:	/* mega/live.vyre: one turn of the loop */
#if defined(STOP1) || defined(STOP2)
	if
	:: atomic { stop == 2 -> goto returns }
	:: atomic { stop != 2 -> seen_stop1 = (stop == 1) }
	fi;
#endif
#ifdef MASKS
#ifndef M_EPOCH_NOT_READ
	atomic {
		if
		:: config != epoch -> epoch = config; scan = 1
		:: else
		fi
	};
#endif
	if
	:: atomic { scan && parked == 0 -> scan = 0 }
	:: atomic { scan && parked != 0 -> place = 0 };
		do
		:: atomic { place == PLACES -> place = 0; break }
		:: atomic { place < PLACES && status[place] != REQUEUE -> place++ }
		:: atomic { place < PLACES && status[place] == REQUEUE -> skip };
			/* the tenant's mask, before the exchange */
			if
			:: atomic { MASKED(what[place]) && !may_run -> place++ }
			:: atomic { !(MASKED(what[place]) && !may_run) -> skip };
				if
				:: atomic { status[place] != REQUEUE -> place++ }
				:: atomic { status[place] == REQUEUE -> status[place] = CLAIMED };
					/* and after it, of the slot that was claimed */
					if
					:: atomic { MASKED(what[place]) && !may_run -> status[place] = REQUEUE; place++ }
					:: atomic { !(MASKED(what[place]) && !may_run) -> assert(parked > 0); parked-- };
						run_claimed(place);
						atomic { place++ }
					fi
				fi
			fi
		od;
		atomic { scan = 0; goto batch_ended }
	:: atomic { !scan -> skip }
	fi;
#endif
	/* fresh positions: HEAD, then STATUS at HEAD, then TAIL */
	atomic { first = head };
	if
	:: atomic { status[first % PLACES] == PUBLISHED -> taken = 1 }
	:: atomic { status[first % PLACES] != PUBLISHED -> taken = 0 }
	fi;
	if
	:: atomic { tail <= first -> skip }
	:: atomic { tail > first -> taken = 1 };
#if TAKE > 1
		if
		:: atomic { tail > first + 1 -> taken = 2 }
		:: atomic { skip }
		fi;
#endif
#ifdef M_TAKES_TOO_MANY
		atomic { taken = 2 };
#endif
		if
		:: atomic { head != first -> taken = 0; first = 0; goto turn }
		:: atomic { head == first -> head = first + taken; assert(head <= tail) }
		fi;
		goto batch
	fi;
	if
	:: atomic { taken != 0 -> skip };
#ifdef M_EARLY_MOVES_HEAD
		/* the mistake that ring.h tells of */
		if
		:: atomic { head != first -> taken = 0; first = 0; goto turn }
		:: atomic { head == first -> head = first + 1 }
		fi;
#endif
		goto batch
	:: atomic { taken == 0 -> skip }
	fi;
#ifdef STOP1
	if
	:: atomic { seen_stop1 -> first = 0; goto returns }
	:: atomic { !seen_stop1 -> skip }
	fi;
#endif

	/* idle: counts itself, then looks again at everything that can make work appear */
#ifndef M_LEAVES_BEFORE_COUNTING
	atomic { away++ };
#endif
#ifndef M_TAIL_NOT_READ_AGAIN
	if
	:: atomic { tail != first -> goto stays }
	:: atomic { tail == first -> skip }
	fi;
#endif
	if
	:: atomic { head != first -> goto stays }
	:: atomic { head == first -> skip }
	fi;
#if defined(MASKS) && !defined(M_EPOCH_NOT_READ_AGAIN)
	if
	:: atomic { config != epoch -> goto stays }
	:: atomic { config == epoch -> skip }
	fi;
#endif
#if defined(STOP1) || defined(STOP2)
	if
	:: atomic { stop != 0 -> goto stays }
	:: atomic { stop == 0 -> skip }
	fi;
#endif
	atomic { left = 1; first = 0 };
#ifdef M_LEAVES_BEFORE_COUNTING
	atomic { away++ };
#endif
	goto returns;
stays:	atomic { first = 0; away--; goto turn };

batch:
	place = 0;
	do
	:: atomic { place == taken -> place = 0; taken = 0; first = 0; break }
	:: atomic { place < taken -> skip };
#ifdef M_CLAIM_WITHOUT_EXCHANGE
		if
		:: atomic { status[(first + place) % PLACES] != PUBLISHED -> place++; goto next }
		:: atomic { status[(first + place) % PLACES] == PUBLISHED -> skip }
		fi;
		atomic { status[(first + place) % PLACES] = CLAIMED };
#else
		if
		:: atomic { status[(first + place) % PLACES] != PUBLISHED -> place++; goto next }
		:: atomic { status[(first + place) % PLACES] == PUBLISHED -> status[(first + place) % PLACES] = CLAIMED }
		fi;
#endif
#ifdef MASKS
		if
		:: atomic { MASKED(what[(first + place) % PLACES]) && !may_run -> skip };
#ifdef M_PARK_COUNTS_LATE
			atomic { status[(first + place) % PLACES] = REQUEUE };
			atomic { parked++; place++ };
#else
			atomic { parked++ };
#ifdef M_EPOCH_READ_WHEN_PARKING
			atomic { epoch = config };
#endif
			atomic { status[(first + place) % PLACES] = REQUEUE; place++ };
#endif
			goto next
		:: atomic { !(MASKED(what[(first + place) % PLACES]) && !may_run) -> skip }
		fi;
#endif
		run_claimed((first + place) % PLACES);
		atomic { place++ };
next:		skip
	od;

batch_ended:
	if
	:: atomic { count == 0 -> goto turn }
	:: atomic { count != 0 -> skip }
	fi;
	atomic {
#ifndef M_RETIRED_FIRST
		retired = retired + count;
#endif
		count = 0;
		assert(retired <= done)
	};
#ifdef M_NOTIFY_READ_EARLY
	if
	:: atomic { told -> told = 0; goto returns }
	:: atomic { !told -> goto turn }
	fi;
#else
	if
	:: atomic { notify != 0 -> goto returns }
	:: atomic { notify == 0 -> goto turn }
	fi;
#endif

returns: /* cpu_ring.c: work, sleep_until_rung */
#ifndef M_NO_NOTIFY
	if
	:: atomic { notify == 0 -> skip }
	:: atomic { notify != 0 -> skip };
		ring_notify()
	fi;
#endif
#ifdef STOP1
	if
	:: atomic { seen_stop1 && !left -> goto leaves }
	:: atomic { !(seen_stop1 && !left) -> skip }
	fi;
#endif
#ifndef BELL
	if
	:: atomic { !left -> goto calls }
	:: atomic { left -> left = 0 }
	fi;
end_rests:
	if
#ifdef STOP2
	:: atomic { stop == 2 -> away-- }
#endif
	:: atomic { rung -> rung = 0; away-- }
	fi;
#else
	if
	:: atomic { !left -> goto calls }
#ifdef M_RUNG_BEFORE_BELL
	:: atomic { left -> left = 0 }
	fi;
	if
	:: atomic { rung -> rung = 0 }
	:: atomic { !rung -> skip };
		atomic { bell_moved[me] = 0 };
#else
	:: atomic { left -> left = 0; bell_moved[me] = 0 } /* reads the bell */
	fi;
	if
	:: atomic { rung -> rung = 0 }
	:: atomic { !rung -> skip };
#endif
		do
		:: atomic { bell_moved[me] -> break }
#ifdef STOP2
		:: atomic { !bell_moved[me] && stop == 2 -> break }
		:: atomic { !bell_moved[me] && stop != 2 -> skip };
			if
			:: atomic { bell_moved[me] -> skip }
			:: atomic { !bell_moved[me] -> asleep[me] = 1 };
end_asleep:			atomic { !asleep[me] -> skip }
			fi
#else
		:: atomic { !bell_moved[me] -> asleep[me] = 1 };
end_asleep:		atomic { !asleep[me] -> skip }
#endif
		od;
		atomic { rung = 0 }
	fi;
	if
	:: atomic { away == 1 -> away = 0; bell_moved[me] = 1; goto calls }
	:: atomic { away != 1 -> away--; bell_moved[me] = 1 } /* one value while nobody reads it */
	fi;
	if
	:: atomic { tail > head + 1 -> skip }; ring_wake(0)
	:: atomic { tail <= head + 1 -> skip }
	fi;
#endif
	goto calls;

leaves:
	atomic { running-- };
	ring_notify()
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

#ifdef MASKS
#ifndef CHANGES
#define CHANGES 1 /* odd: the tenant may run in the end */
#endif
proctype masker()
{
	byte turn = 0;

	do
	:: turn == CHANGES -> break
	:: else ->
#ifdef M_EPOCH_BEFORE_MASK
		atomic { config++ };
		atomic { may_run = !may_run };
#else
		atomic { may_run = !may_run };
		atomic { config++ };
#endif
		if
		:: atomic { away == 0 -> skip }
		:: atomic { away != 0 -> skip };
			ring_wake(1)
		fi;
		turn++
	od
}
#endif

#ifdef WAITERS
/* Waits for the one slot that has a ticket. */
proctype waiter(byte me; byte id)
{
	byte place;

	atomic { ticket != 0 -> place = ticket - 1; ticket = 0 };
	if
	:: place == GONE - 1 -> goto gone
	:: else -> skip
	fi;
	wait_until(me, HAS_ENDED(status[place]));
	atomic {
		assert(what[place] == id);
		assert(effect[id] || cancelled[id]);
		owner[place] = FREE;
		seen = 1
	};
gone:	skip
}
#endif

#ifdef STOP2
inline cancel_unclaimed()
{
	atomic { !lock -> lock = 1 };
	do
	:: atomic { place == PLACES -> place = 0; break }
	:: atomic { place < PLACES && status[place] != PUBLISHED && status[place] != REQUEUE -> place++ }
	:: atomic {
		place < PLACES && (status[place] == PUBLISHED || status[place] == REQUEUE) ->
		was_parked = (status[place] == REQUEUE);
		status[place] = EMPTY;
		cancelled[what[place]] = 1;
		count++;
		done++
	};
		atomic { if :: was_parked -> parked-- :: else fi; was_parked = 0; place++ }
	od;
	atomic { retired = retired + count; count = 0; assert(retired <= done) };
	atomic { lock = 0 };
	ring_notify()
}

/* Any time: without drain. */
proctype stopper()
{
	byte place, count, i;
	bool was_parked;

	atomic { !lock -> lock = 1 };
	atomic { closed = 1; lock = 0 };
	ring_notify();
	atomic { stop = 2 };
#ifndef M_STOP_RINGS_NOT
	ring_wake(1);
#endif
	cancel_unclaimed();
	wait_until(WAITERS - 1, running == 0);
	cancel_unclaimed();
	assert(status[0] != PUBLISHED && status[0] != REQUEUE && status[0] != CLAIMED);
	assert(status[1] != PUBLISHED && status[1] != REQUEUE && status[1] != CLAIMED)
}
#endif

#ifdef STOP1
/* Drain and leave. No thread of the loader looks at STOP 1 while it sleeps, and one ring of the bell is for one worker:
 * whoever uses it (tests, dispatches) rings until all have left. */
proctype stopper()
{
	published == N && !lock;
	atomic { stop = 1 };
	do
	:: running == 0 -> break
	:: away != 0 && !rung -> ring_wake(1)
	od
}
#endif

/* The last word: everything that was published has ended, once. */
proctype over()
{
#if defined(STOP2)
	(running == 0 && closed && retired == published && !lock);
#elif defined(STOP1)
	running == 0;
	assert(retired + parked == N);
#else
	retired == N;
	assert(parked == 0);
	assert(published == N);
#endif
	assert(done + parked == published);
	assert(status[0] != CLAIMED && status[1] != CLAIMED)
}

init {
	atomic {
#ifdef BELL
		bell_moved[0] = 1;
		bell_moved[1] = 1;
#endif
#ifdef WAITERS
		byte w = 0;
		do
		:: w < WAITERS -> event_moved[w] = 1; w++
		:: else -> w = 0; break
		od;
#endif
		run worker(0);
		run worker(1);
		run publisher(0, FIRST);
#if FIRST < N
		run publisher(FIRST, N);
#endif
#ifdef MASKS
		run masker();
#endif
#if TICKET_OF < N
		run waiter(0, TICKET_OF);
#endif
#if defined(STOP1) || defined(STOP2)
		run stopper();
#endif
		run over()
	}
}
