/* sequencer.pml - sequencer.h: producers claim with a compare-and-swap, consumers read in order.
 *
 *   producer 1 ─┐ S2 claimed       ┌▶ consumer 0 ─┐
 *               ├──▶ slots ── S3 ──┤              ├── B2 cursors ──▶ S1 the gate
 *   producer 2 ─┘                  └▶ consumer 1 ─┘
 *
 * Modelled: every access to claimed, to a slot's sequence and to a consumer's cursor is a step of
 * its own; so are writing a command's body and reading it, in two steps each, so that a torn one
 * shows. Each producer pushes two commands, as one run or two, with a copy of the gate and TRIES
 * looks before it is refused; refused, it comes again when there is room, or gives up. Consumers
 * take up to two at a time and remember how far they have seen. Somebody closes the ring: at any
 * moment; with two consumers, which are states enough, when the producers are done. Cursors wrap at
 * 32 and start two before that; a close jumps a quarter of it.
 *
 * Left out: weak memory (README.md), parking (park.pml), intents and deaths (death.pml), consumers
 * that come after others (diamond.pml). A compare-and-swap fails only when it must.
 *
 * Proved, over every interleaving:
 *   write_what_is_free    a slot is written only when every consumer has read what it held
 *   read_what_is_written  a slot is read only when the command of this very cursor is in it
 *   in_order              each producer's commands arrive in its order, each once, none lost
 *   gate_not_ahead        no copy of the gate is ahead of the slowest consumer
 *   nothing_after_the_end no claim succeeds once a consumer was told that the end has come
 *   no invalid end state  nobody waits for ever
 *   no cycle              who repeats a step does so because somebody else got on
 *
 * check: pass -DCONSUMERS=1
 * check: pass -DCONSUMERS=2
 * check: no-cycle -DCONSUMERS=1
 * check: fail write_what_is_free -DBROKEN_NO_GATE -DCONSUMERS=1
 * check: fail gate_not_ahead -DBROKEN_GATE_FROM_CLAIMED -DCONSUMERS=2
 * check: fail gate_not_ahead -DBROKEN_GATE_ON_THE_FASTEST -DCONSUMERS=2
 * check: fail in_order -DBROKEN_CLAIM_WITHOUT_CAS -DCONSUMERS=1
 * check: fail read_what_is_written -DBROKEN_STAMP_BEFORE_BODY -DCONSUMERS=1
 * check: fail read_what_is_written -DBROKEN_READY_WHEN_CLAIMED -DCONSUMERS=1
 * check: fail write_what_is_free -DBROKEN_CURSOR_BEFORE_READ -DCONSUMERS=1
 * check: fail nothing_after_the_end -DBROKEN_CLOSED_BY_A_FLAG -DCONSUMERS=1
 */
#define WRAP 32
#include "cursors.inc"
#define JUMP (WRAP / 4)
#define CAPACITY 2
#define START (WRAP - 2)
#define PRODUCERS 2
#define COMMANDS 2
#define TRIES 1
#ifndef CONSUMERS
#define CONSUMERS 1
#endif

byte claimed = START; /* beyond JUMP: closed */
byte sequence[CAPACITY];
byte cursor[CONSUMERS] = START;
byte body[CAPACITY]; /* producer * 4 + how manieth of its commands */
#ifdef BROKEN_CLOSED_BY_A_FLAG
bool closed;
#define is_closed closed
#define close() closed = true
#define is_end(mine) (closed && claimed == (mine))
#else
#define is_closed (minus(claimed, START) >= JUMP)
#define close() claimed = plus(claimed, JUMP)
#define is_end(mine) (claimed == plus(mine, JUMP))
#endif

/* For the claims alone: */
#define WRITING 255
byte unread[CAPACITY]; /* which consumers have still to read the slot */
byte holds[CAPACITY];  /* whose command is wholly in the slot: its cursor plus one, or WRITING */
bool told;             /* a consumer was told the end */
#if CONSUMERS == 2
byte ended;            /* producers that are done */
#endif
bool write_what_is_free = true, read_what_is_written = true, in_order = true, gate_not_ahead = true;
bool nothing_after_the_end = true;

#define published(c) (sequence[slot(c)] == plus(c, 1))
#define taken minus(next, gate_seen)
#ifdef BROKEN_NO_GATE
#define LIMIT JUMP
#else
#define LIMIT CAPACITY
#endif
#if CONSUMERS == 1
#define slowest cursor[0]
#else
#define slowest (later(cursor[0], cursor[1]) -> cursor[1] : cursor[0])
#endif

inline load_gate() /* sequencer_gate: S1, one cursor after the other */
{
    gate_seen = cursor[0];
#if CONSUMERS == 2
    other = cursor[1];
    if
#if defined(BROKEN_GATE_FROM_CLAIMED) /* the one furthest behind `next`, which may be old */
    :: minus(next, other) > minus(next, gate_seen) -> gate_seen = other
#elif defined(BROKEN_GATE_ON_THE_FASTEST)
    :: later(other, gate_seen) -> gate_seen = other
#else
    :: later(gate_seen, other) -> gate_seen = other
#endif
    :: else
    fi;
    other = 0;
#endif
    always(gate_not_ahead, !later(gate_seen, slowest))
}

inline claim() /* sequencer_claim: `count` cursors from `next` on; refused: 0 */
{
    next = claimed;
    count = 0;
    used = 0;
    do
    :: used < TRIES && count == 0 ->
        used++;
        if
        :: taken >= CAPACITY || CAPACITY - taken < wanted ->
#ifdef BROKEN_GATE_FROM_CLAIMED
            next = claimed;
            load_gate()
#else
            load_gate();
            next = claimed
#endif
        :: else
        fi;
        if
        :: taken >= LIMIT
        :: else ->
            count = smaller(wanted, LIMIT - taken);
            atomic { /* S2 */
                if
#ifdef BROKEN_CLAIM_WITHOUT_CAS
                :: claimed != plus(next, JUMP) ->
#else
                :: claimed == next ->
#endif
                    claimed = plus(next, count);
                    always(nothing_after_the_end, !told)
                :: else -> next = claimed; count = 0
                fi
            }
        fi
    :: else -> break
    od
}

inline write_and_stamp()
{
    i = 0;
    do
    :: i < count ->
#ifdef BROKEN_STAMP_BEFORE_BODY
        sequence[slot(next + i)] = plus(next, i + 1);
#endif
        atomic {
            always(write_what_is_free, !unread[slot(next + i)] && holds[slot(next + i)] != WRITING);
            holds[slot(next + i)] = WRITING
        }
        atomic {
            body[slot(next + i)] = me * 4 + sent;
            holds[slot(next + i)] = plus(next, i + 1);
            unread[slot(next + i)] = (1 << CONSUMERS) - 1;
            sent++
        }
#ifndef BROKEN_STAMP_BEFORE_BODY
        sequence[slot(next + i)] = plus(next, i + 1); /* S3 */
#endif
        i++
    :: else -> i = 0; break
    od
}

proctype producer(byte me)
{
    byte next, wanted, count, gate_seen = START, other, used, i, sent;
    do
    :: sent < COMMANDS ->
        if
        :: is_closed -> break
        :: else
        fi;
        if
        :: wanted = 1
        :: sent + 1 < COMMANDS -> wanted = 2
        fi;
        claim();
        if
        :: count > 0 -> write_and_stamp()
        :: else -> /* refused: again when there is room, or do without */
            if
            :: break
            :: skip -> minus(claimed, slowest) != CAPACITY || is_closed
            fi
        fi
    :: else -> break
    od;
#if CONSUMERS == 2
    ended++
#endif
}

inline published_until() /* B1, slot by slot */
{
    do
    :: ready_seen != plus(mine, most) ->
#ifdef BROKEN_READY_WHEN_CLAIMED
        if
        :: later(claimed, ready_seen) -> ready_seen = plus(ready_seen, 1)
#else
        if
        :: published(ready_seen) -> ready_seen = plus(ready_seen, 1)
#endif
        :: else -> break
        fi
    :: else -> break
    od
}

inline read_slots()
{
    i = 0;
    do
    :: i < found ->
        atomic {
            always(read_what_is_written, holds[slot(mine + i)] == plus(mine, i + 1));
            from = body[slot(mine + i)] / 4;
            always(in_order, body[slot(mine + i)] % 4 == seen[from - 1]);
            seen[from - 1]++;
            from = 0
        }
        atomic {
            always(read_what_is_written, holds[slot(mine + i)] == plus(mine, i + 1));
            unread[slot(mine + i)] = unread[slot(mine + i)] & ~(1 << me)
        }
        i++
    :: else -> i = 0; break
    od
}

proctype consumer(byte me)
{
    byte mine = START, ready_seen = START, most, found, i, from;
    byte seen[PRODUCERS];
    do
    :: most = smaller(2, CAPACITY - slot(mine));
        if
        :: minus(ready_seen, mine) < most -> published_until()
        :: else
        fi;
        found = smaller(most, minus(ready_seen, mine));
        if
        :: found > 0 ->
#ifdef BROKEN_CURSOR_BEFORE_READ
            cursor[me] = plus(mine, found);
            read_slots();
#else
            read_slots();
            cursor[me] = plus(mine, found); /* B2 */
#endif
            mine = plus(mine, found)
        :: else -> /* sequencer_wait */
            if
            :: published(mine)
            :: atomic { is_end(mine) -> told = true; break }
            fi
        fi
    od
}

init
{
    atomic {
        sequence[slot(START)] = plus(START, 1 - CAPACITY); /* as if a lap earlier */
        sequence[slot(START + 1)] = plus(START, 2 - CAPACITY);
        run producer(1);
        run producer(2);
        run consumer(0);
#if CONSUMERS == 2
        run consumer(1);
#endif
    }
#if CONSUMERS == 2
    ended == PRODUCERS; /* else at any moment */
#endif
    close()
}
