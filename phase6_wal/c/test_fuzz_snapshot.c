/* test_fuzz_snapshot.c - the fuzz target over its corpus and seeded mutations of it. */
#include "phase6_wal/c/fuzz_snapshot.c"
#define FUZZ_CORPUS "phase6_wal/corpus/snapshot"
#include "phase5_protocol/c/fuzz_main.h"
