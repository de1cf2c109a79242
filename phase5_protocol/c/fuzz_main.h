/* fuzz_main.h - drives a fuzz target without a fuzzer: its corpus, then seeded mutations of it.
 *
 * A fuzz target is a file fuzz_NAME.c with
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
 *
 * which takes any bytes, CHECKs what must hold of them, and returns 0. `make fuzz` gives it to
 * libFuzzer, which looks for new paths for as long as one likes. That needs clang, and is not the
 * same twice; so each target also has a plain test of three lines, test_fuzz_NAME.c:
 *
 *     #include "phase5_protocol/c/fuzz_NAME.c"
 *     #define FUZZ_CORPUS "phase5_protocol/corpus/NAME"
 *     #include "phase5_protocol/c/fuzz_main.h"
 *
 * It runs every file of the corpus, then FUZZ_MUTATIONS (20,000) inputs made of them by a fixed
 * seed: the same ones on any machine, with any compiler. Under AddressSanitizer a byte read beyond
 * an input is found, because each input lies in a block of memory of exactly its size.
 *
 * When an input fails, the process ends with that input in hexadecimal on stderr, and as the file
 * build/fuzz/failing.bin. `test_fuzz_NAME FILE...` runs just those files, for the debugger.
 *
 * Both macros may be set before the inclusion, FUZZ_LARGEST (4,096 bytes) too.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/c/check.h"
#include "contract/c/engine_stream.h"

#ifndef FUZZ_MUTATIONS
#define FUZZ_MUTATIONS 20000
#endif
#ifndef FUZZ_LARGEST
#define FUZZ_LARGEST 4096
#endif
#define FUZZ_SEED 5
#define FUZZ_FILES 256
#define FUZZ_FAILING "build/fuzz/failing.bin"

/* The sanitizers' own hook; null in a build without them. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

typedef struct {
    char path[512];
    uint8_t *data;
    size_t size;
} fuzz_file;

static fuzz_file fuzz_files[FUZZ_FILES];
static size_t fuzz_file_count;

/* The input being run, for fuzz_report. */
static const uint8_t *fuzz_current;
static size_t fuzz_current_size;

/* Writes without stdio: the process is about to end, in a signal handler perhaps. */
static void fuzz_say(const char *bytes, size_t size)
{
    if (write(STDERR_FILENO, bytes, size) < 0) {
        return; /* nobody is left to tell */
    }
}

static void fuzz_report(void)
{
    static const char head[] = "failing input: ";
    const uint8_t *data = fuzz_current;
    if (data == NULL) {
        return; /* told already, or nothing was running */
    }
    fuzz_current = NULL;
    fuzz_say(head, sizeof head - 1);
    for (size_t i = 0; i < fuzz_current_size; i++) {
        const char digits[] = {"0123456789abcdef"[data[i] >> 4], "0123456789abcdef"[data[i] & 15]};
        fuzz_say(digits, sizeof digits);
    }
    fuzz_say("\n", 1);
    FILE *file = fopen(FUZZ_FAILING, "wb");
    if (file != NULL) {
        fwrite(data, 1, fuzz_current_size, file);
        fclose(file);
        fuzz_say(FUZZ_FAILING "\n", sizeof FUZZ_FAILING);
    }
}

static void fuzz_on_signal(int number)
{
    signal(number, SIG_DFL);
    fuzz_report();
    raise(number);
}

/* One input, in memory of just its size. */
static void fuzz_run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    CHECK(exact != NULL);
    memcpy(exact, data, size);
    fuzz_current = exact;
    fuzz_current_size = size;
    CHECK(LLVMFuzzerTestOneInput(exact + (size == 0), size) == 0); /* no byte of an empty one */
    fuzz_current = NULL;
    free(exact);
}

static void fuzz_read(const char *path)
{
    CHECK(fuzz_file_count < FUZZ_FILES);
    fuzz_file *self = &fuzz_files[fuzz_file_count++];
    CHECK((size_t)snprintf(self->path, sizeof self->path, "%s", path) < sizeof self->path);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    self->data = malloc(FUZZ_LARGEST + 1);
    CHECK(self->data != NULL);
    self->size = fread(self->data, 1, FUZZ_LARGEST + 1, file);
    CHECK(self->size <= FUZZ_LARGEST); /* a corpus is small files */
    fclose(file);
}

static int fuzz_by_path(const void *one, const void *other)
{
    return strcmp(((const fuzz_file *)one)->path, ((const fuzz_file *)other)->path);
}

static void fuzz_read_corpus(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        perror(folder);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[512];
        if (entry->d_name[0] != '.') {
            const int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            CHECK((size_t)length < sizeof path);
            fuzz_read(path);
        }
    }
    closedir(dir);
    /* A folder has no order; the mutations must. */
    qsort(fuzz_files, fuzz_file_count, sizeof *fuzz_files, fuzz_by_path);
}

/* Cut `gone` bytes out at `at`, and put `added` in: the tail moves, what falls off is lost. */
static void fuzz_splice(uint8_t *data, size_t *size, size_t at, size_t gone, const uint8_t *added,
                        size_t count)
{
    CHECK(at <= *size && gone <= *size - at && *size <= FUZZ_LARGEST);
    if (at + count > FUZZ_LARGEST) {
        count = FUZZ_LARGEST - at;
    }
    size_t tail = *size - at - gone;
    if (at + count + tail > FUZZ_LARGEST) {
        tail = FUZZ_LARGEST - at - count;
    }
    memmove(data + at + count, data + at + gone, tail);
    memcpy(data + at, added, count);
    *size = at + count + tail;
}

/* A number that breaks decoders, at a random place, in 1, 2, 4 or 8 bytes of either order. */
static void fuzz_overwrite(command_stream *random, uint8_t *data, size_t size)
{
    static const uint64_t values[] = {0, 1, 7, 63, 64, 65, 127, 128, 255, 256, 1472, 4095, 32767,
                                      32768, 65535, 65536, INT32_MAX, UINT32_MAX - 1, UINT32_MAX,
                                      INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
    const size_t width = (size_t)1 << stream_below(random, 4);
    if (size < width) {
        return;
    }
    const size_t at = stream_below(random, size - width + 1);
    const uint64_t value = values[stream_below(random, sizeof values / sizeof *values)];
    const int big = (int)stream_below(random, 2);
    for (size_t i = 0; i < width; i++) {
        data[at + (big ? width - 1 - i : i)] = (uint8_t)(value >> (8 * i));
    }
}

static void fuzz_mutate(command_stream *random, uint8_t *data, size_t *size)
{
    const size_t at = stream_below(random, *size + 1);
    const size_t rest = *size - at;
    const fuzz_file *other = &fuzz_files[stream_below(random, fuzz_file_count)];
    uint8_t extra[16] = {0};
    switch (stream_below(random, 7)) {
    case 0: /* a bit */
        if (rest > 0) {
            data[at] ^= (uint8_t)(1 << stream_below(random, 8));
        }
        break;
    case 1: /* a byte */
        if (rest > 0) {
            data[at] = (uint8_t)stream_word(random);
        }
        break;
    case 2: fuzz_overwrite(random, data, *size); break;
    case 3: *size = at; break;
    case 4: fuzz_splice(data, size, at, stream_below(random, rest + 1), extra, 0); break;
    case 5:
        for (size_t i = 0; i < sizeof extra; i++) {
            extra[i] = (uint8_t)stream_word(random);
        }
        fuzz_splice(data, size, at, 0, extra, 1 + stream_below(random, sizeof extra));
        break;
    default: { /* a piece of another file */
        const size_t from = stream_below(random, other->size + 1);
        fuzz_splice(data, size, at, stream_below(random, rest + 1), other->data + from,
                    stream_below(random, other->size - from + 1));
    }
    }
}

int main(int argc, char **argv)
{
    signal(SIGABRT, fuzz_on_signal);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(fuzz_report);
    }
    mkdir("build", 0777); /* both may be there, and without them nothing but the file is lost */
    mkdir("build/fuzz", 0777);
    for (int i = 1; i < argc; i++) {
        fuzz_read(argv[i]);
    }
    if (argc == 1) {
        fuzz_read_corpus(FUZZ_CORPUS);
    }
    CHECK(fuzz_file_count > 0); /* nothing run is nothing tested */
    for (size_t i = 0; i < fuzz_file_count; i++) {
        fuzz_run(fuzz_files[i].data, fuzz_files[i].size);
    }
    static uint8_t data[FUZZ_LARGEST];
    command_stream random = {.state = FUZZ_SEED};
    const size_t mutations = argc == 1 ? FUZZ_MUTATIONS : 0;
    for (size_t i = 0; i < mutations; i++) {
        const fuzz_file *file = &fuzz_files[stream_below(&random, fuzz_file_count)];
        size_t size = file->size;
        memcpy(data, file->data, size);
        for (uint64_t edits = 1 + stream_below(&random, 6); edits > 0; edits--) {
            fuzz_mutate(&random, data, &size);
        }
        fuzz_run(data, size);
    }
    printf("%zu files, %zu mutations of them\n", fuzz_file_count, mutations);
    for (size_t i = 0; i < fuzz_file_count; i++) {
        free(fuzz_files[i].data);
    }
    return 0;
}
