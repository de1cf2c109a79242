/* pipeline.pml - pipeline.h: no event is seen whose command is not journaled.
 *
 *   commands ─┬─▶ journal ── B2 cursor ─────────────────────▶ 3 journaled ─┐
 *             └─▶ match ── 1 begun, 2 head ──▶ events ──▶ 1 head, 2 begun ─┴▶ subscriber
 *
 * Modelled: match says how far it may go (begun), writes events, hands them over (head), moves on;
 * commands cause one event or two, and what does not fit goes out in pieces. The journal appends
 * one or two commands, then moves its cursor. The subscriber looks at the head and the journal,
 * then at begun; it keeps head and begun, and lets the events before that head out as soon as the
 * journal has come to that begun. At the end match closes the events and the journal says that it
 * has ended. Cursors wrap at 16 and start just before that, those of events elsewhere.
 *
 * Left out: weak memory (begun rides on the release of head), the slots' own protocol (spsc.pml),
 * the sequencer's (sequencer.pml), credit, failing stages. Commands come one by one, at any time.
 *
 * Proved, over every interleaving:
 *   only_what_is_journaled  an event is let out when its command has been appended, never before
 *   as_soon_as_journaled    no command begun later keeps back what was there before
 *   in_order                all events of all commands, in order, each once
 *   complete                who is told that all has ended has received everything
 *   no invalid end state    nobody waits for ever
 *   no cycle                every step brings the end nearer
 *
 * check: pass
 * check: no-cycle -DCOMMANDS=2
 * check: fail only_what_is_journaled -DBROKEN_BEGUN_AFTER_HEAD
 * check: fail only_what_is_journaled -DBROKEN_BEGUN_LOOKED_AT_FIRST
 * check: fail only_what_is_journaled -DBROKEN_CURSOR_FOR_BEGUN
 * check: fail only_what_is_journaled -DBROKEN_CURSOR_BEFORE_APPEND
 * check: fail as_soon_as_journaled -DBROKEN_LOOKED_AT_ANEW
 * check: fail in_order -DBROKEN_REST_DROPPED
 * check: fail complete -DBROKEN_END_LOOKED_FOR_LAST
 */
#include "cursors.inc"
#define CAPACITY 2 /* of the event ring */
#define FIRST (WRAP - 2)
#define FIRST_EVENT (WRAP - 3)
#ifndef COMMANDS
#define COMMANDS 3
#endif
#define LAST plus(FIRST, COMMANDS)

byte pushed = FIRST; /* commands before it are in the sequencer */
byte journal_cursor = FIRST, match_cursor = FIRST;
byte begun = FIRST;
byte head = FIRST_EVENT, tail = FIRST_EVENT;
byte event[CAPACITY]; /* whose it is: cursor * 2, plus one for its command's last */
bool events_closed, journal_ended;

byte appended = FIRST; /* for the claims alone: what is really in the journal */
bool only_what_is_journaled = true, as_soon_as_journaled = true, in_order = true, complete = true;

#define reached(cursor, goal) (minus(cursor, goal) < HALF)

active proctype gateway()
{
    do
    :: pushed != LAST -> pushed = plus(pushed, 1)
    :: else -> break
    od
}

inline peek() /* `until`: one command or two, if there are */
{
    pushed != mine;
    until = plus(mine, 1);
    if
    :: pushed != until -> until = plus(mine, 2)
    :: skip
    fi
}

active proctype journal()
{
    byte mine = FIRST, until;
    do
    :: mine != LAST ->
        peek();
#ifdef BROKEN_CURSOR_BEFORE_APPEND
        journal_cursor = until;
        appended = until;
#else
        appended = until;
        journal_cursor = until; /* B2 */
#endif
        mine = until
    :: else -> break
    od;
    journal_ended = true
}

inline commit() /* P2 */
{
    head = at;
#ifdef BROKEN_BEGUN_AFTER_HEAD
    begun = until
#endif
}

active proctype match()
{
    byte mine = FIRST, until, at = FIRST_EVENT, events;
    do
    :: mine != LAST ->
        peek();
        minus(head, tail) < CAPACITY; /* spsc_wait_space */
#ifndef BROKEN_BEGUN_AFTER_HEAD
        begun = until;
#endif
        do /* apply: one command, and perhaps the next */
        :: mine != until ->
            if
            :: events = 1
            :: events = 2
            fi;
            do
            :: events > 0 ->
                if
                :: minus(at, tail) == CAPACITY -> /* the rest through the spill buffer */
#ifdef BROKEN_REST_DROPPED
                    break
#else
                    commit();
                    minus(at, tail) < CAPACITY
#endif
                :: else
                fi;
                event[slot(at)] = mine * 2 + (events == 1);
                at = plus(at, 1);
                events--
            :: else -> break
            od;
            mine = plus(mine, 1);
            if
            :: break /* its events would not fit */
            :: skip
            fi
        :: else -> break
        od;
        if
        :: head != at -> commit()
        :: else
        fi;
        match_cursor = mine
    :: else -> break
    od;
    events_closed = true
}

inline look() /* look_for_events */
{
#ifdef BROKEN_BEGUN_LOOKED_AT_FIRST
    bound = begun;
#endif
    seen = head; /* C1 */
    journaled = journal_cursor; /* B3 */
    do
    :: visible != seen ->
        if
        :: pending == visible ->
            pending = seen;
#if defined(BROKEN_BEGUN_LOOKED_AT_FIRST)
            pending_begun = bound
#elif defined(BROKEN_CURSOR_FOR_BEGUN)
            pending_begun = match_cursor
#else
            pending_begun = begun
#endif
        :: else
        fi;
#ifdef BROKEN_LOOKED_AT_ANEW
        bound = begun;
        if
        :: reached(journaled, bound) -> visible = seen; pending = seen
        :: else -> break
        fi
#else
        if
        :: reached(journaled, pending_begun) -> visible = pending
        :: else -> break
        fi
#endif
    :: else -> break
    od;
    always(as_soon_as_journaled, pending == visible || !reached(journaled, pending_begun));
    journaled = 0;
    bound = 0
}

inline look_for_the_end() { over = events_closed; over = over && journal_ended }

active proctype subscriber()
{
    byte visible = FIRST_EVENT, pending = FIRST_EVENT, pending_begun = FIRST;
    byte seen, bound, journaled, expected = FIRST;
    bool over;
    do
    :: true ->
#ifdef BROKEN_END_LOOKED_FOR_LAST
        look();
        look_for_the_end();
#else
        look_for_the_end();
        look();
#endif
        if
        :: visible == tail && over -> break
        :: visible == tail && !over -> /* until a look would find something */
            (pending == visible && head != visible) ||
            (pending != visible && reached(journal_cursor, pending_begun)) ||
            (events_closed && journal_ended)
        :: else
        fi;
        do
        :: tail != visible ->
            atomic {
                always(only_what_is_journaled, reached(appended, plus(event[slot(tail)] / 2, 1)));
                always(in_order, event[slot(tail)] / 2 == expected);
                expected = plus(expected, event[slot(tail)] % 2);
                tail = plus(tail, 1)
            }
        :: else -> break
        od
    od;
    always(complete, tail == head);
    always(in_order, expected == LAST)
}
