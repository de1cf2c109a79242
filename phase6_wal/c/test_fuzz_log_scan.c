/* test_fuzz_log_scan.c - the fuzz target over its corpus and seeded mutations of it. */
#include "phase6_wal/c/fuzz_log_scan.c"
#define FUZZ_CORPUS "phase6_wal/corpus/log_scan"
#include "phase5_protocol/c/fuzz_main.h"
