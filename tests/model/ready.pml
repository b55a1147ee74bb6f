/* ready.pml - the rings of slot indices in the queue: ring_push and ring_pop of passes/mega/queue.vyre.
 *
 * In: two workers; as many records as the ring has cells. Each holds a record at first, pushes what it holds and pops
 * what it finds, TURNS times, up to two entries at once. Out: every interleaving. Who pops a record owns it, so a record
 * that is pushed while it lies in the ring, or is popped by two, is an assertion; one that is lost is too, in the end.
 */
#ifndef TURNS
#define TURNS 3
#endif
#define CELLS 2
#define NOBODY 2
#define FULL(p) (((p) / CELLS) * CELLS + 1)

byte head, tail;
byte serial[CELLS], slot[CELLS];
byte holder[CELLS]; /* of each record: the worker, or NOBODY while it lies in the ring */
byte finished;

inline push(record)
{
	atomic {
		assert(holder[record] == me);
		holder[record] = NOBODY
	};
#ifdef M_TAIL_NOT_ATOMIC
	atomic { position = tail };
	atomic { tail = position + 1 };
#else
	atomic { position = tail; tail++ };
#endif
#ifdef M_SERIAL_FIRST
	atomic { serial[position % CELLS] = FULL(position) };
	atomic { slot[position % CELLS] = record; position = 0 }
#else
	atomic { slot[position % CELLS] = record };
#ifdef M_SERIAL_WITHOUT_LAP
	atomic { serial[position % CELLS] = 1; position = 0 }
#else
	atomic { serial[position % CELLS] = FULL(position); position = 0 }
#endif
#endif
}

#ifdef M_SERIAL_WITHOUT_LAP
#define IS_FULL(p) (serial[(p) % CELLS] == 1)
#else
#define IS_FULL(p) (serial[(p) % CELLS] == FULL(p))
#endif

inline take(record)
{
	assert(holder[record] == NOBODY);
	holder[record] = me
}

proctype worker(byte me)
{
	byte turn, position, at, found, first, second, k;

	do
	:: turn == TURNS -> break
	:: turn < TURNS ->
		k = 0;
		do
		:: k < CELLS && holder[k] == me -> push(k); k++
		:: k < CELLS && holder[k] != me -> k++
		:: k == CELLS -> k = 0; break
		od;
		/* up to two entries are read, then claimed by one exchange of HEAD */
		atomic { at = head };
		if
		:: atomic { IS_FULL(at) -> found = 1 };
#ifndef M_SLOT_READ_LATE
			atomic { first = slot[at % CELLS] };
#endif
			if
			:: atomic { IS_FULL(at + 1) -> found = 2 };
#ifndef M_SLOT_READ_LATE
				atomic { second = slot[(at + 1) % CELLS] };
#endif
			:: atomic { !IS_FULL(at + 1) -> skip }
			:: atomic { skip } /* asks for one */
			fi
		:: atomic { !IS_FULL(at) -> skip }
		fi;
		if
		:: found == 0 -> skip
		:: found != 0 ->
#ifdef M_SLOT_READ_LATE
			if
			:: atomic { head == at -> head = at + found };
				atomic { first = slot[at % CELLS] };
				atomic { take(first) };
				if
				:: found == 2 -> atomic { second = slot[(at + 1) % CELLS] }; atomic { take(second) }
				:: found == 1 -> skip
				fi
			:: atomic { head != at -> skip }
			fi
#else
			if
#ifdef M_HEAD_STORED
			:: atomic {
				head = at + found;
#else
			:: atomic { head != at -> skip }
			:: atomic {
				head == at ->
				head = at + found;
#endif
				assert(head <= tail);
				take(first);
				if
				:: found == 2 -> take(second)
				:: else -> skip
				fi
			}
			fi
#endif
		fi;
		atomic { found = 0; at = 0; first = 0; second = 0; turn++ }
	od;
	finished++
}

/* Nothing lost: what nobody holds lies in the ring, in full cells. */
proctype over()
{
	byte p;

	atomic {
		finished == 2 ->
		assert(tail - head == (holder[0] == NOBODY) + (holder[1] == NOBODY));
		p = head;
		do
		:: p == tail -> break
		:: else -> assert(IS_FULL(p) && holder[slot[p % CELLS]] == NOBODY); p++
		od
	}
}

init {
	atomic {
		holder[0] = 0;
		holder[1] = 1;
		run worker(0);
		run worker(1);
		run over()
	}
}
