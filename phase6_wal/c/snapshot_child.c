/* snapshot_child.c - see snapshot_child.h; what a child may do is in snapshotter.h. */
#include "phase6_wal/c/snapshot_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/c/check.h"
#include "contract/c/engine.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

enum { CHILD_RUNS = 0, CHILD_DONE = 1, CHILD_FAILED = 2, MOST_FILES = 65536 };

struct child_page {
    _Atomic int state;
    snapshot_problem problem;
};

/* --- the books --- */

static void *take_pages(uint64_t bytes, int flags)
{
    void *made = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    return made == MAP_FAILED ? NULL : made;
}

static uint64_t most_image_bytes(const snapshot_source *source)
{
    return IMAGE_HEADER_BYTES + (uint64_t)source->capacity * IMAGE_ORDER_BYTES;
}

/* set_sizes: memory for all images by copy, for the largest one by fork, and for the few orders that are
 * copied even so. */
static void set_sizes(snapshot_books *self, const snapshot_source *sources,
                      const snapshot_options *options)
{
    uint64_t largest = 0, all = 0;
    for (size_t i = 0; i < self->count; i++) {
        const uint64_t most = most_image_bytes(&sources[i]);
        largest = most > largest ? most : largest;
        all += most;
    }
    if (options->how == SNAPSHOT_BY_COPY) {
        self->copies_bytes = all;
    } else if (options->copy_below > 0) {
        const uint64_t few =
            self->count * IMAGE_HEADER_BYTES + (options->copy_below - 1) * IMAGE_ORDER_BYTES;
        self->copies_bytes = few < all ? few : all;
    }
    self->images_bytes = self->copies_bytes > largest ? self->copies_bytes : largest;
}

int snapshot_books_init(snapshot_books *self, const snapshot_source *sources, size_t count,
                        const snapshot_options *options)
{
    *self = (snapshot_books){.count = count};
    set_sizes(self, sources, options);
    self->sources = malloc(count * sizeof *sources);
    self->head = calloc(1, snapshot_head_bytes(count));
    self->images = take_pages(self->images_bytes, MAP_PRIVATE | MAP_NORESERVE);
    self->page = take_pages(sizeof *self->page, MAP_SHARED);
    if (!self->sources || !self->head || !self->images || !self->page) {
        return ENOMEM;
    }
    memcpy(self->sources, sources, count * sizeof *sources);
#ifdef MADV_HUGEPAGE
    madvise(self->images, self->images_bytes, MADV_HUGEPAGE); /* as it likes: it is only faster */
#endif
    memset(self->images, 1, self->copies_bytes); /* the pages are there when a pause needs them */
#ifdef __linux__
    self->cores = malloc(sizeof(cpu_set_t));
    if (self->cores == NULL) {
        return ENOMEM;
    }
    if (sched_getaffinity(0, sizeof(cpu_set_t), self->cores) != 0) {
        free(self->cores); /* more cores than a set has room for: the child stays where it is */
        self->cores = NULL;
    }
#endif
    return 0;
}

void snapshot_books_free(snapshot_books *self)
{
    if (self->images != NULL) {
        munmap(self->images, self->images_bytes);
    }
    if (self->page != NULL) {
        munmap(self->page, sizeof *self->page);
    }
    free(self->sources);
    free(self->head);
    free(self->cores);
}

typedef size_t (*orders_fn)(const book *, int, order_image *, size_t);
typedef size_t (*order_count_fn)(const book *);
typedef uint64_t (*event_sequence_fn)(const book *);

static const book *book_of(const snapshot_source *source)
{
    return (const book *)(uintptr_t)source->book;
}

static uint64_t order_count(const snapshot_source *source)
{
    return ((order_count_fn)(uintptr_t)source->order_count)(book_of(source));
}

/* extract: the image of a book. 0 if the book has other orders than it says: a broken book. */
static int extract(const snapshot_source *source, uint8_t *image)
{
    const orders_fn orders = (orders_fn)(uintptr_t)source->orders;
    const book *of = book_of(source);
    const uint64_t count = order_count(source);
    order_image *to = (order_image *)(void *)(image + IMAGE_HEADER_BYTES);
    image_write_header(image, source->instrument, count,
                       ((event_sequence_fn)(uintptr_t)source->event_sequence)(of));
    const size_t bids = orders(of, SIDE_BID, to, count);
    return bids + orders(of, SIDE_ASK, to + bids, count - bids) == count;
}

uint64_t snapshot_books_begin(snapshot_books *self, const snapshot_header *header)
{
    memcpy(self->head, header, sizeof *header);
    for (size_t i = 0; i < self->count; i++) {
        const snapshot_source *source = &self->sources[i];
        const snapshot_entry entry = {.instrument = source->instrument,
                                      .min_price = source->min_price,
                                      .max_price = source->max_price,
                                      .capacity = source->capacity,
                                      .bytes = IMAGE_HEADER_BYTES +
                                               order_count(source) * IMAGE_ORDER_BYTES};
        CHECK(entry.bytes <= most_image_bytes(source));
        memcpy(self->head + snapshot_head_bytes(i), &entry, sizeof entry);
    }
    return snapshot_place(self->head);
}

/* copied_at: where the image of a book lies among all of them. Each has whole words before it. */
static uint8_t *copied_at(const snapshot_books *self, size_t book)
{
    snapshot_entry entry;
    memcpy(&entry, self->head + snapshot_head_bytes(book), sizeof entry);
    return self->images + (entry.offset - snapshot_head_bytes(self->count));
}

int snapshot_books_fit(const snapshot_books *self, uint64_t file_bytes)
{
    return file_bytes - snapshot_head_bytes(self->count) <= self->copies_bytes;
}

void snapshot_books_copy(snapshot_books *self)
{
    for (size_t i = 0; i < self->count; i++) {
        CHECK(extract(&self->sources[i], copied_at(self, i)));
    }
}

static const void *image_copied(void *context, size_t book)
{
    return copied_at(context, book);
}

image_source snapshot_books_copied(snapshot_books *self)
{
    return (image_source){image_copied, self};
}

/* --- the child --- */

static const void *image_extracted(void *context, size_t book)
{
    snapshot_books *self = context;
    return extract(&self->sources[book], self->images) ? self->images : NULL;
}

/* close_files: all but directories, of which the storage's is one, and stderr for a sanitizer's
 * report. What stayed open here would keep a lock held, or a connection, when the parent has ended. */
static void close_files(long limit)
{
    for (int file = 0; file < limit; file++) {
        struct stat status;
        if (file != STDERR_FILENO && fstat(file, &status) == 0 && !S_ISDIR(status.st_mode)) {
            close(file);
        }
    }
}

/* --8<-- [start:child] */
static _Noreturn void child_main(snapshot_books *self, storage *disk, const char *temporary,
                                 long files)
{
    snapshot_problem problem = {0};
    const image_source source = {image_extracted, self};
    close_files(files);
#ifdef __linux__
    /* Its parent may be pinned to a core, and would have to share it. */
    if (self->cores != NULL) {
        sched_setaffinity(0, sizeof(cpu_set_t), self->cores);
    }
#endif
    const int failed = snapshot_write_temporary(disk, self->head, &source, temporary, &problem);
    self->page->problem = problem;
    /* C0 pairs with C1. */
    atomic_store_explicit(&self->page->state, failed ? CHILD_FAILED : CHILD_DONE,
                          memory_order_release);
    _exit(failed != 0);
}

pid_t snapshot_child_start(snapshot_books *self, storage *disk, const char *temporary,
                           snapshot_problem *problem)
{
    sigset_t all, before;
    long files = sysconf(_SC_OPEN_MAX);
    if (files < 0 || files > MOST_FILES) {
        files = MOST_FILES;
    }
    atomic_store_explicit(&self->page->state, CHILD_RUNS, memory_order_relaxed);
    /* A handler of the parent's would run in the child too, and write to what is closed there. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const pid_t child = fork();
    if (child == 0) {
        child_main(self, disk, temporary, files);
    }
    const int failed = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child < 0) {
        snapshot_problem_set(problem, "fork", failed, 0);
    }
    return child;
}
/* --8<-- [end:child] */

int snapshot_child_result(const snapshot_books *self, snapshot_problem *problem)
{
    const int state = atomic_load_explicit(&self->page->state, memory_order_acquire); /* C1 */
    if (state == CHILD_DONE) {
        return 0;
    }
    if (state == CHILD_FAILED) {
        *problem = self->page->problem;
        return -1;
    }
    return snapshot_problem_set(problem, "child", 0, 0); /* it was killed, or crashed */
}
