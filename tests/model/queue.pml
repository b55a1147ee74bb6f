/* queue.pml - the live feed with a queue: slots that yield, pause, load, fence, spawn, are masked, cancelled.
 *
 * Follows passes/mega/live_queue.vyre, mega/queue_wait.vyre, mega/queue_io.vyre and mega/records.vyre as ring.pml follows
 * the plain feed; how positions, AWAY and the bell work is checked there, how a ring of indices works in ready.pml: here a
 * ring is a queue that is pushed and popped in one step, and after a ring of the bell one worker that is away calls again.
 * A turn begins with any of the three sources (the kernel goes round). After a batch the kernel may return and be called
 * again (it does for NOTIFY and for what it asked the host; not with STAYS): what is not in its launch record is lost.
 * ONE_START: every turn begins with the positions. ALL_PUBLISHED: before the workers start. NEVER: masks are not lifted
 * and requests not served, so that only a cancel can end what waits for them.
 */
#ifndef N
#define N 2
#endif
#ifndef FIRST
#define FIRST N
#endif
#define PLACES 2
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef K0
#define K0 PLAIN
#endif
#ifndef K1
#define K1 PLAIN
#endif
#ifndef K2
#define K2 PLAIN
#endif
#define KIND(id) ((id) == 0 -> K0 : ((id) == 1 -> K1 : ((id) == 2 -> K2 : PLAIN)))
#ifndef MASKED_FROM
#define MASKED_FROM N
#endif
#ifndef CANCELS
#define CANCELS 0 /* commands that take slot 0 back */
#endif
#if defined(FENCE_ANY) || defined(IO_ANY)
#define HOLDS
#endif
#ifdef SPAWNS_ANY
#define RECORDS 3
#define IDS (N + 1) /* the last: the slot that is spawned */
#else
#define RECORDS PLACES
#define IDS N
#endif

/* What slots do: one effect at the end, and before it */
#define PLAIN 0
#define YIELDS 1
#define PAUSES 2 /* until a fence has completed */
#define LOADS 3
#define FENCES 4 /* the place before it */
#define MOVES 7	 /* a fence of no places: moves EPOCH at once */
#define LOADS_PAUSES 8
#define LOADS_MOVES 9
#define JOINS 5	 /* spawns, and goes on when that one has retired */
#define SPAWNS 6 /* spawns and ends */

/* STATUS */
#define EMPTY 0
#define PUBLISHED 1
#define CLAIMED 2
#define DONE 3
#define WAIT_IO 4
#define REQUEUE 6
#define CANCELLING 8 /* in flight, asked to end: instead of any of those from CLAIMED on */
#define HAS_ENDED(s) ((s) == DONE || (s) == EMPTY)
/* RECORD_WAIT */
#define NOTHING 0
#define EPOCH 1
#define IO 2
#define CHILDREN 3
#define FENCE 4
#define END 5
#define ENTRY 6
/* io entry */
#define IO_FREE 0
#define IO_TAKEN 1
#define IO_PUBLISHED 2
#define IO_OK 3

/* words of the host */
byte tail, config, io_done, command;
bool may_run, held; /* held: the place of the command may not be used again */
byte command_arg;
/* words of the device */
byte head, retired, away, parked, waiting, epoch_word, paused, taken, command_done;
byte status[RECORDS], what[RECORDS];
chan ready = [RECORDS] of {byte};
chan masked = [RECORDS] of {byte};
chan limited = [RECORDS] of {byte};
/* records */
bit point[RECORDS], cancel[RECORDS];
byte wait[RECORDS], until[RECORDS], children[RECORDS], parent[RECORDS];
#define WAITS 128
/* one io entry */
byte entry, note;
bool asked; /* the service has been told */
/* the loader's own */
bool lock, rung;
/* seen from outside */
bool begun[IDS], ended[IDS], landed[IDS], cancelled[IDS];
byte published;

#define MASKED(id) ((id) >= MASKED_FROM && (id) < N)
#define IS_FREE(p) (HAS_ENDED(status[p]) && !(held && command_arg == (p)))
/* hold.c: the place before a fence in flight */
#ifdef M_FENCE_HOLDS_NOT
#define IS_FENCED(p) 0
#else
#define IS_FENCED(p) (what[1 - (p)] < N && KIND(what[1 - (p)]) == FENCES && !HAS_ENDED(status[1 - (p)]) && published > 0)
#endif

inline ring_bell() { atomic { rung = 1 } }

proctype publisher(byte id; byte end)
{
	byte at;

	do
	:: id == end -> break
	:: id < end ->
		atomic {
			!lock && tail < head + PLACES && IS_FREE(tail % PLACES) && !IS_FENCED(tail % PLACES) ->
			lock = 1;
			at = tail % PLACES;
			status[at] = EMPTY;
			what[at] = id
		};
		atomic { status[at] = PUBLISHED; published++ };
		atomic { tail++; lock = 0; id++ };
		if
		:: atomic { away == 0 -> skip }
		:: atomic { away != 0 -> rung = 1 }
		fi
	od
}

/* ---- waiting: mega/queue_wait.vyre -------------------------------------------------------------------------------- */

/* From CLAIMED; what has been asked to end meanwhile stays CANCELLING. */
inline slot_leave(s, to)
{
#ifdef M_LEAVES_BY_STORE
	atomic { status[s] = to }
#else
	atomic { status[s] = (status[s] == CLAIMED -> to : status[s]) }
#endif
}

inline park_slot(s)
{
	slot_leave(s, WAIT_IO);
	atomic { waiting++ }
}

/* A slot of ours may go on: shown to others, in a ready ring, before the next look and after every batch. */
inline ready_push(s) { atomic { assert(!(pending >> s & 1)); pending = pending | (1 << s) } }
inline push_pending()
{
	do
	:: pending & 1 -> atomic { assert(len(ready) < RECORDS); ready!0; pending = pending - 1 }
	:: pending & 2 -> atomic { assert(len(ready) < RECORDS); ready!1; pending = pending - 2 }
	:: pending & 4 -> atomic { assert(len(ready) < RECORDS); ready!2; pending = pending - 4 }
	:: pending == 0 -> break
	od
}

/* The caller has won it. */
inline ready_slot(s)
{
	atomic {
		assert(status[s] == WAIT_IO || status[s] == CANCELLING);
		status[s] = (status[s] == WAIT_IO -> CLAIMED : CANCELLING);
		assert(!(pending >> s & 1));
		pending = pending | (1 << s)
	};
	atomic { assert(waiting > 0); waiting-- }
}

#define HAS_COME(s) (epoch_word >= until[s] || status[s] == CANCELLING)

inline wake_paused(s)
{
	do
	:: atomic { wait[s] != EPOCH -> break }
	:: atomic { wait[s] == EPOCH -> skip };
		if
		:: atomic { !HAS_COME(s) -> break }
		:: atomic { HAS_COME(s) -> skip }
		fi;
#ifdef M_WOKEN_BY_STORE
		atomic { wait[s] = NOTHING };
#else
		if
		:: atomic { wait[s] != EPOCH -> break }
		:: atomic { wait[s] == EPOCH -> wait[s] = NOTHING }
		fi;
#endif
		if
		:: atomic { HAS_COME(s) -> paused-- };
			ready_slot(s);
			break
		:: atomic { !HAS_COME(s) -> skip };
			atomic { wait[s] = EPOCH }
		fi
	od
}

inline pause_slot(s)
{
	if
	:: atomic { HAS_COME(s) -> skip };
		ready_push(s)
	:: atomic { !HAS_COME(s) -> skip };
		park_slot(s);
		atomic { paused++ };
		atomic { wait[s] = EPOCH };
#ifndef M_EPOCH_NOT_READ_AGAIN
		wake_paused(s)
#endif
	fi
}

inline epoch_moved()
{
	atomic { w = 0 };
	do
	:: atomic { w == RECORDS -> w = 0; break }
	:: atomic { w < RECORDS && paused == 0 -> w = 0; break }
	:: atomic { w < RECORDS && paused != 0 -> skip };
		wake_paused(w);
		atomic { w++ }
	od
}

/* ---- io: mega/queue_io.vyre; one entry ---------------------------------------------------------------------------- */

inline ask_host(s)
{
	if
	:: atomic { entry != IO_FREE -> wait[s] = ENTRY; parked++ };
		slot_leave(s, REQUEUE);
		atomic { limited!s };
#ifndef M_ENTRY_NOT_LOOKED_AT
		if
		:: atomic { entry == IO_FREE -> held_again = 1 }
		:: atomic { entry != IO_FREE -> skip }
		fi;
#endif
		held_in_vain(s)
	:: atomic { entry == IO_FREE -> entry = IO_TAKEN; note = s };
		park_slot(s);
#ifdef M_PUBLISHED_BEFORE_WAIT
		atomic { entry = IO_PUBLISHED; asked = 1 };
		atomic { wait[s] = IO }
#else
		atomic { wait[s] = IO };
		if
		:: atomic { status[s] != CANCELLING -> skip };
			atomic { entry = IO_PUBLISHED; asked = 1 }
		:: atomic { status[s] == CANCELLING && wait[s] == IO -> wait[s] = NOTHING };
			atomic { entry = IO_FREE; held_again = 1 };
			ready_slot(s)
		:: atomic { status[s] == CANCELLING && wait[s] != IO -> skip };
			atomic { entry = IO_PUBLISHED; asked = 1 }
		fi
#endif
	fi
}

inline io_completed()
{
	if
	:: atomic { entry != IO_OK -> skip }
	:: atomic { entry == IO_OK -> entry = IO_TAKEN; w = note };
		if
		:: atomic { wait[w] == IO -> wait[w] = NOTHING };
			atomic { entry = IO_FREE };
			ready_slot(w)
		:: atomic { wait[w] != IO -> skip };
			atomic { entry = IO_FREE }
		fi;
		atomic { w = 0 }
	fi
}

/* ---- run_claimed: mega/run.vyre ----------------------------------------------------------------------------------- */

/* It has been asked to end while it was being held back: the canceller may have looked before it lay in the ring. */
inline held_in_vain(s)
{
#if CANCELS && !defined(M_HELD_IN_VAIN)
	if
	:: atomic { status[s] == CANCELLING -> held_again = 1 }
	:: atomic { status[s] != CANCELLING -> skip }
	fi
#else
	skip
#endif
}

/* count: slots of the ring that retired. The slot's record goes before its STATUS. */
inline retire_slot(s)
{
	atomic {
		id = what[s];
		assert(!ended[id]);
		ended[id] = 1;
		child = parent[s];
		point[s] = 0;
		wait[s] = NOTHING;
		until[s] = 0;
		children[s] = 0;
		parent[s] = 0;
		cancel[s] = 0
	};
	atomic { status[s] = DONE; id = 0 };
	if
	:: s < PLACES -> count++
	:: else
	fi
}

/* After a batch: what this worker has done is shown to others. */
inline settle()
{
#ifdef SPAWNS_ANY
	if
	:: atomic { child == 0 -> skip }
	:: atomic { child != 0 && children[child - 1] != WAITS + 1 -> children[child - 1]--; child = 0 }
	:: atomic { child != 0 && children[child - 1] == WAITS + 1 -> children[child - 1] = 0; w = child - 1; child = 0 };
		ready_slot(w);
		w = 0
	fi;
#endif
#ifndef M_NOT_PUSHED
	push_pending()
#else
	skip
#endif
}

inline wait_for_children(s)
{
#ifdef M_WAITS_BEFORE_PARKED
	atomic { children[s] = children[s] + WAITS };
	park_slot(s);
	if
	:: atomic { children[s] == WAITS -> children[s] = 0 };
		ready_slot(s)
	:: atomic { children[s] != WAITS -> skip }
	fi
#else
	park_slot(s);
	if
	:: atomic { children[s] == 0 -> skip };
		ready_slot(s)
	:: atomic { children[s] != 0 -> children[s] = children[s] + WAITS }
	fi
#endif
}

/* The child may be pushed, run and counted as ended before the parent adds it: the number is below 0 then. */
inline spawn(s)
{
	atomic {
		assert(!ended[N]);
		what[PLACES] = N;
		status[PLACES] = CLAIMED;
		parent[PLACES] = s + 1;
		pending = pending | (1 << PLACES)
	};
	if
	:: push_pending() /* there are many */
	:: skip
	fi;
#ifndef M_CHILD_NOT_COUNTED
	atomic { children[s]++ }
#else
	skip
#endif
}

inline run_claimed(s)
{
	if
	/* The mark of a cancel is set by the claim that finds CANCELLING. */
	:: atomic { cancel[s] && wait[s] != END -> assert(what[s] == 0); cancelled[0] = 1 };
		if
		:: atomic { children[s] == 0 -> skip };
			retire_slot(s)
		:: atomic { children[s] != 0 -> wait[s] = END };
			wait_for_children(s)
		fi
	:: atomic { wait[s] == END -> assert(children[s] == 0) };
		retire_slot(s)
	:: atomic {
		!cancel[s] && wait[s] != END ->
		kind = KIND(what[s])
	};
		if
		:: kind == YIELDS && !point[s] ->
			atomic { point[s] = 1 };
			ready_push(s)
		:: kind == PAUSES && !point[s] ->
			atomic { until[s] = 1; point[s] = 1 };
			pause_slot(s)
		:: (kind == LOADS || kind == LOADS_PAUSES || kind == LOADS_MOVES) && (!point[s] || wait[s] == ENTRY) ->
			atomic { point[s] = 1 };
			ask_host(s)
		:: kind == LOADS_PAUSES && point[s] && wait[s] != ENTRY && until[s] == 0 ->
			atomic { until[s] = 1 };
			pause_slot(s)
		:: kind == FENCES || kind == MOVES || (kind == LOADS_MOVES && point[s] && wait[s] != ENTRY) ->
			if
			:: atomic { kind == FENCES && !HAS_ENDED(status[1 - s]) -> wait[s] = FENCE };
				atomic { parked++ };
				slot_leave(s, REQUEUE);
				atomic { limited!s };
				held_in_vain(s)
			:: atomic {
				kind != FENCES || HAS_ENDED(status[1 - s]) ->
				assert(kind != FENCES || what[s] == 0 || ended[what[s] - 1]);
				epoch_word++
			};
#ifdef M_EPOCH_WAKES_NOBODY
				skip;
#else
				epoch_moved();
#endif
				retire_slot(s)
			fi
		:: kind == JOINS && !point[s] ->
			point[s] = 1;
			spawn(s);
			atomic { wait[s] = CHILDREN };
			wait_for_children(s)
		:: kind == SPAWNS ->
			spawn(s);
			if
			:: atomic { children[s] == 0 -> skip };
				retire_slot(s)
			:: atomic { children[s] != 0 -> wait[s] = END };
				wait_for_children(s)
			fi
		:: else ->
			atomic {
				assert(kind != PAUSES || epoch_word >= until[s]);
				assert(kind != LOADS || landed[what[s]]);
#ifdef SPAWNS_ANY
				assert(kind != JOINS || ended[N])
#endif
			};
			retire_slot(s)
		fi
	fi;
	kind = 0
}

proctype worker(byte me)
{
	byte epoch, io_seen, asked_for, looked = 255;	 /* epoch and io_seen: in the launch record */
	byte masked_left, limited_left;
	byte source, turn, first, want, s, w, count, kind, id, child, stale, pending;
	bool took, busy, served, held_again, behind;

#ifdef ALL_PUBLISHED
	tail == N;
#endif
calls:	atomic {
		assert(pending == 0 && child == 0); /* the worker's own words are lost */
#ifndef M_RETURN_FORGETS_MASKED
		/* the launch record stays behind until all that was held back has been looked at */
		if
		:: behind || held_again -> held_again = 1
		:: else
		fi;
#endif
		behind = 0;
		looked = 255;
		masked_left = 0;
		limited_left = 0;
		asked_for = taken
	};

again:	served = 0;
#if CANCELS
	if
	:: atomic { command == asked_for -> skip }
	:: atomic { command != asked_for -> stale = taken }; /* TAKEN, then COMMAND */
		atomic { asked_for = command };
		if
		:: atomic { stale == asked_for || taken != stale -> stale = 0 }
		:: atomic { stale != asked_for && taken == stale -> taken = asked_for; stale = 0; s = command_arg };
			if
			:: atomic { status[s] == PUBLISHED -> status[s] = CLAIMED; assert(what[s] == 0); cancelled[0] = 1 };
				retire_slot(s)
			:: atomic { status[s] != PUBLISHED && HAS_ENDED(status[s]) -> skip }
			:: atomic { status[s] != PUBLISHED && !HAS_ENDED(status[s]) -> status[s] = CANCELLING };
				wake_paused(s);
				if
				:: atomic { wait[s] == IO -> skip };
					if
					:: atomic { status[s] == CANCELLING && wait[s] == IO -> wait[s] = NOTHING };
						ready_slot(s)
					:: atomic { !(status[s] == CANCELLING && wait[s] == IO) -> skip }
					fi
				:: atomic { wait[s] != IO -> skip }
				fi
			fi;
			atomic { held_again = 1 };
			atomic { command_done = asked_for; served = 1; s = 0 }
		fi
	fi;
#endif
#ifdef IO_ANY
	if
	:: atomic { io_done == io_seen -> skip }
	:: atomic { io_done != io_seen -> io_seen = io_done };
		io_completed();
		atomic { limited_left = len(limited) }
	fi;
#endif
#ifdef MASKS
	if
	:: atomic { config == epoch -> skip }
	:: atomic { config != epoch -> epoch = config; held_again = 1 }
	fi;
#endif
#if defined(MASKS) || defined(IO_ANY) || CANCELS
	if
	:: held_again ->
		atomic { masked_left = len(masked); behind = 1; held_again = 0 };
		atomic { limited_left = len(limited) }
	:: else
	fi;
#endif
#if defined(HOLDS) && !defined(M_RETIRED_NOT_COMPARED)
	if
	:: atomic { limited_left != 0 || len(limited) == 0 -> skip }
	:: atomic { limited_left == 0 && len(limited) != 0 -> skip };
		if
		:: atomic { retired == looked -> skip }
		:: atomic { retired != looked -> looked = retired };
			atomic { limited_left = len(limited) }
		fi
	fi;
#endif
#ifndef M_RETURN_FORGETS_MASKED
	atomic { behind = behind && masked_left != 0 };
#endif
	push_pending();
	/* any source first, then the two after it */
	atomic {
		if
		:: source = 0
#ifndef ONE_START
		:: source = 1
#endif
#if !defined(ONE_START) && (defined(MASKS) || defined(HOLDS))
		:: source = 2
#endif
		fi;
		turn = 0;
		busy = 0
	};
	do
	:: atomic { turn == 3 -> turn = 0; source = 0; break }
	:: atomic { turn < 3 && source == 0 -> first = head };
		/* STATUS at HEAD, which may be claimed early; then TAIL */
		if
		:: atomic { status[first % PLACES] == PUBLISHED -> took = 1 }
		:: atomic { status[first % PLACES] != PUBLISHED -> skip }
		fi;
		if
		:: atomic { tail <= first -> skip }
		:: atomic { tail > first -> took = 1 };
			if
			:: atomic { head != first -> took = 0; busy = 1 }
			:: atomic { head == first -> head++ }
			fi
		fi;
		if
		:: atomic { took -> s = first % PLACES; want = PUBLISHED; first = 0; turn = 0; source = 0; took = 0; goto batch }
		:: atomic { !took -> first = 0; source = 1; turn++ }
		fi
	:: atomic { turn < 3 && source == 1 && (len(ready) != 0) -> ready?s; want = CLAIMED; turn = 0; source = 0; goto batch }
	:: atomic { turn < 3 && source == 1 && (len(ready) == 0) -> source = 2; turn++ }
	:: atomic { turn < 3 && source == 2 && masked_left != 0 && (len(masked) != 0) ->
		masked?s; masked_left--; want = REQUEUE; turn = 0; source = 0; goto popped }
	:: atomic { turn < 3 && source == 2 && masked_left != 0 && (len(masked) == 0) -> masked_left = 0; source = 0; turn++ }
	:: atomic { turn < 3 && source == 2 && masked_left == 0 && limited_left != 0 && (len(limited) != 0) ->
		limited?s; limited_left--; want = REQUEUE; turn = 0; source = 0; goto popped }
	:: atomic { turn < 3 && source == 2 && masked_left == 0 && !(limited_left != 0 && (len(limited) != 0)) ->
		limited_left = 0; source = 0; turn++ }
	od;
	if
	:: served -> goto batch_ended
	:: else
	fi;
	if
	:: busy -> goto again
#ifndef M_IDLE_WITH_SOME_LEFT
	:: !busy && (masked_left != 0 || limited_left != 0 || held_again) -> goto again
	:: !busy && masked_left == 0 && limited_left == 0 && !held_again
#else
	:: else
#endif
	fi;
	atomic { first = head };
	atomic { away++ };
	if
	:: atomic { tail != first -> goto stays }
	:: atomic { tail == first -> skip }
	fi;
	if
	:: atomic { head != first -> goto stays }
	:: atomic { head == first -> skip }
	fi;
#ifdef MASKS
	if
	:: atomic { config != epoch -> goto stays }
	:: atomic { config == epoch -> skip }
	fi;
#endif
#if CANCELS && !defined(M_COMMAND_NOT_READ_AGAIN)
	if
	:: atomic { command != asked_for -> goto stays }
	:: atomic { command == asked_for -> skip }
	fi;
#endif
#if defined(IO_ANY) && !defined(M_IO_DONE_NOT_READ_AGAIN)
	if
	:: atomic { io_done != io_seen -> goto stays }
	:: atomic { io_done == io_seen -> skip }
	fi;
#endif
	if
	:: atomic { (len(ready) != 0) -> goto stays }
	:: atomic { (len(ready) == 0) -> skip }
	fi;
#if defined(HOLDS) && !defined(M_RETIRED_NOT_COMPARED)
	if
	:: atomic { (len(limited) != 0) && retired != looked -> goto stays }
	:: atomic { !((len(limited) != 0) && retired != looked) -> skip }
	fi;
#endif
	atomic { first = 0; looked = 255; masked_left = 0; limited_left = 0 };
end_rests:
	atomic { rung -> rung = 0; away-- };
	goto calls;
stays:	atomic { first = 0; away--; goto again };

popped:	atomic { assert(parked > 0); parked-- };
batch:
	if
	:: atomic { status[s] == want ->
		assert(want != CLAIMED || begun[what[s]] || s >= PLACES);
		status[s] = CLAIMED;
		assert(want != PUBLISHED || !begun[what[s]]);
		begun[what[s]] = 1
	}
	:: atomic { status[s] != want -> skip };
		if
		:: atomic { want != PUBLISHED && status[s] == CANCELLING -> status[s] = CLAIMED; cancel[s] = 1 }
		:: atomic { want == PUBLISHED || status[s] != CANCELLING -> assert(want == PUBLISHED); goto batch_ended }
		fi
	fi;
#ifdef MASKS
	if
	:: atomic { MASKED(what[s]) && wait[s] != END && !cancel[s] && !may_run -> skip };
		atomic { parked++ };
		slot_leave(s, REQUEUE);
		atomic { masked!s };
		held_in_vain(s);
		goto batch_ended
	:: atomic { !(MASKED(what[s]) && wait[s] != END && !cancel[s] && !may_run) -> skip }
	fi;
#endif
	run_claimed(s);

batch_ended:
	atomic { s = 0; want = 0; kind = 0; id = 0; w = 0 };
	settle();
	if
	:: atomic { count == 0 && !served -> goto again }
	:: atomic { count != 0 || served -> retired = retired + count; count = 0; served = 0 }
	fi;
#ifdef STAYS
	goto again
#else
	/* NOTIFY may be raised, the host may have been asked */
	if
	:: goto again
	:: goto calls
	fi
#endif
}

#if defined(MASKS) && !defined(NEVER)
proctype masker()
{
	atomic { may_run = 1 };
	atomic { config++ };
	if
	:: atomic { away == 0 -> skip }
	:: atomic { away != 0 -> rung = 1 }
	fi
}
#endif

#if defined(IO_ANY) && !defined(NEVER)
proctype service()
{
end_waits:
	do
	:: atomic { entry == IO_PUBLISHED -> entry = IO_TAKEN };
		atomic { landed[what[note]] = 1 };
#ifdef M_IO_DONE_EARLY
		atomic { io_done++ };
		atomic { entry = IO_OK };
#else
		atomic { entry = IO_OK };
		atomic { io_done++ };
#endif
		if
		:: atomic { away == 0 -> skip }
		:: atomic { away != 0 -> rung = 1 }
		fi
	od
}
#endif

#if CANCELS
/* cancel.c: slot 0 is taken back, as often as there are commands. */
proctype canceller()
{
	byte turn;

	do
	:: turn == CANCELS -> break
	:: turn < CANCELS ->
		if
		:: atomic {
			!lock && published > 0 && (what[0] == 0 || what[1] == 0) && !ended[0] ->
			held = 1;
			command_arg = (what[0] == 0 -> 0 : 1)
		};
			atomic { command++ };
			if
			:: atomic { away == 0 -> skip }
			:: atomic { away != 0 -> rung = 1 }
			fi;
			atomic { command_done == command -> held = 0 }
		:: atomic { ended[0] -> skip }
		fi;
		turn++
	od
}
#endif

proctype over()
{
	atomic {
		retired == N ->
		assert(published == N);
		assert(parked == 0)
	}
}

init {
	atomic {
		byte n = 0;
		do
		:: n < WORKERS -> run worker(n); n++
		:: else -> n = 0; break
		od;
		run publisher(0, FIRST);
#if FIRST < N
		run publisher(FIRST, N);
#endif
#if defined(MASKS) && !defined(NEVER)
		run masker();
#endif
#if defined(IO_ANY) && !defined(NEVER)
		run service();
#endif
#if CANCELS
		run canceller();
#endif
		run over()
	}
}
