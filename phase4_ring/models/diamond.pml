/* diamond.pml - sequencer.h: consumers that come after others.
 *
 *                        ┌▶ 0 journal ─┐ B2
 *   producer ─▶ slots ───┤             ├──▶ B3 ─▶ 2 publish ── B2 ──▶ S1 the gate
 *                        └▶ 1 match ───┘ B2
 *
 * Modelled: every load and store of a cursor and of a slot's sequence is a step of its own. Journal
 * and match look at the slots, publish only at their two cursors; each remembers how far it has
 * seen, takes one or two commands at a time, and moves its cursor when it is done with them. The
 * gate is publish's cursor alone, for nobody comes after it. Cursors wrap at 16, just before the
 * end of the first lap.
 *
 * Left out: weak memory (README.md), parking (park.pml), several producers (sequencer.pml). A wait
 * is a guard that blocks until a look would find something.
 *
 * Proved, over every interleaving:
 *   publish_comes_last    publish takes a command only when journal and match are both done with it
 *   write_what_is_free    a slot is written only when all three have read what it held
 *   read_what_is_written  a slot is read only when the command of this very cursor is in it
 *   no invalid end state  all three see every command, and nobody waits for ever
 *   no cycle              every step brings the end nearer
 *
 * check: pass
 * check: no-cycle
 * check: fail publish_comes_last -DBROKEN_AFTER_ONE_OF_TWO
 * check: fail publish_comes_last -DBROKEN_AFTER_THE_FASTEST
 * check: fail publish_comes_last -DBROKEN_CURSOR_BEFORE_WORK
 * check: fail write_what_is_free -DBROKEN_GATE_ON_MATCH
 * check: fail read_what_is_written -DBROKEN_STAMP_BEFORE_BODY
 */
#include "cursors.inc"
#define CAPACITY 2
#define START (WRAP - 1)
#define COMMANDS 4
#define JOURNAL 0
#define MATCH 1
#define PUBLISH 2
#define END plus(START, COMMANDS)
#ifdef BROKEN_GATE_ON_MATCH
#define GATE MATCH
#else
#define GATE PUBLISH
#endif

byte sequence[CAPACITY];
byte cursor[3] = START;

/* For the claims alone: how far each has really got, and whose command a slot holds. */
byte worked[3] = START;
byte holds[CAPACITY]; /* the cursor plus one; 0 while it is written */
bool publish_comes_last = true, write_what_is_free = true, read_what_is_written = true;

#define published(c) (sequence[slot(c)] == plus(c, 1))
#define is_read(c, n) (minus(worked[n], plus(c, 1)) < HALF)

proctype producer()
{
    byte next = START, gate_seen = START;
    do
    :: next != END ->
        if
        :: minus(next, gate_seen) == CAPACITY ->
            minus(next, cursor[GATE]) < CAPACITY;
            gate_seen = cursor[GATE] /* S1 */
        :: else
        fi;
        atomic {
            always(write_what_is_free, minus(next, START) < CAPACITY ||
                   (is_read(next - CAPACITY, JOURNAL) && is_read(next - CAPACITY, MATCH) &&
                    is_read(next - CAPACITY, PUBLISH)));
            holds[slot(next)] = 0
        }
#ifdef BROKEN_STAMP_BEFORE_BODY
        sequence[slot(next)] = plus(next, 1);
        holds[slot(next)] = plus(next, 1);
#else
        holds[slot(next)] = plus(next, 1);
        sequence[slot(next)] = plus(next, 1); /* S3 */
#endif
        next = plus(next, 1)
    :: else -> break
    od
}

inline work() /* on the commands from `mine` to before `until` */
{
    i = mine;
    do
    :: i != until ->
        atomic {
            always(read_what_is_written, holds[slot(i)] == plus(i, 1));
            always(publish_comes_last, me != PUBLISH || (is_read(i, JOURNAL) && is_read(i, MATCH)))
        }
        atomic {
            always(read_what_is_written, holds[slot(i)] == plus(i, 1));
            i = plus(i, 1);
            worked[me] = i
        }
    :: else -> i = 0; break
    od
}

inline work_and_advance() /* on one command or two */
{
    until = plus(mine, 1);
    if
    :: minus(ready_seen, mine) > 1 -> until = plus(mine, 2)
    :: skip
    fi;
#ifdef BROKEN_CURSOR_BEFORE_WORK
    cursor[me] = until;
    work();
#else
    work();
    cursor[me] = until; /* B2 */
#endif
    mine = until
}

proctype after_nobody(byte me) /* journal, match */
{
    byte mine = START, ready_seen = START, until, i;
    do
    :: mine != END ->
        do /* published_until: B1, slot by slot */
        :: minus(ready_seen, mine) < 2 && ready_seen != END ->
            if
            :: published(ready_seen) -> ready_seen = plus(ready_seen, 1)
            :: else -> break
            fi
        :: else -> break
        od;
        if
        :: ready_seen != mine -> work_and_advance()
        :: else -> published(mine) /* sequencer_wait */
        fi
    :: else -> break
    od
}

proctype after_both(byte me) /* publish */
{
    byte mine = START, ready_seen = START, until, i, other;
    do
    :: mine != END ->
        if
        :: minus(ready_seen, mine) < 2 -> /* passed_until: B3, one cursor after the other */
            ready_seen = cursor[JOURNAL];
#ifndef BROKEN_AFTER_ONE_OF_TWO
            other = cursor[MATCH];
#ifdef BROKEN_AFTER_THE_FASTEST
            ready_seen = (minus(other, mine) > minus(ready_seen, mine) -> other : ready_seen);
#else
            ready_seen = (minus(other, mine) < minus(ready_seen, mine) -> other : ready_seen);
#endif
            other = 0
#endif
        :: else
        fi;
        if
        :: ready_seen != mine -> work_and_advance()
        :: else -> cursor[JOURNAL] != mine && cursor[MATCH] != mine /* sequencer_wait */
        fi
    :: else -> break
    od
}

init
{
    atomic {
        sequence[slot(START)] = plus(START, 1 - CAPACITY); /* as if a lap earlier */
        sequence[slot(START + 1)] = plus(START, 2 - CAPACITY);
        run producer();
        run after_nobody(JOURNAL);
        run after_nobody(MATCH);
        run after_both(PUBLISH)
    }
}
