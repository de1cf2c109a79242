/* ring_stress_run.h - the second part of ring_stress.h: two kinds of thread, and one case. */
#ifndef MATCHBOOK_RING_STRESS_RUN_H
#define MATCHBOOK_RING_STRESS_RUN_H

/* --- the two kinds of thread ---------------------------------------------------------------- */

static void stress_await_start(const stress_run *run)
{
    /* Acquire, pairs with the store in stress_run_case: the ring is ready. */
    while (!atomic_load_explicit(&run->started, memory_order_acquire)) {
        sched_yield();
    }
}

static void stress_report_end(stress_run *run)
{
    pthread_mutex_lock(&run->lock);
    run->running--;
    pthread_cond_signal(&run->ended);
    pthread_mutex_unlock(&run->lock);
}

/* stress_offer: push a batch, however often it takes. 0 if the ring is closed. */
static int stress_offer(stress_thread *self, const stress_record *records, size_t count)
{
    const stress_run *run = self->run;
    size_t done = 0;
    while (done < count && !stress_failed(run)) {
        size_t offered = count - done;
        size_t taken = run->it->adapter->push(run->ring, self, records + done, offered);
        if (taken == STRESS_IS_CLOSED) {
            stress_saw(self, STRESS_CLOSED);
            return 0;
        }
        CHECK(taken <= offered);
        stress_saw(self, taken == offered ? STRESS_WHOLE : taken ? STRESS_PARTLY : STRESS_FULL);
        for (size_t i = done; i < done + taken; i++) {
            self->sum += records[i].words[7];
        }
        self->made += taken;
        done += taken;
        if (taken == 0) {
            sched_yield();
        }
    }
    return 1;
}

static void *stress_produce(void *argument)
{
    stress_thread *self = argument;
    stress_run *run = self->run;
    stress_record batch[STRESS_BATCH];
    int is_open = 1;
    stress_await_start(run);
    while (is_open && self->made < run->items && !stress_failed(run) &&
           !atomic_load_explicit(&run->enough, memory_order_relaxed)) {
        uint64_t left = run->items - self->made;
        size_t count = (size_t)stress_below(self, run->it->batch) + 1;
        count = count < left ? count : (size_t)left;
        for (size_t i = 0; i < count; i++) {
            stress_make(&batch[i], self->number, self->made + i);
        }
        is_open = stress_offer(self, batch, count);
        if (stress_below(self, 64) == 0) {
            sched_yield(); /* fall behind for once */
        }
    }
    /* acq_rel: the last one has all others behind it. */
    if (atomic_fetch_sub_explicit(&run->producing, 1, memory_order_acq_rel) == 1) {
        run->it->adapter->close(run->ring);
    }
    stress_report_end(run);
    return NULL;
}

/* stress_look: one record that came out, against what should come next. */
static void stress_look(stress_thread *self, const stress_record *record, uint64_t cursor,
                        int *last)
{
    uint64_t *next = self->next;
    const stress_case *it = self->run->it;
    uint64_t name = record->words[1];
    int producer = (int)(name >> STRESS_NUMBER_BITS) - 1;
    uint64_t number = name & ((UINT64_C(1) << STRESS_NUMBER_BITS) - 1);
    if (!stress_is_whole(record, it->numbers) || producer >= it->producers) {
        stress_fail(self, STRESS_TORN,
                    "at cursor %" PRIu64 ": words %016" PRIx64 " %016" PRIx64 " %016" PRIx64
                    " … %016" PRIx64,
                    cursor, record->words[0], name, record->words[2], record->words[7]);
        return;
    }
    if (it->numbers && record->words[0] != cursor + 1) {
        stress_fail(self, STRESS_GAP, "at cursor %" PRIu64 ": numbered %" PRIu64, cursor,
                    record->words[0]);
        return;
    }
    if (number != next[producer]) {
        stress_fail(self, number < next[producer] ? STRESS_AGAIN : STRESS_LOST,
                    "at cursor %" PRIu64 ": record %" PRIu64 " of producer %d, expected %" PRIu64,
                    cursor, number, producer, next[producer]);
        return;
    }
    next[producer]++;
    self->sum += record->words[7];
    stress_saw(self, STRESS_NEXT);
    if (*last != producer && *last >= 0) {
        stress_saw(self, STRESS_SWITCHED);
    }
    *last = producer;
}

static void stress_count_edges(stress_thread *self, uint64_t from, uint64_t to)
{
    if (from >> 32 != to >> 32) {
        stress_saw(self, to < from ? STRESS_PAST_64 : STRESS_PAST_32);
    }
}

static void *stress_consume(void *argument)
{
    stress_thread *self = argument;
    stress_run *run = self->run;
    const stress_case *it = run->it;
    stress_record batch[STRESS_BATCH];
    uint64_t cursor = it->start;
    int last = -1;
    int closes = self->number == 0 && it->close_after != 0;
    stress_await_start(run);
    while (!stress_failed(run)) {
        size_t wanted = (size_t)stress_below(self, it->batch) + 1;
        size_t count = it->adapter->pop(run->ring, self, batch, wanted);
        CHECK(count <= wanted);
        for (size_t i = 0; i < count && !stress_failed(run); i++) {
            stress_look(self, &batch[i], cursor + i, &last);
        }
        stress_count_edges(self, cursor, cursor + count);
        cursor += count;
        atomic_store_explicit(&self->progress, cursor - it->start, memory_order_relaxed);
        if (closes && cursor - it->start >= it->close_after) {
            it->adapter->close(run->ring);
            closes = 0;
        }
        if (count == 0) {
            stress_saw(self, STRESS_EMPTY);
            /* Asked late, for a ring's answer orders more than its pop does. */
            int may_have_ended =
                it->close_after ||
                atomic_load_explicit(&run->producing, memory_order_relaxed) == 0;
            if (may_have_ended && it->adapter->ended(run->ring, self)) {
                break;
            }
        }
        if (count == 0 || stress_below(self, 64) == 0) {
            sched_yield();
        }
    }
    stress_report_end(run);
    return NULL;
}

/* --- one case ------------------------------------------------------------------------------- */

static uint64_t stress_progress(const stress_run *run)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < run->it->consumers; i++) {
        uint64_t has =
            atomic_load_explicit(&run->consumers[i].progress, memory_order_relaxed);
        least = has < least ? has : least;
    }
    return least;
}

static struct timespec stress_time_after(time_t seconds)
{
    struct timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += seconds;
    return when;
}

static int stress_is_past(const struct timespec *when)
{
    struct timespec now = stress_time_after(0);
    return now.tv_sec > when->tv_sec ||
           (now.tv_sec == when->tv_sec && now.tv_nsec >= when->tv_nsec);
}

/* stress_await_end: wait for the threads. With a limit, let producers stop when it is past; without
 * one, tell how far they are. End the program if they stand. */
static void stress_await_end(stress_run *run, const struct timespec *limit)
{
    uint64_t before = 0;
    int still = 0;
    pthread_mutex_lock(&run->lock);
    for (int seconds = 1; run->running > 0; seconds++) {
        struct timespec until = stress_time_after(1);
        while (run->running > 0 && pthread_cond_timedwait(&run->ended, &run->lock, &until) == 0) {
        }
        if (limit != NULL && stress_is_past(limit)) {
            atomic_store_explicit(&run->enough, 1, memory_order_relaxed);
        }
        uint64_t now = stress_progress(run);
        still = now == before ? still + 1 : 0;
        before = now;
        if (still >= STRESS_STUCK_S && run->running > 0) {
            printf("%s: no progress for %d s after %" PRIu64 " records\n", run->it->name, still,
                   now);
            fflush(stdout);
            _Exit(3);
        }
        if (limit == NULL && seconds % STRESS_TELL_S == 0) {
            printf("  %s: %" PRIu64 " of %" PRIu64 " records\n", run->it->name, now,
                   run->items * (uint64_t)run->it->producers);
            fflush(stdout);
        }
    }
    pthread_mutex_unlock(&run->lock);
}

static void stress_prepare(stress_thread *self, stress_run *run, int number, uint64_t *seed)
{
    memset(self, 0, sizeof *self);
    self->run = run;
    self->number = number;
    self->random = stress_draw(seed);
}

/* stress_balance: what a consumer has had against what went in. Returns the sum of the latter. */
static uint64_t stress_balance(const stress_run *run, stress_thread *consumer)
{
    uint64_t sum = 0;
    for (int i = 0; i < run->it->producers; i++) {
        const stress_thread *producer = &run->producers[i];
        sum += producer->sum;
        if (!stress_failed(run) && consumer->next[i] != producer->made) {
            stress_fail(consumer, STRESS_LOST,
                        "it ended after %" PRIu64 " of %" PRIu64 " records of producer %d",
                        consumer->next[i], producer->made, i);
        }
    }
    if (!stress_failed(run) && consumer->sum != sum) {
        stress_fail(consumer, STRESS_SUM, "checksum %016" PRIx64 " in, %016" PRIx64 " out", sum,
                    consumer->sum);
    }
    return sum;
}

/* stress_add_up: compare both sides, and add all counts to `counts`. Returns the checksum. */
static uint64_t stress_add_up(stress_run *run, uint64_t *counts, char *evidence)
{
    uint64_t sum = 0;
    for (int i = 0; i < run->it->consumers; i++) {
        sum = stress_balance(run, &run->consumers[i]);
    }
    for (int i = 0; i < 2 * STRESS_THREADS; i++) {
        const stress_thread *self =
            i < STRESS_THREADS ? &run->producers[i] : &run->consumers[i - STRESS_THREADS];
        for (int outcome = 0; outcome < STRESS_OUTCOMES; outcome++) {
            counts[outcome] += self->counts[outcome];
        }
        if (evidence[0] == '\0' && self->evidence[0] != '\0') {
            snprintf(evidence, STRESS_TEXT, "%s %d: %.200s",
                     i < STRESS_THREADS ? "producer" : "consumer", self->number,
                     self->evidence);
        }
    }
    return sum;
}

/* stress_run_case: all threads of a case, from start to join, or to a little after `limit` (NULL:
 * however long it takes). Adds to `counts`; `evidence` is empty if all was well. Returns the
 * checksum of what went in. */
static inline uint64_t stress_run_case(const stress_suite *suite, const stress_case *it,
                                       uint64_t items, uint64_t seed,
                                       const struct timespec *limit,
                                       uint64_t counts[STRESS_OUTCOMES],
                                       char evidence[STRESS_TEXT])
{
    stress_run *run;
    pthread_t threads[2 * STRESS_THREADS];
    int count = 0;
    CHECK(it->producers <= STRESS_THREADS && it->consumers <= STRESS_THREADS);
    CHECK(it->batch >= 1 && it->batch <= STRESS_BATCH);
    CHECK(posix_memalign((void **)&run, _Alignof(stress_run), sizeof *run) == 0);
    memset(run, 0, sizeof *run);
    run->suite = suite;
    run->it = it;
    run->items = items;
    run->ring = it->adapter->open(it);
    run->running = it->producers + it->consumers;
    atomic_init(&run->producing, it->producers);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->ended, NULL);
    for (int i = 0; i < STRESS_THREADS; i++) {
        stress_prepare(&run->producers[i], run, i, &seed);
        stress_prepare(&run->consumers[i], run, i, &seed);
    }
    for (int i = 0; i < it->producers; i++) {
        CHECK(pthread_create(&threads[count++], NULL, stress_produce, &run->producers[i]) == 0);
    }
    for (int i = 0; i < it->consumers; i++) {
        CHECK(pthread_create(&threads[count++], NULL, stress_consume, &run->consumers[i]) == 0);
    }
    atomic_store_explicit(&run->started, 1, memory_order_release);
    stress_await_end(run, limit);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    uint64_t sum = stress_add_up(run, counts, evidence);
    it->adapter->free(run->ring);
    pthread_cond_destroy(&run->ended);
    pthread_mutex_destroy(&run->lock);
    free(run);
    return sum;
}

#endif
