/* death.pml - claims.c: producers that die between claim and publication.
 *
 *   producer    intent_from, intent_to ── S2 claimed ── S3 stamps ── intent withdrawn
 *                          ▼                  ▼             ▼
 *   consumer    whose intent covers it? ◀─ claimed > c, unpublished: who will publish c?
 *
 * Modelled: claim, publish, refusal, leaving and joining. A producer may die instead of any of its
 * stores. The look for a dead owner goes entry by entry and field by field, at any moment; filling
 * asks again for each cursor. The ring has two slots, claims are of one cursor or two and tried
 * twice, cursors wrap at 16. Three scenarios, none with more than two deaths:
 *   (plain)    two producers, one pushes twice
 *   -DCROWD    three producers push once; one wants two; looks begin after both deaths
 *   -DJOINER   a third producer has to take over an entry that somebody left or died in
 *
 * Left out: weak memory. (That who sees an intent withdrawn also sees what was stamped before, and
 * who sees a claim also its intent, is what the release of S2 and of the withdrawal, and the
 * acquires of D1, are for.) The body is written together with the stamp; sequencer.pml parts them.
 * Whether a process lives is known at once. One thread fills, and does not die.
 *
 * Proved, over every interleaving and every moment of death:
 *   fill_what_the_dead_owe  no cursor is filled whose owner lives, and none that is published
 *   nothing_lost            a command is what its owner wrote, or void, and void only if he died
 *   gap_is_found            once all who live have come to rest, a look finds the gap before the
 *                           consumer: nothing of the living hides it, idle or waiting for room
 *   entry_comes_back        once all is consumed, the entry of a dead producer can be had again
 *   no cycle                a look that finds a gap closes it
 *
 * check: pass
 * check: pass -DJOINER
 * check: pass -DCROWD
 * check: no-cycle -DDEATHS=1
 * check: fail nothing_lost -DBROKEN_CLAIM_WITHOUT_CAS
 * check: fail gap_is_found -DBROKEN_INTENT_AFTER_CAS
 * check: fail gap_is_found -DBROKEN_REFUSED_KEEPS_INTENT
 * check: fail gap_is_found -DBROKEN_WITHDRAWN_BEFORE_STAMP
 * check: fail fill_what_the_dead_owe -DBROKEN_LIVING_NOT_ASKED
 * check: fail fill_what_the_dead_owe -DBROKEN_STAMP_NOT_ASKED_LAST
 * check: fail fill_what_the_dead_owe -DBROKEN_FILLED_UNASKED -DCROWD
 * check: fail non-progress-cycle -DBROKEN_FOUND_NOT_FILLED -DDEATHS=1
 * check: fail gap_is_found -DBROKEN_TAKEN_OVER_UNSETTLED -DJOINER
 * check: fail entry_comes_back -DBROKEN_OVERWRITTEN_IS_A_GAP -DJOINER
 */
#include "cursors.inc"
#define CAPACITY 2
#define START (WRAP - 1)
#define TRIES 2
#ifndef DEATHS
#define DEATHS 2
#endif
#ifdef CROWD
#define ENTRIES 3
#define PUSHES 1
#define wants_two (me == 3)
#define may_look (deaths == DEATHS && looks < 1)
#else
#define ENTRIES 2
#ifdef JOINER
#define wants_two (me == 1)
#define PUSHES 1
#define may_look (deaths > 0 && looks < 1)
#else
#define wants_two true
#define PUSHES (3 - me)
#define may_look (deaths > 0 && looks < 2)
#endif
#endif
#define PRODUCERS 3
#define NOBODY 0
#define FILLER (PRODUCERS + 1)
#define NO_ENTRY ENTRIES

typedef producer_entry {
    byte process; /* whose it is, or NOBODY */
    byte from;    /* intent_from */
    byte to       /* intent_to */
}
producer_entry entries[ENTRIES];
byte claimed = START;
byte cursor = START; /* the consumer's, and so the gate */
byte sequence[CAPACITY];
byte body[CAPACITY]; /* who wrote the command */

byte deaths;
bool dead[PRODUCERS + 1]; /* what process_alive would find out */
byte owner[CAPACITY];     /* who won the CAS of a slot's cursor: for the claims alone */
bool fill_what_the_dead_owe = true, nothing_lost = true, gap_is_found = true;
bool entry_comes_back = true;

#define published(c) (sequence[slot(c)] == plus(c, 1))
#define forsaken(e) (entries[e].process == NOBODY || dead[entries[e].process])
#define taken minus(next, gate_seen)

/* A producer's step: one access, or death instead of it. */
#define STEP(what)                                                       \
    if                                                                   \
    :: atomic { what }                                                   \
    :: atomic { deaths < DEATHS -> deaths++; dead[me] = true; goto out } \
    fi

inline announce()
{
    STEP(entries[mine].from = next);
    STEP(entries[mine].to = plus(next, count))
}

inline withdraw() { STEP(entries[mine].from = entries[mine].to) }

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
            gate_seen = cursor; /* S1 */
            next = claimed
        :: else
        fi;
        if
        :: taken >= CAPACITY
        :: else ->
            count = smaller(wanted, CAPACITY - taken);
#ifndef BROKEN_INTENT_AFTER_CAS
            announce();
#endif
            STEP( /* S2 */
                if
#ifdef BROKEN_CLAIM_WITHOUT_CAS
                :: true ->
#else
                :: claimed == next ->
#endif
                    claimed = plus(next, count);
                    owner[slot(next)] = me;
                    owner[slot(next + count - 1)] = me
#ifndef BROKEN_CLAIM_WITHOUT_CAS
                :: else -> next = claimed; count = 0
#endif
                fi
            )
        fi
    :: else -> break
    od;
    if
    :: count > 0
#ifdef BROKEN_INTENT_AFTER_CAS
        -> announce()
#endif
    :: else
#ifndef BROKEN_REFUSED_KEEPS_INTENT
        -> withdraw()
#endif
    fi
}

inline publish()
{
    i = 0;
    do
    :: i < count ->
        STEP( /* S3, and the body before it: nobody looks at that without the stamp */
            body[slot(next + i)] = me;
            sequence[slot(next + i)] = plus(next, i + 1)
        );
        i++
    :: else -> i = 0; break
    od
}

inline settle() /* sequencer_is_settled: nothing the dead owner may have claimed is a gap */
{
    settled = true;
    limit = claimed;
    from = entries[mine].from;
    to = entries[mine].to;
#ifndef BROKEN_TAKEN_OVER_UNSETTLED
    do
    :: later(to, from) && later(limit, from) ->
#ifdef BROKEN_OVERWRITTEN_IS_A_GAP
        settled = settled && published(from);
#else
        settled = settled && !later(from + 1, sequence[slot(from)]); /* this lap's stamp or later */
#endif
        from = plus(from, 1)
    :: else -> break
    od;
#endif
    from = 0;
    to = 0;
    limit = 0
}

inline join() /* sequencer_join: `mine` is an entry somebody left or died in, or NO_ENTRY */
{
    mine = 0;
    do
    :: mine < ENTRIES ->
        process = entries[mine].process;
        settled = (process == NOBODY);
        if
        :: process != NOBODY && dead[process] -> settle()
        :: else
        fi;
        if
        :: settled ->
            STEP(entries[mine].process = me) /* a CAS, but nobody else joins here */
        :: else
        fi;
        if
        :: settled ->
            from = claimed;
            STEP(entries[mine].from = from);
            STEP(entries[mine].to = from);
            from = 0;
            break
        :: else -> mine++
        fi
    :: else -> break
    od;
    process = 0;
    settled = false
}

proctype producer(byte me, mine)
{
    byte next, wanted, count, gate_seen = START, used, i, pushes = PUSHES;
#ifdef JOINER
    byte process, limit, from, to;
    bool settled, tried, must;
    do
    :: mine == NO_ENTRY ->
        if
        :: !tried && deaths > 0 /* at any moment, and it may fail */
        :: forsaken(0) && forsaken(1) && cursor == claimed -> must = true
        fi;
        tried = true;
        join();
        always(entry_comes_back, !must || mine == 0) /* any of them, so the first */
    :: else -> break
    od;
    must = false;
    gate_seen = cursor;
#endif
    do
    :: pushes > 0 ->
        if
        :: wanted = 1
        :: wants_two -> wanted = 2
        fi;
        claim();
        if
        :: count > 0 ->
#ifdef BROKEN_WITHDRAWN_BEFORE_STAMP
            withdraw();
            publish();
#else
            publish();
            withdraw();
#endif
            pushes--
        :: else -> /* refused: again when there is room, or do without */
            if
            :: pushes = 0
#ifndef CROWD
            :: skip -> minus(claimed, cursor) < CAPACITY
#endif
            fi
        fi
    :: else -> break
    od;
    STEP(entries[mine].process = NOBODY);
out:
    atomic { /* so that what it last thought of does not tell states apart */
        next = 0; wanted = 0; count = 0; gate_seen = 0; used = 0; i = 0; mine = 0; pushes = 0
#ifdef JOINER
        ; process = 0; limit = 0; from = 0; to = 0; settled = false
#endif
    }
}

inline dead_owner(c) /* `found`: the entry of the dead producer who must own c, or NO_ENTRY */
{
    found = NO_ENTRY;
    e = 0;
    do
    :: e < ENTRIES ->
        process = entries[e].process;
        if
        :: process != NOBODY ->
            from = entries[e].from;
            to = entries[e].to;
            if
            :: !later(from, c) && later(to, c) ->
                if
                :: dead[process] -> found = e; end = to
#ifndef BROKEN_LIVING_NOT_ASKED
                :: else -> found = NO_ENTRY; break
#else
                :: else
#endif
                fi
            :: else
            fi
        :: else
        fi;
        e++
    :: else -> break
    od;
    atomic {
        from = 0; to = 0; process = 0; e = 0;
#ifndef BROKEN_STAMP_NOT_ASKED_LAST
        if
        :: published(c) -> found = NO_ENTRY
        :: else
        fi
#endif
    }
}

inline fill()
{
    at = cursor;
    limit = claimed;
    last = end;
    do
    :: at != limit && later(last, at) ->
        if
        :: published(at) -> found = NO_ENTRY
        :: else ->
#ifdef BROKEN_FILLED_UNASKED
            found = 0
#else
            dead_owner(at)
#endif
        fi;
        if
        :: found < NO_ENTRY ->
            atomic {
                always(fill_what_the_dead_owe, dead[owner[slot(at)]] && !published(at));
                body[slot(at)] = FILLER;
                sequence[slot(at)] = plus(at, 1)
            }
        :: else
        fi;
        at = plus(at, 1)
    :: else -> break
    od;
    at = 0; limit = 0; last = 0
}

proctype consumer()
{
    byte found, e, process, from, to, end, at, limit, last, looks;
    bool must;
end_idle:
    do
    :: atomic { published(cursor) ->
            always(nothing_lost, body[slot(cursor)] == owner[slot(cursor)] ||
                   (body[slot(cursor)] == FILLER && dead[owner[slot(cursor)]]));
            cursor = plus(cursor, 1)
        }
    :: atomic { !published(cursor) && claimed != cursor &&
            (may_look || (deaths > 0 && timeout)) -> /* timeout: nobody else can move */
            must = !may_look;
            looks = (may_look -> looks + 1 : looks)
        }
        dead_owner(cursor);
        always(gap_is_found, !must || found < NO_ENTRY);
        must = false;
        if
#ifndef BROKEN_FOUND_NOT_FILLED
        :: found < NO_ENTRY -> fill()
#endif
        :: else
        fi;
        found = 0; end = 0
    od
}

#define enter(number, e)            \
    entries[e].process = number;    \
    entries[e].from = START;        \
    entries[e].to = START;          \
    run producer(number, e)

init
{
    atomic {
        sequence[slot(START)] = plus(START, 1 - CAPACITY); /* as if a lap earlier */
        sequence[slot(START + 1)] = plus(START, 2 - CAPACITY);
        enter(1, 0);
        enter(2, 1);
#ifdef CROWD
        enter(3, 2);
#elif defined(JOINER)
        run producer(3, NO_ENTRY);
#endif
        run consumer()
    }
}
