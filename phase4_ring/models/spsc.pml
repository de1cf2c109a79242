/* spsc.pml - spsc_ring.h: one producer, one consumer, one ring.
 *
 *   producer ── P2 head ──▶ slots ◀── C2 tail ── consumer
 *
 * Modelled: every access to head, tail and closed is a step of its own; writing a slot takes two
 * steps and so does reading one, so that a torn record shows. Both sides keep a copy of the other's
 * cursor. Claims and peeks of one or two slots, cut short at the lap's end; part of a claim is
 * committed, once nothing of it; part of a peek is released, and the rest is read again. Cursors
 * wrap at 16, and start two before. The producer closes the ring behind its last item.
 *
 * Left out: weak memory (README.md says what covers it), parking (park.pml), processes. A wait is
 * a guard that blocks until a look would find something.
 *
 * Proved, over every interleaving:
 *   read_what_is_written   a slot is read only when it is wholly written and handed over
 *   write_what_is_free     a slot is written only when the consumer has given it back
 *   in_order               items arrive in order, none lost, none twice
 *   complete               who is told "closed and empty" has had every item
 *   no invalid end state   nobody waits for ever
 *   no cycle               every step brings the end nearer: no search for luck
 *
 * check: pass -DCAPACITY=2
 * check: pass -DCAPACITY=4
 * check: no-cycle -DCAPACITY=2
 * check: fail read_what_is_written -DBROKEN_HEAD_BEFORE_WRITE
 * check: fail write_what_is_free -DBROKEN_TAIL_BEFORE_READ
 * check: fail write_what_is_free -DBROKEN_ONE_TOO_MANY
 * check: fail invalid-end-state -DBROKEN_CURSORS_COMPARED
 * check: fail in_order -DBROKEN_RELEASED_UNREAD
 * check: fail complete -DBROKEN_CLOSED_ASKED_LAST
 */
#include "cursors.inc"
#ifndef CAPACITY
#define CAPACITY 2
#endif
#define START (WRAP - 2)
#define ITEMS (CAPACITY + 3)

#ifdef BROKEN_ONE_TOO_MANY
#define room(head, tail) (CAPACITY + 1 - minus(head, tail))
#else
#define room(head, tail) (CAPACITY - minus(head, tail))
#endif
#ifdef BROKEN_CURSORS_COMPARED
#define full(head, tail) ((head) > (tail) -> (head) - (tail) : 0)
#else
#define full(head, tail) minus(head, tail)
#endif

byte head = START; /* items committed */
byte tail = START; /* items released */
bool closed;
byte item[CAPACITY];

/* What a slot is going through: for the claims alone, nobody decides by it. */
mtype = {FREE, WRITING, WRITTEN, COMMITTED, READING, READ}
mtype state[CAPACITY] = FREE;
bool read_what_is_written = true, write_what_is_free = true, in_order = true, complete = true;

inline write_slots() /* the claimed slots, from `head` on */
{
    i = 0;
    do
    :: i < granted ->
        atomic {
            at = slot(mine + i);
            always(write_what_is_free, state[at] == FREE || state[at] == WRITTEN);
            state[at] = WRITING
        }
        atomic {
            item[at] = next + i;
            state[at] = WRITTEN;
            at = 0;
            i++
        }
    :: else -> i = 0; break
    od
}

inline commit() /* P2; what is done to `state` stands for the meaning of head */
{
    atomic {
        head = plus(mine, count);
        do
        :: i < count ->
            state[slot(mine + i)] =
                (state[slot(mine + i)] == WRITTEN -> COMMITTED : state[slot(mine + i)]);
            i++
        :: else -> i = 0; break
        od
    }
}

active proctype producer()
{
    byte tail_seen = START, next = 1;
    byte mine, wanted, granted, count, i, at;
    bool wasted;
    do
    :: next > ITEMS -> break
    :: else ->
        atomic {
            mine = head; /* its own */
            if
            :: wanted = 1
            :: next < ITEMS -> wanted = 2
            fi
        }
        if
        :: room(mine, tail_seen) < wanted -> tail_seen = tail /* P1 */
        :: else
        fi;
        atomic {
            granted = smaller(wanted, room(mine, tail_seen));
            granted = smaller(granted, CAPACITY - slot(mine));
            wanted = 0
        }
        if
        :: granted == 0 -> room(head, tail) > 0 /* wait_space */
        :: else ->
            atomic {
                if
                :: count = granted
                :: granted == 2 -> count = 1
                :: !wasted -> wasted = true; count = 0
                fi
            }
#ifdef BROKEN_HEAD_BEFORE_WRITE
            commit();
            write_slots();
#else
            write_slots();
            commit();
#endif
            atomic { next = next + count; count = 0 }
        fi
    od;
    closed = true
}

inline read_slots() /* the peeked slots, from `tail` on */
{
    i = 0;
    do
    :: i < found ->
        atomic {
            at = slot(mine + i);
            always(read_what_is_written, state[at] == COMMITTED || state[at] == READ);
            state[at] = READING
        }
        atomic {
            always(in_order, item[at] == expected + i);
            state[at] = READ;
            at = 0;
            i++
        }
    :: else -> i = 0; break
    od
}

inline release() /* C2 */
{
    atomic {
#ifdef BROKEN_RELEASED_UNREAD
        tail = plus(mine, found);
#else
        tail = plus(mine, count);
#endif
        do
        :: i < count ->
            state[slot(mine + i)] =
                (state[slot(mine + i)] == READ -> FREE : state[slot(mine + i)]);
            i++
        :: else -> i = 0; break
        od
    }
}

active proctype consumer()
{
    byte head_seen = START, expected = 1;
    byte mine, wanted, found, count, i, at;
    bool ended;
    do
    :: atomic {
            mine = tail; /* its own */
            if
            :: wanted = 1
            :: wanted = 2
            fi
        }
        if
        :: full(head_seen, mine) < wanted -> head_seen = head /* C1 */
        :: else
        fi;
        atomic {
            found = smaller(wanted, full(head_seen, mine));
            found = smaller(found, CAPACITY - slot(mine));
            wanted = 0
        }
        if
        :: found > 0 ->
            atomic {
                count = found;
                if
                :: found == 2 -> count = 1
                :: true
                fi
            }
#ifdef BROKEN_TAIL_BEFORE_READ
            release();
            read_slots();
#else
            read_slots();
            release();
#endif
            atomic { expected = expected + count; count = 0 }
        :: else -> /* wait_items */
#ifdef BROKEN_CLOSED_ASKED_LAST
            head_seen = head;
            ended = closed;
#else
            ended = closed;
            head_seen = head;
#endif
            if
            :: head_seen != mine -> ended = false
            :: head_seen == mine && ended -> break
            :: else -> full(head, tail) > 0 || closed
            fi
        fi
    od;
    always(complete, expected == ITEMS + 1)
}
