/* ring_stress_main.h - the third part of ring_stress.h: options, rounds, and the printed table. */
#ifndef MATCHBOOK_RING_STRESS_MAIN_H
#define MATCHBOOK_RING_STRESS_MAIN_H

/* stress_verdicts: print the table with its counts; return how many rows are not as they should
 * be. Of a run that is not full, rows nothing is known of are left out. */
static inline int stress_verdicts(const stress_suite *suite, const uint64_t *counts, int is_full)
{
    static const char *const words[] = {"no row", "allowed", "expected", "FORBIDDEN"};
    int wrong = 0;
    for (int i = 0; i < STRESS_OUTCOMES; i++) {
        const stress_outcome *row = &suite->outcomes[i];
        int is_silent = counts[i] == 0 && row->verdict != FORBIDDEN;
        if (is_silent && (row->verdict == STRESS_NO_ROW || !is_full)) {
            continue;
        }
        int is_wrong = row->verdict == EXPECTED ? is_full && counts[i] == 0
                                                : row->verdict != ALLOWED && counts[i] != 0;
        wrong += is_wrong;
        printf("  %-16s %-10s %14" PRIu64 "  %s%s\n", row->name ? row->name : "?",
               words[row->verdict], counts[i], row->meaning ? row->meaning : "",
               is_wrong ? "  <-- wrong" : "");
    }
    return wrong;
}

typedef struct {
    uint64_t items;
    uint64_t seed;
    const char *only;
    int is_long;
} stress_options;

/* stress_read_number: the number behind "--name="; 0 if it is none, or 0. */
static inline uint64_t stress_read_number(const char *option, size_t name_length)
{
    char *end;
    uint64_t number = strtoull(option + name_length, &end, 10);
    return *end == '\0' && option[name_length] != '-' ? number : 0;
}

/* stress_read_options: 0, and a line that says why, if one of them is none. */
static inline int stress_read_options(int argc, char **argv, stress_options *options)
{
    for (int i = 1; i < argc; i++) {
        int known = 1;
        if (strcmp(argv[i], "--long") == 0) {
            options->is_long = 1;
        } else if (strncmp(argv[i], "--items=", 8) == 0) {
            known = (options->items = stress_read_number(argv[i], 8)) != 0;
        } else if (strncmp(argv[i], "--seed=", 7) == 0) {
            known = (options->seed = stress_read_number(argv[i], 7)) != 0;
        } else if (strncmp(argv[i], "--case=", 7) == 0) {
            options->only = argv[i] + 7;
        } else {
            known = 0;
        }
        if (!known) {
            fprintf(stderr, "%s: %s is not --items=N, --seed=N, --case=NAME or --long, N above 0\n",
                    argv[0], argv[i]);
            return 0;
        }
    }
    return 1;
}

/* stress_rounds: a case as often as it wants to be run. Returns 0 after what must not be. */
static inline int stress_rounds(const stress_suite *suite, const stress_case *it,
                                const stress_options *options, const char *program,
                                uint64_t counts[STRESS_OUTCOMES])
{
    uint64_t items = options->items ? options->items : suite->items;
    uint32_t rounds = it->rounds ? it->rounds : 1;
    struct timespec until = stress_time_after(STRESS_CASE_S);
    int is_late = 0;
    uint64_t sum = 0;
    if (options->is_long && !options->items) {
        items = it->long_items;
    }
    for (uint32_t round = 0; round < rounds && !is_late; round++) {
        char evidence[STRESS_TEXT] = "";
        sum = stress_run_case(suite, it, (items + rounds - 1) / rounds, options->seed + round,
                              options->is_long ? NULL : &until, counts, evidence);
        is_late = !options->is_long && stress_is_past(&until);
        if (evidence[0] != '\0') {
            printf("%s, round %" PRIu32 ": %s\n", it->name, round, evidence);
            printf("reproduce: %s --case=%s --seed=%" PRIu64 "%s", program, it->name, options->seed,
                   options->is_long ? " --long" : "");
            if (options->items) {
                printf(" --items=%" PRIu64, options->items);
            }
            printf("\n");
            stress_verdicts(suite, counts, 0);
            return 0;
        }
    }
    if (options->is_long) {
        printf("%s: %" PRIu64 " records, checksums equal: %016" PRIx64 "\n", it->name,
               items * (uint64_t)it->producers, sum);
        fflush(stdout);
    }
    return 1;
}

/* stress_main: the main() of a stress test. */
static inline int stress_main(int argc, char **argv, const stress_suite *suite)
{
    stress_options options = {.seed = 1, .only = ""};
    uint64_t counts[STRESS_OUTCOMES] = {0};
    int ran = 0;
    if (!stress_read_options(argc, argv, &options)) {
        return 2;
    }
    for (size_t i = 0; i < suite->case_count; i++) {
        const stress_case *it = &suite->cases[i];
        if (strstr(it->name, options.only) == NULL || (options.is_long && !it->long_items)) {
            continue;
        }
        ran++;
        if (!stress_rounds(suite, it, &options, argv[0], counts)) {
            return 1;
        }
    }
    if (ran == 0) {
        fprintf(stderr, "%s: no case is called %s\n", argv[0], options.only);
        return 2;
    }
    printf("%s: %d cases, seed %" PRIu64 "\n", suite->name, ran, options.seed);
    int is_full = options.only[0] == '\0' && !options.is_long && !options.items;
    return stress_verdicts(suite, counts, is_full) == 0 ? 0 : 1;
}

#endif
