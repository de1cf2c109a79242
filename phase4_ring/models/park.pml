/* park.pml - wait.h: falling asleep without missing the wake-up, on a machine with store buffers.
 *
 *   sleeper  E1 word |= asleep          waker  E3 slot = full ──▶ [store buffer] ──▶ memory
 *            E2 look at the slots              E4 look at word
 *            futex_wait(word, seen)            if asleep: word + 1, futex_wake
 *
 * Modelled: the memory order since the 486 have, total store order: a plain store
 * waits in its core's buffer, two deep, and reaches memory later than loads that come after it in
 * the program; a core sees its own buffer. Release and acquire ask for no more than that. A seq_cst
 * store and every read-modify-write empty the buffer first. Wakers hand over twice each, a batch of
 * two: the first slot by a release store, the last by a seq_cst one (stamp in sequencer.c; where a
 * hand-over is one store, as in an SPSC ring or a close, it is the last). Sleepers wait for first
 * slots, until they have seen all. The futex is as the kernel has it: comparing and lying down is
 * one step. Nobody wakes up by himself: the time-outs of wait.h are left out, so that a lost wake-up
 * shows as an invalid end state, somebody asleep for ever.
 *
 * Left out: what weaker machines reorder besides (loads, stores among each other). There, too, the
 * four accesses are in one total order if they are seq_cst, and that is all the proof needs.
 *
 * Proved, over every interleaving of programs and buffers:
 *   no invalid end state   nobody sleeps through the last hand-over
 *   no cycle               nobody spins: who goes round again has been handed something
 *
 * check: pass -DWAKERS=2 -DSLEEPERS=1
 * check: pass -DWAKERS=2 -DSLEEPERS=2 -DHAND_OVERS=1
 * check: no-cycle -DWAKERS=1 -DSLEEPERS=1
 * check: fail invalid-end-state -DBROKEN_RELEASE_HAND_OVER
 * check: fail invalid-end-state -DBROKEN_RELEASE_ASLEEP
 * check: fail invalid-end-state -DBROKEN_ONE_LOOK
 * check: fail invalid-end-state -DBROKEN_WOKEN_UNCOUNTED -DSLEEPERS=2
 */
#ifndef WAKERS
#define WAKERS 1
#endif
#ifndef SLEEPERS
#define SLEEPERS 1
#endif
#ifndef HAND_OVERS
#define HAND_OVERS 2
#endif
#define DEPTH 2

/* Addresses: the first slot of each waker's batch, which the sleepers wait for; the last slot of a
 * batch; the word of the event count. */
#define LAST WAKERS
#define WORD (WAKERS + 1)
byte memory[WAKERS + 2];
bool asleep[SLEEPERS];

/* Store buffers, of wakers first. */
chan buffer[WAKERS + SLEEPERS] = [DEPTH] of {byte, byte};

proctype store_buffer(byte me)
{
    byte address, value;
end:
    do
    :: atomic { buffer[me]?address,value -> memory[address] = value; address = 0; value = 0 }
    od
}

#define store_seq_cst(a, v) atomic { empty(buffer[me]) -> memory[a] = v }
#define store_release(a, v) buffer[me]!a,v

inline notify() /* event_count_notify: E4, event_count_wake */
{
    word = memory[WORD];
    do
    :: word & 1 ->
        atomic { /* a compare-and-swap */
            empty(buffer[me]);
            if
            :: memory[WORD] == word ->
#ifdef BROKEN_WOKEN_UNCOUNTED
                memory[WORD] = word - 1;
#else
                memory[WORD] = word + 1;
#endif
                word = 0
            :: else -> word = memory[WORD]
            fi
        }
        if
        :: word == 0 ->
            atomic {
                asleep[0] = false; /* futex_wake */
#if SLEEPERS == 2
                asleep[1] = false
#endif
            }
        :: else
        fi
    :: else -> word = 0; break
    od
}

proctype waker(byte me)
{
    byte done, word;
    do
    :: done < HAND_OVERS ->
        done++;
        store_release(me, done);
#ifdef BROKEN_RELEASE_HAND_OVER
        store_release(LAST, done); /* E3 */
#else
        store_seq_cst(LAST, done); /* E3 */
#endif
        notify()
    :: else -> break
    od
}

inline look() /* is there anything new? */
{
    found = (memory[0] != seen[0]);
#if WAKERS == 2
    found = found || memory[1] != seen[1]
#endif
}

inline take() /* all there is */
{
    seen[0] = memory[0];
#if WAKERS == 2
    seen[1] = memory[1]
#endif
}

inline prepare() /* E1 */
{
#ifdef BROKEN_RELEASE_ASLEEP
    /* as where even a read-modify-write may leave its store in the buffer (arm64) */
    word = memory[WORD] | 1;
    store_release(WORD, word)
#else
    atomic {
        empty(buffer[me]);
        memory[WORD] = memory[WORD] | 1;
        word = memory[WORD]
    }
#endif
}

proctype sleeper(byte me, bed)
{
    byte seen[WAKERS], word;
    bool found;
    do
    :: seen[0] + seen[WAKERS - 1] < 2 * HAND_OVERS ->
        look();
        if
        :: !found ->
            prepare();
#ifndef BROKEN_ONE_LOOK
            look(); /* E2 */
#endif
            if
            :: !found ->
                atomic { /* futex_wait */
                    if
                    :: memory[WORD] == word -> asleep[bed] = true
                    :: else
                    fi
                }
                !asleep[bed]
            :: else
            fi;
            word = 0
        :: else -> take()
        fi
    :: else -> break
    od
}

init
{
    atomic {
        run waker(0);
        run store_buffer(0);
#if WAKERS == 2
        run waker(1);
        run store_buffer(1);
#endif
        run sleeper(WAKERS, 0);
        run store_buffer(WAKERS);
#if SLEEPERS == 2
        run sleeper(WAKERS + 1, 1);
        run store_buffer(WAKERS + 1)
#endif
    }
}
