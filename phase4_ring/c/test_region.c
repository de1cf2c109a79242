/* test_region.c - memory under a name: made, found, refused, left; and who has a place in it.
 *
 *      creator:   create ── fill in ── ready ──────────────── unlink
 *      attacher:            │ NOT_READY     │ attach │ use … still …│ MISSING
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/c/check.h"
#include "phase4_ring/c/process.h"
#include "phase4_ring/c/sequencer.h"
#include "phase4_ring/c/spsc_ring.h"

static char NAME[32];

/* --- making and finding -------------------------------------------------------------------- */

/* Guards: a capacity whose mask would skip slots, or whose size would overflow. */
static void test_sizes(void)
{
    const uint64_t bad[] = {0, 1, 3, 12, (1u << 24) - 1, 1u << 25, UINT64_C(1) << 58, UINT64_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        region_problem problem;
        region_header *header;
        CHECK(region_bytes(REGION_SPSC, bad[i]) == 0);
        CHECK(region_create(NAME, REGION_SPSC, bad[i], 0, 0, &header, &problem) ==
              REGION_BAD_CAPACITY);
        CHECK(problem.found == bad[i] && problem.expected == RING_MAX_CAPACITY);
        CHECK(region_attach(NAME, REGION_SPSC, &header, &problem) == REGION_MISSING);
    }
    for (uint64_t capacity = 2; capacity <= 1u << 24; capacity *= 2) {
        CHECK(region_bytes(REGION_SPSC, capacity) ==
              sizeof(struct spsc_ring) + 64 * (size_t)capacity);
        CHECK(region_bytes(REGION_SEQUENCER, capacity) ==
              sizeof(struct sequencer) + 64 * (size_t)capacity);
    }
}

/* Guards: memory that is not what it is said to be, or not what the other side sees. */
static void test_made_and_found(void)
{
    region_problem problem;
    region_header *made;
    region_header *found;
    for (uint32_t kind = REGION_SPSC; kind <= REGION_SEQUENCER; kind++) {
        CHECK(region_create(NAME, kind, 8, 1, 77, &made, &problem) == 0);
        CHECK((uintptr_t)made % CACHE_LINE_BYTES == 0 && made->bytes == region_bytes(kind, 8));
        CHECK(made->version == REGION_VERSION && made->kind == kind && made->capacity == 8);
        CHECK(made->record_bytes == 64 && made->line_bytes == CACHE_LINE_BYTES);
        CHECK(made->start == 77 && made->parking == 1 && made->shared == 1);
        const char *bytes = (const char *)made;
        for (size_t at = sizeof *made; at < made->bytes; at++) {
            CHECK(bytes[at] == 0);
        }
        CHECK(region_attach(NAME, kind, &found, &problem) == REGION_NOT_READY);
        region_ready(made);
        CHECK(region_attach(NAME, kind, &found, &problem) == 0 && found != made);
        ((char *)made)[made->bytes - 1] = 5;
        CHECK(((char *)found)[made->bytes - 1] == 5);
        region_detach(made); /* the other side goes on */
        ((char *)found)[found->bytes - 1]++;
        CHECK(region_unlink(NAME, &problem) == 0);
        CHECK(((char *)found)[found->bytes - 1] == 6);
        region_detach(found);
        CHECK(region_attach(NAME, kind, &found, &problem) == REGION_MISSING);
        CHECK(region_unlink(NAME, &problem) == REGION_MISSING);
    }
    region_detach(NULL);
}

/* Guards: a second creator who takes the memory away from under the first. */
static void test_made_twice(void)
{
    region_problem problem;
    spsc_ring *first;
    spsc_ring *second;
    sequencer *other;
    ring_record record = {{1, 2, 3}};
    CHECK(spsc_create(NAME, 8, 0, 0, &first, &problem) == 0);
    CHECK(spsc_push(first, &record, 1) == 1);
    CHECK(spsc_create(NAME, 8, 0, 0, &second, &problem) == REGION_EXISTS);
    CHECK(sequencer_create(NAME, 64, 0, 0, &other, &problem) == REGION_EXISTS);
    CHECK(spsc_attach(NAME, &second, &problem) == 0);
    CHECK(spsc_capacity(second) == 8 && spsc_head(second) == 1);
    CHECK(region_unlink(NAME, &problem) == 0);
    /* The name is free again; the old ring and the new one have nothing in common. */
    spsc_ring *third;
    CHECK(spsc_create(NAME, 8, 0, 0, &third, &problem) == 0);
    CHECK(spsc_head(third) == 0 && spsc_head(second) == 1);
    CHECK(region_unlink(NAME, &problem) == 0);
    spsc_detach(first);
    spsc_detach(second);
    spsc_detach(third);
}

static int is_bad_name(const region_problem *problem)
{
    return problem->found == ENAMETOOLONG || problem->found == EINVAL; /* it depends who says it */
}

/* Guards: a name the system does not take, reported as something else or not at all. */
static void test_names(void)
{
    char longest[400] = "/";
    region_problem problem;
    region_header *header;
    memset(longest + 1, 'x', sizeof longest - 2);
    longest[sizeof longest - 1] = '\0';
    CHECK(region_create(longest, REGION_SPSC, 8, 0, 0, &header, &problem) == REGION_SYSTEM);
    CHECK(is_bad_name(&problem));
    CHECK(region_attach(longest, REGION_SPSC, &header, &problem) == REGION_SYSTEM);
    CHECK(is_bad_name(&problem));
    CHECK(region_unlink(longest, &problem) != 0);
}

/* --- refusing ------------------------------------------------------------------------------ */

/* attach_to: what attaching says to an object of `bytes` that starts with this header. */
static int attach_to(const region_header *header, size_t bytes, region_problem *problem)
{
    int file = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(file >= 0 && ftruncate(file, (off_t)bytes) == 0);
    if (bytes > 0) {
        void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        CHECK(memory != MAP_FAILED);
        memcpy(memory, header, bytes < sizeof *header ? bytes : sizeof *header);
        munmap(memory, bytes);
    }
    close(file);
    region_header *found;
    int why = region_attach(NAME, REGION_SPSC, &found, problem);
    if (why == 0) {
        region_detach(found);
    }
    region_problem unused;
    CHECK(region_unlink(NAME, &unused) == 0);
    return why;
}

/* A header as it should be, for a ring of 16. */
static region_header good_header(void)
{
    return (region_header){.magic = REGION_MAGIC,
                           .version = REGION_VERSION,
                           .kind = REGION_SPSC,
                           .record_bytes = 64,
                           .line_bytes = CACHE_LINE_BYTES,
                           .capacity = 16,
                           .bytes = region_bytes(REGION_SPSC, 16),
                           .shared = 1};
}

#define REFUSES(field, value, bytes, why, is_found, is_expected)                                \
    do {                                                                                       \
        region_header header = good_header();                                                  \
        region_problem problem = {0};                                                          \
        header.field = (value);                                                                \
        CHECK(attach_to(&header, (bytes), &problem) == (why));                                 \
        CHECK(problem.found == (is_found) && problem.expected == (is_expected));               \
    } while (0)

/* Guards: a ring of another build or shape that is used as if it were ours, record by record into
 * the wrong places; and one that is ours and refused. */
static void test_every_field_is_looked_at(void)
{
    const size_t needed = region_bytes(REGION_SPSC, 16);
    const uint64_t foreign = UINT64_C(0x0200474E4952424D);
    region_problem problem;
    region_header good = good_header();
    CHECK(attach_to(&good, needed, &problem) == 0);
    CHECK(attach_to(&good, needed + 5000, &problem) == 0); /* rounded up to pages: all right */
    REFUSES(magic, 0, needed, REGION_NOT_READY, 0, REGION_MAGIC);
    REFUSES(magic, foreign, needed, REGION_FOREIGN, foreign, REGION_MAGIC);
    REFUSES(version, 2, needed, REGION_OTHER_VERSION, 2, 1);
    REFUSES(version, 0, needed, REGION_OTHER_VERSION, 0, 1);
    REFUSES(kind, REGION_SEQUENCER, needed, REGION_OTHER_KIND, REGION_SEQUENCER, REGION_SPSC);
    REFUSES(kind, 9, needed, REGION_OTHER_KIND, 9, REGION_SPSC);
    REFUSES(record_bytes, 128, needed, REGION_OTHER_RECORD, 128, 64);
    REFUSES(line_bytes, 32, needed, REGION_OTHER_LINE, 32, CACHE_LINE_BYTES);
    REFUSES(capacity, 15, needed, REGION_BAD_CAPACITY, 15, RING_MAX_CAPACITY);
    REFUSES(capacity, UINT64_C(1) << 58, needed, REGION_BAD_CAPACITY, UINT64_C(1) << 58,
            RING_MAX_CAPACITY);
    REFUSES(capacity, 32, needed, REGION_OTHER_SIZE, needed, region_bytes(REGION_SPSC, 32));
    REFUSES(bytes, 4096, needed, REGION_OTHER_SIZE, 4096, needed);
    /* Cut off: the header promises more than there is. */
    REFUSES(start, 0, needed - 64, REGION_OTHER_SIZE, needed - 64, needed);
    REFUSES(start, 0, sizeof(region_header) - 1, REGION_NOT_READY, sizeof(region_header) - 1,
            sizeof(region_header));
    REFUSES(start, 0, 0, REGION_NOT_READY, 0, sizeof(region_header));
}

/* --- places -------------------------------------------------------------------------------- */

/* Two pipes, to a child and from it. */
typedef struct {
    int to_child[2];
    int to_parent[2];
} lines;

static lines lines_open(void)
{
    lines made;
    CHECK(pipe(made.to_child) == 0 && pipe(made.to_parent) == 0);
    return made;
}

static void lines_close(const lines *self)
{
    for (int end = 0; end < 2; end++) {
        close(self->to_child[end]);
        close(self->to_parent[end]);
    }
}

/* say_and_wait: a child tells its parent, and then waits to be killed, or left alone. */
static _Noreturn void say_and_wait(const lines *self, const void *what, size_t bytes)
{
    char byte;
    close(self->to_child[1]);
    _exit(write(self->to_parent[1], what, bytes) == (ssize_t)bytes &&
                  read(self->to_child[0], &byte, 1) == 0
              ? 0
              : 1);
}

/* Guards: a process taken for another that has its number now, and a zombie for the living. */
static void test_the_living_and_the_dead(void)
{
    uint64_t me = process_self();
    CHECK(process_number(me) == (uint32_t)getpid() && process_alive(me));
    CHECK(!process_alive(PROCESS_NONE));
    CHECK(process_self() == me);
#if defined(__linux__)
    CHECK(me >> 32 != 0 && !process_alive(me + (UINT64_C(1) << 32)));
#endif
    uint64_t child_process;
    lines between = lines_open();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        uint64_t self = process_self();
        say_and_wait(&between, &self, sizeof self);
    }
    CHECK(read(between.to_parent[0], &child_process, sizeof child_process) ==
          sizeof child_process);
    CHECK(process_number(child_process) == (uint32_t)child && process_alive(child_process));
    CHECK(kill(child, SIGSTOP) == 0 && process_alive(child_process)); /* it may go on */
    CHECK(kill(child, SIGKILL) == 0);
#if defined(__linux__)
    siginfo_t how;
    CHECK(waitid(P_PID, (id_t)child, &how, WEXITED | WNOWAIT) == 0);
    CHECK(!process_alive(child_process)); /* not reaped, and dead all the same */
#endif
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(!process_alive(child_process));
    lines_close(&between);
}

/* Guards: two processes at one side of a ring, or a side that dies with its process. */
static void test_sides(void)
{
    region_problem problem;
    spsc_ring *ring;
    char failed;
    lines between = lines_open();
    CHECK(spsc_create(NAME, 4, 0, 0, &ring, &problem) == 0);
    CHECK(region_unlink(NAME, &problem) == 0);
    CHECK(spsc_side_pid(ring, 0) == 0 && spsc_side_pid(ring, 1) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        ring_record record = {{7}};
        size_t granted;
        failed = spsc_take_side(ring, 0) != 0 || spsc_push(ring, &record, 1) != 1;
        spsc_claim(ring, 2, &granted)->words[0] = 8; /* and never committed */
        say_and_wait(&between, &failed, sizeof failed);
    }
    CHECK(read(between.to_parent[0], &failed, 1) == 1 && !failed);
    CHECK(spsc_take_side(ring, 0) == (uint32_t)child && spsc_side_pid(ring, 0) == child);
    CHECK(spsc_take_side(ring, 1) == 0 && spsc_side_pid(ring, 1) == getpid());
    CHECK(spsc_take_side(ring, 1) == 0); /* it is ours already */
    spsc_give_side(ring, 1);
    CHECK(spsc_side_pid(ring, 1) == 0);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK(spsc_side_pid(ring, 0) == -child);
    CHECK(spsc_take_side(ring, 0) == 0 && spsc_side_pid(ring, 0) == getpid());
    ring_record records[4] = {{{9}}};
    CHECK(spsc_push(ring, records, 1) == 1);
    CHECK(spsc_pop(ring, records, 4) == 2 && records[0].words[0] == 7 && records[1].words[0] == 9);
    spsc_detach(ring);
    lines_close(&between);
}

/* A failed CHECK leaves no name behind. */
static void clean_up(int number)
{
    (void)number;
    shm_unlink(NAME);
}

int main(void)
{
    signal(SIGABRT, clean_up);
    snprintf(NAME, sizeof NAME, "/mbook.c-region.%d", (int)getpid());
    test_sizes();
    test_made_and_found();
    test_made_twice();
    test_names();
    test_every_field_is_looked_at();
    test_the_living_and_the_dead();
    test_sides();
    return 0;
}
